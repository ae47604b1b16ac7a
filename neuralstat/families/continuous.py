"""Continuous distributions with several parameters."""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import Any, ClassVar

import numpy as np

from ..checks.arguments import NONE, POSITIVE, arguments
from ..functions import distributions as codes
from .beginning import Beginning, moments
from .distributional import Distributional
from .family import LINK

_TINY = 1e-8
_NU = (1e-2, 1e10)  # degrees of freedom that scipy is given


def _standard(par: np.ndarray, y: Any) -> np.ndarray:
    """(y - mu) / sigma, and none where sigma has come to 0."""
    with np.errstate(all="ignore"):
        return (y - par[0]) / np.where(par[1] > 0, par[1], np.nan)


def _log(value: float) -> float:
    return math.log(max(value, _TINY))


@arguments(link=LINK)
class GaussianScale(Distributional):
    """Normal distribution whose standard deviation is a parameter of its own: mu, sigma.

    Examples
    --------
    >>> import neuralstat as ns
    >>> family = ns.families.GaussianScale()
    >>> family.roles, family.role_links
    (('mu', 'sigma'), ('identity', 'log'))
    """

    name, kind, default, located, degree = "gaussian_scale", codes.NORMAL, "identity", True, 2
    links, means = ("identity", "log", "inverse_power"), (-math.inf, math.inf)

    def cdf(self, par: np.ndarray, y: Any) -> np.ndarray:
        from scipy.special import ndtr

        return ndtr(_standard(par, y))

    def sf(self, par: np.ndarray, y: Any) -> np.ndarray:
        from scipy.special import ndtr

        return ndtr(-_standard(par, y))

    def ppf(self, par: np.ndarray, q: Any) -> np.ndarray:
        from scipy.special import ndtri

        with np.errstate(all="ignore"):
            return par[0] + np.where(par[1] > 0, par[1], np.nan) * ndtri(q)

    def variance(self, par: Any) -> Any:
        return np.square(par[1])

    def frozen(self, par: np.ndarray) -> Any:
        from scipy import stats

        return stats.norm(par[0], par[1])

    def beginning(self) -> Beginning:
        mean, variance = yield from moments()
        if self.link.name != "identity":
            mean = max(mean, _TINY)
        return np.array([float(self.link(mean)), _log(variance) / 2])


@arguments(link=LINK)
class LogNormal(Distributional):
    """log y is normal with mean mu and standard deviation sigma; the mean of y is exp(mu + sigma^2 / 2).

    Examples
    --------
    >>> import neuralstat as ns
    >>> family = ns.families.LogNormal()
    >>> family.roles, family.role_links
    (('mu', 'sigma'), ('identity', 'log'))
    """

    name, kind, default, degree = "lognormal", codes.LOGNORMAL, "identity", 2
    links, needs, means = ("identity",), "positive", (0.0, math.inf)

    def mean(self, par: np.ndarray) -> np.ndarray:
        with np.errstate(over="ignore"):
            return np.exp(par[0] + np.square(par[1]) / 2)

    def variance(self, par: Any) -> Any:
        with np.errstate(over="ignore"):
            return np.expm1(np.square(par[1])) * np.square(self.mean(par))

    def frozen(self, par: np.ndarray) -> Any:
        from scipy import stats

        return stats.lognorm(par[1], scale=np.exp(par[0]))

    def beginning(self) -> Beginning:
        mean, variance = yield from moments(_logs)
        return np.array([mean, _log(variance) / 2])


@arguments(link=LINK)
class GammaScale(Distributional):
    """Gamma distribution with mean mu and variance phi mu^2.

    Examples
    --------
    >>> import neuralstat as ns
    >>> family = ns.families.GammaScale()
    >>> family.roles, family.role_links
    (('mu', 'phi'), ('log', 'log'))
    """

    name, kind, default, needs = "gamma_scale", codes.GAMMA_2, "log", "positive"
    links, others = ("log", "inverse_power", "identity"), {"phi": "log"}

    def variance(self, par: Any) -> Any:
        return par[1] * np.square(par[0])

    def frozen(self, par: np.ndarray) -> Any:
        from scipy import stats

        return stats.gamma(1 / par[1], scale=par[0] * par[1])

    def beginning(self) -> Beginning:
        mean, variance = yield from moments()
        return np.array([float(self.link(mean)), _log(variance / mean**2)])


@arguments(link=LINK)
class InverseGaussianScale(Distributional):
    """Inverse Gaussian distribution with mean mu and variance phi mu^3.

    Examples
    --------
    >>> import neuralstat as ns
    >>> family = ns.families.InverseGaussianScale()
    >>> family.roles, family.role_links
    (('mu', 'phi'), ('log', 'log'))
    """

    name, kind, default, needs = "inverse_gaussian_scale", codes.INVERSE_GAUSSIAN_2, "log", "positive"
    links, others = ("log", "inverse_squared", "inverse_power", "identity"), {"phi": "log"}

    def variance(self, par: Any) -> Any:
        return par[1] * par[0] ** 3

    def frozen(self, par: np.ndarray) -> Any:
        from scipy import stats

        return stats.invgauss(par[0] * par[1], scale=1 / par[1])

    def beginning(self) -> Beginning:
        mean, _ = yield from moments()
        total, spread = yield _spread, (mean,)
        return np.array([float(self.link(mean)), _log(float(spread / total))])


@arguments(link=LINK)
class Beta(Distributional):
    """Beta distribution with mean mu and precision phi: the variance is mu (1 - mu) / (1 + phi).

    References
    ----------
    Ferrari & Cribari-Neto (2004), Beta regression for modelling rates and proportions, J Appl Stat 31:799.

    Examples
    --------
    >>> import neuralstat as ns
    >>> family = ns.families.Beta()
    >>> family.roles, family.role_links
    (('mu', 'phi'), ('logit', 'log'))
    """

    name, kind, default, needs = "beta", codes.BETA, "logit", "inside"
    links, others, means = ("logit", "probit", "cloglog", "loglog"), {"phi": "log"}, (0.0, 1.0)

    def variance(self, par: Any) -> Any:
        return par[0] * (1 - par[0]) / (1 + par[1])

    def frozen(self, par: np.ndarray) -> Any:
        from scipy import stats

        return stats.beta(par[0] * par[1], (1 - par[0]) * par[1])

    def beginning(self) -> Beginning:
        mean, variance = yield from moments()
        return np.array([float(self.link(mean)), _log(mean * (1 - mean) / max(variance, _TINY) - 1)])


@arguments(df=NONE | POSITIVE, link=LINK)
@dataclass(frozen=True, repr=False, init=False)
class Student(Distributional):
    """Student's t with location mu, scale sigma and nu degrees of freedom.

    Parameters
    ----------
    df : float > 0, optional
        Degrees of freedom; None: estimated.
    link : str, optional
        "identity".

    References
    ----------
    Lange, Little & Taylor (1989), Robust statistical modeling using the t distribution, JASA 84:881.

    Examples
    --------
    >>> import neuralstat as ns
    >>> family = ns.families.Student()
    >>> family.roles, family.role_links
    (('mu', 'sigma', 'nu'), ('identity', 'log', 'log'))
    """

    name, kind, default, located = "student", codes.STUDENT, "identity", True
    links, means = ("identity",), (-math.inf, math.inf)
    others: ClassVar[dict[str, str]] = {"sigma": "log", "nu": "log"}

    def __init__(self, df: float | None = None, link: Any = None) -> None:
        super().__init__(link, 0.0 if df is None else float(df))

    @property
    def held(self) -> dict[str, float]:
        """log nu, where it is given."""
        return {"nu": math.log(self.parameter)} if self.parameter else {}

    def mean(self, par: np.ndarray) -> np.ndarray:
        """The location, also where nu <= 1 and there is no mean."""
        return par[0]

    def variance(self, par: Any) -> Any:
        nu = par[2]
        with np.errstate(divide="ignore", invalid="ignore"):
            return np.where(nu > 2, np.square(par[1]) * nu / (nu - 2), np.inf)

    def frozen(self, par: np.ndarray) -> Any:
        from scipy import stats

        return stats.t(np.clip(par[2], *_NU), par[0], par[1])

    def beginning(self) -> Beginning:
        mean, variance = yield from moments()
        nu = self.parameter or 5.0
        return np.array([mean, _log(variance * (max(nu - 2, 0.5) / max(nu, 2.5))) / 2, math.log(nu)])

    def __repr__(self) -> str:
        return f"Student({self.parameter:g})" if self.parameter else "Student()"


def _logs(y: np.ndarray, w: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    return np.log(y[0]), w


def _spread(y: np.ndarray, w: np.ndarray, mean: float) -> np.ndarray:
    return np.array([w.sum(), np.square(y[0] - mean) / (y[0] * mean**2) @ w])
