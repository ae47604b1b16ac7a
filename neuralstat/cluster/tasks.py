"""Parts of a calculation on the workers of a Dask cluster: each one thread's work, results in order.

Tasks are the client's own futures. What all of them need is pickled once and sent to every worker once; a task carries
numbers, and what only it needs. As many tasks wait at the workers as are run there, so that none waits for the next one.
"""

from __future__ import annotations

import contextlib
import hashlib
import itertools
import os
import pickle
import sys
import threading
import time
import uuid
import warnings
from collections import OrderedDict
from collections.abc import Callable, Generator, Iterable, Iterator
from typing import Any

import numpy as np

from ..checks.values import told
from ..errors import ArgumentError, DataError, NeuralStatWarning, caller
from ..network.blas import ONE_THREAD, single_threaded
from .pace import Parts

AHEAD = 2  # tasks for every thread of the workers: one that runs, one that waits
COUNTED = 2.0  # seconds after which threads of the workers are counted again
RESCUES = 3  # times that all workers may die
KEPT = 2  # things that a worker keeps unpickled

Piece = tuple[Any, tuple[Any, ...]]  # what a task is, and arguments that only it needs


def joblib_client() -> Any:
    """The client of an enclosing ``joblib.parallel_config(backend="dask")``; None elsewhere.

    None, too, in what runs on a worker: it would wait for other workers, and these for it.
    """
    joblib = sys.modules.get("joblib.parallel")  # where a backend was chosen, it was imported
    if joblib is None:
        return None
    backend, _ = joblib.get_active_backend()
    if type(backend).__name__ != "DaskDistributedBackend" or _on_worker():
        return None
    return backend.client


def _on_worker() -> bool:
    worker: Any = sys.modules.get("distributed.worker")
    try:
        worker.get_worker()
    except ValueError:
        return False
    return True


class Packed:
    """Something that all tasks need, pickled; its name is its hash.

    Parameters
    ----------
    thing
    what : str
        What it is, in the error of what cannot be pickled.

    Raises
    ------
    ArgumentError
        Where it cannot be pickled.
    """

    def __init__(self, thing: Any, what: str) -> None:
        import cloudpickle

        try:
            data = cloudpickle.dumps(thing)
        except Exception as error:
            raise ArgumentError(f"{what} cannot be sent to workers: {error}.") from error
        self.data, self.name = np.frombuffer(data, np.uint8), hashlib.sha256(data).hexdigest()


class Workers:
    """The workers of a cluster.

    Parameters
    ----------
    client : distributed.Client
    """

    def __init__(self, client: Any) -> None:
        self.client = client
        self._threads, self._counted = 0, -np.inf

    def __call__(self) -> int:
        """How many threads they have.

        Raises
        ------
        DataError
            Where there are none.
        """
        now = time.monotonic()
        if now - self._counted > COUNTED:
            self._threads, self._counted = sum(self.client.nthreads().values()), now
        if not self._threads:
            try:
                self.client.wait_for_workers(1, timeout=10)
            except TimeoutError as error:
                raise DataError("the Dask cluster has no workers.") from error
            self._threads = sum(self.client.nthreads().values())
        return max(self._threads, 1)

    def run(
        self, function: Callable[..., Any], packed: Packed, pieces: Iterable[Piece]
    ) -> Generator[tuple[Any, Any, float, list[Any]], None, None]:
        """What ``function(thing, key, *own)`` gives for pieces ``(key, own)``, as they are done.

        Pieces are asked for when a worker is about to be free. Tasks that are not done when the iterator is closed are
        cancelled.

        Returns
        -------
        iterator of (key, value, seconds, warnings)

        Raises
        ------
        DataError
            Where they died. Errors of the function are raised as they are.
        """
        from distributed import KilledWorker, as_completed

        client, token, left = self.client, uuid.uuid4().hex[:12], iter(pieces)
        done = as_completed(with_results=True, raise_errors=False, loop=client.loop)
        asked: dict[Any, tuple[Piece, Any]] = {}  # futures, with what they are of
        numbers = itertools.count()
        again: list[Piece] = []
        rescues = 0
        try:
            held = client.scatter(packed.data, broadcast=True, hash=False)
            while True:
                while len(asked) < AHEAD * self():
                    piece = again.pop() if again else next(left, None)
                    if piece is None:
                        break
                    name = f"neuralstat-{function.__name__.strip('_')}-{token}-{next(numbers)}"
                    own = piece[0], *piece[1]
                    future = client.submit(_work, function, held, packed.name, os.getpid(), own, key=name, pure=False)
                    asked[future] = piece, held
                    done.add(future)
                if not asked:
                    return
                future, found = next(done)
                piece, had = asked.pop(future)
                if future.status == "finished":
                    value, seconds, heard = found
                    future.release()
                    yield piece[0], value, seconds, heard
                    continue
                error = found[1] if isinstance(found, tuple) else found
                if future.status == "error" and not isinstance(error, KilledWorker):
                    raise error
                if future.status == "error" or client.status != "running" or (had is held and rescues == RESCUES):
                    raise DataError(f"workers of the Dask cluster were lost: {told(error)}"[:300]) from error
                if had is held:  # what all tasks need was on workers that died: all of them
                    held, rescues = client.scatter(packed.data, broadcast=True, hash=False), rescues + 1
                again.append(piece)
        finally:
            for future in asked:  # tasks that nobody waits for are cancelled; `Client.cancel` waits for the scheduler
                future.release()


def in_parts(
    function: Callable[..., Any], thing: Callable[[], Any], count: int, here: Callable[[], Iterable[range]],
    own: Callable[[range], tuple[Any, ...]] = lambda numbers: (), *, what: str, client: Any = None,
) -> Iterator[tuple[range, Any]]:  # fmt: skip
    """What ``function(thing, numbers, *own(numbers))`` gives for numbers below `count`, part by part, in order.

    Parts do not matter to the results.

    Parameters
    ----------
    function : callable
        At the top of its module: workers import it.
    thing : callable
        Makes what all parts need.
    count : int
    here : callable
        Makes the parts where there is no cluster.
    own : callable, optional
        What a part needs besides.
    what : str
        What is sent, in errors.
    client : distributed.Client, optional
        In whose cluster it is done: parts take about a second, by what those before them took.

    Warns
    -----
    NeuralStatWarning
        What was heard of the workers, once each.
    """
    if client is None:
        made = thing()
        for numbers in here():
            yield numbers, function(made, numbers, *own(numbers))
        return
    workers = Workers(client)
    parts = Parts(count, workers)
    waiting: dict[int, tuple[range, Any]] = {}
    following, heard = 0, set()
    tasks = workers.run(function, Packed(thing(), what), ((numbers, own(numbers)) for numbers in parts))
    with contextlib.closing(tasks):
        for numbers, value, seconds, said in tasks:
            parts.learn(numbers, seconds)
            for category, text in said:
                if (category, text) not in heard:
                    heard.add((category, text))
                    warnings.warn(text, category, stacklevel=caller())
            waiting[numbers.start] = numbers, value
            while following in waiting:
                found = waiting.pop(following)
                following = found[0].stop
                yield found


_kept: OrderedDict[str, Any] = OrderedDict()
_lock = threading.Lock()


def unpacked(data: np.ndarray, name: str) -> Any:
    """What was packed under a name: unpickled once by a process that works on it."""
    with _lock:
        if name not in _kept:
            _kept[name] = pickle.loads(data.tobytes())
            while len(_kept) > KEPT:
                _kept.popitem(last=False)
        _kept.move_to_end(name)
        return _kept[name]


class _Listening:
    """A context in which warnings of a thread are collected; several threads of a worker may be in it at once.

    How warnings are shown belongs to the process: who comes first sets it, who leaves last puts it back.
    """

    def __init__(self) -> None:
        self._lock, self._inside = threading.Lock(), 0
        self._own = threading.local()
        self._context: Any = None

    def __enter__(self) -> list[tuple[type[Warning], str]]:
        with self._lock:
            self._inside += 1
            if self._inside == 1:
                self._context = warnings.catch_warnings()
                self._context.__enter__()
                warnings.simplefilter("always")
                others = warnings.showwarning

                def show(message: Any, category: Any, filename: Any, lineno: Any, file: Any = None, line: Any = None) -> None:
                    if (heard := getattr(self._own, "heard", None)) is None:
                        others(message, category, filename, lineno, file, line)
                    else:
                        heard.append((category, str(message)))

                warnings.showwarning = show
        self._own.heard = []
        return self._own.heard

    def __exit__(self, *error: Any) -> None:
        self._own.heard = None
        with self._lock:
            self._inside -= 1
            if self._inside == 0:
                self._context.__exit__(*error)


_LISTENING = _Listening()


def _work(
    function: Callable[..., Any], data: np.ndarray, name: str, client: int, own: tuple[Any, ...]
) -> tuple[Any, float, list[Any]]:
    """What a worker does: the value, the seconds that it took, and warnings of this package.

    Of a worker in the process of the client (whose number is given) these are told by the process itself.
    """
    from joblib import parallel_config

    thing = unpacked(data, name)
    began = time.perf_counter()
    listening: Any = contextlib.nullcontext([]) if client == os.getpid() else _LISTENING
    with listening as heard, ONE_THREAD, parallel_config(backend="sequential"), single_threaded():
        value = function(thing, *own)
    seconds = time.perf_counter() - began
    return value, seconds, [one for one in dict.fromkeys(heard) if issubclass(one[0], NeuralStatWarning)]
