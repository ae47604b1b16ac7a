"""The summary: what it says, and that text, HTML and LaTeX say the same."""

import functools
import re
from dataclasses import replace
from html.parser import HTMLParser

import fits
import numpy as np
import pandas as pd
import pytest

import neuralstat as ns
from neuralstat.fitted import Fitted
from neuralstat.summary.tables import Pairs, Table, escape

fitted = functools.partial(fits.quiet, hidden=2, threshold=0.1, random_state=1)


@pytest.fixture(scope="module")
def frame():
    rng = np.random.default_rng(3)
    data = pd.DataFrame({"x": rng.uniform(-1, 1, 60), "w": rng.uniform(0.5, 2, 60)})
    data["y"] = 3 * data["x"] ** 2 + 0.1 * rng.normal(size=60)
    data["g"] = np.where(data["x"] < -0.3, "a_1", np.where(data["x"] < 0.3, "b%", "c<d"))
    data["case"] = (data["x"] + 0.5 * rng.normal(size=60) > 0).astype(int)
    data.loc[[4, 9], "x"] = np.nan
    return data


def values(text):
    """Pairs of the header."""
    head = text.split("===\n")[1].split("---")[0]
    return {k.strip(): v.strip() for k, v in re.findall(r"([A-Z][a-z ]+):\s+(.+?)(?=  |$)", head, re.M)}


def test_header(frame):
    options = {"hidden": (3, 2), "penalty": ns.decay(0.01), "weights": "w", "act_fct": ["tanh", "logistic"]}
    fit = fitted("y ~ x", frame, exclude=[[1, 2, 2]], standardize=True, rep=2, **options)
    text = str(fit)
    assert text.splitlines()[0].strip() == "Neural network: y ~ x"
    assert max(map(len, text.splitlines())) <= 80
    assert values(text) == {
        "Response": "y", "Topology": "1-3-2-1", "Activation": "tanh, logistic", "Output": "identity",
        "Error": "sse", "Penalty": "decay(0.01)", "Standardized": "yes", "Observations": "58",
        "Rows dropped": "2",
        "Weights trained": "16", "Weights held out": "1", "Algorithm": "rprop+", "Threshold": "0.1",
        "Repetitions": f"2 ({fit.fit.converged.sum()} converged)",
    }  # fmt: skip
    assert "error + penalty" in text
    assert re.sub(r"\s+", " ", text).endswith(f"Call: {fit.call}")


def test_goodness_of_the_averaged_fit(frame):
    fit = fitted("y ~ x", frame, rep=3, weights="w", standardize=True)
    row = next(line for line in str(fit).splitlines() if line.startswith("y ")).split()
    used = frame.dropna()
    w, y = used["w"], used["y"]
    resid = y - fit.fittedvalues.dropna()
    rss = np.sum(w * resid**2)
    centre = np.average(y, weights=w)
    expected = [rss, np.sqrt(rss / w.sum()), 1 - rss / np.sum(w * (y - centre) ** 2)]
    np.testing.assert_allclose([float(v) for v in row[1:]], expected, rtol=1e-4)


def test_rate_of_misclassification(frame):
    fit = fitted("g ~ x", frame, family="multinomial", rep=2, standardize=True)
    used = frame.dropna()
    wrong = int((fit.predict(type="class").dropna().astype(str) != used["g"]).sum())
    text = str(fit)
    assert f"{wrong / 58:.4f} ({wrong} of 58 wrong)" in text
    assert "g (3 classes)" in text and "half deviance (multinomial)" in text
    binary = fitted("case ~ x", frame, err_fct="ce", linear_output=False)
    wrong = int(((binary.fittedvalues.dropna() > 0.5) != used["case"]).sum())
    assert re.search(rf"case +{wrong} of 58 +{wrong / 58:.4f}", str(binary))


def fake(fit, **changes):
    """The fit with other errors, steps or states."""
    changed = replace(fit.fit, **{k: np.asarray(v) for k, v in changes.items()})
    return ns.NeuralNetResults(Fitted(fit.fitted.procedure, changed))


def flat(results):
    return re.sub(r"\s+", " ", str(results))


def test_how_often_the_best_optimum_was_seen(frame):
    fit = fitted("y ~ x", frame, rep=3)
    done = [1, 1, 1]
    once = flat(fake(fit, loss=[2.0, 1.0, 2.0], status=done))
    assert (
        "WARNING: The best optimum was seen once in 3 repetitions: more repetitions may find a better one."
        in once
    )
    near = flat(fake(fit, loss=[2.0, 1.0, 1.005], status=done))
    assert "(The second best is 0.5% above it: a smaller threshold tells whether it is another one.)" in near
    same = fit.fit.theta[[0, 0, 1]]  # one optimum is equal errors and equal outputs
    twice = flat(fake(fit, loss=[1.0, 1.0, 2.0], theta=same, status=done))
    assert "The best optimum was seen 2 times in 3 repetitions; 2 distinct optima were found." in twice
    assert "WARNING" not in twice
    assert "optimum was seen" not in flat(fitted("y ~ x", frame))


def test_unconverged_repetitions_in_words(frame):
    fit = fitted("y ~ x", frame, rep=3)
    assert "not converge" not in flat(fit) and fit.converged
    lost = flat(fake(fit, status=[1, 2, 2], reached=[0.1, 0.7, 0.3]))
    assert (
        "WARNING: 2 of 3 repetition(s) did not converge (stepmax reached): 2, 3. The largest partial" in lost
    )
    assert "derivative is 0.7, at" in lost


def test_many_repetitions(frame):
    text = str(fitted("y ~ x", frame, rep=25, stepmax=30))
    assert "Repetitions: the best 10 of 25" in text
    table = text.split("Repetitions: the best")[1].split("---")[0].splitlines()[2:]
    errors = [float(line.split()[1]) for line in table if line.strip()]
    assert len(errors) == 10


def test_best_comes_first_even_where_others_have_less_error(frame):
    fit = fake(fitted("y ~ x", frame, rep=3), loss=[3.0, 2.0, 1.0], status=[1, 1, 2])
    rows = str(fit).split("Repetitions\n")[1].splitlines()[1:4]
    assert [row.split()[0] for row in rows] == ["2", "1", "3"] and fit.best == 2


def test_diverged(frame):
    fit = fitted("y ~ x", frame)
    theta = np.full_like(fit.fit.theta, np.nan)
    text = str(fake(fit, theta=theta, loss=[np.nan], reached=[np.nan], status=[3]))
    assert "fit not finite" in text and "did not converge (gradient not finite)" in re.sub(r"\s+", " ", text)


def test_criteria_count_weights_and_say_so(frame):
    assert "bic (2 error" not in str(fitted("y ~ x", frame))
    fit = fitted("y ~ x", frame, likelihood=True)
    rows = str(fit).splitlines()
    own = next(line for line in rows if line.startswith(f"AIC (df = {float(fit.df()):.4g}"))
    assert float(own.split()[-1]) == pytest.approx(fit.aic, rel=1e-5)
    row = next(line for line in rows if line.startswith("R's aic (2 error + 2 p, p = 7 weights)"))
    assert float(row.split()[-1]) == pytest.approx(fit.result_matrix.loc["aic", 1], rel=1e-5)


def test_how_to_repeat(frame):
    fit = fitted("y ~ x", frame, random_state=None)
    (seed,) = re.findall(r"To repeat this fit: random_state=(\d+)\.", flat(fit))
    np.testing.assert_array_equal(fitted("y ~ x", frame, random_state=int(seed)).fit.theta, fit.fit.theta)
    assert "To repeat" not in str(fitted("y ~ x", frame))


class _Cells(HTMLParser):
    def __init__(self):
        super().__init__()
        self.text, self.open = [], []

    def handle_starttag(self, tag, attrs):
        self.open.append(tag)

    def handle_endtag(self, tag):
        assert self.open.pop() == tag

    def handle_data(self, data):
        self.text.append(data)


def test_html_and_latex_say_the_same(frame):
    summary = fitted("g ~ x", frame, family="multinomial", rep=2).summary()
    parser = _Cells()
    parser.feed(summary._repr_html_())
    assert parser.open == []
    words = " ".join(parser.text)
    latex = summary.as_latex()
    for label, value in summary.header.items:
        assert label in words and value in words
        assert escape(label) in latex and escape(value) in latex
    for table in summary.tables:
        for row in table.rows:
            for cell in row:
                assert cell in words and escape(cell) in latex
    for note in summary.notes:
        assert note in words and escape(note) in latex
    assert latex.count(r"\begin{tabular}") == latex.count(r"\end{tabular}") == 5


def test_escapes():
    assert escape(r"a_b%c\d") == r"a\_b\%c\textbackslash{}d"
    table = Table("<b>", ("a&b", "c"), [("<script>", "1")], left=1)
    assert "<script>" not in table.html() and "a&amp;b" in table.html()
    assert r"a\&b" in table.latex()


def test_long_values_have_lines_of_their_own():
    text = Pairs([("Penalty", "decay(0.01) + " * 5), ("A", "1"), ("B", "2")]).text()
    assert max(map(len, text.splitlines())) <= 80
    assert text.splitlines()[0].split() == ["A:", "1", "B:", "2"]


def test_repr_is_the_page_and_the_call_is_readable(frame):
    fit = fitted("y ~ x", frame, act_fct=lambda z: z / (1 + abs(z)), random_state=np.random.default_rng(1))
    assert repr(fit.summary()) == str(fit) == str(fit.summary())
    assert fit.call == (
        "neuralnet('y ~ x', data, hidden=(2,), act_fct=custom, algorithm='rprop+', threshold=0.1, rep=1, standardize=False, "
        "random_state=...)"
    )
