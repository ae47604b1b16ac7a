"""Weights of classes, with every algorithm and in refits."""

from __future__ import annotations

import numpy as np
import pandas as pd
import pytest
import raw

import neuralstat as ns
from neuralstat.errors import ArgumentError
from neuralstat.training.validation import unweighed

pytestmark = [
    pytest.mark.filterwarnings("ignore::neuralstat.errors.ConvergenceWarning"),
    pytest.mark.filterwarnings("ignore::neuralstat.errors.FitWarning"),
]
N = 80


@pytest.fixture(scope="module")
def data():
    rng = np.random.default_rng(6)
    frame = pd.DataFrame({"x": rng.normal(size=N), "z": rng.normal(size=N), "w": rng.uniform(0.5, 2, N)})
    frame["b"] = (rng.uniform(size=N) < 1 / (1 + np.exp(1.5 - frame["x"]))).astype(int)
    frame["g"] = np.where(frame["z"] + rng.normal(size=N) > 1, "rare", np.where(frame["x"] > 0, "mid", "low"))
    return frame


def weights_of(classes, given):
    classes = pd.Series(classes)
    if given == "balanced":
        return classes.map(len(classes) / (classes.nunique() * classes.value_counts())).to_numpy(float)
    return classes.map(lambda c: given.get(c, 1.0)).to_numpy(float)


RATES = {"backprop": 1e-3, "adam": 0.05, "sgd": 0.1, "rmsprop": 0.01}


@pytest.mark.parametrize(
    "algorithm", ["rprop+", "rprop-", "sag", "slr", "backprop", "lm", "bfgs", "lbfgs", "auto", "adam", "sgd", "rmsprop"]
)
@pytest.mark.parametrize("given", ["balanced", {1: 3.0}])
def test_every_algorithm_weighs_the_rows(data, algorithm, given):
    same = {"hidden": 2, "family": "binomial", "algorithm": algorithm, "random_state": 3, "standardize": True, "rep": 2,
            "learningrate": RATES.get(algorithm)}  # fmt: skip
    same |= {"epochs": 5} if algorithm in ("adam", "sgd", "rmsprop") else {"stepmax": 40}
    fit = ns.neuralnet("b ~ x + z", data, class_weight=given, **same)
    want = weights_of(data["b"], given)
    np.testing.assert_allclose(fit.design.weights, want)
    # centres and scales are those of the data; only the errors are weighed
    np.testing.assert_allclose(fit.design.scaling.x_mean, data[["x", "z"]].mean())
    plain = ns.neuralnet("b ~ x + z", data, **same)
    assert np.abs(plain.fit.theta - fit.fit.theta).max() > 1e-6
    rows = raw.neuralnet("b ~ x + z", data.assign(v=want), weights="v", **{**same, "standardize": False})
    named = raw.neuralnet("b ~ x + z", data, class_weight=given, **{**same, "standardize": False})
    np.testing.assert_array_equal(rows.fit.theta, named.fit.theta)


@pytest.mark.parametrize(
    ("formula", "family", "given"),
    [
        ("b ~ x + z", "binomial", "balanced"), ("b ~ x + z", "binomial", {0: 0.5, 1: 4}), ("b ~ x", "poisson", "balanced"),
        ("g ~ x + z", "multinomial", "balanced"), ("g ~ x", "multinomial", {"rare": 5.0}), ("b == 1 ~ x", "binomial", {1: 2}),
    ],
)  # fmt: skip
def test_the_optimum_is_that_of_case_weights(data, formula, family, given):
    """The default without hidden units; statsmodels' GLM for binomial and Poisson responses."""
    import statsmodels.api as sm

    fit = ns.neuralnet(formula, data, hidden=0, family=family, class_weight=given, standardize="auto", rep=1)
    response = formula.split()[0]
    want = weights_of(data[response], given)
    rows = ns.neuralnet(formula, data.assign(v=want), hidden=0, family=family, weights="v", standardize="auto", rep=1)
    np.testing.assert_allclose(fit.predict(), rows.predict(), atol=1e-7)
    np.testing.assert_allclose(fit.deviance, rows.deviance, rtol=1e-9)
    if family != "multinomial":
        x = sm.add_constant(data[["x", "z"] if "z" in formula else ["x"]])
        kind = {"binomial": sm.families.Binomial, "poisson": sm.families.Poisson}[family]()
        glm = sm.GLM(data["b"], x, family=kind, var_weights=want).fit()
        np.testing.assert_allclose(fit.params, glm.params, rtol=1e-6)
        np.testing.assert_allclose(fit.deviance, glm.deviance, rtol=1e-8)


def test_case_weights_and_other_errors(data):
    given = {"hidden": 1, "algorithm": "lm", "random_state": 1}
    fit = raw.neuralnet("b ~ x", data, weights="w", class_weight="balanced", err_fct="ce", linear_output=False, **given)
    np.testing.assert_allclose(fit.design.weights, data["w"] * weights_of(data["b"], "balanced"))
    np.testing.assert_allclose(unweighed(fit.design, "balanced").weights, data["w"])
    # squared errors of a response that is scaled inside
    fit = ns.neuralnet("b ~ x", data, class_weight={0: 2}, standardize=True, rep=1, **given)
    np.testing.assert_allclose(fit.design.weights, np.where(data["b"] == 0, 2.0, 1.0))
    # a class that does not count
    fit = raw.neuralnet("g ~ x", data, family="multinomial", class_weight={"rare": 0}, **given)
    assert (fit.predict()["rare"] < 0.05).all()


@pytest.mark.parametrize("algorithm", ["lm", "rprop+", "adam"])
def test_what_has_no_classes_is_refused(data, algorithm):
    for formula, given, message in (
        ("x ~ z", "balanced", "class_weight needs a factor as response, or 0 and 1; 'x' is neither"),
        ("b + x ~ z", "balanced", "class_weight needs a factor"),
        ("g ~ z", {"frequent": 2.0}, "class_weight: 'frequent' is no class; known: 'low', 'mid', 'rare'"),
        ("b ~ z", {1: -1.0}, "class_weight must hold finite numbers >= 0"),
        ("b ~ z", 3, "class_weight must be 'balanced' or a dict"),
    ):
        with pytest.raises(ArgumentError, match=message):
            raw.neuralnet(formula, data, algorithm=algorithm, class_weight=given)


# refits ----------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("given", ["balanced", {1: 4.0}])
@pytest.mark.parametrize(
    "more", [{"algorithm": "lm", "threshold": 1e-8}, {"algorithm": "adam", "epochs": 4}], ids=["lm", "adam"]
)
@pytest.mark.parametrize("standardize", [False, True])
def test_folds_weigh_their_own_rows(data, given, more, standardize):
    """Not twice, not by the classes of the other folds; and risks are over the rows as they are."""
    same = {"hidden": 0, "family": "binomial", "class_weight": given, "standardize": standardize, "rep": 1,
            "random_state": 1, **more}  # fmt: skip
    model = ns.NeuralNet.from_formula("b ~ x + z", data, **same)
    fit = model.fit()
    label = np.arange(N) % 4
    found = ns.risk(fit, "cv", folds=label, random_state=5)
    assert float(found) == float(ns.risk(model, "cv", folds=label, random_state=5))
    assert float(found) == pytest.approx(float(ns.risk(fit, "cv", folds=label, random_state=5, stack=False)), rel=1e-9)
    if more["algorithm"] == "adam":
        return
    loss = np.empty(N)
    for f in range(4):
        train, test = data[label != f], data[label == f]
        own = ns.neuralnet("b ~ x + z", train, **same)
        np.testing.assert_allclose(own.design.weights, weights_of(train["b"], given))
        p = own.predict(test)
        loss[label == f] = -2 * np.where(test["b"] == 1, np.log(p), np.log(1 - p))
    assert float(found) == pytest.approx(loss.mean(), rel=1e-5)


@pytest.mark.parametrize(
    "more", [{"algorithm": "bfgs", "threshold": 1e-5}, {"algorithm": "adam", "epochs": 4}], ids=["bfgs", "adam"]
)
@pytest.mark.parametrize("given", ["balanced", {"b": 3.0}])
def test_weights_go_with_the_drawn_classes(data, given, more):
    from neuralstat.inference.bootstrap import responses
    from neuralstat.seeds import children, seed_sequence

    frame = data.assign(c=np.where(data["b"] == 1, "b", "a"))
    same = {"hidden": 2, "family": "binomial", "class_weight": given, "penalty": ns.decay(0.1), "rep": 1,
            "random_state": 2, **more}  # fmt: skip
    fit = raw.neuralnet("c ~ x", frame, **same)
    draws = fit.get_prediction(method="bootstrap", draws=3, restarts="same", random_state=7).draws
    drawn = responses(fit.fitted, "parametric", 3, children(seed_sequence(7), 2)[0], "mean")
    for t, y in enumerate(drawn[:, 0]):
        again = raw.neuralnet("c ~ x", frame.assign(c=np.where(y == 1, "b", "a")), **same)
        np.testing.assert_allclose(draws[t, 0], again.predict(), rtol=1e-6)


def test_saved_updated_and_described(data, tmp_path):
    fit = raw.neuralnet("b ~ x", data, hidden=1, family="binomial", class_weight="balanced", algorithm="bfgs", random_state=1)
    assert "class_weight='balanced'" in fit.call
    fit.save(tmp_path / "fit.nst")
    again = ns.load(tmp_path / "fit.nst")
    np.testing.assert_array_equal(again.design.weights, fit.design.weights)
    assert float(ns.risk(again, "cv", k=3, random_state=1)) == float(ns.risk(fit, "cv", k=3, random_state=1))
    further = fit.update(algorithm="rprop+", threshold=1e-3)
    assert further.settings.class_weight == "balanced"
    np.testing.assert_array_equal(further.design.weights, fit.design.weights)
    head = fit.replace_head(data, "b ~ x", class_weight={1: 2.0}, algorithm="bfgs")
    np.testing.assert_array_equal(head.design.weights, np.where(data["b"] == 1, 2.0, 1.0))


def test_classes_by_position_are_those_by_name():
    rng = np.random.default_rng(2)
    data = pd.DataFrame({"x": rng.normal(size=60), "y": np.repeat(["no", "yes", "maybe"], 20)})
    common = {"hidden": 1, "family": "multinomial", "rep": 1, "random_state": 1}
    by_name = ns.neuralnet("y ~ x", data, class_weight={"maybe": 1.0, "yes": 3.0}, **common)
    by_place = ns.neuralnet("y ~ x", data, class_weight={0: 1.0, 2: 3.0}, **common)
    np.testing.assert_array_equal(by_name.params, by_place.params)
    with pytest.raises(ArgumentError, match="3 is no class"):
        ns.neuralnet("y ~ x", data, class_weight={3: 1.0}, **common)
    flags = data.assign(y=rng.integers(0, 2, 60))
    with pytest.raises(ArgumentError, match="2 is no class"):  # keys are classes where one of them is
        ns.neuralnet("y ~ x", flags, class_weight={0: 1.0, 2: 3.0}, hidden=1, family="binomial")
