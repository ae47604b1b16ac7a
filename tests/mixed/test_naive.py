"""Everything in a solution against dense formulas, gradients against differences, for every family."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
import reml
from mixed_models import FAMILIES, codes_of, dense, herds, mixture, sleepstudy

from neuralstat.families import Binomial, Gaussian, Poisson, working
from neuralstat.mixed import Penalised, Problem, fit
from neuralstat.mixed.criterion import Criterion
from neuralstat.mixed.curvature import Response
from neuralstat.mixed.prepared import prepare
from neuralstat.network.blas import on_one_thread

THETA = np.array([0.5, 1.0, 0.8, 0.9, 0.2, 0.7])  # no optimum of any


@pytest.mark.parametrize("name", FAMILIES)
def test_scores_and_information_are_derivatives(name):
    family = FAMILIES[name]
    problem = mixture(family)
    case = np.ones(len(problem.y)) if problem.weights is None else problem.weights
    response = Response(family, problem.y, case)
    eta = prepare(problem).start * np.linspace(0.8, 1.2, len(problem.y))
    h = 1e-5

    def half(eta):
        return working.unit_deviance(family, problem.y, eta) * case / 2

    assert response.deviance(eta) == pytest.approx(2 * half(eta).sum(), rel=1e-12)
    assert response.score(eta) == pytest.approx((half(eta - h) - half(eta + h)) / (2 * h), rel=1e-6, abs=1e-6)
    difference = (response.score(eta - h) - response.score(eta + h)) / (2 * h)
    assert response.observed(eta) == pytest.approx(difference, rel=1e-6, abs=1e-7)
    assert response.expected(eta) == pytest.approx(working.weights(family, eta) * case, rel=1e-12)
    for fisher in (True, False):
        weight = response.expected if fisher else response.observed
        slope = (weight(eta + h) - weight(eta - h)) / (2 * h)
        assert response.slope(eta, fisher) == pytest.approx(slope, rel=1e-5, abs=1e-6)


@pytest.mark.parametrize("kind", ["REML", "ML", "joint"])
@pytest.mark.parametrize("name", FAMILIES)
def test_the_gradient_is_the_criterions(name, kind):
    prepared = prepare(mixture(FAMILIES[name]))
    if kind == "joint" and prepared.is_linear:
        pytest.skip("coefficients of normal errors are profiled")
    criterion = Criterion(prepared, kind == "REML", kind == "joint")
    m, point = len(THETA), THETA
    if kind == "joint":
        free = Criterion(prepared, False)(THETA).mode.beta[prepared.penalised :]
        point = np.concatenate([THETA, free + 0.02 * np.abs(free)])

    def at(point, **more):
        return criterion(point[:m], point[m:] if kind == "joint" else None, **more)

    state, step = at(point), 1e-5
    for direction in np.random.default_rng(1).standard_normal((1, len(point))):
        ends = [at(point + e * direction).value for e in (-step, step)]
        assert state.gradient @ direction == pytest.approx((ends[1] - ends[0]) / (2 * step), abs=5e-6)
    if FAMILIES[name].dispersed:
        assert state.slope_phi == pytest.approx(0, abs=1e-6)
        phi = 1.1 * state.phi
        ends = [at(point, phi=phi * np.exp(e)).value for e in (-step, step)]
        assert at(point, phi=phi).slope_phi == pytest.approx((ends[1] - ends[0]) / (2 * step), abs=2e-6)


@pytest.mark.parametrize("kind", ["REML", "ML"])
@pytest.mark.parametrize("name", ["gaussian (identity)", "binomial (logit)", "poisson (log)", "gamma (log)",
                                  "binomial (cloglog)", "quasipoisson (log)", "inverse_gaussian (log)"])  # fmt: skip
def test_solutions_by_dense_formulas(name, kind):
    problem = mixture(FAMILIES[name])
    # estimated strengths of the penalties would be at a bound for some families
    problem = replace(problem, fixed={"a": 2.0, "b": 0.5} if name != "gaussian (identity)" else {"h": 4.0, "a": 2.0})
    check(problem, fit(problem, kind))


def check(problem, solution):
    p = problem.x.shape[1]
    assert solution.converged and not solution.singular
    naive = dense(problem, solution)
    penalised = np.arange(len(naive.gradient)) >= (p if solution.criterion == "ML" else 0)
    assert naive.gradient[penalised] == pytest.approx(0, abs=1e-5 * max(1.0, solution.scale))
    assert solution.log_evidence == pytest.approx(naive.log_evidence, abs=1e-6)
    assert solution.cov_beta == pytest.approx(naive.covariance[:p, :p], rel=1e-6, abs=1e-9)
    assert solution.cov_beta_freq == pytest.approx(naive.frequentist[:p, :p], rel=1e-5, abs=1e-9)
    assert solution.edf == pytest.approx(naive.edf[:p], abs=1e-6)
    rows = np.arange(0, len(problem.y), 7)
    variance = np.einsum("ij,jk,ik->i", naive.columns[rows], naive.covariance, naive.columns[rows])
    codes, z = [t.codes[rows] for t in problem.randoms], [t.z[:, rows] for t in problem.randoms]
    assert solution.variance_of(problem.x[rows], codes, z) == pytest.approx(variance, rel=1e-6)
    for k, (term, places) in enumerate(zip(problem.randoms, naive.places)):
        assert solution.edf_random[k] == pytest.approx(naive.edf[places].sum(), abs=1e-6)
        for level in range(term.levels):
            block = np.ix_(places[level], places[level])
            given = np.ix_(places[level] - p, places[level] - p)
            assert solution.effect_variances[k][level] == pytest.approx(naive.covariance[block], rel=1e-6, abs=1e-10)
            if not problem.penalties:
                conditional = solution.conditional_variances[k][level]
                assert conditional == pytest.approx(naive.conditional[given], rel=1e-6, abs=1e-10)
        # a level that was not seen: at its mean, or with its prior variance
        new = [np.where(np.arange(len(problem.randoms)) == k, -1, 0)[m] + np.zeros(len(rows), dtype=int)
               for m in range(len(problem.randoms))]  # fmt: skip
        held = solution.variance_of(problem.x[rows], new, z, new_levels=False)
        prior = np.einsum("rm,rs,sm->m", z[k], solution.covariances[k], z[k])
        assert solution.variance_of(problem.x[rows], new, z) == pytest.approx(held + prior, rel=1e-10)


@pytest.mark.parametrize(
    "problem",
    [sleepstudy(), sleepstudy(correlated=False), herds(Binomial()), herds(Binomial("probit")), herds(Poisson(), True)],
    ids=["slopes", "uncorrelated", "binomial", "probit", "poisson"],
)  # fmt: skip
@pytest.mark.parametrize("kind", ["REML", "ML"])
def test_real_data_by_dense_formulas(problem, kind):
    solution = fit(problem, kind)
    check(problem, solution)


@pytest.mark.parametrize(
    "name, kind",
    [*((n, "REML") for n in ("gaussian (identity)", "binomial (logit)", "binomial (cauchy)", "gamma (log)", "tweedie (log)")),
     ("gaussian (identity)", "ML"), ("poisson (log)", "ML")],
)  # fmt: skip
def test_no_strengths_nearby_are_better(name, kind):
    problem = mixture(FAMILIES[name], seed=4, n=100)
    if kind == "ML":  # one term is enough
        problem = replace(problem, randoms=problem.randoms[:1], penalties=problem.penalties[:1])
    solution = fit(problem, kind)
    assert solution.converged and not solution.unbounded
    criterion = Criterion(solution.prepared, kind == "REML")
    rng, layout = np.random.default_rng(2), criterion.layout
    if kind == "REML" or solution.prepared.is_linear:
        assert criterion(solution.theta).value == pytest.approx(-solution.log_evidence, abs=1e-5)
    else:  # coefficients at the mode are not those that the marginal likelihood is largest at
        assert criterion(solution.theta).value >= -solution.log_evidence - 1e-6
    for size in (0.01, 0.3, 1.0):
        moved = np.clip(solution.theta + size * rng.standard_normal(layout.count), layout.lower, layout.upper)
        assert criterion(moved, slopes=False).value >= -solution.log_evidence - 1e-5


@on_one_thread
def log_density(problem, covariance, phi, restricted):
    """Of normal responses by their full covariance matrix (one random term, no penalties), at the best coefficients."""
    term = problem.randoms[0]
    v = phi * np.eye(len(problem.y))
    same = term.codes[:, np.newaxis] == term.codes
    v += same * np.einsum("rn,rs,sm->nm", term.z, covariance, term.z)
    solved = np.linalg.solve(v, problem.x)
    beta = np.linalg.solve(problem.x.T @ solved, solved.T @ problem.y)
    rest = problem.y - problem.x @ beta
    value = -(len(rest) * np.log(2 * np.pi) + np.linalg.slogdet(v)[1] + rest @ np.linalg.solve(v, rest)) / 2
    if restricted:
        value += len(beta) / 2 * np.log(2 * np.pi) - np.linalg.slogdet(problem.x.T @ solved)[1] / 2
    return value


@pytest.mark.parametrize("kind", ["REML", "ML"])
def test_the_evidence_is_the_density_of_normal_responses_and_largest(kind):
    problem = sleepstudy()
    solution = fit(problem, kind)
    covariance, phi = solution.covariances[0], solution.scale
    best = log_density(problem, covariance, phi, kind == "REML")
    assert solution.log_evidence == pytest.approx(best, abs=1e-8)
    for step in (-0.01, 0.01):
        for change in (np.diag([1 + step, 1]), np.diag([1, 1 + step]), np.array([[1, 0], [step / 5, 1]])):
            assert log_density(problem, change @ covariance @ change.T, phi, kind == "REML") < best
        assert log_density(problem, covariance, phi * (1 + step), kind == "REML") < best


@pytest.mark.parametrize("weighted", [False, True])
@pytest.mark.parametrize("kind", ["one", "two", "overlapping"])
def test_smooths_by_the_dense_oracle(kind, weighted):
    rng = np.random.default_rng(5)
    n, knots = 150, np.linspace(0, 1, 12)[1:-1]
    x, z = np.sort(rng.random(n)), rng.random(n)
    bases = [np.maximum(v[:, np.newaxis] - knots, 0) ** 3 for v in (x, z)]
    columns = np.column_stack([np.ones(n), x, bases[0], z, bases[1]])
    y = 100 + np.sin(6 * x) + 0.3 * rng.standard_normal(n)
    first, second = np.arange(2, 12), np.arange(13, 23)
    groups = [(first, np.ones(10))]
    if kind == "two":
        groups.append((second, np.ones(10)))
    elif kind == "overlapping":
        groups.append((np.arange(2, 23), np.concatenate([np.linspace(0, 3, 10), [0], np.linspace(1, 2, 10)])))
    w = rng.uniform(0.1, 5, n) if weighted else None
    oracle = reml.fit(columns, y, reml.full_diagonals(23, groups), w)
    penalties = tuple(Penalised(str(k), *group) for k, group in enumerate(groups))
    solution = fit(Problem(columns, y, Gaussian(), w, penalties=penalties))
    assert solution.converged
    assert solution.log_evidence == pytest.approx(-oracle.criterion, abs=1e-8)
    assert solution.scale == pytest.approx(oracle.phi, rel=1e-6)
    assert solution.edf == pytest.approx(oracle.edf, abs=1e-5)
    assert columns @ solution.beta == pytest.approx(oracle.fitted, abs=1e-5)
    inside = ~solution.at_bound
    assert solution.strengths[inside] == pytest.approx(oracle.strengths[inside], rel=1e-4)
    if kind == "two":  # z says nothing: what is penalised of it is gone
        assert solution.at_bound.tolist() == [False, True]
        assert solution.edf[second] == pytest.approx(0, abs=1e-6)
        assert np.isnan(solution.log_strength_se[1]) and solution.log_strength_se[0] > 0


@pytest.mark.parametrize("family", [Gaussian(), Poisson()], ids=str)
def test_a_random_intercept_is_a_ridge_over_dummies(family):
    data = herds(Poisson(), counts=True)
    y = data.y if family.name == "poisson" else np.sqrt(data.y)
    dummies = np.eye(15)[codes_of(data.randoms[0].codes)]
    x = np.hstack([data.x, dummies])
    ridge = Problem(x, y, family, offset=data.offset, penalties=(Penalised("herd", np.arange(4, 19), np.ones(15)),))
    one = fit(ridge, "REML")
    two = fit(Problem(data.x, y, family, offset=data.offset, randoms=data.randoms), "REML")
    assert one.log_evidence == pytest.approx(two.log_evidence, abs=1e-9)
    assert one.strengths[0] == pytest.approx(two.scale / two.covariances[0][0, 0], rel=1e-5)
    assert one.beta == pytest.approx(np.concatenate([two.beta, two.effects[0][:, 0]]), abs=1e-6)
    assert one.log_strength_se[0] > 0 and two.log_sd_se[0][0] > 0
    assert one.edf.sum() == pytest.approx(two.edf.sum() + two.edf_random[0], abs=1e-6)


def test_which_term_is_eliminated_does_not_matter():
    problem = mixture(Gaussian())
    first, second = problem.randoms
    other = replace(problem, randoms=(second, first))
    grown = replace(problem, randoms=(replace(first, levels=40), second))  # more levels: now it is the one eliminated
    one, two, three = fit(problem), fit(other), fit(grown)
    for found in (two, three):
        assert found.log_evidence == pytest.approx(one.log_evidence, abs=1e-8)
        assert found.beta == pytest.approx(one.beta, abs=1e-6)
        assert found.cov_beta == pytest.approx(one.cov_beta, rel=1e-4)
    assert two.effects[1] == pytest.approx(one.effects[0], abs=1e-6)
    assert three.effects[0][:5] == pytest.approx(one.effects[0], abs=1e-6)
    assert three.effects[0][5:] == pytest.approx(0, abs=0)
