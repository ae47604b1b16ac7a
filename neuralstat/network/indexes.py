"""Inputs that are numbers of something: what an `Embedding` reads must be one of its rows."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from ..errors import DataError
from ..layers import codes

if TYPE_CHECKING:
    from .network import Network


def check_indexes(network: Network, x: np.ndarray, where: str = "") -> None:
    """Refuse inputs that the embedding they enter has no vector for.

    Parameters
    ----------
    network : Network
    x : (D, n) array
        Inputs; rows with NaN are not looked at.
    where : str
        Begins the message.

    Raises
    ------
    DataError
        Names the input, the number, and the layer.
    """
    inputs = len(network.input_names)
    for k, row in enumerate(network.table):
        if row[codes.OP] != codes.EMBEDDING or row[codes.SOURCE] + row[codes.N_IN] > inputs:
            continue
        first, count = int(row[codes.SOURCE]), int(row[codes.UNITS])
        if not isinstance(x, np.ndarray):  # read by rows
            for part in x.parts():
                check_indexes(network, x[:, part], where)
            return
        read = x[first : first + row[codes.N_IN]]
        wrong = ((read < 0) | (read >= count) | (read != np.floor(read))) & ~np.isnan(read)
        if wrong.any():
            at, column = (int(v) for v in np.argwhere(wrong)[0])
            name = next(n for n, (own, _, _) in zip(network.layer_names, network.places, strict=True) if own == k)
            raise DataError(
                f"{where}column {network.input_names[first + at]!r} holds {read[at, column]:g}, but layer {name!r} with "
                f"input_dim={count} takes whole numbers from 0 to {count - 1}."
            )
