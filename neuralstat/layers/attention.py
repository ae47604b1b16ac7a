"""Scaled dot-product attention of several heads (Vaswani et al. 2017, NeurIPS 30), and vectors added by position.

The units that are read hold queries (T, heads dk), keys (S, heads dk) and values (S, heads dv), one after the other. With
``p = softmax(q k' / sqrt(dk))`` over the keys that a time may see, what comes out is ``p v``, (T, heads dv). A time that may
see no key takes the mean of all values, as in Keras. Scratch: p, (heads, T, S); with dropout, which sets some p to 0 in
training, its factors, less 1, as many (zero in prediction).
"""

from __future__ import annotations

import math
from typing import Any

import numpy as np

from ..jit.compile import jit
from ..jit.late import late
from ..jit.random import DROPOUT, philox
from ..jit.scalar import exp_, real_
from ..jit.vectors import fill_rows
from .codes import (
    ATTENTION,
    COLS,
    FEATURES,
    KERNEL_ROWS,
    KIND,
    MASK,
    N_IN,
    OP,
    OPTIONS,
    PARAM,
    SCRATCH,
    SOURCE,
    TARGET,
    TIMES,
    UNITS,
)
from .recurrent_rows import DROPS

KEYS, HEADS = COLS, KIND
QUERY_MASK = KERNEL_ROWS  # first row of the mask beside the queries; -1 for none. MASK is that beside the keys
CAUSAL = 1  # OPTIONS: no time sees later ones; and `DROPS`


@jit
def seen(row: Any, value: Any, t: int, s: int, i: int) -> bool:
    """Whether observation i's query at time t may see the key at time s."""
    if row[OPTIONS] & CAUSAL != 0 and s > t:
        return False
    if row[MASK] >= 0 and real_(value[row[MASK] + s, i]) == 0:
        return False
    return row[QUERY_MASK] < 0 or real_(value[row[QUERY_MASK] + t, i]) != 0


@jit
def scores(row: Any) -> int:
    """How many there are."""
    return row[HEADS] * row[TIMES] * row[KEYS]


@jit
def is_dropping_scores(row: Any) -> bool:
    """Whether a row of the table is attention with dropout."""
    return row[OP] == ATTENTION and row[OPTIONS] & DROPS != 0


@late
def keep_scores(row: Any, value: Any) -> None:
    """Nothing is dropped, as in prediction."""
    first = row[SCRATCH] + scores(row)
    fill_rows(value, first, first + scores(row), value.shape[1], 0)


@late
def drop_scores(row: Any, rate: float, value: Any, key: Any, step: int, order: Any, first: int, m: int) -> None:
    """Draw the factors of m observations; see `dropout.drop`."""
    cut = np.uint64(rate * 4294967296.0)
    kept = 1.0 / (1.0 - rate) - 1.0
    n = scores(row)
    for k in range(0, n, 4):
        at = row[SCRATCH] + n + k
        for i in range(m):
            observation = order[first + i] if order.size > 0 else first + i
            words = philox(np.uint64(at), np.uint64(observation), np.uint64(step), np.uint64(DROPOUT), key[0], key[1])
            value[at, i] = -1.0 if words[0] < cut else kept
            if k + 1 < n:
                value[at + 1, i] = -1.0 if words[1] < cut else kept
            if k + 2 < n:
                value[at + 2, i] = -1.0 if words[2] < cut else kept
            if k + 3 < n:
                value[at + 3, i] = -1.0 if words[3] < cut else kept


@jit
def attend(row: Any, value: Any, at: int, t: int, i: int) -> None:
    """From scores of time t, in rows `at`, ... of observation i, to probabilities."""
    keys = row[KEYS]
    top, n = real_(value[at, i]), 0
    for s in range(keys):
        if seen(row, value, t, s, i):
            x = real_(value[at + s, i])
            top = x if n == 0 or x > top else top
            n += 1
    total = value[at, i] * 0
    for s in range(keys):
        p = total * 0
        if n == 0:
            p = p + 1
        elif seen(row, value, t, s, i):
            p = exp_(value[at + s, i] - top)
        value[at + s, i] = p
        total += p
    for s in range(keys):
        value[at + s, i] = value[at + s, i] / total


@jit
def attention_forward(row: Any, value: Any, lane: int, m: int, lanes: int) -> None:
    """Units; see `dense_forward`."""
    times, keys, heads, each, out = row[TIMES], row[KEYS], row[HEADS], row[FEATURES], row[UNITS]
    k0 = row[SOURCE] + times * heads * each
    v0 = k0 + keys * heads * each
    scale = 1 / math.sqrt(each)
    drops, n = row[OPTIONS] & DROPS != 0, scores(row)
    for h in range(heads):
        for t in range(times):
            at, q = row[SCRATCH] + (h * times + t) * keys, row[SOURCE] + (t * heads + h) * each
            for s in range(keys):
                k = k0 + (s * heads + h) * each
                for i in range(lane, m, lanes):
                    value[at + s, i] = 0
                for j in range(each):
                    for i in range(lane, m, lanes):
                        value[at + s, i] += value[q + j, i] * value[k + j, i]
                for i in range(lane, m, lanes):
                    value[at + s, i] *= scale
            for i in range(lane, m, lanes):
                attend(row, value, at, t, i)
            to = row[TARGET] + (t * heads + h) * out
            for j in range(out):
                for i in range(lane, m, lanes):
                    value[to + j, i] = 0
                for s in range(keys):
                    v = v0 + (s * heads + h) * out + j
                    if drops:
                        for i in range(lane, m, lanes):
                            value[to + j, i] += value[at + s, i] * (1 + value[at + n + s, i]) * value[v, i]
                    else:
                        for i in range(lane, m, lanes):
                            value[to + j, i] += value[at + s, i] * value[v, i]


@jit
def scores_back(row: Any, value: Any, delta: Any, at: int, t: int, i: int) -> None:
    """From d loss / d probabilities of time t, in rows `at`, ... of `delta`, to d loss / d ``q k'``."""
    scale = 1 / math.sqrt(row[FEATURES])
    mean = delta[at, i] * 0
    for s in range(row[KEYS]):
        mean += value[at + s, i] * delta[at + s, i]
    for s in range(row[KEYS]):
        d = delta[at + s, i] * 0
        if seen(row, value, t, s, i):
            d = value[at + s, i] * (delta[at + s, i] - mean) * scale
        delta[at + s, i] = d


@jit
def attention_backward(row: Any, value: Any, delta: Any, lane: int, m: int, lanes: int) -> None:
    """d loss / d inputs, written to the source rows of `delta`; its scratch rows hold the derivatives in the scores."""
    times, keys, heads, each, out = row[TIMES], row[KEYS], row[HEADS], row[FEATURES], row[UNITS]
    k0 = row[SOURCE] + times * heads * each
    v0 = k0 + keys * heads * each
    drops, n = row[OPTIONS] & DROPS != 0, scores(row)
    for u in range(row[SOURCE], row[SOURCE] + row[N_IN]):
        for i in range(lane, m, lanes):
            delta[u, i] = 0
    for h in range(heads):
        for t in range(times):
            at, q = row[SCRATCH] + (h * times + t) * keys, row[SOURCE] + (t * heads + h) * each
            to = row[TARGET] + (t * heads + h) * out
            for s in range(keys):
                v = v0 + (s * heads + h) * out
                for i in range(lane, m, lanes):
                    delta[at + s, i] = 0
                for j in range(out):
                    if drops:
                        for i in range(lane, m, lanes):
                            factor = 1 + value[at + n + s, i]
                            delta[at + s, i] += delta[to + j, i] * value[v + j, i] * factor
                            delta[v + j, i] += delta[to + j, i] * value[at + s, i] * factor
                    else:
                        for i in range(lane, m, lanes):
                            delta[at + s, i] += delta[to + j, i] * value[v + j, i]
                            delta[v + j, i] += delta[to + j, i] * value[at + s, i]
            for i in range(lane, m, lanes):
                scores_back(row, value, delta, at, t, i)
            for s in range(keys):
                k = k0 + (s * heads + h) * each
                for j in range(each):
                    for i in range(lane, m, lanes):
                        delta[q + j, i] += delta[at + s, i] * value[k + j, i]
                        delta[k + j, i] += delta[at + s, i] * value[q + j, i]


@jit
def position_forward(row: Any, theta: Any, value: Any, lane: int, m: int, lanes: int) -> None:
    """Units plus a weight for each of them; see `dense_forward`."""
    for u in range(row[N_IN]):
        w = theta[row[PARAM] + u]
        for i in range(lane, m, lanes):
            value[row[TARGET] + u, i] = value[row[SOURCE] + u, i] + w


@jit
def position_backward(row: Any, delta: Any, lane: int, m: int, lanes: int) -> None:
    """d loss / d inputs, written to the source rows of `delta`."""
    for u in range(row[N_IN]):
        for i in range(lane, m, lanes):
            delta[row[SOURCE] + u, i] = delta[row[TARGET] + u, i]


@jit
def position_gradient(row: Any, delta: Any, grad: Any, lane: int, m: int, lanes: int) -> None:
    """Add d loss / d weights; the lanes share the weights."""
    for u in range(lane, row[N_IN], lanes):
        total = grad[row[PARAM] + u]
        for i in range(m):
            total += delta[row[TARGET] + u, i]
        grad[row[PARAM] + u] = total
