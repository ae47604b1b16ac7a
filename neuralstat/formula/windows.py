"""Windows of a time-ordered variable: lags, leads and centred windows as one array per row."""

import warnings
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import pandas as pd

from neuralstat.errors import ArgumentError, DataError, DataWarning, caller

TIMES = pd.DatetimeIndex | pd.PeriodIndex | pd.TimedeltaIndex
# A step is as usual within 10 % (months, quarters, days of 23 hours); from half as much again on, something is missing.
NEAR, MISSING = 0.1, 1.5
FEWEST = 3  # steps of a group that tell its own usual step


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
    if not isinstance(index, TIMES):
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


@dataclass(frozen=True)
class Gaps:
    """Where the rows of a time index, in its order, skip some times.

    Attributes
    ----------
    before, after : int
        Positions of the rows around the first gap.
    count : int
    usual : str
        The step between the others.
    """

    before: int
    after: int
    count: int
    usual: str


def find_gaps(index: pd.Index, groups: np.ndarray | None = None) -> Gaps | None:
    """The gaps of a time index, within every group; None where there are none, or where times are not regular.

    Periods are regular by their frequency. Dates are where most of their steps are alike, as of hours, days, months; dates
    of which none falls on a weekend are working days.

    Parameters
    ----------
    index : Index
    groups : (n,) int array, optional
        -1 is no group.
    """
    if not isinstance(index, TIMES) or len(index) < FEWEST or index.hasnans:
        return None
    code = np.zeros(len(index), np.int64) if groups is None else groups
    order = np.argsort(code, kind="stable")
    order = order[code[order] >= 0]
    inside = np.diff(code[order]) == 0
    before, after, own = order[:-1][inside], order[1:][inside], code[order][1:][inside]
    times, usual = _ordinals(index, before, after)
    steps = (times[after] - times[before]).astype(np.float64)
    expected = np.ones(steps.size) if usual else _expected(steps, own)
    wide = np.flatnonzero(steps > MISSING * expected)  # NaN, where times are not regular, is never exceeded
    if not wide.size:
        return None
    first = wide[np.argmin(before[wide])]
    if not usual:
        like = np.argmin(np.abs(steps / expected[first] - 1))
        usual = str(index[after[like]] - index[before[like]]).removesuffix(" 00:00:00").removeprefix("0 days ")
    return Gaps(int(before[first]), int(after[first]), int(wide.size), usual)


def _ordinals(index: Any, before: np.ndarray, after: np.ndarray) -> tuple[np.ndarray, str]:
    """Times as numbers, and what a step of 1 is called where that is what they count."""
    if isinstance(index, pd.PeriodIndex):
        return index.asi8, f"1 {index.freqstr}"
    if isinstance(index, pd.DatetimeIndex) and before.size and (index.day_of_week < 5).all():
        days = index.tz_localize(None).normalize().to_numpy().astype("datetime64[D]")
        if np.median((days[after] - days[before]).astype(np.int64)) == 1:
            return np.busday_count(np.datetime64("1970-01-01"), days), "1 working day"
    return index.asi8, ""


def _expected(steps: np.ndarray, groups: np.ndarray) -> np.ndarray:
    """The usual step at every step, NaN where steps are not alike; of the step's group, or of all where that has few."""
    table = pd.DataFrame({"step": steps, "group": groups})
    own = _usual(table, table["group"])
    few = table.groupby("group")["step"].transform("size") < FEWEST
    return own.where(~few, _usual(table, pd.Series(0, table.index))).to_numpy()


def _usual(table: pd.DataFrame, key: pd.Series) -> pd.Series:
    """Median step by group, NaN where fewer than half of the steps are near it."""
    middle = table["step"].groupby(key).transform("median")
    alike = (table["step"] / middle - 1).abs() <= NEAR
    return middle.where(alike.groupby(key).transform("mean") >= 0.5)


def warn_gaps(index: pd.Index, by: pd.Series | None, terms: Sequence[str]) -> None:
    """Warn where windows, which count rows, reach across times that are missing; the gap is named."""
    found = find_gaps(index, group_numbers(by))
    if found is None:
        return
    group = "" if by is None else f" in the group {by.iloc[found.after]!r}"
    more = "" if found.count == 1 else f", and {found.count - 1} more gap(s)"
    warnings.warn(
        f"{', '.join(f'`{term}`' for term in terms)}: windows count rows, but the index has a gap from "
        f"{index[found.before]} to {index[found.after]}{group}, where the usual step is {found.usual}{more}: windows behind "
        "it mix times. Add the missing times as rows (DataFrame.asfreq does), and rows whose windows reach into them drop "
        "out; or number the unbroken stretches, and name that column by=.",
        DataWarning,
        stacklevel=caller(),
    )


def window_names(name: str, shifts: Sequence[int]) -> tuple[str, ...]:
    """``flow.lag2``, ``flow.lag1``, ``flow.lead0``, ``flow.lead1``, ..."""
    return tuple(f"{name}.lag{-s}" if s < 0 else f"{name}.lead{s}" for s in shifts)
