"""Formulas with transforms that are found from the data, and data for them."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import numpy as np
import pandas as pd

#: Every transform of numbers, with every kind of its arguments; nested ones; with factors, gaps, offsets, responses
FORMULAS = (
    "y ~ scale(x)", "y ~ center(z) + standardize(x)", "y ~ scale(z, center=False)", "y ~ scale(z, scale=False)",
    "y ~ scale(z, center=2, scale=3, ddof=0)", "y ~ scale(flag)", "y ~ poly(z, 3)", "y ~ poly(x, 1) + poly(i, 2)",
    "y ~ poly(z, 2, raw=True)", "y ~ bs(z, df=5)", "y ~ bs(i, df=6)", "y ~ bs(x, df=4, degree=2, include_intercept=True)",
    "y ~ bs(z, knots=[1.5, 2])", "y ~ bs(z, df=6, lower_bound=1.5, upper_bound=2.5)",
    "y ~ bs(z, df=5, lower_bound=-3, upper_bound=0)",
    "y ~ bs(z, df=6, lower_bound=1.5, upper_bound=2.5, extrapolation='clip')",
    "y ~ bs(z, df=6, lower_bound=1.5, upper_bound=2.5, extrapolation='na')",
    "y ~ bs(z, df=6, lower_bound=0, upper_bound=5, extrapolation='extend')",
    "y ~ bs(z, df=6, lower_bound=1.5, extrapolation='zero')", "y ~ cr(z, df=4)", "y ~ cs(i, df=4)", "y ~ cc(z, df=4)",
    "y ~ cr(x, df=4, constraints='center')", "y ~ cc(z, df=4, constraints='center', lower_bound=0, upper_bound=4)",
    "y ~ cr(z, knots=[1.5, 2])", "y ~ cr(z, knots=[1.5, 2], constraints=[[1, 0, 0, 0]])",
    "y ~ cr(z, df=4, lower_bound=1.5, upper_bound=2.5, extrapolation='clip', constraints='center')",
    "y ~ bs(log(z), df=5)", "y ~ poly(scale(x), 2)", "y ~ scale(x):z", "y ~ scale(x) * scale(z) + g",
    "y ~ {scale(x) * scale(z)}", "y ~ bs(scale(x), df=4) * g", "y ~ C(i):scale(x)", "y ~ scale(poly(z, 2))",
    "scale(y) ~ x", "log(z) + scale(y) ~ x + offset(scale(i))", "y ~ scale(bs(z, df=4))",
    "y ~ center(scale(z, scale=False)) + z", "y ~ bs(`my col`, df=4) + scale(`my col`)", "y ~ bs(log(x), df=4)",
    "y ~ cr(log(x), df=3)", "y ~ poly(log(x), 2)",
)  # fmt: skip

#: Structured terms
STRUCTURED = (
    "y ~ nn(x, g, k) + z", "y ~ (1 | g)", "y ~ (1 | id)", "y ~ (1 | g/v) + x", "y ~ (x | id)", "y ~ (z || k)",
    "y ~ nn(x, embed(id))", "y ~ embed(g) + x", "y ~ (1 | flag)", "y ~ s(z)", "y ~ s(x, k=6)", "y ~ s(i, k=5)",
    "y ~ s(z, bs='ps')", "y ~ s(z, bs='cc', k=7)", "y ~ s(z, bs='tp', k=6)", "y ~ s(z, by=g) + g", "y ~ s(z, by=k)",
    "y ~ s(z, by=flag, k=5)", "y ~ s(z, by=often, k=5)", "y ~ s(z, by=C(i), k=4)", "y ~ s(log(z))",
    "y ~ s(scale(x), k=5)", "y ~ te(x, z, k=4)", "y ~ te(x, z, k=(3, 4), by=v)", "y ~ te(z, w, k=4, bs=('ps', 'cr'))",
    "y ~ te(x, z, k=3, by=often)", "y ~ s(`my col`) + scale(x)",
)  # fmt: skip


def table_of(n: int) -> pd.DataFrame:
    """Data with gaps, ties and a column whose name is no name of Python."""
    rng = np.random.default_rng(0)
    table = pd.DataFrame({
        "x": rng.normal(size=n), "z": rng.uniform(1, 3, n), "i": rng.integers(0, 9, n), "g": rng.choice(list("abc"), n),
        "w": rng.uniform(0.5, 2, n), "often": rng.integers(0, 3, n), "flag": rng.uniform(size=n) < 0.3,
    })  # fmt: skip
    table["y"] = np.sin(2 * table.z) + 0.3 * table.x**2 + (table.g == "b") + 0.2 * rng.normal(size=n)
    table["count"] = rng.poisson(np.exp(0.3 * table.x))
    table["v"], table["id"] = np.where(rng.uniform(size=n) < 0.5, "u", "v"), rng.integers(0, 12, n)
    table["k"] = pd.Categorical(rng.choice(["hi", "lo", "mid"], n), categories=["lo", "mid", "hi", "none"], ordered=True)
    table["my col"] = table.z**2
    table.loc[[3, n // 2], "x"] = np.nan
    table.loc[5, "w"] = np.nan
    table.loc[[7, 8], "w"] = 0.0
    return table


def leaves(states: Any, at: tuple[Any, ...] = ()) -> Iterator[tuple[tuple[Any, ...], Any]]:
    """Numbers and words of nested states, by where they are."""
    if isinstance(states, dict | list):
        for key, value in states.items() if isinstance(states, dict) else enumerate(states):
            yield from leaves(value, (*at, key))
    else:
        yield at, states
