"""Statistics of many rows go over them block by block: the same numbers as at once, in a few times the data's memory."""

from __future__ import annotations

import dataclasses
import gc
import tracemalloc

import numpy as np
import pandas as pd
import pytest

import neuralstat as ns
from neuralstat.df import roots
from neuralstat.effects import rows as effect_rows
from neuralstat.inference import sampling
from neuralstat.network import blocks

N = 240
OFFSET = 0.1 * np.random.default_rng(7).standard_normal(N)
CONTROL = {"algorithm": "lbfgs", "threshold": 1e-4, "random_state": 1}
KINDS = {
    "gaussian": {"response": "y"},
    "two repetitions": {"response": "y", "rep": 2},
    "weights, offset": {"response": "y", "weights": "w", "offset": OFFSET},
    "frequencies": {"response": "y", "freq_weights": "m"},
    "clusters": {"response": "y", "groups": "g"},
    "two responses": {"response": "y + z"},
    "binomial": {"response": "b", "family": "binomial"},
    "poisson": {"response": "k", "family": "poisson"},
    "classes": {"response": "c"},
    "two parameters": {"response": "y", "family": "gaussian", "dispformula": "~ x"},
    "linear": {"response": "y", "hidden": 0, "penalty": None},
}  # fmt: skip


def data_of(n: int = N) -> pd.DataFrame:
    rng = np.random.default_rng(3)
    x, v = rng.standard_normal((2, n))
    mean = np.sin(x) + 0.5 * v
    return pd.DataFrame({
        "x": x, "v": v, "y": mean + 0.3 * rng.standard_normal(n), "z": x * v + 0.3 * rng.standard_normal(n),
        "w": rng.uniform(0.5, 2, n), "m": rng.integers(1, 4, n),
        "g": rng.integers(0, 25, n), "b": (rng.random(n) < 1 / (1 + np.exp(-mean))).astype(float),
        "k": rng.poisson(np.exp(0.5 * mean)).astype(float),
        "c": pd.Categorical.from_codes(np.digitize(mean + rng.logistic(size=n), [-0.7, 0.7]), ["low", "mid", "high"]),
    })  # fmt: skip


@pytest.fixture(scope="module")
def fits():
    made = {}

    def fit(name):
        if name not in made:
            given = {"hidden": 2, "rep": 1, "penalty": ns.decay(0.05), **KINDS[name]}
            response = given.pop("response")
            made[name] = ns.neuralnet(f"{response} ~ x + v", data_of(), **given, **CONTROL)
        return type(made[name])(dataclasses.replace(made[name].fitted))  # with nothing remembered

    return fit


def numbers(value: object) -> np.ndarray:
    frame = value.summary_frame() if hasattr(value, "summary_frame") else value
    if isinstance(frame, pd.DataFrame | pd.Series):
        frame = frame.to_numpy()
    return np.asarray(frame, float)


def statistics(fit: object, name: str) -> dict[str, np.ndarray]:
    """What goes over blocks; of the covariances all that the fit has."""
    several = fit.fitted.network.objective.several
    out = {
        "df": numbers(fit.df("jacobian").per_observation), "nic": numbers(fit.df("nic").per_observation),
        "prediction": numbers(fit.get_prediction()),
        "slopes": numbers(fit.marginal_effects().drop(columns="sd over repetitions")),
    }  # fmt: skip
    if name not in ("classes", "binomial", "poisson"):
        out["divergence"] = numbers(fit.df("divergence").per_observation)
    for kind in ("expected", "hessian", "sandwich", *(["cluster"] if name == "clusters" else [])):
        out[kind] = numbers(fit.cov_params(kind))
        out[f"se of means, {kind}"] = numbers(fit.get_prediction(cov_type=kind).se_mean)
    if fit.fitted.network.n_outputs == 1 or several:
        influence = fit.get_influence()
        out["influence"] = numbers(influence.summary_frame())
        out["changes"] = numbers(influence.d_params)
        out["influence, observed"] = numbers(fit.get_influence(curvature="hessian").summary_frame())
    if "groups" not in KINDS[name]:
        out["left out"] = numbers(ns.risk(fit, "alo").details["per_observation"])
    return out


@pytest.mark.filterwarnings("ignore")
@pytest.mark.parametrize("name", KINDS)
def test_blocks_change_rounding_alone(fits, name, monkeypatch):
    whole = statistics(fits(name), name)
    monkeypatch.setattr(blocks, "NUMBERS", 1)
    monkeypatch.setattr(blocks, "LEAST", 37)
    monkeypatch.setattr(roots, "TALL", 1)
    monkeypatch.setattr(sampling, "PART", 100)
    monkeypatch.setattr(effect_rows, "ENCODED", 50)
    assert len(blocks.parts(N, 1, 9)) == 7
    parts = statistics(fits(name), name)
    for key, value in whole.items():
        size = np.nanmax(np.abs(value), axis=0) + 1e-300
        np.testing.assert_allclose(parts[key] / size, value / size, rtol=1e-7, atol=1e-8, err_msg=key)


def test_a_jacobian_of_lower_rank(fits, monkeypatch):
    """Leverages by the triangle, where the square of the Jacobian has not the digits."""
    data = data_of().assign(u=lambda d: d.x + d.v)
    fit = ns.neuralnet("y ~ x + v + u", data, hidden=0, **CONTROL)
    whole = fit.df("jacobian")
    monkeypatch.setattr(blocks, "NUMBERS", 1)
    parts = type(fit)(dataclasses.replace(fit.fitted)).df("jacobian")
    assert float(whole) == pytest.approx(3, abs=1e-9) and parts.details["rank"] == 3
    np.testing.assert_allclose(parts.per_observation, whole.per_observation, rtol=1e-9)


def test_the_information_of_who_is_at_risk_is_of_all_rows(monkeypatch):
    """Of Cox's model the rows of a part are at risk among all; parts by themselves would be other data."""
    lung = ns.datasets.lung().dropna(subset=["age", "sex"])
    fit = ns.neuralnet("Surv(time, status == 2) ~ age + sex", lung, family="cox", hidden=0, **CONTROL)
    fitted = fit.fitted
    whole = sampling.joint_root(fitted, (0,), "expected")[0]
    monkeypatch.setattr(sampling, "PART", 100)
    monkeypatch.setattr(blocks, "NUMBERS", 1)
    parts = sampling.joint_root(fitted, (0,), "expected")[0]
    np.testing.assert_allclose(parts @ parts.T, whole @ whole.T, rtol=1e-8, atol=1e-14)


CALLS = {
    "get_prediction": lambda fit: fit.get_prediction().summary_frame(),
    "cov_params": lambda fit: fit.cov_params(), "sandwich": lambda fit: fit.cov_params("sandwich"),
    "df": lambda fit: fit.df("jacobian"), "summary": lambda fit: str(fit.summary()),
    "partial_dependence": lambda fit: fit.partial_dependence("x0", grid=10),
    "ale": lambda fit: fit.ale("x0", bins=30), "marginal_effects": lambda fit: fit.marginal_effects(variables=["x0"]),
}  # fmt: skip


@pytest.fixture(scope="module")
def many():
    rng = np.random.default_rng(0)
    x = rng.standard_normal((20_000, 10))
    data = pd.DataFrame(x, columns=[f"x{j}" for j in range(10)])
    data["y"] = np.sin(x[:, 0]) + x[:, 1] + 0.3 * rng.standard_normal(len(x))
    fit = ns.neuralnet("y ~ " + " + ".join(data.columns[:-1]), data, hidden=10, algorithm="lbfgs", threshold=2.0,
                       stepmax=400, rep=1, random_state=1)  # fmt: skip
    return fit, data.memory_usage(index=False).sum()


@pytest.mark.filterwarnings("ignore")
@pytest.mark.parametrize("call", CALLS)
def test_memory_of_many_rows(many, call):
    """Blocks take 4 MB beside the data's multiple; a Jacobian alone would be eleven times the data."""
    fit, size = many
    first, own = (type(fit)(dataclasses.replace(fit.fitted)) for _ in range(2))
    CALLS[call](first)  # loads what it loads
    tracemalloc.start()
    CALLS[call](own)
    peak = tracemalloc.get_traced_memory()[1]
    tracemalloc.stop()
    assert peak < 4 * size + 4e6, f"{peak / size:.1f} times the data"


@pytest.mark.filterwarnings("ignore")
@pytest.mark.parametrize("call", ["get_prediction", "cov_params", "df", "summary", "partial_dependence", "ale"])
def test_memory_of_many_rows_at_risk(many, call):
    """Units of all rows at once, in complex numbers, would be ten times the data."""
    fit, _ = many
    rng = np.random.default_rng(1)
    data = fit.fitted.design.frame.assign(t=rng.exponential(size=20_000), e=(rng.random(20_000) < 0.7).astype(float))
    at_risk = ns.neuralnet("Surv(t, e) ~ x0 + x1 + x2", data, family="cox", hidden=10, stepmax=3, rep=1, random_state=1)
    own = type(at_risk)(dataclasses.replace(at_risk.fitted))
    CALLS[call](at_risk)
    tracemalloc.start()
    CALLS[call](own)
    peak = tracemalloc.get_traced_memory()[1]
    tracemalloc.stop()
    assert peak < 7e6 + 4 * 20_000 * 5 * 8, f"{peak / 1e6:.1f} MB"


def test_tables_that_were_encoded_are_let_go():
    """Without waiting for a collection of what refers to itself: effects encode hundreds of tables."""
    fit = ns.neuralnet("y ~ x + log(w)", data_of(), hidden=0, **CONTROL)
    table = data_of(4000).drop(columns="c")
    fit.predict(table)
    gc.collect()
    gc.disable()
    try:
        tracemalloc.start()
        before = tracemalloc.get_traced_memory()[0]
        for _ in range(5):
            fit.predict(table)
        left = tracemalloc.get_traced_memory()[0] - before
    finally:
        tracemalloc.stop()
        gc.enable()
    assert left < 5 * 4000 * 8


@pytest.mark.parametrize(("size", "rank"), [(1, 1), (40, 40), (40, 7), (40, 0), (300, 299)])
def test_a_root_takes_the_memory_of_its_matrix(size, rank):
    """Of matrices that are singular, too, some of whose variables do not move at all."""
    rng = np.random.default_rng(size + rank)
    half = rng.standard_normal((size, rank))
    half[size // 3] *= size < 40 or rank < 40
    whole = half @ half.T
    unit = np.sqrt(np.where(np.diag(whole) > 0, np.diag(whole), 1.0))
    whole = whole / unit / unit[:, np.newaxis]
    given = whole.copy()
    root = sampling._root_in_place(given)
    assert root.shape[1] <= max(rank, 1) and (rank == 0 or np.shares_memory(root, given))
    np.testing.assert_allclose(root @ root.T, whole, atol=1e-14 * max(size, 10))


@pytest.mark.filterwarnings("ignore::neuralstat.errors.SingularHessianWarning")
@pytest.mark.parametrize("more", [{}, {"exclude": [(1, 2, 1)]}], ids=["all weights", "some held"])
@pytest.mark.parametrize("kind", ["expected", "sandwich", "hessian"])
def test_variances_of_redundant_units(kind, more, monkeypatch):
    """Weights that nearly make up for one another: added up over parts, variances keep the digits that all rows give."""
    rng = np.random.default_rng(0)
    data = pd.DataFrame(rng.standard_normal((900, 3)), columns=["a", "b", "c"])
    data["y"] = data.a + 0.3 * rng.standard_normal(900)
    fit = ns.neuralnet("y ~ a + b + c", data, hidden=8, rep=2, random_state=1, algorithm="lbfgs", threshold=1.0, stepmax=200,
                       **more)  # fmt: skip
    fitted, numbers = fit.fitted, fit.fitted.numbers("mean")
    x = fitted.design.x[:, :50]

    def variances() -> np.ndarray:
        return sampling.mean_variance(fitted, numbers, x, None, kind)[0]

    whole = variances()
    monkeypatch.setattr(sampling, "PART", 100)
    np.testing.assert_allclose(variances(), whole, rtol=1e-5)
