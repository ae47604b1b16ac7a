"""Train a stack of networks: compiled steps in chunks, over threads, with progress and a clean Ctrl-C."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np

from ..engine import cpu, descent
from ..errors import ArgumentError
from ..functions.losses import ELSEWHERE
from ..functions.penalties import L1
from ..layers import codes
from ..network.network import Network
from ..network.upstream import drops, wanted_table
from ..optimizers import rprop
from .fit import Fit, without_pruned
from .sharing import Sums, Told, share_observations
from .stack import Stack, fan_out, next_budget, threads
from .steppers import Stepper, make_stepper

if TYPE_CHECKING:
    from ..cluster import Objective

TRIAL = {"lm": 20, "bfgs": 60, "lbfgs": 60}  # steps of the trial of `keep=`; others: TRIAL_OTHERS
TRIAL_OTHERS = 500

Watch = Callable[[Stack], None]
Rules = tuple[float, float | None, int]  # threshold, tol, stepmax


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


def trial_steps(algorithm: str) -> int:
    """Steps of the trial of `keep=`."""
    return TRIAL.get(algorithm, TRIAL_OTHERS)


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
    watch: Callable[[Stack], None] | None = None,
    chunk: int | None = None,
    device: str = "cpu",
    stop: threading.Event | None = None,
    elsewhere: Objective | None = None,
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
    stop : Event, optional
        Set after Ctrl-C.
    elsewhere : Objective, optional
        What gives sums over observations that are not in `data`.

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
    net, dtype = network.net(penalty, max(data.x.shape[1], data.rows.shape[1])), data.x.dtype
    stack = Stack(np.asarray(start, dtype=dtype), free)
    net = net._replace(table=wanted_table(network, stack.free))
    if elsewhere is not None:
        net = net._replace(loss=ELSEWHERE, loss_address=elsewhere.address)
    rules = (float(threshold), tol, int(stepmax))
    ran_on, stop = "cpu", threading.Event() if stop is None else stop
    if device == "cpu":
        _train_here(net, data, algorithm, rules, stack, keep, threads(n_jobs), watch, chunk, stop, elsewhere)
    else:
        if keep is not None and keep < stack.steps.size:
            raise ArgumentError(f"device={device!r} trains without keep: use device='cpu' for that.")
        ran_on = _train_on_device(net, data, algorithm, rules, stack, device, watch, chunk)
        if np.any(stack.status == cpu.RUNNING):
            stop.set()
    if elsewhere is not None:
        elsewhere.check()
    stack.status[stack.status == cpu.RUNNING] = cpu.INTERRUPTED
    if algorithm.name == "backprop":  # the step that overflowed is taken back
        lost = (stack.status == cpu.NONFINITE) & (stack.steps > 1)
        moved = np.broadcast_to(stack.free, stack.theta.shape)[lost]
        stack.theta[lost] = np.where(moved, stack.before[lost], stack.theta[lost])
    fit = Fit(stack.theta, np.array(start, dtype=dtype), stack.free, stack.loss, stack.reached, stack.steps,
              stack.status, stack.traces(), time.perf_counter() - began, ran_on, algorithm.name)  # fmt: skip
    return without_pruned(fit)


def _train_on_device(
    net: cpu.Net, data: cpu.Data, algorithm: Any, rules: Rules, stack: Stack, device: str, watch: Watch | None,
    chunk: int | None,
) -> str:  # fmt: skip
    """Train a stack on a CUDA device; the device's name."""
    from ..engine import cuda
    from ..engine.cuda import trainers

    name = cuda.find_device(device)
    trainer = trainers.make_trainer(net, data, algorithm, *rules, stack, device)
    cuda.train_stack(trainer, data, stack, device, watch, chunk)
    return name


def _train_here(
    net: cpu.Net, data: cpu.Data, algorithm: Any, rules: Rules, stack: Stack, keep: int | None, workers: int,
    watch: Watch | None, chunk: int | None, stop: threading.Event, elsewhere: Objective | None,
) -> None:  # fmt: skip
    """Train a stack on threads, a network on each; on all of them together where networks are few and rows many."""
    everyone = list(range(stack.steps.size))
    pruning = keep is not None and keep < len(everyone)
    shared = data.x.shape[1] > max(cpu.PARTITION, net.block) and len(everyone) < workers and data.rows.shape[1] == 0
    if shared and not pruning and algorithm.name in rprop.CODES:
        update = _shared_update(net, algorithm, rules, stack)
        share_observations(net, data, stack, update, workers, stop, watch)
        return
    if shared and not pruning and algorithm.name in ("bfgs", "lbfgs"):
        _share_quasi_newton(net, data, algorithm, rules, stack, workers, watch, chunk, stop)
        return
    step = make_stepper(net, data, algorithm, *rules, stack)
    if elsewhere is not None:  # calls of compiled code are nothing beside messages; Ctrl-C costs the step that runs, alone
        step, chunk = _taken_back(step, stack, elsewhere), 1
    run = _runner(step, stack, stop, chunk)
    together = elsewhere is not None
    if elsewhere is not None:  # threads wait for other machines, and ask these at once
        run, workers = elsewhere.attending(run), len(everyone)
    if pruning:
        limit = trial_steps(algorithm.name)
        fan_out(lambda b: run(b, limit), everyone, stack, workers, stop, watch, together)
        loss = np.where(np.isfinite(stack.loss), stack.loss, np.inf)
        kept = np.sort(np.argsort(loss, kind="stable")[:keep])
        out = np.setdiff1d(everyone, kept)
        if not stop.is_set():
            stack.status[out] = cpu.PRUNED
    if not stop.is_set():
        fan_out(run, [b for b in everyone if stack.status[b] == cpu.RUNNING], stack, workers, stop, watch, together)


def _share_quasi_newton(
    net: cpu.Net, data: cpu.Data, algorithm: Any, rules: Rules, stack: Stack, workers: int, watch: Watch | None,
    chunk: int | None, stop: threading.Event,
) -> None:  # fmt: skip
    """One network after the other, whose loop is told the sums that all threads have formed."""
    with Sums(net, data, stack.theta, workers) as sums:
        for b in range(stack.steps.size):
            told = Told(sums, b, stack.theta.shape[1])
            step = make_stepper(told.net, told.data, algorithm, *rules, stack)
            if not stop.is_set():
                fan_out(_runner(step, stack, stop, chunk), [b], stack, 1, stop, watch)
                told.check()


def train_alone(
    network: Network, data: cpu.Data, start: np.ndarray, free: np.ndarray, algorithm: Any, *, threshold: float,
    tol: float | None, stepmax: int, penalty: np.ndarray | None, stop: threading.Event,
) -> Stack:  # fmt: skip
    """Train one network, weights (P,), in the thread that calls; see `train`."""
    check_possible(network, data.x.dtype, algorithm.name, tol, penalty)
    net, stack = network.net(penalty, data.x.shape[1]), Stack(start[np.newaxis].astype(data.x.dtype), free)
    net = net._replace(table=wanted_table(network, stack.free))
    step = make_stepper(net, data, algorithm, threshold, tol, stepmax, stack)
    _runner(step, stack, stop, None)(0)
    if stack.status[0] == cpu.RUNNING:
        stack.status[0] = cpu.INTERRUPTED
    return stack


def _taken_back(step: Stepper, stack: Stack, elsewhere: Objective) -> Stepper:
    """A stepper whose call leaves a network as it was where Ctrl-C ended its sums: what it was told then is NaN."""

    def stepped(b: int, budget: int) -> None:
        before = stack.state(b)
        step(b, budget)
        if elsewhere.stopped:
            stack.restore(b, before)

    return stepped


def _runner(step: Stepper, stack: Stack, stop: threading.Event, chunk: int | None) -> Any:
    """``run(b, limit=None)``: train network b to its end, or to a number of steps."""

    def run(b: int, limit: int | None = None) -> None:
        budget = chunk or 50
        while stack.status[b] == cpu.RUNNING and not stop.is_set():
            left = budget if limit is None else min(budget, limit - int(stack.steps[b]))
            if left <= 0:
                return
            before = time.perf_counter()
            step(b, left)
            if chunk is None:
                budget = next_budget(budget, time.perf_counter() - before, 4 * budget)

    return run


def _shared_update(
    net: cpu.Net, algorithm: Any, rules: Rules, stack: Stack
) -> Callable[[int, float, np.ndarray], None]:
    """``update(b, error, gradient)``: a step of network b, whose gradient all threads have summed."""
    settings, code = algorithm.settings(stack.theta.dtype), rprop.CODES[algorithm.name]
    threshold, _, stepmax = rules

    def update(b: int, error: float, grad: np.ndarray) -> None:
        descent.step_first_order(
            net, code, settings, threshold, stepmax, error, grad, stack.theta, stack.free,
            stack.before, stack.rate, stack.steps, stack.loss, stack.reached, stack.status, stack.trace,
            stack.recorded, stack.stride, b,
        )  # fmt: skip

    return update


def check_possible(
    network: Network, dtype: Any, algorithm: str, tol: float | None, penalty: np.ndarray | None
) -> None:
    """Raise ArgumentError where an algorithm cannot train a model, or a rule does not belong to it."""
    lasso = penalty is not None and bool(np.any(penalty[:, L1] != 0))
    needs = [("MultiHeadAttention" if row[codes.OP] == codes.ATTENTION else type(layer).__name__)
             + ("'s dropout" if drops(row) else "")
             for layer, row in zip(network.applied_layers, network.table, strict=True)
             if row[codes.OP] in codes.OF_TRAINING or drops(row)]  # fmt: skip
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
