"""The mode of coefficients and random effects at given strengths: penalised iteratively reweighted least squares.

Newton's method on half the deviance and penalties, with Fisher's weights where the observed ones make no positive definite
matrix; a step that does not lower the objective is halved.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from ..errors import DataError
from .columns import Moments, Rows
from .normal import Factor
from .prepared import Prepared

STEPS, HALVINGS = 100, 40


@dataclass(frozen=True)
class Mode:
    """Where the penalised likelihood is largest.

    Attributes
    ----------
    beta : (p,) array
        Coefficients of the inner rows' columns.
    effects : list of (levels, R) arrays
        u, with b = u Lambda'.
    eta, score : (n,) arrays
    deviance, penalty : float
    factor : Factor
        Of the normal matrix at the mode.
    fisher : bool
        Whether its weights are Fisher's.
    steps : int
    """

    beta: np.ndarray
    effects: list[np.ndarray]
    eta: np.ndarray
    score: np.ndarray
    deviance: float
    penalty: float
    factor: Factor
    fisher: bool
    steps: int
    weight: np.ndarray

    @property
    def objective(self) -> float:
        """Deviance and penalties."""
        return self.deviance + self.penalty


class Solver:
    """Finds modes, each from the last one; `offset` and `rows` may hold some coefficients out of it."""

    def __init__(self, prepared: Prepared, rows: Rows, tolerance: float = 1e-13) -> None:
        self.prepared, self.rows, self.tolerance = prepared, rows, tolerance
        self.last: tuple[np.ndarray, list[np.ndarray]] | None = None  # beta, b
        self.kept_moments: Moments | None = None

    def moments(self, weight: np.ndarray) -> Moments:
        """Products of columns; of linear models they are made once."""
        if not self.prepared.is_linear:
            return self.rows.moments(weight)
        if self.kept_moments is None:
            self.kept_moments = self.rows.moments(weight)
        return self.kept_moments

    def find(self, penalty: np.ndarray, factors: list[np.ndarray], offset: np.ndarray) -> Mode:
        """The mode.

        Parameters
        ----------
        penalty : (p,) array
            Diagonal of S.
        factors : list of (R, R) arrays
        offset : (n,) array

        Raises
        ------
        DataError
            Where no start with possible means is found.
        """
        prepared, rows, response = self.prepared, self.rows, self.prepared.response
        beta, effects = self._start(penalty, factors, offset)
        eta = offset + rows.predictor(beta, [u @ f.T for u, f in zip(effects, factors)])
        dev, ridge = response.deviance(eta), _penalty(beta, effects, penalty)
        for step in range(1, STEPS + 1):  # noqa: B007
            score, weight, fisher, factor = self._linearise(eta, penalty, factors)
            gx, gu = self._gradient(score, beta, effects, penalty, factors)
            dx, du = factor.solve(gx, gu)
            gain = float(gx @ dx) + sum(float(np.sum(a * b)) for a, b in zip(gu, du))
            size, found = 1.0, False
            for _ in range(HALVINGS):
                new, new_effects = beta + size * dx, [u + size * d for u, d in zip(effects, du)]
                new_eta = offset + rows.predictor(new, [u @ f.T for u, f in zip(new_effects, factors)])
                new_dev, new_ridge = response.deviance(new_eta), _penalty(new, new_effects, penalty)
                if new_dev + new_ridge <= (dev + ridge) * (1 + 1e-14) + 1e-300:
                    found = True
                    break
                size /= 2
            if found:
                beta, effects, eta, dev, ridge = new, new_effects, new_eta, new_dev, new_ridge
            # the step that was just taken squares the error again
            if not found or prepared.is_linear or gain <= self.tolerance * (1 + abs(dev + ridge)):
                break
        if not prepared.is_linear:
            score, weight, fisher, factor = self._linearise(eta, penalty, factors)
        else:
            score = prepared.response.score(eta)
        self.last = beta, [u @ f.T for u, f in zip(effects, factors)]
        return Mode(beta, effects, eta, score, dev, ridge, factor, fisher, step, weight)

    def _gradient(
        self, score: np.ndarray, beta: np.ndarray, effects: list[np.ndarray], penalty: np.ndarray, factors: list[np.ndarray]
    ) -> tuple[np.ndarray, list[np.ndarray]]:
        """Uphill direction of minus half the objective."""
        sx, sz = self.rows.products(score)
        return sx - penalty * beta, [z @ f - u for z, f, u in zip(sz, factors, effects)]

    def _linearise(
        self, eta: np.ndarray, penalty: np.ndarray, factors: list[np.ndarray]
    ) -> tuple[np.ndarray, np.ndarray, bool, Factor]:
        """Scores, weights, whether they are Fisher's, and the factor with them."""
        response = self.prepared.response
        score = response.score(eta)
        fisher = response.family.canonical
        if not fisher:
            weight = response.observed(eta)
            try:
                return score, weight, False, Factor(self.rows, self.moments(weight), penalty, factors)
            except (np.linalg.LinAlgError, ValueError):  # not positive definite here
                fisher = True
        weight = response.expected(eta)
        try:
            return score, weight, fisher, Factor(self.rows, self.moments(weight), penalty, factors)
        except (np.linalg.LinAlgError, ValueError):
            raise DataError(
                "the coefficients are not determined: weighted columns of x and of the random terms are linearly dependent."
            ) from None

    def _start(
        self, penalty: np.ndarray, factors: list[np.ndarray], offset: np.ndarray
    ) -> tuple[np.ndarray, list[np.ndarray]]:
        """Coefficients and effects with possible means: those of the last mode, of a constant, of the responses."""
        prepared, rows, response = self.prepared, self.rows, self.prepared.response
        zeros = [np.zeros((t.levels, t.size)) for t in rows.terms]
        tries: list[tuple[np.ndarray, list[np.ndarray]]] = []
        if self.last is not None:
            beta, b = self.last
            tries.append((beta, [_divide(v, f) for v, f in zip(b, factors)]))
        mean_square = np.square(rows.x).sum(axis=0)
        flat = np.zeros(rows.x.shape[1])
        q = slice(prepared.penalised, None)
        flat[q] = rows.x[:, q].T @ (prepared.start - offset) / mean_square[q]
        tries.append((flat, zeros))
        for beta, effects in tries:
            eta = offset + rows.predictor(beta, [u @ f.T for u, f in zip(effects, factors)])
            if np.isfinite(response.deviance(eta)):
                return beta, effects
        weight = response.expected(prepared.start)
        residual = response.score(prepared.start) / np.where(weight > 0, weight, 1.0)
        factor = Factor(rows, rows.moments(weight), penalty, factors)
        sx, sz = rows.products(weight * (prepared.start + residual - offset))
        beta, effects = factor.solve(sx, [z @ f for z, f in zip(sz, factors)])
        eta = offset + rows.predictor(beta, [u @ f.T for u, f in zip(effects, factors)])
        if not np.isfinite(response.deviance(eta)):
            raise DataError(
                f"no coefficients were found at which every mean is possible for {response.family}: "
                "take a link that reaches all means."
            )
        return beta, effects


def _penalty(beta: np.ndarray, effects: list[np.ndarray], penalty: np.ndarray) -> float:
    return float(penalty @ np.square(beta)) + sum(float(np.sum(np.square(u))) for u in effects)


def _divide(b: np.ndarray, factor: np.ndarray) -> np.ndarray:
    """u with b = u Lambda'; 0 where Lambda is singular."""
    if np.any(np.diag(factor) == 0):
        return np.zeros_like(b)
    return np.linalg.solve(factor, b.T).T
