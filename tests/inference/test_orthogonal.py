"""Coefficients beside networks of the same covariates."""

import numpy as np
import pandas as pd
import pytest

import neuralstat as ns
from neuralstat.inference import orthogonal
from neuralstat.network import derivatives


@pytest.fixture(scope="module")
def data():
    rng = np.random.default_rng(3)
    x, z = rng.normal(size=(2, 150))
    return pd.DataFrame(
        {"x": x, "z": z, "y": 1 + 2 * x + 0.8 * np.sin(2 * x) * z + np.cos(2 * x) + 0.3 * rng.normal(size=150)}
    )


@pytest.fixture(scope="module")
def fit(data):
    return ns.neuralnet("y ~ x + nn(x, z, hidden=4)", data, rep=2, random_state=1)


def test_coefficients_are_the_projection_of_the_fit(fit, data):
    """What is linear in x of the fitted values, by least squares."""
    basis = np.column_stack([np.ones(len(data)), data.x])
    by_hand = np.linalg.lstsq(basis, fit.predict(data, rep="best"), rcond=None)[0]
    np.testing.assert_allclose(fit.params[["Intercept.to.y", "x.to.y"]], by_hand, rtol=1e-10)


def test_the_fit_is_the_same(fit, data):
    plain = ns.neuralnet("y ~ x + nn(x, z, hidden=4)", data, rep=2, random_state=1, orthogonal=False)
    np.testing.assert_array_equal(plain.predict(data), fit.predict(data))
    assert plain.bse["x.to.y"] > 3 * fit.bse["x.to.y"]


def test_derivatives_of_what_moves(fit):
    """By central differences of the reported weights."""
    fitted, b = fit.fitted, fit.fitted.best
    theta, turn = orthogonal.moved(fitted, b)
    for j in range(0, theta.size, 3):
        ends = []
        for step in (1e-6, -1e-6):
            from dataclasses import replace

            changed = fitted.fit.theta.copy()
            changed[b, j] += step
            ends.append(orthogonal.moved(replace(fitted, fit=replace(fitted.fit, theta=changed)), b)[0])
        np.testing.assert_allclose((ends[0] - ends[1]) / 2e-6, turn[:, j], rtol=1e-5, atol=1e-6)


def test_covariates_of_others_leave_coefficients(data):
    """A network of z moves its mean to the constant, and nothing to x."""
    fit = ns.neuralnet("y ~ x + nn(z, hidden=3)", data, rep=1, random_state=1)
    assert fit.params["x.to.y"] == pytest.approx(fit.theta[0][list(fit.network.names).index("x.to.y")], rel=1e-12)
    units = derivatives.outputs(fit.network, fit.design.x, fit.fit.theta)[0, 0]
    without = fit.fit.theta.copy()
    for k, name in enumerate(fit.network.names):
        if name.startswith("nn(") and name.endswith(".to.y"):
            without[:, k] = 0
    part = units - derivatives.outputs(fit.network, fit.design.x, without)[0, 0]
    scale = fit.design.scaling.y_sd[0]
    shift = fit.params["Intercept.to.y"] - fit.theta[0][list(fit.network.names).index("Intercept.to.y")]
    assert shift == pytest.approx(part.mean() * scale, rel=1e-8)


def test_linear_terms_beside_a_whole_network(data):
    fit = ns.neuralnet("y ~ x + z + linear(x)", data, hidden=3, rep=1, random_state=1)
    basis = np.column_stack([np.ones(len(data)), data.x])
    by_hand = np.linalg.lstsq(basis, fit.predict(data), rcond=None)[0]
    np.testing.assert_allclose(fit.params[["Intercept.to.y", "linear(x).to.y"]], by_hand, rtol=1e-10)
