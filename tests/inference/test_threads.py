"""Statistics have the same bits whatever number of threads BLAS has."""

import numpy as np
import pandas as pd
import pytest
from threadpoolctl import threadpool_info, threadpool_limits

import neuralstat as ns
from neuralstat.fitted import Fitted
from neuralstat.network.blas import ONE_THREAD, methods_on_one_thread, on_one_thread
from neuralstat.results import NeuralNetResults

N = 4000


def numbers():
    return {library["num_threads"] for library in threadpool_info() if library["user_api"] == "blas"}


@pytest.fixture(scope="module")
def fit():
    rng = np.random.default_rng(0)
    data = pd.DataFrame(rng.normal(size=(N, 5)), columns=list("abcde"))
    data["y"] = np.sin(data["a"]) + data["b"] + rng.normal(scale=0.3, size=N)
    with pytest.warns(ns.errors.ConvergenceWarning):
        return ns.neuralnet("y ~ .", data, hidden=6, rep=1, random_state=1, penalty=ns.decay(0.1), algorithm="lm", stepmax=8)


STATISTICS = {
    "cov_params": lambda f: f.cov_params(), "sandwich": lambda f: f.cov_params("sandwich"), "bse": lambda f: f.bse,
    "Wald": lambda f: f.wald_test_terms().table, "df": lambda f: [f.df("weights"), f.df_resid], "gcv": lambda f: f.gcv,
    "leverages": lambda f: f.get_influence().hat_matrix_diag, "Cook": lambda f: f.get_influence().cooks_distance[0],
    "intervals": lambda f: f.get_prediction(f.design.frame.iloc[:100]).summary_frame(),
    "sandwich intervals": lambda f: f.confidence_interval().lower_ci[0][0],
    "profile": lambda f: f.partial_dependence("a", 4), "ale": lambda f: f.ale("a", 4),
    "slopes": lambda f: f.marginal_effects(), "importance": lambda f: f.importance("olden"),
}  # fmt: skip


@pytest.mark.filterwarnings("ignore::neuralstat.errors.NeuralStatWarning")
def test_same_bits(fit):
    found = []
    for threads in (1, 2, 4):
        again = NeuralNetResults(Fitted(fit.fitted.procedure, fit.fitted.fit))  # nothing is remembered
        with threadpool_limits(threads, user_api="blas"):
            found.append({name: np.asarray(of(again), dtype=float).tobytes() for name, of in STATISTICS.items()})
    for name in STATISTICS:
        assert found[0][name] == found[1][name] == found[2][name], name


def test_the_number_of_threads_is_put_back():
    with threadpool_limits(2, user_api="blas"):
        before = numbers()
        with ONE_THREAD:
            with ONE_THREAD:
                assert numbers() == {1}
            assert numbers() == {1}
        assert numbers() == before

        @on_one_thread
        def fails():
            assert numbers() == {1}
            raise ValueError

        with pytest.raises(ValueError):
            fails()
        assert numbers() == before


def test_classes():
    @methods_on_one_thread(but=("free",))
    class Thing:
        def method(self):
            return numbers()

        def free(self):
            return numbers()

        @property
        def property_(self):
            """What it is."""
            return numbers()

    with threadpool_limits(2, user_api="blas"):
        assert Thing().method() == Thing().property_ == {1} and Thing().free() == numbers()
    assert Thing.property_.__doc__ == "What it is."
