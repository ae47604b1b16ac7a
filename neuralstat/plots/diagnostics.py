"""The four panels of R's ``plot.lm``, and the spectrum of a Hessian."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np
from scipy import stats

if TYPE_CHECKING:
    from matplotlib.axes import Axes

    from neuralstat.results import NeuralNetResults

LINE, POINTS, GREY = "#c0392b", "#2b5c8a", "#888888"
COOK = (0.5, 1.0)  # contours of Cook's distance, as in R


def plot_diagnostics(results: NeuralNetResults, rep: Any = "best", *, label: int = 3, axes: Any = None) -> np.ndarray:
    """Draw residuals against fitted values, normal quantiles, scale against location, and residuals against leverage.

    Parameters
    ----------
    results : NeuralNetResults
        Of one output.
    rep : int or "best"
    label : int
        The so many most extreme observations of each panel are named by their index.
    axes : array of four Axes, optional

    Returns
    -------
    array of Axes, shape (2, 2) unless given
    """
    import matplotlib.pyplot as plt

    influence = results.get_influence(rep)
    if axes is None:
        axes = plt.subplots(2, 2, figsize=(9, 8), layout="constrained")[1]
    first, second, third, fourth = np.ravel(axes)
    kept = results.design.kept
    names = results.design.full_index[kept]
    fitted = np.ravel(results._link(results._raw(results.design.x, results.design.offset, [results.which(rep)]))[0])
    raw = results.residuals("deviance", rep).to_numpy()[kept]
    standard = influence.resid_studentized.to_numpy()[kept]
    hat = influence.hat_matrix_diag.to_numpy()[kept]
    identity = results.network.objective.output.name == "identity"
    location = "Fitted values" if identity else "Linear predictor"
    _panel(first, fitted, raw, "Residuals vs Fitted", location, "Residuals", names, np.abs(raw), label)
    first.axhline(0, color=GREY, linestyle=":", linewidth=1)
    _quantiles(second, standard, names, label)
    second.set_xlabel("Theoretical quantiles")
    root = np.sqrt(np.abs(standard))
    _panel(third, fitted, root, "Scale-Location", location, r"$\sqrt{|Standardized\ residuals|}$", names, root, label)
    cook = influence.cooks_distance[0].to_numpy()[kept]
    _panel(fourth, hat, standard, "Residuals vs Leverage", "Leverage", "Standardized Pearson residuals", names, cook, label)
    _contours(fourth, influence.k_vars, hat)
    return axes


def _panel(ax: Axes, x: Any, y: Any, title: str, x_name: str, y_name: str, names: Any, size: Any, label: int) -> None:
    from statsmodels.nonparametric.smoothers_lowess import lowess

    good = np.isfinite(x) & np.isfinite(y)
    ax.plot(x[good], y[good], "o", markersize=3.5, markerfacecolor="none", color=POINTS, alpha=0.8)
    if np.unique(x[good]).size > 4:
        smooth = lowess(y[good], x[good], frac=2 / 3)
        ax.plot(smooth[:, 0], smooth[:, 1], color=LINE, linewidth=1.3)
    _name(ax, x, y, names, size, label)
    ax.set(title=title, xlabel=x_name, ylabel=y_name)
    ax.spines[["top", "right"]].set_visible(False)


def _name(ax: Axes, x: Any, y: Any, names: Any, size: Any, label: int) -> None:
    order = np.argsort(np.where(np.isfinite(size), size, -np.inf))[::-1][: max(label, 0)]
    for k in order:
        ax.annotate(str(names[k]), (x[k], y[k]), (3, 3), textcoords="offset points", fontsize=7, color="#444444")


def _quantiles(ax: Axes, standard: np.ndarray, names: Any, label: int) -> None:
    """Normal quantile plot with R's line through the quartiles."""
    good = np.isfinite(standard)
    values, which = standard[good], names[good]
    order = np.argsort(values)
    n = values.size
    a = 3 / 8 if n <= 10 else 0.5  # R's ppoints
    theory = np.empty(n)
    theory[order] = stats.norm.ppf((np.arange(1, n + 1) - a) / (n + 1 - 2 * a))
    ax.plot(theory, values, "o", markersize=3.5, markerfacecolor="none", color=POINTS, alpha=0.8)
    quartiles, z = np.quantile(values, [0.25, 0.75]), stats.norm.ppf([0.25, 0.75])
    slope = (quartiles[1] - quartiles[0]) / (z[1] - z[0])
    ax.axline((0, quartiles[0] - slope * z[0]), slope=slope, color=GREY, linestyle=":", linewidth=1)
    _name(ax, theory, values, which, np.abs(values), label)
    ax.set(title="Normal Q-Q", ylabel="Standardized residuals")
    ax.spines[["top", "right"]].set_visible(False)


def _contours(ax: Axes, k: float, hat: np.ndarray) -> None:
    """Lines of equal Cook's distance."""
    low, high = ax.get_ylim()
    right = min(float(np.nanmax(hat)) * 1.08, 0.999)
    h = np.linspace(max(float(np.nanmin(hat[hat > 0])) if np.any(hat > 0) else 1e-4, 1e-4), right, 200)
    for level in COOK:
        edge = np.sqrt(level * k * (1 - h) / h)
        for sign in (1, -1):
            ax.plot(h, sign * edge, color=GREY, linestyle="--", linewidth=0.8)
        if edge[-1] < high:
            ax.annotate(f"{level:g}", (h[-1], edge[-1]), (2, 0), textcoords="offset points", fontsize=7, color=GREY)
    ax.plot([], [], color=GREY, linestyle="--", linewidth=0.8, label="Cook's distance")
    ax.legend(loc="lower left", frameon=False, fontsize=8)
    ax.set_ylim(low, high)
    ax.axhline(0, color=GREY, linestyle=":", linewidth=1)


def plot_spectrum(spectrum: Any, *, ax: Axes | None = None) -> Axes:
    """Eigenvalues by rank, on a logarithmic scale of their absolute value.

    Parameters
    ----------
    spectrum : DataFrame
        From `NeuralNetResults.hessian_spectrum`.
    """
    import matplotlib.pyplot as plt

    if ax is None:
        ax = plt.subplots(figsize=(7, 4), layout="constrained")[1]
    values = spectrum["eigenvalue"].to_numpy()
    rank = np.arange(1, values.size + 1)
    colours = {"positive": POINTS, "flat": GREY, "negative": LINE}
    for kind, colour in colours.items():
        at = (spectrum["kind"] == kind).to_numpy() & (values != 0)
        if at.any():
            ax.plot(rank[at], np.abs(values[at]), "o", markersize=4, color=colour, label=f"{kind} ({int(at.sum())})")
    ax.set_yscale("log")
    ax.set(xlabel="Rank", ylabel="|eigenvalue|", title="Hessian spectrum")
    ax.legend(frameon=False)
    ax.spines[["top", "right"]].set_visible(False)
    return ax
