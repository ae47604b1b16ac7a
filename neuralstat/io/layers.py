"""Layers and functions of users as plain data, and back."""

from __future__ import annotations

import dataclasses
from typing import Any

import numpy as np

from ..errors import ArgumentError, FileFormatError
from ..functions.activations import ACTIVATIONS, ALIASES
from ..layers import LAYERS
from ..layers.arguments import as_plain, built
from ..layers.graph import From, Graph, InputLayer, Node
from ..network.objective import ActivationSpec, resolve_activation
from ..symbolic.custom import Activation, Loss
from .encoding import Reader, Writer

_KINDS = {**LAYERS, "InputLayer": InputLayer}
_DEEPEST, _MOST = 50, 1000  # of layers inside layers; of layers
#: Activations whose parameter by default was another, with the one that files mean which do not say it
BEFORE = {"leaky_relu": 0.3}
_HOLDING = ("layers", "shortcut", "chains", "layer")  # fields of layers that hold layers


def pack_layers(layers: Any, writer: Writer) -> Any:
    """Layers one after the other, or a graph."""
    if isinstance(layers, Graph):
        return {"layers": [_pack_layer(layer, writer) for layer in layers], "wires": [list(reads) for reads in layers.wires],
                "inputs": [_pack_layer(layer, writer) for layer in layers.inputs]}  # fmt: skip
    if isinstance(layers, list | tuple):
        return [pack_layers(layer, writer) for layer in layers]
    return _pack_layer(layers.layer if isinstance(layers, Node) else layers, writer)


def _pack_layer(layer: Any, writer: Writer) -> dict[str, Any]:
    """Kind and arguments of a layer."""
    packed: dict[str, Any] = {"kind": type(layer).__name__}
    for field in dataclasses.fields(layer):
        value = getattr(layer, field.name)
        if field.name in _HOLDING and value is not None and not isinstance(value, str):
            packed[field.name] = pack_layers(value, writer)
        elif field.name.endswith("activation"):
            packed[field.name] = pack_function(value, "layers", writer)
        else:
            packed[field.name] = writer.value(as_plain(value), f"layers.{field.name}")
    return packed


def unpack_layers(entry: Any, reader: Reader, depth: int = 0) -> Any:
    """Invert `pack_layers`."""
    if entry is None:
        return None
    if depth > _DEEPEST:
        raise FileFormatError("its layers are nested too deeply")
    if isinstance(entry, list):
        if len(entry) > _MOST:
            raise FileFormatError("its layers are damaged")
        return [unpack_layers(part, reader, depth + 1) for part in entry]
    if isinstance(entry, dict) and set(entry) == {"layers", "wires", "inputs"}:
        return _unpack_graph(entry, reader, depth)
    kind = _KINDS.get(str(entry.get("kind"))) if isinstance(entry, dict) else None
    if kind is None and isinstance(entry, dict) and isinstance(entry.get("kind"), str):
        raise FileFormatError(f"it has a layer {entry['kind']!r:.60}, which this version does not know")
    fields = {} if kind is None else {field.name: field.default for field in dataclasses.fields(kind)}
    needed = {name for name, default in fields.items() if default is dataclasses.MISSING}  # older files may lack the others
    if kind is None:
        raise FileFormatError("its layers are damaged")
    if unknown := sorted(set(entry) - {"kind", *fields}):
        raise FileFormatError(f"its layer {kind.__name__} has {unknown[0]!r:.60}, which this version does not know")
    if not needed <= set(entry):
        raise FileFormatError("its layers are damaged")
    values = {name: _unpack_field(name, entry[name], reader, depth) for name in fields if name in entry}
    if "go_backwards" in set(fields) - set(entry):  # of recurrent layers that knew no activation but their own
        values.pop("activation", None)
    if kind is InputLayer:
        return Node(InputLayer(**values), ())
    return kind(*values.pop("chains"), **values) if "chains" in values else kind(**values)


def _unpack_field(name: str, entry: Any, reader: Reader, depth: int) -> Any:
    if name in _HOLDING and isinstance(entry, list | dict):
        return unpack_layers(entry, reader, depth + 1)
    return unpack_function(entry, "layers") if name.endswith("activation") else built(reader.value(entry))


def _unpack_graph(entry: dict[str, Any], reader: Reader, depth: int) -> Graph:
    parts = [unpack_layers(entry[name], reader, depth + 1) for name in ("layers", "inputs")]
    wires = entry["wires"]
    sound = isinstance(wires, list) and all(isinstance(part, list) for part in parts) and len(wires) == len(parts[0]) > 0
    if not sound or not all(isinstance(node, Node) for node in parts[1]):
        raise FileFormatError("its layers are damaged")
    for layer in parts[0]:
        if type(layer) is From or type(layer) not in LAYERS.values():
            kind = type(layer.layer if isinstance(layer, Node) else layer).__name__
            raise FileFormatError(f"its graph has a {kind} among its layers, which cannot stand there")
    for k, reads in enumerate(wires):
        if not isinstance(reads, list) or not reads or not all(type(r) is int and -len(parts[1]) <= r < k for r in reads):
            raise FileFormatError("its layers are damaged")
    return Graph(tuple(parts[0]), tuple(map(tuple, wires)), tuple(node.layer for node in parts[1]))


def pack_function(value: Any, name: str, writer: Writer) -> Any:
    """A name, or an expression of a user's function."""
    if isinstance(value, list | tuple):
        return [pack_function(v, name, writer) for v in value]
    if name != "err_fct" and isinstance(value, str) and ALIASES.get(value, value) in BEFORE:
        value = resolve_activation(value)
    if isinstance(value, ActivationSpec) and value.name in ACTIVATIONS:
        return {"named": value.name, "parameter": value.parameter}
    if value is None or isinstance(value, str):
        return value
    kind = Loss if name == "err_fct" else Activation
    if callable(value) and not isinstance(value, kind):
        value = kind(value)
    if isinstance(value, kind):
        return {"custom": value.to_json()}
    raise ArgumentError(f"{name} holds {type(value).__name__}, which cannot be saved.")


def unpack_function(entry: Any, name: str) -> Any:
    """Invert `pack_function`."""
    if isinstance(entry, list):
        return [unpack_function(e, name) for e in entry]
    if name != "err_fct" and isinstance(entry, str) and (own := ALIASES.get(entry, entry)) in BEFORE:
        return _named(own, BEFORE[own])
    if entry is None or isinstance(entry, str):
        return entry
    if name != "err_fct" and isinstance(entry, dict) and set(entry) == {"named", "parameter"}:
        known, parameter = str(entry["named"]), entry["parameter"]
        if known not in ACTIVATIONS or type(parameter) is not float or not np.isfinite(parameter):
            raise FileFormatError(f"its setting {name!r} is damaged")
        return _named(known, parameter)
    if isinstance(entry, dict) and set(entry) == {"custom"}:
        return (Loss if name == "err_fct" else Activation).from_json(entry["custom"])
    raise FileFormatError(f"its setting {name!r} is damaged")


def _named(name: str, parameter: float) -> Any:
    """An activation by name, where it has its usual parameter; else with the parameter."""
    kind = ACTIVATIONS[name]
    return name if parameter == kind.parameter else ActivationSpec(name, kind.code, parameter)
