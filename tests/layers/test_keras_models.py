"""The lectures' models, layer by layer, beside Keras': names, shapes, numbers of weights, arguments, start weights."""

from __future__ import annotations

import dataclasses
import inspect
import os

import numpy as np
import pytest
import raw

import neuralstat as ns
from neuralstat import layers as L
from neuralstat.layers.arguments import Constraint, Regularizer
from neuralstat.network.arrays import keras_start, to_arrays
from neuralstat.network.network import Network
from neuralstat.network.objective import objective, resolve_activation
from neuralstat.optimizers.minibatch import CLASSES

KERAS = {"BatchNorm": "BatchNormalization", "MaxPool1D": "MaxPooling1D", "MaxPool2D": "MaxPooling2D",
         "AvgPool1D": "AveragePooling1D", "AvgPool2D": "AveragePooling2D"}  # fmt: skip


def conv(filters):
    return L.Conv2D(filters, 3, activation="relu")


# name: (shape of one observation, classes, layers before the output layer, parameters that the lectures print)
MODELS = {
    "cnn": ((28, 28, 1), 10, [conv(32), L.MaxPool2D(2), conv(64), L.MaxPool2D(2), conv(128), L.Flatten()], 104_202),
    "cnn_dense": ((28, 28, 1), 10, [conv(32), L.MaxPool2D(2), conv(64), L.MaxPool2D(2), conv(64), L.Flatten(),
                                    L.Dense(64, "relu")], 93_322),
    "transfer": ((28, 28, 1), 5, [conv(32), L.MaxPool2D(2), conv(64), L.MaxPool2D(2), L.Flatten(), L.Dropout(0.5)], 26_821),
    "dense": ((28, 28), 10, [L.Flatten(), L.Dense(512, "relu")], 407_050),
    "dense_small": ((28, 28), 10, [L.Flatten(), L.Dense(64, "relu")], 50_890),
    "dense_dropout": ((28, 28), 10, [L.Flatten(), L.Dense(512, "relu"), L.Dropout(0.2), L.Dense(512, "relu"),
                                     L.Dropout(0.2)], 669_706),
}  # fmt: skip
# one of every kind of layer; no lecture's
KINDS = {
    "sequence": ((12, 3), 3, [L.Conv1D(16, 3, padding="same"), L.AvgPool1D(2), L.LSTM(20, return_sequences=True),
                              L.GRU(24, return_sequences=True), L.SimpleRNN(28)]),
    "words": ((9,), 3, [L.Embedding(50, 16), L.MaxPool1D(3), L.GlobalAvgPool(), L.BatchNorm(), L.Activation("relu")]),
    "depthwise": ((9, 8, 16), 3, [L.DepthwiseConv2D(3, depth_multiplier=2, padding="same"), L.LayerNormalization(),
                                  L.PReLU((1, 2)), L.GroupNormalization(4, center=False), L.ReLU(1.0, 0.1, 0.2),
                                  L.DepthwiseConv2D(2, use_bias=False), L.SpatialDropout2D(0.1), L.LeakyReLU(), L.ReLU(),
                                  L.GlobalAvgPool()]),
    "starts": ((6,), 3, [L.Dense(60, kernel_initializer="he_normal"), L.ELU(), L.PReLU(alpha_initializer="ones"),
                         L.Dense(50, kernel_initializer="lecun_uniform", bias_initializer="ones"), L.GaussianNoise(0.1),
                         L.Dense(40, kernel_initializer="orthogonal", use_bias=False), L.Softmax(), L.AlphaDropout(0.1),
                         L.Dense(30, kernel_initializer="random_normal"), L.GaussianDropout(0.1),
                         L.Dense(30, kernel_initializer="truncated_normal"), L.BatchNorm(scale=False)]),
    "more_starts": ((9, 3), 3, [L.Conv1D(40, 3, kernel_initializer="glorot_normal", use_bias=False),
                                L.DepthwiseConv1D(2, depth_multiplier=2, depthwise_initializer="lecun_normal"),
                                L.SpatialDropout1D(0.2), L.Conv1D(20, 3, kernel_initializer="he_uniform"), L.Flatten(),
                                L.Dense(20, kernel_initializer="random_uniform", kernel_regularizer=L.L2(0.1)),
                                L.Dense(20, kernel_initializer="zeros", kernel_constraint="max_norm")]),
    "image": ((9, 8, 2), 3, [L.Conv2D(20, (3, 2), strides=(2, 1), padding="same"), L.BatchNorm(), L.AvgPool2D(2),
                             L.Conv2D(8, 2, dilation_rate=2, padding="same"), L.GlobalMaxPool()]),
}  # fmt: skip


@pytest.fixture(scope="module")
def keras():
    os.environ.setdefault("KERAS_BACKEND", "torch")
    return pytest.importorskip("keras")


def network_of(shape, classes, layers):
    """The network of a model, its output layer last."""
    goal = objective("sse", resolve_activation("identity"))
    return Network((*layers, L.Dense(classes)), shape, goal, ("",) * int(np.prod(shape)), ("",) * classes)


def part(keras, value):
    """Penalties and constraints by name."""
    if not isinstance(value, Regularizer | Constraint):
        return value
    room = keras.regularizers if isinstance(value, Regularizer) else keras.constraints
    return getattr(room, type(value).__name__)(**dataclasses.asdict(value))


def twin(keras, layer, shape):
    """The same layer of Keras, its arguments by name."""
    kind = type(layer).__name__
    given = {f.name: getattr(layer, f.name) for f in dataclasses.fields(layer)}
    if kind in ("GlobalAvgPool", "GlobalMaxPool"):
        kind = f"{kind.replace('Avg', 'Average').replace('Pool', 'Pooling')}{len(shape) - 1}D"
    elif kind in ("SimpleRNN", "LSTM", "GRU"):
        del given["activation"]
    kept = {name: part(keras, value) for name, value in given.items() if value is not None}
    return getattr(keras.layers, KERAS.get(kind, kind))(**kept)


@pytest.mark.parametrize("name", MODELS)
def test_parameters_of_the_lectures(name):
    shape, classes, layers, count = MODELS[name]
    assert network_of(shape, classes, layers).n_params == count


def test_the_summary_is_keras_table():
    shape, classes, layers, count = MODELS["cnn"]
    rng = np.random.default_rng(1)
    data = {"g": [str(k) for k in range(classes)], "x": rng.random((classes, *shape))}
    same = {"layers": layers, "family": "multinomial", "algorithm": "adam", "epochs": 0, "random_state": 2}
    fit = raw.neuralnet("g ~ x", data, **same)
    assert fit.k_params == count == 104_202
    lines = fit.summary().as_text().splitlines()
    for params, out in ((320, "(26, 26, 32)"), (18_496, "(11, 11, 64)"), (73_856, "(3, 3, 128)"), (11_530, "(10,)")):
        assert any(out in line and f"{params:,}" in line for line in lines)
    assert any(line.split() == ["all", "layers", "104,202", "104,202"] for line in lines)
    held = raw.neuralnet("g ~ x", data, freeze=["conv2d", "conv2d_1", "conv2d_2"], **same)
    assert held.k_params == 11_530
    assert held.layer_table["trained"].tolist() == [0, 0, 0, 0, 0, 0, 11_530]


def test_vgg16_prints_its_layers():
    text = ns.applications.VGG16().summary()
    assert text.splitlines()[-1].split() == ["all", "layers", "138,357,544", "138,357,544"]
    assert "(112, 112, 64)" in text and "102,764,544" in text and "4,097,000" in text
    base = ns.applications.VGG16(include_top=False)
    assert "14,714,688" in base.summary() and "(7, 7, 512)" in base.summary()
    assert base.layer_table["params"].sum() == 14_714_688


def test_vgg16_is_a_network_of_its_size():
    assert network_of((224, 224, 3), 1000, ns.applications.VGG16()).n_params == 138_357_544


@pytest.mark.slow
def test_vgg16_without_its_top_in_a_fit():
    """14.7 million weights, trained by nothing yet; about 3 GB and a minute."""
    rng = np.random.default_rng(1)
    data = {"y": [0.0, 1.0], "x": rng.random((2, 32, 32, 3))}
    base = ns.applications.VGG16(include_top=False, input_shape=(32, 32, 3))
    fit = raw.neuralnet("y ~ x", data, layers=[*base, L.Flatten()], algorithm="adam", epochs=0, dtype="float32",
                       freeze=base.weight_names, random_state=1)  # fmt: skip
    assert fit.layer_table["params"].iloc[:-1].sum() == 14_714_688
    assert fit.k_params == 513
    last = [line for line in fit.summary().as_text().splitlines() if line.startswith("all layers")]
    assert last[0].split() == ["all", "layers", "14,715,201", "513"]


@pytest.mark.filterwarnings("ignore")  # of Keras
@pytest.mark.parametrize("name", [*MODELS, *KINDS])
def test_layers_are_those_of_keras(keras, name):
    shape, classes, layers = (MODELS | KINDS)[name][:3]
    network = network_of(shape, classes, layers)
    keras.utils.clear_session()
    keras.utils.set_random_seed(1)
    flow = inputs = keras.Input(shape)
    for layer in layers:
        flow = twin(keras, layer, flow.shape[1:])(flow)
    model = keras.Model(inputs, keras.layers.Dense(classes, "softmax")(flow))
    assert list(network.layer_names) == [layer.name for layer in model.layers[1:]]
    assert [place[2] for place in network.places] == [tuple(layer.output.shape[1:]) for layer in model.layers[1:]]
    ours = to_arrays(network, keras_start(network, np.random.default_rng(1)))
    held = 0 if network.implied is None else int(network.implied[0].sum())
    assert len(ours) == len(model.weights) and network.n_params - held == model.count_params()
    assert np.sum(~network.still) == sum(int(np.prod(w.shape)) for w in model.trainable_weights)
    starts = {name: getattr(layer, "kernel_initializer", "")
              for name, layer in zip(network.layer_names, layers, strict=False)}  # fmt: skip
    for (array, values), weight in zip(ours.items(), model.weights, strict=True):
        how = starts.get(array.partition("/")[0])
        other = keras.ops.convert_to_numpy(weight)
        assert array == "/".join(weight.path.split("/")[:1] + [weight.name]) and values.shape == other.shape
        if np.ptp(other) == 0 or array == "lstm/bias":
            np.testing.assert_array_equal(values, other, err_msg=array)
        elif values.size >= 250:  # both random: of one kind
            assert np.std(values) == pytest.approx(np.std(other), rel=0.15), array
            if "recurrent" not in array and how != "orthogonal":  # whose elements, of orthogonal matrices, have no limit
                assert np.abs(values).max() == pytest.approx(np.abs(other).max(), rel=0.1), array


@pytest.mark.parametrize("kind", sorted(set(L.LAYERS) - {"GlobalAvgPool", "GlobalMaxPool", "Reshape", "Flatten"}))
def test_arguments_of_layers_are_those_of_keras(keras, kind):
    theirs = inspect.signature(getattr(keras.layers, KERAS.get(kind, kind))).parameters
    for field in dataclasses.fields(L.LAYERS[kind]):
        if field.name == "name" or (field.name == "activation" and field.name not in theirs):
            continue
        assert field.name in theirs, f"{kind}.{field.name}"
        default = theirs[field.name].default
        default = default[0] if isinstance(default, tuple) else default
        if field.default is not dataclasses.MISSING and default is not inspect.Parameter.empty:
            fixed = {"SimpleRNN", "LSTM", "GRU"}  # activation: tanh, None by that name
            same = field.default == default or (isinstance(default, str) and field.default == default.lower())
            assert same or (field.name == "activation" and kind in fixed and default == "tanh")


@pytest.mark.parametrize("kind", CLASSES)
def test_defaults_of_optimizers_are_those_of_keras(keras, kind):
    theirs = inspect.signature(getattr(keras.optimizers, kind)).parameters
    for field in dataclasses.fields(getattr(ns.optimizers, kind)):
        assert field.default == theirs[field.name].default, field.name
