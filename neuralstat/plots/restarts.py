"""The errors that the repetitions ended at, and which of them are the same optimum."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np

from neuralstat.checks import shown
from neuralstat.checks.arguments import Anything, Number, arguments
from neuralstat.errors import ArgumentError
from neuralstat.plots import style
from neuralstat.plots.diagram_layout import text_size

if TYPE_CHECKING:
    from matplotlib.axes import Axes

LABELLED = 12  # optima that get their error and count written beside them, as far as there is room
FONT = 8.5  # points
BELOW, ABOVE = -9.0, 7.0  # points from the line of an optimum to its label


@arguments(
    errors=Anything("numbers, one per repetition"), converged=Anything("booleans, one per repetition", None),
    optima=Anything("numbers, one per repetition", None), tolerance=Number(0.0, below=1.0), ax=style.AX,
)
def plot_restarts(
    errors: Any, converged: Any = None, *, optima: Any = None, tolerance: float = 1e-3, ax: Axes | None = None
) -> Axes:
    """Plot the errors of the repetitions in increasing order, distinct optima marked by steps with counts.

    Parameters
    ----------
    errors : array-like, shape (B,)
        Error of every repetition; those not finite are left out with a note.
    converged : array-like of bool, shape (B,), optional
        Whether each repetition reached the threshold; all did unless given. The others are drawn hollow and
        are at no optimum.
    optima : array-like of int, shape (B,), optional
        Number of the optimum of each repetition. Without it, converged repetitions are at the same optimum
        where neighbouring errors differ by at most ``tolerance`` times the larger.
    tolerance : float
        See ``optima``.
    ax : matplotlib.axes.Axes, optional
        Where to draw; pyplot's current axes unless given, a new figure where these hold a picture.

    Returns
    -------
    matplotlib.axes.Axes

    Raises
    ------
    ArgumentError
        When lengths or types do not fit together, or no error is finite.

    Examples
    --------
    >>> import neuralstat as ns
    >>> converged = [True, True, True, True, False]
    >>> ax = ns.plots.plot_restarts([1.0, 1.0, 1.4, 1.0, 2.1], converged=converged)
    """
    errors = style.vector("errors", errors)
    done = style.flags("converged", converged, errors.size, "error")
    groups = None if optima is None else style.vector("optima", optima, size=errors.size, like="errors")
    if groups is not None and not np.isfinite(groups).all():
        raise ArgumentError(f"optima must be finite numbers, got {shown(optima)}.")
    finite = np.isfinite(errors)
    if not finite.any():
        raise ArgumentError("errors has no finite value")
    order = np.flatnonzero(finite)[np.argsort(errors[finite], kind="stable")]
    errors, done = errors[order], done[order]
    groups = _neighbours(errors, done, tolerance) if groups is None else groups[order]

    from matplotlib.ticker import MaxNLocator

    ax = style.target_axes(ax, (6.6, 4.2))
    style.tidy(ax)
    rank = np.arange(1, errors.size + 1)
    found = _optima(errors, done, groups)
    for k, members in enumerate(found):
        color = style.BLUE if k == 0 else style.SKY
        _mark(ax, rank[members], errors[members], color)
    if (~done).any():
        ax.plot(
            rank[~done],
            errors[~done],
            "o",
            color=style.ORANGE,
            markerfacecolor="white",
            markersize=6,
            zorder=4,
            label=f"not converged ({np.count_nonzero(~done)})",
        )
    if errors[0] > 0 and errors[-1] / errors[0] > 30:
        ax.set_yscale("log")
    ax.margins(y=0.14)
    ax.set_xlim(0.3, errors.size + 0.7)
    _write(ax, rank, errors, found)
    ax.xaxis.set_major_locator(MaxNLocator(integer=True, steps=[1, 2, 5, 10]))
    ax.set_xlabel("repetition, ordered by error")
    ax.set_ylabel("error")
    ax.set_title(_title(found, int(done.sum())), fontsize=11, color=style.INK, loc="left")
    if (~done).any():
        style.legend(ax, frameon=True, framealpha=0.85, edgecolor="none", fontsize=9, loc="best")
    if not finite.all():
        style.note(ax, f"{np.count_nonzero(~finite)} of {finite.size} not finite, left out")
    return ax


def _neighbours(errors: np.ndarray, done: np.ndarray, tolerance: float) -> np.ndarray:
    """Give ordered errors the numbers of their optima: a new one begins where the converged errors jump."""
    groups = np.full(errors.size, -1.0)
    ended = errors[done]
    jumps = np.diff(ended) > tolerance * np.maximum(np.abs(ended[1:]), np.abs(ended[:-1]))
    groups[done] = np.concatenate([[0], np.cumsum(jumps)])[: ended.size]
    return groups


def _optima(errors: np.ndarray, done: np.ndarray, groups: np.ndarray) -> list[np.ndarray]:
    """Positions of the members of every optimum, in order of their least error."""
    members = [np.flatnonzero(done & (groups == g)) for g in np.unique(groups[done])]
    return sorted(members, key=lambda m: float(errors[m].min()))


def _mark(ax: Axes, rank: np.ndarray, errors: np.ndarray, color: str) -> None:
    ax.hlines(float(errors.min()), rank[0] - 0.4, rank[-1] + 0.4, color=color, linewidth=5, alpha=0.3, zorder=2)
    ax.plot(rank, errors, "o", color=color, markersize=6, zorder=3, label="_optimum", gid="optimum")


def _write(ax: Axes, rank: np.ndarray, errors: np.ndarray, found: list[np.ndarray]) -> None:
    """Write error and count of the optima below or above them, where no other label or point is: the best first."""
    shown = found if len(found) <= LABELLED else found[:1]
    words = _words([float(errors[m].min()) for m in shown])
    unit = 72 / ax.figure.dpi
    points = ax.transData.transform(np.column_stack([rank, errors])) * unit
    left, right = (ax.transAxes.transform([(0, 0), (1, 0)]) * unit)[:, 0]
    taken: list[np.ndarray] = []  # left, right, bottom, top in points
    for members, word in zip(shown, words, strict=True):
        text = word + (f"  \N{MULTIPLICATION SIGN}{members.size}" if members.size > 1 else "")
        level = float(errors[members].min())
        wide, high = (72 * size for size in text_size(text, FONT))
        middle = float(points[members, 0].mean())
        middle = min(max(middle, left + wide / 2), right - wide / 2)
        line = float(ax.transData.transform((1, level))[1]) * unit
        for shift, side in ((BELOW, "top"), (ABOVE, "bottom")):
            low = line + shift - (high if side == "top" else 0.0)
            box = np.array([middle - wide / 2 - 2, middle + wide / 2 + 2, low - 1, low + high + 1])
            if not any(_meet(box, other) for other in taken) and not _covers(box, points):
                break
        else:
            if taken:
                continue  # no room; the best is written all the same
            shift, side = BELOW, "top"
        taken.append(box)
        ax.annotate(
            text, (float(rank[members].mean()), level), ((middle - float(points[members, 0].mean())), shift),
            textcoords="offset points", va=side, ha="center", fontsize=FONT, color=style.INK, path_effects=style.halo(),
            zorder=5, gid="optimum label",
        )  # fmt: skip


def _words(levels: list[float]) -> list[str]:
    """Errors with four digits, or as many more as tell them apart."""
    for digits in range(4, 9):
        words = [style.plain(level, digits) for level in levels]
        if len(set(words)) == len(words):
            break
    return words


def _meet(a: np.ndarray, b: np.ndarray) -> bool:
    return bool(a[0] < b[1] and b[0] < a[1] and a[2] < b[3] and b[2] < a[3])


def _covers(box: np.ndarray, points: np.ndarray) -> bool:
    """Whether a box comes within a marker's radius of a point."""
    x, y = points.T
    return bool(np.any((x > box[0] - 3) & (x < box[1] + 3) & (y > box[2] - 2) & (y < box[3] + 2)))


def _title(found: list[np.ndarray], converged: int) -> str:
    if not found:
        return "No repetition converged"
    optima = f"{len(found)} distinct {'optimum' if len(found) == 1 else 'optima'}"
    seen = "once" if found[0].size == 1 else f"{found[0].size} times"
    return f"{optima}; the best seen {seen} in {converged} converged"
