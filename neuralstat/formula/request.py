"""What is asked for: a formula or arrays, split into parts that can be evaluated."""

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import pandas as pd

from neuralstat.errors import ArgumentError, DataError
from neuralstat.formula import expressions, frames, response
from neuralstat.formula.parse import ResponseTerm, parse_responses, split_sides

_DOT = re.compile(r"(?<![\w.`])\.(?![\w.`])")


@dataclass(frozen=True)
class Request:
    """The parts of a formula, ready to be evaluated."""

    formula: str | None
    response: str
    responses: tuple[ResponseTerm, ...]
    terms: list[Any]
    offsets: tuple[str, ...]
    y_frame: pd.DataFrame
    x_frame: pd.DataFrame
    context: Mapping[str, Any]


@dataclass(frozen=True)
class Options:
    """The arguments that `design` and `from_arrays` share."""

    weights: Any
    offset: Any
    missing: str
    standardize: bool
    scale_response: bool
    err_needs: str | None
    factor_outputs: str
    class_order: str

    def __post_init__(self) -> None:
        frames.check_choice(self.missing, ("drop", "raise"), "missing")
        frames.check_choice(self.standardize, (True, False), "standardize")
        frames.check_choice(self.scale_response, (True, False), "scale_response")
        frames.check_choice(self.factor_outputs, ("all", "binary"), "factor_outputs")
        frames.check_choice(self.class_order, ("categories", "sorted"), "class_order")
        frames.check_choice(self.err_needs, (None, *response.NEEDS), "err_needs")


def formula_request(formula: str, data: Any, options: Options, context: Mapping[str, Any] | None) -> Request:
    """Split a formula for `data`; see `neuralstat.formula.design`."""
    if context is not None and not isinstance(context, Mapping):
        raise ArgumentError(f"context must be a mapping of names to values, not {type(context).__name__}.")
    left, right = split_sides(formula)
    frame = frames.as_frame(data)
    columns = tuple(frame.columns)
    responses = parse_responses(left, columns)
    terms, offsets = _right_side(right, responses, columns, options)
    return Request(formula, left, responses, terms, offsets, frame, frame, dict(context or {}))


def array_request(endog: Any, exog: Any, options: Options) -> Request:
    """Name the columns of arrays; see `neuralstat.formula.from_arrays`."""
    from neuralstat.formula.matrix import lookup_terms

    for name, value in (("weights", options.weights), ("offset", options.offset)):
        if isinstance(value, str):
            raise ArgumentError(
                f"{name} must be an array where the model is given as arrays, not the name {value!r}."
            )
    y_frame = _array_frame(endog, "endog", "y")
    x_frame = _array_frame(exog, "exog", "x")
    if len(y_frame) != len(x_frame):
        raise DataError(f"endog has {len(y_frame)} rows and exog has {len(x_frame)}.")
    y_labelled, x_labelled = (isinstance(a, pd.Series | pd.DataFrame) for a in (endog, exog))
    if y_labelled and x_labelled and not y_frame.index.equals(x_frame.index):
        raise DataError("endog and exog have different index labels; align them first.")
    if y_labelled:
        x_frame.index = y_frame.index
    responses = tuple(ResponseTerm(name, name, "lookup") for name in y_frame.columns)
    return Request(
        formula=None,
        response=" + ".join(y_frame.columns),
        responses=responses,
        terms=lookup_terms(x_frame.columns),
        offsets=(),
        y_frame=y_frame,
        x_frame=x_frame,
        context={},
    )


def _array_frame(values: Any, argument: str, letter: str) -> pd.DataFrame:
    """Give an array, Series or table as a DataFrame with names."""
    if isinstance(values, pd.Series):
        frame = values.to_frame(
            letter + ("1" if letter == "x" else "") if values.name is None else str(values.name)
        )
    elif isinstance(values, np.ndarray | list | tuple | pd.api.extensions.ExtensionArray | pd.Index):
        array = values if isinstance(values, pd.api.extensions.ExtensionArray) else np.asarray(values)
        if array.ndim not in (1, 2):
            raise ArgumentError(f"{argument} must have one or two dimensions, not shape {array.shape}.")
        if array.ndim == 1:
            frame = pd.DataFrame({letter + ("1" if letter == "x" else ""): array})
        elif letter == "y" and array.shape[1] == 1:
            frame = pd.DataFrame({"y": array[:, 0]})
        else:
            frame = pd.DataFrame(array, columns=[f"{letter}{j + 1}" for j in range(array.shape[1])])
    else:
        frame = frames.as_frame(values, argument).copy(deep=False)
    if letter == "y" and frame.shape[1] == 0:
        raise DataError("endog has no columns.")
    repeated = frame.columns[frame.columns.duplicated()]
    if len(repeated):
        raise DataError(f"{argument} has several columns named {repeated[0]!r}.")
    return frame


def _right_side(
    right: str, responses: Sequence[ResponseTerm], columns: tuple[str, ...], options: Options
) -> tuple[list[Any], tuple[str, ...]]:
    """Parse covariate terms and offsets; ``.`` means the columns that nothing else uses."""
    from neuralstat.formula.matrix import parse_terms

    text = expressions.quote_dotted(right, columns)
    if "1" in columns and ("`1`" in text or _DOT.search(text)):
        raise DataError("column '1' cannot be told from the intercept in a formula; rename it.")
    used = {c for r in responses for c in reads(r)}
    used |= {a for a in (options.weights, options.offset) if isinstance(a, str)}
    # offsets are looked for first, so that their columns can be kept out of the dot
    for term in parse_terms(text, ()):
        inner = _offset_of(term)
        used |= set() if inner is None else set(expressions.names(inner))
    terms = parse_terms(text, [c for c in columns if c not in used])
    offsets = tuple(inner for t in terms if (inner := _offset_of(t)) is not None)
    return [t for t in terms if _offset_of(t) is None], offsets


def _offset_of(term: Any) -> str | None:
    """Give the expression inside an ``offset()`` term; raise where offset() is part of a larger term."""
    inside = [
        expressions.offset_argument(f.expr) if f.eval_method.value == "python" else None for f in term.factors
    ]
    if len(inside) > 1 and any(i is not None for i in inside):
        raise ArgumentError(f"formula: offset() cannot be part of the interaction `{term}`.")
    return inside[0] if inside else None


def reads(term: ResponseTerm) -> tuple[str, ...]:
    """Names that a response term reads."""
    return (term.expr,) if term.method == "lookup" else expressions.names(term.expr)
