"""Quantiles and expectiles that cannot cross."""

from __future__ import annotations

import math
from dataclasses import dataclass
from itertools import pairwise
from typing import Any

import numpy as np

from ..checks.arguments import Anything, Number, Numbers, arguments
from ..checks.values import shown
from ..errors import ArgumentError
from ..functions import distributions as codes
from .distributional import Distributional

SMOOTH = 0.01  # width of the smoothing, in standard deviations of the response
LEVELS = Anything("a number in (0, 1), or increasing numbers", (0.05, 0.5, 0.95))


def _levels(given: Any) -> tuple[float, ...]:
    levels = tuple(float(v) for v in np.atleast_1d(Numbers(None).check(given, "q")).ravel())
    if not levels or not all(0 < v < 1 for v in levels) or any(b <= a for a, b in pairwise(levels)):
        raise ArgumentError(f"q must be a number in (0, 1), or increasing numbers; got {shown(given)}.")
    return levels


def hall_sheather(q: float, n: int) -> float:
    """Half-width, in probability, for the density at a quantile of level q, n rows (Hall & Sheather 1988, JRSS B 50:381)."""
    from scipy.special import ndtri

    z = ndtri(q)
    density = math.exp(-0.5 * z * z) / math.sqrt(2 * math.pi)
    h = n ** (-1 / 3) * ndtri(0.975) ** (2 / 3) * (1.5 * density**2 / (2 * z * z + 1)) ** (1 / 3)
    while q - h < 0 or q + h > 1:
        h /= 2
    return float(h)


class _Levels(Distributional):
    """Values at levels q: the least is the first output, the others logarithms of the distances to the next."""

    default, located, links, first = "identity", True, ("identity",), "q"
    means, alike = (-math.inf, math.inf), True
    q: tuple[float, ...]
    smooth: float

    @property
    def others(self) -> dict[str, str]:  # type: ignore[override]
        return {f"step{k + 1}": "log" for k in range(1, len(self.q))}

    @property
    def parameters(self) -> np.ndarray:
        return np.array([0.0, 0.0, self.smooth, *self.q])

    @property
    def usual(self) -> Any:
        """Distances are outputs of the network, unless told otherwise."""
        return True

    def units(self, y_mean: float, y_sd: float) -> tuple[np.ndarray, np.ndarray]:
        scale, shift = np.ones(len(self.q)), np.full(len(self.q), math.log(y_sd))
        scale[0], shift[0] = y_sd, y_mean
        return scale, shift

    def natural(self, eta: np.ndarray) -> np.ndarray:
        """The values (K, ...) at the levels."""
        with np.errstate(over="ignore"):
            return np.cumsum(np.concatenate([eta[:1], np.exp(eta[1:])]), axis=0)

    def mean(self, par: np.ndarray) -> np.ndarray:
        """The value at the level next to 1/2."""
        return par[int(np.argmin(np.abs(np.array(self.q) - 0.5)))]

    def start(self, y: np.ndarray, w: np.ndarray) -> np.ndarray:
        order = np.argsort(y[0], kind="stable")
        share = (np.cumsum(w[order]) - 0.5 * w[order]) / w.sum()
        at = np.interp(self.q, share, y[0][order])
        return np.array([at[0], *np.log(np.maximum(np.diff(at), 1e-3))])

    def variance(self, par: Any) -> Any:
        raise self._lacks("variance")

    def frozen(self, par: np.ndarray) -> Any:
        raise self._lacks("distribution")

    def to_json(self) -> dict[str, Any]:
        return {**super().to_json(), "q": list(self.q), "smooth": self.smooth}

    def __repr__(self) -> str:
        return f"{type(self).__name__}(q=({', '.join(f'{v:g}' for v in self.q)}{',' if len(self.q) == 1 else ''}))"


@arguments(q=LEVELS, smooth=Number(above=0.0, most=10.0))
@dataclass(frozen=True, repr=False, init=False)
class Quantile(_Levels):
    """Quantiles of the response at increasing levels, which cannot cross.

    Parameters
    ----------
    q : number or sequence of numbers in (0, 1), increasing
    smooth : float > 0
        Width h of the smoothing, in standard deviations of the response. The pinball loss is replaced by
        ``h log(1 + exp(-r / h)) + q r``, which lies above it by at most h log 2 per observation and has it as its limit.

    Notes
    -----
    Without hidden units and with one level this is linear quantile regression. With several levels the distances are
    exponentials of linear predictors, so that quantiles of linear models are not straight lines but for the lowest.

    References
    ----------
    Koenker & Bassett (1978), Econometrica 46:33. Chen & Mangasarian (1996), Comput Optim Appl 5:97.

    Examples
    --------
    >>> import neuralstat as ns
    >>> family = ns.families.Quantile()
    >>> family.roles, family.role_links
    (('q', 'step2', 'step3'), ('identity', 'log', 'log'))
    """

    name, kind = "quantile", codes.QUANTILES
    q: tuple[float, ...] = (0.05, 0.5, 0.95)
    smooth: float = SMOOTH

    def __init__(self, q: Any = (0.05, 0.5, 0.95), smooth: float = SMOOTH) -> None:
        object.__setattr__(self, "q", _levels(q))
        object.__setattr__(self, "smooth", float(smooth))
        super().__init__(None, 0.0)

    def curvature(self, eta: np.ndarray, y: np.ndarray) -> np.ndarray:
        """(n, K, K) second derivatives of expected pinball losses in linear predictors (K, n), at responses (n,).

        The density at each quantile is estimated by the rows between two quantiles of the residuals, Hall and Sheather's
        half-width below and above the level, row by row, so that it may depend on covariates: Powell's estimate (1991) with
        a window that follows the residuals' own spread (Siddiqui 1960), in the tails too. Internal or original units.
        """
        k, n = eta.shape
        out = np.zeros((n, k, k))
        lead = np.concatenate([np.ones((1, n)), np.exp(eta[1:])])  # d quantile / d predictor, from its own level on
        for level, (q, at) in enumerate(zip(self.q, self.natural(eta), strict=True)):
            r = y - at
            h = hall_sheather(q, n)
            low, high = np.quantile(r, (q - h, q + h))
            density = ((r >= low) & (r <= high)) / max(float(high - low), 1e-12)
            own = np.where(np.arange(k)[:, np.newaxis] <= level, lead, 0.0)
            for i in range(k):
                for j in range(k):
                    out[:, i, j] += density * (own[i] * own[j])
        return out

    def ppf(self, par: np.ndarray, q: Any) -> np.ndarray:
        """Values at levels that were fitted, or between two of them; NaN beyond."""
        wanted = np.broadcast_to(np.asarray(q, dtype=float), par.shape[1:])
        flat = par.reshape(len(par), -1)
        found = [np.interp(v, self.q, row, np.nan, np.nan) for v, row in zip(wanted.ravel(), flat.T, strict=True)]
        return np.array(found).reshape(wanted.shape)


@arguments(q=LEVELS)
@dataclass(frozen=True, repr=False, init=False)
class Expectile(_Levels):
    """Expectiles of the response at increasing levels, which cannot cross; at 1/2 the mean.

    Parameters
    ----------
    q : number or sequence of numbers in (0, 1), increasing

    References
    ----------
    Newey & Powell (1987), Asymmetric least squares estimation and testing, Econometrica 55:819.

    Examples
    --------
    >>> import neuralstat as ns
    >>> family = ns.families.Expectile()
    >>> family.roles, family.role_links
    (('q', 'step2', 'step3'), ('identity', 'log', 'log'))
    """

    name, kind = "expectile", codes.EXPECTILES
    q: tuple[float, ...] = (0.05, 0.5, 0.95)
    smooth: float = SMOOTH

    def __init__(self, q: Any = (0.05, 0.5, 0.95)) -> None:
        object.__setattr__(self, "q", _levels(q))
        object.__setattr__(self, "smooth", SMOOTH)
        super().__init__(None, 0.0)
