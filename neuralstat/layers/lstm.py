"""Long short-term memory layer (Hochreiter & Schmidhuber 1997, Neural Computation 9:1735), as in Keras.

At time t, with gates i, f, c, o in this order::

    i = s(W_i x + U_i h + b_i)    f = s(W_f x + U_f h + b_f)    g = tanh(W_c x + U_c h + b_c)
    C_t = f C_(t-1) + i g         o = s(W_o x + U_o h + b_o)    h_t = o tanh(C_t)

Weights, gate by gate and unit by unit: bias, W (features), U (units). Scratch rows, time by time: i, f, g, o, C,
tanh(C), each of U units. The target holds h of every time, or of the last. `recurrent` says what variants there are.
"""

from __future__ import annotations

from typing import Any

from ..jit.compile import jit
from ..jit.scalar import real_
from .cell_activations import slope_at, squashed
from .codes import FEATURES, PARAM, SCRATCH, SOURCE, TIMES, UNITS
from .recurrent import clear_states
from .recurrent_rows import (
    GATE,
    SQUASH,
    biases_of,
    hidden_row,
    input_factors,
    input_row,
    mask_row,
    scaled,
    state_factors,
)

GATES = 6  # scratch rows per unit and time
# h of every time but the last is kept after the gates when only the last is the output


@jit
def _hidden_row(row: Any, t: int) -> int:
    """First row that holds h at time t."""
    return hidden_row(row, t, GATES)


@jit
def _forward_cells(row: Any, value: Any, t: int, lane: int, m: int, lanes: int) -> None:
    """Gates, cell and h from the gates' sums."""
    units, mask = row[UNITS], mask_row(row, t)
    gate = row[SCRATCH] + t * GATES * units
    h, h_before, before = _hidden_row(row, t), _hidden_row(row, t - 1), gate - GATES * units
    for u in range(units):
        for i in range(lane, m, lanes):
            a = squashed(row[GATE], value[gate + u, i])
            f = squashed(row[GATE], value[gate + units + u, i])
            c = squashed(row[SQUASH], value[gate + 2 * units + u, i])
            o = squashed(row[GATE], value[gate + 3 * units + u, i])
            cell, old, state = a * c, a * 0, a * 0
            if t > 0:
                old, state = value[before + 4 * units + u, i], value[h_before + u, i]
                cell += f * old
            if mask >= 0 and real_(value[mask, i]) == 0:
                value[gate + 4 * units + u, i] = old
                value[h + u, i] = state
            else:
                y = squashed(row[SQUASH], cell)
                value[gate + 4 * units + u, i] = cell
                value[gate + 5 * units + u, i] = y
                value[h + u, i] = o * y
            value[gate + u, i] = a
            value[gate + units + u, i] = f
            value[gate + 2 * units + u, i] = c
            value[gate + 3 * units + u, i] = o


@jit
def _backward_cells(row: Any, value: Any, delta: Any, t: int, lane: int, m: int, lanes: int) -> None:
    """Derivatives in the gates' sums, and in the cell before, from those in h."""
    units, mask = row[UNITS], mask_row(row, t)
    gate = row[SCRATCH] + t * GATES * units
    h, h_before = _hidden_row(row, t), _hidden_row(row, t - 1)
    before, after = gate - GATES * units, gate + GATES * units
    for u in range(units):
        for i in range(lane, m, lanes):
            dh = delta[h + u, i]
            carried = dh * 0
            if t < row[TIMES] - 1:  # what flowed back through the forget gate of the next time
                carried = delta[after + 4 * units + u, i]
            if mask >= 0 and real_(value[mask, i]) == 0:
                for k in range(4):
                    delta[gate + k * units + u, i] = 0
                delta[gate + 4 * units + u, i] = carried
                if t > 0:
                    delta[h_before + u, i] += dh
            else:
                a, f = value[gate + u, i], value[gate + units + u, i]
                c, o = value[gate + 2 * units + u, i], value[gate + 3 * units + u, i]
                y = value[gate + 5 * units + u, i]
                cell = dh * o * slope_at(row[SQUASH], y) + carried
                old = cell * 0
                if t > 0:
                    old = value[before + 4 * units + u, i]
                delta[gate + u, i] = cell * c * slope_at(row[GATE], a)
                delta[gate + units + u, i] = cell * old * slope_at(row[GATE], f)
                delta[gate + 2 * units + u, i] = cell * a * slope_at(row[SQUASH], c)
                delta[gate + 3 * units + u, i] = dh * y * slope_at(row[GATE], o)
                delta[gate + 4 * units + u, i] = cell * f


@jit
def lstm_forward(row: Any, theta: Any, value: Any, lane: int, m: int, lanes: int) -> None:
    """All times of the layer; see `dense_forward` for the arguments. Scratch rows are written, too."""
    units, features = row[UNITS], row[FEATURES]
    bias = biases_of(row, 1)
    per_unit = bias + features + units
    for t in range(row[TIMES]):
        x, h_before = input_row(row, t), _hidden_row(row, t - 1)
        gate = row[SCRATCH] + t * GATES * units
        for u in range(4 * units):
            w = row[PARAM] + u * per_unit
            fx, fh = input_factors(row, GATES, u // units), state_factors(row, GATES, 4, u // units)
            for i in range(lane, m, lanes):
                value[gate + u, i] = 0
                z = value[gate + u, i]
                if bias > 0:
                    z = theta[w]
                for j in range(features):
                    z += theta[w + bias + j] * scaled(value[x + j, i], value, fx, j, i)
                if t > 0:
                    for j in range(units):
                        z += theta[w + bias + features + j] * scaled(value[h_before + j, i], value, fh, j, i)
                value[gate + u, i] = z
        _forward_cells(row, value, t, lane, m, lanes)


@jit
def lstm_backward(row: Any, theta: Any, value: Any, delta: Any, lane: int, m: int, lanes: int) -> None:
    """Through time: fills `delta` of the gates (d loss / d z) in the scratch rows, and of the source rows.

    Destroys the target rows of `delta`, which hold d loss / d h.
    """
    units, features = row[UNITS], row[FEATURES]
    bias = biases_of(row, 1)
    per_unit = bias + features + units
    for s in range(row[SOURCE], row[SOURCE] + row[TIMES] * features):
        for i in range(lane, m, lanes):
            delta[s, i] = 0
    clear_states(row, GATES, delta, lane, m, lanes)
    for t in range(row[TIMES] - 1, -1, -1):
        x, h_before = input_row(row, t), _hidden_row(row, t - 1)
        gate = row[SCRATCH] + t * GATES * units
        _backward_cells(row, value, delta, t, lane, m, lanes)
        for u in range(4 * units):
            w = row[PARAM] + u * per_unit
            fx, fh = input_factors(row, GATES, u // units), state_factors(row, GATES, 4, u // units)
            for i in range(lane, m, lanes):
                d = delta[gate + u, i]
                for j in range(features):
                    delta[x + j, i] += theta[w + bias + j] * scaled(d, value, fx, j, i)
                if t > 0:
                    for j in range(units):
                        delta[h_before + j, i] += theta[w + bias + features + j] * scaled(d, value, fh, j, i)


@jit
def lstm_gradient(row: Any, value: Any, delta: Any, grad: Any, lane: int, m: int, lanes: int) -> None:
    """Add d loss / d weights, after `lstm_backward`; the lanes share the weights."""
    units, features = row[UNITS], row[FEATURES]
    bias = biases_of(row, 1)
    per_unit = bias + features + units
    for p in range(lane, 4 * units * per_unit, lanes):
        u = p // per_unit
        q = p - u * per_unit - bias
        fx, fh = input_factors(row, GATES, u // units), state_factors(row, GATES, 4, u // units)
        total = grad[row[PARAM] + p]
        for t in range(row[TIMES]):
            d = row[SCRATCH] + t * GATES * units + u
            if q < 0:
                for i in range(m):
                    total += delta[d, i]
            elif q < features:
                s = input_row(row, t) + q
                for i in range(m):
                    total += delta[d, i] * scaled(value[s, i], value, fx, q, i)
            elif t > 0:
                s = _hidden_row(row, t - 1) + q - features
                for i in range(m):
                    total += delta[d, i] * scaled(value[s, i], value, fh, q - features, i)
        grad[row[PARAM] + p] = total
