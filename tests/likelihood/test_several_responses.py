"""Several responses with a dispersion each: R's ``mlm``, and nothing that a unit of measurement changes."""

from __future__ import annotations

import numpy as np
import pandas as pd
import pytest
import statsmodels.api as sm

import neuralstat as ns
from neuralstat.errors import ArgumentError

IRIS = ns.datasets.iris().rename(columns=lambda name: name.replace(".", "_"))
LARGE, SMALL = "Sepal_Length + Petal_Width ~ Sepal_Width + Petal_Length", "Sepal_Length + Petal_Width ~ Petal_Length"
EXACT = {"hidden": 0, "standardize": "auto", "rep": 1, "random_state": 1}
NET = {"hidden": 2, "standardize": True, "rep": 3, "algorithm": "lm", "threshold": 1e-6, "penalty": ns.decay(0.1),
       "random_state": 1}  # fmt: skip


def linear(formula: str, data: pd.DataFrame = IRIS, **more):
    return ns.neuralnet(formula, data, **{**EXACT, **more})


def test_r():
    """f <- lm(cbind(Sepal.Length, Petal.Width) ~ Sepal.Width + Petal.Length, iris); vcov(f); coef(summary(f))."""
    fit = linear(LARGE)
    se = [0.2479696267562, 0.0693281623350, 0.0171176790353, 0.1513340937784, 0.0423104827697, 0.0104467973690]
    np.testing.assert_allclose(fit.bse, se, rtol=1e-9)
    p = [7.03850991129e-16, 1.16325434390e-14, 5.84791437368e-60, 6.78315831074e-06, 2.01436493130e-02, 4.56653690581e-82]
    np.testing.assert_allclose(fit.pvalues, p, rtol=1e-6)
    assert fit.pvalues.name == "P>|t|"
    covariance = fit.cov_params()
    assert covariance.loc["Sepal_Width.to.Sepal_Length", "Petal_Length.to.Petal_Width"] == pytest.approx(-1.05383569460e-04)
    assert covariance.loc["Intercept.to.Sepal_Length", "Intercept.to.Petal_Width"] == pytest.approx(-0.012744570301463)
    scale = [[0.1110800284641, -0.0230231213726], [-0.0230231213726, 0.0413725763993]]  # estVar(f)
    np.testing.assert_allclose(fit.scale, scale, rtol=1e-9)
    assert list(fit.scale.index) == list(fit.scale.columns) == ["Sepal_Length", "Petal_Width"]
    assert fit.df_resid == pytest.approx(147)
    # S <- crossprod(resid(f)) / n; -n / 2 * (2 * log(2 * pi) + log(det(S)) + 2)
    assert fit.llf == pytest.approx(-9.76166046637, abs=1e-8)
    assert fit.aic == pytest.approx(2 * 9.76166046637 + 2 * 6, abs=1e-7)
    assert fit.bic == pytest.approx(2 * 9.76166046637 + np.log(150) * 6, abs=1e-7)
    # n * log(det(S)) + n * k * log(2 * pi) + n * k + 2 * n * (p * k + k * (k + 1) / 2) / (n - p - k - 1)
    assert fit.aicc == pytest.approx(38.2733209327, abs=1e-7)


def test_kronecker():
    """Sigma (x) (X'X)^-1, with weights, whatever is scaled inside; a scale that is given."""
    frame = IRIS.assign(w=np.linspace(0.5, 2, 150))
    x = sm.add_constant(IRIS[["Sepal_Width", "Petal_Length"]]).to_numpy()
    y, w = IRIS[["Sepal_Length", "Petal_Width"]].to_numpy(), frame.w.to_numpy()
    for standardize in (False, True):
        fit = linear(LARGE, frame, weights="w", standardize=standardize)
        inverse = np.linalg.inv((x.T * w) @ x)
        r = y - x @ (inverse @ (x.T * w) @ y)
        sigma = (r.T * w) @ r / 147
        np.testing.assert_allclose(fit.cov_params(), np.kron(sigma, inverse), rtol=1e-7)
        given = np.array([[2.0, 0.3], [0.3, 0.5]])
        np.testing.assert_allclose(fit.cov_params(scale=given), np.kron(given, inverse), rtol=1e-7, atol=1e-12)
        each = np.kron(np.diag([2, 0.5]), inverse)
        np.testing.assert_allclose(fit.cov_params(scale=[2.0, 0.5]), each, rtol=1e-7, atol=1e-12)
        np.testing.assert_allclose(fit.cov_params(scale=2.0), np.kron(2 * np.eye(2), inverse), rtol=1e-7, atol=1e-12)
        for wrong in ("dev", [1.0, 2.0, 3.0], [[1.0, 0.0]], -1.0, np.nan):
            with pytest.raises(ArgumentError, match="scale must be a number > 0, 2 of them"):
                fit.cov_params(scale=wrong)
        expected = sum(
            np.log(w) - 0.5 * np.log(np.linalg.det(2 * np.pi * sigma * 147 / 150)) - 0.5 * w * np.einsum(
                "nk,kl,nl->n", r, np.linalg.inv(sigma * 147 / 150), r)
        )  # fmt: skip
        assert fit.llf == pytest.approx(expected)
        assert fit.loglike(scale="x2") < fit.llf and fit.loglike(scale=1.0) < fit.llf


def test_anova_is_pillai():
    """as.data.frame(anova(f0, f)), anova(f0, f1) with f1 <- update(f, . ~ . + Species)."""
    small, large = linear(SMALL), linear(LARGE)
    larger = linear(f"{LARGE} + Species")
    row = ns.anova(small, large).iloc[-1]
    assert [row["Resid. Df"], row["Df"], row["num Df"], row["den Df"]] == pytest.approx([147, 1, 2, 146])
    assert [row["Pillai"], row["F"]] == pytest.approx([0.416989077783, 52.2120624472])
    assert row["Pr(>F)"] == pytest.approx(7.84148725996e-18, rel=1e-6)
    row = ns.anova(small, larger).iloc[-1]
    assert [row["Pillai"], row["F"], row["num Df"], row["den Df"]] == pytest.approx([0.779687531679, 30.8813507546, 6, 290])
    assert row["Pr(>F)"] == pytest.approx(1.29028018588e-28, rel=1e-6)
    chisq = ns.anova(small, large, test="Chisq").iloc[-1]
    statistic, p, df = large.compare_lr_test(small)
    assert [chisq["LR"], chisq["Pr(>Chi)"]] == pytest.approx([statistic, p])
    assert statistic == pytest.approx(2 * (large.llf - small.llf)) and df == pytest.approx(2)


def statements(fit, small) -> dict[str, np.ndarray]:
    """What must not depend on units: differences of criteria, tests, shares."""
    out = {c: np.array(fit.info_criteria(c) - small.info_criteria(c)) for c in ("aic", "aicc", "bic", "tic")}
    out["best"] = np.array([fit.best, small.best])
    out["p"] = fit.pvalues.to_numpy()
    out["wald"] = fit.wald_test_terms().table.to_numpy()
    out["anova"] = ns.anova(small, fit).iloc[-1].to_numpy(float)
    out["lr"] = np.array(tuple(fit.compare_lr_test(small)))
    out["shares"] = np.array([fit.rsquared, fit.pseudo_rsquared(), fit.pseudo_rsquared("deviance"), fit.df_resid])
    return out


@pytest.mark.parametrize("options", [EXACT, {**EXACT, "standardize": False}, {**EXACT, "family": "gaussian"}, NET],
                         ids=["exact", "raw", "family", "net"])  # fmt: skip
@pytest.mark.parametrize("unit", [1000.0, 1e-3])
def test_units(options, unit):
    """m -> 1000 m of one response changes no test and no comparison."""
    other = IRIS.assign(Petal_Width=IRIS.Petal_Width * unit)
    found = [statements(*(ns.neuralnet(f, data, **options) for f in (LARGE, SMALL))) for data in (IRIS, other)]
    for name, before in found[0].items():
        np.testing.assert_allclose(found[1][name], before, rtol=1e-5, atol=1e-9, err_msg=name)


@pytest.mark.parametrize("standardize", [False, True])
def test_each_response_by_itself(standardize):
    """Standard errors, tests and intervals of an output are those of the model of it alone."""
    both = linear(LARGE, standardize=standardize)
    for k, name in enumerate(("Sepal_Length", "Petal_Width")):
        alone = linear(f"{name} ~ Sepal_Width + Petal_Length", standardize=standardize)
        own = slice(3 * k, 3 * k + 3)
        np.testing.assert_allclose(both.bse.iloc[own], alone.bse, rtol=1e-8)
        np.testing.assert_allclose(both.pvalues.iloc[own], alone.pvalues, rtol=1e-6)
        np.testing.assert_allclose(both.conf_int(0.1).iloc[own], alone.conf_int(0.1), rtol=1e-7)
        np.testing.assert_allclose(both.scale.loc[name, name], alone.scale)
        found, expected = (f.get_prediction(IRIS[:5]).summary_frame() for f in (both, alone))
        np.testing.assert_allclose(found[name], expected, rtol=1e-8)


def test_other_families():
    """Gamma responses have a dispersion each, and are independent: sums of what they have alone."""
    rng = np.random.default_rng(1)
    frame = pd.DataFrame({"x": rng.normal(size=80)})
    frame["a"] = rng.gamma(10, np.exp(0.3 * frame.x) / 10)
    frame["b"] = rng.gamma(1.5, np.exp(1 - 0.2 * frame.x) / 1.5)
    link = ns.families.Gamma("log")
    both = linear("a + b ~ x", frame, family=link)
    alone = [linear(f"{name} ~ x", frame, family=link) for name in "ab"]
    np.testing.assert_allclose(both.bse, np.concatenate([f.bse for f in alone]), rtol=1e-6)
    np.testing.assert_allclose(both.pvalues, np.concatenate([f.pvalues for f in alone]), rtol=1e-5)
    np.testing.assert_allclose(np.diag(both.scale), [f.scale for f in alone], rtol=1e-6)
    for name in ("llf", "aic", "aicc", "bic"):
        assert getattr(both, name) == pytest.approx(sum(getattr(f, name) for f in alone), rel=1e-6), name
    null = linear("a + b ~ 1", frame, family=link)
    nulls = [linear(f"{name} ~ 1", frame, family=link) for name in "ab"]
    expected = sum((n.deviance - f.deviance) / f.scale for n, f in zip(nulls, alone, strict=True))
    assert both.compare_lr_test(null).statistic == pytest.approx(expected, rel=1e-5)
    assert ns.anova(null, both).iloc[-1]["LR"] == pytest.approx(expected, rel=1e-5)


def test_sandwich_and_hessian_of_a_net():
    """The analogue for networks: H^-1 (sum_kl Phi_kl R_k' R_l) H^-1, against plain loops."""
    from neuralstat.network import derivatives

    fit = ns.neuralnet(LARGE, IRIS, **{**NET, "standardize": False})
    fitted = fit.fitted
    theta = fitted.fit.theta[fitted.best]
    jacobian = derivatives.jacobian(fitted.network, fitted.data, theta)
    phi = fit.scale.to_numpy()
    filling = sum(jacobian[:, i].T @ phi @ jacobian[:, i] for i in range(150))
    bread = sum(jacobian[:, i].T @ jacobian[:, i] for i in range(150)) + np.diag(
        derivatives.penalty_curvature(fitted.penalty_of(0), theta))  # fmt: skip
    inverse = np.linalg.inv(bread)
    np.testing.assert_allclose(fit.cov_params(), inverse @ filling @ inverse, rtol=1e-6, atol=1e-9)
    hessian = derivatives.hessian(fitted.network, fitted.data, theta, fitted.penalty_of(0))
    expected = np.linalg.inv(hessian) @ filling @ np.linalg.inv(hessian)
    np.testing.assert_allclose(fit.cov_params("hessian"), expected, rtol=1e-5, atol=1e-8)


def test_bootstrap_comparison():
    """The parametric bootstrap compares determinants, too."""
    frame = IRIS.iloc[:40].assign(noise=np.random.default_rng(3).normal(size=40))
    large = linear("Sepal_Length + Petal_Width ~ Sepal_Width + noise", frame)
    small = linear("Sepal_Length + Petal_Width ~ Sepal_Width", frame)
    found = large.compare_lr_test(small, bootstrap=99, random_state=1)
    assert found.statistic == pytest.approx(2 * (large.llf - small.llf), rel=1e-6)
    assert abs(found.pvalue - large.compare_lr_test(small).pvalue) < 0.15
    assert abs(np.mean(found.draws) - 2) < 1  # chi2 on 2 df


def test_summary_mixes_no_units():
    text = str(linear(LARGE).summary())
    assert "Pearson chi2 / df" not in text
    assert "qaic" not in text
    with pytest.raises(ArgumentError, match="qaic"):
        linear(LARGE).info_criteria("qaic")
