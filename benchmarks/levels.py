"""A factor with 200 levels: left out, as random effects, and as coordinates that a network reads.

    python benchmarks/levels.py                          # 12 data sets of each truth, to vignettes/data/levels.csv

Eight rows a level, x uniform on [-3, 3], noise of standard deviation 0.5, and one of two means, a and b standard normal by
level: "level", sin(x) + a; "shape", a sin(x) + b cos(x). Root mean squared error of the mean at 20 new x in each level, with
one start; the penalties' strengths are estimated but in the row "..., no penalty". A row per data set and model, with
seconds.
"""

from __future__ import annotations

import time
import warnings
from pathlib import Path

import numpy as np
import pandas as pd
from common import by_seed

import neuralstat as ns

FILE = Path(__file__).parent.parent / "vignettes" / "data" / "levels.csv"
LEVELS, ROWS, NEW, NOISE = 200, 8, 20, 0.5
TRUTHS = ("level", "shape")
MODELS = {
    "left out": ("y ~ nn(x, hidden=6)", {}),
    "(1 | g)": ("y ~ nn(x, hidden=6) + (1 | g)", {}),
    "embed(g, 2)": ("y ~ nn(x, embed(g, 2), hidden=6)", {}),
    "embed(g, 2), no penalty": ("y ~ x + embed(g, 2)", {"hidden": 6}),
}  # fmt: skip


def drawn(truth: str, rng: np.random.Generator) -> tuple[pd.DataFrame, pd.DataFrame]:
    """Rows to fit, and new ones of the same levels; with the mean."""
    a, b = rng.normal(size=(2, LEVELS))

    def rows(each: int) -> pd.DataFrame:
        g = np.repeat(np.arange(LEVELS), each)
        x = rng.uniform(-3, 3, g.size)
        mean = np.sin(x) + a[g] if truth == "level" else a[g] * np.sin(x) + b[g] * np.cos(x)
        names = np.char.add("g", np.char.zfill(g.astype(str), 3))
        return pd.DataFrame({"x": x, "g": names, "mean": mean, "y": mean + NOISE * rng.normal(size=g.size)})

    return rows(ROWS), rows(NEW)


def compared(truth: str, seed: int) -> list[dict[str, object]]:
    """The models on one data set."""
    data, new = drawn(truth, np.random.default_rng([seed, TRUTHS.index(truth)]))
    out = []
    for name, (formula, more) in MODELS.items():
        began = time.perf_counter()
        fit = ns.neuralnet(formula, data, random_state=seed, rep=1, **more)
        seconds = time.perf_counter() - began
        error = np.sqrt(np.mean((fit.predict(new, rep="best") - new["mean"]) ** 2))
        out.append({"truth": truth, "seed": seed, "model": name, "rmse": error, "seconds": seconds})
    return out


def main() -> None:
    """Print the table, and write it."""
    warnings.simplefilter("ignore")
    by = by_seed(compared, TRUTHS, 12, FILE, __doc__).groupby(["truth", "model"], sort=False)
    print(by.agg(rmse=("rmse", "mean"), error=("rmse", "sem"), seconds=("seconds", "median")).round(4).to_string())


if __name__ == "__main__":
    main()
