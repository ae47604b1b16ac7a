"""Partial dependence and individual curves."""

from __future__ import annotations

import itertools
from collections.abc import Sequence
from typing import Any

import numpy as np
import pandas as pd

from ..checks import check_int, check_items, check_size, is_whole, position, shown
from ..checks.arguments import FLAG, NONE, REP_OR_MEAN, SHARE, Anything, Numbers, arguments
from ..errors import ArgumentError
from ..fitted import Fitted, fitted_of
from ..inference.covariance import COV_TYPE
from ..network.blas import on_one_thread
from .functional import Sums, outputs_of
from .rows import covariate, is_time, levels, pair, rows_of, takes_levels, two_valued

POINTS, POINTS_OF_TWO = 50, 20  # of a grid unless told
MOST_POINTS = 100_000
GRID = Anything("a number of points, or values", None, 2, 5)


def grid_of(fitted: Fitted, name: str, grid: Any) -> list[Any]:
    """Values at which a profile is taken: levels, those given, both values of an indicator, or equal steps (of dates, too).

    Raises
    ------
    ArgumentError
        For fewer than two points, and levels that do not occur.
    """
    values = covariate(fitted, name)
    number = is_whole(grid)
    if number and check_int(grid, "grid", 2) > MOST_POINTS:
        raise ArgumentError(f"grid must be at most {MOST_POINTS:,} points, or their values; got {shown(grid)}.")
    if is_time(values):
        if number:
            ends = [values.min(), values.max()]
            return [ends[0] + s * (ends[1] - ends[0]) for s in np.linspace(0, 1, int(grid))]
        return _dates(grid, values)
    if takes_levels(fitted, name):
        known = levels(values)
        if number:
            return known
        points = [grid] if isinstance(grid, str) else check_items(grid, "grid", f"levels of {name!r} in a list", MOST_POINTS)
        found = []
        for point in points:
            at = position(point, known)
            if at is None:
                raise ArgumentError(f"variable {name!r} has no level {shown(point)}.")
            found.append(known[at])
        if not found:
            raise ArgumentError(f"grid has none of the levels of {name!r}.")
        return found
    if number:
        if two_valued(values):
            return levels(values)
        return np.linspace(values.min(), values.max(), int(grid)).tolist()
    try:
        given = Numbers(1, least=1).check(grid, "grid")
    except ArgumentError:
        raise ArgumentError(f"grid must be a number of points, or finite values; got {shown(grid)}.") from None
    return given.tolist()


def _dates(grid: Any, values: pd.Series) -> list[Any]:
    """Points of a variable that holds dates or durations."""
    given = check_items(grid, "grid", "a number of points, or dates in a list", MOST_POINTS)
    try:
        dates = pd.Series(given).astype(values.dtype)
    except Exception:  # what pandas makes of anybody's objects
        dates = pd.Series([pd.NaT])
    if dates.isna().any() or not len(dates):
        raise ArgumentError(f"grid must be a number of points, or dates like those of {values.name!r}; got {shown(grid)}.")
    return list(dates)


def grids_of(fitted: Fitted, names: Sequence[str], grid: Any) -> list[list[Any]]:
    """The grid of every variable.

    Raises
    ------
    ArgumentError
        Where `grid` is neither one number for both of two variables, nor a grid for each.
    """
    if len(names) == 1:
        return [grid_of(fitted, names[0], POINTS if grid is None else grid)]
    words = "a number, or two grids, one for each of two variables"
    whole = grid is None or is_whole(grid)
    each = [POINTS_OF_TWO if grid is None else grid] * 2 if whole else check_items(grid, "grid", words)
    if len(each) != 2 or any(isinstance(g, float) for g in each):
        raise ArgumentError(f"grid must be {words}; got {shown(grid)}.")
    return [grid_of(fitted, name, g) for name, g in zip(names, each, strict=True)]


def index_of(names: Sequence[str], grids: Sequence[Sequence[Any]]) -> pd.Index:
    """The grid as an index: of two variables their product, the second running first."""
    if len(names) == 1:
        return pd.Index(grids[0], name=names[0])
    return pd.MultiIndex.from_product(grids, names=list(names))


@on_one_thread
@arguments(
    fit=Anything("a fit"), variable=Anything("a covariate, or two in a list"), grid=GRID, data=Anything("a table", None),
    response=Anything("the name of an output", None), rep=REP_OR_MEAN, alpha=SHARE, cov_type=NONE | COV_TYPE, se=FLAG,
)
def partial_dependence(
    fit: Any, variable: Any, grid: Any = None, *, data: Any = None, response: str | None = None, rep: Any = "mean",
    alpha: float = 0.05, cov_type: str | None = None, se: bool = True,
) -> pd.DataFrame:  # fmt: skip
    """Mean prediction over the rows of the data with one or two variables set to each value.

    Friedman (2001), Annals of Statistics 29:1189. Where covariates are correlated this averages over rows that do not
    occur; see `ale`. Standard errors are by the delta method, of all rows; limits are symmetric on the scale of the link,
    so that those of probabilities stay between 0 and 1.

    Parameters
    ----------
    fit : NeuralNetResults or Fitted
    variable : str or list of two str
        The user's columns, numeric or factors.
    grid : int or list, optional
        Equal steps over the range in the data of the fit (50; 20 for each of two variables), or values; factors have
        their levels, numeric columns of two values these. Of two variables: a number for both, or a pair.
    data : table, optional
        Rows to average over, which may lack `variable`; default those of the fit.
    response, rep, alpha, cov_type
        As in `marginal_effects`.
    se : bool
        False leaves standard errors out.

    Returns
    -------
    DataFrame
        Index `variable` (both variables, where there are two); columns ``mean``, ``std err``, ``lower``, ``upper``,
        ``sd over repetitions``. Of several outputs one below the other, as in `marginal_effects`.

    Raises
    ------
    ArgumentError
        For unknown variables and levels; array terms.
    """
    fitted = fitted_of(fit)
    names = pair(fitted, variable)
    if cov_type is not None and not se:
        raise ArgumentError("cov_type belongs to standard errors, and se=False leaves them out.")
    grids = grids_of(fitted, names, grid)
    rows, outputs = rows_of(fitted, data, names), outputs_of(fitted, response, rep, cov_type, se)
    count = int(np.prod([len(g) for g in grids], dtype=object))
    outputs.check(count, len(rows.frame), f"a grid of {count:,} points")
    points = list(itertools.product(*grids))
    found = Sums.joined(outputs.sums(*moved, rows.share) for moved in rows.along(names, points))
    index = index_of(names, grids)
    frames = [e.banded(index, "mean", outputs.limits(e, alpha)) for e in outputs.estimates(found)]
    return outputs.table(frames, response)


@on_one_thread
@arguments(
    fit=Anything("a fit"), variable=Anything("a covariate"), grid=GRID, data=Anything("a table", None),
    response=Anything("the name of an output", None), rep=REP_OR_MEAN, centred=FLAG,
)
def ice(
    fit: Any, variable: str, grid: Any = None, *, data: Any = None, response: str | None = None, rep: Any = "mean",
    centred: bool = False,
) -> pd.DataFrame:  # fmt: skip
    """Individual curves: the prediction of every row as one variable runs over a grid (Goldstein et al. 2015, JCGS 24:44).

    Parameters
    ----------
    fit : NeuralNetResults or Fitted
    variable : str
    grid, data, response, rep
        As in `partial_dependence`, which is the mean of these curves.
    centred : bool
        Subtract each curve's first value.

    Returns
    -------
    DataFrame, shape (grid, n)
        A column per row of the data. Of several outputs one below the other, as in `marginal_effects`.
    """
    fitted = fitted_of(fit)
    name = str(covariate(fitted, variable).name)
    points = grid_of(fitted, name, POINTS if grid is None else grid)
    rows, outputs = rows_of(fitted, data, [name]), outputs_of(fitted, response, rep, se=False)
    check_size(3 * len(points) * len(rows.frame) * len(outputs.ks), f"{len(points):,} points of {len(rows.frame):,} curves")
    moved = rows.along([name], [(g,) for g in points])
    curves = np.stack([outputs.means(*place).mean(axis=0) for place in moved])  # (grid, K', m)
    if centred:
        curves = curves - curves[0]
    index = pd.Index(points, name=name)
    frames = [pd.DataFrame(curves[:, k], index, rows.index) for k in range(curves.shape[1])]
    return outputs.table(frames, response)
