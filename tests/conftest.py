"""Fits that tests of several rooms look at, and change nothing of."""

from __future__ import annotations

import gc
import os
import signal
import sys
from collections.abc import Iterator

import pytest
import raw
import simulator

import neuralstat as ns


def pytest_configure() -> None:
    """Ctrl-C, simulated devices, and how often unreachable objects are looked for.

    A shell that starts tests in the background has them, and what they start, ignore Ctrl-C, which tests send. What numba
    makes when it compiles is much and stays; at Python's own 700 new objects to a collection, a tenth of the time goes there.
    """
    gc.set_threshold(10_000, 10, 10)
    if signal.getsignal(signal.SIGINT) is signal.SIG_IGN:
        signal.signal(signal.SIGINT, signal.default_int_handler)
    if os.environ.get("NUMBA_ENABLE_CUDASIM") == "1":
        simulator.take_turns()


@pytest.fixture(autouse=True)
def no_figures_left() -> Iterator[None]:
    """Figures that a test drew by pyplot are closed after it."""
    yield
    if "matplotlib.pyplot" in sys.modules:
        sys.modules["matplotlib.pyplot"].close("all")


@pytest.fixture(scope="session")
def doppler_net() -> ns.NeuralNetResults:
    """A penalised 1-3-1 network with four repetitions."""
    data = ns.datasets.doppler(n=80, noise=0.1, random_state=1)
    return raw.neuralnet("y ~ x", data, hidden=3, rep=4, penalty=ns.decay(1e-3), algorithm="lm", threshold=1e-6,
                        random_state=1)  # fmt: skip
