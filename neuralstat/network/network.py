"""Network: layers become a table and one flat parameter vector.

The flat order of the weights is R's ``unlist(weights)``: layer by layer, unit by unit, bias first.
"""

from __future__ import annotations

import math
import re
from collections.abc import Sequence
from dataclasses import dataclass, field, fields
from functools import cached_property
from typing import Any

import numpy as np

from ..checks import check_size, shown
from ..engine.cpu import BLOCK, PAD, Net
from ..errors import ArgumentError, DataError
from ..functions.activations import ACTIVATIONS
from ..functions.activations import COMMON as COMMON_ACTIVATIONS
from ..functions.activations import CUSTOM as CUSTOM_ACTIVATION
from ..functions.losses import COMMON as COMMON_LOSSES
from ..functions.losses import CUSTOM as CUSTOM_LOSS
from ..functions.losses import FAMILY as FAMILY_LOSS
from ..functions.losses import LOSSES
from ..functions.penalties import COLUMNS
from ..layers import Dense, codes
from ..layers.composite import applied
from .names import by_array, layer_names, tower_names
from .objective import ActivationSpec, Objective
from .rows import LEAST_BLOCK, placed
from .table import Entry, Tower, chain, side_by_side, tower_topology, wired
from .upstream import drops, resets

MOST_UNITS = 2**21  # units times observations of a pass, where layers are not all dense
TWO_VECTORS, MORE_UNITS = 32, 5 * 2**21  # a pass of two vectors of float32 is a fourth faster than of one: up to these units


@dataclass(frozen=True)
class Network:
    """A feed-forward chain of layers, without its weights.

    Parameters
    ----------
    layers : sequence of layers
        Hidden layers and the output layer (Dense with identity; its activation comes from `objective`).
    input_shape : tuple of int
        Of one observation (of its array, where tabular inputs stand beside it).
    objective : Objective
    input_names, output_names : sequence of str
        Names of the D inputs and K outputs.
    offset : bool
        Whether a known part of the linear predictor is added.
    beside : int
        Tabular inputs that pass by the layers before the first Dense layer, and enter there.
    skip : bool
        Whether the output layer of a chain of Dense layers reads the inputs, too: first these, then the last hidden units.
    towers : tuple of Tower
        Chains side by side, whose layers stand one after the other in `layers`; empty for one chain.
    direct : int
        Inputs, the last ones, that the output layer reads before the towers' last units.
    wires : tuple of tuples of int
        What each layer reads: layers by number, or -1, -2, ... for `entries`; empty for a chain, and for towers.
    entries : tuple of Entry
        Where the inputs of a graph lie.

    Notes
    -----
    A layer reads neighbouring rows of the buffers. With tabular inputs beside an array the inputs are the array's, then
    the tabular ones; the layer before the first Dense one writes the rows right after them, so that the Dense layer reads
    tabular inputs and units side by side: its kernel's first rows belong to the tabular inputs. Where no layer stands
    before it, it reads the inputs as they are, the array's first.
    """

    layers: tuple[Any, ...]
    input_shape: tuple[int, ...]
    objective: Objective
    input_names: tuple[str, ...]
    output_names: tuple[str, ...]
    offset: bool = False
    beside: int = 0
    skip: bool = False
    towers: tuple[Tower, ...] = ()
    direct: int = 0
    wires: tuple[tuple[int, ...], ...] = ()
    entries: tuple[Entry, ...] = ()
    _built: dict[str, Any] = field(default_factory=dict, init=False, repr=False, compare=False)

    def __post_init__(self) -> None:
        if self.towers:
            made = side_by_side(self, self.towers, self.direct)
        elif self.wires:
            made = wired(self, self.wires, self._entries)
        else:
            made = chain(self, *self._join(tuple(self.input_shape)))
        self._built.update(made)

    def __reduce__(self) -> tuple[Any, ...]:
        """Pickled by its layers: the table holds addresses of this process."""
        return Network, tuple(getattr(self, f.name) for f in fields(self) if f.init)

    def _join(self, shape: tuple[int, ...]) -> tuple[int | None, int | None, int]:
        """Layer at which tabular inputs enter, the layer that writes beside them, and its units."""
        if self.skip:
            return None, len(self.layers) - 2, self.layers[-2].units
        if not self.beside:
            return None, None, 0
        before, units = None, 0
        for k, layer in enumerate(self.layers):
            if isinstance(layer, Dense):
                if len(shape) != 1:
                    layer.place(shape)  # its error
                return k, before, units
            place = placed(self, k, shape)
            if place.op is not None:
                before, units = k, math.prod(place.shape)
            shape = place.shape
        raise ArgumentError("layers: tabular inputs beside an array need a Dense layer to enter.")

    @property
    def _entries(self) -> tuple[Entry, ...]:
        """Inputs of a graph."""
        return self.entries or (Entry(0, tuple(self.input_shape)),)

    @cached_property
    def layer_names(self) -> tuple[str, ...]:
        """Name of every layer: its own, or as Keras counts, ``"conv2d"``, ``"conv2d_1"``, ``"dense"``."""
        if not self.towers:
            return layer_names(self.layers, [len(entry.shape) for entry in self._entries], self.wires)
        found: list[str] = []
        for tower in self.towers:
            wires, before = tower.wires, tower.count - len(tower.wires)
            if wires:  # behind embeddings, which a chain of their own makes
                wires = (*((k - 1,) for k in range(before)),
                         *(tuple(r + before if r >= 0 else before - 1 for r in reads) for reads in wires))
            own = layer_names(self.layers[len(found) : len(found) + tower.count], [len(tower.shape)], wires)
            found += [f"{tower.name}/{name}" if tower.name else name for name in own]
        return (*found, "output")

    @property
    def places(self) -> tuple[tuple[int, int, tuple[int, ...]], ...]:
        """Of every layer: its row of the table (or that of the layer whose units it shows), first buffer row, shape."""
        return self._built["places"]

    @property
    def plain(self) -> bool:
        """Whether it is a chain of Dense layers, with all inputs at the first."""
        chained = not self.beside and not self.skip and not self.towers and not self.wires
        return chained and all(type(layer) is Dense for layer in self.layers)

    @property
    def table(self) -> np.ndarray:
        """(layers, COLUMNS) int64, what kernels see."""
        return self._built["table"]

    @property
    def tower_sizes(self) -> tuple[int, ...]:
        """Units that each tower ends in."""
        return self._built.get("sizes", ())

    @property
    def n_params(self) -> int:
        """P, the length of the flat vector."""
        return self._built["n_params"]

    @property
    def width(self) -> int:
        """Rows of the buffers."""
        return self._built["width"]

    @property
    def shapes(self) -> tuple[tuple[int, int], ...]:
        """Shape of each layer's weight matrix, (1 + inputs per unit, units)."""
        return self._built["shapes"]

    @property
    def n_outputs(self) -> int:
        """K."""
        return len(self.output_names)

    @property
    def dense(self) -> bool:
        """Whether all layers are dense."""
        return bool(np.all(self.table[:, codes.OP] == codes.DENSE))

    @property
    def hidden(self) -> tuple[int, ...]:
        """Units per hidden layer of a dense network."""
        return tuple(int(n) for n in self.table[:-1, codes.N_OUT])

    @property
    def topology(self) -> str:
        """Units per layer, as "1-10-5-15-1"; of towers by name, as "nn(x) 1-5, (1 | g) 18 levels, 2 direct; 1"."""
        if self.towers:
            return tower_topology(self)
        rows = {row: math.prod(shape) for row, _, shape in self.places if row >= 0} if self.wires else {}
        return "-".join(str(n) for n in (len(self.input_names), *(rows.values() or self.table[:, codes.N_OUT])))

    def net(self, penalty: np.ndarray | None = None, rows: int = 0) -> Net:
        """The network as kernels see it, with the penalty's coefficients (P, 4), for up to so many observations.

        Where a loss couples observations, all of them are one block.

        Raises
        ------
        TooLargeError
            Where the memory at hand does not hold the units of a block.
        """
        table, objective = self.table, self.objective
        custom = objective.loss == CUSTOM_LOSS or bool(np.any(table[:, codes.ACT] == CUSTOM_ACTIVATION))
        told = objective.family.parameters if objective.loss >= FAMILY_LOSS else np.zeros(2)
        coefficients = np.zeros((0, COLUMNS)) if penalty is None else np.ascontiguousarray(penalty, np.float64)
        coefficients = np.where(self.still[:, np.newaxis], 0.0, coefficients) if len(coefficients) else coefficients
        block = max(self._block, PAD * -(-rows // PAD)) if objective.coupled else self._block
        check_size(self.width * block, f"{self.width:,} units of {block} observations")
        return Net(table, self._built["constants"], self.width, objective.loss, float(objective.parameter),
                   objective.address, coefficients, self._layered, int(custom), int(self._rare),
                   np.ascontiguousarray(told, np.float64), block)  # fmt: skip

    @property
    def _layered(self) -> codes.Layered:
        """Families of layers that the network has beside dense ones."""
        ops = set(self.table[:, codes.OP].tolist())
        families = (codes.IMAGES, codes.RECURRENT, codes.OTHERS, codes.MORE, codes.OF_TRAINING)
        if self.dense:
            return codes.Layered()
        layered = codes.Layered(*(int(bool(ops & set(family))) for family in families))._replace(any=1)
        layered = layered._replace(more=1) if (self.table[:, codes.MASK] >= 0).any() or resets(self.table) else layered
        return layered._replace(training=1) if self.drops else layered

    @property
    def _block(self) -> int:
        """Observations per pass: fewer for wide networks of other layers, whose units are to stay in the cache."""
        block = BLOCK
        while not self.dense and block > LEAST_BLOCK and block * self.width > MOST_UNITS:
            if block == TWO_VECTORS and block * self.width <= MORE_UNITS:
                break
            block //= 2
        return block

    @property
    def _rare(self) -> bool:
        """Whether kernels outside the common set are needed."""
        common = {ACTIVATIONS[name].code for name in COMMON_ACTIVATIONS} | {CUSTOM_ACTIVATION}
        losses = {LOSSES[name].code for name in COMMON_LOSSES} | {CUSTOM_LOSS}
        rare = self.objective.loss not in losses and self.objective.loss < FAMILY_LOSS
        return rare or not set(self.table[:, codes.ACT].tolist()) <= common

    @cached_property
    def names(self) -> tuple[str, ...]:
        """Name of every weight, in flat order.

        R's for chains of dense layers, "Intercept.to.1layhid1", "x.to.1layhid1", ...; by array for other networks,
        "conv2d/kernel[0,0,0,1]".
        """
        if self.towers:
            return tower_names(self)
        if not self.plain and not self.skip:
            return tuple(by_array(self))
        names: list[str] = []
        sources = list(self.input_names)
        last = len(self.shapes) - 1
        for k, (_, units) in enumerate(self.shapes):
            targets = list(self.output_names) if k == last else [f"{k + 1}layhid{u + 1}" for u in range(units)]
            if k == last and self.skip:
                sources = [*self.input_names, *sources]
            names += [f"{source}.to.{target}" for target in targets for source in ("Intercept", *sources)]
            sources = targets
        return tuple(names)

    @cached_property
    def is_bias(self) -> np.ndarray:
        """(P,) bool."""
        flags = np.zeros(self.n_params, bool)
        for part, (_, place) in zip(self.slices, self._built["kinds"], strict=True):
            flags[part].reshape(-1, max(place.per_unit, 1))[:, : place.biases] = True
        return flags

    @cached_property
    def is_moving(self) -> np.ndarray:
        """(P,) bool: moving averages, which follow the batches and not the gradient."""
        flags = np.zeros(self.n_params, bool)
        for part, (_, place) in zip(self.slices, self._built["kinds"], strict=True):
            if place.moving:
                flags[part].reshape(-1, place.per_unit)[:, -place.moving :] = True
        return flags

    @cached_property
    def implied(self) -> tuple[np.ndarray, np.ndarray] | None:
        """Weights (P,) bool that the table has and layers do not, and the values (P,) they are held at; None for none."""
        if not any(place.implied for _, place in self._built["kinds"]):
            return None
        held, values = np.zeros(self.n_params, bool), np.zeros(self.n_params)
        for part, (_, place) in zip(self.slices, self._built["kinds"], strict=True):
            for at, value in place.implied:
                held[part].reshape(-1, place.per_unit)[:, at] = True
                values[part].reshape(-1, place.per_unit)[:, at] = value
        return held, values

    @cached_property
    def still(self) -> np.ndarray:
        """(P,) bool: what no gradient moves, moving averages and implied weights."""
        return self.is_moving if self.implied is None else self.is_moving | self.implied[0]

    @property
    def coupled(self) -> bool:
        """Whether in training an observation's output depends on the others of its batch."""
        return bool(np.any(self.table[:, codes.OP] == codes.BATCH_NORM))

    @property
    def drops(self) -> bool:
        """Whether layers drop something inside of them in training: inputs, states, scores."""
        return any(map(drops, self.table))

    @property
    def as_in_keras(self) -> float:
        """What Keras' loss of a row is of the error here; see `Objective.as_in_keras`."""
        return self.objective.as_in_keras(self.n_outputs)

    @property
    def slices(self) -> tuple[slice, ...]:
        """Where the weights of each row of the table lie in the flat vector."""
        return self._built["slices"]

    @property
    def table_layers(self) -> tuple[Any, ...]:
        """The layer of each row of the table, as users write it."""
        return tuple(layer for layer, _ in self._built["kinds"])

    @property
    def applied_layers(self) -> tuple[Any, ...]:
        """The layer that each row of the table applies, whose arguments hold for it: inside `TimeDistributed` that one."""
        return tuple(applied(layer) for layer in self.table_layers)

    def matrices(self, theta: np.ndarray) -> list[np.ndarray]:
        """Split a flat vector (P,) into matrices (1 + inputs, units), bias first."""
        return [
            np.asarray(theta)[part].reshape(units, per_unit).T.copy()
            for part, (per_unit, units) in zip(self._built["slices"], self.shapes, strict=True)
        ]

    def flatten(self, matrices: Sequence[np.ndarray], argument: str = "startweights") -> np.ndarray:
        """Join matrices as `matrices` gives them into a flat vector (P,).

        Raises
        ------
        ArgumentError
            Where number or shapes do not fit.
        """
        if len(matrices) != len(self.shapes):
            raise ArgumentError(
                f"{argument}: {len(matrices)} weight matrices given, the network has {len(self.shapes)}."
            )
        parts = []
        for k, (matrix, shape) in enumerate(zip(matrices, self.shapes, strict=True)):
            try:
                array = np.asarray(matrix, dtype=np.float64)
            except (TypeError, ValueError, OverflowError) as error:
                raise ArgumentError(f"{argument}: matrix {k + 1} must be numbers, got {shown(matrix)}.") from error
            if array.shape != shape:
                raise ArgumentError(f"{argument}: matrix {k + 1} has shape {array.shape}, expected {shape}.")
            parts.append(array.T.ravel())
        return np.concatenate(parts)


def dense_network(
    n_inputs: int,
    hidden: Sequence[int],
    activations: Sequence[ActivationSpec],
    objective: Objective,
    input_names: Sequence[str],
    output_names: Sequence[str],
    offset: bool = False,
    skip: bool = False,
) -> Network:
    """A chain of dense layers: `hidden` units each with its activation, then the outputs.

    Raises
    ------
    DataError
        Where an output has the name of a hidden unit.
    """
    for name in output_names:
        if _is_hidden_unit(name, hidden):
            raise DataError(
                f"response {name!r}: a hidden unit has this name, and its weights could not be told apart; rename it."
            )
    layers = [Dense(int(units), spec) for units, spec in zip(hidden, activations, strict=True)]
    return Network(
        (*layers, Dense(len(output_names))), (n_inputs,), objective, tuple(input_names), tuple(output_names), offset,
        skip=skip and bool(layers),
    )  # fmt: skip


def _is_hidden_unit(name: str, hidden: Sequence[int]) -> bool:
    """Whether a unit of these hidden layers is called so."""
    found = re.fullmatch("([1-9][0-9]{0,9})layhid([1-9][0-9]{0,9})", name)
    return found is not None and int(found[1]) <= len(hidden) and int(found[2]) <= hidden[int(found[1]) - 1]
