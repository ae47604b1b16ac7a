"""The loop over epochs and batches for a stack on a device, as `engine.batches.train_batches` has it for a network."""

from __future__ import annotations

import time
from collections.abc import Callable
from typing import Any

import numpy as np

from ....errors import DeviceError
from ....jit.compile import as_python, entry
from ....jit.random import permute
from ... import batches
from ...cpu import CONVERGED, NONFINITE, RUNNING, STEPMAX
from .. import check_functions, memory, on_device
from .part import Part, bytes_needed, overwrite

LAUNCHED = 0.25  # seconds of steps between which the host looks
MOST_MEMBERS = 32_768  # of a part
MOST_OBSERVATIONS = 16_384  # in work at once
EVALUATED = 1024  # in passes that take no step, where batches are smaller
LEAST = 32


@entry
def permutations(orders: Any, epoch: int, keys: Any, which: Any) -> None:
    """`random.permute` for some networks of a stack."""
    for b in which:
        permute(orders[b], epoch, keys[b])


class Epochs:
    """Training of a stack on a device.

    Parameters
    ----------
    net : Net
    rows, check : engine.batches.Rows
    plan : engine.batches.Plan
    state : engine.batches.State
        Updated.
    optimizer : MinibatchOptimizer
    device : str
    coupled : bool
        True where a batch cannot be cut (batch normalisation).
    epoch_ended : callable, optional
        Called with a network's number at the end of each of its epochs; weights and memory are then in `state`.
    change : callable, optional
        ``(b) -> inputs (n, D)`` of network b in its epoch that begins.
    watch : callable, optional
        Called with the state between launches.
    """

    def __init__(
        self, net: Any, rows: Any, check: Any, plan: Any, state: Any, optimizer: Any, device: str, *, coupled: bool,
        epoch_ended: Callable[[int], None] | None = None, change: Callable[[int], np.ndarray] | None = None,
        watch: Callable[[Any], None] | None = None, chunk: int | None = None,
    ) -> None:  # fmt: skip
        self.net, self.rows, self.check, self.plan, self.state = net, rows, check, plan, state
        self.optimizer, self.device, self.coupled = optimizer, device, coupled
        self.epoch_ended, self.change, self.watch, self.chunk = epoch_ended, change, watch, chunk
        self.n = rows.inputs.shape[0]
        self.batches = -(-self.n // plan.batch)

    def run(self) -> None:
        """Train all networks; after Ctrl-C those that still run keep that status.

        Raises
        ------
        DeviceError
            Where a part of the network has no kernels, or memory is lacking.
        """
        check_functions(self.net)
        what, count = f"device={self.device!r}", self.state.theta.shape[0]
        with on_device(self.device):
            members, block, wide, needed = self._sizes(what)
            stopped = False
            for first in range(0, count, members):
                last = min(first + members, count)
                with memory.running_out(what, needed):
                    part = Part(self.net, self._of(self.rows, first, last), self._of(self.check, first, last), self.plan,
                                self.state, first, last, block, wide)  # fmt: skip
                    try:
                        if not stopped:
                            self._train(part)
                    except KeyboardInterrupt:
                        stopped = True
                        part.wait()
                        part.pull("theta", "memory", "steps")
                    self._finish(part)

    def _of(self, rows: Any, first: int, last: int) -> Any:
        """What networks first .. last see."""
        count = self.state.theta.shape[0]
        return rows._replace(data=memory.part_of(rows.data, first, last, count))

    def _sizes(self, what: str) -> tuple[int, int, int, int]:
        """Networks of a part, observations in work at once (in training, and else), bytes."""
        plan, state, outputs = self.plan, self.state, self.rows.data.y.shape[1]
        shared = sum(a.nbytes for r in (self.rows, self.check) for a in (r.inputs, *r.data))
        room = memory.SHARE * memory.free_bytes()
        block = plan.batch if self.coupled else min(plan.batch, MOST_OBSERVATIONS)
        wide = max(block, min(max(self.n, self.check.inputs.shape[0]), EVALUATED))
        count = 1 if self.change is not None else min(state.theta.shape[0], MOST_MEMBERS)

        def needed() -> int:
            return shared + bytes_needed(self.net, state, outputs, block, wide, count)

        while needed() > room and (count > 1 or wide > block or (block > LEAST and not self.coupled)):
            if count > 1:
                count = -(-count // 2)
            else:
                block = block if wide > block else -(-block // 2)
                wide = block
        if needed() > room:
            raise DeviceError(
                f"{what}: one network needs {memory.megabytes(needed())} on the device for {block} rows of a batch, and "
                f"{memory.megabytes(memory.free_bytes())} are free. Use a smaller batch_size. {memory.REDUCE}"
            )
        return count, block, wide, needed()

    def _train(self, part: Part) -> None:
        state, budget = self.state, self.chunk or 1
        own = slice(part.first, part.last)
        while True:
            running = part.first + np.flatnonzero(state.status[own] == RUNNING)
            if running.size == 0:
                break
            steps = int(state.steps[running].min())  # those that lag behind catch up first
            group = running[(state.steps[running] == steps)]
            same = (state.epoch[group] == state.epoch[group[0]]) & (state.place[group] == state.place[group[0]])
            group = group[same]
            place, epoch = int(state.place[group[0]]), int(state.epoch[group[0]])
            if place == 0:
                self._begin_epoch(part, group, epoch)
            while place < self.batches and group.size:
                count = min(budget, self.batches - place, self.plan.stepmax - steps, part.steps_at_once)
                began = time.perf_counter()
                rates = self.optimizer.rates(steps, count, self.batches, self.batches * self.plan.epochs)
                part.choose(group - part.first)
                factors = state.plateau[own, batches.FACTOR]
                part.take(place, count, np.asarray(rates, np.float64), steps, factors)
                self._look(part, group, place, steps)
                place, steps = place + count, steps + count
                group = group[state.status[group] == RUNNING]
                if place == self.batches and group.size:
                    rate = float(rates[-1])
                    self._end_epoch(part, group, rate)
                if steps >= self.plan.stepmax:
                    late = group[state.status[group] == RUNNING]
                    state.status[late] = STEPMAX
                    group = group[:0]
                if self.watch is not None:
                    self.watch(state)
                if self.chunk is None:
                    spent = max(time.perf_counter() - began, 1e-6)
                    budget = int(min(max(budget * LAUNCHED / spent, 1), 4 * budget))
        part.pull("theta", "memory")

    def _begin_epoch(self, part: Part, group: np.ndarray, epoch: int) -> None:
        """Order of the observations, and their own version of it."""
        state = self.state
        if self.plan.shuffle:
            permutations(state.order, epoch, state.keys, group)
            overwrite(part.there.turn.order, state.order[part.first : part.last])
        if self.change is not None:
            overwrite(part.rows.x, self.change(int(group[0]))[np.newaxis])

    def _look(self, part: Part, group: np.ndarray, place: int, steps: int) -> None:
        """Steps, sums and status from the device."""
        state = self.state
        part.pull("steps", "sums")
        lost = part.stopped()[group - part.first] == NONFINITE
        state.status[group[lost]] = NONFINITE
        state.place[group] = place + state.steps[group] - steps

    def _end_epoch(self, part: Part, group: np.ndarray, rate: float) -> None:
        """As `engine.batches.end_epoch`."""
        plan, state, n = self.plan, self.state, self.n
        epoch, members = int(state.epoch[group[0]]), group - part.first
        line = state.history[:, epoch]
        rates = np.full(group.size, rate)
        if plan.plateau[0] < 1:
            rates = rates * state.plateau[group, batches.FACTOR]
        line[group, batches.LOSS], line[group, batches.METRIC] = (state.sums[group] / n).T
        line[group, batches.RATE] = rates
        if self.check.inputs.shape[0] > 0:
            loss, metric = part.evaluate(members)
            line[group, batches.VAL_LOSS], line[group, batches.VAL_METRIC] = loss[members], metric[members]
        state.loss[group] = line[group, batches.LOSS] * n
        state.sums[group] = 0
        overwrite(part.there.memory.sums, state.sums[part.first : part.last])
        state.epoch[group] = epoch + 1
        state.place[group] = 0
        if plan.threshold >= 0:
            loss, reached = part.measure(members)
            state.loss[group], state.reached[group] = loss[members], reached[members]
            state.status[group[state.reached[group] <= plan.threshold]] = CONVERGED
        if self.epoch_ended is not None:
            part.pull("theta", "memory")
        elif plan.patience >= 0 and plan.restore:
            part.pull("theta")
        for k, b in enumerate(group):
            if plan.patience >= 0 and state.status[b] == RUNNING:
                as_python(batches.stop_early)(plan, state, b, epoch)
            if plan.plateau[0] < 1:
                as_python(batches.reduce_rate)(plan, state, b, epoch, rates[k])
        over = group[(state.status[group] == RUNNING) & (state.epoch[group] >= plan.epochs)]
        state.status[over] = batches.EPOCHS_DONE
        if self.epoch_ended is not None:
            for b in group:
                self.epoch_ended(int(b))

    def _finish(self, part: Part) -> None:
        """The best weights where that was asked for; loss and gradient over all rows at the final ones."""
        plan, state, own = self.plan, self.state, slice(part.first, part.last)
        if plan.patience >= 0 and plan.restore:
            done = part.first + np.flatnonzero(state.epoch[own] > 0)
            state.theta[done] = state.best[done]
            overwrite(part.there.model.theta, state.theta[own])
        if self.change is not None:
            overwrite(part.rows.x, self.rows.inputs[np.newaxis])
        state.loss[own], state.reached[own] = part.measure(np.arange(part.members))
