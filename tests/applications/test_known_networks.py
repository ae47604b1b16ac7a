"""VGG-19, ResNet-50 and MobileNetV2: layers, arrays and predictions as Keras'; files, fine-tuning, what they cost.

Keras' numbers: ``PYTHONPATH=tests/support python tests/reference/keras/make_applications.py``.
"""

from __future__ import annotations

import time

import numpy as np
import pytest
import raw
from reference import load
from seeded import seeded

import neuralstat as ns
from neuralstat.errors import ArgumentError, DataError

KERAS = load("applications", "keras")
SHAPE = (41, 32, 3)
SMALL = {"input_shape": (32, 32, 3), "classes": 5, "alpha": 0.35}


def make(name, **options):
    kind, _, alpha = name.partition("_")
    return getattr(ns.applications, kind)(**options, **({"alpha": float(alpha)} if alpha else {}))


def small(**options):
    return ns.applications.MobileNetV2(**{**SMALL, **options})


def images():
    return np.random.default_rng(5).uniform(-2, 2, (2, *SHAPE))


@pytest.mark.parametrize("name", KERAS)
def test_layers_and_arrays_are_those_of_keras(name):
    made, known = make(name), KERAS[name]
    assert made.n_params == known["params"]
    assert {k: list(shape) for k, shape in made.arrays.items()} == known["arrays"]
    names = [layer for layer in known["layers"] if layer not in (made.head.name,)]
    assert sorted(made.names) == sorted(names)
    base = make(name, include_top=False)
    assert base.n_params == known["params_notop"] and base.layer_table["params"].sum() == base.n_params
    assert f"{known['params']:,}" in made.summary() and f"{known['params']:,} parameters" in repr(made)


@pytest.mark.parametrize("name", KERAS)
def test_predictions_are_those_of_keras(name):
    made = make(name, input_shape=SHAPE, classes=10)
    made.weights = seeded(made.arrays)
    np.testing.assert_allclose(made.predict(images()), KERAS[name]["predictions"], rtol=1e-10)
    base = make(name, input_shape=SHAPE, include_top=False)
    base.weights = {array: made.weights[array] for array in base.arrays}
    features, known = base.features(images()), KERAS[name]["features"]
    assert list(features.shape) == known["shape"]
    np.testing.assert_allclose(features.mean(axis=(1, 2, 3)), known["mean"], rtol=1e-10)
    np.testing.assert_allclose(features[0, 0, 0, :6], known["first"], rtol=1e-10)


def test_networks_are_made_at_once():
    for make_one in (ns.applications.ResNet50, ns.applications.MobileNetV2):
        took = []
        for _ in range(5):
            start = time.process_time()
            make_one()
            took.append(time.process_time() - start)
        assert min(took) < 0.2


def test_weights_from_files_with_and_without_top(tmp_path):
    whole = small()
    weights = seeded(whole.arrays)
    path = tmp_path / "w.safetensors"
    ns.write_safetensors(path, weights)
    for array, value in small(weights=path).weights.items():
        np.testing.assert_array_equal(value, weights[array])
    base = small(weights=path, include_top=False)
    assert list(base.startweights) == list(base.weights) == [k for k in weights if not k.startswith("predictions/")]
    old = {name.replace("depthwise/kernel", "depthwise/depthwise_kernel"): array for name, array in weights.items()}
    assert "block_1_depthwise/depthwise_kernel" in old  # as in files of Keras 2
    ns.write_safetensors(path, old)
    np.testing.assert_array_equal(small(weights=path).weights["block_1_depthwise/kernel"], weights["block_1_depthwise/kernel"])
    with pytest.raises(DataError) as caught:
        ns.applications.ResNet50(weights=path, include_top=False)
    assert "missing: conv1_conv/kernel (7, 7, 3, 64)" in str(caught.value) and "unexpected: Conv1/kernel" in str(caught.value)
    with pytest.raises(DataError, match=r"wrong shape: Conv1/kernel has \(3, 3, 3, 16\), expected \(3, 3, 3, 24\)"):
        small(weights=path, alpha=0.75)


def test_arguments():
    for call, word in ((ns.applications.VGG19, "input_shape"), (ns.applications.ResNet50, "input_shape"),
                       (ns.applications.MobileNetV2, "input_shape")):  # fmt: skip
        with pytest.raises(ArgumentError, match=f"^{word} must be"):
            call(input_shape=(31, 32, 3))
    with pytest.raises(ArgumentError, match="alpha must be"):
        ns.applications.MobileNetV2(alpha=0.0)


def test_a_graph_goes_on_as_any_sequence():
    base = small(include_top=False)
    layers = [*base, ns.layers.GlobalAvgPool(), ns.layers.Dense(3, "relu", name="new")]
    made = ns.applications.Application("more", layers, None, (32, 32, 3))
    assert made.n_params == base.n_params + 1280 * 3 + 3
    assert set(base.names) < set(made.names)


@pytest.mark.filterwarnings("ignore::neuralstat.errors.ConvergenceWarning")
def test_fine_tuning():
    """New layers on a frozen base, then all of it: what is frozen stays bit for bit, moving averages, too."""
    base = small(include_top=False)
    base.weights = seeded(base.arrays)
    rng = np.random.default_rng(2)
    kind = np.repeat(["a", "b"], 8)
    pixels = rng.uniform(-1, 1, (16, 32, 32, 3)) + np.where(kind == "a", 0.6, -0.6)[:, None, None, None]
    layers = [*base, ns.layers.GlobalAvgPool()]
    options = {"family": "binomial", "algorithm": "adam", "batch_size": 8, "random_state": 1}
    held = raw.neuralnet("kind ~ pixels", {"kind": kind, "pixels": pixels}, layers=layers, startweights=base.startweights,
                         freeze=base.weight_names, epochs=5, learningrate=0.05, **options)  # fmt: skip
    weights = held.get_weights()
    for name, array in base.weights.items():
        np.testing.assert_array_equal(weights[name], array)
    np.testing.assert_allclose(held.features("out_relu"), base.features(pixels), rtol=1e-9, atol=1e-12)
    assert held.history["loss"].iloc[-1] < held.history["loss"].iloc[0]
    free = raw.neuralnet("kind ~ pixels", {"kind": kind, "pixels": pixels}, layers=layers, startweights=weights,
                         epochs=1, learningrate=1e-4, **options)  # fmt: skip
    moved = free.get_weights()
    assert not np.array_equal(moved["block_3_expand/kernel"], weights["block_3_expand/kernel"])
    assert not np.array_equal(moved["bn_Conv1/moving_mean"], weights["bn_Conv1/moving_mean"])
