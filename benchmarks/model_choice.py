"""Choosing the number of hidden units: what each criterion picks, against the best that could be picked.

Data: y = sin(1 / x) + N(0, 0.1^2), n = 200. Candidates: one layer of 1 to 15 units, trained by Levenberg-Marquardt from
5 or 20 random starts; the fit is the mean of the converged repetitions, as `predict` gives it. Loss of a fit: mean squared
distance to the true curve at the observations. The oracle picks the candidate of least loss in each replicate. A row
per replicate and criterion: the units picked, their loss and the oracle's.

Run ``python benchmarks/model_choice.py --replicates 100 --cv 20`` for the file of the vignette (7 minutes); 5-fold
cross-validation is computed for the first replicates only, and so are with ``--simulated 20`` Cp and AICc with degrees of
freedom "gdf" and "covariance" (20 draws). ``--setting`` trains the candidates otherwise (see `SETTINGS`); the file holds "no
penalty" so, and the others with ``--cv 0``.
"""

from __future__ import annotations

import argparse
import time
import warnings
from pathlib import Path

import numpy as np
import pandas as pd

import neuralstat as ns
from neuralstat.errors import DfError, NeuralStatWarning

SIGMA, UNITS = 0.1, range(1, 16)
FILE = Path(__file__).parents[1] / "vignettes" / "data" / "model_choice.csv"
SETTINGS = {
    "no penalty": {"rep": 5, "threshold": 1e-3, "stepmax": 1000},
    "decay 1e-5": {"rep": 5, "threshold": 1e-3, "stepmax": 1000, "penalty": ns.decay(1e-5)},
    "decay 1e-5, 20 starts": {"rep": 20, "threshold": 1e-3, "stepmax": 1000, "penalty": ns.decay(1e-5)},
}
FREE = {
    "AICc, df jacobian": ("aicc", "jacobian"),
    "AIC, df jacobian": ("aic", "jacobian"),
    "BIC, df jacobian": ("bic", "jacobian"),
    "GCV, df jacobian": ("gcv", "jacobian"),
    "Cp, df jacobian": ("cp", "jacobian"),
    "AICc, df divergence": ("aicc", "divergence"),
    "AIC, df weights": ("aic", "weights"),
}
DRAWN = {"AICc, df gdf": ("aicc", "gdf"), "AICc, df covariance": ("aicc", "covariance"),
         "Cp, df gdf": ("cp", "gdf"), "Cp, df covariance": ("cp", "covariance")}  # fmt: skip


def criteria(fit: ns.NeuralNetResults, seed: int, drawn: bool, cv: bool) -> dict[str, float]:
    """Every criterion of one fit; infinite where it is not defined, so that it cannot win."""
    values = {"R's AIC": fit.info_criteria("aic", convention="neuralnet")}
    known: dict[str, object] = {}
    for name, (criterion, method) in {**FREE, **(DRAWN if drawn else {})}.items():
        try:
            if method not in known:
                more = {"draws": 20, "sigma": SIGMA, "random_state": seed} if name in DRAWN else {}
                known[method] = fit.df(method, rep="mean", **more)
            sigma = SIGMA if criterion == "cp" else None
            values[name] = fit.info_criteria(criterion, df=known[method], rep="mean", sigma=sigma)
        except DfError:
            values[name] = np.inf
    if cv:
        values["5-fold cross-validation"] = float(ns.risk(fit, "cv", k=5, random_state=seed))
    return values


def replicate(seed: int, setting: str, drawn: bool, cv: bool) -> list[dict[str, object]]:
    """Rows of one replicate."""
    data = ns.datasets.doppler(n=200, noise=SIGMA, random_state=seed)
    truth = np.sin(1 / data["x"])
    loss, table = [], []
    for units in UNITS:
        fit = ns.neuralnet(
            "y ~ x", data, hidden=units, algorithm="lm", standardize=False, random_state=seed, **SETTINGS[setting]
        )
        loss.append(float(np.mean((fit.predict() - truth) ** 2)))
        table.append(criteria(fit, seed, drawn, cv))
    frame = pd.DataFrame(table)
    rows = []
    for name in frame:
        at = int(np.argmin(np.where(np.isfinite(frame[name]), frame[name], np.inf)))
        usable = int(np.isfinite(frame[name]).sum())
        rows.append({"setting": setting, "replicate": seed, "criterion": name, "units": UNITS[at], "loss": loss[at],
                     "oracle": min(loss), "oracle_units": UNITS[int(np.argmin(loss))],
                     "candidates_defined": usable})  # fmt: skip
    return rows


def summary(table: pd.DataFrame) -> pd.DataFrame:
    """Share of replicates within 10 % of the oracle's loss, mean ratio and units, by criterion."""
    table = table.assign(near=table["loss"] <= 1.1 * table["oracle"], ratio=table["loss"] / table["oracle"])
    groups = table.groupby(["setting", "criterion"], sort=False)
    return groups.agg(replicates=("near", "size"), within_10_percent=("near", "mean"), median_ratio=("ratio", "median"),
                      mean_ratio=("ratio", "mean"), median_units=("units", "median"),
                      defined=("candidates_defined", "mean"))  # fmt: skip


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--replicates", type=int, default=100)
    parser.add_argument("--cv", type=int, default=20, help="replicates with cross-validation")
    parser.add_argument("--simulated", type=int, default=0, help="replicates with simulated degrees of freedom")
    parser.add_argument("--setting", choices=SETTINGS, default="no penalty")
    parser.add_argument("--output", type=Path, default=FILE)
    given = parser.parse_args()
    warnings.simplefilter("ignore", NeuralStatWarning)  # a fit with many units often has no regular optimum
    began, rows = time.perf_counter(), []
    for r in range(1, given.replicates + 1):
        rows += replicate(r, given.setting, r <= given.simulated, r <= given.cv)
        pd.DataFrame(rows).to_csv(given.output, index=False, float_format="%.6g")
    print(summary(pd.DataFrame(rows)).round(3).to_string())
    print(f"{given.replicates} replicates in {time.perf_counter() - began:.0f} s")


if __name__ == "__main__":
    main()
