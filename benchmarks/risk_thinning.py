"""Bias of data thinning: what `risk(fit, "thinning")` says of a procedure, against the error of that procedure in truth.

    python benchmarks/risk_thinning.py [--replicates 400]

Truth without thinning: responses with 1 - 1 / folds of the information are drawn anew, the procedure is run on them, and
judged on new whole responses at the same covariates. Each row of results/risk_thinning.csv is a family and a model: means of
both deviances, the bias with its Monte-Carlo standard error, and the same of the parts held out as they are.
"""

from __future__ import annotations

import argparse
import time
import warnings
from collections.abc import Callable
from typing import Any

import numpy as np
import pandas as pd
from common import write

import neuralstat as ns

N, FOLDS, TRIALS, SIGMA, PHI, ALPHA = 80, 5, 12, 0.5, 0.25, 0.4
Draw = Callable[[np.random.Generator, np.ndarray, float], tuple[np.ndarray, np.ndarray | None]]


def _trials(rng: np.random.Generator, eta: np.ndarray, share: float) -> tuple[np.ndarray, np.ndarray | None]:
    few = TRIALS * share  # floor or ceiling, as parts have them
    m = np.floor(few).astype(int) + (rng.random(eta.size) < few % 1)
    return rng.binomial(m, 1 / (1 + np.exp(-eta))) / m, m.astype(float)


def _plain(function: Callable[[np.random.Generator, np.ndarray, float], np.ndarray]) -> Draw:
    return lambda rng, eta, share: (function(rng, eta, share), np.full(eta.size, share))


FAMILIES: dict[str, tuple[Any, Draw, dict[str, Any]]] = {
    "gaussian": ("gaussian", _plain(lambda rng, eta, s: eta + SIGMA / np.sqrt(s) * rng.standard_normal(eta.size)),
                 {"sigma": SIGMA}),
    "poisson": ("poisson", _plain(lambda rng, eta, s: rng.poisson(s * np.exp(1 + eta)) / s), {}),
    "binomial": ("binomial", _trials, {}),
    "gamma": (ns.families.Gamma("log"), _plain(lambda rng, eta, s: rng.gamma(s / PHI, np.exp(eta) * PHI / s)),
              {"sigma": PHI**0.5}),
    "negative_binomial": (
        ns.families.NegativeBinomial(ALPHA),
        _plain(lambda rng, eta, s: rng.negative_binomial(s / ALPHA, 1 / (1 + ALPHA * np.exp(1 + eta))) / s), {}),
}  # fmt: skip
MODELS: dict[str, dict[str, Any]] = {
    "linear": {"hidden": 0},
    "3 units, decay 0.1": {"hidden": 3, "penalty": ns.decay(0.1), "algorithm": "lm", "rep": 1},
    "4 units, stopped": {"hidden": 4, "stepmax": 60, "rep": 2, "algorithm": "rprop+"},
}


def fitted(name: str, model: str, x: np.ndarray, y: np.ndarray, w: np.ndarray | None, seed: int) -> Any:
    """The procedure on responses."""
    data = pd.DataFrame(x, columns=["u", "v"]).assign(y=y)
    return ns.neuralnet("y ~ u + v", data, family=FAMILIES[name][0], weights=w, random_state=seed, n_jobs=1, **MODELS[model])


def replicate(name: str, model: str, x: np.ndarray, eta: np.ndarray, seed: int) -> tuple[float, float, float, float]:
    """Estimate and truth, of whole responses and of parts."""
    _, draw, options = FAMILIES[name]
    rng = np.random.default_rng([seed, 31])
    y, w = draw(rng, eta, 1.0)
    fit = fitted(name, model, x, y, w if name == "binomial" else None, seed)
    found = ns.risk(fit, "thinning", folds=FOLDS, random_state=seed, **options)
    part, less = draw(rng, eta, 1 - 1 / FOLDS)
    other = fitted(name, model, x, part, less, seed)
    mu = np.ravel(other.predict())[np.newaxis]
    mu = mu if name == "gaussian" else np.maximum(mu, 1e-15)
    new = np.stack([draw(rng, eta, 1.0)[0] for _ in range(200)])
    family = fit.family
    truth = float(np.mean([family.unit_deviance(v[np.newaxis], mu) for v in new]))
    parts = [draw(rng, eta, 1 / FOLDS) for _ in range(200)]
    raw = float(np.average(
        [np.asarray(family.unit_deviance(v[np.newaxis], mu))[0] for v, _ in parts], weights=[m for _, m in parts]
    ))  # fmt: skip
    return float(found), truth, found.details["held_out"], raw


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--replicates", type=int, default=400)
    args = parser.parse_args()
    results: list[dict[str, object]] = []
    x = np.random.default_rng(5).normal(size=(N, 2))
    eta = 0.8 * np.sin(1.5 * x[:, 0]) - 0.4 * x[:, 1]
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        for name in FAMILIES:
            for model in MODELS:
                began = time.perf_counter()
                table = np.array([replicate(name, model, x, eta, seed) for seed in range(args.replicates)])
                gap, raw = table[:, 0] - table[:, 1], table[:, 2] - table[:, 3]
                root = np.sqrt(len(table))
                results.append({
                    "family": name, "model": model, "estimate": table[:, 0].mean(), "truth": table[:, 1].mean(),
                    "bias": gap.mean(), "se": gap.std(ddof=1) / root, "held out": table[:, 2].mean(),
                    "held out, truth": table[:, 3].mean(), "held out, bias": raw.mean(),
                    "held out, se": raw.std(ddof=1) / root, "replicates": len(table),
                    "seconds": (time.perf_counter() - began) / len(table),
                })  # fmt: skip
                print("  ".join(f"{k}={v:.4g}" if isinstance(v, float) else f"{k}={v}" for k, v in results[-1].items()),
                      flush=True)  # fmt: skip
    write("risk_thinning", results)


if __name__ == "__main__":
    main()
