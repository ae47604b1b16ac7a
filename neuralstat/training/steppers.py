"""How a network of a stack is moved on: one compiled call per optimizer, with the memory that it needs."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np

from ..engine import cpu, descent
from ..engine.curvature import curve_buffers
from ..engine.quasi_newton import Memory, train_quasi_newton
from ..engine.second_order import train_lm
from ..engine.tracking import Rules, Track
from ..functions.activations import LOG_SOFTMAX, SOFTMAX
from ..functions.losses import MULTINOMIAL
from ..functions.penalties import DECAY, ELIMINATION, L1
from ..layers import codes
from ..optimizers import LBFGS, LM, RProp, lm, quasi_newton, rprop
from .rooms import Works
from .stack import Stack

Stepper = Callable[[int, int], None]


def first_order(
    net: cpu.Net,
    data: cpu.Data,
    code: int,
    settings: np.ndarray,
    threshold: float,
    stepmax: int,
    stack: Stack,
) -> Stepper:
    """``step(b, budget)`` for R's algorithms."""
    works = Works(net, data, stack.theta)

    def step(b: int, budget: int) -> None:
        with works.one() as work:
            descent.train_first_order(
                net, data, code, settings, threshold, stepmax, stack.theta, stack.free, stack.before, stack.rate,
                stack.steps, stack.loss, stack.reached, stack.status, stack.trace, stack.recorded,
                stack.stride, b, budget, work,
            )  # fmt: skip

    return step


class SecondOrder:
    """``step(b, budget)`` for optimizers with curvature.

    A network's memory is made when it starts and dropped when it stops, so that there are only as many as
    threads (and as networks that wait to be continued).
    """

    def __init__(
        self,
        net: cpu.Net,
        data: cpu.Data,
        optimizer: Any,
        threshold: float,
        tol: float | None,
        stepmax: int,
        stack: Stack,
    ) -> None:
        self.net, self.data, self.optimizer, self.stack = net, data, optimizer, stack
        self.rules = Rules(threshold, -1.0 if tol is None else float(tol), stepmax)
        self.track = Track(stack.theta, stack.free, stack.steps, stack.loss, stack.reached, stack.status,
                           stack.trace,
                           stack.recorded, stack.stride)  # fmt: skip
        self._memory: dict[int, Any] = {}
        self._works = Works(net, data, stack.theta)

    def __call__(self, b: int, budget: int) -> None:
        """Move network b on."""
        memory = self._memory.get(b)
        if memory is None:
            memory = self._memory[b] = self._make(self.stack.free[b % self.stack.free.shape[0]])
        with self._works.one() as work:
            if isinstance(self.optimizer, LM):
                curve, numbers, grad, matrix, secant, root = memory
                train_lm(self.net, self.data, self.rules, self.track, self.optimizer.settings(), curve, numbers, grad, matrix,
                         secant, root, b, budget, work)  # fmt: skip
            else:
                train_quasi_newton(self.net, self.data, self.rules, self.track, memory, b, budget, work)
        if self.stack.status[b] != cpu.RUNNING:
            del self._memory[b]

    def _make(self, free: np.ndarray) -> Any:
        size, n_params = int(free.sum()), free.size
        if isinstance(self.optimizer, LM):
            last = self.net.table[-1]
            coupled = self.net.loss == MULTINOMIAL or last[codes.ACT] in (SOFTMAX, LOG_SOFTMAX)
            curve = curve_buffers(self.net.table, int(last[codes.N_OUT]), free, bool(coupled))
            return curve, np.zeros(lm.MEMORY), np.zeros(n_params), *np.zeros((3, size, size))
        limited = isinstance(self.optimizer, LBFGS)
        bent, kinked = self.net.penalty.copy(), self.net.penalty.copy()
        bent[:, L1] = 0
        kinked[:, [DECAY, ELIMINATION]] = 0
        return Memory(
            np.zeros(quasi_newton.MEMORY), np.flatnonzero(free), np.zeros(n_params), np.zeros(n_params),
            np.zeros((0, 0) if limited else (size, size)),
            np.zeros((2, self.optimizer.memory, size) if limited else (2, 0, 0)),
            bent,
            kinked,
        )  # fmt: skip


def make_stepper(
    net: cpu.Net,
    data: cpu.Data,
    algorithm: Any,
    threshold: float,
    tol: float | None,
    stepmax: int,
    stack: Stack,
) -> Stepper:
    """``step(b, budget)`` of an algorithm: moves network b on by about `budget` gradients."""
    if isinstance(algorithm, RProp) or algorithm.name in rprop.CODES:
        settings = algorithm.settings(data.x.dtype)
        return first_order(net, data, rprop.CODES[algorithm.name], settings, threshold, stepmax, stack)
    return SecondOrder(net, data, algorithm, threshold, tol, stepmax, stack)
