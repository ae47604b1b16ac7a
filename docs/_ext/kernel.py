"""Kernels of executed pages: sharp figures, and no words about figures that were drawn.

`configure` writes the settings of IPython's kernels. As an extension this takes out outputs such as ``<Axes: ...>``, the
value of a last line that draws.
"""

from __future__ import annotations

import re
from pathlib import Path
from typing import Any

from docutils import nodes

SETTINGS = """
c.InlineBackend.figure_formats = {"retina"}
c.InlineBackend.rc = {"figure.dpi": 80, "figure.figsize": (7, 3.6)}
c.InlineBackend.print_figure_kwargs = {"bbox_inches": "tight"}
c.HistoryManager.enabled = False
"""
NOTICE = "neuralstat: compil"  # the first fit of its kind says that it compiles
WHERE = re.compile(r"^/\S+\.py:\d+: ")
DRAWN = ("<Axes", "<matplotlib", "Text(", "<Figure", "<BarContainer", "<ErrorbarContainer", "<seaborn")


def configure(folder: Path) -> Path:
    """Write the settings below `folder`, which is what ``IPYTHONDIR`` is to be."""
    profile = folder / "profile_default"
    profile.mkdir(parents=True, exist_ok=True)
    target = profile / "ipython_kernel_config.py"
    if not target.exists() or target.read_text() != SETTINGS:
        target.write_text(SETTINGS)
    return folder


def is_drawing(text: str) -> bool:
    """Whether the text is the value of a line that draws."""
    return re.sub(r"^(?:array|[\[({\s])+", "", text).startswith(DRAWN)


def remove_drawings(app: Any, doctree: nodes.document) -> None:
    """Remove values of lines that draw."""
    for bundle in list(doctree.findall(nodes.container)):
        if bundle.get("nb_element") != "mime_bundle":
            continue
        kinds = [child.get("mime_type") for child in bundle.children]
        if kinds == ["text/plain"] and is_drawing(bundle.astext()):
            bundle.parent.remove(bundle)


def remove_notices(app: Any, doctree: nodes.document) -> None:
    """Remove that kernels were compiled, and where a warning of a cell came from."""
    for block in list(doctree.findall(nodes.literal_block)):
        if "stderr" not in block["classes"]:
            continue
        lines = [line for line in block.astext().splitlines() if not line.startswith(NOTICE)]
        text = "\n".join(WHERE.sub("", line) for line in lines).strip("\n")
        if not text:
            block.parent.remove(block)
        elif text != block.astext():
            kept = nodes.literal_block(text, text, **block.attributes)
            block.parent.replace(block, kept)


def setup(app: Any) -> dict[str, bool]:
    """For Sphinx."""
    app.connect("doctree-read", remove_drawings)
    app.connect("doctree-read", remove_notices)
    return {"parallel_read_safe": True, "parallel_write_safe": True}
