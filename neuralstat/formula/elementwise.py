"""Elementwise expressions of arrays per row, evaluated as often as rows are read."""

from collections.abc import Mapping
from typing import Any

import numpy as np
import pandas as pd

from neuralstat.formula import expressions, sources
from neuralstat.formula.lazy import LazyArray
from neuralstat.formula.sources import Expression, Plain, Table
from neuralstat.formula.tensors import TensorArray


def wide(values: np.ndarray) -> np.ndarray:
    """Whole numbers of few bits, as those of images, with 64: pixels - 128 would wrap around."""
    return values.astype(np.int64) if values.dtype.kind in "iu" and values.dtype.itemsize < 8 else values


class Elementwise:
    """An elementwise expression of arrays, to be evaluated as often as rows are read."""

    def __init__(self, expr: str, env: dict[str, Any], called: dict[str, Any]) -> None:
        self.expr, self.called = expr, called
        self.env = {name: value for name, value in env.items() if name != "np"}

    def __call__(self, columns: Mapping[str, np.ndarray]) -> np.ndarray:
        """Its values at some rows of the columns."""
        code, aliases, _ = expressions.compiled(self.expr)
        env = {"np": np, **self.env, **self.called, **{name: wide(values) for name, values in columns.items()}}
        env.update({alias: env[name] for alias, name in aliases.items() if name in env})
        with np.errstate(all="ignore"):
            return np.asarray(eval(code, {"__builtins__": {}}, env))


def lazily(evaluate: Elementwise, columns: Mapping[str, pd.Series]) -> TensorArray | None:
    """A column of an elementwise expression that is evaluated when rows are read."""
    arrays = {name: values.array for name, values in columns.items()}
    columns_of = {
        name: a if isinstance(a, LazyArray) else LazyArray(Plain(a.values), owned=a.owned) for name, a in arrays.items()
    }
    read = {name: a.source for name, a in columns_of.items()}
    first = next(iter(columns_of.values()))
    if any(a.at is not first.at for a in columns_of.values()):
        return None
    only = first.source.dtype if len(columns_of) == 1 else np.dtype(float)
    few = only.kind in "iub" and only.itemsize <= sources.NARROW
    try:
        if few:
            width = 8 * only.itemsize
            every = np.arange(2 if only.kind == "b" else 2**width).astype(f"u{only.itemsize}").view(only)
            made = evaluate({next(iter(columns_of)): every})
            right = made.shape == every.shape
        else:
            some = {name: np.zeros((1, *source.shape[1:]), source.dtype) for name, source in read.items()}
            made = evaluate(some)
            right = made.shape == next(iter(some.values())).shape
    except Exception:  # said by who evaluates it as a whole
        return None
    if made.dtype.kind not in "biuf" or not right:
        return None
    if few:
        return LazyArray(Table(first.source, made.astype(np.float64)), first.at, first.owned)
    return LazyArray(Expression(read, evaluate), first.at, all(a.owned for a in columns_of.values()))
