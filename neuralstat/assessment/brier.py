"""The Brier score of predicted survival probabilities, with censored rows made up for by weights, at times and over time.

At time t a row's score is S(t)^2 / G(T-) where its event was at T <= t, (1 - S(t))^2 / G(t) where it was looked at beyond t,
0 where it was censored before; G is the probability of not being censored, by Kaplan and Meier. The mean over rows estimates
the mean squared error that would be without censoring, where censoring does not depend on covariates.

References
----------
Graf, Schmoor, Sauerbrei & Schumacher (1999), Statistics in Medicine 18:2529. Gerds & Schumacher (2006), Biometrical Journal
48:1029.
"""

from __future__ import annotations

import functools
from collections.abc import Callable
from typing import Any

import numpy as np
import pandas as pd

from ..checks.arguments import NONE, Anything, Numbers, arguments
from ..checks.values import told
from ..errors import ArgumentError
from ..likelihood.lifetimes import Censoring, Lifetimes, censoring, product_limit
from .concordance import checked

CELLS = 200  # of time, over which a score is integrated

Survival = Callable[[np.ndarray], np.ndarray]  # times (T,) to probabilities (T, n)


class BrierScore(float):
    """Brier score: the mean over the time from 0 to the last of `times`; of a single time the score then.

    Attributes
    ----------
    table : DataFrame
        Indexed by ``time``: ``brier``, and ``null``, the score of the Kaplan-Meier curve of the rows trained on.
    null : float
        What the value is of that curve.

    Examples
    --------
    >>> import neuralstat as ns
    >>> data = ns.datasets.lung()
    >>> fit = ns.neuralnet("Surv(time, status == 2) ~ age + sex", data, hidden=0, family="weibull")
    >>> score = fit.brier_score([200, 400])
    >>> round(float(score), 3), round(score.null, 3)  # and without covariates
    (0.171, 0.177)
    """

    table: pd.DataFrame
    null: float

    def __new__(cls, value: float, null: float, table: pd.DataFrame) -> BrierScore:
        """See the class."""
        self = super().__new__(cls, value)
        self.null, self.table = float(null), table
        return self

    def __getnewargs__(self) -> tuple[Any, ...]:
        """Arguments of `__new__`, for copies and pickles."""
        return float(self), self.null, self.table

    @property
    def r2(self) -> float:
        """Share of the Kaplan-Meier curve's score that the predictions do without."""
        return 1 - float(self) / self.null

    def __repr__(self) -> str:
        last = self.table.index[-1]
        when = f"at time {last:.4g}" if len(self.table) == 1 else f"over times 0 to {last:.4g}"
        return f"{float(self):.4g} Brier score {when} [Kaplan-Meier {self.null:.4g}]"

    __str__ = float.__repr__  # as a number, so that tables and f-strings stay numbers


def at_times(rows: Lifetimes, alive: np.ndarray, times: np.ndarray, left: Censoring) -> np.ndarray:
    """(T, n) scores of rows with probabilities `alive` (T, n) of living longer than times (T,)."""
    gone = np.where(rows.event, 1 / left.at(rows.stop, before=True), 0.0)
    beyond = 1 / left.at(times)[:, np.newaxis]
    return np.where(rows.stop > times[:, np.newaxis], np.square(1 - alive) * beyond, np.square(alive) * gone)


def integrated(rows: Lifetimes, survival: Survival, tau: float, left: Censoring) -> np.ndarray:
    """(n,) scores of rows, their means over the times from 0 to tau.

    Time is cut into `CELLS`; survival is taken in the middle of each, while what multiplies it, steps that G and the rows'
    own times make, is integrated exactly.
    """
    edges = np.linspace(0.0, tau, CELLS + 1)
    alive = survival((edges[1:] + edges[:-1]) / 2)
    ends = np.clip(rows.stop, edges[:-1, np.newaxis], edges[1:, np.newaxis])
    before = left.integral(ends) - left.integral(edges[:-1, np.newaxis])
    gone = np.where(rows.event, 1 / left.at(rows.stop, before=True), 0.0)
    after = (edges[1:, np.newaxis] - ends) * gone
    return (np.square(1 - alive) * before + np.square(alive) * after).sum(axis=0) / tau


def of_rows(rows: Lifetimes, survival: Survival, times: np.ndarray | None, train: Lifetimes) -> BrierScore:
    """The score of rows, with the censoring and the Kaplan-Meier curve of others; see `brier_score`."""
    left, curve = censoring(train), product_limit(train)

    def null(at: np.ndarray) -> np.ndarray:
        return np.repeat(curve.at(at)[:, np.newaxis], rows.stop.size, axis=1)

    tau = rows.last if times is None else float(times[-1])
    shown = tau * np.arange(1, 101) / 100 if times is None else times
    w = rows.weight / rows.weight.sum()
    table = {name: at_times(rows, one(shown), shown, left) @ w for name, one in (("brier", survival), ("null", null))}
    if times is not None and times.size == 1:
        whole = [float(column[0]) for column in table.values()]
    else:
        whole = [float(integrated(rows, one, tau, left) @ w) for one in (survival, null)]
    return BrierScore(whole[0], whole[1], pd.DataFrame(table, index=pd.Index(shown, name="time")))


def check_times(times: np.ndarray | None) -> np.ndarray | None:
    """Increasing times after 0.

    Raises
    ------
    ArgumentError
        Where they are not.
    """
    if times is None:
        return None
    times = np.atleast_1d(times)
    if times.ndim != 1 or not times.size or not np.all(times > 0) or not np.all(np.diff(times) > 0):
        raise ArgumentError("times must be numbers greater than 0, in increasing order.")
    return times


@arguments(
    time=Numbers(1, least=2), event=Numbers(1, least=2),
    survival=Anything("an array (n, times) of probabilities, or a function of times that gives one", np.full((2, 1), 0.5)),
    times=NONE | Numbers(None), weights=NONE | Numbers(1), train_time=NONE | Numbers(1, least=2),
    train_event=NONE | Numbers(1, least=2),
)  # fmt: skip
def brier_score(
    time: Any, event: Any, survival: Any, times: Any = None, *, weights: Any = None, train_time: Any = None,
    train_event: Any = None,
) -> BrierScore:  # fmt: skip
    """Brier score of probabilities to live longer, of rows that may be right censored.

    Parameters
    ----------
    time : (n,) array
        Of the event or of censoring.
    event : (n,) array of 0 and 1 (or bool)
    survival : (n, T) array or function
        Probability of each row to live longer than each of `times`. A function of times (T,) that gives such an array is
        integrated over time; an array is taken as linear between its times, and as 1 at time 0.
    times : number or (T,) array, optional
        In increasing order; with a function up to the last event where not given.
    weights : (n,) array, optional
        Case weights.
    train_time, train_event : arrays, optional
        Rows from which the probability G of not being censored (and the Kaplan-Meier curve beside) is estimated; these rows
        unless given. Beyond the time where G reaches 0, its last positive value is taken.

    Returns
    -------
    BrierScore
        A float: the mean score from time 0 to the last of `times`, of a single time the score then. ``table`` has the score
        at each time.

    Raises
    ------
    ArgumentError, DataError
        For arrays of different lengths, events other than 0 and 1, probabilities outside [0, 1]; where no row has an event.
    """
    rows = checked(time, event, None, weights)
    if (train_time is None) != (train_event is None):
        raise ArgumentError("train_time and train_event belong together: give both.")
    train = rows if train_time is None else checked(train_time, train_event, None, None)
    at = check_times(times)
    if not callable(survival):
        if at is None:
            raise ArgumentError("times: survival is an array, and needs the times of its columns.")
        survival = _between(at, _probabilities(survival, time.size, at.size))
        return of_rows(rows, survival, at, train)
    return of_rows(rows, functools.partial(_called, survival, time.size), at, train)


def _called(function: Any, n: int, times: np.ndarray) -> np.ndarray:
    """Probabilities (T, n) that a user's function gives."""
    try:
        found = function(times.copy())
    except Exception as error:
        raise ArgumentError(f"survival: the function raised {told(error)}"[:300]) from error
    return _probabilities(found, n, times.size).T


def _probabilities(values: Any, n: int, m: int) -> np.ndarray:
    found = Numbers(None).check(values, "survival")
    found = found[:, np.newaxis] if found.ndim == 1 and m == 1 else found
    if found.shape != (n, m) or not np.all((found >= 0) & (found <= 1)):
        raise ArgumentError(f"survival must be probabilities, {n} rows by {m} times; got shape {found.shape}.")
    return found


def _between(times: np.ndarray, alive: np.ndarray) -> Survival:
    """Probabilities (n, T) at times as a function, linear between them."""
    knots, values = np.concatenate([[0.0], times]), np.hstack([np.ones((len(alive), 1)), alive])

    def survival(at: np.ndarray) -> np.ndarray:
        place = np.clip(np.searchsorted(knots, at, side="right") - 1, 0, knots.size - 2)
        share = (at - knots[place]) / (knots[place + 1] - knots[place])
        return (values[:, place] * (1 - share) + values[:, place + 1] * share).T

    return survival
