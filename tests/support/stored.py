"""Saved fits, taken apart and put together again with changes; values that run code where they are evaluated."""

from __future__ import annotations

import copy
import json
import zipfile
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any


def parts_of(path: Path) -> dict[str, bytes]:
    """Members of a saved fit."""
    with zipfile.ZipFile(path) as file:
        return {name: file.read(name) for name in file.namelist()}


def write(parts: dict[str, bytes], target: Path) -> Path:
    """A saved fit of members."""
    with zipfile.ZipFile(target, "w") as file:
        for name, content in parts.items():
            file.writestr(name, content)
    return target


def document_of(parts: dict[str, bytes]) -> dict[str, Any]:
    """The model's JSON, its formula (JSON in JSON) read, too."""
    document = json.loads(parts["model.json"])
    document["model"]["spec"] = json.loads(document["model"]["spec"])
    return document


def with_document(parts: dict[str, bytes], document: dict[str, Any], target: Path) -> Path:
    """A saved fit with another JSON."""
    document = copy.deepcopy(document)
    spec = document["model"]["spec"]
    document["model"]["spec"] = spec if isinstance(spec, str) else json.dumps(spec)
    return write({**parts, "model.json": json.dumps(document).encode()}, target)


def changed(document: Any, path: tuple[Any, ...], value: Any) -> Any:
    """A copy with one entry replaced: `value`, or what a function makes of the old one."""
    document = copy.deepcopy(document)
    place = document
    for key in path[:-1]:
        place = place[key]
    place[path[-1]] = value(place[path[-1]]) if callable(value) else value
    return document


def leaves(value: Any, path: tuple[Any, ...] = ()) -> Iterator[tuple[tuple[Any, ...], Any]]:
    """Places and values of all that is no list and no table."""
    items = value.items() if isinstance(value, dict) else enumerate(value) if isinstance(value, list) else None
    if items is None:
        yield path, value
        return
    for key, inner in items:
        yield from leaves(inner, (*path, key))


def texts(document: Any, holds: Callable[[str], bool] = lambda text: True) -> Iterator[tuple[Any, ...]]:
    """Places of strings."""
    yield from (path for path, value in leaves(document) if isinstance(value, str) and holds(value))
