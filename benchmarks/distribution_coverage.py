"""Coverage of 90 % intervals of new observations in every fifth of x, where the spread grows with x.

    python benchmarks/distribution_coverage.py --replicates 30 --file benchmarks/results/distribution_coverage.csv

y = sin(3 x) + exp(-2.5 + 2.5 x) e, x uniform, n rows; networks of 3 units with decay 1e-3. "mean": a gaussian one with one
variance; the others have log sigma linear in x (``dispformula="~ x"``). A row: method, fifth, mean coverage over replicates,
its standard error.
"""

from __future__ import annotations

import argparse
import warnings
from pathlib import Path

import numpy as np
import pandas as pd

import neuralstat as ns

TESTS = 2000


def draw(rng: np.random.Generator, n: int) -> pd.DataFrame:
    """Rows of the design."""
    x = rng.uniform(size=n)
    return pd.DataFrame({"x": x, "y": np.sin(3 * x) + np.exp(-2.5 + 2.5 * x) * rng.normal(size=n)})


def coverages(seed: int, n: int) -> dict[str, np.ndarray]:
    """(5,) coverage by method."""
    rng = np.random.default_rng(seed)
    train, test = draw(rng, n), draw(rng, TESTS)
    same = {"hidden": 3, "rep": 1, "penalty": ns.decay(1e-3), "algorithm": "bfgs", "threshold": 0.05, "random_state": seed}
    plain = ns.neuralnet("y ~ x", train, **same)
    spread = ns.neuralnet("y ~ x", train, family="gaussian", dispformula="~ x", **same)
    fifth = np.minimum((5 * test["x"].to_numpy()).astype(int), 4)
    out = {}
    for name, fit, method in (("mean", plain, "delta"), ("delta", spread, "delta"), ("distribution", spread, "distribution"),
                              ("cqr", spread, "cqr")):  # fmt: skip
        frame = fit.get_prediction(test, method=method, random_state=seed).summary_frame(0.1)
        inside = ((frame["obs_ci_lower"] <= test["y"]) & (test["y"] <= frame["obs_ci_upper"])).to_numpy()
        out[name] = np.array([inside[fifth == k].mean() for k in range(5)])
    return out


def main() -> None:
    """Print the table, and write it."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--replicates", type=int, default=30)
    parser.add_argument("--n", type=int, default=400)
    parser.add_argument("--file", type=Path)
    given = parser.parse_args()
    warnings.simplefilter("ignore")
    found = [coverages(seed, given.n) for seed in range(given.replicates)]
    rows = []
    for name in found[0]:
        values = np.array([f[name] for f in found])
        for k in range(5):
            rows.append({
                "method": name, "fifth": k + 1, "coverage": values[:, k].mean(),
                "se": values[:, k].std(ddof=1) / np.sqrt(len(values)), "replicates": len(values), "n": given.n,
            })  # fmt: skip
    table = pd.DataFrame(rows).round(4)
    print(table.to_string(index=False))
    if given.file is not None:
        table.to_csv(given.file, index=False)


if __name__ == "__main__":
    main()
