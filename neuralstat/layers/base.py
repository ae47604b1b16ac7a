"""What every layer shares: its contribution to a network, and checks of its arguments."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any, Protocol

from ..errors import ArgumentError


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
    constant: float | None = None


class Layer(Protocol):
    """Any layer."""

    activation: Any

    def place(self, shape: tuple[int, ...]) -> Placement:
        """Contribution of the layer to a network in which `shape` comes in."""
        ...


def positive(value: Any, name: str, layer: str) -> int:
    """`value`, if it is a positive integer."""
    if isinstance(value, bool) or not isinstance(value, int) or value < 1:
        raise ArgumentError(f"{layer}: {name} must be a positive integer, got {value!r}.")
    return value


def several(value: Any, n: int, name: str, layer: str) -> tuple[int, ...]:
    """One positive integer for each of n axes, from one or n of them."""
    given = (value,) * n if isinstance(value, int) else value
    if not isinstance(given, tuple | list) or len(given) != n:
        raise ArgumentError(f"{layer}: {name} must be one integer{f' or {n}' if n > 1 else ''}, got {value!r}.")
    return tuple(positive(v, name, layer) for v in given)


def one_of(value: Any, known: tuple[str, ...], name: str, layer: str) -> None:
    """Raise ArgumentError where `value` is not in `known`."""
    if value not in known:
        raise ArgumentError(f"{layer}: {name} must be {' or '.join(map(repr, known))}, got {value!r}.")


def fraction(value: Any, name: str, layer: str, one: bool = False) -> float:
    """`value`, if it is a number in [0, 1), or with `one` in [0, 1]."""
    number = isinstance(value, int | float) and not isinstance(value, bool)
    if not number or not 0 <= value <= 1 or (value == 1 and not one):
        raise ArgumentError(f"{layer}: {name} must be a number in [0, 1{']' if one else ')'}, got {value!r}.")
    return float(value)


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
