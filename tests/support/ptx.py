"""Kernels for CUDA devices, compiled without one: to PTX, and to machine code by NVIDIA's assembler."""

from __future__ import annotations

import re
from contextlib import contextmanager
from types import SimpleNamespace
from unittest import mock

import numba
import numpy as np
from chains import L, chain_network, draw, kernel_data
from observations import problem

from neuralstat.engine.cuda import losses
from neuralstat.engine.cuda.plan import make_plan, tiles_of
from neuralstat.engine.tracking import Rules, Track

TARGETS = ((8, 0), (9, 0))
#: Every kernel: which, kind of number, layers; the family with which it is compiled
KERNELS = {
    "rprop, dense, float64": ("train", "float64", "dense"),
    "rprop, dense, float32": ("train", "float32", "dense"),
    "rprop, all layers, float32": ("train", "float32", "all"),
    "gradient, dense, float64": ("gradient", "float64", "dense"),
    "shares of observations, dense, float32": ("partial", "float32", "dense"),
    "step from shares, float32": ("step", "float32", "vectors"),
    "lm": ("lm", "float64", "dense"),
    "bfgs": ("bfgs", "float64", "dense"),
    "lbfgs, student": ("lbfgs", "float64", "dense", "student"),
    "rprop, gaussian with its scale": ("train", "float64", "dense", "gaussian_scale identity"),
    "rprop, student, any chain, float32": ("train", "float32", "any", "student"),
    "bfgs, zero-inflated negative binomial, any chain": ("bfgs", "float64", "any", "zero_inflated_negative_binomial log"),
    "shares of observations, ordinal, float32": ("partial", "float32", "dense", "ordinal probit"),
    "gradient, binomial with another link": ("gradient", "float64", "dense", "binomial cloglog"),
}


@contextmanager
def pretended():
    """A device of which only the architecture is known: what the compiler asks for before it is told."""
    from numba.cuda import dispatcher
    from numba.cuda.cudadrv import devices

    device = SimpleNamespace(compute_capability=TARGETS[0])
    context = SimpleNamespace(device=device)
    with (
        mock.patch.object(dispatcher, "get_current_device", lambda: device),
        mock.patch.object(devices, "get_context", lambda: context),
    ):
        yield


def arguments(dtype: str, algorithm: str, family: str | None = None):
    """Arguments of a kernel, of the types that they have on a device."""
    from neuralstat.engine.cuda import first_order, quasi_newton, second_order
    from neuralstat.engine.cuda.passes import Problem

    if family is None:
        network = chain_network(((L.Dense(2, "logistic"), L.Dense(1)), (1,)))
        theta, x, y = draw(network, 8, b=2)
        data = kernel_data(x, y, dtype=dtype)
    else:
        network, theta, data = problem(family, dtype=dtype)
    net = network.net()
    p = network.n_params
    plan, _ = make_plan(net, data, p, 128, 40_000)
    tiles = tiles_of(net.table, net.width, p)

    def real(*shape):
        return np.zeros(shape, dtype)

    def whole(*shape):
        return np.zeros(shape, np.int64)

    told = Problem(net.table, net.constants.astype(dtype), net.loss, losses.parameters_of(net), real(0, 4), tiles)
    head = told, data, plan, real(1, 1), whole(2), whole(1)
    free, b = np.ones((1, p), bool), 2
    track = Track(theta.astype(dtype), free, whole(b), real(b), real(b), whole(b), real(b, 8), whole(b), whole(b))
    if algorithm == "gradient":
        return *head, theta.astype(dtype), real(b), real(b, p)
    if algorithm == "partial":
        return *head[:4], whole(b), 5, theta.astype(dtype), real(b, 3), real(b, 3, p)
    if algorithm in ("train", "step"):
        state = first_order.State(
            track.theta, free, real(b, p), real(b, p), whole(b), real(b), real(b), whole(b), track.trace, whole(b),
            whole(b),
        )  # fmt: skip
        how = 0, real(5), 0.1, 10, state
        return (*head, 10, *how) if algorithm == "train" else (told, *how, real(b, 3), real(b, 3, p))
    most = 10 if algorithm == "lbfgs" else 0
    room = second_order.room(34, 4, 1, p, p, 128)[0] if algorithm == "lm" else quasi_newton.room(p, p, most)[0]
    weights = second_order.Weights(whole(1, p), whole(1), whole(p), whole(p))
    return *head, 10, Rules(0.1, -1.0, 10), real(3), room, weights, track


def _build(name: str):
    """The undecorated kernel of that name in `KERNELS`."""
    from neuralstat.engine.cuda import first_order, large, quasi_newton, second_order
    from neuralstat.layers.codes import Layered

    algorithm, dtype, layers, family = _parts(name)
    code = None if family is None else losses.code_of(problem(family)[0].net())

    def same(function):
        return function

    if algorithm == "lm":
        return second_order.build(0, True, False, same)
    dense = layers not in ("all", "any")
    if algorithm in ("bfgs", "lbfgs"):
        return quasi_newton.build(dense, None, 0 if dense else None, dense, False, same, code, algorithm == "lbfgs")
    build = large.build if algorithm in ("partial", "step") else first_order.build
    every = Layered(0, 0, 0, 0, None, 0)  # type: ignore[arg-type]
    made = build(dtype, dense, every if layers == "all" else None, 0 if layers == "all" else None, dense, False, same, code)
    return getattr(made, algorithm)


def _parts(name: str) -> tuple:
    """Which kernel, kind of number, layers, family or None."""
    return (*KERNELS[name], None)[:4]


def in_shared_memory(name: str) -> bool:
    """Whether the kernel's workspace lies in shared memory."""
    return KERNELS[name][2] == "dense"


def types_of(values) -> tuple:
    """Types of arguments."""
    with pretended():
        return tuple(numba.typeof(value) for value in values)


def compiled(kernel, types: tuple) -> dict[tuple[int, int], str]:
    """An undecorated kernel as PTX for every target: once through numba, then NVIDIA's compiler once for each."""
    from numba.cuda.dispatcher import _Kernel

    with pretended():
        found = _Kernel(kernel, types)
        return {target: found.inspect_asm(target) for target in TARGETS}


def compile_kernel(name: str) -> dict[tuple[int, int], str]:
    """A kernel of `KERNELS` as PTX for every target."""
    algorithm, dtype, _, family = _parts(name)
    return compiled(_build(name), types_of(arguments(dtype, algorithm, family)))


def assembled(ptx: str, arch: str) -> str:
    """Registers and spills, from NVIDIA's assembler, and shared memory beside what a launch asks for."""
    from cuda.core import Linker, LinkerOptions, ObjectCode

    linker = Linker(ObjectCode.from_ptx(ptx.encode()), options=LinkerOptions(arch=arch, ptxas_options=["-v"]))
    assert len(linker.link("cubin").code) > 0
    log = linker.get_info_log()
    used = re.search(r"Used (\d+) registers[^.\n]*", log).group(0)
    spills = re.search(r"(\d+) bytes spill stores", log).group(0)
    shared = sum(int(size) for size in re.findall(r"\.shared [^;]*?\[(\d+)\];", ptx))
    return f"{used}, {shared} bytes shared, {spills}"
