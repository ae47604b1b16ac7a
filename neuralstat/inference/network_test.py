"""Tests of the networks of a structured formula: whether the response depends on their covariates given the other terms.

Where a network has no effect its weights are not identified, and where its decay is estimated it is shrunk to nothing, so
that neither its weights nor its values tell how unlikely they are. The test is of the prior that a network is: with many
units and normal weights it is a gaussian process whose covariance K is known (Williams 1998, Neural Computation 10:1203, for
sigmoid units), times a variance; that the variance is 0 is tested by its score. In the model without the network, with
residuals r (working ones in other families) of precision W, the other terms projected out by P = W - W X (X'WX + S)^-1 X'W,

    T = r'W K W r = u'u,  u = Z'W r,  K = Z Z',   T / phi = sum_j m_j chi2_1, m_j eigenvalues of Z'PZ.

The covariance of a network has few large eigenvalues, those of smooth functions of single covariates. With its fourth root
in its place (`FLATTER`) lines are found as well as before, and waves and interactions far better; the test stays exact.

For normal errors T is compared with r'W r + (penalty), which makes the test exact but for these strengths. Other networks of
the formula are in the model without this one as such processes, too, with variances that are estimated.

References
----------
Liu, Lin & Ghosh (2007), Biometrics 63:1079. Crainiceanu & Ruppert (2004), JRSS B 66:165.
"""

from __future__ import annotations

from dataclasses import replace

import numpy as np

from .. import mixed
from ..df import exact_fit
from ..errors import ArgumentError, DataError, DfError, TooLargeError
from ..fitted import Fitted
from ..training import exact_terms
from ..training.strengths import MOST
from . import term_parts as of_terms
from .quadratic_forms import chi2_sum_sf, f_sum_sf
from .smooth_test import Test

LANDMARKS = 400  # rows that a process is followed at
SPREAD = 2.0  # standard deviation of the weights into a unit, over the root of the number of inputs
LOST = 1e-8  # variance of a feature, relative to the largest, that is none
FLATTER = 0.25  # power of the eigenvalues of the covariance


def network_test(fitted: Fitted, b: int, part: of_terms.Part) -> Test | str:
    """Test a network; why there is no test, in words, where there is none.

    Parameters
    ----------
    fitted : Fitted
    b : int
        Repetition, from 0.
    part : Part
        Of the kind "network".

    Returns
    -------
    Test or str
        The statistic is scaled so that it is about chi2 on its `rank`.
    """
    design, network = fitted.design, fitted.network
    if network.n_outputs > 1 or exact_terms.likelihood(network) is None:
        return "networks are tested in models of one output of an exponential family"
    if design.spec.tensors and any(t.name in str(part.term) for t in design.spec.tensors):
        return "networks of arrays have no test here"
    try:
        problem = _without(fitted, b, part)
        if problem.x.shape[1] + sum(r.levels * r.size for r in problem.randoms) > MOST:
            return f"the other terms have more than {MOST:,} weights"
        return _score_test(problem, mixed.fit(problem), flatter(features(fitted, part)))
    except (ArgumentError, DataError, DfError, TooLargeError) as error:
        return f"the model without it cannot be fitted: {error}"


def features(fitted: Fitted, part: of_terms.Part) -> np.ndarray:
    """(n, q) features Z of the process that a network is of its covariates, at the rows of the fit."""
    codes = {row for tower in fitted.network.towers for row in tower.codes}
    rows = []
    for row in part.rows:
        values = fitted.design.x[row]
        rows += list(np.equal.outer(np.unique(values), values).astype(float)) if row in codes else [values]
    inputs = np.array(rows)
    spread = SPREAD / np.sqrt(len(inputs))
    v = np.concatenate([np.full((1, inputs.shape[1]), SPREAD), spread * inputs])
    some = v[:, np.unique(np.linspace(0, v.shape[1] - 1, LANDMARKS).astype(int))]
    among, values = _arcsine(some, some), _arcsine(v, some)
    size, turn = np.linalg.eigh(among)
    there = size > LOST * size.max()
    return values @ (turn[:, there] / np.sqrt(size[there]))


def flatter(z: np.ndarray) -> np.ndarray:
    """Features whose covariance is a power of that of features (n, q); see `FLATTER`."""
    u, s, _ = np.linalg.svd(z, full_matrices=False)
    there = s**2 > LOST * s[0] ** 2
    return u[:, there] * s[there] ** FLATTER


def _arcsine(u: np.ndarray, v: np.ndarray) -> np.ndarray:
    """(m, k) covariance of a network of many sigmoid units between inputs (D, m) and (D, k), scaled by their weights."""
    sizes = np.outer(1 + 2 * np.sum(u**2, axis=0), 1 + 2 * np.sum(v**2, axis=0))
    return 2 / np.pi * np.arcsin(np.clip(2 * u.T @ v / np.sqrt(sizes), -1.0, 1.0))


def _without(fitted: Fitted, b: int, part: of_terms.Part) -> mixed.Problem:
    """The model without a network, and with the others as processes."""
    made = exact_terms.problem_of(fitted.procedure, fitted.data, b)
    direct = exact_fit.direct_inputs(fitted)
    dense = exact_terms.dense_rows(fitted.procedure)
    kept = [0, *(1 + k for k, row in enumerate(dense) if row in direct)]
    place = {column: k for k, column in enumerate(kept)}
    penalties = [replace(p, columns=np.array([place[c] for c in p.columns])) for p in made.penalties]
    columns = [made.x[:, kept]]
    for other in of_terms.parts(fitted):
        if other.kind == "network" and other.term != part.term:
            z = features(fitted, other)
            first = sum(c.shape[1] for c in columns)
            penalties.append(mixed.Penalised(other.term, np.arange(first, first + z.shape[1]), np.ones(z.shape[1])))
            columns.append(z - z.mean(axis=0))
    return replace(made, x=np.concatenate(columns, axis=1), penalties=tuple(penalties))


def _score_test(problem: mixed.Problem, solution: mixed.Solution, z: np.ndarray) -> Test:
    family, eta = problem.family, solution.fitted_predictor
    mean, slope = family.link.inverse(eta), family.link.inverse_deriv(eta)
    weight = np.ones(len(eta)) if problem.weights is None else problem.weights
    precision = weight * slope**2 / family.variance(mean)
    pull = weight * slope * (problem.y - mean) / family.variance(mean)  # W r
    x, penalty = _columns(problem, solution)
    root = np.sqrt(precision)[:, np.newaxis]
    wx, wz = root * x, root * z
    matrix = wx.T @ wx + np.diag(penalty)
    m = wz.T @ wz - (wz.T @ wx) @ np.linalg.solve(matrix, wx.T @ wz)
    values = np.linalg.eigvalsh((m + m.T) / 2)
    values = values[values > LOST * values.max()]
    u = z.T @ pull
    phi, free = float(solution.scale), int(np.sum(penalty == 0))
    total = float(u @ u) / phi
    n = int(np.sum(weight > 0))
    rank, scale = values.sum() ** 2 / np.sum(values**2), values.sum() / np.sum(values**2)
    if not family.dispersed:
        p = chi2_sum_sf(total, values)
    elif family.kin == "gaussian" and n - free > values.size:
        share = total / (n - free)  # phi is the penalised sum of squares over n - free, of which T is a part
        p = chi2_sum_sf(0.0, np.append(values - share, -share), np.append(np.ones(values.size), n - free - values.size))
    else:
        p = f_sum_sf(total, values, 1.0, n - float(solution.edf.sum() + solution.edf_random.sum()))
    return Test(total * scale, float(rank), p)


def _columns(problem: mixed.Problem, solution: mixed.Solution) -> tuple[np.ndarray, np.ndarray]:
    """(n, P) columns of all weights, and their penalties (P,)."""
    penalty = np.zeros(problem.x.shape[1])
    for term, lam in zip(problem.penalties, solution.strengths, strict=True):
        penalty[term.columns] += lam * term.diagonal
    columns, held = [problem.x], [penalty]
    for random, covariance in zip(problem.randoms, solution.covariances, strict=True):
        for r in range(random.size):
            variance = float(covariance[r, r])
            if variance <= 0:
                continue
            column = np.zeros((len(problem.y), random.levels))
            column[np.arange(len(problem.y)), random.codes] = random.z[r]
            columns.append(column)
            held.append(np.full(random.levels, solution.scale / variance))
    return np.concatenate(columns, axis=1), np.concatenate(held)
