"""Rectifiers with weights of their own: PReLU (He, Zhang, Ren & Sun 2015, ICCV, 1026), and relu with three parameters.

A unit (row, column, channel) has the weight ``row STRIDE_ROWS + column STRIDE_COLS + channel STRIDE_CHANNELS``; strides of 0
share weights along an axis. With KIND 1 the weights are three numbers that are held, for all units: slope, threshold t and
limit of ``min(x, limit) if x > t else slope (x - t)``.
"""

from __future__ import annotations

from typing import Any

from ..jit.compile import jit
from ..jit.scalar import real_
from .codes import (
    CHANNELS,
    COLS,
    KIND,
    N_IN,
    PARAM,
    SOURCE,
    STRIDE_CHANNELS,
    STRIDE_COLS,
    STRIDE_ROWS,
    TARGET,
)

LEARNED, HELD = 0, 1  # kinds


@jit
def alpha_of(row: Any, u: int) -> int:
    """Number of the weight of unit u."""
    channels, cols = row[CHANNELS], row[COLS]
    k, p = u % channels, u // channels
    return p // cols * row[STRIDE_ROWS] + p % cols * row[STRIDE_COLS] + k * row[STRIDE_CHANNELS]


@jit
def prelu_forward(row: Any, theta: Any, value: Any, lane: int, m: int, lanes: int) -> None:
    """Units; see `dense_forward`."""
    for u in range(row[N_IN]):
        if row[KIND] == HELD:
            slope, threshold, limit = theta[row[PARAM]], theta[row[PARAM] + 1], theta[row[PARAM] + 2]
            for i in range(lane, m, lanes):
                x = value[row[SOURCE] + u, i]
                if real_(x) <= real_(threshold):
                    x = slope * (x - threshold)
                elif real_(x) > real_(limit):
                    x = x * 0 + limit
                value[row[TARGET] + u, i] = x
        else:
            alpha = theta[row[PARAM] + alpha_of(row, u)]
            for i in range(lane, m, lanes):
                x = value[row[SOURCE] + u, i]
                value[row[TARGET] + u, i] = alpha * x if real_(x) <= 0 else x


@jit
def prelu_backward(row: Any, theta: Any, value: Any, delta: Any, lane: int, m: int, lanes: int) -> None:
    """d loss / d inputs, written to the source rows of `delta`; 0 at 0, as Keras has it."""
    for u in range(row[N_IN]):
        low, high, limit = theta[row[PARAM]] * 0, theta[row[PARAM]] * 0, theta[row[PARAM]] * 0
        if row[KIND] == HELD:
            slope, low, high, limit = theta[row[PARAM]], theta[row[PARAM] + 1], theta[row[PARAM] + 1], theta[row[PARAM] + 2]
        else:
            slope = theta[row[PARAM] + alpha_of(row, u)]
        for i in range(lane, m, lanes):
            x, d = value[row[SOURCE] + u, i], delta[row[TARGET] + u, i]
            if real_(x) < real_(low):
                d = slope * d
            elif real_(x) <= real_(high) or (row[KIND] == HELD and real_(x) >= real_(limit)):
                d = d * 0
            delta[row[SOURCE] + u, i] = d


@jit
def prelu_gradient(row: Any, value: Any, delta: Any, grad: Any, lane: int, m: int, lanes: int) -> None:
    """Add d loss / d weights; the lanes share the weights."""
    if row[KIND] == HELD:
        return
    for u in range(row[N_IN]):
        at = alpha_of(row, u)
        if at % lanes != lane:
            continue
        total = grad[row[PARAM] + at]
        for i in range(m):
            x = value[row[SOURCE] + u, i]
            if real_(x) < 0:
                total += delta[row[TARGET] + u, i] * x
        grad[row[PARAM] + at] = total
