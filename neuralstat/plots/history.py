"""Loss and metric of a fit by epochs."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np
import pandas as pd

from neuralstat.checks import position, shown
from neuralstat.checks.arguments import Anything, Numbers, arguments
from neuralstat.errors import ArgumentError
from neuralstat.plots import style

if TYPE_CHECKING:
    from matplotlib.axes import Axes


@arguments(
    history=Anything("a DataFrame, as history"), metric=Anything("a column", "loss"),
    best_epochs=Anything("an epoch per repetition", None), ax=style.AX,
)
def plot_history(history: pd.DataFrame, metric: str = "loss", *, best_epochs: Any = None, ax: Axes | None = None) -> Axes:
    """Plot a column of a history against the epoch: training in blue, validation in orange, a line per repetition.

    Parameters
    ----------
    history : DataFrame
        Columns ``rep``, ``epoch``, `metric`, and ``val_<metric>`` where there is validation data.
    metric : str
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
    """
    if not isinstance(history, pd.DataFrame) or not {"rep", "epoch"} <= set(history.columns):
        raise ArgumentError(f"history must be a DataFrame with columns rep and epoch, as `history` is; got {shown(history)}.")
    known = [c for c in history.columns if isinstance(c, str) and c not in ("rep", "epoch") and not c.startswith("val_")]
    at_metric = position(metric, known) if isinstance(metric, str) else None
    if at_metric is None:
        raise ArgumentError(f"metric must be one of {', '.join(map(repr, known))}; got {shown(metric)}.")
    metric = known[at_metric]
    if history.empty:
        raise ArgumentError("history has no epochs, so there is nothing to plot.")
    for name in ("rep", "epoch", metric, *([f"val_{metric}"] if f"val_{metric}" in history.columns else [])):
        if history.columns.tolist().count(name) != 1 or not pd.api.types.is_numeric_dtype(history[name]):
            raise ArgumentError(f"history: column {name!r} must be one of numbers.")
    if history[["rep", "epoch"]].isna().any(axis=None) or not (history["rep"] >= 1).all():
        raise ArgumentError("history: rep and epoch must be numbers from 1.")
    if best_epochs is not None:
        best_epochs = Numbers(1).check(best_epochs, "best_epochs")
        if best_epochs.size < history["rep"].max():
            raise ArgumentError(f"best_epochs has {best_epochs.size} values for {history['rep'].max()} repetitions.")
    ax = style.target_axes(ax, (7.2, 4.5))
    style.tidy(ax)
    drawn = [(metric, style.BLUE, "training")]
    if f"val_{metric}" in history.columns:
        drawn.append((f"val_{metric}", style.ORANGE, "validation"))
    reps = history["rep"].unique()
    alpha = 1.0 if len(reps) == 1 else float(np.clip(2 / np.sqrt(len(reps)), 0.3, 0.8))
    for column, color, label in drawn:
        for k, rep in enumerate(reps):
            rows = history[history["rep"] == rep]
            ax.plot(rows["epoch"], rows[column], color=color, alpha=alpha, linewidth=1.4,
                    marker="o" if len(rows) == 1 else None, label=label if k == 0 else "_rep")  # fmt: skip
            best = 0 if best_epochs is None else int(best_epochs[int(rep) - 1])
            if best > 0 and column == drawn[-1][0]:
                at = rows[rows["epoch"] == best]
                ax.plot(at["epoch"], at[column], linestyle="none", marker="o", markersize=6, color=color,
                        markerfacecolor="white", label="best epoch" if k == 0 else "_best")  # fmt: skip
    values = history[[c for c, _, _ in drawn]].to_numpy(dtype=float)
    finite = values[np.isfinite(values)]
    if metric != "accuracy" and finite.size and finite.min() > 0 and finite.max() > 10 * finite.min():
        ax.set_yscale("log")
    ax.set_xlabel("epoch")
    ax.set_ylabel(metric, parse_math=False)
    style.legend(ax, frameon=True, framealpha=0.85, edgecolor="none", fontsize=9)
    return ax
