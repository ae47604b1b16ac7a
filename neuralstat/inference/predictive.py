"""Quantiles of a new observation: the family's distribution mixed over what is not known of its mean.

The mean is ``g^-1(eta + se Z)`` with Z standard normal, by the trapezoidal rule on an even grid (which, unlike Gauss-Hermite
nodes, leaves no gaps between narrow distributions), or by fewer points that give the same number to rounding where the
distribution hardly moves with Z; the mixture's distribution function is inverted by secants or bisection, so that
limits are reproducible without drawing random numbers. (Tweedie responses with 1 < var_power < 2, whose distribution function
is a long series, are drawn instead, always from the same random numbers.) A limit is the least value at
which the distribution function reaches its level; of counts, a whole number.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np

from ..df.grids import gauss
from ..df.noise import _tweedie
from ..families import Family
from ..families.links import Link
from ..network import blocks

NODES, REACH = 121, 5.0  # of the grid for Z
MOST = 200  # doublings, and halvings
SIMULATIONS, CHUNK = 4000, 4_000_000  # draws of Tweedie responses, and how many are held at a time
LARGEST = 1e75  # mean
PRECISION = 1e-11  # relative, of a continuous limit
COUNTS = (1, 6, 8, 10, 13, 17, 24, 40, NODES)  # points that are enough where they tell the grid's mixture to rounding
DIGITS, MORE = 33.0, 3.0  # of which the logarithm is to fall by so much, and some more
SECANTS, SMALL = 30, 1e-4  # steps; relative, of a slope

Cdf = Callable[[np.ndarray], np.ndarray]


def quantiles(
    family: Family, link: Link, eta: np.ndarray, se: np.ndarray, phi: np.ndarray, weights: np.ndarray,
    levels: tuple[float, ...],
) -> np.ndarray:  # fmt: skip
    """Quantiles of a new observation, shape (levels, ...).

    Parameters
    ----------
    family : Family
        Not gaussian.
    link : Link
    eta, se : arrays of one shape
        Linear predictor and its standard error.
    phi, weights : arrays that broadcast to it
        Dispersion; weight of the observation (of a binomial one, the number of trials).
    levels : numbers in (0, 1)

    Returns
    -------
    array
        NaN where the family's distribution function is not known (Tweedie with var_power > 2 other than 3), and where it has
        none (quasi families).
    """
    known = np.isfinite(eta) & np.isfinite(se)
    eta, se = np.where(known, eta, 0.0), np.where(known, se, 0.0)
    if family.name == "tweedie" and 1 < family.parameter < 2:
        return np.where(known, _simulated(family, link, eta, se, phi / weights, levels), np.nan)
    eta_of, se_of, phi_of, weight_of = (np.broadcast_to(values, eta.shape).ravel() for values in (eta, se, phi, weights))
    out = np.full((len(levels), eta.size), np.nan)
    count = np.where(known.ravel(), _needed(family, link, eta_of, se_of, phi_of, weight_of), 0)
    for n in COUNTS:
        rows = np.flatnonzero(count == n)
        for part in blocks.of_numbers(rows.size, 4 * n):
            some = rows[part]
            own = _Mixture(family, link, eta_of[some], se_of[some], phi_of[some], weight_of[some], n)
            out[:, some] = _at(own, levels)
    return out.reshape(len(levels), *eta.shape)


class _Mixture:
    """The distributions of m new observations, arrays (m,), over `count` points of the errors of their linear predictors."""

    def __init__(
        self, family: Family, link: Link, eta: np.ndarray, se: np.ndarray, phi: np.ndarray, weights: np.ndarray, count: int
    ) -> None:
        self.family, self.link, self.given = family, link, (eta, se, phi, weights)
        self.count, self.size = count, eta.size
        nodes, share = gauss(REACH, NODES, count)
        self.share = share[:, np.newaxis]
        self.mu = _means(family, link, eta, se, nodes[:, np.newaxis])
        found = distribution(family, self.mu, phi, weights)
        self.known = found is not None
        self.each: Any = None if found is None else found[0]
        self.unit: Any = None if found is None else found[1]

    def cdf(self, y: np.ndarray) -> np.ndarray:
        """(m,) P(Y <= y)."""
        with np.errstate(all="ignore"):
            return np.sum(self.share * self.each(y), axis=0)

    def some(self, rows: np.ndarray, count: int) -> _Mixture:
        """Of some rows, over so many points."""
        eta, se, phi, weights = (values[rows] for values in self.given)
        return _Mixture(self.family, self.link, eta, se, phi, weights, count)


def _at(mixture: _Mixture, levels: tuple[float, ...]) -> np.ndarray:
    """(levels, m) quantiles."""
    if not mixture.known:
        return np.full((len(levels), mixture.size), np.nan)
    if mixture.unit is not None or mixture.count in (1, NODES):
        return np.stack([_invert(mixture.cdf, mixture.unit, level, (mixture.size,)) for level in levels])
    single = mixture.some(np.arange(mixture.size), 1)
    out = []
    for level in levels:
        near = _secants(single, level, single.mu[0])
        near = _secants(mixture, level, near, single)
        lost = np.flatnonzero(np.isnan(near))
        if lost.size:
            near[lost] = _invert(mixture.some(lost, NODES).cdf, None, level, (lost.size,))
        out.append(near)
    return np.stack(out)


def _secants(mixture: _Mixture, level: float, near: np.ndarray, like: _Mixture | None = None) -> np.ndarray:
    """(m,) quantiles of a continuous distribution by secants on the logarithm; NaN where they do not converge.

    The first goes by the slope of a distribution that is like it, where there is one.
    """
    near = np.where(near > 0, near, 1.0)
    like = mixture if like is None else like
    with np.errstate(all="ignore"):
        value = mixture.cdf(near) - level
        slope = (like.cdf(near * (1 + SMALL)) - like.cdf(near * (1 - SMALL))) / (2 * SMALL)
        last, at = near, near * np.exp(np.clip(-value / slope, -1.0, 1.0))
        for _ in range(SECANTS):
            found = mixture.cdf(at) - level
            done = np.abs(np.log(at / last)) <= PRECISION
            move = -found * np.log(at / last) / (found - value)
            move = np.where(done | (found == 0), 0.0, np.clip(move, -1.0, 1.0))
            last, value, at = at, found, at * np.exp(move)
            if not np.any(np.abs(move) > PRECISION):  # what is not known is lost
                break
        else:
            at = np.where(np.abs(np.log(at / last)) <= PRECISION, at, np.nan)
    return np.where(np.isfinite(at) & (at > 0), at, np.nan)


def _needed(
    family: Family, link: Link, eta: np.ndarray, se: np.ndarray, phi: np.ndarray, weights: np.ndarray
) -> np.ndarray:
    """(m,) of `COUNTS`: points over which mixtures are those over the grid, to rounding.

    A distribution function moves with Z as a normal one that is `steep` times as steep, the error of the linear predictor in
    units of what one observation tells of it, and its terms by degrees of Z fall as powers of steep^2 / (1 + steep^2). Where
    the grid leaves what is possible there is a bend, and no such rule.
    """
    low, high = family.means
    steep, smooth = np.zeros(eta.size), np.ones(eta.size, bool)
    with np.errstate(all="ignore"):
        for z in (-REACH, 0.0, REACH):
            moved = eta + z * se
            mu, rise = link.inverse(moved), link.inverse_deriv(moved)
            told = weights * np.square(rise) / (phi * family.variance(mu))
            steep = np.maximum(steep, np.square(se) * np.maximum(told, 1.0))
            smooth &= (within(family, moved, eta) == moved) & (mu > low) & (mu < min(high, LARGEST)) & np.isfinite(steep)
        wanted = DIGITS / np.log1p(1 / steep) + MORE
    wanted = np.where(smooth & np.isfinite(wanted), wanted, NODES)
    wanted = np.where(se > 0, wanted, 1)
    return np.array(COUNTS)[np.minimum(np.searchsorted(COUNTS, wanted), len(COUNTS) - 1)]


def _means(family: Family, link: Link, eta: np.ndarray, se: np.ndarray, z: np.ndarray) -> np.ndarray:
    """Means where the linear predictor is off by `z` standard errors, within what is possible and finite."""
    with np.errstate(all="ignore"):
        mu = link.inverse(within(family, eta + se * z, eta))
    low, high = family.means
    return np.clip(mu, max(low, 1e-300) if low == 0 else low, min(high, LARGEST))


def within(family: Family, eta: np.ndarray, near: np.ndarray) -> np.ndarray:
    """Linear predictors moved into the range that gives possible means, on the side of `near`."""
    up, down = family.predictor_range(1.0), family.predictor_range(-1.0)
    if up == down:
        return np.clip(eta, *up)
    return np.where(near >= 0, np.clip(eta, *up), np.clip(eta, *down))


def distribution(family: Family, mu: np.ndarray, phi: Any, weights: Any) -> tuple[Cdf, Any] | None:
    """Distribution function of responses with means `mu`, and the step between their values (None: continuous)."""
    from scipy import special

    if family.quasi:
        return None
    name, p = family.name, family.parameter
    if name == "tweedie":
        name = {1.0: "poisson", 2.0: "gamma", 3.0: "inverse_gaussian"}.get(p, name)
    if name in ("binomial", "multinomial"):
        trials = np.maximum(np.round(weights), 1.0)
        trials = np.where(np.isclose(trials, weights), trials, 1.0)
        return lambda y: special.bdtr(np.minimum(np.round(y * trials), trials), trials.astype(int), mu), 1 / trials
    if name == "poisson":
        each = phi / weights
        return lambda y: special.pdtr(np.round(y / each), mu / each), each
    if name == "negative_binomial":
        size = 1 / p
        return lambda y: special.betainc(size, np.round(y) + 1, size / (size + mu)), np.ones_like(mu[0])
    with np.errstate(divide="ignore"):
        shape = weights / phi
    if name == "gamma":
        return lambda y: special.gammainc(shape, np.maximum(y, 0) * shape / mu), None
    if name == "inverse_gaussian":
        return lambda y: _inverse_gaussian(np.maximum(y, 1e-300), mu, shape), None
    return None


def _inverse_gaussian(y: np.ndarray, mu: np.ndarray, shape: Any) -> np.ndarray:
    from scipy import special

    root = np.sqrt(shape / y)
    return special.ndtr(root * (y / mu - 1)) + np.exp(2 * shape / mu + special.log_ndtr(-root * (y / mu + 1)))


def _simulated(
    family: Family, link: Link, eta: np.ndarray, se: np.ndarray, phi: np.ndarray, levels: tuple[float, ...]
) -> np.ndarray:
    """Quantiles of SIMULATIONS draws of Tweedie responses, from the same random numbers at every call."""
    flat = [np.broadcast_to(a, eta.shape).ravel() for a in (eta, se, phi)]
    parts, step = [], max(1, CHUNK // SIMULATIONS)
    for first in range(0, eta.size, step):
        e, s, f = (a[first : first + step] for a in flat)
        rng = np.random.default_rng(0)
        mu = _means(family, link, e, s, rng.standard_normal((SIMULATIONS, 1)))
        drawn = _tweedie(rng, mu, f, family.parameter)
        parts.append(np.quantile(drawn, levels, axis=0, method="inverted_cdf"))
    return np.concatenate(parts, axis=1).reshape(len(levels), *eta.shape)


def _invert(cdf: Cdf, unit: Any, level: float, shape: tuple[int, ...]) -> np.ndarray:
    """Least y >= 0 at which a distribution function reaches `level`, by doubling and halving."""
    step = np.broadcast_to(1.0 if unit is None else unit, shape)
    at_zero = cdf(np.zeros(shape)) >= level  # an atom at 0, or a count of 0
    high = np.ones(shape)  # in steps
    for _ in range(MOST):
        short = cdf(high * step) < level
        if not short.any():
            break
        high = np.where(short, 2 * high, high)
    low = np.zeros(shape)
    for _ in range(MOST):
        middle = (low + high) / 2 if unit is None else np.floor((low + high) / 2)
        over = cdf(middle * step) >= level
        low, high = np.where(over, low, middle), np.where(over, middle, high)
        if np.all(high - low <= (1.0 if unit is not None else PRECISION * high)):
            break
    return np.where(at_zero, 0.0, high * step)
