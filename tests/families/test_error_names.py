"""Names of error functions."""

from __future__ import annotations

import warnings

import numpy as np
import pandas as pd
import pytest
import raw

import neuralstat as ns
from neuralstat.errors import ArgumentError, ConvergenceWarning

pytestmark = pytest.mark.filterwarnings("ignore::neuralstat.errors.FitWarning")


@pytest.fixture(scope="module")
def data():
    rng = np.random.default_rng(1)
    frame = pd.DataFrame({"x": rng.normal(size=101), "z": rng.normal(size=101)})
    return frame.assign(y=3 + frame["x"] / 2 - 2 * frame["z"] + rng.standard_t(2, size=101))


@pytest.mark.parametrize(
    ("arguments", "close"),
    [({"algorithm": "bfgs"}, 1e-4), ({"algorithm": "rprop+", "stepmax": 3000}, 1e-3), ({}, 1e-3),
     ({"algorithm": "adam", "epochs": 400, "learningrate": 0.02}, 4e-3)],
    ids=["bfgs", "rprop+", "default", "adam"],
)  # fmt: skip
def test_absolute_deviations_are_median_regression(data, arguments, close):
    import statsmodels.formula.api as smf

    median = smf.quantreg("y ~ x + z", data).fit(q=0.5)
    least = np.abs(median.resid).sum()
    given = {"hidden": 0, "err_fct": "mae", "rep": 1, "standardize": True, "random_state": 1, **arguments}
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", ConvergenceWarning)  # at a kink no derivative is small
        fit = ns.neuralnet("y ~ x + z", data, **given)
    total = float(np.abs(data["y"] - fit.predict()).sum())
    assert fit.errors[0] == pytest.approx(total, rel=1e-9)  # the sum, as "sse" is
    assert least * (1 - 1e-6) < total < least * (1 + close)  # statsmodels' is iterative, too


@pytest.mark.filterwarnings("ignore::neuralstat.errors.ConvergenceWarning")
def test_it_is_the_function(data, tmp_path):
    given = {"hidden": 2, "rep": 2, "random_state": 3, "stepmax": 100}
    fit = raw.neuralnet("y ~ x", data, err_fct="mae", **given)
    by_hand = raw.neuralnet("y ~ x", data, err_fct=lambda x, y: abs(x - y), **given)
    np.testing.assert_array_equal(fit.fit.theta, by_hand.fit.theta)
    assert "err_fct='mae'" in fit.call
    fit.save(tmp_path / "fit.nst")
    again = ns.load(tmp_path / "fit.nst")
    np.testing.assert_array_equal(again.predict(data), fit.predict(data))
    weighted = raw.neuralnet("y ~ x", data.assign(w=2.0), err_fct="mae", weights="w", **given)
    assert weighted.errors[0] == pytest.approx(2 * float(np.abs(data["y"] - weighted.predict(rep=1)).sum()))
    with pytest.raises(ArgumentError, match="belongs to no family"):
        _ = fit.llf


@pytest.mark.parametrize(
    ("name", "said"),
    [("mse", "Here it is 'sse'"), ("L1", "Here it is 'mae'"), ("binary_crossentropy", "Here it is family='binomial'"),
     ("huber", r"unknown error function 'huber'. Known: 'sse', 'ce', 'mae'; or a function")],
)  # fmt: skip
@pytest.mark.parametrize("algorithm", ["rprop+", "adam"])
def test_other_names(data, name, said, algorithm):
    with pytest.raises(ArgumentError, match=said):
        raw.neuralnet("y ~ x", data, err_fct=name, algorithm=algorithm)
