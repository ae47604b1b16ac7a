"""`benchmarks/gpu.py` without a device: what it accepts, what it refuses, and its peers on the CPU."""

from __future__ import annotations

import sys
from unittest import mock

import numpy as np
import pytest
from places import ROOT

from neuralstat.engine import cuda
from neuralstat.engine.data import make_data
from neuralstat.errors import DeviceError
from neuralstat.training.train import Algorithm, train


@pytest.fixture
def gpu(monkeypatch):
    monkeypatch.syspath_prepend(str(ROOT / "benchmarks"))
    import gpu

    yield gpu
    for name in ("gpu", "gpu_layers", "gpu_peers", "common"):
        sys.modules.pop(name, None)


def test_it_refuses_without_a_device(gpu, monkeypatch, tmp_path):
    def missing(device):
        raise DeviceError("no CUDA driver or no device was found. Install neuralstat[cuda]")

    monkeypatch.setattr(cuda, "find_device", missing)
    monkeypatch.setattr(cuda, "simulated", lambda: False)
    monkeypatch.setattr(gpu, "write", lambda *a: pytest.fail("nothing is to be written"))
    with pytest.raises(SystemExit, match=r"nothing was timed.*neuralstat\[cuda\]"):
        gpu.main(["--quick"])
    monkeypatch.setattr(cuda, "simulated", lambda: True)
    with pytest.raises(SystemExit, match="the CUDA simulator is on"):
        gpu.main([])


def test_arguments(gpu, capsys):
    assert gpu.parse([]).rows == list(gpu.ROWS)
    assert gpu.parse(["--device", "cuda:1", "--rows", "gdf", "--repeats", "5"]).device == "cuda:1"
    for wrong in (["--device", "cpu"], ["--repeats", "0"], ["--rows", "rnn"]):
        with pytest.raises(SystemExit):
            gpu.parse(wrong)
    assert "--device must be" in capsys.readouterr().err


@pytest.mark.parametrize("name", ["cnn", "lstm"])
def test_ours_and_the_peers_have_the_same_network(gpu, name):
    torch = pytest.importorskip("torch")
    sizes = gpu.Sizes()
    _, times, units = sizes.sequences
    network = gpu.gpu_layers.network_of(*(gpu.gpu_layers.cnn() if name == "cnn" else gpu.gpu_layers.lstm(units, times)))
    made = []
    with mock.patch.object(torch.optim, "Adam", side_effect=lambda parameters: made.extend(parameters)):
        getattr(gpu.gpu_peers, f"{name}_programs")(sizes, "cpu")
    extra = 4 * units if name == "lstm" else 0  # PyTorch has two biases per gate
    assert network.n_params + extra == sum(p.numel() for p in made)


def test_every_row_of_the_table_has_a_target(gpu):
    works = {f"stack {networks}" for networks in gpu.Sizes().networks} | set(gpu.ROWS) - {"stack"}
    assert works == set(gpu.TARGETS)


def test_the_peers_do_the_same_steps(gpu):
    """PyTorch's stack on the CPU: rprop+ as ours, to rounding."""
    pytest.importorskip("torch")
    network, (x, y) = gpu.doppler_network((3,)), gpu.doppler(12)
    theta = gpu.starts(network, 3)
    programs, note = gpu.gpu_peers.stack_programs(network, x, y, theta, 6, "cpu")
    assert note == ""
    arguments = network, make_data(x, y), theta, np.ones(network.n_params, bool), Algorithm()
    ours = train(*arguments, threshold=0.0, stepmax=7)  # the first evaluation is step 1, the last moves nothing
    np.testing.assert_allclose(programs["PyTorch vmap"]().numpy(), ours.theta, atol=1e-9)


@pytest.mark.parametrize("name", ["cnn", "lstm"])
def test_peers_of_layered_rows_run(gpu, name):
    pytest.importorskip("torch")
    programs, _ = getattr(gpu.gpu_peers, f"{name}_programs")(gpu.QUICK, "cpu")
    assert np.isfinite(gpu.seconds_of(programs, 1)["PyTorch"])
