"""Descriptions of layers that know no space or time: dense, shape, activation."""

from __future__ import annotations

import math
from dataclasses import KW_ONLY, dataclass
from typing import Any

from ..checks.arguments import NONE, Several, arguments
from ..errors import ArgumentError
from . import codes
from .arguments import USE_BIAS, of_arrays
from .base import ACTIVATION, NAME, UNITS, Placement, without_bias


@arguments(units=UNITS, activation=ACTIVATION, name=NAME, use_bias=USE_BIAS, **of_arrays("kernel", "bias"))
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
    use_bias : bool
    kernel_initializer, bias_initializer : str
        Start weights, where ``init="keras"``: "glorot_uniform", "glorot_normal", "he_uniform", "he_normal", "lecun_uniform",
        "lecun_normal", "orthogonal", "uniform" (or "random_uniform"), "random_normal", "truncated_normal", "zeros", "ones".
    kernel_regularizer, bias_regularizer : "l1", "l2", float, L1, L2, L1L2 or None
        Penalty that is added to the mean loss: "l1" ``0.01 * sum |w|``, "l2" ``0.01 * sum w^2``, a number that
        ``* sum w^2``.
    kernel_constraint, bias_constraint : "max_norm", "unit_norm", "min_max_norm", "non_neg", MaxNorm, ... or None
        What holds after each step of a minibatch optimizer.

    Examples
    --------
    >>> import numpy as np
    >>> from neuralstat.layers import Dense
    >>> import neuralstat as ns
    >>> data = {"y": np.arange(2.0), "x": np.ones((2, 3))}
    >>> settings = {"algorithm": "adam", "epochs": 0, "random_state": 1}
    >>> fit = ns.neuralnet("y ~ x", data, layers=[Dense(4, "relu")], **settings)
    >>> fit.layer_table[["output_shape", "params"]]
            output_shape  params
    layer
    dense           (4,)      16
    dense_1         (1,)       5
    """

    units: int
    activation: Any = None
    name: str | None = None
    _: KW_ONLY
    use_bias: bool = True
    kernel_initializer: str = "glorot_uniform"
    bias_initializer: str = "zeros"
    kernel_regularizer: Any = None
    bias_regularizer: Any = None
    kernel_constraint: Any = None
    bias_constraint: Any = None

    def place(self, shape: tuple[int, ...]) -> Placement:
        """Weights: unit by unit, bias first."""
        if len(shape) != 1:
            raise ArgumentError(f"Dense needs a flat input, but {shape} comes in: put Flatten() before it.")
        per_unit = 1 + shape[0]
        return Placement((self.units,), codes.DENSE, self.units * per_unit, 0, self.units, per_unit,
                         implied=without_bias(self))  # fmt: skip


@arguments(name=NAME, activation=NONE)
@dataclass(frozen=True)
class Flatten:
    """Makes one axis of all axes; the last index runs fastest.

    Examples
    --------
    >>> import numpy as np
    >>> from neuralstat.layers import Flatten
    >>> import neuralstat as ns
    >>> data = {"y": np.arange(2.0), "x": np.ones((2, 8, 8, 2))}
    >>> settings = {"algorithm": "adam", "epochs": 0, "random_state": 1}
    >>> fit = ns.neuralnet("y ~ x", data, layers=[Flatten()], **settings)
    >>> fit.layer_table[["output_shape", "params"]]
            output_shape  params
    layer
    flatten       (128,)       0
    dense           (1,)     129
    """

    name: str | None = None
    activation: Any = None

    def place(self, shape: tuple[int, ...]) -> Placement:
        """Only the shape changes."""
        return Placement((math.prod(shape),))


@arguments(target_shape=Several(UNITS, 1, 8), name=NAME, activation=NONE)
@dataclass(frozen=True)
class Reshape:
    """Gives the same units another shape, as from an image (row, column, channel) to a sequence (time, feature).

    Examples
    --------
    >>> import numpy as np
    >>> from neuralstat.layers import Flatten, Reshape
    >>> import neuralstat as ns
    >>> data = {"y": np.arange(2.0), "x": np.ones((2, 3))}
    >>> settings = {"algorithm": "adam", "epochs": 0, "random_state": 1}
    >>> fit = ns.neuralnet("y ~ x", data, layers=[Reshape((3, 1)), Flatten()], **settings)
    >>> fit.layer_table[["output_shape", "params"]]
            output_shape  params
    layer
    reshape       (3, 1)       0
    flatten         (3,)       0
    dense           (1,)       4
    """

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
    """Applies an activation to every unit; softmax and log_softmax to those of the last axis together.

    Parameters
    ----------
    activation : str, neuralstat.Activation or callable
    name : str, optional

    Examples
    --------
    >>> import numpy as np
    >>> from neuralstat.layers import Activation
    >>> import neuralstat as ns
    >>> data = {"y": np.arange(2.0), "x": np.ones((2, 3))}
    >>> settings = {"algorithm": "adam", "epochs": 0, "random_state": 1}
    >>> fit = ns.neuralnet("y ~ x", data, layers=[Activation("tanh")], **settings)
    >>> fit.layer_table[["output_shape", "params"]]
               output_shape  params
    layer
    activation         (3,)       0
    dense              (1,)       4
    """

    activation: Any
    name: str | None = None

    def place(self, shape: tuple[int, ...]) -> Placement:
        """No weights."""
        return Placement(shape, codes.COPY, fields={codes.FILTERS: shape[-1]})
