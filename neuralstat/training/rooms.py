"""Buffers of threads that train by epochs, kept from one call of the kernels to the next.

A call takes a twentieth of a second; of a large network the system would take as long to hand out and clear its memory.
"""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager

import numpy as np

from ..engine import cpu
from ..engine.batches import Room, State


class Rooms:
    """As many as calls run at one time, for each size of network."""

    def __init__(self) -> None:
        self._free: dict[tuple[int, ...], list[Room]] = {}

    @contextmanager
    def one(self, net: cpu.Net, outputs: int, state: State) -> Iterator[Room]:
        """One that nobody else has; what a call that failed has left is dropped."""
        size = (net.width, net.block, outputs, state.theta.shape[1])
        free = self._free.setdefault(size, [])
        try:
            room = free.pop()
        except IndexError:
            dtype = state.theta.dtype
            room = Room(cpu.room_for(net, outputs, dtype), np.zeros(state.theta.shape[1], dtype))
        yield room
        free.append(room)
