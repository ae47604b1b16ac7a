"""The procedure: everything between a design and a fit, as one object that can be run again.

Restarts, stopping rule, penalty, masks, scaling and random streams are part of it. Refits to other responses, rows or
weights (degrees of freedom, bootstrap, folds, studies) run the same procedure.
"""

from __future__ import annotations

import functools
import threading
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any

import numpy as np

from ..cluster import ClusterDesign
from ..engine import cpu
from ..errors import ArgumentError
from ..functions.penalties import L1
from ..network import derivatives
from ..network.arrays import frozen
from ..network.constraints import check_constraints
from ..network.indexes import check_indexes
from ..network.penalties import coefficients
from ..network.scaling import scaled_constants, to_internal, to_original
from ..network.start import start_weights
from ..optimizers import OPTIMIZERS, Optimizer, choose
from ..optimizers.rprop import CODES
from ..seeds import seed_sequence
from . import by_epochs, exact, exact_terms, fellner_schall, interrupts, rotations
from .checkpoint import stored_seeds
from .elsewhere import check_design, objective_of, observations, ranges_of
from .epoch_settings import EPOCHS, optimizer_of
from .epochs import Training, rows_of
from .fit import Fit, joined, polish
from .memory import check_memory
from .model import build_network, warn_output_layer
from .notice import DENSE, LAYERED, compile_notice
from .parameters import held_out
from .progress import EpochLifesign, Lifesign
from .read_ahead import check_read
from .settings import STEPMAX, DefaultName, Settings
from .stack import of_networks
from .starts import feasible
from .strengths import Group, groups_of
from .structured import has_towers, penalisable, start_at_zero, with_mean_rows
from .structured_settings import settled, warn_aliased
from .term_groups import groups_of_terms
from .train import Algorithm, train
from .validation import split, weigh_classes

if TYPE_CHECKING:
    from ..engine.batches import Rows
    from ..formula import Design
    from ..network.network import Network
    from .model import Source

POLISHED = 1e-6  # largest derivative that `polish=True` aims at
# A default fit begins with rprop+, for so many products of weights and observations, and at least and at most so many
# steps; a repetition that has not converged by then is finished by a second-order algorithm.
FIRST_WORK = 1e9
FEWEST_STEPS, MOST_STEPS = 300, 5_000
MOST_DENSE = 500  # weights up to which "bfgs" is taken for a distribution with several parameters
FINISHED = 1e-9  # relative fall of the error at which that one stops


@dataclass(frozen=True, eq=False)
class Procedure:
    """How a fit comes about.

    Attributes
    ----------
    design : Design
        Rows that are trained on; internal units.
    network : Network
    settings : Settings
    seeds : SeedSequence
        Where start weights, orders and dropped units come from.
    formula : str or None
    validation : Rows or None
        Validation rows of a fit by epochs.
    """

    design: Design
    network: Network
    settings: Settings
    seeds: np.random.SeedSequence
    formula: str | None = None
    validation: Rows | None = None

    @classmethod
    def prepare(cls, source: Source, settings: Settings, design: Design | None = None) -> Procedure:
        """The procedure of settings on data: validation rows set aside, classes weighed, seeds drawn.

        `design` is the source's for these settings, where it is known.
        """
        design, seeds, validation = design or source.design(settings), seed_sequence(settings.random_state), None
        if settings.minibatch:
            design, validation = split(design, settings, source)
            if settings.checkpoint is not None and settings.random_state is None:
                seeds = stored_seeds(settings.checkpoint) or seeds
        check_read(design, settings)
        design = weigh_classes(design, settings.class_weight)
        settings = settled(settings, design, source.context)
        warn_aliased(design)
        network = build_network(design, settings)
        warn_output_layer(network, settings)
        check_constraints(network, settings.minibatch, settings.algorithm)
        check_design(design, settings)
        check_indexes(network, design.x)
        if validation is not None:
            check_indexes(network, validation.inputs.T, "validation: ")
        return rotations.prepared(cls(design, network, settings, seeds, source.formula, validation))

    # what is trained ---------------------------------------------------------------------------------------

    @functools.cached_property
    def masks(self) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
        """Weights in the fit, weights that are trained (P,) bool; values (P,) of those held out, internal units.

        Raises
        ------
        ArgumentError
            Where no weight is left to be trained.
        """
        settings, network = self.settings, self.network
        free, constants = held_out(network, self.design, settings)
        if self.design.scaling is not None:
            constants = scaled_constants(network, self.design.scaling, free, constants)
        trained = free & ~frozen(network, settings.freeze)
        if not trained.any():
            raise ArgumentError("exclude and freeze hold all weights: at least one must be trained.")
        return free, trained, constants

    @functools.cached_property
    def penalty(self) -> np.ndarray | None:
        """(P, 4) coefficients of the penalty as settings give them, None without one; estimated strengths count 0."""
        return self.penalty_of(self.design.counted)

    def penalty_of(self, n: float) -> np.ndarray | None:
        """`penalty` for so many observations: those of layers stand beside the mean of Keras' loss over them."""
        network, where = self.network, penalisable(self.network, self.design)
        return coefficients(
            self.settings.penalty, network, self.design, where, n / network.as_in_keras
        )  # fmt: skip

    @functools.cached_property
    def groups(self) -> tuple[Group, ...]:
        """Weights whose penalties' strengths are estimated."""
        return (*groups_of(self), *groups_of_terms(self))

    def start(self, seeds: np.random.SeedSequence | None = None, inputs: np.ndarray | None = None) -> np.ndarray:
        """Start weights (rep, P), internal units: the settings', else random ones.

        Parameters
        ----------
        seeds : SeedSequence, optional
            The procedure's unless given.
        inputs : (D, m) array, optional
            Where start weights suit the ranges of the inputs, these; the design's unless given.
        """
        settings, network, scaling = self.settings, self.network, self.design.scaling
        free, trained, constants = self.masks
        check_memory(network, settings, int(trained.sum()), self.design.x.shape[1])
        internal = None if scaling is None else functools.partial(to_internal, network, scaling)
        return start_weights(
            network, settings.repetitions, self.seeds if seeds is None else seeds, free, constants, settings.startweights,
            settings.compat, internal, self._feasible,
            settings.start_init, ranges_of(self.design) if inputs is None else inputs,
            None if scaling is None else functools.partial(to_original, network, scaling),
        )  # fmt: skip

    def _feasible(self, theta: np.ndarray) -> np.ndarray:
        """Random start weights (B, P) moved to where the model is defined; linear terms and effects begin at 0."""
        trained = self.masks[1]
        if has_towers(self.design):
            theta = np.where(start_at_zero(self.network, self.design) & trained, 0.0, theta)
        return feasible(self.network, self.design, theta, free=trained)

    # training ----------------------------------------------------------------------------------------------

    def run(self) -> Fit:
        """Train all repetitions, for the user: after Ctrl-C those that still ran are flagged "interrupted"."""
        kind = "dense layers" if self.network.dense else "these layers"
        rule = self.settings.algorithm if isinstance(self.settings.algorithm, str) else self.settings.algorithm.name
        with compile_notice(f"{kind} and algorithm {str(rule)!r}", DENSE if self.network.dense else LAYERED):
            return self.run_from(self.start(), self.masks[1], owner=interrupts.owned())

    def run_from(self, start: np.ndarray, free: np.ndarray, *, owner: bool = False) -> Fit:
        """Train all repetitions from start weights (B, P) in internal units; `free` (P,) are those that are trained.

        After Ctrl-C the owner of the result gets what there is, flagged "interrupted"; in parts of larger calculations it
        passes through as KeyboardInterrupt. So it is in all that trains here.
        """
        design, settings = self.design, self.settings
        if settings.minibatch:
            return self._run_epochs(start, free, owner)
        data = observations(design, settings.dtype)
        with Lifesign(settings, self.network, design.rows if isinstance(design, ClusterDesign) else None) as lifesign:
            fit = self.train(
                data, start, free, settings.n_jobs, keep=settings.keep, watch=lifesign.watch, chunk=lifesign.chunk,
                owner=owner,
            )  # fmt: skip
            lifesign.finish(fit)
        return fit

    def train(
        self, data: Any, start: np.ndarray, free: np.ndarray, n_jobs: int | None, *, keep: int | None = None,
        stepmax: int | None = None, watch: Any = None, chunk: int | None = None, owner: bool = False,
        strengths: np.ndarray | None = None,
    ) -> Fit:  # fmt: skip
        """Train a stack on all observations of `data`, as the settings say.

        Where strengths of the penalty are estimated, they are for every network of the stack.

        Parameters
        ----------
        data : Data
            From `make_data`; responses, rows and case weights may differ between networks.
        start : (B, P) array
        free : (P,) or (B, P) bool array
        n_jobs : int, optional
        keep : int, optional
            Networks of the stack that go on after a trial; all unless given.
        stepmax : int, optional
            Of the settings unless given.
        watch, chunk : optional
            See `train.train`.
        owner : bool
            Whether to return what there is after Ctrl-C.
        strengths : (B, G) array, optional
            Hold the strengths at these, rather than estimate them.
        """
        how = {"n_jobs": n_jobs, "keep": keep, "stepmax": stepmax, "watch": watch, "chunk": chunk, "owner": owner}
        if not self.groups:
            fit = self.train_with(self.penalty, data, start, free, **how)
        elif exact_terms.possible(self.network, self.design, self.settings):
            fit = exact_terms.train(self, data, start, free, strengths)
        elif strengths is None:
            fit = fellner_schall.train(self, data, start, free, **how)
        else:
            fit = fellner_schall.train_at(self, strengths, data, start, free, **how)
        return self.centred(replace(fit, theta=with_mean_rows(self.network, self.design, fit.theta)))

    def centred(self, fit: Fit) -> Fit:
        """Where linear predictors have no constant of their own, the one with which they average 0 over the rows."""
        objective = self.network.objective
        if not (objective.several and objective.family.floating):
            return fit
        theta = fit.theta.astype(float)
        per_unit, units = self.network.shapes[-1]
        theta[:, -per_unit * units] -= derivatives.outputs(self.network, self.design.x, theta)[:, 0].mean(axis=1)
        return replace(fit, theta=theta.astype(fit.theta.dtype))

    def train_with(
        self, penalty: np.ndarray | None, data: Any, start: np.ndarray, free: np.ndarray, *, n_jobs: int | None,
        keep: int | None, stepmax: int | None, watch: Any, chunk: int | None, owner: bool,
    ) -> Fit:  # fmt: skip
        """Train a stack with one penalty (P, 4); see `train`."""
        settings, network, n_free = self.settings, self.network, int(np.atleast_2d(free).sum(axis=1).max())
        if settings.exact and self.exactly:
            return exact.train_exactly(network, data, start, free, penalty)
        algorithm, chosen = self.algorithm(n_free)
        most, limit = settings.stepmax if stepmax is None else stepmax, settings.full_threshold
        budget, stop = self.first_steps(most), threading.Event()
        same: dict[str, Any] = {
            "penalty": penalty, "n_jobs": n_jobs, "watch": watch, "chunk": chunk, "device": settings.device,
            "stop": stop, "elsewhere": objective_of(self.design, network, free, settings.dtype, stop),
        }  # fmt: skip
        fit = train(
            network, data, start, free, algorithm, threshold=limit, tol=settings.tol, keep=keep, stepmax=budget, **same
        )
        if chosen:
            fit = replace(fit, algorithm=f"{fit.algorithm} (chosen automatically)")
        polished, left = settings.polish or settings.exact, budget < most and np.any(fit.status == cpu.STEPMAX)
        if stop.is_set():  # what another algorithm would have gone on with is not finished either
            interrupts.stopped(owner)
            unfinished = np.full(fit.status.shape, polished) | (left & (fit.status == cpu.STEPMAX))
            return replace(fit, status=np.where(unfinished, cpu.INTERRUPTED, fit.status))
        if polished:
            second = OPTIMIZERS[self.pick(n_free)]()
            then = train(network, data, fit.theta, free, second, threshold=min(limit, POLISHED), stepmax=most, **same)
            fit = polish(fit, then, limit)
        elif left:
            fit = self._finish(fit, data, len(start), most - budget, same)
        if stop.is_set():
            interrupts.stopped(owner)
        return fit

    def first_steps(self, stepmax: int) -> int:
        """Steps of the first algorithm: `stepmax`, or fewer where nobody asked for it and a quicker one may finish."""
        settings = self.settings
        plain = isinstance(settings.algorithm, DefaultName) and settings.compat is None and not settings.exact
        if not plain or settings.device != "cpu" or settings.dtype != "float64":
            return stepmax
        work = float(self.network.n_params) * self.design.x.shape[1]
        return int(min(stepmax, np.clip(FIRST_WORK / work, FEWEST_STEPS, MOST_STEPS)))

    def _finish(self, fit: Fit, data: Any, size: int, stepmax: int, same: dict[str, Any]) -> Fit:
        """Go on from a fit (of a stack of `size`) that ran out of its budget, as "auto" would."""
        at = np.flatnonzero(fit.status == cpu.STEPMAX)
        number = at if fit.number is None else fit.number[at]
        free = fit.free[0] if fit.free.shape[0] == 1 else fit.free[at]
        second = OPTIMIZERS[self.pick(int(fit.free.sum(axis=1).max()))]()
        then = train(
            self.network, of_networks(data, number, size), fit.theta[at], free, second, stepmax=stepmax,
            threshold=self.settings.full_threshold, tol=FINISHED, **{**same, "watch": None},
        )  # fmt: skip
        return joined(fit, at, then)

    def algorithm(self, n_free: int) -> tuple[Any, bool]:
        """The algorithm that settings ask for, and whether "auto" picked it for `n_free` weights on all rows."""
        settings, given = self.settings, self.settings.algorithm
        if self.network.objective.several and getattr(given, "name", given) == "lm":
            return OPTIMIZERS[self.pick(n_free)](), True
        if isinstance(given, Optimizer):
            return given, False
        if given in CODES and not settings.exact:
            rate = np.nan if settings.learningrate is None else settings.learningrate
            return Algorithm(given, rate, settings.learningrate_limit, settings.learningrate_factor), False
        if given == "auto" or settings.exact:
            if settings.dtype != "float64" or self.network.objective.name == "ce_r":
                return Algorithm(), True
            return OPTIMIZERS[self.pick(n_free)](), True
        return OPTIMIZERS[given](), False

    @functools.cached_property
    def exactly(self) -> bool:
        """Whether a model without hidden units is fitted by least squares: see `exact.possible`."""
        return not self.design.away and exact.possible(self.network, self.design.x.shape[1], self.penalty)

    def pick(self, n_free: int) -> str:
        """What "auto" picks for so many weights."""
        lasso = self.penalty is not None and bool(np.any(self.penalty[:, L1] != 0))
        n = self.design.x.shape[1]
        if self.network.objective.several:  # Gauss-Newton is of squared residuals, which a log-likelihood is not
            return "lbfgs" if lasso or n_free > MOST_DENSE else "bfgs"
        return choose(n_free, n, self.network.n_outputs, lasso, self.network.dense)

    # training by epochs ------------------------------------------------------------------------------------

    @functools.cached_property
    def training(self) -> Training:
        """What the settings say about training by epochs.

        Raises
        ------
        ArgumentError
            Where the algorithm has none.
        """
        settings, optimizer = self.settings, optimizer_of(self.settings)
        if optimizer is None:
            raise ArgumentError(f"algorithm={settings.algorithm!r} has no epochs.")
        return Training(
            optimizer, EPOCHS if settings.epochs is None else settings.epochs, settings.batch_size, settings.shuffle,
            settings.early_stopping, settings.callbacks or (), settings.checkpoint, settings.threshold,
            None if settings.stepmax == STEPMAX else settings.stepmax, settings.augment,
        )  # fmt: skip

    def _run_epochs(self, start: np.ndarray, free: np.ndarray, owner: bool) -> Fit:
        design, settings, training = self.design, self.settings, self.training
        if training.augment is not None and design.scaling is not None and design.scaling.of_inputs:
            raise ArgumentError("augment changes images in their own units, but with standardize=True the model sees scaled "
                                "ones: scale them in the formula, as {pixels / 255}.")  # fmt: skip
        with EpochLifesign(settings, self.network, training.epochs) as lifesign:
            fit = by_epochs.train(
                self, rows_of(design, settings.dtype), start, free, training, self.validation, n_jobs=settings.n_jobs,
                watch=lifesign.watch, owner=owner, measure=True, again=lambda: rows_of(design, settings.dtype),
            )  # fmt: skip
            lifesign.finish(fit)
        return fit
