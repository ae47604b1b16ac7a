"""What the data say about the weights of a fit: Hessian and outer products of the scores; inverses of what is singular."""

from __future__ import annotations

from collections.abc import Iterator
from typing import TYPE_CHECKING, Any

import numpy as np

from ..engine.data import make_data
from ..fitted import Fitted
from ..network import blocks, derivatives

if TYPE_CHECKING:
    from ..network.objective import Objective

Three = tuple[np.ndarray, np.ndarray, np.ndarray]

# smaller singular values, relative to the largest, count as zero (as in R)
RCOND = np.sqrt(np.finfo(float).eps)


def information(fitted: Fitted, b: int) -> tuple[np.ndarray, np.ndarray]:
    """A and B of the free weights of repetition b (0-based), in internal units, per observation.

    With the penalised error E, the sum of e_i: A (F, F) is the Hessian of E / n, B (F, F) the mean outer product of the
    gradients of e_i.
    """
    theta, free, n = fitted.fit.theta[b].astype(float), fitted.fit.free[0], fitted.n_rows
    hessian = derivatives.hessian(fitted.network, fitted.data, theta, fitted.penalty_of(b))
    return hessian[np.ix_(free, free)] / n, score_squares(fitted, theta, free) / n


def observed_scores(fitted: Fitted, theta: np.ndarray) -> np.ndarray:
    """(n, P) gradients of the rows' errors, whose outer products add up to those of the observations' errors."""
    return _by_frequency(fitted, derivatives.scores(fitted.network, fitted.data, theta), slice(0, fitted.n_rows))


def observed_score_blocks(
    fitted: Fitted, theta: np.ndarray, among: int = 1, y: np.ndarray | None = None
) -> Iterator[tuple[slice, np.ndarray]]:
    """`observed_scores` by blocks of rows, of size to hold `among` at a time.

    `y`: other responses (K, n), internal units.
    """
    design, data = fitted.design, fitted.data
    if y is not None:
        data = make_data(design.x, y, design.weights, design.offset)
    for part, scores in blocks.scores(fitted.network, data, theta, among):
        yield part, _by_frequency(fitted, scores, part)


def _by_frequency(fitted: Fitted, scores: np.ndarray, part: slice) -> np.ndarray:
    """A row that stands for m observations has m times the gradient of one."""
    if fitted.design.frequencies is None:
        return scores
    often = fitted.frequencies[part]
    return scores / np.sqrt(np.where(often > 0, often, 1.0))[:, np.newaxis]


def score_squares(fitted: Fitted, theta: np.ndarray, used: np.ndarray) -> np.ndarray:
    """(F, F) sum of the outer products of `observed_scores` in the weights used."""
    return blocks.squares(scores[:, used] for _, scores in observed_score_blocks(fitted, theta))


def cluster_sums(fitted: Fitted, theta: np.ndarray) -> np.ndarray:
    """(G, P) sums over clusters of the gradients of their rows' errors; a row counts as often as it stands for."""
    return np.concatenate(list(cluster_blocks(fitted, theta)))


def cluster_blocks(fitted: Fitted, theta: np.ndarray, among: int = 1) -> Iterator[np.ndarray]:
    """`cluster_sums` (g, P), some clusters at a time, of size to hold `among`."""
    assert fitted.design.groups is not None
    codes = np.unique(fitted.design.groups, return_inverse=True)[1].reshape(-1)
    order = np.argsort(codes, kind="stable")
    network, data = fitted.network, fitted.data
    whole = derivatives.scores(network, data, theta) if network.objective.coupled else None  # which has no parts
    last: np.ndarray | None = None  # of a cluster whose rows may go on
    for part in blocks.parts(order.size, network.n_outputs, among * network.n_params):
        rows = order[part]
        scores = derivatives.scores(network, blocks.taken(data, rows), theta) if whole is None else whole[rows]
        own = codes[rows]
        sums = np.add.reduceat(scores, np.flatnonzero(np.concatenate([[True], own[1:] != own[:-1]])), axis=0)
        if last is not None:
            if part.start and codes[order[part.start - 1]] == own[0]:
                sums[0] += last[0]
            else:
                yield last
        if len(sums) > 1:
            yield sums[:-1]
        last = sums[-1:]
    if last is not None:
        yield last


def pseudo_inverse(matrix: np.ndarray) -> tuple[np.ndarray, int]:
    """Moore-Penrose inverse of a symmetric matrix, and the rank it was given."""
    values, vectors = np.linalg.eigh(matrix)
    keep = np.abs(values) > RCOND * np.abs(values).max(initial=0.0)
    return (vectors[:, keep] / values[keep]) @ vectors[:, keep].T, int(keep.sum())


def loss_derivatives(objective: Objective, output: np.ndarray, y: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """First and second derivative (K, n) of the error in the output (K, n): squared error, cross entropy, or a user's."""
    if objective.custom is not None:
        return pointwise(objective.custom.python, output, y)[1:]
    if objective.name == "sse":
        return output - y, np.ones_like(output)
    with np.errstate(divide="ignore", invalid="ignore"):
        return (1 - y) / (1 - output) - y / output, (1 - y) / (1 - output) ** 2 + y / output**2


def pointwise(function: Any, *arguments: np.ndarray) -> Three:
    """Value, first and second derivative, shaped as the arguments, of a user's function of plain numbers."""
    rows = [function(*map(float, point)) for point in zip(*(a.ravel() for a in arguments), strict=True)]
    columns = np.array(rows, dtype=float).reshape(-1, 3).T
    return tuple(c.reshape(arguments[0].shape) for c in columns)  # type: ignore[return-value]
