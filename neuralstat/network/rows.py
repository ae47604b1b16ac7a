"""Rows of the table that kernels see, one by one: where weights and units of a layer lie."""

from __future__ import annotations

import math
from dataclasses import replace
from typing import TYPE_CHECKING, Any

import numpy as np

from ..checks import check_size
from ..errors import ArgumentError, TooLargeError
from ..layers import codes
from .objective import resolve_activation

if TYPE_CHECKING:
    from ..layers.base import Placement
    from .network import Network
    from .objective import ActivationSpec

LEAST_BLOCK = 16
MOST = 2**48  # weights or units that a table can speak of: more than any memory holds
_ROW = 8 * codes.COLUMNS + 1000  # bytes of a row, and of what is kept beside it


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

    def place(self, k: int, shape: tuple[int, ...], *others: tuple[int, ...]) -> Placement:
        """Contribution of layer k, whose errors name the layer.

        A network is a table: neither weights nor units are made with it. What makes them asks for the memory: fits,
        `Network.net`.
        """
        place = placed(self.network, k, shape, *others)
        size = max(self.n_params + place.n_params, self.width + place.n_scratch + math.prod(place.shape))
        if size > MOST:
            raise TooLargeError(f"layer {k + 1} of the network: {size / 2**27:,.3g} GiB would be needed, more than there is.")
        check_size(place.times, f"layer {k + 1} of the network, one for each of {place.times:,} times", _ROW)
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
        if place.times > 1:
            return self._repeated(k, place, spec, row)
        self.rows.append(row)
        self.constants.append(spec.parameter if place.constant is None else place.constant)
        self.kinds.append((self.network.layers[k], place))
        self.shapes.append((place.per_unit, place.units))
        self.slices.append(slice(self.n_params, self.n_params + place.n_params))
        self.width += place.n_scratch
        self.n_params += place.n_params
        return at

    def _repeated(self, k: int, place: Placement, spec: ActivationSpec, row: np.ndarray) -> int:
        """A row for each time, which share the weights of the first."""
        n_in, n_out, param = (int(row[column]) // times for column, times in (
            (codes.N_IN, place.times), (codes.N_OUT, place.times), (codes.PARAM, 1)))  # fmt: skip
        for t in range(place.times):
            own = row.copy()
            own[codes.SOURCE] += t * n_in
            own[codes.TARGET] += t * n_out
            own[codes.N_IN], own[codes.N_OUT], own[codes.SCRATCH] = n_in, n_out, self.width
            self.rows.append(own)
            self.constants.append(spec.parameter if place.constant is None else place.constant)
            self.kinds.append((self.network.layers[k], place if t == 0 else replace(place, n_params=0, units=0, implied=())))
            self.shapes.append((place.per_unit, place.units if t == 0 else 0))
            self.slices.append(slice(param, param + place.n_params) if t == 0 else slice(self.n_params, self.n_params))
            self.width += place.n_scratch
            self.n_params += place.n_params if t == 0 else 0
        return int(row[codes.TARGET])

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


def placed(network: Network, k: int, shape: tuple[int, ...], *others: tuple[int, ...]) -> Placement:
    """Contribution of layer k, told other shapes too where it asks for them; its errors name the layer."""
    try:
        return network.layers[k].place(shape, *others)
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
