"""Distributions of counts with several parameters: overdispersed, with more zeros, with zeros of their own."""

from __future__ import annotations

import itertools
import math
from collections.abc import Generator, Iterator
from typing import Any, ClassVar

import numpy as np

from ..checks.arguments import arguments
from ..functions import distributions as codes
from .beginning import Beginning, Pick, Sums, first, moments
from .distributional import Distributional
from .family import LINK

_LEAST = 0.05  # alpha to start from


class Counts(Distributional):
    """Counts: `base` is the distribution of the part that is no further zero."""

    default, needs, discrete = "log", "count", True
    links: ClassVar[tuple[str, ...]] = ("log", "identity", "sqrt")

    def base(self, par: np.ndarray) -> Any:
        """Negative binomial, or Poisson where there is no alpha."""
        from scipy import stats

        if "alpha" not in self.others:
            return stats.poisson(par[0])
        size = 1 / par[1]
        return stats.nbinom(size, 1 / (1 + par[1] * par[0]))

    def base_variance(self, par: np.ndarray) -> np.ndarray:
        return par[0] + (par[1] * np.square(par[0]) if "alpha" in self.others else 0.0)

    def _share(self, par: np.ndarray) -> Any:
        """Factor of the base's probabilities."""
        return 1.0

    def cumulative(self, par: np.ndarray) -> Iterator[np.ndarray]:
        """P(Y <= 0), P(Y <= 1) and so on, by recursion on the base's probabilities."""
        share, each = self._share(par), np.exp(self._log_zero(par))
        alpha = par[1] if "alpha" in self.others else 0.0
        factor, below = par[0] / (1 + alpha * par[0]), each
        for y in itertools.count():
            yield 1 - share * (1 - below)
            each = each * (factor * ((1 + alpha * y) / (y + 1)))
            below = below + each

    def probabilities(self, par: np.ndarray, small: float, most: int) -> np.ndarray | None:
        """(T, ...) of the counts 0, 1, ... up to one beyond which no row has a probability of `small`, by the same recursion.

        None where that is beyond `most`, or where a distribution is not known.
        """
        alpha = par[1] if "alpha" in self.others else 0.0
        with np.errstate(all="ignore"):
            share, each = self._share(par), np.exp(self._log_zero(par))
            factor = np.where(par[0] >= 0, par[0], np.nan) / (1 + alpha * par[0])
            found = [self._zero(par)]
            below = found[0].copy()
            for y in range(most + 1):
                if np.all(1 - below <= small):
                    return np.stack(found)
                each = each * (factor * ((1 + alpha * y) / (y + 1)))
                found.append(share * each)
                below += found[-1]
        return None

    def _zero(self, par: np.ndarray) -> np.ndarray:
        """Probability of a zero."""
        return np.exp(self._log_zero(par))

    def _log_zero(self, par: np.ndarray) -> np.ndarray:
        """log of the probability of a zero in the base."""
        if "alpha" in self.others:
            return -np.log1p(par[1] * par[0]) / par[1]
        return -par[0]

    def begun(self, pick: Pick, total: float) -> Generator[Sums, np.ndarray, list[float]]:
        """Linear predictors of mu, and alpha where there is one, by moments of counts of a weight in total."""
        mean, variance = yield from moments(pick)
        mean = max(mean, 0.5 / (total + 1))
        found = [float(self.link(mean))]
        if "alpha" in self.others:
            found.append(math.log(max((variance - mean) / mean**2, _LEAST)))
        return found


@arguments(link=LINK)
class NegativeBinomialScale(Counts):
    """Negative binomial with mean mu and variance mu + alpha mu^2, alpha being estimated.

    Examples
    --------
    >>> import neuralstat as ns
    >>> family = ns.families.NegativeBinomialScale()
    >>> family.roles, family.role_links
    (('mu', 'alpha'), ('log', 'log'))
    """

    name, kind = "negative_binomial_scale", codes.NEGATIVE_BINOMIAL_2
    others: ClassVar[dict[str, str]] = {"alpha": "log"}

    def variance(self, par: Any) -> Any:
        return self.base_variance(par)

    def frozen(self, par: np.ndarray) -> Any:
        return self.base(par)

    def beginning(self) -> Beginning:
        total, _, _ = yield _zeros, ()
        return np.array((yield from self.begun(first, total)))


class _WithZeros(Counts):
    """pi, the last parameter, is a probability of zeros; `_kept` the share of the base that is left, `mean` follows."""

    cut: ClassVar[bool]  # whether the base is cut at 1 (hurdle)

    def _share(self, par: np.ndarray) -> np.ndarray:
        """Factor of the base's probabilities."""
        pi = par[-1]
        return (1 - pi) / -np.expm1(self._log_zero(par)) if self.cut else 1 - pi

    def _zero(self, par: np.ndarray) -> np.ndarray:
        return par[-1] + (0.0 if self.cut else self._share(par) * np.exp(self._log_zero(par)))

    def mean(self, par: np.ndarray) -> np.ndarray:
        return self._share(par) * par[0]

    def variance(self, par: Any) -> Any:
        share = self._share(par)
        return share * (self.base_variance(par) + np.square(par[0])) - np.square(share * par[0])

    def frozen(self, par: np.ndarray) -> Any:
        return _Zeros(self.base(par), par[-1], self._share(par), self.cut, self._log_zero(par))

    def beginning(self) -> Beginning:
        total, none, some = yield _zeros, ()
        zeros = float(none / total)
        found = yield from (self.begun(_positive, some) if some > 0 else self.begun(first, total))
        share = zeros if self.cut else zeros - math.exp(-float(self.link.inverse(found[0])))
        share = min(max(share, 0.02), 0.98)
        return np.array([*found, math.log(share / (1 - share))])


@arguments(link=LINK)
class ZeroInflatedPoisson(_WithZeros):
    """A zero with probability pi, else a Poisson count of mean mu (Lambert 1992, Technometrics 34:1).

    Examples
    --------
    >>> import neuralstat as ns
    >>> family = ns.families.ZeroInflatedPoisson()
    >>> family.roles, family.role_links
    (('mu', 'pi'), ('log', 'logit'))
    """

    name, kind, cut = "zero_inflated_poisson", codes.ZIP, False
    others: ClassVar[dict[str, str]] = {"pi": "logit"}


@arguments(link=LINK)
class ZeroInflatedNegativeBinomial(_WithZeros):
    """A zero with probability pi, else a negative binomial count of mean mu and alpha.

    Examples
    --------
    >>> import neuralstat as ns
    >>> family = ns.families.ZeroInflatedNegativeBinomial()
    >>> family.roles, family.role_links
    (('mu', 'alpha', 'pi'), ('log', 'log', 'logit'))
    """

    name, kind, cut = "zero_inflated_negative_binomial", codes.ZINB, False
    others: ClassVar[dict[str, str]] = {"alpha": "log", "pi": "logit"}


@arguments(link=LINK)
class HurdlePoisson(_WithZeros):
    """A zero with probability pi, else a Poisson count of mean mu that is not 0 (Mullahy 1986, J Econometrics 33:341).

    Examples
    --------
    >>> import neuralstat as ns
    >>> family = ns.families.HurdlePoisson()
    >>> family.roles, family.role_links
    (('mu', 'pi'), ('log', 'logit'))
    """

    name, kind, cut = "hurdle_poisson", codes.HURDLE_POISSON, True
    others: ClassVar[dict[str, str]] = {"pi": "logit"}


@arguments(link=LINK)
class HurdleNegativeBinomial(_WithZeros):
    """A zero with probability pi, else a negative binomial count of mean mu and alpha that is not 0.

    Examples
    --------
    >>> import neuralstat as ns
    >>> family = ns.families.HurdleNegativeBinomial()
    >>> family.roles, family.role_links
    (('mu', 'alpha', 'pi'), ('log', 'log', 'logit'))
    """

    name, kind, cut = "hurdle_negative_binomial", codes.HURDLE_NEGATIVE_BINOMIAL, True
    others: ClassVar[dict[str, str]] = {"alpha": "log", "pi": "logit"}


class _Zeros:
    """A distribution of counts with another probability of 0."""

    def __init__(self, base: Any, pi: np.ndarray, share: np.ndarray, cut: bool, log_zero: np.ndarray) -> None:
        self.base, self.pi, self.share, self.cut, self.log_zero = base, pi, share, cut, log_zero

    def sf(self, y: Any) -> np.ndarray:
        y = np.floor(y)
        return np.where(y < 0, 1.0, self.share * self.base.sf(np.maximum(y, 0)))

    def cdf(self, y: Any) -> np.ndarray:
        return 1 - self.sf(y)

    def logpmf(self, y: Any) -> np.ndarray:
        zero = self.pi + (0.0 if self.cut else np.exp(np.log(self.share) + self.log_zero))
        with np.errstate(divide="ignore"):
            return np.where(np.asarray(y) == 0, np.log(zero), np.log(self.share) + self.base.logpmf(y))

    def ppf(self, q: Any) -> np.ndarray:
        q = np.asarray(q, dtype=float)
        # P(Y > y) = share * S(y), so the least y with S(y) <= (1 - q) / share
        left = np.minimum((1 - q) / self.share, 1.0)
        with np.errstate(invalid="ignore"):
            found = np.where(left >= 1, 0.0, np.maximum(self.base.isf(left), 0.0))
        return np.where(q <= self.cdf(0.0), 0.0, found)

    def rvs(self, size: Any, random_state: np.random.Generator) -> np.ndarray:
        return self.ppf(random_state.uniform(size=size))


def _zeros(y: np.ndarray, w: np.ndarray) -> np.ndarray:
    """Weight of all rows, of those of 0, and of the others."""
    none = y[0] == 0
    return np.array([w.sum(), w @ none, w[~none].sum()])


def _positive(y: np.ndarray, w: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    some = y[0] != 0
    return y[0][some], w[some]
