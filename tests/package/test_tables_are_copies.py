"""Tables that a fit gives are those of whoever asked: what is written into them changes no fit, with any pandas."""

from __future__ import annotations

import numpy as np
import pandas as pd
import pytest
import raw

import neuralstat as ns
from neuralstat import layers as L

DATA = pd.DataFrame({"x": np.linspace(-1, 1, 40), "y": np.sin(3 * np.linspace(-1, 1, 40)) + 2})
NAMES = ["params", "bse", "tvalues", "pvalues", "fittedvalues", "resid", "resid_response", "resid_deviance", "resid_pearson",
         "reps"]  # fmt: skip


@pytest.fixture(scope="module")
def fit():
    return raw.neuralnet("y ~ x", DATA, hidden=1, rep=2, algorithm="lm", random_state=1, standardize=True)


def spoil(found):
    """Write into a table or array."""
    if isinstance(found, pd.DataFrame):
        for name in found.select_dtypes("number"):
            found.loc[:, name] = 0
            found[name] *= 0
    elif isinstance(found, pd.Series):
        found.iloc[:] = 0
    else:
        found[:] = 0


@pytest.mark.parametrize("name", NAMES)
def test_writing_into_what_a_fit_gave(fit, name):
    before = getattr(fit, name).copy()
    spoil(getattr(fit, name))
    np.testing.assert_array_equal(getattr(fit, name), before)


@pytest.mark.parametrize("call", [lambda f: f.predict(), lambda f: f.cov_params(), lambda f: f.conf_int(),
                                  lambda f: f.residuals(), lambda f: f.get_prediction().summary_frame()])  # fmt: skip
def test_writing_into_what_a_method_gave(fit, call):
    before = call(fit).copy()
    spoil(call(fit))
    np.testing.assert_array_equal(call(fit), before)


def test_the_data_are_not_written_into(fit):
    table = DATA.copy()
    own = raw.neuralnet("y ~ x", table, hidden=1, algorithm="lm", random_state=1, standardize=True)
    pd.testing.assert_frame_equal(table, DATA)
    fitted = own.fittedvalues.copy()
    table.loc[:, :] = 0
    np.testing.assert_array_equal(own.predict(DATA), fitted)


@pytest.mark.filterwarnings("ignore::neuralstat.errors.FitWarning")
@pytest.mark.parametrize("standardize", [False, True])
def test_histories_are_the_same_each_time(standardize):
    """In units of a scaled response, they were multiplied by its variance at each look with pandas before 3."""
    made = ns.neuralnet("y ~ x", DATA, layers=[L.Dense(2, "tanh")], algorithm="adam", epochs=3, rep=2, random_state=1,
                        standardize=standardize)  # fmt: skip
    first = made.history
    pd.testing.assert_frame_equal(made.history, first)
    own = made.history
    own.loc[:, "loss"] = 0.0
    pd.testing.assert_frame_equal(made.history, first)
