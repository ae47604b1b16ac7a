"""Kernels that go through units one by one: observations, activations, losses, pools, embeddings.

Blocks of threads go through (row, observation) pairs in strides of the grid, observations side by side (pools: a row to a
block); the third axis of the grid is the member of the stack.
"""

from __future__ import annotations

from typing import Any, NamedTuple

import numba
import numpy as np
from numba import cuda  # a global, in whose place the simulator puts its own

from ....functions.activations import activate, is_coupled, softmax_backward
from ....layers.codes import (
    ACT,
    ADDRESS,
    CHANNELS,
    COLS,
    FEATURES,
    KERNEL_COLS,
    KERNEL_ROWS,
    KIND,
    MAXIMUM,
    N_IN,
    N_OUT,
    OFFSET,
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
    UNITS,
)
from ...batches import ABOVE, LARGEST, SQUARES
from ...chain import together as together_of
from ...cpu import RUNNING
from ..device import sum_tree, target
from ..losses import build_loss
from .arrays import FIRST, LOSS, METRIC, SIZE


class Kernels(NamedTuple):
    """Compiled kernels; see `build`."""

    collect: Any
    responses: Any
    activation: Any
    through: Any
    objective: Any
    pool: Any
    pool_back: Any
    embed: Any
    embed_gradient: Any
    copy: Any
    copy_back: Any
    clear: Any


def build(
    dtype: str, rare: Any, lanes: int, edge: int, simulate: bool, decorate: Any = None, code: int | None = None
) -> Kernels:
    """Make the kernels.

    Parameters
    ----------
    dtype : {"float64", "float32"}
    rare, code
        See `passes.build_passes`.
    lanes : int
        Threads of a block, a power of two.
    edge : int
        Of the square tiles in which inputs are turned round.

    Returns
    -------
    Kernels
        collect : (model, turn, rows, buffers)
            Inputs of a block of observations; grid: tiles of observations, tiles of inputs, members.
        responses : (model, turn, rows, buffers)
            Responses, weights, known parts of the linear predictor.
        activation, through : (model, k, turn, buffers)
            Activation of layer k; its adjoint.
        objective : (model, turn, buffers, loss, parameter, metric, cut)
            Loss and metric, added to `parts`, derivatives into `delta`.
        pool, pool_back, copy, copy_back, embed, embed_gradient, clear : (model, k, turn, buffers)
            Of layer k; `clear` sets the derivatives in its inputs to zero.
    """
    tools = target(simulate)
    summed = sum_tree(tools)
    function, barrier, to_device = tools.function, tools.barrier, tools.to_device
    apply, softmax_back = to_device(activate), to_device(softmax_backward)
    coupled, group_of = to_device(is_coupled), to_device(together_of)
    sum_loss = build_loss(tools, rare, code)
    compiled = cuda.jit if decorate is None else decorate
    number = numba.float64 if dtype == "float64" else numba.float32
    SQUARE = edge * (edge + 1)

    @compiled
    def collect(model, turn, rows, buffers):
        lane, s = cuda.threadIdx.x, cuda.blockIdx.z
        square = cuda.shared.array(SQUARE, number)
        if turn.status[s] != RUNNING:
            return
        item, order = turn.items[turn.clock[0]], turn.order[s]
        x, value = rows.x[s % rows.x.shape[0]], buffers.value[s]
        i0, d0 = cuda.blockIdx.x * edge, cuda.blockIdx.y * edge
        for e in range(lane, edge * edge, lanes):
            i = e // edge
            d = e - i * edge
            if i0 + i < item[SIZE] and d0 + d < x.shape[1]:
                at = item[FIRST] + i0 + i
                square[i * (edge + 1) + d] = x[order[at] if order.shape[0] > 0 else at, d0 + d]
        barrier()
        for e in range(lane, edge * edge, lanes):
            d = e // edge
            i = e - d * edge
            if i0 + i < item[SIZE] and d0 + d < x.shape[1]:
                value[d0 + d, i0 + i] = square[i * (edge + 1) + d]

    @compiled
    def responses(model, turn, rows, buffers):
        start, s = cuda.blockIdx.x * lanes + cuda.threadIdx.x, cuda.blockIdx.z
        if turn.status[s] != RUNNING:
            return
        item, order = turn.items[turn.clock[0]], turn.order[s]
        y, weight = rows.y[s % rows.y.shape[0]], rows.weight[s % rows.weight.shape[0]]
        known = model.table[model.table.shape[0] - 1, OFFSET]
        for i in range(start, item[SIZE], cuda.gridDim.x * lanes):
            at = item[FIRST] + i
            if order.shape[0] > 0:
                at = order[at]
            for k in range(y.shape[0]):
                buffers.target[s, k, i] = y[k, at]
            buffers.case[s, i] = weight[at] if weight.shape[0] > 0 else number(1)
            if known >= 0:
                for k in range(rows.offset.shape[0]):
                    buffers.value[s, known + k, i] = rows.offset[k, at]

    @compiled
    def activation(model, k, turn, buffers):
        start, s = cuda.blockIdx.x * lanes + cuda.threadIdx.x, cuda.blockIdx.z
        if turn.status[s] != RUNNING:
            return
        row, value, slope = model.table[k], buffers.value[s], buffers.slope[s]
        m = turn.items[turn.clock[0], SIZE]
        together = group_of(row) if coupled(row[ACT]) else 1
        for e in range(start, row[N_OUT] // together * m, cuda.gridDim.x * lanes):
            u = e // m * together
            i = e % m
            first = row[TARGET] + u
            if row[OFFSET] >= 0:
                for j in range(together):
                    value[first + j, i] += value[row[OFFSET] + u + j, i]
            apply(row[ACT], model.constants[k], row[ADDRESS], value, slope, first, together, i, i + 1, 1, None,
                  rare)  # fmt: skip

    @compiled
    def through(model, k, turn, buffers):
        start, s = cuda.blockIdx.x * lanes + cuda.threadIdx.x, cuda.blockIdx.z
        if turn.status[s] != RUNNING:
            return
        row, value, slope, delta = model.table[k], buffers.value[s], buffers.slope[s], buffers.delta[s]
        m = turn.items[turn.clock[0], SIZE]
        together = group_of(row) if coupled(row[ACT]) else 1
        for e in range(start, row[N_OUT] // together * m, cuda.gridDim.x * lanes):
            u = e // m * together
            i = e % m
            if coupled(row[ACT]):
                softmax_back(row[ACT], value, delta, row[TARGET] + u, together, i, i + 1, 1)
            else:
                delta[row[TARGET] + u, i] *= slope[row[TARGET] + u, i]

    @compiled
    def objective(model, turn, buffers, loss, parameter, metric, cut):
        lane, block, s = cuda.threadIdx.x, cuda.blockIdx.x, cuda.blockIdx.z
        parts = cuda.shared.array((2, lanes), numba.float64)
        if turn.status[s] != RUNNING:
            return
        value, response, delta = buffers.value[s], buffers.target[s], buffers.delta[s]
        row = model.table[model.table.shape[0] - 1]
        first, outputs = row[TARGET], row[N_OUT]
        total, score = 0.0, 0.0
        for i in range(block * lanes + lane, turn.items[turn.clock[0], SIZE], cuda.gridDim.x * lanes):
            total += sum_loss(loss, parameter, value, response, buffers.case[s], delta, first, outputs, i, i + 1, 1)
            if metric == LARGEST:
                said, true = 0, 0
                for k in range(1, outputs):
                    if value[first + k, i] > value[first + said, i]:
                        said = k
                    if response[k, i] > response[true, i]:
                        true = k
                score += 1.0 if said == true else 0.0
            elif metric == ABOVE:
                right = 0.0
                for k in range(outputs):
                    right += 1.0 if (value[first + k, i] > cut) == (response[k, i] > 0.5) else 0.0
                score += right / outputs
            elif metric == SQUARES:
                squares = 0.0
                for k in range(outputs):
                    residual = float(value[first + k, i] - response[k, i])
                    squares += residual * residual
                score += squares / outputs
        parts[LOSS, lane], parts[METRIC, lane] = total, score
        summed(parts[LOSS], lane, lanes)
        summed(parts[METRIC], lane, lanes)
        if lane == 0:
            buffers.parts[s, block, LOSS] += parts[LOSS, 0]
            buffers.parts[s, block, METRIC] += parts[METRIC, 0]

    @compiled
    def pool(model, k, turn, buffers):
        lane, s = cuda.threadIdx.x, cuda.blockIdx.z
        if turn.status[s] != RUNNING:
            return
        row, value = model.table[k], buffers.value[s]
        m, channels = turn.items[turn.clock[0], SIZE], row[CHANNELS]
        for u in range(cuda.blockIdx.x, row[OUT_ROWS] * row[OUT_COLS] * channels, cuda.gridDim.x):
            j = u % channels
            p = u // channels
            y0 = p // row[OUT_COLS] * row[STRIDE_ROWS] - row[PAD_ROWS]
            x0 = p % row[OUT_COLS] * row[STRIDE_COLS] - row[PAD_COLS]
            y1, x1 = min(y0 + row[KERNEL_ROWS], row[ROWS]), min(x0 + row[KERNEL_COLS], row[COLS])
            y0, x0 = max(y0, 0), max(x0, 0)
            for i in range(lane, m, cuda.blockDim.x):
                total = number(0)
                largest = value[row[SOURCE] + (y0 * row[COLS] + x0) * channels + j, i]
                for y in range(y0, y1):
                    for x in range(x0, x1):
                        z = value[row[SOURCE] + (y * row[COLS] + x) * channels + j, i]
                        total += z
                        if z > largest or z != z:
                            largest = z
                mean = total / number((y1 - y0) * (x1 - x0))
                value[row[TARGET] + u, i] = largest if row[KIND] == MAXIMUM else mean

    @function
    def first_largest(value, source, cols, channels, y0, x0, x1, y, x, top, i):
        """Whether no element of the window before (y, x) has the value `top`."""
        for a in range(y0, y + 1):
            for b in range(x0, x1 if a < y else x):
                if value[source + (a * cols + b) * channels, i] == top:
                    return False
        return True

    @compiled
    def pool_back(model, k, turn, buffers):
        lane, s = cuda.threadIdx.x, cuda.blockIdx.z
        if turn.status[s] != RUNNING:
            return
        row, value, delta = model.table[k], buffers.value[s], buffers.delta[s]
        m, channels, cols = turn.items[turn.clock[0], SIZE], row[CHANNELS], row[COLS]
        for u in range(cuda.blockIdx.x, row[N_IN], cuda.gridDim.x):
            j = u % channels
            y, x = u // channels // cols, u // channels % cols
            # windows that reach (y, x)
            r0 = max(0, (y + row[PAD_ROWS] - row[KERNEL_ROWS]) // row[STRIDE_ROWS] + 1)
            c0 = max(0, (x + row[PAD_COLS] - row[KERNEL_COLS]) // row[STRIDE_COLS] + 1)
            r1 = min((y + row[PAD_ROWS]) // row[STRIDE_ROWS] + 1, row[OUT_ROWS])
            c1 = min((x + row[PAD_COLS]) // row[STRIDE_COLS] + 1, row[OUT_COLS])
            for i in range(lane, m, cuda.blockDim.x):
                own, total = value[row[SOURCE] + u, i], number(0)
                for r in range(r0, r1):
                    for c in range(c0, c1):
                        t = (r * row[OUT_COLS] + c) * channels + j
                        y0, x0 = r * row[STRIDE_ROWS] - row[PAD_ROWS], c * row[STRIDE_COLS] - row[PAD_COLS]
                        y1, x1 = min(y0 + row[KERNEL_ROWS], row[ROWS]), min(x0 + row[KERNEL_COLS], cols)
                        y0, x0 = max(y0, 0), max(x0, 0)
                        if row[KIND] != MAXIMUM:
                            total += delta[row[TARGET] + t, i] / number((y1 - y0) * (x1 - x0))
                        elif own == value[row[TARGET] + t, i] and first_largest(
                            value, row[SOURCE] + j, cols, channels, y0, x0, x1, y, x, own, i
                        ):
                            total += delta[row[TARGET] + t, i]
                delta[row[SOURCE] + u, i] = total

    @compiled
    def embed(model, k, turn, buffers):
        start, s = cuda.blockIdx.x * lanes + cuda.threadIdx.x, cuda.blockIdx.z
        if turn.status[s] != RUNNING:
            return
        row, value, theta = model.table[k], buffers.value[s], model.theta[s]
        m, size = turn.items[turn.clock[0], SIZE], row[FEATURES]
        for e in range(start, row[N_IN] * size * m, cuda.gridDim.x * lanes):
            u = e // m
            i = e - u * m
            p = u // size
            at = value[row[SOURCE] + p, i]
            z = number(np.nan)
            if at >= 0 and at < row[UNITS]:
                z = theta[row[PARAM] + int(at) * size + u - p * size]
            value[row[TARGET] + u, i] = z

    @compiled
    def embed_gradient(model, k, turn, buffers):
        """Blocks share the integers, threads the elements of their vectors: sums in the order of the observations."""
        lane, s = cuda.threadIdx.x, cuda.blockIdx.z
        if turn.status[s] != RUNNING:
            return
        row, value, delta, grad = model.table[k], buffers.value[s], buffers.delta[s], model.grad[s]
        m, size = turn.items[turn.clock[0], SIZE], row[FEATURES]
        for p in range(row[N_IN]):
            for i in range(m):
                at = value[row[SOURCE] + p, i]
                if at >= 0 and at < row[UNITS]:
                    word = int(at)
                    if word % cuda.gridDim.x == cuda.blockIdx.x:
                        for j in range(lane, size, lanes):
                            grad[row[PARAM] + word * size + j] += delta[row[TARGET] + p * size + j, i]

    @compiled
    def copy(model, k, turn, buffers):
        start, s = cuda.blockIdx.x * lanes + cuda.threadIdx.x, cuda.blockIdx.z
        if turn.status[s] != RUNNING:
            return
        row, value = model.table[k], buffers.value[s]
        m = turn.items[turn.clock[0], SIZE]
        for e in range(start, row[N_IN] * m, cuda.gridDim.x * lanes):
            u = e // m
            i = e - u * m
            value[row[TARGET] + u, i] = value[row[SOURCE] + u, i]

    @compiled
    def copy_back(model, k, turn, buffers):
        start, s = cuda.blockIdx.x * lanes + cuda.threadIdx.x, cuda.blockIdx.z
        if turn.status[s] != RUNNING:
            return
        row, delta = model.table[k], buffers.delta[s]
        m = turn.items[turn.clock[0], SIZE]
        for e in range(start, row[N_IN] * m, cuda.gridDim.x * lanes):
            u = e // m
            i = e - u * m
            delta[row[SOURCE] + u, i] = delta[row[TARGET] + u, i]

    @compiled
    def clear(model, k, turn, buffers):
        start, s = cuda.blockIdx.x * lanes + cuda.threadIdx.x, cuda.blockIdx.z
        if turn.status[s] != RUNNING:
            return
        row, delta, m = model.table[k], buffers.delta[s], turn.items[turn.clock[0], SIZE]
        for e in range(start, row[N_IN] * m, cuda.gridDim.x * lanes):
            delta[row[SOURCE] + e // m, e % m] = 0

    return Kernels(collect, responses, activation, through, objective, pool, pool_back, embed, embed_gradient, copy,
                   copy_back, clear)  # fmt: skip
