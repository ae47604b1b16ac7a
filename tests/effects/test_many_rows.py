"""Effects and diagnostics of many rows: what is computed once is computed once, and gives the same."""

from __future__ import annotations

import time

import fits
import numpy as np
import pandas as pd
import pytest

import neuralstat as ns
from neuralstat.df import roots
from neuralstat.formula.spec import Spec
from neuralstat.inference import sampling
from neuralstat.inference.predict import inputs

N = 20_000


@pytest.fixture(scope="module")
def many():
    rng = np.random.default_rng(0)
    data = pd.DataFrame({"x": rng.normal(size=N), "z": rng.normal(size=N), "g": rng.choice(list("abc"), N)})
    data["y"] = np.sin(2 * data["x"]) + data["z"] + (data["g"] == "b") + 0.3 * rng.normal(size=N)
    data["c"] = rng.choice(["p", "q", "r"], N)
    common = {"hidden": 3, "rep": 2, "random_state": 1, "standardize": True, "stepmax": 60, "algorithm": "lm"}
    return {"data": data, "y": fits.quiet("y ~ x + z + g", data, **common),
            "c": fits.quiet("c ~ x + z", data, family="multinomial", penalty=ns.decay(0.1), **common),
            "product": fits.quiet("y ~ x * z + x:g", data, **common)}  # fmt: skip


@pytest.fixture
def encoded(monkeypatch):
    """Numbers of rows that were encoded, call by call."""
    sizes = []
    own = Spec.encode

    def encode(self, data, **options):
        sizes.append(len(data))
        return own(self, data, **options)

    monkeypatch.setattr(Spec, "encode", encode)
    return sizes


def test_a_profile_encodes_its_grid_and_not_every_row(many, encoded):
    many["y"].partial_dependence("x", 50)
    many["y"].ice("x", 20)
    many["y"].ale("x")
    many["y"].partial_dependence(["x", "z"], 5)
    assert sum(encoded) < 500


def test_profiles_of_terms_with_others_are_right(many):
    fit, data = many["product"], many["data"]
    found = fit.partial_dependence("x", [-1.0, 0.0, 0.25, 0.5, 2.0], rep="best")
    for x in found.index:
        assert found.loc[x, "mean"] == pytest.approx(fit.predict(data.assign(x=x), rep="best").mean(), rel=1e-10)


PRODUCTS = ["x * z + x:g", "poly(x, 2):z + g", "C(n):x + bs(x, df=4):g", "{x * z} + x:g", "C(n) * g * x", "np.exp(x):z:g"]


@pytest.mark.parametrize("formula", PRODUCTS)
def test_products_of_every_kind(formula, encoded):
    """The means are those of predictions; where terms are products few rows are encoded."""
    rng = np.random.default_rng(5)
    data = pd.DataFrame({"x": rng.normal(size=4000), "z": rng.normal(size=4000), "g": rng.choice(list("abc"), 4000)})
    data["n"] = rng.integers(1, 4, 4000)
    data["y"] = data["x"] * data["z"] + data["n"] + rng.normal(size=4000)
    fit = fits.quiet(f"y ~ {formula}", data, hidden=2, random_state=1, standardize=True, stepmax=20)
    for name in fit.design.spec.covariates:
        del encoded[:]
        found = fit.partial_dependence(name, 12, se=False)
        assert sum(encoded) < 4000 * max(len(found) / 2, 2) + 5000 or "{x * z}" in formula
        for value in found.index[[0, len(found) // 2]]:
            assert found.loc[value, "mean"] == pytest.approx(fit.predict(data.assign(**{name: value})).mean(), rel=1e-9)


def test_standard_errors_are_those_of_the_jacobian(many):
    """By hand: the mean row of the Jacobian at the moved rows, and the moves of the weights with the data."""
    fitted = many["y"].fitted
    found = many["y"].partial_dependence("x", [0.5])
    x, offset, _, _ = inputs(fitted, many["data"].assign(x=0.5), None)
    numbers = fitted.numbers("mean")
    phi = sampling.dispersion(fitted, numbers)[0]
    moved = 0.0
    for b in numbers:
        row = sampling.mean_jacobian(fitted, b, x, offset)[0].mean(axis=0)
        moved = moved + row @ sampling.weight_moves(fitted, b, "expected", phi, False)[0]
    between = found["sd over repetitions"].iloc[0]
    expected = np.sqrt(np.sum((moved / len(numbers)) ** 2) + between**2 / len(numbers))
    assert found["std err"].iloc[0] == pytest.approx(expected, rel=1e-4)


@pytest.mark.parametrize("name", ["y", "c"])
def test_covariances_added_up_over_parts(many, name, monkeypatch):
    fitted = many[name].fitted
    parts, _ = sampling.joint_root(fitted, (0, 1), "expected")
    monkeypatch.setattr(sampling, "PART", 10**9)
    whole, _ = sampling.joint_root(fitted, (0, 1), "expected")
    a, b = parts @ parts.T, whole @ whole.T
    scale = np.sqrt(np.maximum(np.diag(b), np.finfo(float).tiny))
    np.testing.assert_allclose(a / scale / scale[:, np.newaxis], b / scale / scale[:, np.newaxis], atol=1e-4)


def test_leverages_by_the_product_of_the_matrix():
    """A tall matrix of full rank takes the short way, one of lower rank does not; both are right."""
    rng = np.random.default_rng(1)
    tall = rng.normal(size=(3000, 4)) * [1, 10, 1e-3, 5]
    for penalty in (np.zeros(4), np.array([0.0, 2.0, 1e-4, 0.0])):
        hat = np.einsum("np,pq,nq->n", tall, np.linalg.inv(tall.T @ tall + np.diag(penalty)), tall)
        found, rank = roots.leverage(tall, penalty)
        np.testing.assert_allclose(found, hat, rtol=1e-8)
        assert rank == 4
    short = np.column_stack([tall, tall[:, 0] + tall[:, 1]])
    found, rank = roots.leverage(short, np.zeros(5))
    np.testing.assert_allclose(found.sum(), 4, rtol=1e-8)
    assert rank == 4


def test_diagnostics_take_seconds(many):
    """Smooths are fitted at points apart, as in R: without that these take minutes."""
    start = time.process_time()
    axes = many["y"].plot_diagnostics()
    assert time.process_time() - start < 15
    (smooth,) = [line for line in axes[0, 0].lines if line.get_gid() == "smooth"]
    assert np.isfinite(smooth.get_ydata()).all() and np.abs(smooth.get_ydata()).max() < 1


def test_at_most_300_curves_are_drawn(many):
    ax = many["y"].plot_effects("x", "ice", grid=5)
    assert 300 < len(ax.lines) < 310 and "300 of 20,000 curves" in ax.texts[0].get_text()
