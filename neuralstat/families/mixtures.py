"""Mixture densities: several normal distributions, their shares, means and spreads outputs of the network."""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import Any

import numpy as np

from ..checks.arguments import Whole, arguments
from ..functions import distributions as codes
from .beginning import Beginning, moments
from .distributional import Distributional


@arguments(k=Whole(1, 20))
@dataclass(frozen=True, repr=False, init=False)
class Mixture(Distributional):
    """Mixture of k normal distributions.

    Parameters
    ----------
    k : int

    Notes
    -----
    Outputs are k means, k logarithms of standard deviations, and k - 1 log odds of the shares against the first one. All are
    outputs of the network unless `dispformula` says otherwise.

    References
    ----------
    Bishop (1994), Mixture density networks, Aston University, NCRG/94/004.

    Examples
    --------
    >>> import neuralstat as ns
    >>> family = ns.families.Mixture()
    >>> family.roles, family.role_links
    (('mean1', 'mean2', 'sigma1', 'sigma2', 'odds2'), ('identity', 'identity', 'log', 'log', 'log'))
    """

    name, kind, default, located = "mixture", codes.MIXTURE, "identity", True
    links, means, first, alike = ("identity",), (-math.inf, math.inf), "mean1", True

    def __init__(self, k: int = 2) -> None:
        super().__init__(None, float(k))

    @property
    def k(self) -> int:
        """Number of components."""
        return int(self.parameter)

    @property
    def others(self) -> dict[str, str]:  # type: ignore[override]
        k = self.k
        return {
            **{f"mean{j}": "identity" for j in range(2, k + 1)}, **{f"sigma{j}": "log" for j in range(1, k + 1)},
            **{f"odds{j}": "log" for j in range(2, k + 1)},
        }  # fmt: skip

    @property
    def usual(self) -> Any:
        return True

    @property
    def parameters(self) -> np.ndarray:
        return np.array([self.parameter, 0.0])

    def units(self, y_mean: float, y_sd: float) -> tuple[np.ndarray, np.ndarray]:
        k = self.k
        scale = np.concatenate([np.full(k, y_sd), np.ones(2 * k - 1)])
        shift = np.concatenate([np.full(k, y_mean), np.full(k, math.log(y_sd)), np.zeros(k - 1)])
        return scale, shift

    def shares(self, par: np.ndarray) -> np.ndarray:
        """(k, ...) of the components."""
        odds = np.concatenate([np.ones_like(par[:1]), par[2 * self.k :]])
        return odds / odds.sum(axis=0)

    def mean(self, par: np.ndarray) -> np.ndarray:
        return np.sum(self.shares(par) * par[: self.k], axis=0)

    def variance(self, par: Any) -> Any:
        k, mean = self.k, self.mean(par)
        return np.sum(self.shares(par) * (np.square(par[k : 2 * k]) + np.square(par[:k] - mean)), axis=0)

    def frozen(self, par: np.ndarray) -> Any:
        return _Normals(self.shares(par), par[: self.k], par[self.k : 2 * self.k])

    def beginning(self) -> Beginning:
        mean, variance = yield from moments()
        sd, k = math.sqrt(max(variance, 1e-16)), self.k
        places = mean + sd * np.linspace(-1, 1, k) if k > 1 else np.array([mean])
        return np.concatenate([places, np.full(k, math.log(sd / (2 if k > 1 else 1))), np.zeros(k - 1)])

    def __repr__(self) -> str:
        return f"Mixture({self.k})"


class _Normals:
    """Mixture of normal distributions, (k, ...) each."""

    def __init__(self, shares: np.ndarray, means: np.ndarray, sds: np.ndarray) -> None:
        self.shares, self.means, self.sds = shares, means, sds

    def cdf(self, y: Any) -> np.ndarray:
        from scipy.special import ndtr

        return np.sum(self.shares * ndtr((y - self.means) / self.sds), axis=0)

    def sf(self, y: Any) -> np.ndarray:
        from scipy.special import ndtr

        return np.sum(self.shares * ndtr((self.means - y) / self.sds), axis=0)

    def logpdf(self, y: Any) -> np.ndarray:
        from scipy.special import logsumexp

        z = (y - self.means) / self.sds
        return logsumexp(np.log(self.shares) - 0.5 * np.square(z) - np.log(self.sds), axis=0) - 0.5 * math.log(2 * math.pi)

    def ppf(self, q: Any) -> np.ndarray:
        from scipy.special import ndtri

        each = self.means + self.sds * ndtri(np.asarray(q, dtype=float))
        low, high = each.min(axis=0), each.max(axis=0)
        for _ in range(100):
            middle = (low + high) / 2
            over = self.cdf(middle) >= q
            low, high = np.where(over, low, middle), np.where(over, middle, high)
        return high

    def rvs(self, size: Any, random_state: np.random.Generator) -> np.ndarray:
        u = random_state.uniform(size=size)
        which = np.sum(np.cumsum(self.shares, axis=0)[:-1] < u, axis=0)[np.newaxis]
        mean, sd = (np.take_along_axis(v, which, axis=0)[0] for v in (self.means, self.sds))
        return mean + sd * random_state.standard_normal(size)
