"""Passes of large networks are those of the kernels, and need neither their memory nor their threads."""

import tracemalloc

import chains
import numpy as np
import pytest

from neuralstat import layers as L
from neuralstat.layers.graph import Graph
from neuralstat.network import array_layers, derivatives, passes
from neuralstat.network.expand import expanded
from neuralstat.network.network import Network
from neuralstat.network.objective import objective, resolve_activation
from neuralstat.network.table import Entry, Tower

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
MOBILE = (
    (L.ZeroPadding2D(((0, 1), (1, 0))), L.Conv2D(4, 3, strides=2, use_bias=False), L.BatchNorm(epsilon=0.01), L.ReLU(0.8),
     L.DepthwiseConv2D(3, padding="same", use_bias=False), L.BatchNorm(), L.ReLU(0.6, name="a"), L.Conv2D(4, 1),
     L.BatchNorm(name="b"), L.Add(["a", "b"], name="joined"), L.DepthwiseConv2D((2, 1), (1, 2), depth_multiplier=2,
     activation="swish"), L.MaxPool2D(2, strides=1, padding="same"), L.GlobalAvgPool(), L.Dense(2)), (9, 8, 2),
)  # fmt: skip
GRAPHS = [(name, *chain) for name, found in chains.CHAINS.items() for chain in found] + [
    ("mobile", *MOBILE),
    ("shared input", (L.Dense(2, "tanh", name="a"), L.From("input"), L.RepeatVector(2), L.Flatten(name="b"), L.From("input"),
                      L.Dense(3, name="c"), L.Concatenate(["a", "b", "input", "c", "a"]), L.Dense(2)), (3,)),
    ("Permute", (L.Conv2D(2, 2, "tanh"), L.Permute((3, 1, 2)), L.Conv2D(1, 2), L.Flatten(), L.Dense(1)), (3, 4, 1)),
    ("Reverse", (L.Conv1D(2, 2, "tanh"), L.Reverse(), L.Conv1D(2, 3), L.Flatten(), L.Dense(2)), (6, 2)),
    ("RepeatVector", (L.Dense(3, "tanh"), L.RepeatVector(3), L.Conv1D(2, 2), L.Flatten(), L.Dense(1)), (2,)),
    ("ZeroPadding1D", (L.Conv1D(2, 2, "tanh"), L.ZeroPadding1D((2, 1)), L.Conv1D(2, 2), L.Flatten(), L.Dense(1)), (3, 2)),
    ("SeparableConv1D", (L.SeparableConv1D(2, 2, padding="causal", activation="tanh"), L.Flatten(), L.Dense(1)), (4, 2)),
    ("Conv1DTranspose", (L.Conv1D(2, 2), L.Conv1DTranspose(2, 3, 2, activation="tanh"), L.Flatten(), L.Dense(1)), (4, 1)),
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


def _same_as_kernels(network, theta, x):
    """Units of all layers, slopes, and sums of both, in double and in single precision."""
    across = np.ascontiguousarray(x.T)
    units, slopes = derivatives.units(network, x, theta), derivatives.slopes(network, x, theta)
    for number, close in ((theta, 1e-12), (theta.astype(np.float32), 2e-5)):
        made = passes.Passes.of_theta(network, number)
        for layer, (_, first, shape) in enumerate(network.places):
            own = made.outputs(across.astype(number.dtype), layer)
            assert own.dtype == number.dtype
            want = units[first : first + int(np.prod(shape))]
            np.testing.assert_allclose(own.T, want, rtol=close, atol=close * (1 + np.abs(want).max(initial=0)))
        own = made.slopes(across.astype(number.dtype)).transpose(0, 2, 1)
        np.testing.assert_allclose(own, slopes, rtol=close, atol=close * (1 + np.abs(slopes).max(initial=0)))
    pull = np.array([0.3, -2.0, 0.7])[: network.n_outputs]
    value, slope = passes.Passes.of_theta(network, theta).value_and_slope(across, None, pull)
    np.testing.assert_allclose(value, pull @ derivatives.outputs(network, x, theta)[0], rtol=1e-12, atol=1e-11)
    np.testing.assert_allclose(slope.T, np.tensordot(pull, slopes, 1), atol=1e-11)


@pytest.mark.parametrize("m", [0, 1, 7])
def test_units_and_slopes_are_those_of_the_kernels(m):
    seen, rng = set(), np.random.default_rng(1)
    for layers, shape in CASES:
        if not all(hasattr(layer, "place") for layer in layers):
            continue  # of graphs
        network = _network(layers, shape)
        if passes.possible(network):
            seen |= {type(layer).__name__ for layer in layers}
            _same_as_kernels(network, _weights(network, rng), rng.standard_normal((int(np.prod(shape)), m)))
    assert seen >= {"Dense", "Conv1D", "Conv2D", "MaxPool1D", "MaxPool2D", "AvgPool2D", "BatchNorm", "Dropout", "Activation",
                    "DepthwiseConv1D", "DepthwiseConv2D", "GlobalAvgPool", "GlobalMaxPool", "GaussianNoise"}  # fmt: skip


@pytest.mark.parametrize("m", [0, 1, 5])
def test_graphs_and_moves_are_those_of_the_kernels(m):
    seen = set()
    for name, layers, shape in GRAPHS:
        network = chains.chain_network((layers, shape))
        if not passes.possible(network):
            continue
        theta, x, _ = chains.draw(network, max(m, 1), 2)
        _same_as_kernels(network, theta[0], chains.rows_of(x)[:, :m].copy())
        seen.add(name)
    assert seen >= {"Add", "Subtract", "Average", "Concatenate", "Residual", "Branches", "From", "SeparableConv1D",
                    "SeparableConv2D", "Conv1DTranspose", "Conv2DTranspose", "ZeroPadding1D", "ZeroPadding2D", "Cropping1D",
                    "Cropping2D", "UpSampling1D", "UpSampling2D", "Permute", "RepeatVector", "Reverse", "mobile",
                    "shared input", "Multiply", "Maximum", "Minimum", "Dot"}  # fmt: skip


def test_convolutions_of_few_channels_go_back_the_other_way(monkeypatch):
    """With strides, dilation, padding: all of them so, and none."""
    rng = np.random.default_rng(3)
    for layers, shape in CASES[-len(MORE) :]:
        network = _network(layers, shape)
        theta, x = _weights(network, rng), rng.standard_normal((3, int(np.prod(shape))))
        found = []
        for few in (0, 1000):
            monkeypatch.setattr(passes, "FEW", few)
            found.append(passes.Passes.of_theta(network, theta).slopes(x))
        np.testing.assert_allclose(found[0], found[1], rtol=1e-12, atol=1e-12 * np.abs(found[1]).max())


def test_slopes_of_what_lies_after_a_layer():
    """Of convolutions with batch normalisation as in residual networks, by central differences of the units behind them."""
    network = chains.chain_network(MOBILE)
    theta, x, _ = chains.draw(network, 3, 4)
    made, x = passes.Passes.of_theta(network, theta[0]), x.reshape(3, -1)
    at = network.layer_names.index("joined")
    units, pull, step = made.outputs(x, at), np.array([0.3, -1.1]), 1e-6
    value, slope = made.value_and_slope(units, None, pull, after=at)
    np.testing.assert_allclose(value, made.outputs(x) @ pull, rtol=1e-13)
    np.testing.assert_allclose(made.outputs(units, None, after=at), made.outputs(x), rtol=1e-13)
    for j in range(0, units.shape[1], 5):
        one = step * (np.arange(units.shape[1]) == j)
        ends = [made.outputs(units + sign * one, None, after=at) @ pull for sign in (1, -1)]
        np.testing.assert_allclose(slope[:, j], (ends[0] - ends[1]) / (2 * step), rtol=1e-5, atol=1e-7)


def test_units_are_let_go_after_their_last_reader():
    layers = [L.Dense(10, "tanh") for _ in range(30)]
    network = _network(layers, (10,))
    made = passes.Passes.of_theta(network, np.zeros(network.n_params))
    assert made._way(None).most() <= 30 and network.width > 300
    held = made._way(29).kept(made._wants)
    assert len(held) == 30 and set(made._forward(np.zeros((1, 10)), made._way(29), ())) == {made._part(29).region}
    layers = L.Dense(3, "tanh", name="a"), L.Dense(3), L.Dense(3, name="b"), L.Add(["a", "b"]), L.Dense(1)
    skip = chains.chain_network((layers, (2,)))
    found = passes.Passes.of_theta(skip, np.zeros(skip.n_params))
    assert found._way(None).most() <= 12


def test_memory_is_that_of_the_units_that_are_read_again():
    """Of forty residual blocks: a few arrays of a layer in predictions, one for each that bends on the way back."""
    block = [L.Residual([L.Conv2D(4, 1), L.BatchNorm(), L.Conv2D(4, 3, "relu", padding="same")]) for _ in range(40)]
    network = chains.chain_network(([L.Conv2D(4, 1), *block, L.GlobalAvgPool(), L.Dense(1)], (64, 64, 1)))
    theta, x = np.full(network.n_params, 0.01), np.ones((2, 64 * 64))
    made, layer = passes.Passes.of_theta(network, theta), 2 * 64 * 64 * 4 * 8
    assert network.width * 2 * 8 > 160 * layer
    for call, most in ((made.outputs, 20), (made.slopes, 65)):
        call(x)
        tracemalloc.start()
        call(x)
        peak = tracemalloc.get_traced_memory()[1]
        tracemalloc.stop()
        assert peak < most * layer


def _two_inputs():
    a, b = L.Input(), L.Input()
    image = L.Conv1D(2, 2, "tanh")(a)
    return L.Dense(2)(L.Concatenate()([L.Flatten()(image), b, L.Dense(3, "tanh")(b)]))


def test_inputs_that_other_units_are_read_with():
    rng, made = np.random.default_rng(5), objective("sse", resolve_activation("identity"))
    layers = L.Conv2D(2, 2, "tanh"), L.Flatten(), L.Dense(3, "relu"), L.Dense(2)
    beside = Network(layers, (3, 3, 1), made, tuple("abcdefghijk"), ("y", "z"), beside=2)
    skip = Network((L.Dense(4, "tanh"), L.Dense(3, "tanh"), L.Dense(2)), (5,), made, tuple("abcde"), ("y", "z"), skip=True)
    towers = Network(
        (L.Dense(3, "tanh"), L.Conv1D(2, 2, "tanh"), L.ReLU(0.5), L.Flatten(), L.Dense(2)), (8,), made, tuple("abcdefgh"),
        ("y", "z"), towers=(Tower("p", 1, 0, (2,)), Tower("q", 3, 2, (4, 1))), direct=2,
    )  # fmt: skip
    flat = expanded(Graph.of(_two_inputs()))
    strided = Network(flat.layers, (10,), made, tuple("abcdefghij"), ("y", "z"), wires=flat.wires,
                      entries=(Entry(0, (3, 2), (1, 3)), Entry(6, (4,))))  # fmt: skip
    for network in (beside, skip, towers, strided):
        assert passes.possible(network)
        _same_as_kernels(network, _weights(network, rng), rng.standard_normal((len(network.input_names), 4)))


FEW = [L.Conv2D(8, 3, "relu", padding="same"), L.MaxPool2D(2), L.Flatten(), L.Dense(300, "tanh")], (12, 10, 3)


@pytest.mark.parametrize("network", [_network(*FEW), chains.chain_network(MOBILE)], ids=["chain", "graph"])
def test_pieces_and_threads_change_no_bit(network, monkeypatch):
    rng = np.random.default_rng(2)
    theta, x = _weights(network, rng), rng.standard_normal((9, len(network.input_names)))
    found = []
    for threads in (1, 3):
        monkeypatch.setattr(passes, "threads", lambda threads=threads: threads)
        made = passes.Passes.of_theta(network, theta)
        found.append((made.outputs(x), made.slopes(x)))
    np.testing.assert_array_equal(found[0][0], found[1][0])
    np.testing.assert_array_equal(found[0][1], found[1][1])
    monkeypatch.setattr(array_layers, "PATCHES", 500)
    monkeypatch.setattr(array_layers, "PIECE", 1000)
    monkeypatch.setattr(array_layers, "UNITS", 2)
    monkeypatch.setattr(array_layers, "NEAR", 40)
    monkeypatch.setattr(passes, "KEPT", 2 * network.width)
    again = passes.Passes.of_theta(network, theta)
    np.testing.assert_allclose(again.outputs(x), found[0][0], rtol=1e-12, atol=1e-13)
    np.testing.assert_allclose(again.slopes(x), found[0][1], rtol=1e-12, atol=1e-13)
    np.testing.assert_allclose(again.outputs(x[4:5]), found[0][0][4:5], rtol=1e-12, atol=1e-13)
    assert again.outputs(x[:0]).shape == (0, network.n_outputs)


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


def test_what_has_other_layers_goes_through_the_kernels():
    masked = _network([L.Embedding(5, 3, mask_zero=True), L.GlobalAvgPool()], (4,))
    for network in (masked, _network([L.ReLU(6.0, 0.1)], (3,)), _network([L.TimeDistributed(L.Dense(2))], (3, 2))):
        assert not passes.possible(network)
    assert not passes.possible(_network([L.LSTM(3)], (4, 2)))
    assert passes.products(_network([L.Conv2D(4, 3, padding="same")], (5, 5, 2))) == 25 * 4 * 19 + 2 * 101
