"""Running a user's Python function on symbols.

The function is copied with its global and closed-over names bound to versions that understand symbols, so
that ``math.exp`` (which would ask for a float), names imported from `math`, and names that were never defined
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
from neuralstat.symbolic.rules import RULES, is_condition

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

    __int__ = __index__ = __complex__ = __float__

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
    "gt": "greater", "ge": "greater_equal", "lt": "less", "le": "less_equal",
    "eq": "equal", "ne": "not_equal",
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
