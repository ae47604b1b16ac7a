"""The four panels of R's ``plot.lm``, and the spectrum of a Hessian."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np
import pandas as pd

from neuralstat.checks import shown
from neuralstat.checks.arguments import REP, Anything, Whole, arguments
from neuralstat.errors import ArgumentError
from neuralstat.fitted import Fitted, fitted_of
from neuralstat.inference.distribution import quantile_residuals
from neuralstat.inference.influence import Influence
from neuralstat.inference.predict import predict
from neuralstat.likelihood.residuals import residuals
from neuralstat.plots import style

if TYPE_CHECKING:
    from matplotlib.axes import Axes

COOK = (0.5, 1.0)  # contours of Cook's distance, as in R
MIDDLE = 0.8221789586624  # mean of the root of |z|, z standard normal
EDGE = 1 - 1e-8  # leverages from here on have no studentized residual


@arguments(fit=Anything("a fit"), rep=REP, label=Whole(0), axes=Anything("four matplotlib Axes", None))
def plot_diagnostics(fit: Any, rep: Any = "best", *, label: int = 3, axes: Any = None) -> np.ndarray:
    """Draw residuals against fitted values, normal quantiles, scale against location, and residuals against leverage.

    As R's ``plot`` of an lm or glm: the first panel shows deviance residuals against the linear predictor, the next two
    deviance residuals divided by ``sqrt(scale (1 - leverage))``, the last one Pearson residuals so divided, with contours of
    Cook's distance. Curves are lowess smooths (spans of 2 / 3), fitted at points a hundredth of the range apart and
    interpolated between, as in R. Leverages are those of `get_influence`.

    Of distributions with several parameters the residuals are randomised quantile residuals (Dunn & Smyth 1996, Journal of
    Computational and Graphical Statistics 5:236), which are standard normal where the distribution is right, whatever it is:
    against fitted values (the linear predictor of ordered classes), by normal quantiles with the line of equality, by size;
    and the histogram of P(Y <= y) in the place of leverages, whose bars are between the dotted lines in 19 of 20 cases.

    Parameters
    ----------
    fit : NeuralNetResults or Fitted
        Of one output, or of a distribution with several parameters.
    rep : int or "best"
    label : int
        The so many most extreme observations of each panel are named by their index.
    axes : array of four Axes, optional
        Where to draw; pyplot's current figure unless given, a new one where that has axes.

    Returns
    -------
    array of Axes, shape (2, 2) unless given

    Raises
    ------
    ArgumentError
        For several outputs, for losses that are no distribution, and where `axes` are not four.

    Examples
    --------
    >>> import neuralstat as ns
    >>> fit = ns.neuralnet("accel ~ times", ns.datasets.mcycle(), hidden=0)
    >>> axes = ns.plots.plot_diagnostics(fit, label=3)  # names the three largest residuals
    >>> axes.size
    4
    """
    fitted = fitted_of(fit)
    if fitted.network.objective.several:
        return _of_distribution(fitted, rep, label, axes)
    influence = Influence(fitted, rep)
    axes = style.target_grid(axes, 2, 2, (9.0, 8.0))
    first, second, third, fourth = axes.ravel()
    kept = fitted.design.kept
    names = fitted.design.full_index[kept]
    location = np.asarray(predict(fitted, None, rep, "link"))[kept]
    raw = residuals(fitted, "deviance", rep)[0][kept]
    pearson = influence.resid_studentized.to_numpy()[kept]
    hat = influence.hat_matrix_diag.to_numpy()[kept]
    with np.errstate(divide="ignore", invalid="ignore"):
        standard = np.where(hat < EDGE, raw / np.sqrt(influence.scale * (1 - hat)), np.nan)
    x_name = "fitted values" if fitted.network.objective.output.name == "identity" else "linear predictor"
    _panel(first, location, raw, names, np.abs(raw), label)
    first.set(title="Residuals vs Fitted", xlabel=x_name, ylabel="residuals")
    first.axhline(0, color=style.GREY, linestyle=":", linewidth=1)
    _quantiles(second, standard, names, label)
    root = np.sqrt(np.abs(standard))
    _panel(third, location, root, names, root, label)
    third.set(title="Scale-Location", xlabel=x_name, ylabel="root of |standardized residuals|")
    _panel(fourth, hat, pearson, names, influence.cooks_distance[0].to_numpy()[kept], label)
    fourth.set(title="Residuals vs Leverage", xlabel="leverage", ylabel="standardized Pearson residuals")
    _contours(fourth, influence.k_vars, hat)
    return axes


BARS, LEVEL = 10, 0.95  # of the histogram, and of the limits of its bars


def _of_distribution(fitted: Fitted, rep: Any, label: int, axes: Any) -> np.ndarray:
    """`plot_diagnostics` by randomised quantile residuals."""
    from scipy import special, stats

    r = quantile_residuals(fitted, rep).to_numpy()
    kept = fitted.design.kept
    names, r = fitted.design.full_index[kept], r[kept]
    ordered = fitted.design.classes is not None
    location = np.asarray(predict(fitted, None, rep, "link" if ordered else "response"))[kept]
    axes = style.target_grid(axes, 2, 2, (9.0, 8.0))
    first, second, third, fourth = axes.ravel()
    x_name = "linear predictor" if ordered else "fitted values"
    _panel(first, location, r, names, np.abs(r), label)
    first.set(title="Residuals vs Fitted", xlabel=x_name, ylabel="quantile residuals")
    first.axhline(0, color=style.GREY, linestyle=":", linewidth=1)
    _quantiles(second, r, names, label, "quantile residuals", line=(0.0, 1.0))
    root = np.sqrt(np.abs(r))
    _panel(third, location, root, names, root, label)
    third.set(title="Scale-Location", xlabel=x_name, ylabel="root of |quantile residuals|")
    third.axhline(MIDDLE, color=style.GREY, linestyle=":", linewidth=1)
    style.tidy(fourth)
    u = special.ndtr(r[np.isfinite(r)])
    fourth.hist(u, bins=BARS, range=(0, 1), weights=np.full(u.size, BARS / max(u.size, 1)), color=style.BLUE, alpha=0.5)
    ends = stats.binom.ppf([(1 - LEVEL) / 2, (1 + LEVEL) / 2], u.size, 1 / BARS) * BARS / max(u.size, 1)
    for level in ends:
        fourth.axhline(level, color=style.GREY, linestyle=":", linewidth=1)
    fourth.axhline(1, color=style.GREY, linewidth=1)
    fourth.set(title="Probability integral transform", xlabel="P(Y <= y)", ylabel="relative frequency")
    return axes


def _panel(ax: Axes, x: np.ndarray, y: np.ndarray, names: Any, size: np.ndarray, label: int) -> None:
    from statsmodels.nonparametric.smoothers_lowess import lowess

    style.tidy(ax)
    good = np.isfinite(x) & np.isfinite(y)
    style.cloud(ax, x[good], y[good], style.BLUE)
    if np.unique(x[good]).size > 4:
        with np.errstate(all="ignore"):
            smooth = lowess(y[good], x[good], frac=2 / 3, delta=0.01 * np.ptp(x[good]))
        ax.plot(smooth[:, 0], smooth[:, 1], color=style.ORANGE, linewidth=1.4, gid="smooth")
    _name(ax, x, y, names, size, label)


def _name(ax: Axes, x: np.ndarray, y: np.ndarray, names: Any, size: np.ndarray, label: int) -> None:
    """Write the index of the observations of largest `size` beside them, on the side where there is room."""
    shown = np.isfinite(size) & np.isfinite(x) & np.isfinite(y)
    if not shown.any():
        return
    middle = (np.min(x[shown]) + np.max(x[shown])) / 2
    for k in np.argsort(np.where(shown, size, -np.inf))[::-1][: max(label, 0)]:
        if shown[k]:
            left = x[k] > middle
            ax.annotate(
                str(names[k]), (x[k], y[k]), (-4 if left else 4, 2), textcoords="offset points", fontsize=8,
                color=style.INK, ha="right" if left else "left", path_effects=style.halo(), parse_math=False,
            )  # fmt: skip


def _quantiles(
    ax: Axes, standard: np.ndarray, names: Any, label: int, y_name: str = "standardized residuals",
    line: tuple[float, float] | None = None,
) -> None:  # fmt: skip
    """Normal quantile plot, with R's line through the quartiles or a line of intercept and slope."""
    from scipy.special import ndtri

    style.tidy(ax)
    good = np.isfinite(standard)
    values, which = standard[good], names[good]
    n = values.size
    ax.set(title="Normal Q-Q", xlabel="theoretical quantiles", ylabel=y_name)
    if n < 2:
        style.note(ax, "no degrees of freedom for the residuals")
        return
    a = 3 / 8 if n <= 10 else 0.5  # R's ppoints
    theory = np.empty(n)
    theory[np.argsort(values, kind="stable")] = ndtri((np.arange(1, n + 1) - a) / (n + 1 - 2 * a))
    style.cloud(ax, theory, values, style.BLUE)
    quartiles, z = np.quantile(values, [0.25, 0.75]), ndtri([0.25, 0.75])
    slope = (quartiles[1] - quartiles[0]) / (z[1] - z[0])
    start, slope = (quartiles[0] - slope * z[0], slope) if line is None else line
    ax.axline((0, start), slope=slope, color=style.GREY, linestyle=":", linewidth=1)
    _name(ax, theory, values, which, np.abs(values), label)


def _contours(ax: Axes, k: float, hat: np.ndarray) -> None:
    """Lines of equal Cook's distance, within the range of the residuals."""
    low, high = ax.get_ylim()
    top = float(np.max(hat[hat < EDGE], initial=0.0))
    if not top > 0:
        return
    h = np.linspace(1e-4, min(1.08 * top, EDGE), 400)
    seen = False
    for level in COOK:
        edge = np.sqrt(level * k * (1 - h) / h)
        for side in (edge, -edge):
            inside = (side > low) & (side < high)
            seen |= bool(inside.any())
            ax.plot(h[inside], side[inside], color=style.GREY, linestyle="--", linewidth=0.9)
            if inside.any():
                at = (h[inside][-1], side[inside][-1])
                ax.annotate(f"{level:g}", at, (3, 0), textcoords="offset points", fontsize=8, color=style.GREY, va="center")
    ax.set_ylim(low, high)
    ax.axhline(0, color=style.GREY, linestyle=":", linewidth=1)
    if seen:
        style.note(ax, "dashed: Cook's distance")


@arguments(spectrum=Anything("a DataFrame, as hessian_spectrum"), ax=style.AX)
def plot_spectrum(spectrum: Any, *, ax: Axes | None = None) -> Axes:
    """Eigenvalues by rank, on a logarithmic scale of their absolute value.

    Parameters
    ----------
    spectrum : DataFrame
        From `NeuralNetResults.hessian_spectrum`. Eigenvalues that are exactly 0 are drawn at the least other one.
    ax : matplotlib.axes.Axes, optional
        Where to draw; pyplot's current axes unless given, a new figure where these hold a picture.

    Returns
    -------
    matplotlib.axes.Axes

    Examples
    --------
    >>> import neuralstat as ns
    >>> data = ns.datasets.doppler(n=100, noise=0.1, random_state=1)
    >>> fit = ns.neuralnet("y ~ x", data, hidden=2, rep=2, random_state=1)
    >>> ax = ns.plots.plot_spectrum(fit.hessian_spectrum())
    """
    if not isinstance(spectrum, pd.DataFrame) or not {"eigenvalue", "kind"} <= set(spectrum.columns):
        raise ArgumentError(f"spectrum must be a DataFrame, as `hessian_spectrum` gives it; got {shown(spectrum)}.")
    size = np.abs(style.vector("spectrum['eigenvalue']", spectrum["eigenvalue"].to_numpy()))
    ax = style.target_axes(ax, (7.2, 4.2))
    style.tidy(ax)
    size = np.where(size > 0, size, np.min(size[size > 0], initial=1.0))
    rank = np.arange(1, size.size + 1)
    for kind, colour, marker in (("positive", style.BLUE, "o"), ("flat", style.GREY, "s"), ("negative", style.ORANGE, "v")):
        at = (spectrum["kind"] == kind).to_numpy()
        if at.any():
            ax.plot(rank[at], size[at], marker, markersize=4.5, color=colour, label=f"{kind} ({int(at.sum())})")
    ax.set_yscale("log")
    ax.set(xlabel="rank", ylabel="|eigenvalue|", title="Hessian spectrum")
    style.legend(ax, frameon=False)
    return ax
