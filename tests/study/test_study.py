"""Simulation studies: against closed forms, other packages and single fits; schedules, checkpoints, failures."""

from __future__ import annotations

import errno
import itertools
import os
import signal
import subprocess
import sys
import textwrap
import time
import warnings

import numpy as np
import pandas as pd
import pytest
import raw

import neuralstat as ns
from neuralstat.assessment.folds import kfold
from neuralstat.errors import ArgumentError, DfError, NeuralStatWarning
from neuralstat.study import plan as planning
from neuralstat.study import store as storing
from neuralstat.study.fits import leverages
from neuralstat.study.noise import Noise
from neuralstat.study.problems import Cell, truth

S = ns.study


def numbers(result):
    """The table without what depends on the clock, in one order."""
    keys = ["truth", "noise", "n", "model", "replicate", "estimator"]
    return result.frame.drop(columns="seconds").sort_values(keys).reset_index(drop=True)


def same(a, b):
    pd.testing.assert_frame_equal(numbers(a), numbers(b), check_exact=True)


class Mean:
    """The simplest object with fit and predict."""

    def fit(self, x, y):
        self.value = y.mean()
        return self

    def predict(self, x):
        return np.full(len(x), self.value)


class Sometimes(Mean):
    """Raises, or gives NaN, for some responses."""

    def __init__(self, how):
        self.how = how

    def fit(self, x, y):
        self.bad = y[0] > 0
        if self.bad and self.how == "raise":
            raise ValueError("the first response\nis positive")
        return super().fit(x, y)

    def predict(self, x):
        return np.full(len(x), np.nan if self.bad else self.value)


class Dies(Mean):
    """Takes its process down for some responses."""

    def fit(self, x, y):
        if y[0] > 0.3:
            os.kill(os.getpid(), signal.SIGKILL)
        return super().fit(x, y)


def test_table_of_linear_smoothers_against_closed_forms():
    sigma, n = 0.3, 60
    result = S([S.bs(6), S.cr(5), S.glm("poly(x, 2)")], "sine", sigma, n, replicates=400, n_jobs=1, random_state=3,
               estimators=["training", "cp", "sure", "gcv", "alo"])  # fmt: skip
    frame = result.frame
    assert len(frame) == 3 * 5 * 400 and (frame["status"] == "ok").all()
    assert list(frame.columns) == [
        "truth", "noise", "n", "model", "kind", "size", "replicate", "estimator", "estimate", "target", "covariates",
        "error", "risk", "prediction_risk", "risk_same_x", "risk_new_x", "prediction_risk_same_x", "prediction_risk_new_x",
        "training_error", "optimism", "df", "covariance", "seconds", "status"]  # fmt: skip
    np.testing.assert_allclose(frame["prediction_risk"], frame["risk"] + sigma**2)
    np.testing.assert_allclose(frame["optimism"], frame["prediction_risk"] - frame["training_error"])
    table = result.summary()
    f = np.sin(2 * np.pi * np.linspace(0, 1, n))
    for model, p in (("bs 6", 6), ("cr 5", 5), ("glm poly(x, 2)", 3)):
        rows = table.xs(model, level="model").droplevel(["truth", "noise", "n"])
        assert rows.loc["cp", "df"] == pytest.approx(p, abs=1e-9)
        assert rows.loc["cp", "true_df"] == pytest.approx(p, abs=4 * rows.loc["cp", "true_df_se"])
        fits = result.fits["sine", sigma, n, model]
        bias = np.mean((fits.mean(axis=0) - f) ** 2)
        assert rows.loc["cp", "risk"] == pytest.approx(bias + sigma**2 * p / n, rel=0.1)
        assert rows.loc["training", "bias"] == pytest.approx(-2 * sigma**2 * p / n, abs=4 * rows.loc["training", "bias_se"])
        for name in ("cp", "sure"):  # unbiased, for linear smoothers
            assert abs(rows.loc[name, "bias"]) < 4 * rows.loc[name, "bias_se"]


def test_splines_against_formulaic_and_scipy():
    from scipy.interpolate import make_smoothing_spline

    result = S([S.bs(7), S.cr(6), S.smoothing_spline(), S.smoothing_spline(1e-4, name="fixed")], "sine", 0.2, 50,
               replicates=3, n_jobs=1, random_state=1)  # fmt: skip
    from formulaic import model_matrix

    cell = Cell(truth("sine"), Noise(0.2), 50, np.random.SeedSequence(1))
    x, f = result.designs["sine", 0.2, 50]
    for r in range(3):
        y = cell.response(f, r)
        for name, formula in (("bs 7", "bs(x, df=6)"), ("cr 6", "cr(x, df=6)")):
            columns = np.asarray(model_matrix(formula, pd.DataFrame({"x": x[:, 0]})))
            fitted = columns @ np.linalg.lstsq(columns, y, rcond=None)[0]
            np.testing.assert_allclose(result.fits["sine", 0.2, 50, name][r], fitted, atol=1e-9)
        fixed = make_smoothing_spline(x[:, 0], y, lam=1e-4)(x[:, 0])
        np.testing.assert_allclose(result.fits["sine", 0.2, 50, "fixed"][r], fixed, atol=1e-7)
        chosen = make_smoothing_spline(x[:, 0], y)(x[:, 0])
        np.testing.assert_allclose(result.fits["sine", 0.2, 50, "smoothing spline"][r], chosen, atol=2e-3)


def test_smoothing_spline_of_some_observations_against_scipy():
    from scipy.interpolate import make_smoothing_spline

    rng = np.random.default_rng(1)
    x, y = rng.permutation(np.linspace(0, 1, 40)), rng.standard_normal(40)
    for rows in (np.arange(5, 30), rng.integers(0, 40, 40)):
        found = S.smoothing_spline(1e-3).prepare(x[:, np.newaxis], ("x",), 1).fit(y[np.newaxis], [None], [rows]).fitted[0]
        count = np.bincount(rows, minlength=40).astype(float)
        seen = np.flatnonzero(count)
        seen = seen[np.argsort(x[seen])]
        spline = make_smoothing_spline(x[seen], y[seen], w=count[seen], lam=1e-3)
        inside = (x >= x[seen[0]]) & (x <= x[seen[-1]])
        np.testing.assert_allclose(found[inside], spline(x[inside]), atol=1e-7)
        end = x[seen[-1]]
        beyond = x > end
        np.testing.assert_allclose(found[beyond], spline(end) + (x[beyond] - end) * spline(end, 1), atol=1e-6)


def test_smoothing_spline_df_is_the_trace_of_its_hat_matrix():
    from scipy.interpolate import make_smoothing_spline

    x = np.sort(np.random.default_rng(0).uniform(size=30))
    hat = np.column_stack([make_smoothing_spline(x, e, lam=1e-4)(x) for e in np.eye(30)])
    fits = S.smoothing_spline(1e-4).prepare(x[:, np.newaxis], ("x",), 1).fit(np.ones((1, 30)), [None])
    np.testing.assert_allclose(fits.leverage[0], np.diag(hat), rtol=1e-6)
    assert fits.df[0] == pytest.approx(np.trace(hat), rel=1e-8)


def test_statsmodels_glm_and_gam():
    import statsmodels.api as sm
    from statsmodels.gam.api import BSplines, GLMGam

    poisson = S.glm("x", family=sm.families.Poisson(), name="poisson")
    prepared = poisson.prepare(np.linspace(0, 1, 40)[:, np.newaxis], ("x",), 1)
    y = np.random.default_rng(2).poisson(3.0, (2, 40)).astype(float)
    fits = prepared.fit(y, [None, None])
    x = sm.add_constant(np.linspace(0, 1, 40))
    for t in range(2):
        np.testing.assert_allclose(fits.fitted[t], sm.GLM(y[t], x, family=sm.families.Poisson()).fit().fittedvalues)
    assert fits.df.tolist() == [2.0, 2.0]

    gam = S.gam(8, alpha=0.1).prepare(x[:, 1:], ("x",), 1)
    smoother = BSplines(x[:, 1:], df=[8], degree=[3])
    direct = GLMGam(y[0], np.ones((40, 1)), smoother=smoother, alpha=[0.1]).fit()
    whole = gam.fit(y[:1], [None])
    np.testing.assert_allclose(whole.fitted[0], direct.fittedvalues)
    assert whole.df[0] == pytest.approx(direct.edf.sum())
    rows = np.arange(0, 40, 2)
    part = gam.fit(y[:1], [None], [rows]).fitted[0]
    smoother = BSplines(x[rows, 1:], df=[8], degree=[3], knot_kwds=[{"lower_bound": 0.0, "upper_bound": 1.0}])
    basis = np.column_stack([np.ones(40), smoother.transform(x[:, 1:])])
    bend = np.zeros((basis.shape[1],) * 2)
    bend[1:, 1:] = 2 * 0.1 * smoother.smoothers[0].cov_der2
    closed = basis @ np.linalg.lstsq(basis[rows].T @ basis[rows] + bend, basis[rows].T @ y[0][rows], rcond=None)[0]
    np.testing.assert_allclose(part, closed, atol=1e-6)


@pytest.mark.parametrize("settings", [
    {"hidden": 3, "penalty": ns.decay(1e-2)},
    {"hidden": (2, 2), "act_fct": "tanh", "penalty": ns.decay(1e-3, biases=False), "standardize": True},
    {"hidden": 2, "algorithm": "rprop+", "threshold": 0.5, "exclude": [(1, 1, 1)]},
    {"hidden": 2, "penalty": ns.l1(0.5)},
    {"hidden": 2, "penalty": ns.elimination(0.01, scale=2.0)},
    {"hidden": 2, "penalty": ns.elimination(0.05, scale=2.0) + ns.decay(0.005)},
    {"hidden": 0},
], ids=str)  # fmt: skip
def test_networks_are_those_of_single_fits(settings):
    restarts = 2
    settings = {"standardize": False, **settings}
    result = S(S.net(name="net", **settings), "sine", 0.2, 40, replicates=3, restarts=restarts, n_jobs=1, random_state=5,
               estimators=["training", "aic", "gcv"])  # fmt: skip
    cell = Cell(truth("sine"), Noise(0.2), 40, np.random.SeedSequence(5))
    x, f = result.designs["sine", 0.2, 40]
    arguments = {"algorithm": "lm", **settings}
    if arguments["algorithm"] == "lm":
        arguments |= {"tol": 1e-6, "stepmax": 1000}
    for r in range(3):
        with warnings.catch_warnings():
            warnings.simplefilter("ignore", NeuralStatWarning)
            fit = raw.neuralnet("y ~ x", {"x": x[:, 0], "y": cell.response(f, r)}, rep=restarts,
                               random_state=cell.seed("start|net", r), **arguments)  # fmt: skip
            rows = result.frame[result.frame["replicate"] == r].set_index("estimator")
            best = fit.predict(rep="best").to_numpy()
            np.testing.assert_allclose(result.fits["sine", 0.2, 40, "net"][r], best, atol=1e-5)
            try:
                df = float(fit.df("jacobian"))
            except DfError:  # a penalty that bends downwards
                assert rows["df"].isna().all() and np.isnan(rows.loc["gcv", "estimate"])
                continue
            assert rows["df"].iloc[0] == pytest.approx(df, rel=1e-4)
            assert rows.loc["gcv", "estimate"] == pytest.approx(fit.info_criteria("gcv", df="jacobian"), rel=1e-5)
            mse = np.mean((cell.response(f, r) - best) ** 2)
            assert rows.loc["training", "estimate"] == pytest.approx(mse, rel=1e-5)
            wanted = fit.info_criteria("aic", df="jacobian", scale="dev", dk_params=1)
            assert rows.loc["aic", "estimate"] == pytest.approx(wanted, rel=1e-4)


def test_mean_of_restarts():
    nets = [S.net(2, name="net", standardize=False), S.net(2, combine="mean", name="net ", standardize=False)]
    result = S(nets, "sine", 0.2, 40, replicates=2, restarts=3,
               n_jobs=1, random_state=5)  # fmt: skip
    cell = Cell(truth("sine"), Noise(0.2), 40, np.random.SeedSequence(5))
    x, f = result.designs["sine", 0.2, 40]
    fit = raw.neuralnet("y ~ x", {"x": x[:, 0], "y": cell.response(f, 1)}, hidden=2, algorithm="lm", tol=1e-6, rep=3,
                       random_state=cell.seed("start|net ", 1))  # fmt: skip
    np.testing.assert_allclose(result.fits["sine", 0.2, 40, "net "][1], fit.predict(rep="mean"), atol=1e-8)


def test_keep_goes_on_with_the_best_restarts_of_every_replicate():
    one, all_ = S([S.net(3, rep=6, keep=2, name="kept"), S.net(3, rep=6, name="all")], "sine", 0.2, 40, replicates=5,
                  n_jobs=1, random_state=5).frame.groupby("model")["training_error"].mean()[["kept", "all"]]  # fmt: skip
    assert one == pytest.approx(all_, rel=0.2)


def test_stacked_leverages_are_those_one_by_one():
    from neuralstat.df.roots import leverage

    rng = np.random.default_rng(0)
    r = rng.standard_normal((4, 30, 5))
    r[1, :, 4] = 0  # a weight that has no part
    r[2, :, 3] = r[2, :, 0] - r[2, :, 1]  # a redundant one
    for penalty in (np.zeros((4, 5)), np.tile([0.0, 0.1, 1.0, 0.0, 10.0], (4, 1))):
        stacked = leverages(r, penalty)
        for t in range(4):
            np.testing.assert_allclose(stacked[t], leverage(r[t], penalty[t])[0], atol=1e-10)
    r[3, 0, 0] = np.nan
    assert np.isnan(leverages(r, np.zeros((4, 5)))[3]).all()


def test_refits_against_closed_forms():
    n, sigma = 50, 0.3
    cv10 = S.estimator("cv", k=5, repeats=2, name="cv5x2")
    loo = S.estimator("cv", k=n, name="leave one out")
    result = S(S.glm("poly(x, 5)"), "sine", sigma, n, replicates=4, n_jobs=1, random_state=1, estimators=[
        "alo", "loo", "cv:loo", loo, cv10, S.estimator("cp:gdf", draws=400), S.estimator("cp:covariance", draws=400), "cp",
        "632", "632+",
        "bootstrap:optimism", "bootstrap", "training"])  # fmt: skip
    table = result.frame.pivot(index="replicate", columns="estimator", values="estimate")
    np.testing.assert_allclose(table["leave one out"], table["loo"], rtol=1e-12)
    np.testing.assert_allclose(table["cv:loo"], table["loo"], rtol=1e-12)
    plain = S(S.glm("x + {x**2}"), "sine", sigma, n, replicates=3, n_jobs=1, random_state=1, estimators=["alo", "loo"])
    wide = plain.frame.pivot(index="replicate", columns="estimator", values="estimate")
    np.testing.assert_allclose(wide["alo"], wide["loo"], rtol=1e-9)  # PRESS is exact where columns are
    np.testing.assert_allclose(table["cp:gdf"], table["cp"], rtol=0.03)
    np.testing.assert_allclose(table["cp:covariance"], table["cp"], rtol=0.03)
    assert (table["632+"] >= table["632"] - 1e-12).all() and (table["632"] > table["training"]).all()
    np.testing.assert_allclose(table["632"], 0.368 * table["training"] + 0.632 * table["bootstrap"])
    # twice the covariances: 2 sigma^2 p / n = 0.0216
    assert np.mean(table["bootstrap:optimism"] - table["training"]) == pytest.approx(2 * sigma**2 * 6 / n, rel=0.4)


def test_coupled_bootstrap_of_a_linear_smoother():
    """E[. | y] = (RSS + sigma^2 (2 + alpha) p) / n."""
    n, sigma, alpha = 50, 0.3, 0.25
    result = S(S.glm("poly(x, 5)"), "sine", sigma, n, replicates=4, n_jobs=1, random_state=1,
               estimators=["training", "coupled:draws=3000,alpha=0.25", S.estimator("coupled", name="plain")])  # fmt: skip
    table = result.frame.pivot(index="replicate", columns="estimator", values="estimate")
    expected = table["training"] + sigma**2 * (2 + alpha) * 6 / n
    np.testing.assert_allclose(table["coupled:draws=3000,alpha=0.25"], expected, rtol=0.02)
    np.testing.assert_allclose(table["plain"], table["training"] + sigma**2 * 2.1 * 6 / n, rtol=0.5)


def test_options_in_names():
    named, given = S.estimator("cv:k=5,repeats=2"), S.estimator("cv", k=5, repeats=2, name="cv:k=5,repeats=2")
    assert named == given and named.refits == 10
    for wrong, match in [("cv:k=1", "k must"), ("cv:draws=3", "no option 'draws'"), ("coupled:alpha=0", "alpha must"),
                         ("bootstrap:632", "kind must be one of"), ("cp:gdff", "df must be"),
                         ("cp:df=gdf,k=3", "no option 'k'"),
                         ("holdout:1.5", "test_size must"), ("cv:loo,repeats=2", "the same in every repeat"),
                         ("nested_cv:loo", "k must be a whole number >= 3")]:
        with pytest.raises(ArgumentError, match=match):
            S.estimator(wrong)
    with pytest.raises(ArgumentError, match="in the name 'cv:k=5', too"):
        S.estimator("cv:k=5", k=4)


def test_criteria_are_nan_where_degrees_of_freedom_are_not_known():
    result = S({"mean": Mean()}, "sine", 0.3, 20, replicates=2, n_jobs=1,
               estimators=["training", "cp", "sure", "gcv", "alo", "aic", "aicc", "bic", "cp:gdf"])  # fmt: skip
    known = result.frame.groupby("estimator")["estimate"].agg(lambda v: v.notna().all())
    assert known[known].index.tolist() == ["cp:gdf", "training"]


def folds(cell, k):
    """Labels of the first replicate's folds."""
    label = np.empty(cell.n, int)
    for j, (_, test) in enumerate(kfold(cell.n, k, np.random.default_rng(cell.seed(f"refit|{('cv', k)!r}", 0)))):
        label[test] = j
    return label


def test_cross_validation_by_hand():
    result = S({"mean": Mean()}, "sine", 0.3, 20, replicates=1, n_jobs=1, random_state=4,
               estimators=["cv", S.estimator("cv", corrected=True, name="burman")])  # fmt: skip
    cell = Cell(truth("sine"), Noise(0.3), 20, np.random.SeedSequence(4))
    y = cell.response(result.designs["sine", 0.3, 20][1], 0)
    fold = folds(cell, 10)
    means = np.array([y[fold != j].mean() for j in range(10)])
    by_hand = np.mean((y - means[fold]) ** 2)
    found = result.frame.set_index("estimator")["estimate"]
    assert found["cv"] == pytest.approx(by_hand)
    correction = np.mean((y - y.mean()) ** 2) - np.mean([np.mean((y - m) ** 2) for m in means])
    assert found["burman"] == pytest.approx(by_hand + correction)


TIGHT = {"tol": 1e-12, "threshold": 1e-9}
STANDARD = {"standardize": True, "penalty": ns.decay(3.0), **TIGHT}


@pytest.mark.parametrize("formula, model, settings", [
    ("y ~ x", S.net(0, **STANDARD), STANDARD),
    ("y ~ x", S.net(0, keep=1, rep=2, **STANDARD), STANDARD),
    ("y ~ bs(x, df=7, extrapolation='extend')", S.bs(8), TIGHT),
    ("y ~ cr(x, df=6)", S.cr(6), TIGHT),
    ("y ~ poly(x, 3)", S.glm("poly(x, 3)"), TIGHT),
], ids=["decay", "decay, keep", "bs", "cr", "poly"])  # fmt: skip
def test_knots_and_scaling_of_refits_are_those_of_the_rows_they_see(formula, model, settings):
    n, k = 40, 4
    uneven = np.linspace(0, 1, n) ** 2
    problem = S.truth(np.sin, design=uneven, name="sin")
    result = S({"model": model}, problem, 0.3, n, replicates=1, n_jobs=1, random_state=4, estimators=S.estimator("cv", k=k))
    assert result.frame["status"].tolist() == ["ok"]
    cell = Cell(problem, Noise(0.3), n, np.random.SeedSequence(4))
    y = cell.response(np.sin(uneven), 0)
    fold = folds(cell, k)
    fit = raw.neuralnet(formula, {"x": uneven, "y": y}, hidden=0, algorithm="lm", **settings)
    wanted = float(ns.risk(fit, "cv", folds=fold))
    assert result.frame["estimate"].iloc[0] == pytest.approx(wanted, rel=1e-6)


def test_functions_as_truth_and_estimator_and_several_covariates():
    grid = np.random.default_rng(0).uniform(size=(40, 2))
    plane = S.truth(lambda x: x[:, 0] - x[:, 1], design=grid, name="plane")

    def doubled(work):
        return 2 * work.training

    result = S([S.glm("x1 + x2"), S.cr(4)], [plane, "friedman1"], 0.1, 40, replicates=3, estimators=["training", doubled],
               n_jobs=1, random_state=0)  # fmt: skip
    table = result.summary()["df"].groupby(["truth", "model"]).first()
    assert table["plane", "glm x1 + x2"] == pytest.approx(3) and table["plane", "cr 4"] == pytest.approx(7)
    assert table["friedman1", "cr 4"] == pytest.approx(31)
    wide = result.frame.pivot(index=["truth", "model", "replicate"], columns="estimator", values="estimate")
    np.testing.assert_allclose(wide["doubled"], 2 * wide["training"])


@pytest.fixture(scope="module")
def small():
    """Arguments of a study with networks, splines and an object, and its table from one process."""
    from sklearn.ensemble import RandomForestRegressor

    arguments = {
        "models": [S.net(2, penalty=ns.decay(1e-3)), S.net(3), S.bs(6), S.smoothing_spline(),
                   RandomForestRegressor(n_estimators=2)],
        "truth": ["sine", "step"], "noise": [0.1, 0.3], "n": 40, "replicates": 5, "restarts": 2, "random_state": 7,
        "estimators": ["training", "cp", "gcv", S.estimator("cv", k=3), S.estimator("cp:gdf", draws=5)],
    }  # fmt: skip
    return arguments, S(**arguments, n_jobs=1)


def test_numbers_do_not_depend_on_chunks_processes_or_company(small):
    arguments, one = small
    assert one.complete and set(one.frame["status"]) <= {"ok", "not converged"}
    same(one, S(**arguments, n_jobs=1, chunk=1))
    same(one, S(**arguments, n_jobs=2, chunk=4))
    alone = S(**{**arguments, "truth": "step", "noise": 0.3, "models": arguments["models"][1], "replicates": 4}, n_jobs=1)
    frame = one.frame
    wanted = frame[(frame["truth"] == "step") & (frame["noise"] == 0.3) & (frame["model"] == "net 3")
                   & (frame["replicate"] < 4)]  # fmt: skip
    pd.testing.assert_frame_equal(numbers(alone), wanted.drop(columns="seconds").sort_values(
        ["replicate", "estimator"]).reset_index(drop=True), check_exact=True)  # fmt: skip


def test_dask_cluster_gives_the_same_table(small):
    import joblib
    from distributed import Client, LocalCluster

    arguments, one = small
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        with LocalCluster(n_workers=2, threads_per_worker=1, processes=True, dashboard_address=None) as cluster, \
                Client(cluster), joblib.parallel_config(backend="dask"):  # fmt: skip
            many = S(**arguments)
    same(one, many)


def test_checkpoint_resumes_and_continues_with_more_replicates(small, tmp_path, monkeypatch):
    arguments, one = small
    first = S(**{**arguments, "replicates": 2}, n_jobs=1, checkpoint=tmp_path / "c")
    files = set(os.listdir(tmp_path / "c"))
    assert len(first.frame) < len(one.frame)
    same(one, S(**arguments, n_jobs=1, checkpoint=tmp_path / "c"))
    assert files < set(os.listdir(tmp_path / "c"))
    monkeypatch.setattr(planning.Plan, "run", None)  # nothing is run again
    again = S(**arguments, n_jobs=1, checkpoint=tmp_path / "c")
    same(one, again)
    pd.testing.assert_series_equal(again.frame["seconds"], S(**arguments, checkpoint=tmp_path / "c").frame["seconds"])
    same(first, S(**{**arguments, "replicates": 2}, checkpoint=tmp_path / "c"))


def test_checkpoint_of_another_study_is_refused(tmp_path):
    arguments = {"models": [S.bs(5)], "truth": "sine", "noise": 0.1, "n": 30, "replicates": 2, "n_jobs": 1,
                 "random_state": 1, "checkpoint": tmp_path}  # fmt: skip
    S(**arguments)
    for change, message in (
        ({"models": [S.bs(6)]}, r"Different: models \('bs 5' only there, 'bs 6' not there\)"),
        ({"noise": 0.2}, r"cells \(there \['sine\|0.1\|30'\], here \['sine\|0.2\|30'\]\)"),
        ({"random_state": 2}, r"seeds \('entropy': there 1, here 2\)"),
        ({"estimators": ["cp", S.estimator("cv", k=5)]}, "estimators"),
        ({"truth": S.truth(lambda x: x, name="sine")}, "truth .*'sine, n=30'"),
        ({"restarts": 2}, "restarts .there 1, here 2"),
        ({"models": {"bs 5": Sometimes("nan")}}, r"models \('bs 5': there .*bs\(.*here .*Sometimes\(.'how': 'nan'"),
    ):
        with pytest.raises(ArgumentError, match=message):
            S(**{**arguments, **change})
    same(S(**arguments), S(**{**arguments, "random_state": None}))  # the folder's seeds


def test_damaged_chunk_is_done_again(tmp_path):
    arguments = {"models": [S.bs(5)], "truth": "sine", "replicates": 4, "n": 30, "n_jobs": 1, "random_state": 1, "chunk": 2}
    one = S(**arguments, checkpoint=tmp_path)
    chunk = next(tmp_path.glob("chunk-*.npz"))
    chunk.write_bytes(chunk.read_bytes()[:100])
    (tmp_path / f"{chunk.stem}.ab12_xyz.part").write_bytes(b"half")
    same(one, S(**arguments, checkpoint=tmp_path))
    assert not list(tmp_path.glob("*.part"))
    with pytest.raises(ArgumentError, match="cannot be used"):
        S(**arguments, checkpoint=chunk)


KILLED = """
    import sys
    import neuralstat as ns
    S = ns.study
    if __name__ == "__main__":
        result = S([S.net(2, penalty=ns.decay(1e-3)), S.net(3), S.bs(6)], ["sine", "step"], 0.2, 60, replicates=24,
                   estimators=["training", "cp", S.estimator("cv", k=5)], restarts=2, random_state=11, n_jobs=1, chunk=2,
                   checkpoint=sys.argv[1])
        result.frame.drop(columns="seconds").to_pickle(sys.argv[2])
"""


def test_killed_at_any_moment_and_resumed(tmp_path):
    script = tmp_path / "study.py"
    script.write_text(textwrap.dedent(KILLED))
    rng = np.random.default_rng()
    seen = []
    for _ in range(3):
        process = subprocess.Popen([sys.executable, script, tmp_path / "folder", tmp_path / "killed"])
        wanted = len(list((tmp_path / "folder").glob("chunk-*"))) + int(rng.integers(2, 16))
        for _ in range(12_000):
            if len(list((tmp_path / "folder").glob("chunk-*"))) >= wanted or process.poll() is not None:
                break
            time.sleep(0.01)
        time.sleep(rng.uniform(0, 0.05))
        process.send_signal(signal.SIGKILL)
        process.wait()
        seen.append(len(list((tmp_path / "folder").glob("chunk-*.npz"))))
    assert seen[0] < seen[1] < seen[2] < 72
    for folder, out in (("folder", "resumed"), ("fresh", "whole")):
        subprocess.run([sys.executable, script, tmp_path / folder, tmp_path / out], check=True)
    pd.testing.assert_frame_equal(
        pd.read_pickle(tmp_path / "resumed"), pd.read_pickle(tmp_path / "whole"), check_exact=True
    )


def test_full_disk_does_not_stop_a_study(tmp_path, monkeypatch):
    arguments = {"models": [S.bs(5), S.cr(4)], "truth": "sine", "n": 30, "replicates": 6, "chunk": 2, "n_jobs": 1,
                 "random_state": 1}  # fmt: skip
    whole = S(**arguments)
    writes = itertools.count()
    synchronise = os.fsync

    def full(handle):
        if next(writes) in (8, 9, 10):
            raise OSError(errno.ENOSPC, "No space left on device")
        synchronise(handle)

    monkeypatch.setattr(storing.os, "fsync", full)
    with pytest.warns(NeuralStatWarning, match="could not be written .No space left on device"):
        result = S(**arguments, checkpoint=tmp_path)
    lost = result.frame["status"] == "not saved: No space left on device"
    assert lost.any() and not lost.all()
    pd.testing.assert_frame_equal(numbers(result).drop(columns="status"), numbers(whole).drop(columns="status"))
    assert not list(tmp_path.glob("*.part"))
    monkeypatch.setattr(storing.os, "fsync", synchronise)
    same(whole, S(**arguments, checkpoint=tmp_path))


@pytest.mark.parametrize("how", ["raise", "nan"])
def test_models_that_fail_are_recorded(how):
    result = S({"bad": Sometimes(how), "mean": Mean()}, "step", 0.5, 20, replicates=30, n_jobs=1, random_state=2,
               estimators=["training", "cv"])  # fmt: skip
    bad = result.frame[(result.frame["model"] == "bad") & (result.frame["estimator"] == "training")]
    cell = Cell(truth("step"), Noise(0.5), 20, np.random.SeedSequence(2))
    wanted = [cell.response(result.designs["step", 0.5, 20][1], r)[0] > 0 for r in range(30)]
    status = "failed: ValueError: the first response is positive" if how == "raise" else "not finite"
    assert bad["status"].tolist() == [status if w else "ok" for w in wanted]
    np.testing.assert_array_equal(bad["estimate"].isna(), wanted)
    assert (result.frame.loc[result.frame["model"] == "mean", "status"] == "ok").all()
    assert result.summary()["failed"].xs("bad", level="model").iloc[0] == sum(wanted)


def test_a_model_that_cannot_be_prepared_and_an_estimator_that_raises():
    def broken(work):
        raise RuntimeError("no")

    result = S([S.smoothing_spline(), S.bs(5)], S.truth(lambda x: x, design=np.repeat(np.arange(10.0), 2), name="ties"), 0.1,
               20, replicates=2, estimators={"training": "training", "broken": broken}, n_jobs=1)  # fmt: skip
    status = result.frame.groupby("model")["status"].unique()
    assert status["smoothing spline"].tolist() == [
        "failed: ArgumentError: smoothing_spline needs one covariate without ties."]  # fmt: skip
    assert status["bs 5"].tolist() == ["broken failed: RuntimeError: no"]
    assert np.isfinite(result.frame.query("model == 'bs 5' and estimator == 'training'")["estimate"]).all()


def test_a_worker_that_dies_is_recorded():
    result = S({"dies": Dies(), "mean": Mean()}, "step", 0.3, 20, replicates=8, chunk=2, n_jobs=2, random_state=4,
               estimators=["training"])  # fmt: skip
    cell = Cell(truth("step"), Noise(0.3), 20, np.random.SeedSequence(4))
    f = result.designs["step", 0.3, 20][1]
    dead = np.array([cell.response(f, r)[0] > 0.3 for r in range(8)])
    assert 0 < dead.sum() < 8
    status = result.frame[result.frame["model"] == "dies"].sort_values("replicate")["status"]
    np.testing.assert_array_equal(status.str.startswith("worker died: TerminatedWorkerError"), dead)
    assert (status[~dead] == "ok").all()
    assert (result.frame.loc[result.frame["model"] == "mean", "status"] == "ok").all()
    assert result.complete


def test_interrupt_returns_and_saves_what_is_done(tmp_path, monkeypatch):
    arguments = {"models": [S.bs(5)], "truth": "sine", "n": 30, "replicates": 10, "chunk": 2, "n_jobs": 1, "random_state": 1}
    run, calls = planning.Plan.run, itertools.count()

    def interrupted(self, chunk):
        if next(calls) == 3:
            raise KeyboardInterrupt
        return run(self, chunk)

    monkeypatch.setattr(planning.Plan, "run", interrupted)
    with pytest.warns(NeuralStatWarning, match="interrupted; 60% done.*checkpoint"):
        part = S(**arguments, checkpoint=tmp_path)
    assert not part.complete and part.frame["replicate"].nunique() == 6 and "Interrupted" in repr(part)
    same(S(**arguments), S(**arguments, checkpoint=tmp_path))


def test_progress_bar_shows_rate_and_time_left(capsys):
    S(S.bs(5), "sine", replicates=40, n=30, n_jobs=1, chunk=10, progress=True)
    err = capsys.readouterr().err
    assert "study: 100%" in err and "40/40" in err and "fit/s" in err


def test_sigma_from_differences():
    arguments = {"models": S.bs(8), "truth": "sine", "noise": 0.3, "n": 200, "replicates": 20, "n_jobs": 1, "random_state": 1}
    known, estimated = (S(**arguments, sigma=s, estimators="cp").frame["estimate"] for s in ("truth", "difference"))
    assert not np.allclose(known, estimated) and known.mean() == pytest.approx(estimated.mean(), rel=0.05)
    with pytest.raises(ArgumentError, match="needs one covariate"):
        S(S.cr(4), "friedman2", sigma="difference", replicates=1)


@pytest.mark.parametrize(("change", "message"), [
    ({"models": []}, "models is empty"),
    ({"models": [S.bs(5), S.bs(5)]}, "two are called 'bs 5'"),
    ({"models": object()}, "is no model"),
    ({"models": {"hidden": 2, "hiden": 3}}, "unknown argument 'hiden'"),
    ({"truth": "sines"}, "truth must be one of"),
    ({"truth": ["sine", "sine"]}, "two are called 'sine'"),
    ({"noise": 0}, "noise must be a finite number >= 1e-100"),
    ({"noise": [0.1, 0.1]}, "noise: a value occurs twice"),
    ({"n": 1}, "n must be a whole number"),
    ({"replicates": 0}, "replicates must be"),
    ({"estimators": "cq"}, "unknown estimator 'cq'"),
    ({"estimators": "cv:gdf"}, "'cv': k must be 'loo' or a whole number"),
    ({"restarts": 2, "rep": 3}, "two names for one thing"),
    ({"sigma": -1}, "sigma must be"),
    ({"truth": S.truth(lambda x: x[:3], name="short")}, "truth 'short' must return 30 finite numbers"),
    ({"truth": S.truth(np.sin, design=np.zeros(7))}, "design has 7 rows, but n=30"),
    ({"chunk": 0}, "chunk must be"),
    ({"models": {"lock": type("Locked", (Mean,), {"__reduce__": lambda self: 1 / 0})()}}, "cannot be sent to workers"),
])  # fmt: skip
def test_arguments(change, message):
    with pytest.raises(ArgumentError, match=message):
        S(**{"models": [S.bs(5)], "truth": "sine", "n": 30, "replicates": 2, "n_jobs": 1, **change})


def test_arguments_of_models_and_estimators():
    for call, message in (
        (lambda: S.net(2, weights=[1]), "'weights' has no place in a study"),
        (lambda: S.net(2, algorithm="adam", validation={"x": [1]}), "validation must be a share"),
        (lambda: S.net(2, combine="median"), "combine must be one of"),
        (lambda: S.bs(3), "bs: size must be a whole number >= 4"),
        (lambda: S.glm("y ~"), "no right-hand side"),
        (lambda: S.glm("x", family="poisson"), "must be a statsmodels family"),
        (lambda: S.estimator("cv", folds=3), "'cv' has no option 'folds'"),
        (lambda: S.estimator("cp", k=3), "'cp' has no option 'k'"),
    ):
        with pytest.raises(ArgumentError, match=message):
            call()


def test_module_is_callable_and_pickled_results():
    import inspect
    import pickle

    assert callable(ns.study) and "replicates" in inspect.signature(ns.study).parameters
    result = S(S.bs(5), "sine", replicates=2, n=30, n_jobs=1)
    same(result, pickle.loads(pickle.dumps(result)))
    assert "2 replicate" in repr(result) and "<table" in result._repr_html_()


def test_selected():
    result = S([S.bs(4), S.bs(12)], "sine", 0.5, 60, replicates=20, estimators=["training", "cp"], n_jobs=1, random_state=1)
    table = result.selected().droplevel(["truth", "noise", "n"])
    assert table.loc["training", "model"] == "bs 12" and table.loc["cp", "risk"] < table.loc["training", "risk"]
    assert (table["ratio"] >= 1).all()


@pytest.mark.parametrize("kind", ["risk", "estimate", "fits"])
def test_plots(small, kind):
    axes = np.ravel(small[1].plot(kind))
    assert all(ax.get_xlabel() or ax.get_ylabel() or ax.get_title() for ax in axes)
    chosen = small[1].plot(kind, truth="step", noise=0.3)
    assert chosen is not None
    with pytest.raises(ArgumentError, match="truth"):
        small[1].plot(kind, truth="sines")


def test_plot_kind():
    with pytest.raises(ArgumentError, match="kind must be one of"):
        S(S.bs(5), "sine", replicates=2, n=30, n_jobs=1).plot("pie")
