"""Separation by linear programmes, against closed forms and against what iterating shows."""

from __future__ import annotations

import warnings

import numpy as np
import pytest
import statsmodels.api as sm

from neuralstat.errors import ArgumentError
from neuralstat.likelihood import separation
from neuralstat.likelihood.separation import separated


def test_one_covariate_is_a_matter_of_order():
    """Separated where no failure lies beyond a success, or the other way round (ties at the border allowed)."""
    rng = np.random.default_rng(1)
    seen = set()
    for _ in range(300):
        n = int(rng.integers(4, 9))
        x, y = rng.integers(0, 6, n).astype(float), rng.integers(0, 2, n).astype(float)
        if np.ptp(x) == 0 or np.ptp(y) == 0:
            continue
        zero, ones = x[y == 0], x[y == 1]
        expected = zero.max() <= ones.min() or ones.max() <= zero.min()
        assert separated(x, y, ["x"], "binomial") == (["x"] if expected else [])
        assert separated(1e6 * x - 3e7, y, ["x"], "binomial") == (["x"] if expected else [])  # units do not matter
        seen.add(expected)
    assert seen == {True, False}


def test_two_covariates_agree_with_iterating():
    """Estimates that grow without end, of statsmodels, are those that are called separated."""
    rng = np.random.default_rng(2)
    seen = {True: 0, False: 0}
    for _ in range(60):
        x = rng.normal(size=(2, 14))
        y = (x[0] + x[1] + 0.8 * rng.normal(size=14) > 0).astype(float)
        if np.ptp(y) == 0:
            continue
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            fit = sm.GLM(y, sm.add_constant(x.T), sm.families.Binomial()).fit(maxiter=60, tol=1e-30)
            expected = fit.deviance < 1e-6
        assert bool(separated(x, y, ["a", "b"], "binomial")) == expected
        seen[expected] += 1
    assert min(seen.values()) > 5


def test_the_covariates_that_do_it_are_named():
    rng = np.random.default_rng(3)
    a, b, c = rng.normal(size=(3, 100))
    names = ["c", "a", "b"]
    assert separated(np.array([c, a, b]), (a > 0.2) * 1.0, names, "binomial") == ["a"]
    assert separated(np.array([c, a, b]), (a + b > 0.2) * 1.0, names, "binomial") == ["a", "b"]
    assert separated(np.array([c, a, 2 * a]), (a > 0.2) * 1.0, names, "binomial") == ["a"]  # the copy is passed over
    assert separated(np.array([a + 0.01 * c, a, b]), (a > 0) * 1.0, ["near", "a", "b"], "binomial")[-1] == "a"
    assert separated(np.array([c, a, b]), rng.integers(0, 2, 100) * 1.0, names, "binomial") == []


def test_a_level_with_one_outcome():
    """Quasi-separation: the other estimates are finite."""
    rng = np.random.default_rng(4)
    z, g = rng.normal(size=400), (np.arange(400) % 40 == 0) * 1.0
    y = (rng.random(400) < 1 / (1 + np.exp(-z))) * 1.0
    y[g == 1] = 1
    assert separated(np.array([z, g]), y, ["z", "g"], "binomial") == ["g"]
    y[0] = 0
    assert separated(np.array([z, g]), y, ["z", "g"], "binomial") == []


def test_shares_have_both_outcomes():
    x, names = np.arange(6.0), ["x"]
    assert separated(x, np.array([0, 0, 0, 1, 1, 1.0]), names, "binomial") == ["x"]
    assert separated(x, np.array([0, 0, 0.5, 1, 1, 1.0]), names, "binomial") == ["x"]  # one row holds the constant only
    assert separated(x, np.array([0, 0.5, 0.5, 1, 1, 1.0]), names, "binomial") == []


def test_counts():
    rng = np.random.default_rng(5)
    z, g = rng.normal(size=300), (np.arange(300) % 30 == 0) * 1.0
    y = rng.poisson(np.exp(0.5 + 0.3 * z)).astype(float)
    y[g == 1] = 0
    assert separated(np.array([z, g]), y, ["z", "g"], "count") == ["g"]
    y[0] = 3
    assert separated(np.array([z, g]), y, ["z", "g"], "count") == []
    # what separates shares does not separate counts: positive responses have a finite best mean
    assert separated(np.arange(6.0), np.array([0, 0, 0, 2, 1, 5.0]), ["x"], "count") == []
    assert separated(np.arange(6.0), np.array([0, 0, 0, 2, 2, 2.0]), ["x"], "count", intercept=False) == []


def test_classes():
    from sklearn.datasets import load_iris

    iris = load_iris()
    x, names = iris.data.T, ["sl", "sw", "pl", "pw"]
    y = np.eye(3)[iris.target].T
    assert separated(x, y, names, "multinomial") == ["pl", "pw"]  # setosa lies apart in either
    some = iris.target > 0
    assert separated(x[:, some], y[:, some], names, "multinomial") == []  # a class that was never seen says nothing
    assert separated(x[:, some], y[2, some], names, "binomial") == []
    counts = y + 0.5  # every row has every class
    assert separated(x, counts, names, "multinomial") == []


def test_two_classes_are_a_binary_response():
    rng = np.random.default_rng(6)
    for _ in range(40):
        x = rng.normal(size=(2, 12))
        y = (x[0] + 0.6 * rng.normal(size=12) > 0) * 1.0
        names = ["a", "b"]
        assert separated(x, np.array([y, 1 - y]), names, "multinomial") == separated(x, y, names, "binomial")


def test_constants_and_rows_of_weight_zero():
    x = np.arange(6.0)
    assert separated(x, np.zeros(6), ["x"], "binomial") == ["Intercept"]
    assert separated(x, np.zeros(6), ["x"], "count") == ["Intercept"]
    y = np.array([0, 1, 0, 1, 1, 1.0])
    assert separated(x, y, ["x"], "binomial") == []
    assert separated(x, y, ["x"], "binomial", weights=np.array([1, 0, 1, 1, 1, 1.0])) == ["x"]
    assert separated(x - 2.5, np.array([0, 0, 0, 1, 1, 1.0]), ["x"], "binomial", intercept=False) == ["x"]
    assert separated(x + 1, np.array([0, 0, 0, 1, 1, 1.0]), ["x"], "binomial", intercept=False) == []


def test_long_tables_are_told_row_by_row(monkeypatch):
    """Programmes that see few rows at first find the same."""
    rng = np.random.default_rng(7)
    z = rng.normal(size=(3, 5000))
    y = (rng.random(5000) < 1 / (1 + np.exp(-3 * z[0]))) * 1.0
    g = (np.arange(5000) == 4321) * 1.0
    x, names = np.vstack([z, g]), ["a", "b", "c", "g"]
    assert separated(x, y, names, "binomial") == ["g"]
    monkeypatch.setattr(separation, "BEGIN", 10)
    assert separated(x, y, names, "binomial") == ["g"]
    assert separated(z, y, names[:3], "binomial") == []
    assert separated(z, (z[0] > z[1]) * 1.0, names[:3], "binomial") == ["a", "b"]


def test_wrong_input():
    with pytest.raises(ArgumentError, match="kind"):
        separated(np.zeros((1, 3)), np.zeros(3), ["x"], "gaussian")
    with pytest.raises(ArgumentError, match="fit together"):
        separated(np.zeros((1, 3)), np.zeros(4), ["x"], "binomial")
    with pytest.raises(ArgumentError, match="fit together"):
        separated(np.zeros((1, 3)), np.zeros(3), ["x", "z"], "count")
