"""What docstrings need on their way to pages.

They are written to be read in a terminal: ``|y - mu|``, ``mu_(i)`` and ``*shape`` are mathematics and Python there, but
marks to Sphinx.
"""

from __future__ import annotations

import re
from typing import Any

LITERAL = re.compile(r"(``.+?``|`[^`]+`)")


def escape(line: str) -> str:
    """The line with bars, last underscores and stars that end no emphasis as they are, but for what is between backticks."""
    parts = LITERAL.split(line)
    for i in range(0, len(parts), 2):
        part = re.sub(r"(?<=\w)_(?!\w)", r"\_", parts[i].replace("|", "\\|"))
        if part.count("*") - 2 * part.count("**") == 1:
            part = part.replace("*", "\\*")
        parts[i] = part
    return "".join(parts)


def process(app: Any, what: str, name: str, target: Any, options: Any, lines: list[str]) -> None:
    """Before numpydoc reads them."""
    code = False
    for i, line in enumerate(lines):
        bare = line.strip()
        if bare.startswith(">>>"):
            code = True
        elif not bare:
            code = False
        if not code and not bare.startswith(("*", ".. ", "- *", "+-", "|")):
            lines[i] = escape(line)


def setup(app: Any) -> dict[str, bool]:
    """For Sphinx."""
    app.connect("autodoc-process-docstring", process, priority=100)
    return {"parallel_read_safe": True, "parallel_write_safe": True}
