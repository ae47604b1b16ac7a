"""The CUDA driver: loss and gradient, and the training loop, of a stack of networks; one block per network.

The lanes of a block are its threads. Going through the layers they share the observations of a block of
`BLOCK`; adding up gradients they share the weights; barriers stand between the two. A block takes up network
after network, so that one that has converged makes room for the next.
"""

from __future__ import annotations

import functools
import time
from collections.abc import Callable
from typing import Any, NamedTuple

import numba
import numpy as np

from ..errors import DeviceError
from ..layers.codes import BATCH_NORM, DROPOUT, OP
from .cpu import BLOCK, RUNNING, Data, Net

BUFFER_BYTES = 2**28  # most memory for the units of all blocks together
MOST_BLOCKS = 1024
LANES = 128  # threads per block
SIMULATED_LANES = 4  # every simulated thread is one of Python's
LAUNCH = 0.5  # seconds of one launch, where somebody watches

_MEND = (
    "Install neuralstat[cuda] and an NVIDIA driver, set NUMBA_ENABLE_CUDASIM=1 to simulate a device, "
    "or use device='cpu'."
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
def kernels(dtype: str, layered: bool, rare: bool) -> Any:
    """Compile (once) for a kind of number and the families of layers and functions that a network has."""
    from .cuda_kernels import build  # needs numba-cuda

    return build(dtype, layered, rare, simulated())


class Resident(NamedTuple):
    """What lies on the device for a stack: the network, the observations, buffers of every block."""

    fixed: tuple[Any, ...]
    buffers: tuple[Any, ...]
    grid: int


def _lanes() -> int:
    return SIMULATED_LANES if simulated() else LANES


def upload(net: Net, data: Data, n_networks: int) -> Resident:
    """Network and observations to the device, and room for `n_networks` networks to work in.

    Raises
    ------
    DeviceError
        Where the network calls users' own functions, which are machine code of the CPU, or a family that the
        kernels lack.
    """
    from numba import cuda

    if net.custom is not None:
        raise DeviceError(
            "device='cuda': custom activation and error functions run on the CPU only. Use built-in ones, "
            "or device='cpu'."
        )
    if net.family is not None:
        raise DeviceError(
            "device='cuda': of the families, only gaussian, binomial with the logit link and multinomial run on a "
            "device. Use one of them, or device='cpu'."
        )
    for op, name in ((BATCH_NORM, "BatchNorm"), (DROPOUT, "Dropout")):
        if np.any(net.table[:, OP] == op):
            raise DeviceError(f"device='cuda': {name} runs on the CPU only. Use device='cpu'.")
    dtype = data.x.dtype
    outputs = data.y.shape[1]
    per_block = (3 * net.width + outputs + 1) * BLOCK * dtype.itemsize
    grid = int(max(1, min(n_networks, MOST_BLOCKS, BUFFER_BYTES // per_block)))

    def room(*shape: int) -> Any:
        return cuda.to_device(np.zeros((grid, *shape), dtype))

    fixed = (
        cuda.to_device(net.table), cuda.to_device(net.constants.astype(dtype)), net.loss,
        float(net.loss_parameter),
        cuda.to_device(net.penalty.astype(dtype)), *(cuda.to_device(part) for part in data),
    )  # fmt: skip
    units = [room(net.width, BLOCK) for _ in range(3)]
    case = cuda.to_device(np.ones((grid, BLOCK), dtype))
    return Resident(fixed, (*units, room(outputs, BLOCK), case), grid)


def _kernels_for(net: Net, data: Data) -> Any:
    return kernels(str(data.x.dtype), net.layered is not None, net.rare is not None)


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
    from numba import cuda

    with cuda.gpus[int(device.partition(":")[2] or 0)]:
        there = upload(net, data, theta.shape[0])
        weights = cuda.to_device(np.ascontiguousarray(theta, data.x.dtype))
        loss = cuda.to_device(np.zeros(theta.shape[0], data.x.dtype))
        grad = cuda.to_device(np.zeros(theta.shape, data.x.dtype))
        _kernels_for(net, data).gradient[there.grid, _lanes()](
            *there.fixed, *there.buffers, weights, loss, grad
        )
        return loss.copy_to_host(), grad.copy_to_host()


def train_stack(
    net: Net,
    data: Data,
    algorithm: int,
    settings: np.ndarray,
    threshold: float,
    stepmax: int,
    stack: Any,
    device: str,
    watch: Callable[[Any], None] | None = None,
    chunk: int | None = None,
) -> None:
    """Train every network of a stack on the device, as `cpu.train_first_order` and threads do on a CPU.

    One launch runs all steps of all networks, or, where somebody watches, about half a second's worth of
    them. After Ctrl-C the stack holds what there is.

    Parameters
    ----------
    stack : object
        Host arrays theta, free, before, rate, steps, loss, reached, status, trace, recorded, stride; updated.
    watch : callable, optional
        Called with the stack between launches.
    chunk : int, optional
        Steps per launch; measured where not given.

    Raises
    ------
    DeviceError
        See `find_device` and `upload`.
    """
    from numba import cuda

    names = (
        "theta",
        "free",
        "before",
        "rate",
        "steps",
        "loss",
        "reached",
        "status",
        "trace",
        "recorded",
        "stride",
    )
    with cuda.gpus[int(device.partition(":")[2] or 0)]:
        there = upload(net, data, stack.theta.shape[0])
        state = {name: cuda.to_device(getattr(stack, name)) for name in names}
        grad = cuda.to_device(np.zeros((there.grid, stack.theta.shape[1]), stack.theta.dtype))
        train = _kernels_for(net, data).train[there.grid, _lanes()]
        settings = cuda.to_device(settings)
        budget = chunk or (100 if watch is not None else stepmax)
        try:
            while np.any(stack.status == RUNNING):
                began = time.perf_counter()
                train(*there.fixed, *there.buffers, algorithm, settings, threshold, stepmax, budget,
                      *state.values(), grad)  # fmt: skip
                for name in ("steps", "loss", "reached", "status"):
                    state[name].copy_to_host(getattr(stack, name))
                if watch is not None:
                    watch(stack)
                if chunk is None:
                    spent = max(time.perf_counter() - began, 1e-6)
                    budget = int(min(max(budget * LAUNCH / spent, 1), 4 * budget, stepmax))
        except KeyboardInterrupt:
            pass  # the caller marks what is still running as interrupted
        for name in names:
            if name != "free":
                state[name].copy_to_host(getattr(stack, name))
