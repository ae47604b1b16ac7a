"""Training by epochs on observations that are read when their turn comes: window by window, ahead of the kernels.

The order of the observations is the permutation of any other fit; a window is some batches of it. Threads read the next
windows (of arrays of any kind of number, mapped files, pictures, users' objects), and change images where that was asked
for, while the kernels are at work on the one before.
"""

from __future__ import annotations

import inspect
from collections import deque
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import numpy as np

from ..augment import change_rows
from ..engine import batches, cpu
from ..engine.batches import Plan, Rows, State
from ..engine.cpu import Net
from ..engine.sparse import Nonzeros
from ..errors import ArgumentError
from ..formula.gathered import ByRow, Gathered
from ..layers import codes
from ..network.upstream import reads

NUMBERS = 2**20  # of inputs in a window
AHEAD = 2  # windows that are read ahead


def together(rows: Rows) -> int:
    """Observations that follow one another in every order, as batches of a user's object do; 1 for others."""
    inputs: Any = rows.inputs
    return inputs.x.together if is_read(rows) else 1


def is_read(rows: Rows | None) -> bool:
    """Whether the inputs of observations are read when their turn comes."""
    return rows is not None and isinstance(rows.inputs, ByRow)


def check_read(design: Any, settings: Any) -> None:
    """Refuse what reads all observations at once, where they are files or a user's function.

    Raises
    ------
    ArgumentError
    """
    if not isinstance(design.x, Gathered) or design.x.lasting:
        return
    if not settings.minibatch:
        raise ArgumentError(f"algorithm={settings.algorithm!r} reads all rows at every step, but arrays of these data are "
                            "read batch by batch: use a minibatch optimizer, as algorithm='adam'.")  # fmt: skip
    if settings.batch_size is None:
        raise ArgumentError("batch_size=None is all rows at once, but arrays of these data are read batch by batch: give a "
                            "number of rows.")  # fmt: skip
    if settings.device != "cpu":
        raise ArgumentError(f"device={settings.device!r} holds all rows, but arrays of these data are read batch by batch: "
                            "use device='cpu'.")  # fmt: skip


def staging(rows: Rows, check: Rows | None, augment: Any, device: str) -> tuple[Rows, Rows | None, bool]:
    """Rows, validation rows, and whether observations come window by window; devices hold all of them.

    Raises
    ------
    ArgumentError
        Where images are read batch by batch, and are to be changed all at once.
    """
    if device != "cpu":
        whole = [r if r is None or not is_read(r) else r._replace(inputs=np.asarray(r.inputs)) for r in (rows, check)]
        return whole[0], whole[1], False  # type: ignore[return-value]
    if is_read(rows) and augment is not None and not by_index(augment):
        raise ArgumentError("augment must take index=, the numbers of the images, where these are read batch by batch, as "
                            "ImageAugmenter does.")  # fmt: skip
    return rows, check, is_read(rows) or is_read(check) or by_index(augment)


def by_index(augment: Any) -> bool:
    """Whether images can be changed apart from one another: the function takes their numbers, ``index=``, by this name.

    One that takes arguments of any name need not do anything with them.
    """
    try:
        found = inspect.signature(augment).parameters.values()
    except (TypeError, ValueError):
        return False
    return any(p.name == "index" and p.kind in (p.POSITIONAL_OR_KEYWORD, p.KEYWORD_ONLY) for p in found)


def sparse_first(net: Net, plan: Plan, rows: Rows, augment: Any) -> tuple[tuple[Net, Plan], Nonzeros] | None:
    """The layers behind the first, and the first, where it is a dense layer that alone reads a sparse matrix."""
    given: Any = rows.inputs
    if not is_read(rows) or given.x.sparse is None or augment is not None or len(net.table) < 2:
        return None
    row, inputs = net.table[0], rows.inputs.shape[1]
    others = min(first for k in range(1, len(net.table)) for first, _ in reads(net.table[k]))
    whole = row[codes.OP] == codes.DENSE and row[codes.SOURCE] == 0 and row[codes.N_IN] == inputs <= others
    if not whole or row[codes.OFFSET] >= 0 or not net.table[:, codes.WANTED].all():
        return None
    nothing = np.zeros(1, np.int64)
    first = Nonzeros(nothing, nothing[:0], np.zeros(0, rows.inputs.dtype), row.copy(), float(net.constants[0]))
    behind = net._replace(table=net.table[1:].copy(), constants=net.constants[1:].copy())
    return (behind, plan._replace(momentum=plan.momentum[1:].copy())), first


class Windows:
    """The observations of one network, window by window.

    Parameters
    ----------
    rows, check : Rows
        Training and validation data (the latter without rows where there are none).
    plan : Plan
    state : State
    b : int
        The network.
    block : int
        Observations of a pass: windows of data without an order are so many, or a multiple.
    augment : callable or None
    shape : tuple of int
        Of an image.
    stream : int
        Of the changes of images.
    first : Nonzeros, optional
        From `sparse_first`: windows of epochs hold the numbers that are not zero.
    """

    def __init__(
        self, rows: Rows, check: Rows, plan: Plan, state: State, b: int, block: int, augment: Any = None,
        shape: tuple[int, ...] = (), stream: int = 0, first: Nonzeros | None = None,
    ) -> None:  # fmt: skip
        self.first = first
        self.rows, self.check, self.plan, self.state, self.b, self.block = rows, check, plan, state, b, block
        self.augment, self.shape, self.stream = augment, shape, stream
        self.n = rows.inputs.shape[0]

    def epoch(self) -> Iterator[tuple[Rows, int]]:
        """Windows of the rest of the running epoch, each with the batch after its last."""
        plan, state, b = self.plan, self.state, self.b
        order = np.arange(self.n)
        if plan.shuffle:
            batches.epoch_order(order, int(state.epoch[b]), state.keys[b], plan.together)
        each, place = -(-self.n // plan.batch), int(state.place[b])
        inputs: Any = self.rows.inputs
        each_row = inputs.shape[1]
        if self.first is not None:
            matrix, _ = inputs.x.sparse
            each_row = matrix.nnz // max(1, matrix.shape[0])
        step = max(1, NUMBERS // max(1, plan.batch * each_row))
        ends = [*range(place + step, each, step), each]
        parts = [(first * plan.batch, order[first * plan.batch : end * plan.batch])
                 for first, end in zip([place, *ends[:-1]], ends, strict=True)]  # fmt: skip
        epoch = int(state.epoch[b])
        yield from zip(self._read(self.rows, parts, lambda at, out: self._change(at, out, epoch)), ends, strict=True)

    def whole(self, rows: Rows) -> Iterator[Rows]:
        """Windows of all observations in their own order, unchanged."""
        if not is_read(rows):
            yield rows
            return
        n = rows.inputs.shape[0]
        step = max(1, NUMBERS // max(1, self.block * rows.inputs.shape[1])) * self.block
        yield from self._read(rows, [(a, np.arange(a, min(a + step, n))) for a in range(0, n, step)], None)

    def _read(
        self, rows: Rows, parts: list[tuple[int, np.ndarray]], change: Callable[[np.ndarray, np.ndarray], None] | None
    ) -> Iterator[Rows]:
        """Windows of observations, ``(first, numbers)`` each, read ahead by threads."""
        inputs: Any = rows.inputs
        if self.first is not None and change is not None:
            yield from self._ahead(rows, parts, lambda k: self._nonzeros(inputs, parts[k][1]))
            return
        most = max((len(at) for _, at in parts), default=0)
        spare = [np.empty((most, inputs.shape[1]), inputs.dtype) for _ in range(min(AHEAD + 1, len(parts)))]

        def fill(k: int) -> np.ndarray:
            at = parts[k][1]
            out = spare[k % len(spare)][: len(at)]
            if isinstance(inputs, ByRow):
                inputs.read(at, out)
            else:
                np.take(inputs, at, axis=0, out=out, mode="clip")
            if change is not None:
                change(at, out)
            return out

        yield from self._ahead(rows, parts, fill)

    def _nonzeros(self, inputs: ByRow, at: np.ndarray) -> Nonzeros:
        """Observations of a sparse matrix, by number."""
        matrix, own = inputs.x.sparse  # type: ignore[misc]
        some = matrix[own[at]]
        return self.first._replace(  # type: ignore[union-attr]
            start=some.indptr.astype(np.int64), column=some.indices.astype(np.int64), value=some.data.astype(inputs.dtype)
        )

    @staticmethod
    def _ahead(rows: Rows, parts: list[tuple[int, np.ndarray]], fill: Callable[[int], Any]) -> Iterator[Rows]:
        """What `fill` makes of each part, ahead of its turn."""
        with ThreadPoolExecutor(max_workers=AHEAD) as pool:
            waiting = deque(pool.submit(fill, k) for k in range(min(AHEAD, len(parts))))
            try:
                for k, (first, _) in enumerate(parts):
                    made = waiting.popleft().result()
                    if k + AHEAD < len(parts):
                        waiting.append(pool.submit(fill, k + AHEAD))
                    if isinstance(made, Nonzeros):
                        yield rows._replace(inputs=np.zeros((0, 0), made.value.dtype), first=first, sparse=made)
                    else:
                        yield rows._replace(inputs=made, first=first)
            finally:
                for future in waiting:
                    future.cancel()

    def _change(self, at: np.ndarray, out: np.ndarray, epoch: int) -> None:
        if self.augment is not None:
            change_rows(self.augment, out.copy(), out, self.shape, epoch, self.stream, at)


def train(
    windows: Windows, run: Callable[..., None], running: Callable[[], bool], ended: Callable[[], None] | None
) -> None:
    """All epochs of a network that still runs.

    Parameters
    ----------
    windows : Windows
    run : callable
        ``run(rows, check, budget, task)``: `engine.batches.train_batches` of the network.
    running : callable
        Whether to go on.
    ended : callable, optional
        Called at the end of every epoch.
    """
    state, b, plan = windows.state, windows.b, windows.plan
    empty = _without(windows.rows, state)
    each = -(-windows.n // plan.batch)
    while running():
        for rows, end in windows.epoch():
            while state.place[b] < end and running():
                run(rows, empty, end - int(state.place[b]), batches.TRAIN)
            if not running():
                break
        if state.place[b] < each or state.status[b] == cpu.NONFINITE:
            return
        if plan.checked:
            for rows in windows.whole(windows.check):
                run(empty, rows, 0, batches.CHECK)
        if plan.threshold >= 0:
            add_gradient(windows, run)
        run(empty, empty, 1, batches.END)
        if ended is not None:
            ended()


def add_gradient(windows: Windows, run: Callable[..., None]) -> None:
    """Loss and gradient over all observations, into the state."""
    state, b = windows.state, windows.b
    state.total[b] = 0
    state.whole[b] = 0
    empty = _without(windows.rows, state)
    for rows in windows.whole(windows.rows):
        run(rows, empty, 0, batches.GRADIENT)


def measure(windows: Windows, run: Callable[..., None]) -> None:
    """Loss and largest partial derivative over all observations."""
    empty = _without(windows.rows, windows.state)
    add_gradient(windows, run)
    run(empty, empty, 0, batches.FINISH)


def _without(rows: Rows, state: State) -> Rows:
    """Observations without their inputs."""
    return rows._replace(inputs=np.zeros((0, rows.inputs.shape[1]), state.theta.dtype), first=-1)
