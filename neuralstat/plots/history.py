"""Loss and metric of a fit by epochs."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np
import pandas as pd

from neuralstat.errors import ArgumentError
from neuralstat.plots import style

if TYPE_CHECKING:
    from matplotlib.axes import Axes


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
    if metric not in history.columns:
        known = [c for c in history.columns if c not in ("rep", "epoch") and not c.startswith("val_")]
        raise ArgumentError(f"metric must be one of {', '.join(map(repr, known))}; got {metric!r}.")
    if history.empty:
        raise ArgumentError("history has no epochs, so there is nothing to plot.")
    ax = style.target_axes(ax, (7.2, 4.5))
    style.tidy(ax)
    shown = [(metric, style.BLUE, "training")]
    if f"val_{metric}" in history.columns:
        shown.append((f"val_{metric}", style.ORANGE, "validation"))
    reps = history["rep"].unique()
    alpha = 1.0 if len(reps) == 1 else float(np.clip(2 / np.sqrt(len(reps)), 0.3, 0.8))
    for column, color, label in shown:
        for k, rep in enumerate(reps):
            rows = history[history["rep"] == rep]
            ax.plot(rows["epoch"], rows[column], color=color, alpha=alpha, linewidth=1.4,
                    marker="o" if len(rows) == 1 else None, label=label if k == 0 else "_rep")  # fmt: skip
            best = 0 if best_epochs is None else int(np.asarray(best_epochs)[int(rep) - 1])
            if best > 0 and column == shown[-1][0]:
                at = rows[rows["epoch"] == best]
                ax.plot(at["epoch"], at[column], linestyle="none", marker="o", markersize=6, color=color,
                        markerfacecolor="white", label="best epoch" if k == 0 else "_best")  # fmt: skip
    values = history[[c for c, _, _ in shown]].to_numpy(dtype=float)
    finite = values[np.isfinite(values)]
    if metric != "accuracy" and finite.size and finite.min() > 0 and finite.max() > 10 * finite.min():
        ax.set_yscale("log")
    ax.set_xlabel("epoch")
    ax.set_ylabel(metric)
    ax.legend(frameon=True, framealpha=0.85, edgecolor="none", fontsize=9)
    return ax
