"""Where everything lies in the workspace of a block of threads, and whether that fits into shared memory."""

from __future__ import annotations

from typing import Any, NamedTuple

import numpy as np

from ...functions.activations import LOG_SOFTMAX, SOFTMAX
from ...layers.codes import ACT, DENSE, N_IN, N_OUT, OP, PARAM, SOURCE, TARGET
from ..cpu import BLOCK, Data, Net

WARP = 32
MOST_SLICES = 16
TILE = 4  # rows and columns of the products that one thread forms


class Plan(NamedTuple):
    """Places in the flat workspace of one network; kernels receive it as it is.

    Rows of units have `stride` numbers, of which up to `tile` are used, one per observation.
    """

    tile: int  # observations per pass
    stride: int
    slices: int  # parts in which sums over observations are formed by different threads
    rows: int  # rows of `value`: the units, and one of ones
    n_params: int
    value: int  # (rows, stride)
    slope: int  # (rows, stride), of which dense networks need and have no rows for the inputs
    delta: int  # (rows, stride), or of dense networks (outputs, stride)
    target: int  # (responses, stride)
    case: int  # (stride,)
    theta: int  # (P,)
    grad: int
    before: int
    rate: int
    part: int  # (slices, P + 1)
    extra: int  # what an algorithm needs beside this
    size: int  # numbers altogether


def is_dense_chain(table: np.ndarray) -> bool:
    """Whether dense layers follow each other, with no softmax but at the end: what the fast kernels take."""
    return bool(
        np.all(table[:, OP] == DENSE)
        and table[0, SOURCE] == 0
        and np.all(table[1:, SOURCE] == table[:-1, TARGET])
        and np.all(table[1:, N_IN] == table[:-1, N_OUT])
        and not np.isin(table[:-1, ACT], (SOFTMAX, LOG_SOFTMAX)).any()
    )


def tiles_of(table: np.ndarray, ones: int, n_params: int) -> np.ndarray:
    """Products of up to 4 by 4 weights that threads form, (T, 24) int64.

    Columns: 4 rows of deltas, 4 rows of values (row `ones` for the bias), and 16 places of the gradient, `n_params`
    for products that nobody wants.
    """
    found = []
    for row in table:
        step = row[N_IN] + 1
        sources = np.concatenate([[ones], row[SOURCE] + np.arange(row[N_IN])])
        for o in range(0, row[N_OUT], TILE):
            for j in range(0, step, TILE):
                units, columns = o + np.arange(TILE), j + np.arange(TILE)
                inside = (units[:, np.newaxis] < row[N_OUT]) & (columns < step)
                places = np.where(inside, row[PARAM] + units[:, np.newaxis] * step + columns, n_params)
                found.append(np.concatenate([
                    row[TARGET] + np.minimum(units, row[N_OUT] - 1), sources[np.minimum(columns, step - 1)],
                    places.ravel(),
                ]))  # fmt: skip
    return np.array(found, np.int64)


def most_observations(data: Data) -> int:
    """Most observations that a network of the stack sees."""
    return int(data.rows.shape[1] or data.x.shape[1])


def _places(net: Net, data: Data, n_params: int, tile: int, slices: int, dense: bool, extra: int) -> Plan:
    responses, outputs, rows = data.y.shape[1], int(net.table[-1, N_OUT]), net.width + 1
    stride = -(-tile // WARP) * WARP + 2  # rows four apart lie in other banks of shared memory
    first = int(net.table[:, TARGET].min()) if dense else 0
    at, found = 0, {}
    for name, size in (
        ("value", rows * stride), ("slope", (net.width - first) * stride),
        ("delta", (outputs if dense else net.width) * stride), ("target", responses * stride), ("case", stride),
        ("theta", n_params), ("grad", n_params), ("before", n_params), ("rate", n_params),
        ("part", slices * (n_params + 1)), ("extra", extra),
    ):  # fmt: skip
        found[name] = at
        at += size
    found["slope"] -= first * stride  # as if there were rows for the inputs
    return Plan(tile, stride, slices, rows, n_params, **found, size=at)


def jacobian_rows(table: np.ndarray, ones: int, n_params: int) -> tuple[np.ndarray, np.ndarray]:
    """Rows of the delta and of the value whose product is a weight's derivative, (P,) each."""
    unit, source = np.zeros(n_params, np.int64), np.zeros(n_params, np.int64)
    for row in table:
        step = row[N_IN] + 1
        at = slice(row[PARAM], row[PARAM] + row[N_OUT] * step)
        unit[at] = np.repeat(row[TARGET] + np.arange(row[N_OUT]), step)
        source[at] = np.tile(np.concatenate([[ones], row[SOURCE] + np.arange(row[N_IN])]), row[N_OUT])
    return unit, source


def make_plan(net: Net, data: Data, n_params: int, lanes: int, limit: int, extra: Any = None) -> tuple[Plan, bool]:
    """Lay out the workspace of a network.

    Parameters
    ----------
    lanes : int
        Threads per block.
    limit : int
        Bytes of shared memory that a block may have.
    extra : callable, optional
        ``stride -> numbers`` that an algorithm needs beside the gradient's.

    Returns
    -------
    (Plan, bool)
        And whether it fits into shared memory: the longest pass of which two blocks fit, else one. Networks of other
        layers than dense ones stay in global memory.
    """
    dense = is_dense_chain(net.table)
    n = max(most_observations(data), 1)
    longest = min(BLOCK, -(-n // WARP) * WARP)
    slices = 1
    if dense:
        tiles = tiles_of(net.table, net.width, n_params).shape[0]
        slices = int(min(max(lanes // tiles, 1), MOST_SLICES))

    def plan(tile: int) -> Plan:
        stride = -(-tile // WARP) * WARP + 2
        return _places(net, data, n_params, tile, slices, dense, 0 if extra is None else extra(stride))

    if dense:
        for share in (2, 1):
            for tile in sorted({longest, *(t for t in (128, 64, 32) if t < longest)}, reverse=True):
                found = plan(tile)
                if found.size * data.x.dtype.itemsize <= limit // share:
                    return found, True
    return plan(longest), False
