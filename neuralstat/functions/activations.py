"""Activations: value and slope of each, as scalar kernels, and the one loop that applies them.

To add one: write a kernel ``z, parameter -> (value, slope)``, an entry of `ACTIVATIONS`, and its line in
`_activate_rare` and in `activation_calls`. The tests walk the dictionary.

Rounding follows R's neuralnet where it has the function: ``a = 1 / (1 + exp(-z))`` with slope ``a (1 - a)``,
``1 - a^2`` for tanh, ``z > 0`` for relu. A saturated unit's slope decides the sign of a gradient.
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import Any, NamedTuple

from ..jit.call import call_activation
from ..jit.compile import jit, named
from ..jit.scalar import erf_, exp_, expm1_, log1p_, log_, real_, tanh_
from . import rare_activations as more
from .rare_activations import rare_activation

IDENTITY, LOGISTIC, TANH, RELU, LEAKY_RELU, ELU, SELU, SOFTPLUS, GELU, SWISH, SOFTMAX, CUSTOM, LOG_SOFTMAX = range(13)

SELU_SCALE, SELU_ALPHA = 1.0507009873554805, 1.6732632423543772  # Klambauer et al. 2017, NIPS 30


@dataclass(frozen=True)
class ActivationKind:
    """An activation that kernels know.

    Attributes
    ----------
    code : int
        What the layer table holds.
    kernel : callable
        ``(z, parameter) -> (value, slope)``.
    parameter : float
        Default of the one parameter (slope of leaky_relu, alpha of elu, exponent of power).
    formula : str
        For documentation.
    """

    code: int
    kernel: Any
    parameter: float = 0.0
    formula: str = ""


@jit(strict=True)
def identity(z: Any, p: float) -> Any:
    """z, with slope 1."""
    return z, z * 0 + 1


@jit(strict=True)
def logistic(z: Any, p: float) -> Any:
    """1 / (1 + exp(-z)), slope a (1 - a)."""
    a = 1 / (1 + exp_(-z))
    return a, a * (1 - a)


@jit(strict=True)
def tanh(z: Any, p: float) -> Any:
    """Hyperbolic tangent, slope 1 - a^2."""
    a = tanh_(z)
    return a, 1 - a * a


@jit(strict=True)
def relu(z: Any, p: float) -> Any:
    """max(z, 0); slope 0 at 0, as R."""
    if real_(z) > 0:
        return z, z * 0 + 1
    return z * 0, z * 0


@jit(strict=True)
def leaky_relu(z: Any, p: float) -> Any:
    """z above 0, p z below."""
    if real_(z) > 0:
        return z, z * 0 + 1
    return z * p, z * 0 + p


@jit(strict=True)
def elu(z: Any, p: float) -> Any:
    """z above 0, p (exp(z) - 1) below (Clevert, Unterthiner & Hochreiter 2016, ICLR)."""
    if real_(z) > 0:
        return z, z * 0 + 1
    e = expm1_(z)
    return p * e, p * (e + 1)


@jit(strict=True)
def selu(z: Any, p: float) -> Any:
    """Scaled elu (Klambauer et al. 2017, NIPS 30)."""
    if real_(z) > 0:
        return SELU_SCALE * z, z * 0 + SELU_SCALE
    e = expm1_(z)
    return (SELU_SCALE * SELU_ALPHA) * e, (SELU_SCALE * SELU_ALPHA) * (e + 1)


@jit(strict=True)
def softplus(z: Any, p: float) -> Any:
    """log(1 + exp(z)), from the smaller exponential."""
    if real_(z) > 0:
        e = exp_(-z)
        return z + log1p_(e), 1 / (1 + e)
    e = exp_(z)
    return log1p_(e), e / (1 + e)


@jit(strict=True)
def gelu(z: Any, p: float) -> Any:
    """z Phi(z) (Hendrycks & Gimpel 2016), by the error function."""
    cdf = (1 + erf_(z * math.sqrt(0.5))) / 2
    return z * cdf, cdf + z * exp_(-z * z / 2) / math.sqrt(2 * math.pi)


@jit(strict=True)
def swish(z: Any, p: float) -> Any:
    """z times logistic(z)."""
    a = 1 / (1 + exp_(-z))
    return z * a, a + z * (a * (1 - a))


ACTIVATIONS: dict[str, ActivationKind] = {
    "identity": ActivationKind(IDENTITY, identity, formula="z"),
    "logistic": ActivationKind(LOGISTIC, logistic, formula="1 / (1 + exp(-z))"),
    "tanh": ActivationKind(TANH, tanh, formula="tanh(z)"),
    "relu": ActivationKind(RELU, relu, formula="max(z, 0)"),
    "leaky_relu": ActivationKind(LEAKY_RELU, leaky_relu, 0.2, "z if z > 0 else p z"),
    "elu": ActivationKind(ELU, elu, 1.0, "z if z > 0 else p (exp(z) - 1)"),
    "selu": ActivationKind(SELU, selu, formula="1.0507 (z if z > 0 else 1.6733 (exp(z) - 1))"),
    "softplus": ActivationKind(SOFTPLUS, softplus, formula="log(1 + exp(z))"),
    "gelu": ActivationKind(GELU, gelu, formula="z Phi(z)"),
    "swish": ActivationKind(SWISH, swish, formula="z / (1 + exp(-z))"),
    "softmax": ActivationKind(SOFTMAX, None, formula="exp(z_k) / sum_l exp(z_l)"),
    "log_softmax": ActivationKind(LOG_SOFTMAX, None, formula="z_k - log(sum_l exp(z_l))"),
    "relu6": ActivationKind(more.CAPPED_RELU, more.capped_relu, 6.0, "min(max(z, 0), p)"),
    "hard_sigmoid": ActivationKind(more.HARD_LOGISTIC, more.hard_logistic, formula="min(max(z / 6 + 1/2, 0), 1)"),
    "hard_swish": ActivationKind(more.HARD_SWISH, more.hard_swish, formula="z min(max(z / 6 + 1/2, 0), 1)"),
    "softsign": ActivationKind(more.SOFTSIGN, more.softsign, formula="z / (1 + |z|)"),
    "mish": ActivationKind(more.MISH, more.mish, formula="z tanh(log(1 + exp(z)))"),
    "exponential": ActivationKind(more.EXPONENTIAL, more.exponential, formula="exp(z)"),
    "celu": ActivationKind(more.CELU, more.celu, 1.0, "z if z > 0 else p (exp(z / p) - 1)"),
    "hard_tanh": ActivationKind(more.HARD_TANH, more.hard_tanh, formula="min(max(z, -1), 1)"),
    "tanh_shrink": ActivationKind(more.TANH_SHRINK, more.tanh_shrink, formula="z - tanh(z)"),
    "soft_shrink": ActivationKind(more.SOFT_SHRINK, more.soft_shrink, 0.5, "sign(z) max(|z| - p, 0)"),
    "hard_shrink": ActivationKind(more.HARD_SHRINK, more.hard_shrink, 0.5, "z if |z| > p else 0"),
    "log_sigmoid": ActivationKind(more.LOG_LOGISTIC, more.log_logistic, formula="-log(1 + exp(-z))"),
    "squareplus": ActivationKind(more.SQUAREPLUS, more.squareplus, 4.0, "(z + sqrt(z^2 + p)) / 2"),
    "sparse_plus": ActivationKind(more.SPARSE_PLUS, more.sparse_plus, formula="0, (z + 1)^2 / 4, z: by z < -1, z < 1"),
    "sparse_sigmoid": ActivationKind(more.SPARSE_LOGISTIC, more.sparse_logistic, formula="min(max((z + 1) / 2, 0), 1)"),
}
COUPLED = ("softmax", "log_softmax")  # whose units see each other


class Parametric(NamedTuple):
    """An activation with another parameter than its default."""

    name: str
    parameter: float


COMMON = {"identity", "logistic", "tanh", "relu"}  # always compiled; the others only where a network has one

# Other names under which the same functions go: R's, Keras', the link functions'.
ALIASES = {"ReLu": "relu", "linear": "identity", "sigmoid": "logistic", "silu": "swish", "hard_silu": "hard_swish"}


def _loop(kernel: Any) -> Any:
    """The loop over units and observations for one activation.

    A closure per activation: a kernel passed as an argument would be held by address, and could not be cached.
    """

    def apply(p: float, value: Any, slope: Any, first: int, units: int, lane: int, m: int, lanes: int) -> None:
        for u in range(first, first + units):
            for i in range(lane, m, lanes):
                a, s = kernel(value[u, i], p)
                value[u, i] = a
                slope[u, i] = s

    return jit(named(apply, kernel.__name__), strict=True)


identity_loop = _loop(identity)
logistic_loop = _loop(logistic)
tanh_loop = _loop(tanh)
relu_loop = _loop(relu)
leaky_relu_loop = _loop(leaky_relu)
elu_loop = _loop(elu)
selu_loop = _loop(selu)
softplus_loop = _loop(softplus)
gelu_loop = _loop(gelu)
swish_loop = _loop(swish)


@jit(strict=True)
def apply_softmax(value: Any, slope: Any, first: int, units: int, lane: int, m: int, lanes: int) -> None:
    """Softmax of units that see each other."""
    for i in range(lane, m, lanes):
        largest = real_(value[first, i])
        for u in range(first + 1, first + units):
            largest = max(largest, real_(value[u, i]))
        total = value[first, i] * 0
        for u in range(first, first + units):
            value[u, i] = exp_(value[u, i] - largest)
            total += value[u, i]
        for u in range(first, first + units):
            value[u, i] = value[u, i] / total
            slope[u, i] = 1  # the units' slopes are coupled: see `softmax_backward`


@jit(strict=True)
def apply_log_softmax(value: Any, slope: Any, first: int, units: int, lane: int, m: int, lanes: int) -> None:
    """Its logarithm."""
    for i in range(lane, m, lanes):
        largest = real_(value[first, i])
        for u in range(first + 1, first + units):
            largest = max(largest, real_(value[u, i]))
        total = value[first, i] * 0
        for u in range(first, first + units):
            total += exp_(value[u, i] - largest)
        total = log_(total)
        for u in range(first, first + units):
            value[u, i] = value[u, i] - largest - total  # in this order: what is near 0 keeps its digits
            slope[u, i] = 1  # as of softmax


@jit
def is_coupled(code: int) -> bool:
    """Whether the units that an activation is applied to see each other."""
    return code in (SOFTMAX, LOG_SOFTMAX)


@jit
def softmax_backward(code: int, value: Any, delta: Any, first: int, units: int, lane: int, m: int, lanes: int) -> None:
    """``delta`` from d loss / d a to d loss / d z in place: delta_u = a_u (delta_u - sum_v a_v delta_v).

    Of log_softmax, where `value` holds log a: delta_u - a_u sum_v delta_v.
    """
    for i in range(lane, m, lanes):
        if code == LOG_SOFTMAX:
            total = value[first, i] * 0
            for u in range(first, first + units):
                total += delta[u, i]
            for u in range(first, first + units):
                delta[u, i] -= exp_(value[u, i]) * total
            continue
        mean = value[first, i] * 0
        for u in range(first, first + units):
            mean += value[u, i] * delta[u, i]
        for u in range(first, first + units):
            delta[u, i] = value[u, i] * (delta[u, i] - mean)


@jit(strict=True)
def apply_rare(code: int, p: float, value: Any, slope: Any, first: int, units: int, lane: int, m: int,
                  lanes: int) -> None:
    """One of `rare_activations`."""
    for u in range(first, first + units):
        for i in range(lane, m, lanes):
            value[u, i], slope[u, i] = rare_activation(code, value[u, i], p)


@jit
def apply_custom(address: int, value: Any, slope: Any, first: int, units: int, lane: int, m: int, lanes: int) -> None:
    """A user's function."""
    for u in range(first, first + units):
        for i in range(lane, m, lanes):
            z = value[u, i]
            a, s, c = call_activation(address, float(real_(z)))
            value[u, i] = a + (z - real_(z)) * s  # the second term is the complex step's
            slope[u, i] = s + (z - real_(z)) * c


@jit
def _activate_rare(code: int, p: float, value: Any, slope: Any, first: int, units: int, lane: int, m: int,
                   lanes: int) -> None:
    if code == LEAKY_RELU:
        leaky_relu_loop(p, value, slope, first, units, lane, m, lanes)
    elif code == ELU:
        elu_loop(p, value, slope, first, units, lane, m, lanes)
    elif code == SELU:
        selu_loop(p, value, slope, first, units, lane, m, lanes)
    elif code == SOFTPLUS:
        softplus_loop(p, value, slope, first, units, lane, m, lanes)
    elif code == GELU:
        gelu_loop(p, value, slope, first, units, lane, m, lanes)
    elif code == SWISH:
        swish_loop(p, value, slope, first, units, lane, m, lanes)
    elif code == SOFTMAX:
        apply_softmax(value, slope, first, units, lane, m, lanes)
    elif code == LOG_SOFTMAX:
        apply_log_softmax(value, slope, first, units, lane, m, lanes)
    else:
        apply_rare(code, p, value, slope, first, units, lane, m, lanes)


@jit
def activate(code: int, p: float, address: int, value: Any, slope: Any, first: int, units: int,
             lane: int, m: int, lanes: int, custom: Any, rare: Any) -> None:
    """Apply an activation to a layer's units in place, on a device.

    Parameters
    ----------
    code, p, address : int, float, int
        Which activation, its parameter, the address of a user's function.
    value : (width, block) array
        Read: z. Written: the activation's value, in rows first .. first + units.
    slope : (width, block) array
        Written: the derivative at z.
    lane, m, lanes : int
        Observations lane, lane + lanes, ... below m are done.
    custom : None or int
        None leaves users' functions out of what is compiled.
    rare : None or int
        None leaves out the activations that are not in `COMMON`.
    """
    if code == IDENTITY:
        identity_loop(p, value, slope, first, units, lane, m, lanes)
    elif code == LOGISTIC:
        logistic_loop(p, value, slope, first, units, lane, m, lanes)
    elif code == TANH:
        tanh_loop(p, value, slope, first, units, lane, m, lanes)
    elif code == RELU:
        relu_loop(p, value, slope, first, units, lane, m, lanes)
    elif code == CUSTOM:
        if custom is not None:
            apply_custom(address, value, slope, first, units, lane, m, lanes)
    elif rare is not None:
        _activate_rare(code, p, value, slope, first, units, lane, m, lanes)
