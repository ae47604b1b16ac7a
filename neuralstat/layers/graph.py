"""Descriptions of graphs: layers that read others than the one before them, and those that join several.

Three ways to write one, which mean the same:

* in a list: ``[Conv2D(8, 3, "relu", padding="same", name="a"), Conv2D(8, 3, padding="same"), Add(["a", "conv2d"])]`` with
  names of earlier layers, and ``From("a")`` before a layer that reads "a";
* by what they are: ``Residual([...])`` adds its input to its output, ``Branches([...], [...])`` joins chains that read
  the same;
* by calls, as in Keras' functional interface: ``x = Input(); h = Dense(8, "relu")(x); out = Add()([x, h])``, and
  ``layers=out``.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Any

from ..checks.arguments import NONE, TEXT, Choice, Several, Whole, arguments
from ..errors import ArgumentError
from .base import ACTIVATION, NAME, UNITS, AnyLayer
from .moves import as_image, moved

_INPUTS = NONE | Several(TEXT, 1, 1024)
_CHAIN = Several(AnyLayer(), 0, 1000)
MERGES = ("concatenate", "add", "average")


@arguments(shape=NONE | Several(UNITS, 1, 8), name=NAME, activation=NONE)
@dataclass(frozen=True)
class InputLayer:
    """Where a graph begins; `Input` makes it.

    Parameters
    ----------
    shape : tuple of int, optional
        Of one observation; what the data have must be it.
    name : str, optional
        A covariate of the formula, where there are several arrays; not needed for one array, or for numbers alone.
    """

    shape: tuple[int, ...] | None = None
    name: str | None = None
    activation: Any = None


class Node:
    """A layer with what it reads: what calls of layers make.

    Attributes
    ----------
    layer : a layer
    inputs : tuple of Node
        Empty for an `InputLayer`.
    """

    __slots__ = ("inputs", "layer")

    def __init__(self, layer: Any, inputs: tuple[Node, ...]) -> None:
        self.layer, self.inputs = layer, inputs

    def __repr__(self) -> str:
        return f"<{type(self.layer).__name__} of {len(self.inputs)} input(s)>"


def call(layer: Any, inputs: Any, *more: Any) -> Node:
    """A layer that reads a node, or a list of nodes; attention two or three, as ``(query, value, key)``.

    Raises
    ------
    ArgumentError
        Where something else is given.
    """
    nodes = (*inputs, *more) if isinstance(inputs, list | tuple) else (inputs, *more)
    wrong = [node for node in nodes if not isinstance(node, Node)]
    if wrong or not nodes:
        said = type(wrong[0]).__name__ if wrong else "nothing"
        kind = type(layer).__name__
        raise ArgumentError(f"{kind}: a layer is called with Input() or with what the call of another gave, got {said}.")
    if type(layer).__name__ == "MultiHeadAttention":
        if len(nodes) > 3:
            raise ArgumentError(f"MultiHeadAttention reads query, value and key, got {len(nodes)} layers.")
    elif more or (len(nodes) > 1 and not isinstance(layer, MERGING)):
        raise ArgumentError(f"{type(layer).__name__} reads one layer, got {len(nodes)}: join them by Concatenate() or Add().")
    return Node(layer, nodes)


def Input(shape: Any = None, name: Any = None) -> Node:  # Keras' name
    """The beginning of a graph, which layers are called with.

    Parameters
    ----------
    shape : tuple of int, optional
        Of one observation; what the data have must be it.
    name : str, optional
        A covariate of the formula, where there are several arrays.

    Examples
    --------
    >>> from neuralstat.layers import Dense, Input
    >>> import neuralstat as ns
    >>> hidden = Dense(3, "tanh")(Input())
    >>> data = ns.datasets.doppler(n=20, random_state=1)
    >>> settings = {"algorithm": "adam", "epochs": 0, "random_state": 1}
    >>> fit = ns.neuralnet("y ~ x", data, layers=Dense(2, "relu")(hidden), **settings)
    >>> fit.network.topology
    '1-3-2-1'
    """
    return Node(InputLayer(shape, name), ())


@arguments(layer=TEXT, name=NAME, activation=NONE)
@dataclass(frozen=True)
class From:
    """In a list of layers: what follows reads the layer of this name, or the input of this name.

    Parameters
    ----------
    layer : str

    Examples
    --------
    >>> from neuralstat.layers import Concatenate, Dense, From
    >>> import neuralstat as ns
    >>> layers = [Dense(4, "tanh", name="wide"), Dense(2, "tanh", name="left"), From("wide"),
    ...           Dense(3, "relu", name="right"), Concatenate(["left", "right"])]
    >>> data = ns.datasets.doppler(n=20, random_state=1)
    >>> settings = {"algorithm": "adam", "epochs": 0, "random_state": 1}
    >>> fit = ns.neuralnet("y ~ x", data, layers=layers, **settings)
    >>> fit.layer_table[["output_shape", "params"]]
                output_shape  params
    layer
    wide                (4,)       8
    left                (2,)      10
    right               (3,)      15
    concatenate         (5,)       0
    dense               (1,)       6
    """

    layer: str
    name: str | None = None
    activation: Any = None


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
    """

    shape: tuple[int, ...]
    parts: list[tuple[dict[int, int], int]]
    adds: bool = False


def _same(layer: Any, shapes: Sequence[tuple[int, ...]]) -> tuple[int, int, int]:
    if any(shape != shapes[0] for shape in shapes):
        raise ArgumentError(f"{type(layer).__name__} needs inputs of one shape, got {', '.join(map(str, shapes))}.")
    return 1, 1, as_image(shapes[0])[0] * as_image(shapes[0])[1] * shapes[0][-1]


def _sum(layer: Any, shapes: Sequence[tuple[int, ...]], divisors: Sequence[int]) -> Moves:
    flat = _same(layer, shapes)
    return Moves(tuple(shapes[0]), [(moved(flat, flat, KIND=d), 0) for d in divisors], adds=True)


@arguments(inputs=_INPUTS, name=NAME, activation=NONE)
@dataclass(frozen=True)
class Add:
    """Sum of inputs of one shape.

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
        after = _size(out[axis + 1 :])
        parts, first = [], 0
        for shape in shapes:  # as (units before the axis, on it, after it): rows before it lie further apart at the target
            grid = _size(shape[:axis]), 1, shape[axis] * after
            parts.append((moved(grid, grid, SPREAD_ROWS=total * after), first * after))
            first += shape[axis]
        return Moves(out, parts)


def _size(shape: Sequence[int]) -> int:
    size = 1
    for n in shape:
        size *= n
    return size


@arguments(layers=_CHAIN, shortcut=NONE | _CHAIN, activation=ACTIVATION, name=NAME)
@dataclass(frozen=True)
class Residual:
    """Adds what comes in to what a chain of layers makes of it (He, Zhang, Ren & Sun 2016, CVPR, 770).

    Parameters
    ----------
    layers : sequence of layers
    shortcut : sequence of layers, optional
        What the input goes through on its way past them, where shapes differ: ``[Conv2D(16, 1, strides=2)]``.
    activation : str, Activation or callable, optional
        Of the sum.
    name : str, optional
        Of the sum.

    Examples
    --------
    >>> import numpy as np
    >>> from neuralstat.layers import Dense, Residual
    >>> import neuralstat as ns
    >>> data = {"y": np.arange(2.0), "x": np.ones((2, 3))}
    >>> settings = {"algorithm": "adam", "epochs": 0, "random_state": 1}
    >>> fit = ns.neuralnet("y ~ x", data, layers=[Residual([Dense(3, "relu")])], **settings)
    >>> fit.layer_table[["output_shape", "params"]]
            output_shape  params
    layer
    dense           (3,)      12
    add             (3,)       0
    dense_1         (1,)       4
    """

    layers: Any
    shortcut: Any = None
    activation: Any = None
    name: str | None = None


@dataclass(frozen=True, init=False)
class Branches:
    """Chains of layers that read the same, joined.

    Parameters
    ----------
    *chains : sequences of layers
        An empty one passes the input on.
    merge : {"concatenate", "add", "average"}
    name : str, optional
        Of what joins them.

    Examples
    --------
    >>> import numpy as np
    >>> from neuralstat.layers import Branches, Dense
    >>> import neuralstat as ns
    >>> data = {"y": np.arange(2.0), "x": np.ones((2, 3))}
    >>> settings = {"algorithm": "adam", "epochs": 0, "random_state": 1}
    >>> fit = ns.neuralnet("y ~ x", data, layers=[Branches([Dense(2)], [Dense(4, "relu")])], **settings)
    >>> fit.layer_table[["output_shape", "params"]]
                output_shape  params
    layer
    dense               (2,)       8
    dense_1             (4,)      16
    concatenate         (6,)       0
    dense_2             (1,)       7
    """

    chains: tuple[Any, ...]
    merge: str
    name: str | None
    activation: Any

    def __init__(self, *chains: Any, merge: str = "concatenate", name: str | None = None, activation: Any = None) -> None:
        if len(chains) < 2:
            raise ArgumentError(f"Branches needs two or more sequences of layers, got {len(chains)}.")
        merge, name = Choice(*MERGES).check(merge, "merge"), NAME.check(name, "name")
        chains = tuple(_CHAIN.check(chain, f"chains[{k}]") for k, chain in enumerate(chains))
        for field, value in (("chains", chains), ("merge", merge), ("name", name), ("activation", activation)):
            object.__setattr__(self, field, value)


JOINS = {"concatenate": Concatenate, "add": Add, "average": Average}
MERGING = (Add, Average, Concatenate, Subtract)


@dataclass(frozen=True)
class Graph(Sequence[Any]):
    """Layers, and what each of them reads.

    Attributes
    ----------
    layers : tuple of layers
        Each after those that it reads; the last one is the output.
    wires : tuple of tuples of int
        For each the layers that it reads, by number; -1, -2, ... for the inputs.
    inputs : tuple of InputLayer
    """

    layers: tuple[Any, ...]
    wires: tuple[tuple[int, ...], ...]
    inputs: tuple[InputLayer, ...] = (InputLayer(),)

    def __len__(self) -> int:
        return len(self.layers)

    def __getitem__(self, k: Any) -> Any:
        return self.layers[k]

    def __iter__(self) -> Iterator[Any]:
        return iter(self.layers)

    @classmethod
    def of(cls, end: Node) -> Graph:
        """What leads to a node.

        Raises
        ------
        ArgumentError
            Where a layer was called twice, whose weights would be shared.
        """
        numbers: dict[int, int] = {}
        layers: list[Any] = []
        wires: list[tuple[int, ...]] = []
        inputs: list[InputLayer] = []
        called: dict[int, Any] = {}
        stack = [(end, False)]
        while stack:
            node, ready = stack.pop()
            if id(node) in numbers:
                continue
            if not ready:
                stack.append((node, True))
                stack += [(child, False) for child in reversed(node.inputs)]
                continue
            if isinstance(node.layer, InputLayer):
                inputs.append(node.layer)
                numbers[id(node)] = -len(inputs)
                continue
            if id(node.layer) in called:
                raise ArgumentError(
                    f"layers: one {type(node.layer).__name__} is called twice: its weights would be shared; make two layers."
                )
            called[id(node.layer)] = node.layer
            wires.append(tuple(numbers[id(child)] for child in node.inputs))
            layers.append(node.layer)
            numbers[id(node)] = len(layers) - 1
        if not layers:
            raise ArgumentError("layers: an input without a layer.")
        return cls(tuple(layers), tuple(wires), tuple(inputs))
