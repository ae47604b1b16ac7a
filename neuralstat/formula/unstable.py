"""Terms whose values for a row change with the other rows, and that keep no state for new data."""

import numpy as np
import pandas as pd

from neuralstat.errors import ArgumentError, DataError
from neuralstat.formula import expressions
from neuralstat.formula.harmless import check_harmless
from neuralstat.formula.matrix import apply_matrix
from neuralstat.formula.state import MatrixState, Scope


def unstable_terms(state: MatrixState, x: np.ndarray, frame: pd.DataFrame, scope: Scope) -> list[str]:
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

    Returns
    -------
    list of str
        Names of the terms.
    """
    suspects = [term for term in state.terms if any(_is_foreign(f, frame, scope) for f in term.factors)]
    if not suspects or len(frame) < 2:
        return []
    half = len(frame) // 2
    try:
        again = apply_matrix(state, frame.iloc[:half], scope)
    except DataError:
        return [term.name for term in suspects]  # cannot even be evaluated on fewer rows
    start, found = 0, []
    for term in state.terms:
        if not term.is_intercept:
            part = slice(start, start := start + len(term.columns))
            same = np.allclose(again[part], x[part, :half], rtol=1e-9, atol=0, equal_nan=True)
            found += [term.name] if term in suspects and not same else []
    return found


def _is_foreign(factor: tuple[str, str], frame: pd.DataFrame, scope: Scope) -> bool:
    expr, method = factor
    if method != "python":
        return False
    try:
        check_harmless(expr, tuple(frame.columns))
    except ArgumentError:
        return True
    return any(name in scope.context for name in expressions.called(expr))
