"""One pass through a table of layers for a block of observations: forward, and backward.

The same functions serve a CPU (one lane) and a GPU's thread block (many lanes; `barrier` then separates steps in
which lanes share observations from steps in which they share weights). Families of layers that a network lacks are
passed as None and are then not compiled.
"""

from __future__ import annotations

from typing import Any

from ..functions.activations import activate, is_coupled, softmax_backward
from ..jit.compile import jit
from ..jit.simd import multiply_rows
from ..layers.codes import ACT, ADDRESS, CONV2D, COPY, DENSE, DEPTHWISE, FILTERS, N_OUT, OFFSET, OP, TARGET, WANTED
from ..layers.dense import (
    dense_backward,
    dense_backward_cpu,
    dense_forward,
    dense_forward_cpu,
    dense_gradient,
    dense_gradient_cpu,
)
from .layer_kinds import layer_backward, layer_forward, layer_gradient


@jit
def forward(table: Any, constants: Any, theta: Any, value: Any, slope: Any, lane: int, m: int, lanes: int,
            layered: Any, custom: Any, rare: Any, gpu: Any) -> None:
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
        Written: derivative of each unit's activation.
    lane, m, lanes : int
        Observations lane, lane + lanes, ... below m. No lane reads another's observations.
    layered : None or layers.codes.Layered
        Families of layers other than dense ones that are compiled; None for none.
    custom : None or int
        None leaves users' activations out.
    rare : None or int
        None leaves out the rarer activations.
    gpu : None or int
        None: dense layers run on the CPU's faster twins, which know one lane only.
    """
    for k in range(table.shape[0]):
        row = table[k]
        if row[OP] == DENSE:
            if gpu is None:
                dense_forward_cpu(row, theta, value, m)
            else:
                dense_forward(row, theta, value, lane, m, lanes)
        elif layered is not None:
            layer_forward(row, constants[k], theta, value, lane, m, lanes, layered.images, layered.recurrent,
                          layered.others, layered.more, gpu)
            if row[OP] != CONV2D and row[OP] != COPY and row[OP] != DEPTHWISE:
                continue
        if row[OFFSET] >= 0:
            for u in range(row[N_OUT]):
                for i in range(lane, m, lanes):
                    value[row[TARGET] + u, i] += value[row[OFFSET] + u, i]
        units = together(row)
        for u in range(0, row[N_OUT], units):
            activate(row[ACT], constants[k], row[ADDRESS], value, slope, row[TARGET] + u, units, lane, m, lanes, custom,
                     rare, gpu)


@jit
def together(row: Any) -> int:
    """Units that an activation is applied to at once: all, or those of the last axis for softmax."""
    return row[FILTERS] if is_coupled(row[ACT]) and row[FILTERS] > 0 else row[N_OUT]


@jit
def through_activation(row: Any, value: Any, slope: Any, delta: Any, lane: int, m: int, lanes: int,
                       gpu: Any) -> None:
    """``delta`` of a layer's units from d loss / d a to d loss / d z, in place."""
    if row[OP] != DENSE and row[OP] != CONV2D and row[OP] != COPY and row[OP] != DEPTHWISE:  # no activation of its own
        return
    if is_coupled(row[ACT]):
        units = together(row)
        for u in range(0, row[N_OUT], units):
            softmax_backward(row[ACT], value, delta, row[TARGET] + u, units, lane, m, lanes)
        return
    if gpu is None:
        multiply_rows(delta, slope, row[TARGET], row[N_OUT], m)
    else:
        for u in range(row[TARGET], row[TARGET] + row[N_OUT]):
            for i in range(lane, m, lanes):
                delta[u, i] *= slope[u, i]


@jit
def row_backward(row: Any, theta: Any, value: Any, delta: Any, inputs: bool, lane: int, m: int, lanes: int,
                 layered: Any, gpu: Any) -> None:
    """d loss / d inputs of one layer into `delta`'s source rows (left out when not wanted)."""
    if row[OP] == DENSE:
        if inputs:
            if gpu is None:
                dense_backward_cpu(row, theta, delta, m)
            else:
                dense_backward(row, theta, delta, lane, m, lanes)
    elif layered is not None:
        layer_backward(row, theta, value, delta, inputs, lane, m, lanes, layered.images, layered.recurrent,
                       layered.others, layered.more, gpu)


@jit
def row_gradient(row: Any, value: Any, delta: Any, grad: Any, lane: int, m: int, lanes: int, layered: Any,
                 gpu: Any) -> None:
    """Add one layer's d loss / d weights over all m observations; the lanes share the weights."""
    if row[OP] == DENSE:
        if gpu is None:
            dense_gradient_cpu(row, value, delta, grad, m)
        else:
            dense_gradient(row, value, delta, grad, lane, m, lanes)
    elif layered is not None:
        layer_gradient(row, value, delta, grad, lane, m, lanes, layered.images, layered.recurrent, layered.others,
                       layered.more, gpu)


@jit
def backward(table: Any, theta: Any, value: Any, slope: Any, delta: Any, grad: Any, m: int, skip_last: bool,
             inputs: bool, layered: Any) -> None:
    """Back through all layers on one lane, as far down as anything is wanted (`codes.WANTED`).

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
    for k in range(table.shape[0] - 1, -1, -1):
        row = table[k]
        if row[WANTED] == 0 and not inputs:
            continue
        if k < table.shape[0] - 1 or not skip_last:
            through_activation(row, value, slope, delta, 0, m, 1, None)
        row_backward(row, theta, value, delta, inputs or (k > 0 and row[WANTED] >= 2), 0, m, 1, layered, None)
        if row[WANTED] % 2 == 1:
            row_gradient(row, value, delta, grad, 0, m, 1, layered, None)
