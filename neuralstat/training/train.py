"""Train a stack of networks: compiled steps in chunks, over threads, with progress and a clean Ctrl-C."""

from __future__ import annotations

import os
import threading
import time
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from concurrent.futures import TimeoutError as FutureTimeout
from dataclasses import dataclass, field
from typing import Any

import numpy as np

from ..engine import batches, cpu
from ..errors import ArgumentError
from ..functions.penalties import L1
from ..layers import BatchNorm, Dropout
from ..network.network import Network
from ..optimizers import rprop
from .steppers import make_stepper
from .stopping import History

TRACE = 512  # most entries of an error record
CHUNK = 0.05  # seconds of compiled work between two looks at the clock and the keyboard

STATUS = {
    cpu.RUNNING: "running",
    cpu.CONVERGED: "converged",
    cpu.STEPMAX: "stepmax reached",
    cpu.NONFINITE: "gradient not finite",
    cpu.INTERRUPTED: "interrupted",
    cpu.STALLED: "no further descent possible",
    cpu.TOLERANCE: "relative tolerance reached",
    cpu.PRUNED: "pruned",
    batches.EPOCHS_DONE: "epochs done",
    batches.STOPPED_EARLY: "stopped early",
    batches.STOPPED_BY_CALLBACK: "stopped by a callback",
}
# A fit by epochs ends as planned; such a repetition counts as converged
PLANNED = (batches.EPOCHS_DONE, batches.STOPPED_EARLY, batches.STOPPED_BY_CALLBACK)
TRIAL = {"lm": 20, "bfgs": 60, "lbfgs": 60}  # steps of the trial of `keep=`; others: TRIAL_OTHERS
TRIAL_OTHERS = 500


@dataclass(frozen=True)
class Pruned:
    """Networks that a trial ruled out: their number among the starts (from 0), error, gradient and steps."""

    number: np.ndarray
    loss: np.ndarray
    reached: np.ndarray
    steps: np.ndarray


@dataclass(frozen=True)
class Fit:
    """What training returns, for a stack of B networks.

    Attributes
    ----------
    theta, start : (B, P) arrays
        Weights at the end and at the start.
    free : (B or 1, P) bool array
        Weights that were trained.
    loss : (B,) array
        Error, with the penalty.
    reached : (B,) array
        Largest absolute partial derivative over the free weights.
    steps, status : (B,) int arrays
        Gradient evaluations; see `STATUS`.
    trace : list of (steps, errors)
        Error record of each network.
    seconds : float
    device : str
        What ran: "cpu", "cuda:0 (NVIDIA H100)", "cuda:0 (simulator)".
    algorithm : str
        What trained it, with what was picked automatically, and with a second algorithm that finished it.
    number : (B,) int array or None
        Number of each network among the starts (from 0), where some were pruned.
    pruned : Pruned or None
    history : History, optional
        Of each epoch, for the minibatch optimizers.
    """

    theta: np.ndarray
    start: np.ndarray
    free: np.ndarray
    loss: np.ndarray
    reached: np.ndarray
    steps: np.ndarray
    status: np.ndarray
    trace: list[tuple[np.ndarray, np.ndarray]] = field(repr=False)
    seconds: float = 0.0
    device: str = "cpu"
    algorithm: str = ""
    number: np.ndarray | None = None
    pruned: Pruned | None = None
    history: History | None = None

    @property
    def converged(self) -> np.ndarray:
        """(B,) bool.

        True where the threshold was reached, or the relative tolerance where one was given, or where the planned epochs
        ended or were stopped by a rule.
        """
        return np.isin(self.status, (cpu.CONVERGED, cpu.TOLERANCE, *PLANNED))


@dataclass(frozen=True)
class Algorithm:
    """Settings of R's algorithms.

    Attributes
    ----------
    name : str
        One of "rprop+", "rprop-", "sag", "slr", "backprop".
    learningrate : float
        Of "backprop".
    limit, factor : (float, float)
        Least and largest rate; what a rate is multiplied by after, and without, a change of sign.
    """

    name: str = "rprop+"
    learningrate: float = np.nan
    limit: tuple[float, float] = (1e-10, 0.1)
    factor: tuple[float, float] = (0.5, 1.2)

    def settings(self, dtype: Any = np.float64) -> np.ndarray:
        """What kernels see."""
        return np.array([self.learningrate, *self.limit, *self.factor], dtype=dtype)




def threads(n_jobs: int | None) -> int:
    """Number of threads: None and -1 are all cores."""
    if n_jobs is None or n_jobs == -1:
        return len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1
    return max(1, int(n_jobs))


class _Stack:
    """State of a running stack; all of it is in arrays that the compiled steps update."""

    def __init__(self, start: np.ndarray, free: np.ndarray) -> None:
        b, _ = start.shape
        self.theta = np.array(start, order="C")
        self.free = np.atleast_2d(np.ascontiguousarray(free))
        self.before = np.zeros_like(self.theta)
        self.rate = np.full_like(self.theta, rprop.INITIAL_RATE)
        self.steps = np.zeros(b, np.int64)
        self.status = np.zeros(b, np.int64)
        self.loss = np.full(b, np.nan, self.theta.dtype)
        self.reached = np.full(b, np.nan, self.theta.dtype)
        self.trace = np.zeros((b, TRACE), self.theta.dtype)
        self.recorded = np.zeros(b, np.int64)
        self.stride = np.ones(b, np.int64)

    def traces(self) -> list[tuple[np.ndarray, np.ndarray]]:
        """Error records, each ended by the last step's error."""
        out = []
        for b in range(self.steps.size):
            at = 1 + np.arange(self.recorded[b]) * self.stride[b]
            errors = self.trace[b, : self.recorded[b]].astype(float)
            if at.size and at[-1] != self.steps[b]:
                at, errors = np.append(at, self.steps[b]), np.append(errors, float(self.loss[b]))
            out.append((at, errors))
        return out


def train(
    network: Network,
    data: cpu.Data,
    start: np.ndarray,
    free: np.ndarray,
    algorithm: Any,
    *,
    threshold: float = 0.01,
    stepmax: int = 100_000,
    tol: float | None = None,
    keep: int | None = None,
    penalty: np.ndarray | None = None,
    n_jobs: int | None = None,
    watch: Callable[[_Stack], None] | None = None,
    chunk: int | None = None,
    device: str = "cpu",
) -> Fit:
    """Train every network of a stack until it converges.

    Parameters
    ----------
    network : Network
    data : Data
        From `make_data`.
    start : (B, P) array
    free : (P,) or (B, P) bool array
    algorithm : Algorithm or Optimizer
        Of `neuralstat.optimizers`, or R's with all its settings.
    threshold, stepmax : float, int
        R's stopping rule: largest absolute partial derivative, most steps.
    tol : float, optional
        Also stop when a step lowers the error by no more than `tol` times the error (lm, bfgs, lbfgs).
    keep : int, optional
        Train all for a short trial (`TRIAL` steps), go on with the `keep` networks of least error; the others
        are recorded in `Fit.pruned`.
    penalty : (P, 4) array, optional
        From `Penalty.coefficients`.
    n_jobs : int, optional
        Threads; the result does not depend on them.
    watch : callable, optional
        Called about ten times a second with the running stack.
    chunk : int, optional
        Steps per compiled call; measured where not given.
    device : str
        "cpu", "cuda" or "cuda:<number>".

    Returns
    -------
    Fit
        After Ctrl-C too: what there is, with status "interrupted" where a network was still running.

    Raises
    ------
    ArgumentError
        Where the algorithm cannot train this model.
    """
    began = time.perf_counter()
    check_possible(network, data.x.dtype, algorithm.name, tol, penalty)
    net = network.net(penalty)
    dtype = data.x.dtype
    stack = _Stack(np.asarray(start, dtype=dtype), free)
    stop = threading.Event()
    step = make_stepper(net, data, algorithm, float(threshold), tol, int(stepmax), stack)

    def run(b: int, limit: int | None = None) -> None:
        budget = chunk or 50
        while stack.status[b] == cpu.RUNNING and not stop.is_set():
            left = budget if limit is None else min(budget, limit - int(stack.steps[b]))
            if left <= 0:
                return
            before = time.perf_counter()
            step(b, left)
            if chunk is None:
                spent = max(time.perf_counter() - before, 1e-6)
                budget = int(min(max(budget * CHUNK / spent, 1), 4 * budget))

    workers, everyone = threads(n_jobs), list(range(stack.steps.size))
    pruning = keep is not None and keep < len(everyone)
    n = data.x.shape[1]
    shared = n > cpu.PARTITION and stack.steps.size < workers and data.rows.shape[1] == 0
    ran_on = "cpu"
    if device != "cpu":
        from ..engine import cuda
        from ..engine.cuda import trainers

        if pruning:
            raise ArgumentError(f"device={device!r} trains without keep: use device='cpu' for that.")
        ran_on = cuda.find_device(device)
        trainer = trainers.make_trainer(net, data, algorithm, float(threshold), tol, int(stepmax), stack, device)
        cuda.train_stack(trainer, data, stack, device, watch, chunk)
        everyone = []
    elif shared and not pruning and algorithm.name in rprop.CODES:
        settings, code = algorithm.settings(dtype), rprop.CODES[algorithm.name]

        def update(b: int, error: float, grad: np.ndarray) -> None:
            cpu.step_first_order(
                net, code, settings, float(threshold), int(stepmax), error, grad, stack.theta, stack.free,
                stack.before, stack.rate, stack.steps, stack.loss, stack.reached, stack.status, stack.trace,
                stack.recorded, stack.stride, b,
            )  # fmt: skip

        _share_observations(net, data, stack, update, workers, stop, watch)
        everyone = []
    if pruning:
        limit = TRIAL.get(algorithm.name, TRIAL_OTHERS)
        _fan_out(lambda b: run(b, limit), everyone, stack, workers, stop, watch)
        loss = np.where(np.isfinite(stack.loss), stack.loss, np.inf)
        kept = np.sort(np.argsort(loss, kind="stable")[:keep])
        out = np.setdiff1d(everyone, kept)
        if not stop.is_set():
            stack.status[out] = cpu.PRUNED
    if not stop.is_set():
        _fan_out(run, [b for b in everyone if stack.status[b] == cpu.RUNNING], stack, workers, stop, watch)
    stack.status[stack.status == cpu.RUNNING] = cpu.INTERRUPTED
    if algorithm.name == "backprop":  # the step that overflowed is taken back
        lost = (stack.status == cpu.NONFINITE) & (stack.steps > 1)
        moved = np.broadcast_to(stack.free, stack.theta.shape)[lost]
        stack.theta[lost] = np.where(moved, stack.before[lost], stack.theta[lost])
    fit = Fit(stack.theta, np.array(start, dtype=dtype), stack.free, stack.loss, stack.reached, stack.steps,
              stack.status, stack.traces(), time.perf_counter() - began, ran_on, algorithm.name)  # fmt: skip
    return _without_pruned(fit)


def check_possible(
    network: Network, dtype: Any, algorithm: str, tol: float | None, penalty: np.ndarray | None
) -> None:
    """Raise ArgumentError where an algorithm cannot train a model, or a rule does not belong to it."""
    lasso = penalty is not None and bool(np.any(penalty[:, L1] != 0))
    needs = [type(layer).__name__ for layer in network.layers if isinstance(layer, BatchNorm | Dropout)]
    if needs:
        raise ArgumentError(
            f"algorithm={algorithm!r} takes the gradient of one function of the weights, which a network with "
            f"{needs[0]} is not in training: use a minibatch optimizer ('adam', 'sgd', ...)."
        )
    if algorithm in rprop.CODES:
        if tol is not None:
            raise ArgumentError(
                f"tol is a rule for 'lm', 'bfgs' and 'lbfgs'; a step of {algorithm!r} need not lower "
                "the error. Use threshold."
            )
        if lasso and algorithm == "backprop":
            raise ArgumentError(
                "algorithm='backprop' cannot reach exact zeros of an L1 penalty: use 'rprop+' or 'lbfgs'."
            )
        return
    if dtype != np.float64:
        raise ArgumentError(
            f"algorithm={algorithm!r} needs dtype='float64': its steps solve ill-conditioned equations."
        )
    if lasso and algorithm == "bfgs":
        raise ArgumentError(
            "algorithm='bfgs' needs a penalty with derivatives; with an L1 penalty use 'lbfgs' or 'lm'."
        )
    if network.objective.name == "ce_r":
        raise ArgumentError(
            f"algorithm={algorithm!r} needs true derivatives, which R's shortcut for cross entropy (compat='R') "
            "is not for every output: use 'rprop+', or leave compat out."
        )


def _without_pruned(fit: Fit) -> Fit:
    """Put pruned networks aside."""
    gone = fit.status == cpu.PRUNED
    if not gone.any():
        return fit
    at, out = np.flatnonzero(~gone), np.flatnonzero(gone)
    return Fit(
        fit.theta[at], fit.start[at], fit.free if fit.free.shape[0] == 1 else fit.free[at], fit.loss[at],
        fit.reached[at], fit.steps[at], fit.status[at], [fit.trace[b] for b in at], fit.seconds, fit.device,
        fit.algorithm, at, Pruned(out, fit.loss[out], fit.reached[out], fit.steps[out]),
    )  # fmt: skip


def polish(first: Fit, then: Fit, threshold: float) -> Fit:
    """Join a fit and the fit that went on from its weights: steps add up, error records follow each other.

    A repetition that the second algorithm left no better keeps the first's weights. Converged is what the
    threshold calls so, even where rounding kept the second algorithm from its own, smaller one.
    """
    worse = ~(then.loss <= first.loss) & ~(then.reached <= first.reached)
    both = {
        name: np.where(worse[:, np.newaxis] if name == "theta" else worse, getattr(first, name), getattr(then, name))
        for name in ("theta", "loss", "reached", "status")
    }  # fmt: skip
    both["status"] = np.where(both["reached"] <= threshold, cpu.CONVERGED, both["status"])
    trace = [
        (np.append(s, t + s[-1] if s.size else t), np.append(e, f))
        for (s, e), (t, f) in zip(first.trace, then.trace, strict=True)
    ]
    return Fit(
        both["theta"], first.start, first.free, both["loss"], both["reached"], first.steps + then.steps,
        both["status"], trace, first.seconds + then.seconds, first.device,
        f"{first.algorithm}, then {then.algorithm}", first.number, first.pruned,
    )  # fmt: skip


def _share_observations(
    net: cpu.Net, data: cpu.Data, stack: _Stack, step: Callable[[int, float, np.ndarray], None], workers: int,
    stop: threading.Event, watch: Callable[[_Stack], None] | None,
) -> None:  # fmt: skip
    """One network after the other, its observations shared by all threads.

    Sums are formed by partition and added in order, as `cpu.total_gradient` does on one thread: the same
    bits.
    """
    n = data.x.shape[1]
    firsts = range(0, n, cpu.PARTITION)
    dtype = stack.theta.dtype
    parts = np.empty((len(firsts), stack.theta.shape[1]), dtype)
    looked = time.perf_counter()

    def partial(q: int, b: int) -> float:
        first = firsts[q]
        return cpu.loss_gradient(net, data, stack.theta[b], b, first, min(first + cpu.PARTITION, n), parts[q])

    with ThreadPoolExecutor(max_workers=workers) as pool:
        try:
            for b in range(stack.steps.size):
                while stack.status[b] == cpu.RUNNING and not stop.is_set():
                    errors = list(pool.map(partial, range(len(firsts)), [b] * len(firsts)))
                    error, grad = dtype.type(0), np.zeros(parts.shape[1], dtype)
                    for q, value in enumerate(errors):
                        error += dtype.type(value)
                        grad += parts[q]
                    step(b, error, grad)
                    if watch is not None and time.perf_counter() - looked > 0.1:
                        looked = time.perf_counter()
                        watch(stack)
        except KeyboardInterrupt:
            stop.set()
    if watch is not None:
        watch(stack)


def _fan_out(
    run: Callable[[int], None], which: list[int], stack: _Stack, n_threads: int, stop: threading.Event,
    watch: Callable[[_Stack], None] | None,
) -> None:  # fmt: skip
    """Run networks over threads; the main thread watches, and turns Ctrl-C into a clean stop."""
    b = len(which)
    if b == 0:
        return
    first = threading.Event()  # the first network compiles; the others wait, so that it is done once

    def task(k: int) -> None:
        if k > 0:
            first.wait()
        try:
            run(which[k])
        finally:
            first.set()

    with ThreadPoolExecutor(max_workers=min(n_threads, b)) as pool:
        futures = [pool.submit(task, k) for k in range(b)]
        try:
            for future in futures:
                while True:
                    try:
                        future.result(timeout=0.1)
                        break
                    except FutureTimeout:
                        if watch is not None:
                            watch(stack)
            if watch is not None:
                watch(stack)
        except KeyboardInterrupt:
            stop.set()
            for future in futures:
                future.cancel()
        except BaseException:
            stop.set()
            raise
