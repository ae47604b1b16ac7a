"""Configurations of Keras models, as plain data."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

from ..checks.files import parse_json
from ..errors import FileFormatError


def parse_config(raw: bytes | str) -> dict[str, Any]:
    """The configuration of a model, as plain data.

    Raises
    ------
    FileFormatError
        Where it is not JSON, or holds code: Lambda layers and pickled functions.
    """
    config = parse_json(raw if isinstance(raw, bytes) else raw.encode("utf-8", "surrogatepass"), "the model's configuration",
                        strict=False)  # fmt: skip
    if not isinstance(config, dict):
        raise FileFormatError("the model's configuration is no table")
    for node in _nodes(config):
        if node.get("class_name") in ("Lambda", "__lambda__"):
            raise FileFormatError("the model has a Lambda layer or function, which is code; code is not executed")
    return config


def _nodes(config: Any) -> Iterator[dict[str, Any]]:
    todo = [config]
    while todo:
        node = todo.pop()
        if isinstance(node, dict):
            yield node
            todo += node.values()
        elif isinstance(node, list):
            todo += node


def layers_of(config: dict[str, Any] | None) -> list[dict[str, Any]]:
    """Entries of the layers of a Sequential or functional model, in order; [] where there are none."""
    inner = config.get("config") if isinstance(config, dict) else None
    layers = inner if isinstance(inner, list) else inner.get("layers") if isinstance(inner, dict) else None
    return [layer for layer in layers if isinstance(layer, dict)] if isinstance(layers, list) else []


def name_of(layer: dict[str, Any]) -> str:
    """Name of a layer's entry; "" where it has none."""
    inner = layer.get("config")
    name = inner.get("name") if isinstance(inner, dict) else None
    return name if isinstance(name, str) else ""
