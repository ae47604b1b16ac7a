"""Tests of terms, of nested fits, of linearity: statsmodels and R at hidden=0, published values, simulation."""

from __future__ import annotations

import numpy as np
import pandas as pd
import pytest
import raw
import statsmodels.api as sm
import statsmodels.formula.api as smf
from fits import boston
from glms import FAMILIES
from glms import GROUPED as FRAME

import neuralstat as ns
from neuralstat.errors import ArgumentError


def fit(formula: str, **options):
    """A GLM of ours."""
    return raw.neuralnet(formula, FRAME, hidden=0, algorithm="lm", threshold=1e-9, **options)


@pytest.mark.parametrize("name", FAMILIES)
def test_wald_is_statsmodels(name):
    theirs = smf.glm(f"{name} ~ u + v + g", FRAME, family=FAMILIES[name]).fit(tol=1e-14)
    expected = theirs.wald_test_terms(scalar=True).table.drop("Intercept")
    found = fit(f"{name} ~ u + v + g", family=FAMILIES[name]).wald_test_terms(use_f=False).table
    for column in ("statistic", "pvalue", "df_constraint"):
        np.testing.assert_allclose(found[column].astype(float), expected.loc[found.index, column].astype(float), rtol=1e-4)


def test_wald_f_is_statsmodels():
    expected = smf.ols("gaussian ~ u + v + g", FRAME).fit().wald_test_terms(scalar=True).table.drop("Intercept")
    found = fit("gaussian ~ u + v + g").wald_test_terms().table
    for column in ("statistic", "pvalue", "df_denom"):
        np.testing.assert_allclose(found[column].astype(float), expected.loc[found.index, column].astype(float), rtol=1e-5)


def test_published_wald_statistics():
    b, _, model = boston()
    table = model.wald_test_terms("hessian", scale=b["rss"] / model.nobs, use_f=False).table
    np.testing.assert_allclose(table["statistic"], b["chisq"], rtol=2e-3)
    assert (table["df_constraint"] == 2).all()


def test_published_standard_errors_of_the_fit():
    b, data, model = boston()
    found = model.get_prediction(data.iloc[:3], cov_type="hessian")
    np.testing.assert_allclose(found.predicted_mean, b["fit3"], rtol=1e-6)
    ratio = found.se_mean / np.array(b["se3"])
    np.testing.assert_allclose(ratio, np.sqrt(model.scale / (b["rss"] / model.nobs)), rtol=1e-3)


def test_redundant_units_lower_the_degrees_of_freedom():
    data = ns.datasets.doppler(n=60, noise=0.1, random_state=1)
    one = raw.neuralnet("y ~ x", data, hidden=1, algorithm="lm", random_state=2)
    w = one.fit.theta[0]
    twin = raw.neuralnet("y ~ x", data, hidden=2, startweights=np.r_[w[:2], w[:2], w[2], w[3] / 2, w[3] / 2],
                        stepmax=1, threshold=1e9)  # fmt: skip
    with pytest.warns(Warning, match="rank"):
        assert twin.wald_test_terms().table["df_constraint"].tolist() == [1]


def test_penalty_lowers_the_degrees_of_freedom():
    data = ns.datasets.sine(n=100, noise=0.3, random_state=1)
    same = {"hidden": 6, "algorithm": "lm", "random_state": 1}
    model = raw.neuralnet("y ~ x", data, penalty=ns.decay(0.02), threshold=1e-6, **same)
    effective = model.wald_test_terms().table["df_constraint"].iloc[0]
    assert 1 <= effective < model.wald_test_terms(df="nominal").table["df_constraint"].iloc[0] <= 6


def test_stability_counts():
    data = FRAME.assign(y=np.sin(2 * FRAME["u"]) + 0.1 * FRAME["noise"])
    model = raw.neuralnet("y ~ u + v", data, hidden=2, rep=5, algorithm="lm", penalty=ns.decay(0.01), random_state=3)
    table = model.stability()
    assert (table["repetitions"] == model.fit.converged.sum()).all()
    p = [model.wald_test_terms(rep=b + 1).table["pvalue"]["u"] for b in np.flatnonzero(model.fit.converged)]
    assert table.loc["u", "significant"] == np.sum(np.array(p) < 0.05)
    assert table.loc["u", "verdict"].startswith("p < 0.05 in")
    assert (table["optima"] <= table["repetitions"]).all()


@pytest.mark.parametrize("name", ["poisson", "binomial"])
def test_lr_is_the_difference_of_deviances(name):
    small, large = fit(f"{name} ~ u", family=name), fit(f"{name} ~ u + v + g", family=name)
    theirs = [smf.glm(f"{name} ~ {r}", FRAME, family=FAMILIES[name]).fit() for r in ("u", "u + v + g")]
    lr, p, df = large.compare_lr_test(small)
    assert lr == pytest.approx(2 * (theirs[1].llf - theirs[0].llf), rel=1e-6)
    assert df == pytest.approx(3) and p == pytest.approx(sm.stats.stattools.stats.chi2.sf(lr, 3), rel=1e-6)


def test_lr_of_least_squares():
    small, large = fit("gaussian ~ u"), fit("gaussian ~ u + v + g")
    expected = smf.ols("gaussian ~ u + v + g", FRAME).fit().compare_lr_test(smf.ols("gaussian ~ u", FRAME).fit())
    np.testing.assert_allclose(tuple(large.compare_lr_test(small)), expected, rtol=1e-6)


def test_anova_is_anova_lm():
    small, large = fit("gaussian ~ u"), fit("gaussian ~ u + v + g")
    expected = sm.stats.anova_lm(smf.ols("gaussian ~ u", FRAME).fit(), smf.ols("gaussian ~ u + v + g", FRAME).fit())
    found = ns.anova(small, large)
    assert list(found) == ["Resid. Df", "Resid. Dev", "Df", "Deviance", "F", "Pr(>F)"]
    np.testing.assert_allclose(found["F"].iloc[1], expected["F"].iloc[1], rtol=1e-6)
    np.testing.assert_allclose(found["Pr(>F)"].iloc[1], expected["Pr(>F)"].iloc[1], rtol=1e-6)
    np.testing.assert_allclose(found["Resid. Dev"], expected["ssr"], rtol=1e-8)
    chi2 = ns.anova(fit("poisson ~ u", family="poisson"), fit("poisson ~ u + v", family="poisson"))
    assert list(chi2)[-1] == "Pr(>Chi)"


def test_bootstrap_null_of_a_linear_model():
    """The exact F test's p value, within Monte-Carlo error."""
    small, large = fit("gaussian ~ u"), fit("gaussian ~ u + v")
    exact = ns.anova(small, large)["Pr(>F)"].iloc[1]
    found = large.compare_lr_test(small, bootstrap=400, random_state=1)
    assert abs(found.pvalue - exact) < 3.5 * np.sqrt(exact * (1 - exact) / 400) + 1 / 400
    table = ns.anova(small, large, test="bootstrap", bootstrap=50, random_state=1)
    assert table["LR"].iloc[1] == pytest.approx(found.statistic)


def test_bootstrap_keeps_its_size_where_chi2_does_not():
    """y is linear: a network of two units against none, whose units are not identified under the null."""
    rng = np.random.default_rng(11)
    data = pd.DataFrame({"x": np.linspace(-2, 2, 50)})
    data["y"] = data["x"] + rng.normal(size=50)
    line = raw.neuralnet("y ~ x", data, hidden=0, algorithm="lm")
    net = raw.neuralnet("y ~ x", data, hidden=2, rep=5, algorithm="lm", tol=1e-6, random_state=1)
    found = net.compare_lr_test(line, starts=3, bootstrap=30, random_state=2)
    assert found.pvalue > 0.05 and found.draws.size == 30
    assert np.median(found.draws) > 2  # chi2 on the few effective degrees of freedom would be too small


def test_anova_of_standardised_fits():
    small, large = fit("gaussian ~ u", standardize=True), fit("gaussian ~ u + v", standardize=True)
    plain = ns.anova(fit("gaussian ~ u"), fit("gaussian ~ u + v"))
    np.testing.assert_allclose(ns.anova(small, large).iloc[1], plain.iloc[1], rtol=1e-5)
    p = large.compare_lr_test(small, bootstrap=60, random_state=1).pvalue
    assert 0 < p <= 1


@pytest.mark.parametrize(("columns", "distribution", "statistic", "p", "df"), [
    ("x", "chi2", 15.9275113974329, 0.000347844262914898, (2,)),
    ("x + z", "chi2", 19.846372602939, 0.00591125073329446, (7,)),
    ("x", "F", 8.66481983893286 * 56 / 57, None, (2, 56)),
])  # fmt: skip
def test_terasvirta_is_tseries(columns, distribution, statistic, p, df):
    """R 4.5, tseries 0.10.53; its F has one degree of freedom more, since the constant is not counted."""
    i = np.arange(1, 61)
    data = pd.DataFrame({"x": np.sin(i * 1.3) + i / 40, "z": np.cos(i * 0.7)})
    data["y"] = data["x"] + 0.3 * data["x"] ** 2 + 0.5 * np.sin(i * 5.1) + 0.2 * data["z"]
    found = ns.nonlinearity_test(f"y ~ {columns}", data, distribution=distribution)
    assert found.statistic == pytest.approx(statistic, rel=1e-9) and found.df == df
    if p is not None:
        assert found.pvalue == pytest.approx(p, rel=1e-8)


@pytest.mark.parametrize("test", ["white", "terasvirta"])
def test_size_and_power_of_linearity_tests(test):
    rng = np.random.default_rng(3)
    low, high = 0, 0
    for t in range(200):
        x = rng.normal(size=100)
        e = rng.normal(size=100)
        frame = pd.DataFrame({"x": x, "line": x + e, "wave": np.sin(2 * x) + 0.5 * e})
        low += ns.nonlinearity_test("line ~ x", frame, test, distribution="F", random_state=t).pvalue < 0.05
        high += ns.nonlinearity_test("wave ~ x", frame, test, distribution="F", random_state=t).pvalue < 0.05
    assert 2 <= low <= 21  # 10 expected, sd 3.1
    assert high > 120


def test_refusals():
    a, b = fit("gaussian ~ u"), fit("poisson ~ u", family="poisson")
    with pytest.raises(ArgumentError, match="different responses"):
        b.compare_lr_test(a)
    with pytest.raises(ArgumentError, match="larger fit"):
        a.compare_lr_test(fit("gaussian ~ u + v"))
    with pytest.raises(ArgumentError, match="two or more"):
        ns.anova(a)
    with pytest.raises(ArgumentError, match="test must be"):
        ns.anova(a, fit("gaussian ~ u + v"), test="t")
    with pytest.raises(ArgumentError, match="numeric response"):
        ns.nonlinearity_test("g ~ u", FRAME)
    with pytest.raises(ArgumentError, match="'w' is constant"):
        ns.nonlinearity_test("gaussian ~ w", FRAME.assign(w=1.0))
