"""The network as a diagram, from inputs on the left to outputs on the right, as R's ``plot.nn`` draws it."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np

from neuralstat.checks.arguments import FLAG, NONE, Anything, Number, Whole, arguments
from neuralstat.plots import diagram_draw as draw
from neuralstat.plots import style
from neuralstat.plots.diagram_check import check_colors, check_fixed, check_sizes, check_weights, information_line
from neuralstat.plots.diagram_edges import Edges, LabelPositions, PlacedEdges, collect, label_positions
from neuralstat.plots.diagram_labels import MOST
from neuralstat.plots.diagram_layout import Layout, arrange, count_slots, shown_units
from neuralstat.plots.diagram_legend import legend as legend_line

if TYPE_CHECKING:
    from matplotlib.axes import Axes

# With more units in a layer, or more edges between two, numbers along the edges are not tried by default.
LABELLED_UNITS, LABELLED_EDGES = 6, 30
STRETCHES = (1.0, 1.25, 1.5, 1.8, 2.2)  # sizes of the figure that are tried until no numbers lie on one another


_NAMES, _PER_WEIGHT = Anything("strings, one per unit"), Anything("matrices shaped like weights", None)


@arguments(
    weights=Anything("a list of matrices"), x_names=_NAMES, y_names=_NAMES, error=Anything("a number", None, 1.5),
    steps=Anything("a number", None, 3), fixed=_PER_WEIGHT, sizes=_PER_WEIGHT, show_weights=NONE | FLAG, show_bias=FLAG,
    information=FLAG, legend=NONE | FLAG, fontsize=NONE | Number(above=0.0, most=1000.0), max_units=Whole(2),
    colors=Anything("two matplotlib colours"), ax=style.AX,
)
def plot_network(
    weights: Sequence[Any],
    x_names: Sequence[str],
    y_names: Sequence[str],
    *,
    error: float | None = None,
    steps: int | None = None,
    fixed: Sequence[Any] | None = None,
    sizes: Sequence[Any] | None = None,
    show_weights: bool | None = None,
    show_bias: bool = True,
    information: bool = True,
    legend: bool | None = None,
    fontsize: float | None = None,
    max_units: int = 32,
    colors: tuple[Any, Any] = (style.POSITIVE, style.NEGATIVE),
    ax: Axes | None = None,
) -> Axes:
    """Draw a dense network: a node per unit, an edge per weight with sign as colour and size as width.

    Parameters
    ----------
    weights : sequence of array-like, shapes (1 + n_in, n_out)
        One matrix per layer, the bias in the first row. NaN marks an absent weight, for which no edge is
        drawn.
    x_names, y_names : sequence of str
        Names of the inputs and of the outputs.
    error, steps : float, int, optional
        Written below the diagram when ``information`` is true.
    fixed : sequence of array-like of bool, optional
        Masks shaped like ``weights``: weights held constant, drawn dashed.
    sizes : sequence of array-like, optional
        Matrices shaped like ``weights`` whose absolute values the widths show instead, such as weights times the standard
        deviations of what they multiply.
    show_weights : bool, optional
        Write the weights along the edges. By default this is done where they can be read: in small networks
        for which places can be found such that no label lies on another label or on a node.
    show_bias : bool
        Draw the bias nodes (the blue circles) and their weights.
    information : bool
        Write error and steps below the diagram.
    legend : bool, optional
        Explain colours and widths below the diagram. By default this is done where the weights are not
        written along the edges or where some are fixed.
    fontsize : float, optional
        Size of the names in points (11 unless given); they become smaller where there is no room.
    max_units : int
        A layer with more units is abbreviated: its first and last units with an ellipsis between them.
    colors : pair of matplotlib colours
        For positive and for negative weights.
    ax : matplotlib.axes.Axes, optional
        Where to draw; pyplot's current axes unless given, or a new figure of suitable size where these hold a picture.
        Its axis lines are switched off.

    Returns
    -------
    matplotlib.axes.Axes
        The axes drawn on. Data coordinates are inches.

    Raises
    ------
    ArgumentError
        When shapes, names or types do not fit together, or a weight is infinite.

    Examples
    --------
    >>> import neuralstat as ns
    >>> data = ns.datasets.doppler(n=100, noise=0.1, random_state=1)
    >>> fit = ns.neuralnet("y ~ x", data, hidden=2, rep=2, random_state=1)
    >>> ax = ns.plots.plot_network(fit.weights[0], ["x"], ["y"])
    """
    matrices = check_weights(weights)
    masks = check_fixed(fixed, matrices)
    widths = check_sizes(sizes, matrices)
    units = [matrices[0].shape[0] - 1] + [w.shape[1] for w in matrices]
    x_names = style.names("x_names", x_names, units[0], f"weights[0] has {units[0]} inputs")
    y_names = style.names("y_names", y_names, units[-1], f"the last of weights has {units[-1]} outputs")
    palette = check_colors(colors)
    line = information_line(error, steps) if information else ""

    shown = [shown_units(n, max_units) for n in units]
    edges = collect(matrices, masks, widths, shown, show_bias)
    ax = style.present_axes(ax)
    extent = None if ax is None else _extent(ax)
    small = _is_small(edges, count_slots(shown, units))

    def compose(labelled: bool, stretch: float = 1.0) -> _Picture:
        explain = (not labelled or bool(edges.fixed.any())) if legend is None else legend
        captions = not labelled or max(units) > LABELLED_UNITS
        plan = arrange(
            units,
            shown,
            (x_names, y_names),
            extent,
            labelled=labelled,
            bias=bool((edges.source < 0).any()),
            rows=int(captions) + int(explain) + int(bool(line)),
            fontsize=11.0 if fontsize is None else float(fontsize),
            stretch=stretch,
        )
        return _Picture(plan, edges.at(plan), captions, explain, line)

    positions = None
    if show_weights or (show_weights is None and small):
        for stretch in (1.0,) if extent is not None else STRETCHES if show_weights else STRETCHES[:2]:
            picture = compose(labelled=True, stretch=stretch)
            positions = label_positions(picture.edges, picture.plan, 9.0 if fontsize is None else 0.82 * fontsize)
            if not positions.clashes or edges.value.size > MOST:
                break
        if positions is not None and positions.clashes and not show_weights:
            positions = None
    if positions is None:
        picture = compose(labelled=False)
    ax = style.target_axes(ax, (picture.plan.width, picture.plan.height))
    _draw(ax, picture, units, positions, palette)
    return ax


@dataclass(frozen=True)
class _Picture:
    """A plan with its edges and what is written below it."""

    plan: Layout
    edges: PlacedEdges
    captions: bool
    explain: bool
    line: str


def _draw(
    ax: Axes, picture: _Picture, units: list[int], positions: LabelPositions | None, palette: tuple[Any, Any]
) -> None:
    plan, edges = picture.plan, picture.edges
    draw.prepare(ax, plan)
    draw.edges(ax, plan, edges, palette, dense=positions is None)
    draw.nodes(ax, plan, edges)
    draw.names(ax, plan)
    if positions is not None:
        draw.labels(ax, edges, positions, palette)
    row = int(picture.explain) + int(bool(picture.line))
    if picture.captions:
        draw.captions(ax, plan, units, row)
    if picture.explain:
        legend_line(ax, plan, edges, palette, row - 1, widths=positions is None)
    if picture.line:
        draw.information(ax, plan, picture.line)


def _is_small(edges: Edges, slots: list[int]) -> bool:
    counts = np.bincount(edges.layer) if edges.layer.size else np.zeros(1)
    return max(slots) <= LABELLED_UNITS and int(counts.max()) <= LABELLED_EDGES


def _extent(ax: Axes) -> tuple[float, float]:
    """Size of given axes in inches, after the layout of their figure (else done when it is drawn)."""
    ax.set_axis_off()
    engine = ax.figure.get_layout_engine()
    if engine is not None:
        engine.execute(ax.figure.figure)
    box = ax.get_window_extent()
    return box.width / ax.figure.dpi, box.height / ax.figure.dpi
