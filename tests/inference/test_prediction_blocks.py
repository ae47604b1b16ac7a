"""Predictions and limits are made block by block of rows: the same numbers as at once, in a few times the data's memory."""

from __future__ import annotations

import tracemalloc

import numpy as np
import pandas as pd
import pytest

import neuralstat as ns
from neuralstat.df.grids import even, gauss
from neuralstat.families.cox import Cox, StepFunction
from neuralstat.formula import spec
from neuralstat.inference import mixing, predictive
from neuralstat.network import blocks, derivatives

CONTROL = {"hidden": 2, "penalty": ns.decay(0.05), "algorithm": "lbfgs", "threshold": 1e-4, "random_state": 1}
KINDS = {
    "gaussian": ("y", {"rep": 2}), "factor": ("y", {"more": " + f"}), "binomial": ("b", {"family": "binomial", "rep": 2}),
    "poisson": ("k", {"family": "poisson"}), "gamma": ("t", {"family": ns.families.Gamma("log")}), "classes": ("c", {}),
    "multinomial": ("c", {"family": "multinomial"}),
    "two parameters": ("y", {"family": "gaussian", "dispformula": "~ x", "rep": 2}),
    "negative binomial": ("k", {"family": "negative_binomial"}), "zeros": ("k", {"family": "zero_inflated_poisson"}),
    "ordinal": ("o", {"family": "ordinal"}), "quantiles": ("y", {"family": ns.families.Quantile([0.1, 0.5, 0.9])}),
    "weibull": ("Surv(t, e)", {"family": "weibull"}), "cox": ("Surv(t, e)", {"family": "cox", "rep": 2}),
    "two responses": ("y + t", {"family": "multivariate_normal"}),
}  # fmt: skip


def data_of(n: int) -> pd.DataFrame:
    rng = np.random.default_rng(3)
    x, v = rng.standard_normal((2, n))
    mean = np.sin(x) + 0.5 * v
    cut = np.digitize(mean + rng.logistic(size=n), [-0.7, 0.7])
    return pd.DataFrame({
        "x": x, "v": v, "f": pd.Categorical.from_codes(rng.integers(0, 3, n), list("abc")),
        "y": mean + 0.3 * rng.standard_normal(n), "b": (rng.random(n) < 1 / (1 + np.exp(-mean))).astype(float),
        "k": rng.poisson(np.exp(0.5 * mean) * rng.gamma(2, 0.5, n)).astype(float),
        "t": np.exp(0.5 * mean) * rng.weibull(1.5, n) + 1e-3, "e": (rng.random(n) < 0.7).astype(float),
        "c": pd.Categorical.from_codes(cut, ["low", "mid", "high"]),
        "o": pd.Categorical.from_codes(cut, ["low", "mid", "high"], ordered=True),
    })  # fmt: skip


def fit_of(name: str, data: pd.DataFrame, **more: object):
    response, given = KINDS[name]
    given = {"rep": 1, **CONTROL, **given, **more}
    covariates = "x + v" + given.pop("more", "")
    return ns.neuralnet(f"{response} ~ {covariates}", data, **given)


@pytest.mark.filterwarnings("ignore")
@pytest.mark.parametrize("name", KINDS)
def test_blocks_of_rows_change_rounding_alone(name, monkeypatch):
    fit, new = fit_of(name, data_of(160)), data_of(300).iloc[130:]
    new.iloc[::11, 0] = np.nan
    whole = {"own": fit.get_prediction().summary_frame(), "new": fit.get_prediction(new).summary_frame(0.1),
             "mean": fit.get_prediction(new, rep="mean", method="distribution", combine="mean").summary_frame()
             if fit.fitted.network.objective.several else pd.DataFrame(fit.predict(new))}  # fmt: skip
    monkeypatch.setattr(blocks, "ROWS", 37)
    monkeypatch.setattr(blocks, "NUMBERS", 1)
    monkeypatch.setattr(blocks, "LEAST", 23)
    monkeypatch.setattr(mixing, "AT_ONCE", 2000)
    monkeypatch.setattr(spec, "ENCODED", 41)
    again = type(fit)(fit.fitted)
    again.fitted.__dict__.pop("_kept", None)
    parts = {"own": again.get_prediction().summary_frame(), "new": again.get_prediction(new).summary_frame(0.1),
             "mean": again.get_prediction(new, rep="mean", method="distribution", combine="mean").summary_frame()
             if fit.fitted.network.objective.several else pd.DataFrame(again.predict(new))}  # fmt: skip
    for key, value in whole.items():
        assert parts[key].columns.equals(value.columns) and parts[key].index.equals(value.index)
        size = np.nanmax(np.abs(value.to_numpy()[:, :1]))
        np.testing.assert_allclose(parts[key] / size, value / size, rtol=1e-7, atol=1e-8, err_msg=key)
    found = again.get_prediction(new)
    for obs, what in ((False, "mean"), (True, "obs")):
        own = found.conf_int(0.1, obs)
        at = [c for c in whole["new"].columns if (c if isinstance(c, str) else c[1]).startswith(f"{what}_ci")]
        np.testing.assert_allclose(own.to_numpy(), parts["new"][at].to_numpy(), equal_nan=True)


def test_errors_of_a_table_are_those_of_all_its_rows(monkeypatch):
    monkeypatch.setattr(spec, "ENCODED", 41)
    fit, new = fit_of("factor", data_of(160)), data_of(100)
    new["f"] = np.where(np.arange(100) < 50, "a", np.where(np.arange(100) < 70, "q", "z"))
    with pytest.raises(ns.errors.DataError, match=r"'q'.*'z'"):
        fit.get_prediction(new)


@pytest.mark.filterwarnings("ignore")
@pytest.mark.parametrize("name", ["gaussian", "factor", "binomial", "gamma", "classes", "two parameters", "weibull"])
def test_memory_of_predictions(name):
    data = data_of(20_000)
    fit = fit_of(name, data, penalty=None, threshold=1e3, stepmax=20, **{"rep": 1} if name == "two parameters" else {})
    columns = data.drop(columns=["o"])
    size = data.memory_usage(index=False).sum()  # ten columns
    fit.get_prediction(columns.iloc[:300]).summary_frame()
    fit.fitted.__dict__.pop("_kept", None)
    tracemalloc.start()
    fit.get_prediction(columns).summary_frame()
    peak = tracemalloc.get_traced_memory()[1]
    tracemalloc.stop()
    assert peak < 4 * size + 4e6, f"{peak / size:.1f} times the data"


# limits of new observations --------------------------------------------------------------------------------


@pytest.mark.parametrize(("family", "eta", "phi"), [
    (ns.families.Poisson(), (-3, 6), 1.0), (ns.families.Gamma("log"), (-3, 5), 0.5), (ns.families.Gamma("log"), (-3, 5), 5.0),
    (ns.families.Gamma(), (0.3, 3), 0.5), (ns.families.InverseGaussian("log"), (-2, 2), 0.3),
    (ns.families.Binomial(), (-4, 4), 1.0), (ns.families.NegativeBinomial(alpha=0.5), (-2, 5), 1.0),
])  # fmt: skip
def test_fewer_points_give_the_mixture_over_the_grid(family, eta, phi, monkeypatch):
    rng = np.random.default_rng(1)
    given = [rng.uniform(*eta, 200), 10 ** rng.uniform(-4, 0.3, 200), np.full(200, phi), np.full(200, 20.0)]
    given[0][:3], given[1][3] = np.nan, 0.0
    fewer = predictive.quantiles(family, family.link, *given, (0.025, 0.5, 0.975))
    assert np.unique(predictive._needed(family, family.link, *(np.nan_to_num(v) for v in given))).size > 5
    monkeypatch.setattr(predictive, "COUNTS", (1, predictive.NODES))
    grid = predictive.quantiles(family, family.link, *given, (0.025, 0.5, 0.975))
    assert np.isnan(grid[:, :3]).all() and np.isfinite(grid[:, 3:]).all()
    np.testing.assert_allclose(fewer, grid, rtol=3e-11)


def test_gauss_rule_has_the_moments_of_the_grid():
    z, share = even(5.0, 121)
    for count in (1, 5, 12):
        at, mass = gauss(5.0, 121, count)
        for degree in range(2 * count):
            assert mass @ at**degree == pytest.approx(share @ z**degree, rel=1e-10, abs=1e-12 * 5.0**degree)


@pytest.mark.parametrize("curves", [1, 3])
def test_first_times_are_those_of_a_walk_through_events(curves):
    rng = np.random.default_rng(0)
    times = np.sort(rng.random(60))
    made = [StepFunction(times, np.cumsum(rng.exponential(0.02, 60)), np.exp(rng.standard_normal((7, 40))))
            for _ in range(curves)]  # fmt: skip
    for level in (0.01, 0.3, 0.9):
        below = np.array([np.mean([np.mean(c.cdf(t), axis=0) for c in made], axis=0) for t in times])
        want = np.where((below >= level).any(axis=0), times[(below >= level).argmax(axis=0)], np.inf)
        np.testing.assert_array_equal(mixing._first_time(made, level), want)


@pytest.mark.parametrize("ties", [False, True])
def test_scores_of_cox_by_blocks_are_those_of_the_sums(ties):
    """Rows that enter before all events go another way, and are at risk as others."""
    rng = np.random.default_rng(0)
    t, event = rng.exponential(size=90) + 0.01, rng.random(90) < 0.7
    t = np.ceil(5 * t) / 5 if ties else t
    y = np.stack([t, np.where(event, t, 0.0)])
    eta, w, z = rng.standard_normal(90), rng.integers(0, 3, 90).astype(float), rng.standard_normal((90, 3))
    family, late = Cox(), np.concatenate([y, np.full((1, 90), 1e-9)])
    want = family.scores(eta, late, w, z)
    np.testing.assert_allclose(family.scores(eta, y, w, z), want, rtol=1e-9, atol=1e-12)
    assert family.score_blocks(eta, late, w, z.__getitem__, 7) is None
    found, seen = np.full_like(z, np.nan), 0
    for rows, own in family.score_blocks(eta, y, w, z.__getitem__, 7):
        found[rows], seen = own, seen + 1
    assert seen > 4
    np.testing.assert_allclose(found, want, rtol=1e-9, atol=1e-12)
    size = np.abs(want.sum(axis=0)).max()  # parts add up to the gradient of the loss, z' times its slopes in eta
    gradient = z.T @ (w * family.losses(eta[np.newaxis], y, w)[1][0])
    np.testing.assert_allclose(want.sum(axis=0) / size, gradient / size, atol=1e-9)


@pytest.mark.parametrize("weighted", [False, True])
@pytest.mark.filterwarnings("ignore:.*did not converge")
def test_derivatives_of_cox_by_blocks_are_those_of_all_rows_at_once(weighted, monkeypatch):
    """Ties, weights that are 0, an offset; one block of the kernel has all rows at risk in it."""
    rng = np.random.default_rng(2)
    n = 150
    x = rng.standard_normal((2, n))
    t, e = np.ceil(4 * rng.exponential(size=n)) / 4, (rng.random(n) < 0.6).astype(float)
    data = pd.DataFrame({"x": x[0], "v": x[1], "t": t, "e": e, "w": rng.integers(0, 3, n).astype(float)})
    more = {"weights": "w", "offset": rng.standard_normal(n)} if weighted else {}
    fit = ns.neuralnet("Surv(t, e) ~ x + v", data, family="cox", hidden=3, stepmax=5, random_state=1, **more)
    network, data, theta = fit.fitted.network, fit.fitted.data, fit.fitted.fit.theta[0] + 0.1
    free = fit.fitted.fit.free[0]
    penalty = np.tile([0.3, 0.0, 1.0, 0.0], (theta.size, 1))
    found = derivatives.hessian(network, data, theta, penalty), derivatives.gradient(network, data, theta, penalty, free)
    monkeypatch.setattr(derivatives, "FEW", 1)
    parts = derivatives.hessian(network, data, theta, penalty)
    monkeypatch.setattr(Cox, "working", lambda *_: None)  # as where rows enter late
    want = derivatives.hessian(network, data, theta, penalty), derivatives.gradient(network, data, theta, penalty)
    assert theta.size < n / 4 and np.abs(want[0]).max() > 1
    for own in (found[0], parts):
        np.testing.assert_allclose(own, want[0], rtol=1e-11, atol=1e-11 * np.abs(want[0]).max())
    np.testing.assert_allclose(found[1][free], want[1][free], rtol=1e-10, atol=1e-11 * np.abs(want[1]).max())
