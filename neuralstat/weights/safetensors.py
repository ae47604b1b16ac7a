"""The safetensors format: eight bytes with the length of a JSON header, the header, raw arrays."""

from __future__ import annotations

import json
import math
import os
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np

from ..checks import as_array, check_size
from ..checks.arguments import PATH, Anything, Map, arguments
from ..checks.files import open_regular, parse_json, replacing
from ..errors import ArgumentError, FileFormatError

_HEADER_LIMIT = 100_000_000  # of the format
_DTYPES = {
    "F64": "<f8", "F32": "<f4", "F16": "<f2", "BF16": "<u2", "I64": "<i8", "I32": "<i4", "I16": "<i2", "I8": "|i1",
    "U64": "<u8", "U32": "<u4", "U16": "<u2", "U8": "|u1", "BOOL": "|b1",
}  # fmt: skip


def _once(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    out = dict(pairs)
    if len(out) < len(pairs):
        raise ValueError("a name stands twice")
    return out


def widen(bits: np.ndarray) -> np.ndarray:
    """float32 of bfloat16 numbers, given as their bits (uint16)."""
    return (bits.astype(np.uint32) << 16).view(np.float32)


def read_arrays(source: Path, max_bytes: int) -> dict[str, np.ndarray]:
    """Arrays of a safetensors file, in the order of the data.

    Raises
    ------
    FileFormatError
        Where it is none, or header and data do not fit together: the arrays must cover the data without gaps or overlaps.
    """
    size = source.stat().st_size
    with open_regular(source) as file:
        length = int.from_bytes(file.read(8), "little")
        if size < 10 or length > min(size - 8, _HEADER_LIMIT) or length < 2:
            raise FileFormatError("it is neither an HDF5 file nor a Keras archive nor a safetensors file, or is cut off")
        raw = file.read(length)
        header = parse_json(raw, "it is no safetensors file: its header", _HEADER_LIMIT, hook=_once)
        if not isinstance(header, dict):
            raise FileFormatError("it is no safetensors file: its header is no table of arrays")
        header.pop("__metadata__", None)
        spans = sorted((_span(name, entry) for name, entry in header.items()), key=lambda span: span[1:3])
        end = 0
        for name, first, last, *_ in spans:
            if first != end:
                raise FileFormatError(f"array {name!r:.80} does not begin where the one before it ends")
            end = last
        if end != size - 8 - length:
            raise FileFormatError(f"its header promises {end} bytes of data, but {size - 8 - length} follow")
        if end > max_bytes:
            raise FileFormatError(f"its arrays take {end} bytes, more than max_bytes={max_bytes}")
        out = {}
        for name, first, last, dtype, shape in spans:
            flat = np.frombuffer(file.read(last - first), _DTYPES[dtype])
            if dtype == "BOOL" and np.any(flat.view(np.uint8) > 1):
                raise FileFormatError(f"array {name!r:.80} holds bytes that are no booleans")
            out[name] = widen(flat).reshape(shape) if dtype == "BF16" else flat.reshape(shape).copy()
    return out


def _span(name: str, entry: Any) -> tuple[str, int, int, str, tuple[int, ...]]:
    """Name, first and last byte, dtype, shape."""
    def whole(values: Any, count: int | None = None) -> bool:
        return isinstance(values, list) and count in (None, len(values)) and all(type(v) is int and v >= 0 for v in values)

    if not isinstance(entry, dict) or not whole(entry.get("shape")) or not whole(entry.get("data_offsets"), 2):
        raise FileFormatError(f"the header's entry of array {name!r:.80} is damaged")
    dtype, shape, (first, last) = entry.get("dtype"), tuple(entry["shape"]), entry["data_offsets"]
    if not isinstance(dtype, str) or dtype not in _DTYPES:
        raise FileFormatError(f"array {name!r:.80} has the dtype {dtype!r:.20}; known: {', '.join(_DTYPES)}")
    if len(shape) > 32:
        raise FileFormatError(f"array {name!r:.80} has {len(shape)} axes")
    if math.prod(shape) * np.dtype(_DTYPES[dtype]).itemsize != last - first:
        raise FileFormatError(f"array {name!r:.80} claims the shape {str(shape)[:60]}, which its bytes do not have")
    return name, first, last, dtype, shape


@arguments(path=PATH, arrays=Map(Anything("an array", np.ones(1))))
def write_safetensors(path: str | os.PathLike[str], arrays: Mapping[str, Any]) -> None:
    """Write named arrays, as `NeuralNetResults.get_weights` gives them, to a safetensors file.

    Parameters
    ----------
    path : str or Path
        A file that exists is replaced at the end, in one step.
    arrays : mapping of str to array
        Numbers and booleans.

    Raises
    ------
    ArgumentError
        Where a name is no string or an array holds something else.
    OSError
        Where the folder does not exist or is not writable.

    References
    ----------
    The format: huggingface.co/docs/safetensors.

    Examples
    --------
    >>> import neuralstat as ns
    >>> data = ns.datasets.mcycle()
    >>> fit = ns.neuralnet("accel ~ times", data, hidden=2, algorithm="lm", random_state=1)
    >>> ns.write_safetensors("fit.safetensors", fit.get_weights())
    >>> sorted(ns.read_weights("fit.safetensors"))
    ['dense/bias', 'dense/kernel', 'dense_1/bias', 'dense_1/kernel']
    """
    codes = {np.dtype(text): code for code, text in _DTYPES.items() if code != "BF16"}
    header: dict[str, Any] = {}
    parts, end = [], 0
    for name, given in arrays.items():
        array = as_array(given, f"arrays[{name!r}]", "an array")
        little = array.dtype.newbyteorder("<")
        if name == "__metadata__":
            raise ArgumentError(f"arrays: a name must be a string (not '__metadata__'), got {name!r}.")
        if little not in codes:
            raise ArgumentError(f"arrays: {name!r} holds {array.dtype!s:.80}, which a safetensors file cannot.")
        check_size(array.size, f"arrays: {name!r} as bytes", little.itemsize)
        raw = np.ascontiguousarray(array, little).tobytes()
        header[name] = {"dtype": codes[little], "shape": list(array.shape), "data_offsets": [end, end + len(raw)]}
        parts.append(raw)
        end += len(raw)
    text = json.dumps(header, separators=(",", ":")).encode()
    text += b" " * (-len(text) % 8)
    with replacing(Path(path)) as file:
        file.write(len(text).to_bytes(8, "little") + text)
        file.writelines(parts)
