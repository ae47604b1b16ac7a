"""The table of coefficients that statsmodels prints, deviances, and when R's criteria are shown."""

from __future__ import annotations

import re

import numpy as np
import pandas as pd
import pytest
import statsmodels.api as sm
import statsmodels.formula.api as smf
from scipy.stats import t

import neuralstat as ns
from neuralstat.summary.coefficients import figure


def _frame() -> pd.DataFrame:
    rng = np.random.default_rng(8)
    data = pd.DataFrame({"x": rng.normal(size=90), "income": rng.uniform(2e4, 9e4, 90), "g": rng.choice(list("abc"), 90)})
    eta = 0.4 + 0.8 * data["x"] + (data["g"] == "b") * 0.5
    data["y"] = 100 * eta + data["income"] / 500 + 20 * rng.normal(size=90)
    data["z"] = -eta + rng.normal(size=90)
    data["c"] = (rng.random(90) < 1 / (1 + np.exp(-eta))).astype(float)
    data["k"] = rng.poisson(np.exp(eta / 2))
    data["m"] = rng.choice(["p", "q", "r"], 90, p=[0.3, 0.4, 0.3])
    data["w"] = rng.gamma(3, np.exp(eta) / 3)
    return data


FRAME = _frame()


def glm(formula, **options):
    return ns.neuralnet(formula, FRAME, hidden=0, rep=1, random_state=1, **options)


def tables(fit):
    """Tables by title, as frames of text, the first column their index."""
    return {table.title: pd.DataFrame([list(r)[1:] for r in table.rows], [r[0] for r in table.rows], list(table.columns)[1:])
            for table in fit.summary().tables}  # fmt: skip


def numbers(frame, columns=slice(None)):
    return frame.replace("", "nan").astype(float).to_numpy()[:, columns]


FAMILIES = {
    "y": None, "c": sm.families.Binomial(), "k": sm.families.Poisson(), "w": sm.families.Gamma(sm.families.links.Log()),
}  # fmt: skip


@pytest.mark.parametrize("response", FAMILIES)
def test_as_statsmodels_prints_it(response):
    family = FAMILIES[response]
    formula = f"{response} ~ x + income + g"
    theirs = smf.ols(formula, FRAME).fit() if family is None else smf.glm(formula, FRAME, family=family).fit(tol=1e-12)
    fit = glm(formula) if family is None else glm(formula, family=family)
    found = tables(fit)["Coefficients"]
    order = ["Intercept", "x", "income", "g[T.b]", "g[T.c]"]
    assert list(found.index) == order
    expected = pd.concat([theirs.params, theirs.bse, theirs.tvalues, theirs.pvalues, theirs.conf_int()], axis=1).loc[order]
    np.testing.assert_allclose(numbers(found)[:, :3], expected.to_numpy()[:, :3], rtol=6e-3, atol=6e-4)
    if family is None:
        assert list(found.columns) == ["coef", "std err", "t", "P>|t|", "[0.025", "0.975]"]
    if response in ("y", "c", "k"):
        np.testing.assert_allclose(numbers(found)[:, 3], expected.to_numpy()[:, 3], atol=1e-3)
        np.testing.assert_allclose(numbers(found)[:, 4:], expected.to_numpy()[:, 4:], rtol=6e-3, atol=6e-4)
    text = str(fit.summary())
    assert "[0.025" in text and max(map(len, text.splitlines())) <= 80
    deviance = tables(fit)["Deviance of the best repetition"].iloc[:, 0]
    other = theirs if family is not None else smf.glm(formula, FRAME).fit()
    assert float(deviance["Deviance"]) == pytest.approx(other.deviance, rel=1e-5)
    assert float(deviance["Null deviance"]) == pytest.approx(other.null_deviance, rel=1e-5)
    assert float(deviance["Pearson chi2"]) == pytest.approx(other.pearson_chi2, rel=1e-4)
    assert float(deviance["Pearson chi2 / df (df = 85)"]) == pytest.approx(other.pearson_chi2 / 85, rel=1e-3)


def test_a_dispersed_family_has_t():
    """summary.glm of R: t on n - df for gamma, which statsmodels takes as normal."""
    found = tables(glm("w ~ x", family=FAMILIES["w"]))["Coefficients"]
    theirs = smf.glm("w ~ x", FRAME, family=FAMILIES["w"]).fit(tol=1e-12)
    assert found.columns[2] == "t"
    np.testing.assert_allclose(numbers(found)[:, 3], 2 * t.sf(np.abs(theirs.tvalues), 88), atol=6e-4)


def test_classes_against_the_first():
    """statsmodels' MNLogit."""
    theirs = smf.mnlogit("code ~ x + g", FRAME.assign(code=FRAME["m"].map({"p": 0, "q": 1, "r": 2}))).fit(disp=0, tol=1e-12)
    found = tables(glm("m ~ x + g", family="multinomial"))
    for k, name in enumerate("qr"):
        table = found[f"Coefficients of {name} against p"]
        order = ["Intercept", "x", "g[T.b]", "g[T.c]"]
        values = numbers(table.loc[order])
        np.testing.assert_allclose(values[:, 0], theirs.params.loc[order].iloc[:, k], atol=1e-4)
        np.testing.assert_allclose(values[:, 1], theirs.bse.loc[order].iloc[:, k], atol=1e-3)
        np.testing.assert_allclose(values[:, 3], theirs.pvalues.loc[order].iloc[:, k], atol=1e-3)
    assert list(found["Deviance of the best repetition"].index) == ["Deviance", "Null deviance"]


def test_several_responses_have_a_table_each():
    found = tables(glm("y + z ~ x"))
    for name in "yz":
        theirs = smf.ols(f"{name} ~ x", FRAME).fit()
        values = numbers(found[f"Coefficients of {name}"])
        np.testing.assert_allclose(values[:, 0], theirs.params, rtol=1e-3)
        np.testing.assert_allclose(values[:, 1], theirs.bse, rtol=6e-3, atol=6e-4)


def test_penalties_and_weights_held_out_are_said():
    fit = glm("y ~ x + income", penalty=ns.decay(0.5))
    assert "Coefficients (penalized)" in tables(fit)
    held = ns.neuralnet("z ~ x + income", FRAME, hidden=0, rep=1, exclude=["x.to.z"], constant_weights=[-0.7],
                        standardize=False, algorithm="lm", random_state=1)  # fmt: skip
    table = tables(held)["Coefficients"]
    assert list(table.loc["x"][:2]) == ["-0.7000", "held"]
    theirs = sm.OLS(FRAME["z"] + 0.7 * FRAME["x"], sm.add_constant(FRAME["income"])).fit()
    assert float(table.loc["Intercept", "std err"]) == pytest.approx(theirs.bse.iloc[0], rel=0.01)


def test_networks_have_none():
    fit = ns.neuralnet("z ~ x", FRAME, hidden=1, rep=1, random_state=1, standardize=True, penalty=ns.decay(0.1))
    assert not any(title.startswith("Coefficients") for title in tables(fit))
    deviance = tables(fit)["Deviance of the best repetition"].iloc[:, 0]
    assert float(deviance["Deviance"]) == pytest.approx(fit.deviance, rel=1e-5)
    chi2 = float(next(v for k, v in deviance.items() if k.startswith("Pearson chi2 / df")))
    assert chi2 == pytest.approx(fit.pearson_chi2 / fit.df_resid, rel=1e-3)


def test_rs_criteria_are_shown_where_asked_for():
    options = {"hidden": 1, "rep": 1, "random_state": 1}
    assert "R's aic" not in str(ns.neuralnet("z ~ x", FRAME, standardize=True, penalty=ns.decay(0.1), **options))
    asked = str(ns.neuralnet("z ~ x", FRAME, standardize=True, penalty=ns.decay(0.1), likelihood=True, **options))
    assert "R's aic" in asked and "R's bic" in asked
    assert "R's aic" in str(ns.neuralnet("z ~ x", FRAME, compat="R", **options))


def test_html_and_latex_have_the_table():
    summary = glm("z ~ x").summary()
    assert "<th" in summary.as_html() and "std err" in summary.as_html()
    assert re.search(r"x & -?\d\.\d{4} & ", summary.as_latex())


@pytest.mark.parametrize(("value", "text"), [
    (0.0, "0.000"), (1.23456, "1.235"), (-1.5e-6, "-1.5e-06"), (123456.7, "1.23e+05"), (float("nan"), ""), (0.00012, "0.000"),
])  # fmt: skip
def test_figures(value, text):
    assert figure(value) == text
