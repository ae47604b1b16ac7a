"""The table of a graph of layers: rows that read any rows before them.

Layers read neighbouring buffer rows and, going back, set the deltas of what they read. So what several layers read, all but
the last of them read through a move whose delta is added; the last one's, which comes first going back, is set.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any

from ..errors import ArgumentError
from ..layers import codes
from ..layers.attending import Attention, OutputProjection, Stacked
from ..layers.attention import QUERY_MASK
from ..layers.base import Placement
from ..layers.merging import MERGING
from ..layers.move import BACKWARD, FORWARD
from ..layers.moves import as_image, copied, moved
from .masks import Mask, along_mask, beside, joined, mask_after, there
from .objective import resolve_activation
from .rows import activation_of, placed

JOINING = (*MERGING, Stacked)
SHAPED = (Attention, OutputProjection)  # layers that read one, and are told the shape (and mask) of another

if TYPE_CHECKING:
    from .network import Network
    from .rows import Builder


@dataclass(frozen=True)
class Entry:
    """An input of a graph.

    Attributes
    ----------
    first : int
        Its first number among the network's inputs.
    shape : tuple of int
    strides : tuple of int, optional
        Over its axes, where its numbers are not neighbours.
    name : str, optional
        As the graph or the formula calls it.
    """

    first: int
    shape: tuple[int, ...]
    strides: tuple[int, ...] | None = None
    name: str | None = None


@dataclass(frozen=True)
class _Units:
    """Units that layers read: `root` is one for all layers that show the same."""

    root: int
    shape: tuple[int, ...]


def _outputs(network: Network, first: int, wires: Sequence[tuple[int, ...]], entries: Sequence[Entry]) -> list[_Units]:
    """What comes out of every layer."""
    found: list[_Units] = []
    for j, reads in enumerate(wires):
        layer = network.layers[first + j]
        own = [_read(found, entries, r) for r in reads]
        if isinstance(layer, JOINING):
            found.append(_Units(j, _joined(network, first + j, [u.shape for u in own]).shape))
            continue
        if len(own) != 1 and not isinstance(layer, SHAPED):
            raise ArgumentError(f"layers: {type(layer).__name__} reads one layer, got {len(own)}.")
        place = placed(network, first + j, *(u.shape for u in own))
        found.append(_Units(own[0].root if place.op is None else j, place.shape))
    return found


def _read(found: Sequence[_Units], entries: Sequence[Entry], r: int) -> _Units:
    return found[r] if r >= 0 else _Units(r, entries[-1 - r].shape)


def _joined(network: Network, k: int, shapes: list[tuple[int, ...]]) -> Any:
    try:
        return network.layers[k].join(shapes)
    except ArgumentError as error:
        raise ArgumentError(f"layers: layer {k + 1} ({network.layer_names[k]!r}): {error}") from None


def last_shape(network: Network, first: int, wires: Sequence[tuple[int, ...]], entries: Sequence[Entry]) -> tuple[int, ...]:
    """Shape of what comes out of the last layer."""
    return _outputs(network, first, wires, entries)[-1].shape


def add_graph(
    made: Builder, first: int, wires: Sequence[tuple[int, ...]], entries: Sequence[Entry], target: int | None = None
) -> None:
    """Rows of layers first, first + 1, ... of the network.

    Parameters
    ----------
    made : Builder
    first : int
    wires : sequence of tuples of int
        What each of them reads: numbers from `first` on, or -1, -2, ... for the entries.
    entries : sequence of Entry
    target : int, optional
        First buffer row of what comes out of the last layer; new rows where not given.
    """
    _Rows(made, first, wires, entries, target).add()


class _Rows:
    def __init__(
        self, made: Builder, first: int, wires: Sequence[tuple[int, ...]], entries: Sequence[Entry], target: int | None
    ) -> None:
        self.made, self.network, self.first, self.wires, self.entries = made, made.network, first, wires, entries
        self.units = _outputs(self.network, first, wires, entries)
        end = self.units[-1].root
        self.target = {} if target is None else {end: target}
        self.last: dict[int, tuple[int, int]] = {}  # root: the last that reads it
        for j, reads in enumerate(wires):
            shaped = isinstance(self.network.layers[first + j], SHAPED)
            for slot, r in enumerate(reads[:1] if shaped else reads):
                if self.units[j].root == j:
                    self.last[_read(self.units, entries, r).root] = (j, slot)
        self.starts = {-1 - j: entry.first for j, entry in enumerate(entries)}
        self.rows: dict[int, int] = {}  # root: row of the layer
        self.masks: dict[int, Mask | None] = {}  # layer: the mask beside what comes out; none beside inputs

    def add(self) -> None:
        """All rows."""
        for j, entry in enumerate(self.entries):
            if entry.strides is not None:
                self.starts[-1 - j] = self._gather(entry)
        for j in range(len(self.wires)):
            own = self.units[j]
            if own.root == j:
                join = isinstance(self.network.layers[self.first + j], JOINING)
                self.starts[j] = self._join(j) if join else self._single(j)
            self._mask(j)
            self.made.places.append((self.rows.get(own.root, -1), self.starts[own.root], own.shape))
        end = self.units[-1]
        if end.root < 0 and end.root in self.target:  # nothing but its input comes out
            self._row(self.first, copied(end.shape), self.starts[end.root], math.prod(end.shape), self.target[end.root])

    def _mask(self, j: int) -> None:
        """Carry the mask of what layer j reads on."""
        layer, found = self.network.layers[self.first + j], [self.masks.get(r) for r in self.wires[j]]
        if isinstance(layer, MERGING):
            return  # told where they are joined
        if isinstance(layer, Stacked):  # of attention: of keys and values
            several = {mask for mask in found[1:] if mask is not None}
            if len(several) > 1:
                raise ArgumentError("layers: MultiHeadAttention reads keys and values whose masks are not one.")
            self.masks[j] = next(iter(several), None)
        elif isinstance(layer, Attention):
            first = [-1 if mask is None else mask.first for mask in found]
            self.made.rows[self.rows[j]][[codes.MASK, QUERY_MASK]] = first
            self.masks[j] = found[1]
        else:
            rows = self.made.rows[self.rows[j] :] if j in self.rows else []
            shape = _read(self.units, self.entries, self.wires[j][0]).shape
            self.masks[j] = mask_after(self.made, self.first + j, rows, shape, found[0])

    def _row(self, k: int, place: Placement, source: int, n_in: int, target: int | None) -> int:
        spec = resolve_activation("identity") if place.op in (codes.MOVE, codes.MERGE) else activation_of(self.network, k)
        return self.made.add(k, place, spec, source, n_in, target)

    def _gather(self, entry: Entry) -> int:
        """A copy of an input whose numbers are not neighbours."""
        strides = (0,) * (3 - len(entry.shape)) + tuple(entry.strides or ())
        grid = as_image(entry.shape)
        if len(entry.shape) > 3:
            raise ArgumentError(f"layers: an input of shape {entry.shape} beside others must have three axes at most.")
        fields = moved(grid, grid, STRIDE_ROWS=strides[0], STRIDE_COLS=strides[1], STRIDE_CHANNELS=strides[2])
        place = Placement(entry.shape, codes.MOVE, fields=fields)
        return self._row(self.first, place, entry.first, math.prod(entry.shape), None)

    def _single(self, j: int) -> int:
        """A layer that reads one."""
        own, *others = (_read(self.units, self.entries, r) for r in self.wires[j])
        source, n_in, k = self.starts[own.root], math.prod(own.shape), self.first + j
        place = self.made.place(k, own.shape, *(u.shape for u in others))
        if self.last[own.root] != (j, 0):
            if place.op == codes.MOVE:
                place = replace(place, fields={**place.fields, codes.ADDS: BACKWARD})
            else:
                source = self._row(k, _adding(copied(own.shape), BACKWARD), source, n_in, None)
        self.rows[j] = len(self.made.rows)
        return self._row(k, place, source, n_in, self.target.get(j))

    def _join(self, j: int) -> int:
        """A layer that joins several."""
        k = self.first + j
        reads = [_read(self.units, self.entries, r) for r in self.wires[j]]
        shapes, masks = [u.shape for u in reads], [self.masks.get(r) for r in self.wires[j]]
        moves = _joined(self.network, k, shapes)
        at, axes = self.target.get(j), max((len(mask.shape) for mask in masks if mask is not None), default=0)
        if at is None:
            at = self.made.width
            self.made.width += math.prod(moves.shape)
        to = at
        if moves.then is not None:
            to = self.made.width
            self.made.width += moves.size
        for slot, (own, (fields, offset)) in enumerate(zip(reads, moves.parts, strict=True)):
            adds = FORWARD if moves.adds and slot > 0 else 0
            back = BACKWARD if self.last[own.root] != (j, slot) else 0
            source, n_in = self.starts[own.root], math.prod(own.shape)
            if masks[slot] is None and along_mask(self.network.layers[k], masks, shapes) is not None:
                source = self._row(k, _adding(copied(own.shape), back), source, n_in, None) if back else source
                source, masks[slot] = there(self.made, k, source, own.shape, axes)
                back = 0
            place = Placement(own.shape, codes.MOVE, fields={**fields, codes.ADDS: adds | back})
            self._row(k, place, source, n_in, to + offset)
        if moves.then is not None:
            then = replace(moves.then, fields={**moves.then.fields, **beside(self.made, k, masks, moves.shape)})
            self._row(k, then, to, moves.size, at)
        self.rows[j] = len(self.made.rows) - 1
        if isinstance(self.network.layers[k], MERGING):
            self.masks[j] = joined(self.made, k, masks, shapes)
        return at


def _adding(place: Placement, adds: int) -> Placement:
    return replace(place, fields={**place.fields, codes.ADDS: adds})
