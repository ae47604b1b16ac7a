"""Penalties: strengths and scales within bounds, flags that are flags."""

from __future__ import annotations

import numpy as np
import pandas as pd
import pytest

import neuralstat as ns
from neuralstat.errors import ArgumentError

ENDLESS: dict = {}
ENDLESS["a"] = ENDLESS
NONSENSE = [
    None, "no", "0.1", b"x", "", -1, float("nan"), float("inf"), 1e101, 10**400, 1j, [], [0.1], ENDLESS, {1: 1.0}, {"x": "a"},
    object, np.array([0.1]), np.array([0, 1]), np.datetime64("2020-01-01"), pd.NA, pd.NaT, pd.Series([1.0]), lambda: 1,
]  # fmt: skip
PLACES = [
    *((make, name) for make in (ns.decay, ns.l1, ns.elimination) for name in ("lam", "biases", "terms", "layers")),
    (ns.elimination, "scale"), *((ns.elastic_net, name) for name in ("l1", "l2", "biases")),
]  # fmt: skip


@pytest.mark.parametrize(("make", "name"), PLACES, ids=lambda p: getattr(p, "__name__", p))
@pytest.mark.parametrize("value", NONSENSE, ids=lambda v: type(v).__name__)
def test_nonsense_names_the_argument(make, name, value):
    given = {"l1": 0.1, "l2": 0.1} if make is ns.elastic_net else {"lam": 0.1}
    if value is None and (name in ("terms", "layers") or (make is ns.decay and name == "biases")):
        assert make(**given, **{name: value}).parts
        return
    with pytest.raises(ArgumentError, match=rf"^{name}.* must be") as caught:
        make(**{**given, name: value})
    assert len(str(caught.value)) < 300


def test_bounds_keep_coefficients_finite():
    table = (ns.elimination(1e100, 1e-100) + ns.decay(1e100)).coefficients(np.array([True, False]))
    assert np.isfinite(table).all()
    for make in (lambda: ns.elimination(1e308), lambda: ns.elimination(1, 1e-200), lambda: ns.decay(1, terms={"x": 1e200})):
        with pytest.raises(ArgumentError, match=r"1e\+100"):
            make()
    assert str(ns.decay(0.1, biases=np.False_)) == "decay(0.1, biases=False)"
    assert ns.decay(0.1, layers={"a/b": 1, "a": 2}).parts[0].layers == (("a", 2.0), ("a/b", 1.0))  # arrays win


@pytest.mark.parametrize(("make", "message"), [
    (lambda: ns.decay("banana"), "lam must be"),
    (lambda: ns.decay(), "lam must be a strength, or 'estimate'"),
    (lambda: ns.decay(0.1, estimate=True), "lam gives strengths"),
    (lambda: ns.decay("estimate", terms={"x": 1.0}), "terms gives strengths"),
    (lambda: ns.decay("estimate", layers={"dense": 1.0}), "layers gives strengths"),
    (lambda: ns.decay("estimate", groups="neuron"), "groups must be None or one of 'layer', 'term', 'unit', 'input'"),
    (lambda: ns.decay(0.1, groups="layer"), "groups says which weights share a strength that is estimated"),
    (lambda: ns.decay("estimate") + ns.l1(0.1), r"cannot stand beside l1\(0.1\)"),
    (lambda: ns.elimination(0.1) + ns.decay("estimate"), "cannot stand beside elimination"),
    (lambda: ns.decay("estimate") + ns.decay("estimate", groups="unit"), "only one decay of a sum can be estimated"),
])
def test_what_cannot_be_estimated_is_said(make, message):
    with pytest.raises(ArgumentError, match=message):
        make()


def test_estimated_decays_say_what_they_are():
    assert str(ns.decay("estimate")) == str(ns.decay(estimate=True)) == "decay('estimate', groups='layer')"
    assert str(ns.decay("estimate", groups="unit", biases=True) + ns.decay(0.1)) == (
        "decay('estimate', groups='unit', biases=True) + decay(0.1)"
    )
