"""Buffers that begin at a cache line: a vector that lies across two lines takes twice as long to load."""

from __future__ import annotations

from typing import Any

import numpy as np

from .compile import jit

LINE = 64  # bytes
ODD_ROWS = 128  # bytes of a row above which rows get a line more, lest they fall on the same cache sets


@jit
def aligned(n_rows: int, length: int, like: Any) -> Any:
    """Zeros (n_rows, length) in the kind of number of `like`, from the start of a cache line on."""
    size = like.itemsize
    flat = np.zeros(n_rows * length + LINE // size, like.dtype)
    skip = (-flat.ctypes.data % LINE) // size
    return flat[skip : skip + n_rows * length].reshape(n_rows, length)


@jit
def row_length(block: int, like: Any) -> int:
    """Elements of a row of a buffer for `block` observations."""
    size = like.itemsize
    return block + LINE // size if block * size > ODD_ROWS else block
