"""How a fit by epochs ends: loss and gradient at the final weights, error records, history."""

from __future__ import annotations

import threading
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from typing import Any

import numpy as np

from ..engine import batches, cpu
from ..engine.batches import Plan, Rows, State
from . import read_ahead
from .metrics import Record
from .rooms import Rooms
from .stopping import History


@dataclass
class Ending:
    """Loss and largest partial derivative of all rows at the final weights.

    A pass over all rows, forward and back, may take as long as an epoch: of a single network, whose training needed no such
    pass, it is taken when somebody asks.

    Attributes
    ----------
    net : Net
    plan : Plan
    state : State
    again : callable or None
        The rows; None once they were read.
    each : int
        Batches of an epoch.
    n : int
        Rows.
    done : bool
        Whether the pass was taken, by whatever trained; what only it needs is then let go.
    """

    net: cpu.Net
    plan: Plan
    state: State
    again: Callable[[], Rows] | None
    each: int
    n: int
    done: bool = False
    _lock: threading.Lock = field(default_factory=threading.Lock, repr=False)  # the fit may be asked by several threads

    @property
    def late(self) -> bool:
        """Whether the pass waits until somebody asks."""
        return self.state.steps.size == 1 and self.plan.threshold < 0

    def measure(self, b: int, rows: Rows) -> None:
        """The pass for network b."""
        nothing = rows._replace(inputs=np.zeros((0, rows.inputs.shape[1]), rows.inputs.dtype), first=-1)

        rooms = Rooms()

        def run(part: Rows, check: Rows, most: int, task: int) -> None:
            with rooms.one(self.net, self.plan, rows.data.y.shape[1], self.state.theta) as room:
                batches.train_batches(self.net, part, check, self.plan, self.state, np.zeros(0), b, 0, False, task, room)

        if self.plan.staged:
            read_ahead.measure(read_ahead.Windows(rows, nothing, self.plan, self.state, b, self.net.block), run)
        else:
            run(rows, nothing, 0, batches.FINISH)

    def _asked(self) -> State:
        with self._lock:
            if not self.done:
                assert self.again is not None
                self.measure(0, self.again())
                self.finished()
        return self.state

    def finished(self) -> None:
        """The pass was taken: let go of what only it needs."""
        none = self.state.theta[:, :0]
        self.state = self.state._replace(memory=none, best=none, whole=none, order=none)
        self.again, self.done = None, True

    def fields(self) -> tuple[Any, Any, Any]:
        """Fields `loss`, `reached` and `trace` of a fit."""
        state = self.state
        if self.done or not self.late:
            return state.loss, state.reached, self.traces()
        return (lambda: self._asked().loss), (lambda: self._asked().reached), self.traces

    def traces(self) -> list[tuple[np.ndarray, np.ndarray]]:
        """Error records: the steps at the ends of epochs and n times the epoch's mean loss."""
        out = []
        for b, epochs in enumerate(map(int, self.state.epoch)):
            if epochs:
                done = self.each * np.arange(1, epochs + 1), self.state.history[b, :epochs, batches.LOSS] * self.n
            else:
                state = self._asked() if self.late else self.state
                done = np.array([state.steps[b]]), np.array([float(state.loss[b])])
            out.append(done)
        return out


def put_back_best(own: State, plan: Plan, b: int) -> None:
    """The weights of the best epoch, where early stopping restores them."""
    if plan.patience >= 0 and plan.restore and own.epoch[b] > 0:
        own.theta[b] = own.best[b]


def call_back(
    callbacks: Sequence[Any], state: State, columns: tuple[str, ...], b: int, record: Record | None, unit: float
) -> None:
    """Tell callbacks of an epoch of network b, in the user's units; any of them may stop it."""
    epoch = int(state.epoch[b])
    values = state.history[b, epoch - 1]
    logs: dict[str, Any] = {"rep": b + 1, "epoch": epoch, "step": int(state.steps[b])}
    if record is not None:
        logs.update({name: float(v) for name, v in zip(record.columns, record.values[b, epoch - 1], strict=True)})
    units = {name: unit if name.endswith(("loss", "mse")) else 1.0 for name in columns}
    logs.update({name: float(v) * units[name] for name, v in zip(columns, values, strict=True) if name})
    stopped = [bool(callback(epoch, dict(logs))) for callback in callbacks]
    if any(stopped) and state.status[b] == cpu.RUNNING:
        state.status[b] = batches.STOPPED_BY_CALLBACK


def history_of(state: State, plan: Plan, columns: tuple[str, ...], record: Record | None) -> History:
    """What was recorded of each epoch."""
    used = [k for k, name in enumerate(columns) if name]
    longest = int(state.epoch.max(initial=0))
    best = np.zeros(state.steps.size, np.int64)
    if plan.restore:
        best = np.where(state.epoch > 0, state.stopping[:, batches.BEST_EPOCH].astype(np.int64) + 1, 0)
    names, values = [columns[k] for k in used], state.history[:, :longest, used]
    if record is not None:
        more = [k for k, name in enumerate(record.columns) if name not in names]  # what kernels measure stays theirs
        names[-1:-1] = [record.columns[k] for k in more]  # before the learning rate
        values = np.concatenate([values[..., :-1], record.values[:, :longest, more], values[..., -1:]], axis=2)
        best = np.array([found[0] if (found := record.restored(b)) else best[b] for b in range(best.size)], np.int64)
    return History(tuple(names), np.ascontiguousarray(values), state.epoch.copy(), best)
