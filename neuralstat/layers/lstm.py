"""Long short-term memory layer (Hochreiter & Schmidhuber 1997, Neural Computation 9:1735), as in Keras.

At time t, with gates i, f, c, o in this order::

    i = s(W_i x + U_i h + b_i)    f = s(W_f x + U_f h + b_f)    g = tanh(W_c x + U_c h + b_c)
    C_t = f C_(t-1) + i g         o = s(W_o x + U_o h + b_o)    h_t = o tanh(C_t)

Weights, gate by gate and unit by unit: bias, W (features), U (units). Scratch rows, time by time: i, f, g, o, C,
tanh(C), each of U units. The target holds h of every time, or of the last. `recurrent` says what variants there are.
"""

from __future__ import annotations

from typing import Any

from ..jit.buffers import aligned, few_ints, small_table
from ..jit.compile import jit
from ..jit.late import late
from ..jit.scalar import real_
from ..jit.simd_cells import lstm_backward_cells, lstm_forward_cells
from ..jit.simd_sums import pack_panel, panel_size, sum_rows
from ..jit.vectors import copy_to
from .cell_activations import slope_at, slope_rows, squash_rows, squashed
from .codes import FEATURES, OPTIONS, PARAM, SCRATCH, SOURCE, TIMES, UNITS
from .recurrent import (
    clear_states,
    copied_input_and_state,
    copy_dropped,
    gate_totals,
    gather_copies,
    gradient_sums,
    input_and_state,
    keep_masked,
    room_for,
    run_of,
    through_copies,
    through_weights,
)
from .recurrent_rows import (
    DROPS,
    GATE,
    OTHER,
    SQUASH,
    biases_of,
    groups_of,
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


@late
def _forward_rows(row: Any, value: Any, t: int, m: int) -> None:
    """`_forward_cells` for one lane without a mask, row by row."""
    units = row[UNITS]
    gate = row[SCRATCH] + t * GATES * units
    squash_rows(row[GATE], value, gate, 2 * units, m)
    squash_rows(row[SQUASH], value, gate + 2 * units, units, m)
    squash_rows(row[GATE], value, gate + 3 * units, units, m)
    for u in range(gate, gate + units):
        a, f, c, cell, y = value[u], value[u + units], value[u + 2 * units], value[u + 4 * units], value[u + 5 * units]
        for i in range(m):
            cell[i] = a[i] * c[i]
        if t > 0:
            old = value[u + (4 - GATES) * units]
            for i in range(m):
                cell[i] += f[i] * old[i]
        copy_to(cell[:m], y)
    squash_rows(row[SQUASH], value, gate + 5 * units, units, m)
    h = _hidden_row(row, t)
    for u in range(units):
        to, o, y = value[h + u], value[gate + 3 * units + u], value[gate + 5 * units + u]
        for i in range(m):
            to[i] = o[i] * y[i]


@late
def _backward_rows(row: Any, value: Any, delta: Any, t: int, m: int) -> None:
    """`_backward_cells` for one lane without a mask, row by row."""
    units = row[UNITS]
    gate, h = row[SCRATCH] + t * GATES * units, _hidden_row(row, t)
    for u in range(units):
        to, dh, o = delta[gate + 4 * units + u], delta[h + u], value[gate + 3 * units + u]
        for i in range(m):
            to[i] = dh[i] * o[i]
    slope_rows(row[SQUASH], value, delta, gate + 4 * units, gate + 5 * units, units, m)
    for u in range(units):
        cell, dh = delta[gate + 4 * units + u], delta[h + u]
        da, df, dc, do = (delta[gate + u], delta[gate + units + u], delta[gate + 2 * units + u],
                          delta[gate + 3 * units + u])  # fmt: skip
        a, f, c, y = (value[gate + u], value[gate + units + u], value[gate + 2 * units + u], value[gate + 5 * units + u])
        if t < row[TIMES] - 1:
            carried = delta[gate + (GATES + 4) * units + u]
            for i in range(m):
                cell[i] += carried[i]
        for i in range(m):
            da[i] = cell[i] * c[i]
        for i in range(m):
            dc[i] = cell[i] * a[i]
        for i in range(m):
            do[i] = dh[i] * y[i]
        if t > 0:
            old = value[gate + (4 - GATES) * units + u]
            for i in range(m):
                df[i] = cell[i] * old[i]
        else:
            for i in range(m):
                df[i] = 0
        for i in range(m):
            cell[i] *= f[i]
    slope_rows(row[GATE], value, delta, gate, gate, 2 * units, m)
    slope_rows(row[SQUASH], value, delta, gate + 2 * units, gate + 2 * units, units, m)
    slope_rows(row[GATE], value, delta, gate + 3 * units, gate + 3 * units, units, m)


@jit
def lstm_forward_cpu(row: Any, theta: Any, value: Any, m: int) -> None:
    """`lstm_forward` for one lane."""
    units, length, bias = row[UNITS], row[FEATURES] + row[UNITS], biases_of(row, 1)
    dropped, groups = row[OPTIONS] & DROPS != 0, groups_of(row, 4)
    n_rows = 4 * units // groups
    panels = aligned(groups, panel_size(n_rows, length), theta)
    for g in range(groups):
        w = row[PARAM] + g * n_rows * (length + bias)
        pack_panel(panels[g], length, theta, w if bias > 0 else -1, w + bias, length + bias, 1, n_rows, 0, length)
    segments, lines = small_table(2, 3), few_ints(8)
    for t in range(row[TIMES]):
        gate, mask = row[SCRATCH] + t * GATES * units, mask_row(row, t)
        if dropped:
            copy_dropped(row, GATES, 4, t, value, m)
        for g in range(groups):
            if dropped:
                n = copied_input_and_state(row, GATES, 4, g, t, segments)
            else:
                n = input_and_state(row, t, GATES, segments)
            sum_rows(value, gate + g * n_rows, n_rows, panels[g], length, 1, value, segments, n, m)
        for k in range(6):
            lines[k] = gate + k * units
        lines[6] = gate - GATES * units + 4 * units if t > 0 else -1
        lines[7] = hidden_row(row, t, GATES)
        if row[OPTIONS] & OTHER != 0:
            _forward_rows(row, value, t, m)
        else:
            lstm_forward_cells(value, value, lines, units, m)
        if mask >= 0:
            keep_masked(value, mask, gate + 4 * units, lines[6], units, m)
            keep_masked(value, mask, lines[7], _hidden_row(row, t - 1) if t > 0 else -1, units, m)


@late
def _pass_masked(row: Any, value: Any, delta: Any, t: int, m: int) -> None:
    """At observations whose mask is 0: no derivatives in gates; those in cell and h go to the time before."""
    units, flags = row[UNITS], value[mask_row(row, t)]
    gate = row[SCRATCH] + t * GATES * units
    h, h_before = _hidden_row(row, t), _hidden_row(row, t - 1)
    for u in range(4 * units):
        line = delta[gate + u]
        for i in range(m):
            line[i] = line[i] if flags[i] != 0 else flags[i]
    for u in range(units):
        line = delta[gate + 4 * units + u]
        if t < row[TIMES] - 1:
            of = delta[gate + GATES * units + 4 * units + u]
            for i in range(m):
                line[i] = line[i] if flags[i] != 0 else of[i]
        else:
            for i in range(m):
                line[i] = line[i] if flags[i] != 0 else flags[i]
        if t > 0:
            to, of = delta[h_before + u], delta[h + u]
            for i in range(m):
                to[i] += of[i] if flags[i] == 0 else flags[i] * 0


@jit
def lstm_backward_cpu(row: Any, theta: Any, value: Any, delta: Any, m: int) -> None:
    """`lstm_backward` for one lane."""
    units, features, bias = row[UNITS], row[FEATURES], biases_of(row, 1)
    dropped, groups = row[OPTIONS] & DROPS != 0, groups_of(row, 4)
    per_unit, length = bias + features + units, 4 * units // groups
    to_input = aligned(groups, panel_size(features, length), theta)
    to_state = aligned(groups, panel_size(units, length), theta)
    for g in range(groups):
        w = row[PARAM] + g * length * per_unit + bias
        pack_panel(to_input[g], length, theta, -1, w, 1, per_unit, features, 0, length)
        pack_panel(to_state[g], length, theta, -1, w + features, 1, per_unit, units, 0, length)
    segments, lines = small_table(1, 3), few_ints(9)
    masked = mask_row(row, 0) >= 0
    added = masked or dropped  # to the derivatives in the state before
    if added:
        clear_states(row, GATES, delta, 0, m, 1)
    for t in range(row[TIMES] - 1, -1, -1):
        gate = row[SCRATCH] + t * GATES * units
        if row[OPTIONS] & OTHER != 0:
            _backward_rows(row, value, delta, t, m)
        else:
            for k in range(6):
                lines[k] = gate + k * units
            lines[6] = gate - GATES * units + 4 * units if t > 0 else -1
            lines[7] = hidden_row(row, t, GATES)
            lines[8] = gate + GATES * units + 4 * units if t < row[TIMES] - 1 else -1
            lstm_backward_cells(value, delta, lines, units, m)
        if masked:
            _pass_masked(row, value, delta, t, m)
        if dropped:
            for g in range(groups):
                run_of(segments, 0, gate + g * length, length, 0)
                through_copies(row, GATES, 4, g, t, to_input[g], to_state[g], length, delta, segments, segments, 1, m)
            gather_copies(row, GATES, 4, t, value, delta, m)
        else:
            run_of(segments, 0, gate, length, 0)
            through_weights(row, t, GATES, to_input[0], to_state[0], length, delta, segments, 1, segments, 1, m, added)


@jit
def lstm_gradient_cpu(row: Any, value: Any, delta: Any, grad: Any, m: int) -> None:
    """`lstm_gradient` for one lane."""
    units, features, bias = row[UNITS], row[FEATURES], biases_of(row, 1)
    of_input, of_state = room_for(4 * units, features, value), room_for(4 * units, units, value)
    if row[OPTIONS] & DROPS != 0:
        n = 4 * units // groups_of(row, 4)
        for g in range(groups_of(row, 4)):
            gradient_sums(row, GATES, value, delta, row[SCRATCH] + g * n, GATES * units, n, of_input[g * n : (g + 1) * n],
                          of_state[g * n : (g + 1) * n], m, 4, g)  # fmt: skip
    else:
        gradient_sums(row, GATES, value, delta, row[SCRATCH], GATES * units, 4 * units, of_input, of_state, m, 0, 0)
    totals = gate_totals(row, delta, GATES * units, 4 * units, m)
    for u in range(4 * units):
        w = row[PARAM] + u * (bias + features + units)
        if bias > 0:
            grad[w] += totals[u]
        for j in range(features):
            grad[w + bias + j] += of_input[u, j]
        for j in range(units):
            grad[w + bias + features + j] += of_state[u, j]
