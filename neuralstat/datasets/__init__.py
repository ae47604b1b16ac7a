"""Data sets: of R and other packages, generators with known regression functions, and files that you have."""

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
from neuralstat.datasets.packaged import co2, digits, heart, macrodata, nile, randhie, sunspots
from neuralstat.datasets.tables import housing, infert, iris, lung, mcycle, veteran
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
    "heart",
    "heavisine",
    "housing",
    "image_folder",
    "imdb",
    "infert",
    "iris",
    "lung",
    "macrodata",
    "mcycle",
    "mnist",
    "multi_hot",
    "nile",
    "npz",
    "pad_sequences",
    "randhie",
    "reuters",
    "sine",
    "step",
    "sunspots",
    "truth",
    "two_spirals",
    "veteran",
    "xor",
]
