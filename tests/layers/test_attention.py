"""Attention and vectors by position through the front door; numbers against Keras are in test_keras_graphs.py."""

from __future__ import annotations

import numpy as np
import pytest
import raw

import neuralstat as ns
from neuralstat import layers as L
from neuralstat.errors import ArgumentError

N, LENGTH = 30, 5
PARTS = [f"multi_head_attention/{part}/{array}" for part in ("query", "key", "value", "attention_output")
         for array in ("kernel", "bias")]  # fmt: skip
BLOCK = [L.Embedding(7, 4, mask_zero=True), L.PositionEmbedding(8), L.MultiHeadAttention(2, 3, value_dim=1),
         L.GlobalAveragePooling1D()]  # fmt: skip


@pytest.fixture(scope="module")
def texts():
    rng = np.random.default_rng(5)
    ids = rng.integers(1, 7, (N, LENGTH))
    ids[np.arange(LENGTH) >= rng.integers(1, LENGTH + 1, N)[:, np.newaxis]] = 0
    return {"ids": ids, "y": rng.standard_normal(N)}


def start(layers, data, **more):
    return raw.neuralnet("y ~ ids", data, layers=layers, algorithm="adam", epochs=0, random_state=3, **more)


@pytest.fixture(scope="module")
def fit(texts):
    return raw.neuralnet("y ~ ids", texts, layers=BLOCK, algorithm="adam", epochs=2, batch_size=16, random_state=3)


def test_arrays_are_those_of_keras(fit):
    weights = fit.get_weights()
    assert list(weights)[2:10] == PARTS
    assert weights["position_embedding/embeddings"].shape == (8, 4)
    shapes = [weights[name].shape for name in PARTS]
    assert shapes == [(4, 2, 3), (2, 3), (4, 2, 3), (2, 3), (4, 2, 1), (2, 1), (2, 1, 4), (4,)]
    assert not np.any(start(BLOCK, {"ids": np.ones((3, 5), int), "y": np.arange(3.0)}).get_weights()[PARTS[1]])


def test_padding_does_not_matter(texts, fit):
    longer = {**texts, "ids": np.pad(texts["ids"], ((0, 0), (0, 3)))}
    other = start(BLOCK, longer, startweights=fit.get_weights())
    np.testing.assert_allclose(other.predict(), fit.predict(), rtol=1e-12)


def test_a_list_is_a_sequence_that_asks_itself(texts, fit):
    x = L.Input()
    h = BLOCK[1](BLOCK[0](x))
    h = L.MultiHeadAttention(2, 3, value_dim=1)(h, h, h)
    other = start(L.GlobalAveragePooling1D()(h), texts, startweights=fit.get_weights())
    np.testing.assert_array_equal(other.predict(), fit.predict())


def test_causal_attention_sees_nothing_later(texts):
    layers = [L.Embedding(7, 4), L.MultiHeadAttention(2, 3, use_causal_mask=True), L.Cropping1D((0, 2)), L.Flatten()]
    fit = start(layers, texts)
    later = {"ids": texts["ids"].copy()}
    later["ids"][:, 3:] = 6 - later["ids"][:, 3:]
    np.testing.assert_array_equal(fit.predict(later), fit.predict())
    later["ids"][:, 2] = 6 - later["ids"][:, 2]
    assert np.abs(fit.predict(later) - fit.predict()).max() > 1e-4


def test_saved_and_read(texts, fit, tmp_path):
    fit.save(tmp_path / "fit.ns")
    again = ns.load(tmp_path / "fit.ns")
    np.testing.assert_array_equal(again.predict(texts), fit.predict(texts))
    assert list(again.get_weights()) == list(fit.get_weights())
    assert fit.layer_table["params"].sum() == fit.network.n_params


def test_what_does_not_fit_is_refused(texts):
    with pytest.raises(ArgumentError, match=r"dropout must be 0; got 0\.1"):
        L.MultiHeadAttention(2, 3, dropout=0.1)
    x = L.Input()
    a, b = L.Conv1D(2, 2)(x), L.Conv1D(2, 3)(x)
    with pytest.raises(ArgumentError, match="MultiHeadAttention reads query, value and key, got 4 layers"):
        L.MultiHeadAttention(1, 2)(a, a, a, a)
    with pytest.raises(ArgumentError, match="Dense reads one layer, got 2"):
        L.Dense(2)(a, b)
    data = {"ids": np.zeros((4, 5, 1)), "y": np.arange(4.0)}
    with pytest.raises(ArgumentError, match="3 keys and 4 values must be of one length"):
        start(L.Flatten()(L.MultiHeadAttention(1, 2)(a, a, b)), data)
    with pytest.raises(ArgumentError, match="sequence_length=4, but 5 times come in"):
        start([L.PositionEmbedding(4), L.Flatten()], data)
    with pytest.raises(ArgumentError, match=r"needs \(time, feature\) input"):
        start([L.Flatten(), L.MultiHeadAttention(1, 2)], data)
