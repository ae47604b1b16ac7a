"""What a course on deep learning asks of a computer: calls, frozen networks, images in memory, words.

The same work in Keras (torch backend) in the same run, where ``--keras`` names a Python that has it. Every measurement has a
process of its own, which first does the work on a few rows (kernels are compiled, libraries loaded), then once in full:
seconds of it, those of all cores together, and the peak of memory beyond what was held before, where the data already were.
Rows of VGG-16 and of maximisation are those of `frozen.py`, measured by it.

Run ``python benchmarks/course.py --keras PYTHON`` (6 minutes on two cores) for ``results/course.csv``.
"""

from __future__ import annotations

import os
import warnings
from collections.abc import Callable
from typing import Any

import common
import frozen
import numpy as np

EPOCHS = 5
ROWS = {
    "call": "4 images of 224 x 224 x 3, epochs=0",
    "start": "VGG-16, " + frozen.ROWS["start"],
    "frozen": "VGG-16, " + frozen.ROWS["frozen"],
    "block5": "VGG-16, " + frozen.ROWS["block5"],
    "image": frozen.ROWS["image"],
    "memory": "1,000 uint8 images of 128 x 128 x 3, a CNN, 1 epoch in float32",
    "words": "3,000 texts, which of 10,000 words are in each, 16-16-1, 20 epochs of batches of 512",
    "cnn": f"1,000 images of 32 x 32 x 3, three convolutions and a head of 64 units, {EPOCHS} epochs",
    "cnn_frozen": f"the same, {EPOCHS} epochs of the head",
    "maximise": frozen.ROWS["maximise"],
}
THERE = ("start", "frozen", "block5", "image", "maximise")  # in frozen.py
FILTERS = (32, 64, 128)


def pictures(n: int, side: int) -> np.ndarray:
    return np.random.default_rng(1).integers(0, 256, (n, side, side, 3), dtype=np.uint8)


def texts() -> tuple[Any, np.ndarray]:
    """A sparse matrix of zeros and ones, 130 words a text; what is thought of it."""
    import scipy.sparse

    rng = np.random.default_rng(1)
    words = [np.unique((10_000 * rng.random(150) ** 3).astype(int)) for _ in range(3000)]
    columns, ends = np.concatenate(words), np.cumsum([0, *(len(w) for w in words)])
    x = scipy.sparse.csr_matrix((np.ones(len(columns), np.float32), columns, ends), (3000, 10_000))
    return x, (rng.random(3000) < 0.5).astype(int)


def labels(n: int) -> np.ndarray:
    return np.arange(n) % 2


# here: work on the first n rows ---------------------------------------------------------------------------------------


def here(row: str) -> tuple[Callable[[int], Any], int, int]:
    """Work on some rows, how many there are, bytes of the data."""
    import neuralstat as ns
    from neuralstat.layers import Conv2D, Dense, Flatten, MaxPooling2D

    warnings.simplefilter("ignore")
    shared: dict[str, Any] = {"family": "binomial", "dtype": "float32", "random_state": 1, "algorithm": "rmsprop"}
    if row == "words":
        x, y = texts()
        layers: list[Any] = [Dense(16, "relu"), Dense(16, "relu")]

        def read(n: int) -> Any:
            data = {"likes": y[:n], "words": x[:n]}
            return ns.neuralnet("likes ~ words", data, layers=layers, epochs=20 if n == 3000 else 1, batch_size=512, **shared)

        return read, 3000, x.data.nbytes + x.indices.nbytes
    n, side = {"call": (4, 224), "memory": (1000, 128)}.get(row, (1000, 32))
    x = pictures(n, side)
    base: list[Any] = [part for f in FILTERS for part in (Conv2D(f, 3, "relu", name=f"conv{f}"), MaxPooling2D(2))]
    layers = [*base, Flatten(), Dense(64, "relu")]
    epochs = {"call": 0, "memory": 1}.get(row, EPOCHS)
    freeze = [f"conv{f}" for f in FILTERS] if row == "cnn_frozen" else None

    def look(n: int) -> Any:
        return ns.neuralnet("kind ~ {pixels / 255}", {"kind": labels(n), "pixels": x[:n]}, layers=layers, epochs=epochs,
                            batch_size=32, freeze=freeze, **shared)  # fmt: skip

    return look, n, x.nbytes


# there ----------------------------------------------------------------------------------------------------------------


def there(row: str) -> tuple[Callable[[int], Any], int, int]:
    """The same with Keras."""
    os.environ["KERAS_BACKEND"] = "torch"
    import keras
    from keras import layers as L

    def train(model: Any, x: Any, y: Any, epochs: int, size: int) -> Any:
        model.compile("rmsprop", "binary_crossentropy", metrics=["accuracy"])
        return model.fit(x, y, epochs=epochs, batch_size=size, verbose=0) if epochs else model

    if row == "words":
        sparse, y = texts()
        x = sparse.toarray()  # Keras' lectures have them so

        def read(n: int) -> Any:
            ends = [L.Dense(16, "relu"), L.Dense(16, "relu"), L.Dense(1, "sigmoid")]
            return train(keras.Sequential([keras.Input((10_000,)), *ends]), x[:n], y[:n], 20 if n == 3000 else 1, 512)

        return read, 3000, x.nbytes
    n, side = {"call": (4, 224), "memory": (1000, 128)}.get(row, (1000, 32))
    pixels = pictures(n, side)

    def look(n: int) -> Any:
        base = [part for f in FILTERS for part in (L.Conv2D(f, 3, activation="relu"), L.MaxPooling2D(2))]
        for layer in base:
            layer.trainable = row != "cnn_frozen"
        parts = [keras.Input((side, side, 3)), L.Rescaling(1 / 255), *base, L.Flatten(), L.Dense(64, "relu")]
        model = keras.Sequential([*parts, L.Dense(1, "sigmoid")])
        return train(model, pixels[:n], labels(n), {"call": 0, "memory": 1}.get(row, EPOCHS), 32)

    return look, n, pixels.nbytes


# both -----------------------------------------------------------------------------------------------------------------


def measure(row: str, keras: bool) -> dict[str, float]:
    """Seconds and memory of the work in full, and the size of the data."""
    work, n, size = there(row) if keras else here(row)
    return {**common.measured(lambda: work(min(n, 64)), lambda: work(n)), "data": size / 2**20}


if __name__ == "__main__":
    common.beside_keras(__file__, __doc__, ROWS, measure, dict.fromkeys(THERE, frozen.__file__))
