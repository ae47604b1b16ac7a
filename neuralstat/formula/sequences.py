"""Batches of a user's object, as Keras' Sequence gives them, as a table whose arrays are read batch by batch."""

import itertools
import os
import re
import tempfile
import threading
from collections import OrderedDict
from collections.abc import Iterable, Mapping
from typing import Any

import numpy as np
import pandas as pd

from neuralstat.checks.values import told
from neuralstat.errors import ArgumentError, DataError, NeuralStatError
from neuralstat.formula import expressions, frames
from neuralstat.formula.lazy import LazyArray
from neuralstat.formula.parse import split_sides
from neuralstat.formula.partitions import Partitions, as_partitions, is_dask
from neuralstat.formula.sources import Plain
from neuralstat.formula.tensors import is_tensor
from neuralstat.formula.unnamed import is_unnamed

WEIGHTS = "sample_weight"  # column of the weights that batches bring
BATCHES = f"{frames.ACCEPTED}, or batches (x, y) by number"
HELD = 4  # batches that are kept once they were read


def is_sequence(data: Any) -> bool:
    """Whether something may give batches by number, as Keras' ``Sequence`` does: neither a table nor values."""
    kind = type(data)
    indexed = all(callable(getattr(kind, name, None)) for name in ("__getitem__", "__len__"))
    if not indexed or isinstance(data, str | bytes | bytearray | Partitions | type | np.ndarray) or is_dask(data):
        return False
    return not is_unnamed(data) and not frames.is_table(data)


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
        x = np.array(parts(self.sequence, k)[0])  # the object may fill the same memory anew
        size = int(self.starts[k + 1] - self.starts[k])
        if x.shape != (size, *self.shape[1:]) or not np.can_cast(x.dtype, self.dtype):
            raise DataError(
                f"data[{k}] gave covariates of shape {x.shape} of {x.dtype}; at first they had "
                f"{(size, *self.shape[1:])}, and all were {self.dtype}."
            )
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
    DataError
        Where the object does not give it.
    """
    try:
        batch = sequence[k]
    except (NeuralStatError, MemoryError):
        raise
    except Exception as error:  # of the user's object
        if k == 0:
            raise ArgumentError(f"data must be {BATCHES}: data[0] raised {told(error)[:200]}.") from error
        raise DataError(f"data[{k}] raised {told(error)[:200]}.") from error
    if not isinstance(batch, tuple | list) or len(batch) not in (2, 3):
        what = f"data must be {BATCHES}" if k == 0 else "data must give batches (x, y) or (x, y, weights)"
        raise ArgumentError(f"{what}: data[{k}] is a {type(batch).__name__}.")
    if isinstance(batch[0], tuple | list | Mapping):
        raise ArgumentError(f"data[{k}]: x must be one array; of several inputs the arrays of a table can be used.")
    return tuple(batch)


def as_table(formula: str | None, data: Any) -> Any:
    """A table whose arrays are read when they are needed, of a sequence of batches, or of parts that have arrays per row.

    Of a sequence all batches are gone through once, for the responses; covariates are not kept. Arrays of parts are
    written, as they are, to files that are mapped into memory and vanish with it, where the formula names one of them;
    other parts stay parts, of which the first was read. Other data are given back.

    Parameters
    ----------
    formula : str or None
    data : Sequence, data in parts, or anything else

    Raises
    ------
    ArgumentError, DataError
        Where the formula has more than one response or covariate for a sequence, or a batch is of another kind.
    """
    if is_sequence(data) and formula is not None:
        return _of_sequence(data, _names(formula))
    partitions = as_partitions(data)
    if partitions is None:
        return data
    tables = iter(partitions)
    first = next(tables, None)
    if first is None:
        return data
    begun = [itertools.chain([first], tables)]
    if any(is_tensor(first[name]) and (formula is None or _named(name, formula)) for name in first.columns):
        return _of_parts(begun.pop(), partitions.what)
    return Partitions(lambda: begun.pop() if begun else partitions, partitions.what)


def brought(data: Any, table: Any) -> str | None:
    """The column of `table`, made of `data` by `as_table`, that has the weights of batches; None where they bring none."""
    made = isinstance(table, pd.DataFrame) and is_sequence(data)
    return WEIGHTS if made and list(table.columns[2:]) == [WEIGHTS] else None


def _named(name: str, formula: str) -> bool:
    """Whether a formula may read a column: its name occurs, or a dot that stands for all columns."""
    everything = re.search(r"(?<![\w)\]}`'\".])\.(?![\w.])", formula)
    return everything is not None or re.search(rf"(?<!\w){re.escape(name)}(?!\w)", formula) is not None


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
    try:
        count = len(sequence)
    except Exception as error:  # of the user's object
        raise ArgumentError(f"data must be {BATCHES}: its len() raised {told(error)[:200]}.") from error
    if count < 1:
        raise DataError(f"data must be {BATCHES}: a {type(sequence).__name__} without batches was given.")
    sizes, responses, weights = [], [], []
    shape: tuple[int, ...] = ()
    dtype = np.dtype(float)
    for k in range(count):
        batch = parts(sequence, k)
        x, y = np.asarray(batch[0]), np.array(batch[1])  # the object may fill the same memory anew
        if k == 0:
            shape = x.shape[1:]
        if x.ndim < 2 or x.shape[1:] != shape or x.dtype.kind not in "biuf" or 0 in x.shape:
            needed = ", ".join(map(str, ("rows", *(shape or ("...",)))))
            raise DataError(f"data[{k}]: x has shape {x.shape} of {x.dtype}; numbers of shape ({needed}) are needed.")
        dtype = x.dtype if k == 0 else np.result_type(dtype, x.dtype)
        if y.ndim == 0 or len(y) != len(x):
            raise DataError(f"data[{k}]: x has {len(x)} rows, y has shape {y.shape}.")
        sizes.append(len(x))
        responses.append(y[:, 0] if y.ndim == 2 and y.shape[1] == 1 else y)
        if len(batch) == 3:
            weights.append(np.array(batch[2], dtype=float).reshape(-1))
    if len(set(sizes[:-1])) > 1 or sizes[-1] > sizes[0]:
        raise DataError("data: the batches of a sequence must have the same number of rows; only the last may have fewer.")
    if weights and [len(w) for w in weights] != sizes:
        raise DataError("data: a batch of the sequence has other weights than one for each row, or none where others have.")
    starts = np.cumsum([0, *sizes])
    source = Batches(sequence, starts, (int(starts[-1]), *shape), dtype)
    if weights and WEIGHTS in columns:
        raise ArgumentError(f"formula: {WEIGHTS!r} names the weights that the batches bring; give the column another name.")
    made = {columns[0]: np.concatenate(responses), columns[1]: source}
    return frames.as_frame(made | ({WEIGHTS: np.concatenate(weights)} if weights else {}))


def _of_parts(read: Iterable[pd.DataFrame], what: str) -> pd.DataFrame:
    """One table; its arrays lie in files."""
    tables: list[pd.DataFrame] = []
    with tempfile.TemporaryDirectory(prefix="neuralstat-", ignore_cleanup_errors=True) as folder:
        kinds: dict[str, tuple[tuple[int, ...], np.dtype[Any]]] = {}
        for table in read:
            arrays = [name for name in table.columns if is_tensor(table[name])]
            for name in arrays:
                column = table[name].array
                kind = (column.dtype.shape, column.values.dtype)
                if kinds.setdefault(name, kind) != kind:
                    raise DataError(f"{what}: column {name!r} holds arrays of shape {kind[0]} of {kind[1]}, in "
                                    f"the first part {kinds[name][0]} of {kinds[name][1]}.")  # fmt: skip
                with open(os.path.join(folder, str(list(kinds).index(name))), "ab") as file:
                    np.ascontiguousarray(column.values).tofile(file)
            if set(arrays) != set(kinds):
                raise DataError(f"{what}: a part has other columns of arrays than the first.")
            tables.append(table.drop(columns=arrays))
        whole = pd.concat(tables, ignore_index=all(isinstance(t.index, pd.RangeIndex) for t in tables))
        mapped = {}
        for k, (name, (shape, dtype)) in enumerate(kinds.items()):
            array = np.memmap(os.path.join(folder, str(k)), dtype, "r", shape=(len(whole), *shape))
            mapped[name] = LazyArray(Plain(np.asarray(array)))
    return whole.assign(**mapped)
