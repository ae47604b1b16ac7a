"""The table of courses' techniques: its calls are calls of what there is, and what it says runs, is there."""

import ast
import inspect
import re

import pytest
from places import ROOT

import neuralstat as ns
import neuralstat.sklearn

PAGE = ROOT / "docs" / "techniques.md"
# what a reader has: data, files, a fit, a network of others
GIVEN = {"fit": ns.NeuralNetResults, "base": ns.applications.VGG16(include_top=False, input_shape=(32, 32, 3))}
FREE = {"data", "few", "folder", "held_out", "images", "new", "path", "rates", "sequences", "traffic", "vgg"}

pytestmark = pytest.mark.skipif(not PAGE.is_file(), reason="needs the repository")


def rows():
    if not PAGE.is_file():
        return []
    lines = [line for line in PAGE.read_text(encoding="utf-8").splitlines() if line.startswith("|")]
    cells = [[cell.strip() for cell in line.strip("|").split("|")] for line in lines]
    return [row for row in cells if row[0] != "technique" and set(row[0]) != {"-"}]


def known(node):
    """The object that an expression names; AssertionError where there is none."""
    if isinstance(node, ast.Attribute):
        owner = known(node.value)
        assert owner is None or hasattr(owner, node.attr), ast.unparse(node)
        return None if owner is None else inspect.getattr_static(owner, node.attr, None) or getattr(owner, node.attr)
    if isinstance(node, ast.Name):
        if node.id in GIVEN:
            return GIVEN[node.id]
        if node.id == "ns":
            return ns
        if node.id in FREE:
            return None
        assert node.id in ("list",) or node.id in ns.layers.__all__, node.id
        return list if node.id == "list" else getattr(ns.layers, node.id)
    return None


def check(call):
    """All names and keywords of a call exist."""
    tree = ast.parse(call, mode="eval")
    for node in ast.walk(tree):
        if isinstance(node, ast.Name | ast.Attribute):
            known(node)
        if isinstance(node, ast.Call):
            called = known(node.func)
            assert called is not None, ast.unparse(node.func)
            given = {word.arg for word in node.keywords}
            taken = inspect.signature(called).parameters
            if called in (ns.NeuralNetResults.update, ns.NeuralNetResults.replace_head, ns.select):  # as `neuralnet`
                taken = {**taken, **inspect.signature(ns.neuralnet).parameters}
            if called is ns.risk:
                taken = {**taken, "k": None}
            assert given <= set(taken), f"{ast.unparse(node.func)}: {given - set(taken)}"


@pytest.mark.parametrize("row", rows(), ids=lambda row: row[0])
def test_a_row(row):
    technique, call, where = row
    assert technique and re.fullmatch(r"`[^`]+`", call), row
    check(call.strip("`"))
    places = where.split("; ")
    assert places
    for place in places:
        page = re.fullmatch(r"\{doc\}`vignettes/(\w+)`", place)
        if page:
            assert (ROOT / "vignettes" / f"{page[1]}.py").is_file(), place
            continue
        file, test = re.fullmatch(r"`([\w/]+)` `(test_\w+)`", place).groups()
        path = ROOT / "tests" / f"{file}.py"
        assert path.is_file(), file
        assert re.search(rf"^def {test}\(", path.read_text(encoding="utf-8"), re.MULTILINE), place


def test_nothing_is_found_where_there_is_nothing():
    assert len(rows()) > 80
    for wrong in ("ns.neuralnets(...)", "Conv2d(3)", "ns.neuralnet(..., epoch=3)", "fit.plot_it", "Dense(3, unit=2)"):
        with pytest.raises(AssertionError):
            check(wrong)
    with pytest.raises(SyntaxError):
        check("Dense(3,,)")
