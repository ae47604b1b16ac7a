"""Part of a stack on the device: its arrays there, and what can be done with them."""

from __future__ import annotations

from types import SimpleNamespace
from typing import Any

import numpy as np

from ....optimizers import first_order
from ...cpu import INTERRUPTED, RUNNING
from .. import fetch, packed, send, simulated
from ..losses import parameters_of
from .arrays import ITEMS, Buffers, Memory, Model, Rows, Turn
from .graph import Repeated
from .program import PARTS, Products, Program, lanes, turned_room
from .update import constants_of

PADDING = 32  # rows of units are multiples of so many numbers long
MOST_ITEMS = 4096  # blocks of observations of a launch from the host


def overwrite(there: Any, here: np.ndarray) -> None:
    """Copy an array to one of its shape on the device."""
    if here.size == 0:
        return
    if simulated():
        there[...] = here
    else:
        there.copy_to_device(packed(here))


class Part:
    """Networks first .. last of a stack.

    Parameters
    ----------
    net : Net
    rows, check : engine.minibatch.Rows
        Of these networks.
    plan, state : engine.minibatch.Plan, State
        `state` is read here, and updated by `pull`.
    block, wide : int
        Observations of a batch that are in work at once; of passes that take no step.
    """

    def __init__(
        self, net: Any, rows: Any, check: Any, plan: Any, state: Any, first: int, last: int, block: int, wide: int
    ) -> None:
        self.net, self.plan, self.state, self.block, self.wide = net, plan, state, block, wide
        self.first, self.last, self.members = first, last, last - first
        self.dtype, self.n = state.theta.dtype, rows.inputs.shape[0]
        n_params = state.theta.shape[1]
        self.passes = -(-plan.batch // block)  # of a batch
        self.stream: Any = 0
        if not simulated():
            from numba import cuda

            self.stream = cuda.stream()
        self.products = Products(net.table, str(self.dtype))
        self.rows = self._rows(rows)
        self.check = self._rows(check) if check.inputs.shape[0] > 0 else self.rows
        self.steps_at_once = max(1, MOST_ITEMS // self.passes)
        self.there = there = SimpleNamespace()
        there.turn = Turn(
            send(np.zeros((MOST_ITEMS, ITEMS), np.int64)), send(np.zeros(1, np.int64)),
            send(np.full(self.members, INTERRUPTED)),
            send(np.zeros((self.members, self.n if plan.shuffle else 0), np.int64)),
        )  # fmt: skip
        self.none = send(np.zeros((self.members, 0), np.int64))
        there.model = Model(
            send(net.table), send(net.constants.astype(self.dtype)), send(state.theta[first:last]),
            send(np.zeros((self.members, n_params), self.dtype)), send(self.products.table),
        )  # fmt: skip
        told = parameters_of(net)
        there.parameter = told if isinstance(told, float) else send(told)
        there.buffers, there.memory = self._buffers(rows.data.y.shape[1]), self._memory(n_params)
        self.step = Repeated(list(self._step()), self.stream)
        # passes that take no step see the observations in their own order
        self.measured = self._program(self.wide, self.none)
        self.forward: Repeated | None = None
        self.gradient: Repeated | None = None

    def _rows(self, rows: Any) -> Rows:
        data = rows.data
        return Rows(send(rows.inputs[np.newaxis]), send(data.y), send(data.weight), send(data.offset))

    def _buffers(self, outputs: int) -> Buffers:
        s, width = self.members, self.net.width
        length = -(-self.wide // PADDING) * PADDING
        room = max(self.products.room(self.block, s), self.products.room(self.wide, s))

        def zeros(*shape: int) -> Any:
            return send(np.zeros((s, *shape), self.dtype))

        parts = min(PARTS, -(-self.wide // lanes()))
        return Buffers(
            zeros(width, length), zeros(width, length), zeros(width, length), zeros(outputs, length), zeros(length),
            send(np.zeros((s, 1 if simulated() else parts, 2))), zeros(room), zeros(turned_room(self.net.table)),
        )  # fmt: skip

    def _memory(self, n_params: int) -> Memory:
        plan, state, s = self.plan, self.state, self.members
        movable = np.ones(n_params, bool)
        movable[plan.held] = False
        groups = plan.groups if plan.groups.size else np.zeros(n_params, np.int64)
        own = s if plan.plateau[0] < 1 else 1
        blocks = 1 if simulated() else min(-(-n_params // lanes()), 64)
        return Memory(
            send(state.memory[self.first : self.last]), send(movable), send(self.net.penalty.astype(self.dtype)),
            send(groups.astype(np.int64)), send(np.zeros((s, max(plan.n_groups, 1)))),
            send(state.steps[self.first : self.last]), send(state.sums[self.first : self.last]),
            send(np.zeros((s, blocks))), send(np.zeros((self.steps_at_once, own, first_order.CONSTANTS), self.dtype)),
            send(state.keys[self.first : self.last]), send(plan.momentum.astype(self.dtype)),
            type(plan.bound)(*map(send, plan.bound)),
        )  # fmt: skip

    def _program(self, observations: int, order: Any = None) -> Program:
        there = self.there
        if order is not None:
            there = SimpleNamespace(**vars(there))
            there.turn = there.turn._replace(order=order)
        return Program(self.net, self.products, there, observations, self.members, str(self.dtype))

    def _step(self) -> Any:
        """Launches of a step."""
        plan, program = self.plan, self._program(self.block)
        for k in range(self.passes):
            yield from program.collect(self.rows)
            yield from program.forward(1)
            yield program.objective(plan.metric, plan.cut)
            yield from program.backward(1)
            if k < self.passes - 1:
                yield program.advance()
        yield from program.step(plan.code, plan.settings, max(plan.n_groups, 1))
        yield program.advance()

    def choose(self, members: np.ndarray) -> None:
        """Only these (numbers from 0 within the part) take part in what follows."""
        status = np.full(self.members, INTERRUPTED)
        status[members] = RUNNING
        overwrite(self.there.turn.status, status)

    def begin(self, items: np.ndarray) -> None:
        """Items of the launches that follow."""
        whole = np.zeros((MOST_ITEMS, ITEMS), np.int64)
        whole[: len(items)] = items
        overwrite(self.there.turn.items, whole)
        overwrite(self.there.turn.clock, np.zeros(1, np.int64))

    def take(self, place: int, count: int, rates: np.ndarray, steps: int, factors: np.ndarray) -> None:
        """`count` steps from batch `place` of the epoch on, for the members that are chosen.

        Parameters
        ----------
        rates : (count,) array
            Learning rates.
        steps : int
            Steps before these.
        factors : (members,) array
            What each member's rates are multiplied by.
        """
        items = []
        for k in range(count):
            start = (place + k) * self.plan.batch
            stop = min(start + self.plan.batch, self.n)
            for j in range(self.passes):
                at = min(start + j * self.block, stop)
                items.append((at, min(self.block, stop - at), k, stop - start))
        self.begin(np.array(items))
        constants = constants_of(self.plan.code, self.plan.settings, rates, steps)
        own = self.there.memory.constants.shape[1]
        whole = np.zeros(self.there.memory.constants.shape, self.dtype)
        whole[:count] = constants[:, np.newaxis]
        if own > 1 or self.plan.plateau[0] < 1:
            whole[:count, :, 1:3] *= factors[:, np.newaxis]  # rate, and decay
        overwrite(self.there.memory.constants, whole)
        for _ in range(count):
            self.step()
        self.wait()

    def wait(self) -> None:
        """Until all launches have run."""
        if not simulated():
            self.stream.synchronize()

    def _passes(self, n: int) -> Any:
        """Parts of items for n observations in their own order, each as many as are sent at once."""
        items = [(at, min(self.wide, n - at), 0, n) for at in range(0, n, self.wide)]
        for k in range(0, len(items), MOST_ITEMS):
            yield np.array(items[k : k + MOST_ITEMS])

    def evaluate(self, members: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
        """Mean loss, with the penalty, and mean metric of the validation rows, for these members."""
        program, n, plan = self.measured, self.check.x.shape[1], self.plan
        if self.forward is None:
            launches = [*program.collect(self.check), *program.forward(0), program.objective(plan.metric, plan.cut),
                        program.advance()]  # fmt: skip
            self.forward = Repeated(launches, self.stream)
        self._run(self.forward, n, members)
        loss, score = self._sums()
        return loss / n + self._penalty(n), score / n

    def _run(self, repeated: Repeated, n: int, members: np.ndarray) -> None:
        self.choose(members)
        for items in self._passes(n):
            self.begin(items)
            for _ in range(len(items)):
                repeated()
        self.wait()

    def _sums(self) -> tuple[np.ndarray, np.ndarray]:
        """Sums of loss and metric, which are then zero."""
        parts = np.zeros(self.there.buffers.parts.shape)
        fetch(self.there.buffers.parts, parts)
        overwrite(self.there.buffers.parts, np.zeros(parts.shape))
        return parts[:, :, 0].sum(axis=1), parts[:, :, 1].sum(axis=1)

    def _penalty(self, whole: int) -> np.ndarray | float:
        """Penalty of every member; the gradient is zero before and after."""
        if self.net.penalty.shape[0] == 0:
            return 0.0
        Repeated([self.measured.prepare(whole), self.measured.forget()], self.stream)()
        return self._extra()

    def _extra(self) -> np.ndarray:
        self.wait()
        extra = np.zeros(self.there.memory.extra.shape)
        fetch(self.there.memory.extra, extra)
        return extra.sum(axis=1)

    def measure(self, members: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
        """Loss and largest partial derivative over all observations, in the scale of sums, for these members."""
        program = self.measured
        if self.gradient is None:
            launches = [*program.collect(self.rows), *program.forward(0), program.objective(0, 0.0),
                        *program.backward(0), program.advance()]  # fmt: skip
            self.gradient = Repeated(launches, self.stream)
        self._run(self.gradient, self.n, members)
        loss, _ = self._sums()
        scale = 1.0
        if self.net.penalty.shape[0] > 0:
            Repeated([program.prepare(self.n)], self.stream)()
            loss, scale = loss + self.n * self._extra(), float(self.n)
        grad = np.zeros(self.there.model.grad.shape, self.dtype)
        fetch(self.there.model.grad, grad)
        overwrite(self.there.model.grad, np.zeros_like(grad))
        free = np.broadcast_to(self.state.free, self.state.theta.shape)[self.first : self.last]
        return loss, scale * np.max(np.abs(np.where(free, grad, 0)), axis=1)

    def pull(self, *names: str) -> None:
        """Bring arrays of the state back: theta, memory, steps, sums."""
        found = {"theta": self.there.model.theta, "memory": self.there.memory.slots, "steps": self.there.memory.steps,
                 "sums": self.there.memory.sums}  # fmt: skip
        for name in names:
            here = getattr(self.state, name)[self.first : self.last]
            if here.size:
                fetch(found[name], here)

    def stopped(self) -> np.ndarray:
        """Status of the members on the device."""
        status = np.zeros(self.members, np.int64)
        fetch(self.there.turn.status, status)
        return status


def bytes_needed(net: Any, state: Any, outputs: int, block: int, wide: int, members: int) -> int:
    """Bytes on the device for so many members with so many observations in work, beside the observations."""
    products, n_params = Products(net.table, str(state.theta.dtype)), state.theta.shape[1]
    length = -(-wide // PADDING) * PADDING
    numbers = (3 * net.width + outputs + 1) * length + (2 + state.memory.shape[1]) * n_params
    numbers += max(products.room(m, members) for m in (block, wide)) + turned_room(net.table)
    return members * (numbers * state.theta.itemsize + 8 * state.order.shape[1])


