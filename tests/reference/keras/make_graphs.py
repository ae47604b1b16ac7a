"""Make graphs.json: weights that graphs of layers of Keras 3 reach in ten steps in float64. Needs Keras 3.15 and torch.

Start weights and data are decimals of three places. The graphs stand in tests/support/graph_models.py.
"""

import json
import os
import sys
from pathlib import Path

os.environ["KERAS_BACKEND"] = "torch"
sys.path.insert(0, str(Path(__file__).parents[2] / "support"))
import keras
import numpy as np
import torch
from graph_models import MODELS, SHAPES, TEXTS
from make_layers import ADAM, dtypes

keras.config.set_floatx("float64")
dtypes.BIT64_TO_BIT32_DTYPE["float64"] = "float64"


def name_of(variable):
    """Path of a variable without the cells of recurrent layers and the layer that `TimeDistributed` has."""
    whole, *inner, last = variable.path.split("/")
    if inner and inner[0] in ("query", "key", "value", "attention_output"):
        return "/".join([whole, *inner, last])
    kept = [part for part in inner if part.startswith(("forward", "backward")) and not part.endswith("_cell")]
    return "/".join([whole, *kept, last])


def named(model):
    return {name_of(v): v.numpy().tolist() for v in model.weights}


def main():
    out = {}
    for k, (name, make) in enumerate(MODELS.items()):
        rng = np.random.default_rng(k)
        keras.backend.clear_session()
        inputs, end = make(keras.layers)
        model = keras.Model(inputs, keras.layers.Dense(2, name="end")(end))
        start = []
        for w in model.weights:
            positive = w.name in ("gamma", "moving_variance")
            scale = 1.5 / np.sqrt(np.prod(w.shape[:-1])) if len(w.shape) > 1 else 0.3
            start.append(rng.uniform(0.5, 1.5, w.shape).round(3) if positive
                         else (scale * rng.standard_normal(w.shape)).round(3))  # fmt: skip
        model.set_weights(start)
        x = rng.standard_normal((20, *SHAPES[name])).round(3)
        if name == "documents":
            x = rng.integers(1, 9, (20, 3, 4)).astype(float)
            x[np.arange(4) >= rng.integers(0, 5, (20, 3))[..., None]] = 0
        elif name in TEXTS:
            x = rng.integers(1, 9, (20, 6)).astype(float)
            length = rng.integers(0, 7, 20)
            length[:3] = (0, 6, 1)
            if name == "transformer":  # a mean over no words is no number in Keras
                length = np.maximum(length, 1)
            x[np.arange(6) >= length[:, None]] = 0
        y = rng.standard_normal((20, 2)).round(3)
        case = {"start": named(model), "x": x.tolist(), "y": y.tolist()}
        optimizer, losses = keras.optimizers.Adam(**ADAM), []
        for _ in range(10):
            each = ((model(torch.tensor(x), training=True) - torch.tensor(y)) ** 2).mean(axis=1)
            model.zero_grad()
            each.mean().backward()
            with torch.no_grad():
                optimizer.apply([v.value.grad for v in model.trainable_weights], model.trainable_weights)
            losses.append(float(each.mean().detach()))
        predictions = model(torch.tensor(x), training=False).detach().numpy().tolist()
        out[name] = {**case, "weights": named(model), "loss": losses, "predictions": predictions}
    Path(__file__).with_name("graphs.json").write_text(json.dumps(out, separators=(",", ":")) + "\n")


if __name__ == "__main__":
    main()
