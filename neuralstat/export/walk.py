"""A network for other programs: its inputs by name, and its table row by row.

A writer of a format knows what a row of the table means there. Which tensor holds which units, in which order rows come, and
what becomes of the last units, is here. Ranges of the buffer's rows are tensors (observations, units): `Buffer` finds them.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from itertools import pairwise
from typing import Any

import numpy as np

from ..errors import ArgumentError, DataError
from ..fitted import Fitted
from ..functions.activations import ACTIVATIONS, COUPLED, IDENTITY
from ..inference.predict import inputs as encoded
from ..layers import codes
from ..layers.attention import HEADS, KEYS, QUERY_MASK
from ..layers.keras_weights import by_row
from ..layers.merge import INNER, INPUTS
from ..network.network import Network
from .buffer import Buffer, Writer

NAMES = {
    codes.DENSE: "Dense", codes.CONV2D: "convolution", codes.LSTM: "LSTM", codes.POOL: "pooling",
    codes.SIMPLE_RNN: "SimpleRNN", codes.GRU: "GRU", codes.EMBEDDING: "Embedding", codes.BATCH_NORM: "BatchNorm",
    codes.DROPOUT: "Dropout", codes.COPY: "Activation", codes.LAYER_NORM: "LayerNormalization",
    codes.DEPTHWISE: "depthwise convolution", codes.PRELU: "PReLU", codes.NOISE: "noise",
    codes.MERGE: "a layer that joins", codes.ATTENTION: "attention", codes.POSITION: "PositionEmbedding",
}  # fmt: skip
ACTIVATED = (codes.DENSE, codes.CONV2D, codes.COPY, codes.DEPTHWISE)  # as `engine.chain.forward` has it
OFFSET = "offset"
OUTPUT = "y"  # of ONNX models


@dataclass(frozen=True)
class Input:
    """Inputs that other programs are given as one tensor.

    Attributes
    ----------
    name : str
    start, stop : int
        Rows of the buffer, which are rows of the design's `x`.
    shape : tuple of int
        Of one observation.
    columns : tuple of str
        Names of the design's columns.
    codes : bool
        Whether they are numbers of levels or words: whole, from 0.
    """

    name: str
    start: int
    stop: int
    shape: tuple[int, ...]
    columns: tuple[str, ...]
    codes: bool = False


def plain_name(text: str) -> str:
    """A name of letters, digits and underscores."""
    return re.sub(r"\W+", "_", text, flags=re.ASCII).strip("_") or "x"


def inputs_of(fitted: Fitted) -> list[Input]:
    """The inputs of a fit, those of its offset left out.

    One tensor "x" for a table; of towers, and of a table beside an array, one for each. Those that would be called as the
    offset or the output are have a number behind their name.
    """
    network = fitted.network
    ranges: list[tuple[str, int, int, tuple[int, ...], bool]] = []
    total = len(network.input_names)
    for tower in network.towers:
        if tower.numbers:
            ranges.append((tower.name or "x", tower.first, tower.first + tower.numbers, tower.shape, False))
        ranges += [(network.input_names[row], row, row + 1, (1,), True) for row in tower.codes]
    if network.towers:
        if network.direct:
            ranges.append(("direct", total - network.direct, total, (network.direct,), False))
    elif network.entries and all(entry.strides is None for entry in network.entries):
        for entry in network.entries:
            stop = entry.first + int(np.prod(entry.shape))
            ranges.append((_term(fitted, entry.first, stop), entry.first, stop, tuple(entry.shape),
                           _is_embedded(network, entry.first)))  # fmt: skip
    elif network.entries:  # numbers of several inputs alternate
        ranges.append(("x", 0, total, (total,), False))
    else:
        own = total - network.beside
        of_array = len(network.input_shape) > 1 or network.beside
        name = _term(fitted, 0, own) if of_array else "x"
        ranges.append((name, 0, own, tuple(network.input_shape), _is_embedded(network, 0)))
        if network.beside:
            ranges.append(("x" if name != "x" else "table", own, total, (network.beside,), False))
    found: list[Input] = []
    for text, start, stop, shape, coded in sorted(ranges, key=lambda r: r[1]):
        taken, name = {one.name for one in found} | {OFFSET, OUTPUT}, plain_name(text)
        name = next(n for n in (name, *(f"{name}_{k}" for k in range(1, total + 2))) if n not in taken)
        found.append(Input(name, start, stop, shape, tuple(network.input_names[start:stop]), coded))
    return found


def _term(fitted: Fitted, start: int, stop: int) -> str:
    """The term whose columns these are; "x" where it is none."""
    own = tuple(range(start, stop))
    return next((term for term, rows in fitted.design.terms.items() if tuple(rows) == own), "x")


def _is_embedded(network: Network, first: int) -> bool:
    """Whether inputs are turned into vectors, from buffer row `first` on."""
    reads = network.table[:, codes.SOURCE] == first
    return bool(np.any(reads & (network.table[:, codes.OP] == codes.EMBEDDING)))


def model_inputs(fitted: Fitted, new: Any = None, offset: Any = None) -> dict[str, np.ndarray]:
    """What exported models read: the design's columns of rows of data, in original units, by name of the tensor.

    Parameters
    ----------
    fitted : Fitted
    new : table, array, list or Series, optional
        As in `predict`; None: the rows of the fit.
    offset : array, optional
        As in `predict`.

    Returns
    -------
    dict of str to array
        For each input an array (m, *shape), float64, int64 for codes of levels and words; NaN where values are missing.

    Raises
    ------
    DataError
        Where a row without all its values would need a code; and as `predict`.
    """
    x, off, _, complete = encoded(fitted, new, offset)
    scaling = fitted.design.scaling
    if scaling is not None:
        x = x * scaling.x_sd[:, np.newaxis] + scaling.x_mean[:, np.newaxis]
    made: dict[str, np.ndarray] = {}
    for one in inputs_of(fitted):
        values = np.ascontiguousarray(x[one.start : one.stop].T).reshape(-1, *one.shape)
        if one.codes:
            if not complete.all():
                lacking = int((~complete).sum())
                raise DataError(f"input {one.name!r} has codes, and {lacking} row(s) lack values: leave them out.")
            values = np.rint(values).astype(np.int64)
        made[one.name] = values
    if fitted.network.offset:
        size = response_units(fitted)[0]
        known = np.zeros((len(size), x.shape[1])) if off is None else off[: len(size)]
        made[OFFSET] = np.ascontiguousarray((known * size[: len(known), np.newaxis]).T)
    return made


# the table --------------------------------------------------------------------------------------------------


def outputs(fitted: Fitted, b: int, writer: Writer, given: dict[str, Any]) -> Any:
    """Predictions of repetition b (from 0), written row by row; those of the last units that are predicted.

    Parameters
    ----------
    fitted : Fitted
    b : int
    writer : Writer
    given : dict
        Tensors of the inputs in internal units by name; the offset's in the units of the linear predictor.
    """
    network, response = fitted.network, response_of(fitted)
    theta = fitted.fit.theta[b].astype(float)
    buffer = Buffer(writer, network.width)
    for one in inputs_of(fitted):
        buffer.write(np.arange(one.start, one.stop), given[one.name])
    shared: dict[tuple[int, int], dict[str, np.ndarray]] = {}  # of rows that are one layer at several times
    arrays, constants, names = by_row(network, implied=True), network._built["constants"], row_names(network)
    layers, last = network.applied_layers, len(network.table) - 1
    size, shift = response_units(fitted)
    moved = bool(np.any(size != 1) or np.any(shift != 0))
    linear = response.activation == "identity" and response.link is None and network.table[last, codes.ACT] == IDENTITY
    if moved and not linear:  # responses are scaled where their link is the identity only
        raise ArgumentError("a scaled response with a link cannot be exported: fit with standardize=False.")
    y: Any = None
    for k, row in enumerate(network.table):
        op, name = int(row[codes.OP]), names[k]
        if op == codes.MOVE:
            buffer.move(row)
            continue
        layer = layers[k]
        if op not in NAMES:
            raise ArgumentError(f"{type(layer).__name__} (layer {name!r}) cannot be exported yet.")
        if row[codes.MASK] >= 0 or (op == codes.ATTENTION and row[QUERY_MASK] >= 0):
            raise ArgumentError(f"{type(layer).__name__} (layer {name!r}): masked sequences cannot be exported yet.")
        own = arrays[k] or shared.get((op, int(row[codes.PARAM])), {})
        shared.setdefault((op, int(row[codes.PARAM])), own)
        values = {array: theta[at] for array, at in own.items()}
        if k == last:
            values = {array: np.ascontiguousarray(part[..., : response.kept]) for array, part in values.items()}
            if linear:  # its weights bring predictions to the units of the response
                values = {"kernel": values["kernel"] * size, "bias": values["bias"] * size + shift}
        if op in (codes.MERGE, codes.ATTENTION):
            y = writer.merge(name, layer, row, [buffer.read(part) for part in parts_of(row)])
        else:
            x = buffer.read(np.arange(row[codes.SOURCE], row[codes.SOURCE] + row[codes.N_IN]))
            y = writer.layer(name, layer, row, float(constants[k]), values, x)
        if row[codes.OFFSET] >= 0 and OFFSET in given:
            y = writer.plus(y, given[OFFSET])
        if op in ACTIVATED:
            kind = activation_name(int(row[codes.ACT]), name)
            if kind in COUPLED:  # over units that lie together
                units, count = int(row[codes.FILTERS] or row[codes.N_OUT]), int(row[codes.N_OUT])
                y = writer.shaped(y, (units,) if units == count else (count // units, units))
            y = y if kind == "identity" else writer.activation(name, kind, float(constants[k]), y)
        if k < last:
            buffer.write(np.arange(row[codes.TARGET], row[codes.TARGET] + row[codes.N_OUT]), y)
    if response.link is not None:
        y = writer.inverse_link(response.link, y)
    elif response.activation != "identity":
        y = writer.activation("response", response.activation, response.parameter, y)
    return y


def parts_of(row: np.ndarray) -> list[np.ndarray]:
    """Buffer rows of each input of a row of the table that joins several."""
    if row[codes.OP] == codes.ATTENTION:
        heads, each = int(row[HEADS]), int(row[codes.FEATURES])
        sizes = [row[codes.TIMES] * heads * each, row[KEYS] * heads * each, row[KEYS] * heads * row[codes.UNITS]]
    elif row[codes.KIND] == INNER:
        sizes = [row[codes.COLS] * row[codes.ROWS] * row[codes.CHANNELS],
                 row[codes.COLS] * row[codes.OUT_ROWS] * row[codes.OUT_COLS]]  # fmt: skip
    else:
        sizes = [row[codes.N_OUT]] * int(row[INPUTS])
    ends = int(row[codes.SOURCE]) + np.cumsum([0, *map(int, sizes)])
    return [np.arange(first, end) for first, end in pairwise(ends)]


def row_names(network: Network) -> list[str]:
    """Name of the layer of each row of the table."""
    names = [""] * len(network.table)
    for name, layer, place in zip(network.layer_names, network.layers, network.places, strict=True):
        if place[0] >= 0 and network.table_layers[place[0]] is layer:
            names[place[0]] = name
    return [name or type(layer).__name__ for name, layer in zip(names, network.table_layers, strict=True)]


def activation_name(code: int, layer: str) -> str:
    """Entry of `ACTIVATIONS`."""
    for name, kind in ACTIVATIONS.items():
        if kind.code == code:
            return name
    raise ArgumentError(f"layer {layer!r} has an activation of your own, which cannot be exported: use one of "
                        f"{', '.join(ACTIVATIONS)}.")  # fmt: skip


# from the last units to predictions --------------------------------------------------------------------------


def response_units(fitted: Fitted) -> tuple[np.ndarray, np.ndarray]:
    """Scale and shift of the predicted columns, which bring means to the units of the response."""
    scaling, kept = fitted.design.scaling, response_of(fitted).kept
    objective = fitted.network.objective
    if scaling is None or (objective.several and not objective.family.located):
        return np.ones(kept), np.zeros(kept)
    return np.asarray(scaling.y_sd, float)[:kept], np.asarray(scaling.y_mean, float)[:kept]


@dataclass(frozen=True)
class Response:
    """How predictions come from the last units.

    Attributes
    ----------
    kept : int
        The first of the last units, which are predicted.
    activation : str
        Entry of `ACTIVATIONS`; "identity" where there is a link.
    parameter : float
    link : Link or None
        Whose inverse makes means.
    """

    kept: int
    activation: str = "identity"
    parameter: float = 0.0
    link: Any = None


def response_of(fitted: Fitted) -> Response:
    """What `predict` does to the last units.

    Raises
    ------
    ArgumentError
        Where means of the distribution are no function of one parameter.
    """
    network = fitted.network
    objective, k = network.objective, network.n_outputs
    if objective.several:
        return _of_distribution(fitted)
    if not objective.of_predictor:
        return Response(k)
    if objective.output.link is not None:
        return Response(k, link=_named(objective.output.link))
    return Response(k, activation_name(objective.output.code, "output"), objective.output.parameter)


def _of_distribution(fitted: Fitted) -> Response:
    """Means that are the first parameters: whether they are is seen from numbers."""
    family, k = fitted.network.objective.family, fitted.network.n_outputs
    kept = int(family.responses) if family.joint else 1
    eta = -np.random.default_rng(1).uniform(0.1, 0.9, (k, 16))
    first = np.asarray(family.link.inverse(eta[:kept]))
    with np.errstate(all="ignore"):
        means = np.asarray(family.response(eta))
    if means.shape == first.shape and np.array_equal(means, first):
        return Response(kept, link=_named(family.link))
    raise ArgumentError(f"family {family.name!r}: means of this distribution are no function of one linear predictor, and "
                        "cannot be exported.")  # fmt: skip


def _named(link: Any) -> Any:
    """None for the identity."""
    return None if link.name == "identity" else link


def output_names(fitted: Fitted) -> list[str]:
    """Names of the predicted columns, as `predict` has them."""
    kept, names = response_of(fitted).kept, list(fitted.design.y_names)
    return [fitted.design.response] if kept == 1 and len(names) != 1 and fitted.network.objective.several else names[:kept]
