"""What a task of a study is: as many replicates as take the time that it should, by what was measured of those before."""

from __future__ import annotations

import threading
from collections import deque
from collections.abc import Callable, Iterator

from ..cluster.pace import budget
from .plan import Chunk

GROWTH = 8  # a chunk is at most so many times as large as the last one of its model that was measured


class Feed:
    """Tasks, lists of chunks in their order, cut anew by the time that replicates of their cell and model took.

    Chunks of several models and cells are one task where each is short. Those of models that have not been measured yet are
    as large as they were given, and taken to be as long, in proportion, as those that have: all were cut to one length by a
    count of the work. Tasks become shorter towards the end, so that workers end together. Results do not depend on any of it.

    Parameters
    ----------
    chunks : list of chunks
    adapts : bool
        False where sizes were asked for: every chunk is a task.
    workers : callable, optional
        How many there are.
    """

    def __init__(self, chunks: list[Chunk], adapts: bool, workers: Callable[[], int] = lambda: 1) -> None:
        self.adapts, self.workers = adapts, workers
        self._left = deque(chunks)
        self._given: dict[tuple[int, int], int] = {}  # replicates of a chunk of the length that they were cut to
        self._count: dict[tuple[int, int], int] = {}  # replicates left
        for cell, model, first, last in chunks:
            key = cell, model
            self._given[key] = max(self._given.get(key, 1), last - first)
            self._count[key] = self._count.get(key, 0) + last - first
        self._each: dict[tuple[int, int], float] = {}  # seconds of a replicate, as measured
        self._most: dict[tuple[int, int], int] = {}
        self._whole, self._lengths = 0.0, 0.0  # seconds measured; lengths of chunks that they were of
        self._lock = threading.Lock()

    def __iter__(self) -> Iterator[list[Chunk]]:
        """Tasks that have not been given; asked for one by one, from any thread."""
        while True:
            with self._lock:
                if not self._left:
                    return
                task = self._next()
            yield task

    def left(self) -> list[Chunk]:
        """Chunks that have not been given."""
        with self._lock:
            return list(self._left)

    def learn(self, chunk: Chunk, seconds: float) -> None:
        """A chunk took so many seconds."""
        cell, model, first, last = chunk
        key, count = (cell, model), last - first
        with self._lock:
            self._each[key], self._most[key] = max(seconds, 1e-6) / count, GROWTH * count
            self._whole += seconds
            self._lengths += count / self._given.get(key, count)

    def _seconds(self, key: tuple[int, int]) -> float:
        """Of a replicate: measured, or by those of others."""
        return self._each.get(key) or self._whole / self._lengths / self._given[key]

    def _next(self) -> list[Chunk]:
        if not self.adapts or not self._lengths:
            return [self._taken(self._left[0][3] - self._left[0][2])]
        left = sum(count * self._seconds(key) for key, count in self._count.items() if count)
        wanted, task = budget(left, self.workers()), list[Chunk]()
        while self._left and (wanted > 0 or not task):
            key = self._left[0][:2]
            each = self._seconds(key)
            size = max(int(wanted / each), 1)
            if task and size * each > 2 * wanted:
                break
            chunk = self._taken(min(size, self._most.get(key, self._given[key])))
            task.append(chunk)
            wanted -= (chunk[3] - chunk[2]) * each
        return task

    def _taken(self, size: int) -> Chunk:
        """The next chunk, of `size` replicates at most: neighbours of one model are joined."""
        cell, model, first, last = self._left.popleft()
        while last - first < size and self._left and self._left[0][:3] == (cell, model, last):
            last = self._left.popleft()[3]
        if last - first > size:
            self._left.appendleft((cell, model, first + size, last))
            last = first + size
        self._count[cell, model] -= last - first
        return cell, model, first, last
