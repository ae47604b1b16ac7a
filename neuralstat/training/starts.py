"""Random starts at which every mean is possible and finite: inside the range of the link, near the mean."""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING, Any

import numpy as np

from ..cluster import ClusterDesign
from ..families import Distributional
from ..families.beginning import answered
from ..network import derivatives
from ..network.passes import suits

if TYPE_CHECKING:
    from ..formula import Design
    from ..network.network import Network

EXTREME = 30.0  # size of a random linear predictor from which a start is moved
NEAR = 0.5  # largest distance from its constant that a random linear predictor of a parameter has
MODERATE = 2.0  # largest distance from the mean that it then has
READ = 1000  # first rows, at which is looked where they are read from files or functions
SEEN = 32  # rows, at which is looked where a pass is much work


def feasible(network: Network, design: Design, theta: np.ndarray, free: np.ndarray) -> np.ndarray:
    """Start weights (B, P) from which every mean is possible.

    Where the link lets the linear predictor be any number, and it is of moderate size, `theta` is returned as it is.
    Networks that are large are looked at in some rows, and in all only where these come near the limit.
    Otherwise each output's bias is set so that the mean linear predictor is the link of the mean response, and the other
    weights into the output are shrunk, if need be, until the linear predictor keeps half its distance from the ends of its
    range, or stays within `MODERATE` of its mean (covariates of large units would start a log link at exp(10,000)).

    Parameters
    ----------
    network : Network
    design : Design
    theta : (B, P) array
        Random weights.
    free : (P,) bool array
        Weights held out of the fit are not changed.
    """
    family = network.objective.family
    if isinstance(family, Distributional):
        return _of_parameters(network, design, theta, free, family)
    if family is None or family.name == "multinomial":
        return theta
    if family.link.name == "identity" and all(np.isinf(family.predictor_range(sign)).all() for sign in (1.0, -1.0)):
        return theta  # without a pass through all observations
    if suits(network) and not design.away and design.offset is None and _moderate(network, design, theta, family):
        return theta
    theta, at = theta.copy(), _predictors(network, design, theta)
    per_unit, units = network.shapes[-1]
    for k in range(units):
        mean = at.mean_response(k)
        low, high = family.predictor_range(1.0 if mean >= 0 else -1.0)
        free_range = bool(np.isinf(low) and np.isinf(high))
        if free_range and (family.link.name == "identity" or at.largest(k) <= EXTREME):
            continue
        centre = float(family.link(_possible(mean, family.means, at.total_weight)))
        if not low < centre < high:  # a mean that the link cannot give
            continue
        first = network.n_params - (units - k) * per_unit
        into = np.flatnonzero(free[first + 1 : first + per_unit]) + first + 1
        for b in range(theta.shape[0]):
            spread, average = at.without_bias(b, k, theta[b, first])
            movable = spread > 0 and (into.size == per_unit - 1 or bool(network.towers))  # effects of levels start at 0
            room = MODERATE if free_range else 0.5 * min(centre - low, high - centre)
            shrink = min(1.0, room / spread) if movable else 1.0
            theta[b, into] *= shrink
            if free[first]:
                theta[b, first] = centre - shrink * average - at.known(b, k)
    return theta


def _moderate(network: Network, design: Design, theta: np.ndarray, family: Any) -> bool:
    """Whether linear predictors, which may be any numbers, are far from `EXTREME` at some rows, in single precision.

    Of inputs in memory the rows are those with the largest one and others at equal distances.
    """
    if not all(np.isinf(family.predictor_range(sign)).all() for sign in (1.0, -1.0)):
        return False
    x, n = design.x, design.x.shape[1]
    some = np.unique(np.linspace(0, n - 1, min(n, SEEN)).astype(np.int64))
    if isinstance(x, np.ndarray):
        sizes = np.maximum(x.max(axis=0), -x.min(axis=0))
        seen = x[:, np.union1d(some, np.argsort(sizes)[-SEEN:])] if n > SEEN else x
    else:
        seen = x.select(some)
    raw = derivatives.outputs(network, seen, theta.astype(np.float32))
    return bool(np.abs(raw).max() <= EXTREME / 2)


class _Here:
    """Linear predictors of a stack without the offset, and responses, of rows that are here."""

    def __init__(self, network: Network, design: Design, theta: np.ndarray) -> None:
        self.w = np.ones(design.y.shape[1]) if design.weights is None else design.weights
        x, offset = design.x, design.offset
        if not getattr(x, "lasting", True):  # reading may be as much work as training
            some = np.arange(min(x.shape[1], READ))
            x, offset = x.select(some), None if offset is None else np.ascontiguousarray(offset[:, some])  # type: ignore[attr-defined]
        self.y, self.offset = design.y, 0.0 if offset is None else offset
        self.raw = derivatives.outputs(network, x, theta, offset) - self.offset  # (B, K, n)

    @property
    def total_weight(self) -> float:
        return float(self.w.sum())

    def mean_response(self, k: int) -> float:
        return float(self.y[k] @ self.w / self.w.sum())

    def largest(self, k: int) -> float:
        return float(np.max(np.abs(self.raw[:, k])))

    def without_bias(self, b: int, k: int, bias: float) -> tuple[float, float]:
        """Largest distance from their mean, and the mean, of output k without its bias."""
        part = self.raw[b, k] - bias
        return float(np.abs(part - part.mean()).max()), float(part.mean())

    def known(self, b: int, k: int) -> float:
        """Mean of the offset."""
        return float(np.mean(np.broadcast_to(self.offset, self.raw[b].shape)[k]))


class _Away:
    """The same of rows on a cluster."""

    def __init__(self, network: Network, design: ClusterDesign, theta: np.ndarray) -> None:
        self.low, self.high, self.mean = design.spread(network, theta)
        self.total_weight, self._means, self._known = design.total_weight, design.means, design.known

    def mean_response(self, k: int) -> float:
        return float(self._means[k])

    def largest(self, k: int) -> float:
        return float(max(np.abs(self.low[:, k]).max(), np.abs(self.high[:, k]).max()))

    def without_bias(self, b: int, k: int, bias: float) -> tuple[float, float]:
        mean = float(self.mean[b, k])
        return max(float(self.high[b, k]) - mean, mean - float(self.low[b, k])), mean - bias

    def known(self, b: int, k: int) -> float:
        return float(self._known[k])


def _predictors(network: Network, design: Design, theta: np.ndarray) -> _Here | _Away:
    return _Away(network, design, theta) if isinstance(design, ClusterDesign) else _Here(network, design, theta)


def _of_parameters(
    network: Network, design: Design, theta: np.ndarray, free: np.ndarray, family: Distributional
) -> np.ndarray:
    """Weights (B, P) from which the parameters' linear predictors are near those of the distribution without covariates.

    Outputs without a bounded range of parameters (location) keep their random weights, those of other parameters' are shrunk
    until the linear predictor stays within `NEAR` of its constant.
    """
    theta = theta.copy()
    without_bias, centres, known = _parameters(network, design, theta, family)
    per_unit, units = network.shapes[-1]
    for k in range(units):
        first = network.n_params - (units - k) * per_unit
        into = np.flatnonzero(free[first + 1 : first + per_unit]) + first + 1
        more = known[k] if k < len(known) else 0.0
        free_range = k < family.leading and family.located
        for b in range(theta.shape[0]):
            spread, average = without_bias(b, k, theta[b, first])
            shrink = min(1.0, NEAR / spread) if spread > 0 and not free_range else 1.0
            theta[b, into] *= shrink
            if free[first]:
                theta[b, first] = centres[k] - shrink * average - more
    return theta


def _parameters(
    network: Network, design: Design, theta: np.ndarray, family: Distributional
) -> tuple[Callable[[int, int, float], tuple[float, float]], np.ndarray, np.ndarray]:
    """Linear predictors without their bias, as `_Away.without_bias`; linear predictors of constants; means of the offset."""
    if isinstance(design, ClusterDesign):
        there = _Away(network, design, theta)
        return there.without_bias, answered(family.beginning(), design.sum_of_responses), design.known
    w = np.ones(design.y.shape[1]) if design.weights is None else design.weights
    known = np.zeros((network.n_outputs, 1)) if design.offset is None else design.offset
    raw = derivatives.outputs(network, design.x, theta, design.offset)

    def without_bias(b: int, k: int, bias: float) -> tuple[float, float]:
        part = raw[b, k] - bias - (known[k] if k < len(known) else 0.0)
        return float(np.abs(part - part.mean()).max()), float(part.mean())

    return without_bias, family.start(design.y, w), known.mean(axis=1)


def _possible(mean: float, means: tuple[float, float], n: float) -> float:
    """A mean response moved inside the open interval of means, by half an observation of n."""
    low, high = means
    if np.isfinite(high):
        return float(np.clip(mean, low + 0.5 / (n + 1), high - 0.5 / (n + 1)))
    return max(mean, low + 0.5 / (n + 1))
