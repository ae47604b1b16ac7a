"""Layers that disturb their units in training: noise that is added, random factors, dropout that keeps mean and variance.

What is drawn lies in the scratch rows; zero there is prediction. Training draws before it goes forward.
"""

from __future__ import annotations

import math
from typing import Any

import numpy as np

from ..jit.buffers import few_floats
from ..jit.compile import jit
from ..jit.late import late
from ..jit.random import DROPOUT, philox
from ..jit.scalar import real_
from .codes import KIND, N_IN, SCRATCH, SOURCE, TARGET

ADDED, FACTOR, ALPHA = range(3)  # kinds: `GaussianNoise`, `GaussianDropout`, `AlphaDropout`
DROPPED = -1.7580993408473766  # what alpha dropout sets units to: -1.0507 times 1.6733, where selu ends


@jit
def alpha_moments(rate: float) -> Any:
    """Factor and term that give units back mean 0 and variance 1 after alpha dropout (Klambauer et al. 2017, NIPS 30)."""
    factor = ((1 - rate) * (1 + rate * DROPPED * DROPPED)) ** -0.5
    return factor, -factor * DROPPED * rate


@jit
def noise_forward(row: Any, constant: float, value: Any, lane: int, m: int, lanes: int) -> None:
    """Disturbed units; see `dense_forward`."""
    factor, term = alpha_moments(constant) if row[KIND] == ALPHA else (1.0, 0.0)
    for u in range(row[N_IN]):
        for i in range(lane, m, lanes):
            x, drawn = value[row[SOURCE] + u, i], value[row[SCRATCH] + u, i]
            if row[KIND] == ADDED:
                x = x + drawn
            elif row[KIND] == FACTOR:
                x = x * (1 + drawn)
            elif real_(drawn) == -1:
                x = x * 0 + (factor * DROPPED + term)
            elif real_(drawn) != 0:
                x = x * (1 + drawn) + term
            value[row[TARGET] + u, i] = x


@jit
def noise_backward(row: Any, value: Any, delta: Any, lane: int, m: int, lanes: int) -> None:
    """d loss / d inputs, written to the source rows of `delta`."""
    for u in range(row[N_IN]):
        for i in range(lane, m, lanes):
            factor = 1 + (value[row[SCRATCH] + u, i] if row[KIND] != ADDED else value[row[SCRATCH] + u, i] * 0)
            delta[row[SOURCE] + u, i] = delta[row[TARGET] + u, i] * factor


@jit
def normal_pair(first: Any, second: Any) -> Any:
    """Two standard normal numbers of two words of 32 bits (Box & Muller 1958, Ann. Math. Stat. 29:610)."""
    radius = math.sqrt(-2 * math.log((float(first) + 0.5) * 2.3283064365386963e-10))
    angle = 6.283185307179586 * ((float(second) + 0.5) * 2.3283064365386963e-10)
    return radius * math.cos(angle), radius * math.sin(angle)


@late
def disturb(row: Any, constant: float, value: Any, key: Any, step: int, order: Any, first: int, m: int) -> None:
    """Draw for m observations; see `dropout.drop` for the arguments."""
    units, spread, kept, cut = row[N_IN], float(constant), 0.0, np.uint64(0)
    if row[KIND] == FACTOR:
        spread = np.sqrt(constant / (1 - constant))
    elif row[KIND] == ALPHA:
        kept = alpha_moments(constant)[0] - 1
        cut = np.uint64(constant * 4294967296.0)
    drawn = few_floats(4)
    for u in range(0, units, 4):
        for i in range(m):
            observation = order[first + i] if order.size > 0 else first + i
            words = philox(
                np.uint64(row[TARGET] + u), np.uint64(observation), np.uint64(step), np.uint64(DROPOUT), key[0], key[1]
            )
            if row[KIND] == ALPHA:
                drawn[0], drawn[1] = -1.0 if words[0] < cut else kept, -1.0 if words[1] < cut else kept
                drawn[2], drawn[3] = -1.0 if words[2] < cut else kept, -1.0 if words[3] < cut else kept
            else:
                one, two = normal_pair(words[0], words[1])
                three, four = normal_pair(words[2], words[3])
                drawn[0], drawn[1], drawn[2], drawn[3] = spread * one, spread * two, spread * three, spread * four
            for j in range(min(4, units - u)):
                value[row[SCRATCH] + u + j, i] = drawn[j]
