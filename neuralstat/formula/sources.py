"""Where arrays per row come from: memory, mapped files, sparse matrices, users' objects, expressions of them.

A source has ``shape`` (n, ...), ``dtype``, and ``read(rows)``, which gives some of its rows as an array. `scanned` says
whether all of its numbers may be looked at before they are used; of others they are looked at when they are read.
"""

from collections.abc import Callable, Mapping
from typing import Any

import numpy as np

from neuralstat.errors import DataError
from neuralstat.formula.extremes import LARGEST

LARGE = 2**22  # numbers of a column of arrays from which on they stay as they are
PART, LEAST = 2**18, 32  # numbers that are read together, and rows where these are large
NARROW = 2  # bytes of whole numbers of which there are few enough for a table of all values of an expression


class Plain:
    """Rows of an array, as they lie in memory or in a mapped file."""

    scanned = True  # whether all numbers may be looked at before they are used

    def __init__(self, array: np.ndarray) -> None:
        self.array = array
        self.shape, self.dtype = array.shape, array.dtype

    def read(self, rows: np.ndarray) -> np.ndarray:
        """(m, ...) array."""
        return self.array[rows]

    @property
    def mapped(self) -> bool:
        """Whether the array lies in a file."""
        base: Any = self.array
        while isinstance(base, np.ndarray):
            if isinstance(base, np.memmap):
                return True
            base = base.base
        return False


class Sparse:
    """Rows of a sparse matrix of scipy's; those that are read have their zeros."""

    scanned = True

    def __init__(self, matrix: Any) -> None:
        self.matrix = matrix.tocsr(copy=False)
        self.matrix.sum_duplicates()
        self.shape, self.dtype = tuple(int(s) for s in self.matrix.shape), self.matrix.dtype
        with np.errstate(invalid="ignore"):
            self.sure = bool((np.abs(self.matrix.data.astype(float)) <= LARGEST).all())

    def read(self, rows: np.ndarray) -> np.ndarray:
        """(m, D) array."""
        return self.matrix[rows].toarray()


class Given:
    """An object of a user's, or of `neuralstat.datasets`, with ``shape``, ``dtype`` and ``read(rows)``."""

    scanned = False  # reading may be as much work as training; numbers are looked at when they are read

    def __init__(self, source: Any, name: str) -> None:
        self.source, self.name = source, name
        self.shape, self.dtype = tuple(int(s) for s in source.shape), np.dtype(source.dtype)

    def read(self, rows: np.ndarray) -> np.ndarray:
        """(m, ...) array, checked."""
        made = np.asarray(self.source.read(rows))
        if made.shape != (len(rows), *self.shape[1:]) or made.dtype.kind not in "biuf":
            raise DataError(
                f"column {self.name!r}: read() gave an array of shape {made.shape} of {made.dtype}; numbers of the shape "
                f"{(len(rows), *self.shape[1:])} were to be read."
            )
        if made.dtype.kind == "f" and not np.isfinite(made).all():
            raise DataError(f"column {self.name!r}: read() gave numbers that are missing or infinite.")
        return made


class Table:
    """An expression of one array of whole numbers of few bits: its value for each of them."""

    def __init__(self, inner: Any, values: np.ndarray) -> None:
        self.inner, self.values = inner, values  # values at 0, 1, ...; of negative numbers at the end
        self.shape, self.dtype, self.scanned = inner.shape, values.dtype, inner.scanned
        with np.errstate(invalid="ignore"):
            self.sure = bool((np.abs(values) <= LARGEST).all())  # nothing is missing, wherever it lies

    def read(self, rows: np.ndarray) -> np.ndarray:
        """(m, ...) array of floats."""
        found = self.inner.read(rows)
        unsigned = np.dtype(f"u{found.dtype.itemsize}")
        made = np.take(self.values, found if found.dtype == unsigned else found.view(unsigned), mode="clip")
        if not (self.scanned or self.sure or np.isfinite(made).all()):
            raise DataError("formula: an expression of arrays that are read by rows is missing or infinite there.")
        return made


class Expression:
    """An elementwise expression of arrays of one shape."""

    def __init__(self, inner: Mapping[str, Any], evaluate: Callable[[dict[str, np.ndarray]], np.ndarray]) -> None:
        self.inner, self.evaluate = dict(inner), evaluate
        first = next(iter(self.inner.values()))
        self.shape, self.dtype = first.shape, np.dtype(np.float64)
        self.scanned = all(source.scanned for source in self.inner.values())

    def read(self, rows: np.ndarray) -> np.ndarray:
        """(m, ...) array of floats."""
        made = self.evaluate({name: source.read(rows) for name, source in self.inner.items()}).astype(np.float64)
        if not self.scanned and not np.isfinite(made).all():
            raise DataError("formula: an expression of arrays that are read by rows is missing or infinite there.")
        return made


def is_sparse(values: Any) -> bool:
    """Whether something is a matrix or array of `scipy.sparse`, as scikit-learn's vectorizers give."""
    return type(values).__module__.startswith("scipy.sparse") and len(getattr(values, "shape", ())) == 2


def is_source(values: Any) -> bool:
    """Whether something gives rows of arrays when it is asked for them: ``shape``, ``dtype``, ``read(rows)``."""
    if isinstance(values, np.ndarray | type) or not callable(getattr(type(values), "read", None)):
        return False
    return hasattr(values, "shape") and hasattr(values, "dtype")


def copied(source: Any) -> Any:
    """A source that users cannot change; mapped files and what gives rows stay theirs."""
    if isinstance(source, Plain):
        return source if source.mapped else Plain(source.array.copy())
    if isinstance(source, Sparse):
        return Sparse(source.matrix.copy())
    if isinstance(source, Table):
        return Table(copied(source.inner), source.values)
    if isinstance(source, Expression):
        return Expression({name: copied(inner) for name, inner in source.inner.items()}, source.evaluate)
    return source


def block(numbers: int) -> int:
    """Rows of so many numbers that are read together: users' objects and files are asked for many at a time."""
    return max(LEAST, PART // max(1, numbers))


def together(source: Any) -> int:
    """Rows of a source that are read together; 1 where each can be read alone."""
    while hasattr(source, "inner"):
        source = next(iter(source.inner.values())) if isinstance(source.inner, dict) else source.inner
    return int(getattr(getattr(source, "source", None), "together", 1))
