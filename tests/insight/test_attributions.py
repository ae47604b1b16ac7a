"""Integrated gradients, occlusion and Grad-CAM against plain formulas and the fit's own predictions."""

from __future__ import annotations

import numpy as np
import pandas as pd
import pytest
import raw

from neuralstat import insight, layers
from neuralstat.errors import ArgumentError
from neuralstat.network import derivatives

RNG = np.random.default_rng(8)
N, SHAPE = 30, (6, 5, 2)
IMAGES = RNG.random((N, *SHAPE))
DATA = {
    "kind": pd.Categorical(np.where(IMAGES[:, 2, 3, 0] > 0.5, "on", "off")),
    "many": pd.Categorical.from_codes((3 * IMAGES[:, 2, 3, 0]).astype(int), ["low", "mid", "high"]),
    "pixels": IMAGES, "size": IMAGES.sum(axis=(1, 2, 3)), "z": RNG.random(N),
}  # fmt: skip
CNN = [layers.Conv2D(3, 3, activation="tanh", name="first"), layers.Conv2D(2, 2, activation="relu", name="second"),
       layers.Flatten()]  # fmt: skip
POOLED = [layers.Conv2D(3, 3, activation="tanh", name="maps"), layers.GlobalAvgPool()]


def fit_of(response, family, hidden=CNN, **more):
    arguments = {"algorithm": "adam", "epochs": 3, "random_state": 1, "learningrate": 0.02, **more}
    return raw.neuralnet(f"{response} ~ pixels", DATA, layers=hidden, family=family, **arguments)


def value(fit, pixels, output=None, type="response"):
    """Predictions (m,) by the public door."""
    made = fit.predict({"pixels": pixels}, rep="best", type=type)
    return np.asarray(made[output] if output is not None and isinstance(made, pd.DataFrame) else made, dtype=float)


CASES = [("many", "multinomial", "mid"), ("size", "gaussian", None), ("kind", "binomial", None)]


# integrated gradients


@pytest.mark.parametrize("standardize", [False, True])
@pytest.mark.parametrize("type", ["response", "link"])
@pytest.mark.parametrize(("response", "family", "output"), CASES)
def test_contributions_add_up_to_the_difference(response, family, output, type, standardize):
    smooth = [layers.Conv2D(3, 3, activation="tanh"), layers.Conv2D(2, 2, activation="tanh"), layers.Flatten()]
    fit = fit_of(response, family, smooth, standardize=standardize)
    base = RNG.random(SHAPE)
    for baseline, plain in ((0.25, np.full(SHAPE, 0.25)), (base, base)):
        got = insight.integrated_gradients(fit, DATA, baseline=baseline, output=output, type=type, steps=24)
        assert got.shape == IMAGES.shape
        if not (type == "link" and family == "multinomial"):  # `predict` gives these less a constant
            want = value(fit, IMAGES, output, type) - value(fit, plain[np.newaxis], output, type)
            np.testing.assert_allclose(got.sum(axis=(1, 2, 3)), want, rtol=1e-8, atol=1e-10)


def test_corners_of_relu_leave_an_error_that_falls_with_the_steps():
    fit = fit_of("kind", "binomial")
    want = value(fit, IMAGES) - value(fit, np.zeros((1, *SHAPE)))
    errors = [np.abs(insight.integrated_gradients(fit, steps=s).sum(axis=(1, 2, 3)) - want).max() for s in (4, 64)]
    assert errors[1] < 0.005 and errors[1] < errors[0] / 3


def test_a_linear_model_contributes_weights_times_differences():
    fit = fit_of("size", "gaussian", [layers.Flatten()], standardize=False)
    weights = fit.get_weights()["dense/kernel"].reshape(SHAPE)
    got = insight.integrated_gradients(fit, baseline=0.5, steps=1)
    np.testing.assert_allclose(got, (IMAGES - 0.5) * weights, rtol=1e-10, atol=1e-14)


def test_it_is_the_integral_of_saliency():
    fit = fit_of("kind", "binomial", [layers.Conv2D(2, 3, "tanh"), layers.Flatten()])
    shares = (np.arange(2000) + 0.5) / 2000
    path = shares[:, None, None, None] * IMAGES[4]
    plain = insight.saliency(fit, {"pixels": path}).mean(axis=0) * IMAGES[4]
    got = insight.integrated_gradients(fit, {"pixels": IMAGES[4:5]}, steps=30)[0]
    np.testing.assert_allclose(got, plain, rtol=1e-5, atol=1e-8)


# occlusion


@pytest.mark.parametrize("standardize", [False, True])
@pytest.mark.parametrize(("response", "family", "output"), CASES)
def test_what_is_lost_where_a_patch_is_covered(response, family, output, standardize):
    fit = fit_of(response, family, standardize=standardize)
    got = insight.occlusion(fit, DATA, size=(3, 2), stride=(2, 1), value=(0.2, 0.7), output=output)
    assert got.shape == (N, 2, 4)
    for row, column in ((0, 0), (1, 3)):
        covered = IMAGES.copy()
        covered[:, 2 * row : 2 * row + 3, column : column + 2] = (0.2, 0.7)
        np.testing.assert_allclose(got[:, row, column], value(fit, IMAGES, output) - value(fit, covered, output), atol=1e-12)


def test_occlusion_of_the_class_that_is_most_probable():
    fit = fit_of("many", "multinomial")
    got = insight.occlusion(fit, size=2)
    best = np.asarray(fit.predict(type="class", rep="best"))
    for k, name in enumerate(best[:6]):
        said = insight.occlusion(fit, {"pixels": IMAGES[k : k + 1]}, size=2, output=name)[0]
        np.testing.assert_allclose(got[k], said, atol=1e-12)


def test_sequences_and_rows_of_numbers_have_one_axis_of_places():
    series = RNG.random((20, 7, 2))
    data = {"y": series[:, 3, 0], "s": series}
    fit = raw.neuralnet("y ~ s", data, layers=[layers.Flatten()], algorithm="adam", epochs=2, random_state=1)
    got = insight.occlusion(fit, size=3)
    assert got.shape == (20, 5)
    covered = series.copy()
    covered[:, 2:5] = 0
    want = np.asarray(fit.predict() - fit.predict({"s": covered}))
    np.testing.assert_allclose(got[:, 2], want, atol=1e-12)


# Grad-CAM


def test_of_a_pooled_network_it_is_the_class_activation_map():
    fit = fit_of("many", "multinomial", POOLED)
    maps = fit.features("maps")
    kernel = fit.get_weights()["dense/kernel"]
    for k, name in enumerate(("low", "mid", "high")):
        got = insight.grad_cam(fit, None, "maps", output=name)
        np.testing.assert_allclose(got, np.maximum(maps @ kernel[:, k], 0) / (4 * 3), rtol=1e-10, atol=1e-14)
        assert got.shape == (N, 4, 3)
    best = np.asarray(fit.predict(type="class", rep="best"))
    usual = insight.grad_cam(fit, None, "maps")
    own = np.array([["low", "mid", "high"].index(name) for name in best])
    want = np.maximum(np.einsum("nrck,kn->nrc", maps, kernel[:, own]), 0) / (4 * 3)
    np.testing.assert_allclose(usual, want, rtol=1e-10, atol=1e-14)
    assert (usual > 0).any() and (usual == 0).any()


def test_images_go_through_the_first_layers_once(monkeypatch):
    """The class that is looked for is read off the maps, not off another pass through the whole network."""
    fit, passed = fit_of("many", "multinomial", POOLED), []
    units, outputs = derivatives.units, derivatives.outputs
    monkeypatch.setattr(derivatives, "units", lambda network, *rest: passed.append(network) or units(network, *rest))
    monkeypatch.setattr(derivatives, "outputs", lambda network, *rest: passed.append(network) or outputs(network, *rest))
    insight.grad_cam(fit, None, "maps")
    assert sum(network is fit.network for network in passed) == 1


@pytest.mark.parametrize("standardize", [False, True])
@pytest.mark.parametrize(("response", "family"), [("kind", "binomial"), ("size", "gaussian")])
def test_derivatives_behind_a_layer_are_those_of_its_maps(response, family, standardize):
    fit = fit_of(response, family, standardize=standardize)
    maps, weights = fit.features("first"), fit.get_weights()
    kernel, bias = weights["second/kernel"], weights["second/bias"]

    def link(values):
        """The last layers in plain numpy, less the output's bias."""
        out = np.zeros((3, 2, 2))
        for i, j in np.ndindex(3, 2):
            out[i, j] = np.maximum(np.einsum("abc,abcd->d", values[i : i + 2, j : j + 2], kernel) + bias, 0)
        return float(out.ravel() @ weights["dense/kernel"][:, 0])

    got = insight.grad_cam(fit, {"pixels": IMAGES[3:4]}, "first")[0]
    slopes, step = np.zeros_like(maps[3]), 1e-6
    for at in np.ndindex(*slopes.shape):
        up, down = maps[3].copy(), maps[3].copy()
        up[at] += step
        down[at] -= step
        slopes[at] = (link(up) - link(down)) / (2 * step)
    want = np.maximum((slopes.mean(axis=(0, 1)) * maps[3]).sum(axis=-1), 0)
    np.testing.assert_allclose(got, want, rtol=1e-5, atol=1e-9)


# what is refused


def test_rows_with_gaps_are_missing():
    fit = fit_of("size", "gaussian")
    pixels = IMAGES[:3].copy()
    pixels[1, 0, 0, 0] = np.nan
    new = {"pixels": pixels}
    for got in (insight.integrated_gradients(fit, new, steps=2), insight.occlusion(fit, new, size=5),
                insight.grad_cam(fit, new, "first")):  # fmt: skip
        assert np.isnan(got[1]).all() and np.isfinite(got[[0, 2]]).all()


@pytest.mark.parametrize(("call", "message"), [
    (lambda f: insight.integrated_gradients(f, baseline=np.zeros(3)), "baseline must be a number or an array"),
    (lambda f: insight.integrated_gradients(f, output="huge"), "output must be"),
    (lambda f: insight.occlusion(f, size=7), "size: patches of"),
    (lambda f: insight.occlusion(f, size=(2, 2, 2)), "size must be a whole number, or 2"),
    (lambda f: insight.occlusion(f, stride=0), "stride must be"),
    (lambda f: insight.occlusion(f, value=(1, 2, 3)), "value must be a number or one for each of 2 channels"),
    (lambda f: insight.grad_cam(f, None, "flatten"), "are no maps"),
    (lambda f: insight.grad_cam(f, None, "third"), "layer must be one of"),
])  # fmt: skip
def test_what_does_not_suit_is_said(call, message):
    with pytest.raises(ArgumentError, match=message):
        call(fit_of("many", "multinomial"))


@pytest.mark.parametrize("function", [insight.saliency, insight.integrated_gradients, insight.occlusion])
def test_linear_predictors_need_a_family(function):
    data = {"y": RNG.normal(size=8), "x": RNG.normal(size=(8, 4, 3, 1))}
    made = raw.neuralnet("y ~ x", data, layers=[layers.Flatten()], linear_output=False, output_act_fct="tanh", epochs=0,
                         algorithm="adam", random_state=1)  # fmt: skip
    assert np.abs(function(made)).max() > 0
    with pytest.raises(ArgumentError, match="type='link' needs a family; this fit has the output activation 'tanh'"):
        function(made, type="link")


def test_rows_go_through_the_network_for_their_output_only_where_none_is_given(monkeypatch):
    data = {"kind": pd.Categorical(list("abcabc")), "x": RNG.normal(size=(6, 4, 4, 1))}
    made = raw.neuralnet("kind ~ x", data, layers=[layers.Conv2D(2, 2, "tanh"), layers.Flatten()], family="multinomial",
                         algorithm="adam", epochs=0, random_state=1)  # fmt: skip
    passed, outputs = [], derivatives.outputs
    monkeypatch.setattr("neuralstat.network.derivatives.outputs", lambda *args: passed.append(1) or outputs(*args))
    cam = lambda *args, **more: insight.grad_cam(*args, "conv2d", **more)  # noqa: E731
    for function, more in ((insight.saliency, 1), (cam, 0)):  # maps tell the class, too
        counts = []
        for output in (None, "b"):
            passed.clear()
            function(made, {"x": data["x"][:1]}, output=output)
            counts.append(len(passed))
        assert counts[1] == counts[0] - more
