"""Quantiles of a new observation: the family's distribution mixed over what is not known of its mean.

The mean is ``g^-1(eta + se Z)`` with Z standard normal, by the trapezoidal rule on an even grid (which, unlike Gauss-Hermite
nodes, leaves no gaps between narrow distributions); the mixture's distribution function is inverted by bisection, so that
limits are reproducible without drawing random numbers. (Tweedie responses with 1 < var_power < 2, whose distribution function
is a long series, are drawn instead, always from the same random numbers.) A limit is the least value at
which the distribution function reaches its level; of counts, a whole number.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np

from ..df.noise import _tweedie
from ..families import Family
from ..families.links import Link
from ..network import blocks

NODES, REACH = 121, 5.0  # of the grid for Z
MOST = 200  # doublings, and halvings
SIMULATIONS, CHUNK = 4000, 4_000_000  # draws of Tweedie responses, and how many are held at a time
LARGEST = 1e75  # mean
PRECISION = 1e-11  # relative, of a continuous limit

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
    parts = blocks.parts(eta.shape[-1], eta.size // max(eta.shape[-1], 1), NODES) if eta.ndim else []
    if len(parts) > 1:  # mixtures at many points of every row
        phi, weights = np.broadcast_to(phi, eta.shape), np.broadcast_to(weights, eta.shape)
        se = np.where(known, se, np.nan)
        some = [quantiles(family, link, eta[..., p], se[..., p], phi[..., p], weights[..., p], levels) for p in parts]
        return np.concatenate(some, axis=-1)
    nodes = np.linspace(-REACH, REACH, NODES) if np.any(se > 0) else np.zeros(1)
    mass = np.exp(-0.5 * nodes**2)
    z = nodes.reshape(-1, *(1,) * eta.ndim)
    mu = _means(family, link, eta, se, z)
    found = distribution(family, mu, phi, weights)
    if found is None:
        return np.full((len(levels), *eta.shape), np.nan)
    cdf, unit = found
    share = (mass / mass.sum()).reshape(z.shape)

    def mixed(y: np.ndarray) -> np.ndarray:
        with np.errstate(all="ignore"):
            return np.sum(share * cdf(y), axis=0)

    return np.stack([_invert(mixed, unit, level, eta.shape, known) for level in levels])


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


def _invert(cdf: Cdf, unit: Any, level: float, shape: tuple[int, ...], known: np.ndarray) -> np.ndarray:
    """Least y >= 0 at which a distribution function reaches `level`, by doubling and halving."""
    step = np.broadcast_to(1.0 if unit is None else unit, shape)
    at_zero = cdf(np.zeros(shape)) >= level  # an atom at 0, or a count of 0
    high = np.ones(shape)  # in steps
    for _ in range(MOST):
        short = known & (cdf(high * step) < level)
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
    return np.where(known, np.where(at_zero, 0.0, high * step), np.nan)
