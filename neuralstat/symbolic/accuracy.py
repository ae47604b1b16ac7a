"""Choice among equivalent expressions by their rounding error at sample points.

Which of two algebraically equal forms cancels, and which overflows, is hard to see from the formula and easy
to measure: each form runs in float64, and the reference is computed by mpmath with 60 digits.
"""

from __future__ import annotations

import itertools
import math
from collections.abc import Callable
from typing import Any

import mpmath
import numpy as np
import sympy

from neuralstat.symbolic.codegen import program
from neuralstat.symbolic.programs import Program, Tree, python_function

_DIGITS = 60
_ONE_ARGUMENT = (0.3, 1.7, 1e-3, 0.9999, 1e-7, 6.0, 21.0, 400.0, 800.0)
_TWO_ARGUMENTS = (0.3, 1.0, 0.9999999, 1e-6, 2.7, 35.0, 800.0, 0.0)


def _where(condition: Any, a: Any, b: Any) -> Any:
    return a if condition != 0 else b


def _exp(u: Any) -> Any:
    """Exponential; mpmath would try to compute exp(exp(800)) with its e^800 bits."""
    if u > 1e5:
        raise OverflowError
    return mpmath.mpf(0) if u < -1e5 else mpmath.exp(u)


def _cosh(u: Any) -> Any:
    return (_exp(u) + _exp(-u)) / 2


def _bounded(function: Callable[..., Any], limit: float = 1e9) -> Callable[..., Any]:
    def bounded(*arguments: Any) -> Any:
        if any(abs(a) > limit for a in arguments):
            raise OverflowError
        return function(*arguments)

    return bounded


def _power(u: Any, v: Any) -> Any:
    if abs(v) > 1e4 or abs(u) > mpmath.mpf("1e100000"):
        raise OverflowError
    return u**v


#: mpmath's version of each elementary function; exact definitions, since mpmath does not overflow
MPMATH: dict[str, Callable[..., Any]] = {
    "+": lambda *terms: mpmath.fsum(terms), "*": lambda *factors: mpmath.fprod(factors),
    "-": lambda u: -u, "/": lambda u, v: u / v, "**": _power,
    "exp": _exp, "log": mpmath.log, "log1p": lambda u: mpmath.log(1 + u), "expm1": lambda u: _exp(u) - 1,
    "sqrt": mpmath.sqrt,
    "sin": _bounded(mpmath.sin), "cos": _bounded(mpmath.cos), "tan": _bounded(mpmath.tan),
    "sinh": lambda u: (_exp(u) - _exp(-u)) / 2, "cosh": _cosh, "tanh": _bounded(mpmath.tanh, 1e5),
    "arcsin": mpmath.asin, "arccos": mpmath.acos, "arctan": mpmath.atan,
    "arcsinh": mpmath.asinh, "arccosh": mpmath.acosh, "arctanh": mpmath.atanh, "floor": mpmath.floor,
    "ceil": mpmath.ceil, "absolute": abs, "erf": _bounded(mpmath.erf, 1e4),
    "erfc": _bounded(mpmath.erfc, 1e4),
    "lgamma": _bounded(lambda u: mpmath.log(abs(mpmath.gamma(u))), 1e4),
    "digamma": _bounded(mpmath.digamma, 1e4), "trigamma": _bounded(lambda u: mpmath.polygamma(1, u), 1e4),
    "expit": lambda u: 1 / (1 + _exp(-u)),
    "logistic_density": lambda u: 1 / _cosh(u / 2) ** 2 / 4, "softplus": lambda u: mpmath.log(1 + _exp(u)),
    "logcosh": lambda u: mpmath.log(_cosh(u)), "sech2": lambda u: 1 / _cosh(u) ** 2, "sign": mpmath.sign,
    "logaddexp": lambda u, v: mpmath.log(_exp(u) + _exp(v)), "maximum": max, "minimum": min,
    "greater": lambda u, v: mpmath.mpf(u > v), "greater_equal": lambda u, v: mpmath.mpf(u >= v),
    "equal": lambda u, v: mpmath.mpf(u == v), "not_equal": lambda u, v: mpmath.mpf(u != v), "where": _where,
}  # fmt: skip


def high_precision(function: Program, *arguments: float) -> tuple[Any, Any, Any]:
    """(value, slope, curvature) of a program in mpmath's present working precision."""
    known: dict[str, Any] = dict(zip(function.arguments, map(mpmath.mpf, arguments)))

    def evaluate(tree: Tree) -> Any:
        if isinstance(tree, str):
            return known[tree]
        if not isinstance(tree, tuple):
            return mpmath.mpf(tree)
        return MPMATH[tree[0]](*map(evaluate, tree[1:]))

    for name, tree in function.steps:
        known[name] = evaluate(tree)
    value, slope, curvature = map(evaluate, function.results)
    return value, slope, curvature


def _truth(function: Program, point: tuple[float, ...]) -> Any:
    """Real value at a point, None where there is none or where it is beyond the range of floats."""
    try:
        value = high_precision(function, *point)[0]
    except (ArithmeticError, ValueError, TypeError, mpmath.libmp.NoConvergence):
        return None
    if not isinstance(value, mpmath.mpf) or not mpmath.isfinite(value) or abs(value) > 1e300:
        return None
    return value


def most_accurate(forms: list[sympy.Expr]) -> sympy.Expr:
    """Choose the form that is finite at most of the sample points, then has least error, then is shortest.

    Parameters
    ----------
    forms : list of sympy.Expr
        Algebraically equal expressions in the same symbols; the first one serves as the reference.
    """
    if len(forms) == 1:
        return forms[0]
    names = tuple(sorted({symbol.name for form in forms for symbol in form.free_symbols}))
    if not names:
        return forms[0]
    grid = _ONE_ARGUMENT if len(names) == 1 else _TWO_ARGUMENTS
    signed = [s * v for v in grid for s in ((1, -1) if len(names) == 1 or v in (0.3, 2.7, 800.0) else (1,))]
    points = list(itertools.product(signed, repeat=len(names)))
    with mpmath.workdps(_DIGITS):
        reference = program((forms[0],) * 3, names)
        known = [(point, truth) for point in points if (truth := _truth(reference, point)) is not None]
        scores = [(*_error(form, names, known), form.count_ops(), i) for i, form in enumerate(forms)]
    return forms[min(scores)[-1]]


def _error(
    form: sympy.Expr, names: tuple[str, ...], known: list[tuple[tuple[float, ...], Any]]
) -> tuple[int, int]:
    """Points where a form is not finite; lost digits (but for the last one) summed over the points."""
    function = python_function(program((form,) * 3, names))
    failures, lost = 0, 0.0
    for point, truth in known:
        value = function(*point)[0]
        if not np.isfinite(value):
            failures += 1
            continue
        error = float(abs(value - truth) / max(abs(truth), mpmath.mpf(1e-290)))
        lost += max(0.0, math.log10(error) + 15.0) if error > 0 else 0.0
    return failures, round(lost)
