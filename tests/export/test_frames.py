"""Polars in, polars out; pyarrow in, pyarrow out; what is said is what pandas is told."""

from __future__ import annotations

import pickle

import cloudpickle
import numpy as np
import pandas as pd
import pytest
from raw import CUT_SHORT

import neuralstat as ns
from neuralstat import layers as L

polars = pytest.importorskip("polars")
pyarrow = pytest.importorskip("pyarrow")
pytestmark = [CUT_SHORT, pytest.mark.filterwarnings("ignore::neuralstat.errors.ConvergenceWarning")]


def table(n=40, seed=1):
    rng = np.random.default_rng(seed)
    data = pd.DataFrame({"x": rng.normal(size=n), "g": rng.choice(list("abc"), n)})
    return data.assign(y=data["x"] + (data["g"] == "a") + 0.1 * rng.normal(size=n))


@pytest.fixture(scope="module")
def fit():
    return ns.neuralnet("y ~ x + g", polars.from_pandas(table()), hidden=2, rep=2, random_state=1, stepmax=200)


NEW = table(6, 2).assign(x=[0.5, np.nan, 0.1, -1, 0, 2])
SAME = {"polars": (polars.from_pandas(NEW), polars.Series, polars.DataFrame),
        "pyarrow": (pyarrow.Table.from_pandas(NEW), pyarrow.Array, pyarrow.Table)}  # fmt: skip


def as_pandas(made):
    """The same as pandas, labels of rows counted."""
    return made.to_pandas()


def assert_same(made, expected, column, frame):
    if isinstance(expected, pd.Series):
        assert isinstance(made, column)
        np.testing.assert_array_equal(np.asarray(as_pandas(made)), np.asarray(expected))
    else:
        assert isinstance(made, frame) and len(set(as_pandas(made).columns)) == expected.shape[1]
        np.testing.assert_array_equal(as_pandas(made).to_numpy(float), expected.to_numpy(float))


@pytest.mark.parametrize("kind", SAME)
def test_predictions(kind, fit):
    new, column, frame = SAME[kind]
    for more in ({}, {"rep": "best"}, {"rep": "all"}, {"type": "link"}):
        assert_same(fit.predict(new, **more), fit.predict(NEW, **more), column, frame)
    made = fit.predict(new)
    assert made.null_count() == 1 if kind == "polars" else made.null_count == 1
    assert isinstance(fit.predict(NEW), pd.Series) and isinstance(fit.predict(), pd.Series)
    units = fit.predict(new, type="units", rep=1)
    assert all(isinstance(one, frame) for one in units) and len(units) == 3


@pytest.mark.parametrize("kind", SAME)
def test_tables_of_intervals(kind, fit):
    new, column, frame = SAME[kind]
    made, expected = fit.get_prediction(new, rep="best"), fit.get_prediction(NEW, rep="best")
    assert_same(made.summary_frame(0.1), expected.summary_frame(0.1), column, frame)
    assert_same(made.conf_int(obs=True), expected.conf_int(obs=True), column, frame)
    assert_same(made.predicted_mean, expected.predicted_mean, column, frame)
    assert_same(made.se_mean, expected.se_mean, column, frame)
    assert repr(made) == repr(expected) and made.method == "delta"
    with pytest.raises(ns.errors.ArgumentError, match="alpha"):
        made.summary_frame(2)
    draws = fit.simulate(3, new=new, random_state=1)
    assert_same(draws, fit.simulate(3, new=NEW, random_state=1), column, frame)


@pytest.mark.parametrize("kind", SAME)
def test_several_outputs_classes_and_features(kind):
    iris = ns.datasets.iris()
    fit = ns.neuralnet("Species ~ .", iris, hidden=2, rep=2, random_state=1, family="multinomial", stepmax=100)
    given = iris.iloc[::30]
    new = polars.from_pandas(given) if kind == "polars" else pyarrow.Table.from_pandas(given)
    _, column, frame = SAME[kind]
    made = fit.predict(new)
    assert_same(made, fit.predict(given), column, frame)
    assert list(as_pandas(made).columns) == ["setosa", "versicolor", "virginica"]
    every = as_pandas(fit.predict(new, rep="all"))
    assert list(every.columns)[:4] == ["1.setosa", "1.versicolor", "1.virginica", "2.setosa"]
    classes = fit.predict(new, type="class")
    assert isinstance(classes, column) and list(as_pandas(classes)) == list(fit.predict(given, type="class"))
    kinds = list(iris["Species"].unique())
    assert "dictionary" in str(classes.type) if kind == "pyarrow" else classes.dtype == polars.Enum(kinds)
    assert_same(fit.features("dense", new), fit.features("dense", given), column, frame)
    summary = as_pandas(fit.get_prediction(new, rep="best").summary_frame())
    assert list(summary.columns)[:2] == ["setosa.mean", "setosa.mean_se"]


def test_zero_and_one_are_classes_too():
    data = table().assign(b=np.tile([0, 1], 20))
    fit = ns.neuralnet("b ~ x", data, hidden=1, rep=1, random_state=1, family="binomial", stepmax=50)
    made = fit.predict(polars.from_pandas(NEW), type="class")
    assert made.to_list()[1] is None and set(made.to_list()) <= {0, 1, None}


def test_partitions_of_dask_one_by_one(fit):
    dask = pytest.importorskip("dask.dataframe")
    frame = dask.from_pandas(NEW, npartitions=2)
    made = frame.map_partitions(fit.predict, meta=("y", float)).compute()
    pd.testing.assert_series_equal(made, fit.predict(NEW), check_names=False)


# pickles -----------------------------------------------------------------------------------------------------


def fits():
    data = table()
    binary = data.assign(b=np.tile([0, 1], 20))
    yield "own activation", lambda: ns.neuralnet("y ~ x", data, hidden=2, act_fct=lambda z: z / (1 + abs(z)), rep=2,
                                                 random_state=1, stepmax=50)  # fmt: skip
    yield "own error", lambda: ns.neuralnet("y ~ x", data, hidden=1, err_fct=lambda x, y: (y - x) ** 2 / 2, rep=1,
                                            random_state=1, stepmax=50)  # fmt: skip
    yield pytest.param("own activation of a layer", lambda: ns.neuralnet(
        "y ~ x + g", data, layers=[L.Dense(2, lambda z: z / (1 + z**2))], algorithm="adam", epochs=2, random_state=1),
        marks=pytest.mark.slow)  # a minute of compilation
    yield "structured", lambda: ns.neuralnet("y ~ s(x) + (1 | g)", data, random_state=1)
    yield "binomial", lambda: ns.neuralnet("b ~ x", binary, hidden=1, family="binomial", rep=1, random_state=1, stepmax=50)


@pytest.mark.parametrize(("name", "make"), list(fits()), ids=lambda value: value if isinstance(value, str) else "")
def test_fits_are_pickled(name, make):
    fit = make()
    dumps = cloudpickle.dumps if name.startswith("own") else pickle.dumps
    again = pickle.loads(dumps(fit))
    np.testing.assert_array_equal(again.theta, fit.theta)
    np.testing.assert_array_equal(again.predict(NEW), fit.predict(NEW))
    np.testing.assert_array_equal(again.fittedvalues, fit.fittedvalues)
    assert again.errors.tolist() == fit.errors.tolist() and repr(again) == repr(fit)


def test_fits_through_joblib(tmp_path, fit):
    joblib = pytest.importorskip("joblib")
    joblib.dump(fit, tmp_path / "fit.joblib")
    np.testing.assert_array_equal(joblib.load(tmp_path / "fit.joblib").predict(NEW), fit.predict(NEW))
