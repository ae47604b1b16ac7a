"""How Keras names arrays in its files, and one way to name them: ``"layer/array"``, as ``"lstm/recurrent_kernel"``."""

from __future__ import annotations

import re
from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

import numpy as np

from ..errors import FileFormatError
from .config import name_of

if TYPE_CHECKING:
    from .hdf5 import SafeFile

_RECURRENT = ("kernel", "recurrent_kernel", "bias")
#: Arrays of a layer, in Keras' order, by its class in snake case
ARRAYS: dict[str, tuple[str, ...]] = {
    "dense": ("kernel", "bias"), "einsum_dense": ("kernel", "bias"),
    "conv1d": ("kernel", "bias"), "conv2d": ("kernel", "bias"), "conv3d": ("kernel", "bias"),
    "conv1d_transpose": ("kernel", "bias"), "conv2d_transpose": ("kernel", "bias"),
    "depthwise_conv1d": ("kernel", "bias"), "depthwise_conv2d": ("kernel", "bias"),
    "separable_conv1d": ("depthwise_kernel", "pointwise_kernel", "bias"),
    "separable_conv2d": ("depthwise_kernel", "pointwise_kernel", "bias"),
    "lstm": _RECURRENT, "gru": _RECURRENT, "simple_rnn": _RECURRENT,
    "lstm_cell": _RECURRENT, "gru_cell": _RECURRENT, "simple_rnn_cell": _RECURRENT,
    **{f"{part}_dense": ("kernel", "bias") for part in ("query", "key", "value", "output")},  # of attention
    "batch_normalization": ("gamma", "beta", "moving_mean", "moving_variance"),
    "layer_normalization": ("gamma", "beta"), "embedding": ("embeddings",), "prelu": ("alpha",), "p_re_lu": ("alpha",),
}  # fmt: skip
_CELL = re.compile(r"((lstm|gru|simple_rnn)_)?cell(_\d+)?")
_KERAS1 = {"W": "kernel", "U": "recurrent_kernel", "b": "bias", "gamma": "gamma", "beta": "beta",
           "running_mean": "moving_mean", "running_std": "moving_variance"}  # fmt: skip
_DEPTH = 30


def legacy_names(file: SafeFile, top: str) -> dict[str, np.ndarray]:
    """Arrays of a file of Keras 1 or 2: groups named by the attribute layer_names, their arrays by weight_names."""
    out: dict[str, np.ndarray] = {}
    names = file.texts(file.group(top), "layer_names")
    if len(set(names)) < len(names):
        raise FileFormatError("two layers have the same name")
    for layer in names:
        path = f"{top}/{layer}"
        weights = file.texts(file.group(path), "weight_names")
        short = [_short(layer, weight) for weight in weights]
        if len(set(short)) < len(short):
            short = weights
        for weight, own in zip(weights, short, strict=True):
            _put(out, f"{layer}/{own}", file.array(file.at(f"{path}/{weight}")))
    return out


def _short(layer: str, weight: str) -> str:
    """``lstm/lstm_cell/kernel:0`` -> ``kernel``; ``model/dense/kernel`` -> ``dense/kernel``; ``fc_W_1:0`` -> ``kernel``."""
    parts = [part for part in weight.partition(":")[0].split("/") if part]
    if layer in parts:
        last = len(parts) - 1 - parts[::-1].index(layer)
        parts = parts[last + 1 :]
    elif len(parts) > 1:
        parts = parts[1:] if not _CELL.fullmatch(parts[0]) else parts
    parts = [part for part in parts[:-1] if not _CELL.fullmatch(part)] + parts[-1:]
    old = re.fullmatch(rf"{re.escape(layer)}_({'|'.join(_KERAS1)})(_\d+)?", parts[-1]) if parts else None
    if old:
        parts[-1] = _KERAS1[old[1]]
    return "/".join(parts) or weight


def _put(out: dict[str, np.ndarray], name: str, array: np.ndarray) -> None:
    if name in out:
        raise FileFormatError(f"two arrays are called {name!r:.80}")
    out[name] = array


def keras3_names(file: SafeFile, layers: Sequence[dict[str, Any]]) -> tuple[dict[str, np.ndarray], bool]:
    """Arrays of a file of Keras 3, and whether their order is that of the layers, which the configuration tells.

    Groups are called by class and number (``layers/conv2d_1``); the layer's own name is an attribute in files of newer
    versions, and else comes from the configuration. Arrays are numbered; their names follow from the class.
    """
    root = file.root
    top = "layers" if "layers" in root else "_layer_checkpoint_dependencies"
    groups = file.groups(file.child(root, top))
    entries = _entries(layers)
    order = [key for key in entries if key in groups]
    known = bool(entries) and all(key in entries for key, group in groups.items() if _has_arrays(group))
    out: dict[str, np.ndarray] = {}
    for key in [*order, *(k for k in groups if k not in entries)]:
        entry = entries.get(key, {})
        _walk(file, groups[key], key, "", name_of(entry), entry, out, 0)
    stems = {re.sub(r"_\d+$", "", key) for key, group in groups.items() if _has_arrays(group)}
    return out, known or len(stems) == 1


def _has_arrays(group: Any) -> bool:
    found = group.get("vars")
    inner = [group[name] for name in group if name != "vars" and name != "seed_generator"]
    return bool(found is not None and len(found)) or any(hasattr(g, "keys") and _has_arrays(g) for g in inner)


def _entries(layers: Sequence[dict[str, Any]]) -> dict[str, dict[str, Any]]:
    """Configurations of layers by the name of their group."""
    counts: dict[str, int] = {}
    out = {}
    for layer in layers:
        stem = snake_case(str(layer.get("class_name")))
        number = counts.get(stem, 0)
        counts[stem] = number + 1
        out[stem if not number else f"{stem}_{number}"] = layer
    return out


def snake_case(name: str) -> str:
    """A class's name as Keras writes it in files: ``Conv2D`` -> ``conv2d``, ``LSTM`` -> ``lstm``."""
    name = re.sub(r"\W+", "", name)
    name = re.sub("(.)([A-Z][a-z]+)", r"\1_\2", name)
    return re.sub("([a-z])([A-Z])", r"\1_\2", name).lower()


def _walk(file: SafeFile, group: Any, key: str, above: str, name: str, entry: dict[str, Any],
          out: dict[str, np.ndarray], depth: int) -> None:  # fmt: skip
    """Arrays of a layer and of the layers in it."""
    if depth > _DEPTH:
        raise FileFormatError("its groups are nested too deeply")
    if key == "seed_generator":
        return  # the state of a random number generator
    inside = file.groups(group)
    variables = inside.pop("vars", None)
    if variables is not None and "name" in variables.attrs:
        name = file.text(variables, "name")
    name = name or key
    path = above if key == "cell" else f"{above}/{name}".lstrip("/")
    if variables is not None and len(variables):
        kind = snake_case(str(entry["class_name"])) if "class_name" in entry else re.sub(r"_\d+$", "", key)
        kind = "lstm" if key == "cell" else kind  # all cells have the same three arrays
        arrays = [file.array(file.child(variables, k)) for k in sorted(variables, key=lambda k: (len(k), k))]
        for own, array in zip(_array_names(kind, entry, len(arrays)), arrays, strict=True):
            _put(out, f"{path}/{own}", array)
    layers = inside.pop("layers", None)
    for child, found in {**inside, **(file.groups(layers) if layers is not None else {})}.items():
        _walk(file, found, child, path, "", {}, out, depth + 1)


def _array_names(kind: str, entry: dict[str, Any], count: int) -> Sequence[str]:
    """Names of a layer's arrays; numbers where its class is not known."""
    names = ARRAYS.get(kind, ())
    config: Any = entry.get("config")
    config = config if isinstance(config, dict) else {}
    if kind == "batch_normalization":
        names = tuple(n for n, flag in zip(names, ("scale", "center", "", ""), strict=True) if config.get(flag, True))
    if len(names) == count:
        return names
    if names and names[-1] == "bias" and count == len(names) - 1:
        return names[:-1]  # use_bias=False
    return [str(k) for k in range(count)]
