"""Compiled kernels from one machine to another of its kind: a zip of the cache's folder, with a manifest.

An import copies files of the cache; it neither unpickles nor runs any of them. What numba does with them later is what it
does with those that it wrote itself, hence the rule of SECURITY.md: import from whom you trust.
"""

from __future__ import annotations

import hashlib
import json
import os
import platform
import re
import stat
import sys
import tempfile
import zipfile
from pathlib import Path
from typing import Any, BinaryIO

import llvmlite
import numba
import numpy as np

from .. import __version__
from ..checks.arrays import DAMAGES
from ..checks.files import is_damage, open_regular, parse_json, replacing
from ..errors import ArgumentError, FileFormatError
from ..jit.cache import cache_folder, source_hash
from ..jit.compile import PLAIN

if not PLAIN:  # it builds on what plain numba does without
    from ..jit.disk import IMPORTED, kernel_files, target, whole

FORMAT, MANIFEST = "neuralstat-kernels-1", "manifest.json"
FILES, FILE_BYTES, ALL_BYTES, MANIFEST_BYTES = 20_000, 2**26, 2**30, 2**23  # more are refused before they are read
_NAME = re.compile(r"[A-Za-z_][A-Za-z0-9_.-]{0,180}\.imported-(?P<sources>[0-9a-f]{12})-(?P<content>[0-9a-f]{32})\.nb[ci]")
_EPOCH = (1980, 1, 1, 0, 0, 0)
_WORDS = {
    "neuralstat": "version of neuralstat", "sources": "sources of kernels", "python": "Python", "numba": "numba",
    "llvmlite": "llvmlite", "numpy": "numpy", "system": "operating system", "machine": "machine", "triple": "LLVM target",
    "processor": "processor", "features": "features of the processor",
}  # fmt: skip


def here() -> dict[str, str]:
    """What compiled kernels depend on, by name.

    Raises
    ------
    ArgumentError
        Where kernels are compiled with plain numba, which keeps none.
    """
    if PLAIN:
        raise ArgumentError("kernels compiled with plain numba (NEURALSTAT_PLAIN_NUMBA) are not kept, so they cannot travel.")
    triple, processor, features = target()
    return {
        "neuralstat": __version__, "sources": source_hash(),
        "python": f"{sys.implementation.name} {sys.version_info.major}.{sys.version_info.minor}{sys.abiflags}",
        "numba": numba.__version__, "llvmlite": llvmlite.__version__, "numpy": np.__version__,
        "system": platform.system(), "machine": platform.machine(), "triple": triple, "processor": processor,
        "features": ",".join(sorted(features.split(","))),
    }  # fmt: skip


def export(path: str) -> tuple[int, int]:
    """Write the kernels that the cache holds of the present sources and for this processor to a zip.

    Returns
    -------
    tuple of int
        Kernels (one per signature), and bytes of the file.

    Raises
    ------
    ArgumentError
        Where there are none.
    OSError
        Where the file cannot be written.
    """
    told = here()
    folder = _folder()
    mark, kernels = f"{IMPORTED}-{source_hash()[:12]}", 0
    files: dict[str, dict[str, Any]] = {}
    with replacing(Path(path), "export to") as half, zipfile.ZipFile(half, "w", zipfile.ZIP_DEFLATED) as archive:

        def add(base: str, text: bytes, ending: str) -> str:
            digest = hashlib.sha256(text).hexdigest()
            name = f"{base}.{mark}-{digest[:32]}.{ending}"
            if name not in files:
                files[name] = {"bytes": len(text), "sha256": digest}
                _add(archive, name, text)
            return name

        for base, file in kernel_files(folder):
            entries = {key: add(base, (folder / name).read_bytes(), "nbc") for key, name in file.entries().items()}
            if entries:
                add(base, file.pack(entries), "nbi")
            kernels += len(entries)
        if not kernels:
            raise ArgumentError(f"{folder} holds no kernels of this version for this processor: nothing to export.")
        _add(archive, MANIFEST, json.dumps({"format": FORMAT, **told, "files": files}, indent=1).encode())
    return kernels, Path(path).stat().st_size


def take(path: str) -> int:
    """Put the kernels of a zip that `export` wrote into this machine's cache; returns how many files are new.

    Raises
    ------
    ArgumentError
        Where they were compiled by or for something else; the message says what differs. Where no folder is writable.
    FileFormatError
        Where the file is no such zip, or damaged, or holds what does not belong there. Nothing is written then.
    OSError
        Where it cannot be read, or the cache not be written.
    """
    told, folder = here(), _folder()
    with open_regular(Path(path)) as source:
        try:
            return _take(source, path, told, folder)
        except FileFormatError as error:
            raise FileFormatError(f"{path}: {error}") from None
        except ArgumentError:
            raise
        except (OSError, *DAMAGES) as error:
            if isinstance(error, OSError) and not is_damage(error):
                raise
            raise FileFormatError(f"{path} is damaged, or no export of kernels ({error})") from None


def _take(source: BinaryIO, path: str, told: dict[str, str], folder: Path) -> int:
    with zipfile.ZipFile(source) as archive:
        entries = {entry.filename: entry for entry in _checked(archive)}
        files = _manifest(archive, entries, path, told)
        new = [name for name in sorted(files) if not (folder / name).exists()]  # a name tells its content
        with tempfile.TemporaryDirectory(dir=folder, prefix=".import-") as stage:
            for name in new:
                Path(stage, name).write_bytes(_content(archive, entries[name], files[name]))
            for name in sorted(new, key=lambda name: name.endswith(".nbi")):  # an index after what it names
                os.replace(Path(stage, name), folder / name)
    for old in folder.glob("*.imported-*.nb?"):  # of sources that are gone
        found = _NAME.fullmatch(old.name)
        if found and found["sources"] != told["sources"][:12]:
            old.unlink(missing_ok=True)
    return len(new)


def _checked(archive: zipfile.ZipFile) -> list[zipfile.ZipInfo]:
    """The members, none of which has a path, is a link, occurs twice, or is larger than a kernel can be."""
    entries = archive.infolist()
    if len(entries) > FILES:
        raise FileFormatError(f"it has {len(entries)} members, more than {FILES}")
    if len({entry.filename for entry in entries}) != len(entries):
        raise FileFormatError("two members have the same name")
    for entry in entries:
        name, mode = entry.filename, entry.external_attr >> 16
        if name != MANIFEST and not _NAME.fullmatch(name):
            raise FileFormatError(f"member {name!r:.100} has no name of a kernel's file")
        if stat.S_IFMT(mode) not in (0, stat.S_IFREG):
            raise FileFormatError(f"member {name!r} is a link or no regular file")
        if entry.flag_bits & 1 or entry.compress_type not in (zipfile.ZIP_STORED, zipfile.ZIP_DEFLATED):
            raise FileFormatError(f"member {name!r} is encrypted, or compressed in another way than exports are")
        if entry.file_size > (MANIFEST_BYTES if name == MANIFEST else FILE_BYTES):
            raise FileFormatError(f"member {name!r} claims {entry.file_size} bytes, more than a kernel takes")
    if sum(entry.file_size for entry in entries) > ALL_BYTES:
        raise FileFormatError(f"its members claim more than {ALL_BYTES} bytes")
    return entries


def _manifest(archive: zipfile.ZipFile, entries: dict[str, Any], path: str, told: dict[str, str]) -> dict[str, Any]:
    """The files that the manifest names, which are those that there are; for what this process runs on."""
    if MANIFEST not in entries:
        raise FileFormatError(f"it is no export of kernels: it lacks {MANIFEST}")
    document = parse_json(_read(archive, entries[MANIFEST]), MANIFEST)
    if not isinstance(document, dict) or document.get("format") != FORMAT:
        raise FileFormatError(f"it is no export of kernels of a kind known here: its format is not {FORMAT!r}")
    if not all(isinstance(document.get(name), str) for name in told):
        raise FileFormatError("its manifest lacks what the kernels were compiled by and for")
    if differences := "; ".join(_differences(document, told)):
        raise ArgumentError(f"the kernels of {path} cannot run here: {differences}. Compile with: neuralstat warmup")
    files = document.get("files")
    if not isinstance(files, dict) or set(files) != set(entries) - {MANIFEST}:
        raise FileFormatError("its members are not those that its manifest names")
    return files


def _differences(theirs: dict[str, str], ours: dict[str, str]) -> list[str]:
    """What differs, in words."""
    found = []
    for name, words in _WORDS.items():
        if theirs[name] == ours[name]:
            continue
        if name == "features":
            needed, had = (_present(told[name]) for told in (theirs, ours))
            if needed - had:
                found.append(f"they need features that this processor lacks: {_listed(needed - had)}")
            if had - needed:
                found.append(f"this processor has features that they were not compiled for: {_listed(had - needed)}")
            if needed == had:
                found.append("their list of features of processors is another LLVM's")
        elif name == "sources":
            found.append("they are of other sources of the package")
        else:
            found.append(f"{words}: {theirs[name]!r:.80} there, {ours[name]!r:.80} here")
    return found


def _present(features: str) -> set[str]:
    return {one[1:] for one in features.split(",") if one.startswith("+")}


def _listed(features: set[str]) -> str:
    return f"{', '.join(sorted(features)):.400}"


def _content(archive: zipfile.ZipFile, entry: zipfile.ZipInfo, told: Any) -> bytes:
    """The bytes of a file, which are those that its name, the manifest and its own digest say."""
    text = _read(archive, entry)
    digest, name = hashlib.sha256(text).hexdigest(), _NAME.fullmatch(entry.filename)
    if name is None or name["content"] != digest[:32] or told != {"bytes": len(text), "sha256": digest} or not whole(text):
        raise FileFormatError(f"member {entry.filename!r} is damaged")
    return text


def _read(archive: zipfile.ZipFile, entry: zipfile.ZipInfo) -> bytes:
    """A member, of which no more is unpacked than it claims."""
    with archive.open(entry) as file:
        text = file.read(entry.file_size + 1)
    if len(text) != entry.file_size:
        raise FileFormatError(f"member {entry.filename!r} has not the {entry.file_size} bytes that it claims")
    return text


def _add(archive: zipfile.ZipFile, name: str, text: bytes) -> None:
    member = zipfile.ZipInfo(name, _EPOCH)
    member.external_attr = (stat.S_IFREG | 0o644) << 16
    archive.writestr(member, text, zipfile.ZIP_DEFLATED)


def _folder() -> Path:
    folder = cache_folder()
    if folder is None:
        raise ArgumentError("no folder is writable for compiled kernels: set NEURALSTAT_CACHE_DIR.")
    return folder
