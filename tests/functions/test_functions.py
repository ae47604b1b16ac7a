"""Values and derivatives of every activation, error function and penalty, against complex steps of `naive`."""

from __future__ import annotations

import chains
import naive
import numba
import numpy as np
import pytest
from chains import CHAINS, chain_network, close, draw

from neuralstat.functions.activation_calls import activation_values
from neuralstat.functions.activation_calls import values as activation_of
from neuralstat.functions.activations import ACTIVATIONS, COUPLED
from neuralstat.functions.losses import LOSSES, loss_rows
from neuralstat.functions.penalties import penalise
from neuralstat.network.penalties import PENALTIES, Penalty

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
        if name not in COUPLED:  # its slope is in the gradients below
            exact = np.imag(formula(z + 1j * naive.STEP, p)) / naive.STEP
            np.testing.assert_allclose(slope, exact, rtol=1e-12, atol=1e-15)


@pytest.mark.parametrize("name", ACTIVATIONS)
def test_nan_goes_through_every_activation(name):
    z = np.full((1, 9), np.nan)
    assert np.all(np.isnan(activation_of(name, z)))


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


@numba.njit
def penalty_of(coefficients, theta, grad):
    return penalise(coefficients, theta, grad)


@pytest.mark.parametrize("name", PENALTIES)
@pytest.mark.parametrize("biases", [True, False])
def test_penalties(name, biases):
    network = chain_network(CHAINS["Dense"][2])
    theta, _, _ = draw(network, 1)
    made = PENALTIES[name](*((0.3, 0.2) if name == "elastic_net" else (0.3,)), biases=biases)
    if name == "elimination":
        made = PENALTIES[name](0.3, 0.8, biases=biases) + PENALTIES["decay"](0.1)
    assert isinstance(made, Penalty)
    grad = np.zeros(network.n_params)
    total = penalty_of(made.coefficients(network.is_bias), theta[0], grad)
    close(total, naive.penalty(made.parts, theta[0], network.is_bias))
    close(grad, naive.complex_step(lambda w: naive.penalty(made.parts, w, network.is_bias), theta[0]))
