"""Slopes of refits over draws are found some observations at a time: the same numbers, and no further arrays of all draws."""

from __future__ import annotations

import tracemalloc

import numpy as np
import pytest

from neuralstat.df import montecarlo
from neuralstat.network import blocks


@pytest.mark.parametrize("shape", [(12, 150), (12, 3, 150)])
def test_blocks_change_rounding_alone(shape, monkeypatch):
    rng = np.random.default_rng(0)
    change = rng.standard_normal(shape)
    reply, factor = 0.3 * change + 0.1 * rng.standard_normal(shape), rng.uniform(0.5, 2, shape[-1])
    slope, without = montecarlo.slopes(change, reply)
    monkeypatch.setattr(blocks, "NUMBERS", 1)
    monkeypatch.setattr(blocks, "LEAST", 37)
    per, values = montecarlo.slopes_of_all(change, reply, factor)
    np.testing.assert_allclose(per, slope * factor, rtol=1e-12)
    np.testing.assert_allclose(values, (without * factor).sum(axis=1), rtol=1e-12)


def test_memory_beside_the_draws():
    change = np.random.default_rng(0).standard_normal((100, 20_000))
    reply = 0.5 * change
    tracemalloc.start()
    montecarlo.slopes_of_all(change, reply, np.ones(20_000))
    peak = tracemalloc.get_traced_memory()[1]
    tracemalloc.stop()
    assert peak < change.nbytes / 4  # slopes without each draw, and what they are made of, would be six times as large
