"""Derivatives of users' own activation and error functions, by sympy.

``trace`` runs a Python function on symbols, ``differentiate`` gives its first two derivatives, and
``compile_scalar`` a C function of all three. Importing this module imports sympy, so that is done only when
a custom function is used.
"""

from __future__ import annotations

import types
from collections.abc import Callable
from typing import Any

import numpy as np
import sympy

from neuralstat.errors import ArgumentError
from neuralstat.symbolic import programs
from neuralstat.symbolic.accuracy import most_accurate
from neuralstat.symbolic.codegen import program
from neuralstat.symbolic.operations import RealFunction, derivative
from neuralstat.symbolic.rebinding import Rebinder
from neuralstat.symbolic.rewriting import rewrite, variants
from neuralstat.symbolic.tracing import NotTraceable, Tracer, apply, explore

__all__ = [
    "NotTraceable",
    "compile_scalar",
    "differentiate",
    "opaque",
    "program",
    "slope_of",
    "symbols",
    "trace",
]


def symbols(arguments: tuple[str, ...]) -> tuple[sympy.Symbol, ...]:
    """Return the real symbols that stand for arguments of these names."""
    return tuple(sympy.Symbol(name, real=True) for name in arguments)


def _traceable(function: Callable[..., Any]) -> Callable[..., Any]:
    if isinstance(function, np.ufunc):
        return lambda *values: apply(function.__name__, *values)
    rebound = Rebinder().value(function, "")
    if rebound is function and not isinstance(function, types.FunctionType):
        raise NotTraceable(f"{function!r} is not a Python function")
    return rebound


def trace(function: Callable[..., Any], arguments: tuple[str, ...]) -> sympy.Expr:
    """Symbolic expression of a Python function of real numbers.

    Parameters
    ----------
    function : callable
        Of plain arithmetic, comparisons, conditions and elementary functions (those of numpy, `math` and
        scipy.special, under whatever name, and undefined names such as ``exp``).
    arguments : tuple of str
        Names of the symbols to call it with, in the order of the function's arguments.

    Returns
    -------
    sympy.Expr
        With overflow-free forms where known, such as softplus for log(1 + exp(x)).

    Raises
    ------
    ArgumentError
        Where something in the function is not understood; the message says what.
    """
    name = getattr(function, "__name__", type(function).__name__)
    tracers = [Tracer(symbol) for symbol in symbols(arguments)]
    kind = "Activation" if len(arguments) == 1 else "Loss"
    try:
        expression = rewrite(explore(lambda: _traceable(function)(*tracers)))
    except Exception as error:  # the user's function may raise anything
        what = (
            str(error)
            if isinstance(error, (NotTraceable, ArgumentError))
            else f"{type(error).__name__}: {error}"
        )
        raise ArgumentError(
            f"the function {name!r} cannot be differentiated: {what}. Write it with arithmetic, comparisons, "
            f"np.where and functions such as exp, log, tanh, or give its derivative too: ns.{kind}(f, slope)"
        ) from error
    if expression.has(sympy.I, sympy.zoo, sympy.nan, sympy.oo, -sympy.oo):
        raise ArgumentError(
            f"the function {name!r} is not a finite real number: it simplifies to {expression}"
        )
    return expression


def opaque(name: str, arguments: tuple[str, ...]) -> sympy.Expr:
    """Call of a function that is not known as an expression, to be supplied when the program is compiled."""
    return RealFunction.named(name)(*symbols(arguments))


def _symbol(variable: sympy.Symbol | str) -> sympy.Symbol:
    return symbols((variable,))[0] if isinstance(variable, str) else variable


def slope_of(expression: sympy.Expr, variable: sympy.Symbol | str) -> sympy.Expr:
    """First derivative with respect to one argument, in its most accurate known form."""
    return most_accurate(variants(derivative(expression, _symbol(variable))))


def differentiate(expression: sympy.Expr, variable: sympy.Symbol | str) -> tuple[sympy.Expr, sympy.Expr]:
    """First and second derivative with respect to one argument; see `operations.derivative` for kinks."""
    symbol = _symbol(variable)
    plain = rewrite(derivative(expression, symbol))
    first = most_accurate(variants(plain))
    second = [*variants(derivative(plain, symbol)), *variants(derivative(first, symbol))]
    return first, most_accurate(list(dict.fromkeys(second)))


def compile_scalar(expressions: tuple[sympy.Expr, ...], arguments: tuple[str, ...]) -> int:
    """Address of the C function that writes (value, slope, curvature); see `programs.address`."""
    return programs.address(program(expressions, arguments))
