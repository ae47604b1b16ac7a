"""Bad input at the door: errors name the argument and what was given."""

from __future__ import annotations

import re
import warnings

import numpy as np
import pandas as pd
import pytest
import raw

from neuralstat.errors import ArgumentError, DataError, NeuralStatError
from neuralstat.training.settings import Settings
from neuralstat.training.words import ELSEWHERE

NAN, INF = np.nan, np.inf


def frame():
    x = np.linspace(-2, 2, 30)
    return pd.DataFrame(
        {"x": x, "z": np.cos(3 * x), "y": np.sin(x), "b": (x > 0.1).astype(int), "g": list("abc") * 10}
    )


def fitted(formula="y + b ~ x + z + g", **arguments):
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        return raw.neuralnet(formula, frame(), **{"stepmax": 3, "rep": 2, "random_state": 1, **arguments})


@pytest.fixture(scope="module")
def fit():
    return fitted()


def two(a, b):
    return a + b


def one(a):
    return a


def text(a):
    return str(a)


# argument -> list of (bad value, what of it the message must show)
ARGUMENTS = {
    "hidden": [("3", "'3'"), (-1, "-1"), (2.5, "2.5"), (None, "None"), ((2, 0), "(2, 0)"), ([[1]], "[1]"),
               (True, "True"), ((2, "a"), "'a'"), (NAN, "nan"), (INF, "inf")],
    "layers": [("dense", "'dense'"), (5, "5"), ([3], "3"), (["relu"], "'relu'")],
    "freeze": [("nope", "'nope'"), (5, "5"), ([1], "[1]"), (["dense", "dense_1"], "all weights")],
    "act_fct": [("nope", "'nope'"), (5, "5"), (["logistic", "tanh"], "2 entries"), (two, "(a, b)"),
                (text, "text")],
    "output_act_fct": [("nope", "'nope'"), (5, "5")],
    "linear_output": [("yes", "'yes'"), (2, "2"), (None, "None")],
    "err_fct": [("mse", "'mse'"), (5, "5"), (one, "(a)"), (None, "None")],
    "family": [("bernoulli", "'bernoulli'"), (5, "5")],
    "exclude": [([[9, 1, 1]], "layer 9"), ([[1, 9, 1]], "(1, 9, 1)"), ([[1, 1, 9]], "(1, 1, 9)"),
                ([[1, 2]], "2 columns"),
                (["nope"], "'nope'"), ("nope", "'nope'"), ([99], "99"), ([0], "0"), ([-1], "-1"), (5, "5"),
                ([1.5], "1.5"), ([NAN], "nan"), ([np.ones((2, 1), bool)], "1 weight matrices"),
                ([1, 2, 3, 4], "all weights"), ([True, False], "2")],
    "constant_weights": [([1, 2, 3], "3 values"), (["a"], "'a'"), ([NAN], "nan"), ([INF], "inf")],
    "algorithm": [("adamm", "'adamm'"), (5, "5"), (None, "None"), (["rprop+"], "['rprop+']")],
    "threshold": [(-1, "-1"), ("a", "'a'"), (NAN, "nan"), (True, "True")],
    "tol": [(-1, "-1"), ("a", "'a'")],
    "polish": [("yes", "'yes'"), (2, "2")],
    "init": [("nowhere", "'nowhere'"), (5, "5")],
    "keep": [(0, "0"), ("a", "'a'"), (9, "9")],
    "stepmax": [(0, "0"), (-1, "-1"), (2.5, "2.5"), ("a", "'a'"), (None, "None")],
    "rep": [(0, "0"), (-1, "-1"), (1.5, "1.5"), ("a", "'a'")],  # None: as many as suit the model
    "startweights": [([1, 2], "2 numbers"), ("abc", "'abc'"), (["a"] * 4, "'a'"), ([NAN] * 4, "finite"),
                     (5, "5"),
                     ([], "empty"), ([[[1, 2, 3]]], "1 weight matrices"), ([[1], [2, 3]], "1 numbers"),
                     ([np.ones((3, 1)), np.ones((2, 1))], "(3, 1)"), ([[["a"], ["b"]], [[1], [2]]], "'a'")],
    "learningrate": [(-1, "-1"), ("a", "'a'"), (0, "0"), (NAN, "nan")],
    "learningrate_limit": [((1,), "(1,)"), ((1, 2, 3), "(1, 2, 3)"), (5, "5"), ((-1, 1), "-1"),
                           (("a", "b"), "'a'"),
                           ({"low": 1, "high": 2}, "'low'"), ((1, 1e-3), "(1.0, 0.001)")],
    "learningrate_factor": [((1,), "(1,)"), (5, "5"), ((-1, 1.2), "-1"), ({"a": 1}, "'a'")],
    "penalty": [(0.1, "0.1"), ("l2", "'l2'")],
    "weights": [("nope", "'nope'"), ([1, 2], "2"), (-np.ones(30), "negative"),
                (np.full(30, INF), "finite"), (5, ""),
                (["a"] * 30, "")],
    "offset": [("nope", "'nope'"), ([1, 2], "2"), (np.full(30, INF), "finite"), (5, ""), ("g", "numeric")],
    "standardize": [("yes", "'yes'"), (2, "2"), (None, "None")],
    "missing": [("ignore", "'ignore'"), (None, "None"), (5, "5")],
    "likelihood": [("yes", "'yes'"), (3, "3")],
    "lifesign": [("loud", "'loud'"), (None, "None")],
    "lifesign_step": [(0, "0"), ("a", "'a'"), (1.5, "1.5")],
    "progress": [("yes", "'yes'"), (3, "3")],
    "device": [("gpu", "'gpu'"), (5, "5"), (None, "None")],
    "dtype": [("int", "'int'"), (5, "5"), ("float16", "'float16'")],
    "n_jobs": [(0, "0"), (-2, "-2"), ("a", "'a'"), (1.5, "1.5")],
    "compat": [("r", "'r'"), ("S", "'S'"), (5, "5")],
    "random_state": [("a", "'a'"), (-1, "-1"), (1.5, "1.5"), ([1, -2], "-2"), (True, "True")],
    "scale": [("dev", "'dev'"), (2.0, "2.0"), (True, "True")],
    "towers": [(3, "3"), ("a", "'a'"), ({"a": 3}, "3"), ({1: []}, "1")],
    "orthogonal": [("a", "'a'"), (2, "2")],
    "context": [(5, "5"), ("a", "'a'")],
}  # fmt: skip


def table() -> list:
    return list(_table())


def _table():
    for name, values in ARGUMENTS.items():
        for k, (value, shown) in enumerate(values):
            yield pytest.param(name, value, shown, id=f"{name}-{k}")


def test_every_argument_is_in_the_table():
    from neuralstat.training.settings import Settings

    later = set(Settings.names()) - set(ARGUMENTS)
    assert not later & {"hidden", "exclude", "random_state"}
    assert set(ARGUMENTS) - set(Settings.names()) == {"context"}
    for name in later:  # arguments of optimizers that take batches are tested with them
        assert name in {
            "epochs", "batch_size", "shuffle", "validation", "early_stopping", "callbacks", "class_weight", "checkpoint",
            "augment", "freq_weights", "var_weights", "metrics", "dispformula", "groups",
        }, name


def base(name):
    """Usable arguments beside the bad one."""
    return {"exclude": [1]} if name == "constant_weights" else {}


@pytest.mark.parametrize(("name", "value", "shown"), table())
def test_arguments_of_neuralnet(name, value, shown):
    with pytest.raises(NeuralStatError) as caught:
        raw.neuralnet("y ~ x", frame(), **base(name), **{name: value})
    assert name in str(caught.value)
    assert shown in str(caught.value)


@pytest.mark.parametrize(("name", "value", "shown"), [p for p in table() if p.values[0] != "context"])
def test_arguments_of_the_model_and_its_fit(name, value, shown):
    if name in ("weights", "offset") and isinstance(value, str):  # no columns to name here
        shown = repr(value)
    data = frame()
    with pytest.raises(NeuralStatError) as caught:
        raw.NeuralNet(data["y"], data[["x"]], **base(name)).fit(**{name: value})
    assert name in str(caught.value)
    assert shown in str(caught.value)
    with pytest.raises(NeuralStatError, match=name):
        raw.NeuralNet(data["y"], data[["x"]], **base(name), **{name: value}).fit()


@pytest.mark.parametrize(
    ("formula", "words"),
    [("y", "formula"), ("y ~ ", "formula"), ("y ~ nope", "'nope'"), ("nope ~ x", "'nope'"),
     ("~ x", "formula"),
     (5, "formula.*int|formula.*5"), (None, "formula"), ("y ~ (x", "formula"), ("y ~ x +", "formula"),
     ("", "formula"),
     ("y ~ x ~ z", "formula")],
)  # fmt: skip
def test_formula(formula, words):
    with pytest.raises(NeuralStatError, match=words):
        raw.neuralnet(formula, frame())


@pytest.mark.parametrize("data", [5, None, "abc", [1, 2], {"x": [1, 2], "y": [1]}])
def test_data(data):
    with pytest.raises(NeuralStatError, match="data"):
        raw.neuralnet("y ~ x", data)


@pytest.mark.parametrize(
    ("change", "words"),
    [({"x": INF}, "column 'x' is infinite"), ({"y": INF}, "'y' is infinite"),
     ({"x": NAN}, "missing|no rows|complete"),
     ({"x": "text"}, "'x'"), ({"x": [[1, 2]] * 30}, "'x'")],
)  # fmt: skip
def test_values_of_data(change, words):
    with pytest.raises(DataError, match=words):
        raw.neuralnet("y ~ x", frame().assign(**change))


@pytest.mark.parametrize("name", ["endog", "exog"])
@pytest.mark.parametrize("value", [5, None, "a", np.zeros((3, 3, 3)), np.zeros(3)])
def test_arrays(name, value):
    data = {"endog": frame()["y"], "exog": frame()[["x"]], name: value}
    with pytest.raises(NeuralStatError, match=name):
        raw.NeuralNet(**data)


@pytest.mark.parametrize(
    ("given", "ours"),
    [("err.fct", "err_fct"), ("linear.output", "linear_output"), ("act.fct", "act_fct"), ("hiden", "hidden"),
     ("constant.weights", "constant_weights"), ("learningrate.limit", "learningrate_limit"),
     ("output.act.fct", "output_act_fct"), ("lifesign.step", "lifesign_step")],
)  # fmt: skip
def test_unknown_arguments_hint_at_ours(given, ours):
    data = frame()
    calls = [
        lambda: raw.neuralnet("y ~ x", data, **{given: 1}),
        lambda: raw.NeuralNet(data["y"], data["x"], **{given: 1}),
        lambda: raw.NeuralNet.from_formula("y ~ x", data, **{given: 1}),
        lambda: raw.NeuralNet(data["y"], data["x"]).fit(**{given: 1}),
    ]
    for call in calls:
        with pytest.raises(ArgumentError, match=f"unknown argument '{given}'. Did you mean '{ours}'"):
            call()


@pytest.mark.parametrize(("given", "ours"), [
    ("optimizer", "algorithm"), ("loss", "family"), ("lr", "learningrate"), ("verbose", "progress"),
    ("activation", "act_fct"),
    ("sample_weight", "weights"), ("validation_data", "validation"), ("hidden_layer_sizes", "hidden"), ("size", "hidden"),
    ("maxit", "stepmax"), ("decay", "penalty=ns.decay"), ("linout", "linear_output"), ("na.action", "missing"),
])  # fmt: skip
def test_words_of_other_packages_are_translated(given, ours):
    with pytest.raises(ArgumentError, match=rf"unknown argument '{given}'. Here it is {ours}"):
        raw.neuralnet("y ~ x", frame(), **{given: 1})


def test_what_is_said_of_other_packages_exists_here():
    for said in ELSEWHERE.values():
        assert re.match(r"\w+", said).group() in Settings.names() or said.startswith("data "), said
    assert not set(ELSEWHERE) & set(Settings.names())


@pytest.mark.parametrize(
    ("new", "words"),
    [(5, "new must be.*int"), ("abc", "new must be.*str"), (np.zeros((3, 3)), "new has shape .*by name"),
     ({"x": [1.0]}, "no column 'z', 'g'"), ({"x": [1.0], "z": [1.0], "g": ["zz"]}, "column 'g': level.*'zz'"),
     ({"x": ["s"], "z": [1.0], "g": ["a"]}, "column 'x' was numeric"),
     ({"x": [INF], "z": [1.0], "g": ["a"]}, "column 'x' is infinite")],
)  # fmt: skip
def test_new_data(fit, new, words):
    for call in (fit.predict, fit.compute):
        with pytest.raises(NeuralStatError, match=words):
            call(new)


@pytest.mark.parametrize("rep", [0, 3, -1, "worst", 1.5, None, True, [1]])
def test_rep(fit, rep):
    words = "rep must be .*[,;] got " + re.escape(repr(rep))
    for call in (
        lambda: fit.predict(frame(), rep=rep), lambda: fit.compute(frame(), rep=rep), lambda: fit.slopes(rep),
        lambda: fit.gwplot("x", response="y", rep=rep), lambda: fit.plot(rep),
    ):  # fmt: skip
        with pytest.raises(ArgumentError, match=words):
            call()


@pytest.mark.parametrize("kind", ["prob", None, 5, ["link"]])
def test_type_of_predict(fit, kind):
    with pytest.raises(ArgumentError, match="type must be one of 'response', 'link', 'class', 'units'"):
        fit.predict(frame(), type=kind)


def test_types_that_do_not_fit(fit):
    with pytest.raises(ArgumentError, match="type='units' needs one repetition"):
        fit.predict(frame(), type="units")
    with pytest.raises(ArgumentError, match="type='class' needs"):
        fit.predict(frame(), rep=1, type="class")
    with pytest.raises(ArgumentError, match="type='class' needs"):
        fitted("y ~ x").predict(rep=1, type="class")
    with pytest.raises(ArgumentError, match="type='link' needs"):
        fitted("y ~ x", linear_output=False, output_act_fct="relu").predict(rep=1, type="link")


def test_offset_of_predict(fit):
    with pytest.raises(ArgumentError, match="offset: the model was fitted without"):
        fit.predict(frame(), offset=np.zeros(30))
    with pytest.raises(ArgumentError, match="offset belongs to new rows"):
        fit.predict(offset=np.zeros(30))


@pytest.mark.parametrize("alpha", [0, 1, -1, 2, "a", None, NAN, True, [0.05]])
def test_alpha_of_confidence_interval(fit, alpha):
    with pytest.raises(ArgumentError, match="alpha must be a finite number > 0 and < 1; got "):
        fit.confidence_interval(alpha)


@pytest.mark.parametrize("scale", ["logit", None, 5, [1]])
def test_scale_of_slopes(fit, scale):
    with pytest.raises(ArgumentError, match="scale must be one of 'link', 'response', 'R'; got "):
        fit.slopes(scale=scale)


@pytest.mark.parametrize("name", ["covariate", "response"])
@pytest.mark.parametrize("value", [None, "nope", 5, ["x"]])
def test_names_of_gwplot(fit, name, value):
    with pytest.raises(ArgumentError, match=f"{name} must be one of '"):
        fit.gwplot(**{"covariate": "x", "response": "y", name: value})


def test_ax_of_gwplot(fit):
    with pytest.raises(ArgumentError, match="ax must be"):
        fit.gwplot("x", response="y", ax=5)
