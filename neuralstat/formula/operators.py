"""formulaic's operators with bounds: products of terms are counted before they are made, powers are made step by step.

This module imports formulaic and is imported only where a formula is evaluated.
"""

import functools
from collections.abc import Callable, Iterator
from typing import Any

from formulaic.parser import DefaultFormulaParser, DefaultOperatorResolver
from formulaic.parser.types import Operator, OrderedSet, Token

from neuralstat.errors import ArgumentError
from neuralstat.formula.bounds import check_power, check_terms


class _Resolver(DefaultOperatorResolver):
    """formulaic's operators, those that multiply terms bounded."""

    @property
    def operators(self) -> list[Operator]:
        """All operators."""
        found = super().operators
        for operator in found:
            if operator.symbol in ("**", "^"):
                operator._to_terms = _power
            elif operator.symbol == "+" and operator.arity == 2:
                operator._to_terms = _sum
            elif operator.symbol in ("*", ":"):
                operator._to_terms = _counted(operator.symbol, operator._to_terms)
        return found


def _counted(symbol: str, make: Callable[..., Any]) -> Callable[..., Any]:
    def product(left: Any, right: Any) -> Any:
        check_terms(len(left) * len(right), list(left), symbol, list(right))
        return make(left, right)

    return product


def _sum(left: Any, right: Any) -> Any:
    """The left terms with the right ones behind; the left ones are this operator's own, and are added to."""
    if not isinstance(left, OrderedSet) or not isinstance(right, OrderedSet):
        return left | right
    left.values.update(right.values)
    return left


def _power(base: Any, power: Any) -> Any:
    """Products of up to so many terms, in formulaic's order; the end is reached where a step makes nothing new."""
    factors: list[Any] = list(next(iter(power)).factors) if len(power) == 1 else []
    text = factors[0].expr if len(factors) == 1 and factors[0].token and factors[0].token.kind is Token.Kind.VALUE else ""
    if not text.isdecimal() or len(text) > 4000 or int(text) < 1:
        said = str(factors[0]) if factors else ""
        raise ArgumentError(f"formula: what stands behind ** must be a whole number >= 1, got {said!r:.40}.")
    check_power(base, int(text))
    made = OrderedSet(base)
    for _ in range(int(text) - 1):
        check_terms(len(made) * len(base), list(made), ":", list(base))
        more = OrderedSet(_products(made, base))
        if list(more) == list(made):
            break
        made = more
    return made


def _products(left: Any, right: Any) -> Iterator[Any]:
    for term in left:
        for other in right:
            yield term * other


@functools.cache
def parser() -> DefaultFormulaParser:
    """The parser of right-hand sides."""
    return DefaultFormulaParser(operator_resolver=_Resolver())
