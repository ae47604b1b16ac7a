"""Looking into applications: what a fit of the same layers and weights gives, and derivatives of their own predictions."""

from __future__ import annotations

import tracemalloc

import numpy as np
import pandas as pd
import pytest
import raw

from neuralstat import insight, layers
from neuralstat.applications import Application, KerasModel, vgg
from neuralstat.errors import ArgumentError, DataError
from neuralstat.network import derivatives

RNG = np.random.default_rng(3)
SHAPE = (8, 7, 2)
IMAGES = RNG.normal(0, 1, (6, *SHAPE))
HIDDEN = [layers.Conv2D(3, 3, "tanh", name="first"), layers.MaxPool2D(2, name="pool"),
          layers.Conv2D(4, 2, "tanh", name="second"), layers.Flatten(name="flat")]  # fmt: skip


def weighed(made, kind=float):
    rng = np.random.default_rng(5)
    made.weights = {name: rng.normal(0, 0.6, shape).astype(kind) for name, shape in made.arrays.items()}
    return made


def application(classes=3, hidden=HIDDEN, shape=SHAPE, kind=float):
    return weighed(Application("small", hidden, layers.Dense(classes, name="predictions"), shape), kind)


def fit_of(app, classes=3, **more):
    """A fit of the application's layers and weights."""
    x = np.resize(IMAGES, (max(len(IMAGES), classes), *SHAPE))
    data = {"kind": pd.Categorical.from_codes(np.arange(len(x)) % classes, [f"c{k}" for k in range(classes)]), "x": x}
    return raw.neuralnet("kind ~ x", data, layers=[*app], startweights=app.startweights, family="multinomial",
                         algorithm="adam", epochs=0, random_state=1, **more)  # fmt: skip


def with_head(app, fit):
    """The application with the fit's output layer."""
    own = fit.get_weights()
    name = fit.layer_table.index[-1]
    app.weights |= {f"{app.head.name}/{part}": own[f"{name}/{part}"] for part in ("kernel", "bias")}
    return app


@pytest.fixture(scope="module")
def pair():
    app = application()
    fit = fit_of(app)
    return with_head(app, fit), fit


def test_everything_is_what_a_fit_of_the_same_weights_gives(pair):
    app, fit = pair
    new = {"x": IMAGES}
    np.testing.assert_allclose(app.predict(IMAGES), fit.predict(new), rtol=1e-10)
    for k, name in ((None, None), (0, "c0"), (2, "c2")):
        for type in ("response", "link"):
            for function, more in ((insight.saliency, {}), (insight.integrated_gradients, {"steps": 7, "baseline": 0.3}),
                                   (insight.occlusion, {"size": (3, 2), "stride": 2, "value": 0.5})):  # fmt: skip
                got, want = (function(one, rows, output=output, type=type, **more)
                             for one, rows, output in ((app, IMAGES, k), (fit, new, name)))  # fmt: skip
                np.testing.assert_allclose(got, want, rtol=1e-9, atol=1e-12, err_msg=f"{function.__name__} {k} {type}")
        for layer in ("first", "second"):
            got, want = insight.grad_cam(app, IMAGES, layer, output=k), insight.grad_cam(fit, new, layer, output=name)
            np.testing.assert_allclose(got, want, rtol=1e-9, atol=1e-12)
    np.testing.assert_allclose(insight.feature_maps(app, IMAGES[1:2], "pool"),
                               insight.feature_maps(fit, {"x": IMAGES[1:2]}, "pool"))  # fmt: skip
    np.testing.assert_array_equal(insight.filters(app, "first", channel=1), insight.filters(fit, "first", channel=1))


def test_saliency_is_the_derivative_of_the_predictions(pair):
    app, _ = pair
    got = insight.saliency(app, IMAGES[:1], output=1)[0]
    step = 1e-6
    for at in ((0, 0, 0), (3, 4, 1), (7, 6, 0)):
        moved = np.repeat(IMAGES[:1], 2, axis=0)
        moved[(0, *at)] += step
        moved[(1, *at)] -= step
        p = app.predict(moved)[:, 1]
        np.testing.assert_allclose(got[at], (p[0] - p[1]) / (2 * step), rtol=1e-5, atol=1e-9)


def test_filters_are_maximised_within_bounds(pair):
    app, _ = pair
    made = insight.maximise_filter(app, "second", 2, steps=60, bounds=(-2.0, 1.0), random_state=1)
    assert made.image.shape == SHAPE and made.image.min() >= -2 and made.image.max() <= 1
    maps = app.features(made.image[np.newaxis], "second")[0]
    np.testing.assert_allclose(made.activation[-1], maps[..., 2].mean(), rtol=1e-9)
    assert made.activation[-1] > made.activation[0] + 0.1
    with pytest.raises(ArgumentError, match="bounds must be given: small has no data"):
        insight.maximise_filter(app, "second", 2)


@pytest.mark.parametrize("large", [False, True])
@pytest.mark.parametrize("standardize", [False, True])
def test_many_classes_take_a_pass_back_for_each_row(large, standardize, monkeypatch):
    """The same slopes as those of all outputs one after the other, by kernels and by array operations."""
    monkeypatch.setattr("neuralstat.network.passes.LARGE", 0.0 if large else np.inf)
    app = application(20)
    fit = fit_of(app, 20, standardize=standardize)
    few = {type: [insight.saliency(fit, output=name, type=type) for name in (None, "c7")] for type in ("response", "link")}
    monkeypatch.setattr("neuralstat.insight.gradients.FEW", 100)
    for type, made in few.items():
        for got, name in zip(made, (None, "c7"), strict=True):
            want = insight.saliency(fit, output=name, type=type)
            assert np.abs(want).max() > 1e-4
            np.testing.assert_allclose(got, want, rtol=1e-8, atol=1e-12 * np.abs(want).max())


def test_large_applications_stay_in_the_type_of_their_weights(monkeypatch):
    app = application(20)
    want = insight.saliency(app, IMAGES), insight.grad_cam(app, IMAGES, "second", output=19)
    monkeypatch.setattr("neuralstat.network.passes.LARGE", 0.0)
    single = application(20, kind=np.float32)
    assert single.as_known().theta.dtype == np.float32 and app.as_known().theta.dtype == float
    made = insight.saliency(single, IMAGES), insight.grad_cam(single, IMAGES, "second", output=19)
    for got, known in zip(made, want, strict=True):
        np.testing.assert_allclose(got, known, atol=1e-4 * np.abs(known).max())


def test_large_applications_are_looked_into_without_a_copy_of_their_weights(monkeypatch):
    monkeypatch.setattr("neuralstat.network.passes.LARGE", 0.0)
    app = application(20, [layers.Flatten(name="flat"), layers.Dense(3000, "tanh", name="wide")], (16, 16, 4), np.float32)
    own, image = sum(array.nbytes for array in app.weights.values()), np.random.default_rng(1).normal(size=(1, 16, 16, 4))
    for look in (lambda: insight.saliency(app, image), lambda: insight.occlusion(app, image, size=16),
                 lambda: insight.maximise_filter(app, "wide", 1, steps=2, bounds=(-1, 1), random_state=1)):  # fmt: skip
        look()  # what is kept with the network
        tracemalloc.start()
        look()
        peak = tracemalloc.get_traced_memory()[1]
        tracemalloc.stop()
        assert peak < own / 4
    known = app.as_known()
    flat = np.asarray(known.theta)
    assert flat.dtype == np.float32 and flat.shape == (known.network.n_params,)
    one = image.reshape(-1, 1)
    found, want = (derivatives.outputs(known.network, one, theta) for theta in (flat, known.theta))
    np.testing.assert_allclose(found, want, rtol=1e-4, atol=1e-3)


def test_large_applications_without_outputs_too(monkeypatch):
    app = weighed(Application("small", HIDDEN, None, SHAPE))
    want = insight.maximise_filter(app, "second", 2, steps=3, bounds=(-1, 1), random_state=1).image
    monkeypatch.setattr("neuralstat.network.passes.LARGE", 0.0)
    app = weighed(Application("small", HIDDEN, None, SHAPE), np.float32)
    assert app.as_known().theta.dtype == np.float32
    made = insight.maximise_filter(app, "second", 2, steps=3, bounds=(-1, 1), random_state=1).image
    np.testing.assert_allclose(made, want, atol=1e-4)
    kernels = insight.filters(app, "first", channel=0)
    np.testing.assert_array_equal(kernels, np.moveaxis(app.weights["first/kernel"][:, :, 0], -1, 0))
    assert not np.shares_memory(kernels, app.weights["first/kernel"])


@pytest.mark.parametrize("classes", [3, 20])
def test_large_graphs_are_looked_into_alike(classes, monkeypatch):
    """Residual and depthwise blocks, by kernels and by array operations: whole ways, and ways that begin or end inside."""
    hidden = [
        layers.ZeroPadding2D(1), layers.Conv2D(4, 3, strides=2, use_bias=False, name="c"), layers.BatchNorm(name="b"),
        layers.ReLU(1.5, name="r"), layers.DepthwiseConv2D(3, padding="same", name="d"), layers.Activation("tanh"),
        layers.Conv2D(4, 1, name="e"), layers.Add(("r", "e"), name="sum"), layers.Activation("relu", name="f"),
        layers.Conv2D(3, 2, name="g"), layers.GlobalAvgPool(),
    ]  # fmt: skip
    found = []
    for large in (0.0, np.inf):
        monkeypatch.setattr("neuralstat.network.passes.LARGE", large)
        app = application(classes, hidden)
        app.weights = {name: np.abs(w) if name.endswith("variance") else w for name, w in app.weights.items()}
        found.append([
            insight.saliency(app, IMAGES, output=1), insight.saliency(app, IMAGES, type="link"),
            insight.integrated_gradients(app, IMAGES[:2], steps=3), insight.feature_maps(app, IMAGES[:1], "sum"),
            *(np.stack([insight.grad_cam(app, IMAGES, at, output=k) for k in range(3)]) for at in ("sum", "g")),
            insight.maximise_filter(app, "e", 1, steps=4, bounds=(-1, 1), random_state=1).image,
        ])  # fmt: skip
        with pytest.raises(ArgumentError, match="'e' lies on one of several ways through the network"):
            insight.grad_cam(app, IMAGES, "e")
    for got, want in zip(*found, strict=True):
        assert np.abs(want).max() > 1e-6
        np.testing.assert_allclose(got, want, rtol=1e-9, atol=1e-11 * np.abs(want).max())


def test_networks_without_their_top(pair):
    base = weighed(vgg([(1, 3), (1, 4)], [], None, (32, 32, 3)))
    image = np.random.default_rng(1).normal(0, 50, (1, 32, 32, 3))
    assert insight.feature_maps(base, image, "block1_conv1").shape == (3, 32, 32)
    assert insight.filters(base, "block1_conv1").shape == (3, 3, 3, 3)
    assert insight.maximise_filter(base, "block2_conv1", 0, steps=3, bounds=(-120, 150)).image.shape == (32, 32, 3)
    with pytest.raises(ArgumentError, match=r"vgg: made with include_top=False it has no outputs"):
        insight.saliency(base, image)
    with pytest.raises(ArgumentError, match="one of 'block1_conv1', 'block1_pool', 'block2_conv1', 'block2_pool'; "):
        insight.feature_maps(base, image, "conv")


@pytest.mark.parametrize(("units", "activation"), [(3, "softmax"), (1, "sigmoid"), (2, None), (2, "tanh"), (18, "sigmoid")])
def test_models_of_keras_by_the_activation_of_their_last_layer(units, activation):
    hidden = [layers.Conv1D(3, 2, "tanh", name="c"), layers.Flatten(name="f")]
    model = weighed(KerasModel("m", [*hidden, layers.Dense(units, activation, name="out")], [("x", (5, 3))], None))
    x = RNG.normal(size=(2, 5, 3))
    got, step = insight.saliency(model, x, output=units - 1), 1e-6
    for at in ((0, 0, 0), (1, 4, 2)):
        up, down = x.copy(), x.copy()
        up[at] += step
        down[at] -= step
        slope = (model.predict(up) - model.predict(down))[at[0], units - 1] / (2 * step)
        np.testing.assert_allclose(got[at], slope, rtol=1e-5, atol=1e-9)
    parts = insight.integrated_gradients(model, x, output=0, steps=30)
    difference = model.predict(x)[:, 0] - model.predict(0 * x)[:, 0]
    np.testing.assert_allclose(parts.sum(axis=(1, 2)), difference, rtol=1e-8, atol=1e-12)


def test_what_cannot_be_looked_into(pair):
    app, _ = pair
    with pytest.raises(ArgumentError, match=r"saliency: new must be arrays \(m, 8, 7, 2\); small has no data"):
        insight.saliency(app)
    with pytest.raises(DataError, match=r"images must have the shape \(n, 8, 7, 2\)"):
        insight.saliency(app, IMAGES[..., :1])
    with pytest.raises(ArgumentError, match="output must be one of 0, 1, 2; got 3"):
        insight.saliency(app, IMAGES, output=3)
    with pytest.raises(ArgumentError, match=r"output must be one of 0, 1, .*, 16, 17, \.\.\., 24; got 'cat'"):
        insight.occlusion(application(25), IMAGES, output="cat")
    with pytest.raises(ArgumentError, match="rep must be 'best' or 1, got 2"):
        insight.saliency(app, IMAGES, rep=2)
    with pytest.raises(ArgumentError, match="it has no weights"):
        insight.saliency(Application("none", HIDDEN, layers.Dense(2), SHAPE), IMAGES)
    with pytest.raises(ArgumentError, match="it ends in Flatten, not in a Dense layer"):
        insight.saliency(weighed(KerasModel("m", HIDDEN, [("x", SHAPE)], None)), IMAGES)
    with pytest.raises(ArgumentError, match="fit must be a fit"):
        insight.dropout_intervals(app, IMAGES)
    missing = IMAGES.copy()
    missing[1, 0, 0, 0] = np.nan
    got = insight.saliency(app, missing)
    assert np.isnan(got[1]).all() and np.array_equal(got[[0, 2]], insight.saliency(app, IMAGES)[[0, 2]])
