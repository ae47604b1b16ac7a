"""Columns that a formula makes of the raw data before rows are dropped: windows, words, arithmetic on arrays.

``lags(v, k)``, ``leads(v, k)``, ``window(v, h)``, ``tokens(text)``, ``sequences(text, length, max_features)`` and
expressions that read arrays, such as ``pixels / 255``, are computed for all rows of the data, and are columns of arrays
from then on. What they need on new data (a vocabulary) is plain data.
"""

import ast
from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import Any

import numpy as np
import pandas as pd

from neuralstat.errors import ArgumentError, DataError, NeuralStatError
from neuralstat.formula import expressions, frames, text, vectors, windows
from neuralstat.formula.arrays import by_parts, turned, wide
from neuralstat.formula.bounds import check_expression
from neuralstat.formula.harmless import check_harmless
from neuralstat.formula.lazy import tensor_column
from neuralstat.formula.tensors import Tensor, TensorArray, element_names, is_tensor

WINDOWS = ("lags", "leads", "window")
FUNCTIONS = (*WINDOWS, "tokens", "sequences")
_REQUIRED = object()
for _method in ("mean", "std", "var", "sum", "prod", "min", "max", "any", "all"):
    getattr(np.zeros(1), _method)()  # numpy imports what it needs at the first call, which formulas cannot
_ARGUMENTS: dict[str, dict[str, Any]] = {
    "lags": {"k": _REQUIRED, "start": 1, "by": None},
    "leads": {"k": _REQUIRED, "start": 0, "by": None},
    "window": {"h": _REQUIRED, "by": None},
    "tokens": {"max_features": None, "min_df": 1, "binary": False, "lowercase": True, "stop_words": None},
    "sequences": {"length": _REQUIRED, "max_features": _REQUIRED, "lowercase": True},
}


@dataclass(frozen=True)
class Derived:
    """A column of arrays, and how it is computed; plain data.

    Attributes
    ----------
    name : str
        Of the column: the expression as written.
    function : str
        An entry of `FUNCTIONS`, or "" for arithmetic on arrays.
    expr : str
        What it is computed of: an expression of columns, or the column of texts.
    columns : tuple of str
        Raw columns read, ``by`` last.
    options : dict
        ``shifts`` and ``by``; ``binary``, ``lowercase``; ``length``, ``lowercase``.
    words : tuple of str
        Vocabulary.
    shape : tuple of int
        Of one row.
    """

    name: str
    function: str
    expr: str
    columns: tuple[str, ...]
    options: dict[str, Any] = field(default_factory=dict)
    words: tuple[str, ...] = ()
    shape: tuple[int, ...] = ()

    @property
    def tensor(self) -> Tensor:
        """The term that it is."""
        own = expressions.display(self.expr)
        if self.function in WINDOWS:
            return Tensor(self.name, self.shape, windows.window_names(own, self.options["shifts"]))
        if self.function == "tokens":
            return Tensor(self.name, self.shape, tuple(f"{own}[{word}]" for word in self.words))
        names = element_names(own if self.function == "sequences" else self.name, self.shape)
        return Tensor(self.name, self.shape, names, self.function != "sequences")

    def compute(self, frame: pd.DataFrame, context: Mapping[str, Any], trusted: bool = True) -> TensorArray:
        """The column for the rows of a table.

        Raises
        ------
        DataError
            Where a column is missing or of another kind, or the shape is not that of the fit.
        """
        for name in self.columns:
            if name not in frame.columns:
                raise DataError(f"formula: `{self.name}`: {frames.no_column(name, frame)}")
        if not trusted and not self._is_text:
            check_harmless(self.expr, self.columns, tuple(context))
        if self.function in WINDOWS:
            return self._window(frame, context)
        if self._is_text:
            return self._of_texts(frame)
        made = by_parts(self.expr, frame, context)
        if made is None:
            made = tensor_column(_arithmetic(self.expr, frame, context, self.name), self.name, "formula: ")
        if self.shape and made.dtype.shape != self.shape:
            raise DataError(
                f"`{self.name}` has the shape {made.dtype.shape} per row, but {self.shape} in the fitted data."
            )
        return made

    @property
    def _is_text(self) -> bool:
        return self.function in ("tokens", "sequences")

    def _window(self, frame: pd.DataFrame, context: Mapping[str, Any]) -> TensorArray:
        groups = self._groups(frame)
        windows.check_order(frame.index, groups, f"`{self.name}`")
        if self.expr in frame.columns:
            column = frames.take(frame, self.expr)
            if is_tensor(column):
                raise DataError(
                    f"formula: `{self.name}`: {self.expr!r} holds arrays; windows are of one number per row."
                )
            values = vectors.numbers(column, f"column {self.expr!r}")
        else:
            values = np.asarray(_arithmetic(self.expr, frame, context, self.name), dtype=np.float64)
            if values.shape != (len(frame),):
                raise DataError(f"formula: `{self.name}` needs one number per row.")
        return TensorArray(windows.windows(values, self.options["shifts"], groups), owned=True)

    def _groups(self, frame: pd.DataFrame) -> np.ndarray | None:
        by = self.options["by"]
        return windows.group_numbers(None if by is None else frames.take(frame, by))

    def edges(self, frame: pd.DataFrame) -> np.ndarray:
        """(N,) rows whose window reaches beyond the data, or beyond their group."""
        if self.function not in WINDOWS:
            return np.zeros(len(frame), bool)
        reached = windows.windows(np.zeros(len(frame)), self.options["shifts"], self._groups(frame))
        return np.isnan(reached).any(axis=(1, 2))

    def _of_texts(self, frame: pd.DataFrame) -> TensorArray:
        texts, known = _texts(frame, self.expr, self.name)
        lowercase = self.options["lowercase"]
        if self.function == "tokens":
            values = text.count_words(texts, self.words, self.options["binary"], lowercase)
        else:
            values = text.number_words(texts, self.words, self.options["length"], lowercase)
        out = turned((len(frame), *self.shape))
        out[:] = np.nan
        out[known] = values
        return TensorArray(out, owned=True)


def _texts(frame: pd.DataFrame, column: str, name: str) -> tuple[list[str], np.ndarray]:
    """The texts of a column that are there, and where."""
    values = frames.take(frame, column)
    known = ~frames.missing(values)
    texts = values[known].astype(object).tolist()
    if not all(isinstance(t, str) for t in texts):
        raise DataError(f"formula: `{name}` needs texts, but column {column!r} has dtype {values.dtype}.")
    return texts, known


def _arithmetic(expr: str, frame: pd.DataFrame, context: Mapping[str, Any], name: str) -> Any:
    """An elementwise expression of columns, some of which may be arrays; NaN where a number is missing."""
    code, aliases, functions = expressions.compiled(expr)
    known = expressions.functions()
    env: dict[str, Any] = {"np": np}
    for column in expressions.names(expr):
        if column in frame.columns:
            values = frames.take(frame, column)
            env[column] = wide(values.array.values) if is_tensor(values) else vectors.numbers(values, f"column {column!r}")
        elif column in context:
            env[column] = context[column]
        elif column != "np":
            raise DataError(f"formula: `{name}`: {frames.no_column(column, frame)}")
    env.update({alias: env[column] for alias, column in aliases.items() if column in env})
    for alias, function in functions.items():
        found = context.get(function, known.get(function))
        if not callable(found):
            raise DataError(f"formula: `{name}`: {function}() cannot be applied to arrays and windows; elementwise "
                            "functions such as log can.")  # fmt: skip
        env[alias] = found
    try:
        with np.errstate(all="ignore"):
            return eval(code, {"__builtins__": {}}, env)
    except NeuralStatError:
        raise
    except Exception as error:
        raise DataError(f"formula: `{name}`: {type(error).__name__}: {error}") from error


def derive(
    expr: str, frame: pd.DataFrame, context: Mapping[str, Any], trusted: bool = True
) -> tuple[Derived, TensorArray] | None:
    """The derived column that an expression of a formula stands for; None where it is an ordinary expression.

    Raises
    ------
    ArgumentError, DataError
        Where its arguments, or the columns that it reads, do not fit.
    """
    tree, _ = expressions.parse(expr)
    special = [f for f in expressions.called(expr) if f in FUNCTIONS and f not in context]
    name = expressions.display(expr)
    if special:
        call = tree.body
        if not isinstance(call, ast.Call) or not expressions.is_call_of(call, FUNCTIONS) or len(special) > 1:
            raise ArgumentError(f"formula: {special[0]}() must be a term of its own, not a part of `{name}`.")
        check_expression(expr, len(frame), context)
        made = _of_call(call, special[0], name, expressions.dequote(expr)[1], frame)
        return made, made.compute(frame, context, trusted)
    columns = tuple(c for c in expressions.names(expr) if c in frame.columns)
    if not any(is_tensor(frames.take(frame, c)) for c in columns):
        return None
    made = Derived(name, "", expr, columns)
    values = made.compute(frame, context, trusted)
    if len(values) != len(frame):
        raise DataError(
            f"formula: `{name}` has shape {values.values.shape}; its first axis must be the {len(frame)} rows."
        )
    return replace(made, shape=values.dtype.shape), values


def _of_call(call: ast.Call, function: str, name: str, aliases: Mapping[str, str], frame: pd.DataFrame) -> Derived:
    """Read the arguments of a call of `FUNCTIONS`, and learn the vocabulary."""
    first, given = _arguments(call, function, name, aliases)
    if function in WINDOWS:
        shifts = windows.window_shifts(function, given["h" if function == "window" else "k"], given.get("start", 0))
        columns = tuple(c for c in expressions.names(first))
        by = () if given["by"] is None else (given["by"],)
        for column in (*columns, *by):
            if column not in frame.columns:
                raise DataError(f"formula: `{name}`: {frames.no_column(column, frame)}")
        return Derived(
            name, function, first, (*columns, *by), {"shifts": shifts, "by": given["by"]}, (), (len(shifts), 1)
        )
    if first not in frame.columns:
        raise DataError(f"formula: `{name}`: {frames.no_column(first, frame)}")
    texts, _ = _texts(frame, first, name)
    lowercase = given["lowercase"]
    if function == "tokens":
        if given["max_features"] is not None:
            text.check_size(given["max_features"], "max_features", function)
        least = text.check_size(given["min_df"], "min_df", function)
        words = text.learn_bag(texts, given["max_features"], least, lowercase, given["stop_words"], first)
        options: dict[str, Any] = {"binary": bool(given["binary"]), "lowercase": bool(lowercase)}
        return Derived(name, function, first, (first,), options, tuple(words), (len(words),))
    length = text.check_size(given["length"], "length", function)
    most = text.check_size(given["max_features"], "max_features", function, text.FIRST + 1)
    words = text.learn_order(texts, most, lowercase, first)
    options = {"length": length, "lowercase": bool(lowercase)}
    return Derived(name, function, first, (first,), options, tuple(words), (length,))


def _arguments(call: ast.Call, function: str, name: str, aliases: Mapping[str, str]) -> tuple[str, dict[str, Any]]:
    """Text of the first argument, and the others by name."""
    accepted = _ARGUMENTS[function]
    usage = f"{function}({'text' if function in ('tokens', 'sequences') else 'v'}, {', '.join(accepted)})"
    if not call.args or len(call.args) > 1 + len(accepted) or any(isinstance(a, ast.Starred) for a in call.args):
        raise ArgumentError(f"formula: `{name}`: use {usage}.")
    pairs = [*zip(accepted, call.args[1:], strict=False), *((k.arg, k.value) for k in call.keywords)]
    given: dict[str, Any] = {}
    for key, node in pairs:
        if key not in accepted or key in given:
            raise ArgumentError(f"formula: `{name}`: unknown or repeated argument {key!r}; use {usage}.")
        if key == "by" and isinstance(node, ast.Name):
            given[key] = aliases.get(node.id, node.id)
            continue
        try:
            given[key] = ast.literal_eval(node)
        except ValueError:
            raise ArgumentError(f"formula: `{name}`: {key} must be a plain value, got {ast.unparse(node)!r}.") from None
    for key, default in accepted.items():
        if key not in given and default is _REQUIRED:
            raise ArgumentError(f"formula: `{name}`: {key} is missing; use {usage}.")
        given.setdefault(key, default)
    if given.get("by") is not None and not isinstance(given["by"], str):
        raise ArgumentError(f"formula: `{name}`: by must be a column, got {given['by']!r}.")
    node = call.args[0]
    first = aliases.get(node.id, node.id) if isinstance(node, ast.Name) else ast.unparse(node)
    return first, given


def warn_gaps(frame: pd.DataFrame, made: Sequence[Derived]) -> None:
    """Warn where windows of a table reach across a gap in its time index; see `windows.warn_gaps`."""
    terms: dict[str | None, list[str]] = {}
    for derived in made:
        if derived.function in WINDOWS and any(derived.options["shifts"]):
            terms.setdefault(derived.options["by"], []).append(derived.name)
    for by, names in terms.items():
        windows.warn_gaps(frame.index, None if by is None else frames.take(frame, by), names)


def add_columns(
    frame: pd.DataFrame, made: Sequence[Derived], context: Mapping[str, Any], trusted: bool
) -> pd.DataFrame:
    """A table with the derived columns; those that it has already, as arrays of the right shape, are kept."""
    new: dict[str, Any] = {}
    for derived in made:
        old = frame[derived.name] if derived.name in frame.columns else None
        if old is None or not is_tensor(old) or old.dtype.shape != derived.shape:
            new[derived.name] = derived.compute(frame, context, trusted)
    warn_gaps(frame, [derived for derived in made if derived.name in new])
    return frame.assign(**new) if new else frame


def reads(made: Sequence[Derived], names: Collection[str]) -> tuple[str, ...]:
    """Raw columns behind those of `names` that are derived."""
    return tuple(dict.fromkeys(c for d in made if d.name in names for c in d.columns))
