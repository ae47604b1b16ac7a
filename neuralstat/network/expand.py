"""From layers as users write them to flat ones: what each reads, and nothing that consists of others."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from typing import Any

from ..errors import ArgumentError
from ..layers import Activation, Dense
from ..layers.attending import MultiHeadAttention
from ..layers.base import AnyLayer
from ..layers.composite import (
    MODES,
    Bidirectional,
    Conv1DTranspose,
    Conv2DTranspose,
    SeparableConv1D,
    SeparableConv2D,
)
from ..layers.graph import Branches, From, Graph, InputLayer, Node, Residual
from ..layers.merging import JOINS, MERGING, Add, Concatenate
from ..layers.sequence import ZeroMasked
from .masks import has_mask
from .names import base_name

_LAYER = AnyLayer()
INPUT = "input"  # name of an input without one


@dataclass(frozen=True)
class Flat:
    """Layers that are rows of a table.

    Attributes
    ----------
    layers : tuple of layers
    wires : tuple of tuples of int
        See `layers.graph.Graph`; empty for a chain, of which each layer reads the one before it.
    inputs : tuple of InputLayer
    """

    layers: tuple[Any, ...]
    wires: tuple[tuple[int, ...], ...] = ()
    inputs: tuple[InputLayer, ...] = (InputLayer(),)


class _Expander:
    def __init__(self, inputs: Sequence[InputLayer]) -> None:
        self.layers: list[Any] = []
        self.wires: list[tuple[int, ...]] = []
        self.inputs = list(inputs)
        self.named: dict[str, int] = {}
        self.counts: dict[str, int] = {}

    def add(self, layer: Any, reads: Sequence[int]) -> int:
        """A layer that reads others; the number of what comes out."""
        make = _COMPOSITES.get(type(layer))
        if make is not None:
            at = make(self, layer, reads)
        else:
            self.layers.append(layer)
            self.wires.append(tuple(reads))
            at = len(self.layers) - 1
        if layer.name is not None:
            self.named[layer.name] = at
        return at

    def chain(self, layers: Any, at: int, words: str) -> int:
        """Layers one after the other, the first of which reads `at`."""
        for layer in _sequence(layers, words):
            if isinstance(layer, Node) and isinstance(layer.layer, InputLayer):
                at = self.input(layer.layer)
            elif isinstance(layer, From):
                at = self.find(layer.layer)
            elif isinstance(layer, MERGING):
                if layer.inputs is None:
                    kind = type(layer).__name__
                    raise ArgumentError(
                        f"layers: {kind} in a sequence needs the names of what it joins, as {kind}(['a', 'b']) after layers "
                        "with name='a' and name='b'."
                    )
                at = self.add(layer, [self.find(name) for name in layer.inputs])
            else:
                at = self.add(layer, (at,))
        return at

    def input(self, layer: InputLayer) -> int:
        """The number of an input."""
        if self.inputs == [InputLayer()] and not self.layers:
            self.inputs = []
        if layer not in self.inputs:
            self.inputs.append(layer)
        at = -1 - self.inputs.index(layer)
        if layer.name is not None:
            self.named[layer.name] = at
        return at

    def find(self, name: str) -> int:
        """The number of a layer by name."""
        if name in self.named:
            return self.named[name]
        if name == INPUT:
            return -1
        known = ", ".join(map(repr, [INPUT, *self.named]))
        raise ArgumentError(f"layers: no layer before has the name {name!r}; names: {known}.")

    def numbered(self, layer: Any, base: str) -> str:
        """The name of a layer that consists of others: its own, or as Keras counts."""
        if layer.name is not None:
            return layer.name
        count = self.counts.get(base, 0)
        self.counts[base] = count + 1
        return base if count == 0 else f"{base}_{count}"


def _residual(made: _Expander, layer: Residual, reads: Sequence[int]) -> int:
    (at,) = reads
    end = made.chain(layer.layers, at, "Residual: layers")
    past = at if layer.shortcut is None else made.chain(layer.shortcut, at, "Residual: shortcut")
    return _activated(made, Add(name=layer.name), (end, past), layer.activation)


def _branches(made: _Expander, layer: Branches, reads: Sequence[int]) -> int:
    (at,) = reads
    ends = [made.chain(chain, at, "Branches") for chain in layer.chains]
    return _activated(made, JOINS[layer.merge](name=layer.name), ends, layer.activation)


def _activated(made: _Expander, layer: Any, reads: Sequence[int], activation: Any) -> int:
    at = made.add(layer, reads)
    return at if activation is None else made.add(Activation(activation), (at,))


def _bidirectional(made: _Expander, layer: Bidirectional, reads: Sequence[int]) -> int:
    (at,) = reads
    name = made.numbered(layer, "bidirectional")
    ends = [made.chain(chain, at, "Bidirectional") for chain in layer.both(name, base_name(type(layer.layer).__name__))]
    if layer.layer.return_sequences:  # outputs at masked times are 0, as in Keras
        ends = [made.add(ZeroMasked(f"{name}/{side}_masked"), (end,)) for side, end in zip(("forward", "backward"), ends)]
    return made.add(MODES[layer.merge_mode](name=f"{name}/{layer.merge_mode}"), ends)


def _in_parts(made: _Expander, layer: Any, reads: Sequence[int]) -> int:
    (at,) = reads
    for part in layer.parts(made.numbered(layer, base_name(type(layer).__name__))):
        at = made.add(part, (at,))
    return at


def _attention(made: _Expander, layer: MultiHeadAttention, reads: Sequence[int]) -> int:
    """Query and value are read, and the key where it is another; alone a sequence attends to itself."""
    query, value = (reads[0], reads[0]) if len(reads) == 1 else reads[:2]
    key = reads[2] if len(reads) == 3 else value
    *ways, joined, core, end = layer.parts(made.numbered(layer, "multi_head_attention"))
    asks, keys, values = (made.add(way, (at,)) for way, at in zip(ways, (query, key, value), strict=True))
    heads = made.add(core, (made.add(joined, (asks, keys, values)), asks))
    return made.add(end, (heads, query))


_COMPOSITES: dict[type, Callable[[_Expander, Any, Sequence[int]], int]] = {
    Residual: _residual, Branches: _branches, Bidirectional: _bidirectional, SeparableConv1D: _in_parts,
    SeparableConv2D: _in_parts, Conv1DTranspose: _in_parts, Conv2DTranspose: _in_parts,
    MultiHeadAttention: _attention,
}  # fmt: skip


def _sequence(layers: Any, words: str) -> Sequence[Any]:
    if isinstance(layers, str) or not isinstance(layers, Sequence):
        raise ArgumentError(f"{words} must be a sequence of neuralstat.layers, got {type(layers).__name__}.")
    for layer in layers:
        if not isinstance(layer, Node) or not isinstance(layer.layer, InputLayer):
            _LAYER.check(layer, words)
    return layers


def expanded(layers: Any, words: str = "layers") -> Flat:
    """Flat layers of a sequence or a graph.

    Raises
    ------
    ArgumentError
        Where they are no layers, a name is unknown, or a layer leads nowhere.
    """
    if isinstance(layers, Graph):
        made = _Expander(layers.inputs)
        ends: list[int] = []
        for layer, reads in zip(layers.layers, layers.wires, strict=True):
            ends.append(made.add(layer, [r if r < 0 else ends[r] for r in reads]))
        end = ends[-1]
    else:
        made = _Expander((InputLayer(),))
        end = made.chain(layers, -1, words)
    return _checked(made, end)


def _checked(made: _Expander, end: int) -> Flat:
    flat, end = _needed(Flat(tuple(made.layers), tuple(made.wires), tuple(made.inputs)), end)
    if not flat.layers:
        return Flat((), (), flat.inputs)
    used = {end}
    for k in range(len(flat.layers) - 1, -1, -1):
        used |= set(flat.wires[k]) if k in used else set()
    lost = [layer for k, layer in enumerate(flat.layers) if k not in used]
    if lost:
        said = f"{type(lost[0]).__name__} {lost[0].name!r}" if lost[0].name else f"a {type(lost[0]).__name__}"
        raise ArgumentError(f"layers: {said} leads nowhere: no layer reads it.")
    for j, layer in enumerate(flat.inputs):
        if -1 - j not in used:
            raise ArgumentError(f"layers: no layer reads the input {layer.name or INPUT!r}.")
    if end != len(flat.layers) - 1:
        raise ArgumentError("layers: they end in a layer that stands before others; let the last one be the end.")
    plain = len(flat.inputs) == 1 and all(reads == (k - 1,) for k, reads in enumerate(flat.wires))
    plain = plain and not any(isinstance(layer, MERGING) for layer in flat.layers)
    return replace(flat, wires=()) if plain else flat


def _needed(flat: Flat, end: int) -> tuple[Flat, int]:
    """Without layers that set masked units to 0 where there is no mask."""
    masked: list[bool] = []
    for layer, reads in zip(flat.layers, flat.wires, strict=True):
        masked.append(has_mask(layer, [r >= 0 and masked[r] for r in reads]))
    place = {r: r for r in range(-len(flat.inputs), 0)}
    layers: list[Any] = []
    wires: list[tuple[int, ...]] = []
    for k, (layer, reads) in enumerate(zip(flat.layers, flat.wires, strict=True)):
        if isinstance(layer, ZeroMasked) and not masked[k]:
            place[k] = place[reads[0]]
            continue
        place[k] = len(layers)
        layers.append(layer)
        wires.append(tuple(place[r] for r in reads))
    return replace(flat, layers=tuple(layers), wires=tuple(wires)), place[end]


def with_beside(flat: Flat) -> Flat:
    """A graph that reads tabular inputs, too, as its last input.

    As in a chain, they enter the first Dense layer that every way goes through, before its own inputs; where there is none,
    the output layer.
    """
    through = (k for k, layer in enumerate(flat.layers) if type(layer) is Dense and _passed_by_all(flat, k))
    k = next(through, len(flat.layers))
    wires = [tuple(r if r < k else r + 1 for r in reads) for reads in flat.wires]
    before = wires[k][0] if k < len(wires) else k - 1
    wires[k : k + 1] = [(-1 - len(flat.inputs), before), *([(k,)] if k < len(wires) else [])]
    layers = (*flat.layers[:k], Concatenate(), *flat.layers[k:])
    return Flat(layers, tuple(wires), (*flat.inputs, InputLayer()))


def _passed_by_all(flat: Flat, k: int) -> bool:
    """Whether every way from inputs to the end goes through layer k."""
    reached, left = set(), [len(flat.layers) - 1]
    while left:
        at = left.pop()
        if at in reached or at == k:
            continue
        if at < 0:
            return False
        reached.add(at)
        left += flat.wires[at]
    return True
