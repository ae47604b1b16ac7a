"""The estimators pass scikit-learn's own checks, and agree with `neuralnet`."""

import subprocess
import sys
import warnings

import numpy as np
import pandas as pd
import pytest

pytest.importorskip("sklearn")
import raw
from sklearn.base import clone
from sklearn.datasets import load_diabetes, load_iris
from sklearn.model_selection import GridSearchCV, cross_val_score
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import PolynomialFeatures, StandardScaler
from sklearn.utils.estimator_checks import parametrize_with_checks

import neuralstat as ns
from neuralstat.sklearn import NeuralNetClassifier, NeuralNetRegressor


@raw.CUT_SHORT
@pytest.mark.filterwarnings("ignore::neuralstat.errors.ConvergenceWarning")
@parametrize_with_checks([NeuralNetRegressor(), NeuralNetClassifier()])
def test_checks_of_scikit_learn(estimator, check):
    check(estimator)


@pytest.fixture(scope="module")
def diabetes():
    return load_diabetes(return_X_y=True, as_frame=True)


@raw.CUT_SHORT
def test_regressor_is_neuralnet(diabetes):
    x, y = diabetes[0].iloc[:100], diabetes[1].iloc[:100]
    model = NeuralNetRegressor(2, decay=0.1, rep=2, random_state=1, standardize=False, stepmax=300)
    options = {
        "hidden": 2,
        "penalty": ns.decay(0.1),
        "rep": 2,
        "random_state": 1,
        "threshold": 0.05,
        "stepmax": 300,
    }
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", ns.errors.ConvergenceWarning)
        model.fit(x, y)
        fit = raw.neuralnet("y ~ .", x.assign(y=y), **options)
    np.testing.assert_array_equal(model.results_.theta, fit.theta)
    np.testing.assert_array_equal(model.predict(x), fit.predict(x, rep="all").mean(axis=1))
    assert model.results_.network.input_names == tuple(x.columns) == tuple(model.feature_names_in_)
    assert model.n_iter_ == model.results_.fit.steps.max()
    assert "NeuralNetRegressor" in repr(model)


def test_scales_are_those_of_standard_scaler(diabetes):
    x, y = diabetes[0].iloc[:60], diabetes[1].iloc[:60]
    scaler = StandardScaler().fit(x)
    scaled = NeuralNetRegressor(2, decay=1.0, random_state=1).fit(x, y)
    np.testing.assert_allclose(scaled.results_.design.x, scaler.transform(x).T, atol=1e-12)
    np.testing.assert_allclose(scaled.results_.design.scaling.y_sd, y.std(ddof=0), rtol=1e-14)
    np.testing.assert_allclose(scaled.predict(x), scaled.results_.predict(x), rtol=1e-14)


def test_useful_on_real_data(diabetes):
    x, y = diabetes
    model = NeuralNetRegressor(2, decay=1.0, random_state=1)
    assert cross_val_score(model, x, y, cv=3).mean() > 0.4
    xc, yc = load_iris(return_X_y=True, as_frame=True)
    assert cross_val_score(NeuralNetClassifier(2, decay=0.1, random_state=1), xc, yc, cv=3).mean() > 0.93


def test_classifier_labels():
    x, y = load_iris(return_X_y=True)
    names = np.array(["setosa", "versicolor", "virginica"])[y]
    model = NeuralNetClassifier(random_state=1).fit(x, names)
    assert list(model.classes_) == ["setosa", "versicolor", "virginica"]
    p = model.predict_proba(x)
    np.testing.assert_allclose(p.sum(axis=1), 1)
    np.testing.assert_array_equal(model.predict(x), model.classes_[p.argmax(axis=1)])
    two = NeuralNetClassifier(random_state=1).fit(x, y == 1)
    assert two.predict_proba(x).shape == (150, 2) and two.predict(x).dtype == bool
    assert two.results_.settings.family == "binomial"
    np.testing.assert_array_equal(two.predict_proba(x)[:, 1], two.results_.predict(pd.DataFrame(
        x, columns=["x1", "x2", "x3", "x4"])))  # fmt: skip


def test_several_responses(diabetes):
    x, y = diabetes[0].iloc[:80], diabetes[1].iloc[:80].to_numpy()
    both = np.column_stack([y, -y])
    values = NeuralNetRegressor(2, decay=1.0, random_state=1).fit(x, both).predict(x)
    assert values.shape == (80, 2)
    assert np.corrcoef(values[:, 0], y)[0, 1] > 0.6 > -0.6 > np.corrcoef(values[:, 1], y)[0, 1]


def test_grid_search_pipeline_and_clone(diabetes):
    x, y = diabetes[0].iloc[:90, :3], diabetes[1].iloc[:90]
    pipe = make_pipeline(PolynomialFeatures(2, include_bias=False), NeuralNetRegressor(1, random_state=1))
    search = GridSearchCV(pipe, {"neuralnetregressor__decay": [0.1, 10.0]}, cv=2).fit(x, y)
    assert search.best_params_["neuralnetregressor__decay"] in (0.1, 10.0)
    model = NeuralNetRegressor((3, 2), act_fct="tanh", penalty=ns.l1(0.1))
    assert clone(model).get_params() == model.get_params()


def test_random_states(diabetes):
    x, y = diabetes[0].iloc[:50, :2], diabetes[1].iloc[:50]

    def weights(state):
        return NeuralNetRegressor(1, random_state=state).fit(x, y).results_.fit.start

    np.testing.assert_array_equal(weights(1), weights(1))
    np.testing.assert_array_equal(weights(np.random.RandomState(1)), weights(np.random.RandomState(1)))
    np.testing.assert_array_equal(weights(np.random.default_rng(1)), weights(np.random.default_rng(1)))
    assert (weights(None) != weights(None)).all()


def test_nothing_converged_still_predicts(diabetes):
    x, y = diabetes[0].iloc[:50], diabetes[1].iloc[:50]
    with pytest.warns(ns.errors.ConvergenceWarning, match="did not converge in 2 of 2"):
        model = NeuralNetRegressor(stepmax=5, rep=2, random_state=1).fit(x, y)
    assert np.isfinite(model.predict(x)).all()  # the warning was given once, at the fit


def test_errors(diabetes):
    x, y = diabetes
    with pytest.raises(ValueError, match=r"(?i)weights"):
        NeuralNetRegressor().fit(x, y, sample_weight=np.zeros(len(y)))
    with pytest.raises(ValueError, match="one class"):
        NeuralNetClassifier().fit(x, np.ones(len(y), int))
    with pytest.raises(ValueError, match="hidden must be a whole number"):
        NeuralNetRegressor("three").fit(x, y)


def test_without_scikit_learn():
    code = (
        "import sys; sys.modules['sklearn'] = sys.modules['sklearn.base'] = None\n"
        "import neuralstat\n"
        "try:\n    import neuralstat.sklearn\n"
        "except ImportError as e:\n    print(e)"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert "pip install 'neuralstat[sklearn]'" in done.stdout
