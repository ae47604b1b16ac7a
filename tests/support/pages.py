"""Vignettes as readers see them: their text, and the tables and figures that their code leaves behind."""

import os
import re
import runpy
import warnings

import pytest
from places import ROOT

FOLDER = ROOT / "vignettes"
NAMES = sorted(path.stem for path in FOLDER.glob("*.py") if path.stem != "render")


class Page:
    """A vignette that has been run, in full or in its quick form (fewer restarts, epochs and data sets).

    ``page["table"]`` is what the code calls `table`; ``page.says("...")`` fails unless these words are in the text, so that a
    test stands for a claim only as long as the claim is made.
    """

    def __init__(self, name, quick):
        self.name, self.quick = name, quick
        source = (FOLDER / f"{name}.py").read_text(encoding="utf-8")
        cells = re.split(r"^# %%", source, flags=re.MULTILINE)
        texts = [re.sub(r"^# ?", "", c.partition("\n")[2], flags=re.MULTILINE) for c in cells if c.startswith(" [markdown]")]
        self.text = " ".join(" ".join(texts).replace("**", "").split())
        self.values = run(name, quick)

    def __getitem__(self, name):
        return self.values[name]

    def says(self, *sentences):
        for sentence in sentences:
            assert sentence in self.text, f"{self.name} does not say: {sentence}"


def run(name, quick):
    """The values that the code of a vignette leaves behind."""
    import matplotlib

    matplotlib.use("Agg")
    import matplotlib.pyplot as plt

    known = os.environ.pop("NEURALSTAT_QUICK", None)
    if quick:
        os.environ["NEURALSTAT_QUICK"] = "1"
    before = os.getcwd()
    os.chdir(FOLDER)
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("default")
            return runpy.run_path(f"{name}.py")
    finally:
        os.chdir(before)
        plt.close("all")
        os.environ.pop("NEURALSTAT_QUICK", None)
        if known is not None:
            os.environ["NEURALSTAT_QUICK"] = known


_PAGES = {}


def page(name, quick=True):
    """The page, run once in a process."""
    if not FOLDER.is_dir():
        pytest.skip("needs the repository")
    if (name, quick) not in _PAGES:
        _PAGES[name, quick] = Page(name, quick)
    return _PAGES[name, quick]
