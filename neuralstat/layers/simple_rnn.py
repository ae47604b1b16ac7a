"""Simple recurrent layer (Elman 1990, Cognitive Science 14:179): h_t = tanh(W x_t + U h_(t-1) + b), as in Keras.

Weights, unit by unit: bias, W (features), U (units). The target holds h of every time, or of the last; then the others
lie in the scratch rows.
"""

from __future__ import annotations

from typing import Any

import numpy as np

from ..functions.activations import tanh
from ..jit.compile import jit
from ..jit.simd_cells import rnn_backward_cells, rnn_forward_cells
from ..jit.simd_sums import pack_panel, panel_size, sum_rows
from .codes import FEATURES, PARAM, SEQUENCES, SOURCE, TIMES, UNITS
from .recurrent import gradient_sums, hidden_row, input_and_state, room_for, run_of, through_weights


@jit
def simple_rnn_forward(row: Any, theta: Any, value: Any, lane: int, m: int, lanes: int) -> None:
    """All times of the layer; see `dense_forward` for the arguments."""
    units, features = row[UNITS], row[FEATURES]
    for t in range(row[TIMES]):
        x, h, h_before = row[SOURCE] + t * features, hidden_row(row, t, 0), hidden_row(row, t - 1, 0)
        for u in range(units):
            w = row[PARAM] + u * (1 + features + units)
            for i in range(lane, m, lanes):
                z = theta[w]
                for j in range(features):
                    z += theta[w + 1 + j] * value[x + j, i]
                if t > 0:
                    for j in range(units):
                        z += theta[w + 1 + features + j] * value[h_before + j, i]
                a, _ = tanh(z, 0.0)
                value[h + u, i] = a


@jit
def simple_rnn_backward(row: Any, theta: Any, value: Any, delta: Any, lane: int, m: int, lanes: int) -> None:
    """Through time: turns `delta` of h into d loss / d z in place, and fills that of the source rows."""
    units, features = row[UNITS], row[FEATURES]
    for s in range(row[SOURCE], row[SOURCE] + row[TIMES] * features):
        for i in range(lane, m, lanes):
            delta[s, i] = 0
    if row[SEQUENCES] == 0:
        for t in range(row[TIMES] - 1):
            for u in range(units):
                for i in range(lane, m, lanes):
                    delta[hidden_row(row, t, 0) + u, i] = 0
    for t in range(row[TIMES] - 1, -1, -1):
        x, h, h_before = row[SOURCE] + t * features, hidden_row(row, t, 0), hidden_row(row, t - 1, 0)
        for u in range(units):
            w = row[PARAM] + u * (1 + features + units)
            for i in range(lane, m, lanes):
                d = delta[h + u, i] * (1 - value[h + u, i] * value[h + u, i])
                delta[h + u, i] = d
                for j in range(features):
                    delta[x + j, i] += theta[w + 1 + j] * d
                if t > 0:
                    for j in range(units):
                        delta[h_before + j, i] += theta[w + 1 + features + j] * d


@jit
def simple_rnn_gradient(row: Any, value: Any, delta: Any, grad: Any, lane: int, m: int, lanes: int) -> None:
    """Add d loss / d weights, after `simple_rnn_backward`; the lanes share the weights."""
    units, features = row[UNITS], row[FEATURES]
    per_unit = 1 + features + units
    for p in range(lane, units * per_unit, lanes):
        u = p // per_unit
        q = p - u * per_unit - 1
        total = grad[row[PARAM] + p]
        for t in range(row[TIMES]):
            d = hidden_row(row, t, 0) + u
            if q < 0:
                for i in range(m):
                    total += delta[d, i]
            elif q < features:
                for i in range(m):
                    total += delta[d, i] * value[row[SOURCE] + t * features + q, i]
            elif t > 0:
                for i in range(m):
                    total += delta[d, i] * value[hidden_row(row, t - 1, 0) + q - features, i]
        grad[row[PARAM] + p] = total


@jit
def simple_rnn_forward_cpu(row: Any, theta: Any, value: Any, m: int) -> None:
    """`simple_rnn_forward` for one lane."""
    units, length = row[UNITS], row[FEATURES] + row[UNITS]
    panel = np.zeros(panel_size(units, length), theta.dtype)
    pack_panel(panel, length, theta, row[PARAM], row[PARAM] + 1, length + 1, 1, units, 0, length)
    segments, lines = np.empty((2, 3), np.int64), np.empty(1, np.int64)
    for t in range(row[TIMES]):
        n = input_and_state(row, t, 0, segments)
        lines[0] = hidden_row(row, t, 0)
        sum_rows(value, lines[0], units, panel, length, 1, value, segments, n, m)
        rnn_forward_cells(value, value, lines, units, m)


@jit
def simple_rnn_backward_cpu(row: Any, theta: Any, value: Any, delta: Any, m: int) -> None:
    """`simple_rnn_backward` for one lane."""
    units, features = row[UNITS], row[FEATURES]
    per_unit = 1 + features + units
    to_input = np.zeros(panel_size(features, units), theta.dtype)
    to_state = np.zeros(panel_size(units, units), theta.dtype)
    pack_panel(to_input, units, theta, -1, row[PARAM] + 1, 1, per_unit, features, 0, units)
    pack_panel(to_state, units, theta, -1, row[PARAM] + 1 + features, 1, per_unit, units, 0, units)
    segments, lines = np.empty((1, 3), np.int64), np.empty(1, np.int64)
    for t in range(row[TIMES] - 1, -1, -1):
        lines[0] = hidden_row(row, t, 0)
        rnn_backward_cells(value, delta, lines, units, m)
        run_of(segments, 0, lines[0], units, 0)
        through_weights(row, t, 0, to_input, to_state, units, delta, segments, 1, segments, 1, m, False)


@jit
def simple_rnn_gradient_cpu(row: Any, value: Any, delta: Any, grad: Any, m: int) -> None:
    """`simple_rnn_gradient` for one lane."""
    units, features = row[UNITS], row[FEATURES]
    of_input, of_state = room_for(units, features, value), room_for(units, units, value)
    gradient_sums(row, 0, value, delta, -1, 0, units, of_input, of_state, m)
    for u in range(units):
        w = row[PARAM] + u * (1 + features + units)
        for t in range(row[TIMES]):
            line = delta[hidden_row(row, t, 0) + u]
            total = grad[w]
            for i in range(m):
                total += line[i]
            grad[w] = total
        for j in range(features):
            grad[w + 1 + j] += of_input[u, j]
        for j in range(units):
            grad[w + 1 + features + j] += of_state[u, j]
