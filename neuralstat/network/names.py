"""Names of layers, as Keras gives them; names of weights of towers, as R's neuralnet gives those of networks."""

from __future__ import annotations

import re
from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

import numpy as np

from ..errors import ArgumentError
from ..layers import codes
from ..layers.keras_weights import of_row
from .arrays import array_name, positions

if TYPE_CHECKING:
    from .network import Network

NEW = "(new)"  # level of an embedding for those that were not there
_KERAS_NAMES = {"BatchNorm": "batch_normalization", "MaxPool1D": "max_pooling1d", "MaxPool2D": "max_pooling2d",
                "AvgPool1D": "average_pooling1d", "AvgPool2D": "average_pooling2d",
                "GlobalAvgPool": "global_average_pooling", "GlobalMaxPool": "global_max_pooling"}  # fmt: skip


def base_name(kind: str) -> str:
    """A kind of layer as Keras names layers of it, ``"conv2d"``."""
    return _KERAS_NAMES.get(kind, re.sub(r"(?<=[a-z])(?=[A-Z])|(?<=[A-Z])(?=[A-Z][a-z])", "_", kind).lower())


def _axes_after(layer: Any, axes: int) -> int:
    """Axes of a layer's output for one observation, from those of its input."""
    kind = type(layer).__name__
    if kind == "TimeDistributed":
        return 1 + _axes_after(layer.layer, axes - 1)
    if kind in ("SimpleRNN", "LSTM", "GRU"):
        return 2 if layer.return_sequences else 1
    if kind == "RepeatVector":
        return 2
    if kind in ("Dense", "Flatten", "GlobalAvgPool", "GlobalMaxPool"):
        return 1
    return axes + 1 if kind == "Embedding" else len(layer.target_shape) if kind == "Reshape" else axes


def layer_names(
    layers: Sequence[Any], inputs: Sequence[int] = (3,), wires: Sequence[tuple[int, ...]] = ()
) -> tuple[str, ...]:
    """Names of layers: those given, else the kind with a number from the second on, as Keras gives them.

    Parameters
    ----------
    layers : sequence of layers
    inputs : sequence of int
        Axes of each input, for one observation: global pooling has other names in Keras for sequences and for images.
    wires : sequence of tuples of int, optional
        What each layer reads, see `expand.Flat`; each the one before it where not given.

    Raises
    ------
    ArgumentError
        Where two layers have one name.
    """
    given = [getattr(layer, "name", None) for layer in layers]
    used = {name for name in given if name is not None}
    if len(used) < sum(name is not None for name in given):
        twice = next(name for name in given if name is not None and given.count(name) > 1)
        raise ArgumentError(f"layers: two layers are called {twice!r}.")
    counts: dict[str, int] = {}
    names = []
    after = {-1 - j: axes for j, axes in enumerate(inputs)}  # axes of what comes out of layers
    for k, (layer, name) in enumerate(zip(layers, given, strict=True)):
        axes = after.get(wires[k][0] if wires else k - 1, 3)
        kind = type(layer).__name__
        base = base_name(kind)
        if kind in ("GlobalAvgPool", "GlobalMaxPool"):
            base += f"{axes - 1}d"
        after[k] = _axes_after(layer, axes)
        while name is None:
            number = counts.get(base, 0)
            counts[base] = number + 1
            made = base if number == 0 else f"{base}_{number}"
            name = None if made in used else made
        names.append(name)
    return tuple(names)


def tower_names(network: Network) -> tuple[str, ...]:
    """Names of the weights of towers.

    "x.to.1layhid1" in a tower without a name, "x.to.nn(x).1layhid1" in one with, "(1 | g)[a]" in an embedding (level, then
    coordinate), and at the end "x.to.y", "nn(x).1layhid1.to.y". Weights of towers with other layers are named by array, as
    "nn(image)/conv2d/kernel[0,0,0,1]", their last units "nn(image).1", "nn(image).2".
    """
    table, inputs = network.table, network.input_names
    owners = [tower.name for tower in network.towers for _ in range(tower.count)]
    rows = {k: owner for (k, _, _), owner in zip(network.places, owners, strict=False)}
    plain = _plain_owners(table, rows)
    names = [""] * network.n_params if len(plain) == len(set(rows.values())) else by_array(network)
    units = {k: _inside(name) for k, name in enumerate(inputs[: len(inputs) - network.direct])}
    units |= dict(enumerate(inputs[len(units) :], len(units)))
    named = {at: (*own, NEW) for tower in network.towers for at, own in zip(tower.codes, tower.levels, strict=True)}
    depth: dict[str, int] = {}
    place, last = len(inputs), len(table) - 1
    for k, row in enumerate(table):
        owner, part = rows.get(k, ""), network.slices[k]
        if k < last and owner not in plain:
            continue
        source, target, count = (int(row[column]) for column in (codes.SOURCE, codes.TARGET, codes.N_OUT))
        if row[codes.OP] == codes.COPY:
            units |= {target + u: units[source + u] for u in range(count)}
        elif row[codes.OP] == codes.EMBEDDING:
            size = int(row[codes.FEATURES])
            alone = sum(name == owner for name in rows.values()) == 1
            label = owner if alone and owner else f"{owner}.{units[source]}" if owner else units[source]
            units |= {target + u: label if size == 1 else f"{label}.{u + 1}" for u in range(size)}
            levels = named[source]
            names[part] = [f"{label}[{v}]" if size == 1 else f"{label}[{v},{u + 1}]" for v in levels for u in range(size)]
        else:
            depth[owner] = depth.get(owner, 0) + 1
            prefix = f"{owner}." if owner else ""
            made = [f"{prefix}{depth[owner]}layhid{u + 1}" for u in range(count)] if k < last else list(network.output_names)
            if k == last:
                for tower, size in zip(network.towers, network.tower_sizes, strict=True):
                    units |= {place + u: f"{tower.name}.{u + 1}" for u in range(size) if tower.name not in plain}
                    place += size
            sources = ["Intercept", *(units[source + j] for j in range(int(row[codes.N_IN])))]
            names[part] = [f"{name}.to.{unit}" for unit in made for name in sources]
            units |= {target + u: name for u, name in enumerate(made)}
    return tuple(names)


def _plain_owners(table: Any, rows: dict[int, str]) -> set[str]:
    """Towers of dense layers, after embeddings of codes."""
    known = {codes.DENSE, codes.EMBEDDING, codes.COPY}
    other = {owner for k, owner in rows.items() if k >= 0 and
             (int(table[k, codes.OP]) not in known or (table[k, codes.OP] == codes.EMBEDDING and table[k, codes.N_IN] > 1))}
    return {owner for k, owner in rows.items() if owner not in other}


def by_array(network: Network) -> list[str]:
    """Names of weights by array, "conv2d/kernel[0,0,0,1]"."""
    names = [""] * network.n_params
    for array, at in positions(network, implied=True).items():
        for index, position in np.ndenumerate(at):
            names[position] = f"{array}[{','.join(map(str, index))}]"
    return names


def name_of(network: Network, position: int) -> str:
    """The name of one weight, ``network.names[position]``; those of large networks take long to make all."""
    if network.towers or "names" in vars(network):
        return network.names[position]
    k = next(k for k, part in enumerate(network.slices) if part.start <= position < part.stop)
    at = int(position) - network.slices[k].start
    if not network.plain and not network.skip:
        name, layer = next((name, layer) for name, layer, (row, _, _) in
                           zip(network.layer_names, network.layers, network.places, strict=True) if row == k)  # fmt: skip
        for array, numbers in of_row(network, k).items():
            found = np.argwhere(numbers == at)
            if len(found):
                return f"{array_name(name, layer, array)}[{','.join(map(str, found[0]))}]"
    last, (per_unit, _) = len(network.shapes) - 1, network.shapes[k]
    unit, source = divmod(at, per_unit)
    below = [f"{k}layhid{u + 1}" for u in range(network.shapes[k - 1][1])] if k else []
    sources = ["Intercept", *(network.input_names if k == 0 or (k == last and network.skip) else ()), *below]
    return f"{sources[source]}.to.{network.output_names[unit] if k == last else f'{k + 1}layhid{unit + 1}'}"


def _inside(name: str) -> str:
    """The covariate that an input of a tower is: ``x`` for ``nn(x, z)[x]``, ``embed(g)`` for ``codes(g)``."""
    if name.startswith("codes("):
        return f"embed({name.removeprefix('codes(')}"
    head, bracket, rest = name.partition(")[")
    return rest[:-1] if bracket and head.startswith("nn(") and rest.endswith("]") else name
