"""Frequencies, precision weights, weights of zero: statsmodels' GLM, R, and rows that are repeated."""

from __future__ import annotations

import itertools

import numpy as np
import pandas as pd
import pytest
import statsmodels.api as sm

import neuralstat as ns
from neuralstat.errors import ArgumentError, DataError

EXACT = {"hidden": 0, "standardize": "auto", "rep": 1, "random_state": 1}
NET = {"hidden": 2, "standardize": True, "rep": 2, "algorithm": "lm", "threshold": 1e-6, "penalty": ns.decay(0.05),
       "random_state": 1}  # fmt: skip
L = sm.families.links


def _frame() -> pd.DataFrame:
    rng = np.random.default_rng(11)
    frame = pd.DataFrame({"x": rng.normal(size=48), "z": rng.normal(size=48)})
    eta = 0.3 + 0.5 * frame.x - 0.4 * frame.z
    frame["gaussian"] = eta + rng.normal(size=48)
    frame["poisson"] = rng.poisson(np.exp(eta)).astype(float)
    frame["binomial"] = (rng.random(48) < 1 / (1 + np.exp(-eta))).astype(float)
    frame["gamma"] = rng.gamma(2, np.exp(eta) / 2)
    frame["inverse_gaussian"] = rng.wald(np.exp(eta), 3)
    frame["tweedie"] = frame.gamma * (rng.random(48) < 0.8)
    frame["nb"] = rng.poisson(np.exp(eta) * rng.gamma(2, 0.5, 48)).astype(float)
    frame["kind"] = pd.Categorical(rng.choice(list("abc"), 48))
    frame["often"], frame["precision"] = rng.integers(1, 5, 48), rng.uniform(0.3, 3, 48)
    return frame


FRAME = _frame()
FAMILIES = {
    "gaussian": sm.families.Gaussian(), "poisson": sm.families.Poisson(), "binomial": sm.families.Binomial(),
    "gamma": sm.families.Gamma(L.Log()), "inverse_gaussian": sm.families.InverseGaussian(L.Log()),
    "tweedie": sm.families.Tweedie(L.Log(), var_power=1.5), "nb": sm.families.NegativeBinomial(alpha=0.5),
}  # fmt: skip
GIVEN = ({"freq_weights": "often"}, {"var_weights": "precision"}, {"weights": "precision"},
         {"freq_weights": "often", "var_weights": "precision"})  # fmt: skip


def repeated(frame: pd.DataFrame, column: str = "often") -> pd.DataFrame:
    return frame.loc[frame.index.repeat(frame[column])].reset_index(drop=True)


@pytest.mark.parametrize("given", GIVEN, ids=["freq", "var", "weights", "both"])
@pytest.mark.parametrize("name", FAMILIES)
def test_statsmodels(name, given):
    family = FAMILIES[name]
    known = {key.replace("weights", "var_weights") if key == "weights" else key: FRAME[v] for key, v in given.items()}
    glm = sm.GLM(FRAME[name], sm.add_constant(FRAME[["x", "z"]]), family, **known).fit(tol=1e-14, maxiter=200)
    fit = ns.neuralnet(f"{name} ~ x + z", FRAME, family=family, **EXACT, **given)
    for attribute in ("llf", "scale", "df_resid", "df_model", "deviance", "pearson_chi2", "aic", "bic_llf", "null_deviance",
                      "llnull"):  # fmt: skip
        assert getattr(fit, attribute) == pytest.approx(getattr(glm, attribute), rel=1e-6), attribute
    for attribute in ("resid_pearson", "resid_deviance", "resid_response", "resid_working"):
        np.testing.assert_allclose(getattr(fit, attribute), getattr(glm, attribute), rtol=1e-5, atol=1e-7, err_msg=attribute)
    np.testing.assert_allclose(fit.params, glm.params, rtol=1e-5)
    np.testing.assert_allclose(fit.bse, glm.bse, rtol=1e-5)
    assert fit.nobs == (FRAME.often.sum() if "freq_weights" in given else 48)
    assert fit.nobs == pytest.approx(fit.df_resid + fit.df_model + 1)
    assert isinstance(fit.nobs, int)
    m, n = 3 + fit.family.dispersed, fit.nobs
    assert fit.aicc == pytest.approx(-2 * glm.llf + 2 * m * n / (n - m - 1), rel=1e-6)


SCALARS = ("nobs", "llf", "llnull", "aic", "aicc", "bic", "gcv", "cp", "gic", "tic", "scale", "df_resid", "df_model",
           "deviance", "null_deviance", "pearson_chi2", "rsquared", "ssr")  # fmt: skip


@pytest.mark.parametrize("options", [EXACT, NET], ids=["exact", "net"])
@pytest.mark.parametrize("name", ["gaussian", "poisson", "gamma", "kind"])
def test_as_if_repeated(name, options):
    """A row of frequency m is m rows, in every statistic."""
    family = {"kind": "multinomial"}.get(name, FAMILIES.get(name))
    more = {} if name == "gaussian" else {"family": family}
    extra = {"var_weights": "precision"} if name == "gaussian" else {}
    ours, theirs = (
        ns.neuralnet(f"{name} ~ x + z", FRAME, freq_weights="often", **options, **more, **extra),
        ns.neuralnet(f"{name} ~ x + z", repeated(FRAME), **options, **more, **extra),
    )
    for attribute in SCALARS:
        assert getattr(ours, attribute) == pytest.approx(getattr(theirs, attribute), rel=1e-5), attribute
    for cov_type in ("expected", "hessian", "sandwich"):
        one, other = ours.cov_params(cov_type), theirs.cov_params(cov_type)
        np.testing.assert_allclose(one, other, rtol=1e-4, atol=1e-7 * np.abs(other).max(axis=None))
    np.testing.assert_allclose(ours.wald_test_terms().table, theirs.wald_test_terms().table, rtol=1e-5)
    np.testing.assert_allclose(ours.confidence_interval().nic, theirs.confidence_interval().nic, rtol=1e-6)
    new = FRAME[["x", "z"]].iloc[:4]
    for cov_type in ("expected", "sandwich"):
        found, expected = (f.get_prediction(new, cov_type=cov_type).summary_frame() for f in (ours, theirs))
        np.testing.assert_allclose(found, expected, rtol=1e-5)
    np.testing.assert_allclose(ours.marginal_effects(), theirs.marginal_effects(), rtol=1e-3, atol=1e-6)
    assert str(ours.summary()).split("Fit to the data")[1].split("===")[0] == (
        str(theirs.summary()).split("Fit to the data")[1].split("===")[0])  # fmt: skip
    methods = ("cp", "gcv", "sure") if name == "gaussian" else ("cp", "gcv")
    for method in methods:
        risks = [float(ns.risk(f, method, **({"df": "jacobian"} if method != "gcv" else {}))) for f in (ours, theirs)]
        assert risks[0] == pytest.approx(risks[1], rel=1e-5), method
    if name != "kind":
        first = np.concatenate([[0], np.cumsum(FRAME.often)[:-1]])
        np.testing.assert_allclose(
            ours.get_influence().summary_frame(), theirs.get_influence().summary_frame().iloc[first], rtol=1e-4, atol=1e-7
        )


def test_bootstrap_as_if_repeated():
    """Draws of observations, not of rows; draws of responses have the rows' variance."""
    fit = ns.neuralnet("gaussian ~ x", FRAME, freq_weights="often", **EXACT)
    for kind, cov_type in (("case", "sandwich"), ("parametric", "expected"), ("residual", "expected")):
        se = fit.get_prediction(FRAME[:5], cov_type=cov_type).se_mean
        found = fit.get_prediction(FRAME[:5], method="bootstrap", kind=kind, draws=400, random_state=1).se_mean
        np.testing.assert_allclose(found, se, rtol=0.2, err_msg=kind)
    bad = FRAME.assign(often=FRAME.often + 0.5)
    broken = ns.neuralnet("gaussian ~ x", bad, freq_weights="often", **EXACT)
    assert broken.nobs == pytest.approx(bad.often.sum())
    with pytest.raises(ArgumentError, match="freq_weights are not whole"):
        broken.get_prediction(FRAME[:5], method="bootstrap", kind="case", random_state=1)
    classes = ns.neuralnet("kind ~ x", FRAME, freq_weights="often", family="multinomial", **EXACT)
    for method in ("gdf", "covariance"):
        assert abs(float(classes.df(method, draws=100, random_state=1)) - 4) < 1.2, method


def test_conformal_counts_observations():
    fit = ns.neuralnet("gaussian ~ x + z", FRAME, freq_weights="often", **EXACT)
    limits = fit.get_prediction(FRAME[:5], method="cv+", k=48, random_state=1).conf_int(1 / (FRAME.often.sum() + 1), obs=True)
    assert np.isfinite(limits).all(axis=None)
    with pytest.raises(ArgumentError, match=f"held-out rows, there are {FRAME.often.sum()}"):
        fit.get_prediction(FRAME[:5], method="cv+", k=48, random_state=1).conf_int(0.9 / (FRAME.often.sum() + 1), obs=True)


# MASS::housing, in its order: satisfaction varies fastest, then influence, type, contact
FREQUENCY = [
    21, 21, 28, 34, 22, 36, 10, 11, 36, 61, 23, 17, 43, 35, 40, 26, 18, 54, 13, 9, 10, 8, 8, 12, 6, 7, 9, 18, 6, 7, 15, 13,
    13, 7, 5, 11, 14, 19, 37, 17, 23, 40, 3, 5, 23, 78, 46, 43, 48, 45, 86, 15, 25, 62, 20, 23, 20, 10, 22, 24, 7, 10, 21, 57,
    23, 13, 31, 21, 13, 5, 6, 13,
]  # fmt: skip
HOUSING = pd.DataFrame(
    [row[::-1] for row in itertools.product(("Low", "High"), ("Tower", "Apartment", "Atrium", "Terrace"),
                                           ("Low", "Medium", "High"), ("Low", "Medium", "High"))],
    columns=["Sat", "Infl", "Type", "Cont"],
).assign(Freq=FREQUENCY)  # fmt: skip


def test_housing():
    """m <- nnet::multinom(Sat ~ Infl + Type + Cont, weights = Freq, data = MASS::housing); logLik(m), BIC(m), AIC(m)."""
    fit = ns.neuralnet("Sat ~ Infl + Type + Cont", HOUSING, family="multinomial", freq_weights="Freq", **EXACT)
    assert fit.nobs == 1681
    assert [fit.llf, fit.bic, fit.aic] == pytest.approx([-1735.041933, 3574.063884, 3498.083866], abs=1e-5)
    assert "0.5098 (857 of 1,681 wrong)" in str(fit.summary())
    assert "Rows used" in str(fit.summary()) and "1,681" in str(fit.summary())
    precise = ns.neuralnet("Sat ~ .", HOUSING, family="multinomial", weights="Freq", **EXACT)
    assert precise.nobs == 72 and precise.llf == pytest.approx(fit.llf, abs=1e-6)
    assert precise.bic == pytest.approx(2 * 1735.041933 + 14 * np.log(72), abs=1e-4)
    assert "0.5098 (857 of 1,681 wrong)" in str(precise.summary())


def test_summary_counts_classes_as_they_are():
    frame = FRAME.assign(y=np.where(FRAME.binomial > 0, "yes", "no"))
    fit = ns.neuralnet("y ~ x + z", frame, family="binomial", class_weight={"yes": 0.25}, **EXACT)
    wrong = int((fit.predict(type="class").astype(str) != frame.y).sum())
    assert f"{wrong / 48:.4f} ({wrong} of 48 wrong)" in str(fit.summary())
    plain = ns.neuralnet("binomial ~ x + z", frame, err_fct="ce", linear_output=False, weights="precision", **EXACT)
    wrong = ((plain.predict() > 0.5) != (frame.binomial > 0.5)) @ frame.precision
    assert f"{wrong:,.2f} of {frame.precision.sum():,.2f}" in str(plain.summary())


# weights of zero --------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("argument", ["weights", "var_weights", "freq_weights"])
@pytest.mark.parametrize("options", [EXACT, NET], ids=["exact", "net"])
def test_zero_weights_are_no_observations(argument, options):
    """nobs, df_resid, BIC, tests are those of the other rows alone; all rows are predicted."""
    weight = np.where(FRAME.index % 4 == 0, 0, FRAME.often)
    frame = FRAME.assign(w=weight)
    fit = ns.neuralnet("gaussian ~ x + z", frame, **{argument: "w"}, **options)
    rest = ns.neuralnet("gaussian ~ x + z", frame[weight > 0], **{argument: "w"}, **options)
    for attribute in (*SCALARS, "bic_deviance"):
        assert getattr(fit, attribute) == pytest.approx(getattr(rest, attribute), rel=1e-6), attribute
    assert fit.nobs == (weight.sum() if argument == "freq_weights" else 36)
    np.testing.assert_allclose(fit.bse, rest.bse, rtol=1e-5)
    np.testing.assert_allclose(fit.pvalues, rest.pvalues, rtol=1e-5, atol=1e-12)
    assert fit.predict().notna().all() and fit.resid.notna().all() and len(fit.predict()) == 48
    for sigma in (None, 1.0):
        assert float(fit.df("nic", sigma=sigma)) == pytest.approx(float(rest.df("nic", sigma=sigma)), rel=1e-6)


def test_r_and_zero_weights():
    """w <- ifelse(carb == 4, 0, carb); f <- lm(mpg ~ wt + hp, mtcars, weights = w); nobs, df.residual, AIC, BIC, logLik."""
    mpg = [21, 21, 22.8, 21.4, 18.7, 18.1, 14.3, 24.4, 22.8, 19.2, 17.8, 16.4, 17.3, 15.2, 10.4, 10.4, 14.7, 32.4, 30.4, 33.9,
           21.5, 15.5, 15.2, 13.3, 19.2, 27.3, 26, 30.4, 15.8, 19.7, 15, 21.4]  # fmt: skip
    wt = [2.62, 2.875, 2.32, 3.215, 3.44, 3.46, 3.57, 3.19, 3.15, 3.44, 3.44, 4.07, 3.73, 3.78, 5.25, 5.424, 5.345, 2.2,
          1.615, 1.835, 2.465, 3.52, 3.435, 3.84, 3.845, 1.935, 2.14, 1.513, 3.17, 2.77, 3.57, 2.78]  # fmt: skip
    hp = [110, 110, 93, 110, 175, 105, 245, 62, 95, 123, 123, 180, 180, 180, 205, 215, 230, 66, 52, 65, 97, 150, 150, 245,
          175, 66, 91, 113, 264, 175, 335, 109]  # fmt: skip
    carb = [4, 4, 1, 1, 2, 1, 4, 2, 2, 4, 4, 3, 3, 3, 4, 4, 4, 1, 2, 1, 1, 2, 2, 4, 2, 1, 2, 2, 4, 6, 8, 2]
    cars = pd.DataFrame({"mpg": mpg, "wt": wt, "hp": hp, "w": np.where(np.array(carb) == 4, 0, carb)})
    fit = ns.neuralnet("mpg ~ wt + hp", cars, weights="w", **EXACT)
    assert (fit.nobs, fit.df_resid) == (22, pytest.approx(19))
    criteria = [fit.info_criteria(c, convention="R") for c in ("bic", "aic")]
    assert [*criteria, fit.llf] == pytest.approx([109.888479265, 105.524309452, -48.762154726])
    assert np.sqrt(fit.scale) == pytest.approx(3.291177676)
    np.testing.assert_allclose(fit.bse, [2.064133004369, 0.788699821885, 0.006722361816], rtol=1e-8)
    confint = [[34.89557814097, 43.536138200251], [-6.67494036672, -3.373404968890], [-0.03501096048, -0.006870830514]]
    np.testing.assert_allclose(fit.conf_int(), confint, rtol=1e-8)


# the argument -----------------------------------------------------------------------------------------------------


def test_arrays_files_and_validation(tmp_path):
    fit = ns.neuralnet("gaussian ~ x + z", FRAME, freq_weights="often", var_weights=FRAME.precision.to_numpy(), **EXACT)
    from_arrays = ns.NeuralNet(
        FRAME.gaussian, FRAME[["x", "z"]], freq_weights=FRAME.often, var_weights=FRAME.precision, **EXACT
    ).fit()
    everything = ns.neuralnet("gaussian ~ .", FRAME[["gaussian", "x", "z", "often", "precision"]], freq_weights="often",
                              var_weights="precision", **EXACT)  # fmt: skip
    fit.save(tmp_path / "fit.nst")
    for other in (from_arrays, everything, ns.load(tmp_path / "fit.nst")):
        np.testing.assert_allclose(other.params, fit.params, rtol=1e-10)
        assert (other.nobs, other.bic, other.scale) == (fit.nobs, pytest.approx(fit.bic), pytest.approx(fit.scale))
        np.testing.assert_allclose(other.bse, fit.bse, rtol=1e-9)
    assert "freq_weights='often'" in fit.call
    by_epochs = {"hidden": 2, "algorithm": "adam", "epochs": 3, "batch_size": 8, "standardize": True, "rep": 1,
                 "random_state": 1}  # fmt: skip
    ours = ns.neuralnet("gaussian ~ x", FRAME, validation=0.25, freq_weights="often", var_weights="precision", **by_epochs)
    product = FRAME.assign(w=FRAME.often * FRAME.precision)
    theirs = ns.neuralnet("gaussian ~ x", FRAME[:36], validation=product[36:], freq_weights="often", var_weights="precision",
                          **by_epochs)  # fmt: skip
    np.testing.assert_allclose(ours.history, theirs.history)
    case = ours.get_prediction(FRAME[:2], method="bootstrap", kind="case", draws=3, restarts="same", random_state=1)
    assert np.isfinite(case.se_mean).all()


def test_data_in_parts():
    whole = ns.neuralnet("gaussian ~ x", FRAME, freq_weights="often", var_weights="precision", **EXACT)
    chunks = ns.chunks([FRAME[:20].drop(columns="kind"), FRAME[20:].drop(columns="kind")])
    fit = ns.neuralnet("gaussian ~ x", chunks, freq_weights="often", var_weights="precision", **EXACT)
    assert fit.nobs == whole.nobs and fit.bic == pytest.approx(whole.bic)
    with pytest.raises(ArgumentError, match="freq_weights must be the name of a column"):
        ns.neuralnet("gaussian ~ x", chunks, freq_weights=FRAME.often.to_numpy(), **EXACT)


def test_missing_and_wrong_weights():
    lacking = FRAME.assign(often=FRAME.often.where(FRAME.index != 3))
    fit = ns.neuralnet("gaussian ~ x", lacking, freq_weights="often", **EXACT)
    assert fit.nobs == FRAME.often.sum() - FRAME.often[3] and np.isnan(fit.fittedvalues[3])
    for arguments, words in (
        ({"weights": "precision", "var_weights": "precision"}, "give one of them"),
        ({"freq_weights": "no"}, "freq_weights: .*'no'"),
        ({"var_weights": -FRAME.precision}, "var_weights must not be negative"),
        ({"freq_weights": FRAME.often * np.inf}, "freq_weights must be finite"),
        ({"freq_weights": np.zeros(48)}, "freq_weights are all zero"),
        ({"freq_weights": np.ones((48, 2))}, r"freq_weights has shape \(48, 2\)"),
        ({"freq_weights": np.ones(3)}, "freq_weights has shape"),
        ({"freq_weights": FRAME.index < 3, "weights": FRAME.index > 5}, "in every row one of them is zero"),
        ({"freq_weights": lacking.often, "missing": "raise"}, "argument freq_weights"),
    ):
        with pytest.raises((ArgumentError, DataError), match=words):
            ns.neuralnet("gaussian ~ x", FRAME, **arguments, **EXACT)
    with pytest.raises(ArgumentError, match="freq_weights must be an array"):
        ns.NeuralNet(FRAME.gaussian, FRAME[["x"]], freq_weights="often")
