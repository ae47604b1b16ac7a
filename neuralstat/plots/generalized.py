"""Generalized weights against a covariate."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np

from neuralstat.checks.arguments import Anything, arguments
from neuralstat.plots import style

if TYPE_CHECKING:
    from matplotlib.axes import Axes


@arguments(
    covariate=Anything("numbers, one per row"), values=Anything("numbers, one per row"), name=Anything("a string", "x"),
    response=Anything("a string", "y"), ax=style.AX,
)
def gwplot(covariate: Any, values: Any, *, name: str, response: str, ax: Axes | None = None) -> Axes:
    """Plot the generalized weights of one covariate for one response, a point per observation.

    Equal weights for all observations mean a linear effect, weights near 0 none.

    Parameters
    ----------
    covariate, values : array-like, shape (n,)
        The covariate and its generalized weights. Pairs that are not finite are left out, and a note in the
        plot says how many.
    name, response : str
        Names of the covariate and the response.
    ax : matplotlib.axes.Axes, optional
        Where to draw; pyplot's current axes unless given, a new figure where these hold a picture.

    Returns
    -------
    matplotlib.axes.Axes

    Raises
    ------
    ArgumentError
        When lengths or types do not fit together.

    References
    ----------
    Intrator, O. and Intrator, N. (2001). Interpreting neural-network results: a simulation study.
    Computational Statistics & Data Analysis 37, 373-393.

    Examples
    --------
    >>> import neuralstat as ns
    >>> data = ns.datasets.infert()
    >>> settings = {"err_fct": "ce", "linear_output": False, "random_state": 1}
    >>> fit = ns.neuralnet("case ~ parity", data, hidden=1, **settings)
    >>> weights = fit.generalized_weights[0].iloc[:, 0]
    >>> ax = ns.plots.gwplot(data["parity"], weights, name="parity", response="case")
    """
    covariate = style.vector("covariate", covariate)
    values = style.vector("values", values, size=covariate.size, like="covariate")
    style.text("name", name)
    style.text("response", response)
    ax = style.target_axes(ax, (6.0, 4.2))
    style.tidy(ax)
    finite = np.isfinite(covariate) & np.isfinite(values)
    ax.axhline(0, color=style.INK, linewidth=0.9, linestyle=(0, (4, 2)), zorder=1.5)
    style.cloud(ax, covariate[finite], values[finite], style.BLUE, zorder=2, gid="generalized weights")
    ax.set_xlabel(name, parse_math=False)
    ax.set_ylabel("generalized weight")
    ax.set_title(f"Response: {response}", fontsize=11, color=style.INK, loc="left", parse_math=False)
    left_out = int(np.count_nonzero(~finite))
    if left_out:
        style.note(ax, f"{left_out} of {finite.size} not finite, left out")
    return ax
