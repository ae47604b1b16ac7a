"""One pass of a CPU through a table of layers for a block of observations: forward, and backward.

Layers, activations and losses are late kernels (`jit.late`): a pass is compiled once for all networks. Observations are
padded to a multiple of `jit.vector_code.PAD`.
"""

from __future__ import annotations

from typing import Any

from ..functions.activation_calls import activate_units, rectify_units, softmax_backward_units, through_rectifier
from ..functions.activations import RELU, is_coupled
from ..jit.compile import jit
from ..jit.late import late
from ..jit.simd import multiply_rows
from ..layers.codes import (
    ACT,
    ADDRESS,
    CONV2D,
    COPY,
    DENSE,
    DEPTHWISE,
    FILTERS,
    KIND,
    MASK,
    MAXIMUM,
    N_IN,
    N_OUT,
    OFFSET,
    OP,
    POOL,
    SOURCE,
    TARGET,
    WANTED,
)
from ..layers.dense import dense_backward_cpu, dense_forward_cpu, dense_gradient_cpu
from .layer_calls import layer_backward, layer_forward, layer_gradient


@jit
def together(row: Any) -> int:
    """Units that an activation is applied to at once: all, or those of the last axis for softmax."""
    return row[FILTERS] if is_coupled(row[ACT]) and row[FILTERS] > 0 else row[N_OUT]


@jit
def activates(row: Any) -> bool:
    """Whether a layer has an activation of its own, as dense layers do."""
    return bool(row[OP] == CONV2D or row[OP] == COPY or row[OP] == DEPTHWISE)


@jit
def is_rectified(row: Any) -> bool:
    """Whether the units of a layer other than a dense one are rectified: their slopes are not kept, but told from them."""
    return bool(row[ACT] == RELU and activates(row))


@late
def forward(table: Any, constants: Any, theta: Any, value: Any, slope: Any, m: int) -> None:
    """Run a network on the observations of a block.

    Parameters
    ----------
    table : (layers, COLUMNS) int64 array
        See `layers.codes`.
    constants : (layers,) array
        Parameter of each layer's activation.
    theta : (P,) array
        Weights of one network.
    value : (width, block) array
        Read: the inputs, from row 0 on. Written: every other unit.
    slope : (width, block) array
        Written: derivative of each unit's activation, but of units that `is_rectified` says are rectified.
    m : int
        Observations, padded.
    """
    for k in range(table.shape[0]):
        row = table[k]
        if row[OP] == DENSE:
            dense_forward_cpu(row, theta, value, m)
        else:
            layer_forward(row, constants[k], theta, value, m)
            if not activates(row):
                continue
        if row[OFFSET] >= 0:
            for u in range(row[N_OUT]):
                for i in range(m):
                    value[row[TARGET] + u, i] += value[row[OFFSET] + u, i]
        if is_rectified(row):
            rectify_units(value, row[TARGET], row[N_OUT], m)
            continue
        units = together(row)
        for u in range(0, row[N_OUT], units):
            activate_units(row[ACT], constants[k], row[ADDRESS], value, slope, row[TARGET] + u, units, m)


@jit
def through_activation(row: Any, value: Any, slope: Any, delta: Any, m: int) -> None:
    """``delta`` of a layer's units from d loss / d a to d loss / d z, in place."""
    if row[OP] != DENSE and not activates(row):
        return
    if is_rectified(row):
        through_rectifier(value, delta, row[TARGET], row[N_OUT], m)
    elif is_coupled(row[ACT]):
        units = together(row)
        for u in range(0, row[N_OUT], units):
            softmax_backward_units(row[ACT], value, delta, row[TARGET] + u, units, m)
    else:
        multiply_rows(delta, slope, row[TARGET], row[N_OUT], m)


@jit
def row_backward(row: Any, theta: Any, value: Any, slope: Any, delta: Any, inputs: bool, through: bool, m: int) -> None:
    """d loss / d inputs of one layer into `delta`'s source rows (left out when not wanted).

    With `through` on to d loss / d z of the units below. A pool's largest unit is rectified where the one it came from is.
    """
    if row[OP] != DENSE:
        if through:
            through_rectifier(value, delta, row[TARGET], row[N_OUT], m)
        layer_backward(row, theta, value, delta, inputs, m)
    elif inputs:
        dense_backward_cpu(row, theta, delta, slope, through, m)


@jit
def reads_plainly(row: Any, below: Any) -> bool:
    """Whether the way back through a layer goes on through the activation of the one below, all of whose units it reads.

    So it does from a dense layer to another whose units have an activation each, and from a pool's maxima to rectified units.
    """
    if row[SOURCE] != below[TARGET] or row[N_IN] != below[N_OUT]:
        return False
    if row[OP] == POOL:
        return bool(row[KIND] == MAXIMUM and row[MASK] < 0 and is_rectified(below))
    return bool(row[OP] == DENSE and below[OP] == DENSE and not is_coupled(below[ACT]))


@jit
def row_gradient(row: Any, value: Any, delta: Any, grad: Any, m: int) -> None:
    """Add one layer's d loss / d weights over all m observations."""
    if row[OP] == DENSE:
        dense_gradient_cpu(row, value, delta, grad, m)
    else:
        layer_gradient(row, value, delta, grad, m)


@late
def backward(table: Any, theta: Any, value: Any, slope: Any, delta: Any, grad: Any, m: int, skip_last: bool,
             inputs: bool) -> None:
    """Back through all layers, as far down as anything is wanted (`codes.WANTED`).

    Parameters
    ----------
    delta : (width, block) array
        Read: d loss / d a of the last layer. Destroyed; with `inputs`, rows 0 .. D hold d loss / d x at the end.
    grad : (P,) array
        Accumulated.
    skip_last : bool
        True where `delta` already is d loss / d z of the last layer (R's shortcut for cross entropy).
    inputs : bool
        True carries `delta` to the inputs, through all layers.
    """
    through = skip_last  # whether `delta` of the layer's units is d loss / d z
    for k in range(table.shape[0] - 1, -1, -1):
        row = table[k]
        if row[WANTED] == 0 and not inputs:
            through = False
            continue
        if not through:
            through_activation(row, value, slope, delta, m)
        down = inputs or (k > 0 and row[WANTED] >= 2)
        through = k > 0 and down and reads_plainly(row, table[k - 1])
        row_backward(row, theta, value, slope, delta, down, through, m)
        if row[WANTED] % 2 == 1:
            row_gradient(row, value, delta, grad, m)
