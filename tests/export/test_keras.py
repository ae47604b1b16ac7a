"""Models of Keras: files as Keras has read them (stored), and as the installed one reads them."""

from __future__ import annotations

import io
import json
import os
import re
import sys
import zipfile

import naive
import numpy as np
import pytest
import written
from chains import CHAINS, chain_network, draw
from places import KERAS
from raw import CUT_SHORT

import neuralstat as ns
from neuralstat import export
from neuralstat import layers as L
from neuralstat.errors import ArgumentError
from neuralstat.export.walk import inputs_of
from neuralstat.layers import LAYERS

h5py = pytest.importorskip("h5py")
pytestmark = [CUT_SHORT, pytest.mark.filterwarnings("ignore::neuralstat.errors.ConvergenceWarning")]
STORED = KERAS / "written"
WRITTEN = {"Dense", "Conv1D", "Conv2D", "MaxPool1D", "MaxPool2D", "AvgPool1D", "AvgPool2D", "GlobalMaxPool", "BatchNorm",
           "Dropout", "Activation", "LayerNormalization", "LeakyReLU", "ELU", "Flatten", "Reshape", "Add",
           "Multiply", "Maximum", "Minimum", "Dot", "MultiHeadAttention", "GRU"}  # fmt: skip


#: Chains of these that are refused
IN_SOME = {**dict.fromkeys(("Add", "Multiply", "Maximum", "Minimum"), "repeats|a part of another's|masked"),
           "MultiHeadAttention": "masked"}  # fmt: skip


def parts(path):
    """Configuration, and arrays by their place."""
    with zipfile.ZipFile(path) as archive:
        assert archive.namelist() == ["metadata.json", "config.json", "model.weights.h5"]
        config = json.loads(archive.read("config.json"))
        arrays = {}
        with h5py.File(io.BytesIO(archive.read("model.weights.h5"))) as file:
            file.visititems(lambda name, one: arrays.update({name: one[()]}) if isinstance(one, h5py.Dataset) else None)
    return config, arrays


def assert_predicts(got, fit, rep):
    expected = np.asarray(fit.predict(rep=rep))
    expected = expected.reshape(len(expected), -1)
    most = max(1.0, np.abs(expected).max(), np.abs(fit.theta).max())
    np.testing.assert_allclose(got, expected, rtol=0, atol=1e-6 * most)


@pytest.fixture(scope="module")
def fits():
    return {name: written.made(name) for name in written.FITS}


@pytest.mark.parametrize("name", written.FITS)
def test_files_are_those_that_keras_has_read(name, fits, tmp_path):
    """Stored: files, and predictions that Keras 3.15 made from them; see tests/reference/keras/make_written.py."""
    fits[name].to_keras(tmp_path / "m.keras", rep="mean")
    config, arrays = parts(tmp_path / "m.keras")
    known, stored = parts(STORED / f"{name}.keras")
    assert config == known
    assert list(arrays) == list(stored)
    for place, values in stored.items():
        np.testing.assert_allclose(arrays[place], values, rtol=1e-4, atol=1e-5, err_msg=place)
        assert arrays[place].dtype == values.dtype
    with np.load(STORED / f"{name}.npz") as file:
        assert_predicts(file["predictions"], fits[name], "mean")
        assert [layer["name"] for layer in config["config"]["layers"]] == list(file["layers"])


def test_weights_are_read_back(fits, tmp_path):
    fit = fits["words"]
    fit.to_keras(tmp_path / "m.keras")
    read = ns.read_weights(tmp_path / "m.keras")
    own = fit.get_weights()
    assert list(read) == list(own)
    for name, values in own.items():
        np.testing.assert_array_equal(read[name], values.astype(np.float32))
    again = ns.neuralnet("y ~ text", fits["words"].design.frame.assign(y=[0, 1] * 12), layers=list(fit.network.layers[:-1]),
                         family="binomial", algorithm="adam", epochs=0, startweights=read, rep=1, random_state=9)  # fmt: skip
    np.testing.assert_allclose(again.predict(), fit.predict(), atol=1e-6)


def test_the_scale_of_dense_networks(tmp_path):
    """One layer scales the inputs, the output layer is in the units of the response."""
    data = ns.datasets.doppler(n=60, noise=0.1, random_state=1).assign(y=lambda d: 100 + 5 * d["y"])
    fit = ns.neuralnet("y ~ x", data, hidden=2, rep=1, random_state=1, stepmax=50)
    fit.to_keras(tmp_path / "m.keras")
    _, arrays = parts(tmp_path / "m.keras")
    np.testing.assert_allclose(arrays["layers/normalization/vars/0"], fit.design.scaling.x_mean, rtol=1e-6)
    np.testing.assert_allclose(arrays["layers/normalization/vars/1"], fit.design.scaling.x_sd**2, rtol=1e-6)
    np.testing.assert_allclose(arrays["layers/dense_1/vars/0"], fit.weights[0][1][1:], rtol=1e-6)
    np.testing.assert_allclose(arrays["layers/dense_1/vars/1"], fit.weights[0][1][0], rtol=1e-6)


def test_equal_fits_give_equal_files(fits, tmp_path):
    for name in ("a", "b"):
        fits["sequence"].to_keras(tmp_path / f"{name}.keras")
    assert (tmp_path / "a.keras").read_bytes() == (tmp_path / "b.keras").read_bytes()


@pytest.mark.parametrize("kind", LAYERS)
def test_every_layer_comes_back(kind, tmp_path):
    """What is written is read again without Keras, and predicts what plain formulas say; others are refused by name."""
    read = 0
    for chain in CHAINS[kind]:
        network, path = chain_network(chain), tmp_path / "m.keras"
        theta, x, _ = draw(network, 7)
        try:
            export.to_keras(written.bare(network, theta), path)
        except ArgumentError as error:
            assert any(words in str(error) for words in ("to Keras yet", "be exported yet", "no causal padding"))
            assert kind not in WRITTEN or re.search(IN_SOME.get(kind, "never"), str(error)), error
            continue
        single = written.single(x)
        expected = naive.outputs(network.layers, naive.split(theta[0], network.shapes), single, wires=network.wires)
        if '"Rescaling"' in json.dumps(parts(path)[0]):  # of means and differences, for which there is no layer here
            assert kind in ("Subtract", "Average", "Branches")
            with pytest.raises(ArgumentError, match=r"layer 'rescaling' \(Rescaling\) has no counterpart"):
                ns.from_keras(path)
            read += 1
            continue
        got = ns.from_keras(path).predict(single)
        np.testing.assert_allclose(got, expected, rtol=0, atol=2e-6 * max(1.0, np.abs(expected).max()))
        read += 1
    assert read or kind not in WRITTEN


# with Keras ----------------------------------------------------------------------------------------------------


@pytest.fixture(scope="module")
def keras():
    os.environ.setdefault("KERAS_BACKEND", "torch")
    return pytest.importorskip("keras")


def by_keras(keras, path, fit):
    fed = fit.model_inputs()
    return keras.models.load_model(path).predict(fed if len(fed) > 1 else next(iter(fed.values())), verbose=0)


@pytest.mark.filterwarnings("ignore")  # of Keras
@pytest.mark.parametrize("name", written.FITS)
def test_the_installed_keras_predicts_the_same(name, fits, keras, tmp_path):
    for rep in ("mean", "best"):
        fits[name].to_keras(tmp_path / "m.keras", rep=rep)
        assert_predicts(by_keras(keras, tmp_path / "m.keras", fits[name]), fits[name], rep)


@pytest.mark.filterwarnings("ignore")  # of Keras
@pytest.mark.parametrize("kind", LAYERS)
def test_the_installed_keras_has_every_layer(kind, keras, tmp_path):
    """Against plain formulas; what Keras has no counterpart of, or is not written yet, is refused by name."""
    for chain in CHAINS[kind]:
        network, path = chain_network(chain), tmp_path / "m.keras"
        theta, x, _ = draw(network, 7)
        if any(isinstance(layer, L.AvgPool1D | L.AvgPool2D) and layer.padding == "same" for layer in network.layers):
            continue  # its torch backend counts what lies outside, where padding has two widths
        fitted = written.bare(network, theta)
        try:
            export.to_keras(fitted, path)
        except ArgumentError as error:
            assert any(words in str(error) for words in ("to Keras yet", "be exported yet", "no causal padding"))
            assert kind not in WRITTEN or re.search(IN_SOME.get(kind, "never"), str(error)), error
            continue
        single = written.single(x)
        expected = naive.outputs(network.layers, naive.split(theta[0], network.shapes), single, wires=network.wires)
        given = single.astype(np.int32) if inputs_of(fitted)[0].codes else single
        try:
            got = keras.models.load_model(path).predict(given, verbose=0)
        except RuntimeError as error:  # its torch backend normalises over the last axes of a layer's input alone
            if keras.backend.backend() == "torch" and "normalized_shape" in str(error):
                assert any(isinstance(layer, L.LayerNormalization) and layer.axis != -1 for layer in network.layers)
                continue
            raise
        np.testing.assert_allclose(got, expected, rtol=0, atol=2e-6 * max(1.0, np.abs(expected).max()))


# what is refused -------------------------------------------------------------------------------------------------


def dense(**more):
    data = ns.datasets.doppler(n=40, noise=0.1, random_state=1)
    return ns.neuralnet("y ~ x", data, hidden=1, rep=1, random_state=1, stepmax=20, **more)


def test_what_has_no_counterpart_is_refused_by_name(tmp_path):
    with pytest.raises(ArgumentError, match=r"layer 'dense' has an activation of your own"):
        dense(act_fct=lambda z: z / (1 + abs(z))).to_keras(tmp_path / "m.keras")
    data = ns.datasets.infert()
    fit = ns.neuralnet("case ~ age", data, hidden=1, family=ns.families.Binomial("probit"), rep=1, random_state=1, stepmax=20)
    with pytest.raises(ArgumentError, match=r"the link 'probit' has no counterpart"):
        fit.to_keras(tmp_path / "m.keras")
    assert not list(tmp_path.iterdir())


def test_other_suffixes_and_a_missing_h5py(tmp_path, monkeypatch):
    fit = dense()
    with pytest.raises(ArgumentError, match=r"path must end in \.keras"):
        fit.to_keras(tmp_path / "m.h5")
    monkeypatch.setitem(sys.modules, "h5py", None)
    with pytest.raises(ArgumentError, match=r"neuralstat\[hdf5\]"):
        fit.to_keras(tmp_path / "m.keras")
