"""Ctrl-C at random moments: what was asked for ends with KeyboardInterrupt or says that it is a part, and is never another
number; the same call afterwards gives the bits that it always gave."""

from __future__ import annotations

import json
import os
import random
import re
import signal
import subprocess
import sys
import time

import presses
import pytest
from processes import environment, run_python

import neuralstat as ns

pytestmark = pytest.mark.skipif(os.name == "nt", reason="signals as on POSIX")

QUICK = {
    "fits": ["fit polish", "fit epochs", "fit checkpoint"],
    "statistics": ["risk cv", "df gdf", "df of a procedure", "prediction bootstrap"],
    "searches": ["select", "scikit-learn", "study"],
}


def outcomes(names: list[str], times: int, seed: int) -> list[dict]:
    """What `presses.report` finds, in a process that is the leader of its group."""
    code = f"import os, presses; os.setsid(); presses.report({names!r}, {times}, {seed})"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, timeout=1800, env=environment())
    found = [json.loads(line) for line in done.stdout.splitlines() if line.startswith("{")]
    assert [one["name"] for one in found] == names, done.stderr[-4000:]
    return found


def judge(found: list[dict], times: int) -> None:
    """No other number, neither then nor later."""
    for one in found:
        assert one.get("different", 0) == 0 and one["again"], one
        assert sum(one.get(how, 0) for how in ("interrupted", "flagged", "complete")) == times, one


@pytest.mark.parametrize("group", QUICK)
def test_some(group):
    judge(outcomes(QUICK[group], 2, random.randrange(10**6)), 2)


@pytest.mark.slow
@pytest.mark.parametrize("name", presses.CALCULATIONS)
def test_many(name):
    """Forty of each; a study on workers needs new ones after each."""
    times = 10 if name == "study parallel" else 40
    found = outcomes([name], times, random.randrange(10**6))
    judge(found, times)
    assert presses.goes_on(name) or found[0].get("interrupted", 0) + found[0].get("flagged", 0) > 0, found


# the command line -------------------------------------------------------------------------------------------


def interrupted_command(folder, delay: float) -> tuple[int, str, str]:
    """Code and output of a command that Ctrl-C reaches after some seconds."""
    arguments = ["--hidden", "3", "--threshold", "1e-9", "--stepmax", "200000", "--algorithm", "rprop+", "--rep", "2",
                 "--random-state", "1", "--json"]  # fmt: skip
    command = [sys.executable, "-m", "neuralstat", "fit", "y ~ x", "data.csv", *arguments]
    pipe = subprocess.PIPE
    process = subprocess.Popen(command, cwd=folder, stdout=pipe, stderr=pipe, text=True, env=environment())
    time.sleep(delay)
    process.send_signal(signal.SIGINT)
    out, err = process.communicate(timeout=120)
    return process.returncode, out, err


def judge_command(code: int, out: str, err: str) -> None:
    """One line, or a report that says so; before the package is there, Python's own words."""
    assert code in (0, 1, 130, -signal.SIGINT), (code, out, err)
    if code == 0:  # it was quicker
        assert json.loads(out)["weights_trained"] == 10
    elif "neuralstat" in err:
        assert "Traceback" not in err, err
        assert out == "" or "interrupted" in out, out
    else:
        assert "KeyboardInterrupt" in err or err == "", err
        assert not re.search(r"neuralstat/(cli|training|api|results)", err), err


@pytest.fixture
def folder(tmp_path):
    ns.datasets.doppler(n=100, noise=0.1, random_state=1).to_csv(tmp_path / "data.csv", index=False)
    return tmp_path


@pytest.mark.parametrize("delay", [0.4, 1.2])
def test_command(folder, delay):
    judge_command(*interrupted_command(folder, delay))


@pytest.mark.slow
def test_command_many(folder):
    """From Python's start to the report."""
    for k in range(60):
        judge_command(*interrupted_command(folder, 0.05 + 4 * k / 60))


def test_import_that_makes_another_error_of_it():
    """Extension modules turn a KeyboardInterrupt at their import into ImportError; it is said in one line, too."""
    code = """if True:
        import os, signal, sys, types
        from neuralstat import cli
        class Commands(types.ModuleType):
            def version(self, arguments):
                try:
                    os.kill(os.getpid(), signal.SIGINT)
                    for _ in range(1000): pass
                except KeyboardInterrupt:
                    raise ImportError("numpy.core.multiarray failed to import")
        sys.modules["neuralstat.cli.commands"] = cli.commands = Commands("commands")
        sys.exit(cli.main(["version"]))"""
    done = run_python(code)
    assert done.returncode == 130 and done.stderr == "neuralstat: error: interrupted\n"
