"""Formula and data to rows with their times, by stratum."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import numpy as np
import pandas as pd

from ..checks.values import StoredText
from ..errors import ArgumentError, DataError
from ..formula import Design, design
from ..formula.expressions import display
from ..likelihood.lifetimes import Lifetimes
from ..training.surv import coded, terms_of

MOST = 1000  # strata


def rows_by_stratum(
    formula: str, data: Any, weights: Any, context: Mapping[str, Any] | None
) -> tuple[str, dict[str, Lifetimes]]:
    """Text of the response, and the rows of every combination of the values of the terms, of positive weight.

    Raises
    ------
    ArgumentError, DataError
        See `kaplan_meier`.
    """
    left = formula.partition("~")[0].strip()
    terms = terms_of(formula)
    if terms is None:
        raise ArgumentError(
            f"formula: the left side must be Surv(time, event) or Surv(start, stop, event), got {left[:80]!r}; times "
            "that are known to lie in an interval only have no Kaplan-Meier curve (Turnbull's estimate is not here)."
        )
    if not formula.partition("~")[2].strip():
        raise ArgumentError(f"formula {formula[:80]!r} has no right side; ~ 1 is for one curve of all rows.")
    try:
        made = design(_as_rows(formula, terms), data, weights=weights, context=context)
    except DataError as error:
        if f"`({terms[-1]}) * 1.0`: TypeError" not in str(error):
            raise
        raise DataError(f"response {left!r}: events must be 0 or 1 (or False and True); {terms[-1]!r} holds no numbers.") \
            from error  # fmt: skip
    if made.offset is not None:
        raise ArgumentError("formula: a Kaplan-Meier curve has no offset().")
    stop, event = made.y[:2]
    start = made.y[2] if len(terms) == 3 else np.full(stop.size, -np.inf)
    _check(left, start, stop, event)
    weight = np.ones(stop.size) if made.weights is None else made.weights
    rows = Lifetimes(start, stop, event == 1, weight)
    used = weight > 0
    codes, names = _strata(made)
    return left, {name: rows.at(used & (codes == k)) for k, name in enumerate(names) if np.any(used & (codes == k))}


def _as_rows(formula: str, terms: tuple[str, ...]) -> str:
    """The formula with stop, event and start as responses; expressions, since equal responses count once."""
    *start, stop, event = terms
    parts = [stop, f"({event}) * 1.0", *(f"0.0 * ({stop}) + ({s})" for s in start)]
    text = " + ".join(f"{{{part}}}" for part in parts) + f" ~{formula.partition('~')[2]}"
    return StoredText(text) if isinstance(formula, StoredText) else text


def _check(left: str, start: np.ndarray, stop: np.ndarray, event: np.ndarray) -> None:
    for wrong, values, words in (
        (~np.isin(event, (0, 1)), event, "events must be 0 or 1 (or False and True)"),
        (stop < 0, stop, "times must not be negative"),
        (np.isfinite(start) & (start < 0), start, "start must not be negative"),
        (start >= stop, start, "start must be less than stop"),
    ):  # fmt: skip
        if np.any(wrong):
            hint = coded(event) if values is event else ""
            raise DataError(
                f"response {left!r}: {words}; {int(wrong.sum())} are not, the first is {values[wrong][0]:g}.{hint}"
            )


def _strata(made: Design) -> tuple[np.ndarray, list[str]]:
    """(n,) number of each row's stratum, and the names "g=a, h=b" of the strata in order of their levels."""
    from ..formula.matrix import evaluate

    matrix, n = made.spec.matrix, made.y.shape[1]
    codes, names = np.zeros(n, np.int64), [""]
    factors = dict.fromkeys(f for term in matrix.terms if not term.is_intercept for f in term.factors)
    for expr, method in factors:
        found = made.frame[expr] if method == "lookup" else evaluate(expr, made.frame, made.spec.scope(), {})
        code, levels = _levels(getattr(found, "__wrapped__", found), n, expr)
        codes = codes * len(levels) + code
        own = display(expr)
        names = [f"{name}, {own}={level}" if name else f"{own}={level}" for name in names for level in levels]
        present, codes = np.unique(codes, return_inverse=True)
        names = [names[k] for k in present]
        if len(names) > MOST:
            raise ArgumentError(f"formula: {own!r} makes {len(names)} strata, one for each value; cut numbers into few "
                                "classes, as in {x > 60}.")  # fmt: skip
    return codes, names if factors else ["all"]


def _levels(values: Any, n: int, expr: str) -> tuple[np.ndarray, list[str]]:
    """(n,) code of each value, and the names of the levels that occur, in their order."""
    if isinstance(values, pd.Series) and isinstance(values.dtype, pd.CategoricalDtype):
        present, code = np.unique(values.cat.codes.to_numpy(), return_inverse=True)
        return code, [str(values.cat.categories[k]) for k in present]
    array = np.asarray(values)
    if array.shape != (n,):
        raise ArgumentError(f"formula: `{expr}` has no one value per row, and makes no strata.")
    levels, code = np.unique(array.astype(str) if array.dtype == object else array, return_inverse=True)
    return code, [f"{level:g}" if isinstance(level, float) else str(level) for level in levels.tolist()]
