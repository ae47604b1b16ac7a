"""Pages that are guides through the package name by name: every block of theirs runs, and layers are all there."""

from __future__ import annotations

import ast
import re

import matplotlib
import pytest
from places import ROOT

import neuralstat as ns

DOCS = ROOT / "docs"
PAGES = ["howto/example_data", "howto/optimizers", "howto/own_pictures", "howto/warnings", "howto/what_a_fit_knows"]
CELL = re.compile(r"(?ms)^```\{code-cell\}[^\n]*\n(?::[\w-]+:[^\n]*\n)*(.*?)^```$")

pytestmark = pytest.mark.skipif(not DOCS.is_dir(), reason="needs the repository")


def text_of(page):
    return (DOCS / f"{page}.md").read_text(encoding="utf-8")


def shown(page):
    """Blocks of a page, run one after the other, and what each shows."""
    import matplotlib.pyplot as plt

    matplotlib.use("Agg")
    names: dict[str, object] = {}
    found = {}
    for cell in CELL.findall(text_of(page)):
        tree = ast.parse(cell)
        last = tree.body.pop() if isinstance(tree.body[-1], ast.Expr) else None
        exec(compile(tree, page, "exec"), names)
        found[cell] = eval(compile(ast.Expression(last.value), page, "eval"), names) if last else None
        plt.close("all")
    return found


@pytest.mark.parametrize("page", PAGES)
def test_blocks_run(page):
    assert shown(page)


@pytest.mark.slow  # a search and a study
@pytest.mark.filterwarnings("ignore::neuralstat.errors.NeuralStatWarning")
def test_the_tour_runs(tmp_path, monkeypatch):
    """The one tutorial that shows its code without running it; numbers in its comments are those that come out."""
    import matplotlib.pyplot as plt

    matplotlib.use("Agg")
    monkeypatch.chdir(tmp_path)
    names: dict[str, object] = {"__name__": "__main__"}
    blocks = re.findall(r"(?ms)^```python\n(.*?)^```$", text_of("tutorials/tour"))
    seen = set()
    for block in blocks:
        for part in ast.parse(block).body:
            line = block.splitlines()[part.end_lineno - 1]
            exec(compile(ast.Module([part], []), "tour", "exec"), names)
            plt.close("all")
            said = line.rpartition("#")[2]
            if isinstance(part, ast.Expr) and re.search(r"as lmer|in Keras' order|outputs of a layer", said):
                value = eval(compile(ast.Expression(part.value), "tour", "eval"), names)
                value = list(value) if isinstance(value, tuple | list) else [value]
                told = [float(n) for n in re.findall(r"\d+(?:\.\d+)?", said.partition(", as")[0].partition("), ")[0])]
                assert [round(float(v), 3) for v in value] == told, line
                seen.add(line)
    assert len(blocks) > 8 and len(seen) == 4


def test_layers_do_what_their_page_says():
    found = shown("layers")
    words = ("chance =", "SpatialDropout2D", "Masking()")
    value = {word: next(v for cell, v in found.items() if word in cell) for word in words}
    assert value["chance ="] == [True] * 5 and value["SpatialDropout2D"] is True  # predictions leave chance out
    assert value["Masking()"] is True  # padding does not count
    limits = next(v for cell, v in found.items() if "MaxNorm" in cell)
    assert min(limits["NonNeg"]) >= 0 and max(map(abs, limits["MaxNorm"])) <= 0.5


def test_every_layer_is_made_on_its_page():
    nodes = list(ast.walk(ast.parse("\n".join(CELL.findall(text_of("layers"))))))
    made = {node.func.id for node in nodes if isinstance(node, ast.Call) and isinstance(node.func, ast.Name)}
    own = {name for name in ns.layers.__all__ if getattr(ns.layers, name).__name__ == name}
    said = {name for name in ("L1", "L2", "L1L2") if f"`{name}(" in text_of("layers") or f"={name}(" in text_of("layers")}
    assert own - made == said == {"L1", "L2", "L1L2"}
