"""Checks of the arguments of the network diagram."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np

from neuralstat.errors import ArgumentError
from neuralstat.plots.style import number


def information_line(error: float | None, steps: int | None) -> str:
    """Write the line below the diagram; empty when neither is given."""
    parts = []
    for name, value in (("error", error), ("steps", steps)):
        if value is not None and (isinstance(value, bool) or not isinstance(value, int | float | np.number)):
            raise ArgumentError(f"{name} must be a number or None, not {value!r}")
    if error is not None:
        parts.append(f"Error: {number(error, 6)}")
    if steps is not None:
        parts.append(f"Steps: {int(steps)}")
    return "   ".join(parts)


def check_colors(colors: Any) -> tuple[Any, Any]:
    """Check that ``colors`` are two colours of matplotlib."""
    from matplotlib.colors import is_color_like

    if isinstance(colors, str) or len(colors) != 2 or not all(is_color_like(c) for c in colors):
        raise ArgumentError(f"colors must be two matplotlib colours (positive, negative), not {colors!r}")
    return tuple(colors)


def check_weights(weights: Sequence[Any]) -> list[np.ndarray]:
    """Check that ``weights`` are the matrices of consecutive dense layers."""
    if isinstance(weights, np.ndarray) and weights.ndim == 2:
        raise ArgumentError("weights must be a list of matrices, one per layer, not a single matrix")
    matrices: list[np.ndarray] = []
    for i, value in enumerate(weights):
        try:
            matrix = np.asarray(value, dtype=np.float64)
        except (TypeError, ValueError) as exc:
            raise ArgumentError(f"weights[{i}] must be a numeric matrix: {exc}") from exc
        if matrix.ndim != 2 or matrix.shape[0] < 2 or matrix.shape[1] < 1:
            raise ArgumentError(
                f"weights[{i}] must have shape (1 + inputs, outputs) with at least one of each; "
                f"it has {matrix.shape}"
            )
        if matrices and matrix.shape[0] != 1 + matrices[-1].shape[1]:
            raise ArgumentError(
                f"weights[{i}] must have {1 + matrices[-1].shape[1]} rows (a bias and the outputs of "
                f"weights[{i - 1}]); it has {matrix.shape[0]}"
            )
        if np.isinf(matrix).any():
            raise ArgumentError(f"weights[{i}] has infinite values, which cannot be drawn")
        matrices.append(matrix)
    if not matrices:
        raise ArgumentError("weights is empty; it must hold one matrix per layer")
    return matrices


def check_sizes(sizes: Sequence[Any] | None, matrices: list[np.ndarray]) -> list[np.ndarray]:
    """Check that ``sizes`` are finite matrices shaped like the weights; ``None`` stands for the weights themselves."""
    if sizes is None:
        return [np.abs(w) for w in matrices]
    given = [np.abs(np.asarray(s, dtype=np.float64)) for s in sizes]
    if [s.shape for s in given] != [w.shape for w in matrices]:
        raise ArgumentError(f"sizes must be {len(matrices)} matrices shaped like the weights")
    if any((~np.isfinite(s) & np.isfinite(w)).any() for s, w in zip(given, matrices)):
        raise ArgumentError("sizes has values that are not finite, at weights that are")
    return given


def check_fixed(fixed: Sequence[Any] | None, matrices: list[np.ndarray]) -> list[np.ndarray]:
    """Check that ``fixed`` are masks shaped like the weights; ``None`` stands for all false."""
    if fixed is None:
        return [np.zeros(w.shape, dtype=bool) for w in matrices]
    masks = [np.asarray(m) for m in fixed]
    if len(masks) != len(matrices):
        raise ArgumentError(f"fixed has {len(masks)} masks, but weights {len(matrices)} matrices")
    for i, (mask, matrix) in enumerate(zip(masks, matrices)):
        if mask.dtype != np.bool_ or mask.shape != matrix.shape:
            raise ArgumentError(
                f"fixed[{i}] must be boolean of shape {matrix.shape}; "
                f"it is {mask.dtype} of shape {mask.shape}"
            )
    return masks
