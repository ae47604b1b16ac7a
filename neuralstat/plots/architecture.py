"""The layers of a network as blocks, drawn by the shapes that they give."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, Any

import numpy as np
import pandas as pd

from neuralstat.checks import shown
from neuralstat.checks.arguments import Anything, Several, Whole, arguments
from neuralstat.errors import ArgumentError
from neuralstat.plots import style

if TYPE_CHECKING:
    from matplotlib.axes import Axes

HEIGHT, DEPTH = 2.0, 0.55  # of the largest block: rows or units; channels or features
SKEW = (0.32, 0.22)  # of the back edge, by the height of a block with columns
GAP, LEAST = 0.55, 0.08


@arguments(
    table=Anything("a DataFrame, as layer_table"), input_shape=Several(Whole(1)), input_name=Anything("a string", "input"),
    ax=style.AX,
)
def plot_layers(table: Any, input_shape: Any, *, input_name: str = "input", ax: Axes | None = None) -> Axes:
    """Draw layers from left to right as blocks.

    The height of a block grows with the root of the rows, times or units of the layer's output, its width with the root
    of the channels or features; images have depth. Blue blocks have weights that are trained, grey ones weights that are
    held, white ones none.

    Parameters
    ----------
    table : DataFrame
        As `NeuralNetResults.layer_table`: a row per layer, with ``kind``, ``output_shape``, ``params``, ``trained``.
    input_shape : tuple of int
        Shape of one observation.
    input_name : str
    ax : matplotlib.axes.Axes, optional
        Where to draw; pyplot's current axes unless given, a new figure where these hold a picture.

    Returns
    -------
    matplotlib.axes.Axes

    Raises
    ------
    ArgumentError
        Where the table lacks a column.

    Examples
    --------
    >>> from neuralstat.layers import Conv2D, Flatten
    >>> import neuralstat as ns
    >>> data = {name: values[:100] for name, values in ns.datasets.digits().items()}
    >>> settings = {"family": "multinomial", "algorithm": "adam", "epochs": 0, "random_state": 1}
    >>> layers = [Conv2D(4, 3, "tanh"), Flatten()]
    >>> fit = ns.neuralnet("digit ~ pixels", data, layers=layers, **settings)
    >>> ax = ns.plots.plot_layers(fit.layer_table, (8, 8, 1), input_name="pixels")
    """
    style.text("input_name", input_name)
    needed = ("kind", "output_shape", "params", "trained")
    if not isinstance(table, pd.DataFrame) or not set(needed) <= set(table):
        raise ArgumentError(f"table must be a DataFrame with columns {', '.join(needed)}, as `layer_table` is.")
    try:
        shapes = [tuple(input_shape), *(tuple(map(int, shape)) for shape in table["output_shape"])]
        counts = table[["params", "trained"]].to_numpy(dtype=float)
    except Exception:  # cells hold anything
        shapes, counts = [()], np.zeros((0, 0))
    if not all(shapes) or min(map(min, shapes)) < 1 or not np.isfinite(counts).all():
        raise ArgumentError(f"table must hold shapes and whole numbers, as `layer_table` does; got {shown(table)}.")
    labels, faces, sizes = blocks(table, shapes[0])
    labels[0] = f"{input_name}\n\n{labels[0]}"
    slot = [max(block_width(width, skew), 1.05) + GAP for _, width, skew in sizes]
    ax = style.target_axes(ax, (max(4.0, 0.92 * sum(slot)), 3.8))
    left, spans = 0.0, []
    for k, ((height, width, skew), room) in enumerate(zip(sizes, slot, strict=True)):
        at = left + (room - block_width(width, skew)) / 2
        block(ax, at, 0.0, height, width, skew, faces[k])
        ax.text(left + room / 2, -HEIGHT / 2 - 0.25, labels[k], ha="center", va="top", fontsize=7.5, color=style.INK,
                parse_math=False)  # fmt: skip
        spans.append((at, at + block_width(width, skew), height / 2 + skew * SKEW[1]))
        left += room
    highest = max(_arrow(ax, spans, j, k) for k, reads in enumerate(_reads(table), 1) for j in reads)
    ax.set_xlim(0, left)
    ax.set_ylim(-HEIGHT / 2 - 1.35, max(HEIGHT / 2 + HEIGHT * SKEW[1], highest) + 0.1)
    ax.set_aspect("equal")
    ax.set_axis_off()
    return ax


def _reads(table: pd.DataFrame) -> list[list[int]]:
    """For every layer the blocks that it reads; 0 is the input's."""
    if "reads" not in table:
        return [[k] for k in range(len(table))]
    known = {str(name): k for k, name in enumerate(table.index, 1)}
    return [[known.get(name, 0) for name in str(names).split(", ")] for names in table["reads"]]


def _arrow(ax: Axes, spans: list[tuple[float, float, float]], j: int, k: int) -> float:
    """An arrow from block j to block k, straight to the next one, else over those between; how high it goes."""
    look = {"arrowstyle": "->", "color": style.GREY, "lw": 1}
    if j == k - 1:
        ax.annotate("", (spans[k][0] - 0.04, 0), (spans[j][1] + 0.04, 0), arrowprops=look)
        return 0.0
    begin, end = (((a + b) / 2, high + 0.05) for a, b, high in (spans[j], spans[k]))
    over = max(high for _, _, high in spans[j : k + 1]) + 0.12 + 0.1 * (k - j)
    rise = [over - begin[1], over - end[1]]
    from matplotlib.patches import FancyArrowPatch
    from matplotlib.path import Path as Curve

    points = [begin, (begin[0], begin[1] + 1.35 * rise[0]), (end[0], end[1] + 1.35 * rise[1]), end]
    curve = Curve(points, [Curve.MOVETO, Curve.CURVE4, Curve.CURVE4, Curve.CURVE4])
    ax.add_patch(FancyArrowPatch(path=curve, arrowstyle="->", color=style.GREY, lw=1, mutation_scale=9, fill=False))
    return over


def blocks(table: pd.DataFrame, shape: tuple[int, ...]) -> tuple[list[str], list[str], list[tuple[float, float, float]]]:
    """Labels, colours and sizes of blocks: the input's, of one observation, and those of the layers of a table."""
    labels, faces = [_shape(shape)], ["white"]
    for name, row in table.iterrows():
        count = f"\n{row['params']:,} weights" if row["params"] else ""
        own = re.sub(r"_\d+$", "", str(name)).replace("_", "")
        kind = f"{row['kind']}\n" if str(row["kind"]).lower() != own else "\n"
        labels.append(f"{name}\n{kind}{_shape(row['output_shape'])}{count}")
        faces.append(style.SKY if row["trained"] else style.PALE if row["params"] else "white")
    return labels, faces, _sizes([shape, *(tuple(map(int, s)) for s in table["output_shape"])])


def block_width(width: float, skew: float) -> float:
    """Width of a block with its side."""
    return width + skew * SKEW[0]


def _shape(shape: Any) -> str:
    """A shape as text, ``28 x 28 x 1``."""
    return " \N{MULTIPLICATION SIGN} ".join(f"{int(n):,}" for n in shape)


def _sizes(shapes: list[tuple[int, ...]]) -> list[tuple[float, float, float]]:
    """Height, width and depth of every block."""
    long = np.array([shape[0] for shape in shapes], dtype=float)
    broad = np.array([shape[-1] if len(shape) > 1 else 0 for shape in shapes], dtype=float)
    several = np.array([len(shape) > 1 for shape in shapes])
    height = np.empty(len(shapes))
    for group in (several, ~several):  # units of a dense layer are not to dwarf the rows of an image
        if group.any():
            height[group] = np.maximum(HEIGHT * np.sqrt(long[group] / long[group].max()), LEAST)
    width = np.maximum(DEPTH * np.sqrt(broad / max(broad.max(), 1.0)), LEAST)
    return [(h, w, h if len(s) > 2 else 0.0) for h, w, s in zip(height, width, shapes, strict=True)]


def block(ax: Axes, x: float, y: float, height: float, width: float, skew: float, face: str) -> None:
    """A box seen from the left, around height `y`: front `width` by `height`, going back by `skew`."""
    from matplotlib.patches import Polygon

    dx, dy, low, high = skew * SKEW[0], skew * SKEW[1], y - height / 2, y + height / 2
    sides = [[(x, low), (x + width, low), (x + width, high), (x, high)]]
    if skew:
        sides.append([(x, high), (x + width, high), (x + width + dx, high + dy), (x + dx, high + dy)])
        sides.append([(x + width, low), (x + width, high), (x + width + dx, high + dy), (x + width + dx, low + dy)])
    for side, shade in zip(sides, (1.0, 0.6, 0.8), strict=False):
        ax.add_patch(Polygon(side, closed=True, facecolor=face, edgecolor=style.INK, linewidth=0.8, alpha=shade))
