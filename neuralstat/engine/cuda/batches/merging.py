"""Kernels of several inputs as one; see `layers.merge`. A thread to a unit (or vector) and an observation."""

from __future__ import annotations

from typing import Any, NamedTuple

from numba import cuda  # a global, in whose place the simulator puts its own

from ....layers import merge as plain
from ....layers.codes import KIND, N_OUT
from ....layers.merge import INNER
from ...cpu import RUNNING
from ..device import target
from .arrays import SIZE


class Kernels(NamedTuple):
    """Compiled kernels, of layer k each: (model, k, turn, buffers)."""

    merge: Any
    merge_back: Any


def build(dtype: str, lanes: int, simulate: bool, decorate: Any = None) -> Kernels:
    """Make the kernels."""
    to_device = target(simulate).to_device
    unit, inner = to_device(plain.merge_unit), to_device(plain.inner_unit)
    parts_of, part_back = to_device(plain.merge_parts), to_device(plain.merge_part_back)
    compiled = cuda.jit if decorate is None else decorate

    @compiled
    def merge(model, k, turn, buffers):
        start, s = cuda.blockIdx.x * lanes + cuda.threadIdx.x, cuda.blockIdx.z
        if turn.status[s] != RUNNING:
            return
        row, value, m = model.table[k], buffers.value[s], turn.items[turn.clock[0], SIZE]
        for n in range(start, row[N_OUT] * m, cuda.gridDim.x * lanes):
            u, i = n // m, n % m
            if row[KIND] == INNER:
                inner(row, value, u, i, i + 1, 1)
            else:
                unit(row, value, u, i, i + 1, 1)

    @compiled
    def merge_back(model, k, turn, buffers):
        start, s = cuda.blockIdx.x * lanes + cuda.threadIdx.x, cuda.blockIdx.z
        if turn.status[s] != RUNNING:
            return
        row, value, delta, m = model.table[k], buffers.value[s], buffers.delta[s], turn.items[turn.clock[0], SIZE]
        for n in range(start, parts_of(row) * m, cuda.gridDim.x * lanes):
            i = n % m
            part_back(row, value, delta, n // m, i, i + 1, 1)

    return Kernels(merge, merge_back)
