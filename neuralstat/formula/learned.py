"""States of a formula's transforms (knots, centres, polynomials) from data in parts, passes in the order of their depth.

The innermost calls of stateful transforms are evaluated first: their arguments are worked out part by part, and their states
found by passes over these (`passes`, `learners`); then those calls that read them, as ``bs(scale(x), df=5)``. This module
imports formulaic and is imported only where a formula is evaluated.
"""

from __future__ import annotations

import ast
import copy
import functools
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from typing import Any, Protocol

import numpy as np
import pandas as pd
from formulaic import ModelSpec, SimpleFormula
from formulaic.utils.layered_mapping import LayeredMapping
from formulaic.utils.stateful_transforms import stateful_eval

from neuralstat.errors import ArgumentError, DataError, NeuralStatError
from neuralstat.formula import expressions, frames, smooth_arguments
from neuralstat.formula.learners import LEARNERS, Given, bound, stateless
from neuralstat.formula.matrix import Materializer, translated
from neuralstat.formula.passes import Data, Learner, Parts, answered
from neuralstat.formula.state import Scope
from neuralstat.formula.term_learners import SPECIAL
from neuralstat.network.blas import on_one_thread

States = dict[str | None, dict[str, Any]]  # of the right-hand side (None), and of other expressions by their text
Path = tuple[Any, ...]  # in a state: () or the number of a column, where a transform is given several


@dataclass(frozen=True)
class Asked:
    """The expressions of a formula, and what is needed to evaluate them on a part.

    Attributes
    ----------
    texts : tuple of (slot, expression)
        With the entry of `States` that has its transforms.
    needed : tuple of str
        Columns without which a row is not used.
    columns : mapping of str to Column
        Those that are read.
    scope : Scope
    """

    texts: tuple[tuple[str | None, str], ...]
    needed: tuple[str, ...]
    columns: Mapping[str, Any]
    scope: Scope

    def frame(self, table: pd.DataFrame) -> pd.DataFrame:
        """The columns of the rows of a part that are used."""
        raw = pd.DataFrame({name: frames.take(table, name) for name in self.needed}, index=table.index)
        raw = raw.loc[~frames.any_missing(raw), list(self.columns)] if len(raw.columns) else raw
        made = {name: kind.conform(frames.raw(raw[name], name), name) for name, kind in self.columns.items()}
        for name, values in made.items():
            frames.finite(values, name)
        return pd.DataFrame(made, index=pd.RangeIndex(len(raw)))


@dataclass(frozen=True)
class Call:
    """A call whose state is looked for: where it stands, its arguments, and its data without rows."""

    slot: str | None
    expr: str
    code: str
    key: str
    given: Given
    empty: Mapping[Path, Data]

    @property
    def text(self) -> str:
        """As users write it."""
        return shown(self.key)


class Source(Protocol):
    """Data in parts."""

    def evaluated(self, asked: Asked, states: States, calls: list[Call]) -> Parts:
        """`arguments` of every part."""


@on_one_thread
def states(asked: Asked, template: pd.DataFrame, source: Source) -> States:
    """States of all transforms that keep one.

    Parameters
    ----------
    asked : Asked
    template : DataFrame
        Some rows.
    source : Source

    Raises
    ------
    ArgumentError
        For a transform that keeps a state in a way that is not known here.
    DataError
        Where a transform does not fit the data.
    """
    found: States = {}
    frame = asked.frame(template)
    while ready := _ready(asked, frame, found):
        parts = source.evaluated(asked, found, [call for call, _ in ready])
        places = [(call, path, function) for call, function in ready for path in call.empty]
        learners = [_learner(call, function) for call, _, function in places]
        for (call, path, _), state in zip(places, answered(learners, parts), strict=True):
            own = found.setdefault(call.slot, {})
            if path == ():
                own[call.key] = state
            else:
                own.setdefault(call.key, {})[path[0]] = state
    return found


def arguments(table: pd.DataFrame, asked: Asked, states: States, calls: list[Call]) -> list[Data]:
    """Data of some calls for a part's rows, whose transforms inside are known.

    Raises
    ------
    DataError
        Where an argument that is to be the same for all rows differs between parts.
    """
    frame = asked.frame(table)
    made: list[Data] = []
    for call in calls:
        if len(frame) == 0:
            made += call.empty.values()
            continue
        stop = next(s for s in _stops(asked, frame, states, call.slot, call.expr) if s.key == call.key)
        data, given = stop.taken(len(frame))
        if not _same(given, call.given):
            raise DataError(f"formula: `{call.text}`: an argument depends on the rows, which lie in several parts.")
        if _columns(data) != _columns(call.empty):
            raise DataError(f"formula: `{call.text}`: what it is of has other columns in some parts of the data.")
        made += data.values()
    return made


def shown(code: str) -> str:
    """An expression that is evaluated as users write it."""
    return expressions.display(code.replace("_f_", ""))  # the mark of functions


def refusal(code: str) -> ArgumentError:
    """What is raised for a term that no passes over parts can find."""
    return ArgumentError(
        f"formula: `{shown(code)}` is found from all rows, which data in parts do not have in one place; compute it "
        "beforehand."
    )


def _ready(asked: Asked, frame: pd.DataFrame, known: States) -> list[tuple[Call, Callable[..., Any]]]:
    """The calls whose states are not known, and whose arguments can be evaluated; with their functions."""
    ready: dict[tuple[str | None, str], tuple[Call, Callable[..., Any]]] = {}
    for slot, expr in asked.texts:
        for stop in _stops(asked, frame, known, slot, expr):
            if (slot, stop.key) not in ready:
                data, given = stop.taken(len(frame))
                empty = {path: tuple(a[:0] for a in arrays) for path, arrays in data.items()}
                ready[slot, stop.key] = Call(slot, expr, stop.code, stop.key, given, empty), stop.function
    return list(ready.values())


def _learner(call: Call, function: Callable[..., Any]) -> Learner:
    """What finds the state of a call; its errors name it."""
    try:
        learner = SPECIAL[function][1] if function in SPECIAL else LEARNERS[function]
        return (yield from learner(call.given))
    except NeuralStatError:
        raise
    except Exception as error:
        raise DataError(f"formula: `{call.text}`: {type(error).__name__}: {error}") from error


class _Stop(BaseException):
    """A call whose state is not known was reached."""

    code = key = ""

    def __init__(self, function: Callable[..., Any], args: Any, words: dict[str, Any], state: Any, context: Any) -> None:
        self.function, self.args, self.words, self.state, self.context = function, args, words, state, context

    def taken(self, n: int) -> tuple[dict[Path, Data], Given]:
        """What the call is of, n rows, and its other arguments."""
        if self.function in SPECIAL:
            return SPECIAL[self.function][0](self.args, self.words, smooth_arguments.Call.read(self.key, self.context))
        first, *others = self.args
        named = {(k,): v for k, v in first.items() if not str(k).startswith("__")} if isinstance(first, dict) else {(): first}
        data: dict[Path, Data] = {path: (self._numbers(values, n),) for path, values in named.items()}
        return data, bound(self.function, tuple(others), self.words)

    def _numbers(self, values: Any, n: int) -> np.ndarray:
        try:
            made = np.array(values, dtype=np.float64)
        except (TypeError, ValueError):
            raise DataError(f"formula: `{shown(self.key)}` is of something that is no number.") from None
        if made.shape[:1] != (n,) or made.ndim > 2 or (made.ndim == 2 and self.key.startswith("_f_poly")):
            raise DataError(f"formula: `{shown(self.key)}`: one number per row is needed, not the shape {made.shape}.")
        return made[:, 0] if made.ndim == 2 and made.shape[1] == 1 and not self.key.startswith("_f_s") else made


def _columns(data: Mapping[Path, Data]) -> dict[Path, list[tuple[int, ...]]]:
    return {path: [a.shape[1:] for a in arrays] for path, arrays in data.items()}


def _stops(asked: Asked, frame: pd.DataFrame, known: States, slot: str | None, expr: str) -> Iterator[_Stop]:
    """The calls without a state, in an expression, whose arguments have theirs."""
    materializer = Materializer(frame, scope=asked.scope)
    transforms = copy.deepcopy(known.get(slot, {}))
    code, env, functions = materializer.environment(expr, [])
    stand_ins = {a: _stand_in(f) for a, f in functions.items() if getattr(f, "__is_stateful_transform__", False)}
    env = LayeredMapping(stand_ins, env)
    spec = ModelSpec(SimpleFormula([]), output="numpy", na_action="ignore", transform_state=transforms)
    for node in ast.walk(ast.parse(code, mode="eval")):
        if not (isinstance(node, ast.Call) and isinstance(node.func, ast.Name) and node.func.id in stand_ins):
            continue
        text = ast.unparse(node)
        stop = translated(functools.partial(_stopped, text, env, transforms, spec), expr)
        if stop is not None:
            stop.code, stop.key = text, next(key for key, state in transforms.items() if state is stop.state)
            yield stop
        for key, state in transforms.items():
            if state and key not in known.get(slot, {}):
                raise refusal(key)


def _stopped(text: str, env: Any, transforms: dict[str, Any], spec: ModelSpec) -> _Stop | None:
    """The call without a state that the evaluation of a text comes to; None where there is none."""
    try:
        with np.errstate(all="ignore"):
            stateful_eval(text, env, {}, transforms, spec)
    except _Stop as stop:
        return stop
    return None


def _stand_in(function: Callable[..., Any]) -> Callable[..., Any]:
    """A stateful transform that stops where its state would be found, if that can be done by passes."""

    @functools.wraps(function)
    def called(data: Any, *args: Any, _state: Any = None, _metadata: Any = None, _spec: Any = None, _context: Any = None,
               **words: Any) -> Any:  # fmt: skip
        known = _state or (function in LEARNERS and stateless(function, bound(function, args, words)))
        if not known and (function in LEARNERS or function in SPECIAL):
            raise _Stop(function, (data, *args), words, _state, _context)
        return function(data, *args, _state=_state, _metadata=_metadata, _spec=_spec, _context=_context, **words)

    return called


def _same(a: Any, b: Any) -> bool:
    """Whether two arguments are equal."""
    if isinstance(a, dict) and isinstance(b, dict):
        return a.keys() == b.keys() and all(_same(v, b[k]) for k, v in a.items())
    if isinstance(a, list | tuple) and isinstance(b, list | tuple):
        return len(a) == len(b) and all(map(_same, a, b))
    if isinstance(a, np.ndarray | pd.Series) or isinstance(b, np.ndarray | pd.Series):
        return bool(np.array_equal(np.asarray(a), np.asarray(b)))
    return bool(a is b or a == b)
