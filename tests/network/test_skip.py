"""Outputs that read covariates beside hidden units: which weights they have, for any number of hidden layers."""

from __future__ import annotations

import warnings

import numpy as np
import pytest

import neuralstat as ns


@pytest.mark.parametrize("hidden", [0, 1, 4, (3, 2)])
def test_a_formula_of_a_parameter_reads_covariates_whatever_is_hidden(hidden):
    rng = np.random.default_rng(2)
    data = {name: rng.normal(size=30) for name in ("x", "z", "y")}
    how = {"hidden": hidden, "family": "gaussian", "rep": 1, "algorithm": "rprop+", "stepmax": 3, "random_state": 1}
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # it stops at once
        fit = ns.neuralnet("y ~ x", data, dispformula="~ z", **how)
    inner = fit.fitted
    names, theta, free = np.array(inner.network.names), inner.fit.theta[0], inner.fit.free[0]
    of_sigma = np.char.endswith(names, ".to.sigma")
    assert set(names[of_sigma & free]) == {"Intercept.to.sigma", "z.to.sigma"}
    sigma = np.asarray(fit.predict(type="parameters")["sigma"])
    by_hand = np.column_stack([np.ones(30), inner.design.x.T]) @ np.array(
        [theta[list(names).index(f"{name}.to.sigma")] for name in ("Intercept", "x", "z")])  # fmt: skip
    np.testing.assert_allclose(np.log(sigma) - np.log(sigma)[0], by_hand - by_hand[0], atol=1e-9)
