"""Tables of calls side by side, page by page: ours are run, others' are run where their package is here, or recorded."""

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


def recorded(page):
    """What calls of a page gave: `make_r.py`, `make_python.py` and `make_cito.py` beside the files run them anew."""
    return json.loads((REFERENCE / "coming_from" / f"{page}.json").read_text(encoding="utf-8"))


@pytest.mark.parametrize("page", sorted(OTHERS - RUN))
def test_calls_of_others_are_those_that_were_recorded(page):
    text = (FOLDER / f"{page}.md").read_text(encoding="utf-8")
    listed = [call for row in rows(text) for call in re.findall(r"`([^`]+)`", row[1])]
    found = recorded(page)
    setup = re.findall(r"(?m)^(?:fit|curve) <- .*$", text) if page == "cito" else []
    assert list(found["calls"]) == setup + listed
    assert re.sub(r"^R version .*, ", "", found["version"]).rpartition(".")[0] in text or page in ("mgcv", "nnet")


def numbers(value, order):
    """All numbers of a value as it was recorded: column by column for R, row by row for Python."""
    if isinstance(value, dict):
        value = list(value.values())
    if isinstance(value, (list, tuple)):
        return np.concatenate([numbers(part, order) for part in value])
    return np.asarray(value, dtype=float).ravel(order)


def compare(page, wanted, value, order="F"):
    """A value of ours with what the calls of a row gave."""
    (theirs,) = (row[1] for row in rows((FOLDER / f"{page}.md").read_text(encoding="utf-8")) if row[0] == wanted)
    kept = recorded(page)["calls"][theirs.strip("`")]
    own = numbers(value, order)
    assert kept["length"] == own.size
    assert own.size
    np.testing.assert_allclose([*own[:8], *own[-4:]], [*kept["numbers"], *kept["last"]], rtol=1e-6, atol=1e-9, err_msg=wanted)


@pytest.mark.filterwarnings("ignore")
def test_numbers_of_neuralnet_are_ours():
    names = after(FOLDER / "neuralnet.md", 1)
    fit = names["fit"]
    compare("neuralnet", "the table of results", fit.result_matrix)
    compare("neuralnet", "weights", fit.weights[0])
    compare("neuralnet", "fitted values", fit.net_result[0])
    compare("neuralnet", "prediction", fit.predict(names["infert"], rep=1))
    compare("neuralnet", "... of all neurons", fit.compute(names["infert"]).neurons)
    compare("neuralnet", "generalized weights", fit.generalized_weights)
    interval = fit.confidence_interval()
    compare("neuralnet", "intervals of weights", [interval.lower_ci, interval.upper_ci, interval.nic])


@pytest.mark.filterwarnings("ignore")
def test_numbers_of_caret_are_ours():
    names = after(FOLDER / "caret.md", 1)
    ns, line = names["ns"], names["line"]
    compare("caret", "leave-one-out", float(ns.risk(line, "alo")))
    compare("caret", "given folds", ns.risk(line, "cv", folds=names["KFold"](5)).draws)


@pytest.mark.filterwarnings("ignore")
def test_numbers_of_keras_are_ours():
    names = after(FOLDER / "keras.md", 1)
    ns, digits = names["ns"], names["digits"]
    start = dict(zip(names["fit"].get_weights(), map(np.array, recorded("keras")["start"]), strict=True))
    settings = {**names["settings"], "epochs": 2}
    fit = ns.neuralnet("digit ~ pixels", digits, layers=names["layers"], startweights=start, shuffle=False, **settings)
    history = fit.history
    compare("keras", "losses", [history["accuracy"], history["loss"]], "C")
    compare("keras", "prediction", fit.predict(digits), "C")
    compare("keras", "classes", fit.predict(digits, type="class"), "C")
    compare("keras", "measures", fit.evaluate(digits)[["loss", "accuracy"]], "C")
    compare("keras", "weights", fit.get_weights(), "C")
    compare("keras", "outputs of a layer", fit.features("conv2d", digits), "C")


@pytest.mark.filterwarnings("ignore")
def test_numbers_of_pytorch_are_ours():
    names = after(FOLDER / "pytorch.md", 1)
    ns, mcycle = names["ns"], names["mcycle"]
    w1, b1, w2, b2 = map(np.array, recorded("pytorch")["start"])
    fit = ns.neuralnet(
        "accel ~ times", mcycle, hidden=4, act_fct="tanh", standardize=False, rep=1, epochs=5, batch_size=len(mcycle),
        algorithm=ns.optimizers.SGD(1e-3, momentum=0.9), startweights=[np.vstack([b1, w1.T]), np.vstack([b2, w2.T])],
    )  # fmt: skip
    weights = fit.get_weights()
    compare("pytorch", "squared error", fit.evaluate(mcycle)["loss"])
    compare("pytorch", "prediction", fit.predict(mcycle))
    compare("pytorch", "derivatives by inputs", fit.slopes())
    compare("pytorch", "weights", [values.T if "kernel" in name else values for name, values in weights.items()], "C")


@pytest.mark.filterwarnings("ignore")
def test_numbers_of_mgcv_are_ours():
    calls = json.loads((REFERENCE / "coming_from" / "mgcv.json").read_text(encoding="utf-8"))["calls"]
    names = after(FOLDER / "mgcv.md", 1)
    fit = names["fit"]
    assert fit.terms["edf"].sum() + 1 == pytest.approx(calls["sum(b$edf)"]["numbers"][0], rel=1e-6)
    predicted = fit.get_prediction({"times": [10.0, 20.0]})
    want = calls["predict(b, new, se.fit = TRUE)"]["numbers"]
    np.testing.assert_allclose([*predicted.predicted_mean, *predicted.se_mean], want, rtol=1e-6)
