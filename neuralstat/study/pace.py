"""How large chunks are: as long as they should take, by what was measured of chunks before them."""

from __future__ import annotations

import threading
from collections import deque
from collections.abc import Iterator

from .plan import Chunk

TARGET = 1.0  # seconds of a chunk: long beside what a scheduler takes for it, short beside a study
GROWTH = 8  # a chunk is at most so many times as large as the last one that was measured


class Feed:
    """Chunks in their order, cut anew by the time that replicates of their cell and model took.

    What has not been measured yet is as large as it was given. Results do not depend on chunks.

    Parameters
    ----------
    chunks : list of chunks
    adapts : bool
        False where sizes were asked for.
    """

    def __init__(self, chunks: list[Chunk], adapts: bool) -> None:
        self.adapts = adapts
        self._left = deque(chunks)
        self._sizes: dict[tuple[int, int], int] = {}
        self._lock = threading.Lock()

    def __iter__(self) -> Iterator[Chunk]:
        """Chunks that have not been given; asked for one by one, from any thread."""
        while True:
            with self._lock:
                if not self._left:
                    return
                chunk = self._next()
            yield chunk

    def left(self) -> list[Chunk]:
        """Chunks that have not been given."""
        with self._lock:
            return list(self._left)

    def learn(self, chunk: Chunk, seconds: float) -> None:
        """A chunk took so many seconds."""
        cell, model, first, last = chunk
        count = last - first
        wanted = int(count * TARGET / max(seconds, 1e-6))
        with self._lock:
            self._sizes[cell, model] = min(max(wanted, 1), GROWTH * count)

    def _next(self) -> Chunk:
        cell, model, first, last = self._left.popleft()
        size = self._sizes.get((cell, model)) if self.adapts else None
        if size is None:
            return cell, model, first, last
        while last - first < size and self._left and self._left[0][:3] == (cell, model, last):
            last = self._left.popleft()[3]
        if last - first > size:
            self._left.appendleft((cell, model, first + size, last))
            last = first + size
        return cell, model, first, last
