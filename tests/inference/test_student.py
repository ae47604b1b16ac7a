"""Student's t on n - df wherever the dispersion is estimated, the normal distribution where it is known."""

from __future__ import annotations

import numpy as np
import pandas as pd
import pytest
import scipy.stats
import statsmodels.api as sm
import statsmodels.formula.api as smf

import neuralstat as ns

EXACT = {"hidden": 0, "standardize": "auto", "rep": 1, "random_state": 1}
LOSS = sm.datasets.stackloss.load_pandas().data
LOG = sm.families.links.Log


@pytest.mark.parametrize("standardize", [False, True])
@pytest.mark.parametrize("family", [None, "gaussian"])
def test_ols(standardize, family):
    """f <- lm(stack.loss ~ ., stackloss): summary(f) and statsmodels' OLS."""
    fit = ns.neuralnet("STACKLOSS ~ AIRFLOW + WATERTEMP + ACIDCONC", LOSS,
                       **{**EXACT, "standardize": standardize, "family": family})  # fmt: skip
    ols = smf.ols("STACKLOSS ~ AIRFLOW + WATERTEMP + ACIDCONC", LOSS).fit()
    np.testing.assert_allclose(fit.pvalues, ols.pvalues, rtol=1e-7)
    np.testing.assert_allclose(fit.tvalues, ols.tvalues, rtol=1e-8)
    np.testing.assert_allclose(fit.conf_int(), ols.conf_int(), rtol=1e-8)
    np.testing.assert_allclose(fit.conf_int(0.3), ols.conf_int(0.3), rtol=1e-7)
    np.testing.assert_allclose(fit.bse, ols.bse, rtol=1e-8)
    assert fit.scale == pytest.approx(ols.scale) and fit.df_resid == pytest.approx(ols.df_resid)
    assert (fit.tvalues.name, fit.pvalues.name, fit.zvalues.name) == ("t", "P>|t|", "z")
    assert fit.pvalues["ACIDCONC.to.STACKLOSS"] == pytest.approx(0.34405, abs=1e-5)  # R
    new = LOSS[:3]
    np.testing.assert_allclose(fit.get_prediction(new).summary_frame(), ols.get_prediction(new).summary_frame(), rtol=1e-7)
    normal = fit.conf_int(use_t=False)
    np.testing.assert_allclose(normal[1] - fit.params, scipy.stats.norm.ppf(0.975) * fit.bse, rtol=1e-9)
    assert "P>|t|" in str(fit.summary())


def _positive() -> pd.DataFrame:
    rng = np.random.default_rng(8)
    frame = pd.DataFrame({"x": rng.normal(size=25), "w": rng.uniform(0.5, 2, 25)})
    mean = np.exp(0.4 + 0.5 * frame.x)
    return frame.assign(gamma=rng.gamma(3, mean / 3), ig=rng.wald(mean, 4), count=rng.poisson(mean),
                        yes=(rng.random(25) < 0.5).astype(float), tweedie=rng.gamma(3, mean / 3))  # fmt: skip


FRAME = _positive()
ESTIMATED = {"gamma": sm.families.Gamma(LOG()), "ig": sm.families.InverseGaussian(LOG()),
             "tweedie": sm.families.Tweedie(LOG(), var_power=1.5)}  # fmt: skip
KNOWN = {"count": sm.families.Poisson(), "yes": sm.families.Binomial()}


@pytest.mark.parametrize("name", [*ESTIMATED, *KNOWN])
def test_glm(name):
    """R's summary(glm) and statsmodels with use_t: t where the dispersion is estimated; intervals and slopes, too."""
    estimated = name in ESTIMATED
    family = {**ESTIMATED, **KNOWN}[name]
    fit = ns.neuralnet(f"{name} ~ x", FRAME, family=family, weights="w" if estimated else None, **EXACT)
    more = {"var_weights": FRAME.w} if estimated else {}
    glm = smf.glm(f"{name} ~ x", FRAME, family=family, **more).fit(use_t=estimated, tol=1e-13)
    np.testing.assert_allclose(fit.pvalues, glm.pvalues, rtol=1e-5)
    np.testing.assert_allclose(fit.conf_int(0.1), glm.conf_int(0.1), rtol=1e-5, atol=1e-8)
    letter = "t" if estimated else "z"
    assert fit.pvalues.name == f"P>|{letter}|" and letter in fit.marginal_effects().columns
    df = 23 if estimated else np.inf
    new = FRAME[["x"]].iloc[:4]
    found = fit.get_prediction(new)
    assert found.df == pytest.approx(df)
    link, frame = fit.family.link, found.summary_frame()
    eta = link(frame["mean"])
    half = scipy.stats.t.ppf(0.975, df) * frame["mean_se"] * np.abs(link.deriv(frame["mean"]))
    np.testing.assert_allclose(frame["mean_ci_upper"], link.inverse(eta + half), rtol=1e-9)


def test_nets_and_other_covariances():
    """On n minus effective degrees of freedom, of each repetition its own; with every covariance."""
    data = ns.datasets.doppler(n=40, noise=0.2, random_state=2)
    fit = ns.neuralnet("y ~ x", data, hidden=2, rep=3, penalty=ns.decay(1e-2), standardize=True, algorithm="lm",
                       threshold=1e-6, random_state=1)  # fmt: skip
    for cov_type in ("expected", "hessian", "sandwich"):
        for rep in (1, 3):
            rest = 40 - float(fit.df("jacobian", rep=rep))
            half = scipy.stats.t.ppf(0.95, rest) * fit.standard_errors(cov_type, rep)
            interval = fit.conf_int(0.1, cov_type, rep)
            np.testing.assert_allclose((interval[1] - interval[0]) / 2, half, rtol=1e-9)
    p = 2 * scipy.stats.t.sf(np.abs(fit.tvalues), fit.df_resid)
    np.testing.assert_allclose(fit.pvalues, p, rtol=1e-9)


def test_aicc_counts_the_variance():
    """-2 logLik(f) + 2 (p + 1) n / (n - p - 2) in R, by hand, and AICcmodavg."""
    fit = ns.neuralnet("STACKLOSS ~ AIRFLOW + WATERTEMP + ACIDCONC", LOSS, **EXACT)
    ols = smf.ols("STACKLOSS ~ AIRFLOW + WATERTEMP + ACIDCONC", LOSS).fit()
    n, p = 21, 4
    expected = -2 * ols.llf + 2 * (p + 1) * n / (n - p - 2)
    assert fit.aicc == pytest.approx(expected)
    assert fit.info_criteria("aicc", dk_params=1) == pytest.approx(expected)
    assert fit.info_criteria("aicc", convention="R") == pytest.approx(expected)
    assert fit.criteria().loc["aicc", "value"] == pytest.approx(expected)
    assert fit.aic == pytest.approx(ols.aic) and fit.bic == pytest.approx(ols.bic)
    count = ns.neuralnet("count ~ x", FRAME, family="poisson", **EXACT)
    assert count.aicc == pytest.approx(-2 * count.llf + 2 * 2 * 25 / (25 - 2 - 1))
    gamma = ns.neuralnet("gamma ~ x", FRAME, family=ESTIMATED["gamma"], **EXACT)
    assert gamma.aicc == pytest.approx(-2 * gamma.llf + 2 * 3 * 25 / (25 - 3 - 1))


def test_aicc_is_unbiased():
    """At n = 30 and 13 parameters it estimates the expected -2 log-likelihood of new responses without bias."""
    rng = np.random.default_rng(1)
    n, d = 30, 12
    x = rng.normal(size=(n, d))
    frame = pd.DataFrame(x, columns=[f"x{k}" for k in range(d)])
    mu = x @ rng.normal(size=d) * 0.3
    hat = sm.add_constant(x)
    hat = hat @ np.linalg.pinv(hat)
    gap = []
    for _ in range(400):
        y = mu + rng.normal(size=n)
        variance = np.mean((y - hat @ y) ** 2)
        expected = n * np.log(2 * np.pi * variance) + (np.sum((mu - hat @ y) ** 2) + n) / variance
        llf = -n / 2 * (np.log(2 * np.pi * variance) + 1)
        gap.append(-2 * llf + 2 * 14 * n / (n - 15) - expected)
    assert abs(np.mean(gap)) < 3 * np.std(gap) / 20
    fit = ns.neuralnet("y ~ .", frame.assign(y=y), **EXACT)
    assert fit.aicc == pytest.approx(-2 * llf + 2 * 14 * n / (n - 15))
