"""What models give back, and the leverages of a stack of fits."""

from __future__ import annotations

import inspect
from collections.abc import Sequence
from dataclasses import dataclass, replace
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
    new : (T, m) array, optional
        Fitted values at new covariates, where they were asked for.
    theta : (T, P) array, optional
        Weights of the fits, where they are those of one network.
    """

    fitted: np.ndarray
    df: np.ndarray
    leverage: np.ndarray | None
    status: list[str]
    networks: int = 0
    new: np.ndarray | None = None
    theta: np.ndarray | None = None


class Spec:
    """A model of a study that holds others."""


class Prepared(Protocol):
    """A model on a design."""

    def fit(
        self,
        y: np.ndarray,
        seeds: Sequence[np.random.SeedSequence],
        rows: Sequence[np.ndarray] | None = None,
        local: bool = True,
        new: np.ndarray | None = None,
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
        new : (m, D) array, optional
            Covariates at which fitted values are wanted, too.
        """
        ...


class Fitter:
    """A model on the designs of some replicates, one for all or one for each.

    Parameters
    ----------
    model : model
    designs : list of (n, D) arrays
    columns : tuple of str
    restarts : int
    """

    def __init__(self, model: Any, designs: Sequence[np.ndarray], columns: tuple[str, ...], restarts: int) -> None:
        self.model, self.designs, self.columns, self.restarts = model, list(designs), columns, restarts
        self._prepared: dict[int, Any] = {}

    def prepared(self, design: int) -> Any:
        """The model on a design; made when it is first asked for."""
        if design not in self._prepared:
            self._prepared[design] = self.model.prepare(self.designs[design], self.columns, self.restarts)
        return self._prepared[design]

    def fit(
        self,
        y: np.ndarray,
        seeds: Sequence[np.random.SeedSequence],
        rows: Sequence[np.ndarray] | None = None,
        local: bool = True,
        owner: np.ndarray | None = None,
        new: Sequence[np.ndarray] | None = None,
        start: np.ndarray | None = None,
    ) -> Fits:
        """Fit T responses; see `Prepared`.

        Parameters
        ----------
        owner : (T,) int array, optional
            The design of each response, where there are several.
        new : list of (m, D) arrays, optional
            By design.
        start : (T, P) array, optional
            Weights that networks begin with, one a response; others begin as ever.
        """
        several = getattr(self.prepared(0), "fit_several", None)
        if several is not None and (len(self.designs) > 1 or start is not None):  # as one stack
            assert owner is not None
            designs = None if len(self.designs) == 1 else [self.designs[k] for k in owner]
            fresh = None if new is None else [new[k if designs else 0] for k in owner]
            return several(y, seeds, rows, local, designs, fresh, start)
        if len(self.designs) == 1:
            return self._one(0, y, seeds, rows, local, None if new is None else new[0])
        assert owner is not None
        parts: list[Fits] = []
        order: list[int] = []
        for k in dict.fromkeys(owner.tolist()):
            at = np.flatnonzero(owner == k).tolist()
            some = None if rows is None else [rows[t] for t in at]
            parts.append(self._one(k, y[at], [seeds[t] for t in at], some, local, None if new is None else new[k]))
            order += at
        return joined(parts, np.array(order))

    def _one(self, k: int, y: np.ndarray, seeds: Any, rows: Any, local: bool, new: np.ndarray | None) -> Fits:
        """Fits on one design. A user's own model need not know of new covariates: they are then rows that no fit sees."""
        prepared = self.prepared(k)
        if new is None:
            return prepared.fit(y, seeds, rows, local)
        if "new" in inspect.signature(prepared.fit).parameters:
            return prepared.fit(y, seeds, rows, local, new=new)
        fits = prepared.fit(y, seeds, rows, local)
        whole = self.model.prepare(np.concatenate([self.designs[k], new]), self.columns, self.restarts)
        padded = np.concatenate([y, np.zeros((len(y), len(new)))], axis=1)
        seen = [np.arange(y.shape[1])] * len(y) if rows is None else rows
        again = whole.fit(padded, seeds, seen, False)
        return replace(fits, new=again.fitted[:, y.shape[1] :], networks=fits.networks + again.networks)


def joined(parts: Sequence[Fits], order: np.ndarray | None = None) -> Fits:
    """Fits one after the other; `order` says which of all they are."""
    if len(parts) == 1 and order is None:
        return parts[0]
    back = slice(None) if order is None else np.argsort(order)

    def arrays(name: str) -> Any:
        values = [getattr(part, name) for part in parts]
        return None if any(v is None for v in values) else np.concatenate(values)[back]

    status = np.array([s for part in parts for s in part.status], dtype=object)[back].tolist()
    networks = sum(p.networks for p in parts)
    return Fits(arrays("fitted"), arrays("df"), arrays("leverage"), status, networks, arrays("new"), arrays("theta"))


def one_by_one(fit: Any, y: np.ndarray, *, trace: np.ndarray | None = None, new: int | None = None) -> Fits:
    """Fits by ``fit(t) -> (fitted, df)``, each on its own: what raises is recorded, and does not stop the others.

    Parameters
    ----------
    fit : callable
        Where `new` is given, its fitted values go on with those at so many new covariates.
    y : (T, n) array
    trace : (n,) array, optional
        Leverages that all fits share.
    new : int, optional
    """
    n, m = y.shape[1], 0 if new is None else new
    fitted, df = np.full((y.shape[0], n + m), np.nan), np.full(y.shape[0], np.nan)
    status = []
    for t in range(y.shape[0]):
        try:
            values, df[t] = fit(t)
            values = np.asarray(values, dtype=float).reshape(-1)
            if values.size != n + m:
                raise ValueError(f"predict gave {values.size} values for {n + m} observations")
            fitted[t] = values
            status.append(OK if np.isfinite(fitted[t, :n]).all() else NOT_FINITE)
        except Exception as error:
            status.append(failure(error))
    leverage = None if trace is None else np.tile(trace, (y.shape[0], 1))
    return Fits(fitted[:, :n], df, leverage, status, new=None if new is None else fitted[:, n:])


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
