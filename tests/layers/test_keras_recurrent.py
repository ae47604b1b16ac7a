"""Masks, reversed time, activations and missing biases of recurrent layers follow Keras: ten steps in float64.

Keras' numbers: tests/reference/keras/make_recurrent.py.
"""

from __future__ import annotations

import numpy as np
import pytest
import raw
from reference import load

import neuralstat as ns
from neuralstat import layers as L

KERAS = load("recurrent", "keras")
OURS = {"GlobalAveragePooling1D": "GlobalAvgPool"}


@pytest.mark.parametrize("name", KERAS["cases"])
def test_ten_steps(name):
    case = KERAS["cases"][name]
    data = {"x": np.array(case["x"], float), "y": np.array(case["y"])[:, 0]}
    layers = [getattr(L, OURS.get(kind, kind))(**arguments) for kind, arguments in case["layers"]]
    start = {key: np.array(values) for key, values in case["start"].items()}
    fit = raw.neuralnet("y ~ x", data, layers=layers, shuffle=False, startweights=start, random_state=1, epochs=10,
                        batch_size=None, algorithm=ns.optimizers.SGD(2**-5, momentum=0.875))  # fmt: skip
    weights, record = fit.get_weights(), case["fit"]
    near = 1e-7 if name.startswith("activations") else 1e-9  # torch takes 1 / 6 of hard_sigmoid in single precision
    assert list(weights) == list(record["weights"])
    for key, values in record["weights"].items():
        np.testing.assert_allclose(weights[key], values, rtol=0, atol=near, err_msg=key)
        if key.endswith("kernel") and name != "one_time":
            assert np.any(weights[key] != case["start"][key])
    np.testing.assert_allclose(fit.history["loss"], record["loss"], rtol=0, atol=near)
    np.testing.assert_allclose(fit.predict({"x": data["x"][:4]}), np.array(record["predictions"])[:, 0], rtol=0, atol=near)
