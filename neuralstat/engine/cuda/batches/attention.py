"""Kernels of attention and of vectors by position; see `layers.attention`.

Going forward a thread takes a head, a query and an observation; going back first the same, for the derivatives in the scores
and in the query, then a head, a key and an observation. Neighbouring threads take neighbouring observations.
"""

from __future__ import annotations

import math
from typing import Any, NamedTuple

import numba
import numpy as np
from numba import cuda  # a global, in whose place the simulator puts its own

from ....jit.random import DROPOUT, philox
from ....layers.attention import HEADS, KEYS, attend, scores, scores_back
from ....layers.codes import FEATURES, N_IN, OPTIONS, PARAM, SCRATCH, SOURCE, TARGET, TIMES, UNITS
from ....layers.recurrent_rows import DROPS
from ...cpu import RUNNING
from ..device import sum_tree, target
from .arrays import FIRST, SIZE


class Kernels(NamedTuple):
    """Compiled kernels, of layer k each: (model, k, turn, buffers), and for `attention` (..., memory, training)."""

    attention: Any
    attention_gradient: Any  # of scores and queries: before `attention_back`, of keys and values
    attention_back: Any
    position: Any
    position_back: Any
    position_gradient: Any


def build(dtype: str, lanes: int, simulate: bool, decorate: Any = None) -> Kernels:
    """Make the kernels."""
    tools = target(simulate)
    function, barrier, summed = tools.function, tools.barrier, sum_tree(tools)
    softmax, softmax_back, count_of = map(tools.to_device, (attend, scores_back, scores))
    draw = tools.to_device(philox)
    compiled = cuda.jit if decorate is None else decorate
    number = numba.float64 if dtype == "float64" else numba.float32

    @function
    def scores_of(row, h, t):
        """First row of the scores, or probabilities, of head h at time t."""
        return row[SCRATCH] + (h * row[TIMES] + t) * row[KEYS]

    @function
    def query(row, h, t):
        """First row of a query."""
        return row[SOURCE] + (t * row[HEADS] + h) * row[FEATURES]

    @function
    def key(row, h, s):
        """First row of a key."""
        return row[SOURCE] + ((row[TIMES] + s) * row[HEADS] + h) * row[FEATURES]

    @function
    def of_value(row, h, s):
        """First row of a value."""
        begin = row[SOURCE] + (row[TIMES] + row[KEYS]) * row[HEADS] * row[FEATURES]
        return begin + (s * row[HEADS] + h) * row[UNITS]

    @function
    def share(row, value, at, i):
        """Factor of dropout of the probability in row `at`."""
        if row[OPTIONS] & DROPS == 0:
            return number(1)
        return 1 + value[at + count_of(row), i]

    @compiled
    def attention(model, k, turn, buffers, memory, training):
        start, b = cuda.blockIdx.x * lanes + cuda.threadIdx.x, cuda.blockIdx.z
        if turn.status[b] != RUNNING:
            return
        row, value, order, item = model.table[k], buffers.value[b], turn.order[b], turn.items[turn.clock[0]]
        m, drops, rate, count = item[SIZE], row[OPTIONS] & DROPS != 0, float(model.constants[k]), count_of(row)
        cut, kept = np.uint64(rate * 4294967296.0), 1.0 / (1.0 - rate) - 1.0
        scale = number(1 / math.sqrt(float(row[FEATURES])))
        for n in range(start, row[HEADS] * row[TIMES] * m, cuda.gridDim.x * lanes):
            i, h, t = n % m, n // m % row[HEADS], n // m // row[HEADS]
            at, q, to = scores_of(row, h, t), query(row, h, t), row[TARGET] + (t * row[HEADS] + h) * row[UNITS]
            for s in range(row[KEYS]):
                total, a = number(0), key(row, h, s)
                for j in range(row[FEATURES]):
                    total += value[q + j, i] * value[a + j, i]
                value[at + s, i] = total * scale
            softmax(row, value, at, t, i)
            if drops:
                seen = item[FIRST] + i
                if order.shape[0] > 0:
                    seen = order[seen]
                for s in range(row[KEYS]):
                    p = at + s - row[SCRATCH]
                    first = row[SCRATCH] + count + p - p % 4
                    words = draw(np.uint64(first), np.uint64(seen), np.uint64(memory.steps[b]), np.uint64(DROPOUT),
                                 memory.keys[b, 0], memory.keys[b, 1])  # fmt: skip
                    c = p % 4
                    word = words[0] if c == 0 else words[1] if c == 1 else words[2] if c == 2 else words[3]
                    more = number(0)
                    if training != 0:
                        more = number(-1.0 if word < cut else kept)
                    value[at + count + s, i] = more
            for j in range(row[UNITS]):
                total = number(0)
                for s in range(row[KEYS]):
                    total += value[at + s, i] * share(row, value, at + s, i) * value[of_value(row, h, s) + j, i]
                value[to + j, i] = total

    @compiled
    def attention_gradient(model, k, turn, buffers):
        start, b = cuda.blockIdx.x * lanes + cuda.threadIdx.x, cuda.blockIdx.z
        if turn.status[b] != RUNNING:
            return
        row, value, delta, m = model.table[k], buffers.value[b], buffers.delta[b], turn.items[turn.clock[0], SIZE]
        for n in range(start, row[HEADS] * row[TIMES] * m, cuda.gridDim.x * lanes):
            i, h, t = n % m, n // m % row[HEADS], n // m // row[HEADS]
            at, q, to = scores_of(row, h, t), query(row, h, t), row[TARGET] + (t * row[HEADS] + h) * row[UNITS]
            for s in range(row[KEYS]):
                total, v = number(0), of_value(row, h, s)
                for j in range(row[UNITS]):
                    total += delta[to + j, i] * value[v + j, i]
                delta[at + s, i] = total * share(row, value, at + s, i)
            softmax_back(row, value, delta, at, t, i)
            for j in range(row[FEATURES]):
                total = number(0)
                for s in range(row[KEYS]):
                    total += delta[at + s, i] * value[key(row, h, s) + j, i]
                delta[q + j, i] = total

    @compiled
    def attention_back(model, k, turn, buffers):
        start, b = cuda.blockIdx.x * lanes + cuda.threadIdx.x, cuda.blockIdx.z
        if turn.status[b] != RUNNING:
            return
        row, value, delta, m = model.table[k], buffers.value[b], buffers.delta[b], turn.items[turn.clock[0], SIZE]
        for n in range(start, row[HEADS] * row[KEYS] * m, cuda.gridDim.x * lanes):
            i, h, s = n % m, n // m % row[HEADS], n // m // row[HEADS]
            a, v = key(row, h, s), of_value(row, h, s)
            for j in range(row[FEATURES]):
                total = number(0)
                for t in range(row[TIMES]):
                    total += delta[scores_of(row, h, t) + s, i] * value[query(row, h, t) + j, i]
                delta[a + j, i] = total
            for j in range(row[UNITS]):
                total = number(0)
                for t in range(row[TIMES]):
                    at, to = scores_of(row, h, t) + s, row[TARGET] + (t * row[HEADS] + h) * row[UNITS]
                    total += value[at, i] * share(row, value, at, i) * delta[to + j, i]
                delta[v + j, i] = total

    @compiled
    def position(model, k, turn, buffers):
        start, b = cuda.blockIdx.x * lanes + cuda.threadIdx.x, cuda.blockIdx.z
        if turn.status[b] != RUNNING:
            return
        row, value, theta, m = model.table[k], buffers.value[b], model.theta[b], turn.items[turn.clock[0], SIZE]
        for n in range(start, row[N_IN] * m, cuda.gridDim.x * lanes):
            u, i = n // m, n % m
            value[row[TARGET] + u, i] = value[row[SOURCE] + u, i] + theta[row[PARAM] + u]

    @compiled
    def position_back(model, k, turn, buffers):
        start, b = cuda.blockIdx.x * lanes + cuda.threadIdx.x, cuda.blockIdx.z
        if turn.status[b] != RUNNING:
            return
        row, delta, m = model.table[k], buffers.delta[b], turn.items[turn.clock[0], SIZE]
        for n in range(start, row[N_IN] * m, cuda.gridDim.x * lanes):
            u, i = n // m, n % m
            delta[row[SOURCE] + u, i] = delta[row[TARGET] + u, i]

    @compiled
    def position_gradient(model, k, turn, buffers):
        lane, b = cuda.threadIdx.x, cuda.blockIdx.z
        sums = cuda.shared.array(lanes, number)
        if turn.status[b] != RUNNING:
            return
        row, delta, m = model.table[k], buffers.delta[b], turn.items[turn.clock[0], SIZE]
        for u in range(cuda.blockIdx.x, row[N_IN], cuda.gridDim.x):
            total = number(0)
            for i in range(lane, m, lanes):
                total += delta[row[TARGET] + u, i]
            sums[lane] = total
            summed(sums, lane, lanes)
            if lane == 0:
                model.grad[b, row[PARAM] + u] += sums[0]
            barrier()

    return Kernels(attention, attention_gradient, attention_back, position, position_back, position_gradient)
