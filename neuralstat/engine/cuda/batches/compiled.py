"""Kernels of modules, made once for each type of numbers and size of block."""

from __future__ import annotations

import functools
from typing import Any

from .. import simulated

LANES = 256  # threads of a block
EDGE = 32  # of tiles that are turned round
SIMULATED_LANES, SIMULATED_EDGE = 2, 2


def lanes() -> int:
    """Threads of a block."""
    return SIMULATED_LANES if simulated() else LANES


@functools.lru_cache(maxsize=64)
def units_kernels(dtype: str, rare: Any, simulate: bool, code: int | None = None) -> Any:
    """Kernels that go through units one by one; see `units.build`."""
    from . import units  # needs numba-cuda

    return units.build(dtype, rare, lanes(), SIMULATED_EDGE if simulate else EDGE, simulate, code=code)


@functools.lru_cache(maxsize=64)
def built_kernels(name: str, dtype: str, simulate: bool) -> Any:
    """Kernels of a module that ask for no more than this."""
    from . import attention, depthwise, merging, moves, normalization, special, update  # need numba-cuda

    modules = {"attention": attention, "depthwise": depthwise, "merging": merging, "moves": moves,
               "normalization": normalization, "special": special, "update": update}  # fmt: skip
    return modules[name].build(dtype, lanes(), simulate)


@functools.lru_cache(maxsize=64)
def products_kernels(dtype: str, tile: Any, simulate: bool) -> Any:
    """Kernels of products in tiles."""
    from . import products

    return products.build(dtype, tile, simulate)


@functools.lru_cache(maxsize=64)
def recurrent_kernels(dtype: str, kind: str, few: int, resident: bool, width: int, simulate: bool, usual: bool) -> Any:
    """Kernels of recurrent layers."""
    from . import recurrent

    return recurrent.build(dtype, kind, few, resident, width, simulate, usual=usual)


@functools.lru_cache(maxsize=4)
def masks_kernels(simulate: bool) -> Any:
    """Kernels of masks."""
    from . import masks

    return masks.build(lanes(), simulate)
