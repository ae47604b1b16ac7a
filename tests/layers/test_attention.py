"""Attention and vectors by position through the front door; numbers against Keras are in test_keras_graphs.py."""

from __future__ import annotations

import naive
import numpy as np
import pytest
import raw
from chains import (
    chain_network,
    close,
    draw,
    drawn_step,
    kernel_data,
    kernel_gradient,
    naive_gradient,
    naive_loss,
    rows_of,
)

import neuralstat as ns
from neuralstat import layers as L
from neuralstat.errors import ArgumentError
from neuralstat.layers import codes
from neuralstat.training.epochs import make_rows

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


def test_scores_that_are_dropped():
    """Factors 0 or 1 / (1 - rate) of each head, query and key; the gradient is that of what was drawn; none in prediction."""
    chain = ((L.Masking(), L.MultiHeadAttention(2, 3, dropout=0.3), L.LSTM(2), L.Dense(1)), (4, 2))
    network = chain_network(chain)
    theta, x, y = draw(network, 16)
    k = int(np.flatnonzero(network.table[:, codes.OP] == codes.ATTENTION)[0])
    n = 2 * 4 * 4
    grad, factors = np.zeros_like(theta[0]), np.empty((n, 16))
    first = int(network.table[k, codes.SCRATCH]) + n
    loss = drawn_step(network.net(), make_rows(rows_of(x), y.T), theta[0], np.full(len(network.table), -1.0),
                      np.array([5, 9], np.uint64), 0, first, grad, factors)  # fmt: skip
    np.testing.assert_allclose(np.unique(factors), [0, 1 / 0.7], rtol=1e-8)
    assert abs((factors == 0).mean() - 0.3) < 4 * np.sqrt(0.3 * 0.7 / factors.size)
    mask, by_head = np.any(x != 0, axis=2), factors.T.reshape(16, 2, 4, 4)
    layer = next(j for j, one in enumerate(network.layers) if type(one).__name__ == "Attention")
    training = {layer: lambda layer, w, parts: naive.attention(layer, w, parts, mask, mask, by_head)}
    close(loss, naive_loss(network, theta[0], x, y, training=training))
    close(grad, naive_gradient(network, theta[0], x, y, training=training))
    close(kernel_gradient(network, kernel_data(x, y), theta[0])[0], naive_loss(network, theta[0], x, y))


def test_dropout_of_scores_in_training(texts):
    """Fits of one seed are one fit; those of another rate are not; predictions draw nothing."""
    def fit(rate):
        layers = [L.Embedding(7, 4), L.MultiHeadAttention(2, 3, dropout=rate), L.Flatten()]
        return raw.neuralnet("y ~ ids", texts, layers=layers, algorithm="adam", epochs=2, batch_size=16, random_state=3)

    first, again, none = fit(0.5), fit(0.5), fit(0.0)
    np.testing.assert_array_equal(first.fit.theta, again.fit.theta)
    assert np.abs(first.fit.theta - none.fit.theta).max() > 1e-4
    np.testing.assert_array_equal(first.predict(texts), first.predict(texts))
    layers = [L.Embedding(7, 4), L.MultiHeadAttention(2, 3), L.Flatten()]
    same = start(layers, texts, startweights=first.get_weights())
    np.testing.assert_allclose(same.predict(texts), first.predict(texts), rtol=1e-12)


def test_saved_and_read(texts, fit, tmp_path):
    fit.save(tmp_path / "fit.ns")
    again = ns.load(tmp_path / "fit.ns")
    np.testing.assert_array_equal(again.predict(texts), fit.predict(texts))
    assert list(again.get_weights()) == list(fit.get_weights())
    assert fit.layer_table["params"].sum() == fit.network.n_params


def test_what_does_not_fit_is_refused(texts):
    with pytest.raises(ArgumentError, match=r"dropout must be .*; got 1"):
        L.MultiHeadAttention(2, 3, dropout=1)
    with pytest.raises(ArgumentError, match="a network with MultiHeadAttention's dropout is not in training"):
        raw.neuralnet("y ~ ids", texts, layers=[L.Embedding(7, 4), L.MultiHeadAttention(2, 3, dropout=0.1), L.Flatten()])
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
