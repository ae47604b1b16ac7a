"""Refits and studies on a Dask cluster: the bits of this process; warnings, errors and settings come through."""

from __future__ import annotations

import logging
import os
import signal
import threading
import time
import warnings

import numpy as np
import pandas as pd
import pytest

import neuralstat as ns
from neuralstat.cluster import Packed, Workers, in_parts, joblib_client, tasks
from neuralstat.errors import ArgumentError, ConvergenceWarning, DataError, FitWarning
from neuralstat.network.blas import single
from neuralstat.training.stack import threads

pytest.importorskip("distributed")
pytestmark = pytest.mark.filterwarnings("ignore::ResourceWarning")


@pytest.fixture
def on_dask(client):
    """A context in which refits go to the cluster; how many tasks there were."""
    import joblib

    asked = []
    before = Workers.run

    def run(self, function, packed, pieces):
        for found in before(self, function, packed, pieces):
            asked.append(found[0])
            yield found

    with pytest.MonkeyPatch.context() as patch, joblib.parallel_config(backend="dask"):
        patch.setattr(Workers, "run", run)
        yield asked


DATA = ns.datasets.doppler(n=70, noise=0.1, random_state=1)
ARGUMENTS = {"hidden": 2, "algorithm": "lm", "rep": 2, "random_state": 1}


def dense():
    return ns.neuralnet("y ~ x", DATA, **ARGUMENTS)


def epochs():
    return ns.neuralnet("y ~ x", DATA, hidden=3, algorithm="adam", epochs=4, rep=2, random_state=1)


def estimated():
    return ns.neuralnet("y ~ x", DATA, hidden=2, rep=2, penalty=ns.decay("estimate"), random_state=1)


def infert():
    data = ns.datasets.infert()
    return ns.neuralnet("case ~ age + parity + education", data, hidden=1, rep=2, family="binomial", penalty=ns.decay(0.1),
                        algorithm="lbfgs", random_state=1)  # fmt: skip


CALLS = {
    "cv": lambda f: ns.risk(f, "cv", k=7, random_state=1).draws,
    "cv corrected, repeated": lambda f: float(ns.risk(f, "cv", k=5, repeats=2, corrected=True, random_state=1)),
    "632+": lambda f: ns.risk(f, "632+", draws=30, random_state=1).draws,
    "nested": lambda f: float(ns.risk(f, "nested_cv", k=3, repeats=2, random_state=1)),
    "gdf": lambda f: float(f.df("gdf", draws=12, random_state=1)),
    "gdf fresh": lambda f: float(f.df("gdf", draws=6, restarts="fresh", random_state=1)),
    "covariance": lambda f: float(f.df("covariance", draws=12, random_state=1)),
    "bootstrap": lambda f: f.get_prediction(method="bootstrap", draws=12, random_state=1).conf_int(),
    "cases": lambda f: f.get_prediction(method="bootstrap", kind="case", draws=12, random_state=1).conf_int(),
    "fresh": lambda f: f.get_prediction(method="bootstrap", restarts="fresh", draws=6, random_state=1).conf_int(),
    "conformal": lambda f: f.get_prediction(method="jackknife+ab", draws=40, random_state=1).conf_int(obs=True),
    "quick": lambda f: float(ns.risk(f, "cv", k=4, random_state=1)),
    "quick cases": lambda f: f.get_prediction(method="bootstrap", kind="case", draws=5, random_state=1).conf_int(),
}


@pytest.mark.filterwarnings("ignore::neuralstat.errors.NeuralStatWarning")
@pytest.mark.parametrize(
    ("model", "call"),
    [(dense, name) for name in CALLS] + [(epochs, "quick"), (epochs, "quick cases"), (epochs, "gdf"), (estimated, "quick"),
     (estimated, "gdf"), (infert, "quick"), (infert, "gdf"), (infert, "bootstrap")],
)  # fmt: skip
def test_the_same_bits(model, call, on_dask):
    import joblib

    there = np.asarray(CALLS[call](model()), float)
    assert len(on_dask) >= 2
    with joblib.parallel_config(backend="sequential"):
        here = np.asarray(CALLS[call](model()), float)
    np.testing.assert_array_equal(here, there)
    assert np.isfinite(here).all()


@pytest.mark.filterwarnings("ignore::neuralstat.errors.NeuralStatWarning")
def test_covariances_of_weights(on_dask):
    import joblib

    there = dense().cov_params(cov_type="bootstrap")
    assert len(on_dask) >= 2
    with joblib.parallel_config(backend="sequential"):
        np.testing.assert_array_equal(dense().cov_params(cov_type="bootstrap"), there)


@pytest.mark.filterwarnings("ignore::neuralstat.errors.NeuralStatWarning")
@pytest.mark.parametrize(
    "more",
    [{"criterion": "cv:k=3"}, {"criterion": "cp"}, {"criterion": "bic"}, {"criterion": "gdf:draws=5"},
     {"criterion": "cv:k=3", "hidden": [0, 1]}, {"criterion": "bic", "search": "halving", "min_resource": 25},
     {"criterion": "bic", "grid": {"act_fct": ["tanh", "logistic"]}}],
    ids=repr,
)  # fmt: skip
def test_select(more, on_dask):
    import joblib

    arguments = {**ARGUMENTS, "hidden": [0, 1, 2, 3], **more}
    there = ns.select("y ~ x", DATA, **arguments)
    assert on_dask
    with joblib.parallel_config(backend="sequential"):
        here = ns.select("y ~ x", DATA, **arguments)
    pd.testing.assert_frame_equal(here.path, there.path, check_exact=True)
    np.testing.assert_array_equal(here.best.fit.theta, there.best.fit.theta)
    for one, other in zip(here.risks, there.risks, strict=True):
        assert (one is None and other is None) or float(one) == float(other)
    assert [str(f.settings) for f in here.fits] == [str(f.settings) for f in there.fits]


@pytest.mark.filterwarnings("ignore::neuralstat.errors.NeuralStatWarning")
def test_a_model_that_is_not_fitted(on_dask):
    import joblib

    model = ns.NeuralNet.from_formula("y ~ x", DATA, **ARGUMENTS)
    there = float(ns.risk(model, "cv", k=4, random_state=2))
    assert len(on_dask) >= 2
    with joblib.parallel_config(backend="sequential"):
        assert float(ns.risk(model, "cv", k=4, random_state=2)) == there


def test_n_jobs_stays_here(on_dask):
    fit = dense()
    ns.risk(fit, "cv", k=3, random_state=1, n_jobs=1)
    fit.df("gdf", draws=4, n_jobs=2, random_state=1)
    fit.get_prediction(method="bootstrap", draws=4, n_jobs=1, random_state=1)
    assert not on_dask


def test_warnings_come_through_once(on_dask):
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        fit = ns.neuralnet("y ~ x", DATA, hidden=2, algorithm="lm", stepmax=3, random_state=1)
    with pytest.warns(ConvergenceWarning, match=r"in 15 of 15 repetition") as heard:
        ns.risk(fit, "cv", k=3, random_state=1)
    assert len([w for w in heard if w.category is ConvergenceWarning]) == 1 and on_dask


def _square(thing, numbers, own):
    assert single() and threads(None) == threads(-1) == 1 and joblib_client() is None
    return [thing * k + add for k, add in zip(numbers, own, strict=True)]


def test_parts_are_in_order_and_know_that_they_are_tasks(client):
    found = list(in_parts(_square, lambda: 3, 40, list, lambda numbers: ([1] * len(numbers),), what="it", client=client))
    assert [k for numbers, _ in found for k in numbers] == list(range(40))
    assert [v for _, values in found for v in values] == [3 * k + 1 for k in range(40)]
    assert not single()


def _fails(thing, numbers):
    if 7 in numbers:
        raise DataError("number 7 is wrong")
    time.sleep(0.01)
    return thing


def test_an_error_is_raised_as_it_is_and_the_rest_is_cancelled(client):
    with pytest.raises(DataError, match="number 7 is wrong"):
        list(in_parts(_fails, lambda: 1, 1000, list, what="it", client=client))
    assert _idle(client)


def _idle(client):
    """Whether workers have nothing to do, after some time."""
    for _ in range(100):
        if not any(client.processing().values()):
            return True
        time.sleep(0.05)
    return False


def test_ctrl_c_cancels_what_waits(client):
    def own(numbers):
        if numbers.start > 20:
            raise KeyboardInterrupt
        return ([1] * len(numbers),)

    with pytest.raises(KeyboardInterrupt):
        list(in_parts(_square, lambda: 3, 10**6, list, own, what="it", client=client))
    assert _idle(client)


STUDY = {"models": [ns.study.bs(4), ns.study.net(2)], "truth": ["sine", "step"], "noise": 0.3, "n": 30, "replicates": 6,
         "random_state": 1}  # fmt: skip


def test_studies(on_dask, monkeypatch):
    there, tasks_there = ns.study(**STUDY), len(on_dask)
    assert tasks_there >= 2
    here = ns.study(**STUDY, n_jobs=1)
    assert len(on_dask) == tasks_there  # one job is of this process
    pd.testing.assert_frame_equal(here.frame.drop(columns="seconds"), there.frame.drop(columns="seconds"), check_exact=True)
    pieces = ns.study(**STUDY, chunk=2)
    assert len(on_dask) == tasks_there + 12 and pieces.complete
    pd.testing.assert_frame_equal(here.frame.drop(columns="seconds"), pieces.frame.drop(columns="seconds"), check_exact=True)


@pytest.mark.filterwarnings("ignore::neuralstat.errors.NeuralStatWarning")  # chunks of the same process may silence it
def test_ctrl_c_leaves_the_part_of_a_study_that_is_done(on_dask, monkeypatch, client):
    before, asked = Workers.__call__, []

    def pressed(self):
        asked.append(1)
        if len(asked) > 9:
            raise KeyboardInterrupt
        return before(self)

    monkeypatch.setattr(Workers, "__call__", pressed)
    part = ns.study(**STUDY, chunk=1)
    assert not part.complete and len(part.frame) > 0 and _idle(client)


def test_what_cannot_be_pickled_is_named():
    with pytest.raises(ArgumentError, match="the fit cannot be sent to workers"):
        Packed(threading.Lock(), "the fit")


def test_no_client_without_dask(client):
    import joblib

    assert joblib_client() is None
    with joblib.parallel_config(backend="threading"):
        assert joblib_client() is None
    with joblib.parallel_config(backend="dask"):
        assert joblib_client() is client


def _asked_on_worker():
    import joblib

    with joblib.parallel_config(backend="dask"):
        return joblib_client() is None, float(ns.risk(dense(), "cv", k=3, random_state=1))


@pytest.mark.filterwarnings("ignore::neuralstat.errors.NeuralStatWarning")
def test_in_a_task_of_the_user_all_stays_there(client):
    """All workers would otherwise wait for workers."""
    expected = float(ns.risk(dense(), "cv", k=3, random_state=1))
    found = client.gather([client.submit(_asked_on_worker, pure=False) for _ in range(2)])
    assert found == [(True, expected)] * 2


def _pid(thing, key, number):
    time.sleep(0.1)
    return os.getpid(), thing * number


def _warns(thing, numbers):
    warnings.warn("of a worker", FitWarning, stacklevel=1)
    warnings.warn("of others", UserWarning, stacklevel=1)
    return [k * thing for k in numbers]


@pytest.mark.parametrize("count", [1, 2])
def test_warnings_of_workers_are_told_and_workers_that_die_are_replaced(count):
    """Also the only worker, with which what all tasks need is lost."""
    from distributed import Client, LocalCluster

    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        with LocalCluster(n_workers=count, threads_per_worker=1, dashboard_address=None, silence_logs=logging.CRITICAL) as \
                cluster, Client(cluster) as client:  # fmt: skip
            with warnings.catch_warnings(record=True) as heard:
                warnings.simplefilter("always")
                told = list(in_parts(_warns, lambda: 2, 20, list, what="it", client=client))
            assert [(w.category, str(w.message)) for w in heard] == [(FitWarning, "of a worker")]  # once, of many tasks
            assert [v for _, values in told for v in values] == list(range(0, 40, 2)) and len(told) > 1
            found, pids = {}, []
            for key, (pid, value), _, _ in Workers(client).run(_pid, Packed(3, "it"), ((k, (k,)) for k in range(12))):
                found[key] = value
                pids.append(pid)
                if len(pids) == 2:
                    os.kill(pid, signal.SIGKILL)
    assert found == {k: 3 * k for k in range(12)}
    assert len(pids) == 12 and pids.index(pids[1]) <= 1 < len(set(pids))


def _count(thing, chunk):
    return len(tasks._kept), threading.get_ident()


def test_things_are_unpickled_once_and_forgotten(client):
    for k in range(5):
        packed = Packed(np.arange(k), "it")
        found = [value for _, value, _, _ in Workers(client).run(_count, packed, ((j, ()) for j in range(6)))]
        assert max(kept for kept, _ in found) <= tasks.KEPT


def test_functions_that_name_the_study_can_be_sent():
    import pickle

    import cloudpickle

    assert pickle.loads(cloudpickle.dumps(ns.study)) is ns.study
