"""A table, or arrays, cut at a row: the first rows, and those behind them."""

from dataclasses import dataclass, replace
from typing import Any

import numpy as np
import pandas as pd

from neuralstat.errors import DataError
from neuralstat.formula import frames, vectors
from neuralstat.formula.partitions import Partitions, as_partitions
from neuralstat.formula.request import array_frame


@dataclass(frozen=True)
class Divided:
    """First rows and the others, each as it was given: data, and covariates where the model is of arrays.

    Attributes
    ----------
    head, tail : (data, exog)
    index : Index or None
        Labels of all rows; None where the data come in parts.
    cut : int or (N,) bool array
        Number of first rows; or which rows the others are.
    """

    head: tuple[Any, Any]
    tail: tuple[Any, Any]
    index: pd.Index | None
    cut: int | np.ndarray

    @property
    def first(self) -> slice | np.ndarray:
        """Positions of the first part's rows."""
        return slice(None, self.cut) if isinstance(self.cut, int) else np.flatnonzero(~self.cut)

    @property
    def last(self) -> slice | np.ndarray:
        """Positions of the other part's rows."""
        return slice(self.cut, None) if isinstance(self.cut, int) else np.flatnonzero(self.cut)

    def values(self, given: Any, argument: str) -> tuple[Any, Any]:
        """An argument with a value per row, cut alike; a column's name belongs to both parts."""
        if given is None or isinstance(given, str):
            return given, given
        if self.index is None:
            raise DataError(f"{argument} must be the name of a column where the data come in parts.")
        array = vectors.aligned(given, self.index, argument)
        return array[self.first], array[self.last]


def divide(formula: str | None, data: Any, exog: Any, cut: int | np.ndarray) -> Divided:
    """Cut data before row `cut`, counted from 0, or take the rows out that `cut` (N,) marks.

    Parameters
    ----------
    formula : str or None
        None for a model of arrays.
    data : table, or data in parts, or the response of a model of arrays
    exog : covariates of a model of arrays
    cut : int or (N,) bool array

    Raises
    ------
    DataError
        Where the data come in parts, and the rows that are marked are not the last ones.
    """
    if isinstance(cut, np.ndarray) and not cut[: cut.size - cut.sum()].any():
        cut = int(cut.size - cut.sum())
    if formula is None:
        y, x = array_frame(data, "endog", "y"), array_frame(exog, "exog", "x")
        if isinstance(data, pd.Series | pd.DataFrame):
            x.index = y.index
        made = Divided((None, None), (None, None), x.index, cut)
        return replace(made, head=(y.iloc[made.first], x.iloc[made.first]), tail=(y.iloc[made.last], x.iloc[made.last]))
    parts = as_partitions(data)
    if parts is not None:
        if not isinstance(cut, int):
            raise DataError("validation: clusters of data in parts must stand together: sort the rows by groups.")
        return Divided((rows(parts, 0, cut), None), (rows(parts, cut, None), None), None, cut)
    frame = frames.as_frame(data)
    made = Divided((None, None), (None, None), frame.index, cut)
    return replace(made, head=(frame.iloc[made.first], None), tail=(frame.iloc[made.last], None))


def rows(parts: Partitions, first: int, last: int | None) -> Partitions:
    """Rows of data in parts, from `first` and before `last` (all the others where None); empty parts are left out."""

    def tables() -> Any:
        at = 0
        for table in parts:
            begin, end = max(first - at, 0), len(table) if last is None else min(last - at, len(table))
            at += len(table)
            if begin < end:
                yield table.iloc[begin:end]
            if last is not None and at >= last:
                return

    return Partitions(tables, parts.what)


def tables(data: Any) -> Any:
    """The tables that data consist of: one, unless they come in parts."""
    parts = as_partitions(data)
    return iter([data]) if parts is None else iter(parts)
