"""Rows that lie on a cluster's workers, and sums over them in one order, whichever workers there are."""

from __future__ import annotations

import asyncio
import itertools
import sys
import threading
import time
import uuid
from collections.abc import Callable
from concurrent import futures
from contextlib import suppress
from typing import Any

import numpy as np

from ..errors import DataError
from . import keys, sums

LOOK = 0.2  # seconds after which it is looked whether Ctrl-C came
PATIENCE = 2.0  # seconds after which it is looked whether a worker that does not answer is still there
TIMEOUTS = (TimeoutError, asyncio.TimeoutError, futures.TimeoutError)  # one and the same from Python 3.11 on
CANCELLED = (futures.CancelledError, asyncio.CancelledError)
TRIALS = 20  # of a sum during which workers die
_numbers = itertools.count()


def active_client() -> Any:
    """The client of `dask.distributed` that is active here; None where there is none, or only one for coroutines.

    Nothing is imported: where a client is active, its package is.
    """
    package = sys.modules.get("distributed")
    if package is None:
        return None
    try:
        client = package.Client.current()
    except ValueError:
        return None
    return None if client.asynchronous or client.status != "running" else client


class _Lost(Exception):
    """A worker died."""


class Stopped(Exception):
    """Ctrl-C came while a sum was waited for."""


class Shared:
    """An argument that is sent to every keeper once."""

    def __init__(self, value: Any) -> None:
        self.value, self.token = value, uuid.uuid4().hex


class _Keeper:
    """An actor, where it is, and what it was sent."""

    def __init__(self, worker: str, future: Any) -> None:
        self.worker, self.future, self.sent = worker, future, 0
        self.actor: Any = None
        self._known: set[str] = set()
        self._given: tuple[Any, ...] = ()

    def ask(self, function: Any, count: int, arguments: tuple[Any, ...]) -> Any:
        """The future of its sums."""
        shared: dict[str, Any] = {}
        plain: list[Any] = []
        self._given = shared, plain
        for argument in arguments:
            if isinstance(argument, Shared):
                plain.append(sums.Known(argument.token))
                if argument.token not in self._known:
                    shared[argument.token] = argument.value
                    self._known.add(argument.token)
            else:
                plain.append(argument)
        self.sent = _size(plain)
        try:
            return self.actor.sums(function, count, shared, plain)
        except (RuntimeError, ValueError) as error:  # so an actor says that it is known to be lost; ValueError until 2024
            raise _Lost from error

    def forget(self) -> None:
        """Let go of what was asked with: a circle in Dask's call, which holds it, may hold a fit and its rows for long."""
        for given in self._given:
            given.clear()

    def __del__(self) -> None:
        """The same circle holds the actor, and that its parts, in a worker's memory."""
        for future in (self.future, getattr(self.actor, "_future", None)):
            if future is not None:
                with suppress(Exception):  # the loop of the client has ended
                    future.release()


class Rows:
    """Parts of the rows, kept by the workers of a cluster; made again from the data where a worker died.

    Parameters
    ----------
    client : distributed.Client
    parts : list of Future
        Each of a `sums.Part`, in the order of the partitions.
    places : list of str, optional
        The worker that is to have each part, while it is there.
    checks : list of int, optional
        Sums that the parts must have.
    """

    def __init__(
        self, client: Any, parts: list[Any], places: list[str] | None = None, checks: list[int] | None = None
    ) -> None:
        self.client, self.parts, self.places, self.checks = client, parts, places, checks
        self.moved = 0
        self._keepers: list[_Keeper] | None = None
        self._token = uuid.uuid4().hex[:12]
        self._lock = threading.Lock()

    def __getstate__(self) -> dict[str, Any]:
        """What is pickled has no client: rows are of this process."""
        return {"client": None, "parts": []}

    def __setstate__(self, state: dict[str, Any]) -> None:
        self.__init__(state["client"], state["parts"])  # type: ignore[misc]

    def made(self, function: Callable[..., Any], *arguments: Any) -> Any:
        """A future of what a function makes on a worker, and makes again there where the worker died."""
        return self.client.submit(function, *arguments, key=self._key(function), pure=False)

    def mapped(self, function: Callable[..., Any], *arguments: Any) -> list[Any]:
        """Futures of ``function(part, *arguments)``, on the workers that have the parts."""
        name = self._key(function)
        there: list[Any] = self.places or [None] * len(self.parts)
        return [self.client.submit(function, part, *arguments, key=f"{name}-{k}", pure=False,
                                   workers=place and [place], allow_other_workers=place is not None)
                for k, (part, place) in enumerate(zip(self.parts, there, strict=True))]  # fmt: skip

    def gathered(self, function: Callable[..., Any], *arguments: Any) -> list[Any]:
        """Values of ``function(part, *arguments)``, in the order of the parts."""
        self._check()
        try:
            found = self.client.gather(self.mapped(function, *arguments))
        except CANCELLED:
            self._check()
            raise
        self._count(found)
        return found

    def total(
        self, function: Callable[..., sums.Arrays], *arguments: Any, stop: threading.Event | None = None
    ) -> sums.Arrays:
        """Sum of ``function(part, *arguments)``, arrays of one shape each, over all parts.

        The order of the sum is that of a binary tree over the numbers of the parts: workers add what they can, the rest is
        added here, to the same bits for any number of workers. Where a worker dies, its parts are made again by others, and
        the sum is formed anew. A worker that is there and does not answer is waited for.

        Parameters
        ----------
        function, *arguments
        stop : Event, optional
            Set by another thread, after Ctrl-C: nothing is waited for any more.

        Raises
        ------
        DataError
            Where the cluster is gone, or a part that was made again has other values.
        Stopped
            Where `stop` was set before the sum was known.
        """
        self._check()
        with self._lock:
            for _ in range(TRIALS):
                nodes = self._round(function, arguments, stop)
                if nodes is not None:
                    (root,) = sums.folded(nodes, len(self.parts)).values()
                    return root
                self._keepers = None
        raise DataError(f"workers of the Dask cluster died {TRIALS} times while one sum was formed; fit again.")

    def _round(
        self, function: Any, arguments: tuple[Any, ...], stop: threading.Event | None
    ) -> dict[sums.Node, sums.Arrays] | None:
        """Sums of all keepers; None where one was lost with its worker."""
        try:
            if self._keepers is None:
                self._keepers = self._kept(stop)
            asked = [(keeper, keeper.ask(function, len(self.parts), arguments)) for keeper in self._keepers]
            nodes: dict[sums.Node, sums.Arrays] = {}
            for keeper, answer in asked:
                found = self._answer(keeper, answer, stop)
                self.moved += keeper.sent + _size(found)
                nodes.update(found)
                keeper.forget()
        except _Lost:
            return None
        return nodes

    def _answer(self, keeper: _Keeper, answer: Any, stop: threading.Event | None) -> Any:
        """What a keeper says; looks from time to time whether its worker is still there.

        Raises
        ------
        _Lost
            Where it is not.
        """
        looked = time.monotonic()
        while True:
            try:
                return answer.result(timeout=LOOK)
            except (Exception, *CANCELLED) as error:
                late = isinstance(error, TIMEOUTS)
                _look(stop)
                if late and time.monotonic() < looked + PATIENCE:
                    continue
                if not self._there(keeper, stop):
                    raise _Lost from error
                if not late:
                    raise
                looked = time.monotonic()

    def _there(self, keeper: _Keeper, stop: threading.Event | None) -> bool:
        """Whether a keeper's worker is there, and has it."""
        if keeper.worker not in self._told("ncores", stop):
            return False
        if keeper.actor is None:  # it is being made
            return keeper.future.status in ("pending", "error")
        key = keeper.future.key
        return keeper.worker in self._told("who_has", stop, keys=[key]).get(key, ())

    def _told(self, question: str, stop: threading.Event | None, **given: Any) -> Any:
        """What the scheduler says, however long that takes."""
        while True:
            self._check()
            try:
                return self.client.sync(getattr(self.client.scheduler, question), callback_timeout=LOOK, **given)
            except (OSError, *TIMEOUTS):
                time.sleep(LOOK)  # until the client knows that the scheduler is gone, where it is
            _look(stop)

    def _kept(self, stop: threading.Event | None) -> list[_Keeper]:
        """An actor for every thread of the workers that have parts."""
        self._wait(stop)
        made = []
        for k, (worker, numbers) in enumerate(self._places(stop)):
            expected = None if self.checks is None else [self.checks[q] for q in numbers]
            name = f"{self._key(sums.Keeper)}-{k}"
            future = self.client.submit(sums.Keeper, numbers, [self.parts[q] for q in numbers], expected, keys.group(),
                                        actor=True, workers=[worker], key=name)  # fmt: skip
            made.append(_Keeper(worker, future))
        for keeper in made:
            keeper.actor = self._answer(keeper, keeper.future, stop)
        return made

    def _wait(self, stop: threading.Event | None) -> None:
        """Until all parts are there."""
        from distributed import wait

        while True:
            self._check()
            try:
                wait(self.parts, timeout=LOOK)
                return
            except TIMEOUTS:
                _look(stop)
            except CANCELLED:
                self._check()
                raise

    def _places(self, stop: threading.Event | None) -> list[tuple[str, list[int]]]:
        """Workers with numbers of the parts that they have, a group for each of their threads."""
        threads = self._told("ncores", stop)
        held: dict[str, list[int]] = {}
        where = self._told("who_has", stop, keys=[part.key for part in self.parts])
        for q, part in enumerate(self.parts):
            holders = sorted(w for w in where.get(part.key, ()) if w in threads) or sorted(threads)
            if not holders:
                raise DataError("the Dask cluster has no workers.")
            held.setdefault(min(holders, key=lambda w: len(held.get(w, ()))), []).append(q)
        groups = []
        for worker, numbers in held.items():
            pieces = min(threads.get(worker, 1), len(numbers))
            groups += [(worker, [int(q) for q in piece]) for piece in np.array_split(numbers, pieces)]
        return groups

    def _key(self, function: Callable[..., Any]) -> str:
        return f"neuralstat-{function.__name__}-{self._token}-{next(_numbers)}"

    def _check(self) -> None:
        if self.client is None:
            raise DataError("the rows of this fit lay on a Dask cluster of another process: fit again, with a client.")
        if self.client.status != "running":
            said = "is closed" if self.client.status in ("closing", "closed") else "lost the connection to its scheduler"
            raise DataError(f"the rows of this fit lie on a Dask cluster whose client {said}; what the scheduler knew of "
                            "them is gone with it: fit again, with a new client.")  # fmt: skip

    def _count(self, found: Any) -> None:
        self.moved += _size(found)


def _look(stop: threading.Event | None) -> None:
    if stop is not None and stop.is_set():
        raise Stopped


def _size(thing: Any) -> int:
    """Bytes of the arrays in something."""
    if isinstance(thing, np.ndarray):
        return thing.nbytes
    if isinstance(thing, dict):
        return sum(map(_size, thing.values()))
    return sum(map(_size, thing)) if isinstance(thing, list | tuple) else 0


def placed(client: Any, tables: list[Any]) -> list[str]:
    """Workers for the partitions, neighbours together, so that sums are formed where they can be."""
    workers = [worker for worker, threads in sorted(client.nthreads().items()) for _ in range(threads)]
    if not workers:
        raise DataError("the Dask cluster has no workers.")
    pieces = np.array_split(np.arange(len(tables)), min(len(workers), max(len(tables), 1)))
    return [workers[k] for k, piece in enumerate(pieces) for _ in piece]


