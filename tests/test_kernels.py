"""Values and gradients of every activation, error function and layer, against complex steps of `naive`."""

from __future__ import annotations

import chains
import naive
import numba
import numpy as np
import pytest
from chains import (
    CHAINS,
    MIXED,
    chain_network,
    close,
    draw,
    kernel_data,
    kernel_gradient,
    naive_gradient,
    naive_loss,
)
from hypothesis import given, settings
from hypothesis import strategies as st

from neuralstat import layers as L
from neuralstat.engine.cpu import BLOCK
from neuralstat.functions.activations import ACTIVATIONS, activation_values
from neuralstat.functions.activations import values as activation_of
from neuralstat.functions.losses import LOSSES, loss_rows
from neuralstat.functions.penalties import penalise
from neuralstat.layers import LAYERS
from neuralstat.network.penalties import PENALTIES, Penalty

SIZES = [1, BLOCK - 1, BLOCK, BLOCK + 1, 700]
SMALL_DENSE = CHAINS["Dense"][2]

GRID = np.concatenate([np.linspace(-30, 30, 241), [-1e-8, -1e-3, 0.0, 1e-8, 1e-3], np.linspace(-3, 3, 11)])


def grid() -> np.ndarray:
    return np.ascontiguousarray(np.stack([GRID, -0.5 * GRID[::-1], np.roll(GRID, 7) / 3]))  # (units, n)


@pytest.mark.parametrize("name", ACTIVATIONS)
def test_activation_value_and_slope(name):
    formula = chains.twin(naive.ACTIVATIONS, name, "activation")
    kind = ACTIVATIONS[name]
    for p in {kind.parameter, 0.7} if kind.parameter else {kind.parameter}:
        z = grid()
        value, slope = z.copy(), np.empty_like(z)
        activation_values(kind.code, p, 0, value, slope)
        np.testing.assert_array_equal(activation_of(name, z, p), value)
        np.testing.assert_allclose(value, formula(z.T, p).T, rtol=1e-13, atol=1e-15)
        if name != "softmax":  # whose units are coupled: its slope is in the gradients below
            exact = np.imag(formula(z + 1j * naive.STEP, p)) / naive.STEP
            np.testing.assert_allclose(slope, exact, rtol=1e-12, atol=1e-15)


@pytest.mark.parametrize("place", ["hidden", "output"])
@pytest.mark.parametrize("name", ACTIVATIONS)
def test_gradient_of_every_activation(name, place):
    chains.twin(naive.ACTIVATIONS, name, "activation")
    hidden, output = (name, "identity") if place == "hidden" else ("tanh", name)
    network = chain_network(((L.Dense(3, hidden), L.Dense(2)), (2,)), "sse", output)
    theta, x, y = draw(network, 40)
    loss, grad = kernel_gradient(network, kernel_data(x, y), theta[0])
    close(loss, naive_loss(network, theta[0], x, y))
    close(grad, naive_gradient(network, theta[0], x, y))


@pytest.mark.parametrize("name", [name for name, kind in ACTIVATIONS.items() if kind.parameter])
def test_gradient_with_another_parameter(name):
    network = chain_network(((L.Dense(3, chains.with_parameter(name, 0.17)), L.Dense(1)), (2,)))
    theta, x, y = draw(network, 40)
    expected = naive_gradient(network, theta[0], x, y, activations={0: (name, 0.17)})
    close(kernel_gradient(network, kernel_data(x, y), theta[0])[1], expected)


@numba.njit
def one_loss(code, value, target, case, delta):
    return loss_rows(
        code, 0.0, 0, value, target, case, delta, 0, value.shape[0], 0, value.shape[1], 1, None, 0
    )


@pytest.mark.parametrize("name", LOSSES)
def test_loss_value_and_derivative(name):
    formula = chains.twin(naive.LOSSES, name, "error function")
    rng = np.random.default_rng(5)
    eta = np.ascontiguousarray(rng.uniform(-4, 4, (3, 50)))
    at = eta if LOSSES[name].of_predictor or name == "sse" else naive.logistic(eta)
    y, case = rng.uniform(size=(3, 50)), rng.uniform(0.5, 2, 50)
    delta = np.zeros_like(at)
    total = one_loss(LOSSES[name].code, at, y, case, delta)
    close(total, np.sum(case * formula(at.T, y.T)))
    if (
        name == "ce_r"
    ):  # R's shortcut: the derivative of the loss of a logistic output in its linear predictor
        expected = [
            np.imag(formula(naive.logistic(eta.T + 1j * naive.STEP * np.eye(3)[k]), y.T)) for k in range(3)
        ]
    else:
        expected = [np.imag(formula(at.T + 1j * naive.STEP * np.eye(3)[k], y.T)) for k in range(3)]
    close(delta, case * np.array(expected) / naive.STEP)


@pytest.mark.parametrize("name", LOSSES)
def test_gradient_of_every_loss(name):
    chains.twin(naive.LOSSES, name, "error function")
    network = chain_network(((L.Dense(4, "tanh"), L.Dense(3)), (2,)), name)
    theta, x, y = draw(network, 300)
    rng = np.random.default_rng(1)
    weights, offset = rng.uniform(0.2, 3, 300), None
    loss, grad = kernel_gradient(network, kernel_data(x, y, weights=weights), theta[0])
    close(loss, naive_loss(network, theta[0], x, y, weights=weights))
    close(grad, naive_gradient(network, theta[0], x, y, weights=weights))
    network = chain_network(((L.Dense(4, "tanh"), L.Dense(3)), (2,)), name, offset=True)
    offset = rng.standard_normal((300, 3))
    data = kernel_data(x, y, weights=weights, offset=offset.T)
    loss, grad = kernel_gradient(network, data, theta[0])
    close(loss, naive_loss(network, theta[0], x, y, weights=weights, offset=offset))
    close(grad, naive_gradient(network, theta[0], x, y, weights=weights, offset=offset))


@pytest.mark.parametrize("name", LAYERS)
def test_gradient_of_every_layer(name):
    chains.twin(naive.LAYERS, name, "layer")
    for chain in chains.twin(CHAINS, name, "layer"):
        assert any(type(layer).__name__ == name for layer in chain[0])
        network = chain_network(chain)
        theta, x, y = draw(network, 5)
        loss, grad = kernel_gradient(network, kernel_data(x, y), theta[0])
        close(loss, naive_loss(network, theta[0], x, y))
        close(grad, naive_gradient(network, theta[0], x, y))


@pytest.mark.parametrize("n", SIZES)
@pytest.mark.parametrize("chain", [SMALL_DENSE, MIXED], ids=["dense", "mixed"])
def test_gradient_across_blocks(chain, n):
    network = chain_network(chain)
    theta, x, y = draw(network, n)
    loss, grad = kernel_gradient(network, kernel_data(x, y), theta[0])
    close(loss, naive_loss(network, theta[0], x, y))
    close(grad, naive_gradient(network, theta[0], x, y))


def test_network_of_no_hidden_layer_is_a_linear_model():
    network = chain_network(((L.Dense(2),), (3,)))
    theta, x, y = draw(network, 300)
    w = theta[0].reshape(2, 4)
    residual = x @ w[:, 1:].T + w[:, 0] - y
    by_hand = residual.T @ np.column_stack([np.ones(300), x])
    close(kernel_gradient(network, kernel_data(x, y), theta[0])[1], by_hand.ravel())


def test_each_network_sees_its_own_rows_responses_and_weights():
    network = chain_network(SMALL_DENSE)
    theta, x, _ = draw(network, 320, b=3)
    rng = np.random.default_rng(2)
    y = rng.standard_normal((3, 320, 2))
    weights = rng.uniform(0.1, 2, (3, 320))
    rows = np.stack([rng.integers(0, 320, 300) for _ in range(3)])  # with repeats, as a bootstrap draws them
    count = np.array([300, 1, 257])
    data = chains.make_data(chains.rows_of(x), y.transpose(0, 2, 1), weights, rows=rows, count=count)
    for b in range(3):
        seen = rows[b, : count[b]]
        loss, grad = kernel_gradient(network, data, theta[b], b)
        more = {"weights": weights[b, seen]}
        close(loss, naive_loss(network, theta[b], x[seen], y[b, seen], **more))
        close(grad, naive_gradient(network, theta[b], x[seen], y[b, seen], **more))


@pytest.mark.parametrize("chain", [SMALL_DENSE, MIXED], ids=["dense", "mixed"])
def test_float32_at_its_precision(chain):
    network = chain_network(chain)
    theta, x, y = draw(network, 300)
    theta32, x32, y32 = theta[0].astype(np.float32), x.astype(np.float32), y.astype(np.float32)
    loss, grad = kernel_gradient(network, kernel_data(x32, y32, dtype=np.float32), theta32)
    assert grad.dtype == np.float32
    same = theta32.astype(float), x32.astype(float), y32.astype(float)
    close(loss, naive_loss(network, *same), 3e-6)
    close(grad, naive_gradient(network, *same), 3e-6)


@numba.njit
def penalty_of(coefficients, theta, grad):
    return penalise(coefficients, theta, grad)


@pytest.mark.parametrize("name", PENALTIES)
@pytest.mark.parametrize("biases", [True, False])
def test_penalties(name, biases):
    network = chain_network(SMALL_DENSE)
    theta, _, _ = draw(network, 1)
    made = PENALTIES[name](*((0.3, 0.2) if name == "elastic_net" else (0.3,)), biases=biases)
    if name == "elimination":
        made = PENALTIES[name](0.3, 0.8, biases=biases) + PENALTIES["decay"](0.1)
    assert isinstance(made, Penalty)
    grad = np.zeros(network.n_params)
    total = penalty_of(made.coefficients(network.is_bias), theta[0], grad)
    close(total, naive.penalty(made.parts, theta[0], network.is_bias))
    close(grad, naive.complex_step(lambda w: naive.penalty(made.parts, w, network.is_bias), theta[0]))


@pytest.mark.filterwarnings("ignore::RuntimeWarning")  # uncompiled, numpy warns
@pytest.mark.parametrize("bad", [np.nan, np.inf])
@pytest.mark.parametrize("name", LOSSES)
def test_what_is_not_finite_is_not_hidden(name, bad):
    network = chain_network(((L.Dense(2, "identity"), L.Dense(2)), (1,)), name)
    theta, x, y = draw(network, 300)
    x[260] = bad
    loss, grad = kernel_gradient(network, kernel_data(x, y), theta[0])
    assert not np.all(np.isfinite(grad))
    if np.isnan(bad):
        assert np.isnan(loss)


@pytest.mark.parametrize("name", ACTIVATIONS)
def test_nan_goes_through_every_activation(name):
    z = np.full((1, 9), np.nan)
    assert np.all(np.isnan(activation_of(name, z)))


@given(st.data())
@settings(max_examples=25, deadline=None)
def test_gradient_of_any_dense_network(data):
    hidden = data.draw(st.lists(st.integers(1, 9), max_size=3))
    acts = data.draw(
        st.lists(st.sampled_from(["logistic", "tanh", "relu", "identity"]), min_size=3, max_size=3)
    )
    d, k, n = data.draw(st.integers(1, 6)), data.draw(st.integers(1, 5)), data.draw(st.integers(1, 20))
    layers = tuple(L.Dense(units, act) for units, act in zip(hidden, acts))
    network = chain_network(((*layers, L.Dense(k)), (d,)))
    theta, x, y = draw(network, n, seed=data.draw(st.integers(0, 1000)))
    loss, grad = kernel_gradient(network, kernel_data(x, y), theta[0])
    close(loss, naive_loss(network, theta[0], x, y))
    close(grad, naive_gradient(network, theta[0], x, y))


@given(st.data())
@settings(max_examples=25, deadline=None)
def test_gradient_of_any_convolution(data):
    def pick(least, most):
        return data.draw(st.integers(least, most))

    conv = L.Conv2D(pick(1, 3), (pick(1, 3), pick(1, 3)), "tanh", (pick(1, 3), pick(1, 3)),
                    data.draw(st.sampled_from(["valid", "same"])), (pick(1, 2), pick(1, 2)))  # fmt: skip
    network = chain_network(((conv, L.Flatten(), L.Dense(1)), (pick(5, 6), pick(5, 7), pick(1, 2))))
    theta, x, y = draw(network, 2, scale=0.3)
    loss, grad = kernel_gradient(network, kernel_data(x, y), theta[0])
    close(loss, naive_loss(network, theta[0], x, y))
    close(grad, naive_gradient(network, theta[0], x, y))
