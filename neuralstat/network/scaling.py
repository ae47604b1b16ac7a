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
    p = network.n_params
    if not network.plain:
        scale, shift = _of_output(network, scaling)
        return np.diag(scale), shift
    into = np.eye(p)
    per_unit, units = network.shapes[0]
    for u in range(units):
        first = u * per_unit
        for j in range(per_unit - 1):
            into[first + 1 + j, first + 1 + j] = 1 / scaling.x_sd[j]
            into[first, first + 1 + j] = -scaling.x_mean[j] / scaling.x_sd[j]
    out, shift = np.eye(p), np.zeros(p)
    per_unit, units = network.shapes[-1]
    begin = p - per_unit * units
    for k in range(units):
        rows = slice(begin + k * per_unit, begin + (k + 1) * per_unit)
        out[rows, rows] *= scaling.y_sd[k]
        shift[rows.start] = scaling.y_mean[k]
    return out @ into, shift


def _of_output(network: Network, scaling: Scaling) -> tuple[np.ndarray, np.ndarray]:
    """Scale and shift (P,) that bring the output layer to the units of the response."""
    scale, shift = np.ones(network.n_params), np.zeros(network.n_params)
    per_unit, units = network.shapes[-1]
    begin = network.n_params - per_unit * units
    scale[begin:] = np.repeat(scaling.y_sd, per_unit)
    shift[begin::per_unit] = scaling.y_mean
    return scale, shift


def to_original(network: Network, scaling: Scaling, theta: np.ndarray) -> np.ndarray:
    """Weights (B, P) in original units."""
    if not network.plain:
        scale, shift = _of_output(network, scaling)
        return theta * scale + shift
    theta = np.array(theta, float)
    first = _first_layer(network, theta)
    first[:, :, 1:] /= scaling.x_sd
    first[:, :, 0] -= first[:, :, 1:] @ scaling.x_mean
    scale, shift = _of_output(network, scaling)
    return theta * scale + shift


def to_internal(network: Network, scaling: Scaling, theta: np.ndarray) -> np.ndarray:
    """Weights (B, P) in internal units."""
    if not network.plain:
        scale, shift = _of_output(network, scaling)
        return (theta - shift) / scale
    scale, shift = _of_output(network, scaling)
    theta = (theta - shift) / scale
    first = _first_layer(network, theta)
    first[:, :, 0] += first[:, :, 1:] @ scaling.x_mean
    first[:, :, 1:] *= scaling.x_sd
    return theta


def _first_layer(network: Network, theta: np.ndarray) -> np.ndarray:
    """A view (B, units, 1 + inputs) of the first layer's weights."""
    per_unit, units = network.shapes[0]
    return theta[:, : per_unit * units].reshape(-1, units, per_unit)


def scaled_constants(network: Network, scaling: Scaling, free: np.ndarray, constants: np.ndarray) -> np.ndarray:
    """Values in internal units at which weights are held.

    Raises
    ------
    ArgumentError
        Where a weight that is held cannot stay constant in original units, because it mixes with free ones.
    """
    if free.all():
        return constants
    if not network.plain:
        return np.where(free, constants, to_internal(network, scaling, constants[np.newaxis])[0])
    own = _first_layer(network, free[np.newaxis])[0]
    mixed = np.flatnonzero(~own[:, 0] & np.any(own[:, 1:] & (scaling.x_mean != 0), axis=1))  # units
    if mixed.size:
        name = network.names[mixed[0] * network.shapes[0][0]]
        raise ArgumentError(
            f"exclude: {name!r} cannot be held constant with standardize=True, since in original units it depends on the "
            "other weights of its unit; hold those too, or use standardize=False."
        )
    values = to_internal(network, scaling, np.where(free, 0.0, constants)[np.newaxis])[0]
    return np.where(free, constants, values)
