"""Training on a device by launches, between which Ctrl-C is heard and somebody may watch."""

from __future__ import annotations

import time
from collections.abc import Callable
from typing import Any

import numpy as np

from ...errors import DeviceError
from ...functions.penalties import L1
from ...optimizers import LBFGS, LM, rprop
from ..cpu import RUNNING, Data, Net
from ..tracking import Rules, Track
from . import Resident, fetch, kernels_for, lanes, launch, losses, send, upload
from .plan import is_dense_chain, jacobian_rows, most_observations

LAUNCH = 0.5  # seconds of one launch
FEW, MANY = 32, 16_384  # networks, observations


class Trainer:
    """R's algorithms: launches of so many steps that each lasts about half a second, until all networks stopped."""

    names: tuple[str, ...] = (
        "theta", "free", "before", "rate", "steps", "loss", "reached", "status", "trace", "recorded", "stride",
    )  # fmt: skip
    first_budget = 100  # steps of the first launch

    def __init__(self, net: Net, algorithm: Any, threshold: float, stepmax: int) -> None:
        self.net, self.algorithm = net, algorithm
        self.threshold, self.stepmax = threshold, stepmax

    def extra(self, stack: Any, data: Data) -> Any:
        """``stride -> numbers`` of the workspace beside the gradient's."""
        return None

    def prepare(self, there: Resident, state: dict[str, Any], stack: Any) -> tuple[Any, tuple[Any, ...]]:
        """The kernel, and its arguments behind the budget; `state` holds the arrays on the device."""
        from .first_order import State

        code, settings = rprop.CODES[self.algorithm.name], self.algorithm.settings(there.data.x.dtype)
        arguments = code, send(settings), self.threshold, self.stepmax, State(**state)
        return kernels_for(self.net, there).train, arguments

    def queue(self, status: np.ndarray, budget: int) -> np.ndarray:
        """Networks of the next launch."""
        return np.flatnonzero(status == RUNNING)

    def start(self, kernel: Any, there: Resident, status: np.ndarray, budget: int, more: tuple[Any, ...]) -> None:
        """One launch."""
        queue, taken = send(self.queue(status, budget)), send(np.zeros(1, np.int64))
        launch(kernel, there, (there.problem, there.data, there.plan, there.work, queue, taken, budget, *more))

    def blocks(self, data: Data, count: int) -> int:
        """Blocks that have something to do."""
        return count

    def bytes_per_network(self, stack: Any, data: Data) -> int:
        """Bytes on the device per network, beside the stack's own arrays."""
        return 0

    def run(
        self, data: Data, stack: Any, first: int, last: int, watch: Callable[[], None] | None, chunk: int | None
    ) -> bool:
        """Train networks first .. last; False after Ctrl-C."""
        count = stack.theta.shape[0]
        here = {name: getattr(stack, name) for name in self.names}
        here = {name: array[first:last] if array.shape[0] == count else array for name, array in here.items()}
        blocks = self.blocks(data, last - first)
        there = upload(self.net, data, stack.theta.shape[1], blocks, self.extra(stack, data))
        state = {name: send(array) for name, array in here.items()}
        kernel, more = self.prepare(there, state, stack)
        budget, finished = chunk or self.first_budget, True
        try:
            while np.any(here["status"] == RUNNING):
                began = time.perf_counter()
                self.start(kernel, there, here["status"], budget, more)
                for name in ("steps", "loss", "reached", "status"):
                    fetch(state[name], here[name])
                if watch is not None:
                    watch()
                if chunk is None:
                    spent = max(time.perf_counter() - began, 1e-6)
                    budget = int(min(max(budget * LAUNCH / spent, 1), 4 * budget))
        except KeyboardInterrupt:
            finished = False  # the caller marks what is still running as interrupted
        for name in self.names:
            if name != "free":
                fetch(state[name], here[name])
        return finished


class Large(Trainer):
    """R's algorithms for few networks with many observations: all blocks work on the same network."""

    names = Trainer.names

    def prepare(self, there: Resident, state: dict[str, Any], stack: Any) -> tuple[Any, tuple[Any, ...]]:
        """What runs `budget` steps, and its arguments."""
        from . import large
        from .first_order import State

        kernels = kernels_for(self.net, there, "large")
        n, (count, n_params), dtype = most_observations(there.data), state["theta"].shape, there.data.x.dtype
        share = large.share_of(n)
        shares = max(-(-n // share), 1)
        code, settings = rprop.CODES[self.algorithm.name], send(self.algorithm.settings(dtype))
        losses, grads = send(np.zeros((count, shares), dtype)), send(np.zeros((count, shares, n_params), dtype))
        one_each = there._replace(blocks=count, shared=0)

        def steps(budget: int) -> None:
            for _ in range(budget):
                launch(kernels.partial, there, (
                    there.problem, there.data, there.plan, there.work, state["status"], share, state["theta"], losses,
                    grads,
                ))  # fmt: skip
                launch(kernels.step, one_each, (
                    there.problem, code, settings, self.threshold, self.stepmax, State(**state), losses, grads,
                ))  # fmt: skip

        return steps, ()

    def start(self, kernel: Any, there: Resident, status: np.ndarray, budget: int, more: tuple[Any, ...]) -> None:
        """One launch."""
        kernel(budget)

    def blocks(self, data: Data, count: int) -> int:
        """Blocks that have something to do."""
        from . import large

        n = most_observations(data)
        return count * max(-(-n // large.share_of(n)), 1)

    def bytes_per_network(self, stack: Any, data: Data) -> int:
        """Bytes of the partial sums."""
        return self.blocks(data, 1) * (stack.theta.shape[1] + 1) * stack.theta.itemsize


class Curved(Trainer):
    """LM, BFGS and L-BFGS: launches of so many networks, each trained to its end."""

    names = ("theta", "free", "steps", "loss", "reached", "status", "trace", "recorded", "stride")
    first_budget = 256  # networks of the first launch

    def __init__(self, net: Net, algorithm: Any, threshold: float, tol: float | None, stepmax: int) -> None:
        super().__init__(net, algorithm, threshold, stepmax)
        self.tol = -1.0 if tol is None else float(tol)
        self.most = algorithm.memory if isinstance(algorithm, LBFGS) else 0  # differences that are kept

    def queue(self, status: np.ndarray, budget: int) -> np.ndarray:
        """Networks of the next launch."""
        return np.flatnonzero(status == RUNNING)[:budget]

    def extra(self, stack: Any, data: Data) -> Any:
        """``stride -> numbers`` of the workspace beside the gradient's."""
        size = max(int(stack.free.sum(axis=1).max()), 1)
        return lambda stride: self._room(stride, stack.theta.shape[1], data.y.shape[1], size)[1]

    def _room(self, stride: int, n_params: int, outputs: int, size: int) -> Any:
        from . import quasi_newton, second_order

        if isinstance(self.algorithm, LM):
            return second_order.room(stride, self.net.width + 1, outputs, n_params, size, lanes())
        return quasi_newton.room(n_params, size, self.most)

    def prepare(self, there: Resident, state: dict[str, Any], stack: Any) -> tuple[Any, tuple[Any, ...]]:
        """The kernel, and its arguments behind the budget; `state` holds the arrays on the device."""
        from .second_order import Weights

        n_params, free = stack.theta.shape[1], stack.free
        size = np.maximum(free.sum(axis=1), 0).astype(np.int64)
        where = np.zeros((free.shape[0], max(int(size.max()), 1)), np.int64)
        for b in range(free.shape[0]):
            where[b, : size[b]] = np.flatnonzero(free[b])
        second = isinstance(self.algorithm, LM)
        unit = source = np.zeros(1, np.int64)
        if second:
            unit, source = jacobian_rows(self.net.table, self.net.width, n_params)
        places, _ = self._room(there.plan.stride, n_params, there.data.y.shape[1], where.shape[1])
        settings = self.algorithm.settings() if second else np.array([float(self.most)])
        rules = Rules(self.threshold, self.tol, self.stepmax)
        weights = Weights(send(where), send(size), send(unit), send(source))
        return kernels_for(self.net, there, self.algorithm.name), (
            rules, send(settings), places, weights, Track(**state))  # fmt: skip


def make_trainer(
    net: Net, data: Data, algorithm: Any, threshold: float, tol: float | None, stepmax: int, stack: Any, device: str
) -> Trainer:
    """What trains a stack by an algorithm.

    Few networks (at most `FEW`) with many observations (at least `MANY`) are worked on by all blocks together.

    Raises
    ------
    DeviceError
        Where the algorithm, or the algorithm with such layers or such a penalty, has no kernel.
    """
    what = f"device={device!r}: "
    if net.penalty.shape[0] and np.any(net.penalty[:, L1] != 0):
        raise DeviceError(f"{what}an L1 penalty has no kernel that sets weights to exact zeros: use device='cpu'.")
    if algorithm.name in rprop.CODES:
        alone = stack.theta.shape[0] <= FEW and most_observations(data) >= MANY
        return (Large if alone else Trainer)(net, algorithm, threshold, stepmax)
    if isinstance(algorithm, LM) and losses.code_of(net) is not None:
        raise DeviceError(
            f"{what}algorithm='lm' has a kernel for the families gaussian, binomial with the logit link and multinomial. Use "
            "'rprop+', 'bfgs' or 'lbfgs', or device='cpu'."
        )
    if isinstance(algorithm, LM) and (net.layered.any or not is_dense_chain(net.table)):
        raise DeviceError(
            f"{what}algorithm={algorithm.name!r} has a kernel for dense layers one after the other (softmax at the end "
            "only). Use 'rprop+', 'bfgs' or 'lbfgs', or device='cpu'."
        )
    return Curved(net, algorithm, threshold, tol, stepmax)
