"""Refits on parts of the rows: a procedure run again with everything that depends on data found from these rows."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from typing import Any

import numpy as np

from ..engine.data import make_data
from ..formula import Design
from ..formula.subset import Part, plain, subset
from ..network.penalties import regularizers
from ..network.scaling import to_internal, to_original
from .epochs import make_rows
from .fit import Fit
from .procedure import Procedure
from .validation import encode, is_share, last_groups, trained, weigh_classes

Begun = tuple[np.ndarray, np.ndarray]


def part_of(procedure: Procedure, rows: np.ndarray) -> Part:
    """The procedure's design on some of its rows; a share for validation is set aside first, as in a fit to these rows."""
    settings = procedure.settings
    if not settings.minibatch or not is_share(settings.validation):
        return subset(procedure.design, rows)
    if procedure.design.groups is None:
        first = trained(rows.size, settings.validation)
        return replace(subset(procedure.design, rows[:first]), held=rows[first:])
    held = last_groups(procedure.design.groups[rows], settings.validation)
    return replace(subset(procedure.design, rows[~held]), held=rows[held])


def begin(procedure: Procedure, part: Part, seeds: np.random.SeedSequence, given: np.ndarray | None = None) -> Begun:
    """Start weights (rep, P) and the weights (P,) that are trained on a part, internal units of the part.

    Weights of columns that are zero in all rows of the part cannot be learnt there: they are held at 0.

    Parameters
    ----------
    procedure : Procedure
        Of all rows.
    part : Part
    seeds : SeedSequence
        For random start weights.
    given : (rep, P) array, optional
        Start weights, internal units of all rows; weights held out of the fit are not taken from them.
    """
    network = procedure.network
    own = replace(procedure, design=part.design, validation=None)
    start, free = own.start(seeds), own.masks[1]
    if part.empty.any() and network.plain:
        per_unit, units = network.shapes[0]
        at = np.flatnonzero(part.empty)[:, np.newaxis] + 1 + np.arange(units) * per_unit
        blind = np.zeros(network.n_params, dtype=bool)
        blind[at.ravel()] = True
        start[:, blind & free] = 0.0
        free = free & ~blind
    if given is None:
        return start, free
    given = given.astype(float)
    if procedure.design.scaling is not None:
        assert part.design.scaling is not None
        original = to_original(network, procedure.design.scaling, given)
        given = to_internal(network, part.design.scaling, original)
    return np.where(free, given, start), free


def train_parts(
    procedure: Procedure, parts: Sequence[Part], rows: Sequence[np.ndarray], seeds: Sequence[np.random.SeedSequence],
    *, stack: bool = True, given: np.ndarray | None = None,
) -> list[Fit]:  # fmt: skip
    """Run a procedure on parts of its rows.

    Parameters
    ----------
    procedure : Procedure
        Of all rows, whose classes are not weighed yet.
    parts : sequence of Part
        From `part_of`.
    rows : sequence of int arrays
        The rows of each part.
    seeds : sequence of SeedSequence
        For the start weights of each part, and its orders of the observations.
    stack : bool
        Train all parts as one stack (where the procedure neither prunes nor goes by epochs).
    given : (rep, P) array, optional
        Start weights of every part; see `begin`.
    """
    settings, rep = procedure.settings, procedure.settings.repetitions
    parts = [replace(part, design=weigh_classes(part.design, settings.class_weight)) for part in parts]
    begun = [begin(procedure, part, s, given) for part, s in zip(parts, seeds, strict=True)]
    if settings.minibatch:
        return [_by_epochs(procedure, p, s, *b) for p, s, b in zip(parts, seeds, begun, strict=True)]
    # penalties of layers, and strengths that are estimated, depend on how many observations a part has
    counted = regularizers(procedure.network) is not None
    counted |= bool(procedure.groups) and procedure.design.frequencies is not None
    # finishing takes one set of free weights for the whole stack
    alone = not stack or counted or settings.keep is not None or (settings.polish and any(p.empty.any() for p in parts))
    if alone:
        return [
            (replace(procedure, design=p.design) if counted else procedure).train(
                _data(p.design, settings.dtype), *b, settings.n_jobs, keep=settings.keep
            )
            for p, b in zip(parts, begun, strict=True)
        ]
    start = np.concatenate([s for s, _ in begun])
    free = np.repeat(np.stack([f for _, f in begun]), rep, axis=0)
    if (free == free[0]).all():
        free = free[0]
    whole = procedure.train(_stacked(procedure, parts, rows), start, free, settings.n_jobs)
    return [whole.part(slice(k * rep, (k + 1) * rep)) for k in range(len(parts))]


def _by_epochs(
    procedure: Procedure, part: Part, seeds: np.random.SeedSequence, start: np.ndarray, free: np.ndarray
) -> Fit:
    validation, settings = None, procedure.settings
    if part.held is not None:
        validation = _held(procedure.design, part, settings.dtype)
    elif settings.validation is not None:
        validation = encode(part.design, settings.validation, settings)
    return replace(procedure, design=part.design, validation=validation, seeds=seeds).run_from(start, free)


def _held(design: Design, part: Part, dtype: str) -> Any:
    """The validation rows of a part, in its internal units."""
    at, scaling = part.held, design.scaling
    y = design.y[:, at]
    if scaling is not None:
        assert part.design.scaling is not None
        y = part.design.scaling.y_internal(scaling.y_original(y))
    return make_rows(
        part.x[:, at], y, None if design.weights is None else design.weights[at],
        None if part.offset is None else part.offset[:, at], dtype=np.dtype(dtype),
    )  # fmt: skip


def _data(design: Design, dtype: str) -> Any:
    return make_data(design.x, design.y, design.weights, design.offset, dtype=np.dtype(dtype))


def _stacked(procedure: Procedure, parts: Sequence[Part], rows: Sequence[np.ndarray]) -> Any:
    """Data of all parts: shared covariates where they are the same, else one part after the other."""
    design, rep, dtype = procedure.design, procedure.settings.repetitions, np.dtype(procedure.settings.dtype)
    count = np.array([r.size for r in rows])
    if plain(design) and procedure.settings.class_weight is None:
        table = np.zeros((len(parts), count.max()), np.int64)
        for line, r in zip(table, rows, strict=True):
            line[: r.size] = r
        x, y, weights, offset = design.x, design.y, design.weights, design.offset
    else:
        ends = np.concatenate([[0], np.cumsum(count)[:-1]])
        table = np.minimum(np.arange(count.max()), count[:, np.newaxis] - 1) + ends[:, np.newaxis]
        x, y = (np.concatenate([getattr(p.design, name) for p in parts], axis=1) for name in ("x", "y"))
        weights, offset = (
            None if getattr(parts[0].design, name) is None
            else np.concatenate([getattr(p.design, name) for p in parts], axis=-1)
            for name in ("weights", "offset")
        )  # fmt: skip
    return make_data(x, y, weights, offset, np.repeat(table, rep, axis=0), np.repeat(count, rep), dtype=dtype)
