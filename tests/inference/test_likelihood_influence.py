"""Influence on distributions with several parameters: against refits without the observation, and closed forms."""

from __future__ import annotations

import numpy as np
import pandas as pd
import pytest

import neuralstat as ns
from neuralstat import families as F
from neuralstat.errors import ArgumentError


@pytest.fixture(scope="module")
def data():
    rng = np.random.default_rng(8)
    n = 150
    x = rng.uniform(size=n)
    mu, limit = np.exp(0.5 + x), rng.exponential(6.0, n)
    times = rng.weibull(1.5, n) * mu
    return pd.DataFrame({
        "x": x, "y": 1 + 2 * x + np.exp(-1 + x) * rng.normal(size=n), "k": rng.negative_binomial(2, 2 / (2 + mu)),
        "pos": rng.gamma(3, mu / 3), "b": rng.beta(2 + 3 * x, 3), "t": np.minimum(times, limit), "e": times <= limit,
        "o": pd.Categorical.from_codes(np.digitize(2 * x + rng.logistic(size=n), [0, 1.5]), list("abc"), ordered=True),
    })  # fmt: skip


KINDS = {
    "gaussian": ("y", "gaussian", "~ x"), "negative binomial": ("k", "negative_binomial", "~ 1"),
    "gamma": ("pos", F.Gamma("log"), "~ x"), "beta": ("b", "beta", "~ 1"), "student": ("y", F.Student(6), "~ x"),
    "ordinal": ("o", "ordinal", None), "weibull": ("Surv(t, e)", "weibull", "~ 1"),
}  # fmt: skip


def fitted(data, kind, **more):
    response, family, how = KINDS[kind]
    return ns.neuralnet(f"{response} ~ x", data, **{"hidden": 0, "family": family, "dispformula": how, **more})


@pytest.mark.parametrize("kind", KINDS)
def test_one_step_is_near_refits(data, kind):
    fit = fitted(data, kind)
    influence = fit.get_influence()
    free = fit.fitted.fit.free[0]
    se, moves = fit.bse.to_numpy()[free], influence.d_params
    assert influence.k_vars == pytest.approx(free.sum(), rel=1e-6)
    assert np.isnan(moves.loc[:, ~free]).all(axis=None)
    largest = influence.likelihood_displacement.nlargest(2).index.tolist()
    for row in (*largest, 3):
        other = fitted(data.drop(index=row), kind)
        truth = (fit.params - other.params).to_numpy()[free] / se
        step = moves.loc[row].to_numpy()[free] / se
        np.testing.assert_allclose(step, truth, atol=0.2 * np.abs(truth).max() + 1e-3)
        np.testing.assert_allclose(influence.dfbetas.loc[row].to_numpy()[free], step, rtol=1e-6)
        # what all lose by these weights, to second order
        at = other.predict(data, type="distribution") if kind not in ("weibull", "ordinal") else None
        if at is not None:
            lost = 2 * (fit.llf - at.logpdf(data[KINDS[kind][0]]).sum())
            assert influence.likelihood_displacement[row] == pytest.approx(lost, rel=0.35, abs=1e-3)
    whole = influence.empirical_influence.to_numpy()[:, free]
    np.testing.assert_allclose(whole.T @ whole, fit.cov_params("sandwich").to_numpy()[np.ix_(free, free)], rtol=1e-5,
                               atol=1e-12)  # fmt: skip
    # leave-one-out densities lose about a parameter each
    assert fit.llf - influence.loglike_loo.sum() == pytest.approx(free.sum(), rel=0.7)
    cook, p = influence.cooks_distance
    np.testing.assert_allclose(cook * influence.k_vars, influence.likelihood_displacement)
    assert ((p > 0) & (p <= 1)).all()


def test_leave_one_out_density_is_the_refits(data):
    fit = fitted(data, "gaussian")
    loo = fit.get_influence().loglike_loo
    for row in (0, 40):
        other = fitted(data.drop(index=row), "gaussian")
        at = other.predict(data.loc[[row]], type="distribution").logpdf(data.loc[row, "y"])
        assert loo[row] == pytest.approx(at.iloc[0], abs=0.01)


def test_displacement_of_a_normal_mean_is_cooks(data):
    """With a constant scale and the expected information: the mean's part is Cook's distance, at the variance RSS / n."""
    inside = ns.neuralnet("y ~ x", data, hidden=0, family="gaussian", dispformula="~ 1")
    plain = ns.neuralnet("y ~ x", data, hidden=0)
    influence, theirs = inside.get_influence(curvature="expected"), plain.get_influence()
    np.testing.assert_allclose(influence.d_params.iloc[:, :2], theirs.d_params.iloc[:, :2], rtol=1e-4, atol=1e-8)
    # beside the mean the scale moves, by (z^2 - 1) / (2 n - 2) on the log scale
    z = plain.resid / np.sqrt(plain.ssr / plain.nobs)
    moved = influence.d_params["Intercept.to.sigma"]
    np.testing.assert_allclose(moved, (z**2 - 1) / (2 * plain.nobs - 2), rtol=1e-4, atol=1e-7)
    mean = theirs.cooks_distance[0] * 2 * plain.scale / (plain.ssr / plain.nobs)
    scale = 2 * plain.nobs * moved**2
    np.testing.assert_allclose(influence.likelihood_displacement, mean + scale, rtol=1e-4)


def test_rows_of_several_observations(data):
    often = np.where(np.arange(len(data)) % 3 == 0, 2, 1)
    repeated = data.loc[data.index.repeat(often)].reset_index(drop=True)
    a = fitted(data, "gaussian", freq_weights=often).get_influence()
    b = fitted(repeated, "gaussian").get_influence()
    first = repeated.index[~data.index.repeat(often).duplicated()]
    for name in ("hat_matrix_diag", "likelihood_displacement", "loglike_loo"):
        np.testing.assert_allclose(getattr(a, name), getattr(b, name).loc[first], rtol=1e-4)
    assert a.k_vars == pytest.approx(b.k_vars)


def test_frames_and_missing_rows(data):
    lost = data.copy()
    lost.loc[4, "x"] = np.nan
    fit = fitted(lost, "negative binomial")
    frame = fit.get_influence().summary_frame()
    assert frame.index.equals(lost.index) and frame.loc[4].isna().all() and frame.drop(index=4).notna().all(axis=None)
    assert list(frame.columns[-5:]) == ["cooks_d", "quantile_resid", "hat_diag", "likelihood_displacement", "loglike_loo"]
    assert [c for c in frame if c.startswith("dfb_")] == ["dfb_Intercept.to.k", "dfb_x.to.k", "dfb_Intercept.to.alpha"]
    net = ns.neuralnet("y ~ x", data, hidden=2, family="gaussian", dispformula="~ 1", penalty=ns.decay(0.1), rep=2,
                       random_state=1, algorithm="bfgs", threshold=1e-3)  # fmt: skip
    influence = net.get_influence()
    assert not any(c.startswith("dfb_") for c in influence.summary_frame())
    assert 3 < influence.k_vars < net.k_params
    assert net.get_influence(curvature="expected").k_vars == pytest.approx(float(net.df("jacobian")), rel=1e-6)


def test_what_has_no_influence(data):
    with pytest.raises(ArgumentError, match="no likelihood"):
        ns.neuralnet("y ~ x", data, hidden=0, family="quantile").get_influence()
    with pytest.raises(ArgumentError, match="needs one output"):
        ns.neuralnet("y + pos ~ x", data, hidden=0).get_influence()
    own = F.Distribution(lambda mu, sigma, y: -np.log(sigma) - (y - mu) ** 2 / (2 * sigma**2),
                         {"mu": "identity", "sigma": "log"})  # fmt: skip
    frame = ns.neuralnet("y ~ x", data, hidden=0, family=own).get_influence().summary_frame()
    assert "quantile_resid" not in frame and frame.notna().all(axis=None)  # no distribution function was given
