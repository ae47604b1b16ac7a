"""Groups of weights whose penalties belong to the terms of a structured formula."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from ..errors import ArgumentError
from . import exact_terms
from .strengths import MOST, Group
from .structured import leading, rows_of, state_of, structured, tower_rows

if TYPE_CHECKING:
    from ..formula import Design
    from ..network.network import Network
    from .procedure import Procedure


def groups_of_terms(procedure: Procedure) -> tuple[Group, ...]:
    """The groups of a structured procedure: those of its smooth and random terms and, unless a penalty is given, of networks.

    Networks that are trained by epochs, or with more than `MOST` other weights, have no decay by default.

    Raises
    ------
    ArgumentError
        Where terms have strengths to be estimated, and the weights are too many.
    """
    network, design, settings = procedure.network, procedure.design, procedure.settings
    found = term_groups(network, design)
    if not structured(design) or exact_terms.possible(network, design, settings):
        return found
    count = int(procedure.masks[1].sum())
    if found and count > MOST:
        said = f"formula: the strength of {found[0].name} is estimated with matrices of all trained weights"
        raise ArgumentError(f"{said}, of which there are {count:,}, more than {MOST:,}: smaller networks, or no such term.")
    decays = settings.penalty is None and not settings.minibatch and count <= MOST
    return (*found, *(tower_groups(network, design, procedure.masks[1]) if decays else ()))


def tower_groups(network: Network, design: Design, trained: np.ndarray) -> tuple[Group, ...]:
    """Weight decay of each network of a formula: of its own weights, and of those from its last units to the output."""
    found: list[Group] = []
    per_unit, units = network.shapes[-1]
    output = np.arange(network.slices[-1].start, network.slices[-1].stop).reshape(units, per_unit)
    kinds = {special.label: special.kind for special in design.spec.specials}
    place = 1 + network.direct
    for tower, rows, count in zip(network.towers, tower_rows(network), network.tower_sizes, strict=True):
        if kinds.get(tower.name) == "network":
            parts = [np.arange(network.slices[k].start, network.slices[k].stop) for k in sorted({k for k in rows if k >= 0})]
            inside = np.concatenate(parts) if parts else np.zeros(0, np.int64)
            for name, at in (("weights", inside), ("output", output[:, place : place + count].ravel())):
                own = at[trained[at] & ~network.is_moving[at]]
                if own.size:
                    found.append(Group(f"{tower.name}:{name}", "decay", own, np.ones(own.size)))
        place += count
    return tuple(found)


def term_groups(network: Network, design: Design) -> tuple[Group, ...]:
    """Groups of weights of smooth and random terms, and of networks: see `strengths.Group`."""
    from ..formula.smooths import penalties

    found: list[Group] = []
    per_unit, units = network.shapes[-1]
    output = np.arange(network.slices[-1].start, network.slices[-1].stop).reshape(units, per_unit)
    first, count = len(design.x) - network.direct if network.towers else 0, leading(network)
    rows = dict(zip((tower.name for tower in network.towers), tower_rows(network), strict=True))
    for special in design.spec.specials:
        for k in range(count):
            said = special.label if count == 1 else f"{special.label}:{network.output_names[k]}"
            if special.kind == "random":
                table = rows[special.label][0]
                per, levels = network.shapes[table]
                index = np.arange(network.slices[table].start, network.slices[table].stop).reshape(levels, per)[:-1, k]
                found.append(Group(said, "random", index, np.ones(index.size)))
            elif special.kind == "slopes":
                state = state_of(design, special.exprs[0])
                at = output[k, 1 + np.array(rows_of(design, special.exprs[0])) - first]
                effects = len(state["rotation"])
                for r in range(effects):
                    name = said if effects == 1 else f"{said}.{r + 1}"
                    found.append(Group(name, "slope", at[r::effects], np.ones(at[r::effects].size)))
            elif special.kind == "smooth":
                at = output[k, 1 + np.array(rows_of(design, special.exprs[0])) - first]
                for name, diagonal in penalties(state_of(design, special.exprs[0])).items():
                    d = np.asarray(diagonal, float)
                    found.append(Group(f"{said}:{name}" if name else said, "smooth", at[d > 0], d[d > 0]))
    return tuple(found)
