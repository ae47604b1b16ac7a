"""Arguments of a fit: nonsense names the argument; options that are not used; sizes that memory does not hold."""

from __future__ import annotations

import datetime

import numpy as np
import pandas as pd
import pytest
import raw
from nonsense import ENDLESS

import neuralstat as ns
from neuralstat import layers as L
from neuralstat import optimizers as O
from neuralstat.errors import ArgumentError, NeuralStatError, TooLargeError
from neuralstat.training.kinds import FIT
from neuralstat.training.settings import Settings

N = 12
DATA = pd.DataFrame({"x": np.sin(np.arange(N)), "y": np.cos(np.arange(N)), "w": np.ones(N)})
CHEAP = {"stepmax": 3, "rep": 1, "random_state": 1}


class Spite:
    """Compares, hashes, converts and is shown with an error."""

    def _fail(self, *_):
        raise RuntimeError("touched")

    __eq__ = __hash__ = __repr__ = __bool__ = __len__ = __float__ = __int__ = __iter__ = __array__ = _fail


class Text(str):
    """A string that does not like to be compared."""

    __hash__ = str.__hash__

    def __eq__(self, other):
        raise RuntimeError("compared")


SPITEFUL = np.empty(N, object)
SPITEFUL.fill(Spite())
NONSENSE = [
    Spite(), Text("nope"), float("nan"), float("inf"), -1, 10**400, b"x", "\0", 3 + 1j, ENDLESS, [ENDLESS], {"a": ENDLESS},
    {1: 2}, {2}, object, object(), Ellipsis, np.array(1.5), np.array([[1, 2]]), np.array(["a"] * N), np.array([1j] * N),
    SPITEFUL, np.full(N, np.nan), np.datetime64("2020-01-01"), np.timedelta64(1), np.full(N, "2020", "M8[D]"),
    datetime.date(2020, 1, 1), pd.NA, pd.NaT, pd.Series([1, 2]), pd.DataFrame({"a": [1]}), (k for k in range(3)),
    range(10**12),
]  # fmt: skip
NEEDED = {"constant_weights": {"exclude": [1]}, **{
    name: {"algorithm": "adam", "epochs": 1}
    for name in ("epochs", "batch_size", "shuffle", "validation", "early_stopping", "augment", "callbacks", "checkpoint",
                 "metrics")
}}  # fmt: skip


def test_every_argument_has_a_kind():
    assert tuple(FIT) == Settings.names()


@pytest.mark.filterwarnings("ignore::neuralstat.errors.NeuralStatWarning")
@pytest.mark.parametrize("name", FIT)
def test_nonsense_names_the_argument(name, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)  # some nonsense is a path
    refused = 0
    for value in NONSENSE:
        given = {**CHEAP, **NEEDED.get(name, {}), name: value}
        try:
            raw.neuralnet("y ~ x", DATA, **given)
        except NeuralStatError as error:
            assert name in str(error) and len(str(error)) < 700, (type(value), str(error))
            refused += 1
    assert refused >= len(NONSENSE) - (8 if name == "random_state" else 4)


@pytest.mark.parametrize("name", FIT)
def test_examples_are_right(name):
    for value in FIT[name].examples:
        Settings(**{**NEEDED.get(name, {}), **({"rep": 3} if name == "keep" else {}), name: value})


@pytest.mark.parametrize(
    ("arguments", "name"),
    [
        ({"algorithm": "lm", "learningrate": 0.1}, "learningrate"),
        ({"algorithm": O.RProp(), "learningrate": 0.1}, "learningrate"),
        ({"algorithm": "bfgs", "learningrate_factor": (0.4, 1.3)}, "learningrate_factor"),
        ({"algorithm": "adam", "learningrate_limit": (1e-9, 0.2)}, "learningrate_limit"),
        ({"learningrate_factor": (5, 0.1)}, "learningrate_factor"), ({"constant_weights": [1.0]}, "constant_weights"),
        ({"shuffle": False}, "shuffle"), ({"checkpoint": "x"}, "checkpoint"), ({"hidden": b"x"}, "hidden"),
        ({"threshold": np.inf}, "threshold"), ({"linear_output": 1}, "linear_output"), ({"polish": "no"}, "polish"),
        ({"dtype": Spite()}, "dtype"), ({"class_weight": {0: "a"}}, "class_weight"), ({"freeze": b"a"}, "freeze"),
        ({"class_weight": {0: np.inf}}, "class_weight"), ({"weights": 5}, "weights"), ({"offset": True}, "offset"),
        ({"stepmax": 10**30}, "stepmax"), ({"layers": [L.Dense]}, "layers"), ({"layers": [L.Dense(2)] * 2000}, "layers"),
        ({"layers": [L.Dense(2, 5)]}, "activation"),
    ],
)  # fmt: skip
def test_refused(arguments, name):
    with pytest.raises(ArgumentError, match=name):
        raw.neuralnet("y ~ x", DATA, **arguments)


def test_what_stays_allowed():
    assert Settings(compat="R", learningrate_factor=(5, 0.1)).learningrate_factor == (5.0, 0.1)  # R takes any
    assert Settings(learningrate=0.1).learningrate == 0.1  # and ignores it, with its own algorithms
    assert Settings(freeze={"dense"}).freeze == ("dense",) and Settings(dtype=np.dtype("float32")).dtype == "float32"
    assert Settings(algorithm=Text("lm")).algorithm == "lm"
    assert Settings(algorithm="adam", callbacks=[print]).callbacks == (print,)


def test_the_right_argument_is_named():
    for given in (b"x", 5j, {"x": [1.0]}, np.zeros((2, 2)), "text"):
        with pytest.raises(NeuralStatError, match=r"^validation"):
            raw.neuralnet("y ~ x", DATA, algorithm="adam", epochs=1, validation=given)
    images = {"p": np.zeros((N, 4, 4, 1)), "y": np.arange(N)}
    for layer in (L.Conv2D(1, 2, activation="nope"), L.DepthwiseConv2D(2, activation="nope")):
        with pytest.raises(ArgumentError, match=r"layers: layer 1 \((Conv2D|DepthwiseConv2D)\): activation: unknown"):
            raw.neuralnet("y ~ p", images, layers=[layer, L.Flatten()])


@pytest.mark.parametrize(
    "arguments",
    [
        {"hidden": 10**9}, {"hidden": [2**31 - 1] * 4}, {"rep": 2**31 - 1}, {"algorithm": "adam", "epochs": 2**31 - 1},
        {"hidden": 10**6, "algorithm": "lm"}, {"hidden": 10**6, "algorithm": "bfgs"}, {"layers": [L.Dense(2**31 - 1)]},
        {"hidden": 10**6, "algorithm": O.LBFGS(memory=100_000)},
    ],
)  # fmt: skip
def test_what_memory_does_not_hold_is_refused_first(arguments):
    with pytest.raises(TooLargeError, match="GiB would be needed"):
        raw.neuralnet("y ~ x", DATA, **arguments)


def test_views_of_few_numbers_are_no_data():
    view = np.broadcast_to(np.int8(1), (10**12,))
    for name in ("x", "y"):
        with pytest.raises(TooLargeError, match=rf"data\['{name}'\]"):
            raw.neuralnet("y ~ x", {**DATA, name: view})


@pytest.mark.filterwarnings("ignore::neuralstat.errors.NeuralStatWarning")
@pytest.mark.parametrize("algorithm", ["lm", "bfgs", "lbfgs", "rprop+", "slr", "adam"])
def test_extreme_penalties_end(algorithm):
    """The strongest and narrowest penalties that there are: fits end, with an honest status."""
    if algorithm == "adam":
        given = {"algorithm": algorithm, "epochs": 5, "rep": 1}
    else:
        given = {"algorithm": algorithm, "stepmax": 200, "rep": 1}
    for penalty in (ns.elimination(1e100), ns.elimination(1e100, 1e-100), ns.elimination(1.0, 1e100), ns.decay(1e100)):
        raw.neuralnet("y ~ x", DATA, penalty=penalty, random_state=1, **given)
