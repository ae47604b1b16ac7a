"""Passes of large networks are those of the kernels, and need neither their memory nor their threads."""

import chains
import numpy as np
import pytest

from neuralstat import layers as L
from neuralstat.network import array_layers, derivatives, passes
from neuralstat.network.network import Network
from neuralstat.network.objective import objective, resolve_activation

MORE = [
    ([L.Conv2D(4, 3, "relu", padding="same"), L.MaxPool2D(2), L.Conv2D(5, (2, 3), "tanh", strides=(2, 1)),
      L.AvgPool2D(2, padding="same"), L.BatchNorm(), L.Dropout(0.3), L.Flatten(), L.Dense(6, "swish")], (11, 9, 3)),
    ([L.Conv2D(4, 3, "relu", padding="same", strides=2), L.MaxPool2D(3, strides=2, padding="same"),
      L.Conv2D(3, 2, "softmax", padding="same", dilation_rate=2), L.Flatten(), L.Dense(3, "softmax")], (13, 12, 2)),
    ([L.Activation("tanh"), L.Dense(4, "relu"), L.Activation("softmax")], (5,)),
    ([L.Activation("softmax"), L.Conv2D(3, 2, "log_softmax"), L.Activation("log_softmax"), L.MaxPool2D(2)], (4, 5, 3)),
    ([L.Dense(4, "log_softmax"), L.LeakyReLU(0.1), L.Softmax(), L.Reshape((2, 2)), L.ReLU(0.2), L.Activation("softmax")],
     (5,)),
    ([L.Conv1D(3, 2, "softmax", padding="causal"), L.AvgPool1D(2), L.ELU(0.5), L.GlobalMaxPool()], (6, 2)),
]  # fmt: skip
CASES = [(layers[:-1], shape) for found in chains.CHAINS.values() for layers, shape in found] + MORE


def _network(layers, shape, outputs=2, offset=False):
    inputs = tuple(f"x{i}" for i in range(int(np.prod(shape))))
    made = objective("sse", resolve_activation("identity"))
    return Network((*layers, L.Flatten(), L.Dense(outputs)), shape, made, inputs, tuple("abc"[:outputs]), offset)


def _weights(network, rng):
    theta = 0.4 * rng.standard_normal(network.n_params)
    theta[network.is_moving] = 0.1 + np.abs(theta[network.is_moving])
    return theta


def test_units_and_slopes_are_those_of_the_kernels():
    seen, rng = set(), np.random.default_rng(1)
    for layers, shape in CASES:
        if not all(hasattr(layer, "place") for layer in layers):
            continue  # of graphs
        network = _network(layers, shape)
        if not passes.possible(network):
            continue
        seen |= {type(layer).__name__ for layer in layers}
        theta, x = _weights(network, rng), rng.standard_normal((int(np.prod(shape)), 7))
        across = np.ascontiguousarray(x.T)
        units = derivatives.units(network, x, theta)
        for number, kind in ((theta, 1e-12), (theta.astype(np.float32), 1e-5)):
            made = passes.Passes.of_theta(network, number)
            for row, first in enumerate(network.table[:, 4]):
                own = made.outputs(across.astype(number.dtype), row)
                assert own.dtype == number.dtype
                np.testing.assert_allclose(own.T, units[first : first + own.shape[1]], rtol=kind, atol=kind)
            slopes = made.slopes(across.astype(number.dtype)).transpose(0, 2, 1)
            np.testing.assert_allclose(slopes, derivatives.slopes(network, x, theta), rtol=kind, atol=kind)
        pull = np.array([0.3, -2.0])
        value, slope = passes.Passes.of_theta(network, theta).value_and_slope(across, len(network.table) - 1, pull)
        np.testing.assert_allclose(value, pull @ derivatives.outputs(network, x, theta)[0], rtol=1e-12, atol=1e-12)
        np.testing.assert_allclose(slope.T, np.tensordot(pull, derivatives.slopes(network, x, theta), 1), atol=1e-12)
    assert seen >= {"Dense", "Conv1D", "Conv2D", "MaxPool1D", "MaxPool2D", "AvgPool2D", "BatchNorm", "Dropout", "Activation"}


def test_pieces_and_threads_change_no_bit(monkeypatch):
    rng = np.random.default_rng(2)
    layers = [L.Conv2D(8, 3, "relu", padding="same"), L.MaxPool2D(2), L.Flatten(), L.Dense(300, "tanh")]
    network = _network(layers, (12, 10, 3))
    theta, x = _weights(network, rng), rng.standard_normal((9, 360))
    found = []
    for threads in (1, 3):
        monkeypatch.setattr(passes, "threads", lambda threads=threads: threads)
        found.append(passes.Passes.of_theta(network, theta).outputs(x))
    np.testing.assert_array_equal(*found)
    monkeypatch.setattr(array_layers, "PATCHES", 500)
    monkeypatch.setattr(array_layers, "PIECE", 1000)
    monkeypatch.setattr(passes, "KEPT", 2 * network.width)
    np.testing.assert_allclose(passes.Passes.of_theta(network, theta).outputs(x), found[0], rtol=1e-12, atol=1e-13)
    one = passes.Passes.of_theta(network, theta).outputs(x[4:5])
    np.testing.assert_allclose(one, found[0][4:5], rtol=1e-12, atol=1e-13)
    assert passes.Passes.of_theta(network, theta).outputs(x[:0]).shape == (0, 2)


@pytest.mark.parametrize("offset", [None, np.linspace(-1, 1, 10).reshape(2, 5)])
def test_statistics_go_this_way_where_networks_are_large(monkeypatch, offset):
    rng = np.random.default_rng(3)
    layers = [L.Conv2D(4, 3, "tanh"), L.BatchNorm(), L.Flatten(), L.Dense(5, "relu")]
    plain, large = (_network(layers, (6, 5, 2), offset=offset is not None) for _ in range(2))
    theta, x = np.stack([_weights(plain, rng) for _ in range(3)]), rng.standard_normal((60, 5))
    monkeypatch.setattr(passes, "LARGE", 0.0)
    assert passes.suits(large)
    monkeypatch.setattr(passes, "LARGE", 1e9)
    assert not passes.suits(plain) and passes.suits(large)
    for found in (derivatives.outputs, lambda n, x, t, o: derivatives.slopes(n, x, t[1], o),
                  *(lambda n, x, t, o, k=k: derivatives.layer_units(n, x, t[1], k, o) for k in range(4))):  # fmt: skip
        np.testing.assert_allclose(found(large, x, theta, offset), found(plain, x, theta, offset), rtol=1e-12, atol=1e-13)
    y, w = rng.standard_normal((2, 5)), rng.uniform(1, 2, 5)
    data = derivatives.make_data(x, y, w, offset)
    np.testing.assert_allclose(derivatives.error(large, data, theta[0]), derivatives.error(plain, data, theta[0]), rtol=1e-12)


def test_activations_that_couple_units_go_this_way_too():
    for layers, shape in MORE:
        assert passes.possible(_network(layers, shape))


def test_what_has_other_layers_or_joins_goes_through_the_kernels():
    masked = _network([L.Embedding(5, 3, mask_zero=True), L.GlobalAvgPool()], (4,))
    for network in (masked, _network([L.ReLU(6.0, 0.1)], (3,)), _network([L.TimeDistributed(L.Dense(2))], (3, 2)),
                    _network([L.UpSampling1D(2)], (3, 2))):  # fmt: skip
        assert not passes.possible(network)
    assert not passes.possible(_network([L.LSTM(3)], (4, 2)))
    made = objective("sse", resolve_activation("identity"))
    layers = L.Conv2D(2, 2), L.Flatten(), L.Dense(3), L.Dense(1)
    beside = Network(layers, (3, 3, 1), made, tuple("abcdefghijk"), ("y",), beside=2)
    assert not passes.possible(beside)
    assert passes.products(_network([L.Conv2D(4, 3, padding="same")], (5, 5, 2))) == 25 * 4 * 19 + 2 * 101
