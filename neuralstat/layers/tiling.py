"""Which convolutions go tile by tile; see `winograd`."""

from __future__ import annotations

from collections.abc import Mapping

from .codes import (
    CHANNELS,
    COLS,
    DILATION_COLS,
    DILATION_ROWS,
    FILTERS,
    KERNEL_COLS,
    KERNEL_ROWS,
    OUT_COLS,
    OUT_ROWS,
    PAD_COLS,
    PAD_ROWS,
    ROWS,
    STRIDE_COLS,
    STRIDE_ROWS,
)

BY_TILES = 1  # OPTIONS of a convolution
ELEMENTS = 16  # of a tile, and of a transformed kernel
LEAST = 16  # channels, and filters, from which tiles are worth their sums
PACKING = 3  # tiles that take as long as the transformation of the kernels
GAIN = 1.25  # products of sums over the kernel, over those of tiles, from which tiles are taken


def by_tiles(fields: Mapping[int, int]) -> bool:
    """Whether a convolution of such a geometry takes tiles.

    That alone decides, lest an output depend on the observations beside it.
    """
    kernel = fields[KERNEL_ROWS], fields[KERNEL_COLS]
    steps = (fields[name] for name in (STRIDE_ROWS, STRIDE_COLS, DILATION_ROWS, DILATION_COLS))
    if kernel != (3, 3) or max(steps) > 1 or min(fields[CHANNELS], fields[FILTERS]) < LEAST:
        return False
    high, wide = (fields[OUT_ROWS] + 1) // 2, (fields[OUT_COLS] + 1) // 2
    if fields[ROWS] + fields[PAD_ROWS] > 2 * high + 2 or fields[COLS] + fields[PAD_COLS] > 2 * wide + 2:
        return False  # inputs that no tile has
    down = _pairs(fields[OUT_ROWS], fields[ROWS], fields[PAD_ROWS])
    across = _pairs(fields[OUT_COLS], fields[COLS], fields[PAD_COLS])
    return down * across > GAIN * ELEMENTS * (high * wide + PACKING)


def _pairs(outputs: int, inputs: int, pad: int) -> int:
    """Pairs of an output and an input below its kernel, along one side."""
    return sum(max(min(outputs, inputs + pad - k) - max(0, pad - k), 0) for k in range(3))
