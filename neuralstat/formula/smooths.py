"""Penalised smooths ``s(x)`` and ``te(x, z)`` as transforms of formulas, in coordinates that make every penalty diagonal.

The functions and penalties are those of mgcv (Wood 2017, "Generalized Additive Models", 2nd ed., sections 5.3, 5.4, 5.6), up
to a constant factor per penalty, which its strength takes up. All that is found from the rows of the fit (knots, rotations,
means) is kept as plain lists, and is part of the question: refits on other rows keep it whole.
"""

import ast
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import pandas as pd
from formulaic.materializers.types import FactorValues
from formulaic.parser.types import Factor
from formulaic.utils.stateful_transforms import stateful_transform

from neuralstat.checks.values import check_choice, check_int, shown
from neuralstat.errors import ArgumentError, DataError
from neuralstat.formula import expressions, frames
from neuralstat.formula.extremes import floats
from neuralstat.formula.smooth_bases import BASES, Start, quantile_knots
from neuralstat.formula.smooth_natural import natural, tensor_columns, tensor_diagonals, turned_margin
from neuralstat.formula.tensors import is_tensor
from neuralstat.network.blas import on_one_thread

KIND = "smooth"  # the entry of a state that says that it is of one of these


@dataclass(frozen=True)
class _Call:
    """A call as messages name it: the text of the term, and the texts of its arguments by position or keyword."""

    text: str
    arguments: Mapping[int | str, str]

    @classmethod
    def of(cls, function: str, spec: Any, state: Any, context: Any) -> "_Call":
        """Find the call by its state, under whose name it stands among the transforms of a formula."""
        known = {} if spec is None else spec.transform_state
        key = next((key for key, value in known.items() if value is state), None)
        if key is None:  # called outside a formula
            return cls(f"{function}()", {})
        call: Any = ast.parse(key, mode="eval").body
        for node in ast.walk(call):
            if isinstance(node, ast.Name):
                node.id = node.id.removeprefix("_f_") if node.id.startswith("_f_") else _quoted(node.id, context)
        arguments = [*enumerate(call.args), *((word.arg, word.value) for word in call.keywords)]
        texts = {name: expressions.display(ast.unparse(node)) for name, node in arguments}
        return cls(expressions.display(ast.unparse(call)), texts)

    def where(self, values: Any, argument: int | str) -> str:
        """The term and one of its covariates, for messages."""
        text = self.arguments.get(argument, f"covariate {argument + 1}" if isinstance(argument, int) else argument)
        column = getattr(values, "name", None)
        return f"`{self.text}`: column {column!r}" if column == text.strip("`") else f"`{self.text}`: {text}"

    def column(self, position: int) -> str:
        """A covariate of which nothing but its text is known."""
        text = self.arguments.get(position, f"covariate {position + 1}").strip("`")
        return f"`{self.text}`: {text!r}"


def _quoted(identifier: str, context: Any) -> str:
    """The name, in backticks, of a column that stands under another in an expression that is evaluated."""
    if not identifier.startswith("_q_") or context is None or identifier not in context:
        return identifier
    return f"`{getattr(context[identifier], 'name', identifier)}`"


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
    call = _Call.of("s", _spec, _state, _context)
    if np.ndim(k) > 0:
        raise ArgumentError(f"`{call.text}`: k must be a whole number; a smooth of several covariates is te(x, z).")
    u = _numbers(x, call, 0)
    kind = _state.get("by") or ("none" if by is None else "levels" if _is_factor(by) else "numbers")
    times = _numbers(by, call, "by") if kind == "numbers" else np.ones(len(u))
    labels = _labels(by) if kind == "levels" else None
    if len(times) != len(u) or (labels is not None and len(labels) != len(u)):
        raise DataError(f"`{call.text}`: by has {len(by)} values, but there are {len(u)} rows.")
    if not _state:
        _state.update(_fit_s(u, _dimension(k, bs, call), bs, times, labels, call))
        _state["by"] = kind
    codes = np.zeros(len(u), dtype=np.int8) if labels is None else _codes(labels, _state["levels"], by, call)
    width = len(_state["coefs"][0][0])
    made = np.zeros((len(u), len(_state["coefs"]) * width))
    for j, coefs in enumerate(_state["coefs"]):
        rows = codes == j
        made[rows, j * width : (j + 1) * width] = _values(_state["bs"], _state["knots"], u[rows], coefs) * times[rows, None]
    made[codes < 0] = np.nan  # by is missing there
    names = [f"{level}, {j + 1}" for level in _state["levels"] for j in range(width)]
    return _columns(made, names if kind == "levels" else [str(j + 1) for j in range(width)])


# fmt: off
@stateful_transform
def te(
    x: Any, *others: Any, k: Any = 5, bs: Any = "cr", _state: Any = None, _spec: Any = None, _context: Any = None
) -> Any:
    # fmt: on
    """Penalised smooth function of several covariates, the tensor product of splines: mgcv's ``te(x, z, k=k, bs=bs)``.

    Parameters
    ----------
    x, *others : arrays of numbers, shape (n,)
        Two covariates or more.
    k : int or sequence of int
        Dimension of the basis of each covariate.
    bs : str or sequence of str
        Kind of the basis of each covariate, as in `s`.

    Returns
    -------
    FactorValues
        Product of all k, minus 1, columns. Each covariate has a penalty and a strength of its own: with function values (at
        the knots of "cr" and "cc", at equal steps of "ps") as coefficients of each margin, the penalties are the Kronecker
        products of S_x and I, and of I and S_z. Orthogonal rotations of the margins make both diagonal, with the constant as
        one coordinate, which is dropped; the columns sum to 0 over the rows of the fit, and have variance 1.

    Raises
    ------
    ArgumentError, DataError
        As `s`; for one covariate; for k or bs of another length.
    """
    call = _Call.of("te", _spec, _state, _context)
    if not others:
        raise ArgumentError(f"`{call.text}`: te() is for two covariates or more; a smooth of one is s(x).")
    rows = [_numbers(v, call, j) for j, v in enumerate((x, *others))]
    for j, row in enumerate(rows):
        if len(row) != len(rows[0]):
            raise DataError(f"`{call.text}`: covariate {j + 1} has {len(row)} values, the first has {len(rows[0])}.")
    if not _state:
        kinds = _each(bs, len(rows), "bs", call)
        sizes = _each(k, len(rows), "k", call)
        _state.update(_fit_te(rows, [_dimension(a, b, call) for a, b in zip(sizes, kinds)], kinds, call))
    if len(rows) != len(_state["margins"]):
        raise DataError(f"`{call.text}`: the model has {len(_state['margins'])} covariates here, not {len(rows)}.")
    values = _tensor(rows, _state["margins"])
    values = (values[:, 1:] - np.array(_state["means"])) / np.array(_state["sds"])
    return _columns(values, [str(j + 1) for j in range(values.shape[1])])


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
        `by`, or the covariate of ``te``. What is not penalised at all has 0 in all of them.
    """
    names, diagonals = state["names"], state["diagonals"]
    if state[KIND] == "te":
        return {name: np.array(diagonal) for name, diagonal in zip(names, diagonals, strict=True)}
    width = len(diagonals[0])
    made = {name: np.zeros(len(names) * width) for name in names}
    for j, (name, diagonal) in enumerate(zip(names, diagonals, strict=True)):
        made[name][j * width : (j + 1) * width] = diagonal
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
    u: np.ndarray, k: int, bs: str, times: np.ndarray, labels: np.ndarray | None, call: _Call
) -> dict[str, Any]:
    """The state of ``s`` from the rows of the fit."""
    known = ~np.isnan(u) & ~np.isnan(times) & (True if labels is None else ~pd.isna(labels))
    u, times, labels = u[known], times[known], None if labels is None else labels[known]
    start = _start(u, k, bs, call, 0)
    values = BASES[bs].values(start.knots, u, start.functions)
    # a function that is multiplied by varying numbers keeps its constant, since no other term has it
    mean = None if np.ptp(times) > 0 else values.mean(axis=0)
    levels = [""] if labels is None else _order(labels)
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
        "names": [str(level) for level in levels],
    }  # fmt: skip


@on_one_thread
def _fit_te(rows: list[np.ndarray], sizes: list[int], kinds: list[str], call: _Call) -> dict[str, Any]:
    """The state of ``te`` from the rows of the fit."""
    known = np.logical_and.reduce([~np.isnan(row) for row in rows])
    margins, diagonals = [], []
    for j, (row, k, bs) in enumerate(zip(rows, sizes, kinds, strict=True)):
        u = row[known]
        start = _start(u, k, bs, call, j)
        bent, null, functions = start.bent, start.null, start.functions
        if not BASES[bs].valued:  # weights are made function values, so that the penalties of all margins mean the same
            points = np.linspace(u.min(), u.max(), k)
            at = np.linalg.inv(BASES[bs].values(start.knots, points, functions))
            bent, null, functions = np.linalg.solve(at, bent), np.linalg.solve(at, null), functions @ at
        turn, diagonal = turned_margin(bent, null)
        margins.append({"bs": bs, "knots": start.knots.tolist(), "coefs": (functions @ turn).tolist()})
        diagonals.append(diagonal)
    values = _tensor([row[known] for row in rows], margins)[:, 1:]
    means, sds = values.mean(axis=0), values.std(axis=0)
    sds[sds <= 1e-10 * sds.max()] = sds.max()  # nothing is known of such a column: its penalty alone holds it
    entries = [d[1:] / sds**2 for d in tensor_diagonals(diagonals)]
    entries = [d / np.exp(np.log(d[d > 0]).mean()) for d in entries]
    names = [call.arguments.get(j, str(j + 1)).strip("`") for j in range(len(rows))]
    return {
        KIND: "te", "margins": margins, "means": means.tolist(), "sds": sds.tolist(), "names": names,
        "diagonals": [d.tolist() for d in entries],
    }  # fmt: skip


def _tensor(rows: list[np.ndarray], margins: Sequence[Mapping[str, Any]]) -> np.ndarray:
    return tensor_columns([_values(m["bs"], m["knots"], row, m["coefs"]) for row, m in zip(rows, margins, strict=True)])


@on_one_thread
def _values(bs: str, knots: Sequence[float], u: np.ndarray, coefs: Sequence[Sequence[float]]) -> np.ndarray:
    """Splines, (n, p), at some values; NaN where a value is not a number."""
    missing = np.isnan(u)
    values = BASES[bs].values(np.array(knots), np.where(missing, knots[0], u), np.array(coefs))
    values[missing] = np.nan
    return values


def _columns(values: np.ndarray, names: Sequence[str]) -> Any:
    return FactorValues(
        {name: values[:, j] for j, name in enumerate(names)}, kind="numerical", spans_intercept=False,
        format="{name}[{field}]", encoded=False,
    )  # fmt: skip


def _start(u: np.ndarray, k: int, bs: str, call: _Call, position: int) -> Start:
    """The basis for some values; `DataError` where too few of them differ, or differ by enough."""
    unique = np.unique(u)
    if len(unique) < k:
        enough = len(unique) >= BASES[bs].least
        raise DataError(
            f"{call.column(position)} has {len(unique)} different value(s), fewer than k = {k}: "
            + (f"make k at most {len(unique)}." if enough else "it is better linear, or a factor.")
        )
    knots = quantile_knots(unique, k)
    if not np.diff(knots / 2).min() > 1e-12 * (knots[-1] / 2 - knots[0] / 2):  # halves: their range is no infinity
        raise DataError(f"{call.column(position)} has values so close together, beside others far off, that knots cannot be "
                        "told apart; take a smaller k, or the logarithm.")  # fmt: skip
    return BASES[bs].start(unique, k)


def _dimension(k: Any, bs: Any, call: _Call) -> int:
    check_choice(bs, f"`{call.text}`: bs", tuple(BASES))
    return check_int(k, f"`{call.text}`: k (bs={bs!r})", BASES[bs].least)


def _each(value: Any, count: int, name: str, call: _Call) -> list[Any]:
    """One value for each covariate."""
    if not isinstance(value, list | tuple | np.ndarray):
        return [value] * count
    if len(value) != count:
        raise ArgumentError(f"`{call.text}`: {name} has {len(value)} values for {count} covariates: {shown(value)}.")
    return list(value)


def _is_factor(by: Any) -> bool:
    metadata = getattr(by, "__formulaic_metadata__", None)
    if metadata is not None and metadata.kind is Factor.Kind.CATEGORICAL:
        return True
    dtype = getattr(by, "dtype", None)
    return dtype is not None and (getattr(dtype, "kind", "O") == "b" or frames.is_factor(by))


def _labels(by: Any) -> np.ndarray:
    """The levels of a factor, row by row, as Python's own objects."""
    made = np.empty(len(by), dtype=object)
    made[:] = [v.item() if isinstance(v, np.generic) else v for v in pd.Series(getattr(by, "__wrapped__", by)).tolist()]
    return made


def _order(labels: np.ndarray) -> list[Any]:
    try:
        return sorted(set(labels.tolist()))
    except TypeError:  # numbers and strings together
        return sorted(set(labels.tolist()), key=str)


def _codes(labels: np.ndarray, levels: Sequence[Any], by: Any, call: _Call) -> np.ndarray:
    """Numbers of levels, row by row, -1 where missing; `DataError` for levels that were not there at the fit."""
    codes = pd.Index(list(levels), dtype=object).get_indexer(pd.Index(labels, dtype=object))
    unseen = list(dict.fromkeys(labels[(codes < 0) & ~pd.isna(labels)].tolist()))
    if unseen:
        listed = ", ".join(map(repr, levels[:20])) + (", ..." if len(levels) > 20 else "")
        raise DataError(
            f"{call.where(by, 'by')}: level(s) {', '.join(map(repr, unseen[:10]))} not among the model's levels {listed}."
        )
    return codes


def _numbers(values: Any, call: _Call, argument: int | str) -> np.ndarray:
    """A covariate as floats, (n,); NaN stays, factors, dates, arrays and infinite values are refused by name."""
    where = call.where(values, argument)
    plain = getattr(values, "__wrapped__", values)
    series = plain if isinstance(plain, pd.Series) else None
    if series is not None and (is_tensor(series) or frames.is_time(series)):
        what = "an array in every row" if is_tensor(series) else "dates or durations"
        raise DataError(f"{where} holds {what}; a smooth is of numbers.")
    if _is_factor(values) and getattr(values.dtype, "kind", "O") != "b":
        kinds = {"O": "strings" if values.dtype == object else "categories"}
        what = kinds.get(values.dtype.kind, "a factor")
        raise DataError(f"{where} holds {what}; a smooth is of numbers. A factor is a term of its own, or gives a smooth for "
                        "each level, as s(x, by=g).")  # fmt: skip
    array = np.asarray(plain)
    if array.ndim != 1 or array.dtype.kind not in "biuf":
        raise DataError(f"{where} is not one number per row (dtype {array.dtype}, shape {array.shape}).")
    made = floats(array, where)
    count = int(np.isinf(made).sum())
    if count:
        raise DataError(f"{where} is infinite in {count} row(s); drop or recode these rows.")
    return made
