"""Small images read by eight models: regression, dense, convolutions (three ways), residual, branched, separable.

scikit-learn's digits (8 x 8 pixels). A split draws 1200 of the 1797 images to learn from, as many of each digit as there are
in all; all models get the same splits and epochs, and a rate of learning that falls to a tenth in fifty epochs: at a fixed
one a last epoch may lie in a peak of the loss. Convolutions are trained three times: as they are, with augmentation, and
with dropout and an L2 penalty of the kernels.

Run ``python benchmarks/image_models.py`` for the two files of the vignette (some minutes): errors and log-losses by
split and model; and for each image in how many of the splits that held it out it was read wrong.
"""

from __future__ import annotations

import argparse
import time
import warnings
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
from sklearn.datasets import load_digits
from sklearn.model_selection import StratifiedShuffleSplit

import neuralstat as ns
from neuralstat.errors import NeuralStatWarning
from neuralstat.layers import (
    L2,
    Activation,
    BatchNormalization,
    Branches,
    Conv2D,
    Dense,
    Dropout,
    Flatten,
    GlobalAveragePooling2D,
    MaxPooling2D,
    Residual,
    SeparableConv2D,
)

DATA = Path(__file__).parents[1] / "vignettes" / "data"
SAME = {"padding": "same"}


def block(filters: int, shortcut: Any = None) -> Residual:
    """Two convolutions and the way past them (He et al. 2016)."""
    return Residual([Conv2D(filters, 3, use_bias=False, **SAME), BatchNormalization(), Activation("relu"),
                     Conv2D(filters, 3, use_bias=False, **SAME), BatchNormalization()],
                    shortcut=shortcut, activation="relu")  # fmt: skip


def convolutions(**more: Any) -> list[Any]:
    return [Conv2D(16, 3, "relu", **SAME, **more), MaxPooling2D(2),
            Conv2D(32, 3, "relu", **SAME, **more), MaxPooling2D(2), Flatten()]  # fmt: skip


MODELS: dict[str, list[Any]] = {
    "logistic regression": [Flatten()],
    "dense": [Flatten(), Dense(64, "relu")],
    "convolutions": convolutions(),
    "convolutions, augmented": convolutions(),
    "convolutions, penalised": [*convolutions(kernel_regularizer=L2(1e-4)), Dropout(0.5)],
    "residual": [Conv2D(16, 3, "relu", **SAME), block(16), MaxPooling2D(2), block(32, [Conv2D(32, 1)]),
                 GlobalAveragePooling2D()],
    "branches": [
        Conv2D(16, 3, "relu", **SAME), MaxPooling2D(2),
        Branches([Conv2D(12, 1, "relu")],
                 [Conv2D(8, 1, "relu"), Conv2D(12, 3, "relu", **SAME)],
                 [Conv2D(8, 1, "relu"), Conv2D(12, 5, "relu", **SAME)],
                 [MaxPooling2D(3, strides=1, **SAME), Conv2D(12, 1, "relu")]),
        MaxPooling2D(2), Flatten(),
    ],
    "separable": [Conv2D(16, 3, "relu", **SAME), MaxPooling2D(2), SeparableConv2D(32, 3, activation="relu", **SAME),
                  MaxPooling2D(2), Flatten()],
}  # fmt: skip
SETTINGS: dict[str, Any] = {
    "family": "multinomial", "algorithm": "adam", "learningrate": ns.schedules.Exponential(0.003, steps=50, per="epoch"),
    "batch_size": 32, "dtype": "float32", "rep": 1,
}  # fmt: skip
WEAK = ns.decay(0.01, biases=False)  # of the regression, whose likelihood has no maximum where digits can be told apart
MOVED = ns.augment.ImageAugmenter(shift=0.1, rotate=8, zoom=0.08, fill="constant", random_state=1)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--splits", type=int, default=10)
    parser.add_argument("--epochs", type=int, default=100)
    parser.add_argument("--folder", type=Path, default=DATA)
    given = parser.parse_args()
    warnings.simplefilter("ignore", NeuralStatWarning)  # epochs end before an optimum, as they are meant to
    raw, began = load_digits(), time.perf_counter()
    label, pixels = raw.target.astype(str), (raw.images[..., np.newaxis] / 16).astype(np.float32)
    draws = StratifiedShuffleSplit(given.splits, train_size=1200, random_state=1).split(pixels, raw.target)
    rows, wrong, times = [], {name: np.zeros(len(label), int) for name in MODELS}, np.zeros(len(label), int)
    for split, (learn, held) in enumerate(draws, start=1):
        times[held] += 1
        for name, layers in MODELS.items():
            first = time.perf_counter()
            fit = ns.neuralnet("digit ~ pixels", {"digit": label[learn], "pixels": pixels[learn]}, layers=layers,
                               epochs=given.epochs, augment=MOVED if "augmented" in name else None, random_state=split,
                               penalty=WEAK if name == "logistic regression" else None, **SETTINGS)  # fmt: skip
            p = np.asarray(fit.predict({"pixels": pixels[held]}))
            miss = p.argmax(axis=1) != raw.target[held]
            wrong[name][held] += miss
            rows.append({
                "split": split, "model": name, "weights": fit.k_params, "error": miss.mean(),
                "log_loss": -np.log(p[np.arange(len(held)), raw.target[held]].clip(1e-15)).mean(),
                "training_accuracy": fit.history["accuracy"].iloc[-1], "seconds": time.perf_counter() - first,
            })  # fmt: skip
            print(rows[-1], flush=True)
        pd.DataFrame(rows).round({"error": 6, "log_loss": 5, "training_accuracy": 5, "seconds": 2}).to_csv(
            given.folder / "image_models.csv", index=False
        )
        each = pd.DataFrame({"image": np.arange(len(label)), "times": times} | wrong)
        each[times > 0].to_csv(given.folder / "image_models_images.csv", index=False)
        print(f"{split} of {given.splits} in {time.perf_counter() - began:.0f} s", flush=True)


if __name__ == "__main__":
    main()
