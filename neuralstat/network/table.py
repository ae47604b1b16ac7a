"""From layers to the table that kernels see: where weights and units lie.

A chain is one layer after the other. Towers read inputs of their own, write their last units side by side, and an output
layer reads these, after the inputs that go straight to it. Layout of the buffer then: inputs of the towers, inputs of the
output layer, last units of the towers, all other units. Chains and towers of layers that read others than the one before them
are graphs (`network.graph`).
"""

from __future__ import annotations

import math
from collections.abc import Iterable, Sequence
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
    return math.prod(_followed(network, range(begin, first + tower.count), shape)[0])


def _followed(network: Network, layers: Iterable[int], shape: tuple[int, ...]) -> tuple[tuple[int, ...], int]:
    """Shape of what comes out of layers one after the other, and the last of them that has a row; -1 for none."""
    last = -1
    for k in layers:
        place = placed(network, k, shape)
        shape, last = place.shape, last if place.op is None else k
    return shape, last


def _add_tower(made: Builder, first: int, tower: Tower, target: int) -> None:
    """Rows of a tower, whose last units begin at buffer row `target`."""
    network = made.network
    begin, shape = _entering(network, first, tower)
    chained = range(begin, first + tower.count)
    last = begin if tower.wires else _followed(network, chained, shape)[1]
    source = tower.first
    if tower.codes:  # codes and numbers side by side: what the chain reads, or its end
        source = target if last < 0 else made.width
        made.width += 0 if last < 0 else math.prod(shape)
        _add_gathered(made, first, tower, source)
    if tower.wires:
        add_graph(made, begin, tower.wires, [Entry(source, shape)], target)
        return
    row, mask = len(made.rows) - 1 if tower.codes else -1, None
    for k in chained:
        place, at = made.place(k, shape), len(made.rows)
        if place.op is not None:
            row = at
            source = made.add(k, place, activation_of(network, k), source, math.prod(shape), target if k == last else None)
        mask = mask_after(made, k, made.rows[at:], shape, mask)
        made.places.append((row, source, place.shape))
        shape = place.shape


def _add_gathered(made: Builder, first: int, tower: Tower, at: int) -> None:
    """Rows that bring a tower's numbers, and vectors of its codes behind them, to buffer rows `at`, ..."""
    parts, to = [], at + tower.numbers
    for k, row in enumerate(tower.codes, first):
        parts.append((to, 1, row))
        to += made.network.layers[k].output_dim
    parts += [(at, tower.numbers, tower.first)] if tower.numbers else []
    for k, (to, n_in, source) in enumerate(parts, first):
        place = made.place(k, (n_in,))
        made.add(k, place, activation_of(made.network, k), source, n_in, to)
        made.places.append((len(made.rows) - 1, to, place.shape))


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
