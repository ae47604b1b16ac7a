"""One representation for everything: a table of layers, a flat vector, a stack of networks; on every target.

A chain of convolution, LSTM and dense layers and a stack of dense networks run through the same kernels on
the CPU, in numba's CUDA simulator, and compile for CUDA devices.
"""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path
from types import SimpleNamespace

import numba
import numpy as np
import pytest
from chains import (
    CHAINS,
    MIXED,
    chain_network,
    close,
    draw,
    kernel_data,
    kernel_gradient,
    naive_gradient,
    naive_loss,
)

import neuralstat as ns
from neuralstat.engine import compile as compiling
from neuralstat.engine import cuda
from neuralstat.errors import ArgumentError, DeviceError
from neuralstat.layers import codes

HERE = Path(__file__).parent


@pytest.mark.parametrize("chain", [CHAINS["Dense"][2], MIXED], ids=["dense", "mixed"])
def test_a_stack_on_the_cpu(chain):
    network = chain_network(chain)
    theta, x, y = draw(network, 7, b=3)
    data = kernel_data(x, y)
    for b in range(3):
        loss, grad = kernel_gradient(network, data, theta[b], b)
        close(loss, naive_loss(network, theta[b], x, y))
        close(grad, naive_gradient(network, theta[b], x, y))


def test_the_table_of_a_mixed_chain():
    """Layers read rows that an earlier one wrote; weights follow one another without gaps."""
    network = chain_network(MIXED)
    assert network.table[:, codes.OP].tolist() == [
        codes.CONV2D,
        codes.LSTM,
        codes.LSTM,
        codes.DENSE,
        codes.DENSE,
    ]
    at, written = 0, {0: 9}
    for row, (per_unit, units) in zip(network.table, network.shapes, strict=True):
        assert row[codes.PARAM] == at
        assert written[row[codes.SOURCE]] == row[codes.N_IN]
        written[row[codes.TARGET]] = row[codes.N_OUT]
        at += per_unit * units
    assert at == network.n_params == len(network.names) == len(set(network.names))
    theta = np.arange(network.n_params, dtype=float)
    np.testing.assert_array_equal(network.flatten(network.matrices(theta)), theta)
    assert theta[network.is_bias].size == sum(units for _, units in network.shapes)


def run_pytest(*arguments: str, **environment: str) -> subprocess.CompletedProcess:
    paths = os.pathsep.join([str(compiling.PACKAGE.parent), str(HERE)])
    command = [sys.executable, "-m", "pytest", "-q", "-p", "no:cacheprovider", "-x", *arguments]
    return subprocess.run(command, capture_output=True, text=True, timeout=900, cwd=HERE.parent,
                          env={**os.environ, "PYTHONPATH": paths, **environment})  # fmt: skip


def passed(done: subprocess.CompletedProcess, least: int) -> None:
    assert done.returncode == 0, done.stdout[-6000:] + done.stderr[-2000:]
    last = done.stdout.strip().splitlines()[-1]
    assert int(last.split(" passed")[0].split()[-1]) >= least, last


def simulate(*arguments: str, jit_off: str, least: int) -> None:
    pytest.importorskip("numba_cuda")
    environment = {"NUMBA_ENABLE_CUDASIM": "1", "NUMBA_DISABLE_JIT": jit_off}
    passed(run_pytest("-m", "cuda", *arguments, str(HERE / "test_cuda.py"), **environment), least)


def test_the_simulated_device_and_the_compiled_cpu():
    simulate(jit_off="0", least=35)


def test_the_simulated_device_where_nothing_is_compiled():
    simulate("-k", "stack or every_layer or mixed_chain or public", jit_off="1", least=9)


def test_a_missing_device_is_named(monkeypatch):
    """Never a silent run on the CPU."""
    if cuda.simulated():
        pytest.skip("the simulator is on")
    data = {"x": np.linspace(0, 1, 9), "y": np.linspace(0, 1, 9)}
    if "numba_cuda" in sys.modules or not numba.config.DISABLE_JIT:
        from numba import cuda as numba_cuda

        monkeypatch.setattr(numba_cuda, "is_available", lambda: False)
    with pytest.raises(DeviceError, match=r"neuralstat\[cuda\] and an NVIDIA driver.*NUMBA_ENABLE_CUDASIM=1"):
        ns.neuralnet("y ~ x", data, device="cuda")
    monkeypatch.setitem(sys.modules, "numba.cuda", None)
    monkeypatch.delattr(numba, "cuda", raising=False)
    with pytest.raises(DeviceError, match="numba-cuda is not installed"):
        cuda.find_device("cuda")
    for wrong in ("gpu", "cuda:x", "cuda:-1", 1):
        with pytest.raises(ArgumentError, match=r"device must be 'cpu', 'cuda' or 'cuda:<number>'"):
            ns.neuralnet("y ~ x", data, device=wrong)


def test_the_simulator_has_one_device(monkeypatch):
    monkeypatch.setattr(cuda, "simulated", lambda: True)
    assert cuda.find_device("cuda:0") == "cuda:0 (simulator)"
    with pytest.raises(DeviceError, match="the simulator has one device"):
        cuda.find_device("cuda:1")


def signatures(dtype: str):
    """Argument types of the two kernels."""
    real, whole = getattr(numba, dtype), numba.int64

    def array(kind, dims):
        return numba.types.Array(kind, dims, "C")

    head = (
        array(whole, 2), array(real, 1), whole, numba.float64, array(real, 2), array(real, 2), array(real, 3),
        array(real, 2), array(real, 2), array(whole, 2), array(whole, 1),
        *[array(real, 3)] * 4, array(real, 2),
    )  # fmt: skip
    gradient = (*head, array(real, 2), array(real, 1), array(real, 2))
    train = (
        *head, whole, array(real, 1), numba.float64, whole, whole, array(real, 2), array(numba.boolean, 2),
        array(real, 2), array(real, 2), array(whole, 1), array(real, 1), array(real, 1), array(whole, 1),
        array(real, 2), array(whole, 1), array(whole, 1), array(real, 2),
    )  # fmt: skip
    return gradient, train


def ptx_of(dtype: str, everything: bool, which: int, monkeypatch) -> dict[tuple[int, int], str]:
    """A kernel as PTX for sm_80 and sm_90, without a device."""
    pytest.importorskip("numba_cuda")
    from numba import cuda as numba_cuda
    from numba.cuda import dispatcher

    if cuda.simulated() or numba.config.DISABLE_JIT:
        pytest.skip("needs the compiler")
    try:
        numba_cuda.cudadrv.nvvm.NVVM()
    except Exception as error:
        pytest.skip(f"NVIDIA's compiler library is not installed ({error})")
    from neuralstat.engine.cuda_kernels import build

    kernel = build(dtype, everything, everything, False, decorate=lambda function: function)[which]
    out = {}
    for target in ((8, 0), (9, 0)):
        device = SimpleNamespace(compute_capability=target)
        monkeypatch.setattr(dispatcher, "get_current_device", lambda device=device: device)
        text, _ = numba_cuda.compile(kernel, signatures(dtype)[which], device=False, abi="numba", cc=target)
        out[target] = text if isinstance(text, str) else text.decode()
    return out


def check_ptx(dtype: str, everything: bool, which: int, monkeypatch) -> None:
    for (major, _), text in ptx_of(dtype, everything, which, monkeypatch).items():
        assert f".target sm_{major}0" in text
        assert text.count(".entry") == 1
        assert "bar.sync" in text
        assert "call_activation" not in text
        assert "div.approx" not in text  # full division: nothing of fast arithmetic came along
        report = linked(text, f"sm_{major}0")
        if report:
            what = f"{dtype} {'all' if everything else 'dense'} {('gradient', 'train')[which]}"
            sys.stdout.write(f"{what} sm_{major}0: {report}\n")


def linked(ptx: str, arch: str) -> str:
    """Registers and shared memory, from NVIDIA's assembler; nothing where that is not installed."""
    try:
        from cuda.core import Linker, LinkerOptions, ObjectCode
    except ImportError:
        return ""
    linker = Linker(ObjectCode.from_ptx(ptx.encode()), options=LinkerOptions(arch=arch, ptxas_options=["-v"]))
    assert len(linker.link("cubin").code) > 0
    return "; ".join(line.split(":")[-1].strip() for line in linker.get_info_log().splitlines()
                     if "registers" in line or "spill" in line)  # fmt: skip


def test_ptx_without_a_device(monkeypatch):
    check_ptx("float64", False, 0, monkeypatch)


@pytest.mark.slow
@pytest.mark.parametrize("which", [0, 1], ids=["gradient", "train"])
@pytest.mark.parametrize("everything", [False, True], ids=["dense", "all"])
@pytest.mark.parametrize("dtype", ["float64", "float32"])
def test_ptx_of_every_kernel(dtype, everything, which, monkeypatch):
    check_ptx(dtype, everything, which, monkeypatch)
