"""Bootstrap and conformal intervals against plain computations."""

from __future__ import annotations

import warnings

import numpy as np
import pandas as pd
import pytest
import raw
import statsmodels.formula.api as smf
from glms import FAMILIES, FRAME, NEW, glm
from reference import target

import neuralstat as ns
from neuralstat.errors import ArgumentError, ConvergenceWarning


@pytest.mark.parametrize("kind", ["parametric", "residual", "case"])
def test_bootstrap_of_a_linear_model(kind):
    ours, _ = glm("gaussian")
    se = ours.get_prediction(NEW, method="bootstrap", draws=400, kind=kind, random_state=1).se_mean
    robust = ours.get_prediction(NEW, cov_type="sandwich" if kind == "case" else None).se_mean
    np.testing.assert_allclose(se, robust, rtol=0.2)


def test_bootstrap_does_not_depend_on_threads(doppler_net):
    grid = pd.DataFrame({"x": [0.2, 0.7]})
    same = {"method": "bootstrap", "draws": 6, "random_state": 5, "restarts": "fresh"}
    one, two = (doppler_net.get_prediction(grid, n_jobs=j, **same).se_mean for j in (1, 2))
    np.testing.assert_array_equal(one, two)


def test_bootstrap_intervals():
    fit, _ = glm("poisson")
    same = {"method": "bootstrap", "draws": 60, "random_state": 1}
    found = fit.get_prediction(NEW, interval="percentile", **same)
    ends = np.quantile(found.draws, [0.05, 0.95], axis=0)[:, 0]
    np.testing.assert_allclose(found.conf_int(0.1).to_numpy().T, ends)
    turned = fit.get_prediction(NEW, interval="basic", **same).conf_int(0.1)
    mean = found.predicted_mean.to_numpy()
    np.testing.assert_allclose(turned.to_numpy().T, mean**2 / ends[::-1], rtol=1e-9)
    with pytest.raises(ArgumentError, match="interval"):
        fit.get_prediction(NEW, interval="best", **same)


def test_parametric_bootstrap_keeps_the_correlation_of_outputs():
    from neuralstat.inference.bootstrap import responses

    rng = np.random.default_rng(3)
    noise = rng.multivariate_normal([0, 0], [[1, 1.2], [1.2, 4]], 200)
    table = pd.DataFrame({"x": rng.normal(size=200)})
    table["a"], table["b"] = table.x + noise[:, 0], 2 * table.x + noise[:, 1]
    fit = raw.neuralnet("a + b ~ x", table, hidden=0, algorithm="lm", threshold=1e-8)
    drawn = responses(fit.fitted, "parametric", 200, np.random.SeedSequence(1), "best") - fit.predict().to_numpy().T
    residuals = fit.resid.to_numpy().T
    np.testing.assert_allclose(np.cov(drawn.transpose(1, 0, 2).reshape(2, -1)), residuals @ residuals.T / 198, rtol=0.03)


def test_bootstrap_says_where_refits_did_not_converge():
    table = ns.datasets.doppler(n=60, noise=0.1, random_state=1)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", ConvergenceWarning)
        fit = raw.neuralnet("y ~ x", table, hidden=4, stepmax=20, random_state=1)
    with pytest.warns(ConvergenceWarning, match="4 of 4 bootstrap refits"):
        fit.get_prediction(method="bootstrap", draws=4, rep="best", random_state=1)


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


def test_jackknife_plus_target():
    """Figures computed independently, which MAPIE shares to six digits."""
    stored = target("L_jackknife_plus_ols")
    fit = raw.neuralnet("y ~ x", pd.DataFrame({"x": stored["x"], "y": stored["y"]}), hidden=0, algorithm="lm", threshold=1e-9)
    found = fit.get_prediction(pd.DataFrame({"x": stored["xnew"]}), method="jackknife+").conf_int(stored["alpha"], obs=True)
    np.testing.assert_allclose(found["lower"], stored["lo"], atol=1e-7)
    np.testing.assert_allclose(found["upper"], stored["hi"], atol=1e-7)


def test_jackknife_plus_after_bootstrap_of_least_squares():
    """Against a loop over the same samples (Kim, Xu & Barber 2020, algorithm 1); their number is random, and as asked for."""
    from neuralstat.assessment import folds
    from neuralstat.assessment.procedure import streams
    from neuralstat.seeds import children

    ours, _ = glm("gaussian")
    same = {"method": "jackknife+ab", "draws": 40, "random_state": 3}
    found = ours.get_prediction(NEW, **same).conf_int(0.2, obs=True)
    n = len(FRAME)
    count, seeds = children(streams(3)[0], 2)
    without = (1 - 1 / (n + 1)) ** n
    draws = int(np.random.default_rng(count).binomial(round(40 / without), without))
    assert 25 < draws < 60
    own, there = [[] for _ in range(n)], [[] for _ in range(n)]
    for rows, rest in folds.bootstrap(n, children(seeds, draws)):
        model = smf.ols("gaussian ~ u + v", FRAME.iloc[rows]).fit()
        mu, new = model.predict(FRAME).to_numpy(), model.predict(NEW).to_numpy()
        for i in rest:
            own[i].append(mu[i])
            there[i].append(new)
    residual = np.abs(FRAME["gaussian"].to_numpy() - [np.mean(o) for o in own])[:, np.newaxis]
    middle = np.array([np.mean(t, axis=0) for t in there])
    low, high = np.sort(middle - residual, axis=0), np.sort(middle + residual, axis=0)
    np.testing.assert_allclose(found["lower"], low[int(np.floor(0.2 * (n + 1))) - 1], rtol=1e-5)
    np.testing.assert_allclose(found["upper"], high[int(np.ceil(0.8 * (n + 1))) - 1], rtol=1e-5)
    pd.testing.assert_frame_equal(found, ours.get_prediction(NEW, n_jobs=1, **same).conf_int(0.2, obs=True))
    with pytest.raises(ArgumentError, match="use more draws"):
        ours.get_prediction(NEW, method="jackknife+ab", draws=2, random_state=1)
    with pytest.raises(ArgumentError, match="no option 'k'"):
        ours.get_prediction(NEW, method="jackknife+ab", k=3)


def test_conformal_residuals_are_pearson_residuals():
    """CV+ by hand, with a gamma response: limits widen with the mean and stay positive."""
    from neuralstat.assessment import folds
    from neuralstat.assessment.procedure import streams

    fit, _ = glm("gamma")
    found = fit.get_prediction(NEW, method="cv+", k=6, random_state=4).conf_int(0.2, obs=True)
    parts = folds.kfold(60, 6, np.random.default_rng(streams(4)[0]))
    low, high = [], []
    for train, test in parts:
        model = smf.glm("gamma ~ u + v", FRAME.iloc[train], family=FAMILIES["gamma"]).fit(tol=1e-12)
        mu, there = model.predict(FRAME.iloc[test]).to_numpy(), model.predict(NEW).to_numpy()
        r = np.abs(FRAME["gamma"].iloc[test].to_numpy() / mu - 1)[:, np.newaxis]
        low.append(there - r * there)
        high.append(there + r * there)
    low, high = (np.sort(np.concatenate(part), axis=0) for part in (low, high))
    np.testing.assert_allclose(found["lower"], np.maximum(low[int(np.floor(0.2 * 61)) - 1], 0), rtol=1e-4, atol=1e-7)
    np.testing.assert_allclose(found["upper"], high[int(np.ceil(0.8 * 61)) - 1], rtol=1e-4)


@pytest.mark.parametrize("standardize", [False, True])
def test_starts_of_conformal_refits(standardize):
    """A convex problem forgets its starts; a net's refits from its own weights are near its fit."""
    fit = raw.neuralnet("gaussian ~ u + v", FRAME, hidden=0, algorithm="lm", threshold=1e-9, standardize=standardize)
    fresh, same, warm = (
        fit.get_prediction(NEW, method="jackknife+", restarts=r).conf_int(0.2, obs=True)
        for r in ("fresh", "same", "warm")
    )
    np.testing.assert_allclose(fresh, same, rtol=1e-5)
    np.testing.assert_allclose(fresh, warm, rtol=1e-5)
    table = ns.datasets.doppler(n=80, noise=0.1, random_state=1)
    scaled = raw.neuralnet("y ~ x", table, hidden=3, rep=2, penalty=ns.decay(1e-2), algorithm="lm", threshold=1e-5,
                          random_state=1, standardize=standardize)  # fmt: skip
    limits = scaled.get_prediction(method="cv+", restarts="warm", random_state=2).conf_int(0.2, obs=True)
    middle = limits.mean(axis=1) - scaled.predict()
    assert np.abs(middle).median() < 0.2 * (limits["upper"] - limits["lower"]).median()


def test_rows_of_weight_zero_are_no_evidence():
    frame = FRAME.assign(w=1.0)
    frame.loc[[100, 120], "gaussian"], frame.loc[[100, 120], "w"] = 1e3, 0.0
    some = raw.neuralnet("gaussian ~ u + v", frame, hidden=0, weights="w", algorithm="lm", threshold=1e-9)
    less = raw.neuralnet("gaussian ~ u + v", frame.drop([100, 120]), hidden=0, algorithm="lm", threshold=1e-9)
    for method in ("delta", "jackknife+"):  # samples differ with the number of rows
        a, b = (f.get_prediction(NEW, method=method).summary_frame(0.2) for f in (some, less))
        np.testing.assert_allclose(a, b, rtol=1e-4, err_msg=method)


@pytest.mark.parametrize("method", ["split", "cv+"])
def test_conformal_covers(method):
    """Coverage of new observations, with errors that are far from normal."""
    rng = np.random.default_rng(8)
    hit = []
    for t in range(20):
        x = rng.random(100)
        y = 2 * x + rng.standard_t(2, 100)
        train = pd.DataFrame({"x": x[:60], "y": y[:60]})
        fit = raw.neuralnet("y ~ x", train, hidden=0, algorithm="lm")
        frame = fit.get_prediction(pd.DataFrame({"x": x[60:]}), method=method, random_state=t).summary_frame(0.2)
        hit.append(np.mean((frame["obs_ci_lower"] <= y[60:]) & (y[60:] <= frame["obs_ci_upper"])))
    assert 0.74 < np.mean(hit) < 0.88
