"""Folds of others, gaps between blocks, and groups that keep the shares of strata."""

from __future__ import annotations

import numpy as np
import pandas as pd
import pytest
from sklearn import model_selection
from sklearn.linear_model import LinearRegression

import neuralstat as ns
from neuralstat.assessment import folds as splitting
from neuralstat.errors import ArgumentError

N = 60
RNG = np.random.default_rng(3)
DATA = pd.DataFrame({"x": RNG.normal(size=N), "z": RNG.normal(size=N)})
DATA["y"] = DATA["x"] + RNG.normal(size=N)
DATA["c"] = np.where(DATA["y"] > 0.7, "yes", "no")
SITE = np.repeat(np.arange(15), 4)
FIT = ns.neuralnet("y ~ x + z", DATA, hidden=0)
CLASSES = ns.neuralnet("c ~ x", DATA, hidden=0, family="binomial", penalty=ns.decay(0.1))
X, Y = DATA[["x", "z"]].to_numpy(), DATA["y"].to_numpy()

SPLITTERS = [
    model_selection.KFold(5), model_selection.KFold(4, shuffle=True, random_state=1), model_selection.GroupKFold(5),
    model_selection.TimeSeriesSplit(4, gap=3), model_selection.RepeatedKFold(n_splits=3, n_repeats=2, random_state=1),
    model_selection.ShuffleSplit(6, test_size=0.2, random_state=1), model_selection.LeaveOneGroupOut(),
    model_selection.GroupShuffleSplit(4, random_state=1), model_selection.PredefinedSplit(np.resize([0, 1, 2], N)),
]  # fmt: skip


@pytest.mark.parametrize("splitter", SPLITTERS, ids=lambda s: type(s).__name__)
def test_splitters_of_scikit_learn(splitter):
    grouped = "Group" in type(splitter).__name__
    more = {"groups": SITE} if grouped else {}
    theirs = -model_selection.cross_val_score(LinearRegression(), X, Y, cv=splitter, scoring="neg_mean_squared_error",
                                              **more)  # fmt: skip
    for option in ("folds", "cv"):
        found = ns.risk(FIT, "cv", **{option: splitter}, **more)
        np.testing.assert_allclose(found.draws, theirs, rtol=1e-7)
    held = ns.risk(FIT, "holdout", folds=splitter, **more)
    np.testing.assert_allclose(held.draws, theirs, rtol=1e-7)
    assert held == pytest.approx(theirs.mean()) and held.interval == "corrected_t"
    other = ns.risk(LinearRegression(), "cv", x=DATA[["x", "z"]], y=DATA["y"], folds=splitter, **more)
    np.testing.assert_allclose(other.draws, theirs, rtol=1e-7)


def test_they_see_classes():
    splitter = model_selection.StratifiedKFold(5, shuffle=True, random_state=2)
    pairs = list(splitter.split(X, DATA["c"]))
    np.testing.assert_array_equal(ns.risk(CLASSES, "cv", cv=splitter).draws, ns.risk(CLASSES, "cv", folds=pairs).draws)
    both = model_selection.StratifiedGroupKFold(3)
    pairs = list(both.split(X, DATA["c"], SITE))
    found = ns.risk(CLASSES, "cv", cv=both, groups=SITE)
    np.testing.assert_array_equal(found.draws, ns.risk(CLASSES, "cv", folds=pairs).draws)


class Splitter:
    """One of a user's own."""

    def __init__(self, made):
        self.made = made

    def split(self, x, y=None, groups=None):
        if isinstance(self.made, Exception):
            raise self.made
        return self.made


def test_own_splitters_and_what_is_wrong_with_them():
    found = ns.risk(FIT, "cv", folds=Splitter([(np.arange(40), np.arange(40, 60))]))
    assert found.intervals == ("normal",) and found.se > 0
    for made, match in [
        ([], r"Splitter.split gave no folds"), (KeyError("rows"), r"Splitter.split raised KeyError: 'rows'"),
        ([(np.arange(40), np.arange(30, 60))], "training and in the test part"), ([1, 2], "must be a pair"),
        ([(np.arange(40), [70])], "from 0 to 59"), (3, "raised TypeError"),
    ]:  # fmt: skip
        with pytest.raises(ArgumentError, match=match):
            ns.risk(FIT, "cv", folds=Splitter(made))
    for options, match in [
        ({"cv": 5, "folds": 5}, "two names"), ({"cv": model_selection.GroupKFold(3)}, "raised ValueError"),
        ({"folds": np.resize([0, 1], N), "groups": SITE}, "a splitter object takes groups"),
        ({"folds": model_selection.KFold(3), "repeats": 2}, "given folds are used once"),
    ]:  # fmt: skip
        with pytest.raises(ArgumentError, match=match):
            ns.risk(FIT, "cv", **options)
    with pytest.raises(ArgumentError, match="given folds are used once"):
        ns.risk(FIT, "holdout", folds=model_selection.KFold(3), halves=2)


def test_gaps():
    plain = splitting.kfold(N, 6, np.random.default_rng(1), blocks=True)
    for (train, test), (less, same) in zip(plain, splitting.kfold(N, 6, np.random.default_rng(1), blocks=True, gap=4),
                                           strict=True):  # fmt: skip
        np.testing.assert_array_equal(test, same)
        far = [i for i in train if np.abs(i - test).min() > 4]
        np.testing.assert_array_equal(less, far)
    own = [(np.setdiff1d(np.arange(N), np.arange(max(t[0] - 4, 0), t[-1] + 5)), t) for _, t in plain]
    assert ns.risk(FIT, "cv", k=6, blocks=True, gap=4) == ns.risk(FIT, "cv", folds=own)
    last = ns.risk(FIT, "holdout", test_size=10, blocks=True, gap=5)
    assert last == pytest.approx(float(ns.risk(FIT, "cv", folds=[(np.arange(45), np.arange(50, 60))])))
    for method in ("cv", "holdout"):
        with pytest.raises(ArgumentError, match="needs blocks=True"):
            ns.risk(FIT, method, gap=2)
        with pytest.raises(ArgumentError, match="leaves no rows"):
            ns.risk(FIT, method, blocks=True, gap=N)
        with pytest.raises(ArgumentError, match="gap"):
            ns.risk(FIT, method, blocks=True, gap=-1)


def test_groups_with_strata():
    """Each class lies in few groups: folds of whole groups that have the classes' shares."""
    site = np.repeat(np.arange(24), 10)
    rare = np.isin(site, [1, 5, 9, 20])
    for seed in range(5):
        for train, test in splitting.kfold(240, 4, np.random.default_rng(seed), groups=site, strata=rare):
            assert not set(site[train]) & set(site[test])
            assert test.size == 60 and rare[test].sum() == 10
        shares = [rare[t].sum() for _, t in splitting.kfold(240, 4, np.random.default_rng(seed), groups=site)]
        assert sum(shares) == 40
    assert len(splitting.kfold(12, 6, np.random.default_rng(1), groups=np.repeat(range(6), 2), strata=np.arange(12))) == 6
    out = splitting.holdout_groups(site, 6, np.random.default_rng(2), rare)
    assert np.unique(site[out]).size == 6 and rare[out].sum() == 10
    found = ns.risk(CLASSES, "cv", k=4, groups=SITE, stratify=True, random_state=1)
    assert found.draws.size == 4 and found == ns.risk(CLASSES, "cv", k=4, groups=SITE, stratify=True, random_state=1)
    assert ns.risk(CLASSES, "holdout", groups=SITE, stratify=True, repeats=3, random_state=1).draws.size == 3
    assert ns.risk(CLASSES, "nested_cv", k=3, repeats=1, groups=SITE, stratify=True, random_state=1) > 0
    with pytest.raises(ArgumentError, match="only one of blocks"):
        ns.risk(CLASSES, "cv", k=4, groups=SITE, blocks=True)
