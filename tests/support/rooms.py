"""The import graph of the package, read from its sources: what `docs/graph.py` draws and `test_imports.py` holds.

A *room* is a folder of the package, or a module that lies beside the folders. Rooms have ranks; imports go down.
"""

from __future__ import annotations

import ast
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from functools import cache
from pathlib import Path

import neuralstat

PACKAGE = Path(neuralstat.__file__).parent

# From the bottom to the top. Rooms of one rank know nothing of one another.
RANKS = (
    ("errors",),
    ("checks",),
    ("seeds",),
    ("jit",),
    ("functions",),
    ("layers", "schedules"),
    ("optimizers",),
    ("engine",),
    ("symbolic",),
    ("network",),
    ("families",),
    ("formula", "datasets", "weights", "augment", "mixed"),
    ("cluster",),
    ("training",),
    ("fitted",),
    ("df",),
    ("likelihood",),
    ("assessment",),
    ("inference",),
    ("effects", "insight"),
    ("plots", "summary"),
    ("io", "export"),
    ("results",),
    ("api",),
    ("selection", "study", "survival", "sklearn", "applications", "cli"),
    ("__main__",),
)
RANK = {room: rank for rank, rooms in enumerate(RANKS) for room in rooms}

TOP, FUNCTION, TYPES = "top", "function", "types"  # where an import stands


@dataclass(frozen=True)
class Import:
    """One imported name. Modules of the package are named from below it: ``engine.cpu``, "" for the package itself."""

    source: str
    target: str | None  # module of the package; None for other packages
    name: str  # as it is written, made absolute
    where: str
    line: int


def module_of(path: Path) -> str:
    """Name of a file's module from below the package."""
    parts = path.relative_to(PACKAGE).with_suffix("").parts
    return ".".join(parts[:-1] if parts[-1] == "__init__" else parts)


def room_of(module: str) -> str:
    """Room of a module, "" for the package itself."""
    return module.partition(".")[0]


@cache
def modules() -> Mapping[str, Path]:
    """Module -> file."""
    return {module_of(path): path for path in sorted(PACKAGE.rglob("*.py"))}


def _below(nodes: Iterable[ast.AST]) -> set[int]:
    return {id(inner) for node in nodes for inner in ast.walk(node)}


def _places(tree: ast.Module) -> tuple[set[int], set[int]]:
    """Nodes for type checkers only, and nodes inside functions."""
    every = list(ast.walk(tree))
    types = [s for n in every if isinstance(n, ast.If) and "TYPE_CHECKING" in ast.dump(n.test) for s in n.body]
    functions = [n for n in every if isinstance(n, ast.FunctionDef | ast.AsyncFunctionDef | ast.Lambda)]
    return _below(types), _below(functions)


def _names(node: ast.AST, package: tuple[str, ...]) -> list[str]:
    """Absolute names that an import statement asks for."""
    if isinstance(node, ast.Import):
        return [alias.name for alias in node.names]
    if not isinstance(node, ast.ImportFrom):
        return []
    above = package[: len(package) - node.level + 1] if node.level else ()
    base = ".".join([*above, *filter(None, [node.module])])
    return [f"{base}.{alias.name}" for alias in node.names]


def _target(name: str) -> str | None:
    first, _, rest = name.partition(".")
    if first != "neuralstat":
        return None
    while rest and rest not in modules():
        rest = rest.rpartition(".")[0]
    return rest


@cache
def imports_of(module: str) -> tuple[Import, ...]:
    """Every import of a module, wherever it stands."""
    return tuple(_imports_of(module))


def _imports_of(module: str) -> Iterator[Import]:
    path = modules()[module]
    package = ("neuralstat", *path.relative_to(PACKAGE).parts[:-1])
    tree = ast.parse(path.read_text())
    types, functions = _places(tree)
    for node in ast.walk(tree):
        where = TYPES if id(node) in types else FUNCTION if id(node) in functions else TOP
        for name in _names(node, package):
            yield Import(module, _target(name), name, where, node.lineno)


@cache
def imports() -> tuple[Import, ...]:
    """Every import of the package."""
    return tuple(found for module in modules() for found in imports_of(module))


def inside() -> Iterator[Import]:
    """Imports between two modules of the package, without those of the package itself (its version)."""
    return (i for i in imports() if i.target and i.source and i.target != i.source)


def graph(*where: str) -> dict[str, set[str]]:
    """Module -> modules that it imports in these places."""
    found: dict[str, set[str]] = {module: set() for module in modules()}
    for one in inside():
        if one.where in where:
            found[one.source].add(one.target or "")
    return found


def circles(edges: Mapping[str, set[str]]) -> list[list[str]]:
    """Strongly connected components of more than one module (Tarjan), each sorted."""
    number: dict[str, int] = {}
    least: dict[str, int] = {}
    stack: list[str] = []
    found = []

    def visit(node: str) -> None:
        number[node] = least[node] = len(number)
        stack.append(node)
        for other in edges.get(node, ()):
            if other not in number:
                visit(other)
            if other in stack:
                least[node] = min(least[node], least[other])
        if least[node] == number[node]:
            at = stack.index(node)
            found.append(sorted(stack[at:]))
            del stack[at:]

    for node in edges:
        if node not in number:
            visit(node)
    return [component for component in found if len(component) > 1]


def closure(edges: Mapping[str, set[str]], module: str) -> set[str]:
    """The module and all that it reaches."""
    reached, ahead = {module}, [module]
    while ahead:
        for other in edges[ahead.pop()] - reached:
            reached.add(other)
            ahead.append(other)
    return reached


def between_rooms() -> dict[tuple[str, str], int]:
    """(room, imported room) -> number of imports, those for type checkers left out."""
    counts: dict[tuple[str, str], int] = {}
    for one in inside():
        pair = room_of(one.source), room_of(one.target or "")
        if one.where != TYPES and pair[0] != pair[1]:
            counts[pair] = counts.get(pair, 0) + 1
    return counts
