"""Data sets: two of R's, generators with known regression functions, data of other packages, and files that you have."""

from neuralstat.datasets.files import npz
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
from neuralstat.datasets.images import cifar10, fashion_mnist, image_folder, mnist
from neuralstat.datasets.packaged import co2, digits, macrodata, nile, sunspots
from neuralstat.datasets.tables import infert, iris
from neuralstat.datasets.texts import boston_housing, imdb, multi_hot, pad_sequences, reuters

__all__ = [
    "Truth",
    "blocks",
    "boston_housing",
    "bumps",
    "cifar10",
    "co2",
    "digits",
    "doppler",
    "doppler_dj",
    "fashion_mnist",
    "friedman1",
    "friedman2",
    "friedman3",
    "heavisine",
    "image_folder",
    "imdb",
    "infert",
    "iris",
    "macrodata",
    "mnist",
    "multi_hot",
    "nile",
    "npz",
    "pad_sequences",
    "reuters",
    "sine",
    "step",
    "sunspots",
    "truth",
    "two_spirals",
    "xor",
]
