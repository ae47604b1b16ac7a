"""Run chunks on joblib, or on a Dask cluster; workers may die, and Ctrl-C ends it cleanly."""

from __future__ import annotations

import contextlib
import warnings
from collections.abc import Callable, Generator, Iterator

import numpy as np

from ..checks.values import told
from ..cluster import Packed, Workers, joblib_client
from ..errors import NeuralStatWarning, caller
from ..training.interrupts import passed_on
from .pace import Feed
from .plan import Chunk, Done, Plan, empty, run_chunks, run_packed

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
        from joblib import effective_n_jobs

        self.packed = Packed(plan, "study: a model, truth or estimator")
        client = None if n_jobs == 1 else joblib_client()
        self.workers = None if client is None else Workers(client)
        self._jobs = 1 if client is not None else int(effective_n_jobs(self.n_jobs))  # callbacks know no configuration

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
        feed = Feed(chunks, self.adapts, self._count)

        def note(task: list[Chunk]) -> list[Chunk]:
            begun.extend(task)
            return task

        try:
            for chunk, arrays, seconds in self._results(note(task) for task in feed):
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
            for _, arrays, _ in self._results(iter([[chunk]])):
                take(chunk, arrays)
        except _Lost as lost:
            cell, model, first, last = chunk
            if last - first > 1:
                for r in range(first, last):
                    self._alone((cell, model, r, r + 1), take)
                return
            n, count = self.plan.cells[cell].n, len(self.plan.estimators)
            take(chunk, empty(1, n, count, f"worker died: {lost}"[:200]))

    def _count(self) -> int:
        """Workers there are."""
        return self._jobs if self.workers is None else self.workers()

    def _results(self, tasks: Iterator[list[Chunk]]) -> Iterator[Done]:
        """Chunks as they are done, with the seconds that they took.

        Raises
        ------
        _Lost
            Where the workers are to blame: what goes wrong in a chunk is in its status.
        """
        found = self._by_joblib(tasks) if self.workers is None else self._by_dask(tasks)
        with contextlib.closing(found):
            while True:
                try:
                    with warnings.catch_warnings():  # joblib's own, on workers that died
                        warnings.simplefilter("ignore")
                        task = next(found)
                except StopIteration:
                    return
                except Exception as error:
                    raise _Lost(told(error)) from error
                yield from task

    def _by_joblib(self, tasks: Iterator[list[Chunk]]) -> Generator[list[Done], None, None]:
        from joblib import Parallel, delayed, parallel_config

        with parallel_config(backend="sequential") if self.n_jobs == 1 else contextlib.nullcontext():
            parallel = Parallel(
                n_jobs=self.n_jobs, return_as="generator_unordered", batch_size=1, pre_dispatch="2 * n_jobs"
            )
        data, name = self.packed.data, self.packed.name
        found = parallel(delayed(run_packed)(data, name, task) for task in tasks)
        try:
            yield from found
        finally:
            with warnings.catch_warnings():
                warnings.simplefilter("ignore")
                found.close()

    def _by_dask(self, tasks: Iterator[list[Chunk]]) -> Generator[list[Done], None, None]:
        assert self.workers is not None
        with contextlib.closing(self.workers.run(run_chunks, self.packed, ((task, ()) for task in tasks))) as found:
            for _, done, _, _ in found:
                yield done


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
