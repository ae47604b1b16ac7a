"""Effects where a mean depends on several parameters: slopes and standard errors, classes in order, times."""

from __future__ import annotations

import numpy as np
import pandas as pd
import pytest

import neuralstat as ns
from neuralstat import families as F
from neuralstat.effects.functional import outputs_of
from neuralstat.network import derivatives


@pytest.fixture(scope="module")
def data():
    rng = np.random.default_rng(9)
    n = 160
    x, z = rng.uniform(size=n), rng.normal(size=n)
    mu = np.exp(0.5 + x)
    k = rng.poisson(mu)
    times = rng.weibull(1.5, n) * mu
    return pd.DataFrame({
        "x": x, "z": z, "pos": rng.gamma(3, mu / 3), "k0": k * (rng.uniform(size=n) > 0.3), "t": np.minimum(times, 6.0),
        "e": times <= 6.0, "y": x + z * rng.normal(size=n),
        "o": pd.Categorical.from_codes(np.digitize(2 * x + rng.logistic(size=n), [0, 1.5]), list("abc"), ordered=True),
    })  # fmt: skip


KINDS = {
    "lognormal": ("pos", "lognormal", "~ z"), "zip": ("k0", "zero_inflated_poisson", "~ z"),
    "ordinal": ("o", "ordinal", None), "hurdle": ("k0", "hurdle_poisson", "~ z"), "weibull": ("Surv(t, e)", "weibull", "~ z"),
    "mixture": ("y", F.Mixture(2), {"odds2": "~ z"}),
}  # fmt: skip


@pytest.mark.parametrize("kind", KINDS)
def test_slopes_in_the_weights(data, kind):
    """Against central differences: the parameters beside the first move the mean, too."""
    response, family, how = KINDS[kind]
    fit = ns.neuralnet(f"{response} ~ x", data, hidden=0, family=family, dispformula=how, rep=1, random_state=1).fitted
    outputs, x = outputs_of(fit, None, "best"), fit.design.x
    weight = np.random.default_rng(1).uniform(size=x.shape[1])
    found = outputs.sums(x, None, weight)
    theta, free = fit.fit.theta[0].astype(float), np.flatnonzero(fit.fit.free[0])
    for p in free:
        both = []
        for step in (1e-5, -1e-5):
            moved = theta.copy()
            moved[p] += step
            both.append(fit.response(derivatives.outputs(fit.network, x, moved[np.newaxis]))[0] @ weight)
        difference = (both[0] - both[1]) / 2e-5
        np.testing.assert_allclose(found.slope[0, :, 0, p], difference, rtol=1e-6, atol=1e-7)


def test_a_lognormal_mean_by_hand(data):
    """d exp(mu + sigma^2 / 2): average slope, and its standard error by the delta method."""
    fit = ns.neuralnet("pos ~ x", data, hidden=0, family="lognormal")
    a, b, s = fit.params[["Intercept.to.pos", "x.to.pos", "Intercept.to.sigma"]]
    mean = np.exp(a + b * data["x"] + np.exp(2 * s) / 2)
    row = fit.marginal_effects().loc["x"]
    assert row["dy/dx"] == pytest.approx(b * mean.mean(), rel=1e-5)
    gradient = np.array([b * mean.mean(), mean.mean() + b * (mean * data["x"]).mean(), b * mean.mean() * np.exp(2 * s)])
    names = ["Intercept.to.pos", "x.to.pos", "Intercept.to.sigma"]
    covariance = fit.cov_params().loc[names, names].to_numpy()
    assert row["std err"] == pytest.approx(np.sqrt(gradient @ covariance @ gradient), rel=1e-4)


def test_tables_of_classes_and_times(data):
    classes = ns.neuralnet("o ~ x + z", data, hidden=0, family="ordinal")
    found = classes.marginal_effects()
    assert set(found.index.get_level_values(0)) == set("abc")
    assert found.xs("x", level=1)["dy/dx"].sum() == pytest.approx(0.0, abs=1e-9)  # probabilities add up to 1
    curve = classes.partial_dependence("x", grid=[0.2, 0.8])
    assert curve.shape[0] == 6
    times = ns.neuralnet("Surv(t, e) ~ x + z", data, hidden=0, family="weibull")
    curve = times.partial_dependence("x", grid=[0.2, 0.8])
    means = [times.predict(data.assign(x=v)).mean() for v in (0.2, 0.8)]
    np.testing.assert_allclose(curve.iloc[:, curve.columns.get_loc("mean") if "mean" in curve else 0], means, rtol=1e-9)
