"""Times to an event, which may be censored: accelerated failure time models."""

from __future__ import annotations

import math
from typing import Any, ClassVar

import numpy as np

from ..checks.arguments import arguments
from ..errors import DataError
from ..functions import distributions as codes
from ..functions.links import CLOGLOG, LOGIT, PROBIT
from .beginning import Beginning, moments
from .distributional import Distributional
from .family import LINK

_EULER = 0.5772156649015329


class Survival(Distributional):
    """log time = mu + sigma times a standard variable.

    The response has two rows, the ends of the interval in which the time lies: equal where it was observed, 0 for an end
    that is not known (``low + high ~ x``); and a third one where times were looked at from some time on only. A formula says
    so by ``Surv(time, event)`` or ``Surv(start, stop, event)``.

    Examples
    --------
    >>> import neuralstat as ns
    >>> family = ns.families.Weibull()
    >>> isinstance(family, ns.families.Survival), family.first, family.others
    (True, 'mu', {'sigma': 'log'})
    """

    default, means, links = "identity", (0.0, math.inf), ("identity",)
    standard: ClassVar[int]  # link whose inverse is the distribution function of the standard variable
    centre: ClassVar[float] = 0.0  # its mean
    spread: ClassVar[float] = 1.0  # its standard deviation

    @property
    def code(self) -> int:  # type: ignore[override]
        return codes.SURVIVAL + codes.WIDTH * self.standard

    def frozen(self, par: np.ndarray) -> Any:
        raise NotImplementedError

    def beginning(self) -> Beginning:
        mean, variance = yield from moments(_seen)
        sigma = max(math.sqrt(variance), 1e-6) / self.spread
        return np.array([mean - self.centre * sigma, math.log(sigma)])

    def mean(self, par: np.ndarray) -> np.ndarray:
        return self.frozen(par).mean()

    def variance(self, par: Any) -> Any:
        return self.frozen(par).var()

    def check(self, y: np.ndarray, label: str) -> None:
        check_times(y, label, self.name)

    def transform(self, times: Any, y: np.ndarray, rng: np.random.Generator) -> np.ndarray:
        """P(T <= t) of a distribution of times, of censored ones uniform over what is possible."""
        below = np.where(y[0] > 0, times.cdf(np.maximum(y[0], 1e-300)), 0.0)
        above = np.where(y[1] > 0, times.cdf(np.maximum(y[1], 1e-300)), 1.0)
        if len(y) > 2:
            entry = np.where(y[2] > 0, times.cdf(np.maximum(y[2], 1e-300)), 0.0)
            below, above = ((np.maximum(v, entry) - entry) / (1 - entry) for v in (below, above))
        return below + rng.uniform(size=below.shape) * (above - below)


def check_times(y: np.ndarray, label: str, name: str) -> None:
    """Raise DataError where rows (2 or 3, n) are no intervals of times greater than 0, perhaps with an entry before them."""
    if len(y) not in (2, 3):
        raise DataError(
            f"response {label!r}: the family {name!r} needs Surv(time, event) or Surv(start, stop, event)."
        )
    low, high = y[0], y[1]
    known = np.maximum(low, high)
    if np.any(low < 0) or np.any(high < 0) or not np.all(known > 0):
        wrong = known[known <= 0] if np.any(known <= 0) else np.minimum(low, high)[np.minimum(low, high) < 0]
        raise DataError(f"response {label!r}: times must be greater than 0; the first that is not is {wrong[0]:g}.")
    if np.any((high > 0) & (high < low)):
        raise DataError(f"response {label!r}: events must be 0 or 1 (or False and True).")
    if len(y) == 3:
        late = y[2] >= np.where(low > 0, low, high)
        if np.any(late) or np.any(y[2] < 0):
            raise DataError(f"response {label!r}: start must not be negative, and less than stop.")


class _Accelerated(Survival):
    """A standard variable with a distribution function (`below`), 1 less it (`above`) and quantiles (`at`) in plain terms."""

    @staticmethod
    def below(z: np.ndarray) -> np.ndarray:
        raise NotImplementedError

    @staticmethod
    def above(z: np.ndarray) -> np.ndarray:
        raise NotImplementedError

    @staticmethod
    def at(q: Any) -> np.ndarray:
        raise NotImplementedError

    def _standard(self, par: np.ndarray, y: Any) -> np.ndarray:
        with np.errstate(all="ignore"):
            return (np.log(np.maximum(y, 0.0)) - par[0]) / np.where(par[1] > 0, par[1], np.nan)

    def cdf(self, par: np.ndarray, y: Any) -> np.ndarray:
        with np.errstate(all="ignore"):
            return self.below(self._standard(par, y))

    def sf(self, par: np.ndarray, y: Any) -> np.ndarray:
        with np.errstate(all="ignore"):
            return self.above(self._standard(par, y))

    def ppf(self, par: np.ndarray, q: Any) -> np.ndarray:
        with np.errstate(all="ignore"):
            return np.exp(par[0] + np.where(par[1] > 0, par[1], np.nan) * self.at(np.asarray(q, float)))


@arguments(link=LINK)
class Weibull(_Accelerated):
    """Weibull times: shape 1 / sigma, scale exp(mu).

    Examples
    --------
    >>> import neuralstat as ns
    >>> family = ns.families.Weibull()
    >>> family.roles, family.role_links
    (('mu', 'sigma'), ('identity', 'log'))
    """

    name, kind, standard = "weibull", codes.SURVIVAL, CLOGLOG
    centre, spread = -_EULER, math.pi / math.sqrt(6)

    def frozen(self, par: np.ndarray) -> Any:
        from scipy import stats

        return stats.weibull_min(1 / par[1], scale=np.exp(par[0]))

    def mean(self, par: np.ndarray) -> np.ndarray:
        from scipy.special import gamma

        with np.errstate(all="ignore"):
            return np.exp(par[0]) * gamma(1 + np.where(par[1] > 0, par[1], np.nan))

    @staticmethod
    def below(z: np.ndarray) -> np.ndarray:
        return -np.expm1(-np.exp(z))

    @staticmethod
    def above(z: np.ndarray) -> np.ndarray:
        return np.exp(-np.exp(z))

    @staticmethod
    def at(q: Any) -> np.ndarray:
        return np.log(-np.log1p(-q))


@arguments(link=LINK)
class LogNormalAFT(_Accelerated):
    """Lognormal times.

    Examples
    --------
    >>> import neuralstat as ns
    >>> family = ns.families.LogNormalAFT()
    >>> family.roles, family.role_links
    (('mu', 'sigma'), ('identity', 'log'))
    """

    name, kind, standard, degree = "lognormal_aft", codes.SURVIVAL, PROBIT, 2

    def frozen(self, par: np.ndarray) -> Any:
        from scipy import stats

        return stats.lognorm(par[1], scale=np.exp(par[0]))

    def mean(self, par: np.ndarray) -> np.ndarray:
        with np.errstate(all="ignore"):
            return np.exp(par[0] + np.square(np.where(par[1] > 0, par[1], np.nan)) / 2)

    @staticmethod
    def below(z: np.ndarray) -> np.ndarray:
        from scipy.special import ndtr

        return ndtr(z)

    @staticmethod
    def above(z: np.ndarray) -> np.ndarray:
        from scipy.special import ndtr

        return ndtr(-z)

    @staticmethod
    def at(q: Any) -> np.ndarray:
        from scipy.special import ndtri

        return ndtri(q)


@arguments(link=LINK)
class LogLogistic(_Accelerated):
    """Log-logistic times: shape 1 / sigma, scale exp(mu); the mean is infinite from sigma 1 on.

    Examples
    --------
    >>> import neuralstat as ns
    >>> family = ns.families.LogLogistic()
    >>> family.roles, family.role_links
    (('mu', 'sigma'), ('identity', 'log'))
    """

    name, kind, standard, spread = "loglogistic", codes.SURVIVAL, LOGIT, math.pi / math.sqrt(3)

    def frozen(self, par: np.ndarray) -> Any:
        from scipy import stats

        return stats.fisk(1 / par[1], scale=np.exp(par[0]))

    @staticmethod
    def below(z: np.ndarray) -> np.ndarray:
        from scipy.special import expit

        return expit(z)

    @staticmethod
    def above(z: np.ndarray) -> np.ndarray:
        from scipy.special import expit

        return expit(-z)

    @staticmethod
    def at(q: Any) -> np.ndarray:
        from scipy.special import logit

        return logit(q)

    def mean(self, par: np.ndarray) -> np.ndarray:
        sigma = np.minimum(par[1], 1 - 1e-12)
        return np.where(par[1] < 1, np.exp(par[0]) * np.pi * sigma / np.sin(np.pi * sigma), np.inf)

    def variance(self, par: Any) -> Any:
        sigma = np.minimum(par[1], 0.5 - 1e-12)
        second = np.exp(2 * par[0]) * 2 * np.pi * sigma / np.sin(2 * np.pi * sigma)
        return np.where(par[1] < 0.5, second - np.square(self.mean(par)), np.inf)


def _seen(y: np.ndarray, w: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    return np.log(np.where(y[0] > 0, y[0], y[1])), w
