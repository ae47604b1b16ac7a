"""Coverage of nominal 90 % intervals of new observations in every fifth of x, where the spread changes with x.

    python benchmarks/distribution_coverage.py --replicates 200                       # all designs and sizes
    python benchmarks/distribution_coverage.py --replicates 200 --designs linear U    # these; rows of others are kept

x is uniform on [0, 1], e standard normal:

    exponential   sin(3 x) + exp(-2.5 + 2.5 x) e
    hump          cos(5 x) + (0.2 + 0.5 exp(-((x - 0.4) / 0.15)^2)) e
    linear        sin(6 x) + (0.1 + 0.5 x) e
    U             cos(4 x) + (0.15 + 2 (x - 0.5)^2) e
    gamma         gamma with mean exp(sin(5 x)), shape 4: standard deviation half the mean

The first two were there when "distribution" and "cqr" were made, the others were looked at afterwards. Networks have 3 units,
decay 1e-3, the best of 3 starts; mean and spread are of the same units (``dispformula=True``). "one variance": the delta
method of the gaussian fit without; "as estimated": quantiles of the fitted distribution, as if its parameters were known. A
row: one method in one fifth, mean coverage over replicates and its standard error, median width.
"""

from __future__ import annotations

import argparse
import warnings
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pandas as pd

import neuralstat as ns

TESTS, ALPHA = 500, 0.1
FILE = Path(__file__).parent / "results" / "distribution_coverage.csv"
SIZES = (200, 400)
KEY = ["design", "n", "family", "method", "fifth"]

Draw = Callable[[np.random.Generator, np.ndarray], np.ndarray]


def normal(mean: Callable[[np.ndarray], np.ndarray], sd: Callable[[np.ndarray], np.ndarray]) -> Draw:
    """Responses with these means and standard deviations."""
    return lambda rng, x: mean(x) + sd(x) * rng.normal(size=x.size)


DESIGNS: dict[str, Draw] = {
    "exponential": normal(lambda x: np.sin(3 * x), lambda x: np.exp(-2.5 + 2.5 * x)),
    "hump": normal(lambda x: np.cos(5 * x), lambda x: 0.2 + 0.5 * np.exp(-(((x - 0.4) / 0.15) ** 2))),
    "linear": normal(lambda x: np.sin(6 * x), lambda x: 0.1 + 0.5 * x),
    "U": normal(lambda x: np.cos(4 * x), lambda x: 0.15 + 2 * (x - 0.5) ** 2),
    "gamma": lambda rng, x: rng.gamma(4, np.exp(np.sin(5 * x)) / 4),
}


def draw(design: str, rng: np.random.Generator, n: int) -> pd.DataFrame:
    """Rows of a design."""
    x = rng.uniform(size=n)
    return pd.DataFrame({"x": x, "y": DESIGNS[design](rng, x)})


def replicate(design: str, n: int, seed: int) -> list[dict[str, object]]:
    """Coverage and median width of every method in every fifth, for one data set."""
    rng = np.random.default_rng([seed, n, list(DESIGNS).index(design)])
    train, test = draw(design, rng, n), draw(design, rng, TESTS)
    y, fifth = test["y"].to_numpy(), np.minimum((5 * test["x"].to_numpy()).astype(int), 4)
    same = {"hidden": 3, "rep": 3, "penalty": ns.decay(1e-3), "algorithm": "bfgs", "random_state": seed, "n_jobs": 1}
    plain = ns.neuralnet("y ~ x", train, **same)
    limits = {("gaussian", "one variance"): plain.get_prediction(test, rep="best").conf_int(ALPHA, obs=True)}
    for family in ("gaussian", "gamma") if design == "gamma" else ("gaussian",):
        kind = ns.families.Gamma("log") if family == "gamma" else family
        fit = ns.neuralnet("y ~ x", train, family=kind, dispformula=True, **same)
        limits[family, "as estimated"] = fit.predict(test, type="distribution", rep="best").interval(ALPHA)
        for method in ("distribution", "cqr"):
            more = {"random_state": seed, "n_jobs": 1} if method == "cqr" else {}
            found = fit.get_prediction(test, method=method, rep="best", **more)
            limits[family, method] = found.conf_int(ALPHA, obs=True)
    rows = []
    for (family, method), frame in limits.items():
        low, high = frame["lower"].to_numpy(), frame["upper"].to_numpy()
        for k in range(5):
            here = fifth == k
            rows.append({
                "design": design, "n": n, "family": family, "method": method, "fifth": k + 1,
                "coverage": np.mean((low[here] <= y[here]) & (y[here] <= high[here])), "width": np.median((high - low)[here]),
            })  # fmt: skip
    return rows


def table(rows: list[dict[str, object]]) -> pd.DataFrame:
    """A row per design, size, family, method and fifth."""
    found = pd.DataFrame(rows).groupby(KEY, sort=False).agg(
        coverage=("coverage", "mean"), se=("coverage", lambda v: v.std(ddof=1) / np.sqrt(v.size)),
        width=("width", "median"), replicates=("coverage", "size"),
    )  # fmt: skip
    return found.round({"coverage": 4, "se": 4, "width": 4}).reset_index()


def main() -> None:
    """Print the table, and write it."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--replicates", type=int, default=200)
    parser.add_argument("--designs", nargs="+", choices=list(DESIGNS), default=list(DESIGNS))
    parser.add_argument("--sizes", nargs="+", type=int, default=list(SIZES))
    parser.add_argument("--file", type=Path, default=FILE)
    given = parser.parse_args()
    warnings.simplefilter("ignore")
    for design in given.designs:
        for n in given.sizes:
            rows = [row for seed in range(given.replicates) for row in replicate(design, n, seed)]
            found = table(rows)
            print(found.to_string(index=False), flush=True)
            if given.file.exists():
                old = pd.read_csv(given.file)
                found = pd.concat([old[(old["design"] != design) | (old["n"] != n)], found])
            order = found["design"].map({name: t for t, name in enumerate(DESIGNS)})
            found.assign(order=order).sort_values(["order", "n"], kind="stable").drop(columns="order").to_csv(
                given.file, index=False)  # fmt: skip


if __name__ == "__main__":
    main()
