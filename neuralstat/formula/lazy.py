"""Columns of arrays per row that stay as they are, in their own kind of number, until rows of them are read."""

import functools
import math
from collections.abc import Sequence
from typing import Any, NamedTuple

import numpy as np
import pandas as pd

from neuralstat.checks import check_size
from neuralstat.errors import DataError
from neuralstat.formula import sources
from neuralstat.formula.extremes import unmasked
from neuralstat.formula.sources import Given, Plain, Sparse, is_source, is_sparse
from neuralstat.formula.tensors import TensorArray, TensorDtype


class Summary(NamedTuple):
    """What is looked for in numbers before they are used."""

    missing: np.ndarray  # (n,) rows with a NaN
    infinite: np.ndarray  # (n,) rows with an infinite number
    least: np.ndarray  # (D,) of the other numbers
    most: np.ndarray


class LazyArray(TensorArray):
    """A column of arrays that are read when they are needed.

    Parameters
    ----------
    source : Plain, Sparse, Given, Table or Expression
    at : (n,) int array, optional
        Its rows that the column has; -1 is a missing one. All of them, in their order, unless given.
    owned : bool
        As of `TensorArray`.
    """

    def __init__(self, source: Any, at: np.ndarray | None = None, owned: bool = False) -> None:
        self.source, self.at, self.owned = source, at, owned

    @property
    def values(self) -> np.ndarray:  # type: ignore[override]
        """All of them, (n, ...)."""
        if isinstance(self.source, Plain) and self.at is None:
            return self.source.array
        check_size(len(self) * int(np.prod(self.dtype.shape)), "arrays that are read as a whole", self.source.dtype.itemsize)
        out = np.empty((len(self), *self.dtype.shape), self.kind)
        for rows in self.parts():
            out[rows] = self.rows(rows)
        return out

    @property
    def kind(self) -> np.dtype[Any]:
        """Kind of number of what is read."""
        gaps = self.at is not None and bool((self.at < 0).any())
        return np.dtype(np.float64) if gaps and self.source.dtype.kind != "f" else self.source.dtype

    def rows(self, numbers: Any) -> np.ndarray:
        """Some of them, (m, ...), by number."""
        at = np.asarray(numbers, np.intp) if self.at is None else self.at[numbers]
        gaps = at < 0
        if not gaps.any():
            return self.source.read(at)
        out = np.full((len(at), *self.dtype.shape), np.nan)
        if not gaps.all():
            out[~gaps] = self.source.read(at[~gaps])
        return out

    def parts(self) -> Sequence[np.ndarray]:
        """Numbers of the rows, as many together as are read together."""
        step = sources.block(int(np.prod(self.dtype.shape)))
        return [np.arange(a, min(a + step, len(self))) for a in range(0, len(self), step)]

    @classmethod
    def _concat_same_type(cls, to_concat: Sequence[TensorArray]) -> TensorArray:
        return TensorArray(np.concatenate([a.values for a in to_concat]))

    @property
    def dtype(self) -> TensorDtype:
        """The shape of a row."""
        return TensorDtype(self.source.shape[1:])

    @property
    def nbytes(self) -> int:
        """Size in memory, were it read."""
        return len(self) * int(np.prod(self.dtype.shape)) * self.source.dtype.itemsize

    def __len__(self) -> int:
        return self.source.shape[0] if self.at is None else len(self.at)

    def __getitem__(self, item: Any) -> Any:
        if isinstance(item, tuple):
            (item,) = item
        if isinstance(item, int | np.integer):
            return self.rows([item % len(self) if item < 0 else item])[0]
        at = pd.api.indexers.check_array_indexer(self, item)
        return type(self)(self.source, (np.arange(len(self)) if self.at is None else self.at)[at], self.owned)

    def take(self, indices: Any, *, allow_fill: bool = False, fill_value: Any = None) -> "LazyArray":
        """Rows by position; -1 is a missing row with `allow_fill`."""
        indices = np.asarray(indices, dtype=np.intp)
        own = np.arange(len(self)) if self.at is None else self.at
        if allow_fill and np.any(indices < -1):
            raise ValueError("positions must be >= -1")
        at = own[indices] if len(own) else np.full(indices.size, -1)
        return type(self)(self.source, np.where(indices < 0, -1, at) if allow_fill else at, self.owned)

    def copy(self) -> "LazyArray":
        """The same."""
        made = type(self)(self.source, self.at, self.owned)
        made.__dict__.update({k: v for k, v in self.__dict__.items() if k == "summary"})
        return made

    def __eq__(self, other: object) -> Any:
        if not isinstance(other, TensorArray):
            return NotImplemented
        return TensorArray(self.values) == TensorArray(other.values)

    def isna(self) -> np.ndarray:
        """Rows that miss a number."""
        gaps = np.zeros(len(self), bool) if self.at is None else self.at < 0
        return gaps if self.sound else gaps | self.summary.missing

    @property
    def sound(self) -> bool:
        """Whether all numbers are known to be there and moderate, or are looked at when they are read."""
        if not self.source.scanned or getattr(self.source, "sure", False):
            return True
        return self.source.dtype.kind != "f"

    def check_finite(self, name: str) -> None:
        """Raise `DataError` where numbers are infinite."""
        if not self.sound and self.summary.infinite.any():
            count = int(self.summary.infinite.sum())
            raise DataError(f"column {name!r} is infinite in {count} row(s); remove or recode them.")

    @functools.cached_property
    def summary(self) -> Summary:
        """What is to be known of the numbers before they are used; one pass."""
        n, size = len(self), int(np.prod(self.dtype.shape))
        missing, infinite = np.zeros(n, bool), np.zeros(n, bool)
        least, most = np.full(size, np.inf), np.full(size, -np.inf)
        for rows in self.parts():
            values = self.rows(rows).reshape(len(rows), size)
            with np.errstate(invalid="ignore", over="ignore"):
                plain = values.dtype.kind != "f" or np.isfinite(float(values.min()) - float(values.max()))
            if plain:
                np.minimum(least, values.min(axis=0), out=least)
                np.maximum(most, values.max(axis=0), out=most)
                continue
            missing[rows], infinite[rows] = np.isnan(values).any(axis=1), np.isinf(values).any(axis=1)
            known = ~(missing[rows] | infinite[rows])
            if known.any():
                np.minimum(least, values[known].min(axis=0), out=least)
                np.maximum(most, values[known].max(axis=0), out=most)
        return Summary(missing, infinite, least, most)


def tensor_column(values: Any, name: str, where: str = "data") -> TensorArray:
    """A column of an n-d array, checked.

    Raises
    ------
    DataError
        Naming the variable, where it holds no numbers or an axis is empty.
    """
    if is_sparse(values):
        usable = values.dtype.kind in "biuf" and 0 not in values.shape[1:]
        if usable and math.prod(values.shape) >= sources.LARGE:
            return LazyArray(Sparse(values))
        values = values.toarray()
    if is_source(values):
        source: Any = Given(values, name)
    elif isinstance(values, np.ndarray) and not isinstance(values, np.ma.MaskedArray) and values.size >= sources.LARGE:
        source = Plain(np.asarray(values))  # it stays as it is
    else:
        source = Plain(np.asarray(unmasked(values)))
    array = source.array if isinstance(source, Plain) else source
    if array.dtype.kind not in "biuf":
        raise DataError(f"{where}[{name!r}] has shape {array.shape} and holds {array.dtype}; arrays of several "
                        "dimensions must hold numbers.")  # fmt: skip
    if 0 in array.shape[1:]:
        raise DataError(f"{where}[{name!r}] has shape {array.shape}: an axis is empty.")
    if isinstance(source, Plain) and math.prod(source.shape) < sources.LARGE:
        return TensorArray(source.array)
    return LazyArray(source)


def owned(column: TensorArray) -> TensorArray:
    """A column that users cannot change; mapped files and what gives rows stay theirs."""
    if column.owned:
        return column
    if not isinstance(column, LazyArray):
        return TensorArray(column.values.copy(), owned=True)
    return LazyArray(sources.copied(column.source), column.at, owned=True)
