"""Derivatives of dense networks by products of arrays: the kernels' Jacobian; sums of its rows in one pass back."""

from __future__ import annotations

import fits
import numpy as np
import pandas as pd
import pytest

from neuralstat.engine import cpu
from neuralstat.network import derivatives


def _frame() -> pd.DataFrame:
    rng = np.random.default_rng(6)
    data = pd.DataFrame(rng.normal(size=(150, 3)), columns=list("uvw"))
    data["y"], data["big"] = data["u"] + data["v"], 1e5 * data["u"]
    data["c"], data["k"], data["b"] = rng.choice(list("pqr"), 150), rng.poisson(2, 150), rng.integers(0, 2, 150)
    return data


FRAME = _frame()
CASES = {
    "gaussian": ("y ~ u + v", {}), "two layers": ("y ~ u + v", {"hidden": (4, 3)}), "no hidden": ("y ~ u + v", {"hidden": 0}),
    "large": ("big ~ u + v", {}), "two outputs": ("y + w ~ u + v", {}), "classes": ("c ~ u", {"family": "multinomial"}),
    "offset": ("k ~ u + offset(w)", {"family": "poisson"}), "ce": ("b ~ u", {"err_fct": "ce", "linear_output": False}),
    "bounded": ("b ~ u", {"linear_output": False}), "tanh": ("y ~ u", {"act_fct": "tanh"}),
    "own": ("y ~ u", {"act_fct": lambda z: z / (1 + abs(z))}),
    "relu": ("y ~ u", {"act_fct": ["relu", "softplus"], "hidden": (3, 2)}),
}  # fmt: skip


def made(name):
    formula, options = CASES[name]
    fit = fits.quiet(formula, FRAME, **{"hidden": 3, "stepmax": 20, "random_state": 1, **options})
    return fit.fitted, fit.fit.theta[0].astype(float)


def of_kernel(fitted, theta):
    network = fitted.network
    out = np.empty((network.n_outputs, fitted.nobs, network.n_params))
    cpu.output_jacobian(network.net(), fitted.data, theta, out)
    return out


@pytest.mark.parametrize("name", CASES)
def test_jacobian_is_the_kernels(name):
    fitted, theta = made(name)
    np.testing.assert_allclose(derivatives.jacobian(fitted.network, fitted.data, theta), of_kernel(fitted, theta),
                               rtol=1e-10, atol=1e-13)  # fmt: skip


@pytest.mark.parametrize("name", CASES)
@pytest.mark.parametrize("size", [1.0, 1e-7])
def test_pullback_is_a_sum_of_rows_of_the_jacobian(name, size):
    fitted, theta = made(name)
    values = fitted.raw(fitted.design.x, fitted.design.offset, [0])[0]
    pull = size * np.random.default_rng(1).normal(size=values.shape)
    expected = np.einsum("kn,knp->p", pull, of_kernel(fitted, theta))
    found = derivatives.pullback(fitted.network, fitted.design.x, theta, values, pull, fitted.design.offset)
    np.testing.assert_allclose(found, expected, rtol=1e-8, atol=1e-11 * np.abs(expected).max())


def test_nothing_pulled_is_nothing():
    fitted, theta = made("gaussian")
    values = fitted.raw(fitted.design.x, None, [0])[0]
    assert not derivatives.pullback(fitted.network, fitted.design.x, theta, values, 0 * values).any()


def test_more_rows_than_are_taken_at_once():
    data = pd.concat([FRAME] * 30, ignore_index=True)
    fit = fits.quiet("y ~ u + v", data, hidden=2, stepmax=5, standardize=True, random_state=1)
    fitted, theta = fit.fitted, fit.fit.theta[0].astype(float)
    assert fitted.nobs > derivatives.CHUNK
    np.testing.assert_allclose(derivatives.jacobian(fitted.network, fitted.data, theta), of_kernel(fitted, theta), atol=1e-12)
