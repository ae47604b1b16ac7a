"""Candidates of any argument of `neuralnet`: a grid, or random draws."""

from __future__ import annotations

import itertools
import math
from collections.abc import Mapping
from typing import Any

import numpy as np

from ..checks import shown
from ..checks.values import attribute
from ..errors import ArgumentError
from ..training.settings import Settings
from .candidates import MOST

OWN = ("hidden", "layers", "penalty", "rep", "random_state")  # arguments of `select`
FIXED = {
    **dict.fromkeys(("weights", "freq_weights", "var_weights", "offset", "groups", "missing", "validation"),
                    "all candidates are judged by the same rows"),
    **dict.fromkeys(("err_fct", "family", "likelihood", "compat"), "criteria of different errors cannot be compared"),
    **dict.fromkeys(("callbacks", "checkpoint", "lifesign", "lifesign_step", "progress", "n_jobs"),
                    "it does not change the fit"),
}  # fmt: skip


def settings_of(grid: Any, n_iter: int | None, seed: np.random.SeedSequence) -> list[dict[str, Any]]:
    """Settings of each candidate.

    Parameters
    ----------
    grid : mapping from arguments to candidates, or None
        Candidates are a list, a dict from names to values, or (where `n_iter` is given) anything with ``rvs``.
    n_iter : int or None
        So many random draws instead of all combinations: of lists without replacement.
    seed : SeedSequence

    Returns
    -------
    list of dict
        One empty one without a grid.

    Raises
    ------
    ArgumentError
        Naming the argument that cannot be searched, or whose candidates are none.
    """
    if grid is None:
        if n_iter is not None:
            raise ArgumentError("n_iter draws from grid, which is not given.")
        return [{}]
    if not isinstance(grid, Mapping) or not grid or not all(isinstance(name, str) for name in grid):
        raise ArgumentError(f"grid must be a mapping from arguments to lists of candidates, got {shown(grid)}.")
    values = {name: _candidates(name, given, n_iter) for name, given in grid.items()}
    lists = {name: v for name, v in values.items() if isinstance(v, list)}
    count = math.prod(len(v) for v in lists.values())
    if n_iter is None:
        if count > MOST:
            raise ArgumentError(f"grid: {count:,} candidates are too many; give n_iter= to draw some, or at most {MOST:,}.")
        return [dict(zip(values, made, strict=True)) for made in itertools.product(*lists.values())]
    rng = np.random.default_rng(seed.spawn(1)[0])
    continuous = [name for name in values if name not in lists]
    if not continuous:
        n_iter = min(n_iter, count)
    places = _distinct(rng, count, n_iter) if count >= n_iter else [int(k) for k in rng.integers(count, size=n_iter)]
    drawn = {name: np.asarray(values[name].rvs(size=n_iter, random_state=rng)).tolist() for name in continuous}
    sizes = [len(v) for v in lists.values()]
    out = []
    for k, place in enumerate(places):
        at = np.unravel_index(place, sizes) if sizes else ()
        own = {name: v[int(i)] for (name, v), i in zip(lists.items(), at, strict=True)}
        out.append({name: own[name] if name in own else drawn[name][k] for name in values})
    return out


def _distinct(rng: np.random.Generator, count: int, size: int) -> list[int]:
    """Different numbers below `count`, which may be larger than an array could be."""
    if count <= 1_000_000:
        return [int(k) for k in rng.choice(count, size=size, replace=False)]
    found: dict[int, None] = {}
    while len(found) < size:
        found[int(rng.integers(min(count, 2**62)))] = None
    return list(found)


def _candidates(name: str, given: Any, n_iter: int | None) -> Any:
    """A list of values, or a distribution."""
    if name in OWN:
        raise ArgumentError(f"grid: {name!r} is an argument of select itself: give its candidates there.")
    if name in FIXED:
        raise ArgumentError(f"grid: {name!r} cannot be searched: {FIXED[name]}.")
    if name not in Settings.names():
        raise ArgumentError(f"grid: {name!r} is no argument of neuralnet.")
    if attribute(given, "rvs") is not None:
        if n_iter is None:
            raise ArgumentError(f"grid: {name!r} is a distribution; give n_iter=, how many values are drawn.")
        return given
    array = isinstance(given, range) or (isinstance(given, np.ndarray) and given.ndim == 1)
    if not (array or isinstance(given, list | tuple)):
        raise ArgumentError(f"grid[{name!r}] must be a list of candidates, got {shown(given)}.")
    values = given.tolist() if isinstance(given, np.ndarray) else list(given)
    if not values:
        raise ArgumentError(f"grid[{name!r}]: no candidates were given.")
    return values


def described(settings: Mapping[str, Any]) -> str:
    """``learningrate=0.01, act_fct='relu'``."""
    return ", ".join(f"{name}={_shown(value)}" for name, value in settings.items())


def _shown(value: Any) -> str:
    text = f"{value:.4g}" if isinstance(value, float) else repr(value)
    return text if len(text) <= 40 else f"{text[:37]}..."
