"""Networks in a study: all replicates and restarts of a cell are one compiled stack, the responses varying."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field, replace
from typing import Any

import numpy as np

from ..checks import check_choice
from ..errors import ArgumentError, DfError
from .fits import NOT_CONVERGED, NOT_FINITE, OK, Fits, leverages

STACK_BYTES = 64_000_000  # memory of one stack
JACOBIAN_BYTES = 32_000_000
REFUSED = ("weights", "offset", "missing", "startweights", "validation", "callbacks", "checkpoint", "device", "dtype",
           "early_stopping", "epochs", "layers", "lifesign", "progress", "random_state", "n_jobs", "polish",
           "likelihood")  # fmt: skip
QUICK = ("lm", "bfgs", "lbfgs", "auto")  # algorithms that take a relative tolerance


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
        return f"net({dict(sorted(self.settings.items()))!r}, combine={self.combine!r})"

    def networks(self, restarts: int) -> int:
        """Networks per fit."""
        return int(self.settings.get("rep", restarts))


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
    from ..api import _settings
    from ..training.settings import Settings

    check_choice(combine, "combine", ("best", "mean"))
    wrong = [key for key in settings if key in REFUSED]
    if wrong:
        raise ArgumentError(
            f"net: {wrong[0]!r} has no place in a study (responses, start weights and threads are the study's)."
        )
    settings = {"hidden": hidden, "algorithm": "lm", **settings}
    algorithm = settings["algorithm"]
    if (algorithm if isinstance(algorithm, str) else getattr(algorithm, "name", "")) in QUICK:
        settings = {"tol": 1e-6, "stepmax": 1000, **settings}
    checked = _settings(Settings(), {**settings, "rep": settings.get("rep", settings.get("keep") or 1)})
    if checked.minibatch:
        raise ArgumentError(
            f"net: algorithm {algorithm!r} goes by minibatches; a study's networks are trained on all observations "
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
        from .. import api
        from ..formula import from_arrays
        from ..network.exclude import fixed_weights
        from ..network.penalties import coefficients
        from ..training.settings import Settings

        given = {key: value for key, value in model.settings.items() if key != "rep"}
        given["rep"] = max(restarts, int(given.get("keep") or 1))
        self.settings = api._settings(Settings(), given)
        self.model, self.restarts = model, restarts
        some = np.resize([0.0, 1.0], x.shape[0])  # a response that any family can have; never fitted
        self.design = from_arrays(some, x, standardize=self.settings.standardize)
        self.scaled = self.settings.standardize and api._gaussian(self.settings)
        self.network = api.build_network(self.design, self.settings)
        self.free, self.constants = fixed_weights(
            self.network, self.settings.exclude, self.settings.constant_weights, self.settings.compat
        )
        self.original = None  # covariates (D, n), where the model standardises them
        if self.design.scaling is not None:
            self.original = np.ascontiguousarray(x.T)
            self.constants = self._constants(self.design.scaling)
        self.penalty = coefficients(self.settings.penalty, self.network, self.design)
        self.algorithm, _ = api.resolve_algorithm(
            self.settings, self.network, self.design, int(self.free.sum()), self.penalty
        )

    def fit(
        self,
        y: np.ndarray,
        seeds: Sequence[np.random.SeedSequence],
        rows: Sequence[np.ndarray] | None = None,
        local: bool = True,
    ) -> Fits:
        """Fit T responses; see `fits.Prepared`."""
        size = 8 * self.restarts * (700 + 6 * self.network.n_params + 2 * y.shape[1])
        step = max(1, STACK_BYTES // size)
        parts = []
        for first in range(0, y.shape[0], step):
            part = slice(first, first + step)
            parts.append(self._fit(y[part], seeds[part], None if rows is None else rows[part], local))
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
        own = [self._scaling(part) for part in rows] if rows is not None and self.original is not None else None
        x = None if own is None else np.stack([s.x_internal(self.original) for s in own])
        start = np.concatenate([
            self._start(inner[k], seed, self.design.x if x is None else x[k], None if rows is None else rows[k],
                        self.constants if own is None else self._constants(own[k]))
            for k, seed in enumerate(seeds)
        ])  # fmt: skip
        theta, loss, converged, finite = self._train(inner, start, rows, x)
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

    def _scaling(self, rows: np.ndarray) -> Any:
        """Centres and scales of the covariates among some observations."""
        from ..formula.scaling import fit_scaling

        some, keep = np.zeros((1, rows.size)), np.zeros(1, bool)  # responses are rescaled one by one: `_rescaling`
        return fit_scaling(self.original[:, rows], some, None, self.design.x_names, self.design.y_names, keep)  # type: ignore[index]

    def _constants(self, scaling: Any) -> np.ndarray:
        """Values (P,), in the internal units of `scaling`, of the weights that are held."""
        from ..network.exclude import fixed_weights
        from ..network.scaling import scaled_constants

        s = self.settings
        free, constants = fixed_weights(self.network, s.exclude, s.constant_weights, s.compat)
        return scaled_constants(self.network, scaling, free, constants)

    def _start(
        self, y: np.ndarray, seed: np.random.SeedSequence, x: np.ndarray, rows: np.ndarray | None, constants: np.ndarray
    ) -> np.ndarray:
        """Start weights (R, P) for one response (n,) at covariates (D, n), of which a fit sees `rows`."""
        from dataclasses import replace

        from ..families.starts import feasible
        from ..network.start import start_weights

        adjust = None
        if self.network.objective.family is not None:
            design = replace(self.design, x=x, y=y[np.newaxis])

            def adjust(theta: np.ndarray) -> np.ndarray:
                return feasible(self.network, design, theta, self.free)

        return start_weights(
            self.network, self.restarts, seed, self.free, constants, adjust=adjust,
            init=self.settings.start_init, x=x if rows is None else np.ascontiguousarray(x[:, rows]),
        )  # fmt: skip

    def _train(
        self, y: np.ndarray, start: np.ndarray, rows: Sequence[np.ndarray] | None, x: np.ndarray | None
    ) -> tuple[np.ndarray, np.ndarray, np.ndarray, np.ndarray]:
        """Weights (B, P), losses, convergence and finiteness (B,); B = T R, restarts of a response together."""
        from ..training.train import TRIAL, TRIAL_OTHERS

        s, r = self.settings, self.restarts
        keep = s.keep
        if keep is None or keep >= r:
            fit = self._run(y, start, np.arange(start.shape[0]) // r, rows, s.stepmax, x)
            return fit.theta, fit.loss, fit.converged, np.isfinite(fit.loss) & np.isfinite(fit.theta).all(axis=1)
        trial = TRIAL.get(self.algorithm.name, TRIAL_OTHERS)
        first = self._run(y, start, np.arange(start.shape[0]) // r, rows, min(trial, s.stepmax), x)
        order = np.argsort(np.where(np.isfinite(first.loss), first.loss, np.inf).reshape(-1, r), axis=1, kind="stable")
        kept = (np.sort(order[:, :keep], axis=1) + r * np.arange(y.shape[0])[:, np.newaxis]).ravel()
        then = self._run(y, first.theta[kept], kept // r, rows, s.stepmax, x)
        theta, loss = first.theta.copy(), np.full(first.loss.shape, np.nan)
        theta[kept], loss[kept] = then.theta, then.loss
        converged = np.zeros(loss.size, bool)
        converged[kept] = then.converged
        return theta, loss, converged, np.isfinite(loss) & np.isfinite(theta).all(axis=1)

    def _run(
        self, y: np.ndarray, start: np.ndarray, owner: np.ndarray, rows: Sequence[np.ndarray] | None, stepmax: int,
        x: np.ndarray | None,
    ) -> Any:
        """Train networks whose responses are ``y[owner]``, and covariates ``x[owner]`` or the design's, on one thread."""
        from ..engine.data import make_data
        from ..training.train import train

        table = count = None
        if rows is not None:
            sizes = np.array([part.size for part in rows], np.int64)
            table = np.zeros((len(rows), sizes.max()), np.int64)
            for k, (line, part) in enumerate(zip(table, rows, strict=True)):
                line[: part.size] = part if x is None else part + k * y.shape[1]
            table, count = table[owner], sizes[owner]
        if x is None:
            data = make_data(self.design.x, y[owner][:, np.newaxis], rows=table, count=count)
        else:  # one copy of the design after the other
            data = make_data(np.concatenate(x, axis=1), y.reshape(1, -1), rows=table, count=count)
        return train(
            self.network, data, start, self.free, self.algorithm, threshold=self.settings.threshold,  # type: ignore[arg-type]
            stepmax=stepmax, tol=self.settings.tol, penalty=self.penalty, n_jobs=1,
            device=self.settings.device,
        )  # fmt: skip

    def _means(self, theta: np.ndarray, x: np.ndarray | None = None) -> np.ndarray:
        """Fitted means (B, n) of weights (B, P) at covariates (D, n), the design's if not given; in internal units."""
        from ..network import derivatives

        x = self.design.x if x is None else x
        if theta.shape[0] == 0:
            return np.zeros((0, x.shape[1]))
        raw = derivatives.outputs(self.network, x, theta)
        goal = self.network.objective
        return np.stack([goal.response(each)[0] for each in raw]) if goal.of_predictor else raw[:, 0]

    def _leverages(self, theta: np.ndarray, mu: np.ndarray) -> np.ndarray:
        """Leverages (B, n) of the Gauss-Newton (Fisher) matrix; NaN for losses whose curvature is not known."""
        from ..likelihood import noise
        from ..network import derivatives

        goal, n = self.network.objective, mu.shape[1]
        family = noise.family_name(goal)
        out = np.full(mu.shape, np.nan)
        if not (family == "gaussian" and not goal.of_predictor) and goal.name != "ce_logit":
            return out
        weight = mu * (1 - mu) if goal.name == "ce_logit" else np.ones_like(mu)
        step = max(1, JACOBIAN_BYTES // (8 * n * self.network.n_params))
        for first in range(0, theta.shape[0], step):
            part = slice(first, first + step)
            r = np.stack([derivatives.jacobian(self.network, self._data, w)[0] for w in theta[part]])
            out[part] = self._trace(np.sqrt(weight[part])[:, :, np.newaxis] * r, theta[part])
        return out

    @property
    def _data(self) -> Any:
        from ..engine.data import make_data

        return make_data(self.design.x, self.design.y)

    def _trace(self, r: np.ndarray, theta: np.ndarray) -> np.ndarray:
        from ..df import local
        from ..functions.penalties import L1
        from ..network import derivatives

        bend = np.zeros(theta.shape)
        used = np.broadcast_to(self.free, theta.shape).copy()
        if self.penalty is not None:
            bend = np.stack([derivatives.penalty_curvature(self.penalty, w) for w in theta])
            used &= ~((self.penalty[:, L1] != 0) & (theta == 0))
        r = np.where(used[:, np.newaxis, :], r, 0.0)
        bend = np.where(used, bend, 0.0)
        bent = (bend < 0).any(axis=1)
        out = np.full(r.shape[:2], np.nan)
        if not bent.all():
            out[~bent] = leverages(r[~bent], bend[~bent])
        for b in np.flatnonzero(bent):
            try:
                out[b] = local.leverage(r[b][:, used[b]], bend[b][used[b]])[0]
            except DfError:
                continue
        return out
