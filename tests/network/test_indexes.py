"""Inputs of embeddings: numbers without a vector are named, in the data of the fit, of its validation, and in new data."""

from __future__ import annotations

import numpy as np
import pytest
import raw

from neuralstat import layers as L
from neuralstat.errors import DataError

N = 12
WORDS = np.arange(N)[:, np.newaxis] * np.ones((1, 2), int) % 4


def fitted(words=WORDS, **more):
    given = {"layers": [L.Embedding(4, 2), L.Flatten()], "algorithm": "adam", "epochs": 1, "random_state": 1}
    return raw.neuralnet("y ~ w", {"w": words, "y": np.sin(np.arange(N))}, **{**given, **more})


@pytest.mark.parametrize("wrong", [4, -1, 1.5, 1e9])
def test_numbers_without_a_vector_are_named(wrong):
    words = WORDS.astype(float)
    words[3, 1] = wrong
    said = rf"column 'w\[1\]' holds {wrong:g}, but layer 'embedding' with input_dim=4 takes whole numbers from 0 to 3"
    said = said.replace("+", r"\+")
    with pytest.raises(DataError, match=said):
        fitted(words)
    with pytest.raises(DataError, match=f"validation: {said}"):
        fitted(validation={"w": words, "y": np.zeros(N)})
    with pytest.raises(DataError, match=f"new: {said}"):
        fitted().predict({"w": words})


def test_more_words_than_vectors():
    data = {"t": ["one two", "two three four", "five", "one six"] * 3, "y": np.arange(N)}
    with pytest.raises(DataError, match="but layer 'embedding' with input_dim=3 takes"):
        raw.neuralnet("y ~ sequences(t, length=3, max_features=9)", data, layers=[L.Embedding(3, 2), L.Flatten()],
                      algorithm="adam", epochs=1)  # fmt: skip


def test_missing_rows_and_other_layers_are_not_looked_at():
    words = WORDS.astype(float)
    words[3] = np.nan
    fit = fitted(words)
    assert fit.nobs == N - 1 and np.isnan(fit.predict({"w": words})).sum() == 1
    fitted(WORDS * 100.5, layers=[L.Flatten(), L.Dense(2)])
    fitted(layers=[L.Flatten(), L.Embedding(4, 2), L.Flatten(), L.Dense(1)])
