"""Marginal effects: slopes of the mean response, and discrete changes between levels of factors."""

from __future__ import annotations

from typing import Any

import numpy as np
import pandas as pd

from ..errors import ArgumentError
from ..fitted import Fitted, fitted_of
from ..inference.get_prediction import check_alpha
from . import functional as f

AT = ("overall", "mean", "median", "zero")
METHODS = ("dydx", "eydx", "dyex", "eyex")
STEP = 1e-4  # of central differences, in standard deviations


def marginal_effects(
    fit: Any, at: str = "overall", method: str = "dydx", *, variables: Any = None,
    response: str | None = None, rep: Any = "mean", alpha: float = 0.05, cov_type: str | None = None,
) -> pd.DataFrame:  # fmt: skip
    """Average slopes d mean / d variable, as statsmodels' ``get_margeff``; discrete changes for factors.

    A variable is the user's column: where it enters as ``log(v)`` or ``poly(v, 2)``, all its columns move together. Slopes
    are central differences. Elasticities (``e``) are taken of the averages' rows: each row's slope times v and / or over
    the mean, whose own variation the standard error leaves out of the denominator's sampling (as a fixed weight).

    Parameters
    ----------
    fit : NeuralNetResults or Fitted
    at : {"overall", "mean", "median", "zero"}
        Averaged over the rows of the data, or at one row of means, medians, zeros (factors: their most frequent level).
    method : {"dydx", "eydx", "dyex", "eyex"}
        Slope, d log y / d x, dy / d log x, or elasticity.
    variables : str or list of str, optional
        Default all.
    response : str, optional
        Name of an output, where there are several.
    rep, cov_type
        As in `get_prediction`.
    alpha : float

    Returns
    -------
    DataFrame
        A row per numeric variable, and per level of a factor against its first level (``g[b]``): ``dy/dx`` (or the
        method's name), ``std err``, ``z``, ``P>|z|``, ``lower``, ``upper``, ``sd over repetitions``.

    Raises
    ------
    ArgumentError
        For unknown arguments; array terms.
    """
    fitted = fitted_of(fit)
    if at not in AT:
        raise ArgumentError(f"at must be one of {', '.join(map(repr, AT))}; got {at!r}.")
    if method not in METHODS:
        raise ArgumentError(f"method must be one of {', '.join(map(repr, METHODS))}; got {method!r}.")
    alpha, k = check_alpha(alpha), f.output_position(fitted, response)
    whole = f.raw_frame(fitted)
    rows = whole if at == "overall" else _typical(whole, at)
    share = _shares(fitted, len(rows))
    names = [variables] if isinstance(variables, str) else variables
    chosen = list(fitted.design.spec.covariates) if names is None else list(names)
    parts, index = [], []
    for name in chosen:
        values = f.covariate(fitted, name)
        if f.is_factor(values):
            first, *others = f.levels(values)
            for level in others:
                parts.append([f.Block(f.replaced(rows, name, level), share), f.Block(f.replaced(rows, name, first), -share)])
                index.append(f"{name}[{level}]")
            continue
        spread = float(values.std())
        if not spread > 0:
            raise ArgumentError(f"variable {name!r} is constant: it has no slope.")
        h = STEP * spread
        here = rows[name].to_numpy(dtype=float)
        constants = share / (2 * h)
        if method[2:] == "ex":
            constants = constants * here
        if method[0] == "e":
            mu = f.means(fitted, rows, fitted.numbers(rep), k).mean(axis=0)
            constants = constants / mu
        up, down = (f.replaced(rows, name, here + side) for side in (h, -h))
        parts.append([f.Block(up, constants), f.Block(down, -constants)])
        index.append(name)
    label = {"dydx": "dy/dx", "eydx": "d(lny)/dx", "dyex": "dy/d(lnx)", "eyex": "d(lny)/d(lnx)"}[method]
    found = [f.estimate(fitted, blocks, k, rep, cov_type).frame([i], label, alpha)
             for blocks, i in zip(parts, index, strict=True)]  # fmt: skip
    return pd.concat(found)


def _shares(fitted: Fitted, m: int) -> np.ndarray:
    """(1, m) weights of the rows in an average."""
    w = np.ones(m) if m != fitted.nobs else (fitted.case_weights > 0).astype(float)
    return (w / w.sum())[np.newaxis]


def _typical(frame: pd.DataFrame, at: str) -> pd.DataFrame:
    """One row of means, medians or zeros; most frequent levels."""
    out = frame.iloc[[0]].copy()
    for name, column in frame.items():
        if f.is_factor(column):
            value: Any = column.mode().iloc[0]
        else:
            value = {"mean": column.mean(), "median": column.median(), "zero": 0.0}[at]
        out = f.replaced(out, str(name), value)
    return out
