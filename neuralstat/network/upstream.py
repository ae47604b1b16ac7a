"""What depends on what in a table of layers: which gradients and deltas a fit wants, which layers give constants.

Rows of a table may read what any rows before them have written, so that all of this is told by the ranges of buffer rows
that they read and write. A range that is written in parts, or at strides, counts as a whole.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from ..layers import codes
from ..layers.attention import KEYS, QUERY_MASK
from ..layers.masking import APPLIED, FOUND
from ..layers.merge import INPUTS as MERGED
from ..layers.move import FORWARD
from ..layers.recurrent_rows import DROPS, RESET_FIRST

if TYPE_CHECKING:
    from .network import Network

WEIGHTS, INPUTS = 1, 2  # bits of `codes.WANTED`
_SAME_IN_TRAINING = (codes.DENSE, codes.CONV2D, codes.LSTM, codes.POOL, codes.SIMPLE_RNN, codes.GRU, codes.EMBEDDING,
                     codes.BATCH_NORM, codes.DROPOUT, codes.COPY, codes.MOVE, codes.LAYER_NORM, codes.DEPTHWISE,
                     codes.PRELU, codes.ATTENTION, codes.MASKING, codes.POSITION, codes.MERGE)  # fmt: skip


def reads(row: np.ndarray) -> list[tuple[int, int]]:
    """Ranges [first, end) of buffer rows that a row of a table reads, masks among them."""
    found = [(int(row[codes.SOURCE]), int(row[codes.SOURCE] + row[codes.N_IN]))]
    if row[codes.OP] == codes.MOVE and row[codes.ADDS] & FORWARD:
        found.append(units_of(row))
    return found + masks_of(row)


def masks_of(row: np.ndarray) -> list[tuple[int, int]]:
    """Ranges of the masks that a row of a table reads."""
    op, mask = row[codes.OP], int(row[codes.MASK])
    if op == codes.ATTENTION:
        own = [(mask, row[KEYS]), (int(row[QUERY_MASK]), row[codes.TIMES])]
    elif op in codes.RECURRENT:
        own = [(mask, row[codes.TIMES])]
    elif op == codes.POOL:  # a mean over the times that are there
        own = [(mask, row[codes.N_IN] // row[codes.N_OUT])]
    elif op == codes.MERGE:
        own = [(mask, row[MERGED] * row[codes.TIMES])]
    elif op == codes.MASKING and row[codes.KIND] == APPLIED:
        own = [(mask, row[codes.N_IN] // row[codes.CHANNELS])]
    else:
        own = []
    return [(first, first + int(size)) for first, size in own if first >= 0]


def mask_made(row: np.ndarray) -> list[tuple[int, int]]:
    """The range of the mask that a row of a table makes; none where it makes none."""
    op, mask = row[codes.OP], int(row[codes.MASK])
    if op == codes.EMBEDDING and mask >= 0:
        return [(mask, mask + int(row[codes.N_IN]))]
    if op == codes.MASKING and row[codes.KIND] == FOUND:
        return [(mask, mask + int(row[codes.N_IN] // row[codes.CHANNELS]))]
    return []


def writes(row: np.ndarray) -> list[tuple[int, int]]:
    """Ranges of buffer rows that a row of a table writes and others may read: its units, and a mask that it makes."""
    return [units_of(row), *mask_made(row)]


def units_of(row: np.ndarray) -> tuple[int, int]:
    """The range [first, end) of buffer rows of the units that a row of a table writes."""
    first, size = int(row[codes.TARGET]), int(row[codes.N_OUT])
    if row[codes.OP] == codes.MOVE:
        size = int((row[codes.OUT_ROWS] - 1) * row[codes.SPREAD_ROWS] + (row[codes.OUT_COLS] - 1) * row[codes.SPREAD_COLS]
                   + row[codes.FILTERS])  # fmt: skip
    return first, first + size


def drops(row: np.ndarray) -> bool:
    """Whether a row of a table drops something inside the layer in training: inputs or states, or scores of attention."""
    return row[codes.OP] in (*codes.RECURRENT, codes.ATTENTION) and bool(row[codes.OPTIONS] & DROPS)


def resets(table: np.ndarray) -> bool:
    """Whether a table has recurrent layers whose reset gate comes first."""
    return bool(np.any(np.isin(table[:, codes.OP], codes.RECURRENT) & (table[:, codes.OPTIONS] & RESET_FIRST != 0)))


def weight_slices(network: Network) -> list[slice]:
    """Where the weights of each row of the table lie in the flat vector; rows may share those of a row before them."""
    owners = {part.start: part for part in network.slices if part.stop > part.start}
    return [
        owners[int(row[codes.PARAM])] if per_unit > 0 and units == 0 and int(row[codes.PARAM]) in owners else part
        for part, row, (per_unit, units) in zip(network.slices, network.table, network.shapes, strict=True)
    ]


def meet(a: tuple[int, int], b: tuple[int, int]) -> bool:
    """Whether two ranges have anything in common."""
    return a[0] < b[1] and b[0] < a[1]


def wanted_table(network: Network, free: np.ndarray) -> np.ndarray:
    """The network's table with `codes.WANTED` as training of the weights `free`, (P,) or (B, P) bool, has it.

    A layer's weights are wanted where any of them is free in any network of the stack; the delta of its inputs where any
    row that they come from, near or far, has wanted weights.
    """
    table = network.table.copy()
    any_free = np.array(np.atleast_2d(free).any(axis=0))
    moved: list[tuple[int, int]] = []  # ranges that free weights have a part in
    for k, part in enumerate(weight_slices(network)):
        weights = bool(any_free[part].any())
        inputs = any(meet(a, b) for a in reads(table[k]) for b in moved)
        table[k, codes.WANTED] = WEIGHTS * weights + INPUTS * inputs
        if weights or inputs:
            moved.append(units_of(table[k]))
    return table


def constant_rows(network: Network, free: np.ndarray, momentum: np.ndarray) -> np.ndarray:
    """(layers,) bool: rows whose units are the same in every step of a fit by epochs.

    Neither they nor what they read have free weights or draw random numbers, and batch normalisation among them keeps its
    moving averages. Rows that write where a row that changes writes, too, are none.

    Parameters
    ----------
    network : Network
    free : (P,) bool array
    momentum : (layers,) array
        Of batch normalisation; negative where it keeps its moving averages.
    """
    table = network.table
    fixed = np.array([
        not free[part].any() and row[codes.OP] in _SAME_IN_TRAINING and momentum[k] < 0
        and not (row[codes.OP] == codes.DROPOUT and network._built["constants"][k] > 0) and not drops(row)
        for k, (part, row) in enumerate(zip(weight_slices(network), table, strict=True))
    ])  # fmt: skip
    fixed[-1] = False  # something is left to train on
    while True:
        changing = [part for row in table[~fixed] for part in writes(row)]
        left = np.array([
            own and not any(meet(a, b) for a in (*reads(row), *writes(row)) for b in changing)
            for own, row in zip(fixed, table, strict=True)
        ])  # fmt: skip
        if np.array_equal(left, fixed):
            return fixed
        fixed = left
