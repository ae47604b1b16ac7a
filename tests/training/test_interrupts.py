"""Who answers Ctrl-C: what owns a result; parts of larger calculations pass it on."""

from __future__ import annotations

import contextlib
import os
import signal
import threading

import numpy as np
import pytest
import raw

import neuralstat as ns
from neuralstat.training import interrupts, procedure, progress
from neuralstat.training.interrupts import noted, owned, passed_on
from neuralstat.training.refits import Refits
from neuralstat.training.settings import DEFAULT_ALGORITHM

pytestmark = pytest.mark.skipif(os.name == "nt", reason="signals as on POSIX")


def press():
    """Ctrl-C, now."""
    os.kill(os.getpid(), signal.SIGINT)
    for _ in range(1000):
        pass


@pytest.fixture(scope="module")
def data():
    return ns.datasets.doppler(n=50, noise=0.1, random_state=1)


@pytest.fixture(scope="module")
def fit(data):
    return raw.neuralnet("y ~ x", data, hidden=2, threshold=0.5, random_state=1)


@pytest.fixture(autouse=True)
def answered():
    """Python's own handler of Ctrl-C, which a process in the background does not have."""
    before = signal.signal(signal.SIGINT, signal.default_int_handler)
    yield
    signal.signal(signal.SIGINT, before)


@pytest.fixture
def unattended(monkeypatch):
    """Ctrl-C as soon as a fit that is watched has begun."""

    def watch(self, stack):
        raise KeyboardInterrupt

    monkeypatch.setattr(progress.Lifesign, "watch", watch)
    monkeypatch.setattr(progress.EpochLifesign, "watch", watch)


def test_owner():
    assert owned()
    with passed_on():
        assert not owned()
        with passed_on():
            assert not owned()
        assert not owned()
    assert owned()


def test_it_passes_through():
    before = signal.getsignal(signal.SIGINT)
    with pytest.raises(KeyboardInterrupt), passed_on():
        press()
    assert signal.getsignal(signal.SIGINT) is before and owned()


def test_swallowed_or_made_another_error_it_is_raised_again():
    with pytest.raises(KeyboardInterrupt), passed_on(), contextlib.suppress(KeyboardInterrupt):
        press()
    with pytest.raises(KeyboardInterrupt), passed_on(), passed_on():
        try:
            press()
        except KeyboardInterrupt:
            raise ImportError("failed to import") from None
    with pytest.raises(KeyboardInterrupt), passed_on(), contextlib.suppress(KeyboardInterrupt), passed_on():
        press()


def test_other_errors_are_what_they_are():
    with pytest.raises(ImportError, match="really"), passed_on():
        raise ImportError("really")


def test_handlers_of_users_stay():
    """One that does not raise is no interrupt; one that is set inside is left there."""
    seen = []
    before = signal.signal(signal.SIGINT, lambda number, frame: seen.append(number))
    try:
        with noted() as pressed, passed_on():
            press()
        assert seen == [signal.SIGINT] and not pressed
        with noted():
            signal.signal(signal.SIGINT, signal.SIG_IGN)
        assert signal.getsignal(signal.SIGINT) is signal.SIG_IGN
        with noted():
            assert signal.getsignal(signal.SIGINT) is signal.SIG_IGN
    finally:
        signal.signal(signal.SIGINT, before)


def test_in_other_threads():
    seen = []

    def run():
        with passed_on():
            seen.append(owned())
        seen.append(owned())

    thread = threading.Thread(target=run)
    thread.start()
    thread.join()
    assert seen == [False, True]


@pytest.mark.parametrize("settings", [
    {"threshold": 1e-13, "stepmax": 10**9}, {"algorithm": "adam", "epochs": 10**6, "threshold": None},
    {"polish": True, "threshold": 1e-13, "stepmax": 10**9},
], ids=["steps", "epochs", "polish"])  # fmt: skip
def test_a_fit_is_its_callers_or_a_part(data, unattended, settings):
    with pytest.warns(ns.errors.ConvergenceWarning, match="interrupted"):
        fit = raw.neuralnet("y ~ x", data, hidden=2, rep=2, **settings)
    assert set(fit.reps["status"]) == {"interrupted"}
    with pytest.raises(KeyboardInterrupt), passed_on():
        raw.neuralnet("y ~ x", data, hidden=2, rep=2, **settings)


def test_updates_are_their_callers(fit, unattended):
    with pytest.warns(ns.errors.ConvergenceWarning, match="interrupted"):
        then = fit.update(threshold=1e-13, stepmax=10**9)
    assert set(then.reps["status"]) == {"interrupted"}


def test_what_would_have_gone_on_is_not_finished(data, monkeypatch):
    """Ctrl-C as the first of two algorithms ends: the second does not begin, and nobody calls the first's end the fit's."""
    train = procedure.train

    def interrupted(*arguments, stop, **settings):
        fit = train(*arguments, stop=stop, **settings)
        stop.set()
        return fit

    monkeypatch.setattr(procedure, "train", interrupted)
    with pytest.warns(ns.errors.ConvergenceWarning, match="interrupted"):
        fit = raw.neuralnet("y ~ x", data, hidden=2, rep=2, threshold=0.5, polish=True, random_state=1)
    assert set(fit.reps["status"]) == {"interrupted"} and "then" not in fit.algorithm
    monkeypatch.setattr(procedure, "FEWEST_STEPS", 2)
    monkeypatch.setattr(procedure, "FIRST_WORK", 1)
    with pytest.warns(ns.errors.ConvergenceWarning, match="interrupted"):
        fit = raw.neuralnet("y ~ x", data, hidden=2, rep=2, threshold=1e-9, random_state=1, algorithm=DEFAULT_ALGORITHM)
    assert set(fit.reps["status"]) == {"interrupted"} and fit.fit.steps.tolist() == [2, 2]


def test_refits_pass_it_on(fit, monkeypatch):
    train = procedure.train

    def interrupted(*arguments, stop, **settings):
        stop.set()
        return train(*arguments, stop=stop, **settings)

    monkeypatch.setattr(procedure, "train", interrupted)
    again = Refits(fit.fitted.procedure, fit.fit)
    with pytest.raises(KeyboardInterrupt):
        again.to_responses(fit.design.y[np.newaxis], fit.fit.start)
    with pytest.raises(KeyboardInterrupt):
        ns.risk(fit, "cv")
    with pytest.raises(KeyboardInterrupt):
        fit.df("gdf", draws=5)
    with pytest.raises(KeyboardInterrupt):
        fit.get_prediction(method="bootstrap", draws=5)
    assert interrupts.owned()


def test_it_waits_where_locks_are_held():
    """Between two looks nothing is raised; at the end what is left is."""
    reached = []
    with pytest.raises(KeyboardInterrupt), interrupts.deferred() as keys:
        press()
        reached.append("after it came")
        keys.look()
        reached.append("never")
    with pytest.raises(KeyboardInterrupt), interrupts.deferred() as keys:
        keys.look()
        press()
        reached.append("to the end")
    assert reached == ["after it came", "to the end"]
    with pytest.raises(KeyboardInterrupt), noted() as pressed, interrupts.deferred():
        press()
    assert pressed
