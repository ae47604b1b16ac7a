"""Keras' `.keras` archives: a zip of JSON and one HDF5 file."""

from __future__ import annotations

import io
import zipfile
from pathlib import Path
from typing import Any

from ..checks.arrays import DAMAGES
from ..checks.files import is_damage, parse_json
from ..errors import FileFormatError
from . import hdf5
from .config import parse_config

CONFIG, METADATA, WEIGHTS = "config.json", "metadata.json", "model.weights.h5"
_JSON_LIMIT = 8_000_000
_RATIO = 1032  # deflate cannot do better
_CODE = (".pkl", ".pickle", ".py", ".pyc", ".pt", ".pth", ".bin", ".npy")


def read_archive(source: Path, max_bytes: int) -> tuple[str, dict[str, Any], dict[str, Any], bool]:
    """Kind, arrays and configuration of a `.keras` file."""
    try:
        with zipfile.ZipFile(source) as file:
            members = _members(file, source.stat().st_size, max_bytes)
            config = parse_config(_bytes(file, members[CONFIG]))
            if METADATA in members and (version := _version(_bytes(file, members[METADATA]))) is not None:
                config["keras_version"] = version
            raw = _bytes(file, members[WEIGHTS])
    except (OSError, *DAMAGES) as error:
        if isinstance(error, FileFormatError) or (isinstance(error, OSError) and not is_damage(error)):
            raise
        raise FileFormatError(f"it is no Keras archive, or damaged ({str(error)[:80]})") from None
    _, arrays, _, ordered = hdf5.read_file(io.BytesIO(raw), len(raw), max_bytes, config)
    return "keras", arrays, config, ordered


def _members(file: zipfile.ZipFile, size: int, max_bytes: int) -> dict[str, zipfile.ZipInfo]:
    entries = file.infolist()
    members = {entry.filename: entry for entry in entries}
    if len(members) < len(entries):
        raise FileFormatError("two members of the archive have the same name")
    for entry in entries:
        if entry.filename.lower().endswith(_CODE):
            raise FileFormatError(f"member {entry.filename!r:.80} may hold a pickle or code, which is not read")
        if entry.flag_bits & 1:
            raise FileFormatError(f"member {entry.filename!r:.80} is encrypted")
        packed = entry.compress_type != zipfile.ZIP_STORED
        if entry.file_size > (_RATIO * entry.compress_size if packed else entry.compress_size):
            raise FileFormatError(f"member {entry.filename!r:.80} claims more bytes than it can have")
    for name in (CONFIG, METADATA):
        if name in members and members[name].file_size > _JSON_LIMIT:
            raise FileFormatError(f"{name} has {members[name].file_size} bytes")
    for name in (CONFIG, WEIGHTS):
        if name not in members:
            more = " (weights in several files are not read)" if "model.weights.json" in members else ""
            raise FileFormatError(f"it is no Keras archive: it lacks {name}{more}")
    if sum(entry.compress_size for entry in entries) > size or members[WEIGHTS].file_size > max_bytes:
        raise FileFormatError(f"its members claim more bytes than the file has, or than max_bytes={max_bytes}")
    return members


def _version(raw: bytes) -> str | None:
    """Of Keras, where the metadata say it."""
    found = parse_json(raw, METADATA, strict=False)
    version = found.get("keras_version") if isinstance(found, dict) else None
    return version if isinstance(version, str) else None


def _bytes(file: zipfile.ZipFile, entry: zipfile.ZipInfo) -> bytes:
    with file.open(entry) as stream:
        raw = stream.read(entry.file_size + 1)
    if len(raw) != entry.file_size:
        raise FileFormatError(f"member {entry.filename!r} does not have the size that the archive says")
    return raw
