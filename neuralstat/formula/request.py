"""What is asked for: a formula or arrays, split into parts that can be evaluated."""

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import Any

import numpy as np
import pandas as pd

from neuralstat.checks import as_array
from neuralstat.errors import ArgumentError, DataError
from neuralstat.formula import expressions, frames, response
from neuralstat.formula.derived import Derived, derive, warn_gaps
from neuralstat.formula.extremes import unmasked
from neuralstat.formula.parse import ResponseTerm, parse_responses, split_sides, top_level
from neuralstat.formula.state import Scope, StoredText
from neuralstat.formula.structure import Special, Structure, in_order, rewritten
from neuralstat.formula.tensors import Tensor, element_names, is_tensor

_DOT = re.compile(r"(?<![\w.`])\.(?![\w.`])")


@dataclass(frozen=True)
class Request:
    """The parts of a formula, ready to be evaluated.

    The frames have the derived columns. `terms` are the tabular ones, `tensors` those that are arrays per row; `edges`
    are the rows whose windows reach beyond the data.
    """

    formula: str | None
    response: str
    responses: tuple[ResponseTerm, ...]
    terms: list[Any]
    offsets: tuple[str, ...]
    y_frame: pd.DataFrame
    x_frame: pd.DataFrame
    context: Mapping[str, Any]
    tensors: tuple[Tensor, ...] = ()
    derived: tuple[Derived, ...] = ()
    edges: np.ndarray = field(default_factory=lambda: np.zeros(0, bool))
    trusted: bool = True
    specials: tuple[Special, ...] = ()

    @property
    def scope(self) -> Scope:
        """The names that expressions may read."""
        plain = () if self.trusted else tuple(name for name, value in self.context.items() if not callable(value))
        return Scope(self.context, plain, self.trusted)


@dataclass(frozen=True)
class Options:
    """The arguments that `design` and `from_arrays` share."""

    weights: Any
    offset: Any
    missing: str
    standardize: bool | str
    scale_response: bool
    err_needs: str | None
    factor_outputs: str
    class_order: str
    freq_weights: Any = None
    var_weights: Any = None
    groups: Any = None

    def __post_init__(self) -> None:
        if self.weights is not None and self.var_weights is not None:
            raise ArgumentError("weights and var_weights are the same thing, precision weights: give one of them.")
        frames.check_choice(self.missing, ("drop", "raise"), "missing")
        frames.check_choice(self.standardize, ("auto", True, False), "standardize")
        frames.check_choice(self.scale_response, (True, False), "scale_response")
        frames.check_choice(self.factor_outputs, ("all", "binary"), "factor_outputs")
        frames.check_choice(self.class_order, ("categories", "sorted"), "class_order")
        frames.check_choice(self.err_needs, (None, *response.NEEDS), "err_needs")

    @property
    def per_row(self) -> dict[str, Any]:
        """The arguments that hold a value per row, by name: those that were given."""
        named = {name: getattr(self, name) for name in ("weights", "var_weights", "freq_weights", "offset", "groups")}
        return {name: value for name, value in named.items() if value is not None}


def formula_request(formula: str, data: Any, options: Options, context: Mapping[str, Any] | None) -> Request:
    """Split a formula for `data`; see `neuralstat.formula.design`."""
    if context is not None and not isinstance(context, Mapping):
        raise ArgumentError(f"context must be a mapping of names to values, not {type(context).__name__}.")
    left, right = split_sides(formula)
    trusted = not isinstance(formula, StoredText)
    frame = frames.as_frame(data)
    columns = tuple(frame.columns)
    responses = parse_responses(left, columns, right)
    made = _Derivation(frame, dict(context or {}), trusted)
    own = [name for name, value in made.context.items() if callable(value)]
    structure = made.with_arrays(rewritten(right, columns, own))
    terms, offsets = _right_side(structure, responses, columns, options)
    responses = tuple(made.response(r) for r in responses)
    tabular, tensors = made.split(terms)
    tabular = in_order(tabular, structure.specials)
    warn_gaps(made.raw, tuple(made.found.values()))
    frame = made.frame
    return Request(formula, left, responses, tabular, offsets, frame, frame, made.context, tensors,
                   tuple(made.found.values()), made.edges, trusted, structure.specials)  # fmt: skip


def array_request(endog: Any, exog: Any, options: Options) -> Request:
    """Name the columns of arrays; see `neuralstat.formula.from_arrays`."""
    from neuralstat.formula.matrix import lookup_terms

    for name, value in options.per_row.items():
        if isinstance(value, str):
            raise ArgumentError(
                f"{name} must be an array where the model is given as arrays, not the name {value!r:.80}."
            )
    y_frame = array_frame(endog, "endog", "y")
    x_frame = array_frame(exog, "exog", "x")
    if len(y_frame) != len(x_frame):
        raise DataError(f"endog has {len(y_frame)} rows and exog has {len(x_frame)}.")
    y_labelled, x_labelled = (isinstance(a, pd.Series | pd.DataFrame) for a in (endog, exog))
    if y_labelled and x_labelled and not y_frame.index.equals(x_frame.index):
        raise DataError("endog and exog have different index labels; align them first.")
    if y_labelled:
        x_frame.index = y_frame.index
    responses = tuple(ResponseTerm(name, name, "lookup") for name in y_frame.columns)
    arrays = [name for name in x_frame.columns if is_tensor(x_frame[name])]
    return Request(
        formula=None,
        response=" + ".join(y_frame.columns),
        responses=responses,
        terms=lookup_terms(c for c in x_frame.columns if c not in arrays),
        offsets=(),
        y_frame=y_frame,
        x_frame=x_frame,
        context={},
        tensors=tuple(_raw_tensor(x_frame, name) for name in arrays),
        edges=np.zeros(len(x_frame), bool),
    )


class _Derivation:
    """The columns that a formula makes: found once, added to the table."""

    def __init__(self, frame: pd.DataFrame, context: dict[str, Any], trusted: bool) -> None:
        self.raw, self.frame, self.context, self.trusted = frame, frame, context, trusted
        self.found: dict[str, Derived] = {}
        self.edges = np.zeros(len(frame), bool)

    def derive(self, expr: str) -> Derived | None:
        """The derived column of an expression, None where it is an ordinary one."""
        name = expressions.display(expr)
        if name in self.found:
            return self.found[name]
        made = derive(expr, self.raw, self.context, self.trusted)
        if made is None:
            return None
        derived, values = made
        self.found[derived.name] = derived
        self.frame = self.frame.assign(**{derived.name: values})
        self.edges |= derived.edges(self.raw)
        return derived

    def with_arrays(self, structure: Structure) -> Structure:
        """The structure in which networks of one array read it as it is: ``nn(pixels)`` has the inputs of ``pixels``."""
        specials = []
        for special in structure.specials:
            first = special.exprs[0] if special.kind == "network" else ""  # codes(g) where nothing but embed(g) is read
            text = first.removeprefix("nn(").removesuffix(")") if first.startswith("nn(") else ","
            if not any(token == "," for _, token in top_level(text)):
                inner = text[1:-1] if text.startswith("{") else text
                name = inner.strip("`")
                known = name in self.raw.columns
                if is_tensor(frames.take(self.raw, name)) if known else self.derive(inner) is not None:
                    special = replace(special, exprs=(text, *special.exprs[1:]))
            specials.append(special)
        return replace(structure, specials=tuple(specials))

    def response(self, term: ResponseTerm) -> ResponseTerm:
        """A response term, a derived one as the look-up of its column."""
        if term.method == "python" and {"tokens", "sequences"} & set(expressions.called(term.expr)) - set(self.context):
            raise ArgumentError(f"formula: `{term.label}` makes inputs and cannot be a response.")
        made = self.derive(term.expr) if term.method == "python" else None
        if made is None:
            return term
        return ResponseTerm(term.label, made.name, "lookup")

    def split(self, terms: Sequence[Any]) -> tuple[list[Any], tuple[Tensor, ...]]:
        """Tabular terms, and those that are arrays per row."""
        tabular: list[Any] = []
        tensors: list[Tensor] = []
        for term in terms:
            parts = [self._tensor(f) for f in term.factors if f.eval_method.value != "literal"]
            if all(part is None for part in parts):
                tabular.append(term)
            elif len(term.factors) == 1 and parts[0] is not None:
                tensors.append(parts[0])
            else:
                name = next(part.name for part in parts if part is not None)
                raise ArgumentError(
                    f"formula: {name!r} holds arrays and cannot be part of the interaction `{term}`; put arithmetic "
                    "into braces, as in {pixels / 255}."
                )
        return tabular, tuple(tensors)

    def _tensor(self, factor: Any) -> Tensor | None:
        if factor.eval_method.value == "python":
            made = self.derive(factor.expr)
            return None if made is None else made.tensor
        known = factor.expr in self.raw.columns and is_tensor(frames.take(self.raw, factor.expr))
        return _raw_tensor(self.raw, factor.expr) if known else None


def _raw_tensor(frame: pd.DataFrame, name: str) -> Tensor:
    shape = frame[name].dtype.shape
    return Tensor(name, shape, element_names(name, shape))


def array_frame(values: Any, argument: str, letter: str) -> pd.DataFrame:
    """Give an array, Series or table as a DataFrame with names."""
    values = unmasked(frames.dense(values), argument)
    if isinstance(values, pd.Series):
        frame = values.to_frame(
            letter + ("1" if letter == "x" else "") if values.name is None else str(values.name)
        )
    elif isinstance(values, np.ndarray | list | tuple | pd.api.extensions.ExtensionArray | pd.Index):
        own = isinstance(values, pd.api.extensions.ExtensionArray)
        array: Any = values if own else as_array(values, argument, "an array, Series or table")
        if array.ndim > 2 and letter == "x":
            return frames.as_frame({"x": array}, argument)
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
    structure: Structure, responses: Sequence[ResponseTerm], columns: tuple[str, ...], options: Options
) -> tuple[list[Any], tuple[str, ...]]:
    """Parse covariate terms and offsets; ``.`` means the columns that nothing else uses."""
    from neuralstat.formula.matrix import parse_terms, with_attributes

    text = expressions.quote_dotted(structure.text, columns)
    if "1" in columns and ("`1`" in text or _DOT.search(text)):
        raise DataError("column '1' cannot be told from the intercept in a formula; rename it.")
    used = {c for r in responses for c in reads(r)} | structure.names
    used |= {a for a in options.per_row.values() if isinstance(a, str)}
    # offsets are looked for first, so that their columns can be kept out of the dot
    for term in parse_terms(text, (), columns):
        inner = _offset_of(term)
        used |= set() if inner is None else set(expressions.names(inner))
    terms = [with_attributes(t, columns) for t in parse_terms(text, [c for c in columns if c not in used])]
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
