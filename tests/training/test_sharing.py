"""Observations of one network that threads share: the bits of one thread."""

from __future__ import annotations

import threading

import numpy as np
import pandas as pd
import pytest

import neuralstat as ns
from neuralstat.engine import cpu
from neuralstat.engine.data import make_data
from neuralstat.network.network import dense_network
from neuralstat.network.objective import objective, resolve_activation
from neuralstat.training import sharing
from neuralstat.training.sharing import Sums, Told
from neuralstat.training.train import Algorithm, train

N = 2 * cpu.PARTITION + 300


def data(family: str) -> pd.DataFrame:
    rng = np.random.default_rng(4)
    x = rng.normal(size=(N, 2))
    mean = np.sin(x[:, 0]) + 0.5 * x[:, 1]
    y = {"gaussian": mean + 0.3 * rng.normal(size=N), "binomial": (rng.uniform(size=N) < 1 / (1 + np.exp(-mean))).astype(int),
         "poisson": rng.poisson(np.exp(mean))}[family]  # fmt: skip
    return pd.DataFrame({"y": y, "x": x[:, 0], "z": x[:, 1], "w": rng.uniform(0.5, 2, N), "o": 0.1 * rng.normal(size=N)})


@pytest.mark.filterwarnings("ignore::neuralstat.errors.FitWarning", "ignore::neuralstat.errors.ConvergenceWarning")
@pytest.mark.parametrize("family", ["gaussian", "binomial", "poisson"])
@pytest.mark.parametrize("algorithm", ["lbfgs", "bfgs", "rprop+"])
def test_the_bits_do_not_depend_on_threads(algorithm, family):
    options = {"weights": "w", "offset": "o", "hidden": 3, "rep": 1, "random_state": 1, "penalty": ns.decay(0.5),
               "algorithm": algorithm, "stepmax": 25, "threshold": 1e-9, "family": family}  # fmt: skip
    fits = [ns.neuralnet("y ~ x + z", data(family), n_jobs=jobs, **options).result_matrix.to_numpy() for jobs in (1, 2, 3)]
    np.testing.assert_array_equal(fits[1], fits[0])
    np.testing.assert_array_equal(fits[2], fits[0])


def parts() -> tuple:
    net = dense_network(2, (4,), [resolve_activation("tanh")], objective("sse", resolve_activation("identity")),
                        ["x", "z"], ["y"])  # fmt: skip
    frame = data("gaussian")
    held = make_data(np.ascontiguousarray(frame[["x", "z"]].to_numpy().T), frame["y"].to_numpy()[np.newaxis])
    return net, held, np.random.default_rng(1).normal(size=(1, net.n_params))


def test_sums_are_those_of_all_observations():
    net, held, theta = parts()
    grad = np.empty(net.n_params)
    error = cpu.loss_gradient(net.net(), held, theta[0], 0, 0, N, grad)
    with Sums(net.net(), held, theta, 3) as sums:
        found = sums.of(theta[0], 0)
        told = Told(sums, 0, net.n_params)
        own = np.empty(net.n_params)
        assert cpu.loss_gradient(told.net, told.data, theta[0], 0, 0, 0, own) == found[0]
    np.testing.assert_allclose(found[0], error, rtol=1e-13)
    np.testing.assert_allclose(found[1], grad, rtol=1e-11, atol=1e-9)
    np.testing.assert_array_equal(own, found[1])


def test_what_goes_wrong_in_a_thread_is_raised(monkeypatch):
    net, held, theta = parts()

    def fails(self: Sums, *given: object) -> None:
        raise MemoryError("no room")

    monkeypatch.setattr(sharing.Sums, "of", fails)
    before = threading.active_count()
    with pytest.raises(MemoryError, match="no room"):
        train(net, held, theta, np.ones(net.n_params, bool), ns.optimizers.LBFGS(), threshold=0.0, stepmax=20, n_jobs=2)
    with pytest.raises(MemoryError, match="no room"):
        train(net, held, theta, np.ones(net.n_params, bool), Algorithm(), threshold=0.0, stepmax=20, n_jobs=2)
    assert threading.active_count() <= before
