"""Descriptions of activations that are layers in Keras, with their parameters: rectifiers and their kin, softmax."""

from __future__ import annotations

import math
from dataclasses import KW_ONLY, dataclass
from typing import Any

import numpy as np

from ..checks.arguments import NONE, NOT_NEGATIVE, Exactly, Number, Several, Whole, arguments
from ..errors import ArgumentError
from ..functions.activations import Parametric
from . import codes
from .arguments import of_arrays
from .base import NAME, Placement
from .prelu import HELD

MOST = float(np.finfo(np.float32).max)


def _copy(shape: tuple[int, ...]) -> Placement:
    return Placement(shape, codes.COPY, fields={codes.FILTERS: shape[-1]})


@arguments(negative_slope=NOT_NEGATIVE, name=NAME)
@dataclass(frozen=True)
class LeakyReLU:
    """x above 0, ``negative_slope * x`` below; Maas, Hannun & Ng 2013, ICML.

    As an activation, "leaky_relu" has the slope 0.2, as in Keras.

    Parameters
    ----------
    negative_slope : float
    name : str, optional

    Examples
    --------
    >>> import numpy as np
    >>> from neuralstat.layers import LeakyReLU
    >>> import neuralstat as ns
    >>> data = {"y": np.arange(2.0), "x": np.ones((2, 3))}
    >>> settings = {"algorithm": "adam", "epochs": 0, "random_state": 1}
    >>> fit = ns.neuralnet("y ~ x", data, layers=[LeakyReLU(0.1)], **settings)
    >>> fit.layer_table[["output_shape", "params"]]
                output_shape  params
    layer
    leaky_re_lu         (3,)       0
    dense               (1,)       4
    """

    negative_slope: float = 0.3
    name: str | None = None

    @property
    def activation(self) -> Parametric:
        """What kernels apply."""
        return Parametric("leaky_relu", self.negative_slope)

    def place(self, shape: tuple[int, ...]) -> Placement:
        """No weights."""
        return _copy(shape)


@arguments(max_value=NONE | NOT_NEGATIVE, negative_slope=NOT_NEGATIVE, threshold=NOT_NEGATIVE, name=NAME)
@dataclass(frozen=True)
class ReLU:
    """``min(x, max_value)`` above the threshold, ``negative_slope * (x - threshold)`` below; ``ReLU(6)`` is "relu6".

    Parameters
    ----------
    max_value : float, optional
        None: no limit.
    negative_slope, threshold : float
    name : str, optional

    Examples
    --------
    >>> import numpy as np
    >>> from neuralstat.layers import ReLU
    >>> import neuralstat as ns
    >>> data = {"y": np.arange(2.0), "x": np.ones((2, 3))}
    >>> settings = {"algorithm": "adam", "epochs": 0, "random_state": 1}
    >>> fit = ns.neuralnet("y ~ x", data, layers=[ReLU()], **settings)
    >>> fit.layer_table[["output_shape", "params"]]
          output_shape  params
    layer
    re_lu         (3,)       0
    dense         (1,)       4
    """

    max_value: float | None = None
    negative_slope: float = 0.0
    threshold: float = 0.0
    name: str | None = None

    @property
    def activation(self) -> Any:
        """What kernels apply; None where three parameters are weights that are held."""
        if self._general:
            return None
        if self.max_value is not None:
            return Parametric("relu6", self.max_value)
        return Parametric("leaky_relu", self.negative_slope) if self.negative_slope else "relu"

    @property
    def _general(self) -> bool:
        return bool(self.threshold) or (self.max_value is not None and bool(self.negative_slope))

    def place(self, shape: tuple[int, ...]) -> Placement:
        """No weights; of the table three that are held, where one parameter does not say it."""
        if not self._general:
            return _copy(shape)
        limit = MOST if self.max_value is None else float(self.max_value)
        held = (float(self.negative_slope), float(self.threshold), limit)
        fields = {codes.KIND: HELD, codes.COLS: 1, codes.CHANNELS: shape[-1]}
        return Placement(shape, codes.PRELU, 3, 0, 1, 3, fields, 0, implied=tuple(enumerate(held)))


@arguments(alpha=Number(), name=NAME)
@dataclass(frozen=True)
class ELU:
    """x above 0, ``alpha * (exp(x) - 1)`` below; Clevert, Unterthiner & Hochreiter 2016, ICLR.

    Parameters
    ----------
    alpha : float
    name : str, optional

    Examples
    --------
    >>> import numpy as np
    >>> from neuralstat.layers import ELU
    >>> import neuralstat as ns
    >>> data = {"y": np.arange(2.0), "x": np.ones((2, 3))}
    >>> settings = {"algorithm": "adam", "epochs": 0, "random_state": 1}
    >>> fit = ns.neuralnet("y ~ x", data, layers=[ELU()], **settings)
    >>> fit.layer_table[["output_shape", "params"]]
          output_shape  params
    layer
    elu           (3,)       0
    dense         (1,)       4
    """

    alpha: float = 1.0
    name: str | None = None

    @property
    def activation(self) -> Parametric:
        """What kernels apply."""
        return Parametric("elu", self.alpha)

    def place(self, shape: tuple[int, ...]) -> Placement:
        """No weights."""
        return _copy(shape)


@arguments(axis=Exactly(-1), name=NAME)
@dataclass(frozen=True)
class Softmax:
    """``exp(x_k) / sum_l exp(x_l)`` over the last axis, at every position by itself.

    Parameters
    ----------
    axis : int
        The last one, -1.
    name : str, optional

    Examples
    --------
    >>> import numpy as np
    >>> from neuralstat.layers import Softmax
    >>> import neuralstat as ns
    >>> data = {"y": np.arange(2.0), "x": np.ones((2, 3))}
    >>> settings = {"algorithm": "adam", "epochs": 0, "random_state": 1}
    >>> fit = ns.neuralnet("y ~ x", data, layers=[Softmax()], **settings)
    >>> fit.layer_table[["output_shape", "params"]]
            output_shape  params
    layer
    softmax         (3,)       0
    dense           (1,)       4
    """

    axis: int = -1
    name: str | None = None

    @property
    def activation(self) -> str:
        """What kernels apply."""
        return "softmax"

    def place(self, shape: tuple[int, ...]) -> Placement:
        """No weights."""
        return _copy(shape)


@arguments(shared_axes=NONE | Whole(1, 3) | Several(Whole(1, 3), 1, 3), name=NAME, activation=NONE, **of_arrays("alpha"))
@dataclass(frozen=True)
class PReLU:
    """x above 0, ``alpha * x`` below, with an alpha for every unit that is learned; He, Zhang, Ren & Sun 2015, ICCV, 1026.

    Parameters
    ----------
    shared_axes : int or sequence of int, optional
        Axes, counted from 1, along which units share their alpha: (1, 2) of images for one a channel.
    name : str, optional
    alpha_initializer, alpha_regularizer, alpha_constraint
        See `Dense`.

    Examples
    --------
    >>> import numpy as np
    >>> from neuralstat.layers import PReLU
    >>> import neuralstat as ns
    >>> data = {"y": np.arange(2.0), "x": np.ones((2, 3))}
    >>> settings = {"algorithm": "adam", "epochs": 0, "random_state": 1}
    >>> fit = ns.neuralnet("y ~ x", data, layers=[PReLU()], **settings)
    >>> fit.layer_table[["output_shape", "params"]]
            output_shape  params
    layer
    p_re_lu         (3,)       3
    dense           (1,)       4
    """

    shared_axes: Any = None
    name: str | None = None
    activation: Any = None
    _: KW_ONLY
    alpha_initializer: str = "zeros"
    alpha_regularizer: Any = None
    alpha_constraint: Any = None

    def alphas(self, shape: tuple[int, ...]) -> tuple[int, ...]:
        """Shape of the array of weights, 1 along shared axes."""
        shared = (self.shared_axes,) if isinstance(self.shared_axes, int) else self.shared_axes or ()
        if any(axis > len(shape) for axis in shared):
            raise ArgumentError(f"PReLU: shared_axes={self.shared_axes!r} are not among the {len(shape)} axes of {shape}.")
        return tuple(1 if k + 1 in shared else size for k, size in enumerate(shape))

    def place(self, shape: tuple[int, ...]) -> Placement:
        """Weights: the alphas, the last axis running fastest; no biases."""
        if len(shape) > 3:
            raise ArgumentError(f"PReLU takes up to 3 axes, but {shape} comes in.")
        own = (1,) * (3 - len(shape)) + self.alphas(shape)
        whole = (1,) * (3 - len(shape)) + tuple(shape)
        strides = [0 if own[k] < whole[k] else math.prod(own[k + 1 :]) for k in range(3)]
        fields = {
            codes.ROWS: whole[0], codes.COLS: whole[1], codes.CHANNELS: whole[2], codes.STRIDE_ROWS: strides[0],
            codes.STRIDE_COLS: strides[1], codes.STRIDE_CHANNELS: strides[2], codes.OPTIONS: len(shape),
        }  # fmt: skip
        count = math.prod(own)
        return Placement(shape, codes.PRELU, count, 0, count, 1, fields, 0)
