"""What layers read, in the table of layers: other layers and inputs, by the names that these have."""

import numpy as np
import pytest
import raw

from neuralstat import layers as L
from neuralstat.errors import ArgumentError

RNG = np.random.default_rng(2)
DATA = {"y": RNG.normal(size=12), "z": RNG.normal(size=12), "a": RNG.normal(size=(12, 4, 2)), "b": RNG.normal(size=(12, 3))}


def graph(first, second):
    x, z = L.Input(name=first), L.Input(name=second)
    h = L.Concatenate(name="both")([L.GRU(2, name="gru")(x), L.Dense(2, name="flat")(z)])
    return L.Dense(2, name="top")(h)


@pytest.mark.parametrize("names, reads", [(("a", "b"), ["a", "b"]), (("b", "a"), None), ((None, None), ["a", "b"]),
                                          (("one", "two"), ["one", "two"])], ids=str)  # fmt: skip
def test_inputs_go_by_their_names(names, reads):
    if reads is None:  # a sequence is wanted where numbers are
        with pytest.raises(ArgumentError, match="GRU needs"):
            raw.neuralnet("y ~ a + b", DATA, layers=graph(*names), algorithm="adam", epochs=0)
        return
    fit = raw.neuralnet("y ~ a + b", DATA, layers=graph(*names), algorithm="adam", epochs=0)
    found = fit.layer_table["reads"]
    assert found.loc[["gru", "flat", "both", "top"]].tolist() == [*reads, "gru, flat", "both"]


def test_one_input_and_numbers_beside_it():
    def table(formula, x):
        layers = L.Flatten(name="flat")(L.Residual([L.Conv1D(2, 1, name="conv")], name="sum")(x))
        return raw.neuralnet(formula, DATA, layers=layers, algorithm="adam", epochs=0).layer_table

    assert table("y ~ a", L.Input())["reads"]["conv"] == "a"
    assert table("y ~ a", L.Input(name="given"))["reads"]["sum"] == "conv, given"
    beside = table("y ~ a + z", L.Input())["reads"]
    assert beside["conv"] == "a" and beside["concatenate"] == "numbers, flat"
