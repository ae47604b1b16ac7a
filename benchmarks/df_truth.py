"""Degrees of freedom of several procedures: the truth by simulation against every estimator, over many data sets.

A design is a regression function, its noise, and how a network is trained. The truth is the sum over observations of
cov(fit, response) / sigma^2 from `--truth` responses drawn around the true means, each fitted with fresh start weights, as
a user would have. Each of `--sets` data sets has its own noise; the estimators see it only. Methods that refit take
`--draws` perturbed responses and are given sigma, but for "auto", which is called as `criteria()` calls it: it estimates
sigma where it needs it. "covariance, larger model" draws around the fit of a larger model (the mean of 20 restarts of 15
units by Levenberg-Marquardt with a slight decay), as Efron (2004) advises, in place of the fit's own. A row per design, data
set and method; `chosen` is what "auto" took, an empty `df` a method that is not defined at that fit.

Run ``python benchmarks/df_truth.py`` for the table of the vignette (half an hour of a core), with
``--designs "1-D, 10 units, decay 0.1"`` for some designs.
"""

from __future__ import annotations

import argparse
import time
import warnings
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd

import neuralstat as ns
from neuralstat.errors import DfError, NeuralStatWarning

FILE = Path(__file__).parents[1] / "vignettes" / "data" / "degrees_of_freedom.csv"
RAW: dict[str, Any] = {"standardize": False, "algorithm": "lm"}
R: dict[str, Any] = {"standardize": False, "algorithm": "rprop+", "rep": 1}  # R's own way

#: name -> (truth, arguments of neuralnet, which repetition is the fit)
DESIGNS: dict[str, tuple[str, dict[str, Any], str]] = {
    "1-D, 10 units, threshold 1": ("1-D", {**R, "hidden": 10, "threshold": 1.0}, "best"),
    "1-D, 10 units, threshold 0.1": ("1-D", {**R, "hidden": 10, "threshold": 0.1}, "best"),
    "1-D, 10 units, best of 5": ("1-D", {**RAW, "hidden": 10, "rep": 5}, "best"),
    "1-D, 10 units, decay 0.1": ("1-D", {**RAW, "hidden": 10, "rep": 5, "penalty": ns.decay(0.1)}, "best"),
    "2-D, 8 units, best of 5": ("2-D", {"algorithm": "lm", "hidden": 8, "rep": 5}, "best"),
    "2-D, 8 units, decay 0.1": ("2-D", {"algorithm": "lm", "hidden": 8, "rep": 5, "penalty": ns.decay(0.1)}, "best"),
    "10-D, 10 units, decay 1": ("10-D", {"algorithm": "lm", "hidden": 10, "rep": 5, "penalty": ns.decay(1.0)}, "best"),
}
#: not on the page: ``--designs NAME --file benchmarks/results/df_truth.csv``
MORE: dict[str, tuple[str, dict[str, Any], str]] = {
    "1-D, 10 units, decay 0.001": ("1-D", {**RAW, "hidden": 10, "rep": 5, "penalty": ns.decay(0.001)}, "best"),
    "10-D, 10 units, 60 epochs": ("10-D", {"algorithm": "adam", "hidden": 10, "epochs": 60}, "best"),
}
LARGER = {"1-D": 1e-5, "2-D": 1e-3, "10-D": 0.1}  # decay of the larger model


def doppler() -> tuple[pd.DataFrame, np.ndarray, float]:
    """sin(1 / x) at 200 points."""
    x = np.linspace(0.05, 1, 200)
    return pd.DataFrame({"x": x}), np.sin(1 / x), 0.1


def three_units() -> tuple[pd.DataFrame, np.ndarray, float]:
    """A network of three units of two covariates, 150 points."""
    a, b = np.random.default_rng(20).standard_normal((2, 150))
    mean = 2 * np.tanh(1.5 * a - b) - 1.5 * np.tanh(a + 2 * b - 0.5) + np.tanh(0.5 * b - a + 1)
    return pd.DataFrame({"a": a, "b": b}), mean, 0.3


def friedman() -> tuple[pd.DataFrame, np.ndarray, float]:
    """Friedman's function of five of ten covariates (1991, Annals of Statistics 19:1), 200 points."""
    x = np.random.default_rng(10).random((200, 10))
    mean = 10 * np.sin(np.pi * x[:, 0] * x[:, 1]) + 20 * (x[:, 2] - 0.5) ** 2 + 10 * x[:, 3] + 5 * x[:, 4]
    return pd.DataFrame(x, columns=[f"x{j}" for j in range(1, 11)]), mean, 1.0


METHODS = ("truth", "weights", "gdf", "covariance", "covariance, larger model", "divergence", "jacobian", "auto")
TRUTHS = {"1-D": doppler, "2-D": three_units, "10-D": friedman}


def larger(formula: str, data: pd.DataFrame, decay: float, seed: int) -> np.ndarray:
    """Fitted values of a larger model, which follows the curve and some of the noise."""
    fit = ns.neuralnet(formula, data, hidden=15, algorithm="lm", rep=20, threshold=1e-3, stepmax=1000,
                       penalty=ns.decay(decay), random_state=seed)  # fmt: skip
    return np.asarray(fit.predict(rep="mean"))


def estimates(name: str, truth: int, sets: int, draws: int, methods: list[str]) -> list[dict[str, object]]:
    """Rows of one design."""
    kind, options, rep = (DESIGNS | MORE)[name]
    x, mean, sigma = TRUTHS[kind]()
    formula = f"y ~ {' + '.join(x.columns)}"
    rows: list[dict[str, object]] = []
    for t in range(1, sets + 1):
        data = x.assign(y=mean + sigma * np.random.default_rng([t, 7]).standard_normal(len(x)))
        fit = ns.neuralnet(formula, data, random_state=t, **options)
        again = {"sigma": sigma, "random_state": t, "restarts": "fresh", "n_jobs": 1}
        more = {"mean": larger(formula, data, LARGER[kind], t)} if "covariance, larger model" in methods else {}
        calls: dict[str, tuple[str, dict[str, Any]]] = {
            "gdf": ("gdf", {"draws": draws, **again}),
            "covariance": ("covariance", {"draws": draws, **again}),
            "covariance, larger model": ("covariance", {"draws": draws, **more, **again}),
            "divergence": ("divergence", {}),
            "jacobian": ("jacobian", {}),
            "auto": ("auto", {}),
        }  # fmt: skip
        if t == 1:
            calls = {"truth": ("covariance", {"mean": mean, "draws": truth, **again}), "weights": ("weights", {}), **calls}
        for method, (which, arguments) in calls.items():
            if method not in methods:
                continue
            began = time.perf_counter()
            row = {"design": name, "data_set": t, "converged": int(fit.converged), "method": method, "df": "", "se": "",
                   "chosen": ""}  # fmt: skip
            try:
                df = fit.df(which, rep=rep, **arguments)
                row |= {"df": f"{float(df):.5g}", "se": "" if df.se is None else f"{df.se:.3g}"}
                row["chosen"] = df.method if method == "auto" else ""
            except DfError:
                pass  # not defined at this fit: an empty cell says so
            rows.append({**row, "seconds": f"{time.perf_counter() - began:.2f}"})
    return rows


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--truth", type=int, default=1000)
    parser.add_argument("--sets", type=int, default=50)
    parser.add_argument("--draws", type=int, default=30)
    parser.add_argument("--file", type=Path, default=FILE)
    parser.add_argument("--designs", nargs="*", default=list(DESIGNS), choices=list(DESIGNS | MORE))
    parser.add_argument("--methods", nargs="*", default=list(METHODS), choices=list(METHODS))
    given = parser.parse_args()
    warnings.simplefilter("ignore", NeuralStatWarning)  # early stops and unpenalised optima are the subject
    began, parts = time.perf_counter(), []
    for name in given.designs:
        part = pd.DataFrame(estimates(name, given.truth, given.sets, given.draws, given.methods))
        parts.append(part)
        pd.concat(parts).to_csv(given.file, index=False)
        means = pd.to_numeric(part["df"]).groupby(part["method"], sort=False).mean()
        print(name, *(f"{k} {v:.1f}" for k, v in means.items()), f"{time.perf_counter() - began:.0f} s", sep="; ", flush=True)


if __name__ == "__main__":
    main()
