"""Families and distributions on a device against the CPU's kernels: on a device, or in numba's simulator.

``pytest -m cuda tests/engine/test_cuda_losses.py`` on a machine with a device; with NUMBA_ENABLE_CUDASIM=1 anywhere
(`test_representation` does that).
"""

from __future__ import annotations

import warnings
from dataclasses import replace

import numpy as np
import pytest
import raw
from observations import EACH, KINDS, SEVERAL, N, problem
from places import ROOT

import neuralstat as ns
from neuralstat import families as F
from neuralstat.engine import cpu, cuda
from neuralstat.engine.batches import Rows
from neuralstat.engine.cuda import large, memory, trainers
from neuralstat.errors import ConvergenceWarning, DeviceError, FitWarning
from neuralstat.network.penalties import decay
from neuralstat.optimizers import BFGS, LBFGS, LM
from neuralstat.optimizers.minibatch import Adam
from neuralstat.optimizers.rprop import CODES
from neuralstat.training.epochs import Training, train_epochs
from neuralstat.training.train import Algorithm, train

pytestmark = pytest.mark.cuda

KEYS = np.array([[1, 2], [3, 4]], np.uint64)
#: of every kind of loop one, for what does not depend on the density
FEW = ["gaussian_scale identity", "zero_inflated_negative_binomial log", "ordinal logit", "weibull", "mixture"]


def gradients(network, data, theta):
    """Losses (B,) and gradients (B, P) by the CPU's kernels."""
    grad, losses = np.empty_like(theta), []
    for b in range(len(theta)):
        n = int(data.count[b]) if data.count.size else data.rows.shape[1] or data.x.shape[1]
        losses.append(cpu.loss_gradient(network.net(), data, theta[b], b, 0, n, grad[b]))
    return np.array(losses), grad


def check_gradients(network, data, theta, tolerance=1e-12):
    loss, grad = cuda.loss_gradient(network.net(), data, theta)
    expected, slopes = gradients(network, data, theta)
    assert np.isfinite(slopes).all() and np.abs(slopes).max() > 0
    np.testing.assert_allclose(loss, expected, rtol=tolerance)
    np.testing.assert_allclose(grad, slopes, rtol=0, atol=tolerance * np.abs(slopes).max())


def held(network, b=2):
    """Masks of a stack: nothing but the bias is free of the last output; the second network holds one weight more."""
    free = np.ones((b, network.n_params), bool)
    free[:, network.n_params - network.shapes[-1][0] + 1 :] = False
    free[1, 1] = False
    return free


def same(here, there, tolerance=1e-9):
    """Both fits took the same steps to the same weights, and held what was to be held."""
    assert here.device == "cpu"
    assert there.device.startswith("cuda:0 (")
    np.testing.assert_array_equal(there.steps, here.steps)
    np.testing.assert_array_equal(there.status, here.status)
    np.testing.assert_allclose(there.theta, here.theta, rtol=tolerance, atol=tolerance)
    np.testing.assert_allclose(there.loss, here.loss, rtol=tolerance)
    np.testing.assert_allclose(there.reached, here.reached, rtol=1e4 * tolerance, atol=tolerance)
    free = np.broadcast_to(here.free, here.theta.shape)
    np.testing.assert_array_equal(there.theta[~free], there.start[~free])
    assert np.any(here.theta != here.start)


@pytest.mark.parametrize("name", KINDS)
def test_gradient_of_every_family_and_link(name):
    network, theta, data = problem(name)
    check_gradients(network, data, theta)


@pytest.mark.parametrize("name", FEW)
def test_outputs_that_read_covariates_and_hidden_units(name):
    network, theta, data = problem(name, skip=True)
    check_gradients(network, data, theta)
    for algorithm in (Algorithm(), LBFGS(2)):
        arguments = network, data, theta, held(network), algorithm
        same(train(*arguments, stepmax=3), train(*arguments, stepmax=3, device="cuda"))


@pytest.mark.parametrize("name", FEW)
def test_passes_shorter_than_the_data_and_global_memory(name, monkeypatch):
    network, theta, data = problem(name, n=70)
    for limit in (9_000, 0):
        monkeypatch.setattr(memory, "shared_limit", lambda simulate, limit=limit: limit)
        check_gradients(network, data, theta)


@pytest.mark.parametrize("name", EACH)
def test_float32(name):
    network, theta, data = problem(name, dtype=np.float32)
    loss, grad = cuda.loss_gradient(network.net(), data, theta)
    assert grad.dtype == np.float32
    exact, slopes = gradients(network, cpu.Data(*(a.astype(float) if a.dtype == np.float32 else a for a in data)),
                              theta.astype(float))  # fmt: skip
    np.testing.assert_allclose(loss, exact, rtol=2e-5)
    np.testing.assert_allclose(grad, slopes, rtol=0, atol=2e-5 * np.abs(slopes).max())


@pytest.mark.parametrize("name", EACH)
@pytest.mark.parametrize("algorithm", [Algorithm(), BFGS(), LBFGS(2)], ids=["rprop", "bfgs", "lbfgs"])
def test_training_follows_the_cpu(name, algorithm):
    network, theta, data = problem(name)
    how = {"threshold": 1e-6, "stepmax": 4, "penalty": decay(0.01).coefficients(network.is_bias)}
    arguments = network, data, theta, held(network), algorithm
    same(train(*arguments, **how), train(*arguments, **how, device="cuda"))


@pytest.mark.parametrize("name", ["poisson log", "binomial probit", "tweedie power"])
@pytest.mark.parametrize("algorithm", [Algorithm(), BFGS(), LBFGS(2)], ids=["rprop", "bfgs", "lbfgs"])
def test_training_of_families_follows_the_cpu(name, algorithm):
    network, theta, data = problem(name)
    arguments = network, data, theta, np.ones(network.n_params, bool), algorithm
    same(train(*arguments, stepmax=5), train(*arguments, stepmax=5, device="cuda"))


@pytest.mark.parametrize("algorithm", CODES)
def test_every_first_order_algorithm(algorithm):
    network, theta, data = problem("student")
    arguments = network, data, theta, held(network), Algorithm(algorithm, 0.01)
    same(train(*arguments, stepmax=6), train(*arguments, stepmax=6, device="cuda"))


@pytest.mark.parametrize("name", FEW)
def test_blocks_that_share_a_network(name, monkeypatch):
    monkeypatch.setattr(large, "SHARE", 5)
    monkeypatch.setattr(trainers, "MANY", 8)
    network, theta, data = problem(name)
    rows = np.stack([np.arange(N), np.arange(N)[::-1]])
    arguments = network, data._replace(rows=rows, count=np.array([N, 6])), theta, held(network), Algorithm()
    same(train(*arguments, stepmax=5), train(*arguments, stepmax=5, device="cuda"))


@pytest.mark.parametrize("name", [*EACH, "poisson log", "binomial cauchy"])
def test_minibatches_follow_the_cpu(name):
    network, theta, data = problem(name)
    rows = Rows(np.ascontiguousarray(data.x.T), data._replace(x=np.zeros((0, 0))))
    how = {"penalty": decay(0.01).coefficients(network.is_bias)}
    arguments = network, rows, theta, held(network)[0], Training(Adam(0.01), 1, batch_size=5), KEYS
    here, there = train_epochs(*arguments, **how), train_epochs(*arguments, **how, device="cuda")
    same(here, there)
    np.testing.assert_allclose(there.history.values, here.history.values, rtol=1e-9)


def test_minibatches_in_float32_with_validation():
    network, theta, data = problem("gamma_scale log", dtype=np.float32)
    rows = Rows(np.ascontiguousarray(data.x.T), data._replace(x=np.zeros((0, 0), np.float32)))
    arguments = network, rows, theta, held(network)[0], Training(Adam(0.01), 2, batch_size=4), KEYS
    here, there = (train_epochs(*arguments, validation=rows, device=device) for device in ("cpu", "cuda"))
    np.testing.assert_allclose(there.theta, here.theta, rtol=1e-4, atol=1e-5)
    np.testing.assert_allclose(there.history.values, here.history.values, rtol=1e-4)


def table():
    rng = np.random.default_rng(4)
    x, z = rng.uniform(size=24), rng.standard_normal(24)
    times = rng.weibull(1.5, 24) * np.exp(x)
    return {
        "x": x, "z": z, "y": x + np.exp(z / 2) * rng.standard_normal(24), "t": np.minimum(times, 2.0), "e": times <= 2.0,
        "late": 0.3 * np.minimum(times, 2.0) * (z > 0), "k": rng.poisson(np.exp(1 + x)), "w": rng.uniform(0.5, 2, 24),
        "g": np.resize(list("abc"), 24),
    }  # fmt: skip


PUBLIC = {
    "dispformula of covariates": ("y ~ x", {"family": "gaussian", "dispformula": "~ z", "weights": "w"}),
    "of hidden units": ("y ~ x + z", {"family": "gaussian", "dispformula": True}),
    "counts with an offset": ("k ~ x + offset(z)", {"family": "negative_binomial"}),
    "censored and truncated": ("Surv(late, t, e) ~ x", {"family": "weibull"}),
    "minibatches": ("y ~ x + z", {"family": F.Student(), "algorithm": "adam", "epochs": 2, "batch_size": 10}),
    "poisson": ("k ~ x", {"family": "poisson"}),
    "several responses": ("y + z ~ x", {"family": "multivariate_normal"}),
    "hazards": ("Surv(late, t, e) ~ x", {"family": "piecewise_exponential"}),
    "towers": ("y ~ x + nn(z, hidden=2) + nn(x, z, hidden=(2, 1))", {"penalty": decay(0.01)}),
    "towers by minibatches": ("y ~ x + nn(z, embed(g, 2), hidden=2)", {"algorithm": "adam", "epochs": 2, "batch_size": 10}),
}  # fmt: skip


@pytest.mark.parametrize("case", PUBLIC)
def test_through_the_public_interface(case):
    formula, arguments = PUBLIC[case]
    how = {"hidden": 1, "rep": 2, "random_state": 1, **arguments}
    if "epochs" not in how:
        how.update(algorithm="rprop+", threshold=1e-9, stepmax=8)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", ConvergenceWarning)
        warnings.simplefilter("ignore", FitWarning)
        here, there = (ns.neuralnet(formula, table(), **how, device=device) for device in ("cpu", "cuda"))
        predicted = [np.asarray(fit.predict()) for fit in (here, there)]
    same(here.fit, there.fit)
    np.testing.assert_allclose(there.llf, here.llf, rtol=1e-9)
    np.testing.assert_allclose(predicted[1], predicted[0], rtol=1e-8)


def test_refits_of_distributions_run_on_the_device():
    how = {"hidden": 1, "family": "gaussian", "dispformula": "~ x", "random_state": 1, "stepmax": 6, "threshold": 1e-9}
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", ConvergenceWarning)
        fits = [raw.neuralnet("y ~ x", table(), **how, device=device) for device in ("cpu", "cuda")]
        risks = [ns.risk(fit, "cv", k=2, random_state=3, loss="log_score") for fit in fits]
    np.testing.assert_allclose(risks[1].draws, risks[0].draws, rtol=1e-8)


@pytest.mark.filterwarnings("ignore::RuntimeWarning")  # simulated: line searches look far out
def test_the_benchmarks_distributions(monkeypatch):
    """`benchmarks/gpu.py` compares distributions on a device before it takes times: here the simulated one."""
    monkeypatch.syspath_prepend(str(ROOT / "benchmarks"))
    import gpu

    said = gpu.check_distributions("cuda", replace(gpu.QUICK, n=10))
    assert len(said) == 8
    assert all("equal steps" in line for line in said)


# What has no kernel


def test_a_users_distribution_is_refused():
    def normal(mu, sigma, y):
        return -log(sigma) - (y - mu) ** 2 / (2 * sigma**2)  # noqa: F821  (read, not run)

    own = F.Distribution(normal, {"mu": "identity", "sigma": "log"})
    for how in ({}, {"algorithm": "adam", "epochs": 1}):
        with pytest.raises(DeviceError, match=r"custom distributions are Python functions.*device='cpu'"):
            raw.neuralnet("y ~ x", table(), family=own, **how, device="cuda")


def test_a_loss_that_couples_observations_is_refused():
    for how in ({}, {"algorithm": "adam", "epochs": 1, "batch_size": None}):
        with pytest.raises(DeviceError, match=r"couple all observations run on the CPU only.*device='cpu'"):
            raw.neuralnet("Surv(t, e) ~ x", table(), family="cox", hidden=1, **how, device="cuda")


def test_levenberg_marquardt_of_other_families_is_refused():
    network, theta, data = problem("poisson log")
    with pytest.raises(DeviceError, match=r"'lm' has a kernel for the families gaussian.*'rprop\+', 'bfgs' or 'lbfgs'"):
        train(network, data, theta, np.ones(network.n_params, bool), LM(), device="cuda")


def test_what_the_cpu_alone_has_can_be_asked():
    from neuralstat.engine.cuda.losses import CPU_ONLY, cpu_only
    from neuralstat.functions.distributions import DISTRIBUTION, NORMAL, WIDTH
    from neuralstat.functions.losses import SSE

    network, _, _ = problem("gaussian_scale identity")
    for kind, why in CPU_ONLY.items():
        assert cpu_only(DISTRIBUTION + kind) == why
        with pytest.raises(DeviceError, match=f"{why}. Use another family, or device='cpu'"):
            cuda.check_functions(network.net()._replace(loss=DISTRIBUTION + kind))
    assert cpu_only(SSE) is cpu_only(DISTRIBUTION + NORMAL + WIDTH) is None
    for name in SEVERAL:
        assert cpu_only(DISTRIBUTION + KINDS[name].code) is None
