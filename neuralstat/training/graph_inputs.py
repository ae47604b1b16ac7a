"""Which inputs of a design the inputs of a graph of layers are."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import replace
from typing import Any

import numpy as np

from ..errors import ArgumentError
from ..formula import Design
from ..formula.tensors import tensor_rows
from ..layers import Dense
from ..layers.graph import InputLayer
from ..network.expand import Flat, with_beside
from ..network.objective import resolve_activation
from ..network.table import Entry


def activated(layers: Sequence[Any]) -> list[Any]:
    """Layers whose dense ones have resolved activations."""
    return [
        replace(layer, activation=resolve_activation(layer.activation, f"layers: layer {k + 1} (Dense): activation"))
        if type(layer) is Dense else layer
        for k, layer in enumerate(layers)
    ]  # fmt: skip


def inputs_of(flat: Flat, design: Design) -> tuple[Flat, tuple[Entry, ...]]:
    """The graph with what enters beside arrays, and where its inputs lie; no entries for a chain.

    Raises
    ------
    ArgumentError
        Where inputs of the graph are not those of the formula.
    """
    spec = design.spec
    single = len(flat.inputs) == 1 and (flat.inputs[0].name is None or len(spec.tensors) + bool(design.n_beside) <= 1)
    if single:
        check_shape(flat.inputs[0], design.input_shape)
    if not flat.wires:
        return flat, ()
    arrays = sum(t.size for t in spec.tensors)
    beside = Entry(arrays, (len(design.x_names) - arrays,), name=NUMBERS)
    if single:
        name = flat.inputs[0].name or (spec.tensors[0].name if len(spec.tensors) == 1 else None)
        whole = Entry(0, design.input_shape, name=name)
        return (flat, (whole,)) if not design.n_beside else (with_beside(flat), (whole, beside))
    known = {t.name: _entry(rows) for t, rows in zip(spec.tensors, tensor_rows(spec.tensors), strict=True)}
    if beside.shape[0]:
        known[NUMBERS] = beside
    return flat, tuple(_matched(flat.inputs, known))


NUMBERS = "numbers"  # the input of all covariates that are no arrays


def _matched(inputs: Sequence[InputLayer], known: dict[str, Entry]) -> list[Entry]:
    listed = ", ".join(map(repr, known))
    if len(inputs) != len(known):
        raise ArgumentError(f"layers: the graph has {len(inputs)} inputs, the formula {len(known)}: {listed}.")
    names = [layer.name for layer in inputs]
    if all(name in known for name in names) and len(set(names)) == len(names):
        order = [str(name) for name in names]
    elif any(name in known for name in names):
        wrong = next(name for name in names if name not in known)
        raise ArgumentError(f"layers: the graph has an input {wrong!r}, the formula has {listed}.")
    else:  # in the order of the formula
        order = list(known)
    for layer, name in zip(inputs, order, strict=True):
        check_shape(layer, known[name].shape)
    return [replace(known[name], name=layer.name or name) for layer, name in zip(inputs, order, strict=True)]


def check_shape(layer: InputLayer, shape: tuple[int, ...]) -> None:
    """Raise ArgumentError where an input is to have another shape than the data."""
    if layer.shape is not None and tuple(layer.shape) != tuple(shape):
        name = "" if layer.name is None else f" {layer.name!r}"
        raise ArgumentError(f"layers: the input{name} should have the shape {tuple(layer.shape)}, but has {tuple(shape)}.")


def _entry(rows: np.ndarray) -> Entry:
    """Where an array term lies: its numbers side by side, or at strides."""
    first, shape = int(rows.flat[0]), tuple(int(s) for s in rows.shape)
    if int(rows.flat[-1]) - first + 1 == rows.size:
        return Entry(first, shape)
    own = [int(np.take(rows, 1, axis).flat[0]) - first if n > 1 else math.prod(shape) for axis, n in enumerate(shape)]
    return Entry(first, shape, tuple(own))
