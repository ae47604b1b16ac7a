"""Passes over what transforms are of, where the partitions are: see `formula.passes`."""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING, Any

import numpy as np

from ..formula import frames
from ..formula.passes import Data, union
from . import sums
from .rows import Rows

if TYPE_CHECKING:
    from ..formula.learned import Asked, Call, States

SAMPLE = 256  # values of every partition that say where the different values are cut into ranges


class Columns:
    """Partitions on workers: a `formula.learned.Source`."""

    def __init__(self, tables: Rows) -> None:
        self.tables = tables

    def evaluated(self, asked: Asked, states: States, calls: list[Call]) -> There:
        """The data of some calls, each partition's where it is."""
        job = self.tables.made(_same, [asked, states, calls])
        return There(Rows(self.tables.client, self.tables.mapped(_data, job), self.tables.places))


class There:
    """Parts on workers: `formula.passes.Parts`."""

    def __init__(self, rows: Rows) -> None:
        self.rows = rows

    def total(self, function: Callable[..., Data], *arguments: Any) -> Data:
        """Sum of arrays over the parts."""
        return self.rows.total(function, *arguments)

    def gathered(self, function: Callable[..., Any], *arguments: Any) -> list[Any]:
        """Values of all parts, in order."""
        return self.rows.gathered(function, *arguments)

    def distinct(self, function: Callable[..., np.ndarray], *arguments: Any) -> Ranges:
        """The different values of all parts, cut into ranges, each in order on one worker.

        There is a range for every thread of the workers. Where they are cut decides who counts, and not what is counted.
        """
        client = self.rows.client
        own = Rows(client, self.rows.mapped(function, *arguments), self.rows.places)
        samples = np.sort(np.concatenate(own.gathered(_sample)))
        pieces = max(min(sum(client.nthreads().values()), len(own.parts)), 1)
        cuts = np.unique(samples[np.arange(1, pieces) * samples.size // pieces]) if samples.size else samples
        cut = Rows(client, own.mapped(_cut, cuts), own.places)
        return Ranges(Rows(client, [own.made(_merged, *cut.mapped(_piece, k)) for k in range(cuts.size + 1)]))


class Ranges:
    """Different values in order, range after range, on workers: `formula.passes.Ordered`."""

    def __init__(self, rows: Rows) -> None:
        self.rows = rows
        self._ends = np.cumsum(rows.gathered(len))
        self.size = int(self._ends[-1])

    def at(self, positions: np.ndarray) -> np.ndarray:
        """The values at some positions, from 0."""
        where = np.searchsorted(self._ends, positions, side="right")
        asked = np.unique(where)
        begin = np.concatenate([[0], self._ends])
        ranges = self.rows.parts
        found = self.rows.client.gather([self.rows.made(_at, ranges[k], positions[where == k] - begin[k]) for k in asked])
        made = np.zeros(len(positions))
        for k, values in zip(asked, found, strict=True):
            made[where == k] = values
        return made


def _same(thing: Any) -> Any:
    return thing


def _data(table: Any, job: list[Any]) -> list[Data]:
    """What some calls are of in a partition."""
    from ..formula.learned import arguments

    table = frames.as_frame(table, "a Dask DataFrame")
    with sums.PARSING:
        return arguments(table, *job)


def _sample(values: np.ndarray) -> np.ndarray:
    """Some values at equal steps."""
    return values[np.linspace(0, values.size - 1, min(values.size, SAMPLE)).astype(np.int64)]


def _cut(values: np.ndarray, cuts: np.ndarray) -> list[np.ndarray]:
    """Ordered values below the first cut, from there to below the second, ..."""
    return np.split(values, np.searchsorted(values, cuts))


def _piece(pieces: list[np.ndarray], k: int) -> np.ndarray:
    return pieces[k]


def _merged(*pieces: np.ndarray) -> np.ndarray:
    return union(pieces)


def _at(values: np.ndarray, positions: np.ndarray) -> np.ndarray:
    return values[positions]
