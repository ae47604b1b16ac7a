"""Penalised smooths ``s(x)`` and ``te(x, z)`` as transforms of formulas, in coordinates that make every penalty diagonal.

The functions and penalties are those of mgcv (Wood 2017, "Generalized Additive Models", 2nd ed., sections 5.3, 5.4, 5.6), up
to a constant factor per penalty, which its strength takes up. All that is found from the rows of the fit (knots, rotations,
means) is kept as plain lists, and is part of the question: refits on other rows keep it whole.
"""

import ast
from collections.abc import Callable, Mapping, Sequence
from typing import Any

import numpy as np
import pandas as pd
from formulaic.materializers.types import FactorValues
from formulaic.utils.stateful_transforms import stateful_transform

from neuralstat.errors import ArgumentError, DataError
from neuralstat.formula import expressions
from neuralstat.formula.smooth_arguments import Call, dimension, each, level_codes, levels_of, multiplier, numbers
from neuralstat.formula.smooth_bases import BASES, Start, quantile_knots
from neuralstat.formula.smooth_natural import natural, tensor_columns, tensor_diagonals, turned_margin
from neuralstat.network.blas import on_one_thread

UNSTABLE = 1e10  # condition number beyond which weights are not made function values
KIND = "smooth"  # the entry of a state that says that it is of one of these


# fmt: off
@stateful_transform
def s(
    x: Any, k: Any = 10, bs: Any = "cr", by: Any = None, _state: Any = None, _spec: Any = None, _context: Any = None,
) -> Any:
    # fmt: on
    """Penalised smooth function of one covariate, mgcv's ``s(x, k=k, bs=bs, by=by)``.

    Parameters
    ----------
    x : array of numbers, shape (n,)
    k : int
        Dimension of the basis before the constant is taken out, at most the number of different values of x.
    bs : {"cr", "cc", "ps", "tp"}
        Cubic regression spline with knots at quantiles of the different values, penalty the integral of f''^2, straight lines
        beyond the ends; the same on a circle, whose one point is the least and the largest value; P-spline: uniform cubic
        B-splines with squared second differences of their coefficients; thin plate regression spline (mgcv's default).
    by : array, shape (n,), optional
        Numbers that multiply the function (a varying coefficient; the function then has its constant, unless all numbers are
        equal), or a factor (strings, categories, booleans, ``C(g)``): a function for every level, each with a strength of its
        own, beside which the factor itself should be a term.

    Returns
    -------
    FactorValues
        k - 1 columns (as many for each level; k - 2 for "cc"; one more with numbers as `by`): the natural parameterisation.
        They sum to 0 over the rows of the fit, are orthogonal and have mean square 1; what is not penalised comes first, then
        from smooth to rough. As in mgcv, functions of levels sum to 0 over all rows, not the level's; they are orthogonal on
        the level's rows.

    Raises
    ------
    ArgumentError
        For k that is no whole number or too small, an unknown basis.
    DataError
        For a factor as x, fewer different values than k, infinite values, a level that was not there at the fit.
    """
    call = Call.of("s", _spec, _state, _context)
    if np.ndim(k) > 0:
        raise ArgumentError(f"`{call.text}`: k must be a whole number; a smooth of several covariates is te(x, z).")
    u = numbers(x, call, 0)
    kind, times, labels = multiplier(by, len(u), _state, call)
    if not _state:
        _state.update(_fit_s(u, dimension(k, bs, call), bs, times, labels, levels_of(labels, by), call), by=kind)
    codes = level_codes(labels, _state["levels"], len(u), by, call)
    width = len(_state["coefs"][0][0])
    made = np.zeros((len(u), len(_state["coefs"]) * width))
    for j, coefs in enumerate(_state["coefs"]):
        rows = codes == j
        made[rows, j * width : (j + 1) * width] = _values(_state["bs"], _state["knots"], u[rows], coefs) * times[rows, None]
    return _columns(made, codes, width, _state)


# fmt: off
@stateful_transform
def te(
    x: Any, *others: Any, k: Any = 5, bs: Any = "cr", by: Any = None, _state: Any = None, _spec: Any = None,
    _context: Any = None,
) -> Any:
    # fmt: on
    """Penalised smooth function of several covariates, the tensor product of splines: mgcv's ``te(x, z, k=k, bs=bs, by=by)``.

    Parameters
    ----------
    x, *others : arrays of numbers, shape (n,)
        Two covariates or more.
    k : int or sequence of int
        Dimension of the basis of each covariate.
    bs : str or sequence of str
        Kind of the basis of each covariate, as in `s`.
    by : array, shape (n,), optional
        As in `s`.

    Returns
    -------
    FactorValues
        Product of all k, minus 1, columns (as many for each level; one more with numbers as `by`). Each covariate has a
        penalty and a strength of its own: with function values (at the knots of "cr" and "cc", else at equal steps) as
        coefficients of each margin, the penalties are the Kronecker products of S_x and I, and of I and S_z. Orthogonal
        rotations of the margins make both diagonal, with the constant as one coordinate, which is dropped; the columns sum to
        0 over the rows of the fit, and have mean square 1.

    Raises
    ------
    ArgumentError, DataError
        As `s`; for one covariate; for k or bs of another length.
    """
    call = Call.of("te", _spec, _state, _context)
    if not others:
        raise ArgumentError(f"`{call.text}`: te() is for two covariates or more; a smooth of one is s(x).")
    rows = [numbers(v, call, j) for j, v in enumerate((x, *others))]
    for j, row in enumerate(rows):
        if len(row) != len(rows[0]):
            raise DataError(f"`{call.text}`: covariate {j + 1} has {len(row)} values, the first has {len(rows[0])}.")
    kind, times, labels = multiplier(by, len(rows[0]), _state, call)
    if not _state:
        kinds = each(bs, len(rows), "bs", call)
        sizes = [dimension(a, b, call) for a, b in zip(each(k, len(rows), "k", call), kinds, strict=True)]
        _state.update(_fit_te(rows, sizes, kinds, times, labels, levels_of(labels, by), call), by=kind)
    if len(rows) != len(_state["margins"]):
        raise DataError(f"`{call.text}`: the model has {len(_state['margins'])} covariates here, not {len(rows)}.")
    codes = level_codes(labels, _state["levels"], len(times), by, call)
    values = _centred(_tensor(rows, _state["margins"]), _state["means"]) * times[:, None]
    width = values.shape[1]
    made = np.zeros((len(times), len(_state["sds"]) * width))
    for j, sds in enumerate(_state["sds"]):
        made[codes == j, j * width : (j + 1) * width] = values[codes == j] / np.array(sds)
    return _columns(made, codes, width, _state)


def penalties(state: Mapping[str, Any]) -> dict[str, np.ndarray]:
    """The penalties of a smooth, each with a strength to be estimated.

    Parameters
    ----------
    state : mapping
        What the transform keeps, an entry of `MatrixState.transforms` (see `state_of`).

    Returns
    -------
    dict of str to ndarray, shape (columns,)
        Diagonals over all columns of the smooth, in their order. The name is empty where there is one; else the level of
        `by`, the covariate of ``te``, or "level, covariate". What is not penalised at all has 0 in all of them.
    """
    width = len(state["diagonals"][0])
    made = {}
    for name, block, diagonal in zip(state["names"], state["blocks"], state["diagonals"], strict=True):
        made[name] = np.zeros(len(state["levels"]) * width)
        made[name][block * width : (block + 1) * width] = diagonal
    return made


def is_smooth(state: Any) -> bool:
    """Whether a transform's state is that of ``s`` or ``te``."""
    return isinstance(state, Mapping) and KIND in state


def state_of(expr: str, transforms: Mapping[str, Any]) -> Mapping[str, Any] | None:
    """The state of a factor that is a call of ``s`` or ``te``, and nothing around it; None for any other expression."""
    tree = ast.parse(expressions.compiled(expr)[0], mode="eval")
    state = transforms.get(ast.unparse(tree.body).replace("\n", " ")) if isinstance(tree.body, ast.Call) else None
    return state if is_smooth(state) else None


@on_one_thread
def _fit_s(
    u: np.ndarray, k: int, bs: str, times: np.ndarray, labels: np.ndarray | None, levels: list[Any], call: Call
) -> dict[str, Any]:
    """The state of ``s`` from the rows of the fit."""
    known = ~np.isnan(u) & ~np.isnan(times) & (True if labels is None else ~pd.isna(labels))
    u, times, labels = u[known], times[known], None if labels is None else labels[known]
    start = start_of(u, k, bs, call, 0)
    values = BASES[bs].values(start.knots, u, start.functions)
    # a function that is multiplied by varying numbers keeps its constant, since no other term has it
    mean = None if np.ptp(times) > 0 else values.mean(axis=0)
    made_of, diagonals = [], []
    for level in levels:
        rows = (times != 0) & (True if labels is None else labels == level)
        count = len(np.unique(u[rows]))
        enough = count >= start.null.shape[1]
        made = natural(values * (times * rows)[:, None], mean, start.bent, start.null) if enough else None
        if made is None:
            where = "where by is not 0" if labels is None else f"for level {level!r} of by"
            raise DataError(f"{call.column(0)} has {count} different value(s) {where}: too few for a smooth function of it.")
        made_of.append((start.functions @ made[0]).tolist())
        diagonals.append(made[1].tolist())
    return {
        KIND: "s", "bs": bs, "knots": start.knots.tolist(), "levels": levels, "coefs": made_of, "diagonals": diagonals,
        "names": [str(level) for level in levels], "blocks": list(range(len(levels))),
    }  # fmt: skip


@on_one_thread
def _fit_te(
    rows: list[np.ndarray], sizes: list[int], kinds: list[str], times: np.ndarray, labels: np.ndarray | None,
    levels: list[Any], call: Call,
) -> dict[str, Any]:
    """The state of ``te`` from the rows of the fit."""
    covariates = covariates_of(call, len(rows))
    known = np.logical_and.reduce([~np.isnan(row) for row in (*rows, times)]) & (True if labels is None else ~pd.isna(labels))
    rows, times, labels = [row[known] for row in rows], times[known], None if labels is None else labels[known]
    margins, diagonals = [], []
    for j, (u, k, bs) in enumerate(zip(rows, sizes, kinds, strict=True)):
        margin, diagonal = margin_of(u, k, bs, call, j)
        margins.append(margin)
        diagonals.append(diagonal)
    values, entries = _tensor(rows, margins), np.array(tensor_diagonals(diagonals))
    means = None if np.ptp(times) > 0 else values[:, 1:].mean(axis=0).tolist()
    values, entries = _centred(values, means), entries if means is None else entries[:, 1:]
    state: dict[str, Any] = {KIND: "te", "margins": margins, "means": means, "levels": levels}

    def of_level(j: int) -> np.ndarray:
        return values * (times * np.asarray(True if labels is None else labels == levels[j]))[:, None]

    squares = [(of_level(j) ** 2).mean(axis=0) for j in range(len(levels))]
    return state | scaled_levels(state, entries, covariates, labels is not None, call, len(values), squares,
                                 lambda j, sds, flat: of_level(j)[:, flat] / sds[flat])  # fmt: skip


def covariates_of(call: Call, count: int) -> list[str]:
    """Names of the covariates of a tensor product."""
    names = [call.arguments.get(j, str(j + 1)).strip("`") for j in range(count)]
    for name in names:
        if names.count(name) > 1:
            raise ArgumentError(f"`{call.text}`: {name!r} stands twice among the covariates.")
    return names


def margin_of(u: np.ndarray, k: int, bs: str, call: Call, j: int) -> tuple[dict[str, Any], np.ndarray]:
    """One basis of a tensor product of some values, in coordinates that make its penalty diagonal, and the diagonal."""
    start = start_of(u, k, bs, call, j)
    bent, null, functions = start.bent, start.null, start.functions
    if not BASES[bs].valued:  # weights are made function values, so that the penalties of all margins mean the same
        points = np.linspace(u.min(), u.max(), k)
        there = BASES[bs].values(start.knots, points, functions)
        if np.linalg.cond(there) > UNSTABLE:
            raise DataError(f"{call.column(j)} lies so unevenly that {k} functions of bs={bs!r} cannot be told apart by "
                            "their values at equal steps; take bs='cr', or a smaller k.")  # fmt: skip
        at = np.linalg.inv(there)
        bent, null, functions = np.linalg.solve(at, bent), np.linalg.solve(at, null), functions @ at
    turn, diagonal = turned_margin(bent, null)
    return {"bs": bs, "knots": start.knots.tolist(), "coefs": (functions @ turn).tolist()}, diagonal


def scaled_levels(
    state: Mapping[str, Any], entries: np.ndarray, covariates: Sequence[str], named: bool, call: Call, n: int,
    squares: Sequence[np.ndarray], flat_part: Callable[[int, np.ndarray, np.ndarray], np.ndarray],
) -> dict[str, Any]:
    """Standard deviations and penalties of a tensor product's columns, level by level.

    Parameters
    ----------
    state : mapping
        With the levels.
    entries : (penalties, columns) array
        Diagonals of the penalties.
    covariates : sequence of str
    named : bool
        Whether levels are those of a factor.
    call : Call
    n : int
        Rows.
    squares : sequence of arrays
        Of each level the mean squares of the columns.
    flat_part : callable
        ``(level, sds, flat)``: the level's columns that no penalty holds, divided by their standard deviations, or a matrix
        with the same cross products.
    """
    flat: Any = ~entries.any(axis=0)
    made: dict[str, list[Any]] = {"sds": [], "names": [], "blocks": [], "diagonals": []}
    for j, level in enumerate(state["levels"]):
        sds = np.sqrt(squares[j])
        some = sds.any()
        sds[sds <= 1e-10 * sds.max()] = sds.max() or 1.0  # nothing is known of such a column: its penalty alone holds it
        size = np.linalg.svd(flat_part(j, sds, flat) / np.sqrt(n), compute_uv=False) if flat.any() else sds
        if not some or (flat.any() and (n < flat.sum() or size[-1] < 1e-7)):
            where = f", for level {level!r} of by," if named else ""
            raise DataError(f"`{call.text}`: the data do not tell apart{where} what is not penalised, straight lines in one "
                            "covariate and their products: too few rows, or one covariate is made of others.")  # fmt: skip
        made["sds"].append(sds.tolist())
        for name, diagonal in zip(covariates, entries / sds**2, strict=True):
            made["names"].append(f"{level}, {name}" if named else name)
            made["blocks"].append(j)
            made["diagonals"].append((diagonal / np.exp(np.log(diagonal[diagonal > 0]).mean())).tolist())
    return made


def tensor_values(rows: list[np.ndarray], margins: Sequence[Mapping[str, Any]], means: Sequence[float] | None) -> np.ndarray:
    """Columns of a tensor product at some rows, without multipliers and scales."""
    return _centred(_tensor(rows, margins), means)


def _centred(values: np.ndarray, means: Sequence[float] | None) -> np.ndarray:
    """Products of margins without the constant, with sums 0 over the rows of the fit; all of them where no means are kept."""
    return values if means is None else values[:, 1:] - np.array(means)


def _tensor(rows: list[np.ndarray], margins: Sequence[Mapping[str, Any]]) -> np.ndarray:
    return tensor_columns([_values(m["bs"], m["knots"], row, m["coefs"]) for row, m in zip(rows, margins, strict=True)])


@on_one_thread
def _values(bs: str, knots: Sequence[float], u: np.ndarray, coefs: Sequence[Sequence[float]]) -> np.ndarray:
    """Splines, (n, p), at some values; NaN where a value is not a number."""
    missing = np.isnan(u)
    values = BASES[bs].values(np.array(knots), np.where(missing, knots[0], u), np.array(coefs))
    values[missing] = np.nan
    return values


def _columns(values: np.ndarray, codes: np.ndarray, width: int, state: Mapping[str, Any]) -> Any:
    """Columns by name; those of levels have the level before their number."""
    values[codes < 0] = np.nan  # by is missing there
    named = state["by"] == "levels"
    names = [f"{level}, {j + 1}" if named else str(j + 1) for level in state["levels"] for j in range(width)]
    return FactorValues(
        {name: values[:, j] for j, name in enumerate(names)}, kind="numerical", spans_intercept=False,
        format="{name}[{field}]", encoded=False,
    )  # fmt: skip


def start_of(u: np.ndarray, k: int, bs: str, call: Call, position: int) -> Start:
    """The basis for some values; `DataError` where too few of them differ, or differ by enough."""
    unique = np.unique(u)
    if len(unique) < k:
        enough = len(unique) >= BASES[bs].least
        raise DataError(
            f"{call.column(position)} has {len(unique)} different value(s), fewer than k = {k}: "
            + (f"make k at most {len(unique)}." if enough else "it is better linear, or a factor.")
        )
    knots = quantile_knots(unique, k)
    halves = knots / 2  # whose range is never infinite
    if bs != "ps" and not np.diff(halves).min() > 1e-12 * (halves[-1] - halves[0]):
        raise DataError(f"{call.column(position)} has values so close together, beside others far off, that knots cannot be "
                        "told apart; take a smaller k, or the logarithm.")  # fmt: skip
    return BASES[bs].start(unique, k)
