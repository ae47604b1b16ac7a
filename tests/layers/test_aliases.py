"""Keras' names of layers."""

import numpy as np
import pytest

import neuralstat as ns

NAMES = {
    "MaxPooling1D": "MaxPool1D", "MaxPooling2D": "MaxPool2D",
    "AveragePooling1D": "AvgPool1D", "AveragePooling2D": "AvgPool2D",
    "GlobalAveragePooling1D": "GlobalAvgPool", "GlobalAveragePooling2D": "GlobalAvgPool",
    "GlobalMaxPooling1D": "GlobalMaxPool", "GlobalMaxPooling2D": "GlobalMaxPool", "BatchNormalization": "BatchNorm",
    "Convolution1D": "Conv1D", "Convolution2D": "Conv2D", "LayerNorm": "LayerNormalization",
    "GroupNorm": "GroupNormalization",
}  # fmt: skip


@pytest.mark.parametrize(("keras", "own"), NAMES.items())
def test_aliases_are_the_layers(keras, own):
    assert getattr(ns.layers, keras) is ns.layers.LAYERS[own]
    assert keras in ns.layers.__all__


def test_a_network_by_keras_names():
    images = np.random.default_rng(0).normal(size=(20, 6, 6, 1))
    d = {"y": images.mean((1, 2, 3)), "x": images}
    layers = [ns.layers.Conv2D(2, 3, "relu"), ns.layers.MaxPooling2D(2), ns.layers.Flatten()]
    fit = ns.neuralnet("y ~ x", d, layers=layers, algorithm="adam", epochs=1, random_state=1)
    assert "MaxPool2D" in fit.call
