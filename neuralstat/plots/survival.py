"""Survival curves: steps of Kaplan and Meier's, lines of a fit's, and whether one goes with the other."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

import numpy as np

from ..assessment.brier import check_times
from ..assessment.survival import Observed, observed
from ..checks.arguments import FLAG, NONE, REP_OR_MEAN, Anything, Numbers, Whole, arguments
from ..errors import ArgumentError
from ..families import Cox
from ..fitted import Fitted, fitted_of
from ..inference.predict import inputs
from ..likelihood import lifetimes
from ..likelihood.lifetimes import Curve
from ..likelihood.mixture import survival_at
from . import style

if TYPE_CHECKING:
    from matplotlib.axes import Axes

MOST_BANDS = 4  # curves that have bands unless told otherwise
MOST_NAMES = 8  # rows that are named
POINTS = 200  # of a predicted curve
LEVEL = 0.95  # of intervals beside predictions
GROUPS = Whole(1, 20)


def plot_curves(
    curves: Mapping[str, Curve], limits: Mapping[str, tuple[np.ndarray, ...]], *, bands: bool | None = None,
    censored: bool = True, level: float = 0.95, ax: Axes | None = None,
) -> Axes:  # fmt: skip
    """Step functions with bands, and ticks at censored times.

    Parameters
    ----------
    curves, limits : mapping
        By name.
    bands : bool, optional
        Default: of up to four curves.
    censored : bool
        Whether censored times are marked.
    level : float
        Of the bands, for the title.
    """
    ax = style.target_axes(ax, (7.0, 4.5))
    bands = len(curves) <= MOST_BANDS if bands is None else bands
    for (name, curve), color in zip(curves.items(), style.series(len(curves)), strict=True):
        _steps(ax, curve, limits[name] if bands else None, color, name, censored)
    ax.set(xlabel="time", ylabel="probability of survival", ylim=(-0.02, 1.02),
           title=f"Kaplan-Meier{f', {100 * level:g} % intervals' if bands else ''}")  # fmt: skip
    if len(curves) > 1:
        style.legend(ax, fontsize="small" if len(curves) > MOST_BANDS else None)
    style.tidy(ax)
    return ax


def _steps(ax: Axes, curve: Curve, limits: Any, color: Any, name: str | None, censored: bool) -> None:
    first = min(0.0, float(curve.time[0]))
    time = np.concatenate([[first], curve.time])
    ax.step(time, np.concatenate([[1.0], curve.survival]), where="post", color=color, label=style.entry(name))
    if limits is not None:
        low, high = (np.concatenate([[1.0], v]) for v in limits)
        ax.fill_between(time, low, high, step="post", color=color, alpha=0.15, linewidth=0)
    if censored:
        at = curve.n_censor > 0
        ax.plot(curve.time[at], curve.survival[at], "|", color=color, markersize=6, markeredgewidth=0.8)


@arguments(
    fit=Anything("a fit"), new=Anything("a table, as in predict", None), times=NONE | Numbers(None, least=1), rep=REP_OR_MEAN,
    groups=GROUPS, bands=FLAG, offset=Anything("an array, one value per new row", None), ax=style.AX,
)  # fmt: skip
def plot_survival(
    fit: Any, new: Any = None, times: Any = None, *, rep: Any = "mean", groups: int = 4, bands: bool = True,
    offset: Any = None, ax: Axes | None = None,
) -> Axes:  # fmt: skip
    """Predicted survival curves of rows, or of groups of the data's rows beside their Kaplan-Meier curves.

    Without `new` the rows of the fit are put in groups of equal size by their predicted mean time (restricted to the last
    event). A wide line is the mean of a group's predicted curves, narrow steps of the same colour are its Kaplan-Meier curve
    with 95 % intervals (on the log-log scale): where the fit is right they go together. It was fitted to these rows. Curves
    of Cox's model are steps, at the times of its events, too.

    Parameters
    ----------
    fit : NeuralNetResults or Fitted
        With times to an event as response.
    new : table, optional
        Rows whose curves are drawn, named by their index (up to eight of them).
    times : sequence of numbers, optional
        In increasing order; 200 up to the last time of the data unless given. (Of Cox's model the events before the last of
        them are added.)
    rep : {"mean", "best"} or int
    groups : int
        At most 20; equal predictions stay together.
    bands : bool
        Whether Kaplan-Meier curves have their intervals.
    offset : array, optional
        As in `predict`, of new rows.
    ax : Axes, optional

    Returns
    -------
    Axes

    Raises
    ------
    ArgumentError, DataError
        Where the response is no time to an event, or, without `new`, known to lie in an interval only.

    Examples
    --------
    >>> import neuralstat as ns
    >>> data = ns.datasets.lung()
    >>> fit = ns.neuralnet("Surv(time, status == 2) ~ age + sex", data, hidden=0, family="weibull")
    >>> ax = ns.plots.plot_survival(fit, data.head(2))
    """
    style.check_axes(ax)
    fitted = fitted_of(fit)
    if not lifetimes.is_survival(fitted.family):
        lifetimes.of_fit(fitted)  # which says so
    at = check_times(times)
    at = np.linspace(0.0, float(np.max(fitted.responses[:2])), POINTS + 1) if at is None else np.concatenate([[0.0], at])
    drawn_as = "default"
    if isinstance(fitted.family, Cox):
        own = lifetimes.of_fit(fitted)
        events = own.stop[own.event & (own.weight > 0)]
        at, drawn_as = np.union1d(at, events[events <= at[-1]]), "steps-post"
    if new is not None:
        return _of_rows(fitted, new, at, rep, offset, drawn_as, ax)
    if offset is not None:
        raise ArgumentError("offset belongs to new rows: give new, too.")
    found = observed(fitted, None, rep)
    codes = grouped(found.restricted_mean(found.rows.last), found.rows.weight, groups)
    alive = found.survival(at)
    ax = style.target_axes(ax, (7.0, 4.5))
    count = int(codes.max()) + 1
    for k, color in enumerate(style.series(count)):
        rows = found.rows.at(codes == k)
        curve = lifetimes.product_limit(rows)
        limits = lifetimes.bounds(curve, 1 - LEVEL, "log-log") if bands else None
        _steps(ax, curve, limits, color, None, censored=False)
        mean = alive[:, codes == k] @ rows.weight / rows.weight.sum()
        ax.plot(at, mean, color=color, linewidth=2.2, alpha=0.9, label=_name(k, count, rows.stop.size), drawstyle=drawn_as)
    ax.set(xlabel="time", ylabel="probability of survival", ylim=(-0.02, 1.02), xlim=(0, at[-1]),
           title="Predicted survival (wide) and Kaplan-Meier (narrow)")  # fmt: skip
    if count > 1:
        style.legend(ax, title="by predicted time")
    style.tidy(ax)
    return ax


def _name(k: int, count: int, n: int) -> str:
    end = " (shortest)" if k == 0 else " (longest)" if k == count - 1 else ""
    return f"group {k + 1} of {count}{end}, n = {n}" if count > 1 else f"n = {n}"


def grouped(score: np.ndarray, weight: np.ndarray, groups: int) -> np.ndarray:
    """(n,) group of each row, from 0: of equal weight by the order of the scores, as far as equal ones allow."""
    place = np.unique(score, return_inverse=True)[1]
    each = np.bincount(place, weight)
    share = (np.cumsum(each) - each / 2) / each.sum()
    return np.unique(np.minimum((share * groups).astype(np.int64), groups - 1)[place], return_inverse=True)[1]


def _of_rows(fitted: Fitted, new: Any, at: np.ndarray, rep: Any, offset: Any, drawn_as: str, ax: Axes | None) -> Axes:
    """Curves of new rows."""
    x, known, index, complete = inputs(fitted, new, offset)
    if not complete.any():
        raise ArgumentError("new has no row without missing values.")
    known = None if known is None else known[:, complete]
    alive = survival_at(fitted, x[:, complete], known, fitted.numbers(rep), at)
    ax = style.target_axes(ax, (7.0, 4.5))
    names, few = index[complete], int(complete.sum()) <= MOST_NAMES
    colors = style.series(len(names)) if few else [style.BLUE] * len(names)
    for name, values, color in zip(names, alive.T, colors, strict=True):
        ax.plot(at, values, color=color, label=style.entry(name) if few else None, alpha=1.0 if few else 0.3,
                linewidth=1.6 if few else 0.8, drawstyle=drawn_as)  # fmt: skip
    ax.set(xlabel="time", ylabel="probability of survival", ylim=(-0.02, 1.02), xlim=(0, at[-1]),
           title="Predicted survival")  # fmt: skip
    if few:
        style.legend(ax, title="row")
    style.tidy(ax)
    return ax


def draw_calibration(found: Observed, time: float, groups: int, ax: Axes) -> None:
    """Kaplan-Meier against mean predicted probability of survival beyond a time, in groups of the latter."""
    alive = found.survival(np.array([time]))[0]
    codes = grouped(alive, found.rows.weight, groups)
    ax.plot([0, 1], [0, 1], color=style.GREY, linestyle=":", linewidth=1)
    for k in range(int(codes.max()) + 1):
        rows = found.rows.at(codes == k)
        curve = lifetimes.product_limit(rows)
        limits = lifetimes.bounds(curve, 1 - LEVEL, "log-log")
        values = [lifetimes.stepped(curve.time, v, time) for v in (curve.survival, *limits)]
        if time > curve.time[-1] and values[0] > 0:
            continue  # nobody of the group was looked at so long
        middle, low, high = (float(v) for v in values)
        mean = float(alive[codes == k] @ rows.weight / rows.weight.sum())
        if np.isfinite(low):
            ax.plot([mean, mean], [low, high], color=style.GREY, linewidth=1.2)
        ax.plot(mean, middle, "o", color="black", markersize=5)
    ax.set(title=f"Survival beyond {time:g}", xlabel="predicted", ylabel="Kaplan-Meier", xlim=(-0.02, 1.02),
           ylim=(-0.02, 1.02), aspect="equal")  # fmt: skip
    style.tidy(ax)
