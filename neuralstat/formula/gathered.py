"""Inputs whose arrays stay in their own columns: a matrix (D, n) of floats where somebody reads it as a whole."""

import weakref
from collections.abc import Sequence
from typing import Any

import numpy as np

from neuralstat.checks import check_size
from neuralstat.errors import DataError
from neuralstat.formula import sources
from neuralstat.formula.extremes import check_sizes, check_spread
from neuralstat.formula.lazy import LazyArray
from neuralstat.formula.sources import Sparse


class Gathered(np.lib.mixins.NDArrayOperatorsMixin):
    """Inputs (D, n) whose arrays stay in their own columns until rows are read; as a whole it is read like an array.

    Parameters
    ----------
    columns : sequence of TensorArray
    places : sequence of slice or int array
        Where the elements of each lie among the inputs.
    tabular : (D', n) array
        The other inputs, which come last.
    at : (m,) int array, optional
        Observations, of those of the columns; -1 is one without numbers.
    scaling : (centre, scale), each (D,), optional
        Numbers are given less the centre, by the scale.
    through : dtype, optional
        Numbers are rounded to it.
    """

    ndim = 2
    dtype = np.dtype(np.float64)
    _made: Any  # reference to the whole matrix, where somebody holds it

    def __init__(
        self, columns: Sequence[Any], places: Sequence[Any], tabular: np.ndarray, at: np.ndarray | None = None,
        scaling: tuple[np.ndarray, np.ndarray] | None = None, through: Any = None,
    ) -> None:  # fmt: skip
        self.columns, self.places, self.tabular, self.at = tuple(columns), tuple(places), tabular, at
        self.scaling, self.through = scaling, through
        self.first = sum(int(np.prod(column.dtype.shape)) for column in self.columns)

    @property
    def shape(self) -> tuple[int, int]:
        """(D, n)."""
        return self.first + len(self.tabular), self.tabular.shape[1] if self.at is None else len(self.at)

    @property
    def size(self) -> int:
        """Numbers."""
        return self.shape[0] * self.shape[1]

    def __len__(self) -> int:
        return self.shape[0]

    @property
    def sparse(self) -> tuple[Any, np.ndarray] | None:
        """The sparse matrix (N, D) that all inputs are, and which of its rows (n,) the observations are; None otherwise."""
        only = self.columns[0] if len(self.columns) == 1 else None
        arrays = self.scaling is None and not len(self.tabular) and isinstance(only, LazyArray)
        plain = arrays and isinstance(only.source, Sparse)  # type: ignore[union-attr]
        if not plain:
            return None
        own = np.arange(self.shape[1]) if self.at is None else self.at
        at = own if only.at is None else np.where(own < 0, -1, only.at[own])  # type: ignore[union-attr]
        return None if (at < 0).any() else (only.source.matrix, at)  # type: ignore[union-attr]

    @property
    def together(self) -> int:
        """Rows that are read together, as batches of a user's object are; 1 where each can be read alone."""
        return max((sources.together(getattr(c, "source", None)) for c in self.columns), default=1)

    @property
    def lasting(self) -> bool:
        """Whether reading again is cheap: arrays, and not files or functions."""
        return all(not isinstance(c, LazyArray) or c.source.scanned for c in self.columns)

    def select(self, at: Any) -> "Gathered":
        """Some observations, by number, in the order given."""
        own = np.arange(self.shape[1]) if self.at is None else self.at
        return self.changed(at=own[at])

    def changed(self, **parts: Any) -> "Gathered":
        """The same with some of its parts replaced."""
        names = ("columns", "places", "tabular", "at", "scaling", "through")
        return Gathered(**{name: parts.get(name, getattr(self, name)) for name in names})

    def scaled(self, centre: np.ndarray, scale: np.ndarray) -> "Gathered":
        """The same less a centre (D,), by a scale (D,)."""
        tabular = (self.tabular - centre[self.first :, np.newaxis]) / scale[self.first :, np.newaxis]
        centre, scale = centre.copy(), scale.copy()
        centre[self.first :], scale[self.first :] = 0.0, 1.0
        plain = not centre.any() and bool((scale == 1).all())
        return self.changed(tabular=tabular, scaling=None if plain else (centre, scale))

    def spread(self, kept: np.ndarray) -> "Gathered":
        """The observations at their places (N,) bool among others, which have no numbers."""
        own = np.full(kept.size, -1)
        own[kept] = np.arange(self.shape[1]) if self.at is None else self.at
        return self.changed(at=own)

    @property
    def missing(self) -> np.ndarray:
        """(n,) observations with a NaN."""
        gaps = np.isnan(self.tabular).any(axis=0)
        for column in self.columns:
            gaps = gaps | column.isna()
        return gaps if self.at is None else np.where(self.at < 0, True, gaps[self.at])

    def check(self, names: Sequence[str]) -> None:
        """Raise `DataError` naming the first input with a number that is infinite or cannot be squared."""
        check_sizes(self.tabular, tuple(names[self.first :]))
        for column, place in zip(self.columns, self.places, strict=True):
            if isinstance(column, LazyArray) and column.sound:
                continue
            own = list(np.array(names, dtype=object)[place]) if not isinstance(place, slice) else list(names[place])
            if not isinstance(column, LazyArray):
                check_sizes(column.flat.T, tuple(own))
                continue
            found = column.summary
            if found.infinite.any():
                count = int(found.infinite.sum())
                raise DataError(f"an element of {own[0].partition('[')[0]!r} is infinite in {count} row(s), as log(0) would "
                                "be; drop or recode these rows.")  # fmt: skip
            check_sizes(np.column_stack([found.least, found.most]), tuple(own))
            check_spread(np.column_stack([found.least, found.most]), tuple(own))

    def read(self, numbers: np.ndarray, out: np.ndarray) -> None:
        """Write observations, by number, into the rows of `out` (m, D)."""
        at = np.asarray(numbers) if self.at is None else self.at[numbers]
        known = at >= 0
        if not known.all():
            out[~known] = np.nan
            if known.any():
                some = np.empty((int(known.sum()), out.shape[1]), out.dtype)
                self._read(at[known], some)
                out[known] = some
            return
        self._read(at, out)

    def _read(self, at: np.ndarray, out: np.ndarray) -> None:
        passed = out.dtype if self.through is None else np.dtype(self.through)
        if self.scaling is not None and out.dtype != np.float64:
            whole = np.empty(out.shape)
            self._numbers(at, whole)
            out[:] = (whole - self.scaling[0]) / self.scaling[1]
            return
        if passed != out.dtype:
            rounded = np.empty(out.shape, passed)
            self._read(at, rounded)
            out[:] = rounded
            return
        self._numbers(at, out)
        if self.scaling is not None:
            out -= self.scaling[0]
            out /= self.scaling[1]

    def _numbers(self, at: np.ndarray, out: np.ndarray) -> None:
        for column, place in zip(self.columns, self.places, strict=True):
            values = column.rows(at) if isinstance(column, LazyArray) else column.values[at]
            out[:, place] = values.reshape(len(at), -1)
        if len(self.tabular):
            out[:, self.first :] = self.tabular[:, at].T

    def parts(self) -> Sequence[np.ndarray]:
        """Numbers of the observations, as many together as are read together."""
        n, step = self.shape[1], sources.block(self.shape[0])
        return [np.arange(a, min(a + step, n)) for a in range(0, n, step)]

    def __array__(self, dtype: Any = None, copy: Any = None) -> np.ndarray:
        made: np.ndarray | None = self._made() if "_made" in self.__dict__ else None
        if made is None:
            check_size(self.size, f"inputs of shape {self.shape} as numbers")
            made = np.empty(self.shape)
            for rows in self.parts():
                some = np.empty((len(rows), self.shape[0]))
                self.read(rows, some)
                made[:, rows[0] : rows[-1] + 1] = some.T
            self._made = weakref.ref(made)  # read again while it is there
        made = made if dtype is None else made.astype(dtype, copy=False)
        return made.copy() if copy else made

    def __getstate__(self) -> dict[str, Any]:
        return {name: value for name, value in self.__dict__.items() if name != "_made"}

    def __array_ufunc__(self, ufunc: Any, method: str, *inputs: Any, **more: Any) -> Any:
        return getattr(ufunc, method)(*(np.asarray(i) if isinstance(i, Gathered) else i for i in inputs), **more)

    def __getattr__(self, name: str) -> Any:
        if name.startswith("_") or not hasattr(np.ndarray, name):
            raise AttributeError(name)
        return getattr(np.asarray(self), name)

    def __getitem__(self, key: Any) -> Any:
        if isinstance(key, tuple) and len(key) == 2 and isinstance(key[0], slice) and key[0] == slice(None):
            if isinstance(key[1], int | np.integer):
                return np.asarray(self.select([key[1]]))[:, 0]
            if not isinstance(key[1], slice) or key[1] != slice(None):
                return np.asarray(self.select(key[1])).copy()
        elif not isinstance(key, tuple):
            return self._inputs(key)
        return np.asarray(self)[key]

    def _inputs(self, key: Any) -> np.ndarray:
        """Some inputs of all observations."""
        own = np.arange(self.shape[0])[key]
        if (own.size == 0 or own.min() >= self.first) and (self.at is None or (self.at >= 0).all()):
            return (self.tabular if self.at is None else self.tabular[:, self.at])[own - self.first]
        out = np.empty((own.size, self.shape[1]))
        for rows in self.parts():
            some = np.empty((len(rows), self.shape[0]))
            self.read(rows, some)
            out[:, rows[0] : rows[-1] + 1] = some[:, own.ravel()].T
        return out.reshape(*own.shape, self.shape[1]) if own.ndim else out[0]


class ByRow:
    """Inputs an observation after the other, (n, D), read when they are needed.

    Parameters
    ----------
    x : Gathered
    dtype : dtype
        Of what is read.
    """

    ndim = 2

    def __init__(self, x: Gathered, dtype: Any) -> None:
        self.x, self.dtype = x, np.dtype(dtype)

    @property
    def shape(self) -> tuple[int, int]:
        """(n, D)."""
        return self.x.shape[1], self.x.shape[0]

    @property
    def T(self) -> Gathered:
        """(D, n), as it is read."""
        return self.x if self.dtype == np.float64 else self.x.changed(through=self.dtype)

    def read(self, numbers: np.ndarray, out: np.ndarray) -> None:
        """Write observations, by number, into the rows of `out`."""
        for a in range(0, len(numbers), step := sources.block(out.shape[1])):
            self.x.read(numbers[a : a + step], out[a : a + step])

    def __getitem__(self, rows: Any) -> np.ndarray:
        """Some observations, (m, D)."""
        at = np.arange(self.shape[0])[rows]
        self.read(at, out := np.empty((len(at), self.shape[1]), self.dtype))
        return out

    def __array__(self, dtype: Any = None, copy: Any = None) -> np.ndarray:
        out = np.empty(self.shape, self.dtype)
        self.read(np.arange(self.shape[0]), out)
        return out if dtype is None else out.astype(dtype, copy=False)
