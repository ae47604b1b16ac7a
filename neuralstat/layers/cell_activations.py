"""Activations inside of recurrent layers: those whose slopes are functions of their values."""

from __future__ import annotations

from typing import Any

from ..functions.activations import SELU_ALPHA, SELU_SCALE, elu, logistic, relu, selu, softplus, tanh
from ..functions.rare_activations import hard_logistic
from ..jit.buffers import few_ints
from ..jit.compile import jit
from ..jit.scalar import expm1_, real_
from ..jit.simd_cells import rnn_forward_cells

TANH, SIGMOID, LINEAR, RELU, HARD_SIGMOID, ELU, SELU, SOFTPLUS = range(8)
ACTIVATIONS = {"tanh": TANH, "sigmoid": SIGMOID, "logistic": SIGMOID, "linear": LINEAR, "identity": LINEAR, "relu": RELU,
               "hard_sigmoid": HARD_SIGMOID, "elu": ELU, "selu": SELU, "softplus": SOFTPLUS}  # fmt: skip


@jit(strict=True)
def squashed(code: int, z: Any) -> Any:
    """Activation `code` of z."""
    if code == TANH:
        return tanh(z, 0.0)[0]
    if code == SIGMOID:
        return logistic(z, 0.0)[0]
    if code == RELU:
        return relu(z, 0.0)[0]
    if code == HARD_SIGMOID:
        return hard_logistic(z, 0.0)[0]
    if code == ELU:
        return elu(z, 1.0)[0]
    if code == SELU:
        return selu(z, 0.0)[0]
    if code == SOFTPLUS:
        return softplus(z, 0.0)[0]
    return z


@jit(strict=True)
def slope_at(code: int, a: Any) -> Any:
    """Slope of activation `code` where its value is a."""
    if code == TANH:
        return 1 - a * a
    if code == SIGMOID:
        return a * (1 - a)
    if code == LINEAR:
        return a * 0 + 1
    if code == HARD_SIGMOID:
        return a * 0 + 1 / 6 if 0 < real_(a) < 1 else a * 0
    if code == SOFTPLUS:
        return -expm1_(-a)
    if real_(a) > 0:
        return a * 0 + SELU_SCALE if code == SELU else a * 0 + 1
    if code == RELU:
        return a * 0
    return a + 1 if code == ELU else a + SELU_SCALE * SELU_ALPHA


@jit
def squash_rows(code: int, value: Any, first: int, n: int, m: int) -> None:
    """`squashed` of n rows, in place: a loop for each activation, which vectorises."""
    if code == LINEAR:
        return
    if code == TANH:
        lines = few_ints(1)
        lines[0] = first
        rnn_forward_cells(value, value, lines, n, m)
        return
    for r in range(first, first + n):
        line = value[r]
        if code == RELU:
            for i in range(m):
                line[i] = line[i] if line[i] > 0 else line[i] * 0
        elif code == HARD_SIGMOID:
            for i in range(m):
                line[i] = min(max(line[i] / 6 + 0.5, 0.0), 1.0)
        else:
            for i in range(m):
                line[i] = squashed(code, line[i])


@jit
def slope_rows(code: int, value: Any, delta: Any, target: int, first: int, n: int, m: int) -> None:
    """n rows of `delta` times `slope_at` of as many rows of values, in place."""
    for r in range(n):
        to, of = delta[target + r], value[first + r]
        if code == TANH:
            for i in range(m):
                to[i] *= 1 - of[i] * of[i]
        elif code == SIGMOID:
            for i in range(m):
                to[i] *= of[i] * (1 - of[i])
        elif code == RELU:
            for i in range(m):
                to[i] = to[i] if of[i] > 0 else to[i] * 0
        elif code == HARD_SIGMOID:
            for i in range(m):
                to[i] = to[i] / 6 if 0 < of[i] < 1 else to[i] * 0
        elif code != LINEAR:
            for i in range(m):
                to[i] *= slope_at(code, of[i])
