"""The restricted or marginal likelihood of strengths and covariances, with its gradient.

With all of beta integrated over (REML), or those of its entries that are penalised (ML), and u, the Laplace approximation is

    -V = ls(phi) - D / (2 phi) - log |M| / 2 + log |S|+ / 2 + m log(2 pi phi) / 2

where D is deviance and penalties at the mode, ls the log-likelihood of the saturated model, M the normal matrix over what
is integrated over, |S|+ the product of the positive entries of S, and m the number of columns without penalty that are
integrated over (0 for ML). For normal errors it is exact. Wood 2011 (JRSS B 73:3), with Lambda as in Bates et al. 2015.

The gradient: with P = M^-1, log |M| has the derivative tr(P dM) + sum_i P_ii w'_i d eta_i, P_ii = c_i'P c_i, and the mode
moves by -N^-1 d(gradient), N the normal matrix over all that the mode is over.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from .dispersion import Dispersion
from .mode import Mode, Solver
from .prepared import Layout, Prepared


@dataclass(frozen=True)
class State:
    """The criterion at a point: minus the log evidence V, its gradient in theta (and beta), and what it was made from."""

    value: float
    gradient: np.ndarray
    slope_phi: float
    phi: float
    mode: Mode
    strengths: np.ndarray
    factors: list[np.ndarray]


class Criterion:
    """V as a function of theta, and in a joint criterion of the coefficients without penalty as well.

    Parameters
    ----------
    prepared : Prepared
    restricted : bool
        REML; else ML.
    joint : bool
        Whether coefficients without penalty are held out of the mode: arguments are then (theta, beta0).
    """

    def __init__(self, prepared: Prepared, restricted: bool, joint: bool = False) -> None:
        self.prepared, self.joint, self.restricted = prepared, joint, restricted
        self.layout = Layout(prepared)
        self.held = prepared.rows.x[:, prepared.penalised :] if joint else None
        self.solver = Solver(prepared, prepared.rows.without(prepared.free if joint else 0))
        self.columns = prepared.penalised + (prepared.free if restricted else 0)  # integrated over
        self.flat = prepared.free if restricted else 0
        self.dispersion = Dispersion(prepared.problem.family, prepared.response.y, prepared.response.case)
        self.evaluations = 0

    def __call__(self, theta: np.ndarray, beta: np.ndarray | None = None, phi: float | None = None,
                 slopes: bool = True) -> State:  # fmt: skip
        """Evaluate; at the best phi where none is given. Without `slopes` factors may be singular."""
        self.evaluations += 1
        prepared, layout = self.prepared, self.layout
        strengths, factors = layout.unpack(theta)
        q = prepared.penalised
        entries = np.nan_to_num(strengths) @ prepared.diagonals if len(strengths) else np.zeros(prepared.rows.x.shape[1])
        penalty = entries[:q] if self.joint else entries
        offset = prepared.offset if beta is None else prepared.offset + self.held @ beta
        mode = self.solver.find(penalty, factors, offset)
        logdet = mode.factor.logdet(self.columns) + 2 * prepared.log_triangle * (self.flat > 0)
        plus = float(np.sum(np.log(entries[:q])))
        phi = self.dispersion.best(mode.objective, self.flat) if phi is None else phi
        value = mode.objective / (2 * phi) - self.dispersion.saturated(phi) + (logdet - plus) / 2
        value -= self.flat / 2 * np.log(2 * np.pi * phi)
        slope = -mode.objective / (2 * phi) - self.dispersion.slope(phi) - self.flat / 2
        gradient = self._gradient(mode, entries, strengths, factors, phi) if slopes else np.zeros(0)
        return State(float(value), gradient, float(slope), phi, mode, strengths, factors)

    def _gradient(
        self, mode: Mode, entries: np.ndarray, strengths: np.ndarray, factors: list[np.ndarray], phi: float
    ) -> np.ndarray:
        prepared, q = self.prepared, self.prepared.penalised
        factor = mode.factor
        inverse = factor.inverse(self.columns)
        spread = np.diag(inverse)[factor.start :][:q]  # P_jj
        beta = mode.beta[:q]
        sums = factor.block_sums(inverse)
        move_x, moves, pulls = np.zeros(len(mode.beta)), [np.zeros_like(u) for u in mode.effects], None
        gradient_beta = None
        if not prepared.is_linear:
            move_x, moves, pulls, gradient_beta = self._moving(mode, factors, inverse, phi)
        parts = np.zeros(len(strengths))
        for g, diagonal in enumerate(prepared.diagonals):
            own = strengths[g] * diagonal[:q]
            some = own > 0
            parts[g] = 0.5 * float(own[some] @ (np.square(beta[some]) / phi + spread[some] - 1 / entries[:q][some]))
            parts[g] -= 0.5 * float(own @ (move_x[:q] * beta))
        slopes = []
        for k, (u, lam) in enumerate(zip(mode.effects, factors)):
            if self.layout.given[k] is not None:
                slopes.append(np.zeros_like(lam))
                continue
            inner = len(u) * np.eye(u.shape[1]) - sums[k] - u.T @ u / phi + 0.5 * u.T @ moves[k]
            found = np.linalg.solve(lam.T, inner)
            slopes.append(found if pulls is None else found + 0.5 * pulls[k].T @ u)
        out = self.layout.pack(parts, slopes)
        return out if gradient_beta is None else np.concatenate([out, gradient_beta])

    def _moving(
        self, mode: Mode, factors: list[np.ndarray], inverse: np.ndarray, phi: float
    ) -> tuple[np.ndarray, list[np.ndarray], list[np.ndarray], np.ndarray | None]:
        """What log |M| / 2 gains through the mode.

        With t = w' P_ii: v = N^-1 C't over x and over each term, Z'(t - W C v) of each term, and the gradient in
        the coefficients that are held out.
        """
        prepared, rows = self.prepared, self.solver.rows
        terms = rows.terms
        lever = mode.factor.leverages(rows.x[:, : self.columns], [t.codes for t in terms], [t.z for t in terms], inverse)
        pull = prepared.response.slope(mode.eta, mode.fisher) * lever
        tx, tz = rows.products(pull)
        vx, vu = mode.factor.solve(tx, [t @ f for t, f in zip(tz, factors)])
        rest = pull - mode.weight * rows.predictor(vx, [v @ f.T for v, f in zip(vu, factors)])
        _, pulls = rows.products(rest)
        held = None if self.held is None else self.held.T @ (0.5 * rest - mode.score / phi)
        return vx, vu, pulls, held
