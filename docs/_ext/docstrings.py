"""What docstrings need on their way to pages.

They are written to be read in a terminal: ``|y - mu|``, ``mu_(i)`` and ``*shape`` are mathematics and Python there, but
marks to Sphinx. And methods of fits are short: they name the function behind them, which no page is of, so that their pages
have its sections too. Optimizers have the arguments of their base likewise. What functions give back is not made by hand: it
has no signature.
"""

from __future__ import annotations

import importlib
import inspect
import re
import zlib
from pathlib import Path
from typing import Any

import names

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


SEE = re.compile(r"(?:[;,] see|(?:^|(?<=\. ))See) `([a-z_]+(?:\.\w+)+)`(?: for the \w+)?\.?", re.MULTILINE)
BASE = "MinibatchOptimizer"
OWNED = {"fitted", "fit", "large"}  # what methods give by themselves


def behind(path: str, method: str) -> Any:
    """The function that a docstring names by its path inside the package, or by its module; None for public names."""
    if path in {name.path for name in names.public_names()}:
        return None
    owner, _, last = f"{names.PACKAGE}.{path}".rpartition(".")
    for module, attribute in ((owner, last), (f"{owner}.{last}", method), (f"{owner}.{last}", f"hessian_{last}")):
        try:
            found = getattr(importlib.import_module(module), attribute, None)
        except ImportError:
            continue
        if inspect.isfunction(found):
            return inspect.unwrap(found)
    return None


def sections(lines: list[str]) -> dict[str, list[str]]:
    """What stands before the first section of a numpydoc docstring (under ""), and its sections without their heads."""
    found: dict[str, list[str]] = {"": []}
    at = ""
    for line, below in zip(lines, [*lines[1:], ""], strict=True):
        if line and re.fullmatch(r"-{3,}", below) and len(below) == len(line):
            found[at := line] = []
        elif not (at and not found[at] and re.fullmatch(r"-{3,}", line)):
            found[at].append(line)
    return found


def parameters(lines: list[str], method: Any) -> list[str]:
    """Those that a method takes; it may pass on what it does not name."""
    taken = inspect.signature(method).parameters.values() if callable(method) else ()
    passes = any(one.kind is one.VAR_KEYWORD for one in taken)
    known = {one.name for one in taken}
    kept, keeps = [], True
    for line in lines:
        if line and not line.startswith(" "):
            said = {part.strip(" *") for part in line.partition(" :")[0].split(",")}
            keeps = not said & OWNED and (passes or bool(said & known))
        if keeps:
            kept.append(line)
    return kept


def delegate(name: str, method: Any, lines: list[str]) -> None:
    """Put the sections of the function that a method names in place of its name."""
    own = sections(lines)
    told = "\n".join(own[""])
    match = SEE.search(told)
    function = match and behind(match.group(1), name.rpartition(".")[2])
    if not match or function is None:
        return
    theirs = sections((inspect.getdoc(function) or "").splitlines())
    more = "\n".join(theirs.pop("")).partition("\n\n")[2]
    inside = match.group(0).startswith((";", ","))
    rest = told[match.end() :]
    kept = told[: match.start()] + ("." + rest if inside else rest.lstrip(" "))
    own[""] = [*kept.rstrip().splitlines(), "", *more.splitlines(), ""]
    for head, text in theirs.items():
        text = parameters(text, method) if head == "Parameters" else text
        if head not in own and any(text):
            own[head] = text
    order = [head for head in own if head not in ("", "Examples")]
    lines[:] = own[""]
    for head in (*order, *(["Examples"] if "Examples" in own else [])):
        lines += [head, "-" * len(head), *own[head], ""]


def inherit(lines: list[str]) -> None:
    """Arguments of all minibatch optimizers in place of the name of their base, which no page is of."""
    for i, line in enumerate(lines):
        if line.strip() == f"See `{BASE}`." and not lines[i - 1].startswith(" "):
            base = getattr(importlib.import_module(f"{names.PACKAGE}.optimizers.minibatch"), BASE)
            theirs = sections((inspect.getdoc(base) or "").splitlines())["Parameters"]
            lines[i - 1 : i + 1] = [part for part in theirs if part]
            return


def unsigned(app: Any, what: str, name: str, *_: Any) -> tuple[str, None] | None:
    """No signature where an object is a result."""
    return ("", None) if name.removeprefix(f"{names.PACKAGE}.") in names.RETURNED else None


def process(app: Any, what: str, name: str, target: Any, options: Any, lines: list[str]) -> None:
    """Before numpydoc reads them."""
    if f".{names.RESULTS}." in name:
        delegate(name, target, lines)
    inherit(lines)
    code = False
    for i, line in enumerate(lines):
        bare = line.strip()
        if bare.startswith(">>>"):
            code = True
        elif not bare:
            code = False
        if not code and not bare.startswith(("*", ".. ", "- *", "+-", "|")):
            lines[i] = escape(line)


def setup(app: Any) -> dict[str, Any]:
    """For Sphinx."""
    app.connect("autodoc-process-docstring", process, priority=100)
    app.connect("autodoc-process-signature", unsigned)
    changed = zlib.crc32(Path(__file__).read_bytes())  # pages are then read again
    return {"env_version": changed, "parallel_read_safe": True, "parallel_write_safe": True}
