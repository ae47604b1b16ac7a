"""Where units lie, as arrays: pieces of the buffer that kernels have, each an array of its own.

Rows of a table read and write neighbouring units of one buffer. What overlaps is one region: a join of several moves, inputs
beside units that one layer reads together. Most regions are what one row writes.
"""

from __future__ import annotations

from bisect import bisect_right
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from typing import NamedTuple

import numpy as np

from ..layers import codes
from .array_moves import reach


class Part(NamedTuple):
    """Units first .. stop of a region."""

    region: int
    first: int
    stop: int


class Regions:
    """The regions of a table.

    Parameters
    ----------
    table : (rows, COLUMNS) array
    inputs : int
        The first units of the buffer.
    """

    def __init__(self, table: np.ndarray, inputs: int) -> None:
        read, written = [_read(row) for row in table], [_written(row) for row in table]
        self._bounds: list[tuple[int, int]] = []
        for first, stop in sorted([(0, inputs), *read, *written]):
            if self._bounds and first < self._bounds[-1][1]:
                self._bounds[-1] = self._bounds[-1][0], max(stop, self._bounds[-1][1])
            else:
                self._bounds.append((first, stop))
        self._starts = [first for first, _ in self._bounds]
        self.inputs = self.part(0, inputs)
        self.sources = [self.part(*at) for at in read]
        self.targets = [self.part(*at) for at in written]
        self.writers: dict[int, list[int]] = {}
        for k, target in enumerate(self.targets):
            self.writers.setdefault(target.region, []).append(k)

    def part(self, first: int, stop: int) -> Part:
        """Where the units first .. stop of the buffer lie."""
        at = bisect_right(self._starts, first) - 1
        return Part(at, first - self._starts[at], stop - self._starts[at])

    def size(self, region: int) -> int:
        """Units of a region."""
        first, stop = self._bounds[region]
        return stop - first

    def whole(self, part: Part) -> bool:
        """Whether a part is all of its region."""
        return part.stop - part.first == self.size(part.region)

    def alone(self, k: int) -> bool:
        """Whether row k writes all of a region, and no other row, nor inputs, are there."""
        target = self.targets[k]
        return self.whole(target) and len(self.writers[target.region]) == 1 and target.region != self.inputs.region

    def way(self, entry: Part, exit: Part, first: int, last: int) -> Way:
        """The rows first .. last of the table that lead from units to others."""
        rows, wanted = [], {exit.region}
        for k in range(last, first - 1, -1):
            if self.targets[k].region in wanted:
                rows.append(k)
                wanted.add(self.sources[k].region)
        rows.reverse()
        return Way(self, entry, exit, tuple(rows))


@dataclass(frozen=True)
class Way:
    """Rows of a table, in order, that lead from one part of the units to another.

    Attributes
    ----------
    regions : Regions
    entry, exit : Part
    rows : tuple of int
    """

    regions: Regions
    entry: Part
    exit: Part
    rows: tuple[int, ...]

    def last_read(self) -> dict[int, int]:
        """For each region the last row that reads it; those of the exit are read by none."""
        return {region: k for k, region in self._read() if region != self.exit.region}

    def first_written(self) -> dict[int, int]:
        """For each region the first row that writes there; those of the entry by none."""
        found = {self.regions.targets[k].region: k for k in reversed(self.rows)}
        found.pop(self.entry.region, None)
        return found

    def kept(self, wants: Callable[[int], tuple[bool, bool]]) -> dict[int, int]:
        """For each region that rows want on the way back (source, target) the last of them then: the first in the table."""
        found: dict[int, int] = {}
        for k in reversed(self.rows):
            for part, wanted in zip((self.regions.sources[k], self.regions.targets[k]), wants(k), strict=True):
                if wanted:
                    found[part.region] = k
        return found

    def most(self, kept: Iterable[int] = ()) -> int:
        """The most units that are there at once, where some regions are kept."""
        kept, last = set(kept), self.last_read()
        there = {self.entry.region}
        most = self.regions.size(self.entry.region)
        for k in self.rows:
            source, target = self.regions.sources[k].region, self.regions.targets[k].region
            there.add(target)
            most = max(most, sum(map(self.regions.size, there)))
            if last.get(source) == k and source not in kept:
                there.discard(source)
        return most

    def _read(self) -> Iterable[tuple[int, int]]:
        return ((k, self.regions.sources[k].region) for k in self.rows)


def _read(row: np.ndarray) -> tuple[int, int]:
    if row[codes.OP] == codes.MOVE:
        return reach(row)[0]
    return int(row[codes.SOURCE]), int(row[codes.SOURCE] + row[codes.N_IN])


def _written(row: np.ndarray) -> tuple[int, int]:
    if row[codes.OP] == codes.MOVE:
        return reach(row)[1]
    return int(row[codes.TARGET]), int(row[codes.TARGET] + row[codes.N_OUT])
