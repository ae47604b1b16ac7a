"""What the vignette on distributions concludes, checked against its tables (see `test_vignette_claims`)."""

import numpy as np
import pytest
from pages import page

RIGHT = {"linear": "gaussian", "U": "gaussian", "gamma": "gamma"}
SIZES = {"linear": [200, 400], "U": [200, 400], "gamma": [200, 400]}


def test_coverage_in_every_fifth():
    vignette = page("distributions")
    runs, confirmed = vignette["runs"], vignette["confirmed"]
    vignette.says("over 200 data sets, of the gamma design 100 and 60", "Three designs")
    sets = confirmed.groupby(["design", "n"])["replicates"].unique().map(list).to_dict()
    assert all(sets[design, n] == [200] for design in ("linear", "U") for n in (200, 400))
    assert [sets["gamma", n] for n in (200, 400)] == [[100], [60]]
    assert confirmed.groupby("design")["n"].unique().map(sorted).to_dict() == SIZES
    assert (confirmed.groupby(["design", "n", "family", "method"])["fifth"].count() == 5).all()
    assert set(confirmed["design"]) == set(RIGHT) and runs["coverage"].between(0, 1).all()
    right = confirmed["family"] == confirmed["design"].map(RIGHT)
    by = {method: confirmed[confirmed["method"] == method] for method in confirmed["method"].unique()}
    vignette.says("`distribution` of the right family and `cqr` hold 88 to 92 % in every fifth of every design")
    assert by["distribution"][right[by["distribution"].index]]["coverage"].between(0.88, 0.92).all()
    assert by["cqr"]["coverage"].between(0.88, 0.92).all()
    vignette.says("holds everything where the spread is small and three quarters of the observations where it is large")
    one = by["one variance"].groupby(["design", "n"])["coverage"]
    assert (one.max() > 0.99).all() and one.min().between(0.7, 0.79).all()
    vignette.says("Quantiles as estimated follow the spread, and hold too little nearly everywhere.")
    estimated = by["as estimated"][right[by["as estimated"].index]]
    assert estimated["coverage"].between(0.84, 0.9).all() and (estimated["coverage"] + 2 * estimated["se"] < 0.9).mean() > 0.8
    vignette.says("a normal distribution has the wrong shape there", "a little more than 92 % in three of ten fifths")
    wrong = by["distribution"][~right[by["distribution"].index]]
    assert wrong["coverage"].between(0.88, 0.925).all() and (wrong["coverage"] > 0.92).sum() == 3 and len(wrong) == 10


def test_parameters_are_found_again():
    vignette = page("distributions")
    recovered, constants, functions = (vignette[name] for name in ("recovered", "constants", "functions"))
    vignette.says("Fourteen distributions with a known truth", "Networks of three units, 1500 rows, 100 data sets each")
    assert recovered["family"].nunique() == 14 and (recovered["replicates"] == 100).all() and (recovered["n"] == 1500).all()
    known = constants.dropna(subset="first_order")
    assert len(known) == 16 and len(constants) == 18
    vignette.says("All constants lie within two Monte-Carlo errors of what theory says, and the largest bias is 0.02.")
    assert (constants["z"].abs() < 2).all() and round(constants["bias"].abs().max(), 2) == 0.02
    vignette.says("hold 94 % of the truths on average, and 87 to 98 % one by one")
    held = known["coverage"]
    assert [round(v, 2) for v in (held.mean(), held.min(), held.max())] == [0.94, 0.87, 0.98]
    vignette.says("follows f up to 0.01 or 0.02, a fifth or less of what single fits err")
    assert (functions["bend"] <= 0.0251).all() and (functions["bend"] / functions["rmse"] < 0.2).all()


@pytest.mark.slow
def test_what_is_fitted_on_the_page():
    vignette = page("distributions", live=True)
    scores = vignette["scores"]
    vignette.says("gains 0.40 a row in the log score, one g in CRPS, and more than a hundred in AIC and 96 in BIC")
    gain = scores.loc["constant sigma"] - scores.loc["sigma from the network"]
    assert round(gain["log score"], 2) == 0.40 and round(gain["CRPS"]) == 1
    assert gain["AIC"] > 100 and round(gain["BIC"]) == 96
    curves = vignette["curves"]
    vignette.says("they cannot cross")
    assert (np.diff(curves, axis=1) > 0).all()
    polr, ordered = vignette["polr"], vignette["ordered"]
    vignette.says("coefficients, standard errors and log-likelihood are those of R's `polr`")
    known = polr.dropna()
    np.testing.assert_allclose(known["coefficient"].astype(float), known["polr"].astype(float), atol=6e-5)
    np.testing.assert_allclose(known["standard error"].astype(float), known["its error"].astype(float), atol=6e-5)
    assert vignette["odds"].llf == pytest.approx(-1739.5746, abs=1e-4) and len(known) == 6
    vignette.says("have the AIC of the model that was told of one; both are better than none by about ten.")
    aic = ordered["AIC"]
    assert abs(aic["2 hidden units"] - aic["Infl * Type"]) < 2
    assert (aic["no hidden units"] - aic[["2 hidden units", "Infl * Type"]]).between(8, 12).all()
    vignette.says("BIC, which asks more of every parameter, prefers the model without.")
    assert ordered["BIC"].idxmin() == "no hidden units"
    visits, counts = vignette["visits"]["mdvis"], vignette["counts"]
    vignette.says("Their variance is eight times their mean, and a third of them are 0")
    assert round(visits.var() / visits.mean()) == 8 and 0.3 < (visits == 0).mean() < 0.35
    vignette.says("better by 1.07 a row than the Poisson distribution and by 0.68 than one with zeros in excess")
    difference, error = counts["difference"], counts["standard error"]
    assert [round(difference[f, 0], 2) for f in ("poisson", "zero_inflated_poisson")] == [1.07, 0.68]
    vignette.says("with zeros in excess it is no better itself", "0.006 with a standard error of 0.002")
    assert difference["zero_inflated_negative_binomial", 0] > -2 * error["zero_inflated_negative_binomial", 0]
    assert round(difference["negative_binomial", 3], 3) == -0.006 and round(error["negative_binomial", 3], 3) == 0.002
    assert (vignette["mixed"].loc["three", "AIC"] < vignette["mixed"].loc["one normal", "AIC"] - 500).all()
    extremes = vignette["extremes"]
    assert extremes["AIC"].idxmin() == "Gumbel" and extremes.iloc[:, -1].idxmin() == "Gumbel"
