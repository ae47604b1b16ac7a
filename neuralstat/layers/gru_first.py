"""Gated recurrent unit whose reset gate comes before the product (Cho et al. 2014, EMNLP, 1724): ``reset_after=False``.

At time t, with gates z, r, h in this order::

    z = s(W_z x + b_z + U_z h_(t-1))    r = s(W_r x + b_r + U_r h_(t-1))
    k = tanh(W_h x + b_h + U_h (r h_(t-1)))    h_t = z h_(t-1) + (1 - z) k

Weights, gate by gate and unit by unit: b, W (features), U (units). Scratch rows as in `gru`, with r h_(t-1) in the place of
the bracket. Dropout's factors of the state multiply r h_(t-1), too.
"""

from __future__ import annotations

from typing import Any

from ..jit.buffers import small_table, zeros
from ..jit.compile import jit
from ..jit.scalar import real_
from ..jit.simd_sums import pack_panel, panel_size, sum_rows
from .cell_activations import slope_at, slope_rows, squash_rows, squashed
from .codes import FEATURES, OPTIONS, PARAM, SCRATCH, SOURCE, TIMES, UNITS
from .recurrent import (
    add_gradient,
    clear_states,
    gradient_sums,
    input_and_state,
    keep_masked,
    pass_masked,
    room_for,
    run_of,
)
from .recurrent_rows import (
    DROPS,
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

KEPT = 4  # scratch rows per unit and time


@jit
def gru_first_forward(row: Any, theta: Any, value: Any, lane: int, m: int, lanes: int) -> None:
    """All times of the layer; see `dense_forward` for the arguments. Scratch rows are written, too."""
    units, features, bias = row[UNITS], row[FEATURES], biases_of(row, 1)
    for t in range(row[TIMES]):
        x, gate, mask = input_row(row, t), row[SCRATCH] + t * KEPT * units, mask_row(row, t)
        h, h_before, reset = hidden_row(row, t, KEPT), hidden_row(row, t - 1, KEPT), gate + 3 * units
        for u in range(3 * units):
            w = row[PARAM] + u * (bias + features + units)
            fx, fh = input_factors(row, KEPT, u // units), state_factors(row, KEPT, 3, u // units)
            state = h_before if u < 2 * units else reset
            for i in range(lane, m, lanes):
                value[gate + u, i] = 0
                total = value[gate + u, i]
                if bias > 0:
                    total = theta[w]
                for j in range(features):
                    total += theta[w + bias + j] * scaled(value[x + j, i], value, fx, j, i)
                if t > 0:
                    for j in range(units):
                        total += theta[w + bias + features + j] * scaled(value[state + j, i], value, fh, j, i)
                value[gate + u, i] = squashed(row[GATE if u < 2 * units else SQUASH], total)
            if u == 2 * units - 1:  # both gates are there
                for j in range(units):
                    for i in range(lane, m, lanes):
                        old = value[gate + units + j, i] * 0
                        if t > 0:
                            old = value[h_before + j, i]
                        value[reset + j, i] = value[gate + units + j, i] * old
        for u in range(units):
            for i in range(lane, m, lanes):
                z, k = value[gate + u, i], value[gate + 2 * units + u, i]
                old = z * 0
                if t > 0:
                    old = value[h_before + u, i]
                if mask >= 0 and real_(value[mask, i]) == 0:
                    value[h + u, i] = old
                else:
                    value[h + u, i] = z * old + (1 - z) * k


@jit
def gru_first_backward(row: Any, theta: Any, value: Any, delta: Any, lane: int, m: int, lanes: int) -> None:
    """Through time: fills `delta` of z, r, k (before their activations), of r h, and of the source rows."""
    units, features, bias = row[UNITS], row[FEATURES], biases_of(row, 1)
    per_unit = bias + features + units
    for s in range(row[SOURCE], row[SOURCE] + row[TIMES] * features):
        for i in range(lane, m, lanes):
            delta[s, i] = 0
    clear_states(row, KEPT, delta, lane, m, lanes)
    for t in range(row[TIMES] - 1, -1, -1):
        x, gate, mask = input_row(row, t), row[SCRATCH] + t * KEPT * units, mask_row(row, t)
        h, h_before, reset = hidden_row(row, t, KEPT), hidden_row(row, t - 1, KEPT), gate + 3 * units
        for u in range(units):
            for i in range(lane, m, lanes):
                z, k, dh = value[gate + u, i], value[gate + 2 * units + u, i], delta[h + u, i]
                there = mask < 0 or real_(value[mask, i]) != 0
                old = z * 0
                if t > 0:
                    old = value[h_before + u, i]
                    delta[h_before + u, i] += dh * z if there else dh
                if not there:
                    dh = dh * 0
                delta[gate + u, i] = dh * (old - k) * slope_at(row[GATE], z)
                delta[gate + 2 * units + u, i] = dh * (1 - z) * slope_at(row[SQUASH], k)
                delta[reset + u, i] = 0
        fh = state_factors(row, KEPT, 3, 2)
        for u in range(units):
            w = row[PARAM] + (2 * units + u) * per_unit + bias + features
            for i in range(lane, m, lanes):
                d = delta[gate + 2 * units + u, i]
                for j in range(units):
                    delta[reset + j, i] += theta[w + j] * scaled(d, value, fh, j, i)
        for u in range(units):
            for i in range(lane, m, lanes):
                r, d = value[gate + units + u, i], delta[reset + u, i]
                old = r * 0
                if t > 0:
                    old = value[h_before + u, i]
                    delta[h_before + u, i] += d * r
                delta[gate + units + u, i] = d * old * slope_at(row[GATE], r)
        for u in range(3 * units):
            w = row[PARAM] + u * per_unit + bias
            fx, fh = input_factors(row, KEPT, u // units), state_factors(row, KEPT, 3, u // units)
            for i in range(lane, m, lanes):
                d = delta[gate + u, i]
                for j in range(features):
                    delta[x + j, i] += theta[w + j] * scaled(d, value, fx, j, i)
                if t > 0 and u < 2 * units:
                    for j in range(units):
                        delta[h_before + j, i] += theta[w + features + j] * scaled(d, value, fh, j, i)


@jit
def gru_first_gradient(row: Any, value: Any, delta: Any, grad: Any, lane: int, m: int, lanes: int) -> None:
    """Add d loss / d weights, after `gru_first_backward`; the lanes share the weights."""
    units, features, bias = row[UNITS], row[FEATURES], biases_of(row, 1)
    per_unit = bias + features + units
    for p in range(lane, 3 * units * per_unit, lanes):
        u = p // per_unit
        q = p - u * per_unit - bias
        fx, fh = input_factors(row, KEPT, u // units), state_factors(row, KEPT, 3, u // units)
        total = grad[row[PARAM] + p]
        for t in range(row[TIMES]):
            gate = row[SCRATCH] + t * KEPT * units
            d = gate + u
            if q < 0:
                for i in range(m):
                    total += delta[d, i]
            elif q < features:
                for i in range(m):
                    total += delta[d, i] * scaled(value[input_row(row, t) + q, i], value, fx, q, i)
            elif t > 0:
                s = (hidden_row(row, t - 1, KEPT) if u < 2 * units else gate + 3 * units) + q - features
                for i in range(m):
                    total += delta[d, i] * scaled(value[s, i], value, fh, q - features, i)
        grad[row[PARAM] + p] = total


@jit
def gru_first_forward_cpu(row: Any, theta: Any, value: Any, m: int) -> None:
    """`gru_first_forward` for one lane; with dropout by its plain loops."""
    if row[OPTIONS] & DROPS != 0:
        gru_first_forward(row, theta, value, 0, m, 1)
        return
    units, features, bias = row[UNITS], row[FEATURES], biases_of(row, 1)
    per_unit, length, w = bias + features + units, features + units, row[PARAM]
    k = w + 2 * units * per_unit  # weights of the candidate
    gates = zeros(panel_size(2 * units, length), theta)
    candidate = zeros(panel_size(units, length), theta)
    pack_panel(gates, length, theta, w if bias > 0 else -1, w + bias, per_unit, 1, 2 * units, 0, length)
    pack_panel(candidate, length, theta, k if bias > 0 else -1, k + bias, per_unit, 1, units, 0, length)
    segments = small_table(2, 3)
    for t in range(row[TIMES]):
        gate = row[SCRATCH] + t * KEPT * units
        h, h_before, reset = hidden_row(row, t, KEPT), hidden_row(row, t - 1, KEPT), gate + 3 * units
        n = input_and_state(row, t, KEPT, segments)
        sum_rows(value, gate, 2 * units, gates, length, 1, value, segments, n, m)
        squash_rows(row[GATE], value, gate, 2 * units, m)
        for u in range(units):
            to, r = value[reset + u], value[gate + units + u]
            if t > 0:
                old = value[h_before + u]
                for i in range(m):
                    to[i] = r[i] * old[i]
            else:
                for i in range(m):
                    to[i] = 0
        if t > 0:
            run_of(segments, 1, reset, units, features)
        sum_rows(value, gate + 2 * units, units, candidate, length, 1, value, segments, n, m)
        squash_rows(row[SQUASH], value, gate + 2 * units, units, m)
        for u in range(units):
            to, z, c = value[h + u], value[gate + u], value[gate + 2 * units + u]
            if t > 0:
                old = value[h_before + u]
                for i in range(m):
                    to[i] = c[i] + z[i] * (old[i] - c[i])
            else:
                for i in range(m):
                    to[i] = c[i] - z[i] * c[i]
        mask = mask_row(row, t)
        if mask >= 0:
            keep_masked(value, mask, h, h_before if t > 0 else -1, units, m)


@jit
def gru_first_backward_cpu(row: Any, theta: Any, value: Any, delta: Any, inputs: bool, m: int) -> None:
    """`gru_first_backward` for one lane; d loss / d inputs only where `inputs`; with dropout by its plain loops."""
    if row[OPTIONS] & DROPS != 0:
        gru_first_backward(row, theta, value, delta, 0, m, 1)
        return
    units, features, bias = row[UNITS], row[FEATURES], biases_of(row, 1)
    per_unit, w = bias + features + units, row[PARAM] + bias
    to_input = zeros(panel_size(features, 3 * units), theta)
    to_state = zeros(panel_size(units, 2 * units), theta)
    to_reset = zeros(panel_size(units, units), theta)
    pack_panel(to_input, 3 * units, theta, -1, w, 1, per_unit, features, 0, 3 * units)
    pack_panel(to_state, 2 * units, theta, -1, w + features, 1, per_unit, units, 0, 2 * units)
    pack_panel(to_reset, units, theta, -1, w + 2 * units * per_unit + features, 1, per_unit, units, 0, units)
    segment = small_table(1, 3)
    clear_states(row, KEPT, delta, 0, m, 1)
    for t in range(row[TIMES] - 1, -1, -1):
        gate = row[SCRATCH] + t * KEPT * units
        h, h_before, reset = hidden_row(row, t, KEPT), hidden_row(row, t - 1, KEPT), gate + 3 * units
        mask = mask_row(row, t)
        if mask >= 0:
            pass_masked(value, delta, mask, h, h_before if t > 0 else -1, units, m)
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
        run_of(segment, 0, gate + 2 * units, units, 0)
        sum_rows(delta, reset, units, to_reset, units, 0, delta, segment, 1, m)
        for u in range(units):
            dr, d, r = delta[gate + units + u], delta[reset + u], value[gate + units + u]
            if t > 0:
                old, to = value[h_before + u], delta[h_before + u]
                for i in range(m):
                    dr[i] = d[i] * old[i]
                for i in range(m):
                    to[i] += d[i] * r[i]
            else:
                for i in range(m):
                    dr[i] = 0
        slope_rows(row[GATE], value, delta, gate, gate, 2 * units, m)
        run_of(segment, 0, gate, 3 * units, 0)
        if inputs:
            sum_rows(delta, input_row(row, t), features, to_input, 3 * units, 0, delta, segment, 1, m)
        if t > 0:
            run_of(segment, 0, gate, 2 * units, 0)
            sum_rows(delta, h_before, units, to_state, 2 * units, 2, delta, segment, 1, m)


@jit
def gru_first_gradient_cpu(row: Any, value: Any, delta: Any, grad: Any, m: int) -> None:
    """`gru_first_gradient` for one lane; with dropout by its plain loops."""
    if row[OPTIONS] & DROPS != 0:
        gru_first_gradient(row, value, delta, grad, 0, m, 1)
        return
    units, features, bias = row[UNITS], row[FEATURES], biases_of(row, 1)
    per_unit, step = bias + features + units, KEPT * units
    sums = room_for(1, row, 3 * units, value)
    gradient_sums(row, KEPT, value, delta, row[SCRATCH], step, 3 * units, sums, m, 0, 0)
    for u in range(2 * units):
        add_gradient(grad, row[PARAM] + u * per_unit, bias, features, sums, u, sums, u)
    for u in range(2 * units, 3 * units):
        for j in range(units):  # of r h, not of the state before
            total = sums[features + j, u] * 0
            for t in range(1, row[TIMES]):
                gate = row[SCRATCH] + t * step
                d, s = delta[gate + u], value[gate + 3 * units + j]
                for i in range(m):
                    total += d[i] * s[i]
            sums[features + j, u] = total
        add_gradient(grad, row[PARAM] + u * per_unit, bias, features, sums, u, sums, u)
