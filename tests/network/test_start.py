"""Where random start weights come from, and what is given for them."""

from __future__ import annotations

import numpy as np
import pytest
from nonsense import ENDLESS

import neuralstat as ns
from neuralstat.errors import ArgumentError

DRAW = np.random.default_rng(0)
IMAGES = {"p": DRAW.normal(size=(12, 4, 4, 1)), "y": DRAW.normal(size=12)}
LAYERS = [ns.layers.Conv2D(2, 3, "relu"), ns.layers.Flatten(), ns.layers.Dense(2, "tanh")]


@pytest.mark.parametrize("init", ["he", "glorot", "uniform", "normal"])
def test_layers_without_weights_have_none_to_start(init):
    fit = ns.neuralnet("y ~ p", IMAGES, layers=LAYERS, algorithm="adam", epochs=0, init=init, random_state=1)
    start = fit.get_weights()
    assert start["conv2d/kernel"].shape == (3, 3, 1, 2) and np.isfinite(fit.theta).all()
    assert init in ("uniform", "normal") or not start["conv2d/bias"].any()


@pytest.mark.parametrize("given", [np.ma.masked, np.array(1.0), ENDLESS, [10**400], list, {1, "x"}, "x", [[1], [1, 2]]])
def test_start_weights_that_are_none(given):
    with pytest.raises(ArgumentError, match="startweights"):
        ns.neuralnet("y ~ x", {"x": [1.0, 2, 3], "y": [1.0, 3, 2]}, startweights=given)


@pytest.mark.parametrize("given", [list, ENDLESS, np.array(1.0), np.datetime64("2020"), [object()], {1: 2}])
def test_positions_that_are_none(given):
    with pytest.raises(ArgumentError, match="exclude"):
        ns.neuralnet("y ~ x", {"x": [1.0, 2, 3], "y": [1.0, 3, 2]}, exclude=given)


@pytest.mark.parametrize("given", ["x", [10**400], [np.nan], object()])
def test_constant_weights_that_are_none(given):
    with pytest.raises(ArgumentError, match="constant_weights must be"):
        ns.neuralnet("y ~ x", {"x": [1.0, 2, 3], "y": [1.0, 3, 2]}, exclude=[1], constant_weights=given)
