"""Activations that networks seldom have: scalar kernels, and one kernel for all of them, which `activate` loops over.

Each is ``z, parameter -> (value, slope)``, with Keras' formulas. Where a function has a kink, the slope there is 0, or that
of the side below.
"""

from __future__ import annotations

from typing import Any

from ..jit.compile import jit
from ..jit.scalar import exp_, expm1_, log1p_, real_, tanh_

(CAPPED_RELU, HARD_LOGISTIC, HARD_SWISH, SOFTSIGN, MISH, EXPONENTIAL, CELU, HARD_TANH, TANH_SHRINK, SOFT_SHRINK, HARD_SHRINK,
 LOG_LOGISTIC, SQUAREPLUS, SPARSE_PLUS, SPARSE_LOGISTIC) = range(13, 28)  # fmt: skip


@jit(strict=True)
def capped_relu(z: Any, p: float) -> Any:
    """z between 0 and p, these limits beyond."""
    if real_(z) <= 0:
        return z * 0, z * 0
    if real_(z) < p:
        return z, z * 0 + 1
    return z * 0 + p, z * 0


@jit(strict=True)
def hard_logistic(z: Any, p: float) -> Any:
    """z / 6 + 1 / 2 between 0 and 1."""
    if real_(z) <= -3:
        return z * 0, z * 0
    if real_(z) >= 3:
        return z * 0 + 1, z * 0
    return z / 6 + 0.5, z * 0 + 1 / 6


@jit(strict=True)
def hard_swish(z: Any, p: float) -> Any:
    """z times hard_logistic(z) (Howard et al. 2019, ICCV, 1314)."""
    if real_(z) <= -3:
        return z * 0, z * 0
    if real_(z) >= 3:
        return z, z * 0 + 1
    return z * (z / 6 + 0.5), z / 3 + 0.5


@jit(strict=True)
def softsign(z: Any, p: float) -> Any:
    """z / (1 + |z|) (Turian, Bergstra & Bengio 2009, NAACL, 245)."""
    q = 1 + (z if real_(z) > 0 else -z)
    return z / q, 1 / (q * q)


@jit(strict=True)
def mish(z: Any, p: float) -> Any:
    """z tanh(log(1 + exp(z))) (Misra 2020, BMVC)."""
    if real_(z) > 0:
        e = exp_(-z)
        soft, share = z + log1p_(e), 1 / (1 + e)
    else:
        e = exp_(z)
        soft, share = log1p_(e), e / (1 + e)
    t = tanh_(soft)
    return z * t, t + z * (1 - t * t) * share


@jit(strict=True)
def exponential(z: Any, p: float) -> Any:
    """exp(z)."""
    e = exp_(z)
    return e, e


@jit(strict=True)
def celu(z: Any, p: float) -> Any:
    """z above 0, p (exp(z / p) - 1) below (Barron 2017, arXiv:1704.07483)."""
    if real_(z) > 0:
        return z, z * 0 + 1
    e = expm1_(z / p)
    return p * e, e + 1


@jit(strict=True)
def hard_tanh(z: Any, p: float) -> Any:
    """z between -1 and 1."""
    if real_(z) <= -1:
        return z * 0 - 1, z * 0
    if real_(z) >= 1:
        return z * 0 + 1, z * 0
    return z, z * 0 + 1


@jit(strict=True)
def tanh_shrink(z: Any, p: float) -> Any:
    """z - tanh(z)."""
    a = tanh_(z)
    return z - a, a * a


@jit(strict=True)
def soft_shrink(z: Any, p: float) -> Any:
    """z moved toward 0 by p, and not across."""
    if real_(z) > p:
        return z - p, z * 0 + 1
    if real_(z) < -p:
        return z + p, z * 0 + 1
    return z * 0, z * 0


@jit(strict=True)
def hard_shrink(z: Any, p: float) -> Any:
    """z beyond p from 0, else 0."""
    if abs(real_(z)) > p:
        return z, z * 0 + 1
    return z * 0, z * 0


@jit(strict=True)
def log_logistic(z: Any, p: float) -> Any:
    """-log(1 + exp(-z)), from the smaller exponential."""
    if real_(z) > 0:
        e = exp_(-z)
        return -log1p_(e), e / (1 + e)
    e = exp_(z)
    return z - log1p_(e), 1 / (1 + e)


@jit(strict=True)
def squareplus(z: Any, p: float) -> Any:
    """(z + sqrt(z^2 + p)) / 2 (Barron 2021, arXiv:2112.11687); below 0 in the form that does not cancel."""
    r = (z * z + p) ** 0.5
    if real_(z) < 0:
        return p / (2 * (r - z)), p / (2 * r * (r - z))
    return (z + r) / 2, (1 + z / r) / 2


@jit(strict=True)
def sparse_plus(z: Any, p: float) -> Any:
    """0 below -1, z above 1, (z + 1)^2 / 4 between."""
    if real_(z) <= -1:
        return z * 0, z * 0
    if real_(z) >= 1:
        return z, z * 0 + 1
    return (z + 1) * (z + 1) / 4, (z + 1) / 2


@jit(strict=True)
def sparse_logistic(z: Any, p: float) -> Any:
    """(z + 1) / 2 between 0 and 1."""
    if real_(z) <= -1:
        return z * 0, z * 0
    if real_(z) >= 1:
        return z * 0 + 1, z * 0
    return (z + 1) / 2, z * 0 + 0.5


@jit(strict=True)
def rare_activation(code: int, z: Any, p: float) -> Any:
    """Value and slope of the activation with that code."""
    if code == CAPPED_RELU:
        return capped_relu(z, p)
    if code == HARD_LOGISTIC:
        return hard_logistic(z, p)
    if code == HARD_SWISH:
        return hard_swish(z, p)
    if code == SOFTSIGN:
        return softsign(z, p)
    if code == MISH:
        return mish(z, p)
    if code == EXPONENTIAL:
        return exponential(z, p)
    if code == CELU:
        return celu(z, p)
    if code == HARD_TANH:
        return hard_tanh(z, p)
    if code == TANH_SHRINK:
        return tanh_shrink(z, p)
    if code == SOFT_SHRINK:
        return soft_shrink(z, p)
    if code == HARD_SHRINK:
        return hard_shrink(z, p)
    if code == LOG_LOGISTIC:
        return log_logistic(z, p)
    if code == SQUAREPLUS:
        return squareplus(z, p)
    if code == SPARSE_PLUS:
        return sparse_plus(z, p)
    return sparse_logistic(z, p)
