"""Descriptions of layers that normalise: batch normalisation, and that of each observation by itself."""

from __future__ import annotations

import math
from dataclasses import KW_ONLY, dataclass
from typing import Any

from ..checks.arguments import FLAG, NONE, POSITIVE, Exactly, Number, Whole, arguments
from ..errors import ArgumentError
from . import codes
from .arguments import of_arrays
from .base import NAME, Placement

_SHARED = {"epsilon": POSITIVE, "name": NAME, "center": FLAG, "scale": FLAG,
           **of_arrays("beta", "gamma")}  # fmt: skip
_LAST = Exactly(-1)


def _implied(layer: Any) -> tuple[tuple[int, float], ...]:
    """Of groups that begin with beta and gamma."""
    return (() if layer.center else ((0, 0.0),)) + (() if layer.scale else ((1, 1.0),))


@arguments(momentum=Number(0.0, 1.0), activation=NONE, **_SHARED)
@dataclass(frozen=True)
class BatchNorm:
    """Batch normalisation over the last axis (channels, features, units); Ioffe & Szegedy 2015, ICML 37:448.

    In training a channel is centred and scaled by its mean and variance over the batch (and all positions of an image
    or sequence); in prediction by moving averages of these, which each training step updates:
    ``moving = momentum * moving + (1 - momentum) * batch``, with the variance that divides by n, as in Keras. Both are
    then scaled by gamma and shifted by beta. Needs a minibatch optimizer. A layer whose gamma and beta are all held out
    of the fit uses, and keeps, its moving averages.

    Parameters
    ----------
    momentum : float
    epsilon : float
        Added to the variance.
    name : str, optional
    center, scale : bool
        Whether there are beta and gamma.
    beta_initializer, gamma_initializer, beta_regularizer, gamma_regularizer, beta_constraint, gamma_constraint
        See `Dense`.

    Examples
    --------
    >>> import numpy as np
    >>> from neuralstat.layers import BatchNorm, Flatten
    >>> import neuralstat as ns
    >>> data = {"y": np.arange(2.0), "x": np.ones((2, 8, 8, 2))}
    >>> settings = {"algorithm": "adam", "epochs": 0, "random_state": 1}
    >>> fit = ns.neuralnet("y ~ x", data, layers=[BatchNorm(), Flatten()], **settings)
    >>> fit.layer_table[["output_shape", "params"]]
                        output_shape  params
    layer
    batch_normalization    (8, 8, 2)       8
    flatten                   (128,)       0
    dense                       (1,)     129
    """

    momentum: float = 0.99
    epsilon: float = 1e-3
    name: str | None = None
    activation: Any = None
    _: KW_ONLY
    center: bool = True
    scale: bool = True
    beta_initializer: str = "zeros"
    gamma_initializer: str = "ones"
    beta_regularizer: Any = None
    gamma_regularizer: Any = None
    beta_constraint: Any = None
    gamma_constraint: Any = None

    def place(self, shape: tuple[int, ...]) -> Placement:
        """Weights: channel by channel: beta, gamma, moving mean, moving variance.

        Scratch: the number of observations of a batch in training, and for each channel mean, 1 / sd and variance.
        """
        channels = shape[-1]
        return Placement(shape, codes.BATCH_NORM, 4 * channels, 1 + channels, channels, 4,
                         {codes.CHANNELS: channels}, moving=2, implied=_implied(self),
                         constant=float(self.epsilon))  # fmt: skip


def _by_observation(layer: Any, shape: tuple[int, ...], positions: int, channels: int) -> Placement:
    """Sets of so many positions and channels; weights: channel by channel: beta, gamma."""
    sets = math.prod(shape) // (positions * channels)
    fields = {codes.CHANNELS: shape[-1], codes.ROWS: positions, codes.UNITS: channels}
    return Placement(shape, codes.LAYER_NORM, 2 * shape[-1], 2 * sets, shape[-1], 2, fields, implied=_implied(layer),
                     constant=float(layer.epsilon))  # fmt: skip


@arguments(axis=_LAST | Whole(1, 8), activation=NONE, **_SHARED)
@dataclass(frozen=True)
class LayerNormalization:
    """Centres and scales each observation over its last axis, at every position by itself.

    Ba, Kiros & Hinton 2016, arXiv:1607.06450. The variance divides by n. Units are then scaled by gamma and shifted by beta,
    one of each for every unit of the last axis.

    Parameters
    ----------
    axis : int
        The last one, -1.
    epsilon : float
        Added to the variance.
    name : str, optional
    center, scale : bool
        Whether there are beta and gamma.
    beta_initializer, gamma_initializer, beta_regularizer, gamma_regularizer, beta_constraint, gamma_constraint
        See `Dense`.

    Examples
    --------
    >>> import numpy as np
    >>> from neuralstat.layers import Flatten, LayerNormalization
    >>> import neuralstat as ns
    >>> data = {"y": np.arange(2.0), "x": np.ones((2, 6, 2))}
    >>> settings = {"algorithm": "adam", "epochs": 0, "random_state": 1}
    >>> fit = ns.neuralnet("y ~ x", data, layers=[LayerNormalization(), Flatten()], **settings)
    >>> fit.layer_table[["output_shape", "params"]]
                        output_shape  params
    layer
    layer_normalization       (6, 2)       4
    flatten                    (12,)       0
    dense                       (1,)      13
    """

    axis: int = -1
    epsilon: float = 1e-3
    center: bool = True
    scale: bool = True
    name: str | None = None
    activation: Any = None
    _: KW_ONLY
    beta_initializer: str = "zeros"
    gamma_initializer: str = "ones"
    beta_regularizer: Any = None
    gamma_regularizer: Any = None
    beta_constraint: Any = None
    gamma_constraint: Any = None

    def place(self, shape: tuple[int, ...]) -> Placement:
        """Weights: channel by channel: beta, gamma. Scratch: mean and 1 / sd at every position."""
        if self.axis not in (-1, len(shape)):
            raise ArgumentError(f"LayerNormalization: axis must be the last one, -1 or {len(shape)} here; got {self.axis}.")
        return _by_observation(self, shape, 1, shape[-1])


@arguments(groups=_LAST | Whole(1), axis=_LAST, activation=NONE, **_SHARED)
@dataclass(frozen=True)
class GroupNormalization:
    """Centres and scales each observation over groups of channels (last axis) and all positions; Wu & He 2018, ECCV, 3.

    Parameters
    ----------
    groups : int
        Of neighbouring channels; -1 for one a channel (instance normalisation).
    axis : int
        The last one, -1.
    epsilon, name, center, scale, beta_initializer, ...
        See `LayerNormalization`.

    Examples
    --------
    >>> import numpy as np
    >>> from neuralstat.layers import Flatten, GroupNormalization
    >>> import neuralstat as ns
    >>> data = {"y": np.arange(2.0), "x": np.ones((2, 8, 8, 2))}
    >>> settings = {"algorithm": "adam", "epochs": 0, "random_state": 1}
    >>> fit = ns.neuralnet("y ~ x", data, layers=[GroupNormalization(2), Flatten()], **settings)
    >>> fit.layer_table[["output_shape", "params"]]
                        output_shape  params
    layer
    group_normalization    (8, 8, 2)       4
    flatten                   (128,)       0
    dense                       (1,)     129
    """

    groups: int = 32
    axis: int = -1
    epsilon: float = 1e-3
    center: bool = True
    scale: bool = True
    name: str | None = None
    activation: Any = None
    _: KW_ONLY
    beta_initializer: str = "zeros"
    gamma_initializer: str = "ones"
    beta_regularizer: Any = None
    gamma_regularizer: Any = None
    beta_constraint: Any = None
    gamma_constraint: Any = None

    def place(self, shape: tuple[int, ...]) -> Placement:
        """Weights: channel by channel: beta, gamma. Scratch: mean and 1 / sd of every group."""
        groups = shape[-1] if self.groups == -1 else self.groups
        if shape[-1] % groups:
            raise ArgumentError(f"GroupNormalization: {shape[-1]} channels cannot be divided into {groups} groups.")
        return _by_observation(self, shape, math.prod(shape[:-1]), shape[-1] // groups)
