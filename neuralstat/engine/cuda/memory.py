"""Memory of a device: how much a stack needs, how many networks fit at once, and what to do where it runs out."""

from __future__ import annotations

import contextlib
from collections.abc import Iterator
from typing import Any

import numpy as np

from ...errors import DeviceError
from ..cpu import Data

SHARE = 0.8  # of the free memory that is used
STATIC = 4096  # bytes of shared memory kept for what kernels hold there beside the workspace, and for the driver
DEFAULT_SHARED = 48 * 1024  # bytes of shared memory that every block may have without asking


def free_bytes() -> float:
    """Free memory of the current device; infinite in the simulator."""
    from numba import cuda

    try:
        return float(cuda.current_context().get_memory_info()[0])
    except NotImplementedError:  # some memory pools do not tell
        return float("inf")


def shared_limit(simulate: bool) -> int:
    """Bytes of shared memory that the workspace of a block may take."""
    if simulate:
        return DEFAULT_SHARED - STATIC
    from numba import cuda

    device = cuda.get_current_device()
    asked = getattr(device, "MAX_SHARED_MEMORY_PER_BLOCK_OPTIN", DEFAULT_SHARED)
    return int(max(asked, DEFAULT_SHARED)) - STATIC


def allow_shared(kernel: Any, size: int) -> None:
    """Let a compiled kernel be launched with more shared memory than blocks have by default."""
    if size <= DEFAULT_SHARED:
        return
    from cuda.bindings import driver
    from numba import cuda

    attribute = driver.CUfunction_attribute.CU_FUNC_ATTRIBUTE_MAX_DYNAMIC_SHARED_SIZE_BYTES
    device = cuda.get_current_device().id
    for compiled in kernel.overloads.values():
        handle = compiled._codelibrary.get_cufunc().handle
        (error,) = driver.cuKernelSetAttribute(attribute, size, handle, device)
        if error != driver.CUresult.CUDA_SUCCESS:
            raise DeviceError(f"the driver refused {size} bytes of shared memory per block ({error}).")


def _own(data: Data, count: int) -> list[np.ndarray]:
    """What every network has for itself."""
    return [a for a in (data.y, data.weight, data.rows, data.count) if a.shape[0] == count > 1]


def per_network(stack: Any, data: Data) -> int:
    """Bytes on the device that every network of a stack adds."""
    count = stack.theta.shape[0]
    arrays = [a for a in vars(stack).values() if isinstance(a, np.ndarray) and a.shape[0] == count]
    return sum(a.nbytes // count for a in arrays + _own(data, count))


def shared_by_all(data: Data, count: int) -> int:
    """Bytes of the observations that do not grow with the stack."""
    return sum(a.nbytes for a in data) - sum(a.nbytes for a in _own(data, count))


def chunks(count: int, each: int, fixed: int, free: float, what: str) -> list[tuple[int, int]]:
    """Cut a stack of `count` networks into parts that fit.

    Parameters
    ----------
    each, fixed : int
        Bytes per network; bytes that are needed however few there are.
    free : float
        Free bytes.
    what : str
        The device, for the message.

    Returns
    -------
    list of (first, last)

    Raises
    ------
    DeviceError
        Where not even one network fits.
    """
    room = SHARE * free - fixed
    most = count if room == float("inf") else int(room // max(each, 1))
    if most < 1:
        raise DeviceError(
            f"{what}: one network needs {megabytes(fixed + each)} on the device, of which {megabytes(free)} are free. "
            f"{REDUCE}"
        )
    return [(first, min(first + most, count)) for first in range(0, count, most)]


REDUCE = "Use fewer observations, a smaller network, or dtype='float32'; free the device's memory; or use device='cpu'."


def megabytes(size: float) -> str:
    """A size in words."""
    return f"{size / 2**20:,.1f} MB"


def part_of(data: Data, first: int, last: int, count: int) -> Data:
    """What networks first .. last of a stack see."""
    if (first, last) == (0, count):
        return data
    at = np.arange(first, last)

    def cut(array: np.ndarray) -> np.ndarray:
        return array if array.shape[0] <= 1 else np.ascontiguousarray(array[at % array.shape[0]])

    return Data(data.x, cut(data.y), cut(data.weight), data.offset, cut(data.rows), cut(data.count))


@contextlib.contextmanager
def running_out(what: str, needed: float) -> Iterator[None]:
    """Turn the device's out-of-memory errors into one that says what to reduce."""
    try:
        yield
    except MemoryError as error:
        raise DeviceError(_message(what, needed)) from error
    except Exception as error:
        if isinstance(error, DeviceError) or "OUT_OF_MEMORY" not in f"{type(error).__name__} {error}".upper().replace(
            " ", "_"
        ):
            raise
        raise DeviceError(_message(what, needed)) from error


def _message(what: str, needed: float) -> str:
    return f"{what}: the device ran out of memory; {megabytes(needed)} were to be taken. {REDUCE}"
