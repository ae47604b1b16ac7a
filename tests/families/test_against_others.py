"""Distributions with several parameters and no hidden units, against other programs: parameters, errors, log-likelihoods.

R's values are of R 4.2.2 with mgcv 1.8-41, MASS 7.3 and survival 3.5, by the commands beside them.
"""

from __future__ import annotations

import warnings

import numpy as np
import pandas as pd
import pytest
import statsmodels.api as sm
from places import REFERENCE
from scipy import stats

import neuralstat as ns
from neuralstat import families as F


def r_data(name):
    return pd.read_csv(REFERENCE / "distributions" / f"{name}.csv")


@pytest.fixture(scope="module")
def randhie():
    return sm.datasets.randhie.load_pandas().data.sample(1500, random_state=1).reset_index(drop=True)


COUNTS = "mdvis ~ lncoins + idp + lpi + fmde"


def count_design(data):
    return sm.add_constant(data[["lncoins", "idp", "lpi", "fmde"]])


def quietly(fit):
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        return fit()


def estimates(fit):
    kept = fit.bse.notna()
    return fit.params[kept].to_numpy(), fit.bse[kept].to_numpy()


def test_gaulss():
    # library(MASS); library(mgcv)
    # b <- gam(list(accel ~ times + I(times^2), ~ times), family = gaulss(b = 0), data = mcycle)
    # coef(b); sqrt(diag(b$Vp)); logLik(b)
    fit = ns.neuralnet("accel ~ times + {times**2}", r_data("mcycle"), hidden=0, family="gaussian", dispformula="~ times")
    params, bse = estimates(fit)
    known = [21.3177090496721, -5.9431244860349, 0.1286086843484, 3.2170139700601, 0.0225733969148]
    np.testing.assert_allclose(params, known, rtol=1e-5)
    np.testing.assert_allclose(bse, [14.91192230021, 1.51825466111, 0.03144242094, 0.23596239832, 0.00904950830], rtol=1e-5)
    assert fit.llf == pytest.approx(-692.175474523, abs=1e-8)


def test_constant_sigma_is_least_squares():
    rng = np.random.default_rng(3)
    data = pd.DataFrame({"x": rng.normal(size=80)})
    data["y"] = 1 + data["x"] + rng.normal(size=80)
    often = rng.integers(1, 5, 80)
    fit = ns.neuralnet("y ~ x", data, hidden=0, family="gaussian", dispformula="~ 1", freq_weights=often)
    ols = sm.OLS(np.repeat(data["y"].to_numpy(), often), sm.add_constant(np.repeat(data["x"].to_numpy(), often))).fit()
    params, bse = estimates(fit)
    np.testing.assert_allclose(params[:2], ols.params, rtol=1e-6)
    sigma = np.sqrt(ols.ssr / ols.nobs)
    assert np.exp(params[2]) == pytest.approx(sigma, rel=1e-7)
    np.testing.assert_allclose(bse, [*(ols.bse * np.sqrt(ols.df_resid / ols.nobs)), 1 / np.sqrt(2 * ols.nobs)], rtol=1e-5)
    assert fit.llf == pytest.approx(ols.llf, abs=1e-7)


def test_known_variances_are_weighted_least_squares():
    """At given log sigma the mean is that of least squares with weights 1 / sigma^2."""
    rng = np.random.default_rng(4)
    data = pd.DataFrame({"x": rng.normal(size=60), "v": rng.normal(size=60)})
    data["y"] = 2 - data["x"] + np.exp(0.5 * data["v"]) * rng.normal(size=60)
    fit = ns.neuralnet("y ~ x", data, hidden=0, family="gaussian", dispformula="~ v", standardize=False,
                       exclude=["Intercept.to.sigma", "v.to.sigma"], constant_weights=[0.3, 0.5])  # fmt: skip
    sigma = np.exp(0.3 + 0.5 * data["v"])
    wls = sm.WLS(data["y"], sm.add_constant(data["x"]), weights=1 / sigma**2).fit()
    np.testing.assert_allclose(estimates(fit)[0], wls.params, rtol=1e-6)
    assert fit.llf == pytest.approx(stats.norm.logpdf(data["y"], wls.fittedvalues, sigma).sum(), abs=1e-7)


def test_negative_binomial(randhie):
    model = sm.NegativeBinomial(randhie["mdvis"], count_design(randhie))
    other = quietly(lambda: model.fit(disp=0, method="newton", maxiter=200))
    fit = ns.neuralnet(COUNTS, randhie, hidden=0, family="negative_binomial")
    params, bse = estimates(fit)
    assert fit.llf == pytest.approx(other.llf, abs=1e-6)
    np.testing.assert_allclose([*params[:5], np.exp(params[5])], other.params, atol=1e-5)
    np.testing.assert_allclose([*bse[:5], bse[5] * np.exp(params[5])], other.bse, atol=1e-5)


def test_zero_inflated(randhie):
    from statsmodels.discrete.count_model import ZeroInflatedNegativeBinomialP, ZeroInflatedPoisson

    x = count_design(randhie)
    other = quietly(lambda: ZeroInflatedPoisson(randhie["mdvis"], x, exog_infl=x[["const", "idp"]]).fit(
        disp=0, maxiter=1000, method="bfgs", gtol=1e-8))  # fmt: skip
    fit = ns.neuralnet(COUNTS, randhie, hidden=0, family="zero_inflated_poisson", dispformula="~ idp")
    params, bse = estimates(fit)
    assert fit.llf == pytest.approx(other.llf, abs=1e-5)
    np.testing.assert_allclose([*params[5:], *params[:5]], other.params, atol=1e-4)
    np.testing.assert_allclose([*bse[5:], *bse[:5]], other.bse, rtol=0.01)  # statsmodels' Hessian is by differences
    zeros = randhie.copy()
    zeros.loc[::3, "mdvis"] = 0
    other = quietly(lambda: ZeroInflatedNegativeBinomialP(zeros["mdvis"], x).fit(
        disp=0, maxiter=2000, method="bfgs", gtol=1e-8))  # fmt: skip
    fit = ns.neuralnet(COUNTS, zeros, hidden=0, family="zero_inflated_negative_binomial")
    params, _ = estimates(fit)
    assert fit.llf == pytest.approx(other.llf, abs=1e-4)
    np.testing.assert_allclose([params[6], *params[:5], np.exp(params[5])], other.params, atol=2e-3)


def test_hurdle_is_two_fits(randhie):
    """A logit fit of the zeros, and one of the counts cut at 1."""
    from statsmodels.discrete.truncated_model import TruncatedLFNegativeBinomialP, TruncatedLFPoisson

    x, y = count_design(randhie), randhie["mdvis"]
    logit = sm.Logit((y == 0).astype(float), x).fit(disp=0)
    for name, cut in (("hurdle_poisson", TruncatedLFPoisson), ("hurdle_negative_binomial", TruncatedLFNegativeBinomialP)):
        other = quietly(lambda cut=cut: cut(y[y > 0], x[y > 0]).fit(disp=0, maxiter=500, method="bfgs", gtol=1e-8))
        fit = ns.neuralnet(COUNTS, randhie, hidden=0, family=name, dispformula={"pi": "~ lncoins + idp + lpi + fmde"})
        params, _ = estimates(fit)
        assert fit.llf == pytest.approx(logit.llf + other.llf, abs=1e-4)
        np.testing.assert_allclose(params[-5:], logit.params, atol=1e-5)
        np.testing.assert_allclose(params[:5], other.params[:5], atol=2e-3)


def test_beta():
    from statsmodels.othermod.betareg import BetaModel

    rng = np.random.default_rng(0)
    x = rng.normal(size=300)
    y = rng.beta(2 * np.exp(0.3 * x), 3)
    other = BetaModel(y, sm.add_constant(x), exog_precision=sm.add_constant(x)).fit(disp=0)
    fit = ns.neuralnet("y ~ x", pd.DataFrame({"x": x, "y": y}), hidden=0, family="beta", dispformula="~ x")
    params, bse = estimates(fit)
    assert fit.llf == pytest.approx(other.llf, abs=1e-6)
    np.testing.assert_allclose(params, other.params, atol=1e-4)  # where statsmodels' search ends
    np.testing.assert_allclose(bse, other.bse, atol=1e-5)


def scipy_optimum(minus, start):
    from scipy.optimize import minimize

    return minimize(minus, start, method="BFGS", options={"gtol": 1e-8, "maxiter": 2000})


def test_others_against_scipy():
    """Gamma, inverse Gaussian, lognormal and Student: the same likelihood, maximised by scipy."""
    rng = np.random.default_rng(6)
    x = rng.uniform(size=150)
    mu = np.exp(0.5 + x)
    data = pd.DataFrame({"x": x, "g": rng.gamma(2, mu / 2), "ig": rng.wald(mu, 2.0), "t": x + 0.3 * rng.standard_t(4, 150)})
    g, ig, t = (data[name].to_numpy() for name in ("g", "ig", "t"))
    cases = {
        ("g", F.Gamma("log")): lambda p: stats.gamma.logpdf(g, np.exp(-p[2]), scale=np.exp(p[0] + p[1] * x + p[2])),
        ("ig", F.InverseGaussian("log")): lambda p: stats.invgauss.logpdf(
            ig, np.exp(p[0] + p[1] * x + p[2]), scale=np.exp(-p[2])),
        ("g", "lognormal"): lambda p: stats.lognorm.logpdf(g, np.exp(p[2]), scale=np.exp(p[0] + p[1] * x)),
        ("t", F.Student(4.0)): lambda p: stats.t.logpdf(t, 4.0, p[0] + p[1] * x, np.exp(p[2])),
    }  # fmt: skip
    for (name, family), density in cases.items():
        fit = ns.neuralnet(f"{name} ~ x", data, hidden=0, family=family, dispformula="~ 1")
        best = scipy_optimum(lambda p, density=density: -density(p).sum(), np.array([0.3, 0.5, -0.5]))
        assert fit.llf == pytest.approx(-best.fun, abs=1e-6)
        np.testing.assert_allclose(estimates(fit)[0], best.x, atol=2e-4)
    free = ns.neuralnet("t ~ x", data, hidden=0, family="student")
    start = [0.3, 0.5, -1.0, 1.5]
    best = scipy_optimum(lambda p: -stats.t.logpdf(t, np.exp(p[3]), p[0] + p[1] * x, np.exp(p[2])).sum(), start)
    assert free.llf == pytest.approx(-best.fun, abs=1e-6)


def housing():
    data = r_data("housing")
    for name, levels in (("Infl", ["Low", "Medium", "High"]), ("Type", ["Tower", "Apartment", "Atrium", "Terrace"]),
                         ("Cont", ["Low", "High"])):  # fmt: skip
        data[name] = pd.Categorical(data[name], levels)
    data["Sat"] = pd.Categorical(data["Sat"], ["Low", "Medium", "High"], ordered=True)
    return data


def test_polr():
    # polr(Sat ~ Infl + Type + Cont, weights = Freq, data = housing, Hess = TRUE, method = ...)
    known = {
        "logit": (-1739.57464953, [0.5663937389, 1.2888190638, -0.5723501464, -0.3661865662, -1.0910149077, 0.3602841499],
                  [-0.4961353438, 0.6907082904]),
        "probit": (-1739.84442128, [0.3464227201, 0.7829141903, -0.3475368035, -0.2178876126, -0.6641735916, 0.2223858242],
                   [-0.2998285752, 0.4267220064]),
        "cloglog": (-1742.0265852, [0.38204071980, 0.91536089182, -0.40720236709, -0.28053062090, -0.74245479505,
                                    0.20922082569], [-0.79621567342, 0.05536716633]),
    }  # fmt: skip
    logit_errors = [0.10465278622, 0.12715614898, 0.11923801418, 0.15517333884, 0.15148602563, 0.09553579932]
    data = housing()
    for link, (llf, slopes, zeta) in known.items():
        fit = ns.neuralnet("Sat ~ Infl + Type + Cont", data, hidden=0, family=F.Ordinal(link), freq_weights="Freq")
        params, bse = estimates(fit)
        assert fit.llf == pytest.approx(llf, abs=1e-6)
        np.testing.assert_allclose(params[1:7], slopes, atol=3e-5)  # where R's search ends
        np.testing.assert_allclose([-params[0], -params[0] + np.exp(params[7])], zeta, atol=3e-5)
        if link == "logit":
            np.testing.assert_allclose(bse[1:7], logit_errors, atol=1e-6)
    assert fit.predict().sum(axis=1).to_numpy() == pytest.approx(1.0)


def test_ordered_model():
    from statsmodels.miscmodels.ordinal_model import OrderedModel

    rng = np.random.default_rng(8)
    x = pd.DataFrame({"x": rng.normal(size=250), "z": rng.normal(size=250)})
    latent = x["x"] - 0.5 * x["z"] + rng.logistic(size=250)
    y = pd.Series(pd.Categorical(np.array(list("abcd"))[np.digitize(latent, [-1, 0.3, 2])], list("abcd"), ordered=True))
    other = OrderedModel(y, x, distr="logit").fit(disp=0, method="bfgs", gtol=1e-5)
    fit = ns.neuralnet("y ~ x + z", x.assign(y=y), hidden=0, family="ordinal")
    assert fit.llf == pytest.approx(other.llf, abs=1e-6)
    params, bse = estimates(fit)
    np.testing.assert_allclose([*params[1:3], -params[0], *params[3:]], other.params, atol=1e-4)
    np.testing.assert_allclose(bse[1:3], other.bse[:2], atol=1e-4)
    np.testing.assert_allclose(fit.predict().to_numpy(), other.predict(), atol=1e-4)


def test_quantile_regression():
    from statsmodels.regression.quantile_regression import QuantReg

    rng = np.random.default_rng(0)
    data = pd.DataFrame({"x": rng.normal(size=400)})
    data["y"] = 1 + data["x"] + np.exp(0.4 * data["x"]) * rng.normal(size=400)
    x = sm.add_constant(data["x"])
    for q in (0.2, 0.8):
        other = QuantReg(data["y"], x).fit(q=q)
        loss = []
        for smooth in (0.1, 0.01, 0.001):
            fit = ns.neuralnet("y ~ x", data, hidden=0, family=F.Quantile(q, smooth=smooth))
            r = data["y"] - fit.predict()
            loss.append(float(np.maximum(q * r, (q - 1) * r).sum()))
        r = data["y"] - other.predict(x)
        least = float(np.maximum(q * r, (q - 1) * r).sum())
        assert least <= loss[2] + 1e-9 and loss[2] - least < 1e-3 * least  # smoothing vanishes
        assert loss[2] <= loss[1] <= loss[0] + 1e-9
        np.testing.assert_allclose(fit.params, other.params, atol=0.03)


def test_standard_errors_of_quantiles():
    """Of equal errors those of theory and about statsmodels'; of unequal ones near what 200 samples say."""
    from statsmodels.regression.quantile_regression import QuantReg

    rng = np.random.default_rng(4)
    n = 2000
    data = pd.DataFrame({"x": rng.normal(size=n), "z": rng.normal(size=n)})
    design = sm.add_constant(data[["x", "z"]])
    for q in (0.5, 0.9):
        y = 1 + data["x"] + rng.normal(size=n)
        fit = ns.neuralnet("y ~ x + z", data.assign(y=y), hidden=0, family=F.Quantile(q))
        z = stats.norm.ppf(q)
        theory = np.sqrt(q * (1 - q) / stats.norm.pdf(z) ** 2 * np.diag(np.linalg.inv(design.T @ design)))
        np.testing.assert_allclose(fit.bse, theory, rtol=0.2)
        np.testing.assert_allclose(fit.bse, QuantReg(y, design).fit(q=q).bse, rtol=0.25)
    n, found, said = 200, [], []
    for _ in range(200):
        x = rng.uniform(size=n)
        sample = {"x": x, "y": x + (0.3 + x) * rng.normal(size=n)}
        fit = ns.neuralnet("y ~ x", sample, hidden=0, family=F.Quantile(0.8))
        found.append(fit.params)
        said.append(fit.bse)
    np.testing.assert_allclose(np.mean(said, axis=0), np.std(found, axis=0), rtol=0.2)
    tests = fit.term_tests()
    assert tests.loc["x", "method"] == "wald" and 0 < tests.loc["x", "pvalue"] < 0.05


@pytest.mark.slow
@pytest.mark.parametrize(("q", "n"), [(0.5, 80), (0.5, 300), (0.9, 80), (0.9, 300)])
def test_size_of_tests_of_quantiles(q, n):
    """300 samples a case: nominal 5 %, with a standard error of 1.3 %; errors have unequal, long tails."""
    rejected = []
    for seed in range(300):
        rng = np.random.default_rng([seed, n])
        x, z = rng.normal(size=(2, n))
        y = x + (1 + 0.5 * (x > 0)) * rng.standard_t(4, n)
        fit = ns.neuralnet("y ~ x + z", {"y": y, "x": x, "z": z}, hidden=0, family=F.Quantile(q))
        rejected.append(fit.term_tests().loc["z", "pvalue"] < 0.05)
    assert 0.01 <= np.mean(rejected) <= 0.11


def test_expectile_of_a_half_is_the_mean():
    data = r_data("mcycle")
    fit = ns.neuralnet("accel ~ times", data, hidden=0, family=F.Expectile(0.5))
    ols = sm.OLS(data["accel"], sm.add_constant(data["times"])).fit()
    np.testing.assert_allclose(fit.params, ols.params, rtol=1e-6)
