"""Observations of one network, shared by threads: where networks are few and rows many."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from types import TracebackType
from typing import Any

import numpy as np

from ..engine import cpu
from ..engine.elsewhere import Elsewhere
from ..functions.losses import ELSEWHERE
from .interrupts import deferred
from .stack import Stack, stopping

TASKS = 4  # of each thread for a gradient, so that no thread waits long for another


class Sums:
    """Loss and gradient of networks of a stack, summed by `workers` threads.

    Sums are formed by partition and added in order, as `cpu.total_gradient` does on one thread: the same bits.
    """

    def __init__(self, net: cpu.Net, data: cpu.Data, like: np.ndarray, workers: int) -> None:
        self.net, self.data, self._pool = net, data, ThreadPoolExecutor(max_workers=workers)
        count = -(-data.x.shape[1] // cpu.PARTITION)
        self._parts, self._errors = np.empty((count, like.shape[-1]), like.dtype), np.empty(count)
        step = max(1, count // (TASKS * workers))
        self._tasks = [(first, min(first + step, count)) for first in range(0, count, step)]

    def __enter__(self) -> Sums:
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None) -> None:
        self._pool.shutdown(cancel_futures=True)

    def of(self, theta: np.ndarray, b: int) -> tuple[Any, np.ndarray]:
        """Loss and gradient (P,) of network b at weights (P,), without penalty."""

        def task(span: tuple[int, int]) -> None:
            cpu.partition_sums(self.net, self.data, theta, b, *span, self._parts, self._errors)

        for _ in self._pool.map(task, self._tasks):
            pass
        kind = self._parts.dtype.type
        error, grad = kind(0), np.zeros(self._parts.shape[1], kind)
        for value, part in zip(self._errors, self._parts, strict=True):
            error += kind(value)
            grad += part
        return error, grad


def share_observations(
    net: cpu.Net, data: cpu.Data, stack: Stack, step: Callable[[int, float, np.ndarray], None], workers: int,
    stop: threading.Event, watch: Callable[[Stack], None] | None,
) -> None:  # fmt: skip
    """Train one network after the other: ``step(b, loss, gradient)`` is a step of network b."""
    looked = time.perf_counter()
    with deferred() as keys, stopping(keys, stop), Sums(net, data, stack.theta, workers) as sums:
        try:
            for b in range(stack.steps.size):
                while stack.status[b] == cpu.RUNNING and not stop.is_set():
                    keys.look()
                    step(b, *sums.of(stack.theta[b], b))
                    if watch is not None and time.perf_counter() - looked > 0.1:
                        looked = time.perf_counter()
                        watch(stack)
        except KeyboardInterrupt:
            stop.set()
    if watch is not None:
        watch(stack)


class Told:
    """What a compiled loop sees of one network whose sums threads form: a net that asks for them, and no observations."""

    def __init__(self, sums: Sums, b: int, n_params: int) -> None:
        def ask(theta: np.ndarray, curved: bool) -> tuple[float, np.ndarray, None]:
            assert not curved  # of quasi-Newton methods alone
            error, grad = sums.of(theta, b)
            return float(error), grad, None

        self._elsewhere = Elsewhere(ask, n_params, 0)
        self.net = sums.net._replace(loss=ELSEWHERE, loss_address=self._elsewhere.address)
        x, y, offset = sums.data.x, sums.data.y, sums.data.offset
        self.data = sums.data._replace(x=np.zeros((len(x), 0)), y=np.zeros((*y.shape[:2], 0)), weight=np.zeros((1, 0)),
                                       offset=np.zeros((len(offset), 0)))  # fmt: skip

    def check(self) -> None:
        """Raise what was raised where the loop asked."""
        if self._elsewhere.error is not None:
            raise self._elsewhere.error
