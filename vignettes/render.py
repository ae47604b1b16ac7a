"""Run vignettes and write them as pages: ``python vignettes/render.py [doppler ...] [--quick]``.

A page lands in ``vignettes/_build/NAME.html``, figures inside. Needs the extra ``docs`` (jupytext, nbclient, nbconvert).
``--quick`` makes the short form that the tests run; ``--fold`` folds the code away.
"""

from __future__ import annotations

import argparse
import os
import sys
import time
from pathlib import Path

HERE = Path(__file__).parent
SETUP = "%config InlineBackend.figure_formats = ['retina']"
STYLE = """
<style>
  body { background: #fff; }
  main { max-width: 62rem; margin: 0 auto; padding: 1rem 1.5rem 4rem; }
  .jp-RenderedHTMLCommon, .jp-OutputArea-output pre { font-size: 15px; line-height: 1.55; }
  .jp-OutputArea-output pre { font-size: 12.5px; line-height: 1.35; }
  .highlight pre { white-space: pre-wrap; }
  .jp-InputPrompt, .jp-OutputPrompt { display: none !important; }
  .jp-Cell { padding-left: 0; padding-right: 0; }
  .jp-RenderedHTML { overflow-x: auto; }
  .jp-RenderedHTMLCommon table { font-size: 13px; margin-left: 0; }
  .jp-RenderedHTMLCommon td, .jp-RenderedHTMLCommon th { padding: 0.25em 0.8em; }
  .jp-OutputArea-output img { max-width: 100%; height: auto; }
  details.code > summary { color: #76838b; cursor: pointer; font: 12.5px sans-serif; }
</style>
"""


def run(path: Path) -> object:
    """The executed notebook of a percent script; raises where a cell does."""
    import jupytext
    import nbformat
    from nbclient import NotebookClient

    notebook = jupytext.read(path)
    notebook.cells.insert(0, nbformat.v4.new_code_cell(SETUP))
    NotebookClient(notebook, timeout=3600, kernel_name="python3", resources={"metadata": {"path": str(HERE)}}).execute()
    del notebook.cells[0]
    for cell in notebook.cells:
        if cell.cell_type == "code":
            # the value of a last line that draws, such as <Axes: ...> or Text(...), says nothing to a reader
            cell.outputs = [o for o in cell.outputs if not _mute(o)]
    return notebook


def _mute(output: dict) -> bool:
    data = output.get("data", {})
    text = data.get("text/plain", "").lstrip("[({array ")
    drawn = ("<Axes", "<matplotlib", "Text(", "<Figure", "<BarContainer", "<ErrorbarContainer", "<Axes:")
    return output.get("output_type") == "execute_result" and set(data) == {"text/plain"} and text.startswith(drawn)


def page(notebook: object, title: str, folded: bool) -> str:
    """The notebook as one HTML file."""
    from nbconvert import HTMLExporter
    from traitlets.config import Config

    tags = {"enabled": True, "remove_input_tags": {"remove-input"}}  # cells that only write text with numbers in it
    exporter = HTMLExporter(template_name="lab", config=Config(TagRemovePreprocessor=tags))
    body, _ = exporter.from_notebook_node(notebook, resources={"metadata": {"name": title}})
    body = body.replace("</head>", STYLE + "</head>", 1)
    if folded:
        body = body.replace("</body>", FOLD + "</body>", 1)
    return body


FOLD = """
<script>
  document.querySelectorAll(".jp-CodeCell > .jp-Cell-inputWrapper").forEach((code) => {
    const fold = document.createElement("details");
    fold.className = "code";
    fold.innerHTML = "<summary>code</summary>";
    code.replaceWith(fold);
    fold.append(code);
  });
</script>
"""


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("names", nargs="*", help="vignettes without .py; all where not given")
    parser.add_argument("--quick", action="store_true")
    parser.add_argument("--fold", action="store_true")
    given = parser.parse_args()
    known = sorted(path.stem for path in HERE.glob("*.py") if path.name != "render.py")
    for name in given.names or known:
        if name not in known:
            sys.exit(f"there is no vignette {name!r}; there are: {', '.join(known)}")
    os.environ.pop("MPLBACKEND", None)
    if given.quick:
        os.environ["NEURALSTAT_QUICK"] = "1"
    (HERE / "_build").mkdir(exist_ok=True)
    for name in given.names or known:
        began = time.perf_counter()
        target = HERE / "_build" / f"{name}.html"
        target.write_text(page(run(HERE / f"{name}.py"), name, given.fold), encoding="utf-8")
        print(f"{target} ({time.perf_counter() - began:.0f} s)")


if __name__ == "__main__":
    main()
