"""What large networks cost beside their training: VGG-16 as it starts, frozen, fine-tuned, on one image, from inside.

The same layers in Keras (torch backend), in the same run, where ``--keras`` names a Python that has it; gradient ascent
beside plain PyTorch. Every measurement has a process of its own, which does the work twice: seconds are of the second time
(kernels are compiled, libraries loaded), those of all cores together beside them; memory is the peak of the process beyond
what it held before. Weights are random.

Run ``python benchmarks/frozen.py --keras PYTHON`` (3 minutes on two cores) for ``results/frozen.csv``.
"""

from __future__ import annotations

import math
import os
import warnings
from collections.abc import Callable
from typing import Any

import common
import numpy as np

BLOCKS = ((2, 64), (2, 128), (3, 256), (3, 512), (3, 512))
EPOCHS, STEPS, SIDE = 5, 20, 96
ROWS = {
    "start": "64 images of 32 x 32, epochs=0",
    "frozen": f"200 images of 32 x 32, base frozen, {EPOCHS} epochs of a head of 256 units",
    "block5": f"200 images of 32 x 32, block 5 and the head trained, {EPOCHS} epochs",
    "step": "32 images of 32 x 32, block 5 and the head trained, 1 step",
    "image": "one image of 224 x 224 through VGG-16 with top",
    "maximise": f"maximise_filter, block3_conv1, {STEPS} steps, {SIDE} x {SIDE}",
}


def images(n: int, side: int) -> np.ndarray:
    """As `preprocess_input` gives them."""
    return np.random.default_rng(3).uniform(-120, 140, (n, side, side, 3)).astype(np.float32)


# here -----------------------------------------------------------------------------------------------------------------


def application(side: int, top: bool = False) -> Any:
    """VGG-16 with random weights (He et al. 2015)."""
    import neuralstat as ns

    app = ns.applications.VGG16(include_top=top, input_shape=(side, side, 3))
    rng = np.random.default_rng(1)
    app.weights = {
        name: (math.sqrt(2 / math.prod(shape[:-1])) * rng.standard_normal(shape, dtype=np.float32) if len(shape) > 1
               else np.zeros(shape, np.float32)) for name, shape in app.arrays.items()
    }  # fmt: skip
    return app


def here(row: str) -> Callable[[], Any]:
    """A measurement with this package."""
    import neuralstat as ns
    from neuralstat.layers import Dense, Flatten

    warnings.simplefilter("ignore")
    if row == "image":
        app, one = application(224, True), images(1, 224)
        return lambda: app.predict(one)
    app = application(SIDE if row == "maximise" else 32)
    n = {"start": 64, "step": 32, "maximise": 4}.get(row, 200)
    data = {"kind": np.array(["a", "b"] * (n // 2)), "pixels": images(n, app.input_shape[0])}
    freeze = [name for name in app.weight_names if row == "frozen" or not name.startswith("block5")]
    settings: dict[str, Any] = {
        "layers": [*app, Flatten(), Dense(256, "relu")], "startweights": app.startweights, "family": "multinomial",
        "algorithm": "adam", "batch_size": 32, "dtype": "float32", "learningrate": 1e-4, "random_state": 1,
    }  # fmt: skip
    if row in ("start", "maximise"):
        settings |= {"epochs": 0, "layers": [*app, Flatten()]}
    else:
        settings |= {"epochs": 1 if row == "step" else EPOCHS, "freeze": freeze}
    if row == "maximise":
        fit = ns.neuralnet("kind ~ pixels", data, **settings)
        return lambda: ns.insight.maximise_filter(fit, "block3_conv1", 0, steps=STEPS, random_state=1)
    return lambda: ns.neuralnet("kind ~ pixels", data, **settings)


# there ----------------------------------------------------------------------------------------------------------------


def keras_vgg(side: int, top: bool) -> Any:
    """The same layers."""
    from keras import Input, Sequential, layers

    parts = [Input((side, side, 3))]
    for block, (count, filters) in enumerate(BLOCKS, start=1):
        parts += [layers.Conv2D(filters, 3, activation="relu", padding="same", name=f"block{block}_conv{k + 1}",
                                kernel_initializer="he_normal") for k in range(count)]  # fmt: skip
        parts.append(layers.MaxPooling2D(2, name=f"block{block}_pool"))
    parts.append(layers.Flatten())
    if top:
        parts += [layers.Dense(4096, "relu"), layers.Dense(4096, "relu"), layers.Dense(1000, "softmax")]
    return Sequential(parts)


def there(row: str) -> Callable[[], Any]:
    """A measurement with Keras, or PyTorch."""
    os.environ["KERAS_BACKEND"] = "torch"
    import keras

    if row == "image":
        model, one = keras_vgg(224, True), images(1, 224)
        return lambda: model.predict(one, verbose=0)
    if row == "maximise":
        return _ascent()
    n = {"start": 64, "step": 32}.get(row, 200)
    x, y = images(n, 32), np.array([0, 1] * (n // 2))

    def work() -> Any:
        base = keras_vgg(32, False)
        layers = base.layers if row == "start" else [*base.layers, keras.layers.Dense(256, "relu")]
        model = keras.Sequential([keras.Input((32, 32, 3)), *layers, keras.layers.Dense(2, "softmax")])
        if row == "start":
            return model
        for layer in base.layers:
            layer.trainable = row != "frozen" and layer.name.startswith("block5")
        model.compile(keras.optimizers.Adam(1e-4), "sparse_categorical_crossentropy", metrics=["accuracy"])
        return model.fit(x, y, epochs=1 if row == "step" else EPOCHS, batch_size=32, verbose=0)

    return work


def _ascent() -> Callable[[], Any]:
    import torch

    layers: list[Any] = []
    channels = 3
    for count, filters in BLOCKS[:2]:
        for _ in range(count):
            layers += [torch.nn.Conv2d(channels, filters, 3, padding=1), torch.nn.ReLU()]
            channels = filters
        layers.append(torch.nn.MaxPool2d(2))
    layers += [torch.nn.Conv2d(channels, 256, 3, padding=1), torch.nn.ReLU()]
    net = torch.nn.Sequential(*layers)
    for part in net.parameters():
        part.requires_grad_(False)

    def work() -> Any:
        image = torch.randn(1, 3, SIDE, SIDE, requires_grad=True)
        for _ in range(STEPS):
            value = net(image)[:, 0].mean()
            (slope,) = torch.autograd.grad(value, image)
            with torch.no_grad():
                image += slope / (slope.pow(2).mean().sqrt() + 1e-12)
        return image

    return work


# both -----------------------------------------------------------------------------------------------------------------


def measure(row: str, keras: bool) -> dict[str, float]:
    """Seconds and memory of the second time."""
    work = there(row) if keras else here(row)
    return common.measured(work, work)


if __name__ == "__main__":
    common.beside_keras(__file__, __doc__, ROWS, measure)
