"""Minus log-probabilities of intervals of a standard variable: ordered categories, censored times; and quantile losses.

The standard variables are the logistic, the normal and the (least) extreme value, whose distribution functions are the
inverses of the links logit, probit and cloglog: F(x) = 1 - exp(-exp(x)).
"""

from __future__ import annotations

import math
from typing import Any

from ..jit.compile import jit
from ..jit.scalar import real_
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
def log_between(kind: int, a: Any, b: Any) -> Any:
    """``(log(F(b) - F(a)), d / d a, d / d b)`` for a < b."""
    if kind == LOGIT:
        value = log1mexp(a - b) - softplus(-b) - softplus(a)
    elif kind == PROBIT:
        if real_(a) + real_(b) > 0:  # by the tail in which the probabilities are small
            up, _ = log_ndtr_(-a)
            down, _ = log_ndtr_(-b)
        else:
            up, _ = log_ndtr_(b)
            down, _ = log_ndtr_(a)
        value = up + log1mexp(down - up)
    else:
        near = exp_wide_(a)
        value = -near + log1mexp(near - exp_wide_(b))
    left, _ = log_density(kind, a)
    right, _ = log_density(kind, b)
    return value, -exp_wide_(left - value), exp_wide_(right - value)


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

    `target` (2, block) holds where the time lies: the two ends of an interval, equal where it was observed; 0 and infinity
    are ends that are not known (left and right censored).
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
        elif high == math.inf:
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
