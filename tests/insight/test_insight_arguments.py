"""Looking inside fits: nonsense is refused by name, and what the network does not have."""

import warnings

import numpy as np
import pandas as pd
import pytest

import neuralstat as ns
from neuralstat import insight
from neuralstat.errors import ArgumentError, NeuralStatError, NeuralStatWarning, TooLargeError
from neuralstat.layers import Conv2D, Dropout, Flatten

RNG = np.random.default_rng(8)
RAISES = type("Raises", (), {"__eq__": lambda *_: 1 / 0, "__hash__": None, "__repr__": lambda _: 1 / 0})()
NONSENSE = ["nonsense", -1, 1.5, np.nan, 10**30, [1, 2, 3], {"x": 1}, {1}, np.ones((3, 3)), int, RAISES, pd.NA, 1j, b"x",
            True, np.array([RAISES], dtype=object)]  # fmt: skip


@pytest.fixture(scope="module")
def images():
    data = {"image": RNG.random((12, 5, 5, 1)), "k": np.resize(["a", "b"], 12)}
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", NeuralStatWarning)
        fit = ns.neuralnet("k ~ image", data, layers=[Conv2D(2, 3, "relu"), Flatten(), Dropout(0.3)], family="multinomial",
                           algorithm="adam", epochs=1, batch_size=6, random_state=1)  # fmt: skip
    return fit, {"image": data["image"][:1]}


@pytest.fixture(scope="module")
def tabular():
    data = pd.DataFrame({"y": RNG.normal(size=20), "x": RNG.normal(size=20), "g": np.resize(["a", "b"], 20)})
    return ns.neuralnet("y ~ x + g", data, hidden=2, rep=1, random_state=1, penalty=ns.decay(0.1)), data.iloc[:1]


CALLS = {
    "saliency": ("output", "type", "rep"),
    "maximise_filter": ("layer", "filter", "steps", "rate", "decay", "bounds", "rep", "random_state"),
    "filters": ("layer", "channel", "rep"), "feature_maps": ("layer", "rep"),
    "one_pixel_attack": ("pixels", "target", "bounds", "population", "generations", "rep", "random_state"),
    "dropout_intervals": ("draws", "alpha", "rep", "random_state"),
}  # fmt: skip
MEANT = {("maximise_filter", "rate"): (1.5, 10**30), ("maximise_filter", "random_state"): (10**30,),
         ("one_pixel_attack", "random_state"): (10**30,), ("dropout_intervals", "random_state"): (10**30,)}  # fmt: skip
NEEDS = {"maximise_filter": {"layer": "conv2d", "filter": 0, "steps": 1}, "filters": {"layer": "conv2d"},
         "feature_maps": {"layer": "conv2d"}}  # fmt: skip


@pytest.mark.parametrize("function, argument", [(f, a) for f, names in CALLS.items() for a in names])
def test_nonsense_is_refused_by_name(images, function, argument):
    fit, row = images
    right = dict(NEEDS.get(function, {}), **({"new": row} if function in ("feature_maps", "one_pixel_attack") else {}))
    for value in NONSENSE:
        if any(value is meant for meant in MEANT.get((function, argument), ())):
            continue
        if argument == "random_state" and isinstance(value, list):
            continue  # whole numbers
        with pytest.raises(ArgumentError) as caught:
            getattr(insight, function)(fit, **{**right, argument: value})
        assert argument in str(caught.value), str(caught.value)


@pytest.mark.parametrize("function", sorted(CALLS))
def test_fits_without_arrays_and_what_is_no_fit(tabular, images, function):
    fit, row = tabular
    more = {"new": row} if function in ("feature_maps", "one_pixel_attack") else {}
    right = {**NEEDS.get(function, {}), **more}
    if function == "saliency":
        assert insight.saliency(fit).shape == (20, 2)  # covariates are an array of one dimension
    else:
        with pytest.raises(ArgumentError, match=r"layer|images|Dropout"):
            getattr(insight, function)(fit, **right)
    for wrong in (None, 3, "fit", RAISES, fit.summary()):
        with pytest.raises(ArgumentError, match="fit must be a fit"):
            getattr(insight, function)(wrong, **right)
    for new in (3, "x", RAISES, {"image": "x"}, pd.DataFrame(), {"image": np.ones((2, 3))}):
        if "new" in right or function in ("saliency", "dropout_intervals"):
            with pytest.raises(NeuralStatError):
                getattr(insight, function)(images[0], **{**right, **NEEDS.get(function, {}), "new": new})


def test_sizes_before_work(images, monkeypatch):
    fit, row = images
    monkeypatch.setattr("neuralstat.checks.memory.memory_at_hand", lambda: 2**20)
    with pytest.raises(TooLargeError, match="draws=1000000 of 12 rows"):
        insight.dropout_intervals(fit, draws=10**6)
    with pytest.raises(TooLargeError, match="population=1000000"):
        insight.one_pixel_attack(fit, row, population=10**6)


def test_layers_by_name(tabular):
    fit, _ = tabular
    assert fit.features(np.str_("dense")).shape == (20, 2)
    for layer in ("dense_9", None, 1, RAISES, np.ones(3), [], b"dense"):
        with pytest.raises(ArgumentError, match="layer must be one of 'dense'"):
            fit.features(layer)
