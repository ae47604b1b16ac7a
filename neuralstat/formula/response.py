"""Left-hand side -> outputs: numbers, 0/1 columns, or one output per level of a factor."""

import warnings
from dataclasses import dataclass
from typing import Any

import numpy as np
import pandas as pd

from neuralstat.errors import ArgumentError, DataError, DataWarning
from neuralstat.formula import frames
from neuralstat.formula.extremes import floats
from neuralstat.formula.parse import ResponseTerm, counts

#: What an error function or family may demand of the responses: name -> (test of values, words).
NEEDS = {
    "binary": (lambda y: np.isin(y, (0.0, 1.0)), "0 or 1"),
    "unit": (lambda y: (y >= 0) & (y <= 1), "between 0 and 1"),
    "count": (lambda y: (y >= 0) & (y == np.floor(y)), "whole numbers from 0"),
    "inside": (lambda y: (y > 0) & (y < 1), "strictly between 0 and 1"),
    "nonnegative": (lambda y: y >= 0, "not negative"),
    "positive": (lambda y: y > 0, "greater than 0"),
}


@dataclass(frozen=True, eq=False)
class Outputs:
    """Responses as numbers.

    Attributes
    ----------
    y : ndarray, shape (K, n)
        NaN where an expression gave no number.
    names : tuple of str
    kinds : tuple of str
        Per output ``"numeric"``, ``"boolean"`` or ``"factor"``.
    classes : tuple or None
        Levels where the response is one factor.
    """

    y: np.ndarray
    names: tuple[str, ...]
    kinds: tuple[str, ...]
    classes: tuple[Any, ...] | None


def outputs(
    terms: tuple[ResponseTerm, ...],
    values: list[Any],
    n: int,
    factor_outputs: str,
    class_order: str,
    label: str,
) -> Outputs:
    """Turn evaluated response terms into outputs.

    Parameters
    ----------
    terms : tuple of ResponseTerm
    values : list
        What each term evaluates to, for the n rows used.
    n : int
    factor_outputs : {"all", "binary"}
        One output per level, or one for a two-level factor (1 for the second level).
    class_order : {"categories", "sorted"}
        Order of the levels of a Categorical: its own, or that of the levels' text.
    label : str
        The whole left-hand side.

    Raises
    ------
    DataError
        If a factor stands beside other responses, has one level, or has not two where ``"binary"`` is asked;
        if an expression gives something else than one number per row.
    """
    columns = [as_series(value, term.label, n) for term, value in zip(terms, values, strict=True)]
    factors = [term.label for term, column in zip(terms, columns, strict=True) if frames.is_factor(column)]
    if factors and len(terms) > 1:
        raise DataError(
            f"response {factors[0]!r} is a factor and cannot stand beside other responses; "
            f"write it alone, or as comparisons such as ({factors[0]} == 'level')."
        )
    if factors:
        return _factor_outputs(columns[0], factor_outputs, class_order, label)
    return Outputs(
        y=np.ascontiguousarray([floats(c, f"response {t.label!r}") for t, c in zip(terms, columns, strict=True)]),
        names=tuple(term.label for term in terms),
        kinds=tuple("boolean" if column.dtype == bool else "numeric" for column in columns),
        classes=None,
    )


def indicator(column: pd.Series, classes: tuple[Any, ...], binary: bool, label: str) -> np.ndarray:
    """Code a factor as 0/1 rows, shape (K, n): one per class, or one for the second of two.

    Raises
    ------
    DataError
        For a level that is none of `classes`.
    """
    values = column.astype(object).to_numpy()
    unseen = [level for level in pd.unique(values) if level not in classes]
    if unseen:
        raise DataError(
            f"response {label!r}: level(s) {', '.join(map(repr, unseen[:10]))} not among the model's classes "
            f"{', '.join(map(repr, classes))}."
        )
    codes = pd.Categorical(values, categories=list(classes)).codes
    rows = np.zeros((len(classes), len(values)))
    rows[codes, np.arange(len(values))] = 1.0
    return rows[1:] if binary else rows


def _factor_outputs(column: pd.Series, factor_outputs: str, class_order: str, label: str) -> Outputs:
    if isinstance(column.dtype, pd.CategoricalDtype):
        observed = set(column.cat.remove_unused_categories().cat.categories)
        classes = tuple(level for level in column.cat.categories if level in observed)
    else:
        classes = tuple(sorted(pd.unique(column)))
    if class_order == "sorted":
        classes = tuple(sorted(classes, key=str))
    if len(classes) < 2:
        raise DataError(
            f"response {label!r} has only the level {classes[0]!r} in the rows used; two are needed."
        )
    binary = factor_outputs == "binary"
    if binary and len(classes) > 2:
        raise DataError(
            f"response {label!r} has {len(classes)} levels ({', '.join(map(repr, classes[:10]))}); a binary "
            "response has two: use family='multinomial', or a comparison such as "
            f"{label} == {classes[0]!r}."
        )
    y = indicator(column, classes, binary, label)
    names = (label,) if binary else tuple(str(level) for level in classes)
    return Outputs(np.ascontiguousarray(y), names, ("factor",) * len(names), classes)


def as_series(value: Any, label: str, n: int) -> pd.Series:
    """Give a plain column from whatever a response expression returned for n rows."""
    metadata = getattr(value, "__formulaic_metadata__", None)
    value = getattr(value, "__wrapped__", value)
    if isinstance(value, pd.DataFrame) or np.ndim(value) != 1 or len(value) != n:
        raise DataError(f"response {label!r} has shape {np.shape(value)}; one value per row ({n}) is needed.")
    series = pd.Series(value).reset_index(drop=True)
    if metadata is not None and metadata.kind.value == "categorical" and not frames.is_factor(series):
        series = series.astype("category")
    if series.isna().any() and not frames.is_factor(series) and not frames.is_time(series):
        return pd.Series(
            series.to_numpy(dtype=np.float64, na_value=np.nan)
        )  # made by the expression; found later
    return frames.plain(series, label)


def check_needs(y: np.ndarray, labels: tuple[str, ...], needs: str | None, formula: str | None = None) -> None:
    """Raise `DataError` where a response does not have the values that the error function needs.

    Parameters
    ----------
    y : ndarray, shape (K, n)
    labels : tuple of str
    needs : str or None
        A key of `NEEDS`.
    formula : str, optional
        For messages.
    """
    if needs is None:
        return
    if needs not in NEEDS:
        raise ArgumentError(f"err_needs must be None or one of {', '.join(map(repr, NEEDS))}, not {needs!r}.")
    test, words = NEEDS[needs]
    for row, label in zip(y, labels, strict=True):
        wrong = row[~test(row)]
        if wrong.size:
            raise DataError(
                f"response {label!r} must be {words} for this error function or family; "
                f"{wrong.size} value(s) are not, the first is {wrong[0]:g}.{_are_counts(y, labels, needs, formula)}"
            )


def _are_counts(y: np.ndarray, labels: tuple[str, ...], needs: str, formula: str | None) -> str:
    """How counts that were given for shares or 0 and 1 are written, as the end of a message."""
    whole = bool(np.all((y >= 0) & (y == np.floor(y))))
    if needs not in ("unit", "binary") or not whole or len(labels) > 2:
        return ""
    values = np.unique(y)
    if len(labels) == 1 and values.size == 2:
        return f" Two values that are two classes are written as a comparison, '{labels[0]} == {values[1]:g} ~ ...'."
    right = "x" if formula is None else formula.partition("~")[2].strip()
    said = counts(labels[0], labels[1] if len(labels) == 2 else None, "s", right)
    return f" {said[0].upper()}{said[1:]}" + (", where the column s has the numbers of trials." if len(labels) == 1 else ".")


def warn_lost_levels(term: ResponseTerm, frame: pd.DataFrame, label: str, classes: tuple[Any, ...] | None) -> None:
    """Warn where a level of the response occurs in the data, but only in rows that were dropped."""
    if classes is None or term.method != "lookup":
        return
    lost = [level for level in frame[term.expr].dropna().unique() if level not in classes]
    if lost:
        warnings.warn(
            f"response {label!r}: level(s) {', '.join(map(repr, lost))} occur only in rows with "
            "missing values and get no output.",
            DataWarning,
            stacklevel=5,
        )
