"""Whether a fitted distribution is right: the histogram of P(Y <= y) at the responses, and its distribution function."""

from __future__ import annotations

from typing import Any

import numpy as np

from ..assessment.brier import check_times
from ..assessment.survival import observed
from ..checks.arguments import NONE, RANDOM_STATE, REP_OR_MEAN, Anything, Numbers, Whole, arguments
from ..errors import ArgumentError
from ..fitted import Fitted, fitted_of
from ..inference.distribution import probability_transform
from . import style
from .survival import GROUPS, draw_calibration

LEVEL = 0.95  # of the limits drawn


MOST = 12  # times that survival is looked at


@arguments(
    fit=Anything("a fit"), bins=Whole(2, 200), rep=REP_OR_MEAN, random_state=RANDOM_STATE,
    axes=Anything("an array of two Axes", None), times=NONE | Numbers(None, least=1), groups=GROUPS,
)
def plot_calibration(
    fit: Any, *, bins: int = 10, rep: Any = "mean", random_state: Any = None, axes: Any = None, times: Any = None,
    groups: int = 5,
) -> np.ndarray:  # fmt: skip
    """Histogram of the probability integral transform, and observed against nominal frequencies of its quantiles.

    Where the fitted distribution is right, P(Y <= y) at the responses is uniform (of counts, after randomisation within their
    atoms): bars are level, and the curve is the diagonal. Limits hold 95 % of the bars, and of the curve's values at each
    level, of responses drawn from the fitted distribution, which do not know that it was fitted to these data.

    Of times to an event, with `times`: the probability to live longer, a panel for each time. Rows are put in groups by what
    is predicted; a point is the Kaplan-Meier curve of a group at that time, with its 95 % interval (log-log scale), against
    the mean prediction. Groups of which nobody was looked at so long have none.

    Parameters
    ----------
    fit : NeuralNetResults or Fitted
    bins : int
    rep : {"mean", "best"} or int
    random_state : int, SeedSequence, Generator, optional
        Of the randomisation; the fit's own stream unless given.
    axes : array of two Axes, optional
        With `times` as many as these.
    times : number or sequence of numbers, optional
        At most 12, in increasing order.
    groups : int
        Of rows, with `times`.

    Returns
    -------
    array of Axes, shape (1, 2) or (1, times) unless given

    Raises
    ------
    ArgumentError, DataError
        Where `times` are given and the response is no time to an event, or known to lie in an interval only.

    References
    ----------
    Dawid (1984), JRSS A 147:278. Czado, Gneiting & Held (2009), Biometrics 65:1254.

    Examples
    --------
    >>> import neuralstat as ns
    >>> fit = ns.neuralnet("accel ~ times", ns.datasets.mcycle(), hidden=0)
    >>> axes = ns.plots.plot_calibration(fit)
    """
    from scipy import stats

    fitted = fitted_of(fit)
    if times is not None:
        return _of_survival(fitted, times, groups, rep, axes)
    u = probability_transform(fitted, rep, random_state).dropna().to_numpy()
    axes = style.target_grid(axes, 1, 2, (9.0, 4.0))
    left, right = axes.ravel()
    n = u.size
    left.hist(np.clip(u, 0, 1), bins=bins, range=(0, 1), weights=np.full(n, bins / n), color=style.GREY, alpha=0.5)
    low, high = stats.binom.ppf([(1 - LEVEL) / 2, (1 + LEVEL) / 2], n, 1 / bins) * bins / n
    for level, line in ((1.0, "-"), (low, ":"), (high, ":")):
        left.axhline(level, color="black", linestyle=line, linewidth=1)
    left.set(title="Probability integral transform", xlabel="P(Y <= y)", ylabel="relative frequency")
    levels = np.linspace(0, 1, 101)
    right.plot(levels, np.searchsorted(np.sort(u), levels, side="right") / n, color="black")
    right.fill_between(levels, *(stats.binom.ppf(q, n, levels) / n for q in ((1 - LEVEL) / 2, (1 + LEVEL) / 2)),
                       color=style.GREY, alpha=0.3, linewidth=0)  # fmt: skip
    right.plot([0, 1], [0, 1], color=style.GREY, linestyle=":", linewidth=1)
    right.set(title="Quantile calibration", xlabel="level of the quantile", ylabel="share of responses below")
    return axes


def _of_survival(fitted: Fitted, times: Any, groups: int, rep: Any, axes: Any) -> np.ndarray:
    """A panel for each time."""
    at = check_times(times)
    assert at is not None
    if at.size > MOST:
        raise ArgumentError(f"times: at most {MOST} have a panel each, got {at.size}.")
    found = observed(fitted, None, rep)
    axes = style.target_grid(axes, 1, at.size, (max(4.0, 3.4 * at.size), 3.8))
    for time, ax in zip(at, axes.ravel(), strict=True):
        draw_calibration(found, float(time), groups, ax)
    return axes
