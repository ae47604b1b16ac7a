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

from ..checks.arguments import NONE, TEXT, Choice, Several, arguments
from ..errors import ArgumentError
from .base import ACTIVATION, NAME, UNITS, AnyLayer
from .merging import JOINS, MERGING

_CHAIN = Several(AnyLayer(), 0, 1000)


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
    merge : {"concatenate", "add", "average", "multiply", "maximum", "minimum"}
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
        merge, name = Choice(*JOINS).check(merge, "merge"), NAME.check(name, "name")
        chains = tuple(_CHAIN.check(chain, f"chains[{k}]") for k, chain in enumerate(chains))
        for field, value in (("chains", chains), ("merge", merge), ("name", name), ("activation", activation)):
            object.__setattr__(self, field, value)


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
