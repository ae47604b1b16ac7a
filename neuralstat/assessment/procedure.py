"""What is refitted: a network's whole procedure on some of its rows, or any object with fit and predict."""

from __future__ import annotations

import copy
import functools
import warnings
from collections.abc import Iterator, Sequence
from dataclasses import replace
from typing import TYPE_CHECKING, Any

import numpy as np

from ..checks import shown
from ..checks.values import attribute
from ..cluster import in_parts, joblib_client
from ..df.noise import gaussian
from ..errors import ArgumentError, ConvergenceWarning, DataError, DataWarning, caller
from ..families import Survival
from ..fitted import Fitted
from ..network import derivatives
from ..seeds import children, seed_sequence
from ..training.model import build_network, merge_settings
from ..training.parts import part_of, train_parts
from ..training.procedure import Procedure
from ..training.refits import stacks
from ..training.settings import Settings
from ..training.validation import unweighed
from .losses import Target
from .objects import EstimatorProcedure, kept_rows

if TYPE_CHECKING:
    from ..formula import Design
    from ..formula.subset import Part
    from ..network.network import Network
    from ..training.fit import Fit


Refit = tuple[np.ndarray, int, int, list[tuple[str, int]]]  # means, repetitions not converged, all; columns that were blind


def is_model(source: Any) -> bool:
    """Whether something is a model of ours that is not yet fitted: it says what its procedure is."""
    return callable(attribute(source, "procedure")) and isinstance(attribute(source, "settings"), Settings)


class NetworkProcedure:
    """Refit a network, its scaling, coding and restarts included, on parts of its data.

    Parameters
    ----------
    source : NeuralNetResults, Fitted or NeuralNet
    rep : {"mean", "best"}
        What predicts: the mean of the converged repetitions (of all where none converged), or the best.
    stack : bool
        Train all folds and restarts as one stack; False trains fold by fold, with the same numbers.
    n_jobs : int, optional
        Threads. Where not given, and inside ``joblib.parallel_config(backend="dask")``, the workers of that cluster refit.
    start : (R, P) array, optional
        Start weights of every refit, internal units of the fit; new random ones unless given.

    Raises
    ------
    ArgumentError
        Where `rep` is neither.
    """

    def __init__(
        self, source: Any, rep: str, stack: bool, n_jobs: int | None, start: np.ndarray | None = None
    ) -> None:
        found = attribute(source, "fitted", source)
        self.source: Any = found if isinstance(found, Fitted) else source
        if not isinstance(rep, str) or rep not in ("mean", "best"):
            raise ArgumentError(f"rep must be 'mean' or 'best', got {shown(rep)}.")
        self.procedure = self._procedure_of(self.source, n_jobs, start)
        self.rep, self.stack, self.start, self.spreads = rep, stack, start, n_jobs is None
        design = self.design
        self.y = design.y if design.scaling is None else design.scaling.y_original(design.y)
        self.n = self.y.shape[1]
        self.weights = np.ones(self.n) if design.weights is None else design.weights

    @staticmethod
    def _procedure_of(source: Any, n_jobs: int | None, start: np.ndarray | None) -> Procedure:
        """What is run again: on all rows, silently, and neither from nor into a file."""
        silent: dict[str, Any] = {"checkpoint": None, "lifesign": "none", "progress": False}
        if n_jobs is not None:
            silent["n_jobs"] = n_jobs
        if start is not None:
            silent.update(rep=len(start), keep=None)
        if isinstance(source, Fitted):
            procedure = source.procedure
            design = unweighed(procedure.design, procedure.settings.class_weight)  # refits weigh their own rows
            return replace(procedure, settings=replace(procedure.settings, **silent), validation=None, design=design)
        # Seeds are every refit's own; classes are weighed, and a share of the rows set aside for validation, in each anew.
        settings = merge_settings(source.settings, {**silent, "random_state": None})
        network = build_network(source.design, settings)
        return Procedure(source.design, network, settings, seed_sequence(None), source.formula)

    @property
    def design(self) -> Design:
        """All rows, internal units."""
        return self.procedure.design

    @property
    def network(self) -> Network:
        """Of the procedure."""
        return self.procedure.network

    @property
    def settings(self) -> Settings:
        """Of the procedure."""
        return self.procedure.settings

    @property
    def groups(self) -> np.ndarray | None:
        """(n,) clusters of the rows, None where they are independent."""
        return self.design.groups

    @property
    def groups_name(self) -> str | None:
        """The column that they are in, None where they were given as labels."""
        return self.settings.groups if isinstance(self.settings.groups, str) else None

    @functools.cached_property
    def target(self) -> Target:
        """What losses must know of the response."""
        return target_of(self.fitted)

    @functools.cached_property
    def fitted(self) -> Fitted:
        """The fit to all rows; trained now where a model was given."""
        return self.source if isinstance(self.source, Fitted) else self.source.fit().fitted

    @property
    def apparent(self) -> np.ndarray:
        """(K, n) means of the fit to all rows."""
        values = self.fitted.raw(self.design.x, self.design.offset, self.fitted.numbers(self.rep))
        return self.fitted.response(values).mean(axis=0)

    @property
    def covariates(self) -> np.ndarray:
        """(n, D) columns of the design, what splitters are told."""
        return self.design.x.T

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
        lost, total = 0, 0
        unseen: dict[str, list[int]] = {}
        alone = not self.spreads or self.settings.device != "cpu" or bool(self.settings.callbacks)
        client = None if alone else joblib_client()

        def own(numbers: range) -> tuple[Any, ...]:
            at = slice(numbers.start, numbers.stop)
            return sets[at], seconds[at], None if need is None else need[at]

        for _, done in in_parts(
            _refits, lambda: self if client is None else self._sent(), len(sets), lambda: self._stacks(len(sets)), own,
            what="the model", client=client,
        ):  # fmt: skip
            for means, lost_here, networks, blind in done:
                lost, total = lost + lost_here, total + networks
                for name, t in blind:
                    unseen.setdefault(name, []).append(t)
                yield means
        self._warn(lost, total, unseen)

    def _sent(self) -> NetworkProcedure:
        """The same, as workers get it: without the fit or model that it is of."""
        sent = copy.copy(self)
        sent.source = None
        return sent

    def trained(
        self, numbers: range, sets: Sequence[np.ndarray], seeds: Sequence[np.random.SeedSequence],
        need: Sequence[np.ndarray] | None,
    ) -> Iterator[Refit]:  # fmt: skip
        """Some of the refits, whose numbers among all are given; see `refits`."""
        for stack in self._stacks(len(sets)):
            parts = [part_of(self.procedure, sets[t]) for t in stack]
            fits = train_parts(
                self.procedure, parts, [sets[t] for t in stack], [seeds[t] for t in stack], stack=self.stack, given=self.start
            )
            for t, part, fit in zip(stack, parts, fits, strict=True):
                rows = slice(None) if need is None else need[t]
                blind = [(self.design.x_names[d], numbers[t]) for d in np.flatnonzero(part.empty)
                         if np.any(part.x[d, rows] != 0)]  # fmt: skip
                yield self.predict(part, fit, numbers[t]), int(np.sum(~fit.finished)), fit.theta.shape[0], blind

    def _stacks(self, count: int) -> Iterator[range]:
        """Numbers of the refits that are trained together."""
        settings = self.settings
        if not self.stack or settings.minibatch or settings.keep is not None:
            return (range(t, t + 1) for t in range(count))
        values = 2 * self.n * (self.design.x.shape[0] + 2)
        return (range(s.start, s.stop) for s in stacks(count, self.network, settings.repetitions, values))

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

    def predict(self, part: Part, fit: Fit, t: int) -> np.ndarray:
        """Means (K, m) of the rows of a part's `x`, original units, by the t-th refit.

        Raises
        ------
        DataError
            Where all its repetitions diverged.
        """
        raw = derivatives.outputs(self.network, np.ascontiguousarray(part.x), fit.theta.astype(float), part.offset)
        mu = np.stack([self.network.objective.response(r) for r in raw])
        scaling = part.design.scaling
        if scaling is not None:
            mu = mu * scaling.y_sd[:, np.newaxis] + scaling.y_mean[:, np.newaxis]
        good = np.flatnonzero(fit.finished) if fit.finished.any() else np.arange(mu.shape[0])
        good = good[np.isfinite(mu[good]).all(axis=(1, 2))]
        if good.size == 0:
            raise DataError(f"risk: every repetition of refit {t + 1} diverged; train with a penalty or smaller steps.")
        if self.rep == "best":
            return mu[good[np.argmin(fit.ranking[good])]]
        return mu[good].mean(axis=0)


def _refits(
    procedure: NetworkProcedure, numbers: range, sets: Sequence[np.ndarray], seeds: Sequence[np.random.SeedSequence],
    need: Sequence[np.ndarray] | None,
) -> list[Refit]:  # fmt: skip
    """`NetworkProcedure.trained`, here or by a worker."""
    return list(procedure.trained(numbers, sets, seeds, need))


def target_of(fitted: Fitted) -> Target:
    """Family, classes and default loss of a fit's response."""
    y = fitted.responses
    zero_one = bool(np.isin(y, (0, 1)).all())
    classes = zero_one and (y.shape[0] == 1 or bool((y.sum(axis=0) == 1).all()))
    default = "mse" if gaussian(fitted.network.objective) else "deviance"
    if isinstance(fitted.family, Survival):
        default = "log_score"
    elif fitted.network.objective.several:
        default = "log_loss" if fitted.design.classes is not None else "mse"
    return Target(fitted.family, fitted.design.response, classes, default)


def on_device(source: Any, device: str) -> Any:
    """A fit or model whose refits are trained on a device.

    Raises
    ------
    ArgumentError
        Where it is another object, which trains where it likes.
    """
    found = attribute(source, "fitted", source)
    if isinstance(found, Fitted):
        settings = merge_settings(found.settings, {"device": device})
        return replace(found, procedure=replace(found.procedure, settings=settings))
    if is_model(source):
        moved = copy.copy(source)
        moved.settings = merge_settings(source.settings, {"device": device})
        return moved
    raise ArgumentError(f"device={device!r} is for networks of this package; other objects train where they say.")


def make_procedure(
    source: Any, *, rep: str, stack: bool, n_jobs: int | None, x: Any, y: Any, loss: Any
) -> NetworkProcedure | EstimatorProcedure:
    """The procedure behind what `risk` was given.

    Raises
    ------
    ArgumentError
        Where it is neither a fit or model of ours nor an object with fit and predict.
    """
    if isinstance(attribute(source, "fitted", source), Fitted) or is_model(source):
        if x is not None or y is not None:
            raise ArgumentError("x= and y= are for other objects; a network's model holds its data.")
        return NetworkProcedure(source, rep, stack, n_jobs)
    able = callable(attribute(source, "fit")) and callable(attribute(source, "predict"))
    if able and not isinstance(source, type):
        return EstimatorProcedure(source, x, y, loss)
    raise ArgumentError(
        f"risk needs a fit (NeuralNetResults), a model (NeuralNet) or an object with fit and predict, got {shown(source)}."
    )


def streams(random_state: Any) -> tuple[np.random.SeedSequence, np.random.SeedSequence]:
    """Streams for what is drawn (folds, samples) and for start weights."""
    first, second = children(seed_sequence(random_state), 2)
    return first, second
