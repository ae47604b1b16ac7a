"""Descriptions of layers that join several: side by side, as sums, products and largest values, and as sums of products."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from ..checks.arguments import FLAG, NONE, TEXT, Several, Whole, arguments
from ..errors import ArgumentError
from . import codes
from .base import NAME, Placement
from .merge import INNER, INPUTS, LARGEST, PRODUCT, SMALLEST, UNIT
from .moves import moved

_INPUTS = NONE | Several(TEXT, 1, 1024)
_AXIS = Whole(1, 8) | Whole(-8, -1)


@dataclass(frozen=True)
class Moves:
    """What a layer that joins several contributes to a network.

    Attributes
    ----------
    shape : tuple of int
        Of the output.
    parts : list of (dict, int)
        For each input the table fields of the move that brings it to its place, and the first unit of the output that it
        is brought to.
    adds : bool
        Whether parts are added to one another.
    then : Placement, optional
        What makes the output of the parts, which are brought to units of their own for it.
    """

    shape: tuple[int, ...]
    parts: list[tuple[dict[int, int], int]]
    adds: bool = False
    then: Placement | None = None

    @property
    def size(self) -> int:
        """Units that the parts are brought to."""
        return max(to + fields[codes.OUT_ROWS] * fields[codes.OUT_COLS] * fields[codes.FILTERS] for fields, to in self.parts)


def broadcast(layer: Any, shapes: Sequence[tuple[int, ...]]) -> tuple[tuple[int, ...], list[dict[int, int]]]:
    """The shape that layers' shapes have together, and for each of them the table fields of the move that brings it there.

    As in numpy and Keras: shapes with fewer axes have more of size 1 before them, and an axis of size 1 is repeated.

    Raises
    ------
    ArgumentError
        Where sizes differ otherwise, or a move cannot do it.
    """
    axes = max(map(len, shapes))
    longer = [(1,) * (axes - len(shape)) + tuple(shape) for shape in shapes]
    out = tuple(max(sizes) for sizes in zip(*longer, strict=True))
    if any(n not in (1, size) for shape in longer for n, size in zip(shape, out, strict=True)):
        said = ", ".join(map(str, shapes))
        raise ArgumentError(f"{type(layer).__name__} needs inputs of one shape, or of size 1 along an axis, got {said}.")
    return out, [_repeated(layer, shape, out) for shape in longer]


def _repeated(layer: Any, shape: tuple[int, ...], out: tuple[int, ...]) -> dict[int, int]:
    """A move's fields: rows and columns may be repeated, channels are not."""
    runs: list[list[int]] = []  # (size, times): neighbouring axes that are repeated, or that are not
    for n, size in zip(shape, out, strict=True):
        times = size // n
        if runs and (runs[-1][1] > 1) == (times > 1):
            runs[-1] = [runs[-1][0] * n, runs[-1][1] * times]
        elif size > 1:
            runs.append([n, times])
    if not runs or runs[-1][1] > 1:
        runs.append([1, 1])
    runs = [[1, 1]] * (3 - len(runs)) + runs
    if len(runs) > 3:
        raise ArgumentError(f"{type(layer).__name__} cannot bring {shape} to {out}: reshape and repeat it before.")
    (rows, down), (cols, across), (channels, _) = runs
    return moved((rows, cols, channels), (rows * down, cols * across, channels), KERNEL_ROWS=down, KERNEL_COLS=across)


def _sum(layer: Any, shapes: Sequence[tuple[int, ...]], divisors: Sequence[int]) -> Moves:
    out, fields = broadcast(layer, shapes)
    return Moves(out, [({**one, codes.KIND: d}, 0) for one, d in zip(fields, divisors, strict=True)], adds=True)


def _unit_by_unit(layer: Any, shapes: Sequence[tuple[int, ...]], kind: int) -> Moves:
    out, fields = broadcast(layer, shapes)
    size, row = math.prod(out), {codes.KIND: kind, INPUTS: len(shapes)}
    return Moves(out, [(one, j * size) for j, one in enumerate(fields)], then=Placement(out, codes.MERGE, fields=row))


@arguments(inputs=_INPUTS, name=NAME, activation=NONE)
@dataclass(frozen=True)
class Add:
    """Sum of inputs of one shape; what is of size 1 along an axis, where others are not, is repeated along it.

    Parameters
    ----------
    inputs : sequence of str, optional
        In a list of layers: names of the layers that are added.
    name : str, optional

    Examples
    --------
    >>> from neuralstat.layers import Add, Dense, Input
    >>> import neuralstat as ns
    >>> given = Input()
    >>> left, right = Dense(3, "tanh")(given), Dense(3, "relu")(given)
    >>> data = ns.datasets.doppler(n=20, random_state=1)
    >>> settings = {"algorithm": "adam", "epochs": 0, "random_state": 1}
    >>> fit = ns.neuralnet("y ~ x", data, layers=Add()([left, right]), **settings)
    >>> fit.layer_table[["output_shape", "params"]]
            output_shape  params
    layer
    dense           (3,)       6
    dense_1         (3,)       6
    add             (3,)       0
    dense_2         (1,)       4
    """

    inputs: tuple[str, ...] | None = None
    name: str | None = None
    activation: Any = None

    def join(self, shapes: Sequence[tuple[int, ...]]) -> Moves:
        """A move for each input."""
        return _sum(self, shapes, [1] * len(shapes))


@arguments(inputs=_INPUTS, name=NAME, activation=NONE)
@dataclass(frozen=True)
class Subtract:
    """First of two inputs of one shape less the second; arguments as those of `Add`.

    Examples
    --------
    >>> from neuralstat.layers import Dense, Input, Subtract
    >>> import neuralstat as ns
    >>> given = Input()
    >>> left, right = Dense(3, "tanh")(given), Dense(3, "relu")(given)
    >>> data = ns.datasets.doppler(n=20, random_state=1)
    >>> settings = {"algorithm": "adam", "epochs": 0, "random_state": 1}
    >>> fit = ns.neuralnet("y ~ x", data, layers=Subtract()([left, right]), **settings)
    >>> fit.layer_table[["output_shape", "params"]]
             output_shape  params
    layer
    dense            (3,)       6
    dense_1          (3,)       6
    subtract         (3,)       0
    dense_2          (1,)       4
    """

    inputs: tuple[str, ...] | None = None
    name: str | None = None
    activation: Any = None

    def join(self, shapes: Sequence[tuple[int, ...]]) -> Moves:
        """A move for each input."""
        if len(shapes) != 2:
            raise ArgumentError(f"Subtract needs two inputs, got {len(shapes)}.")
        return _sum(self, shapes, [1, -1])


@arguments(inputs=_INPUTS, name=NAME, activation=NONE)
@dataclass(frozen=True)
class Average:
    """Mean of inputs of one shape; arguments as those of `Add`.

    Examples
    --------
    >>> from neuralstat.layers import Average, Dense, Input
    >>> import neuralstat as ns
    >>> given = Input()
    >>> left, right = Dense(3, "tanh")(given), Dense(3, "relu")(given)
    >>> data = ns.datasets.doppler(n=20, random_state=1)
    >>> settings = {"algorithm": "adam", "epochs": 0, "random_state": 1}
    >>> fit = ns.neuralnet("y ~ x", data, layers=Average()([left, right]), **settings)
    >>> fit.layer_table[["output_shape", "params"]]
            output_shape  params
    layer
    dense           (3,)       6
    dense_1         (3,)       6
    average         (3,)       0
    dense_2         (1,)       4
    """

    inputs: tuple[str, ...] | None = None
    name: str | None = None
    activation: Any = None

    def join(self, shapes: Sequence[tuple[int, ...]]) -> Moves:
        """A move for each input."""
        return _sum(self, shapes, [len(shapes)] * len(shapes))


@arguments(inputs=_INPUTS, axis=Whole(1, 3) | Whole(-3, -1), name=NAME, activation=NONE)
@dataclass(frozen=True)
class Concatenate:
    """Inputs side by side.

    Parameters
    ----------
    inputs : sequence of str, optional
        In a list of layers: names of the layers that are joined.
    axis : int
        As in Keras: -1 is the last axis (channels, features, units), 1 the first axis of an observation.
    name : str, optional

    Examples
    --------
    >>> from neuralstat.layers import Concatenate, Dense, Input
    >>> import neuralstat as ns
    >>> given = Input()
    >>> left, right = Dense(3, "tanh")(given), Dense(3, "relu")(given)
    >>> data = ns.datasets.doppler(n=20, random_state=1)
    >>> settings = {"algorithm": "adam", "epochs": 0, "random_state": 1}
    >>> fit = ns.neuralnet("y ~ x", data, layers=Concatenate()([left, right]), **settings)
    >>> fit.layer_table[["output_shape", "params"]]
                output_shape  params
    layer
    dense               (3,)       6
    dense_1             (3,)       6
    concatenate         (6,)       0
    dense_2             (1,)       7
    """

    inputs: tuple[str, ...] | None = None
    axis: int = -1
    name: str | None = None
    activation: Any = None

    def join(self, shapes: Sequence[tuple[int, ...]]) -> Moves:
        """A move for each input."""
        axes = len(shapes[0])
        axis = self.axis + axes if self.axis < 0 else self.axis - 1
        if not 0 <= axis < axes:
            raise ArgumentError(f"Concatenate: axis {self.axis} is none of {shapes[0]}.")
        kept = {(len(shape), *shape[:axis], *shape[axis + 1 :]) for shape in shapes}
        if len(kept) > 1:
            raise ArgumentError(f"Concatenate: {', '.join(map(str, shapes))} differ in other axes than axis {self.axis}.")
        total = sum(shape[axis] for shape in shapes)
        out = (*shapes[0][:axis], total, *shapes[0][axis + 1 :])
        after = math.prod(out[axis + 1 :])
        parts, first = [], 0
        for shape in shapes:  # as (units before the axis, on it, after it): rows before it lie further apart at the target
            grid = math.prod(shape[:axis]), 1, shape[axis] * after
            parts.append((moved(grid, grid, SPREAD_ROWS=total * after), first * after))
            first += shape[axis]
        return Moves(out, parts)


@arguments(inputs=_INPUTS, name=NAME, activation=NONE)
@dataclass(frozen=True)
class Multiply:
    """Product of inputs, unit by unit; arguments and shapes as those of `Add`.

    Of sequences with masks (`Masking`, ``mask_zero``) those count that are there, as in Keras.

    Examples
    --------
    >>> from neuralstat.layers import Dense, Input, Multiply
    >>> import neuralstat as ns
    >>> given = Input()
    >>> left, right = Dense(3, "tanh")(given), Dense(3, "relu")(given)
    >>> data = ns.datasets.doppler(n=20, random_state=1)
    >>> settings = {"algorithm": "adam", "epochs": 0, "random_state": 1}
    >>> fit = ns.neuralnet("y ~ x", data, layers=Multiply()([left, right]), **settings)
    >>> fit.layer_table[["output_shape", "params"]]
              output_shape  params
    layer
    dense             (3,)       6
    dense_1           (3,)       6
    multiply          (3,)       0
    dense_2           (1,)       4
    """

    inputs: tuple[str, ...] | None = None
    name: str | None = None
    activation: Any = None

    def join(self, shapes: Sequence[tuple[int, ...]]) -> Moves:
        """A move for each input, and their product."""
        return _unit_by_unit(self, shapes, PRODUCT)


@arguments(inputs=_INPUTS, name=NAME, activation=NONE)
@dataclass(frozen=True)
class Maximum:
    """Largest of the inputs, unit by unit; arguments and shapes as those of `Add`, masks as in `Multiply`.

    Equal inputs share the derivative, the last one and those before it by halves, as in Keras on PyTorch.

    Examples
    --------
    >>> from neuralstat.layers import Dense, Input, Maximum
    >>> import neuralstat as ns
    >>> given = Input()
    >>> left, right = Dense(3, "tanh")(given), Dense(3, "relu")(given)
    >>> data = ns.datasets.doppler(n=20, random_state=1)
    >>> settings = {"algorithm": "adam", "epochs": 0, "random_state": 1}
    >>> fit = ns.neuralnet("y ~ x", data, layers=Maximum()([left, right]), **settings)
    >>> fit.layer_table[["output_shape", "params"]]
             output_shape  params
    layer
    dense            (3,)       6
    dense_1          (3,)       6
    maximum          (3,)       0
    dense_2          (1,)       4
    """

    inputs: tuple[str, ...] | None = None
    name: str | None = None
    activation: Any = None

    def join(self, shapes: Sequence[tuple[int, ...]]) -> Moves:
        """A move for each input, and their largest."""
        return _unit_by_unit(self, shapes, LARGEST)


@arguments(inputs=_INPUTS, name=NAME, activation=NONE)
@dataclass(frozen=True)
class Minimum:
    """Smallest of the inputs, unit by unit; see `Maximum`.

    Examples
    --------
    >>> from neuralstat.layers import Dense, Input, Minimum
    >>> import neuralstat as ns
    >>> given = Input()
    >>> left, right = Dense(3, "tanh")(given), Dense(3, "relu")(given)
    >>> data = ns.datasets.doppler(n=20, random_state=1)
    >>> settings = {"algorithm": "adam", "epochs": 0, "random_state": 1}
    >>> fit = ns.neuralnet("y ~ x", data, layers=Minimum()([left, right]), **settings)
    >>> fit.layer_table[["output_shape", "params"]]
             output_shape  params
    layer
    dense            (3,)       6
    dense_1          (3,)       6
    minimum          (3,)       0
    dense_2          (1,)       4
    """

    inputs: tuple[str, ...] | None = None
    name: str | None = None
    activation: Any = None

    def join(self, shapes: Sequence[tuple[int, ...]]) -> Moves:
        """A move for each input, and their smallest."""
        return _unit_by_unit(self, shapes, SMALLEST)


@arguments(axes=_AXIS | Several(_AXIS, 2, 2), normalize=FLAG, inputs=_INPUTS, name=NAME, activation=NONE)
@dataclass(frozen=True)
class Dot:
    """Sums of products of two inputs over an axis of each: of two vectors their inner product, of two matrices a matrix.

    What comes out has the other axes of the first input, then those of the second; one unit where none is left.

    Parameters
    ----------
    axes : int or (int, int)
        As in Keras: 1 is the first axis of an observation, -1 the last; one for both inputs, or one for each.
    normalize : bool
        Whether vectors are divided by their lengths before, so that what comes out are cosines. Lengths below 1e-7 are
        taken as 1e-7.
    inputs : sequence of str, optional
        In a list of layers: names of the two layers.
    name : str, optional

    Examples
    --------
    >>> from neuralstat.layers import Dense, Dot, Input
    >>> import neuralstat as ns
    >>> given = Input()
    >>> left, right = Dense(3, "tanh")(given), Dense(3, "relu")(given)
    >>> data = ns.datasets.doppler(n=20, random_state=1)
    >>> settings = {"algorithm": "adam", "epochs": 0, "random_state": 1}
    >>> fit = ns.neuralnet("y ~ x", data, layers=Dot(1)([left, right]), **settings)
    >>> fit.layer_table[["output_shape", "params"]]
            output_shape  params
    layer
    dense           (3,)       6
    dense_1         (3,)       6
    dot             (1,)       0
    dense_2         (1,)       2
    """

    axes: int | tuple[int, int]
    normalize: bool = False
    inputs: tuple[str, ...] | None = None
    name: str | None = None
    activation: Any = None

    def join(self, shapes: Sequence[tuple[int, ...]]) -> Moves:
        """A move for each input, and their sums of products."""
        if len(shapes) != 2:
            raise ArgumentError(f"Dot needs two inputs, got {len(shapes)}.")
        given = (self.axes, self.axes) if isinstance(self.axes, int) else self.axes
        axes = [axis + len(shape) if axis < 0 else axis - 1 for axis, shape in zip(given, shapes, strict=True)]
        for axis, at, shape in zip(given, axes, shapes, strict=True):
            if not 0 <= at < len(shape):
                raise ArgumentError(f"Dot: axis {axis} is none of {shape}.")
        first, second = ((math.prod(shape[:at]), shape[at], math.prod(shape[at + 1 :]))
                         for at, shape in zip(axes, shapes, strict=True))  # fmt: skip
        if first[1] != second[1]:
            raise ArgumentError(f"Dot: {shapes[0]} and {shapes[1]} differ along the axes {given[0]} and {given[1]}.")
        kept = [n for at, shape in zip(axes, shapes, strict=True) for n in (*shape[:at], *shape[at + 1 :])]
        fields = {
            codes.KIND: INNER, codes.ROWS: first[0], codes.COLS: first[1], codes.CHANNELS: first[2],
            codes.OUT_ROWS: second[0], codes.OUT_COLS: second[2], codes.OPTIONS: UNIT if self.normalize else 0,
        }  # fmt: skip
        lengths = first[0] * first[2] + second[0] * second[2] if self.normalize else 0
        out = tuple(kept) or (1,)
        parts = [_flat(math.prod(first)), _flat(math.prod(second))]
        then = Placement(out, codes.MERGE, n_scratch=lengths, fields=fields)
        return Moves(out, [(parts[0], 0), (parts[1], math.prod(first))], then=then)


def _flat(size: int) -> dict[int, int]:
    """Fields of a move of so many units that changes nothing."""
    return moved((1, 1, size), (1, 1, size))


MERGING = (Add, Average, Concatenate, Dot, Maximum, Minimum, Multiply, Subtract)
#: Of branches, by name
JOINS = {"concatenate": Concatenate, "add": Add, "average": Average, "multiply": Multiply, "maximum": Maximum,
         "minimum": Minimum}  # fmt: skip
