"""Families of a mean and a variance: against R's glm and statsmodels, and what has no likelihood says so."""

from __future__ import annotations

import numpy as np
import pandas as pd
import pytest
import statsmodels.api as sm
import statsmodels.formula.api as smf
from places import REFERENCE

import neuralstat as ns
from neuralstat import families as F
from neuralstat.df import noise
from neuralstat.errors import ArgumentError

DATA = pd.read_csv(REFERENCE / "distributions" / "quasi.csv")  # counts k; shares p of m trials
#: formula, arguments; the family with dispersion 1, as this package and as statsmodels has it
KINDS = {
    "poisson": ("k ~ x + z", {}, "poisson", sm.families.Poisson()),
    "binomial": ("p ~ x + z", {"weights": "m"}, "binomial", sm.families.Binomial()),
    "negative binomial": ("k ~ x + z", {}, F.NegativeBinomial(0.5), sm.families.NegativeBinomial(alpha=0.5)),
    "probit": ("p ~ x + z", {"weights": "m"}, F.Binomial("probit"), sm.families.Binomial(sm.families.links.Probit())),
}  # fmt: skip


def fitted(kind, formula=None, **more):
    text, arguments, family, _ = KINDS[kind]
    return ns.neuralnet(formula or text, DATA, **{"hidden": 0, "family": family, "scale": "X2", **arguments, **more})


@pytest.mark.parametrize("kind", KINDS)
def test_against_statsmodels(kind):
    text, arguments, _, theirs = KINDS[kind]
    weights = {"var_weights": DATA[arguments["weights"]]} if arguments else {}
    model = smf.glm(text, DATA, family=theirs, **weights)
    whole, fit = model.fit(scale="X2", tol=1e-14, use_t=True), fitted(kind)
    np.testing.assert_allclose(fit.params, whole.params, rtol=1e-5)
    np.testing.assert_allclose(fit.bse, whole.bse, rtol=1e-5)
    np.testing.assert_allclose(fit.pvalues, whole.pvalues, rtol=1e-5)
    np.testing.assert_allclose(fit.conf_int(), whole.conf_int(), rtol=1e-4)
    assert fit.scale == pytest.approx(whole.scale, rel=1e-6) and fit.pvalues.name == "P>|t|"
    assert fit.deviance == pytest.approx(whole.deviance, rel=1e-8)
    frame = fit.get_prediction(DATA.head(3)).summary_frame()
    theirs_there = whole.get_prediction(DATA.head(3))
    np.testing.assert_allclose(frame["mean"], theirs_there.predicted_mean, rtol=1e-6)
    np.testing.assert_allclose(frame["mean_se"], theirs_there.se_mean, rtol=1e-5)
    assert frame[["obs_ci_lower", "obs_ci_upper"]].isna().all(axis=None)  # no distribution of new observations
    plain = ns.neuralnet(text, DATA, hidden=0, family=KINDS[kind][2], **arguments)
    np.testing.assert_allclose(fit.params, plain.params, rtol=1e-6)
    np.testing.assert_allclose(fit.bse, plain.bse * np.sqrt(fit.scale), rtol=1e-5)
    np.testing.assert_allclose(fit.standard_errors("sandwich"), plain.standard_errors("sandwich"), rtol=1e-6)
    assert float(fit.get_influence().hat_matrix_diag.sum()) == pytest.approx(3.0, rel=1e-6)


R = {  # summary(glm(k ~ x + z, quasipoisson, d, epsilon = 1e-14)), and of p, weights = m, quasibinomial; anova(, test = "F")
    "quasipoisson": (
        [[0.2364000095161, 0.394132564417, 0.599798217297, 0.551017754286],
         [1.3802508049944, 0.597795833766, 2.308900007382, 0.024596407679],
         [0.0187841863717, 0.183707959685, 0.102250258530, 0.918916904807]],
        3.73353263147, (0.03899872139, 0.01045, 0.91895)),
    "quasibinomial": (
        [[-0.4312515240539, 0.270340539527, -1.5952158888493, 0.116194225067],
         [0.0350665568149, 0.462722715640, 0.0757830891582, 0.939857032854],
         [-0.0109723838366, 0.134390133864, -0.0816457542015, 0.935214437347]],
        1.60343714418, (0.01069203134, 0.00667, 0.9352)),
}  # fmt: skip


@pytest.mark.parametrize("family", R)
def test_against_r(family):
    table, scale, (deviance, f, p) = R[family]
    kind = {"family": family, "scale": None}
    fit, small = (fitted(family[5:], text, **kind) for text in (None, KINDS[family[5:]][0].replace(" + z", "")))
    found = np.column_stack([fit.params, fit.bse, fit.tvalues, fit.pvalues])
    np.testing.assert_allclose(found, table, rtol=2e-5)
    assert fit.scale == pytest.approx(scale, rel=1e-7)
    row = ns.anova(small, fit).iloc[1]
    assert row["Deviance"] == pytest.approx(deviance, rel=1e-6)
    assert (row["F"], row["Pr(>F)"]) == (pytest.approx(f, abs=1e-5), pytest.approx(p, abs=1e-5))
    assert fit.wald_test_terms().table.loc["z", "pvalue"] == pytest.approx(table[2][3], rel=1e-3)
    assert fit.term_tests().loc["z", "pvalue"] == pytest.approx(p, abs=1e-5)


def test_names_and_scale_say_the_same(tmp_path):
    for kind, family in (("poisson", "quasipoisson"), ("binomial", "quasibinomial")):
        a, b = fitted(kind), fitted(kind, family=family, scale=None)
        assert a.family == b.family and repr(a.family).startswith("Quasi") and a.family.kin == kind
        np.testing.assert_array_equal(a.theta, b.theta)
        assert a.scale == b.scale
        assert family in str(a.summary()) and family in str(b.summary())
    for fit in (fitted("negative binomial"), fitted("poisson"),
                fitted("binomial", family=F.QuasiBinomial("cloglog"), scale=None),
                fitted("negative binomial", family=F.QuasiNegativeBinomial(0.25, "log"), scale=None)):  # fmt: skip
        fit.save(tmp_path / "fit.nst")
        same = ns.load(tmp_path / "fit.nst")
        assert same.family == fit.family and same.scale == fit.scale and same.settings.scale == fit.settings.scale
        np.testing.assert_array_equal(same.bse, fit.bse)
    gaussian = ns.neuralnet("k ~ x", DATA, hidden=0, scale="X2")  # estimates it in any case
    assert gaussian.scale == ns.neuralnet("k ~ x", DATA, hidden=0).scale


NO_LIKELIHOOD = ("llf", "llnull", "aic", "aicc", "bic", "tic")
NO_DISTRIBUTION = (
    lambda fit: fit.predict(type="quantile", q=0.5), lambda fit: fit.predict(type="distribution"),
    lambda fit: fit.predict(type="median"), lambda fit: fit.predict(type="survival", times=1.0), lambda fit: fit.simulate(),
    lambda fit: fit.resid_quantile, lambda fit: fit.plot_calibration(), lambda fit: fit.get_prediction(method="distribution"),
    lambda fit: fit.get_prediction(method="cqr", random_state=1),
)  # fmt: skip


@pytest.mark.parametrize("kind", ["poisson", "binomial", "negative binomial"])
def test_no_likelihood_and_no_distribution(kind):
    fit = fitted(kind)
    for name in NO_LIKELIHOOD:
        with pytest.raises(ArgumentError, match="no likelihood"):
            getattr(fit, name)
    with pytest.raises(ArgumentError, match="no likelihood"):
        ns.risk(fit, "aic")
    with pytest.raises(ArgumentError, match="thinning"):
        ns.risk(fit, "thinning")
    for call in NO_DISTRIBUTION:
        with pytest.raises(ArgumentError, match="no distribution"):
            call(fit)
    plain = fitted(kind, scale=None)
    assert fit.info_criteria("qaic", scale=2.0) == pytest.approx(-2 * plain.llf / 2 + 2 * 3, rel=1e-7)
    assert fit.info_criteria("qaic") == pytest.approx(-2 * plain.llf / fit.scale + 2 * 3, rel=1e-7)
    table = fit.criteria()
    assert table.loc["aic", "value"] != table.loc["aic", "value"] and "no likelihood" in table.loc["aic", "note"]
    assert np.isfinite(table.loc[["gcv", "cp", "gic"], "value"]).all()
    assert np.isfinite(ns.risk(fit, "cv", random_state=1)) and "not defined" in str(fit.summary())
    np.testing.assert_allclose(fit.predict(type="parameters")["phi"], fit.scale)


def test_dispersion_has_no_meaning():
    for arguments, words in (
        ({"family": "beta"}, "no dispersion beside"), ({"family": "negative_binomial"}, "NegativeBinomial"),
        ({"family": "multinomial"}, "no dispersion beside"), ({"family": None, "err_fct": "mae"}, "needs a family"),
        ({"scale": "dev"}, "must be None or 'X2'"), ({"scale": True}, "must be None or 'X2'"),
        ({"family": "gaussian", "dispformula": "~ 1"}, "no dispersion beside"),
    ):  # fmt: skip
        with pytest.raises(ArgumentError, match=f"scale.*{words}"):
            fitted("poisson", **arguments)
    with pytest.raises(ArgumentError, match="one parameter"):
        fitted("poisson", family="quasipoisson", scale=None, dispformula="~ 1")


@pytest.mark.parametrize("family", [F.QuasiPoisson(), F.QuasiNegativeBinomial(0.4), F.QuasiBinomial()])
@pytest.mark.parametrize("phi", [0.4, 2.5])
def test_draws_have_the_two_moments(family, phi):
    share = isinstance(family, F.QuasiBinomial)
    mu = np.full((1, 40_000), 0.3 if share else 2.0)
    weights = np.full(mu.shape[1], 4.0 if share else 1.0)
    objective = ns.families.resolve_objective("sse", True, "logistic", family, None, None)
    y = noise.draw(objective, np.random.default_rng(5), mu, np.full((1, 1), phi), weights)
    variance = phi * family.variance(mu[0, 0]) / weights[0]
    n = y.size
    assert y.mean() == pytest.approx(mu[0, 0], abs=4 * np.sqrt(variance / n))
    kurtosis = np.mean((y - y.mean()) ** 4) / y.var() ** 2
    assert y.var() == pytest.approx(variance, rel=4 * np.sqrt((kurtosis - 1) / n))
    assert y.min() >= 0 and (not share or y.max() <= 1)


def test_degrees_of_freedom_and_overdispersion():
    fit = fitted("poisson")
    for method in ("gdf", "covariance"):
        found = fit.df(method, draws=200, random_state=1)
        assert abs(found - 3) < 4 * found.se
    assert fit.df() == pytest.approx(3.0, abs=1e-6)
    remedy = fitted("poisson", scale=None).diagnose().set_index("finding").loc["overdispersion", "remedy"]
    assert "quasipoisson" in remedy
    assert "overdispersion" not in set(fit.diagnose()["finding"])
    assert "X2" in fitted("negative binomial", scale=None).diagnose().set_index("finding").loc["overdispersion", "remedy"]


def test_several_responses_have_a_dispersion_each():
    rng = np.random.default_rng(2)
    data = DATA.assign(j=rng.negative_binomial(2, 0.4, len(DATA)))
    both = ns.neuralnet("k + j ~ x", data, hidden=0, family="quasipoisson")
    each = [ns.neuralnet(f"{y} ~ x", data, hidden=0, family="quasipoisson") for y in ("k", "j")]
    np.testing.assert_allclose(np.diag(both.scale), [one.scale for one in each], rtol=1e-6)
    np.testing.assert_allclose(both.bse, np.concatenate([one.bse for one in each]), rtol=1e-5)
    assert float(both.df("nic")) == pytest.approx(sum(float(one.df("nic")) for one in each), rel=1e-4)


def test_a_network():
    fit = ns.neuralnet("k ~ x + z", DATA, hidden=2, rep=2, family="quasipoisson", random_state=1, penalty=ns.decay(0.1),
                       algorithm="bfgs")  # fmt: skip
    plain = ns.neuralnet("k ~ x + z", DATA, hidden=2, rep=2, family="poisson", random_state=1, penalty=ns.decay(0.1),
                         algorithm="bfgs")  # fmt: skip
    np.testing.assert_array_equal(fit.theta, plain.theta)
    assert fit.scale == pytest.approx(fit.pearson_chi2 / fit.df_resid)
    np.testing.assert_allclose(fit.bse, plain.bse * np.sqrt(fit.scale), rtol=1e-6)
    one = fit.get_prediction(rep="best", use_t=False).se_mean
    np.testing.assert_allclose(one, plain.get_prediction(rep="best").se_mean * np.sqrt(fit.scale), rtol=1e-6)
    assert set(fit.term_tests("wald").index) == {"x", "z"}


def test_network_criterion_counts_a_dispersion():
    """tr(G Q^-1) is a number of parameters, whatever the dispersion is: near 3 where the family is right."""
    rng = np.random.default_rng(1)
    x, z = rng.uniform(size=2000), rng.normal(size=2000)
    mu = np.exp(0.5 + x)
    data = pd.DataFrame({"x": x, "z": z, "g": rng.gamma(10, mu / 10), "i": rng.wald(mu, 20)})
    for response, family in (("g", F.Gamma("log")), ("i", F.InverseGaussian("log"))):
        fit = ns.neuralnet(f"{response} ~ x + z", data, hidden=0, family=family)
        found = fit.df("nic")
        assert found == pytest.approx(3.0, abs=0.3)
        assert found.sigma == pytest.approx(np.sqrt(fit.pearson_chi2 / fit.nobs))
        assert fit.tic == pytest.approx(fit.aic, abs=1.0)
