"""Keras' HDF5 files, read with checks: only plain arrays of numbers that lie in the file itself."""

from __future__ import annotations

import math
from pathlib import Path
from typing import Any

import numpy as np

from ..errors import ArgumentError, FileFormatError
from .config import layers_of, parse_config
from .layouts import keras3_names, legacy_names
from .safetensors import widen

_FILTERS = {"gzip", "lzf", None}
_RATIO = 1032  # gzip cannot do better
_MOST_ARRAYS = 100_000
_MOST_TEXT = 2**26  # bytes of an attribute


def _h5py() -> Any:
    try:
        import h5py
    except ImportError:
        raise ArgumentError('HDF5 files need h5py: pip install "neuralstat[hdf5]".') from None
    return h5py


def read_file(
    source: Any, size: int, max_bytes: int, config: dict[str, Any] | None = None
) -> tuple[str, dict[str, np.ndarray], dict[str, Any] | None, bool]:
    """Kind, arrays, configuration, and whether the order is that of the layers.

    Parameters
    ----------
    source : Path or file object
    size : int
        Bytes of the file.
    max_bytes : int
    config : dict, optional
        Configuration of the model, where it is known already.
    """
    h5py = _h5py()
    try:
        with h5py.File(source, "r") as file:
            safe = SafeFile(file, size, max_bytes)
            found = _read(safe, config)
    except (OSError, KeyError, RuntimeError, TypeError, ValueError, OverflowError, RecursionError, MemoryError) as error:
        if isinstance(error, FileFormatError):
            raise
        if isinstance(source, Path) and isinstance(error, PermissionError):
            raise
        raise FileFormatError(f"it is damaged ({type(error).__name__}: {str(error)[:100]})") from None
    if not found[1]:
        raise FileFormatError("it holds no weights")
    return found


def _read(file: SafeFile, config: dict[str, Any] | None) -> tuple[str, dict[str, Any], dict[str, Any] | None, bool]:
    root = file.root
    if "layer_names" in root.attrs or "layer_names0" in root.attrs:
        return "keras-legacy", legacy_names(file, ""), None, True
    if "model_weights" in root:
        if "model_config" in root.attrs:
            config = parse_config(file.text(root, "model_config"))
            if "keras_version" in root.attrs:
                config["keras_version"] = file.text(root, "keras_version")
        return "keras-legacy", legacy_names(file, "model_weights"), config, True
    if "layers" in root or "_layer_checkpoint_dependencies" in root:
        arrays, ordered = keras3_names(file, layers_of(config))
        return "keras-weights", arrays, config, ordered
    raise FileFormatError("it is an HDF5 file, but not of Keras: no 'layer_names', no 'model_weights', no 'layers'")


class SafeFile:
    """An open HDF5 file, of which only what lies in itself is read, and no more than its bytes can hold.

    Parameters
    ----------
    file : h5py.File
    size : int
        Bytes of the file.
    max_bytes : int
        All arrays together may take.
    """

    def __init__(self, file: Any, size: int, max_bytes: int) -> None:
        self.root = file
        self._size, self._max = size, max_bytes
        self._plain = self._total = self._count = 0
        self._module = _h5py()

    def child(self, group: Any, name: str) -> Any:
        """Member of a group, refusing links to other files and places."""
        link = group.get(name, getlink=True)
        if link is None:
            raise FileFormatError(f"it has no {f'{group.name}/{name}'.replace('//', '/')!r:.120}")
        if not isinstance(link, self._module.HardLink):
            raise FileFormatError(f"{name!r:.80} is a link, which is not followed")
        return group[name]

    def at(self, path: str) -> Any:
        """Group or dataset at a path from the root."""
        found = self.root
        for part in filter(None, path.split("/")):
            if not isinstance(found, self._module.Group):
                raise FileFormatError(f"{path!r:.120} is not there")
            found = self.child(found, part)
        return found

    def group(self, path: str) -> Any:
        """Group at a path from the root."""
        found = self.at(path)
        if not isinstance(found, self._module.Group):
            raise FileFormatError(f"{path!r:.120} is no group")
        return found

    def groups(self, group: Any) -> dict[str, Any]:
        """The groups in a group, in natural order of their names."""
        members = {name: self.child(group, name) for name in sorted(group, key=natural)}
        return {name: member for name, member in members.items() if isinstance(member, self._module.Group)}

    def _attribute(self, group: Any, name: str) -> np.ndarray:
        kind = group.attrs.get_id(name)
        shape = kind.shape
        if math.prod(shape) * max(kind.dtype.itemsize, 1) > min(_MOST_TEXT, max(16 * self._size, 4096)):
            raise FileFormatError(f"attribute {name!r} has {math.prod(shape)} entries")
        return np.asarray(group.attrs[name])

    def text(self, group: Any, name: str) -> str:
        """An attribute that is one string, str or bytes."""
        value = self._attribute(group, name)
        if value.size != 1:
            raise FileFormatError(f"attribute {name!r} is not one string")
        return _string(value.reshape(-1)[0], name)

    def texts(self, group: Any, name: str) -> list[str]:
        """An attribute that is a list of strings, which Keras divides over ``name0``, ``name1``, ... where it is long."""
        parts = [name] if name in group.attrs else []
        while not (parts and parts[0] == name) and f"{name}{len(parts)}" in group.attrs:
            parts.append(f"{name}{len(parts)}")
        if not parts:
            raise FileFormatError(f"{group.name!r:.120} lacks the attribute {name!r}")
        return [_string(value, name) for part in parts for value in self._attribute(group, part).reshape(-1)]

    def array(self, data: Any) -> np.ndarray:
        """Numbers of a dataset.

        Raises
        ------
        FileFormatError
            For objects, references, texts, data in other files, filters other than gzip and lzf, and more bytes than the
            file can hold.
        """
        name = str(getattr(data, "name", data))[:120]
        if not isinstance(data, self._module.Dataset):
            raise FileFormatError(f"{name!r} is no array")
        if data.dtype.kind not in "fiub" or data.dtype.itemsize > 8:
            raise FileFormatError(f"array {name!r} holds {str(data.dtype)[:40]}; only numbers are read")
        if data.external or data.is_virtual:
            raise FileFormatError(f"array {name!r} lies in another file, which is not read")
        if data.compression not in _FILTERS or data.id.get_create_plist().get_nfilters() > 3:
            raise FileFormatError(f"array {name!r} has the filter {data.compression!r}; gzip and lzf are read")
        self._allow(data, name)
        array = np.asarray(data[()])
        if array.dtype == np.uint16 and data.attrs.get("dtype") in ("bfloat16", b"bfloat16"):
            return widen(array)
        return array

    def _allow(self, data: Any, name: str) -> None:
        """Count the bytes of an array before it is read."""
        if data.shape is None:
            raise FileFormatError(f"array {name!r} is empty")
        need, stored = math.prod(data.shape) * data.dtype.itemsize, data.id.get_storage_size()
        packed = data.id.get_create_plist().get_nfilters() > 0
        if need > stored * (_RATIO if packed else 1):
            raise FileFormatError(f"array {name!r} claims {need} bytes, but the file stores {stored} for it")
        self._count += 1
        self._total += need
        self._plain += 0 if packed else need
        if self._total > self._max:
            raise FileFormatError(f"its arrays take more than max_bytes={self._max}")
        if self._plain > self._size or self._total > _RATIO * self._size or self._count > _MOST_ARRAYS:
            raise FileFormatError("its arrays claim more bytes than the file has")


def natural(name: str) -> list[Any]:
    """Key that puts ``conv2d_2`` before ``conv2d_10``."""
    stem, _, number = name.rpartition("_")
    return [stem, int(number)] if stem and number.isdecimal() and len(number) < 10 else [name, -1]


def _string(value: Any, name: str) -> str:
    try:
        text = value.decode() if isinstance(value, bytes) else value
        if isinstance(text, str):
            text.encode()  # undecodable bytes come as lone surrogates
            return text
    except UnicodeError:
        raise FileFormatError(f"attribute {name!r} holds bytes that are no text") from None
    raise FileFormatError(f"attribute {name!r} holds {type(value).__name__}, not text")
