"""Successive halving: all candidates with little of a resource, the best of them with more."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import replace
from typing import Any

import numpy as np
import pandas as pd

from ..checks import shown
from ..errors import ArgumentError
from ..formula.parse import split_sides
from ..training.epoch_settings import EPOCHS
from ..training.validation import PER_ROW
from .search import Candidate, Search

RESOURCES = ("epochs", "rows")
LEAST = {"epochs": 1, "rows": 20}  # of the first rung, unless given
_SHUFFLED = 0x68616C66  # child of the seeds from which the order of rows is drawn


def rungs_of(candidates: int, most: int, factor: int, least: int | None, floor: int) -> list[tuple[int, int]]:
    """How many candidates are fitted at each rung, and with how much of the resource.

    Parameters
    ----------
    candidates : int
    most : int
        The last rung's.
    factor : int
        Of the candidates one in so many goes on, with so many times the resource.
    least : int or None
        The first rung's; None: so that the last rung has less than `factor` candidates more than one, but `floor` at least.
    floor : int

    Returns
    -------
    list of (int, int)
    """
    wanted = 1
    while factor**wanted <= candidates:
        wanted += 1
    first = max(most // factor ** (wanted - 1), floor) if least is None else least
    first = min(first, most)
    rungs: list[tuple[int, int]] = []
    left = candidates
    while True:
        resource = first * factor ** len(rungs)
        if len(rungs) + 1 == wanted or resource * factor > most:
            return [*rungs, (left, most)]
        rungs.append((left, resource))
        left = -(-left // factor)


def whole_of(
    resource: str | None, settings: Mapping[str, Any], grid: Sequence[Mapping[str, Any]], rows: int
) -> tuple[str, int]:
    """The resource, and how much of it there is.

    Raises
    ------
    ArgumentError
        Where candidates have it among their settings, or settings are arrays of a value for each row.
    """
    resource = resource or ("epochs" if "epochs" in settings else "rows")
    if resource == "epochs":
        if "epochs" in grid[0]:
            raise ArgumentError("grid: 'epochs' is the resource of search='halving'; give resource='rows' to search it.")
        most = EPOCHS if settings.get("epochs") is None else settings["epochs"]
        if type(most) is not int or most < 1:
            raise ArgumentError(f"epochs must be a whole number of at least 1 where it is the resource, got {shown(most)}.")
        return resource, most
    for name in PER_ROW:
        if settings.get(name) is not None and not isinstance(settings[name], str):
            raise ArgumentError(f"{name} must be the name of a column where rows are the resource.")
    return resource, rows


def shuffled(formula: str, frame: pd.DataFrame, seeds: np.random.SeedSequence) -> np.ndarray:
    """An order of the rows: any first part has the classes of a response (a factor, or two values) in their shares."""
    child = np.random.SeedSequence(seeds.entropy, spawn_key=(*seeds.spawn_key, _SHUFFLED), pool_size=seeds.pool_size)
    order = np.random.default_rng(child).permutation(len(frame))
    response = split_sides(formula)[0].strip().strip("`")
    if response not in frame.columns:
        return order
    values = frame[response]
    if pd.api.types.is_numeric_dtype(values.dtype) and values.nunique() > 2:
        return order
    codes = pd.factorize(values)[0][order]
    rank = pd.Series(codes).groupby(codes).cumcount().to_numpy()
    size = np.bincount(codes + 1)[codes + 1]
    return order[np.argsort((rank + 0.5) / size, kind="stable")]


def halved(search: Search, candidates: Sequence[Candidate], rungs: Sequence[tuple[int, int]]) -> list[Candidate]:
    """Fit and judge candidates rung by rung; those of the last one, the best of each rung going on to the next."""
    own = list(candidates)
    for number, (count, resource) in enumerate(rungs, start=1):
        if number > 1:
            values = [search.value(candidate, "") for candidate in own]
            own = [own[k] for k in sorted(np.argsort(values, kind="stable")[:count])]
        own = [replace(candidate, rung=number, resource=resource) for candidate in own]
        search.judge(own, f"rung {number}")
    return own
