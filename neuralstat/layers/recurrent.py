"""What recurrent layers share on a CPU: matrix products, gradients, masks, dropout's copies; see `recurrent_rows`."""

from __future__ import annotations

from typing import Any

from ..jit.buffers import aligned, row_length, table
from ..jit.compile import jit
from ..jit.late import late
from ..jit.simd_gradients import LANES, SLACK, VECTOR_BYTES
from ..jit.simd_sums import sum_rows
from ..jit.simd_turned import turn, turned_products
from .codes import FEATURES, SEQUENCES, TIMES, UNITS
from .recurrent_rows import (
    groups_of,
    hidden_row,
    input_copy,
    input_factors,
    input_row,
    state_copy,
    state_factors,
)

TURNED = 2**17  # bytes of gates that are turned round at a time


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
                    n_input: int, of_state: Any, n_state: int, m: int, added: bool,
                    inputs: bool) -> None:
    """d loss / d x_t and d loss / d h_(t-1) from those of the gates.

    Parameters
    ----------
    to_input, to_state : panels of sums over `length` gate rows
    of_input, of_state : segments of gate rows, `n_input` and `n_state` of them
    added : bool
        True where d loss / d h_(t-1) already holds a part of the sum.
    inputs : bool
        False leaves d loss / d x_t out.
    """
    if inputs:
        sum_rows(delta, input_row(row, t), row[FEATURES], to_input, length, 0, delta, of_input, n_input, m)
    if t > 0:
        start = 2 if added or row[SEQUENCES] != 0 else 0  # h of earlier times is put out, too
        sum_rows(delta, hidden_row(row, t - 1, kept), row[UNITS], to_state, length, start, delta, of_state, n_state, m)


@jit
def vectors_for(n: int, itemsize: int) -> int:
    """Vectors that hold n elements."""
    return (n * itemsize + VECTOR_BYTES - 1) // VECTOR_BYTES


@late
def gradient_sums(row: Any, kept: int, value: Any, delta: Any, gates: int, step: int, n_gates: int, sums: Any, m: int,
                  sets: int, g: int) -> None:
    """Add sums over times and observations of (delta of a gate row) times (input), (state before) and 1.

    Gates are turned round, for so many times at once that they stay in the cache, to lie along vectors: there are more of
    them than of inputs, and often whole vectors of them.

    Parameters
    ----------
    gates, step, n_gates : int
        First gate row at time 0 (negative: h is the gate), rows from one time to the next, gate rows of a time.
    sums : (features + units + 1, whole vectors for the gates) array
        Added to: a row for each input, for each unit, and one for biases.
    sets, g : int
        Gates that have weights, where inputs and states are those times set g of dropout's factors; 0 otherwise.
    """
    times, features, units = row[TIMES], row[FEATURES], row[UNITS]
    apart, near = row_length(n_gates, value), max(1, TURNED // (n_gates * value.itemsize))  # positions in the cache
    wide = max(LANES, min(m, near // LANES * LANES))
    some, vectors = max(1, min(times, near // wide)), vectors_for(n_gates, value.itemsize)
    right = aligned(1, some * wide * apart + SLACK, value)[0]
    x, h = table(1, some)[0], table(1, some)[0]  # first rows of inputs and of states before
    for first in range(0, times, some):
        n = min(some, times - first)
        none = 1 if first == 0 else 0  # before the first time there is no state
        for k in range(n):
            t = first + k
            x[k] = input_row(row, t) if sets == 0 else input_copy(row, kept, sets, g, t)
            if t > 0:
                h[k - none] = hidden_row(row, t - 1, kept) if sets == 0 else state_copy(row, kept, sets, g, t)
        for start in range(0, m, wide):
            span = min(wide, m - start)
            for k in range(n):
                gate = gates + (first + k) * step if gates >= 0 else hidden_row(row, first + k, kept)
                turn(delta, gate, n_gates, start, span, right, k * span * apart, apart, sums, features + units)
            turned_products(sums, 0, features, value, x, n, start, span, right, 0, apart, vectors)
            turned_products(sums, features, units, value, h, n - none, start, span, right, none * span * apart, apart,
                            vectors)  # fmt: skip


@jit
def room_for(groups: int, row: Any, n_gates: int, like: Any) -> Any:
    """Zeros for `gradient_sums` of as many groups of gates: its rows, group by group."""
    whole = vectors_for(n_gates, like.itemsize) * VECTOR_BYTES // like.itemsize
    return aligned(groups * (row[FEATURES] + row[UNITS] + 1), row_length(whole, like), like)


@jit
def add_gradient(grad: Any, first: int, biases: int, features: int, of_input: Any, u: int, of_state: Any, s: int) -> None:
    """Add gradients of the weights of a unit and gate: biases, inputs, states.

    Parameters
    ----------
    first, biases : int
        The first weight; how many biases there are.
    of_input, of_state : arrays of `gradient_sums`
        With sums for inputs and the first bias in column u, and for states and the second bias in column s.
    """
    last = of_input.shape[0] - 1
    if biases > 0:
        grad[first] += of_input[last, u]
    if biases > 1:
        grad[first + 1] += of_state[last, s]
    for j in range(features):
        grad[first + biases + j] += of_input[j, u]
    for j in range(features, last):
        grad[first + biases + j] += of_state[j, s]
