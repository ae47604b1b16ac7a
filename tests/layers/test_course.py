"""What courses on deep learning do and no other test does: small examples through the front door (docs/techniques.md)."""

from itertools import pairwise

import numpy as np
import pandas as pd
import pytest
import raw

import neuralstat as ns
from neuralstat.layers import (
    LSTM,
    Activation,
    Branches,
    Conv2D,
    Dense,
    Dropout,
    Flatten,
    MaxPooling2D,
    SimpleRNN,
    ZeroPadding2D,
)

pytestmark = [raw.CUT_SHORT, pytest.mark.filterwarnings("ignore::neuralstat.errors.ConvergenceWarning")]
START = {"epochs": 0, "algorithm": "adam", "random_state": 1}
N = 40


def conv(filters):
    return Conv2D(filters, 3, "relu")


def numbers(seed=1):
    """Numbers of a seed."""
    return np.random.default_rng(seed)


# parameters that the lectures print, and networks as they start ---------------------------------------------------


SMALL = [conv(32), MaxPooling2D(2), conv(64), MaxPooling2D(2)]
PRINTED = {
    "dense 512": ((28, 28), 10, [Flatten(), Dense(512, "relu")], 407_050),
    "dense 64": ((28, 28), 10, [Flatten(), Dense(64, "relu")], 50_890),
    "convolutions and a dense layer": ((28, 28, 1), 10, [*SMALL, conv(64), Flatten(), Dense(64, "relu")], 93_322),
    "three convolutions": ((28, 28, 1), 10, [*SMALL, conv(128), Flatten()], 104_202),
    "transfer": ((28, 28, 1), 5, [*SMALL, Flatten(), Dropout(0.5)], 26_821),
    "words": ((10_000,), 2, [Dense(16, "relu"), Dense(16, "relu")], 160_305),
    "topics": ((10_000,), 46, [Dense(64, "relu"), Dense(64, "relu")], 647_214),
    "topics through a bottleneck": ((10_000,), 46, [Dense(64, "relu"), Dense(4, "relu")], 640_554),
}  # fmt: skip


@pytest.mark.parametrize("name", PRINTED)
def test_parameters_that_are_printed(name):
    shape, classes, layers, count = PRINTED[name]
    label = np.array([f"k{k:02}" for k in range(classes)])
    data = {"label": label, "x": numbers().random((classes, *shape))}
    fit = ns.neuralnet("label ~ x", data, layers=layers, family="binomial" if classes == 2 else "multinomial", **START)
    assert fit.k_params == fit.layer_table["params"].sum() == count


def test_without_pooling_maps_stay_large():
    data = {"y": numbers().random(2), "x": numbers().random((2, 28, 28, 1))}
    fit = ns.neuralnet("y ~ x", data, layers=[conv(32), conv(64), conv(64), Flatten()], **START)
    assert fit.layer_table["output_shape"].iloc[2] == (22, 22, 64)


def test_convolution_by_hand():
    patch = np.array([[-0.4, 0.2, 2.1], [0.1, 1.7, 1.4], [0.0, -0.4, 1.2]])
    data = {"y": np.array([0.0, 1.0]), "x": np.stack([patch, -patch])[..., np.newaxis]}
    kernel = np.tile([-1.0, 2.0, -1.0], (3, 1))[:, :, np.newaxis, np.newaxis]
    start = {"conv2d/kernel": kernel, "conv2d/bias": np.ones(1)}
    for activation, expected in ((None, [-0.4, 2.4]), ("relu", [0.0, 2.4])):
        fit = ns.neuralnet("y ~ x", data, layers=[Conv2D(1, 3, activation), Flatten()], startweights=start, **START)
        np.testing.assert_allclose(fit.features("flatten").to_numpy()[:, 0], expected, atol=1e-12)


def test_padding_strides_and_channels():
    data = {"y": numbers().random(2), "x": numbers().random((2, 7, 7, 5))}
    layers = [Conv2D(4, 3, padding="same"), Conv2D(6, 3, strides=2), MaxPooling2D(3), Flatten()]
    fit = ns.neuralnet("y ~ x", data, layers=layers, **START)
    assert fit.layer_table["output_shape"].tolist()[:3] == [(7, 7, 4), (3, 3, 6), (1, 1, 6)]
    weights = fit.get_weights()
    assert weights["conv2d/kernel"][..., 0].size == 45
    padded = np.pad(data["x"], ((0, 0), (1, 1), (1, 1), (0, 0)))
    first = np.array([[[(padded[n, i : i + 3, j : j + 3, :, np.newaxis] * weights["conv2d/kernel"]).sum((0, 1, 2))
                        for j in range(7)] for i in range(7)] for n in range(2)])  # fmt: skip
    np.testing.assert_allclose(fit.features("conv2d"), first, atol=1e-12)


def test_grey_images_for_a_network_of_colours():
    """28 x 28 x 1 with zeros around, three times: 32 x 32 x 3, as VGG-16's base wants it."""
    pixels = numbers().random((2, 28, 28, 1))
    shapes = [ZeroPadding2D(2), Branches([], [], [], name="grey")]
    fit = ns.neuralnet("y ~ x", {"y": np.arange(2.0), "x": pixels}, layers=[*shapes, Conv2D(2, 3), Flatten()], **START)
    expected = np.repeat(np.pad(pixels, ((0, 0), (2, 2), (2, 2), (0, 0))), 3, axis=-1)
    np.testing.assert_array_equal(fit.features("grey"), expected)
    base = ns.applications.VGG16(include_top=False, input_shape=(32, 32, 3))
    whole = [*shapes, *base, Flatten(), Dropout(0.5), Dense(512, "tanh"), Dropout(0.5)]
    fit = ns.neuralnet("y ~ x", {"y": np.arange(2.0), "x": pixels}, layers=whole, dtype="float32",
                       freeze=list(base.weight_names), **START)  # fmt: skip
    assert fit.layer_table["params"][list(base.weight_names)].sum() == 14_714_688


def test_grey_levels_are_divided_in_the_formula():
    levels = numbers().integers(0, 256, (N, 6, 6, 1), dtype=np.uint8)
    y = levels[:, :3].mean(axis=(1, 2, 3)) / 255
    settings = {"layers": [conv(2), Flatten()], "algorithm": "adam", "epochs": 3, "batch_size": 8, "random_state": 1}
    fit = raw.neuralnet("y ~ {x / 255}", {"y": y, "x": levels}, **settings)
    same = raw.neuralnet("y ~ x", {"y": y, "x": levels / 255}, **settings)
    np.testing.assert_allclose(fit.predict({"x": levels}), same.predict({"x": levels / 255}), rtol=1e-9)


# training -----------------------------------------------------------------------------------------------------------


def line(**settings):
    """Five rows on a line, by SGD with all rows a batch, from given weights."""
    x = np.arange(5.0)
    data = pd.DataFrame({"x": x, "y": 10 * x})
    start = {"dense/kernel": np.zeros((1, 1)), "dense/bias": np.zeros(1)}
    given = {"layers": [Activation("linear")], "batch_size": None, "shuffle": False, "startweights": start, "random_state": 1}
    return raw.neuralnet("y ~ x", data, **{**given, **settings})


SCHEDULES = {
    "power": (ns.schedules.Power(0.01, steps=10, power=2, per="epoch"), lambda t: 0.01 / (1 + t / 10) ** 2),
    "exponential": (ns.schedules.Exponential(0.01, steps=10, per="epoch"), lambda t: 0.01 * 0.1 ** (t / 10)),
    "piecewise": (ns.schedules.Piecewise([5], [0.01, 0.001], per="epoch"), lambda t: np.where(t <= 5, 0.01, 0.001)),
}


@pytest.mark.parametrize("name", SCHEDULES)
def test_schedules_of_a_fit(name):
    schedule, rate = SCHEDULES[name]
    fit = line(algorithm=ns.optimizers.SGD(schedule), epochs=12)
    np.testing.assert_allclose(fit.history["learning_rate"], rate(np.arange(12)), rtol=1e-12)


def test_the_rate_is_divided_where_the_loss_no_longer_falls():
    schedule = ns.schedules.Performance(0.5, factor=0.1, patience=2, min_delta=1e9)
    rates = line(algorithm=ns.optimizers.Adam(schedule), epochs=7).history["learning_rate"]
    assert rates.iloc[0] == 0.5 and rates.iloc[-1] < 0.06 and rates.is_monotonic_decreasing


def test_clipped_steps():
    """The step of SGD at rate 1 is the clipped gradient; clipvalue turns it, clipnorm keeps its direction."""
    plain, value, norm = (
        np.concatenate([w.ravel() for w in line(algorithm=ns.optimizers.SGD(1.0, **clip), epochs=1).get_weights().values()])
        for clip in ({}, {"clipvalue": 15.0}, {"global_clipnorm": 1.0})
    )
    np.testing.assert_allclose(np.sort(plain), [40.0, 120.0])  # twice the means of y - f and of (y - f) x at f = 0
    np.testing.assert_allclose(value, 15.0)
    np.testing.assert_allclose(norm, plain / np.linalg.norm(plain), rtol=1e-6)


def test_batches_are_drawn_anew():
    """Shuffled batches depend on the seed, others do not."""
    given = {"algorithm": "sgd", "learningrate": 0.01, "epochs": 2, "batch_size": 2}
    ends = {(shuffle, seed): line(shuffle=shuffle, random_state=seed, **given).fit.theta
            for shuffle in (True, False) for seed in (1, 2)}  # fmt: skip
    assert np.array_equal(ends[False, 1], ends[False, 2])
    assert not np.array_equal(ends[True, 1], ends[True, 2]) and not np.array_equal(ends[True, 1], ends[False, 1])


def share_of_first(activation, start, depth=8):
    """Size of the gradient of the first layer's weights, as a share of that of the last hidden one's."""
    data = pd.DataFrame(numbers().normal(size=(200, 10)), columns=[f"x{k}" for k in range(10)])
    data = data.assign(y=numbers(2).normal(size=200))
    layers = [Dense(10, activation, kernel_initializer=start, name=f"h{k}") for k in range(depth)]
    fit = raw.neuralnet("y ~ " + " + ".join(data.columns[:10]), data, layers=layers, **START)
    ends = np.cumsum([0, *fit.layer_table["params"]])
    size = [np.linalg.norm(fit.gradients[0, a:b]) for a, b in pairwise(ends)]
    return size[0] / size[depth - 1]


def test_vanishing_gradients():
    assert share_of_first("sigmoid", "glorot_uniform") < 1e-3
    assert 0.05 < share_of_first("relu", "he_normal") < 20


ALPHA = 1.6732632423543772
RECTIFIERS = {
    "relu": lambda z: np.maximum(z, 0), "leaky_relu": lambda z: np.where(z > 0, z, 0.2 * z),
    "elu": lambda z: np.where(z > 0, z, np.expm1(z)),
    "selu": lambda z: 1.0507009873554805 * np.where(z > 0, z, ALPHA * np.expm1(z)),
}  # fmt: skip


@pytest.mark.parametrize("name", RECTIFIERS)
def test_rectifiers(name):
    z = np.linspace(-3, 3, 13)
    fit = raw.neuralnet("y ~ z", pd.DataFrame({"y": z, "z": z}), layers=[Activation(name, name="f")], **START)
    np.testing.assert_allclose(fit.features("f").to_numpy()[:, 0], RECTIFIERS[name](z), rtol=1e-12, atol=1e-15)


def reviews(n, words=40, seed=1):
    """Which of 40 words are in each text; nothing but the first two tells what is thought of it."""
    texts = numbers(seed).random((n, words)) < 0.2
    likes = texts[:, 0].astype(float) - texts[:, 1] + numbers(seed + 1).normal(0, 1.0, n) > 0
    return {"likes": likes.astype(int), "words": texts.astype(float)}


def sentiment(layers, **settings):
    """By RMSprop in batches, 60 texts to learn from and as many held out."""
    given = {"family": "binomial", "algorithm": "rmsprop", "learningrate": 0.005, "epochs": 60, "batch_size": 16}
    return raw.neuralnet("likes ~ words", reviews(60), layers=layers, validation=reviews(60, seed=5), metrics=["accuracy"],
                         random_state=1, **given, **settings)  # fmt: skip


WORDS = [Dense(16, "relu"), Dense(16, "relu")]


def test_texts_overfit_and_stop_early():
    fit = sentiment(WORDS)
    table = fit.history
    best = int(table["val_loss"].idxmin())
    assert best < 40 and table["val_loss"].iloc[-1] > 1.1 * table["val_loss"].min()
    assert table["loss"].iloc[-1] < 0.5 * table["loss"][best] and table["accuracy"].iloc[-1] > 0.95
    stopped = sentiment(WORDS, early_stopping=ns.EarlyStopping(5, monitor="val_loss"))
    assert len(stopped.history) < 60
    assert stopped.evaluate(reviews(60, seed=5))["loss"] == pytest.approx(stopped.history["val_loss"].min())


def test_smaller_networks_overfit_less():
    rise = [fit.history["val_loss"].iloc[-1] - fit.history["val_loss"].min()
            for fit in (sentiment([Dense(2, "relu")]), sentiment(WORDS))]  # fmt: skip
    assert rise[0] < 0.5 * rise[1]


def test_a_bottleneck_loses_topics():
    rng = numbers()
    topic = np.repeat(np.arange(12), 10)
    words = (rng.random((120, 12)) < 0.1) | (np.arange(12) == topic[:, np.newaxis])
    data = {"topic": np.array([f"t{k:02}" for k in topic]), "words": words.astype(float)}
    right = {}
    for units in (16, 1):
        fit = raw.neuralnet("topic ~ words", data, layers=[Dense(16, "relu"), Dense(units, "relu")], family="multinomial",
                            algorithm="rmsprop", learningrate=0.01, epochs=60, batch_size=16, random_state=1)  # fmt: skip
        right[units] = fit.history["accuracy"].iloc[-1]
    assert right[16] > 0.9 and right[1] < right[16] - 0.2


def test_houses_by_folds():
    """Numbers scaled as in the training rows, 64-64-1, mean absolute errors of four folds."""
    datasets = pytest.importorskip("sklearn.datasets")
    data = datasets.load_diabetes(as_frame=True, scaled=False).frame
    formula = "target ~ " + " + ".join(data.columns[:-1])
    fit = ns.neuralnet(formula, data, layers=[Dense(64, "relu"), Dense(64, "relu")], algorithm="rmsprop", epochs=20,
                       batch_size=16, standardize=True, rep=1, metrics=["mae"], random_state=1)  # fmt: skip
    error = ns.risk(fit, "cv", k=4, loss="mae", random_state=1)
    spread = np.abs(data["target"] - data["target"].mean()).mean()
    assert 35 < float(error) < 0.8 * spread
    assert fit.evaluate(data, metrics="mae")["mae"] < float(error)


def test_rows_drawn_again_are_weights():
    """Class priors: a class whose rows come twice counts as one of weight 2."""
    rng = numbers(4)
    x = rng.normal(size=60)
    data = pd.DataFrame({"x": x, "y": (x + rng.normal(size=60) > 0.8).astype(int)})
    rare = data[data["y"] == 1]
    twice = ns.neuralnet("y ~ x", pd.concat([data, rare]), hidden=0, family="binomial")
    weighed = ns.neuralnet("y ~ x", data, hidden=0, family="binomial", class_weight={0: 1, 1: 2})
    np.testing.assert_allclose(weighed.predict(data), twice.predict(data), atol=1e-5)


def random_features(units, seed, n=30):
    """Rows, their responses, new rows, their means, and a kernel of random features."""
    rng = np.random.default_rng(seed)
    x, new, beta = rng.normal(size=(n, 5)), rng.normal(size=(500, 5)), rng.normal(size=5)
    return x, x @ beta + 0.5 * rng.normal(size=n), new, new @ beta, rng.normal(size=(5, units)) / np.sqrt(5)


def ridge(x, y, new, kernel, strength):
    """Least squares on features with a free constant and a small penalty: means of new rows."""
    h, g = np.maximum(x @ kernel, 0), np.maximum(new @ kernel, 0)
    mean, root = h.mean(axis=0), np.sqrt(strength) * np.eye(h.shape[1])
    w = np.linalg.lstsq(np.vstack([h - mean, root]), np.append(y - y.mean(), np.zeros(len(root))), rcond=None)[0]
    return y.mean() + (g - mean) @ w


def test_double_descent():
    """Fits are least squares on random features; the error on new rows peaks where weights are as many as rows."""
    names, error = list("abcde"), {}
    for units in (6, 29, 300):  # and a constant
        found = []
        for seed in range(7):
            x, y, new, truth, kernel = random_features(units, seed)
            start = {"random/kernel": kernel, "random/bias": np.zeros(units), "dense/kernel": np.zeros((units, 1)),
                     "dense/bias": np.zeros(1)}  # fmt: skip
            fit = ns.neuralnet("y ~ a + b + c + d + e", pd.DataFrame(x, columns=names).assign(y=y), rep=1,
                               layers=[Dense(units, "relu", name="random")], freeze="random", startweights=start,
                               penalty=ns.decay(1e-5, biases=False), algorithm="lm", threshold=1e-10,
                               standardize=False)  # fmt: skip
            made = fit.predict(pd.DataFrame(new, columns=names)).to_numpy()
            np.testing.assert_allclose(made, ridge(x, y, new, kernel, 1e-5), atol=1e-3)
            found.append(((made - truth) ** 2).mean())
        error[units] = np.median(found)
    assert error[29] > 4 * error[6] and error[29] > 4 * error[300]


# sequences ----------------------------------------------------------------------------------------------------------


def sigmoid(z):
    return 1 / (1 + np.exp(-z))


def test_recurrent_layers_by_hand():
    series = numbers().normal(size=(3, 4, 2))
    data = {"y": np.arange(3.0), "x": series}
    fit = ns.neuralnet("y ~ x", data, layers=[SimpleRNN(3)], **START)
    w = fit.get_weights()
    h = np.zeros((3, 3))
    for k in range(4):
        h = np.tanh(series[:, k] @ w["simple_rnn/kernel"] + h @ w["simple_rnn/recurrent_kernel"] + w["simple_rnn/bias"])
    np.testing.assert_allclose(fit.features("simple_rnn"), h, atol=1e-12)

    fit = ns.neuralnet("y ~ x", data, layers=[LSTM(3)], **START)
    w = fit.get_weights()
    h = c = np.zeros((3, 3))
    for k in range(4):
        z = np.split(series[:, k] @ w["lstm/kernel"] + h @ w["lstm/recurrent_kernel"] + w["lstm/bias"], 4, axis=1)
        c = sigmoid(z[1]) * c + sigmoid(z[0]) * np.tanh(z[2])
        h = sigmoid(z[3]) * np.tanh(c)
    np.testing.assert_allclose(fit.features("lstm"), h, atol=1e-12)


def test_windows_as_one_time_of_many_features():
    """The lecture's LSTM reads (n, 1, 6): with one time there is no past, and recurrent weights do nothing."""
    flow = np.sin(np.arange(60) / 3)
    windows = np.lib.stride_tricks.sliding_window_view(flow, 30)
    data = {"later": windows[:, 6:], "flow": windows[:, np.newaxis, :6].copy()}
    fit = raw.neuralnet("later ~ flow", data, layers=[LSTM(4)], algorithm="rmsprop", epochs=2, batch_size=8, random_state=1)
    weights = fit.get_weights()
    moved = weights | {"lstm/recurrent_kernel": weights["lstm/recurrent_kernel"] + 1}
    other = raw.neuralnet("later ~ flow", data, layers=[LSTM(4)], startweights=moved, **START)
    assert fit.predict().shape == (31, 24)
    np.testing.assert_allclose(other.predict(), fit.predict(), atol=1e-12)
