"""Buffers of threads that train, kept from one call of the kernels to the next.

A call takes a twentieth of a second; of a large network the system would take as long to hand out and clear its memory.
"""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from functools import partial

import numpy as np

from ..engine import cpu
from ..engine.batches import Plan, Room, room_of


class Works:
    """Buffers of passes over the observations, as many as calls for one stack run at one time."""

    def __init__(self, net: cpu.Net, data: cpu.Data, theta: np.ndarray) -> None:
        self._make = partial(cpu.workspace, net, data, theta)
        self._free: list[cpu.Work] = []

    @contextmanager
    def one(self) -> Iterator[cpu.Work]:
        """One that nobody else has; what a call that failed has left is dropped."""
        try:
            work = self._free.pop()
        except IndexError:
            work = self._make()
        yield work
        self._free.append(work)


class Rooms:
    """As many as calls run at one time, for each size of network."""

    def __init__(self) -> None:
        self._free: dict[tuple[int, ...], list[Room]] = {}

    @contextmanager
    def one(self, net: cpu.Net, plan: Plan, outputs: int, theta: np.ndarray) -> Iterator[Room]:
        """One that nobody else has, for weights (..., P); what a call that failed has left is dropped."""
        size = (net.width, net.block, outputs, theta.shape[-1], plan.held.size, plan.n_groups)
        free = self._free.setdefault(size, [])
        try:
            room = free.pop()
        except IndexError:
            room = room_of(net, plan, outputs, theta)
        yield room
        free.append(room)
