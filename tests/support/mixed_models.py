"""Problems with penalties and random effects for tests, and the same by dense formulas."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import pandas as pd

from neuralstat import datasets
from neuralstat.families import (
    Binomial,
    Gamma,
    Gaussian,
    InverseGaussian,
    NegativeBinomial,
    Poisson,
    QuasiPoisson,
    Tweedie,
    working,
)
from neuralstat.mixed import Penalised, Problem, Random


def codes_of(values) -> np.ndarray:
    return pd.factorize(values, sort=True)[0]


def random_term(name, values, z=None, correlated=True) -> Random:
    """(1 | g), or effects of the rows of z."""
    codes = codes_of(values)
    z = np.ones((1, len(codes))) if z is None else np.atleast_2d(np.asarray(z, dtype=float))
    return Random(name, codes, int(codes.max()) + 1, z, correlated)


def sleepstudy(correlated=True, slopes=True, **more) -> Problem:
    data = datasets.sleepstudy()
    x = np.column_stack([np.ones(180), data["Days"]])
    term = random_term("Subject", data["Subject"], x.T if slopes else None, correlated)
    return Problem(x, data["Reaction"].to_numpy(), Gaussian(), randoms=(term,), **more)


def herds(family, counts=False, **more) -> Problem:
    """cbpp: proportions, or counts with an offset."""
    data = datasets.cbpp()
    x = np.column_stack([np.ones(56), pd.get_dummies(data["period"]).to_numpy(float)[:, 1:]])
    size = data["size"].to_numpy(float)
    term = random_term("herd", data["herd"].astype(int))
    if counts:
        more = {"randoms": (term,), **more}
        return Problem(x, data["incidence"].to_numpy(), family, offset=np.log(size), **more)
    return Problem(x, data["incidence"].to_numpy() / size, family, weights=size, randoms=(term,), **more)


FAMILIES = {
    str(f): f
    for f in (
        Gaussian(), Gaussian("log"), Binomial(), Binomial("probit"), Binomial("cloglog"), Binomial("loglog"),
        Binomial("cauchy"), Poisson(), Poisson("sqrt"), Gamma(), Gamma("log"), Gamma("identity"), InverseGaussian(),
        InverseGaussian("log"), NegativeBinomial(0.7), Tweedie(1.4), QuasiPoisson(),
    )
}  # fmt: skip


def mixture(family, seed=3, n=120) -> Problem:
    """Two overlapping penalties, a crossed and a correlated random term, and whatever weights the family has."""
    rng = np.random.default_rng(seed)
    g, h, v = rng.integers(0, 8, n), rng.integers(0, 5, n), rng.standard_normal(n)
    x = np.column_stack([np.ones(n), 0.3 * rng.standard_normal((n, 4))])
    eta = 0.3 + x[:, 1:] @ [0.15, -0.1, 0.05, 0.1] + 0.5 * rng.standard_normal(8)[g] + 0.4 * v * rng.standard_normal(8)[g]
    eta += 0.4 * rng.standard_normal(5)[h]
    if family.link.name in ("inverse_power", "inverse_squared", "sqrt") or str(family) == "gamma (identity)":
        eta = 2 + 0.3 * eta
    mu, weights, name = family.link.inverse(eta), None, family.kin
    if name == "binomial":
        weights = rng.integers(1, 9, n)
        y = rng.binomial(weights, mu) / weights
    elif name in ("poisson", "negative_binomial"):
        y = rng.poisson(mu)
    elif name == "gamma":
        y, weights = rng.gamma(5, mu / 5), rng.uniform(0.5, 2, n)
    elif name == "inverse_gaussian":
        y = rng.wald(mu, 9 * mu)
    elif name == "tweedie":
        y = np.array([rng.gamma(2, m / 2, k).sum() for m, k in zip(mu, rng.poisson(1, n))])
    else:
        y, weights = mu + 0.3 * rng.standard_normal(n), rng.uniform(0.5, 2, n)
    penalties = (
        Penalised("a", np.array([2, 3, 4]), np.array([1.0, 2, 0])),
        Penalised("b", np.array([3, 4]), np.array([1.0, 3])),
    )
    terms = random_term("h", h), random_term("g", g, np.stack([np.ones(n), v]))
    return Problem(x, y, family, weights, 0.1 * rng.random(n), penalties, terms)


@dataclass
class Dense:
    """What a solution must have, from dense matrices over all columns C = [X, Z] in the users' units."""

    gradient: np.ndarray
    log_evidence: float
    covariance: np.ndarray
    frequentist: np.ndarray
    edf: np.ndarray
    conditional: np.ndarray
    columns: np.ndarray
    places: list[np.ndarray]


def dense(problem, solution) -> Dense:
    """At a solution's strengths, covariances and dispersion, which must not be singular."""
    family, p, n = problem.family, problem.x.shape[1], len(problem.y)
    case = np.ones(n) if problem.weights is None else problem.weights
    columns, places, at = [problem.x], [], p
    for term in problem.randoms:
        z = np.zeros((n, term.levels, term.size))
        z[np.arange(n), term.codes] = term.z.T
        columns.append(z.reshape(n, -1))
        places.append(at + np.arange(term.levels * term.size).reshape(term.levels, term.size))
        at += term.levels * term.size
    c = np.hstack(columns)
    s = np.zeros((at, at))
    for lam, penalty in zip(solution.strengths, problem.penalties):
        s[penalty.columns, penalty.columns] += lam * penalty.diagonal
    for place, covariance in zip(places, solution.covariances):
        for index in place:
            s[np.ix_(index, index)] = solution.scale * np.linalg.inv(covariance)
    theta = np.concatenate([solution.beta, *(b.ravel() for b in solution.effects)])
    eta = c @ theta + (0 if problem.offset is None else problem.offset)

    def score(eta):
        return working.scores(family, problem.y, eta, case)

    h = 1e-5 * np.maximum(np.abs(eta), 0.1)
    w = -(score(eta + h) - score(eta - h)) / (2 * h)
    hessian = (c * w[:, np.newaxis]).T @ c
    expected = (c * (working.weights(family, eta) * case)[:, np.newaxis]).T @ c
    inverse = np.linalg.inv(expected + s)
    penalised = np.diag(s) > 0
    over = penalised if solution.criterion == "ML" else np.ones(at, dtype=bool)
    phi = solution.scale
    saturated = {
        "gaussian": lambda: -0.5 * np.log(2 * np.pi * phi / case).sum(),
        "quasipoisson": lambda: -0.5 * n * np.log(2 * np.pi * phi),
        "tweedie": lambda: -0.5 * n * np.log(2 * np.pi * phi),
    }.get(family.name, lambda: family.loglike_obs(problem.y, problem.y, case, phi).sum())()
    flat = over.sum() - penalised.sum()
    evidence = saturated - (working.deviance(family, problem.y, eta, case) + theta @ s @ theta) / (2 * phi)
    evidence += flat / 2 * np.log(2 * np.pi * phi)
    evidence -= np.linalg.slogdet((hessian + s)[np.ix_(over, over)])[1] / 2
    evidence += np.linalg.slogdet(s[np.ix_(penalised, penalised)])[1] / 2
    u = np.arange(p, at)
    return Dense(c.T @ score(eta) - s @ theta, float(evidence), phi * inverse, phi * inverse @ expected @ inverse,
                 np.diag(inverse @ expected), phi * np.linalg.inv((expected + s)[np.ix_(u, u)]), c, places)  # fmt: skip
