"""`benchmarks/gpu_session.sh` and what it runs, without a device: it plans, its tests exist, and what is found is kept."""

from __future__ import annotations

import ast
import contextlib
import csv
import re
import subprocess
import sys
from types import SimpleNamespace

import pytest
from places import ROOT
from processes import environment

from neuralstat.engine import cuda
from neuralstat.optimizers.minibatch import MINIBATCH
from neuralstat.optimizers.rprop import CODES

BENCHMARKS = ROOT / "benchmarks"
SCRIPT = BENCHMARKS / "gpu_session.sh"
MODULES = ("gpu", "gpu_layers", "gpu_peers", "gpu_record", "gpu_tests", "common")


@pytest.fixture
def module(monkeypatch):
    """Imports a module of the benchmarks."""
    monkeypatch.syspath_prepend(str(BENCHMARKS))
    yield lambda name: __import__(name)
    for name in MODULES:
        sys.modules.pop(name, None)


def session(*arguments: str) -> subprocess.CompletedProcess:
    command = ["bash", str(SCRIPT), *arguments]
    return subprocess.run(command, capture_output=True, text=True, timeout=60, env=environment(PYTHON=sys.executable))


def read(path):
    with open(path, newline="") as file:
        return list(csv.DictReader(file))


# The script


def test_it_is_a_script():
    done = subprocess.run(["bash", "-n", str(SCRIPT)], capture_output=True, text=True)
    assert (done.returncode, done.stderr) == (0, "")
    assert SCRIPT.stat().st_mode & 0o100


@pytest.mark.parametrize("minutes", ["0.2", "10"])
def test_its_stages_fit_into_the_time(minutes):
    done = session("--simulate", "--minutes", minutes, "--plan")
    assert done.returncode == 0, done.stderr
    said = done.stdout.splitlines()
    whole = int(re.match(r"plan: (\d+) s in all \(simulated", said[0]).group(1))
    assert whole == round(60 * float(minutes))
    stages = [re.match(r"  (\w+) +(\d+) s  (.*)", line).groups() for line in said[1:]]
    assert [name for name, _, _ in stages] == ["tests", "check", "quick", *["table"] * 6]
    assert sum(int(seconds) for _, seconds, _ in stages) <= whole
    assert int(stages[0][1]) == whole * 40 // 100  # 4 minutes of 10


def test_its_plan_has_every_row_and_every_test_of_kernels(module):
    plan = session("--plan").stdout
    assert sorted(re.findall(r"--rows (\w+)", plan)) == sorted(module("gpu").ROWS)
    files = (ROOT / "tests").rglob("test_*.py")
    marked = {path.name for path in files if "\npytestmark = pytest.mark.cuda" in path.read_text()}
    assert marked == set(re.findall(r"tests/engine/(test_\w+\.py)", plan))


@pytest.mark.parametrize(
    ("arguments", "said"),
    [(["--minutes", "ten"], "--minutes must be a number, got 'ten'"), (["--rows"], "--rows needs a value"),
     (["--fast", "1"], "unknown argument --fast"), (["--venv", "/nowhere"], "there is no /nowhere/bin/python")],
)  # fmt: skip
def test_what_it_does_not_know_is_said(arguments, said):
    done = session(*arguments)
    assert done.returncode == 2
    assert said in done.stderr


# The order of the tests


def names_of(file: str) -> set[str]:
    tree = ast.parse((ROOT / "tests/engine" / file).read_text())
    return {node.name for node in tree.body if isinstance(node, ast.FunctionDef)}


def test_the_tests_of_the_order_exist(module):
    order = module("gpu_tests").ORDER
    assert len(set(order)) == len(order)
    cases = {*CODES, *MINIBATCH, "sse", "rprop"}
    for entry in order:
        file, name, case = re.fullmatch(r"(test_\w+\.py)::(\w+)(?:\[([^-\]]+).*)?", entry).groups()
        assert name in names_of(file), f"{entry} is no test any more: mend ORDER in benchmarks/gpu_tests.py"
        assert case is None or case in cases


def test_the_longest_beginning_counts(module):
    place, order = module("gpu_tests").place, module("gpu_tests").ORDER
    for k, start in enumerate(order):
        assert place(f"tests/engine/{start}") == k
    assert place("tests/engine/test_cuda_batches.py::test_every_optimizer[sgd]") > place(
        "tests/engine/test_cuda_batches.py::test_every_optimizer[adam]"
    )
    assert place("tests/engine/test_cuda.py::test_other_devices_are_not_there") == len(order)


# What is found is kept


CASES = """
import pytest

def test_before():
    pass

def test_wrong():
    assert 1 == 2, "they differ"

def test_fault():
    raise RuntimeError("[700] Call to cuCtxSynchronize results in CUDA_ERROR_ILLEGAL_ADDRESS")

def test_after():
    pass
"""


@pytest.mark.parametrize("workers", [(), ("-n", "1", "--maxschedchunk", "1")], ids=["one process", "xdist"])
def test_outcomes_are_written_and_a_lost_context_ends_its_process(tmp_path, workers):
    (tmp_path / "test_cases.py").write_text(CASES)
    command = [sys.executable, "-m", "pytest", "-q", "-p", "gpu_tests", "-p", "no:cacheprovider", "--rootdir", str(tmp_path),
               "--outcomes", str(tmp_path / "out" / "tests.csv"), *workers, "test_cases.py"]  # fmt: skip
    done = subprocess.run(command, capture_output=True, text=True, cwd=tmp_path, env=environment(BENCHMARKS), timeout=120)
    rows = read(tmp_path / "out" / "tests.csv")
    found = {row["test"].rpartition("::")[2]: row for row in rows}
    assert found["test_before"]["outcome"] == "passed", done.stdout + done.stderr
    assert found["test_wrong"]["outcome"] == "failed"
    assert "they differ" in found["test_wrong"]["message"]
    assert "CUDA_ERROR_ILLEGAL_ADDRESS" in (tmp_path / "out" / "faults.txt").read_text()
    if workers:  # another process went on
        assert found["test_fault"]["outcome"] == "failed"
        assert found["test_after"]["outcome"] == "passed"
        assert found["test_after"]["worker"] != found["test_before"]["worker"]
    else:
        assert done.returncode == 70
        assert "context is lost after" in done.stdout + done.stderr
        assert "test_after" not in found


def test_every_run_is_written_and_a_failure_stops_no_other(module, tmp_path):
    record = module("gpu_record")
    written = []

    def ours():
        written.append(len(read(tmp_path / "runs.csv")) if written else 0)

    def broken():
        raise RuntimeError("no\nmemory")

    timed = record.Timed(tmp_path, 2)
    found, failed = timed("stack 3", "float32", {"ours": ours, "peer": broken}, {"ours": 0.5})
    assert written == [0, 2, 3]
    assert failed == {"peer": "failed: RuntimeError: no memory"}
    rows = read(tmp_path / "runs.csv")
    runs = [(row["program"], row["run"]) for row in rows]
    assert runs == [("ours", "first"), ("peer", "first"), ("ours", "1"), ("ours", "2")]
    assert set(found) == {"ours"}
    assert found["ours"] == pytest.approx(sum(float(row["seconds"]) for row in rows[2:]) / 2, rel=1e-3)


def test_a_failed_row_stops_no_other(module, monkeypatch, tmp_path, capsys):
    gpu = module("gpu")

    def rows_of(work, device, sizes, timed):
        if work == "cnn":
            raise RuntimeError("out of memory")
        yield gpu.row(work, "neuralstat", 0.5, 0.5, "float32")

    monkeypatch.setattr(gpu.cuda, "simulated", lambda: True)
    monkeypatch.setattr(gpu.cuda, "on_device", lambda device: contextlib.nullcontext())
    monkeypatch.setattr(gpu, "rows_of", rows_of)
    assert gpu.main(["--simulated", "--unchecked", "--out", str(tmp_path), "--rows", "cnn", "lstm"]) == 1
    assert "cnn FAILED: RuntimeError: out of memory" in capsys.readouterr().out
    assert gpu.main(["--simulated", "--unchecked", "--append", "--out", str(tmp_path), "--rows", "gdf"]) == 0
    rows = read(tmp_path / "gpu_simulated.csv")
    assert [row["work"] for row in rows] == ["lstm", "gdf"]
    assert {row["device"] for row in rows} == {"cuda:0 (simulator)"}


def test_a_failed_comparison_stops_no_other(module, monkeypatch, capsys):
    gpu = module("gpu")

    def wrong():
        raise AssertionError("weights differ by 1")

    monkeypatch.setattr(gpu, "check", lambda device, sizes: iter([wrong, lambda: ["gradient: equal"]]))
    assert gpu.checked("cuda", gpu.QUICK) == ["AssertionError: weights differ by 1"]
    assert "checked: gradient: equal" in capsys.readouterr().out


def test_figures_of_kernels(module):
    """`kernels` reads them from compiled kernels, which need a device: here their names, and a kernel that is made up."""
    pytest.importorskip("numba_cuda")
    if cuda.simulated():
        pytest.skip("the simulator compiles nothing")
    from numba import cuda as numba_cuda
    from numba.cuda.dispatcher import _Kernel

    figures = {"regs_per_thread": 64, "shared_mem_per_block": 128, "local_mem_per_thread": 0, "max_threads_per_block": 1024}
    for name in figures:
        assert isinstance(getattr(_Kernel, name), property)

    @numba_cuda.jit
    def made_up(x):
        x[0] = 1

    record, told = module("gpu_record"), set()
    assert not [line for line in record.kernels(told) if line["kernel"].endswith(".made_up")]
    made_up.overloads["array(float32, 1d, C)",] = SimpleNamespace(**figures)
    (line,) = [line for line in record.kernels(told) if line["kernel"].endswith(".made_up")]
    assert record.kernels(told) == []
    made_up.overloads.clear()
    assert [*line.values()][1:] == ["float32", 64, 128, 0, 1024]


# The networks of the table


def test_sequences_of_the_masked_network_end_early(module):
    layers = module("gpu_layers")
    network = layers.network_of(*layers.masked_lstm(3, 8))
    rows, _ = layers.problem(network, 50, "float64")
    seen = (rows.inputs != 0).sum(axis=1)
    assert (seen == layers.lengths_of(50, 8)).all()
    assert seen.min() == 4
    assert seen.max() == 8


@pytest.mark.parametrize("name", ["resnet", "masked_lstm"])
def test_networks_have_so_many_weights(module, name):
    """As the peers, for which PyTorch is not needed here: two biases per gate are one, moving averages are no weights."""
    gpu = module("gpu")
    network = gpu.gpu_layers.network_named(name, gpu.Sizes())
    trained = network.n_params - int(network.is_moving.sum())
    f, units = 16, 64
    block = 2 * (9 * f * f + f + 2 * f)
    last = 9 * f * 2 * f + 2 * f + 9 * (2 * f) ** 2 + 2 * f + 2 * 4 * f + (f + 1) * 2 * f
    expected = {
        "resnet": 10 * f + 2 * f + 2 * block + last + 10 * (2 * f + 1),
        "masked_lstm": 4 * units * (units + 2) + 10 * (units + 1),
    }
    assert trained == expected[name]
