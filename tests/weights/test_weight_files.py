"""Weights from files of Keras and from safetensors: equal arrays, strict mapping, and files that mean harm."""

from __future__ import annotations

import io
import json
import os
import pickle
import sys
import zipfile

import numpy as np
import pytest
import raw
from places import KERAS_WEIGHTS

import neuralstat as ns
from neuralstat.errors import ArgumentError, DataError, FileFormatError

MODELS = ("dense", "cnn", "recurrent")
SUFFIXES = (".keras", ".h5", ".weights.h5")
h5py = pytest.importorskip("h5py")


def known(model):
    with np.load(KERAS_WEIGHTS / f"{model}.npz") as file:
        return {name: file[name] for name in file.files if name not in ("inputs", "predictions")}


def assert_equal_arrays(got, expected):
    assert sorted(got) == sorted(expected)
    for name, array in expected.items():
        np.testing.assert_array_equal(got[name], array, err_msg=name)
        assert got[name].dtype == array.dtype


@pytest.mark.parametrize("suffix", SUFFIXES)
@pytest.mark.parametrize("model", MODELS)
def test_arrays_are_those_that_keras_wrote(model, suffix):
    got = ns.read_weights(KERAS_WEIGHTS / f"{model}{suffix}")
    assert_equal_arrays(got, known(model))
    if suffix != ".weights.h5":
        assert list(got) == list(known(model))  # in the order of the layers
        assert got.config["class_name"] == "Sequential"


@pytest.mark.filterwarnings("ignore")  # of Keras
@pytest.mark.parametrize("suffix", SUFFIXES)
def test_files_that_the_installed_keras_writes(suffix, tmp_path, monkeypatch):
    monkeypatch.setenv("KERAS_BACKEND", os.environ.get("KERAS_BACKEND", "torch"))
    keras = pytest.importorskip("keras")
    kl = keras.layers
    inputs = keras.Input((9,))
    x = kl.Embedding(12, 4, name="words")(inputs)
    x = kl.Bidirectional(kl.LSTM(3), name="both")(x)
    x = kl.BatchNormalization(scale=False, name="norm")(x)
    out = kl.Dense(2, use_bias=False, name="out")(x)
    model = keras.Model(inputs, out)
    path = tmp_path / f"m{suffix}"
    (model.save_weights if "weights" in suffix else model.save)(path)
    got = ns.read_weights(path)
    layers = {"words": model.get_layer("words"), "both": model.get_layer("both"), "out": model.get_layer("out")}
    for name, layer in layers.items():
        own = {k: v for k, v in got.items() if k.startswith(f"{name}/")}
        arrays = layer.get_weights()
        assert len(own) == len(arrays)
        if name != "both":
            np.testing.assert_array_equal(next(iter(own.values())), arrays[0])
    forward = next(k for k in got if k.startswith("both/forward_") and k.endswith("/recurrent_kernel"))
    np.testing.assert_array_equal(got[forward], layers["both"].get_weights()[1])
    if suffix != ".weights.h5":  # without the configuration, three arrays of four cannot be named
        np.testing.assert_array_equal(got["norm/beta"], model.get_layer("norm").get_weights()[0])
        assert "norm/gamma" not in got
    else:
        assert {"norm/0", "norm/1", "norm/2"} <= set(got)


def test_names_of_keras_1_in_bytes():
    got = ns.read_weights(KERAS_WEIGHTS / "keras1.h5")
    assert list(got) == ["block1_conv1/kernel", "block1_conv1/bias", "fc1/kernel", "fc1/bias"]
    assert got["block1_conv1/kernel"].shape == (3, 3, 1, 2) and got.n_params == 18 + 2 + 12 + 2
    assert list(got.layers["fc1"]) == ["kernel", "bias"]
    assert "block1_conv1/kernel  (3, 3, 1, 2)  float32" in repr(got)


def test_long_lists_of_layers_are_divided_over_attributes(tmp_path):
    path = tmp_path / "many.h5"
    with h5py.File(path, "w") as file:
        file.attrs["layer_names0"], file.attrs["layer_names1"] = ["b"], ["a"]
        for name in "ab":
            group = file.create_group(name)
            group.attrs["weight_names"] = [f"{name}/kernel:0"]
            group.create_dataset(f"{name}/kernel:0", data=np.arange(3.0))
    assert list(ns.read_weights(path)) == ["b/kernel", "a/kernel"]


# mapping onto a model


def test_match_by_name_and_by_order():
    file = ns.read_weights(KERAS_WEIGHTS / "dense.h5")
    shapes = {"dense/kernel": (4, 5), "dense/bias": (5,), "dense_1/kernel": (5, 3), "dense_1/bias": (3,),
              "dense_2/kernel": (3, 2), "dense_2/bias": (2,)}  # fmt: skip
    by_order = file.match(shapes, by="order")
    by_name = file.match(shapes, rename={"predictions": "dense_2"})
    assert list(by_order) == list(by_name) == list(shapes)
    for name in shapes:
        np.testing.assert_array_equal(by_order[name], by_name[name])
    assert sorted(file.match(shapes, unused="ignore", missing="ignore")) == sorted(list(shapes)[:4])


def test_match_says_all_that_is_wrong():
    file = ns.read_weights(KERAS_WEIGHTS / "dense.h5")
    with pytest.raises(DataError) as caught:
        file.match({"dense/kernel": (5, 4), "dense/bias": (5,), "head/kernel": np.zeros((2, 2))})
    text = str(caught.value)
    for line in ("wrong shape: dense/kernel has (4, 5), expected (5, 4)", "missing: head/kernel (2, 2)",
                 "unexpected: dense_1/kernel (5, 3)", "unexpected: predictions/bias (2,)", "dense.h5"):  # fmt: skip
        assert line in text
    with pytest.raises(DataError, match=r"the file has 3 layers with weights .* the model 1"):
        file.match({"a/kernel": (4, 5)}, by="order")
    with pytest.raises(ArgumentError, match="no layer or array 'conv'"):
        file.match({}, rename={"conv": "a"})
    with pytest.raises(ArgumentError, match="would be called 'dense_1/kernel'"):
        file.match({}, rename={"dense": "dense_1"})
    with pytest.raises(ArgumentError, match="does not tell the order"):
        ns.read_weights(KERAS_WEIGHTS / "cnn.weights.h5").match({}, by="order")
    with pytest.raises(ArgumentError, match="by must be"):
        file.match({}, by="shape")


def test_match_takes_a_fit():
    fit = raw.neuralnet("y ~ x", ns.datasets.sine(n=20, random_state=1), hidden=2, threshold=1, random_state=1)
    file = fit.get_weights()
    assert list(ns.weights.match.match(file, fit)) == list(file)


def hidden_layers(model):
    kl = ns.layers
    if model == "dense":
        return [kl.Dense(5, "relu"), kl.Dense(3, "tanh")]
    if model == "cnn":
        return [kl.Conv2D(3, 3, "relu", padding="same"), kl.MaxPool2D(2), kl.Dropout(0.3), kl.Conv2D(4, (3, 2)),
                kl.BatchNorm(), kl.Flatten()]  # fmt: skip
    return [kl.LSTM(4, return_sequences=True), kl.GRU(3), kl.BatchNorm()]


@pytest.mark.parametrize("suffix", [".keras", ".h5"])
@pytest.mark.parametrize("model", MODELS)
def test_fits_with_the_weights_predict_as_keras_does(model, suffix):
    with np.load(KERAS_WEIGHTS / f"{model}.npz") as stored:
        inputs, predictions = stored["inputs"], stored["predictions"]
    response = np.arange(5.0) if model == "recurrent" else ["a", "b", "a", "b", "a"]
    data = {"response": response, "x": inputs}
    arguments = dict(layers=hidden_layers(model), family="gaussian" if model == "recurrent" else "multinomial",
                     algorithm="adam", epochs=0, random_state=1)  # fmt: skip
    start = raw.neuralnet("response ~ x", data, **arguments)
    weights = ns.read_weights(KERAS_WEIGHTS / f"{model}{suffix}").match(start, by="order")
    fit = raw.neuralnet("response ~ x", data, startweights=weights, **arguments)
    got = fit.predict(data).to_numpy().reshape(5, -1)
    np.testing.assert_allclose(got, predictions, atol=1e-6)
    assert np.ptp(predictions, axis=0).max() > 0.01
    for name, array in weights.items():
        np.testing.assert_array_equal(fit.get_weights()[name], array)


# safetensors


def test_safetensors_round_trip(tmp_path):
    arrays = {"conv2d/kernel": np.arange(12.0).reshape(2, 3, 2), "n": np.array(3, np.int64), "b": np.array([True, False]),
              "half": np.arange(4, dtype=np.float16), "empty": np.zeros((0, 3), np.float32), "big": np.arange(3, dtype=">f4")}
    path = tmp_path / "a.safetensors"
    ns.write_safetensors(path, arrays)
    got = ns.read_weights(path)
    assert got.kind == "safetensors" and sorted(got) == sorted(arrays)
    for name, array in arrays.items():
        np.testing.assert_array_equal(got[name], array)
        assert got[name].shape == array.shape
    assert [p.name for p in tmp_path.iterdir()] == ["a.safetensors"]
    with pytest.raises(ArgumentError, match="'c' holds complex128"):
        ns.write_safetensors(path, {"c": np.zeros(2, complex)})
    with pytest.raises(ArgumentError, match="must be a mapping from names"):
        ns.write_safetensors(path, {1: np.zeros(2)})


def test_safetensors_agrees_with_its_package(tmp_path):
    safetensors = pytest.importorskip("safetensors.numpy")
    arrays = {"w": np.random.default_rng(1).standard_normal((3, 4)).astype(np.float32), "i": np.arange(5, dtype=np.int32)}
    safetensors.save_file(arrays, tmp_path / "theirs.safetensors", metadata={"format": "pt"})
    ns.write_safetensors(tmp_path / "ours.safetensors", arrays)
    assert_equal_arrays(ns.read_weights(tmp_path / "theirs.safetensors"), arrays)
    assert_equal_arrays(safetensors.load_file(tmp_path / "ours.safetensors"), arrays)


def safetensors_bytes(header, data=b"", length=None):
    raw = header if isinstance(header, bytes) else json.dumps(header).encode()
    return (len(raw) if length is None else length).to_bytes(8, "little") + raw + data


def entry(dtype="F32", shape=(1,), offsets=(0, 4)):
    return {"dtype": dtype, "shape": list(shape), "data_offsets": list(offsets)}


def test_bfloat16_is_widened(tmp_path):
    path = tmp_path / "a.safetensors"
    path.write_bytes(safetensors_bytes({"w": entry("BF16", (2,))}, bytes([0x80, 0x3F, 0x20, 0xC0])))
    np.testing.assert_array_equal(ns.read_weights(path)["w"], np.array([1.0, -2.5], np.float32))


@pytest.mark.parametrize(
    ("raw", "word"),
    [
        (b"", "neither"), (b"hello", "neither"), (safetensors_bytes({}, length=2**62), "neither"),
        (safetensors_bytes(b"[1, 2]"), "no table"), (safetensors_bytes(b"{]"), "not JSON"),
        (safetensors_bytes(b"[" * 100_000), "not JSON"),
        (safetensors_bytes(b'{"a": 1, "a": 2}'), "stands twice"),
        (safetensors_bytes({"w": 3}), "entry"), (safetensors_bytes({"w": entry(shape=(-1,))}, bytes(4)), "entry"),
        (safetensors_bytes({"w": entry(shape=(True,))}, bytes(4)), "entry"),
        (safetensors_bytes({"w": entry("C64")}, bytes(4)), "dtype 'C64'"),
        (safetensors_bytes({"w": entry("F32", (2**40, 2**40))}, bytes(4)), "claims the shape"),
        (safetensors_bytes({"w": entry()}, bytes(3)), "promises 4 bytes"),
        (safetensors_bytes({"w": entry()}, bytes(5)), "promises 4 bytes"),
        (safetensors_bytes({"w": entry(), "v": entry()}, bytes(4)), "does not begin"),
        (safetensors_bytes({"w": entry(offsets=(4, 8))}, bytes(8)), "does not begin"),
        (safetensors_bytes({"w": entry("BOOL", (4,))}, bytes([0, 1, 2, 3])), "no booleans"),
        (b"\x80\x02}q\x00.", "pickle"), (pickle.dumps({"a": 1}), "pickle"),
    ],
)  # fmt: skip
def test_hostile_safetensors(raw, word, tmp_path):
    path = tmp_path / "a.safetensors"
    path.write_bytes(raw)
    with pytest.raises(FileFormatError, match=word) as caught:
        ns.read_weights(path)
    assert "a.safetensors" in str(caught.value)


# files that mean harm


def make_h5(path, data=None, **arguments):
    """A weights file whose only array is made by `arguments`."""
    with h5py.File(path, "w") as file:
        file.attrs["layer_names"] = ["d"]
        group = file.create_group("d")
        group.attrs["weight_names"] = ["kernel"]
        if callable(data):
            data(group)
        else:
            group.create_dataset("kernel", data=data, **arguments)
    return path


def virtual(group):
    layout = h5py.VirtualLayout((3,), "f4")
    layout[:] = h5py.VirtualSource("/etc/passwd", "x", (3,))
    group.create_virtual_dataset("kernel", layout)


def elsewhere(group):
    group.create_dataset("kernel", (8,), "u1", external=[("/etc/passwd", 0, 8)])


def external_link(group):
    group["kernel"] = h5py.ExternalLink("/etc/passwd", "/x")


def soft_link(group):
    group["kernel"] = h5py.SoftLink("/d/other")
    group["other"] = np.zeros(3)


def subgroup(group):
    group.create_group("kernel")


@pytest.mark.parametrize(
    ("data", "arguments", "word"),
    [
        (None, {"shape": (2**40,), "dtype": "f4", "chunks": (1024,)}, "the file stores 0"),
        (None, {"shape": (2**40,), "dtype": "f4", "chunks": (1024,), "compression": "gzip"}, "the file stores 0"),
        (None, {"shape": None, "dtype": "f4"}, "is empty|no array"),
        (["a", "b"], {"dtype": h5py.string_dtype()}, "only numbers"),
        (np.zeros(3, complex), {}, "only numbers"), (np.zeros(3, "S4"), {}, "only numbers"),
        (virtual, {}, "another file"), (elsewhere, {}, "another file"), (external_link, {}, "is a link"),
        (soft_link, {}, "is a link"), (subgroup, {}, "no array"),
    ],
)  # fmt: skip
def test_hostile_hdf5(data, arguments, word, tmp_path):
    path = make_h5(tmp_path / "a.h5", data, **arguments)
    with pytest.raises(FileFormatError, match=word) as caught:
        ns.read_weights(path)
    assert "a.h5" in str(caught.value)


def test_compressed_arrays_are_read(tmp_path):
    array = np.arange(10_000, dtype=np.float32).reshape(100, 100)
    path = make_h5(tmp_path / "a.h5", array, compression="gzip", shuffle=True)
    np.testing.assert_array_equal(ns.read_weights(path)["d/kernel"], array)
    with pytest.raises(FileFormatError, match="max_bytes=1000"):
        ns.read_weights(path, max_bytes=1000)


def test_one_array_under_many_names_counts_every_time(tmp_path):
    path = tmp_path / "a.h5"
    with h5py.File(path, "w") as file:
        file.attrs["layer_names"] = ["d"]
        group = file.create_group("d")
        group["0"] = np.zeros(50_000)
        names = [str(k) for k in range(1, 400)]
        for name in names:
            group[name] = group["0"]
        group.attrs["weight_names"] = names
    with pytest.raises(FileFormatError, match="more bytes than the file has"):
        ns.read_weights(path)


def test_groups_that_contain_themselves(tmp_path):
    path = tmp_path / "a.h5"
    with h5py.File(path, "w") as file:
        group = file.create_group("layers")
        group["dense"] = group
    with pytest.raises(FileFormatError, match=r"nested|damaged"):
        ns.read_weights(path)


@pytest.mark.parametrize(
    ("attributes", "word"),
    [({}, "not of Keras"), ({"layer_names": ["d"]}, "has no"), ({"layer_names": [1.5]}, "not text"),
     ({"layer_names": [b"\xff"]}, "no text"), ({"layer_names": np.zeros(0, "S1")}, "no weights"),
     ({"layer_names": ["d", "d"]}, "same name")],
)  # fmt: skip
def test_other_hdf5(attributes, word, tmp_path):
    path = tmp_path / "a.h5"
    with h5py.File(path, "w") as file:
        file.attrs.update(attributes)
    with pytest.raises(FileFormatError, match=word):
        ns.read_weights(path)


def repack(path, change, **options):
    """cnn.keras with members changed."""
    with zipfile.ZipFile(KERAS_WEIGHTS / "cnn.keras") as old:
        members = {name: old.read(name) for name in old.namelist()}
    members = {name: raw for name, raw in {**members, **change(members)}.items() if raw is not None}
    with zipfile.ZipFile(path, "w", **options) as new:
        for name, raw in members.items():
            new.writestr(name, raw)
    return path


def with_lambda(members):
    config = json.loads(members["config.json"])
    config["config"]["layers"].append({"class_name": "Lambda", "config": {"function": {"class_name": "__lambda__"}}})
    return {"config.json": json.dumps(config).encode()}


@pytest.mark.parametrize(
    ("change", "word"),
    [
        (with_lambda, "Lambda"), (lambda m: {"assets/x.pkl": b"cos\nsystem\n"}, "pickle"),
        (lambda m: {"config.json": b"{"}, "not JSON"), (lambda m: {"config.json": b"[]"}, "no table"),
        (lambda m: {"config.json": None}, "lacks config.json"), (lambda m: {"model.weights.h5": None}, "lacks model.weights"),
        (lambda m: {"model.weights.h5": b"x" * 100}, "damaged"),
        (lambda m: {"model.weights.h5": None, "model.weights.json": b"{}"}, "several files"),
    ],
)  # fmt: skip
def test_hostile_archives(change, word, tmp_path):
    with pytest.raises(FileFormatError, match=word) as caught:
        ns.read_weights(repack(tmp_path / "a.keras", change))
    assert "a.keras" in str(caught.value)


def test_archives_that_claim_more_than_they_have(tmp_path):
    packed = repack(tmp_path / "a.keras", lambda m: {}, compression=zipfile.ZIP_DEFLATED)
    assert_equal_arrays(ns.read_weights(packed), known("cnn"))
    bomb = repack(tmp_path / "b.keras", lambda m: {"model.weights.h5": bytes(30_000_000)}, compression=zipfile.ZIP_DEFLATED)
    with pytest.raises(FileFormatError, match="max_bytes"):
        ns.read_weights(bomb, max_bytes=20_000_000)
    raw = bytearray(packed.read_bytes())
    at = raw.rfind(b"PK\x01\x02")  # the last entry of the directory
    raw[at + 24 : at + 28] = (2**32 - 2).to_bytes(4, "little")
    bomb.write_bytes(raw)
    with pytest.raises(FileFormatError, match="claims more bytes"):
        ns.read_weights(bomb)


@pytest.mark.parametrize("name", ["cnn.keras", "cnn.h5", "recurrent.weights.h5"])
def test_cut_files_are_refused(name, tmp_path):
    raw = (KERAS_WEIGHTS / name).read_bytes()
    path = tmp_path / name
    for share in (0.01, 0.1, 0.3, 0.5, 0.7, 0.9, 0.99):
        path.write_bytes(raw[: int(share * len(raw))])
        with pytest.raises(FileFormatError, match=name.replace(".", r"\.")):
            ns.read_weights(path)


def test_arguments_and_missing_packages(tmp_path, monkeypatch):
    with pytest.raises(FileNotFoundError, match="no file"):
        ns.read_weights(tmp_path / "none.h5")
    with pytest.raises(ArgumentError, match="path must be"):
        ns.read_weights(3)
    with pytest.raises(ArgumentError, match="max_bytes"):
        ns.read_weights(KERAS_WEIGHTS / "cnn.h5", max_bytes=0)
    monkeypatch.setitem(sys.modules, "h5py", None)
    for suffix in SUFFIXES:
        with pytest.raises(ArgumentError, match=r"neuralstat\[hdf5\]"):
            ns.read_weights(KERAS_WEIGHTS / f"cnn{suffix}")


def test_reading_leaves_no_file_open():
    buffer = io.BytesIO((KERAS_WEIGHTS / "cnn.h5").read_bytes())
    from neuralstat.weights.hdf5 import read_file

    read_file(buffer, len(buffer.getvalue()), 2**30)
    with h5py.File(KERAS_WEIGHTS / "cnn.h5", "r"):
        ns.read_weights(KERAS_WEIGHTS / "cnn.h5")
