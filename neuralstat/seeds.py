"""Random states: streams for repetitions, draws and replicates, which no schedule changes."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np

from .errors import ArgumentError


def seed_sequence(random_state: Any) -> np.random.SeedSequence:
    """A SeedSequence of an int, a SeedSequence, a Generator, or (None) of the system's entropy.

    Raises
    ------
    ArgumentError
        For anything else.
    """
    if isinstance(random_state, np.random.SeedSequence):
        return random_state
    if isinstance(random_state, np.random.Generator):
        return np.random.SeedSequence(random_state.integers(0, 2**63, size=2).tolist())
    if random_state is None:
        return np.random.SeedSequence()
    if (
        isinstance(random_state, int | np.integer)
        and not isinstance(random_state, bool)
        and random_state >= 0
    ):
        return np.random.SeedSequence(int(random_state))
    if isinstance(random_state, Sequence) and all(
        isinstance(s, int | np.integer) and s >= 0 for s in random_state
    ):
        return np.random.SeedSequence([int(s) for s in random_state])
    raise ArgumentError(
        f"random_state must be None, an int >= 0, a SeedSequence or a Generator, got {random_state!r}."
    )


def children(seeds: np.random.SeedSequence, n: int) -> list[np.random.SeedSequence]:
    """The first n children of `seeds`, the same at every call (unlike `SeedSequence.spawn`)."""
    return [
        np.random.SeedSequence(seeds.entropy, spawn_key=(*seeds.spawn_key, k), pool_size=seeds.pool_size)
        for k in range(n)
    ]
