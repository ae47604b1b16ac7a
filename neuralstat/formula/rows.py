"""Rows and values of a design: which rows are complete, what is refused, offsets and weights."""

import builtins
import warnings
from collections.abc import Iterable, Mapping, Sequence
from typing import TYPE_CHECKING, Any

import numpy as np
import pandas as pd

from neuralstat.errors import DataError, DataWarning
from neuralstat.formula import arrays, expressions, frames, vectors, windows
from neuralstat.formula.extremes import WEIGHTS as SIZES
from neuralstat.formula.gathered import Gathered
from neuralstat.formula.tensors import is_tensor

if TYPE_CHECKING:
    from neuralstat.formula.state import MatrixState


def columns_read(
    texts: Iterable[tuple[str, str]], frame: pd.DataFrame, context: Mapping[str, Any], where: str
) -> tuple[str, ...]:
    """Columns that parts of a formula read, in order; `DataError` for names that are nothing.

    Parameters
    ----------
    texts : iterable of (text, method)
        With ``"lookup"`` the text must be a column; with ``"python"`` it is an expression, whose names may
        also be those of `context` and of functions that are provided.
    frame : DataFrame
    context : mapping
    where : str
        Part of the formula, for messages.
    """
    from formulaic.transforms import TRANSFORMS

    provided = {*TRANSFORMS, *expressions.TRANSFORMS, *expressions.functions(), "int", "float", "bool", "str"}
    found: dict[str, None] = {}
    for text, method in texts:
        for name in (text,) if method == "lookup" else expressions.names(text):
            if name in frame.columns:
                found[name] = None
            elif method == "lookup" or (name not in context and name not in provided):
                more = " Only functions and constants can come from the context." if name in context else ""
                raise DataError(f"{where}: {frames.no_column(name, frame)}{more}")
        for name in () if method == "lookup" else expressions.called(text):
            if name not in context and name not in provided and not hasattr(builtins, name):
                more = expressions.instead(name)
                raise DataError(f"{where}: `{text}` calls {name!r}, which is not a known function.{more}")
    return tuple(found)


def complete_rows(gaps: dict[str, np.ndarray], n: int, missing: str) -> np.ndarray:
    """Mark the rows without missing values, shape (N,); raise where `missing` says so or none is left.

    `gaps` tells for each variable which rows miss it.
    """
    counts = {name: int(gap.sum()) for name, gap in gaps.items() if gap.any()}
    listed = ", ".join(f"{name!r} ({count})" for name, count in counts.items())
    if counts and missing == "raise":
        raise DataError(f"missing values in {listed}; remove or fill them, or use missing='drop'.")
    kept = ~np.logical_or.reduce([np.zeros(n, dtype=bool), *gaps.values()])
    if not kept.any():
        reason = f"every row misses a value: {listed}" if counts else "the data have no rows"
        raise DataError(f"no rows to fit: {reason}.")
    return kept


def clean(frame: pd.DataFrame, columns: Sequence[str], positions: np.ndarray) -> pd.DataFrame:
    """Give the columns, plain (dates as they are) and finite, for some rows; the index is 0, 1, ..."""
    plain = {}
    for name in columns:
        values = frames.take(frame, name)
        whole = is_tensor(values) and len(positions) == len(values)  # of arrays there is no second copy
        plain[name] = frames.raw(values if whole else values.iloc[positions], name)
        frames.finite(plain[name], name)
    return pd.DataFrame(plain, index=pd.RangeIndex(len(positions)), copy=False)  # rows were taken: each column is its own


def numeric_rows(
    parts: Iterable[tuple[np.ndarray | None, tuple[str, ...] | None]], *, missing: str, silent: bool
) -> np.ndarray:
    """Positions of the rows where every expression gave a number.

    Parameters
    ----------
    parts : iterable of (values of shape (k, n) or None, names of the k rows or None for the offset)
    missing : {"drop", "raise"}
    silent : bool
        Do not warn about dropped rows, as where a lag leaves the first ones empty.
    """
    named = [(v, names or ("offset",) * len(v)) for v, names in parts if v is not None]
    bad = np.logical_or.reduce([arrays.missing(values) for values, _ in named])
    if not bad.any():
        return np.arange(len(bad))
    named = [(v.tabular, names[v.first :]) if isinstance(v, Gathered) else (v, names) for v, names in named]
    culprits = dict.fromkeys(  # what arrays that are read by rows lack is known before
        n for values, names in named for n, row in zip(names, values) if np.isnan(row).any()
    )
    text = (
        f"{', '.join(map(repr, culprits))} is not a number in {int(bad.sum())} row(s) without missing values"
    )
    if missing == "raise":
        raise DataError(f"{text}, as log(-1) would be.")
    if bad.all():
        raise DataError(f"no rows to fit: {text}.")
    if not silent:
        warnings.warn(f"{text}, as log(-1) would be; these rows are dropped.", DataWarning, stacklevel=4)
    return np.flatnonzero(~bad)


def refuse_single_levels(matrix: "MatrixState") -> None:
    """Raise `DataError` for a factor with one level."""
    for term in matrix.terms:
        for expr, _ in term.factors:
            levels = matrix.levels.get(expr, ("", None))[1]
            if levels is not None and len(levels) < 2:
                raise DataError(
                    f"factor {expressions.display(expr)!r} has only the level {levels[0]!r} in the rows "
                    "used; a covariate needs two."
                )


def warn_unstable(terms: list[str]) -> None:
    """Warn of terms whose values for a row change with the other rows, and keep no state for new data."""
    if terms:
        warnings.warn(
            f"term(s) {', '.join(map(repr, terms))} depend on all rows together and will differ on new data; "
            "use scale(), center(), poly(), bs() and the like, which remember the data of the fit.",
            DataWarning,
            stacklevel=5,
        )


WEIGHTS = ("weights", "var_weights", "freq_weights")  # arguments: precisions under two names, and frequencies


def weight_vectors(given: Mapping[str, Any], frame: pd.DataFrame) -> dict[str, np.ndarray]:
    """Of the `WEIGHTS` that were given the values at all rows, (N,) each, NaN where missing."""
    found = {}
    for name in WEIGHTS:
        if name in given:
            found[name] = vectors.vector(given[name], frame, name)
            if found[name].ndim != 1:
                raise DataError(f"{name} has shape {found[name].shape}; one weight per row is needed.")
    return found


def case_weights(found: Mapping[str, np.ndarray]) -> tuple[np.ndarray | None, np.ndarray | None]:
    """What each row counts in the error, precision times frequency, and its frequency; None where none were given.

    Raises
    ------
    DataError
        Where a weight is negative or infinite, or all are zero.
    """
    checked = [check_weights(values, name) for name, values in found.items()]
    if not checked:
        return None, None
    product = np.ascontiguousarray(np.prod(checked, axis=0))
    if not (product > 0).any():
        raise DataError("weights: in every row one of them is zero.")
    return product, checked[-1] if "freq_weights" in found else None


def group_codes(given: Any, frame: pd.DataFrame) -> np.ndarray:
    """Number (N,) of the group of each row, in order of appearance; -1 where it is missing.

    Parameters
    ----------
    given : column name, or array of labels
    frame : DataFrame

    Raises
    ------
    DataError
        Where the column does not exist, the length or index labels differ, or labels cannot be told apart.
    """
    if isinstance(given, str):
        if given not in frame.columns:
            raise DataError(f"groups: {frames.no_column(given, frame)}")
        values = frames.take(frame, given)
    else:
        array = vectors.aligned(given, frame.index, "groups")
        if array.ndim != 1:
            raise DataError(f"groups has shape {array.shape}; one label per row is needed (clusters in one way).")
        values = pd.Series(array)
    if is_tensor(values):
        raise DataError(f"groups: column {given!r} holds an array per row; one label per row is needed.")
    codes = np.full(len(values), -1, dtype=np.int64)
    known = ~frames.missing(values)
    try:
        codes[known] = pd.factorize(values[known])[0]
    except Exception:  # what cannot be hashed, such as lists, or compared, which is anybody's code
        raise DataError("groups must be labels that can be told apart: numbers, strings, dates or categories.") from None
    return codes


def renumbered(codes: np.ndarray) -> np.ndarray:
    """Numbers of groups without those that no row has."""
    return np.unique(codes, return_inverse=True)[1].reshape(-1).astype(np.int64)


def check_weights(weights: np.ndarray, name: str = "weights") -> np.ndarray:
    """Give the weights of the rows used; `DataError` where one is negative or infinite, all are zero, or all far from 1."""
    if not np.isfinite(weights).all():
        raise DataError(f"{name} must be finite; {int((~np.isfinite(weights)).sum())} are not.")
    if (weights < 0).any():
        raise DataError(
            f"{name} must not be negative; {int((weights < 0).sum())} are, the least is {weights.min():g}."
        )
    if not (weights > 0).any():
        raise DataError(f"{name} are all zero.")
    if not SIZES[0] <= weights.max() <= SIZES[1]:
        raise DataError(f"{name} must be numbers of moderate size: the largest is {weights.max():.3g}; divide them by it.")
    return np.ascontiguousarray(weights)


def offset_values(values: Any, expr: str, n: int) -> np.ndarray:
    """Check that an ``offset()`` term gives one number per row, shape (n,)."""
    try:
        array = np.asarray(values, dtype=np.float64)
    except (TypeError, ValueError):
        raise DataError(f"offset({expr}) is not numeric.") from None
    if array.ndim > 1 or (array.ndim == 1 and len(array) != n):
        raise DataError(f"offset({expr}) has shape {array.shape}; one number per row ({n}) is needed.")
    return np.broadcast_to(array, (n,))


def broadcast_offset(argument: np.ndarray, n_outputs: int) -> np.ndarray:
    """Give the offset argument, (n,) or (n, K), as (K, n) or (1, n)."""
    if argument.ndim == 2 and argument.shape[1] not in (1, n_outputs):
        raise DataError(f"offset has {argument.shape[1]} columns; the model has {n_outputs} output(s).")
    return argument[None, :] if argument.ndim == 1 else argument.T


def uses_lag(matrix: "MatrixState") -> bool:
    """Whether some term shifts rows."""
    return bool(lagged(matrix))


def lagged(matrix: "MatrixState") -> list[str]:
    """Names of the terms that shift rows."""
    return [
        term.name
        for term in matrix.terms
        if any(method == "python" and "lag" in expressions.called(expr) for expr, method in term.factors)
    ]


def warn_lags(matrix: "MatrixState", index: pd.Index) -> None:
    """Warn where such terms reach across a gap in a time index."""
    if terms := lagged(matrix):
        windows.warn_gaps(index, None, terms)


def refuse_gaps(matrix: "MatrixState") -> None:
    """Raise `DataError` where a term shifts rows and some were dropped: it would reach across the gaps."""
    if uses_lag(matrix):
        raise DataError("lag() needs rows without gaps: remove or fill the rows with missing values first.")
