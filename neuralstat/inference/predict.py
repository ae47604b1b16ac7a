"""Predictions of a fit: by repetition or averaged, on any scale, in the units of the response."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
import pandas as pd

from ..checks.arguments import REPS, Anything, Choice, arguments
from ..errors import ArgumentError, DataError
from ..families import Cox
from ..fitted import Fitted
from ..formula.arrays import spread
from ..formula.rcompat import by_position
from ..layers import codes
from ..likelihood import hazards
from ..likelihood.evidence import evidence_weights
from ..likelihood.predictors import WEIGHED, combined, link, link_of_mean
from ..network import derivatives
from ..network.indexes import check_indexes
from ..network.rcompat import r_group_means

TYPES = ("response", "link", "class", "units")

Inputs = tuple[np.ndarray, np.ndarray | None, pd.Index, np.ndarray]  # x (D, m), offset (K, m), index, complete (m,)


@dataclass(frozen=True)
class ComputeResult:
    """What R's ``compute`` returns.

    Attributes
    ----------
    neurons : list of arrays (m, 1 + units)
        Inputs, then each hidden layer, each with a first column of ones.
    net_result : DataFrame, shape (m, K)

    Examples
    --------
    >>> import neuralstat as ns
    >>> fit = ns.neuralnet("accel ~ times", ns.datasets.mcycle(), hidden=0)
    >>> [values.shape for values in fit.compute({"times": [10, 20]}).neurons]
    [(2, 2)]
    """

    neurons: list[np.ndarray]
    net_result: pd.DataFrame


@arguments(
    new=Anything("a table, array, list or Series", None), rep=REPS, type=Choice(*TYPES),
    offset=Anything("an array, one value per new row", None), combine=WEIGHED,
)
def predict(
    fitted: Fitted, new: Any = None, rep: Any = "mean", type: str = "response", *, offset: Any = None,
    combine: str = "mixture",
) -> Any:  # fmt: skip
    """Predictions for new data, or for the data of the fit.

    Parameters
    ----------
    fitted : Fitted
    new : table, array, list or Series, optional
        Columns are matched by name; rows with missing values give NaN. Where the model reads one column, its values will
        do; a model of arrays also takes an array with its columns in their order. None: the rows of the fit.
    rep : {"mean", "best", "all"} or int
        "mean" averages over the converged repetitions (over all, with a warning, where none converged); a number
        counts from 1; "all" gives every repetition.
    type : {"response", "link", "class", "units"}
        In the units of the response; the link of it, which is the linear predictor of one repetition, and of the mean of
        several the link of their mean response (of several classes the logarithm of the mean probabilities), not the mean
        of their linear predictors; the most probable class; or every layer's units (a list of DataFrames, inputs first:
        one repetition only).
    offset : array, optional
        For the new rows, where the model was given its offset as an array.
    combine : {"mixture", "mean", "evidence"}
        Of several repetitions the mean of their responses, or the response at the mean of their linear predictors (whose link
        is then that mean); or the mean of their responses in proportion to their marginal likelihoods
        (`NeuralNetResults.log_evidence`), which a gaussian penalty gives them.

    Returns
    -------
    Series, or DataFrame for several outputs
        Indexed as `new`. With ``rep="all"`` a DataFrame with a column per repetition, for several outputs with
        columns (rep, output).

    Raises
    ------
    ArgumentError, DataError
        For unknown `rep` and `type`; for columns or levels that do not fit.
    """
    own = new is None and offset is None and type != "units"
    design = fitted.design
    if own:  # the rows of the fit as they are: a copy could be more than memory holds
        at: Inputs = design.x, design.offset, design.full_index, design.kept
    else:
        at = inputs(fitted, new, offset)
    if combine != "mixture" and (rep == "all" or type == "units"):
        raise ArgumentError(f"combine={combine!r} is of one prediction: with rep='all' and type='units' nothing is combined.")
    if type == "units":
        return _unit_frames(fitted, at, _one(fitted, rep))
    x, off, index, complete = at
    numbers = fitted.numbers(rep)
    raw = combined(fitted, fitted.raw(x, off, numbers), combine)
    share = evidence_weights(fitted, numbers) if combine == "evidence" and len(numbers) > 1 else None
    if rep == "all":
        values = link(fitted, raw) if type == "link" else fitted.response(raw)
    else:
        mean = type != "link"
        values = _average(fitted.response(raw), share) if mean else link_of_mean(fitted, raw, share)
    if own and not complete.all():
        values = fitted.full(values)
    elif not own:
        values[..., ~complete] = np.nan
    if rep == "all":
        return _all(fitted, values, index, type)
    return _classes(fitted, values, index, complete) if type == "class" else frame(fitted, values, index)


def _average(values: np.ndarray, share: np.ndarray | None) -> np.ndarray:
    """Mean over repetitions (B', K, m) in shares (B',) or equal ones; m may be 0, as in a partition without rows."""
    return np.average(values, axis=0, weights=share) if values.size else values.sum(axis=0)


def _one(fitted: Fitted, rep: Any) -> int:
    """The repetition (from 0) whose units are shown."""
    if rep in ("mean", "all"):
        if fitted.nrep > 1:
            raise ArgumentError("type='units' needs one repetition: rep='best' or a number from 1.")
        rep = 1
    return fitted.which(rep)


def inputs(fitted: Fitted, new: Any, offset: Any) -> Inputs:
    """x (D, m) in internal units, offset (K, m), index, and which rows (m,) are complete.

    Of new data, or where `new` is None of the data of the fit.

    Raises
    ------
    ArgumentError, DataError
        For an offset without new data; for columns or levels that do not fit.
    """
    design = fitted.design
    if new is None:
        if offset is not None:
            raise ArgumentError("offset belongs to new rows: give new, too.")
        off = None
        if design.offset is not None:
            off = np.zeros((design.offset.shape[0], design.kept.size))
            off[:, design.kept] = design.offset
        x = design.x if design.kept.all() else spread(design.x, design.kept)
        return fitted.full(design.x) if x is None else x, off, design.full_index, design.kept
    if fitted.settings.compat == "R":
        new = by_position(new, design.x_names, design.frame.columns)
    try:
        encoded = design.encode(new, offset=offset)
    except (ArgumentError, DataError) as error:
        if str(error).startswith(("data must", "data has", "data is")):  # the argument's name here
            raise type(error)(f"new{str(error)[4:]}") from error
        raise
    check_indexes(fitted.network, encoded.x, "new: ")
    return encoded.x, encoded.offset, encoded.index, encoded.complete


# tables ----------------------------------------------------------------------------------------------------


def frame(fitted: Fitted, values: np.ndarray, index: pd.Index, copy: bool = True) -> Any:
    """Values (K, m) of the outputs as a Series, or as a DataFrame where there are several."""
    names = list(fitted.design.y_names)
    if fitted.network.objective.several and len(values) == 1:  # eta of an ordered factor
        names = [fitted.design.response]
    if len(names) == 1:
        return pd.Series(values[0], index=index, name=names[0], copy=copy)
    return pd.DataFrame(values.T, index, names, copy=copy)


def _all(fitted: Fitted, values: np.ndarray, index: pd.Index, type: str) -> pd.DataFrame:
    """A column per repetition, or per repetition and output."""
    numbers = range(1, values.shape[0] + 1)
    if type == "class":
        known = ~np.isnan(values[0, 0])
        columns = {r: _classes(fitted, v, index, known) for r, v in zip(numbers, values, strict=True)}
        return pd.DataFrame(columns).rename_axis(columns="rep")
    if values.shape[1] == 1:
        return pd.DataFrame(values[:, 0].T, index, pd.Index(numbers, name="rep"))
    names = pd.MultiIndex.from_product([numbers, fitted.design.y_names], names=["rep", "output"])
    return pd.DataFrame(values.reshape(len(names), values.shape[2]).T, index, names)


def _classes(fitted: Fitted, mean: np.ndarray, index: pd.Index, complete: np.ndarray) -> pd.Series:
    """The most probable class of each row; missing where the row is."""
    design, classes = fitted.design, fitted.design.classes
    if mean.shape[0] == 1:
        if classes is None and not set(np.unique(design.y)) <= {0.0, 1.0}:
            raise ArgumentError("type='class' needs a factor or 0/1 response.")
        code = (mean[0] > 0.5).astype(int)
        levels = list(classes) if classes is not None else [0, 1]
    else:
        y = design.y
        if classes is None and not (np.isin(y, (0, 1)).all() and (y.sum(axis=0) == 1).all()):
            raise ArgumentError(
                "type='class' needs a factor response, or 0/1 responses of which one is 1 in each row."
            )
        code = np.argmax(np.where(np.isnan(mean), -np.inf, mean), axis=0)
        levels = list(classes) if classes is not None else list(design.y_names)
    code[~complete] = -1
    return pd.Series(pd.Categorical.from_codes(code, categories=levels), index=index, name=design.response)


# fitted values ---------------------------------------------------------------------------------------------


def observed(fitted: Fitted) -> Any:
    """The response in original units on the index of the data; NaN at rows kept out of the fit."""
    return frame(fitted, fitted.full(fitted.observed), fitted.design.full_index)


def resid(fitted: Fitted) -> Any:
    """Response minus the mean of the converged repetitions; NaN at rows kept out of the fit. Of Cox's model martingale."""
    if isinstance(fitted.family, Cox):
        values = np.mean([hazards.martingale(fitted, b) for b in fitted.numbers("mean")], axis=0)
        return pd.Series(fitted.full(values), fitted.design.full_index, name=fitted.design.response)
    return observed(fitted) - predict(fitted)


# units of all layers ---------------------------------------------------------------------------------------


def layer_values(fitted: Fitted, x: np.ndarray, offset: np.ndarray | None, b: int) -> list[np.ndarray]:
    """Values of inputs, hidden layers and outputs at x (D, m), each (units, m), ends in original units."""
    theta = fitted.fit.theta[b].astype(float)
    values = derivatives.units(fitted.network, np.ascontiguousarray(x), theta, offset)
    layers = [x.copy()]
    scaling = fitted.design.scaling
    if scaling is not None:
        layers[0] = layers[0] * scaling.x_sd[:, np.newaxis] + scaling.x_mean[:, np.newaxis]
    for row in fitted.network.table[:-1]:
        layers.append(values[row[codes.TARGET] : row[codes.TARGET] + row[codes.N_OUT]].copy())
    layers.append(fitted.response(fitted.raw(x, offset, [b]))[0])
    return layers


def _unit_frames(fitted: Fitted, at: Inputs, b: int) -> list[pd.DataFrame]:
    """Every layer's values, inputs (original units) first, outputs (units of the response) last."""
    x, offset, index, complete = at
    layers = layer_values(fitted, x, offset, b)
    frames = []
    for k, values in enumerate(layers):
        if k == 0:
            names: list[str] = list(fitted.design.x_names)
        elif k == len(layers) - 1:
            names = _names(fitted, values)
        else:
            names = [f"{k}layhid{u + 1}" for u in range(values.shape[0])]
        values[:, ~complete] = np.nan
        frames.append(pd.DataFrame(values.T, index, names))
    return frames


def _names(fitted: Fitted, values: np.ndarray) -> list[str]:
    """Names of outputs (K, m): the responses', or one where a response has several columns."""
    names = list(fitted.design.y_names)
    return names if len(values) == len(names) else [fitted.design.response]


def compute(fitted: Fitted, new: Any, b: int) -> ComputeResult:
    """R's ``compute``: values of all neurons of repetition b (from 0), and outputs, for new data."""
    x, offset, index, complete = inputs(fitted, new, None)
    layers = layer_values(fitted, x, offset, b)
    for values in layers:
        values[:, ~complete] = np.nan
    ones = np.ones((1, x.shape[1]))
    neurons = [np.vstack([ones, values]).T for values in layers[:-1]]
    return ComputeResult(neurons, pd.DataFrame(layers[-1].T, index, _names(fitted, layers[-1])))


# distinct rows ---------------------------------------------------------------------------------------------


def prediction(fitted: Fitted) -> dict[str, pd.DataFrame]:
    """R's ``prediction``: outputs at the distinct covariate rows, and the mean response there.

    Returns
    -------
    dict
        ``"rep1"``, ``"rep2"``, ...: a row per distinct covariate row, covariates and outputs; ``"data"``: the
        same with the mean of the responses. Rows are sorted by the last covariate first, as in R. With
        ``compat="R"`` these means are R's, which miss rows.
    """
    design, x = fitted.design, fitted.design.x
    if design.scaling is not None:
        x = x * design.scaling.x_sd[:, np.newaxis] + design.scaling.x_mean[:, np.newaxis]
    values = fitted.response(fitted.fitted_raw(range(fitted.nrep)))
    tables = {f"rep{b + 1}": _distinct(fitted, x, v) for b, v in enumerate(values)}
    y = fitted.observed  # of times the last known ones
    if fitted.settings.compat == "R" and design.x_names:
        distinct = pd.DataFrame(x.T).drop_duplicates().to_numpy().T
        tables["data"] = _distinct(fitted, distinct, r_group_means(x, y))
    else:
        tables["data"] = _distinct(fitted, x, y)
    return tables


def _distinct(fitted: Fitted, x: np.ndarray, values: np.ndarray) -> pd.DataFrame:
    """Means of outputs (K, m) over equal covariates (D, m), with these."""
    x_names, y_names = list(fitted.design.x_names), _names(fitted, values)
    outputs = pd.DataFrame(values.T, columns=y_names)
    if not x_names:
        return outputs.mean().to_frame().T
    joined = pd.concat([pd.DataFrame(x.T, columns=x_names), outputs], axis=1)
    means = joined.groupby(x_names[::-1], sort=True, dropna=False)[y_names].mean()
    return means.reset_index()[[*x_names, *y_names]]
