"""Which weights the parameters of a distribution have: formulas of their own, and masks that follow from them.

Every parameter is an output. One that depends on nothing has its bias only, one with a formula reads covariates directly, one
that is an output of the network (True) reads the last hidden units; all other weights are held out of the fit at 0.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import replace
from typing import TYPE_CHECKING, Any

import numpy as np

from ..checks import shown
from ..cluster import ClusterDesign
from ..errors import ArgumentError, DataError
from ..families import Distributional, Family, Ordinal, Survival
from ..formula import Design
from ..network.exclude import fixed_weights
from .structured import has_towers, held
from .surv import as_rows

if TYPE_CHECKING:
    from ..network.network import Network
    from .settings import Settings

WORDS = "'~ 1', a formula of the dispersion as '~ x + z', True, or a mapping of these by parameter"


def asked(family: Distributional, dispformula: Any) -> dict[str, Any]:
    """What each parameter but the first depends on: True, or the right-hand side of a formula ("1" for nothing).

    Raises
    ------
    ArgumentError
        For unknown parameters and what is no formula.
    """
    found = {role: _right(family.usual) for role in family.roles[family.leading :]}
    if dispformula is None:
        return found
    if not found and not family.alike:  # those of a piecewise exponential one follow from the data
        raise ArgumentError(f"dispformula: the family {family.name!r} has one parameter, and no dispersion.")
    if isinstance(dispformula, Mapping):
        for role, given in dispformula.items():
            if role not in found:
                known = ", ".join(map(repr, found)) or "none"
                said = f"dispformula: the family {family.name!r} has no parameter {shown(role)}"
                raise ArgumentError(f"{said}; it has {known}.")
            found[role] = _right(given)
        return found
    right = _right(dispformula)
    if family.alike:
        return dict.fromkeys(found, right)
    return {role: right if k == 0 else usual for k, (role, usual) in enumerate(found.items())}


def _right(given: Any) -> Any:
    if given is True:
        return True
    text = str.__str__(given).strip() if isinstance(given, str) else ""
    if not text.startswith("~") or not text[1:].strip():
        raise ArgumentError(f"dispformula must be {WORDS}; got {shown(given)}.")
    right = text[1:].strip()
    if "offset(" in right:
        raise ArgumentError("dispformula: offset() belongs to the formula of the response.")
    return right


def check_dispformula(given: Any) -> None:
    """Raise ArgumentError where it cannot be one, whatever the family is."""
    if isinstance(given, Mapping):
        for value in given.values():
            _right(value)
    elif given is not None:
        _right(given)


def by_parameter(
    design: Design, formula: str | None, family: Distributional, dispformula: Any, make: Callable[[str], Design]
) -> Design:
    """The design with the columns that formulas of parameters need, and which parameter reads which.

    Parameters
    ----------
    design : Design
        Of the response's formula.
    formula : str or None
        That formula; None for a model of arrays, whose columns are then named in sums.
    family, dispformula
        As in `asked`.
    make : callable
        A design of another formula on the same data.
    """
    family = family.of_response(design.y, design.weights)
    texts = {role: right for role, right in asked(family, dispformula).items() if right is not True and right != "1"}
    if isinstance(family, Ordinal) and texts:
        raise ArgumentError("dispformula: thresholds of an ordinal response are constant, '~ 1', or True.")
    if not texts:
        return design
    of_network, whole = design.x_names, design
    if formula is None:
        own = {role: tuple(part.strip() for part in right.split("+")) for role, right in texts.items()}
    else:
        left = formula.partition("~")[0]
        own = {role: make(f"{left}~ {right}").x_names for role, right in texts.items()}
        if {name for names in own.values() for name in names} - set(of_network):
            made = make(f"{formula} + {' + '.join(texts.values())}")
            whole = replace(made, spec=replace(made.spec, formula=as_rows(formula)))
    place = {name: k for k, name in enumerate(whole.x_names)}
    if lost := [name for names in (of_network, *own.values()) for name in names if name not in place]:
        raise DataError(f"dispformula: there is no column {lost[0]!r} in the model; there are {', '.join(place)}.")
    reads = {role: tuple(place[name] for name in names) for role, names in {"": of_network, **own}.items()}
    return replace(whole, reads=reads)


def with_known(design: Design, family: Distributional) -> Design:
    """The design whose offset is of the parameters that a response's formula is of: the first, or the means of several."""
    rows = len(design.y) if family.joint else 1
    if isinstance(design, ClusterDesign):
        if design.offset is not None and len(design.offset) != rows:
            raise ArgumentError(f"offset: on a Dask cluster the family {family.name!r} has none.")
        return replace(design, spec=replace(design.spec, offset_rows=rows))
    offset = None if design.offset is None else design.offset[:rows]
    return replace(design, offset=offset, spec=replace(design.spec, offset_rows=rows))


def reads_inputs(design: Design) -> bool:
    """Whether some parameter reads covariates directly."""
    return design.reads is not None


def output_names(design: Design, family: Family | None) -> tuple[str, ...]:
    """Names of the outputs: of responses, or of the first parameter (the response's) and the others (their own)."""
    if not isinstance(family, Distributional):
        return design.y_names
    whole = design.classes is not None or isinstance(family, Survival)
    first = (design.response,) if whole else design.y_names[: family.leading]
    taken = {*first, *design.x_names}
    return (*first, *(role if role not in taken else f"{role}_" for role in family.roles[family.leading :]))


def held_out(network: Network, design: Design, settings: Settings) -> tuple[np.ndarray, np.ndarray]:
    """Which weights (P,) are in the fit, and the values of the others, original units; see `fixed_weights`."""
    free, constants = fixed_weights(network, settings.exclude, settings.constant_weights, settings.compat)
    if network.implied is not None:
        free, constants = free & ~network.implied[0], np.where(network.implied[0], network.implied[1], constants)
    if has_towers(design):
        pattern, values = held(network, design)
        free, constants = free & pattern, np.where(pattern | (constants != 0), constants, values)
    family = network.objective.family
    if not isinstance(family, Distributional):
        return free, constants
    pattern, values = _pattern(network, design, family, settings.dispformula)
    constants = np.where(pattern | (constants != 0), constants, values)
    free = free & pattern
    if not free.any():
        raise ArgumentError("exclude and dispformula hold all weights out of the fit: at least one must remain.")
    return free, constants


def _pattern(
    network: Network, design: Design, family: Distributional, dispformula: Any
) -> tuple[np.ndarray, np.ndarray]:
    """Weights (P,) that parameters have, and values of the others."""
    free, values = np.ones(network.n_params, bool), np.zeros(network.n_params)
    inputs = len(network.input_names)
    of_network = np.ones(inputs, bool)
    if design.reads is not None:
        of_network[:] = False
        of_network[list(design.reads[""])] = True
    per_unit, units = network.shapes[-1]
    own = free[network.slices[-1]].reshape(units, per_unit)
    at = values[network.slices[-1]].reshape(units, per_unit)
    own[:] = False
    spec = {**dict.fromkeys(family.roles[: family.leading], True), **asked(family, dispformula)}
    single = len(network.shapes) == 1
    for k, role in enumerate(family.roles):
        own[k, 0] = role not in family.held and not (k == 0 and family.floating)
        at[k, 0] = family.held.get(role, 0.0)
        if role in family.held:
            continue
        if spec[role] is True:
            own[k, 1:] = of_network if single else np.arange(1, per_unit) > (inputs if network.skip else 0)
        elif spec[role] != "1":
            assert design.reads is not None
            own[k, 1 + np.array(design.reads[role], dtype=int)] = True
    if network.skip:
        per, count = network.shapes[0]
        free[network.slices[0]].reshape(count, per)[:, 1:] &= of_network
    return free, values
