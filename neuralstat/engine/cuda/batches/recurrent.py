"""Kernels of recurrent layers, fused over time: a block of threads takes a few observations through all times.

What the inputs contribute at all times has been formed before, as one product (`geometry.recurrent`), and stands where
the gates will. The state lies in shared memory, and so do the recurrent weights where they fit, turned round so that
threads read them side by side. A thread forms all gates of a unit for `Few` observations at once.

Shared memory, dynamic: state of all units, derivatives of gates, and the weights, see `room`.
"""

from __future__ import annotations

from typing import Any, NamedTuple

import numba
from numba import cuda  # a global, in whose place the simulator puts its own

from ....functions.activations import logistic, tanh
from ....layers.cell_activations import slope_at, squashed
from ....layers.codes import FEATURES, GRU, LSTM, OPTIONS, PARAM, SCRATCH, SEQUENCES, TARGET, TIMES, UNITS
from ....layers.gru import GATES as GRU_GATES
from ....layers.lstm import GATES as LSTM_GATES
from ....layers.recurrent_rows import GATE, NO_BIAS, SQUASH, mask_row
from ...cpu import RUNNING
from ..device import target
from .arrays import SIZE

GATES = {"lstm": 4, "gru": 3, "first": 3, "simple": 1}


class Kernels(NamedTuple):
    """Compiled kernels; see `build`."""

    turn: Any
    forward: Any
    backward: Any


def room(kind: str, units: int, few: int, itemsize: int, weights: bool) -> int:
    """Bytes of dynamic shared memory: state, carried derivative, gates' derivatives, and perhaps weights."""
    gates = GATES[kind]
    return itemsize * units * ((2 + gates + 1) * few + (gates * units if weights else 0))


def build(dtype: str, kind: str, few: int, resident: bool, lanes: int, simulate: bool, decorate: Any = None,
          usual: bool = True) -> Kernels:  # fmt: skip
    """Make the kernels of one kind of layer.

    Parameters
    ----------
    kind : {"lstm", "gru", "first", "simple"}
        "first": GRU whose reset gate comes first.
    few : int
        Observations of a block of threads.
    resident : bool
        Whether the recurrent weights lie in shared memory.
    usual : bool
        Whether activations are tanh and logistic.

    Returns
    -------
    Kernels
        turn : (model, k, turn, buffers)
            Recurrent weights of layer k into `turned`: (gate, state, unit) for going forward, then (gate, unit, state).
        forward, backward : (model, k, turn, buffers)
            All times; grid: observations / few, 1, members. `backward` leaves derivatives in the gates.
    """
    tools = target(simulate)
    function, barrier, to_device, get, put = tools.function, tools.barrier, tools.to_device, tools.get, tools.put
    logistic_, tanh_, squashed_, slope_, mask_of = map(to_device, (logistic, tanh, squashed, slope_at, mask_row))
    compiled = cuda.jit if decorate is None else decorate
    number = numba.float64 if dtype == "float64" else numba.float32
    GATES_ = GATES[kind]
    BIASES = 2 if kind == "gru" else 1
    KEPT = {"lstm": LSTM_GATES, "gru": GRU_GATES, "first": GRU_GATES, "simple": 0}[kind]
    SUMS = GATES_ * few
    is_lstm, is_gru, is_first = kind == "lstm", kind == "gru", kind == "first"

    @function
    def sigma(row, z):
        """Activation of gates."""
        if usual:
            a, _ = logistic_(z, 0.0)
            return a
        return squashed_(row[GATE], z)

    @function
    def squash(row, z):
        """Activation of candidates and cells."""
        if usual:
            a, _ = tanh_(z, 0.0)
            return a
        return squashed_(row[SQUASH], z)

    @function
    def sigma_slope(row, a):
        return a * (1 - a) if usual else slope_(row[GATE], a)

    @function
    def squash_slope(row, a):
        return 1 - a * a if usual else slope_(row[SQUASH], a)

    @function
    def hidden(row, t):
        if row[SEQUENCES] != 0:
            return row[TARGET] + t * row[UNITS]
        if t == row[TIMES] - 1:
            return row[TARGET]
        return row[SCRATCH] + (row[TIMES] * KEPT + t) * row[UNITS]

    @compiled
    def turn_weights(model, k, turn, buffers):
        start, s = cuda.blockIdx.x * lanes + cuda.threadIdx.x, cuda.blockIdx.z
        if turn.status[s] != RUNNING:
            return
        row, theta, turned = model.table[k], model.theta[s], buffers.turned[s]
        units, features = row[UNITS], row[FEATURES]
        size = GATES_ * units * units
        for e in range(start, size, cuda.gridDim.x * lanes):
            j = e % units
            u = e // units  # gate and unit
            g = u // units
            biases = 0 if row[OPTIONS] & NO_BIAS != 0 else BIASES
            w = theta[row[PARAM] + u * (biases + features + units) + biases + features + j]
            turned[(g * units + j) * units + u - g * units] = w
            turned[size + e] = w

    @function
    def load(shared, turned, first, size, lane):
        """Weights into shared memory, where they lie there."""
        if resident:
            for e in range(lane, size, lanes):
                put(shared, e, turned[first + e])

    @compiled
    def forward(model, k, turn, buffers):
        lane, s, first = cuda.threadIdx.x, cuda.blockIdx.z, cuda.blockIdx.x * few
        flat = cuda.shared.array(0, number)
        if turn.status[s] != RUNNING:
            return
        row, theta, value = model.table[k], model.theta[s], buffers.value[s]
        m, units, features = turn.items[turn.clock[0], SIZE], row[UNITS], row[FEATURES]
        if first >= m:
            return
        size = units * few
        state, cell, shared = flat[0:size], flat[size : 2 * size], flat[(3 + GATES_) * size :]
        load(shared, buffers.turned[s], 0, GATES_ * units * units, lane)
        weights = shared if resident else buffers.turned[s]
        next_state = flat[2 * size : 3 * size]
        total = cuda.local.array(SUMS, number)
        for e in range(lane, size, lanes):
            state[e] = 0
            cell[e] = 0
        barrier()
        for t in range(row[TIMES]):
            gate, h, mask = row[SCRATCH] + t * KEPT * units, hidden(row, t), mask_of(row, t)
            for u in range(lane, units, lanes):
                for e in range(SUMS):
                    total[e] = 0
                if t > 0:
                    for j in range(units):
                        for g in range(GATES_):
                            w = get(weights, (g * units + j) * units + u)
                            for o in range(few):
                                total[g * few + o] += w * get(state, j * few + o)
                for o in range(few):
                    i = first + o
                    if i < m:
                        if is_lstm:
                            a = sigma(row, value[gate + u, i] + total[o])
                            b = sigma(row, value[gate + units + u, i] + total[few + o])
                            c = squash(row, value[gate + 2 * units + u, i] + total[2 * few + o])
                            d = sigma(row, value[gate + 3 * units + u, i] + total[3 * few + o])
                            z = a * c + b * cell[u * few + o]
                            y = squash(row, z)
                            if mask >= 0 and value[mask, i] == 0:
                                z = cell[u * few + o]
                            value[gate + u, i] = a
                            value[gate + units + u, i] = b
                            value[gate + 2 * units + u, i] = c
                            value[gate + 3 * units + u, i] = d
                            value[gate + 4 * units + u, i] = z
                            value[gate + 5 * units + u, i] = y
                            cell[u * few + o] = z
                            new = d * y
                        elif is_gru:
                            at, step = row[PARAM] + u * (2 + features + units) + 1, units * (2 + features + units)
                            if row[OPTIONS] & NO_BIAS == 0:
                                for g in range(3):
                                    total[g * few + o] += theta[at + g * step]
                            a = sigma(row, value[gate + u, i] + total[o])
                            b = sigma(row, value[gate + units + u, i] + total[few + o])
                            inner = total[2 * few + o]
                            c = squash(row, value[gate + 2 * units + u, i] + b * inner)
                            value[gate + u, i] = a
                            value[gate + units + u, i] = b
                            value[gate + 2 * units + u, i] = c
                            value[gate + 3 * units + u, i] = inner
                            new = (1 - a) * c + a * state[u * few + o]
                        elif is_first:  # the gates; candidates when those of all units are there
                            a = sigma(row, value[gate + u, i] + total[o])
                            b = sigma(row, value[gate + units + u, i] + total[few + o])
                            value[gate + u, i] = a
                            value[gate + units + u, i] = b
                            new = b * state[u * few + o]
                            value[gate + 3 * units + u, i] = new
                            cell[u * few + o] = new
                            continue
                        else:
                            new = squash(row, value[h + u, i] + total[o])
                        if mask >= 0 and value[mask, i] == 0:
                            new = state[u * few + o]
                        value[h + u, i] = new
                        next_state[u * few + o] = new
            barrier()
            if is_first:
                for u in range(lane, units, lanes):
                    for o in range(few):
                        total[o] = 0
                    for j in range(units):
                        w = get(weights, (2 * units + j) * units + u)
                        for o in range(few):
                            total[o] += w * get(cell, j * few + o)
                    for o in range(few):
                        i = first + o
                        if i < m:
                            a, c = value[gate + u, i], squash(row, value[gate + 2 * units + u, i] + total[o])
                            value[gate + 2 * units + u, i] = c
                            new = (1 - a) * c + a * state[u * few + o]
                            if mask >= 0 and value[mask, i] == 0:
                                new = state[u * few + o]
                            value[h + u, i] = new
                            next_state[u * few + o] = new
                barrier()
            for e in range(lane, size, lanes):
                state[e] = next_state[e]
            barrier()

    @compiled
    def backward(model, k, turn, buffers):
        lane, s, first = cuda.threadIdx.x, cuda.blockIdx.z, cuda.blockIdx.x * few
        flat = cuda.shared.array(0, number)
        if turn.status[s] != RUNNING:
            return
        row, value, delta = model.table[k], buffers.value[s], buffers.delta[s]
        m, units = turn.items[turn.clock[0], SIZE], row[UNITS]
        if first >= m:
            return
        size, square = units * few, GATES_ * units * units
        # derivatives in the state (from later times), in the cell, and of the gates
        state, cell, gates = flat[0:size], flat[size : 2 * size], flat[2 * size : (2 + GATES_) * size]
        kept = flat[(2 + GATES_) * size : (3 + GATES_) * size]
        shared = flat[(3 + GATES_) * size :]
        load(shared, buffers.turned[s], square, square, lane)
        weights = shared if resident else buffers.turned[s][square:]
        total = cuda.local.array(few, number)
        for e in range(lane, size, lanes):
            state[e] = 0
            cell[e] = 0
        barrier()
        for t in range(row[TIMES] - 1, -1, -1):
            gate, h, before = row[SCRATCH] + t * KEPT * units, hidden(row, t), hidden(row, t - 1)
            mask = mask_of(row, t)
            given = row[SEQUENCES] != 0 or t == row[TIMES] - 1  # h is put out
            for e in range(lane, size, lanes):
                u = e // few
                o = e - u * few
                i = first + o
                if i >= m:
                    for g in range(GATES_):
                        gates[(g * units + u) * few + o] = 0
                    continue
                dh = state[e]
                if given:
                    dh += delta[h + u, i]
                straight = number(0)  # to the state before, where this time is masked
                if mask >= 0 and value[mask, i] == 0:
                    straight, dh = dh, number(0)
                if is_lstm:
                    a, b = value[gate + u, i], value[gate + units + u, i]
                    c, d = value[gate + 2 * units + u, i], value[gate + 3 * units + u, i]
                    y = value[gate + 5 * units + u, i]
                    dz, left = dh * d * squash_slope(row, y) + cell[e], number(0)
                    if mask >= 0 and value[mask, i] == 0:
                        dz, left = number(0), cell[e]
                    old = number(0)
                    if t > 0:
                        old = value[gate - 2 * units + u, i]  # the cell of the time before
                    da, db = dz * c * sigma_slope(row, a), dz * old * sigma_slope(row, b)
                    dc, dd = dz * a * squash_slope(row, c), dh * y * sigma_slope(row, d)
                    delta[gate + u, i] = da
                    delta[gate + units + u, i] = db
                    delta[gate + 2 * units + u, i] = dc
                    delta[gate + 3 * units + u, i] = dd
                    gates[e] = da
                    gates[size + e] = db
                    gates[2 * size + e] = dc
                    gates[3 * size + e] = dd
                    cell[e] = dz * b + left
                elif is_gru:
                    a, b = value[gate + u, i], value[gate + units + u, i]
                    c, inner = value[gate + 2 * units + u, i], value[gate + 3 * units + u, i]
                    old = number(0)
                    if t > 0:
                        old = value[before + u, i]
                    dc = dh * (1 - a) * squash_slope(row, c)
                    da, db = dh * (old - c) * sigma_slope(row, a), dc * inner * sigma_slope(row, b)
                    delta[gate + u, i] = da
                    delta[gate + units + u, i] = db
                    delta[gate + 2 * units + u, i] = dc
                    delta[gate + 3 * units + u, i] = dc * b
                    gates[e] = da
                    gates[size + e] = db
                    gates[2 * size + e] = dc * b
                    cell[e] = dh * a  # straight to the state before
                elif is_first:
                    a, c = value[gate + u, i], value[gate + 2 * units + u, i]
                    old = number(0)
                    if t > 0:
                        old = value[before + u, i]
                    da, dc = dh * (old - c) * sigma_slope(row, a), dh * (1 - a) * squash_slope(row, c)
                    delta[gate + u, i] = da
                    delta[gate + 2 * units + u, i] = dc
                    gates[e] = da
                    gates[2 * size + e] = dc
                    cell[e] = dh * a
                else:
                    d = dh * squash_slope(row, value[h + u, i])
                    delta[h + u, i] = d
                    gates[e] = d
                kept[e] = straight
            barrier()
            if is_first:  # through the product to r h, and to the reset gate
                for j in range(lane, units, lanes):
                    for o in range(few):
                        total[o] = 0
                    for u in range(units):
                        w = get(weights, (2 * units + u) * units + j)
                        for o in range(few):
                            total[o] += w * get(gates, 2 * size + u * few + o)
                    for o in range(few):
                        i = first + o
                        d = number(0)
                        if i < m:
                            b, old = value[gate + units + j, i], number(0)
                            if t > 0:
                                old = value[before + j, i]
                            d = total[o] * old * sigma_slope(row, b)
                            delta[gate + units + j, i] = d
                            cell[j * few + o] += total[o] * b
                        gates[size + j * few + o] = d
                barrier()
            if t > 0:
                for j in range(lane, units, lanes):
                    for o in range(few):
                        total[o] = 0
                    for u in range((2 if is_first else GATES_) * units):
                        w = get(weights, u * units + j)
                        for o in range(few):
                            total[o] += w * get(gates, u * few + o)
                    for o in range(few):
                        if is_gru or is_first:
                            total[o] += cell[j * few + o]
                        state[j * few + o] = total[o] + kept[j * few + o]
            barrier()

    return Kernels(turn_weights, forward, backward)


KINDS = {LSTM: "lstm", GRU: "gru"}  # SIMPLE_RNN: "simple"
NAMES = {"lstm": "LSTM", "gru": "GRU", "first": "GRU", "simple": "SimpleRNN"}
