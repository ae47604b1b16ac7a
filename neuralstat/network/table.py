"""From layers to the table that kernels see: where weights and units lie.

A chain is one layer after the other. Towers read inputs of their own, write their last units side by side, and an output
layer reads these, after the inputs that go straight to it. Layout of the buffer then: inputs of the towers, inputs of the
output layer, last units of the towers, all other units.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np

from ..checks import check_size
from ..errors import ArgumentError
from ..layers import codes
from .masks import mask_after
from .objective import resolve_activation

if TYPE_CHECKING:
    from ..layers.base import Placement
    from .network import Network
    from .objective import ActivationSpec

LEAST_BLOCK = 16


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
    """

    name: str
    count: int
    first: int
    shape: tuple[int, ...]
    codes: tuple[int, ...] = ()
    levels: tuple[tuple[str, ...], ...] = ()

    @property
    def numbers(self) -> int:
        """Inputs that are numbers."""
        return math.prod(self.shape) if self.shape else 0


class Builder:
    """Rows of a table, one by one."""

    def __init__(self, network: Network, width: int) -> None:
        self.network, self.width, self.n_params = network, width, 0
        self.rows: list[np.ndarray] = []
        self.constants: list[float] = []
        self.shapes: list[tuple[int, int]] = []
        self.slices: list[slice] = []
        self.places: list[tuple[int, int, tuple[int, ...]]] = []
        self.kinds: list[tuple[Any, Placement]] = []

    def place(self, k: int, shape: tuple[int, ...]) -> Placement:
        """Contribution of layer k, whose errors name the layer."""
        place = placed(self.network, k, shape)
        n_params = self.n_params + place.n_params
        check_size(n_params, f"a network of {n_params} weights, up to layer {k + 1}")
        check_size(self.width + place.n_scratch + math.prod(place.shape), f"layer {k + 1} of the network", 8 * LEAST_BLOCK)
        return place

    def add(self, k: int, place: Placement, spec: ActivationSpec, source: int, n_in: int, target: int | None = None) -> int:
        """A row for layer k; the first buffer row that it writes, new ones unless told."""
        row = np.zeros(codes.COLUMNS, np.int64)
        n_out = math.prod(place.shape)
        assert place.op is not None
        at = self.width if target is None else target
        row[codes.OP], row[codes.PARAM] = place.op, self.n_params
        row[codes.SOURCE], row[codes.N_IN] = source, n_in
        row[codes.TARGET], row[codes.N_OUT] = at, n_out
        row[codes.ACT], row[codes.ADDRESS] = spec.code, spec.address
        self.width += n_out if target is None else 0
        row[codes.SCRATCH], row[codes.OFFSET], row[codes.MASK], row[codes.WANTED] = self.width, -1, -1, 3
        for column, value in place.fields.items():
            row[column] = value
        self.rows.append(row)
        self.constants.append(spec.parameter if place.constant is None else place.constant)
        self.kinds.append((self.network.layers[k], place))
        self.shapes.append((place.per_unit, place.units))
        self.slices.append(slice(self.n_params, self.n_params + place.n_params))
        self.width += place.n_scratch
        self.n_params += place.n_params
        return at

    def built(self, join: tuple[int | None, int | None] = (None, None)) -> dict[str, Any]:
        """What `Network` keeps."""
        if self.network.offset:
            self.rows[-1][codes.OFFSET] = self.width
            self.width += self.rows[-1][codes.N_OUT]
        return {
            "table": np.array(self.rows), "constants": np.array(self.constants, dtype=np.float64),
            "shapes": tuple(self.shapes), "slices": tuple(self.slices), "n_params": self.n_params, "width": int(self.width),
            "places": tuple(self.places), "join": join, "kinds": tuple(self.kinds),
        }  # fmt: skip


def placed(network: Network, k: int, shape: tuple[int, ...]) -> Placement:
    """Contribution of layer k; its errors name the layer."""
    try:
        return network.layers[k].place(shape)
    except ArgumentError as error:
        name = "the output layer" if k == len(network.layers) - 1 else f"layer {k + 1} ({network.layer_names[k]!r})"
        raise ArgumentError(f"layers: {name}: {error}") from None


def activation_of(network: Network, k: int) -> ActivationSpec:
    """Activation of layer k as kernels have it."""
    if k == len(network.layers) - 1:
        return network.objective.inside
    layer = network.layers[k]
    if getattr(layer, "acts_inside", False):  # its kernels apply it
        return resolve_activation(None)
    return resolve_activation(layer.activation, f"layers: layer {k + 1} ({type(layer).__name__}): activation")


def chain(network: Network, join: int | None, before: int | None, kept: int) -> dict[str, Any]:
    """The table of a chain; see `Network` for `join`, the layer that `beside` inputs enter, and the layer before it."""
    shape = tuple(network.input_shape)
    source, n_in = 0, math.prod(shape)
    mask = -1
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
        if place.op is not None:
            source = made.add(k, place, activation_of(network, k), source, n_in, n_inputs if k == before else None)
            n_in = math.prod(place.shape)
        mask = mask_after(network.layers[k], made.rows[-1] if place.op is not None else None, mask)
        shape = place.shape
        made.places.append((len(made.rows) - 1, source, shape))
    return made.built((join, before))


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
    rows = len(made.rows) if not tower.codes else 0
    mask = -1
    for k in ops:
        place = made.place(k, shape)
        if place.op is not None:
            where = target if k == inner[-1] else None
            source = made.add(k, place, activation_of(network, k), source, math.prod(shape), where)
        mask = mask_after(network.layers[k], made.rows[-1] if place.op is not None else None, mask)
        none = not tower.codes and len(made.rows) == rows
        made.places.append((-1 if none else len(made.rows) - 1, source, place.shape))
        shape = place.shape


def tower_topology(network: Network) -> str:
    """Units per layer of each tower, inputs that go straight to the output layer, and outputs."""
    parts, first = [], 0
    for tower in network.towers:
        inputs = tower.numbers + sum(network.layers[first + j].output_dim for j in range(len(tower.codes)))
        begin, shape = _entering(network, first, tower)
        units = [str(inputs)]
        for k in range(begin, first + tower.count):
            place = placed(network, k, shape)
            units += [] if place.op is None else [str(math.prod(place.shape))]
            shape = place.shape
        if len(units) == 1 and tower.codes:  # effects of levels
            parts.append(f"{tower.name} {network.layers[first].input_dim - 1} levels")
        else:
            parts.append(f"{tower.name} {'-'.join(units)}".strip())
        first += tower.count
    if network.direct:
        parts.append(f"{network.direct} direct")
    return f"{', '.join(parts)}; {network.n_outputs}"
