"""What workers do with a part of the rows: encode it, keep it, and sum over it."""

from __future__ import annotations

import threading
import zlib
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field, replace
from typing import Any

import numpy as np
import pandas as pd

from ..engine import cpu
from ..engine.curvature import curve_buffers
from ..engine.data import make_data
from ..engine.second_order import train_lm
from ..engine.tracking import Rules, Track
from ..errors import DataError
from ..formula import frames, response
from ..formula.look import Look
from ..formula.outofcore import encoded
from ..formula.parts import Scaling
from ..formula.request import Options
from ..formula.rows import WEIGHTS
from ..formula.spec import Spec
from ..functions.activations import LOG_SOFTMAX, SOFTMAX
from ..functions.losses import MULTINOMIAL
from ..layers import codes
from ..network import derivatives
from ..network.network import Network
from ..network.upstream import wanted_table
from ..optimizers import LM, lm
from . import keys

HELD = 8  # arguments that a keeper remembers
PARSING = threading.Lock()  # Python 3.11 counts the depth of syntax trees of all threads together, and may raise SystemError

Node = tuple[int, int]  # level and number in the tree of sums
Arrays = tuple[np.ndarray, ...]


@dataclass(eq=False)
class Part:
    """The rows of a partition as numbers: what a worker keeps. m rows, D columns, K outputs.

    Attributes
    ----------
    x, y : (D, m), (K, m) arrays
    weight : (m,) array or None
        Case weights.
    offset : (K, m) array or None
    frequency : (m,) array or None
    crc : int
        Of all of it: a part that is made again, after its worker died, must be the same.
    """

    x: np.ndarray
    y: np.ndarray
    weight: np.ndarray | None
    offset: np.ndarray | None
    frequency: np.ndarray | None
    crc: int = 0
    _made: dict[Any, Any] = field(default_factory=dict, repr=False)

    def __getstate__(self) -> dict[str, Any]:
        """Without what every worker makes for itself."""
        return {**self.__dict__, "_made": {}}

    def data(self, dtype: Any) -> cpu.Data:
        """As kernels see it."""
        key = np.dtype(dtype).str
        if key not in self._made:
            self._made[key] = make_data(self.x, self.y, self.weight, self.offset, dtype=np.dtype(dtype))
        return self._made[key]


@dataclass(eq=False)
class Job:
    """A network that is fitted, as workers keep it for the length of a fit.

    Attributes
    ----------
    network : Network
    free : (P,) bool array
    dtype : str
    """

    network: Network
    free: np.ndarray
    dtype: str
    _net: Any = field(default=None, repr=False)

    def __getstate__(self) -> dict[str, Any]:
        return {**self.__dict__, "_net": None}  # addresses are of a process

    @property
    def net(self) -> cpu.Net:
        """As kernels see it, without a penalty."""
        if self._net is None:
            net = self.network.net()
            self._net = net._replace(table=wanted_table(self.network, self.free[np.newaxis]))
        return self._net


# passes over partitions --------------------------------------------------------------------------------------


def look(
    table: Any, formula: str, options: Options, context: Mapping[str, Any] | None
) -> tuple[list[pd.DataFrame], dict[str, int], int, int]:
    """Rows of a partition that show its levels, missing values by column, rows, complete rows."""
    table = frames.as_frame(table, "a Dask DataFrame")
    seen = Look(formula, options, context)
    if len(table):
        with PARSING:
            seen.update(table)
    return seen.pieces, seen.counts, seen.total, seen.used


def encode(table: Any, spec: Spec, options: Options, needs: str | None) -> Part:
    """A partition's complete rows as numbers, original units.

    Raises
    ------
    DataError
        Where the data do not fit.
    """
    table = frames.as_frame(table, "a Dask DataFrame")
    if len(table) == 0:
        none = np.zeros((len(spec.x_names), 0)), np.zeros((len(spec.y_names), 0))
        offset = np.zeros((len(spec.y_names), 0)) if spec.has_offset else None
        weighted = any(name in options.per_row for name in WEIGHTS)
        empty = np.zeros(0)
        return Part(*none, empty if weighted else None, offset, empty if "freq_weights" in options.per_row else None)
    with PARSING:
        x, y, offset, found, complete = encoded(spec, options, table)
    response.check_needs(y[:, complete], spec.y_names, needs, spec.formula)
    given = {name: values[complete] for name, values in found.items()}
    for name, values in given.items():
        if not np.isfinite(values).all() or (values < 0).any():
            raise DataError(f"{name} must be finite, and not negative.")
    weight = np.prod(list(given.values()), axis=0) if given else None
    return Part(
        np.ascontiguousarray(x[:, complete]), np.ascontiguousarray(y[:, complete]), weight,
        None if offset is None else np.ascontiguousarray(offset[:, complete]), given.get("freq_weights"),
    )  # fmt: skip


def scaled(part: Part, scaling: Scaling | None) -> Part:
    """A part in internal units, with its sum."""
    if scaling is not None:
        offset = None if part.offset is None else part.offset / scaling.y_sd[:, np.newaxis]
        part = replace(part, x=np.ascontiguousarray(scaling.x_internal(part.x)), y=scaling.y_internal(part.y), offset=offset,
                       _made={})  # fmt: skip
    crc = 0
    for array in (part.x, part.y, part.weight, part.offset, part.frequency):
        crc = crc if array is None else zlib.crc32(np.ascontiguousarray(array).data, crc)
    return replace(part, crc=crc, _made={})


def check_of(part: Part) -> int:
    """The part's sum."""
    return part.crc


# what is summed ----------------------------------------------------------------------------------------------


def moments(part: Part) -> Arrays:
    """Numbers of rows, rows of weight, observations, weight, frequency; weighted sums of columns and responses; offsets."""
    w = np.ones(part.y.shape[1]) if part.weight is None else part.weight
    often = np.ones(w.size) if part.frequency is None else part.frequency
    counts = np.array([w.size, np.count_nonzero(w), often[w > 0].sum(), w.sum(), often.sum()])
    known = np.zeros(len(part.y)) if part.offset is None else part.offset.sum(axis=1)
    return counts, part.x @ w, part.y @ w, known


def ranges(part: Part) -> tuple[np.ndarray, np.ndarray, float, int]:
    """Least and largest of columns and responses, (D + K, 2), over rows of weight, and over all; largest weight; rows."""
    both = np.vstack([part.x, part.y])
    used = np.ones(both.shape[1], bool) if part.weight is None else part.weight > 0
    largest = 1.0 if part.weight is None else float(part.weight.max(initial=0.0))
    return _range(both[:, used]), _range(both), largest, both.shape[1]


def _range(values: np.ndarray) -> np.ndarray:
    return np.stack([values.min(axis=1, initial=np.inf), values.max(axis=1, initial=-np.inf)], axis=1)


def squares(part: Part, x_mean: np.ndarray, y_mean: np.ndarray) -> Arrays:
    """Weighted sums of squared distances from the means."""
    w = np.ones(part.y.shape[1]) if part.weight is None else part.weight
    return (part.x - x_mean[:, np.newaxis]) ** 2 @ w, (part.y - y_mean[:, np.newaxis]) ** 2 @ w


def losses(part: Part, job: Job, theta: np.ndarray) -> Arrays:
    """Losses (B,) and gradients (B, P) of a stack (B, P), without penalty."""
    data, net, n = part.data(job.dtype), job.net, part.y.shape[1]
    loss, grad, own = np.zeros(len(theta)), np.zeros(theta.shape), np.empty(theta.shape[1], np.dtype(job.dtype))
    for b, w in enumerate(theta):
        w = np.ascontiguousarray(w, np.dtype(job.dtype))
        for first in range(0, n, cpu.PARTITION):
            loss[b] += cpu.loss_gradient(net, data, w, 0, first, min(first + cpu.PARTITION, n), own)
            grad[b] += own
    return loss, grad


def curvatures(part: Part, job: Job, theta: np.ndarray) -> Arrays:
    """Losses (B,), gradients (B, P) and Gauss-Newton matrices (B, F, F), lower triangles, of a stack, without penalty.

    What the first step of Levenberg-Marquardt works out, and nothing else of it.
    """
    data, net, size = part.data(np.float64), job.net, int(job.free.sum())
    last = net.table[-1]
    coupled = net.loss == MULTINOMIAL or last[codes.ACT] in (SOFTMAX, LOG_SOFTMAX)
    loss, grads, matrices = np.zeros(len(theta)), np.zeros(theta.shape), np.zeros((len(theta), size, size))
    for b, w in enumerate(theta):
        curve = curve_buffers(net.table, int(last[codes.N_OUT]), job.free, bool(coupled))
        state = Track(np.array(w[np.newaxis]), job.free[np.newaxis], np.zeros(1, np.int64), np.zeros(1), np.zeros(1),
                      np.zeros(1, np.int64), np.zeros((1, 2)), np.zeros(1, np.int64), np.ones(1, np.int64))  # fmt: skip
        grad, (matrix, secant, root) = np.zeros(w.size), np.zeros((3, size, size))
        train_lm(net, data, Rules(-1.0, -1.0, 1), state, LM().settings(), curve, np.zeros(lm.MEMORY), grad, matrix, secant,
                 root, 0, 0, cpu.workspace(net, data, state.theta))  # fmt: skip
        loss[b], grads[b], matrices[b] = state.loss[0], grad, np.tril(matrix)
    return loss, grads, matrices


def outputs(part: Part, network: Network, theta: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Least and largest (B, K, 2), and sums (B, K), of what kernels give of a stack, without the offset."""
    raw = derivatives.outputs(network, part.x, theta, part.offset)
    if part.offset is not None:  # of the first outputs
        raw[:, : len(part.offset)] -= part.offset
    return np.stack([raw.min(axis=2), raw.max(axis=2)], axis=2), raw.sum(axis=2)


def of_responses(part: Part, function: Callable[..., np.ndarray], arguments: tuple[Any, ...]) -> Arrays:
    """A sum over responses and case weights."""
    w = np.ones(part.y.shape[1]) if part.weight is None else part.weight
    return (np.asarray(function(part.y, w, *arguments)),)


# the tree of sums --------------------------------------------------------------------------------------------


def folded(nodes: dict[Node, Arrays], count: int) -> dict[Node, Arrays]:
    """Add what can be added: the numbers 0 .. count - 1 are leaves of a binary tree, whose sums do not depend on who adds.

    Parameters
    ----------
    nodes : dict of (level, number) to arrays
    count : int
        Leaves of the whole tree.

    Returns
    -------
    dict
        Nodes that cannot be added without others; of all leaves the root alone.
    """
    nodes = dict(nodes)
    for level in range(max(count - 1, 0).bit_length()):
        for key in sorted(k for k in nodes if k[0] == level and k[1] % 2 == 0):
            other = (level, key[1] + 1)
            if other[1] << level >= count:
                nodes[level + 1, key[1] // 2] = nodes.pop(key)
            elif other in nodes:
                pair = zip(nodes.pop(key), nodes.pop(other), strict=True)
                nodes[level + 1, key[1] // 2] = tuple(a + b for a, b in pair)
    return nodes


@dataclass(frozen=True)
class Known:
    """Stands for an argument that a keeper was sent before."""

    token: str


class Keeper:
    """Some parts on their worker, and what was sent to go with them; an actor of Dask.

    Parameters
    ----------
    numbers : list of int
        Of the parts, from 0.
    parts : list of Part
    expected : list of int, optional
        Sums that the parts must have.
    group : tuple, optional
        Of the process that fits, see `keys`: its Ctrl-C is not for this worker while the keeper is there.

    Raises
    ------
    DataError
        Where a part that was made again is another one.
    """

    def __init__(
        self, numbers: list[int], parts: list[Part], expected: list[int] | None, group: keys.Group | None = None
    ) -> None:
        for k, (number, part) in enumerate(zip(numbers, parts, strict=True)):
            if expected is not None and part.crc != expected[k]:
                raise DataError(f"partition {number} of the data had other values when it was read again.")
        self.numbers, self.parts = numbers, parts
        self.shared: dict[str, Any] = {}
        keys.ignored_with(self, group)

    def sums(
        self, function: Callable[..., Arrays], count: int, shared: dict[str, Any], arguments: list[Any]
    ) -> dict[Node, Arrays]:
        """Sums of ``function(part, *arguments)`` over the parts, as far as these can be added."""
        self.shared = dict([*self.shared.items(), *shared.items()][-HELD:])
        given = [self.shared[a.token] if isinstance(a, Known) else a for a in arguments]
        nodes: dict[Node, Arrays] = {}
        for number, part in zip(self.numbers, self.parts, strict=True):
            nodes[0, number] = tuple(np.asarray(a) for a in function(part, *given))
        return folded(nodes, count)
