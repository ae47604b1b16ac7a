"""What the vignette `mixed` concludes is in its tables, and these are lme4's."""

import numpy as np
import pytest
from pages import page


@pytest.fixture(scope="module")
def vignette():
    return page("mixed")


def test_numbers_are_lme4_s(vignette):
    beside = vignette["beside"]
    vignette.says("where there is no network the numbers are lme4's, too")
    for model, here in (("(1 | Subject), lme4", "here"), ("(Days | Subject), lme4", "here ")):
        np.testing.assert_allclose(beside[here], beside[model], rtol=2e-5)
    both = vignette["both"]
    np.testing.assert_allclose(both["here"], both["glmer"], rtol=1e-5)
    np.testing.assert_allclose(both["error here"], both["its error"], rtol=1e-5)
    vignette.says("lme4's standard deviation of herds is 0.6423", "lme4 says 1.2874, 2.9041 and 0.8234")
    assert vignette["herds"].variance_components["sd"].round(4).tolist() == [0.6423]
    assert vignette["paste"].variance_components["sd"].round(4).tolist() == [1.2874, 2.9041, 0.8234]


def test_what_is_said_of_sleepstudy(vignette):
    vignette.says("makes the error of the common slope twice as large")
    assert 1.8 < vignette["beside"].loc["error of it", "here "] / vignette["beside"].loc["error of it", "here"] < 2.1
    vignette.says("which is between the two, nearer to the common line where a subject says little")
    center, effects = vignette["fixed"], vignette["effects"].to_numpy()
    alone = np.array([line[::-1] for line in vignette["alone"].values()]) - center
    assert np.linalg.norm(effects / [25, 6], axis=1).sum() < np.linalg.norm(alone / [25, 6], axis=1).sum()
    told = vignette["told"]
    vignette.says("a new one at the population's level. Its interval is wider")
    width = told["obs_ci_upper"] - told["obs_ci_lower"]
    assert (width[2:].to_numpy() > width[:2].to_numpy()).all()
    np.testing.assert_allclose(told["mean"][2:], center[0] + center[1] * np.array([0, 9]), rtol=1e-6)
    vignette.says("that batches do beyond their casks, ten of them cannot show")
    p = vignette["paste"].terms["pvalue"]
    assert p["(1 | batch)"] > 0.1 and p["(1 | batch:cask)"] < 1e-6


def test_one_mechanism(vignette):
    strengths = vignette["smooth"].strengths.set_index("group")
    vignette.says("The smooth of the days has no bend at all", "18 effects of subjects count as 15.9 degrees of freedom")
    assert strengths.loc["s(Days, k=6)", "edf"] < 1e-3 and round(strengths.loc["(1 | Subject)", "edf"], 1) == 15.9
    vignette.says("the error's variance over lam is the variance of the effects")
    assert vignette["group"]["sd"] * vignette["unit"] == pytest.approx(vignette["sd_of_subjects"], rel=1e-6)


def test_many_levels(vignette):
    errors = vignette["errors"]
    mean, error = errors["rmse"], errors["its error"]
    vignette.says(f"new rows of the same levels, {vignette['runs']['seed'].nunique()} data sets of each")
    vignette.says("Where levels differ by a constant, `(1 | g)` is right, and coordinates are hardly worse")
    assert mean.loc["(1 | g)", "level"] < 0.25 * mean.loc["left out", "level"]
    assert mean.loc["embed(g, 2)", "level"] < 1.15 * mean.loc["(1 | g)", "level"]
    vignette.says("`(1 | g)` is no better than to leave the factor out, and coordinates have 0.38 of its error")
    assert abs(mean.loc["(1 | g)", "shape"] - mean.loc["left out", "shape"]) < error.loc["left out", "shape"]
    assert round(mean.loc["embed(g, 2)", "shape"] / mean.loc["(1 | g)", "shape"], 2) == 0.38
    vignette.says("Without the penalty", "the error of coordinates is twice as large")
    ratio = mean.loc["embed(g, 2), no penalty"] / mean.loc["embed(g, 2)"]
    assert ratio.between(1.7, 2.3).all()


@pytest.mark.slow
def test_what_is_fitted_on_the_page():
    vignette = page("mixed", live=True)
    beside = vignette["beside_network"]
    vignette.says("their predictions correlate with the truth by 0.99")
    found = beside["correlation with true levels"].dropna()
    assert len(found) == 2 and (found.round(2) == 0.99).all()
    vignette.says("follows the noise of subjects with fewer degrees of freedom, and misses the ends")
    both, without = beside.loc["nn(x) + (1 | g)"], beside.loc["nn(x)"]
    assert without["edf of the curve"] < both["edf of the curve"]
    assert without["error of the curve"] > both["error of the curve"]
    curves, truth = vignette["curves"], vignette["truth"]
    off = {name: np.abs(curve - truth).iloc[[0, 199]].sum() for name, curve in curves.items()}
    assert off["nn(x)"] > off["s(x) + (1 | g)"]
    vignette.says("its 30 weights count as 28")
    assert round(vignette["fits"]["nn(x) + (1 | g)"].terms.loc["(1 | g)", "edf"]) == 28
    vignette.says("explains some four fifths of the variance of a and of b")
    assert all(0.65 < share < 0.92 for share in vignette["explained"].values())
