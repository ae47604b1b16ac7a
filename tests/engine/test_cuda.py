"""The CUDA driver against the CPU's and against complex steps: on a device, or in numba's simulator.

``pytest -m cuda tests/engine/test_cuda.py`` on a machine with a device; with NUMBA_ENABLE_CUDASIM=1 anywhere
(`test_representation` does that).
"""

from __future__ import annotations

import warnings
from types import SimpleNamespace

import chains
import numpy as np
import pytest
import raw
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
from neuralstat.engine import cpu, cuda
from neuralstat.engine.cuda import large, memory, trainers
from neuralstat.errors import ArgumentError, DeviceError
from neuralstat.functions.activations import ACTIVATIONS
from neuralstat.functions.losses import LOSSES
from neuralstat.layers import codes
from neuralstat.network.network import Network
from neuralstat.network.objective import objective, resolve_activation
from neuralstat.network.penalties import decay, l1
from neuralstat.optimizers import BFGS, LBFGS, LM
from neuralstat.optimizers.rprop import CODES
from neuralstat.training.train import Algorithm, train

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
        words = {codes.BATCH_NORM: "BatchNorm", codes.DROPOUT: "Dropout", codes.NOISE: "noise"}
        if refused := [word for op, word in words.items() if op in network.table[:, codes.OP]]:
            with pytest.raises(DeviceError, match=f"{refused[0]} needs a minibatch optimizer"):
                cuda.loss_gradient(network.net(), kernel_data(*draw(network, 3)[1:]), draw(network, 3)[0])
        else:
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


@pytest.mark.parametrize("algorithm", [Algorithm(), BFGS(), LBFGS()], ids=["rprop", "bfgs", "lbfgs"])
def test_training_of_a_mixed_chain_follows_the_cpu(algorithm):
    network = chain_network(MIXED)
    theta, x, y = draw(network, 3, b=2)
    arguments = network, kernel_data(x, y), theta, np.ones(network.n_params, bool), algorithm
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
    network = Network(
        (L.Dense(2, lambda z: z / (1 + z * z)), L.Dense(1)), (1,), goal, ("x",), ("y",)
    )
    theta, x, y = draw(network, 4)
    with pytest.raises(DeviceError, match="custom activation and error functions run on the CPU only"):
        train(network, kernel_data(x, y), theta, np.ones(network.n_params, bool), Algorithm(), device="cuda")


def test_through_the_public_interface():
    data = {"x": np.linspace(-1, 1, 8), "y": np.linspace(-1, 1, 8) ** 2}
    how = {"hidden": 2, "rep": 2, "threshold": 0.1, "random_state": 1}
    here, there = raw.neuralnet("y ~ x", data, **how), raw.neuralnet("y ~ x", data, **how, device="cuda")
    assert here.device == "cpu"
    assert there.device.startswith("cuda:0 (")
    np.testing.assert_array_equal(here.fit.start, there.fit.start)
    np.testing.assert_array_equal(here.fit.steps, there.fit.steps)
    np.testing.assert_allclose(here.fit.theta, there.fit.theta, atol=1e-9)


# Workspaces in global memory, where they do not fit into shared memory

def test_dense_networks_that_do_not_fit_into_shared_memory(monkeypatch):
    network = chain_network(SMALL)
    theta, x, y = draw(network, 6, b=2)
    arguments = network, kernel_data(x, y), theta, np.ones(network.n_params, bool), Algorithm()
    there = train(*arguments, stepmax=6, device="cuda")
    monkeypatch.setattr(memory, "shared_limit", lambda simulate: 0)
    check(network, theta, x, y)
    np.testing.assert_array_equal(train(*arguments, stepmax=6, device="cuda").theta, there.theta)


def test_passes_shorter_than_the_data(monkeypatch):
    """A small shared memory: passes of 32 observations, whose sums are added."""
    network = chain_network(CHAINS["Dense"][2])
    theta, x, y = draw(network, 70)
    monkeypatch.setattr(memory, "shared_limit", lambda simulate: 12_000)
    check(network, theta, x, y)


# Few networks with many observations

@pytest.mark.parametrize("chain", [SMALL, CHAINS["Conv2D"][0]], ids=["dense", "layered"])
@pytest.mark.parametrize("name", ["rprop+", "sag"])
def test_blocks_that_share_a_network_follow_the_cpu(name, chain, monkeypatch):
    monkeypatch.setattr(large, "SHARE", 5)
    monkeypatch.setattr(trainers, "MANY", 10)
    network = chain_network(chain)
    theta, x, y = draw(network, 12, b=2)
    free = np.ones((2, network.n_params), bool)
    free[1, 2] = False
    rows = np.stack([np.arange(12), np.arange(12)[::-1]])
    data = make_data(rows_of(x), np.ascontiguousarray(y.T), rows=rows, count=np.array([12, 4]))
    how = {"threshold": 0.05, "stepmax": 6, "penalty": decay(0.01).coefficients(network.is_bias)}
    arguments = network, data, theta, free, Algorithm(name)
    there, here = train(*arguments, **how, device="cuda"), train(*arguments, **how)
    assert isinstance(
        trainers.make_trainer(network.net(), data, Algorithm(), 0.1, None, 5, SimpleNamespace(theta=theta), "cuda"),
        trainers.Large,
    )
    np.testing.assert_array_equal(there.steps, here.steps)
    np.testing.assert_array_equal(there.status, here.status)
    np.testing.assert_allclose(there.theta, here.theta, rtol=0, atol=1e-9)
    np.testing.assert_allclose(there.loss, here.loss, rtol=1e-9)
    for (steps, errors), (steps_, errors_) in zip(there.trace, here.trace, strict=True):
        np.testing.assert_array_equal(steps, steps_)
        np.testing.assert_allclose(errors, errors_, rtol=1e-9)


# Levenberg-Marquardt and BFGS

CURVED = {
    "sse": ((L.Dense(2, "tanh"), L.Dense(1)), (1,)),
    "ce_logit": ((L.Dense(2, "logistic"), L.Dense(2)), (1,)),
    "ce": ((L.Dense(1, "logistic"), L.Dense(1)), (2,)),
    "multinomial": ((L.Dense(1, "logistic"), L.Dense(3)), (2,)),
}


@pytest.mark.parametrize("algorithm", [LM(), BFGS(), LBFGS(3)], ids=["lm", "bfgs", "lbfgs"])
@pytest.mark.parametrize("loss", CURVED)
def test_curved_training_follows_the_cpu(loss, algorithm):
    network = chain_network(CURVED[loss], loss)
    theta, x, y = draw(network, 9, b=2)
    y = y / y.sum(axis=1, keepdims=True) if loss == "multinomial" else y
    free = np.ones((2, network.n_params), bool)
    free[1, 2] = False
    how = {"threshold": 1e-5, "stepmax": 5, "penalty": decay(0.01).coefficients(network.is_bias)}
    arguments = network, kernel_data(x, y), theta, free, algorithm
    there, here = train(*arguments, **how, device="cuda"), train(*arguments, **how)
    assert there.algorithm == here.algorithm == algorithm.name
    np.testing.assert_array_equal(there.steps, here.steps)
    np.testing.assert_array_equal(there.status, here.status)
    np.testing.assert_allclose(there.theta, here.theta, rtol=0, atol=1e-9)
    np.testing.assert_allclose(there.loss, here.loss, rtol=1e-9)
    np.testing.assert_allclose(there.reached, here.reached, rtol=1e-5, atol=1e-12)
    for (steps, errors), (steps_, errors_) in zip(there.trace, here.trace, strict=True):
        np.testing.assert_array_equal(steps, steps_)
        np.testing.assert_allclose(errors, errors_, rtol=1e-9)


@pytest.mark.parametrize("algorithm", [LM(), BFGS(), LBFGS(3)], ids=["lm", "bfgs", "lbfgs"])
def test_curved_training_to_its_end(algorithm):
    """A linear model: least squares; with networks of other responses, rows and weights in one stack."""
    network = chain_network(((L.Dense(1),), (1,)))
    x = np.linspace(-1, 1, 40)
    rng = np.random.default_rng(2)
    y, rows = rng.standard_normal((3, 1, 40)), np.stack([rng.permutation(40)[:36] for _ in range(3)])
    data = make_data(x[np.newaxis], y, rows=rows)
    how = {"threshold": 1e-9, "device": "cuda", "stepmax": 40}
    fit = train(network, data, np.zeros((3, 2)), np.ones(2, bool), algorithm, **how)
    assert fit.converged.all()
    for b in range(3):
        slope, intercept = np.polyfit(x[rows[b]], y[b, 0, rows[b]], 1)
        np.testing.assert_allclose(fit.theta[b], [intercept, slope], atol=1e-9)


@pytest.mark.parametrize("algorithm", [LM(), BFGS(), LBFGS(3)], ids=["lm", "bfgs", "lbfgs"])
def test_curved_training_of_what_is_not_finite(algorithm):
    network = chain_network(((L.Dense(1),), (1,)))
    x = np.linspace(-1, 1, 5)[:, None]
    theta = np.array([[np.nan, 0.0], [1.0, 2.0]])
    arguments = network, kernel_data(x, 1 + 2 * x), theta, np.ones(2, bool), algorithm
    there, here = train(*arguments, device="cuda"), train(*arguments)
    assert there.status.tolist() == here.status.tolist() == [cpu.NONFINITE, cpu.CONVERGED]
    assert there.steps.tolist() == here.steps.tolist()


# Memory

def test_a_stack_in_parts(monkeypatch):
    network = chain_network(SMALL)
    theta, x, y = draw(network, 5, b=5)
    many = np.stack([y.T + 0.01 * b for b in range(5)])
    data = make_data(rows_of(x), many)
    arguments = network, data, theta, np.ones((5, network.n_params), bool), Algorithm()
    whole, parts = train(*arguments, stepmax=4, device="cuda"), []
    run = trainers.Trainer.run

    def noticed(self, data, stack, first, last, watch, chunk):
        parts.append((first, last, data.y.shape[0]))
        return run(self, data, stack, first, last, watch, chunk)

    monkeypatch.setattr(trainers.Trainer, "run", noticed)
    each = memory.per_network(SimpleNamespace(theta=theta, free=theta), data)
    assert each == 2 * theta[0].nbytes + many[0].nbytes
    monkeypatch.setattr(memory, "free_bytes", lambda: (cuda.BUFFER_BYTES + 12_000) / memory.SHARE)
    np.testing.assert_array_equal(train(*arguments, stepmax=4, device="cuda").theta, whole.theta)
    assert parts[0][0] == 0
    assert parts[-1][1] == 5
    assert len(parts) > 1
    assert all(size == last - first for first, last, size in parts)


def test_no_memory_is_said_before_anything_starts(monkeypatch):
    network = chain_network(SMALL)
    theta, x, y = draw(network, 5)
    before = theta.copy()
    monkeypatch.setattr(memory, "free_bytes", lambda: 1e6)
    arguments = network, kernel_data(x, y), theta, np.ones(network.n_params, bool), Algorithm()
    with pytest.raises(DeviceError, match=r"one network needs 2\d\d\.\d MB .* 1\.0 MB are free.*fewer observations"):
        train(*arguments, device="cuda")
    np.testing.assert_array_equal(theta, before)


def test_running_out_of_memory_says_what_to_reduce(monkeypatch):
    network = chain_network(SMALL)
    theta, x, y = draw(network, 5)

    def full(array):
        raise RuntimeError("[2] Call to cuMemAlloc results in CUDA_ERROR_OUT_OF_MEMORY")

    arguments = network, kernel_data(x, y), theta, np.ones(network.n_params, bool), Algorithm()
    monkeypatch.setattr(cuda, "send", full)
    with pytest.raises(DeviceError, match=r"ran out of memory; .* MB were to be taken.*dtype='float32'"):
        train(*arguments, device="cuda")
    monkeypatch.setattr(cuda, "send", lambda array: 1 / 0)
    with pytest.raises(ZeroDivisionError):
        train(*arguments, device="cuda")


# What has no kernel

def test_what_has_no_kernel_is_refused_by_name():
    network = chain_network(SMALL)
    theta, x, y = draw(network, 5)
    mixed = chain_network(CHAINS["Conv2D"][0])
    free = np.ones(network.n_params, bool)
    arguments = network, kernel_data(x, y), theta, free
    with pytest.raises(DeviceError, match="L1 penalty has no kernel"):
        train(*arguments, Algorithm(), device="cuda", penalty=l1(0.1).coefficients(network.is_bias))
    with pytest.raises(ArgumentError, match="without keep"):
        train(network, kernel_data(x, y), np.repeat(theta, 3, axis=0), free, Algorithm(), device="cuda", keep=1)
    start, images, response = draw(mixed, 3)
    with pytest.raises(DeviceError, match="algorithm='lm' has a kernel for dense layers"):
        train(mixed, kernel_data(images, response), start, np.ones(mixed.n_params, bool), LM(), device="cuda")


def test_other_devices_are_not_there():
    data = {"x": np.linspace(-1, 1, 8), "y": np.linspace(-1, 1, 8) ** 2}
    with pytest.raises(DeviceError, match="'cuda:99'"):
        raw.neuralnet("y ~ x", data, device="cuda:99")


# What refits, and float32

def test_refits_run_on_the_device():
    data = {"x": np.linspace(-1, 1, 8), "y": np.linspace(-1, 1, 8) ** 2 + np.tile([0.01, -0.01], 4)}
    how = {"hidden": 1, "rep": 2, "threshold": 0.1, "random_state": 1, "stepmax": 12}
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", ns.errors.ConvergenceWarning)
        here, there = raw.neuralnet("y ~ x", data, **how), raw.neuralnet("y ~ x", data, **how, device="cuda")
        pair = [ns.risk(fit, "cv", k=2, random_state=3) for fit in (here, there)]
        moved = ns.risk(here, "cv", k=2, random_state=3, device="cuda")
        degrees = [fit.df("gdf", draws=3, sigma=0.1, random_state=2) for fit in (here, there)]
    np.testing.assert_allclose(pair[0].draws, pair[1].draws, rtol=1e-8)
    np.testing.assert_array_equal(pair[1].draws, moved.draws)
    np.testing.assert_allclose(float(degrees[0]), float(degrees[1]), rtol=1e-7)


def test_training_in_float32():
    network = chain_network(SMALL)
    theta, x, y = draw(network, 6, b=2)
    data = kernel_data(x, y, dtype=np.float32)
    arguments = network, data, theta, np.ones(network.n_params, bool), Algorithm()
    there, here = train(*arguments, stepmax=6, device="cuda"), train(*arguments, stepmax=6)
    assert there.theta.dtype == np.float32
    np.testing.assert_allclose(there.loss, here.loss, rtol=1e-4)
    np.testing.assert_array_equal(there.steps, here.steps)
