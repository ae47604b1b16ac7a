"""Coverage of nominal 90 % intervals for the error of a fit, of every method of `risk` and every way to its interval.

    python benchmarks/risk_intervals.py [--replicates 200] [--designs ...] [--methods ...]

Each row of results/risk_intervals.csv: how often `risk(fit, method).conf_int(0.1, interval)` holds the mean loss of the same
fit on 20,000 new rows (target "new_x"), or of new responses at its covariates ("same_x"), with its Monte-Carlo standard
error; the shares of misses below and above; median width relative to the error. Designs: least squares, logistic regression
with 20 covariates, and penalised networks. Rows of other designs and methods stay in the table.
"""

from __future__ import annotations

import argparse
import contextlib
import io
import time
import warnings
from dataclasses import dataclass, field

import numpy as np
import pandas as pd
from common import RESULTS, write

import neuralstat as ns

LEVEL = 0.1
NEW = 20_000
METHODS = (
    "cv", "cv:corrected=True", "cv:repeats=5", "loo", "nested_cv:repeats=5", "holdout", "holdout:0.1,repeats=25",
    "holdout:0.2,repeats=15,halves=10", "bootstrap", "632", "632+", "alo", "gcv", "cp", "rcp", "rcp+", "aicc", "coupled",
    "thinning",
)  # fmt: skip


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


OWN_LOSS = ("cp", "gcv", "rcp", "rcp+", "aicc", "coupled", "thinning")

DESIGNS = {
    "least squares, n 80, 10 covariates": Design(80, 10, "gaussian", "mse"),
    "least squares, n 80, 30 covariates": Design(80, 30, "gaussian", "mse"),
    "logistic, n 100, 20 covariates": Design(100, 20, "binomial", "misclassification", decay=0.1),
    "logistic, n 100, 20 covariates, log loss": Design(100, 20, "binomial", "log_loss", decay=0.1),
    "network, n 80": Design(80, 2, "gaussian", "mse", hidden=3, decay=0.1),
    "network, classes, n 150": Design(150, 3, "binomial", "misclassification", hidden=3, decay=0.1),
}


def mean(design: Design, x: np.ndarray) -> np.ndarray:
    """Linear predictor of a design; the first four covariates matter, not quite linearly."""
    k = min(4, design.p)
    return x[:, :k] @ np.array([1.0, -0.7, 0.5, 0.5])[:k] + 0.5 * np.sin(2 * x[:, 0])


def responses(design: Design, eta: np.ndarray, rng: np.random.Generator) -> np.ndarray:
    """Responses, logistic or with normal noise of variance 1."""
    if design.family == "binomial":
        return (eta + rng.logistic(size=eta.size) > 0) * 1.0
    return eta + rng.standard_normal(eta.size)


def rows(design: Design, n: int, rng: np.random.Generator) -> pd.DataFrame:
    """Data of a design."""
    x = rng.standard_normal((n, design.p))
    data = pd.DataFrame(x, columns=[f"x{k}" for k in range(design.p)])
    return data.assign(y=responses(design, mean(design, x), rng))


def loss_of(design: Design, y: np.ndarray, mu: np.ndarray, scale: float | None = None) -> float:
    """Mean loss; with `scale`, -2 log-likelihood."""
    if scale is not None and design.family == "gaussian":
        return float(np.mean((y - mu) ** 2) / scale + np.log(2 * np.pi * scale))
    p = np.clip(mu, 1e-15, 1 - 1e-15)
    log_loss = float(-np.mean(y * np.log(p) + (1 - y) * np.log(1 - p))) if design.family == "binomial" else np.nan
    if scale is not None:
        return 2 * log_loss
    if design.loss == "mse":
        return float(np.mean((y - mu) ** 2))
    return float(np.mean((mu > 0.5) != (y > 0.5))) if design.loss == "misclassification" else log_loss


def replicate(design: Design, seed: int, methods: list[str]) -> list[dict[str, object]]:
    """What each method says of one fit, and the truth."""
    rng = np.random.default_rng([seed, 29])
    data, new = rows(design, design.n, rng), rows(design, NEW, rng)
    fit = ns.neuralnet(
        "y ~ .", data, hidden=design.hidden, family=design.family, penalty=ns.decay(design.decay) if design.decay else None,
        rep=1, random_state=seed, **({"algorithm": "lm", "stepmax": 200} if design.hidden else {}), n_jobs=1,
    )  # fmt: skip
    own, there = np.ravel(fit.predict(data)), np.ravel(fit.predict(new))
    eta = mean(design, data.drop(columns="y").to_numpy())
    again = np.concatenate([responses(design, eta, rng) for _ in range(NEW // design.n)])
    out: list[dict[str, object]] = []
    for method in methods:
        began = time.perf_counter()
        loss = None if method in OWN_LOSS else design.loss
        if loss is None and method != "aicc" and design.family != "gaussian":
            continue
        found = ns.risk(fit, method, loss=loss, random_state=seed, n_jobs=1)
        seconds = time.perf_counter() - began
        scale = float(np.mean((data["y"] - own) ** 2)) if method == "aicc" else None
        if found.target == "new_x":
            truth = loss_of(design, new["y"].to_numpy(), there, scale)
        else:
            truth = loss_of(design, again, np.tile(own, NEW // design.n), scale)
        for way in found.intervals:
            low, high = found.conf_int(LEVEL, way)
            out.append({"method": method, "interval": way, "target": found.target, "low": low > truth, "high": high < truth,
                        "width": (high - low) / truth, "bias": float(found) - truth, "seconds": seconds})  # fmt: skip
    return out


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--replicates", type=int, default=200)
    parser.add_argument("--designs", nargs="+", default=list(DESIGNS))
    parser.add_argument("--methods", nargs="+", default=list(METHODS))
    args = parser.parse_args()
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        for label in args.designs:
            design, results = DESIGNS[label], []
            every = pd.DataFrame([r for seed in range(args.replicates) for r in replicate(design, seed, args.methods)])
            for (method, way, target), part in every.groupby(["method", "interval", "target"], sort=False):
                below, above = part["low"].mean(), part["high"].mean()
                covered = 1 - below - above
                loss = design.loss if method != "aicc" else "-2 log-likelihood"
                row = {
                    "design": label, "loss": loss, "method": method, "interval": way, "target": target, "covered": covered,
                    "se": float(np.sqrt(covered * (1 - covered) / len(part))), "interval above": below,
                    "interval below": above, "width": part["width"].median(), "bias": part["bias"].mean(),
                    "replicates": len(part), "seconds": part["seconds"].median(),
                }  # fmt: skip
                results.append(row)
                print("  ".join(f"{k}={v:.3g}" if isinstance(v, float) else f"{k}={v}" for k, v in row.items()), flush=True)
            merge("risk_intervals", results, ("design", "method", "interval"))


def merge(name: str, results: list[dict[str, object]], keys: tuple[str, ...]) -> None:
    """Rows in the place of those of the same keys in the table that is there, or behind them."""
    path = RESULTS / f"{name}.csv"
    old = pd.read_csv(path).to_dict("records") if path.exists() else []
    table = {tuple(row[key] for key in keys): row for row in old if all(key in row for key in keys)}
    table.update({tuple(row[key] for key in keys): row for row in results})
    with contextlib.redirect_stdout(io.StringIO()):
        write(name, [{k: v for k, v in row.items() if k not in ("date", "cpu", "versions")} for row in table.values()])


if __name__ == "__main__":
    main()
