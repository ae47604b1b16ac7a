"""What stateful transforms remember, found by passes over data in parts: the same, to rounding, as from all rows at once.

A learner is a generator (see `passes`) that is given the arguments of a call, as `inspect` binds them, and returns the state
that the call would have filled in. This module imports formulaic and is imported only where a formula is evaluated.
"""

from __future__ import annotations

import inspect
from collections.abc import Callable, Generator
from typing import Any

import numpy as np
from formulaic.transforms import TRANSFORMS

from neuralstat.formula import splines
from neuralstat.formula.passes import Distinct, Each, Learner, Question, Sum, distinct_quantiles, quantiles

Given = dict[str, Any]
_NEAR = ("clip", "na", "zero")  # what is beyond the boundary knots has no part in the quantiles
_SPARE = 100  # values beside those that a basis needs


def bound(function: Callable[..., Any], args: tuple[Any, ...], words: dict[str, Any]) -> Given:
    """Arguments of a call by name, but for the first, with their defaults."""
    call = inspect.signature(function).bind(None, *args, **words)
    call.apply_defaults()
    first = next(iter(call.arguments))
    return {name: value for name, value in call.arguments.items() if name != first and not name.startswith("_")}


# means and standard deviations -------------------------------------------------------------------------------


def _scale(given: Given) -> Learner:
    return (yield from _scaled(given["center"], given["scale"], given["ddof"]))


def _standardize(given: Given) -> Learner:
    return (yield from _scaled(given["center"], given["rescale"], given["ddof"]))


def _center(given: Given) -> Learner:
    return (yield from _scaled(True, False, 1))


def _scaled(center: Any, scale: Any, ddof: float) -> Learner:
    state: dict[str, Any] = {"ddof": ddof, "center": None, "scale": None}
    n = yield Sum(_count)
    if not isinstance(center, bool):
        state["center"] = np.array(center)
    elif center:
        state["center"] = ((yield Sum(_total)) / n)[()]
    if not isinstance(scale, bool):
        state["scale"] = np.array(scale)
    elif scale:
        middle = 0.0 if state["center"] is None else state["center"]
        state["scale"] = np.sqrt((yield Sum(_squares, (middle,))) / (n - ddof))[()]
    return state


def _count(values: np.ndarray) -> np.ndarray:
    return np.array(len(values))


def _total(values: np.ndarray) -> np.ndarray:
    return values.sum(axis=0)


def _squares(values: np.ndarray, middle: Any) -> np.ndarray:
    return ((values - middle) ** 2).sum(axis=0)


# orthogonal polynomials --------------------------------------------------------------------------------------


def _poly(given: Given) -> Learner:
    """Coefficients of the recurrence of orthogonal polynomials, degree by degree."""
    alpha: dict[int, float] = {}
    norms: dict[int, float] = {}
    for k in range(given["degree"] + 1):
        norms[k], moment = (yield Sum(_recurrence, (alpha, norms)))
        if k < given["degree"]:
            alpha[k] = moment / norms[k]
    return {"alpha": alpha, "norms2": norms}


def _recurrence(values: np.ndarray, alpha: dict[int, float], norms: dict[int, float]) -> np.ndarray:
    """Sums of P^2 and x P^2 of the next polynomial P."""
    x = values[~np.isnan(values)]
    before, last = np.zeros(x.size), np.ones(x.size)
    for k, a in alpha.items():
        before, last = last, (x - a) * last - (norms[k] / norms[k - 1] * before if k else 0.0)
    return np.array([np.sum(last**2), np.sum(x * last**2)])


# splines -----------------------------------------------------------------------------------------------------


def _ends(given: Given) -> Generator[Question, Any, tuple[float, float]]:
    """Boundary knots: as given, or the least and the largest value."""
    low, high = given["lower_bound"], given["upper_bound"]
    if low is None or high is None:
        found = np.array((yield Each(_extremes)))
        if not found[:, 0].min() <= found[:, 1].max():
            raise ValueError("no value is a number")
        low = float(found[:, 0].min()) if low is None else low
        high = float(found[:, 1].max()) if high is None else high
    return low, high


def _extremes(values: np.ndarray) -> tuple[float, float]:
    known = values[~np.isnan(values)]
    return float(known.min(initial=np.inf)), float(known.max(initial=-np.inf))


def _bs(given: Given) -> Learner:
    given = dict(given)
    df, beyond = given["df"], given["extrapolation"]
    low, high = given["lower_bound"], given["upper_bound"] = yield from _ends(given)
    inner = df - given["degree"] - (1 if given["include_intercept"] else 0) if df and given["knots"] is None else 0
    if inner > 0:
        inside = (low, high) if beyond is None or beyond in _NEAR else (-np.inf, np.inf)
        if beyond is None and not (yield Sum(_within, inside)):
            inside = (-np.inf, np.inf)
        given |= {"df": None, "knots": (yield from quantiles(*inside, np.linspace(0, 1, inner + 2)[1:-1])).tolist()}
    state: dict[str, Any] = {}
    splines.bs(np.array([low, high], dtype=np.float64), **given, _state=state)
    return state


def _within(values: np.ndarray, low: float, high: float) -> np.ndarray:
    return np.count_nonzero((values >= low) & (values <= high))  # type: ignore[return-value]


def _cubic(given: Given) -> Learner:
    """Of natural and cyclic cubic splines, whose knots are quantiles of the different values."""
    given = dict(given)
    low, high = given["lower_bound"], given["upper_bound"] = yield from _ends(given)
    df, constraints, cyclic = given["df"], given["constraints"], given["cyclic"]
    spline = TRANSFORMS["cc" if cyclic else "cr"]
    apart = np.linspace(low, high, _SPARE + (df if isinstance(df, int) else 0))
    spline(apart, **given, _state={})  # says what is wrong with the arguments
    if df is not None:
        held = 1 if isinstance(constraints, str) else 0 if constraints is None else len(np.atleast_2d(constraints))
        inner = df - 2 + held + bool(cyclic)
        knots = np.zeros(0)
        if inner > 0:
            ordered = yield Distinct(_kept, (low, high))
            if ordered.size == 0:
                raise ValueError(f"no value lies between the boundary knots {low:g} and {high:g}")
            knots = distinct_quantiles(ordered, np.linspace(0, 100, inner + 2)[1:-1] / 100)
            if np.unique([low, *knots, high]).size < inner + 2:
                between = f"{ordered.size} different value(s) between {low:g} and {high:g}"
                raise ValueError(f"{between} do not give {inner} inner knots")
        given |= {"df": None, "knots": knots}
    if isinstance(constraints, str):
        beyond = given["extrapolation"] if given["extrapolation"] in ("clip", "na") else "extend"
        plain = {"knots": given["knots"], "lower_bound": low, "upper_bound": high, "extrapolation": beyond}
        sums = yield Sum(_column_sums, (cyclic, plain))
        given["constraints"] = (sums[1:] / sums[0])[np.newaxis]
    state: dict[str, Any] = {}
    spline(np.array([low, high], dtype=np.float64), **given, _state=state)
    return state


def _kept(values: np.ndarray, low: float, high: float) -> np.ndarray:
    return values[(values >= low) & (values <= high)]


def _column_sums(values: np.ndarray, cyclic: bool, given: Given) -> np.ndarray:
    """Number of rows, and sums of the columns of a spline without constraints."""
    if not values.size:
        values = np.array([given["lower_bound"]])
        return 0 * _column_sums(values, cyclic, given)
    made = TRANSFORMS["cc" if cyclic else "cr"](values, **given, _state={})
    return np.array([values.size, *(np.sum(column) for column in made.values())])


#: Learners by the function that a formula calls.
LEARNERS: dict[Callable[..., Any], Callable[[Given], Learner]] = {
    TRANSFORMS["scale"]: _scale, TRANSFORMS["center"]: _center, TRANSFORMS["standardize"]: _standardize,
    TRANSFORMS["poly"]: _poly, splines.bs: _bs, TRANSFORMS["cr"]: _cubic, TRANSFORMS["cs"]: _cubic, TRANSFORMS["cc"]: _cubic,
}  # fmt: skip


def stateless(function: Callable[..., Any], given: Given) -> bool:
    """Whether a call remembers nothing."""
    return function is TRANSFORMS["poly"] and bool(given["raw"])
