"""Vignettes as pages: ``vignettes/NAME.py`` becomes ``docs/vignettes/NAME.ipynb``, executed in the folder of the vignettes.

What execution gave is kept beside the site under a digest of the script and of the tables that it may read, so that it runs
once. With ``NEURALSTAT_QUICK=1`` the short forms are run, with other figures than the texts speak of.
"""

from __future__ import annotations

import hashlib
import os
import sys
from pathlib import Path
from typing import Any

from sphinx.util import logging

ROOT = Path(__file__).parents[2]
SOURCES = ROOT / "vignettes"
LOGGER = logging.getLogger(__name__)


def digest(path: Path) -> str:
    """Of the script, of the form, and of the tables beside it."""
    found = hashlib.sha256(path.read_bytes() + os.environ.get("NEURALSTAT_QUICK", "").encode())
    text = path.read_text(encoding="utf-8")
    for table in sorted([*(SOURCES / "data").iterdir(), *(ROOT / "benchmarks" / "results").glob("*.csv")]):
        if table.name in text:
            found.update(table.read_bytes())
    return found.hexdigest()[:16]


def write(app: Any) -> None:
    """Execute what has changed, and write the pages."""
    import nbformat

    sys.path.insert(0, str(SOURCES))
    import render

    kept = Path(app.outdir).parent / "vignettes"
    pages = Path(app.srcdir) / "vignettes"
    kept.mkdir(parents=True, exist_ok=True)
    for path in sorted(SOURCES.glob("*.py")):
        if path.name == "render.py":
            continue
        executed = kept / f"{path.stem}-{digest(path)}.ipynb"
        if not executed.exists():
            LOGGER.info("executing vignette %s", path.stem)
            notebook = render.run(path)
            for old in kept.glob(f"{path.stem}-*.ipynb"):
                old.unlink()
            nbformat.write(notebook, executed)
        target = pages / f"{path.stem}.ipynb"
        page = executed.read_text(encoding="utf-8").replace("  # fmt: skip", "")  # a word to formatters, none to readers
        if not target.exists() or target.read_text(encoding="utf-8") != page:
            target.write_text(page, encoding="utf-8")


def setup(app: Any) -> dict[str, bool]:
    """For Sphinx."""
    app.connect("builder-inited", write)
    return {"parallel_read_safe": True, "parallel_write_safe": True}
