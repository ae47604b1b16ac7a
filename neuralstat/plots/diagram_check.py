"""Checks of the arguments of the network diagram."""

from __future__ import annotations

from typing import Any

import numpy as np

from neuralstat.checks import check_items, is_real, shown
from neuralstat.checks.arguments import Numbers
from neuralstat.errors import ArgumentError
from neuralstat.plots.style import number


def information_line(error: float | None, steps: int | None) -> str:
    """Write the line below the diagram; empty when neither is given."""
    parts = []
    for name, value in (("error", error), ("steps", steps)):
        if value is not None and not is_real(value):
            raise ArgumentError(f"{name} must be a number or None, not {shown(value)}")
        if isinstance(value, int) and abs(value) > 10**300:
            raise ArgumentError(f"{name} must be a number that is written with floats, not {shown(value)}")
    if steps is not None and not np.isfinite(steps):
        raise ArgumentError(f"steps must be a finite number, not {shown(steps)}")
    if error is not None:
        parts.append(f"Error: {number(error, 6)}")
    if steps is not None:
        parts.append(f"Steps: {int(steps)}")
    return "   ".join(parts)


def check_colors(colors: Any) -> tuple[Any, Any]:
    """Check that ``colors`` are two colours of matplotlib."""
    from matplotlib.colors import is_color_like

    words = "two matplotlib colours (positive, negative)"
    given = [] if isinstance(colors, str) else check_items(colors, "colors", words)
    try:
        known = len(given) == 2 and all(is_color_like(c) for c in given)
    except Exception:  # what is looked up is anybody's object
        known = False
    if not known:
        raise ArgumentError(f"colors must be {words}, not {shown(colors)}")
    return given[0], given[1]


def check_weights(weights: Any) -> list[np.ndarray]:
    """Check that ``weights`` are the matrices of consecutive dense layers."""
    if isinstance(weights, np.ndarray) and weights.ndim == 2:
        raise ArgumentError("weights must be a list of matrices, one per layer, not a single matrix")
    matrices: list[np.ndarray] = []
    for i, value in enumerate(check_items(weights, "weights", "a list of matrices, one per layer")):
        try:
            matrix = Numbers(None, finite=False).check(value, "weights")
        except ArgumentError:
            raise ArgumentError(f"weights[{i}] must be a numeric matrix, not {shown(value)}") from None
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


def check_sizes(sizes: Any, matrices: list[np.ndarray]) -> list[np.ndarray]:
    """Check that ``sizes`` are finite matrices shaped like the weights; ``None`` stands for the weights themselves."""
    if sizes is None:
        return [np.abs(w) for w in matrices]
    words = f"{len(matrices)} matrices shaped like the weights"
    kind = Numbers(None, finite=False)
    given = [np.abs(kind.check(s, f"sizes[{i}]")) for i, s in enumerate(check_items(sizes, "sizes", words))]
    if [s.shape for s in given] != [w.shape for w in matrices]:
        raise ArgumentError(f"sizes must be {words}")
    if any((~np.isfinite(s) & np.isfinite(w)).any() for s, w in zip(given, matrices)):
        raise ArgumentError("sizes has values that are not finite, at weights that are")
    return given


def check_fixed(fixed: Any, matrices: list[np.ndarray]) -> list[np.ndarray]:
    """Check that ``fixed`` are masks shaped like the weights; ``None`` stands for all false."""
    if fixed is None:
        return [np.zeros(w.shape, dtype=bool) for w in matrices]
    masks = []
    for mask in check_items(fixed, "fixed", f"{len(matrices)} masks shaped like the weights"):
        try:
            masks.append(np.asarray(mask))
        except Exception:  # how a foreign object makes an array of itself is its own code
            masks.append(np.zeros(0))
    if len(masks) != len(matrices):
        raise ArgumentError(f"fixed has {len(masks)} masks, but weights {len(matrices)} matrices")
    for i, (mask, matrix) in enumerate(zip(masks, matrices)):
        if mask.dtype != np.bool_ or mask.shape != matrix.shape:
            raise ArgumentError(
                f"fixed[{i}] must be boolean of shape {matrix.shape}; "
                f"it is {mask.dtype} of shape {mask.shape}"
            )
    return masks
