"""Marginal effects: slopes of the mean response; discrete changes between levels, and between the values of an indicator."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import numpy as np
import pandas as pd

from ..checks.arguments import FLAG, NONE, REP_OR_MEAN, SHARE, Anything, Choice, arguments
from ..errors import ArgumentError
from ..fitted import fitted_of
from ..inference.covariance import COV_TYPE
from ..network.blas import on_one_thread
from .functional import Estimate, Outputs, Sums, outputs_of
from .rows import Rows, chosen, covariate, levels, rows_of, takes_levels, two_valued, typical

AT = ("overall", "mean", "median", "zero")
METHODS = ("dydx", "eydx", "dyex", "eyex")
STEP = 1e-4  # of central differences, in standard deviations


@on_one_thread
@arguments(
    fit=Anything("a fit"), at=Choice(*AT), method=Choice(*METHODS), variables=Anything("a covariate or several", None),
    data=Anything("a table", None), response=Anything("the name of an output", None), rep=REP_OR_MEAN, alpha=SHARE,
    cov_type=NONE | COV_TYPE, dummy=FLAG,
)
def marginal_effects(
    fit: Any, at: str = "overall", method: str = "dydx", *, variables: Any = None, data: Any = None,
    response: str | None = None, rep: Any = "mean", alpha: float = 0.05, cov_type: str | None = None,
    dummy: bool = True,
) -> pd.DataFrame:  # fmt: skip
    """Average slopes d mean / d variable, as statsmodels' ``get_margeff``; discrete changes for levels and indicators.

    A variable is the user's column: where it enters as ``log(v)`` or ``poly(v, 2)``, all its columns move together. Slopes
    are differences to second order, one-sided at the ends of the data's range, beyond which splines are not defined.
    Elasticities (``e``) are averages of each row's slope times v and / or over its mean.

    A numeric column of two values, such as a 0/1 indicator, has no values in between: its effect is the mean change of the
    prediction from the smaller to the larger value, as it is between levels of a factor; so it is in statsmodels with
    ``dummy=True``. There "dyex" is "dydx", and "eydx", "eyex" are changes of the logarithm of the mean. Numbers that the
    formula makes levels of, as ``C(n)``, are levels.

    Parameters
    ----------
    fit : NeuralNetResults or Fitted
    at : {"overall", "mean", "median", "zero"}
        Averaged over the rows of the data, or at one row of means, medians, zeros (factors: their most frequent level).
    method : {"dydx", "eydx", "dyex", "eyex"}
        Slope, d log y / d x, dy / d log x, or elasticity.
    variables : str or list of str, optional
        Default all.
    data : table, optional
        Rows to average over; default those of the fit with positive weight.
    response : str, optional
        Name of an output; default all.
    rep, cov_type
        As in `get_prediction`.
    alpha : float
    dummy : bool
        False: slopes of numeric columns of two values, too.

    Returns
    -------
    DataFrame
        A row per numeric variable, and per level of a factor against its first level (``g[b]``): ``dy/dx`` (or the
        method's name), ``std err``, ``z``, ``P>|z|`` (gaussian responses: ``t``, ``P>|t|`` on n - df), ``lower``,
        ``upper``, ``sd over repetitions``. Of several outputs, such as the probabilities of classes, one below the other,
        with the output as the first level of the index.

    Raises
    ------
    ArgumentError
        For unknown arguments, constant variables, array terms.
    """
    fitted = fitted_of(fit)
    rows = rows_of(fitted, data)
    coded = [name for name in rows.frame.columns if name in fitted.design.spec.covariates and takes_levels(fitted, name)]
    beside = [n for n in rows.frame.columns if n not in coded and not pd.api.types.is_numeric_dtype(rows.frame[n])]
    if at != "overall":
        rows = typical(rows, at, [*coded, *beside])
    outputs = outputs_of(fitted, response, rep, cov_type)
    label = {"dydx": "dy/dx", "eydx": "d(lny)/dx", "dyex": "dy/d(lnx)", "eyex": "d(lny)/d(lnx)"}[method]
    parts: list[list[pd.DataFrame]] = []
    for name in chosen(fitted, variables):
        values = covariate(fitted, name)
        if name in coded:
            first, *others = levels(values)
            steps = [(f"{name}[{level}]", first, level) for level in others]
        elif dummy and two_valued(values):
            steps = [(name, *levels(values))]
        else:
            found = _slope(outputs, rows, name, values, method)
            parts.append([e.tested([name], label, alpha) for e in found])
            continue
        for row, low, high in steps:
            found = _change(outputs, rows, name, low, high, method)
            parts.append([e.tested([row], label, alpha) for e in found])
    return outputs.table([pd.concat(frames) for frames in zip(*parts, strict=True)], response)


def _slope(outputs: Outputs, rows: Rows, name: str, values: pd.Series, method: str) -> list[Estimate]:
    """Mean derivative in a numeric variable."""
    spread = float(values.std())
    if not spread > 0:
        raise ArgumentError(f"variable {name!r} is constant: it has no slope.")
    weight = rows.share
    here = rows.frame[name].to_numpy(dtype=float)
    if method[2:] == "ex":
        weight = weight * here
    mean = _means(outputs, rows.x, rows.offset) if method[0] == "e" else np.ones(1)
    rise = np.zeros((len(outputs.ks), here.size))
    with np.errstate(divide="ignore", invalid="ignore"):
        weight = weight / mean
    if not np.isfinite(weight).all():
        raise ArgumentError(f"method={method!r} needs means that are not 0, and the fit has such.")
    parts = []
    for which, points, constants in _stencils(here, STEP * spread, float(values.min()), float(values.max())):
        for block in rows.pieces(np.arange(which.size)):
            own = which[block]
            part = rows if own.size == here.size else rows.part(own)
            for x, constant in zip(points, constants, strict=True):
                moved = part.moved({name: x[block]})
                parts.append(outputs.sums(*moved, weight[..., own] * constant))
                if method[0] == "e":
                    rise[:, own] += constant * _means(outputs, *moved)
    if method[0] == "d":
        return outputs.estimates(Sums.added(parts))
    # the mean in the denominator moves, too: to first order by -slope / mean^2, about 0
    parts.append(outputs.sums(rows.x, rows.offset, -weight * rise / mean))
    return outputs.estimates(Sums.added(parts), np.sum(weight * rise, axis=1, keepdims=True))


def _stencils(
    x: np.ndarray, h: float, low: float, high: float
) -> Iterator[tuple[np.ndarray, list[np.ndarray], tuple[float, ...]]]:
    """Rows, the points near them, and the constants of these, that make derivatives to second order.

    Central differences; of rows within h of the ends of the range, which would leave it, three points on the inner side.
    """
    top, bottom = (x <= high) & (x + h > high), (x >= low) & (x - h < low)
    top &= ~bottom
    for side, at in ((0, ~(top | bottom)), (-1, top), (1, bottom)):
        which = np.flatnonzero(at)
        if which.size and side == 0:
            yield which, [x[which] + h, x[which] - h], (0.5 / h, -0.5 / h)
        elif which.size:
            points = [x[which] + side * k * h for k in range(3)]
            yield which, points, tuple(side * c / (2 * h) for c in (-3.0, 4.0, -1.0))


def _change(outputs: Outputs, rows: Rows, name: str, low: Any, high: Any, method: str) -> list[Estimate]:
    """Mean change of the mean response, or of its logarithm, between two values of a variable."""
    if method[0] == "d":  # one end after the other: inputs are as large as the data
        above, below = (outputs.sums(*rows.moved({name: value}), rows.share) for value in (high, low))
        return outputs.estimates(above - below)
    means = [_means(outputs, *rows.moved({name: value})) for value in (high, low)]
    if not np.all(means[0] * means[1] > 0):
        raise ArgumentError(f"method={method!r} needs means of one sign, and those at {name} = {low} and {high} differ.")
    with np.errstate(divide="ignore", over="ignore"):
        above, below = (outputs.sums(*rows.moved({name: value}), rows.share / mu)
                        for value, mu in zip((high, low), means, strict=True))  # fmt: skip
    return outputs.estimates(above - below, np.log(means[0] / means[1]) @ rows.share[:, np.newaxis])


def _means(outputs: Outputs, x: np.ndarray, offset: np.ndarray | None) -> np.ndarray:
    """(K', m) means over the repetitions."""
    return outputs.means(x, offset).mean(axis=0)


