"""Random states: streams for repetitions, draws and replicates, which no schedule changes."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np

from .checks.arguments import RANDOM_STATE

SHUFFLE_STREAM = 1  # child of a repetition's seeds that orders the observations


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


def shuffle_keys(children: Sequence[np.random.SeedSequence]) -> np.ndarray:
    """(B, 2) uint64: a key for every repetition, from its own seeds."""
    out = []
    for child in children:
        own = np.random.SeedSequence(
            child.entropy, spawn_key=(*child.spawn_key, SHUFFLE_STREAM), pool_size=child.pool_size
        )
        out.append(own.generate_state(2, np.uint32).astype(np.uint64))
    return np.array(out, np.uint64).reshape(-1, 2)
