"""A stack of networks is so many single networks, whatever threads, chunks and masks do."""

from __future__ import annotations

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
    make_data,
    naive_gradient,
    rows_of,
)
from hypothesis import given, settings
from hypothesis import strategies as st

from neuralstat import layers as L
from neuralstat.engine import cpu
from neuralstat.network.penalties import decay
from neuralstat.optimizers.rprop import CODES
from neuralstat.training.train import Algorithm, train

DENSE = CHAINS["Dense"][2]
FIELDS = ("theta", "loss", "reached", "steps", "status")


def algorithm(name: str) -> Algorithm:
    return Algorithm(name, learningrate=1e-3)


def stack(chain, n: int = 300, b: int = 4):
    """A stack in which everything differs from network to network."""
    network = chain_network(chain)
    theta, x, _ = draw(network, n, b=b)
    rng = np.random.default_rng(9)
    y = rng.standard_normal((b, network.n_outputs, n))
    weights = rng.uniform(0.5, 1.5, (b, n))
    rows = np.stack([rng.permutation(n)[: n - 10] for _ in range(b)])
    count = rng.integers(n - 40, n - 10, b)
    free = rng.uniform(size=theta.shape) < 0.9
    return network, theta, x, (y, weights, rows, count), free


def run(network, theta, x, what, free, name="rprop+", **more):
    y, weights, rows, count = what
    data = make_data(rows_of(x), y, weights, rows=rows, count=count)
    return train(network, data, theta, free, algorithm(name), stepmax=30, **{"n_jobs": 1, **more})


def same(one, other, fields=FIELDS) -> None:
    for field in fields:
        np.testing.assert_array_equal(getattr(one, field), getattr(other, field), err_msg=field)
    for (steps, errors), (steps_, errors_) in zip(one.trace, other.trace, strict=True):
        np.testing.assert_array_equal(steps, steps_)
        np.testing.assert_array_equal(errors, errors_)


@pytest.mark.parametrize("name", CODES)
@pytest.mark.parametrize("chain", [DENSE, MIXED], ids=["dense", "mixed"])
def test_stack_equals_single_runs(chain, name):
    network, theta, x, what, free = stack(chain)
    together = run(network, theta, x, what, free, name)
    for b in range(len(theta)):
        alone = run(network, theta[b : b + 1], x, [part[b : b + 1] for part in what], free[b : b + 1], name)
        for field in FIELDS:
            np.testing.assert_array_equal(
                getattr(alone, field)[0], getattr(together, field)[b], err_msg=field
            )
        assert np.any(together.theta[b] != theta[b])


@pytest.mark.parametrize("name", CODES)
def test_threads_and_chunks_change_nothing(name):
    arguments = stack(DENSE, b=5)
    once = run(*arguments, name, chunk=1000)
    same(once, run(*arguments, name, n_jobs=2))
    for chunk in (1, 7, 29, 30):
        same(once, run(*arguments, name, n_jobs=2, chunk=chunk))


def test_threads_within_one_large_network():
    """Beyond one partition threads share a network's observations; the order of sums stays."""
    network = chain_network(((L.Dense(3, "logistic"), L.Dense(1)), (2,)))
    theta, x, y = draw(network, 2 * cpu.PARTITION + 77)
    data, free = kernel_data(x, y), np.ones(network.n_params, bool)
    fits = [train(network, data, theta, free, Algorithm(), stepmax=5, n_jobs=n_jobs) for n_jobs in (1, 2, 3)]
    same(fits[0], fits[1])
    same(fits[0], fits[2])
    short = train(network, data, theta, free, Algorithm(), stepmax=1)
    close(short.reached[0], np.max(np.abs(naive_gradient(network, theta[0], x, y))), 1e-11)


def test_shared_and_repeated_rows_of_the_stack_agree():
    """An axis of length 1 stands for all networks."""
    network = chain_network(DENSE)
    theta, x, y = draw(network, 50, b=3)
    weights = np.random.default_rng(0).uniform(size=50)
    free = np.ones(network.n_params, bool)
    shared = train(network, kernel_data(x, y, weights=weights), theta, free, Algorithm(), stepmax=20)
    repeated = make_data(rows_of(x), np.repeat(y.T[None], 3, 0), np.repeat(weights[None], 3, 0),
                         rows=np.repeat(np.arange(50)[None], 3, 0), count=np.full(3, 50))  # fmt: skip
    same(shared, train(network, repeated, theta, np.repeat(free[None], 3, 0), Algorithm(), stepmax=20))


@given(st.integers(0, 10_000), st.integers(1, 400))
@settings(max_examples=20, deadline=None)
def test_weights_of_zero_and_one_are_a_subset(seed, n):
    network = chain_network(DENSE)
    theta, x, y = draw(network, n, seed)
    keep = np.random.default_rng(seed).uniform(size=n) < 0.6
    keep[seed % n] = True
    subset = np.flatnonzero(keep)
    expected = kernel_gradient(network, kernel_data(x[keep], y[keep]), theta[0])
    for more in ({"weights": keep.astype(float)}, {"rows": subset}):
        loss, grad = kernel_gradient(network, kernel_data(x, y, **more), theta[0])
        close(loss, expected[0])
        close(grad, expected[1])


def test_rows_are_the_subset_bit_for_bit():
    network = chain_network(DENSE)
    theta, x, y = draw(network, 400)
    rows = np.arange(3, 400, 2)
    by_rows = kernel_gradient(network, kernel_data(x, y, rows=rows), theta[0])
    by_hand = kernel_gradient(network, kernel_data(x[rows], y[rows]), theta[0])
    assert by_rows[0] == by_hand[0]
    np.testing.assert_array_equal(by_rows[1], by_hand[1])


def unit_mask(network, layer: int, unit: int) -> np.ndarray:
    """Weights into and out of a hidden unit, as (P,) bool."""
    parts = [np.zeros((units, per_unit), bool) for per_unit, units in network.shapes]
    parts[layer][unit] = True
    parts[layer + 1][:, 1 + unit] = True
    return np.concatenate([part.ravel() for part in parts])


@pytest.mark.parametrize("name", ["rprop+", "rprop-", "backprop"])
@pytest.mark.parametrize("penalty", [None, decay(0.1)])
def test_masked_network_is_the_smaller_network(name, penalty):
    large = chain_network(((L.Dense(3, "tanh"), L.Dense(4, "logistic"), L.Dense(2)), (2,)))
    small = chain_network(((L.Dense(3, "tanh"), L.Dense(3, "logistic"), L.Dense(2)), (2,)))
    out = unit_mask(large, 1, 2)
    theta, x, y = draw(large, 60)
    theta[0, out] = 0
    data = kernel_data(x, y)

    def fit(network, start, free):
        coefficients = None if penalty is None else penalty.coefficients(network.is_bias)
        return train(
            network, data, start, free, algorithm(name), stepmax=40, threshold=1e-9, penalty=coefficients
        )

    masked = fit(large, theta, ~out)
    direct = fit(small, theta[:, ~out], np.ones(small.n_params, bool))
    assert np.all(masked.theta[0, out] == 0)
    assert masked.steps == direct.steps
    close(masked.theta[:, ~out], direct.theta, 1e-10)
    close(masked.loss, direct.loss, 1e-10)
    close(masked.reached, direct.reached, 1e-8)


@given(st.integers(0, 10_000), st.sampled_from(sorted(CODES)))
@settings(max_examples=25, deadline=None)
def test_fixed_weights_stay_and_are_not_waited_for(seed, name):
    network = chain_network(DENSE)
    theta, x, y = draw(network, 40, seed)
    rng = np.random.default_rng(seed)
    free = rng.uniform(size=network.n_params) < rng.uniform(0.1, 0.95)
    free[seed % free.size] = True
    fit = train(network, kernel_data(x, y), theta, free, algorithm(name), stepmax=12, threshold=1e-3)
    np.testing.assert_array_equal(fit.theta[0, ~free], theta[0, ~free])
    assert np.all(fit.theta[0, free] != theta[0, free]) or fit.steps < 12 or name == "backprop"
    _, grad = kernel_gradient(network, kernel_data(x, y), fit.start[0])
    first = train(network, kernel_data(x, y), theta, free, algorithm(name), stepmax=1)
    assert first.reached[0] == np.max(np.abs(grad[free]))


def test_what_is_not_finite_stops_one_network_alone():
    network = chain_network(DENSE)
    theta, x, y = draw(network, 40, b=3)
    theta[1, 4] = np.nan
    fit = train(network, kernel_data(x, y), theta, np.ones(network.n_params, bool), Algorithm(), stepmax=20)
    assert fit.status.tolist() == [cpu.STEPMAX, cpu.NONFINITE, cpu.STEPMAX]
    assert np.isnan(fit.loss[1])
    assert np.all(np.isfinite(fit.theta[[0, 2]]))


@pytest.mark.parametrize("own", [True, False], ids=["masks", "one mask"])
def test_backprop_takes_the_step_back_that_overflowed(own):
    network = chain_network(((L.Dense(1),), (1,)))
    theta, x, y = draw(network, 10, b=3)
    theta[1] *= 1e150
    free = np.ones((3 if own else 1, network.n_params), bool)
    fit = train(network, kernel_data(x, y), theta, free, Algorithm("backprop", 1e-2), stepmax=20)
    wild = train(network, kernel_data(x, y), theta, free, Algorithm("backprop", 1e200), stepmax=20)
    assert np.all(np.isfinite(fit.theta))
    assert cpu.NONFINITE in wild.status
    assert np.all(np.isfinite(wild.theta))


def test_trace_is_thinned_and_ends_with_the_last_step():
    network = chain_network(((L.Dense(1),), (1,)))
    theta, x, y = draw(network, 10)
    arguments = network, kernel_data(x, y), theta, np.ones(2, bool), Algorithm("backprop", 1e-4)
    fit = train(*arguments, stepmax=1501, threshold=1e-12)
    steps, errors = fit.trace[0]
    assert steps[0] == 1
    assert steps[-1] == fit.steps[0] == 1501
    assert len(steps) <= 513
    assert np.all(np.diff(errors) < 0)
    assert train(*arguments, stepmax=int(steps[7]), threshold=1e-12).loss[0] == errors[7]
