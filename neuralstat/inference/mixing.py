"""Limits of new observations of distributions with several parameters, mixed over the error of their parameters.

The linear predictors of a row are taken as normal, around the estimates less their first-order bias (`inference.bias`), with
the covariance of the delta method; a new observation's distribution is the mixture of those that they give, by a fixed set of
points with exactly these first two moments. Errors beyond one unit of a log or logit are no small ones, of which alone the
method can speak: they count as one unit.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import Any

import numpy as np

from ..df.local import active
from ..families import Cox, Distributional
from ..families.components import of_parameters
from ..families.counts import Counts
from ..families.cox import StepFunction
from ..fitted import Fitted
from ..likelihood import hazards
from ..likelihood.predictors import combined
from ..network import blocks
from .bias import jacobians_at, squared, weights_bias
from .covariance import cov_type_of
from .prediction import Limits, Pair
from .sampling import joint_root, parameter_covariance

PAIRS = 24  # of points, each with its negative
WIDEST = 1.0  # standard error of a logarithm or logit
LOGARITHMIC = ("log", "logit", "probit", "cloglog", "loglog")
AT_ONCE = 2**17  # predictors
STEPS = 60
SUMMED = 100.0  # mean of counts up to which probabilities are summed one by one
PRECISION, SURE = 1e-9, 1e-9  # of a limit, relative to the width of the mixture; of its probability


@dataclass(frozen=True)
class Where:
    """Covariates (D, m) and offset of rows, internal units, and what repetitions say together there."""

    fitted: Fitted
    numbers: list[int]
    x: np.ndarray
    offset: np.ndarray | None
    combine: str = "mixture"

    def at(self, part: slice) -> Where:
        """Some of the rows."""
        known = None if self.offset is None else np.ascontiguousarray(self.offset[:, part])
        return Where(self.fitted, self.numbers, np.ascontiguousarray(self.x[:, part]), known, self.combine)

    def raw(self) -> np.ndarray:
        """What kernels give (B', K, m) of the repetitions, or of their mean."""
        return combined(self.fitted, self.fitted.raw(self.x, self.offset, self.numbers), self.combine)

    def parts(self) -> list[list[int]]:
        """Repetitions that each component of the mixture is of."""
        return [self.numbers] if self.combine == "mean" else [[b] for b in self.numbers]


def everywhere(limits: Limits, m: int) -> Callable[[float], Pair]:
    """Limits (K, m) of all rows."""

    def whole(alpha: float) -> Pair:
        found = [limits(alpha, part) for part in blocks.of_rows(m)]
        return np.concatenate([v for v, _ in found], axis=1), np.concatenate([v for _, v in found], axis=1)

    return whole


def fitted_limits(where: Where) -> Limits:
    """Limits (1, m) of the fitted distribution, the parameters taken as known."""
    fitted = where.fitted

    def limits(alpha: float, part: slice) -> Pair:
        found = of_parameters(fitted.distribution, list(fitted.parameters(where.at(part).raw())))
        low, high = (found.quantiles(np.full(found.rows, q)) for q in (alpha / 2, 1 - alpha / 2))
        return low[np.newaxis], high[np.newaxis]

    return limits


def joint_limits(where: Where, mean: np.ndarray, sampling: np.ndarray, between: np.ndarray) -> Limits:
    """Limits (L, m) of several normal responses, each by itself, around means (L, m) with these variances."""
    from scipy.special import ndtri

    fitted = where.fitted

    def limits(alpha: float, part: slice) -> Pair:
        noise = np.mean([fitted.distribution.variance(p) for p in fitted.parameters(where.at(part).raw())], axis=0)
        half = ndtri(1 - alpha / 2) * np.sqrt(sampling[:, part] + between[:, part] + noise)
        return mean[:, part] - half, mean[:, part] + half

    return limits


def hazard_limits(where: Where, cov_type: str | None = None) -> Limits:
    """`mixed_limits` of Cox's model: over errors of relative hazards, not of the baseline; infinite beyond the last event."""
    fitted, z = where.fitted, _points(1)[:, :1]
    parts = where.parts()
    members = [_members(fitted, part, cov_type) for part in parts]

    def limits(alpha: float, part: slice) -> Pair:
        out = []
        step = max(AT_ONCE // (len(z) * len(parts)), 1)
        for first in range(part.start, part.stop, step):
            here = where.at(slice(first, min(first + step, part.stop)))
            curves = []
            for own, several, each in zip(here.raw()[:, 0], parts, members, strict=True):
                error = np.minimum(_errors(fitted, several, each, here)[1][:, 0, 0], WIDEST)
                curves.append(hazards.times_of(fitted, tuple(several), np.exp(own + error * z)))  # (T, m)
            out.append([_first_time(curves, level) for level in (alpha / 2, 1 - alpha / 2)])
        low, high = (np.concatenate(own)[np.newaxis] for own in zip(*out, strict=True))
        return low, high

    return limits


def _first_time(curves: list[StepFunction], level: float) -> np.ndarray:
    """(m,) first times of events at which means over curves, and over their relative hazards (T, m), have reached `level`.

    By false positions between the numbers of two events, which end where these are neighbours.
    """
    times, m = curves[0].times, curves[0].relative.shape[-1]  # events are the same for all

    def above(event: np.ndarray, rows: np.ndarray) -> np.ndarray:
        gone = [np.mean(np.exp(-c.cumulative[event + 1] * c.relative[:, rows]), axis=0) for c in curves]
        return 1 - np.mean(gone, axis=0) - level

    everyone = np.arange(m)
    low, high = np.full(m, -1), np.full(m, times.size - 1)  # at the first nothing has happened
    f, g = np.full(m, -level), above(high, everyone)
    never = g < 0
    rows, last = np.flatnonzero(~never & (high - low > 1)), np.zeros(m)
    while rows.size:
        a, b, fa, ga = low[rows], high[rows], f[rows], g[rows]
        at = np.clip(np.round(a + (b - a) * fa / (fa - ga)).astype(int), a + 1, b - 1)
        slow = last[rows] * np.sign(last[rows]) >= 2  # an end has stayed twice
        at = np.where(slow, (a + b) // 2, at)
        value = above(at, rows)
        up = value >= 0
        low[rows], high[rows] = np.where(up, a, at), np.where(up, at, b)
        f[rows], g[rows] = np.where(up, fa, value), np.where(up, value, ga)
        side = np.where(up, 1, -1)
        last[rows] = np.where(slow | (np.sign(last[rows]) != side), side, last[rows] + side)
        rows = rows[high[rows] - low[rows] > 1]
    return np.where(never, np.inf, times[high])


def mixed_limits(where: Where, cov_type: str | None = None) -> Limits:
    """Limits (1, m) of the mixture over errors of the linear predictors, and over repetitions or of their mean."""
    fitted, parts = where.fitted, where.parts()
    members = [_members(fitted, part, cov_type) for part in parts]
    k = fitted.network.n_outputs
    points = _points(k)
    step = max(AT_ONCE // (len(points) * k * len(parts)), 1)

    def limits(alpha: float, part: slice) -> Pair:
        here = where.at(part)
        raw, m = here.raw(), part.stop - part.start
        moved = [_errors(fitted, several, each, here) for several, each in zip(parts, members, strict=True)]
        out = np.empty((2, 1, m))
        for first in range(0, m, step):
            some = slice(first, min(first + step, m))
            predictors = np.concatenate([
                _around(own[:, some] - bias[:, some], root[some], points)
                for own, (bias, root) in zip(raw, moved, strict=True)
            ])  # fmt: skip
            out[:, 0, some] = _quantiles(fitted, predictors, (alpha / 2, 1 - alpha / 2))
        return out[0], out[1]

    return limits


def _around(middle: np.ndarray, root: np.ndarray, points: np.ndarray) -> np.ndarray:
    """(T, K, m) predictors at `points` (T, K) around middles (K, m) with covariances of these roots (m, K, K)."""
    turned = np.ascontiguousarray(root.transpose(1, 2, 0))  # (K, K, m)
    out = np.empty((len(points), *middle.shape))
    out[:] = middle
    for r in range(len(middle)):
        out += points[:, r, np.newaxis, np.newaxis] * turned[:, r]
    return out


def _points(k: int) -> np.ndarray:
    """(T, k) points of mean 0 and covariance 1, and normal but for that; always the same."""
    z = np.random.default_rng(0).standard_normal((max(PAIRS, 4 * k), k))
    z = np.concatenate([z, -z])
    values, vectors = np.linalg.eigh(z.T @ z / len(z))
    return z @ (vectors / np.sqrt(values)) @ vectors.T


def _members(fitted: Fitted, numbers: list[int], cov_type: str | None) -> list[tuple[np.ndarray, np.ndarray]]:
    """Of each repetition the root of the covariance of the weights that it uses, and their bias, internal units."""
    kind, p = cov_type_of(fitted, cov_type), fitted.network.n_params
    joint = joint_root(fitted, tuple(numbers), kind)[0] if len(numbers) > 1 else None
    out = []
    for r, b in enumerate(numbers):
        if isinstance(fitted.family, Cox):  # no likelihood of single rows
            root = parameter_covariance(fitted, b, kind)[0]
            own = np.zeros(len(root))
        else:
            root, own = weights_bias(fitted, b, kind)
        out.append((root if joint is None else joint[r * p : (r + 1) * p][active(fitted, b)], own))
    return out


def _errors(
    fitted: Fitted, numbers: list[int], by_member: list[tuple[np.ndarray, np.ndarray]], where: Where
) -> tuple[np.ndarray, np.ndarray]:
    """Bias (K, m) of the mean linear predictors of repetitions, and roots (m, K, K) of their covariance, internal units."""
    k, m = fitted.network.n_outputs, where.x.shape[1]
    bias, each = np.zeros((k, m)), np.empty((m, k, k))
    members = zip(*(jacobians_at(fitted, b, where.x, where.offset) for b in numbers), strict=True)
    for found in members:
        part = found[0][0]
        half: Any = 0.0
        for (_, jacobian), (root, own) in zip(found, by_member, strict=True):
            half = half + jacobian @ root / len(numbers)  # (K, n, R)
            bias[:, part] += jacobian @ own / len(numbers)
        each[part] = squared(half)
    values, vectors = np.linalg.eigh(each)
    roots = vectors * np.sqrt(np.maximum(values, 0.0))[:, np.newaxis, :]
    error = np.sqrt(np.einsum("nkr,nkr->kn", roots, roots))
    bounded = np.array([link.name in LOGARITHMIC for link in fitted.distribution.role_links])[:, np.newaxis]
    with np.errstate(divide="ignore"):
        share = np.where(bounded, np.minimum(1.0, WIDEST / error), 1.0)
    roots *= share.T[:, :, np.newaxis]
    # a bias is small beside the error wherever first-order theory holds
    return np.clip(bias, -share * error, share * error), roots


def _quantiles(fitted: Fitted, predictors: np.ndarray, levels: tuple[float, ...]) -> np.ndarray:
    """(levels, m) quantiles of equal mixtures over linear predictors (T, K, m), internal units."""
    family = fitted.distribution
    par = family.natural(fitted.original_predictors(predictors).transpose(1, 0, 2))  # (K, T, m)
    shape, out = par.shape[1:], []
    if isinstance(family, Counts) and par[0].max() <= SUMMED:
        return _summed(family.cumulative(par), levels, shape[1])
    with np.errstate(all="ignore"):
        own = type(family).cdf is not Distributional.cdf
        cdf = (lambda y: family.cdf(par, y)) if own else family.frozen(par).cdf  # made once
        for q in levels:
            each = family.ppf(par, np.full(shape, q))

            def above(y: np.ndarray, q: float = q) -> np.ndarray:
                return np.mean(cdf(np.broadcast_to(y, shape)), axis=0) - q

            low, high = each.min(axis=0), each.max(axis=0)  # the mixture's is between those of its components
            out.append(_stepped(above, low, high) if family.discrete else _root(above, low, high))
    return np.stack(out)


def _summed(cumulative: Iterator[np.ndarray], levels: tuple[float, ...], m: int) -> np.ndarray:
    """(levels, m) least counts at which means over components of the probabilities up to 0, 1, 2 have reached levels."""
    out = np.full((len(levels), m), np.nan)
    for count, below in enumerate(cumulative):
        reached = below.mean(axis=0)
        for row, level in zip(out, levels, strict=True):
            row[np.isnan(row) & ~(reached < level)] = count  # what is not known at once
        if not np.isnan(out).any():
            return out
    raise AssertionError


def _root(above: Callable[[np.ndarray], np.ndarray], low: np.ndarray, high: np.ndarray) -> np.ndarray:
    """Where an increasing function is 0: by false positions, the value at an end that stays twice is halved (Illinois)."""
    wide = high - low
    f, g = above(low), above(high)
    last = np.zeros(low.shape)
    for _ in range(STEPS):
        if np.all((high - low <= PRECISION * wide) | ~np.isfinite(wide)):
            break
        at = (low * g - high * f) / (g - f)
        at = np.where((at > low) & (at < high), at, (low + high) / 2)
        value = above(at)
        exact = np.abs(value) <= SURE
        up, side = value > 0, np.sign(value)
        f, g = np.where(up, np.where(last > 0, f / 2, f), value), np.where(up, value, np.where(last < 0, g / 2, g))
        low, high = np.where(~up | exact, at, low), np.where(up | exact, at, high)
        last = side
    return high


def _stepped(above: Callable[[np.ndarray], np.ndarray], low: np.ndarray, high: np.ndarray) -> np.ndarray:
    """Least whole number at which the distribution function reaches its level."""
    while np.any(low < high):
        middle = np.floor((low + high) / 2)
        up = above(middle) >= 0
        low, high = np.where(up | (low >= high), low, middle + 1), np.where(up, np.minimum(middle, high), high)
    return high
