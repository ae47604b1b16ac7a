"""Running a user's Python function on symbols.

The function is copied with its global and closed-over names bound to versions that understand symbols, so that
``math.exp`` (which would ask for a float), names imported from `math`, and names that were never defined
(``lambda x: log(1 + exp(x))``) all work; numpy's functions find their way through numpy's dispatch protocols.
``if`` on a symbol is explored both ways.
"""

from __future__ import annotations

import contextlib
import contextvars
import functools
import numbers
from collections.abc import Callable, Iterator
from typing import Any

import numpy as np
import sympy

from neuralstat.symbolic import operations as op

_MAX_RUNS, _MAX_QUESTIONS = 256, 40


class NotTraceable(Exception):
    """Something in the function is not understood; the message is a clause that says what."""


class Tracer:
    """A symbolic real number that records what is done with it."""

    __array_priority__ = 1000
    __slots__ = ("expression",)

    def __init__(self, expression: sympy.Expr) -> None:
        self.expression = expression

    def __array_ufunc__(self, ufunc: np.ufunc, method: str, *inputs: Any, **options: Any) -> Any:
        if method != "__call__" or options:
            raise NotTraceable(f"np.{ufunc.__name__}.{method} with {sorted(options)} is not understood")
        return apply(ufunc.__name__, *inputs)

    def __array_function__(self, function: Callable, kinds: Any, args: Any, kwargs: Any) -> Any:
        return apply(function.__name__, *args, **kwargs)

    def __array__(self, *args: Any, **kwargs: Any) -> Any:
        raise NotTraceable("turning the argument into a numpy array is not understood")

    def __float__(self) -> float:
        raise NotTraceable("turning the argument into a float, or a function that does so, is not understood")

    __int__ = __index__ = __complex__ = __float__  # type: ignore[assignment]

    def __bool__(self) -> bool:
        condition = self.expression if is_condition(self.expression) else op.not_equal(self.expression, 0)
        return _answer(condition)

    def __hash__(self) -> int:
        return hash(self.expression)

    def __iter__(self) -> Any:
        raise NotTraceable("the argument is one number, not a sequence")

    def __getattr__(self, name: str) -> Any:
        raise NotTraceable(f"the argument is one number and has no {name!r} here")

    def astype(self, dtype: Any) -> Tracer:
        """Conversions to float are nothing to record."""
        if np.dtype(dtype).kind != "f" and not is_condition(self.expression):
            raise NotTraceable(f"astype({dtype!r}) is not understood")
        return self

    def clip(self, *args: Any, **kwargs: Any) -> Any:
        """As ``np.clip``."""
        return apply("clip", self, *args, **kwargs)


def is_condition(u: sympy.Expr) -> bool:
    """Whether an expression can only be 0 or 1."""
    if isinstance(u, (op.greater, op.greater_equal, op.equal, op.not_equal)) or u in (0, 1):
        return True
    if isinstance(u, (op.maximum, op.minimum)):
        return all(map(is_condition, u.args))
    if u.is_Add:  # negation: 1 - condition
        return len(u.args) == 2 and u.args[0] == 1 and is_condition(-u.args[1])
    return False


def expression_of(value: Any) -> sympy.Expr:
    """Sympy form of a tracer or a constant."""
    if isinstance(value, Tracer):
        return value.expression
    if isinstance(value, np.ndarray) and value.ndim == 0 and value.dtype.kind in "biuf":
        value = value.item()
    if isinstance(value, (bool, np.bool_)):
        return sympy.Integer(int(value))
    if isinstance(value, numbers.Real):
        return op.number(int(value) if isinstance(value, numbers.Integral) else float(value))
    if isinstance(value, np.ndarray):
        raise NotTraceable(f"an array of shape {value.shape} is not a number")
    raise NotTraceable(f"a value of type {type(value).__name__} is not a number")


def apply(name: str, *args: Any, **kwargs: Any) -> Tracer:
    """Apply the function of this name (numpy's, math's, scipy.special's or R's) to tracers and numbers."""
    rule = RULES.get(name)
    if rule is None:
        raise NotTraceable(f"the function {name!r} is not understood")
    keywords = {key: value if value is None else expression_of(value) for key, value in kwargs.items()}
    try:
        return Tracer(rule(*(a if a is None else expression_of(a) for a in args), **keywords))
    except TypeError as error:
        raise NotTraceable(f"the call of {name!r} is not understood: {error}") from error


def _power(u: Any, v: Any) -> Any:
    return sympy.exp(v) if u == sympy.E else u**v


def _condition(u: Any) -> Any:
    return u if is_condition(u) else op.not_equal(u, 0)


def _clip(a: Any, a_min: Any = None, a_max: Any = None, *, min: Any = None, max: Any = None) -> Any:
    low, high = (a_min if a_min is not None else min), (a_max if a_max is not None else max)
    a = a if low is None else op.maximum(a, low)
    return a if high is None else op.minimum(a, high)


def _fold(pair: Callable) -> Callable:
    return lambda *values: functools.reduce(pair, values)


_AND, _OR = (
    (lambda u, v: op.minimum(_condition(u), _condition(v))),
    (lambda u, v: op.maximum(_condition(u), _condition(v))),
)
_SQRT2 = sympy.sqrt(2)

RULES: dict[str, Callable[..., Any]] = {
    "add": lambda u, v: u + v, "subtract": lambda u, v: u - v, "multiply": lambda u, v: u * v,
    "divide": lambda u, v: u / v, "true_divide": lambda u, v: u / v, "power": _power, "pow": _power,
    "float_power": _power, "negative": lambda u: -u, "positive": lambda u: u, "square": lambda u: u**2,
    "reciprocal": lambda u: 1 / u, "sqrt": sympy.sqrt, "cbrt": lambda u: op.sign(u) * op.absolute(u) ** sympy.Rational(1, 3),
    "hypot": lambda u, v: sympy.sqrt(u**2 + v**2),
    "exp": sympy.exp, "exp2": lambda u: 2**u, "expm1": lambda u: op.expm1(u), "log": lambda u, base=None: sympy.log(u) if base is None else sympy.log(u) / sympy.log(base),
    "log1p": lambda u: op.log1p(u), "log2": lambda u: sympy.log(u) / sympy.log(2), "log10": lambda u: sympy.log(u) / sympy.log(10),
    "logaddexp": lambda u, v: op.logaddexp(u, v),
    "sin": sympy.sin, "cos": sympy.cos, "tan": sympy.tan, "sinh": sympy.sinh, "cosh": sympy.cosh, "tanh": sympy.tanh,
    "arcsin": sympy.asin, "arccos": sympy.acos, "arctan": sympy.atan, "arcsinh": sympy.asinh, "arccosh": sympy.acosh,
    "arctanh": sympy.atanh, "asin": sympy.asin, "acos": sympy.acos, "atan": sympy.atan, "asinh": sympy.asinh,
    "acosh": sympy.acosh, "atanh": sympy.atanh,
    "abs": op.absolute, "absolute": op.absolute, "fabs": op.absolute, "sign": op.sign, "floor": op.floor, "ceil": op.ceil,
    "maximum": _fold(op.maximum), "fmax": _fold(op.maximum), "max": _fold(op.maximum), "pmax": _fold(op.maximum),
    "minimum": _fold(op.minimum), "fmin": _fold(op.minimum), "min": _fold(op.minimum), "pmin": _fold(op.minimum),
    "clip": _clip, "where": lambda c, u, v: op.where(_condition(c), u, v), "ifelse": lambda c, u, v: op.where(_condition(c), u, v),
    "heaviside": lambda u, at_zero: op.where(op.equal(u, 0), at_zero, op.greater(u, 0)),
    "greater": lambda u, v: op.greater(u, v), "less": lambda u, v: op.greater(v, u),
    "greater_equal": lambda u, v: op.greater_equal(u, v), "less_equal": lambda u, v: op.greater_equal(v, u),
    "equal": lambda u, v: op.equal(u, v), "not_equal": lambda u, v: op.not_equal(u, v),
    "logical_and": _AND, "logical_or": _OR, "logical_not": lambda u: 1 - _condition(u),
    "bitwise_and": _AND, "bitwise_or": _OR, "invert": lambda u: 1 - _condition(u),
    "isnan": lambda u: op.not_equal(u, u), "float": lambda u: u, "asarray": lambda u: u, "bool": _condition,
    "erf": sympy.erf, "erfc": sympy.erfc, "ndtr": lambda u: sympy.erfc(-u / _SQRT2) / 2, "pnorm": lambda u: sympy.erfc(-u / _SQRT2) / 2,
    "expit": lambda u: op.expit(u), "plogis": lambda u: op.expit(u), "logit": lambda u: sympy.log(u) - op.log1p(-u),
    "log_expit": lambda u: -op.softplus(-u), "lgamma": lambda u: op.lgamma(u), "gammaln": lambda u: op.lgamma(u),
    "xlogy": lambda u, v: op.where(op.equal(u, 0), 0, u * sympy.log(v)),
    "xlog1py": lambda u, v: op.where(op.equal(u, 0), 0, u * op.log1p(v)),
}  # fmt: skip


def _binary(name: str) -> tuple[Callable, Callable]:
    def forward(self: Tracer, other: Any) -> Any:
        return apply(name, self, other)

    def reflected(self: Tracer, other: Any) -> Any:
        return apply(name, other, self)

    return forward, reflected


for _method, _name in {
    "add": "add", "sub": "subtract", "mul": "multiply", "truediv": "divide", "pow": "power",
    "and": "bitwise_and", "or": "bitwise_or",
}.items():  # fmt: skip
    _forward, _reflected = _binary(_name)
    setattr(Tracer, f"__{_method}__", _forward)
    setattr(Tracer, f"__r{_method}__", _reflected)
for _method, _name in {
    "gt": "greater", "ge": "greater_equal", "lt": "less", "le": "less_equal", "eq": "equal", "ne": "not_equal",
}.items():  # fmt: skip
    setattr(Tracer, f"__{_method}__", _binary(_name)[0])
for _method, _name in {"neg": "negative", "pos": "positive", "abs": "absolute", "invert": "invert"}.items():
    setattr(Tracer, f"__{_method}__", functools.partialmethod(lambda self, _n: apply(_n, self), _name))


class _Path:
    """Answers given so far to the conditions of one run; new questions are answered yes."""

    def __init__(self, answers: list[bool]) -> None:
        self.planned = answers
        self.asked: list[tuple[sympy.Expr, bool]] = []

    def answer(self, condition: sympy.Expr) -> bool:
        for known, answer in self.asked:
            if known == condition:
                return answer
        if len(self.asked) >= _MAX_QUESTIONS:
            raise NotTraceable("a loop or recursion depends on the argument")
        position = len(self.asked)
        self.asked.append((condition, self.planned[position] if position < len(self.planned) else True))
        return self.asked[-1][1]


_PATH: contextvars.ContextVar[_Path | None] = contextvars.ContextVar("path", default=None)


def _answer(condition: sympy.Expr) -> bool:
    if condition.is_Number:
        return condition != 0
    path = _PATH.get()
    if path is None:
        raise NotTraceable("a symbol was used as a condition outside the function")
    return path.answer(condition)


@contextlib.contextmanager
def _following(path: _Path) -> Iterator[None]:
    token = _PATH.set(path)
    try:
        yield
    finally:
        _PATH.reset(token)


def explore(run: Callable[[], Any]) -> sympy.Expr:
    """Run once for every combination of outcomes of the conditions met, and join the results by `where`."""
    runs = 0

    def branch(planned: list[bool]) -> sympy.Expr:
        nonlocal runs
        runs += 1
        if runs > _MAX_RUNS:
            raise NotTraceable(f"more than {_MAX_RUNS} combinations of conditions on the argument")
        path = _Path(planned)
        with _following(path):
            result = expression_of(run())
        answers = [answer for _, answer in path.asked]
        for i in range(len(path.asked) - 1, len(planned) - 1, -1):
            result = op.where(path.asked[i][0], result, branch([*answers[:i], False]))
        return result

    return branch([])
