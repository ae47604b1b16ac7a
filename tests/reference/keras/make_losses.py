"""Make losses.json: weights and histories of Keras 3 in float64, `compile` and `fit`, for losses of one and more outputs.

Run with Keras 3.15 and torch installed.
"""

import json
import os
from pathlib import Path

os.environ["KERAS_BACKEND"] = "torch"
import keras
import numpy as np
from keras.src.backend.common import dtypes

keras.config.set_floatx("float64")
dtypes.BIT64_TO_BIT32_DTYPE["float64"] = "float64"  # else products of doubles are taken in single precision

SLOW = {"learning_rate": 2**-6, "epsilon": 2**-23}
OPTIMIZERS = {
    "sgd": ("SGD", {"learning_rate": 2**-4}),
    "momentum": ("SGD", {"learning_rate": 2**-5, "momentum": 0.875}),
    "clipped": ("SGD", {"learning_rate": 2**-4, "clipnorm": 0.125}),
    "adagrad": ("Adagrad", {"learning_rate": 2**-4, "initial_accumulator_value": 0.125, "epsilon": 2**-23}),
    "rmsprop": ("RMSprop", {**SLOW, "rho": 0.875}),
    "adam": ("Adam", {**SLOW, "beta_1": 0.875, "beta_2": 1 - 2**-10}),
    "adamw": ("AdamW", {**SLOW, "beta_1": 0.875, "beta_2": 1 - 2**-10, "weight_decay": 2**-4}),
}
CASES = {  # loss, activation of the outputs, outputs
    "mse_1": ("mean_squared_error", "linear", 1),
    "mse_3": ("mean_squared_error", "linear", 3),
    "mae_2": ("mean_absolute_error", "linear", 2),
    "classes_3": ("categorical_crossentropy", "softmax", 3),
    "binary_1": ("binary_crossentropy", "sigmoid", 1),
    "binary_3": ("binary_crossentropy", "sigmoid", 3),
    "poisson_2": ("poisson", "exponential", 2),
}
EPOCHS, BATCH = 2, 8


def single(a):
    return np.asarray(a).astype(np.float32).astype(float)


def responses(loss, outputs, x, rng):
    eta = np.stack([np.sin(x[:, 0]) + x[:, 1], x[:, 1] * x[:, 2], x[:, 2] - x[:, 0]], axis=1)[:, :outputs]
    if loss == "categorical_crossentropy":
        return np.eye(outputs)[eta.argmax(axis=1)]
    if loss == "binary_crossentropy":
        return (eta + 0.5 * rng.standard_normal(eta.shape) > 0).astype(float)
    if loss == "poisson":
        return rng.poisson(np.exp(0.4 * eta)).astype(float)
    return single(eta)


def fit(kind, arguments, case, start, x, y, weights=None):
    """A model of a penalised hidden layer, trained by Keras itself; the first rows are validated on."""
    loss, activation, outputs = CASES[case]
    penalty = {"kernel_regularizer": keras.regularizers.L1L2(0.005, 0.02), "bias_regularizer": keras.regularizers.L2(0.03)}
    model = keras.Sequential([keras.Input((3,)), keras.layers.Dense(4, "tanh", **penalty),
                              keras.layers.Dense(outputs, activation)])  # fmt: skip
    model.set_weights(start)
    model.compile(optimizer=getattr(keras.optimizers, kind)(**arguments), loss=loss)
    record = model.fit(x, y, batch_size=BATCH, epochs=EPOCHS, shuffle=False, sample_weight=weights, verbose=0,
                       validation_data=(x[:7], y[:7]), validation_batch_size=7)  # fmt: skip
    return {"weights": [w.tolist() for w in model.get_weights()], **record.history}


def main():
    rng = np.random.default_rng(21)
    x, weights = single(rng.standard_normal((40, 3))), single(rng.uniform(0.2, 3, 40))
    out = {"keras": keras.__version__, "x": x.tolist(), "sample_weight": weights.tolist(), "optimizers": OPTIMIZERS,
           "cases": {}}  # fmt: skip
    for case, (loss, _, outputs) in CASES.items():
        y = responses(loss, outputs, x, rng)
        shapes = [(3, 4), (4,), (4, outputs), (outputs,)]
        start = [single(0.7 * rng.standard_normal(shape)) for shape in shapes]
        optimizers = OPTIMIZERS if case.startswith("mse") else {name: OPTIMIZERS[name] for name in ("sgd", "adam")}
        fits = {name: fit(*optimizer, case, start, x, y) for name, optimizer in optimizers.items()}
        fits["weighted"] = fit(*OPTIMIZERS["momentum"], case, start, x, y, weights)
        out["cases"][case] = {"y": y.tolist(), "start": [w.tolist() for w in start], "fits": fits}
    Path(__file__).with_name("losses.json").write_text(json.dumps(out) + "\n")


if __name__ == "__main__":
    main()
