"""Data and fit: curves over one covariate, observed against fitted values, and confusion tables."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import TYPE_CHECKING, Any

import numpy as np
import pandas as pd

from neuralstat.checks import shown
from neuralstat.checks.arguments import Anything, Numbers, arguments
from neuralstat.errors import ArgumentError
from neuralstat.plots import style

if TYPE_CHECKING:
    from matplotlib.axes import Axes


_VECTOR, _TEXT = Anything("a vector of numbers"), Anything("a string", "x")
_BAND = Anything("a pair (lower, upper) of vectors", None)


@arguments(
    x=_VECTOR, y=_VECTOR, grid=_VECTOR, curves=Anything("a matrix of numbers"), mean=_VECTOR, band=_BAND, band_label=_TEXT,
    outer=_BAND, outer_label=_TEXT, truth=Anything("a function or a vector", None), x_name=_TEXT, y_name=_TEXT, ax=style.AX,
)
def plot_fit(
    x: Any,
    y: Any,
    grid: Any,
    curves: Any,
    mean: Any,
    *,
    band: tuple[Any, Any] | None = None,
    band_label: str = "interval",
    outer: tuple[Any, Any] | None = None,
    outer_label: str = "outer interval",
    truth: Any = None,
    x_name: str = "x",
    y_name: str = "y",
    ax: Axes | None = None,
) -> Axes:
    """Draw the observations with the fitted curves over one covariate.

    Parameters
    ----------
    x, y : array-like, shape (n,)
        The observations. A response of zeros and ones is jittered.
    grid : array-like, shape (m,)
        Values of the covariate at which the curves are given, increasing.
    curves : array-like, shape (B, m) or (m,)
        The curve of every repetition, drawn thin; with one repetition only the mean is drawn.
    mean : array-like, shape (m,)
        The average over the repetitions, drawn thick.
    band : pair of array-like, each of shape (m,), optional
        Lower and upper limits, shaded between.
    band_label : str
        What the band is, for the legend ("95% confidence interval").
    outer : pair of array-like, each of shape (m,), optional
        Limits of a second, wider band, shaded more lightly behind the first.
    outer_label : str
        What that band is.
    truth : callable or array-like, shape (m,), optional
        The true mean, where it is known.
    x_name, y_name : str
        Axis labels.
    ax : matplotlib.axes.Axes, optional
        Where to draw; pyplot's current axes unless given, a new figure where these hold a picture.

    Returns
    -------
    matplotlib.axes.Axes

    Raises
    ------
    ArgumentError
        When lengths or types do not fit together.

    Examples
    --------
    >>> import numpy as np
    >>> import neuralstat as ns
    >>> x = np.linspace(0, 1, 20)
    >>> y, curves = np.sin(6 * x), np.outer([0.9, 1.1], np.sin(6 * x))
    >>> ax = ns.plots.plot_fit(x, y, x, curves, curves.mean(axis=0), y_name="sine")
    >>> ax.get_ylabel()
    'sine'
    """
    x = style.vector("x", x)
    y = style.vector("y", y, size=x.size, like="x")
    grid = style.vector("grid", grid, finite=True)
    if (np.diff(grid) < 0).any():
        raise ArgumentError("grid must be increasing")
    mean = style.vector("mean", mean, size=grid.size, like="grid")
    style.text("band_label", band_label)
    style.text("outer_label", outer_label)
    style.text("x_name", x_name)
    style.text("y_name", y_name)
    curves = np.atleast_2d(Numbers(None, finite=False).check(curves, "curves"))
    if curves.ndim != 2 or curves.shape[1] != grid.size:
        raise ArgumentError(
            f"curves must have shape (repetitions, {grid.size}), one column per grid value; "
            f"it has {curves.shape}"
        )
    bands = [
        (_check_band(name, pair, grid.size), label, alpha)
        for name, pair, label, alpha in (("outer", outer, outer_label, 0.18), ("band", band, band_label, 0.35))
        if pair is not None
    ]
    true_mean = None if truth is None else _check_truth(truth, grid)

    ax = style.target_axes(ax, (7.2, 4.5))
    style.tidy(ax)
    binary = style.is_binary(y)
    label = "observed (jittered)" if binary else "observed"
    style.cloud(ax, x, style.jitter(y) if binary else y, style.GREY, label, zorder=2)
    for limits, label, alpha in bands:
        ax.fill_between(grid, *limits, color=style.SKY, alpha=alpha, linewidth=0, zorder=2.5, label=style.entry(label))
    reps = curves.shape[0]
    if reps > 1:
        opacity = float(np.clip(2.5 / np.sqrt(reps), 0.15, 0.8))
        lines = ax.plot(grid, curves.T, color=style.BLUE, alpha=opacity, linewidth=0.8, zorder=3)
        lines[0].set_label(f"{reps} repetitions")
    ax.plot(
        grid,
        mean,
        color=style.BLUE,
        linewidth=2.4,
        zorder=5,
        path_effects=style.halo(width=3.8),
        label="mean of the repetitions" if reps > 1 else "fit",
    )
    if true_mean is not None:
        ax.plot(
            grid, true_mean, color=style.ORANGE, linewidth=1.4, linestyle=(0, (4, 2)), zorder=6, label="truth"
        )
    ax.set_xlabel(x_name, parse_math=False)
    ax.set_ylabel(y_name, parse_math=False)
    _solid_legend(ax)
    return ax


def _solid_legend(ax: Axes) -> None:
    """Legend whose entries do not share the transparency of crowded points and lines."""
    legend = style.legend(ax, frameon=True, framealpha=0.85, edgecolor="none", fontsize=9)
    for handle in legend.legend_handles:
        alpha = None if handle is None else handle.get_alpha()
        if handle is not None and alpha is not None:
            handle.set_alpha(max(alpha, 0.6))


def _check_band(name: str, band: Any, size: int) -> tuple[np.ndarray, np.ndarray]:
    if not isinstance(band, tuple | list | np.ndarray) or len(band) != 2:
        raise ArgumentError(f"{name} must be a pair (lower, upper)")
    lower = style.vector(f"{name}[0]", band[0], size=size, like="grid")
    upper = style.vector(f"{name}[1]", band[1], size=size, like="grid")
    if (lower > upper).any():
        raise ArgumentError(f"{name} must be (lower, upper); the first is above the second in places")
    return lower, upper


def _check_truth(truth: Callable[[np.ndarray], Any] | Any, grid: np.ndarray) -> np.ndarray:
    given = truth(grid) if callable(truth) and not isinstance(truth, type) else truth
    return style.vector("truth", given, size=grid.size, like="grid")


@arguments(y=_VECTOR, fitted=_VECTOR, y_name=_TEXT, ax=style.AX)
def plot_observed_fitted(y: Any, fitted: Any, *, y_name: str = "y", ax: Axes | None = None) -> Axes:
    """Plot observed against fitted values with the line of equality.

    A response of zeros and ones is jittered, and the share of ones within groups of about equal size along
    the fitted values is added: a calibration plot, in which the shares should follow the line.

    Parameters
    ----------
    y, fitted : array-like, shape (n,)
        Observed and fitted values; pairs with a value missing are left out.
    y_name : str
        Name of the response.
    ax : matplotlib.axes.Axes, optional
        Where to draw; pyplot's current axes unless given, a new figure where these hold a picture.

    Returns
    -------
    matplotlib.axes.Axes

    Raises
    ------
    ArgumentError
        When lengths or types do not fit together, or no pair is finite.

    Examples
    --------
    >>> import neuralstat as ns
    >>> ax = ns.plots.plot_observed_fitted([1.0, 2.0, 3.0], [1.2, 1.9, 2.8], y_name="yield")
    >>> ax.get_ylabel()
    'observed yield'
    """
    y = style.vector("y", y)
    fitted = style.vector("fitted", fitted, size=y.size, like="y")
    style.text("y_name", y_name)
    finite = np.isfinite(y) & np.isfinite(fitted)
    if not finite.any():
        raise ArgumentError("y and fitted have no pair of finite values")
    y, fitted = y[finite], fitted[finite]
    ax = style.target_axes(ax, (5.2, 5.0))
    style.tidy(ax)
    binary = style.is_binary(y)
    ends = np.array([min(y.min(), fitted.min()), max(y.max(), fitted.max())])
    if ends[0] == ends[1]:
        ends += (-0.5, 0.5)
    ax.plot(
        ends, ends, color=style.INK, linewidth=1, linestyle=(0, (4, 2)), zorder=3, label="observed = fitted"
    )
    label = "observed (jittered)" if binary else "observations"
    style.cloud(ax, fitted, style.jitter(y) if binary else y, style.BLUE, label, zorder=2)
    if binary:
        groups = np.array_split(np.argsort(fitted, kind="stable"), int(np.clip(y.size // 15, 1, 10)))
        ax.plot(
            [fitted[g].mean() for g in groups],
            [y[g].mean() for g in groups],
            "o-",
            color=style.ORANGE,
            linewidth=1.4,
            markersize=5,
            zorder=4,
            label=f"share of ones in {len(groups)} groups",
        )
    else:
        ax.set_aspect("equal", adjustable="datalim")
    ax.set_xlabel(f"fitted {y_name}", parse_math=False)
    ax.set_ylabel(f"observed {y_name}", parse_math=False)
    _solid_legend(ax)
    if not finite.all():
        style.note(ax, f"{np.count_nonzero(~finite)} missing pairs left out")
    return ax


@arguments(
    table=Anything("a square matrix of counts"), labels=Anything("strings, one per class", None), y_name=_TEXT, ax=style.AX,
)
def plot_confusion(
    table: Any, labels: Sequence[str] | None = None, *, y_name: str = "class", ax: Axes | None = None
) -> Axes:
    """Draw a confusion table: counts, shaded by the share of the observed class.

    Parameters
    ----------
    table : array-like or DataFrame, shape (G, G)
        Counts; a row per observed class, a column per predicted class. A DataFrame, as ``pandas.crosstab`` makes it, may lack
        classes that were never predicted, or never observed.
    labels : sequence of str, optional
        Names of the classes; by default the row labels of a DataFrame, else 1 to G.
    y_name : str
        Name of the response.
    ax : matplotlib.axes.Axes, optional
        Where to draw; pyplot's current axes unless given, a new figure where these hold a picture.

    Returns
    -------
    matplotlib.axes.Axes

    Raises
    ------
    ArgumentError
        When the table is not square, or has counts that are negative or not finite, or is empty.

    Examples
    --------
    >>> import neuralstat as ns
    >>> ax = ns.plots.plot_confusion([[9, 1], [2, 8]], labels=["healthy", "ill"])
    """
    table = _square(table)
    try:
        counts = Numbers(None, finite=False).check(table, "table")
    except ArgumentError:
        raise ArgumentError(f"table must be a square matrix of counts, got {shown(table)}.") from None
    if counts.ndim != 2 or counts.shape[0] != counts.shape[1] or counts.size == 0:
        raise ArgumentError(f"table must be a square matrix of counts; it has shape {counts.shape}")
    if not (np.isfinite(counts).all() and (counts >= 0).all() and counts.sum() > 0):
        raise ArgumentError("table must hold finite counts of at least 0, not all 0")
    size = counts.shape[0]
    if labels is None:
        labels = [str(v) for v in (table.index if hasattr(table, "columns") else range(1, size + 1))]
    labels = style.names("labels", labels, size, f"table has {size} classes")
    style.text("y_name", y_name)
    rows = counts.sum(axis=1, keepdims=True)
    share = np.divide(counts, rows, out=np.zeros_like(counts), where=rows > 0)
    inches = float(np.clip(0.62 * size + 2.0, 4.0, 10.0))
    ax = style.target_axes(ax, (inches, inches - 0.2))
    ax.imshow(share, cmap="Blues", vmin=0, vmax=1.15)
    font = float(np.clip(72 * 0.62 * 0.3 * min(1.0, 12 / size), 4, 11))
    if size <= 40:  # smaller cells cannot hold a number
        for i, j in np.ndindex(counts.shape):
            ax.text(
                j,
                i,
                f"{counts[i, j]:g}",
                ha="center",
                va="center",
                fontsize=font,
                gid=f"count-{i}-{j}",
                color="white" if share[i, j] > 0.55 else style.INK if counts[i, j] else style.PALE,
            )
    ax.set_xticks(
        range(size),
        labels,
        rotation=45 if max(map(len, labels)) > 4 else 0,
        ha="right" if max(map(len, labels)) > 4 else "center",
        rotation_mode="anchor",
        parse_math=False,
    )
    ax.set_yticks(range(size), labels, parse_math=False)
    ax.tick_params(length=0, colors=style.INK, labelsize=min(10.0, font + 2))
    ax.spines[:].set_visible(False)
    ax.set_xlabel(f"predicted {y_name}", parse_math=False)
    ax.set_ylabel(f"observed {y_name}", parse_math=False)
    right = np.trace(counts) / counts.sum()
    ax.set_title(f"{100 * right:.1f}% of {counts.sum():g} correct", fontsize=11, color=style.INK, loc="left")
    return ax


def _square(table: Any) -> Any:
    """A cross table with the same classes as rows and columns, in the order of the rows; anything else as it is."""
    if not isinstance(table, pd.DataFrame) or not (table.index.is_unique and table.columns.is_unique):
        return table
    both = table.columns.isin(table.index)
    if not both.any() or (table.shape[0] == table.shape[1] and not both.all()):
        return table  # columns have other names than classes
    classes = [*table.index, *table.columns[~both]]
    return table.reindex(index=classes, columns=classes, fill_value=0)
