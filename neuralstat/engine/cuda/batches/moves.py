"""Kernels that move units; see `layers.move`. A thread to a unit and an observation; none writes where another does."""

from __future__ import annotations

from typing import Any, NamedTuple

import numba
from numba import cuda  # a global, in whose place the simulator puts its own

from ....layers.codes import (
    ADDS,
    CHANNELS,
    COLS,
    FILTERS,
    KERNEL_COLS,
    KERNEL_ROWS,
    KIND,
    OPTIONS,
    OUT_COLS,
    OUT_ROWS,
    PAD_COLS,
    PAD_ROWS,
    ROWS,
    SOURCE,
    SPREAD_COLS,
    SPREAD_ROWS,
    STRIDE_CHANNELS,
    STRIDE_COLS,
    STRIDE_ROWS,
    TARGET,
)
from ....layers.move import FORWARD, STUFFED, move_back, source_at
from ...cpu import RUNNING
from ..device import target
from .arrays import SIZE


class Kernels(NamedTuple):
    """Compiled kernels; see `build`."""

    forward: Any
    backward: Any


def build(dtype: str, lanes: int, simulate: bool, decorate: Any = None) -> Kernels:
    """Make the kernels.

    Returns
    -------
    Kernels
        forward, backward : (model, k, turn, buffers)
            Units of layer k, and the derivatives in its inputs.
    """
    tools = target(simulate)
    compiled = cuda.jit if decorate is None else decorate
    number = numba.float64 if dtype == "float64" else numba.float32
    find, back = tools.to_device(source_at), tools.to_device(move_back)

    @compiled
    def forward(model: Any, k: int, turn: Any, buffers: Any) -> None:
        start, s = cuda.blockIdx.x * lanes + cuda.threadIdx.x, cuda.blockIdx.z
        if turn.status[s] != RUNNING:
            return
        row, value = model.table[k], buffers.value[s]
        m = turn.items[turn.clock[0], SIZE]
        stuffed = row[OPTIONS] & STUFFED != 0
        for e in range(start, row[OUT_ROWS] * row[OUT_COLS] * row[FILTERS] * m, cuda.gridDim.x * lanes):
            u = e // m
            i = e - u * m
            f = u % row[FILTERS]
            c = u // row[FILTERS] % row[OUT_COLS]
            r = u // (row[FILTERS] * row[OUT_COLS])
            y = find(r, row[PAD_ROWS], row[KERNEL_ROWS], row[ROWS], stuffed)
            x = find(c, row[PAD_COLS], row[KERNEL_COLS], row[COLS], stuffed)
            t = row[TARGET] + r * row[SPREAD_ROWS] + c * row[SPREAD_COLS] + f
            part = number(0)
            if y >= 0 and x >= 0:
                at = row[SOURCE] + row[CHANNELS] + y * row[STRIDE_ROWS] + x * row[STRIDE_COLS] + f * row[STRIDE_CHANNELS]
                part = value[at, i]
                if row[KIND] != 1:
                    part = part / row[KIND]
            elif row[ADDS] & FORWARD:
                continue
            value[t, i] = value[t, i] + part if row[ADDS] & FORWARD else part

    @compiled
    def backward(model: Any, k: int, turn: Any, buffers: Any) -> None:
        start, s = cuda.blockIdx.x * lanes + cuda.threadIdx.x, cuda.blockIdx.z
        if turn.status[s] != RUNNING:
            return
        row, delta = model.table[k], buffers.delta[s]
        m = turn.items[turn.clock[0], SIZE]
        for e in range(start, row[ROWS] * row[COLS] * row[FILTERS] * m, cuda.gridDim.x * lanes):
            u = e // m
            i = e - u * m
            x = u // row[FILTERS] % row[COLS]
            back(row, u // (row[FILTERS] * row[COLS]), x, u % row[FILTERS], delta, i, i + 1, 1)

    return Kernels(forward, backward)
