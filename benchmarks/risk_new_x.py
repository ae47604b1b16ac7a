"""Errors at new x: what Cp, GCV, RCp, RCp+, approximate leave-one-out and cross-validation say of them.

    python benchmarks/risk_new_x.py [--replicates 60] [--designs ...]

Each row of results/risk_new_x.csv is a design and an estimator: mean estimate over data sets (covariates drawn anew), divided
by the mean error at new rows and at the same covariates, with Monte-Carlo standard errors of the ratios (paired); sigma is
estimated. "gdf" and "df" are the degrees of freedom that were counted and the true ones, n (same - training) / (2 sigma^2).
"ratio of medians" is there for fits whose outputs explode between the rows. GCV's target shows where the two errors differ.
"""

from __future__ import annotations

import argparse
import contextlib
import io
import time
import warnings
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any

import numpy as np
import pandas as pd
from common import kept, write

import neuralstat as ns

NEW, DRAWS = 4000, 50
LM = {"algorithm": "lm", "stepmax": 300}


@dataclass(frozen=True)
class Design:
    """Rows, covariates and their distribution, the truth, the noise, and what is fitted."""

    n: int
    p: int
    truth: Callable[[np.ndarray], np.ndarray]
    sigma: float
    settings: dict[str, Any] = field(default_factory=dict)
    formula: str = "y ~ ."
    draw: str = "uniform"


def _linear(x: np.ndarray) -> np.ndarray:
    return x[:, 0] - 0.5 * x[:, 1] + 0.3 * x[:, 2]


def _curved(x: np.ndarray) -> np.ndarray:
    return _linear(x) + 0.4 * (x[:, 0] ** 2 - 1) + 0.3 * x[:, 1] * x[:, 2]


def _wave(x: np.ndarray) -> np.ndarray:
    return np.sin(9 * x[:, 0] ** 2)


def _plane(x: np.ndarray) -> np.ndarray:
    return np.cos(3 * x[:, 0]) + 2 * np.maximum(x[:, 1] - 0.4, 0)


def _product(x: np.ndarray) -> np.ndarray:
    return 3 * x[:, 0] * x[:, 1] + np.exp(-4 * (x[:, 2] - 0.5) ** 2)


def _six(x: np.ndarray) -> np.ndarray:
    return 2 * np.tanh(4 * (x[:, 0] - x[:, 1])) + x[:, 2] * x[:, 3]


def _net(units: int, decay: float | None, **more: Any) -> dict[str, Any]:
    return {"hidden": units, "rep": 1, **LM, **({} if decay is None else {"penalty": ns.decay(decay)}), **more}


DESIGNS = {
    "least squares, n 50, 10 normal": Design(50, 10, _linear, 1.0, {"hidden": 0}, draw="normal"),
    "least squares, n 100, 40 uniform": Design(100, 40, _linear, 0.5, {"hidden": 0}),
    "least squares that misses curves, n 60, 12 normal": Design(60, 12, _curved, 0.7, {"hidden": 0}, draw="normal"),
    "least squares that misses curves, n 100, 8 of t(5)": Design(100, 8, _curved, 0.7, {"hidden": 0}, draw="t"),
    "spline, n 60": Design(60, 1, _wave, 0.3, {"hidden": 0}, "y ~ bs(x0, df=9)"),
    "ridge, n 60, 30 normal": Design(60, 30, _linear, 1.0, {"hidden": 0, "penalty": ns.decay(15.0)}, draw="normal"),
    "network, 1 covariate, n 120": Design(120, 1, _wave, 0.3, _net(6, 0.003)),
    "network, 2 covariates, n 100": Design(100, 2, _plane, 0.4, _net(4, 0.05)),
    "network, 3 covariates, n 150": Design(150, 3, _product, 0.5, _net(5, 0.1)),
    "network, 6 covariates, n 200": Design(200, 6, _six, 0.8, _net(5, 0.2)),
    "network, 6 covariates, n 120, two layers": Design(120, 6, _six, 0.8, _net(1, 0.1, hidden=(4, 3), rep=2)),
    "network, 10 covariates, n 250": Design(250, 10, _six, 0.8, _net(4, 0.5)),
    "network, 10 covariates, n 80": Design(80, 10, _six, 0.8, _net(4, 0.05)),
    "network without penalty, 1 covariate, n 120": Design(120, 1, _wave, 0.3, _net(5, None, rep=3)),
    "network without penalty, 3 covariates, n 150": Design(150, 3, _product, 0.5, _net(3, None, rep=3)),
}  # fmt: skip


def covariates(design: Design, n: int, rng: np.random.Generator) -> np.ndarray:
    """Covariates (n, p)."""
    if design.draw == "uniform":
        return rng.random((n, design.p))
    return rng.standard_normal((n, design.p)) if design.draw == "normal" else rng.standard_t(5, (n, design.p))


def replicate(design: Design, seed: int) -> dict[str, float]:
    """Errors of one fit and what estimators say of them."""
    rng = np.random.default_rng([seed, 41])
    x, new = covariates(design, design.n, rng), covariates(design, NEW, rng)
    names = [f"x{k}" for k in range(design.p)]
    y = design.truth(x) + design.sigma * rng.standard_normal(design.n)
    data = pd.DataFrame(x, columns=names).assign(y=y)
    fit = ns.neuralnet(design.formula, data, random_state=seed, n_jobs=1, **design.settings)
    own, there = np.ravel(fit.predict()), np.ravel(fit.predict(pd.DataFrame(new, columns=names)))
    found = {
        "new": float(np.mean((there - design.truth(new)) ** 2)) + design.sigma**2,
        "same": float(np.mean((own - design.truth(x)) ** 2)) + design.sigma**2, "training": float(np.mean((own - y) ** 2)),
    }  # fmt: skip
    more = {"draws": DRAWS} if design.settings["hidden"] else {}
    rcp = ns.risk(fit, "rcp", random_state=seed, n_jobs=1, **more)
    counted = rcp.details["df"]
    found.update({"rcp": float(rcp), "gdf": float(counted), "cv": float(ns.risk(fit, "cv", random_state=seed, n_jobs=1))})
    for method in ("cp", "gcv"):
        found[method] = float(ns.risk(fit, method, df=counted))
    if design.settings["hidden"] == 0:
        found["rcp+"] = float(ns.risk(fit, "rcp+"))
    else:
        found["rcp, df of derivatives"] = float(ns.risk(fit, "rcp", df="jacobian"))
    try:
        found["alo"] = float(ns.risk(fit, "alo"))
    except ns.errors.DfError:
        found["alo"] = np.nan
    return found


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--replicates", type=int, default=60)
    parser.add_argument("--designs", nargs="+", default=list(DESIGNS))
    args = parser.parse_args()
    rows: list[dict[str, Any]] = kept("risk_new_x", "design", args.designs)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        for label in args.designs:
            design, began = DESIGNS[label], time.perf_counter()
            table = pd.DataFrame([replicate(design, seed) for seed in range(args.replicates)])
            true = design.n * (table["same"] - table["training"]) / (2 * design.sigma**2)
            for method in table.columns.difference(["new", "same", "training", "gdf"], sort=False):
                there = table[table[method].notna()]
                row: dict[str, Any] = {"design": label, "estimator": method, "estimate": there[method].mean()}
                for error in ("new", "same"):
                    mean = there[error].mean()
                    gap = there[method] - there[error]
                    row |= {f"error at {error} x": mean, f"ratio to {error} x": there[method].mean() / mean,
                            f"se of ratio to {error} x": gap.std(ddof=1) / np.sqrt(len(there)) / mean}  # fmt: skip
                row |= {"ratio of medians": there[method].median() / there["new"].median(), "gdf": table["gdf"].mean(),
                        "df": true.mean(), "n": design.n, "defined": len(there), "replicates": len(table),
                        "seconds": (time.perf_counter() - began) / len(table)}  # fmt: skip
                rows.append(row)
                print("  ".join(f"{k}={v:.3g}" if isinstance(v, float) else f"{k}={v}" for k, v in row.items()), flush=True)
            with contextlib.redirect_stdout(io.StringIO()):
                write("risk_new_x", rows)


if __name__ == "__main__":
    main()
