"""What is refitted: a network's whole procedure on some of its rows, or any object with fit and predict."""

from __future__ import annotations

import copy
import functools
import warnings
from collections.abc import Iterator, Sequence
from dataclasses import replace
from typing import TYPE_CHECKING, Any

import numpy as np

from ..engine.data import make_data
from ..errors import ArgumentError, ConvergenceWarning, DataError, DataWarning, caller
from ..formula.subset import Part, plain, subset
from ..network import derivatives
from ..network.start import start_weights
from ..seeds import children, seed_sequence
from ..training.train import Fit, train
from .losses import Target
from .objects import EstimatorProcedure, kept_rows

if TYPE_CHECKING:
    from ..results import NeuralNetResults

CHUNK_BYTES = 64_000_000  # memory of one stack


class NetworkProcedure:
    """Refit a network, its scaling, coding and restarts included, on parts of its data.

    Parameters
    ----------
    source : NeuralNetResults or NeuralNet
    rep : {"mean", "best"}
        What predicts: the mean of the converged repetitions (of all where none converged), or the best.
    stack : bool
        Train all folds and restarts as one stack; False trains fold by fold, with the same numbers.
    """

    def __init__(self, source: Any, rep: str, stack: bool, n_jobs: int | None) -> None:
        from ..api import NeuralNet, build_network
        from ..results import NeuralNetResults

        self.fit: NeuralNetResults | None = source if isinstance(source, NeuralNetResults) else None
        self.model: NeuralNet | None = source if isinstance(source, NeuralNet) else None
        design = source.design
        settings = replace(source.settings, checkpoint=None, lifesign="none", progress=False)
        if n_jobs is not None:
            settings = replace(settings, n_jobs=n_jobs)
        if rep not in ("mean", "best"):
            raise ArgumentError(f"rep must be 'mean' or 'best', got {rep!r}.")
        self.design, self.settings, self.rep = design, settings, rep
        self.network = source.network if self.fit is not None else build_network(design, settings)
        plainly = settings.keep is None and not settings.minibatch
        self.stack = stack and plainly
        self.y = design.y if design.scaling is None else design.scaling.y_original(design.y)
        self.n = self.y.shape[1]
        self.weights = np.ones(self.n) if design.weights is None else design.weights

    @functools.cached_property
    def target(self) -> Target:
        """What losses must know of the response."""
        return target_of(self.fitted)

    @functools.cached_property
    def fitted(self) -> NeuralNetResults:
        """The fit to all rows; trained now where a model was given."""
        return self.model.fit() if self.fit is None else self.fit  # type: ignore[union-attr]

    @property
    def apparent(self) -> np.ndarray:
        """(K, n) means of the fit to all rows."""
        values = self.fitted._raw(self.design.x, self.design.offset, self.fitted._numbers(self.rep))
        return self.fitted._response(values).mean(axis=0)

    def kept(self, values: Any, name: str) -> np.ndarray:
        """(n,) values of the rows used, from n or N values or the name of a covariate column."""
        return kept_rows(values, name, self.design.kept, self.design.frame)

    def refits(
        self, sets: Sequence[np.ndarray], seeds: np.random.SeedSequence, need: Sequence[np.ndarray] | None = None
    ) -> Iterator[np.ndarray]:
        """Means (K, n) of all rows, by the procedure on each set of training rows.

        Set t starts from the t-th child of `seeds`, however the sets are trained. `need`, the rows that will be
        looked at, only limits warnings.
        """
        seconds = children(seeds, len(sets))
        size = 8 * self.settings.rep * (600 + 6 * self.network.n_params)
        step = max(1, CHUNK_BYTES // (size + 16 * self.n * (self.design.x.shape[0] + 2))) if self.stack else 1
        lost, total = 0, 0
        unseen: dict[str, list[int]] = {}
        for first in range(0, len(sets), step):
            numbers = range(first, min(first + step, len(sets)))
            parts = [subset(self.design, sets[t]) for t in numbers]
            for t, part in zip(numbers, parts, strict=True):
                self._note_unseen(part, t, None if need is None else need[t], unseen)
            fits = self._train(parts, [sets[t] for t in numbers], [seconds[t] for t in numbers])
            for t, part, fit in zip(numbers, parts, fits, strict=True):
                lost, total = lost + int(np.sum(~fit.converged)), total + fit.theta.shape[0]
                yield self._predict(part, fit, t)
        self._warn(lost, total, unseen)

    def _note_unseen(self, part: Part, t: int, need: np.ndarray | None, unseen: dict[str, list[int]]) -> None:
        rows = slice(None) if need is None else need
        for d in np.flatnonzero(part.empty):
            if np.any(part.x[d, rows] != 0):
                unseen.setdefault(self.design.x_names[d], []).append(t)

    def _warn(self, lost: int, total: int, unseen: dict[str, list[int]]) -> None:
        if unseen:
            name, folds = next(iter(unseen.items()))
            more = f", and {len(unseen) - 1} other column(s)" if len(unseen) > 1 else ""
            warnings.warn(
                f"column {name!r} is constant in {len(folds)} training part(s) (the first: {folds[0] + 1}) but not in "
                f"their test rows{more}: its weights cannot be learnt there and are held at 0, so that these rows are "
                "predicted as if at the reference level. stratify= by the factor, fewer folds, or a coarser factor "
                "avoid that.",
                DataWarning,
                stacklevel=caller(),
            )
        if lost:
            warnings.warn(
                f"Algorithm did not converge in {lost} of {total} repetition(s) of the refits within the stepmax; "
                "predictions are of the converged ones where there are any.",
                ConvergenceWarning,
                stacklevel=caller(),
            )

    # training ----------------------------------------------------------------------------------------------

    def _begin(self, part: Part, seeds: np.random.SeedSequence) -> tuple[np.ndarray, np.ndarray]:
        """Start weights (rep, P) and the free weights (P,) of a training part, as `api.run` draws them."""
        from ..families.starts import feasible
        from ..network.arrays import frozen
        from ..network.exclude import fixed_weights
        from ..network.scaling import scaled_constants, to_internal

        settings, network, design = self.settings, self.network, part.design
        free, constants = fixed_weights(network, settings.exclude, settings.constant_weights, settings.compat)
        trained = free & ~frozen(network, settings.freeze)
        internal = None
        if design.scaling is not None:
            constants = scaled_constants(network, design.scaling, free, constants)
            internal = functools.partial(to_internal, network, design.scaling)
        start = start_weights(
            network, settings.rep, seeds, free, constants, settings.startweights, settings.compat, internal,
            functools.partial(feasible, network, design, free=trained), settings.start_init, design.x,
        )  # fmt: skip
        free = trained
        if part.empty.any() and network.plain:
            per_unit, units = network.shapes[0]
            at = np.flatnonzero(part.empty)[:, np.newaxis] + 1 + np.arange(units) * per_unit
            blind = np.zeros(network.n_params, dtype=bool)
            blind[at.ravel()] = True
            start[:, blind & free] = 0.0
            free = free & ~blind
        return start, free

    def _train(self, parts: list[Part], rows: list[np.ndarray], seeds: list[np.random.SeedSequence]) -> list[Fit]:
        from ..network.penalties import coefficients

        settings, network = self.settings, self.network
        begun = [self._begin(part, s) for part, s in zip(parts, seeds, strict=True)]
        penalty = coefficients(settings.penalty, network, self.design)
        if settings.minibatch:
            return [self._epochs(p, s, *b, penalty) for p, s, b in zip(parts, seeds, begun, strict=True)]
        # finishing takes one set of free weights for the whole stack
        if not self.stack or (settings.polish and any(p.empty.any() for p in parts)):
            return [
                self._run(make_data(part.design.x, part.design.y, part.design.weights, part.design.offset,
                                          dtype=np.dtype(settings.dtype)), start, free, penalty)
                for part, (start, free) in zip(parts, begun, strict=True)
            ]  # fmt: skip
        data = self._stacked(parts, rows)
        start = np.concatenate([s for s, _ in begun])
        free = np.repeat(np.stack([f for _, f in begun]), settings.rep, axis=0)
        if (free == free[0]).all():
            free = free[0]
        whole = self._run(data, start, free, penalty)
        return [_slice(whole, slice(k * settings.rep, (k + 1) * settings.rep)) for k in range(len(parts))]

    def _stacked(self, parts: list[Part], rows: list[np.ndarray]) -> Any:
        """Data of all training parts: shared covariates where they are the same, else one part after the other."""
        design, rep, dtype = self.design, self.settings.rep, np.dtype(self.settings.dtype)
        count = np.array([r.size for r in rows])
        if plain(design):
            table = np.zeros((len(parts), count.max()), np.int64)
            for line, r in zip(table, rows, strict=True):
                line[: r.size] = r
            x, y, weights, offset = design.x, design.y, design.weights, design.offset
        else:
            ends = np.concatenate([[0], np.cumsum(count)[:-1]])
            table = np.minimum(np.arange(count.max()), count[:, np.newaxis] - 1) + ends[:, np.newaxis]
            x, y = (np.concatenate([getattr(p.design, name) for p in parts], axis=1) for name in ("x", "y"))
            weights, offset = (
                None if getattr(design, name) is None
                else np.concatenate([getattr(p.design, name) for p in parts], axis=-1)
                for name in ("weights", "offset")
            )  # fmt: skip
        return make_data(x, y, weights, offset, np.repeat(table, rep, axis=0), np.repeat(count, rep), dtype=dtype)

    def _run(self, data: Any, start: np.ndarray, free: np.ndarray, penalty: np.ndarray | None) -> Fit:
        from .. import api

        settings = self.settings
        # counted on all rows, lest the choice of "auto" differ between folds
        n_free = int(np.atleast_2d(free).sum(axis=1).max())
        algorithm, _ = api.resolve_algorithm(settings, self.network, self.design, n_free, penalty)
        same: dict[str, Any] = {
            "stepmax": settings.stepmax, "penalty": penalty, "n_jobs": settings.n_jobs, "device": settings.device,
        }  # fmt: skip
        fit = train(
            self.network, data, start, free, algorithm, threshold=settings.threshold, tol=settings.tol,
            keep=settings.keep, **same,
        )  # fmt: skip
        if not settings.polish:
            return fit
        return api._polished(self.network, data, free, fit, settings, penalty, same)

    def _epochs(
        self, part: Part, seeds: np.random.SeedSequence, start: np.ndarray, free: np.ndarray, penalty: Any
    ) -> Fit:
        from ..training import minibatch

        design, check = minibatch.split(part.design, self.settings)
        design = minibatch.weigh_classes(design, self.settings.class_weight)
        return minibatch.run_epochs(design, self.network, self.settings, seeds, check, start, free, penalty)

    def _predict(self, part: Part, fit: Fit, t: int) -> np.ndarray:
        raw = derivatives.outputs(self.network, np.ascontiguousarray(part.x), fit.theta.astype(float), part.offset)
        mu = np.stack([self.network.objective.response(r) for r in raw])
        scaling = part.design.scaling
        if scaling is not None:
            mu = mu * scaling.y_sd[:, np.newaxis] + scaling.y_mean[:, np.newaxis]
        good = np.flatnonzero(fit.converged) if fit.converged.any() else np.arange(mu.shape[0])
        good = good[np.isfinite(mu[good]).all(axis=(1, 2))]
        if good.size == 0:
            raise DataError(f"risk: every repetition of refit {t + 1} diverged; train with a penalty or smaller steps.")
        if self.rep == "best":
            return mu[good[np.argmin(fit.loss[good])]]
        return mu[good].mean(axis=0)


def _slice(fit: Fit, at: slice) -> Fit:
    free = fit.free if fit.free.shape[0] == 1 else fit.free[at]
    return replace(
        fit, theta=fit.theta[at], start=fit.start[at], free=free, loss=fit.loss[at], reached=fit.reached[at],
        steps=fit.steps[at], status=fit.status[at], trace=fit.trace[at],
    )  # fmt: skip


def target_of(fit: NeuralNetResults) -> Target:
    """Family, classes and default loss of a fit's response."""
    from ..likelihood.noise import gaussian

    y = fit._responses
    zero_one = bool(np.isin(y, (0, 1)).all())
    classes = zero_one and (y.shape[0] == 1 or bool((y.sum(axis=0) == 1).all()))
    additive = gaussian(fit.network.objective)
    return Target(fit.family, fit.design.response, classes, "mse" if additive else "deviance")


def on_device(source: Any, device: str) -> Any:
    """A fit or model whose refits are trained on a device.

    Raises
    ------
    ArgumentError
        Where it is another object, which trains where it likes.
    """
    from ..api import NeuralNet, _settings
    from ..results import NeuralNetResults

    if not isinstance(source, NeuralNet | NeuralNetResults):
        raise ArgumentError(f"device={device!r} is for networks of this package; other objects train where they say.")
    moved = copy.copy(source)
    moved.settings = _settings(source.settings, {"device": device})
    return moved


def make_procedure(
    source: Any, *, rep: str, stack: bool, n_jobs: int | None, x: Any, y: Any, loss: Any
) -> NetworkProcedure | EstimatorProcedure:
    """The procedure behind what `risk` was given.

    Raises
    ------
    ArgumentError
        Where it is neither a fit or model of ours nor an object with fit and predict.
    """
    from ..api import NeuralNet
    from ..results import NeuralNetResults

    if isinstance(source, NeuralNet | NeuralNetResults):
        if x is not None or y is not None:
            raise ArgumentError("x= and y= are for other objects; a network's model holds its data.")
        return NetworkProcedure(source, rep, stack, n_jobs)
    if callable(getattr(source, "fit", None)) and callable(getattr(source, "predict", None)):
        return EstimatorProcedure(source, x, y, loss)
    raise ArgumentError(
        f"risk needs a fit (NeuralNetResults), a model (NeuralNet) or an object with fit and predict, got {source!r:.80}."
    )


def streams(random_state: Any) -> tuple[np.random.SeedSequence, np.random.SeedSequence]:
    """Streams for what is drawn (folds, samples) and for start weights."""
    first, second = children(seed_sequence(random_state), 2)
    return first, second
