"""Buffers of threads that train, kept from one call of the kernels to the next.

A call takes a twentieth of a second; of a large network the system would take as long to hand out and clear its memory.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, contextmanager
from functools import partial
from typing import TypeVar

import numpy as np

from ..engine import cpu
from ..engine.batches import Plan, Room, room_of

T = TypeVar("T")


@contextmanager
def _lent(free: list[T], make: Callable[[], T]) -> Iterator[T]:
    """One of what is free, that nobody else has, or a new one; what a call that failed has left is dropped."""
    try:
        own = free.pop()
    except IndexError:
        own = make()
    yield own
    free.append(own)


class Works:
    """Buffers of passes over the observations, as many as calls for one stack run at one time."""

    def __init__(self, net: cpu.Net, data: cpu.Data, theta: np.ndarray) -> None:
        self._make = partial(cpu.workspace, net, data, theta)
        self._free: list[cpu.Work] = []

    def one(self) -> AbstractContextManager[cpu.Work]:
        """One that nobody else has."""
        return _lent(self._free, self._make)


class Rooms:
    """As many as calls run at one time, for each size of network."""

    def __init__(self) -> None:
        self._free: dict[tuple[int, ...], list[Room]] = {}

    def one(self, net: cpu.Net, plan: Plan, outputs: int, theta: np.ndarray) -> AbstractContextManager[Room]:
        """One that nobody else has, for weights (..., P)."""
        size = (net.width, net.block, outputs, theta.shape[-1], plan.held.size, plan.n_groups)
        return _lent(self._free.setdefault(size, []), lambda: room_of(net, plan, outputs, theta))
