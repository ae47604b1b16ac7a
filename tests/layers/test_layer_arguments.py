"""Arguments of layers: what is declared is checked, whatever is given."""

from __future__ import annotations

import dataclasses
import pickle

import numpy as np
import pandas as pd
import pytest
from naive import WITH_ACTIVATION
from nonsense import ENDLESS, Hostile

from neuralstat import layers as L
from neuralstat.checks.arguments import DECLARED, Anything
from neuralstat.errors import ArgumentError

NONSENSE = [
    Hostile(), -1, 0, 2.5, float("nan"), float("inf"), 10**400, True, b"x", "", 3 + 1j, [], [[1]], ENDLESS, {"a": 1}, {2},
    object, np.array([[1, 2]]), np.array(["a"]), np.datetime64("2020-01-01"), pd.NA, pd.NaT, pd.Series([1, 2]),
    pd.DataFrame({"a": [1]}), lambda: 1,
]  # fmt: skip
GIVEN = {
    "Dense": {"units": 2}, "Conv1D": {"filters": 2, "kernel_size": 3}, "Conv2D": {"filters": 2, "kernel_size": (3, 2)},
    "SimpleRNN": {"units": 2}, "LSTM": {"units": 2}, "GRU": {"units": 2}, "Embedding": {"input_dim": 5, "output_dim": 2},
    "Dropout": {"rate": 0.5}, "Activation": {"activation": "relu"}, "Reshape": {"target_shape": (2, 3)},
    "DepthwiseConv1D": {"kernel_size": 3}, "DepthwiseConv2D": {"kernel_size": (3, 2)},
    **{kind: {"rate": 0.5} for kind in ("GaussianDropout", "AlphaDropout", "SpatialDropout1D", "SpatialDropout2D")},
    "GaussianNoise": {"stddev": 0.5}, "MultiHeadAttention": {"num_heads": 2, "key_dim": 3},
    "PositionEmbedding": {"sequence_length": 5}, "Permute": {"dims": (1,)}, "RepeatVector": {"n": 2}, "From": {"layer": "a"},
    "Residual": {"layers": [L.Dense(2)]}, "Dot": {"axes": 1},
    "Bidirectional": {"layer": L.GRU(2)}, "TimeDistributed": {"layer": L.Dense(2)},
    **{kind: {"filters": 2, "kernel_size": 3}
       for kind in ("SeparableConv1D", "SeparableConv2D", "Conv1DTranspose", "Conv2DTranspose")},
}  # fmt: skip
#: What is right after all
NUMBERS = [0, 2.5]
RIGHT = {
    "rate": [0], "momentum": [0], "epsilon": [2.5], "return_sequences": [True], "groups": [-1], "axis": [-1], "axes": [-1],
    "stddev": NUMBERS,
    "negative_slope": NUMBERS, "threshold": NUMBERS, "max_value": NUMBERS, "alpha": [-1, *NUMBERS],
    **{flag: [True] for flag in ("use_bias", "center", "scale", "go_backwards", "unit_forget_bias", "reset_after",
                                       "mask_zero", "use_causal_mask", "normalize")},
    "dropout": [0], "recurrent_dropout": [0], "mask_value": [-1, *NUMBERS],
    "inputs": [np.array(["a"])], "layers": [[]], "shortcut": [[]],
    **{f"{role}_regularizer": NUMBERS for role in ("kernel", "pointwise", "recurrent", "bias", "depthwise", "alpha", "beta",
                                                   "gamma",
                                                   "embeddings")},
}  # fmt: skip
#: ... of one kind of layer
ENDS = (("ZeroPadding", "padding"), ("Cropping", "cropping"))
RIGHT_OF = {(f"{kind}{n}D", name): [0] for kind, name in ENDS for n in (1, 2)}
PLACES = [(kind, field.name) for kind in L.LAYERS if kind != "Branches" for field in dataclasses.fields(L.LAYERS[kind])]


def kinds_of(kind):
    return next(d.kinds for d in DECLARED.values() if d.function is L.LAYERS[kind])


@pytest.mark.parametrize(("kind", "name"), PLACES)
def test_nonsense_names_the_argument(kind, name):
    if isinstance(kinds_of(kind)[name], Anything):
        assert name == "activation"  # resolved where a network is made
        return
    for value in NONSENSE:
        right = RIGHT_OF.get((kind, name), RIGHT.get(name, []))
        if any(type(value) is type(one) and repr(value) == repr(one) for one in right):
            L.LAYERS[kind](**{**GIVEN.get(kind, {}), name: value})
            continue
        with pytest.raises(ArgumentError, match=rf"^{name}(\[\d\])? must be") as caught:
            L.LAYERS[kind](**{**GIVEN.get(kind, {}), name: value})
        assert len(str(caught.value)) < 300


@pytest.mark.parametrize(("kind", "name"), PLACES)
def test_examples_are_taken(kind, name):
    for value in kinds_of(kind)[name].examples:
        layer = L.LAYERS[kind](**{**GIVEN.get(kind, {}), name: value})
        assert pickle.loads(pickle.dumps(layer)) == layer == dataclasses.replace(layer)


def test_an_activation_is_taken_only_where_it_is_applied():
    """What is applied is compared with plain formulas, `naive.WITH_ACTIVATION`."""
    takes = {kind for kind, name in PLACES if name == "activation" and isinstance(kinds_of(kind)[name], Anything)}
    composed = {"SeparableConv1D", "SeparableConv2D", "Conv1DTranspose", "Conv2DTranspose", "Residual"}
    assert takes == {*(kind for kind in WITH_ACTIVATION if kind in L.LAYERS), *composed}
    for kind in ("BatchNorm", "Dropout", "Embedding", "MaxPool1D", "AvgPool1D", "MaxPool2D", "AvgPool2D", "GlobalAvgPool",
                 "GlobalMaxPool"):  # fmt: skip
        assert kind not in takes
        with pytest.raises(ArgumentError, match=r"^activation must be None"):
            L.LAYERS[kind](**GIVEN.get(kind, {}), activation="relu")


def test_numbers_of_other_types_arrive_as_ints():
    assert L.Dense(np.int64(3)) == L.Dense(3.0) == L.Dense(3)
    assert L.Conv2D(2, [3, np.int8(2)]).kernel_size == (3, 2)
    assert L.Reshape([2, 3]).target_shape == (2, 3) and L.MaxPool2D().pool_size == 2


def test_unused_and_contradicting_options():
    for make, name in [
        (lambda: L.Flatten(activation="relu"), "activation"), (lambda: L.Reshape((2, 2), activation="relu"), "activation"),
        (lambda: L.LSTM(2, activation="swish"), "activation"), (lambda: L.Conv2D(2, 3, padding="causal"), "padding"),
        (lambda: L.MaxPool1D((1, 2)), "pool_size"), (lambda: L.Conv2D(2, (1, 2, 3)), "kernel_size"),
    ]:  # fmt: skip
        with pytest.raises(ArgumentError, match=f"^{name} must be"):
            make()
    assert L.LSTM(2, activation="tanh").activation == "tanh"


@pytest.mark.parametrize(("chains", "more", "words"), [
    (([],), {}, "two or more"), (([], 3), {}, r"chains\[1\] must be"),
    (([], [L.Dense(2), "a"]), {}, r"chains\[1\]\[1\] must be"),
    (([], []), {"merge": "max"}, "merge must be"), (([], []), {"name": 3}, "name must be"),
])  # fmt: skip
def test_branches(chains, more, words):
    with pytest.raises(ArgumentError, match=words):
        L.Branches(*chains, **more)
