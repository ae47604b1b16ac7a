"""Plots of effects: profiles with bands, individual curves, importance."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np
import pandas as pd

from neuralstat.errors import ArgumentError

if TYPE_CHECKING:
    from matplotlib.axes import Axes

LINE, BAND, GREY = "#1b6ca8", "#a9cce3", "#888888"


def plot_profile(frame: pd.DataFrame, *, label: str = "", rug: Any = None, ax: Axes | None = None) -> Axes:
    """Draw a partial dependence or accumulated local effect with its band.

    Parameters
    ----------
    frame : DataFrame
        From `effects.partial_dependence` or `effects.ale`: the first column against the index.
    label : str
        Of the vertical axis.
    rug : array-like, optional
        The variable's values, as ticks at the bottom.
    ax : Axes, optional
    """
    ax = _axes(ax)
    middle = frame.iloc[:, 0].to_numpy()
    if pd.api.types.is_numeric_dtype(frame.index):
        x = frame.index.to_numpy(dtype=float)
        ax.fill_between(x, frame["lower"], frame["upper"], color=BAND, alpha=0.6, linewidth=0)
        ax.plot(x, middle, color=LINE, linewidth=1.6)
        if rug is not None:
            ax.plot(np.asarray(rug, float), np.full(len(rug), 0.01), "|", color=GREY, alpha=0.5,
                    transform=ax.get_xaxis_transform())  # fmt: skip
    else:
        at = np.arange(len(frame))
        half = (frame["upper"] - frame["lower"]).to_numpy() / 2
        ax.errorbar(at, middle, np.nan_to_num(half), fmt="o", color=LINE, capsize=3)
        ax.set_xticks(at, [str(v) for v in frame.index])
        ax.margins(x=0.15)
    ax.set(xlabel=str(frame.index.name), ylabel=label)
    return ax


def plot_curves(frame: pd.DataFrame, *, label: str = "", ax: Axes | None = None) -> Axes:
    """Draw individual curves and their mean.

    Parameters
    ----------
    frame : DataFrame, shape (grid, n)
        From `effects.ice`.
    """
    ax = _axes(ax)
    numeric = pd.api.types.is_numeric_dtype(frame.index)
    x = frame.index.to_numpy(dtype=float) if numeric else np.arange(len(frame))
    ax.plot(x, frame.to_numpy(), color=GREY, alpha=min(0.6, 20 / frame.shape[1] + 0.05), linewidth=0.7)
    ax.plot(x, frame.mean(axis=1), color=LINE, linewidth=2, label="mean")
    if not numeric:
        ax.set_xticks(x, [str(v) for v in frame.index])
    ax.set(xlabel=str(frame.index.name), ylabel=label)
    ax.legend(frameon=False)
    return ax


def plot_importance(frame: pd.DataFrame, *, label: str = "", ax: Axes | None = None) -> Axes:
    """Draw importances as points with one standard deviation, the largest on top.

    Parameters
    ----------
    frame : DataFrame
        From `effects.importance`, or ``marginal_effects`` (its first column with 95 % limits).
    """
    ax = _axes(ax)
    values = frame.iloc[:, 0]
    order = values.abs().sort_values().index
    at = np.arange(len(frame))
    if "lower" in frame:
        ends = np.abs(frame.loc[order, ["lower", "upper"]].to_numpy().T - values[order].to_numpy())
    else:
        ends = np.nan_to_num(frame.loc[order, "sd"].to_numpy())
    ax.errorbar(values[order], at, xerr=ends, fmt="o", color=LINE, ecolor=BAND, elinewidth=3)
    ax.axvline(0, color=GREY, linewidth=0.8, linestyle=":")
    ax.set_yticks(at, [str(v) for v in order])
    ax.set(xlabel=label)
    return ax


def plot_lek(frame: pd.DataFrame, *, label: str = "", ax: Axes | None = None) -> Axes:
    """Draw the profiles of one variable, a line per quantile of the others.

    Parameters
    ----------
    frame : DataFrame
        From `effects.lek_profile`, of one variable.
    """
    import matplotlib.pyplot as plt

    names = frame["variable"].unique()
    if len(names) != 1:
        raise ArgumentError(f"plot_lek draws one variable at a time; the frame has {len(names)}.")
    ax = _axes(ax)
    held = np.sort(frame["quantile"].unique())
    colours = plt.get_cmap("viridis")(np.linspace(0.05, 0.9, held.size))
    for q, colour in zip(held, colours, strict=True):
        part = frame[frame["quantile"] == q]
        ax.plot(part["value"], part["mean"], color=colour, label=f"{100 * q:g} %")
    ax.legend(title="others at", frameon=False, fontsize=8)
    ax.set(xlabel=str(names[0]), ylabel=label)
    return ax


def _axes(ax: Axes | None) -> Axes:
    if ax is None:
        import matplotlib.pyplot as plt

        ax = plt.subplots(figsize=(6, 4), layout="constrained")[1]
    ax.spines[["top", "right"]].set_visible(False)
    return ax
