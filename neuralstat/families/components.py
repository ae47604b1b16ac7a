"""Mixtures, in equal shares, of what several repetitions say: moments, probabilities, quantiles, draws, scores.

Arrays only; `inference.distribution` names rows.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np

HALVINGS = 200
PRECISION = 1e-12
LEVELS = (np.arange(199) + 0.5) / 199  # at which components are represented by their quantiles, for CRPS


class Part:
    """A distribution with several parameters, with these given (K', m)."""

    def __init__(self, family: Any, par: np.ndarray) -> None:
        self.family, self.par = family, par

    def mean(self) -> np.ndarray:
        """Mean."""
        return self.family.mean(self.par)

    def var(self) -> np.ndarray:
        """Variance."""
        return self.family.variance(self.par)

    def cdf(self, y: Any) -> np.ndarray:
        """P(Y <= y)."""
        return self.family.cdf(self.par, y)

    def sf(self, y: Any) -> np.ndarray:
        """P(Y > y)."""
        return self.family.sf(self.par, y)

    def ppf(self, q: Any) -> np.ndarray:
        """Quantile."""
        return self.family.ppf(self.par, q)

    def logpdf(self, y: Any) -> np.ndarray:
        """Log-density."""
        return self.family.logpdf(self.par, y)

    logpmf = logpdf

    def rvs(self, size: Any, random_state: Any) -> np.ndarray:
        """A draw."""
        return self.family.draw(random_state, self.par)


class Components:
    """Distributions of m rows.

    Parameters
    ----------
    parts : sequence
        Components with the methods of `Part`, or of scipy's frozen distributions.
    rows : int
        m.
    step : (m,) array or None
        Distance between the values of a discrete response; None of a continuous one.
    vertical : bool
        Quantiles are means of the components', as of families that are fitted quantiles and have no distribution function.
    """

    def __init__(self, parts: Sequence[Any], rows: int, step: Any = None, vertical: bool = False) -> None:
        self.parts, self.rows, self.step, self.vertical = list(parts), rows, step, vertical

    def moments(self) -> tuple[np.ndarray, np.ndarray]:
        """Means and variances, (m,) each."""
        mean = self.mean()
        means = np.stack([np.broadcast_to(part.mean(), self.rows) for part in self.parts])
        each = np.stack([np.broadcast_to(part.var(), self.rows) for part in self.parts])
        return mean, each.mean(axis=0) + np.square(means - mean).mean(axis=0)

    def mean(self) -> np.ndarray:
        """(m,) means."""
        return np.mean([np.broadcast_to(part.mean(), self.rows) for part in self.parts], axis=0)

    def below(self, y: np.ndarray) -> np.ndarray:
        """(m,) P(Y <= y)."""
        with np.errstate(all="ignore"):
            return np.mean([part.cdf(y) for part in self.parts], axis=0)

    def above(self, y: np.ndarray) -> np.ndarray:
        """(m,) P(Y > y)."""
        with np.errstate(all="ignore"):
            return np.mean([part.sf(y) for part in self.parts], axis=0)

    def log_density(self, y: np.ndarray) -> np.ndarray:
        """(m,) log-density at y; of discrete responses the log-probability of y."""
        from scipy.special import logsumexp

        each = [part.logpdf(y) if self.step is None else part.logpmf(y) for part in self.parts]
        return logsumexp(each, axis=0) - np.log(len(each))

    def quantiles(self, q: np.ndarray) -> np.ndarray:
        """(m,) quantiles at levels (m,)."""
        with np.errstate(all="ignore"):
            each = np.stack([part.ppf(q) for part in self.parts])
        if len(each) == 1 or self.vertical:
            return each.mean(axis=0)
        low, high = each.min(axis=0), each.max(axis=0)  # the mixture's is between those of its components
        return self._halved(q, low, high) if self.step is None else self._stepped(q, low, high)

    def _halved(self, q: np.ndarray, low: np.ndarray, high: np.ndarray) -> np.ndarray:
        for _ in range(HALVINGS):
            middle = (low + high) / 2
            over = self.below(middle) >= q
            low, high = np.where(over, low, middle), np.where(over, middle, high)
            if np.all(high - low <= PRECISION * np.maximum(1.0, np.abs(high))):
                break
        return high

    def _stepped(self, q: np.ndarray, low: np.ndarray, high: np.ndarray) -> np.ndarray:
        left, right = np.zeros(q.shape), np.round((high - low) / self.step)  # steps from the least
        for _ in range(HALVINGS):
            if not np.any(left < right):
                break
            middle = np.floor((left + right) / 2)
            over = self.below(low + middle * self.step) >= q
            left, right = np.where(over, left, middle + 1), np.where(over, middle, right)
            left = np.minimum(left, right)
        return low + right * self.step

    def draw(self, rng: np.random.Generator) -> np.ndarray:
        """(m,) one response per row."""
        which = rng.integers(len(self.parts), size=self.rows) if len(self.parts) > 1 else np.zeros(self.rows, int)
        drawn = np.stack([part.rvs(size=self.rows, random_state=rng) for part in self.parts])
        return drawn[which, np.arange(self.rows)].astype(float)

    def crps(self, y: np.ndarray) -> np.ndarray:
        """(m,) continuous ranked probability scores (Gneiting & Raftery 2007, JASA 102:359).

        Of equally likely points, quantiles of each component at `LEVELS`: twice the mean pinball loss of the sorted points
        at the levels (i - 1/2) / N.
        """
        with np.errstate(all="ignore"):
            points = np.sort([part.ppf(np.full(y.shape, q)) for part in self.parts for q in LEVELS], axis=0)
        levels = (np.arange(len(points)) + 0.5) / len(points)
        return 2 * pinball(y, points, levels[:, np.newaxis]).mean(axis=0)


def of_parameters(family: Any, parameters: Sequence[np.ndarray]) -> Components:
    """Components of a distribution with several parameters, (K', m) for each of them."""
    rows = np.asarray(parameters[0]).shape[-1]
    step = np.ones(rows) if family.discrete else None
    return Components([Part(family, par) for par in parameters], rows, step, family.name == "quantile")


def pinball(y: np.ndarray, at: np.ndarray, q: Any) -> np.ndarray:
    """Losses of values as the quantiles at levels q of y."""
    r = y - at
    return np.where(r > 0, q * r, (q - 1) * r)
