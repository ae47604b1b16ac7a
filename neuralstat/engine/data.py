"""Arrays as kernels want them."""

from __future__ import annotations

from typing import Any

import numpy as np

from . import cpu


def make_data(
    x: np.ndarray,
    y: np.ndarray,
    weights: np.ndarray | None = None,
    offset: np.ndarray | None = None,
    rows: np.ndarray | None = None,
    count: np.ndarray | None = None,
    dtype: Any = np.float64,
) -> cpu.Data:
    """Arrays as kernels want them: contiguous, of one kind of number, with the network's axis first.

    Parameters
    ----------
    x : (D, n) array
    y : (K, n) or (B, K, n) array
    weights : (n,) or (B, n) array, optional
    offset : (K, n) array, optional
    rows : (m,) or (B, m) int array, optional
    count : (B,) int array, optional
    """

    def ready(a: Any, dims: int) -> np.ndarray:
        a = np.ascontiguousarray(a, dtype=dtype)
        return a if a.ndim == dims else a[np.newaxis]

    y = ready(y, 3)
    return cpu.Data(
        np.ascontiguousarray(x, dtype=dtype),
        y,
        np.zeros((1, 0), dtype) if weights is None else ready(weights, 2),
        np.zeros((y.shape[1], 0), dtype) if offset is None else np.ascontiguousarray(offset, dtype=dtype),
        np.zeros((1, 0), np.int64) if rows is None else np.atleast_2d(np.ascontiguousarray(rows, np.int64)),
        np.zeros(0, np.int64) if count is None else np.ascontiguousarray(count, np.int64),
    )
