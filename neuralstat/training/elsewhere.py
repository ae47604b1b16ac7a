"""Fits of rows on a cluster: what they can be, and their objective."""

from __future__ import annotations

import threading
from collections.abc import Collection, Mapping
from typing import TYPE_CHECKING, Any

import numpy as np

from ..cluster import ClusterDesign, Objective
from ..engine.data import make_data
from ..errors import ArgumentError
from ..families import Distributional, Survival
from ..formula.parse import split_sides
from ..formula.structure import rewritten

if TYPE_CHECKING:
    from ..engine import cpu
    from ..formula import Design
    from ..network.network import Network
    from .settings import Settings

HERE = "give ns.chunks(data), which is read to this machine, part by part"
ONE_FUNCTION = (
    "steps along one minibatch after another, while partitions on several machines are worked on at the same time; epochs on "
    "each and a mean of the weights would be another algorithm, with other results. Use 'lbfgs', 'rprop+' or 'lm'; or, for "
    f"passes over all partitions in their order, {HERE}."
)


def check_settings(settings: Settings) -> None:
    """Refuse what a fit of a Dask DataFrame on its cluster cannot be.

    Raises
    ------
    ArgumentError
        Says what to do instead.
    """
    if settings.minibatch:
        given = settings.algorithm
        raise ArgumentError(f"algorithm={getattr(given, 'name', given)!r} {ONE_FUNCTION}")
    lost = {
        "groups": settings.groups, "class_weight": settings.class_weight, "compat": settings.compat,
        "device": None if settings.device == "cpu" else settings.device,
    }  # fmt: skip
    for name, value in lost.items():
        if value is not None:
            raise ArgumentError(f"{name}={value!r}: fits of a Dask DataFrame on its cluster have no {name}; {HERE}.")
    family = settings.distribution
    if isinstance(family, Survival):
        raise ArgumentError(f"family={family.name!r}: times to an event are not fitted on a Dask cluster; {HERE}.")
    if isinstance(family, Distributional) and type(family).start is not Distributional.start:
        raise ArgumentError(f"family={family.name!r}: its fit begins at quantiles of all rows; {HERE}.")


def check_terms(formula: str, columns: Collection[str], context: Mapping[str, Any] | None) -> None:
    """Refuse structured terms of a fit on a cluster, before its data are looked at."""
    own = [name for name, value in (context or {}).items() if callable(value)]
    specials = rewritten(split_sides(formula)[1], columns, own).specials
    if specials:
        raise ArgumentError(f"formula: {specials[0].label}: structured terms need all rows on one machine; {HERE}.")


def check_design(design: Design, settings: Settings) -> None:
    """The same where the design is known; nothing for rows that are here."""
    if not design.away:
        return
    check_settings(settings)
    if settings.penalty is not None and settings.penalty.estimated is not None:
        raise ArgumentError(f"penalty: a strength is estimated from rows on one machine; {HERE}.")


def observations(design: Design, dtype: str) -> cpu.Data:
    """The rows as kernels see them; none where they are on a cluster."""
    if not design.away:
        return make_data(design.x, design.y, design.weights, design.offset, dtype=np.dtype(dtype))
    none = np.zeros((len(design.y), 0))
    offset = None if design.offset is None else none
    return make_data(np.zeros((len(design.x), 0)), none, None, offset, dtype=np.dtype(dtype))


def ranges_of(design: Design) -> np.ndarray:
    """Inputs (D, m) that span what those of the design do."""
    return design.limits if isinstance(design, ClusterDesign) else design.x


def objective_of(
    design: Design, network: Network, free: np.ndarray, dtype: str, stop: threading.Event
) -> Objective | None:
    """What gives sums over the rows until `stop`, where these are on a cluster; None where they are here."""
    if not isinstance(design, ClusterDesign):
        return None
    return Objective(design.held, network, np.atleast_2d(free)[0], dtype, stop)
