"""Terms whose values for a row change with the other rows, and that keep no state for new data."""

import copy
from collections.abc import Mapping
from typing import Any

import numpy as np
import pandas as pd

from neuralstat.errors import ArgumentError, DataError
from neuralstat.formula import expressions
from neuralstat.formula.harmless import check_harmless
from neuralstat.formula.matrix import apply_matrix, evaluate
from neuralstat.formula.state import MatrixState, Scope


def unstable_terms(
    state: MatrixState, x: np.ndarray, frame: pd.DataFrame, scope: Scope, both: bool = False
) -> list[str]:
    """Find terms whose values for a row change with the other rows, such as ``{v - v.mean()}``.

    Such a term keeps no state, so that new data would be encoded differently from the data of the fit. Only
    terms with other than the functions provided are tried, on the first half of the rows: the latter are
    elementwise or keep their state.

    Parameters
    ----------
    state : MatrixState
    x : ndarray, shape (D, n)
        What `fit_matrix` gave for `frame`.
    frame : DataFrame
    scope : Scope
    both : bool
        Try them on the second half, too, which sees what goes from row to row, such as ``{np.cumsum(v)}``.

    Returns
    -------
    list of str
        Names of the terms.
    """
    suspects = [term for term in state.terms if any(_is_foreign(f, frame, scope) for f in term.factors)]
    if not suspects or len(frame) < 2:
        return []
    found: dict[str, None] = {}
    for rows in _halves(len(frame), both):
        try:
            again = apply_matrix(state, frame.iloc[rows].reset_index(drop=True), scope)
        except DataError:
            return [term.name for term in suspects]  # cannot even be evaluated on fewer rows
        start = 0
        for term in state.terms:
            if not term.is_intercept:
                part = slice(start, start := start + len(term.columns))
                same = np.allclose(again[part], x[part, rows], rtol=1e-9, atol=0, equal_nan=True)
                if term in suspects and not same:
                    found[term.name] = None
    return list(found)


def is_unstable(expr: str, frame: pd.DataFrame, scope: Scope, transforms: Mapping[str, Any]) -> bool:
    """Whether the values of a response or an offset for a row change with the other rows, on either half of them."""
    if not _is_foreign((expr, "python"), frame, scope) or len(frame) < 2:
        return False

    def values(part: pd.DataFrame) -> np.ndarray:
        made = evaluate(expr, part.reset_index(drop=True), scope, copy.deepcopy(dict(transforms)))
        return np.asarray(getattr(made, "__wrapped__", made))

    try:
        whole = values(frame)
        return not all(_alike(values(frame.iloc[rows]), whole[rows]) for rows in _halves(len(frame), True))
    except DataError:
        return True


def _halves(n: int, both: bool) -> list[slice]:
    return [slice(0, n // 2), slice(n // 2, n)][: 1 + both]


def _alike(a: np.ndarray, b: np.ndarray) -> bool:
    if a.dtype.kind in "biuf" and b.dtype.kind in "biuf":
        return a.shape == b.shape and np.allclose(a, b, rtol=1e-9, atol=0, equal_nan=True)
    return np.array_equal(a, b)


def _is_foreign(factor: tuple[str, str], frame: pd.DataFrame, scope: Scope) -> bool:
    expr, method = factor
    if method != "python":
        return False
    try:
        check_harmless(expr, tuple(frame.columns))
    except ArgumentError:
        return True
    return any(name in scope.context for name in expressions.called(expr))
