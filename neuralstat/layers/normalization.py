"""Batch normalisation (Ioffe & Szegedy 2015, ICML 37:448) over the last axis, as in Keras.

Weights, channel by channel: beta, gamma, moving mean, moving variance. The first scratch row holds, in its first
element, the number of observations of a training batch; zero there is prediction, which uses the moving averages. Then
for each channel a row: mean, 1 / sd, variance, and the factor and the term that are applied.
"""

from __future__ import annotations

from typing import Any

import numpy as np

from ..jit.compile import jit
from ..jit.scalar import real_
from .codes import CHANNELS, N_IN, PARAM, SCRATCH, SOURCE, TARGET

GROUP = 4  # weights of a channel


@jit
def _moments(row: Any, value: Any, k: int, n: int, line: Any) -> None:
    """Mean and variance of channel k over n observations and all positions, into `line`."""
    channels = row[CHANNELS]
    size = n * (row[N_IN] // channels)
    total = line[0] * 0
    for s in range(row[SOURCE] + k, row[SOURCE] + row[N_IN], channels):
        for i in range(n):
            total += value[s, i]
    line[0] = total / size
    mean = line[0]
    total = mean * 0
    for s in range(row[SOURCE] + k, row[SOURCE] + row[N_IN], channels):
        for i in range(n):
            total += (value[s, i] - mean) * (value[s, i] - mean)
    line[2] = total / size


@jit
def batch_norm_forward(row: Any, epsilon: float, theta: Any, value: Any, m: int) -> None:
    """Normalised units of m observations (one lane)."""
    channels = row[CHANNELS]
    n = int(real_(value[row[SCRATCH], 0]))
    for k in range(channels):
        w, line = row[PARAM] + GROUP * k, value[row[SCRATCH] + 1 + k]
        if n > 0:
            _moments(row, value, k, n, line)
        else:
            line[0], line[2] = theta[w + 2], theta[w + 3]
        line[1] = 1 / np.sqrt(line[2] + epsilon)
        line[3] = theta[w + 1] * line[1]
        line[4] = theta[w] - line[0] * line[3]
        factor, term = line[3], line[4]
        for u in range(k, row[N_IN], channels):
            for i in range(m):
                value[row[TARGET] + u, i] = value[row[SOURCE] + u, i] * factor + term


@jit
def _sums(row: Any, value: Any, delta: Any, k: int, m: int) -> Any:
    """Sums of d loss / d y of a channel, and of its product with the normalised input."""
    line = value[row[SCRATCH] + 1 + k]
    mean, scale = line[0], line[1]
    plain, product = mean * 0, mean * 0
    for u in range(k, row[N_IN], row[CHANNELS]):
        for i in range(m):
            d = delta[row[TARGET] + u, i]
            plain += d
            product += d * ((value[row[SOURCE] + u, i] - mean) * scale)
    return plain, product


@jit
def batch_norm_backward(row: Any, value: Any, delta: Any, m: int) -> None:
    """d loss / d inputs, written to the source rows of `delta`; in training through mean and variance, too."""
    channels = row[CHANNELS]
    n = int(real_(value[row[SCRATCH], 0]))
    size = n * (row[N_IN] // channels)
    for k in range(channels):
        line = value[row[SCRATCH] + 1 + k]
        mean, scale, factor = line[0], line[1], line[3]
        if n > 0:
            plain, product = _sums(row, value, delta, k, n)
            line[5], line[6] = plain / size, product / size
            plain, product = line[5], line[6]
        else:
            plain, product = mean * 0, mean * 0
        for u in range(k, row[N_IN], channels):
            for i in range(n if n > 0 else m):
                x = (value[row[SOURCE] + u, i] - mean) * scale
                delta[row[SOURCE] + u, i] = factor * (delta[row[TARGET] + u, i] - plain - x * product)
            if n > 0:
                for i in range(n, m):
                    delta[row[SOURCE] + u, i] = 0


@jit
def batch_norm_gradient(row: Any, value: Any, delta: Any, grad: Any, m: int) -> None:
    """Add d loss / d beta and d loss / d gamma. The moving averages have no gradient."""
    for k in range(row[CHANNELS]):
        plain, product = _sums(row, value, delta, k, m)
        w = row[PARAM] + GROUP * k
        grad[w] += plain
        grad[w + 1] += product


@jit
def move_averages(row: Any, momentum: float, theta: Any, value: Any) -> None:
    """Move the moving averages toward the moments of the batch that went forward last."""
    for k in range(row[CHANNELS]):
        w, line = row[PARAM] + GROUP * k, value[row[SCRATCH] + 1 + k]
        theta[w + 2] = theta[w + 2] * momentum + line[0] * (1 - momentum)
        theta[w + 3] = theta[w + 3] * momentum + line[2] * (1 - momentum)
