"""Files that would have code executed: nothing in a saved fit is, when it is loaded or in any method of the fit."""

import contextlib
import inspect
import warnings

import matplotlib.pyplot as plt
import numpy as np
import pandas as pd
import pytest
import stored
from fits import quiet

import neuralstat as ns
from neuralstat.errors import FileFormatError, NeuralStatError
from neuralstat.formula import stored as formulas
from neuralstat.formula.state import StoredText
from neuralstat.results import NeuralNetResults

FORMULA = "y ~ poly(x, 2) + {x / z} + g + offset(e)"


def frame(n=40):
    rng = np.random.default_rng(0)
    data = pd.DataFrame({name: rng.uniform(0.5, 1.5, n) for name in ("x", "z", "e")})
    data["g"] = rng.choice(["a", "b"], n)
    data["y"] = data["x"] + rng.normal(size=n) / 10
    return data


@pytest.fixture(scope="module")
def saved(tmp_path_factory):
    path = tmp_path_factory.mktemp("hostile") / "fit.nst"
    quiet(FORMULA, frame(), hidden=2, rep=2, threshold=0.5, stepmax=50, random_state=1).save(path)
    return stored.parts_of(path)


def code(canary):
    return f"__import__('pathlib').Path({str(canary)!r}).touch()"


def forms(canary):
    """Ways in which a text may be evaluated."""
    text = code(canary)
    return (f"y ~ x + {{{text}}}", f"{{{text}}} ~ x", f"y ~ x + offset({text})", f"y ~ poly({text}, 2)", text, f"{{{text}}}",
            f"y ~ C(x, {text})", f"y ~ lags({text}, 2)", f"eval({text!r})", f"{{x.__class__.__init__.__globals__[{text!r}]}}",
            f"f'{{{text}}}'", f"@{text}")  # fmt: skip


#: Arguments for those methods that need some, or would take long.
ARGUMENTS = {
    "compute": lambda fit: {"new": frame(5)}, "predict": lambda fit: {"new": frame(5)},
    "get_prediction": lambda fit: {"new": frame(5)}, "compare_lr_test": lambda fit: {"restricted": fit},
    "df": lambda fit: {"method": "gdf", "perturbations": 2, "random_state": 1}, "info_criteria": lambda fit: {"crit": "aic"},
    "partial_dependence": lambda fit: {"variable": "x"}, "ice": lambda fit: {"variable": "x"},
    "ale": lambda fit: {"variable": "x"}, "update": lambda fit: {"stepmax": 2},
    "replace_head": lambda fit: {"data": frame(30), "stepmax": 2},
    "features": lambda fit: {"layer": fit.network.layer_names[0]}, "r_criterion": lambda fit: {"per_weight": 1.0},
}  # fmt: skip
WRITING = ("save", "to_keras", "to_onnx")  # which need a path
PUBLIC = [name for name in dir(NeuralNetResults) if not name.startswith("_") and name not in WRITING]


def walk(fit, folder):
    """Use everything that a fit has, and the functions that take its formula."""
    fit.save(folder / "again.nst")
    for name in PUBLIC:
        try:
            member = getattr(fit, name)
            if callable(member) and not inspect.isclass(member):
                member(**ARGUMENTS.get(name, lambda fit: {})(fit))
        except (NeuralStatError, NotImplementedError):
            pass  # not defined for this fit
        finally:
            plt.close("all")
    calls = (
        lambda: ns.select(fit.formula, frame(), hidden=1, inputs=True, criterion="aic", stepmax=2, random_state=1),
        lambda: ns.neuralnet(fit.formula, frame(), hidden=1, stepmax=2, random_state=1),
        lambda: ns.NeuralNet.from_formula(fit.formula, frame(), stepmax=2),
        lambda: ns.risk(fit, "cv", k=2, random_state=1),
        lambda: ns.risk(fit, "bootstrap", draws=2, random_state=1),
        lambda: ns.load(folder / "again.nst").replace_head(frame(30), stepmax=2),
        lambda: ns.nonlinearity_test(fit.formula, frame()),
        lambda: fit.to_keras(folder / "again.keras"),
        lambda: fit.to_onnx(folder / "again.onnx"),
        lambda: (repr(fit), str(fit), fit.summary()._repr_html_(), fit.summary().as_latex()),
    )
    for call in calls:
        with contextlib.suppress(NeuralStatError):
            call()


@pytest.fixture
def silent():
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        yield


@pytest.mark.usefixtures("silent")
def test_every_method_of_a_fit_whose_check_on_load_was_passed_by(saved, tmp_path, monkeypatch):
    """The second line of defence: were a hostile formula loaded, it would still be evaluated as a stranger's."""
    monkeypatch.setattr(formulas, "_check_formula", lambda spec: None)
    canary = tmp_path / "canary"
    document = stored.changed(stored.document_of(saved), ("model", "spec", "formula"), f"y ~ x + z + {{{code(canary)}}}")
    fit = ns.load(stored.with_document(saved, document, tmp_path / "bad.nst"))
    assert isinstance(fit.formula, StoredText)
    walk(fit, tmp_path)
    assert not canary.exists()
    with pytest.raises(NeuralStatError, match="cannot be part of a stored model"):
        fit.replace_head(frame())


def test_a_formula_with_code_is_refused_on_load(saved, tmp_path):
    canary, document = tmp_path / "canary", stored.document_of(saved)
    for text in forms(canary):
        bad = stored.with_document(saved, stored.changed(document, ("model", "spec", "formula"), text), tmp_path / "bad.nst")
        with pytest.raises(FileFormatError, match=r"bad\.nst"):
            ns.load(bad)
    assert not canary.exists()


@pytest.mark.usefixtures("silent")
def test_code_in_every_text_of_a_file(saved, tmp_path):
    """Whatever string of the file is replaced: refused, or never executed by what a fit can do."""
    canary, document = tmp_path / "canary", stored.document_of(saved)
    loaded = []
    for path in stored.texts(document["model"]):
        for text in (code(canary), f"{{{code(canary)}}}"):
            place = ("model", *path)
            bad = stored.with_document(saved, stored.changed(document, place, text), tmp_path / "bad.nst")
            try:
                fit = ns.load(bad)
            except FileFormatError:
                continue
            loaded.append(path)
            fit.summary(), fit.predict(frame(5)), str(fit)
            with contextlib.suppress(NeuralStatError):
                fit.replace_head(frame(30), stepmax=2)
    assert not canary.exists()
    assert ("call",) in loaded  # which is only shown


def test_honest_formulas_pass(tmp_path):
    """What is written, `.`, windows, dotted and quoted names, constants, dates and braces, is read again and used again."""
    data = frame().rename(columns={"z": "z.z"})
    data["a b"], data["t"] = 1.5 + np.arange(40) % 7, pd.date_range("2020", periods=40)
    knots = [0.8, 1.2]
    formulas_ = (
        "y ~ x + z.z", "y ~ x*`a b`", "y ~ bs(x, knots=knots)", "log(y) ~ x + I(x**2)", "{y / e} ~ x", "y ~ t.dt.month + x",
        "y ~ . - t - g", "y ~ lags(y, 3)", "y == 1 ~ x", "y ~ C(g):x", "y ~ x + offset(log(e))", "y ~ (x + g)**2",
        "y + e ~ x/g", "g ~ x",
    )  # fmt: skip
    for formula in formulas_:
        options = {"linear_output": False, "err_fct": "ce"} if formula.startswith("g") else {}
        context = {"knots": knots} if "knots" in formula else None
        fit = quiet(formula, data, hidden=1, threshold=1e6, stepmax=50, random_state=1, context=context, **options)
        fit.save(tmp_path / "fit.nst")
        again = ns.load(tmp_path / "fit.nst")
        assert again.formula == fit.formula == formula
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            new = again.replace_head(data, stepmax=50, threshold=1e6)
        assert new.design.x_names == fit.design.x_names


UNKNOWN_LAYERS = [
    ({"kind": "Mystery"}, "a layer 'Mystery', which this version does not know"),
    ({"kind": "Dense", "units": 3, "sparse": True}, "its layer Dense has 'sparse', which this version does not know"),
    ({"kind": "Dense"}, "its layers are damaged"), ({"kind": ["Dense"]}, "its layers are damaged"),
    (5, "its layers are damaged"),
]  # fmt: skip
IN_NO_GRAPH = [
    ({"kind": "InputLayer"}, "has a InputLayer among its layers"), ({"kind": "From", "layer": "x"}, "has a From among"),
    ([{"kind": "Dense", "units": 3}], "has a list among"), (None, "has a NoneType among"),
]  # fmt: skip


@pytest.mark.parametrize(("entry", "words"), [*UNKNOWN_LAYERS, *IN_NO_GRAPH])
def test_layers_that_are_unknown_are_named(entry, words):
    """In a chain, in a layer that holds others, and in a graph."""
    from neuralstat.io.layers import unpack_layers

    class Plain:
        value = staticmethod(lambda value: value)

    graph = {"layers": [entry], "wires": [[-1]], "inputs": [{"kind": "InputLayer"}]}
    places = [graph] if (entry, words) in IN_NO_GRAPH else [[entry], {"kind": "Residual", "layers": [entry]}, graph]
    for place in places:
        with pytest.raises(FileFormatError, match=words):
            unpack_layers(place, Plain())
    sound = {"layers": [{"kind": "Dense", "units": 3}, {"kind": "Add"}], "wires": [[-1], [0, -1]],
             "inputs": [{"kind": "InputLayer"}]}  # fmt: skip
    assert unpack_layers(sound, Plain()).wires == ((-1,), (0, -1))
