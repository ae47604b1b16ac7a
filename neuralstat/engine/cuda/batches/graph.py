"""Launches that are repeated: one after the other, or recorded once as a CUDA graph."""

from __future__ import annotations

import contextlib
import warnings
import weakref
from collections.abc import Iterator
from typing import Any

from .. import _quick_turns, simulated
from .program import Launch, ready


class Repeated:
    """Launches that are performed again and again, with all that changes in the device's memory.

    The first run compiles; from the second one a device replays a graph of them.

    Parameters
    ----------
    launches : list of Launch
    stream : stream or 0
    """

    def __init__(self, launches: list[Launch], stream: Any) -> None:
        self.calls, self.stream, self.graph, self.runs = ready(launches, stream), stream, None, 0

    def __call__(self) -> None:
        """Perform them."""
        if self.graph is None and self.runs == 1 and not simulated():
            self.graph = self._record()
        self.runs += 1
        if self.graph:
            _check(_driver().cuGraphLaunch(self.graph, int(self.stream.handle)))
            return
        with _quick_turns() if simulated() else contextlib.nullcontext():
            self._perform()

    def _perform(self) -> None:
        for kernel, arguments in self.calls:
            kernel(*arguments)

    def _record(self) -> Any:
        """The launches as an instantiated graph; False where the driver does not record them."""
        driver, stream = _driver(), int(self.stream.handle)
        try:
            with _capturing(driver, stream) as captured:
                self._perform()
            (executable,) = _check(driver.cuGraphInstantiate(captured[0], 0))
            _check(driver.cuGraphDestroy(captured[0]))
        except Exception as error:
            warnings.warn(f"device='cuda': the driver records no graph of launches ({error}); steps take longer.",
                          RuntimeWarning, stacklevel=2)  # fmt: skip
            return False
        weakref.finalize(self, driver.cuGraphExecDestroy, executable).atexit = False  # the driver may be gone before
        return executable


@contextlib.contextmanager
def _capturing(driver: Any, stream: int) -> Iterator[list[Any]]:
    """Record what is launched; the graph is the list's element afterwards."""
    _check(driver.cuStreamBeginCapture(stream, driver.CUstreamCaptureMode.CU_STREAM_CAPTURE_MODE_RELAXED))
    captured: list[Any] = []
    try:
        yield captured
    finally:
        result = driver.cuStreamEndCapture(stream)
    captured += _check(result)


def _driver() -> Any:
    from cuda.bindings import driver

    return driver


def _check(result: tuple[Any, ...]) -> tuple[Any, ...]:
    """What a function of the driver returns behind its status.

    Raises
    ------
    RuntimeError
        Where the status is an error.
    """
    status, *values = result
    if int(status) != 0:
        raise RuntimeError(str(status))
    return tuple(values)
