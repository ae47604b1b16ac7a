"""Half unit deviances of exponential families as scalar kernels, and the loop that sums them over observations.

Where a family meets one of its common links, value and slope are written in the linear predictor, so that nothing
overflows or cancels before the result itself does; every other pair goes through the mean. A mean outside the
family's range gives NaN: training then reports it.

Deviances: McCullagh & Nelder (1989), Generalized Linear Models, 2nd ed., table 2.1; Tweedie: Jorgensen (1987),
JRSS B 49:127.
"""

from __future__ import annotations

import math
from typing import Any

import numpy as np

from ..jit.compile import jit, named
from ..jit.scalar import expm1_, log1p_, log_, real_
from ..jit.special import acot_, exp_wide_, log_ndtr_, pow_
from .links import CAUCHY, CLOGLOG, IDENTITY, LOG, LOGC, LOGIT, LOGLOG, POWER, PROBIT, inverse_link

GAUSSIAN, BINOMIAL, POISSON, GAMMA, INVERSE_GAUSSIAN, NEGATIVE_BINOMIAL, TWEEDIE = range(7)
WIDTH = 16  # a loss's code is FAMILY + family + WIDTH * link


@jit(strict=True)
def xlogx(y: float) -> float:
    """y log y, 0 at 0."""
    return y * math.log(y) if y > 0 else y * 0


@jit(strict=True)
def softplus(x: Any) -> Any:
    """log(1 + exp(x))."""
    if real_(x) > 0:
        return x + log1p_(exp_wide_(-x))
    return log1p_(exp_wide_(x))


@jit(strict=True)
def log1mexp(x: Any) -> Any:
    """log(1 - exp(x)) for x < 0 (Maechler 2012)."""
    if real_(x) > -0.6931471805599453:
        return log_(-expm1_(x))
    return log1p_(-exp_wide_(x))


# value and derivative in the linear predictor: (eta, y, p) -> (value, slope) -----------------------------------


@jit(strict=True)
def binomial_logit(eta: Any, y: float, p: float) -> Any:
    if real_(eta) > 0:
        e = exp_wide_(-eta)
        value = (1 - y) * eta + log1p_(e)
        slope = (1 - y) - e / (1 + e)
    else:
        e = exp_wide_(eta)
        value = log1p_(e) - y * eta
        slope = e / (1 + e) - y
    if 0 < y < 1:
        value += xlogx(y) + xlogx(1 - y)
    return value, slope


@jit(strict=True)
def poisson_log(eta: Any, y: float, p: float) -> Any:
    mu = exp_wide_(eta)
    return mu - y * eta + (xlogx(y) - y), mu - y


@jit(strict=True)
def gamma_log(eta: Any, y: float, p: float) -> Any:
    ratio = y * exp_wide_(-eta)
    return ratio - 1 + eta - math.log(y), 1 - ratio


@jit(strict=True)
def inverse_gaussian_log(eta: Any, y: float, p: float) -> Any:
    ratio = y * exp_wide_(-eta)
    return (ratio - 1) * (ratio - 1) / (2 * y), ratio * (1 - ratio) / y


@jit(strict=True)
def negative_binomial_log(eta: Any, y: float, p: float) -> Any:
    value = xlogx(y) - y * eta - (y + 1 / p) * (math.log1p(p * y) - softplus(eta + math.log(p)))
    if real_(eta) > 0:
        e = exp_wide_(-eta)
        return value, (1 - y * e) / (e + p)
    mu = exp_wide_(eta)
    return value, (mu - y) / (1 + p * mu)


@jit(strict=True)
def tweedie_log(eta: Any, y: float, p: float) -> Any:
    a, b = exp_wide_((2 - p) * eta), y * exp_wide_((1 - p) * eta)
    return a / (2 - p) - b / (1 - p) + y ** (2 - p) / ((1 - p) * (2 - p)), a - b


@jit(strict=True)
def _log_cloglog(eta: Any) -> Any:
    """``(log P, d, log(1 - P), d)`` with P = 1 - exp(-exp(eta)) and their derivatives in eta."""
    u = exp_wide_(eta)
    if real_(eta) < -36:  # then P = u to rounding
        return eta - u / 2, 1 - u / 2, -u, -u
    if real_(eta) > 6:  # then exp(-u) is below rounding; expm1(u) may overflow, and u itself
        e = exp_wide_(-u) if real_(eta) < 700 else eta * 0
        return -e, (u * e if real_(eta) < 700 else eta * 0), -u, -u
    return log1mexp(-u), u / expm1_(u), -u, -u


@jit(strict=True)
def _log_log(eta: Any) -> Any:
    """As `_log_cloglog`, with P = exp(eta); NaN unless eta < 0."""
    if not real_(eta) < 0:
        return eta * np.nan, eta * np.nan, eta * np.nan, eta * np.nan
    return eta, eta * 0 + 1, log1mexp(eta), exp_wide_(eta) / expm1_(eta)


@jit(strict=True)
def _log_probabilities(link: int, eta: Any) -> Any:
    """``(log P, d log P / d eta, log(1 - P), d log(1 - P) / d eta)`` for links that map to (0, 1)."""
    if link == PROBIT:
        up, rise = log_ndtr_(eta)
        down, fall = log_ndtr_(-eta)
        return up, rise, down, -fall
    if link == CLOGLOG:
        return _log_cloglog(eta)
    if link == LOGLOG:
        down, fall, up, rise = _log_cloglog(-eta)
        return up, -rise, down, -fall
    if link == LOG:
        return _log_log(eta)
    if link == LOGC:
        down, fall, up, rise = _log_log(eta)
        return up, rise, down, fall
    inside, outside = acot_(-eta), acot_(eta)  # Cauchy: pi P and pi (1 - P)
    slope = 1 / (1 + eta * eta)
    return log_(inside / math.pi), slope / inside, log_(outside / math.pi), -slope / outside


@jit(strict=True)
def binomial_safe(link: int, eta: Any, y: float) -> Any:
    """Binomial with a link that maps to (0, 1), from logarithms of P and 1 - P; the term of weight 0 is left out."""
    up, rise, down, fall = _log_probabilities(link, eta)
    value, slope = eta * 0, eta * 0
    if y > 0:
        value -= y * up
        slope -= y * rise
    if y < 1:
        value -= (1 - y) * down
        slope -= (1 - y) * fall
    if 0 < y < 1:
        value += xlogx(y) + xlogx(1 - y)
    return value, slope


# through the mean ----------------------------------------------------------------------------------------------


@jit(strict=True)
def half_deviance(family: int, p: float, mu: Any, y: float) -> Any:
    """``(value, d value / d mu)`` of a family given by its code and parameter; NaN outside its range of means."""
    if family == GAUSSIAN:
        r = mu - y
        return r * r / 2, r
    if not real_(mu) > 0 or (family == BINOMIAL and not real_(mu) < 1):
        if family == BINOMIAL and ((real_(mu) == 0 and y == 0) or (real_(mu) == 1 and y == 1)):
            return mu * 0, mu * 0 + (1 if y == 0 else -1)
        return mu * np.nan, mu * np.nan
    if family == BINOMIAL:
        value = xlogx(y) + xlogx(1 - y) - y * log_(mu) - (1 - y) * log1p_(-mu)
        return value, (mu - y) / (mu * (1 - mu))
    if family == POISSON:
        return xlogx(y) - y * log_(mu) - y + mu, 1 - y / mu
    if family == GAMMA:
        return y / mu - 1 + log_(mu) - math.log(y), (mu - y) / mu / mu
    if family == INVERSE_GAUSSIAN:
        r = y / mu - 1
        return r * r / (2 * y), -r / mu / mu
    if family == NEGATIVE_BINOMIAL:
        value = xlogx(y) - y * log_(mu) - (y + 1 / p) * (math.log1p(p * y) - log1p_(p * mu))
        return value, (mu - y) / mu / (1 + p * mu)
    a, b = pow_(mu, 2 - p), y * pow_(mu, 1 - p)
    return a / (2 - p) - b / (1 - p) + y ** (2 - p) / ((1 - p) * (2 - p)), (a - b) / mu


@jit(strict=True)
def family_loss(family: int, p: float, link: int, q: float, eta: Any, y: float) -> Any:
    """Half unit deviance and its derivative in the linear predictor, for any family and link.

    Parameters
    ----------
    family, link : int
        Codes.
    p, q : float
        Parameter of the family (alpha, var_power) and of the link (power, alpha).
    eta, y : number
        Linear predictor, response.
    """
    if family == BINOMIAL and link != IDENTITY and link != POWER:
        if link == LOGIT:
            return binomial_logit(eta, y, p)
        if link <= CAUCHY or link == LOGC:
            return binomial_safe(link, eta, y)
    mu, rise = inverse_link(link, q, eta)
    value, slope = half_deviance(family, p, mu, y)
    return value, slope * rise


def _loop(kernel: Any) -> Any:
    """The loop over observations for one fused pair (a closure, for the reason given in `activations._loop`)."""

    def total_of(p: float, value: Any, target: Any, case: Any, delta: Any, row: int, k: int, lane: int, m: int,
                 lanes: int) -> Any:
        total = value[row, 0] * 0
        for i in range(lane, m, lanes):
            v, d = kernel(value[row, i], target[k, i], p)
            total += case[i] * v
            delta[row, i] = case[i] * d
        return total

    return jit(named(total_of, kernel.__name__))


binomial_logit_rows = _loop(binomial_logit)
poisson_log_rows = _loop(poisson_log)
gamma_log_rows = _loop(gamma_log)
inverse_gaussian_log_rows = _loop(inverse_gaussian_log)
negative_binomial_log_rows = _loop(negative_binomial_log)
tweedie_log_rows = _loop(tweedie_log)


@jit
def is_fused(code: int) -> bool:
    """Whether a family and its link, given by their code, have a loss that is written in the linear predictor."""
    family, link = code % WIDTH, code // WIDTH
    if link == LOGIT:
        return family == BINOMIAL
    return link == LOG and family != GAUSSIAN and family != BINOMIAL


@jit
def fused_pair(code: int, p: float, value: Any, target: Any, case: Any, delta: Any, row: int, k: int, lane: int, m: int,
               lanes: int) -> Any:
    """`sum_family` of those."""
    family = code % WIDTH
    if family == BINOMIAL:
        return binomial_logit_rows(p, value, target, case, delta, row, k, lane, m, lanes)
    if family == POISSON:
        return poisson_log_rows(p, value, target, case, delta, row, k, lane, m, lanes)
    if family == GAMMA:
        return gamma_log_rows(p, value, target, case, delta, row, k, lane, m, lanes)
    if family == INVERSE_GAUSSIAN:
        return inverse_gaussian_log_rows(p, value, target, case, delta, row, k, lane, m, lanes)
    if family == NEGATIVE_BINOMIAL:
        return negative_binomial_log_rows(p, value, target, case, delta, row, k, lane, m, lanes)
    return tweedie_log_rows(p, value, target, case, delta, row, k, lane, m, lanes)


@jit
def any_pair(code: int, parameters: Any, value: Any, target: Any, case: Any, delta: Any, row: int, k: int, lane: int, m: int,
             lanes: int) -> Any:
    """`sum_family` of the others, through the mean."""
    family, link = code % WIDTH, code // WIDTH
    total = value[row, 0] * 0
    for i in range(lane, m, lanes):
        v, d = family_loss(family, parameters[0], link, parameters[1], value[row, i], target[k, i])
        total += case[i] * v
        delta[row, i] = case[i] * d
    return total


@jit
def sum_family(code: int, parameters: Any, value: Any, target: Any, case: Any, delta: Any, row: int, k: int,
               lane: int, m: int, lanes: int) -> Any:
    """Sum of the half deviances of output k, whose linear predictor is in `row`; derivatives into `delta`.

    Parameters
    ----------
    code : int
        family + WIDTH * link.
    parameters : (2,) array
        Of the family, of the link.
    value, target, case, delta, lane, m, lanes
        As in `losses.loss_rows`.
    """
    if is_fused(code):
        return fused_pair(code, parameters[0], value, target, case, delta, row, k, lane, m, lanes)
    return any_pair(code, parameters, value, target, case, delta, row, k, lane, m, lanes)
