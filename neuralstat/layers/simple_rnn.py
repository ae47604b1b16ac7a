"""Simple recurrent layer (Elman 1990, Cognitive Science 14:179): h_t = tanh(W x_t + U h_(t-1) + b), as in Keras.

Weights, unit by unit: bias, W (features), U (units). The target holds h of every time, or of the last; then the others
lie in the scratch rows. `recurrent` says what variants there are.
"""

from __future__ import annotations

from typing import Any

from ..jit.buffers import few_ints, small_table, zeros
from ..jit.compile import jit
from ..jit.scalar import real_
from ..jit.simd_cells import rnn_backward_cells, rnn_forward_cells
from ..jit.simd_sums import pack_panel, panel_size, sum_rows
from .cell_activations import slope_at, slope_rows, squash_rows, squashed
from .codes import FEATURES, OPTIONS, PARAM, SOURCE, TIMES, UNITS
from .recurrent import (
    add_gradient,
    clear_states,
    copied_input_and_state,
    copy_dropped,
    gather_copies,
    gradient_sums,
    input_and_state,
    keep_masked,
    pass_masked,
    room_for,
    run_of,
    through_copies,
    through_weights,
)
from .recurrent_rows import (
    DROPS,
    OTHER,
    SQUASH,
    biases_of,
    hidden_row,
    input_factors,
    input_row,
    mask_row,
    scaled,
    state_factors,
)


@jit
def _forward_cells(row: Any, value: Any, t: int, lane: int, m: int, lanes: int) -> None:
    """h from its sums."""
    units, mask = row[UNITS], mask_row(row, t)
    h, h_before = hidden_row(row, t, 0), hidden_row(row, t - 1, 0)
    for u in range(units):
        for i in range(lane, m, lanes):
            a = squashed(row[SQUASH], value[h + u, i])
            if mask >= 0 and real_(value[mask, i]) == 0:
                a = value[h_before + u, i] if t > 0 else a * 0
            value[h + u, i] = a


@jit
def _backward_cells(row: Any, value: Any, delta: Any, t: int, lane: int, m: int, lanes: int) -> None:
    """Derivatives in the sums from those in h, in place."""
    units, mask = row[UNITS], mask_row(row, t)
    h, h_before = hidden_row(row, t, 0), hidden_row(row, t - 1, 0)
    for u in range(units):
        for i in range(lane, m, lanes):
            if mask >= 0 and real_(value[mask, i]) == 0:
                if t > 0:
                    delta[h_before + u, i] += delta[h + u, i]
                delta[h + u, i] = 0
            else:
                delta[h + u, i] *= slope_at(row[SQUASH], value[h + u, i])


@jit
def simple_rnn_forward(row: Any, theta: Any, value: Any, lane: int, m: int, lanes: int) -> None:
    """All times of the layer; see `dense_forward` for the arguments."""
    units, features = row[UNITS], row[FEATURES]
    bias, fx, fh = biases_of(row, 1), input_factors(row, 0, 0), state_factors(row, 0, 1, 0)
    for t in range(row[TIMES]):
        x, h, h_before = input_row(row, t), hidden_row(row, t, 0), hidden_row(row, t - 1, 0)
        for u in range(units):
            w = row[PARAM] + u * (bias + features + units)
            for i in range(lane, m, lanes):
                value[h + u, i] = 0
                z = value[h + u, i]
                if bias > 0:
                    z = theta[w]
                for j in range(features):
                    z += theta[w + bias + j] * scaled(value[x + j, i], value, fx, j, i)
                if t > 0:
                    for j in range(units):
                        z += theta[w + bias + features + j] * scaled(value[h_before + j, i], value, fh, j, i)
                value[h + u, i] = z
        _forward_cells(row, value, t, lane, m, lanes)


@jit
def simple_rnn_backward(row: Any, theta: Any, value: Any, delta: Any, lane: int, m: int, lanes: int) -> None:
    """Through time: turns `delta` of h into d loss / d z in place, and fills that of the source rows."""
    units, features = row[UNITS], row[FEATURES]
    bias, fx, fh = biases_of(row, 1), input_factors(row, 0, 0), state_factors(row, 0, 1, 0)
    for s in range(row[SOURCE], row[SOURCE] + row[TIMES] * features):
        for i in range(lane, m, lanes):
            delta[s, i] = 0
    clear_states(row, 0, delta, lane, m, lanes)
    for t in range(row[TIMES] - 1, -1, -1):
        x, h, h_before = input_row(row, t), hidden_row(row, t, 0), hidden_row(row, t - 1, 0)
        _backward_cells(row, value, delta, t, lane, m, lanes)
        for u in range(units):
            w = row[PARAM] + u * (bias + features + units)
            for i in range(lane, m, lanes):
                d = delta[h + u, i]
                for j in range(features):
                    delta[x + j, i] += theta[w + bias + j] * scaled(d, value, fx, j, i)
                if t > 0:
                    for j in range(units):
                        delta[h_before + j, i] += theta[w + bias + features + j] * scaled(d, value, fh, j, i)


@jit
def simple_rnn_gradient(row: Any, value: Any, delta: Any, grad: Any, lane: int, m: int, lanes: int) -> None:
    """Add d loss / d weights, after `simple_rnn_backward`; the lanes share the weights."""
    units, features = row[UNITS], row[FEATURES]
    bias, fx, fh = biases_of(row, 1), input_factors(row, 0, 0), state_factors(row, 0, 1, 0)
    per_unit = bias + features + units
    for p in range(lane, units * per_unit, lanes):
        u = p // per_unit
        q = p - u * per_unit - bias
        total = grad[row[PARAM] + p]
        for t in range(row[TIMES]):
            d = hidden_row(row, t, 0) + u
            if q < 0:
                for i in range(m):
                    total += delta[d, i]
            elif q < features:
                for i in range(m):
                    total += delta[d, i] * scaled(value[input_row(row, t) + q, i], value, fx, q, i)
            elif t > 0:
                s = hidden_row(row, t - 1, 0) + q - features
                for i in range(m):
                    total += delta[d, i] * scaled(value[s, i], value, fh, q - features, i)
        grad[row[PARAM] + p] = total


@jit
def simple_rnn_forward_cpu(row: Any, theta: Any, value: Any, m: int) -> None:
    """`simple_rnn_forward` for one lane."""
    units, length, bias = row[UNITS], row[FEATURES] + row[UNITS], biases_of(row, 1)
    panel = zeros(panel_size(units, length), theta)
    pack_panel(panel, length, theta, row[PARAM] if bias > 0 else -1, row[PARAM] + bias, length + bias, 1, units, 0, length)
    segments, lines = small_table(2, 3), few_ints(1)
    for t in range(row[TIMES]):
        n, mask = input_and_state(row, t, 0, segments), mask_row(row, t)
        lines[0] = hidden_row(row, t, 0)
        if row[OPTIONS] & DROPS != 0:
            copy_dropped(row, 0, 1, t, value, m)
            n = copied_input_and_state(row, 0, 1, 0, t, segments)
        sum_rows(value, lines[0], units, panel, length, 1, value, segments, n, m)
        if row[OPTIONS] & OTHER != 0:
            squash_rows(row[SQUASH], value, lines[0], units, m)
        else:
            rnn_forward_cells(value, value, lines, units, m)
        if mask >= 0:
            keep_masked(value, mask, lines[0], hidden_row(row, t - 1, 0) if t > 0 else -1, units, m)


@jit
def simple_rnn_backward_cpu(row: Any, theta: Any, value: Any, delta: Any, inputs: bool, m: int) -> None:
    """`simple_rnn_backward` for one lane; d loss / d inputs only where `inputs`."""
    units, features, bias = row[UNITS], row[FEATURES], biases_of(row, 1)
    per_unit = bias + features + units
    to_input = zeros(panel_size(features, units), theta)
    to_state = zeros(panel_size(units, units), theta)
    pack_panel(to_input, units, theta, -1, row[PARAM] + bias, 1, per_unit, features, 0, units)
    pack_panel(to_state, units, theta, -1, row[PARAM] + bias + features, 1, per_unit, units, 0, units)
    segments, lines = small_table(1, 3), few_ints(1)
    masked, dropped = mask_row(row, 0) >= 0, row[OPTIONS] & DROPS != 0
    added = masked or dropped  # to the derivatives in the state before
    if added:
        clear_states(row, 0, delta, 0, m, 1)
    for t in range(row[TIMES] - 1, -1, -1):
        lines[0] = hidden_row(row, t, 0)
        if masked:
            before = hidden_row(row, t - 1, 0) if t > 0 else -1
            pass_masked(value, delta, mask_row(row, t), lines[0], before, units, m)
        if row[OPTIONS] & OTHER != 0:
            slope_rows(row[SQUASH], value, delta, lines[0], lines[0], units, m)
        else:
            rnn_backward_cells(value, delta, lines, units, m)
        run_of(segments, 0, lines[0], units, 0)
        if dropped:
            through_copies(row, 0, 1, 0, t, to_input, to_state, units, delta, segments, segments, 1, m)
            gather_copies(row, 0, 1, t, value, delta, m)
        else:
            through_weights(row, t, 0, to_input, to_state, units, delta, segments, 1, segments, 1, m, added, inputs)


@jit
def simple_rnn_gradient_cpu(row: Any, value: Any, delta: Any, grad: Any, m: int) -> None:
    """`simple_rnn_gradient` for one lane."""
    units, features, bias = row[UNITS], row[FEATURES], biases_of(row, 1)
    sums = room_for(1, row, units, value)
    gradient_sums(row, 0, value, delta, -1, 0, units, sums, m, 1 if row[OPTIONS] & DROPS != 0 else 0, 0)
    for u in range(units):
        add_gradient(grad, row[PARAM] + u * (bias + features + units), bias, features, sums, u, sums, u)
