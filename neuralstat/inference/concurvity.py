"""Concurvity: how far the terms of a fit can be made from one another, as collinearity of functions.

References
----------
Buja, Hastie & Tibshirani (1989), Annals of Statistics 17:453. Wood, R package mgcv, ``concurvity``.
"""

from __future__ import annotations

import numpy as np
import pandas as pd

from ..checks.arguments import FLAG, REP, arguments
from ..df import exact_fit
from ..errors import ArgumentError
from ..fitted import Fitted, fitted_of
from ..network import blocks
from ..training.structured import rows_of, state_of
from .term_parts import Part, parts

CONSTANT = "para"
MEASURES = ("worst", "observed", "estimate")
RCOND = 1e-10  # singular values, relative to the largest, of directions that columns have


@arguments(full=FLAG, rep=REP)
def concurvity(fit: object, full: bool = True, rep: object = "best") -> pd.DataFrame:
    """How much of each term the other terms could be, from 0 (nothing) to 1 (all of it).

    Each term is a space of functions at the rows of the fit, f = g + h, g in the space of the other terms and h what is
    beyond it. "worst" is the largest |g|^2 / |f|^2 among the term's functions, "observed" that of its estimate, "estimate"
    the ratio of the sums of squares over the functions of its basis. As mgcv's ``concurvity``: columns are not weighted, and
    the constant with the linear terms is one term, "para". Of a network the space is that of first-order changes of its
    weights.

    Parameters
    ----------
    fit : NeuralNetResults or Fitted
    full : bool
        Against all other terms; else against each.
    rep : int or "best"

    Returns
    -------
    DataFrame
        Full: a row per measure and a column per term. Else rows (measure, term) and a column per term: how much of the
        column's term the row's can be.

    Raises
    ------
    ArgumentError
        Where the formula has no term besides linear ones; of several outputs; where random terms have too many levels.
    """
    fitted = fitted_of(fit)
    b = fitted.which(rep)
    blocks = _columns(fitted, b)
    names = list(blocks)
    if full:
        out = {name: _measures(*blocks[name], np.concatenate([blocks[n][0] for n in names if n != name], axis=1))
               for name in names}  # fmt: skip
        return pd.DataFrame(out, index=list(MEASURES))
    found = np.ones((len(MEASURES), len(names), len(names)))
    for i, one in enumerate(names):
        for j, other in enumerate(names):
            if i != j:
                found[:, j, i] = _measures(*blocks[one], blocks[other][0])
    index = pd.MultiIndex.from_product([MEASURES, names], names=["measure", "term"])
    return pd.DataFrame(found.reshape(-1, len(names)), index, names)


def _columns(fitted: Fitted, b: int) -> dict[str, tuple[np.ndarray, np.ndarray]]:
    """By term its columns, turned to (at most P, q), and weights (q,)."""
    if fitted.network.n_outputs > 1:
        raise ArgumentError("concurvity is of the terms of one output.")
    if exact_fit.large(fitted):
        raise ArgumentError(f"concurvity takes matrices of all {fitted.k_params:,} weights, which are too many.")
    found = [part for part in parts(fitted) if part.index.size]
    if not any(part.kind != "linear" for part in found):
        raise ArgumentError("concurvity is of smooth, random and network terms, of which the formula has none.")
    theta = fitted.fit.theta[b].astype(float)
    # lengths and angles of columns are those of the triangle's
    jacobian = blocks.triangle(own[0] for _, own in blocks.jacobians(fitted.network, fitted.data, theta))
    used = fitted.fit.free[0]
    linear = np.concatenate([exact_fit.output_block(fitted)[0, :1], *(p.index for p in found if p.kind == "linear")])
    linear = linear[used[linear]]
    out = {CONSTANT: (jacobian[:, linear], theta[linear])} if linear.size else {}
    for part in found:
        if part.kind != "linear":
            turn = _as_coefficients(fitted, part)
            out[part.term] = (jacobian[:, part.index] @ turn, np.linalg.solve(turn, _weights(fitted, part, theta)))
    return out


def _weights(fitted: Fitted, part: Part, theta: np.ndarray) -> np.ndarray:
    """The term's function as a combination of its columns: of a network by the weights into the output, which are linear."""
    inside = part.index < fitted.network.slices[-1].start
    return np.where(inside if part.kind == "network" else False, 0.0, theta[part.index])


def _as_coefficients(fitted: Fitted, part: Part) -> np.ndarray:
    """(q, q) matrix that turns columns of a smooth into those of its basis under the constraint that it sums to 0.

    With orthonormal coefficients of that basis, values at knots for "cr", as in mgcv: "estimate" depends on it.
    """
    if part.kind != "smooth" or part.special is None:
        return np.eye(part.index.size)
    state, rows = state_of(fitted.design, part.special.exprs[0]), rows_of(fitted.design, part.special.exprs[0])
    if part.index.size < len(rows) // (1 if "margins" in state else len(state["coefs"])):  # without what others say already
        return np.eye(part.index.size)
    if "margins" in state:
        count = len(state["means"])
        means, sds = np.array(state["means"]), np.array(state["sds"])
        gram = (np.eye(count) + (count + 1) * np.outer(means, means)) / np.outer(sds, sds)
        return np.asarray(np.linalg.inv(np.linalg.cholesky(gram).T))
    coefs = np.array(state["coefs"][(int(part.rows[0]) - rows[0]) // part.index.size])
    return np.asarray(np.linalg.inv(np.linalg.qr(coefs, mode="r")))


def _measures(columns: np.ndarray, weights: np.ndarray, others: np.ndarray) -> list[float]:
    basis = _basis(others)
    inside = basis.T @ columns
    q = _basis(columns)
    worst = float(np.linalg.svd(basis.T @ q, compute_uv=False)[0] ** 2) if basis.size and q.size else 0.0
    whole = columns @ weights
    size, total = float(whole @ whole), float(np.sum(columns**2))
    observed = float(np.sum((inside @ weights) ** 2)) / size if size > 0 else np.nan
    return [min(worst, 1.0), min(observed, 1.0), min(float(np.sum(inside**2)) / total, 1.0) if total > 0 else np.nan]


def _basis(columns: np.ndarray) -> np.ndarray:
    """(n, r) orthonormal columns of the same space."""
    left, size, _ = np.linalg.svd(columns, full_matrices=False)
    return left[:, size > RCOND * size[0]] if size.size and size[0] > 0 else left[:, :0]
