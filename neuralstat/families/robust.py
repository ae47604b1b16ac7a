"""Distributions of location and scale whose maximum likelihood estimates bear outliers."""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import Any

import numpy as np

from ..checks.arguments import Number, arguments
from ..functions import distributions as codes
from .beginning import Beginning, moments
from .distributional import Distributional

SMOOTH, CORNER = 0.01, 1.345  # as in `Quantile`; efficiency of 95 % where errors are normal (Holland & Welsch 1977)


class _Robust(Distributional):
    """Location mu and scale sigma; `parameter` is a constant of the shape."""

    default, links, located, means = "identity", ("identity",), True, (-math.inf, math.inf)
    _spread: Any  # variance at scale 1

    @property
    def parameters(self) -> np.ndarray:
        return np.array([self.parameter, 0.0, self.log_constant])

    @property
    def log_constant(self) -> float:
        """Logarithm of what the density of the standard variable is divided by."""
        raise NotImplementedError

    def beginning(self) -> Beginning:
        mean, variance = yield from moments()
        return np.array([mean, math.log(max(variance, 1e-16)) / 2])

    def variance(self, par: Any) -> Any:
        return np.square(par[1]) * self._spread

    def __repr__(self) -> str:
        return f"{type(self).__name__}({self.parameter:g})"


@arguments(smooth=Number(above=0.0, most=10.0))
@dataclass(frozen=True, repr=False, init=False)
class Laplace(_Robust):
    """Laplace distribution, density exp(-|y - mu| / sigma) / (2 sigma): the location is fitted by least absolute deviations.

    Parameters
    ----------
    smooth : float > 0
        The absolute value is smoothed, h log(2 + 2 cosh(z / h)) with z = (y - mu) / sigma and h = `smooth`: at most 2 h log 2
        above |z|, which is its limit. Quantiles and probabilities are those of the limit.

    Examples
    --------
    >>> import neuralstat as ns
    >>> family = ns.families.Laplace()
    >>> family.roles, family.role_links
    (('mu', 'sigma'), ('identity', 'log'))
    """

    name, kind = "laplace", codes.LAPLACE
    _spread = 2.0

    def __init__(self, smooth: float = SMOOTH) -> None:
        super().__init__(None, float(smooth))

    @property
    def log_constant(self) -> float:
        h = self.parameter
        return math.log(h) + 2 * math.lgamma(h) - math.lgamma(2 * h)

    def frozen(self, par: np.ndarray) -> Any:
        from scipy import stats

        return stats.laplace(par[0], par[1])

    def information(self, par: np.ndarray) -> np.ndarray:
        """(n, 2, 2) expected information of linear predictors, of parameters (2, n), of the limit."""
        out = np.zeros((par.shape[1], 2, 2))
        out[:, 0, 0], out[:, 1, 1] = 1 / np.square(par[1]), 1.0
        return out

    def bias_terms(self, par: np.ndarray, spread: np.ndarray) -> np.ndarray:
        """(2, n) E l_stu V_tu / 2 + E l_st l_u V_tu, of covariances V (n, 2, 2) of linear predictors, of the limit."""
        return np.stack([np.zeros(par.shape[1]), -0.5 * (spread[:, 0, 0] / np.square(par[1]) + spread[:, 1, 1])])

    def start(self, y: np.ndarray, w: np.ndarray) -> np.ndarray:
        order = np.argsort(y[0], kind="stable")
        middle = float(np.interp(0.5, (np.cumsum(w[order]) - 0.5 * w[order]) / w.sum(), y[0][order]))
        return np.array([middle, math.log(max(float(np.abs(y[0] - middle) @ w / w.sum()), 1e-8))])


@arguments(k=Number(above=0.0, most=10.0))
@dataclass(frozen=True, repr=False, init=False)
class Huber(_Robust):
    """Huber's least informative distribution: normal in the middle, with exponential tails from k scales on.

    Maximum likelihood is Huber's M estimate of location, with the scale estimated together with it.

    Parameters
    ----------
    k : float > 0
        Where the tails begin, in scales; 1.345 gives 95 % efficiency where errors are normal.

    References
    ----------
    Huber (1964), Robust estimation of a location parameter, Ann Math Statist 35:73.

    Examples
    --------
    >>> import neuralstat as ns
    >>> family = ns.families.Huber()
    >>> family.roles, family.role_links
    (('mu', 'sigma'), ('identity', 'log'))
    """

    name, kind = "huber", codes.HUBER

    def __init__(self, k: float = CORNER) -> None:
        super().__init__(None, float(k))

    @property
    def _centre(self) -> float:
        """Mass of the middle, of exp(-rho)."""
        return math.sqrt(2 * math.pi) * math.erf(self.parameter / math.sqrt(2))

    @property
    def _tail(self) -> float:
        """Mass of one tail, of exp(-rho)."""
        return math.exp(-self.parameter**2 / 2) / self.parameter

    @property
    def log_constant(self) -> float:
        return math.log(self._centre + 2 * self._tail)

    @property
    def _spread(self) -> float:
        k, total = self.parameter, self._centre + 2 * self._tail
        middle = self._centre - 2 * k * math.exp(-k * k / 2)
        return (middle + 2 * self._tail * (k * k + 2 + 2 / (k * k))) / total

    def frozen(self, par: np.ndarray) -> Any:
        return _LeastInformative(par[0], par[1], self.parameter, self._centre, self._tail, self.log_constant)


class _LeastInformative:
    """Huber's distribution with location and scale, as scipy's are used."""

    def __init__(self, loc: Any, scale: Any, k: float, centre: float, tail: float, log_constant: float) -> None:
        self.loc, self.scale, self.k, self.tail, self.log_constant = loc, scale, k, tail, log_constant
        self.total = centre + 2 * tail

    def _z(self, y: Any) -> np.ndarray:
        return (np.asarray(y, float) - self.loc) / self.scale

    def logpdf(self, y: Any) -> np.ndarray:
        z = np.abs(self._z(y))
        return -np.where(z > self.k, self.k * z - self.k**2 / 2, z * z / 2) - self.log_constant - np.log(self.scale)

    def _below(self, z: np.ndarray) -> np.ndarray:
        from scipy.special import ndtr

        k, root = self.k, math.sqrt(2 * math.pi)
        inside = np.clip(z, -k, k)
        middle = self.tail + root * (ndtr(inside) - ndtr(-k))
        low = self.tail * np.exp(np.minimum(k * (z + k), 0.0))
        high = self.total - self.tail * np.exp(np.minimum(-k * (z - k), 0.0))
        return np.where(z < -k, low, np.where(z > k, high, middle)) / self.total

    def cdf(self, y: Any) -> np.ndarray:
        return self._below(self._z(y))

    def sf(self, y: Any) -> np.ndarray:
        return self._below(-self._z(y))

    def ppf(self, q: Any) -> np.ndarray:
        from scipy.special import ndtr, ndtri

        k, mass = self.k, np.asarray(q, float) * self.total
        middle = ndtri(np.clip((mass - self.tail) / math.sqrt(2 * math.pi) + ndtr(-k), 0.0, 1.0))
        with np.errstate(divide="ignore"):
            low = np.log(np.minimum(mass / self.tail, 1.0)) / k - k
            high = k - np.log(np.minimum((self.total - mass) / self.tail, 1.0)) / k
        z = np.where(mass < self.tail, low, np.where(self.total - mass < self.tail, high, middle))
        return self.loc + self.scale * z

    def rvs(self, size: Any, random_state: np.random.Generator) -> np.ndarray:
        return self.ppf(random_state.uniform(size=size))
