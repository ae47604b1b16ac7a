"""Tables of calls side by side, page by page: ours are run, and those of others whose package is here; R's are recorded."""

from __future__ import annotations

import ast
import json
import re
import warnings

import matplotlib
import numpy as np
import pytest
from places import REFERENCE, ROOT

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


def after(path, blocks):
    """Names after the first blocks of Python of a page: ours, and theirs where there is a second one."""
    found = re.findall(r"(?ms)^```python\n(.*?)^```$", path.read_text(encoding="utf-8"))
    found.sort(key=lambda block: "import neuralstat" not in block)
    names: dict[str, object] = {}
    for block in found[:blocks]:
        exec(compile(block, path.name, "exec"), names)
    return names


@pytest.mark.parametrize("path", PAGES, ids=lambda path: path.stem)
@pytest.mark.filterwarnings("ignore")
def test_our_calls_run(path):
    import matplotlib.pyplot as plt

    matplotlib.use("Agg")
    text = path.read_text(encoding="utf-8")
    names = after(path, 1)
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


def flat(value):
    """The numbers of a value, where it has any."""
    try:
        return np.asarray(value, dtype=float).ravel()
    except (TypeError, ValueError):
        return np.array([])


RUN = {"statsmodels", "scikit_learn"}
# Rows whose numbers are the same on both sides.
SAME = {
    "statsmodels": {"a GLM", "least squares", "counts, exposure", "coefficients", "standard errors, tests", "intervals",
                    "covariance", "... robust", "... by clusters", "likelihood, criteria", "residuals", "prediction"},
    "scikit_learn": set(),
}  # fmt: skip


@pytest.mark.parametrize("page", sorted(RUN))
@pytest.mark.filterwarnings("ignore")
def test_calls_of_others_run(page):
    import matplotlib.pyplot as plt

    matplotlib.use("Agg")
    path = FOLDER / f"{page}.md"
    names, same = after(path, 2), set()
    for wanted, theirs, ours in rows(path.read_text(encoding="utf-8")):
        calls = re.findall(r"`([^`]+)`", theirs)
        assert calls or theirs == "none", wanted
        values = [eval(compile(call, wanted, "eval"), names) for call in calls]
        if wanted in SAME[page]:
            own = [eval(compile(call, wanted, "eval"), names) for call in re.findall(r"`([^`]+)`", ours)]
            theirs_, ours_ = np.concatenate([flat(v) for v in values]), np.concatenate([flat(v) for v in own])
            np.testing.assert_allclose(ours_, theirs_, rtol=1e-5, atol=1e-6, err_msg=wanted)
            assert theirs_.size
            same.add(wanted)
        plt.close("all")
    assert same == SAME[page]


@pytest.mark.parametrize("page", ["mgcv", "nnet"])
def test_calls_of_r_are_those_that_were_recorded(page):
    """``python tests/reference/coming_from/make_r.py`` runs them anew."""
    recorded = json.loads((REFERENCE / "coming_from" / f"{page}.json").read_text(encoding="utf-8"))["calls"]
    table = rows((FOLDER / f"{page}.md").read_text(encoding="utf-8"))
    listed = [call for row in table for call in re.findall(r"`([^`]+)`", row[1])]
    assert list(recorded) == listed


@pytest.mark.filterwarnings("ignore")
def test_numbers_of_mgcv_are_ours():
    calls = json.loads((REFERENCE / "coming_from" / "mgcv.json").read_text(encoding="utf-8"))["calls"]
    names = after(FOLDER / "mgcv.md", 1)
    fit = names["fit"]
    assert fit.terms["edf"].sum() + 1 == pytest.approx(calls["sum(b$edf)"]["numbers"][0], rel=1e-6)
    predicted = fit.get_prediction({"times": [10.0, 20.0]})
    want = calls["predict(b, new, se.fit = TRUE)"]["numbers"]
    np.testing.assert_allclose([*predicted.predicted_mean, *predicted.se_mean], want, rtol=1e-6)
