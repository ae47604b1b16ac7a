"""From layers to the table that kernels see: where weights and units lie.

A chain is one layer after the other. Towers read inputs of their own, write their last units side by side, and an output
layer reads these, after the inputs that go straight to it. Layout of the buffer then: inputs of the towers, inputs of the
output layer, last units of the towers, all other units. Chains and towers of layers that read others than the one before them
are graphs (`network.graph`).
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from .graph import Entry, add_graph, last_shape
from .masks import mask_after
from .rows import Builder, activation_of, placed

if TYPE_CHECKING:
    from .network import Network


@dataclass(frozen=True)
class Tower:
    """A chain of layers that reads inputs of its own.

    Attributes
    ----------
    name : str
        As in the formula; "" for the network of all plain terms.
    count : int
        How many of the network's layers it has: an embedding for each column of codes, a copy of its numbers where there are
        both, then its chain.
    first : int
        First of its inputs that are numbers.
    shape : tuple of int
        Of these, for one observation; () where there are none.
    codes : tuple of int
        Inputs that are codes of levels.
    levels : tuple of tuples of str
        Names of the levels of each of them.
    wires : tuple of tuples of int
        What each layer of its chain reads, see `expand.Flat`; empty where each reads the one before it.
    """

    name: str
    count: int
    first: int
    shape: tuple[int, ...]
    codes: tuple[int, ...] = ()
    levels: tuple[tuple[str, ...], ...] = ()
    wires: tuple[tuple[int, ...], ...] = ()

    @property
    def numbers(self) -> int:
        """Inputs that are numbers."""
        return math.prod(self.shape) if self.shape else 0


def chain(network: Network, join: int | None, before: int | None, kept: int) -> dict[str, Any]:
    """The table of a chain; see `Network` for `join`, the layer that `beside` inputs enter, and the layer before it."""
    shape = tuple(network.input_shape)
    source, n_in = 0, math.prod(shape)
    row, mask = -1, None
    n_inputs = n_in + network.beside
    made = Builder(network, n_inputs + kept)
    last = len(network.layers) - 1
    for k in range(len(network.layers)):
        if network.skip and k == last:
            source, n_in = 0, n_inputs + kept
            shape = (n_in,)
        if k == join:
            shape = (shape[0] + network.beside,)
            source, n_in = (0 if before is None else n_inputs - network.beside), shape[0]
        place = made.place(k, shape)
        begin = len(made.rows)
        if place.op is not None:
            row = begin
            source = made.add(k, place, activation_of(network, k), source, n_in, n_inputs if k == before else None)
            n_in = math.prod(place.shape)
        mask = mask_after(made, k, made.rows[begin:], shape, mask)
        shape = place.shape
        made.places.append((row, source, shape))
    return made.built((join, before))


def wired(network: Network, wires: Sequence[tuple[int, ...]], entries: Sequence[Entry]) -> dict[str, Any]:
    """The table of a graph."""
    made = Builder(network, len(network.input_names))
    add_graph(made, 0, wires, entries)
    return made.built()


def side_by_side(network: Network, towers: Sequence[Tower], direct: int) -> dict[str, Any]:
    """The table of towers, and of the output layer that reads `direct` inputs, the last ones, and the towers' last units."""
    n_inputs = len(network.input_names)
    units, first = [], 0
    for tower in towers:
        units.append(_last_units(network, first, tower))
        first += tower.count
    made = Builder(network, n_inputs + sum(units))
    target, first = n_inputs, 0
    for tower, count in zip(towers, units, strict=True):
        _add_tower(made, first, tower, target)
        target, first = target + count, first + tower.count
    last = len(network.layers) - 1
    place = made.place(last, (direct + sum(units),))
    source = made.add(last, place, activation_of(network, last), n_inputs - direct, direct + sum(units))
    made.places.append((len(made.rows) - 1, source, place.shape))
    return {**made.built(), "sizes": tuple(units)}


def _entering(network: Network, first: int, tower: Tower) -> tuple[int, tuple[int, ...]]:
    """The first layer of a tower's chain, and the shape that it reads."""
    coordinates = sum(network.layers[first + j].output_dim for j in range(len(tower.codes)))
    both = bool(tower.codes) and tower.numbers > 0
    shape = tower.shape if not tower.codes else (tower.numbers + coordinates,)
    return first + len(tower.codes) + both, shape


def _last_units(network: Network, first: int, tower: Tower) -> int:
    """Units that a tower ends in."""
    begin, shape = _entering(network, first, tower)
    if tower.wires:
        return math.prod(last_shape(network, begin, tower.wires, [Entry(0, shape)]))
    for k in range(begin, first + tower.count):
        shape = placed(network, k, shape).shape
    return math.prod(shape)


def _add_tower(made: Builder, first: int, tower: Tower, target: int) -> None:
    """Rows of a tower, whose last units begin at buffer row `target`."""
    network = made.network
    begin, shape = _entering(network, first, tower)
    end = first + tower.count
    ops = list(range(begin, end))
    inner, after = [], shape
    for k in ops:
        if tower.wires:
            inner = ops
            break
        place = placed(network, k, after)
        inner += [] if place.op is None else [k]
        after = place.shape
    gathered = target if not inner else made.width  # codes and numbers side by side: what the chain reads, or its end
    if tower.codes and inner:
        made.width += math.prod(shape)
    source, at = tower.first, gathered
    if tower.codes and tower.numbers:
        copy = first + len(tower.codes)
        place = made.place(copy, (tower.numbers,))
    for j, row in enumerate(tower.codes):
        place = made.place(first + j, (1,))
        offset = tower.numbers + sum(network.layers[first + i].output_dim for i in range(j))
        made.add(first + j, place, activation_of(network, first + j), row, 1, at + offset)
        made.places.append((len(made.rows) - 1, at + offset, place.shape))
    if tower.codes and tower.numbers:
        made.add(copy, made.place(copy, (tower.numbers,)), activation_of(network, copy), tower.first, tower.numbers, at)
        made.places.append((len(made.rows) - 1, at, (tower.numbers,)))
    if tower.codes:
        source = gathered
    if tower.wires:
        add_graph(made, begin, tower.wires, [Entry(source, shape)], target)
        return
    row = len(made.rows) - 1 if tower.codes else -1
    mask = None
    for k in ops:
        place, begin = made.place(k, shape), len(made.rows)
        if place.op is not None:
            row, where = begin, target if k == inner[-1] else None
            source = made.add(k, place, activation_of(network, k), source, math.prod(shape), where)
        mask = mask_after(made, k, made.rows[begin:], shape, mask)
        made.places.append((row, source, place.shape))
        shape = place.shape


def tower_topology(network: Network) -> str:
    """Units per layer of each tower, inputs that go straight to the output layer, and outputs."""
    parts, first = [], 0
    for tower in network.towers:
        inputs = tower.numbers + sum(network.layers[first + j].output_dim for j in range(len(tower.codes)))
        begin, _ = _entering(network, first, tower)
        units, before = [str(inputs)], -1 if begin == first else network.places[begin - 1][0]
        for row, _, shape in network.places[begin : first + tower.count]:
            units += [] if row == before else [str(math.prod(shape))]
            before = row
        if len(units) == 1 and tower.codes:  # effects of levels
            parts.append(f"{tower.name} {network.layers[first].input_dim - 1} levels")
        else:
            parts.append(f"{tower.name} {'-'.join(units)}".strip())
        first += tower.count
    if network.direct:
        parts.append(f"{network.direct} direct")
    return f"{', '.join(parts)}; {network.n_outputs}"
