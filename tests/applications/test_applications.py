"""Networks of others: shapes, weights from files, predictions as Keras', names of classes."""

from __future__ import annotations

import json
import os

import numpy as np
import pytest
import raw
from places import KERAS_WEIGHTS

import neuralstat as ns
from neuralstat import layers
from neuralstat.applications import MEANS, KerasModel, vgg
from neuralstat.applications.vgg_family import VGG16_BLOCKS
from neuralstat.errors import ArgumentError, DataError, DataWarning, FileFormatError
from neuralstat.insight import saliency

NARROW = dict(blocks=((1, 3), (2, 4)), dense=(6, 5), classes=4, input_shape=(33, 32, 3))


def narrow(monkeypatch, **arguments):
    """VGG16 with few filters; the second block's second convolution has 5 in the file, 4 here unless mended."""
    monkeypatch.setattr("neuralstat.applications.vgg_family.VGG16_BLOCKS", ((1, 3), (2, 4)))
    monkeypatch.setattr("neuralstat.applications.vgg_family.VGG_DENSE", (6, 5))
    return ns.applications.VGG16(classes=4, input_shape=(33, 32, 3), **arguments)


def test_vgg16_has_its_weights_and_names():
    whole, base = ns.applications.VGG16(), ns.applications.VGG16(include_top=False)
    assert whole.n_params == 138_357_544 and base.n_params == 14_714_688
    assert base.names[:3] == ("block1_conv1", "block1_conv2", "block1_pool") and base.names[-1] == "block5_pool"
    assert whole.names[-3:] == ("flatten", "fc1", "fc2") and whole.head.name == "predictions"
    assert whole.arrays["fc1/kernel"] == (25088, 4096) and whole.arrays["block5_conv3/kernel"] == (3, 3, 512, 512)
    assert len(base) == 18 and len(base.weight_names) == 13 and list(base) == list(base.layers) and base[0] is base.layers[0]
    assert "14,714,688 parameters, no weights" in repr(base)
    assert sum(n for n, _ in VGG16_BLOCKS) == 13


def test_a_network_of_its_kind_predicts_as_keras_does():
    made = vgg(((1, 3), (2, 4)), (6, 5), 4, (33, 32, 3))
    layers = [layer if layer.name != "block2_conv2" else ns.layers.Conv2D(5, 3, "relu", padding="same", name=layer.name)
              for layer in made]  # fmt: skip
    with np.load(KERAS_WEIGHTS / "vgg.npz") as file:
        images, predictions = file["inputs"], file["predictions"]
    made = ns.applications.Application("vgg", layers, made.head, (33, 32, 3))
    made.weights = ns.read_weights(KERAS_WEIGHTS / "vgg.h5").match(made.arrays)
    np.testing.assert_allclose(made.predict(images), predictions, atol=2e-6)
    assert np.ptp(predictions, axis=0).max() > 0.01
    features = made.features(images, "block1_pool")
    assert features.shape == (3, 16, 16, 3)
    assert made.features(images).shape == (3, 5) and made.features(images[:0]).shape == (0, 5)
    base = ns.applications.Application("vgg", made.layers[:5], None, (33, 32, 3))
    base.weights = ns.read_weights(KERAS_WEIGHTS / "vgg.h5").match(base.arrays, unused="ignore")
    np.testing.assert_allclose(base.features(images, "block1_pool"), features)
    assert base.features(images).shape == (3, 8, 8, 5) and list(base.startweights) == list(base.arrays)


def test_its_layers_start_a_fit():
    file = ns.read_weights(KERAS_WEIGHTS / "vgg.h5")
    base = ns.applications.Application("vgg", vgg(((1, 3),), (), None, (33, 32, 3)).layers, None, (33, 32, 3))
    base.weights = file.match(base.arrays, unused="ignore")
    with np.load(KERAS_WEIGHTS / "vgg.npz") as stored:
        images = stored["inputs"]
    data = {"kind": ["a", "b", "a"], "pixels": images / 50}
    fit = raw.neuralnet("kind ~ pixels", data, layers=[*base, ns.layers.Flatten()], family="binomial", algorithm="adam",
                       epochs=2, startweights=base.startweights, freeze=base.weight_names, random_state=1)  # fmt: skip
    np.testing.assert_array_equal(fit.get_weights()["block1_conv1/kernel"], file["block1_conv1/kernel"])
    np.testing.assert_allclose(fit.features("block1_pool"), base.features(images / 50), rtol=1e-5)  # of float32 weights
    base.weights = {name: array.astype(float) for name, array in base.weights.items()}
    np.testing.assert_allclose(fit.features("block1_pool"), base.features(images / 50), rtol=1e-12)


def test_files_that_do_not_fit(monkeypatch):
    with pytest.raises(DataError) as caught:
        narrow(monkeypatch, weights=KERAS_WEIGHTS / "vgg.h5")
    assert "wrong shape: block2_conv2/kernel has (3, 3, 4, 5), expected (3, 3, 4, 4)" in str(caught.value)
    assert "wrong shape: fc1/kernel" in str(caught.value) and "vgg.h5" in str(caught.value)
    with pytest.raises(DataError) as caught:
        narrow(monkeypatch, weights=KERAS_WEIGHTS / "vgg.h5", include_top=False)
    assert "fc1" not in str(caught.value)
    with pytest.raises(DataError, match=r"missing: block5_conv3/bias \(512,\)"):
        monkeypatch.undo()
        ns.applications.VGG16(weights=KERAS_WEIGHTS / "keras1.h5", include_top=False)


def test_arguments():
    for arguments, word in (({"include_top": 1}, "include_top"), ({"classes": 1}, "classes"),
                            ({"input_shape": (31, 40, 3)}, "input_shape"),
                            ({"input_shape": (32, 32, 1)}, "input_shape")):  # fmt: skip
        with pytest.raises(ArgumentError, match=f"^{word} must"):
            ns.applications.VGG16(**arguments)
    base = vgg(**{**NARROW, "classes": None})
    with pytest.raises(ArgumentError, match="predicts nothing"):
        base.predict(np.zeros((1, 33, 32, 3)))
    with pytest.raises(ArgumentError, match="no weights"):
        _ = base.startweights
    with pytest.raises(ArgumentError, match="layer must be one of 'block1_conv1'"):
        base.features(np.zeros((1, 33, 32, 3)), "conv")
    with pytest.raises(DataError, match=r"shape \(n, 33, 32, 3\)"):
        base.features(np.zeros((1, 32, 33, 3)))
    with pytest.raises(FileNotFoundError):
        ns.applications.VGG16(weights="none.h5")


def test_preprocessing():
    images = np.random.default_rng(1).integers(0, 256, (2, 4, 5, 3), np.uint8)
    made = ns.applications.preprocess_input(images)
    np.testing.assert_allclose(made[..., 0], images[..., 2] - 103.939)
    np.testing.assert_allclose(made[..., 2], images[..., 0] - 123.68)
    assert MEANS[1] == 116.779 and ns.applications.preprocess_input(images.astype(np.float32)).dtype == np.float32
    scaled = ns.applications.preprocess_input(images, "mobilenet_v2")
    np.testing.assert_allclose(scaled, images / 127.5 - 1)
    assert ns.applications.preprocess_input(images.astype(np.float32), "mobilenet_v2").dtype == np.float32
    for model in ("vgg19", "resnet50"):
        np.testing.assert_array_equal(ns.applications.preprocess_input(images, model), made)
    with pytest.warns(DataWarning, match="0 to 255"):
        ns.applications.preprocess_input(images / 255)
    with pytest.raises(ArgumentError, match="three channels"):
        ns.applications.preprocess_input(images[..., 0])
    with pytest.raises(ArgumentError, match="model must be one of 'vgg16', 'vgg19'"):
        ns.applications.preprocess_input(images, "lenet")


@pytest.mark.filterwarnings("ignore")  # of Keras
def test_preprocessing_as_keras_does(monkeypatch):
    monkeypatch.setenv("KERAS_BACKEND", os.environ.get("KERAS_BACKEND", "torch"))
    keras = pytest.importorskip("keras")
    images = np.random.default_rng(1).uniform(0, 255, (2, 4, 5, 3)).astype(np.float32)
    theirs = keras.applications.vgg16.preprocess_input(images.copy())
    np.testing.assert_allclose(ns.applications.preprocess_input(images), theirs, rtol=1e-5, atol=1e-5)


def test_names_of_classes(tmp_path):
    path = tmp_path / "index.json"
    path.write_text(json.dumps({"0": ["n1", "tench"], "1": ["n2", "hen"], "2": ["n3", "owl"]}))
    got = ns.applications.decode_predictions([[0.2, 0.5, 0.3], [1.0, 0.0, 0.0]], path, top=2)
    assert got == [[("n2", "hen", 0.5), ("n3", "owl", 0.3)], [("n1", "tench", 1.0), ("n2", "hen", 0.0)]]
    with pytest.raises(ArgumentError, match=r"shape \(n, 3\)"):
        ns.applications.decode_predictions([[0.5, 0.5]], path)
    with pytest.raises(ArgumentError, match="top must"):
        ns.applications.decode_predictions([[0.2, 0.5, 0.3]], path, top=0)
    for text in ("[", "[1]", "{}", '{"0": ["a"]}', '{"1": ["a", "b"]}', '{"0": [1, 2]}'):
        path.write_text(text)
        with pytest.raises(FileFormatError, match=r"index\.json: it is no index"):
            ns.applications.decode_predictions([[1.0]], path)


@pytest.mark.slow
@pytest.mark.filterwarnings("ignore")  # of Keras
def test_vgg16_with_random_weights_gives_keras_features(tmp_path, monkeypatch):
    monkeypatch.setenv("KERAS_BACKEND", os.environ.get("KERAS_BACKEND", "torch"))
    keras = pytest.importorskip("keras")
    model = keras.applications.VGG16(weights=None, include_top=False, input_shape=(32, 32, 3))
    assert model.count_params() == 14_714_688
    images = ns.applications.preprocess_input(np.random.default_rng(1).uniform(0, 255, (2, 32, 32, 3)))
    theirs = model.predict(images, verbose=0)
    for suffix in (".weights.h5", ".h5", ".keras"):
        path = tmp_path / f"vgg16{suffix}"
        (model.save_weights if "weights" in suffix else model.save)(path)
        ours = ns.applications.VGG16(path, include_top=False, input_shape=(32, 32, 3))
        np.testing.assert_allclose(ours.features(images), theirs, rtol=1e-3, atol=1e-4 * np.abs(theirs).max())
        path.unlink()


def test_softmax_of_every_position():
    """Of the last axis, in array operations as in kernels."""
    for name in ("softmax", "log_softmax"):
        layers = [ns.layers.Conv2D(4, 3, name="a"), ns.layers.Activation(name, name="s")]
        made = ns.applications.Application("two", layers, None, (9, 8, 2))
        rng = np.random.default_rng(1)
        made.weights = {array: rng.standard_normal(shape) for array, shape in made.arrays.items()}
        images = rng.standard_normal((3, 9, 8, 2))
        z = made.features(images, "a")
        p = np.exp(z - z.max(axis=-1, keepdims=True))
        p /= p.sum(axis=-1, keepdims=True)
        np.testing.assert_allclose(made.features(images), p if name == "softmax" else np.log(p), rtol=1e-12)


@pytest.mark.parametrize("hidden, shape", [([], (2,)), ([layers.LSTM(2, name="g")], (3, 2))], ids=["arrays", "kernels"])
def test_weights_that_lack_an_array_or_have_another_shape_are_refused(hidden, shape):
    """Neither zeros in their place nor an error of what reads them, in predictions, units and looks inside."""
    parts = [*hidden, layers.Dense(2, name="d")]
    whole = {name: np.ones(own) for name, own in KerasModel("m", parts, [("x", shape)], None).arrays.items()}
    x = np.ones((1, *shape))
    calls = (KerasModel.predict, lambda made, x: made.features(x, "d"), lambda made, x: saliency(made, x, output=0))
    small = {"d/kernel": np.ones((1, 2))}
    for change, said in (({}, r", of the shape .*, is lacking"), (small, r" has the shape \(1, 2\), expected \(2, 2\)")):
        given = {**{name: array for name, array in whole.items() if name != "d/kernel"}, **change}
        for call in calls:
            with pytest.raises(ArgumentError, match=f"weights: 'd/kernel'{said}"):
                call(KerasModel("m", parts, [("x", shape)], given), x)
    assert KerasModel("m", parts, [("x", shape)], whole).predict(x).shape == (1, 2)
