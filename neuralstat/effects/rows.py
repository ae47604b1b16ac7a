"""Made-up rows: the data, or another table, with one or two of the user's variables set to other values.

Only those columns of the design are made anew that read a changed variable, and these from the distinct values alone: a
profile over 50 values of 50,000 rows encodes 50 rows.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import pandas as pd

from ..errors import ArgumentError, DataError
from ..fitted import Fitted, kept
from ..formula import expressions, frames
from ..formula.rcompat import by_position
from ..inference.predict import inputs

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
        reads, offset_reads = _reads(self.fitted)
        touched = [d for d, names in enumerate(reads) if names & changes.keys()]
        alone = all(reads[d] <= changes.keys() for d in touched) and not offset_reads & changes.keys()
        if alone:
            code, first = _combinations(list(values.values()))
            if 2 * first.size <= m or m == 1:
                few = replaced(self.frame.iloc[np.zeros(first.size, int)], {n: v[first] for n, v in values.items()})
                x = self.x.copy()
                x[touched] = self._encoded(few)[0][touched][:, code]
                return x, self.offset
        x, offset = self._encoded(replaced(self.frame, values))
        return (x, offset) if offset_reads & changes.keys() else (x, self.offset)

    def at(self, changes: Mapping[str, Any], rows: np.ndarray) -> Rows:
        """The `rows` (positions) with variables set to other values, as rows of their own."""
        x, offset = self.moved(changes)
        frame = replaced(self.frame, {n: _spread(v, len(self.frame)) for n, v in changes.items()})
        kept = None if offset is None else np.ascontiguousarray(offset[:, rows])
        return Rows(self.fitted, frame.iloc[rows], x[:, rows], kept, self.share[rows], self.index[rows])

    def _encoded(self, frame: pd.DataFrame) -> tuple[np.ndarray, np.ndarray | None]:
        if self.fitted.design.spec.offset_kind == "array":  # beside the frame: these rows keep theirs
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
    if getattr(spec, "tensors", ()):
        raise ArgumentError("effects need columns of numbers or factors; this model has array terms.")
    if data is None:
        frame = design.frame.reset_index(drop=True)
        share = (fitted.case_weights > 0).astype(float)
        return Rows(fitted, frame, design.x, design.offset, share / share.sum(), design.index)
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
    """A value, or m of them, as m values."""
    if isinstance(value, np.ndarray) and value.ndim == 1:
        return value
    one = np.empty(1, dtype=object if isinstance(value, str) else None)
    one[0] = value
    return np.repeat(one if isinstance(value, str) else np.asarray([value]), m)


def _combinations(values: list[np.ndarray]) -> tuple[np.ndarray, np.ndarray]:
    """Number (m,) of each row's combination of values, and a row (u,) that has it."""
    code = np.zeros(values[0].size, np.int64)
    for column in values:
        own, seen = pd.factorize(column)
        code = code * len(seen) + own
    _, first, inverse = np.unique(code, return_index=True, return_inverse=True)
    return inverse.reshape(-1), first


@kept
def _reads(fitted: Fitted) -> tuple[list[frozenset[str]], frozenset[str]]:
    """Columns that every row of x reads, and those that the offset reads."""
    spec = fitted.design.spec
    columns = (*spec.covariates, *spec.offset_columns)
    reads: list[frozenset[str]] = []
    for term in spec.matrix.terms:
        if term.is_intercept:
            continue
        names: set[str] = set()
        for text, method in term.factors:
            names |= _names(text, method, columns)
        reads += [frozenset(names)] * len(term.columns)
    if len(reads) != len(spec.x_names):
        raise AssertionError(f"{len(reads)} columns by term, {len(spec.x_names)} of the design")
    known = [] if spec.offset_argument is None else [spec.offset_argument]
    for text in spec.offset_terms:
        known += [n for n in expressions.names(text) if n in columns]
    return reads, frozenset(known)


def _names(text: str, method: str, columns: tuple[str, ...]) -> set[str]:
    """Columns that a factor of a term reads."""
    if method == "literal":
        return set()
    return {text} if text in columns else {n for n in expressions.names(text) if n in columns}


# variables -------------------------------------------------------------------------------------------------


def covariate(fitted: Fitted, name: Any) -> pd.Series:
    """One of the user's covariates at the rows of the fit.

    Raises
    ------
    ArgumentError
        Where the formula has no such covariate.
    """
    known = fitted.design.spec.covariates
    if not isinstance(name, str) or name not in known:
        raise ArgumentError(f"variable must be one of {', '.join(map(repr, known))}; got {name!r}.")
    return fitted.design.frame[name].reset_index(drop=True)


def chosen(fitted: Fitted, variables: Any) -> list[str]:
    """The covariates meant by ``variables=``: all, one name or several.

    Raises
    ------
    ArgumentError
        Where the formula has no such covariate.
    """
    if variables is None:
        return list(fitted.design.spec.covariates)
    names = [variables] if isinstance(variables, str) else list(variables)
    return [str(covariate(fitted, name).name) for name in names]


def pair(fitted: Fitted, variable: Any) -> tuple[str, ...]:
    """The one or two covariates that ``variable=`` names.

    Raises
    ------
    ArgumentError
        For other than one or two different covariates.
    """
    names = (variable,) if isinstance(variable, str) else tuple(variable) if np.iterable(variable) else (variable,)
    if len(names) not in (1, 2) or len(set(names)) != len(names):
        raise ArgumentError(f"variable must be a covariate, or two different ones in a list; got {variable!r}.")
    return tuple(str(covariate(fitted, name).name) for name in names)


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
    if not any(name in _names(e, "python", spec.covariates) for e in coded):
        return False
    seen = np.unique(values.to_numpy(dtype=float))
    between = (seen[:-1] + seen[1:]) / 2
    rows = rows_of(fitted)
    for value in between[:: max(1, between.size // PROBES)]:
        try:
            rows._encoded(replaced(rows.frame.iloc[[0]], {name: np.array([value])}))
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


def typical(rows: Rows, at: str, names: Iterable[str]) -> Rows:
    """One row of means, medians or zeros of the columns; most frequent levels."""
    fitted, values = rows.fitted, {}
    if fitted.design.spec.offset_kind == "array":
        raise ArgumentError(f"at={at!r} needs the offset as a column of the data, not as an array.")
    coded = set(names)
    for name, column in rows.frame.items():
        if str(name) in coded:
            value: Any = column.mode().iloc[0]
        else:
            value = {"mean": column.mean(), "median": column.median(), "zero": 0.0}[at]
        values[str(name)] = _spread(value, 1)
    frame = replaced(rows.frame.iloc[[0]], values)
    x, offset = rows._encoded(frame)
    return Rows(fitted, frame, x, offset, np.ones(1), pd.RangeIndex(1))
