"""Strengths of gaussian penalties by the Laplace approximation of the marginal likelihood, for every network of a stack.

The error E of weights w is a sum of half deviances, S = sum_g lam_g diag(d_g), and weights are a priori normal with the
precision S / phi, phi the dispersion of the noise (1 where the family has none). At the optimum of E + w'Sw / 2, with the
Hessian H of E, the logarithm of the marginal likelihood is about

    l(w, phi) - w'Sw / (2 phi) + log |S / phi|_+ / 2 - log |(H + S) / phi| / 2 + M log(2 pi) / 2

where M weights are not penalised (flat prior; directions that a softmax leaves open do not count) and |.|_+ is the product
of what is positive. The generalised Fellner-Schall update goes uphill in it but for derivatives of H:

    lam_g <- lam_g phi (sum_j d_gj / s_j - tr (H + S)^-1 diag(d_g)) / sum_j d_gj w_j^2

References
----------
Wood & Fasiolo (2017), Biometrics 73:1071. MacKay (1992), Neural Computation 4:415, has the update for one group of each
layer. Foresee & Hagan (1997), ICNN, 1930, and R's package brnn iterate it with Gauss-Newton matrices, and so do we for
networks with hidden units: their exact Hessian is indefinite at many optima, and a search that has to go from one matrix to
the other ends where the two differ. What is reported has the exact Hessian wherever it is positive definite with S.
"""

from __future__ import annotations

import threading
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any

import numpy as np

from ..engine import cpu
from ..errors import ArgumentError
from ..families import Expectile, Quantile
from ..functions.penalties import DECAY
from ..network import derivatives
from ..network.blas import ONE_THREAD
from ..optimizers import OPTIMIZERS
from . import exact
from .curvature import Factor, factor_of, gauss_newton, undetermined
from .fit import Fit
from .settings import DefaultName
from .stack import Stack, fan_out, of_networks, threads
from .strengths import observations_of, penalties_at
from .train import train_alone

if TYPE_CHECKING:
    from .procedure import Procedure

INITIAL = 0.01  # strength that estimation begins with, in units of a dispersion of 1
BRIEF = 1000  # most steps at these by the default algorithm, whose second one goes on
ROUNDS = 60
LONGEST = 3.0  # most that the logarithm of a strength moves in a round
SETTLED = .005  # change of the logarithms of strengths at which rounds end, or
GAIN = 1e-4  # rise of the evidence
EXACT = 1e-7  # the same for models that are fitted exactly
HALVINGS = 4
AWAY = 1e-3  # degrees of freedom of a group that count as none: it is penalised away
LEAST = 1e-10  # strength
SHARP = 1e-4  # largest derivative that fits at trial strengths are trained to, where the user chose no algorithm
ROUGH, FINISHED = 1e-7, 1e-9  # relative fall of the error at which these stop, and the last of them


def check_possible(procedure: Procedure) -> None:
    """Raise ArgumentError where strengths cannot be estimated."""
    settings, objective = procedure.settings, procedure.network.objective
    if settings.device != "cpu":
        raise ArgumentError(f"penalty: strengths are estimated on device='cpu', not on {settings.device!r}.")
    if settings.dtype != "float64":
        raise ArgumentError("penalty: strengths are estimated by Hessians, which need dtype='float64'.")
    if objective.name == "ce_r":
        raise ArgumentError("penalty: strengths are estimated by true derivatives, which R's shortcut for cross entropy "
                            "(compat='R') lacks: leave compat out.")
    if isinstance(objective.family, Quantile | Expectile):
        raise ArgumentError(f"penalty: strengths are estimated by the likelihood, and family={objective.family.name!r} "
                            "minimises a loss that is none: give a strength, or let select() choose one.")  # fmt: skip
    if not objective.several and objective.family is None and objective.name not in ("sse", "ce", "ce_logit"):
        raise ArgumentError(f"penalty: strengths are estimated by the likelihood, and the error function {objective.name!r} "
                            "belongs to no family: give a strength, or fit with family=.")


def dispersed(procedure: Procedure) -> bool:
    """Whether the noise has a dispersion beside the parameters that are trained."""
    objective = procedure.network.objective
    if objective.several:
        return False
    return objective.name == "sse" if objective.family is None else bool(objective.family.dispersed)


# at given strengths ----------------------------------------------------------------------------------------


def train_at(
    procedure: Procedure, strengths: np.ndarray, data: cpu.Data, start: np.ndarray, free: np.ndarray, **how: Any
) -> Fit:
    """Train a stack at strengths (B, G): networks of the same strengths as one stack.

    Parameters
    ----------
    procedure, data, start, free
        See `Procedure.train`.
    strengths : (B, G) array
    how
        n_jobs, keep, stepmax, watch, chunk, owner.
    """
    penalty = penalties_at(procedure, strengths)
    rows, which = np.unique(strengths, axis=0, return_inverse=True)
    if len(rows) == 1:
        fit = procedure.train_with(penalty[0], data, start, free, **how)
        at: Any = slice(None) if fit.number is None else fit.number
        return replace(fit, strengths=strengths[at], penalty=penalty[at])
    parts, numbers = [], []
    for k in range(len(rows)):
        at = np.flatnonzero(which.ravel() == k)
        own = free if free.ndim == 1 or len(free) == 1 else free[at]
        parts.append(procedure.train_with(
            penalty[at[0]], of_networks(data, at, len(start)), start[at], own, **{**how, "watch": None, "keep": None}
        ))  # fmt: skip
        numbers.append(at)
    order = np.argsort(np.concatenate(numbers), kind="stable")
    whole: dict[str, Any] = {name: np.concatenate([getattr(p, name) for p in parts])[order]
             for name in ("theta", "start", "loss", "reached", "steps", "status")}  # fmt: skip
    traces = [trace for p in parts for trace in p.trace]
    return replace(
        parts[0], **whole, free=np.atleast_2d(free), trace=[traces[k] for k in order],
        seconds=sum(p.seconds for p in parts), strengths=strengths, penalty=penalty,
    )  # fmt: skip


# estimation ------------------------------------------------------------------------------------------------


def train(procedure: Procedure, data: cpu.Data, start: np.ndarray, free: np.ndarray, **how: Any) -> Fit:
    """Train a stack and estimate the strengths of each network's penalty.

    Parameters
    ----------
    procedure, data, start, free
        See `Procedure.train`.
    how
        n_jobs, keep, stepmax, watch, chunk, owner.

    Returns
    -------
    Fit
        With `strengths`, `penalty`, `dispersion` and `evidence`; the same for any number of threads.
    """
    check_possible(procedure)
    most = procedure.settings.stepmax if how["stepmax"] is None else how["stepmax"]
    brief = procedure.first_steps(most) < most  # nobody chose an algorithm: another goes on at other strengths anyway
    begun = {**how, "stepmax": min(most, BRIEF)} if brief else how
    first = train_at(procedure, np.full((len(start), len(procedure.groups)), INITIAL), data, start, free, **begun)
    size, b = len(start), len(first.theta)
    numbers = np.arange(b) if first.number is None else first.number
    stack, stop = Stack(first.theta, first.free), threading.Event()
    stack.status[:], stack.steps[:], stack.loss[:], stack.reached[:] = cpu.RUNNING, first.steps, first.loss, first.reached
    found: list[State | None] = [None] * b
    done = first.status == cpu.INTERRUPTED

    def run(k: int) -> None:
        own = observations_of(procedure, data, int(numbers[k]), size)
        moved = first.free[k if len(first.free) > 1 else 0]
        search = Search(procedure, own, moved, stop, how["stepmax"])
        found[k] = state = search.run(first.theta[k].astype(float))
        stack.steps[k] += search.steps
        stack.loss[k], stack.reached[k], stack.status[k] = state.loss, state.reached, state.status

    if not done.any():
        with ONE_THREAD:
            fan_out(run, list(range(b)), stack, threads(how["n_jobs"]), stop, how["watch"])
    states = [at or State.of(first, k, procedure) for k, at in enumerate(found)]
    if (stop.is_set() or done.any()) and not how["owner"]:
        raise KeyboardInterrupt
    strengths = np.stack([s.strengths for s in states])
    status = np.array([s.status if found[k] is not None else cpu.INTERRUPTED for k, s in enumerate(states)])
    trace = [(np.append(s, steps), np.append(e, state.loss)) if s.size and steps > s[-1] else (s, e)
             for (s, e), steps, state in zip(first.trace, stack.steps, states, strict=True)]  # fmt: skip
    name = first.algorithm
    if brief:
        name = f"{name.partition(',')[0]}, then {procedure.pick(int(first.free.sum(axis=1).max()))}"
    loss, reached, phi, evidence = (np.array([getattr(s, f) for s in states]) for f in ("loss", "reached", "phi", "evidence"))
    return replace(
        first, algorithm=name, theta=np.stack([s.theta for s in states]), loss=loss, reached=reached, steps=stack.steps,
        status=status, trace=trace, strengths=strengths, penalty=penalties_at(procedure, strengths), dispersion=phi,
        evidence=evidence,
    )  # fmt: skip


@dataclass
class State:
    """Where a network is: strengths (G,), the optimum there, and the marginal likelihood."""

    strengths: np.ndarray
    theta: np.ndarray
    loss: float
    reached: float
    status: int
    phi: float = 1.0
    evidence: float = -np.inf
    update: np.ndarray | None = None  # (G,) change of the logarithms of strengths that is proposed
    hessian: np.ndarray | None = None  # (F, F) of the error

    @classmethod
    def of(cls, fit: Fit, k: int, procedure: Procedure) -> State:
        """Network k of a fit at the initial strengths, of which no more is known."""
        return cls(np.full(len(procedure.groups), INITIAL), fit.theta[k].astype(float), float(fit.loss[k]),
                   float(fit.reached[k]), int(fit.status[k]), evidence=np.nan)  # fmt: skip


class Search:
    """The search for the strengths of one network.

    Parameters
    ----------
    procedure : Procedure
    data : Data
        Of this network alone, all of whose rows it sees.
    free : (P,) bool array
    stop : Event
        Set after Ctrl-C.
    stepmax : int, optional
        The settings' unless given.
    """

    def __init__(
        self, procedure: Procedure, data: Any, free: np.ndarray, stop: threading.Event, stepmax: int | None
    ) -> None:
        self.procedure, self.network, (self.data, self.n_values) = procedure, procedure.network, data
        self.free, self.stop, self.steps = free, stop, 0
        self.stepmax = procedure.settings.stepmax if stepmax is None else stepmax
        self.exactly = procedure.settings.exact and procedure.exactly
        self.dispersed = dispersed(procedure)
        self.linear = len(self.network.table) == 1
        place = np.cumsum(free) - 1
        self.groups = [(place[g.index[free[g.index]]], g.diagonal[free[g.index]]) for g in procedure.groups]
        base = procedure.penalty
        self.fixed = np.zeros(int(free.sum())) if base is None else base[free, DECAY]

    def run(self, theta: np.ndarray) -> State:
        """Rounds of updates until strengths, or the evidence, no longer change."""
        strengths = np.full(len(self.groups), INITIAL)
        at = self._judged(self._trained(strengths, theta))
        settled, gain = (EXACT, 0.0) if self.exactly else (SETTLED, GAIN)
        stretch = 1.0
        for _ in range(ROUNDS):
            if at.update is None or self.stop.is_set():
                break
            step = np.clip(stretch * at.update, -LONGEST, LONGEST)
            if np.max(np.abs(step), initial=0.0) <= settled:
                break
            new = self._moved(at, step)
            if new is None:
                if stretch == 1.0:
                    break
                stretch = 1.0
                continue
            rise, before = new.evidence - at.evidence, at.update
            at = new
            if rise <= gain and np.max(np.abs(at.update if at.update is not None else 0.0)) <= 10 * settled:
                break
            along = at.update is not None and float(before @ at.update) > 0
            stretch = min(2 * stretch, 4.0) if along else 1.0
        if not (self.exactly or self.stop.is_set()):
            at = self._trained(at.strengths, at.theta, FINISHED)
        if self.stop.is_set():
            at = replace(at, status=cpu.INTERRUPTED)
        return self._judged(at, True)

    def _moved(self, at: State, step: np.ndarray) -> State | None:
        """The network at changed strengths, the change halved until the evidence does not fall; None where it does."""
        slack = 1e-9 * max(abs(at.evidence), 1.0)
        for _ in range(HALVINGS):
            strengths = np.maximum(at.strengths * np.exp(step), LEAST)
            new = self._judged(self._trained(strengths, self._predicted(at, strengths)))
            if new.evidence >= at.evidence - slack:
                return new
            if self.stop.is_set():
                return None
            step = step / 2
        return None

    # the optimum at given strengths ------------------------------------------------------------------------

    def _diagonal(self, strengths: np.ndarray) -> np.ndarray:
        """(F,) diagonal of S."""
        out = self.fixed.copy()
        for lam, (index, d) in zip(strengths, self.groups, strict=True):
            np.add.at(out, index, lam * d)
        return out

    def _predicted(self, at: State, strengths: np.ndarray) -> np.ndarray:
        """Weights (P,) after a Newton step from the optimum to that at other strengths; the optimum where that is worse."""
        if at.hessian is None:
            return at.theta
        new, old = self._diagonal(strengths), self._diagonal(at.strengths)
        loose = undetermined(self.network, self.free, new)
        factor = factor_of(at.hessian + np.diag(new) + loose @ loose.T)
        if factor is None:
            return at.theta
        moved = at.theta.copy()
        moved[self.free] -= factor.solve((new - old) * at.theta[self.free])
        before, after = (derivatives.error(self.network, self.data, t) + float(new @ t[self.free] ** 2) / 2
                         for t in (at.theta, moved))  # fmt: skip
        return moved if after < before else at.theta

    def _trained(self, strengths: np.ndarray, theta: np.ndarray, fall: float = ROUGH) -> State:
        settings, penalty = self.procedure.settings, penalties_at(self.procedure, strengths[np.newaxis])[0]
        if self.exactly:
            fit = exact.train_exactly(self.network, self.data, theta[np.newaxis], self.free, penalty)
            self.steps += int(fit.steps[0])
            return State(strengths, fit.theta[0], float(fit.loss[0]), float(fit.reached[0]), int(fit.status[0]))
        chosen = isinstance(settings.algorithm, DefaultName) or settings.algorithm == "auto"
        threshold, tol = settings.full_threshold, settings.tol
        if chosen:
            algorithm: Any = OPTIMIZERS[self.procedure.pick(int(self.free.sum()))]()
            threshold, tol = min(threshold, SHARP), fall if tol is None else tol
        else:
            algorithm = self.procedure.algorithm(int(self.free.sum()))[0]
        stack = train_alone(
            self.network, self.data, theta, self.free, algorithm, threshold=threshold, tol=tol, stepmax=self.stepmax,
            penalty=penalty, stop=self.stop,
        )  # fmt: skip
        self.steps += int(stack.steps[0])
        status = int(stack.status[0])
        if status in (cpu.STALLED, cpu.STEPMAX) and stack.reached[0] <= settings.full_threshold:
            status = cpu.CONVERGED
        return State(strengths, stack.theta[0], float(stack.loss[0]), float(stack.reached[0]), status)

    # what the marginal likelihood says there ---------------------------------------------------------------

    def _judged(self, state: State, exactly: bool | None = None) -> State:
        """A state with its evidence and the next update, by the exact Hessian or the Gauss-Newton (Fisher) matrix.

        Each takes the other's place where it is not positive definite with the penalty.
        """
        exactly = self.linear if exactly is None else exactly
        if not np.isfinite(state.theta).all() or not np.isfinite(state.loss):
            return state
        w, s = state.theta[self.free], self._diagonal(state.strengths)
        loose = undetermined(self.network, self.free, s)
        for matrix in (self._hessian, self._gauss_newton) if exactly else (self._gauss_newton, self._hessian):
            hessian = matrix(state.theta)
            factor = None if hessian is None else factor_of(hessian + np.diag(s) + loose @ loose.T)
            if factor is not None:
                break
        if factor is None:
            return state
        state.hessian = hessian
        held, unpenalised = s > 0, int(np.sum(s <= 0)) - loose.shape[1]
        bend = float(s @ w**2)
        error = max(state.loss - bend / 2, 0.0) if self.dispersed else state.loss - bend / 2
        n = self.n_values
        if self.dispersed:
            left = n - unpenalised
            if left <= 0 or not 2 * error + bend > 0:
                return state
            state.phi = (2 * error + bend) / left
            fit = -n / 2 * np.log(2 * np.pi * state.phi) - error / state.phi
        else:
            fit = -error
        phi = state.phi
        state.evidence = float(
            fit - bend / (2 * phi) + np.sum(np.log(s[held] / phi)) / 2 - factor.log_determinant / 2
            + w.size * np.log(phi) / 2 + unpenalised * np.log(2 * np.pi) / 2
        )  # fmt: skip
        state.update = self._update(state, w, s, factor)
        return state

    def _update(self, state: State, w: np.ndarray, s: np.ndarray, factor: Factor) -> np.ndarray:
        """(G,) change of the logarithms of the strengths; 0 for groups that are penalised away."""
        variance = factor.inverse_diagonal()
        gauss: np.ndarray | None = None
        out = np.zeros(len(self.groups))
        for g, (lam, (index, d)) in enumerate(zip(state.strengths, self.groups, strict=True)):
            if index.size == 0:
                continue
            used = float(np.sum(d / s[index] - d * variance[index])) * lam
            if used <= 1e-8 * index.size:  # where E bends down, (H + S)^-1 exceeds S^-1
                if gauss is None:
                    gauss = self._gauss_variance(state.theta, s)
                if gauss is not None:
                    used = float(np.sum(d / s[index] - d * gauss[index])) * lam
            size = lam * float(d @ w[index] ** 2)
            step = np.log(max(used, 1e-12)) + np.log(state.phi) - np.log(max(size, 1e-300))
            if used < AWAY and step > 0:
                continue
            out[g] = step
        return out

    def _hessian(self, theta: np.ndarray) -> np.ndarray | None:
        matrix = derivatives.hessian(self.network, self.data, theta)[np.ix_(self.free, self.free)]
        return matrix if np.isfinite(matrix).all() else None

    def _gauss_variance(self, theta: np.ndarray, s: np.ndarray) -> np.ndarray | None:
        """(F,) diagonal of the inverse of the Gauss-Newton matrix and S."""
        matrix, loose = self._gauss_newton(theta), undetermined(self.network, self.free, s)
        factor = None if matrix is None else factor_of(matrix + np.diag(s) + loose @ loose.T)
        return None if factor is None else factor.inverse_diagonal()

    def _gauss_newton(self, theta: np.ndarray) -> np.ndarray | None:
        return gauss_newton(self.network, self.data, theta, self.free)
