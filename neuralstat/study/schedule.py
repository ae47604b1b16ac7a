"""Run chunks on joblib: in processes, on a cluster, or here; workers may die, and Ctrl-C ends it cleanly."""

from __future__ import annotations

import warnings
from collections.abc import Callable, Iterator

import numpy as np

from ..checks.values import told
from ..errors import NeuralStatWarning, caller
from ..training.interrupts import passed_on
from .pace import Feed
from .plan import Chunk, Plan, empty, pack, run_chunk

Take = Callable[[Chunk, dict[str, np.ndarray]], None]


class Schedule:
    """Chunks that are still to be done.

    Parameters
    ----------
    plan : Plan
    chunks : list of chunks
    n_jobs : int or None
        None: what an enclosing `joblib.parallel_config` says, else all cores.
    adapts : bool
        Whether sizes of chunks follow the time that they take.
    """

    def __init__(self, plan: Plan, chunks: list[Chunk], n_jobs: int | None, adapts: bool = False) -> None:
        self.plan, self.chunks, self.n_jobs, self.adapts = plan, list(chunks), _jobs(n_jobs, len(chunks)), adapts
        self.packed, self.name = pack(plan)

    def run(self, take: Take) -> bool:
        """Run all; `take` gets every chunk as it is done. False after Ctrl-C."""
        left = self.chunks
        try:
            with passed_on():
                while left:
                    suspects, left = self._together(left, take)
                    for chunk in suspects:
                        self._alone(chunk, take)
        except KeyboardInterrupt:
            return False
        return True

    def _together(self, chunks: list[Chunk], take: Take) -> tuple[list[Chunk], list[Chunk]]:
        """Run chunks in parallel. Where a worker dies: those that were running then, and those not yet begun."""
        begun: list[Chunk] = []
        done: set[Chunk] = set()
        feed = Feed(chunks, self.adapts)

        def note(chunk: Chunk) -> Chunk:
            begun.append(chunk)
            return chunk

        try:
            for chunk, arrays, seconds in self._results(note(chunk) for chunk in feed):
                done.add(chunk)
                feed.learn(chunk, seconds)
                take(chunk, arrays)
        except _Lost:
            return [chunk for chunk in begun if chunk not in done], feed.left()
        return [], []

    def _alone(self, chunk: Chunk, take: Take) -> None:
        """Run a chunk that was running when a worker died, with nothing beside it; if it dies again, it is to blame.

        Replicates are then tried one by one.
        """
        try:
            for _, arrays, _ in self._results(iter([chunk])):
                take(chunk, arrays)
        except _Lost as lost:
            cell, model, first, last = chunk
            if last - first > 1:
                for r in range(first, last):
                    self._alone((cell, model, r, r + 1), take)
                return
            n, count = self.plan.cells[cell].n, len(self.plan.estimators)
            take(chunk, empty(1, n, count, f"worker died: {lost}"[:200]))

    def _results(self, chunks: Iterator[Chunk]) -> Iterator[tuple[Chunk, dict[str, np.ndarray], float]]:
        """Chunks as they are done, with the seconds that they took.

        Raises
        ------
        _Lost
            Where the workers are to blame: what goes wrong in a chunk is in its status.
        """
        from joblib import Parallel, delayed

        parallel = Parallel(
            n_jobs=self.n_jobs, return_as="generator_unordered", batch_size=1, pre_dispatch="2 * n_jobs"
        )
        found = parallel(delayed(run_chunk)(self.packed, self.name, chunk) for chunk in chunks)
        try:
            while True:
                try:
                    with warnings.catch_warnings():  # joblib's own, on workers that died
                        warnings.simplefilter("ignore")
                        pair = next(found)
                except StopIteration:
                    return
                except Exception as error:
                    raise _Lost(told(error)) from error
                yield pair
        finally:
            with warnings.catch_warnings():
                warnings.simplefilter("ignore")
                found.close()


class _Lost(Exception):
    """A worker died."""


def _jobs(n_jobs: int | None, most: int) -> int | None:
    """Processes: no more than there are chunks, since all are started at once."""
    if n_jobs is not None:
        return min(n_jobs, max(most, 1))
    from joblib.parallel import DEFAULT_BACKEND, get_active_backend

    backend, jobs = get_active_backend()
    if jobs is not None:
        return None  # as configured
    named = type(backend).__name__.lower()
    return -1 if DEFAULT_BACKEND in named or "thread" in named or "multi" in named else None


def warn(text: str) -> None:
    """Warn at the user's line."""
    warnings.warn(text, NeuralStatWarning, stacklevel=caller())
