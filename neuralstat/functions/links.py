"""Inverse link functions as scalar kernels: linear predictor -> mean and its slope.

To add one: a code, a kernel ``eta, parameter -> (mu, d mu / d eta)``, its line in `inverse_link`, and an entry of
`neuralstat.families.links.LINKS`. The tests walk that dictionary.
"""

from __future__ import annotations

import math
from typing import Any

from ..jit.compile import jit
from ..jit.scalar import expm1_, real_
from ..jit.special import acot_, exp_wide_, log_ndtr_, pow_

IDENTITY, LOG, LOGIT, PROBIT, CLOGLOG, LOGLOG, CAUCHY, POWER, LOGC, NBINOM = range(10)

_SQRT_2PI = math.sqrt(2 * math.pi)


@jit(strict=True)
def identity(eta: Any, p: float) -> Any:
    return eta, eta * 0 + 1


@jit(strict=True)
def log(eta: Any, p: float) -> Any:
    e = exp_wide_(eta)
    return e, e


@jit(strict=True)
def logit(eta: Any, p: float) -> Any:
    if real_(eta) > 0:
        e = exp_wide_(-eta)
        return 1 / (1 + e), e / ((1 + e) * (1 + e))
    e = exp_wide_(eta)
    return e / (1 + e), e / ((1 + e) * (1 + e))


@jit(strict=True)
def probit(eta: Any, p: float) -> Any:
    log_cdf, _ = log_ndtr_(eta)
    return exp_wide_(log_cdf), exp_wide_(-eta * eta / 2) / _SQRT_2PI


@jit(strict=True)
def cloglog(eta: Any, p: float) -> Any:
    if real_(eta) > 700:
        return eta * 0 + 1, eta * 0
    u = exp_wide_(eta)
    return -expm1_(-u), u * exp_wide_(-u)


@jit(strict=True)
def loglog(eta: Any, p: float) -> Any:
    if real_(eta) < -700:
        return eta * 0, eta * 0
    u = exp_wide_(-eta)
    return exp_wide_(-u), u * exp_wide_(-u)


@jit(strict=True)
def cauchy(eta: Any, p: float) -> Any:
    return acot_(-eta) / math.pi, 1 / (math.pi * (1 + eta * eta))


@jit(strict=True)
def power(eta: Any, p: float) -> Any:
    return pow_(eta, 1 / p), pow_(eta, 1 / p - 1) / p


@jit(strict=True)
def logc(eta: Any, p: float) -> Any:
    return -expm1_(eta), -exp_wide_(eta)


@jit(strict=True)
def nbinom(eta: Any, p: float) -> Any:
    """eta = log(mu / (mu + 1 / p)), hence mu = 1 / (p (exp(-eta) - 1)), with slope mu (1 + p mu)."""
    mu = 1 / (p * expm1_(-eta))
    return mu, mu * (1 + p * mu)


@jit(strict=True)
def inverse_link(link: int, p: float, eta: Any) -> Any:
    """``(mu, d mu / d eta)`` of a link given by its code and parameter."""
    if link == IDENTITY:
        return identity(eta, p)
    if link == LOG:
        return log(eta, p)
    if link == LOGIT:
        return logit(eta, p)
    if link == PROBIT:
        return probit(eta, p)
    if link == CLOGLOG:
        return cloglog(eta, p)
    if link == LOGLOG:
        return loglog(eta, p)
    if link == CAUCHY:
        return cauchy(eta, p)
    if link == LOGC:
        return logc(eta, p)
    if link == NBINOM:
        return nbinom(eta, p)
    return power(eta, p)
