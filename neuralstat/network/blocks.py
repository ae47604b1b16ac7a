"""Derivatives of many observations, block after block, where sums of products or a number a row is all that is wanted.

A Jacobian of n observations, K outputs and P weights has n K P numbers, a hundred times the data. What statistics make of it
are sums over observations, such as J'WJ, and diagonals, such as that of J V J'. Blocks follow from n, K and P alone and are
added in their order, so that results are the same bits on any number of threads. A block has no more numbers than `NUMBERS`,
or than the matrix (P, P) that sums of products have anyway.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator
from typing import Any

import numpy as np

from ..engine import cpu
from . import derivatives
from .network import Network

NUMBERS = 2**17  # of derivatives that are held at a time (1 MB)
LEAST = 64  # observations
ROWS = 4096  # whose predictions are worked out at a time: a whole number of blocks of kernels


def parts(n: int, outputs: int, weights: int) -> list[slice]:
    """Blocks of n observations that have `outputs` times `weights` derivatives each."""
    step = max(NUMBERS // max(1, outputs * weights), weights // max(1, outputs), LEAST)
    return [slice(first, min(first + step, n)) for first in range(0, n, step)] or [slice(0, n)]


def of_numbers(n: int, each: int) -> list[slice]:
    """Blocks of n observations that have so many numbers each, where no matrix of their size is there anyway."""
    step = max(NUMBERS // max(1, each), LEAST)
    return [slice(first, min(first + step, n)) for first in range(0, n, step)] or [slice(0, n)]


def of_rows(n: int) -> list[slice]:
    """Blocks of n rows of which some numbers each are wanted on the way."""
    return [slice(first, min(first + ROWS, n)) for first in range(0, n, ROWS)] or [slice(0, n)]


def taken(data: cpu.Data, part: Any) -> cpu.Data:
    """Some of the observations, a slice or positions; all of them as they are."""
    n = data.x.shape[1]
    if isinstance(part, slice) and part.stop - part.start == n:
        return data
    if data.rows.size:
        raise ValueError("data that are seen by rows have no blocks.")

    def some(values: np.ndarray) -> np.ndarray:
        return np.ascontiguousarray(values[..., part]) if values.shape[-1] == n else values

    return data._replace(x=some(data.x), y=some(data.y), weight=some(data.weight), offset=some(data.offset))


def _blocks(
    network: Network, data: cpu.Data, among: int, work: Callable[[cpu.Data], np.ndarray]
) -> Iterator[tuple[slice, np.ndarray]]:
    n = data.x.shape[1]
    for part in [slice(0, n)] if data.rows.size else parts(n, network.n_outputs, among * network.n_params):
        yield part, work(taken(data, part))


def jacobians(
    network: Network, data: cpu.Data, theta: np.ndarray, among: int = 1
) -> Iterator[tuple[slice, np.ndarray]]:
    """Blocks of `derivatives.jacobian`: which observations, and their (K, m, P); of size to hold `among` at a time."""
    return _blocks(network, data, among, lambda some: derivatives.jacobian(network, some, theta))


def scores(network: Network, data: cpu.Data, theta: np.ndarray, among: int = 1) -> Iterator[tuple[Any, np.ndarray]]:
    """Blocks of `derivatives.scores`: which observations, and their (m, P).

    Where a loss couples observations, numbers of some that are next to one another in time, or parts of an array of all.
    """
    if network.objective.coupled:
        n = data.x.shape[1]
        w = np.ones(n) if data.weight.size == 0 else data.weight[0]
        eta = derivatives.outputs(network, data.x, theta[np.newaxis], data.offset if data.offset.size else None)[0, 0]
        step = max(NUMBERS // (among * network.n_params), network.n_params, LEAST)
        found = network.objective.family.score_blocks(
            eta, data.y[0], w, lambda rows: derivatives.jacobian(network, taken(data, rows), theta)[0], step
        )
        if found is not None:
            return found
        whole = derivatives.scores(network, data, theta)
        return ((part, whole[part]) for part in parts(len(whole), network.n_outputs, among * network.n_params))
    return _blocks(network, data, among, lambda some: derivatives.scores(network, some, theta))


def product(pairs: Iterable[tuple[np.ndarray, np.ndarray]]) -> np.ndarray:
    """Sum of A'B over pairs of arrays (..., F) and (..., G)."""
    total: np.ndarray | None = None
    for left, right in pairs:
        own = left.reshape(-1, left.shape[-1]).T @ right.reshape(-1, right.shape[-1])
        total = own if total is None else total + own
    assert total is not None
    return total


def squares(made: Iterable[np.ndarray]) -> np.ndarray:
    """(F, F) sum of R'R over arrays (..., F)."""
    return product((r, r) for r in made)


def triangle(made: Iterable[np.ndarray]) -> np.ndarray:
    """(min(n, F), F) upper triangle U of the QR decomposition of arrays (..., F) below one another: U'U = R'R."""
    upper: np.ndarray | None = None
    for r in made:
        flat = r.reshape(-1, r.shape[-1])
        upper = np.asarray(np.linalg.qr(flat if upper is None else np.vstack([upper, flat]), mode="r"))
    assert upper is not None
    return upper
