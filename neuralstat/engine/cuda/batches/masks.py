"""Kernels of masks: those of embeddings and `Masking`, and means over the times that are there. Threads take observations."""

from __future__ import annotations

from typing import Any, NamedTuple

from numba import cuda  # a global, in whose place the simulator puts its own

from ....layers.codes import MASK, N_IN, SOURCE
from ....layers.masking import masked_mean_backward, masked_mean_forward, masking_backward, masking_forward
from ...cpu import RUNNING
from ..device import target
from .arrays import SIZE


class Kernels(NamedTuple):
    """Compiled kernels, (model, k, turn, buffers); see `layers.masking`."""

    of_numbers: Any
    masking: Any
    masking_back: Any
    mean: Any
    mean_back: Any


def build(lanes: int, simulate: bool, decorate: Any = None) -> Kernels:
    """Make the kernels; grid: observations, 1, members."""
    to_device = target(simulate).to_device
    mask, mask_back = to_device(masking_forward), to_device(masking_backward)
    average, average_back = to_device(masked_mean_forward), to_device(masked_mean_backward)
    compiled = cuda.jit if decorate is None else decorate

    @compiled
    def of_numbers(model, k, turn, buffers):
        start, s = cuda.blockIdx.x * lanes + cuda.threadIdx.x, cuda.blockIdx.z
        if turn.status[s] != RUNNING:
            return
        row, value = model.table[k], buffers.value[s]
        for i in range(start, turn.items[turn.clock[0], SIZE], cuda.gridDim.x * lanes):
            for p in range(row[N_IN]):
                value[row[MASK] + p, i] = 0 if value[row[SOURCE] + p, i] == 0 else 1

    @compiled
    def masking(model, k, turn, buffers):
        start, s = cuda.blockIdx.x * lanes + cuda.threadIdx.x, cuda.blockIdx.z
        if turn.status[s] != RUNNING:
            return
        m = turn.items[turn.clock[0], SIZE]
        mask(model.table[k], model.constants[k], buffers.value[s], start, m, cuda.gridDim.x * lanes)

    @compiled
    def masking_back(model, k, turn, buffers):
        start, s = cuda.blockIdx.x * lanes + cuda.threadIdx.x, cuda.blockIdx.z
        if turn.status[s] != RUNNING:
            return
        m = turn.items[turn.clock[0], SIZE]
        mask_back(model.table[k], buffers.value[s], buffers.delta[s], start, m, cuda.gridDim.x * lanes)

    @compiled
    def mean(model, k, turn, buffers):
        start, s = cuda.blockIdx.x * lanes + cuda.threadIdx.x, cuda.blockIdx.z
        if turn.status[s] != RUNNING:
            return
        average(model.table[k], buffers.value[s], start, turn.items[turn.clock[0], SIZE], cuda.gridDim.x * lanes)

    @compiled
    def mean_back(model, k, turn, buffers):
        start, s = cuda.blockIdx.x * lanes + cuda.threadIdx.x, cuda.blockIdx.z
        if turn.status[s] != RUNNING:
            return
        m = turn.items[turn.clock[0], SIZE]
        average_back(model.table[k], buffers.value[s], buffers.delta[s], start, m, cuda.gridDim.x * lanes)

    return Kernels(of_numbers, masking, masking_back, mean, mean_back)
