"""One pass of a device's thread block through a table of layers: forward, and the steps of the way back.

The block has many lanes; `barrier` separates steps in which lanes share observations from steps in which they share
weights. Families of layers that a network lacks are passed as None and are then not compiled. The CPU's: `engine.chain`.
"""

from __future__ import annotations

from typing import Any

from ...functions.activations import activate, is_coupled, softmax_backward
from ...jit.compile import jit
from ...layers.codes import ACT, ADDRESS, CONV2D, COPY, DENSE, DEPTHWISE, N_OUT, OFFSET, OP, TARGET
from ...layers.dense import dense_backward, dense_forward, dense_gradient
from ..chain import together
from .layer_kinds import layer_backward, layer_forward, layer_gradient


@jit
def forward(table: Any, constants: Any, theta: Any, value: Any, slope: Any, lane: int, m: int, lanes: int,
            layered: Any, custom: Any, rare: Any) -> None:
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
    """
    for k in range(table.shape[0]):
        row = table[k]
        if row[OP] == DENSE:
            dense_forward(row, theta, value, lane, m, lanes)
        elif layered is not None:
            layer_forward(row, constants[k], theta, value, lane, m, lanes, layered.images, layered.recurrent,
                          layered.others, layered.more)
            if row[OP] != CONV2D and row[OP] != COPY and row[OP] != DEPTHWISE:
                continue
        if row[OFFSET] >= 0:
            for u in range(row[N_OUT]):
                for i in range(lane, m, lanes):
                    value[row[TARGET] + u, i] += value[row[OFFSET] + u, i]
        units = together(row)
        for u in range(0, row[N_OUT], units):
            activate(row[ACT], constants[k], row[ADDRESS], value, slope, row[TARGET] + u, units, lane, m, lanes, custom,
                     rare)


@jit
def through_activation(row: Any, value: Any, slope: Any, delta: Any, lane: int, m: int, lanes: int) -> None:
    """``delta`` of a layer's units from d loss / d a to d loss / d z, in place."""
    if row[OP] != DENSE and row[OP] != CONV2D and row[OP] != COPY and row[OP] != DEPTHWISE:  # no activation of its own
        return
    if is_coupled(row[ACT]):
        units = together(row)
        for u in range(0, row[N_OUT], units):
            softmax_backward(row[ACT], value, delta, row[TARGET] + u, units, lane, m, lanes)
        return
    for u in range(row[TARGET], row[TARGET] + row[N_OUT]):
        for i in range(lane, m, lanes):
            delta[u, i] *= slope[u, i]


@jit
def row_backward(row: Any, theta: Any, value: Any, delta: Any, inputs: bool, lane: int, m: int, lanes: int,
                 layered: Any) -> None:
    """d loss / d inputs of one layer into `delta`'s source rows (left out when not wanted)."""
    if row[OP] == DENSE:
        if inputs:
            dense_backward(row, theta, delta, lane, m, lanes)
    elif layered is not None:
        layer_backward(row, theta, value, delta, inputs, lane, m, lanes, layered.images, layered.recurrent,
                       layered.others, layered.more)


@jit
def row_gradient(row: Any, value: Any, delta: Any, grad: Any, lane: int, m: int, lanes: int, layered: Any) -> None:
    """Add one layer's d loss / d weights over all m observations; the lanes share the weights."""
    if row[OP] == DENSE:
        dense_gradient(row, value, delta, grad, lane, m, lanes)
    elif layered is not None:
        layer_gradient(row, value, delta, grad, lane, m, lanes, layered.images, layered.recurrent, layered.others,
                       layered.more)
