"""Make weights/*: files of small models as Keras 3 writes them, and what the models predict. Needs Keras 3.15 and torch."""

import os
from pathlib import Path

os.environ["KERAS_BACKEND"] = "torch"
import h5py
import keras
import numpy as np
from keras import layers as kl

HERE = Path(__file__).parent / "weights"


def models():
    keras.utils.set_random_seed(3)
    yield "dense", (4,), [kl.Dense(5, "relu"), kl.Dense(3, "tanh", use_bias=True), kl.Dense(2, "softmax", name="predictions")]
    yield "cnn", (8, 6, 2), [
        kl.Conv2D(3, 3, activation="relu", padding="same", name="block1_conv1"), kl.MaxPooling2D(2), kl.Dropout(0.3),
        kl.Conv2D(4, (3, 2), name="block2_conv1"), kl.BatchNormalization(), kl.Flatten(),
        kl.Dense(2, "softmax", name="predictions"),
    ]  # fmt: skip
    yield "recurrent", (6, 3), [kl.LSTM(4, return_sequences=True), kl.GRU(3), kl.BatchNormalization(), kl.Dense(1)]


def main():
    HERE.mkdir(exist_ok=True)
    rng = np.random.default_rng(1)
    for name, shape, layers in models():
        keras.backend.clear_session()
        model = keras.Sequential([keras.Input(shape), *layers])
        model.set_weights([rng.uniform(0.25, 1, w.shape) * rng.choice([-1, 1], w.shape) if w.ndim > 1
                           else rng.uniform(0.25, 1, w.shape) for w in model.get_weights()])  # fmt: skip
        model.save(HERE / f"{name}.keras")
        model.save(HERE / f"{name}.h5")
        model.save_weights(HERE / f"{name}.weights.h5")
        x = rng.standard_normal((5, *shape))
        arrays = {f"{layer.name}/{v.name}": v.numpy() for layer in model.layers for v in layer.weights
                  if v.name != "seed_generator_state"}  # fmt: skip
        np.savez(HERE / f"{name}.npz", inputs=x, predictions=model.predict(x, verbose=0), **arrays)
    # as Keras 1 named arrays, in bytes: the files of VGG16's weights are such
    with h5py.File(HERE / "keras1.h5", "w") as file:
        file.attrs["layer_names"] = [b"input_1", b"block1_conv1", b"fc1"]
        file.create_group("input_1").attrs["weight_names"] = np.zeros(0, "S1")
        for layer, shape in (("block1_conv1", (3, 3, 1, 2)), ("fc1", (6, 2))):
            group = file.create_group(layer)
            names = [f"{layer}_W_1:0", f"{layer}_b_1:0"]
            group.attrs["weight_names"] = [n.encode() for n in names]
            group[names[0]] = rng.standard_normal(shape).astype(np.float32)
            group[names[1]] = rng.standard_normal(2).astype(np.float32)


if __name__ == "__main__":
    main()
