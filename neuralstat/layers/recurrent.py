"""What recurrent layers share: where h lies, and on a CPU their matrix products and gradients."""

from __future__ import annotations

from typing import Any

import numpy as np

from ..jit.buffers import aligned, row_length
from ..jit.compile import jit
from ..jit.simd_gradients import LANES, SLACK, VECTOR_BYTES, outer_sums, total_rows, turn_rows
from ..jit.simd_sums import sum_rows
from .codes import FEATURES, SCRATCH, SEQUENCES, SOURCE, TARGET, TIMES, UNITS

TURNED = 2**16  # bytes of gates that are turned round at a time


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
def vectors_for(n: int, itemsize: int) -> int:
    """Vectors that hold n elements."""
    return (n * itemsize + VECTOR_BYTES - 1) // VECTOR_BYTES


@jit
def gradient_sums(row: Any, kept: int, value: Any, delta: Any, gates: int, step: int, n_gates: int, of_input: Any,
                  of_state: Any, m: int) -> None:
    """Sums over times and observations of (delta of a gate row) times (input), and times (state before).

    Observations are turned round by `LANES`, for a few times at once: what is summed stays in the cache.

    Parameters
    ----------
    gates, step, n_gates : int
        First gate row at time 0 (negative: h is the gate), rows from one time to the next, gate rows of a time.
    of_input : (n_gates, whole vectors for the features) array
    of_state : (n_gates, whole vectors for the units) array
        Both are added to.
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
                turn_rows(value, row[SOURCE] + t * features, features, start, inputs, k * LANES * features, features)
                if t > 0:
                    turn_rows(value, hidden_row(row, t - 1, kept), units, start, states, k * LANES * units, units)
            none = LANES if first == 0 else 0  # before the first time there is no state
            _add_products(of_input, n_gates, left, apart, inputs, features, 0, n * LANES)
            _add_products(of_state, n_gates, left, apart, states, units, none, n * LANES - none)


@jit
def _add_products(sums: Any, n_gates: int, left: Any, apart: int, right: Any, n: int, skipped: int,
                  positions: int) -> None:
    """Add products of turned gates and n turned rows, summed over positions after the `skipped` first."""
    outer_sums(sums.reshape(-1), 0, sums.shape[1], n_gates, vectors_for(n, sums.itemsize), left, skipped * apart, 0,
               apart, right, skipped * n, 0, n, 1, positions)


@jit
def room_for(n_gates: int, n: int, like: Any) -> Any:
    """Zeros for `gradient_sums`: whole vectors for n elements in each row."""
    return np.zeros((n_gates, vectors_for(n, like.itemsize) * VECTOR_BYTES // like.itemsize), like.dtype)


@jit
def gate_totals(row: Any, delta: Any, step: int, n_gates: int, m: int) -> Any:
    """Sums of `delta` over observations and times of the `n_gates` gate rows of a time."""
    totals = np.zeros(n_gates, delta.dtype)
    total_rows(totals, delta, row[SCRATCH], n_gates, step, row[TIMES], m)
    return totals
