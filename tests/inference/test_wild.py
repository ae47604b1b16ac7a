"""Wild bootstrap tests by clusters: plain formulas, who gets them, and their size (more in benchmarks/cluster_tests.py)."""

import numpy as np
import pandas as pd
import pytest

import neuralstat as ns
from neuralstat.errors import ArgumentError
from neuralstat.inference import wild
from neuralstat.inference.conditional_permutation import Exchange, exchange


def data(seed: int, sizes=(6,) * 20, within: bool = False) -> pd.DataFrame:
    """y depends on z and on clusters, not on x."""
    rng = np.random.default_rng(seed)
    code = np.repeat(np.arange(len(sizes)), sizes)
    level = rng.standard_normal(len(sizes))[code]
    x = level + within * rng.standard_normal(code.size)
    z, u = 0.5 * level + rng.standard_normal(code.size), rng.standard_normal(len(sizes))[code]
    y = 0.7 * z + u + rng.standard_normal(code.size)
    return pd.DataFrame({
        "x": x, "z": z, "g": code, "y": y, "y2": u - z + rng.standard_normal(code.size),
        "b": (y + rng.logistic(size=code.size) > 0).astype(float), "w": rng.uniform(0.5, 2, code.size),
        "k": rng.choice(["r", "s", "t"], code.size),
    })  # fmt: skip


DATA = data(1)
CODE = DATA["g"].to_numpy()


def without(y: np.ndarray, x: np.ndarray, w: np.ndarray, out: np.ndarray) -> np.ndarray:
    """Weighted least squares of the rows that are not `out`; x (n, p)."""
    root = np.sqrt(w[~out])
    return np.linalg.lstsq(x[~out] * root[:, np.newaxis], (y[~out].T * root).T, rcond=None)[0]


def naive_wald(y: np.ndarray, x: np.ndarray, w: np.ndarray, at: list[int]) -> float:
    """Wald statistic with the jackknife's covariance over clusters; several responses (n, K) are tested together."""
    none = np.zeros(len(y), dtype=bool)
    b = without(y, x, w, none)[at]
    moves = np.stack([(without(y, x, w, g == CODE)[at] - b).ravel() for g in np.unique(CODE)])
    return float(b.ravel() @ np.linalg.solve(moves.T @ moves, b.ravel()))


@pytest.mark.parametrize("weights", [None, "w"])
def test_least_squares_is_the_restricted_wild_cluster_bootstrap(weights):
    fit = ns.neuralnet("y ~ x + k", DATA, hidden=0, groups="g", weights=weights)
    x = np.column_stack([np.ones(len(DATA)), DATA["x"], DATA["k"] == "s", DATA["k"] == "t"]).astype(float)
    w = np.ones(len(DATA)) if weights is None else DATA["w"].to_numpy()
    y, seeds = DATA["y"].to_numpy(), np.random.SeedSequence(3)
    for at in ([1], [2, 3]):
        observed, blocks = wild.linear(fit.fitted, np.array(at), 20, seeds)
        assert observed == pytest.approx(naive_wald(y, x, w, at), rel=1e-8)
        rest = np.delete(x, at, axis=1)
        mean, left = rest @ without(y, rest, w, np.zeros(len(y), dtype=bool)), np.empty(len(y))
        for g in np.unique(CODE):
            left[g == CODE] = (y - rest @ without(y, rest, w, g == CODE))[g == CODE]
        v = next(iter(wild._blocks(20, 20, seeds)))
        np.testing.assert_allclose(next(iter(blocks)), [naive_wald(mean + s[CODE] * left, x, w, at) for s in v], rtol=1e-7)


def test_several_responses_are_tested_together():
    fit = ns.neuralnet("y + y2 ~ x", DATA, hidden=0, groups="g")
    observed, _ = wild.linear(fit.fitted, np.array([1, 3]), 20, np.random.SeedSequence(3))
    x = np.column_stack([np.ones(len(DATA)), DATA["x"]])
    assert observed == pytest.approx(naive_wald(DATA[["y", "y2"]].to_numpy(), x, np.ones(len(DATA)), [1]), rel=1e-8)
    row = fit.term_tests(random_state=1).loc["x"]
    assert row["method"] == "wild" and row["statistic"] == pytest.approx(observed)


def test_a_column_that_one_cluster_alone_has():
    fit = ns.neuralnet("y ~ x + one", DATA.assign(one=(CODE == 3) * DATA["z"]), hidden=0, groups="g")
    found = fit.term_tests(random_state=1)
    assert np.isfinite(found.loc["x", "pvalue"]) and not found.loc["one", "pvalue"] < 0.05


def test_offsets_and_held_weights_are_known_parts():
    plain = ns.neuralnet("y ~ x + z", DATA.assign(y=DATA["y"] - 0.5 * DATA["z"]), hidden=0, groups="g")
    shifted = ns.neuralnet("y ~ x + z + offset(0.5 * z)", DATA, hidden=0, groups="g")
    a, b = (f.term_tests(random_state=1, terms="x").loc["x"] for f in (plain, shifted))
    assert a["pvalue"] == b["pvalue"] and a["statistic"] == pytest.approx(b["statistic"], rel=1e-6)
    known = {"exclude": ["z.to.y"], "constant_weights": [0.5], "standardize": False}
    held = ns.neuralnet("y ~ x + z", DATA, hidden=0, groups="g", **known)
    less = ns.neuralnet("y ~ x", DATA.assign(y=DATA["y"] - 0.5 * DATA["z"]), hidden=0, groups="g", standardize=False)
    a, b = (f.term_tests(random_state=1, terms="x").loc["x"] for f in (held, less))
    assert a["statistic"] == pytest.approx(b["statistic"], rel=1e-6)


def test_scores_of_a_logistic_regression_by_plain_formulas():
    fit = ns.neuralnet("b ~ x + z", DATA, hidden=0, family="binomial", groups="g", standardize=False)
    small = ns.neuralnet("b ~ z", DATA, hidden=0, family="binomial", standardize=False, threshold=1e-9)
    p = small.fittedvalues.to_numpy()
    rest, x = np.column_stack([np.ones(len(DATA)), DATA["z"]]), DATA["x"].to_numpy()
    w = p * (1 - p)
    away = x - rest @ np.linalg.solve(rest.T @ (w[:, np.newaxis] * rest), rest.T @ (w * x))
    sums = np.bincount(CODE, away * (p - DATA["b"].to_numpy()))
    row = fit.term_tests("wild", terms="x", random_state=1).loc["x"]
    assert row["statistic"] == pytest.approx(sums.sum() ** 2 / (sums**2).sum(), rel=1e-4)


def test_signs():
    two, six = (wild.signs(g, 4000, np.random.SeedSequence(1)) for g in (20, 6))
    assert set(np.unique(two)) == {-1.0, 1.0}
    np.testing.assert_allclose(np.unique(six**2), [0.5, 1, 1.5])
    for v in (two, six):
        assert abs(v.mean()) < 0.02 and v.var() == pytest.approx(1, abs=0.03)


def test_wild_responses_turn_whole_clusters():
    fit = ns.neuralnet("y ~ z", DATA, hidden=1, groups="g", penalty=ns.decay(0.1), random_state=1, rep=1)
    drawn = wild.responses(fit.fitted, 30, np.random.SeedSequence(1))
    mu = fit.fitted.fitted_raw([0])[0]
    turned = (drawn - mu) / (fit.fitted.design.y - mu)
    np.testing.assert_allclose(np.abs(turned), 1, rtol=1e-6)
    assert all(np.ptp(turned[:, :, g == CODE], axis=2).max() < 1e-6 for g in range(20))


def test_who_is_tested_how():
    net = {"hidden": 1, "penalty": ns.decay(0.2), "random_state": 1, "rep": 2}
    def methods(formula, table=DATA, **given):
        return ns.neuralnet(formula, table, groups="g", **given).term_tests(draws=19, random_state=1)

    assert list(methods("y ~ x + z", hidden=0)["method"]) == ["wild", "wild"]
    assert list(methods("b ~ x + z", hidden=0, family="binomial")["method"]) == ["wild", "wild"]
    assert list(methods("y ~ x + z", **net)["method"]) == ["wild", "wild"]
    found = methods("b ~ x + z", family="binomial", **net)
    assert list(found["method"]) == ["wald", "permutation"]  # x is one number in all rows of a cluster
    fit = ns.neuralnet("b ~ x + z", DATA, groups="g", family="binomial", **net)
    row = fit.term_tests("permutation", terms="x").loc["x"]
    assert np.isnan(row["pvalue"]) and "the same in all rows of a cluster" in row["note"]
    row = fit.term_tests("wild", terms="x").loc["x"]
    assert np.isnan(row["pvalue"]) and "not additive" in row["note"]
    assert "as independent" in fit.term_tests("bootstrap", terms="x", draws=19).loc["x", "note"]
    assert "as independent" in fit.term_tests("lr", terms="x").loc["x", "note"]
    few = data(3, (20, 20, 20))
    row = ns.neuralnet("y ~ k + x + z", few.assign(k=np.arange(60) % 5, g=few["g"]), hidden=0, groups="g")
    assert row.term_tests("wild", terms="z", random_state=1, draws=19)["pvalue"].notna().all()
    row = ns.neuralnet("y ~ C(k) + x", few.assign(k=np.arange(60) % 5), hidden=0, groups="g").term_tests("wild").loc["C(k)"]
    assert "3 clusters are too few for 4 weights" in row["note"]
    epochs = ns.neuralnet("y ~ z", DATA, groups="g", hidden=1, algorithm="adam", epochs=40, learningrate=0.05, random_state=1)
    assert epochs.term_tests().loc["z", "method"] == "wald"
    assert "epochs" in epochs.term_tests("wild").loc["z", "note"]
    with pytest.raises(ArgumentError, match="method"):
        fit.term_tests("rademacher")


def test_rows_without_clusters_are_one_each():
    fit = ns.neuralnet("y ~ z", DATA, hidden=0)
    assert fit.term_tests().loc["z", "method"] == "lr"
    assert fit.term_tests("wild", random_state=1).loc["z", "pvalue"] < 0.01


def test_permutations_stay_within_clusters():
    rng = np.random.default_rng(4)
    groups = rng.permutation(np.repeat(np.arange(9), rng.integers(2, 9, 9)))
    z = rng.standard_normal((1, groups.size)) + rng.standard_normal(9)[groups]
    for x in (z + rng.standard_normal(z.shape), (z + rng.logistic(size=z.shape) > 0).astype(float)):
        found = exchange(x, z, groups)
        assert isinstance(found, Exchange)
        orders = found.block(found.start(np.random.SeedSequence(1)), np.random.SeedSequence(2))
        assert (groups[orders] == groups).all() and (np.sort(orders, axis=1) == np.arange(groups.size)).all()
        assert (orders != np.arange(groups.size)).mean() > 0.5


def test_odds_within_clusters_are_those_of_the_model():
    """x = a_g + 0.8 z + e: conditional draws keep the slope of x on z within clusters, plain ones would lose it."""
    rng = np.random.default_rng(5)
    groups = np.repeat(np.arange(80), 5)
    z = rng.standard_normal(400)
    x = 2 * rng.standard_normal(80)[groups] + 0.8 * z + rng.standard_normal(400)
    found = exchange(x[np.newaxis], z[np.newaxis], groups)
    start, slopes = found.start(np.random.SeedSequence(1)), []
    for seed in range(3):
        for order in found.block(start, np.random.SeedSequence(seed)):
            moved = x[order]
            inner = [v - (np.bincount(groups, v) / 5)[groups] for v in (moved, z)]
            slopes.append(inner[0] @ inner[1] / (inner[1] @ inner[1]))
    assert np.mean(slopes) == pytest.approx(0.8, abs=0.12)  # its standard error is 1 / sqrt(320)


@pytest.mark.slow
@pytest.mark.parametrize(("sizes", "within", "name", "given"), [
    ((10,) * 20, False, "y", {"hidden": 0}), ((20,) * 8, False, "y", {"hidden": 0}),
    ((10,) * 25, False, "b", {"hidden": 0, "family": "binomial"}),
    ((6,) * 30, False, "y", {"hidden": 2, "penalty": ns.decay(0.05), "random_state": 1}),
    ((8,) * 40, True, "b", {"hidden": 2, "penalty": ns.decay(0.1), "family": "binomial", "random_state": 1}),
])  # fmt: skip
def test_size(sizes, within, name, given):
    count = 400 if given["hidden"] == 0 else 200
    hits = []
    for seed in range(count):
        fit = ns.neuralnet(f"{name} ~ x + z", data(100 + seed, sizes, within), groups="g", **given)
        hits.append(fit.term_tests(terms="x", random_state=seed)["pvalue"].iloc[0] <= 0.05)
    assert abs(np.mean(hits) - 0.05) < 0.02 + 2.6 * np.sqrt(0.05 * 0.95 / count)
