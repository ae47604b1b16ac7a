"""Real elementary functions as sympy expressions, and their derivatives.

sympy's own exp, log, sin, ... are used where they exist. The others are opaque functions of real numbers,
for which sympy's complex or distributional versions (``Abs``, ``Heaviside``, ``DiracDelta``) would get in the
way: conditions are 0/1 functions with derivative 0, and ``where(c, a, b)`` has the derivative
``where(c, a', b')``.
"""

from __future__ import annotations

from typing import Any

import sympy
from sympy import Expr

from neuralstat.errors import ArgumentError
from neuralstat.jit import elementary


class RealFunction(sympy.Function):
    """A real function known by name; `operation` is its name among the elementary functions."""

    is_real = True
    operation = ""

    @classmethod
    def named(cls, name: str) -> Any:
        """Make the function with this name."""
        return type(name, (cls,), {"operation": name})


def _folded(name: str, arguments: tuple[Expr, ...]) -> Expr | None:
    """Value of a comparison or similar of plain numbers (exact for what these functions do)."""
    if all(a.is_number and a.is_comparable for a in arguments):
        return sympy.Float(float(elementary.FUNCTIONS[name][1](*map(float, arguments))))
    return None


class _Foldable(RealFunction):
    @classmethod
    def eval(cls, *arguments: Expr) -> Expr | None:
        value = _folded(cls.operation, arguments)
        return None if value is None else number(float(value))


greater = _Foldable.named("greater")
greater_equal = _Foldable.named("greater_equal")
equal = _Foldable.named("equal")
not_equal = _Foldable.named("not_equal")
sign = _Foldable.named("sign")
floor = _Foldable.named("floor")
ceil = _Foldable.named("ceil")
lgamma = RealFunction.named("lgamma")
digamma = RealFunction.named("digamma")
trigamma = RealFunction.named("trigamma")
erfc = RealFunction.named("erfc")  # sympy turns its own erfc(-u) into 2 - erfc(u), which cancels
expit = RealFunction.named("expit")
logistic_density = RealFunction.named("logistic_density")
softplus = RealFunction.named("softplus")
logcosh = RealFunction.named("logcosh")
sech2 = RealFunction.named("sech2")
logaddexp = RealFunction.named("logaddexp")
log1p = RealFunction.named("log1p")
expm1 = RealFunction.named("expm1")


class absolute(RealFunction):
    """|u|; even, and of positive things the thing itself."""

    operation = "absolute"
    is_nonnegative = True

    @classmethod
    def eval(cls, u: Expr) -> Expr | None:
        """Simplify what is certain."""
        if u.is_nonnegative:
            return u
        if u.is_nonpositive:
            return -u
        return cls(-u) if u.could_extract_minus_sign() else None


class where(RealFunction):
    """Choice by a 0/1 condition."""

    operation = "where"

    @classmethod
    def eval(cls, condition: Expr, a: Expr, b: Expr) -> Expr | None:
        """Drop a choice that is none."""
        if a == b:
            return a
        if condition.is_Number:
            return b if condition == 0 else a
        comparison = isinstance(condition, (greater, greater_equal, equal, not_equal))
        return condition if comparison and a == 1 and b == 0 else None


class maximum(RealFunction):
    """Larger of two; a number goes second, so that ties with it count as it (relu has slope 0 at 0)."""

    operation = "maximum"

    @classmethod
    def eval(cls, a: Expr, b: Expr) -> Expr | None:
        """Order the arguments, fold numbers."""
        if a.is_Number and b.is_Number:
            return a if a > b else b
        return a if a == b else (cls(b, a) if a.is_Number else None)


class minimum(RealFunction):
    """Smaller of two; see `maximum`."""

    operation = "minimum"

    @classmethod
    def eval(cls, a: Expr, b: Expr) -> Expr | None:
        """Order the arguments, fold numbers."""
        if a.is_Number and b.is_Number:
            return a if a < b else b
        return a if a == b else (cls(b, a) if a.is_Number else None)


def number(value: Any) -> Expr:
    """Sympy number of a Python number: exact for whole numbers and short binary fractions such as 0.5."""
    value = float(value) if not isinstance(value, int) else value
    if isinstance(value, int) or value.is_integer():
        if abs(value) < 2**53:
            return sympy.Integer(int(value))
        value = float(value)
    if value != value or abs(value) == float("inf"):
        raise ArgumentError(f"a custom function must not contain the constant {value}")
    numerator, denominator = value.as_integer_ratio()
    if denominator <= 1024 and abs(numerator) < 2**20:
        return sympy.Rational(numerator, denominator)
    return sympy.Float(value)


#: sympy class -> name of the elementary function
SYMPY_NAMES: dict[Any, str] = {
    sympy.exp: "exp", sympy.log: "log", sympy.sin: "sin", sympy.cos: "cos", sympy.tan: "tan",
    sympy.sinh: "sinh", sympy.cosh: "cosh", sympy.tanh: "tanh", sympy.asin: "arcsin", sympy.acos: "arccos",
    sympy.atan: "arctan", sympy.asinh: "arcsinh", sympy.acosh: "arccosh", sympy.atanh: "arctanh",
    sympy.erf: "erf", sympy.Abs: "absolute",
}  # fmt: skip


def operation_name(expression: Expr) -> str | None:
    """Name of the elementary function at the root of an expression, None for sums, products, powers."""
    if isinstance(expression, RealFunction):
        return expression.operation
    return SYMPY_NAMES.get(expression.func)


_ZERO = {"greater", "greater_equal", "equal", "not_equal", "sign", "floor", "ceil"}
_TWO_OVER_SQRT_PI = 2 / sympy.sqrt(sympy.pi)
_UNARY = {
    "exp": sympy.exp,
    "expm1": sympy.exp,
    "log": lambda u: 1 / u,
    "log1p": lambda u: 1 / (1 + u),
    "sin": sympy.cos,
    "cos": lambda u: -sympy.sin(u),
    "tan": lambda u: 1 + sympy.tan(u) ** 2,
    "sinh": sympy.cosh,
    "cosh": sympy.sinh,
    "tanh": sech2,
    "sech2": lambda u: -2 * sympy.tanh(u) * sech2(u),
    "arcsin": lambda u: 1 / sympy.sqrt(1 - u**2),
    "arccos": lambda u: -1 / sympy.sqrt(1 - u**2),
    "arctan": lambda u: 1 / (1 + u**2),
    "arcsinh": lambda u: 1 / sympy.sqrt(1 + u**2),
    "arccosh": lambda u: 1 / (sympy.sqrt(u - 1) * sympy.sqrt(u + 1)),
    "arctanh": lambda u: 1 / (1 - u**2),
    "erf": lambda u: _TWO_OVER_SQRT_PI * sympy.exp(-(u**2)),
    "erfc": lambda u: -_TWO_OVER_SQRT_PI * sympy.exp(-(u**2)),
    "absolute": sign,
    "lgamma": digamma,
    "digamma": trigamma,
    "expit": logistic_density,
    "logistic_density": lambda u: -logistic_density(u) * sympy.tanh(u / 2),
    "softplus": expit,
    "logcosh": sympy.tanh,
}


def derivative(expression: Expr, variable: sympy.Symbol) -> Expr:
    """Differentiate with respect to one symbol.

    Conventions at kinks: |u|' = sign(u), 0 at 0; comparisons, sign, floor and ceil have derivative 0; where
    the two arguments of maximum or minimum tie, the second one counts (a number, if there is one).

    Raises
    ------
    ArgumentError
        For a function without a known derivative.
    """
    known: dict[Expr, Expr] = {}

    def d(u: Expr) -> Expr:
        if u not in known:
            known[u] = _derive(u, variable, d)
        return known[u]

    return d(expression)


def _derive(u: Expr, variable: sympy.Symbol, d: Any) -> Expr:
    if u == variable:
        return sympy.S.One
    if variable not in u.free_symbols:
        return sympy.S.Zero
    if u.is_Add:
        return sympy.Add(*map(d, u.args))
    if u.is_Mul:
        parts = u.args
        return sympy.Add(*(sympy.Mul(*parts[:i], d(p), *parts[i + 1 :]) for i, p in enumerate(parts)))
    if u.is_Pow:
        base, exponent = u.args
        if variable not in exponent.free_symbols:
            return exponent * base ** (exponent - 1) * d(base)
        if variable not in base.free_symbols:
            return u * sympy.log(base) * d(exponent)
        return u * (d(exponent) * sympy.log(base) + exponent * d(base) / base)
    name = operation_name(u)
    if name in _ZERO:
        return sympy.S.Zero
    if name in _UNARY:
        return _UNARY[name](u.args[0]) * d(u.args[0])
    if name == "where":
        return where(u.args[0], d(u.args[1]), d(u.args[2]))
    if name in {"maximum", "minimum"}:
        a, b = u.args
        chosen = greater(a, b) if name == "maximum" else greater(b, a)
        return where(chosen, d(a), d(b))
    if name == "logaddexp":
        a, b = u.args
        return expit(a - b) * d(a) + expit(b - a) * d(b)
    raise ArgumentError(
        f"the derivative of {name or u.func.__name__}({variable}) is not known; give the slope by hand"
    )
