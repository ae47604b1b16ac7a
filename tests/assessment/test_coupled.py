"""The coupled bootstrap: its closed form for linear smoothers, and what it estimates for procedures that stop early."""

from __future__ import annotations

import numpy as np
import pytest
import raw

import neuralstat as ns
from neuralstat.errors import ArgumentError

DATA = ns.datasets.doppler(n=120, noise=0.1, random_state=2)


@pytest.mark.parametrize(("standardize", "alpha"), [("auto", 0.1), (False, 0.5)])
def test_of_a_linear_smoother(standardize, alpha):
    """E[. | y] = RSS + sigma^2 (2 + alpha) p, per observation."""
    fit = ns.neuralnet("y ~ bs(x, df=8)", DATA, hidden=0, standardize=standardize)
    found = ns.risk(fit, "coupled", alpha=alpha, sigma=0.1, draws=400, random_state=1)
    expected = (fit.ssr + 0.01 * (2 + alpha) * 9) / 120
    assert abs(found - expected) < 4 * found.details["monte_carlo_se"] < 0.0003
    assert found.draws.size == 400 and found.draws.mean() == pytest.approx(float(found))
    assert found.details["apparent"] == pytest.approx(fit.ssr / 120)


def test_of_weighted_and_of_several_responses():
    rng = np.random.default_rng(1)
    w = rng.uniform(0.5, 2, 120)
    data = DATA.assign(z=5 * DATA["y"] + rng.normal(size=120))
    fit = ns.neuralnet("y + z ~ poly(x, 3)", data, hidden=0, weights=w)
    found = ns.risk(fit, "coupled", sigma=[0.1, 1.2], draws=3000, alpha=0.2, random_state=1)
    residual = fit.resid_response.to_numpy().T
    expected = np.mean([(residual[k] ** 2 @ w + s**2 * 2.2 * 4) / w.sum() for k, s in enumerate([0.1, 1.2])])
    assert abs(found - expected) < 4 * found.details["monte_carlo_se"]


@pytest.mark.filterwarnings("ignore::neuralstat.errors.ConvergenceWarning")
def test_draws_are_the_streams_and_nothing_else():
    fit = raw.neuralnet("y ~ x", DATA, hidden=3, rep=2, stepmax=60, random_state=1)
    one, two = (ns.risk(fit, "coupled", draws=6, random_state=3, n_jobs=j) for j in (1, 2))
    np.testing.assert_array_equal(one.draws, two.draws)
    low, high = one.conf_int(0.1)
    assert low < one < high and high - low == pytest.approx(2 * 1.6448536 * one.se, rel=1e-6)


def test_refusals():
    fit = raw.neuralnet("y ~ x", DATA, hidden=0)
    for options, match in [
        ({"alpha": 0}, "alpha"), ({"alpha": "a"}, "alpha"), ({"draws": 1}, "draws"), ({"sigma": -1}, "sigma"),
        ({"restarts": "no"}, "restarts"), ({"loss": "brier"}, "loss"), ({"k": 3}, "option 'k'"),
    ]:  # fmt: skip
        with pytest.raises(ArgumentError, match=match):
            ns.risk(fit, "coupled", **options)
    counts = raw.neuralnet("k ~ x", DATA.assign(k=1.0 * (DATA["y"] > 0)), hidden=0, family="binomial")
    with pytest.raises(ArgumentError, match="additive noise"):
        ns.risk(counts, "coupled")


@pytest.mark.filterwarnings("ignore::neuralstat.errors.ConvergenceWarning")
@pytest.mark.slow
@pytest.mark.parametrize("rep", ["best", "mean"])
def test_unbiased_for_networks_that_stop_early(rep):
    """Against the error at the same x of the procedure at (1 + alpha) sigma^2, 60 data sets."""
    x = np.linspace(0.05, 1, 100)
    truth, sigma, alpha = np.sin(1 / x), 0.1, 0.1
    rng = np.random.default_rng(4)
    settings = {"hidden": (6, 6), "rep": 3, "stepmax": 400, "threshold": 1e-3, "random_state": 1}
    gaps = []
    for t in range(60):
        y = truth + sigma * rng.standard_normal(100)
        fit = raw.neuralnet("y ~ x", {"x": x, "y": y}, **settings)
        found = ns.risk(fit, "coupled", rep=rep, sigma=sigma, alpha=alpha, draws=40, random_state=t)
        y = truth + sigma * np.sqrt(1 + alpha) * rng.standard_normal(100)
        noisier = raw.neuralnet("y ~ x", {"x": x, "y": y}, **settings)
        gaps.append(found - np.mean((noisier.predict(rep=rep).to_numpy().ravel() - truth) ** 2) - sigma**2)
    assert abs(np.mean(gaps)) < 3 * np.std(gaps, ddof=1) / np.sqrt(60)
