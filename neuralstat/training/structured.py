"""Networks of structured formulas: towers, inputs that go straight to the output, and the penalties of their terms."""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import replace
from typing import TYPE_CHECKING, Any

import numpy as np

from ..errors import ArgumentError, DataError
from ..formula.expressions import compiled
from ..formula.structure import Special, is_structured, term_of
from ..layers import Activation, Dense, Embedding, Flatten
from ..network.expand import expanded
from ..network.network import Network
from ..network.objective import resolve_activation
from ..network.table import Tower
from .graph_inputs import activated, check_shape

if TYPE_CHECKING:
    from ..formula import Design
    from ..network.objective import Objective
    from .settings import Settings

ALIASED = 1e-7  # part of a column that others leave, from which on it has nothing of its own
UNITS = (5,)  # hidden units of nn() unless told


def structured(design: Design) -> bool:
    """Whether plain terms go straight to the output."""
    return is_structured(design.spec.specials)


def has_towers(design: Design) -> bool:
    """Whether the design's network is more than one chain of layers."""
    return bool(design.spec.specials)


def rows_of(design: Design, expr: str) -> tuple[int, ...]:
    """Rows of x that a factor of a special term makes."""
    return design.terms[term_of(expr)]


def levels_of(design: Design, expr: str) -> list[str]:
    """Names of the levels of a column of codes, or of random slopes."""
    return state_of(design, expr)["names"]


def state_of(design: Design, expr: str) -> dict[str, Any]:
    """What the transform of a special term remembers."""
    return design.spec.matrix.transforms[compiled(expr)[0]]


def coordinates(levels: int) -> int:
    """Coordinates of an embedding by rule: the fourth root of the number of levels, rounded up."""
    return math.ceil(levels**0.25)


def direct_terms(design: Design) -> dict[str, tuple[int, ...]]:
    """Terms whose columns the output layer reads -> their rows of x, in order."""
    indirect: set[str] = set()
    linear: set[str] = set()
    for special in design.spec.specials:
        if special.kind in ("network", "random", "embedding"):
            indirect |= {term_of(expr) for expr in special.exprs}
        else:
            linear |= {term_of(expr) for expr in special.exprs}
    plain = structured(design)
    return {name: rows for name, rows in design.terms.items() if name in linear or (plain and name not in indirect)}


def direct_rows(design: Design) -> np.ndarray:
    """Rows of x that the output layer reads: the last ones.

    Raises
    ------
    DataError
        Where an array per row stands among them.
    """
    rows = np.array(sorted(row for own in direct_terms(design).values() for row in own), dtype=np.int64)
    arrays = sum(tensor.size for tensor in design.spec.tensors)
    if rows.size and rows[0] < arrays:
        name = next(t.name for t in design.spec.tensors if design.terms[t.name][0] in rows)
        said = f"formula: {name!r} holds arrays and cannot be a linear term"
        raise DataError(f"{said}: put it into nn(), as in nn({name}, layers=cnn).")
    return rows


def towered_network(design: Design, settings: Settings, objective: Objective, names: tuple[str, ...]) -> Network:
    """The network of a structured formula: towers side by side, then the output layer.

    Raises
    ------
    ArgumentError, DataError
        Where a term cannot be a tower.
    """
    if design.reads is not None:
        raise ArgumentError("dispformula: formulas of covariates cannot stand beside terms of structured formulas; give True "
                            "or '~ 1'.")  # fmt: skip
    direct = direct_rows(design)
    towers: list[Tower] = []
    layers: list[Any] = []

    def add(tower: Tower, own: list[Any]) -> None:
        towers.append(replace(tower, count=len(own)))
        layers.extend(own)

    if not structured(design):
        add(*_whole(design, settings))
    for special in design.spec.specials:
        if special.kind == "network":
            add(*_network(design, settings, special))
        elif special.kind == "random":
            row = rows_of(design, special.exprs[0])[0]
            count = len(levels_of(design, special.exprs[0])) + 1
            outputs = objective.family.leading if objective.several else len(names)
            levels = (tuple(levels_of(design, special.exprs[0])),)
            add(Tower(special.label, 0, 0, (), (row,), levels), [Embedding(count, outputs), Flatten()])
    return Network(
        (*layers, Dense(len(names))), (len(design.x),), objective, design.x_names, names, design.offset is not None,
        towers=tuple(towers), direct=len(direct),
    )  # fmt: skip


def _chain(hidden: Any, act: Any) -> list[Any]:
    acts = list(act) if isinstance(act, list | tuple) else [act] * len(hidden)
    if len(acts) != len(hidden):
        raise ArgumentError(f"act_fct has {len(acts)} entries, but there are {len(hidden)} hidden layers.")
    return [Dense(int(units), resolve_activation(a)) for units, a in zip(hidden, acts, strict=True)]


def _wired(layers: Any, shape: tuple[int, ...]) -> tuple[list[Any], tuple[tuple[int, ...], ...]]:
    """Layers of a tower, and what each of them reads where they are a graph, which ends in one axis."""
    flat = expanded(layers)
    if len(flat.inputs) > 1:
        raise ArgumentError(f"layers: a network in a formula has one input, this graph has {len(flat.inputs)}.")
    check_shape(flat.inputs[0], shape)
    chain = activated(flat.layers)
    return (chain, ()) if not flat.wires else ([*chain, Flatten()], (*flat.wires, (len(chain) - 1,)))


def _embeddings(design: Design, exprs: tuple[str, ...], dims: Any) -> tuple[list[Any], tuple[int, ...]]:
    """An embedding for each column of codes, with a row for levels that were not there, and the columns' rows of x."""
    made, rows = [], []
    for expr, dim in zip(exprs, dims, strict=True):
        levels = len(levels_of(design, expr))
        made.append(Embedding(levels + 1, coordinates(levels) if dim is None else dim))
        rows.append(rows_of(design, expr)[0])
    return made, tuple(rows)


def _gathered(tower: Tower, embeddings: list[Any], chain: list[Any]) -> list[Any]:
    """Embeddings, a copy of the numbers beside them, and the chain."""
    if not embeddings:
        return chain
    copy = [Activation(resolve_activation("identity"))] if tower.numbers else []
    return [*embeddings, *copy, *([] if tower.numbers else [Flatten()]), *chain]


def _whole(design: Design, settings: Settings) -> tuple[Tower, list[Any]]:
    """The network of all plain terms and embeddings, beside linear terms."""
    special = [s for s in design.spec.specials if s.kind == "embedding"]
    exprs = tuple(s.exprs[0] for s in special)
    embeddings, codes = _embeddings(design, exprs, [s.options["dims"][0] for s in special])
    direct = {row for rows in direct_terms(design).values() for row in rows}
    rows = [row for row in range(len(design.x)) if row not in direct and row not in codes]
    if not rows and not codes:
        raise ArgumentError("formula: linear() stands beside a network of other terms, of which there are none; without a "
                            "network, hidden=0 makes all terms linear.")  # fmt: skip
    shape: tuple[int, ...] = (len(rows),) if rows else ()
    if settings.layers is not None:
        shape = design.input_shape if design.spec.tensors else shape
        if design.spec.tensors and (codes or len(rows) > sum(t.size for t in design.spec.tensors)):
            raise ArgumentError("formula: covariates beside an array and linear terms: write nn(array, layers=...).")
        chain, wires = _wired(settings.layers, shape)
    else:
        chain, wires = _chain(settings.hidden, settings.act_fct), ()
    levels = tuple(tuple(levels_of(design, expr)) for expr in exprs)
    tower = Tower("", 0, rows[0] if rows else 0, shape, codes, levels, wires)
    return tower, _gathered(tower, embeddings, chain)


def _network(design: Design, settings: Settings, special: Special) -> tuple[Tower, list[Any]]:
    """A term nn()."""
    dims = special.options.get("dims", ())
    exprs = special.exprs[len(special.exprs) - len(dims) :] if dims else ()
    embeddings, codes = _embeddings(design, exprs, dims)
    numbers = special.exprs[: len(special.exprs) - len(dims)]
    rows = rows_of(design, numbers[0]) if numbers else ()
    tensor = next((t for t in design.spec.tensors if numbers and t.name == term_of(numbers[0])), None)
    shape: tuple[int, ...] = (len(rows),) if rows else ()
    name = special.options.get("layers")
    if name is not None:
        towers: Mapping[str, Any] = settings.towers or {}
        if name not in towers:
            said = f"formula: {special.label}: there are no layers {name!r}"
            raise ArgumentError(f"{said}; give them as towers={{{name!r}: [...]}}, or in context=.")
        shape = shape if tensor is None else tensor.shape
        chain, wires = _wired(towers[name], shape)
    else:
        hidden = special.options.get("hidden") or (settings.hidden if settings.hidden not in ((1,), (0,), ()) else UNITS)
        chain, wires = _chain(hidden, special.options.get("act") or settings.act_fct), ()
    levels = tuple(tuple(levels_of(design, expr)) for expr in exprs)
    tower = Tower(special.label, 0, rows[0] if rows else 0, shape, codes, levels, wires)
    made = _gathered(tower, embeddings, chain)
    entering = (len(rows) + sum(layer.output_dim for layer in embeddings),) if embeddings else shape
    return tower, made if wires or len(_flat(chain, entering)) == 1 else [*made, Flatten()]


def _flat(chain: list[Any], shape: tuple[int, ...]) -> tuple[int, ...]:
    for layer in chain:
        shape = layer.place(shape).shape
    return shape


def leading(network: Network) -> int:
    """Outputs that the formula is of: all, or the first parameters of a distribution."""
    return network.objective.family.leading if network.objective.several else network.n_outputs


def tower_rows(network: Network) -> list[list[int]]:
    """For each tower the rows of the table of its layers, -1 for layers without one."""
    found, first = [], 0
    for tower in network.towers:
        found.append([network.places[k][0] for k in range(first, first + tower.count)])
        first += tower.count
    return found


def start_at_zero(network: Network, design: Design) -> np.ndarray:
    """(P,) bool: weights that begin at 0: of inputs that go straight to the output, and effects of levels."""
    flags = np.zeros(network.n_params, bool)
    if not has_towers(design):
        return flags
    per_unit, units = network.shapes[-1]
    direct = network.direct if network.towers else per_unit - 1
    flags[network.slices[-1]].reshape(units, per_unit)[:, 1 : 1 + direct] = True
    kinds = {special.label: special.kind for special in design.spec.specials}
    for tower, rows in zip(network.towers, tower_rows(network), strict=True):
        if kinds.get(tower.name) == "random":
            flags[network.slices[rows[0]]] = True
    return flags


def penalisable(network: Network, design: Design) -> np.ndarray:
    """(P,) bool: weights that ``penalty=`` is for; in structured formulas of networks, with those from their last units."""
    if not structured(design):
        return np.ones(network.n_params, bool)
    flags = np.zeros(network.n_params, bool)
    per_unit, units = network.shapes[-1]
    output = flags[network.slices[-1]].reshape(units, per_unit)
    place = 1 + network.direct
    kinds = {special.label: special.kind for special in design.spec.specials}
    for tower, rows, size in zip(network.towers, tower_rows(network), network.tower_sizes, strict=True):
        if kinds.get(tower.name) == "network":
            output[:, place : place + size] = True
            for k in {k for k in rows if k >= 0}:
                flags[network.slices[k]] = True
        place += size
    return flags


def held(network: Network, design: Design) -> tuple[np.ndarray, np.ndarray]:
    """Which weights (P,) of a structured network are in the fit, and the values of the others, original units.

    Rows of embeddings for levels that are not there are 0; effects of levels enter their output as they are, in the internal
    units of the response.
    """
    free, values = np.ones(network.n_params, bool), np.zeros(network.n_params)
    per_unit, units = network.shapes[-1]
    own = free[network.slices[-1]].reshape(units, per_unit)
    at = values[network.slices[-1]].reshape(units, per_unit)
    direct = network.direct if network.towers else per_unit - 1
    place = 1 + direct
    kinds = {special.label: special.kind for special in design.spec.specials}
    scaling, count = design.scaling, leading(network)
    size = np.ones(units) if scaling is None or network.objective.several else scaling.y_sd
    if scaling is not None and network.objective.several:
        size = network.objective.family.joint_units(scaling.y_mean, scaling.y_sd)[0]
    for tower, rows, count_of_units in zip(network.towers, tower_rows(network), network.tower_sizes, strict=True):
        for k in rows[: len(tower.codes)]:
            per, levels = network.shapes[k]
            free[network.slices[k]].reshape(levels, per)[-1] = False
        if kinds.get(tower.name) == "random":
            own[:, place : place + count] = False
            at[np.arange(count), place + np.arange(count)] = size[:count]
            place += count
        else:
            place += count_of_units
    own[count:, 1 : 1 + direct] = False
    own[:, 1 + np.array(aliased(design), int) - (len(design.x) - direct)] = False
    return free, values


def aliased(design: Design) -> list[int]:
    """Rows of x that go straight to the output, are not penalised, and say what such rows before them say.

    As the line of ``s(x)`` beside ``x``, or beside ``s(x, by=g)``.
    """
    from ..formula.smooths import penalties

    rows: list[int] = []
    smooth = {term_of(s.exprs[0]): s for s in design.spec.specials if s.kind == "smooth"}
    slopes = {term_of(s.exprs[0]) for s in design.spec.specials if s.kind == "slopes"}
    for term, own in direct_terms(design).items():
        if term in smooth:
            total = sum(np.asarray(d, float) for d in penalties(state_of(design, smooth[term].exprs[0])).values())
            rows += [row for row, d in zip(own, np.atleast_1d(total), strict=True) if d == 0]
        elif term not in slopes:
            rows += own
    basis = np.ones((1, design.x.shape[1])) / np.sqrt(max(design.x.shape[1], 1))
    found = []
    for row in rows:
        left = design.x[row] - 0.0
        size = np.linalg.norm(left)
        for _ in range(2):  # once more for what rounding leaves
            left = left - (basis @ left) @ basis
        rest = np.linalg.norm(left)
        if rest <= ALIASED * size:
            found.append(row)
        else:
            basis = np.vstack([basis, left / rest])
    return found


def with_mean_rows(network: Network, design: Design, theta: np.ndarray) -> np.ndarray:
    """Weights (B, P) in which new levels have the mean of the others' coordinates; their effects stay 0."""
    if not network.towers:
        return theta
    kinds = {special.label: special.kind for special in design.spec.specials}
    theta = theta.copy()
    for tower, rows in zip(network.towers, tower_rows(network), strict=True):
        for k in rows[: len(tower.codes)] if kinds.get(tower.name) != "random" else ():
            per, levels = network.shapes[k]
            own = theta[:, network.slices[k]].reshape(-1, levels, per)
            own[:, -1] = own[:, :-1].mean(axis=1)
            theta[:, network.slices[k]] = own.reshape(len(theta), -1)
    return theta
