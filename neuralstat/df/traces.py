"""Degrees of freedom of a sum of products, where the rows that it is of are on a cluster."""

from __future__ import annotations

import numpy as np

from ..errors import DfError
from .roots import DEFINITE, indefinite
from .value import DegreesOfFreedom

ROUNDING = 1e-13  # of R'R scaled to a unit diagonal: smaller eigenvalues are rounding


def of_sums(matrix: np.ndarray, d: np.ndarray, regular: int) -> DegreesOfFreedom:
    """Gauss-Newton trace tr(A (A + D)^-1) of A = R'R alone, whose eigenvalues have half the digits of R's.

    Parameters
    ----------
    matrix : (F, F) array
    d : (F,) array
        Diagonal of D.
    regular : int
        The rank that a regular fit has.

    Raises
    ------
    DfError
        Where D has negative elements and A + D is not positive definite.
    """
    size = np.sqrt(np.maximum(np.diag(matrix), 0.0))
    seen = size > 1e-10 * size.max(initial=0.0)
    unit = np.where(seen, size, 1.0)
    values = np.linalg.eigvalsh((matrix / np.outer(unit, unit))[np.ix_(seen, seen)])
    found = int(np.sum(values > ROUNDING * values.max(initial=0.0)))
    value = float(found)
    if np.any(d != 0):
        whole = matrix + np.diag(d)
        root = np.sqrt(np.where(np.diag(whole) > 0, np.diag(whole), 1.0))
        values, vectors = np.linalg.eigh(whole / np.outer(root, root))
        if np.any(d < 0) and values[0] <= DEFINITE * values[-1]:
            raise DfError(indefinite("the Gauss-Newton matrix with the curvature of the penalty", values[0]))
        keep = values > ROUNDING * values[-1]
        half = vectors[:, keep] / np.sqrt(values[keep])
        value = float(np.sum(half * ((matrix / np.outer(root, root)) @ half)))
    lacks = (f"the Jacobian has rank {found} for {regular} weights: some weights are redundant here",)
    return DegreesOfFreedom(value, "jacobian", notes=lacks if found < regular else (), details={"rank": found})


def rise(matrix: np.ndarray, gradient: np.ndarray) -> float:
    """g' A^+ g of a symmetric matrix (F, F) that is not negative, and a gradient (F,)."""
    size = np.sqrt(np.maximum(np.diag(matrix), 0.0))
    keep = size > 1e-10 * size.max(initial=0.0)
    if not keep.any():
        return 0.0
    values, vectors = np.linalg.eigh((matrix[np.ix_(keep, keep)]) / np.outer(size[keep], size[keep]))
    held = values > ROUNDING * values.max()
    return float(np.sum(((gradient[keep] / size[keep]) @ vectors[:, held]) ** 2 / values[held]))
