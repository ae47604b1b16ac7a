"""Influence: equal to statsmodels at hidden=0, to refits for a penalised net; Hessian spectrum; the four panels."""

from __future__ import annotations

import numpy as np
import pytest
import raw
import statsmodels.api as sm
import statsmodels.formula.api as smf
from glms import FAMILIES, FRAME, glm

import neuralstat as ns
from neuralstat.errors import ArgumentError


@pytest.mark.parametrize("name", FAMILIES)
def test_glm(name):
    ours, theirs = glm(name)
    mine, other = ours.get_influence(), theirs.get_influence(observed=False)  # Fisher weights, as R
    np.testing.assert_allclose(mine.hat_matrix_diag, other.hat_matrix_diag, rtol=1e-6)
    np.testing.assert_allclose(mine.resid_studentized, other.resid_studentized, rtol=1e-5, atol=1e-8)
    np.testing.assert_allclose(mine.cooks_distance[0], other.cooks_distance[0], rtol=1e-5, atol=1e-10)
    frame = other.summary_frame()
    for column in ("cooks_d", "standard_resid", "hat_diag"):
        np.testing.assert_allclose(mine.summary_frame()[column], frame[column], rtol=1e-5, atol=1e-8)
    assert mine.summary_frame().index.equals(FRAME.index)
    np.testing.assert_allclose(mine.d_params, other.d_params, rtol=1e-4, atol=1e-8)
    np.testing.assert_allclose(mine.dffits_internal[0], frame["dffits_internal"], rtol=1e-4, atol=1e-8)
    if name != "gaussian":
        np.testing.assert_allclose(mine.dfbetas, other.dfbetas, rtol=1e-4, atol=1e-8)


def test_standardised_fit_has_the_same_influence():
    big = FRAME.assign(gaussian=50 + 20 * FRAME["gaussian"], u=FRAME["u"] * 9 + 100)
    plain, scaled = (
        raw.neuralnet("gaussian ~ u + v", big, hidden=0, algorithm="lm", threshold=1e-7, standardize=s)
        for s in (False, True)
    )
    np.testing.assert_allclose(plain.get_influence().summary_frame(), scaled.get_influence().summary_frame(), rtol=1e-5)
    np.testing.assert_allclose(plain.get_influence().d_params, scaled.get_influence().d_params, rtol=1e-4, atol=1e-7)


def test_changes_of_weights_of_a_net_are_near_refits():
    """First order: the change of each weight of a penalised net, against warm-started refits without an observation."""
    data = ns.datasets.sine(n=60, noise=0.1, random_state=1)
    same = {"hidden": 2, "penalty": ns.decay(0.05), "algorithm": "lm", "threshold": 1e-9}
    fit = raw.neuralnet("y ~ x", data, random_state=1, **same)
    found = fit.get_influence(curvature="hessian")
    some = np.argsort(-np.abs(found.resid_press.to_numpy()))[:12]
    rest = [raw.neuralnet("y ~ x", data.drop(data.index[i]), startweights=fit.theta[0], **same).theta[0] for i in some]
    change = fit.theta[0] - np.array(rest)
    predicted = found.d_params.to_numpy()[some]
    assert np.linalg.norm(predicted - change) < 0.15 * np.linalg.norm(change)
    assert "dfb_x.to.1layhid1" in found.summary_frame(dfbetas=True) and "dfb_x.to.1layhid1" not in found.summary_frame()


def test_ols():
    ours, _ = glm("gaussian")
    other = smf.ols("gaussian ~ u + v", FRAME).fit().get_influence()
    mine = ours.get_influence()
    np.testing.assert_allclose(mine.resid_studentized_external, other.resid_studentized_external, rtol=1e-6)
    np.testing.assert_allclose(mine.resid_press, other.resid_press, rtol=1e-7)
    np.testing.assert_allclose(mine.dffits[0], other.dffits[0], rtol=1e-6)
    assert mine.dffits[1] == pytest.approx(other.dffits[1])
    theirs, frame = other.summary_frame(), mine.summary_frame()
    assert list(theirs)[3:] == list(frame)[3:-1] and list(frame)[-1] == "resid_press"
    np.testing.assert_allclose(frame.iloc[:, :-1], theirs, rtol=1e-6, atol=1e-10)
    assert list(frame)[:3] == [f"dfb_{name}" for name in ours.params.index]
    np.testing.assert_allclose(mine.cooks_distance[1], stats_f(other), rtol=1e-6)


def stats_f(other):
    """F probabilities of statsmodels' Cook's distances."""
    from scipy.stats import f

    return f.sf(other.cooks_distance[0], 3, 57)


def test_one_step_of_a_poisson_model_is_near_the_refits():
    ours, theirs = glm("poisson")
    press = ours.get_influence().resid_press
    refits = []
    for i in range(20):
        rest = FRAME.drop(FRAME.index[i])
        model = smf.glm("poisson ~ u + v", rest, family=sm.families.Poisson()).fit()
        refits.append(FRAME["poisson"].iloc[i] - model.predict(FRAME.iloc[[i]]).iloc[0])
    plain = theirs.resid_response[:20]
    assert np.abs(press[:20] - refits).max() < 0.1 * np.abs(plain - refits).max()


def test_leave_one_out_of_a_penalised_net():
    data = ns.datasets.doppler(n=40, noise=0.2, random_state=3)
    same = {"hidden": 3, "penalty": ns.decay(0.01), "algorithm": "lm", "threshold": 1e-8, "random_state": 4}
    fit = raw.neuralnet("y ~ x", data, **same)
    press = fit.get_influence(curvature="hessian").resid_press
    rough = fit.get_influence().resid_press
    refits = []
    for i in range(len(data)):
        rest = data.drop(data.index[i])
        again = raw.neuralnet("y ~ x", rest, startweights=fit.fit.theta[0], **same)
        refits.append(data["y"].iloc[i] - again.predict(data.iloc[[i]]).iloc[0])
    refits = np.array(refits)
    error, rough_error = np.abs(press - refits), np.abs(rough - refits)
    plain = np.abs(fit.resid - refits)
    assert np.median(error) < 0.15 * np.median(plain)
    assert error.mean() < rough_error.mean() or np.median(rough_error) < 0.15 * np.median(plain)


def test_rows_kept_out_are_nan():
    frame = FRAME.copy()
    frame.loc[103, "u"] = np.nan
    fit = raw.neuralnet("gaussian ~ u + v", frame, hidden=0, algorithm="lm")
    hat = fit.get_influence().hat_matrix_diag
    assert np.isnan(hat[103]) and hat.drop(103).notna().all()
    assert hat.sum() == pytest.approx(3)


def test_refusals():
    two = FRAME.assign(w=FRAME["gaussian"] * 2)
    fit = raw.neuralnet("gaussian + w ~ u", two, hidden=0, algorithm="lm")
    with pytest.raises(ArgumentError, match="one output"):
        fit.get_influence()
    one = raw.neuralnet("gaussian ~ u", two, hidden=0, algorithm="lm")
    with pytest.raises(ArgumentError, match="curvature"):
        one.get_influence(curvature="flat")
    count = raw.neuralnet("poisson ~ u", two, hidden=0, family="poisson", algorithm="lm")
    with pytest.raises(ArgumentError, match="gaussian"):
        _ = count.get_influence().resid_studentized_external


def test_spectrum_finds_a_duplicated_unit():
    data = ns.datasets.doppler(n=60, noise=0.1, random_state=1)
    fit = raw.neuralnet("y ~ x", data, hidden=2, algorithm="lm", random_state=2)
    w = fit.fit.theta[0].copy()
    w[2:4] = w[0:2]  # the second unit like the first: the outputs' weights count by their sum alone
    twin = raw.neuralnet("y ~ x", data, hidden=2, startweights=w, stepmax=1, algorithm="rprop+", threshold=1e9)
    spectrum = twin.hessian_spectrum()
    assert spectrum.attrs["flat"] >= 1
    assert spectrum.attrs["positive"] + spectrum.attrs["flat"] + spectrum.attrs["negative"] == 7
    assert (np.diff(spectrum["eigenvalue"]) <= 0).all()


def test_plots():
    ours, _ = glm("poisson")
    axes = ours.plot_diagnostics()
    assert [ax.get_title() for ax in np.ravel(axes)] == [
        "Residuals vs Fitted", "Normal Q-Q", "Scale-Location", "Residuals vs Leverage",
    ]  # fmt: skip
    ax = ours.plot_spectrum()
    assert ax.get_yscale() == "log"
    import matplotlib.pyplot as plt

    plt.close("all")
