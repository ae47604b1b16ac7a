"""Columns of the model matrix that special terms of structured formulas make: see `formula.structure`.

This module imports formulaic and is imported only where a formula is evaluated.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
import pandas as pd
from formulaic.materializers.types import FactorValues
from formulaic.utils.stateful_transforms import stateful_transform

from neuralstat.checks.memory import check_size
from neuralstat.errors import DataError
from neuralstat.formula import frames

MOST_SLOPES = 20_000  # columns that a random slope may make


def linear(x: Any) -> Any:
    """The values themselves: marks a covariate that goes into the output linearly."""
    return x


@stateful_transform
def nn(*columns: Any, _state: Any = None) -> Any:
    """Inputs of a network: numbers as they are, factors by an indicator for each level but the first."""
    known = _state.setdefault("levels", [])
    made: dict[str, np.ndarray] = {}
    for k, column in enumerate(columns):
        values = series_of(column)
        name = str(values.name) if values.name is not None and str(values.name) not in made else str(k + 1)
        if k == len(known):
            known.append(levels_in(values) if frames.is_factor(values) else None)
        if known[k] is None:
            made[name] = values.to_numpy(dtype=np.float64)
            continue
        at = _positions(values, known[k])
        if np.any(at == len(known[k])):
            unseen = values[at == len(known[k])].iloc[0]
            listed = ", ".join(map(repr, known[k][:20]))
            raise DataError(f"column {name!r}: level(s) {unseen!r} not among the model's levels {listed}.")
        if len(known[k]) < 2:
            raise DataError(f"nn(): column {name!r} has one level only.")
        for j, level in enumerate(known[k][1:], 1):
            made[f"{name}[T.{level}]"] = (at == j).astype(np.float64)
    return FactorValues(made, kind="numerical", format="{name}[{field}]")


@stateful_transform
def codes(*columns: Any, _state: Any = None) -> np.ndarray:
    """Number of each row's level, or combination of levels; the number of levels where it was not there at the fit."""
    return _codes(columns, _state).astype(np.float64)


@stateful_transform
def slopes(groups: Sequence[Any], *columns: Any, intercept: bool = True, _state: Any = None) -> Any:
    """For every level of the groups, covariates where a row belongs to it, else 0; with the constant before them.

    The covariates (n, R) are multiplied by the state's ``rotation`` (R, R), in whose coordinates their effects are
    uncorrelated. Columns go level by level.
    """
    at = _codes(groups, _state)
    z = [np.ones(len(at))] if intercept else []
    for column in columns:
        values = series_of(column)
        if frames.is_factor(values):
            raise DataError(f"random slopes: column {values.name!r} holds levels, and must hold numbers.")
        z.append(values.to_numpy(dtype=np.float64))
    count = len(_state["names"])
    rotation = np.asarray(_state.setdefault("rotation", np.eye(len(z)).tolist()), dtype=np.float64)
    turned = rotation.T @ np.array(z)
    width = count * len(z)
    if width > MOST_SLOPES:
        said = f"random slopes: {count} levels with {len(z)} effects each"
        raise DataError(f"{said} are {width} columns, more than {MOST_SLOPES}.")
    check_size(width * max(len(at), 1), f"random slopes of {count} levels", 24)
    out = np.zeros((width + len(z), len(at)))
    for r, row in enumerate(turned):
        out[at * len(z) + r, np.arange(len(at))] = row
    names = [f"{name}.{r + 1}" for name in _state["names"] for r in range(len(z))]
    return FactorValues(dict(zip(names, out[:width], strict=True)), kind="numerical", format="{name}[{field}]")


def series_of(column: Any) -> pd.Series:
    """A column of a term, without what formulaic wraps it in."""
    values = getattr(column, "__wrapped__", column)
    return values if isinstance(values, pd.Series) else pd.Series(values)


def levels_in(values: pd.Series) -> list[Any]:
    """Levels that occur, in the order of categories, or sorted."""
    if isinstance(values.dtype, pd.CategoricalDtype):
        there = set(pd.unique(values))
        return [_python(level) for level in values.cat.categories if level in there]
    found = pd.unique(values)
    try:
        found = sorted(found)
    except TypeError:
        found = sorted(found, key=str)
    return [_python(level) for level in found]


def _python(value: Any) -> Any:
    return value.item() if isinstance(value, np.generic) else value


def _positions(values: pd.Series, levels: Sequence[Any]) -> np.ndarray:
    """Place of each value among levels; their number where it is none of them."""
    if len(levels) and all(isinstance(level, str) for level in levels) and values.dtype.kind in "iuf":
        whole = values.dtype.kind != "f" or bool((values == np.floor(values)).all())
        values = (values.astype(np.int64) if whole else values).astype(str)  # numbers that were read as texts at the fit
    at = pd.Index(levels).get_indexer(pd.Index(values.astype(object) if frames.is_factor(values) else values))
    return np.where(at < 0, len(levels), at)


def _codes(columns: Sequence[Any], state: Any) -> np.ndarray:
    """Codes of combinations of levels; the state has ``levels`` by column, ``pairs`` that occur, ``names`` of these."""
    series = [series_of(column) for column in columns]
    if "levels" not in state:
        state["levels"] = [levels_in(values) for values in series]
    at = combined(series, state["levels"])
    if "pairs" not in state:
        found = np.unique(at)
        state["pairs"] = found.tolist()
        state["names"] = combined_names(found, state["levels"])
    pairs = np.asarray(state["pairs"], dtype=np.int64)
    place = np.minimum(np.searchsorted(pairs, at), len(pairs) - 1)
    return np.where(pairs[place] == at, place, len(pairs))


def combined(series: Sequence[pd.Series], known: Sequence[Sequence[Any]]) -> np.ndarray:
    """Numbers of combinations of levels, row by row, those that do not occur among them."""
    at = np.zeros(len(series[0]), dtype=np.int64)
    for values, levels in zip(series, known, strict=True):
        at = at * (len(levels) + 1) + _positions(values, levels)
    return at


def combined_names(pairs: np.ndarray, levels: Sequence[Sequence[Any]]) -> list[str]:
    """Names of combinations, ``"a:b"``."""
    parts = []
    for own in reversed(levels):
        parts.append([str(own[k]) for k in pairs % (len(own) + 1)])
        pairs = pairs // (len(own) + 1)
    return [":".join(reversed(words)) for words in zip(*parts, strict=True)]


FUNCTIONS = {"linear": linear, "nn": nn, "codes": codes, "slopes": slopes}
