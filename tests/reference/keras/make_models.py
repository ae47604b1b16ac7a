"""Make models/*: small models as Keras 3 saves them, in float64, and what they predict. Needs Keras 3.15 and torch."""

import os
import sys
import tempfile
import zipfile
from pathlib import Path

os.environ["KERAS_BACKEND"] = "torch"
import keras
import numpy as np
from keras import layers as kl
from keras.src.backend.common import dtypes

HERE = Path(__file__).parent / "models"


def chain(shape, *layers):
    return keras.Sequential([keras.Input(shape), *layers])


def cnn():
    return chain(
        (8, 7, 2), kl.Conv2D(3, (3, 2), padding="same", activation="relu"), kl.MaxPooling2D(2, strides=1),
        kl.BatchNormalization(epsilon=0.01), kl.Conv2D(4, 3, strides=(1, 2), use_bias=False), kl.Activation("gelu"),
        kl.SpatialDropout2D(0.2), kl.AveragePooling2D((2, 1), padding="same"), kl.Flatten(), kl.Dropout(0.5),
        kl.Dense(5, "tanh", kernel_regularizer=keras.regularizers.L2(0.02)), kl.Dense(3), kl.Activation("softmax"),
    )  # fmt: skip


def lstm():
    return chain((6, 3), kl.Masking(0.0), kl.LSTM(4, return_sequences=True), kl.GRU(3, return_sequences=True, dropout=0.1),
                 kl.SimpleRNN(3, activation="relu", go_backwards=True), kl.Dense(1))  # fmt: skip


def bidirectional():
    x = inputs = keras.Input((7,), name="words")
    x = kl.Embedding(9, 4, mask_zero=True)(x)
    x = kl.Bidirectional(kl.LSTM(3, return_sequences=True, name="steps"), name="both")(x)
    x = kl.Bidirectional(kl.GRU(2), merge_mode="sum")(x)
    return keras.Model(inputs, kl.Dense(1, "sigmoid", name="out")(x))


def resnet():
    x = inputs = keras.Input((9, 9, 3))
    x = kl.ZeroPadding2D(((1, 0), (2, 1)))(x)
    x = kl.ReLU(6.0)(kl.BatchNormalization()(kl.Conv2D(4, 3, use_bias=False)(x)))
    for filters, stride in ((4, 1), (6, 2)):
        past = x if stride == 1 else kl.BatchNormalization()(kl.Conv2D(filters, 1, strides=stride)(x))
        y = kl.Activation("relu")(kl.BatchNormalization(scale=False)(kl.Conv2D(filters, 3, stride, padding="same")(x)))
        y = kl.BatchNormalization(momentum=0.9)(kl.Conv2D(filters, 3, padding="same")(y))
        x = kl.Activation("relu")(kl.Add()([past, y]))
    return keras.Model(inputs, kl.Dense(4, "softmax")(kl.GlobalAveragePooling2D()(x)), name="small_resnet")


def inception():
    x = inputs = keras.Input((8, 8, 3))
    a = kl.Conv2D(2, 1, activation="relu")(x)
    b = kl.SeparableConv2D(3, 3, padding="same", activation="elu", depth_multiplier=2)(x)
    c = kl.LeakyReLU(0.1)(kl.DepthwiseConv2D(3, padding="same")(kl.Conv2D(2, 1)(x)))
    d = kl.MaxPooling2D(3, strides=1, padding="same")(x)
    x = kl.Concatenate()([a, b, c, d])
    x = kl.Average()([kl.Conv2D(4, 3)(x), kl.Subtract()([kl.Conv2D(4, 3)(x), kl.Conv2D(4, 3)(x)])])
    return keras.Model(inputs, kl.Dense(2)(kl.GlobalMaxPooling2D()(x)))


def text():
    return chain((10,), kl.Embedding(20, 5), kl.GlobalAveragePooling1D(), kl.Dense(6, "relu"), kl.Dense(1, "sigmoid"))


def nested():
    base = keras.Sequential([keras.Input((8, 8, 3)), kl.Conv2D(3, 3, name="conv"), kl.BatchNormalization(name="norm"),
                             kl.Dropout(0.3), kl.MaxPooling2D(2)], name="base")  # fmt: skip
    base.trainable = False
    y = inner = keras.Input((3, 3, 3))
    y = kl.Add()([kl.Conv2D(3, 1, name="conv")(y), y])
    block = keras.Model(inner, kl.Conv2D(2, 2, name="last")(y), name="block")
    x = inputs = keras.Input((8, 8, 3))
    x = kl.Flatten()(block(base(x, training=False)))
    return keras.Model(inputs, kl.Dense(2, "softmax", name="out")(x))


def inputs():
    a, b = keras.Input((6, 2), name="series"), keras.Input((3,), name="numbers")
    x = kl.Concatenate()([kl.GRU(3)(a), kl.Dense(2, "relu")(b), b])
    return keras.Model([a, b], kl.Dense(1)(x))


def steps():
    x = entry = keras.Input((6, 3))
    x = kl.TimeDistributed(kl.Dense(4, "tanh"), name="each")(x)
    x = kl.Dense(3, "softmax", name="last_axis")(x)
    x = kl.LayerNormalization(epsilon=0.01)(kl.Conv1D(4, 2, padding="causal", dilation_rate=2)(x))
    x = kl.SeparableConv1D(3, 2)(kl.UpSampling1D(2)(x))
    x = kl.Permute((2, 1))(kl.Cropping1D((1, 2))(x))
    x = kl.Dense(2, use_bias=False)(kl.RepeatVector(2)(kl.Flatten()(x)))
    return keras.Model(entry, kl.Dense(2, "softplus")(kl.Reshape((-1,))(x)))


def decoder():
    return chain(
        (4,), kl.Dense(12, "selu"), kl.Reshape((2, 3, 2)), kl.Conv2DTranspose(4, 3, strides=2, padding="same"), kl.PReLU(),
        kl.GroupNormalization(2), kl.UpSampling2D((2, 1)), kl.Cropping2D(((1, 0), (0, 1))), kl.GaussianNoise(0.1),
        kl.Conv2DTranspose(2, (2, 3), activation="hard_sigmoid"), kl.Dense(3, "mish"), kl.Softmax(),
    )  # fmt: skip


def encoder():
    """Blocks of attention, of which the second sees nothing later; normalisation over two axes."""
    x = inputs = keras.Input((5, 4))
    x = kl.Add()([x, kl.MultiHeadAttention(2, 3, dropout=0.2, name="asks")(x, x)])
    x = kl.LayerNormalization(axis=(1, 2), epsilon=0.01)(x)
    x = kl.Add()([x, kl.MultiHeadAttention(1, 2, value_dim=3, use_bias=False)(x, x, x, use_causal_mask=True)])
    x = kl.MultiHeadAttention(1, 2, output_shape=3)(x, x)
    return keras.Model(inputs, kl.Dense(2)(kl.GRU(3, reset_after=False)(x)))


def joins():
    """What is multiplied, the largest, the smallest, and sums of products; reset gates that come first."""
    x = inputs = keras.Input((5, 4))
    x = kl.Bidirectional(kl.GRU(3, return_sequences=True, reset_after=False, use_bias=False), merge_mode="mul")(x)
    share = kl.Activation("softmax")(kl.Dot((2, 2))([x, x]))
    seen = kl.Dot(axes=(2, 1))([share, x])
    level = kl.Dense(1, "sigmoid")(x)
    x = kl.Maximum()([kl.Multiply()([seen, level]), kl.Minimum()([x, seen])])
    last = kl.GRU(3, reset_after=False, go_backwards=True)(x)
    mean = kl.GlobalAveragePooling1D()(x)
    return keras.Model(inputs, kl.Dense(1)(kl.Dot(axes=-1, normalize=True)([last, mean])))


NEWER = (encoder, joins)
MODELS = (cnn, lstm, bidirectional, resnet, inception, text, nested, inputs, steps, decoder)


def data(model, rng):
    """Five observations for each input."""
    found = []
    for tensor in model.inputs:
        shape = (5, *tensor.shape[1:])
        words = any(isinstance(layer, kl.Embedding) for layer in model.layers)
        x = rng.integers(0, 9, shape) if words else rng.standard_normal(shape)
        if any(isinstance(layer, kl.Masking) for layer in model.layers):
            x[:2, 3:] = 0
        found.append(x)
    return found


def randomised(model, rng):
    """Weights of every kind away from 0 and 1."""
    for weight in model.weights:
        if weight.name in ("gamma", "moving_variance"):
            weight.assign(rng.uniform(0.5, 1.5, weight.shape))
        elif len(weight.shape) < 2:
            weight.assign(rng.uniform(-0.5, 0.5, weight.shape))
        else:
            weight.assign(rng.normal(0, 1 / np.sqrt(np.prod(weight.shape[:-1])), weight.shape))


def saved(model, path):
    """Save a model, and pack its file."""
    with tempfile.TemporaryDirectory() as folder:
        made = Path(folder) / "model.keras"
        model.save(made)
        with zipfile.ZipFile(made) as source, zipfile.ZipFile(path, "w", zipfile.ZIP_DEFLATED, compresslevel=9) as target:
            for name in source.namelist():
                info = zipfile.ZipInfo(name)
                info.compress_type = zipfile.ZIP_DEFLATED
                target.writestr(info, source.read(name))


def made(make, rng):
    """Save a model in double precision; its data and predictions."""
    keras.backend.clear_session()
    keras.config.set_floatx("float64")
    keras.config.set_dtype_policy("float64")
    dtypes.BIT64_TO_BIT32_DTYPE["float64"] = "float64"  # else products of doubles are taken in single precision
    keras.utils.set_random_seed(1)
    model = make()
    randomised(model, rng)
    saved(model, HERE / f"{make.__name__}.keras")
    x = data(model, rng)
    return {**{f"{make.__name__}/{k}": value for k, value in enumerate(x)},
            f"{make.__name__}/predictions": model.predict(x if len(x) > 1 else x[0], verbose=0)}  # fmt: skip


def main():
    HERE.mkdir(exist_ok=True)
    known = {}
    rng = np.random.default_rng(1)
    for make in MODELS:
        known |= made(make, rng)
    keras.backend.clear_session()
    keras.config.set_floatx("float32")
    keras.config.set_dtype_policy("float32")
    model = cnn()
    randomised(model, rng)
    model.save(HERE / "cnn.h5")
    known["single/0"] = known["cnn/0"]
    known["single/predictions"] = model.predict(known["cnn/0"].astype("float32"), verbose=0)
    for make in NEWER:
        known |= made(make, rng)
    np.savez_compressed(HERE / "predictions.npz", **known)


if __name__ == "__main__":
    sys.exit(main())
