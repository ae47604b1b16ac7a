"""Gated recurrent unit (Cho et al. 2014, EMNLP, 1724), reset gate after the product, as in Keras (``reset_after``).

At time t, with gates z, r, h in this order and two biases b, c of each::

    z = s(W_z x + b_z + U_z h_(t-1) + c_z)    r = s(W_r x + b_r + U_r h_(t-1) + c_r)
    k = tanh(W_h x + b_h + r (U_h h_(t-1) + c_h))    h_t = z h_(t-1) + (1 - z) k

Weights, gate by gate and unit by unit: b, c, W (features), U (units). Scratch rows, time by time: z, r, k, and the
bracket, each of U units; then h of all times but the last where only that is put out. `recurrent` says what variants
there are.
"""

from __future__ import annotations

from typing import Any

from ..jit.buffers import aligned, few_ints, small_table, zeros
from ..jit.compile import jit
from ..jit.late import late
from ..jit.scalar import real_
from ..jit.simd_cells import gru_backward_cells, gru_forward_cells
from ..jit.simd_sums import pack_panel, panel_size, sum_rows
from .cell_activations import slope_at, slope_rows, squash_rows, squashed
from .codes import FEATURES, OPTIONS, PARAM, SCRATCH, SOURCE, TIMES, UNITS
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
    BY_GATE,
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

GATES = 4  # scratch rows per unit and time


@jit
def _forward_cells(row: Any, value: Any, t: int, lane: int, m: int, lanes: int) -> None:
    """Gates and h from the gates' sums."""
    units, mask = row[UNITS], mask_row(row, t)
    gate, h, h_before = row[SCRATCH] + t * GATES * units, hidden_row(row, t, GATES), hidden_row(row, t - 1, GATES)
    for u in range(units):
        for i in range(lane, m, lanes):
            z, r = squashed(row[GATE], value[gate + u, i]), squashed(row[GATE], value[gate + units + u, i])
            k = squashed(row[SQUASH], value[gate + 2 * units + u, i] + r * value[gate + 3 * units + u, i])
            old = z * 0
            if t > 0:
                old = value[h_before + u, i]
            value[gate + u, i] = z
            value[gate + units + u, i] = r
            value[gate + 2 * units + u, i] = k
            if mask >= 0 and real_(value[mask, i]) == 0:
                value[h + u, i] = old
            else:
                value[h + u, i] = z * old + (1 - z) * k


@jit
def _backward_cells(row: Any, value: Any, delta: Any, t: int, lane: int, m: int, lanes: int) -> None:
    """Derivatives in the gates' sums, and what goes straight to h before, from those in h."""
    units, mask = row[UNITS], mask_row(row, t)
    gate, h, h_before = row[SCRATCH] + t * GATES * units, hidden_row(row, t, GATES), hidden_row(row, t - 1, GATES)
    for u in range(units):
        for i in range(lane, m, lanes):
            z, r = value[gate + u, i], value[gate + units + u, i]
            k, inner = value[gate + 2 * units + u, i], value[gate + 3 * units + u, i]
            dh = delta[h + u, i]
            old, straight = z * 0, z
            if t > 0:
                old = value[h_before + u, i]
            if mask >= 0 and real_(value[mask, i]) == 0:
                if t > 0:
                    delta[h_before + u, i] += dh
                dh, straight = dh * 0, z * 0
            if t > 0:
                delta[h_before + u, i] += dh * straight
            d = dh * (1 - z) * slope_at(row[SQUASH], k)
            delta[gate + u, i] = dh * (old - k) * slope_at(row[GATE], z)
            delta[gate + units + u, i] = d * inner * slope_at(row[GATE], r)
            delta[gate + 2 * units + u, i] = d
            delta[gate + 3 * units + u, i] = d * r


@jit
def gru_forward(row: Any, theta: Any, value: Any, lane: int, m: int, lanes: int) -> None:
    """All times of the layer; see `dense_forward` for the arguments. Scratch rows are written, too."""
    units, features = row[UNITS], row[FEATURES]
    bias = biases_of(row, 2)
    for t in range(row[TIMES]):
        x, gate, h_before = input_row(row, t), row[SCRATCH] + t * GATES * units, hidden_row(row, t - 1, GATES)
        for u in range(3 * units):
            w = row[PARAM] + u * (bias + features + units)
            fx, fh = input_factors(row, GATES, u // units), state_factors(row, GATES, 3, u // units)
            for i in range(lane, m, lanes):
                value[gate + u, i] = 0
                of_input, of_state = value[gate + u, i], value[gate + u, i]
                if bias > 0:
                    of_input, of_state = theta[w], theta[w + 1]
                for j in range(features):
                    of_input += theta[w + bias + j] * scaled(value[x + j, i], value, fx, j, i)
                if t > 0:
                    for j in range(units):
                        of_state += theta[w + bias + features + j] * scaled(value[h_before + j, i], value, fh, j, i)
                if u < 2 * units:
                    value[gate + u, i] = of_input + of_state
                else:
                    value[gate + u, i] = of_input
                    value[gate + units + u, i] = of_state
        _forward_cells(row, value, t, lane, m, lanes)


@jit
def gru_backward(row: Any, theta: Any, value: Any, delta: Any, lane: int, m: int, lanes: int) -> None:
    """Through time: fills `delta` of z, r, k (before their activations) and of the bracket, and of the source rows."""
    units, features = row[UNITS], row[FEATURES]
    bias = biases_of(row, 2)
    for s in range(row[SOURCE], row[SOURCE] + row[TIMES] * features):
        for i in range(lane, m, lanes):
            delta[s, i] = 0
    clear_states(row, GATES, delta, lane, m, lanes)
    for t in range(row[TIMES] - 1, -1, -1):
        x, gate, h_before = input_row(row, t), row[SCRATCH] + t * GATES * units, hidden_row(row, t - 1, GATES)
        _backward_cells(row, value, delta, t, lane, m, lanes)
        for u in range(3 * units):
            w = row[PARAM] + u * (bias + features + units)
            fx, fh = input_factors(row, GATES, u // units), state_factors(row, GATES, 3, u // units)
            of_state = gate + u if u < 2 * units else gate + u + units
            for i in range(lane, m, lanes):
                d, e = delta[gate + u, i], delta[of_state, i]
                for j in range(features):
                    delta[x + j, i] += theta[w + bias + j] * scaled(d, value, fx, j, i)
                if t > 0:
                    for j in range(units):
                        delta[h_before + j, i] += theta[w + bias + features + j] * scaled(e, value, fh, j, i)


@jit
def gru_gradient(row: Any, value: Any, delta: Any, grad: Any, lane: int, m: int, lanes: int) -> None:
    """Add d loss / d weights, after `gru_backward`; the lanes share the weights."""
    units, features = row[UNITS], row[FEATURES]
    bias = biases_of(row, 2)
    per_unit = bias + features + units
    for p in range(lane, 3 * units * per_unit, lanes):
        u = p // per_unit
        q = p - u * per_unit - bias
        fx, fh = input_factors(row, GATES, u // units), state_factors(row, GATES, 3, u // units)
        total = grad[row[PARAM] + p]
        for t in range(row[TIMES]):
            d = row[SCRATCH] + t * GATES * units + u
            if u >= 2 * units and (q == -1 or q >= features):
                d += units
            if q < 0:
                for i in range(m):
                    total += delta[d, i]
            elif q < features:
                for i in range(m):
                    total += delta[d, i] * scaled(value[input_row(row, t) + q, i], value, fx, q, i)
            elif t > 0:
                s = hidden_row(row, t - 1, GATES) + q - features
                for i in range(m):
                    total += delta[d, i] * scaled(value[s, i], value, fh, q - features, i)
        grad[row[PARAM] + p] = total


@late
def _forward_rows(row: Any, value: Any, t: int, m: int) -> None:
    """`_forward_cells` for one lane without a mask, row by row."""
    units = row[UNITS]
    gate, h, h_before = row[SCRATCH] + t * GATES * units, hidden_row(row, t, GATES), hidden_row(row, t - 1, GATES)
    squash_rows(row[GATE], value, gate, 2 * units, m)
    for u in range(gate, gate + units):
        r, k, inner = value[u + units], value[u + 2 * units], value[u + 3 * units]
        for i in range(m):
            k[i] += r[i] * inner[i]
    squash_rows(row[SQUASH], value, gate + 2 * units, units, m)
    for u in range(units):
        to, z, k = value[h + u], value[gate + u], value[gate + 2 * units + u]
        if t > 0:
            old = value[h_before + u]
            for i in range(m):
                to[i] = k[i] + z[i] * (old[i] - k[i])
        else:
            for i in range(m):
                to[i] = k[i] - z[i] * k[i]


@late
def _backward_rows(row: Any, value: Any, delta: Any, t: int, m: int) -> None:
    """`_backward_cells` for one lane without a mask, row by row."""
    units = row[UNITS]
    gate, h, h_before = row[SCRATCH] + t * GATES * units, hidden_row(row, t, GATES), hidden_row(row, t - 1, GATES)
    for u in range(units):
        dz, dk, dh = delta[gate + u], delta[gate + 2 * units + u], delta[h + u]
        z, k = value[gate + u], value[gate + 2 * units + u]
        for i in range(m):
            dk[i] = dh[i] - dh[i] * z[i]
        if t > 0:
            old, to = value[h_before + u], delta[h_before + u]
            for i in range(m):
                dz[i] = dh[i] * (old[i] - k[i])
            for i in range(m):
                to[i] += dh[i] * z[i]
        else:
            for i in range(m):
                dz[i] = -dh[i] * k[i]
    slope_rows(row[SQUASH], value, delta, gate + 2 * units, gate + 2 * units, units, m)
    for u in range(gate, gate + units):
        dr, dk, di = delta[u + units], delta[u + 2 * units], delta[u + 3 * units]
        r, inner = value[u + units], value[u + 3 * units]
        for i in range(m):
            dr[i] = dk[i] * inner[i]
        for i in range(m):
            di[i] = dk[i] * r[i]
    slope_rows(row[GATE], value, delta, gate, gate, 2 * units, m)


@jit
def gru_forward_cpu(row: Any, theta: Any, value: Any, m: int) -> None:
    """`gru_forward` for one lane."""
    units, features, bias = row[UNITS], row[FEATURES], biases_of(row, 2)
    per_unit, length, w = bias + features + units, features + units, row[PARAM]
    k = w + 2 * units * per_unit  # weights of the candidate
    dropped, groups = row[OPTIONS] & DROPS != 0, 2 if row[OPTIONS] & BY_GATE != 0 else 1
    n_rows, last = 2 * units // groups, groups_of(row, 3) - 1
    gates = aligned(groups, panel_size(n_rows, length), theta)
    of_input, of_state = zeros(panel_size(units, features), theta), zeros(panel_size(units, units), theta)
    both = zeros(2 * units * per_unit, theta)
    for j in range(both.size):
        both[j] = theta[w + j]
    if bias > 0:
        for u in range(2 * units):
            both[u * per_unit] += both[u * per_unit + 1]
    of_x, of_h = (k, k + 1) if bias > 0 else (-1, -1)
    for g in range(groups):
        first = g * n_rows * per_unit
        pack_panel(gates[g], length, both, first if bias > 0 else -1, first + bias, per_unit, 1, n_rows, 0, length)
    pack_panel(of_input, features, theta, of_x, k + bias, per_unit, 1, units, 0, features)
    pack_panel(of_state, units, theta, of_h, k + bias + features, per_unit, 1, units, 0, units)
    segments, state, lines = small_table(2, 3), small_table(1, 3), few_ints(6)
    for t in range(row[TIMES]):
        gate = row[SCRATCH] + t * GATES * units
        if dropped:
            copy_dropped(row, GATES, 3, t, value, m)
        for g in range(groups):
            if dropped:
                n = copied_input_and_state(row, GATES, 3, g, t, segments)
            else:
                n = input_and_state(row, t, GATES, segments)
            sum_rows(value, gate + g * n_rows, n_rows, gates[g], length, 1, value, segments, n, m)
        if dropped:
            n = copied_input_and_state(row, GATES, 3, last, t, segments)
        sum_rows(value, gate + 2 * units, units, of_input, features, 1, value, segments, 1, m)
        run_of(state, 0, segments[1, 0] if t > 0 else 0, units, 0)
        sum_rows(value, gate + 3 * units, units, of_state, units, 1, value, state, n - 1, m)
        for j in range(4):
            lines[j] = gate + j * units
        lines[4] = hidden_row(row, t - 1, GATES) if t > 0 else -1
        lines[5] = hidden_row(row, t, GATES)
        if row[OPTIONS] & OTHER != 0:
            _forward_rows(row, value, t, m)
        else:
            gru_forward_cells(value, value, lines, units, m)
        mask = mask_row(row, t)
        if mask >= 0:
            keep_masked(value, mask, lines[5], lines[4], units, m)


@jit
def gru_backward_cpu(row: Any, theta: Any, value: Any, delta: Any, inputs: bool, m: int) -> None:
    """`gru_backward` for one lane; d loss / d inputs only where `inputs`."""
    units, features, bias = row[UNITS], row[FEATURES], biases_of(row, 2)
    dropped, groups = row[OPTIONS] & DROPS != 0, groups_of(row, 3)
    per_unit, length = bias + features + units, 3 * units // groups
    to_input = aligned(groups, panel_size(features, length), theta)
    to_state = aligned(groups, panel_size(units, length), theta)
    for g in range(groups):
        w = row[PARAM] + g * length * per_unit + bias
        pack_panel(to_input[g], length, theta, -1, w, 1, per_unit, features, 0, length)
        pack_panel(to_state[g], length, theta, -1, w + features, 1, per_unit, units, 0, length)
    of_input, of_state, lines = small_table(1, 3), small_table(2, 3), few_ints(6)
    clear_states(row, GATES, delta, 0, m, 1)
    for t in range(row[TIMES] - 1, -1, -1):
        gate = row[SCRATCH] + t * GATES * units
        for j in range(4):
            lines[j] = gate + j * units
        lines[4] = hidden_row(row, t - 1, GATES) if t > 0 else -1
        lines[5] = hidden_row(row, t, GATES)
        mask = mask_row(row, t)
        if mask >= 0:
            pass_masked(value, delta, mask, lines[5], lines[4], units, m)
        if row[OPTIONS] & OTHER != 0:
            _backward_rows(row, value, delta, t, m)
        else:
            gru_backward_cells(value, delta, lines, units, m)
        if groups > 1:
            for g in range(groups):
                run_of(of_input, 0, gate + g * units, units, 0)
                run_of(of_state, 0, gate + (3 if g == 2 else g) * units, units, 0)
                through_copies(row, GATES, 3, g, t, to_input[g], to_state[g], length, delta, of_input, of_state, 1, m)
        else:
            run_of(of_input, 0, gate, length, 0)
            run_of(of_state, 0, gate, 2 * units, 0)
            run_of(of_state, 1, gate + length, units, 2 * units)
            if dropped:
                through_copies(row, GATES, 3, 0, t, to_input[0], to_state[0], length, delta, of_input, of_state, 2, m)
            else:
                through_weights(row, t, GATES, to_input[0], to_state[0], length, delta, of_input, 1, of_state, 2, m, True,
                                inputs)  # fmt: skip
        if dropped:
            gather_copies(row, GATES, 3, t, value, delta, m)


@jit
def gru_gradient_cpu(row: Any, value: Any, delta: Any, grad: Any, m: int) -> None:
    """`gru_gradient` for one lane."""
    units, features, bias = row[UNITS], row[FEATURES], biases_of(row, 2)
    step, groups = GATES * units, 4 if row[OPTIONS] & BY_GATE != 0 else 1
    n, rows, sets = 4 * units // groups, features + units + 1, 3 if row[OPTIONS] & DROPS != 0 else 0
    sums = room_for(groups, row, n, value)
    for k in range(groups):
        own = sums[k * rows : (k + 1) * rows]
        gradient_sums(row, GATES, value, delta, row[SCRATCH] + k * n, step, n, own, m, sets, min(k, 2))
    for u in range(3 * units):
        s = u if u < 2 * units else u + units
        a, b = u // n, s // n  # groups
        add_gradient(grad, row[PARAM] + u * (bias + rows - 1), bias, features, sums[a * rows : (a + 1) * rows], u - a * n,
                     sums[b * rows : (b + 1) * rows], s - b * n)  # fmt: skip
