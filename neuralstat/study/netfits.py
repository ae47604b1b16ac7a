"""Networks on designs: all replicates and restarts are one compiled stack, responses and designs varying."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from typing import TYPE_CHECKING, Any

import numpy as np

from ..df import noise, roots
from ..engine.data import make_data
from ..errors import DfError
from ..families import working
from ..formula import Design, Scaling, from_arrays
from ..formula.scaling import fit_scaling
from ..functions.penalties import L1
from ..network import derivatives
from ..training.model import build_network, merge_settings, scalable_response
from ..training.procedure import Procedure
from ..training.refits import stacks, train_groups
from ..training.settings import Settings
from .fits import NOT_CONVERGED, NOT_FINITE, OK, Fits, joined, leverages

if TYPE_CHECKING:
    from ..network.network import Network
    from ..training.fit import Fit
    from .nets import Net

JACOBIAN_BYTES = 32_000_000
Rows = Sequence[np.ndarray] | None
Seeds = Sequence[np.random.SeedSequence]


class PreparedNet:
    """A network on a design.

    Parameters
    ----------
    model : Net
    x : (n, D) array
    columns : tuple of str
    restarts : int
    """

    def __init__(self, model: Net, x: np.ndarray, columns: tuple[str, ...], restarts: int) -> None:
        given = {key: value for key, value in model.settings.items() if key != "freeze"}
        keep = given.get("keep")
        given.update(rep=restarts, keep=None if keep is None or keep > restarts else keep)
        settings = merge_settings(Settings(), given)
        self.model, self.restarts, self.columns = model, restarts, columns
        some = np.resize([1.0, 0.5], x.shape[0])  # a response that any family can have; never fitted
        design = from_arrays(some, x, standardize=settings.scaled)
        self.scaled = bool(settings.scaled) and scalable_response(settings)
        # every fit has its own seeds
        self.procedure = Procedure(design, build_network(design, settings), settings, np.random.SeedSequence(0))
        self.x = np.ascontiguousarray(x.T)  # (D, n), as given

    @property
    def design(self) -> Design:
        """Covariates of all observations, internal units; not the responses."""
        return self.procedure.design

    @property
    def network(self) -> Network:
        """Of the model."""
        return self.procedure.network

    @property
    def free(self) -> np.ndarray:
        """(P,) weights that are trained."""
        return self.procedure.masks[1]

    def fit(
        self, y: np.ndarray, seeds: Seeds, rows: Rows = None, local: bool = True, new: np.ndarray | None = None
    ) -> Fits:
        """Fit T responses; see `fits.Prepared`."""
        return self.fit_several(y, seeds, rows, local, None, None if new is None else [new] * len(y))

    def fit_several(
        self, y: np.ndarray, seeds: Seeds, rows: Rows, local: bool, designs: Sequence[np.ndarray] | None,
        new: Sequence[np.ndarray] | None, start: np.ndarray | None = None,
    ) -> Fits:  # fmt: skip
        """Fit T responses, each on a design (n, D) of its own where `designs` are given, with new covariates of its own.

        With `start` (T, P) one network each begins with these weights.
        """
        each = self.restarts if start is None else 1
        values = each * (100 + 2 * y.shape[1])
        if designs is not None:
            values += (1 + self.x.shape[0]) * y.shape[1]

        def some(items: Any, part: slice) -> Any:
            return None if items is None else items[part]

        return joined([
            self._fit(y[part], seeds[part], some(rows, part), local, some(designs, part), some(new, part), some(start, part))
            for part in stacks(len(y), self.network, each, values)
        ])  # fmt: skip

    def _fit(
        self, y: np.ndarray, seeds: Seeds, rows: Rows, local: bool, designs: Sequence[np.ndarray] | None,
        new: Sequence[np.ndarray] | None, begin: np.ndarray | None,
    ) -> Fits:  # fmt: skip
        t, r = y.shape[0], self.restarts if begin is None else 1
        shift, scale = self._rescaling(y, rows)
        inner = (y - shift) / scale
        own = self._procedures(inner, rows, designs)
        x = None if own[0].design.x is self.design.x else [p.design.x for p in own]
        start = begin if begin is not None else np.concatenate([
            p.start(seed, None if rows is None else np.ascontiguousarray(p.design.x[:, rows[k]]))
            for k, (p, seed) in enumerate(zip(own, seeds, strict=True))
        ])  # fmt: skip
        fit = train_groups(self.procedure, self._data(inner, rows, x, r), start, self.free, r, 1)
        good, status = self._chosen(fit.theta, fit.ranking, fit.finished, t)
        at, which = np.nonzero(good)
        theta = fit.theta.reshape(t, r, -1)[at, which]
        held = self._penalties(fit)[at * r + which]
        share = 1 / np.maximum(good.sum(axis=1), 1)[at]
        raw = self._outputs(theta, at, self.design.x if x is None else x)
        lost = ~good.any(axis=1)

        def averaged(values: np.ndarray) -> np.ndarray:
            out = np.zeros((t, values.shape[1]))
            np.add.at(out, at, values * share[:, np.newaxis])
            out[lost] = np.nan
            return out

        fits = Fits(averaged(self._means(raw)) * scale + shift, np.full(t, np.nan), None, status, t * r)
        if self.model.combine == "best":
            fits.theta = np.full((t, theta.shape[1]), np.nan)
            fits.theta[at] = theta
        if local and rows is None:  # leverages are those of a fit to the whole design
            fits.leverage = averaged(self._leverages(theta, raw, at, x, held))
            fits.df = fits.leverage.sum(axis=1)
        elif local:
            assert rows is not None
            traces = [
                self._leverages(w[np.newaxis], eta[np.newaxis], np.zeros(1, int), [own[k].design.x], s[np.newaxis], rows[k])
                for k, w, eta, s in zip(at.tolist(), theta, raw, held, strict=True)
            ]
            fits.df = averaged(np.array([h.sum() for h in traces]).reshape(-1, 1))[:, 0]
        if new is not None:
            inside = [self._internal(p.design, z) for p, z in zip(own, new, strict=True)] if x is not None else (
                self._internal(self.design, new[0]))  # fmt: skip
            fits.new = averaged(self._means(self._outputs(theta, at, inside))) * scale + shift
        return fits

    def _chosen(self, theta: np.ndarray, loss: np.ndarray, converged: np.ndarray, t: int) -> tuple[np.ndarray, list[str]]:
        """The restarts (T, R) that make a fit, and how it ended: the best of the converged ones if any, or their mean."""
        finite = (np.isfinite(loss) & np.isfinite(theta).all(axis=1)).reshape(t, -1)
        loss, ended = np.where(finite, loss.reshape(t, -1), np.inf), converged.reshape(t, -1) & finite
        good = np.where(ended.any(axis=1, keepdims=True), ended, finite)
        status = [NOT_FINITE if not f.any() else OK if c.any() else NOT_CONVERGED for f, c in zip(finite, ended, strict=True)]
        if self.model.combine == "best":
            best = np.where(good, loss, np.inf).argmin(axis=1)
            one = np.zeros_like(good)
            one[np.arange(t), best] = good[np.arange(t), best]
            good = one
        return good, status

    def _rescaling(self, y: np.ndarray, rows: Rows) -> tuple[np.ndarray, np.ndarray]:
        """Mean and standard deviation (T, 1) that a standardised model takes out of each response."""
        shift, scale = np.zeros((y.shape[0], 1)), np.ones((y.shape[0], 1))
        if self.scaled:
            for k, values in enumerate(y):
                seen = values if rows is None else values[rows[k]]
                shift[k], sd = seen.mean(), seen.std(ddof=1)
                scale[k] = sd if sd > 0 else 1.0
        return shift, scale

    def _procedures(self, y: np.ndarray, rows: Rows, designs: Sequence[np.ndarray] | None) -> list[Procedure]:
        """The procedure of each response (T, n): on its own design, its covariates scaled by the rows that it sees."""
        design, own = self.design, []
        for k, values in enumerate(y):
            mine = replace(design, y=values[np.newaxis])
            x = self.x if designs is None else np.ascontiguousarray(designs[k].T)
            if design.scaling is not None and (rows is not None or designs is not None):
                scaling = self._scaling(x if rows is None else x[:, rows[k]])
                mine = replace(mine, x=scaling.x_internal(x), scaling=scaling)
            elif designs is not None:
                mine = replace(mine, x=x)
            own.append(replace(self.procedure, design=mine))
        return own

    def _scaling(self, x: np.ndarray) -> Scaling:
        """Centres and scales of covariates (D, m)."""
        some, keep = np.zeros((1, x.shape[1])), np.zeros(1, bool)  # responses are rescaled one by one: `_rescaling`
        return fit_scaling(x, some, None, self.design.x_names, self.design.y_names, keep)

    @staticmethod
    def _internal(design: Design, x: np.ndarray) -> np.ndarray:
        """Covariates (m, D) as the network sees them, (D, m)."""
        x = np.ascontiguousarray(x.T)
        return x if design.scaling is None else design.scaling.x_internal(x)

    def _data(self, y: np.ndarray, rows: Rows, x: Sequence[np.ndarray] | None, each: int) -> Any:
        """Data of a stack: responses (T, n) of `each` networks, at covariates (T, D, n) or the design's."""
        t, n = y.shape
        owner = np.repeat(np.arange(t), each)
        if rows is None and x is not None:
            rows = [np.arange(n)] * t
        table = count = None
        if rows is not None:
            sizes = np.array([part.size for part in rows], np.int64)
            table = np.zeros((len(rows), sizes.max()), np.int64)
            for k, (line, part) in enumerate(zip(table, rows, strict=True)):
                line[: part.size] = part if x is None else part + k * n
            table, count = table[owner], sizes[owner]
        if x is None:
            return make_data(self.design.x, y[owner][:, np.newaxis], rows=table, count=count)
        # one copy of the design after the other
        return make_data(np.concatenate(x, axis=1), y.reshape(1, -1), rows=table, count=count)

    def _outputs(self, theta: np.ndarray, at: np.ndarray, x: Any) -> np.ndarray:
        """What kernels give, (B, m), of weights (B, P) of fits `at` (B,): at covariates (D, m), or at each fit's own."""
        if theta.shape[0] == 0:
            return np.zeros((0, x.shape[1] if isinstance(x, np.ndarray) else x[0].shape[1]))
        if isinstance(x, np.ndarray):
            return derivatives.outputs(self.network, x, theta)[:, 0]
        out = np.empty((theta.shape[0], x[0].shape[1]))
        for k in np.unique(at):
            out[at == k] = derivatives.outputs(self.network, np.ascontiguousarray(x[k]), theta[at == k])[:, 0]
        return out

    def _means(self, raw: np.ndarray) -> np.ndarray:
        """Fitted means (B, m) from what kernels give; in internal units."""
        objective = self.network.objective
        if not objective.of_predictor or raw.shape[0] == 0:
            return raw
        return np.stack([objective.response(each[np.newaxis])[0] for each in raw])

    def _leverages(
        self, theta: np.ndarray, raw: np.ndarray, at: np.ndarray, x: Sequence[np.ndarray] | None, held: np.ndarray,
        rows: np.ndarray | None = None,
    ) -> np.ndarray:  # fmt: skip
        """Leverages (B, m) of the Gauss-Newton matrix with penalties (B, P, 4); NaN where losses have no curvature."""
        raw = raw if rows is None else raw[:, rows]
        out, weight = np.full(raw.shape, np.nan), self._curvature(raw)
        if weight is None:
            return out
        n = raw.shape[1]
        step = max(1, JACOBIAN_BYTES // (8 * n * self.network.n_params))
        data: dict[int, Any] = {}
        for k in np.unique(at) if x is not None else [0]:
            mine = self.design.x if x is None else x[k]
            mine = mine if rows is None else np.ascontiguousarray(mine[:, rows])
            data[int(k)] = make_data(mine, np.zeros((1, n)))
        for first in range(0, theta.shape[0], step):
            part = slice(first, first + step)
            r = np.stack([
                derivatives.jacobian(self.network, data[0 if x is None else int(k)], w)[0]
                for k, w in zip(at[part], theta[part], strict=True)
            ])  # fmt: skip
            out[part] = self._trace(np.sqrt(weight[part])[:, :, np.newaxis] * r, theta[part], held[part])
        return out

    def _curvature(self, raw: np.ndarray) -> np.ndarray | None:
        """Second derivative (B, m) of the loss in what kernels give, expected for families; None where it is not known."""
        objective = self.network.objective
        if objective.name == "ce_logit":
            mu = self._means(raw)
            return mu * (1 - mu)
        if noise.family_name(objective) == "gaussian" and not objective.of_predictor:
            return np.ones_like(raw)
        if objective.of_predictor and objective.family is not None and objective.name != "multinomial":
            return working.weights(objective.family, raw)
        return None

    def _penalties(self, fit: Fit) -> np.ndarray:
        """(B, P, 4) penalties of networks, (B, P, 0) where there are none."""
        if fit.penalty is not None:
            return fit.penalty
        own = np.empty((fit.theta.shape[1], 0)) if self.procedure.penalty is None else self.procedure.penalty
        return np.broadcast_to(own, (len(fit.theta), *own.shape))

    def _trace(self, r: np.ndarray, theta: np.ndarray, held: np.ndarray) -> np.ndarray:
        bend = np.zeros(theta.shape)
        used = np.broadcast_to(self.free, theta.shape).copy()
        if held.shape[2]:
            bend = np.stack([derivatives.penalty_curvature(own, w) for own, w in zip(held, theta, strict=True)])
            used &= ~((held[:, :, L1] != 0) & (theta == 0))
        r = np.where(used[:, np.newaxis, :], r, 0.0)
        bend = np.where(used, bend, 0.0)
        bent = (bend < 0).any(axis=1)
        out = np.full(r.shape[:2], np.nan)
        if not bent.all():
            out[~bent] = leverages(r[~bent], bend[~bent])
        for b in np.flatnonzero(bent):
            try:
                out[b] = roots.leverage(r[b][:, used[b]], bend[b][used[b]])[0]
            except DfError:
                continue
        return out
