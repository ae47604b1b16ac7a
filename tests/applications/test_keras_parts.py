"""Parts of Keras models that are easily overlooked: wrapped layers, constraints, calls in prediction, hostile sizes.

Models are small tables as Keras writes them, beside objects that have their arrays.
"""

from __future__ import annotations

import io
import json
import time
import zipfile

import numpy as np
import pytest
import raw

import neuralstat as ns
from neuralstat.errors import ArgumentError, FileFormatError

NEW = {"dtype": {"class_name": "DTypePolicy", "config": {"name": "float64"}}}  # as Keras 3 says it


class Weight:
    def __init__(self, array):
        self.array = np.asarray(array, float)

    def numpy(self):
        return self.array


class Layer:
    def __init__(self, name, arrays):
        self.name, self.weights = name, [Weight(array) for array in arrays]


class Sequential:
    def __init__(self, shape, *layers):
        self.layers = [Layer(config["name"], arrays) for _, config, arrays in layers]
        entries = [{"class_name": kind, "module": "keras.layers", "config": {**NEW, **config}} for kind, config, _ in layers]
        first = {"class_name": "InputLayer", "module": "keras.layers", "config": {"name": "x", "batch_shape": [None, *shape]}}
        self.entries = [first, *entries]

    def get_config(self):
        return {"name": "model", "layers": self.entries}


def numbers(*shapes, seed=1):
    rng = np.random.default_rng(seed)
    return [rng.normal(0, 0.5, shape) for shape in shapes]


def gru(units=3, inputs=2, **config):
    arrays = numbers((inputs, 3 * units), (units, 3 * units), (2, 3 * units))
    return "GRU", {"name": "gru", "units": units, "reset_after": True, **config}, arrays


def inner(kind, module="keras.layers", new=True, **config):
    entry = {"class_name": kind, "config": {**(NEW if new else {}), **config}}
    return {**entry, "module": module} if module else entry


def distributed(wrapped, arrays, **config):
    return "TimeDistributed", {"name": "steps", "layer": wrapped, **config}, arrays


def both_ways(forward, backward=None, arrays=(), **config):
    return "Bidirectional", {"name": "both", "layer": forward, **({} if backward is None else {"backward_layer": backward}),
                             "merge_mode": "concat", **config}, arrays  # fmt: skip


def test_hard_sigmoid_of_keras_2_is_refused_in_wrapped_layers_too():
    """It is another function in Keras 3: (.2 z + .5) there, z / 6 + .5 here."""
    kernel = numbers((2, 3), 3)
    old = inner("Dense", None, False, name="d", units=3, activation="hard_sigmoid")
    with pytest.raises(ArgumentError, match=r"layer 'steps' \(TimeDistributed\): layer: 'hard_sigmoid' of Keras 2"):
        ns.from_keras(Sequential((4, 2), distributed(old, kernel)))
    new = inner("Dense", name="d", units=3, activation="hard_sigmoid")
    x = numbers((5, 4, 2), seed=2)[0]
    expected = np.clip((x @ kernel[0] + kernel[1]) / 6 + 0.5, 0, 1)
    np.testing.assert_allclose(ns.from_keras(Sequential((4, 2), distributed(new, kernel))).predict(x), expected, rtol=1e-12)
    arrays = numbers((2, 9), (3, 9), (2, 9), (2, 9), (3, 9), (2, 9))
    for place in ("recurrent_activation", "activation"):
        kept = {"name": "g", "units": 3, "reset_after": True}
        for forward, backward in ((True, False), (False, True)):
            ways = [inner("GRU", None, False, **kept, **({place: "hard_sigmoid"} if old else {}))
                    for old in (forward, backward)]  # fmt: skip
            with pytest.raises(ArgumentError, match=r"'hard_sigmoid' of Keras 2"):
                ns.from_keras(Sequential((4, 2), both_ways(*ways, arrays=arrays)))


def test_the_version_that_a_file_says_counts(tmp_path):
    """Keras 2.12 and later write modules, too."""
    h5py = pytest.importorskip("h5py")
    kernel, bias = numbers((2, 3), 3)
    config = Sequential((2,), ("Dense", {"name": "d", "units": 3, "activation": "hard_sigmoid", "dtype": "float32"}, ()))
    stream = io.BytesIO()
    with h5py.File(stream, "w") as file:
        file["layers/dense/vars/0"], file["layers/dense/vars/1"] = kernel, bias
    for version, metadata in (("2.15.0", True), ("3.0.1", True), (None, False)):
        with zipfile.ZipFile(tmp_path / "m.keras", "w") as file:
            file.writestr("config.json", json.dumps({"class_name": "Sequential", "config": config.get_config()}))
            file.writestr("model.weights.h5", stream.getvalue())
            if metadata:
                file.writestr("metadata.json", json.dumps({"keras_version": version}))
        if version == "2.15.0":
            with pytest.raises(ArgumentError, match=r"layer 'd' \(Dense\): 'hard_sigmoid' of Keras 2"):
                ns.from_keras(tmp_path / "m.keras")
        else:
            assert ns.from_keras(tmp_path / "m.keras").layers[-1].activation == "hard_sigmoid"
    with h5py.File(tmp_path / "m.h5", "w") as file:
        file.attrs["model_config"] = json.dumps({"class_name": "Sequential", "config": config.get_config()})
        file.attrs["keras_version"] = "2.15.0"
        group = file.create_group("model_weights")
        group.attrs["layer_names"] = np.array([b"d"])
        group.create_group("d").attrs["weight_names"] = np.array([b"d/kernel:0", b"d/bias:0"])
        group["d/d/kernel:0"], group["d/d/bias:0"] = kernel, bias
    with pytest.raises(ArgumentError, match="'hard_sigmoid' of Keras 2"):
        ns.from_keras(tmp_path / "m.h5")


def test_layers_of_one_name_are_refused():
    for path in ((), ("outer",)):
        layers = [("Dense", {"name": "d", "units": 4}, numbers((4, 4), 4))] * 2
        model = Sequential((4,), *layers)
        if path:
            model.entries = [model.entries[0], {"class_name": "Sequential", "module": "keras", "config": {
                "name": "outer", "layers": model.entries[1:]}}]  # fmt: skip
        with pytest.raises(FileFormatError, match="two layers have the same name 'd'"):
            ns.from_keras(model)


def test_models_of_many_layers_end_soon():
    """Names were made distinct by ever longer ones, which took hours for a file of some megabytes."""
    start = time.perf_counter()
    for name in ("d", "d{}"):
        model = Sequential((4,))
        model.entries += [{"class_name": "Dense", "config": {"name": name.format(k), "units": 4}} for k in range(60_000)]
        with pytest.raises(ArgumentError, match="a model of more than 1,000 layers"):
            ns.from_keras(model)
    nested = Sequential((4,))
    inside = [{"class_name": "Dense", "config": {"name": f"d{j}", "units": 4}} for j in range(30)]
    nested.entries += [{"class_name": "Sequential", "config": {"name": f"m{k}", "layers": inside}} for k in range(900)]
    with pytest.raises(ArgumentError, match="a model of more than 1,000 layers"):
        ns.from_keras(nested)
    assert time.perf_counter() - start < 30


def test_an_input_that_is_there_twice_is_refused():
    class Functional(Sequential):
        def get_config(self):
            return {"name": "model", "layers": self.entries, "output_layers": ["x", 0, 0],
                    "input_layers": [["x", k, 0] for k in range(100_000)]}  # fmt: skip

    with pytest.raises(FileFormatError, match="an input twice"):
        ns.from_keras(Functional((4,)))


def test_wrapped_layers_that_are_not_trained_are_held():
    arrays = numbers((2, 3), 3)
    last = ("Dense", {"name": "out", "units": 1}, numbers((3, 1), 1))
    pooled = ("GlobalAveragePooling1D", {"name": "mean"}, ())
    for trainable, outer in ((False, True), (True, False), (True, True)):
        wrapped = inner("Dense", name="d", units=3, trainable=trainable)
        model = ns.from_keras(Sequential((4, 2), distributed(wrapped, arrays, trainable=outer), pooled, last))
        assert model.freeze == (() if trainable and outer else ("steps",))
    x = numbers((6, 4, 2))[0]
    wrapped = inner("Dense", name="d", units=3, trainable=False)
    model = ns.from_keras(Sequential((4, 2), distributed(wrapped, arrays), pooled, last))
    fit = raw.neuralnet("y ~ x", {"y": np.arange(6.0), "x": x}, layers=model, startweights=model.weights, algorithm="adam",
                        freeze=list(model.freeze), epochs=1, random_state=1)  # fmt: skip
    assert np.array_equal(fit.get_weights()["steps/kernel"], arrays[0])
    assert not np.array_equal(fit.get_weights()["out/kernel"], last[2][0])
    both = numbers((2, 9), (3, 9), (2, 9), (2, 9), (3, 9), (2, 9))
    cell = {"name": "forward_gru", "units": 3, "reset_after": True}
    for held in ((True, False), (False, True), (True, True)):
        ways = [inner("GRU", **{**cell, "trainable": not one}) for one in held]
        model = ns.from_keras(Sequential((4, 2), both_ways(*ways, arrays=both), last[:2] + (numbers((6, 1), 1),)))
        assert model.freeze == tuple(f"both/{way}_gru" for way, one in zip(("forward", "backward"), held, strict=True) if one)
        fit = raw.neuralnet("y ~ x", {"y": np.arange(6.0), "x": x}, layers=model, startweights=model.weights,
                            algorithm="adam", freeze=list(model.freeze), epochs=1, random_state=1)  # fmt: skip
        moved = {name.split("/")[1] for name, array in fit.get_weights().items()
                 if name.startswith("both") and not np.array_equal(array, model.weights[name])}  # fmt: skip
        assert moved == {f"{way}_gru" for way, one in zip(("forward", "backward"), held, strict=True) if not one}


class Called(Sequential):
    """A model that calls its only layer, or a model of it, with training=False."""

    def __init__(self, shape, layer, nested, form=3):
        super().__init__(shape, layer)
        at = self.entries[1]
        if nested:
            at = {"class_name": "Sequential", "module": "keras", "config": {"name": "base", "layers": [at]}}
            self.layers[0].layers = [Layer(layer[1]["name"], layer[2])]
            self.layers[0].name = "base"
        name = at["config"]["name"]
        tensor = {"class_name": "__keras_tensor__", "config": {"keras_history": ["x", 0, 0]}}
        at["inbound_nodes"] = ([{"args": [tensor], "kwargs": {"training": False}}] if form == 3
                               else [[["x", 0, 0, {"training": False}]]])  # fmt: skip
        self.entries[1], self.end = at, name

    def get_config(self):
        return {"name": "model", "layers": self.entries, "input_layers": ["x", 0, 0], "output_layers": [self.end, 0, 0]}


class Functional(Called):
    pass


def test_dropout_in_recurrent_layers_of_what_is_called_in_prediction():
    """Nothing is dropped in training either, as in Keras."""
    both = numbers((2, 9), (3, 9), (2, 9), (2, 9), (3, 9), (2, 9))
    drops = {"dropout": 0.3, "recurrent_dropout": 0.2}
    cell = inner("GRU", name="g", units=3, reset_after=True, **drops)
    for layer, nested, form, kept in (
        (gru(**drops), True, 3, False), (gru(**drops), False, 3, True), (gru(**drops), False, 2, False),
        (both_ways(cell, arrays=both), False, 3, False), (both_ways(cell, arrays=both), True, 3, False),
    ):  # fmt: skip
        made = ns.from_keras(Functional((4, 2), layer, nested, form)).layers[-1]
        made = getattr(made, "layer", made)
        assert (made.dropout, made.recurrent_dropout) == ((0.3, 0.2) if kept else (0.0, 0.0)), (layer[0], nested, form)
    model = Functional((4, 2), gru(return_sequences=True), True)
    model.entries[1]["config"]["layers"].append(
        {"class_name": "TimeDistributed", "config": {"name": "t", "layer": inner("Dropout", name="o", rate=0.5)}})
    assert [type(layer).__name__ for layer in ns.from_keras(model).layers] == ["GRU"]


@pytest.mark.parametrize("form", [2, 3])
def test_layers_called_in_prediction_within_a_model_that_is(form):
    """Both calls say training=False, as Keras 3 writes it: nothing is left that would have no counterpart."""
    for layer, kinds in ((gru(dropout=0.3), ["GRU"]), (("Dropout", {"name": "o", "rate": 0.5}, ()), [])):
        base, dense = Functional((4, 2), layer, False, form), ("Dense", {"name": "d", "units": 1}, numbers((2, 1), 1))
        model = Functional((4, 2), dense, True, form)
        model.layers[0].layers = base.layers
        outer = {"class_name": "Functional", "config": {**base.get_config(), "name": "base"}}
        model.entries[1] = {**model.entries[1], **outer}
        made = ns.from_keras(model)
        assert [type(one).__name__ for one in made.layers] == kinds
        assert all(getattr(one, "dropout", 0.0) == 0.0 for one in made.layers)


def test_constraints_of_dense_layers_over_sequences_and_images():
    """Such a layer becomes a convolution of single positions, whose kernel has more axes before those of Keras."""
    def config(axis, kind="MaxNorm"):
        return {"class_name": kind, "config": {"max_value": 0.5, "axis": axis} if kind == "MaxNorm" else {}}

    for shape in ((4, 2), (3, 4, 2)):
        for axis, along in ((0, 0), ([0], 0), (1, 1), ([0, 1], (0, 1))):
            layer = ("Dense", {"name": "d", "units": 3, "kernel_constraint": config(axis)},
                     [4 * array for array in numbers((2, 3), 3)])  # fmt: skip
            last = ("Dense", {"name": "out", "units": 1}, numbers((3 * np.prod(shape[:-1]), 1), 1))
            model = ns.from_keras(Sequential(shape, layer, ("Flatten", {"name": "f"}, ()), last))
            x = numbers((6, *shape))[0]
            fit = raw.neuralnet("y ~ x", {"y": np.arange(6.0), "x": x}, layers=model, startweights=model.weights,
                                algorithm=ns.optimizers.SGD(1e-3), epochs=1, random_state=1)  # fmt: skip
            kernel = fit.get_weights()["d/kernel"].reshape(2, 3)
            np.testing.assert_allclose(np.sqrt((kernel**2).sum(axis=along)), 0.5, rtol=1e-6)
    layer = ("Dense", {"name": "d", "units": 3, "kernel_constraint": config(0, "NonNeg")}, numbers((2, 3), 3))
    assert ns.from_keras(Sequential((4, 2), layer)).layers[-1].kernel_constraint == ns.layers.NonNeg()
    layer = ("Dense", {"name": "d", "units": 3, "kernel_constraint": config(-1)}, numbers((2, 3), 3))
    with pytest.raises(ArgumentError, match=r"layer 'd' \(Dense\): kernel_constraint=.*has no counterpart"):
        ns.from_keras(Sequential((4,), layer))


def test_gru_of_before_reset_after():
    """Old configurations that lack it are of versions that did not have it: reset gates that come first."""
    x = numbers((5, 4, 2), seed=2)[0]
    kernel, state = numbers((2, 9), (3, 9))
    h = np.zeros((5, 3))
    for t in range(4):
        a, u = np.split(x[:, t] @ kernel, 3, axis=1), np.split(state, 3, axis=1)
        z, r = (1 / (1 + np.exp(-(a[k] + h @ u[k]))) for k in (0, 1))
        h = z * h + (1 - z) * np.tanh(a[2] + (r * h) @ u[2])
    for lacking in ({"reset_after": False}, {"reset_after": None}, {"dtype": "float32"}):
        kind, config, _ = gru(use_bias=False)
        config = {k: v for k, v in config.items() if k != "reset_after"} | lacking
        model = ns.from_keras(Sequential((4, 2), (kind, config, (kernel, state))))
        assert model.layers[-1].reset_after is False
        np.testing.assert_allclose(model.predict(x), h, rtol=1e-12)
    both = ns.from_keras(Sequential((4, 2), both_ways(inner("GRU", new=False, name="g", units=3),
                                                      arrays=numbers((2, 9), (3, 9), 9, (2, 9), (3, 9), 9))))  # fmt: skip
    assert both.layers[-1].layer.reset_after is False
    kind, config, arrays = gru()  # Keras 3, whose default it is
    del config["reset_after"]
    assert ns.from_keras(Sequential((4, 2), (kind, config, arrays))).weights["gru/bias"].shape == (2, 9)


def test_attention_that_has_no_counterpart_is_refused():
    """By what it is called with, by other axes, and of other sequences than its own."""
    shapes = [(4, 2, 3), (2, 3)] * 3 + [(2, 3, 4), (4,)]
    base = {"name": "asks", "num_heads": 2, "key_dim": 3, "value_dim": 3}
    model = ns.from_keras(Sequential((5, 4), ("MultiHeadAttention", base, numbers(*shapes))))
    assert model.layers[-1].key_dim == 3 and model.weights["asks/attention_output/kernel"].shape == (2, 3, 4)
    for given, words in (({"attention_axes": [2]}, "attention_axes="), ({"use_gate": True}, "use_gate=True"),
                         ({"sliding_window": 3}, "sliding_window=3"), ({"output_shape": [2, 2]}, "of .time, feature.")):
        with pytest.raises(ArgumentError, match=rf"layer 'asks' \(MultiHeadAttention\).*{words}"):
            ns.from_keras(Sequential((5, 4), ("MultiHeadAttention", {**base, **given}, numbers(*shapes))))
    with pytest.raises(ArgumentError, match=r"\(MultiHeadAttention\) reads \(5, 4, 3\)"):
        ns.from_keras(Sequential((5, 4, 3), ("MultiHeadAttention", base, numbers(*shapes))))


@pytest.mark.parametrize(
    ("axis", "left"), [(-1, (2,)), ([3], (2,)), ([1], (4,)), ([1, 3], (4, 2)), (2, (3,)), ([-3, -2], (4, 3))]
)
def test_layer_normalisation_over_axes(axis, left):
    """Against the plain formula; arrays have the axes that are normalised."""
    gamma, beta = numbers(left, left)
    x = numbers((6, 4, 3, 2), seed=3)[0]
    model = ns.from_keras(Sequential((4, 3, 2), ("LayerNormalization", {"name": "norm", "axis": axis}, (gamma, beta))))
    axes = tuple(k % 4 for k in (axis if isinstance(axis, list) else [axis]))
    shape = [n if k in axes else 1 for k, n in enumerate(x.shape)]
    centred = x - x.mean(axis=axes, keepdims=True)
    expected = centred / np.sqrt(x.var(axis=axes, keepdims=True) + 1e-3) * gamma.reshape(shape) + beta.reshape(shape)
    np.testing.assert_allclose(model.predict(x), expected, rtol=1e-12, atol=1e-14)
    for wrong in ([-1, 1], [], "x"):
        with pytest.raises(ArgumentError, match=r"layer 'norm' \(LayerNormalization\): axis="):
            ns.from_keras(Sequential((4, 3, 2), ("LayerNormalization", {"name": "norm", "axis": wrong}, (gamma, beta))))
