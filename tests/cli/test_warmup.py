"""Compiling ahead fills the cache, and a later process compiles nothing."""

from __future__ import annotations

import os
import subprocess
import sys

import pytest

from neuralstat.cli import main
from neuralstat.cli.warmup import tasks, warmup


def test_tasks_run_and_are_reported():
    seen = []
    assert warmup(report=lambda name, seconds: seen.append(name)) > 0
    assert seen == [name for name, _ in tasks(False)]
    assert set(seen) < {name for name, _ in tasks(True)}


def test_command_names_the_cache(capsys):
    assert main(["warmup"]) == 0
    assert "cache: " in capsys.readouterr().out


@pytest.mark.slow
def test_a_later_process_compiles_nothing(tmp_path):
    environment = {**os.environ, "NEURALSTAT_CACHE_DIR": str(tmp_path)}
    subprocess.run([sys.executable, "-m", "neuralstat", "warmup"], env=environment, check=True)
    before = {f.name: f.stat().st_mtime_ns for f in tmp_path.rglob("*.nbc")}
    code = (
        "import neuralstat as ns; d = ns.datasets.doppler(n=50, random_state=1);"
        "ns.neuralnet('y ~ x', d, hidden=2, threshold=1, random_state=1).confidence_interval()"
    )
    subprocess.run([sys.executable, "-c", code], env=environment, check=True)
    assert {f.name: f.stat().st_mtime_ns for f in tmp_path.rglob("*.nbc")} == before
