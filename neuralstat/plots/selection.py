"""The path of a model selection: criterion by model, with standard errors, the selected one marked."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np

from neuralstat.plots import style

if TYPE_CHECKING:
    from matplotlib.axes import Axes


def plot_selection(path: Any, criterion: str, *, ax: Axes | None = None) -> Axes:
    """Plot the criterion of every model.

    Where one set of terms was tried: against the hidden units, a line per penalty. Where terms or other arguments were
    chosen, or candidates went from rung to rung: against the models in the order they were fitted, the formula or the
    arguments beside the selected one.

    Parameters
    ----------
    path : DataFrame
        Of a `Selection`.
    criterion : str
    ax : matplotlib.axes.Axes, optional

    Returns
    -------
    matplotlib.axes.Axes
    """
    ax = style.target_axes(ax, (6.8, 4.4))
    style.tidy(ax)
    grid, others = path["formula"].nunique() == 1, "settings" in path
    if grid and not others and "rung" not in path:
        shown = list(dict.fromkeys(path["hidden"]))
        one = not any(isinstance(h, str) or len(h) > 1 for h in shown)
        place = {h: (sum(h) if one else i) for i, h in enumerate(shown)}
        position = np.array([place[h] for h in path["hidden"]], dtype=float)
        _lines(ax, path, position)
        _ticks(ax, shown, place, one)
    else:
        position = np.arange(1.0, len(path) + 1)
        _points(ax, path, position)
        ax.set_xlabel("model, in the order fitted")
    chosen = int(np.flatnonzero(path["selected"])[0])
    row = path.iloc[chosen]
    ax.plot(position[chosen], row["criterion"], "o", markersize=13, markerfacecolor="none", color=style.INK,
            markeredgewidth=1.5, zorder=6, gid="selected")  # fmt: skip
    cut, lost = _clip(ax, path), int(path["criterion"].isna().sum())
    left = [f"{cut} above the frame"] * (cut > 0) + [f"{lost} without a criterion"] * (lost > 0)
    if left:  # under the axis, where it covers nothing
        ax.set_xlabel(f"{ax.get_xlabel()}\n({', '.join(left)}, of {len(path)} models)")
    hidden = row["hidden"]
    units = hidden if isinstance(hidden, str) else f"{' + '.join(map(str, hidden)) or 'no hidden'} units"
    text = f"selected: {units}" + ("" if row["penalty"] == "none" else f", {row['penalty']}")
    if not grid:
        text = f"selected: {row['formula']}; {units}"
    if others:
        text += f", {row['settings']}"
    ax.set_title(text, fontsize=11, color=style.INK, loc="left", parse_math=False)
    ax.set_ylabel(criterion, parse_math=False)
    return ax


def _lines(ax: Axes, path: Any, position: np.ndarray) -> None:
    penalties = list(dict.fromkeys(path["penalty"]))
    for color, name in zip(np.resize(style.SERIES, len(penalties)), penalties, strict=True):
        own = (path["penalty"] == name).to_numpy()
        at = position[own]
        order = np.argsort(at, kind="stable")
        value, se = (path.loc[own, c].to_numpy()[order] for c in ("criterion", "se"))
        label = style.entry(name if name != "none" else "no penalty")
        ax.errorbar(
            at[order], value, yerr=None if np.isnan(se).all() else np.nan_to_num(se), fmt="o-", color=str(color),
            markersize=5, linewidth=1.4, elinewidth=0.9, capsize=2.5, label=label,
        )  # fmt: skip
    if len(penalties) > 1:
        style.legend(ax, frameon=True, framealpha=0.85, edgecolor="none", fontsize=9)


def _points(ax: Axes, path: Any, position: np.ndarray) -> None:
    stages = {"grid": style.BLUE, "inputs": style.ORANGE, "grid again": style.GREEN}
    if "rung" in path:
        names = list(dict.fromkeys(path["stage"]))
        stages = {name: str(color) for name, color in zip(names, np.resize(style.SERIES, len(names)), strict=True)}
    for stage, color in stages.items():
        own = (path["stage"] == stage).to_numpy()
        if own.any():
            se = path.loc[own, "se"].to_numpy()
            ax.errorbar(position[own], path.loc[own, "criterion"], yerr=None if np.isnan(se).all() else np.nan_to_num(se),
                        fmt="o", color=color, markersize=5, elinewidth=0.9, capsize=2.5, label=stage)  # fmt: skip
    style.legend(ax, frameon=True, framealpha=0.85, edgecolor="none", fontsize=9)


def _ticks(ax: Axes, shown: list[Any], place: dict[Any, int], one: bool) -> None:
    if one:
        from matplotlib.ticker import MaxNLocator

        ax.xaxis.set_major_locator(MaxNLocator(integer=True))
        ax.set_xlabel("hidden units")
        return
    words = [h if isinstance(h, str) else "-".join(map(str, h)) or "0" for h in shown]
    ax.set_xticks([place[h] for h in shown], words, parse_math=False)
    ax.set_xlabel("layers" if isinstance(shown[0], str) else "units of the hidden layers")


def _clip(ax: Axes, path: Any) -> int:
    """Cut hopeless models off, which would hide the differences that matter; how many."""
    known = path[path["criterion"].notna()]
    value, se = known["criterion"].to_numpy(), np.nan_to_num(known["se"].to_numpy())
    if value.size < 4:
        return 0
    low, middle = value.min(), np.median(value)
    chosen = known["selected"].to_numpy()
    top = max(middle + 2.5 * max(middle - low, 1e-12), (value + se)[chosen].max())
    inside = value <= top
    if inside.all():
        return 0
    bottom = float((value - se)[inside].min())
    top = max(top, float(np.quantile((value + se)[inside], 0.9)))
    ax.set_ylim(bottom - 0.06 * (top - bottom), top)
    return int(np.sum(value > top))
