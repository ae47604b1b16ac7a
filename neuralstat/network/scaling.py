"""Standardised models: weights between internal (scaled) and original units.

Where not all inputs enter a dense first layer one by one (convolutions, recurrence, arrays beside tabular inputs), weights
refer to the scaled covariates; only the output layer is brought to the units of the response.

With internal covariates u = (x - m) / s and response v = (y - a) / b, a first layer b_o + sum w u is
(b_o - sum w m / s) + sum (w / s) x, and a linear output layer is multiplied by b and shifted by a.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Protocol

import numpy as np

from ..errors import ArgumentError
from ..layers import codes
from .names import name_of

if TYPE_CHECKING:
    from .network import Network


class Scaling(Protocol):
    """Centres and scales of D covariates and K responses: internal = (original - mean) / sd. `formula.Scaling` is one."""

    @property
    def x_mean(self) -> np.ndarray:
        """(D,)."""

    @property
    def x_sd(self) -> np.ndarray:
        """(D,)."""

    @property
    def y_mean(self) -> np.ndarray:
        """(K,)."""

    @property
    def y_sd(self) -> np.ndarray:
        """(K,)."""


def affine(network: Network, scaling: Scaling) -> tuple[np.ndarray, np.ndarray]:
    """``T`` (P, P) and ``c`` (P,) such that original weights are ``T theta + c``.

    Parameters
    ----------
    network : Network
    scaling : Scaling
    """
    scale, shift = _of_output(network, scaling)
    into = np.eye(network.n_params)
    for part, (per_unit, units), own in _reading(network):
        for u in range(units):
            first = part.start + u * per_unit
            for j, (mean, sd) in enumerate(zip(scaling.x_mean[own], scaling.x_sd[own], strict=True)):
                into[first + 1 + j, first + 1 + j] = 1 / sd
                into[first, first + 1 + j] = -mean / sd
    return scale[:, np.newaxis] * into, shift


def _reading(network: Network) -> list[tuple[slice, tuple[int, int], slice]]:
    """Weights and shapes of the layers that read covariates one by one, first after their bias, and which covariates."""
    if network.towers:
        return _of_towers(network)
    inputs = slice(0, len(network.input_names))
    if network.skip:
        ends = (0, len(network.shapes) - 1)
        return [(network.slices[k], network.shapes[k], inputs) for k in ends]
    return [(network.slices[0], network.shapes[0], inputs)] if network.plain else []


def _of_towers(network: Network) -> list[tuple[slice, tuple[int, int], slice]]:
    """`_reading` of towers: dense layers that read a tower's numbers, or a copy of them, and the output layer."""
    found, first, n_inputs = [], 0, len(network.input_names)
    for tower in network.towers:
        rows = [network.places[k][0] for k in range(first, first + tower.count)]
        begin = first + len(tower.codes) + (bool(tower.codes) and tower.numbers > 0)
        row = rows[begin - first] if begin < first + tower.count else -1
        if len(tower.shape) == 1 and row >= 0 and network.table[row, codes.OP] == codes.DENSE:
            found.append((network.slices[row], network.shapes[row], slice(tower.first, tower.first + tower.numbers)))
        first += tower.count
    last = len(network.shapes) - 1
    return [*found, (network.slices[last], network.shapes[last], slice(n_inputs - network.direct, n_inputs))]


def _of_output(network: Network, scaling: Scaling) -> tuple[np.ndarray, np.ndarray]:
    """Scale and shift (P,) that bring the output layer to the units of the response."""
    scale, shift = np.ones(network.n_params), np.zeros(network.n_params)
    per_unit, units = network.shapes[-1]
    begin = network.n_params - per_unit * units
    size, moved = output_units(network, scaling)
    scale[begin:] = np.repeat(size, per_unit)
    shift[begin::per_unit] = moved
    return scale, shift


def output_units(network: Network, scaling: Scaling) -> tuple[np.ndarray, np.ndarray]:
    """Scale and shift (K,) that bring the outputs, or the linear predictors of parameters, to the units of the response."""
    if not network.objective.several:
        return scaling.y_sd, scaling.y_mean
    return network.objective.family.joint_units(scaling.y_mean, scaling.y_sd)


def sizes(network: Network, scaling: Scaling | None) -> np.ndarray:
    """(P,) how much a weight in original units moves with the internal one, all others held."""
    if scaling is None:
        return np.ones(network.n_params)
    size = _of_output(network, scaling)[0].copy()
    for layer, own in _layers(network, size[np.newaxis]):
        layer[:, :, 1 : 1 + own.stop - own.start] /= scaling.x_sd[own]
    return size


def to_original(network: Network, scaling: Scaling, theta: np.ndarray) -> np.ndarray:
    """Weights (B, P) in original units."""
    theta = np.array(theta, float)
    for layer, own in _layers(network, theta):
        inputs = layer[:, :, 1 : 1 + own.stop - own.start]
        inputs /= scaling.x_sd[own]
        layer[:, :, 0] -= inputs @ scaling.x_mean[own]
    scale, shift = _of_output(network, scaling)
    return theta * scale + shift


def to_internal(network: Network, scaling: Scaling, theta: np.ndarray) -> np.ndarray:
    """Weights (B, P) in internal units."""
    scale, shift = _of_output(network, scaling)
    theta = (theta - shift) / scale
    for layer, own in _layers(network, theta):
        inputs = layer[:, :, 1 : 1 + own.stop - own.start]
        layer[:, :, 0] += inputs @ scaling.x_mean[own]
        inputs *= scaling.x_sd[own]
    return theta


def _layers(network: Network, theta: np.ndarray) -> list[tuple[np.ndarray, slice]]:
    """Views (B, units, 1 + inputs) of the layers that read covariates, and which these are."""
    return [(theta[:, part].reshape(-1, units, per_unit), own) for part, (per_unit, units), own in _reading(network)]


def scaled_constants(network: Network, scaling: Scaling, free: np.ndarray, constants: np.ndarray) -> np.ndarray:
    """Values in internal units at which weights are held.

    Raises
    ------
    ArgumentError
        Where a weight that is held cannot stay constant in original units, because it mixes with free ones.
    """
    objective = network.objective
    if free.all() or (objective.several and objective.family.floating):  # the constant may be any
        return constants
    views = _layers(network, free[np.newaxis])
    for (part, (per_unit, _), of), (own, _) in zip(_reading(network), views, strict=True):
        inputs = own[0][:, 1 : 1 + of.stop - of.start]
        mixed = np.flatnonzero(~own[0][:, 0] & np.any(inputs & (scaling.x_mean[of] != 0), axis=1))  # units
        if not mixed.size:
            continue
        name = name_of(network, part.start + mixed[0] * per_unit)
        raise ArgumentError(
            f"exclude: {name!r} cannot be held constant with standardize=True (nor can use_bias=False be), since in original "
            "units it depends on the other weights of its unit; hold those too, or use standardize=False."
        )
    values = to_internal(network, scaling, np.where(free, 0.0, constants)[np.newaxis])[0]
    return np.where(free, constants, values)
