"""A first layer, dense, on observations most of whose inputs are zero: sums and gradients over the others only."""

from __future__ import annotations

from typing import Any, NamedTuple

import numpy as np

from ..functions.activation_calls import activate_units
from ..functions.losses import CE_R
from ..jit.compile import jit
from ..layers.codes import ACT, ADDRESS, N_IN, N_OUT, PARAM, TARGET
from .chain import backward, through_activation
from .cpu import block_loss, clear_padding, padded


class Nonzeros(NamedTuple):
    """Inputs of observations that follow one another, row by row, and the layer that reads them."""

    start: np.ndarray  # (m + 1,) int64: where each observation's numbers begin
    column: np.ndarray  # int64 inputs that are not zero
    value: np.ndarray  # and what they are
    row: np.ndarray  # (COLUMNS,) the layer's row of the table
    constant: float  # parameter of its activation


@jit
def turned_weights(sparse: Any, theta: Any) -> Any:
    """The layer's weights, (inputs, units)."""
    n_in, n_out, first = sparse.row[N_IN], sparse.row[N_OUT], sparse.row[PARAM]
    out = np.empty((n_in, n_out), theta.dtype)
    for o in range(n_out):
        for j in range(n_in):
            out[j, o] = theta[first + o * (n_in + 1) + 1 + j]
    return out


@jit
def first_forward(sparse: Any, theta: Any, turned: Any, at: int, m: int, value: Any) -> None:
    """The layer's sums for observations at .. at + m into its rows of `value`; padding repeats the last one."""
    n_in, n_out, target = sparse.row[N_IN], sparse.row[N_OUT], sparse.row[TARGET]
    sums = np.empty(n_out, theta.dtype)
    for i in range(padded(m)):
        observation = at + min(i, m - 1)
        for o in range(n_out):
            sums[o] = theta[sparse.row[PARAM] + o * (n_in + 1)]
        for k in range(sparse.start[observation], sparse.start[observation + 1]):
            weights, x = turned[sparse.column[k]], sparse.value[k]
            for o in range(n_out):
                sums[o] += weights[o] * x
        for o in range(n_out):
            value[target + o, i] = sums[o]


@jit
def first_gradient(sparse: Any, at: int, m: int, delta: Any, bias: Any, turned: Any) -> None:
    """Add the derivatives of the layer's biases to `bias` (units,), and of its weights to `turned` (inputs, units)."""
    n_out, target = sparse.row[N_OUT], sparse.row[TARGET]
    own = np.empty(n_out, turned.dtype)
    for i in range(m):
        for o in range(n_out):
            own[o] = delta[target + o, i]
            bias[o] += own[o]
        for k in range(sparse.start[at + i], sparse.start[at + i + 1]):
            into, x = turned[sparse.column[k]], sparse.value[k]
            for o in range(n_out):
                into[o] += own[o] * x


@jit
def turn_back(sparse: Any, bias: Any, turned: Any, grad: Any) -> None:
    """Add derivatives as `first_gradient` has them to the flat gradient."""
    n_in, n_out, first = sparse.row[N_IN], sparse.row[N_OUT], sparse.row[PARAM]
    for o in range(n_out):
        grad[first + o * (n_in + 1)] += bias[o]
        for j in range(n_in):
            grad[first + o * (n_in + 1) + 1 + j] += turned[j, o]


@jit
def sparse_gradient(net: Any, sparse: Any, theta: Any, turned: Any, at: int, m: int, work: Any, grad: Any, bias: Any,
                    into: Any) -> Any:
    """Loss of a block, whose responses lie in `work`; its gradient is added to `grad`, `bias` and `into`.

    Parameters
    ----------
    net : Net
        Of the layers behind the first.
    """
    row, end = sparse.row, net.table.shape[0] - 1
    first_forward(sparse, theta, turned, at, m, work.value)
    activate_units(row[ACT], sparse.constant, row[ADDRESS], work.value, work.slope, row[TARGET], row[N_OUT], padded(m))
    total = block_loss(net, theta, work, m)
    clear_padding(work.delta, net.table[end, TARGET], net.table[end, N_OUT], m)
    backward(net.table, theta, work.value, work.slope, work.delta, grad, padded(m), net.loss == CE_R, True)
    through_activation(row, work.value, work.slope, work.delta, padded(m))
    first_gradient(sparse, at, m, work.delta, bias, into)
    return total
