"""The coefficient of a made covariate beside a network of images: bias, and coverage of 95 % intervals.

    python benchmarks/image_covariate.py                 # 60 data sets of each truth, to vignettes/data/image_covariate.csv

400 of scikit-learn's digits, drawn anew for each data set; x = 0.7 f + normal of standard deviation 0.8, y = 0.5 x + f +
normal of standard deviation 0.5, f of mean 0 and variance 1 what the image says: "balance", t + t^2 / 2 of t, the ink in the
upper half less that in the lower one; "digit", the digit itself. Fitted without the image, with f as it is, and with a
network of the image of 148 weights (one start), whose strengths are estimated. A row per data set and model.
"""

from __future__ import annotations

import time
import warnings
from pathlib import Path

import numpy as np
import pandas as pd
from common import by_seed

import neuralstat as ns
from neuralstat.layers import Conv2D, Dense, Flatten

FILE = Path(__file__).parent.parent / "vignettes" / "data" / "image_covariate.csv"
TRUTHS, N, SLOPE = ("balance", "digit"), 400, 0.5
CNN = [Conv2D(3, 3, "tanh", strides=2), Flatten(), Dense(4, "tanh")]


def said(truth: str) -> np.ndarray:
    """f of every image, mean 0 and variance 1."""
    digits = ns.datasets.digits()
    if truth == "digit":
        f = np.asarray(digits["digit"]).astype(float)
    else:
        pixels = digits["pixels"][..., 0]
        t = pixels[:, :4].mean((1, 2)) - pixels[:, 4:].mean((1, 2))
        t = (t - t.mean()) / t.std()
        f = t + t**2 / 2
    return (f - f.mean()) / f.std()


def drawn(truth: str, rng: np.random.Generator) -> dict[str, np.ndarray]:
    """A data set: image, x, f, y."""
    rows = rng.permutation(1797)[:N]
    f = said(truth)[rows]
    x = 0.7 * f + 0.8 * rng.normal(size=N)
    return {"image": ns.datasets.digits()["pixels"][rows], "x": x, "f": f, "y": SLOPE * x + f + 0.5 * rng.normal(size=N)}


def compared(truth: str, seed: int) -> list[dict[str, object]]:
    """The models on one data set."""
    data = drawn(truth, np.random.default_rng([seed, TRUTHS.index(truth)]))
    table = pd.DataFrame({name: data[name] for name in "xfy"})
    models = {"without the image": ("y ~ x", table, {"hidden": 0}), "f known": ("y ~ x + f", table, {"hidden": 0}),
              "nn(image)": ("y ~ x + nn(image, layers=cnn)", data, {"towers": {"cnn": CNN}, "rep": 1})}  # fmt: skip
    out = []
    for name, (formula, rows, more) in models.items():
        began = time.perf_counter()
        fit = ns.neuralnet(formula, rows, random_state=seed, **more)
        low, high = fit.conf_int().loc["x.to.y"]
        out.append({"truth": truth, "seed": seed, "model": name, "coef": fit.params["x.to.y"], "se": fit.bse["x.to.y"],
                    "held": low <= SLOPE <= high, "seconds": time.perf_counter() - began})  # fmt: skip
    return out


def main() -> None:
    """Print the table, and write it."""
    warnings.simplefilter("ignore")
    by = by_seed(compared, TRUTHS, 60, FILE, __doc__).groupby(["truth", "model"], sort=False)
    found = by.agg(coef=("coef", "mean"), error=("coef", "sem"), sd=("coef", "std"), se=("se", "mean"), held=("held", "mean"),
                   seconds=("seconds", "median"))  # fmt: skip
    print(found.round(4).to_string())


if __name__ == "__main__":
    main()
