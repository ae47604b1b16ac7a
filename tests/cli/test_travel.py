"""Compiled kernels travel to machines of their kind alone, are used there, and hostile zips write nothing."""

from __future__ import annotations

import hashlib
import json
import os
import shutil
import stat
import zipfile
from pathlib import Path

import numba
import pytest
from processes import run_python

from neuralstat.cli import main, travel
from neuralstat.errors import ArgumentError, FileFormatError
from neuralstat.jit import cache
from neuralstat.jit.compile import PLAIN

pytestmark = pytest.mark.skipif(PLAIN or bool(numba.config.DISABLE_JIT), reason="no compiled kernels are kept")

COUNT = """
import sys
from numba.core import event
from neuralstat.cli import travel
with event.install_recorder("numba:compile") as compiled:
    {work}
print(len(compiled.buffer), {after})
"""
KERNEL = """import numpy as np
    from neuralstat.functions.activation_calls import activation_values
    from neuralstat.functions.activations import ACTIVATIONS
    value = np.array([[0.5]])
    activation_values(ACTIVATIONS["tanh"].code, 0.0, 0, value, np.empty_like(value))
    assert abs(value[0, 0] - np.tanh(0.5)) < 1e-15"""
FIT = """import neuralstat as ns
    d = ns.datasets.doppler(n=50, random_state=1)
    fit = ns.neuralnet("y ~ x", d, hidden=2, threshold=1, random_state=1, n_jobs=1)
    fit.predict()"""


def counted(folder: Path, work: str, after: str = "0", **changes: str) -> list[str]:
    """Compilations of the work in a process of its own, and what comes after."""
    package = changes.get("PYTHONPATH", str(cache.PACKAGE.parent))
    first = f"import sys; sys.path.insert(0, {package!r})"  # before the working folder
    code = first + COUNT.format(work=work, after=after)
    done = run_python(code, NEURALSTAT_CACHE_DIR=str(folder), **changes)
    assert done.returncode == 0, done.stderr
    return done.stdout.split()


def copied(target: Path) -> dict[str, str]:
    """A copy of the package at another place, with other times; the variables of a process that imports it."""
    ignore = shutil.ignore_patterns("__pycache__")
    shutil.copytree(cache.PACKAGE, target / "neuralstat", ignore=ignore, copy_function=shutil.copy)
    for path in target.rglob("*.py"):
        os.utime(path, (10**9, 10**9))
    return {"PYTHONPATH": str(target)}


def used_elsewhere(work: str, tmp_path: Path) -> None:
    """What one folder exports, processes with another folder, and with another copy of the package, do not compile."""
    file = tmp_path / "kernels.zip"
    compiled, kernels = counted(tmp_path / "a", work, f"travel.export({str(file)!r})[0]")
    assert int(compiled) > 0 and int(kernels) > 0
    elsewhere = copied(tmp_path / "other")
    for folder, changes in (("b", {}), ("c", elsewhere)):
        there = tmp_path / folder
        taken = counted(there, f"n = travel.take({str(file)!r})", "n, travel.__file__", **changes)
        assert int(taken[1]) >= 2 and taken[2].startswith(changes.get("PYTHONPATH", str(cache.PACKAGE)))
        before = {path.name: path.stat().st_mtime_ns for path in there.rglob("*.nb?")}
        assert counted(there, work, **changes)[0] == "0"
        assert {path.name: path.stat().st_mtime_ns for path in there.rglob("*.nb?")} == before


def test_an_imported_kernel_is_not_compiled(tmp_path):
    used_elsewhere(KERNEL, tmp_path)


@pytest.mark.slow
def test_an_imported_fit_compiles_nothing(tmp_path):
    used_elsewhere(FIT, tmp_path)


@pytest.mark.slow
def test_what_is_there_is_kept_beside_what_is_imported(tmp_path):
    """A float32 kernel of one folder and a float64 kernel of another are both used after an import; damage is recompiled."""
    file, single = tmp_path / "kernels.zip", KERNEL.replace("[[0.5]]", "[[0.5]], 'float32'").replace("1e-15", "1e-7")
    counted(tmp_path / "a", KERNEL, f"travel.export({str(file)!r})[0]")
    here = tmp_path / "b"
    assert counted(here, single)[0] != "0"
    counted(here, f"travel.take({str(file)!r})")
    assert [counted(here, work)[0] for work in (KERNEL, single)] == ["0", "0"]
    (data,) = here.rglob("*.imported-*.nbc")
    data.write_bytes(data.read_bytes()[:-1])
    assert counted(here, KERNEL)[0] != "0"
    assert [counted(here, work)[0] for work in (KERNEL, single)] == ["0", "0"]


# zips that are made up --------------------------------------------------------------------------------------


@pytest.fixture
def folder(tmp_path, monkeypatch):
    there = tmp_path / "cache"
    there.mkdir()
    monkeypatch.setattr(travel, "cache_folder", lambda: there)
    return there


def named(text: bytes, base: str = "activations.f-1.py311", ending: str = "nbc") -> str:
    return f"{base}.imported-{cache.source_hash()[:12]}-{hashlib.sha256(text).hexdigest()[:32]}.{ending}"


BODY = b"body of no kernel"
WHOLE = hashlib.sha256(BODY).digest() + BODY


def write(path: Path, members: dict, manifest: dict | None = None, **changes) -> Path:
    files = {name: {"bytes": len(text), "sha256": hashlib.sha256(text).hexdigest()} for name, text in members.items()}
    document = {"format": travel.FORMAT, **travel.here(), "files": files, **changes} if manifest is None else manifest
    with zipfile.ZipFile(path, "w") as archive:
        for name, text in members.items():
            archive.writestr(name, text)
        archive.writestr(travel.MANIFEST, json.dumps(document))
    return path


def empty(folder: Path) -> bool:
    return not list(folder.iterdir()) and [path.name for path in folder.parent.iterdir() if path.name != "k.zip"] == ["cache"]


def test_a_zip_made_up_well_is_taken(tmp_path, folder):
    name = named(WHOLE)
    (folder / named(WHOLE).replace(cache.source_hash()[:12], "0" * 12)).write_bytes(WHOLE)  # of sources that are gone
    (folder / "own.nbc").write_bytes(b"")
    assert travel.take(str(write(tmp_path / "k.zip", {name: WHOLE}))) == 1
    assert sorted(path.name for path in folder.iterdir()) == sorted([name, "own.nbc"])
    assert (folder / name).read_bytes() == WHOLE


OTHERS = {
    "neuralstat": "0.0.1", "sources": "0" * 64, "python": "cpython 3.9", "numba": "0.1", "llvmlite": "0.2", "numpy": "1.0",
    "system": "Plan9", "machine": "vax", "triple": "vax-dec-vms", "processor": "z80",
}  # fmt: skip


@pytest.mark.parametrize("name", OTHERS)
def test_what_differs_is_named(name, tmp_path, folder):
    file = write(tmp_path / "k.zip", {named(WHOLE): WHOLE}, **{name: OTHERS[name]})
    with pytest.raises(ArgumentError, match="cannot run here") as raised:
        travel.take(str(file))
    said = str(raised.value)
    assert ("other sources" if name == "sources" else repr(OTHERS[name])) in said
    assert said.count(";") == 0 and empty(folder)


def test_features_are_compared_by_name(tmp_path, folder):
    ours = travel.here()["features"].split(",")
    had = next(one for one in ours if one.startswith("+"))
    for theirs, words in (
        ([*ours, "+flying", "+swimming"], "features that this processor lacks: flying, swimming"),
        ([one for one in ours if one != had], f"were not compiled for: {had[1:]}"),
        ([*ours, "-flying"], "another LLVM"),
    ):
        file = write(tmp_path / "k.zip", {named(WHOLE): WHOLE}, features=",".join(theirs))
        with pytest.raises(ArgumentError, match=words):
            travel.take(str(file))
    assert empty(folder)


@pytest.mark.parametrize("name", [
    "../evil.nbc", "/tmp/evil.nbc", "evil.nbc", "a/b.nbc", "..\\evil.nbc", f"../{named(WHOLE)}", f"x/{named(WHOLE)}",
    named(WHOLE) + ".py", named(WHOLE, "-x"), named(WHOLE, "..x"), named(WHOLE, "C:x"), named(WHOLE, "x" * 300),
    "sitecustomize.py",
])  # fmt: skip
def test_other_names_are_refused(name, tmp_path, folder):
    with pytest.raises(FileFormatError, match="no name of a kernel's file"):
        travel.take(str(write(tmp_path / "k.zip", {named(WHOLE): WHOLE, name: WHOLE})))
    assert empty(folder)


def test_links_are_refused(tmp_path, folder):
    for kind in (stat.S_IFLNK, stat.S_IFIFO, stat.S_IFDIR):
        file = write(tmp_path / "k.zip", {})
        member = zipfile.ZipInfo(named(WHOLE))
        member.external_attr = (kind | 0o777) << 16
        with zipfile.ZipFile(file, "a") as archive:
            archive.writestr(member, WHOLE)
        with pytest.raises(FileFormatError, match="link or no regular file"):
            travel.take(str(file))
    assert empty(folder)


def test_sizes_are_bounded(tmp_path, folder, monkeypatch):
    file = write(tmp_path / "k.zip", {named(WHOLE): WHOLE, named(WHOLE, "b"): WHOLE})
    for limit, most, words in (
        ("FILE_BYTES", 48, "claims 49 bytes"), ("MANIFEST_BYTES", 48, "'manifest.json' claims"),
        ("ALL_BYTES", 48, "claim more than 48"), ("FILES", 2, "3 members, more than 2"),
    ):  # fmt: skip
        with monkeypatch.context() as patch:
            patch.setattr(travel, limit, most)
            with pytest.raises(FileFormatError, match=words):
                travel.take(str(file))
    assert empty(folder)


def test_a_member_that_claims_less_than_it_holds(tmp_path, folder):
    file = tmp_path / "k.zip"
    name, bomb = named(WHOLE), bytes(10**7)
    files = {name: {"bytes": 10**7, "sha256": hashlib.sha256(bomb).hexdigest()}}
    with zipfile.ZipFile(file, "w", zipfile.ZIP_DEFLATED) as archive:
        archive.writestr(name, bomb)
        archive.writestr(travel.MANIFEST, json.dumps({"format": travel.FORMAT, **travel.here(), "files": files}))
    text = file.read_bytes()
    assert text.count((10**7).to_bytes(4, "little")) == 2
    file.write_bytes(text.replace((10**7).to_bytes(4, "little"), (100).to_bytes(4, "little")))
    with pytest.raises(FileFormatError):
        travel.take(str(file))
    assert empty(folder)


def test_damage_writes_nothing(tmp_path, folder):
    good = named(WHOLE)
    file, cut = tmp_path / "k.zip", hashlib.sha256(BODY).digest() + BODY[:-1]
    digest = hashlib.sha256(WHOLE).hexdigest()
    cases = {
        "its own digest": ({named(cut): cut}, {}),
        "content of another name": ({good: WHOLE + b"x"}, {}),
        "a size of the manifest": ({good: WHOLE}, {"files": {good: {"bytes": 1, "sha256": digest}}}),
        "no size": ({good: WHOLE}, {"files": {good: 3}}),
        "a member less": ({good: WHOLE}, {"files": {}}),
        "no files": ({good: WHOLE}, {"files": None}),
        "another format": ({good: WHOLE}, {"format": "x"}),
        "no processor": ({good: WHOLE}, {"processor": 3}),
    }
    for case, (members, changes) in cases.items():
        write(file, {**members, named(WHOLE, "a"): WHOLE} if "digest" in case else members, **changes)
        with pytest.raises(FileFormatError):
            travel.take(str(file))
        assert empty(folder), case
    whole = write(file, {good: WHOLE}).read_bytes()
    for text in (b"", b"no zip", whole[: len(whole) // 2], whole.replace(BODY, BODY[::-1])):
        file.write_bytes(text)
        with pytest.raises(FileFormatError):
            travel.take(str(file))
        assert empty(folder)
    with zipfile.ZipFile(file, "w") as archive, pytest.warns(UserWarning, match="Duplicate"):
        archive.writestr(good, WHOLE)
        archive.writestr(good, WHOLE)
    with pytest.raises(FileFormatError, match="same name"):
        travel.take(str(file))


def test_the_command(tmp_path, folder, capsys):
    file = tmp_path / "k.zip"
    assert main(["warmup", "--import", str(file)]) == 1
    assert "there is no file" in capsys.readouterr().err
    write(file, {named(WHOLE): WHOLE}, machine="vax")
    assert main(["warmup", "--import", str(file)]) == 1
    assert "machine: 'vax' there" in capsys.readouterr().err
    write(file, {named(WHOLE): WHOLE})
    assert main(["warmup", "--import", str(file)]) == 0
    assert capsys.readouterr().out.startswith("1 new files")
    assert main(["warmup", "--import", str(file)]) == 0
    assert capsys.readouterr().out.startswith("0 new files")  # all there already
    assert main(["warmup", "--export", str(tmp_path / "none" / "k.zip")]) == 1
    assert "there is no folder" in capsys.readouterr().err


def test_nothing_to_export_leaves_the_file(tmp_path, folder):
    file = tmp_path / "k.zip"
    file.write_bytes(b"what there was")
    with pytest.raises(ArgumentError, match="nothing to export"):
        travel.export(str(file))
    assert file.read_bytes() == b"what there was"
