"""Arguments of layers with weights: use_bias, initializers, penalties, constraints; what layers do at random in training."""

from __future__ import annotations

import numba
import numpy as np
import pytest
import raw
from chains import chain_network

import neuralstat as ns
from neuralstat import layers as L
from neuralstat.errors import ArgumentError
from neuralstat.layers import codes
from neuralstat.layers.dropout import drop
from neuralstat.layers.noise import DROPPED, disturb, noise_forward
from neuralstat.network import derivatives
from neuralstat.network.arrays import keras_start, positions, to_arrays
from neuralstat.network.penalties import coefficients

N = 60
BARE = [L.Conv2D(2, 3, "tanh", use_bias=False, kernel_regularizer="l2"), L.BatchNorm(center=False), L.ReLU(2.0, 0.1, 0.05),
        L.Flatten(), L.Dense(3, "tanh", use_bias=False)]  # fmt: skip


@pytest.fixture(scope="module")
def data():
    rng = np.random.default_rng(3)
    pixels = rng.standard_normal((N, 5, 4, 1))
    z = rng.normal(3.0, 2.0, N)
    return {"pixels": pixels, "y": pixels[:, :2].mean(axis=(1, 2, 3)) + 0.1 * rng.standard_normal(N), "z": z,
            "w": np.sin(z) + 0.1 * rng.standard_normal(N)}  # fmt: skip


# -- no biases ----------------------------------


def test_no_bias_is_no_weight(data, tmp_path):
    given = {"layers": BARE, "algorithm": "adam", "batch_size": 16, "random_state": 1}
    fit = raw.neuralnet("y ~ pixels", data, epochs=3, **given)
    weights = fit.get_weights()
    assert list(weights) == ["conv2d/kernel", "batch_normalization/gamma", "batch_normalization/moving_mean",
                             "batch_normalization/moving_variance", "dense/kernel", "dense_1/kernel",
                             "dense_1/bias"]  # fmt: skip
    count = 18 + 2 + 4 + 36 + 4
    assert fit.layer_table["params"].sum() == count
    assert fit.k_params == count - 4  # less moving averages
    held, values = fit.network.implied
    assert held.sum() == 2 + 2 + 3 + 3 and np.all(fit.fit.theta[0][held] == values[held])
    assert np.allclose(np.sort(values[held]), [0] * 7 + [0.05, 0.1, 2.0])
    names = np.array(fit.network.names)
    assert len(set(names)) == fit.network.n_params
    assert "conv2d/bias[0]" in names[held] and "re_lu/threshold[0]" in names[held]
    hidden = np.tanh(fit.features("flatten") @ weights["dense/kernel"])
    np.testing.assert_allclose(fit.features("dense"), hidden, rtol=1e-12)
    again = raw.neuralnet("y ~ pixels", data, epochs=0, startweights=weights, **given)
    np.testing.assert_array_equal(again.fit.theta, fit.fit.theta)
    with pytest.raises(ArgumentError, match="no array 'conv2d/bias'"):
        raw.neuralnet("y ~ pixels", data, epochs=0, startweights={"conv2d/bias": np.zeros(2)}, **given)
    fit.save(tmp_path / "fit.zip")
    back = ns.load(tmp_path / "fit.zip")
    assert back.call == fit.call and list(back.get_weights()) == list(weights)
    np.testing.assert_array_equal(back.predict(data), fit.predict(data))
    assert "Conv2D(2, 3, 'tanh', use_bias=False, kernel_regularizer='l2')" in fit.call
    fit.plot()


def test_no_bias_by_full_batches(data):
    """Covariates that have a mean cannot be centred where a unit has no constant; excluded biases are the same model."""
    given = {"algorithm": "bfgs", "threshold": 1e-5, "stepmax": 3000, "random_state": 2, "penalty": ns.decay(0.1)}
    fit = raw.neuralnet("w ~ z", data, layers=[L.Dense(3, "tanh", use_bias=False)], **given)
    assert fit.converged and fit.k_params == 3 + 4 and fit.design.scaling is None
    assert np.all(fit.fit.theta[:, [0, 2, 4]] == 0)
    held = [f"Intercept.to.1layhid{k}" for k in (1, 2, 3)]
    other = raw.neuralnet("w ~ z", data, layers=[L.Dense(3, "tanh")], exclude=held, startweights=fit.get_weights(), **given)
    np.testing.assert_allclose(other.errors, fit.errors, rtol=1e-8)
    with pytest.raises(ArgumentError, match="use_bias=False"):
        raw.neuralnet("w ~ z", data, layers=[L.Dense(3, "tanh", use_bias=False)], standardize=True, **given)


# -- start values -------------------------------


SPREAD = {"glorot_uniform": np.sqrt(2 / 230), "glorot_normal": np.sqrt(2 / 230), "he_uniform": np.sqrt(2 / 150),
          "he_normal": np.sqrt(2 / 150), "lecun_uniform": np.sqrt(1 / 150), "lecun_normal": np.sqrt(1 / 150),
          "random_uniform": 0.05 / np.sqrt(3), "uniform": 0.05 / np.sqrt(3), "random_normal": 0.05,
          "truncated_normal": 0.05 * 0.87962566, "zeros": 0.0, "ones": 0.0, "orthogonal": 1 / np.sqrt(150)}  # fmt: skip


@pytest.mark.parametrize("name", SPREAD)
def test_start_values_have_their_spread(name):
    chain = (L.Dense(80, kernel_initializer=name, bias_initializer="ones"), L.Dense(1, kernel_initializer="glorot_uniform"))
    network = chain_network((chain, (150,)))
    start = to_arrays(network, keras_start(network, np.random.default_rng(1)))
    kernel = start["dense/kernel"]
    assert np.std(kernel) == pytest.approx(SPREAD[name], rel=0.03)  # 12,000 numbers: a standard error of at most 0.7 %
    assert np.all(start["dense/bias"] == 1)
    limits = {"uniform": np.sqrt(3), "normal": 2 / 0.87962566}
    kind = name.rpartition("_")[2]
    if kind in limits and name != "random_normal":
        largest = np.abs(kernel).max() / SPREAD[name]
        assert 0.98 * limits[kind] < largest <= limits[kind] * (1 + 1e-12)
    if name == "orthogonal":
        np.testing.assert_allclose(kernel.T @ kernel, np.eye(80), atol=1e-12)
    assert kernel.mean() == (1.0 if name == "ones" else pytest.approx(0.0, abs=4 * SPREAD[name] / np.sqrt(12_000)))


# -- penalties ----------------------------------


@pytest.mark.parametrize("algorithm", ["bfgs", "lm"])
def test_penalties_are_of_the_mean_loss(data, algorithm):
    layers = [L.Dense(3, "tanh", kernel_regularizer=L.L2(0.01)), L.Dense(2, "tanh", bias_regularizer=0.02)]
    fit = raw.neuralnet("w ~ z", data, layers=layers, algorithm=algorithm, threshold=1e-4, stepmax=20_000, random_state=1,
                        standardize=True, penalty=ns.decay(0.1))  # fmt: skip
    assert fit.converged
    theta = fit.fit.theta[0]
    slope = 2 * derivatives.gradient(fit.network, fit.fitted.data, theta) / N  # of Keras' loss, the mean squared error, alone
    expected = 2 * 0.1 / N * theta  # `decay` is beside the sum of halves
    at = positions(fit.network)
    expected[at["dense/kernel"]] += 2 * 0.01 * theta[at["dense/kernel"]]
    expected[at["dense_1/bias"]] += 2 * 0.02 * theta[at["dense_1/bias"]]
    np.testing.assert_allclose(slope, -expected, atol=2 * 1e-4 / N)  # the threshold
    assert np.abs(expected[at["dense/kernel"]]).max() > 1e-3


def test_kinds_of_penalties():
    layers = (L.Dense(2, kernel_regularizer="l1", bias_regularizer=L.L1L2(0.1, 0.2)), L.Dense(1, kernel_regularizer="l2"))
    network = chain_network((layers, (2,)))
    table = coefficients(ns.decay(0.5, biases=False), network, None, n=10)
    np.testing.assert_allclose(table[:, 0], [4.0, 0.5, 0.5] * 2 + [0.0] + [0.5 + 0.2] * 2)
    np.testing.assert_allclose(table[:, 3], [1.0, 0.1, 0.1] * 2 + [0.0] * 3)
    assert coefficients(None, chain_network(((L.Dense(1),), (2,))), None) is None
    with pytest.raises(ArgumentError, match="cannot stand beside penalties of layers"):
        coefficients(ns.decay("estimate"), network, None)


# -- constraints --------------------------------


def test_what_constraints_need(data):
    bound = [L.Dense(3, kernel_constraint=L.MaxNorm(0.5))]
    with pytest.raises(ArgumentError, match=r"kernel of Dense has a constraint.*'bfgs' is none"):
        raw.neuralnet("w ~ z", data, layers=bound, algorithm="bfgs")
    no_axis = [L.Dense(3, kernel_constraint=L.MaxNorm(1.0, axis=2))]
    with pytest.raises(ArgumentError, match="names an axis that 'kernel'"):
        raw.neuralnet("w ~ z", data, layers=no_axis, algorithm="adam", epochs=1)
    given = {"algorithm": "adam", "learningrate": 1.0, "epochs": 5, "standardize": False, "random_state": 1}
    kernel, free = (raw.neuralnet("w ~ z", data, layers=layers, **given).get_weights()["dense/kernel"]
                    for layers in (bound, [L.Dense(3)]))  # fmt: skip
    assert np.abs(kernel).max() <= 0.5 < np.abs(free).max()


# -- at random ----------------------------------


@numba.njit  # kernels have no way in from Python of their own
def draw_noise(row, constant, value, key):
    disturb(row, constant, value, key, 3, np.empty(0, np.int64), 0, value.shape[1])
    noise_forward(row, constant, value, 0, value.shape[1], 1)


@numba.njit
def draw_dropout(row, rate, value, key):
    drop(row, rate, value, key, 3, np.empty(0, np.int64), 0, value.shape[1])


def drawn(layer, shape=(6,), m=40_000):
    """Inputs and outputs (units, m) of a layer in training."""
    network = chain_network(((layer, L.Flatten(), L.Dense(1)), shape))
    row, units = network.table[0], int(np.prod(shape))
    value = np.zeros((network.width, m))
    value[:units] = np.random.default_rng(2).standard_normal((units, m))
    (draw_dropout if row[codes.OP] == codes.DROPOUT else draw_noise)(
        row, network._built["constants"][0], value, np.array([1, 2], np.uint64))  # fmt: skip
    out = value[row[codes.SCRATCH] :][:units] if row[codes.OP] == codes.DROPOUT else value[row[codes.TARGET] :][:units]
    return value[:units], out


def test_noise_has_its_moments():
    x, y = drawn(L.GaussianNoise(0.3))
    size = x.size
    noise = y - x
    assert abs(noise.mean()) < 4 * 0.3 / np.sqrt(size)
    assert noise.std() == pytest.approx(0.3, rel=4 / np.sqrt(2 * size))
    assert np.mean(noise**4) / 0.3**4 == pytest.approx(3, abs=4 * np.sqrt(96 / size))  # of a normal distribution
    assert abs(np.corrcoef(noise)[np.triu_indices(6, 1)]).max() < 5 / np.sqrt(x.shape[1])
    x, y = drawn(L.GaussianDropout(0.2))
    factor = y / x
    assert factor.mean() == pytest.approx(1, abs=4 * 0.5 / np.sqrt(size))
    assert factor.std() == pytest.approx(0.5, rel=4 / np.sqrt(2 * size))


def test_alpha_dropout_keeps_mean_and_variance():
    x, y = drawn(L.AlphaDropout(0.3))
    assert abs(y.mean()) < 0.02 and y.var() == pytest.approx(1, abs=0.02)
    a = 1 / np.sqrt(0.7 * (1 + 0.3 * DROPPED**2))
    b = -a * DROPPED * 0.3
    kept = ~np.isclose(y, a * DROPPED + b)
    assert kept.mean() == pytest.approx(0.7, abs=4 * np.sqrt(0.21 / x.size))
    np.testing.assert_allclose(y[kept], a * x[kept] + b, rtol=0, atol=1e-12)


@pytest.mark.parametrize(("layer", "shape"), [(L.SpatialDropout1D(0.4), (3, 6)), (L.SpatialDropout2D(0.4), (2, 2, 6))])
def test_spatial_dropout_drops_channels(layer, shape):
    _, factor = drawn(layer, shape)
    by_position = factor.reshape(-1, 6, factor.shape[1])
    assert np.all(by_position == by_position[:1])
    np.testing.assert_allclose(np.unique(factor), [-1, 0.4 / 0.6])
    rate = np.mean(by_position[0] == -1)
    assert rate == pytest.approx(0.4, abs=4 * np.sqrt(0.24 / by_position[0].size))


@pytest.mark.parametrize(
    ("layers", "shape", "message"),
    [
        ([L.SpatialDropout1D(0.1), L.Flatten()], (3, 3, 1), r"SpatialDropout1D needs \(time, feature\) input"),
        ([L.SpatialDropout2D(0.1)], (3,), r"SpatialDropout2D needs \(row, column, channel\) input"),
        ([L.GroupNormalization(2)], (3,), "3 channels cannot be divided into 2 groups"),
        ([L.LayerNormalization(axis=3), L.Flatten()], (3, 2), r"axis must be axes of \(3, 2\), from 1 .*; got 3"),
        ([L.PReLU(2)], (3,), "not among the 1 axes"),
        ([L.DepthwiseConv2D(3), L.Flatten()], (3, 2), r"DepthwiseConv2D needs \(row, column, channel\) input"),
    ],
)
def test_layers_say_what_does_not_fit(layers, shape, message):
    with pytest.raises(ArgumentError, match=message):
        chain_network(((*layers, L.Dense(1)), shape))


@pytest.mark.parametrize(
    "layer", [L.GaussianNoise(0.5), L.GaussianDropout(0.5), L.AlphaDropout(0.5), L.SpatialDropout1D(0.5)],
)  # fmt: skip
def test_what_is_random_is_in_training_only(data, layer):
    series = {"x": np.random.default_rng(1).standard_normal((N, 4, 2)), "y": data["y"]}
    given = {"algorithm": "adam", "random_state": 1, "batch_size": 16}
    chain = [L.Conv1D(3, 2), layer, L.Flatten()]
    fit = raw.neuralnet("y ~ x", series, layers=chain, epochs=2, **given)
    plain = raw.neuralnet("y ~ x", series, layers=[chain[0], L.Flatten()], epochs=0, startweights=fit.get_weights(), **given)
    np.testing.assert_array_equal(plain.predict(), fit.predict())
    other = raw.neuralnet("y ~ x", series, layers=[chain[0], L.Flatten()], epochs=2, **given)
    assert np.abs(other.predict() - fit.predict()).max() > 1e-3
    again = raw.neuralnet("y ~ x", series, layers=chain, epochs=2, **given)
    np.testing.assert_array_equal(again.fit.theta, fit.fit.theta)
