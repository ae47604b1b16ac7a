"""A problem as the engine has it: columns without penalty made orthogonal, effects scaled, strengths in one vector."""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property

import numpy as np

from ..errors import DataError
from ..families.null import null_means
from .columns import Rows, Term
from .curvature import Response
from .problem import Problem

LEAST, MOST = 1e-4, 1e6  # relative standard deviations, in units in which a level has unit information on average
WEAKEST, STRONGEST = 1e-9, 1e9  # strengths, relative to the ratios of information and penalty of a term's columns
ALIASED = 1e-10  # part of a column that the others leave unexplained


@dataclass(frozen=True)
class Prepared:
    """What is computed with.

    Attributes
    ----------
    problem : Problem
    rows : Rows
        Penalised columns first, then those without penalty, orthogonal and with unit mean square.
    order : (p,) int array
        Position in beta of each column.
    triangle : (p0, p0) array
        Upper R of x = Q R over the p0 columns without penalty.
    response : Response
        Rows of positive weight; the weights of families with a dispersion have mean 1.
    offset : (n,) array
    mean_weight : float
        What these weights were divided by.
    diagonals : (G, p) array
        Penalty diagonals in the order of `rows.x`.
    scales : list of (R,) arrays
        What rows of z were divided by.
    ratios : (G, 2) array
        Smallest and largest ratio of information and penalty of a penalty's columns.
    start : (n,) array
        Linear predictor of the model with a constant only.
    """

    problem: Problem
    rows: Rows
    order: np.ndarray
    triangle: np.ndarray
    response: Response
    offset: np.ndarray
    mean_weight: float
    diagonals: np.ndarray
    scales: list[np.ndarray]
    ratios: np.ndarray
    start: np.ndarray

    @property
    def free(self) -> int:
        """Columns without penalty."""
        return len(self.triangle)

    @property
    def penalised(self) -> int:
        """Columns with one."""
        return self.rows.x.shape[1] - self.free

    @property
    def is_linear(self) -> bool:
        """Whether the model is linear with normal errors."""
        return self.problem.family.kin == "gaussian" and self.problem.family.link.name == "identity"

    @cached_property
    def log_triangle(self) -> float:
        """log |R|."""
        return float(np.sum(np.log(np.abs(np.diag(self.triangle)))))

    @cached_property
    def back(self) -> np.ndarray:
        """(p, p) matrix that gives beta from coefficients of `rows.x`."""
        from scipy import linalg

        p, q = len(self.order), self.penalised
        out = np.zeros((p, p))
        out[self.order[:q], np.arange(q)] = 1.0
        if self.free:
            out[np.ix_(self.order[q:], np.arange(q, p))] = linalg.solve_triangular(self.triangle, np.eye(self.free))
        return out


def prepare(problem: Problem) -> Prepared:
    """Bring a problem into the engine's form.

    Raises
    ------
    DataError
        Where a column without penalty is a linear combination of the others, where there are as many as rows, or where they
        give normal responses exactly.
    """
    kept = problem.kept
    x, y = problem.x[kept], problem.y[kept]
    n, p = x.shape
    case = np.ones(n) if problem.weights is None else problem.weights[kept]
    mean_weight = float(case.mean()) if problem.family.dispersed else 1.0
    case = case / mean_weight
    offset = np.zeros(n) if problem.offset is None else problem.offset[kept]
    diagonals = np.zeros((len(problem.penalties), p))
    for g, penalty in enumerate(problem.penalties):
        if problem.fixed.get(penalty.name) != 0:
            diagonals[g, penalty.columns] = penalty.diagonal
    bare = ~np.any(diagonals > 0, axis=0)
    order = np.concatenate([np.flatnonzero(~bare), np.flatnonzero(bare)])
    if problem.family.dispersed and n <= bare.sum():
        raise DataError(f"{n} rows and {bare.sum()} columns without penalty leave no degrees of freedom for the dispersion.")
    q, triangle = _orthonormal(x[:, bare], np.flatnonzero(bare))
    if problem.family.kin == "gaussian" and problem.family.link.name == "identity":
        left = y - offset
        rest = left - q @ (q.T @ left) / n if q.shape[1] else left
        if np.abs(rest).max() <= 1e-13 * np.abs(left).max():
            raise DataError("y is fitted exactly by the columns without penalty, so that the dispersion is 0.")
    start = _null_predictor(problem, y, case, offset)
    response = Response(problem.family, y, case)
    weight = response.expected(start)
    x = np.ascontiguousarray(np.concatenate([x[:, ~bare], q], axis=1))
    terms, scales = [], []
    for term in problem.randoms:
        codes, z = term.codes[kept], term.z[:, kept]
        seen = len(np.unique(codes))
        scale = np.sqrt(np.square(z) @ weight / seen)
        if not np.all(scale > 0):
            raise DataError(f"random term {term.name!r}: a row of z is 0 wherever weights are positive.")
        scales.append(scale)
        terms.append(Term(term.name, codes, term.levels, z / scale[:, np.newaxis], term.correlated))
    diagonals = diagonals[:, order]
    information = np.square(x).T @ weight
    ratios = np.array([_ratios(information, d) for d in diagonals]).reshape(-1, 2)
    return Prepared(problem, Rows(x, tuple(terms)), order, triangle, response, offset, mean_weight, diagonals, scales,
                    ratios, start)  # fmt: skip


def _ratios(information: np.ndarray, diagonal: np.ndarray) -> tuple[float, float]:
    """Smallest and largest ratio of information and penalty over the columns that have both."""
    some = (diagonal > 0) & (information > 0)
    found = information[some] / diagonal[some]
    return (float(found.min()), float(found.max())) if len(found) else (1.0, 1.0)


def _orthonormal(x: np.ndarray, names: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Q with Q'Q = n I and R of x = Q R."""
    from scipy import linalg

    n, p = x.shape
    if p == 0:
        return x, np.zeros((0, 0))
    if p > n:
        raise DataError(f"{p} columns without penalty need at least as many rows; there are {n}.")
    length = np.sqrt(np.square(x).sum(axis=0))
    if np.any(length == 0):
        raise DataError(f"column {names[length == 0][0]} of x is 0 throughout.")
    q, r = linalg.qr(x / length, mode="economic", check_finite=False)
    lost = np.abs(np.diag(r)) < ALIASED
    if np.any(lost):
        raise DataError(f"column {names[lost][0]} of x is a linear combination of the columns before it.")
    return q * np.sqrt(n), r * length / np.sqrt(n)


def _null_predictor(problem: Problem, y: np.ndarray, case: np.ndarray, offset: np.ndarray) -> np.ndarray:
    """(n,) linear predictor of a constant mean; beside the offset where there is one."""
    family = problem.family
    low, high = family.means
    mean = float(y @ case / case.sum())
    if not low < mean < high:  # responses are all at one end of the range of means
        mean = float((y @ case + 0.5) / (case.sum() + 1))
        return np.full(len(y), float(family.link(mean)))
    if np.any(offset):
        return np.asarray(family.link(null_means(family, y[np.newaxis], case, offset[np.newaxis])[0]), dtype=float)
    return np.full(len(y), float(family.link(mean)))


class Layout:
    """Strengths and covariance factors as one vector.

    The logarithm of each estimated strength, then of each estimated random term the lower triangle of Lambda by rows (its
    diagonal alone where effects are uncorrelated), in the units of `Prepared`.
    """

    def __init__(self, prepared: Prepared) -> None:
        problem = prepared.problem
        self.fixed = np.array([problem.fixed.get(t.name, np.nan) for t in problem.penalties]) / prepared.mean_weight
        self.estimated = np.flatnonzero(np.isnan(self.fixed))
        self.given: list[np.ndarray | None] = []
        self.places: list[tuple[np.ndarray, np.ndarray]] = []
        for term, scale in zip(problem.randoms, prepared.scales):
            strength = problem.fixed.get(term.name)
            self.given.append(None if strength is None else np.diag(scale) / np.sqrt(strength / prepared.mean_weight))
            r = term.size
            if strength is not None:
                self.places.append((np.zeros(0, dtype=int), np.zeros(0, dtype=int)))
            else:
                self.places.append(np.tril_indices(r) if term.correlated else (np.arange(r), np.arange(r)))
        self.sizes = [term.size for term in problem.randoms]
        ratios = prepared.ratios[self.estimated]
        lower, upper = [np.log(ratios[:, 0] * WEAKEST)], [np.log(ratios[:, 1] * STRONGEST)]
        for i, j in self.places:
            lower.append(np.where(i == j, LEAST, -np.inf))
            upper.append(np.where(i == j, MOST, np.inf))
        self.lower, self.upper = np.concatenate(lower), np.concatenate(upper)
        self.count = len(self.lower)
        self.logs = np.arange(self.count) < len(self.estimated)
        self.diagonal = np.concatenate([np.zeros(len(self.estimated), dtype=bool), *(i == j for i, j in self.places)])

    def unpack(self, theta: np.ndarray) -> tuple[np.ndarray, list[np.ndarray]]:
        """Strengths (G,) and factors."""
        strengths = self.fixed.copy()
        strengths[self.estimated] = np.exp(theta[: len(self.estimated)])
        factors, at = [], len(self.estimated)
        for given, (i, j), r in zip(self.given, self.places, self.sizes):
            factor = np.zeros((r, r)) if given is None else given
            factor[i, j] = theta[at : at + len(i)]
            factors.append(factor)
            at += len(i)
        return strengths, factors

    def pack(self, strengths: np.ndarray, factors: list[np.ndarray]) -> np.ndarray:
        """The vector of what stands beside strengths (G,) and factors (as of gradients)."""
        return np.concatenate([strengths[self.estimated], *(f[i, j] for f, (i, j) in zip(factors, self.places))])
