"""Windows of a time-ordered variable: lags, leads and centred windows as one array per row."""

from collections.abc import Sequence
from typing import Any

import numpy as np
import pandas as pd

from neuralstat.errors import ArgumentError, DataError


def window_shifts(function: str, k: Any, start: Any) -> tuple[int, ...]:
    """Rows that ``lags(v, k)``, ``leads(v, k)``, ``window(v, h)`` take.

    ``lags`` are the k values before the row: shifts -k, ..., -1 (``start=0``: -k + 1, ..., 0). ``leads`` are the k
    values from the row on: 0, ..., k - 1 (``start=1``: 1, ..., k). So ``y ~ lags(y, 6)`` is an autoregression, and
    ``leads(y, 24) ~ lags(y, 6)`` leaves no gap and uses no value twice: the row is the first time that is forecast.
    ``window`` is centred: -h, ..., h.

    Raises
    ------
    ArgumentError
        Where k is no whole number >= 1 (h: >= 0), or start is none.
    """
    least = 0 if function == "window" else 1
    for name, value, low in (("the number of rows", k, least), ("start", start, None)):
        if isinstance(value, bool) or not isinstance(value, int) or (low is not None and value < low):
            bound = "" if low is None else f" >= {low}"
            raise ArgumentError(f"formula: {function}(): {name} must be a whole number{bound}, got {value!r}.")
    if function == "lags":
        return tuple(range(-start - k + 1, -start + 1))
    if function == "leads":
        return tuple(range(start, start + k))
    return tuple(range(-k, k + 1))


def windows(values: np.ndarray, shifts: Sequence[int], groups: np.ndarray | None = None) -> np.ndarray:
    """Values (n,) at the shifted rows, shape (n, k, 1); NaN beyond the ends of the data or of a row's group.

    Parameters
    ----------
    values : (n,) array
    shifts : sequence of int
    groups : (n,) int array, optional
        Group of each row, whose rows are in order of time; -1 is no group.
    """
    n = values.size
    out = np.full((n, len(shifts), 1), np.nan)
    groups = np.zeros(n, np.int64) if groups is None else groups
    order = np.argsort(groups, kind="stable")
    sorted_values, sorted_groups = values[order], groups[order]
    at = np.arange(n)
    for j, shift in enumerate(shifts):
        source = at + shift
        inside = (source >= 0) & (source < n)
        inside[inside] = sorted_groups[source[inside]] == sorted_groups[inside]
        inside &= sorted_groups >= 0
        column = np.full(n, np.nan)
        column[inside] = sorted_values[source[inside]]
        out[order, j, 0] = column
    return out


def group_numbers(by: pd.Series | None) -> np.ndarray | None:
    """Number of each row's group, -1 where it is missing."""
    return None if by is None else pd.factorize(by, use_na_sentinel=True)[0]


def check_order(index: pd.Index, groups: np.ndarray | None, text: str) -> None:
    """Raise `DataError` where a time index does not rise, within every group."""
    if not isinstance(index, pd.DatetimeIndex | pd.PeriodIndex | pd.TimedeltaIndex):
        return
    times = index.asi8
    for group in [0] if groups is None else np.unique(groups[groups >= 0]):
        own = times if groups is None else times[groups == group]
        if np.any(np.diff(own) <= 0):
            more = "" if groups is None else " within a group"
            hint = "; sort the data by time" + (
                ", or give by= where there are several series" if groups is None else ""
            )
            raise DataError(f"formula: {text} needs rows in order of time, but the index does not rise{more}{hint}.")


def window_names(name: str, shifts: Sequence[int]) -> tuple[str, ...]:
    """``flow.lag2``, ``flow.lag1``, ``flow.lead0``, ``flow.lead1``, ..."""
    return tuple(f"{name}.lag{-s}" if s < 0 else f"{name}.lead{s}" for s in shifts)
