"""xarray data sets of fits: the numbers of the fit, by named dimensions."""

from __future__ import annotations

import sys

import numpy as np
import pandas as pd
import pytest
from raw import CUT_SHORT

import neuralstat as ns
from neuralstat import layers as L
from neuralstat.errors import ArgumentError

xarray = pytest.importorskip("xarray")
pytestmark = CUT_SHORT


@pytest.fixture(scope="module")
def data():
    return ns.datasets.doppler(n=60, noise=0.1, random_state=1).set_index(pd.Index(range(100, 160), name="row"))


@pytest.fixture(scope="module")
def fit(data):
    return ns.neuralnet("y ~ x", data, hidden=2, rep=3, random_state=1)


def test_weights_and_fitted_values(fit, data):
    made = fit.to_xarray()
    assert dict(made.sizes) == {"rep": 3, "weight": 7, "obs": 60, "output": 1}
    np.testing.assert_array_equal(made["weights"], fit.theta)
    for rep in (1, 3):
        own = made.sel(rep=rep)
        np.testing.assert_array_equal(own["fitted"].sel(output="y"), fit.predict(rep=rep))
        assert float(own["weights"].sel(weight="x.to.1layhid2")) == fit.weights[rep - 1][0][1, 1]
    np.testing.assert_array_equal(made["obs"], data.index)
    np.testing.assert_allclose(made["observed"].sel(output="y"), data["y"], rtol=1e-12)
    np.testing.assert_array_equal(made["error"], fit.errors)
    assert made["status"].values.tolist() == list(fit.reps["status"])
    assert made.attrs["formula"] == "y ~ x" and made.attrs["family"] == "gaussian" and made.attrs["best"] == fit.best
    kernel = made["weights"].where(made["array"] == "dense/kernel", drop=True)
    np.testing.assert_array_equal(kernel.sel(rep=fit.best), fit.get_weights()["dense/kernel"].ravel())


def test_history_ends_where_a_repetition_did():
    rng = np.random.default_rng(1)
    table = pd.DataFrame({"x": rng.normal(size=80), "y": rng.normal(size=80)})
    fit = ns.neuralnet("y ~ x", table, layers=[L.Dense(3, "tanh")], algorithm="adam", epochs=40, rep=3, random_state=1,
                       learningrate=0.1, validation=0.3, early_stopping=ns.EarlyStopping(patience=1))  # fmt: skip
    made, history = fit.to_xarray(), fit.history
    epochs = history.groupby("rep")["epoch"].max()
    assert made.sizes["epoch"] == epochs.max() and epochs.nunique() > 1
    for rep, last in epochs.items():
        own = made["val_loss"].sel(rep=rep)
        np.testing.assert_array_equal(own[:last], history.loc[history["rep"] == rep, "val_loss"])
        assert np.isnan(own[last:]).all()


def test_coefficients_classes_and_levels_of_the_index():
    table = ns.datasets.infert()
    fit = ns.neuralnet("case ~ age + parity", table, hidden=0, family="binomial", random_state=1)
    made = fit.to_xarray()
    assert float(made["coefficients"].sel(coefficient="age", statistic="se")) == fit.bse["age.to.case"]
    iris = ns.datasets.iris()
    iris.index = pd.MultiIndex.from_arrays([iris["Species"], range(150)], names=["kind", None])
    fit = ns.neuralnet("Species ~ .", iris, hidden=2, rep=1, random_state=1, family="multinomial", penalty=ns.decay(0.1))
    made = fit.to_xarray()
    assert made["output"].values.tolist() == ["setosa", "versicolor", "virginica"] and "coefficients" not in made
    assert made["kind"].values[60] == "versicolor" and made["level_1"].values[60] == 60
    np.testing.assert_allclose(made["fitted"].sum("output"), 1)


def test_a_fit_without_its_data(tmp_path):
    rng = np.random.default_rng(1)
    table = {"x": rng.normal(size=(20, 4, 4, 1)), "y": rng.normal(size=20)}
    fit = ns.neuralnet("y ~ x", table, layers=[L.Flatten()], algorithm="adam", epochs=2, rep=2, random_state=1)
    fit.save(tmp_path / "fit.nst")
    made = ns.load(tmp_path / "fit.nst").to_xarray()
    assert "fitted" not in made and "observed" not in made and dict(made.sizes) == {"rep": 2, "weight": 17, "epoch": 2}


def test_without_xarray(fit, monkeypatch):
    monkeypatch.setitem(sys.modules, "xarray", None)
    with pytest.raises(ArgumentError, match="pip install xarray"):
        fit.to_xarray()


def test_levels_and_metrics_that_are_called_as_variables_are():
    def weights(y, prediction):
        return float(np.abs(y - prediction).max())

    def fitted(y, prediction):
        return 7.0

    rng = np.random.default_rng(1)
    names = ["rep", "loss", "rep", None, "weights"]
    index = pd.MultiIndex.from_arrays([range(30), range(30, 60), range(60, 90), range(90, 120), range(120, 150)], names=names)
    table = pd.DataFrame({"x": rng.normal(size=30), "y": rng.normal(size=30)}, index=index)
    fit = ns.neuralnet("y ~ x", table, layers=[L.Dense(3, "tanh")], algorithm="adam", epochs=3, rep=2, random_state=1,
                       metrics=[weights, fitted])  # fmt: skip
    made = fit.to_xarray()
    np.testing.assert_array_equal(made["weights"], fit.theta)
    assert made["fitted"].dims == ("rep", "obs", "output") and made["rep"].values.tolist() == [1, 2]
    for name, first in (("rep_", 0), ("loss", 30), ("rep__", 60), ("level_3", 90), ("weights_", 120)):
        np.testing.assert_array_equal(made.coords[name], np.arange(first, first + 30))
    history = fit.history
    for name, column in (("weights__", "weights"), ("loss_", "loss"), ("fitted_", "fitted")):
        np.testing.assert_array_equal(made[name].sel(rep=2), history.loc[history["rep"] == 2, column])
