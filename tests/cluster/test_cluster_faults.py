"""Ctrl-C, workers that hang, leave or join, and schedulers that end, in the middle of a fit on a cluster."""

from __future__ import annotations

import functools
import gc
import logging
import os
import signal
import subprocess
import sys
import textwrap
import threading
import time
import warnings
import weakref
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
from processes import environment

import neuralstat as ns
from neuralstat.cluster import rows, sums
from neuralstat.errors import ConvergenceWarning, DataError
from neuralstat.training.interrupts import passed_on

pytestmark = [pytest.mark.filterwarnings("ignore::neuralstat.errors.NeuralStatWarning"),
              pytest.mark.filterwarnings("ignore::ResourceWarning"),
              pytest.mark.skipif(os.name == "nt", reason="signals as on POSIX")]  # fmt: skip
WHOLE = {"hidden": 2, "rep": 2, "algorithm": "rprop+", "stepmax": 60, "threshold": 1e-12, "random_state": 1}
ALGORITHMS = {"rprop+": 20, "lbfgs": 12, "lm": 6}  # sums before something happens


def table():
    rng = np.random.default_rng(0)
    frame = pd.DataFrame({"x": rng.normal(size=300), "z": rng.normal(2, 3, 300)})
    return frame.assign(y=np.sin(frame.x) + 0.1 * frame.z + 0.1 * rng.normal(size=300))


def model_of(**arguments):
    import dask.dataframe as dd

    return ns.NeuralNet.from_formula("y ~ x + z", dd.from_pandas(table(), npartitions=5), **{**WHOLE, **arguments})


class Cluster:
    """Two workers, and their client; threads of this process unless asked for."""

    def __init__(self, processes=False):
        from distributed import Client, LocalCluster

        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            self.cluster = LocalCluster(n_workers=2, threads_per_worker=1, processes=processes, dashboard_address=None,
                                        silence_logs=logging.CRITICAL)  # fmt: skip
            self.client = Client(self.cluster)

    def __enter__(self):
        return self

    def __exit__(self, *_):
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            self.client.close()
            self.cluster.close()

    def held(self):
        """Numbers of what workers keep: data and actors."""
        return [sum(found) for found in
                zip(*self.client.run(lambda dask_worker: (len(dask_worker.data), len(dask_worker.state.actors))).values())]

    def emptied(self, seconds=10.0):
        end = time.monotonic() + seconds
        while self.held() != [0, 0] and time.monotonic() < end:
            time.sleep(0.05)
        return self.held() == [0, 0]


@pytest.fixture(scope="module")
def cluster():
    with Cluster() as made:
        yield made


@pytest.fixture
def at(monkeypatch):
    """``at(number, act)``: something happens when the sum of that number is asked for, from now on."""

    def arrange(number, act):
        total, asked = rows.Rows.total, []

        @functools.wraps(total)
        def counted(*given, **more):
            asked.append(None)
            if len(asked) == number:
                act()
            return total(*given, **more)

        monkeypatch.setattr(rows.Rows, "total", counted)
        return asked

    return arrange


def ctrl_c():
    os.kill(os.getpid(), signal.SIGINT)
    time.sleep(0.3)  # the main thread looks ten times a second


# Ctrl-C ------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("algorithm", ALGORITHMS)
def test_ctrl_c_returns_the_steps_that_were_done_and_the_workers_are_let_go(algorithm, cluster, at):
    gc.collect()
    gc.disable()  # nothing may wait for the collector: the rows of a cluster are much
    try:
        model = model_of(algorithm=algorithm)
        before = {t.name for t in threading.enumerate()}
        at(ALGORITHMS[algorithm], ctrl_c)
        with pytest.warns(ConvergenceWarning, match="interrupted"):
            fit = model.fit()
        assert (fit.reps["status"] == "interrupted").all() and np.isfinite(fit.theta).all()
        for b, steps in enumerate(fit.fit.steps):
            assert 0 < steps < 60
            known = model.fit(stepmax=int(steps)).fit
            assert fit.fit.loss[b] == known.loss[b]
            if algorithm == "rprop+":  # at stepmax the last gradient is looked at, and not followed
                known = model.fit(stepmax=int(steps) + 1).fit
            np.testing.assert_array_equal(fit.fit.theta[b], known.theta[b])
        assert np.isfinite(fit.deviance) and "interrupted" in str(fit.summary())
        left = {t.name for t in threading.enumerate()} - before
        assert not [name for name in left if name.startswith("ThreadPoolExecutor-")]
        seen = weakref.ref(model.design.held)
        del fit, known, model
        assert seen() is None and cluster.emptied()
    finally:
        gc.enable()
    assert (model_of().fit().fit.steps == 60).all()


def test_ctrl_c_before_the_first_step(cluster, at):
    model = model_of()
    at(1, ctrl_c)
    fit = model.fit()
    assert (fit.reps["status"] == "interrupted").all() and (fit.fit.steps <= 1).all()
    assert np.isfinite(fit.theta).all()


def test_ctrl_c_while_a_worker_says_nothing(cluster, at, monkeypatch):
    """The worker hangs for longer than any patience; the main thread is answered at once."""
    awake, plain = threading.Event(), sums.losses

    def asleep(part, *given):
        awake.wait(60)
        return plain(part, *given)

    monkeypatch.setattr(sums, "losses", asleep)
    model = model_of()
    threading.Timer(0.5, ctrl_c).start()
    began = time.monotonic()
    try:
        with pytest.warns(ConvergenceWarning, match="interrupted"):
            fit = model.fit()
        assert time.monotonic() - began < 20
    finally:
        awake.set()
    assert (fit.fit.steps == 0).all() and np.isfinite(fit.theta).all()
    np.testing.assert_array_equal(fit.fit.theta, fit.fit.start)
    monkeypatch.undo()
    assert (model.fit().fit.steps == 60).all()


def test_predictions_of_new_rows_ask_no_worker(cluster, at, monkeypatch):
    model = model_of()
    at(10, ctrl_c)
    fit = model.fit()

    def hung(*_, **__):
        raise AssertionError("a sum was asked for")

    monkeypatch.setattr(rows.Rows, "total", hung)
    assert fit.theta.shape == (2, 9) and np.isfinite(fit.predict(table()[:5])).all()


def test_a_part_of_a_larger_calculation_raises(cluster, at):
    model = model_of()
    at(10, ctrl_c)
    with pytest.raises(KeyboardInterrupt), passed_on():
        model.fit()


# workers and schedulers --------------------------------------------------------------------------------------


def test_sums_that_take_longer_than_a_look(cluster, monkeypatch):
    known, plain = model_of(stepmax=3).fit(), sums.losses

    def slow(part, *given):
        time.sleep(1.2 * rows.LOOK)
        return plain(part, *given)

    monkeypatch.setattr(sums, "losses", slow)
    monkeypatch.setattr(rows, "PATIENCE", rows.LOOK)
    np.testing.assert_array_equal(model_of(stepmax=3).fit().theta, known.theta)


def test_workers_that_join_and_that_leave_between_two_sums_change_no_bit(at):
    with Cluster() as own:
        known = model_of().fit().fit
        first = next(iter(own.client.nthreads()))

        def change():
            own.cluster.scale(3)
            own.client.wait_for_workers(3, timeout=30)
            own.cluster.sync(next(w for w in own.cluster.workers.values() if w.address == first).close)

        model = model_of()
        at(20, change)
        fit = model.fit().fit
        assert first not in own.client.nthreads() and len(own.client.nthreads()) == 2
        np.testing.assert_array_equal(fit.theta, known.theta)
        np.testing.assert_array_equal(fit.loss, known.loss)


@pytest.mark.parametrize("kind", [RuntimeError, ValueError])
def test_an_actor_that_is_known_to_be_lost_is_made_again(kind, cluster):
    """Dask says so before it sends anything."""
    known, model = model_of().fit().fit, model_of()
    held = model.design.held
    held.total(sums.moments)

    class Lost:
        @property
        def sums(self):
            raise kind("Worker holding Actor was lost.  Status: error")

    held._keepers[0].actor = Lost()
    np.testing.assert_array_equal(model.fit().fit.theta, known.theta)


def test_a_client_that_is_closed_in_a_fit(at):
    with Cluster() as own:
        model = model_of()
        at(20, own.client.close)
        with pytest.raises(DataError, match=r"whose client is closed.*fit again"):
            model.fit()


# other processes ---------------------------------------------------------------------------------------------

SCRIPT = """if True:
    import os, signal, subprocess, sys, threading, time, warnings
    import dask, numpy as np
    warnings.simplefilter("ignore")
    import test_cluster_faults as t
    from neuralstat.cluster import rows

    def press(number, act):
        total, asked = rows.Rows.total, []
        def counted(*given, **more):
            asked.append(None)
            if len(asked) == number:
                act()
            return total(*given, **more)
        rows.Rows.total = counted

    def later(seconds, act):
        threading.Timer(seconds, act).start()

    def main():
        with t.Cluster(processes=True) as own:
            known = t.model_of().fit().fit
            model = t.model_of()
            pid = min(own.client.run(os.getpid).values())
            hang = lambda: os.kill(pid, signal.SIGSTOP)
            go_on = lambda: os.kill(pid, signal.SIGCONT)
            {body}

    if __name__ == "__main__":
        main()
"""


@pytest.fixture
def said(tmp_path):
    """``said(body, **settings)``: what a script says that is the leader of its group of processes."""

    def run(body, **settings):
        code = textwrap.dedent(SCRIPT.removeprefix("if True:\n"))
        file, folder = tmp_path / "script.py", Path(__file__).parent
        file.write_text(code.replace("{body}", textwrap.indent(textwrap.dedent(body), " " * 8).strip()))
        done = subprocess.run([sys.executable, str(file)], capture_output=True, text=True, timeout=300,
                              start_new_session=True, env=environment(folder, **settings))  # fmt: skip
        assert done.returncode == 0, done.stdout + done.stderr[-4000:]
        return done.stdout.split()

    return run


SAME = """
    began = time.monotonic()
    fit = model.fit().fit
    print(np.array_equal(fit.theta, known.theta), time.monotonic() - began > 3)
"""


@pytest.mark.slow
def test_a_worker_that_hangs_for_a_while_is_waited_for(said):
    assert said("\n    press(20, lambda: (hang(), later(5, go_on)))" + SAME) == ["True", "True"]


@pytest.mark.slow
def test_a_worker_that_hangs_for_longer_than_its_time_to_live_is_replaced(said):
    found = said("\n    press(20, hang)" + SAME, DASK_DISTRIBUTED__SCHEDULER__WORKER_TTL="4s")
    assert found == ["True", "True"]


@pytest.mark.slow
def test_ctrl_c_while_a_worker_hangs(said):
    found = said("""
        press(20, lambda: (hang(), later(3, lambda: os.kill(os.getpid(), signal.SIGINT)), later(30, go_on)))
        began = time.monotonic()
        fit = model.fit()
        print(*fit.fit.status, 3 < time.monotonic() - began < 15)
        go_on()
        print(np.isfinite(fit.deviance), np.array_equal(model.fit().fit.theta, known.theta))
    """)
    assert found == ["4", "4", "True", "True", "True"]


@pytest.mark.slow
def test_ctrl_c_at_the_terminal_leaves_its_workers_alive(said):
    """It goes to all processes of the group; once the rows are let go, workers answer it as they did before."""
    found = said("""
        press(20, lambda: (os.killpg(0, signal.SIGINT), time.sleep(0.5)))
        fit = model.fit()
        print(*fit.reps["status"], len(own.client.nthreads()), np.isfinite(fit.deviance))
        print(np.array_equal(model.fit().fit.theta, known.theta))
        print(*own.client.run(lambda: signal.getsignal(signal.SIGINT) is signal.SIG_IGN).values())
        del fit, model, known
        print(own.emptied())
        time.sleep(0.5)
        print(*own.client.run(lambda: signal.getsignal(signal.SIGINT) is signal.SIG_IGN).values())
    """)
    assert found == ["interrupted", "interrupted", "2", "True", "True", "True", "True", "True", "False", "False"]


@pytest.mark.slow
def test_a_scheduler_that_is_killed_is_an_error_at_once():
    from distributed import Client

    python, quiet = [sys.executable, "-m"], {"stdout": subprocess.DEVNULL, "stderr": subprocess.DEVNULL}
    address = "tcp://127.0.0.1:18797"
    started = [subprocess.Popen([*python, "distributed.cli.dask_scheduler", "--port", "18797", "--host", "127.0.0.1",
                                 "--no-dashboard"], env=environment(), **quiet)]  # fmt: skip
    started.append(subprocess.Popen([*python, "distributed.cli.dask_worker", address, "--nthreads", "1", "--no-nanny",
                                     "--no-dashboard"], env=environment(), **quiet))  # fmt: skip
    try:
        with Client(address, timeout=60) as client:
            client.wait_for_workers(1, timeout=60)
            model = model_of()
            total = model.design.held.total
            asked = []

            def counted(*given, **more):
                asked.append(None)
                if len(asked) == 20:
                    started[0].kill()
                return total(*given, **more)

            model.design.held.total = counted
            began = time.monotonic()
            with pytest.raises(DataError, match=r"lost the connection to its scheduler.*new client"):
                model.fit()
            assert time.monotonic() - began < 20
    finally:
        for process in started:
            process.kill()
            process.wait()
