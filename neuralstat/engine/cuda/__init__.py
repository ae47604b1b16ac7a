"""The CUDA driver: loss and gradient, and the training loop, of a stack of networks; one block of threads per network.

A block takes up network after network, so that one that has converged makes room for the next. Its workspace (units
of a pass of observations, weights, gradient, the optimizer's memory) lies in shared memory where it fits; see `plan`.
Stacks are cut into parts that fit into the device's memory; see `memory`.
"""

from __future__ import annotations

import contextlib
import functools
import sys
import threading
import warnings
from collections.abc import Callable, Iterator
from typing import Any, NamedTuple

import numba
import numpy as np

from ...errors import DeviceError
from ...layers.codes import BATCH_NORM, DROPOUT, NOISE, OP
from ..cpu import Data, Net
from . import losses, memory
from .plan import Plan, is_dense_chain, make_plan, tiles_of

BUFFER_BYTES = 2**28  # most memory for the workspaces of all blocks together
MOST_BLOCKS = 4096
LANES = 128  # threads per block, a power of two
SIMULATED_LANES = 2  # every simulated thread is one of Python's

_MEND = (
    "Install neuralstat[cuda] (neuralstat[cuda12] for drivers before 580) and an NVIDIA driver, set "
    "NUMBA_ENABLE_CUDASIM=1 to simulate a device, or use device='cpu'."
)


def simulated() -> bool:
    """Whether numba's CUDA simulator is switched on."""
    return bool(numba.config.ENABLE_CUDASIM)


def find_device(device: str) -> str:
    """Name of a device that is there.

    Parameters
    ----------
    device : str
        "cuda" or "cuda:<number>".

    Returns
    -------
    str
        As "cuda:0 (NVIDIA H100)" or "cuda:0 (simulator)".

    Raises
    ------
    DeviceError
        Where the extra, the driver or the device is missing; the message says what would mend it.
    """
    number = int(device.partition(":")[2] or 0)
    if simulated():
        if number != 0:
            raise DeviceError(f"device={device!r}: the simulator has one device, 'cuda:0'.")
        return "cuda:0 (simulator)"
    if numba.config.DISABLE_JIT:
        raise DeviceError(
            f"device={device!r}: NUMBA_DISABLE_JIT=1 is set, so nothing can be compiled for a device. "
            "Unset it, or set NUMBA_ENABLE_CUDASIM=1 to simulate a device."
        )
    try:
        from numba import cuda

        there = cuda.is_available()
    except ImportError as error:
        raise DeviceError(f"device={device!r}: numba-cuda is not installed ({error}). {_MEND}") from error
    if not there:
        raise DeviceError(f"device={device!r}: no CUDA driver or no device was found. {_MEND}")
    if number >= len(cuda.gpus):
        raise DeviceError(f"device={device!r}: there are {len(cuda.gpus)} CUDA devices, numbered from 0.")
    name = cuda.gpus[number].name
    return f"cuda:{number} ({name.decode() if isinstance(name, bytes) else name})"


@functools.lru_cache(maxsize=64)
def kernels(algorithm: str, dtype: str, dense: bool, layered: Any, rare: Any, shared: bool, code: int | None = None) -> Any:
    """Compile (once) for a kind of number, the families of layers and functions of a network, its memory and distribution."""
    from . import first_order, large, quasi_newton, second_order  # need numba-cuda

    if algorithm == "lm":
        return second_order.build(rare, shared, simulated())
    if algorithm in ("bfgs", "lbfgs"):
        return quasi_newton.build(dense, layered, rare, shared, simulated(), code=code, limited=algorithm == "lbfgs")
    build = large.build if algorithm == "large" else first_order.build
    return build(dtype, dense, layered, rare, shared, simulated(), code=code)


def kernels_for(net: Net, there: Resident, algorithm: str = "") -> Any:
    """Compiled kernels for a network: of "lm", "bfgs", "lbfgs", "large", or R's algorithms."""
    dtype = str(there.data.x.dtype)
    layered, rare = losses.compiled_layers(net.layered), losses.compiled_rare(net)
    return kernels(algorithm, dtype, is_dense_chain(net.table), layered, rare, there.shared > 0, losses.code_of(net))




class Resident(NamedTuple):
    """What lies on the device for a stack: the network, the observations, workspaces of every block."""

    problem: Any
    data: Data
    plan: Plan
    work: Any
    blocks: int
    shared: int  # bytes of shared memory per block


def lanes() -> int:
    """Threads per block."""
    return SIMULATED_LANES if simulated() else LANES


def send(array: np.ndarray) -> Any:
    """An array on the device. The simulator's kernels get numpy's arrays, which they can have in tuples."""
    if simulated():
        return np.array(array)
    from numba import cuda

    return cuda.to_device(packed(array))


def packed(array: np.ndarray) -> np.ndarray:
    """An array in C order whose strides say so too; a new axis has stride 0, which numba takes for another layout."""
    array = np.ascontiguousarray(array)
    return array.copy() if 0 in array.strides else array


def fetch(there: Any, here: np.ndarray) -> None:
    """Copy an array from the device."""
    if simulated():
        here[...] = there
    elif here.flags.c_contiguous:
        there.copy_to_host(here)
    else:
        here[...] = there.copy_to_host()


def check_functions(net: Net) -> None:
    """Raise DeviceError where a network has functions that only the CPU's kernels know."""
    if net.custom:
        raise DeviceError(
            "device='cuda': custom activation and error functions run on the CPU only. Use built-in ones, "
            "or device='cpu'."
        )
    if (why := losses.cpu_only(net.loss)) is not None:
        raise DeviceError(f"device='cuda': {why}. Use another family, or device='cpu'.")


def check_kernels(net: Net) -> None:
    """Raise DeviceError where a network has parts that only the CPU's, or minibatch training's, kernels know."""
    check_functions(net)
    for op, name in ((BATCH_NORM, "BatchNorm"), (DROPOUT, "Dropout"), (NOISE, "noise")):
        if np.any(net.table[:, OP] == op):
            raise DeviceError(f"device='cuda': {name} needs a minibatch optimizer ('adam', 'sgd', ...) on a device.")


def upload(net: Net, data: Data, n_params: int, n_networks: int, extra: Any = None) -> Resident:
    """Network and observations to the device, and room for `n_networks` networks to work in.

    Parameters
    ----------
    extra : callable, optional
        See `plan.make_plan`.

    Raises
    ------
    DeviceError
        See `check_kernels`.
    """
    from .passes import Problem

    check_kernels(net)
    dtype = data.x.dtype
    plan, shared = make_plan(net, data, n_params, lanes(), memory.shared_limit(simulated()), extra)
    size = plan.size * dtype.itemsize
    blocks = int(max(1, min(n_networks, MOST_BLOCKS, MOST_BLOCKS if shared else BUFFER_BYTES // size)))
    if shared:
        blocks = min(blocks, resident_blocks(size))
    tiles = tiles_of(net.table, net.width, n_params) if is_dense_chain(net.table) else np.zeros((1, 24), np.int64)
    told = losses.parameters_of(net)
    problem = Problem(
        send(net.table), send(net.constants.astype(dtype)), net.loss, told if isinstance(told, float) else send(told),
        send(net.penalty.astype(dtype)), send(tiles),
    )  # fmt: skip
    work = send(np.zeros((1, 1) if shared else (blocks, plan.size), dtype))
    return Resident(problem, Data(*map(send, data)), plan, work, blocks, size if shared else 0)


def resident_blocks(size: int) -> int:
    """How many blocks with `size` bytes of shared memory each the device holds at once: more would wait."""
    if simulated():
        return MOST_BLOCKS
    from numba import cuda

    device = cuda.get_current_device()
    each = getattr(device, "MAX_SHARED_MEMORY_PER_MULTIPROCESSOR", memory.DEFAULT_SHARED)
    most = getattr(device, "MAX_THREADS_PER_MULTIPROCESSOR", 1024) // LANES
    return int(device.MULTIPROCESSOR_COUNT * max(1, min(most, each // (size + memory.STATIC))))


def launch(kernel: Any, there: Resident, arguments: tuple[Any, ...]) -> None:
    """Run a kernel with the blocks and the shared memory of a stack."""
    if there.shared > memory.DEFAULT_SHARED and not simulated():
        kernel.compile(tuple(kernel.typeof_pyval(argument) for argument in arguments))
        memory.allow_shared(kernel, there.shared)
    if not simulated():
        _configured(kernel, there.blocks, there.shared)(*arguments)
        return
    with _quick_turns():
        kernel[there.blocks, lanes(), 0, there.shared](*arguments)


@functools.lru_cache(maxsize=256)
def _configured(kernel: Any, blocks: int, shared: int) -> Any:
    """A kernel ready for launches. That a small stack leaves part of the device idle is no warning to users."""
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        return kernel[blocks, lanes(), 0, shared]


@contextlib.contextmanager
def _quick_turns() -> Iterator[None]:
    """Let simulated threads, which wait for each other all the time, take turns more often than Python's usually do."""
    _share_arrays()
    before = sys.getswitchinterval()
    sys.setswitchinterval(1e-5)
    try:
        yield
    finally:
        sys.setswitchinterval(before)


@functools.lru_cache(maxsize=1)
def _share_arrays() -> None:
    """Give simulated threads that ask for an array in shared memory at the same time one array, not one each."""
    from numba.cuda.np import numpy_support
    from numba.cuda.simulator import kernelapi

    fake: Any = kernelapi.FakeCUDAShared
    dynamic, lock = fake.array, threading.Lock()

    def array(self: Any, shape: Any, dtype: Any, alignment: Any = None) -> Any:
        if shape == 0:
            return dynamic(self, shape, dtype, alignment)
        asked = sys._getframe(1)
        place = asked.f_code.co_filename, asked.f_lineno
        with lock:
            if place not in self._allocations:
                self._allocations[place] = np.empty(shape, numpy_support.as_dtype(dtype))
            return self._allocations[place]

    fake.array = array


def on_device(device: str) -> Any:
    """Context in which a device is the current one."""
    from numba import cuda

    return cuda.gpus[int(device.partition(":")[2] or 0)]


def loss_gradient(
    net: Net, data: Data, theta: np.ndarray, device: str = "cuda"
) -> tuple[np.ndarray, np.ndarray]:
    """Loss (B,) and gradient (B, P) of a stack of networks, without penalty.

    Parameters
    ----------
    theta : (B, P) array

    Raises
    ------
    DeviceError
        See `find_device` and `upload`.
    """
    find_device(device)
    loss, grad = np.zeros(theta.shape[0], data.x.dtype), np.zeros(theta.shape, data.x.dtype)
    with on_device(device):
        there = upload(net, data, theta.shape[1], theta.shape[0])
        losses, grads = send(loss), send(grad)
        launch(kernels_for(net, there).gradient, there, (
            there.problem, there.data, there.plan, there.work, send(np.arange(theta.shape[0])),
            send(np.zeros(1, np.int64)), send(np.ascontiguousarray(theta, data.x.dtype)), losses, grads,
        ))  # fmt: skip
        fetch(losses, loss)
        fetch(grads, grad)
    return loss, grad


def train_stack(
    trainer: Any, data: Data, stack: Any, device: str, watch: Callable[[Any], None] | None = None,
    chunk: int | None = None,
) -> None:  # fmt: skip
    """Train every network of a stack on the device, as `descent.train_first_order` and threads do on a CPU.

    Launches last about half a second, so that Ctrl-C is heard; after it the stack holds what there is. A stack that
    does not fit into the device's memory is trained in parts.

    Parameters
    ----------
    trainer : trainers.Trainer
    stack : object
        Host arrays theta, free, before, rate, steps, loss, reached, status, trace, recorded, stride; updated.
    watch : callable, optional
        Called with the stack between launches.
    chunk : int, optional
        Steps per launch; measured where not given.

    Raises
    ------
    DeviceError
        See `find_device` and `upload`; where memory runs out.
    """
    find_device(device)
    check_kernels(trainer.net)
    count, what = stack.theta.shape[0], f"device={device!r}"
    each = memory.per_network(stack, data) + trainer.bytes_per_network(stack, data)
    fixed = BUFFER_BYTES + memory.shared_by_all(data, count)
    with on_device(device), memory.running_out(what, fixed + each * count):
        for first, last in memory.chunks(count, each, fixed, memory.free_bytes(), what):
            part = memory.part_of(data, first, last, count)
            if not trainer.run(part, stack, first, last, None if watch is None else lambda: watch(stack), chunk):
                break
