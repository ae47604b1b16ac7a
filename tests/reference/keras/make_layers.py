"""Make layers.json: weights that layered nets of Keras 3 reach in some steps in float64. Needs Keras 3.15 and torch.

Start weights and data are decimals of three places. Weights are named and shaped as Keras has them.
"""

import json
import os
from pathlib import Path

os.environ["KERAS_BACKEND"] = "torch"
import keras
import numpy as np
import torch
from keras.src.backend.common import dtypes

keras.config.set_floatx("float64")
dtypes.BIT64_TO_BIT32_DTYPE["float64"] = "float64"  # else products of doubles are taken in single precision

RATE, SLOW = {"learning_rate": 2**-5}, {"learning_rate": 2**-6}
ADAM = {**SLOW, "beta_1": 0.875, "beta_2": 1 - 2**-10, "epsilon": 2**-23}
OPTIMIZERS = {
    "sgd": ("SGD", RATE),
    "momentum": ("SGD", {**RATE, "momentum": 0.875}),
    "rmsprop": ("RMSprop", {**SLOW, "rho": 0.875, "epsilon": 2**-23}),
    "adam": ("Adam", ADAM),
}
KERAS = {"BatchNorm": "BatchNormalization", "MaxPool1D": "MaxPooling1D", "MaxPool2D": "MaxPooling2D",
         "AvgPool1D": "AveragePooling1D", "AvgPool2D": "AveragePooling2D"}  # fmt: skip
NORM = ("BatchNorm", {"momentum": 0.75})
# name: (shape of the input, loss, number of outputs, rows, layers)
CASES = {
    "cnn": ((7, 6, 2), "sse", 2, 20, [
        ("Conv2D", {"filters": 3, "kernel_size": 3, "activation": "relu", "padding": "same"}),
        ("MaxPool2D", {"pool_size": 2}), ("Conv2D", {"filters": 2, "kernel_size": [2, 3], "activation": "tanh"}),
        ("Flatten", {}), ("Dense", {"units": 4, "activation": "tanh"}),
    ]),
    "cnn_strided": ((9, 8, 1), "multinomial", 3, 20, [
        ("Conv2D", {"filters": 4, "kernel_size": [3, 2], "strides": 2, "padding": "same", "activation": "tanh"}),
        ("AvgPool2D", {"pool_size": 3, "strides": 1, "padding": "same"}),
        ("Conv2D", {"filters": 3, "kernel_size": 3, "strides": [2, 1], "activation": "relu"}), ("Flatten", {}),
    ]),
    "cnn_dilated": ((9, 8, 1), "binomial", 1, 20, [
        ("Conv2D", {"filters": 3, "kernel_size": 2, "dilation_rate": [3, 2], "activation": "tanh"}),
        ("AvgPool2D", {"pool_size": [2, 3]}),
        ("Conv2D", {"filters": 4, "kernel_size": 3, "dilation_rate": 2, "padding": "same", "activation": "relu"}),
        ("GlobalAveragePooling2D", {}),
    ]),
    "conv1d": ((14, 3), "sse", 2, 20, [
        ("Conv1D", {"filters": 4, "kernel_size": 3, "padding": "causal", "dilation_rate": 2, "activation": "relu"}),
        ("MaxPool1D", {"pool_size": 2}),
        ("Conv1D", {"filters": 3, "kernel_size": 3, "padding": "same", "strides": 2, "activation": "tanh"}),
        ("AvgPool1D", {"pool_size": 2, "strides": 1}), ("GlobalMaxPooling1D", {}),
    ]),
    "simple_rnn": ((6, 2), "sse", 2, 20, [("SimpleRNN", {"units": 5})]),
    "simple_rnn_stacked": ((5, 2), "binomial", 1, 20, [
        ("SimpleRNN", {"units": 3, "return_sequences": True}), ("SimpleRNN", {"units": 4}),
    ]),
    "lstm": ((6, 2), "sse", 2, 20, [("LSTM", {"units": 4})]),
    "lstm_stacked": ((5, 2), "sse", 1, 20, [
        ("LSTM", {"units": 3, "return_sequences": True}), ("LSTM", {"units": 4}),
        ("Dense", {"units": 3, "activation": "relu"}),
    ]),
    "lstm_sequences": ((5, 2), "sse", 1, 20, [("LSTM", {"units": 3, "return_sequences": True}), ("Flatten", {})]),
    "gru": ((6, 2), "sse", 2, 20, [("GRU", {"units": 4})]),
    "gru_stacked": ((5, 2), "binomial", 1, 20, [
        ("GRU", {"units": 3, "return_sequences": True}), ("GRU", {"units": 3}),
    ]),
    "embedding": ((7,), "binomial", 1, 20, [("Embedding", {"input_dim": 9, "output_dim": 3}), ("LSTM", {"units": 3})]),
    "norm_dense": ((3,), "sse", 2, 300, [
        ("Dense", {"units": 4}), NORM, ("Activation", {"activation": "tanh"}), ("Dense", {"units": 3, "activation": "relu"}),
        NORM,
    ]),
    "norm_cnn": ((6, 6, 1), "binomial", 1, 20, [
        ("Conv2D", {"filters": 3, "kernel_size": 3}), NORM, ("Activation", {"activation": "relu"}),
        ("MaxPool2D", {"pool_size": 2}), ("Flatten", {}),
    ]),
    "norm_recurrent": ((12, 2), "sse", 1, 20, [
        NORM, ("Conv1D", {"filters": 3, "kernel_size": 3}), ("Activation", {"activation": "tanh"}),
        ("MaxPool1D", {"pool_size": 2}), ("GRU", {"units": 3, "return_sequences": True}), NORM, ("LSTM", {"units": 3}),
    ]),
    "activations": ((3,), "sse", 1, 20, [
        ("Dense", {"units": 3, "activation": name}) for name in ("elu", "selu", "softplus", "gelu", "swish", "leaky_relu")
    ]),
}  # fmt: skip


BARE = {"use_bias": False}
CASES |= {
    "depthwise": ((7, 6, 2), "sse", 2, 20, [
        ("DepthwiseConv2D", {"kernel_size": 3, "padding": "same", "depth_multiplier": 2, "activation": "relu"}),
        ("DepthwiseConv2D", {"kernel_size": [2, 3], "strides": 2, "activation": "tanh"}),
        ("DepthwiseConv2D", {"kernel_size": 2, "dilation_rate": 2, "padding": "same", **BARE}), ("Flatten", {}),
    ]),
    "depthwise1d": ((9, 3), "binomial", 1, 20, [
        ("DepthwiseConv1D", {"kernel_size": 3, "padding": "same", "dilation_rate": 2, "activation": "tanh"}),
        ("DepthwiseConv1D", {"kernel_size": 2, "strides": 2, "depth_multiplier": 2}), ("Flatten", {}),
    ]),
    "layer_norm": ((5, 3), "sse", 1, 20, [
        ("LayerNormalization", {}), ("Conv1D", {"filters": 3, "kernel_size": 2, "activation": "tanh"}),
        ("LayerNormalization", {"center": False, "epsilon": 2**-6}), ("LSTM", {"units": 3}),
        ("LayerNormalization", {"scale": False}),
    ]),
    "group_norm": ((4, 4, 4), "sse", 1, 20, [
        ("GroupNormalization", {"groups": 2}), ("Conv2D", {"filters": 4, "kernel_size": 2}),
        ("GroupNormalization", {"groups": -1}), ("Activation", {"activation": "relu"}), ("Flatten", {}),
    ]),
    "rectifiers": ((4,), "sse", 2, 20, [
        ("Dense", {"units": 6}), ("LeakyReLU", {}), ("Dense", {"units": 5}), ("PReLU", {}), ("Dense", {"units": 5}),
        ("ReLU", {"max_value": 1.0, "negative_slope": 0.25, "threshold": 0.125}), ("Dense", {"units": 4}),
        ("ELU", {"alpha": 0.5}), ("Dense", {"units": 4}), ("ReLU", {"max_value": 1.5}),
    ]),
    "prelu_cnn": ((5, 5, 1), "multinomial", 3, 20, [
        ("Conv2D", {"filters": 2, "kernel_size": 2}), ("PReLU", {"shared_axes": [1, 2]}), ("Flatten", {}),
    ]),
    "softmax_axis": ((4, 3), "sse", 1, 20, [
        ("Conv1D", {"filters": 3, "kernel_size": 2, "activation": "softmax"}),
        ("Conv1D", {"filters": 3, "kernel_size": 2}), ("Softmax", {}), ("Flatten", {}),
        ("Dense", {"units": 3, "activation": "log_softmax"}),
    ]),
    **{f"activations_{k}": ((3,), "sse", 1, 20, [("Dense", {"units": 3, "activation": name}) for name in names])
       for k, names in enumerate((
           ("mish", "hard_sigmoid", "relu6", "softsign", "exponential"),
           ("celu", "hard_silu", "squareplus", "log_sigmoid", "tanh_shrink"),
           ("hard_tanh", "sparse_plus", "soft_shrink", "sparse_sigmoid", "hard_shrink"),
       ))},
    "no_bias": ((5, 5, 1), "sse", 1, 20, [
        ("Conv2D", {"filters": 3, "kernel_size": 3, "activation": "relu", "kernel_regularizer": {"L2": {"l2": 0.02}},
                    **BARE}),
        ("Flatten", {}), ("BatchNorm", {"momentum": 0.75, "center": False}),
        ("Dense", {"units": 4, "activation": "tanh", "kernel_regularizer": {"L1L2": {"l1": 0.01, "l2": 0.02}}, **BARE}),
        ("Dense", {"units": 3, "activation": "tanh", "bias_regularizer": {"L1": {"l1": 0.03}}}),
    ]),
    "constraints": ((5, 5, 1), "sse", 1, 20, [
        ("Conv2D", {"filters": 2, "kernel_size": 2, "activation": "tanh",
                    "kernel_constraint": {"MaxNorm": {"max_value": 0.75, "axis": [0, 1, 2]}}}), ("Flatten", {}),
        ("Dense", {"units": 5, "activation": "tanh", "kernel_constraint": {"MaxNorm": {"max_value": 0.5}}}),
        ("Dense", {"units": 4, "activation": "tanh", "kernel_constraint": {"UnitNorm": {}},
                   "bias_constraint": {"NonNeg": {}}}),
        ("Dense", {"units": 4, "kernel_constraint": {"MinMaxNorm": {"min_value": 0.5, "max_value": 1.0, "rate": 0.75}}}),
    ]),
    "recurrent_penalties": ((5,), "binomial", 1, 20, [
        ("Embedding", {"input_dim": 9, "output_dim": 3, "embeddings_regularizer": {"L2": {"l2": 0.02}}}),
        ("GRU", {"units": 3, "return_sequences": True, "recurrent_regularizer": {"L1": {"l1": 0.01}},
                 "kernel_constraint": {"MaxNorm": {"max_value": 0.75}}}),
        ("LSTM", {"units": 3, "kernel_regularizer": {"L2": {"l2": 0.03}}, "bias_regularizer": {"L2": {"l2": 0.04}},
                  "recurrent_constraint": {"UnitNorm": {}}}),
    ]),
}  # fmt: skip


def error(loss, outputs, y):
    """Keras' loss of every row, from the linear predictor."""
    if loss == "sse":
        return ((outputs - y) ** 2).mean(axis=1)
    if loss == "multinomial":
        return torch.logsumexp(outputs, 1) - (outputs * y).sum(axis=1)
    return torch.nn.functional.softplus(outputs[:, 0]) - y[:, 0] * outputs[:, 0]


def mean(loss, outputs):
    inverse = {"sse": lambda u: u, "multinomial": lambda u: torch.softmax(u, 1), "binomial": torch.sigmoid}
    return inverse[loss](outputs)


def part(value):
    """An argument: penalties and constraints are dicts of their arguments by name."""
    if not isinstance(value, dict):
        return value
    ((name, arguments),) = value.items()
    return getattr(keras.regularizers if name.startswith("L") else keras.constraints, name)(**arguments)


def build(shape, outputs, layers):
    keras.backend.clear_session()
    made = [getattr(keras.layers, KERAS.get(kind, kind))(**{name: part(value) for name, value in arguments.items()})
            for kind, arguments in layers]  # fmt: skip
    return keras.Sequential([keras.Input(shape), *made, keras.layers.Dense(outputs)])


def named(model):
    return {f"{layer.name}/{v.name}": v.numpy().tolist() for layer in model.layers for v in layer.weights}


def fit(model, start, loss, x, y, new, kind, arguments, epochs, batch):
    """Training in the order of the rows: weights, mean error of every epoch, predictions of new rows."""
    model.set_weights(start)
    optimizer = getattr(keras.optimizers, kind)(**arguments)
    record = []
    for _ in range(epochs):
        total = 0.0
        for first in range(0, len(x), batch):
            rows = slice(first, first + batch)
            each = error(loss, model(x[rows], training=True), y[rows])
            model.zero_grad()
            penalty = sum(model.losses)
            (each.mean() + penalty).backward()
            with torch.no_grad():
                optimizer.apply([v.value.grad for v in model.trainable_weights], model.trainable_weights)
            total += float((each.sum() + len(each) * penalty).detach())
        record.append(total / len(x))
    predictions = mean(loss, model(new, training=False)).detach().numpy().tolist()
    return {"weights": named(model), "loss": record, "predictions": predictions}


def data(rng, shape, loss, outputs, n, vocabulary):
    x = rng.integers(0, vocabulary, (n, *shape)) if vocabulary else rng.standard_normal((n, *shape)).round(3)
    y = {
        "sse": lambda: rng.standard_normal((n, outputs)).round(3),
        "binomial": lambda: rng.integers(0, 2, (n, 1)),
        "multinomial": lambda: np.eye(outputs, dtype=int)[np.arange(n) % outputs],
    }[loss]()
    return x, y


def main():
    out = {"keras": keras.__version__, "cases": {},
           "optimizers": {name: {"class": kind, "arguments": a} for name, (kind, a) in OPTIMIZERS.items()}}  # fmt: skip
    for k, (name, (shape, loss, outputs, n, layers)) in enumerate(CASES.items()):
        rng = np.random.default_rng(k)
        model = build(shape, outputs, layers)
        start = []
        for w in model.weights:
            positive = w.name in ("gamma", "moving_variance")
            scale = 1.5 / np.sqrt(np.prod(w.shape[:-1])) if len(w.shape) > 1 else 0.3
            start.append(rng.uniform(0.5, 1.5, w.shape).round(3) if positive
                         else (scale * rng.standard_normal(w.shape)).round(3))  # fmt: skip
        vocabulary = layers[0][1]["input_dim"] if layers[0][0] == "Embedding" else 0
        x, y = data(rng, shape, loss, outputs, n, vocabulary)
        new, _ = data(rng, shape, loss, outputs, 3, vocabulary)
        tensors = [torch.tensor(a.astype(float)) for a in (x, y, new)]
        model.set_weights(start)
        case = {"layers": layers, "loss": loss, "start": named(model)}
        case |= {"x": x.tolist(), "y": y.tolist(), "new": new.tolist()}
        case["fits"] = {
            key: fit(model, start, loss, *tensors, *optimizer, 10, n) for key, optimizer in OPTIMIZERS.items()
        }
        case["batches"] = fit(model, start, loss, *tensors, *OPTIMIZERS["adam"], 4, 8 if n < 100 else 130)
        if NORM in layers:  # held out of training, it normalises as in prediction
            for layer in model.layers:
                layer.trainable = not isinstance(layer, keras.layers.BatchNormalization)
            case["frozen"] = fit(model, start, loss, *tensors, *OPTIMIZERS["momentum"], 10, n)
        out["cases"][name] = case
    Path(__file__).with_name("layers.json").write_text(json.dumps(out, separators=(",", ":")) + "\n")


if __name__ == "__main__":
    main()
