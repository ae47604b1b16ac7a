"""Named arrays of a file, and their strict mapping onto what a model expects."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

import numpy as np

from ..errors import ArgumentError, DataError


class WeightFile(Mapping[str, np.ndarray]):
    """Arrays of a file by name, ``"layer/array"``; made by `read_weights`.

    Attributes
    ----------
    path : Path
    kind : str
        ``"keras-legacy"``, ``"keras-weights"``, ``"keras"`` or ``"safetensors"``.
    config : dict or None
        The model's configuration as plain data, where the file has one.
    ordered : bool
        Whether the arrays stand in the order of the layers.

    Examples
    --------
    >>> import numpy as np
    >>> import neuralstat as ns
    >>> arrays = {"dense/kernel": np.zeros((2, 3)), "dense/bias": np.zeros(3)}
    >>> ns.write_safetensors("weights.safetensors", arrays)
    >>> file = ns.read_weights("weights.safetensors")
    >>> file.kind, file.n_params, list(file.layers)
    ('safetensors', 9, ['dense'])
    """

    def __init__(
        self, path: Path, kind: str, arrays: Mapping[str, np.ndarray], config: dict[str, Any] | None, ordered: bool
    ) -> None:
        self.path, self.kind, self.config, self.ordered = path, kind, config, ordered
        self._arrays = dict(arrays)

    def __getitem__(self, name: str) -> np.ndarray:
        return self._arrays[name]

    def __iter__(self) -> Iterator[str]:
        return iter(self._arrays)

    def __len__(self) -> int:
        return len(self._arrays)

    @property
    def layers(self) -> dict[str, dict[str, np.ndarray]]:
        """Arrays by layer: ``{"block1_conv1": {"kernel": ..., "bias": ...}, ...}``."""
        return by_layer(self)

    @property
    def n_params(self) -> int:
        """How many numbers the arrays hold."""
        return sum(array.size for array in self.values())

    def __repr__(self) -> str:
        wide = max((len(name) for name in self), default=0)
        lines = [f"  {name:<{wide}}  {array.shape!s}  {array.dtype}" for name, array in self.items()]
        return "\n".join([f"{self.path.name} ({self.kind}): {len(self)} arrays, {self.n_params:,} numbers", *lines])

    def match(
        self, expected: Any, *, by: str = "name", rename: Mapping[str, str] | None = None, unused: str = "raise",
        missing: str = "raise",
    ) -> dict[str, np.ndarray]:  # fmt: skip
        """The arrays under the names that a model expects, for ``startweights=``; see `match`."""
        try:
            return match(self, expected, by=by, rename=rename, unused=unused, missing=missing, ordered=self.ordered)
        except DataError as error:
            raise DataError(f"{self.path}: {error}") from None


def by_layer(arrays: Mapping[str, Any]) -> dict[str, dict[str, Any]]:
    """Arrays by the part of their name before the last slash."""
    out: dict[str, dict[str, Any]] = {}
    for name, array in arrays.items():
        layer, _, own = name.rpartition("/")
        out.setdefault(layer, {})[own] = array
    return out


def expected_shapes(expected: Any) -> dict[str, tuple[int, ...]]:
    """Shapes by name: of a fit's ``get_weights()``, or of a mapping of arrays or shapes."""
    if hasattr(expected, "get_weights"):
        expected = expected.get_weights()
    if not isinstance(expected, Mapping):
        raise ArgumentError(f"expected must be a fit, or a mapping of names and arrays or shapes, got {expected!r:.80}.")
    return {name: tuple(value.shape if hasattr(value, "shape") else value) for name, value in expected.items()}


def match(
    arrays: Mapping[str, np.ndarray], expected: Any, *, by: str = "name", rename: Mapping[str, str] | None = None,
    unused: str = "raise", missing: str = "raise", ordered: bool = True,
) -> dict[str, np.ndarray]:  # fmt: skip
    """Arrays under the names that a model expects, all of them with the shapes that it expects.

    Parameters
    ----------
    arrays : mapping of str to array
    expected : fit, or mapping of str to array or shape
        What the model has, as `NeuralNetResults.get_weights` gives it.
    by : "name" or "order"
        "order" pairs the first layer that has weights with the model's first, and so on, whatever they are called; their
        arrays (kernel, bias) still go by name.
    rename : mapping, optional
        Names of layers (``"predictions"``) or arrays (``"predictions/kernel"``) in the file, and what the model calls them.
    unused : "raise" or "ignore"
        What becomes of arrays that the model does not have.
    missing : "raise" or "ignore"
        What becomes of arrays of the model that are not there: "ignore" leaves them out.
    ordered : bool
        Whether the arrays stand in the order of the layers.

    Returns
    -------
    dict of str to array
        In the order of `expected`.

    Raises
    ------
    DataError
        Naming every array that is missing, unexpected or of another shape.
    """
    for name, value, choices in (("by", by, ("name", "order")), ("unused", unused, ("raise", "ignore")),
                                 ("missing", missing, ("raise", "ignore"))):  # fmt: skip
        if value not in choices:
            raise ArgumentError(f"{name} must be {' or '.join(map(repr, choices))}, got {value!r}.")
    shapes = expected_shapes(expected)
    source = _renamed(arrays, rename or {})
    if by == "order":
        if not ordered:
            raise ArgumentError("by='order': this file does not tell the order of the layers; match by name, with rename=.")
        source = _in_order(source, shapes)
    lacking = [f"missing: {name} {shape}" for name, shape in shapes.items() if name not in source]
    extra = [f"unexpected: {name} {array.shape}" for name, array in source.items() if name not in shapes]
    wrong = [f"wrong shape: {name} has {source[name].shape}, expected {shape}" for name, shape in shapes.items()
             if name in source and source[name].shape != shape]  # fmt: skip
    problems = [*(lacking if missing == "raise" else []), *(extra if unused == "raise" else []), *wrong]
    if problems:
        raise DataError("the weights do not fit the model:\n  " + "\n  ".join(problems))
    return {name: source[name] for name in shapes if name in source}


def _renamed(arrays: Mapping[str, np.ndarray], rename: Mapping[str, str]) -> dict[str, np.ndarray]:
    known = {*arrays, *by_layer(arrays)}
    for name in rename:
        if name not in known:
            raise ArgumentError(f"rename: there is no layer or array {name!r}.")
    out: dict[str, np.ndarray] = {}
    for name, array in arrays.items():
        layer, slash, own = name.rpartition("/")
        new = rename.get(name, f"{rename.get(layer, layer)}{slash}{own}")
        if new in out:
            raise ArgumentError(f"rename: two arrays would be called {new!r}.")
        out[new] = array
    return out


def _in_order(arrays: Mapping[str, np.ndarray], shapes: Mapping[str, Any]) -> dict[str, np.ndarray]:
    """Names of the k-th layer of the file replaced by those of the model's k-th."""
    theirs, ours = by_layer(arrays), by_layer(shapes)
    if len(theirs) != len(ours):
        raise DataError(f"the file has {len(theirs)} layers with weights ({', '.join(theirs)}), the model {len(ours)} "
                        f"({', '.join(ours)}).")  # fmt: skip
    return {f"{ours_name}/{own}": array for ours_name, entry in zip(ours, theirs.values(), strict=True)
            for own, array in entry.items()}  # fmt: skip
