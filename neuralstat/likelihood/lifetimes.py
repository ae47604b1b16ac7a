"""Times to an event, some of them censored or looked at late: who is at risk when, Kaplan and Meier's curve and its kin.

Arrays only: `start` and `stop` bound the time in which a row was looked at, (start, stop]; `event` says whether it ended with
the event. At equal times events come before censorings, and rows enter after both.

References
----------
Kaplan & Meier (1958), JASA 53:457. Nelson (1972), Technometrics 14:945. Aalen (1978), Annals of Statistics 6:701. Brookmeyer
and Crowley (1982), Biometrics 38:29 (intervals of quantiles). Kalbfleisch & Prentice (2002), The Statistical Analysis of
Failure Time Data, 2nd ed., section 1.4.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np

from ..errors import ArgumentError, DataError
from ..families import Survival
from ..fitted import Fitted
from ..training.surv import coded

SAME = 1e-9  # share of the rows at risk by which sums of weights are off, at most


@dataclass(frozen=True)
class Lifetimes:
    """Rows: (n,) start (0: from the beginning), stop, event (bool) and weight."""

    start: np.ndarray
    stop: np.ndarray
    event: np.ndarray
    weight: np.ndarray

    @classmethod
    def of(cls, stop: Any, event: Any, start: Any = None, weight: Any = None) -> Lifetimes:
        """Rows from arrays; those of weight 0 are left out."""
        stop, event = np.asarray(stop, dtype=float), np.asarray(event, dtype=bool)
        begin = np.full(stop.shape, -np.inf) if start is None else np.asarray(start, dtype=float)
        w = np.ones(stop.shape) if weight is None else np.asarray(weight, dtype=float)
        return cls(begin, stop, event, w).at(w > 0)

    def at(self, rows: np.ndarray) -> Lifetimes:
        """Some of the rows."""
        return Lifetimes(self.start[rows], self.stop[rows], self.event[rows], self.weight[rows])

    @property
    def late(self) -> bool:
        """Whether some rows were looked at from a later time on only."""
        return bool(np.any(self.start > 0))

    @property
    def last(self) -> float:
        """The time of the last event.

        Raises
        ------
        DataError
            Where there is none.
        """
        if not self.event.any():
            raise DataError("no row has an event: all times are censored.")
        return float(self.stop[self.event].max())

    def at_risk(self, times: np.ndarray) -> np.ndarray:
        """Weight of the rows at risk at times: start < t <= stop."""
        return _from(self.stop, self.weight, times) - _from(self.start, self.weight, times)


def _from(values: np.ndarray, weight: np.ndarray, times: np.ndarray) -> np.ndarray:
    """Weight of the values at or beyond each time."""
    order = np.argsort(values, kind="stable")
    behind = np.concatenate([np.cumsum(weight[order][::-1])[::-1], [0.0]])
    return behind[np.searchsorted(values[order], times, side="left")]


@dataclass(frozen=True)
class Curve:
    """A step function with 1 before the first time; (T,) each.

    Attributes
    ----------
    time : array
        All distinct times at which rows end.
    n_risk, n_event, n_censor : arrays
        Weights of the rows at risk, with an event, censored.
    survival : array
        From each time on.
    relative : array
        Greenwood's variance over the square of the survival; infinite where that is 0.
    hazard, hazard_variance : arrays
        Nelson and Aalen's cumulative hazard and its variance, that of Poisson counts.
    """

    time: np.ndarray
    n_risk: np.ndarray
    n_event: np.ndarray
    n_censor: np.ndarray
    survival: np.ndarray
    relative: np.ndarray
    hazard: np.ndarray
    hazard_variance: np.ndarray

    @property
    def std_err(self) -> np.ndarray:
        """Greenwood's standard error of the survival; NaN where that is 0."""
        with np.errstate(invalid="ignore"):
            return self.survival * np.sqrt(self.relative)

    def at(self, times: Any, *, before: bool = False) -> np.ndarray:
        """Survival at times, or just before them."""
        return stepped(self.time, self.survival, times, before=before)


def is_survival(family: Any) -> bool:
    """Whether responses are times to an event, as rows that `of_response` reads."""
    return isinstance(family, Survival)


def of_fit(fitted: Fitted) -> Lifetimes:
    """The rows of a fit, those of weight 0, too.

    Raises
    ------
    ArgumentError
        Where its response is no time to an event.
    DataError
        Where times are known to lie in an interval only.
    """
    if not is_survival(fitted.family):
        raise ArgumentError(
            f"the response {fitted.design.response!r} is no time to an event: fit Surv(time, event) ~ ... with a family of "
            "such times, as 'weibull'."
        )
    return of_response(fitted.responses, fitted.case_weights, fitted.design.response)


def of_response(y: np.ndarray, weight: np.ndarray, label: str) -> Lifetimes:
    """Rows from a response (2 or more, n): ends of the interval in which the time lies (0: not known), and the start.

    Raises
    ------
    DataError
        Where times are known to lie in an interval only, or not possible.
    """
    start = y[2] if len(y) > 2 else np.full(y.shape[1], -np.inf)
    early, late = np.maximum(y[0], y[1]) <= 0, (start >= y[0]) & (y[0] > 0)
    for wrong, words in ((early, "times must be greater than 0"), (late, "start must be less than stop")):
        if np.any(wrong):
            raise DataError(f"response {label!r}: {words}; {int(wrong.sum())} are not, the first is {y[0][wrong][0]:g}.")
    event = y[0] == y[1]
    between = ~event & ~((y[0] > 0) & (y[1] == 0))
    if np.any(between):
        first = int(np.argmax(between))
        if label.startswith("Surv("):
            raise DataError(f"response {label!r}: events must be 0 or 1 (or False and True); {int(between.sum())} are not, "
                            f"the first is {y[1, first] / y[0, first]:g}.{coded(y[1] / y[0])}")  # fmt: skip
        raise DataError(
            f"response {label!r}: {int(between.sum())} times are known to lie in an interval only (the first: "
            f"{y[0, first]:g} to {y[1, first]:g}); Kaplan-Meier curves, concordance and Brier scores need events and right "
            "censored times."
        )
    return Lifetimes(start, y[0], event, weight)


def stepped(time: np.ndarray, value: np.ndarray, times: Any, *, before: bool = False, first: float = 1.0) -> np.ndarray:
    """A step function at times, or just before them: `first` before the first step."""
    place = np.searchsorted(time, np.asarray(times, dtype=float), side="left" if before else "right")
    return np.concatenate([[first], value])[place]


def product_limit(rows: Lifetimes) -> Curve:
    """Kaplan and Meier's estimate, Greenwood's variance, Nelson and Aalen's cumulative hazard.

    Weights count rows: variances are those of as many rows.
    """
    time, place = np.unique(rows.stop, return_inverse=True)
    n_event = np.bincount(place, np.where(rows.event, rows.weight, 0.0), time.size)
    n_censor = np.bincount(place, np.where(rows.event, 0.0, rows.weight), time.size)
    n_risk = np.maximum(rows.at_risk(time), n_event + n_censor)  # sums of weights round
    left = _left(n_risk, n_event)
    with np.errstate(divide="ignore", invalid="ignore"):
        relative = np.cumsum(np.where(n_event > 0, n_event / (n_risk * left), 0.0))
        rate = n_event / n_risk
    return Curve(time, n_risk, n_event, n_censor, np.cumprod(left / n_risk), relative, np.cumsum(rate),
                 np.cumsum(rate / n_risk))  # fmt: skip


def _left(n_risk: np.ndarray, gone: np.ndarray) -> np.ndarray:
    left = n_risk - gone
    return np.where(left > SAME * n_risk, left, 0.0)


@dataclass(frozen=True)
class Censoring:
    """Probability G of not being censored, a step function: `value` from each `time` on.

    It is held at its last positive value, so that it can be divided by.
    """

    time: np.ndarray
    value: np.ndarray

    def at(self, times: Any, *, before: bool = False) -> np.ndarray:
        """G(t), or G(t-)."""
        return stepped(self.time, self.value, times, before=before)

    def integral(self, times: np.ndarray) -> np.ndarray:
        """Integrals of 1 / G from 0 to times."""
        knots = np.concatenate([[0.0], self.time])
        inverse = np.concatenate([[1.0], 1 / self.value])
        total = np.concatenate([[0.0], np.cumsum(np.diff(knots) * inverse[:-1])])
        place = np.searchsorted(knots, times, side="right") - 1
        return total[place] + (times - knots[place]) * inverse[place]


def censoring(rows: Lifetimes) -> Censoring:
    """Kaplan and Meier's estimate of the time to censoring; who has an event is not at risk of being censored then."""
    curve = product_limit(rows)
    left = curve.n_risk - curve.n_event
    with np.errstate(divide="ignore", invalid="ignore"):
        share = np.where(curve.n_censor > 0, _left(left, curve.n_censor) / left, 1.0)
    value = np.cumprod(share)
    positive = value > 0
    held = value[positive][-1] if positive.any() else 1.0
    return Censoring(curve.time, np.where(positive, value, held))


def bounds(curve: Curve, alpha: float, conf_type: str) -> tuple[np.ndarray, np.ndarray]:
    """Pointwise limits (T,) of the survival, of level 1 - alpha; NaN where it is 0.

    On the scale of the logarithm ("log", cut at 1), of log(-log) ("log-log"), or of the survival itself ("plain", cut at 0
    and 1), as R's ``survfit``.
    """
    from scipy.special import ndtri

    z, s = -ndtri(alpha / 2), curve.survival
    with np.errstate(all="ignore"):
        root = np.sqrt(curve.relative)  # standard error of log S
        if conf_type == "log":
            low, high = s * np.exp(-z * root), np.minimum(s * np.exp(z * root), 1.0)
        elif conf_type == "log-log":
            width = np.where(s < 1, z * root / np.abs(np.log(s)), 0.0)
            low, high = s ** np.exp(width), s ** np.exp(-width)
        else:
            low, high = np.maximum(s - z * s * root, 0.0), np.minimum(s + z * s * root, 1.0)
    known = s > 0
    return np.where(known, low, np.nan), np.where(known, high, np.nan)


def quantile(time: np.ndarray, survival: np.ndarray, q: float) -> float:
    """The first time at which the survival is 1 - q or less; NaN where it stays above.

    Where it is 1 - q for a while, the middle of that while, as R's ``quantile.survfit``; NaN in `survival` is no value.
    """
    with np.errstate(invalid="ignore"):
        below = survival <= 1 - q + SAME
    if not below.any():
        return np.nan
    first = int(np.argmax(below))
    if abs(survival[first] - (1 - q)) > SAME:
        return float(time[first])
    with np.errstate(invalid="ignore"):
        lower = survival < 1 - q - SAME
    return float((time[first] + time[int(np.argmax(lower))]) / 2) if lower.any() else float(time[first])
