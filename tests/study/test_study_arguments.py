"""Studies, their models, estimators, truths and noises meet arguments that are none."""

from __future__ import annotations

import dataclasses
import itertools

import numpy as np
import pandas as pd
import pytest
from nonsense import ENDLESS, NONSENSE, Hostile, said

import neuralstat as ns
from neuralstat.errors import ArgumentError, TooLargeError

S = ns.study
GOOD = {"models": [S.bs(5)], "truth": "sine", "n": 30, "replicates": 2, "n_jobs": 1}


@pytest.mark.parametrize("argument", [
    "models", "truth", "noise", "n", "replicates", "estimators", "target", "x", "loss", "restarts", "rep", "sigma",
    "random_state", "n_jobs", "device", "progress", "chunk", "keep_fits", "checkpoint",
])  # fmt: skip
def test_nonsense_is_refused_in_words(argument):
    for value in NONSENSE:
        with pytest.raises(ArgumentError, match=rf"{argument}|truth") as caught:
            S(**{**GOOD, argument: value})
        assert len(str(caught.value)) < 500


@pytest.mark.parametrize(("change", "message"), [
    ({"checkpoint": 5}, "checkpoint must be None or a path"),
    ({"checkpoint": ""}, "checkpoint must be None or a path"),
    ({"noise": itertools.count(1)}, "noise must be a finite number"),
    ({"n": itertools.count(1)}, "n must be a whole number"),
    ({"n": range(2, 10**12)}, "n: 999999999998 values are too many"),
    ({"noise": np.ones(5000)}, "noise: 5000 values are too many"),
    ({"n": [30, "40"]}, "n must be a whole number"),
    ({"noise": 1e200}, "noise must be"),
    ({"sigma": 1e-200}, "sigma must be"),
    ({"sigma": "true"}, "sigma must be one of 'truth', 'difference', 'residual', 'large'"),
    ({"progress": "no"}, "progress must be True or False"),
    ({"keep_fits": 0}, "keep_fits must be True or False"),
    ({"n_jobs": 0}, "n_jobs must be"),
    ({"estimators": 5}, "estimators must be a name"),
    ({"estimators": {5: "cp"}}, "estimators: a name must be a string"),
    ({"estimators": int}, "estimators must be a name"),
    ({"estimators": [int]}, "method must be a name or a function"),
    ({"models": {5: S.bs(5)}}, "models: a name must be a string"),
    ({"models": [{"hidden": 2, 5: 1}]}, "models: an argument must be a string"),
    ({"models": [{"hidden": "two"}]}, "hidden"),
    ({"truth": int}, "truth must be a name"),
    ({"truth": S.truth(lambda x: 1 / 0, name="div")}, "truth 'div': it raised ZeroDivisionError"),
    ({"truth": S.truth(np.sin, design=lambda n, rng: ENDLESS)}, "truth 'sin'"),
    ({"truth": S.truth(np.sin, design=lambda n: n)}, "truth 'sin': its design raised TypeError"),
    ({"estimators": S.estimator("cv", k=31)}, "'cv' has k=31 folds, and there are n=30"),
    ({"n": 10**11}, "n must be at most|n=1"),
    ({"n": 2 * 10**9}, "GiB would be needed"),
    ({"replicates": 10**9}, "replicates=1000000000: results"),
    ({"device": "gpu"}, "device"),
])  # fmt: skip
def test_what_does_not_suit_is_named(change, message):
    with pytest.raises(ArgumentError, match=message):
        S(**{**GOOD, **change})


def test_what_memory_does_not_hold(monkeypatch):
    monkeypatch.setattr("neuralstat.checks.memory.memory_at_hand", lambda: 2**20)
    with pytest.raises(TooLargeError, match=r"^restarts=100000: fits to 1000 observations"):
        S(**{**GOOD, "n": 1000, "restarts": 100_000})
    spline = S(**{**GOOD, "models": S.smoothing_spline(), "n": 3000})
    assert spline.frame["status"].str.contains("TooLargeError: smoothing_spline: a basis of 3000").all()


MAKERS = {
    "net": (S.net, {"hidden": 2}, ("hidden", "combine", "name", "refits", "penalty", "threshold", "rep", "keep")),
    "bs": (S.bs, {"size": 5}, ("size", "degree", "name")), "cr": (S.cr, {"size": 5}, ("size", "name")),
    "glm": (S.glm, {"formula": "x"}, ("formula", "family", "name")),
    "select": (S.select, {"models": [S.bs(5)], "criterion": "aic"}, ("models", "criterion", "sigma", "name")),
    "gam": (S.gam, {}, ("size", "alpha", "degree", "family", "name")),
    "smoothing_spline": (S.smoothing_spline, {}, ("lam", "name")),
    "truth": (S.truth, {"function": np.sin}, ("function", "design", "name")),
    "cv": (S.estimator, {"method": "cv"}, ("method", "name", "k", "repeats", "corrected")),
    "632": (S.estimator, {"method": "632"}, ("draws",)), "cp:gdf": (S.estimator, {"method": "cp:gdf"}, ("draws", "tau")),
    "Noise": (S.Noise, {}, ("sd",)),
    "noise": (S.noise, {"kind": "t", "sd": 1.0, "df": 5}, ("kind", "sd", "df", "link", "name")),
    "Problem": (S.Problem, {"name": "a", "function": np.sin, "design": np.cos}, ("name", "function", "design", "columns")),
    "Net": (S.Net, {"name": "a", "size": 1}, ("name", "size", "combine", "kind")),
    "Estimator": (S.Estimator, {"name": "a", "target": "", "function": np.sin}, ("name", "target", "function", "refits")),
}  # fmt: skip
#: what is right for some
RIGHT = {("truth", "design"): (np.ndarray, pd.DataFrame)}


@pytest.mark.parametrize(("maker", "argument"), [(m, a) for m, (_, _, every) in MAKERS.items() for a in every])
def test_makers(maker, argument):
    make, good, _ = MAKERS[maker]
    for value in NONSENSE:
        if isinstance(value, RIGHT.get((maker, argument), str if argument in ("name", "kind") else ())):
            continue
        named = {"function": "function|truth", "method": "estimators"}.get(argument, argument)
        with pytest.raises(ArgumentError, match=named):
            make(**{**good, argument: value})


def other(work, *, share=1.0):
    return share * work.training


@pytest.mark.parametrize(("call", "message"), [
    (lambda: S.estimator("cv", k="lo"), "estimators: 'cv': k must be 'loo' or a whole number >= 2"),
    (lambda: S.estimator("cv", corrected="no"), "corrected must be True or False"),
    (lambda: S.estimator("cp:gdf", draws=2), "draws must be a whole number >= 3"),
    (lambda: S.estimator("bootstrap", kind="632"), "kind must be one of 'oob', 'optimism'"),
    (lambda: S.estimator("632", kind="oob"), "'632' has no option 'kind'; it has: draws"),
    (lambda: S.estimator("cv", groups=[1, 2]), "'cv' has no option 'groups'; it has: k, repeats, corrected, blocks"),
    (lambda: S.estimator(S.estimator("cv"), k=3), "option 'k' is not used"),
    (lambda: S.estimator(other, sare=1), r"'other' cannot be called as other\(work, \*\*options\)"),
    (lambda: S.estimator(lambda: 1), "cannot be called"),
    (lambda: S.net(2, freeze=["1layhid1"]), "'freeze' has no place in a study"),
    (lambda: S.net(2, class_weight="balanced"), "'class_weight' has no place"),
    (lambda: S.bs(10**9), "size must be at most 1000"),
    (lambda: S.bs(5, degree=5), "bs: size must be a whole number >= 6"),
    (lambda: S.glm("(x"), "formula|x"),
    (lambda: S.glm("(x + z)**1000000"), "power"),
    (lambda: S.truth(S.truth("sine"), name="b"), "name is not used"),
    (lambda: S.truth(np.sin, design=[[1, 2], [3]]), "design must be an array"),
])  # fmt: skip
def test_makers_name_what_does_not_suit(call, message):
    with pytest.raises(ArgumentError, match=message):
        call()


def test_names_of_estimators_and_braces_of_formulas():
    done = S(S.glm("{x * 2} + x:x"), "sine", n=20, replicates=1, n_jobs=1, estimators={"a": S.estimator("cp"), "b": other})
    assert set(done.frame["estimator"]) == {"a", "b"} and (done.frame["status"] == "ok").all()
    assert S.estimator(S.estimator("cp"), name="mine").name == "mine"
    assert dataclasses.replace(S.Noise(1), sd=2).sd == 2.0


def test_truths_of_ones_own():
    own = ns.datasets.Truth("sine", ("u", "v"), lambda x: x[:, 0])
    done = S(S.glm("u"), S.truth(own, design=np.arange(40.0).reshape(20, 2)), n=20, replicates=1, n_jobs=1)
    assert (done.frame["status"] == "ok").all()
    done = S(S.bs(5), ns.datasets.Truth("__class__", ("x",), np.sin), n=20, replicates=1, n_jobs=1)
    assert (done.frame["truth"] == "__class__").all()


@pytest.mark.parametrize("value", NONSENSE, ids=said)
def test_plots(value):
    with pytest.raises(ArgumentError, match="kind must be one of"):
        S(S.bs(5), "sine", n=20, replicates=2, n_jobs=1).plot(value)


def test_what_is_right_still_is():
    done = S([S.bs(np.int64(5))], ("sine", "step"), np.array([0.1, 0.2]), range(20, 22), replicates=2.0, n_jobs=1,
             estimators=("cp",), keep_fits=np.False_, restarts=None)  # fmt: skip
    assert len(done.frame) == 16 and Hostile() is not None


def test_means_of_a_truth_take_lists_and_vectors():
    truth = ns.study.truth("sine")
    expected = truth.means(np.array([[0.1], [0.2]]))
    for x in ([0.1, 0.2], np.array([0.1, 0.2]), [[0.1], [0.2]]):
        np.testing.assert_array_equal(truth.means(x), expected)
    for x in ("ab", [["a"]], np.zeros((2, 1, 1)), 3.0):
        with pytest.raises(ArgumentError, match=r"^x must be"):
            truth.means(x)
