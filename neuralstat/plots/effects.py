"""Plots of effects: profiles with bands, surfaces, individual curves, importance."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np
import pandas as pd

from neuralstat.errors import ArgumentError
from neuralstat.plots import style

if TYPE_CHECKING:
    from matplotlib.axes import Axes

SIZE = (6.0, 4.0)
CURVES = 300  # most individual curves drawn
BANDS = 5  # most bands of one picture
TICKS = 1000  # most values of a rug


def by_output(frame: pd.DataFrame) -> dict[str | None, pd.DataFrame]:
    """The frames of several outputs, by name; of one output the frame itself under None."""
    if frame.index.names[0] != "response":
        return {None: frame}
    return {str(name): part.droplevel("response") for name, part in frame.groupby(level="response", sort=False)}


def plot_profile(
    frame: pd.DataFrame, *, label: str = "", rug: Any = None, discrete: bool | None = None, title: str = "",
    ax: Axes | None = None,
) -> Axes:  # fmt: skip
    """Draw a partial dependence or accumulated local effect with its band; of several outputs a line each.

    Beyond five lines bands are left out.

    Parameters
    ----------
    frame : DataFrame
        From `effects.partial_dependence` or `effects.ale` of one variable: the first column against the index.
    label : str
        Of the vertical axis.
    rug : array-like, optional
        The variable's values, as ticks at the bottom.
    discrete : bool, optional
        Draw points side by side, as for levels. Default unless the index is numeric.
    title : str
        Of the legend, where there are several outputs.
    ax : Axes, optional
        Where to draw; pyplot's current axes unless given, a new figure where these hold a picture.
    """
    ax = _axes(ax)
    outputs = by_output(frame)
    first = next(iter(outputs.values()))
    apart = not (pd.api.types.is_numeric_dtype(first.index) or _is_time(first.index)) if discrete is None else discrete
    colours = style.series(len(outputs))
    for k, (name, part) in enumerate(outputs.items()):
        shift = 0.0 if len(outputs) == 1 else 0.5 * (k / (len(outputs) - 1) - 0.5)
        band = part if len(outputs) <= BANDS else part.assign(lower=np.nan, upper=np.nan)  # more would hide one another
        (_points if apart else _band)(ax, band, colours[k], name, shift)
    if not apart and rug is not None and not _is_time(first.index):
        draw_rug(ax, rug)
    if len(outputs) > 1:
        style.legend(ax, title=title or None, frameon=False, fontsize=9)
    ax.set_xlabel(str(first.index.name), parse_math=False)
    ax.set_ylabel(label, parse_math=False)
    return ax


def _band(ax: Axes, part: pd.DataFrame, color: Any, name: str | None, shift: float) -> None:
    x = _along(part.index)
    ax.fill_between(x, part["lower"], part["upper"], color=color, alpha=0.2, linewidth=0, gid="band")
    ax.plot(x, part.iloc[:, 0], color=color, linewidth=1.6, label=style.entry(name))


def _is_time(index: pd.Index) -> bool:
    return isinstance(index, pd.DatetimeIndex)


def _along(index: pd.Index) -> np.ndarray:
    """Places of a grid on an axis of numbers or dates."""
    return index.to_numpy() if _is_time(index) else index.to_numpy(dtype=float)


def _points(ax: Axes, part: pd.DataFrame, color: Any, name: str | None, shift: float) -> None:
    at, middle = np.arange(len(part)) + shift, part.iloc[:, 0].to_numpy()
    ends = np.nan_to_num(np.stack([middle - part["lower"].to_numpy(), part["upper"].to_numpy() - middle]))
    ax.errorbar(at, middle, np.maximum(ends, 0.0), fmt="o", color=color, capsize=3, label=style.entry(name))
    _level_ticks(ax, part.index)
    ax.margins(x=0.15)


def _level_ticks(ax: Axes, index: pd.Index) -> None:
    words = [f"{v:g}" if isinstance(v, float) else str(v) for v in index]
    many = sum(map(len, words)) > 60
    ax.set_xticks(np.arange(len(index)), words, rotation=45 if many else 0, ha="right" if many else "center",
                  rotation_mode="anchor", parse_math=False)  # fmt: skip


def draw_rug(ax: Axes, values: Any) -> None:
    """Ticks at the bottom, at values of a variable: at most a thousand of them, evenly among the sorted ones."""
    values = np.sort(np.asarray(values, dtype=float))
    if values.size > TICKS:
        values = values[np.linspace(0, values.size - 1, TICKS).astype(int)]
    ax.plot(values, np.full(values.size, 0.01), "|", color=style.GREY, alpha=0.5, transform=ax.get_xaxis_transform(),
            gid="rug")  # fmt: skip


def plot_surface(
    frame: pd.DataFrame, *, label: str = "", centred: bool = False, points: Any = None,
    discrete: tuple[bool, bool] | None = None, ax: Axes | None = None,
) -> Axes:  # fmt: skip
    """Draw the effect of two variables: a heat map with contours, or a line per level where one is a factor.

    Parameters
    ----------
    frame : DataFrame
        From `effects.partial_dependence` or `effects.ale` of two variables, one output.
    label : str
        Of the effect.
    centred : bool
        Whether 0 is the middle of the colours.
    points : pair of array-like, optional
        Values of the two variables in the data, drawn as points: where there are none the surface is extrapolated.
    discrete : pair of bool, optional
        Which of the variables takes levels. Default: those that are not numbers.
    ax : Axes, optional
        Where to draw; pyplot's current axes unless given, a new figure where these hold a picture.
    """
    if frame.index.nlevels != 2:
        raise ArgumentError("plot_surface draws the effect of two variables, of one output.")
    numeric = [pd.api.types.is_numeric_dtype(level) and not pd.api.types.is_bool_dtype(level) for level in frame.index.levels]
    if discrete is not None:
        numeric = [not coded for coded in discrete]
    if not all(numeric):
        return _lines(frame, label, numeric, ax)
    ax = _axes(ax)
    table = frame.iloc[:, 0].unstack()
    x, y = table.index.to_numpy(dtype=float), table.columns.to_numpy(dtype=float)
    values = table.to_numpy().T
    most = float(np.nanmax(np.abs(values))) or 1.0
    scale: dict[str, Any] = {"cmap": "RdBu_r", "vmin": -most, "vmax": most} if centred else {"cmap": "viridis"}
    picture = ax.pcolormesh(x, y, values, shading="gouraud", **scale)
    if np.ptp(values) > 1e-12 * most:
        lines = ax.contour(x, y, values, colors=style.INK if centred else "white", linewidths=0.7, alpha=0.8)
        ax.clabel(lines, fontsize=7)
    if points is not None:
        some = np.linspace(0, len(points[0]) - 1, min(len(points[0]), TICKS)).astype(int)
        ax.plot(np.asarray(points[0], float)[some], np.asarray(points[1], float)[some], ".", markersize=2, color=style.INK,
                alpha=0.4, gid="observations")  # fmt: skip
    ax.figure.colorbar(picture, ax=ax).set_label(label, parse_math=False)
    ax.set_xlabel(str(frame.index.names[0]), parse_math=False)
    ax.set_ylabel(str(frame.index.names[1]), parse_math=False)
    return ax


def _lines(frame: pd.DataFrame, label: str, numeric: list[bool], ax: Axes | None) -> Axes:
    """A profile per level of a factor: against the other variable."""
    by = 1 if numeric[0] else 0
    name = frame.index.names[by]
    parts = {f"{level}": part.droplevel(by) for level, part in frame.groupby(level=by, sort=False)}
    joint = pd.concat(parts, names=["response"])
    ax = plot_profile(joint, label=label, discrete=not any(numeric), title=str(name), ax=ax)
    ax.set_xlabel(str(frame.index.names[1 - by]), parse_math=False)
    return ax


def plot_curves(frame: pd.DataFrame, *, label: str = "", title: str = "", ax: Axes | None = None) -> Axes:
    """Draw individual curves, at most 300 of them, and the mean of all; of several outputs in a colour each.

    Parameters
    ----------
    frame : DataFrame, shape (grid, n)
        From `effects.ice`.
    label, title : str
        Of the vertical axis, and of the legend, where there are several outputs.
    ax : Axes, optional
        Where to draw; pyplot's current axes unless given, a new figure where these hold a picture.
    """
    ax = _axes(ax)
    outputs = by_output(frame)
    n = frame.shape[1]
    shown = np.sort(np.random.default_rng(0).choice(n, CURVES, replace=False)) if n > CURVES else np.arange(n)
    for k, (name, part) in enumerate(outputs.items()):
        numeric = pd.api.types.is_numeric_dtype(part.index) or _is_time(part.index)
        x = _along(part.index) if numeric else np.arange(len(part))
        own = style.series(len(outputs))[k]
        thin = style.GREY if name is None else own
        ax.plot(x, part.to_numpy()[:, shown], color=thin, alpha=min(0.6, 20 / shown.size + 0.05), linewidth=0.7)
        ax.plot(x, part.mean(axis=1), color=own, linewidth=2.2, label=style.entry(name) or "mean",
                path_effects=style.halo(width=3.6))  # fmt: skip
    if not numeric:
        _level_ticks(ax, part.index)
    if shown.size < n:
        style.note(ax, f"{shown.size} of {n:,} curves; means of all")
    ax.set_xlabel(str(part.index.name), parse_math=False)
    ax.set_ylabel(label, parse_math=False)
    style.legend(ax, title=title if len(outputs) > 1 else None, frameon=False, loc="best")
    return ax


def plot_importance(frame: pd.DataFrame, *, label: str = "", title: str = "", ax: Axes | None = None) -> Axes:
    """Draw importances as points with one standard deviation, the largest on top; of several outputs side by side.

    Parameters
    ----------
    frame : DataFrame
        From `effects.importance`, or ``marginal_effects`` (its first column with its limits).
    label, title : str
        Of the horizontal axis, and of the legend, where there are several outputs.
    ax : Axes, optional
        Where to draw; pyplot's current axes unless given, a new figure where these hold a picture.
    """
    ax = _axes(ax)
    outputs = by_output(frame)
    sizes = pd.concat([part.iloc[:, 0].abs() for part in outputs.values()], axis=1).max(axis=1)
    order = sizes.sort_values().index
    at = np.arange(len(order))
    for k, (name, part) in enumerate(outputs.items()):
        values = part.iloc[:, 0]
        if "lower" in part:
            ends = np.abs(part.loc[order, ["lower", "upper"]].to_numpy().T - values[order].to_numpy())
        else:
            ends = part.loc[order, "sd"].to_numpy()
        shift = 0.0 if len(outputs) == 1 else 0.6 * (0.5 - k / (len(outputs) - 1))
        color = style.series(len(outputs))[k]
        ax.errorbar(values[order], at + shift, xerr=np.nan_to_num(ends), fmt="o", color=color, elinewidth=2.5,
                    markersize=4.5, alpha=0.85, label=style.entry(name))  # fmt: skip
    ax.axvline(0, color=style.GREY, linewidth=0.8, linestyle=":")
    ax.set_yticks(at, [str(v) for v in order], parse_math=False)
    if len(outputs) > 1:
        style.legend(ax, title=title or None, frameon=False, fontsize=9)
    ax.set_xlabel(label, parse_math=False)
    return ax


def plot_lek(frame: pd.DataFrame, *, label: str = "", ax: Axes | None = None) -> Axes:
    """Draw the profiles of one variable, a line per quantile of the others.

    Parameters
    ----------
    frame : DataFrame
        From `effects.lek_profile`, of one variable and output.
    label : str
        Of the vertical axis.
    ax : Axes, optional
        Where to draw; pyplot's current axes unless given, a new figure where these hold a picture.
    """
    from matplotlib import colormaps

    names = frame["variable"].unique()
    if len(names) != 1:
        raise ArgumentError(f"plot_lek draws one variable at a time; the frame has {len(names)}.")
    if "response" in frame and frame["response"].nunique() > 1:
        raise ArgumentError("plot_lek draws one output at a time: give response=.")
    ax = _axes(ax)
    held = np.sort(frame["quantile"].unique())
    colours = colormaps["viridis"](np.linspace(0.05, 0.9, held.size))
    for q, colour in zip(held, colours, strict=True):
        part = frame[frame["quantile"] == q]
        numeric = pd.api.types.is_numeric_dtype(part["value"]) and not pd.api.types.is_bool_dtype(part["value"])
        x = part["value"].to_numpy(dtype=float) if numeric else np.arange(len(part))
        ax.plot(x, part["mean"], color=colour, label=f"{100 * q:g} %", marker=None if numeric else "o")
        if not numeric:
            _level_ticks(ax, pd.Index(part["value"]))
    style.legend(ax, title="others at", frameon=False, fontsize=8)
    ax.set_xlabel(str(names[0]), parse_math=False)
    ax.set_ylabel(label, parse_math=False)
    return ax


def _axes(ax: Axes | None) -> Axes:
    ax = style.target_axes(ax, SIZE)
    ax.spines[["top", "right"]].set_visible(False)
    return ax
