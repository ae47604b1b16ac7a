"""What applications take of memory: nothing when they are declared, some rows at a time when they predict."""

from __future__ import annotations

import tracemalloc

import numpy as np
import pytest
import raw

import neuralstat as ns
from neuralstat import layers as L
from neuralstat.errors import TooLargeError


@pytest.fixture
def free(monkeypatch):
    """Sets what memory is said to be free."""
    return lambda size: monkeypatch.setattr("neuralstat.checks.memory.memory_at_hand", lambda: int(size))


def test_declaring_a_network_takes_no_memory_of_its_weights(free):
    free(2**26)
    made = ns.applications.VGG16()
    assert made.n_params == 138_357_544 and len(made.layer_table) == 22
    assert ns.applications.ResNet50().n_params == 25_636_712


def test_fits_and_passes_ask_for_it(free):
    data = {"y": np.arange(4.0), "x": np.zeros((4, 64, 64, 3), np.uint8)}
    wide = [L.Conv2D(200, 3, padding="same"), L.Flatten()]
    fit = raw.neuralnet("y ~ x", data, layers=wide, algorithm="adam", epochs=0)
    assert fit.fitted.network.net().block == 16
    free(2**26)
    with pytest.raises(TooLargeError, match="831,489 units of 16 observations"):
        fit.fitted.network.net()
    with pytest.raises(TooLargeError, match="of 16 observations"):
        raw.neuralnet("y ~ x", data, layers=wide, algorithm="adam", epochs=1)
    with pytest.raises(TooLargeError, match=r"a network of \d+ weights"):
        raw.neuralnet("y ~ x", data, layers=[L.Flatten(), L.Dense(2000)], algorithm="adam", epochs=1)


def test_what_no_memory_holds_is_refused_when_it_is_declared(free):
    free(2**50)
    data = {"y": np.arange(4.0), "x": np.zeros((4, 4, 2))}
    for layers in ([L.Dense(2**31 - 1), L.Dense(2**31 - 1)], [L.Conv1D(2**31 - 1, 1), L.Conv1D(2**31 - 1, 1)]):
        with pytest.raises(TooLargeError, match="GiB would be needed, more than there is"):
            raw.neuralnet("y ~ x", data, layers=[*layers[:1], *layers[1:], L.Flatten()] if "Conv" in repr(layers) else
                          [L.Flatten(), *layers], algorithm="adam", epochs=1)  # fmt: skip
    free(2**28)
    with pytest.raises(TooLargeError, match="one for each of 1,000,000 times"):  # rows of the table
        raw.neuralnet("y ~ x", data, layers=[L.Flatten(), L.RepeatVector(10**6), L.TimeDistributed(L.Dense(1)), L.Flatten()],
                      algorithm="adam", epochs=1)  # fmt: skip


def small(kind=np.float64):
    layers = [L.Conv2D(2, 3, "relu", name="a"), L.Flatten(name="f"), L.Dense(3, name="d")]
    model = ns.applications.KerasModel("m", layers, [("x", (28, 28, 1))], None)
    rng = np.random.default_rng(1)
    model.weights = {name: rng.normal(0, 0.1, shape).astype(kind) for name, shape in model.arrays.items()}
    return model


def sequences(kind=np.float64):
    layers = [L.Embedding(50, 4, name="e"), L.GRU(3, name="g"), L.Dense(2, name="d")]
    model = ns.applications.KerasModel("m", layers, [("x", (9,))], None)
    rng = np.random.default_rng(1)
    model.weights = {name: rng.normal(0, 0.1, shape).astype(kind) for name, shape in model.arrays.items()}
    return model, rng.integers(0, 50, (1000, 9), np.uint8)


def test_predictions_of_no_rows():
    model, words = sequences()
    assert model.predict(words[:0]).shape == (0, 2) and model.features(words[:0], "e").shape == (0, 9, 4)
    assert small().predict(np.zeros((0, 28, 28, 1))).shape == (0, 3)


def test_predictions_do_not_depend_on_how_many_rows_go_together(monkeypatch):
    model, words = sequences()
    images = words[:, :1, None, None] + np.ones((28, 28, 1))
    expected = model.predict(words), model.features(words, "e"), small().predict(images)
    monkeypatch.setattr("neuralstat.applications.application._NUMBERS", 900)
    again = model.predict(words), model.features(words, "e"), small().predict(images)
    for one, other in zip(expected, again, strict=True):
        np.testing.assert_allclose(one, other, rtol=1e-12)


def test_rows_are_not_copied_as_a_whole():
    """Peak memory of predictions of many small images, and several inputs, is a share of their bytes."""
    x = np.zeros((60_000, 28, 28, 1), np.uint8)
    x[:, 3:9] = np.random.default_rng(1).integers(0, 256, (60_000, 6, 28, 1), np.uint8)
    model = small(np.float32)
    model.predict(x[:20])
    tracemalloc.start()
    model.predict(x)
    _, peak = tracemalloc.get_traced_memory()
    tracemalloc.stop()
    assert peak < 1.5 * x.nbytes  # 8.2 with a copy in double precision
