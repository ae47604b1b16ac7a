"""Batches of a user's object, as Keras' Sequence gives them, as a table whose arrays are read batch by batch."""

import os
import tempfile
import threading
from collections import OrderedDict
from collections.abc import Mapping
from typing import Any

import numpy as np
import pandas as pd

from neuralstat.errors import ArgumentError, DataError
from neuralstat.formula import expressions, frames
from neuralstat.formula.lazy import LazyArray
from neuralstat.formula.parse import split_sides
from neuralstat.formula.partitions import Partitions, as_partitions, is_dask
from neuralstat.formula.sources import Plain
from neuralstat.formula.tensors import is_tensor

WEIGHTS = "sample_weight"  # column of the weights that batches bring
HELD = 4  # batches that are kept once they were read


def is_sequence(data: Any) -> bool:
    """Whether something gives batches by number, and is no table: Keras' ``Sequence``, or an object like it."""
    kind = type(data)
    tables = np.ndarray | pd.DataFrame | pd.Series | Mapping | list | tuple | range | str | bytes | Partitions | type
    plain = isinstance(data, tables) or hasattr(data, "__array__") or hasattr(data, "to_numpy")
    if plain or is_dask(data) or any(hasattr(data, name) for name in ("columns", "schema", "data_vars", "dtype")):
        return False
    return callable(getattr(kind, "__getitem__", None)) and callable(getattr(kind, "__len__", None))


class Batches:
    """Covariates of the batches of a sequence: rows of an array that is read batch by batch.

    Attributes
    ----------
    shape, dtype
        Of the whole array, as its first batch says.
    together : int
        Rows of a batch.
    """

    def __init__(self, sequence: Any, starts: np.ndarray, shape: tuple[int, ...], dtype: np.dtype[Any]) -> None:
        self.sequence, self.starts, self.shape, self.dtype = sequence, starts, shape, dtype
        self.together = int(starts[1] - starts[0])
        self._held: OrderedDict[int, np.ndarray] = OrderedDict()
        self._lock = threading.Lock()  # one batch after the other: the object need not be made for several threads

    def __getstate__(self) -> dict[str, Any]:
        return {name: value for name, value in self.__dict__.items() if not name.startswith("_")}

    def __setstate__(self, state: dict[str, Any]) -> None:
        self.__dict__.update(state)
        self._held, self._lock = OrderedDict(), threading.Lock()

    def read(self, rows: Any) -> np.ndarray:
        """(m, ...) array."""
        rows = np.asarray(rows)
        out = np.empty((len(rows), *self.shape[1:]), self.dtype)
        batch = np.searchsorted(self.starts, rows, side="right") - 1
        with self._lock:
            for k in dict.fromkeys(batch.tolist()):
                own = np.flatnonzero(batch == k)
                out[own] = self._batch(k)[rows[own] - self.starts[k]]
        return out

    def _batch(self, k: int) -> np.ndarray:
        if k in self._held:
            self._held.move_to_end(k)
            return self._held[k]
        x = np.asarray(parts(self.sequence, k)[0])
        size = int(self.starts[k + 1] - self.starts[k])
        if x.shape != (size, *self.shape[1:]):
            raise DataError(f"data[{k}] gave covariates of shape {x.shape}; at first they had {(size, *self.shape[1:])}.")
        self._held[k] = x
        while len(self._held) > HELD:
            self._held.popitem(last=False)
        return x


def parts(sequence: Any, k: int) -> tuple[Any, ...]:
    """Covariates, responses and weights of a batch.

    Raises
    ------
    ArgumentError
        Where the batch is no pair or triple.
    """
    batch = sequence[k]
    if not isinstance(batch, tuple | list) or len(batch) not in (2, 3):
        raise ArgumentError(f"data[{k}] must be a batch (x, y) or (x, y, weights), got {type(batch).__name__}.")
    if isinstance(batch[0], tuple | list | Mapping):
        raise ArgumentError(f"data[{k}]: x must be one array; of several inputs the arrays of a table can be used.")
    return tuple(batch)


def as_table(formula: str | None, data: Any, columns: tuple[str, str] | None = None) -> Any:
    """A table whose arrays are read when they are needed, of a sequence of batches, or of parts that have arrays per row.

    Of a sequence all batches are gone through once, for the responses; covariates are not kept. Arrays of parts are
    written, as they are, to files that are mapped into memory and vanish with it. Other data are given back.

    Parameters
    ----------
    formula : str or None
    data : Sequence, data in parts, or anything else
    columns : (str, str), optional
        Names of response and covariate; the formula's unless given.

    Raises
    ------
    ArgumentError, DataError
        Where the formula has more than one response or covariate for a sequence, or a batch is of another kind.
    """
    if is_sequence(data) and formula is not None:
        return _of_sequence(data, columns or _names(formula))
    partitions = as_partitions(data)
    if partitions is not None:
        first = next(iter(partitions), None)
        if first is not None and any(is_tensor(first[name]) for name in first.columns):
            return _of_parts(partitions)
    return data


def _names(formula: str) -> tuple[str, str]:
    left, right = split_sides(formula)
    found = [_columns(side) for side in (left, right)]
    if any(len(names) != 1 for names in found):
        raise ArgumentError(
            f"formula: batches (x, y) have one response and one covariate, as `y ~ x` or `y ~ {{x / 255}}`; {formula!r} has "
            f"{', '.join(map(repr, found[0])) or 'none'}, and {', '.join(map(repr, found[1])) or 'none'}."
        )
    return found[0][0], found[1][0]


def _columns(side: str) -> list[str]:
    """Names in one side of a formula that are no functions."""
    text = side.replace("{", "(").replace("}", ")")
    return [name for name in expressions.names(text) if name not in expressions.functions()]


def _of_sequence(sequence: Any, columns: tuple[str, str]) -> pd.DataFrame:
    count = len(sequence)
    if count < 1:
        raise DataError("data: the sequence has no batches.")
    sizes, responses, weights = [], [], []
    shape: tuple[int, ...] = ()
    dtype = np.dtype(float)
    for k in range(count):
        batch = parts(sequence, k)
        x, y = np.asarray(batch[0]), np.asarray(batch[1])
        if k == 0:
            shape, dtype = x.shape[1:], x.dtype
        if x.ndim < 2 or x.shape[1:] != shape or x.dtype.kind not in "biuf" or 0 in x.shape:
            raise DataError(f"data[{k}]: x has shape {x.shape} of {x.dtype}; numbers of shape (rows, {shape}) are needed.")
        if y.ndim == 0 or len(y) != len(x):
            raise DataError(f"data[{k}]: x has {len(x)} rows, y has shape {y.shape}.")
        sizes.append(len(x))
        responses.append(y[:, 0] if y.ndim == 2 and y.shape[1] == 1 else y)
        if len(batch) == 3:
            weights.append(np.asarray(batch[2], dtype=float).reshape(-1))
    if len(set(sizes[:-1])) > 1 or sizes[-1] > sizes[0]:
        raise DataError("data: the batches of a sequence must have the same number of rows; only the last may have fewer.")
    if weights and [len(w) for w in weights] != sizes:
        raise DataError("data: a batch of the sequence has other weights than one for each row, or none where others have.")
    starts = np.cumsum([0, *sizes])
    source = Batches(sequence, starts, (int(starts[-1]), *shape), dtype)
    made = {columns[0]: np.concatenate(responses), columns[1]: source}
    table = frames.as_frame(made | ({WEIGHTS: np.concatenate(weights)} if weights else {}))
    table.attrs[WEIGHTS] = bool(weights)
    return table


def _of_parts(partitions: Partitions) -> pd.DataFrame:
    """One table; its arrays lie in files."""
    tables: list[pd.DataFrame] = []
    with tempfile.TemporaryDirectory(prefix="neuralstat-") as folder:
        kinds: dict[str, tuple[tuple[int, ...], np.dtype[Any]]] = {}
        for table in partitions:
            arrays = [name for name in table.columns if is_tensor(table[name])]
            for name in arrays:
                column = table[name].array
                kind = (column.dtype.shape, column.values.dtype)
                if kinds.setdefault(name, kind) != kind:
                    raise DataError(f"{partitions.what}: column {name!r} holds arrays of shape {kind[0]} of {kind[1]}, in "
                                    f"the first part {kinds[name][0]} of {kinds[name][1]}.")  # fmt: skip
                with open(os.path.join(folder, str(list(kinds).index(name))), "ab") as file:
                    np.ascontiguousarray(column.values).tofile(file)
            if set(arrays) != set(kinds):
                raise DataError(f"{partitions.what}: a part has other columns of arrays than the first.")
            tables.append(table.drop(columns=arrays))
        whole = pd.concat(tables, ignore_index=all(isinstance(t.index, pd.RangeIndex) for t in tables))
        mapped = {}
        for k, (name, (shape, dtype)) in enumerate(kinds.items()):
            array = np.memmap(os.path.join(folder, str(k)), dtype, "r", shape=(len(whole), *shape))
            mapped[name] = LazyArray(Plain(np.asarray(array)))
    return whole.assign(**mapped)
