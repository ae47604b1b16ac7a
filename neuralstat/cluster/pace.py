"""How long the tasks of a calculation are, by what was measured of those before them."""

from __future__ import annotations

import threading
from collections.abc import Callable, Iterator

TARGET = 1.0  # seconds of a task at most: long beside what a scheduler takes for it, short beside a calculation
LEAST = 0.05  # and at least, where there is so much to do: what a task costs by itself is some milliseconds
SHARES = 3  # of what is left, a worker takes one part in so many of its own: the last tasks are short, and end together


def budget(left: float, workers: int) -> float:
    """Seconds that the next task should take, where what is left takes so many of one thread."""
    return min(max(left / (SHARES * max(workers, 1)), LEAST), TARGET)


class Parts:
    """Numbers 0, 1, ..., `count` - 1 of items that take about the same time, cut into tasks.

    The first tasks are of one item each, until one of them is measured.

    Parameters
    ----------
    count : int
    workers : callable
        How many there are now.
    """

    def __init__(self, count: int, workers: Callable[[], int]) -> None:
        self.count, self.workers = count, workers
        self._next, self._seconds, self._done = 0, 0.0, 0
        self._lock = threading.Lock()

    def __iter__(self) -> Iterator[range]:
        while True:
            with self._lock:
                if self._next >= self.count:
                    return
                numbers = range(self._next, min(self._next + self._size(), self.count))
                self._next = numbers.stop
            yield numbers

    def learn(self, numbers: range, seconds: float) -> None:
        """A task took so many seconds."""
        with self._lock:
            self._seconds += seconds
            self._done += len(numbers)

    def _size(self) -> int:
        if not self._done:
            return 1
        each = max(self._seconds / self._done, 1e-6)
        return max(int(budget((self.count - self._next) * each, self.workers()) / each), 1)
