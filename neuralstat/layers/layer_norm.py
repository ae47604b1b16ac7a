"""Normalisation of every observation by itself, over some axes, or over groups of channels and all positions.

Ba, Kiros & Hinton 2016, arXiv:1607.06450; Wu & He 2018, ECCV, 3.

Units are divided into sets. Unit j of set b lies at ``b // SETS SET_STEP + b % SETS SET_SIDE + j // OWN OWN_STEP + j % OWN
OWN_SIDE`` of the source. Weights are beta, gamma of each channel, or (KIND `EACH`) of each unit of a set. Scratch: for each
set two rows, its mean and 1 / sd; going back, in `delta`, two means of derivatives.
"""

from __future__ import annotations

from typing import Any

from ..jit.compile import jit
from .codes import (
    CHANNELS,
    COLS,
    DILATION_COLS,
    DILATION_ROWS,
    KERNEL_COLS,
    KERNEL_ROWS,
    KIND,
    N_IN,
    OPTIONS,
    OUT_COLS,
    PAD_COLS,
    PAD_ROWS,
    PARAM,
    ROWS,
    SCRATCH,
    SOURCE,
    STRIDE_COLS,
    STRIDE_ROWS,
    TARGET,
)

SIZE = ROWS  # units of a set
SETS, SET_STEP, SET_SIDE = COLS, STRIDE_ROWS, STRIDE_COLS
OWN, OWN_STEP, OWN_SIDE = OUT_COLS, KERNEL_ROWS, KERNEL_COLS
CHANNEL, EACH = 0, 1  # column KIND
AXES = OPTIONS  # of the weights' arrays, and their sizes
EXTENTS = PAD_ROWS, PAD_COLS, DILATION_ROWS, DILATION_COLS


def grid_of(row: Any) -> tuple[tuple[int, ...], list[int]]:
    """Units as an array of few axes, and those of it, from 1, that are normalised together."""
    sets, own = int(row[N_IN] // row[SIZE]), int(row[SIZE])
    runs = [(int(row[SET_STEP]), sets // int(row[SETS]), False), (int(row[SET_SIDE]), int(row[SETS]), False),
            (int(row[OWN_STEP]), own // int(row[OWN]), True), (int(row[OWN_SIDE]), int(row[OWN]), True)]  # fmt: skip
    kept = sorted((run for run in runs if run[1] > 1), reverse=True) or [(1, 1, True)]
    axes = [k + 1 for k, run in enumerate(kept) if run[2]]
    shape = tuple(run[1] for run in kept)
    return (shape, axes) if axes else ((*shape, 1), [len(shape) + 1])


@jit
def unit_at(row: Any, b: int, j: int) -> int:
    """Unit j of set b, counted from 0."""
    of_set = b // row[SETS] * row[SET_STEP] + b % row[SETS] * row[SET_SIDE]
    return of_set + j // row[OWN] * row[OWN_STEP] + j % row[OWN] * row[OWN_SIDE]


@jit
def weights_at(row: Any, u: int, j: int) -> int:
    """Place of beta of unit u, which is unit j of its set; that of gamma follows."""
    return row[PARAM] + 2 * (j if row[KIND] == EACH else u % row[CHANNELS])


@jit
def layer_norm_forward(row: Any, epsilon: float, theta: Any, value: Any, lane: int, m: int, lanes: int) -> None:
    """Normalised units, scaled by gamma and shifted by beta; see `dense_forward`."""
    size = row[SIZE]
    for b in range(row[N_IN] // size):
        mean, scale = row[SCRATCH] + 2 * b, row[SCRATCH] + 2 * b + 1
        for i in range(lane, m, lanes):
            value[mean, i] = 0
            value[scale, i] = 0
        for j in range(size):
            s = row[SOURCE] + unit_at(row, b, j)
            for i in range(lane, m, lanes):
                value[mean, i] += value[s, i]
        for i in range(lane, m, lanes):
            value[mean, i] = value[mean, i] / size
        for j in range(size):
            s = row[SOURCE] + unit_at(row, b, j)
            for i in range(lane, m, lanes):
                value[scale, i] += (value[s, i] - value[mean, i]) * (value[s, i] - value[mean, i])
        for i in range(lane, m, lanes):
            value[scale, i] = (value[scale, i] / size + epsilon) ** -0.5
        for j in range(size):
            u = unit_at(row, b, j)
            w = weights_at(row, u, j)
            for i in range(lane, m, lanes):
                x = (value[row[SOURCE] + u, i] - value[mean, i]) * value[scale, i]
                value[row[TARGET] + u, i] = theta[w] + theta[w + 1] * x


@jit
def layer_norm_backward(row: Any, theta: Any, value: Any, delta: Any, lane: int, m: int, lanes: int) -> None:
    """d loss / d inputs, written to the source rows of `delta`."""
    size = row[SIZE]
    for b in range(row[N_IN] // size):
        mean, scale = row[SCRATCH] + 2 * b, row[SCRATCH] + 2 * b + 1
        for i in range(lane, m, lanes):
            delta[mean, i] = 0
            delta[scale, i] = 0
        for j in range(size):
            u = unit_at(row, b, j)
            gamma = theta[weights_at(row, u, j) + 1]
            for i in range(lane, m, lanes):
                d = gamma * delta[row[TARGET] + u, i]
                delta[mean, i] += d
                delta[scale, i] += d * ((value[row[SOURCE] + u, i] - value[mean, i]) * value[scale, i])
        for i in range(lane, m, lanes):
            delta[mean, i] = delta[mean, i] / size
            delta[scale, i] = delta[scale, i] / size
        for j in range(size):
            u = unit_at(row, b, j)
            gamma = theta[weights_at(row, u, j) + 1]
            for i in range(lane, m, lanes):
                x = (value[row[SOURCE] + u, i] - value[mean, i]) * value[scale, i]
                d = gamma * delta[row[TARGET] + u, i] - delta[mean, i] - x * delta[scale, i]
                delta[row[SOURCE] + u, i] = d * value[scale, i]


@jit
def layer_norm_gradient(row: Any, value: Any, delta: Any, grad: Any, lane: int, m: int, lanes: int) -> None:
    """Add d loss / d beta and d loss / d gamma; the lanes share the weights."""
    size = row[SIZE]
    for b in range(row[N_IN] // size):
        mean, scale = row[SCRATCH] + 2 * b, row[SCRATCH] + 2 * b + 1
        for j in range(size):
            u = unit_at(row, b, j)
            w = weights_at(row, u, j)
            if (w - row[PARAM]) // 2 % lanes != lane:
                continue
            plain, product = grad[w], grad[w + 1]
            for i in range(m):
                d = delta[row[TARGET] + u, i]
                plain += d
                product += d * ((value[row[SOURCE] + u, i] - value[mean, i]) * value[scale, i])
            grad[w], grad[w + 1] = plain, product
