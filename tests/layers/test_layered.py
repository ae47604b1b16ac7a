"""Layered networks through the front door: layers=, arrays as data, weights by layer, transfer."""

import dataclasses
import warnings

import numpy as np
import pandas as pd
import pytest
import raw
from chains import CHAINS, chain_network

import neuralstat as ns
from neuralstat import layers as L
from neuralstat.errors import ArgumentError, ConvergenceWarning, DataError, FileFormatError, FitWarning
from neuralstat.network import derivatives
from neuralstat.network.arrays import keras_start, positions

N = 40
IMAGES = (L.Conv2D(2, 3, "tanh"), L.Flatten())
BY_ADAM = {"family": "multinomial", "algorithm": "adam", "batch_size": 16, "random_state": 1}


@pytest.fixture(scope="module")
def data():
    rng = np.random.default_rng(5)
    pixels = rng.random((N, 5, 4, 1))
    share = pixels[:, :2].mean(axis=(1, 2, 3))
    return {
        "g": np.array(["low", "mid", "high"])[np.digitize(share, [0.45, 0.55])], "pixels": pixels,
        "y": share + 0.01 * rng.random(N),
        "z": rng.random(N), "w": rng.random(N), "case": rng.random(N) + 0.5, "series": rng.standard_normal((N, 6, 2)),
    }  # fmt: skip


@pytest.fixture(scope="module")
def joined(data):
    """A fit with tabular inputs beside an image."""
    return raw.neuralnet("g ~ pixels + z + w", data, layers=[*IMAGES, L.Dense(3, "tanh")], epochs=3, rep=2, **BY_ADAM)


def convolve(images, weights):
    kernel, bias = weights["conv2d/kernel"], weights["conv2d/bias"]
    n, rows, columns = images.shape[0], images.shape[1] - 2, images.shape[2] - 2
    out = np.zeros((n, rows, columns, kernel.shape[3]))
    for i in range(rows):
        for j in range(columns):
            out[:, i, j] = np.einsum("nabc,abcf->nf", images[:, i : i + 3, j : j + 3], kernel) + bias
    return np.tanh(out)


def forward(data, weights):
    """Features of the convolution, of the dense layer, and class probabilities, by numpy."""
    image = convolve(data["pixels"], weights)
    beside = np.column_stack([data["z"], data["w"], image.reshape(N, -1)])
    hidden = np.tanh(beside @ weights["dense/kernel"] + weights["dense/bias"])
    e = np.exp(hidden @ weights["dense_1/kernel"] + weights["dense_1/bias"])
    return image, hidden, e / e.sum(axis=1, keepdims=True)


def test_tabular_inputs_enter_at_the_first_dense_layer(data, joined):
    for rep in (1, 2):
        image, hidden, share = forward(data, joined.get_weights(rep))
        np.testing.assert_allclose(joined.predict(rep=rep), share, rtol=1e-12)
        np.testing.assert_allclose(joined.features("conv2d", rep=rep), image, rtol=1e-12)
        np.testing.assert_allclose(joined.features("flatten", rep=rep), image.reshape(N, -1), rtol=1e-12)
        np.testing.assert_allclose(joined.features("dense", rep=rep), hidden, rtol=1e-12)
    assert joined.network.topology == "22-12-3-3"
    assert joined.predict(rep="all").shape == (N, 6)
    np.testing.assert_allclose(joined.predict(), (joined.predict(rep=1) + joined.predict(rep=2)) / 2)
    assert joined.predict(type="class").dtype == "category"
    assert joined.features("dense", {k: v[:3] for k, v in data.items()}).shape == (3, 3)
    with pytest.raises(ArgumentError, match="layer must be one of 'conv2d', 'flatten', 'dense'; got 'dense_1'"):
        joined.features("dense_1")


def test_derivatives_of_joined_networks(joined):
    network, design, data = joined.network, joined.design, joined.fitted.data
    theta = joined.fit.theta[0]
    step = 1e-6
    grad = derivatives.gradient(network, data, theta)
    for j in range(0, network.n_params, 7):
        up, down = theta.copy(), theta.copy()
        up[j] += step
        down[j] -= step
        numeric = (derivatives.error(network, data, up) - derivatives.error(network, data, down)) / (2 * step)
        assert abs(grad[j] - numeric) < 1e-5 * np.abs(grad).max()
    slopes = derivatives.slopes(network, design.x, theta)  # (K, D, n)
    for d in (0, 7, 20, 21):  # pixels, then z and w
        x = design.x.copy()
        x[d] += step
        numeric = (derivatives.outputs(network, x, theta)[0] - derivatives.outputs(network, design.x, theta)[0]) / step
        np.testing.assert_allclose(slopes[:, d], numeric, atol=1e-4 * np.abs(slopes).max())
    exact = derivatives.hessian(network, data, theta)
    assert np.all(np.isfinite(exact))
    np.testing.assert_allclose(derivatives.scores(network, data, theta).sum(axis=0), grad, atol=1e-9)


def test_flatten_first_then_dense(data):
    """No layer before the Dense one: it reads the inputs as they are, the image first."""
    fit = raw.neuralnet("y ~ pixels + z", data, layers=[L.Flatten(), L.Dense(2, "tanh")], algorithm="adam", epochs=1)
    w = fit.get_weights()
    x = np.column_stack([data["pixels"].reshape(N, -1), data["z"]])
    out = np.tanh(x @ w["dense/kernel"] + w["dense/bias"]) @ w["dense_1/kernel"] + w["dense_1/bias"]
    np.testing.assert_allclose(fit.predict(), out[:, 0], rtol=1e-12)
    dense = raw.neuralnet("y ~ pixels + z", data, hidden=2, act_fct="tanh", algorithm="adam", epochs=0, startweights=w)
    np.testing.assert_allclose(dense.predict(), out[:, 0], rtol=1e-12)
    assert dense.design.x_names[0] == "pixels[0,0,0]" and dense.design.x_names[-1] == "z"


def test_dense_layers_are_the_same_as_hidden():
    data = ns.datasets.doppler(n=50, noise=0.1, random_state=1)
    start = np.random.default_rng(1).standard_normal(22)
    same = {"startweights": start, "threshold": 0.5, "random_state": 1}
    a = raw.neuralnet("y ~ x", data, hidden=(3, 3), act_fct="tanh", **same)
    b = raw.neuralnet("y ~ x", data, layers=[L.Dense(3, "tanh"), L.Dense(3, "tanh")], **same)
    pd.testing.assert_frame_equal(a.result_matrix, b.result_matrix)
    assert a.aic == b.aic
    assert b.get_weights()["dense/kernel"].shape == (1, 3)
    np.testing.assert_array_equal(b.get_weights()["dense_2/bias"], b.weights[0][2][0])
    b.plot()
    assert "Dense(3, 'tanh'), Dense(3, 'tanh')]" in b.call


# -- start weights ------------------------------


def test_start_weights_are_keras(data):
    fit = raw.neuralnet("y ~ series", data, layers=[L.LSTM(5)], algorithm="adam", epochs=0, rep=2, random_state=3)
    w = fit.get_weights(1)
    assert list(w) == ["lstm/kernel", "lstm/recurrent_kernel", "lstm/bias", "dense/kernel", "dense/bias"]
    recurrent = w["lstm/recurrent_kernel"]
    np.testing.assert_allclose(recurrent @ recurrent.T, np.eye(5), atol=1e-12)
    np.testing.assert_array_equal(w["lstm/bias"], np.repeat([0.0, 1, 0, 0], 5))
    limit = np.sqrt(6 / (2 + 20))
    assert limit > np.abs(w["lstm/kernel"]).max() > 0.8 * limit
    assert np.all(w["dense/bias"] == 0)
    one = raw.neuralnet("y ~ series", data, layers=[L.LSTM(5)], algorithm="adam", epochs=0, random_state=3)
    np.testing.assert_array_equal(one.fit.theta[0], fit.fit.theta[0])  # a stream per repetition
    assert np.any(fit.get_weights(2)["lstm/kernel"] != w["lstm/kernel"])
    image = raw.neuralnet("g ~ pixels", data, layers=[L.Conv2D(30, 3), L.Flatten()], epochs=0, **BY_ADAM).get_weights()
    limit = np.sqrt(6 / (9 + 9 * 30))  # the field counts on both sides
    assert limit > np.abs(image["conv2d/kernel"]).max() > 0.9 * limit
    other = raw.neuralnet("y ~ series", data, layers=[L.LSTM(5)], algorithm="adam", epochs=0, init="normal")
    assert np.all(other.get_weights()["lstm/bias"] != 0)


def test_weights_go_out_and_in(data, joined):
    layers = [*IMAGES, L.Dense(3, "tanh")]
    again = raw.neuralnet(
        "g ~ pixels + z + w", data, layers=layers, epochs=0, rep=2, startweights=joined.get_weights("all"), **BY_ADAM
    )
    np.testing.assert_array_equal(again.fit.theta, joined.fit.theta)
    part = {name: a for name, a in joined.get_weights(2).items() if name.startswith("conv2d")}
    mixed = raw.neuralnet("g ~ pixels + z + w", data, layers=layers, epochs=0, rep=2, startweights=part, **BY_ADAM)
    for rep in (1, 2):
        np.testing.assert_array_equal(mixed.get_weights(rep)["conv2d/kernel"], part["conv2d/kernel"])
    assert np.any(mixed.get_weights(1)["dense/kernel"] != mixed.get_weights(2)["dense/kernel"])
    for bad, message in [
        ({"conv/kernel": np.zeros((3, 3, 1, 2))}, "no array 'conv/kernel'; it has 'conv2d/kernel'"),
        ({"conv2d/kernel": np.zeros((3, 3, 2, 1))}, r"shape \(3, 3, 2, 1\), expected \(3, 3, 1, 2\)"),
        ({"conv2d/bias": [np.nan, 0]}, "finite"), ({"conv2d/bias": "text"}, "must be numbers"), ([part] * 3, "3 dicts"),
    ]:  # fmt: skip
        with pytest.raises(ArgumentError, match=message):
            raw.neuralnet("g ~ pixels + z + w", data, layers=layers, epochs=0, rep=2, startweights=bad, **BY_ADAM)
    at = positions(joined.network)
    assert np.array_equal(np.sort(np.concatenate([a.ravel() for a in at.values()])), np.arange(joined.network.n_params))


@pytest.mark.parametrize("formula", ["y ~ pixels + z", "y ~ z + w"])
def test_standardized_weights_go_out_and_in(data, formula):
    layers = [*IMAGES, L.Dense(3, "tanh")] if "pixels" in formula else [L.Dense(3, "tanh")]
    given = {"layers": layers, "algorithm": "adam", "standardize": True, "random_state": 1}
    fit = raw.neuralnet(formula, data, epochs=2, **given)
    again = raw.neuralnet(formula, data, epochs=0, startweights=fit.get_weights(), **given)
    np.testing.assert_allclose(again.predict(), fit.predict(), rtol=1e-10)
    head = {name: a for name, a in fit.get_weights().items() if name == "dense_1/kernel"}
    part = raw.neuralnet(formula, data, epochs=0, startweights=head, **given)
    np.testing.assert_allclose(part.get_weights()["dense_1/kernel"], head["dense_1/kernel"])


# -- training -----------------------------------


@pytest.mark.parametrize("algorithm", ["rprop+", "rprop-", "sag", "slr", "lm", "bfgs", "lbfgs"])
def test_full_batch_algorithms(data, algorithm):
    given = {"layers": [*IMAGES, L.Dense(2, "tanh")], "penalty": ns.decay(0.01), "random_state": 2}
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", ConvergenceWarning)
        fit = raw.neuralnet("y ~ pixels + z", data, algorithm=algorithm, threshold=1e-3, stepmax=2000, **given)
    assert fit.errors[0] < 0.5 * fit.fit.trace[0][1][0]
    if algorithm in ("lm", "bfgs", "lbfgs"):
        assert fit.converged
        grad = derivatives.gradient(fit.network, fit.fitted.data, fit.fit.theta[0], fit.fitted.penalty_of(0))
        assert np.abs(grad).max() <= 1e-3


def test_recurrent_by_full_batch(data):
    fit = raw.neuralnet("y ~ series + z", data, layers=[L.LSTM(2)], algorithm="lm", penalty=ns.decay(0.05),
                       threshold=1e-6, random_state=1)  # fmt: skip
    assert fit.converged
    moved = fit.fit.theta + 1e-3 * np.random.default_rng(1).standard_normal(fit.fit.theta.shape)
    back = raw.neuralnet("y ~ series + z", data, layers=[L.LSTM(2)], algorithm="bfgs", penalty=ns.decay(0.05),
                        threshold=1e-6, startweights=moved)  # fmt: skip
    assert back.converged
    np.testing.assert_allclose(back.errors, fit.errors, rtol=1e-8)
    np.testing.assert_allclose(back.predict(), fit.predict(), atol=1e-3)
    names = fit.network.names
    assert names[0] == "lstm/bias[0]" and names[-1] == "dense/kernel[2,0]"
    z = fit.params["dense/kernel[0,0]"]  # the tabular input's weight is its slope
    np.testing.assert_allclose(fit.slopes()["z"], z, rtol=1e-10)


def test_freeze_and_exclude(data):
    given = {"layers": [*IMAGES, L.Dense(3, "tanh")], "random_state": 1, "rep": 2}
    start = raw.neuralnet("y ~ pixels", data, algorithm="adam", epochs=0, **given)
    by_epochs = raw.neuralnet("y ~ pixels", data, algorithm="adam", epochs=2, freeze=["conv2d", "dense/bias"], **given)
    with pytest.warns(ConvergenceWarning):
        by_steps = raw.neuralnet(
            "y ~ pixels", data, stepmax=20, threshold=1e-9, freeze=["conv2d", "dense/bias"], **given
        )
    for fit in (by_epochs, by_steps):
        for rep in (1, 2):
            old, new = start.get_weights(rep), fit.get_weights(rep)
            moved = [name for name in new if np.any(old[name] != new[name])]
            assert moved == ["dense/kernel", "dense_1/kernel", "dense_1/bias"]
        assert fit.k_params == start.k_params - 20 - 3
        assert fit.layer_table["trained"].tolist() == [0, 0, 36, 4]
    held = raw.neuralnet("y ~ pixels", data, algorithm="adam", epochs=2, exclude=["conv2d/kernel[0,0,0,1]", "dense/bias[2]"],
                        constant_weights=[0.5], **given)  # fmt: skip
    assert held.get_weights()["conv2d/kernel"][0, 0, 0, 1] == 0.5 and held.get_weights()["dense/bias"][2] == 0
    for freeze, message in [("flatten", "has no weights"), ("conv", "no layer 'conv'; layers: 'conv2d', 'flatten'"),
                            (["conv2d", "dense", "dense_1"], "all weights")]:  # fmt: skip
        with pytest.raises(ArgumentError, match=message):
            raw.neuralnet("y ~ pixels", data, algorithm="adam", epochs=1, freeze=freeze, **given)


@raw.CUT_SHORT
def test_update_goes_on(data):
    given = {"layers": [*IMAGES], "algorithm": "sgd", "batch_size": 16, "shuffle": False, "random_state": 1, "rep": 2}
    half = raw.neuralnet("y ~ pixels", data, epochs=2, **given)
    whole = raw.neuralnet("y ~ pixels", data, epochs=4, **given)
    np.testing.assert_array_equal(half.update().fit.theta, whole.fit.theta)  # sgd has no memory
    smaller = half.update(learningrate=1e-3, freeze="conv2d", epochs=1)
    np.testing.assert_array_equal(
        smaller.get_weights()["conv2d/kernel"], half.get_weights(smaller.best)["conv2d/kernel"]
    )
    assert smaller.history["learning_rate"].tolist() == [1e-3, 1e-3]
    freed = smaller.update(freeze=None)
    assert np.any(freed.get_weights(1)["conv2d/kernel"] != smaller.get_weights(1)["conv2d/kernel"])
    with pytest.warns(ConvergenceWarning):
        finished = half.update(algorithm="bfgs", stepmax=30, threshold=1e-9, learningrate=None)
    assert np.all(finished.errors < half.errors)
    with pytest.raises(ArgumentError, match="update: layers belongs to the model"):
        half.update(layers=[L.Flatten()])
    split = raw.neuralnet("y ~ pixels", data, epochs=1, validation=0.2, **given)
    np.testing.assert_array_equal(split.update().design.x, split.design.x)
    assert split.update().history["val_loss"].notna().all()
    with pytest.raises(ArgumentError, match="validation must be data"):
        split.update(validation=0.3)


def test_class_weights_case_weights_callbacks(data):
    seen = []
    fit = raw.neuralnet("g ~ pixels", data, layers=IMAGES, epochs=2, class_weight="balanced", weights="case", validation=0.2,
                       callbacks=lambda epoch, logs: seen.append((epoch, logs["val_accuracy"])), **BY_ADAM)  # fmt: skip
    assert [epoch for epoch, _ in seen] == [1, 2]
    assert fit.history["accuracy"].between(0, 1).all()
    classes = pd.Series(data["g"])[:32]
    share = classes.map(32 / (3 * classes.value_counts())).to_numpy() * data["case"][:32]
    np.testing.assert_allclose(fit.design.weights, share)
    assert fit.plot_history().get_xlabel() == "epoch"


# -- transfer -----------------------------------


@pytest.fixture(scope="module")
def digits():
    from sklearn.datasets import load_digits

    raw = load_digits()
    low = raw.target < 5
    pixels = raw.images[..., np.newaxis] / 16
    every = {"digit": raw.target.astype(str), "pixels": pixels}
    return ({k: v[low][:400] for k, v in every.items()}, {k: v[~low][:60] for k, v in every.items()},
            {k: v[~low][60:400] for k, v in every.items()})  # fmt: skip


@raw.CUT_SHORT
def test_a_new_head_on_digits(digits):
    """Features learned on 0 to 4 serve 5 to 9: frozen first, then all layers at a smaller rate."""
    low, few, rest = digits
    first = raw.neuralnet("digit ~ pixels", low, layers=[L.Conv2D(8, 3, "relu"), L.Flatten()], epochs=8,
                         learningrate=0.01, **BY_ADAM)  # fmt: skip
    assert first.history["accuracy"].iloc[-1] > 0.95
    head = first.replace_head(few, epochs=30)
    body = first.get_weights()
    for name in ("conv2d/kernel", "conv2d/bias"):
        np.testing.assert_array_equal(head.get_weights()[name], body[name])
    assert list(head.design.classes) == list("56789")
    refined = head.update(freeze=None, learningrate=1e-3, epochs=15)
    assert refined.history["loss"].iloc[-1] < head.history["loss"].iloc[-1]
    accuracy = {name: (fit.predict(rest, type="class") == rest["digit"]).mean() for name, fit in
                {"head": head, "refined": refined}.items()}  # fmt: skip
    assert accuracy["head"] > 0.8 and accuracy["refined"] > 0.8  # a guess is 0.2
    everything = first.replace_head(few, epochs=1, freeze=False)
    assert np.any(everything.get_weights()["conv2d/kernel"] != body["conv2d/kernel"])
    numeric = first.replace_head(
        {**few, "bright": few["pixels"].mean(axis=(1, 2, 3))}, "bright ~ pixels", epochs=1, family="gaussian"
    )
    assert numeric.predict(few).name == "bright"


def test_what_a_head_needs(data, joined):
    glm = raw.neuralnet("y ~ z", data, hidden=0, algorithm="lm")
    with pytest.raises(ArgumentError, match="no hidden layers"):
        glm.replace_head(data)
    scaled = raw.neuralnet("y ~ pixels", data, layers=IMAGES, algorithm="adam", epochs=0, standardize=True)
    with pytest.raises(ArgumentError, match="scaling of the fit's data"):
        scaled.replace_head(data)
    other = {**data, "pixels": data["pixels"][:, :4]}
    with pytest.raises(ArgumentError, match=r"'dense/kernel' has the shape \(14, 3\), expected \(10, 3\)"):
        joined.replace_head(other)


# -- data ---------------------------------------


def test_arrays_of_all_kinds_of_data(data):
    xr = pytest.importorskip("xarray")
    given = {"layers": IMAGES, "algorithm": "adam", "epochs": 1, "random_state": 1}
    fit = raw.neuralnet("y ~ pixels", data, **given)
    labels = [f"r{k}" for k in range(N)]
    dims = ("row", "i", "j", "channel")
    cube = xr.Dataset({"pixels": (dims, data["pixels"]), "y": ("row", data["y"])}, coords={"row": labels})
    by_xarray = raw.neuralnet("y ~ pixels", cube, **given)
    np.testing.assert_array_equal(by_xarray.fit.theta, fit.fit.theta)
    assert by_xarray.predict(cube).index.tolist() == labels
    arrays = raw.NeuralNet(data["y"], data["pixels"], **given).fit()
    np.testing.assert_array_equal(arrays.fit.theta, fit.fit.theta)
    np.testing.assert_array_equal(arrays.predict(data["pixels"][:3]), fit.predict()[:3])
    every = raw.neuralnet("y ~ .", {"y": data["y"], "pixels": data["pixels"]}, **given)
    np.testing.assert_array_equal(every.fit.theta, fit.fit.theta)
    grey = raw.neuralnet("y ~ {pixels / 255}", {**data, "pixels": (255 * data["pixels"]).astype(np.uint8)}, **given)
    np.testing.assert_allclose(grey.design.x, fit.design.x, atol=1 / 255)
    assert list(grey.design.terms) == ["pixels / 255"]


def test_channels_are_joined(data):
    two = {**data, "edges": data["pixels"] ** 2}
    fit = raw.neuralnet("y ~ pixels + edges + z", two, layers=IMAGES, algorithm="adam", epochs=1)
    assert fit.network.input_shape == (5, 4, 2)
    both = np.concatenate([two["pixels"], two["edges"]], axis=-1)
    np.testing.assert_allclose(fit.features("conv2d"), convolve(both, fit.get_weights()), rtol=1e-12, atol=1e-14)
    with pytest.raises(DataError, match=r"'pixels' \(5, 4, 1\), 'series' \(6, 2\) cannot be joined"):
        raw.neuralnet("y ~ pixels + series", two, layers=IMAGES)
    assert raw.neuralnet("y ~ pixels + series", two, hidden=1, algorithm="adam", epochs=0).network.topology == "32-1-1"


def test_scaling_is_by_channel(data):
    given = {"layers": [*IMAGES, L.Dense(2, "tanh")], "algorithm": "adam", "epochs": 2, "random_state": 1}
    fit = raw.neuralnet("y ~ pixels + z", data, standardize=True, **given)
    scaled = {name: (data[name] - data[name].mean()) / data[name].std(ddof=1) for name in ("pixels", "z", "y")}
    by_hand = raw.neuralnet("y ~ pixels + z", scaled, **given)
    back = by_hand.predict() * data["y"].std(ddof=1) + data["y"].mean()
    np.testing.assert_allclose(fit.predict(), back, rtol=1e-9)
    assert fit.design.scaling.x_sd.shape == (21,) and np.unique(fit.design.scaling.x_sd).size == 2
    np.testing.assert_allclose(fit.predict(data), fit.predict(), rtol=1e-12)


def test_missing_rows_and_shapes(data):
    gaps = {**data, "pixels": data["pixels"].copy()}
    gaps["pixels"][3, 0, 0, 0] = np.nan
    fit = raw.neuralnet("y ~ pixels", gaps, layers=IMAGES, algorithm="adam", epochs=1)
    assert np.flatnonzero(fit.fittedvalues.isna()).tolist() == [3]
    assert np.isnan(fit.features("conv2d")[3]).all() and np.isfinite(fit.features("conv2d")[:3]).all()
    new = fit.predict({"pixels": gaps["pixels"][2:5]})
    assert new.isna().tolist() == [False, True, False]
    with pytest.raises(DataError, match=r"'pixels' \(1\)"):
        raw.neuralnet("y ~ pixels", gaps, layers=IMAGES, missing="raise")
    with pytest.raises(DataError, match=r"column 'pixels' held an array of shape \(5, 4, 1\) .* shape \(4, 4, 1\) now"):
        fit.predict({"pixels": data["pixels"][:, 1:]})
    with pytest.raises(DataError, match=r"'pixels' held an array .* one value"):
        fit.predict({"pixels": data["z"]})
    for change, message in [
        ({"pixels": data["pixels"][:5]}, "different lengths"), ({"pixels": np.full((N, 2, 2), "a")}, "must hold numbers"),
        ({"pixels": np.where(gaps["pixels"] > 0.99, np.inf, 1.0)}, "infinite in"),
        ({"pixels": np.zeros((N, 3, 0))}, "axis is empty"),
    ]:  # fmt: skip
        with pytest.raises(DataError, match=message):
            raw.neuralnet("y ~ pixels", {**data, **change}, layers=IMAGES)
    for formula, error, message in [
        ("y ~ pixels:z", ArgumentError, "put arithmetic into braces"), ("y ~ poly(pixels, 2)", DataError, "elementwise"),
        ("y ~ {pixels + series}", DataError, "pixels"), ("pixels:z ~ y", ArgumentError, "left-hand"),
    ]:  # fmt: skip
        with pytest.raises(error, match=message):
            raw.neuralnet(formula, data, layers=IMAGES)
    with pytest.raises(DataError, match=r"weights has the shape \(5, 4, 1\) per row"):
        raw.neuralnet("y ~ z", data, weights="pixels")


def test_an_array_as_response(data):
    fit = raw.neuralnet(
        "track ~ z", {"track": data["series"][:, :2, 0], "z": data["z"]}, hidden=0, algorithm="lm", threshold=1e-9,
        random_state=1,
    )
    assert list(fit.predict().columns) == ["track[0]", "track[1]"]
    beta = np.linalg.lstsq(np.c_[np.ones(N), data["z"]], data["series"][:, :2, 0], rcond=None)[0]
    np.testing.assert_allclose(fit.weights[0][0], beta, atol=1e-6)


@pytest.mark.parametrize(
    ("layers", "message"),
    [
        ([L.Conv2D(2, 3)], r"the output layer: Dense needs a flat input, but \(3, 2, 2\) comes in"),
        ([L.Conv2D(2, 9), L.Flatten()], r"layer 1 \('conv2d'\): .* does not fit"),
        ([L.LSTM(2)], r"layer 1 \('lstm'\): LSTM needs \(time, feature\)"),
        ([L.Flatten(), L.Dense(2, name="a"), L.Dense(2, name="a")], "two layers are called 'a'"),
        ([L.Flatten(), L.Dense(2, "nope")], "unknown activation function 'nope'"),
    ],
)
def test_layers_that_do_not_fit(data, layers, message):
    with pytest.raises(ArgumentError, match=message):
        raw.neuralnet("y ~ pixels", data, layers=layers)


@pytest.mark.parametrize("more", [{"hidden": 3}, {"act_fct": "tanh"}, {"compat": "R"}])
def test_what_cannot_stand_beside_layers(data, more):
    with pytest.raises(ArgumentError, match=f"{next(iter(more))} cannot be combined with layers="):
        raw.neuralnet("y ~ pixels", data, layers=IMAGES, **more)


# -- what a fit can do --------------------------


def test_summary_shows_the_layers(joined):
    text = str(joined)
    assert "Layers (input 5x4x1 and 2 beside)" in text and "all layers" in text
    assert "conv2d (Conv2D)" in text and "(3, 2, 2)" in text
    table = joined.layer_table
    assert table["params"].tolist() == [20, 0, 45, 12] and table["params"].sum() == joined.network.n_params
    assert joined.layer_table.index.tolist() == ["conv2d", "flatten", "dense", "dense_1"]
    assert "<td" in joined.summary().as_html()
    ax = joined.plot()
    written = [text.get_text().split("\n") for text in ax.texts if text.get_text()]
    assert [lines[0] for lines in written] == ["input", *table.index]
    assert written[1][1:] == ["", "3 × 2 × 2", "20 weights"]  # the name says the kind
    assert len(ax.patches) == 3 + 3 + 3  # two images of three sides, three layers of one
    with pytest.raises(ArgumentError, match="layer_table"):
        ns.plots.plot_layers(table.drop(columns="kind"), (5, 4, 1))
    joined.plot_fit()
    joined.plot_restarts()


def test_inference_of_a_small_layered_net(data):
    fit = raw.neuralnet(
        "y ~ series", data, layers=[L.LSTM(1)], algorithm="bfgs", penalty=ns.decay(0.02), threshold=1e-6, random_state=1
    )
    assert fit.converged
    assert 1 < float(fit.df("jacobian")) < fit.k_params
    assert np.isfinite(fit.aic)
    jacobian = derivatives.jacobian(fit.network, fit.fitted.data, fit.fit.theta[0])[0]
    curvature = 0.02 * np.eye(fit.k_params)
    trace = np.trace(np.linalg.solve(jacobian.T @ jacobian + curvature, jacobian.T @ jacobian))
    np.testing.assert_allclose(float(fit.df("jacobian")), trace, rtol=1e-6)
    assert fit.bse.notna().all() and fit.bse.index[0] == "lstm/bias[0]"
    assert np.all(np.diag(fit.cov_params(cov_type="sandwich")) > 0)


def test_saved_fits(data, joined, tmp_path):
    path = tmp_path / "fit.nst"
    scaled = raw.neuralnet("y ~ {pixels * 2} + z", data, layers=[L.Conv2D(2, (2, 3), lambda z: z / (1 + z**2)), *IMAGES[1:]],
                          algorithm="adam", epochs=1, standardize=True, freeze="conv2d/bias")  # fmt: skip
    for fit in (joined, scaled):
        fit.save(path, data=True)
        again = ns.load(path)
        assert again.call == fit.call and again.network.layer_names == fit.network.layer_names
        np.testing.assert_array_equal(again.predict(data), fit.predict(data))
        np.testing.assert_array_equal(again.design.encode(again.design.frame).x, fit.design.x)
        for name, array in fit.get_weights().items():
            np.testing.assert_array_equal(again.get_weights()[name], array)
        pd.testing.assert_frame_equal(again.layer_table, fit.layer_table)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", FitWarning)  # two epochs
        again = ns.load(path).update(epochs=1)
    np.testing.assert_array_equal(again.get_weights()["conv2d/bias"], scaled.get_weights()["conv2d/bias"])


def test_damaged_layers_are_refused(joined, tmp_path):
    from neuralstat.io import model as io_model
    from neuralstat.io.encoding import Reader, Writer
    from neuralstat.summary.call import call

    writer = Writer()
    model = io_model.pack(joined.fitted, writer)
    good = model["settings"]["layers"]
    assert call(io_model.unpack(model, Reader(dict(writer.arrays)))) == joined.call
    bad = [[{**good[0], "kind": "Evil"}], [{"kind": "Conv2D"}], "text", [3], [{**good[0], "filters": -1}],
           [{**good[0], "filters": "3"}],
           [{**good[0], "activation": {"custom": 3}}], good[:1]]  # fmt: skip
    for layers in bad:
        damaged = {**model, "settings": {**model["settings"], "layers": layers}}
        with pytest.raises((FileFormatError, ArgumentError, TypeError, ValueError)):
            io_model.unpack(damaged, Reader(dict(writer.arrays)))


@pytest.mark.parametrize("kind", L.LAYERS)
def test_every_kind_of_layer_has_arrays_and_start_weights(kind):
    """A new entry of LAYERS is tested by being there: `arrays.positions` must know where its weights lie."""
    for field in dataclasses.fields(L.LAYERS[kind]):
        assert field.init, f"{kind}.{field.name} is no argument, and could not be saved"
    for chain in CHAINS[kind]:
        network = chain_network(chain)
        at = positions(network, implied=True)
        every = np.sort(np.concatenate([a.ravel() for a in at.values()]))
        assert np.array_equal(every, np.arange(network.n_params)), f"{kind}: arrays do not cover the weights"
        assert len(set(network.names)) == network.n_params
        assert np.isfinite(keras_start(network, np.random.default_rng(1))).all()
        owners = set(network.layer_names)
        owners |= {own.rpartition("/")[0] for own in owners if own.endswith(("/depthwise", "/pointwise"))}
        assert {name.rpartition("/")[0] for name in at} <= owners


@pytest.mark.parametrize("standardize", [False, True])
def test_risk_of_a_layered_net(data, standardize):
    """Cross-validation trains the parts as a fit does: the same error as folds by hand."""
    fit = raw.neuralnet(
        "y ~ pixels + z", data, layers=IMAGES, algorithm="lbfgs", threshold=1e-4, penalty=ns.decay(0.05),
        standardize=standardize, freeze="conv2d/bias", random_state=1,
    )  # fmt: skip
    result = ns.risk(fit, "cv", k=4, random_state=2)
    assert 0 < float(result.estimate) < 3 * np.var(data["y"])
    again = ns.risk(fit, "cv", k=4, random_state=2)
    assert float(again.estimate) == float(result.estimate)


def test_covariance_df_refits_the_procedure(data):
    fit = raw.neuralnet("y ~ pixels", data, layers=IMAGES, algorithm="adam", epochs=3, random_state=1)
    df = fit.df("covariance", draws=10, sigma=0.05, random_state=1)
    assert np.isfinite(float(df)) and df.se > 0
