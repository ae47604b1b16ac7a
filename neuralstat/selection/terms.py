"""Right-hand sides as sets of terms: their text, what may be dropped, what may be added."""

from __future__ import annotations

import ast
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np
import pandas as pd

from ..api import NeuralNet
from ..formula import Design, expressions, frames
from ..formula.parse import split_sides


@dataclass(frozen=True)
class Term:
    """A term of a formula.

    Attributes
    ----------
    name : str
        As printed, ``"a:log(b)"``.
    text : str
        As it is written in a formula.
    factors : frozenset of str
        The expressions that are multiplied; a term is marginal to those that hold all its factors.
    """

    name: str
    text: str
    factors: frozenset[str]


@dataclass(frozen=True)
class Scope:
    """All that a search over inputs may use of a formula."""

    left: str
    terms: tuple[Term, ...]
    intercept: bool
    offsets: tuple[str, ...]

    @classmethod
    def of(cls, formula: str, design: Design) -> Scope:
        """The terms of a formula, ``.`` and ``*`` expanded."""
        states = design.spec.matrix.terms
        terms = tuple(
            Term(t.name, ":".join(_text(*factor) for factor in t.factors), frozenset(e for e, _ in t.factors))
            for t in states
            if not t.is_intercept
        )
        return cls(split_sides(formula)[0], terms, any(t.is_intercept for t in states), design.spec.offset_terms)

    def formula(self, used: frozenset[Term]) -> str:
        """The formula of some of the terms, in their order."""
        parts = [t.text for t in self.terms if t in used] or ["1"]
        if not self.intercept and used:
            parts.insert(0, "0")
        return f"{self.left} ~ {' + '.join([*parts, *(f'offset({o})' for o in self.offsets)])}"

    def droppable(self, used: frozenset[Term]) -> list[Term]:
        """Terms that no other term used contains (marginality)."""
        return [t for t in self.terms if t in used and not any(t.factors < other.factors for other in used)]

    def addable(self, used: frozenset[Term]) -> list[Term]:
        """Terms not used, all of whose marginal terms are."""
        return [
            t for t in self.terms
            if t not in used and all(other in used for other in self.terms if other.factors < t.factors)
        ]  # fmt: skip


@dataclass(frozen=True)
class Whole:
    """A formula whose terms are not chosen; they may be arrays."""

    text: str
    terms: tuple[Term, ...] = ()

    def formula(self, used: frozenset[Term]) -> str:
        """The formula as it was written."""
        return self.text

    def droppable(self, used: frozenset[Term]) -> list[Term]:
        """None."""
        return []

    addable = droppable


def _text(expr: str, method: str) -> str:
    if method == "lookup":
        return f"`{expr}`" if not expr.isidentifier() else expr
    call: Any = expressions.parse(expr)[0].body
    return expr if isinstance(call, ast.Call) else f"{{{expr}}}"


def prepared(
    formula: str, data: Any, settings: dict[str, Any], more: Mapping[str, Any]
) -> tuple[dict[str, Any], pd.DataFrame, Scope]:
    """Rows that are complete for all terms, arrays among the settings on these rows, and the terms."""
    whole = NeuralNet.from_formula(formula, data, **{**settings, **more, "hidden": 0})
    kept = whole.design.kept
    frame = frames.as_frame(data).loc[kept]
    settings = dict(settings)
    for name in ("weights", "freq_weights", "var_weights", "offset"):
        value = settings.get(name)
        if value is not None and not isinstance(value, str):
            array = np.asarray(value)
            settings[name] = array[kept] if array.shape[0] == kept.size else array
    return settings, frame, Scope.of(formula, whole.design)
