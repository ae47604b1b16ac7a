"""What `select` chooses among, from what users give: architectures, layers, penalties; options of criteria."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import numpy as np

from ..assessment import RISK
from ..assessment.names import variant
from ..checks import check_hidden, shown
from ..checks.arguments import NONE, NOT_NEGATIVE, Several
from ..df.registry import OPTIONS
from ..errors import ArgumentError
from ..likelihood.criteria import CRITERIA, LIKELIHOOD
from ..network.penalties import Penalty, decay

MOST = 10_000  # candidates
DECAY = NONE | NOT_NEGATIVE | Several(NONE | NOT_NEGATIVE)
OF_RISK = ("fit_or_model", "method", "rep", "random_state", "n_jobs")  # arguments of `risk` that are said elsewhere

WITH_ERROR = tuple(name for name in RISK if name not in LIKELIHOOD)  # criteria that have a standard error


def of_risk(criterion: str) -> bool:
    """Whether a criterion is a method of `risk` that is no function of degrees of freedom."""
    return criterion in RISK and criterion not in CRITERIA


def named_options(criterion: Any, df: Any, options: Mapping[str, Any]) -> tuple[Any, Any, Mapping[str, Any]]:
    """Criterion, degrees of freedom and options, also where they are in the criterion's name ("cv:k=5", "bic:gdf")."""
    if not isinstance(criterion, str) or ":" not in criterion:
        return criterion, df, options
    name, more = variant(criterion)
    if both := sorted(set(more) & set(options)):
        raise ArgumentError(f"criterion_options: option {both[0]!r} is in the criterion's name, too.")
    if not of_risk(name):
        df = more.pop("df", df)
    return name, df, {**more, **options}


def check_options(criterion: str, df: str, options: Mapping[str, Any]) -> None:
    """Refuse options that the criterion cannot have; their values are checked where they are used."""
    taken = OPTIONS["nic" if criterion == "tic" else df]
    for name in options:
        if (name in OF_RISK) if of_risk(criterion) else (name not in taken):
            has = "" if of_risk(criterion) else f"; df={df!r} takes {', '.join(map(repr, taken)) or 'none'}"
            raise ArgumentError(f"criterion_options: {name!r} is no option of criterion={criterion!r}{has}.")


def architectures(hidden: Any) -> list[tuple[int, ...]]:
    """Units per layer of each candidate."""
    several = isinstance(hidden, list | range) or (isinstance(hidden, np.ndarray) and hidden.ndim > 0)
    many = hidden if several else [hidden]
    if len(many) > MOST:
        raise ArgumentError(f"hidden: {len(many)} candidates are too many; give at most {MOST}.")
    found = [check_hidden(tuple(h) if isinstance(h, list) else h) for h in many]
    if not found:
        raise ArgumentError("hidden: no candidates were given.")
    return list(dict.fromkeys(found))


def layered(layers: Any, hidden: Any, inputs: bool) -> dict[str, Any]:
    """Candidates of layers by name; none where the networks are dense."""
    if layers is None:
        return {}
    if not (isinstance(hidden, int) and hidden == 1):
        raise ArgumentError("give hidden or layers, not both.")
    if inputs:
        raise ArgumentError("inputs=True chooses terms of dense networks; with layers= compare formulas one by one.")
    if not isinstance(layers, Mapping):
        if not isinstance(layers, list | tuple) or not all(isinstance(own, list | tuple) for own in layers):
            raise ArgumentError("layers must be a dict or a list of sequences of layers, the candidates.")
        layers = {f"layers {k}": own for k, own in enumerate(layers, start=1)}
    if len(layers) > MOST:
        raise ArgumentError(f"layers: {len(layers)} candidates are too many; give at most {MOST}.")
    if not layers or not all(isinstance(name, str) for name in layers):
        raise ArgumentError("layers: candidates must have texts as names, and there must be one at least.")
    return dict(layers)


def penalties(penalty: Any, strengths: Any) -> list[Penalty | None]:
    """The penalties, from themselves or from strengths of weight decay."""
    if strengths is not None:
        if penalty is not None:
            raise ArgumentError("give penalty or decay, not both.")
        many = strengths if isinstance(strengths, tuple) else (strengths,)
        found: list[Penalty | None] = [decay(s) if s else None for s in many]
    else:
        found = list(penalty) if isinstance(penalty, list | tuple) else [penalty]
    if not found:
        raise ArgumentError("penalty: no candidates were given.")
    for p in found:
        if p is not None and not isinstance(p, Penalty):
            raise ArgumentError(f"penalty must be made by decay(), l1(), ... or be a list of them, got {shown(p)}.")
    return list(dict.fromkeys(found))
