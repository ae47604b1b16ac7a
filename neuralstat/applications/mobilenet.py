"""Networks of depthwise convolutions, for small machines."""

from __future__ import annotations

import os
from typing import Any

from ..checks.arguments import FLAG, NONE, PATH, POSITIVE, Several, Whole, arguments
from ..layers import Add, BatchNorm, Conv2D, Dense, DepthwiseConv2D, GlobalAvgPool, ReLU, ZeroPadding2D
from .application import Application, with_weights
from .vgg_family import checked_shape

#: Filters, first stride, expansion and number of the blocks of each stage
MOBILENET_V2_STAGES = ((16, 1, 1, 1), (24, 2, 6, 2), (32, 2, 6, 3), (64, 2, 6, 4), (96, 1, 6, 3), (160, 2, 6, 3),
                       (320, 1, 6, 1))  # fmt: skip
_STEM, _LAST = 32, 1280


@arguments(
    weights=NONE | PATH, include_top=FLAG, classes=Whole(2), input_shape=NONE | Several(Whole(1), 3, 3), alpha=POSITIVE,
)  # fmt: skip
def MobileNetV2(
    weights: str | os.PathLike[str] | None = None, include_top: bool = True, classes: int = 1000,
    input_shape: tuple[int, int, int] | None = None, alpha: float = 1.0,
) -> Application:  # fmt: skip
    """MobileNetV2: seventeen inverted residual blocks of depthwise convolutions, the mean over positions, and the output.

    Parameters
    ----------
    weights : path, optional
        File of its weights, as Keras' ``mobilenet_v2_weights_tf_dim_ordering_tf_kernels_1.0_224.h5`` (or
        ``..._no_top.h5``), or any that `read_weights` reads and that calls layers as Keras does (Conv1,
        block_1_expand, block_1_depthwise_BN, ..., predictions). Nothing is downloaded. Without it the layers have no weights.
    include_top : bool
        Whether the mean over positions and the output belong to it. The top of a file that has one is left aside where it
        is not asked for.
    classes : int
        Of the output.
    input_shape : (rows, columns, 3), optional
        (224, 224, 3) unless given; at least 32 rows and columns.
    alpha : float
        Times the filters of each layer; Keras has files for 0.35, 0.5, 0.75, 1.0, 1.3 and 1.4.

    Returns
    -------
    Application
        3,538,984 weights with top, 1000 classes and ``alpha=1``, 2,257,984 without.

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
    Sandler, M., Howard, A., Zhu, M., Zhmoginov, A. & Chen, L.-C. (2018). MobileNetV2: inverted residuals and linear
    bottlenecks. CVPR, 4510.

    Examples
    --------
    >>> import neuralstat as ns
    >>> ns.applications.MobileNetV2().n_params
    3538984
    """
    shape = checked_shape(input_shape)
    layers: list[Any] = [
        Conv2D(_filters(_STEM * alpha), 3, strides=2, padding="same", use_bias=False, name="Conv1"), _norm("bn_Conv1"),
        _relu("Conv1_relu"),
    ]  # fmt: skip
    before, channels, number = "Conv1_relu", _filters(_STEM * alpha), 0
    size = tuple(-(-n // 2) for n in shape[:2])
    for filters, first, expansion, count in MOBILENET_V2_STAGES:
        wanted = _filters(int(filters * alpha))
        for k in range(count):
            stride = first if k == 0 else 1
            own = _block(number, before, channels, wanted, stride, expansion, size)
            size = tuple(-(-n // stride) for n in size)
            layers, before, channels, number = [*layers, *own], own[-1].name, wanted, number + 1
    last = _filters(_LAST * alpha) if alpha > 1 else _LAST
    layers += [Conv2D(last, 1, use_bias=False, name="Conv_1"), _norm("Conv_1_bn"), _relu("out_relu")]
    top = Dense(classes, name="predictions") if include_top else None
    if include_top:
        layers.append(GlobalAvgPool(name="global_average_pooling2d"))
    made = Application("MobileNetV2", layers, top, shape)
    return made if weights is None else with_weights(made, weights, () if include_top else ("predictions",))


def _filters(number: float, divisor: int = 8) -> int:
    """A multiple of 8 near a number of filters, no less than nine tenths of it."""
    made = max(divisor, int(number + divisor / 2) // divisor * divisor)
    return made + divisor if made < 0.9 * number else made


def _norm(name: str) -> BatchNorm:
    return BatchNorm(momentum=0.999, epsilon=1e-3, name=name)


def _relu(name: str) -> ReLU:
    return ReLU(6.0, name=name)


def _block(
    number: int, before: str, channels: int, filters: int, stride: int, expansion: int, size: tuple[int, ...]
) -> list[Any]:
    """More channels, a depthwise convolution, fewer channels; added to what comes in where that has the same shape."""
    name = f"block_{number}_" if number else "expanded_conv_"
    layers: list[Any] = []
    if number:
        layers += [Conv2D(expansion * channels, 1, use_bias=False, name=f"{name}expand"), _norm(f"{name}expand_BN"),
                   _relu(f"{name}expand_relu")]  # fmt: skip
    if stride == 2:  # so that an odd number of rows has a zero on both ends
        layers.append(ZeroPadding2D(tuple((n % 2, 1) for n in size), name=f"{name}pad"))
    layers += [
        DepthwiseConv2D(3, strides=stride, padding="same" if stride == 1 else "valid", use_bias=False,
                        name=f"{name}depthwise"),
        _norm(f"{name}depthwise_BN"), _relu(f"{name}depthwise_relu"),
        Conv2D(filters, 1, use_bias=False, name=f"{name}project"), _norm(f"{name}project_BN"),
    ]  # fmt: skip
    if channels == filters and stride == 1:
        layers.append(Add((before, f"{name}project_BN"), name=f"{name}add"))
    return layers
