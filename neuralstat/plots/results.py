"""The plot of a fit that suits its response and covariates."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np
import pandas as pd

from neuralstat.errors import ArgumentError
from neuralstat.plots.fit import plot_confusion, plot_observed_fitted
from neuralstat.plots.fit import plot_fit as plot_curves

if TYPE_CHECKING:
    from matplotlib.axes import Axes

    from neuralstat.results import NeuralNetResults


def plot_fit(
    results: NeuralNetResults,
    *,
    response: str | None = None,
    points: int = 500,
    interval: str | None = None,
    alpha: float = 0.05,
    band: tuple[Any, Any] | None = None,
    band_label: str = "interval",
    truth: Any = None,
    ax: Axes | None = None,
    **prediction: Any,
) -> Axes:
    """Draw data and fit.

    With one numeric covariate: the observations, the curve of every converged repetition (of all where none
    converged) and their mean, on a grid over the covariate's range. With several covariates, or where an
    offset shifts every observation: observed against fitted values. For a factor response: the confusion
    table, or with ``response=`` the probability of that class.

    Parameters
    ----------
    results : NeuralNetResults
    response : str, optional
        Name of an output; needed where a numeric response has several.
    points : int
        Values of the grid.
    interval : {"mean", "obs", "both"}, optional
        Bands of `get_prediction`: of the mean, of a new observation, or both.
    alpha : float
        1 - coverage of these bands.
    band : pair of array-like, each of shape (points,), optional
        Lower and upper limits on the grid, which is ``numpy.linspace(least, largest, points)``.
    band_label : str
        What the band is.
    truth : callable or array-like, shape (points,), optional
        The true mean as a function of the covariate.
    ax : matplotlib.axes.Axes, optional
        Where to draw; a new figure unless given.
    **prediction
        Arguments of `get_prediction` for these bands, as ``method="bootstrap"``.

    Returns
    -------
    matplotlib.axes.Axes

    Raises
    ------
    ArgumentError
        For an unknown `response`, where no repetition has finite weights, and for `band` and `truth` where
        there is no grid.
    """
    if isinstance(points, bool) or not isinstance(points, int | np.integer) or points < 2:
        raise ArgumentError(f"points must be a whole number >= 2, got {points!r}.")
    if interval not in (None, "mean", "obs", "both") or (interval is not None and band is not None):
        raise ArgumentError(f"interval must be 'mean', 'obs' or 'both', and without band; got {interval!r}.")
    if interval is None and prediction:
        raise ArgumentError(f"plot_fit has no argument {next(iter(prediction))!r}, unless interval= asks for bands.")
    numbers = _averaged(results)
    name = _one_numeric(results)
    classes = results.design.classes
    if name is None or (classes is not None and len(results.design.y_names) > 1 and response is None):
        if band is not None or truth is not None or interval is not None:
            raise ArgumentError(
                "interval, band and truth need a curve to go with: one numeric covariate, no offset, and for a factor "
                "response of several classes response=."
            )
        return _against_observed(results, numbers, response, ax)
    k = _output(results, response)
    values = results.design.frame[name].to_numpy(dtype=float)
    grid = np.linspace(values.min(), values.max(), int(points))
    table = pd.DataFrame({name: grid})
    curves = _curves(results, table, numbers, k)
    bands: dict[str, Any] = {"band": band, "band_label": band_label}
    if interval is not None:
        bands = _bands(results, table, k, interval, alpha, prediction)
    return plot_curves(
        values,
        _observed(results)[k],
        grid,
        curves,
        curves.mean(axis=0),
        **bands,
        truth=truth,
        x_name=name,
        y_name=_label(results, k),
        ax=ax,
    )


def _bands(
    results: NeuralNetResults, table: pd.DataFrame, k: int, interval: str, alpha: float, arguments: dict[str, Any]
) -> dict[str, Any]:
    """Bands of `get_prediction` as arguments of the drawing function."""
    found = results.get_prediction(table, **arguments)

    def limits(obs: bool) -> tuple[np.ndarray, np.ndarray]:
        frame = found.conf_int(alpha, obs=obs)
        part = frame if len(results.design.y_names) == 1 else frame[results.design.y_names[k]]
        if part.isna().all(axis=None):
            what = "new observations" if obs else "the mean"
            raise ArgumentError(f"interval={interval!r}: method={found.method!r} has no interval of {what} for this model.")
        return part["lower"].to_numpy(), part["upper"].to_numpy()

    level = f"{100 * (1 - alpha):g} % of"
    if interval == "both":
        return {"band": limits(False), "band_label": f"{level} the mean", "outer": limits(True),
                "outer_label": f"{level} new observations"}  # fmt: skip
    return {"band": limits(interval == "obs"),
            "band_label": f"{level} {'new observations' if interval == 'obs' else 'the mean'}"}  # fmt: skip


def _averaged(results: NeuralNetResults) -> list[int]:
    """Repetitions (from 0) in the mean: the converged; all with finite weights where none converged."""
    finite = np.isfinite(results.fit.theta).all(axis=1)
    done = results.fit.converged & finite
    numbers = np.flatnonzero(done if done.any() else finite).tolist()
    if not numbers:
        raise ArgumentError("no repetition has finite weights: all diverged, and there is no fit to draw.")
    return numbers


def _one_numeric(results: NeuralNetResults) -> str | None:
    """The raw covariate, where there is one, numeric, used as a number, and no offset."""
    spec = results.design.spec
    if len(spec.covariates) != 1 or spec.has_offset:
        return None
    name = spec.covariates[0]
    as_factor = any(kind == "categorical" for kind, _ in spec.matrix.levels.values())
    return name if spec.columns[name].kind == "numeric" and not as_factor else None


def _output(results: NeuralNetResults, response: str | None) -> int:
    """Position of an output by its name."""
    names = results.design.y_names
    if response is None and len(names) == 1:
        return 0
    if results.design.classes is not None and len(names) == 1 and response in results.design.classes[1:]:
        return 0
    if response not in names:
        raise ArgumentError(f"response must be one of {', '.join(map(repr, names))}; got {response!r}.")
    return names.index(response)


def _label(results: NeuralNetResults, k: int) -> str:
    """What the vertical axis shows."""
    design = results.design
    if design.classes is None:
        return design.y_names[k]
    level = design.classes[1] if len(design.y_names) == 1 else design.classes[k]
    return f"P({design.response} = {level})"


def _observed(results: NeuralNetResults) -> np.ndarray:
    """The response (K, n) in original units."""
    design = results.design
    return design.y if design.scaling is None else design.scaling.y_original(design.y)


def _curves(results: NeuralNetResults, new: pd.DataFrame, numbers: list[int], k: int) -> np.ndarray:
    """Predictions (repetitions, rows) of one output."""
    table = results.predict(new, rep="all").to_numpy()
    values = table.T.reshape(results.nrep, len(results.design.y_names), len(new))
    return values[numbers, k]


def _against_observed(
    results: NeuralNetResults, numbers: list[int], response: str | None, ax: Axes | None
) -> Axes:
    """Observed against fitted values, or the confusion table of a factor response."""
    design = results.design
    mean = np.mean([results.net_result[b].to_numpy().T for b in numbers], axis=0)
    if design.classes is None or response is not None:
        k = _output(results, response)
        return plot_observed_fitted(_observed(results)[k], mean[k], y_name=_label(results, k), ax=ax)
    y, size = design.y, len(design.classes)
    seen, said = (y[0] > 0.5, mean[0] > 0.5) if len(y) == 1 else (y.argmax(axis=0), mean.argmax(axis=0))
    table = np.zeros((size, size), int)
    np.add.at(table, (seen.astype(int), said.astype(int)), 1)
    return plot_confusion(table, [str(c) for c in design.classes], y_name=design.response, ax=ax)
