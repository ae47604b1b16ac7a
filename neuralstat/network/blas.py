"""Linear algebra on one thread: sums in one order, so that statistics have the same bits whatever BLAS has of threads."""

from __future__ import annotations

import contextlib
import functools
import inspect
import threading
from collections.abc import Callable, Collection, Iterator
from typing import Any, TypeVar

Thing = TypeVar("Thing", bound=Callable[..., Any])


class OneThread:
    """A context in which BLAS libraries use one thread; may be entered again, and from several threads at once.

    The number of threads belongs to the process: who comes first sets it, who leaves last puts it back.
    """

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._inside = 0
        self._before: list[tuple[Any, int]] = []
        self._libraries: list[Any] | None = None

    def __enter__(self) -> OneThread:
        with self._lock:
            self._inside += 1
            if self._inside == 1:
                self._before = [(library, library.num_threads) for library in self._known()]
                for library, number in self._before:
                    if number != 1:
                        library.set_num_threads(1)
        return self

    def __exit__(self, *_: Any) -> None:
        with self._lock:
            self._inside -= 1
            if self._inside == 0:
                for library, number in self._before:
                    if number != 1:
                        library.set_num_threads(number)

    def _known(self) -> list[Any]:
        """BLAS libraries of this process: numpy's, and scipy's own."""
        if self._libraries is None:
            import scipy.linalg  # noqa: F401 (loads its library)
            from threadpoolctl import ThreadpoolController

            self._libraries = ThreadpoolController().select(user_api="blas").lib_controllers
        return self._libraries


ONE_THREAD = OneThread()
_here = threading.local()


def single() -> bool:
    """Whether what runs here is one of many tasks, which use the cores: what would use all of them then uses one thread."""
    return getattr(_here, "single", False)


@contextlib.contextmanager
def single_threaded() -> Iterator[None]:
    """What runs here is one of many tasks; see `single`."""
    before = single()
    _here.single = True
    try:
        yield
    finally:
        _here.single = before


def on_one_thread(function: Thing) -> Thing:
    """A function whose linear algebra is done on one thread."""

    @functools.wraps(function)
    def alone(*args: Any, **kwargs: Any) -> Any:
        with ONE_THREAD:
            return function(*args, **kwargs)

    return alone  # type: ignore[return-value]


def methods_on_one_thread(*, but: Collection[str] = ()) -> Callable[[type], type]:
    """For classes: methods and properties, but those named and special ones, do their linear algebra on one thread."""

    def mark(cls: type) -> type:
        for name, thing in list(vars(cls).items()):
            if name in but or (name.startswith("__") and name != "__str__"):
                continue
            if isinstance(thing, property) and thing.fget is not None:
                setattr(cls, name, property(on_one_thread(thing.fget), doc=thing.__doc__))
            elif isinstance(thing, functools.cached_property):
                again: Any = functools.cached_property(on_one_thread(thing.func))
                again.__set_name__(cls, name)
                setattr(cls, name, again)
            elif inspect.isfunction(thing):
                setattr(cls, name, on_one_thread(thing))
        return cls

    return mark
