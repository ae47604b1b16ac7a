"""One representation for everything: a table of layers, a flat vector, a stack of networks; on every target.

A chain of convolution, LSTM and dense layers and a stack of dense networks run through the same kernels on
the CPU, in numba's CUDA simulator, and compile for CUDA devices.
"""

from __future__ import annotations

import re
import sys
from pathlib import Path

import numba
import numpy as np
import ptx
import ptx_batches
import pytest
import raw
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
from processes import passed, run_pytest, run_python

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


def simulate(*arguments: str, jit_off: str, least: int) -> None:
    pytest.importorskip("numba_cuda")
    environment = {"NUMBA_ENABLE_CUDASIM": "1", "NUMBA_DISABLE_JIT": jit_off}
    passed(run_pytest("-m", "cuda", *arguments, **environment), least)


@pytest.mark.parametrize(
    ("file", "which", "least"),
    [("test_cuda.py", "", 60), ("test_cuda_batches.py", "optimizer or clipping or penalty", 12),
     ("test_cuda_losses.py", "gradient", 87)],
)
def test_the_simulated_device_and_the_compiled_cpu(file, which, least):
    simulate("-k", which, str(HERE / file), jit_off="0", least=least)


@pytest.mark.parametrize(
    ("file", "which", "least"),
    [("test_cuda.py", "stack or every_layer or mixed_chain or public", 9), ("test_cuda_batches.py", "", 44),
     ("test_cuda_losses.py", "not gradient", 160)],
)
def test_the_simulated_device_where_nothing_is_compiled(file, which, least):
    """Layers' minibatch training here alone: compiling the CPU's part of every kind of network would take minutes."""
    simulate("-k", which, str(HERE / file), jit_off="1", least=least)


TURNS = """
import simulator
simulator.take_turns()
import numpy as np
from numba import cuda

@cuda.jit
def kernel(out, order):
    i = cuda.threadIdx.x + cuda.blockDim.x * cuda.threadIdx.y
    shared = cuda.shared.array(6, np.float64)
    shared[i] = i + 10 * cuda.blockIdx.x
    cuda.syncthreads()
    order[0] = 10 * order[0] + i
    if i == 4:
        return  # the others go on without it
    out[cuda.blockIdx.x, i] = shared[5 - i]

out, order = np.zeros((2, 6)), np.zeros(1, np.int64)
kernel[2, (3, 2)](out, order)
assert order[0] == 524130031425, order  # against the orders of the blocks' first turns
assert out.tolist() == [[5 - i if i != 4 else 0 for i in range(6)], [15 - i if i != 4 else 0 for i in range(6)]], out

@cuda.jit
def failing(out):
    cuda.syncthreads()
    if cuda.threadIdx.x == 2:
        raise ValueError("no")
    cuda.syncthreads()

try:
    failing[1, 4](out)
except ValueError as error:
    assert str(error) == "tid=[2, 0, 0] ctaid=[0, 0, 0]: no", error
else:
    raise AssertionError
kernel[1, (3, 2)](out, order)  # and the threads are there for the next one
"""


def test_threads_of_the_simulator_take_turns():
    pytest.importorskip("numba_cuda")
    done = run_python(TURNS, NUMBA_ENABLE_CUDASIM="1", NUMBA_DISABLE_JIT="1")
    assert done.returncode == 0, done.stderr


def test_a_missing_device_is_named(monkeypatch):
    """Never a silent run on the CPU."""
    if cuda.simulated():
        pytest.skip("the simulator is on")
    data = {"x": np.linspace(0, 1, 9), "y": np.linspace(0, 1, 9)}
    if "numba_cuda" in sys.modules or not numba.config.DISABLE_JIT:
        from numba import cuda as numba_cuda

        monkeypatch.setattr(numba_cuda, "is_available", lambda: False)
    with pytest.raises(DeviceError, match=r"neuralstat\[cuda\].* and an NVIDIA driver.*NUMBA_ENABLE_CUDASIM=1"):
        raw.neuralnet("y ~ x", data, device="cuda")
    monkeypatch.setitem(sys.modules, "numba.cuda", None)
    monkeypatch.delattr(numba, "cuda", raising=False)
    with pytest.raises(DeviceError, match="numba-cuda is not installed"):
        cuda.find_device("cuda")
    for wrong in ("gpu", "cuda:x", "cuda:-1", 1):
        with pytest.raises(ArgumentError, match=r"device must be 'cpu', 'cuda' or 'cuda:<number>'"):
            raw.neuralnet("y ~ x", data, device=wrong)


def test_the_simulator_has_one_device(monkeypatch):
    monkeypatch.setattr(cuda, "simulated", lambda: True)
    assert cuda.find_device("cuda:0") == "cuda:0 (simulator)"
    with pytest.raises(DeviceError, match="the simulator has one device"):
        cuda.find_device("cuda:1")


LONG = {"rprop, all layers, float32", "lm", "bfgs, zero-inflated negative binomial, any chain"}  # a minute each


@pytest.mark.parametrize("name", [pytest.param(n, marks=pytest.mark.slow) if n in LONG else n for n in ptx.KERNELS])
def test_machine_code_without_a_device(name, capsys):
    """Every kernel for sm_80 and sm_90: what the simulator runs is also what a device can have."""
    pytest.importorskip("numba_cuda")
    if cuda.simulated() or numba.config.DISABLE_JIT:
        pytest.skip("needs the compiler")
    for (major, minor), text in ptx.compile_kernel(name).items():
        assert f".target sm_{major}{minor}" in text
        assert text.count(".entry") == 1
        assert "bar.sync" in text
        assert "call_activation" not in text
        assert "div.approx" not in text  # full division: nothing of fast arithmetic came along
        assert not re.findall(r"\.extern \.func[^;]*", text)  # nothing is left to link
        if ptx.in_shared_memory(name):
            assert text.count("ld.shared") > 50
    say(capsys, name, f"sm_{major}{minor}", text)


@pytest.mark.parametrize("name", ptx_batches.KERNELS)
def test_machine_code_of_minibatch_training_without_a_device(name, capsys):
    """As above; matrix products keep their sums in registers."""
    pytest.importorskip("numba_cuda")
    if cuda.simulated() or numba.config.DISABLE_JIT:
        pytest.skip("needs the compiler")
    dtype = ptx_batches.dtype_of(name)
    types = ptx.types_of(ptx_batches.arguments(name, dtype))
    for (major, minor), text in ptx.compiled(ptx_batches.kernel(name, dtype), types).items():
        assert f".target sm_{major}{minor}" in text
        assert text.count(".entry") == 1
        assert "div.approx" not in text
        assert not re.findall(r"\.extern \.func[^;]*", text)
        if name in ptx_batches.PRODUCTS:
            assert text.count("bar.sync") >= 3
            assert ".local" not in text
    say(capsys, name, f"sm_{major}{minor}", text)


@pytest.mark.slow
@pytest.mark.parametrize("name", ptx_batches.LOSSES)
def test_machine_code_of_every_distribution(name, capsys):
    """Each by itself: what a distribution and its link do not need is not compiled."""
    test_machine_code_of_minibatch_training_without_a_device(name, capsys)


def say(capsys, name: str, arch: str, text: str) -> None:
    """Print registers and shared memory; nothing may be spilled of products."""
    report = ptx.assembled(text, arch)
    with capsys.disabled():
        sys.stdout.write(f"\n{name} {arch}: {report}")
    assert name not in ptx_batches.PRODUCTS or report.endswith(" 0 bytes spill stores"), report
