"""Data sets: two of R's, and generators with known regression functions."""

from neuralstat.datasets.generators import (
    Truth,
    blocks,
    bumps,
    doppler,
    doppler_dj,
    friedman1,
    friedman2,
    friedman3,
    heavisine,
    sine,
    step,
    truth,
    two_spirals,
    xor,
)
from neuralstat.datasets.tables import infert, iris

__all__ = [
    "Truth",
    "blocks",
    "bumps",
    "doppler",
    "doppler_dj",
    "friedman1",
    "friedman2",
    "friedman3",
    "heavisine",
    "infert",
    "iris",
    "sine",
    "step",
    "truth",
    "two_spirals",
    "xor",
]
