"""Vignettes and pages of the site as readers see them: their text, and the tables that their code leaves behind."""

import os
import re
import warnings

import pytest
from places import ROOT

FOLDER = ROOT / "vignettes"


class Page:
    """A vignette that has been run: in full, or without the cells that are tagged "live", which fit networks.

    ``page["table"]`` is what the code calls `table`; ``page.says("...")`` fails unless these words are in the text, so that a
    test stands for a claim only as long as the claim is made.
    """

    def __init__(self, name, live):
        self.name, self.values = name, {}
        cells = re.split(r"^# %%", (FOLDER / f"{name}.py").read_text(encoding="utf-8"), flags=re.MULTILINE)[1:]
        texts = [re.sub(r"^# ?", "", body(c), flags=re.MULTILINE) for c in cells if c.startswith(" [markdown]")]
        self.text = " ".join(" ".join(texts).replace("**", "").split())
        codes = [body(c) for c in cells if not c.startswith(" [markdown]") and (live or '"live"' not in c.partition("\n")[0])]
        run("\n".join(codes), f"{name}.py", self.values)

    def __getitem__(self, name):
        return self.values[name]

    def says(self, *sentences):
        for sentence in sentences:
            assert sentence in self.text, f"{self.name} does not say: {sentence}"


class Prose:
    """A page of ``docs``: its text without code, tables that it includes and marks."""

    def __init__(self, name):
        self.name = name
        text = (ROOT / "docs" / f"{name}.md").read_text(encoding="utf-8")
        self.text = " ".join(re.sub(r"(?ms)^```.*?^```$", "", text).replace("**", "").split())

    def says(self, *sentences):
        for sentence in sentences:
            assert sentence in self.text, f"{self.name} does not say: {sentence}"


def body(cell):
    """A cell without its header."""
    return cell.partition("\n")[2]


def run(code, name, values):
    """Run the code of a vignette where it expects to be, without windows."""
    import matplotlib

    matplotlib.use("Agg")
    import matplotlib.pyplot as plt

    before, quick = os.getcwd(), os.environ.pop("NEURALSTAT_QUICK", None)
    os.chdir(FOLDER)
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("default")
            exec(compile(code, name, "exec"), values)
    finally:
        os.chdir(before)
        plt.close("all")
        if quick is not None:
            os.environ["NEURALSTAT_QUICK"] = quick


_PAGES = {}


def page(name, live=False):
    """The page, run once in a process."""
    if not FOLDER.is_dir():
        pytest.skip("needs the repository")
    if (name, live) not in _PAGES:
        _PAGES[name, live] = Page(name, live)
    return _PAGES[name, live]
