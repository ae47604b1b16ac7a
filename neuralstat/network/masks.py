"""Which times of a sequence are there: where masks begin, which layers pass them on, use them, and lose them, as in Keras."""

from __future__ import annotations

import warnings
from typing import Any

import numpy as np

from ..errors import ArgumentError, FitWarning
from ..layers import codes

PASS = {"Dropout", "SpatialDropout1D", "GaussianNoise", "GaussianDropout", "Activation", "LeakyReLU", "PReLU", "Dense",
        "LayerNormalization", "Realigned", "TimeDistributed", "Projection", "OutputProjection",
        "PositionEmbedding"}  # fmt: skip
USE = {"SimpleRNN", "LSTM", "GRU", "GlobalAvgPool"}


def mask_after(layer: Any, row: np.ndarray | None, mask: int) -> int:
    """The mask beside a layer's output; the layer's row of the table is told what it needs.

    Parameters
    ----------
    layer : layer
    row : (COLUMNS,) int64 array or None
        Its row of the table; None where it has none. Column MASK is written.
    mask : int
        First row of the mask beside its input, a row for each time; -1 for none.

    Returns
    -------
    int
        First row of the mask, -1 for none.

    Warns
    -----
    FitWarning
        Where the mask is lost: layers behind see all times.

    Raises
    ------
    ArgumentError
        For batch normalisation, whose moments would have to leave masked times out.
    """
    kind = type(layer).__name__
    if kind == "ZeroMasked" and mask < 0:
        raise AssertionError("no mask")
    if kind == "Masking" or getattr(layer, "mask_zero", False):
        assert row is not None
        row[codes.MASK] = row[codes.SCRATCH]
        return int(row[codes.SCRATCH])
    if mask < 0 or kind in PASS:
        return mask
    if kind in USE:
        assert row is not None
        row[codes.MASK] = mask
        return mask if getattr(layer, "return_sequences", False) else -1
    if kind == "ZeroMasked":
        assert row is not None
        row[codes.MASK] = mask
        return mask
    if kind == "BatchNorm":
        raise ArgumentError("layers: BatchNorm cannot leave masked times out of its moments: put it before the mask begins.")
    warnings.warn(f"layers: {kind} does not know of masks (mask_zero, Masking): layers from there on see all times.",
                  FitWarning, stacklevel=2)  # fmt: skip
    return -1
