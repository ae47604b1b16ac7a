"""What recurrent layers share on a CPU: matrix products, gradients, masks, dropout's copies; see `recurrent_rows`."""

from __future__ import annotations

from typing import Any

from ..jit.buffers import aligned, row_length, zeros
from ..jit.compile import jit
from ..jit.late import late
from ..jit.simd_gradients import LANES, SLACK, VECTOR_BYTES, outer_sums, total_rows, turn_rows
from ..jit.simd_sums import sum_rows
from .codes import FEATURES, SCRATCH, SEQUENCES, TIMES, UNITS
from .recurrent_rows import (
    groups_of,
    hidden_row,
    input_copy,
    input_factors,
    input_row,
    state_copy,
    state_factors,
)

TURNED = 2**16  # bytes of gates that are turned round at a time


@jit
def _times(value: Any, target: int, source: int, factors: int, n: int, m: int) -> None:
    for r in range(n):
        to, of, by = value[target + r], value[source + r], value[factors + r]
        for i in range(m):
            to[i] = of[i] + of[i] * by[i]


@late
def copy_dropped(row: Any, kept: int, gates: int, t: int, value: Any, m: int) -> None:
    """Inputs of step t and the state before it, times their factors."""
    for g in range(groups_of(row, gates)):
        _times(value, input_copy(row, kept, gates, g, t), input_row(row, t), input_factors(row, kept, g), row[FEATURES], m)
        if t > 0:
            _times(value, state_copy(row, kept, gates, g, t), hidden_row(row, t - 1, kept),
                   state_factors(row, kept, gates, g), row[UNITS], m)  # fmt: skip


@late
def through_copies(row: Any, kept: int, gates: int, g: int, t: int, to_input: Any, to_state: Any, length: int, delta: Any,
                   of_input: Any, of_state: Any, n_state: int, m: int) -> None:
    """d loss / d copies of set g from those of gates; see `through_weights`."""
    x, h = input_copy(row, kept, gates, g, t), state_copy(row, kept, gates, g, t)
    sum_rows(delta, x, row[FEATURES], to_input, length, 0, delta, of_input, 1, m)
    if t > 0:
        sum_rows(delta, h, row[UNITS], to_state, length, 0, delta, of_state, n_state, m)


@late
def gather_copies(row: Any, kept: int, gates: int, t: int, value: Any, delta: Any, m: int) -> None:
    """d loss / d inputs of step t, and added to d loss / d state before it, from those of the copies."""
    for j in range(row[FEATURES]):
        to = delta[input_row(row, t) + j]
        for i in range(m):
            to[i] = 0
        for g in range(groups_of(row, gates)):
            of, by = delta[input_copy(row, kept, gates, g, t) + j], value[input_factors(row, kept, g) + j]
            for i in range(m):
                to[i] += of[i] + of[i] * by[i]
    if t > 0:
        for u in range(row[UNITS]):
            to = delta[hidden_row(row, t - 1, kept) + u]
            for g in range(groups_of(row, gates)):
                of, by = delta[state_copy(row, kept, gates, g, t) + u], value[state_factors(row, kept, gates, g) + u]
                for i in range(m):
                    to[i] += of[i] + of[i] * by[i]


@late
def keep_masked(value: Any, mask: int, target: int, source: int, n: int, m: int) -> None:
    """Rows `target` become rows `source` (zeros where negative) at observations whose mask is 0."""
    flags = value[mask]
    for r in range(n):
        to = value[target + r]
        if source >= 0:
            of = value[source + r]
            for i in range(m):
                to[i] = to[i] if flags[i] != 0 else of[i]
        else:
            for i in range(m):
                to[i] = to[i] if flags[i] != 0 else flags[i]


@late
def pass_masked(value: Any, delta: Any, mask: int, h: int, h_before: int, n: int, m: int) -> None:
    """Derivatives in h go straight to those in h before (negative: nowhere) at observations whose mask is 0."""
    flags = value[mask]
    for r in range(n):
        of = delta[h + r]
        if h_before >= 0:
            to = delta[h_before + r]
            for i in range(m):
                to[i] += of[i] if flags[i] == 0 else flags[i] * 0
        for i in range(m):
            of[i] = of[i] if flags[i] != 0 else flags[i]


@jit
def clear_states(row: Any, kept: int, delta: Any, lane: int, m: int, lanes: int) -> None:
    """Derivatives in states that are not put out to zero."""
    if row[SEQUENCES] == 0:
        for t in range(row[TIMES] - 1):
            h = hidden_row(row, t, kept)
            for u in range(h, h + row[UNITS]):
                for i in range(lane, m, lanes):
                    delta[u, i] = 0


@jit
def run_of(segments: Any, k: int, first: int, n_rows: int, offset: int) -> None:
    """Write segment k of `engine.simd_sums.sum_rows`."""
    segments[k, 0] = first
    segments[k, 1] = n_rows
    segments[k, 2] = offset


@jit
def input_and_state(row: Any, t: int, kept: int, segments: Any) -> int:
    """Segments of x_t and, after the first time, of h_(t-1); their number."""
    run_of(segments, 0, input_row(row, t), row[FEATURES], 0)
    if t == 0:
        return 1
    run_of(segments, 1, hidden_row(row, t - 1, kept), row[UNITS], row[FEATURES])
    return 2


@jit
def copied_input_and_state(row: Any, kept: int, gates: int, g: int, t: int, segments: Any) -> int:
    """`input_and_state` of copies."""
    run_of(segments, 0, input_copy(row, kept, gates, g, t), row[FEATURES], 0)
    if t == 0:
        return 1
    run_of(segments, 1, state_copy(row, kept, gates, g, t), row[UNITS], row[FEATURES])
    return 2


@jit
def through_weights(row: Any, t: int, kept: int, to_input: Any, to_state: Any, length: int, delta: Any, of_input: Any,
                    n_input: int, of_state: Any, n_state: int, m: int, added: bool) -> None:
    """d loss / d x_t and d loss / d h_(t-1) from those of the gates.

    Parameters
    ----------
    to_input, to_state : panels of sums over `length` gate rows
    of_input, of_state : segments of gate rows, `n_input` and `n_state` of them
    added : bool
        True where d loss / d h_(t-1) already holds a part of the sum.
    """
    sum_rows(delta, input_row(row, t), row[FEATURES], to_input, length, 0, delta, of_input, n_input, m)
    if t > 0:
        start = 2 if added or row[SEQUENCES] != 0 else 0  # h of earlier times is put out, too
        sum_rows(delta, hidden_row(row, t - 1, kept), row[UNITS], to_state, length, start, delta, of_state, n_state, m)


@jit
def vectors_for(n: int, itemsize: int) -> int:
    """Vectors that hold n elements."""
    return (n * itemsize + VECTOR_BYTES - 1) // VECTOR_BYTES


@late
def gradient_sums(row: Any, kept: int, value: Any, delta: Any, gates: int, step: int, n_gates: int, of_input: Any,
                  of_state: Any, m: int, sets: int, g: int) -> None:
    """Sums over times and observations of (delta of a gate row) times (input), and times (state before).

    Observations are turned round by `LANES`, for a few times at once: what is summed stays in the cache.

    Parameters
    ----------
    gates, step, n_gates : int
        First gate row at time 0 (negative: h is the gate), rows from one time to the next, gate rows of a time.
    of_input : (n_gates, whole vectors for the features) array
    of_state : (n_gates, whole vectors for the units) array
        Both are added to.
    sets, g : int
        Gates that have weights, where inputs and states are those times set g of dropout's factors; 0 otherwise.
    """
    times, features, units = row[TIMES], row[FEATURES], row[UNITS]
    some = max(1, min(times, TURNED // (LANES * n_gates * value.itemsize)))
    apart = row_length(n_gates, value)
    left = aligned(1, some * LANES * apart + SLACK, value)[0]
    inputs = aligned(1, some * LANES * features + SLACK, value)[0]
    states = aligned(1, some * LANES * units + SLACK, value)[0]
    for start in range(0, m, LANES):
        for first in range(0, times, some):
            n = min(some, times - first)
            for k in range(n):
                t = first + k
                gate = gates + t * step if gates >= 0 else hidden_row(row, t, kept)
                turn_rows(delta, gate, n_gates, start, left, k * LANES * apart, apart)
                x = input_row(row, t) if sets == 0 else input_copy(row, kept, sets, g, t)
                turn_rows(value, x, features, start, inputs, k * LANES * features, features)
                if t > 0:
                    h = hidden_row(row, t - 1, kept) if sets == 0 else state_copy(row, kept, sets, g, t)
                    turn_rows(value, h, units, start, states, k * LANES * units, units)
            none = LANES if first == 0 else 0  # before the first time there is no state
            _add_products(of_input, n_gates, left, apart, inputs, features, 0, n * LANES)
            _add_products(of_state, n_gates, left, apart, states, units, none, n * LANES - none)


@jit
def _add_products(sums: Any, n_gates: int, left: Any, apart: int, right: Any, n: int, skipped: int,
                  positions: int) -> None:
    """Add products of turned gates and n turned rows, summed over positions after the `skipped` first."""
    outer_sums(sums.reshape(-1), 0, sums.shape[1], n_gates, vectors_for(n, sums.itemsize), left, skipped * apart, 0,
               apart, right, skipped * n, 0, n, 1, positions, 0, 0, 1)


@jit
def room_for(n_gates: int, n: int, like: Any) -> Any:
    """Zeros for `gradient_sums`: whole vectors for n elements in each row."""
    return aligned(n_gates, vectors_for(n, like.itemsize) * VECTOR_BYTES // like.itemsize, like)


@jit
def gate_totals(row: Any, delta: Any, step: int, n_gates: int, m: int) -> Any:
    """Sums of `delta` over observations and times of the `n_gates` gate rows of a time."""
    totals = zeros(n_gates, delta)
    total_rows(totals, delta, row[SCRATCH], n_gates, step, row[TIMES], m)
    return totals
