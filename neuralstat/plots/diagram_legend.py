"""The line below a network diagram that explains colours, widths and dashes."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np

from neuralstat.plots import style
from neuralstat.plots.diagram_draw import (
    DASHES,
    full_size,
    line_opacity,
    line_width,
    root_strength,
    round_down,
    row_height,
    row_size,
)
from neuralstat.plots.diagram_edges import PlacedEdges
from neuralstat.plots.diagram_layout import PAD, Layout, text_size

if TYPE_CHECKING:
    from matplotlib.axes import Axes

STUB, SPACE, GAP = 0.28, 0.07, 0.22  # inches: sample line, between it and its text, between items


def _landmarks(full: float) -> list[float]:
    """Three round weights that span the scale of widths."""
    top = round_down(full)
    return [top / 100, top / 10, top]


def _items(
    plan: Layout, placed: PlacedEdges, palette: tuple[Any, Any], widths: bool
) -> list[tuple[str, dict[str, Any]]]:
    """Texts with the looks of their sample lines; an empty look means no line."""
    items: list[tuple[str, dict[str, Any]]] = []
    if (placed.value > 0).any():
        items.append(("positive weight", {"color": palette[0], "linewidth": 2}))
    if (placed.value < 0).any():
        items.append(("negative weight", {"color": palette[1], "linewidth": 2}))
    full = full_size(placed.size)
    if widths and full > 0:
        own = bool(np.array_equal(placed.size, np.abs(placed.value)))
        items.append(("size:" if own else "standardized:", {}))
        beyond = bool((placed.size > full).any())
        for mark in _landmarks(full):
            strength = float(root_strength(mark, full))
            look = {
                "color": style.INK,
                "linewidth": line_width(strength, plan, True),
                "alpha": max(line_opacity(strength, True), 0.3),
            }
            more = "\N{GREATER-THAN OR EQUAL TO} " if beyond and mark == full else ""
            items.append((more + style.number(mark), look))
    if placed.fixed.any():
        items.append(("held constant", {"color": style.INK, "linewidth": 1.4, "linestyle": DASHES}))
    return items


def _lengths(items: list[tuple[str, dict[str, Any]]], size: float) -> np.ndarray:
    return np.array([(STUB + SPACE if look else 0.0) + text_size(t, size)[0] + GAP for t, look in items])


def legend(
    ax: Axes, plan: Layout, placed: PlacedEdges, palette: tuple[Any, Any], row: int, *, widths: bool
) -> None:
    """Explain colours, dashes and, when ``widths``, line widths in one line of text."""
    items = _items(plan, placed, palette, widths)
    if not items:
        return
    size, room = row_size(plan), plan.width - 2 * PAD
    if _lengths(items, size).sum() - GAP > 1.15 * room:
        items = [(t.removesuffix(" weight"), look) for t, look in items]
    lengths = _lengths(items, size)
    full = lengths.sum() - GAP
    scale = min(1.0, room / full)
    starts = (plan.width - scale * full) / 2 + scale * (np.cumsum(lengths) - lengths)
    y = row_height(row)
    for x, (label, look) in zip(starts, items):
        if look:
            ax.plot([x, x + scale * STUB], [y, y], solid_capstyle="butt", zorder=3, **look)
        ax.text(
            x + (scale * (STUB + SPACE) if look else 0.0),
            y,
            label,
            va="center_baseline",
            ha="left",
            fontsize=scale * size,
            color=style.GREY,
            gid="legend",
        )
