"""Texts of different lengths through the front door: padded by zeros, before or behind, alone and in a tower."""

from __future__ import annotations

import warnings

import numpy as np
import pytest
import raw

import neuralstat as ns
from neuralstat import layers as L
from neuralstat.errors import ArgumentError, FitWarning
from neuralstat.layers import codes
from neuralstat.network.expand import expanded
from neuralstat.network.masks import has_mask
from neuralstat.network.network import Network
from neuralstat.network.objective import objective, resolve_activation

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


def network_of(*layers, shape=(4,)):
    flat = expanded([*layers, L.Dense(1)])
    goal = objective("sse", resolve_activation("identity"))
    names = tuple(f"x{j}" for j in range(int(np.prod(shape))))
    return Network(flat.layers, shape, goal, names, ("y",), wires=flat.wires)


MASKED = L.Embedding(9, 4, mask_zero=True, name="words")
PASSING = [  # layers with `supports_masking` in Keras 3.15 that can stand there
    L.Activation("tanh"), L.ReLU(), L.ReLU(6.0, 0.1, 0.5), L.LeakyReLU(), L.ELU(), L.PReLU(), L.Dropout(0.1),
    L.SpatialDropout1D(0.1), L.GaussianNoise(0.1), L.GaussianDropout(0.1), L.AlphaDropout(0.1), L.LayerNormalization(),
    L.GroupNormalization(2), L.MultiHeadAttention(1, 2), L.TimeDistributed(L.Dense(2)), L.PositionEmbedding(4),
    L.GRU(2, return_sequences=True), L.Bidirectional(L.LSTM(2, return_sequences=True)), L.Residual([L.ELU()]),
    L.Branches([L.ReLU()], [L.PReLU()], []),
]  # fmt: skip
LOSING = [L.Conv1D(2, 1), L.DepthwiseConv1D(1), L.MaxPool1D(1), L.Reverse(), L.Permute((2, 1)), L.Reshape((2, 8)),
          L.Softmax(), L.Residual([L.Conv1D(4, 1)]), L.Branches([L.Conv1D(2, 1)], [])]  # fmt: skip


@pytest.mark.parametrize("layer", PASSING, ids=lambda layer: type(layer).__name__)
def test_who_passes_masks_on(layer):
    network = network_of(MASKED, layer, L.LSTM(2, name="last"))
    (row,) = network.table[[found == L.LSTM(2, name="last") for found in network.table_layers]]
    first = network.table[0]
    assert first[codes.SCRATCH] <= row[codes.MASK] < first[codes.SCRATCH] + 4


@pytest.mark.parametrize("layer", LOSING, ids=lambda layer: type(layer).__name__)
def test_who_loses_masks_says_so(layer):
    with pytest.warns(FitWarning, match="does not know of masks"):
        network = network_of(MASKED, layer, L.LSTM(2, name="last"))
    assert network.table[[found == L.LSTM(2, name="last") for found in network.table_layers]][0, codes.MASK] == -1


def test_one_rule_says_where_masks_are():
    """What is expected before there is a table is what stands in it: no layer that zeroes masked units is there for none."""
    inner = L.TimeDistributed(L.LSTM(3))
    for layer in (*PASSING, *LOSING, inner):
        with warnings.catch_warnings():
            warnings.simplefilter("ignore", FitWarning)
            made = network_of(MASKED, layer, L.Bidirectional(L.GRU(1, return_sequences=True), name="both"), L.Flatten(),
                              shape=(4, 3) if layer is inner else (4,))  # fmt: skip
        zeroes = [own for own in made.layers if type(own).__name__ == "ZeroMasked" and own.name.startswith("both/")]
        recurrent = made.table[np.isin(made.table[:, codes.OP], codes.RECURRENT)][-2:]
        assert (len(zeroes) == 2) == bool((recurrent[:, codes.MASK] >= 0).all())
    assert has_mask(L.Concatenate(["a", "b"], axis=1), [True, False]) and not has_mask(L.Add(["a", "b"]), [True, False])


def test_masks_of_joined_sequences():
    """Features side by side need a mask each, and keys the mask of their values."""
    for axis in (-1, 2):
        with pytest.warns(FitWarning, match="Concatenate with an input without a mask"):
            made = network_of(MASKED, L.From("input"), L.Embedding(9, 4, name="b"), L.Concatenate(["words", "b"], axis=axis),
                              L.Bidirectional(L.GRU(1, return_sequences=True)), L.Flatten())  # fmt: skip
        assert (made.table[np.isin(made.table[:, codes.OP], codes.RECURRENT), codes.MASK] == -1).all()
    with pytest.raises(ArgumentError, match=r"keys and values whose masks are not one"):
        x = L.Input()
        a, b, c = (L.Embedding(9, 4, mask_zero=True)(x) for _ in range(3))
        flat = expanded(L.graph.Graph.of(L.Dense(1)(L.Flatten()(L.MultiHeadAttention(1, 2)(a, b, c)))))
        Network(flat.layers, (4,), objective("sse", resolve_activation("identity")), tuple("abcd"), ("y",), wires=flat.wires)


def test_sentences_of_words(texts):
    """A recurrent layer for each sentence sees its words, and one behind it the sentences that have some."""
    rng = np.random.default_rng(3)
    ids = rng.integers(1, 9, (N, 3, 5))
    ids[np.arange(5) >= rng.integers(0, 6, (N, 3))[..., None]] = 0
    ids[:, 0, 0] = 1
    layers = [L.Embedding(9, 3, mask_zero=True), L.TimeDistributed(L.LSTM(4)), L.GRU(3)]
    settings = {"layers": layers, "algorithm": "adam", "epochs": 0}
    fit = raw.neuralnet("y ~ x", {"x": ids, "y": texts["z"]}, random_state=2, **settings)
    expected = fit.predict()
    wide = np.pad(ids, ((0, 0), (0, 2), (0, 1)))  # more words and sentences that are not there
    before = np.concatenate([np.zeros((N, 1, 5), int), ids], axis=1)
    for other in (wide, before):
        made = raw.neuralnet("y ~ x", {"x": other, "y": texts["z"]}, startweights=fit.get_weights(), **settings)
        np.testing.assert_allclose(made.predict(), expected, rtol=1e-12)
    blind = raw.neuralnet("y ~ x", {"x": ids, "y": texts["z"]}, startweights=fit.get_weights(),
                          **{**settings, "layers": [L.Embedding(9, 3), *layers[1:]]})  # fmt: skip
    assert np.abs(blind.predict() - expected).max() > 1e-3
