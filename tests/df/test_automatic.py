"""Degrees of freedom by situation: which method, what it says, and the truth where restarts are a search."""

from __future__ import annotations

import dataclasses

import numpy as np
import pandas as pd
import pytest
import raw

import neuralstat as ns
from neuralstat.df import automatic, found
from neuralstat.df.automatic import chosen
from neuralstat.engine import cpu
from neuralstat.fitted import Fitted

DATA = ns.datasets.sine(n=60, noise=0.2, random_state=1)
QUIET = pytest.mark.filterwarnings("ignore::neuralstat.errors.ConvergenceWarning", "ignore::neuralstat.errors.DfWarning")


@QUIET
@pytest.mark.parametrize(("options", "method", "why"), [
    ({"hidden": 0}, "jacobian", "one optimum"),
    ({"hidden": 3, "algorithm": "lm", "penalty": ns.decay(0.1), "threshold": 1e-6}, "divergence", "that the penalty holds"),
    ({"hidden": 2, "algorithm": "lm", "rep": 3, "threshold": 1e-5}, "gdf", "restarts without a penalty"),
    ({"hidden": 2, "algorithm": "lm", "rep": 1, "threshold": 1e-5}, "gdf", "no penalty holds"),
    ({"hidden": 3, "stepmax": 15}, "gdf", "stopped before its optimum"),
    ({"hidden": 3, "algorithm": "adam", "epochs": 3}, "gdf", "by epochs"),
    ({"hidden": 2, "rep": 2, "family": "binomial", "algorithm": "lm"}, "covariance", "restarts without a penalty"),
])  # fmt: skip
def test_which_method(options, method, why):
    left = "{1.0 * (y > 0)}" if "family" in options else "y"
    fit = raw.neuralnet(f"{left} ~ x", DATA, random_state=2, **options)
    found, reason = chosen(fit.fitted)
    assert found == method and why in reason
    d = fit.df("auto")
    assert d.method == method and d.notes[0].startswith(f"{method}: {reason}") and d.details["auto"].startswith(reason)
    if method not in automatic.REFITS:
        assert float(d) == float(fit.df(method)) and d.se is None
    else:
        assert d.se > 0 and 20 <= d.draws <= 100 and f"{d.draws} refits" in d.notes[0]


@QUIET
def test_it_is_one_of_the_fit():
    fit = raw.neuralnet("y ~ x", DATA, hidden=2, rep=2, algorithm="lm", random_state=2)
    again = raw.neuralnet("y ~ x", DATA, hidden=2, rep=2, algorithm="lm", random_state=2)
    assert float(fit.df("auto")) == float(again.df("auto", n_jobs=1))
    other = fit.df("auto", draws=30, random_state=5)
    assert other.draws == 30 and float(other) == float(fit.df("gdf", draws=30, random_state=5, restarts="fresh"))
    assert fit.aic == fit.info_criteria("aic", df="auto") == fit.info_criteria("aic", df=float(fit.df("auto")))
    assert "auto" not in str(fit.criteria(df="auto")["method"].iloc[0])  # the method that was taken


@QUIET
def test_work_is_bounded(monkeypatch):
    fit = raw.neuralnet("y ~ x", DATA, hidden=2, rep=2, algorithm="lm", random_state=2)
    monkeypatch.setattr(automatic, "WORK", 1.0)
    d = fit.df("auto")
    assert d.method == "jacobian" and "search and stop are not counted" in d.notes[0]
    assert fit.df("auto", draws=25).method == "gdf"


@QUIET
def test_choice_by_it():
    found = ns.select("y ~ x", DATA, hidden=[0, 2], df="auto", algorithm="lm", rep=2, random_state=1)
    assert found.best.settings.hidden == (2,) and found.path["criterion"].notna().all()


@pytest.mark.slow
@QUIET
@pytest.mark.parametrize(("seed", "options"), [
    (1, {"hidden": 6, "rep": 5, "algorithm": "lm", "stepmax": 300}), (2, {"hidden": 3, "rep": 3, "stepmax": 80}),
    (3, {"hidden": 5, "rep": 3, "algorithm": "lm", "penalty": ns.decay(0.5)}),
    (4, {"hidden": 4, "algorithm": "adam", "epochs": 60, "rep": 1}),
])  # fmt: skip
def test_the_truth_by_simulation(seed, options):
    """Two covariates, n = 100: the mean over 40 data sets against the covariance of fits and responses."""
    rng = np.random.default_rng(seed)
    x = rng.normal(size=(100, 2))
    mu, sigma = np.tanh(1.5 * x[:, 0] + x[:, 1]) - np.tanh(x[:, 0] - 1.5 * x[:, 1] + 0.5), 0.4
    truth, ours, best = [], [], []
    for t in range(40):
        e = sigma * rng.standard_normal(100)
        fit = raw.neuralnet("y ~ a + b", pd.DataFrame({"a": x[:, 0], "b": x[:, 1], "y": mu + e}), random_state=t, **options)
        truth.append(np.sum((fit.predict(rep="best").to_numpy().ravel() - mu) * e) / sigma**2)
        d = fit.df("auto", sigma=sigma, draws=30, random_state=t)
        ours.append(float(d))
        best.append(float(fit.df("jacobian")))
    error = np.std(truth, ddof=1) / np.sqrt(40)
    assert abs(np.mean(ours) - np.mean(truth)) < 3 * error + 0.1 * np.mean(truth)


@pytest.mark.slow
@QUIET
def test_the_truth_of_classes():
    """0/1 responses, 2 units, n = 150, 30 data sets: what the log odds covary with the responses."""
    rng = np.random.default_rng(5)
    x = rng.normal(size=(150, 2))
    mu = 1 / (1 + np.exp(0.6 * x[:, 1] - 1.2 * np.sin(1.5 * x[:, 0])))
    truth, ours = [], []
    for t in range(30):
        y = (rng.random(150) < mu) * 1.0
        fit = raw.neuralnet("y ~ a + b", {"a": x[:, 0], "b": x[:, 1], "y": y}, family="binomial", hidden=2, rep=3,
                            algorithm="lm", random_state=t, standardize=True)  # fmt: skip
        odds = fit.predict(rep="best", type="link").to_numpy().ravel()
        truth.append(np.sum(np.clip(odds, -28, 28) * (y - mu)))
        ours.append(float(fit.df("auto", draws=25, random_state=t)))
    error = np.hypot(*(np.std(v, ddof=1) for v in (truth, ours))) / np.sqrt(30)
    assert abs(np.mean(ours) - np.mean(truth)) < 3 * error


@QUIET
@pytest.mark.parametrize(("method", "options"), [
    ("gdf", {}), ("covariance", {}), ("covariance", {"family": "binomial"}), ("gdf", {"family": "poisson"}),
])  # fmt: skip
def test_parts_add_up(method, options):
    """What the search costs is the rest beside what derivatives say."""
    left = {"binomial": "{1.0 * (y > 0)}", "poisson": "{1.0 * (y > 0)}"}.get(options.get("family"), "y")
    fit = raw.neuralnet(f"{left} ~ x", DATA, hidden=2, rep=3, algorithm="lm", random_state=2, **options)
    d = fit.df(method, draws=10, restarts="fresh", random_state=1)
    assert d.parts == {"local": float(fit.df("jacobian")), "search": float(d) - float(fit.df("jacobian"))}
    near = fit.df("jacobian")
    assert near.parts == {"local": float(near), "search": 0.0}
    assert fit.df("auto").parts["local"] == float(near)


@QUIET
def test_where_noise_is_not_known_derivatives_stand_and_it_is_said():
    fit = raw.neuralnet("y ~ x", DATA.assign(y=np.exp(DATA["y"])), hidden=2, rep=2, random_state=2,
                        family=ns.families.Tweedie(var_power=2.5), algorithm="bfgs", stepmax=200)  # fmt: skip
    d = fit.df()
    assert d.method == "jacobian" and "cannot be drawn again" in d.notes[0] and "Tweedie" in d.notes[0]
    with pytest.raises(ns.errors.ArgumentError, match="sigma must be"):
        fit.df("auto", sigma=-1)


@QUIET
def test_held_layers_and_given_starts():
    """Weights into the output alone have one optimum; start weights that were given are those of the refits."""
    held = raw.neuralnet("y ~ x", DATA, hidden=3, random_state=2, exclude=[1, 2, 3, 4, 5, 6], algorithm="lm",
                         constant_weights=[0.5, 1, -0.3, 2, 0.1, -1])  # fmt: skip
    assert chosen(held.fitted)[0] == "jacobian" and float(held.df()) == pytest.approx(4)
    start = np.random.default_rng(1).standard_normal(7)
    fit = raw.neuralnet("y ~ x", DATA, hidden=2, startweights=start, algorithm="lm", random_state=2)
    d = fit.df()
    assert d.details["restarts"] == "same" and d.details["auto"].startswith("no penalty holds")
    assert raw.neuralnet("y ~ x", DATA, hidden=2, algorithm="lm", random_state=2).df().details["restarts"] == "fresh"


@QUIET
def test_a_hessian_that_is_nearly_singular_is_not_believed(monkeypatch):
    fit = raw.neuralnet("y ~ x", DATA, hidden=3, algorithm="lm", penalty=ns.decay(0.1), threshold=1e-6, random_state=2)
    assert chosen(fit.fitted)[0] == "divergence"
    monkeypatch.setattr(automatic.local, "divergence", lambda fitted, b: 3 * float(fit.df("jacobian")))
    method, why = chosen(fit.fitted)
    assert method == "gdf" and "nearly singular" in why


@QUIET
@pytest.mark.parametrize("options", [{"stepmax": 10}, {"algorithm": "adam", "epochs": 2}])
def test_what_was_interrupted_is_not_done_again(options):
    """Its rule may never end: a threshold of 0 and a hundred million steps."""
    fit = raw.neuralnet("y ~ x", DATA, hidden=2, random_state=2, **options)
    status = np.full_like(fit.fit.status, cpu.INTERRUPTED)
    fitted = Fitted(fit.fitted.procedure, dataclasses.replace(fit.fit, status=status))
    method, why = chosen(fitted)
    assert method == "jacobian" and "interrupted" in why
    assert found(fitted, "auto").method == "jacobian"


@QUIET
def test_start_weights_have_none():
    fit = raw.neuralnet("y ~ x", DATA, hidden=3, algorithm="adam", epochs=0, random_state=2)
    assert fit.df() == 0 and "do not depend on the response" in fit.df().notes[0]
    assert "AIC (df = 0, none)" in str(fit.summary())
