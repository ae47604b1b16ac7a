"""Coverage of nominal 95 % intervals, of the mean and of new observations, where the model is right and where it is not.

Designs, n = 200 observations with noise of standard deviation 0.1, as many new covariates:

- "right": the truth is a network 1-2-1 (fitted once to 2000 points of a sine) and that is what is fitted, with a slight
  decay of 1e-6;
- "too small": the truth is sin(1 / x) on [0.05, 1], and five hidden units are fitted, which cannot follow it at the left.

Intervals are of the best of five restarts trained by Levenberg-Marquardt: the delta method with the model's covariance and
with the sandwich; the bootstrap (parametric, residual, case; refits from the fitted weights); split conformal, CV+ (10 folds)
and, for the first replicates, jackknife+ (refits from the fitted weights). The standard error is over replicates, whose
new points share a fit; the width is the median over replicates and points.

Run ``python benchmarks/interval_coverage.py --replicates 500 --jackknife 50`` for the file of the vignette.
"""

from __future__ import annotations

import argparse
import functools
import time
import warnings
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pandas as pd

import neuralstat as ns
from neuralstat.errors import NeuralStatWarning

SIGMA, N, NEW = 0.1, 200, 200
FILE = Path(__file__).parents[1] / "vignettes" / "data" / "coverage.csv"
METHODS: dict[str, dict[str, object]] = {
    "delta": {},
    "delta, sandwich": {"cov_type": "sandwich"},
    "bootstrap, parametric": {"method": "bootstrap", "kind": "parametric", "draws": 40},
    "bootstrap, residual": {"method": "bootstrap", "kind": "residual", "draws": 40},
    "bootstrap, case": {"method": "bootstrap", "kind": "case", "draws": 40},
    "split": {"method": "split"},
    "cv+": {"method": "cv+", "restarts": "same"},
    "jackknife+": {"method": "jackknife+", "restarts": "warm"},
}


@functools.cache
def designs() -> dict[str, tuple[Callable[[np.ndarray], np.ndarray], float, dict[str, object]]]:
    """Truth, least covariate, and what is fitted."""
    teacher = ns.neuralnet(
        "y ~ x", ns.datasets.sine(n=2000, noise=0.01, random_state=0), hidden=2, algorithm="lm", rep=10, standardize=False,
        penalty=ns.decay(1e-4), random_state=0,
    )  # fmt: skip

    def net(x: np.ndarray) -> np.ndarray:
        return teacher.predict(pd.DataFrame({"x": x}), rep="best").to_numpy()

    return {
        "right": (net, 0.0, {"hidden": 2, "penalty": ns.decay(1e-6)}),
        "too small": (lambda x: np.sin(1 / x), 0.05, {"hidden": 5, "penalty": ns.decay(1e-6)}),
    }


def replicate(design: str, seed: int, jackknife: bool) -> list[dict[str, object]]:
    """Rows of one replicate."""
    truth, least, model = designs()[design]
    rng = np.random.default_rng([seed, 7])
    x, new = rng.uniform(least, 1, N), rng.uniform(least, 1, NEW)
    mean = truth(new)
    targets = {"mean": mean, "obs": mean + SIGMA * rng.standard_normal(NEW)}
    data = pd.DataFrame({"x": x, "y": truth(x) + SIGMA * rng.standard_normal(N)})
    fit = ns.neuralnet(
        "y ~ x", data, algorithm="lm", threshold=1e-4, stepmax=500, rep=5, random_state=seed, n_jobs=1,
        standardize=False, **model,
    )  # fmt: skip
    rows: list[dict[str, object]] = []
    for name, options in METHODS.items():
        if name == "jackknife+" and not jackknife:
            continue
        more = {"n_jobs": 1, "random_state": seed} if "method" in options else {}
        frame = fit.get_prediction(pd.DataFrame({"x": new}), rep="best", **options, **more).summary_frame()
        for target, value in targets.items():
            low, high = frame[f"{target}_ci_lower"].to_numpy(), frame[f"{target}_ci_upper"].to_numpy()
            if np.isnan(low).all():  # conformal intervals are of observations only
                continue
            rows.append({
                "design": design, "method": name, "target": target, "coverage": np.mean((low <= value) & (value <= high)),
                "width": np.median(high - low),
            })  # fmt: skip
    return rows


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--replicates", type=int, default=500)
    parser.add_argument("--jackknife", type=int, default=50, help="replicates with jackknife+")
    parser.add_argument("--output", type=Path, default=FILE)
    args = parser.parse_args()
    began, rows = time.perf_counter(), []
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", NeuralStatWarning)
        for seed in range(args.replicates):
            for design in designs():
                rows += replicate(design, seed, seed < args.jackknife)
            if (seed + 1) % 25 == 0:
                print(f"{seed + 1} replicates, {time.perf_counter() - began:.0f} s", flush=True)
                table(rows).to_csv(args.output, index=False)
    table(rows).to_csv(args.output, index=False)
    print(table(rows).to_string(index=False))


def table(rows: list[dict[str, object]]) -> pd.DataFrame:
    """One row per design, method and target."""
    groups = pd.DataFrame(rows).groupby(["design", "method", "target"], sort=False)
    found = groups.agg(
        coverage=("coverage", "mean"), se=("coverage", lambda v: v.std(ddof=1) / np.sqrt(v.size)),
        width=("width", "median"), replicates=("coverage", "size"),
    )  # fmt: skip
    return found.round({"coverage": 4, "se": 4, "width": 4}).reset_index()


if __name__ == "__main__":
    main()
