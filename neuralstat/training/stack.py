"""A running stack of networks: its state in arrays, and how its networks are spread over threads."""

from __future__ import annotations

import os
import threading
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from concurrent.futures import TimeoutError as FutureTimeout
from contextlib import contextmanager

import numpy as np

from ..engine import cpu
from ..network.blas import single
from ..optimizers import rprop
from .interrupts import Waiting, deferred

TRACE = 512  # most entries of an error record
CHUNK = 0.05  # seconds of compiled work between two looks at the clock and the keyboard


def threads(n_jobs: int | None) -> int:
    """Number of threads: None and -1 are all cores, in a task of a cluster one."""
    if n_jobs is None or n_jobs == -1:
        if single():
            return 1
        return len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1
    return max(1, int(n_jobs))


class Stack:
    """State of a running stack; all of it is in arrays that the compiled steps update."""

    def __init__(self, start: np.ndarray, free: np.ndarray) -> None:
        b, _ = start.shape
        self.theta = np.array(start, order="C")
        self.free = np.atleast_2d(np.ascontiguousarray(free))
        self.before = np.zeros_like(self.theta)
        self.rate = np.full_like(self.theta, rprop.INITIAL_RATE)
        self.steps = np.zeros(b, np.int64)
        self.status = np.zeros(b, np.int64)
        self.loss = np.full(b, np.nan, self.theta.dtype)
        self.reached = np.full(b, np.nan, self.theta.dtype)
        self.trace = np.zeros((b, TRACE), self.theta.dtype)
        self.recorded = np.zeros(b, np.int64)
        self.stride = np.ones(b, np.int64)

    def state(self, b: int) -> list[np.ndarray]:
        """A copy of all that steps change of network b."""
        return [np.copy(array[b]) for array in self._changed]

    def restore(self, b: int, state: list[np.ndarray]) -> None:
        """Set network b back."""
        for array, values in zip(self._changed, state, strict=True):
            array[b] = values

    @property
    def _changed(self) -> tuple[np.ndarray, ...]:
        return (self.theta, self.before, self.rate, self.steps, self.status, self.loss, self.reached, self.trace,
                self.recorded, self.stride)  # fmt: skip

    def traces(self) -> list[tuple[np.ndarray, np.ndarray]]:
        """Error records, each ended by the last step's error."""
        out = []
        for b in range(self.steps.size):
            at = 1 + np.arange(self.recorded[b]) * self.stride[b]
            errors = self.trace[b, : self.recorded[b]].astype(float)
            if at.size and at[-1] != self.steps[b]:
                at, errors = np.append(at, self.steps[b]), np.append(errors, float(self.loss[b]))
            out.append((at, errors))
        return out


def next_budget(budget: int, spent: float, most: int) -> int:
    """Steps of the next call of compiled code, after `budget` of them took so many seconds."""
    return int(min(max(budget * CHUNK / max(spent, 1e-6), 1), most))


def fan_out(
    run: Callable[[int], None], which: list[int], stack: Stack, n_threads: int, stop: threading.Event,
    watch: Callable[[Stack], None] | None, together: bool = False,
) -> None:  # fmt: skip
    """Run networks over threads; the main thread watches, and turns Ctrl-C into a clean stop: `stop` is set then.

    `together`: none waits for the first one, which compiles.
    """
    b = len(which)
    if b == 0:
        return
    first = threading.Event()  # the first network compiles; the others wait, so that it is done once

    def task(k: int) -> None:
        if k > 0 and not together:
            first.wait()
        try:
            run(which[k])
        finally:
            first.set()

    with deferred() as keys, stopping(keys, stop), ThreadPoolExecutor(max_workers=min(n_threads, b)) as pool:
        try:
            futures = [pool.submit(task, k) for k in range(b)]
            for future in futures:
                while True:
                    keys.look()
                    try:
                        future.result(timeout=0.1)
                        break
                    except FutureTimeout:
                        if watch is not None:
                            watch(stack)
            if watch is not None:
                watch(stack)
        except KeyboardInterrupt:
            stop.set()
            pool.shutdown(wait=False, cancel_futures=True)
        except BaseException:
            stop.set()
            raise


@contextmanager
def stopping(keys: Waiting, stop: threading.Event) -> Iterator[None]:
    """Ctrl-C that came last, when nothing was left to be ended, is known to what follows."""
    yield
    try:
        keys.look()
    except KeyboardInterrupt:
        stop.set()


def of_networks(data: cpu.Data, at: np.ndarray, size: int) -> cpu.Data:
    """Data of some networks of a stack of `size`: what all share stays, what each has is picked."""

    def own(values: np.ndarray) -> np.ndarray:
        return np.ascontiguousarray(values[at]) if len(values) == size else values

    return data._replace(y=own(data.y), weight=own(data.weight), rows=own(data.rows), count=own(data.count))
