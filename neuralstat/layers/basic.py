"""Descriptions of layers that know no space or time: dense, shape, activation, normalisation, dropout."""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import Any

from ..checks.arguments import NONE, POSITIVE, Number, Several, arguments
from ..errors import ArgumentError
from . import codes
from .base import ACTIVATION, NAME, UNITS, Placement


@arguments(units=UNITS, activation=ACTIVATION, name=NAME)
@dataclass(frozen=True)
class Dense:
    """Fully connected layer.

    Parameters
    ----------
    units : int
        Number of units.
    activation : str, Activation, callable or None
        None is the identity.
    name : str, optional
    """

    units: int
    activation: Any = None
    name: str | None = None

    def place(self, shape: tuple[int, ...]) -> Placement:
        """Weights: unit by unit, bias first."""
        if len(shape) != 1:
            raise ArgumentError(f"Dense needs a flat input, but {shape} comes in: put Flatten() before it.")
        per_unit = 1 + shape[0]
        return Placement((self.units,), codes.DENSE, self.units * per_unit, 0, self.units, per_unit)


@arguments(name=NAME, activation=NONE)
@dataclass(frozen=True)
class Flatten:
    """Makes one axis of all axes; the last index runs fastest."""

    name: str | None = None
    activation: Any = None

    def place(self, shape: tuple[int, ...]) -> Placement:
        """Only the shape changes."""
        return Placement((math.prod(shape),))


@arguments(target_shape=Several(UNITS, 1, 8), name=NAME, activation=NONE)
@dataclass(frozen=True)
class Reshape:
    """Gives the same units another shape, as from an image (row, column, channel) to a sequence (time, feature)."""

    target_shape: tuple[int, ...]
    name: str | None = None
    activation: Any = None

    def place(self, shape: tuple[int, ...]) -> Placement:
        """Only the shape changes."""
        if math.prod(shape) != math.prod(self.target_shape):
            raise ArgumentError(f"Reshape: {shape} cannot become {tuple(self.target_shape)}.")
        return Placement(tuple(self.target_shape))


@arguments(activation=ACTIVATION, name=NAME)
@dataclass(frozen=True)
class Activation:
    """Applies an activation to every unit; softmax to all units of the layer together.

    Parameters
    ----------
    activation : str, neuralstat.Activation or callable
    name : str, optional
    """

    activation: Any
    name: str | None = None

    def place(self, shape: tuple[int, ...]) -> Placement:
        """No weights."""
        return Placement(shape, codes.COPY)


@arguments(rate=Number(0.0, below=1.0), name=NAME, activation=ACTIVATION)
@dataclass(frozen=True)
class Dropout:
    """Sets units to 0 at random in training, and divides the others by the share that is kept; else passes on.

    Srivastava, Hinton, Krizhevsky, Sutskever & Salakhutdinov 2014, JMLR 15:1929. Which units of which observations
    are dropped at which step is a function of the repetition's key (`engine.random`). Needs a minibatch optimizer.

    Parameters
    ----------
    rate : float
        Share that is dropped, in [0, 1).
    name : str, optional
    """

    rate: float
    name: str | None = None
    activation: Any = None

    def place(self, shape: tuple[int, ...]) -> Placement:
        """Scratch: what each unit is multiplied by, less 1."""
        return Placement(shape, codes.DROPOUT, n_scratch=math.prod(shape), constant=float(self.rate))


@arguments(momentum=Number(0.0, 1.0), epsilon=POSITIVE, name=NAME, activation=ACTIVATION)
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
    """

    momentum: float = 0.99
    epsilon: float = 1e-3
    name: str | None = None
    activation: Any = None

    def place(self, shape: tuple[int, ...]) -> Placement:
        """Weights: channel by channel: beta, gamma, moving mean, moving variance.

        Scratch: the number of observations of a batch in training, and for each channel mean, 1 / sd and variance.
        """
        channels = shape[-1]
        return Placement(shape, codes.BATCH_NORM, 4 * channels, 1 + channels, channels, 4,
                         {codes.CHANNELS: channels}, moving=2, constant=float(self.epsilon))  # fmt: skip
