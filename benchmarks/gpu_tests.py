"""A plugin of pytest for a short time on a device: the most telling tests first, every outcome written at once.

    PYTHONPATH=benchmarks python -m pytest -p gpu_tests -m cuda --outcomes tests.csv tests/engine/test_cuda*.py

Tests are done in the order of `ORDER`, then the others. A fault of the device (an address outside of an array, say) leaves
its context of no use, so that all later tests of the process would fail as well: with pytest-xdist, such a process ends
there, what was said is in ``faults.txt`` beside the outcomes, and another process goes on. Without it, pytest ends.
"""

from __future__ import annotations

import csv
import os
import re
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

HEAD = ("test", "outcome", "seconds", "worker", "message")
#: Beginnings of tests' names, the most telling first: every kernel once before any is tried in other circumstances
ORDER = (
    # gradients of dense stacks and one fit by each family of kernels: nothing else makes sense where these fail
    "test_cuda.py::test_gradient_of_a_stack",
    "test_cuda.py::test_training_follows_the_cpu[rprop+]",
    "test_cuda.py::test_curved_training_follows_the_cpu[sse-",
    "test_cuda_batches.py::test_every_optimizer[adam]",
    "test_cuda_batches.py::test_layers_after_each_other",
    # every kernel of minibatches once: layers, variants, graphs of layers, masks, noise, constraints
    "test_cuda_batches.py::test_every_layer",
    "test_cuda_batches.py::test_variants_of_recurrent_layers",
    "test_cuda_batches.py::test_noise_is_the_same",
    "test_cuda_batches.py::test_scores_that_attention_drops_are_the_same",
    "test_cuda_batches.py::test_constraints",
    "test_cuda_batches.py::test_batch_normalisation_and_dropout_held_out",
    "test_cuda_batches.py::test_every_optimizer",
    "test_cuda_batches.py::test_clipping_and_schedules",
    # distributions with several parameters
    "test_cuda_losses.py::test_training_follows_the_cpu[rprop-",
    "test_cuda_losses.py::test_minibatches_follow_the_cpu",
    "test_cuda_losses.py::test_float32",
    # several blocks for a network, workspaces in global memory, single precision, memory
    "test_cuda.py::test_blocks_that_share_a_network_follow_the_cpu",
    "test_cuda.py::test_dense_networks_that_do_not_fit_into_shared_memory",
    "test_cuda.py::test_passes_shorter_than_the_data",
    "test_cuda_batches.py::test_recurrent_weights_that_do_not_fit_into_shared_memory",
    "test_cuda.py::test_float32",
    "test_cuda.py::test_training_in_float32",
    "test_cuda_batches.py::test_single_precision",
    "test_cuda_batches.py::test_stack_with_penalty_validation_and_early_stopping",
    "test_cuda_batches.py::test_through_the_public_interface",
    "test_cuda.py::test_through_the_public_interface",
    # the rest of the kernels of full batches
    "test_cuda.py::test_curved_training_follows_the_cpu",
    "test_cuda.py::test_training_follows_the_cpu",
    "test_cuda.py::test_gradient_of_every_layer",
    "test_cuda.py::test_gradient_of_every_activation",
    "test_cuda.py::test_gradient_of_every_loss",
    "test_cuda_losses.py::test_gradient_of_every_family_and_link",
)
#: What a driver says of a context that is of no use any more
FATAL = re.compile(
    "ILLEGAL_ADDRESS|LAUNCH_FAILED|LAUNCH_TIMEOUT|ILLEGAL_INSTRUCTION|MISALIGNED_ADDRESS|INVALID_ADDRESS_SPACE|INVALID_PC|"
    "HARDWARE_STACK_ERROR|ASSERT|ECC_UNCORRECTABLE"
)
FAULT = 70  # status with which a process ends after such a thing


def pytest_addoption(parser: Any) -> None:
    """The file of the outcomes."""
    parser.addoption("--outcomes", type=Path, required=True, help="CSV file that outcomes are written to, one by one")


def pytest_configure(config: Any) -> None:
    """The head of that file."""
    if worker_of(config) == "":
        path = config.getoption("--outcomes")
        path.parent.mkdir(parents=True, exist_ok=True)
        with open(path, "w", newline="") as file:
            csv.writer(file).writerow(HEAD)
        config.pluginmanager.register(Outcomes(path), "outcomes")


def worker_of(config: Any) -> str:
    """Name of the process that pytest-xdist started, or ''."""
    return getattr(config, "workerinput", {}).get("workerid", "")


def place(name: str) -> int:
    """Place in `ORDER` of a test, as ``folder/file.py::test[case]``: the longest beginning counts."""
    name = name.rpartition("/")[2]
    found = [(len(start), k) for k, start in enumerate(ORDER) if name.startswith(start)]
    return max(found)[1] if found else len(ORDER)


def pytest_collection_modifyitems(items: list[Any]) -> None:
    """Sort them; in the same way in every process."""
    items.sort(key=lambda item: place(item.nodeid))


class Outcomes:
    """Writes outcomes down when they are there."""

    def __init__(self, path: Path) -> None:
        self.path = path

    def pytest_runtest_logreport(self, report: Any) -> None:
        """One line per test, and one for what fails before or after it."""
        if report.when != "call" and report.outcome == "passed":
            return
        said = "" if report.outcome == "passed" else _message(report)
        with open(self.path, "a", newline="") as file:
            csv.writer(file).writerow((
                report.nodeid, report.outcome, f"{report.duration:.2f}", getattr(report, "worker_id", ""), said,
            ))  # fmt: skip


def _message(report: Any) -> str:
    crash = getattr(report.longrepr, "reprcrash", None)
    text = crash.message if crash is not None else str(report.longrepr)
    return " ".join(text.split())[:300]


@pytest.hookimpl(wrapper=True)
def pytest_runtest_makereport(item: Any, call: Any) -> Iterator[Any]:
    """End the process where the device's context is lost."""
    report = yield
    if report.failed and FATAL.search(str(report.longrepr)):
        faults = item.config.getoption("--outcomes").parent / "faults.txt"
        with open(faults, "a") as file:
            file.write(f"==== {item.nodeid}\n{report.longrepr}\n")
        if worker_of(item.config):
            os._exit(FAULT)
        pytest.exit(f"the device's context is lost after {item.nodeid}; see {faults}", returncode=FAULT)
    return report
