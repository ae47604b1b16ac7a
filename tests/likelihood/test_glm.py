"""Without a hidden layer every family and link is statsmodels' GLM."""


import numpy as np
import pandas as pd
import pytest
import raw
import statsmodels.api as sm
from glms import CASES, IDS, UNIT, S, data, ours, theirs

import neuralstat as ns
from neuralstat.families import resolve_family
from neuralstat.network import derivatives


def assert_close(a, b, what, rtol=1e-6, atol=1e-9):
    np.testing.assert_allclose(np.asarray(a, float), np.asarray(b, float), rtol=rtol, atol=atol, err_msg=what)


def compare(fit, glm, robust, case):
    assert_close(fit.params, glm.params, "params")
    gradient = np.abs(fit.gradients[0]).max()
    assert gradient < 1e-6 * max(1.0, fit.deviance), "the gradient vanishes at statsmodels' estimates"
    assert_close(fit.bse, glm.bse, "bse")
    assert_close(fit.cov_params(), glm.cov_params(), "covariance", atol=1e-8 * glm.bse.max() ** 2)
    assert_close(fit.standard_errors("sandwich"), robust.bse, "HC0")
    observed = np.linalg.inv(-glm.model.hessian(glm.params, scale=glm.scale, observed=True))
    assert_close(fit.standard_errors("hessian"), np.sqrt(np.diag(observed)), "observed information", rtol=2e-6)
    assert_close(fit.zvalues, glm.tvalues, "z")
    assert_close(fit.pvalues, glm.pvalues, "p", rtol=1e-5)
    assert_close(fit.conf_int(0.1), glm.conf_int(0.1), "confidence interval")
    assert_close(fit.predict(), glm.fittedvalues, "predictions")
    with np.errstate(divide="ignore", invalid="ignore"):  # theirs warns at y = 0
        for name in ("deviance", "null_deviance", "scale", "pearson_chi2", "df_model", "df_resid", "nobs"):
            assert_close(getattr(fit, name), getattr(glm, name), name)
        for name in ("resid_response", "resid_pearson", "resid_deviance", "resid_working"):
            assert_close(getattr(fit, name), getattr(glm, name), name, rtol=1e-5, atol=2e-6)
    if case.__class__.__name__ == "Tweedie" and case.var_power == 2.5:
        assert np.isnan(fit.llf)
        return
    for name in ("llf", "llnull", "aic", "bic_llf"):
        assert_close(getattr(fit, name), getattr(glm, name), name)
    assert fit.bic_deviance == pytest.approx(glm.bic_deviance)
    assert fit.info_criteria("aic", dk_params=1) == pytest.approx(glm.info_criteria("aic", dk_params=1))
    for kind in ("cs", "mcf"):
        assert_close(fit.pseudo_rsquared(kind), glm.pseudo_rsquared(kind), kind)


@pytest.mark.parametrize("case", CASES, ids=IDS)
@pytest.mark.parametrize("extra", ["plain", "weights", "offset"])
def test_everything_equals_glm(case, extra):
    family = resolve_family(case)
    frame = data(family)
    if extra == "weights":
        glm, robust = theirs(case, frame, var_weights=frame.w)
        fit = ours(case, frame, glm.params, weights="w")
    elif extra == "offset":
        glm, robust = theirs(case, frame, offset=frame.e.to_numpy())
        fit = ours(case, frame, glm.params, offset="e")
    else:
        glm, robust = theirs(case, frame)
        fit = ours(case, frame, glm.params)
    assert_close(fit.predict(type="link"), glm.model.predict(glm.params, which="linear"), "linear predictor")
    compare(fit, glm, robust, case)


@pytest.mark.parametrize("link", UNIT[:3], ids=lambda link: link.__name__)
def test_proportions_with_numbers_of_trials(link):
    case = S.Binomial(link())
    frame = data(resolve_family(case))
    counts = np.column_stack([frame.p * frame.w, frame.w - frame.p * frame.w])
    glm, robust = theirs(case, frame, counts)
    fit = ours(S.Binomial(link()), frame, glm.params, "p", weights="w")
    assert_close(fit.params, glm.params, "params")
    assert_close(fit.bse, glm.bse, "bse")
    assert_close(fit.standard_errors("sandwich"), robust.bse, "HC0")
    for name in ("deviance", "null_deviance", "llf", "llnull", "aic", "bic_llf", "pearson_chi2"):
        assert_close(getattr(fit, name), getattr(glm, name), name)
    assert fit.errors[0] == pytest.approx(glm.deviance / 2)
    assert_close(fit.resid_deviance, glm.resid_deviance, "deviance residuals", rtol=1e-5, atol=1e-6)
    assert_close(fit.resid_pearson, glm.resid_pearson, "Pearson residuals")


# log-like links: rprop+ reaches the optimum from R's random starts; the others need a descent that stays inside
SMOOTH = ("identity", "log", "logit", "probit", "cauchy", "cloglog", "loglog", "sqrt")


@pytest.mark.parametrize(
    "case",
    [c for c in CASES if resolve_family(c).link.name in SMOOTH
     and not (type(c).__name__ == "Binomial" and resolve_family(c).link.name in ("log", "identity"))
     and not (type(c).__name__ == "NegativeBinomial" and resolve_family(c).link.name == "cloglog")],
    ids=lambda c: str(resolve_family(c)),
)  # fmt: skip
def test_training_reaches_the_glm(case):
    frame = data(resolve_family(case))
    glm, _ = theirs(case, frame)
    fit = raw.neuralnet("y ~ x + z", frame, hidden=0, family=case, threshold=1e-7, random_state=4, rep=2)
    assert fit.converged
    assert_close(fit.theta, np.tile(glm.params, (2, 1)), "params of both repetitions", atol=1e-6)


def test_standardised_gaussian_reports_original_units():
    case = S.Gaussian()
    frame = data(resolve_family(case))
    frame["x"] = 1e4 + 30 * frame.x
    exog = sm.add_constant(frame[["x", "z"]])
    glm = sm.GLM(frame.y, exog).fit()
    fit = raw.neuralnet("y ~ x + z", frame, hidden=0, standardize=True, threshold=1e-7, random_state=1)
    assert_close(fit.params, glm.params, "params")
    assert_close(fit.bse, glm.bse, "bse", rtol=1e-5)
    assert_close(fit.standard_errors("hessian"), glm.bse, "hessian", rtol=1e-5)
    assert_close([fit.llf, fit.deviance, fit.scale, fit.aic], [glm.llf, glm.deviance, glm.scale, glm.aic], "llf")
    assert fit.rsquared == pytest.approx(sm.OLS(frame.y, exog).fit().rsquared)


def test_err_fct_has_a_likelihood_too():
    frame = data(resolve_family("binomial"))
    glm, robust = theirs(S.Binomial(), frame)
    fit = raw.neuralnet("y ~ x + z", frame, hidden=0, err_fct="ce", linear_output=False, startweights=list(glm.params))
    assert_close(fit.bse, glm.bse, "bse")
    assert_close([fit.llf, fit.deviance, fit.null_deviance], [glm.llf, glm.deviance, glm.null_deviance], "llf")
    assert_close(fit.standard_errors("HC0"), robust.bse, "HC0")


def test_multinomial_equals_mnlogit():
    rng = np.random.default_rng(5)
    frame = pd.DataFrame({"x": rng.normal(size=200), "z": rng.normal(size=200)})
    score = np.stack([0 * frame.x, 0.5 + frame.x, -0.3 + 0.5 * frame.z]) + rng.gumbel(size=(3, 200))
    frame["g"] = np.array(["a", "b", "c"])[score.argmax(axis=0)]
    glm = sm.MNLogit(score.argmax(axis=0), sm.add_constant(frame[["x", "z"]])).fit(disp=0, tol=1e-12)
    fit = raw.neuralnet("g ~ x + z", frame, hidden=0, family="multinomial", threshold=1e-6, random_state=1)
    w = fit.weights[0][0]
    assert_close(w[:, 1:] - w[:, :1], glm.params, "contrasts", rtol=1e-5)
    contrast = np.hstack([np.tile(-np.eye(3), (2, 1)), np.eye(6)])
    for kind, rtol in (("expected", 1e-5), ("hessian", 1e-5)):
        v = contrast @ fit.cov_params(kind).to_numpy() @ contrast.T
        assert_close(np.sqrt(np.diag(v)).reshape(2, 3).T, glm.bse, kind, rtol=rtol)
    assert_close([fit.llf, fit.llnull, fit.aic, fit.bic], [glm.llf, glm.llnull, glm.aic, glm.bic], "llf")
    assert_close([fit.df_model, fit.df_resid], [glm.df_model, glm.df_resid], "degrees of freedom")
    assert fit.pseudo_rsquared("mcf") == pytest.approx(glm.prsquared)
    assert np.square(fit.resid_deviance).to_numpy().sum() == pytest.approx(fit.deviance)
    shifted = raw.neuralnet(
        "g ~ x + z", frame, hidden=0, family="multinomial", threshold=1e-6, random_state=1,
        offset=np.tile([0.0, 0.2, -0.1], (200, 1)),
    )  # fmt: skip
    assert shifted.llf == pytest.approx(fit.llf)
    assert shifted.null_deviance == pytest.approx(fit.null_deviance)


def test_rs_convention_of_the_aic():
    """The dispersion is deviance / n and counts as a parameter, as in logLik.glm."""
    rng = np.random.default_rng(0)
    frame = pd.DataFrame({"x": rng.uniform(size=40)})
    frame["y"] = rng.gamma(3.0, np.exp(frame.x) / 3)
    fit = raw.neuralnet("y ~ x", frame, hidden=0, threshold=1e-6, random_state=1)
    rss = float(np.sum(fit.resid**2))
    assert fit.info_criteria("aic", convention="R") == pytest.approx(40 * (np.log(2 * np.pi * rss / 40) + 1) + 2 * 3)
    gamma = raw.neuralnet("y ~ x", frame, hidden=0, family=ns.families.Gamma("log"), threshold=1e-6, random_state=1)
    from scipy.stats import gamma as density

    phi, mu = gamma.deviance / 40, gamma.fittedvalues
    llf = density.logpdf(frame.y, 1 / phi, scale=mu * phi).sum()
    assert gamma.info_criteria("aic", convention="R") == pytest.approx(-2 * llf + 2 * 3)
    assert gamma.info_criteria("bic", df=5) == pytest.approx(-2 * gamma.llf + 5 * np.log(40))
    m = gamma.info_criteria("aicc")
    assert m == pytest.approx(-2 * gamma.llf + 2 * 3 * 40 / 36)  # the dispersion counts


def test_penalty_is_no_part_of_the_deviance():
    frame = data(resolve_family("poisson"))
    fit = raw.neuralnet(
        "y ~ x + z", frame, hidden=0, family="poisson", penalty=ns.decay(1.0), threshold=1e-8, random_state=1
    )
    assert fit.errors[0] == pytest.approx(fit.deviance / 2 + 0.5 * np.sum(fit.params**2))
    hessian = derivatives.hessian(fit.network, fit.fitted.data, fit.fit.theta[0])
    inverse = np.linalg.inv(hessian + np.eye(3))
    assert_close(fit.cov_params("hessian"), inverse @ hessian @ inverse, "covariance under decay")


def test_zero_weights_leave_rows_out():
    frame = data(resolve_family("gamma"))
    frame.loc[:9, "w"] = 0.0
    options = {"hidden": 0, "family": ns.families.Gamma("log"), "threshold": 1e-7, "random_state": 1}
    all_rows = raw.neuralnet("y ~ x + z", frame, weights="w", **options)
    fewer = raw.neuralnet("y ~ x + z", frame.iloc[10:], weights="w", **options)
    for name in ("llf", "aic", "scale", "deviance", "df_resid"):
        assert getattr(all_rows, name) == pytest.approx(getattr(fewer, name), rel=1e-6), name
    assert_close(all_rows.bse, fewer.bse, "bse", rtol=1e-5)


def test_custom_error_has_no_likelihood():
    frame = data(resolve_family("gamma"))
    fit = raw.neuralnet("y ~ x", frame, hidden=0, err_fct=lambda x, y: (y - x) ** 4, threshold=0.1, random_state=1)
    with pytest.raises(ns.errors.ArgumentError, match="belongs to no family"):
        _ = fit.llf
    assert np.isfinite(fit.bse).all()
    with pytest.raises(ns.errors.ArgumentError, match="belongs to no family"):
        fit.cov_params("expected")


def test_arguments_are_checked():
    frame = data(resolve_family("gamma"))
    fit = raw.neuralnet("y ~ x", frame, hidden=0, threshold=0.1, random_state=1)
    for call, words in (
        (lambda: fit.info_criteria("dic"), "crit must be"),
        (lambda: fit.info_criteria("aic", scale="ml"), "scale must"),
        (lambda: fit.residuals("partial"), "kind must be"), (lambda: fit.pseudo_rsquared("x"), "kind must be"),
        (lambda: fit.cov_params("HC3"), "cov_type must be"), (lambda: fit.conf_int(1.5), "alpha must"),
        (lambda: fit.cov_params(scale=-1), "scale must be"),
    ):  # fmt: skip
        with pytest.raises(ns.errors.ArgumentError, match=words):
            call()
