"""Distributions of several parameters on a cluster: fits and statistics are those of the table; refusals say why."""

from __future__ import annotations

import numpy as np
import pandas as pd
import pytest

import neuralstat as ns
from neuralstat.errors import ArgumentError, DataError

pytestmark = [pytest.mark.filterwarnings("ignore::neuralstat.errors.NeuralStatWarning"),
              pytest.mark.filterwarnings("ignore::ResourceWarning")]  # fmt: skip
N = 400


@pytest.fixture(scope="module")
def table():
    rng = np.random.default_rng(0)
    made = pd.DataFrame({"x": rng.normal(size=N), "z": rng.uniform(0, 1, N)})
    made["y"] = np.sin(made.x) + np.exp(-1 + made.z) * rng.normal(size=N)
    made["y2"] = made.y + rng.normal(size=N)
    made["positive"], made["share"] = rng.gamma(3, np.exp(0.3 * made.x) / 3), rng.beta(2 + made.z, 3)
    made["count"] = rng.negative_binomial(3, 3 / (3 + np.exp(1 + 0.4 * made.x)))
    made["zeros"] = np.where(rng.uniform(size=N) < 0.3, 0, made["count"])
    made["amount"] = np.where(rng.uniform(size=N) < 0.3, 0, made.positive)
    made["level"] = pd.Categorical(np.digitize(made.y, [-0.5, 0.7]).astype(str), categories=["0", "1", "2"], ordered=True)
    made["w"], made["o"] = rng.uniform(0.5, 2, N), 0.1 * rng.normal(size=N)
    made.loc[[3, 200], "x"] = np.nan
    made.loc[7, "z"] = np.nan
    return made


def dask(table):
    import dask.dataframe as dd

    return dd.concat([dd.from_pandas(table[:150], npartitions=2), dd.from_pandas(table[150:150], npartitions=1),
                      dd.from_pandas(table[150:], npartitions=2)])  # fmt: skip


MODELS = {
    "gaussian": ("y ~ x", {"dispformula": "~ bs(z, df=4)", "weights": "w", "standardize": True}),
    "gamma": ("positive ~ x", {"dispformula": "~ z"}),
    "inverse_gaussian": ("positive ~ x", {"dispformula": "~ 1"}),
    "lognormal": ("positive ~ x", {"hidden": 1}),
    "beta": ("share ~ x", {"dispformula": "~ z", "standardize": True}),
    "negative_binomial": ("count ~ x", {"offset": "o"}),
    "hurdle_negative_binomial": ("zeros ~ scale(x) + z", {"weights": "w"}),
    "zero_inflated_poisson": ("zeros ~ x", {}),
    "tweedie": ("amount ~ x", {}),
    "student": ("y ~ poly(z, 2)", {"standardize": True}),
    "huber": ("y ~ x", {}),
    "mixture": ("y ~ x", {"penalty": ns.decay(1.0)}),
    "multivariate_normal": ("y + y2 ~ x", {"standardize": True}),
    "ordinal": ("level ~ x", {}),
}  # fmt: skip
SLOW = ("inverse_gaussian", "zero_inflated_poisson", "huber", "lognormal", "gamma", "tweedie")


@pytest.mark.parametrize("family", [pytest.param(name, marks=[pytest.mark.slow] if name in SLOW else []) for name in MODELS])
def test_the_fit_and_its_statistics_are_those_of_the_table(family, client, table):
    formula, given = MODELS[family]
    options = {"family": family, "hidden": 0, "rep": 1, "random_state": 1, "algorithm": "lbfgs", "penalty": ns.decay(0.1),
               "threshold": 1e-5, **given}  # fmt: skip
    there, here = ns.neuralnet(formula, dask(table), **options), ns.neuralnet(formula, table, **options)
    assert there.design.away and there.nobs == here.nobs and there.network.names == here.network.names
    np.testing.assert_allclose(there.errors, here.errors, rtol=1e-7)
    np.testing.assert_allclose(there.theta, here.theta, rtol=1e-4, atol=1e-5)
    for statistic in ("deviance", "llf", "aic", "llnull", "null_deviance", "rsquared", "df_resid", "bse"):
        found, known = getattr(there, statistic), getattr(here, statistic)
        np.testing.assert_allclose(found, known, rtol=1e-3, atol=1e-5, err_msg=statistic)
    np.testing.assert_allclose(there.cov_params("sandwich"), here.cov_params("sandwich"), rtol=1e-3, atol=1e-5)
    for mark in ("Observations", "Rows dropped", "Family"):
        text, known = (str(fit.summary()).splitlines() for fit in (there, here))
        assert [row for row in text if mark in row] == [row for row in known if mark in row]


@pytest.mark.parametrize("given", [{}, {"dispformula": "~ z"}, {"dispformula": True, "hidden": 2, "offset": "o"}])
def test_starts_are_those_of_the_table(given, client, table):
    options = {"family": "negative_binomial", "hidden": 1, "rep": 3, "random_state": 1, "stepmax": 3, "algorithm": "rprop+",
               **given}  # fmt: skip
    there, here = ns.neuralnet("count ~ x", dask(table), **options), ns.neuralnet("count ~ x", table, **options)
    np.testing.assert_allclose(there.fit.theta, here.fit.theta, rtol=1e-9, atol=1e-12)


@pytest.mark.parametrize(("formula", "given", "said"), [
    ("y ~ x", {"family": "quantile"}, "begins at quantiles of all rows.*ns.chunks"),
    ("y ~ x", {"family": "laplace"}, "begins at quantiles of all rows.*ns.chunks"),
    ("Surv(positive, z > 0.5) ~ x", {"family": "cox"}, "times to an event.*ns.chunks"),
    ("Surv(positive, z > 0.5) ~ x", {"family": "weibull"}, "times to an event.*ns.chunks"),
    ("level ~ x", {"family": "ordinal", "offset": "o"}, "offset: on a Dask cluster the family 'ordinal' has none"),
])  # fmt: skip
def test_what_cannot_be_is_said(formula, given, said, client, table):
    with pytest.raises(ArgumentError, match=said):
        ns.neuralnet(formula, dask(table), **given)


def test_a_response_that_is_none_of_the_distribution(client, table):
    with pytest.raises(DataError, match="the response number 2 has one value only"):
        ns.neuralnet("y + y2 ~ x", dask(table.assign(y2=1.0)), family="multivariate_normal")
    with pytest.raises(DataError, match="strictly between 0 and 1"):
        ns.neuralnet("y ~ x", dask(table), family="beta")
