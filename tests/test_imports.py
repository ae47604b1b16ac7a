"""Imports run one way, and `import neuralstat` stays light."""

from __future__ import annotations

import ast
import subprocess
import sys
from pathlib import Path

import pytest

import neuralstat

PACKAGE = Path(neuralstat.__file__).parent

# What a module (or everything in a folder) may import from the package, wherever it says so. Folders and
# modules are named by their first part below the package.
KERNELS = {"engine", "layers", "activations", "losses", "penalties", "optimizers", "errors"}
ALLOWED = {
    "errors": set(),
    "engine": KERNELS,
    "layers": KERNELS,
    "activations": KERNELS,
    "losses": KERNELS,
    "penalties": KERNELS | {"arrays"},
    "optimizers": KERNELS | {"schedules"},
    "schedules": {"errors", "settings"},
    "network": KERNELS | {"custom", "arrays"},
    "arrays": KERNELS,
    "steppers": KERNELS | {"network"},
    "train": KERNELS | {"network", "steppers", "stopping"},
    "canonical": set(),
}
# What may not be imported from below.
FORBIDDEN = {
    "formula": {"api", "results", "train", "network", "engine", "plots", "summary", "inference"},
    "results": {"api", "cli"},
    "inference": {"api", "cli", "plots", "summary"},
    "plots": {"api", "cli"},
    "summary": {"api", "cli"},
    "custom": {"api", "results", "train", "formula", "cli"},
    "symbolic": {"api", "results", "train", "formula", "cli", "network"},
}
PANDAS = {"formula", "rcompat", "criteria", "results", "io", "predictions", "summary", "tables", "datasets", "sklearn",
          "cli", "plots", "inference", "warmup", "minibatch", "study", "risks", "applications",
          "layered", "effects", "insight"}  # fmt: skip
PANDAS_PREFIXES = ("io_", "cli_")


def part_of(path: Path) -> str:
    return path.relative_to(PACKAGE).parts[0].removesuffix(".py")


def imports(path: Path):
    """(module, first part below the package or None) of every import, not those for type checkers only."""
    package = ("neuralstat", *path.relative_to(PACKAGE).parts[:-1])
    tree = ast.parse(path.read_text())
    unseen = {
        id(inner) for node in ast.walk(tree) if isinstance(node, ast.If) and "TYPE_CHECKING" in ast.dump(node.test)
        for statement in node.body for inner in ast.walk(statement)
    }  # fmt: skip
    for node in ast.walk(tree):
        if id(node) in unseen:
            continue
        if isinstance(node, ast.Import):
            names = [alias.name for alias in node.names]
        elif isinstance(node, ast.ImportFrom):
            base = ".".join([*package[: len(package) - node.level + 1], *filter(None, [node.module])]) if node.level \
                else node.module  # fmt: skip
            names = [f"{base}.{alias.name}" for alias in node.names]
        else:
            continue
        for name in names:
            parts = name.split(".")
            yield name, parts[1] if parts[0] == "neuralstat" and len(parts) > 1 else None


SOURCES = [path for path in sorted(PACKAGE.rglob("*.py")) if path.name != "__init__.py" or path.parent != PACKAGE]


@pytest.mark.parametrize("path", SOURCES, ids=lambda path: str(path.relative_to(PACKAGE)))
def test_imports_run_one_way(path):
    part = part_of(path)
    modules = {p.removesuffix(".py") for p in (child.name for child in PACKAGE.iterdir())}
    for name, inside in imports(path):
        if inside is None or inside not in modules or inside == part:
            continue
        if part in ALLOWED:
            assert inside in ALLOWED[part], f"{path.name} may not import {name}"
        assert inside not in FORBIDDEN.get(part, set()), f"{path.name} may not import {name}"


@pytest.mark.parametrize("path", SOURCES, ids=lambda path: str(path.relative_to(PACKAGE)))
def test_pandas_only_where_users_tables_come_in_or_go_out(path):
    part = part_of(path)
    if part in PANDAS or part.startswith(PANDAS_PREFIXES):
        return
    assert not [name for name, _ in imports(path) if name.split(".")[0] == "pandas"]


def test_only_the_engine_knows_a_device():
    for path in SOURCES:
        if part_of(path) != "engine":
            assert not [name for name, _ in imports(path) if name.startswith(("numba.cuda", "cupy"))], path


def test_the_rule_sees_relative_imports():
    found = dict(imports(PACKAGE / "engine" / "families.py"))
    assert found["neuralstat.layers.conv.conv2d_forward"] == "layers"
    assert found["neuralstat.engine.compile.jit"] == "engine"


HEAVY = (
    "matplotlib",
    "formulaic",
    "statsmodels",
    "scipy.stats",
    "sympy",
    "pandas",
    "numba",
    "sklearn",
    "torch",
)


def test_import_is_light():
    code = "import sys, neuralstat; print(*[m for m in sys.argv[1:] if m in sys.modules])"
    done = subprocess.run([sys.executable, "-c", code, *HEAVY], capture_output=True, text=True, check=True,
                          cwd=PACKAGE.parent)  # fmt: skip
    assert done.stdout.split() == []


def test_training_needs_no_heavy_imports():
    """What a fit of arrays needs: neither tables nor formulas nor pictures."""
    code = "import sys, neuralstat.train, neuralstat.network; print(*[m for m in sys.argv[1:] if m in sys.modules])"
    heavy = [name for name in HEAVY if name != "numba"]
    done = subprocess.run([sys.executable, "-c", code, *heavy], capture_output=True, text=True, check=True,
                          cwd=PACKAGE.parent)  # fmt: skip
    assert done.stdout.split() == []
