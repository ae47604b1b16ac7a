"""What training returns for a stack of networks, and how fits are joined and pruned."""

from __future__ import annotations

from dataclasses import dataclass, field, replace
from typing import Any

import numpy as np

from ..engine import batches, cpu
from .stopping import History

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

ESTIMATED = ("strengths", "penalty", "dispersion", "evidence")  # fields of a fit whose penalty was estimated


class Late:
    """A field of a frozen dataclass that may be given as a function: it is called when the field is first asked for."""

    def __init__(self, name: str) -> None:
        self.name = name

    def __get__(self, instance: Any, owner: type | None = None) -> Any:
        if instance is None:
            raise AttributeError(self.name)
        value = instance.__dict__[self.name]
        if callable(value):
            value = instance.__dict__[self.name] = value()
        return value

    def __set__(self, instance: Any, value: Any) -> None:
        instance.__dict__[self.name] = value


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
        Error at `theta`, with the penalty. Like `reached` and `trace`, it may be worked out when it is first asked for: fits
        by epochs without a threshold do not need it, and a pass over all rows may take as long as an epoch.
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
    strengths : (B, G) array, optional
        Strengths of the penalty by group (`Procedure.groups`), where some were estimated; infinite where a group was
        penalised away.
    penalty : (B, P, 4) array, optional
        The whole penalty at these strengths.
    dispersion : (B,) array, optional
        Of the noise at these strengths, internal units; 1 where the family has none.
    evidence : (B,) array, optional
        Logarithm of the marginal likelihood (`strengths.evidence`), up to what all repetitions share.
    state : dict of arrays, optional
        Of the minibatch optimizers, at the end of training: what `update` goes on from. Not saved.
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
    strengths: np.ndarray | None = None
    penalty: np.ndarray | None = None
    dispersion: np.ndarray | None = None
    evidence: np.ndarray | None = None
    state: dict[str, np.ndarray] | None = field(default=None, repr=False)

    def __getstate__(self) -> dict[str, Any]:
        """What is pickled: values, no functions."""
        return {**self.__dict__, "loss": self.loss, "reached": self.reached, "trace": self.trace}

    @property
    def ranking(self) -> np.ndarray:
        """(B,) what the best repetition has least of: error; minus the evidence where each has a penalty of its own."""
        return (self.loss if self.evidence is None else -self.evidence).astype(float)

    @property
    def converged(self) -> np.ndarray:
        """(B,) bool: a stopping rule was met (threshold, relative tolerance, early stopping, a callback)."""
        return np.isin(self.status, (cpu.CONVERGED, cpu.TOLERANCE, batches.STOPPED_EARLY, batches.STOPPED_BY_CALLBACK))

    @property
    def finished(self) -> np.ndarray:
        """(B,) bool: converged, or all planned epochs done; means over repetitions, and the best of them, are of these."""
        return self.converged | (self.status == batches.EPOCHS_DONE)

    @property
    def estimated(self) -> dict[str, np.ndarray | None]:
        """What is there where strengths of a penalty were estimated, by name."""
        return {name: getattr(self, name) for name in ESTIMATED}

    def estimated_of(self, at: Any) -> dict[str, Any]:
        """`estimated` of some networks."""
        return {name: None if value is None else value[at] for name, value in self.estimated.items()}

    def part(self, at: slice) -> Fit:
        """The fit of some networks of the stack."""
        return replace(
            self, theta=self.theta[at], start=self.start[at], free=self.free if self.free.shape[0] == 1 else self.free[at],
            loss=self.loss[at], reached=self.reached[at], steps=self.steps[at], status=self.status[at],
            trace=self.trace[at], **self.estimated_of(at),
        )  # fmt: skip


for _name in ("loss", "reached", "trace"):
    setattr(Fit, _name, Late(_name))


def without_pruned(fit: Fit) -> Fit:
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
    both["status"] = np.where(then.status == cpu.INTERRUPTED, cpu.INTERRUPTED, both["status"])
    trace = [
        (np.append(s, t + s[-1] if s.size else t), np.append(e, f))
        for (s, e), (t, f) in zip(first.trace, then.trace, strict=True)
    ]
    return Fit(
        both["theta"], first.start, first.free, both["loss"], both["reached"], first.steps + then.steps,
        both["status"], trace, first.seconds + then.seconds, first.device,
        f"{first.algorithm}, then {then.algorithm}", first.number, first.pruned,
    )  # fmt: skip


def joined(first: Fit, at: np.ndarray, then: Fit) -> Fit:
    """A fit of which the repetitions `at` (from 0) went on with another algorithm.

    Steps add up, error records follow each other. A repetition that the second algorithm left worse keeps the weights and
    the status that it had.
    """
    parts = {name: getattr(first, name).copy() for name in ("theta", "loss", "reached", "status", "steps")}
    trace = list(first.trace)
    for k, b in enumerate(at):
        (s, e), (t, f) = first.trace[b], then.trace[k]
        trace[b] = (np.append(s, t + s[-1] if s.size else t), np.append(e, f))
        parts["steps"][b] += then.steps[k]
        if then.loss[k] <= first.loss[b] or then.reached[k] <= first.reached[b]:
            for name in ("theta", "loss", "reached", "status"):
                parts[name][b] = getattr(then, name)[k]
        elif then.status[k] == cpu.INTERRUPTED:
            parts["status"][b] = cpu.INTERRUPTED
    name = f"{first.algorithm}, then {then.algorithm}"
    return replace(first, **parts, trace=trace, seconds=first.seconds + then.seconds, algorithm=name)
