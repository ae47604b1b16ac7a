"""Make applications.json: layers and weights of known networks in Keras, and what they predict with the weights of
`seeded`, in float64. Needs Keras 3.15 and torch. Run with tests/support on the path."""

import json
import os
from pathlib import Path

os.environ["KERAS_BACKEND"] = "torch"
import keras
import numpy as np
from keras.src.backend.common import dtypes
from seeded import seeded

keras.config.set_floatx("float64")
keras.config.set_dtype_policy("float64")
dtypes.BIT64_TO_BIT32_DTYPE["float64"] = "float64"  # else products of doubles are taken in single precision
CASES = {"VGG19": {}, "ResNet50": {}, "MobileNetV2": {}, "MobileNetV2_0.35": {"alpha": 0.35}}
SHAPE, CLASSES = (41, 32, 3), 10


def images():
    return np.random.default_rng(5).uniform(-2, 2, (2, *SHAPE))


def main():
    known = {}
    for name, options in CASES.items():
        make = getattr(keras.applications, name.partition("_")[0])
        keras.backend.clear_session()
        large = make(weights=None, **options)
        own = known[name] = {"params": large.count_params(), "layers": [layer.name for layer in large.layers[1:]]}
        own["arrays"] = {w.path: w.shape for w in large.weights}
        own["params_notop"] = make(weights=None, include_top=False, **options).count_params()
        model = make(weights=None, input_shape=SHAPE, classes=CLASSES, **options)
        arrays = seeded({w.path: w.shape for w in model.weights})
        for weight in model.weights:
            weight.assign(arrays[weight.path])
        own["predictions"] = model.predict(images(), verbose=0).tolist()
        base = make(weights=None, include_top=False, input_shape=SHAPE, **options)
        for weight in base.weights:
            weight.assign(arrays[weight.path])
        features = base.predict(images(), verbose=0)
        own["features"] = {"shape": features.shape, "mean": features.mean(axis=(1, 2, 3)).tolist(),
                           "first": features[0, 0, 0, :6].tolist()}  # fmt: skip
        print(name, own["params"], own["params_notop"], np.round(own["predictions"], 3), own["features"])
    text = json.dumps(known, separators=(",", ":"))
    (Path(__file__).parent / "applications.json").write_text(text + "\n")


if __name__ == "__main__":
    main()
