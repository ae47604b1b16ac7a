"""The commands and their options, from the parser itself."""

from __future__ import annotations

import argparse
from collections.abc import Iterator
from pathlib import Path
from typing import Any


def page() -> str:
    """All commands as MyST."""
    from neuralstat.cli import parser

    commands = next(a for a in parser()._actions if isinstance(a, argparse._SubParsersAction))
    lines: list[str] = []
    for name, command in commands.choices.items():
        lines += [f"## `neuralstat {name}`", "", command.description or "", ""]
        for group in command._action_groups:
            shown = (a for a in group._group_actions if a.help is not argparse.SUPPRESS)
            actions = [a for a in shown if "--help" not in a.option_strings]
            if actions:
                lines += [f"**{(group.title or '').capitalize()}**", "", *_options(command, actions), ""]
        if command.epilog:
            lines += ["```text", command.epilog.strip().replace("%(prog)s", f"neuralstat {name}"), "```", ""]
    return "\n".join(lines)


def _options(command: argparse.ArgumentParser, actions: list[argparse.Action]) -> Iterator[str]:
    formatter = command._get_formatter()
    for action in actions:
        metavar = formatter._get_default_metavar_for_optional(action)
        value = formatter._format_args(action, metavar) if action.nargs != 0 else ""
        shown = ", ".join(action.option_strings)
        value = "" if isinstance(action, argparse.BooleanOptionalAction) else value
        term = f"{shown} {value}".strip() if shown else formatter._format_args(action, action.dest)
        said = formatter._expand_help(action) if action.help else ""
        yield from (f"`{term}`", f": {_plain(said)}", "")


def _plain(text: str) -> str:
    for mark in "\\*_<[$~":
        text = text.replace(mark, "\\" + mark)
    return text


def write(app: Any) -> None:
    """The page's part that follows from the parser."""
    target, text = Path(app.srcdir) / "reference" / "_command_line.md", page()
    if not target.exists() or target.read_text(encoding="utf-8") != text:
        target.write_text(text, encoding="utf-8")


def setup(app: Any) -> dict[str, bool]:
    """For Sphinx."""
    app.connect("builder-inited", write)
    return {"parallel_read_safe": True, "parallel_write_safe": True}
