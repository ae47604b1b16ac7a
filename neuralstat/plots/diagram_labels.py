"""Where the weight labels of a network diagram go: along their edges, none on another label or node."""

from __future__ import annotations

import numpy as np

CANDIDATES = 25
CLASH = 100.0
MOST = 120  # more labels between two layers cannot be kept apart; they are only staggered


def _axes_of_labels(
    start: np.ndarray, end: np.ndarray, widths: np.ndarray, height: float, radius: float
) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Candidate centres (E, C, 2), shares along the edge (E, C) and points along each label (E, C, S, 2)."""
    vector = end - start
    length = np.hypot(vector[:, 0], vector[:, 1])
    unit = vector / length[:, None]
    margin = np.minimum(radius + widths / 2 + 0.3 * height, 0.5 * length)
    share = margin[:, None] + np.linspace(0, 1, CANDIDATES) * (length - 2 * margin)[:, None]
    centre = start[:, None] + share[..., None] * unit[:, None]
    samples = max(int(np.ceil(2 * widths.max() / height)), 3)
    along = np.linspace(-0.5, 0.5, samples)[None, :] * widths[:, None]
    points = centre[:, :, None] + along[:, None, :, None] * unit[:, None, None]
    return centre, share / length[:, None], points


def _distance_to_segments(points: np.ndarray, start: np.ndarray, end: np.ndarray) -> np.ndarray:
    """Distances of points (..., 2) to segments (E, 2)-(E, 2): shape (..., E)."""
    vector = end - start
    relative = points[..., None, :] - start
    t = np.clip((relative * vector).sum(-1) / (vector**2).sum(-1), 0, 1)
    gap = relative - t[..., None] * vector
    return np.hypot(gap[..., 0], gap[..., 1])


def place_labels(
    start: np.ndarray, end: np.ndarray, widths: np.ndarray, height: float, nodes: np.ndarray, radius: float
) -> tuple[np.ndarray, int]:
    """Choose a point on every edge for the middle of its label.

    Every edge has a row of candidate points. A choice costs much for each pair of labels that overlap and for
    each node covered, and a little for covering other edges and for lying far from the middle. The cost is
    lowered one label at a time until it stays, from several starts (iterated conditional modes).

    Parameters
    ----------
    start, end : ndarray, shape (E, 2)
        Centres of the nodes that the edges join.
    widths : ndarray, shape (E,)
        Widths of the labels.
    height : float
        Their height.
    nodes : ndarray, shape (N, 2)
        Centres of all nodes nearby.
    radius : float
        Radius of a node.

    Returns
    -------
    centres : ndarray, shape (E, 2)
    clashes : int
        Overlaps that remain, 0 when every label is free; for very many labels the number of labels.
    """
    edges = start.shape[0]
    if edges > MOST:
        along = np.array([0.3, 0.4, 0.5, 0.6, 0.7])[np.arange(edges) % 5, None]
        return start + along * (end - start), edges
    centre, share, points = _axes_of_labels(start, end, widths, height, radius)
    # A label is taken as a capsule around its axis, which contains its rectangle.
    to_nodes = np.hypot(*np.moveaxis(points[..., None, :] - nodes, -1, 0)).min(axis=2)
    own_cost = CLASH * (to_nodes < radius + 0.55 * height).sum(axis=-1)
    # Beyond the nodes of its edge a label would come among those of the next layer.
    rise = np.abs(end - start)[:, 1] / np.hypot(*(end - start).T)
    low, high = np.minimum(start, end)[:, 0] + 0.55 * height * rise, np.maximum(start, end)[:, 0] - 0.55 * height * rise
    beyond = (points[..., 0] < low[:, None, None]) | (points[..., 0] > high[:, None, None])
    own_cost = own_cost + CLASH * beyond.any(axis=2)
    to_edges = _distance_to_segments(points, start, end)
    to_edges[np.arange(edges), :, :, np.arange(edges)] = np.inf
    own_cost = (
        own_cost + 0.4 * (to_edges < 0.6 * height).mean(axis=2).sum(axis=-1) + 0.6 * np.abs(share - 0.5)
    )

    clash = np.zeros((edges, CANDIDATES, edges, CANDIDATES))
    for e in range(edges):
        for f in range(e):
            apart = points[e][:, None, :, None] - points[f][None, :, None, :]
            near = (apart[..., 0] ** 2 + apart[..., 1] ** 2).min(axis=(2, 3)) < (1.12 * height) ** 2
            clash[e, :, f] = CLASH * near
            clash[f, :, e] = CLASH * near.T

    rng = np.random.default_rng(0)
    best, best_cost = np.zeros(edges, dtype=int), np.inf
    hopeless = bool((own_cost.min(axis=1) >= CLASH).any())  # some label has no free place at all
    for attempt in range(1 if hopeless else 24):
        pick = np.asarray(own_cost.argmin(axis=1) if attempt == 0 else rng.integers(CANDIDATES, size=edges))
        cost = _descend(pick, own_cost, clash, rng.permutation(edges))
        if cost < best_cost:
            best, best_cost = pick, cost
    every = np.arange(edges)
    return centre[every, best], int(best_cost // CLASH)


def _descend(pick: np.ndarray, own_cost: np.ndarray, clash: np.ndarray, order: np.ndarray) -> float:
    """Lower the cost of ``pick`` in place, a label at a time; return the cost reached."""
    every = np.arange(pick.size)
    for _ in range(40):
        before = pick.copy()
        for e in order:
            pick[e] = (own_cost[e] + clash[e][:, every, pick].sum(axis=1)).argmin()
        if (pick == before).all():
            break
    pairs = clash[every[:, None], pick[:, None], every, pick].sum() / 2
    return float(own_cost[every, pick].sum() + pairs)
