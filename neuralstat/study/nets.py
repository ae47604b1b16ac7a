"""Networks in a study: all replicates and restarts of a cell are one compiled stack, the responses varying."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field, replace
from typing import TYPE_CHECKING, Any

import numpy as np

from ..checks import is_whole, shown
from ..checks.arguments import NONE, TEXT, Anything, Choice, Map, Whole, arguments
from ..df import local as local_df
from ..df import noise
from ..engine.data import make_data
from ..errors import ArgumentError, DfError
from ..formula import Design, Scaling, from_arrays
from ..formula.scaling import fit_scaling
from ..functions.penalties import L1
from ..network import derivatives
from ..training.model import build_network, merge_settings, scalable_response
from ..training.procedure import Procedure
from ..training.refits import stacks, train_groups
from ..training.settings import Settings
from .fingerprint import text
from .fits import NOT_CONVERGED, NOT_FINITE, OK, Fits, leverages

if TYPE_CHECKING:
    from ..network.network import Network

JACOBIAN_BYTES = 32_000_000
REFUSED = ("weights", "freq_weights", "var_weights", "offset", "missing", "startweights", "validation", "callbacks",
           "checkpoint", "device", "dtype", "early_stopping", "epochs", "layers", "lifesign", "progress",
           "random_state", "n_jobs", "polish", "likelihood", "freeze", "lifesign_step", "shuffle", "batch_size", "augment",
           "class_weight")  # fmt: skip
COMBINE = Choice("best", "mean")
QUICK = ("lm", "bfgs", "lbfgs", "auto")  # algorithms that take a relative tolerance


@arguments(name=TEXT, size=Whole(0), settings=Map(Anything("a setting")), combine=COMBINE, kind=TEXT)
@dataclass(frozen=True, eq=False)
class Net:
    """A neural network as a model of a study; made by `net`.

    Attributes
    ----------
    name, kind : str
    size : int
        Hidden units.
    settings : dict
        Arguments of `neuralstat.neuralnet`.
    combine : {"best", "mean"}
    """

    name: str
    size: int
    settings: dict[str, Any] = field(default_factory=dict)
    combine: str = "best"
    kind: str = "net"

    def prepare(self, x: np.ndarray, columns: tuple[str, ...], restarts: int) -> PreparedNet:
        """The network on a design (n, D)."""
        return PreparedNet(self, x, columns, int(self.settings.get("rep", restarts)))

    def on(self, device: str) -> Net:
        """The same model, trained on another device."""
        return replace(self, settings={**self.settings, "device": device})

    def describe(self) -> str:
        """Text that names all settings."""
        return f"net({text(dict(sorted(self.settings.items())))}, combine={self.combine!r})"

    def networks(self, restarts: int) -> int:
        """Networks per fit."""
        return int(self.settings.get("rep", restarts))


@arguments(hidden=Anything("units", 2, (3, 2)), combine=COMBINE, name=NONE | TEXT)
def net(hidden: Any = 1, *, combine: str = "best", name: str | None = None, **settings: Any) -> Net:
    """A neural network for `study`.

    Parameters
    ----------
    hidden : int or sequence of int
        Hidden units.
    combine : {"best", "mean"}
        The fit is the restart of least error (among the converged ones, if any), or their mean.
    name : str, optional
        "net 10", or "net 10-5" for several layers, with the penalty, where not given.
    **settings
        Arguments of `neuralstat.neuralnet` that belong to a full-batch fit: `act_fct`, `penalty`, `algorithm` (here
        "lm" unless given), `threshold`, `tol` (here 1e-6 with the optimizers that know it), `stepmax` (here 1000 with
        them), `standardize`, `init`, `exclude`, `keep` (of every replicate's restarts, this many go on after a trial),
        `rep` (restarts of this model, where they differ from the study's), ...

    Returns
    -------
    Net

    Raises
    ------
    ArgumentError
        For arguments that are not usable, or have no place in a study.
    """
    wrong = [key for key in settings if key in REFUSED]
    if wrong:
        raise ArgumentError(
            f"net: {wrong[0]!r} has no place in a study (responses, start weights and threads are the study's)."
        )
    settings = {"hidden": hidden, "algorithm": "lm", **settings}
    algorithm = settings["algorithm"]
    if (algorithm if isinstance(algorithm, str) else getattr(algorithm, "name", "")) in QUICK:
        settings = {"tol": 1e-6, "stepmax": 1000, **settings}
    keep: Any = settings.get("keep")
    checked = merge_settings(Settings(), {**settings, "rep": settings.get("rep", keep if is_whole(keep) and keep > 0 else 1)})
    if checked.minibatch:
        raise ArgumentError(
            f"net: algorithm {shown(algorithm)} goes by minibatches; a study's networks are trained on all observations "
            "at once. Give a neuralstat.sklearn.NeuralNetRegressor instead: a study takes any object with fit and predict."
        )
    units = tuple(checked.hidden)
    if name is None:
        name = "net " + ("-".join(map(str, units)) or "0")
        if checked.penalty is not None:
            name += " " + " + ".join(str(part) for part in checked.penalty.parts)
        if combine == "mean":
            name += " mean"
    return Net(name, int(sum(units)), settings, combine)


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
        self.model, self.restarts = model, restarts
        some = np.resize([0.0, 1.0], x.shape[0])  # a response that any family can have; never fitted
        design = from_arrays(some, x, standardize=settings.scaled)
        self.scaled = bool(settings.scaled) and scalable_response(settings)
        # every fit has its own seeds
        self.procedure = Procedure(design, build_network(design, settings), settings, np.random.SeedSequence(0))
        # covariates (D, n), where the model standardises them
        self.original = None if design.scaling is None else np.ascontiguousarray(x.T)

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
        self,
        y: np.ndarray,
        seeds: Sequence[np.random.SeedSequence],
        rows: Sequence[np.ndarray] | None = None,
        local: bool = True,
    ) -> Fits:
        """Fit T responses; see `fits.Prepared`."""
        values = self.restarts * (100 + 2 * y.shape[1])
        parts = [
            self._fit(y[part], seeds[part], None if rows is None else rows[part], local)
            for part in stacks(len(y), self.network, self.restarts, values)
        ]
        if len(parts) == 1:
            return parts[0]
        return Fits(
            np.concatenate([p.fitted for p in parts]), np.concatenate([p.df for p in parts]),
            np.concatenate([p.leverage for p in parts]) if local and parts[0].leverage is not None else None,
            [s for p in parts for s in p.status], sum(p.networks for p in parts),
        )  # fmt: skip

    def _fit(
        self, y: np.ndarray, seeds: Sequence[np.random.SeedSequence], rows: Sequence[np.ndarray] | None, local: bool
    ) -> Fits:
        t, r = y.shape[0], self.restarts
        local = local and rows is None  # leverages are those of a fit to the whole design
        shift, scale = self._rescaling(y, rows)
        inner = (y - shift) / scale
        own = self._procedures(inner, rows)
        x = None if rows is None or self.original is None else np.stack([p.design.x for p in own])
        start = np.concatenate([
            p.start(seed, None if rows is None else np.ascontiguousarray(p.design.x[:, rows[k]]))
            for k, (p, seed) in enumerate(zip(own, seeds, strict=True))
        ])  # fmt: skip
        fit = train_groups(self.procedure, self._data(inner, rows, x), start, self.free, r, 1)
        theta, loss, converged = fit.theta, fit.loss, fit.finished
        finite = np.isfinite(loss) & np.isfinite(theta).all(axis=1)
        theta, loss = theta.reshape(t, r, -1), np.where(finite, loss, np.inf).reshape(t, r)
        converged, finite = converged.reshape(t, r), finite.reshape(t, r)
        good = np.where((converged & finite).any(axis=1, keepdims=True), converged & finite, finite)
        best = np.where(good, loss, np.inf).argmin(axis=1)
        status = [
            NOT_FINITE if not f.any() else OK if c.any() else NOT_CONVERGED
            for f, c in zip(finite, converged & finite, strict=True)
        ]
        if self.model.combine == "best":
            good = np.zeros((t, r), bool)
            good[np.arange(t), best] = True
        fitted, df = np.zeros_like(y), np.zeros(t)
        leverage = np.zeros_like(y) if local else None
        at, which = np.nonzero(good)
        chosen = theta[at, which]
        mu = self._means(chosen) if x is None else np.concatenate(
            [self._means(chosen[at == k], x[k]) for k in range(t)]
        )  # fmt: skip
        share = 1 / np.maximum(good.sum(axis=1), 1)[at]
        np.add.at(fitted, at, mu * share[:, np.newaxis])
        if leverage is not None:
            np.add.at(leverage, at, self._leverages(chosen, mu) * share[:, np.newaxis])
            df = leverage.sum(axis=1)
        fitted = fitted * scale + shift
        lost = ~good.any(axis=1) | ~finite.any(axis=1)
        fitted[lost], df[lost] = np.nan, np.nan
        return Fits(fitted, df, leverage, status, t * r)

    def _rescaling(self, y: np.ndarray, rows: Sequence[np.ndarray] | None) -> tuple[np.ndarray, np.ndarray]:
        """Mean and standard deviation (T, 1) that a standardised model takes out of each response."""
        shift, scale = np.zeros((y.shape[0], 1)), np.ones((y.shape[0], 1))
        if self.scaled:
            for k, values in enumerate(y):
                seen = values if rows is None else values[rows[k]]
                shift[k], sd = seen.mean(), seen.std(ddof=1)
                scale[k] = sd if sd > 0 else 1.0
        return shift, scale

    def _procedures(self, y: np.ndarray, rows: Sequence[np.ndarray] | None) -> list[Procedure]:
        """The procedure of each response (T, n), its covariates scaled by the rows that it sees."""
        design, own = self.design, []
        for k, values in enumerate(y):
            mine = replace(design, y=values[np.newaxis])
            if rows is not None and self.original is not None:
                scaling = self._scaling(rows[k])
                mine = replace(mine, x=scaling.x_internal(self.original), scaling=scaling)
            own.append(replace(self.procedure, design=mine))
        return own

    def _scaling(self, rows: np.ndarray) -> Scaling:
        """Centres and scales of the covariates among some observations."""
        some, keep = np.zeros((1, rows.size)), np.zeros(1, bool)  # responses are rescaled one by one: `_rescaling`
        return fit_scaling(self.original[:, rows], some, None, self.design.x_names, self.design.y_names, keep)  # type: ignore[index]

    def _data(self, y: np.ndarray, rows: Sequence[np.ndarray] | None, x: np.ndarray | None) -> Any:
        """Data of a stack: responses (T, n) of `restarts` networks each, at covariates (T, D, n) or the design's."""
        owner = np.repeat(np.arange(len(y)), self.restarts)
        table = count = None
        if rows is not None:
            sizes = np.array([part.size for part in rows], np.int64)
            table = np.zeros((len(rows), sizes.max()), np.int64)
            for k, (line, part) in enumerate(zip(table, rows, strict=True)):
                line[: part.size] = part if x is None else part + k * y.shape[1]
            table, count = table[owner], sizes[owner]
        if x is None:
            return make_data(self.design.x, y[owner][:, np.newaxis], rows=table, count=count)
        # one copy of the design after the other
        return make_data(np.concatenate(x, axis=1), y.reshape(1, -1), rows=table, count=count)

    def _means(self, theta: np.ndarray, x: np.ndarray | None = None) -> np.ndarray:
        """Fitted means (B, n) of weights (B, P) at covariates (D, n), the design's if not given; in internal units."""
        x = self.design.x if x is None else x
        if theta.shape[0] == 0:
            return np.zeros((0, x.shape[1]))
        raw = derivatives.outputs(self.network, x, theta)
        objective = self.network.objective
        return np.stack([objective.response(each)[0] for each in raw]) if objective.of_predictor else raw[:, 0]

    def _leverages(self, theta: np.ndarray, mu: np.ndarray) -> np.ndarray:
        """Leverages (B, n) of the Gauss-Newton (Fisher) matrix; NaN for losses whose curvature is not known."""
        objective, n = self.network.objective, mu.shape[1]
        family = noise.family_name(objective)
        out = np.full(mu.shape, np.nan)
        if not (family == "gaussian" and not objective.of_predictor) and objective.name != "ce_logit":
            return out
        weight = mu * (1 - mu) if objective.name == "ce_logit" else np.ones_like(mu)
        step, data = max(1, JACOBIAN_BYTES // (8 * n * self.network.n_params)), make_data(self.design.x, self.design.y)
        for first in range(0, theta.shape[0], step):
            part = slice(first, first + step)
            r = np.stack([derivatives.jacobian(self.network, data, w)[0] for w in theta[part]])
            out[part] = self._trace(np.sqrt(weight[part])[:, :, np.newaxis] * r, theta[part])
        return out

    def _trace(self, r: np.ndarray, theta: np.ndarray) -> np.ndarray:
        bend, penalty = np.zeros(theta.shape), self.procedure.penalty
        used = np.broadcast_to(self.free, theta.shape).copy()
        if penalty is not None:
            bend = np.stack([derivatives.penalty_curvature(penalty, w) for w in theta])
            used &= ~((penalty[:, L1] != 0) & (theta == 0))
        r = np.where(used[:, np.newaxis, :], r, 0.0)
        bend = np.where(used, bend, 0.0)
        bent = (bend < 0).any(axis=1)
        out = np.full(r.shape[:2], np.nan)
        if not bent.all():
            out[~bent] = leverages(r[~bent], bend[~bent])
        for b in np.flatnonzero(bent):
            try:
                out[b] = local_df.leverage(r[b][:, used[b]], bend[b][used[b]])[0]
            except DfError:
                continue
        return out
