"""Intervals of `risk`: their formulas, which is the default of what, and what they say of themselves."""

from __future__ import annotations

import copy
import pickle

import numpy as np
import pandas as pd
import pytest
from scipy import stats

import neuralstat as ns
from neuralstat.assessment.value import INTERVALS, Interval, Risk
from neuralstat.errors import ArgumentError

N = 60
RNG = np.random.default_rng(3)
DATA = pd.DataFrame({"x": RNG.normal(size=N), "z": RNG.normal(size=N)})
DATA["y"] = DATA["x"] + RNG.normal(size=N)
FIT = ns.neuralnet("y ~ x + z", DATA, hidden=0)


@pytest.mark.parametrize(("options", "count", "ratio"), [
    ({"method": "cv", "k": 5}, 5, 1 / 4), ({"method": "cv", "k": 5, "repeats": 3}, 15, 1 / 4),
    ({"method": "holdout", "test_size": 12, "repeats": 9}, 9, 12 / 48), ({"method": "loo"}, 60, 1 / 59),
])  # fmt: skip
def test_corrected_resampled_t(options, count, ratio):
    """Nadeau & Bengio (2003), equation 9: mean -+ t sqrt((1 / T + n2 / n1) s^2)."""
    found = ns.risk(FIT, random_state=1, **options)
    assert found.interval == "corrected_t" and found.draws.size == count
    half = stats.t.ppf(0.95, count - 1) * np.sqrt((1 / count + ratio) * found.draws.var(ddof=1))
    interval = found.conf_int(0.1)
    np.testing.assert_allclose(interval, [found - half, found + half], rtol=1e-9)
    assert interval.method == "corrected_t" and interval.df == count - 1 and interval.alpha == 0.1
    assert "corrected resampled t" in repr(interval) and f"{count - 1} df" in repr(interval)


def test_conservative_z():
    """Nadeau & Bengio (2003), section 5: by a loop over halves, and least squares by hand."""
    found = ns.risk(FIT, "holdout", test_size=8, repeats=4, halves=60, random_state=1)
    assert found.intervals == ("corrected_t", "conservative_z")
    assert found.draws.tolist() == ns.risk(FIT, "holdout", test_size=8, repeats=4, random_state=1).draws.tolist()
    x, y = np.column_stack([np.ones(N), DATA[["x", "z"]]]), DATA["y"].to_numpy()
    rng = np.random.default_rng(5)

    def estimate(rows):
        errors = []
        for _ in range(4):
            test = rng.permutation(rows)[:8]
            train = np.setdiff1d(rows, test)
            beta = np.linalg.lstsq(x[train], y[train], rcond=None)[0]
            errors.append(np.mean((y[test] - x[test] @ beta) ** 2))
        return np.mean(errors)

    gaps = []
    for _ in range(300):
        first = rng.permutation(N)[: N // 2]
        gaps.append((estimate(first) - estimate(np.setdiff1d(np.arange(N), first))) ** 2 / 2)
    low, high = found.conf_int(0.1, "conservative_z")
    half = (high - low) / 2 / stats.norm.ppf(0.95)
    spread = np.std(gaps) / np.mean(gaps) / np.sqrt(60)
    assert half**2 == pytest.approx(np.mean(gaps), rel=4 * spread)
    stratified = ns.risk(FIT, "holdout", test_size=4, repeats=2, halves=2, stratify=True, random_state=1)
    grouped = ns.risk(FIT, "holdout", test_size=2, repeats=2, halves=2, groups=np.repeat(range(12), 5), random_state=1)
    assert all("conservative_z" in f.intervals for f in (stratified, grouped))


@pytest.mark.parametrize(("method", "first"), [
    ("cp", "normal"), ("aicc", "normal"), ("coupled", "normal"), ("rcp", "normal"), ("alo", "naive"), ("bootstrap", "naive"),
    ("632+", "naive"), ("nested_cv", "nested_cv"), ("holdout", "normal"), ("thinning", "normal"), ("gcv", "normal"),
])  # fmt: skip
def test_every_estimator_says_which(method, first):
    found = ns.risk(FIT, method, random_state=1, **({"k": 3, "repeats": 2} if method == "nested_cv" else {}))
    assert found.interval == first and set(found.intervals) <= set(INTERVALS)
    low, high = found.conf_int(0.1)
    assert high - low == pytest.approx(2 * stats.norm.ppf(0.95) * found.se, rel=1e-6)
    assert INTERVALS[first] in repr(found.conf_int(0.1))


def test_copies_and_refusals():
    found = ns.risk(FIT, "cv", k=5, random_state=1)
    for twin in (copy.deepcopy(found), pickle.loads(pickle.dumps(found))):
        assert twin.intervals == found.intervals and twin.target == found.target == "new_x"
        assert twin.conf_int(0.2, "naive") == found.conf_int(0.2, "naive")
    interval = found.conf_int(0.2)
    for twin in (copy.copy(interval), pickle.loads(pickle.dumps(interval))):
        assert isinstance(twin, Interval) and twin == interval and repr(twin) == repr(interval)
    naive, default = found.conf_int(0.1, "naive"), found.conf_int(0.1)
    assert naive[1] - naive[0] < default[1] - default[0]
    with pytest.raises(ArgumentError, match="this 'cv' has 'corrected_t', 'naive'"):
        found.conf_int(0.1, "nested_cv")
    with pytest.raises(ArgumentError, match="method must be"):
        found.conf_int(0.1, "no")
    with pytest.raises(ArgumentError, match="no standard error"):
        Risk(1.0, "cv", "mse").conf_int()
    for options, match in [
        ({"test_size": 29, "halves": 3}, "half of 60 is too little for 29"), ({"halves": -1}, "halves"),
        ({"blocks": True, "halves": 3}, "one of two halves"),
    ]:  # fmt: skip
        with pytest.raises(ArgumentError, match=match):
            ns.risk(FIT, "holdout", **options)
