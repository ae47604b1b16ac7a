"""The estimators inside scikit-learn: tables through pipelines, names of features, routed weights, searches."""

from __future__ import annotations

import pickle

import cloudpickle
import numpy as np
import pandas as pd
import pytest

pytest.importorskip("sklearn")
import raw
import sklearn
from sklearn.base import clone
from sklearn.compose import make_column_transformer
from sklearn.linear_model import LinearRegression
from sklearn.model_selection import GridSearchCV, RandomizedSearchCV, StratifiedKFold, cross_validate
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import OneHotEncoder, StandardScaler

import neuralstat as ns
from neuralstat.layers import Dense
from neuralstat.sklearn import NeuralNetClassifier, NeuralNetRegressor

pytestmark = [raw.CUT_SHORT, pytest.mark.filterwarnings("ignore::neuralstat.errors.NeuralStatWarning")]


def table(n=60, seed=1):
    rng = np.random.default_rng(seed)
    x = pd.DataFrame({"age": rng.normal(40, 10, n), "dose": rng.uniform(size=n), "sex": rng.choice(["f", "m"], n)})
    return x, x["age"] / 10 + (x["sex"] == "m") + 0.1 * rng.normal(size=n)


def prepared(model):
    levels = OneHotEncoder(sparse_output=False, drop="first")
    transform = make_column_transformer((StandardScaler(), ["age", "dose"]), (levels, ["sex"]))
    return make_pipeline(transform, model)


@pytest.mark.parametrize("output", ["pandas", "polars"])
def test_tables_go_through_pipelines(output):
    pytest.importorskip(output)
    x, y = table()
    pipe = prepared(NeuralNetRegressor(1, random_state=1, decay=0.1)).set_output(transform=output)
    values = pipe.fit(x, y).predict(x)
    names = list(pipe[:-1].get_feature_names_out())
    assert list(pipe[-1].feature_names_in_) == names == list(pipe[-1].results_.network.input_names)
    plain = prepared(NeuralNetRegressor(1, random_state=1, decay=0.1)).fit(x, y)
    np.testing.assert_allclose(values, plain.predict(x), rtol=1e-10)
    assert not hasattr(plain[-1], "feature_names_in_")


@pytest.mark.parametrize("kind", ["polars", "pyarrow"])
def test_tables_of_other_packages_are_covariates(kind):
    package = pytest.importorskip(kind)
    x, y = table()
    x = x[["age", "dose"]]
    given = package.from_pandas(x) if kind == "polars" else package.Table.from_pandas(x)
    if kind == "pyarrow":  # scikit-learn takes it as an array
        given = np.column_stack([given[name].to_numpy() for name in given.column_names])
    model = NeuralNetRegressor(1, random_state=1, decay=0.1)
    np.testing.assert_allclose(model.fit(given, y).predict(given), clone(model).fit(x, y).predict(x), rtol=1e-12)


def test_names_of_features_are_held_to():
    x, y = table()
    model = NeuralNetRegressor(1, random_state=1, decay=0.1).fit(x[["age", "dose"]], y)
    assert list(model.feature_names_in_) == ["age", "dose"] and model.n_features_in_ == 2
    with pytest.raises(ValueError, match="feature names"):
        model.predict(x[["dose", "age"]])
    with pytest.raises(ValueError, match="feature names"):
        model.predict(x[["age"]])
    with pytest.warns(UserWarning, match="does not have valid feature names"):
        model.predict(x[["age", "dose"]].to_numpy())


@pytest.fixture
def routing():
    with sklearn.config_context(enable_metadata_routing=True):
        yield


def test_weights_are_routed_through_searches(routing):
    """Rows of weight 0 are as if they were not there, in the fits of a search and in its scores."""
    x, y = table(40)
    x = x[["age", "dose"]]
    weight = np.tile([1.0, 0.0], 20)
    wrong = np.where(weight > 0, y, y + 1000)
    model = NeuralNetRegressor(1, random_state=1, decay=0.1)
    asked = model.set_fit_request(sample_weight=True).set_score_request(sample_weight=True)
    pipe = make_pipeline(StandardScaler().set_fit_request(sample_weight=True), asked)
    if sklearn.__version__.startswith("1.6."):  # there a pipeline is asked for its own score, too
        pipe.set_score_request(sample_weight=True)
    search = GridSearchCV(pipe, {"neuralnetregressor__decay": [0.01, 10.0]}, cv=2).fit(x, wrong, sample_weight=weight)
    assert search.best_score_ > 0.5
    unasked = GridSearchCV(make_pipeline(StandardScaler().set_fit_request(sample_weight=False),
                                         clone(model).set_fit_request(sample_weight=False)),
                           {"neuralnetregressor__decay": [0.01]}, cv=2).fit(x, wrong)  # fmt: skip
    assert unasked.best_score_ < 0.2
    scores = cross_validate(asked, x, wrong, cv=2, params={"sample_weight": weight})
    assert scores["test_score"].min() > 0.5


def test_weights_that_nobody_asked_for_are_refused(routing):
    x, y = table(20)
    with pytest.raises(ValueError, match="sample_weight"):
        GridSearchCV(NeuralNetRegressor(1), {"decay": [0.1]}, cv=2).fit(x[["age"]], y, sample_weight=np.ones(20))


GRIDS = {
    "hidden": [1, (2, 1)], "epochs": [1, 3], "batch_size": [4, 16], "learning_rate": [0.001, 0.1],
    "early_stopping": [None, ns.EarlyStopping(patience=1)], "layers": [[Dense(2, "relu")], [Dense(1, "tanh"), Dense(2)]],
    "algorithm": ["adam", "rmsprop"], "act_fct": ["tanh", "relu"], "decay": [0.0, 1.0], "rep": [1, 2],
    "penalty": [None, ns.l1(0.1)], "standardize": [True, False],
}  # fmt: skip


@pytest.mark.parametrize("name", GRIDS)
def test_searches_over_every_setting(name):
    """Every candidate is fitted as it would be alone, and its settings reach the fit."""
    x, y = table(40)
    x = x[["age", "dose"]]
    more = {"validation": 0.25} if name == "early_stopping" else {}
    base = NeuralNetRegressor(1, epochs=2, batch_size=8, learning_rate=0.02, random_state=1, **more)
    search = GridSearchCV(base, {name: GRIDS[name]}, cv=2, refit=True).fit(x, y)
    assert np.isfinite(search.cv_results_["mean_test_score"]).all()
    alone = clone(base).set_params(**search.best_params_).fit(x, y)
    np.testing.assert_array_equal(search.predict(x), alone.predict(x))
    given = [clone(base).set_params(**{name: value}).fit(x, y).predict(x) for value in GRIDS[name]]
    if name != "early_stopping":  # two epochs are too few to stop
        assert not np.array_equal(*given)


def test_searches_over_classifiers():
    """Scores of candidates are the log-losses of fits to the folds, and the best of them tells the classes apart."""
    x, y = table(60)
    x, label = x[["age", "dose"]], np.where(y > y.median(), "high", "low")
    base = NeuralNetClassifier(random_state=1, epochs=20, learning_rate=0.05)
    grid = {"hidden": [1, 2], "batch_size": [8, 16], "epochs": [10, 20]}
    search = RandomizedSearchCV(base, grid, n_iter=3, cv=2, random_state=1, scoring="neg_log_loss").fit(x, label)
    assert len(search.cv_results_["params"]) == 3 and list(search.classes_) == ["high", "low"]
    for params, score in zip(search.cv_results_["params"], search.cv_results_["mean_test_score"], strict=True):
        losses = []
        for train, test in StratifiedKFold(2).split(x, label):
            fit = clone(base).set_params(**params).fit(x.iloc[train], label[train])
            low = fit.predict_proba(x.iloc[test])[:, 1]
            losses.append(np.mean(np.log(np.where(label[test] == "low", low, 1 - low))))
        assert score == pytest.approx(np.mean(losses), rel=1e-10)
    assert search.best_score_ == search.cv_results_["mean_test_score"].max() > -np.log(2)  # that of a coin


@pytest.mark.slow
def test_a_search_in_processes():
    x, y = table(30)
    search = GridSearchCV(NeuralNetRegressor(1, act_fct=lambda z: z / (1 + abs(z)), random_state=1, stepmax=50),
                          {"decay": [0.1, 1.0]}, cv=2, n_jobs=2)  # fmt: skip
    assert np.isfinite(search.fit(x[["age"]], y).best_score_)


@pytest.mark.parametrize("dumps", [pickle.dumps, cloudpickle.dumps])
def test_fitted_estimators_are_pickled(dumps):
    x, y = table(30)
    x = x[["age", "dose"]]
    model = NeuralNetRegressor(layers=[Dense(2, "relu")], epochs=2, random_state=1).fit(x, y)
    again = pickle.loads(dumps(model))
    np.testing.assert_array_equal(again.predict(x), model.predict(x))
    assert again.get_params() == model.get_params()


def test_estimators_with_functions_are_pickled_by_value():
    x, y = table(30)
    x = x[["age", "dose"]]
    model = NeuralNetRegressor(2, act_fct=lambda z: z / (1 + abs(z)), random_state=1, decay=0.1).fit(x, y)
    again = pickle.loads(cloudpickle.dumps(model))
    np.testing.assert_array_equal(again.predict(x), model.predict(x))


def test_a_network_without_hidden_units_is_least_squares():
    x, y = table(40)
    x = x[["age", "dose"]]
    model = NeuralNetRegressor(0, decay=0.0, threshold=1e-6, random_state=1).fit(x, y)
    np.testing.assert_allclose(model.predict(x), LinearRegression().fit(x, y).predict(x), rtol=1e-5)
