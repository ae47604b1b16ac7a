"""The first look at data in parts: levels of factors, missing values, numbers of rows; what such data cannot have."""

import warnings
import zlib
from collections.abc import Mapping
from dataclasses import replace
from typing import TYPE_CHECKING, Any

import numpy as np
import pandas as pd

from neuralstat.errors import ArgumentError, DataError, DataWarning
from neuralstat.formula import build, expressions, frames, rows
from neuralstat.formula.parts import Column, Design
from neuralstat.formula.request import Options, Request, formula_request

if TYPE_CHECKING:
    from neuralstat.formula.learned import Source

HEAD = 20  # rows of every partition that the formula is tried on
LEVELS = 10_000  # most levels of a factor

_DEFAULTS: dict[str, Any] = {
    "weights": None, "offset": None, "missing": "drop", "standardize": False, "scale_response": False, "err_needs": None,
    "factor_outputs": "all", "class_order": "categories", "freq_weights": None, "var_weights": None,
    "groups": None,
}  # fmt: skip


def options_of(given: Mapping[str, Any]) -> Options:
    """Options of data in parts; `ArgumentError` where arguments per row are no names of columns."""
    options = Options(**{**_DEFAULTS, **given})
    for name, value in options.per_row.items():
        if not isinstance(value, str):
            raise ArgumentError(f"{name} must be the name of a column where the data come in parts.")
    return options


class Look:
    """What the first pass finds: rows that show every level of every factor, missing values by column, numbers of rows.

    Parameters
    ----------
    formula, options, context
        As in `partitioned_design`.
    """

    def __init__(self, formula: str, options: Options, context: Mapping[str, Any] | None) -> None:
        self.formula, self.options, self.context = formula, options, context
        self.pieces: list[pd.DataFrame] = []
        self.counts: dict[str, int] = {}
        self.total = self.used = 0
        self.read = Read()
        self._seen: dict[str, set[Any]] = {}
        self._needed: tuple[str, ...] | None = None
        self._coded: set[str] = set()
        self._read_by_formula: tuple[str, ...] = ()

    def update(self, table: pd.DataFrame) -> None:
        """Look at a part of the data."""
        self.total += len(table)
        if self._needed is None:
            request = formula_request(self.formula, table.iloc[:HEAD], self.options, self.context)
            self._needed, self._coded, self._read_by_formula = _columns(request, self.options)
        needed = self._needed
        raw = pd.DataFrame({name: column(table, name) for name in needed}, index=table.index)
        self.read.update(raw)
        gaps = {name: frames.missing(raw[name]) for name in needed}
        for name, gap in gaps.items():
            if gap.any():
                self.counts[name] = self.counts.get(name, 0) + int(gap.sum())
        complete = np.flatnonzero(~np.logical_or.reduce([np.zeros(len(raw), bool), *gaps.values()]))
        take = set(complete[:HEAD].tolist())
        self.used += complete.size
        for name in needed:
            if name == self.options.groups and name not in self._read_by_formula:
                continue  # labels of clusters, which may be many, are numbered in the second pass
            take |= _new_levels(raw[name], complete, self._seen.setdefault(name, set()), name, name in self._coded)
        if take:
            self.pieces.append(raw.iloc[sorted(take)])

    def template(self) -> pd.DataFrame:
        """The rows that show every level.

        Raises
        ------
        DataError
            Where no row is complete, or some are not and may not be.
        """
        if self._needed is None or self.total == 0:
            raise DataError("no rows to fit: the data have no rows.")
        listed = ", ".join(f"{name!r} ({count})" for name, count in self.counts.items())
        if not self.used:
            raise DataError(f"no rows to fit: every row misses a value: {listed}.")
        if self.counts and self.options.missing == "raise":
            raise DataError(f"missing values in {listed}; remove or fill them, or use missing='drop'.")
        return pd.concat(self.pieces, ignore_index=True)

    def spec(self, source: "Source") -> Design:
        """The design of `template`: what it says of columns, levels and outputs is that of all rows.

        Parameters
        ----------
        source : learned.Source
            All rows, which states of transforms are found from.

        Raises
        ------
        ArgumentError
            For what needs all rows at once.
        DataError
            Where the data do not fit.
        """
        from neuralstat.formula.learned import Asked, refusal, states
        from neuralstat.formula.unstable import is_unstable, unstable_terms

        options, template = self.options, self.template()
        assert self._needed is not None
        with warnings.catch_warnings():
            warnings.simplefilter("ignore", DataWarning)  # of rows that are no numbers: counted later, over all rows
            request = formula_request(self.formula, template, options, self.context)
            clean = rows.clean(template, self._read_by_formula, np.arange(len(template)))
            kinds = {name: Column.of(clean[name]) for name in clean}
            found = states(Asked(_calls(request), self._needed, kinds, request.scope), template, source)
            alike = replace(options, standardize=False, scale_response=False, err_needs=None)
            made = build.carried_out(request, alike, build.Known(found, self.used))
            frame = made.frame.reset_index(drop=True)
            loose = unstable_terms(made.spec.matrix, made.x, frame, request.scope, both=True)
            loose += [expr for slot, expr in _calls(request)
                      if slot is not None and is_unstable(expr, clean, request.scope, found.get(slot, {}))]  # fmt: skip
        if loose:
            raise refusal(loose[0])
        return made


def _columns(request: Request, options: Options) -> tuple[tuple[str, ...], set[str], tuple[str, ...]]:
    """Columns that are read; those inside ``C()``, whose numbers are levels; those that the formula reads."""
    from neuralstat.formula.matrix import term_expressions

    if request.tensors or request.derived:
        name = request.tensors[0].name if request.tensors else request.derived[0].name
        raise ArgumentError(f"formula: {name!r} needs neighbouring rows or arrays, which data in parts do not have.")
    texts = [
        *term_expressions(request.terms), *((expr, "python") for expr in request.offsets),
        *((r.expr, r.method) for r in request.responses),
    ]  # fmt: skip
    for expr, method in texts:
        if method == "python" and "lag" in expressions.called(expr):
            raise ArgumentError(
                f"formula: `{expressions.display(expr)}` needs neighbouring rows, which data in parts do not have."
            )
    names = rows.columns_read(texts, request.x_frame, request.context, "formula")
    more = [a for a in options.per_row.values() if isinstance(a, str)]
    coded = {
        name for expr, method in texts if method == "python" and "C" in expressions.called(expr)
        for name in expressions.names(expr)
    }  # fmt: skip
    return tuple(dict.fromkeys((*names, *more))), coded, names


def _calls(request: Request) -> tuple[tuple[str | None, str], ...]:
    """Expressions that may call transforms, with what their states are kept by: None for all of the right-hand side."""
    from neuralstat.formula.matrix import term_expressions

    right = [(None, expr) for expr, method in term_expressions(request.terms) if method == "python"]
    left = [(r.expr, r.expr) for r in request.responses if r.method == "python"]
    return (*right, *left, *((expr, expr) for expr in request.offsets))


def column(table: pd.DataFrame, name: str) -> pd.Series:
    """A column of a part; `DataError` where there is none."""
    if name not in table.columns:
        raise DataError(f"a part of the data lacks a column: {frames.no_column(name, table)}")
    return frames.take(table, name)


def _new_levels(values: pd.Series, complete: np.ndarray, seen: set[Any], name: str, coded: bool) -> set[int]:
    """Positions of the first rows with levels that were not seen yet."""
    dtype = values.dtype
    numeric = pd.api.types.is_numeric_dtype(dtype) and not pd.api.types.is_bool_dtype(dtype)
    if (numeric and not coded) or not complete.size:
        return set()
    codes, levels = pd.factorize(values.iloc[complete])
    new = [k for k, level in enumerate(levels) if level not in seen]
    dates = frames.holds_dates(values.iloc[complete])
    if dates and len(seen) + len(new) > LEVELS:  # numbers are made of so many; names of days are seen by then
        return set()
    seen.update(levels[k] for k in new)
    if len(seen) > LEVELS:
        raise DataError(f"column {name!r} has more than {LEVELS} different values, too many for a factor.")
    first = {}
    wanted = set(new)
    for at, code in enumerate(codes) if new else ():
        if code in wanted and code not in first:
            first[code] = int(complete[at])
            if len(first) == len(wanted):
                break
    return set(first.values())


class Read:
    """Sums (CRC) of columns that are read in parts, however they are cut."""

    def __init__(self) -> None:
        self.sums: dict[str, int] = {}

    def update(self, table: pd.DataFrame) -> None:
        """Go on with the rows of a table."""
        for name in table.columns:
            self.sums[name] = zlib.crc32(_bytes(table[name]), self.sums.get(name, 0))


def _bytes(values: pd.Series) -> Any:
    """Values of a column, the same for equal ones."""
    kind = values.dtype
    if pd.api.types.is_numeric_dtype(kind) and not pd.api.types.is_complex_dtype(kind):
        return np.ascontiguousarray(values.to_numpy(dtype=np.float64, na_value=np.nan))
    try:
        return pd.util.hash_pandas_object(values, index=False).to_numpy()
    except TypeError:  # what cannot be hashed, such as lists
        return "\0".join(map(repr, values)).encode("utf-8", "backslashreplace")
