"""Calls of layers in configurations of Keras models: what each reads, and their order."""

from __future__ import annotations

import heapq
from collections.abc import Iterator
from typing import Any

from ..errors import ArgumentError, FileFormatError

Config = dict[str, Any]
_WITHOUT_EFFECT = (None, False)


def text_of(value: Any) -> str:
    """A name."""
    if not isinstance(value, str) or not value:
        raise FileFormatError(f"the model's configuration has {value!r:.40} where a name should be")
    return value


def references(given: Any) -> list[tuple[str, int]]:
    """Layer and node of inputs and outputs: ``["a", 0, 0]`` or ``[["a", 0, 0], ...]``."""
    if isinstance(given, dict):
        given = list(given.values())
    given = [given] if given and isinstance(given[0], str) else given
    return [_reference(one) for one in given]


def _reference(given: Any) -> tuple[str, int]:
    name, node, tensor = given[:3]
    if type(node) is not int or tensor != 0:
        raise ArgumentError(f"layer {name!r:.80}: what puts out several has no counterpart.")
    return text_of(name), node


def node_of(node: Any, label: str) -> tuple[list[tuple[str, int]], Config]:
    """What a call reads, and its further arguments that have an effect."""
    if isinstance(node, dict):  # Keras 3
        found: list[tuple[str, int]] = []
        for one in node["args"]:
            inner = list(_tensors(one))
            if not inner and one is not None:
                raise ArgumentError(f"{label} is called with {one!r:.40}, which has no counterpart.")
            found += inner
        given = node.get("kwargs", {})
    else:  # Keras 2
        node = [node] if node and isinstance(node[0], str) else node
        found = [_reference(one) for one in node]
        given = {key: value for one in node for key, value in (one[3] if len(one) > 3 else {}).items()}
    options: Config = {}
    for key, value in given.items():
        tensors = list(_tensors(value)) if isinstance(node, dict) else []
        if tensors and key not in ("mask", "attention_mask", "initial_state"):
            found += tensors
            options[key] = ...
        elif key == "training" or value not in _WITHOUT_EFFECT:
            options[key] = value
    if options.get("training", None) is None:
        options.pop("training", None)
    elif options["training"] is not False:
        raise ArgumentError(f"{label} is called with training={options['training']!r:.20}, which has no counterpart.")
    return found, options


def automatic(mask: Any, nodes: dict[tuple[str, int], Any], entries: dict[str, Config]) -> bool:
    """Whether a mask is the one that an Embedding or a Masking layer of the model makes."""
    (at,) = list(_tensors(mask)) or [("", -1)]
    entry, inside = entries.get(at[0], {}), nodes.get(at, {})
    makes, value = "Embedding", "mask_zero"
    if entry.get("class_name") == "Any" and entry["config"].get("axis") == -1 and not entry["config"].get("keepdims"):
        makes, value = "Masking", "mask_value"
        (at,) = _tensors(inside["args"])
        entry, inside = entries[at[0]], nodes[at]
    if entry.get("class_name") != "NotEqual" or len(inside["args"]) != 2:
        return False
    (masked,), number = _tensors(inside["args"][0]), inside["args"][1]
    makers = [e["config"] for (name, k), node in nodes.items() if (e := entries[name])["class_name"] == makes
              and node_of(node, name)[0] == [masked]]  # fmt: skip
    said = [bool(config.get(value)) and number == 0 if makes == "Embedding" else config.get(value) == number
            for config in makers]  # fmt: skip
    return any(said)


def _tensors(value: Any) -> Iterator[tuple[str, int]]:
    """Tensors in an argument of a call in Keras 3."""
    if isinstance(value, dict) and value.get("class_name") == "__keras_tensor__":
        yield _reference(value["config"]["keras_history"])
    elif isinstance(value, list):
        for one in value:
            if isinstance(one, dict) and one.get("class_name") == "__keras_tensor__":
                yield _reference(one["config"]["keras_history"])


def ordered(
    nodes: dict[tuple[str, int], Any], known: dict[tuple[str, int], str], end: tuple[str, int]
) -> list[tuple[str, int]]:
    """Calls that lead to the end, each after those that it reads; in the order of the configuration where that is one."""
    reads: dict[tuple[str, int], list[tuple[str, int]]] = {}
    todo = [end]
    while todo:
        at = todo.pop()
        if at in known or at in reads:
            continue
        if at not in nodes:
            raise FileFormatError(f"no layer puts out {at[0]!r:.80}")
        reads[at] = node_of(nodes[at], f"layer {at[0]!r}")[0]
        todo += reads[at]
    order: list[tuple[str, int]] = []
    names = [at for at in nodes if at in reads]
    placed = {at: k for k, at in enumerate(names)}
    waits = {at: sum(one not in known for one in set(reads[at])) for at in names}
    readers: dict[tuple[str, int], list[tuple[str, int]]] = {}
    for at in names:
        for one in set(reads[at]):
            readers.setdefault(one, []).append(at)
    ready = [placed[at] for at in names if waits[at] == 0]
    while ready:
        at = names[heapq.heappop(ready)]
        order.append(at)
        for one in readers.get(at, []):
            waits[one] -= 1
            if waits[one] == 0:
                heapq.heappush(ready, placed[one])
    if len(order) < len(names):
        raise FileFormatError("layers read one another in a circle")
    return order
