"""Where what a recurrent layer reads and writes lies, and its variants.

Variants are bits of the column `codes.OPTIONS`, see below. A step t reads the inputs of time `time_of` (t), and the mask
there: where it is 0 the state stays as it was (zeros before the first step). Dropout's factors, less 1, lie in scratch
rows after those of the gates and of h: of the inputs, then of the state, once or for every gate; then, as often, inputs
and states of all steps times their factors, for the CPU's vector code.
"""

from __future__ import annotations

from typing import Any

import numpy as np

from ..jit.compile import jit
from ..jit.late import late
from ..jit.random import DROPOUT, philox
from ..jit.vectors import fill_rows
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
    SCRATCH,
    SEQUENCES,
    SIMPLE_RNN,
    SOURCE,
    TARGET,
    TIMES,
    UNITS,
)

BACKWARDS, NO_BIAS, OTHER, DROPS, BY_GATE, RESET_FIRST = 1, 2, 4, 8, 16, 32
# the last time first; no biases; activations other than tanh and logistic; dropout, and with factors of each gate; a GRU's
# reset gate before the product
SQUASH, GATE = KIND, COLS  # columns: activation of candidates and cells, and of gates
OF_INPUT, OF_STATE = KERNEL_ROWS, KERNEL_COLS  # columns: share that is dropped, times 2^32


@jit
def hidden_row(row: Any, t: int, kept: int) -> int:
    """First row that holds h at time t; `kept` scratch rows for each unit and time come before."""
    if row[SEQUENCES] != 0:
        return row[TARGET] + t * row[UNITS]
    if t == row[TIMES] - 1:
        return row[TARGET]
    return row[SCRATCH] + row[TIMES] * kept * row[UNITS] + t * row[UNITS]


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
def groups_of(row: Any, gates: int) -> int:
    """How many sets of factors there are."""
    return gates if row[OPTIONS] & BY_GATE != 0 else 1


@jit
def input_copy(row: Any, kept: int, gates: int, g: int, t: int) -> int:
    """First row of the inputs of step t times set g of the factors."""
    first = factors_row(row, kept) + groups_of(row, gates) * (row[FEATURES] + row[UNITS])
    return first + (g * row[TIMES] + t) * row[FEATURES]


@jit
def state_copy(row: Any, kept: int, gates: int, g: int, t: int) -> int:
    """First row of the state before step t times set g of the factors."""
    n = groups_of(row, gates)
    return input_copy(row, kept, gates, n, 0) + (g * row[TIMES] + t) * row[UNITS]


@jit
def is_dropping(row: Any) -> bool:
    """Whether a row of the table is a recurrent layer with dropout."""
    return (row[OP] == LSTM or row[OP] == GRU or row[OP] == SIMPLE_RNN) and row[OPTIONS] & DROPS != 0


@late
def keep_factors(row: Any, value: Any) -> None:
    """Nothing is dropped, as in prediction."""
    first = factors_row(row, kept_of(row[OP]))
    fill_rows(value, first, first + n_factors(row), value.shape[1], 0)


@late
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
