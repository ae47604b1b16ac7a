"""Buffers that calls of the kernels leave to one another."""

from __future__ import annotations

from types import SimpleNamespace

import numpy as np
import pytest

import neuralstat as ns
from neuralstat import layers
from neuralstat.engine.data import make_data
from neuralstat.training.rooms import Rooms, Works


def small() -> tuple:
    net, plan = SimpleNamespace(width=3, block=16), SimpleNamespace(held=np.array([4]), n_groups=2)
    return net, plan, 2, np.zeros((2, 5), np.float32)


def test_a_room_is_given_to_one_at_a_time_and_kept():
    rooms, (net, plan, outputs, theta) = Rooms(), small()
    with rooms.one(net, plan, outputs, theta) as first, rooms.one(net, plan, outputs, theta) as second:
        assert first is not second
        assert first.work.value.shape[0] == 3 and first.work.target.shape == (2, 16) and first.grad.shape == (5,)
        assert first.kept.shape == (1,) and first.norms.shape == (2,)
        assert first.work.value.dtype == first.grad.dtype == np.float32
        assert first.work.value.ctypes.data % 64 == 0
    with rooms.one(net, plan, outputs, theta) as again:
        assert again in (first, second)
    with rooms.one(net, plan, 1, theta) as other:
        assert other.work.target.shape == (1, 16)


def test_what_a_failed_call_leaves_is_not_taken_again():
    rooms, (net, plan, outputs, theta) = Rooms(), small()
    with pytest.raises(KeyError), rooms.one(net, plan, outputs, theta) as dirty:
        raise KeyError
    with rooms.one(net, plan, outputs, theta) as room:
        assert room is not dirty


def test_buffers_of_passes_are_lent_likewise():
    data = make_data(np.zeros((2, 30)), np.zeros((1, 30)))
    works = Works(SimpleNamespace(width=3, block=16), data, np.zeros((1, 5)))
    with works.one() as first, works.one() as second:
        assert first is not second and first.value.shape[0] == 3 and first.target.shape == (1, 16)
    with pytest.raises(KeyError), works.one() as dirty:
        raise KeyError
    with works.one() as again:
        assert again is not dirty and any(again is lent for lent in (first, second))


IMAGES = (layers.Conv2D(3, 2, "relu"), layers.BatchNorm(), layers.MaxPool2D(2), layers.Dropout(0.3), layers.Flatten())
SEQUENCES = (layers.Reshape((12, 3)), layers.LSTM(4, dropout=0.2))


@pytest.mark.filterwarnings("ignore::neuralstat.errors.FitWarning")
@pytest.mark.parametrize("parts", [IMAGES, SEQUENCES], ids=["images", "sequences"])
def test_buffers_that_were_used_change_nothing(parts, monkeypatch):
    """The same bits with new buffers at every call, of networks that write to all kinds of rows."""
    rng, used = np.random.default_rng(2), []
    data = {"y": rng.normal(size=45), "x": rng.normal(size=(45, 6, 6, 1)), "w": rng.uniform(0.5, 2, 45)}

    def fit() -> np.ndarray:
        made = ns.neuralnet("y ~ x", data, layers=list(parts), algorithm="adam", epochs=3, batch_size=8, rep=2, weights="w",
                            validation=0.2, callbacks=[lambda *_: None], random_state=3)  # fmt: skip
        return made.result_matrix.to_numpy()

    kept, one = fit(), Rooms.one

    def anew(self: Rooms, *given: object) -> object:
        used.append(self)
        return one(Rooms(), *given)

    monkeypatch.setattr(Rooms, "one", anew)
    np.testing.assert_array_equal(fit(), kept)
    assert len(used) >= 6
