"""A table, or arrays, cut at a row: the first rows, and those behind them."""

from dataclasses import dataclass
from typing import Any

import pandas as pd

from neuralstat.errors import DataError
from neuralstat.formula import frames
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
    cut : int
        Number of first rows.
    """

    head: tuple[Any, Any]
    tail: tuple[Any, Any]
    index: pd.Index | None
    cut: int

    def values(self, given: Any, argument: str) -> tuple[Any, Any]:
        """An argument with a value per row, cut alike; a column's name belongs to both parts."""
        if given is None or isinstance(given, str):
            return given, given
        if self.index is None:
            raise DataError(f"{argument} must be the name of a column where the data come in parts.")
        array = frames.aligned(given, self.index, argument)
        return array[: self.cut], array[self.cut :]


def divide(formula: str | None, data: Any, exog: Any, cut: int) -> Divided:
    """Cut data before row `cut`, counted from 0.

    Parameters
    ----------
    formula : str or None
        None for a model of arrays.
    data : table, or data in parts, or the response of a model of arrays
    exog : covariates of a model of arrays
    cut : int
    """
    if formula is None:
        y, x = array_frame(data, "endog", "y"), array_frame(exog, "exog", "x")
        if isinstance(data, pd.Series | pd.DataFrame):
            x.index = y.index
        return Divided((y.iloc[:cut], x.iloc[:cut]), (y.iloc[cut:], x.iloc[cut:]), x.index, cut)
    parts = as_partitions(data)
    if parts is not None:
        return Divided((rows(parts, 0, cut), None), (rows(parts, cut, None), None), None, cut)
    frame = frames.as_frame(data)
    return Divided((frame.iloc[:cut], None), (frame.iloc[cut:], None), frame.index, cut)


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
