"""Coverage of 90 % prediction intervals by the jackknife+-after-bootstrap, and of its kin.

    python benchmarks/risk_jackknife_ab.py [--replicates 60] [--designs ...]

Each row of results/risk_jackknife_ab.csv: the share of 200 new observations in the interval that
`get_prediction(new, method=...)` gives, mean over data sets, with its Monte-Carlo standard error (between data sets), and the
median width. Guaranteed are 80 % (split: 90 %) whatever the distribution; designs are near and far from what the model says
of its noise.
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

LEVEL, NEW = 0.1, 200
METHODS: dict[str, dict[str, Any]] = {"jackknife+ab": {"draws": 60}, "jackknife+": {}, "cv+": {}, "split": {}}


@dataclass(frozen=True)
class Design:
    """Rows, covariates, responses, and what is fitted."""

    n: int
    p: int
    draw: Callable[[np.random.Generator, np.ndarray], np.ndarray]
    settings: dict[str, Any] = field(default_factory=dict)


def _mean(x: np.ndarray) -> np.ndarray:
    return np.sin(2 * x[:, 0]) + (0.5 * x[:, 1] if x.shape[1] > 1 else 0.0)


NET = {"hidden": 3, "penalty": ns.decay(0.1), "rep": 1, "algorithm": "lm", "stepmax": 200}
DESIGNS = {
    "least squares, normal errors, n 60": Design(60, 3, lambda g, x: x[:, 0] + g.standard_normal(len(x)), {"hidden": 0}),
    "least squares, t(2) errors, n 60": Design(60, 3, lambda g, x: x[:, 0] + g.standard_t(2, len(x)), {"hidden": 0}),
    "least squares, 25 covariates, n 60": Design(60, 25, lambda g, x: x[:, 0] + g.standard_normal(len(x)), {"hidden": 0}),
    "network, normal errors, n 60": Design(60, 2, lambda g, x: _mean(x) + 0.5 * g.standard_normal(len(x)), NET),
    "network, errors that grow, n 60": Design(
        60, 2, lambda g, x: _mean(x) + (0.2 + 0.5 * np.abs(x[:, 0])) * g.standard_normal(len(x)), NET),
    "network, counts, n 80": Design(
        80, 2, lambda g, x: g.poisson(np.exp(1 + _mean(x))).astype(float), {**NET, "family": "poisson"}),
}  # fmt: skip


def replicate(design: Design, seed: int) -> list[dict[str, Any]]:
    """Share covered and width, by method."""
    rng = np.random.default_rng([seed, 53])
    names = [f"x{k}" for k in range(design.p)]
    x, new = rng.standard_normal((design.n, design.p)), rng.standard_normal((NEW, design.p))
    data = pd.DataFrame(x, columns=names).assign(y=design.draw(rng, x))
    fit = ns.neuralnet("y ~ .", data, random_state=seed, n_jobs=1, **design.settings)
    y, there, out = design.draw(rng, new), pd.DataFrame(new, columns=names), []
    for method, options in METHODS.items():
        began = time.perf_counter()
        found = fit.get_prediction(there, method=method, random_state=seed, n_jobs=1, **options).conf_int(LEVEL, obs=True)
        low, high = found.to_numpy().T
        out.append({"method": method, "covered": float(np.mean((low <= y) & (y <= high))),
                    "width": float(np.median(high - low)), "seconds": time.perf_counter() - began})  # fmt: skip
    return out


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--replicates", type=int, default=60)
    parser.add_argument("--designs", nargs="+", default=list(DESIGNS))
    args = parser.parse_args()
    rows: list[dict[str, Any]] = kept("risk_jackknife_ab", "design", args.designs)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        for label in args.designs:
            table = pd.DataFrame([r for seed in range(args.replicates) for r in replicate(DESIGNS[label], seed)])
            for method, part in table.groupby("method", sort=False):
                rows.append({
                    "design": label, "method": method, "nominal": 1 - LEVEL, "covered": part["covered"].mean(),
                    "se": part["covered"].std(ddof=1) / np.sqrt(len(part)), "width": part["width"].median(),
                    "replicates": len(part), "seconds": part["seconds"].median(),
                })  # fmt: skip
                print("  ".join(f"{k}={v:.3g}" if isinstance(v, float) else f"{k}={v}" for k, v in rows[-1].items()),
                      flush=True)  # fmt: skip
            with contextlib.redirect_stdout(io.StringIO()):
                write("risk_jackknife_ab", rows)


if __name__ == "__main__":
    main()
