"""Groups of weights whose gaussian penalties have strengths that are estimated, and the penalty at given strengths.

Group g of weights w adds ``lam_g / 2 * sum_j d_gj w_j^2`` to the error, d known: weight decay, smooth terms and random
effects alike. `fellner_schall` estimates lam.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np

from ..engine import cpu
from ..engine.data import make_data
from ..errors import ArgumentError
from ..functions.penalties import COLUMNS, DECAY, SCALE
from ..layers import codes
from ..network.arrays import positions
from ..network.penalties import term_weights
from .stack import of_networks
from .structured import penalisable

if TYPE_CHECKING:
    from ..network.network import Network
    from ..network.penalties import Part
    from .procedure import Procedure

MOST = 2000  # trained weights: matrices of their size are factorised in every round
NOT_SHRUNK = ("gamma", "alpha", "scale")  # arrays whose neutral value is not 0


@dataclass(frozen=True, eq=False)
class Group:
    """Weights whose penalties share a strength.

    Attributes
    ----------
    name : str
    kind : {"decay", "smooth", "random", "slope"}
    index : (q,) int array
        Positions in the flat vector. A weight may be in several groups.
    diagonal : (q,) array
        d >= 0: what the strength is multiplied by for each.
    """

    name: str
    kind: str
    index: np.ndarray
    diagonal: np.ndarray


def groups_of(procedure: Procedure) -> tuple[Group, ...]:
    """The groups of a procedure whose strengths are estimated; none where nothing is.

    Raises
    ------
    ArgumentError
        Where the network has no such groups, or its weights are too many.
    """
    penalty = procedure.settings.penalty
    part = None if penalty is None else penalty.estimated
    if part is None:
        return ()
    count = int(procedure.masks[1].sum())
    if count > MOST:
        raise ArgumentError(f"penalty: decay('estimate') factorises matrices of the trained weights, at most {MOST:,} "
                            f"of them; the network has {count:,}. Give a strength, or let select() choose one.")  # fmt: skip
    return decay_groups(procedure, part)


def decay_groups(procedure: Procedure, part: Part) -> tuple[Group, ...]:
    """The groups of an estimated weight decay: those of its trained weights that it penalises."""
    network = procedure.network
    used = procedure.masks[1] & _shrinks(network, part.biases) & penalisable(network, procedure.design)
    found = {
        "layer": _by_layer, "unit": _by_unit, "input": lambda n: _by_column(n, _columns(n)),
        "term": lambda n: _by_column(n, procedure.design.terms),
    }[part.estimate or "layer"](network)  # fmt: skip
    out = []
    for name, at in found:
        own = at[used[at]]
        if own.size:
            out.append(Group(name, "decay", own, np.ones(own.size)))
    if not out:
        raise ArgumentError("penalty: decay('estimate') has no weights to penalise: exclude, freeze or biases leave none.")
    return tuple(out)


def _shrinks(network: Network, biases: bool | None) -> np.ndarray:
    """(P,) bool: weights that a decay whose strength is estimated penalises; see `network.penalties.decay`."""
    held = network.is_moving.copy()
    for name, at in positions(network).items():
        if name.rpartition("/")[2] in NOT_SHRUNK:
            held[at] = True
    last = np.zeros(network.n_params, bool)
    last[network.slices[-1]] = True
    if biases is not True:
        held |= network.is_bias & (last if biases is None else True)
    return ~held


def _layers(network: Network) -> list[tuple[str, np.ndarray]]:
    """Name and positions of each row of the table that has weights; "output" is the last."""
    names: dict[int, str] = {}
    for name, (k, _, _) in zip(network.layer_names, network.places, strict=True):
        names.setdefault(k, name)  # later ones only show its units
    chain = network.plain or network.skip
    out = []
    for k, part in enumerate(network.slices):
        if part.stop > part.start:
            name = "output" if k == len(network.slices) - 1 else f"{k + 1}layhid" if chain else names[k]
            out.append((name, np.arange(part.start, part.stop)))
    return out


def _by_layer(network: Network) -> Iterator[tuple[str, np.ndarray]]:
    """One group a layer; the inputs that an output layer reads beside hidden units have their own."""
    for name, at in _layers(network):
        if name == "output" and network.skip:
            per, units = network.shapes[-1]
            block, direct = at.reshape(units, per), 1 + len(network.input_names)
            yield "direct", block[:, 1:direct].ravel()
            yield name, np.concatenate([block[:, :1].ravel(), block[:, direct:].ravel()])
        else:
            yield name, at


def _by_unit(network: Network) -> Iterator[tuple[str, np.ndarray]]:
    """One group for the weights into each unit of a dense layer, one for each other layer."""
    dense = {name: row[codes.OP] == codes.DENSE for (name, _), row in zip(_layers(network), _weighted(network), strict=True)}
    shapes = iter([shape for shape, part in zip(network.shapes, network.slices, strict=True) if part.stop > part.start])
    for name, at in _layers(network):
        per, units = next(shapes)
        if not dense[name]:
            yield name, at
            continue
        for u, own in enumerate(at.reshape(units, per)):
            yield (network.output_names[u] if name == "output" else f"{name}{u + 1}"), own


def _weighted(network: Network) -> np.ndarray:
    """Rows of the table that have weights."""
    return network.table[[part.stop > part.start for part in network.slices]]


def _columns(network: Network) -> dict[str, tuple[int, ...]]:
    return {name: (k,) for k, name in enumerate(network.input_names)}


def _by_column(network: Network, columns: Mapping[str, Sequence[int]]) -> Iterator[tuple[str, np.ndarray]]:
    """One group for the weights of some columns in the first layer, one for its biases, one for each further layer."""
    try:
        own = term_weights(network, columns)
    except ArgumentError:
        raise ArgumentError("penalty: decay('estimate', groups='term' or 'input') needs a dense first layer.") from None
    yield from own.items()
    (name, first), *further = _by_layer(network)
    if name == "direct":  # no hidden layer before it
        further = [(name, first), *further]
    else:
        rest = np.setdiff1d(first, np.concatenate(list(own.values())) if own else [])
        yield f"biases of {name}", rest.astype(np.int64)
    yield from further


def penalties_at(procedure: Procedure, strengths: np.ndarray) -> np.ndarray:
    """(B, P, 4) penalties of a procedure at strengths (B, G), with what is fixed of it."""
    base = procedure.penalty
    if base is None:
        base = np.zeros((procedure.network.n_params, COLUMNS))
        base[:, SCALE] = 1.0
    out = np.repeat(base[np.newaxis], len(strengths), axis=0)
    for g, group in enumerate(procedure.groups):
        out[:, group.index, DECAY] += strengths[:, g, np.newaxis] * group.diagonal  # a group has a weight once
    return out


def observations_of(procedure: Procedure, data: cpu.Data, k: int, size: int) -> tuple[cpu.Data, float]:
    """The observations that network k of a stack of `size` sees, and how many values they stand for."""
    one = of_networks(data, np.array([k]), size)
    design = procedure.design
    often = design.frequencies if data.x.shape[1] == design.x.shape[1] else None
    at: Any = slice(None)
    if one.rows.shape[1]:
        at = one.rows[0][: one.count[0]] if one.count.size else one.rows[0]
        one = make_data(
            np.ascontiguousarray(one.x[:, at]), np.ascontiguousarray(one.y[0][:, at]),
            None if one.weight.size == 0 else one.weight[0][at],
            None if one.offset.size == 0 else np.ascontiguousarray(one.offset[:, at]),
        )  # fmt: skip
    number = np.ones(one.x.shape[1]) if often is None else often[at]
    if one.weight.size:
        number = np.where(one.weight[0] > 0, number, 0.0)
    outputs = 1 if procedure.network.objective.several else one.y.shape[1]
    return one, float(number.sum()) * outputs
