"""Every public name is documented, on a page of the reference, and its examples run; what names still lack is listed."""

from __future__ import annotations

import ast
import doctest
import re
import sys
import traceback
from pathlib import Path

import matplotlib
import pytest
from places import ROOT

DOCS = ROOT / "docs"
HERE = Path(__file__).parent
WITHOUT_EXAMPLE = HERE / "without_example.txt"
IN_NO_GUIDE = HERE / "in_no_guide.txt"
OPTIONS = doctest.NORMALIZE_WHITESPACE | doctest.ELLIPSIS
pytestmark = pytest.mark.skipif(not DOCS.is_dir(), reason="needs the repository")

if DOCS.is_dir():
    sys.path.insert(0, str(DOCS / "_ext"))
    import names

    NAMES = names.public_names()
    WITH_EXAMPLE = [name for name in NAMES if name.has_example and not name.alias]
else:
    NAMES, WITH_EXAMPLE = [], []


def _listed(path):
    return set(path.read_text(encoding="utf-8").split())


def test_every_name_is_documented():
    assert not [name.path for name in NAMES if not name.docstring]


def test_every_name_is_on_a_page_of_the_reference():
    pages = names.pages_of_reference()
    missing = [name.path for name in NAMES if (name.alias or name.path) not in pages]
    assert not missing, f"add them to a list in docs/reference/*.rst: {missing}"


def test_the_reference_lists_public_names_only():
    public = {name.alias or name.path for name in NAMES}
    assert not set(names.pages_of_reference()) - public


@pytest.mark.parametrize(("lacking", "file", "words"), [
    (names.without_example, WITHOUT_EXAMPLE, "their docstrings need an Examples section"),
    (names.in_no_guide, IN_NO_GUIDE, "no page but the reference speaks of them"),
], ids=["example", "guide"])  # fmt: skip
def test_names_have_an_example_and_a_guide(lacking, file, words):
    """The lists hold those that have none yet, and only become shorter: ``python docs/_ext/names.py --write``."""
    found, listed = lacking(NAMES), _listed(file)
    assert not found - listed, f"{words}: {sorted(found - listed)}"
    assert not listed - found, f"{file.name}: they lack nothing any more, write it anew: {sorted(listed - found)}"


@pytest.mark.parametrize("name", WITH_EXAMPLE, ids=lambda name: name.path)
def test_examples_run(name, monkeypatch, tmp_path):
    import matplotlib.pyplot as plt

    matplotlib.use("Agg")
    monkeypatch.chdir(tmp_path)
    test = doctest.DocTestParser().get_doctest(name.docstring, {}, name.path, None, 0)
    said = []
    try:
        doctest.DocTestRunner(optionflags=OPTIONS, verbose=False).run(test, out=said.append)
    finally:
        plt.close("all")
    assert not said, "".join(said)


def test_the_gallery_has_every_plot_of_a_fit():
    drawn = " ".join(path.read_text(encoding="utf-8") for path in (DOCS / "plots").rglob("*.py"))
    plots = [name.path.rpartition(".")[2] for name in NAMES if re.match(r"NeuralNetResults\.(gw)?plot", name.path)]
    assert len(plots) > 10 and not [plot for plot in plots if f"fit.{plot}(" not in drawn]


FENCE = re.compile(r"^(`{3,}|:{3,})(?:python|\{code-cell\}[^\n]*)\n(.*?)^\1$", re.MULTILINE | re.DOTALL)


def _blocks():
    for path in sorted([*DOCS.rglob("*.md"), ROOT / "README.md"]):
        if "_build" not in path.parts and "gallery" not in path.relative_to(ROOT).parts:
            for i, match in enumerate(FENCE.finditer(path.read_text(encoding="utf-8"))):
                yield pytest.param(match.group(2), id=f"{path.relative_to(ROOT)}-{i}")


@pytest.mark.parametrize("block", list(_blocks()) if DOCS.is_dir() else [])
def test_code_on_pages_is_python(block):
    options = re.sub(r"\A(---\n.*?^---\n|(:[\w-]+:[^\n]*\n)*)", "", block, flags=re.DOTALL | re.MULTILINE)
    ast.parse(re.sub(r"(?m)^[%!].*$", "", options))


def _is_page(path):
    """Whether the site has a page of this name: written, or made of a vignette or the gallery."""
    made = path.resolve().relative_to(DOCS.resolve())
    vignette = made.parts[0] == "vignettes" and (ROOT / "vignettes" / f"{made.name}.py").exists()
    if made.parts[:2] == ("reference", "generated"):
        listed = re.compile(rf"(?m)^   ~?{re.escape(made.name.removeprefix('neuralstat.'))}$")
        return any(listed.search(page.read_text(encoding="utf-8")) for page in (DOCS / "reference").glob("*.rst"))
    written = any(path.with_name(f"{path.name}{end}").exists() for end in (".md", ".rst"))
    return vignette or written or made.parts[0] == "gallery"


def test_the_index_of_vignettes_names_all():
    listed = re.findall(r"(?m)^\w+$", (DOCS / "vignettes" / "index.md").read_text(encoding="utf-8"))
    assert sorted(listed) == sorted(path.stem for path in (ROOT / "vignettes").glob("*.py") if path.stem != "render")


def test_links_of_pages_exist():
    missing = []
    others = [ROOT / name for name in ("README.md", "CONTRIBUTING.md", "SECURITY.md", "CHANGELOG.md")]
    for path in [*DOCS.rglob("*.md"), *others]:
        if "_build" in path.parts or "gallery" in path.relative_to(ROOT).parts:
            continue
        raw = path.read_text(encoding="utf-8")
        for target in re.findall(r"\{doc\}`(?:[^`<]*<)?([^`>]+)>?`", raw):
            if not _is_page(DOCS / target[1:] if target.startswith("/") else path.parent / target):
                missing.append(f"{path.relative_to(ROOT)}: {target}")
        text = re.sub(r"(?s)```.*?```|`[^`\n]*`", "", raw)
        for target in re.findall(r"\]\(([^)\s#]+)[^)]*\)", text):
            if "://" not in target and not (path.parent / target).exists():
                missing.append(f"{path.relative_to(ROOT)}: {target}")
    assert not missing


def _methods():
    from neuralstat import NeuralNetResults

    return {name: getattr(NeuralNetResults, name) for name in dir(NeuralNetResults) if not name.startswith("_")}


def test_pages_of_methods_have_what_the_functions_behind_them_say():
    """A function that no page is of is not what a reader is sent to; what it says stands on the method's page."""
    import inspect

    import docstrings

    public = {name.path for name in names.public_names()}
    found, sent = {}, []
    for name, method in _methods().items():
        lines = (inspect.getdoc(method) or "").splitlines()
        docstrings.delegate(f"neuralstat.NeuralNetResults.{name}", method, lines)
        found[name] = "\n".join(lines)
        sent += [f"{name}: {path}" for path in docstrings.SEE.findall(found[name]) if path not in public]
    assert not sent
    for name, section, word in (
        ("get_prediction", "Parameters", "use_t : bool"), ("term_tests", "Parameters", "method"),
        ("ale", "Returns", "std err"), ("diagnose", "Returns", "collapsed"), ("to_onnx", "Notes", "onnxruntime"),
        ("cov_params", "Parameters", "cov_type"),
    ):  # fmt: skip
        text = docstrings.sections(found[name].splitlines())[section]
        assert word in "\n".join(text), name
    assert "network : Network" not in found["canonical_weights"] and "fitted : " not in "".join(found.values())
    assert found["reps"].rstrip() == inspect.getdoc(_methods()["reps"]).rstrip()  # nothing is behind it


@pytest.mark.parametrize("kind", ["SGD", "Adam", "Lion"])
def test_pages_of_optimizers_have_the_arguments_of_all(kind):
    import inspect

    import docstrings

    from neuralstat import optimizers

    lines = inspect.getdoc(getattr(optimizers, kind)).splitlines()
    docstrings.inherit(lines)
    told = docstrings.sections(lines)["Parameters"]
    for word in inspect.signature(getattr(optimizers, kind)).parameters:
        assert any(re.match(rf"(\w+, )*{word}\b", line) for line in told), word


def test_docstrings_name_what_there_is():
    """Paths that begin with the package's name lead to something."""
    import importlib
    import inspect
    import pkgutil

    wrong = []
    for name in NAMES:
        for path in re.findall(r"`(neuralstat(?:\.\w+)+)`", inspect.getdoc(name.target) or ""):
            try:
                pkgutil.resolve_name(path)
            except (ImportError, AttributeError):
                try:
                    importlib.import_module(path)
                except ImportError:
                    wrong.append(f"{name.path}: {path}")
    assert not wrong


def test_versions_agree():
    import neuralstat

    for name, pattern in (("CITATION.cff", r'^version: "?([\d.]+)"?$'), ("CHANGELOG.md", r"^## \[([\d.]+)\]")):
        found = re.findall(pattern, (ROOT / name).read_text(encoding="utf-8"), re.MULTILINE)
        assert found and found[0] == neuralstat.__version__, name


def _explained():
    from neuralstat import errors

    kinds = [kind for kind in vars(errors).values() if isinstance(kind, type) and issubclass(kind, errors._Told)]
    return [kind for kind in kinds if kind.anchor]


@pytest.mark.parametrize("kind", _explained(), ids=lambda kind: kind.__name__)
def test_errors_and_warnings_have_a_place_and_a_remedy(kind):
    """The page has the anchor, over the class's own heading, and `explain` gives it for an error and for its class."""
    from neuralstat import errors

    page = (DOCS / "reference" / "errors.rst").read_text(encoding="utf-8")
    (heading,) = re.findall(rf"(?m)^\.\. _{kind.anchor}:\n\n(\w+)\n-+\n", page)
    assert heading == kind.__name__ and "anchor" in vars(kind) and "remedy" in vars(kind)
    told = errors.explain(kind("what was wrong"))
    assert told == errors.explain(kind) and told.endswith(f"reference/errors.html#{kind.anchor}") and kind.remedy in told
    assert str(kind("what was wrong")) == "what was wrong"
    part = page.partition(f".. _{kind.anchor}:")[2].partition("\n.. _")[0]
    remedy = part.partition("**Remedy**:")[2]
    for word in re.findall(r"ns\.\w+|fit\.\w+|\w+=", kind.remedy):  # what it names, the page names, too
        assert word.rstrip("=") in remedy, word


@pytest.mark.parametrize("kind", _explained(), ids=lambda kind: kind.__name__)
def test_errors_and_warnings_show_their_place(kind):
    """Below a traceback, and where Python prints a warning; never in the message. What is shown can be called."""
    import copy
    import pickle
    import warnings

    from neuralstat import errors

    one = kind("what was wrong")
    assert str(one) == "what was wrong" and one.args == ("what was wrong",)
    if issubclass(kind, Warning):
        with warnings.catch_warnings(record=True) as said:
            warnings.simplefilter("always")
            warnings.warn("what was wrong", kind, stacklevel=1)
        shown = warnings.formatwarning(said[0].message, kind, "file.py", 1, "")
        assert shown.startswith(f"file.py:1: {kind.__name__}: what was wrong (More: ")
    else:
        for again in (one, copy.copy(one), pickle.loads(pickle.dumps(one))):
            (shown,) = again.__notes__
            assert str(again) == "what was wrong"
        place, _, anchor = shown.rpartition(" ")[2].rpartition("#")
        page = DOCS / place.removeprefix(errors.SITE).replace(".html", ".rst")
        assert f"\n.. _{anchor}:\n" in page.read_text(encoding="utf-8")
        if sys.version_info >= (3, 11):
            assert "".join(traceback.format_exception(one)).splitlines()[-2:] == [
                f"neuralstat.errors.{kind.__name__}: what was wrong", shown,
            ]  # fmt: skip
    (name,) = re.findall(r'neuralstat\.errors\.explain\("(\w+)"\)', shown)
    assert errors.explain(name) == errors.explain(kind)


def test_what_is_explained_is_of_this_package():
    from neuralstat import errors

    leaves = [kind for kind in vars(errors).values() if isinstance(kind, type) and issubclass(kind, errors._Told)]
    assert {kind.__name__ for kind in leaves} - {kind.__name__ for kind in _explained()} == {
        "_Told", "NeuralStatError", "NeuralStatWarning",
    }  # fmt: skip
    assert errors.explain(errors.NeuralStatError).endswith("reference/errors.html")
    with pytest.raises(errors.ArgumentError, match="no error or warning 'KeyError'"):
        errors.explain("KeyError")
    with pytest.raises(errors.ArgumentError, match="must be an error or a warning of neuralstat"):
        errors.explain(KeyError("x"))
