"""From sympy expressions to straight-line programs."""

from __future__ import annotations

import sympy
from sympy import Expr

from neuralstat.errors import ArgumentError
from neuralstat.symbolic.operations import operation_name
from neuralstat.symbolic.programs import Program, Tree


def program(expressions: tuple[Expr, ...], arguments: tuple[str, ...]) -> Program:
    """Program for (value, slope, curvature), or a density's value and derivatives; common parts are computed once."""
    names = sympy.numbered_symbols("t", cls=sympy.Symbol, real=True)
    taken = {str(a) for a in arguments}
    free = (name for name in names if name.name not in taken)
    steps, results = sympy.cse(list(expressions), symbols=free, order="none")
    return Program(tuple(arguments), tuple((s.name, tree(e)) for s, e in steps), tuple(map(tree, results)))


def tree(u: Expr) -> Tree:
    """Tree of one expression."""
    if u.is_Symbol:
        return u.name
    constant = _constant(u)
    if constant is not None:
        return constant
    if u.is_Add:
        return ("+", *map(tree, sorted(u.args, key=_negative)))
    if u.is_Mul:
        return _product(u)
    if u.is_Pow:
        return _power(u.base, u.exp)
    name = operation_name(u)
    if name is None:
        raise ArgumentError(f"a custom function contains {u.func.__name__}, which cannot be compiled")
    return (name, *map(tree, u.args))


def _negative(u: Expr) -> bool:
    """Sort key by which sums start with a positive term where there is one."""
    return bool(u.could_extract_minus_sign())


def _constant(u: Expr) -> float | None:
    if not u.is_number:
        return None
    value = u.evalf(30)
    if not value.is_Number and not value.is_NumberSymbol:
        if value.has(sympy.I):
            raise ArgumentError(f"a custom function contains the complex constant {u}")
        return None  # one of our own functions of a constant: computed at run time
    try:
        result = float(value)
    except OverflowError:
        result = float("inf")
    if result - result != 0:
        raise ArgumentError(f"a custom function contains the constant {u}, which is not a finite number")
    return result


def _product(u: Expr) -> Tree:
    """Product with its number (1/3 as a division, for 1/3 is not a float) and its denominators set apart."""
    numbers = [factor for factor in u.args if factor.is_number]
    coefficient = sympy.Mul(*numbers)
    if coefficient.could_extract_minus_sign():
        return ("-", tree(-u))
    above: list[Tree] = []
    below: list[Tree] = []
    if coefficient.is_Rational and coefficient.q & (coefficient.q - 1):
        above += [float(coefficient.p)] if coefficient.p != 1 else []
        below.append(float(coefficient.q))
    elif coefficient != 1:
        above.append(tree(coefficient) if len(numbers) < len(u.args) else _constant_factor(numbers))
    for factor in u.args:
        if factor.is_number:
            continue
        if factor.is_Pow and factor.exp.is_Number and factor.exp.is_negative:
            below.append(_power(factor.base, -factor.exp))
        else:
            above.append(tree(factor))
    top = _joined(above)
    return ("/", top, _joined(below)) if below else top


def _constant_factor(numbers: list[Expr]) -> Tree:
    """Product of constants of which some are known at run time only."""
    return _joined([tree(factor) for factor in numbers])


def _joined(factors: list[Tree]) -> Tree:
    return ("*", *factors) if len(factors) > 1 else (factors[0] if factors else 1.0)


def _power(base: Expr, exponent: Expr) -> Tree:
    if exponent.is_Number and exponent.is_negative:
        return ("/", 1.0, _power(base, -exponent))
    if exponent == 1:
        return tree(base)
    if exponent == sympy.Rational(1, 2):
        return ("sqrt", tree(base))
    if exponent.is_Integer and exponent <= 64:
        return ("**", tree(base), int(exponent))
    if exponent.is_Rational and exponent.q == 2 and exponent.p < 8:
        return ("*", _power(base, sympy.Integer(exponent.p // 2)), ("sqrt", tree(base)))
    return ("**", tree(base), tree(exponent))
