"""What is kept of a right-hand side: its terms, the states of its transforms, its levels; plain data."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from neuralstat.checks.values import StoredText
from neuralstat.formula import expressions

__all__ = ["CODED", "WITH_LEVELS", "MatrixState", "Scope", "StoredText", "TermState"]

CODED = ("_f_codes(", "_f_slopes(")  # calls whose states have levels, and combinations of them
WITH_LEVELS = ("_f_nn(", *CODED)


@dataclass(frozen=True)
class TermState:
    """One term of the right-hand side, as plain data.

    Attributes
    ----------
    factors : tuple of (expression, evaluation method)
        The method is formulaic's: ``"lookup"``, ``"python"`` or ``"literal"``.
    scoped : tuple of (tuple of (expression, reduced), scale)
        Which factors are coded with one level less, for every part of the term.
    columns : tuple of str
        Model-matrix columns that the term makes.
    """

    factors: tuple[tuple[str, str], ...]
    scoped: tuple[tuple[tuple[tuple[str, bool], ...], float], ...]
    columns: tuple[str, ...]

    @property
    def name(self) -> str:
        """The term as text, ``a:log(b)``."""
        return ":".join(expressions.display(expr) for expr, _ in self.factors)

    @property
    def is_intercept(self) -> bool:
        """Whether the term is the constant 1, which makes no column of x."""
        return all(method == "literal" for _, method in self.factors)


@dataclass(frozen=True)
class MatrixState:
    """All that is needed to build the same columns from new data.

    Attributes
    ----------
    terms : tuple of TermState
    transforms : dict
        State of stateful transforms (knots, centres, ...), by expression.
    levels : dict of str to (kind, list of levels or None)
        For every factor expression formulaic's kind and, for categorical ones, the levels.
    """

    terms: tuple[TermState, ...]
    transforms: dict[str, Any]
    levels: dict[str, tuple[str, list[Any] | None]]


@dataclass(frozen=True)
class Scope:
    """Where the names of expressions come from, besides the data.

    Attributes
    ----------
    context : mapping
        The user's own names; they go before the functions provided.
    constants : tuple of str
        Names of `context` that a stored model may read.
    trusted : bool
        False for a model read from a file: only harmless expressions are evaluated.
    """

    context: Mapping[str, Any]
    constants: tuple[str, ...] = ()
    trusted: bool = True
