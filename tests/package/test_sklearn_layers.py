"""Layers, epochs and arrays of several dimensions in scikit-learn's searches."""

import numpy as np
import pandas as pd
import pytest

pytest.importorskip("sklearn")
import raw
from sklearn.base import clone
from sklearn.model_selection import GridSearchCV, cross_val_score
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler

import neuralstat as ns
from neuralstat.errors import ArgumentError
from neuralstat.layers import Conv2D, Dense, Flatten, GlobalAvgPool
from neuralstat.sklearn import NeuralNetClassifier, NeuralNetRegressor

pytestmark = pytest.mark.filterwarnings("ignore::neuralstat.errors.NeuralStatWarning")


def _images(n=40, seed=0):
    rng = np.random.default_rng(seed)
    x = rng.normal(size=(n, 5, 5, 1))
    label = rng.integers(0, 2, n)
    x[label == 1, 1:4, 1:4] += 2.0
    return x, np.where(label == 1, "bright", "dark")


@raw.CUT_SHORT
def test_images_are_classified_as_by_neuralnet():
    x, y = _images()
    layers = [Conv2D(2, 3, "relu"), GlobalAvgPool()]
    model = NeuralNetClassifier(layers=layers, epochs=5, batch_size=8, learning_rate=0.05, decay=0.0, standardize=False,
                                random_state=1)  # fmt: skip
    model.fit(x, y)
    with np.errstate(all="ignore"):
        fit = ns.neuralnet("y ~ x", {"x": x, "y": pd.Categorical(y)}, layers=layers, epochs=5, batch_size=8, algorithm="adam",
                           learningrate=0.05, penalty=ns.decay(0.0), standardize=False, rep=1, family="binomial",
                           random_state=1)  # fmt: skip
    np.testing.assert_array_equal(model.results_.theta, fit.theta)
    # "bright" is the first level, whose complement is modelled
    np.testing.assert_allclose(model.predict_proba(x)[:, 1], np.asarray(fit.predict({"x": x})), atol=1e-12)
    assert model.score(x, y) > 0.7 and model.n_iter_ == 25
    assert cross_val_score(clone(model), x, y, cv=2).shape == (2,)
    with pytest.raises(ValueError, match="shape"):
        model.predict(x[:, :, :3])


@raw.CUT_SHORT
def test_a_search_over_units_and_epochs():
    rng = np.random.default_rng(3)
    x = rng.uniform(-2, 2, (90, 1))
    y = np.sin(2 * x[:, 0]) + rng.normal(scale=0.1, size=90)
    search = GridSearchCV(NeuralNetRegressor(batch_size=8, learning_rate=0.02, decay=0.0, act_fct="tanh", random_state=1),
                          {"hidden": [1, 8], "epochs": [2, 60]}, cv=3)  # fmt: skip
    search.fit(x, y)
    assert search.best_params_ == {"hidden": 8, "epochs": 60} and search.best_score_ > 0.8
    pipe = make_pipeline(StandardScaler(), NeuralNetRegressor(layers=[Dense(4, "relu")], epochs=3, random_state=1))
    assert GridSearchCV(pipe, {"neuralnetregressor__epochs": [1, 2]}, cv=2).fit(x, y).best_score_ < 1


@raw.CUT_SHORT
def test_early_stopping_with_validation_rows():
    rng = np.random.default_rng(4)
    x, y = rng.normal(size=(60, 3)), rng.normal(size=60)
    rule = ns.EarlyStopping(patience=3)
    model = NeuralNetRegressor(4, epochs=400, learning_rate=0.05, early_stopping=rule, validation=0.25, decay=0.0,
                               random_state=1).fit(x, y)  # fmt: skip
    history = model.results_.history
    assert "val_loss" in history and len(history) < 400
    assert model.results_.nobs == 45


@raw.CUT_SHORT
def test_several_responses_of_arrays():
    rng = np.random.default_rng(5)
    x = rng.normal(size=(30, 4, 2))
    y = np.column_stack([x.sum((1, 2)), x[:, 0, 0]])
    model = NeuralNetRegressor(layers=[Flatten()], algorithm="adam", epochs=2, random_state=1).fit(x, y)
    assert model.predict(x).shape == (30, 2)
    dense = NeuralNetRegressor(0, decay=0.0, threshold=1e-4, algorithm="rprop+", random_state=1).fit(x, y)
    np.testing.assert_allclose(dense.predict(x), y, atol=1e-3)  # linear in all elements


def test_two_names_of_the_rate():
    x, y = np.linspace(0, 1, 12)[:, None], np.linspace(0, 1, 12)
    with pytest.raises(ArgumentError, match="learning_rate and learningrate"):
        NeuralNetRegressor(learning_rate=0.1, learningrate=0.1).fit(x, y)
    names = ("learning_rate", "learningrate")
    rates = [NeuralNetRegressor(**{name: 0.03}, epochs=2, random_state=1).fit(x, y) for name in names]
    np.testing.assert_array_equal(rates[0].predict(x), rates[1].predict(x))


def test_the_algorithm_follows_what_is_asked():
    x, y = np.linspace(0, 1, 12)[:, None], np.linspace(0, 1, 12)
    made = [NeuralNetRegressor(1, stepmax=5, random_state=1, **more).fit(x, y).results_.settings.algorithm
            for more in ({}, {"epochs": 1}, {"epochs": 1, "algorithm": "sgd"})]  # fmt: skip
    assert made == ["rprop+", "adam", "sgd"]
