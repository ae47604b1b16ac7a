"""R's own arithmetic where it differs from ours, for ``compat="R"`` (see docs/parity.md)."""

from __future__ import annotations

import numpy as np

from ..errors import DataError
from . import derivatives
from .network import Network

_TINY = 1e-300


def r_error(
    network: Network, x: np.ndarray, y: np.ndarray, weights: np.ndarray | None, offset: np.ndarray | None,
    theta: np.ndarray, loss: float,
) -> float:  # fmt: skip
    """The error as R sums it: terms that are NaN are left out where all outputs lie in [0, 1] (Q04, Q21)."""
    objective = network.objective
    if objective.name not in ("ce", "ce_r", "ce_logit"):
        return loss
    o = objective.response(derivatives.outputs(network, x, theta, offset)[0])
    with np.errstate(divide="ignore", invalid="ignore"):
        terms = -(y * np.log(o) + (1 - y) * np.log(1 - o))
    if weights is not None:
        terms = terms * weights
    if np.all((o >= 0) & (o <= 1)):
        terms = terms[~np.isnan(terms)]
    return float(np.sum(terms))


def r_generalized_weights(d: np.ndarray, o: np.ndarray) -> np.ndarray:
    """(d output / d covariate) / (output (1 - output)), shape (K, D, n), for whatever outputs (Q12).

    NaN where an output is 0 or 1; compiled logistics end at exp(-708), where R's rounds to 0.
    """
    o, d = (np.where(np.abs(v) < _TINY, 0.0, v) for v in (o, d))
    with np.errstate(divide="ignore", invalid="ignore"):
        return d / (o * (1 - o))[:, np.newaxis, :]


def r_group_means(x: np.ndarray, y: np.ndarray) -> np.ndarray:
    """Responses (K, n) with R's means over equal covariate rows (Q11).

    R keeps a list of the repeated rows and, when a group is averaged, takes the first entry off this list
    instead of the group; so rows get lost for groups that come later.

    Parameters
    ----------
    x : (D, n) array
    y : (K, n) array

    Raises
    ------
    DataError
        Where R stops: with two or more covariates, when one entry of the list is left.
    """
    rows = [tuple(row) for row in x.T]
    seen: dict[tuple[float, ...], int] = {}
    repeated = [i for i, row in enumerate(rows) if seen.setdefault(row, i) != i]
    y = y.astype(float).copy()
    for row, first in seen.items():
        if len(repeated) == 1 and x.shape[0] > 1:
            raise DataError(
                f"prediction: R stops where one repeated covariate row is left, {row}; fit with compat=None."
            )
        group = [first, *(i for i in repeated if rows[i] == row)]
        if len(group) > 1:
            y[:, group] = y[:, group].mean(axis=1, keepdims=True)
            repeated = repeated[1:]
    return y[:, list(seen.values())]


