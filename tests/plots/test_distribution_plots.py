"""Pictures of distributions with several parameters: bands of quantiles, diagnostics by quantile residuals."""

from __future__ import annotations

import matplotlib.pyplot as plt
import numpy as np
import pandas as pd
import pytest
from scipy import stats

import neuralstat as ns
from neuralstat import families as F
from neuralstat.errors import ArgumentError


@pytest.fixture(scope="module")
def data():
    rng = np.random.default_rng(2)
    n = 120
    x = rng.uniform(size=n)
    times = rng.weibull(1.5, n) * np.exp(x)
    return pd.DataFrame({
        "x": x, "y": np.sin(4 * x) + np.exp(-2 + x) * rng.normal(size=n), "k": rng.negative_binomial(2, 0.4, n),
        "t": np.minimum(times, 3.0), "e": times <= 3.0,
        "o": pd.Categorical.from_codes(np.digitize(2 * x + rng.logistic(size=n), [0, 1.5]), list("abc"), ordered=True),
    })  # fmt: skip


@pytest.fixture(scope="module")
def net(data):
    return ns.neuralnet("y ~ x", data, hidden=2, rep=3, random_state=1, family="gaussian", dispformula="~ x",
                        algorithm="bfgs", penalty=ns.decay(0.01), threshold=0.05)  # fmt: skip


def band(ax):
    """Grid and limits of the shaded band."""
    vertices = ax.collections[-1].get_paths()[0].vertices
    grid = np.unique(vertices[:, 0])
    return grid, np.array([[vertices[vertices[:, 0] == g, 1].min(), vertices[vertices[:, 0] == g, 1].max()] for g in grid]).T


@pytest.mark.parametrize("combine", ["mixture", "mean"])
def test_band_of_the_distribution(net, combine):
    ax = net.plot_fit(interval="distribution", combine=combine, alpha=0.2, points=20)
    grid, (low, high) = band(ax)
    found = net.predict(pd.DataFrame({"x": grid}), type="quantile", q=[0.1, 0.9], combine=combine)
    np.testing.assert_allclose(low, found[0.1], rtol=1e-6)
    np.testing.assert_allclose(high, found[0.9], rtol=1e-6)
    mean = net.predict(pd.DataFrame({"x": grid}), combine=combine)
    np.testing.assert_allclose(ax.lines[-1].get_ydata(), mean, rtol=1e-6)
    assert "10 % to 90 % quantiles" in [t.get_text() for t in ax.get_legend().get_texts()]
    plt.close("all")


def test_band_is_there_unless_it_is_refused(net, data):
    assert len(net.plot_fit(points=10).collections) == 2  # the cloud, and the band
    assert len(net.plot_fit(points=10, interval="none").collections) == 1
    plain = ns.neuralnet("y ~ x", data, hidden=0)
    assert len(plain.plot_fit(points=10).collections) == 1
    assert len(plain.plot_fit(points=10, interval="distribution").collections) == 2
    own = F.Distribution(lambda mu, sigma, y: -np.log(sigma) - (y - mu) ** 2 / (2 * sigma**2),
                         {"mu": "identity", "sigma": "log"})  # fmt: skip
    assert len(ns.neuralnet("y ~ x", data, hidden=0, family=own).plot_fit(points=10).collections) == 1  # quantiles not known
    with pytest.raises(ArgumentError, match="no argument 'method'"):
        net.plot_fit(interval="distribution", method="delta")
    with pytest.raises(ArgumentError, match="both bands"):
        net.plot_fit(interval="distribution", band=(np.zeros(500), np.ones(500)))
    plt.close("all")


def test_levels_that_were_fitted(data):
    fit = ns.neuralnet("y ~ x", data, hidden=0, family=F.Quantile((0.1, 0.5, 0.8)))
    ax = fit.plot_fit(points=10)
    assert "10 % to 80 % quantiles" in [t.get_text() for t in ax.get_legend().get_texts()]
    with pytest.raises(ArgumentError, match="two quantiles"):
        ns.neuralnet("y ~ x", data, hidden=0, family=F.Quantile((0.5,))).plot_fit(interval="distribution")
    plt.close("all")


def test_times_and_classes(data):
    times = ns.neuralnet("Surv(t, e) ~ x", data, hidden=0, family="weibull")
    ax = times.plot_fit(points=10)
    assert ax.get_ylabel() == "Surv(t, e)" and len(ax.collections) == 2
    classes = ns.neuralnet("o ~ x", data, hidden=0, family="ordinal")
    assert classes.plot_fit(response="b", points=10).get_ylabel() == "P(o = b)"
    with pytest.raises(ArgumentError, match="quantiles of classes"):
        classes.plot_fit(response="b", interval="distribution")
    for fit, names in ((times, ("t", "sigma")), (classes, ("o", "step2"))):
        outputs = fit.network.output_names
        assert fit.gwplot("x").get_ylabel() == fit.gwplot("x", response=outputs[0]).get_ylabel()
        fit.gwplot("x", response=outputs[1])
        with pytest.raises(ArgumentError, match="response must be one of"):
            fit.gwplot("x", response="nothing")
        assert len(outputs) >= len(names)
    plt.close("all")


@pytest.mark.parametrize("kind", ["gaussian", "counts", "ordinal", "times"])
def test_diagnostics_by_quantile_residuals(data, kind):
    response, family, how = {
        "gaussian": ("y", "gaussian", "~ x"), "counts": ("k", "negative_binomial", None), "ordinal": ("o", "ordinal", None),
        "times": ("Surv(t, e)", "weibull", None),
    }[kind]  # fmt: skip
    lost = data.copy()
    lost.loc[7, "x"] = np.nan
    fit = ns.neuralnet(f"{response} ~ x", lost, hidden=0, family=family, dispformula=how)
    axes = fit.plot_diagnostics()
    assert [ax.get_title() for ax in axes.ravel()] == [
        "Residuals vs Fitted", "Normal Q-Q", "Scale-Location", "Probability integral transform"]
    r = fit.resid_quantile.drop(index=7)
    np.testing.assert_allclose(np.sort(axes[0, 0].collections[0].get_offsets()[:, 1]), np.sort(r), rtol=1e-9)
    x = fit.predict(type="link" if kind == "ordinal" else "response").drop(index=7)
    np.testing.assert_allclose(axes[0, 0].collections[0].get_offsets()[:, 0], x, rtol=1e-9)
    theory, seen = axes[0, 1].collections[0].get_offsets().T
    np.testing.assert_allclose(np.sort(theory), stats.norm.ppf((np.arange(1, r.size + 1) - 0.5) / r.size), atol=1e-9)
    np.testing.assert_allclose(np.sort(seen), np.sort(r))
    bars = np.array([p.get_height() for p in axes[1, 1].patches])
    np.testing.assert_allclose(bars, np.histogram(stats.norm.cdf(r), 10, (0, 1))[0] * 10 / r.size, atol=1e-9)
    middle = np.sqrt(np.abs(stats.norm.ppf((np.arange(1e5) + 0.5) / 1e5))).mean()
    assert axes[1, 0].lines[-1].get_ydata()[0] == pytest.approx(middle, abs=1e-3)
    plt.close("all")


def test_losses_without_a_distribution(data):
    with pytest.raises(ArgumentError, match="no distribution"):
        ns.neuralnet("y ~ x", data, hidden=0, family="quantile").plot_diagnostics()
