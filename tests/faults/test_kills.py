"""SIGKILL, and many processes at one time: checkpoints, files and the kernel cache survive what happens to processes."""

from __future__ import annotations

import json
import os
import random
import subprocess
import sys

import pytest
from processes import environment

pytestmark = pytest.mark.skipif(not hasattr(os, "fork"), reason="processes as on POSIX")


def killed(name: str, times: int) -> dict:
    """What `kills.report` finds."""
    code = f"import kills; kills.report({name!r}, {times}, {random.randrange(10**6)})"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, timeout=3600, env=environment())
    assert done.returncode == 0, done.stderr[-4000:]
    return json.loads(done.stdout)


@pytest.mark.parametrize("name", ["fit", "study"])
def test_killed_once_and_again(name):
    """Gone on from what was there, to the same bits."""
    assert killed(name, 1)["different"] == 0


@pytest.mark.slow
@pytest.mark.parametrize(("name", "times"), [("fit", 10), ("study", 20), ("save", 20)])
def test_killed_often(name, times):
    """Ten fits and twenty studies, each killed twice."""
    found = killed(name, times)
    assert found["different"] == 0 and found["at work"] >= times, found


EIGHT = """if True:
    import hashlib, warnings
    import neuralstat as ns
    warnings.simplefilter("ignore")
    data = ns.datasets.doppler(n=60, noise=0.1, random_state=1)
    fit = ns.neuralnet("y ~ x", data, hidden=2, rep=2, algorithm="rprop+", stepmax=200, random_state=1)
    print(hashlib.sha256(fit.theta.tobytes()).hexdigest())
"""


@pytest.mark.slow
def test_eight_processes_fill_one_empty_cache(tmp_path):
    """All fit, to the same bits, and what they leave serves the next, which compiles nothing."""
    variables = environment(NEURALSTAT_CACHE_DIR=str(tmp_path / "cache"))
    command = [sys.executable, "-W", "error", "-c", EIGHT]
    pipe = subprocess.PIPE
    processes = [subprocess.Popen(command, stdout=pipe, stderr=pipe, text=True, env=variables) for _ in range(8)]
    ended = [process.communicate(timeout=1800) for process in processes]
    assert [process.returncode for process in processes] == [0] * 8, ended
    kept = {path: path.stat().st_mtime_ns for path in (tmp_path / "cache").rglob("*.nb*")}
    last = subprocess.run(command, capture_output=True, text=True, timeout=600, env=variables)
    assert {out for out, _ in ended} == {last.stdout}, ended
    assert kept and kept == {path: path.stat().st_mtime_ns for path in (tmp_path / "cache").rglob("*.nb*")}
