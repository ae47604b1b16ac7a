"""Coverage of a fit's own intervals."""

from __future__ import annotations

import numpy as np
import pandas as pd
import pytest
import raw
from glms import FRAME, glm

import neuralstat as ns
from neuralstat.errors import ArgumentError


def test_linear_model_covers():
    """Exact theory: t intervals of least squares cover 90 %."""
    ours, _ = glm("gaussian")
    table = ours.coverage(alpha=0.1, draws=300, random_state=1)
    assert list(table.index) == ["mean", "obs"]
    assert (np.abs(table["coverage"] - 0.9) < 3.5 * table["se"]).all()
    assert table.attrs["by_row"]["obs"].shape == (60,)


def test_standardised_fit_gives_the_same_table():
    rng = np.random.default_rng(4)
    data = pd.DataFrame({"x": rng.normal(3, 5, 40)})
    data["y"] = 100 + 7 * data["x"] + rng.normal(0, 9, 40)
    plain, scaled = (
        raw.neuralnet("y ~ x", data, hidden=0, algorithm="lm", threshold=1e-8, standardize=s).coverage(
            draws=20, random_state=2
        )
        for s in (False, True)
    )
    np.testing.assert_allclose(plain["coverage"], scaled["coverage"])
    np.testing.assert_allclose(plain["width"], scaled["width"], rtol=1e-5)


@pytest.mark.parametrize("method", ["bootstrap", "cv+"])
def test_other_methods(method):
    ours, _ = glm("gaussian")
    options = {"k": 5} if method == "cv+" else {"inner_draws": 40, "kind": "residual"}
    table = ours.coverage(method, draws=8, alpha=0.1, random_state=3, **options)
    assert 0.75 < table.loc["obs", "coverage"] <= 1
    assert np.isnan(table.loc["mean", "coverage"]) == (method == "cv+")


def test_one_repetition_and_weights():
    """Observations of large weight vary less, and their intervals are as much narrower: both cover."""
    frame = FRAME.assign(w=np.linspace(0.2, 20, 60))
    fit = raw.neuralnet("gaussian ~ u + v", frame, hidden=0, weights="w", rep=2, algorithm="lm", threshold=1e-8)
    table = fit.coverage(rep=2, alpha=0.1, draws=200, random_state=4)
    assert (np.abs(table["coverage"] - 0.9) < 3.5 * table["se"]).all()
    by_row = table.attrs["by_row"]["obs"]
    assert abs(by_row[:20].mean() - by_row[40:].mean()) < 0.04


@pytest.mark.slow
@pytest.mark.parametrize("method", ["delta", "bootstrap"])
def test_network_covers(method):
    """Where the model is right: nominal 95 % intervals cover 93.5 to 96.5 %."""
    data = ns.datasets.sine(n=200, noise=0.1, random_state=1)
    fit = raw.neuralnet("y ~ x", data, hidden=2, rep=3, algorithm="lm", threshold=1e-5, random_state=1)
    table = fit.coverage(method, rep="best", draws=200, random_state=1)
    assert table["coverage"].between(0.935, 0.965).all(), table


def test_refusals():
    ours, _ = glm("gaussian")
    with pytest.raises(ArgumentError, match="restarts"):
        ours.coverage(restarts="cold")
    with pytest.raises(ArgumentError, match="alpha"):
        ours.coverage(alpha=2)
