"""Amounts that may be 0: Tweedie distributions whose dispersion and power are estimated."""

from __future__ import annotations

import math
from typing import Any, ClassVar

import numpy as np

from ..checks.arguments import arguments
from ..functions import distributions as codes
from ..functions.densities import POWERS
from .beginning import Beginning, moments
from .distributional import Distributional
from .family import LINK

START = 1.5  # power
BEYOND = 1e-15  # probability of numbers of amounts that are left out
PRECISION, EXACT = 1e-12, 1e-14  # of a quantile, relative; of its probability
MOST = 20_000  # numbers of amounts that are summed


@arguments(link=LINK)
class TweedieScale(Distributional):
    """Poisson sum of gamma amounts: mean mu, variance phi mu^power, the power between 1.01 and 1.99 as in mgcv's tw.

    References
    ----------
    Dunn & Smyth (2005), Series evaluation of Tweedie exponential dispersion model densities, Stat Comput 15:267.

    Examples
    --------
    >>> import neuralstat as ns
    >>> family = ns.families.TweedieScale()
    >>> family.roles, family.role_links
    (('mu', 'phi', 'power'), ('log', 'log', 'logit'))
    """

    name, kind, default, needs = "tweedie_scale", codes.TWEEDIE_3, "log", "nonnegative"
    links: ClassVar[tuple[str, ...]] = ("log", "identity", "sqrt")
    others: ClassVar[dict[str, str]] = {"phi": "log", "power": "logit"}
    means = (0.0, np.inf)

    def natural(self, eta: np.ndarray) -> np.ndarray:
        par = super().natural(eta)
        par[2] = POWERS[0] + (POWERS[1] - POWERS[0]) * par[2]
        return par

    def variance(self, par: Any) -> Any:
        return par[1] * par[0] ** par[2]

    def frozen(self, par: np.ndarray) -> Any:
        return Compound(*par)

    def beginning(self) -> Beginning:
        mean, variance = yield from moments()
        mean = max(mean, 1e-8)
        place = (START - POWERS[0]) / (POWERS[1] - POWERS[0])
        return np.array([float(self.link(mean)), np.log(max(variance, 1e-8) / mean**START), np.log(place / (1 - place))])


class Compound:
    """A Poisson number, of mean `rate`, of gamma amounts, of `shape` and `scale`."""

    def __init__(self, mu: Any, phi: Any, power: Any) -> None:
        self.rate = mu ** (2 - power) / (phi * (2 - power))
        self.shape = (2 - power) / (power - 1)
        self.scale = phi * (power - 1) * mu ** (power - 1)

    def _numbers(self) -> np.ndarray:
        """Numbers of amounts that have a probability, from 1."""
        from scipy import stats

        ends = np.array([np.min(self.rate), np.max(self.rate)])
        low, high = stats.poisson.ppf(BEYOND, ends[0]), stats.poisson.isf(BEYOND, ends[1])
        return np.arange(max(1, int(low)), min(int(high) + 1, int(low) + MOST) + 1)

    def _log_probability(self, count: int) -> np.ndarray:
        return count * np.log(self.rate) - self.rate - math.lgamma(count + 1)

    def _sum(self, of: Any, y: Any) -> np.ndarray:
        """Sum of probabilities of numbers times `of` (shape of the gamma distribution, y / scale)."""
        z = np.asarray(y, float) / self.scale
        total = np.zeros(np.broadcast_shapes(z.shape, np.shape(self.rate)))
        for count in self._numbers():
            total += np.exp(self._log_probability(count)) * of(count * self.shape, z)
        return total

    def cdf(self, y: Any) -> np.ndarray:
        from scipy.special import gammainc

        below = np.exp(-self.rate) + self._sum(gammainc, np.maximum(y, 0.0))
        return np.where(np.asarray(y) < 0, 0.0, np.minimum(below, 1.0))

    def sf(self, y: Any) -> np.ndarray:
        from scipy.special import gammaincc

        return np.where(np.asarray(y) < 0, 1.0, self._sum(gammaincc, np.maximum(y, 0.0)))

    def logpdf(self, y: Any) -> np.ndarray:
        """Log-density; at 0 the log-probability of it."""
        from scipy.special import gammaln, logsumexp

        y = np.broadcast_arrays(np.asarray(y, float), self.rate)[0]
        at = np.where(y > 0, y, 1.0)
        log_z = np.log(at / self.scale)
        parts = [
            self._log_probability(k) + k * self.shape * log_z - at / self.scale - gammaln(k * self.shape) - np.log(at)
            for k in self._numbers()
        ]
        return np.where(y == 0, -self.rate, np.where(y > 0, logsumexp(parts, axis=0), -np.inf))

    def ppf(self, q: Any) -> np.ndarray:
        """By false positions between bounds, from a gamma distribution of the same moments (Illinois)."""
        from scipy.special import gammaincinv

        q = np.broadcast_arrays(np.asarray(q, float), self.rate)[0]
        none = q <= np.exp(-self.rate)
        mean = self.rate * self.shape * self.scale
        variance = mean * (1 + self.shape) * self.scale
        with np.errstate(all="ignore"):
            guess = gammaincinv(mean**2 / variance, np.clip(q, 0.0, 1 - 1e-15)) * variance / mean
        low, high = np.zeros(q.shape), np.maximum(np.where(none, 1.0, guess), 1e-12 * mean)
        for _ in range(1100):
            short = (self.cdf(high) < q) & (q < 1)
            if not short.any():
                break
            low, high = np.where(short, high, low), np.where(short, 2 * high, high)
        f, g, last = np.exp(-self.rate) - q, self.cdf(high) - q, np.zeros(q.shape)
        f = np.where(low > 0, self.cdf(low) - q, f)
        for _ in range(200):
            if np.all(none | (q >= 1) | (high - low <= PRECISION * high)):
                break
            with np.errstate(all="ignore"):
                at = (low * g - high * f) / (g - f)
            at = np.where((at > low) & (at < high), at, (low + high) / 2)
            value = self.cdf(at) - q
            exact, up = np.abs(value) <= EXACT, value > 0
            side = np.where(up, 1.0, -1.0)
            f = np.where(up, np.where(last > 0, f / 2, f), value)
            g = np.where(up, value, np.where(last < 0, g / 2, g))
            low, high = np.where(~up | exact, at, low), np.where(up | exact, at, high)
            last = side
        return np.where(q >= 1, np.inf, np.where(none, 0.0, high))

    def points(self, nodes: int) -> list[tuple[np.ndarray, np.ndarray]]:
        """Probabilities and values, 0 and `nodes` others, over which expectations are sums.

        The others are quantiles of the gamma distribution that has the moments of what is not 0, with the density's mass.
        """
        from scipy.special import gammaincinv, gammaln, ndtr

        some = -np.expm1(-self.rate)
        mean = self.rate * self.shape * self.scale / some
        square = (self.rate * self.shape * (1 + self.shape) + (self.rate * self.shape) ** 2) * self.scale**2 / some
        spread = np.maximum(square - mean**2, 1e-6 * mean**2)
        a, b = mean**2 / spread, spread / mean
        z = np.linspace(-6, 6, nodes)
        values, masses = [], []
        for u, mass in zip(np.clip(ndtr(z), 1e-9, 1 - 1e-9), np.exp(-0.5 * z**2), strict=True):
            y = np.maximum(gammaincinv(a, u) * b, 1e-300)
            log_gamma = (a - 1) * np.log(y / b) - y / b - gammaln(a) - np.log(b)
            values.append(y)
            masses.append(mass * np.exp(np.clip(self.logpdf(y) - log_gamma, -50, 50)))
        total = np.sum(masses, axis=0)
        rest = [(some * m / total, y) for m, y in zip(masses, values, strict=True)]
        return [(np.exp(-self.rate), np.zeros_like(self.rate)), *rest]

    def rvs(self, size: Any, random_state: np.random.Generator) -> np.ndarray:
        counts = random_state.poisson(self.rate, size=size)
        amounts = random_state.gamma(np.maximum(counts, 1) * self.shape, self.scale)
        return np.where(counts > 0, amounts, 0.0)
