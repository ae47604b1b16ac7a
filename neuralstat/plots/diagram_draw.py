"""The artists of a network diagram."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np

from neuralstat.plots import style
from neuralstat.plots.diagram_edges import LabelPositions, PlacedEdges
from neuralstat.plots.diagram_layout import ARROW, PAD, ROW, Layout, text_size

if TYPE_CHECKING:
    from matplotlib.axes import Axes

THINNEST, THICKEST = 0.5, 3.4  # line widths in points
DWARFS = 25.0  # weights this many times larger than the median are all drawn alike
UNIT_FACE, BIAS_FACE = "#f1f4f6", "#dcecf8"
DASHES = (0, (3.2, 1.8))


def prepare(ax: Axes, plan: Layout) -> None:
    """Make inches the data coordinates, so that circles are round and angles true."""
    ax.set_axis_off()
    ax.set_xlim(0, plan.width)
    ax.set_ylim(0, plan.height)
    ax.set_aspect("equal")


def full_size(value: np.ndarray) -> float:
    """Size of the weights that are drawn thickest: the largest, or a round number where a few dwarf the rest."""
    size = np.abs(value[value != 0])
    if size.size == 0:
        return 0.0
    largest, usual = float(size.max()), DWARFS * float(np.median(size))
    return largest if largest <= usual else round_down(usual)


def round_down(value: float) -> float:
    """1, 2 or 5 times a power of ten, at most `value`."""
    power = 10.0 ** np.floor(np.log10(value))
    return float(power * (5 if value >= 5 * power else 2 if value >= 2 * power else 1))


def root_strength(value: Any, full: float) -> np.ndarray:
    """Size of weights from 0 to 1: the root, since a few weights are often much larger than the rest."""
    return np.sqrt(np.minimum(np.abs(value) / full, 1.0)) if full > 0 else np.zeros(np.shape(value))


def line_width(strength: Any, plan: Layout, dense: bool) -> Any:
    """Width in points; many small units have thinner lines between them."""
    finer = 0.8 * float(np.clip(plan.radius / 0.08, 0.5, 1.0)) if dense else 1.0
    return finer * (THINNEST + (THICKEST - THINNEST) * strength)


def line_opacity(strength: Any, dense: bool) -> Any:
    """Opacity; in a dense diagram the small weights recede."""
    return 0.1 + 0.8 * strength**1.4 if dense else 0.45 + 0.45 * strength


def _rgba(value: np.ndarray, strength: np.ndarray, palette: tuple[Any, Any], dense: bool) -> np.ndarray:
    from matplotlib.colors import to_rgba

    table = np.array([to_rgba(palette[1]), to_rgba(style.GREY), to_rgba(palette[0])])
    colors = table[np.sign(value).astype(int) + 1]
    colors[:, 3] *= line_opacity(strength, dense)
    return colors


def edges(ax: Axes, plan: Layout, placed: PlacedEdges, palette: tuple[Any, Any], *, dense: bool) -> None:
    """Draw an edge for every weight: fitted ones solid, fixed ones dashed, the largest on top."""
    from matplotlib.collections import LineCollection

    full = full_size(placed.size)
    order = np.argsort(placed.size, kind="stable")
    for held, name in ((False, "weights"), (True, "fixed weights")):
        rows = order[placed.fixed[order] == held]
        if rows.size == 0:
            continue
        strength = root_strength(placed.size[rows], full)
        lines = LineCollection(
            list(np.stack([placed.start[rows], placed.end[rows]], axis=1)),
            colors=_rgba(placed.value[rows], strength, palette, dense),
            linewidths=line_width(strength, plan, dense),
            linestyles=[DASHES] if held else "solid",
            zorder=2,
            gid=name,
            capstyle="butt",
        )
        ax.add_collection(lines, autolim=False)


def nodes(ax: Axes, plan: Layout, placed: PlacedEdges) -> None:
    """Draw units, bias nodes, ellipses of abbreviated layers, and the arrows in and out."""
    from matplotlib.collections import PatchCollection
    from matplotlib.patches import Circle

    units = [Circle((x, y), plan.radius) for x, column in zip(plan.x, plan.y) for y in column]
    ax.add_collection(
        PatchCollection(
            units, facecolor=UNIT_FACE, edgecolor=style.INK, linewidth=1.1, zorder=4, gid="units"
        ),
        autolim=False,
    )
    with_bias = np.unique(placed.layer[placed.source < 0])
    radius = min(max(plan.radius, 0.09), 1.6 * plan.radius)
    if with_bias.size:
        circles = [Circle((plan.x[k], plan.bias_y), radius) for k in with_bias]
        ax.add_collection(
            PatchCollection(
                circles, facecolor=BIAS_FACE, edgecolor=style.BLUE, linewidth=1.1, zorder=4, gid="bias nodes"
            ),
            autolim=False,
        )
        for k in with_bias:
            ax.text(
                plan.x[k],
                plan.bias_y,
                "1",
                color=style.BLUE,
                fontsize=min(10.0, 75 * radius),
                ha="center",
                va="center_baseline",
                zorder=5,
                gid=f"bias-{k}",
            )
    for x, y in zip(plan.x, plan.dots):
        if y is not None:
            gap = 0.5 * plan.radius
            dots = [Circle((x, y + k * gap), 0.13 * plan.radius) for k in (-1, 0, 1)]
            ax.add_collection(
                PatchCollection(dots, facecolor=style.INK, edgecolor="none", zorder=4, gid="ellipsis"),
                autolim=False,
            )
    _arrows(ax, plan)


def _stub(plan: Layout) -> float:
    return min(ARROW, 0.06 * plan.width)


def _arrows(ax: Axes, plan: Layout) -> None:
    from matplotlib.patches import FancyArrowPatch

    stub = _stub(plan)
    ends = [(plan.x[0] - plan.radius - stub, plan.x[0] - plan.radius, y) for y in plan.y[0]]
    ends += [(plan.x[-1] + plan.radius, plan.x[-1] + plan.radius + stub, y) for y in plan.y[-1]]
    head = float(np.clip(40 * plan.radius, 3, 8))
    for start, end, y in ends:
        ax.add_patch(
            FancyArrowPatch(
                (start, y),
                (end, y),
                arrowstyle="-|>",
                mutation_scale=head,
                shrinkA=0,
                shrinkB=0,
                linewidth=0.9,
                color=style.INK,
                zorder=3,
                clip_on=False,
            )
        )


def names(ax: Axes, plan: Layout) -> None:
    """Write the names of inputs and outputs."""
    reach = plan.radius + _stub(plan) + 0.05
    for side, align, words, heights in (
        (plan.x[0] - reach, "right", plan.x_names, plan.y[0]),
        (plan.x[-1] + reach, "left", plan.y_names, plan.y[-1]),
    ):
        for word, y in zip(words, heights):
            ax.text(
                side,
                y,
                word,
                ha=align,
                va="center_baseline",
                fontsize=plan.name_size,
                color=style.INK,
                parse_math=False,
                zorder=5,
                gid="name",
            )


def labels(ax: Axes, placed: PlacedEdges, positions: LabelPositions, palette: tuple[Any, Any]) -> None:
    """Write every weight along its edge."""
    from matplotlib.colors import to_rgb

    slope = placed.end - placed.start
    angles = np.degrees(np.arctan2(slope[:, 1], slope[:, 0]))
    # A box cuts the edge cleanly: a line between digits would make a decimal point look like a dot product.
    box = {"boxstyle": "square,pad=0.2", "facecolor": ax.get_facecolor(), "edgecolor": "none"}
    for e, (x, y) in enumerate(positions.centres):
        value = placed.value[e]
        color = style.INK if value == 0 else tuple(0.72 * np.array(to_rgb(palette[0 if value > 0 else 1])))
        ax.text(
            x,
            y,
            style.number(value),
            rotation=angles[e],
            rotation_mode="anchor",
            ha="center",
            va="center_baseline",
            fontsize=positions.size,
            color=color,
            bbox=box,
            zorder=6,
            gid=f"weight-{placed.layer[e]}-{placed.source[e] + 1}-{placed.target[e]}",
        )


def row_height(row: int) -> float:
    """Height of the middle of a line of text, counted from the bottom."""
    return PAD + (row + 0.45) * ROW


def row_size(plan: Layout) -> float:
    """Font size in points of the lines of text."""
    return min(9.5, 2.3 * plan.width)


def captions(ax: Axes, plan: Layout, sizes: list[int], row_from_bottom: int) -> None:
    """Write the number of units below every layer."""
    last = len(sizes) - 1
    texts = [
        f"{n} {_plural('input' if k == 0 else 'output' if k == last else 'unit', n)}"
        for k, n in enumerate(sizes)
    ]
    gap = float(np.diff(plan.x).min())
    size = row_size(plan)
    widest = max(text_size(t, size)[0] for t in texts)
    if widest > 0.92 * gap:  # narrow: the numbers alone say enough
        texts = [str(n) for n in sizes]
    for x, line in zip(plan.x, texts):
        ax.text(
            x,
            row_height(row_from_bottom),
            line,
            ha="center",
            va="center",
            fontsize=size,
            color=style.GREY,
            gid="caption",
        )


def _plural(word: str, n: int) -> str:
    return word if n == 1 else word + "s"


def information(ax: Axes, plan: Layout, line: str) -> None:
    """Write error and steps at the bottom."""
    size = row_size(plan) + 0.5
    size = min(size, size * (plan.width - 2 * PAD) / text_size(line, size)[0])
    ax.text(
        plan.width / 2,
        row_height(0),
        line,
        ha="center",
        va="center",
        fontsize=size,
        color=style.INK,
        gid="information",
    )
