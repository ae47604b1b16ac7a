"""The loss of fits of quantiles unless another is asked for: pinball, by refits and by hand."""

from __future__ import annotations

import numpy as np
import pytest

import neuralstat as ns
from neuralstat import families as F

LEVELS = (0.1, 0.5, 0.8)


@pytest.fixture(scope="module")
def data():
    return ns.datasets.mcycle().sample(100, random_state=1).reset_index(drop=True)


def pinball(y, table):
    """(n, levels) losses."""
    r = y.to_numpy()[:, np.newaxis] - table.to_numpy()
    q = np.array(LEVELS)
    return np.where(r > 0, q * r, (q - 1) * r)


def test_pinball_is_the_loss_of_quantiles(data):
    family, half = F.Quantile(LEVELS), np.arange(100) < 50
    model = ns.NeuralNet.from_formula("accel ~ times", data, hidden=0, family=family)
    found = ns.risk(model, "cv", folds=[(np.flatnonzero(half), np.flatnonzero(~half))])
    assert found.loss == "pinball"
    fit = ns.neuralnet("accel ~ times", data[half], hidden=0, family=family)
    by_hand = pinball(data["accel"][~half], fit.predict(data[~half], type="quantile", q=LEVELS))
    assert float(found) in (pytest.approx(by_hand.mean(), rel=1e-4), pytest.approx(by_hand.sum(axis=1).mean(), rel=1e-4))
    same = ns.risk(model, "cv", folds=[(np.flatnonzero(half), np.flatnonzero(~half))], loss="pinball")
    assert float(same) == pytest.approx(float(found), rel=1e-4)
    assert ns.risk(model, "cv", k=4, loss="mae", random_state=1).loss == "mae"  # of the level next to 1/2


def test_the_summary_speaks_of_no_criterion(data):
    text = str(ns.neuralnet("accel ~ times", data, hidden=0, family=F.Quantile(LEVELS)).summary())
    assert "no likelihood" in text and "Degrees of freedom of AIC" not in text


def test_selection_goes_by_pinball(data):
    found = ns.select("accel ~ times", data, hidden=[0, 2], family=F.Quantile(LEVELS), penalty=ns.decay(0.01), random_state=1)
    assert [risk.loss for risk in found.risks] == ["pinball", "pinball"]
    assert float(found.risks[1]) < float(found.risks[0])  # two units against a straight line
