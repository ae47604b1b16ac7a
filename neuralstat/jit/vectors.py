"""Sums and steps of vectors in plain loops: numba compiles the shapes and messages of whole-array expressions with them."""

from __future__ import annotations

from typing import Any

import numpy as np

from .compile import jit


@jit
def dot(a: Any, b: Any) -> Any:
    """sum_j a_j b_j."""
    total = 0.0
    for j in range(a.size):
        total += a[j] * b[j]
    return total


@jit
def sum_abs(a: Any) -> Any:
    """sum_j |a_j|."""
    total = 0.0
    for j in range(a.size):
        total += np.abs(a[j])
    return total


@jit
def copy_to(a: Any, into: Any) -> None:
    """into_j = a_j."""
    for j in range(a.size):
        into[j] = a[j]


@jit
def fill(a: Any, value: Any) -> None:
    """a_j = value."""
    for j in range(a.size):
        a[j] = value


@jit
def fill_rows(a: Any, first: int, last: int, m: int, value: Any) -> None:
    """a_uj = value in the first m columns of the rows from first on, before last."""
    for u in range(first, last):
        row = a[u]
        for j in range(m):
            row[j] = value


@jit
def scale_to(factor: float, a: Any, into: Any) -> None:
    """into_j = factor a_j."""
    for j in range(a.size):
        into[j] = factor * a[j]


@jit
def add_to(factor: float, a: Any, into: Any) -> None:
    """into_j += factor a_j."""
    for j in range(a.size):
        into[j] += factor * a[j]
