"""Random states: streams for repetitions, draws and replicates, which no schedule changes."""

from __future__ import annotations

from typing import Any

import numpy as np

from .checks.arguments import RANDOM_STATE


def seed_sequence(random_state: Any) -> np.random.SeedSequence:
    """A SeedSequence of an int, a SeedSequence, a Generator, or (None) of the system's entropy.

    Raises
    ------
    ArgumentError
        For anything else.
    """
    given = RANDOM_STATE.check(random_state, "random_state")
    if isinstance(given, np.random.SeedSequence):
        return given
    if isinstance(given, np.random.Generator):
        return np.random.SeedSequence(given.integers(0, 2**63, size=2).tolist())
    return np.random.SeedSequence(given)


def children(seeds: np.random.SeedSequence, n: int) -> list[np.random.SeedSequence]:
    """The first n children of `seeds`, the same at every call (unlike `SeedSequence.spawn`)."""
    return [
        np.random.SeedSequence(seeds.entropy, spawn_key=(*seeds.spawn_key, k), pool_size=seeds.pool_size)
        for k in range(n)
    ]
