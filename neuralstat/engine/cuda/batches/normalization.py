"""Kernels of batch normalisation: a block of threads for a channel of a member; see `layers.normalization`.

The scratch row of a channel holds its mean, 1 / sd, variance, and the factor and term that are applied.
"""

from __future__ import annotations

import math
from typing import Any, NamedTuple

import numba
from numba import cuda  # a global, in whose place the simulator puts its own

from ....layers.codes import CHANNELS, N_IN, PARAM, SCRATCH, SOURCE, TARGET
from ....layers.normalization import GROUP
from ...cpu import RUNNING
from ..device import sum_tree, target
from .arrays import SIZE


class Kernels(NamedTuple):
    """Compiled kernels; see `build`."""

    forward: Any
    backward: Any
    move: Any


def build(dtype: str, lanes: int, simulate: bool, decorate: Any = None) -> Kernels:
    """Make the kernels.

    Returns
    -------
    Kernels
        forward : (model, k, turn, buffers, memory, training)
            Layer k, by the moments of the batch, where `training` is not 0 and the layer's momentum not negative; else
            by the moving averages. Grid: channels, 1, members.
        backward : (model, k, turn, buffers, memory, training, inputs)
            Derivatives in the inputs (where `inputs` is not 0), and in beta and gamma, added to the gradient.
        move : (model, k, turn, buffers, memory)
            Moving averages, after a step.
    """
    tools = target(simulate)
    function, barrier, summed = tools.function, tools.barrier, sum_tree(tools)
    compiled = cuda.jit if decorate is None else decorate
    number = numba.float64 if dtype == "float64" else numba.float32

    @function
    def reduce(first, second, lane):
        """Sums over the threads, in the first elements."""
        summed(first, lane, lanes)
        summed(second, lane, lanes)

    @compiled
    def forward(model, k, turn, buffers, memory, training):
        lane, channel, s = cuda.threadIdx.x, cuda.blockIdx.x, cuda.blockIdx.z
        first = cuda.shared.array(lanes, number)
        second = cuda.shared.array(lanes, number)
        if turn.status[s] != RUNNING:
            return
        row, value, theta = model.table[k], buffers.value[s], model.theta[s]
        m, channels = turn.items[turn.clock[0], SIZE], row[CHANNELS]
        positions, w = row[N_IN] // channels, row[PARAM] + GROUP * channel
        batch = training != 0 and memory.momentum[k] >= 0
        if batch:
            total = number(0)
            for p in range(positions):
                at = row[SOURCE] + p * channels + channel
                for i in range(lane, m, lanes):
                    total += value[at, i]
            first[lane], second[lane] = total, 0
            reduce(first, second, lane)
            mean = first[0] / number(positions * m)
            barrier()
            total = number(0)
            for p in range(positions):
                at = row[SOURCE] + p * channels + channel
                for i in range(lane, m, lanes):
                    total += (value[at, i] - mean) * (value[at, i] - mean)
            first[lane], second[lane] = total, 0
            reduce(first, second, lane)
            variance = first[0] / number(positions * m)
        else:
            mean, variance = theta[w + 2], theta[w + 3]
        scale = number(1) / math.sqrt(variance + model.constants[k])
        factor = theta[w + 1] * scale
        term = theta[w] - mean * factor
        if lane == 0:
            line = value[row[SCRATCH] + 1 + channel]
            line[0], line[1], line[2], line[3], line[4] = mean, scale, variance, factor, term
        for p in range(positions):
            at = p * channels + channel
            for i in range(lane, m, lanes):
                value[row[TARGET] + at, i] = value[row[SOURCE] + at, i] * factor + term

    @compiled
    def backward(model, k, turn, buffers, memory, training, inputs):
        lane, channel, s = cuda.threadIdx.x, cuda.blockIdx.x, cuda.blockIdx.z
        first = cuda.shared.array(lanes, number)
        second = cuda.shared.array(lanes, number)
        if turn.status[s] != RUNNING:
            return
        row, value, delta = model.table[k], buffers.value[s], buffers.delta[s]
        m, channels = turn.items[turn.clock[0], SIZE], row[CHANNELS]
        positions, w = row[N_IN] // channels, row[PARAM] + GROUP * channel
        line = value[row[SCRATCH] + 1 + channel]
        mean, scale, factor = line[0], line[1], line[3]
        plain, product = number(0), number(0)
        for p in range(positions):
            at = p * channels + channel
            for i in range(lane, m, lanes):
                d = delta[row[TARGET] + at, i]
                plain += d
                product += d * ((value[row[SOURCE] + at, i] - mean) * scale)
        first[lane], second[lane] = plain, product
        reduce(first, second, lane)
        plain, product = first[0], second[0]
        if lane == 0:
            model.grad[s, w] += plain
            model.grad[s, w + 1] += product
        if inputs == 0:
            return
        size = number(positions * m)
        if training != 0 and memory.momentum[k] >= 0:
            plain, product = plain / size, product / size
        else:
            plain, product = number(0), number(0)
        for p in range(positions):
            at = p * channels + channel
            for i in range(lane, m, lanes):
                x = (value[row[SOURCE] + at, i] - mean) * scale
                delta[row[SOURCE] + at, i] = factor * (delta[row[TARGET] + at, i] - plain - x * product)

    @compiled
    def move(model, k, turn, buffers, memory):
        start, s = cuda.blockIdx.x * lanes + cuda.threadIdx.x, cuda.blockIdx.z
        if turn.status[s] != RUNNING or memory.momentum[k] < 0:
            return
        row, theta, kept = model.table[k], model.theta[s], number(memory.momentum[k])
        for channel in range(start, row[CHANNELS], cuda.gridDim.x * lanes):
            w, line = row[PARAM] + GROUP * channel, buffers.value[s, row[SCRATCH] + 1 + channel]
            theta[w + 2] = theta[w + 2] * kept + line[0] * (1 - kept)
            theta[w + 3] = theta[w + 3] * kept + line[2] * (1 - kept)

    return Kernels(forward, backward, move)
