"""Layered nets follow Keras: the same start weights and batches lead to the same weights, errors and predictions."""

from __future__ import annotations

import numpy as np
import pytest
import raw
from reference import load

import neuralstat as ns
from neuralstat import layers as L

KERAS = load("layers", "keras")
CASES, OPTIMIZERS = KERAS["cases"], KERAS["optimizers"]
OURS = {"GlobalAveragePooling1D": "GlobalAvgPool", "GlobalAveragePooling2D": "GlobalAvgPool",
        "GlobalMaxPooling1D": "GlobalMaxPool"}  # fmt: skip
FAMILY = {"sse": None, "multinomial": "multinomial", "binomial": "binomial"}


def part(value):
    """An argument: penalties and constraints are dicts of their arguments by name."""
    if not isinstance(value, dict):
        return value
    ((name, arguments),) = value.items()
    return getattr(L, name)(**arguments)


def layers_of(case):
    return [getattr(L, OURS.get(kind, kind))(**{name: part(value) for name, value in arguments.items()})
            for kind, arguments in case["layers"]]  # fmt: skip


def data_of(case):
    y = np.array(case["y"], float)
    if case["loss"] == "multinomial":
        y = np.array(["a", "b", "c"])[y.argmax(axis=1)]
    elif y.shape[1] == 1:
        y = y[:, 0]
    return {"x": np.array(case["x"], float), "y": y}


def train(case, optimizer, **settings):
    optimizer = getattr(ns.optimizers, optimizer["class"])(**optimizer["arguments"])
    start = {name: np.array(values) for name, values in case["start"].items()}
    return raw.neuralnet("y ~ x", data_of(case), layers=layers_of(case), family=FAMILY[case["loss"]], shuffle=False,
                        algorithm=optimizer, startweights=start, random_state=1, **settings)  # fmt: skip


def compare(fit, case, record):
    weights = fit.get_weights()
    assert list(weights) == list(record["weights"])
    for name, values in record["weights"].items():
        np.testing.assert_allclose(weights[name], values, rtol=0, atol=1e-8, err_msg=name)
    np.testing.assert_allclose(fit.history["loss"], record["loss"], rtol=0, atol=1e-8)
    # averages over batches, not these batches' moments, where there is batch normalisation
    predicted = np.asarray(fit.predict({"x": np.array(case["new"], float)})).reshape(len(case["new"]), -1)
    np.testing.assert_allclose(predicted, record["predictions"], rtol=0, atol=1e-8)


@pytest.mark.parametrize("name", CASES)
@pytest.mark.parametrize("optimizer", OPTIMIZERS)
def test_ten_steps(name, optimizer):
    case = CASES[name]
    fit = train(case, OPTIMIZERS[optimizer], epochs=10, batch_size=None)
    compare(fit, case, case["fits"][optimizer])
    assert fit.fit.steps[0] == 10


@pytest.mark.parametrize("name", CASES)
def test_batches_of_unequal_size(name):
    """20 rows by 8 and 300 by 130: the last batch is smaller, and has moments of its own."""
    case = CASES[name]
    fit = train(case, OPTIMIZERS["adam"], epochs=4, batch_size=8 if len(case["x"]) < 100 else 130)
    compare(fit, case, case["batches"])
    assert fit.fit.steps[0] == 12


@pytest.mark.parametrize("name", ["cnn", "lstm_stacked", "gru_stacked", "norm_cnn"])
def test_stacked_fits_are_those_of_one(name):
    """Repetitions are trained as a stack; one of them alone gives the same numbers."""
    case = CASES[name]
    shared = {"layers": layers_of(case), "family": FAMILY[case["loss"]], "algorithm": "adam", "epochs": 3,
              "batch_size": 8, "random_state": 4}  # fmt: skip
    stack = raw.neuralnet("y ~ x", data_of(case), rep=3, **shared)
    one = raw.neuralnet("y ~ x", data_of(case), **shared)
    np.testing.assert_array_equal(one.fit.theta[0], stack.fit.theta[0])
    assert np.abs(stack.fit.theta[1] - stack.fit.theta[0]).max() > 0.01


def test_single_precision_is_near():
    for name in ("cnn", "lstm", "gru_stacked", "norm_dense"):
        case = CASES[name]
        fit = train(case, OPTIMIZERS["momentum"], epochs=10, batch_size=None, dtype="float32")
        for array, values in case["fits"]["momentum"]["weights"].items():
            np.testing.assert_allclose(fit.get_weights()[array], values, rtol=0, atol=2e-4, err_msg=array)


@pytest.mark.parametrize("name", [name for name in CASES if name.startswith("norm")])
def test_frozen_normalisation_uses_and_keeps_its_averages(name):
    """As Keras has it with trainable = False."""
    case = CASES[name]
    names = sorted({array.partition("/")[0] for array in case["start"] if array.startswith("batch_normalization")})
    fit = train(case, OPTIMIZERS["momentum"], epochs=10, batch_size=None, freeze=names)
    compare(fit, case, case["frozen"])
