"""Amounts that may be 0: Tweedie distributions whose dispersion and power are estimated."""

from __future__ import annotations

from typing import Any, ClassVar

import numpy as np

from ..checks.arguments import arguments
from ..functions import distributions as codes
from ..functions.densities import POWERS
from .distributional import Distributional, moments
from .family import LINK

START = 1.5  # power
BEYOND = 1e-15  # probability of numbers of amounts that are left out
PRECISION = 1e-13
MOST = 20_000  # numbers of amounts that are summed


@arguments(link=LINK)
class TweedieScale(Distributional):
    """Poisson sum of gamma amounts: mean mu, variance phi mu^power, the power between 1.01 and 1.99 as in mgcv's tw.

    References
    ----------
    Dunn & Smyth (2005), Series evaluation of Tweedie exponential dispersion model densities, Stat Comput 15:267.
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

    def start(self, y: np.ndarray, w: np.ndarray) -> np.ndarray:
        mean, variance = moments(y[0], w)
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

        low = max(1, int(np.min(stats.poisson.ppf(BEYOND, self.rate))))
        high = int(np.max(stats.poisson.isf(BEYOND, self.rate))) + 1
        return np.arange(low, min(high, low + MOST) + 1)

    def _sum(self, of: Any, y: Any) -> np.ndarray:
        from scipy import stats

        y = np.broadcast_arrays(np.asarray(y, float), self.rate)[0]
        total = np.zeros(y.shape)
        for count in self._numbers():
            total += stats.poisson.pmf(count, self.rate) * of(y, count * self.shape, scale=self.scale)
        return total

    def cdf(self, y: Any) -> np.ndarray:
        from scipy import stats

        return np.where(np.asarray(y) < 0, 0.0, np.minimum(np.exp(-self.rate) + self._sum(stats.gamma.cdf, y), 1.0))

    def sf(self, y: Any) -> np.ndarray:
        from scipy import stats

        return np.where(np.asarray(y) < 0, 1.0, self._sum(stats.gamma.sf, y))

    def logpdf(self, y: Any) -> np.ndarray:
        """Log-density; at 0 the log-probability of it."""
        from scipy import stats
        from scipy.special import logsumexp

        y = np.broadcast_arrays(np.asarray(y, float), self.rate)[0]
        at = np.where(y > 0, y, 1.0)
        parts = [
            stats.poisson.logpmf(k, self.rate) + stats.gamma.logpdf(at, k * self.shape, scale=self.scale)
            for k in self._numbers()
        ]
        return np.where(y == 0, -self.rate, np.where(y > 0, logsumexp(parts, axis=0), -np.inf))

    def ppf(self, q: Any) -> np.ndarray:
        q = np.broadcast_arrays(np.asarray(q, float), self.rate)[0]
        mean = self.rate * self.shape * self.scale
        low, high = np.zeros(q.shape), np.maximum(np.broadcast_to(mean, q.shape), 1e-300)
        for _ in range(1100):
            short = (self.cdf(high) < q) & (q < 1)
            if not short.any():
                break
            low, high = np.where(short, high, low), np.where(short, 2 * high, high)
        none = q <= np.exp(-self.rate)
        for _ in range(200):
            middle = (low + high) / 2
            over = self.cdf(middle) >= q
            low, high = np.where(over, low, middle), np.where(over, middle, high)
            if np.all(none | (high - low <= PRECISION * high)):
                break
        return np.where(q >= 1, np.inf, np.where(none, 0.0, high))

    def rvs(self, size: Any, random_state: np.random.Generator) -> np.ndarray:
        counts = random_state.poisson(self.rate, size=size)
        amounts = random_state.gamma(np.maximum(counts, 1) * self.shape, self.scale)
        return np.where(counts > 0, amounts, 0.0)
