"""The name of one weight is the one that it has among all."""

import numpy as np
import pytest

import neuralstat as ns
from neuralstat.layers import LSTM, BatchNorm, Conv2D, Dense, Flatten
from neuralstat.network.names import name_of

RNG = np.random.default_rng(1)
DATA = {"y": RNG.normal(size=20), "x": RNG.normal(size=20), "z": RNG.normal(size=20), "i": RNG.normal(size=(20, 4, 4, 2)),
        "s": RNG.normal(size=(20, 3, 2))}  # fmt: skip


@pytest.mark.parametrize("formula, more", [
    ("y ~ x + z", {"hidden": (3, 2)}), ("y ~ x + z", {"hidden": 0}),
    ("y ~ i", {"layers": [Conv2D(2, 3), BatchNorm(), Flatten(), Dense(2)]}), ("y ~ s", {"layers": [LSTM(2)]}),
    ("y ~ x + i", {"layers": [Conv2D(2, 3), Flatten(), Dense(2)]}), ("y ~ x + nn(z, hidden=2)", {}),
])  # fmt: skip
def test_one_by_one(formula, more):
    given = {"algorithm": "adam", "epochs": 0, "random_state": 1, **more}
    whole, single = (ns.neuralnet(formula, DATA, **given).network for _ in range(2))
    assert [name_of(single, k) for k in range(single.n_params)] == list(whole.names)
