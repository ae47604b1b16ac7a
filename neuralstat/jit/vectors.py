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
def scale_to(factor: float, a: Any, into: Any) -> None:
    """into_j = factor a_j."""
    for j in range(a.size):
        into[j] = factor * a[j]


@jit
def add_to(factor: float, a: Any, into: Any) -> None:
    """into_j += factor a_j."""
    for j in range(a.size):
        into[j] += factor * a[j]
