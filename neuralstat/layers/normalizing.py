"""Descriptions of layers that normalise: batch normalisation, and that of each observation by itself."""

from __future__ import annotations

import math
from dataclasses import KW_ONLY, dataclass
from typing import Any

from ..checks.arguments import FLAG, NONE, POSITIVE, Exactly, Number, Several, Whole, arguments
from ..errors import ArgumentError
from . import codes
from . import layer_norm as norm
from .arguments import of_arrays
from .base import NAME, Placement

_SHARED = {"epsilon": POSITIVE, "name": NAME, "center": FLAG, "scale": FLAG,
           **of_arrays("beta", "gamma")}  # fmt: skip
_LAST = Exactly(-1)
_AXIS = Whole(1, 8) | Whole(-8, -1)
Runs = list[tuple[int, int]]


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


def _by_observation(layer: Any, shape: tuple[int, ...], kept: Runs, own: Runs, fields: dict[int, int]) -> Placement:
    """Sets of units that lie along runs (size, step), those of a set along others; weights, in twos: beta, gamma.

    Raises
    ------
    ArgumentError
        Where either are more than two.
    """
    if len(kept) > 2 or len(own) > 2:
        raise ArgumentError(f"{type(layer).__name__}: permute {shape} before, so that axes {layer.axis} are neighbours.")
    fields = {codes.CHANNELS: shape[-1], norm.SIZE: math.prod(n for n, _ in own), **fields}
    for runs, (inner, step, side) in ((kept, (norm.SETS, norm.SET_STEP, norm.SET_SIDE)),
                                      (own, (norm.OWN, norm.OWN_STEP, norm.OWN_SIDE))):  # fmt: skip
        (_, fields[step]), (fields[inner], fields[side]) = ([(1, 0)] * 2 + runs)[-2:]
    weights = fields[norm.SIZE] if fields[codes.KIND] == norm.EACH else shape[-1]
    sets = math.prod(n for n, _ in kept)
    return Placement(shape, codes.LAYER_NORM, 2 * weights, 2 * sets, weights, 2, fields, implied=_implied(layer),
                     constant=float(layer.epsilon))  # fmt: skip


@arguments(axis=_AXIS | Several(_AXIS, 1, 8), activation=NONE, **_SHARED)
@dataclass(frozen=True)
class LayerNormalization:
    """Centres and scales each observation over its last axis, at every position by itself, or over other axes.

    Ba, Kiros & Hinton 2016, arXiv:1607.06450. The variance divides by n. Units are then scaled by gamma and shifted by beta,
    one of each for every unit along `axis`, which are the axes of their arrays.

    Parameters
    ----------
    axis : int or tuple of int
        As in Keras: 1 is the first axis of an observation, -1 the last; several are normalised together.
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

    axis: int | tuple[int, ...] = -1
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

    def axes(self, shape: tuple[int, ...]) -> list[int]:
        """The axes of an observation that are normalised, from 0."""
        given = (self.axis,) if isinstance(self.axis, int) else self.axis
        found = sorted(axis + len(shape) if axis < 0 else axis - 1 for axis in given)
        if found[0] < 0 or found[-1] >= len(shape) or len(set(found)) < len(found):
            raise ArgumentError(f"LayerNormalization: axis must be axes of {shape}, from 1 or, as -1, from the last one; "
                                f"got {self.axis}.")  # fmt: skip
        return found

    def place(self, shape: tuple[int, ...]) -> Placement:
        """Weights: unit by unit along the axes: beta, gamma. Scratch: mean and 1 / sd of every set."""
        axes, step = self.axes(shape), 1
        if len(axes) > len(norm.EXTENTS):
            raise ArgumentError(f"LayerNormalization: {len(norm.EXTENTS)} axes at most; got {self.axis}.")
        runs: dict[bool, Runs] = {False: [], True: []}  # from the last axis on: neighbours of one kind are one run
        for k in range(len(shape) - 1, -1, -1):
            of, near = runs[k in axes], k + 1 < len(shape) and (k in axes) == (k + 1 in axes)
            of[-1:] = [(shape[k] * of[-1][0], of[-1][1])] if near else [*of[-1:], (shape[k], step)]
            step *= shape[k]
        fields = {codes.KIND: norm.EACH, norm.AXES: len(axes), **dict(zip(norm.EXTENTS, (shape[k] for k in axes)))}
        return _by_observation(self, shape, runs[False][::-1], runs[True][::-1], fields)


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
        positions, own = math.prod(shape[:-1]), shape[-1] // groups
        return _by_observation(self, shape, [(groups, own)], [(positions, shape[-1]), (own, 1)], {codes.KIND: norm.CHANNEL})
