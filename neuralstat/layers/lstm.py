"""Long short-term memory layer (Hochreiter & Schmidhuber 1997, Neural Computation 9:1735), as in Keras.

At time t, with gates i, f, c, o in this order::

    i = s(W_i x + U_i h + b_i)    f = s(W_f x + U_f h + b_f)    g = tanh(W_c x + U_c h + b_c)
    C_t = f C_(t-1) + i g         o = s(W_o x + U_o h + b_o)    h_t = o tanh(C_t)

Weights, gate by gate and unit by unit: bias, W (features), U (units). Scratch rows, time by time: i, f, g, o, C,
tanh(C), each of U units. The target holds h of every time, or of the last.
"""

from __future__ import annotations

from typing import Any

import numpy as np

from ..functions.activations import logistic, tanh
from ..jit.compile import jit
from ..jit.simd_cells import lstm_backward_cells, lstm_forward_cells
from ..jit.simd_sums import pack_panel, panel_size, sum_rows
from .codes import FEATURES, PARAM, SCRATCH, SEQUENCES, SOURCE, TIMES, UNITS
from .recurrent import (
    gate_totals,
    gradient_sums,
    hidden_row,
    input_and_state,
    room_for,
    run_of,
    through_weights,
)

GATES = 6  # scratch rows per unit and time
# h of every time but the last is kept after the gates when only the last is the output


@jit
def _hidden_row(row: Any, t: int) -> int:
    """First row that holds h at time t."""
    return hidden_row(row, t, GATES)


@jit
def lstm_forward(row: Any, theta: Any, value: Any, lane: int, m: int, lanes: int) -> None:
    """All times of the layer; see `dense_forward` for the arguments. Scratch rows are written, too."""
    units, features = row[UNITS], row[FEATURES]
    per_unit = 1 + features + units
    for t in range(row[TIMES]):
        x = row[SOURCE] + t * features
        gate = row[SCRATCH] + t * GATES * units
        before = gate - GATES * units
        h_before = _hidden_row(row, t - 1)
        h = _hidden_row(row, t)
        for u in range(4 * units):
            w = row[PARAM] + u * per_unit
            for i in range(lane, m, lanes):
                z = theta[w]
                for j in range(features):
                    z += theta[w + 1 + j] * value[x + j, i]
                if t > 0:
                    for j in range(units):
                        z += theta[w + 1 + features + j] * value[h_before + j, i]
                if u < 2 * units or u >= 3 * units:
                    a, _ = logistic(z, 0.0)
                else:
                    a, _ = tanh(z, 0.0)
                value[gate + u, i] = a
        for u in range(units):
            for i in range(lane, m, lanes):
                cell = value[gate + u, i] * value[gate + 2 * units + u, i]
                if t > 0:
                    cell += value[gate + units + u, i] * value[before + 4 * units + u, i]
                squashed, _ = tanh(cell, 0.0)
                value[gate + 4 * units + u, i] = cell
                value[gate + 5 * units + u, i] = squashed
                value[h + u, i] = value[gate + 3 * units + u, i] * squashed


@jit
def lstm_backward(row: Any, theta: Any, value: Any, delta: Any, lane: int, m: int, lanes: int) -> None:
    """Through time: fills `delta` of the gates (d loss / d z) in the scratch rows, and of the source rows.

    Destroys the target rows of `delta`, which hold d loss / d h.
    """
    units, features = row[UNITS], row[FEATURES]
    per_unit = 1 + features + units
    for s in range(row[SOURCE], row[SOURCE] + row[TIMES] * features):
        for i in range(lane, m, lanes):
            delta[s, i] = 0
    for t in range(row[TIMES] - 1):
        if row[SEQUENCES] == 0:
            h = _hidden_row(row, t)
            for u in range(units):
                for i in range(lane, m, lanes):
                    delta[h + u, i] = 0
    for t in range(row[TIMES] - 1, -1, -1):
        x = row[SOURCE] + t * features
        gate = row[SCRATCH] + t * GATES * units
        before, after = gate - GATES * units, gate + GATES * units
        h_before = _hidden_row(row, t - 1)
        h = _hidden_row(row, t)
        for u in range(units):
            for i in range(lane, m, lanes):
                gi, gf = value[gate + u, i], value[gate + units + u, i]
                gc, go = value[gate + 2 * units + u, i], value[gate + 3 * units + u, i]
                squashed = value[gate + 5 * units + u, i]
                dh = delta[h + u, i]
                dcell = dh * go * (1 - squashed * squashed)
                if t < row[TIMES] - 1:  # what flowed back through the forget gate of the next time
                    dcell += delta[after + 4 * units + u, i]
                old = value[gate + 4 * units + u, i] * 0
                if t > 0:
                    old = value[before + 4 * units + u, i]
                delta[gate + u, i] = dcell * gc * gi * (1 - gi)
                delta[gate + units + u, i] = dcell * old * gf * (1 - gf)
                delta[gate + 2 * units + u, i] = dcell * gi * (1 - gc * gc)
                delta[gate + 3 * units + u, i] = dh * squashed * go * (1 - go)
                delta[gate + 4 * units + u, i] = dcell * gf
        for u in range(4 * units):
            w = row[PARAM] + u * per_unit
            for i in range(lane, m, lanes):
                d = delta[gate + u, i]
                for j in range(features):
                    delta[x + j, i] += theta[w + 1 + j] * d
                if t > 0:
                    for j in range(units):
                        delta[h_before + j, i] += theta[w + 1 + features + j] * d


@jit
def lstm_gradient(row: Any, value: Any, delta: Any, grad: Any, lane: int, m: int, lanes: int) -> None:
    """Add d loss / d weights, after `lstm_backward`; the lanes share the weights."""
    units, features = row[UNITS], row[FEATURES]
    per_unit = 1 + features + units
    for p in range(lane, 4 * units * per_unit, lanes):
        u = p // per_unit
        q = p - u * per_unit - 1
        total = grad[row[PARAM] + p]
        for t in range(row[TIMES]):
            d = row[SCRATCH] + t * GATES * units + u
            if q < 0:
                for i in range(m):
                    total += delta[d, i]
            elif q < features:
                s = row[SOURCE] + t * features + q
                for i in range(m):
                    total += delta[d, i] * value[s, i]
            elif t > 0:
                s = _hidden_row(row, t - 1) + q - features
                for i in range(m):
                    total += delta[d, i] * value[s, i]
        grad[row[PARAM] + p] = total


@jit
def lstm_forward_cpu(row: Any, theta: Any, value: Any, m: int) -> None:
    """`lstm_forward` for one lane."""
    units, length = row[UNITS], row[FEATURES] + row[UNITS]
    panel = np.zeros(panel_size(4 * units, length), theta.dtype)
    pack_panel(panel, length, theta, row[PARAM], row[PARAM] + 1, length + 1, 1, 4 * units, 0, length)
    segments, lines = np.empty((2, 3), np.int64), np.empty(8, np.int64)
    for t in range(row[TIMES]):
        gate = row[SCRATCH] + t * GATES * units
        n = input_and_state(row, t, GATES, segments)
        sum_rows(value, gate, 4 * units, panel, length, 1, value, segments, n, m)
        for k in range(6):
            lines[k] = gate + k * units
        lines[6] = gate - GATES * units + 4 * units if t > 0 else -1
        lines[7] = hidden_row(row, t, GATES)
        lstm_forward_cells(value, value, lines, units, m)


@jit
def lstm_backward_cpu(row: Any, theta: Any, value: Any, delta: Any, m: int) -> None:
    """`lstm_backward` for one lane."""
    units, features = row[UNITS], row[FEATURES]
    per_unit, length = 1 + features + units, 4 * units
    to_input = np.zeros(panel_size(features, length), theta.dtype)
    to_state = np.zeros(panel_size(units, length), theta.dtype)
    pack_panel(to_input, length, theta, -1, row[PARAM] + 1, 1, per_unit, features, 0, length)
    pack_panel(to_state, length, theta, -1, row[PARAM] + 1 + features, 1, per_unit, units, 0, length)
    segments, lines = np.empty((1, 3), np.int64), np.empty(9, np.int64)
    for t in range(row[TIMES] - 1, -1, -1):
        gate = row[SCRATCH] + t * GATES * units
        for k in range(6):
            lines[k] = gate + k * units
        lines[6] = gate - GATES * units + 4 * units if t > 0 else -1
        lines[7] = hidden_row(row, t, GATES)
        lines[8] = gate + GATES * units + 4 * units if t < row[TIMES] - 1 else -1
        lstm_backward_cells(value, delta, lines, units, m)
        run_of(segments, 0, gate, length, 0)
        through_weights(row, t, GATES, to_input, to_state, length, delta, segments, 1, segments, 1, m, False)


@jit
def lstm_gradient_cpu(row: Any, value: Any, delta: Any, grad: Any, m: int) -> None:
    """`lstm_gradient` for one lane."""
    units, features = row[UNITS], row[FEATURES]
    of_input, of_state = room_for(4 * units, features, value), room_for(4 * units, units, value)
    gradient_sums(row, GATES, value, delta, row[SCRATCH], GATES * units, 4 * units, of_input, of_state, m)
    totals = gate_totals(row, delta, GATES * units, 4 * units, m)
    for u in range(4 * units):
        w = row[PARAM] + u * (1 + features + units)
        grad[w] += totals[u]
        for j in range(features):
            grad[w + 1 + j] += of_input[u, j]
        for j in range(units):
            grad[w + 1 + features + j] += of_state[u, j]
