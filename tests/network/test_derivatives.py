"""Slopes, Jacobian, scores and Hessian of fitted networks."""

from __future__ import annotations

import naive
import numpy as np
import pytest
from chains import CHAINS, MIXED, chain_network, close, draw, kernel_data, naive_gradient, naive_loss, rows_of

from neuralstat import layers as L
from neuralstat.functions.activations import ACTIVATIONS
from neuralstat.functions.losses import LOSSES
from neuralstat.network import derivatives
from neuralstat.network.penalties import decay, elimination

DENSE, RAGGED = CHAINS["Dense"][2], ((L.Dense(4, "swish"), L.Dense(3)), (2,))
KINDS = pytest.mark.parametrize("chain", [DENSE, RAGGED, MIXED], ids=["dense", "rare", "mixed"])


def naive_outputs(network, theta, x, offset=0.0):
    inside = network.objective.inside.name
    return naive.outputs(network.layers, naive.split(theta, network.shapes), x, inside, offset)


@KINDS
def test_outputs(chain):
    network = chain_network(chain)
    theta, x, _ = draw(network, 260, b=3)
    found = derivatives.outputs(network, rows_of(x), theta)
    for b in range(3):
        close(found[b], naive_outputs(network, theta[b], x).T)


def test_outputs_with_offset():
    network = chain_network(RAGGED, "multinomial", offset=True)
    theta, x, _ = draw(network, 260)
    offset = np.random.default_rng(1).standard_normal((3, 260))
    found = derivatives.outputs(network, rows_of(x), theta, offset)[0]
    close(found, naive_outputs(network, theta[0], x, offset.T).T)
    prediction = network.objective.response(found)
    close(prediction, naive.softmax(found.T).T)
    np.testing.assert_allclose(prediction.sum(axis=0), 1, rtol=1e-14)


@KINDS
def test_units(chain):
    network = chain_network(chain)
    theta, x, _ = draw(network, 258)
    units = derivatives.units(network, rows_of(x), theta[0])
    d, k = rows_of(x).shape[0], network.n_outputs
    np.testing.assert_array_equal(units[:d], rows_of(x))
    at = int(network.table[-1, 4])
    close(units[at : at + k], naive_outputs(network, theta[0], x).T)


@pytest.mark.parametrize("output", ["identity", "logistic", "softmax"])
@KINDS
def test_slopes_in_the_covariates(chain, output):
    network = chain_network(chain, output=output)
    theta, x, _ = draw(network, 258)
    found = derivatives.slopes(network, rows_of(x), theta[0])
    d = rows_of(x).shape[0]
    for j in range(d):
        moved = x.reshape(len(x), -1).astype(complex)
        moved[:, j] += 1j * naive.STEP
        expected = np.imag(naive_outputs(network, theta[0], moved.reshape(x.shape))) / naive.STEP
        close(found[:, j], expected.T, 1e-11)


@pytest.mark.parametrize("name", LOSSES)
def test_slopes_of_predictions(name):
    """From the linear predictor to the prediction, by the objective."""
    network = chain_network(RAGGED, name)
    theta, x, _ = draw(network, 20)
    raw = derivatives.outputs(network, rows_of(x), theta)[0]
    found = derivatives.slopes(network, rows_of(x), theta[0])
    if network.objective.of_predictor:
        found = network.objective.output_slopes(raw, found)
    for j in range(2):
        moved = x.astype(complex)
        moved[:, j] += 1j * naive.STEP
        out = naive.activation(network.objective.output.name, naive.outputs(
            network.layers, naive.split(theta[0], network.shapes), moved))  # fmt: skip
        close(found[:, j], np.imag(out).T / naive.STEP, 1e-11)


@pytest.mark.parametrize("output", ["identity", "softmax"])
@KINDS
def test_jacobian(chain, output):
    network = chain_network(chain, output=output)
    theta, x, _ = draw(network, 4)
    found = derivatives.jacobian(network, kernel_data(x, np.zeros((4, network.n_outputs))), theta[0])
    expected = naive.complex_step(lambda w: naive_outputs(network, w, x), theta[0])  # (n, K, P)
    close(found, expected.transpose(1, 0, 2))


@KINDS
def test_scores_are_the_gradient_taken_apart(chain):
    network = chain_network(chain)
    theta, x, y = draw(network, 300)
    weights = np.random.default_rng(4).uniform(0.1, 2, 300)
    data = kernel_data(x, y, weights=weights)
    scores = derivatives.scores(network, data, theta[0])
    close(scores.sum(axis=0), derivatives.gradient(network, data, theta[0]))
    for i in (0, 256, 299):
        one = slice(i, i + 1)
        close(scores[i], naive_gradient(network, theta[0], x[one], y[one], weights=weights[one]))


def differences(function, theta, h=1e-5):
    """Derivative by central differences of fourth order, as the last axis."""
    columns = []
    for j in range(theta.size):
        e = np.zeros(theta.size)
        e[j] = h
        near, far = (
            function(theta + e) - function(theta - e),
            function(theta + 2 * e) - function(theta - 2 * e),
        )
        columns.append((8 * near - far) / (12 * h))
    return np.stack(columns, axis=-1)


def check_hessian(network, tolerance=1e-8, n=30, h=1e-3):
    theta, x, y = draw(network, n)
    data = kernel_data(x, y, weights=np.random.default_rng(4).uniform(0.1, 2, n))
    hessian = derivatives.hessian(network, data, theta[0])
    np.testing.assert_array_equal(hessian, hessian.T)
    close(hessian, differences(lambda w: derivatives.gradient(network, data, w), theta[0], h), tolerance)


@KINDS
def test_hessian(chain):
    check_hessian(chain_network(chain))


@pytest.mark.parametrize("name", LOSSES)
def test_hessian_of_every_loss(name):
    check_hessian(chain_network(RAGGED, name))


KINKED = ("relu", "leaky_relu", "elu", "selu", "relu6", "hard_sigmoid", "hard_swish", "celu", "hard_tanh", "soft_shrink",
          "hard_shrink", "softsign", "sparse_plus", "sparse_sigmoid")  # fmt: skip
SMOOTH = [name for name in ACTIVATIONS if name not in KINKED]


@pytest.mark.parametrize("name", SMOOTH)
def test_hessian_of_every_activation(name):
    check_hessian(chain_network(((L.Dense(3, name), L.Dense(2)), (2,))))


@pytest.mark.parametrize("name", KINKED)
def test_hessian_beside_kinks(name):
    """Steps so short that no sum comes over a kink: second derivatives are those of the piece that it is on."""
    check_hessian(chain_network(((L.Dense(3, name), L.Dense(2)), (2,))), 1e-7, h=1e-5)


def test_hessian_with_penalty():
    network = chain_network(DENSE)
    theta, x, y = draw(network, 30)
    data = kernel_data(x, y)
    penalty = (decay(0.3) + elimination(0.7, 0.8)).coefficients(network.is_bias)
    hessian = derivatives.hessian(network, data, theta[0], penalty)
    close(
        hessian, differences(lambda w: derivatives.gradient(network, data, w, penalty), theta[0], 1e-3), 1e-8
    )


def test_error():
    network = chain_network(DENSE)
    theta, x, y = draw(network, 300)
    close(derivatives.error(network, kernel_data(x, y), theta[0]), naive_loss(network, theta[0], x, y))
