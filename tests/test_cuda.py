"""The CUDA driver against the CPU's and against complex steps: on a device, or in numba's simulator.

``pytest -m cuda tests/test_cuda.py`` on a machine with a device; with NUMBA_ENABLE_CUDASIM=1 anywhere
(`test_representation` does that).
"""

from __future__ import annotations

import chains
import numpy as np
import pytest
from chains import (
    CHAINS,
    MIXED,
    chain_network,
    close,
    draw,
    kernel_data,
    make_data,
    naive_gradient,
    naive_loss,
    rows_of,
)

import neuralstat as ns
from neuralstat import layers as L
from neuralstat.activations import ACTIVATIONS
from neuralstat.engine import cpu, cuda
from neuralstat.errors import DeviceError
from neuralstat.losses import LOSSES
from neuralstat.network import objective, resolve_activation
from neuralstat.optimizers.rprop import CODES
from neuralstat.penalties import decay
from neuralstat.train import Algorithm, train

pytestmark = pytest.mark.cuda

SMALL = ((L.Dense(2, "logistic"), L.Dense(1)), (1,))


def check(network, theta, x, y, tolerance=chains.TOLERANCE):
    loss, grad = cuda.loss_gradient(network.net(), kernel_data(x, y), theta)
    for b in range(len(theta)):
        close(loss[b], naive_loss(network, theta[b], x, y), tolerance)
        close(grad[b], naive_gradient(network, theta[b], x, y), tolerance)


@pytest.mark.parametrize("chain", [CHAINS["Dense"][2], MIXED], ids=["dense", "mixed"])
def test_gradient_of_a_stack(chain):
    network = chain_network(chain)
    check(network, *draw(network, 7, b=3))


@pytest.mark.parametrize("name", CHAINS)
def test_gradient_of_every_layer(name):
    for chain in CHAINS[name]:
        network = chain_network(chain)
        check(network, *draw(network, 3))


@pytest.mark.parametrize("name", ACTIVATIONS)
def test_gradient_of_every_activation(name):
    network = chain_network(((L.Dense(2, name), L.Dense(1)), (1,)))
    check(network, *draw(network, 6))


@pytest.mark.parametrize("name", LOSSES)
def test_gradient_of_every_loss(name):
    network = chain_network(((L.Dense(2, "tanh"), L.Dense(3)), (1,)), name)
    check(network, *draw(network, 6))


@pytest.mark.parametrize("n", [1, cpu.BLOCK, cpu.BLOCK + 1])
def test_gradient_across_blocks(n):
    network = chain_network(SMALL)
    check(network, *draw(network, n))


def test_rows_responses_weights_and_offsets():
    network = chain_network(CHAINS["Dense"][2], offset=True)
    theta, x, _ = draw(network, 20, b=3)
    rng = np.random.default_rng(1)
    y, weights, offset = (
        rng.standard_normal((3, 2, 20)),
        rng.uniform(size=(3, 20)),
        rng.standard_normal((2, 20)),
    )
    rows, count = rng.integers(0, 20, (3, 15)), np.array([15, 1, 9])
    data = make_data(rows_of(x), y, weights, offset, rows, count)
    loss, grad = cuda.loss_gradient(network.net(), data, theta)
    for b in range(3):
        seen = rows[b, : count[b]]
        more = {"weights": weights[b, seen], "offset": offset[:, seen].T}
        close(loss[b], naive_loss(network, theta[b], x[seen], y[b][:, seen].T, **more))
        close(grad[b], naive_gradient(network, theta[b], x[seen], y[b][:, seen].T, **more))


def test_float32():
    network = chain_network(CHAINS["Dense"][2])
    theta, x, y = draw(network, 20)
    loss, grad = cuda.loss_gradient(network.net(), kernel_data(x, y, dtype=np.float32), theta)
    assert grad.dtype == np.float32
    close(loss[0], naive_loss(network, theta[0], x, y), 1e-5)
    close(grad[0], naive_gradient(network, theta[0], x, y), 1e-5)


@pytest.mark.parametrize("name", CODES)
def test_training_follows_the_cpu(name):
    network = chain_network(SMALL)
    theta, x, y = draw(network, 6, b=3)
    free = np.ones((3, network.n_params), bool)
    free[1, 2] = False
    penalty = decay(0.01).coefficients(network.is_bias)
    how = {"threshold": 0.05, "stepmax": 16, "penalty": penalty}
    arguments = network, kernel_data(x, y), theta, free, Algorithm(name, 0.05)
    there, here = train(*arguments, **how, device="cuda"), train(*arguments, **how)
    assert there.device.startswith("cuda:0 (")
    assert here.device == "cpu"
    np.testing.assert_array_equal(there.steps, here.steps)
    np.testing.assert_array_equal(there.status, here.status)
    np.testing.assert_allclose(there.theta, here.theta, rtol=0, atol=1e-9)
    np.testing.assert_allclose(there.loss, here.loss, rtol=1e-9)
    np.testing.assert_allclose(there.reached, here.reached, rtol=1e-6)
    for (steps, errors), (steps_, errors_) in zip(there.trace, here.trace, strict=True):
        np.testing.assert_array_equal(steps, steps_)
        np.testing.assert_allclose(errors, errors_, rtol=1e-9)
    chunked = train(*arguments, **how, device="cuda", chunk=7)
    np.testing.assert_array_equal(there.theta, chunked.theta)


def test_training_of_a_mixed_chain_follows_the_cpu():
    network = chain_network(MIXED)
    theta, x, y = draw(network, 3, b=2)
    arguments = network, kernel_data(x, y), theta, np.ones(network.n_params, bool), Algorithm()
    there, here = train(*arguments, stepmax=6, device="cuda"), train(*arguments, stepmax=6)
    np.testing.assert_array_equal(there.steps, here.steps)
    np.testing.assert_allclose(there.theta, here.theta, rtol=0, atol=1e-9)


def test_networks_stop_one_by_one():
    """One converges at once, one is not finite, one goes on."""
    network = chain_network(((L.Dense(1),), (1,)))
    x = np.linspace(-1, 1, 5)[:, None]
    theta = np.array([[1.0, 2.0], [np.nan, 0.0], [5.0, 5.0]])
    fit = train(
        network, kernel_data(x, 1 + 2 * x), theta, np.ones(2, bool), Algorithm(), stepmax=9, device="cuda"
    )
    assert fit.status.tolist() == [cpu.CONVERGED, cpu.NONFINITE, cpu.STEPMAX]
    assert fit.steps.tolist() == [1, 1, 9]


def test_more_networks_than_blocks(monkeypatch):
    monkeypatch.setattr(cuda, "MOST_BLOCKS", 2)
    network = chain_network(SMALL)
    theta, x, y = draw(network, 4, b=5)
    check(network, theta, x, y)
    arguments = network, kernel_data(x, y), theta, np.ones(network.n_params, bool), Algorithm()
    there, here = train(*arguments, stepmax=8, device="cuda"), train(*arguments, stepmax=8)
    np.testing.assert_allclose(there.theta, here.theta, rtol=0, atol=1e-9)


def test_watching_changes_nothing():
    network = chain_network(SMALL)
    theta, x, y = draw(network, 4, b=2)
    arguments = network, kernel_data(x, y), theta, np.ones(network.n_params, bool), Algorithm()
    how, seen = {"threshold": 1e-9, "stepmax": 30, "device": "cuda"}, []
    watched = train(*arguments, **how, chunk=10, watch=lambda stack: seen.append(stack.steps.copy()))
    np.testing.assert_array_equal(seen, [[10, 10], [20, 20], [30, 30]])
    np.testing.assert_array_equal(watched.theta, train(*arguments, **how).theta)


def test_custom_functions_are_refused():
    goal = objective("sse", resolve_activation("identity"))
    network = ns.network.Network(
        (L.Dense(2, lambda z: z / (1 + z * z)), L.Dense(1)), (1,), goal, ("x",), ("y",)
    )
    theta, x, y = draw(network, 4)
    with pytest.raises(DeviceError, match="custom activation and error functions run on the CPU only"):
        train(network, kernel_data(x, y), theta, np.ones(network.n_params, bool), Algorithm(), device="cuda")


def test_families_without_kernels_are_refused():
    data = {"x": np.linspace(-1, 1, 8), "y": np.arange(8.0)}
    with pytest.raises(DeviceError, match="of the families, only gaussian, binomial"):
        ns.neuralnet("y ~ x", data, family="poisson", device="cuda")


def test_through_the_public_interface():
    data = {"x": np.linspace(-1, 1, 8), "y": np.linspace(-1, 1, 8) ** 2}
    how = {"hidden": 2, "rep": 2, "threshold": 0.1, "random_state": 1}
    here, there = ns.neuralnet("y ~ x", data, **how), ns.neuralnet("y ~ x", data, **how, device="cuda")
    assert here.device == "cpu"
    assert there.device.startswith("cuda:0 (")
    np.testing.assert_array_equal(here.fit.start, there.fit.start)
    np.testing.assert_array_equal(here.fit.steps, there.fit.steps)
    np.testing.assert_allclose(here.fit.theta, there.fit.theta, atol=1e-9)
