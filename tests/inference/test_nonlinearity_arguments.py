"""The test of neglected nonlinearity meets arguments and data that are none."""

from __future__ import annotations

import numpy as np
import pandas as pd
import pytest
from nonsense import NONSENSE

import neuralstat as ns
from neuralstat.errors import ArgumentError, DataError, NeuralStatError, TooLargeError


@pytest.fixture(scope="module")
def data():
    rng = np.random.default_rng(0)
    return pd.DataFrame({"x": rng.normal(size=30), "z": rng.normal(size=30), "y": rng.normal(size=30)})


@pytest.mark.parametrize("argument", ["formula", "test", "distribution", "q", "components", "spread", "random_state"])
def test_nonsense_is_refused_in_words(data, argument):
    for value in NONSENSE:
        with pytest.raises(NeuralStatError, match=argument) as caught:
            ns.nonlinearity_test(**{"formula": "y ~ x", "data": data, "test": "white", argument: value})
        assert len(str(caught.value)) < 300


def test_what_does_not_suit_is_named(data):
    for options, message in (
        ({"q": 5}, "belong to test='white'"), ({"test": "white", "q": 3, "components": 3}, "components must be below"),
        ({"test": "white", "spread": 1e300}, "spread must be"),
    ):  # fmt: skip
        with pytest.raises(ArgumentError, match=message):
            ns.nonlinearity_test("y ~ x", data, **options)
    with pytest.raises(TooLargeError, match=r"^q=2000000000"):
        ns.nonlinearity_test("y ~ x", data, "white", q=2_000_000_000)
    for frame, message in (
        (data.assign(y=1.0), "constant"), (data.assign(y=2 * data.x), "without error"), (data.iloc[:2], "too few"),
        (data.iloc[:1], "too few|constant"), (data.assign(y=data.y * 1e200), "no number"),
        (data.assign(x=data.x * 1e200), "no number"),
    ):  # fmt: skip
        for test in ("terasvirta", "white"):
            with np.errstate(over="ignore"), pytest.raises((ArgumentError, DataError), match=message):
                ns.nonlinearity_test("y ~ x", frame, test)


def test_wide_weights_are_no_overflow(data):
    assert np.isfinite(ns.nonlinearity_test("y ~ x + z", data, "white", spread=1e5, random_state=1).pvalue)
