"""Groups of weights whose penalties belong to the terms of a structured formula."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from .strengths import Group
from .structured import leading, rows_of, state_of, tower_rows

if TYPE_CHECKING:
    from ..formula import Design
    from ..network.network import Network


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
