"""The error against the step for every repetition."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

import numpy as np

from neuralstat.checks import check_items
from neuralstat.checks.arguments import Anything, arguments
from neuralstat.errors import ArgumentError
from neuralstat.plots import style

if TYPE_CHECKING:
    from matplotlib.axes import Axes

NAMED = len(style.SERIES)  # with more repetitions the legend counts them instead of naming each


@arguments(
    traces=Anything("pairs (steps, errors), one per repetition"), converged=Anything("booleans, one per repetition", None),
    ax=style.AX,
)
def plot_error(traces: Sequence[tuple[Any, Any]], converged: Any = None, *, ax: Axes | None = None) -> Axes:
    """Plot error against step, a line per repetition; the repetitions that did not converge are dashed.

    Up to eight repetitions have their own colour and an entry in the legend, in order of their last error.
    With more, all are grey but the one with the least error (among those that converged, if any did).

    Parameters
    ----------
    traces : sequence of pairs of array-like
        For every repetition the steps and the errors at them, two vectors of equal length.
    converged : array-like of bool, shape (B,), optional
        Whether each repetition reached the threshold; all did unless given.
    ax : matplotlib.axes.Axes, optional
        Where to draw; pyplot's current axes unless given, a new figure where these hold a picture.

    Returns
    -------
    matplotlib.axes.Axes
        With logarithmic axes; the scale of the error is linear where some error is not positive.

    Raises
    ------
    ArgumentError
        When there is no trace, or lengths or types do not fit together.

    Examples
    --------
    >>> import neuralstat as ns
    >>> steps = [1, 10, 100]
    >>> traces = [(steps, [9.0, 3.0, 1.0]), (steps, [8.0, 4.0, 2.0])]
    >>> ax = ns.plots.plot_error(traces, converged=[True, False])
    >>> [text.get_text() for text in ax.get_legend().get_texts()]
    ['repetition 1: 1', 'repetition 2: 2, not converged']
    """
    pairs = _check_traces(traces)
    done = style.flags("converged", converged, len(pairs), "trace")
    last = np.array([_last(errors) for _, errors in pairs])
    ranked = np.lexsort((np.where(np.isfinite(last), last, np.inf), ~done))
    best = int(ranked[0])
    ax = style.target_axes(ax, (7.2, 4.5))
    style.tidy(ax)
    few = len(pairs) <= NAMED
    counted: set[bool] = set()
    for rank, rep in enumerate(ranked):
        steps, errors = pairs[rep]
        look: dict[str, Any] = {
            "linestyle": "-" if done[rep] else (0, (3, 1.8)),
            "zorder": 5 if rep == best else 3,
        }
        state = "" if done[rep] else ", not converged"
        if few:
            look |= {
                "color": style.SERIES[rank],
                "linewidth": 2.0 if rep == best else 1.3,
                "label": f"repetition {rep + 1}: {style.number(last[rep])}{state}",
            }
        elif rep == best:
            look |= {
                "color": style.BLUE,
                "linewidth": 2.0,
                "label": f"best, repetition {rep + 1}: {style.number(last[rep])}{state}",
            }
        else:
            look |= {
                "color": style.GREY if done[rep] else style.ORANGE,
                "linewidth": 0.8,
                "alpha": float(np.clip(4 / np.sqrt(len(pairs)), 0.3, 0.7)),
            }
            if bool(done[rep]) not in counted:
                counted.add(bool(done[rep]))
                others = int(np.count_nonzero(done == done[rep])) - int(done[best] == done[rep])
                look["label"] = f"{others} other{'s' if others > 1 else ''}{state or ', converged'}"
        ax.plot(steps, errors, **look)
        shown = np.flatnonzero(np.isfinite(errors))
        if shown.size:
            ax.plot(
                steps[shown[-1]],
                errors[shown[-1]],
                marker="o",
                markersize=4.5 if few or rep == best else 3,
                color=look["color"],
                markerfacecolor=look["color"] if done[rep] else "white",
                zorder=look["zorder"] + 0.5,
                label="_end",
            )
    _scales(ax, pairs)
    ax.set_xlabel("step")
    ax.set_ylabel("error")
    style.legend(
        ax,
        frameon=True,
        framealpha=0.85,
        edgecolor="none",
        fontsize=9,
        title="last error" if few else None,
        title_fontsize=9,
        alignment="left",
    )
    return ax


def _check_traces(traces: Sequence[tuple[Any, Any]]) -> list[tuple[np.ndarray, np.ndarray]]:
    pairs = []
    for i, pair in enumerate(check_items(traces, "traces", "a sequence of pairs (steps, errors)")):
        if not isinstance(pair, tuple | list) or len(pair) != 2:
            raise ArgumentError(f"traces[{i}] must be a pair (steps, errors)")
        steps = style.vector(f"traces[{i}][0]", pair[0], finite=True)
        pairs.append(
            (steps, style.vector(f"traces[{i}][1]", pair[1], size=steps.size, like=f"traces[{i}][0]"))
        )
    if not pairs:
        raise ArgumentError("traces is empty; it must hold a pair (steps, errors) per repetition")
    return pairs


def _last(errors: np.ndarray) -> float:
    finite = errors[np.isfinite(errors)]
    return float(finite[-1]) if finite.size else float("nan")


def _scales(ax: Axes, pairs: list[tuple[np.ndarray, np.ndarray]]) -> None:
    """Logarithmic scales; step 0 (the start weights, before any step) gets a linear stretch below 1."""
    from matplotlib.ticker import FuncFormatter, LogLocator, NullFormatter

    steps, errors = np.concatenate([p[0] for p in pairs]), np.concatenate([p[1] for p in pairs])
    if (steps > 0).all():
        ax.set_xscale("log")
    else:
        ax.set_xscale("symlog", linthresh=1.0)
    ax.xaxis.set_major_formatter(
        FuncFormatter(lambda v, _: f"{v:,.0f}" if abs(v - round(v)) < 1e-9 else f"{v:g}")
    )
    finite = errors[np.isfinite(errors)]
    if finite.size and (finite > 0).all():
        ax.set_yscale("log")
        decades = np.log10(finite.max() / finite.min())
        if decades < 3:  # a log axis would otherwise show one label or none
            ax.yaxis.set_major_locator(
                LogLocator(subs=(1, 2, 5) if decades > 0.6 else (1, 1.5, 2, 3, 4, 5, 6, 7, 8, 9))
            )
        ax.yaxis.set_major_formatter(FuncFormatter(lambda v, _: f"{v:g}"))
        ax.yaxis.set_minor_formatter(NullFormatter())
