"""Names of layers, as Keras gives them."""

from __future__ import annotations

import re
from collections.abc import Sequence
from typing import Any

from ..errors import ArgumentError

_KERAS_NAMES = {"BatchNorm": "batch_normalization", "MaxPool1D": "max_pooling1d", "MaxPool2D": "max_pooling2d",
                "AvgPool1D": "average_pooling1d", "AvgPool2D": "average_pooling2d",
                "GlobalAvgPool": "global_average_pooling", "GlobalMaxPool": "global_max_pooling"}  # fmt: skip


def _axes_after(layer: Any, axes: int) -> int:
    """Axes of a layer's output for one observation, from those of its input."""
    kind = type(layer).__name__
    if kind in ("SimpleRNN", "LSTM", "GRU"):
        return 2 if layer.return_sequences else 1
    if kind in ("Dense", "Flatten", "GlobalAvgPool", "GlobalMaxPool"):
        return 1
    return axes + 1 if kind == "Embedding" else len(layer.target_shape) if kind == "Reshape" else axes


def layer_names(layers: Sequence[Any], axes: int = 3) -> tuple[str, ...]:
    """Names of layers: those given, else the kind with a number from the second on, as Keras gives them.

    Parameters
    ----------
    layers : sequence of layers
    axes : int
        Of one observation: global pooling has other names in Keras for sequences and for images.

    Raises
    ------
    ArgumentError
        Where two layers have one name.
    """
    given = [getattr(layer, "name", None) for layer in layers]
    used = {name for name in given if name is not None}
    if len(used) < sum(name is not None for name in given):
        twice = next(name for name in given if name is not None and given.count(name) > 1)
        raise ArgumentError(f"layers: two layers are called {twice!r}.")
    counts: dict[str, int] = {}
    names = []
    for layer, name in zip(layers, given, strict=True):
        kind = type(layer).__name__
        base = _KERAS_NAMES.get(kind, re.sub(r"(?<=[a-z])(?=[A-Z])|(?<=[A-Z])(?=[A-Z][a-z])", "_", kind).lower())
        if kind in ("GlobalAvgPool", "GlobalMaxPool"):
            base += f"{axes - 1}d"
        axes = _axes_after(layer, axes)
        while name is None:
            number = counts.get(base, 0)
            counts[base] = number + 1
            made = base if number == 0 else f"{base}_{number}"
            name = None if made in used else made
        names.append(name)
    return tuple(names)
