"""Masks: rows of 0 and 1, one for each time, beside the units of a layer; and means over the times that are there."""

from __future__ import annotations

from typing import Any

from ..jit.compile import jit
from ..jit.scalar import real_
from .codes import CHANNELS, KIND, MASK, N_IN, N_OUT, SOURCE, TARGET

FOUND, APPLIED = 0, 1  # column KIND: the mask is made of the inputs, or another layer's is applied to them


@jit
def masking_forward(row: Any, constant: float, value: Any, lane: int, m: int, lanes: int) -> None:
    """Inputs, but 0 at masked times: where all features are `constant`, or where a mask says so. See `dense_forward`."""
    features = row[CHANNELS]
    for t in range(row[N_IN] // features):
        s, to = row[SOURCE] + t * features, row[TARGET] + t * features
        for i in range(lane, m, lanes):
            if row[KIND] == FOUND:
                there = False
                for j in range(features):
                    there = there or real_(value[s + j, i]) != constant
                value[row[MASK] + t, i] = 1 if there else 0
            there = real_(value[row[MASK] + t, i]) != 0
            for j in range(features):
                value[to + j, i] = 0
                if there:
                    value[to + j, i] = value[s + j, i]


@jit
def masking_backward(row: Any, value: Any, delta: Any, lane: int, m: int, lanes: int) -> None:
    """d loss / d inputs, written to the source rows of `delta`."""
    features = row[CHANNELS]
    for u in range(row[N_IN]):
        mask = row[MASK] + u // features
        for i in range(lane, m, lanes):
            delta[row[SOURCE] + u, i] = 0
            if real_(value[mask, i]) != 0:
                delta[row[SOURCE] + u, i] = delta[row[TARGET] + u, i]


@jit
def masked_mean_forward(row: Any, value: Any, lane: int, m: int, lanes: int) -> None:
    """Means over the times of the mask; 0 where there is none."""
    features = row[N_OUT]
    times = row[N_IN] // features
    for j in range(features):
        for i in range(lane, m, lanes):
            value[row[TARGET] + j, i] = 0
            total, n = value[row[TARGET] + j, i], 0
            for t in range(times):
                if real_(value[row[MASK] + t, i]) != 0:
                    total += value[row[SOURCE] + t * features + j, i]
                    n += 1
            value[row[TARGET] + j, i] = total / max(n, 1)


@jit
def masked_mean_backward(row: Any, value: Any, delta: Any, lane: int, m: int, lanes: int) -> None:
    """d loss / d inputs, written to the source rows of `delta`."""
    features = row[N_OUT]
    times = row[N_IN] // features
    for i in range(lane, m, lanes):
        n = 0
        for t in range(times):
            n += 1 if real_(value[row[MASK] + t, i]) != 0 else 0
        for t in range(times):
            there = real_(value[row[MASK] + t, i]) != 0
            for j in range(features):
                delta[row[SOURCE] + t * features + j, i] = 0
                if there:
                    delta[row[SOURCE] + t * features + j, i] = delta[row[TARGET] + j, i] / n
