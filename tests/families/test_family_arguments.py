"""Families and links: what they take, and that nothing else is taken."""

from __future__ import annotations

import pickle
from dataclasses import replace

import numpy as np
import pandas as pd
import pytest

from neuralstat import families as F
from neuralstat.errors import ArgumentError, FileFormatError

NONSENSE = [
    "x", b"x", "", -1, float("nan"), float("inf"), -float("inf"), 1e300, 10**400, 1j, [], [0.1], {"a": 1},
    object, np.array([0.1]), np.datetime64("2020-01-01"), pd.NA, pd.NaT, pd.Series([1.0]), lambda: 1,
]  # fmt: skip
PLAIN = [F.Gaussian, F.Binomial, F.Poisson, F.Gamma, F.InverseGaussian, F.Multinomial]


@pytest.mark.parametrize("value", [*NONSENSE, 2.0], ids=lambda v: type(v).__name__)
def test_parameters(value):
    for family in PLAIN:
        with pytest.raises(ArgumentError, match=r"^parameter must be"):
            family(parameter=value)
    if isinstance(value, float) and value == 2.0:
        return
    for make, name in [(F.NegativeBinomial, "alpha"), (F.Tweedie, "var_power"), (F.nbinom, "alpha"), (F.power, "p")]:
        if isinstance(value, int) and value == -1 and name == "p":
            continue
        with pytest.raises(ArgumentError, match=rf"\b{name} must be"):
            make(**{name: value})


@pytest.mark.parametrize("value", [v for v in NONSENSE if not isinstance(v, type)], ids=lambda v: type(v).__name__)
def test_links(value):
    for family in (*PLAIN, F.NegativeBinomial, F.Tweedie):
        with pytest.raises(ArgumentError, match=r"^link: unknown link"):
            family(link=value)
    with pytest.raises(ArgumentError, match="family must be one of"):
        F.resolve_family(value)


def test_bases_classes_and_what_does_not_fit():
    for make, words in [
        (F.Family, "use one of them"), (lambda: F.Poisson(F.Link()), "unknown link"),
        (lambda: F.Poisson(int), "not the class int"),
        (lambda: F.Multinomial("log"), "link must be 'logit'"), (lambda: F.power(1e-9), "exponent of a power link"),
        (lambda: F.Tweedie(0.5), "var_power"),
    ]:  # fmt: skip
        with pytest.raises(ArgumentError, match=words):
            make()
    for stored in (5, [1], np.array([b"x"]), {"family": []}, {"family": "gamma", "link": "log", "parameter": 10**400}):
        with pytest.raises(FileFormatError, match="not readable"):
            F.family_from_json(stored)


def test_what_is_right_is_kept():
    for family in (*(kind() for kind in PLAIN), F.NegativeBinomial(2), F.Tweedie(1.2, "log"), F.Gamma(F.power(0.5))):
        assert pickle.loads(pickle.dumps(family)) == family == F.family_from_json(family.to_json())
    assert replace(F.Gamma("log"), link="identity") == F.Gamma("identity")
