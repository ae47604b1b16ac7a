"""Information criteria: published values, statsmodels, and the degrees of freedom that they name."""

import numpy as np
import pytest
import raw
import statsmodels.api as sm
from fits import boston, linear_data, ols, ridge
from reference import target

from neuralstat.df import DegreesOfFreedom


def test_boston_criteria():
    """The vignette of interpretnn: BIC with k = 29 and with the noise variance counted."""
    b, _, fit = boston()
    assert fit.info_criteria("gic", df=0, sigma=1) == pytest.approx(b["rss"], rel=1e-7)
    assert fit.info_criteria("aic", df=0) == pytest.approx(-2 * b["loglik"], abs=1e-5)
    assert fit.info_criteria("bic", df="weights") == pytest.approx(b["bic_k"], abs=1e-5)
    assert fit.info_criteria("bic", df="weights", convention="R") == pytest.approx(b["bic_k1"], abs=1e-5)
    assert fit.info_criteria("bic", df="weights", dk_params=1) == pytest.approx(b["bic_k1"], abs=1e-5)


def test_criteria_equal_statsmodels():
    y, x = linear_data()
    expected = sm.OLS(y, sm.add_constant(x)).fit()
    fit = ols()
    assert fit.aic == pytest.approx(expected.aic) and fit.bic == pytest.approx(expected.bic)
    assert fit.aicc == pytest.approx(expected.info_criteria("aicc", dk_params=1))  # sigma counts
    assert fit.info_criteria("aic", convention="R") == pytest.approx(
        expected.info_criteria("aic", dk_params=1)
    )
    assert fit.df_model == pytest.approx(expected.df_model) and fit.df_resid == pytest.approx(
        expected.df_resid
    )
    w = np.random.default_rng(0).uniform(0.5, 2, 50)
    weighted = sm.WLS(y, sm.add_constant(x), weights=w).fit()
    ours = raw.NeuralNet(y, x, hidden=0, weights=w).fit(
        threshold=1e-8, random_state=1
    )
    assert ours.aic == pytest.approx(weighted.aic) and ours.df("divergence") == pytest.approx(5)


def test_criteria_table_names_its_df():
    table = ridge().criteria()
    assert list(table.index[:7]) == ["aic", "aicc", "bic", "gcv", "cp", "gic", "tic"]
    assert table.loc["aic", "df"] == pytest.approx(target("G_ridge")["trS"])
    assert table.loc["aic", "method"] == "divergence" and table.loc["tic", "method"] == "nic"
    assert table.loc["aic (R's neuralnet)", "df"] == 5
    assert "sigma" in table.loc["cp", "note"]
    mc = ridge().criteria(df="gdf", draws=50, random_state=1, sigma=1.0)
    assert mc.loc["aic", "method"] == "gdf" and mc.loc["aic", "se"] > 0
    assert mc.loc["cp", "value"] == pytest.approx(
        ridge().info_criteria("cp", df=DegreesOfFreedom(mc.loc["cp", "df"], "gdf"), sigma=1.0))  # fmt: skip
    for name in ("aic", "aicc", "bic", "gcv", "cp", "gic", "tic"):
        assert table.loc[name, "value"] == pytest.approx(getattr(ridge(), name)), name
