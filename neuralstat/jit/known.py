"""The names by which compiled code asks for late kernels (`late`): it is kept on disk with them."""

from __future__ import annotations

from typing import Any

PREFIX = "neuralstat_late_name"

#: What a name in compiled code stands for: a late kernel's module and name, and the types of result and arguments.
KNOWN: dict[str, tuple[str, str, Any]] = {}


def names_in(library: Any) -> dict[str, tuple[str, str, Any]]:
    """What the names of late kernels in the code of a library stand for."""
    names = [variable.name for variable in library._final_module.global_variables if variable.name.startswith(PREFIX)]
    # where modules are linked that have the same name, a number is added to it
    return {name: KNOWN[name] for given in names if (name := given if given in KNOWN else given.rpartition(".")[0]) in KNOWN}
