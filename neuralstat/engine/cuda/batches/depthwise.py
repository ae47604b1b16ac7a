"""Kernels of depthwise convolution; see `layers.depthwise`.

Forward and back a thread takes a unit of an observation, neighbouring threads neighbouring observations; the gradient has a
block for each weight, whose threads share the observations.
"""

from __future__ import annotations

from typing import Any, NamedTuple

import numba
from numba import cuda  # a global, in whose place the simulator puts its own

from ....layers.codes import (
    CHANNELS,
    COLS,
    DILATION_COLS,
    DILATION_ROWS,
    FILTERS,
    KERNEL_COLS,
    KERNEL_ROWS,
    N_IN,
    N_OUT,
    OUT_COLS,
    OUT_ROWS,
    PAD_COLS,
    PAD_ROWS,
    PARAM,
    ROWS,
    SOURCE,
    STRIDE_COLS,
    STRIDE_ROWS,
    TARGET,
)
from ...cpu import RUNNING
from ..device import sum_tree, target
from .arrays import SIZE


class Kernels(NamedTuple):
    """Compiled kernels, of layer k each: (model, k, turn, buffers)."""

    depthwise: Any
    depthwise_back: Any
    depthwise_gradient: Any


def build(dtype: str, lanes: int, simulate: bool, decorate: Any = None) -> Kernels:
    """Make the kernels."""
    tools = target(simulate)
    function, barrier, summed = tools.function, tools.barrier, sum_tree(tools)
    compiled = cuda.jit if decorate is None else decorate
    number = numba.float64 if dtype == "float64" else numba.float32

    @function
    def input_of(row, p, e):
        """Position of the image below element e of the kernel at position p of the output; -1 outside."""
        y = p // row[OUT_COLS] * row[STRIDE_ROWS] + e // row[KERNEL_COLS] * row[DILATION_ROWS] - row[PAD_ROWS]
        x = p % row[OUT_COLS] * row[STRIDE_COLS] + e % row[KERNEL_COLS] * row[DILATION_COLS] - row[PAD_COLS]
        return y * row[COLS] + x if y >= 0 and y < row[ROWS] and x >= 0 and x < row[COLS] else -1

    @compiled
    def depthwise(model, k, turn, buffers):
        start, s = cuda.blockIdx.x * lanes + cuda.threadIdx.x, cuda.blockIdx.z
        if turn.status[s] != RUNNING:
            return
        row, value, theta, m = model.table[k], buffers.value[s], model.theta[s], turn.items[turn.clock[0], SIZE]
        elements, each = row[KERNEL_ROWS] * row[KERNEL_COLS], row[FILTERS] // row[CHANNELS]
        for n in range(start, row[N_OUT] * m, cuda.gridDim.x * lanes):
            u, i = n // m, n % m
            f = u % row[FILTERS]
            w = row[PARAM] + f * (1 + elements)
            total = theta[w]
            for e in range(elements):
                at = input_of(row, u // row[FILTERS], e)
                if at >= 0:
                    total += theta[w + 1 + e] * value[row[SOURCE] + at * row[CHANNELS] + f // each, i]
            value[row[TARGET] + u, i] = total

    @compiled
    def depthwise_back(model, k, turn, buffers):
        start, s = cuda.blockIdx.x * lanes + cuda.threadIdx.x, cuda.blockIdx.z
        if turn.status[s] != RUNNING:
            return
        row, delta, theta, m = model.table[k], buffers.delta[s], model.theta[s], turn.items[turn.clock[0], SIZE]
        elements, each = row[KERNEL_ROWS] * row[KERNEL_COLS], row[FILTERS] // row[CHANNELS]
        for n in range(start, row[N_IN] * m, cuda.gridDim.x * lanes):
            u, i = n // m, n % m
            f, p = u % row[CHANNELS] * each, u // row[CHANNELS]
            total = number(0)
            for e in range(elements):
                r = p // row[COLS] + row[PAD_ROWS] - e // row[KERNEL_COLS] * row[DILATION_ROWS]
                c = p % row[COLS] + row[PAD_COLS] - e % row[KERNEL_COLS] * row[DILATION_COLS]
                if r < 0 or c < 0 or r % row[STRIDE_ROWS] != 0 or c % row[STRIDE_COLS] != 0:
                    continue
                r, c = r // row[STRIDE_ROWS], c // row[STRIDE_COLS]
                if r >= row[OUT_ROWS] or c >= row[OUT_COLS]:
                    continue
                t = row[TARGET] + (r * row[OUT_COLS] + c) * row[FILTERS] + f
                for q in range(each):
                    total += theta[row[PARAM] + (f + q) * (1 + elements) + 1 + e] * delta[t + q, i]
            delta[row[SOURCE] + u, i] = total

    @compiled
    def depthwise_gradient(model, k, turn, buffers):
        lane, s = cuda.threadIdx.x, cuda.blockIdx.z
        sums = cuda.shared.array(lanes, number)
        if turn.status[s] != RUNNING:
            return
        row, value, delta, m = model.table[k], buffers.value[s], buffers.delta[s], turn.items[turn.clock[0], SIZE]
        elements, each = row[KERNEL_ROWS] * row[KERNEL_COLS], row[FILTERS] // row[CHANNELS]
        for w in range(cuda.blockIdx.x, row[FILTERS] * (1 + elements), cuda.gridDim.x):
            f, e = w // (1 + elements), w % (1 + elements) - 1
            total = number(0)
            for p in range(row[OUT_ROWS] * row[OUT_COLS]):
                t = row[TARGET] + p * row[FILTERS] + f
                at = input_of(row, p, e) if e >= 0 else 0
                if at < 0:
                    continue
                for i in range(lane, m, lanes):
                    x = value[row[SOURCE] + at * row[CHANNELS] + f // each, i] if e >= 0 else number(1)
                    total += delta[t, i] * x
            sums[lane] = total
            summed(sums, lane, lanes)
            if lane == 0:
                model.grad[s, row[PARAM] + w] += sums[0]
            barrier()

    return Kernels(depthwise, depthwise_back, depthwise_gradient)
