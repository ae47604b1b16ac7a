"""Rows that lie on a cluster's workers, and sums over them in one order, whichever workers there are."""

from __future__ import annotations

import itertools
import sys
import threading
import uuid
from collections.abc import Callable
from typing import Any

import numpy as np

from ..errors import DataError
from . import sums

PATIENCE = 2.0  # seconds after which it is looked whether a worker that does not answer is still there
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

    def ask(self, function: Any, count: int, arguments: tuple[Any, ...]) -> Any:
        """The future of its sums."""
        shared, plain = {}, []
        for argument in arguments:
            if isinstance(argument, Shared):
                plain.append(sums.Known(argument.token))
                if argument.token not in self._known:
                    shared[argument.token] = argument.value
                    self._known.add(argument.token)
            else:
                plain.append(argument)
        self.sent = _size(plain)
        return self.actor.sums(function, count, shared, plain)


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
        found = self.client.gather(self.mapped(function, *arguments))
        self._count(found)
        return found

    def total(self, function: Callable[..., sums.Arrays], *arguments: Any) -> sums.Arrays:
        """Sum of ``function(part, *arguments)``, arrays of one shape each, over all parts.

        The order of the sum is that of a binary tree over the numbers of the parts: workers add what they can, the rest is
        added here, to the same bits for any number of workers. Where a worker dies, its parts are made again by others, and
        the sum is formed anew.

        Raises
        ------
        DataError
            Where the cluster is gone, or a part that was made again has other values.
        """
        self._check()
        with self._lock:
            for _ in range(TRIALS):
                nodes = self._round(function, arguments)
                if nodes is not None:
                    (root,) = sums.folded(nodes, len(self.parts)).values()
                    return root
                self._keepers = None
        raise DataError(f"workers of the Dask cluster died {TRIALS} times while one sum was formed; fit again.")

    def _round(self, function: Any, arguments: tuple[Any, ...]) -> dict[sums.Node, sums.Arrays] | None:
        """Sums of all keepers; None where one was lost with its worker."""
        try:
            if self._keepers is None:
                self._keepers = self._kept()
            asked = [(keeper, keeper.ask(function, len(self.parts), arguments)) for keeper in self._keepers]
            nodes: dict[sums.Node, sums.Arrays] = {}
            for keeper, answer in asked:
                found = self._answer(keeper, answer)
                self.moved += keeper.sent + _size(found)
                nodes.update(found)
        except _Lost:
            return None
        return nodes

    def _answer(self, keeper: _Keeper, answer: Any) -> Any:
        """What a keeper says; looks from time to time whether its worker is still there.

        Raises
        ------
        _Lost
            Where it is not.
        """
        while True:
            try:
                return answer.result(timeout=PATIENCE)
            except Exception as error:
                if not self._there(keeper):
                    raise _Lost from error
                if not isinstance(error, TimeoutError):
                    raise

    def _there(self, keeper: _Keeper) -> bool:
        """Whether a keeper's worker is there, and has it."""
        if keeper.worker not in self.client.nthreads():
            return False
        if keeper.actor is None:  # it is being made
            return keeper.future.status in ("pending", "error")
        return keeper.worker in next(iter(self.client.who_has([keeper.future]).values()), ())

    def _kept(self) -> list[_Keeper]:
        """An actor for every thread of the workers that have parts."""
        from distributed import wait

        wait(self.parts)
        made = []
        for k, (worker, numbers) in enumerate(self._places()):
            expected = None if self.checks is None else [self.checks[q] for q in numbers]
            future = self.client.submit(sums.Keeper, numbers, [self.parts[q] for q in numbers], expected, actor=True,
                                        workers=[worker], key=f"{self._key(sums.Keeper)}-{k}")  # fmt: skip
            made.append(_Keeper(worker, future))
        for keeper in made:
            keeper.actor = self._answer(keeper, keeper.future)
        return made

    def _places(self) -> list[tuple[str, list[int]]]:
        """Workers with numbers of the parts that they have, a group for each of their threads."""
        threads = self.client.nthreads()
        held: dict[str, list[int]] = {}
        where = self.client.who_has(self.parts)
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
        if self.client is None or self.client.status != "running":
            raise DataError("the rows of this fit lay on a Dask cluster whose client is closed, or belonged to another "
                            "process: fit again, with a client.")  # fmt: skip

    def _count(self, found: Any) -> None:
        self.moved += _size(found)


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


