"""The network of a structured formula as a diagram: a lane for each term, all of which meet at the outputs."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np

from neuralstat.checks.arguments import FLAG, NONE, Anything, Number, Whole, arguments
from neuralstat.fitted import fitted_of
from neuralstat.plots import style
from neuralstat.plots.architecture import block, block_width, blocks
from neuralstat.plots.diagram_check import check_colors, information_line
from neuralstat.plots.diagram_draw import DASHES, full_size, line_opacity, line_width, root_strength
from neuralstat.plots.diagram_layout import PAD, ROW, Layout, shorten
from neuralstat.plots.diagram_legend import legend as legend_line
from neuralstat.plots.lanes import Lane, Lanes, lanes_of
from neuralstat.plots.structured_layout import LINE, LONGEST, LONGEST_LINE, NAME, RADIUS, SMALL, STUB, Picture

if TYPE_CHECKING:
    from matplotlib.axes import Axes

LABELLED_UNITS, LABELLED_EDGES = 6, 40
FACE, BIAS_FACE, BOX_FACE, PANEL = "#f1f4f6", "#dcecf8", "#fdf6e3", "#f7f9fa"


@arguments(
    fit=Anything("a fit"), rep=Anything("a repetition", "best"), standardized=FLAG, show_weights=NONE | FLAG, show_bias=FLAG,
    information=FLAG, legend=NONE | FLAG, fontsize=NONE | Number(above=0.0, most=1000.0), max_units=Whole(2),
    colors=Anything("two matplotlib colours"), ax=style.AX,
)
def plot_structured(
    fit: Any,
    rep: Any = "best",
    *,
    standardized: bool = True,
    show_weights: bool | None = None,
    show_bias: bool = True,
    information: bool = True,
    legend: bool | None = None,
    fontsize: float | None = None,
    max_units: int = 14,
    colors: tuple[Any, Any] = (style.POSITIVE, style.NEGATIVE),
    ax: Axes | None = None,
) -> Axes:
    """Draw the network of a structured formula, a lane for each term.

    Linear terms go straight to the output. A network is drawn unit by unit where its layers are dense, else layer by layer.
    A smooth, and a random term, are one node for all their weights, with their degrees of freedom; a factor that is embedded
    is a node with the number of its coordinates. Grey edges stand for a whole term: their widths are those of the standard
    deviation of what it adds to the linear predictor. Coefficients beside networks of the same covariates are those of the
    summary.

    Parameters
    ----------
    fit : NeuralNetResults or Fitted
    rep : int or "best"
    standardized : bool
        Whether widths are those of weights between standardized inputs, units and responses.
    show_weights, show_bias, information, legend, fontsize, colors, ax
        As in `plot_network`.
    max_units : int
        A layer with more units, and linear terms beyond so many, are abbreviated.

    Returns
    -------
    matplotlib.axes.Axes
        Data coordinates are inches where `ax` is not given.
    """
    fitted = fitted_of(fit)
    b = fitted.which(rep)
    palette = check_colors(colors)
    lanes = lanes_of(fitted, b, standardized=standardized, max_units=max_units)
    line = information_line(float(fitted.errors[b]), int(fitted.fit.steps[b])) if information else ""
    ax = style.present_axes(ax)
    small = _is_small(lanes)
    positions = None
    if show_weights or (show_weights is None and small):
        picture = Picture(lanes, max_units, show_bias, True, line, legend)
        positions = picture.labels()
        if positions is None and not show_weights:
            picture = Picture(lanes, max_units, show_bias, False, line, legend)
    else:
        picture = Picture(lanes, max_units, show_bias, False, line, legend)
    scale = 1.0 if fontsize is None else fontsize / NAME
    given = ax is not None
    ax = style.target_axes(ax, (scale * picture.width, scale * picture.height))
    scale = _room(ax, picture) if given else scale
    _draw(ax, picture, positions, palette, scale, standardized)
    return ax


def _is_small(lanes: Lanes) -> bool:
    """Whether numbers along the edges are tried."""
    edges = sum(w.size for lane in lanes.lanes for w in lane.weights)
    edges += sum(lane.out.size for lane in lanes.lanes if lane.kind in ("direct", "dense"))
    widest = max((w.shape[1] for lane in lanes.lanes for w in lane.weights), default=1)
    return edges <= LABELLED_EDGES and widest <= LABELLED_UNITS


def _room(ax: Axes, picture: Picture) -> float:
    """How much smaller than by itself the picture is in given axes."""
    ax.set_axis_off()
    engine = ax.figure.get_layout_engine()
    if engine is not None:
        engine.execute(ax.figure.figure)
    box = ax.get_window_extent()
    return min(box.width / ax.figure.dpi / picture.width, box.height / ax.figure.dpi / picture.height)


def _draw(ax: Axes, picture: Picture, positions: Any, palette: tuple[Any, Any], scale: float, standardized: bool) -> None:
    from matplotlib.collections import LineCollection, PatchCollection
    from matplotlib.colors import to_rgb, to_rgba
    from matplotlib.patches import Circle, FancyArrowPatch, FancyBboxPatch

    def text(x: float, y: float, words: str, size: float, **look: Any) -> None:
        usual = {"ha": "center", "va": "center_baseline", "color": style.INK, "zorder": 5, "parse_math": False}
        ax.text(x, y, words, fontsize=size * scale, **{**usual, **look})

    ax.set_axis_off()
    ax.set_xlim(0, picture.width)
    ax.set_ylim(0, picture.height)
    ax.set_aspect("equal")
    for x, y, w, h in picture.panels:
        ax.add_patch(FancyBboxPatch((x, y), w, h, boxstyle="round,pad=0,rounding_size=0.08", facecolor=PANEL,
                                    edgecolor=style.PALE, linewidth=0.6 * scale, zorder=1, gid="panel"))  # fmt: skip
    plan = Layout(picture.width, picture.height, np.zeros(1), [], [], [], 0.0, RADIUS, picture.base, NAME, (), ())
    dense = positions is None
    placed = picture.placed(not standardized)
    full = full_size(placed.size)
    order = sorted(picture.edges, key=lambda e: -1.0 if np.isnan(e.size) else e.size)
    for held in (False, True):
        chosen = [e for e in order if e.held == held]
        if not chosen:
            continue
        looks, widths = [], []
        for e in chosen:
            plain = np.isnan(e.size) or (np.isnan(e.value) and not standardized)
            strength = 0.25 if plain else float(root_strength(e.size, full))
            name = style.GREY if np.isnan(e.value) or e.value == 0 else palette[0 if e.value > 0 else 1]
            look = list(to_rgba(name))
            look[3] *= max(float(line_opacity(strength, dense)), 0.5 if np.isnan(e.value) else 0.18)
            looks.append(look)
            widths.append(scale * float(line_width(strength, plan, dense)))
        ax.add_collection(LineCollection(
            [e.path for e in chosen], colors=looks, linewidths=widths, linestyles=[DASHES] if held else "solid", zorder=2,
            gid="fixed weights" if held else "weights", capstyle="butt", joinstyle="round"), autolim=False)  # fmt: skip
    kinds = ((picture.units, FACE, style.INK, "units"), (picture.biases, BIAS_FACE, style.BLUE, "bias nodes"))
    for spots, face, edge, gid in kinds:
        ax.add_collection(PatchCollection([Circle(spot, RADIUS) for spot in spots], facecolor=face, edgecolor=edge,
                                          linewidth=1.1 * scale, zorder=4, gid=gid), autolim=False)  # fmt: skip
    for x, y in picture.biases:
        text(x, y, "1", SMALL, color=style.BLUE, gid="bias")
    dots = [Circle((x, y + k * 0.07), 0.02) for x, y in picture.dots for k in (-1, 0, 1)]
    ax.add_collection(PatchCollection(dots, facecolor=style.INK, edgecolor="none", zorder=4, gid="ellipsis"), autolim=False)
    for x, y, w, h, lines in picture.boxes:
        ax.add_patch(FancyBboxPatch((x, y), w, h, boxstyle="round,pad=0,rounding_size=0.07", facecolor=BOX_FACE,
                                    edgecolor=style.INK, linewidth=1.0 * scale, zorder=4, gid="box"))  # fmt: skip
        for k, line in enumerate(lines):
            at = y + h / 2 + LINE * ((len(lines) - 1) / 2 - k)
            text(x + w / 2, at, shorten(line, SMALL, LONGEST_LINE), SMALL, gid="box text")
    for x, y, word, align, size, gid in picture.texts:
        text(x, y, word, size, ha=align, gid=gid)
    stubs = [*picture.stubs, *((x + RADIUS, x + RADIUS + STUB, y) for x, y in picture.ends)]
    for begin, end, y in stubs:
        ax.add_patch(FancyArrowPatch((begin, y), (end, y), arrowstyle="-|>", mutation_scale=6 * scale, shrinkA=0, shrinkB=0,
                                     linewidth=0.9 * scale, color=style.INK, zorder=3, clip_on=False))  # fmt: skip
    for name, (x, y) in zip(picture.lanes.outputs, picture.ends, strict=True):
        text(x + RADIUS + STUB + 0.05, y, shorten(name, NAME, LONGEST), NAME, ha="left", gid="name")
    for begin, end, y, lane in picture.blocks:
        _draw_blocks(ax, begin, end, y, lane, scale)
    if positions is not None:
        centres, size = positions
        edges = [e for e in picture.edges if np.isfinite(e.value)]
        box = {"boxstyle": "square,pad=0.15", "facecolor": ax.get_facecolor(), "edgecolor": "none"}
        for e, (x, y) in zip(edges, centres, strict=True):
            (x0, y0), (x1, y1) = e.path[-2:]
            color = style.INK if e.value == 0 else tuple(0.72 * np.array(to_rgb(palette[0 if e.value > 0 else 1])))
            turn = {"rotation": np.degrees(np.arctan2(y1 - y0, x1 - x0)), "rotation_mode": "anchor"}
            text(x, y, style.number(e.value, 3), size, color=color, bbox=box, zorder=6, gid="weight", **turn)
    row = int(picture.explain) + int(bool(picture.line)) - 1
    if picture.explain:
        legend_line(ax, plan, placed, palette, row, widths=dense)
        for artist in ax.texts:
            if artist.get_gid() == "legend":
                artist.set_fontsize(float(artist.get_fontsize()) * scale)
    if picture.line:
        ax.text(picture.width / 2, PAD + 0.45 * ROW, picture.line, ha="center", va="center", fontsize=9.5 * scale,
                color=style.INK, gid="information")  # fmt: skip


def _draw_blocks(ax: Axes, begin: float, end: float, y: float, lane: Lane, scale: float) -> None:
    """Layers from left to right between two places."""
    assert lane.table is not None
    labels, faces, sizes = blocks(lane.table, lane.shape)
    slot, size = (end - begin) / len(sizes), 0.45
    arrows = {"arrowstyle": "->", "color": style.GREY, "lw": scale, "shrinkA": 0, "shrinkB": 0}
    before = begin
    for k, (height, width, skew) in enumerate(sizes):
        full = block_width(width, skew) * size
        at = begin + slot * k + (slot - full) / 2
        block(ax, at, y, size * height, size * width, size * skew, faces[k])
        ax.text(at + full / 2, y - 0.52, labels[k], ha="center", va="top", fontsize=6.5 * scale, color=style.INK,
                parse_math=False, zorder=5, gid="layer")  # fmt: skip
        ax.annotate("", (at - 0.02, y), (before + 0.02, y), arrowprops=arrows)
        before = at + full
    ax.annotate("", (end + RADIUS, y), (before + 0.02, y), arrowprops=arrows)
