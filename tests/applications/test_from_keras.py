"""Models of Keras as layers and weights: what they predict, what is refused by name, files that are damaged or mean harm.

The files, in float64 but for cnn.h5, and Keras' predictions: ``python tests/reference/keras/make_models.py``.
"""

from __future__ import annotations

import contextlib
import copy
import io
import json
import zipfile

import numpy as np
import pytest
import raw
from places import KERAS, KERAS_WEIGHTS

import neuralstat as ns
from neuralstat.errors import ArgumentError, DataError, FileFormatError

h5py = pytest.importorskip("h5py")

FOLDER = KERAS / "models"
MODELS = ("cnn", "lstm", "bidirectional", "resnet", "inception", "text", "nested", "inputs", "steps", "decoder",
          "encoder", "joins")  # fmt: skip


def known(name):
    """Inputs and predictions."""
    with np.load(FOLDER / "predictions.npz") as file:
        x = [file[key] for key in sorted(file.files) if key.startswith(f"{name}/") and not key.endswith("predictions")]
        return x if len(x) > 1 else x[0], file[f"{name}/predictions"]


def config_of(name):
    with zipfile.ZipFile(FOLDER / f"{name}.keras") as file:
        return json.loads(file.read("config.json"))


def written(path, name, change=None, config=None, weights=None):
    """A model's file with another configuration or other weights."""
    with zipfile.ZipFile(FOLDER / f"{name}.keras") as file:
        members = {member: file.read(member) for member in file.namelist()}
    given = json.loads(members["config.json"]) if config is None else config
    if change is not None:
        change(given)
    members["config.json"] = json.dumps(given).encode()
    members["model.weights.h5"] = members["model.weights.h5"] if weights is None else weights
    with zipfile.ZipFile(path, "w") as file:
        for member, content in members.items():
            file.writestr(member, content)
    return path


def entry(config, kind, k=0):
    """The k-th layer of a class."""
    return [layer for layer in config["config"]["layers"] if layer["class_name"] == kind][k]


# predictions ------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("name", MODELS)
def test_predictions_are_those_of_keras(name):
    model = ns.from_keras(FOLDER / f"{name}.keras")
    x, predictions = known(name)
    assert np.ptp(predictions, axis=0).max() > 0.005
    np.testing.assert_allclose(model.predict(x), predictions, rtol=1e-10, atol=1e-12)


def test_predictions_in_single_precision_from_an_h5_file():
    model = ns.from_keras(str(FOLDER / "cnn.h5"))
    x, predictions = known("single")
    assert model.weights["conv2d/kernel"].dtype == np.float32
    np.testing.assert_allclose(model.predict(x), predictions, atol=1e-5)


def test_a_fit_of_its_layers_and_weights_predicts_the_same():
    """The last layer is the output layer that the family implies; activation and regulariser are kept."""
    model = ns.from_keras(FOLDER / "cnn.keras")
    x, predictions = known("cnn")
    data = {"kind": list("abcab"), "x": x}
    for layers in (model, model.layers, [*model]):
        fit = raw.neuralnet("kind ~ x", data, layers=layers, startweights=model.weights, family="multinomial",
                            algorithm="adam", epochs=0, random_state=1)  # fmt: skip
        np.testing.assert_allclose(fit.predict(), predictions, rtol=1e-10)
    assert model.layers[-1].activation == "softmax" and model.layers[-1].units == 3
    assert model.layers[-2].kernel_regularizer == ns.layers.L2(0.02)
    model, (x, predictions) = ns.from_keras(FOLDER / "text.keras"), known("text")
    fit = raw.neuralnet("y ~ words", {"y": [0, 1, 0, 1, 1], "words": x}, family="binomial", algorithm="adam", epochs=0,
                        layers=model, startweights=model.weights)  # fmt: skip
    np.testing.assert_allclose(np.ravel(fit.predict()), np.ravel(predictions), rtol=1e-10)


def test_several_inputs_are_those_of_a_formula():
    model = ns.from_keras(FOLDER / "inputs.keras")
    assert model.inputs == (("series", (6, 2)), ("numbers", (3,))) and model.input_shape == (15,)
    (series, numbers), predictions = known("inputs")
    np.testing.assert_allclose(model.predict({"numbers": numbers, "series": series}), predictions, rtol=1e-10)
    data = {"y": np.arange(5.0), "series": series, "numbers": numbers}
    fit = raw.neuralnet("y ~ numbers + series", data, layers=model, startweights=model.weights, algorithm="adam", epochs=0)
    np.testing.assert_allclose(np.ravel(fit.predict()), np.ravel(predictions), rtol=1e-10)
    for wrong in ([series], {"series": series, "more": numbers}, [series, numbers[:3]], [series[:, :2], numbers]):
        with pytest.raises(DataError, match=r"^images"):
            model.predict(wrong)


def test_frozen_layers_names_and_tables():
    """Of models in one another the inner layers stand in their place; what Keras holds is for ``freeze=``."""
    model = ns.from_keras(FOLDER / "nested.keras")
    assert model.freeze == ("conv", "norm") and model.names[:3] == ("conv", "norm", "max_pooling2d")
    assert "block_conv/kernel" in model.weights and model.layer_table["params"].sum() == model.n_params
    assert "block_conv (Conv2D)" in model.summary() and "with weights" in repr(model)
    x, _ = known("nested")
    fit = raw.neuralnet("kind ~ x", {"kind": list("ababa"), "x": x}, layers=model, startweights=model.weights,
                        freeze=list(model.freeze), family="multinomial", algorithm="adam", epochs=1,
                        random_state=1)  # fmt: skip
    moved = fit.get_weights()
    for name, array in model.weights.items():
        assert np.array_equal(moved[name], array) == (name.partition("/")[0] in model.freeze), name


def test_other_files_of_models():
    """Sequential models of Keras 3 in its old format, and in the new one."""
    for file in ("dense.h5", "dense.keras", "recurrent.h5", "recurrent.keras", "vgg.h5"):
        model, name = ns.from_keras(KERAS_WEIGHTS / file), file.partition(".")[0]
        with np.load(KERAS_WEIGHTS / f"{name}.npz") as file:
            np.testing.assert_allclose(model.predict(file["inputs"]), file["predictions"], rtol=1e-5, atol=1e-5)


class Part:
    """A layer or a model as Keras has it, without Keras."""

    def __init__(self, **content):
        self.__dict__.update(content)


class Weight:
    def __init__(self, array):
        self._array = array

    def numpy(self):
        return self._array


class Functional(Part):
    def get_config(self):
        return self.config


def test_a_model_itself():
    expected = ns.from_keras(FOLDER / "bidirectional.keras")
    config = config_of("bidirectional")
    arrays = iter(expected.weights.values())
    counts = {"Embedding": 1, "Bidirectional": 6, "Dense": 2}
    layers = [Part(name=e["name"], weights=[Weight(next(arrays)) for _ in range(counts.get(e["class_name"], 0))])
              for e in config["config"]["layers"]]  # fmt: skip
    model = ns.from_keras(Functional(config=config["config"], layers=layers))
    x, predictions = known("bidirectional")
    np.testing.assert_allclose(model.predict(x), predictions, rtol=1e-10)
    for wrong in (3, Part(), Part(get_config=1, layers=[]), Part(get_config=dict, layers=3)):
        with pytest.raises(ArgumentError, match="model must be"):
            ns.from_keras(wrong)
    with pytest.raises(ArgumentError, match="no plain data"):
        ns.from_keras(Functional(config={"layers": {1, 2}}, layers=[]))


def test_shapes_that_a_model_does_not_say(tmp_path):
    def open_ended(config):
        config["config"]["layers"][0]["config"]["batch_shape"] = [None, None]

    path = written(tmp_path / "m.keras", "text", open_ended)
    with pytest.raises(ArgumentError, match="give input_shape="):
        ns.from_keras(path)
    model = ns.from_keras(path, input_shape=(10,))
    x, predictions = known("text")
    np.testing.assert_allclose(model.predict(x), predictions, rtol=1e-10)
    for wrong in ((10, 2), (0,)):
        with pytest.raises(ArgumentError, match="input_shape must"):
            ns.from_keras(path, input_shape=wrong)
    with pytest.raises(ArgumentError, match="several inputs"):
        ns.from_keras(FOLDER / "inputs.keras", input_shape=(15,))
    with pytest.raises(DataError, match="takes whole numbers from 0 to 19"):
        model.predict(np.full((1, 10), 20))


# refused by name --------------------------------------------------------------------------------------------


def set_(kind, **values):
    def change(config):
        entry(config, kind)["config"].update(values)

    return change


def call_(kind, **values):
    def change(config):
        entry(config, kind)["inbound_nodes"][0]["kwargs"].update(values)

    return change


def twice(config):
    nodes = entry(config, "Conv2D")["inbound_nodes"]
    nodes.append(copy.deepcopy(nodes[0]))


def of_class(kind, **values):
    def change(config):
        config["config"]["layers"][1].update({"class_name": kind, **values})

    return change


ORTHOGONAL = {"class_name": "OrthogonalRegularizer", "config": {"factor": 0.1}}
REFUSED = [
    ("cnn", of_class("Rescaling"), r"layer 'conv2d' \(Rescaling\) has no counterpart.*scale the data"),
    ("cnn", of_class("Conv2D", module="mine.layers"), r"layer 'conv2d' \(Conv2D\): a class of 'mine.layers'"),
    ("cnn", set_("Conv2D", groups=2), r"layer 'conv2d' \(Conv2D\): groups=2 has no counterpart"),
    ("cnn", set_("Conv2D", data_format="channels_first"), "data_format='channels_first'"),
    ("cnn", set_("Conv2D", activation="sparsemax"), "activation='sparsemax'"),
    ("cnn", set_("Conv2D", activation={"class_name": "function", "config": "mine"}), "activation='mine'"),
    ("cnn", set_("Conv2D", kernel_regularizer=ORTHOGONAL), "kernel_regularizer="),
    ("cnn", set_("Conv2D", activity_regularizer={"class_name": "L2", "config": {}}), "activity_regularizer="),
    ("cnn", set_("Conv2D", new_option=3), "new_option=3"),
    ("cnn", set_("Conv2D", padding="full"), "padding='full'"),
    ("cnn", set_("BatchNormalization", axis=1), r"layer 'batch_normalization' \(BatchNormalization\): axis=1"),
    ("cnn", set_("BatchNormalization", renorm=True), "renorm=True"),
    ("cnn", set_("Dropout", noise_shape=[1, 4]), "noise_shape="),
    ("cnn", set_("Flatten", data_format="channels_first"), "data_format"),
    ("lstm", set_("LSTM", return_state=True), "return_state=True"),
    ("lstm", set_("LSTM", stateful=True), "stateful=True"),
    ("lstm", set_("LSTM", activation="softmax"), "activation='softmax'"),
    ("lstm", set_("LSTM", recurrent_activation="mine"), "recurrent_activation='mine'"),
    ("bidirectional", set_("Bidirectional", merge_mode="max"), r"layer 'both' \(Bidirectional\): merge_mode='max'"),
    ("resnet", twice, r"layer 'conv2d' \(Conv2D\) is called 2 times: its weights would be shared"),
    ("resnet", call_("Conv2D", training=True), "training=True"),
    ("resnet", call_("Conv2D", new="x"), "is called with new"),
    ("resnet", lambda c: c["config"]["output_layers"].extend(c["config"]["input_layers"]), "outputs"),
    ("resnet", lambda c: c.update(class_name="Mine"), "a model of the class 'Mine'"),
    ("steps", lambda c: entry(c, "TimeDistributed")["config"]["layer"].update(class_name="Sequential"), "of 'Sequential'"),
    ("decoder", set_("UpSampling2D", interpolation="bilinear"), "interpolation='bilinear'"),
    ("decoder", set_("Conv2DTranspose", output_padding=[1, 1]), "output_padding="),
]  # fmt: skip


@pytest.mark.parametrize(("name", "change", "words"), REFUSED)
def test_what_has_no_counterpart_is_refused_by_name(name, change, words, tmp_path):
    if words == "outputs":
        def change(config):
            config["config"]["output_layers"] = [["dense", 0, 0], ["add", 0, 0]]
    with pytest.raises(ArgumentError, match=words) as caught:
        ns.from_keras(written(tmp_path / "m.keras", name, change))
    assert "m.keras" in str(caught.value)


def test_a_mask_of_its_own_is_refused(tmp_path):
    """Those that an Embedding or a Masking layer makes go with the layers; others would be lost."""
    def other_value(config):
        entry(config, "NotEqual")["inbound_nodes"][0]["args"][1] = 2

    for change in (set_("Embedding", mask_zero=False), other_value):
        with pytest.raises(ArgumentError, match=r"layer 'both' \(Bidirectional\) is called with mask"):
            ns.from_keras(written(tmp_path / "m.keras", "bidirectional", change))


# damaged and hostile ----------------------------------------------------------------------------------------


def test_code_is_not_executed(tmp_path):
    for code in ({"class_name": "Lambda", "config": {"function": "print(1)"}},
                 {"class_name": "__lambda__", "config": {"value": "x"}}):  # fmt: skip
        with pytest.raises(FileFormatError, match="not executed"):
            ns.from_keras(written(tmp_path / "m.keras", "cnn", lambda c, code=code: c["config"]["layers"].append(code)))
    with pytest.raises(FileFormatError, match="not executed"):
        ns.from_keras(written(tmp_path / "m.keras", "cnn", set_("Conv2D", activation={"class_name": "__lambda__"})))


def test_weights_without_a_model(tmp_path):
    with pytest.raises(ArgumentError, match="without a model's configuration"):
        ns.from_keras(KERAS_WEIGHTS / "cnn.weights.h5")
    with pytest.raises(FileNotFoundError):
        ns.from_keras(tmp_path / "none.keras")


def circle(config):
    layers = config["config"]["layers"]
    layers[1]["inbound_nodes"][0]["args"][0]["config"]["keras_history"] = ["activation_3", 0, 0]


def depth(config):
    inner = config["config"]["layers"]
    for _ in range(60):
        inner.append({"class_name": "Sequential", "config": {"name": "s", "layers": []}})
        inner = inner[-1]["config"]["layers"]


DAMAGED = [
    ("cnn", lambda c: c.pop("config"), "damaged"),
    ("cnn", lambda c: c.update(config=3), "damaged"),
    ("cnn", lambda c: c["config"].update(layers={}), "no list of layers"),
    ("cnn", lambda c: c["config"]["layers"][1].pop("class_name"), "damaged"),
    ("cnn", lambda c: c["config"]["layers"][1].update(config=None), ""),
    ("cnn", lambda c: c["config"]["layers"][1].update(class_name=["Conv2D"]), ""),
    ("cnn", lambda c: c["config"]["layers"][0]["config"].update(batch_shape=[None, -8, 7, 2]), "input has the shape"),
    ("cnn", lambda c: c["config"]["layers"][0]["config"].update(batch_shape=5), "damaged"),
    ("cnn", set_("Conv2D", filters=-1), r"layer 'conv2d' \(Conv2D\): filters must be"),
    ("cnn", set_("Conv2D", filters=10**15), ""),
    ("cnn", set_("Conv2D", kernel_size=[9, 9], padding="valid"), "layer 'conv2d'"),
    ("cnn", set_("Conv2D", kernel_size="3"), ""),
    ("cnn", set_("Conv2D", filters=4), "should have the shape"),
    ("cnn", set_("Conv2D", use_bias=False), "array 'conv2d/bias' that no layer"),
    ("cnn", lambda c: entry(c, "Conv2D")["config"].pop("filters"), "lacks the argument 'filters'"),
    ("cnn", set_("Dense", name="other"), "lack the array 'other/kernel'"),
    ("cnn", set_("Dense", kernel_regularizer={"class_name": "L2", "config": {"l2": -1}}), "kernel_regularizer"),
    ("decoder", set_("Reshape", target_shape=[7, 7]), "cannot become"),
    ("resnet", circle, "circle"),
    ("resnet", lambda c: c["config"]["layers"].append(c["config"]["layers"][1]), "same name"),
    ("resnet", lambda c: c["config"].update(output_layers=["none", 0, 0]), "no layer puts out 'none'"),
    ("resnet", lambda c: c["config"].update(output_layers=[]), ""),
    ("resnet", lambda c: c["config"].update(input_layers=[["conv2d", 0, 0]]), "is no InputLayer"),
    ("resnet", lambda c: c["config"].update(input_layers=[[["a"], 0, 0]]), ""),
    ("resnet", lambda c: entry(c, "Add").update(inbound_nodes=[]), "no layer puts out 'add'"),
    ("resnet", lambda c: entry(c, "Add").update(inbound_nodes=3), "damaged"),
    ("resnet", lambda c: entry(c, "Add")["inbound_nodes"][0].update(args=[None]), ""),
    ("bidirectional", lambda c: entry(c, "Bidirectional")["config"].pop("layer"), "lacks its layer"),
    ("cnn", depth, "nested too deeply"),
]  # fmt: skip


@pytest.mark.parametrize(("name", "change", "words"), DAMAGED)
def test_damaged_configurations(name, change, words, tmp_path):
    with pytest.raises(FileFormatError if words else (FileFormatError, ArgumentError), match=f"m.keras: .*{words}"):
        ns.from_keras(written(tmp_path / "m.keras", name, change))


def test_any_part_of_a_configuration_may_be_anything(tmp_path):
    """Each value of small models' configurations in turn replaced by another kind: an error of the package, or an answer."""

    def places(node, path=()):
        for key, value in node.items() if isinstance(node, dict) else enumerate(node):
            yield (*path, key)
            if isinstance(value, dict | list):
                yield from places(value, (*path, key))

    rng = np.random.default_rng(3)
    path, whole = tmp_path / "m.keras", {name: config_of(name) for name in ("text", "nested", "bidirectional")}
    for name, config in whole.items():
        weights = zipfile.ZipFile(FOLDER / f"{name}.keras").read("model.weights.h5")
        every = list(places(config))
        for k in rng.permutation(len(every))[:150]:
            changed = copy.deepcopy(config)
            node = changed
            for key in every[k][:-1]:
                node = node[key]
            node[every[k][-1]] = [None, -1, 1.5, "x", [], {}, [[]], True, 2**70][rng.integers(9)]
            with contextlib.suppress(FileFormatError, ArgumentError):
                ns.from_keras(written(path, name, config=changed, weights=weights))


def test_arrays_that_are_not_numbers(tmp_path):
    raw_file = zipfile.ZipFile(FOLDER / "text.keras").read("model.weights.h5")
    for value, words in ((np.nan, "finite"), (np.inf, "finite")):
        stream = io.BytesIO(raw_file)
        with h5py.File(stream, "r+") as file:
            file["layers/dense/vars/0"][0, 0] = value
        with pytest.raises(FileFormatError, match=f"array 'dense/kernel' must hold {words}"):
            ns.from_keras(written(tmp_path / "m.keras", "text", weights=stream.getvalue()))


def test_members_outside_the_archive_are_not_touched(tmp_path):
    path = written(tmp_path / "m.keras", "text")
    with zipfile.ZipFile(path, "a") as file:
        file.writestr("../outside.json", "{}")
        file.writestr("/tmp/absolute.json", "{}")
    x, predictions = known("text")
    np.testing.assert_allclose(ns.from_keras(path).predict(x), predictions, rtol=1e-10)
    assert sorted(p.name for p in tmp_path.iterdir()) == ["m.keras"] and not (tmp_path.parent / "outside.json").exists()
