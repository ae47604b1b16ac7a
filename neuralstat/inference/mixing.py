"""Limits of new observations of distributions with several parameters, mixed over the error of their parameters.

The linear predictors of a row are taken as normal, around the estimates less their first-order bias (`inference.bias`), with
the covariance of the delta method; a new observation's distribution is the mixture of those that they give, by a fixed set of
points with exactly these first two moments. Errors beyond one unit of a log or logit are no small ones, of which alone the
method can speak: they count as one unit.
"""

from __future__ import annotations

from collections.abc import Callable

import numpy as np

from ..df.local import active
from ..families import Cox, Distributional
from ..families.components import of_parameters
from ..fitted import Fitted
from ..likelihood import hazards
from ..likelihood.predictors import combined
from .bias import jacobians_at, weights_bias
from .covariance import cov_type_of
from .sampling import joint_root, parameter_covariance

PAIRS = 24  # of points, each with its negative
WIDEST = 1.0  # standard error of a logarithm or logit
LOGARITHMIC = ("log", "logit", "probit", "cloglog", "loglog")
AT_ONCE = 2_000_000  # predictors
STEPS = 60
PRECISION, SURE = 1e-9, 1e-9  # of a limit, relative to the width of the mixture; of its probability

Pair = tuple[np.ndarray, np.ndarray]


def fitted_limits(
    fitted: Fitted, numbers: list[int], x: np.ndarray, offset: np.ndarray | None, combine: str = "mixture"
) -> Callable[[float], Pair]:
    """alpha -> limits (1, m) of the fitted distribution, the parameters taken as known."""
    family, m = fitted.distribution, x.shape[1]
    raw = combined(fitted, fitted.raw(x, offset, numbers), combine)
    found = of_parameters(family, list(fitted.parameters(raw)))

    def limits(alpha: float) -> Pair:
        low, high = (found.quantiles(np.full(m, q)) for q in (alpha / 2, 1 - alpha / 2))
        return low[np.newaxis], high[np.newaxis]

    return limits


def joint_limits(
    fitted: Fitted, numbers: list[int], x: np.ndarray, offset: np.ndarray | None, combine: str, mean: np.ndarray,
    error: np.ndarray,
) -> Callable[[float], Pair]:  # fmt: skip
    """alpha -> limits (L, m) of several normal responses, each by itself, around means (L, m) with standard errors."""
    from scipy.special import ndtri

    raw = combined(fitted, fitted.raw(x, offset, numbers), combine)
    noise = np.mean([fitted.distribution.variance(p) for p in fitted.parameters(raw)], axis=0)
    width = np.sqrt(np.square(error) + noise)
    return lambda alpha: (mean - ndtri(1 - alpha / 2) * width, mean + ndtri(1 - alpha / 2) * width)


def hazard_limits(
    fitted: Fitted, numbers: list[int], x: np.ndarray, offset: np.ndarray | None, cov_type: str | None = None,
    combine: str = "mixture",
) -> Callable[[float], Pair]:  # fmt: skip
    """`mixed_limits` of Cox's model: over errors of relative hazards, not of the baseline; infinite beyond the last event."""
    raw = combined(fitted, fitted.raw(x, offset, numbers), combine)[:, 0]  # (R, m)
    parts = [[b] for b in numbers] if len(raw) == len(numbers) else [numbers]
    z = _points(1)[:, :1]
    curves = []
    for own, part in zip(raw, parts, strict=True):
        error = np.minimum(_errors(fitted, part, x, offset, cov_type)[1][:, 0, 0], WIDEST)
        curves.append(hazards.times_of(fitted, tuple(part), np.exp(own + error * z)))  # (T, m)
    times = curves[0].times  # events are the same for all

    def limits(alpha: float) -> Pair:
        out = np.full((2, x.shape[1]), np.inf)
        found = np.zeros(out.shape, bool)
        for t in times:
            below = np.mean([np.mean(curve.cdf(t), axis=0) for curve in curves], axis=0)
            for row, level in enumerate((alpha / 2, 1 - alpha / 2)):
                now = ~found[row] & (below >= level)
                out[row, now] = t
                found[row] |= now
            if found.all():
                break
        return out[:1], out[1:]

    return limits


def mixed_limits(
    fitted: Fitted, numbers: list[int], x: np.ndarray, offset: np.ndarray | None, cov_type: str | None = None,
    combine: str = "mixture",
) -> Callable[[float], Pair]:  # fmt: skip
    """alpha -> limits (1, m) of the mixture over errors of the linear predictors, and over repetitions or of their mean."""
    raw = combined(fitted, fitted.raw(x, offset, numbers), combine)  # (R, K, m)
    parts = [[b] for b in numbers] if len(raw) == len(numbers) else [numbers]
    moved = [_errors(fitted, part, x, offset, cov_type) for part in parts]
    points, m = _points(raw.shape[1]), x.shape[1]
    step = max(AT_ONCE // (len(points) * raw.shape[1] * len(raw)), 1)

    def limits(alpha: float) -> Pair:
        out = np.empty((2, 1, m))
        for first in range(0, m, step):
            part = slice(first, first + step)
            predictors = np.concatenate([
                own[:, part] - bias[:, part] + np.einsum("nkr,tr->tkn", root[part], points)
                for own, (bias, root) in zip(raw, moved, strict=True)
            ])  # fmt: skip
            out[:, 0, part] = _quantiles(fitted, predictors, (alpha / 2, 1 - alpha / 2))
        return out[0], out[1]

    return limits


def _points(k: int) -> np.ndarray:
    """(T, k) points of mean 0 and covariance 1, and normal but for that; always the same."""
    z = np.random.default_rng(0).standard_normal((max(PAIRS, 4 * k), k))
    z = np.concatenate([z, -z])
    values, vectors = np.linalg.eigh(z.T @ z / len(z))
    return z @ (vectors / np.sqrt(values)) @ vectors.T


def _errors(
    fitted: Fitted, numbers: list[int], x: np.ndarray, offset: np.ndarray | None, cov_type: str | None
) -> tuple[np.ndarray, np.ndarray]:
    """Bias (K, m) of the mean linear predictors of repetitions, and roots (m, K, K) of their covariance, internal units."""
    kind, p = cov_type_of(fitted, cov_type), fitted.network.n_params
    joint = joint_root(fitted, tuple(numbers), kind)[0] if len(numbers) > 1 else None
    by_member = []
    for r, b in enumerate(numbers):
        if isinstance(fitted.family, Cox):  # no likelihood of single rows
            root = parameter_covariance(fitted, b, kind)[0]
            own = np.zeros(len(root))
        else:
            root, own = weights_bias(fitted, b, kind)
        if joint is not None:
            root = joint[r * p : (r + 1) * p][active(fitted, b)]
        by_member.append((root, own))
    k, m = fitted.network.n_outputs, x.shape[1]
    bias, each = np.zeros((k, m)), np.empty((m, k, k))
    members = zip(*(jacobians_at(fitted, b, x, offset) for b in numbers), strict=True)
    for found in members:
        part, half = found[0][0], 0.0
        for (_, jacobian), (root, own) in zip(found, by_member, strict=True):
            half = half + np.einsum("knp,pr->nkr", jacobian, root, optimize=True) / len(numbers)
            bias[:, part] += np.einsum("knp,p->kn", jacobian, own) / len(numbers)
        each[part] = np.einsum("nkr,njr->nkj", half, half, optimize=True)
    values, vectors = np.linalg.eigh((each + each.transpose(0, 2, 1)) / 2)
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
