"""Graphs follow Keras: the same start weights lead to the same weights, errors and predictions in ten steps.

The numbers are made by ``python tests/reference/keras/make_graphs.py``, from the same lines that make ours.
"""

from __future__ import annotations

import numpy as np
import pytest
import raw
from graph_models import MODELS
from reference import load

import neuralstat as ns
from neuralstat import layers as L

CASES = load("graphs", "keras")
ADAM = {"learning_rate": 2**-6, "beta_1": 0.875, "beta_2": 1 - 2**-10, "epsilon": 2**-23}


def train(name, **settings):
    case = CASES[name]
    y = np.array(case["y"])
    data = {"x": np.array(case["x"]), "y1": y[:, 0], "y2": y[:, 1]}
    _, end = MODELS[name](L)
    start = {key.replace("end/", "dense/"): np.array(values) for key, values in case["start"].items()}
    return raw.neuralnet("y1 + y2 ~ x", data, layers=end, shuffle=False, algorithm=ns.optimizers.Adam(**ADAM),
                         startweights=start, epochs=10, batch_size=None, random_state=1, **settings), data  # fmt: skip


@pytest.mark.parametrize("name", CASES)
def test_ten_steps(name):
    case = CASES[name]
    fit, data = train(name)
    weights = fit.get_weights()
    assert len(weights) == len(case["weights"])
    for array, values in case["weights"].items():
        np.testing.assert_allclose(weights[array.replace("end/", "dense/")], values, rtol=0, atol=1e-8, err_msg=array)
    np.testing.assert_allclose(fit.history["loss"], case["loss"], rtol=0, atol=1e-8)
    np.testing.assert_allclose(np.asarray(fit.predict(data)), case["predictions"], rtol=0, atol=1e-8)
