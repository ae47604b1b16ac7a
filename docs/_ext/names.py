"""Every public name: where its documentation is, whether it has an example, which guides speak of it.

``python docs/_ext/names.py`` prints the counts, with ``--write`` it also writes the lists of what names still lack
(``tests/docs``); the site has the table on the page "All names".
"""

from __future__ import annotations

import csv
import functools
import importlib
import inspect
import io
import re
import sys
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

DOCS = Path(__file__).parents[1]
ROOT = DOCS.parent
PACKAGE = "neuralstat"
MODULES = (
    "layers", "schedules", "optimizers", "families", "datasets", "applications", "augment", "insight", "plots", "study",
    "weights", "sklearn", "errors",
)  # fmt: skip
CALLABLE_MODULES = ("study",)
RESULTS = "NeuralNetResults"
METHODS = (RESULTS, "NeuralNet")
# What functions give back, by the class that it is.
RETURNED = (
    "assessment.value.Risk", "assessment.value.Interval", "selection.select.Selection", "inference.get_prediction.Prediction",
    "inference.influence.Influence", "inference.likelihood_influence.LikelihoodInfluence",
    "inference.distribution.Distribution", "inference.intervals.ConfidenceInterval", "inference.nested.Comparison",
    "inference.nested.AnovaTable", "inference.nonlinearity.NonlinearityTest", "inference.wald.TermTests",
    "inference.predict.ComputeResult", "assessment.brier.BrierScore", "assessment.concordance.Concordance",
    "survival.kaplan_meier.KaplanMeier", "summary.summary.Summary", "export.tables.Estimates",
)  # fmt: skip
# Public classes that are looked at, and so have their members on their page.
WITH_MEMBERS = (
    "DegreesOfFreedom", "study.StudyResult", "weights.WeightFile", "insight.Attack", "insight.Maximised", "datasets.Truth",
    "applications.Application", "applications.KerasModel", "sklearn.NeuralNetRegressor", "sklearn.NeuralNetClassifier",
)  # fmt: skip
# Public to other rooms of the package, not to users.
INTERNAL = {
    "families.DISTRIBUTIONS", "families.FAMILIES", "families.family_from_json", "families.needs", "families.resolve_family",
    "families.resolve_link", "families.resolve_objective", "study.resolve_models", "errors.caller", "errors.Any",
    "augment.change_rows", "applications.MEANS",
}  # fmt: skip
GUIDES = ("tutorials", "howto", "coming_from", "explanation", "gallery", "vignettes")
NO_GUIDES = ("benchmarks.md", "changelog.md", "contributing.md", "more.md", "security.md")


@dataclass(frozen=True)
class Name:
    """A public name, as users write it after ``neuralstat.``."""

    path: str
    kind: str
    target: Any
    alias: str = ""

    @property
    def docstring(self) -> str:
        """Its own documentation, none where it is inherited from Python."""
        target = self.target.fget if isinstance(self.target, property) else self.target
        return inspect.getdoc(target) or ""

    @property
    def has_example(self) -> bool:
        """Whether the documentation has a line that is executed."""
        return any(re.match(r"\s*>>> ", line) and "+SKIP" not in line for line in self.docstring.splitlines())


def _module_names(name: str) -> list[str]:
    module = importlib.import_module(f"{PACKAGE}.{name}")
    listed = getattr(module, "__all__", None)
    if listed is None:
        own = {k: v for k, v in vars(module).items() if inspect.isclass(v) or inspect.isroutine(v)}
        listed = [k for k, v in own.items() if v.__module__ == module.__name__ and not k.startswith("_")]
    return sorted(set(listed))


def _kind(target: Any) -> str:
    if inspect.ismodule(target):
        return "module"
    if inspect.isclass(target):
        return "class"
    if isinstance(target, property):
        return "attribute"
    return "function" if inspect.isroutine(target) or callable(target) else "data"


def public_names() -> list[Name]:
    """All of them, sorted by path; where two are one thing, the second is an alias of the first."""
    package = importlib.import_module(PACKAGE)
    found: dict[str, Any] = {}
    for name in package.__all__:
        target = getattr(package, name)
        if not inspect.ismodule(target) or name in CALLABLE_MODULES:
            found[name] = target
    for module in MODULES:
        for name in _module_names(module):
            found[f"{module}.{name}"] = getattr(importlib.import_module(f"{PACKAGE}.{module}"), name)
    for owner in METHODS:
        kind = getattr(package, owner)
        for name in dir(kind):
            if not name.startswith("_"):
                found[f"{owner}.{name}"] = inspect.getattr_static(kind, name)
    for path in RETURNED:
        module, _, name = path.rpartition(".")
        found[path] = getattr(importlib.import_module(f"{PACKAGE}.{module}"), name)
    shared: dict[int, list[str]] = {}
    for path, target in found.items():
        if inspect.isclass(target) or inspect.isroutine(target):
            shared.setdefault(id(target), []).append(path)
    names = []
    for path, target in found.items():
        if path in INTERNAL:
            continue
        same = shared.get(id(target), [path])
        own = min(same, key=lambda p: (p.rpartition(".")[2] != target.__name__, p.count("."))) if len(same) > 1 else path
        if path in CALLABLE_MODULES:
            own, target = f"{path}.{path}", getattr(target, path)
        if isinstance(target, (classmethod, staticmethod)):
            target = target.__func__
        names.append(Name(path, _kind(target), target, own if own != path else ""))
    return sorted(names, key=lambda n: n.path.lower())


def members() -> dict[str, list[tuple[str, str]]]:
    """What the pages of classes that functions return list: full name -> directives and names of members."""
    package, found = importlib.import_module(PACKAGE), {}
    for path in (*RETURNED, *WITH_MEMBERS):
        module, _, name = path.rpartition(".")
        kind = getattr(importlib.import_module(f"{PACKAGE}.{module}") if module else package, name)
        own = [
            (member, inspect.getattr_static(kind, member))
            for owner in reversed(kind.__mro__)
            if owner.__module__.startswith(PACKAGE)
            for member in vars(owner)
            if not member.startswith("_") and not re.fullmatch(r"set_\w+_request", member)
        ]
        said = set(re.findall(r"(?m)^([\w, ]+?) : ", inspect.getdoc(kind) or ""))
        said = {name.strip() for names in said for name in names.split(",")}  # in the docstring's list of attributes
        named = {m: "autoattribute" if isinstance(v, property) else "automethod" for m, v in own
                 if isinstance(v, property) or inspect.isroutine(v) or isinstance(v, (classmethod, staticmethod))}
        found[f"{PACKAGE}.{path}"] = [
            (directive, member) for member, directive in named.items() if directive == "automethod" or member not in said
        ]
    return found


@functools.cache
def pages_of_reference() -> dict[str, str]:
    """Path of a name -> page of the reference that lists it."""
    found = {}
    for page in sorted((DOCS / "reference").glob("*.rst")):
        inside = False
        for line in page.read_text(encoding="utf-8").splitlines():
            if re.match(r"\s*\.\. autosummary::", line):
                inside = True
            elif line.strip() and not line.startswith(" "):
                inside = False
            elif inside and re.fullmatch(r"\s+~?[\w.]+", line):
                found[line.strip().lstrip("~")] = page.stem
    return found


def code_of(text: str, python: bool = False) -> str:
    """The code of a page: its fences, and what stands between backticks; of a script all but its comments."""
    if python:
        prose = "\n".join(line[1:] for line in text.splitlines() if line.startswith("#"))
        prose += "\n".join(re.findall(r'(?s)\A"""(.*?)"""', text))
        code = re.sub(r'(?s)\A""".*?"""', "", re.sub(r"(?m)^#.*$", "", text))
    else:
        fence = r"(?ms)^(`{3,})(?:\{code-cell\}|\w*$)[^\n]*\n(.*?)^\1$"
        code = "\n".join(body for _, body in re.findall(fence, text))
        prose = re.sub(r"(?m)^(?:`{3,}|:{3,}).*$", "", re.sub(fence, "", text))
    return code + "\n" + "\n".join(re.findall(r"``[^`]+``|`[^`]+`", prose))


def guides() -> dict[str, str]:
    """Page -> its code, of what is not reference."""
    files = [path for folder in GUIDES for path in sorted((DOCS / folder).glob("*.md"))]
    files += sorted((DOCS / "plots").rglob("*.py"))
    files += [path for path in sorted((ROOT / "vignettes").glob("*.py")) if path.name != "render.py"]
    files += [page for page in sorted(DOCS.glob("*.md")) if page.name not in NO_GUIDES]
    return {
        f"{path.parent.name}/{path.stem}": code_of(path.read_text(encoding="utf-8"), path.suffix == ".py") for path in files
    }


def mentions(name: Name, texts: dict[str, str]) -> list[str]:
    """Guides whose code has a name: a word of prose, such as "add" or "average", is none."""
    last = name.path.rpartition(".")[2]
    if name.path.startswith(METHODS):
        pattern = rf"\.{last}\b"
    elif name.path.startswith(("layers.", "families.", "schedules.", "errors.", "optimizers.", "sklearn.")):
        pattern = rf"\b{last}\b"
    else:
        pattern = rf"\b{re.escape(name.path)}\b"
    return [page for page, text in texts.items() if last in text and re.search(pattern, text)]


def without_example(names: list[Name]) -> set[str]:
    """Paths of names that have none."""
    return {name.path for name in names if not name.has_example and not name.alias}


def in_no_guide(names: list[Name]) -> set[str]:
    """Paths of names of which no guide speaks."""
    texts = guides()
    return {name.path for name in names if not name.alias and not mentions(name, texts)}


def table() -> list[dict[str, str]]:
    """A row per name."""
    pages, texts = pages_of_reference(), guides()
    return [
        {
            "name": name.path,
            "kind": f"alias of {name.alias}" if name.alias else name.kind,
            "reference": pages.get(name.alias or name.path, ""),
            "documented": "yes" if name.docstring else "no",
            "example": "yes" if name.has_example else "no",
            "guides": ", ".join(mentions(replace(name, path=name.alias or name.path), texts)),
        }
        for name in public_names()
    ]


def counts(rows: list[dict[str, str]]) -> dict[str, int]:
    """How many names there are, and how many lack what."""
    return {
        "names": len(rows),
        "on no page of the reference": sum(not row["reference"] for row in rows),
        "not documented": sum(row["documented"] == "no" for row in rows),
        "without an example": sum(row["example"] == "no" for row in rows),
        "in no guide": sum(not row["guides"] for row in rows),
    }


def _linked(pages: list[str], most: int = 3) -> str:
    """Links to the first of some pages."""
    shown = []
    for page in pages[:most]:
        folder, _, stem = page.rpartition("/")
        place = f"gallery/{folder}" if folder[:1].isdigit() else "" if folder == "docs" else folder
        title = re.sub(r"^plot_\d+_", "", stem).replace("_", " ")
        shown.append(f":doc:`{title} <{'/' + place if place else ''}/{stem}>`")
    return ", ".join(shown) + (f" and {len(pages) - most} more" if len(pages) > most else "")


def write(app: Any) -> None:
    """The table and the counts as files that the page "All names" includes."""
    rows, target = table(), Path(app.srcdir) / "reference" / "names.csv"
    lines = [list(rows[0])]
    stub = "generated/" + PACKAGE
    for row in rows:
        shown = f"`{row['name']}`" if row["kind"].startswith("alias") else f":doc:`{row['name']} <{stub}.{row['name']}>`"
        page = f":doc:`{row['reference']} <{row['reference']}>`" if row["reference"] else "none"
        some = _linked(row["guides"].split(", ") if row["guides"] else [])
        lines.append([shown if row["reference"] else row["name"], row["kind"], page, row["documented"], row["example"], some])
    found = counts(rows)
    lines.append(["all: " + str(found["names"]), "", *(f"lacking: {found[key]}" for key in list(found)[1:])])
    _write(target, lines)


def _write(target: Path, lines: list[list[str]]) -> None:
    text = io.StringIO()
    csv.writer(text, lineterminator="\n").writerows(lines)
    if not target.exists() or target.read_text(encoding="utf-8") != text.getvalue():
        target.write_text(text.getvalue(), encoding="utf-8")


def setup(app: Any) -> dict[str, bool]:
    """For Sphinx."""
    app.connect("builder-inited", write)
    return {"parallel_read_safe": True, "parallel_write_safe": True}


def _main() -> None:
    found = table()
    for row in found:
        if not row["reference"]:
            sys.stdout.write(f"on no page: {row['name']}\n")
    sys.stdout.write(f"{counts(found)}\n")
    if "--write" in sys.argv:
        names, folder = public_names(), ROOT / "tests" / "docs"
        for file, lacking in (("without_example", without_example(names)), ("in_no_guide", in_no_guide(names))):
            target = folder / f"{file}.txt"
            left = lacking & set(target.read_text(encoding="utf-8").split())  # a list only becomes shorter
            target.write_text("\n".join(sorted(left)) + "\n", encoding="utf-8")


if __name__ == "__main__":
    sys.path.insert(0, str(ROOT))
    _main()
