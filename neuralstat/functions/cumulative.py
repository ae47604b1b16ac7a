"""Minus log-probabilities of intervals of a standard variable: ordered categories, censored times; and quantile losses.

The standard variables are the logistic, the normal and the (least) extreme value, whose distribution functions are the
inverses of the links logit, probit and cloglog: F(x) = 1 - exp(-exp(x)).
"""

from __future__ import annotations

import math
from typing import Any

from ..jit.compile import jit
from ..jit.scalar import expm1_, log_, real_
from ..jit.special import exp_wide_, log_ndtr_
from .densities import HALF_LOG_2PI, sigmoid
from .deviance import log1mexp, softplus
from .links import LOGIT, PROBIT


@jit(strict=True)
def log_density(kind: int, x: Any) -> Any:
    """``(log f(x), d / d x)``."""
    if kind == LOGIT:
        return -x - 2 * softplus(-x), 1 - 2 * sigmoid(x)
    if kind == PROBIT:
        return -x * x / 2 - HALF_LOG_2PI, -x
    e = exp_wide_(x)
    return x - e, 1 - e


@jit(strict=True)
def log_below(kind: int, x: Any) -> Any:
    """``(log F(x), d / d x)``."""
    if kind == LOGIT:
        return -softplus(-x), sigmoid(-x)
    if kind == PROBIT:
        return log_ndtr_(x)
    e = exp_wide_(x)
    value = log1mexp(-e)
    if real_(x) > 6:
        return value, exp_wide_(x - e)
    return value, exp_wide_(x - e - value)


@jit(strict=True)
def log_above(kind: int, x: Any) -> Any:
    """``(log(1 - F(x)), d / d x)``."""
    if kind == LOGIT:
        return -softplus(x), -sigmoid(x)
    if kind == PROBIT:
        value, slope = log_ndtr_(-x)
        return value, -slope
    e = exp_wide_(x)
    return -e, -e


@jit(strict=True)
def _inverse_expm1(x: Any) -> Any:
    """1 / (exp(x) - 1), x > 0."""
    if real_(x) > 40:
        return exp_wide_(-x)
    return 1 / expm1_(x)


@jit(strict=True)
def log_between(kind: int, a: Any, b: Any) -> Any:
    """``(log(F(b) - F(a)), d / d a, d / d b)`` for a < b."""
    if kind == LOGIT:
        odds = _inverse_expm1(b - a)
        value = log1mexp(a - b) - softplus(-b) - softplus(a)
        return value, -sigmoid(a) - odds, sigmoid(-b) + odds
    if kind == PROBIT:
        if real_(a) + real_(b) > 0:  # by the tail in which the probabilities are small
            up, _ = log_ndtr_(-a)
            down, _ = log_ndtr_(-b)
        else:
            up, _ = log_ndtr_(b)
            down, _ = log_ndtr_(a)
        value = up + log1mexp(down - up)
        left, _ = log_density(kind, a)
        right, _ = log_density(kind, b)
        return value, -exp_wide_(left - value), exp_wide_(right - value)
    near, far = exp_wide_(a), exp_wide_(b)
    odds = _inverse_expm1(far - near)
    return -near + log1mexp(near - far), -near * (1 + odds), far * odds


@jit
def sum_ordinal(kind: int, value: Any, target: Any, case: Any, delta: Any, first: int, outputs: int, lane: int, m: int,
                lanes: int) -> Any:
    """Ordered categories 0 .. outputs: -log(F(t_j - eta) - F(t_{j-1} - eta)) for an observation of category j.

    Row `first` holds eta; the least threshold t_0 is 0 (eta has a constant), and the other rows hold the logarithms of the
    distances to the next one. `target` (outputs + 1, block) indicates the category. (McCullagh 1980, JRSS B 42:109.)
    """
    total = value[first, 0] * 0
    for i in range(lane, m, lanes):
        j = 0
        for k in range(outputs):
            delta[first + k, i] = value[first, i] * 0
            if target[k + 1, i] > 0.5:
                j = k + 1
        below, above = -value[first, i], -value[first, i]
        for k in range(1, j + 1):
            below = above
            if k < outputs:
                above = above + exp_wide_(value[first + k, i])
        if j == 0:
            v, up = log_below(kind, above)
            down = up * 0
        elif j == outputs:
            v, down = log_above(kind, above)
            up = down * 0
        else:
            v, down, up = log_between(kind, below, above)
        total += case[i] * -v
        delta[first, i] = case[i] * (down + up)
        for k in range(1, min(j, outputs - 1) + 1):  # distances to the upper end, and to the lower one
            part = down + up if k < j or j == outputs else up
            delta[first + k, i] = -case[i] * part * exp_wide_(value[first + k, i])
    return total


@jit
def sum_survival(kind: int, value: Any, target: Any, case: Any, delta: Any, first: int, lane: int, m: int, lanes: int) -> Any:
    """Times whose logarithms are mu + sigma times a standard variable; rows `first` hold mu and log sigma.

    `target` (2 or 3, block) holds where the time lies: the two ends of an interval, equal where it was observed; an end of
    0 is not known (left, right censored). A third row holds the time from which on it was looked at (left truncation), or 0.
    """
    total = value[first, 0] * 0
    for i in range(lane, m, lanes):
        low, high = target[0, i], target[1, i]
        mu, b = value[first, i], value[first + 1, i]
        root = exp_wide_(-b)
        if low == high:
            x = math.log(low)
            z = (x - mu) * root
            v, d = log_density(kind, z)
            v = v - b - x
            slope, bend = -d * root, -d * z - 1
        elif high <= 0:
            z = (math.log(low) - mu) * root
            v, d = log_above(kind, z)
            slope, bend = -d * root, -d * z
        elif low <= 0:
            z = (math.log(high) - mu) * root
            v, d = log_below(kind, z)
            slope, bend = -d * root, -d * z
        else:
            z, u = (math.log(low) - mu) * root, (math.log(high) - mu) * root
            v, d, e = log_between(kind, z, u)
            slope, bend = -(d + e) * root, -d * z - e * u
        if target.shape[0] > 2 and target[2, i] > 0:
            z = (math.log(target[2, i]) - mu) * root
            u, d = log_above(kind, z)
            v -= u
            slope += d * root
            bend += d * z
        total -= case[i] * v
        delta[first, i] = -case[i] * slope
        delta[first + 1, i] = -case[i] * bend
    return total


@jit
def sum_quantiles(squares: bool, parameters: Any, value: Any, target: Any, case: Any, delta: Any, first: int, outputs: int,
                  lane: int, m: int, lanes: int) -> Any:
    """Quantiles that cannot cross: the least, then logarithms of the distances to the next; sum of their pinball losses.

    The pinball loss is smoothed as h log(1 + exp(-r / h)) + q r (Chen & Mangasarian 1996, Comput Optim Appl 5:97), at most
    h log 2 above it, for residuals r = y - q_k. ``parameters[2]`` is h, from 3 on are the levels. With `squares`
    expectiles: |q - (r < 0)| r^2 (Newey & Powell 1987, Econometrica 55:819).
    """
    total = value[first, 0] * 0
    width = parameters[2]
    for i in range(lane, m, lanes):
        at = value[first, i]
        for k in range(outputs):
            if k > 0:
                at = at + exp_wide_(value[first + k, i])
            r, q = target[0, i] - at, parameters[3 + k]
            if squares:
                tilt = q if real_(r) >= 0 else 1 - q
                total += case[i] * tilt * r * r
                d = -2 * tilt * r
            else:
                total += case[i] * (width * softplus(-r / width) + q * r)
                d = sigmoid(-r / width) - q
            delta[first + k, i] = case[i] * d
        for k in range(outputs - 2, -1, -1):  # an output moves its quantile and all above
            delta[first + k, i] += delta[first + k + 1, i]
        for k in range(1, outputs):
            delta[first + k, i] *= exp_wide_(value[first + k, i])
    return total


@jit
def sum_mixture(value: Any, target: Any, case: Any, delta: Any, first: int, outputs: int, lane: int, m: int,
                lanes: int) -> Any:
    """Mixture of k normal distributions: rows hold k means, k log standard deviations, and k - 1 log odds of the shares.

    The odds are against the first component. (Bishop 1994, Mixture density networks, Aston University NCRG/94/004.)
    """
    total = value[first, 0] * 0
    size = (outputs + 1) // 3
    for i in range(lane, m, lanes):
        top, above = real_(value[first, i] * 0) - math.inf, real_(value[first, i] * 0)  # the largest, of densities and odds
        for k in range(size):
            b = value[first + size + k, i]
            z = (target[0, i] - value[first + k, i]) * exp_wide_(-b)
            odds = value[first + 2 * size + k - 1, i] if k > 0 else value[first, i] * 0
            top = max(top, real_(odds - b - z * z / 2))
            above = max(above, real_(odds))
        density, shares = value[first, i] * 0, value[first, i] * 0
        for k in range(size):
            b = value[first + size + k, i]
            z = (target[0, i] - value[first + k, i]) * exp_wide_(-b)
            odds = value[first + 2 * size + k - 1, i] if k > 0 else value[first, i] * 0
            density += exp_wide_(odds - b - z * z / 2 - top)
            shares += exp_wide_(odds - above)
        total += case[i] * (HALF_LOG_2PI + log_(shares) + above - log_(density) - top)
        for k in range(size):
            b = value[first + size + k, i]
            root = exp_wide_(-b)
            z = (target[0, i] - value[first + k, i]) * root
            odds = value[first + 2 * size + k - 1, i] if k > 0 else value[first, i] * 0
            own = exp_wide_(odds - b - z * z / 2 - top) / density
            delta[first + k, i] = -case[i] * own * z * root
            delta[first + size + k, i] = case[i] * own * (1 - z * z)
            if k > 0:
                delta[first + 2 * size + k - 1, i] = case[i] * (exp_wide_(odds - above) / shares - own)
    return total
