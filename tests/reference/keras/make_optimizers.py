"""Make optimizers.json: weights that Keras 3 reaches in some steps in float64. Run with Keras 3.15 and torch installed."""

import itertools
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

RATE = {"learning_rate": 2**-4}
SLOW = {"learning_rate": 2**-6}
ADAM = {**SLOW, "beta_1": 0.875, "beta_2": 1 - 2**-10, "epsilon": 2**-23}
CASES = {
    "sgd": ("SGD", RATE),
    "momentum": ("SGD", {**RATE, "momentum": 0.875}),
    "nesterov": ("SGD", {**RATE, "momentum": 0.875, "nesterov": True}),
    "adagrad": ("Adagrad", {**RATE, "initial_accumulator_value": 0.125, "epsilon": 2**-23}),
    "rmsprop": ("RMSprop", {**SLOW, "rho": 0.875, "epsilon": 2**-23}),
    "rmsprop_momentum": ("RMSprop", {**SLOW, "rho": 0.875, "epsilon": 2**-23, "momentum": 0.5}),
    "rmsprop_centered": ("RMSprop", {**SLOW, "rho": 0.875, "epsilon": 2**-23, "centered": True}),
    "adam": ("Adam", ADAM),
    "amsgrad": ("Adam", {**ADAM, "amsgrad": True}),
    "adamw": ("AdamW", {**ADAM, "weight_decay": 2**-7}),
    "nadam": ("Nadam", ADAM),
    "adadelta": ("Adadelta", {"learning_rate": 0.5, "rho": 0.875, "epsilon": 2**-10}),
    "adamax": ("Adamax", ADAM),
    "lion": ("Lion", {**SLOW, "beta_1": 0.875, "beta_2": 1 - 2**-6, "weight_decay": 2**-7}),
    "defaults_nadam": ("Nadam", {}),
    "defaults_adadelta": ("Adadelta", {}),
    "defaults_adamax": ("Adamax", {}),
    "defaults_lion": ("Lion", {}),
    "defaults_sgd": ("SGD", {}),
    "defaults_adagrad": ("Adagrad", {}),
    "defaults_rmsprop": ("RMSprop", {}),
    "defaults_adam": ("Adam", {}),
    "defaults_adamw": ("AdamW", {}),
    "clipnorm": ("SGD", {**RATE, "clipnorm": 0.25}),
    "global_clipnorm": ("SGD", {**RATE, "global_clipnorm": 0.5}),
    "clipvalue": ("SGD", {**RATE, "clipvalue": 0.125}),
    "weight_decay": ("SGD", {**RATE, "momentum": 0.875, "weight_decay": 0.125}),
}


def single(a):
    return a.astype(np.float32).astype(float)


class Half(keras.losses.Loss):
    """Half the sum of squared residuals over outputs; Keras takes the mean over the batch, with sample weights."""

    def call(self, y_true, y_pred):
        return 0.5 * keras.ops.sum(keras.ops.square(y_pred - y_true), axis=-1)


def fit(kind, arguments, start, x, y, *, epochs, batch, decay=0.0, weights=None):
    """Keras' layers, losses, regularizers and optimizers in a loop."""
    regularizer = keras.regularizers.L2(decay / 2) if decay else None
    layers = [keras.Input((3,))]
    for units, activation in ((4, "tanh"), (5, "sigmoid"), (2, None)):
        layers.append(
            keras.layers.Dense(units, activation, kernel_regularizer=regularizer, bias_regularizer=regularizer)
        )
    model = keras.Sequential(layers)
    model.set_weights(start)
    optimizer = getattr(keras.optimizers, kind)(**arguments)
    half = Half()
    x, y = torch.tensor(x), torch.tensor(y)
    record = {"loss": [], "val_loss": []}
    for _ in range(epochs):
        total = 0.0
        for first in range(0, len(x), batch):
            rows = slice(first, first + batch)
            sample = None if weights is None else torch.tensor(weights[rows])
            loss = half(y[rows], model(x[rows]), sample_weight=sample) + sum(model.losses)
            model.zero_grad()
            loss.backward()
            with torch.no_grad():
                optimizer.apply([v.value.grad for v in model.trainable_weights], model.trainable_weights)
            total += float(loss.detach()) * len(x[rows])
        record["loss"].append(total / len(x))
        record["val_loss"].append(float((half(y[:7], model(x[:7])) + sum(model.losses)).detach()))
    flat = []
    values = model.get_weights()
    for kernel, bias in zip(values[::2], values[1::2], strict=True):
        flat += np.vstack([bias, kernel]).T.ravel().tolist()
    return {"theta": flat, **record}


def main():
    rng = np.random.default_rng(20)
    x = single(rng.standard_normal((40, 3)))
    y = single(np.stack([np.sin(x[:, 0]) + x[:, 1], x[:, 1] * x[:, 2]], axis=1))
    weights = single(rng.uniform(0.2, 3, 40))
    sizes = (3, 4, 5, 2)
    start, flat = [], []
    for n_in, n_out in itertools.pairwise(sizes):
        matrix = single(0.7 * rng.standard_normal((1 + n_in, n_out)))
        start += [matrix[1:], matrix[0]]
        flat += matrix.T.ravel().tolist()
    out = {"keras": keras.__version__, "x": x.tolist(), "y": y.tolist(), "weights": weights.tolist(), "start": flat}
    out["full"] = {
        name: {"class": kind, "arguments": arguments, **fit(kind, arguments, start, x, y, epochs=10, batch=40)}
        for name, (kind, arguments) in CASES.items()
    }
    adam = ("Adam", ADAM)
    out["adam"] = ADAM
    out["batches"] = fit(*adam, start, x, y, epochs=4, batch=16)
    out["weighted"] = fit(*adam, start, x, y, epochs=4, batch=16, weights=weights)
    out["penalised"] = fit(*adam, start, x, y, epochs=4, batch=16, decay=0.05)
    Path(__file__).with_name("optimizers.json").write_text(json.dumps(out) + "\n")


if __name__ == "__main__":
    main()
