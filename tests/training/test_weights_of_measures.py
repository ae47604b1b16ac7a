"""Which weights the losses and metrics of histories and of `evaluate` are made with, against plain sums."""

from __future__ import annotations

import numpy as np
import pandas as pd
import pytest

import neuralstat as ns

RNG = np.random.default_rng(0)
DATA = pd.DataFrame({"x": RNG.normal(size=60), "w": RNG.uniform(0.5, 3, 60)})
DATA["y"] = (RNG.uniform(size=60) < 0.7 / (1 + np.exp(-DATA.x))).astype(float)
OTHER = DATA.sample(40, random_state=1).assign(w=lambda d: d.w[::-1].to_numpy())


@pytest.mark.filterwarnings("ignore::neuralstat.errors.FitWarning")
@pytest.mark.parametrize("given", [{}, {"weights": "w"}, {"class_weight": {0: 1.0, 1: 5.0}},
                                   {"weights": "w", "class_weight": {0: 1.0, 1: 5.0}}])  # fmt: skip
def test_histories_are_over_rows_and_evaluate_over_weights(given):
    settings = {"algorithm": "adam", "epochs": 1, "batch_size": 60, "rep": 1, "learningrate": 1e-12, "random_state": 1}
    fit = ns.neuralnet("y ~ x", DATA, hidden=2, family="binomial", validation=OTHER, metrics=["accuracy", "log_loss"],
                       **settings, **given)  # fmt: skip
    (epoch,) = fit.history.to_dict("records")
    for data, prefix, found in ((DATA, "", fit.evaluate()), (OTHER, "val_", fit.evaluate(OTHER))):
        case = data.w.to_numpy() if "weights" in given else np.ones(len(data))
        w = case * np.where(data.y == 1, 5.0, 1.0) if "class_weight" in given and prefix == "" else case
        p, y = np.asarray(fit.predict(data)).ravel(), data.y.to_numpy()
        loss, right = -np.log(np.where(y == 1, p, 1 - p)), (p > 0.5) == (y == 1)
        assert epoch[f"{prefix}loss"] == pytest.approx(np.mean(w * loss), rel=1e-6)
        assert epoch[f"{prefix}accuracy"] == pytest.approx(right.mean())
        assert epoch[f"{prefix}log_loss"] == pytest.approx(np.average(loss, weights=w), rel=1e-6)
        assert found["loss"] == pytest.approx(np.average(loss, weights=w), rel=1e-6)
        assert found["accuracy"] == pytest.approx(np.average(right, weights=w))
        assert found["log_loss"] == pytest.approx(np.average(loss, weights=w), rel=1e-6)
