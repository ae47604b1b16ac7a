"""Concordance of predicted and observed times to an event: the share of pairs in which who is predicted to lives longer.

Two rows can be compared where the earlier time is an event and the other row was at risk then: of equal times, where one is
an event and the other censored. Pairs are counted by sums over rows that come later and are ranked lower, n log n work.

References
----------
Harrell et al. (1982), JAMA 247:2543. Uno et al. (2011), Statistics in Medicine 30:1105. Therneau & Watson (2017), The
concordance statistic and the Cox model, Mayo Clinic technical report 85 (variance, rows that enter late).
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np

from ..checks.arguments import NONE, POSITIVE, Choice, Numbers, arguments
from ..errors import ArgumentError, DataError
from ..likelihood.lifetimes import Lifetimes, censoring

KIND = Choice("harrell", "uno")


class Concordance(float):
    """Share of comparable pairs whose predictions are in the order of their times, equal ones counted half.

    Attributes
    ----------
    concordant, discordant, tied : float
        Weights of pairs in order, out of order, and of equal predictions.
    se : float
        Standard error, the infinitesimal jackknife's (weights of "uno" taken as known).
    kind : str

    Examples
    --------
    >>> import neuralstat as ns
    >>> data = ns.datasets.lung()
    >>> fit = ns.neuralnet("Surv(time, status == 2) ~ age + sex", data, hidden=0, family="weibull")
    >>> found = fit.concordance()
    >>> round(float(found), 3), round(found.se, 3), found.kind
    (0.603, 0.025, 'harrell')
    """

    concordant: float
    discordant: float
    tied: float
    se: float
    kind: str

    def __new__(cls, value: float, concordant: float, discordant: float, tied: float, se: float, kind: str) -> Concordance:
        """See the class."""
        self = super().__new__(cls, value)
        self.concordant, self.discordant, self.tied, self.se, self.kind = concordant, discordant, tied, se, kind
        return self

    def __getnewargs__(self) -> tuple[Any, ...]:
        """Arguments of `__new__`, for copies and pickles."""
        return float(self), self.concordant, self.discordant, self.tied, self.se, self.kind

    @property
    def comparable(self) -> float:
        """Weight of all pairs that can be compared."""
        return self.concordant + self.discordant + self.tied

    def __repr__(self) -> str:
        return f"{float(self):.4g} (se {self.se:.2g}) {self.kind} concordance [{self.comparable:.6g} comparable pairs]"

    __str__ = float.__repr__  # as a number, so that tables and f-strings stay numbers


@dataclass(frozen=True)
class Pairs:
    """Comparable pairs by the row with the earlier time, (n,) each: all, in order, of equal predictions.

    `factor` is what a row's pairs count beside the other rows' weights, `others` sums over pairs of which a row is the later
    one: what they count, and that of those in order (of equal predictions half).
    """

    every: np.ndarray
    concordant: np.ndarray
    tied: np.ndarray
    factor: np.ndarray
    others: tuple[np.ndarray, np.ndarray]

    @property
    def losses(self) -> tuple[np.ndarray, np.ndarray]:
        """Share of each row's pairs that are out of order, and the weight of its pairs."""
        wrong = self.every - self.concordant - self.tied / 2
        return np.divide(wrong, self.every, out=np.zeros(wrong.shape), where=self.every > 0), self.factor * self.every


def pairs(rows: Lifetimes, score: np.ndarray, kind: str = "harrell", tau: float | None = None) -> Pairs:
    """Pairs of rows with predictions (n,), the larger the longer; see `concordance`."""
    place = np.unique(np.concatenate([rows.stop, rows.start]), return_inverse=True)[1]
    n, w = rows.stop.size, rows.weight
    # of equal times events come first, then censorings and entries, which are alike: at risk are stop's less start's
    stop, start = 2 * place[:n] + ~rows.event, 2 * place[n:] + 1
    levels, rank = np.unique(score, return_inverse=True)
    counts = rows.event if tau is None else rows.event & (rows.stop < tau)
    factor = np.where(counts, 1.0, 0.0)
    if kind == "uno":
        factor[counts] /= censoring(rows).at(rows.stop[counts], before=True) ** 2
    factor = factor * w

    def later(below: np.ndarray) -> np.ndarray:
        found = np.zeros(n)
        at, least = stop[counts], below[counts]
        found[counts] = _sums(stop, rank, w, at, least) - (_sums(start, rank, w, at, least) if rows.late else 0.0)
        return found

    def earlier(below: np.ndarray) -> np.ndarray:
        events, of, v = -stop[counts], rank[counts], factor[counts]
        before = _sums(events, of, v, -stop, below)
        return before - (_sums(events, of, v, -start, below) if rows.late else 0.0)

    most = np.full(n, levels.size)
    (low, up_to, every), (below, equal, seen) = (
        [count(at) for at in (rank, rank + 1, most)] for count in (later, earlier)
    )
    return Pairs(every, every - up_to, up_to - low, factor, (seen, below + (equal - below) / 2))


def _sums(key: np.ndarray, rank: np.ndarray, weight: np.ndarray, at: np.ndarray, below: np.ndarray) -> np.ndarray:
    """For each query the weight of points with a key above `at` and a rank under `below`.

    Points in falling order of keys are sorted by one bit of their ranks after the other (a wavelet matrix): for each bit the
    points of a query lie in one piece.
    """
    order = np.argsort(-key, kind="stable")
    rank, weight = rank[order], weight[order]
    left, right = np.zeros(at.size, np.int64), np.searchsorted(-key[order], -at, side="left")
    total = np.zeros(at.size)
    top = int(max(rank.max(initial=0), below.max(initial=0))).bit_length()
    for bit in range(top - 1, -1, -1):
        one = (rank >> bit) & 1
        zeros = np.concatenate([[0], np.cumsum(1 - one)])
        weights = np.concatenate([[0.0], np.cumsum(np.where(one, 0.0, weight))])
        up = (below >> bit) & 1 == 1
        total += np.where(up, weights[right] - weights[left], 0.0)
        left = np.where(up, zeros[-1] + left - zeros[left], zeros[left])
        right = np.where(up, zeros[-1] + right - zeros[right], zeros[right])
        order = np.argsort(one, kind="stable")
        rank, weight = rank[order], weight[order]
    return total


def of_rows(rows: Lifetimes, score: np.ndarray, kind: str = "harrell", tau: float | None = None) -> Concordance:
    """Concordance of rows and their predictions; see `concordance`.

    Raises
    ------
    DataError
        Where no two rows can be compared.
    """
    found = pairs(rows, score, kind, tau)
    total = float(found.factor @ found.every)
    if not total > 0:
        raise DataError("no two rows can be compared: of two the earlier time must be an event, the other row at risk then.")
    concordant, tied = (float(found.factor @ v) for v in (found.concordant, found.tied))
    value = (concordant + tied / 2) / total
    seen, good = found.others
    # d value / d weight of a row, which is the earlier one of some pairs and the later one of others
    own = found.factor * (found.concordant + found.tied / 2 - value * found.every)
    moved = (own + rows.weight * (good - value * seen)) / total
    return Concordance(value, concordant, total - concordant - tied, tied, float(np.sqrt(np.sum(moved**2))), kind)


@arguments(
    time=Numbers(1, least=2), event=Numbers(1, least=2), prediction=Numbers(1, least=2), start=NONE | Numbers(1),
    weights=NONE | Numbers(1), kind=KIND, tau=NONE | POSITIVE,
)
def concordance(
    time: Any, event: Any, prediction: Any, *, start: Any = None, weights: Any = None, kind: str = "harrell",
    tau: float | None = None,
) -> Concordance:  # fmt: skip
    """Concordance of predictions with times to an event, right censored or looked at late.

    Parameters
    ----------
    time : (n,) array
        Of the event or of censoring.
    event : (n,) array of 0 and 1 (or bool)
    prediction : (n,) array
        The larger, the longer the predicted time. Of a hazard or a risk its negative.
    start : (n,) array, optional
        Times from which on rows were looked at: a row is compared at the events after it only, as R's ``concordance`` does.
    weights : (n,) array, optional
        A pair counts the product of its rows' weights.
    kind : {"harrell", "uno"}
        "uno" weighs pairs by one over the square of the probability G(t-) of not being censored before the event, so that the
        value does not depend on the censoring; not for `start`.
    tau : float, optional
        Only pairs whose event is before tau count.

    Returns
    -------
    Concordance
        A float with ``concordant``, ``discordant``, ``tied`` and ``se``.

    Raises
    ------
    ArgumentError, DataError
        For arrays of different lengths, events other than 0 and 1; where no two rows can be compared.
    """
    return of_rows(checked(time, event, start, weights, prediction=prediction, kind=kind), prediction, kind, tau)


def checked(time: np.ndarray, event: np.ndarray, start: Any, weights: Any, kind: str = "harrell", **more: Any) -> Lifetimes:
    """Rows of arrays of numbers.

    Raises
    ------
    ArgumentError
        Where their lengths differ, or values are not possible.
    """
    for name, given in (("event", event), ("start", start), ("weights", weights), *more.items()):
        if given is not None and len(given) != time.size:
            raise ArgumentError(f"{name} must have {time.size} values, one per time; it has {len(given)}.")
    if not np.isin(event, (0, 1)).all():
        raise ArgumentError("event must be 0 or 1 (or False and True), 1 where the time is that of the event.")
    if start is not None and not np.all(start < time):
        raise ArgumentError("start must be less than time.")
    if weights is not None and not (np.all(weights >= 0) and np.any(weights > 0)):
        raise ArgumentError("weights must not be negative, nor all 0.")
    if kind == "uno" and start is not None and np.any(start > 0):
        raise ArgumentError("kind='uno' is of rows that were looked at from 0 on: give no start.")
    begin = np.full(time.shape, -np.inf) if start is None else start
    return Lifetimes(begin, time, event == 1, np.ones(time.shape) if weights is None else weights)
