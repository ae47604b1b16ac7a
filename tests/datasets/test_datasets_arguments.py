"""Generators and readers meet arguments that are none."""

from __future__ import annotations

import numpy as np
import pandas as pd
import pytest
from nonsense import ENDLESS, NONSENSE, Hostile, said

from neuralstat import datasets
from neuralstat.errors import ArgumentError, DataError, TooLargeError

GENERATORS = ["doppler", "blocks", "bumps", "heavisine", "doppler_dj", "step", "sine", "friedman1", "friedman2", "friedman3",
              "xor", "two_spirals"]  # fmt: skip

@pytest.mark.parametrize("name", GENERATORS)
@pytest.mark.parametrize("argument", ["n", "noise", "random_state"])
def test_generators(name, argument):
    for value in [*NONSENSE, "x"]:
        with pytest.raises(ArgumentError, match=rf"^{argument} must"):
            getattr(datasets, name)(**{argument: value})


@pytest.mark.parametrize("name", GENERATORS)
def test_more_rows_than_memory_holds(name):
    with pytest.raises(TooLargeError, match=r"^n=2000000000 rows"):
        getattr(datasets, name)(2_000_000_000)
    with pytest.raises(ArgumentError, match=r"^n must be at most"):
        getattr(datasets, name)(10**30)


def test_grids_and_streams():
    for wrong in ({"low": 0}, {"low": np.inf}, {"high": np.nan}, {"high": "1"}, {"low": 1e-320}):
        with pytest.raises(ArgumentError, match=rf"^{next(iter(wrong))} must"):
            datasets.doppler(5, **wrong)
    assert np.isfinite(datasets.doppler(5, low=1e-100, high=1e100, noise=1e100, random_state=[1, 2])).all(axis=None)
    own, again = (np.random.default_rng(3) for _ in range(2))
    pd.testing.assert_frame_equal(datasets.sine(4, random_state=own), datasets.sine(4, random_state=again))
    pd.testing.assert_frame_equal(datasets.sine(4.0, random_state=np.int8(3)), datasets.sine(4, random_state=3))


@pytest.mark.parametrize("x", [Hostile(), ENDLESS, "x", None, 1j, {}, [[1], [1, 2]], np.datetime64("2020")],
                         ids=said)  # fmt: skip
def test_truths(x):
    with pytest.raises((ArgumentError, DataError), match="x"):
        datasets.truth("xor")(x)
    with pytest.raises(ArgumentError, match="truth must be one of"):
        datasets.truth(x)
    with pytest.raises(ArgumentError, match="function must"):
        datasets.Truth("own", ("x",), x)


def test_truths_of_tables():
    with pytest.raises(ArgumentError, match=r"^x\['x2'\] must be an array"):
        datasets.truth("xor")(pd.DataFrame({"x1": [1.0], "x2": ["a"]}))
    with pytest.raises(ArgumentError, match=r"^columns must"):
        datasets.Truth("own", 3, np.sin)


READERS = {
    "mnist": ("folder", "subset", "n", "scale"), "fashion_mnist": ("folder", "subset", "n", "scale"),
    "cifar10": ("folder", "subset", "n", "scale"), "image_folder": ("path", "size", "channels", "classes", "n", "scale"),
    "npz": ("path", "names", "max_bytes"), "imdb": ("path", "subset", "num_words", "length", "n"),
    "reuters": ("path", "subset", "num_words", "length", "n", "test_share"), "boston_housing": ("path",),
    "word_index": ("path",),
}  # fmt: skip


@pytest.mark.parametrize(("name", "argument"), [(n, a) for n, every in READERS.items() for a in every])
def test_readers(name, argument, tmp_path):
    good = {"path": tmp_path, "folder": tmp_path, "size": 8}
    own = {key: value for key, value in good.items() if key in READERS[name]}
    for value in NONSENSE:
        with pytest.raises(ArgumentError, match=rf"^{argument}(\[0\])? must"):
            getattr(datasets, name)(**{**own, argument: value})


LISTS = [None, 3, ["a"], [[1.5]], [[1], [[2]]], [["a"]], [[2**70]], [ENDLESS], "abc"]


@pytest.mark.parametrize("value", [*NONSENSE, *LISTS], ids=said)
def test_lists_of_numbers(value):
    for call in (datasets.pad_sequences, datasets.multi_hot):
        if isinstance(value, np.ndarray) and value.ndim == 2:
            continue  # rows of one length
        with pytest.raises(ArgumentError, match=r"^sequences(\[\d\])? must be a sequence"):
            call(value, 5)


def test_lists_of_numbers_that_take_too_much():
    with pytest.raises(TooLargeError, match=r"^length=2000000000, 100 rows"):
        datasets.pad_sequences([[1]] * 100, 2_000_000_000)
    with pytest.raises(TooLargeError, match=r"^width=2000000000, 100 rows"):
        datasets.multi_hot([[1]] * 100, 2_000_000_000)
    np.testing.assert_array_equal(datasets.pad_sequences([[], [1, 2, 3]], 2), [[0, 0], [2, 3]])
    np.testing.assert_array_equal(datasets.multi_hot(np.array([[0, 1]]), 3), [[1, 1, 0]])
