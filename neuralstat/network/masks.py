"""Which times of a sequence are there: where masks begin, which layers pass them on, use them, and lose them, as in Keras."""

from __future__ import annotations

import math
import warnings
from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any

from ..errors import ArgumentError, FitWarning
from ..layers import codes
from ..layers.attending import Attention, Stacked
from ..layers.base import Placement
from ..layers.composite import TimeDistributed, applied
from ..layers.masking import FOUND
from ..layers.merging import MERGING, Concatenate, Dot, Maximum, Minimum, Multiply
from ..layers.moves import copied, moved
from ..layers.sequence import masking
from .objective import resolve_activation

if TYPE_CHECKING:
    import numpy as np

    from .rows import Builder

PASS = {"Dropout", "SpatialDropout1D", "SpatialDropout2D", "GaussianNoise", "GaussianDropout", "AlphaDropout", "Activation",
        "LeakyReLU", "PReLU", "ReLU", "ELU", "Dense", "LayerNormalization", "GroupNormalization", "Realigned", "Projection",
        "OutputProjection", "PositionEmbedding", "Attention"}  # fmt: skip
USE = {"SimpleRNN", "LSTM", "GRU", "GlobalAvgPool"}


MOST_MASKED = 48  # bits of a column


@dataclass(frozen=True)
class Mask:
    """A mask beside units.

    Attributes
    ----------
    first : int
        Its first buffer row; it has one for each time.
    shape : tuple of int
        The axes that it stands beside, the first ones: (times,), or (times, times of each) of sequences of sequences.
    """

    first: int
    shape: tuple[int, ...]

    @property
    def size(self) -> int:
        """Its buffer rows."""
        return math.prod(self.shape)


def begins(layer: Any) -> bool:
    """Whether a layer makes a mask of what it reads."""
    return type(layer).__name__ == "Masking" or bool(getattr(layer, "mask_zero", False))


def keeps(layer: Any) -> bool:
    """Whether a mask beside a layer's input stands beside its output, too."""
    kind = type(layer).__name__
    used = kind in USE and getattr(layer, "return_sequences", False)
    return used or kind in PASS or kind in ("ZeroMasked", "TimeDistributed")


def has_mask(layer: Any, before: Sequence[bool]) -> bool:
    """Whether a mask may stand beside a layer's output, from whether one stands beside each of its inputs."""
    if isinstance(layer, Dot):
        return False
    if isinstance(layer, MERGING):  # side by side in time, or each unit from all of them
        return any(before) if isinstance(layer, Concatenate) and layer.axis != -1 else all(before)
    if isinstance(layer, Stacked):  # queries, keys, values
        return any(before[1:])
    return begins(layer) or (before[isinstance(layer, Attention)] and keeps(layer))  # attention: as the queries


def mask_after(made: Builder, k: int, rows: Sequence[np.ndarray], shape: tuple[int, ...], mask: Mask | None) -> Mask | None:
    """The mask beside the output of layer k; its rows of the table are told what they need.

    Parameters
    ----------
    made : Builder
    k : int
    rows : sequence of (COLUMNS,) int64 arrays
        The layer's rows of the table, several of a layer that is applied time by time. Column MASK is written.
    shape : tuple of int
        Of its input.
    mask : Mask or None
        Beside its input.

    Warns
    -----
    FitWarning
        Where the mask is lost: layers behind see all times.

    Raises
    ------
    ArgumentError
        For batch normalisation, whose moments would have to leave masked times out.
    """
    layer = made.network.layers[k]
    if begins(layer):
        rows[0][codes.MASK] = rows[0][codes.SCRATCH]
        return Mask(int(rows[0][codes.SCRATCH]), shape[:-1] if type(layer).__name__ == "Masking" else shape)
    kind = type(layer).__name__
    if kind == "ZeroMasked":
        if mask is None:
            _all_there(made, rows[0])
        else:
            rows[0][codes.MASK] = mask.first
        return mask
    if mask is None:
        return None
    if isinstance(layer, TimeDistributed):
        return _time_by_time(made, k, rows, mask)
    if kind == "BatchNorm":
        raise ArgumentError("layers: BatchNorm cannot leave masked times out of its moments: put it before the mask begins.")
    used = kind in USE and len(mask.shape) == 1
    if used:
        rows[0][codes.MASK] = mask.first
    if used or kind in PASS:
        return mask if keeps(layer) else None
    lost(kind)
    return None


def lost(kind: str) -> None:
    """Warn that a kind of layer does not pass a mask on."""
    warnings.warn(f"layers: {kind} does not know of masks (mask_zero, Masking): layers from there on see all times.",
                  FitWarning, stacklevel=2)  # fmt: skip


def _time_by_time(made: Builder, k: int, rows: Sequence[np.ndarray], mask: Mask) -> Mask | None:
    """Of a sequence of sequences each has its own part of the mask; behind, a time is there where any of its times is."""
    layer = applied(made.network.layers[k])
    if len(mask.shape) == 1:
        return mask
    each = mask.size // mask.shape[0]
    if type(layer).__name__ in USE and len(mask.shape) == 2:
        for t, row in enumerate(rows):
            row[codes.MASK] = mask.first + t * each
        if keeps(layer):
            return mask
    elif keeps(layer):
        return mask
    else:
        lost(type(layer).__name__)
    return _any(made, k, mask.first, mask.shape[:1], each)


def joined(made: Builder, k: int, masks: Sequence[Mask | None], shapes: Sequence[tuple[int, ...]]) -> Mask | None:
    """The mask beside what a layer joins, from those beside its inputs, which have these shapes.

    As in Keras: side by side along an axis that has a mask; else a time is there where any of the inputs has it, and all
    times are where an input has no mask.
    """
    known = [mask for mask in masks if mask is not None]
    if not known:
        return None
    layer, axes = made.network.layers[k], len(known[0].shape)
    if any(len(mask.shape) != axes for mask in known):
        raise ArgumentError(f"layers: {type(layer).__name__} joins sequences, and sequences of sequences, with masks.")
    if isinstance(layer, Dot):
        lost("Dot")
        return None
    along = along_mask(layer, masks, shapes)
    if along is not None:
        assert len(known) == len(masks)
        moves = replace(layer, axis=along + 1).join([mask.shape for mask in known])
        return Mask(_moved(made, k, known, moves.parts, math.prod(moves.shape)), tuple(moves.shape))
    if len(known) < len(masks) and isinstance(layer, (Multiply, Maximum, Minimum)):
        return None  # nothing is lost: what is masked did not count
    if len(known) < len(masks):
        lost(f"{type(layer).__name__} with an input without a mask")
        return None
    if len({mask.first for mask in known}) == 1:
        return known[0]
    if len({mask.shape for mask in known}) > 1:
        raise ArgumentError(f"layers: {type(layer).__name__} joins sequences of other lengths, with masks.")
    one, count = (known[0].size, 1, 1), len(known)
    parts = [(moved(one, one, SPREAD_ROWS=count), j) for j in range(count)]
    return _any(made, k, _moved(made, k, known, parts, count * one[0]), known[0].shape, count)


def beside(made: Builder, k: int, masks: Sequence[Mask | None], shape: tuple[int, ...]) -> dict[int, int]:
    """Table fields of a row that joins inputs unit by unit into a shape: which of their times count.

    Raises
    ------
    ArgumentError
        Where a mask does not stand beside what comes out, or stands beside one of very many inputs.
    """
    layer = made.network.layers[k]
    known = [(j, mask) for j, mask in enumerate(masks) if mask is not None]
    if not known or isinstance(layer, Dot):
        return {}
    shapes = {mask.shape for _, mask in known}
    times = known[0][1].size
    if len(shapes) > 1 or shape[: len(known[0][1].shape)] != known[0][1].shape:
        raise ArgumentError(f"layers: {type(layer).__name__} joins sequences of other lengths, with masks.")
    if len(masks) > MOST_MASKED:
        raise ArgumentError(f"layers: {type(layer).__name__} joins {MOST_MASKED} layers at most where there are masks.")
    flat = moved((1, 1, times), (1, 1, times))
    first = _moved(made, k, [mask for _, mask in known], [(flat, j * times) for j, _ in known], len(masks) * times)
    return {codes.MASK: first, codes.TIMES: times, codes.OPTIONS: sum(1 << j for j, _ in known)}


def along_mask(layer: Any, masks: Sequence[Mask | None], shapes: Sequence[tuple[int, ...]]) -> int | None:
    """The axis of masks (from 0) along which a layer puts its inputs side by side; None for none."""
    if not isinstance(layer, Concatenate):
        return None
    axis = layer.axis + len(shapes[0]) if layer.axis < 0 else layer.axis - 1
    return axis if axis < max((len(mask.shape) for mask in masks if mask is not None), default=0) else None


def there(made: Builder, k: int, source: int, shape: tuple[int, ...], axes: int) -> tuple[int, Mask]:
    """A copy of units, and a mask of ones beside their first axes, for layer k."""
    grid = (*shape[:axes], math.prod(shape[axes:]))
    at = _add(made, k, masking(grid, FOUND, 0.0), source, math.prod(shape))
    _all_there(made, made.rows[-1])
    return at, Mask(int(made.rows[-1][codes.MASK]), grid[:axes])


def _all_there(made: Builder, row: np.ndarray) -> None:
    """Make of the last row of the table, one of `Masking`, one that masks nothing: no feature is infinite."""
    row[codes.KIND], row[codes.MASK] = FOUND, row[codes.SCRATCH]
    made.constants[-1] = math.inf


def _any(made: Builder, k: int, first: int, shape: tuple[int, ...], each: int) -> Mask:
    """A mask whose times are there where any of `each` neighbouring rows of another is not 0."""
    _add(made, k, masking((*shape, each), FOUND, 0.0), first, math.prod(shape) * each)
    made.rows[-1][codes.MASK] = made.rows[-1][codes.SCRATCH]
    return Mask(int(made.rows[-1][codes.SCRATCH]), shape)


def _moved(made: Builder, k: int, masks: Sequence[Mask], parts: Sequence[tuple[dict[int, int], int]], size: int) -> int:
    """First row of so many new ones that masks are brought to."""
    at = made.width
    made.width += size
    for mask, (fields, offset) in zip(masks, parts, strict=True):
        _add(made, k, replace(copied((mask.size,)), fields=fields), mask.first, mask.size, at + offset)
    return at


def _add(made: Builder, k: int, place: Placement, source: int, n_in: int, target: int | None = None) -> int:
    return made.add(k, place, resolve_activation("identity"), source, n_in, target)
