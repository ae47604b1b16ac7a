"""Loss and metric of a fit by epochs."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

import numpy as np
import pandas as pd

from neuralstat.checks import position, shown
from neuralstat.checks.arguments import Anything, Numbers, arguments
from neuralstat.checks.values import attribute
from neuralstat.errors import ArgumentError
from neuralstat.plots import style

if TYPE_CHECKING:
    from matplotlib.axes import Axes


@arguments(
    history=Anything("a DataFrame, as history, or several of them, or fits"), metric=Anything("a column", "loss"),
    names=Anything("a name for each of several", None), best_epochs=Anything("an epoch per repetition", None), ax=style.AX,
)
def plot_history(
    history: Any, metric: str = "loss", *, names: Any = None, best_epochs: Any = None, ax: Axes | None = None
) -> Axes:
    """Plot a column of a history against the epoch: training in blue, validation in orange, a line per repetition.

    Of several fits each has a colour: its validation is a line, its training a dashed one (a line where no fit has
    validation data).

    Parameters
    ----------
    history : DataFrame, or list or dict of DataFrames or fits
        Columns ``rep``, ``epoch``, `metric`, and ``val_<metric>`` where there is validation data. Keys of a dict are names.
    metric : str
    names : list of str, optional
        Of several fits, for the legend; "fit 1", "fit 2", ... unless given.
    best_epochs : array-like of int, shape (B,), optional
        Epochs whose weights were restored, marked by a circle; 0 for none.
    ax : matplotlib.axes.Axes, optional
        Where to draw; pyplot's current axes unless given, a new figure where these hold a picture.

    Returns
    -------
    matplotlib.axes.Axes

    Raises
    ------
    ArgumentError
        Where there is no such column, or no epoch.

    Examples
    --------
    >>> import neuralstat as ns
    >>> data = ns.datasets.doppler(n=100, noise=0.1, random_state=1)
    >>> settings = {"algorithm": "adam", "learningrate": 0.05, "epochs": 20, "random_state": 1}
    >>> fits = {f"{h} units": ns.neuralnet("y ~ x", data, hidden=h, **settings) for h in (4, 8)}
    >>> ax = ns.plots.plot_history(fits)
    >>> [text.get_text() for text in ax.get_legend().get_texts()]
    ['4 units', '8 units']
    """
    if isinstance(history, list | tuple | Mapping):
        if best_epochs is not None:
            raise ArgumentError("best_epochs belongs to one history; several were given.")
        return _several(history, metric, names, ax)
    if names is not None:
        raise ArgumentError("names belong to several histories; one was given.")
    metric = _checked(history, metric)
    if best_epochs is not None:
        best_epochs = Numbers(1).check(best_epochs, "best_epochs")
        if best_epochs.size < history["rep"].max():
            raise ArgumentError(f"best_epochs has {best_epochs.size} values for {history['rep'].max()} repetitions.")
    ax = style.target_axes(ax, (7.2, 4.5))
    style.tidy(ax)
    drawn = [(metric, style.BLUE, "training")]
    if f"val_{metric}" in history.columns:
        drawn.append((f"val_{metric}", style.ORANGE, "validation"))
    for column, color, label in drawn:
        _lines(ax, history, column, label, color=color)
        for k, rep in enumerate(history["rep"].unique()):
            best = 0 if best_epochs is None else int(best_epochs[int(rep) - 1])
            if best > 0 and column == drawn[-1][0]:
                at = history[(history["rep"] == rep) & (history["epoch"] == best)]
                ax.plot(at["epoch"], at[column], linestyle="none", marker="o", markersize=6, color=color,
                        markerfacecolor="white", label="best epoch" if k == 0 else "_best")  # fmt: skip
    return _finished(ax, metric, history[[c for c, _, _ in drawn]].to_numpy(dtype=float))


def _several(histories: Any, metric: Any, names: Any, ax: Axes | None) -> Axes:
    """A colour for each history."""
    if isinstance(histories, Mapping):
        if names is not None:
            raise ArgumentError("names: the histories have names, their keys.")
        names, histories = list(histories), list(histories.values())
    made = [h if isinstance(h, pd.DataFrame) else attribute(h, "history") for h in histories]
    if not made:
        raise ArgumentError("history: none was given.")
    usual = [f"fit {k}" for k in range(1, len(made) + 1)]
    names = style.names("names", usual if names is None else names, len(made), "history")
    found = [_checked(h, metric) for h in made]
    ax = style.target_axes(ax, (7.2, 4.5))
    style.tidy(ax)
    judged = [f"val_{found[0]}" in h.columns for h in made]
    for h, name, color, has in zip(made, names, style.series(len(made)), judged, strict=True):
        if has:
            _lines(ax, h, f"val_{found[0]}", name, color=color)
        _lines(ax, h, found[0], "_training" if has else name, color=color, linestyle="--" if any(judged) else "-")
    values = [h[[c for c in (found[0], f"val_{found[0]}") if c in h.columns]].to_numpy(dtype=float).ravel() for h in made]
    ax = _finished(ax, found[0], np.concatenate(values))
    if any(judged):
        ax.set_ylabel(f"{found[0]} (validation; dashed: training)", parse_math=False)
    return ax


def _checked(history: Any, metric: Any) -> str:
    """The metric, of a history that has it."""
    if not isinstance(history, pd.DataFrame) or not {"rep", "epoch"} <= set(history.columns):
        raise ArgumentError(f"history must be a DataFrame with columns rep and epoch, as `history` is; got {shown(history)}.")
    known = [c for c in history.columns if isinstance(c, str) and c not in ("rep", "epoch") and not c.startswith("val_")]
    at_metric = position(metric, known) if isinstance(metric, str) else None
    if at_metric is None:
        raise ArgumentError(f"metric must be one of {', '.join(map(repr, known))}; got {shown(metric)}.")
    metric = str(known[at_metric])
    if history.empty:
        raise ArgumentError("history has no epochs, so there is nothing to plot.")
    for name in ("rep", "epoch", metric, *([f"val_{metric}"] if f"val_{metric}" in history.columns else [])):
        if history.columns.tolist().count(name) != 1 or not pd.api.types.is_numeric_dtype(history[name]):
            raise ArgumentError(f"history: column {name!r} must be one of numbers.")
    if history[["rep", "epoch"]].isna().any(axis=None) or not (history["rep"] >= 1).all():
        raise ArgumentError("history: rep and epoch must be numbers from 1.")
    return metric


def _lines(ax: Axes, history: pd.DataFrame, column: str, label: str, **options: Any) -> None:
    """A line per repetition."""
    reps = history["rep"].unique()
    alpha = 1.0 if len(reps) == 1 else float(np.clip(2 / np.sqrt(len(reps)), 0.3, 0.8))
    for k, rep in enumerate(reps):
        rows = history[history["rep"] == rep]
        ax.plot(rows["epoch"], rows[column], alpha=alpha, linewidth=1.4, marker="o" if len(rows) == 1 else None,
                label=style.entry(label) if k == 0 and not label.startswith("_") else "_rep", **options)  # fmt: skip


def _finished(ax: Axes, metric: str, values: np.ndarray) -> Axes:
    """Scale, labels and legend."""
    finite = values[np.isfinite(values)]
    if metric != "accuracy" and finite.size and finite.min() > 0 and finite.max() > 10 * finite.min():
        ax.set_yscale("log")
    ax.set_xlabel("epoch")
    ax.set_ylabel(metric, parse_math=False)
    style.legend(ax, frameon=True, framealpha=0.85, edgecolor="none", fontsize=9)
    return ax
