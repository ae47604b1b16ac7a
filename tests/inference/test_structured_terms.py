"""What structured fits say of their terms, against mgcv and lme4 (``tests/reference/structured/terms.R``)."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pandas as pd
import pytest

import neuralstat as ns
from neuralstat.df import exact_fit
from neuralstat.errors import ArgumentError
from neuralstat.summary.terms import term_tables

DATA = pd.read_csv(Path(__file__).parents[1] / "reference" / "structured" / "terms.csv")


@pytest.fixture(scope="module")
def additive():
    return ns.neuralnet("y ~ w + h + s(x) + s(z)", DATA)


@pytest.fixture(scope="module")
def sleep():
    return ns.neuralnet("Reaction ~ Days + (Days | Subject)", ns.datasets.sleepstudy())


@pytest.fixture(scope="module")
def towered():
    return ns.neuralnet("y ~ w + s(x) + nn(z, hidden=3) + (1 | g)", DATA, rep=2, random_state=1)


def check(table, term, edf, ref_df, statistic, pvalue):
    row = table.loc[term]
    assert row["edf"] == pytest.approx(edf, rel=0.01, abs=1e-3)
    assert row["ref_df"] == pytest.approx(ref_df, rel=0.01)
    assert row["statistic"] == pytest.approx(statistic, rel=0.02)
    assert row["pvalue"] == pytest.approx(pvalue, rel=0.02, abs=5e-5)


def test_smooths_are_mgcvs(additive):
    check(additive.terms, "s(x)", 6.2866658, 7.4082575, 35.870985, 0.0)
    check(additive.terms, "s(z)", 1.0000775, 1.0001545, 0.111845, 0.73848693)
    check(additive.terms, "w", 1, 1, 32.6698187, 4.2052742e-08)
    check(additive.terms, "h", 2, 2, 1.4522257, 0.23665222)
    assert set(additive.terms["distribution"]) == {"F"}


def test_mcycle_and_a_tensor_product_are_mgcvs():
    fit = ns.neuralnet("accel ~ s(times, k=20)", ns.datasets.mcycle())
    check(fit.terms, "s(times, k=20)", 11.784904, 13.968037, 33.934227, 0.0)
    check(ns.neuralnet("t ~ te(x, z)", DATA).terms, "te(x, z)", 6.7539076, 7.6869525, 33.237241, 0.0)


def test_a_binomial_fit_is_mgcvs():
    fit = ns.neuralnet("b ~ w + s(x) + s(z)", DATA, family="binomial")
    check(fit.terms, "s(x)", 5.2736937, 6.3809944, 41.790773578, 2.4171802e-06)
    check(fit.terms, "s(z)", 1.0001344, 1.0002678, 0.068867837, 0.79326964)
    assert set(fit.terms["distribution"]) == {"chi2"}
    np.testing.assert_allclose(fit.bse[["Intercept.to.b", "w.to.b"]], [0.34567624, 0.61780611], rtol=1e-4)
    np.testing.assert_allclose(fit.params[["Intercept.to.b", "w.to.b"]], [0.010880480, 0.087678827], rtol=1e-3)


def test_standard_errors_are_mgcvs_and_lme4s(additive, sleep):
    names = ["Intercept.to.y", "w.to.y", "h[T.b1].to.y", "h[T.b2].to.y"]
    np.testing.assert_allclose(additive.bse[names], [0.079768240, 0.118915220, 0.086736479, 0.086270614], rtol=1e-4)
    np.testing.assert_allclose(additive.pvalues[names], [0.59332884, 4.2052742e-08, 0.13227953, 0.93174311], rtol=1e-3)
    names = ["Intercept.to.Reaction", "Days.to.Reaction"]
    np.testing.assert_allclose(sleep.params[names], [251.405105, 10.467286], rtol=1e-7)
    np.testing.assert_allclose(sleep.bse[names], [6.8245967, 1.5457896], rtol=1e-4)
    assert np.isfinite(sleep.conf_int().loc[names]).all(axis=None)


def test_random_effects_are_lme4s(sleep):
    effects = sleep.ranef(se=True)["Subject"]
    np.testing.assert_allclose(effects.loc[["308", "309", "310"], ["(Intercept)", "Days"]],
                               [[2.2585509, 9.1989758], [-40.3987381, -8.6196806], [-38.9604090, -5.4488565]],
                               rtol=1e-4)  # fmt: skip
    np.testing.assert_allclose(effects[["se (Intercept)", "se Days"]], np.tile([12.070857, 2.304839], (18, 1)), rtol=1e-4)
    table = sleep.variance_components
    np.testing.assert_allclose(table["sd"], [24.740657995, 5.922137659, 25.591795722], rtol=1e-4)
    assert table.loc[1, "corr"] == pytest.approx(0.065551238, rel=1e-3)
    assert list(table["name"]) == ["(Intercept)", "Days", ""]
    assert (table["sd_se"].iloc[:2] > 0).all()


def test_a_random_intercept_has_the_test_of_mgcv():
    fit = ns.neuralnet("Reaction ~ Days + (1 | Subject)", ns.datasets.sleepstudy().iloc[:97])
    row = fit.terms.loc["(1 | Subject)"]
    assert (row["edf"], row["ref_df"], row["statistic"]) == pytest.approx((8.4858921, 9, 16.088096), rel=1e-4)
    assert row["pvalue"] < 1e-12


def test_many_levels_need_no_matrices_of_all_weights(sleep, monkeypatch):
    data = ns.datasets.sleepstudy()
    whole = ns.neuralnet("Reaction ~ Days + (1 | Subject)", data)
    table, se, df = whole.terms, whole.bse, float(whole.df("jacobian"))
    monkeypatch.setattr(exact_fit, "MOST", 10)
    few = ns.neuralnet("Reaction ~ Days + (1 | Subject)", data)
    np.testing.assert_allclose(few.bse, se, rtol=1e-5)
    assert float(few.df("jacobian")) == pytest.approx(df, rel=1e-6)
    np.testing.assert_allclose(few.terms["edf"], table["edf"], rtol=1e-5)
    np.testing.assert_allclose(few.terms.loc["Days"].drop(["term", "kind", "distribution"]).astype(float),
                               table.loc["Days"].drop(["term", "kind", "distribution"]).astype(float), rtol=1e-5)  # fmt: skip
    assert few.terms.loc["(1 | Subject)", "distribution"] == "LR"
    assert few.terms.loc["(1 | Subject)", "pvalue"] < 1e-12
    assert few.cov_params().shape == (2, 2)
    names = few.cov_params().index
    np.testing.assert_allclose(few.cov_params(), whole.cov_params().loc[names, names], rtol=1e-5)
    with pytest.raises(ArgumentError, match="'sandwich' takes matrices"):
        few.cov_params("sandwich")


def test_random_effects_beside_networks_are_those_of_the_exact_fit(sleep):
    # a network that is penalised away leaves the mixed model
    data = DATA.assign(y=DATA["y"] + DATA["g"].map({g: 0.3 * k for k, g in enumerate(DATA["g"].unique())}))
    plain = ns.neuralnet("y ~ w + s(x) + (1 | g)", data)
    fit = ns.neuralnet("y ~ w + s(x) + nn(z, hidden=2) + (1 | g)", data, rep=2, random_state=1)
    assert fit.terms.loc["nn(z)", "edf"] < 0.5
    one, other = plain.ranef(se=True)["g"], fit.ranef(se=True)["g"]
    np.testing.assert_allclose(other["(Intercept)"], one["(Intercept)"], atol=0.05)
    np.testing.assert_allclose(other["se (Intercept)"], one["se (Intercept)"], rtol=0.05)
    sd = plain.variance_components["sd"], fit.variance_components["sd"]
    np.testing.assert_allclose(*sd, rtol=0.1)


def test_networks_have_a_row(towered):
    table = towered.terms
    assert list(table["kind"]) == ["linear", "smooth", "network", "random"]
    assert table["edf"].sum() + 1 == pytest.approx(towered.nobs - table.attrs["df_resid"], rel=1e-6)
    assert 0 <= table.loc["nn(z)", "pvalue"] <= 1
    assert table.attrs["notes"] == {}


def test_a_network_that_matters_is_told_from_one_that_does_not():
    fit = ns.neuralnet("y ~ w + nn(x, hidden=3) + nn(z, hidden=2)", DATA, rep=2, random_state=1)
    assert fit.terms.loc["nn(x)", "pvalue"] < 1e-6
    assert fit.terms.loc["nn(z)", "pvalue"] > 0.05


def test_linear_rows_are_their_coefficients():
    fit = ns.neuralnet("y ~ w + x + nn(x, z, hidden=3)", DATA, rep=2, random_state=1)
    for name in ("w", "x"):
        assert fit.terms.loc[name, "pvalue"] == pytest.approx(fit.pvalues[f"{name}.to.y"], rel=1e-6)
        assert fit.terms.loc[name, "statistic"] == pytest.approx(fit.tvalues[f"{name}.to.y"] ** 2, rel=1e-6)


def test_clusters_and_sandwiches_are_asked_for():
    fit = ns.neuralnet("y ~ w + s(x)", DATA, groups="g")
    robust = fit.terms
    assert robust.loc["w", "pvalue"] == pytest.approx(fit.pvalues["w.to.y"], rel=1e-6)
    assert fit.anova("bayes").loc["w", "statistic"] != pytest.approx(robust.loc["w", "statistic"], rel=1e-3)


def test_plain_models_have_linear_terms_and_networks_none():
    fit = ns.neuralnet("y ~ w + h", DATA, hidden=0)
    wald = fit.wald_test_terms().table
    np.testing.assert_allclose(fit.terms["pvalue"], wald["pvalue"])
    with pytest.raises(ArgumentError, match="share its weights"):
        ns.neuralnet("y ~ w + x", DATA, hidden=2, penalty=ns.decay(0.1), random_state=1).terms  # noqa: B018
    with pytest.raises(ArgumentError, match="no random term"):
        fit.ranef()


def test_several_outputs_have_rows_each():
    fit = ns.neuralnet("y + t ~ w + (1 | g)", DATA, random_state=1)
    assert list(fit.terms.index) == ["w:y", "w:t", "(1 | g):y", "(1 | g):t"]
    assert list(fit.terms["output"]) == ["y", "t", "y", "t"]
    assert fit.ranef()["g"].shape == (12, 2)
    assert list(fit.variance_components["output"]) == ["y", "t", "y", "t"]


def test_concurvity_is_mgcvs(additive):
    full = additive.concurvity()
    np.testing.assert_allclose(full["s(x)"], [0.66009857, 0.51612429, 0.17367862], rtol=2e-3)
    np.testing.assert_allclose(full["s(z)"], [0.65543694, 0.64219299, 0.17023670], rtol=2e-3)
    pairs = additive.concurvity(full=False)
    assert pairs.loc[("observed", "s(z)"), "s(x)"] == pytest.approx(0.51178023, rel=2e-3)
    assert pairs.loc[("estimate", "s(x)"), "s(z)"] == pytest.approx(0.15860590, rel=2e-3)
    assert pairs.loc[("worst", "s(z)"), "s(x)"] == pytest.approx(0.65240528, rel=2e-3)


def test_concurvity_of_linear_models_is_refused():
    with pytest.raises(ArgumentError, match="has none"):
        ns.neuralnet("y ~ w + x", DATA, hidden=0).concurvity()


def test_the_summary_has_the_terms(sleep):
    text = str(sleep.summary())
    levels = "Random effects of Subject (18 levels)"
    for words in ("Linear terms", "251.4051       6.825", levels, "24.74", "0.066", "(REML)"):
        assert words in text
    assert "[308" not in text


def test_tables_of_a_summary(towered):
    tables, notes = term_tables(towered.fitted)
    assert [t.title for t in tables] == [
        "Linear terms", "Smooth terms", "Networks", "Random terms", "Random effects of g (12 levels)", "Terms together",
    ]  # fmt: skip
    assert notes == []
    assert "nn(z)" in tables[2].html()
    assert "s(x)" in tables[1].latex()


@pytest.mark.slow
@pytest.mark.parametrize("correlation", [0.0, 0.7])
def test_a_coefficient_beside_a_network_is_calibrated(correlation):
    """A shortened ``benchmarks/semi_structured.py``: within four Monte-Carlo errors of what is promised."""
    draws, hits, covered = 200, 0, 0
    for r in range(draws):
        rng = np.random.default_rng([23, r])
        z, e, noise = rng.normal(size=(3, 200))
        x = correlation * z + np.sqrt(1 - correlation**2) * e
        data = pd.DataFrame({"x": x, "z": z, "y": np.sin(2 * z) + 0.5 * noise})
        fit = ns.neuralnet("y ~ x + nn(z, hidden=5)", data, rep=3, random_state=r)
        hits += fit.terms.loc["x", "pvalue"] < 0.05
        low, high = fit.conf_int().loc["x.to.y"]
        covered += low <= 0 <= high
    error = 4 * np.sqrt(0.05 * 0.95 / draws)
    assert hits / draws == pytest.approx(0.05, abs=0.02 + error)
    assert covered / draws == pytest.approx(0.95, abs=0.02 + error)


def test_networks_of_waves_and_interactions_are_found():
    """What a network says by rougher functions, which its prior thinks little of; a line nearly as by Wald's test."""
    rng = np.random.default_rng(0)
    d = pd.DataFrame(rng.normal(size=(200, 3)), columns=["x", "w", "v"])
    noise = 0.3 * rng.normal(size=200)
    for effect, term in ((0.3 * d.w * d.v, "nn(w, v, hidden=3)"), (0.3 * np.sin(5 * d.w), "nn(w, hidden=3)")):
        fit = ns.neuralnet(f"y ~ x + {term}", d.assign(y=d.x + effect + noise), rep=1, random_state=1)
        assert fit.terms["pvalue"].iloc[1] < 1e-4
    line = d.assign(y=d.x + 0.1 * d.w + noise)
    known = ns.neuralnet("y ~ x + w", line, hidden=0).pvalues["w.to.y"]
    found = ns.neuralnet("y ~ x + nn(w, hidden=3)", line, rep=1, random_state=1).terms["pvalue"].iloc[1]
    assert np.log(found) < 0.6 * np.log(known)


@pytest.mark.filterwarnings("ignore:formula.*left out")
def test_concurvity_where_a_column_is_left_out():
    """Columns that are left out are in no measure."""
    rng = np.random.default_rng(1)
    d = pd.DataFrame(rng.uniform(-1, 1, size=(100, 2)), columns=["x", "z"])
    fit = ns.neuralnet("y ~ x + te(x, z, k=4)", d.assign(y=d.x + d.z**2 + 0.1 * rng.normal(size=100)))
    table = fit.concurvity()
    assert table.notna().all(axis=None) and (table >= 0).all(axis=None) and (table <= 1 + 1e-9).all(axis=None)
