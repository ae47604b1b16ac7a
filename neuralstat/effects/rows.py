"""Made-up rows: the data, or another table, with one or two of the user's variables set to other values.

Only those columns of the design are made anew that read a changed variable, and these from the distinct values alone: a
profile over 50 values of 50,000 rows encodes 50 rows.
"""

from __future__ import annotations

from collections.abc import Collection, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import pandas as pd

from ..checks import check_items, shown
from ..errors import ArgumentError, DataError
from ..fitted import Fitted, kept
from ..formula import frames
from ..formula.rcompat import by_position
from ..inference.predict import inputs
from .reads import columns_of_factors, columns_of_inputs, names_in, row_by_row

ENCODED = 8192  # rows that are encoded at a time: tables on the way are several times the data
PROBED_ROWS = 200  # at which products of terms are looked at
PROBES = 8  # values between observed ones at which a numeric column is tried


@dataclass(frozen=True, eq=False)
class Rows:
    """Rows that effects are averaged over, m of them, complete.

    Attributes
    ----------
    fitted : Fitted
    frame : DataFrame
        The user's columns.
    x : (D, m) array
        Internal units.
    offset : (K, m) array or None
    share : (m,) array
        Weights of the rows in an average, which add up to 1.
    index : Index
    """

    fitted: Fitted
    frame: pd.DataFrame
    x: np.ndarray
    offset: np.ndarray | None
    share: np.ndarray
    index: pd.Index

    def moved(self, changes: Mapping[str, Any]) -> tuple[np.ndarray, np.ndarray | None]:
        """Inputs (D, m) and offset (K, m) with variables set to a value, or to a value per row."""
        m = len(self.frame)
        values = {name: _spread(value, m) for name, value in changes.items()}
        touched, alone = self._touched(changes.keys())
        if alone:
            code, first = _combinations(list(values.values()))
            if 2 * first.size <= m or m == 1:
                return self._put(touched, self._alone({n: v[first] for n, v in values.items()})[touched][:, code])
        pieces = self.pieces(np.arange(m))
        if len(pieces) == 1:
            x, offset = self.changed(replaced(self.frame, values))
            return x, offset if self._moves_offset(changes.keys()) else self.offset
        made = np.empty_like(self.x)
        for block in pieces:
            own = self.part(block)
            made[:, block] = own.changed(replaced(own.frame, {n: v[block] for n, v in values.items()}))[0]
        return made, self.offset

    def pieces(self, which: np.ndarray) -> list[np.ndarray]:
        """Rows, by position, in blocks that are encoded at a time: all at once where columns may be of several rows."""
        step = ENCODED if row_by_row(self.fitted) else max(which.size, 1)
        return [which[first : first + step] for first in range(0, max(which.size, 1), step)]

    def along(self, names: Sequence[str], points: Sequence[Sequence[Any]]) -> Iterator[tuple[np.ndarray, np.ndarray | None]]:
        """`moved` to one point after the other, every variable having one value in all rows.

        Inputs may lie where those of the point before lay: they are to be used before the next are asked for.
        """
        columns = {name: _spread([point[k] for point in points], len(points)) for k, name in enumerate(names)}
        touched, alone = self._touched(set(names))
        mixed = [] if alone else [d for d in touched if not columns_of_inputs(self.fitted)[0][d] <= set(names)]
        products = self._products(columns, mixed) if mixed and not self._moves_offset(set(names)) else None
        if not alone and products is None:
            for point in points:
                yield self.moved(dict(zip(names, point, strict=True)))
            return
        pure = [d for d in touched if d not in mixed]
        made, x = self._alone(columns)[pure], self.x.copy()
        for g in range(len(points)):
            x[pure] = made[:, g : g + 1]
            if products is not None:
                x[mixed] = self._internal(products[0] * products[1][:, g : g + 1], mixed)
            yield x, self.offset

    def _products(self, values: Mapping[str, np.ndarray], mixed: list[int]) -> tuple[np.ndarray, np.ndarray] | None:
        """Columns (C, m) of terms with other variables at some point, and what they are multiplied by at each (C, G).

        A column of ``x:z`` is a function of x times one of z. None where columns are no such products (``{x * z}``), and
        where it would save nothing.
        """
        factors, names = columns_of_factors(self.fitted), set(values)
        size, m = len(next(iter(values.values()))), len(self.frame)
        if any(read & names and not read <= names for d in mixed for read in factors[d]):
            return None
        some = np.linspace(0, m - 1, min(m, PROBED_ROWS)).astype(int)
        tried = replaced(self.frame.iloc[np.repeat(some, size)], {n: np.tile(v, some.size) for n, v in values.items()})
        probe = self._original(self.encoded(tried)[0][mixed], mixed)
        row, point = np.divmod(np.abs(probe).argmax(axis=1), size)
        across = probe.reshape(len(mixed), some.size, size)[np.arange(len(mixed)), row]
        most = across[np.arange(len(mixed)), point]
        needed = np.unique(point)
        if not most.all() or 2 * needed.size > size:
            return None
        base = np.empty((len(mixed), m))
        for g in needed:
            x = self.encoded(replaced(self.frame, {n: np.repeat(v[g : g + 1], m) for n, v in values.items()}))[0]
            base[point == g] = self._original(x[mixed], mixed)[point == g]
        return base, across / most[:, np.newaxis]

    def _original(self, x: np.ndarray, columns: list[int]) -> np.ndarray:
        scaling = self.fitted.design.scaling
        return x if scaling is None else x * scaling.x_sd[columns, np.newaxis] + scaling.x_mean[columns, np.newaxis]

    def _internal(self, x: np.ndarray, columns: list[int]) -> np.ndarray:
        scaling = self.fitted.design.scaling
        return x if scaling is None else (x - scaling.x_mean[columns, np.newaxis]) / scaling.x_sd[columns, np.newaxis]

    def _touched(self, names: Collection[str]) -> tuple[list[int], bool]:
        """Columns of x that read some variables, and whether these (and the offset) read no others."""
        reads, offset_reads = columns_of_inputs(self.fitted)
        touched = [d for d, read in enumerate(reads) if read & set(names)]
        return touched, all(reads[d] <= set(names) for d in touched) and not offset_reads & set(names)

    def _moves_offset(self, names: Collection[str]) -> bool:
        return bool(columns_of_inputs(self.fitted)[1] & set(names))

    def _alone(self, values: Mapping[str, np.ndarray]) -> np.ndarray:
        """Inputs of rows that have these values, and what the first row has otherwise."""
        size = len(next(iter(values.values())))
        return self.encoded(replaced(self.frame.iloc[np.zeros(size, int)], values))[0]

    def _put(self, touched: list[int], columns: np.ndarray) -> tuple[np.ndarray, np.ndarray | None]:
        x = self.x.copy()
        x[touched] = columns
        return x, self.offset

    def changed(self, frame: pd.DataFrame) -> tuple[np.ndarray, np.ndarray | None]:
        """Inputs and offset of these rows where their columns are other ones."""
        x, offset = self.encoded(frame)
        if offset is not None and self.offset is not None and self.fitted.design.spec.offset_kind == "array":
            before = self.encoded(self.frame)[1]
            offset = self.offset + (offset - before)  # the array stays, what the formula says of the offset changes
        return x, offset

    def part(self, which: np.ndarray) -> Rows:
        """Some of the rows, by position."""
        offset = None if self.offset is None else np.ascontiguousarray(self.offset[:, which])
        frame = self.frame.iloc[which].reset_index(drop=True)
        x = np.ascontiguousarray(self.x[:, which])
        return Rows(self.fitted, frame, x, offset, self.share[which], self.index[which])

    def encoded(self, frame: pd.DataFrame) -> tuple[np.ndarray, np.ndarray | None]:
        """Inputs and offset of any rows of the user's columns, without the part of an offset that was given as an array."""
        if self.fitted.design.spec.offset_kind == "array":
            encoded = self.fitted.design.encode(frame, offset=np.zeros(len(frame)))
            return encoded.x, encoded.offset
        return inputs(self.fitted, frame, None)[:2]


def rows_of(fitted: Fitted, data: Any = None, absent: Sequence[str] = ()) -> Rows:
    """The rows of the fit, or the complete rows of another table.

    Parameters
    ----------
    fitted : Fitted
    data : table, optional
        Columns are matched by name.
    absent : sequence of str
        Variables that `data` may lack, since they are set to values anyway.

    Raises
    ------
    ArgumentError
        For models with array terms, whose rows cannot be made up; for `data` beside an offset that is an array.
    DataError
        Where `data` lacks a column, or has no complete row.
    """
    design, spec = fitted.design, fitted.design.spec
    _refuse_arrays(spec)
    if data is None:
        frame = design.frame.reset_index(drop=True)
        if design.weights is None and design.frequencies is None:
            share = np.full(len(frame), 1 / len(frame))
        else:
            share = fitted.frequencies / fitted.frequencies.sum()
        return Rows(fitted, frame, design.x, design.offset, share, design.index)
    if spec.offset_kind == "array":
        raise ArgumentError("data: effects over another table need the offset as a column, and this model's is an array.")
    table = frames.as_frame(data)
    if fitted.settings.compat == "R":
        table = by_position(table, design.x_names, design.frame.columns)
    lacking = [name for name in absent if name not in table.columns]
    if lacking:
        own = design.frame
        table = table.assign(**{name: pd.Series([own[name].iloc[0]] * len(table), table.index, own[name].dtype)
                                for name in lacking})  # fmt: skip
    x, offset, index, complete = inputs(fitted, table, None)
    if not complete.any():
        raise DataError("data has no complete row to average over.")
    frame = table[list(design.frame.columns)].iloc[complete].reset_index(drop=True)
    m = int(complete.sum())
    kept = None if offset is None else np.ascontiguousarray(offset[:, complete])
    return Rows(fitted, frame, np.ascontiguousarray(x[:, complete]), kept, np.full(m, 1 / m), index[complete])


def replaced(frame: pd.DataFrame, values: Mapping[str, np.ndarray]) -> pd.DataFrame:
    """The rows with columns (m,) instead of others; their types are kept where the values allow."""
    out = frame.reset_index(drop=True)
    made = {}
    for name, new in values.items():
        dtype = frame[name].dtype
        if isinstance(dtype, pd.CategoricalDtype):
            made[name] = pd.Series(pd.Categorical(new, dtype=dtype))
        elif pd.api.types.is_bool_dtype(dtype) or not pd.api.types.is_numeric_dtype(dtype):
            made[name] = pd.Series(new, dtype=dtype)
        else:
            numbers = np.asarray(new, dtype=float)
            whole = pd.api.types.is_integer_dtype(dtype) and bool(np.all(numbers == np.floor(numbers)))
            made[name] = pd.Series(numbers.astype(dtype) if whole else numbers)
    return out.assign(**made)


def _spread(value: Any, m: int) -> np.ndarray:
    """A value, or m of them, as an array of m values."""
    many = isinstance(value, list | np.ndarray)
    values = list(value) if many else [value]
    array = np.array(values, dtype=object) if isinstance(values[0], str) else np.asarray(values)
    return array if many else np.repeat(array, m)


def _combinations(values: list[np.ndarray]) -> tuple[np.ndarray, np.ndarray]:
    """Number (m,) of each row's combination of values, and a row (u,) that has it."""
    code = np.zeros(values[0].size, np.int64)
    for column in values:
        own, seen = pd.factorize(column)
        code = code * len(seen) + own
    _, first, inverse = np.unique(code, return_index=True, return_inverse=True)
    return inverse.reshape(-1), first


# variables -------------------------------------------------------------------------------------------------


def _refuse_arrays(spec: Any) -> None:
    if getattr(spec, "tensors", ()):
        raise ArgumentError("effects need columns of numbers or factors; this model has array terms.")


def covariate(fitted: Fitted, name: Any) -> pd.Series:
    """One of the user's covariates at the rows of the fit.

    Raises
    ------
    ArgumentError
        Where the formula has no such covariate, or array terms.
    """
    _refuse_arrays(fitted.design.spec)
    known = fitted.design.spec.covariates
    text = str.__str__(name) if isinstance(name, str) else None
    if text not in known:
        raise ArgumentError(f"variable must be one of {', '.join(map(repr, known))}; got {shown(name)}.")
    return fitted.design.frame[text].reset_index(drop=True)


def chosen(fitted: Fitted, variables: Any) -> list[str]:
    """The covariates meant by ``variables=``: all but dates (each of which would be a level), one name or several.

    Raises
    ------
    ArgumentError
        Where the formula has no such covariate, or none but dates.
    """
    if variables is None:
        spec = fitted.design.spec
        names = [name for name in spec.covariates if spec.columns[name].kind != "time"]
        if spec.covariates and not names:
            raise ArgumentError(f"variables: {', '.join(map(repr, spec.covariates))} hold dates; name those that are meant.")
        return names
    words = "the name of a covariate, or several in a list"
    names = [variables] if isinstance(variables, str) else check_items(variables, "variables", words)
    if not names:
        raise ArgumentError(f"variables must be {words}; got {shown(variables)}.")
    return [str(covariate(fitted, name).name) for name in names]


def pair(fitted: Fitted, variable: Any) -> tuple[str, ...]:
    """The one or two covariates that ``variable=`` names.

    Raises
    ------
    ArgumentError
        For other than one or two different covariates.
    """
    words = "a covariate, or two different ones in a list"
    given = [variable] if isinstance(variable, str) else check_items(variable, "variable", words)
    names = tuple(str(covariate(fitted, name).name) for name in given[:3])
    if len(given) not in (1, 2) or len(set(names)) != len(names):
        raise ArgumentError(f"variable must be {words}; got {shown(variable)}.")
    return names


def is_time(values: pd.Series) -> bool:
    """Whether a column holds dates or durations."""
    return values.dtype.kind in "mM" if isinstance(values.dtype, np.dtype) else isinstance(values.dtype, pd.DatetimeTZDtype)


@kept
def takes_levels(fitted: Fitted, name: str) -> bool:
    """Whether a covariate takes levels rather than numbers.

    Strings, categories and booleans do; and so do numbers that the formula makes levels of, as ``C(n)``, such that a number
    between those observed has no level.
    """
    values = covariate(fitted, name)
    if pd.api.types.is_bool_dtype(values) or not pd.api.types.is_numeric_dtype(values):
        return True
    spec = fitted.design.spec
    coded = [e for e, (kind, known) in spec.matrix.levels.items() if kind == "categorical" and known is not None]
    if not any(name in names_in(e, "python", spec.covariates) for e in coded):
        return False
    seen = np.unique(values.to_numpy(dtype=float))
    between = (seen[:-1] + seen[1:]) / 2
    rows = rows_of(fitted)
    for value in between[:: max(1, between.size // PROBES)]:
        try:
            rows.encoded(replaced(rows.frame.iloc[[0]], {name: np.array([value])}))
        except DataError:
            return True
    return seen.size < 2


def levels(values: pd.Series) -> list[Any]:
    """Levels that occur: of a categorical column in the order of its categories, sorted otherwise."""
    if isinstance(values.dtype, pd.CategoricalDtype):
        present = set(values.unique())
        return [c for c in values.cat.categories if c in present]
    return sorted(values.unique().tolist())


def two_valued(values: pd.Series) -> bool:
    """Whether a numeric column has two values only, as an indicator has."""
    return values.nunique() == 2


def refuse_array_offset(fitted: Fitted, what: str) -> None:
    """Raise an ArgumentError where rows have an offset that no other row can have."""
    if fitted.design.spec.offset_kind == "array":
        raise ArgumentError(f"{what} needs the offset as a column of the data, not as an array.")


def typical(rows: Rows, at: str, names: Iterable[str]) -> Rows:
    """One row of means, medians or zeros of the columns; most frequent levels."""
    fitted, values = rows.fitted, {}
    refuse_array_offset(fitted, f"at={at!r}")
    coded = set(names)
    for name, column in rows.frame.items():
        if str(name) in coded:
            value: Any = column.mode().iloc[0]
        else:
            value = {"mean": column.mean(), "median": column.median(), "zero": 0.0}[at]
        values[str(name)] = _spread(value, 1)
    frame = replaced(rows.frame.iloc[[0]], values)
    x, offset = rows.encoded(frame)
    return Rows(fitted, frame, x, offset, np.ones(1), pd.RangeIndex(1))
