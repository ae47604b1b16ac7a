"""Prediction intervals: equal to statsmodels at hidden=0; bootstrap, restarts, conformal against plain computations."""

from __future__ import annotations

import numpy as np
import pandas as pd
import pytest
import statsmodels.api as sm
import statsmodels.formula.api as smf
from test_influence import FAMILIES, FRAME, glm

import neuralstat as ns
from neuralstat.errors import ArgumentError

NEW = pd.DataFrame({"u": [0.0, 1.0, -2.0], "v": [0.5, -1.0, 2.0]}, index=["a", "b", "c"])


@pytest.fixture(scope="module")
def net():
    data = ns.datasets.doppler(n=80, noise=0.1, random_state=1)
    return ns.neuralnet("y ~ x", data, hidden=3, rep=4, penalty=ns.decay(1e-3), algorithm="lm", threshold=1e-6,
                        random_state=1)  # fmt: skip


@pytest.mark.parametrize("name", FAMILIES)
def test_glm(name):
    ours, theirs = glm(name)
    expected = theirs.get_prediction(NEW).summary_frame(alpha=0.1)
    found = ours.get_prediction(NEW, use_t=False).summary_frame(alpha=0.1)
    assert found.index.equals(NEW.index)
    for column in ("mean", "mean_se", "mean_ci_lower", "mean_ci_upper"):
        np.testing.assert_allclose(found[column], expected[column], rtol=1e-5)


def test_ols():
    ours, _ = glm("gaussian")
    expected = smf.ols("gaussian ~ u + v", FRAME).fit().get_prediction(NEW).summary_frame()
    found = ours.get_prediction(NEW).summary_frame()
    assert list(found) == list(expected)
    np.testing.assert_allclose(found, expected, rtol=1e-6)


def test_sandwich():
    ours, _ = glm("poisson")
    theirs = smf.glm("poisson ~ u + v", FRAME, family=sm.families.Poisson()).fit(cov_type="HC0")
    found = ours.get_prediction(NEW, cov_type="sandwich").summary_frame()
    np.testing.assert_allclose(found["mean_se"], theirs.get_prediction(NEW).summary_frame()["mean_se"], rtol=1e-5)


def test_standardised_and_several_outputs():
    two = FRAME.assign(w=3 * FRAME["gaussian"] ** 2)
    plain = ns.neuralnet("gaussian + w ~ u + v", two, hidden=0, algorithm="lm", threshold=1e-9)
    scaled = ns.neuralnet("gaussian + w ~ u + v", two, hidden=0, algorithm="lm", threshold=1e-9, standardize=True)
    frame = scaled.get_prediction(NEW, cov_type="sandwich").summary_frame()
    other = plain.get_prediction(NEW, cov_type="sandwich").summary_frame()
    np.testing.assert_allclose(frame.xs("mean_se", axis=1, level=1), other.xs("mean_se", axis=1, level=1), rtol=1e-5)
    robust = smf.ols("w ~ u + v", two).fit(cov_type="HC0").get_prediction(NEW).summary_frame()
    np.testing.assert_allclose(frame["w"]["mean_se"], robust["mean_se"], rtol=1e-5)


def test_multinomial_is_binomial_with_two_classes():
    data = FRAME.assign(c=np.where(FRAME["binomial"] == 1, "yes", "no"), d=np.where(FRAME["u"] > 1, "far", "near"))
    two = ns.neuralnet("binomial ~ u + v", data, hidden=0, family="binomial", algorithm="lm", threshold=1e-9)
    three = data.assign(c=np.where(data["v"] > 1.2, "third", data["c"]))
    fit = ns.neuralnet("c ~ u + v", three, hidden=0, family="multinomial", algorithm="lm", threshold=1e-6,
                       penalty=ns.decay(1e-3))  # fmt: skip
    frame = fit.get_prediction(NEW).summary_frame()
    total = sum(frame[name]["mean"] for name in ("no", "third", "yes"))
    np.testing.assert_allclose(total, 1)
    inside = frame.xs("mean_ci_lower", axis=1, level=1) >= 0, frame.xs("mean_ci_upper", axis=1, level=1) <= 1
    assert inside[0].all(axis=None) and inside[1].all(axis=None)
    assert two.get_prediction(NEW).summary_frame()["mean_ci_upper"].max() <= 1


def test_delta_is_the_sandwich_of_single_networks(net):
    """For one repetition J C J' with the covariance that cov_params gives."""
    grid = pd.DataFrame({"x": [0.1, 0.4, 0.8]})
    for kind in ("expected", "hessian", "sandwich"):
        c = net.cov_params(kind).to_numpy()
        b = net.best - 1
        theta = net.fit.theta[b]
        from neuralstat.inference.sampling import mean_jacobian

        j = mean_jacobian(net, b, grid["x"].to_numpy()[np.newaxis], None)[0]
        numeric = [(_at(net, grid, theta, p, 1e-6) - _at(net, grid, theta, p, -1e-6)) / 2e-6 for p in range(theta.size)]
        np.testing.assert_allclose(j, np.transpose(numeric), rtol=1e-5, atol=1e-8)
        se = net.get_prediction(grid, rep="best", cov_type=kind).se_mean
        np.testing.assert_allclose(se, np.sqrt(np.einsum("mp,pq,mq->m", j, c, j)), rtol=1e-6)


def _at(net, grid, theta, p, step):
    from neuralstat.inference import derivatives

    moved = theta.copy()
    moved[p] += step
    return derivatives.outputs(net.network, grid["x"].to_numpy()[np.newaxis], moved)[0, 0]


def test_mean_of_equal_repetitions_has_the_variance_of_one():
    """Copies of one network: no variance between, and covariances between them as large as variances."""
    data = ns.datasets.doppler(n=60, noise=0.1, random_state=2)
    one = ns.neuralnet("y ~ x", data, hidden=2, algorithm="lm", threshold=1e-7, random_state=3)
    twins = ns.neuralnet("y ~ x", data, hidden=2, rep=3, startweights=np.tile(one.fit.theta[0], 3), algorithm="lm",
                         threshold=1e-7)  # fmt: skip
    a, b = one.get_prediction().summary_frame(), twins.get_prediction().summary_frame()
    np.testing.assert_allclose(a["mean_se"], b["mean_se"], rtol=1e-4)


def test_between_restart_variance(net):
    grid = pd.DataFrame({"x": [0.05, 0.3]})
    found = net.get_prediction(grid)
    values = net.predict(grid, rep="all").loc[:, net.fit.converged].to_numpy()
    np.testing.assert_allclose(found.var_restarts[0], values.var(axis=1, ddof=1) / values.shape[1])
    np.testing.assert_allclose(found.se_mean**2, found.var_sampling[0] + found.var_restarts[0])


@pytest.mark.parametrize("kind", ["parametric", "residual", "case"])
def test_bootstrap_of_a_linear_model(kind):
    ours, _ = glm("gaussian")
    se = ours.get_prediction(NEW, method="bootstrap", draws=400, kind=kind, random_state=1).se_mean
    robust = ours.get_prediction(NEW, cov_type="sandwich" if kind == "case" else None).se_mean
    np.testing.assert_allclose(se, robust, rtol=0.2)


def test_bootstrap_does_not_depend_on_threads(net):
    grid = pd.DataFrame({"x": [0.2, 0.7]})
    same = {"method": "bootstrap", "draws": 6, "random_state": 5, "restarts": "fresh"}
    one, two = (net.get_prediction(grid, n_jobs=j, **same).se_mean for j in (1, 2))
    np.testing.assert_array_equal(one, two)


def test_counts_have_whole_limits():
    ours, _ = glm("poisson")
    frame = ours.get_prediction(NEW).summary_frame()
    limits = frame[["obs_ci_lower", "obs_ci_upper"]].to_numpy()
    np.testing.assert_array_equal(limits, np.round(limits))
    assert (frame["obs_ci_lower"] <= frame["mean"]).all() and (frame["obs_ci_upper"] >= frame["mean"]).all()


def test_jackknife_plus_of_least_squares():
    """Against an independent loop over statsmodels' fits (Barber et al. 2021, equation 1.2)."""
    ours, _ = glm("gaussian")
    found = ours.get_prediction(NEW, method="jackknife+").summary_frame(alpha=0.1)
    there, residual = [], []
    for i in FRAME.index:
        model = smf.ols("gaussian ~ u + v", FRAME.drop(i)).fit()
        there.append(model.predict(NEW))
        residual.append(abs(FRAME["gaussian"][i] - model.predict(FRAME.loc[[i]]).iloc[0]))
    there, residual = np.array(there), np.array(residual)[:, np.newaxis]
    n = len(FRAME)
    low = np.sort(there - residual, axis=0)[int(np.floor(0.1 * (n + 1))) - 1]
    high = np.sort(there + residual, axis=0)[int(np.ceil(0.9 * (n + 1))) - 1]
    np.testing.assert_allclose(found["obs_ci_lower"], low, rtol=1e-5)
    np.testing.assert_allclose(found["obs_ci_upper"], high, rtol=1e-5)
    assert found["mean_se"].isna().all()


@pytest.mark.parametrize("method", ["split", "cv+"])
def test_conformal_covers(method):
    """Coverage of new observations, with errors that are far from normal."""
    rng = np.random.default_rng(8)
    hit = []
    for t in range(20):
        x = rng.random(100)
        y = 2 * x + rng.standard_t(2, 100)
        train = pd.DataFrame({"x": x[:60], "y": y[:60]})
        fit = ns.neuralnet("y ~ x", train, hidden=0, algorithm="lm")
        frame = fit.get_prediction(pd.DataFrame({"x": x[60:]}), method=method, random_state=t).summary_frame(0.2)
        hit.append(np.mean((frame["obs_ci_lower"] <= y[60:]) & (y[60:] <= frame["obs_ci_upper"])))
    assert 0.74 < np.mean(hit) < 0.88


def test_refusals(net):
    for arguments, words in [
        ({"method": "magic"}, "method"), ({"rep": "all"}, "rep"), ({"method": "split", "test_size": 2.0}, "test_size"),
        ({"method": "cv+", "draws": 3}, "draws"), ({"method": "bootstrap", "kind": "x"}, "kind"),
        ({"method": "bootstrap", "cov_type": "hessian"}, "cov_type"), ({"method": "jackknife+", "rep": 1}, "rep"),
        ({"draws": 4}, "draws"),
    ]:  # fmt: skip
        with pytest.raises(ArgumentError, match=words):
            net.get_prediction(**arguments)
    with pytest.raises(ArgumentError, match="alpha"):
        net.get_prediction().summary_frame(alpha=5)
    with pytest.raises(ArgumentError, match="held-out rows"):
        net.get_prediction(method="split").summary_frame(alpha=0.001)


def test_missing_rows_are_nan(net):
    frame = net.get_prediction(pd.DataFrame({"x": [0.3, np.nan]}, index=[7, 9])).summary_frame()
    assert frame.loc[9].isna().all() and frame.loc[7].notna().all()


def test_band_in_the_plot(net):
    ax = net.plot_fit(interval="obs", points=20)
    assert any("new observations" in t.get_text() for t in ax.get_legend().get_texts())
    with pytest.raises(ArgumentError, match="interval"):
        net.plot_fit(interval="all")
    import matplotlib.pyplot as plt

    plt.close("all")
