"""What every layer shares: its contribution to a network, and what its arguments may be."""

from __future__ import annotations

from dataclasses import dataclass, field, is_dataclass
from typing import Any, Protocol

from ..checks.arguments import NONE, Anything, Kind, Several, Text, Whole
from ..errors import ArgumentError


class PartName(str):
    """Name of a layer that is a part of another one, "separable_conv2d/depthwise".

    Attributes
    ----------
    whole, part : str
    merged : bool
        Whether its arrays go by the name of the whole, "separable_conv2d/depthwise_kernel".
    """

    whole: str
    part: str
    merged: bool

    @classmethod
    def of(cls, whole: str, part: str, merged: bool = False) -> PartName:
        """The name of a part."""
        made = cls(f"{whole}/{part}")
        made.whole, made.part, made.merged = whole, part, merged
        return made


class _Name(Text):
    def check(self, value: Any, name: str) -> str:
        """The string; names of parts as they are."""
        return value if type(value) is PartName else super().check(value, name)


NAME = NONE | _Name()
UNITS = Whole(1)
#: Resolved when a network is made of layers
ACTIVATION = Anything("a name of an activation, an Activation, a function or None", None, "relu", "tanh")
#: One number, or one for each axis
EXTENT = {n: UNITS | Several(UNITS, n, n) for n in (1, 2)}


class AnyLayer(Kind):
    """A layer, but none of some kinds."""

    words = "a layer of neuralstat.layers"

    def __init__(self, *without: str) -> None:
        self.without = without

    def check(self, value: Any, name: str) -> Any:
        """The layer."""
        kind = type(value)
        if not is_dataclass(value) or not kind.__module__.startswith(__package__) or not hasattr(value, "activation"):
            raise self.refuse(value, name)
        if kind.__name__ in self.without or (self.without and not hasattr(value, "place")):
            raise ArgumentError(f"{name} must be another kind of layer; {kind.__name__} cannot stand there.")
        return value


@dataclass(frozen=True)
class Placement:
    """What a layer contributes to a network.

    Attributes
    ----------
    shape : tuple of int
        Of the output, without the observation axis.
    op : int or None
        Op code; None for a layer that only changes the shape.
    n_params, n_scratch : int
        Weights; private rows of the buffers.
    units, per_unit : int
        The weights are `units` groups of `per_unit`, biases first.
    fields : dict
        Table column -> value.
    biases : int
        How many of each group are biases.
    moving : int
        How many at the end of each group are moving averages, which no gradient moves.
    times : int
        The layer is applied so many times, to equal parts of its input, with the same weights: rows of the table.
    implied : tuple of (int, float)
        Places in each group of weights that the table has and the layer does not, with the values that they are held at:
        (0, 0) for a layer without biases.
    constant : float
        What kernels get in place of the activation's parameter, for layers without an activation.
    """

    shape: tuple[int, ...]
    op: int | None = None
    n_params: int = 0
    n_scratch: int = 0
    units: int = 0
    per_unit: int = 0
    fields: dict[int, int] = field(default_factory=dict)
    biases: int = 1
    moving: int = 0
    implied: tuple[tuple[int, float], ...] = ()
    times: int = 1
    constant: float | None = None


class Layer(Protocol):
    """Any layer."""

    activation: Any

    def place(self, shape: tuple[int, ...]) -> Placement:
        """Contribution of the layer to a network in which `shape` comes in."""
        ...


def without_bias(layer: Any, biases: int = 1) -> tuple[tuple[int, float], ...]:
    """`Placement.implied` of a layer with so many biases a unit."""
    return () if layer.use_bias else tuple((j, 0.0) for j in range(biases))


def several(value: Any, n: int) -> tuple[int, ...]:
    """One integer for each of n axes, from one or n of them."""
    return (value,) * n if isinstance(value, int) else tuple(value)


def window(size: int, kernel: int, stride: int, dilation: int, padding: str, layer: str) -> tuple[int, int]:
    """Positions of a kernel along an axis, and zeros before it, as Keras counts them.

    Raises
    ------
    ArgumentError
        Where the kernel does not fit.
    """
    reach = (kernel - 1) * dilation + 1
    if padding == "valid":
        n, pad = (size - reach) // stride + 1, 0
    elif padding == "same":
        n = -(-size // stride)
        pad = max((n - 1) * stride + reach - size, 0) // 2  # the odd zero goes after
    else:
        n, pad = (size - 1) // stride + 1, reach - 1
    if n < 1:
        raise ArgumentError(f"{layer}: a kernel that reaches over {reach} does not fit into {size}.")
    return n, pad
