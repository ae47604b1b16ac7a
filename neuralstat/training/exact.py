"""Exact fits of networks without hidden units: they are generalised linear models, with one optimum.

Fisher scoring by iteratively reweighted least squares (McCullagh & Nelder 1989, section 2.5), each step by an orthogonal
decomposition of the weighted design; Newton's method where outputs share a likelihood (softmax). Columns are brought to
one length first, so that units of measurement do not matter.
"""

from __future__ import annotations

import time
from typing import TYPE_CHECKING, Any

import numpy as np

from ..engine import cpu
from ..families import Binomial, Family, Gaussian, Multinomial
from ..functions.penalties import DECAY, ELIMINATION, L1, penalise
from ..jit.compile import as_python
from .fit import Fit

if TYPE_CHECKING:
    from ..network.network import Network

ITERATIONS = 200
HALVINGS = 60
FLOOR = 1e-12  # least weight beside the largest
SMALLEST_GAIN = 1e-15  # relative fall of the objective below which a step is the last
MOST_NUMBERS = 50_000_000  # of a design
MOST_WORK = 1e11  # products of one least squares problem
ALGORITHM = "iteratively reweighted least squares"


def family_of(network: Network) -> Family | None:
    """The family whose half deviance is minimised; None where the error belongs to none, or the output to no link."""
    objective = network.objective
    if objective.family is not None:
        return None if objective.several else objective.family
    if objective.name == "sse" and objective.output.name == "identity":
        return Gaussian()
    return Binomial() if objective.name == "ce_logit" else None


def possible(network: Network, n: int, penalty: np.ndarray | None) -> bool:
    """Whether a fit to n observations can be exact: one dense layer, a family, a quadratic penalty, not too large."""
    if len(network.layers) != 1 or not network.dense or family_of(network) is None:
        return False
    if penalty is not None and bool(np.any(penalty[:, [ELIMINATION, L1]] != 0)):
        return False
    columns = network.shapes[0][0] * (network.n_outputs if isinstance(family_of(network), Multinomial) else 1)
    return n * columns <= MOST_NUMBERS and n * float(columns) ** 2 <= MOST_WORK


def train_exactly(
    network: Network, data: cpu.Data, start: np.ndarray, free: np.ndarray, penalty: np.ndarray | None
) -> Fit:
    """Fit every network of a stack to its optimum.

    Parameters
    ----------
    network : Network
        For which `possible` holds.
    data : Data
        From `make_data`.
    start : (B, P) array
        Where weights that are not free stay; the others do not depend on it.
    free : (P,) or (B, P) bool array
    penalty : (P, 4) array, optional

    Returns
    -------
    Fit
        Status "converged", or "no further descent possible" where the optimum is not finite (separation).
    """
    began = time.perf_counter()
    b = start.shape[0]
    free = np.atleast_2d(free)
    theta = np.array(start, float)
    steps, status = np.ones(b, np.int64), np.zeros(b, np.int64)
    exact = cpu.Data(*(a if a.dtype == np.int64 else np.ascontiguousarray(a, np.float64) for a in data))
    for k in range(b):
        problem = _Problem(network, exact, k, theta[k], free[k if free.shape[0] > 1 else 0], penalty)
        theta[k], steps[k], done = problem.solve()
        status[k] = cpu.CONVERGED if done else cpu.STALLED
    loss, reached = np.empty(b), np.empty(b)
    net = network.net()
    for k in range(b):
        grad = np.empty(theta.shape[1])
        loss[k] = cpu.loss_gradient(net, exact, theta[k], k, 0, as_python(cpu.n_seen)(exact, k), grad)
        if penalty is not None:
            loss[k] += float(as_python(penalise)(penalty, theta[k], grad))
        own = free[k if free.shape[0] > 1 else 0]
        reached[k] = np.max(np.abs(grad[own]), initial=0.0)
    trace = [(np.array([s]), np.array([e])) for s, e in zip(steps, loss, strict=True)]
    return Fit(theta, np.array(start), free, loss, reached, steps, status, trace, time.perf_counter() - began, "cpu",
               ALGORITHM)  # fmt: skip


class _Problem:
    """One generalised linear model: the observations of network b of a stack."""

    def __init__(
        self, network: Network, data: cpu.Data, b: int, theta: np.ndarray, free: np.ndarray, penalty: np.ndarray | None
    ) -> None:
        family = family_of(network)
        assert family is not None
        self.family = family
        self._net, self._data, self._b = network.net(), data, b
        self._n = as_python(cpu.n_seen)(data, b)
        rows: Any = slice(None)
        if data.rows.shape[1]:
            rows = data.rows[b if data.rows.shape[0] > 1 else 0]
            rows = rows[: data.count[b if data.count.size > 1 else 0]] if data.count.size else rows
        x = data.x[:, rows].astype(float)
        n = x.shape[1]
        self.design = np.vstack([np.ones((1, n)), x]).T  # (n, 1 + D)
        self.y = data.y[b if data.y.shape[0] > 1 else 0][:, rows].astype(float)
        weight = data.weight[b if data.weight.shape[0] > 1 else 0]
        self.w = np.ones(n) if weight.size == 0 else weight[rows].astype(float)
        self.known = np.zeros(self.y.shape) if data.offset.shape[1] == 0 else data.offset[:, rows].astype(float)
        self.units, self.per_unit = self.y.shape[0], self.design.shape[1]
        self.theta = theta.reshape(self.units, self.per_unit).copy()
        self.free = free.reshape(self.units, self.per_unit)
        self.decay = np.zeros(self.theta.shape) if penalty is None else penalty[:, DECAY].reshape(self.theta.shape)
        length = np.sqrt(np.mean(np.square(self.design), axis=0))
        self.length = np.where(length > 0, length, 1.0)

    def solve(self) -> tuple[np.ndarray, int, bool]:
        """Weights (P,), number of steps, and whether an optimum was reached."""
        if isinstance(self.family, Multinomial):
            return self._newton()
        steps, done = 1, True
        for k in range(self.units):
            own, there = self._scoring(k)
            steps, done = max(steps, own), done and there
        return self.theta.ravel(), steps, done

    # one linear predictor ----------------------------------------------------------------------------------

    def _scoring(self, k: int) -> tuple[int, bool]:
        """Fisher scoring of output k."""
        move = self.free[k]
        self._begin(k)
        value = self._value(k, self.theta[k])
        for step in range(1, ITERATIONS):
            eta = self.known[k] + self.design @ self.theta[k]
            link = self.family.link
            mu, rise = link.inverse(eta), link.inverse_deriv(eta)
            with np.errstate(all="ignore"):
                weight = self.w * rise**2 / self.family.variance(mu)
                working = (self.y[k] - mu) / rise
            use = np.isfinite(weight) & np.isfinite(working) & (weight > 0)
            if not move.any():
                return step, True
            if not use.any():
                return self._rounded(k, step)
            delta = self._least_squares(k, np.sqrt(weight[use]), working[use], use, move)
            moved, lower = self._descend(k, delta, value)
            gain = value - lower
            self.theta[k] = moved
            if not gain > SMALLEST_GAIN * max(abs(value), abs(lower)):
                return (step, True) if self._at_optimum(k) else self._rounded(k, step)
            value = lower
        return ITERATIONS, self._at_optimum(k)

    def _rounded(self, k: int, step: int) -> tuple[int, bool]:
        """Go on where means round to the ends of their range, so that weights vanish: gradients of the kernels instead.

        They are of the linear predictor, and weights are kept from 0, which only shortens steps.
        """
        move, length = self.free[k], self.length[self.free[k]]
        value = self._value(k, self.theta[k])
        for more in range(ITERATIONS):
            gradient = self._gradient(k)[move]
            eta = self.known[k] + self.design @ self.theta[k]
            with np.errstate(all="ignore"):
                rise = self.family.link.inverse_deriv(eta)
                weight = self.w * rise**2 / self.family.variance(self.family.link.inverse(eta))
            top = np.max(weight[np.isfinite(weight)], initial=0.0)
            weight = np.where(np.isfinite(weight), np.maximum(weight, FLOOR * top), FLOOR * top)
            a = self.design[:, move] / length
            bend = (a.T * weight) @ a + np.diag(self.decay[k, move] / length**2)
            delta = np.zeros(self.per_unit)
            delta[move] = -np.linalg.lstsq(bend, gradient / length, rcond=1e-14)[0] / length
            moved, lower = self._descend(k, delta, value)
            gain = value - lower
            self.theta[k] = moved
            if not gain > SMALLEST_GAIN * max(abs(value), abs(lower)):
                return step + more, self._at_optimum(k)
            value = lower
        return step + ITERATIONS, self._at_optimum(k)

    def _gradient(self, k: int) -> np.ndarray:
        """(1 + D,) gradient of half deviance and penalty in the weights of output k."""
        grad = np.empty(self.theta.size)
        cpu.loss_gradient(self._net, self._data, self.theta.ravel(), self._b, 0, self._n, grad)
        return grad.reshape(self.theta.shape)[k] + self.decay[k] * self.theta[k]

    def _begin(self, k: int) -> None:
        """Start at the mean: slopes 0, the constant at the link of the mean response."""
        self.theta[k, self.free[k]] = 0.0
        if not self.free[k, 0]:
            return
        total = self.w.sum()
        low, high = self.family.means
        mean = float(self.y[k] @ self.w / total) if total > 0 else 0.0
        mean = float(np.clip(mean, low + 0.5 / (total + 1) if np.isfinite(low) else -np.inf,
                             high - 0.5 / (total + 1) if np.isfinite(high) else np.inf))  # fmt: skip
        rest = self.known[k] + self.design[:, 1:] @ self.theta[k, 1:]
        self.theta[k, 0] = float(self.family.link(mean)) - (rest @ self.w / total if total > 0 else 0.0)

    def _least_squares(self, k: int, root: np.ndarray, working: np.ndarray, use: np.ndarray, move: np.ndarray) -> Any:
        """Step (1 + D,) of weighted least squares with the penalty's rows below the design."""
        a = self.design[use][:, move] / self.length[move] * root[:, np.newaxis]
        target = working * root
        decay = self.decay[k, move]
        if decay.any():
            bend = np.sqrt(decay)
            a = np.vstack([a, np.diag(bend / self.length[move])])
            target = np.concatenate([target, -bend * self.theta[k, move]])
        delta = np.zeros(self.per_unit)
        delta[move] = np.linalg.lstsq(a, target, rcond=None)[0] / self.length[move]
        return delta

    def _descend(self, k: int, delta: np.ndarray, value: float) -> tuple[np.ndarray, float]:
        """The step, halved until the objective falls; no step where it does not."""
        for _ in range(HALVINGS):
            moved = self.theta[k] + delta
            there = self._value(k, moved)
            if there <= value:
                return moved, there
            delta = delta / 2
        return self.theta[k], value

    def _value(self, k: int, beta: np.ndarray) -> float:
        """Half deviance and penalty; infinite where a mean is impossible."""
        eta = self.known[k] + self.design @ beta
        low, high = self.family.predictor_range(1.0 if self.y[k].mean() >= 0 else -1.0)
        if not np.all((eta > low) & (eta < high)) and np.isfinite([low, high]).any():
            return np.inf
        theta = self.theta.copy()
        theta[k] = beta
        unused = np.empty(theta.size)
        value = float(cpu.loss_gradient(self._net, self._data, theta.ravel(), self._b, 0, self._n, unused))
        value += float(np.sum(self.decay[k] * beta**2)) / 2
        return value if np.isfinite(value) else np.inf

    def _at_optimum(self, k: int) -> bool:
        """Whether the gradient vanishes beside its summands' size."""
        eta = self.known[k] + self.design @ self.theta[k]
        mu = self.family.link.inverse(eta)
        with np.errstate(all="ignore"):
            score = self.w * (self.y[k] - mu) * self.family.link.inverse_deriv(eta) / self.family.variance(mu)
        score = np.where(np.isfinite(score), score, 0.0)
        size = np.abs(self.design.T) @ np.abs(score) + self.decay[k] * np.abs(self.theta[k])
        move = self.free[k]
        scale = np.maximum(size, self.length * np.sqrt(np.sum(self.w)) * 1e-3)
        return bool(np.all(np.abs(self._gradient(k)[move]) <= 1e-6 * scale[move]))

    # softmax -----------------------------------------------------------------------------------------------

    def _newton(self) -> tuple[np.ndarray, int, bool]:
        """Newton's method for all outputs at once; the direction that softmax leaves open stays where it is."""
        move = self.free.ravel()
        self.theta[self.free] = 0.0
        value = self._softmax_value(self.theta)
        counts = self.y.sum(axis=0)
        done = False
        for step in range(1, ITERATIONS):
            p = self._probabilities(self.theta)
            gradient = (self.w * (counts * p - self.y)) @ self.design + self.decay * self.theta
            scale = np.tile(self.length, self.units)
            hessian = self._information(p, self.w * counts) + np.diag(self.decay.ravel())
            scaled = hessian[np.ix_(move, move)] / np.outer(scale[move], scale[move])
            delta = np.zeros(move.size)
            delta[move] = -np.linalg.lstsq(scaled, gradient.ravel()[move] / scale[move], rcond=1e-13)[0] / scale[move]
            delta = delta.reshape(self.theta.shape)
            lower = value
            for _ in range(HALVINGS):
                lower = self._softmax_value(self.theta + delta)
                if lower <= value:
                    break
                delta = delta / 2
            else:
                lower, delta = value, np.zeros_like(delta)
            self.theta = self.theta + delta
            if not value - lower > SMALLEST_GAIN * max(abs(value), abs(lower)):
                size = np.abs(self.design.T) @ np.abs(self.w * (counts * p - self.y)).T
                small = np.maximum(size.T.ravel(), scale * np.sqrt(np.sum(self.w)) * 1e-3)
                done = bool(np.all(np.abs(gradient.ravel()[move]) <= 1e-6 * small[move]))
                return self.theta.ravel(), step, done
            value = lower
        return self.theta.ravel(), ITERATIONS, done

    def _probabilities(self, theta: np.ndarray) -> np.ndarray:
        eta = self.known + theta @ self.design.T
        eta = eta - eta.max(axis=0)
        p = np.exp(eta)
        return p / p.sum(axis=0)

    def _softmax_value(self, theta: np.ndarray) -> float:
        eta = self.known + theta @ self.design.T
        top = eta.max(axis=0)
        log_total = top + np.log(np.sum(np.exp(eta - top), axis=0))
        value = -float(np.sum(self.w * np.sum(self.y * (eta - log_total), axis=0)))
        value += float(np.sum(self.decay * theta**2)) / 2
        return value if np.isfinite(value) else np.inf

    def _information(self, p: np.ndarray, w: np.ndarray) -> np.ndarray:
        """(P, P) Hessian of the negative log-likelihood."""
        k, d = self.units, self.per_unit
        out = np.empty((k, d, k, d))
        for i in range(k):
            for j in range(i, k):
                v = w * (p[i] * (float(i == j) - p[j]))
                block = (self.design.T * v) @ self.design
                out[i, :, j, :], out[j, :, i, :] = block, block.T
        return out.reshape(k * d, k * d)
