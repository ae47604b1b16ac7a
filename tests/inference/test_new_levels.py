"""Levels that were not there: the population's mean, and intervals of new observations with the variance between levels."""

import numpy as np
import pandas as pd
import pytest
from scipy import stats

import neuralstat as ns
from neuralstat.errors import DataWarning


@pytest.fixture(scope="module")
def study():
    return ns.datasets.sleepstudy()


def test_slopes_of_a_new_subject(study):
    """Variances of lme4's fit: (24.740, 5.922, corr .0656), residual 25.592; se of the fixed effects' mean beside them."""
    fit = ns.neuralnet("Reaction ~ Days + (Days | Subject)", study)
    new = pd.DataFrame({"Days": [0.0, 4.0, 9.0], "Subject": 999})
    found = fit.get_prediction(new).summary_frame(alpha=0.1)
    np.testing.assert_allclose(found["mean"], 251.4051 + 10.46729 * new.Days, rtol=1e-6)
    d = new.Days.to_numpy()
    between = 24.7405**2 + 2 * d * 0.0656 * 24.7405 * 5.9221 + d**2 * 5.9221**2
    total = np.sqrt(found.mean_se**2 + between + 25.5918**2)
    half = (found.obs_ci_upper - found.obs_ci_lower) / 2
    t = stats.t.ppf(0.95, fit.df_resid)
    np.testing.assert_allclose(half, t * total, rtol=2e-3)
    known = fit.get_prediction(study[:3]).summary_frame(alpha=0.1)
    assert (known.obs_ci_upper - known.obs_ci_lower < 2 * half.min()).all()


def test_intercepts_beside_networks_and_other_links():
    rng = np.random.default_rng(2)
    n = 300
    d = pd.DataFrame({"x": rng.uniform(-2, 2, n), "g": rng.choice(list("abcdefghijklmno"), n)})
    effect = dict(zip("abcdefghijklmno", rng.normal(size=15), strict=True))
    d["y"], d["c"] = np.sin(d.x) + d.g.map(effect) + 0.2 * rng.normal(size=n), rng.poisson(np.exp(0.5 * d.g.map(effect) + 1))
    fit = ns.neuralnet("y ~ nn(x, hidden=3) + (1 | g)", d, rep=2, random_state=1)
    row = pd.DataFrame({"x": [0.5, 0.5], "g": ["a", "new"]})
    found = fit.get_prediction(row).summary_frame()
    width = (found.obs_ci_upper - found.obs_ci_lower).to_numpy()
    sd = float(fit.strengths.set_index("group").loc["(1 | g)", "sd"]) * fit.design.scaling.y_sd[0]
    assert width[0] < 1.2 and width[1] == pytest.approx(2 * 1.97 * np.sqrt(sd**2 + fit.scale), rel=0.05)
    counts = ns.neuralnet("c ~ x + (1 | g)", d, family="poisson")
    found = counts.get_prediction(row).summary_frame()
    assert found.obs_ci_upper[1] > found.obs_ci_upper[0] or found.obs_ci_lower[1] < found.obs_ci_lower[0]


def test_nested_groups(study):
    d = ns.datasets.pastes()
    fit = ns.neuralnet("strength ~ 1 + (1 | batch/cask)", d)
    both = fit.get_prediction(d[:1].assign(batch="Z")).summary_frame()
    cask = fit.get_prediction(d[:1].assign(cask="z")).summary_frame()
    known = fit.get_prediction(d[:1]).summary_frame()
    width = [(f.obs_ci_upper - f.obs_ci_lower)[0] for f in (known, cask, both)]
    assert width[0] < width[1] < width[2]


def test_many_levels_without_matrices_of_all_weights(study):
    """Variances of predictions by the exact fit, against those by all weights."""
    from neuralstat.df import exact_fit

    fit = ns.neuralnet("Reaction ~ Days + (Days | Subject)", study)
    rows = study[:30].assign(Subject=study.Subject[:30].astype(str).where(study.index[:30] % 4 > 0, "new"))
    fit = ns.neuralnet("Reaction ~ Days + (Days | Subject)", study.assign(Subject=study.Subject.astype(str)))
    found = exact_fit.predictor_variance(fit.fitted, 0, fit.design.encode(rows).x)[0]
    np.testing.assert_allclose(np.sqrt(found), fit.get_prediction(rows).summary_frame().mean_se, rtol=1e-5)


def test_refits_hold_the_strengths_of_every_effect(study):
    fit = ns.neuralnet("Reaction ~ Days + (Days | Subject)", study)
    procedure = fit.fitted.procedure
    again = procedure.train(fit.data, fit.fit.theta, procedure.masks[1], 1, strengths=fit.fit.strengths)
    np.testing.assert_allclose(again.theta, fit.fit.theta, atol=1e-7)
    np.testing.assert_allclose(again.strengths, fit.fit.strengths, rtol=1e-12)


def test_families_of_several_parameters_say_what_their_intervals_lack(study):
    fit = ns.neuralnet("Reaction ~ Days + (1 | Subject)", study, family="student", random_state=1)
    with pytest.warns(DataWarning, match="lack the variance between levels"):
        found = fit.get_prediction(study[:2].assign(Subject=1)).summary_frame()
    assert np.isfinite(found["mean"]).all()
