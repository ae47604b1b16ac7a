"""Where fits of distributions begin: moments of responses, by sums over rows, wherever these are.

A generator yields sums ``(function, arguments)`` over rows, arrays ``function(y, w, *arguments)`` of responses (L, n) and
case weights (n,), is sent their values, and returns linear predictors.
"""

from __future__ import annotations

from collections.abc import Callable, Generator
from typing import Any

import numpy as np

Sums = tuple[Callable[..., np.ndarray], tuple[Any, ...]]
Beginning = Generator[Sums, np.ndarray, Any]
Pick = Callable[[np.ndarray, np.ndarray], tuple[np.ndarray, np.ndarray]]


def answered(beginning: Beginning, total: Callable[..., np.ndarray]) -> Any:
    """What a generator returns, where ``total(function, *arguments)`` gives the sums."""
    answer: Any = None
    while True:
        try:
            function, arguments = beginning.send(answer)
        except StopIteration as end:
            return end.value
        answer = total(function, *arguments)


def first(y: np.ndarray, w: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """The first response."""
    return y[0], w


def moments(pick: Pick = first) -> Generator[Sums, np.ndarray, tuple[float, float]]:
    """Weighted mean and variance of what `pick` takes of the responses."""
    total, whole = yield _mean, (pick,)
    mean = float(whole / total)
    square = yield _square, (pick, mean)
    return mean, float(square / total)


def _mean(y: np.ndarray, w: np.ndarray, pick: Pick) -> np.ndarray:
    values, weights = pick(y, w)
    return np.array([weights.sum(), values @ weights])


def _square(y: np.ndarray, w: np.ndarray, pick: Pick, mean: float) -> np.ndarray:
    values, weights = pick(y, w)
    return np.asarray(np.square(values - mean) @ weights)
