"""A tagged JSON encoding of plain data: dicts with any simple key, tuples, arrays, non-finite floats."""

import math
from typing import Any

import numpy as np

from neuralstat.errors import ArgumentError, FileFormatError

_DTYPES = ("float64", "int64", "bool")
_MAX_DEPTH = 50


def encode(value: Any, what: str = "value") -> Any:
    """Turn plain data into what `json.dumps` takes; `ArgumentError` naming `what` for anything else."""
    if value is None or isinstance(value, bool | int | str):
        return value
    if isinstance(value, float):
        return float(value) if math.isfinite(value) else {"float": repr(float(value))}
    if isinstance(value, np.generic):
        return encode(value.item(), what)
    if isinstance(value, list):
        return [encode(v, what) for v in value]
    if isinstance(value, tuple):
        return {"tuple": [encode(v, what) for v in value]}
    if isinstance(value, dict):
        return {"dict": [[encode(k, what), encode(v, what)] for k, v in value.items()]}
    if isinstance(value, np.ndarray) and value.dtype.name in _DTYPES:
        return {
            "array": value.dtype.name,
            "shape": list(value.shape),
            "data": encode(value.ravel().tolist(), what),
        }
    raise ArgumentError(
        f"{what} holds {type(value).__name__}, which cannot be saved; only numbers, strings, lists and "
        "arrays can."
    )


def decode(value: Any, depth: int = 0) -> Any:
    """Invert `encode`; `FileFormatError` for anything that `encode` does not make."""
    if depth > _MAX_DEPTH:
        raise FileFormatError("the stored formula is nested too deeply.")
    if value is None or isinstance(value, bool | int | float | str):
        return value
    if isinstance(value, list):
        return [decode(v, depth + 1) for v in value]
    if isinstance(value, dict):
        keys = set(value)
        if keys == {"float"} and value["float"] in ("nan", "inf", "-inf"):
            return float(value["float"])
        if keys == {"tuple"} and isinstance(value["tuple"], list):
            return tuple(decode(v, depth + 1) for v in value["tuple"])
        if keys == {"dict"} and isinstance(value["dict"], list):
            return _decode_dict(value["dict"], depth)
        if keys == {"array", "shape", "data"}:
            return _decode_array(value, depth)
    raise FileFormatError(f"the stored formula holds an unknown entry: {str(value)[:80]}.")


def _decode_dict(pairs: list[Any], depth: int) -> dict[Any, Any]:
    result: dict[Any, Any] = {}
    for pair in pairs:
        if not isinstance(pair, list) or len(pair) != 2:
            raise FileFormatError("the stored formula holds a damaged mapping.")
        key = decode(pair[0], depth + 1)
        if not isinstance(key, str | int | float | bool | tuple | None):
            raise FileFormatError(f"the stored formula holds a mapping with the key {key!r}.")
        try:
            result[key] = decode(pair[1], depth + 1)
        except TypeError:
            raise FileFormatError(
                "the stored formula holds a mapping with a key that cannot be one."
            ) from None
    return result


def _decode_array(value: dict[str, Any], depth: int) -> np.ndarray:
    shape, data = value["shape"], decode(value["data"], depth + 1)
    try:
        if value["array"] not in _DTYPES:
            raise ValueError(value["array"])
        if not isinstance(data, list) or not all(type(s) is int and s >= 0 for s in shape):
            raise TypeError("shape")
        return np.array(data, dtype=value["array"]).reshape(shape)
    except (TypeError, ValueError, OverflowError):
        raise FileFormatError("the stored formula holds a damaged array.") from None
