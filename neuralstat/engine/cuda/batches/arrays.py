"""What kernels of minibatch training receive."""

from __future__ import annotations

from typing import Any, NamedTuple

FIRST, SIZE, STEP, WHOLE = range(4)  # columns of Turn.items
ITEMS = 4
LOSS, METRIC = range(2)  # columns of Buffers.parts


class Turn(NamedTuple):
    """Which observations, for whom; advanced on the device."""

    items: Any  # (T, ITEMS) int64: first of the order, observations, row of the constants, observations of the batch
    clock: Any  # (1,) int64: the current item
    status: Any  # (S,) int64: kernels pass over members that are not RUNNING
    order: Any  # (S, n) int64 order of the observations, or (S, 0) for their own


class Model(NamedTuple):
    """The network."""

    table: Any  # (layers, COLUMNS) int64
    constants: Any  # (layers,)
    theta: Any  # (S, P)
    grad: Any  # (S, P), zero between steps
    products: Any  # (products, geometry.COLUMNS) int64


class Buffers(NamedTuple):
    """Units of a block of observations."""

    value: Any  # (S, width, L)
    slope: Any
    delta: Any
    target: Any  # (S, K, L)
    case: Any  # (S, L)
    parts: Any  # (S, blocks, 2) float64: sums of loss and metric by the blocks of the loss kernel
    shares: Any  # (S, n) partial sums of gradients
    turned: Any  # (S, n) weights of recurrent layers, turned round


class Rows(NamedTuple):
    """Observations."""

    x: Any  # (1, n, D), inputs side by side
    y: Any  # (1 or S, K, n)
    weight: Any  # (1 or S, n or 0)
    offset: Any  # (K, n or 0)


class Memory(NamedTuple):
    """The optimizer's, and what it is told."""

    slots: Any  # (S, slots, P)
    movable: Any  # (P,) bool
    penalty: Any  # (P or 0, 4)
    groups: Any  # (P,) int64 array of weights that a weight belongs to, for clipping
    norms: Any  # (S, groups) squares of norms
    steps: Any  # (S,) int64
    sums: Any  # (S, 2) float64 of an epoch
    extra: Any  # (S, blocks) float64 sums of the penalty
    constants: Any  # (steps, 1 or S, first_order.CONSTANTS), and 1 / size of the batch in SCALE
    keys: Any  # (S, 2) uint64
    momentum: Any  # (layers,) of moving averages
    bound: Any  # optimizers.constraints.Bound
