"""The CPU's activations, each compiled by itself when a network first has it; see `activations`.

Observations are padded to a multiple of `jit.vector_code.PAD`; the commonest activations are vector code for real numbers.
"""

from __future__ import annotations

from typing import Any

import numpy as np

from ..jit.by_number import by_number
from ..jit.compile import entry, jit
from ..jit.late import late
from ..jit.simd_activations import simd_logistic, simd_tanh
from ..jit.simd_cells import simd_relu
from ..jit.simd_rectifier import simd_rectify, simd_unrectify
from .activations import (
    ACTIVATIONS,
    CUSTOM,
    ELU,
    GELU,
    IDENTITY,
    LEAKY_RELU,
    LOGISTIC,
    RELU,
    SELU,
    SOFTMAX,
    SOFTPLUS,
    SWISH,
    TANH,
    apply_custom,
    apply_log_softmax,
    apply_rare,
    apply_softmax,
    elu_loop,
    gelu_loop,
    identity_loop,
    is_coupled,
    leaky_relu_loop,
    logistic,
    logistic_loop,
    relu,
    relu_loop,
    selu_loop,
    softmax_backward,
    softplus_loop,
    swish_loop,
    tanh,
    tanh_loop,
)


@jit(strict=True)
def _logistic_plain(value: Any, slope: Any, first: int, units: int, m: int) -> None:
    for u in range(first, first + units):
        for i in range(m):
            value[u, i], slope[u, i] = logistic(value[u, i], 0.0)


@jit(strict=True)
def _tanh_plain(value: Any, slope: Any, first: int, units: int, m: int) -> None:
    for u in range(first, first + units):
        for i in range(m):
            value[u, i], slope[u, i] = tanh(value[u, i], 0.0)


@jit(strict=True)
def _relu_plain(value: Any, slope: Any, first: int, units: int, m: int) -> None:
    for u in range(first, first + units):
        for i in range(m):
            value[u, i], slope[u, i] = relu(value[u, i], 0.0)


@jit(strict=True)
def _rectify_plain(out: Any, value: Any, first: int, units: int, m: int) -> None:
    for u in range(first, first + units):
        for i in range(m):
            out[u, i] = relu(value[u, i], 0.0)[0]


@jit(strict=True)
def _unrectify_plain(out: Any, value: Any, first: int, units: int, m: int) -> None:
    for u in range(first, first + units):
        for i in range(m):
            out[u, i] *= relu(value[u, i], 0.0)[1]


logistic_rows = by_number(simd_logistic, _logistic_plain)
tanh_rows = by_number(simd_tanh, _tanh_plain)
relu_rows = by_number(simd_relu, _relu_plain)
_rectify = by_number(simd_rectify, _rectify_plain)
_unrectify = by_number(simd_unrectify, _unrectify_plain)


@late(strict=True)
def _identity_units(value: Any, slope: Any, first: int, units: int, m: int) -> None:
    identity_loop(0.0, value, slope, first, units, 0, m, 1)


@late(strict=True)
def _logistic_units(value: Any, slope: Any, first: int, units: int, m: int) -> None:
    logistic_rows(value, slope, first, units, m)


@late(strict=True)
def _tanh_units(value: Any, slope: Any, first: int, units: int, m: int) -> None:
    tanh_rows(value, slope, first, units, m)


@late(strict=True)
def _relu_units(value: Any, slope: Any, first: int, units: int, m: int) -> None:
    relu_rows(value, slope, first, units, m)


@late(strict=True)
def rectify_units(value: Any, first: int, units: int, m: int) -> None:
    """max(0, z) of units, in place; the slopes are those of `through_rectifier`."""
    _rectify(value, value, first, units, m)


@late(strict=True)
def through_rectifier(value: Any, delta: Any, first: int, units: int, m: int) -> None:
    """``delta`` of rectified units from d loss / d a to d loss / d z, in place, by the units themselves."""
    _unrectify(delta, value, first, units, m)


@late(strict=True)
def _smooth_units(code: int, p: float, value: Any, slope: Any, first: int, units: int, m: int) -> None:
    if code == LEAKY_RELU:
        leaky_relu_loop(p, value, slope, first, units, 0, m, 1)
    elif code == ELU:
        elu_loop(p, value, slope, first, units, 0, m, 1)
    elif code == SELU:
        selu_loop(p, value, slope, first, units, 0, m, 1)
    elif code == SOFTPLUS:
        softplus_loop(p, value, slope, first, units, 0, m, 1)
    elif code == GELU:
        gelu_loop(p, value, slope, first, units, 0, m, 1)
    else:
        swish_loop(p, value, slope, first, units, 0, m, 1)


@late(strict=True)
def _softmax_units(code: int, value: Any, slope: Any, first: int, units: int, m: int) -> None:
    if code == SOFTMAX:
        apply_softmax(value, slope, first, units, 0, m, 1)
    else:
        apply_log_softmax(value, slope, first, units, 0, m, 1)


@late(strict=True)
def _rare_units(code: int, p: float, value: Any, slope: Any, first: int, units: int, m: int) -> None:
    apply_rare(code, p, value, slope, first, units, 0, m, 1)


@late
def _custom_units(address: int, value: Any, slope: Any, first: int, units: int, m: int) -> None:
    apply_custom(address, value, slope, first, units, 0, m, 1)


@late
def _other_units(code: int, p: float, address: int, value: Any, slope: Any, first: int, units: int, m: int) -> None:
    if code == CUSTOM:
        _custom_units(address, value, slope, first, units, m)
    elif is_coupled(code):
        _softmax_units(code, value, slope, first, units, m)
    elif code <= SWISH:
        _smooth_units(code, p, value, slope, first, units, m)
    else:
        _rare_units(code, p, value, slope, first, units, m)


@jit
def activate_units(code: int, p: float, address: int, value: Any, slope: Any, first: int, units: int, m: int) -> None:
    """`activate` on a CPU."""
    if code == IDENTITY:
        _identity_units(value, slope, first, units, m)
    elif code == LOGISTIC:
        _logistic_units(value, slope, first, units, m)
    elif code == TANH:
        _tanh_units(value, slope, first, units, m)
    elif code == RELU:
        _relu_units(value, slope, first, units, m)
    else:
        _other_units(code, p, address, value, slope, first, units, m)


@late
def softmax_backward_units(code: int, value: Any, delta: Any, first: int, units: int, m: int) -> None:
    """`softmax_backward` on a CPU."""
    softmax_backward(code, value, delta, first, units, 0, m, 1)


@entry
def activation_values(code: int, p: float, address: int, value: Any, slope: Any) -> None:
    """Any activation for Python, in place, on (units, n) arrays: in plain loops, whatever n."""
    n, units = value.shape[1], value.shape[0]
    if code == IDENTITY:
        _identity_units(value, slope, 0, units, n)
    elif code == LOGISTIC:
        logistic_loop(p, value, slope, 0, units, 0, n, 1)
    elif code == TANH:
        tanh_loop(p, value, slope, 0, units, 0, n, 1)
    elif code == RELU:
        relu_loop(p, value, slope, 0, units, 0, n, 1)
    else:
        _other_units(code, p, address, value, slope, 0, units, n)


def values(name: str, z: Any, parameter: float | None = None) -> np.ndarray:
    """The activation `name` of an array, for use outside kernels."""
    kind = ACTIVATIONS[name]
    z = np.atleast_2d(np.array(z, dtype=np.float64))
    slope = np.empty_like(z)
    p = kind.parameter if parameter is None else parameter
    activation_values(kind.code, p, 0, z, slope)
    return z
