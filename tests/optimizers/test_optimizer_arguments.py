"""Arguments of optimizers: what is declared is checked, whatever is given; and a damping that is not finite ends a fit."""

from __future__ import annotations

import dataclasses

import numpy as np
import pandas as pd
import pytest
from nonsense import ENDLESS, Hostile

from neuralstat import optimizers as O
from neuralstat import schedules
from neuralstat.checks.arguments import DECLARED
from neuralstat.errors import ArgumentError
from neuralstat.optimizers.lm import LARGEST, largest_diagonal

NONSENSE = [
    Hostile(), -1, float("nan"), float("inf"), 10**400, 10**30 * 1j, b"x", "", "fast", [], [0.1], ENDLESS, {"a": 1}, {2},
    object,
    np.array([[1, 2]]), np.array([0.5]), np.datetime64("2020-01-01"), np.timedelta64(1), pd.NA, pd.NaT, pd.Series([1, 2]),
    schedules.Power, lambda: 1,
]  # fmt: skip
KINDS = {name: getattr(O, name) for name in O.__all__}
PLACES = [(kind, field.name) for kind in KINDS for field in dataclasses.fields(KINDS[kind])]


def kinds_of(kind):
    return next(d.kinds for d in DECLARED.values() if d.function is KINDS[kind])


@pytest.mark.parametrize(("kind", "name"), PLACES)
def test_nonsense_names_the_argument(kind, name):
    for value in NONSENSE:
        with pytest.raises(ArgumentError, match=f"^{name} must be") as caught:
            KINDS[kind](**{name: value})
        assert len(str(caught.value)) < 300


@pytest.mark.parametrize(("kind", "name"), PLACES)
def test_examples_are_taken_and_kept(kind, name):
    for value in kinds_of(kind)[name].examples:
        if (kind, name) == ("RProp", "least"):
            value = 1e-6
        optimizer = KINDS[kind](**{name: value})
        assert O.from_plain(optimizer.to_plain()) == optimizer


def test_bounds():
    for make, name in [
        (lambda: O.RProp(minus=5, plus=0.1), "minus"), (lambda: O.RProp(plus=0.1), "plus"),
        (lambda: O.RProp(least=1), "least"), (lambda: O.RProp(variant="backprop"), "variant"),
        (lambda: O.LM(damping=1e308), "damping"), (lambda: O.LM(shrink=1), "shrink"),
        (lambda: O.LBFGS(memory=10**30), "memory"), (lambda: O.LBFGS(memory=True), "memory"),
        (lambda: O.Adam(beta_2=1), "beta_2"), (lambda: O.Adam(amsgrad=1), "amsgrad"),
        (lambda: O.SGD(0.1, momentum=1.5), "momentum"), (lambda: O.AdamW(weight_decay=-1), "weight_decay"),
    ]:  # fmt: skip
        with pytest.raises(ArgumentError, match=name):
            make()
    assert O.SGD(1, momentum=1).learning_rate == 1.0 and isinstance(O.LM(damping=1).damping, float)


@pytest.mark.parametrize("stored", [{"optimizer": [1]}, {"optimizer": {}}, {"optimizer": "LM", "speed": 1}, {}, None, [1]])
def test_what_is_stored_is_checked(stored):
    with pytest.raises(ArgumentError, match="not an optimizer"):
        O.from_plain(stored)


def test_the_largest_diagonal_element_is_finite():
    for diagonal, expected in [([1.0, 2.0], 2.0), ([1.0, np.inf], LARGEST), ([1e300, 1.0], LARGEST), ([-1.0, -2.0], 0.0)]:
        assert largest_diagonal.py_func(np.diag(diagonal), 2) == expected
