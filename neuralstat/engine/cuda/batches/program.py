"""The launches of a network: forward, backward, and the end of a step, in order; a launch per layer and purpose."""

from __future__ import annotations

import functools
import warnings
from collections.abc import Callable, Iterator
from typing import Any, NamedTuple

import numpy as np

from ....errors import DeviceError
from ....functions.losses import CE_R
from ....layers import codes
from ....layers.recurrent_rows import DROPS, OTHER, RESET_FIRST
from ....optimizers import first_order
from .. import memory as device_memory
from .. import simulated
from ..losses import code_of, compiled_rare
from . import geometry
from .compiled import (
    EDGE,
    LANES,
    SIMULATED_EDGE,
    SIMULATED_LANES,
    built_kernels,
    lanes,
    masks_kernels,
    products_kernels,
    recurrent_kernels,
    units_kernels,
)

MOST_GRID = 2048  # blocks of a launch that goes through units in strides
MOST_ROWS = 32_768  # and of one whose blocks take rows
PARTS = 64  # most blocks of the loss kernel
ENOUGH = 512  # blocks that keep a device busy: gradients are summed by so many shares
MOST_SPLITS = 128
MANY = 512  # observations from which recurrent layers take four at once
ACTIVATED = (codes.DENSE, codes.CONV2D, codes.COPY, codes.DEPTHWISE)
#: Layers by kernels of a module: its name, and what theirs begin with
SPECIAL = {codes.DEPTHWISE: ("depthwise", "depthwise"), codes.LAYER_NORM: ("special", "norm"),
           codes.PRELU: ("special", "prelu"), codes.NOISE: ("special", "noise"),
           codes.DROPOUT: ("special", "drop"), codes.ATTENTION: ("attention", "attention"),
           codes.POSITION: ("attention", "position"), codes.MERGE: ("merging", "merge")}  # fmt: skip
DRAWN = (codes.NOISE, codes.DROPOUT)
WEIGHTLESS = (*DRAWN, codes.MERGE)


class Launch(NamedTuple):
    """One launch of a kernel."""

    kernel: Any
    grid: tuple[int, int, int]
    lanes: int
    shared: int
    arguments: tuple[Any, ...]


def tiles_for(count: int, observations: int, dtype: str) -> Any:
    """Tile of a product with so many filters (or channels); a large one of float64 would not stay in the registers."""
    from .products import SIMULATED, TILES

    if simulated():
        return SIMULATED
    if observations < 64 or count <= 16:
        return TILES["small"]
    return TILES["large" if count > 32 and dtype == "float32" else "flat"]


def shares_for(filters: int, length: int, dtype: str) -> Any:
    """Tile of a product's gradient, for filters of so many weights."""
    from .products import SHARES, SIMULATED

    if simulated():
        return SIMULATED
    if length < 64 or filters <= 16:
        return SHARES["small"]
    return SHARES["large" if filters > 32 and dtype == "float32" else "flat"]


class Products:
    """All products of a network, and which of them belong to which layer.

    Attributes
    ----------
    table : (products, geometry.COLUMNS) int64 array
    forward, gradient : dict
        Layer -> numbers of products that are formed going forward (and back), and for its gradient.
    """

    def __init__(self, table: np.ndarray, dtype: str) -> None:
        self.dtype = dtype
        self.forward: dict[int, list[int]] = {}
        self.gradient: dict[int, list[int]] = {}
        found: list[np.ndarray] = []
        for k, row in enumerate(table):
            inputs, states = _products_of(row)
            first = len(found)
            found += [*inputs, *states]
            self.forward[k] = list(range(first, first + len(inputs)))
            self.gradient[k] = list(range(first, len(found)))
        self.table = np.array(found, np.int64).reshape(-1, geometry.COLUMNS)

    def lengths(self) -> np.ndarray:
        """Weights of a filter, without the bias, of every product."""
        return self.table[:, [geometry.KR, geometry.KC, geometry.C]].prod(axis=1)

    def splits(self, k: int, observations: int, members: int) -> int:
        """Shares of the gradient of product k."""
        g, length = self.table[k], int(self.lengths()[k])
        tile = shares_for(int(g[geometry.F]), length, self.dtype)
        blocks = members * -(-int(g[geometry.F]) // tile.rows) * -(-(length + 1) // tile.columns)
        work = int(g[geometry.OUT_ROWS] * g[geometry.OUT_COLS]) * -(-observations // tile.deep)
        most = 2 if simulated() else MOST_SPLITS
        return int(max(1, min(-(-ENOUGH // blocks), work, most)))

    def room(self, observations: int, members: int) -> int:
        """Numbers that the shares of the largest product take, for each member."""
        sizes = self.table[:, geometry.F] * (self.lengths() + 1)
        return int(max((self.splits(k, observations, members) * s for k, s in enumerate(sizes)), default=1))


def _products_of(row: np.ndarray) -> tuple[list[np.ndarray], list[np.ndarray]]:
    op = int(row[codes.OP])
    if op == codes.DENSE:
        return [geometry.dense(row)], []
    if op == codes.CONV2D:
        return [geometry.convolution(row)], []
    return geometry.recurrent(row) if op in codes.RECURRENT else ([], [])


def turned_room(table: np.ndarray) -> int:
    """Numbers that the recurrent weights of the largest layer take twice."""
    gates = {codes.LSTM: 4, codes.GRU: 3, codes.SIMPLE_RNN: 1}
    return max((2 * gates[int(r[codes.OP])] * int(r[codes.UNITS]) ** 2 for r in table if r[codes.OP] in gates), default=1)


class Program:
    """Launches of a network for blocks of up to so many observations.

    Parameters
    ----------
    net : Net
    products : Products
    arrays : SimpleNamespace
        model, turn, buffers, memory: see `arrays`; parameter: of the loss.
    observations, members : int
    dtype : str
    """

    def __init__(self, net: Any, products: Products, arrays: Any, observations: int, members: int, dtype: str) -> None:
        self.net, self.products, self.there = net, products, arrays
        self.observations, self.members, self.dtype = observations, members, dtype
        self.simulate = simulated()
        self.units = units_kernels(dtype, compiled_rare(net), self.simulate)
        self.update = built_kernels("update", dtype, self.simulate)

    def strided(self, n: int) -> tuple[int, int, int]:
        """Grid of a launch that goes through n numbers of every member."""
        return max(1, min(-(-int(n) // lanes()), 2 if self.simulate else MOST_GRID)), 1, self.members

    def each(self, kernel: Any, n: int, *arguments: Any) -> Launch:
        """A launch that goes through n numbers of every member."""
        return Launch(kernel, self.strided(n), lanes(), 0, arguments)

    def rowwise(self, kernel: Any, n: int, *arguments: Any) -> Launch:
        """A launch whose blocks take rows of units, n of them."""
        width = SIMULATED_LANES if self.simulate else min(max(-(-self.observations // 32) * 32, 32), LANES)
        return Launch(kernel, (min(n, 2 if self.simulate else MOST_ROWS), 1, self.members), width, 0, arguments)

    def collect(self, rows: Any) -> Iterator[Launch]:
        """Observations into the buffers."""
        there, edge = self.there, SIMULATED_EDGE if self.simulate else EDGE
        grid = -(-self.observations // edge), -(-rows.x.shape[2] // edge), self.members
        yield Launch(self.units.collect, grid, lanes(), 0, (there.model, there.turn, rows, there.buffers))
        yield self.each(self.units.responses, self.observations, there.model, there.turn, rows, there.buffers)

    def forward(self, training: int) -> Iterator[Launch]:
        """All layers."""
        there, m = self.there, self.observations
        for k, row in enumerate(self.net.table):
            plain = there.model, k, there.turn, there.buffers
            op, n_out = int(row[codes.OP]), int(row[codes.N_OUT])
            for p in self.products.forward[k]:
                yield self.sums(p)
            if op in codes.RECURRENT:
                yield from self.recurrence(k, row, "forward")
            elif op == codes.MASKING or (op == codes.POOL and row[codes.MASK] >= 0):
                masks = masks_kernels(self.simulate)
                yield self.each(masks.masking if op == codes.MASKING else masks.mean, m, *plain)
            elif op == codes.POOL:
                yield self.rowwise(self.units.pool, n_out, *plain)
            elif op == codes.EMBEDDING:
                yield self.each(self.units.embed, n_out * m, *plain)
                if row[codes.MASK] >= 0:
                    yield self.each(masks_kernels(self.simulate).of_numbers, m, *plain)
            elif op == codes.BATCH_NORM:
                grid = int(row[codes.CHANNELS]), 1, self.members
                kernel = built_kernels("normalization", self.dtype, self.simulate).forward
                yield Launch(kernel, grid, lanes(), 0, (*plain, there.memory, training))
            elif op == codes.COPY:
                yield self.each(self.units.copy, n_out * m, *plain)
            elif op == codes.MOVE:
                yield self.each(built_kernels("moves", self.dtype, self.simulate).forward, n_out * m, *plain)
            elif op in SPECIAL:
                yield self.special(k, row, "", training)
            if op in ACTIVATED:
                yield self.each(self.units.activation, n_out * m, *plain)

    def objective(self, metric: int, cut: float) -> Launch:
        """Loss, metric, derivatives in the outputs."""
        there = self.there
        kernel = units_kernels(self.dtype, compiled_rare(self.net), self.simulate, code_of(self.net)).objective
        blocks = there.buffers.parts.shape[1]
        arguments = there.model, there.turn, there.buffers, self.net.loss, there.parameter, metric, cut
        return Launch(kernel, (blocks, 1, self.members), lanes(), 0, arguments)

    def backward(self, training: int) -> Iterator[Launch]:
        """Derivatives and gradients of all layers, as far down as anything is wanted (`codes.WANTED`)."""
        there, m, last = self.there, self.observations, len(self.net.table) - 1
        for k in range(last, -1, -1):
            row = self.net.table[k]
            plain = there.model, k, there.turn, there.buffers
            op, n_in, n_out = int(row[codes.OP]), int(row[codes.N_IN]), int(row[codes.N_OUT])
            weights, inputs = row[codes.WANTED] % 2 == 1, k > 0 and row[codes.WANTED] >= 2
            if not weights and not inputs:
                continue
            if op in ACTIVATED and (k < last or self.net.loss != CE_R):
                yield self.each(self.units.through, n_out * m, *plain)
            if op in codes.RECURRENT:
                yield from self.recurrence(k, row, "backward")
            for p in self.products.gradient[k] if weights else ():
                yield from self.gradient(p)
            if op == codes.EMBEDDING and weights:
                yield self.each(self.units.embed_gradient, int(row[codes.UNITS]) * lanes(), *plain)
            if op == codes.BATCH_NORM:
                grid = int(row[codes.CHANNELS]), 1, self.members
                kernel = built_kernels("normalization", self.dtype, self.simulate).backward
                yield Launch(kernel, grid, lanes(), 0, (*plain, there.memory, training, int(inputs)))
            if op == codes.ATTENTION or (weights and op in SPECIAL and op not in WEIGHTLESS):  # attention's is before "_back"
                yield self.special(k, row, "_gradient")
            if not inputs:
                continue
            for p in self.products.forward[k]:
                yield self.returns(p)
            if op == codes.MASKING or (op == codes.POOL and row[codes.MASK] >= 0):
                masks = masks_kernels(self.simulate)
                yield self.each(masks.masking_back if op == codes.MASKING else masks.mean_back, m, *plain)
            elif op == codes.POOL:
                yield self.rowwise(self.units.pool_back, n_in, *plain)
            elif op == codes.EMBEDDING:
                yield self.each(self.units.clear, n_in * m, *plain)
            elif op == codes.COPY:
                yield self.each(self.units.copy_back, n_in * m, *plain)
            elif op == codes.MOVE:
                yield self.each(built_kernels("moves", self.dtype, self.simulate).backward, n_in * m, *plain)
            elif op in SPECIAL:
                yield self.special(k, row, "_back")

    def special(self, k: int, row: np.ndarray, purpose: str = "", training: int = 0) -> Launch:
        """Layer k, one of `SPECIAL`: forward, "_back" for derivatives in its inputs, or "_gradient"."""
        op, there = int(row[codes.OP]), self.there
        kernel = getattr(built_kernels(SPECIAL[op][0], self.dtype, self.simulate), SPECIAL[op][1] + purpose)
        plain = there.model, k, there.turn, there.buffers
        if purpose == "_gradient":
            grid = min(there.model.theta.shape[1], 2 if self.simulate else MOST_GRID), 1, self.members
            return Launch(kernel, grid, lanes(), 0, plain)
        more = (there.memory, training) if op in (*DRAWN, codes.ATTENTION) and not purpose else ()
        return self.each(kernel, int(row[codes.N_IN if purpose else codes.N_OUT]) * self.observations, *plain, *more)

    def sums(self, p: int) -> Launch:
        """Product p."""
        g = self.products.table[p]
        return self._tiled("sums", p, int(g[geometry.F]), int(g[geometry.OUT_ROWS] * g[geometry.OUT_COLS]))

    def returns(self, p: int) -> Launch:
        """The adjoint of product p."""
        g = self.products.table[p]
        return self._tiled("returns", p, int(g[geometry.C]), int(g[geometry.ROWS] * g[geometry.COLS]))

    def _tiled(self, name: str, p: int, count: int, positions: int) -> Launch:
        there, tile = self.there, tiles_for(count, self.observations, self.dtype)
        grid = positions * -(-self.observations // tile.columns), -(-count // tile.rows), self.members
        kernel = getattr(products_kernels(self.dtype, tile, self.simulate), name)
        return Launch(kernel, grid, tile.lanes, 0, (there.model, p, there.turn, there.buffers))

    def gradient(self, p: int) -> Iterator[Launch]:
        """The gradient of product p: by shares, then their sum."""
        there, g, length = self.there, self.products.table[p], int(self.products.lengths()[p])
        filters, tile = int(g[geometry.F]), shares_for(int(g[geometry.F]), length, self.dtype)
        splits = self.products.splits(p, self.observations, self.members)
        grid = -(-filters // tile.rows) * -(-(length + 1) // tile.columns), splits, self.members
        arguments = there.model, p, there.turn, there.buffers, splits
        yield Launch(products_kernels(self.dtype, tile, self.simulate).shares, grid, tile.lanes, 0, arguments)
        yield self.each(self.update.add, filters * (length + 1), *arguments)

    def recurrence(self, k: int, row: np.ndarray, name: str) -> Iterator[Launch]:
        """Layer k over all times, forward or backward.

        Raises
        ------
        DeviceError
            Where its states do not fit into shared memory, and for dropout inside the layer.
        """
        from .recurrent import KINDS, NAMES, room

        there, units = self.there, int(row[codes.UNITS])
        if row[codes.OPTIONS] & DROPS:
            raise DeviceError(
                f"device='cuda': dropout and recurrent_dropout of {NAMES[KINDS.get(int(row[codes.OP]), 'simple')]} run on "
                f"the CPU only. Use Dropout layers, or device='cpu'."
            )
        kind, itemsize = KINDS.get(int(row[codes.OP]), "simple"), np.dtype(self.dtype).itemsize
        kind = "first" if row[codes.OPTIONS] & RESET_FIRST else kind
        few = 2 if self.observations <= MANY or self.simulate else 4
        limit = device_memory.shared_limit(self.simulate)
        while few > 1 and room(kind, units, few, itemsize, False) > limit:
            few //= 2
        if room(kind, units, few, itemsize, False) > limit:
            raise DeviceError(
                f"device='cuda': the states of {NAMES[kind]} with {units} units do not fit into the {limit} bytes of shared "
                f"memory that a block of threads may have. Use fewer units, dtype='float32', or device='cpu'."
            )
        resident = room(kind, units, few, itemsize, True) <= limit
        width = SIMULATED_LANES if self.simulate else min(max(-(-units // 32) * 32, 32), LANES)
        usual = not row[codes.OPTIONS] & OTHER
        kernels = recurrent_kernels(self.dtype, kind, few, resident, width, self.simulate, usual)
        plain = there.model, k, there.turn, there.buffers
        yield Launch(kernels.turn, self.strided(units * units), width, 0, plain)
        grid = -(-self.observations // few), 1, self.members
        shared = room(kind, units, few, itemsize, resident)
        yield Launch(getattr(kernels, name), grid, width, shared, plain)

    def step(self, optimizer_code: int, settings: np.ndarray, groups: int) -> Iterator[Launch]:
        """Penalty, clipping, the optimizer; moving averages; sums of the epoch."""
        there, size = self.there, self.there.model.theta.shape[1]
        clip, limit = clipping(settings)
        ready = int(clip > 0 or self.net.penalty.shape[0] > 0)
        if ready:
            yield self.prepare(0)
        plain = there.model, there.turn, there.memory
        if clip == 2:
            yield Launch(self.update.norms, (groups, 1, self.members), lanes(), 0, plain)
        yield self.each(self.update.step, size, *plain, optimizer_code, clip, limit, ready)
        if bound := int(there.memory.bound.limits.shape[0]):
            yield Launch(self.update.constrain, (min(bound, MOST_GRID), 1, self.members), lanes(), 0, plain)
        for k, row in enumerate(self.net.table):
            if row[codes.OP] == codes.BATCH_NORM:
                kernel = built_kernels("normalization", self.dtype, self.simulate).move
                yield self.each(kernel, int(row[codes.CHANNELS]), there.model, k, there.turn, there.buffers, there.memory)
        grid = -(-self.members // lanes()), 1, 1
        yield Launch(self.update.finish, grid, lanes(), 0, (there.turn, there.buffers, there.memory))

    def prepare(self, whole: int) -> Launch:
        """Scale of the gradient, and the penalty."""
        there = self.there
        grid = there.memory.extra.shape[1], 1, self.members
        return Launch(self.update.prepare, grid, lanes(), 0, (there.model, there.turn, there.memory, whole))

    def advance(self) -> Launch:
        """To the next item."""
        return Launch(self.update.advance, (1, 1, 1), 1, 0, (self.there.turn,))

    def forget(self) -> Launch:
        """The gradient to zero."""
        return self.each(self.update.forget, self.there.model.theta.shape[1], self.there.model, self.there.turn)


def clipping(settings: np.ndarray) -> tuple[int, float]:
    """Kind of clipping (see `update.build`), and the limit."""
    if settings[first_order.CLIP_VALUE] > 0:
        return 1, float(settings[first_order.CLIP_VALUE])
    limit = max(settings[first_order.CLIP_NORM], settings[first_order.CLIP_GLOBAL])
    return (2, float(limit)) if limit > 0 else (0, 0.0)


def ready(launches: list[Launch], stream: Any) -> list[tuple[Callable[..., Any], tuple[Any, ...]]]:
    """Launches as functions and their arguments, compiled, with the shared memory that they need."""
    found = []
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # small grids leave part of the device idle: no warning to users
        for kernel, grid, width, shared, arguments in launches:
            if shared > device_memory.DEFAULT_SHARED and not simulated():
                kernel.compile(tuple(kernel.typeof_pyval(argument) for argument in arguments))
                device_memory.allow_shared(kernel, shared)
            call = functools.partial(_simulate, kernel, (grid, width, stream, shared))
            found.append((call if simulated() else kernel[grid, width, stream, shared], arguments))
    return found


def _simulate(kernel: Any, configuration: tuple[Any, ...], *arguments: Any) -> None:
    """Run a simulated kernel, which remembers its last configuration only."""
    kernel[configuration](*arguments)
