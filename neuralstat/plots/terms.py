"""A panel for each term of a structured fit, as R's ``plot.gam``."""

from __future__ import annotations

from collections.abc import Callable
from functools import partial
from typing import TYPE_CHECKING, Any

import numpy as np

from neuralstat.checks.arguments import FLAG, NONE, REP, SHARE, TEXT, Anything, Several, arguments
from neuralstat.effects import terms as of_terms
from neuralstat.effects.rows import covariate
from neuralstat.errors import ArgumentError
from neuralstat.fitted import Fitted, fitted_of
from neuralstat.inference.ranef import named, ranef
from neuralstat.inference.term_parts import Part, curvature, parts
from neuralstat.likelihood.residuals import residuals
from neuralstat.plots import style
from neuralstat.plots.effects import draw_rug
from neuralstat.training.structured import has_towers, leading, levels_of, tower_rows

if TYPE_CHECKING:
    from matplotlib.axes import Axes

CATERPILLAR = 60  # most levels that are listed; more are drawn by normal quantiles
LABELS = 40  # most points of an embedding with their names
COLUMNS = 3

Draw = Callable[["Axes"], None]


@arguments(
    fit=Anything("a fit"), terms=NONE | TEXT | Several(TEXT), rep=REP, alpha=SHARE, partial_residuals=FLAG,
    axes=Anything("matplotlib Axes, one per panel", None),
)  # fmt: skip
def plot_terms(
    fit: Any, terms: Any = None, rep: Any = "best", *, alpha: float = 0.05, partial_residuals: bool = False, axes: Any = None
) -> np.ndarray:
    """Draw what each term adds to the linear predictor, less its mean over the rows.

    Terms of one covariate are a curve (of a factor points) with a band that covers across the curve, given the data, and the
    data as ticks; of two numbers filled contours; of more a curve along each number, the others as in a typical row. Random
    terms are their predicted effects in order, with intervals, or against normal quantiles where levels are many; embeddings
    are points of their first two coordinates. Degrees of freedom stand in the labels.

    Parameters
    ----------
    fit : NeuralNetResults or Fitted
    terms : str or list of str, optional
        Those to draw, by their names in ``fit.terms``; all unless given.
    rep : int or "best"
    alpha : float
        1 - coverage of the intervals.
    partial_residuals : bool
        With the term's contribution at each row plus the row's working residual as points.
    axes : array or list of Axes, optional
        One per panel; a new figure unless given.

    Returns
    -------
    array of Axes

    Raises
    ------
    ArgumentError
        Where the formula has no terms of its own, or not the one that is asked for.

    Examples
    --------
    >>> import neuralstat as ns
    >>> data = ns.datasets.friedman1(n=150, noise=1.0, random_state=1)
    >>> fit = ns.neuralnet("y ~ s(x3) + s(x4)", data)
    >>> axes = ns.plots.plot_terms(fit, "s(x4)", partial_residuals=True)
    """
    fitted = fitted_of(fit)
    if not has_towers(fitted.design):
        raise ArgumentError("plot_terms draws terms of structured formulas: s(), te(), nn(), (1 | g); plot_effects() draws "
                            "effects of covariates.")  # fmt: skip
    b = fitted.which(rep)
    found = [part for part in parts(fitted) if part.index.size]
    if terms is not None:
        wanted = [terms] if isinstance(terms, str) else list(terms)
        known = list(dict.fromkeys(part.term for part in found))
        if unknown := [name for name in wanted if name not in known]:
            raise ArgumentError(f"terms: there is no term {unknown[0]!r}; there are {', '.join(map(repr, known))}.")
        found = [part for part in found if part.term in wanted]
    panels = [panel for part in found for panel in _panels(fitted, b, part, alpha, partial_residuals)]
    if not panels:
        raise ArgumentError("plot_terms: no term can be drawn.")
    columns = 2 if len(panels) == 4 else min(COLUMNS, len(panels))
    lines = -(-len(panels) // columns)
    if axes is not None:
        lines, columns = 1, len(panels)
    made = style.target_grid(axes, lines, columns, (4.2 * columns, 3.4 * lines)).ravel()
    for ax in made[len(panels) :]:
        ax.remove()
    for ax, draw in zip(made, panels, strict=False):
        draw(ax)
    return made[: len(panels)]


def _panels(fitted: Fitted, b: int, part: Part, alpha: float, points: bool) -> list[Draw]:
    """Pictures of a term."""
    from scipy import stats

    half = float(stats.norm.ppf(1 - alpha / 2))
    if part.kind == "random":
        return _random(fitted, b, part, half)
    names = of_terms.covariates(fitted, part)
    numbers = [name for name in names if of_terms.is_numeric(fitted, name)]
    out: list[Draw] = []
    if len(names) == 2 and len(numbers) == 2:
        out.append(partial(_surface, fitted=fitted, b=b, part=part, names=names))
    else:
        lines = names if len(names) == 1 else numbers
        out += [partial(_line, fitted=fitted, b=b, part=part, name=name, half=half, points=points) for name in lines]
    return out + (_embeddings(fitted, b, part) if part.kind == "network" else [])


def _label(fitted: Fitted, b: int, part: Part) -> str:
    edf = float(curvature(fitted, b).edf[part.index].sum())
    output = f" of {fitted.network.output_names[part.output]}" if leading(fitted.network) > 1 else ""
    return part.term + output if part.kind == "linear" else f"{part.term}{output}, edf {edf:.2f}"


def _line(ax: Axes, fitted: Fitted, b: int, part: Part, name: str, half: float, points: bool) -> None:
    """A curve, or points of levels."""
    (grid,), x = of_terms.along(fitted, part, [name])
    made = of_terms.contribution(fitted, b, part, x)
    column = covariate(fitted, name)
    numeric = of_terms.is_numeric(fitted, name)
    level, by = of_terms.level_of(fitted, part), of_terms.multiplier(part)
    mine = np.ones(len(column), bool) if level is None or by is None else (covariate(fitted, by) == level).to_numpy()
    if points and len(of_terms.covariates(fitted, part)) == 1 and numeric:
        rest = residuals(fitted, "working", b + 1)
        values = np.asarray(rest, float).reshape(fitted.design.kept.size, -1)[fitted.design.kept, part.output]
        at_rows = of_terms.contribution(fitted, b, part, fitted.design.x).value
        style.cloud(ax, column.to_numpy(float)[mine], (at_rows + values)[mine], style.GREY)
    if numeric:
        low, high = made.value - half * made.se, made.value + half * made.se
        ax.fill_between(grid, low, high, color=style.BLUE, alpha=0.2, linewidth=0, gid="band")
        ax.plot(grid, made.value, color=style.BLUE, linewidth=1.6)
        draw_rug(ax, column[mine])
    else:
        at = np.arange(len(grid))
        ax.errorbar(at, made.value, half * made.se, fmt="o", color=style.BLUE, capsize=3)
        ax.set_xticks(at, [str(v) for v in grid], parse_math=False)
        ax.margins(x=0.15)
    style.tidy(ax)
    ax.set_xlabel(name, parse_math=False)
    ax.set_ylabel(_label(fitted, b, part), parse_math=False)


def _surface(ax: Axes, fitted: Fitted, b: int, part: Part, names: list[str]) -> None:
    """Filled contours over two covariates, with the data as points."""
    grids, x = of_terms.along(fitted, part, names)
    value = of_terms.contribution(fitted, b, part, x).value
    side = of_terms.SURFACE
    shaped = [at.astype(float).reshape(side, side) for at in grids]
    z = value.reshape(side, side)
    most = float(np.abs(z).max()) or 1.0
    picture = ax.contourf(*shaped, z, levels=np.linspace(-most, most, 22), cmap="RdBu_r")
    if np.ptp(z) > 1e-12 * most:
        ax.clabel(ax.contour(*shaped, z, colors=style.INK, linewidths=0.6, alpha=0.7), fontsize=7)
    data = [covariate(fitted, name).to_numpy(float) for name in names]
    ax.plot(*data, ".", markersize=2, color=style.INK, alpha=0.35, gid="observations")
    ax.figure.colorbar(picture, ax=ax)
    ax.set_xlabel(names[0], parse_math=False)
    ax.set_ylabel(names[1], parse_math=False)
    ax.set_title(_label(fitted, b, part), fontsize=10, parse_math=False)


def _random(fitted: Fitted, b: int, part: Part, half: float) -> list[Draw]:
    """A panel for each effect of a random term."""
    assert part.special is not None
    group, effects = named(part.special)
    frame = ranef(fitted, True, b + 1)[group]
    if leading(fitted.network) > 1:
        frame = frame[fitted.network.output_names[part.output]]

    def draw(ax: Axes, effect: str) -> None:
        value, se = (np.asarray(frame[name], float) for name in (effect, f"se {effect}"))
        order = np.argsort(value, kind="stable")
        if len(order) <= CATERPILLAR:
            at = np.arange(len(order))
            ax.errorbar(value[order], at, xerr=half * se[order], fmt="o", color=style.BLUE, markersize=3, linewidth=1)
            ax.set_yticks(at, [str(frame.index[k]) for k in order], fontsize=7, parse_math=False)
            ax.axvline(0, color=style.GREY, linewidth=0.8)
            ax.set_ylabel(group, parse_math=False)
        else:
            from scipy import stats

            quantiles = stats.norm.ppf((np.arange(len(order)) + 0.5) / len(order))
            ax.plot(quantiles, value[order], ".", color=style.BLUE, markersize=3)
            sd = value.std()
            ax.plot(quantiles[[0, -1]], value.mean() + sd * quantiles[[0, -1]], color=style.GREY, linewidth=0.8)
            ax.set_ylabel(f"effects of {len(order):,} levels of {group}", parse_math=False)
        style.tidy(ax)
        label = _label(fitted, b, part)
        ax.set_xlabel(effect if len(order) <= CATERPILLAR else "normal quantiles", parse_math=False)
        ax.set_title(label if len(effects) == 1 else f"{label}: {effect}", fontsize=10, parse_math=False)

    return [partial(draw, effect=effect) for effect in effects]


def _embeddings(fitted: Fitted, b: int, part: Part) -> list[Draw]:
    """A panel for each embedding of a network: its first two coordinates, or the only one against the levels."""
    network = fitted.network
    found: list[Draw] = []
    codes = [] if part.special is None else [expr for expr in part.special.exprs if expr.startswith("codes(")]
    rows = next(r for tower, r in zip(network.towers, tower_rows(network), strict=True) if tower.name in (part.term, ""))
    for expr, row in zip(codes, rows, strict=False):
        per, levels = network.shapes[row]
        table = fitted.fit.theta[b][network.slices[row]].reshape(levels, per)[:-1]
        found.append(partial(_coordinates, table=table, levels=levels_of(fitted.design, expr), name=expr[len("codes(") : -1]))
    return found


def _coordinates(ax: Axes, table: np.ndarray, levels: list[str], name: str) -> None:
    x = table[:, 0]
    y = table[:, 1] if table.shape[1] > 1 else np.arange(len(table), dtype=float)
    ax.plot(x, y, "o", color=style.BLUE, markersize=4)
    for k in range(len(levels) if len(levels) <= LABELS else 0):
        ax.annotate(levels[k], (x[k], y[k]), xytext=(3, 3), textcoords="offset points", fontsize=7, parse_math=False)
    ax.margins(0.12)
    style.tidy(ax)
    ax.set_xlabel(f"embed({name}), first coordinate", parse_math=False)
    ax.set_ylabel("second coordinate" if table.shape[1] > 1 else "level", parse_math=False)
