"""The vignettes run, in their quick form."""

import os
import subprocess
import sys
from pathlib import Path

import pytest

import neuralstat

ROOT = Path(neuralstat.__file__).parent.parent
FOLDER = ROOT / "vignettes"


@pytest.mark.slow
@pytest.mark.skipif(not FOLDER.is_dir(), reason="needs the repository")
@pytest.mark.parametrize("name", ["degrees_of_freedom.py", "digits.py", "doppler.py", "forecast.py"])
def test_vignette_runs(name):
    pytest.importorskip("statsmodels")
    env = {**os.environ, "NEURALSTAT_QUICK": "1", "MPLBACKEND": "Agg", "PYTHONPATH": str(ROOT)}
    command = [sys.executable, name]
    done = subprocess.run(command, cwd=FOLDER, env=env, capture_output=True, text=True, timeout=900, check=False)
    assert done.returncode == 0, done.stderr
