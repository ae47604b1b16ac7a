"""The edges of a network diagram as arrays, and the places of their labels."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from neuralstat.plots.diagram_labels import place_labels
from neuralstat.plots.diagram_layout import Layout, text_size
from neuralstat.plots.style import number

SMALLEST_LABEL = 6.5  # points


@dataclass(frozen=True)
class Edges:
    """The weights drawn, one element per edge.

    Attributes
    ----------
    layer, source, target : ndarray of int, shape (E,)
        Edge from unit ``source`` of ``layer`` (-1: its bias node) to unit ``target`` of the next layer; units
        are numbered from 0 over the whole layer.
    value : ndarray, shape (E,)
        The weights, all finite.
    fixed : ndarray of bool, shape (E,)
        Whether the weight was held constant.
    size : ndarray, shape (E,)
        What the width shows, at least 0.
    """

    layer: np.ndarray
    source: np.ndarray
    target: np.ndarray
    value: np.ndarray
    fixed: np.ndarray
    size: np.ndarray

    def at(self, plan: Layout) -> PlacedEdges:
        """Give the edges with the places of their ends in ``plan``."""
        height = [dict(zip(units.tolist(), y.tolist())) for units, y in zip(plan.shown, plan.y)]
        start = np.array(
            [
                (plan.x[k], plan.bias_y if i < 0 else height[k][i])
                for k, i in zip(self.layer.tolist(), self.source.tolist())
            ]
        ).reshape(-1, 2)
        end = np.array(
            [(plan.x[k + 1], height[k + 1][j]) for k, j in zip(self.layer.tolist(), self.target.tolist())]
        ).reshape(-1, 2)
        return PlacedEdges(self.layer, self.source, self.target, self.value, self.fixed, self.size, start, end)


@dataclass(frozen=True)
class PlacedEdges(Edges):
    """Edges with the places of their ends, ``start`` and ``end`` of shape (E, 2), in inches."""

    start: np.ndarray
    end: np.ndarray


def collect(
    weights: list[np.ndarray], fixed: list[np.ndarray], sizes: list[np.ndarray], shown: list[np.ndarray], bias: bool
) -> Edges:
    """Collect the finite weights between units that are shown, with those of the bias nodes when ``bias``."""
    rows: list[tuple[int, int, int, float, bool, float]] = []
    for k, (matrix, mask, size) in enumerate(zip(weights, fixed, sizes)):
        sources = ([-1] if bias else []) + shown[k].tolist()
        rows += [
            (k, i, j, matrix[i + 1, j], mask[i + 1, j], size[i + 1, j])
            for i in sources
            for j in shown[k + 1].tolist()
            if np.isfinite(matrix[i + 1, j])
        ]
    layer, source, target, value, held, width = zip(*rows) if rows else ((),) * 6
    return Edges(
        np.array(layer, dtype=int),
        np.array(source, dtype=int),
        np.array(target, dtype=int),
        np.array(value, dtype=float),
        np.array(held, dtype=bool),
        np.abs(np.array(width, dtype=float)),
    )


@dataclass(frozen=True)
class LabelPositions:
    """Centres of the labels, shape (E, 2), their font size in points, and the overlaps that remain."""

    centres: np.ndarray
    size: float
    clashes: int


def label_positions(edges: PlacedEdges, plan: Layout, size: float) -> LabelPositions:
    """Find places for the labels, one per edge.

    The font becomes smaller until no labels overlap or it could not be read any more.
    """
    while True:
        centres, clashes = np.zeros_like(edges.start), 0
        widths = np.array([text_size(number(v), size)[0] for v in edges.value])
        height = text_size("0", size)[1] * 1.5
        for k in np.unique(edges.layer):
            here = edges.layer == k
            nodes = np.array(
                [(plan.x[m], y) for m in (k, k + 1) for y in plan.y[m]] + [(plan.x[k], plan.bias_y)]
            )
            centres[here], left = place_labels(
                edges.start[here], edges.end[here], widths[here], height, nodes, plan.radius
            )
            clashes += left
        if clashes == 0 or size <= SMALLEST_LABEL:
            return LabelPositions(centres, size, clashes)
        size = max(0.86 * size, SMALLEST_LABEL)
