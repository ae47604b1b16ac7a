"""What the columns of a design read of the user's table."""

from __future__ import annotations

from ..fitted import Fitted, kept
from ..formula import expressions


@kept
def columns_of_factors(fitted: Fitted) -> list[list[set[str]]]:
    """Columns that the factors of every row of x read."""
    spec = fitted.design.spec
    columns = (*spec.covariates, *spec.offset_columns)
    found: list[list[set[str]]] = []
    for term in spec.matrix.terms:
        if not term.is_intercept:
            found += [[names_in(text, method, columns) for text, method in term.factors]] * len(term.columns)
    if len(found) != len(spec.x_names):
        raise AssertionError(f"{len(found)} columns by term, {len(spec.x_names)} of the design")
    return found


@kept
def columns_of_inputs(fitted: Fitted) -> tuple[list[frozenset[str]], frozenset[str]]:
    """Columns that every row of x reads, and those that the offset reads."""
    spec = fitted.design.spec
    columns = (*spec.covariates, *spec.offset_columns)
    reads = [frozenset().union(*factors) for factors in columns_of_factors(fitted)]
    known = [] if spec.offset_argument is None else [spec.offset_argument]
    for text in spec.offset_terms:
        known += [n for n in expressions.names(text) if n in columns]
    return reads, frozenset(known)


def row_by_row(fitted: Fitted) -> bool:
    """Whether columns of x and the offset's are known to be of their own rows alone."""
    spec = fitted.design.spec
    return spec.row_by_row and not spec.offset_terms and spec.offset_argument is None


def names_in(text: str, method: str, columns: tuple[str, ...]) -> set[str]:
    """Columns that a factor of a term reads."""
    if method == "literal":
        return set()
    return {text} if text in columns else {n for n in expressions.names(text) if n in columns}
