"""Texts of different lengths through the front door: padded by zeros, before or behind, alone and in a tower."""

from __future__ import annotations

import warnings

import numpy as np
import pytest
import raw

import neuralstat as ns
from neuralstat import layers as L
from neuralstat.errors import ArgumentError, FitWarning

N, LENGTH = 60, 8
WORDS = [L.Embedding(9, 2, mask_zero=True), L.LSTM(3)]
LAYERS = [L.Embedding(9, 3, mask_zero=True), L.Dropout(0.1), L.LSTM(4, return_sequences=True), L.GRU(3)]


@pytest.fixture(scope="module")
def texts():
    """Ids of 1 to 8 words; whether word 5 is among them; the same padded before."""
    rng = np.random.default_rng(11)
    ids = rng.integers(1, 9, (N, LENGTH))
    for k in range(N):
        ids[k, rng.integers(1, LENGTH + 1) :] = 0
    pre = np.array([np.r_[row[row == 0], row[row > 0]] for row in ids])
    return {"post": ids, "pre": pre, "y": np.where((ids == 5).any(axis=1), "yes", "no"), "z": rng.random(N)}


@pytest.fixture(scope="module")
def fit(texts):
    return raw.neuralnet("y ~ post", texts, layers=LAYERS, family="binomial", algorithm="adam", epochs=3, batch_size=16,
                         random_state=2)  # fmt: skip


def test_padding_does_not_matter(texts, fit):
    """Before or behind, more or less of it: the words alone count."""
    expected = fit.predict(texts)
    np.testing.assert_allclose(fit.predict({"post": texts["pre"]}), expected, rtol=1e-12)
    other = {"post": np.pad(texts["post"], ((0, 0), (0, 4)))}
    longer = raw.neuralnet("y ~ post", {**texts, **other}, layers=LAYERS, family="binomial", algorithm="adam", epochs=0,
                           startweights=fit.get_weights())  # fmt: skip
    np.testing.assert_allclose(longer.predict(), expected, rtol=1e-12)
    unmasked = [L.Embedding(9, 3), *LAYERS[1:]]
    blind = raw.neuralnet("y ~ post", texts, layers=unmasked, family="binomial", algorithm="adam", epochs=0,
                          startweights=fit.get_weights())  # fmt: skip
    assert np.abs(blind.predict() - expected).max() > 1e-3


def test_saved_and_read(texts, fit, tmp_path):
    fit.save(tmp_path / "fit.ns")
    again = ns.load(tmp_path / "fit.ns")
    np.testing.assert_array_equal(again.predict(texts), fit.predict(texts))
    assert again.network.layers[:4] == tuple(LAYERS)
    with pytest.raises(ArgumentError, match="LSTM's dropout"):
        raw.neuralnet("y ~ post", texts, layers=[L.Embedding(9, 3), L.LSTM(2, recurrent_dropout=0.2)], algorithm="rprop+")


def test_dropout_inside_trains_and_predicts_without(texts):
    """Repeatable by its seed; with rates that differ, another fit."""
    def weights(**given):
        layers = [LAYERS[0], L.LSTM(3, **given)]
        made = raw.neuralnet("y ~ post", texts, layers=layers, family="binomial", algorithm="adam", epochs=2, batch_size=16,
                             random_state=1)  # fmt: skip
        return made.get_weights(), made

    a, fit = weights(dropout=0.3, recurrent_dropout=0.2)
    b, _ = weights(dropout=0.3, recurrent_dropout=0.2)
    c, _ = weights()
    for name in a:
        np.testing.assert_array_equal(a[name], b[name])
    assert np.any(a["lstm/recurrent_kernel"] != c["lstm/recurrent_kernel"])
    plain = raw.neuralnet("y ~ post", texts, layers=[LAYERS[0], L.LSTM(3)], family="binomial", algorithm="adam", epochs=0,
                          startweights=a)  # fmt: skip
    np.testing.assert_allclose(fit.predict(), plain.predict(), rtol=1e-12)


def test_start_weights_and_arrays():
    rng = np.random.default_rng(0)
    data = {"x": rng.random((20, 4, 2)), "y": rng.random(20)}
    made = raw.neuralnet("y ~ x", data, layers=[L.LSTM(3, unit_forget_bias=False, return_sequences=True),
                                                L.GRU(2, use_bias=False)], algorithm="adam", epochs=0)  # fmt: skip
    weights = made.get_weights()
    assert list(weights) == ["lstm/kernel", "lstm/recurrent_kernel", "lstm/bias", "gru/kernel", "gru/recurrent_kernel",
                             "dense/kernel", "dense/bias"]  # fmt: skip
    np.testing.assert_array_equal(weights["lstm/bias"], 0)


def test_a_lost_mask_is_said(texts):
    for layer, lost in ((L.Flatten(), True), (L.GlobalAvgPool(), False)):
        with warnings.catch_warnings(record=True) as said:
            warnings.simplefilter("always")
            ns.neuralnet("y ~ post", texts, layers=[LAYERS[0], layer], family="binomial", algorithm="adam", epochs=1)
        found = [one for one in said if "Flatten does not know of masks" in str(one.message)]
        assert bool(found) == lost
        assert all(one.category is FitWarning for one in found)


def test_a_tower_of_text(texts):
    """`nn(text, layers=[...])` beside a number: the mask is the tower's own."""
    made = raw.neuralnet("y ~ z + nn(post, layers=words)", texts, family="binomial", towers={"words": WORDS},
                        algorithm="adam", epochs=2, random_state=1, rep=1)  # fmt: skip
    np.testing.assert_allclose(made.predict({"post": texts["pre"], "z": texts["z"]}), made.predict(texts), rtol=1e-12)
