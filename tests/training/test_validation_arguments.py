"""Validation data of fits to arrays: what is no pair of rows is named."""

from __future__ import annotations

import numpy as np
import pytest

import neuralstat as ns
from neuralstat.errors import ArgumentError, DataError

X = np.random.default_rng(1).normal(size=(30, 2))
Y = X[:, 0]


@pytest.mark.parametrize(("given", "error"), [
    ((None, None), ArgumentError), ((5, X), ArgumentError), (([1, [2]], X), ArgumentError),
    ((np.ones((30, 2)), X), ArgumentError),
    ((Y, None), ArgumentError), ((Y, 5), ArgumentError), ((Y[:5], X), DataError), (np.ones((2, 2, 2)), ArgumentError),
])  # fmt: skip
def test_what_is_no_pair_of_rows(given, error):
    with pytest.raises(error, match=r"^validation"):
        ns.NeuralNet(Y, X, algorithm="adam", epochs=1, validation=given).fit()
