"""Published and tabulated results for the infert data."""

from __future__ import annotations

import numpy as np
import pandas as pd
import pytest
import raw
import reference as r

import neuralstat as ns
from neuralstat.df.information import information

CE = {"err_fct": "ce", "linear_output": False, "likelihood": True}


@pytest.fixture(scope="module")
def infert():
    return ns.datasets.infert()


def weights(stored):
    return [np.array(m, float) for m in stored]


def test_rjournal_network(infert):
    """Guenther & Fritsch (2010), The R Journal 2(1):30-38: the weights printed there, and what follows."""
    target = r.load("A0_rjournal_infert", "targets")
    fit = raw.neuralnet(
        "case ~ age + parity + induced + spontaneous", infert, hidden=2, startweights=target["start"], **CE
    )
    column = fit.result_matrix[1]
    assert column["steps"] == 1 and fit.converged
    assert column["error"] == pytest.approx(125.2126851, abs=1e-7)
    for name, value in target["result"].items():
        assert column[name] == pytest.approx(value, rel=1e-9)
    np.testing.assert_allclose(r.flat(fit.weights[0]), r.flat(weights(target["weights"])), rtol=0, atol=0)
    new = pd.DataFrame(target["newdata"], columns=["age", "parity", "induced", "spontaneous"])
    np.testing.assert_allclose(fit.predict(new), target["pred"], rtol=1e-12)
    np.testing.assert_allclose(
        fit.generalized_weights[0].iloc[: len(target["gw6"])], target["gw6"], rtol=1e-8
    )


def test_rjournal_optimum_from_random_starts(infert):
    """Some of a number of repetitions end at the published error, 125.21."""
    fit = raw.neuralnet(
        "case ~ age + parity + induced + spontaneous", infert, hidden=2, err_fct="ce", linear_output=False,
        rep=8, random_state=1, stepmax=40_000,
    )  # fmt: skip
    errors = fit.errors[fit.fit.converged]
    assert np.any(np.abs(errors - 125.2127) < 0.05), np.sort(errors)


def test_glm(infert):
    """hidden=0: glm's weights, R's AIC, BIC and NIC, sandwich standard errors from the intervals (A3)."""
    target = r.load("A3_infert_glm", "targets")
    fit = raw.neuralnet("case ~ parity + induced + spontaneous", infert, hidden=0, threshold=1e-7, **CE)
    np.testing.assert_allclose(fit.theta[0], target["glm"], rtol=1e-6)
    column = fit.result_matrix[1]
    assert column["aic"] == pytest.approx(target["aic"], abs=1e-4)
    assert column["bic"] == pytest.approx(target["bic"], abs=1e-4)
    result = fit.confidence_interval(alpha=0.05)
    half = (r.flat(result.upper_ci[0]) - r.flat(result.lower_ci[0])) / 2
    np.testing.assert_allclose(half / 1.959963984540054, target["se_sandwich"], rtol=2e-5)  # glm stops early
    assert result.nic.iloc[0] == pytest.approx(target["nic"], abs=1e-4)
    a, _ = information(fit.fitted, 0)
    np.testing.assert_allclose(np.sqrt(np.diag(np.linalg.inv(a * fit.nobs))), target["se_model"], rtol=2e-5)
    assert 2 * result.nic.iloc[0] == pytest.approx(273.0154, abs=1e-4)


@pytest.mark.parametrize(("name", "hidden"), [("A2_infert_h1", 1), ("A_infert", 2)])
@pytest.mark.parametrize("compat", ["R", None])
def test_networks(infert, name, hidden, compat):
    """hidden=1 and 2 from R's start weights (seed 1): steps, error, criteria, weights, intervals, NIC."""
    target = r.load(name, "targets")
    fit = raw.neuralnet(
        "case ~ parity + induced + spontaneous", infert, hidden=hidden, compat=compat,
        startweights=weights(target["startweights"]), **CE,
    )  # fmt: skip
    column = fit.result_matrix[1]
    for key, value in target["result"].items():
        assert column[key] == pytest.approx(value, rel=1e-7), key
    r.assert_close(r.flat(fit.weights[0]), r.flat(weights(target["weights"])), 1e-8, "weights")
    for row, stored in zip(fit.generalized_weights[0].to_numpy(), target.get("gw_head", []), strict=False):
        np.testing.assert_allclose(row, stored, rtol=1e-6)
    if compat == "R":
        result = fit.confidence_interval()
        r.assert_close(r.flat(result.lower_ci[0]), r.flat(weights(target["lower"])), 1e-5, "lower")
        r.assert_close(r.flat(result.upper_ci[0]), r.flat(weights(target["upper"])), 1e-5, "upper")
        assert result.nic.iloc[0] == pytest.approx(target["nic"], rel=1e-6)
