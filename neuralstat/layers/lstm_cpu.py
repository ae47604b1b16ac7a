"""Vector code of `lstm` for a CPU."""

from __future__ import annotations

from typing import Any

from ..jit.buffers import aligned, few_ints, row_length, small_table
from ..jit.compile import jit
from ..jit.late import late
from ..jit.simd_cells import lstm_backward_cells, lstm_forward_cells
from ..jit.simd_lstm import PAIR, gates_size, lstm_step, lstm_step_back, pack_gates
from ..jit.simd_sums import pack_panel, panel_size, sum_rows
from ..jit.vectors import copy_to
from .cell_activations import slope_rows, squash_rows
from .codes import FEATURES, OPTIONS, PARAM, SCRATCH, SEQUENCES, TIMES, UNITS
from .lstm import GATES
from .recurrent import (
    add_gradient,
    clear_states,
    copied_input_and_state,
    copy_dropped,
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
    input_row,
    mask_row,
)


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
    h = hidden_row(row, t, GATES)
    for u in range(units):
        to, o, y = value[h + u], value[gate + 3 * units + u], value[gate + 5 * units + u]
        for i in range(m):
            to[i] = o[i] * y[i]


@late
def _backward_rows(row: Any, value: Any, delta: Any, t: int, m: int) -> None:
    """`_backward_cells` for one lane without a mask, row by row."""
    units = row[UNITS]
    gate, h = row[SCRATCH] + t * GATES * units, hidden_row(row, t, GATES)
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
def _is_plain(row: Any) -> bool:
    """Whether steps are those of `simd_lstm`: no masks, no dropout, tanh and logistic, more than one unit."""
    return row[OPTIONS] & (OTHER | DROPS) == 0 and mask_row(row, 0) < 0 and row[UNITS] >= PAIR


@jit
def _lines(row: Any, t: int, lines: Any) -> None:
    """What cells at time t read and write, see `simd_cells`."""
    units = row[UNITS]
    gate = row[SCRATCH] + t * GATES * units
    for k in range(6):
        lines[k] = gate + k * units
    lines[6] = gate + (4 - GATES) * units if t > 0 else -1
    lines[7] = hidden_row(row, t, GATES)
    lines[8] = gate + (GATES + 4) * units if t < row[TIMES] - 1 else -1


@jit
def lstm_forward_cpu(row: Any, theta: Any, value: Any, m: int) -> None:
    """`lstm_forward` for one lane."""
    if _is_plain(row):
        _forward_steps(row, theta, value, m)
    else:
        _forward_variant(row, theta, value, m)


@late
def _forward_steps(row: Any, theta: Any, value: Any, m: int) -> None:
    """`lstm_forward` by `lstm_step`: inputs and state lie below each other, and in turn in two places."""
    units, features = row[UNITS], row[FEATURES]
    length = features + units
    panel, lines = aligned(1, gates_size(units, length), theta)[0], few_ints(9)
    pack_gates(panel, theta, row[PARAM], biases_of(row, 1), units, length)
    read = aligned(2 * length, row_length(m, value), value)
    for t in range(row[TIMES]):
        first, after, x = t % 2 * length, (t + 1) % 2 * length, input_row(row, t)
        for j in range(features):
            copy_to(value[x + j, :m], read[first + j])
        _lines(row, t, lines)
        lstm_step(value, lines, panel, length, read, first, length if t > 0 else features, after + features, units, m)


@late
def _forward_variant(row: Any, theta: Any, value: Any, m: int) -> None:
    """`lstm_forward` with dropout, masks or other activations."""
    units, length, bias = row[UNITS], row[FEATURES] + row[UNITS], biases_of(row, 1)
    dropped, groups = row[OPTIONS] & DROPS != 0, groups_of(row, 4)
    n_rows = 4 * units // groups
    panels = aligned(groups, panel_size(n_rows, length), theta)
    for g in range(groups):
        w = row[PARAM] + g * n_rows * (length + bias)
        pack_panel(panels[g], length, theta, w if bias > 0 else -1, w + bias, length + bias, 1, n_rows, 0, length)
    segments, lines = small_table(2, 3), few_ints(9)
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
        _lines(row, t, lines)
        if row[OPTIONS] & OTHER != 0:
            _forward_rows(row, value, t, m)
        else:
            lstm_forward_cells(value, value, lines, units, m)
        if mask >= 0:
            keep_masked(value, mask, gate + 4 * units, lines[6], units, m)
            keep_masked(value, mask, lines[7], hidden_row(row, t - 1, GATES) if t > 0 else -1, units, m)


@late
def _pass_masked(row: Any, value: Any, delta: Any, t: int, m: int) -> None:
    """At observations whose mask is 0: no derivatives in gates; those in cell and h go to the time before."""
    units, flags = row[UNITS], value[mask_row(row, t)]
    gate = row[SCRATCH] + t * GATES * units
    h, h_before = hidden_row(row, t, GATES), hidden_row(row, t - 1, GATES)
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
def lstm_backward_cpu(row: Any, theta: Any, value: Any, delta: Any, inputs: bool, m: int) -> None:
    """`lstm_backward` for one lane; d loss / d inputs only where `inputs`."""
    if _is_plain(row):
        _backward_steps(row, theta, value, delta, m)
        if inputs:
            _backward_inputs(row, theta, delta, m)
    else:
        _backward_variant(row, theta, value, delta, inputs, m)


@late
def _backward_steps(row: Any, theta: Any, value: Any, delta: Any, m: int) -> None:
    """d loss / d gates of all times by `lstm_step_back`."""
    units, features, last = row[UNITS], row[FEATURES], row[TIMES] - 1
    per_unit, length = biases_of(row, 1) + features + units, 4 * units
    panel, lines = aligned(1, panel_size(units, length), theta)[0], few_ints(9)
    first = row[PARAM] + per_unit - units
    pack_panel(panel, length, theta, -1, first, 1, per_unit, units, 0, length)
    for t in range(last, -1, -1):
        _lines(row, t, lines)
        added = 1 if t == last or row[SEQUENCES] != 0 else 0
        lstm_step_back(value, delta, lines, panel, length, lines[0] + GATES * units, length if t < last else 0, added, units,
                       m)  # fmt: skip


@late
def _backward_inputs(row: Any, theta: Any, delta: Any, m: int) -> None:
    """d loss / d inputs from those of the gates."""
    units, features, bias = row[UNITS], row[FEATURES], biases_of(row, 1)
    length = 4 * units
    panel, segment = aligned(1, panel_size(features, length), theta)[0], small_table(1, 3)
    pack_panel(panel, length, theta, -1, row[PARAM] + bias, 1, bias + features + units, features, 0, length)
    for t in range(row[TIMES]):
        run_of(segment, 0, row[SCRATCH] + t * GATES * units, length, 0)
        sum_rows(delta, input_row(row, t), features, panel, length, 0, delta, segment, 1, m)


@late
def _backward_variant(row: Any, theta: Any, value: Any, delta: Any, inputs: bool, m: int) -> None:
    """`lstm_backward` with dropout, masks or other activations."""
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
            _lines(row, t, lines)
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
            through_weights(row, t, GATES, to_input[0], to_state[0], length, delta, segments, 1, segments, 1, m, added,
                            inputs)  # fmt: skip


@jit
def lstm_gradient_cpu(row: Any, value: Any, delta: Any, grad: Any, m: int) -> None:
    """`lstm_gradient` for one lane."""
    units, features, bias, groups = row[UNITS], row[FEATURES], biases_of(row, 1), groups_of(row, 4)
    n, rows, sets = 4 * units // groups, features + units + 1, 4 if row[OPTIONS] & DROPS != 0 else 0
    sums = room_for(groups, row, n, value)
    for g in range(groups):
        own = sums[g * rows : (g + 1) * rows]
        gradient_sums(row, GATES, value, delta, row[SCRATCH] + g * n, GATES * units, n, own, m, sets, g)
        for u in range(n):
            add_gradient(grad, row[PARAM] + (g * n + u) * (rows - 1 + bias), bias, features, own, u, own, u)
