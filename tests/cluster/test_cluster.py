"""Fits of Dask DataFrames on their cluster are those of the whole table; refusals say why."""

from __future__ import annotations

import logging
import os
import signal
import warnings

import numpy as np
import pandas as pd
import pytest

import neuralstat as ns
from neuralstat.cluster import sums
from neuralstat.errors import ArgumentError, DataError

pytestmark = [pytest.mark.filterwarnings("ignore::neuralstat.errors.NeuralStatWarning"),
              pytest.mark.filterwarnings("ignore::ResourceWarning")]  # fmt: skip
N, PARTS = 700, 5


@pytest.fixture(scope="module")
def table():
    rng = np.random.default_rng(0)
    frame = pd.DataFrame({"x": rng.normal(size=N), "z": rng.normal(2, 3, N), "g": rng.choice(list("abc"), N)})
    frame["y"] = np.sin(frame.x) + 0.1 * frame.z + (frame.g == "b") + 0.1 * rng.normal(size=N)
    frame["y2"] = 10 * frame.x**2 + rng.normal(size=N)
    frame["count"] = rng.poisson(np.exp(0.3 * frame.x))
    frame["binary"] = (rng.uniform(size=N) < 1 / (1 + np.exp(-frame.x))).astype(float)
    frame["class"] = rng.choice(list("uvw"), N)
    frame["w"], frame["o"] = rng.uniform(0.5, 2, N), 0.1 * rng.normal(size=N)
    frame["often"] = rng.integers(0, 3, N)
    frame.loc[[3, 400], "x"] = np.nan
    frame["rare"] = np.where(np.arange(N) == N - 1, "last", "usual")
    return frame


def dask(frame, parts=PARTS):
    import dask.dataframe as dd

    return dd.from_pandas(frame, npartitions=parts)


def both(formula, table, **arguments):
    arguments = {"random_state": 1, **arguments}
    there = ns.neuralnet(formula, dask(table), **arguments)
    assert there.design.away
    return there, ns.neuralnet(formula, table, **arguments)


MODELS = {
    "gaussian": ("y ~ x + z + g", {"hidden": 1, "rep": 2}),
    "weights": ("y ~ x + z", {"hidden": 2, "rep": 2, "weights": "w"}),
    "frequencies": ("y ~ x + z", {"hidden": 2, "rep": 2, "freq_weights": "often"}),
    "several": ("y + y2 ~ x + z", {"hidden": 2, "rep": 2}),
    "poisson, offset": ("count ~ x + z", {"hidden": 2, "rep": 2, "family": "poisson", "offset": "o"}),
    "binomial": ("binary ~ x + z", {"hidden": 1, "rep": 2, "family": "binomial"}),
    "classes": ("class ~ x", {"hidden": 1, "rep": 2, "family": "multinomial"}),
    "held out": ("y ~ x + z", {"hidden": 2, "rep": 2, "exclude": [(1, 2, 1)]}),
    "lasso": ("y ~ x + z", {"hidden": 2, "rep": 2, "penalty": ns.l1(1.0)}),
}  # fmt: skip


@pytest.mark.parametrize("name", MODELS)
def test_the_fit_and_its_statistics_are_those_of_the_table(name, client, table):
    formula, arguments = MODELS[name]
    there, here = both(formula, table, algorithm="lm", **{"penalty": ns.decay(0.1), **arguments})
    np.testing.assert_array_equal(there.fit.steps, here.fit.steps)
    np.testing.assert_allclose(there.errors, here.errors, rtol=1e-9)
    np.testing.assert_allclose(there.theta, here.theta, rtol=1e-5, atol=1e-6)
    assert there.nobs == here.nobs and there.design.observations == here.design.observations
    names = ["deviance", "pearson_chi2", "scale", "llf", "rsquared", "df_resid", "bse"]
    names += [] if name == "poisson, offset" else ["null_deviance", "llnull"]
    for statistic in names:
        np.testing.assert_allclose(getattr(there, statistic), getattr(here, statistic), rtol=1e-5, err_msg=statistic)
    np.testing.assert_allclose(there.cov_params("sandwich"), here.cov_params("sandwich"), rtol=1e-4, atol=1e-9)
    np.testing.assert_array_equal(there.reps["optimum"], here.reps["optimum"])
    np.testing.assert_allclose(there.gradients, here.gradients, atol=1e-4)
    text, known = str(there.summary()), str(here.summary())
    for mark in ("Observations", "Rows dropped", "Deviance", "Response"):
        assert [row for row in text.splitlines() if mark in row] == [row for row in known.splitlines() if mark in row]


@pytest.mark.parametrize("algorithm", ["rprop+", "rprop-", "sag", "slr", "lbfgs", "bfgs"])
def test_steps_of_other_algorithms(algorithm, client, table):
    there, here = both("y ~ x + z", table, algorithm=algorithm, hidden=2, rep=2, stepmax=12)
    np.testing.assert_array_equal(there.fit.steps, here.fit.steps)
    np.testing.assert_allclose(there.fit.theta, here.fit.theta, rtol=1e-6, atol=1e-9)


@pytest.mark.parametrize("dtype", ["float64", "float32"])
def test_kinds_of_numbers(dtype, client, table):
    there, here = both("y ~ x", table, algorithm="rprop+", hidden=2, rep=1, stepmax=20, dtype=dtype)
    assert there.fit.theta.dtype == dtype
    np.testing.assert_allclose(there.fit.theta, here.fit.theta, rtol=1e-4 if dtype == "float32" else 1e-8)


def test_a_model_without_hidden_units_is_at_its_optimum(client, table):
    there, here = both("binary ~ x + z + g", table, hidden=0, family="binomial")
    np.testing.assert_allclose(there.params, here.params, rtol=1e-6)
    np.testing.assert_allclose(there.pvalues, here.pvalues, rtol=1e-5)


def test_default_arguments_and_trials(client, table):
    there = ns.neuralnet("y ~ x + z", dask(table), hidden=1, random_state=1, threshold=1.0)
    assert there.nrep == 5 and there.fit.finished.any()
    pruned = ns.neuralnet("y ~ x + z", dask(table), hidden=1, rep=4, keep=2, algorithm="lm", random_state=1)
    known = ns.neuralnet("y ~ x + z", table, hidden=1, rep=4, keep=2, algorithm="lm", random_state=1)
    np.testing.assert_array_equal(pruned.pruned["start"], known.pruned["start"])


def test_a_level_of_one_partition_and_partitions_without_rows(client, table):
    import dask.dataframe as dd

    rare = table.assign(rare=np.where(np.arange(N) >= N - 30, "last", "usual"))
    data = dd.concat([dask(rare[:300], 2), dask(rare[300:300], 1), dask(rare[300:], 2)])
    there = ns.neuralnet("y ~ x + rare", data, hidden=0)
    here = ns.neuralnet("y ~ x + rare", rare, hidden=0)
    np.testing.assert_allclose(there.params, here.params, rtol=1e-6)
    assert there.design.kept.size == N and there.nobs == here.nobs


def test_missing_values(client, table):
    with pytest.raises(DataError, match=r"missing values in 'x' \(2\)"):
        ns.neuralnet("y ~ x", dask(table), missing="raise")
    with pytest.warns(ns.errors.DataWarning, match="not a number in"):
        ns.neuralnet("y ~ log(z)", dask(table), hidden=0)


def test_predictions_are_made_where_the_rows_are(client, table):
    there, here = both("y ~ x + z", table, hidden=1, algorithm="lm", rep=1, penalty=ns.decay(0.1))
    clean = table.dropna()
    found = dask(clean).map_partitions(there.predict, meta=here.predict(clean[:2])).compute()
    np.testing.assert_allclose(found, here.predict(clean), rtol=1e-6)


# refusals ----------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(("arguments", "said"), [
    ({"algorithm": "adam"}, "another algorithm, with other results.*ns.chunks"),
    ({"groups": "g"}, "groups.*ns.chunks"),
    ({"compat": "R"}, "compat"),
    ({"penalty": ns.decay("estimate")}, "strength is estimated"),
    ({"class_weight": "balanced"}, "class_weight"),
    ({"weights": np.ones(N)}, "name of a column"),
])  # fmt: skip
def test_what_cannot_be_is_said(arguments, said, client, table):
    with pytest.raises(ArgumentError, match=said):
        ns.neuralnet("count ~ z", dask(table), hidden=1, **arguments)


@pytest.mark.parametrize("formula", ["y ~ lag(z)", "y ~ s(z)"])
def test_terms_of_all_rows(formula, client, table):
    with pytest.raises((ArgumentError, DataError)):
        ns.neuralnet(formula, dask(table), hidden=0)


def test_rows_are_not_here(client, table):
    fit = ns.neuralnet("y ~ x", dask(table), hidden=1, algorithm="lm", rep=1, random_state=1)
    for ask in (lambda: fit.fittedvalues, lambda: fit.resid, lambda: fit.predict(), lambda: fit.partial_dependence("x"),
                lambda: fit.design.frame["x"], lambda: fit.data, lambda: ns.risk(fit, "cv")):  # fmt: skip
        with pytest.raises(DataError, match="lie on the workers of a Dask cluster"):
            ask()


def test_chunks_are_read_to_this_machine(client, table):
    fit = ns.neuralnet("y ~ x", ns.chunks(dask(table)), hidden=1, algorithm="lm", rep=1, random_state=1)
    assert not fit.design.away and len(fit.fittedvalues) == N


def test_progress_says_what_was_sent(client, table, capsys, monkeypatch):
    monkeypatch.setenv("COLUMNS", "300")  # a narrow line is cut
    ns.neuralnet("y ~ x", dask(table), hidden=1, algorithm="rprop+", rep=1, stepmax=40, progress=True)
    said = capsys.readouterr().err
    assert "moved=" in said and "MB" in said and "steps=" in said


# sums --------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("count", [1, 2, 5, 8, 13])
def test_sums_do_not_depend_on_who_adds(count):
    rng = np.random.default_rng(count)
    leaves = {(0, k): (rng.normal(size=3) * 10.0 ** rng.integers(-8, 8), np.array(rng.normal())) for k in range(count)}
    (whole,) = sums.folded(leaves, count).values()
    np.testing.assert_allclose(whole[0], sum(leaf[0] for leaf in leaves.values()), rtol=1e-9)
    for groups in (2, 3, 4):
        owner = rng.integers(groups, size=count)
        nodes = {}
        for g in range(groups):
            nodes.update(sums.folded({(0, k): leaves[0, k] for k in range(count) if owner[k] == g}, count))
        (found,) = sums.folded(nodes, count).values()
        np.testing.assert_array_equal(found[0], whole[0])
        np.testing.assert_array_equal(found[1], whole[1])


def test_a_part_that_is_made_again_must_be_the_same():
    part = sums.scaled(sums.Part(np.ones((1, 3)), np.zeros((1, 3)), None, None, None), None)
    with pytest.raises(DataError, match=r"partition 4 .* other values"):
        sums.Keeper([4], [part], [part.crc + 1])


def test_one_two_and_three_workers_and_one_that_is_killed_give_the_same_bits(table):
    from distributed import Client, LocalCluster

    arguments = {"hidden": 2, "rep": 2, "algorithm": "rprop+", "stepmax": 40, "threshold": 1e-12, "random_state": 1}
    rounds, found = [], {}
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        with LocalCluster(n_workers=3, threads_per_worker=1, processes=True, dashboard_address=None,
                          silence_logs=logging.CRITICAL) as cluster, Client(cluster) as client:  # fmt: skip
            model = ns.NeuralNet.from_formula("y ~ x + z + g", dask(table, 7), **arguments)
            rows = model.design.held
            assert len({worker for held in client.who_has(rows.parts).values() for worker in held}) == 3
            address = client.who_has(rows.parts)[rows.parts[0].key][0]
            pid, total = client.run(os.getpid, workers=[address])[address], rows.total

            def counted(function, *given, **more):
                rounds.append(function)
                if len(rounds) == 15:
                    os.kill(pid, signal.SIGKILL)
                return total(function, *given, **more)

            rows.total = counted
            found[3] = model.fit()
            assert len(rounds) >= 40 and pid not in client.run(os.getpid).values()
        for workers in (1, 2):
            with LocalCluster(n_workers=workers, threads_per_worker=1, processes=False, dashboard_address=None,
                              silence_logs=logging.CRITICAL) as cluster, Client(cluster):  # fmt: skip
                found[workers] = ns.neuralnet("y ~ x + z + g", dask(table, 7), **arguments)
    assert found[1].fit.steps.tolist() == [40, 40]
    for other in found.values():
        np.testing.assert_array_equal(other.fit.theta, found[1].fit.theta)
        np.testing.assert_array_equal(other.fit.loss, found[1].fit.loss)
