"""What models give back, and the leverages of a stack of fits."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, Protocol

import numpy as np

from ..df.information import RCOND

OK = "ok"
NOT_FINITE = "not finite"
NOT_CONVERGED = "not converged"


@dataclass
class Fits:
    """Fits of one model to T responses on one design.

    Attributes
    ----------
    fitted : (T, n) array
        Fitted values at all n points of the design, those left out of the fit too.
    df : (T,) array
        Analytic degrees of freedom; NaN where the model has none.
    leverage : (T, n) array or None
        d fitted_i / d y_i, which add up to `df`.
    status : list of str
        "ok", or what is wrong with a fit.
    networks : int
        Networks trained.
    """

    fitted: np.ndarray
    df: np.ndarray
    leverage: np.ndarray | None
    status: list[str]
    networks: int = 0


class Prepared(Protocol):
    """A model on a design."""

    def fit(
        self,
        y: np.ndarray,
        seeds: Sequence[np.random.SeedSequence],
        rows: Sequence[np.ndarray] | None = None,
        local: bool = True,
    ) -> Fits:
        """Fit T responses.

        Parameters
        ----------
        y : (T, n) array
        seeds : sequence of T SeedSequence
            For what is random in the model, such as start weights.
        rows : sequence of T int arrays, optional
            Observations that each fit sees, repeated ones counting repeatedly; all where not given.
        local : bool
            Whether degrees of freedom are wanted.
        """
        ...


def one_by_one(fit: Any, y: np.ndarray, *, trace: np.ndarray | None = None) -> Fits:
    """Fits by ``fit(t) -> (fitted, df)``, each on its own: what raises is recorded, and does not stop the others.

    Parameters
    ----------
    fit : callable
    y : (T, n) array
    trace : (n,) array, optional
        Leverages that all fits share.
    """
    fitted, df = np.full(y.shape, np.nan), np.full(y.shape[0], np.nan)
    status = []
    for t in range(y.shape[0]):
        try:
            values, df[t] = fit(t)
            values = np.asarray(values, dtype=float).reshape(-1)
            if values.size != y.shape[1]:
                raise ValueError(f"predict gave {values.size} values for {y.shape[1]} observations")
            fitted[t] = values
            status.append(OK if np.isfinite(fitted[t]).all() else NOT_FINITE)
        except Exception as error:
            status.append(failure(error))
    return Fits(fitted, df, None if trace is None else np.tile(trace, (y.shape[0], 1)), status)


def failure(error: BaseException) -> str:
    """Status of a fit that raised."""
    text = " ".join(str(error).split())
    return f"failed: {type(error).__name__}: {text}"[:200]


def leverages(r: np.ndarray, penalty: np.ndarray) -> np.ndarray:
    """Diagonals of R (R'R + D)^+ R' for a stack, as `neuralstat.df.local.leverage` gives them one by one.

    Parameters
    ----------
    r : (T, n, F) array
        Jacobians; columns of zeros are weights that have no part.
    penalty : (T, F) array
        Diagonals of D, not negative.

    Returns
    -------
    (T, n) array
        NaN where the Jacobian is not finite.
    """
    t, n, f = r.shape
    held = np.flatnonzero((penalty > 0).any(axis=0))
    root = np.zeros((t, held.size, f))
    root[:, np.arange(held.size), held] = np.sqrt(penalty[:, held])
    full = np.concatenate([r, root], axis=1)
    size = np.linalg.norm(full, axis=1)
    good = np.isfinite(size).all(axis=1)
    keep = size > 1e-10 * size.max(axis=1, initial=0.0, keepdims=True)
    full = np.where((keep & good[:, np.newaxis])[:, np.newaxis, :], full, 0.0)
    full /= np.where(keep & good[:, np.newaxis], size, 1.0)[:, np.newaxis, :]
    basis, upper = np.linalg.qr(full)
    left, singular, _ = np.linalg.svd(upper, full_matrices=False)
    used = singular > RCOND * singular[:, :1]
    half = basis[:, :n] @ (left * used[:, np.newaxis, :])
    h = np.sum(half**2, axis=2)
    h[~good] = np.nan
    return h
