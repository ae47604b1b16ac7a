"""Kernels of normalisation of each observation, PReLU, noise and dropout.

Forward and back a thread takes a unit (or a set that is normalised) of an observation, neighbouring threads neighbouring
observations; gradients have a block for each weight or channel, whose threads share the observations.
"""

from __future__ import annotations

import math
from typing import Any, NamedTuple

import numba
import numpy as np
from numba import cuda  # a global, in whose place the simulator puts its own

from ....jit.random import DROPOUT, philox
from ....layers import noise as kinds
from ....layers.codes import (
    CHANNELS,
    COLS,
    KIND,
    N_IN,
    PARAM,
    SCRATCH,
    SOURCE,
    STRIDE_CHANNELS,
    STRIDE_COLS,
    STRIDE_ROWS,
    TARGET,
)
from ....layers.dropout import SPATIAL
from ....layers.layer_norm import EACH, OWN, SETS, unit_at, weights_at
from ....layers.layer_norm import SIZE as SET
from ....layers.prelu import HELD, alpha_of
from ...cpu import RUNNING
from ..device import sum_tree, target
from .arrays import FIRST, SIZE


class Kernels(NamedTuple):
    """Compiled kernels, of layer k each: (model, k, turn, buffers), and for `noise` and `drop` (..., memory, training)."""

    norm: Any
    norm_back: Any
    norm_gradient: Any
    prelu: Any
    prelu_back: Any
    prelu_gradient: Any
    noise: Any
    noise_back: Any
    drop: Any
    drop_back: Any


def build(dtype: str, lanes: int, simulate: bool, decorate: Any = None) -> Kernels:
    """Make the kernels."""
    tools = target(simulate)
    summed = sum_tree(tools)
    barrier, to_device = tools.barrier, tools.to_device
    draw, unit_of, weight_of = to_device(philox), to_device(unit_at), to_device(alpha_of)
    place_of = to_device(weights_at)
    normal_pair, moments = to_device(kinds.normal_pair), to_device(kinds.alpha_moments)
    compiled = cuda.jit if decorate is None else decorate
    number = numba.float64 if dtype == "float64" else numba.float32

    @compiled
    def norm(model, k, turn, buffers):
        start, s = cuda.blockIdx.x * lanes + cuda.threadIdx.x, cuda.blockIdx.z
        if turn.status[s] != RUNNING:
            return
        row, value, theta, m = model.table[k], buffers.value[s], model.theta[s], turn.items[turn.clock[0], SIZE]
        size = row[SET]
        for n in range(start, row[N_IN] // size * m, cuda.gridDim.x * lanes):
            b, i = n // m, n % m
            mean, square = number(0), number(0)
            for j in range(size):
                mean += value[row[SOURCE] + unit_of(row, b, j), i]
            mean /= number(size)
            for j in range(size):
                x = value[row[SOURCE] + unit_of(row, b, j), i] - mean
                square += x * x
            scale = number(1) / math.sqrt(square / number(size) + model.constants[k])
            value[row[SCRATCH] + 2 * b, i], value[row[SCRATCH] + 2 * b + 1, i] = mean, scale
            for j in range(size):
                u = unit_of(row, b, j)
                w = place_of(row, u, j)
                x = (value[row[SOURCE] + u, i] - mean) * scale
                value[row[TARGET] + u, i] = theta[w] + theta[w + 1] * x

    @compiled
    def norm_back(model, k, turn, buffers):
        start, s = cuda.blockIdx.x * lanes + cuda.threadIdx.x, cuda.blockIdx.z
        if turn.status[s] != RUNNING:
            return
        row, value, delta, theta = model.table[k], buffers.value[s], buffers.delta[s], model.theta[s]
        m, size = turn.items[turn.clock[0], SIZE], row[SET]
        for n in range(start, row[N_IN] // size * m, cuda.gridDim.x * lanes):
            b, i = n // m, n % m
            mean, scale = value[row[SCRATCH] + 2 * b, i], value[row[SCRATCH] + 2 * b + 1, i]
            plain, product = number(0), number(0)
            for j in range(size):
                u = unit_of(row, b, j)
                d = theta[place_of(row, u, j) + 1] * delta[row[TARGET] + u, i]
                plain += d
                product += d * ((value[row[SOURCE] + u, i] - mean) * scale)
            plain, product = plain / number(size), product / number(size)
            for j in range(size):
                u = unit_of(row, b, j)
                d = theta[place_of(row, u, j) + 1] * delta[row[TARGET] + u, i]
                x = (value[row[SOURCE] + u, i] - mean) * scale
                delta[row[SOURCE] + u, i] = (d - plain - x * product) * scale

    @compiled
    def norm_gradient(model, k, turn, buffers):
        lane, s = cuda.threadIdx.x, cuda.blockIdx.z
        plain = cuda.shared.array(lanes, number)
        product = cuda.shared.array(lanes, number)
        if turn.status[s] != RUNNING:
            return
        row, value, delta, m = model.table[k], buffers.value[s], buffers.delta[s], turn.items[turn.clock[0], SIZE]
        size, count = row[SET], row[CHANNELS]  # weights, in twos
        if row[KIND] == EACH:
            count = size
        for w in range(cuda.blockIdx.x, count, cuda.gridDim.x):
            first, second = number(0), number(0)
            for p in range(row[N_IN] // count):
                b, j = p, w
                if row[KIND] != EACH:  # a channel, at one position after the other
                    positions = size // row[OWN]
                    b = p // positions * row[SETS] + w // row[OWN]
                    j = p % positions * row[OWN] + w % row[OWN]
                u, at = unit_of(row, b, j), row[SCRATCH] + 2 * b
                for i in range(lane, m, lanes):
                    d = delta[row[TARGET] + u, i]
                    first += d
                    second += d * ((value[row[SOURCE] + u, i] - value[at, i]) * value[at + 1, i])
            plain[lane], product[lane] = first, second
            summed(plain, lane, lanes)
            summed(product, lane, lanes)
            if lane == 0:
                model.grad[s, row[PARAM] + 2 * w] += plain[0]
                model.grad[s, row[PARAM] + 2 * w + 1] += product[0]
            barrier()

    @compiled
    def prelu(model, k, turn, buffers):
        start, s = cuda.blockIdx.x * lanes + cuda.threadIdx.x, cuda.blockIdx.z
        if turn.status[s] != RUNNING:
            return
        row, value, theta, m = model.table[k], buffers.value[s], model.theta[s], turn.items[turn.clock[0], SIZE]
        for n in range(start, row[N_IN] * m, cuda.gridDim.x * lanes):
            u, i = n // m, n % m
            x = value[row[SOURCE] + u, i]
            if row[KIND] == HELD:
                threshold, limit = theta[row[PARAM] + 1], theta[row[PARAM] + 2]
                x = theta[row[PARAM]] * (x - threshold) if x <= threshold else limit if x > limit else x
            elif x <= 0:
                x = theta[row[PARAM] + weight_of(row, u)] * x
            value[row[TARGET] + u, i] = x

    @compiled
    def prelu_back(model, k, turn, buffers):
        start, s = cuda.blockIdx.x * lanes + cuda.threadIdx.x, cuda.blockIdx.z
        if turn.status[s] != RUNNING:
            return
        row, value, delta, theta = model.table[k], buffers.value[s], buffers.delta[s], model.theta[s]
        m, held = turn.items[turn.clock[0], SIZE], row[KIND] == HELD
        for n in range(start, row[N_IN] * m, cuda.gridDim.x * lanes):
            u, i = n // m, n % m
            x, d = value[row[SOURCE] + u, i], delta[row[TARGET] + u, i]
            kink = theta[row[PARAM] + 1] if held else number(0)
            if x < kink:
                d *= theta[row[PARAM] + (0 if held else weight_of(row, u))]
            elif x == kink or (held and x >= theta[row[PARAM] + 2]):
                d = number(0)
            delta[row[SOURCE] + u, i] = d

    @compiled
    def prelu_gradient(model, k, turn, buffers):
        lane, s = cuda.threadIdx.x, cuda.blockIdx.z
        sums = cuda.shared.array(lanes, number)
        if turn.status[s] != RUNNING or model.table[k, KIND] == HELD:
            return
        row, value, delta, m = model.table[k], buffers.value[s], buffers.delta[s], turn.items[turn.clock[0], SIZE]
        channels, cols = row[CHANNELS], row[COLS]
        rows = row[N_IN] // (cols * channels)
        count = 1 + (rows - 1) * row[STRIDE_ROWS] + (cols - 1) * row[STRIDE_COLS] + (channels - 1) * row[STRIDE_CHANNELS]
        for w in range(cuda.blockIdx.x, count, cuda.gridDim.x):
            # along axes that share weights all units, along the others one
            y0, y1, x0, x1, c0, c1 = 0, rows, 0, cols, 0, channels
            if row[STRIDE_ROWS] > 0:
                y0 = w // row[STRIDE_ROWS]
                y1 = y0 + 1
            if row[STRIDE_COLS] > 0:
                x0 = w // row[STRIDE_COLS] % cols
                x1 = x0 + 1
            if row[STRIDE_CHANNELS] > 0:
                c0 = w // row[STRIDE_CHANNELS] % channels
                c1 = c0 + 1
            total = number(0)
            for y in range(y0, y1):
                for x in range(x0, x1):
                    for c in range(c0, c1):
                        u = (y * cols + x) * channels + c
                        for i in range(lane, m, lanes):
                            z = value[row[SOURCE] + u, i]
                            if z < 0:
                                total += delta[row[TARGET] + u, i] * z
            sums[lane] = total
            summed(sums, lane, lanes)
            if lane == 0:
                model.grad[s, row[PARAM] + w] += sums[0]
            barrier()

    @compiled
    def drop(model, k, turn, buffers, memory, training):
        start, s = cuda.blockIdx.x * lanes + cuda.threadIdx.x, cuda.blockIdx.z
        if turn.status[s] != RUNNING:
            return
        row, value, order = model.table[k], buffers.value[s], turn.order[s]
        item, rate = turn.items[turn.clock[0]], float(model.constants[k])
        m = item[SIZE]
        cut, kept = np.uint64(rate * 4294967296.0), 1.0 / (1.0 - rate) - 1.0
        for e in range(start, (row[N_IN] + 3) // 4 * m, cuda.gridDim.x * lanes):
            group = e // m
            i = e - group * m
            at = item[FIRST] + i
            if order.shape[0] > 0:
                at = order[at]
            u = 4 * group
            words = draw(np.uint64(row[TARGET] + u), np.uint64(at), np.uint64(memory.steps[s]), np.uint64(DROPOUT),
                         memory.keys[s, 0], memory.keys[s, 1])  # fmt: skip
            for j in range(min(4, row[N_IN] - u)):
                c = j
                if row[KIND] == SPATIAL:  # what was drawn for the channel
                    c = (u + j) % row[CHANNELS]
                    words = draw(np.uint64(row[TARGET] + c - c % 4), np.uint64(at), np.uint64(memory.steps[s]),
                                 np.uint64(DROPOUT), memory.keys[s, 0], memory.keys[s, 1])  # fmt: skip
                    c %= 4
                word = words[0] if c == 0 else words[1] if c == 1 else words[2] if c == 2 else words[3]
                more = number(0)
                if training != 0:
                    more = number(-1.0 if word < cut else kept)
                value[row[SCRATCH] + u + j, i] = more
                value[row[TARGET] + u + j, i] = value[row[SOURCE] + u + j, i] * (1 + more)

    @compiled
    def drop_back(model, k, turn, buffers):
        start, s = cuda.blockIdx.x * lanes + cuda.threadIdx.x, cuda.blockIdx.z
        if turn.status[s] != RUNNING:
            return
        row, value, delta = model.table[k], buffers.value[s], buffers.delta[s]
        m = turn.items[turn.clock[0], SIZE]
        for e in range(start, row[N_IN] * m, cuda.gridDim.x * lanes):
            u = e // m
            i = e - u * m
            delta[row[SOURCE] + u, i] = delta[row[TARGET] + u, i] * (1 + value[row[SCRATCH] + u, i])

    @compiled
    def noise(model, k, turn, buffers, memory, training):
        start, s = cuda.blockIdx.x * lanes + cuda.threadIdx.x, cuda.blockIdx.z
        if turn.status[s] != RUNNING:
            return
        row, value, order = model.table[k], buffers.value[s], turn.order[s]
        item, constant = turn.items[turn.clock[0]], float(model.constants[k])
        m, kind, spread, factor, term, cut = item[SIZE], row[KIND], constant, 1.0, 0.0, np.uint64(0)
        if kind == kinds.FACTOR:
            spread = math.sqrt(constant / (1.0 - constant))
        elif kind == kinds.ALPHA:
            factor, term = moments(constant)
            cut = np.uint64(constant * 4294967296.0)
        for n in range(start, (row[N_IN] + 3) // 4 * m, cuda.gridDim.x * lanes):
            u, i = n // m * 4, n % m
            at = item[FIRST] + i
            if order.shape[0] > 0:
                at = order[at]
            words = draw(np.uint64(row[TARGET] + u), np.uint64(at), np.uint64(memory.steps[s]), np.uint64(DROPOUT),
                         memory.keys[s, 0], memory.keys[s, 1])  # fmt: skip
            one, two = normal_pair(words[0], words[1])
            three, four = normal_pair(words[2], words[3])
            for j in range(min(4, row[N_IN] - u)):
                drawn = spread * (one if j == 0 else two if j == 1 else three if j == 2 else four)
                if kind == kinds.ALPHA:
                    word = words[0] if j == 0 else words[1] if j == 1 else words[2] if j == 2 else words[3]
                    drawn = -1.0 if word < cut else factor - 1.0
                if training == 0:
                    drawn = 0.0
                value[row[SCRATCH] + u + j, i] = number(drawn)
                x = value[row[SOURCE] + u + j, i]
                if kind == kinds.ADDED:
                    x += number(drawn)
                elif kind == kinds.FACTOR:
                    x *= number(1.0 + drawn)
                elif drawn == -1.0:
                    x = number(factor * kinds.DROPPED + term)
                elif drawn != 0.0:
                    x = x * number(1.0 + drawn) + number(term)
                value[row[TARGET] + u + j, i] = x

    @compiled
    def noise_back(model, k, turn, buffers):
        start, s = cuda.blockIdx.x * lanes + cuda.threadIdx.x, cuda.blockIdx.z
        if turn.status[s] != RUNNING:
            return
        row, value, delta, m = model.table[k], buffers.value[s], buffers.delta[s], turn.items[turn.clock[0], SIZE]
        for n in range(start, row[N_IN] * m, cuda.gridDim.x * lanes):
            u, i = n // m, n % m
            d = delta[row[TARGET] + u, i]
            if row[KIND] != kinds.ADDED:
                d *= 1 + value[row[SCRATCH] + u, i]
            delta[row[SOURCE] + u, i] = d

    return Kernels(norm, norm_back, norm_gradient, prelu, prelu_back,
                   prelu_gradient, noise, noise_back, drop, drop_back)  # fmt: skip
