"""The package's import graph, module-level and inside functions: down the ranks, no circles, light where it can be."""

from __future__ import annotations

import ast
import re
import subprocess
import sys
from functools import cache

import pytest
import rooms
from places import ROOT
from rooms import FUNCTION, PACKAGE, RANK, TOP

MODULES = sorted(module for module in rooms.modules() if module)

# What is heavy, or may not be installed; the longest name that fits counts.
HEAVY = (
    "numba", "numba.cuda", "pandas", "scipy", "scipy.interpolate", "scipy.ndimage", "scipy.optimize", "scipy.special",
    "scipy.stats", "matplotlib", "formulaic", "statsmodels", "sympy", "sklearn", "joblib", "cloudpickle",
    "threadpoolctl", "tqdm", "narwhals", "pyarrow", "dask", "h5py", "PIL", "safetensors", "cuda", "torch", "onnx",
    "xarray", "polars", "IPython", "distributed",
)  # fmt: skip

# Imports inside functions that are not there for the sake of something heavy, each with its reason: (module, imported).
INSIDE_FUNCTIONS = {
    ("formula.spec", "formula.stored"): "reads what it writes: the only circle of two in the room",
    ("__main__", "cli"): "Ctrl-C during imports is answered in a line",
    ("study.lock", "msvcrt"): "of Windows only",
    ("cli", "cli.commands"): "`neuralstat --help` answers at once",
    ("engine.cuda.batches.part", "numba.cuda"): "in simulated runs only modules of kernels may name `cuda`",
}
# Rooms below `engine.cuda` are imported where a device is asked for: on other machines there may be no numba.cuda.
ON_A_DEVICE = "engine.cuda"

ROOT_MODULES = 12
LINES = 400
LONG = {
    "results": "the face of a fit: what users read stands there method by method, and nothing is computed",
    "engine.batches": "an epoch, kernel by kernel, each inlined into the next",
}

PANDAS = {
    "applications", "assessment", "cli", "cluster", "datasets", "effects", "export", "formula", "inference", "insight", "io",
    "likelihood",
    "plots", "results", "selection", "sklearn", "study", "summary", "survival", "training.validation",
}  # fmt: skip


# circles and ranks ------------------------------------------------------------------------------------------


def test_every_room_has_a_rank():
    found = {rooms.room_of(module) for module in MODULES}
    assert found == set(RANK)


@pytest.mark.parametrize("module", MODULES)
def test_imports_go_down_the_ranks(module):
    room = rooms.room_of(module)
    wrong = [
        f"line {one.line}: {one.name}"
        for one in rooms.imports_of(module)
        if one.target and rooms.room_of(one.target) != room and RANK[rooms.room_of(one.target)] >= RANK[room]
    ]
    assert not wrong, f"{module} may not import from above: {'; '.join(wrong)}"


def test_circles_are_of_two_modules_of_one_room():
    found = rooms.circles(rooms.graph(TOP, FUNCTION))
    assert not [c for c in found if len(c) > 2 or len(set(map(rooms.room_of, c))) > 1]


def test_no_circle_when_modules_are_imported():
    assert rooms.circles(rooms.graph(TOP)) == []


# size -------------------------------------------------------------------------------------------------------


def test_few_modules_lie_beside_the_rooms():
    beside = sorted(path.name for path in PACKAGE.glob("*.py"))
    assert len(beside) <= ROOT_MODULES, beside


def _without_examples(text: str) -> int:
    """Lines of a module, those of the examples that end its docstrings left out."""
    documented = (ast.Module, ast.ClassDef, ast.FunctionDef, ast.AsyncFunctionDef)
    found = [ast.get_docstring(node, clean=False) or "" for node in ast.walk(ast.parse(text)) if isinstance(node, documented)]
    examples = [re.search(r"(?ms)^ *\n *Examples\n *-{8}\n.*", docstring) for docstring in found]
    return len(text.splitlines()) - sum(len(match[0].splitlines()) for match in examples if match)


def test_examples_do_not_count_as_lines():
    assert _without_examples('def f():\n    """What.\n\n    Examples\n    --------\n    >>> f()\n    """\n    return 1') == 3


def test_modules_are_short():
    lines = {module: _without_examples(path.read_text()) for module, path in rooms.modules().items()}
    long = {module: n for module, n in lines.items() if n > LINES}
    assert set(long) <= set(LONG), long
    assert len(LONG) <= 2


# imports inside functions -----------------------------------------------------------------------------------


def heavy(name: str) -> str | None:
    """The entry of HEAVY that an import asks for."""
    fitting = [entry for entry in HEAVY if name == entry or name.startswith(f"{entry}.")]
    return max(fitting, key=len, default=None)


def _with_parents() -> dict[str, set[str]]:
    """Module-level imports; a module brings the packages that it lies in."""
    edges = rooms.graph(TOP)
    for module in edges:
        parent = module.rpartition(".")[0]
        if parent:
            edges[module].add(parent)
    return edges


LOADED = _with_parents()


@cache
def loads(module: str) -> set[str]:
    """What heavy packages come with the import of a module."""
    reached = rooms.closure(LOADED, module)
    found = (heavy(one.name) for one in rooms.imports() if one.source in reached and one.where == TOP)
    return {name for name in found if name is not None}


def is_justified(one: rooms.Import) -> bool:
    """Whether an import inside a function spares the import of its module something heavy."""
    if (one.source, one.target or one.name) in INSIDE_FUNCTIONS or f"{one.target}.".startswith(f"{ON_A_DEVICE}."):
        return True
    if one.target is None:
        return heavy(one.name) not in (None, *loads(one.source))
    return not loads(one.target) <= loads(one.source)


@pytest.mark.parametrize("module", MODULES)
def test_imports_stand_at_the_top(module):
    """Inside functions only what is heavy, or may be missing, and is not loaded with the module anyway."""
    wrong = [
        f"line {one.line}: {one.name}"
        for one in rooms.imports_of(module)
        if one.where == FUNCTION and not is_justified(one)
    ]
    assert not wrong, f"{module}: {'; '.join(wrong)}"


def test_the_list_of_exceptions_is_not_longer_than_it_must_be():
    found = {(one.source, one.target or one.name) for one in rooms.imports() if one.where == FUNCTION}
    assert set(INSIDE_FUNCTIONS) <= found


# what rooms may know ----------------------------------------------------------------------------------------


@pytest.mark.parametrize("module", MODULES)
def test_pandas_only_where_users_tables_come_in_or_go_out(module):
    if module in PANDAS or rooms.room_of(module) in PANDAS:
        return
    assert not [one.name for one in rooms.imports_of(module) if one.name.split(".")[0] == "pandas"]


def test_only_the_engine_knows_a_device():
    knowing = {one.source for one in rooms.imports() if f"{one.name}.".startswith(("numba.cuda.", "cuda.", "cupy."))}
    assert {rooms.room_of(module) for module in knowing} == {"engine"}


def test_the_rules_see_relative_imports_and_functions():
    found = {(i.name, i.target, i.where) for i in rooms.imports_of("engine.cuda.layer_kinds")}
    assert ("neuralstat.layers.conv.conv2d_forward", "layers.conv", TOP) in found
    assert ("neuralstat.jit.compile.jit", "jit.compile", TOP) in found
    found = {(i.name, i.target, i.where) for i in rooms.imports_of("plots.style")}
    assert ("matplotlib.patheffects.Stroke", None, FUNCTION) in found
    assert rooms.circles({"a": {"b"}, "b": {"c"}, "c": {"a", "d"}, "d": set()}) == [["a", "b", "c"]]


def test_the_table_of_rooms_has_every_room():
    """CONTRIBUTING.md lists rooms by rank, and its picture is drawn from the same ranks."""
    text = (ROOT / "CONTRIBUTING.md").read_text()
    table = re.search(r"^\| rank \|.*?\n\n", text, re.M | re.S)
    assert table is not None
    rows = [line.split("|")[1:3] for line in table[0].strip().splitlines()[2:]]
    named = [set(re.findall(r"`(\w+)`", room)) for _, room in rows]
    assert named == [set(rank) for rank in rooms.RANKS]


# light imports ----------------------------------------------------------------------------------------------

NOT_AT_ONCE = ("matplotlib", "formulaic", "statsmodels", "scipy.stats", "sympy", "pandas", "numba", "sklearn", "torch")
LISTS = "print(*[m for m in sys.argv[1:] if m in sys.modules])"


def loaded_by(code: str, names: tuple[str, ...]) -> list[str]:
    """Of these modules, those that are there once the code has run."""
    command = [sys.executable, "-c", f"{code}; {LISTS}", *names]
    return subprocess.run(command, capture_output=True, text=True, check=True, cwd=PACKAGE.parent).stdout.split()


def test_import_is_light():
    assert loaded_by("import sys, neuralstat", NOT_AT_ONCE) == []


def test_training_needs_no_heavy_imports():
    """What a fit of arrays needs: neither tables nor formulas nor pictures."""
    names = tuple(name for name in NOT_AT_ONCE if name != "numba")
    assert loaded_by("import sys, neuralstat.training.train, neuralstat.network.network", names) == []
