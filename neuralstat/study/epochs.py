"""Networks that are trained by epochs on designs: every fit is the whole procedure, with its validation rows."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from typing import TYPE_CHECKING, Any

import numpy as np

from ..network import derivatives
from ..seeds import children
from ..training.model import Source, merge_settings
from ..training.procedure import Procedure
from ..training.settings import Settings
from .fits import NOT_CONVERGED, NOT_FINITE, OK, Fits, one_by_one

if TYPE_CHECKING:
    from .nets import Net


class PreparedEpochs:
    """A network on a design, trained by minibatches, fit by fit.

    What such fits stop at is no optimum, so that derivatives say nothing of their degrees of freedom: there are none.

    Parameters
    ----------
    model : Net
    x : (n, D) array
    restarts : int
    """

    def __init__(self, model: Net, x: np.ndarray, restarts: int) -> None:
        self.model, self.x, self.restarts = model, x, restarts
        self.settings = merge_settings(Settings(), {**model.settings, "rep": restarts})

    def fit(
        self,
        y: np.ndarray,
        seeds: Sequence[np.random.SeedSequence],
        rows: Sequence[np.ndarray] | None = None,
        local: bool = True,
        new: np.ndarray | None = None,
    ) -> Fits:
        """Fit T responses; see `fits.Prepared`. Rows go in a random order, so that those set aside for validation are any."""
        del local
        at = self.x if new is None else np.concatenate([self.x, new])
        ended: list[str] = []

        def fit(t: int) -> tuple[np.ndarray, float]:
            order, start = children(seeds[t], 2)
            seen = np.arange(y.shape[1]) if rows is None else rows[t]
            seen = np.random.default_rng(order).permutation(seen)
            fitted, status = self._once(self.x[seen], y[t][seen], start, at)
            ended.append(status)
            return fitted, np.nan

        fits = one_by_one(fit, y, new=None if new is None else len(new))
        said = iter(ended)
        fits.status = [s if s.startswith("failed") else _worse(s, next(said)) for s in fits.status]
        fits.networks = self.restarts * len(y)
        return fits

    def _once(
        self, x: np.ndarray, y: np.ndarray, seeds: np.random.SeedSequence, at: np.ndarray
    ) -> tuple[np.ndarray, str]:
        """Fitted values at covariates (m, D), and how the fit ended."""
        settings = replace(self.settings, random_state=seeds)
        procedure = Procedure.prepare(Source(None, y, x), settings)
        fit = procedure.run_from(procedure.start(), procedure.masks[1])
        finite = np.isfinite(fit.loss) & np.isfinite(fit.theta).all(axis=1)
        if not finite.any():
            return np.full(len(at), np.nan), NOT_FINITE
        good = np.flatnonzero(fit.finished & finite) if (fit.finished & finite).any() else np.flatnonzero(finite)
        if self.model.combine == "best":
            good = good[[np.argmin(fit.loss[good])]]
        scaling: Any = procedure.design.scaling
        inside = np.ascontiguousarray(at.T) if scaling is None else scaling.x_internal(np.ascontiguousarray(at.T))
        raw = derivatives.outputs(procedure.network, inside, fit.theta[good].astype(float))
        mean = np.mean([procedure.network.objective.response(r)[0] for r in raw], axis=0)
        fitted = mean if scaling is None else scaling.y_original(mean[np.newaxis])[0]
        return fitted, OK if fit.finished.any() else NOT_CONVERGED


def _worse(one: str, other: str) -> str:
    return other if one == OK else one
