"""Names in texts lead to their pages: ``ns.risk(...)``, ``fit.df()`` between backticks."""

from __future__ import annotations

import re
from typing import Any

import names
from docutils import nodes

OF_PACKAGE = re.compile(r"(?:ns|neuralstat)\.([A-Za-z_][\w.]*)(?:\(.*\))?\Z", re.DOTALL)
OF_FIT = re.compile(r"(?:fit|large|small|results?|NeuralNetResults)\.([a-z_]\w*)(?:\(.*\))?(?:\.\w+)?\Z", re.DOTALL)


def page_of(text: str, pages: dict[str, str]) -> str | None:
    """Page of the name that a text between backticks is; None where it is none."""
    if found := OF_PACKAGE.match(text):
        path = found.group(1)
        path = "study.study" if path == "study" else path
    elif found := OF_FIT.match(text):
        path = f"{names.RESULTS}.{found.group(1)}"
    else:
        return None
    return f"reference/generated/{names.PACKAGE}.{path}" if path in pages else None


def link(app: Any, doctree: nodes.document, page: str) -> None:
    """Make links of names in a page."""
    if app.builder.format != "html":
        return
    pages = names.pages_of_reference()
    for literal in list(doctree.findall(nodes.literal)):
        inside = literal.parent
        while inside is not None and not isinstance(inside, (nodes.reference, nodes.title)):
            inside = inside.parent
        target = None if inside is not None else page_of(literal.astext(), pages)
        if target is None or target == page or target not in app.env.found_docs:
            continue
        reference = nodes.reference("", "", internal=True, refuri=app.builder.get_relative_uri(page, target))
        literal.parent.replace(literal, reference)
        reference += literal


def setup(app: Any) -> dict[str, bool]:
    """For Sphinx."""
    app.connect("doctree-resolved", link)
    return {"parallel_read_safe": True, "parallel_write_safe": True}
