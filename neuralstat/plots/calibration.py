"""Whether a fitted distribution is right: the histogram of P(Y <= y) at the responses, and its distribution function."""

from __future__ import annotations

from typing import Any

import numpy as np

from ..checks.arguments import RANDOM_STATE, REP_OR_MEAN, Anything, Whole, arguments
from ..fitted import fitted_of
from ..inference.distribution import probability_transform
from . import style

LEVEL = 0.95  # of the limits drawn


@arguments(
    fit=Anything("a fit"), bins=Whole(2, 200), rep=REP_OR_MEAN, random_state=RANDOM_STATE,
    axes=Anything("an array of two Axes", None),
)
def plot_calibration(
    fit: Any, *, bins: int = 10, rep: Any = "mean", random_state: Any = None, axes: Any = None
) -> np.ndarray:
    """Histogram of the probability integral transform, and observed against nominal frequencies of its quantiles.

    Where the fitted distribution is right, P(Y <= y) at the responses is uniform (of counts, after randomisation within their
    atoms): bars are level, and the curve is the diagonal. Limits hold 95 % of the bars, and of the curve's values at each
    level, of responses drawn from the fitted distribution, which do not know that it was fitted to these data.

    Parameters
    ----------
    fit : NeuralNetResults or Fitted
    bins : int
    rep : {"mean", "best"} or int
    random_state : int, SeedSequence, Generator, optional
        Of the randomisation; the fit's own stream unless given.
    axes : array of two Axes, optional

    Returns
    -------
    array of Axes, shape (2,) unless given

    References
    ----------
    Dawid (1984), JRSS A 147:278. Czado, Gneiting & Held (2009), Biometrics 65:1254.
    """
    from scipy import stats

    fitted = fitted_of(fit)
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
