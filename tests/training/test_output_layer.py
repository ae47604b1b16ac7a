"""A last layer that is the family's output layer is taken for it, as Keras' models are written; else it is said."""

from __future__ import annotations

import numpy as np
import pandas as pd
import pytest

import neuralstat as ns
from neuralstat.errors import FitWarning
from neuralstat.layers import Dense

QUIET = pytest.mark.filterwarnings("ignore::neuralstat.errors.ConvergenceWarning")
EPOCHS = {"algorithm": "adam", "epochs": 2, "random_state": 1}


@pytest.fixture(scope="module")
def data():
    rng = np.random.default_rng(1)
    frame = pd.DataFrame({"x": rng.normal(size=60), "z": rng.normal(size=60)})
    line = frame["x"] + rng.normal(size=60)
    classes = pd.cut(line, [-9, -1, 1, 9], labels=["a", "b", "c"])
    return frame.assign(y=(line > 0) * 1, w=line, k=rng.poisson(1, 60), g=classes)


@pytest.mark.filterwarnings("ignore:Diverged|Collapsed")
@pytest.mark.parametrize(("formula", "family", "last"), [
    ("y ~ x + z", "binomial", Dense(1, "sigmoid")), ("g ~ x + z", "multinomial", Dense(3, "softmax")),
    ("w ~ x + z", None, Dense(1)), ("w ~ x + z", "gaussian", Dense(1, "linear")), ("w + z ~ x", None, Dense(2)),
    ("g ~ x", None, Dense(3)),
])  # fmt: skip
def test_the_output_layer_may_be_written_down(data, formula, family, last, tmp_path):
    with_it = ns.neuralnet(formula, data, layers=[Dense(4, "relu"), last], family=family, **EPOCHS)
    without = ns.neuralnet(formula, data, layers=[Dense(4, "relu")], family=family, **EPOCHS)
    np.testing.assert_array_equal(with_it.fit.theta, without.fit.theta)
    assert list(with_it.get_weights()) == list(without.get_weights())
    with_it.save(tmp_path / "fit.nst")
    np.testing.assert_array_equal(ns.load(tmp_path / "fit.nst").predict(data), with_it.predict(data))
    again = with_it.update(epochs=1)
    assert len(again.fitted.network.layers) == 2


@pytest.mark.filterwarnings("ignore:Diverged|Collapsed")
def test_its_name_stays(data):
    layers = [Dense(4, "relu"), Dense(1, "sigmoid", name="odds")]
    fit = ns.neuralnet("y ~ x", data, layers=layers, family="binomial", **EPOCHS)
    assert "odds/kernel" in fit.get_weights()


@pytest.mark.filterwarnings("ignore:Diverged|Collapsed")
@pytest.mark.parametrize(("formula", "family", "last", "words"), [
    ("y ~ x", None, Dense(1, "sigmoid"), r"Dense\(1, 'logistic'\), which is a hidden layer here.*give family='binomial'"),
    ("g ~ x", None, Dense(3, "softmax"), "give family='multinomial'"),
    ("y ~ x", "binomial", Dense(2, "softmax"), r"is Dense\(1, 'logistic'\)"),
    ("k ~ x", "poisson", Dense(1), r"is Dense\(1, 'log'\)"),
])  # fmt: skip
def test_one_that_does_not_match_is_said(data, formula, family, last, words):
    with pytest.warns(FitWarning, match=words):
        fit = ns.neuralnet(formula, data, layers=[Dense(4, "relu"), last], family=family, **EPOCHS)
    assert len(fit.fitted.network.layers) == 3


@pytest.mark.filterwarnings("ignore:Diverged|Collapsed")
@pytest.mark.parametrize("last", [Dense(1, "tanh"), Dense(5), Dense(8, "relu")])
def test_hidden_layers_are_not_talked_about(data, last, recwarn):
    fit = ns.neuralnet("y ~ x", data, layers=[Dense(4, "relu"), last], family="binomial", **EPOCHS)
    assert len(fit.fitted.network.layers) == 3 and not [w for w in recwarn if "output layer" in str(w.message)]
