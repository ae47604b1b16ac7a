"""Layers that pass their units on: as they are, or (dropout, in training) times a random factor.

Dropout's factors, less 1, lie in its scratch rows: zero there is prediction. Training draws them before it goes forward.
"""

from __future__ import annotations

from typing import Any

import numpy as np

from ..jit.compile import jit
from ..jit.late import late
from ..jit.random import DROPOUT, philox
from .codes import CHANNELS, KIND, N_IN, SCRATCH, SOURCE, TARGET

SPATIAL = 1  # kind: whole channels are dropped, at all positions


@jit
def copy_forward(row: Any, value: Any, lane: int, m: int, lanes: int) -> None:
    """Source rows to target rows; see `dense_forward`."""
    for u in range(row[N_IN]):
        for i in range(lane, m, lanes):
            value[row[TARGET] + u, i] = value[row[SOURCE] + u, i]


@jit
def copy_backward(row: Any, delta: Any, lane: int, m: int, lanes: int) -> None:
    """Target rows of `delta` to its source rows."""
    for u in range(row[N_IN]):
        for i in range(lane, m, lanes):
            delta[row[SOURCE] + u, i] = delta[row[TARGET] + u, i]


@jit
def dropout_forward(row: Any, value: Any, lane: int, m: int, lanes: int) -> None:
    """Units times their factors; see `dense_forward`."""
    for u in range(row[N_IN]):
        for i in range(lane, m, lanes):
            factor = 1 + value[row[SCRATCH] + u, i]
            value[row[TARGET] + u, i] = value[row[SOURCE] + u, i] * factor


@jit
def dropout_backward(row: Any, value: Any, delta: Any, lane: int, m: int, lanes: int) -> None:
    """d loss / d inputs, written to the source rows of `delta`."""
    for u in range(row[N_IN]):
        for i in range(lane, m, lanes):
            factor = 1 + value[row[SCRATCH] + u, i]
            delta[row[SOURCE] + u, i] = delta[row[TARGET] + u, i] * factor


@late
def drop(row: Any, rate: float, value: Any, key: Any, step: int, order: Any, first: int, m: int) -> None:
    """Draw the factors of m observations: -1 (dropped) with probability `rate`, else 1 / (1 - rate) - 1.

    Parameters
    ----------
    key : (2,) uint64 array
        Of the repetition.
    step : int
        Batches before this one.
    order, first : (n,) int64 array, int
        Observation i of the block is ``order[first + i]``, or ``first + i`` where `order` is empty.
    """
    cut = np.uint64(rate * 4294967296.0)
    kept = 1.0 / (1.0 - rate) - 1.0
    units = row[CHANNELS] if row[KIND] == SPATIAL else row[N_IN]
    for u in range(0, units, 4):
        for i in range(m):
            observation = order[first + i] if order.size > 0 else first + i
            words = philox(
                np.uint64(row[TARGET] + u), np.uint64(observation), np.uint64(step), np.uint64(DROPOUT), key[0], key[1]
            )
            at = row[SCRATCH] + u
            value[at, i] = -1.0 if words[0] < cut else kept
            if u + 1 < units:
                value[at + 1, i] = -1.0 if words[1] < cut else kept
            if u + 2 < units:
                value[at + 2, i] = -1.0 if words[2] < cut else kept
            if u + 3 < units:
                value[at + 3, i] = -1.0 if words[3] < cut else kept
    for u in range(units, row[N_IN]):
        for i in range(m):
            value[row[SCRATCH] + u, i] = value[row[SCRATCH] + u % units, i]
