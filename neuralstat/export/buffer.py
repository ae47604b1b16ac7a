"""Units of a network as tensors of another program: what layers read, and what moves of units make of it."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, Protocol

import numpy as np

from ..errors import ArgumentError
from ..layers import codes
from ..layers.move import FORWARD, STUFFED

UNWRITTEN, ZERO = -2, -1
MOST_RUNS = 8  # of neighbouring units that are put side by side; more are taken one by one


class Writer(Protocol):
    """What a format knows. Tensors are handles of its own, of one shape an observation, or flat: it tells them apart."""

    def side_by_side(self, tensors: Sequence[Any]) -> Any:
        """Units of several tensors as one."""

    def part(self, tensor: Any, start: int, stop: int) -> Any:
        """Some neighbouring units of a tensor."""

    def layer(self, name: str, layer: Any, row: np.ndarray, constant: float, arrays: dict[str, np.ndarray], x: Any) -> Any:
        """What a row of the table makes of x, without its activation."""

    def merge(self, name: str, layer: Any, row: np.ndarray, parts: Sequence[Any]) -> Any:
        """What a row of the table makes of several: `layers.merge`, or attention of queries, keys and values."""

    def units(self, tensors: Sequence[Any], index: np.ndarray) -> Any:
        """Units by their number in tensors side by side; 0 for -1."""

    def shaped(self, x: Any, shape: Sequence[int]) -> Any:
        """The same units in another shape of an observation."""

    def activation(self, name: str, kind: str, parameter: float, z: Any) -> Any:
        """An activation of `ACTIVATIONS`; softmax over the last axis."""

    def plus(self, x: Any, offset: Any) -> Any:
        """Sums, unit by unit."""

    def times(self, x: Any, factor: float) -> Any:
        """Units times a number."""

    def inverse_link(self, link: Any, eta: Any) -> Any:
        """Means of linear predictors."""


class Buffer:
    """Units of the network's buffer: which tensor holds each, and where in it; what was written last counts."""

    def __init__(self, writer: Writer, width: int) -> None:
        self.writer = writer
        self.tensors: list[tuple[Any, int]] = []
        self.owner, self.place = np.full(width, UNWRITTEN), np.zeros(width, np.int64)

    def write(self, rows: np.ndarray, tensor: Any) -> None:
        """The rows are the units of a tensor."""
        self.owner[rows], self.place[rows] = len(self.tensors), np.arange(rows.size)
        self.tensors.append((tensor, rows.size))

    def read(self, rows: np.ndarray) -> Any:
        """Some rows as one tensor: whole tensors and neighbouring units side by side, or units one by one."""
        owner, place = self.owner[rows], self.place[rows]
        if np.any(owner == UNWRITTEN):
            raise ArgumentError("a layer reads units that no layer before it writes; such a network cannot be exported.")
        cuts = np.flatnonzero((np.diff(owner) != 0) | (np.diff(place) != 1)) + 1
        runs = list(zip([0, *cuts.tolist()], [*cuts.tolist(), rows.size], strict=True))
        if len(runs) > MOST_RUNS or np.any(owner == ZERO):
            return self._one_by_one(owner, place)
        parts = []
        for start, stop in runs:
            tensor, size = self.tensors[owner[start]]
            whole = stop - start == size
            parts.append(tensor if whole else self.writer.part(tensor, int(place[start]), int(place[start]) + stop - start))
        return parts[0] if len(parts) == 1 else self.writer.side_by_side(parts)

    def _one_by_one(self, owner: np.ndarray, place: np.ndarray) -> Any:
        used = [int(number) for number in dict.fromkeys(owner.tolist()) if number != ZERO]
        starts = dict(zip(used, np.cumsum([0, *(self.tensors[number][1] for number in used)]).tolist(), strict=False))
        index = np.array([-1 if o == ZERO else starts[o] + q for o, q in zip(owner.tolist(), place.tolist(), strict=True)])
        return self.writer.units([self.tensors[number][0] for number in used], index)

    def move(self, row: np.ndarray) -> None:
        """A row that moves units (`layers.move`): nothing is computed but sums and means."""
        ys = _sources(row, codes.OUT_ROWS, codes.PAD_ROWS, codes.KERNEL_ROWS, codes.ROWS)
        xs = _sources(row, codes.OUT_COLS, codes.PAD_COLS, codes.KERNEL_COLS, codes.COLS)
        r, c, k = np.meshgrid(*(np.arange(row[column]) for column in (codes.OUT_ROWS, codes.OUT_COLS, codes.FILTERS)),
                              indexing="ij")  # fmt: skip
        target = (row[codes.TARGET] + r * row[codes.SPREAD_ROWS] + c * row[codes.SPREAD_COLS] + k).ravel()
        y, x = ys[r], xs[c]
        source = (row[codes.SOURCE] + row[codes.CHANNELS] + y * row[codes.STRIDE_ROWS] + x * row[codes.STRIDE_COLS]
                  + k * row[codes.STRIDE_CHANNELS]).ravel()  # fmt: skip
        there = ((y >= 0) & (x >= 0)).ravel()
        adds, divided = bool(row[codes.ADDS] & FORWARD), int(row[codes.KIND])
        source, reached = source[there], target[there]
        if not adds and divided == 1:
            owner, place = self.owner[source], self.place[source]
        elif reached.size:
            part = self.read(source)
            part = part if divided == 1 else self.writer.times(part, 1 / divided)
            total = self.writer.plus(self.read(reached), part) if adds else part
        if not adds:
            self.owner[target] = ZERO
        if not adds and divided == 1:
            self.owner[reached], self.place[reached] = owner, place
        elif reached.size:
            self.write(reached, total)


def _sources(row: np.ndarray, *columns: int) -> np.ndarray:
    """Row (column) of the source at each of the target; -1 for none; see `layers.move.source_at`."""
    count, pad, times, size = (int(row[column]) for column in columns)
    at = np.arange(count) - pad
    inside = (at >= 0) & (at < size * times)
    if row[codes.OPTIONS] & STUFFED:
        inside &= at % times == 0
    return np.where(inside, at // times, -1)
