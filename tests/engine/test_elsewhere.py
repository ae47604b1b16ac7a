"""Optimizers whose sums are formed by a function: the steps are those of observations that are here."""

from __future__ import annotations

from types import SimpleNamespace

import numpy as np
import pytest
import raw

import neuralstat as ns
from neuralstat.cluster import sums
from neuralstat.engine.data import make_data
from neuralstat.engine.elsewhere import Elsewhere
from neuralstat.network import derivatives
from neuralstat.optimizers import BFGS, LBFGS, LM
from neuralstat.training.train import Algorithm, train

ALGORITHMS = [Algorithm(name) for name in ("rprop+", "rprop-", "sag", "slr")] + [
    Algorithm("backprop", 1e-4), LBFGS(), BFGS(), LM(),
]  # fmt: skip


@pytest.fixture(scope="module")
def made():
    data = ns.datasets.doppler(n=120, noise=0.1, random_state=1)
    return raw.neuralnet("y ~ x", data, hidden=3, rep=2, penalty=ns.decay(0.01), random_state=1, stepmax=1)


def trained(fit, algorithm, elsewhere=None, stepmax=30):
    design, dtype = fit.design, np.float64
    x, y = (design.x, design.y) if elsewhere is None else (design.x[:, :0], design.y[:, :0])
    return train(fit.network, make_data(x, y, dtype=dtype), fit.fit.start, fit.fit.free[0], algorithm, threshold=1e-8,
                 stepmax=stepmax, penalty=fit.penalty_coefficients, elsewhere=elsewhere, n_jobs=1)  # fmt: skip


def asked(fit, answer=None):
    """What `cluster.Objective` is, of one part that is here."""
    part = sums.Part(fit.design.x, fit.design.y, None, None, None)
    job = sums.Job(fit.network, fit.fit.free[0], "float64")

    def ask(theta, curved):
        found = (sums.curvatures if curved else sums.losses)(part, job, theta[np.newaxis])
        return float(found[0][0]), found[1][0], found[2][0] if curved else None

    made = Elsewhere(answer or ask, fit.network.n_params, int(fit.fit.free[0].sum()))

    def check():
        if made.error is not None:
            raise made.error

    return SimpleNamespace(address=made.address, attending=lambda run: run, check=check, made=made, stopped=False)


@pytest.mark.filterwarnings("ignore::neuralstat.errors.NeuralStatWarning")
@pytest.mark.parametrize("algorithm", ALGORITHMS, ids=lambda a: a.name)
def test_the_same_steps(made, algorithm):
    here, there = trained(made, algorithm), trained(made, algorithm, asked(made))
    np.testing.assert_array_equal(here.steps, there.steps)
    np.testing.assert_allclose(there.theta, here.theta, rtol=1e-7, atol=1e-9)
    np.testing.assert_allclose(there.loss, here.loss, rtol=1e-10)
    assert here.loss.max() < made.fit.loss.max()


@pytest.mark.parametrize("algorithm", [Algorithm("rprop+"), LBFGS(), LM()], ids=lambda a: a.name)
def test_what_is_raised_there_is_raised_here(made, algorithm):
    calls = []

    def lost(theta, curved):
        calls.append(theta)
        raise OSError("the other machine is gone")

    with pytest.raises(OSError, match="is gone"):
        trained(made, algorithm, asked(made, lost))
    assert len(calls) == 1


def test_gauss_newton_matrix_of_a_part(made):
    part = sums.Part(made.design.x, made.design.y, None, None, None)
    job = sums.Job(made.network, made.fit.free[0], "float64")
    loss, grad, matrix = sums.curvatures(part, job, made.fit.theta)
    for b, theta in enumerate(made.fit.theta):
        data = make_data(made.design.x, made.design.y)
        j = derivatives.jacobian(made.network, data, theta)[0]
        np.testing.assert_allclose(matrix[b], np.tril(j.T @ j), rtol=1e-9, atol=1e-12)
        np.testing.assert_allclose(grad[b], derivatives.gradient(made.network, data, theta), rtol=1e-9, atol=1e-10)
        np.testing.assert_allclose(loss[b], derivatives.error(made.network, data, theta), rtol=1e-12)
