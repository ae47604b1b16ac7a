"""Coverage of nominal 90 % intervals for the error of a fit on new rows: cross-validation's naive one, and the nested one.

    python benchmarks/risk_intervals.py [--replicates 200] [--repeats 5]

Each row of results/risk_intervals.csv: how often the interval of `risk(fit, method).conf_int(0.1)` holds the mean loss of the
same fit on 20,000 new rows, with its Monte-Carlo standard error; the shares of misses below and above; median width relative
to the error. Designs: least squares, logistic regression with 20 covariates, and penalised networks.
"""

from __future__ import annotations

import argparse
import contextlib
import io
import time
import warnings
from collections.abc import Callable
from dataclasses import dataclass, field

import numpy as np
import pandas as pd
from common import write

import neuralstat as ns

LEVEL = 0.1
NEW = 20_000
METHODS = ("cv", "cv:corrected=True", "nested_cv")


@dataclass(frozen=True)
class Design:
    """Rows, covariates, and what is fitted."""

    n: int
    p: int
    family: str
    loss: str
    hidden: int = 0
    decay: float = 0.0
    options: dict[str, object] = field(default_factory=dict)


DESIGNS = {
    "least squares, n 80, 10 covariates": Design(80, 10, "gaussian", "mse"),
    "least squares, n 80, 30 covariates": Design(80, 30, "gaussian", "mse"),
    "logistic, n 100, 20 covariates": Design(100, 20, "binomial", "misclassification", decay=0.1),
    "logistic, n 100, 20 covariates, log loss": Design(100, 20, "binomial", "log_loss", decay=0.1),
    "network, n 80": Design(80, 2, "gaussian", "mse", hidden=3, decay=0.1),
    "network, classes, n 150": Design(150, 3, "binomial", "misclassification", hidden=3, decay=0.1),
}


def rows(design: Design, n: int, rng: np.random.Generator) -> pd.DataFrame:
    """Data of a design; the first four covariates matter, not quite linearly."""
    x = rng.standard_normal((n, design.p))
    eta = x[:, : min(4, design.p)] @ np.array([1.0, -0.7, 0.5, 0.5])[: min(4, design.p)] + 0.5 * np.sin(2 * x[:, 0])
    data = pd.DataFrame(x, columns=[f"x{k}" for k in range(design.p)])
    data["y"] = (eta + rng.logistic(size=n) > 0) * 1.0 if design.family == "binomial" else eta + rng.standard_normal(n)
    return data


def loss_of(design: Design, y: np.ndarray, mu: np.ndarray) -> float:
    """Mean loss."""
    if design.loss == "mse":
        return float(np.mean((y - mu) ** 2))
    if design.loss == "misclassification":
        return float(np.mean((mu > 0.5) != (y > 0.5)))
    p = np.clip(mu, 1e-15, 1 - 1e-15)
    return float(-np.mean(y * np.log(p) + (1 - y) * np.log(1 - p)))


def replicate(design: Design, seed: int, repeats: int) -> list[dict[str, object]]:
    """What each method says of one fit, and the truth."""
    rng = np.random.default_rng([seed, 29])
    data, new = rows(design, design.n, rng), rows(design, NEW, rng)
    fit = ns.neuralnet(
        "y ~ .", data, hidden=design.hidden, family=design.family, penalty=ns.decay(design.decay) if design.decay else None,
        rep=1, random_state=seed, **({"algorithm": "lm", "stepmax": 200} if design.hidden else {}), n_jobs=1,
    )  # fmt: skip
    truth = loss_of(design, new["y"].to_numpy(), np.ravel(fit.predict(new)))
    out: list[dict[str, object]] = []
    for method in METHODS:
        began = time.perf_counter()
        options = {"repeats": repeats} if method == "nested_cv" else {}
        found = ns.risk(fit, method, loss=design.loss, random_state=seed, n_jobs=1, **options)
        low, high = found.conf_int(LEVEL)
        out.append({"method": method, "low": low > truth, "high": high < truth, "width": (high - low) / truth,
                    "bias": float(found) - truth, "seconds": time.perf_counter() - began})  # fmt: skip
    return out


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--replicates", type=int, default=200)
    parser.add_argument("--repeats", type=int, default=5)
    parser.add_argument("--designs", nargs="+", default=list(DESIGNS))
    args = parser.parse_args()
    run: Callable[..., list[dict[str, object]]] = replicate
    results: list[dict[str, object]] = []
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        for label in args.designs:
            every = pd.DataFrame([r for seed in range(args.replicates) for r in run(DESIGNS[label], seed, args.repeats)])
            for method, part in every.groupby("method", sort=False):
                below, above = part["low"].mean(), part["high"].mean()
                covered = 1 - below - above
                row = {
                    "design": label, "loss": DESIGNS[label].loss, "method": method, "covered": covered,
                    "se": float(np.sqrt(covered * (1 - covered) / len(part))), "interval above": below,
                    "interval below": above, "width": part["width"].median(), "bias": part["bias"].mean(),
                    "replicates": len(part), "seconds": part["seconds"].median(),
                }  # fmt: skip
                results.append(row)
                print("  ".join(f"{k}={v:.3g}" if isinstance(v, float) else f"{k}={v}" for k, v in row.items()), flush=True)
            with contextlib.redirect_stdout(io.StringIO()):
                write("risk_intervals", results)


if __name__ == "__main__":
    main()
