"""Gaussian penalised regression by dense REML, as plain formulas: the oracle of smooths, random effects and their solvers.

y = X beta + noise, noise of variance phi / weight; the weights beta have the penalty sum_g lam_g sum_j d_gj beta_j^2 / 2,
which is beta_j normal with variance phi / S_jj where S = sum_g lam_g diag(d_g) is positive, and flat where it is 0. With
D(lam) = min (sum w (y - X beta)^2 + beta' S beta), M the number of flat weights and phi = D / (n - M), minus twice the log
of the restricted likelihood is

    (n - M) (1 + log(2 pi phi)) - sum log w + log |X'WX + S| - log |S|_+

(Patterson & Thompson 1971; Wood 2011, JRSS B 73:3, where it holds exactly, since the model is linear). It is minimised over
log(lam) by quasi-Newton steps with its gradient.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from scipy.linalg import cho_factor, cho_solve
from scipy.optimize import minimize

FAR = 25.0  # log strengths may go this far from where penalty and data weigh the same


@dataclass(frozen=True)
class Reml:
    """What the strengths that minimise the criterion give.

    Attributes
    ----------
    strengths : ndarray, shape (G,)
    beta : ndarray, shape (P,)
    phi : float
        Variance of the noise.
    edf : ndarray, shape (P,)
        Diagonal of (X'WX + S)^-1 X'WX; sums over a term's columns are its degrees of freedom.
    covariance : ndarray, shape (P, P)
        Bayesian: phi (X'WX + S)^-1.
    fitted : ndarray, shape (n,)
    criterion : float
        Minus the log of the restricted likelihood; what mgcv calls the REML score.
    """

    strengths: np.ndarray
    beta: np.ndarray
    phi: float
    edf: np.ndarray
    covariance: np.ndarray
    fitted: np.ndarray
    criterion: float


def full_diagonals(p: int, groups: Sequence[tuple[Sequence[int], Sequence[float]]]) -> np.ndarray:
    """Diagonals (G, P) of penalties given as pairs of positions and entries."""
    made = np.zeros((len(groups), p))
    for row, (index, entries) in zip(made, groups, strict=True):
        row[np.asarray(index, dtype=int)] = entries
    return made


def at(log_strengths, x, y, diagonals, weights=None):
    """The criterion (minus the restricted log-likelihood), its gradient by log(lam), and all that it is made of."""
    lam = np.exp(np.asarray(log_strengths, dtype=float))
    w = np.ones(len(y)) if weights is None else np.asarray(weights, dtype=float)
    total = lam @ diagonals if len(lam) else np.zeros(x.shape[1])
    proper = total > 0
    free = len(y) - int((~proper).sum())
    gram = (x * w[:, None]).T @ x
    factor = cho_factor(gram + np.diag(total), lower=True)
    inverse = cho_solve(factor, np.eye(len(total)))
    beta = cho_solve(factor, x.T @ (w * y))
    residual = y - x @ beta
    squares = float(w @ residual**2 + total @ beta**2)
    phi = squares / free
    value = 0.5 * (
        free * (1 + np.log(2 * np.pi * phi)) - np.log(w[w > 0]).sum() + 2 * np.log(np.diag(factor[0])).sum()
        - np.log(total[proper]).sum()
    )  # fmt: skip
    gradient = np.array([
        0.5 * strength * (d @ beta**2 / phi + d @ np.diag(inverse) - (d[proper] / total[proper]).sum())
        for strength, d in zip(lam, diagonals, strict=True)
    ])  # fmt: skip
    return value, gradient, Reml(lam, beta, phi, np.diag(inverse @ gram), phi * inverse, x @ beta, value)


def fit(x, y, diagonals, weights=None) -> Reml:
    """Minimise the criterion over the strengths.

    Parameters
    ----------
    x : ndarray, shape (n, P)
        All columns, the intercept's too.
    y : ndarray, shape (n,)
    diagonals : ndarray, shape (G, P)
        Row g is d_g; zero where a weight is not of the group.
    weights : ndarray, shape (n,), optional
        Precision weights, all positive.
    """
    x, y, diagonals = (np.asarray(a, dtype=float) for a in (x, y, diagonals))
    diagonals = diagonals.reshape(-1, x.shape[1])
    if not len(diagonals):
        return at([], x, y, diagonals, weights)[2]
    w = np.ones(len(y)) if weights is None else np.asarray(weights, dtype=float)
    squares = w @ x**2
    even = np.array([np.log(squares[d > 0].sum() / d[d > 0].sum()) for d in diagonals])

    def objective(rho):
        value, gradient, _ = at(rho, x, y, diagonals, weights)
        return value, gradient

    bounds = [(e - FAR, e + FAR) for e in even]
    options = {"ftol": 1e-15, "gtol": 1e-9, "maxiter": 1000, "maxcor": 30}
    found = [
        minimize(objective, even + shift, jac=True, method="L-BFGS-B", bounds=bounds, options=options)
        for shift in (-4.0, 0.0, 4.0)
    ]
    best = min(found, key=lambda result: result.fun)
    return at(best.x, x, y, diagonals, weights)[2]
