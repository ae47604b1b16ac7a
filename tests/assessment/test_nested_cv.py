"""Nested cross-validation: the algorithm in plain loops, of least squares and of classes; its interval."""

from __future__ import annotations

import numpy as np
import pandas as pd
import pytest

import neuralstat as ns
from neuralstat.assessment import folds
from neuralstat.assessment.procedure import streams
from neuralstat.errors import ArgumentError
from neuralstat.seeds import children


def _data(n=60, p=4, seed=1):
    rng = np.random.default_rng(seed)
    data = pd.DataFrame(rng.normal(size=(n, p)), columns=[f"x{k}" for k in range(p)])
    data["y"] = data["x0"] + rng.standard_t(4, size=n)
    data["c"] = (data["x0"] + rng.logistic(size=n) > 0) * 1.0
    return data


def plain(x, y, k, repeats, seed):
    """Bates, Hastie & Tibshirani, algorithm 1, by loops of least squares."""
    n = len(y)

    def losses(train, test):
        beta = np.linalg.lstsq(x[train], y[train], rcond=None)[0]
        return (y[test] - x[test] @ beta) ** 2

    gaps, inner, cv = [], [], []
    for stream in children(streams(seed)[0], repeats):
        tests = [test for _, test in folds.kfold(n, k, np.random.default_rng(stream))]
        everything = np.arange(n)
        own = [losses(np.setdiff1d(everything, t), t) for t in tests]
        cv.append(np.concatenate(own).mean())
        for i in range(k):
            inside = [losses(np.setdiff1d(everything, np.r_[tests[i], tests[j]]), tests[j]) for j in range(k) if j != i]
            inner.append(np.concatenate(inside))
            gaps.append((inner[-1].mean() - own[i].mean()) ** 2 - own[i].var(ddof=1) / own[i].size)
    every = np.concatenate(inner)
    sub = n * (k - 1) / k
    inflation = np.clip(np.sqrt(max(np.mean(gaps), 0)) / (every.std() / np.sqrt(sub)), 1, np.sqrt(k))
    bias = (every.mean() - np.mean(cv)) * (1 + ((k - 2) / k) ** 1.5)
    return every.mean() - bias, inflation * every.std() / np.sqrt(n), np.mean(cv)


@pytest.mark.parametrize("k", [5, 6])
def test_is_the_algorithm(k):
    data = _data()
    fit = ns.neuralnet("y ~ x0 + x1 + x2 + x3", data, hidden=0)
    found = ns.risk(fit, "nested_cv", k=k, repeats=3, random_state=7)
    x = np.column_stack([np.ones(60), data[["x0", "x1", "x2", "x3"]]])
    estimate, se, cv = plain(x, data["y"].to_numpy(), k, 3, 7)
    assert float(found) == pytest.approx(estimate, rel=1e-8) and found.se == pytest.approx(se, rel=1e-8)
    assert found.details["cv"] == pytest.approx(cv, rel=1e-8) and found.draws.mean() == pytest.approx(cv, rel=1e-8)
    assert found.details["cv"] == pytest.approx(ns.risk(fit, "cv", k=k, repeats=3, random_state=7), rel=1e-8)


def test_of_classes_groups_and_strata():
    data = _data()
    fit = ns.neuralnet("c ~ x0 + x1", data, hidden=0, family="binomial")
    for options in ({"stratify": True}, {"groups": np.repeat(np.arange(20), 3)}, {"loss": "misclassification"}):
        found = ns.risk(fit, "nested_cv", k=4, repeats=2, random_state=1, **options)
        low, high = found.conf_int(0.1)
        assert low < found < high and 1 <= found.details["inflation"] <= 2


def test_refusals():
    fit = ns.neuralnet("y ~ x0", _data(), hidden=0)
    for options, match in [({"k": 2}, "k must"), ({"repeats": 0}, "repeats"), ({"draws": 3}, "option 'draws'")]:
        with pytest.raises(ArgumentError, match=match):
            ns.risk(fit, "nested_cv", **options)
    with pytest.raises(ArgumentError, match="alpha"):
        ns.risk(fit, "cv").conf_int(0)
