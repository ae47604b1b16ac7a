"""Train a stack of networks by minibatches: epochs, validation, early stopping, callbacks, checkpoints."""

from __future__ import annotations

import functools
import threading
import time
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import numpy as np

from ..augment import change_rows
from ..engine import batches, cpu
from ..engine.batches import Plan, Rows, State
from ..engine.data import make_data
from ..errors import ArgumentError
from ..formula.gathered import ByRow, Gathered
from ..layers import BatchNorm
from ..layers.keras_weights import array_positions
from ..network.constraints import bound
from ..network.network import Network
from ..network.upstream import wanted_table
from ..optimizers.minibatch import MinibatchOptimizer
from ..schedules import Performance
from . import checkpoint, read_ahead
from .ending import Ending, call_back, history_of, put_back_best
from .epoch_settings import BATCH_SIZE
from .fit import Fit
from .metrics import Measured, Record, metric_of
from .remainder import remainder
from .rooms import Rooms
from .stack import fan_out, next_budget, threads
from .stopping import EarlyStopping

_NO_LIMIT = 2**62


@dataclass(frozen=True)
class Training:
    """What ``epochs=`` and the arguments that belong to it say; see `neuralstat.neuralnet`.

    Attributes
    ----------
    optimizer : MinibatchOptimizer
    epochs : int
    batch_size : int or None
        None is all rows.
    shuffle : bool
    early_stopping : EarlyStopping or None
    callbacks : tuple of callables
    checkpoint : path or None
    threshold : float or None
        Also stop at the end of an epoch when the largest absolute partial derivative (of sums) is at or below it.
    stepmax : int or None
        Also stop after so many batches.
    augment : callable or None
        As `augment.ImageAugmenter`: gives every epoch its own version of the observations.
    carried : dict of arrays, optional
        The state of a fit of fewer epochs, `Fit.state`, from which this one goes on.
    """

    optimizer: MinibatchOptimizer
    epochs: int
    batch_size: int | None = BATCH_SIZE
    shuffle: bool = True
    early_stopping: EarlyStopping | None = None
    callbacks: tuple[Callable[[int, dict[str, Any]], Any], ...] = ()
    checkpoint: Any = None
    threshold: float | None = None
    stepmax: int | None = None
    augment: Any = None
    carried: dict[str, np.ndarray] | None = None


def make_rows(
    x: np.ndarray, y: np.ndarray, weights: np.ndarray | None = None, offset: np.ndarray | None = None,
    dtype: Any = np.float64,
) -> Rows:  # fmt: skip
    """Observations as the batch loop wants them.

    Parameters
    ----------
    x : (D, n) array
        What is read by rows stays so.
    y : (K, n) or (B, K, n) array
    weights : (n,) or (B, n) array, optional
    offset : (K, n) array, optional
    """
    inputs: Any = ByRow(x, dtype) if isinstance(x, Gathered) else np.ascontiguousarray(x.T, dtype=dtype)
    return Rows(inputs, make_data(np.zeros((0, 0)), y, weights, offset, dtype=dtype))


def rows_of(design: Any, dtype: str) -> Rows:
    """The rows of a design."""
    return make_rows(design.x, design.y, design.weights, design.offset, dtype=np.dtype(dtype))


def weight_groups(network: Network) -> np.ndarray:
    """(P,) int64 number of the array, as Keras divides them, that each weight belongs to: kernels and biases apart."""
    groups = np.zeros(network.n_params, np.int64)
    for k, positions in enumerate(array_positions(network)):
        groups[positions] = k
    return groups


def _momentum(network: Network, free: np.ndarray) -> np.ndarray:
    """(layers,) momentum of moving averages; -1 for layers without, and for those held out of the fit."""
    momentum = np.full(len(network.table), -1.0)
    for k, (layer, part) in enumerate(zip(network.applied_layers, network.slices, strict=True)):
        if isinstance(layer, BatchNorm) and free[part].any():
            momentum[k] = layer.momentum
    return momentum


def make_plan(
    network: Network, rows: Rows, validation: Rows | None, free: np.ndarray, training: Training, staged: bool = False
) -> tuple[Plan, tuple[str, ...]]:
    """What kernels are told, and the names of the history's columns that are used."""
    optimizer, stopping = training.optimizer, training.early_stopping
    n = rows.inputs.shape[0]
    batch, together = n if training.batch_size is None else min(int(training.batch_size), n), read_ahead.together(rows)
    if together > 1:  # batches are what the data say
        if training.batch_size not in (BATCH_SIZE, together):
            raise ArgumentError(f"batch_size={training.batch_size}: the batches of these data have {together} rows.")
        batch = together
    kind, cut, name = metric_of(network, rows)
    settings = optimizer.settings()
    groups = weight_groups(network) if optimizer.clipnorm is not None else np.zeros(0, np.int64)
    plateau = np.array([1.0, 0.0, 0.0, 0.0, 0.0])
    rate = optimizer.learning_rate
    if isinstance(rate, Performance):
        plateau = np.array([rate.factor, rate.patience, rate.min_delta, rate.cooldown, rate.min_rate])
    watched = batches.LOSS if validation is None else batches.VAL_LOSS
    monitor = batches.LOSS if stopping is not None and stopping.monitor == "loss" else watched
    if stopping is not None and not stopping.of_loss:
        stopping = None  # by a metric: `metrics.Record` watches it
    plan = Plan(
        batch=batch, epochs=int(training.epochs), shuffle=bool(training.shuffle) and batch < n, code=int(optimizer.code),
        settings=settings, groups=groups, n_groups=int(groups.max()) + 1 if groups.size else 0,
        held=np.flatnonzero(~free).astype(np.int64),
        threshold=-1.0 if training.threshold is None else float(training.threshold),
        stepmax=_NO_LIMIT if training.stepmax is None else int(training.stepmax), metric=kind, cut=float(cut),
        patience=-1 if stopping is None else int(stopping.patience),
        min_delta=0.0 if stopping is None else float(stopping.min_delta), watch=monitor,
        restore=stopping is not None and bool(stopping.restore_best), plateau=plateau, plateau_watch=watched,
        momentum=_momentum(network, free), bound=bound(network, free), staged=staged,
        checked=validation.inputs.shape[0] if staged and validation is not None else 0, together=together,
    )  # fmt: skip
    columns = ["loss", name, "val_loss", None if name is None else f"val_{name}", "learning_rate"]
    if validation is None:
        columns[batches.VAL_LOSS] = columns[batches.VAL_METRIC] = None
    return plan, tuple(c or "" for c in columns)


def make_state(
    start: np.ndarray, free: np.ndarray, rows: Rows, plan: Plan, optimizer: MinibatchOptimizer, keys: np.ndarray
) -> State:
    """The state before the first step."""
    b, p = start.shape
    theta = np.array(start, dtype=rows.inputs.dtype, order="C")
    stopping = np.zeros((b, 3))
    stopping[:, batches.BEST] = np.inf
    plateau = np.zeros((b, 4))
    plateau[:, batches.FACTOR], plateau[:, batches.LEAST] = 1.0, np.inf
    return State(
        theta=theta, free=np.atleast_2d(np.ascontiguousarray(free)),
        memory=np.zeros((b, optimizer.slots, p), theta.dtype),  # which takes no memory until it is written to
        steps=np.zeros(b, np.int64), epoch=np.zeros(b, np.int64), place=np.zeros(b, np.int64),
        order=np.zeros((b if plan.shuffle else 0, rows.inputs.shape[0]), np.int64), sums=np.zeros((b, 2)),
        status=np.zeros(b, np.int64), loss=np.full(b, np.nan, theta.dtype), reached=np.full(b, np.nan, theta.dtype),
        history=np.full((b, plan.epochs, batches.HISTORY), np.nan),
        best=np.zeros((b, p if plan.restore else 0), theta.dtype), stopping=stopping, plateau=plateau, keys=keys,
        checked=np.zeros((b, 2)), total=np.zeros(b, theta.dtype), whole=np.zeros((b, p if plan.staged else 0), theta.dtype),
    )  # fmt: skip


def train_epochs(
    network: Network,
    rows: Rows,
    start: np.ndarray,
    free: np.ndarray,
    training: Training,
    keys: np.ndarray,
    *,
    validation: Rows | None = None,
    penalty: np.ndarray | None = None,
    n_jobs: int | None = None,
    watch: Callable[[State], None] | None = None,
    chunk: int | None = None,
    seeds: np.random.SeedSequence | None = None,
    device: str = "cpu",
    stop: threading.Event | None = None,
    measured: Measured | None = None,
    unit: float = 1.0,
    again: Callable[[], Rows] | None = None,
) -> Fit:
    """Train every network of a stack for some epochs.

    Parameters
    ----------
    network : Network
    rows : Rows
        From `make_rows`.
    start : (B, P) array
    free : (P,) bool array
    training : Training
    keys : (B, 2) uint64 array
        From `shuffle_keys`.
    validation : Rows, optional
        Validation data.
    penalty : (P, 4) array, optional
        From `Penalty.coefficients`; added to the mean loss.
    n_jobs : int, optional
        Threads over networks; the result does not depend on them.
    watch : callable, optional
        Called about ten times a second with the running state.
    chunk : int, optional
        Batches per compiled call; measured where not given.
    seeds : SeedSequence, optional
        Kept in checkpoints.
    device : str
        "cpu", "cuda" or "cuda:<number>".
    stop : Event, optional
        Set after Ctrl-C.
    measured : Measured, optional
        Metrics of every epoch.
    unit : float
        What callbacks see losses and squared errors multiplied by: the squared unit of a scaled response.
    again : callable, optional
        Makes `rows` again, so that the fit need not hold them until somebody asks for its loss.

    Returns
    -------
    Fit
        `loss` and `reached` are n times the mean loss with its penalty, and the largest absolute partial derivative of
        that, at the final weights; of a single network without a threshold they are worked out when asked for. `steps`
        counts batches. `trace` is the running loss of each epoch, times n.

    Raises
    ------
    ArgumentError
        Where a checkpoint belongs to another fit.
    DeviceError
        Where the device is not there, or cannot train the network.

    Warns
    -----
    FitWarning
        Where a checkpoint could not be written.
    """
    began = time.perf_counter()
    net = network.net(penalty)
    optimizer = training.optimizer
    free = np.asarray(free) & ~network.still  # moving averages follow the batches, not the gradient
    rows, validation, staged = read_ahead.staging(rows, validation, training.augment, device)
    plan, columns = make_plan(network, rows, validation, free, training, staged)
    if network.objective.coupled:  # so are all observations, for the history
        net = network.net(penalty, max(rows.inputs.shape[0], 0 if validation is None else validation.inputs.shape[0]))
    elif network.coupled:  # a batch is one block
        net = net._replace(block=max(net.block, cpu.PAD * -(-plan.batch // cpu.PAD)))
    net = net._replace(table=wanted_table(network, free))
    state = make_state(start, free, rows, plan, optimizer, keys)
    if optimizer.initial != 0:
        state.memory.fill(optimizer.initial)
    nothing = Rows(np.zeros((0, rows.inputs.shape[1]), rows.inputs.dtype), rows.data) if validation is None else validation
    record = None if measured is None else Record(
        measured, network, rows, validation, state.history.shape[:2], training.early_stopping)  # fmt: skip
    measures = None if record is None else record.values
    if training.carried is not None:
        checkpoint.put(training.carried, state, measures)
        state.status[state.status == batches.EPOCHS_DONE] = cpu.RUNNING
    saver = checkpoint.begin(network, rows, validation, plan, state, training, penalty, seeds, record)
    state.status[(state.status == cpu.RUNNING) & (state.epoch >= plan.epochs)] = batches.EPOCHS_DONE
    each = -(-rows.inputs.shape[0] // plan.batch)  # batches of an epoch
    stop, lock = threading.Event() if stop is None else stop, threading.Lock()
    finished = np.zeros(state.steps.size, bool)
    by_epoch = bool(training.callbacks) or any(part is not None for part in (saver, training.augment, record))

    ending = Ending(net, plan, state, again or (lambda: rows), each, rows.inputs.shape[0])
    left, own = None, state  # what is trained: all, or what is left where the first layers are frozen
    if device == "cpu" and training.augment is None and np.any(state.status == cpu.RUNNING):
        left = remainder(network, net, plan._replace(staged=False, checked=0), state, rows, nothing)
    if left is not None:
        own = left.begin(rows, nothing, state, threads(n_jobs), stop)
        if record is not None:
            record.means = left.means
    sparse = read_ahead.sparse_first(net, plan, rows, training.augment) if staged and left is None else None

    rooms = Rooms()

    def step(b: int, budget: int, rows: Rows, check: Rows = nothing, task: int = batches.TRAIN) -> None:
        taken = int(state.steps[b]) - (task == batches.END)
        rates = np.ascontiguousarray(optimizer.rates(taken, budget, each, each * plan.epochs), np.float64)
        own_net, own_plan, given = net, plan, (rows, check)
        if left is not None:
            own_net, own_plan, given = left.net, left.plan, left.rows[b]
        elif sparse is not None and rows.sparse is not None:
            own_net, own_plan = sparse[0]
        with rooms.one(own_net, own_plan, rows.data.y.shape[1], own.theta) as room:
            batches.train_batches(own_net, *given, own_plan, own, rates, b, budget, by_epoch, task, room)

    def finish(b: int) -> None:
        if record is not None and (best := record.restored(b)) is not None:
            own.theta[b] = best[1]
        put_back_best(own, plan, b)
        if left is not None:
            left.put_back(own, state, b)
        if not ending.late:
            ending.measure(b, rows)
        finished[b] = True

    streams = [int(key[0]) | int(key[1]) << 32 for key in keys]

    def change(b: int, out: np.ndarray) -> np.ndarray:
        change_rows(training.augment, rows.inputs, out, network.input_shape, int(state.epoch[b]), streams[b])
        return out

    def read(b: int) -> read_ahead.Windows:
        return read_ahead.Windows(rows, nothing, plan, state, b, net.block, training.augment, network.input_shape, streams[b],
                               None if sparse is None else sparse[1])  # fmt: skip

    budgets = dict.fromkeys(range(state.steps.size), chunk or 1)

    def by_window(b: int, rows: Rows, check: Rows, most: int, task: int) -> None:
        """A call of the kernels on a window, of as many of its batches as take the time of a call."""
        before, budget = time.perf_counter(), min(most, budgets[b])
        step(b, budget, rows, check, task)
        if chunk is None and task == batches.TRAIN:
            budgets[b] = next_budget(budget, time.perf_counter() - before, 4 * budgets[b])

    def epoch_ended(b: int) -> None:
        if record is not None and record.add(b, int(state.epoch[b]), own.theta[b]) and state.status[b] == cpu.RUNNING:
            state.status[b] = batches.STOPPED_EARLY
        with lock:
            call_back(training.callbacks, state, columns, b, record, unit)
        if saver is not None:
            if left is not None:
                left.put_back(own, state, b)
            saver.save(b)

    def run(b: int) -> None:
        budget = chunk or 1
        if staged and left is None:
            read_ahead.train(
                read(b), functools.partial(by_window, b), lambda: state.status[b] == cpu.RUNNING and not stop.is_set(),
                functools.partial(epoch_ended, b) if by_epoch else None,
            )
            finish(b)
            return
        seen = rows if training.augment is None else rows._replace(inputs=rows.inputs.copy())
        while state.status[b] == cpu.RUNNING and not stop.is_set():
            if training.augment is not None and state.place[b] == 0:
                change(b, seen.inputs)
            before = time.perf_counter()
            step(b, budget, rows=seen)
            spent = time.perf_counter() - before
            if state.place[b] == 0 and state.status[b] != cpu.NONFINITE and by_epoch:
                epoch_ended(b)
            if chunk is None:
                budget = next_budget(budget, spent, 4 * budget)
        finish(b)

    ran_on = "cpu"
    if device == "cpu":
        fan_out(run, list(range(state.steps.size)), state, threads(n_jobs), stop, watch)  # type: ignore[arg-type]
    else:
        from ..engine import cuda

        ran_on = cuda.find_device(device)
        from ..engine.cuda.batches import run as on_device  # needs numba-cuda

        changed = None if training.augment is None else rows.inputs.copy()
        on_device.Epochs(
            net, rows, nothing, plan, state, optimizer, device, coupled=network.coupled, watch=watch, chunk=chunk,
            epoch_ended=epoch_ended if training.callbacks or saver is not None or record is not None else None,
            change=None if changed is None else lambda b: change(b, changed),
        ).run()  # fmt: skip
        finished[:] = True
        ending.finished()  # on the device
        if np.any(state.status == cpu.RUNNING):
            stop.set()
    state.status[state.status == cpu.RUNNING] = cpu.INTERRUPTED
    for b in np.flatnonzero(~finished):
        finish(int(b))
    loss, reached, traces = ending.fields()
    return Fit(
        state.theta, np.array(start, dtype=state.theta.dtype), state.free, loss, reached, state.steps, state.status, traces,
        time.perf_counter() - began, ran_on, optimizer.name, history=history_of(state, plan, columns, record),
        state=checkpoint.taken(state, measures) if device == "cpu" else None,  # a device's memory is not read back
    )  # fmt: skip
