"""Fits that are written as Keras models: those whose files and predictions by Keras are stored."""

from __future__ import annotations

import warnings
from types import SimpleNamespace

import numpy as np
import pandas as pd

import neuralstat as ns
from neuralstat import layers as L


def single(values):
    """Numbers that single precision has."""
    return np.asarray(values, np.float32).astype(float)


def image():
    """Images beside a table with a factor, two repetitions."""
    rng = np.random.default_rng(1)
    data = {"picture": single(rng.normal(size=(24, 7, 6, 2))), "age": single(30 + 10 * rng.normal(size=24)),
            "sex": np.array(["f", "m"] * 12), "y": np.array(list("pqr") * 8)}  # fmt: skip
    layers = [L.Conv2D(3, (3, 2), "relu", padding="same", strides=(2, 1)), L.BatchNorm(), L.MaxPool2D(2),
              L.Dropout(0.25), L.Flatten(), L.Dense(4, "elu"), L.Activation("leaky_relu")]  # fmt: skip
    return ns.neuralnet("y ~ picture + age + sex", data, layers=layers, family="multinomial", algorithm="adam", epochs=2,
                        rep=2, random_state=1, batch_size=8, standardize=True)  # fmt: skip


def words():
    """Numbers of words."""
    rng = np.random.default_rng(2)
    data = {"text": rng.integers(0, 9, (24, 6)).astype(float), "y": np.array([0, 1] * 12)}
    layers = [L.Embedding(9, 4), L.Conv1D(5, 3, "tanh", padding="causal", dilation_rate=2), L.GRU(3, return_sequences=True),
              L.GlobalAvgPool(), L.Dense(3, "gelu")]  # fmt: skip
    return ns.neuralnet("y ~ text", data, layers=layers, family="binomial", algorithm="adam", epochs=0, rep=1, random_state=2)


def sequence():
    """Windows of a series that is far from 0."""
    rng = np.random.default_rng(3)
    data = {"past": single(1000 + np.cumsum(rng.normal(size=(24, 8, 2)), 1)), "y": single(rng.normal(size=24))}
    layers = [L.LSTM(3, return_sequences=True), L.SimpleRNN(4, return_sequences=True), L.MaxPool1D(2), L.LSTM(2),
              L.Activation("softmax")]  # fmt: skip
    return ns.neuralnet("y ~ past", data, layers=layers, algorithm="adam", epochs=0, rep=1, random_state=3,
                        standardize=True)  # fmt: skip


def towers():
    """Terms of their own, levels of a factor, an offset, a log link."""
    rng = np.random.default_rng(4)
    n = 60
    data = pd.DataFrame({"x": single(rng.normal(size=n)), "z": single(50 + rng.normal(size=n)),
                         "g": rng.choice(list("abcd"), n), "e": single(rng.uniform(1, 2, n))})  # fmt: skip
    data["y"] = rng.poisson(np.exp(0.4 * data["x"]) * data["e"])
    return ns.neuralnet("y ~ s(x) + (1 | g) + nn(z, x) + nn(z) + offset(log(e))", data, hidden=[3, 2], family="poisson",
                        rep=1, random_state=4, penalty=ns.decay(0.1), algorithm="rprop+", stepmax=40)  # fmt: skip


FITS = {"image": image, "words": words, "sequence": sequence, "towers": towers}


def made(name):
    """A fit of `FITS`; that it is cut short is known."""
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        return FITS[name]()


def bare(network, theta):
    """What an exporter asks of a fit, of a network whose inputs are not scaled."""
    design = SimpleNamespace(scaling=None, terms={}, y_names=network.output_names, response="y")
    return SimpleNamespace(network=network, design=design, fit=SimpleNamespace(theta=theta), formula="y ~ x",
                           numbers=lambda rep: [0])  # fmt: skip
