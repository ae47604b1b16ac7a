"""What smooth terms are given, and how messages name it."""

import ast
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import pandas as pd
from formulaic.parser.types import Factor

from neuralstat.checks.values import check_choice, check_int, shown
from neuralstat.errors import ArgumentError, DataError
from neuralstat.formula import expressions, frames
from neuralstat.formula.extremes import floats
from neuralstat.formula.smooth_bases import BASES
from neuralstat.formula.tensors import is_tensor


@dataclass(frozen=True)
class Call:
    """A call as messages name it: the text of the term, and the texts of its arguments by position or keyword."""

    text: str
    arguments: Mapping[int | str, str]

    @classmethod
    def of(cls, function: str, spec: Any, state: Any, context: Any) -> "Call":
        """Find the call by its state, under whose name it stands among the transforms of a formula."""
        known = {} if spec is None else spec.transform_state
        key = next((key for key, value in known.items() if value is state), None)
        if key is None:  # called outside a formula
            return cls(f"{function}()", {})
        return cls.read(key, context)

    @classmethod
    def read(cls, key: str, context: Any) -> "Call":
        """The call that a state is kept by."""
        call: Any = ast.parse(key, mode="eval").body
        for node in ast.walk(call):
            if isinstance(node, ast.Name):
                node.id = node.id.removeprefix("_f_") if node.id.startswith("_f_") else _quoted(node.id, context)
        arguments = [*enumerate(call.args), *((word.arg, word.value) for word in call.keywords)]
        texts = {name: expressions.display(ast.unparse(node)) for name, node in arguments}
        return cls(expressions.display(ast.unparse(call)), texts)

    def where(self, values: Any, argument: int | str) -> str:
        """The term and one of its covariates, for messages."""
        text = self.arguments.get(argument, f"covariate {argument + 1}" if isinstance(argument, int) else argument)
        column = getattr(values, "name", None)
        return f"`{self.text}`: column {column!r}" if column == text.strip("`") else f"`{self.text}`: {text}"

    def column(self, position: int) -> str:
        """A covariate of which nothing but its text is known."""
        text = self.arguments.get(position, f"covariate {position + 1}").strip("`")
        return f"`{self.text}`: {text!r}"


def _quoted(identifier: str, context: Any) -> str:
    """The name, in backticks, of a column that stands under another in an expression that is evaluated."""
    if not identifier.startswith("_q_") or context is None or identifier not in context:
        return identifier
    return f"`{getattr(context[identifier], 'name', identifier)}`"


def dimension(k: Any, bs: Any, call: Call) -> int:
    """A basis dimension, for the kind of basis."""
    check_choice(bs, f"`{call.text}`: bs", tuple(BASES))
    return check_int(k, f"`{call.text}`: k (bs={bs!r})", BASES[bs].least)


def each(value: Any, count: int, name: str, call: Call) -> list[Any]:
    """One value for each covariate."""
    if not isinstance(value, list | tuple | np.ndarray):
        return [value] * count
    if len(value) != count:
        raise ArgumentError(f"`{call.text}`: {name} has {len(value)} values for {count} covariates: {shown(value)}.")
    return list(value)


def _is_factor(by: Any) -> bool:
    metadata = getattr(by, "__formulaic_metadata__", None)
    if metadata is not None and metadata.kind is Factor.Kind.CATEGORICAL:
        return True
    plain = getattr(by, "__wrapped__", by)
    other = isinstance(plain, pd.Series) and (is_tensor(plain) or frames.is_time(plain))
    return not other and np.ndim(plain) == 1 and getattr(getattr(plain, "dtype", None), "kind", "f") in "bOU"


def multiplier(
    by: Any, n: int, state: Mapping[str, Any], call: Call
) -> tuple[str, np.ndarray, np.ndarray | None]:
    """What `by` is ("none", "numbers", "levels"), what it multiplies by, and labels of levels row by row, if it has any."""
    kind = state.get("by") or ("none" if by is None else "levels" if _is_factor(by) else "numbers")
    times = numbers(by, call, "by") if kind == "numbers" else np.ones(n)
    labels = _labels(by) if kind == "levels" else None
    if len(times) != n or (labels is not None and len(labels) != n):
        raise DataError(f"`{call.text}`: by has {len(by)} values, but there are {n} rows.")
    return kind, times, labels


def _labels(by: Any) -> np.ndarray:
    """The levels of a factor, row by row, as Python's own objects."""
    made = np.empty(len(by), dtype=object)
    made[:] = [v.item() if isinstance(v, np.generic) else v for v in pd.Series(getattr(by, "__wrapped__", by)).tolist()]
    return made


def levels_of(labels: np.ndarray | None, by: Any) -> list[Any]:
    """The levels that occur: in the order of categories, else sorted; without a factor one that stands for all rows."""
    if labels is None:
        return [""]
    occur = {label for label in labels.tolist() if not pd.isna(label)}
    plain = getattr(by, "__wrapped__", by)
    if isinstance(getattr(plain, "dtype", None), pd.CategoricalDtype):
        return [level for level in plain.dtype.categories.tolist() if level in occur]
    try:
        return sorted(occur)
    except TypeError:  # numbers and strings together
        return sorted(occur, key=str)


def level_codes(labels: np.ndarray | None, levels: Sequence[Any], n: int, by: Any, call: Call) -> np.ndarray:
    """Numbers of levels, row by row, -1 where missing; `DataError` for levels that were not there at the fit."""
    if labels is None:
        return np.zeros(n, dtype=np.int8)
    codes = pd.Index(list(levels), dtype=object).get_indexer(pd.Index(labels, dtype=object))
    unseen = list(dict.fromkeys(labels[(codes < 0) & ~pd.isna(labels)].tolist()))
    if unseen:
        listed = ", ".join(map(repr, levels[:20])) + (", ..." if len(levels) > 20 else "")
        raise DataError(
            f"{call.where(by, 'by')}: level(s) {', '.join(map(repr, unseen[:10]))} not among the model's levels {listed}."
        )
    return codes


def numbers(values: Any, call: Call, argument: int | str) -> np.ndarray:
    """A covariate as floats, (n,); NaN stays, factors, dates, arrays and infinite values are refused by name."""
    where = call.where(values, argument)
    plain = getattr(values, "__wrapped__", values)
    series = plain if isinstance(plain, pd.Series) else None
    if series is not None and (is_tensor(series) or frames.is_time(series)):
        what = "an array in every row" if is_tensor(series) else "dates or durations"
        raise DataError(f"{where} holds {what}; a smooth is of numbers.")
    if _is_factor(values) and getattr(values.dtype, "kind", "O") != "b":
        kinds = {"O": "strings" if values.dtype == object else "categories"}
        what = kinds.get(values.dtype.kind, "a factor")
        raise DataError(f"{where} holds {what}; a smooth is of numbers. A factor is a term of its own, or gives a smooth for "
                        "each level, as s(x, by=g).")  # fmt: skip
    array = np.asarray(plain)
    if array.ndim != 1 or array.dtype.kind not in "biuf":
        raise DataError(f"{where} is not one number per row (dtype {array.dtype}, shape {array.shape}).")
    made = floats(array, where)
    count = int(np.isinf(made).sum())
    if count:
        raise DataError(f"{where} is infinite in {count} row(s); drop or recode these rows.")
    return made
