"""Degrees of freedom of several designs: the truth by simulation against every estimator.

The data are y = sin(1 / x) + N(0, 0.1^2), n = 200. The truth is the sum of the covariances of fit and response over
sigma^2, from `--truth` responses drawn around the true curve, with fresh start weights for each, as a user would have.
The estimators see one response only. "covariance, larger model" draws around the fit of a larger model (15 units, the mean
of 20 restarts by Levenberg-Marquardt), as Efron (2004) advises, in place of the design's own.

Run ``python benchmarks/df_truth.py --truth 150 --draws 100`` for the table of the vignette (hours on two cores), with
``--designs "10 units" "(3, 4)"`` for some of them; rows are appended to the file as they are done.
"""

from __future__ import annotations

import argparse
import csv
import time
import warnings
from pathlib import Path

import numpy as np
import pandas as pd

import neuralstat as ns
from neuralstat.errors import DfError, NeuralStatWarning

SIGMA = 0.1
FILE = Path(__file__).parents[1] / "vignettes" / "data" / "degrees_of_freedom.csv"
FIELDS = ("design", "weights", "method", "df", "se", "draws", "seconds", "note")

#: name -> (arguments of neuralnet, which repetition is the fit)
DESIGNS = {
    "10 units, threshold 1": ({"hidden": 10, "threshold": 1.0}, "best"),
    "10 units, threshold 0.1": ({"hidden": 10, "threshold": 0.1}, "best"),
    "10 units": ({"hidden": 10}, "best"),
    "3 units": ({"hidden": 3}, "best"),
    "(3, 4)": ({"hidden": (3, 4)}, "best"),
    "(10, 5, 15)": ({"hidden": (10, 5, 15)}, "best"),
    "10 units, best of 5": ({"hidden": 10, "rep": 5}, "best"),
    "10 units, mean of 5": ({"hidden": 10, "rep": 5}, "mean"),
    "10 units, decay 0.001": ({"hidden": 10, "penalty": ns.decay(0.001)}, "best"),
    "10 units, decay 0.01": ({"hidden": 10, "penalty": ns.decay(0.01)}, "best"),
    "10 units, decay 0.1": ({"hidden": 10, "penalty": ns.decay(0.1)}, "best"),
    "10 units, decay 0.01, mean of 5": ({"hidden": 10, "penalty": ns.decay(0.01), "rep": 5}, "mean"),
}


def larger(data: pd.DataFrame, seed: int) -> np.ndarray:
    """Fitted values of a larger model, which follows the curve and some of the noise."""
    fit = ns.neuralnet(
        "y ~ x", data, hidden=15, algorithm="lm", rep=20, threshold=1e-3, stepmax=1000, penalty=ns.decay(1e-5),
        standardize=False, random_state=seed,
    )  # fmt: skip
    return fit.predict(rep="mean").to_numpy()


def estimates(name: str, truth: int, draws: int, seed: int, methods: list[str] | None) -> list[dict[str, object]]:
    """Rows of the table for one design."""
    options, rep = DESIGNS[name]
    data = ns.datasets.doppler(n=200, noise=SIGMA, random_state=seed)
    mean = np.sin(1 / data["x"].to_numpy())
    raw = {"standardize": False, "rep": 1, "algorithm": "rprop+"}
    fit = ns.neuralnet("y ~ x", data, random_state=seed, **{**raw, **options})
    common = {"sigma": SIGMA, "random_state": seed}
    calls = {
        "truth": ("covariance", {"mean": mean, "draws": truth, "restarts": "fresh", **common}),
        "gdf": ("gdf", {"draws": draws, "restarts": "fresh", **common}),
        "gdf, same starts": ("gdf", {"draws": draws, "restarts": "same", **common}),
        "covariance": ("covariance", {"draws": draws, "restarts": "fresh", **common}),
        "covariance, larger model": (
            "covariance", {"mean": larger(data, seed), "draws": draws, "restarts": "fresh", **common}
        ),
        "sure": ("sure", {"draws": 40, **common}),
        "divergence": ("divergence", {}),
        "jacobian": ("jacobian", {}),
        "nic": ("nic", {}),
        "weights": ("weights", {}),
    }
    rows = []
    for method, (kind, arguments) in calls.items():
        if methods and method not in methods:
            continue
        began = time.perf_counter()
        row = {"design": name, "weights": fit.k_params, "method": method, "df": "", "se": "", "draws": "", "note": ""}
        try:
            df = fit.df(kind, rep=rep, **arguments)
            row.update(df=f"{float(df):.4f}", se="" if df.se is None else f"{df.se:.3f}", draws=df.draws or "")
        except DfError as error:
            row["note"] = str(error)
        row["seconds"] = f"{time.perf_counter() - began:.1f}"
        rows.append(row)
    return rows


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--truth", type=int, default=150)
    parser.add_argument("--draws", type=int, default=100)
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--file", type=Path, default=FILE)
    parser.add_argument("--designs", nargs="*", default=list(DESIGNS), choices=list(DESIGNS))
    parser.add_argument("--methods", nargs="*", help="some of the methods only")
    given = parser.parse_args()
    warnings.simplefilter("ignore", NeuralStatWarning)
    given.file.parent.mkdir(parents=True, exist_ok=True)
    fresh = not given.file.exists()
    with given.file.open("a", newline="") as stream:
        writer = csv.DictWriter(stream, FIELDS)
        if fresh:
            writer.writeheader()
        for name in given.designs:
            for row in estimates(name, given.truth, given.draws, given.seed, given.methods):
                writer.writerow(row)
                print(*(row[f] for f in FIELDS[:-1]), sep="\t", flush=True)
            stream.flush()


if __name__ == "__main__":
    main()
