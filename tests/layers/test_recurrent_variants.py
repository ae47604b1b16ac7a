"""Recurrent layers with masks, backwards, with other activations, without biases, with dropout: against `naive`."""

from __future__ import annotations

import contextlib
from types import SimpleNamespace

import naive
import numpy as np
import pytest
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

from neuralstat import layers as L
from neuralstat.errors import ArgumentError, FileFormatError, FitWarning
from neuralstat.io.layers import pack_layers, unpack_layers
from neuralstat.jit.compile import as_python
from neuralstat.layers import codes
from neuralstat.layers import recurrent_rows as recurrent
from neuralstat.layers.sequence import ZeroMasked
from neuralstat.network import derivatives
from neuralstat.training.epochs import make_rows


def first(units, **more):
    """A GRU whose reset gate comes before the product."""
    return L.GRU(units, reset_after=False, **more)


first.__name__ = "GRU"
KINDS = (L.SimpleRNN, L.LSTM, L.GRU, first)
GATES = {"SimpleRNN": 1, "LSTM": 4, "GRU": 3}
SHAPE = (4, 2)
KEY = np.array([5, 9], np.uint64)


def agrees(chain, n=33, scale=0.7):
    """Loss and gradient of a chain are those of its naive twin."""
    network = chain_network(chain)
    theta, x, y = draw(network, n, scale=scale)
    loss, grad = kernel_gradient(network, kernel_data(x, y), theta[0])
    close(loss, naive_loss(network, theta[0], x, y))
    close(grad, naive_gradient(network, theta[0], x, y))


@pytest.mark.parametrize("sequences", [False, True])
@pytest.mark.parametrize("kind", KINDS)
def test_masks(kind, sequences):
    """Behind an embedding whose zeros, one in three, stand anywhere; of one time; through layers between."""
    after = (L.Flatten(),) if sequences else ()
    with pytest.warns(FitWarning, match="Flatten does not know of masks") if sequences else contextlib.nullcontext():
        for times in (1, 5):
            agrees(((L.Embedding(3, 2, mask_zero=True), kind(3, return_sequences=sequences), *after, L.Dense(2)), (times,)))
        agrees(((L.Masking(), L.Dropout(0.5), L.Activation("tanh"), kind(2, return_sequences=True),
                 kind(3, return_sequences=sequences, go_backwards=True), *after, L.Dense(1)), SHAPE))  # fmt: skip


@pytest.mark.parametrize("kind", KINDS)
def test_padding_before_and_after(kind):
    """Padding before leaves zeros and then what the words alone give; padding behind repeats the last state."""
    chain = ((L.Embedding(9, 2, mask_zero=True), kind(3, return_sequences=True), L.Flatten(), L.Dense(1)), (6,))
    with pytest.warns(FitWarning):
        network = chain_network(chain)
    theta = draw(network, 2)[0][0]
    words = np.array([[3.0, 5, 8]])
    pre, post = np.pad(words, ((0, 0), (3, 0))), np.pad(words, ((0, 0), (0, 3)))
    nothing = np.zeros((1, 6))
    of = {name: units(network, theta, x, 1) for name, x in {"pre": pre, "post": post, "none": nothing}.items()}
    np.testing.assert_array_equal(of["pre"][0, :3], 0)
    np.testing.assert_array_equal(of["pre"][0, 3:], of["post"][0, :3])
    np.testing.assert_array_equal(of["post"][0, 3:], np.repeat(of["post"][0, 2:3], 3, axis=0))
    np.testing.assert_array_equal(of["none"], 0)
    assert np.all(of["pre"][0, 5] != 0)
    grad = kernel_gradient(network, kernel_data(nothing, np.ones((1, 1))), theta)[1]
    np.testing.assert_array_equal(grad[network.slices[0]], 0)
    np.testing.assert_array_equal(grad[network.slices[1]], 0)


def units(network, theta, x, k):
    """Units of layer k, (n, *shape)."""
    _, at, shape = network.places[k]
    value = derivatives.units(network, x.T, theta)
    return value[at : at + int(np.prod(shape))].T.reshape(len(x), *shape)


@pytest.mark.parametrize("kind", KINDS)
def test_backwards_is_the_sequence_turned_round(kind):
    for sequences in (False, True):
        after = (L.Flatten(),) if sequences else ()
        agrees(((kind(3, return_sequences=sequences, go_backwards=True), *after, L.Dense(2)), SHAPE))


@pytest.mark.parametrize("activation", [None, "sigmoid", "relu", "hard_sigmoid", "elu", "selu", "softplus"])
@pytest.mark.parametrize("kind", KINDS)
def test_activations(kind, activation):
    """Of candidates and cells, and of gates, masked and not."""
    sets = [{"activation": activation}]
    if kind is not L.SimpleRNN:
        sets = [{"activation": activation, "recurrent_activation": "hard_sigmoid"}, {"recurrent_activation": activation}]
    for given in sets:
        agrees(((kind(3, **given), L.Dense(1)), SHAPE), scale=0.5)
        agrees(((L.Masking(), kind(2, return_sequences=True, **given), kind(2), L.Dense(1)), SHAPE), scale=0.5)


@pytest.mark.parametrize("kind", KINDS)
def test_without_biases(kind):
    chain = ((kind(3, use_bias=False, return_sequences=True), kind(2, use_bias=False), L.Dense(1)), SHAPE)
    agrees(chain)
    network = chain_network(chain)
    gates = GATES[kind.__name__]
    assert network.shapes[:2] == ((2 + 3, 3 * gates), (3 + 2, 2 * gates))
    assert network.is_bias.sum() == 1


@pytest.mark.parametrize("rates", [(0.3, 0.0), (0.0, 0.4), (0.3, 0.4)])
@pytest.mark.parametrize("kind", KINDS)
def test_dropout(kind, rates):
    """One set of factors for all times; of each gate where the state is dropped; the gradient is that of what was drawn."""
    network = chain_network(((L.Masking(), kind(3, dropout=rates[0], recurrent_dropout=rates[1]), L.Dense(1)), SHAPE))
    theta, x, y = draw(network, 16)
    loss, grad, factors = trained(network, theta[0], x, y)
    gates = GATES[kind.__name__]
    several = gates if rates[1] else 1
    drawn = factors.T.reshape(16, several, -1) if several == 1 else None
    if drawn is None:
        fx = np.moveaxis(factors[: gates * 2].T.reshape(16, gates, 2), 1, 0)
        fh = np.moveaxis(factors[gates * 2 :].T.reshape(16, gates, 3), 1, 0)
    else:
        fx, fh = (np.repeat(np.moveaxis(part, 1, 0), gates, axis=0) for part in (drawn[..., :2], drawn[..., 2:]))
    for part, rate in ((fx, rates[0]), (fh, rates[1])):
        np.testing.assert_allclose(np.unique(part), [0, 1 / (1 - rate)] if rate else [1], rtol=1e-8)
    named = naive.RECURRENT[kind.__name__]
    mask = np.any(x != 0, axis=2)
    training = {1: lambda layer, w, x: named(layer, w, x, mask, (fx, fh))}
    close(loss, naive_loss(network, theta[0], x, y, training=training))
    close(grad, naive_gradient(network, theta[0], x, y, training=training))
    again = trained(network, theta[0], x, y)
    np.testing.assert_array_equal(again[2], factors)
    assert np.any(trained(network, theta[0], x, y, step=1)[2] != factors)
    close(kernel_gradient(network, kernel_data(x, y), theta[0])[0], naive_loss(network, theta[0], x, y))  # nothing dropped


def trained(network, theta, x, y, step=0):
    """Loss and gradient of a training step, and the factors that were drawn, (rows, n)."""
    row = network.table[1]
    first, n = int(as_python(recurrent.factors_row)(*_of(row))), int(n_factors(row))
    grad, factors = np.zeros_like(theta), np.empty((n, len(x)))
    loss = drawn_step(network.net(), make_rows(rows_of(x), y.T), theta, np.full(len(network.table), -1.0), KEY, step, first,
                      grad, factors)  # fmt: skip
    return loss, grad, factors


def n_factors(row):
    several = {codes.LSTM: 4, codes.GRU: 3, codes.SIMPLE_RNN: 1}[int(row[codes.OP])]
    return int(row[codes.FEATURES] + row[codes.UNITS]) * (several if row[codes.OPTIONS] & recurrent.BY_GATE else 1)


def _of(row):
    return row, {codes.LSTM: 6, codes.GRU: 4, codes.SIMPLE_RNN: 0}[int(row[codes.OP])]


def test_what_does_not_exist_is_refused():
    for make, name in [
        (lambda: L.LSTM(2, stateful=True), "stateful"), (lambda: L.GRU(2, return_state=True), "return_state"),
        (lambda: L.GRU(2, reset_after=1), "reset_after"), (lambda: L.LSTM(2, activation="swish"), "activation"),
        (lambda: L.GRU(2, recurrent_activation="softmax"), "recurrent_activation"), (lambda: L.LSTM(2, dropout=1), "dropout"),
    ]:  # fmt: skip
        with pytest.raises(ArgumentError, match=f"^{name} must be"):
            make()
    with pytest.raises(ArgumentError, match="BatchNorm cannot leave masked times out"):
        chain_network(((L.Masking(), L.BatchNorm(), L.LSTM(2), L.Dense(1)), SHAPE))
    with pytest.raises(ArgumentError, match="Masking needs"):
        chain_network(((L.Masking(), L.Dense(1)), (3,)))


def test_means_over_times_that_are_there():
    """Of none: 0, where Keras divides by zero."""
    network = chain_network(((L.Embedding(4, 2, mask_zero=True), L.GlobalAvgPool(), L.Dense(1)), (3,)))
    theta = draw(network, 3)[0][0]
    x = np.array([[1.0, 0, 2], [3, 3, 1], [0, 0, 0]])
    vectors = network.matrices(theta)[0].T
    expected = [(vectors[1] + vectors[2]) / 2, (2 * vectors[3] + vectors[1]) / 3, [0, 0]]
    np.testing.assert_allclose(units(network, theta, x, 1), expected, rtol=1e-14)
    agrees(((L.Embedding(3, 2, mask_zero=True), L.GlobalAvgPool(), L.Dense(1)), (4,)))


def test_masked_units_are_zero_behind_halves_of_bidirectional_layers():
    network = chain_network(((L.Masking(), L.GRU(2, return_sequences=True), ZeroMasked(), L.LSTM(2), L.Dense(1)), SHAPE))
    theta, x, y = draw(network, 20)
    mask = np.any(x != 0, axis=2)
    states = units(network, theta[0], x.reshape(20, -1), 1)
    np.testing.assert_array_equal(units(network, theta[0], x.reshape(20, -1), 2), states * mask[..., np.newaxis])
    twin = {2: lambda layer, w, x: np.where(mask[..., np.newaxis], x, 0)}
    loss, grad = kernel_gradient(network, kernel_data(x, y), theta[0])
    more = {3: lambda layer, w, x: naive.lstm(layer, w, x, mask)}
    close(loss, naive_loss(network, theta[0], x, y, training=twin | more))
    close(grad, naive_gradient(network, theta[0], x, y, training=twin | more))


def test_layers_of_older_files_are_read():
    """Which had fewer arguments, and None for the activation that recurrent layers knew."""
    reader = SimpleNamespace(value=lambda packed, *_: packed)
    packed = [{"kind": "LSTM", "units": 2, "return_sequences": True, "name": None, "activation": None},
              {"kind": "Embedding", "input_dim": 3, "output_dim": 2, "name": None, "activation": None}]  # fmt: skip
    assert unpack_layers(packed, reader) == [L.LSTM(2, return_sequences=True), L.Embedding(3, 2)]
    linear = pack_layers(L.GRU(2, activation=None), reader)
    assert unpack_layers([linear], reader) == [L.GRU(2, activation=None)]
    with pytest.raises(FileFormatError):
        unpack_layers([{"kind": "LSTM", "return_sequences": True}], reader)
