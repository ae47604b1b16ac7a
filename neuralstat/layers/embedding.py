"""Embedding: integers, held as numbers, become rows of a matrix of weights (integer by integer)."""

from __future__ import annotations

from typing import Any

import numpy as np

from ..jit.compile import jit
from ..jit.scalar import real_
from .codes import FEATURES, MASK, N_IN, PARAM, SOURCE, TARGET, UNITS


@jit
def embedding_forward(row: Any, theta: Any, value: Any, lane: int, m: int, lanes: int) -> None:
    """The vector of every integer; NaN for what is none of 0 ... input_dim - 1. See `dense_forward`.

    Where the layer masks zeros, rows of the mask from MASK on are written, too.
    """
    length = row[FEATURES]
    for p in range(row[N_IN]):
        for i in range(lane, m, lanes):
            at = real_(value[row[SOURCE] + p, i])
            if row[MASK] >= 0:
                value[row[MASK] + p, i] = 0 if at == 0 else 1
            if 0 <= at < row[UNITS]:
                w = row[PARAM] + int(at) * length
                for j in range(length):
                    value[row[TARGET] + p * length + j, i] = theta[w + j]
            else:
                for j in range(length):
                    value[row[TARGET] + p * length + j, i] = np.nan


@jit
def embedding_backward(row: Any, delta: Any, lane: int, m: int, lanes: int) -> None:
    """The integers have no derivative."""
    for s in range(row[SOURCE], row[SOURCE] + row[N_IN]):
        for i in range(lane, m, lanes):
            delta[s, i] = 0


@jit
def embedding_gradient(row: Any, value: Any, delta: Any, grad: Any, lane: int, m: int, lanes: int) -> None:
    """Add d loss / d weights; the lanes share the elements of the vectors."""
    length = row[FEATURES]
    for j in range(lane, length, lanes):
        for p in range(row[N_IN]):
            for i in range(m):
                at = real_(value[row[SOURCE] + p, i])
                if 0 <= at < row[UNITS]:
                    grad[row[PARAM] + int(at) * length + j] += delta[row[TARGET] + p * length + j, i]
