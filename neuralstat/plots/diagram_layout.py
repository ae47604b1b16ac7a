"""Where the parts of a network diagram go; all lengths are in inches."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from functools import lru_cache

import numpy as np

PAD = 0.12
ARROW = 0.30  # the stub that enters an input and leaves an output
ROW = 0.27  # height of one line of text below the diagram
NAME_SHARE = 0.25  # of the width of given axes: the most that goes to the names on one side
LONGEST_NAME = 3.2  # of a figure that we size ourselves
ABBREVIATED = 14  # units drawn of a layer that is too large


@lru_cache(maxsize=4096)
def text_size(text: str, size: float) -> tuple[float, float]:
    """Width and height in inches of ``text`` at ``size`` points in the default font."""
    from matplotlib.backends.backend_agg import RendererAgg
    from matplotlib.font_manager import FontProperties

    # At 720 dots per inch hinting does not matter; the size on the screen does not depend on this renderer.
    width, height, _ = RendererAgg(1, 1, 720).get_text_width_height_descent(
        text, FontProperties(size=size), False
    )
    return width / 720, height / 720


def shorten(text: str, size: float, room: float) -> str:
    """``text``, its middle replaced by an ellipsis where it is wider than ``room`` inches."""
    if text_size(text, size)[0] <= room:
        return text

    def cut(kept: int) -> str:
        return text[: (kept + 1) // 2] + "…" + text[len(text) - kept // 2 :]

    fits, too_wide = 1, len(text)
    while too_wide - fits > 1:
        middle = (fits + too_wide) // 2
        if text_size(cut(middle), size)[0] <= room:
            fits = middle
        else:
            too_wide = middle
    return cut(fits)


def shown_units(n: int, max_units: int) -> np.ndarray:
    """Choose the units drawn: all, or the first and last few of a layer larger than ``max_units``."""
    if n <= max_units:
        return np.arange(n)
    half = max(min(ABBREVIATED, max_units) // 2, 1)
    return np.concatenate([np.arange(half), np.arange(n - half, n)])


@dataclass(frozen=True)
class Layout:
    """Geometry of a diagram.

    Attributes
    ----------
    width, height : float
        Size of the whole picture.
    x : ndarray, shape (L,)
        Position of every layer (inputs, hidden layers, outputs).
    shown, y : list of ndarray
        For every layer the units drawn and their heights, from top to bottom.
    dots : list of (float or None)
        Height of the ellipsis of an abbreviated layer.
    bias_y : float
        Height of the bias nodes.
    radius : float
        Of a node.
    base : float
        Bottom of the part with the nodes; the lines of text lie below.
    name_size : float
        Font size in points of the names.
    x_names, y_names : tuple of str
        Names of the units drawn, shortened to fit.
    """

    width: float
    height: float
    x: np.ndarray
    shown: list[np.ndarray]
    y: list[np.ndarray]
    dots: list[float | None]
    bias_y: float
    radius: float
    base: float
    name_size: float
    x_names: tuple[str, ...]
    y_names: tuple[str, ...]


def _widest(texts: Sequence[str], size: float) -> float:
    return max(text_size(t, size)[0] for t in texts)


def _shrinkage(widths: list[float], room: float) -> float:
    """Factor on the font size such that names fit, save those far too long: these are shortened."""
    factors = [room / w if w > room else 1.0 for w in widths]
    return min((f for f in factors if f >= 0.62), default=0.8)


def natural_size(
    slots: list[int],
    names: tuple[Sequence[str], Sequence[str]],
    size: float,
    *,
    labelled: bool,
    bias: bool,
    rows: int,
) -> tuple[float, float]:
    """Figure size at which the diagram looks best.

    Parameters
    ----------
    slots : list of int
        Heights of the layers, counted in units drawn (an ellipsis counts as one).
    names : pair of sequences of str
        Names of the inputs and of the outputs drawn.
    size : float
        Font size of the names.
    labelled : bool
        Whether the edges carry numbers, which need room.
    bias : bool
        Whether there is a row of bias nodes.
    rows : int
        Lines of text below.
    """
    gaps, most = len(slots) - 1, max(slots)
    if labelled:
        # Asked for in a large network, numbers need wide gaps: steep edges leave little room between them.
        gap, spacing = float(np.clip(0.35 * most, 2.25, 4.5)), 1.05 if most <= 7 else 0.75
    else:
        gap, spacing = float(np.clip(9.5 / gaps, 1.2, 2.3)), float(np.clip(4.8 / most, 0.2, 0.8))
    sides = sum(min(_widest(n, size), LONGEST_NAME) + ARROW + 2 * PAD for n in names)
    body = max(most * spacing, 1.5)
    top = max(0.75, 0.9 * spacing) if bias else PAD
    return min(gaps * gap + sides + 0.4, 22.0), min(body + top + rows * ROW + PAD, 20.0)


def arrange(
    sizes: list[int],
    shown: list[np.ndarray],
    names: tuple[Sequence[str], Sequence[str]],
    extent: tuple[float, float] | None,
    *,
    labelled: bool,
    bias: bool,
    rows: int,
    fontsize: float,
    stretch: float = 1.0,
) -> Layout:
    """Place the layers and units of a network.

    Parameters
    ----------
    sizes : list of int
        Units per layer, inputs and outputs included.
    shown : list of ndarray
        Those drawn, as from `shown_units`.
    names : pair of sequences of str
        Names of all inputs and of all outputs. Names too wide are set smaller, and then shortened.
    extent : (float, float) or None
        Size of the picture; ``None`` chooses one.
    labelled, bias, rows
        As for `natural_size`.
    fontsize : float
        Of the names, in points.
    stretch : float
        How much wider and higher than usual a picture is made whose size is chosen here.
    """
    slots = count_slots(shown, sizes)
    names_in = tuple(names[0][i] for i in shown[0])
    names_out = tuple(names[1][i] for i in shown[-1])
    if extent is None:
        width, height = natural_size(
            slots, (names_in, names_out), fontsize, labelled=labelled, bias=bias, rows=rows
        )
        width, height = stretch * width, stretch * height
        room = LONGEST_NAME
    else:
        width, height = extent
        room = NAME_SHARE * width
    base = PAD + rows * ROW
    most = max(slots)
    free = max(height - base - PAD, 0.2)
    spacing = free / (most + (1.0 if bias else 0.0))
    if bias and spacing < 0.55:  # many units: a fixed strip for the bias nodes, not one slot
        spacing = max(free - min(0.55, 0.25 * free), 0.1) / most
    body = spacing * most
    radius = min(0.2, 0.36 * spacing, 0.04 * width)
    tallest = max(slots[0], slots[-1])
    name_size = max(min(fontsize, 72 * 0.85 * body / tallest), 4.0)
    name_size *= _shrinkage([text_size(t, name_size)[0] for t in names_in + names_out], room)
    names_in = tuple(shorten(t, name_size, room) for t in names_in)
    names_out = tuple(shorten(t, name_size, room) for t in names_out)
    stub = min(ARROW, 0.06 * width)
    left = 1.5 * PAD + _widest(names_in, name_size) + stub + radius
    right = width - (1.5 * PAD + _widest(names_out, name_size) + stub + radius)
    y, dots = _heights(sizes, shown, base, spacing, body)
    top = base + body
    return Layout(
        width,
        height,
        np.linspace(left, right, len(sizes)),
        shown,
        y,
        dots,
        (top + height - PAD) / 2,
        radius,
        base,
        name_size,
        names_in,
        names_out,
    )


def _heights(
    sizes: list[int], shown: list[np.ndarray], base: float, spacing: float, body: float
) -> tuple[list[np.ndarray], list[float | None]]:
    """Heights of the units drawn and of the ellipses."""
    y: list[np.ndarray] = []
    dots: list[float | None] = []
    for n, units, count in zip(sizes, shown, count_slots(shown, sizes)):
        # A small layer spreads out, but not over the whole height: 2 inputs beside 15 units stay together.
        step = min(body / count, max(2.2 * spacing, 0.5 * body / count))
        heights = base + body / 2 + step * ((count - 1) / 2 - np.arange(count))
        cut = units.size // 2 if units.size < n else None
        dots.append(None if cut is None else float(heights[cut]))
        y.append(heights if cut is None else np.delete(heights, cut))
    return y, dots


def count_slots(shown: list[np.ndarray], sizes: list[int]) -> list[int]:
    """Heights of the layers in units drawn; an ellipsis counts as one."""
    return [units.size + (units.size < n) for units, n in zip(shown, sizes)]
