"""Degrees of freedom of distributions with several parameters against the truth, by simulation.

    python benchmarks/df_distributions.py --replicates 40
    python benchmarks/df_distributions.py --replicates 300 --methods truth

Networks of 3 units of one covariate, n = 150, best of 3 restarts, with and without a decay. The truth is by how much the
log-likelihood of the responses exceeds, on average, that of new ones at the same covariates (40 sets a replicate), which is
what AIC takes off; both beside that of the true distribution, which varies with them. Counts have a decay: without one means
of 0 are estimated, of which a positive count is infinitely unlikely. Beside it "auto", the number of weights ("jacobian"),
"covariance" of 60 draws with fresh restarts; of the gaussian family with a constant sigma also the gaussian family's "auto"
and one. A row: design, method, replicates, mean, its standard error, median, and how often "auto" refitted. Methods that are
not asked for keep their rows.
"""

from __future__ import annotations

import argparse
import warnings
from typing import Any

import numpy as np
import pandas as pd
from common import kept, write
from scipy import stats

import neuralstat as ns
from neuralstat.network import derivatives

N, NEW, DRAWS = 150, 40, 60
METHODS = ("truth", "auto", "jacobian", "covariance", "gaussian + 1")
FREE = {"hidden": 3, "rep": 3, "algorithm": "bfgs", "threshold": 0.01}
#: name -> (response of means, arguments)
DESIGNS: dict[str, tuple[str, dict[str, Any]]] = {
    "gaussian, constant sigma": ("normal", {"family": "gaussian", "dispformula": "~ 1"}),
    "gaussian, constant sigma, decay 0.1": ("normal", {"family": "gaussian", "dispformula": "~ 1", "penalty": ns.decay(0.1)}),
    "gaussian, sigma ~ x": ("spread", {"family": "gaussian", "dispformula": "~ x"}),
    "negative binomial, decay 0.01": ("counts", {"family": "negative_binomial", "penalty": ns.decay(0.01)}),
    "beta, decay 0.01": ("shares", {"family": "beta", "penalty": ns.decay(0.01)}),
}


def drawn(kind: str, x: np.ndarray, rng: np.random.Generator) -> np.ndarray:
    """Responses."""
    curve = np.sin(6 * x)
    if kind == "counts":
        mu = np.exp(1 + curve)
        return rng.negative_binomial(2.0, 2 / (2 + mu)).astype(float)
    if kind == "shares":
        p = 1 / (1 + np.exp(-curve))
        return np.clip(rng.beta(8 * p, 8 * (1 - p)), 1e-6, 1 - 1e-6)
    return curve + (0.3 if kind == "normal" else np.exp(-2 + 1.5 * x)) * rng.standard_normal(x.size)


def density(kind: str, x: np.ndarray, y: np.ndarray) -> float:
    """Log-likelihood of the true distribution."""
    curve = np.sin(6 * x)
    if kind == "counts":
        return float(stats.nbinom.logpmf(y, 2.0, 2 / (2 + np.exp(1 + curve))).sum())
    if kind == "shares":
        p = 1 / (1 + np.exp(-curve))
        return float(stats.beta.logpdf(y, 8 * p, 8 * (1 - p)).sum())
    return float(stats.norm.logpdf(y, curve, 0.3 if kind == "normal" else np.exp(-2 + 1.5 * x)).sum())


def replicate(name: str, seed: int, methods: list[str]) -> dict[str, float]:
    """The excess and the degrees of freedom of one data set."""
    kind, options = DESIGNS[name]
    rng = np.random.default_rng([seed, 11])
    x = np.random.default_rng(4).uniform(size=N)
    data = pd.DataFrame({"x": x, "y": drawn(kind, x, rng)})
    fit = ns.neuralnet("y ~ x", data, random_state=seed, **FREE, **options)
    out = {}
    if "truth" in methods:
        inner = fit.fitted
        eta = inner.original_predictors(inner.fitted_raw([inner.best]))[0]
        new = []
        for _ in range(NEW):
            y = drawn(kind, x, rng)
            new.append(-derivatives.predictor_losses(inner.network, eta, y[np.newaxis])[0].sum() - density(kind, x, y))
        out["truth"] = fit.llf - density(kind, x, data["y"].to_numpy()) - float(np.mean(new))
    if "auto" in methods:
        auto = fit.df()
        out |= {"auto": float(auto), "refitted": float(auto.method == "covariance")}
    if "jacobian" in methods:
        out["jacobian"] = float(fit.df("jacobian"))
    if "covariance" in methods:
        out["covariance"] = float(fit.df("covariance", draws=DRAWS, restarts="fresh", random_state=seed))
    if "gaussian + 1" in methods and name == "gaussian, constant sigma":
        out["gaussian + 1"] = 1 + float(ns.neuralnet("y ~ x", data, random_state=seed, **FREE).df())
    return out


def main() -> None:
    """Print the table, and write it."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--replicates", type=int, default=40)
    parser.add_argument("--methods", nargs="+", choices=METHODS, default=list(METHODS))
    given = parser.parse_args()
    warnings.simplefilter("ignore")
    rows = kept("df_distributions", "method", given.methods)
    for name in DESIGNS:
        found = pd.DataFrame([replicate(name, seed, given.methods) for seed in range(1, given.replicates + 1)])
        refitted = found.pop("refitted").mean() if "refitted" in found else np.nan
        for method, values in found.items():
            rows.append({
                "design": name, "method": method, "replicates": given.replicates, "mean": f"{values.mean():.4g}",
                "se": f"{values.std() / np.sqrt(len(values)):.2g}", "median": f"{values.median():.4g}",
                "refitted": f"{refitted:.2f}" if method == "auto" else "",
            })  # fmt: skip
            print(rows[-1], flush=True)
    write("df_distributions", sorted(rows, key=lambda row: list(DESIGNS).index(str(row["design"]))))


if __name__ == "__main__":
    main()
