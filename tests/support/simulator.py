"""The simulator's threads of a block in turns, one at a time, in place of all at once with a loop that watches them.

That loop of numba's competes with the threads for the interpreter: most of a simulation was waiting. Here a thread that ends
or waits for the others wakes the next one, and the threads of one block are those of the one before. Each turn goes through
them in the opposite order of the last, and blocks begin in both, so that what hangs on their order is found.
"""

from __future__ import annotations

import threading
from collections import deque

import numpy as np

_POOL: list = []


def take_turns() -> None:
    """Let the simulator of this process run so."""
    from numba.cuda.simulator import kernel

    kernel.BlockManager.run = _run
    kernel.BlockThread.syncthreads = _wait


def _run(manager, grid_point, *given):
    """Run one block: what `BlockManager.run` does."""
    from numba.cuda.simulator.kernel import BlockThread, Dim3

    points = list(np.ndindex(*manager._block_dim))
    while len(_POOL) < len(points):
        thread = BlockThread(_work, manager, grid_point, points[0], False)
        thread.turn = threading.Lock()
        thread.turn.acquire()
        thread.start()
        _POOL.append(thread)
    wide, high, _ = manager._block_dim
    threads = _POOL[: len(points)]
    if sum(grid_point) % 2 == 1:
        threads.reverse()
        points.reverse()
    for thread, (x, y, z) in zip(threads, points, strict=True):
        thread._manager, thread.blockIdx, thread.threadIdx = manager, Dim3(*grid_point), Dim3(x, y, z)
        thread.thread_id, thread.exception, thread.abort = x + wide * (y + high * z), None, False
    manager.given, manager.live, manager.next, manager.ended = given, list(threads), deque(threads), threading.Lock()
    manager.failed = None
    manager.ended.acquire()
    _pass_on(manager)
    manager.ended.acquire()
    if manager.failed is not None:
        raise manager.failed


def _work():
    """What a thread does, block after block."""
    thread = threading.current_thread()
    while True:
        thread.turn.acquire()
        manager = thread._manager
        try:
            if not thread.abort:
                manager._f(*manager.given)
        except Exception as error:
            if not thread.abort:
                manager.failed = type(error)(f"tid={list(thread.threadIdx)} ctaid={list(thread.blockIdx)}: {error}")
                manager.failed.__cause__ = error
            for other in manager.live:
                other.abort = True
        manager.live.remove(thread)
        _pass_on(manager)


def _pass_on(manager):
    """Wake the next thread; at the end of a turn that which was last; at the end of all, that which began the block."""
    if not manager.next:
        manager.live.reverse()
        manager.next.extend(manager.live)
    (manager.next.popleft().turn if manager.next else manager.ended).release()


def _wait(thread):
    """What `syncthreads` does."""
    if not thread.abort:
        _pass_on(thread._manager)
        thread.turn.acquire()
    if thread.abort:
        raise RuntimeError("another thread of the block failed")
