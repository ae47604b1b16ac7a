"""Means that round to 0 or 1 (linear predictors beyond 37): standard errors, tests, residuals, intervals."""

from __future__ import annotations

import warnings

import numpy as np
import pandas as pd
import pytest
import statsmodels.api as sm

import neuralstat as ns
from neuralstat.df import local
from neuralstat.errors import NeuralStatWarning
from neuralstat.families import working
from neuralstat.inference.covariance import expected_information

EXACT = {"hidden": 0, "standardize": "auto", "rep": 1, "random_state": 1}
L = sm.families.links
F = ns.families


def _frame() -> pd.DataFrame:
    """Covariate x is far out at two rows, where the response is what it must be; z is noise."""
    rng = np.random.default_rng(4)
    n = 120
    frame = pd.DataFrame({"x": rng.normal(size=n), "z": rng.normal(size=n)})
    frame.loc[[0, 1], "x"] = [60.0, -75.0]
    eta = 0.3 + 0.9 * frame.x
    frame["y"] = (rng.random(n) < 1 / (1 + np.exp(-eta.clip(-30, 30)))).astype(float)
    frame.loc[[0, 1], "y"] = [1.0, 0.0]
    frame["three"] = np.where(frame.y > 0, "a", np.where(rng.random(n) < 0.4, "b", "c"))
    return frame


FRAME = _frame()
LINKS = {"logit": L.Logit(), "probit": L.Probit(), "cauchy": L.Cauchy(), "cloglog": L.CLogLog(), "loglog": L.LogLog()}


@pytest.mark.parametrize("link", LINKS)
def test_statsmodels(link):
    """The far rows weigh nothing in a GLM; statsmodels, whose means are clipped, gives the same."""
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        family = sm.families.Binomial(LINKS[link])
        glm = sm.GLM(FRAME.y, sm.add_constant(FRAME[["x", "z"]]), family).fit(tol=1e-12, maxiter=300)
    fit = ns.neuralnet("y ~ x + z", FRAME, family=F.Binomial(link), **EXACT)
    assert fit.converged
    np.testing.assert_allclose(fit.params, glm.params, rtol=1e-4, atol=1e-6)
    np.testing.assert_allclose(fit.bse, glm.bse, rtol=1e-3)
    with np.errstate(divide="ignore", invalid="ignore"):
        llf = glm.llf
    if np.isfinite(llf):  # statsmodels before 0.15 takes the logarithm of 0 in far rows
        assert fit.llf == pytest.approx(llf, rel=1e-7)
    wald = fit.wald_test_terms().table
    assert wald.loc["z", "statistic"] == pytest.approx(glm.tvalues["z"] ** 2, rel=5e-3)
    assert (wald["df_constraint"] == 1).all()
    assert wald.loc["x", "pvalue"] < 0.05
    for kind in ("response", "deviance", "pearson", "working"):
        values = fit.residuals(kind)
        assert np.isfinite(values).all(), kind
    near = FRAME.index > 1
    for kind in ("resid_pearson", "resid_deviance", "resid_working"):
        np.testing.assert_allclose(getattr(fit, kind)[near], getattr(glm, kind)[near], rtol=2e-3, atol=1e-4)
    influence = fit.get_influence().summary_frame()
    assert np.isfinite(influence.to_numpy()).all()


@pytest.mark.parametrize("scale", [1.0, 20.0])
def test_far_rows_are_told_apart(scale):
    """A fit whose rows all but a few are beyond rounding has the standard errors of the few."""
    frame = pd.DataFrame({"x": np.r_[np.linspace(-2, 2, 40), np.repeat([-50.0, 50.0], 100)] * scale})
    frame["y"] = (frame.x > 0).astype(float)
    frame.loc[[5, 15, 19, 22, 25, 33], "y"] = 1 - frame.y[[5, 15, 19, 22, 25, 33]]
    fit = ns.neuralnet("y ~ x", frame, family="binomial", **EXACT)
    few = ns.neuralnet("y ~ x", frame[:40], family="binomial", **EXACT)
    eta = fit.predict(type="link")
    assert np.abs(eta).max() > 37 and (np.abs(eta) > 37).sum() == 200
    np.testing.assert_allclose(fit.params, few.params, rtol=1e-6, atol=1e-9)
    np.testing.assert_allclose(fit.bse, few.bse, rtol=1e-6)
    assert fit.deviance == pytest.approx(few.deviance) and fit.llf == pytest.approx(few.llf)


def test_wrong_side():
    """A 0 where the linear predictor is large counts as much as it does in the loss."""
    frame = pd.DataFrame({"x": [-1.0, 1.0, -1.0, 1.0], "y": [0.0, 1.0, 1.0, 0.0]})
    fit = ns.neuralnet("y ~ x", frame, hidden=0, family="binomial", startweights=[0.0, 60.0], algorithm="adam", epochs=0,
                       standardize=False, rep=1, batch_size=None)  # fmt: skip
    assert fit.llf == pytest.approx(-120) and fit.deviance == pytest.approx(240)
    np.testing.assert_allclose(fit.resid_pearson, [0, 0, np.exp(30), -np.exp(30)], atol=1e-12)
    np.testing.assert_allclose(fit.resid_deviance, [0, 0, np.sqrt(120), -np.sqrt(120)], atol=1e-12)
    np.testing.assert_allclose(fit.resid_working, [-1, 1, np.exp(60), -np.exp(60)], rtol=1e-9)
    expected = expected_information(fit.fitted, 0)
    np.testing.assert_allclose(expected, 4 * np.exp(-60) * np.eye(2), rtol=1e-8, atol=1e-40)
    rows = local.rows(fit.fitted, 0)[0]
    np.testing.assert_allclose(rows.T @ rows, expected, rtol=1e-8, atol=1e-40)


@pytest.mark.parametrize("link", ["logit", "probit", "cloglog"])
def test_intervals_of_rounded_means(link):
    """The interval of a mean that rounds to 1 is that of its linear predictor."""
    fit = ns.neuralnet("y ~ x + z", FRAME, family=F.Binomial(link), **EXACT)
    covariance, exog = fit.cov_params().to_numpy(), np.array([1.0, 9.0, 0.0])
    new = pd.DataFrame({"x": [9.0], "z": [0.0]})
    eta, se = float(exog @ fit.params), float(np.sqrt(exog @ covariance @ exog))
    frame = fit.get_prediction(new).summary_frame().iloc[0]
    half = 1.959963984540054 * se
    ends = fit.family.link.inverse(np.array([eta - half, eta + half]))
    np.testing.assert_allclose(frame[["mean_ci_lower", "mean_ci_upper"]].to_numpy(float), ends, rtol=1e-4)
    assert ends[0] < 1


def test_multinomial():
    """Probabilities that round to 0 and 1: contrasts have statsmodels' MNLogit's standard errors."""
    fit = ns.neuralnet("three ~ x + z", FRAME, family="multinomial", **EXACT)
    code = FRAME.three.map({"a": 0, "b": 1, "c": 2})
    logit = sm.MNLogit(code, sm.add_constant(FRAME[["x", "z"]])).fit(disp=0, method="newton", maxiter=200, tol=1e-12)
    assert fit.predict().max(axis=None) == 1
    assert np.isfinite(fit.bse).all() and (fit.bse > 0).all()
    assert fit.llf == pytest.approx(logit.llf, rel=1e-9)
    contrast = np.kron([[-1, 1, 0], [-1, 0, 1]], np.eye(3))
    np.testing.assert_allclose(contrast @ fit.params, logit.params.to_numpy().T.ravel(), rtol=1e-5)
    covariance = contrast @ fit.cov_params().to_numpy() @ contrast.T
    np.testing.assert_allclose(covariance, logit.cov_params(), rtol=1e-4, atol=1e-8)
    assert fit.df("jacobian") == pytest.approx(6)
    for kind in ("response", "deviance", "pearson", "working"):
        assert np.isfinite(fit.residuals(kind)).all(axis=None), kind
    frame = fit.get_prediction(FRAME[:4]).summary_frame()
    assert np.isfinite(frame).all(axis=None)


NETS = ["multinomial", "binomial", F.Binomial("probit"), F.Binomial("cloglog"), "poisson"]


@pytest.mark.parametrize("family", NETS, ids=str)
def test_hidden_units(family):
    """Nets whose means round have every statistic, or say why not in the package's own words."""
    iris = ns.datasets.iris().rename(columns=lambda name: name.replace(".", "_"))
    multinomial = family == "multinomial"
    left = "Species" if multinomial else "{1.0 * (Species == 'virginica')}"
    fit = ns.neuralnet(f"{left} ~ Petal_Length + Petal_Width + Sepal_Width", iris, hidden=3, family=family, rep=2,
                       standardize=True, algorithm="lm", threshold=1e-3, random_state=3)  # fmt: skip
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", NeuralStatWarning)
        for cov_type in ("expected", "hessian", "sandwich"):
            assert not fit.cov_params(cov_type).isna().any(axis=None)
        tests = fit.wald_test_terms()
        lost = ~np.isfinite(tests.table).all(axis=1)
        assert set(tests.table.index[lost]) <= set(tests.inestimable)
        for kind in ("response", "deviance", "pearson"):
            assert np.isfinite(fit.residuals(kind)).all(axis=None)
        assert not np.isnan(fit.residuals("working")).any(axis=None)
        assert np.isfinite([fit.llf, fit.aic, fit.bic, fit.pearson_chi2, fit.deviance]).all()
        assert fit.get_prediction(iris[:10]).summary_frame().notna().all(axis=None)
        fit.summary(), fit.criteria(), fit.diagnose()


def test_means_of_repetitions():
    """The log-likelihood of an average of fits, too."""
    fit = ns.neuralnet("y ~ x + z", FRAME, hidden=2, family="binomial", rep=3, standardize=True, algorithm="lm",
                       threshold=1e-2, penalty=ns.decay(1e-4), random_state=2)  # fmt: skip
    far = FRAME.assign(y=FRAME.y.where(FRAME.index != 0, 0.0))  # the sure one is wrong
    eta = fit.predict(far, type="link")
    p = fit.predict(far)
    inside = (p > 1e-6) & (p < 1 - 1e-6)
    values = working.loglike_obs(F.Binomial(), far.y.to_numpy(), eta.to_numpy())
    np.testing.assert_allclose(values[inside], np.log(np.where(far.y > 0, p, 1 - p))[inside])
    assert np.isfinite(values).all()
    assert fit.info_criteria("aic", df="jacobian", rep="mean") == pytest.approx(
        -2 * working.loglike_obs(F.Binomial(), FRAME.y.to_numpy(), fit.predict(type="link").to_numpy()).sum()
        + 2 * float(fit.df("jacobian", rep="mean")), rel=1e-6)  # fmt: skip
