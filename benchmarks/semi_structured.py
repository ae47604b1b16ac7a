"""Calibration of what a structured fit says of its terms: sizes of tests, coverage of a coefficient.

    python benchmarks/semi_structured.py [--replicates 1000] [--repetitions 3] [--designs ...]

Networks: the response is a function of z, and x has no effect beside it (but in "effect", where its coefficient is .3); the
model is ``y ~ x + nn(z, hidden=5)``, or with z as a linear term, too. "corr" and "square": x is about .7 of z, or of z
squared. "n" in the names is the number of rows. Of the designs "null" z has no effect either, so that the test of nn(z) has
a size. Random terms: ``y ~ x + (1 | g)`` and ``y ~ x + s(z) + (1 | g)`` without effects of g; smooths: ``y ~ x + s(z)``
without an effect of z.

Rows of results/semi_structured.csv: ``design``, ``what`` ("size of x", "coverage of x", "size of nn(z)", ...), ``rate`` at
the 5 % level (of intervals at 95 %), its Monte-Carlo standard error ``se``, ``replicates``, ``bias`` and ``sd`` of the
coefficient and the mean of its standard errors ``mean_se``.
"""

from __future__ import annotations

import argparse
import warnings
from dataclasses import dataclass

import numpy as np
import pandas as pd
from common import write

import neuralstat as ns

LEVEL = 0.05


@dataclass(frozen=True)
class Design:
    """Rows, how x depends on z, the function of z, the noise, the model, and the term beside x whose null is true."""

    n: int
    x: str = "corr"
    truth: str = "sine"
    noise: str = "gaussian"
    formula: str = "y ~ x + nn(z, hidden=5)"
    null: str = ""
    effect: float = 0.0


BOTH = "y ~ x + z + nn(z, hidden=5)"
DESIGNS = {
    "n 100, apart": Design(100, "apart"),
    "n 100, corr": Design(100),
    "n 400, corr": Design(400),
    "n 200, corr, linear": Design(200, truth="linear"),
    "n 200, square": Design(200, "square", "square"),
    "n 200, corr, t(4)": Design(200, noise="t"),
    "n 200, corr, effect": Design(200, effect=0.3),
    "n 300, apart, binomial": Design(300, "apart", noise="binomial"),
    "n 400, corr, binomial": Design(400, noise="binomial"),
    "n 200, corr, null": Design(200, truth="null", null="nn(z)"),
    "n 200, corr, null, z linear": Design(200, truth="null", formula=BOTH, null="nn(z)"),
    "n 200, corr, binomial, null": Design(200, truth="null", noise="binomial", null="nn(z)"),
    "n 120, random": Design(120, "apart", "null", formula="y ~ x + (1 | g)", null="(1 | g)"),
    "n 120, random, binomial": Design(120, "apart", "null", "binomial", "y ~ x + (1 | g)", "(1 | g)"),
    "n 120, random and smooth": Design(120, formula="y ~ x + s(z) + (1 | g)", null="(1 | g)"),
    "n 200, smooth": Design(200, "corr", "null", formula="y ~ x + s(z)", null="s(z)"),
    "n 200, smooth, binomial": Design(200, "corr", "null", "binomial", "y ~ x + s(z)", "s(z)"),
}
TRUTHS = {"sine": lambda z: np.sin(2 * z), "linear": lambda z: z, "square": lambda z: z**2, "null": np.zeros_like}


def drawn(design: Design, rng: np.random.Generator) -> pd.DataFrame:
    """Data of a design."""
    n = design.n
    z, e = rng.normal(size=(2, n))
    x = {"apart": e, "corr": 0.7 * z + np.sqrt(0.51) * e, "square": ((z**2 - 1) / np.sqrt(2) + e) / np.sqrt(2)}[design.x]
    f = TRUTHS[design.truth](z) + design.effect * x
    if design.noise == "binomial":
        y = (rng.uniform(size=n) < 1 / (1 + np.exp(-f))).astype(float)
    else:
        y = f + 0.5 * (rng.standard_t(4, size=n) if design.noise == "t" else rng.normal(size=n))
    return pd.DataFrame({"x": x, "z": z, "y": y, "g": [f"g{k % 12}" for k in range(n)]})


def one(design: Design, seed: list[int], repetitions: int) -> tuple[float, float, float, bool, float]:
    """Estimate and standard error of x's coefficient, its p value, whether its interval covers, and p of the null term."""
    data = drawn(design, np.random.default_rng(seed))
    fit = ns.neuralnet(
        design.formula, data, family="binomial" if design.noise == "binomial" else "gaussian",
        rep=repetitions if "nn(" in design.formula else 1, random_state=seed[-1],
    )  # fmt: skip
    name = "x.to.y"
    table, (low, high) = fit.terms, fit.conf_int().loc[name]
    null = float(table.loc[design.null, "pvalue"]) if design.null else np.nan
    return float(fit.params[name]), float(fit.bse[name]), float(table.loc["x", "pvalue"]), low <= design.effect <= high, null


def rates(name: str, replicates: int, repetitions: int) -> list[dict[str, object]]:
    """Rows of the table for a design."""
    design, number = DESIGNS[name], list(DESIGNS).index(name)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        runs = np.array([one(design, [17, number, r], repetitions) for r in range(replicates)], float)
    estimate, se, p, covered, null = runs.T
    out = [("coverage of x", covered)]
    if design.effect == 0:
        out.append(("size of x", p < LEVEL))
    if design.null:
        out.append((f"size of {design.null}", null < LEVEL))
    return [{
        "design": name, "model": design.formula, "what": what, "rate": np.mean(hit),
        "se": np.sqrt(np.mean(hit) * (1 - np.mean(hit)) / replicates), "replicates": replicates,
        "bias": np.mean(estimate) - design.effect, "sd": np.std(estimate, ddof=1), "mean_se": np.mean(se),
    } for what, hit in out]  # fmt: skip


def main() -> None:
    """Run the designs and write the table."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--replicates", type=int, default=1000)
    parser.add_argument("--repetitions", type=int, default=3)
    parser.add_argument("--designs", nargs="*", default=list(DESIGNS))
    parser.add_argument("--name", default="semi_structured", help="of the table")
    given = parser.parse_args()
    rows: list[dict[str, object]] = []
    for name in given.designs:
        rows += rates(name, given.replicates, given.repetitions)
        write(given.name, rows)


if __name__ == "__main__":
    main()
