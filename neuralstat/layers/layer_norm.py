"""Normalisation of every observation by itself, over the last axis, or over groups of channels and all positions.

Ba, Kiros & Hinton 2016, arXiv:1607.06450; Wu & He 2018, ECCV, 3.

Units are divided into sets: ROWS neighbouring positions by UNITS neighbouring channels each. Weights, channel by channel:
beta, gamma. Scratch: for each set two rows, its mean and 1 / sd; going back, in `delta`, two means of derivatives.
"""

from __future__ import annotations

from typing import Any

from ..jit.compile import jit
from .codes import CHANNELS, N_IN, PARAM, ROWS, SCRATCH, SOURCE, TARGET, UNITS


@jit
def _unit(row: Any, b: int, j: int) -> int:
    """Unit j of set b, counted from 0."""
    channels, own = row[CHANNELS], row[UNITS]
    groups = channels // own
    position = b // groups * row[ROWS] + j // own
    return position * channels + b % groups * own + j % own


@jit
def layer_norm_forward(row: Any, epsilon: float, theta: Any, value: Any, lane: int, m: int, lanes: int) -> None:
    """Normalised units, scaled by gamma and shifted by beta; see `dense_forward`."""
    size = row[ROWS] * row[UNITS]
    for b in range(row[N_IN] // size):
        mean, scale = row[SCRATCH] + 2 * b, row[SCRATCH] + 2 * b + 1
        for i in range(lane, m, lanes):
            value[mean, i] = 0
            value[scale, i] = 0
        for j in range(size):
            s = row[SOURCE] + _unit(row, b, j)
            for i in range(lane, m, lanes):
                value[mean, i] += value[s, i]
        for i in range(lane, m, lanes):
            value[mean, i] = value[mean, i] / size
        for j in range(size):
            s = row[SOURCE] + _unit(row, b, j)
            for i in range(lane, m, lanes):
                value[scale, i] += (value[s, i] - value[mean, i]) * (value[s, i] - value[mean, i])
        for i in range(lane, m, lanes):
            value[scale, i] = (value[scale, i] / size + epsilon) ** -0.5
        for j in range(size):
            u = _unit(row, b, j)
            w = row[PARAM] + 2 * (u % row[CHANNELS])
            for i in range(lane, m, lanes):
                x = (value[row[SOURCE] + u, i] - value[mean, i]) * value[scale, i]
                value[row[TARGET] + u, i] = theta[w] + theta[w + 1] * x


@jit
def layer_norm_backward(row: Any, theta: Any, value: Any, delta: Any, lane: int, m: int, lanes: int) -> None:
    """d loss / d inputs, written to the source rows of `delta`."""
    size = row[ROWS] * row[UNITS]
    for b in range(row[N_IN] // size):
        mean, scale = row[SCRATCH] + 2 * b, row[SCRATCH] + 2 * b + 1
        for i in range(lane, m, lanes):
            delta[mean, i] = 0
            delta[scale, i] = 0
        for j in range(size):
            u = _unit(row, b, j)
            gamma = theta[row[PARAM] + 2 * (u % row[CHANNELS]) + 1]
            for i in range(lane, m, lanes):
                d = gamma * delta[row[TARGET] + u, i]
                delta[mean, i] += d
                delta[scale, i] += d * ((value[row[SOURCE] + u, i] - value[mean, i]) * value[scale, i])
        for i in range(lane, m, lanes):
            delta[mean, i] = delta[mean, i] / size
            delta[scale, i] = delta[scale, i] / size
        for j in range(size):
            u = _unit(row, b, j)
            gamma = theta[row[PARAM] + 2 * (u % row[CHANNELS]) + 1]
            for i in range(lane, m, lanes):
                x = (value[row[SOURCE] + u, i] - value[mean, i]) * value[scale, i]
                d = gamma * delta[row[TARGET] + u, i] - delta[mean, i] - x * delta[scale, i]
                delta[row[SOURCE] + u, i] = d * value[scale, i]


@jit
def layer_norm_gradient(row: Any, value: Any, delta: Any, grad: Any, lane: int, m: int, lanes: int) -> None:
    """Add d loss / d beta and d loss / d gamma; the lanes share the channels."""
    channels, groups = row[CHANNELS], row[CHANNELS] // row[UNITS]
    for u in range(row[N_IN]):
        k = u % channels
        if k % lanes != lane:
            continue
        b = u // channels // row[ROWS] * groups + k // row[UNITS]
        mean, scale, w = row[SCRATCH] + 2 * b, row[SCRATCH] + 2 * b + 1, row[PARAM] + 2 * k
        plain, product = grad[w], grad[w + 1]
        for i in range(m):
            d = delta[row[TARGET] + u, i]
            plain += d
            product += d * ((value[row[SOURCE] + u, i] - value[mean, i]) * value[scale, i])
        grad[w], grad[w + 1] = plain, product
