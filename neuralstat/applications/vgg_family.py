"""Networks of VGG's kind."""

from __future__ import annotations

import os
from collections.abc import Sequence
from typing import Any

from ..checks.arguments import FLAG, NONE, PATH, Several, Text, Whole, arguments
from ..errors import ArgumentError
from ..layers import Conv2D, Dense, Flatten, MaxPool2D
from .application import Application, with_weights

VGG16_BLOCKS = ((2, 64), (2, 128), (3, 256), (3, 512), (3, 512))  # convolutions and filters of each block
VGG19_BLOCKS = ((2, 64), (2, 128), (4, 256), (4, 512), (4, 512))
VGG_DENSE = (4096, 4096)
SMALLEST = 32


@arguments(
    blocks=Several(Several(Whole(1, 10_000), 2, 2), 0, 20), dense=Several(Whole(1), 0, 20), classes=NONE | Whole(1),
    input_shape=Several(Whole(1), 3, 3), name=Text(),
)  # fmt: skip
def vgg(
    blocks: Sequence[tuple[int, int]], dense: Sequence[int], classes: int | None, input_shape: tuple[int, ...],
    name: str = "vgg",
) -> Application:  # fmt: skip
    """A network of VGG's kind: blocks of 3 x 3 convolutions with relu, each followed by a maximum over 2 x 2.

    Parameters
    ----------
    blocks : sequence of (int, int)
        Convolutions and filters of each block.
    dense : sequence of int
        Units of the dense layers; used where there are `classes`.
    classes : int or None
        None: without dense layers and output.
    input_shape : (rows, columns, channels)
    name : str

    Returns
    -------
    Application
        Without weights.

    Examples
    --------
    >>> import neuralstat as ns
    >>> small = ns.applications.vgg([(1, 4), (1, 8)], [16], 10, (32, 32, 3))
    >>> len(small), [type(layer).__name__ for layer in small][:3]
    (6, ['Conv2D', 'MaxPool2D', 'Conv2D'])
    """
    layers: list[Any] = []
    for k, (convolutions, filters) in enumerate(blocks, start=1):
        layers += [Conv2D(filters, 3, activation="relu", padding="same", name=f"block{k}_conv{j}")
                   for j in range(1, convolutions + 1)]  # fmt: skip
        layers.append(MaxPool2D(2, strides=2, name=f"block{k}_pool"))
    if classes is None:
        return Application(name, layers, None, input_shape)
    layers.append(Flatten(name="flatten"))
    layers += [Dense(units, "relu", name=f"fc{k}") for k, units in enumerate(dense, start=1)]
    return Application(name, layers, Dense(classes, name="predictions"), input_shape)


@arguments(weights=NONE | PATH, include_top=FLAG, classes=Whole(2), input_shape=NONE | Several(Whole(1), 3, 3))
def VGG16(
    weights: str | os.PathLike[str] | None = None, include_top: bool = True, classes: int = 1000,
    input_shape: tuple[int, int, int] | None = None,
) -> Application:  # fmt: skip
    """VGG-16: thirteen convolutions in five blocks and, as top, two dense layers of 4096 units and the output.

    Parameters
    ----------
    weights : path, optional
        File of its weights, as Keras' ``vgg16_weights_tf_dim_ordering_tf_kernels.h5`` (or ``..._notop.h5``), or any that
        `read_weights` reads and that calls layers as Keras does (block1_conv1, ..., fc1, fc2, predictions). Nothing is
        downloaded. Without it the layers have no weights.
    include_top : bool
        Whether the dense layers belong to it. The top of a file that has one is left aside where it is not asked for.
    classes : int
        Of the output.
    input_shape : (rows, columns, 3), optional
        (224, 224, 3) unless given; at least 32 rows and columns.

    Returns
    -------
    Application
        A sequence of hidden layers for ``layers=``, with `startweights`, `weight_names` (to freeze), `predict`,
        `features`. 138,357,544 weights with top and 1000 classes, 14,714,688 without.

    Raises
    ------
    DataError
        Naming all arrays of the file that are missing, unexpected or of another shape.
    ArgumentError, FileFormatError, OSError

    Notes
    -----
    Predictions are worked out in the type of the weights (float32 in files), and hold little more memory than these.

    References
    ----------
    Simonyan, K. & Zisserman, A. (2015). Very deep convolutional networks for large-scale image recognition. ICLR.

    Examples
    --------
    >>> import neuralstat as ns
    >>> ns.applications.VGG16().n_params
    138357544
    """
    return _made("VGG16", VGG16_BLOCKS, weights, include_top, classes, input_shape)


@arguments(weights=NONE | PATH, include_top=FLAG, classes=Whole(2), input_shape=NONE | Several(Whole(1), 3, 3))
def VGG19(
    weights: str | os.PathLike[str] | None = None, include_top: bool = True, classes: int = 1000,
    input_shape: tuple[int, int, int] | None = None,
) -> Application:  # fmt: skip
    """VGG-19: `VGG16` with sixteen convolutions.

    Parameters
    ----------
    weights, include_top, classes, input_shape
        As those of `VGG16`; files as Keras' ``vgg19_weights_tf_dim_ordering_tf_kernels.h5``.

    Returns
    -------
    Application
        143,667,240 weights with top and 1000 classes, 20,024,384 without.

    Raises
    ------
    DataError
        Naming all arrays of the file that are missing, unexpected or of another shape.
    ArgumentError, FileFormatError, OSError

    References
    ----------
    Simonyan, K. & Zisserman, A. (2015). Very deep convolutional networks for large-scale image recognition. ICLR.

    Examples
    --------
    >>> import neuralstat as ns
    >>> ns.applications.VGG19().n_params
    143667240
    """
    return _made("VGG19", VGG19_BLOCKS, weights, include_top, classes, input_shape)


def _made(
    name: str, blocks: Sequence[tuple[int, int]], weights: Any, include_top: bool, classes: int,
    input_shape: tuple[int, int, int] | None,
) -> Application:  # fmt: skip
    made = vgg(blocks, VGG_DENSE, classes if include_top else None, checked_shape(input_shape), name)
    top = () if include_top else ("fc1", "fc2", "predictions")
    return made if weights is None else with_weights(made, weights, top)


def checked_shape(shape: tuple[int, int, int] | None) -> tuple[int, int, int]:
    """Shape of color images, (224, 224, 3) unless given.

    Raises
    ------
    ArgumentError
        Where it is none, or too small for networks that halve it five times.
    """
    shape = (224, 224, 3) if shape is None else shape
    if min(shape[:2]) < SMALLEST or shape[2] != 3:
        raise ArgumentError(f"input_shape must be (rows, columns, 3) with at least 32 rows and columns, got {shape!r}.")
    return shape
