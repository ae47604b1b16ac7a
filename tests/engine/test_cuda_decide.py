"""Kernels with known arguments: the branches that are left, and that they compute what the CPU's whole kernels do."""

from __future__ import annotations

import numba
import numpy as np
import pytest
from observations import SEVERAL, N, problem

from neuralstat.engine import cpu
from neuralstat.engine.cuda.device import target
from neuralstat.engine.cuda.losses import build_loss, code_of, parameters_of
from neuralstat.engine.cuda.translate import Translator
from neuralstat.functions import distributions as D
from neuralstat.functions.links import inverse_link
from neuralstat.jit.compile import jit

pytestmark = pytest.mark.skipif(bool(numba.config.DISABLE_JIT), reason="kernels are then plain Python, and not translated")
ONE, TWO, THREE = range(3)
WIDTH = 10


@jit
def first(x):
    return x + 1


@jit
def second(link, x):
    return x * 2 if link == ONE else x * 3


@jit
def third(link, x):
    total = x * 0
    for _ in range(link):
        total += x
    return total


@jit
def choice(code, x, lanes):
    kind, link = code % WIDTH, code // WIDTH
    moved = 0
    for i in range(3):
        moved = i  # known at first only
    if moved == 0:
        return x * np.nan
    if kind == ONE:
        if link == ONE:
            return first(x)
        if x > 0:  # not known
            return first(-x)
    elif kind == TWO and link != THREE:
        return second(link, x)
    return third(link, x) + lanes


def _same(function):
    return function


@pytest.mark.parametrize("kind", [ONE, TWO, THREE])
@pytest.mark.parametrize("link", [ONE, TWO, THREE])
def test_decided_kernels_do_the_same(kind, link):
    translator, code = Translator(_same, []), kind + WIDTH * link
    whole = translator(choice)
    decided = translator.decided(choice, {"code": code})
    for x in (-2.0, 3.0):
        for lanes in (1, 2):
            assert decided(code, x, lanes) == whole(code, x, lanes)
    assert translator.decided(choice, {"code": code}) is decided


def test_what_is_excluded_is_gone():
    def called(code):
        decided = Translator(_same, []).decided(choice, {"code": code})
        return {name.partition("_")[0] for name in decided.__code__.co_names} & {"first", "second", "third"}

    assert called(ONE + WIDTH * ONE) == {"first", "third"}  # what stands behind a return is read, and never reached
    assert called(ONE + WIDTH * TWO) == {"first", "third"}
    assert called(TWO) == {"second", "third"}
    assert called(TWO + WIDTH * THREE) == called(THREE) == {"third"}
    inner = Translator(_same, []).decided(choice, {"code": TWO + WIDTH * TWO})
    (name,) = [name for name in inner.__code__.co_names if name.startswith("second_")]
    assert inner.__globals__[name](THREE, 1.0) == 3.0  # decided, whatever it is called with
    kept = Translator(_same, []).decided(inverse_link, {"link": 1})
    assert len(kept.__code__.co_code) < 0.3 * len(inverse_link.py_func.__code__.co_code)


def test_sources_that_were_changed_meanwhile_are_noticed(monkeypatch):
    monkeypatch.setattr("inspect.getsource", lambda function: "def another(code, x, lanes):\n    return x\n")
    with pytest.raises(RuntimeError, match="is not what was imported from it"):
        Translator(_same, []).decided(choice, {"code": ONE})


def test_substitutes_are_not_decided():
    given = Translator(_same, [(first, abs)])
    assert given.decided(first, {"x": 1}) is abs
    assert given.decided(choice, {"code": ONE})(ONE, -5.0, 1) == 5.0
    assert given.decided(len, {}) is len


@pytest.mark.parametrize("name", SEVERAL)
def test_losses_of_devices_are_the_cpus(name):
    """What a device compiles, as plain Python, observation by observation."""
    network, _, data = problem(name)
    net, y = network.net(), data.y[0]
    eta = np.ascontiguousarray(data.offset.T)[:, :, np.newaxis]
    losses, slopes = np.zeros(N), np.zeros_like(eta)
    each = np.ascontiguousarray(y.T)[:, :, np.newaxis]
    cpu.predictor_losses(net, eta, each, data.weight[0][:, np.newaxis], slopes, losses)
    loss = build_loss(target(True), 0, code_of(net))
    delta, value = np.zeros(data.offset.shape), data.offset
    with np.errstate(all="ignore"):
        found = [loss(net.loss, parameters_of(net), value, y, data.weight[0], delta, 0, len(value), i, i + 1, 1)
                 for i in range(N)]  # fmt: skip
    np.testing.assert_allclose(found, losses, rtol=1e-11, atol=1e-13)
    np.testing.assert_allclose(delta.T, slopes[:, :, 0], rtol=1e-11, atol=1e-13)


def test_every_distribution_is_among_them():
    kinds = {problem(name)[0].net().loss - D.DISTRIBUTION for name in SEVERAL}
    assert {code % D.WIDTH for code in kinds} >= set(D.DENSITIES)
