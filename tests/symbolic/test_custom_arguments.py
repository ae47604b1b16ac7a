"""Activations and losses of users' own: what is no function is refused by name."""

from __future__ import annotations

import numpy as np
import pandas as pd
import pytest

import neuralstat as ns
from neuralstat.errors import ArgumentError


class Spite:
    """Is asked for nothing without an error."""

    def __getattr__(self, name):
        raise RuntimeError("touched")

    def __repr__(self):
        raise RuntimeError("shown")


NONSENSE = [5, "x", b"x", [], {}, np.ones(3), pd.NA, pd.Series([1]), 1j, Spite()]


@pytest.mark.parametrize("make", [ns.Activation, ns.Loss])
@pytest.mark.parametrize("value", NONSENSE, ids=lambda v: type(v).__name__)
def test_what_is_no_function(make, value):
    f = (lambda z: z) if make is ns.Activation else (lambda x, y: (x - y) ** 2)
    with pytest.raises(ArgumentError, match=r"^f must be a function of"):
        make(value)
    for name in ("slope", "curvature"):
        with pytest.raises(ArgumentError, match=f"^{name} must be a function of"):
            make(f, **{name: value})
    if not isinstance(value, str):
        with pytest.raises(ArgumentError, match=r"^name must be"):
            make(f, name=value)


def test_functions_that_give_no_number():
    for f in (lambda z: "a", lambda z: None, lambda z: [z], lambda z: 1 / 0, lambda: 1, lambda a, b: a):
        with pytest.raises(ArgumentError):
            ns.Activation(f)
