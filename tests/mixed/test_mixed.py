"""Closed forms, invariances, limits, and what is refused."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
import statsmodels.api as sm
from mixed_models import herds, mixture, random_term, sleepstudy

from neuralstat.errors import ArgumentError, DataError, TooLargeError
from neuralstat.families import Binomial, Gamma, Gaussian, Multinomial, Poisson, Student
from neuralstat.mixed import Penalised, Problem, Random, fit
from neuralstat.mixed import columns as columns_room

# closed forms -----------------------------------------------------------------------------------------------


@pytest.mark.parametrize("family", [Gaussian(), Binomial(), Poisson(), Gamma("log")], ids=str)
@pytest.mark.parametrize("kind", ["REML", "ML"])
def test_without_penalties_it_is_a_glm(family, kind):
    rng = np.random.default_rng(1)
    x = np.column_stack([np.ones(80), rng.standard_normal((80, 2))])
    mu = family.link.inverse(0.3 + 0.4 * x[:, 1])
    y = {"gaussian": rng.normal, "poisson": rng.poisson, "gamma": rng.exponential,
         "binomial": lambda m: rng.binomial(1, m)}[family.name](mu).astype(float)  # fmt: skip
    theirs = {"gaussian": sm.families.Gaussian(), "binomial": sm.families.Binomial(), "poisson": sm.families.Poisson(),
              "gamma": sm.families.Gamma(sm.families.links.Log())}[family.name]  # fmt: skip
    glm = sm.GLM(y, x, theirs).fit(tol=1e-14)
    found = fit(Problem(x, y, family), kind)
    assert found.converged and found.edf == pytest.approx(np.ones(3))
    assert found.beta == pytest.approx(glm.params, rel=1e-7, abs=1e-9)
    if family.canonical:
        assert found.cov_beta / found.scale == pytest.approx(glm.cov_params() / glm.scale, rel=1e-6)
        assert found.cov_beta_freq == pytest.approx(found.cov_beta, rel=1e-9)
    if kind == "ML" and family.name != "gamma":
        assert found.log_evidence == pytest.approx(glm.llf, abs=1e-8)
    if family.name == "gaussian":
        assert found.scale == pytest.approx(glm.deviance / (77 if kind == "REML" else 80), rel=1e-12)


def test_balanced_one_way_anova():
    rng = np.random.default_rng(2)
    levels, repeats = 7, 4
    g = np.repeat(np.arange(levels), repeats)
    y = 5 + 1.5 * rng.standard_normal(levels)[g] + rng.standard_normal(levels * repeats)
    means = y.reshape(levels, repeats).mean(axis=1)
    within = np.sum((y - means[g]) ** 2) / (levels * (repeats - 1))
    between = repeats * np.sum((means - y.mean()) ** 2) / (levels - 1)
    found = fit(Problem(np.ones((28, 1)), y, Gaussian(), randoms=(random_term("g", g),)))
    assert found.scale == pytest.approx(within, rel=1e-7)
    assert found.covariances[0][0, 0] == pytest.approx((between - within) / repeats, rel=1e-6)
    assert found.beta == pytest.approx([y.mean()])
    assert found.cov_beta[0, 0] == pytest.approx(between / 28, rel=1e-6)
    shrinkage = 1 - within / between
    assert found.effects[0][:, 0] == pytest.approx(shrinkage * (means - y.mean()), rel=1e-6, abs=1e-9)
    assert found.edf_random[0] == pytest.approx(shrinkage * (levels - 1), rel=1e-6)
    # Searle, Casella & McCulloch 1992, section 3.8: var(within) = 2 within^2 / df, of restricted likelihood for normal data
    covariance = 2 * np.array([within**2 / 21, between**2 / 6])
    variance = (covariance[0] + covariance[1]) / repeats**2
    relative = np.sqrt(variance) / found.covariances[0][0, 0] / 2
    assert found.log_sd_se[0][0] == pytest.approx(relative, rel=1e-4)
    assert found.log_scale_se == pytest.approx(np.sqrt(2 / 21), rel=1e-4)
    assert found.variance_of(np.ones((1, 1)), [np.array([-1])], [np.ones((1, 1))]) == pytest.approx(
        found.covariances[0][0, 0] + between / 28, rel=1e-6)  # fmt: skip


def test_a_variance_of_zero_is_the_model_without_the_term():
    rng = np.random.default_rng(3)
    x = np.column_stack([np.ones(60), rng.standard_normal(60)])
    y = x[:, 1] + rng.standard_normal(60)
    g = np.argsort(np.argsort(y - x[:, 1])) % 6  # means of levels nearly alike
    for family, response in ((Gaussian(), y), (Poisson(), np.round(np.exp(y / 3)))):
        term = random_term("g", g if family.name == "gaussian" else np.arange(60) % 6)
        found, without = fit(Problem(x, response, family, randoms=(term,))), fit(Problem(x, response, family), "ML")
        if family.name == "gaussian":
            without = fit(Problem(x, response, family))
        assert found.singular and found.converged and not found.unbounded
        assert found.covariances[0][0, 0] == 0 and not np.any(found.effects[0])
        assert found.beta == pytest.approx(without.beta, abs=1e-6)
        assert found.cov_beta == pytest.approx(without.cov_beta, rel=1e-5)
        assert found.log_evidence == pytest.approx(without.log_evidence, abs=1e-7)


def test_given_strengths_are_kept():
    problem = sleepstudy(slopes=False)
    free = fit(problem)
    strength = free.scale / free.covariances[0][0, 0]
    given = fit(replace(problem, fixed={"Subject": strength}))
    assert given.log_evidence == pytest.approx(free.log_evidence, abs=1e-8)
    assert given.effects[0] == pytest.approx(free.effects[0], rel=1e-5)
    assert given.scale / given.covariances[0][0, 0] == pytest.approx(strength, rel=1e-12)
    assert np.isnan(given.log_sd_se[0][0]) and given.iterations <= 2
    ridge = Penalised("days", np.array([1]), np.array([2.0]))
    strong = fit(replace(problem, penalties=(ridge,), fixed={"days": 1e12}))
    none = fit(replace(problem, penalties=(ridge,), fixed={"days": 0.0}))
    assert strong.strengths == pytest.approx([1e12]) and abs(strong.beta[1]) < 1e-6
    assert none.beta == pytest.approx(free.beta, rel=1e-6) and none.log_evidence == pytest.approx(free.log_evidence)


# invariances ------------------------------------------------------------------------------------------------


def test_scales_and_origins_do_not_matter():
    problem = sleepstudy()
    plain = fit(problem)
    heavy = fit(replace(problem, weights=np.full(180, 1e4)))
    assert heavy.scale == pytest.approx(1e4 * plain.scale, rel=1e-6)
    assert heavy.log_evidence == pytest.approx(plain.log_evidence, abs=1e-6)
    assert heavy.covariances[0] == pytest.approx(plain.covariances[0], rel=1e-5)
    assert heavy.cov_beta == pytest.approx(plain.cov_beta, rel=1e-5)
    term = problem.randoms[0]
    years = replace(problem, x=problem.x @ np.array([[1.0, 2000], [0, 1]]), y=problem.y + 1e5,
                    randoms=(replace(term, z=term.z * [[1.0], [1e-3]]),))  # fmt: skip
    moved = fit(years)
    assert moved.log_evidence == pytest.approx(plain.log_evidence, abs=1e-6)
    assert moved.beta[1] == pytest.approx(plain.beta[1], rel=1e-6)
    assert moved.covariances[0][1, 1] == pytest.approx(1e6 * plain.covariances[0][1, 1], rel=1e-4)
    assert moved.fitted_predictor == pytest.approx(plain.fitted_predictor + 1e5, abs=1e-4)


def test_rows_without_weight_are_left_out_but_predicted():
    problem = herds(Binomial())
    weights = problem.weights.copy()
    weights[::5] = 0
    kept = weights > 0
    term = problem.randoms[0]
    one = fit(replace(problem, weights=weights))
    two = fit(Problem(problem.x[kept], problem.y[kept], problem.family, weights[kept],
                      randoms=(Random("herd", term.codes[kept], 15, term.z[:, kept]),)))  # fmt: skip
    assert one.beta == pytest.approx(two.beta, abs=1e-12) and len(one.fitted_predictor) == 56
    assert one.fitted_predictor[kept] == pytest.approx(two.fitted_predictor, abs=1e-12)


def test_trials_one_by_one_say_the_same():
    problem = herds(Binomial())
    many = np.repeat(np.arange(56), problem.weights.astype(int))
    start = np.concatenate([[0], np.cumsum(problem.weights).astype(int)[:-1]])
    events = np.round(problem.y * problem.weights).astype(int)
    y = (np.arange(len(many)) - start[many] < events[many]).astype(float)
    term = problem.randoms[0]
    one = fit(problem)
    two = fit(Problem(problem.x[many], y, problem.family, randoms=(Random("herd", term.codes[many], 15, term.z[:, many]),)))
    assert two.beta == pytest.approx(one.beta, abs=1e-6)
    assert two.covariances[0] == pytest.approx(one.covariances[0], rel=1e-5)
    from scipy.special import comb

    ways = np.log(comb(problem.weights, events)).sum()
    assert two.log_evidence + ways == pytest.approx(one.log_evidence, abs=1e-8)


def test_an_offset_is_taken_off():
    problem = sleepstudy()
    offset = 3 * np.cos(np.arange(180.0))
    one, two = fit(replace(problem, offset=offset)), fit(replace(problem, y=problem.y - offset))
    assert one.beta == pytest.approx(two.beta, rel=1e-7)
    assert one.fitted_predictor == pytest.approx(two.fitted_predictor + offset, rel=1e-7)


def test_a_start_is_taken_on():
    problem = sleepstudy()
    first = fit(problem)
    again = fit(problem, start=first)
    assert again.iterations < first.iterations
    assert again.log_evidence == pytest.approx(first.log_evidence, abs=1e-9)
    with pytest.raises(ArgumentError, match="start has 3 strengths and variances; 1 are"):
        fit(sleepstudy(slopes=False), start=first)


# limits -----------------------------------------------------------------------------------------------------


def test_effects_without_coefficients_and_levels_without_rows():
    rng = np.random.default_rng(4)
    g = 2 * rng.integers(0, 9, 100)
    y = rng.standard_normal(18)[g] + 0.3 * rng.standard_normal(100)
    term = Random("g", g, 18, np.ones((1, 100)))
    none = fit(Problem(np.zeros((100, 0)), y, Gaussian(), randoms=(term,)))
    assert none.converged and none.beta.shape == (0,) and none.cov_beta.shape == (0, 0)
    found = fit(Problem(np.ones((100, 1)), y, Gaussian(), randoms=(term,)))
    assert found.effects[0][1::2] == pytest.approx(0, abs=0)
    assert found.effect_variances[0][1::2, 0, 0] == pytest.approx(found.covariances[0][0, 0])
    logits = fit(Problem(np.zeros((100, 0)), (y > 0).astype(float), Binomial(), randoms=(term,)))
    assert logits.converged and logits.criterion == "ML"


@pytest.mark.parametrize("case", ["separated", "by level", "one class", "exact"])
def test_what_runs_away_is_flagged(case):
    rng = np.random.default_rng(5)
    x, g = np.column_stack([np.ones(60), rng.standard_normal(60)]), np.arange(60) % 6
    y = {"separated": x[:, 1] > 0, "by level": g > 2, "one class": np.zeros(60), "exact": x[:, 1] + g**2}[case]
    family = Gaussian() if case == "exact" else Binomial()
    found = fit(Problem(x, y.astype(float), family, randoms=(random_term("g", g),)))
    assert found.unbounded and not found.converged


def test_few_rows():
    # means 1.5 and 5.5: mean squares 16 between and 0.5 within
    terms = (random_term("g", np.array([0, 0, 1, 1])),)
    found = fit(Problem(np.ones((4, 1)), np.array([1.0, 2, 5, 6]), Gaussian(), randoms=terms))
    assert found.covariances[0][0, 0] == pytest.approx(7.75, rel=1e-6) and found.scale == pytest.approx(0.5, rel=1e-6)


def test_effects_of_three_rows_of_z_may_be_singular():
    rng = np.random.default_rng(6)
    g, v = np.arange(90) % 9, rng.standard_normal(90)
    y = v + rng.standard_normal(9)[g] * v + 0.1 * rng.standard_normal(90)
    found = fit(Problem(np.column_stack([np.ones(90), v]), y, Gaussian(),
                        randoms=(random_term("g", g, np.stack([np.ones(90), v, v**2])),)))  # fmt: skip
    assert found.converged and found.singular
    assert np.linalg.eigvalsh(found.covariances[0])[0] == pytest.approx(0, abs=1e-12)
    assert np.sqrt(found.covariances[0][1, 1]) == pytest.approx(1, abs=0.6)


def test_an_effect_for_each_row_of_counts_is_identified():
    rng = np.random.default_rng(7)
    x = np.column_stack([np.ones(300), rng.standard_normal(300)])
    y = rng.poisson(np.exp(1 + 0.5 * x[:, 1] + 0.7 * rng.standard_normal(300)))
    found = fit(Problem(x, y, Poisson(), randoms=(random_term("row", np.arange(300)),)))
    assert found.converged and np.sqrt(found.covariances[0][0, 0]) == pytest.approx(0.7, abs=4 * 0.7 * found.log_sd_se[0][0])


# what is refused --------------------------------------------------------------------------------------------

X, Y, G = np.column_stack([np.ones(12), np.arange(12.0)]), np.sin(np.arange(12.0)), np.arange(12) % 3


def term(codes=G, levels=3, z=None, name="g", correlated=True):
    return Random(name, codes, levels, np.ones((1, len(codes))) if z is None else z, correlated)


REFUSED = {
    "no repeats": (lambda: Problem(X, Y, Gaussian(), randoms=(term(np.arange(12), 12),)), DataError,
                   "random term 'g': each of its 12 levels has one row only"),
    "no repeats left": (lambda: Problem(X, Y, Gaussian(), np.arange(12) % 2, randoms=(term(np.arange(12), 12),)), DataError,
                        "random term 'g': each of its 6 levels has one row only"),
    "as many effects as rows": (lambda: Problem(X, Y, Gaussian(), randoms=(term(np.arange(12) % 6, 6, X.T),)), DataError,
                                "random term 'g': 6 levels have 12 random effects, and there are 12 rows"),
    "one level": (lambda: Problem(X, Y, Gaussian(), randoms=(term(np.zeros(12, int), 1),)), DataError,
                  "random term 'g': it has one level only"),
    "codes": (lambda: term(G + 1), ArgumentError, "random term 'g': codes must lie between 0 and 2"),
    "float codes": (lambda: term(G + 0.5), ArgumentError, "random term 'g': codes must be a vector of whole"),
    "z": (lambda: term(z=np.ones((1, 5))), ArgumentError, r"random term 'g': z must have the shape \(R, 12\)"),
    "z of zeros": (lambda: term(z=np.stack([Y, 0 * Y])), DataError, "random term 'g': row 1 of z is 0 throughout"),
    "missing z": (lambda: term(z=np.where(G == 1, np.nan, 1.0)[np.newaxis]), DataError,
                  "random term 'g': z has values that are"),
    "rows": (lambda: Problem(X, Y, Gaussian(), randoms=(term(G[:9]),)), ArgumentError,
             "random term 'g': 12 codes are needed"),
    "missing y": (lambda: Problem(X, np.where(G == 1, np.nan, Y), Gaussian()), DataError,
                  "y has values .* the first in row 1"),
    "missing x": (lambda: Problem(np.where(X == 4, np.inf, X), Y, Gaussian()), DataError,
                  "x has values .* the first in row 4"),
    "weights": (lambda: Problem(X, Y, Gaussian(), weights=-Y), ArgumentError, "weights must be >= 0"),
    "offset": (lambda: Problem(X, Y, Gaussian(), offset=Y[:4]), ArgumentError, r"offset must have the shape \(12,\)"),
    "proportions": (lambda: Problem(X, Y, Binomial()), DataError, "y must be between 0 and 1 for the binomial"),
    "classes": (lambda: Problem(X, Y, Multinomial()), ArgumentError, "family: .* one linear predictor"),
    "parameters": (lambda: Problem(X, Y, Student()), ArgumentError, "family: .* one linear predictor"),
    "names": (lambda: Problem(X, Y, Gaussian(), randoms=(term(), term())), ArgumentError,
              "two penalised terms are called 'g'"),
    "fixed": (lambda: Problem(X, Y, Gaussian(), randoms=(term(),), fixed={"h": 1}), ArgumentError,
              "there is no penalised term 'h'"),
    "fixed at 0": (lambda: Problem(X, Y, Gaussian(), randoms=(term(),), fixed={"g": 0}), ArgumentError, "strength of 'g'"),
    "columns": (lambda: Problem(X, Y, Gaussian(), penalties=(Penalised("s", [2], [1.0]),)), ArgumentError,
                "'s': columns must lie"),
    "columns twice": (lambda: Penalised("s", [1, 1], [1.0, 1]), ArgumentError, "'s': a column stands twice"),
    "diagonal": (lambda: Penalised("s", [0, 1], [1.0, -1]), ArgumentError, "'s': diagonal must have a number >= 0"),
    "no diagonal": (lambda: Penalised("s", [0, 1], [0.0, 0]), ArgumentError, "'s': diagonal is 0 throughout"),
    "alias": (lambda: fit(Problem(np.column_stack([X, X[:, 1] - 3]), Y, Gaussian())), DataError,
              "column 2 of x is a linear comb"),
    "zeros": (lambda: fit(Problem(X * [1, 0], Y, Gaussian())), DataError, "column 1 of x is 0 throughout"),
    "no freedom": (lambda: fit(Problem(np.vander(Y), Y, Gaussian())), DataError, "leave no degrees of freedom"),
    "exact": (lambda: fit(Problem(X, X @ [1.0, 2], Gaussian(), randoms=(term(),))), DataError, "y is fitted exactly"),
    "criterion": (lambda: fit(Problem(X, Y, Gaussian()), "GCV"), ArgumentError,
                  "criterion must be one of 'auto', 'REML', 'ML'"),
}  # fmt: skip


@pytest.mark.parametrize("name", REFUSED)
def test_is_refused(name):
    call, kind, words = REFUSED[name]
    with pytest.raises(kind, match=words):
        call()


def test_too_many_dense_columns_are_refused(monkeypatch):
    monkeypatch.setattr(columns_room, "DENSE", 10)
    with pytest.raises(TooLargeError, match=r"random term 'h' beside 'g': 25 columns would be dense, of which 10"):
        fit(replace(mixture(Gaussian()), randoms=tuple(replace(t, levels=20) for t in mixture(Gaussian()).randoms)))


def test_variances_of_new_rows_are_checked():
    found = fit(sleepstudy(slopes=False))
    one = np.ones((1, 1))
    for arguments, words in (
        ((np.ones((1, 3)), [np.array([0])], [one]), "x must have the shape"),
        ((np.ones((1, 2)), [], []), "codes and z are needed for each of 1"),
        ((np.ones((1, 2)), [np.array([18])], [one]), "codes must lie between -1 and 17"),
        ((np.ones((1, 2)), [np.array([0, 1])], [one]), r"codes must be \(1,\)"),
    ):
        with pytest.raises(ArgumentError, match=words):
            found.variance_of(*arguments)


# what is claimed of errors ----------------------------------------------------------------------------------


@pytest.mark.slow
def test_standard_errors_and_intervals_hold_in_simulation():
    """400 data sets of 30 levels with 6 rows: coverage of 95 % intervals within three Monte-Carlo errors (.011 each)."""
    rng = np.random.default_rng(8)
    g, v = np.repeat(np.arange(30), 6), np.tile(np.linspace(-1, 1, 6), 30)
    x, hits, logs, errors = np.column_stack([np.ones(180), v]), [], [], []
    for _ in range(400):
        effects = rng.standard_normal((31, 2)) * [1.0, 0.7]
        y = 1 + 2 * v + effects[g, 0] + effects[g, 1] * v + rng.standard_normal(180)
        found = fit(Problem(x, y, Gaussian(), randoms=(random_term("g", g, x.T, correlated=False),)))
        new, codes = np.array([[1.0, 0.5]] * 2), np.array([3, -1])
        mean = new @ found.beta + np.array([found.effects[0][3] @ new[0], 0])
        truth = new @ [1.0, 2.0] + np.array([effects[3] @ new[0], effects[30] @ new[1]])
        inside = np.abs(truth - mean) < 1.96 * np.sqrt(found.variance_of(new, [codes], [new.T]))
        hits.append([abs(found.beta[1] - 2) < 1.96 * np.sqrt(found.cov_beta[1, 1]), *inside])
        logs.append(np.log(np.sqrt(found.covariances[0][0, 0])))
        errors.append(found.log_sd_se[0][0])
    assert np.mean(hits, axis=0) == pytest.approx(0.95, abs=0.033)
    assert np.mean(errors) == pytest.approx(np.std(logs), rel=0.12)  # Monte-Carlo error of a standard deviation: 3.5 %
