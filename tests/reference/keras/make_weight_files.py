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
    convolutions = [kl.Conv2D(f, 3, activation="relu", padding="same", name=name) for name, f in
                    (("block1_conv1", 3), ("block2_conv1", 4), ("block2_conv2", 5))]  # fmt: skip
    yield "vgg", (33, 32, 3), [
        convolutions[0], kl.MaxPooling2D(2, 2, name="block1_pool"), *convolutions[1:],
        kl.MaxPooling2D(2, 2, name="block2_pool"), kl.Flatten(name="flatten"), kl.Dense(6, "relu", name="fc1"),
        kl.Dense(5, "relu", name="fc2"), kl.Dense(4, "softmax", name="predictions"),
    ]  # fmt: skip


def main():
    HERE.mkdir(exist_ok=True)
    rng = np.random.default_rng(1)
    for name, shape, layers in models():
        keras.backend.clear_session()
        model = keras.Sequential([keras.Input(shape), *layers])
        model.set_weights([rng.uniform(0.25, 1, w.shape) if w.ndim < 2 else rng.choice([-1, 1], w.shape)
                           * rng.uniform(0.25, 1, w.shape) / np.sqrt(np.prod(w.shape[:-1])) for w in model.get_weights()])
        model.save(HERE / f"{name}.h5")
        if name == "vgg":
            x = 50 * rng.standard_normal((3, *shape)).astype(np.float32)
            np.savez_compressed(HERE / f"{name}.npz", inputs=x, predictions=model.predict(x, verbose=0))
            continue
        model.save(HERE / f"{name}.keras")
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
