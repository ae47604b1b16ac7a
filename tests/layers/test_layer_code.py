"""Vector code of convolutions, pools and recurrent layers against their plain loops: sizes beyond a tile, odd geometry."""

from __future__ import annotations

import chains
import numpy as np
import pytest

from neuralstat import layers as L
from neuralstat.engine import recurrent_calls
from neuralstat.jit import simd_activations, simd_turned
from neuralstat.jit.buffers import aligned
from neuralstat.jit.compile import entry
from neuralstat.layers import codes, conv, conv_cpu, gru, lstm, lstm_cpu, pool, simple_rnn
from neuralstat.layers.tiling import BY_TILES

M = 48  # observations: three groups that are turned round together
TOLERANCE = {np.float64: 1e-12, np.float32: 2e-5}

IMAGES = [
    (L.Conv2D(33, 3), (7, 6, 1)),
    (L.Conv2D(5, (2, 4), padding="same"), (5, 6, 3)),
    (L.Conv2D(10, 3, strides=2, padding="same"), (8, 7, 2)),
    (L.Conv2D(7, 3, strides=(1, 2), dilation_rate=1, padding="same"), (5, 9, 20)),
    (L.Conv2D(9, (3, 2), dilation_rate=(1, 3), padding="same"), (6, 7, 17)),
    (L.Conv2D(20, 3, dilation_rate=2), (8, 7, 2)),
    (L.Conv2D(1, 1), (3, 4, 50)),
    (L.Conv2D(12, 5), (6, 7, 33)),
    (L.Conv1D(11, 4, padding="causal", dilation_rate=2), (12, 5)),
    (L.Conv1D(18, 3, strides=2), (12, 35)),
    (L.Conv2D(16, 3), (13, 13, 16)),  # by tiles, as all that follow
    (L.Conv2D(33, 3), (9, 12, 17)),
    (L.Conv2D(20, 3, padding="same"), (8, 9, 40)),
    (L.Conv2D(70, 3, padding="same"), (7, 8, 65)),
]
POOLS = [
    (L.MaxPool2D(2), (7, 6, 5)),
    (L.MaxPool2D((3, 2), strides=(1, 2), padding="same"), (6, 7, 9)),
    (L.AvgPool2D(3, strides=2, padding="same"), (6, 7, 9)),
    (L.AvgPool2D(2, strides=1), (5, 4, 3)),
    (L.MaxPool1D(3), (11, 4)),
    (L.GlobalAvgPool(), (4, 5, 6)),
    (L.GlobalMaxPool(), (4, 5, 6)),
]
SIZES = ((1, (1, 1)), (2, (3, 2)), (9, (5, 17)), (40, (23, 3)), (67, (4, 50)))
RECURRENT = [(units, shape, sequences) for units, shape in SIZES for sequences in (False, True)]


@entry
def conv_plain(row, theta, value, delta, grad, m):
    """Forward, backward, gradient."""
    conv.conv2d_forward(row, theta, value, 0, m, 1)
    conv.conv2d_backward(row, theta, delta, 0, m, 1)
    conv.conv2d_gradient(row, value, delta, grad, 0, m, 1)


@entry
def conv_vector(row, theta, value, delta, grad, m):
    """Forward, backward, gradient."""
    conv_cpu.conv2d_forward_cpu(row, theta, value, m)
    conv_cpu.conv2d_backward_cpu(row, theta, delta, m)
    conv_cpu.conv2d_gradient_cpu(row, value, delta, grad, m)


@entry
def pool_plain(row, theta, value, delta, grad, m):
    """Forward, backward."""
    pool.pool_forward(row, theta, value, 0, m, 1)
    pool.pool_backward(row, value, delta, 0, m, 1)


@entry
def pool_vector(row, theta, value, delta, grad, m):
    """Forward, backward."""
    pool.pool_forward_cpu(row, theta, value, m)
    pool.pool_backward_cpu(row, value, delta, m)


@entry
def recurrent_plain(row, theta, value, delta, grad, m):
    """Forward, backward, gradient."""
    if row[codes.OP] == codes.LSTM:
        lstm.lstm_forward(row, theta, value, 0, m, 1)
        lstm.lstm_backward(row, theta, value, delta, 0, m, 1)
        lstm.lstm_gradient(row, value, delta, grad, 0, m, 1)
    elif row[codes.OP] == codes.GRU:
        gru.gru_forward(row, theta, value, 0, m, 1)
        gru.gru_backward(row, theta, value, delta, 0, m, 1)
        gru.gru_gradient(row, value, delta, grad, 0, m, 1)
    else:
        simple_rnn.simple_rnn_forward(row, theta, value, 0, m, 1)
        simple_rnn.simple_rnn_backward(row, theta, value, delta, 0, m, 1)
        simple_rnn.simple_rnn_gradient(row, value, delta, grad, 0, m, 1)


@entry
def recurrent_vector(row, theta, value, delta, grad, m):
    """Forward, backward, gradient."""
    if row[codes.OP] == codes.LSTM:
        lstm_cpu.lstm_forward_cpu(row, theta, value, m)
        lstm_cpu.lstm_backward_cpu(row, theta, value, delta, True, m)
        lstm_cpu.lstm_gradient_cpu(row, value, delta, grad, m)
    elif row[codes.OP] == codes.GRU:
        gru.gru_forward_cpu(row, theta, value, m)
        gru.gru_backward_cpu(row, theta, value, delta, True, m)
        gru.gru_gradient_cpu(row, value, delta, grad, m)
    else:
        simple_rnn.simple_rnn_forward_cpu(row, theta, value, m)
        simple_rnn.simple_rnn_backward_cpu(row, theta, value, delta, True, m)
        simple_rnn.simple_rnn_gradient_cpu(row, value, delta, grad, m)


def compare(plain, vector, layer, shape, dtype, masked=False):
    """Units, their delta and the gradient of one layer, from both codes and from buffers with arbitrary contents."""
    network = chains.chain_network(((layer, L.Flatten(), L.Dense(1)), shape))
    row = network.table[0]
    rng = np.random.default_rng([network.n_params, network.width])
    fan = 1 + shape[-1] + getattr(layer, "units", 0)  # larger weights make recurrent states chaotic
    theta = (rng.standard_normal(network.n_params) / np.sqrt(fan)).astype(dtype)
    start = rng.standard_normal((2, network.width, M)).astype(dtype)
    if masked:
        row = row.copy()
        row[codes.MASK] = network.width
        start = np.concatenate([start, rng.integers(0, 2, (2, shape[0], M)).astype(dtype)], axis=1)
    results = []
    for kernel in (plain, vector):
        value, delta = start.copy()
        grad = np.ones(network.n_params, dtype)
        kernel(row, theta, value, delta, grad, M)
        used = slice(row[codes.SOURCE], row[codes.SOURCE] + row[codes.N_IN])
        out = slice(row[codes.TARGET], row[codes.TARGET] + row[codes.N_OUT])
        results.append((value[out], delta[used], grad[network.slices[0]]))
    for expected, found in zip(*results, strict=True):
        if expected.size:
            size = np.max(np.abs(expected))
            np.testing.assert_allclose(found, expected, rtol=0, atol=TOLERANCE[dtype] * size)


@pytest.mark.parametrize("dtype", [np.float64, np.float32])
@pytest.mark.parametrize(("layer", "shape"), IMAGES, ids=lambda value: str(value)[:70])
def test_convolutions(layer, shape, dtype):
    compare(conv_plain, conv_vector, layer, shape, dtype)


def test_which_convolutions_go_by_tiles():
    tiled = [bool(chains.chain_network(((layer, L.Flatten(), L.Dense(1)), shape)).table[0, codes.OPTIONS] & BY_TILES)
             for layer, shape in IMAGES]  # fmt: skip
    assert tiled == [False] * 10 + [True] * 4
    others = [
        (L.Conv2D(16, 3), (13, 13, 15)), (L.Conv2D(16, 3, strides=2), (27, 27, 16)), (L.Conv2D(16, 5), (13, 13, 16)),
        (L.Conv2D(16, 3, dilation_rate=2), (15, 15, 16)), (L.Conv2D(16, 3), (5, 5, 16)), (L.Conv1D(16, 3), (30, 16)),
    ]  # fmt: skip
    for layer, shape in others:
        assert not chains.chain_network(((layer, L.Flatten(), L.Dense(1)), shape)).table[0, codes.OPTIONS] & BY_TILES


@pytest.mark.parametrize(("layer", "shape"), IMAGES[-4:], ids=lambda value: str(value)[:40])
def test_tiles_round_no_worse_than_sums_over_the_kernel(layer, shape):
    network = chains.chain_network(((layer, L.Flatten(), L.Dense(1)), shape))
    rng = np.random.default_rng(network.width)
    theta = rng.standard_normal(network.n_params).astype(np.float32)
    start = np.maximum(rng.standard_normal((2, network.width, M)), 0).astype(np.float32)
    row = network.table[0]
    out = slice(row[codes.TARGET], row[codes.TARGET] + row[codes.N_OUT])
    found = {}
    for options, dtype in ((0, np.float64), (0, np.float32), (BY_TILES, np.float32)):
        row = network.table[0].copy()
        row[codes.OPTIONS] = options
        value, delta = start.astype(dtype)
        grad = np.zeros(network.n_params, dtype)
        conv_vector(row, theta.astype(dtype), value, delta, grad, M)
        found[options, dtype] = value[out], delta[: row[codes.N_IN]], grad[network.slices[0]]
    for exact, sums, tiles in zip(*found.values(), strict=True):
        assert np.linalg.norm(tiles - exact) < 1.3 * np.linalg.norm(sums - exact)


@pytest.mark.parametrize("dtype", [np.float64, np.float32])
@pytest.mark.parametrize(("layer", "shape"), POOLS, ids=lambda value: str(value)[:50])
def test_pools(layer, shape, dtype):
    compare(pool_plain, pool_vector, layer, shape, dtype)


@pytest.mark.parametrize("dtype", [np.float64, np.float32])
@pytest.mark.parametrize(("units", "shape", "sequences"), RECURRENT)
@pytest.mark.parametrize("kind", [L.LSTM, L.GRU, L.SimpleRNN])
def test_recurrent_layers(kind, units, shape, sequences, dtype):
    compare(recurrent_plain, recurrent_vector, kind(units, return_sequences=sequences), shape, dtype)


@entry
def recurrent_all(row, theta, value, delta, grad, m):
    """Forward, backward, gradient."""
    recurrent_calls.recurrent_forward(row, theta, value, m)
    recurrent_calls.recurrent_backward(row, theta, value, delta, True, m)
    recurrent_calls.recurrent_gradient(row, value, delta, grad, m)


@entry
def recurrent_weights(row, theta, value, delta, grad, m):
    """Forward, backward without derivatives in the inputs, gradient."""
    recurrent_calls.recurrent_forward(row, theta, value, m)
    recurrent_calls.recurrent_backward(row, theta, value, delta, False, m)
    recurrent_calls.recurrent_gradient(row, value, delta, grad, m)


@pytest.mark.parametrize("dtype", [np.float64, np.float32, np.complex128])
@pytest.mark.parametrize("layer", [
    *(kind(5, **given) for kind in (L.LSTM, L.GRU, L.SimpleRNN)
      for given in ({}, {"return_sequences": True}, {"activation": "relu"})),
    L.GRU(5, reset_after=False),
], ids=str)  # fmt: skip
def test_gradients_where_no_derivatives_in_the_inputs_are_wanted(layer, dtype):
    network = chains.chain_network(((layer, L.Flatten(), L.Dense(1)), (4, 3)))
    row, rng = network.table[0], np.random.default_rng(0)
    theta = (rng.standard_normal(network.n_params) / 3).astype(dtype)
    start = rng.standard_normal((2, network.width, M)).astype(dtype)
    found = []
    for kernel in (recurrent_all, recurrent_weights):
        value, delta = start.copy()
        grad = np.ones(network.n_params, dtype)
        kernel(row, theta, value, delta, grad, M)
        found.append(grad)
    np.testing.assert_array_equal(*found)
    source = slice(row[codes.SOURCE], row[codes.SOURCE] + row[codes.N_IN])
    if dtype is not np.complex128:  # plain loops go on
        np.testing.assert_array_equal(delta[source], start[1][source])


@entry
def turned(values, first, n_rows, start, n_columns, step, totals, row):
    """Rows turned round."""
    out = aligned(n_columns, step, values)
    simd_turned.turn(values, first, n_rows, start, n_columns, out.reshape(-1), 0, step, totals, row)
    return out


@pytest.mark.parametrize("dtype", [np.float64, np.float32])
@pytest.mark.parametrize("n_rows", [1, 7, 16, 24, 37])
def test_rows_turned_round_and_their_sums(n_rows, dtype):
    values = np.random.default_rng(n_rows).integers(-9, 9, (40, M)).astype(dtype)
    totals = np.ones((3, 40), dtype)
    found = turned(values, 2, n_rows, 16, 32, 50, totals, 1)
    np.testing.assert_array_equal(found[:, :n_rows], values[2 : 2 + n_rows, 16:].T)
    np.testing.assert_array_equal(totals[1, :n_rows], 1 + values[2 : 2 + n_rows, 16:].sum(axis=1))
    assert np.all(totals[[0, 2]] == 1) and np.all(totals[1, n_rows:] == 1)
    np.testing.assert_array_equal(turned(values, 2, n_rows, 16, 32, 50, totals, -1), found)


@entry
def squashed(value, slope, m):
    """Logistic of the first row, tanh of the second."""
    simd_activations.simd_logistic(value, slope, 0, 1, m)
    simd_activations.simd_tanh(value, slope, 1, 1, m)


@pytest.mark.parametrize("dtype", [np.float64, np.float32])
def test_vector_code_of_activations_is_exact_to_rounding(dtype):
    z = np.linspace(-40, 40, 80_000)
    z[:6] = np.nan, np.inf, -np.inf, 1e30, -1e30, 0
    z[6:1006] = np.geomspace(1e-9, 1e-2, 1000)
    z = z.astype(dtype)
    value, slope = np.stack([z, z]), np.empty((2, z.size), dtype)
    squashed(value, slope, z.size)
    exact = z.astype(np.longdouble)
    with np.errstate(over="ignore"):
        logistic = 1 / (1 + np.exp(-exact))
    for found, expected in zip(value, (logistic, np.tanh(exact)), strict=True):
        assert np.isnan(found[0])
        large = np.abs(expected) > 1e-30
        error = np.abs(found[large] / expected[large] - 1)
        near = np.abs(exact[large]) < 10
        assert error[near].max() < 6 * np.finfo(dtype).eps and error.max() < 20 * np.finfo(dtype).eps
        assert np.all(np.abs(found[1:][~large[1:]]) < 1e-30)


VARIANTS = [
    ({}, True), ({"go_backwards": True}, False), ({"go_backwards": True}, True), ({"use_bias": False}, True),
    ({"activation": "softplus"}, True), ({"activation": "relu", "use_bias": False}, False),
    ({"dropout": 0.2}, True), ({"recurrent_dropout": 0.2}, True),
    ({"recurrent_dropout": 0.1, "activation": "hard_sigmoid", "go_backwards": True, "use_bias": False}, False),
]  # fmt: skip


@pytest.mark.parametrize("dtype", [np.float64, np.float32])
@pytest.mark.parametrize("sequences", [False, True])
@pytest.mark.parametrize(("given", "masked"), VARIANTS)
@pytest.mark.parametrize("kind", [L.LSTM, L.GRU, L.SimpleRNN])
def test_variants_of_recurrent_layers(kind, given, masked, sequences, dtype):
    for units, shape in ((1, (1, 1)), (9, (5, 17)), (40, (12, 3))):
        compare(recurrent_plain, recurrent_vector, kind(units, return_sequences=sequences, **given), shape, dtype, masked)


@entry
def address(like):
    """Where a buffer begins, its shape and its largest element."""
    buffer = aligned(5, 24, like)
    return buffer.ctypes.data, buffer.shape, buffer.max()


@pytest.mark.parametrize("dtype", [np.float64, np.float32])
def test_buffers_begin_at_a_cache_line(dtype):
    where, shape, largest = address(np.zeros(1, dtype))
    assert where % 64 == 0 and shape == (5, 24) and largest == 0
