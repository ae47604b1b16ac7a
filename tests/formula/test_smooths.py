"""Penalised smooths: functions, penalties and fits are mgcv's, in coordinates that make every penalty diagonal."""

from __future__ import annotations

import json
from itertools import pairwise

import numpy as np
import pandas as pd
import pytest
import reml
from places import REFERENCE
from scipy.interpolate import BSpline, CubicSpline

from neuralstat.datasets import mcycle
from neuralstat.errors import ArgumentError, DataError, DataWarning, FileFormatError, NeuralStatError, TooLargeError
from neuralstat.formula import Spec, design, smooths
from neuralstat.formula.smooth_bases import BASES
from neuralstat.formula.subset import subset

STORED = json.loads((REFERENCE / "structured" / "smooths.json").read_text())
GAUSS = np.array([-1, 1]) / np.sqrt(3)  # nodes of a rule that is exact for cubics


def table(n=150, seed=5):
    rng = np.random.default_rng(seed)
    d = pd.DataFrame({"x": rng.gamma(2, size=n), "z": rng.uniform(-1, 1, n), "my x": rng.normal(size=n),
                      "g": rng.choice(list("cab"), n), "b": rng.random(n) < 0.4, "h": rng.integers(0, 4, n)})  # fmt: skip
    d["c"] = pd.Categorical(rng.choice(["low", "high"], n), ["low", "high", "none"])
    return d.assign(y=rng.normal(size=n), one=1.0)


@pytest.fixture(scope="module")
def data():
    return table()


def the_state(d):
    (state,) = [state for state in d.spec.matrix.transforms.values() if smooths.is_smooth(state)]
    return state


def groups_of(d):
    """Positions and diagonals of all penalties of a design whose first weight is the intercept; rows of x of each smooth."""
    groups, rows = [], []
    for term, at in d.terms.items():
        state = smooths.state_of(term, d.spec.matrix.transforms)
        if state is None:
            continue
        made = smooths.penalties(state)
        groups += [(np.array(at) + 1, diagonal) for diagonal in made.values()]
        rows += np.array_split(np.array(at), len(state["levels"]))
    return groups, rows


# -- against mgcv -------------------------------------


@pytest.mark.parametrize("stored", STORED["fits"], ids=lambda f: f["formula"])
def test_reml_fits_as_mgcv(stored):
    """Rscript tests/reference/structured/smooths.R: gam(formula, method = "REML"), also beyond the ends of the data."""
    own = pd.read_csv(REFERENCE / "structured" / "smooths.csv")
    d = design(stored["formula"].replace("c(", "("), mcycle() if stored["formula"].startswith("accel") else own)
    groups, rows = groups_of(d)
    x = np.vstack([np.ones(d.x.shape[1]), d.x]).T
    fit = reml.fit(x, d.y[0], reml.full_diagonals(x.shape[1], groups))
    spread = np.std(stored["fitted"])
    np.testing.assert_allclose([fit.edf[at + 1].sum() for at in rows], np.atleast_1d(stored["edf"]), rtol=1e-6)
    np.testing.assert_allclose(fit.fitted, stored["fitted"], rtol=0, atol=1e-6 * spread)
    np.testing.assert_allclose(fit.phi, stored["phi"], rtol=1e-6)
    new = d.encode(pd.DataFrame(STORED["new"])).x
    np.testing.assert_allclose(fit.beta[0] + fit.beta[1:] @ new, stored["new"], rtol=0, atol=1e-6 * spread)


def test_the_oracle_is_the_restricted_likelihood():
    """Random intercepts beside a covariate, weighted: the criterion is minus the log of the restricted normal likelihood."""
    rng = np.random.default_rng(2)
    n, level = 60, rng.integers(0, 8, 60)
    z, w = np.eye(8)[level], rng.uniform(0.5, 2, n)
    fixed = np.column_stack([np.ones(n), rng.normal(size=n)])
    x, y = np.hstack([fixed, z]), rng.normal(size=n) + z @ rng.normal(size=8)
    diagonals = reml.full_diagonals(10, [(range(2, 10), np.ones(8))])
    fit = reml.fit(x, y, diagonals, w)
    cov = fit.phi * (np.diag(1 / w) + z @ z.T / fit.strengths[0])
    whitened = np.linalg.solve(cov, fixed)
    rest = y - fixed @ np.linalg.solve(fixed.T @ whitened, whitened.T @ y)
    dets = np.linalg.slogdet(cov)[1] + np.linalg.slogdet(fixed.T @ whitened)[1]
    np.testing.assert_allclose(fit.criterion, 0.5 * ((n - 2) * np.log(2 * np.pi) + dets + rest @ np.linalg.solve(cov, rest)))
    np.testing.assert_allclose(reml.at(np.log(fit.strengths), x, y, diagonals, w)[1], 0, atol=1e-6)
    away = np.log(fit.strengths) + 0.7
    values = [reml.at(away + e, x, y, diagonals, w)[0] for e in (-1e-5, 1e-5)]
    np.testing.assert_allclose(np.diff(values) / 2e-5, reml.at(away, x, y, diagonals, w)[1], rtol=1e-6)


# -- the parameterisation -----------------------------


@pytest.mark.parametrize("bs", BASES)
@pytest.mark.parametrize("k", [4, 7, 25])
def test_natural_parameterisation(data, bs, k):
    d = design(f"y ~ s(x, k={k}, bs='{bs}')", data)
    (diagonal,) = smooths.penalties(the_state(d)).values()
    n, straight = len(data), int(bs != "cc")
    assert d.x.shape == (k - 1 - (bs == "cc"), n) and diagonal.shape == (len(d.x),)
    assert d.x_names == tuple(f"s(x, k={k}, bs='{bs}')[{j + 1}]" for j in range(len(d.x)))
    np.testing.assert_allclose(d.x.sum(axis=1), 0, atol=1e-9 * n)
    squares = (d.x**2).sum(axis=1)
    seen = squares > 1e-5 * n
    assert seen.all() or ((k, bs) == (25, "ps") and (~seen).sum() == 2)  # no data at some of the B-splines
    squares[seen] = n
    np.testing.assert_allclose(d.x @ d.x.T, np.diag(squares), atol=1e-8 * n)
    np.testing.assert_array_equal(diagonal[:straight], 0)
    assert (np.diff(diagonal[seen]) > 0).all() and (diagonal[~seen] == diagonal[seen][-1]).all()
    np.testing.assert_allclose(np.log(diagonal[straight:][seen[straight:]]).mean(), 0, atol=1e-10)
    if bs == "cr":  # what is not penalised is the straight line
        np.testing.assert_allclose(d.x[0], (data.x - data.x.mean()) / data.x.std(ddof=0), atol=1e-10)


def test_spans_all_natural_and_periodic_splines(data):
    """Any natural cubic spline with these knots, by scipy, is a constant and a sum of the columns; also beyond the ends."""
    rng = np.random.default_rng(0)
    for bs in ("cr", "cc"):
        d = design(f"y ~ s(x, bs='{bs}')", data)
        knots = np.array(the_state(d)["knots"])
        np.testing.assert_allclose(knots, np.quantile(np.unique(data.x), np.linspace(0, 1, 10)))
        values = rng.normal(size=10)
        values[-1] = values[0] if bs == "cc" else values[-1]
        spline = CubicSpline(knots, values, bc_type="natural" if bs == "cr" else "periodic")
        new = np.linspace(knots[0], knots[-1], 77)
        x, y = d.encode({"x": new}).x, spline(new)
        design_matrix = np.vstack([np.ones(77), x]).T
        beta = np.linalg.lstsq(design_matrix, y, rcond=None)[0]
        np.testing.assert_allclose(design_matrix @ beta, y, atol=1e-10)
        far = knots[[0, -1]] + [-1.5, 2.5]
        want = spline(far) if bs == "cc" else spline(knots[[0, -1]]) + spline(knots[[0, -1]], 1) * [-1.5, 2.5]
        np.testing.assert_allclose(beta[0] + beta[1:] @ d.encode({"x": far}).x, want, atol=1e-10)


def second_derivatives(d, knots, name="x", **others):
    """Second derivatives of all columns at two nodes in each piece, and weights with which squares are integrated exactly."""
    nodes = np.concatenate([(a + b) / 2 + (b - a) / 2 * GAUSS for a, b in pairwise(knots)])
    weights = np.repeat(np.diff(knots) / 2, 2)
    h = 0.1 * weights  # of a cubic the second difference is the second derivative, whatever the step
    low, at, high = (d.encode({**others, name: nodes + step}).x for step in (-h, 0, h))
    return (low - 2 * at + high) / h**2, weights


def assert_diagonal_of(got, diagonal, rtol=1e-7):
    """A penalty matrix is a constant times a diagonal one."""
    ratio = np.trace(got) / diagonal.sum()
    scale = np.sqrt(np.outer(diagonal, diagonal))
    scale[scale == 0] = diagonal[diagonal > 0].min()
    np.testing.assert_allclose(got / ratio / scale, np.diag((diagonal > 0).astype(float)), atol=rtol)


@pytest.mark.parametrize("bs", ["cr", "cc"])
@pytest.mark.parametrize("k", [5, 12])
def test_penalty_is_the_integral_of_the_squared_second_derivative(data, bs, k):
    d = design(f"y ~ s(x, bs='{bs}', k={k})", data)
    bend, weights = second_derivatives(d, np.array(the_state(d)["knots"]))
    assert_diagonal_of((bend * weights) @ bend.T, smooths.penalties(the_state(d))[""])


def test_penalty_of_p_splines_is_that_of_second_differences(data):
    d = design("y ~ s(x, bs='ps', k=11)", data)
    low, high = data.x.min(), data.x.max()
    ends = low - 0.001 * (high - low), high + 0.001 * (high - low)
    inner = np.linspace(*ends, 9)
    step = inner[1] - inner[0]
    knots = np.concatenate([inner[0] + step * np.arange(-3, 0), inner, inner[-1] + step * np.arange(1, 4)])
    new = np.linspace(low, high, 200)
    basis = BSpline.design_matrix(new, knots, 3).toarray()
    weights = np.linalg.lstsq(basis, d.encode({"x": new}).x.T, rcond=None)
    np.testing.assert_allclose(basis @ weights[0], d.encode({"x": new}).x.T, atol=1e-10)
    rough = np.diff(weights[0], n=2, axis=0)
    assert_diagonal_of(rough.T @ rough, smooths.penalties(the_state(d))[""])


def test_penalties_of_a_tensor_product(data):
    """That of x is the sum, over the knots of z, of integrals of squared second derivatives along x; and the other way."""
    d = design("y ~ te(x, z, k=(5, 4))", data)
    state = the_state(d)
    n = len(data)
    assert d.x.shape == (19, n) and d.x_names[18] == "te(x, z, k=(5, 4))[19]"
    np.testing.assert_allclose(d.x.sum(axis=1), 0, atol=1e-9 * n)
    np.testing.assert_allclose((d.x**2).mean(axis=1), 1)
    assert np.linalg.matrix_rank(np.vstack([np.ones(n), d.x])) == 20
    made = smooths.penalties(state)
    assert list(made) == ["x", "z"] and ((made["x"] == 0) & (made["z"] == 0)).sum() == 3
    knots = dict(zip("xz", (np.array(m["knots"]) for m in state["margins"])))
    for along, other in ("xz", "zx"):
        total = np.zeros((19, 19))
        for value in knots[other]:
            count = 2 * (len(knots[along]) - 1)
            bend, weights = second_derivatives(d, knots[along], along, **{other: np.full(count, value)})
            total += (bend * weights) @ bend.T
        assert_diagonal_of(total, made[along], 1e-6)


def test_units_do_not_matter(data):
    for formula in ("y ~ s(x, bs='{}')", "y ~ te(x, z, bs='{}')"):
        for bs in BASES:
            plain = design(formula.format(bs), data)
            scaled = design(formula.format(bs), data.assign(x=3e-9 * data.x + 5e-7))
            np.testing.assert_allclose(scaled.x, plain.x, atol=1e-9)
            one, other = (list(smooths.penalties(the_state(d)).values()) for d in (plain, scaled))
            np.testing.assert_allclose(one, other, rtol=1e-8, atol=1e-12)
    for factor in (1e140, 1e-140):
        far = design("y ~ s(x)", data.assign(x=factor * data.x))
        np.testing.assert_allclose(far.x, design("y ~ s(x)", data).x, atol=1e-9)


# -- by -----------------------------------------------


def test_levels_have_smooths_of_their_own(data):
    d = design("y ~ g + s(x, by=g, k=6)", data)
    made = smooths.penalties(the_state(d))
    assert list(made) == ["a", "b", "c"]
    assert d.x_names[2:4] == ("s(x, by=g, k=6)[a, 1]", "s(x, by=g, k=6)[a, 2]")
    together = np.zeros(len(data))
    for j, level in enumerate("abc"):
        own, rows = slice(2 + 5 * j, 7 + 5 * j), (data.g == level).to_numpy()
        assert (d.x[own][:, ~rows] == 0).all() and (d.x[own][:, rows] != 0).any()
        np.testing.assert_allclose(d.x[own] @ d.x[own].T, len(data) * np.eye(5), atol=1e-7)
        inside = np.zeros(15, dtype=bool)
        inside[5 * j : 5 * j + 5] = True
        assert (made[level][~inside] == 0).all() and (made[level][inside][1:] > 0).all() and made[level][inside][0] == 0
        together += d.encode(data.assign(g=level)).x[2 + 5 * j]
    np.testing.assert_allclose(together.sum(), 0, atol=1e-7)  # over all rows, as in mgcv, not over the level's


def test_tensor_products_of_levels_and_of_numbers(data):
    d = design("y ~ g + te(x, z, by=g, k=3)", data)
    made = smooths.penalties(the_state(d))
    assert list(made) == ["a, x", "a, z", "b, x", "b, z", "c, x", "c, z"] and len(d.x) == 2 + 3 * 8
    assert d.x_names[2] == "te(x, z, by=g, k=3)[a, 1]" and (made["b, z"][np.r_[:8, 16:24]] == 0).all()
    np.testing.assert_allclose((d.x[2:] ** 2).mean(axis=1), 1)
    d = design("y ~ te(x, z, by=`my x`, k=3)", data)
    np.testing.assert_allclose(d.x[0] / d.x[0, 0], data["my x"] / data["my x"][0])  # its constant
    assert len(d.x) == 9 and sum(not any(column) for column in zip(*smooths.penalties(the_state(d)).values())) == 4
    np.testing.assert_allclose(design("y ~ te(x, z, by=one)", data).x, design("y ~ te(x, z)", data).x)


@pytest.mark.parametrize(
    "by, levels", [("b", ["False", "True"]), ("c", ["low", "high"]), ("C(h)", ["0", "1", "2", "3"]), ("g", ["a", "b", "c"]),
                   ("where(z > 0, 'hi', 'lo')", ["hi", "lo"])],
)  # fmt: skip
def test_kinds_of_factors(data, by, levels):
    d = design(f"y ~ s(x, by={by}, k=4)", data)
    assert list(smooths.penalties(the_state(d))) == levels and len(d.x) == 3 * len(levels)
    back = Spec.from_json(d.spec.to_json())
    np.testing.assert_array_equal(back.encode(data.iloc[::-1]).x, d.x[:, ::-1])


def test_boolean_by_as_zeros_and_ones(data):
    d = design("y ~ s(x, by=b, k=4)", data)
    np.testing.assert_array_equal(d.encode(data.assign(b=data.b.astype(int))).x, d.x)


def test_numbers_multiply_the_function(data):
    """With the constant, since no other term has z; where all numbers are equal they say nothing, as in mgcv."""
    d = design("y ~ s(x, by=z, k=6)", data)
    assert len(d.x) == 6
    (diagonal,) = smooths.penalties(the_state(d)).values()
    assert list(diagonal == 0) == [True] * 2 + [False] * 4
    bases = np.vstack([d.x, data.z, data.z * data.x])
    assert np.linalg.matrix_rank(bases, tol=1e-8) == 6
    np.testing.assert_allclose(d.encode(data.assign(z=2 * data.z)).x, 2 * d.x)
    np.testing.assert_array_equal(d.encode(data.assign(z=0.0)).x, 0)
    equal = design("y ~ s(x, by=one, k=6)", data)
    np.testing.assert_allclose(equal.x, design("y ~ s(x, k=6)", data).x)


def test_a_level_with_few_different_values(data):
    """What its rows do not tell apart is held by the penalty alone."""
    few = data.assign(g=np.where(data.index < 5, "rare", data.g))
    few.loc[few.g == "rare", "x"] = [1, 2, 2, 1.5, 1]
    d = design("y ~ g + s(x, by=g)", few)
    at = [j for j, name in enumerate(d.x_names) if "[rare" in name]
    diagonal = smooths.penalties(the_state(d))["rare"]
    assert np.isfinite(d.x).all() and (diagonal[diagonal > 0] > 0.1).all()
    assert np.linalg.matrix_rank(d.x[at], tol=1e-3) == 3 and (np.abs(d.x[at[3:]]) < 1e-6).all()
    few.loc[few.g == "rare", "x"] = 1.0
    with pytest.raises(DataError, match=r"`s\(x, by=g\)`: 'x' has 1 different value\(s\) for level 'rare' of by: too few"):
        design("y ~ g + s(x, by=g)", few)


def test_unseen_level(data):
    for formula in ("y ~ s(x, by=g)", "y ~ s(x, by=C(h))"):
        d = design(formula, data)
        with pytest.raises(DataError, match=r"`s\(x, by=.*\)`: .*level\(s\) ('new'|9) not among the model's levels ('a'|0)"):
            d.encode(data.iloc[:3].assign(g="new", h=9))


# -- new data, storing, refits ------------------------

FORMULAS = [
    "y ~ s(x) + z", "y ~ s(x, bs='cc', k=6) + g", "y ~ s(`my x`, bs='ps')", "y ~ te(x, z)", "y ~ g + s(x, by=g, k=5)",
    "y ~ te(x, z, `my x`, k=[3, 4, 4], bs=['cr', 'ps', 'cc'])", "y ~ s(log(x), by=z) + s(z, 4, 'cr', b)",
    "y ~ g + te(x, z, by=g, k=3) + te(x, z, by=`my x`, k=3)", "y ~ s(x, bs='tp', by=c) + te(x, z, bs=('tp', 'cr'))",
]  # fmt: skip


@pytest.mark.parametrize("formula", FORMULAS)
def test_new_rows_have_the_basis_of_the_fit(data, formula):
    d = design(formula, data)
    json.dumps(d.spec.matrix.transforms)  # plain data
    rows = np.array([7, 3, 3, 148, 0])
    np.testing.assert_array_equal(d.encode(data.iloc[rows]).x, d.x[:, rows])
    back = Spec.from_json(d.spec.to_json())
    assert not back.trusted
    np.testing.assert_array_equal(back.encode(data.iloc[rows]).x, d.x[:, rows])
    gap = data.iloc[rows].copy()
    gap.loc[gap.index[1], "x"] = np.nan
    got = d.encode(gap)
    assert list(got.complete) == [True, "x" not in d.spec.covariates, "x" not in d.spec.covariates, True, True] or (
        "x" in d.spec.covariates and np.isnan(got.x[:, ~got.complete]).all()
    )


@pytest.mark.parametrize("formula", FORMULAS)
def test_refits_keep_the_basis(data, formula):
    d = design(formula, data)
    rows = np.random.default_rng(1).integers(0, 40, 60)
    part = subset(d, rows)
    np.testing.assert_array_equal(part.design.x, d.x[:, rows])
    np.testing.assert_array_equal(part.x, d.x)
    assert part.design.spec.matrix.transforms == d.spec.matrix.transforms


@pytest.mark.parametrize("bs", ["cr", "ps"])
def test_straight_lines_beyond_the_ends(data, bs):
    low, high = data.x.min(), data.x.max()
    for formula, others in ((f"y ~ s(x, bs='{bs}')", {}), (f"y ~ te(x, z, bs='{bs}')", {"z": np.full(6, 0.3)})):
        d = design(formula, data)
        far = d.encode({"x": np.concatenate([low - np.array([1, 2, 3]), high + np.array([1, 2, 3])]), **others}).x
        for part in (far[:, :3], far[:, 3:]):
            np.testing.assert_allclose(np.diff(part, n=2, axis=1), 0, atol=1e-9 * np.abs(far).max())
        assert np.abs(np.diff(far, axis=1)).max() > 0.1


def test_cyclic_smooths_go_round(data):
    d = design("y ~ s(x, bs='cc')", data)
    period = np.ptp(data.x)
    np.testing.assert_allclose(d.encode({"x": data.x + 3 * period}).x, d.x, atol=1e-9)
    ends = d.encode({"x": [data.x.min(), data.x.max()]}).x
    np.testing.assert_allclose(ends[:, 0], ends[:, 1], atol=1e-12)


def test_rows_without_numbers_are_dropped_after_the_fit_of_the_basis(data):
    with pytest.warns(DataWarning, match=r"'s\(log\(z\)\)\[1\]'"):
        d = design("y ~ s(log(z))", data)
    assert d.x.shape == (9, (data.z > 0).sum())
    np.testing.assert_allclose(d.x.sum(axis=1), 0, atol=1e-9)


def test_state_of(data):
    d = design("y ~ s(`my x`, k=5) + te(x, z) + {2 * x}", data)
    transforms = d.spec.matrix.transforms
    assert smooths.state_of("s(`my x`, k=5)", transforms)["smooth"] == "s"
    assert smooths.state_of("te(x, z)", transforms)["smooth"] == "te"
    for other in ("2 * x", "s(x)", "x", "te(x, z) + 1"):
        assert smooths.state_of(other, transforms) is None
    assert list(smooths.penalties(smooths.state_of("te(x, z)", transforms))) == ["x", "z"]


# -- what is refused ----------------------------------


@pytest.mark.parametrize(
    "term, kind, message",
    [
        ("s(g)", DataError, r"`s\(g\)`: column 'g' holds strings; a smooth is of numbers"),
        ("s(c)", DataError, r"`s\(c\)`: column 'c' holds categories"),
        ("te(x, g)", DataError, r"`te\(x, g\)`: column 'g' holds strings"),
        ("s(C(h))", DataError, r"`s\(C\(h\)\)`: C\(h\) holds a factor"),
        ("s(when)", DataError, r"`s\(when\)`: column 'when' holds dates"),
        ("s(image)", DataError, r"`s\(image\)`: s\(\) cannot be applied to arrays"),
        ("s(h)", DataError, r"`s\(h\)`: 'h' has 4 different value\(s\), fewer than k = 10: make k at most 4\."),
        ("s(b)", DataError, r"'b' has 2 different value\(s\), fewer than k = 10: it is better linear, or a factor\."),
        ("te(x, h)", DataError, r"`te\(x, h\)`: 'h' has 4 different value\(s\), fewer than k = 5"),
        ("s(`my x`, k=9000)", DataError, r"`s\(`my x`, k=9000\)`: 'my x' has 150 different value\(s\), fewer than k = 9000"),
        ("s(x, k=2)", ArgumentError, r"`s\(x, k=2\)`: k \(bs='cr'\) must be a whole number >= 3, got 2"),
        ("s(x, k=3, bs='cc')", ArgumentError, r"k \(bs='cc'\) must be a whole number >= 4, got 3"),
        ("s(x, k=4.5)", ArgumentError, r"must be a whole number >= 3, got 4\.5"),
        ("s(x, k='ten')", ArgumentError, r"must be a whole number >= 3, got 'ten'"),
        ("s(x, k=None)", ArgumentError, r"must be a whole number >= 3, got None"),
        ("s(x, bs='tps')", ArgumentError, r"`s\(x, bs='tps'\)`: bs must be one of 'cr', 'cc', 'ps', 'tp'; got 'tps'"),
        ("s(x, bs=['cr'])", ArgumentError, r"bs must be one of"),
        ("s(x, z)", ArgumentError, r"`s\(x, z\)`: k must be a whole number; a smooth of several covariates is te\(x, z\)"),
        ("te(x)", ArgumentError, r"`te\(x\)`: te\(\) is for two covariates or more; a smooth of one is s\(x\)"),
        ("te(x, x)", ArgumentError, r"`te\(x, x\)`: 'x' stands twice among the covariates"),
        ("te(x, 2 * x)", DataError, r"`te\(x, 2 \* x\)`: the data do not tell apart what is not penalised.*made of others"),
        ("te(exp(4 * x), z, k=9, bs='tp')", DataError, r"'exp\(4 \* x\)' lies so unevenly that 9 functions of bs='tp'"),
        ("te(x, z, by=0 * z)", DataError, r"the data do not tell apart what is not penalised"),
        ("te(x, z, k=3, by=rare)", DataError, r"the data do not tell apart, for level 'few' of by, what is not penalised"),
        ("te(x, z, k=(3, 4, 5))", ArgumentError, r"k has 3 values for 2 covariates"),
        ("te(x, z, bs=['cr'])", ArgumentError, r"bs has 1 values for 2 covariates"),
        ("te(x, z, k=(3, 2))", ArgumentError, r"must be a whole number >= 3, got 2"),
        ("s(1 / (x - x))", DataError, r"`s\(1 / \(x - x\)\)`: 1 / \(x - x\) is infinite in 150 row\(s\)"),
        ("s(x, by=1 / (x - x))", DataError, r"1 / \(x - x\) is infinite in 150 row"),
        ("s(x, by=0 * z)", DataError, r"`s\(x, by=0 \* z\)`: 'x' has 0 different value\(s\) where by is not 0"),
        ("s(x, by=when)", DataError, r"`s\(x, by=when\)`: column 'when' holds dates or durations"),
        ("s(x, by='g')", DataError, r"`s\(x, by='g'\)`: 'g' is not one number per row"),
        ("s(close, k=5)", DataError, r"`s\(close, k=5\)`: 'close' has values so close together"),
        ("te(x, z, k=10**9)", TooLargeError, r"`te\(x, z, k=10 \*\* 9\)` asks for \d+ columns, each with a name"),
        ("te(x, z, x, z, x, z, x, z)", TooLargeError, r"asks for 390625 columns"),
    ],
)  # fmt: skip
def test_refused_by_name(data, term, kind, message):
    close = 1 + 1e-15 * (data.index % 8)
    given = {name: data[name] for name in data} | {
        "when": pd.date_range("2020-01-01", periods=150), "image": np.zeros((150, 2, 2)),
        "rare": np.where(data.index < 2, "few", data.g), "close": np.where(data.index == 0, 1e6, close),
    }  # fmt: skip
    with pytest.raises(kind, match=message):
        design(f"y ~ {term}", given)


def test_infinite_new_values(data):
    d = design("y ~ s(exp(x))", data)
    with pytest.raises(DataError, match=r"`s\(exp\(x\)\)`: exp\(x\) is infinite in 1 row"):
        d.encode({"x": [1.0, 1e6]})


def test_a_damaged_state_is_an_error_of_ours(data):
    text = design("y ~ te(x, z, k=3)", data).spec.to_json()
    for old, new in (("knots", "knot"), ("means", "mean"), ('"margins"', '"smooth"'), ("coefs", "coef")):
        assert old in text
        with pytest.raises((DataError, FileFormatError)):
            Spec.from_json(text.replace(old, new)).encode(data)


def test_an_unknown_transform_is_still_one(data):
    with pytest.raises(NeuralStatError, match="not a known function"):
        design("y ~ ti(x, z)", data)
