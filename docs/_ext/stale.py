"""Remove generated pages whose source is gone: names that were renamed, plots and vignettes that are no more."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import names


def remove(app: Any) -> None:
    """Before pages are made."""
    docs = Path(app.srcdir)
    listed = {f"{names.PACKAGE}.{path}" for path in names.pages_of_reference()}
    generated = [page for page in (docs / "reference" / "generated").glob("*.rst") if page.stem not in listed]
    plots = [
        page
        for page in (docs / "gallery").rglob("*.rst")
        if page.stem not in ("index", "sg_execution_times")
        and not (docs / "plots" / page.relative_to(docs / "gallery")).with_suffix(".py").exists()
    ]
    scripts = docs.parent / "vignettes"
    vignettes = [page for page in (docs / "vignettes").glob("*.ipynb") if not (scripts / f"{page.stem}.py").exists()]
    for page in (*generated, *plots, *vignettes):
        page.unlink()


def remove_built(app: Any, exception: Exception | None) -> None:
    """Built pages of an earlier build that are no pages now."""
    if exception is None and app.builder.name == "html":
        site = Path(app.outdir)
        for folder in ("gallery", "vignettes", "reference/generated"):
            for page in (site / folder).rglob("*.html"):
                if page.relative_to(site).with_suffix("").as_posix() not in app.env.found_docs:
                    page.unlink()


def setup(app: Any) -> dict[str, bool]:
    """For Sphinx."""
    app.connect("builder-inited", remove, priority=10)
    app.connect("build-finished", remove_built)
    return {"parallel_read_safe": True, "parallel_write_safe": True}
