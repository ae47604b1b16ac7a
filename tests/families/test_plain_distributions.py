"""Distribution functions that are written out are those that scipy has."""

from __future__ import annotations

import itertools

import numpy as np
import pytest

import neuralstat as ns

F = ns.families


@pytest.mark.parametrize("family", [F.GaussianScale(), F.Weibull(), F.LogNormalAFT(), F.LogLogistic()], ids=lambda f: f.name)
def test_distribution_functions_and_quantiles(family):
    rng = np.random.default_rng(0)
    par = np.stack([rng.normal(size=50), np.exp(rng.normal(size=50))])
    scipy = family.frozen(par)
    for y in (np.full(50, -1.0), np.zeros(50), np.exp(rng.normal(size=50)), np.full(50, np.inf)):
        with np.errstate(all="ignore"):
            want = scipy.cdf(y), scipy.sf(y)
        np.testing.assert_allclose(family.cdf(par, y), want[0], rtol=1e-11, atol=1e-300)
        np.testing.assert_allclose(family.sf(par, y), want[1], rtol=1e-11, atol=1e-300)
    for q in (0.0, 0.025, 0.5, 0.975, 1.0, rng.uniform(size=50)):
        np.testing.assert_allclose(family.ppf(par, q), np.broadcast_to(scipy.ppf(q), 50), rtol=1e-11)
    mean, known = family.mean(par), np.isfinite(scipy.mean())  # an infinite one is NaN there
    np.testing.assert_allclose(mean[known], scipy.mean()[known], rtol=1e-12)
    assert np.isinf(mean[~known]).all()
    par[1, 0] = 0.0
    assert np.isnan(family.cdf(par, 1.0)[0]) and np.isnan(family.ppf(par, 0.5)[0])


@pytest.mark.parametrize("family", [
    F.NegativeBinomialScale(), F.ZeroInflatedPoisson(), F.ZeroInflatedNegativeBinomial(), F.HurdlePoisson(),
    F.HurdleNegativeBinomial(),
], ids=lambda f: f.name)  # fmt: skip
def test_probabilities_of_counts_one_by_one(family):
    rng = np.random.default_rng(1)
    par = np.stack([rng.uniform(0.1, 0.9, 30) if role == "pi" else np.exp(rng.normal(size=30)) for role in family.roles])
    for count, below in enumerate(itertools.islice(family.cumulative(par), 40)):
        np.testing.assert_allclose(below, family.cdf(par, np.full(30, float(count))), rtol=1e-12)


@pytest.mark.parametrize("family", [
    F.NegativeBinomialScale(), F.ZeroInflatedPoisson(), F.ZeroInflatedNegativeBinomial(), F.HurdlePoisson(),
    F.HurdleNegativeBinomial(),
], ids=lambda f: f.name)  # fmt: skip
def test_probabilities_of_counts_up_to_the_last_that_matters(family):
    rng = np.random.default_rng(2)
    par = np.stack([rng.uniform(0.1, 0.9, 30) if role == "pi" else np.exp(rng.normal(size=30)) for role in family.roles])
    par[0] = np.minimum(par[0], 5.0)
    par[0, :2] = 1e-3, 1e-2
    if "alpha" in family.others:
        par[1] = np.clip(par[1], 0.05, 0.5)  # scipy's logarithms have few digits at small ones
    found = family.probabilities(par, 1e-10, 200)
    assert len(found) == 1 + family.ppf(par, np.full(30, 1 - 1e-10)).max()
    want = np.exp([family.logpdf(par, np.full(30, float(y))) for y in range(len(found))])
    np.testing.assert_allclose(found, want, rtol=1e-10, atol=1e-20)
    assert family.probabilities(par, 1e-10, len(found) - 1) is not None
    assert family.probabilities(par, 1e-10, len(found) - 2) is None
    for unknown in (np.nan, -1.0, np.inf, 1e5):
        par[0, 4] = unknown
        assert family.probabilities(par, 1e-10, 200) is None
