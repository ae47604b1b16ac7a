"""Plots of a fit: its data and curves, its network, its generalized weights."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np
import pandas as pd

from neuralstat.checks import position, shown
from neuralstat.checks.arguments import NONE, REP, SHARE, Anything, Choice, Whole, arguments
from neuralstat.effects.functional import output_position
from neuralstat.effects.slopes import generalized_weights
from neuralstat.errors import ArgumentError
from neuralstat.families import Cox, Distribution, Expectile, Quantile
from neuralstat.fitted import Fitted, fitted_of
from neuralstat.inference import predictions as distributions
from neuralstat.inference.get_prediction import get_prediction
from neuralstat.inference.predict import layer_values, predict
from neuralstat.inference.repetitions import weights
from neuralstat.insight.layers import layer_table
from neuralstat.plots import style
from neuralstat.plots.architecture import plot_layers
from neuralstat.plots.diagram import plot_network
from neuralstat.plots.fit import plot_confusion, plot_observed_fitted
from neuralstat.plots.fit import plot_fit as plot_curves
from neuralstat.plots.generalized import gwplot as plot_generalized
from neuralstat.plots.naming import mean_name
from neuralstat.plots.structured import plot_structured
from neuralstat.training.fit import STATUS
from neuralstat.training.structured import has_towers

if TYPE_CHECKING:
    from matplotlib.axes import Axes

WIDTHS = ("standardized", "weights")


@arguments(
    fit=Anything("a fit"), response=Anything("the name of an output", None), points=Whole(2, 1_000_000),
    interval=NONE | Choice("mean", "obs", "both", "distribution", "none"), alpha=SHARE,
    band=Anything("a pair (lower, upper) of vectors", None),
    band_label=Anything("a string", "interval"), truth=Anything("a function or a vector", None), ax=style.AX,
)
def plot_fit(
    fit: Any,
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
    fit : NeuralNetResults or Fitted
    response : str, optional
        Name of an output; needed where a numeric response has several.
    points : int
        Values of the grid.
    interval : {"mean", "obs", "both", "distribution", "none"}, optional
        Bands of `get_prediction`: of the mean, of a new observation, or both; or quantiles of the fitted distribution, its
        parameters taken as known. Default "distribution" for distributions with several parameters whose quantiles are known,
        else "none".
    alpha : float
        1 - coverage of these bands. Of quantile regression, the outermost levels that were fitted where these are nearer.
    band : pair of array-like, each of shape (points,), optional
        Lower and upper limits on the grid, which is ``numpy.linspace(least, largest, points)``.
    band_label : str
        What the band is.
    truth : callable or array-like, shape (points,), optional
        The true mean as a function of the covariate.
    ax : matplotlib.axes.Axes, optional
        Where to draw; pyplot's current axes unless given, a new figure where these hold a picture.
    **prediction
        Arguments of `get_prediction` for these bands, as ``method="bootstrap"``; with ``interval="distribution"`` `combine`
        of `predict` alone.

    Returns
    -------
    matplotlib.axes.Axes

    Raises
    ------
    ArgumentError
        For an unknown `response`, where no repetition has finite weights, for `band` and `truth` where
        there is no grid, and for Cox's model, which predicts no times.
    """
    style.text("band_label", band_label)
    if interval not in (None, "none") and band is not None:
        raise ArgumentError(f"interval and band are both bands: give one of them; got interval={interval!r}.")
    if interval in (None, "none") and prediction:
        raise ArgumentError(f"plot_fit has no argument {next(iter(prediction))!r}, unless interval= asks for bands.")
    fitted = fitted_of(fit)
    style.check_axes(ax)
    if isinstance(fitted.family, Cox):
        raise ArgumentError(
            "plot_fit: what Cox's model predicts are relative hazards, which cannot be set beside times: plot_survival() "
            "shows curves, plot_effects(...) what hazards depend on."
        )
    numbers = _averaged(fitted)
    name = _one_numeric(fitted)
    classes = fitted.design.classes
    if name is None or (classes is not None and len(fitted.mean_names) > 1 and response is None):
        if band is not None or truth is not None or interval not in (None, "none"):
            raise ArgumentError(
                "interval, band and truth need a curve to go with: one numeric covariate, no offset, and for a factor "
                "response of several classes response=."
            )
        return _against_observed(fitted, numbers, response, ax)
    k = _output(fitted, response)
    values = fitted.design.frame[name].to_numpy(dtype=float)
    grid = np.linspace(values.min(), values.max(), points)
    table = pd.DataFrame({name: grid})
    curves = _curves(fitted, table, numbers, k)
    mean = curves.mean(axis=0)
    bands: dict[str, Any] = {"band": band, "band_label": band_label}
    if interval == "distribution" or (interval is None and band is None and _of_distribution(fitted)):
        bands, mean = _quantiles(fitted, table, alpha, mean, prediction)
    elif interval not in (None, "none"):
        bands = _bands(fitted, table, k, str(interval), alpha, prediction)
        if prediction.get("combine") == "mean":
            mean = _column(predict(fitted, table, combine="mean"), k)
    return plot_curves(
        values,
        fitted.observed[k],
        grid,
        curves,
        mean,
        **bands,
        truth=truth,
        x_name=name,
        y_name=mean_name(fitted, k),
        ax=ax,
    )


def _of_distribution(fitted: Fitted) -> bool:
    """Whether a distribution with several parameters was fitted whose quantiles are known, of a response of numbers."""
    family = fitted.family
    if not fitted.network.objective.several or fitted.design.classes is not None or isinstance(family, Expectile):
        return False
    return not isinstance(family, Distribution) or bool(family.functions and family.functions.get("ppf"))


def _quantiles(
    fitted: Fitted, table: pd.DataFrame, alpha: float, mean: np.ndarray, arguments: dict[str, Any]
) -> tuple[dict[str, Any], np.ndarray]:
    """Quantiles of the fitted distribution as arguments of the drawing function, and the mean that goes with them."""
    if wrong := [name for name in arguments if name != "combine"]:
        raise ArgumentError(f"interval='distribution' takes combine=, and no argument {wrong[0]!r}.")
    if fitted.design.classes is not None:
        raise ArgumentError("interval='distribution' is of numbers: quantiles of classes are classes.")
    low, high = alpha / 2, 1 - alpha / 2
    if isinstance(fitted.family, Quantile):
        low, high = max(low, fitted.family.q[0]), min(high, fitted.family.q[-1])
    if not low < high:
        raise ArgumentError("interval='distribution' needs two quantiles, and one was fitted: take interval='none'.")
    found = distributions.predict(fitted, table, type="quantile", q=[low, high], **arguments)
    if arguments.get("combine") == "mean":
        mean = _column(predict(fitted, table, combine="mean"), 0)
    label = f"{100 * low:g} % to {100 * high:g} % quantiles"
    return {"band": (found.iloc[:, 0].to_numpy(), found.iloc[:, 1].to_numpy()), "band_label": label}, mean


def _column(values: Any, k: int) -> np.ndarray:
    """An output of predictions."""
    return np.asarray(values).reshape(len(values), -1)[:, k]


def _bands(
    fitted: Fitted, table: pd.DataFrame, k: int, interval: str, alpha: float, arguments: dict[str, Any]
) -> dict[str, Any]:
    """Bands of `get_prediction` as arguments of the drawing function."""
    found = get_prediction(fitted, table, **arguments)

    def limits(obs: bool) -> tuple[np.ndarray, np.ndarray]:
        frame = found.conf_int(alpha, obs=obs)
        part = frame if len(fitted.mean_names) == 1 else frame[fitted.mean_names[k]]
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


def _averaged(fitted: Fitted) -> list[int]:
    """Repetitions (from 0) in the mean: the converged; all with finite weights where none converged."""
    finite = np.isfinite(fitted.fit.theta).all(axis=1)
    done = fitted.fit.finished & finite
    numbers = np.flatnonzero(done if done.any() else finite).tolist()
    if not numbers:
        raise ArgumentError("no repetition has finite weights: all diverged, and there is no fit to draw.")
    return numbers


def _one_numeric(fitted: Fitted) -> str | None:
    """The raw covariate, where there is one, numeric, used as a number, and no offset."""
    spec = fitted.design.spec
    if len(spec.covariates) != 1 or spec.has_offset:
        return None
    name = spec.covariates[0]
    as_factor = any(kind == "categorical" for kind, _ in spec.matrix.levels.values())
    return name if spec.columns[name].kind == "numeric" and not as_factor else None


def _output(fitted: Fitted, response: str | None) -> int:
    """Position of an output by its name."""
    names = fitted.mean_names
    if response is None and len(names) == 1:
        return 0
    return output_position(fitted, response)


def _curves(fitted: Fitted, new: pd.DataFrame, numbers: list[int], k: int) -> np.ndarray:
    """Predictions (repetitions, rows) of one output."""
    table = predict(fitted, new, "all").to_numpy()
    values = table.T.reshape(fitted.nrep, len(fitted.mean_names), len(new))
    return values[numbers, k]


def _against_observed(
    fitted: Fitted, numbers: list[int], response: str | None, ax: Axes | None
) -> Axes:
    """Observed against fitted values, or the confusion table of a factor response."""
    design = fitted.design
    mean = fitted.mean_of(numbers)
    if design.classes is None or response is not None:
        k = _output(fitted, response)
        return plot_observed_fitted(fitted.observed[k], mean[k], y_name=mean_name(fitted, k), ax=ax)
    y, size = design.y, len(design.classes)
    seen, said = (y[0] > 0.5, mean[0] > 0.5) if len(y) == 1 else (y.argmax(axis=0), mean.argmax(axis=0))
    table = np.zeros((size, size), int)
    np.add.at(table, (seen.astype(int), said.astype(int)), 1)
    return plot_confusion(table, [str(c) for c in design.classes], y_name=design.response, ax=ax)


@arguments(fit=Anything("a fit"), rep=REP, widths=Choice(*WIDTHS), ax=style.AX)
def plot(
    fit: Any, rep: Any = "best", *, widths: str = "standardized", ax: Axes | None = None, **options: Any
) -> Axes:
    """The network as a diagram: unit by unit for dense layers, block by block for others; structured formulas term by term.

    Parameters
    ----------
    fit : NeuralNetResults or Fitted
    rep : int or "best"
    widths : {"standardized", "weights"}
        What the widths of edges show: the weights of the network with standardized inputs, hidden units and (linear)
        outputs, which can be compared whatever the units of measurement, or the weights as they are.
    ax : matplotlib.axes.Axes, optional
        Where to draw; pyplot's current axes unless given, a new figure where these hold a picture.
    **options
        Of `plot_network` for dense layers, of `plot_layers` for others, of `plot_structured` for structured formulas.

    Returns
    -------
    matplotlib.axes.Axes

    Raises
    ------
    ArgumentError
        For unknown `widths`, and where the repetition diverged.
    """
    fitted = fitted_of(fit)
    network = fitted.network
    if not has_towers(fitted.design) and not network.plain:
        return plot_layers(layer_table(fitted), network.input_shape, ax=ax, **options)
    b = fitted.which(rep)
    if not np.isfinite(fitted.theta[b]).all():
        raise ArgumentError(
            f"repetition {b + 1} diverged ({STATUS[int(fitted.fit.status[b])]}): its weights are not finite and "
            "cannot be drawn."
        )
    if has_towers(fitted.design):
        return plot_structured(fitted, rep, standardized=widths == "standardized", ax=ax, **options)
    fixed = [held.astype(bool) for held in network.matrices(~fitted.fit.free[0])]
    if widths == "standardized":
        options.setdefault("sizes", standardized(fitted, b))
    return plot_network(
        weights(fitted)[b], network.input_names, network.output_names, error=float(fitted.errors[b]),
        steps=int(fitted.fit.steps[b]), fixed=fixed, ax=ax, **options,
    )  # fmt: skip


def standardized(fitted: Fitted, b: int) -> list[np.ndarray]:
    """Weights of repetition b (from 0) of a dense network as if inputs, hidden units and linear outputs were standardized.

    Each weight times the standard deviation over the data of what it multiplies; biases as they are where all these are at
    their means. Weights of linear outputs are divided by the response's standard deviation.
    """
    design = fitted.design
    seen = fitted.case_weights > 0
    layers = layer_values(fitted, design.x, design.offset, b)
    out = []
    for matrix, values in zip(fitted.network.matrices(fitted.theta[b]), layers[:-1], strict=True):
        known = np.nan_to_num(matrix)
        mean, sd = values[:, seen].mean(axis=1), values[:, seen].std(axis=1)
        out.append(np.vstack([known[:1] + mean @ known[1:], known[1:] * sd[:, np.newaxis]]))
    if fitted.network.objective.output.name == "identity":
        y = fitted.responses[:, seen]
        spread = np.where(y.std(axis=1) > 0, y.std(axis=1), 1.0)
        means = len(y) if not fitted.network.objective.several else fitted.distribution.located * fitted.distribution.leading
        out[-1][0, :means] -= y.mean(axis=1)[:means]  # other parameters have links of their own
        out[-1][:, :means] /= spread[:means]
    return out


@arguments(
    fit=Anything("a fit"), covariate=Anything("a column of the design", None),
    response=Anything("the name of an output", None), rep=REP, ax=style.AX,
)
def gwplot(
    fit: Any, covariate: str | None = None, *, response: str | None = None, rep: Any = "best", ax: Axes | None = None,
    **options: Any,
) -> Axes:  # fmt: skip
    """Generalized weights against a covariate, as R's ``gwplot``.

    Parameters
    ----------
    fit : NeuralNetResults or Fitted
    covariate : str
        A column of the design; may be left out where there is one.
    response : str
        Name of an output; may be left out where there is one. Of distributions with several parameters the linear predictor
        of one of them, the first unless given.
    rep : int or "best"
    ax : matplotlib.axes.Axes, optional
        Where to draw; pyplot's current axes unless given, a new figure where these hold a picture.
    **options
        Of `gwplot`.

    Returns
    -------
    matplotlib.axes.Axes

    Raises
    ------
    ArgumentError
        Where there is no such covariate or output, or several and none is named.
    """
    fitted = fitted_of(fit)
    design = fitted.design
    d = _position(covariate, design.x_names, "covariate")
    names = fitted.network.output_names if fitted.network.objective.several else design.y_names
    k = 0 if response is None and fitted.network.objective.several else _position(response, names, "response")
    values = generalized_weights(fitted)[fitted.which(rep)].iloc[:, k * len(design.x_names) + d]
    x = design.x[d]
    if design.scaling is not None:
        x = x * design.scaling.x_sd[d] + design.scaling.x_mean[d]
    return plot_generalized(x, values.to_numpy(), name=design.x_names[d], response=names[k], ax=ax, **options)


def _position(name: str | None, names: tuple[str, ...], argument: str) -> int:
    if name is None and len(names) == 1:
        return 0
    at = position(name, names)
    if at is None:
        raise ArgumentError(f"{argument} must be one of {', '.join(map(repr, names))}; got {shown(name)}.")
    return at
