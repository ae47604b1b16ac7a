"""What recurrent layers share: where h lies, their variants, and on a CPU their matrix products and gradients.

Variants are bits of the column `codes.OPTIONS`, see below. A step t reads the inputs of time `time_of` (t), and the mask
there: where it is 0 the state stays as it was (zeros before the first step). Dropout's factors, less 1, lie in scratch
rows after those of the gates and of h: of the inputs, then of the state, once or for every gate.
"""

from __future__ import annotations

from typing import Any

import numpy as np

from ..functions.activations import SELU_ALPHA, SELU_SCALE, logistic, tanh
from ..jit.buffers import aligned, row_length
from ..jit.compile import jit
from ..jit.random import DROPOUT, philox
from ..jit.scalar import exp_, expm1_, log1p_, real_
from ..jit.simd_gradients import LANES, SLACK, VECTOR_BYTES, outer_sums, total_rows, turn_rows
from ..jit.simd_sums import sum_rows
from .codes import (
    COLS,
    FEATURES,
    GRU,
    KERNEL_COLS,
    KERNEL_ROWS,
    KIND,
    LSTM,
    MASK,
    OP,
    OPTIONS,
    RECURRENT,
    SCRATCH,
    SEQUENCES,
    SOURCE,
    TARGET,
    TIMES,
    UNITS,
)

TURNED = 2**16  # bytes of gates that are turned round at a time

BACKWARDS, NO_BIAS, OTHER, DROPS, BY_GATE = 1, 2, 4, 8, 16
# the last time first; no biases; activations other than tanh and logistic; dropout, and with factors of each gate
SQUASH, GATE = KIND, COLS  # columns: activation of candidates and cells, and of gates
OF_INPUT, OF_STATE = KERNEL_ROWS, KERNEL_COLS  # columns: share that is dropped, times 2^32

#: Activations whose slopes are functions of their values
TANH, SIGMOID, LINEAR, RELU, HARD_SIGMOID, ELU, SELU, SOFTPLUS = range(8)
INSIDE = {"tanh": TANH, "sigmoid": SIGMOID, "logistic": SIGMOID, "linear": LINEAR, "identity": LINEAR, "relu": RELU,
          "hard_sigmoid": HARD_SIGMOID, "elu": ELU, "selu": SELU, "softplus": SOFTPLUS}  # fmt: skip


@jit(strict=True)
def squashed(code: int, z: Any) -> Any:
    """Activation `code` of z."""
    if code == TANH:
        return tanh(z, 0.0)[0]
    if code == SIGMOID:
        return logistic(z, 0.0)[0]
    if code == LINEAR:
        return z
    if code == HARD_SIGMOID:
        if real_(z) <= -3:
            return z * 0
        return z / 6 + 0.5 if real_(z) < 3 else z * 0 + 1
    if code == SOFTPLUS:
        return z + log1p_(exp_(-z)) if real_(z) > 0 else log1p_(exp_(z))
    if real_(z) > 0:
        return z * SELU_SCALE if code == SELU else z
    if code == RELU:
        return z * 0
    return expm1_(z) if code == ELU else expm1_(z) * (SELU_SCALE * SELU_ALPHA)


@jit(strict=True)
def slope_at(code: int, a: Any) -> Any:
    """Slope of activation `code` where its value is a."""
    if code == TANH:
        return 1 - a * a
    if code == SIGMOID:
        return a * (1 - a)
    if code == LINEAR:
        return a * 0 + 1
    if code == HARD_SIGMOID:
        return a * 0 + 1 / 6 if 0 < real_(a) < 1 else a * 0
    if code == SOFTPLUS:
        return -expm1_(-a)
    if real_(a) > 0:
        return a * 0 + SELU_SCALE if code == SELU else a * 0 + 1
    if code == RELU:
        return a * 0
    return a + 1 if code == ELU else a + SELU_SCALE * SELU_ALPHA


@jit
def time_of(row: Any, t: int) -> int:
    """Time of the inputs that step t reads."""
    return row[TIMES] - 1 - t if row[OPTIONS] & BACKWARDS != 0 else t


@jit
def input_row(row: Any, t: int) -> int:
    """First row of the inputs that step t reads."""
    return row[SOURCE] + time_of(row, t) * row[FEATURES]


@jit
def mask_row(row: Any, t: int) -> int:
    """Row of the mask of step t; negative for none."""
    return row[MASK] + time_of(row, t) if row[MASK] >= 0 else -1


@jit
def biases_of(row: Any, n: int) -> int:
    """Biases of a unit and gate: n, or none."""
    return 0 if row[OPTIONS] & NO_BIAS != 0 else n


@jit
def factors_row(row: Any, kept: int) -> int:
    """First row of dropout's factors; see `hidden_row` for `kept`."""
    rows = row[TIMES] * kept + (0 if row[SEQUENCES] != 0 else row[TIMES] - 1)
    return row[SCRATCH] + rows * row[UNITS]


@jit
def input_factors(row: Any, kept: int, gate: int) -> int:
    """First row of the factors of the inputs of a gate; negative where nothing is dropped."""
    if row[OPTIONS] & DROPS == 0:
        return -1
    return factors_row(row, kept) + (gate * row[FEATURES] if row[OPTIONS] & BY_GATE != 0 else 0)


@jit
def state_factors(row: Any, kept: int, gates: int, gate: int) -> int:
    """First row of the factors of the state for a gate, one of `gates`; negative where nothing is dropped."""
    if row[OPTIONS] & DROPS == 0:
        return -1
    if row[OPTIONS] & BY_GATE != 0:
        return factors_row(row, kept) + gates * row[FEATURES] + gate * row[UNITS]
    return factors_row(row, kept) + row[FEATURES]


@jit
def scaled(z: Any, value: Any, first: int, j: int, i: int) -> Any:
    """z times factor j of those that begin at a row; z where that is negative."""
    return z + z * value[first + j, i] if first >= 0 else z


@jit
def gates_of(op: int) -> int:
    """Gates of a kind of layer that have weights."""
    return 4 if op == LSTM else 3 if op == GRU else 1


@jit
def kept_of(op: int) -> int:
    """Scratch rows of a kind of layer, for each unit and time."""
    return 6 if op == LSTM else 4 if op == GRU else 0


@jit
def n_factors(row: Any) -> int:
    """Rows of dropout's factors."""
    if row[OPTIONS] & DROPS == 0:
        return 0
    return (row[FEATURES] + row[UNITS]) * (gates_of(row[OP]) if row[OPTIONS] & BY_GATE != 0 else 1)


@jit
def is_dropping(row: Any) -> bool:
    """Whether a row of the table is a recurrent layer with dropout."""
    return (row[OP] == LSTM or row[OP] == GRU or row[OP] == RECURRENT[1]) and row[OPTIONS] & DROPS != 0


@jit
def keep_factors(row: Any, value: Any) -> None:
    """Nothing is dropped, as in prediction."""
    first = factors_row(row, kept_of(row[OP]))
    value[first : first + n_factors(row), :] = 0


@jit
def drop_factors(row: Any, value: Any, key: Any, step: int, order: Any, first: int, m: int) -> None:
    """Draw the factors of m observations, the same at all times; see `dropout.drop`."""
    at, n = factors_row(row, kept_of(row[OP])), n_factors(row)
    inputs = n // (row[FEATURES] + row[UNITS]) * row[FEATURES]
    for k in range(n):
        dropped = row[OF_INPUT] if k < inputs else row[OF_STATE]
        cut = np.uint64(dropped)
        kept = 1.0 / (1.0 - dropped / 4294967296.0) - 1.0
        for i in range(m):
            observation = order[first + i] if order.size > 0 else first + i
            words = philox(
                np.uint64(at + k), np.uint64(observation), np.uint64(step), np.uint64(DROPOUT), key[0], key[1]
            )
            value[at + k, i] = -1.0 if words[0] < cut else kept


@jit
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


@jit
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
    run_of(segments, 0, input_row(row, t), row[FEATURES], 0)
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
    sum_rows(delta, input_row(row, t), row[FEATURES], to_input, length, 0, delta, of_input, n_input, m)
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
                turn_rows(value, input_row(row, t), features, start, inputs, k * LANES * features, features)
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
