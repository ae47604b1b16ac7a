"""What is left to train on where the first layers are frozen: their units are worked out once, not at every step.

The units of rows that do not change in a fit (`network.upstream.constant_rows`) and that the other rows read are the
features. The remainder is the table of the other rows, which reads features in place of inputs; its rows write where they
wrote, so that random numbers and blocks are those of the whole network, and results are the same bits.
"""

from __future__ import annotations

import hashlib
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

import numpy as np

from ..checks.memory import LEFT, memory_at_hand
from ..engine import batches, cpu
from ..engine.batches import Plan, Rows, State
from ..engine.cpu import Net
from ..engine.data import make_data
from ..functions.penalties import DECAY, ELIMINATION, L1
from ..layers import codes
from ..network.upstream import constant_rows, masks_of, reads, weight_slices, writes
from .interrupts import deferred
from .read_ahead import is_read
from .rooms import Rooms

if TYPE_CHECKING:
    import threading

    from ..network.network import Network

SHARE = 0.5 * LEFT  # of the memory at hand, what features may take
AT_ONCE = 4  # blocks of observations between two looks at the keyboard
_OF_WEIGHTS = ("theta", "best")  # parts of a state that have an element for each weight


@dataclass
class Remainder:
    """The rows that change, as a network of their own.

    Attributes
    ----------
    net : Net
        As kernels see it.
    plan : Plan
    base : Net
        The rows that do not change.
    at : (F,) int64 array
        Buffer rows of the features.
    to : (F,) int64 array
        Where the remainder reads them: buffer rows that begin with 0.
    width : int
        Inputs of the remainder, with what lies between features.
    weights : (p,) int64 array
        Positions of the remainder's weights in the flat vector.
    sources : (B,) int array
        Number of each network's features: networks whose frozen weights are the same share them.
    rows : list of (Rows, Rows)
        For each network rows and validation rows whose inputs are features; from `begin`.
    """

    net: Net
    plan: Plan
    base: Net
    at: np.ndarray
    to: np.ndarray
    width: int
    weights: np.ndarray
    sources: np.ndarray
    rows: list[tuple[Rows, Rows]] = field(default_factory=list)

    def begin(self, rows: Rows, check: Rows, state: State, workers: int, stop: threading.Event) -> State:
        """Work out the features; the remainder's part of a state, see `state`."""
        sets = [self.features(part, state.theta, workers, stop) for part in (rows, check)]
        self.rows = [(sets[0][source], sets[1][source]) for source in self.sources]
        if state.best.shape[1]:
            state.best[state.epoch == 0] = state.theta[state.epoch == 0]  # which has frozen weights, too
        return self.state(state)

    def means(self, network: Network, rows: Rows, theta: np.ndarray, k: int, b: int) -> np.ndarray:
        """(K, m) means, internal units, of weights (p,) of network b at its rows (k: 0) or validation rows (1)."""
        own = self.rows[b][k]
        x = np.ascontiguousarray(own.inputs.T, dtype=float)
        offset = own.data.offset
        if offset.size == 0 and network.offset:
            offset = np.zeros((1, x.shape[1]))
        data = make_data(x, np.zeros((network.n_outputs, x.shape[1])), offset=None if offset.size == 0 else offset)
        out = np.empty((1, network.n_outputs, x.shape[1]))
        cpu.output_values(self.net, data, theta[np.newaxis].astype(float), out,
                          cpu.room_for(self.net, network.n_outputs, float))  # fmt: skip
        return network.objective.response(out[0])

    def features(self, rows: Rows, theta: np.ndarray, workers: int, stop: threading.Event) -> list[Rows]:
        """Rows whose inputs are features, for each number of `sources`; incomplete after Ctrl-C, which sets `stop`."""
        found = []
        n, step, rooms = rows.inputs.shape[0], AT_ONCE * self.base.block, Rooms()
        for source in range(int(self.sources.max()) + 1):
            own = theta[int(np.argmax(self.sources == source))]
            out = np.zeros((n, self.width), theta.dtype)
            made = out if np.array_equal(self.to, np.arange(self.width)) else np.empty((n, self.at.size), theta.dtype)

            def part(first: int, own: np.ndarray = own, made: np.ndarray = made) -> None:
                if stop.is_set():
                    return
                last, window = min(first + step, n), rows
                if is_read(rows):
                    given: Any = rows.inputs
                    given.read(np.arange(first, last), inputs := np.empty((last - first, given.shape[1]), theta.dtype))
                    window = rows._replace(inputs=inputs, first=first)
                with rooms.one(self.base, self.plan, rows.data.y.shape[1], own) as room:
                    batches.kept_units(self.base, window, own, self.at, first, last, made, room.work)

            with deferred() as keys, ThreadPoolExecutor(max_workers=workers) as pool:
                try:
                    for _ in pool.map(part, range(0, n, step)):
                        keys.look()
                except KeyboardInterrupt:
                    stop.set()
            if made is not out:
                out[:, self.to] = made
            found.append(rows._replace(inputs=out))
        return found

    def state(self, whole: State) -> State:
        """The remainder's part of a state; what is not of weights is shared with it."""
        parts = {name: np.ascontiguousarray(getattr(whole, name)[:, self.weights]) if getattr(whole, name).shape[1] else
                 getattr(whole, name) for name in _OF_WEIGHTS}  # fmt: skip
        return whole._replace(
            free=np.ascontiguousarray(whole.free[:, self.weights]),
            memory=np.ascontiguousarray(whole.memory[:, :, self.weights]), **parts,
        )  # fmt: skip

    def put_back(self, own: State, whole: State, b: int) -> None:
        """Weights and memory of network b into the state of all weights."""
        for name in _OF_WEIGHTS:
            if getattr(own, name).shape[1]:
                getattr(whole, name)[b, self.weights] = getattr(own, name)[b]
        whole.memory[b][:, self.weights] = own.memory[b]


def remainder(network: Network, net: Net, plan: Plan, state: State, *sets: Rows) -> Remainder | None:
    """What is left to train on; None where no row is constant, or features would not fit into memory.

    Parameters
    ----------
    network : Network
    net : Net
        Of the whole network, with `codes.WANTED` as the fit has it.
    plan : Plan
    state : State
        Before the first step.
    *sets : Rows
        Observations whose features will be asked for.
    """
    table = net.table
    free = np.array(state.free.any(axis=0))
    fixed = constant_rows(network, free, plan.momentum)
    if not fixed.any():
        return None
    changing = np.flatnonzero(~fixed)
    at = _read(table, changing)
    place = _placed(table, changing, at)
    if place is None:
        return None
    to, shift = place
    parts = weight_slices(network)
    own = sorted({(parts[k].start, parts[k].stop) for k in changing})  # several rows may share weights
    frozen = [parts[k] for k in np.flatnonzero(fixed)]
    width = int(to.max()) + 1
    sources = _sources(state.theta, frozen)
    wanted = sum(rows.inputs.shape[0] for rows in sets) * (width + at.size) * (int(sources.max()) + 1)
    if wanted * state.theta.itemsize > SHARE * memory_at_hand():
        return None
    rest = table[changing].copy()
    rest[:, codes.SOURCE] -= shift
    penalty, weights = net.penalty, np.arange(network.n_params)
    loss = len(penalty) and any(penalty[part, column].any() for part in frozen for column in (DECAY, ELIMINATION, L1))
    if not loss and not plan.bound.at.size:
        # the optimizer sees nothing of weights that do not move; a penalty on them is part of the loss
        weights = np.concatenate([np.arange(*part) for part in own])
        ends = np.cumsum([last - first for first, last in own])
        begins = {first: end - (last - first) for (first, last), end in zip(own, ends, strict=True)}
        rest[:, codes.PARAM] = [begins[parts[k].start] for k in changing]
        penalty = penalty[weights] if len(penalty) else penalty
    held = np.flatnonzero(~free[weights]).astype(np.int64)
    constants = net.constants[changing]
    return Remainder(
        net._replace(table=rest, constants=constants, penalty=np.ascontiguousarray(penalty)),
        plan._replace(held=held, groups=plan.groups[weights] if plan.groups.size else plan.groups,
                      momentum=plan.momentum[changing]),
        net._replace(table=table[fixed], constants=net.constants[fixed], penalty=net.penalty[:0],
                     loss=0, loss_parameter=0.0, loss_address=0),
        at, to, width, weights, sources,
    )  # fmt: skip


def _read(table: np.ndarray, changing: np.ndarray) -> np.ndarray:
    """Buffer rows that the rows `changing` of a table read and do not write."""
    read = {at for row in table[changing] for first, end in reads(row) for at in range(first, end)}
    written = {at for row in table[changing] for first, end in writes(row) for at in range(first, end)}
    return np.array(sorted(read - written), np.int64)


def _placed(table: np.ndarray, changing: np.ndarray, at: np.ndarray) -> tuple[np.ndarray, np.ndarray] | None:
    """Where features lie in the remainder's buffer, and by how much each of its rows reads lower; None where they cannot.

    Where they lay, if that leaves few gaps; else side by side at the beginning, if no row reads a feature and something
    else together, or writes there.
    """
    inputs = int(table[:, codes.SOURCE].min())
    if at[-1] + 1 - inputs <= 2 * at.size:
        return at, np.zeros(len(changing), np.int64)
    occupied = [codes.TARGET, codes.SCRATCH, codes.OFFSET]
    lowest = min(int(row[column]) for row in table[changing] for column in occupied if row[column] >= 0)
    if at.size > lowest:
        return None
    shift = np.zeros(len(changing), np.int64)
    for j, k in enumerate(changing):
        for first, end in reads(table[k]):
            own = np.searchsorted(at, [first, end])
            if own[0] == own[1]:
                if end <= at.size:
                    return None
                continue
            if own[1] - own[0] < end - first or masks_of(table[k]):
                return None
            shift[j] = first - own[0]
    return np.arange(at.size), shift


def _sources(theta: np.ndarray, frozen: list[slice]) -> np.ndarray:
    """Numbers of the distinct frozen weights of a stack (B, P), in the order in which they come."""
    known: dict[bytes, int] = {}
    out = np.zeros(len(theta), np.int64)
    for b in range(len(theta) if len(theta) > 1 else 0):
        digest = hashlib.sha256()
        for part in frozen:
            digest.update(theta[b, part].tobytes())
        out[b] = known.setdefault(digest.digest(), len(known))
    return out
