"""The vignettes run, in their quick form."""

import os
import subprocess
import sys

import pytest
from places import ROOT

FOLDER = ROOT / "vignettes"
NAMES = [
    "degrees_of_freedom.py", "digits.py", "distributions.py", "doppler.py", "forecast.py", "images.py", "mixed.py",
    "regularisation.py", "risk_study.py", "semi_structured.py", "survival.py", "text.py", "transfer.py",
]  # fmt: skip


@pytest.mark.slow
@pytest.mark.skipif(not FOLDER.is_dir(), reason="needs the repository")
@pytest.mark.parametrize("name", NAMES)
def test_vignette_runs(name):
    pytest.importorskip("statsmodels")
    env = {**os.environ, "NEURALSTAT_QUICK": "1", "MPLBACKEND": "Agg", "PYTHONPATH": str(ROOT)}
    command = [sys.executable, name]
    done = subprocess.run(command, cwd=FOLDER, env=env, capture_output=True, text=True, timeout=900, check=False)
    assert done.returncode == 0, done.stderr


def test_every_vignette_is_run():
    found = {path.name for path in FOLDER.glob("*.py")} - {"render.py"}
    assert not FOLDER.is_dir() or found == set(NAMES)


@pytest.mark.slow
@pytest.mark.skipif(not FOLDER.is_dir(), reason="needs the repository")
def test_a_page_is_rendered(tmp_path):
    pytest.importorskip("nbconvert")
    pytest.importorskip("jupytext")
    (tmp_path / "render.py").write_text((FOLDER / "render.py").read_text())
    cells = ["[markdown]\n# # Title", "\n6 * 7", 'tags=["remove-input"]\nprint("seen")']
    (tmp_path / "small.py").write_text("".join(f"# %% {cell}\n" for cell in cells))
    env = {**os.environ, "PYTHONPATH": str(ROOT)}
    command = [sys.executable, "render.py", "small"]
    done = subprocess.run(command, cwd=tmp_path, env=env, capture_output=True, text=True, timeout=300, check=False)
    assert done.returncode == 0, done.stderr
    page = (tmp_path / "_build" / "small.html").read_text()
    assert "Title" in page and "42" in page and "seen" in page and "print" not in page.partition("<main>")[2]
