"""`risk` meets arguments that are none, and resampling that can leave nothing out."""

from __future__ import annotations

import numpy as np
import pandas as pd
import pytest
import raw
from nonsense import NONSENSE, Hostile

import neuralstat as ns
from neuralstat.assessment import RISK
from neuralstat.errors import ArgumentError, DataError, TooLargeError

pytestmark = pytest.mark.filterwarnings("ignore::neuralstat.errors.NeuralStatWarning")
ROWS = 12


@pytest.fixture(scope="module")
def data():
    rng = np.random.default_rng(4)
    return pd.DataFrame({"x": rng.normal(size=ROWS), "y": rng.normal(size=ROWS)})


@pytest.fixture(scope="module")
def fit(data):
    return raw.neuralnet("y ~ x", data, hidden=0, algorithm="lm", threshold=1e-8, random_state=1)


@pytest.mark.parametrize(("method", "argument"), [
    *((m, a) for m in ("cv", "cp") for a in ("loss", "rep", "stack", "random_state", "n_jobs", "device")),
    *(("cv", a) for a in ("k", "repeats", "corrected", "blocks", "groups", "folds")),
    *((m, "draws") for m in ("bootstrap", "632", "632+", "gdf", "covariance", "sure")),
    *((m, "groups") for m in ("bootstrap", "632", "632+", "holdout")), ("bootstrap", "kind"),
    *(("holdout", a) for a in ("test_size", "repeats", "blocks")), ("cp", "df"), ("gcv", "df"), ("cp", "sigma"),
    ("gdf", "tau"), ("gdf", "restarts"), *((m, "sigma") for m in ("coupled", "thinning", "rcp", "rcp+")),
    ("thinning", "folds"), ("thinning", "share"), ("thinning", "repeats"), ("thinning", "restarts"), ("aicc", "df"),
    ("holdout", "halves"), ("holdout", "gap"), ("holdout", "folds"), ("cv", "gap"), ("cv", "cv"), ("coupled", "alpha"),
    ("nested_cv", "k"), ("rcp+", "loss"), ("thinning", "loss"),
])  # fmt: skip
def test_nonsense_is_refused_in_words(fit, method, argument):
    for value in NONSENSE:
        if argument == "sigma" and isinstance(value, np.ndarray) and value.ndim == 0:
            continue  # a number
        with pytest.raises((ArgumentError, DataError), match="folds" if argument == "cv" else argument) as caught:
            ns.risk(fit, method, **{argument: value})
        assert len(str(caught.value)) < 400


@pytest.mark.parametrize("value", ["no", "yes", 1, 0, None], ids=repr)
@pytest.mark.parametrize("argument", ["corrected", "blocks", "stack"])
def test_flags_are_flags(fit, argument, value):
    with pytest.raises(ArgumentError, match=f"^{argument} must be True or False"):
        ns.risk(fit, "cv", **{argument: value})


@pytest.mark.parametrize("method", ["cv", "bootstrap", "632", "632+", "holdout"])
@pytest.mark.parametrize("k", [None, "loo", 2])
def test_one_group_leaves_nothing_out(fit, data, method, k):
    more = {"k": k} if k is not None and method == "cv" else {}
    for groups in (np.ones(ROWS), ["a"] * ROWS):
        with pytest.raises(ArgumentError, match=r"^groups: all rows are of one group"):
            ns.risk(fit, method, groups=groups, **more)


@pytest.mark.parametrize(("options", "message"), [
    ({"method": "cv", "groups": [1, 2, 3] * 4}, r"k=10 folds need at least as many groups; there are 3"),
    ({"method": "cv", "blocks": True, "k": 13}, r"k=13 folds need at least as many observations; there are 12"),
    ({"method": "holdout", "blocks": True, "test_size": 12}, r"test_size must be a share .* from 1 to 11; got 12"),
    ({"method": "holdout", "groups": [1, 2] * 6, "test_size": 0.9}, r"test_size must be .* from 1 to 1; got 0.9"),
    ({"method": "cv", "blocks": -0.5}, "blocks must be True or False"),
    ({"method": "bootstrap", "draws": 10**9}, "draws must be at most 100000"),
    ({"method": "cv", "repeats": 10**9}, "repeats must be at most 100000"),
    ({"method": "cv", "folds": [([0, 1], [2]), 3]}, "each must be a pair"),
    ({"method": "cv", "folds": [([0, 1], [[2], [3, 4]])]}, "must be positions"),
    ({"method": "cv", "folds": 3}, "folds must be labels, or pairs"),
    ({"method": "cv", "folds": [1] * ROWS}, "at least two folds"),
    ({"method": "cv", "groups": [{}] * ROWS}, "groups must be 12 values"),
    ({"method": "cv", "stratify": [[1], [2]]}, "stratify must have 12 values"),
    ({"method": "cv", "stratify": [None] + ["a"] * 11}, "stratify: 1 of 12 rows have none"),
    ({"method": "holdout", "stratify": [np.nan] * ROWS}, "stratify: 12 of 12 rows have none"),
    ({"method": "cp", "df": -1}, "df must be a finite number >= 0"),
    ({"method": "cp", "df": np.nan}, "df must be a finite number >= 0"),
    ({"method": "cp", "df": "jacobi"}, r"df(: method)? must be one of 'jacobian'"),
    ({"method": "cp", "df": "jacobian", "draws": 3}, "has no option 'draws'"),
    ({"method": "gdf", "draws": 10**9}, "draws"),
])  # fmt: skip
def test_what_does_not_suit_is_named(fit, options, message):
    with pytest.raises((ArgumentError, DataError), match=message):
        ns.risk(fit, **options)


def test_strata_of_one_row_each_and_other_unusual_ones(fit):
    for stratify in (np.arange(ROWS), np.ones(ROWS), np.array(["a"] * 11 + ["b"])):
        assert np.isfinite(float(ns.risk(fit, "cv", k=3, stratify=stratify, random_state=1)))
    assert np.isfinite(float(ns.risk(fit, "bootstrap", groups=[1] * 11 + [2], draws=40, random_state=1)))
    from sklearn.model_selection import KFold

    assert ns.risk(fit, "cv", folds=KFold(3).split(np.zeros(ROWS))).draws.size == 3


def test_samples_have_positive_weight(data):
    some = raw.neuralnet("y ~ x", data, hidden=0, algorithm="lm", weights=[1.0, 1, 1] + [0.0] * 9)
    assert np.isfinite(float(ns.risk(some, "bootstrap", draws=60, random_state=1)))
    with pytest.raises(ArgumentError, match="positive weight"):
        ns.risk(some, "holdout", blocks=True)


class Mean:
    def fit(self, x, y):
        self.mean = y.mean()

    def predict(self, x):
        return np.full(len(x), self.mean)


class Odd(Mean):
    def __init__(self, found):
        self.found = found

    def predict(self, x):
        if isinstance(self.found, Exception):
            raise self.found
        return self.found


class Closed:
    def __getattr__(self, name):
        raise RuntimeError(name)


def test_objects_and_their_data():
    x, y = np.zeros((6, 1)), np.arange(6.0)
    for value in (*NONSENSE, ["a", 1, None, 2, 3, 4], np.zeros(5), [np.nan] * 6, [1j] * 6, [Hostile()] * 6):
        with pytest.raises((ArgumentError, DataError), match=r"\by\b|rows"):
            ns.risk(Mean(), "cv", k=3, x=x, y=value)
    for value in (Hostile(), 1j, np.zeros(5), np.zeros((6, 1), dtype=complex)):
        with pytest.raises(ArgumentError, match=r"^x"):
            ns.risk(Mean(), "cv", k=3, x=value, y=y)
    for value in (*NONSENSE, Closed(), Mean):
        with pytest.raises(ArgumentError, match="risk needs a fit"):
            ns.risk(value, "cv")
    for found, message in ((np.zeros(3), "shape"), (np.full(6, np.nan), "finite"), (KeyError("a\nb"), "raised KeyError: 'a")):
        with pytest.raises(DataError, match=rf"risk: the Odd .*{message}"):
            ns.risk(Odd(found), "cv", k=3, x=x, y=y)


def test_more_than_memory_holds(fit, monkeypatch):
    monkeypatch.setattr("neuralstat.checks.memory.memory_at_hand", lambda: 2**20)
    wide = np.zeros((3000, 1))
    for method, options in (("cv", {"k": "loo"}), ("bootstrap", {"draws": 5000}), ("holdout", {"repeats": 5000})):
        with pytest.raises(TooLargeError, match=next(iter(options))):
            ns.risk(Mean(), method, x=wide, y=np.arange(3000.0), **options)


class HostileLoss(Hostile):
    def __call__(self, *_):
        raise KeyError("no")


class HostileSplitter(Hostile):
    def split(self, *_):
        raise KeyError("no")


@pytest.mark.parametrize("method", RISK)
def test_losses_of_others_that_fail(fit, method):
    for loss, words in [(HostileLoss(), "loss"), (lambda y, p: 1.0, "loss"), (lambda y, p: y + np.nan, "loss"),
                        (lambda y: y, "loss"), (lambda y, p: list("a" * len(y)), "loss"), (int, "loss")]:  # fmt: skip
        with pytest.raises(ArgumentError, match=words) as caught:
            ns.risk(fit, method, loss=loss)
        assert len(str(caught.value)) < 400


def test_splitters_of_others_that_fail(fit):
    for method in ("cv", "holdout"):
        with pytest.raises(ArgumentError, match=r"folds: HostileSplitter.split raised KeyError: 'no'"):
            ns.risk(fit, method, folds=HostileSplitter())
