"""Mixtures of fitted distributions: against closed forms of mixtures of normal and Poisson distributions."""

from __future__ import annotations

import numpy as np
import pytest
from scipy import integrate, optimize, stats

from neuralstat.families import GaussianScale, Quantile
from neuralstat.families.components import Components, of_parameters, pinball

MU, SD = np.array([[0.0, 1.0, 2.0], [3.0, 1.0, -4.0]]), np.array([[1.0, 0.5, 2.0], [0.3, 2.0, 1.0]])


def normals():
    return of_parameters(GaussianScale(), [np.stack(pair) for pair in zip(MU, SD, strict=True)])


def test_moments_and_probabilities_of_a_mixture():
    found = normals()
    mean, variance = found.moments()
    np.testing.assert_allclose(mean, MU.mean(axis=0))
    np.testing.assert_allclose(variance, (SD**2 + MU**2).mean(axis=0) - mean**2)
    y = np.array([0.5, 1.0, -3.0])
    np.testing.assert_allclose(found.below(y), stats.norm(MU, SD).cdf(y).mean(axis=0))
    np.testing.assert_allclose(found.above(y), 1 - found.below(y))
    np.testing.assert_allclose(found.log_density(y), np.log(stats.norm(MU, SD).pdf(y).mean(axis=0)))


@pytest.mark.parametrize("q", [0.01, 0.3, 0.5, 0.97])
def test_quantiles_of_a_mixture_are_not_means_of_quantiles(q):
    found = normals().quantiles(np.full(3, q))
    for k, value in enumerate(found):
        root = optimize.brentq(lambda t: stats.norm(MU[:, k], SD[:, k]).cdf(t).mean() - q, -20, 20)  # noqa: B023
        assert value == pytest.approx(root, abs=1e-9)
    counts = Components([stats.poisson(np.array([1.0, 4.0])), stats.poisson(np.array([9.0, 4.0]))], 2, np.ones(2))
    for k, value in enumerate(counts.quantiles(np.full(2, q))):
        share = np.cumsum([(stats.poisson.pmf(i, (1, 4)[k]) + stats.poisson.pmf(i, (9, 4)[k])) / 2 for i in range(60)])
        assert value == np.searchsorted(share, q)


def test_crps_of_a_mixture():
    """The integral of the squared distance of the distribution function to the step at y."""
    y = np.array([1.5, -2.0, 0.3])
    found = normals().crps(y)
    for k, at in enumerate(y):
        both = stats.norm(MU[:, k], SD[:, k])
        below = integrate.quad(lambda t: both.cdf(t).mean() ** 2, -30, at, limit=200)[0]  # noqa: B023
        above = integrate.quad(lambda t: both.sf(t).mean() ** 2, at, 30, limit=200)[0]  # noqa: B023
        assert found[k] == pytest.approx(below + above, rel=2e-3)


def test_draws_come_from_all_components():
    rng = np.random.default_rng(1)
    found = normals()
    drawn = np.array([found.draw(rng) for _ in range(4000)])
    np.testing.assert_allclose(drawn.mean(axis=0), MU.mean(axis=0), atol=0.15)
    np.testing.assert_allclose(drawn.var(axis=0), found.moments()[1], rtol=0.1)


def test_fitted_quantiles_are_averaged():
    parts = [np.array([[0.0], [1.0]]), np.array([[2.0], [5.0]])]
    found = of_parameters(Quantile((0.2, 0.8)), parts)
    assert found.quantiles(np.array([0.2])) == pytest.approx(1.0) and found.quantiles(np.array([0.8])) == pytest.approx(3.0)
    assert pinball(np.array([2.0]), np.array([1.0]), 0.9) == pytest.approx(0.9)
    assert pinball(np.array([0.0]), np.array([1.0]), 0.9) == pytest.approx(0.1)
