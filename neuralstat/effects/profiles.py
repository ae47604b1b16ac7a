"""Partial dependence, individual curves, accumulated local effects."""

from __future__ import annotations

from typing import Any

import numpy as np
import pandas as pd

from ..checks import check_int
from ..errors import ArgumentError
from ..fitted import fitted_of
from ..inference.get_prediction import check_alpha
from . import functional as f


def grid_of(values: pd.Series, grid: Any) -> list[Any]:
    """Values at which a profile is taken: levels of a factor, those given, or equal steps over the range.

    Raises
    ------
    ArgumentError
        For fewer than two points, and levels that do not occur.
    """
    if f.is_factor(values):
        known = f.levels(values)
        chosen = known if isinstance(grid, int) else list(grid)
        unknown = [g for g in chosen if g not in known]
        if unknown:
            raise ArgumentError(f"variable {values.name!r} has no level {unknown[0]!r}.")
        return chosen
    if isinstance(grid, int | np.integer):
        return np.linspace(values.min(), values.max(), check_int(grid, "grid", 2)).tolist()
    points = np.asarray(grid, dtype=float)
    if points.ndim != 1 or points.size < 1 or not np.isfinite(points).all():
        raise ArgumentError(f"grid must be a number of points, or finite values; got {grid!r:.80}.")
    return points.tolist()


def partial_dependence(
    fit: Any, variable: str, grid: Any = 50, *, response: str | None = None, rep: Any = "mean",
    alpha: float = 0.05, cov_type: str | None = None, se: bool = True,
) -> pd.DataFrame:  # fmt: skip
    """Mean prediction over the rows of the data with one variable set to each value (Friedman 2001, Ann. Stat. 29:1189).

    Where covariates are correlated this averages over rows that do not occur; see `ale`.

    Parameters
    ----------
    fit : NeuralNetResults or Fitted
    variable : str
        The user's column, numeric or factor.
    grid : int or list
        Equal steps over the range, or values; a factor's levels.
    response, rep, alpha, cov_type
        As in `marginal_effects`.
    se : bool
        False leaves standard errors out.

    Returns
    -------
    DataFrame
        Index `variable`; columns ``mean``, ``std err``, ``lower``, ``upper``, ``sd over repetitions``.
    """
    fitted = fitted_of(fit)
    values, k = f.covariate(fitted, variable), f.output_position(fitted, response)
    alpha, rows = check_alpha(alpha), f.raw_frame(fitted)
    points = grid_of(values, grid)
    share = np.full((1, len(rows)), 1 / len(rows))
    parts = [f.estimate(fitted, [f.Block(f.replaced(rows, variable, g), share)], k, rep, cov_type, se) for g in points]
    joined = f.Estimate(*(np.concatenate([getattr(p, name) for p in parts]) for name in ("value", "se", "between")))
    frame = joined.frame(pd.Index(points, name=variable), "mean", alpha)
    return frame.drop(columns=["z", "P>|z|"])


def ice(
    fit: Any, variable: str, grid: Any = 50, *, response: str | None = None, rep: Any = "mean",
    centred: bool = False,
) -> pd.DataFrame:  # fmt: skip
    """Individual curves: the prediction of every row as one variable runs over a grid (Goldstein et al. 2015, JCGS 24:44).

    Parameters
    ----------
    fit : NeuralNetResults or Fitted
    variable, grid, response, rep
        As in `partial_dependence`, which is the mean of these curves.
    centred : bool
        Subtract each curve's first value.

    Returns
    -------
    DataFrame, shape (grid, n)
        A column per row of the fit, under its index.
    """
    fitted = fitted_of(fit)
    values, k = f.covariate(fitted, variable), f.output_position(fitted, response)
    rows, points = f.raw_frame(fitted), grid_of(values, grid)
    numbers = fitted.numbers(rep)
    curves = np.stack([f.means(fitted, f.replaced(rows, variable, g), numbers, k).mean(axis=0) for g in points])
    if centred:
        curves = curves - curves[0]
    index = fitted.design.index
    return pd.DataFrame(curves, pd.Index(points, name=variable), index)


def ale(
    fit: Any, variable: str, bins: Any = 20, *, response: str | None = None, rep: Any = "mean",
    alpha: float = 0.05, cov_type: str | None = None, se: bool = True,
) -> pd.DataFrame:  # fmt: skip
    """Accumulated local effects (Apley & Zhu 2020, JRSS B 82:1059), as R's ``ALEPlot``.

    Bins end at the variable's quantiles (type 1). Within a bin the mean change of the prediction from its lower to its upper
    end is taken over the rows that lie in it; these changes are added up and centred to mean 0 over the data. Unlike partial
    dependence, no row is moved far from where it is.

    Parameters
    ----------
    fit : NeuralNetResults or Fitted
    variable : str
        A numeric column.
    bins : int or list
        Number of bins, or their ends, which must span the data.
    response, rep, alpha, cov_type, se
        As in `partial_dependence`.

    Returns
    -------
    DataFrame
        Index: ends of the bins; columns ``ale``, ``std err``, ``lower``, ``upper``, ``sd over repetitions``.

    Raises
    ------
    ArgumentError
        For a factor.
    """
    fitted = fitted_of(fit)
    values, k = f.covariate(fitted, variable), f.output_position(fitted, response)
    if f.is_factor(values):
        raise ArgumentError(f"ale needs a numeric variable, and {variable!r} is a factor: use partial_dependence.")
    alpha, rows = check_alpha(alpha), f.raw_frame(fitted)
    x = values.to_numpy(dtype=float)
    ends = _ends(x, bins, variable)
    own = np.clip(np.searchsorted(ends, x, side="left") - 1, 0, ends.size - 2)  # bins are (z_k-1, z_k]
    count = np.bincount(own, minlength=ends.size - 1)
    if not count.all():
        raise ArgumentError(f"bins: no row has {variable!r} in bin {int(np.argmin(count)) + 1}.")
    constants = (np.arange(ends.size)[:, np.newaxis] > own) / count[own]  # (bins + 1, n): accumulate means of bins
    middle = (constants[:-1] + constants[1:]) / 2
    constants = constants - count @ middle / count.sum()
    up = f.Block(f.replaced(rows, variable, ends[own + 1]), constants)
    down = f.Block(f.replaced(rows, variable, ends[own]), -constants)
    found = f.estimate(fitted, [up, down], k, rep, cov_type, se).frame(pd.Index(ends, name=variable), "ale", alpha)
    return found.drop(columns=["z", "P>|z|"])


def _ends(x: np.ndarray, bins: Any, variable: str) -> np.ndarray:
    """Ends of the bins: those given, or quantiles (type 1) of the variable."""
    if isinstance(bins, int | np.integer):
        number = check_int(bins, "bins", 1)
        at = -(-np.arange(1, number + 1) * x.size // number) - 1  # in whole numbers: no rounding decides on a row
        ends = np.unique(np.concatenate([[x.min()], np.sort(x)[at]]))
    else:
        ends = np.asarray(bins, dtype=float)
        if ends.ndim != 1 or ends.size < 2 or not np.all(np.diff(ends) > 0) or ends[0] > x.min() or ends[-1] < x.max():
            span = f"from {x.min():g} to {x.max():g}"
            raise ArgumentError(f"bins must be a number, or increasing ends {span}; got {bins!r:.80}.")
    if ends.size < 2:
        raise ArgumentError(f"variable {variable!r} is constant: it has no effect to accumulate.")
    return ends
