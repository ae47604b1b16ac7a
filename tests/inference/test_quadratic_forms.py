"""Weighted sums of chi-squared variables against exact distributions and draws."""

from __future__ import annotations

import numpy as np
import pytest
from scipy import stats

from neuralstat.inference.quadratic_forms import chi2_sum_sf, f_sum_sf
from neuralstat.inference.smooth_test import effects_test, smooth_test, variance_ratio_sf


@pytest.mark.parametrize("k", [1, 2, 5, 40])
@pytest.mark.parametrize("p", [0.999, 0.5, 0.05, 1e-4, 1e-9])
def test_equal_weights_are_chi2_and_f(k, p):
    q = stats.chi2.isf(p, k)
    assert chi2_sum_sf(3 * q, np.full(k, 3.0)) == pytest.approx(stats.chi2.sf(q, k), rel=1e-7)
    for rest in (3.0, 25.5, 2000.0):
        f = stats.f.isf(p, k, rest)
        assert f_sum_sf(f * k, np.ones(k), 1.0, rest) == pytest.approx(stats.f.sf(f, k, rest), rel=1e-7)


def test_unequal_weights_are_convolutions():
    # w1 chi2(2) + w2 chi2(2): sums of two exponentials
    a, b, q = 2.0, 0.7, np.array([0.01, 1.0, 9.0, 80.0])
    exact = (a * np.exp(-q / (2 * a)) - b * np.exp(-q / (2 * b))) / (a - b)
    found = [chi2_sum_sf(v, np.array([a, b]), np.array([2.0, 2.0])) for v in q]
    np.testing.assert_allclose(found, exact, rtol=1e-9)


def test_weights_of_both_signs():
    # a chi2(2) - b chi2(2): a Laplace distribution of two scales
    a, b = 1.5, 0.4
    found = [chi2_sum_sf(v, np.array([a, -b]), np.array([2.0, 2.0])) for v in (-2.0, 0.0, 3.0)]
    exact = [1 - b / (a + b) * np.exp(-2 / (2 * b)), a / (a + b), a / (a + b) * np.exp(-3 / (2 * a))]
    np.testing.assert_allclose(found, exact, rtol=1e-9)


def test_ends():
    assert chi2_sum_sf(-1.0, np.ones(3)) == 1.0
    assert chi2_sum_sf(1.0, -np.ones(3)) == 0.0
    assert np.isnan(chi2_sum_sf(np.nan, np.ones(3)))
    assert chi2_sum_sf(1e-9, np.array([1.0, 1e-20])) == pytest.approx(stats.chi2.sf(1e-9, 1), rel=1e-6)


def test_a_smooth_without_a_penalty_has_the_f_of_least_squares():
    rng = np.random.default_rng(1)
    x = rng.normal(size=(50, 4))
    y = rng.normal(size=50)
    beta = np.linalg.lstsq(x, y, rcond=None)[0]
    phi = np.sum((y - x @ beta) ** 2) / 46
    test = smooth_test(beta, phi * np.linalg.inv(x.T @ x), x.T @ x, 4.0, 46.0)
    f = float(np.sum((x @ beta) ** 2)) / phi / 4
    assert test.statistic / 4 == pytest.approx(f)
    assert test.pvalue == pytest.approx(stats.f.sf(f, 4, 46), rel=1e-8)


def test_fractional_ranks_do_not_depend_on_coordinates():
    rng = np.random.default_rng(2)
    x = rng.normal(size=(60, 6)) * [3, 2, 1, 0.5, 0.3, 0.2]
    h = x.T @ x
    v = np.linalg.inv(h + np.diag([0, 1, 4, 9, 16, 25.0]))
    beta = rng.normal(size=6) * 0.2
    turn = rng.normal(size=(6, 6))
    one = smooth_test(beta, v, h, 3.4, np.inf)
    turned = np.linalg.solve(turn, np.linalg.solve(turn, v).T)
    other = smooth_test(np.linalg.solve(turn, beta), turned, turn.T @ h @ turn, 3.4, np.inf)
    assert one.statistic == pytest.approx(other.statistic, rel=1e-8)
    assert one.pvalue == pytest.approx(other.pvalue, rel=1e-8)
    assert one.rank == pytest.approx(3.4)


@pytest.mark.parametrize("strength", [1e-3, 2.0, 1e13])
def test_effects_have_the_balanced_f_whatever_the_strength(strength):
    # balanced groups about a mean: the smoother is a multiple of a projection, and the test the F of one-way analysis
    rng = np.random.default_rng(3)
    groups, each = 8, 5
    y = rng.normal(size=(groups, each))
    means = y.mean(axis=1) - y.mean()
    profiled = each * (np.eye(groups) - 1 / groups)
    beta = each * means / (each + strength)
    test = effects_test(beta, each * means - profiled @ beta, profiled, np.full(groups, strength), 1.0, np.inf)
    assert test.rank == groups - 1
    assert test.pvalue == pytest.approx(stats.chi2.sf(each * np.sum(means**2), groups - 1), rel=1e-7)


def test_a_variance_at_its_bound():
    assert variance_ratio_sf(0.0, 1) == 1.0
    assert variance_ratio_sf(2.705543454, 1) == pytest.approx(0.05, rel=1e-6)
    assert variance_ratio_sf(3.0, 2) < stats.chi2.sf(3.0, 3)


def test_the_cone_of_two_effects_has_its_weights():
    # distances of normal symmetric matrices to the cone of positive semidefinite ones
    rng = np.random.default_rng(4)
    z = rng.normal(size=(200_000, 3))
    a, b, c = z[:, 0], z[:, 1], z[:, 2] / np.sqrt(2)
    middle, gap = (a + b) / 2, np.sqrt((a - b) ** 2 / 4 + c**2)
    inside = np.maximum(middle + gap, 0) ** 2 + np.maximum(middle - gap, 0) ** 2
    for q in (1.0, 3.0, 6.0):
        rate = np.mean(inside > q)
        assert variance_ratio_sf(q, 2) == pytest.approx(rate, abs=4 * np.sqrt(rate / 200_000))
