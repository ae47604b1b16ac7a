"""Other Python processes: of the package that is tested, with the helpers of the tests in reach."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

from places import ROOT, SUPPORT

import neuralstat

PACKAGE = Path(neuralstat.__file__).parent.parent  # the folder that it is imported from


def environment(*folders: Path, **changes: str) -> dict[str, str]:
    """Variables of a process that can import the package, the helpers, and what lies in folders."""
    paths = os.pathsep.join(map(str, [PACKAGE, SUPPORT, *folders]))
    return {**os.environ, "PYTHONPATH": paths, **changes}


def run_python(code: str, *folders: Path, **changes: str) -> subprocess.CompletedProcess:
    """Run code; warnings are errors."""
    command = [sys.executable, "-W", "error", "-c", code]
    return subprocess.run(command, capture_output=True, text=True, timeout=600, env=environment(*folders, **changes))


def run_pytest(*arguments: str, **changes: str) -> subprocess.CompletedProcess:
    """Run tests, up to the first failure."""
    command = [sys.executable, "-m", "pytest", "-q", "-p", "no:cacheprovider", "-x", *arguments]
    return subprocess.run(command, capture_output=True, text=True, timeout=900, cwd=ROOT, env=environment(**changes))


def passed(done: subprocess.CompletedProcess, least: int) -> None:
    """A run of pytest passed, with so many tests at least."""
    assert done.returncode == 0, done.stdout[-6000:] + done.stderr[-2000:]
    last = done.stdout.strip().splitlines()[-1]
    assert int(last.split(" passed")[0].split()[-1]) >= least, last
