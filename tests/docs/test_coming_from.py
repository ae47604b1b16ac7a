"""Tables of calls side by side: each of ours is run, page by page, from the top; those of others are there."""

from __future__ import annotations

import ast
import re
import warnings

import matplotlib
import pytest
from places import ROOT

FOLDER = ROOT / "docs" / "coming_from"
PAGES = [path for path in sorted(FOLDER.glob("*.md")) if path.stem != "index"] if FOLDER.is_dir() else []
OTHERS = {"neuralnet", "nnet", "caret", "mgcv", "cito", "statsmodels", "scikit_learn", "keras", "pytorch"}

pytestmark = pytest.mark.skipif(not FOLDER.is_dir(), reason="needs the repository")


def rows(text):
    """Cells of the table of a page, without its head."""
    lines = [line for line in text.splitlines() if line.startswith("|")]
    cells = [[cell.strip().replace(r"\|", "|") for cell in re.split(r"(?<!\\)\|", line.strip("|"))] for line in lines]
    return cells[2:]


def test_there_is_a_page_for_each():
    assert {path.stem for path in PAGES} == OTHERS
    listed = (FOLDER / "index.md").read_text(encoding="utf-8").split()
    assert set(listed) >= OTHERS


@pytest.mark.parametrize("path", PAGES, ids=lambda path: path.stem)
@pytest.mark.filterwarnings("ignore")
def test_our_calls_run(path):
    import matplotlib.pyplot as plt

    matplotlib.use("Agg")
    text = path.read_text(encoding="utf-8")
    (setup,) = re.findall(r"(?ms)^```python\n(.*?)^```$", text)
    names: dict[str, object] = {}
    exec(compile(setup, path.name, "exec"), names)
    wrong = []
    for wanted, theirs, ours in (table := rows(text)):
        calls = re.findall(r"`([^`]+)`", ours)
        if not calls or re.sub(r"`[^`]+`|[,\s]", "", ours) or not wanted or not theirs:
            wrong.append(f"{wanted}: a cell is empty, or ours has something besides calls")
        for call in calls:
            try:
                assert ast.parse(call).body, "no call"
                with warnings.catch_warnings():
                    warnings.simplefilter("ignore")
                    exec(compile(call, path.name, "exec"), names)
            except Exception as error:
                wrong.append(f"{wanted}: {call}\n    {type(error).__name__}: {error}")
            finally:
                plt.close("all")
    assert not wrong, "\n".join(wrong)
    assert len(table) > 10
