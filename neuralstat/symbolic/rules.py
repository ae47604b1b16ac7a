"""What functions of numpy, `math`, scipy.special and R mean for expressions, by name."""

from __future__ import annotations

import functools
from collections.abc import Callable
from typing import Any

import sympy
from sympy import Expr

from neuralstat.symbolic import operations as op


def is_condition(u: sympy.Expr) -> bool:
    """Whether an expression can only be 0 or 1."""
    if isinstance(u, (op.greater, op.greater_equal, op.equal, op.not_equal)) or u in (0, 1):
        return True
    if isinstance(u, (op.maximum, op.minimum)):
        return all(map(is_condition, u.args))
    if u.is_Add:  # negation: 1 - condition
        return len(u.args) == 2 and u.args[0] == 1 and is_condition(-u.args[1])
    return False


def _condition(u: Expr) -> Expr:
    return u if is_condition(u) else op.not_equal(u, 0)


def _power(u: Expr, v: Expr) -> Expr:
    return sympy.exp(v) if u == sympy.E else u**v


def _log(u: Expr, base: Expr | None = None) -> Expr:
    return sympy.log(u) if base is None else sympy.log(u) / sympy.log(base)


def _clip(a: Expr, a_min: Any = None, a_max: Any = None, *, min: Any = None, max: Any = None) -> Expr:
    low, high = (a_min if a_min is not None else min), (a_max if a_max is not None else max)
    a = a if low is None else op.maximum(a, low)
    return a if high is None else op.minimum(a, high)


def _and(u: Expr, v: Expr) -> Expr:
    return op.minimum(_condition(u), _condition(v))


def _or(u: Expr, v: Expr) -> Expr:
    return op.maximum(_condition(u), _condition(v))


def _fold(pair: Callable) -> Callable:
    return lambda first, *others: functools.reduce(pair, others, first)


def _same(u: Expr) -> Expr:
    return u


RULES: dict[str, Callable[..., Any]] = {
    "add": lambda u, v: u + v,
    "subtract": lambda u, v: u - v,
    "multiply": lambda u, v: u * v,
    "divide": lambda u, v: u / v,
    "power": _power,
    "negative": lambda u: -u,
    "positive": _same,
    "square": lambda u: u**2,
    "reciprocal": lambda u: 1 / u,
    "sqrt": sympy.sqrt,
    "cbrt": lambda u: op.sign(u) * op.absolute(u) ** sympy.Rational(1, 3),
    "hypot": lambda u, v: sympy.sqrt(u**2 + v**2),
    "exp": sympy.exp,
    "exp2": lambda u: 2**u,
    "expm1": op.expm1,
    "log": _log,
    "log1p": op.log1p,
    "log2": lambda u: _log(u, sympy.Integer(2)),
    "log10": lambda u: _log(u, sympy.Integer(10)),
    "logaddexp": op.logaddexp,
    "sin": sympy.sin,
    "cos": sympy.cos,
    "tan": sympy.tan,
    "sinh": sympy.sinh,
    "cosh": sympy.cosh,
    "tanh": sympy.tanh,
    "arcsin": sympy.asin,
    "arccos": sympy.acos,
    "arctan": sympy.atan,
    "arcsinh": sympy.asinh,
    "arccosh": sympy.acosh,
    "arctanh": sympy.atanh,
    "absolute": op.absolute,
    "sign": op.sign,
    "floor": op.floor,
    "ceil": op.ceil,
    "maximum": _fold(op.maximum),
    "minimum": _fold(op.minimum),
    "clip": _clip,
    "where": lambda c, u, v: op.where(_condition(c), u, v),
    "heaviside": lambda u, at_zero: op.where(op.equal(u, 0), at_zero, op.greater(u, 0)),
    "greater": op.greater,
    "less": lambda u, v: op.greater(v, u),
    "greater_equal": op.greater_equal,
    "less_equal": lambda u, v: op.greater_equal(v, u),
    "equal": op.equal,
    "not_equal": op.not_equal,
    "logical_and": _and,
    "logical_or": _or,
    "logical_not": lambda u: 1 - _condition(u),
    "isnan": lambda u: op.not_equal(u, u),
    "float": _same,
    "bool": _condition,
    "erf": sympy.erf,
    "erfc": op.erfc,
    "ndtr": lambda u: op.erfc(-u / sympy.sqrt(2)) / 2,
    "expit": op.expit,
    "logit": lambda u: sympy.log(u) - op.log1p(-u),
    "log_expit": lambda u: -op.softplus(-u),
    "lgamma": op.lgamma,
    "digamma": op.digamma,
    "xlogy": lambda u, v: op.where(op.equal(u, 0), 0, u * sympy.log(v)),
    "xlog1py": lambda u, v: op.where(op.equal(u, 0), 0, u * op.log1p(v)),
}

_ALIASES = {
    "true_divide": "divide", "pow": "power", "float_power": "power", "asin": "arcsin", "acos": "arccos",
    "atan": "arctan", "asinh": "arcsinh", "acosh": "arccosh", "atanh": "arctanh", "abs": "absolute",
    "fabs": "absolute", "fmax": "maximum", "max": "maximum", "pmax": "maximum", "fmin": "minimum",
    "min": "minimum", "pmin": "minimum", "ifelse": "where", "bitwise_and": "logical_and",
    "bitwise_or": "logical_or", "invert": "logical_not", "asarray": "float", "pnorm": "ndtr",
    "plogis": "expit", "gammaln": "lgamma", "psi": "digamma",
}  # fmt: skip
RULES.update({alias: RULES[name] for alias, name in _ALIASES.items()})
