"""Looking inside fits on images: against closed forms, finite differences, and the fit's own predictions."""

from __future__ import annotations

import matplotlib

matplotlib.use("Agg")

import numpy as np
import pandas as pd
import pytest
import raw

from neuralstat import insight, layers, plots
from neuralstat.errors import ArgumentError

RNG = np.random.default_rng(5)
N = 60
SHAPE = (6, 5, 2)
IMAGES = RNG.random((N, *SHAPE))
KINDS = pd.Categorical(np.where(IMAGES[:, 2, 3, 0] > 0.5, "on", "off"))
MANY = pd.Categorical.from_codes((3 * IMAGES[:, 2, 3, 0]).astype(int), ["low", "mid", "high"])
DATA = {"kind": KINDS, "many": MANY, "pixels": IMAGES, "size": IMAGES.sum(axis=(1, 2, 3)), "z": RNG.random(N)}
CNN = [layers.Conv2D(3, 3, activation="tanh", name="first"), layers.Conv2D(2, 2, activation="tanh", name="second"),
       layers.Flatten()]  # fmt: skip


def one(k):
    return {name: (values[k : k + 1]) for name, values in DATA.items()}


def fit_of(response, family, hidden=CNN, **more):
    arguments = {"algorithm": "adam", "epochs": 3, "random_state": 1, "learningrate": 0.02, **more}
    return raw.neuralnet(f"{response} ~ pixels", DATA, layers=hidden, family=family, **arguments)


@pytest.fixture(scope="module")
def many():
    return fit_of("many", "multinomial")


@pytest.fixture(scope="module")
def linear():
    """A classifier of one decisive pixel."""
    weights = np.zeros((60, 1))
    weights[np.ravel_multi_index((2, 3, 0), SHAPE)] = 8
    weights[7] = 0.5
    start = {"dense/kernel": weights, "dense/bias": np.array([-4.0])}
    return fit_of("kind", "binomial", [layers.Flatten()], epochs=0, startweights=start)


# saliency


def test_saliency_of_a_linear_model_is_its_weights(linear):
    got = insight.saliency(linear, type="link")
    assert got.shape == (N, *SHAPE)
    np.testing.assert_allclose(got, np.broadcast_to(linear.get_weights()["dense/kernel"].reshape(SHAPE), got.shape))
    p = linear.predict().to_numpy()
    np.testing.assert_allclose(insight.saliency(linear), (p * (1 - p))[:, None, None, None] * got, rtol=1e-10)


@pytest.mark.parametrize("standardize", [False, True])
@pytest.mark.parametrize(("response", "family"), [("many", "multinomial"), ("size", "gaussian"), ("kind", "binomial")])
def test_saliency_is_the_derivative_of_predictions(response, family, standardize):
    fit = fit_of(response, family, standardize=standardize)
    output = "mid" if response == "many" else None
    got = insight.saliency(fit, one(4), output=output)[0]
    step = 1e-6
    for place in ((2, 3, 0), (0, 0, 1), (5, 4, 0)):
        values = []
        for sign in (1, -1):
            changed = {**one(4), "pixels": IMAGES[4:5].copy()}
            changed["pixels"][(0, *place)] += sign * step
            predicted = fit.predict(changed, rep="best")
            values.append(float(predicted["mid"].iloc[0] if output else predicted.iloc[0]))
        assert got[place] == pytest.approx((values[0] - values[1]) / (2 * step), rel=1e-5, abs=1e-9)


def test_saliency_is_about_the_class_that_is_said(many):
    said = many.predict(type="class")
    got = insight.saliency(many)
    for k in (0, 20, 59):
        np.testing.assert_array_equal(got[k], insight.saliency(many, output=said.iloc[k])[k])
    gap = {**DATA, "pixels": IMAGES.copy()}
    gap["pixels"][3, 0, 0, 0] = np.nan
    holes = np.isnan(insight.saliency(many, gap)).all(axis=(1, 2, 3))
    assert np.flatnonzero(holes).tolist() == [3]
    with pytest.raises(ArgumentError, match="output must be one of 'low', 'mid', 'high'"):
        insight.saliency(many, output="huge")
    with pytest.raises(ArgumentError, match="type must be"):
        insight.saliency(many, type="class")


# filters, feature maps, maximisation


def test_filters_and_feature_maps(many):
    kernel = many.get_weights()["first/kernel"]
    np.testing.assert_array_equal(insight.filters(many, "first", channel=1), np.moveaxis(kernel[:, :, 1], -1, 0))
    with pytest.raises(ArgumentError, match="reads 2 channels"):
        insight.filters(many, "first")
    assert insight.filters(many, "second", channel=2).shape == (2, 2, 2)
    assert insight.filters(many, "second").shape == (2, 2, 2, 3)  # it reads three
    maps = insight.feature_maps(many, one(2), "first")
    assert maps.shape == (3, 4, 3)
    patch = IMAGES[2, 1:4, 2:5]
    bias = many.get_weights()["first/bias"]
    np.testing.assert_allclose(maps[:, 1, 2], np.tanh(np.einsum("rci,rcio->o", patch, kernel) + bias), rtol=1e-10)
    for arguments, word in ((("flatten",), "no maps"), (("none",), "layer must be")):
        with pytest.raises(ArgumentError, match=word):
            insight.feature_maps(many, one(2), *arguments)
    with pytest.raises(ArgumentError, match="one row, got 60"):
        insight.feature_maps(many, DATA, "first")
    with pytest.raises(ArgumentError, match="no Conv2D"):
        insight.filters(many, "flatten")


def test_the_best_image_of_a_linear_filter_has_the_signs_of_its_kernel():
    fit = fit_of("size", "gaussian", [layers.Conv2D(2, (6, 5), name="whole"), layers.Flatten()])
    kernel = fit.get_weights()["whole/kernel"][..., 1]
    found = insight.maximise_filter(fit, "whole", 1, steps=300, bounds=(-1.0, 2.0), random_state=1)
    np.testing.assert_allclose(found.image, np.where(kernel > 0, 2.0, -1.0))
    best = np.sum(np.where(kernel > 0, 2, -1) * kernel) + fit.get_weights()["whole/bias"][1]
    assert found.activation[-1] == pytest.approx(best) and found.activation.shape == (301,)


@pytest.mark.parametrize("standardize", [False, True])
def test_maximisation_raises_the_activation_that_features_give(standardize):
    fit = fit_of("many", "multinomial", standardize=standardize)
    found = insight.maximise_filter(fit, "second", 0, steps=60, random_state=2)
    assert found.activation[-1] > found.activation[0] + 0.1
    assert found.image.shape == SHAPE and found.image.min() >= IMAGES.min() and found.image.max() <= IMAGES.max()
    maps = insight.feature_maps(fit, {**one(0), "pixels": found.image[np.newaxis]}, "second")
    assert maps[0].mean() == pytest.approx(found.activation[-1], rel=1e-8)
    again = insight.maximise_filter(fit, "second", 0, steps=60, random_state=2)
    np.testing.assert_array_equal(found.image, again.image)


@pytest.mark.parametrize("standardize", [False, True])
def test_large_networks_are_looked_into_alike(standardize):
    fit = fit_of("many", "multinomial", standardize=standardize)
    found = []
    for large in (False, True):  # see network.passes
        fit.network._built["passes"] = large
        most = insight.maximise_filter(fit, "second", 0, steps=20, random_state=2)
        found.append((most.image, most.activation, insight.saliency(fit), insight.feature_maps(fit, one(3), "first"),
                      fit.predict(one(4), rep=1), insight.grad_cam(fit, one(2), layer="second")))  # fmt: skip
    for there, here in zip(*found, strict=True):
        np.testing.assert_allclose(np.asarray(here), np.asarray(there), rtol=1e-9, atol=1e-11)


@pytest.mark.parametrize(
    ("arguments", "word"),
    [({"filter": 2}, "filter must be a whole number from 0 to 1"), ({"layer": "none"}, "layer must be"),
     ({"steps": 0}, "steps must"), ({"rate": 0}, "rate must"), ({"bounds": (1, 0)}, "bounds must")],
)  # fmt: skip
def test_maximisation_checks_arguments(arguments, word, many):
    with pytest.raises(ArgumentError, match=word):
        insight.maximise_filter(many, **{"layer": "second", "filter": 0, **arguments})


# attack


def test_the_attack_finds_the_decisive_pixel(linear):
    k = int(np.flatnonzero((KINDS == "on") & (IMAGES[:, 2, 3, 0] < 0.9))[0])
    found = insight.one_pixel_attack(linear, one(k), random_state=1)
    assert found.success and (found.before, found.after) == ("on", "off")
    assert found.pixels.tolist() == [[2, 3]] and found.values.shape == (1, 2)
    said = repr(found)
    assert said.startswith("<Attack at (2, 3): 'on' (0.") and "becomes 'off' (0." in said and "\n" not in said
    assert said.endswith(f"success after {found.evaluations} images>")
    assert np.sum(np.any(found.image != IMAGES[k], axis=2)) == 1
    np.testing.assert_array_equal(found.image[2, 3], found.values[0])
    p = float(linear.predict({**one(k), "pixels": found.image[np.newaxis]}).iloc[0])
    np.testing.assert_allclose(found.probabilities_after, [1 - p, p])
    assert found.probabilities_before[1] == pytest.approx(float(linear.predict(one(k)).iloc[0]))


def test_an_attack_that_cannot_succeed_says_so(linear):
    k = int(np.flatnonzero(KINDS == "on")[0])
    found = insight.one_pixel_attack(linear, one(k), bounds=(0.6, 0.9), generations=5, population=5, random_state=1)
    assert not found.success and found.after == "on" and found.evaluations > 20


@pytest.mark.parametrize("standardize", [False, True])
def test_attacks_on_several_classes(standardize):
    fit = fit_of("many", "multinomial", standardize=standardize, epochs=30)
    said = fit.predict(type="class").iloc[0]
    target = next(c for c in ("low", "mid", "high") if c != said)
    found = insight.one_pixel_attack(fit, one(0), pixels=2, target=target, population=8, generations=15, bounds=(-3.0, 4.0),
                                     random_state=1)  # fmt: skip
    assert found.before == said and found.success == (found.after == target)
    index = ["low", "mid", "high"].index(target)
    assert found.probabilities_after[index] > found.probabilities_before[index]
    p = fit.predict({**one(0), "pixels": found.image[np.newaxis]}).to_numpy()[0]
    np.testing.assert_allclose(found.probabilities_after, p, rtol=1e-8)
    with pytest.raises(ArgumentError, match="target must be a class other than"):
        insight.one_pixel_attack(fit, one(0), target=said)


def test_attack_checks_arguments(many):
    with pytest.raises(ArgumentError, match="one row without missing values, got 60"):
        insight.one_pixel_attack(many, DATA)
    with pytest.raises(ArgumentError, match="pixels must"):
        insight.one_pixel_attack(many, one(0), pixels=0)
    with pytest.raises(ArgumentError, match="factor or 0/1"):
        insight.one_pixel_attack(fit_of("size", "gaussian"), one(0))
    plain = raw.neuralnet("kind ~ z", {"kind": KINDS, "z": DATA["z"]}, family="binomial", threshold=1, random_state=1)
    with pytest.raises(ArgumentError, match="needs images"):
        insight.one_pixel_attack(plain, {"z": [0.5]})
    with pytest.raises(ArgumentError, match="fit must be a fit"):
        insight.saliency(3)
    both = raw.neuralnet("kind ~ pixels + z", DATA, layers=CNN, family="binomial", algorithm="adam", epochs=1, random_state=1)
    with pytest.raises(ArgumentError, match="tabular covariates"):
        insight.saliency(both)


# dropout



def test_dropout_intervals_need_dropout(many):
    with pytest.raises(ArgumentError, match="no Dropout layer"):
        insight.dropout_intervals(many)


@pytest.mark.parametrize("standardize", [False, True])
def test_dropout_of_a_linear_model_has_its_variance(standardize):
    p = 0.3
    fit = fit_of("size", "gaussian", [layers.Flatten(), layers.Dropout(p)], standardize=standardize, epochs=20)
    got = insight.dropout_intervals(fit, draws=4000, random_state=1)
    scaling = fit.design.scaling
    x = fit.design.x
    w = fit.get_weights()["dense/kernel"][:, 0]  # in units of the response, of scaled inputs
    sd = np.sqrt(p / (1 - p) * (w**2 @ x**2))
    assert scaling is None or scaling.y_sd[0] != 1
    np.testing.assert_allclose(got["mean_se"], sd, rtol=0.06)
    np.testing.assert_allclose(got["mean"], fit.predict(), atol=5 * sd.max() / np.sqrt(4000))
    width = (got["mean_ci_upper"] - got["mean_ci_lower"]).to_numpy() / (2 * 1.96 * sd)
    assert np.all(np.abs(width - 1) < 0.12)


@pytest.mark.parametrize("more", [
    [layers.LSTM(4, recurrent_dropout=0.2)], [layers.GaussianNoise(0.1), layers.LSTM(3)],
    [layers.SpatialDropout1D(0.3), layers.LSTM(3)], [layers.TimeDistributed(layers.Dropout(0.3)), layers.LSTM(3)],
], ids=["recurrent", "noise", "spatial", "by time"])  # fmt: skip
def test_other_random_layers_are_not_left_out(more):
    rng = np.random.default_rng(1)
    data = {"y": rng.normal(size=20), "x": rng.normal(size=(20, 6, 3))}
    how = {"algorithm": "adam", "epochs": 1, "random_state": 1}
    fit = raw.neuralnet("y ~ x", data, layers=[*more, layers.Dropout(0.1)], **how)
    with pytest.raises(ArgumentError, match="would be left out of the spread"):
        insight.dropout_intervals(fit, draws=2)
    plain = raw.neuralnet("y ~ x", data, layers=[layers.Dropout(0.0), layers.LSTM(3), layers.Dropout(0.1)], **how)
    assert insight.dropout_intervals(plain, draws=3, random_state=1)["mean_se"].max() > 0


def test_dropout_intervals_of_large_networks_are_alike():
    hidden = [*CNN[:1], layers.Dropout(0.2), *CNN[1:], layers.Dense(4, "tanh"), layers.Dropout(0.4)]
    fit, found = fit_of("many", "multinomial", hidden), []
    for large in (False, True):  # see network.passes
        fit.network._built["passes"] = large
        found.append(insight.dropout_intervals(fit, draws=20, random_state=1))
    pd.testing.assert_frame_equal(*found, rtol=1e-10)


def test_dropout_intervals_of_several_outputs_and_layers():
    hidden = [*CNN[:1], layers.Dropout(0.2), *CNN[1:], layers.Dense(4, "tanh"), layers.Dropout(0.4)]
    fit = fit_of("many", "multinomial", hidden)
    gap = {**DATA, "pixels": IMAGES.copy()}
    gap["pixels"][3, 0, 0, 0] = np.nan
    got = insight.dropout_intervals(fit, gap, draws=50, random_state=1)
    assert list(got.columns.get_level_values(0).unique()) == ["low", "mid", "high"]
    assert got.iloc[3].isna().all() and got.drop(index=3).notna().all(axis=None)
    means = got.xs("mean", axis=1, level=1)
    np.testing.assert_allclose(means.drop(index=3).sum(axis=1), 1)
    pd.testing.assert_frame_equal(got, insight.dropout_intervals(fit, gap, draws=50, random_state=1))
    assert not got.equals(insight.dropout_intervals(fit, gap, draws=50, random_state=2))
    for arguments, word in (({"draws": 1}, "draws must"), ({"alpha": 0}, "alpha must")):
        with pytest.raises(ArgumentError, match=word):
            insight.dropout_intervals(fit, **arguments)


# plots


def test_pictures(many, tmp_path):
    ax = plots.plot_images(insight.filters(many, "first", channel=0), labels=list("abc"), signed=True)
    assert [t.get_text() for t in ax.texts] == ["a", "b", "c"]
    sheet = ax.images[0].get_array()
    assert sheet.min() >= -1 and sheet.max() <= 1 and np.ma.is_masked(sheet)
    shown = np.abs(sheet.compressed()).max()
    assert shown == pytest.approx(1)
    colours = plots.plot_images(RNG.random((5, 4, 4, 3)), columns=2)
    assert colours.images[0].get_array().shape == (3 * 25 - 1, 2 * 25 - 1, 3)  # enlarged six times
    both = plots.plot_saliency(IMAGES[:3], insight.saliency(many)[:3], labels=[1, 2, 3])
    assert both.images[0].get_array().shape == (13, 17, 3)
    for name, axes in (("a", ax), ("b", colours), ("c", both)):
        axes.figure.savefig(tmp_path / f"{name}.png")
    for arguments, word in (((np.zeros((2, 3)),), "images must"), ((np.zeros((2, 3, 3, 2)),), "images must")):
        with pytest.raises(ArgumentError, match=word):
            plots.plot_images(*arguments)
    with pytest.raises(ArgumentError, match="labels: 1 for 2"):
        plots.plot_images(np.zeros((2, 3, 3)), labels=["a"])
    with pytest.raises(ArgumentError, match="one channel"):
        plots.plot_images(np.zeros((2, 3, 3, 3)), signed=True)
    with pytest.raises(ArgumentError, match="must be one shape"):
        plots.plot_saliency(IMAGES[:3], IMAGES[:2])
    flat = plots.plot_images(np.zeros((1, 3, 3)), signed=True)
    assert np.all(flat.images[0].get_array() == 0)
