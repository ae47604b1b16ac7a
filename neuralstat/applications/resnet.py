"""Residual networks of bottlenecks."""

from __future__ import annotations

import os
from collections.abc import Sequence
from typing import Any

from ..checks.arguments import FLAG, NONE, PATH, Several, Text, Whole, arguments
from ..layers import Activation, Add, BatchNorm, Conv2D, Dense, From, GlobalAvgPool, MaxPool2D, ZeroPadding2D
from .application import Application, with_weights
from .vgg_family import checked_shape

RESNET50_STACKS = ((64, 3), (128, 4), (256, 6), (512, 3))  # filters and blocks of each stack
_EPSILON = 1.001e-5  # of the variances


@arguments(
    stacks=Several(Several(Whole(1, 10_000), 2, 2), 1, 20), classes=NONE | Whole(1), input_shape=Several(Whole(1), 3, 3),
    name=Text(),
)  # fmt: skip
def resnet(
    stacks: Sequence[tuple[int, int]], classes: int | None, input_shape: tuple[int, ...], name: str = "resnet",
) -> Application:  # fmt: skip
    """A residual network of bottlenecks: 1 x 1, 3 x 3 and 1 x 1 convolutions, each with batch normalisation.

    Parameters
    ----------
    stacks : sequence of (int, int)
        Filters and blocks of each stack; a stack's first block, but that of the first stack, halves rows and columns.
    classes : int or None
        None: without the mean over positions and the output.
    input_shape : (rows, columns, channels)
    name : str

    Returns
    -------
    Application
        Without weights.
    """
    filters = stacks[0][0]
    layers: list[Any] = [
        ZeroPadding2D(3, name="conv1_pad"), Conv2D(filters, 7, strides=2, name="conv1_conv"), _norm("conv1_bn"),
        _relu("conv1_relu"), ZeroPadding2D(1, name="pool1_pad"), MaxPool2D(3, strides=2, name="pool1_pool"),
    ]  # fmt: skip
    before = "pool1_pool"
    for k, (filters, blocks) in enumerate(stacks, start=2):
        for j in range(1, blocks + 1):
            block = f"conv{k}_block{j}"
            layers += _block(filters, 2 if j == 1 < k - 1 else 1, before, block, shortcut=j == 1)
            before = f"{block}_out"
    if classes is None:
        return Application(name, layers, None, input_shape)
    return Application(name, [*layers, GlobalAvgPool(name="avg_pool")], Dense(classes, name="predictions"), input_shape)


def _norm(name: str) -> BatchNorm:
    return BatchNorm(epsilon=_EPSILON, name=name)


def _relu(name: str) -> Activation:
    return Activation("relu", name=name)


def _block(filters: int, stride: int, before: str, name: str, shortcut: bool) -> list[Any]:
    """Three convolutions, and what they are added to: what comes in, or a convolution of it."""
    past: list[Any] = []
    if shortcut:
        past = [Conv2D(4 * filters, 1, strides=stride, name=f"{name}_0_conv"), _norm(f"{name}_0_bn"), From(before)]
    return [
        *past,
        Conv2D(filters, 1, strides=stride, name=f"{name}_1_conv"), _norm(f"{name}_1_bn"), _relu(f"{name}_1_relu"),
        Conv2D(filters, 3, padding="same", name=f"{name}_2_conv"), _norm(f"{name}_2_bn"), _relu(f"{name}_2_relu"),
        Conv2D(4 * filters, 1, name=f"{name}_3_conv"), _norm(f"{name}_3_bn"),
        Add((f"{name}_0_bn" if shortcut else before, f"{name}_3_bn"), name=f"{name}_add"), _relu(f"{name}_out"),
    ]  # fmt: skip


@arguments(weights=NONE | PATH, include_top=FLAG, classes=Whole(2), input_shape=NONE | Several(Whole(1), 3, 3))
def ResNet50(
    weights: str | os.PathLike[str] | None = None, include_top: bool = True, classes: int = 1000,
    input_shape: tuple[int, int, int] | None = None,
) -> Application:  # fmt: skip
    """ResNet-50: sixteen residual blocks of three convolutions each, the mean over positions, and the output.

    Parameters
    ----------
    weights : path, optional
        File of its weights, as Keras' ``resnet50_weights_tf_dim_ordering_tf_kernels.h5`` (or ``..._notop.h5``), or any that
        `read_weights` reads and that calls layers as Keras does (conv1_conv, conv2_block1_1_bn, ..., predictions). Nothing
        is downloaded. Without it the layers have no weights.
    include_top : bool
        Whether the mean over positions and the output belong to it. The top of a file that has one is left aside where it
        is not asked for.
    classes : int
        Of the output.
    input_shape : (rows, columns, 3), optional
        (224, 224, 3) unless given; at least 32 rows and columns.

    Returns
    -------
    Application
        25,636,712 weights with top and 1000 classes, 23,587,712 without.

    Raises
    ------
    DataError
        Naming all arrays of the file that are missing, unexpected or of another shape.
    ArgumentError, FileFormatError, OSError

    Notes
    -----
    Frozen by ``freeze=application.weight_names`` the batch normalisations keep their moving averages, too.

    References
    ----------
    He, K., Zhang, X., Ren, S. & Sun, J. (2016). Deep residual learning for image recognition. CVPR, 770.

    Examples
    --------
    >>> import neuralstat as ns
    >>> ns.applications.ResNet50().n_params
    25636712
    """
    made = resnet(RESNET50_STACKS, classes if include_top else None, checked_shape(input_shape), "ResNet50")
    return made if weights is None else with_weights(made, weights, () if include_top else ("predictions",))
