"""Descriptions of layers that do something at random in training, and pass on in prediction: dropout, noise.

What is drawn for which units of which observations at which step is a function of the repetition's key (`jit.random`). All
need a minibatch optimizer.
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import Any

from ..checks.arguments import NONE, NOT_NEGATIVE, Number, arguments
from ..errors import ArgumentError
from . import codes
from .base import NAME, Placement
from .dropout import SPATIAL
from .noise import ADDED, ALPHA, FACTOR

_RATE = Number(0.0, below=1.0)


@arguments(rate=_RATE, name=NAME, activation=NONE)
@dataclass(frozen=True)
class Dropout:
    """Sets units to 0 at random in training, and divides the others by the share that is kept; else passes on.

    Srivastava, Hinton, Krizhevsky, Sutskever & Salakhutdinov 2014, JMLR 15:1929.
    Needs a minibatch optimizer.

    Parameters
    ----------
    rate : float
        Share that is dropped, in [0, 1).
    name : str, optional

    Examples
    --------
    >>> import numpy as np
    >>> from neuralstat.layers import Dropout
    >>> import neuralstat as ns
    >>> data = {"y": np.arange(2.0), "x": np.ones((2, 3))}
    >>> settings = {"algorithm": "adam", "epochs": 0, "random_state": 1}
    >>> fit = ns.neuralnet("y ~ x", data, layers=[Dropout(0.5)], **settings)
    >>> fit.layer_table[["output_shape", "params"]]
            output_shape  params
    layer
    dropout         (3,)       0
    dense           (1,)       4
    """

    rate: float
    name: str | None = None
    activation: Any = None

    def place(self, shape: tuple[int, ...]) -> Placement:
        """Scratch: what each unit is multiplied by, less 1."""
        return Placement(shape, codes.DROPOUT, n_scratch=math.prod(shape), constant=float(self.rate))


def _spatial(layer: Any, shape: tuple[int, ...], axes: int) -> Placement:
    if len(shape) != axes:
        kind = "(row, column, channel)" if axes == 3 else "(time, feature)"
        raise ArgumentError(f"{type(layer).__name__} needs {kind} input, but {shape} comes in.")
    fields = {codes.KIND: SPATIAL, codes.CHANNELS: shape[-1]}
    return Placement(shape, codes.DROPOUT, n_scratch=math.prod(shape), fields=fields, constant=float(layer.rate))


@arguments(rate=_RATE, name=NAME, activation=NONE)
@dataclass(frozen=True)
class SpatialDropout1D:
    """`Dropout` of whole features of a sequence (time, feature), at all times; Tompson et al. 2015, CVPR, 648.

    Parameters
    ----------
    rate : float
        Share that is dropped, in [0, 1).
    name : str, optional

    Examples
    --------
    >>> import numpy as np
    >>> from neuralstat.layers import Flatten, SpatialDropout1D
    >>> import neuralstat as ns
    >>> data = {"y": np.arange(2.0), "x": np.ones((2, 6, 2))}
    >>> settings = {"algorithm": "adam", "epochs": 0, "random_state": 1}
    >>> fit = ns.neuralnet("y ~ x", data, layers=[SpatialDropout1D(0.2), Flatten()], **settings)
    >>> fit.layer_table[["output_shape", "params"]]
                      output_shape  params
    layer
    spatial_dropout1d       (6, 2)       0
    flatten                  (12,)       0
    dense                     (1,)      13
    """

    rate: float
    name: str | None = None
    activation: Any = None

    def place(self, shape: tuple[int, ...]) -> Placement:
        """Scratch: as `Dropout`."""
        return _spatial(self, shape, 2)


@arguments(rate=_RATE, name=NAME, activation=NONE)
@dataclass(frozen=True)
class SpatialDropout2D:
    """`Dropout` of whole channels of an image (row, column, channel); Tompson et al. 2015, CVPR, 648.

    Parameters
    ----------
    rate : float
        Share that is dropped, in [0, 1).
    name : str, optional

    Examples
    --------
    >>> import numpy as np
    >>> from neuralstat.layers import Flatten, SpatialDropout2D
    >>> import neuralstat as ns
    >>> data = {"y": np.arange(2.0), "x": np.ones((2, 8, 8, 2))}
    >>> settings = {"algorithm": "adam", "epochs": 0, "random_state": 1}
    >>> fit = ns.neuralnet("y ~ x", data, layers=[SpatialDropout2D(0.2), Flatten()], **settings)
    >>> fit.layer_table[["output_shape", "params"]]
                      output_shape  params
    layer
    spatial_dropout2d    (8, 8, 2)       0
    flatten                 (128,)       0
    dense                     (1,)     129
    """

    rate: float
    name: str | None = None
    activation: Any = None

    def place(self, shape: tuple[int, ...]) -> Placement:
        """Scratch: as `Dropout`."""
        return _spatial(self, shape, 3)


def _noise(shape: tuple[int, ...], kind: int, constant: float) -> Placement:
    return Placement(shape, codes.NOISE, n_scratch=math.prod(shape), fields={codes.KIND: kind}, constant=float(constant))


@arguments(stddev=NOT_NEGATIVE, name=NAME, activation=NONE)
@dataclass(frozen=True)
class GaussianNoise:
    """Adds normal noise to every unit in training.

    Parameters
    ----------
    stddev : float
        Standard deviation of the noise.
    name : str, optional

    Examples
    --------
    >>> import numpy as np
    >>> from neuralstat.layers import GaussianNoise
    >>> import neuralstat as ns
    >>> data = {"y": np.arange(2.0), "x": np.ones((2, 3))}
    >>> settings = {"algorithm": "adam", "epochs": 0, "random_state": 1}
    >>> fit = ns.neuralnet("y ~ x", data, layers=[GaussianNoise(0.1)], **settings)
    >>> fit.layer_table[["output_shape", "params"]]
                   output_shape  params
    layer
    gaussian_noise         (3,)       0
    dense                  (1,)       4
    """

    stddev: float
    name: str | None = None
    activation: Any = None

    def place(self, shape: tuple[int, ...]) -> Placement:
        """Scratch: what is added."""
        return _noise(shape, ADDED, self.stddev)


@arguments(rate=_RATE, name=NAME, activation=NONE)
@dataclass(frozen=True)
class GaussianDropout:
    """Multiplies every unit by a normal number with mean 1 and variance ``rate / (1 - rate)`` in training.

    Srivastava, Hinton, Krizhevsky, Sutskever & Salakhutdinov 2014, JMLR 15:1929, section 10.

    Parameters
    ----------
    rate : float
        In [0, 1): the variance is that of dropout's factors.
    name : str, optional

    Examples
    --------
    >>> import numpy as np
    >>> from neuralstat.layers import GaussianDropout
    >>> import neuralstat as ns
    >>> data = {"y": np.arange(2.0), "x": np.ones((2, 3))}
    >>> settings = {"algorithm": "adam", "epochs": 0, "random_state": 1}
    >>> fit = ns.neuralnet("y ~ x", data, layers=[GaussianDropout(0.1)], **settings)
    >>> fit.layer_table[["output_shape", "params"]]
                     output_shape  params
    layer
    gaussian_dropout         (3,)       0
    dense                    (1,)       4
    """

    rate: float
    name: str | None = None
    activation: Any = None

    def place(self, shape: tuple[int, ...]) -> Placement:
        """Scratch: factors, less 1."""
        return _noise(shape, FACTOR, self.rate)


@arguments(rate=_RATE, name=NAME, activation=NONE)
@dataclass(frozen=True)
class AlphaDropout:
    """Dropout for selu networks: sets units to where selu ends, and keeps mean 0 and variance 1.

    Klambauer, Unterthiner, Mayr & Hochreiter 2017, NIPS 30.

    Parameters
    ----------
    rate : float
        Share that is dropped, in [0, 1).
    name : str, optional

    Examples
    --------
    >>> import numpy as np
    >>> from neuralstat.layers import AlphaDropout
    >>> import neuralstat as ns
    >>> data = {"y": np.arange(2.0), "x": np.ones((2, 3))}
    >>> settings = {"algorithm": "adam", "epochs": 0, "random_state": 1}
    >>> fit = ns.neuralnet("y ~ x", data, layers=[AlphaDropout(0.1)], **settings)
    >>> fit.layer_table[["output_shape", "params"]]
                  output_shape  params
    layer
    alpha_dropout         (3,)       0
    dense                 (1,)       4
    """

    rate: float
    name: str | None = None
    activation: Any = None

    def place(self, shape: tuple[int, ...]) -> Placement:
        """Scratch: -1 for what is dropped, else the factor, less 1."""
        return _noise(shape, ALPHA, self.rate)
