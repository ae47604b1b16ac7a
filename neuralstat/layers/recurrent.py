"""What recurrent layers share: where h lies, and on a CPU their matrix products and gradients."""

from __future__ import annotations

from typing import Any

import numpy as np

from ..engine.compile import jit
from ..engine.buffers import aligned
from ..engine.simd_gradients import LANES, SLACK, VECTOR_BYTES, near_sums, outer_sums, total_rows, turn_rows
from ..engine.simd_sums import sum_rows
from .codes import FEATURES, SCRATCH, SEQUENCES, SOURCE, TARGET, TIMES, UNITS


@jit
def hidden_row(row: Any, t: int, kept: int) -> int:
    """First row that holds h at time t; `kept` scratch rows for each unit and time come before."""
    if row[SEQUENCES] != 0:
        return row[TARGET] + t * row[UNITS]
    if t == row[TIMES] - 1:
        return row[TARGET]
    return row[SCRATCH] + row[TIMES] * kept * row[UNITS] + t * row[UNITS]


@jit
def run_of(segments: Any, k: int, first: int, n_rows: int, offset: int) -> None:
    """Write segment k of `engine.simd_sums.sum_rows`."""
    segments[k, 0] = first
    segments[k, 1] = n_rows
    segments[k, 2] = offset


@jit
def input_and_state(row: Any, t: int, kept: int, segments: Any) -> int:
    """Segments of x_t and, after the first time, of h_(t-1); their number."""
    run_of(segments, 0, row[SOURCE] + t * row[FEATURES], row[FEATURES], 0)
    if t == 0:
        return 1
    run_of(segments, 1, hidden_row(row, t - 1, kept), row[UNITS], row[FEATURES])
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
    sum_rows(delta, row[SOURCE] + t * row[FEATURES], row[FEATURES], to_input, length, 0, delta, of_input, n_input, m)
    if t > 0:
        start = 2 if added or row[SEQUENCES] != 0 else 0  # h of earlier times is put out, too
        sum_rows(delta, hidden_row(row, t - 1, kept), row[UNITS], to_state, length, start, delta, of_state, n_state, m)


@jit
def turn_gates(row: Any, delta: Any, gates: int, step: int, n_gates: int, start: int, left: Any) -> None:
    """`delta` of the gates of all times into `left` (observation, time, gate); negative `gates`: that of h."""
    for t in range(row[TIMES]):
        first = gates + t * step if gates >= 0 else hidden_row(row, t, 0)
        turn_rows(delta, first, n_gates, start, left, t * n_gates, row[TIMES] * n_gates)


@jit
def turn_inputs(row: Any, value: Any, start: int, right: Any) -> None:
    """Inputs of all times into `right` (observation, time, feature)."""
    length = row[TIMES] * row[FEATURES]
    turn_rows(value, row[SOURCE], length, start, right, 0, length)


@jit
def turn_states(row: Any, kept: int, value: Any, start: int, right: Any) -> None:
    """h of all times but the last into `right` (observation, time, unit)."""
    units, length = row[UNITS], row[TIMES] * row[UNITS]
    for t in range(row[TIMES] - 1):
        turn_rows(value, hidden_row(row, t, kept), units, start, right, t * units, length)


@jit
def vectors_for(n: int, itemsize: int) -> int:
    """Vectors that hold n elements."""
    return (n * itemsize + VECTOR_BYTES - 1) // VECTOR_BYTES


@jit
def gradient_sums(row: Any, kept: int, value: Any, delta: Any, gates: int, step: int, n_gates: int, of_input: Any,
                  of_state: Any, m: int) -> None:
    """Sums over times and observations of (delta of a gate row) times (input), and times (state before).

    Parameters
    ----------
    gates, step, n_gates : int
        First gate row at time 0, rows from one time to the next, gate rows of a time.
    of_input : (n_gates, whole vectors for the features) array
    of_state : (n_gates, whole vectors for the units) array
        Both are added to.
    """
    times, features, units = row[TIMES], row[FEATURES], row[UNITS]
    left = aligned(1, LANES * times * n_gates + SLACK, value)[0]
    inputs = aligned(1, LANES * times * features + SLACK, value)[0]
    states = aligned(1, LANES * times * units + SLACK, value)[0]
    x_step, h_step = of_input.shape[1], of_state.shape[1]
    x_sums, h_sums = of_input.reshape(-1), of_state.reshape(-1)
    for start in range(0, m, LANES):
        turn_gates(row, delta, gates, step, n_gates, start, left)
        turn_inputs(row, value, start, inputs)
        turn_states(row, kept, value, start, states)
        for i in range(LANES):
            at = i * times * n_gates
            outer_sums(x_sums, 0, x_step, n_gates, vectors_for(features, value.itemsize), left, at, 0, n_gates, inputs,
                       i * times * features, 0, features, 1, times)
            outer_sums(h_sums, 0, h_step, n_gates, vectors_for(units, value.itemsize), left, at + n_gates, 0, n_gates,
                       states, i * times * units, 0, units, 1, times - 1)


@jit
def room_for(n_gates: int, n: int, like: Any) -> Any:
    """Zeros for `gradient_sums`: whole vectors for n elements in each row."""
    return np.zeros((n_gates, vectors_for(n, like.itemsize) * VECTOR_BYTES // like.itemsize), like.dtype)


@jit
def total_of(delta: Any, first: int, step: int, times: int, m: int) -> Any:
    """Sum of `delta` over observations and times of one row of a time."""
    total = delta[first, 0] * 0
    for t in range(times):
        line = delta[first + t * step]
        for i in range(m):
            total += line[i]
    return total
