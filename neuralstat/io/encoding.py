"""Plain data, arrays and index labels as JSON with arrays beside it; and back, checking everything."""

from __future__ import annotations

import io
import math
import re
import warnings
from collections.abc import Callable
from typing import Any, ClassVar

import numpy as np
import pandas as pd

from ..checks.arrays import KINDS
from ..errors import ArgumentError, FileFormatError

_MAX_DEPTH = 50
_ZONE = re.compile(r"[A-Za-z0-9_+\-:]+(/[A-Za-z0-9_+\-]+){0,3}")
_NULLABLE = {f"{sign}{bits}" for sign in ("Int", "UInt") for bits in (8, 16, 32, 64)} | {
    "Float32",
    "Float64",
    "boolean",
}
_STRINGS = ("str", "string")
_FREQUENCY = re.compile(r"(-?\d*)([A-Za-z]+)((?:-[A-Z0-9]+)?)")
_RENAMED = {"M": "ME", "Q": "QE", "A": "YE", "Y": "YE", "BM": "BME", "BQ": "BQE", "BA": "BYE", "BY": "BYE", "SM": "SME",
            "CBM": "CBME", "AS": "YS", "BAS": "BYS", "H": "h", "BH": "bh", "CBH": "cbh", "T": "min", "S": "s", "L": "ms",
            "U": "us", "N": "ns"}  # fmt: skip
_BEFORE = {new: old for old, new in reversed(_RENAMED.items())}
_PERIODS = {"A": "Y", "Y": "A"}


def write_array(array: np.ndarray) -> bytes:
    """An array in numpy's format."""
    buffer = io.BytesIO()
    np.lib.format.write_array(buffer, np.ascontiguousarray(array), allow_pickle=False)
    return buffer.getvalue()


class Writer:
    """Turns plain data into JSON; arrays are put aside under a name."""

    def __init__(self) -> None:
        self.arrays: dict[str, np.ndarray] = {}

    def array(self, array: Any, name: str) -> dict[str, str]:
        """Put an array of numbers aside; `ArgumentError` for other arrays."""
        array = np.asarray(array)
        if array.dtype.kind not in KINDS or array.dtype.itemsize > 8:
            raise ArgumentError(
                f"{name} holds {array.dtype}, which cannot be saved; only numbers and booleans can."
            )
        key = f"{name}.{len(self.arrays)}" if name in self.arrays else name
        self.arrays[key] = array.astype(array.dtype.newbyteorder("<"), copy=False)
        return {"array": key}

    def value(self, value: Any, name: str) -> Any:
        """Encode numbers, strings, lists, tuples, dicts and arrays; `ArgumentError` for anything else."""
        if isinstance(value, np.generic):
            value = value.item()
        if value is None or isinstance(value, bool | int | str):
            return value
        if isinstance(value, float):
            return value if math.isfinite(value) else {"float": repr(value)}
        if isinstance(value, tuple):
            return {"tuple": [self.value(v, name) for v in value]}
        if isinstance(value, list):
            return [self.value(v, name) for v in value]
        if isinstance(value, dict):
            return {"dict": [[self.value(k, name), self.value(v, name)] for k, v in value.items()]}
        if isinstance(value, pd.Series | pd.DataFrame | pd.Index):
            value = value.to_numpy()
        if isinstance(value, np.ndarray):
            if value.dtype.kind in "OU":
                return self.value(value.tolist(), name)
            return self.array(value, name)
        raise ArgumentError(
            f"{name} holds {type(value).__name__}, which cannot be saved; numbers and strings can."
        )

    def index(self, index: pd.Index, name: str) -> dict[str, Any]:
        """Encode an index with its names."""
        if isinstance(index, pd.MultiIndex):
            if any(len(level) > len(index) for level in index.levels):
                index = index.remove_unused_levels()
            return {
                "kind": "multi",
                "names": [self.value(n, name) for n in index.names],
                "levels": [self.index(level, f"{name}.level") for level in index.levels],
                "codes": [self.array(np.asarray(c), f"{name}.codes") for c in index.codes],
            }
        return {**self._labels(index, name), "name": self.value(index.name, name)}

    def _labels(self, index: pd.Index, name: str) -> dict[str, Any]:
        if isinstance(index, pd.RangeIndex):
            return {"kind": "range", "start": index.start, "stop": index.stop, "step": index.step}
        if isinstance(index, pd.DatetimeIndex):
            zone = None if index.tz is None else str(index.tz)
            return {"kind": "datetime", "values": self.array(index.asi8, name), "unit": index.unit,
                    "zone": zone, "freq": index.freqstr}  # fmt: skip
        if isinstance(index, pd.TimedeltaIndex):
            return {"kind": "timedelta", "values": self.array(index.asi8, name), "unit": index.unit,
                    "freq": index.freqstr}  # fmt: skip
        if isinstance(index, pd.PeriodIndex):
            return {"kind": "period", "values": self.array(index.asi8, name), "freq": index.freqstr}
        if isinstance(index, pd.CategoricalIndex):
            return {"kind": "category", "codes": self.array(index.codes, name),
                    "ordered": bool(index.ordered),
                    "categories": self.index(index.categories, f"{name}.categories")}  # fmt: skip
        if isinstance(index, pd.IntervalIndex):
            return {"kind": "interval", "left": self.index(index.left, f"{name}.left"),
                    "closed": index.closed, "right": self.index(index.right, f"{name}.right")}  # fmt: skip
        if isinstance(index.dtype, np.dtype) and index.dtype.kind in KINDS:
            return {"kind": "number", "values": self.array(index.to_numpy(), name)}
        if index.dtype == object or str(index.dtype) in {*_NULLABLE, *_STRINGS}:
            missing = index.isna()
            items = [
                None if gap and v is not None else self.value(v, name)
                for v, gap in zip(index, missing, strict=True)
            ]
            if index.dtype == object:  # None and NaN are different labels
                items = [self.value(v, name) for v in index]
            return {"kind": "objects", "dtype": str(index.dtype), "values": items}
        raise ArgumentError(
            f"{name} has labels of dtype {index.dtype}, which cannot be saved; use numbers, strings or dates "
            "(reset_index() gives numbers)."
        )


class Reader:
    """Inverts `Writer`; every method raises FileFormatError for what a `Writer` does not make."""

    def __init__(self, arrays: dict[str, np.ndarray], size: int = 2**20) -> None:
        self.arrays = arrays
        self.unread = set(arrays)
        self._labels = size  # labels that ranges may still stand for: each has a byte somewhere in the file

    def array(
        self, entry: Any, dtype: str | None = None, shape: tuple[int | None, ...] | None = None
    ) -> np.ndarray:
        """The array that an entry names, of a dtype (a kind such as "f", or "<f8") and shape (None: any)."""
        key = entry.get("array") if isinstance(entry, dict) and set(entry) == {"array"} else None
        if not isinstance(key, str) or key not in self.arrays:
            raise FileFormatError(f"it lacks an array: {str(entry)[:60]}")
        if key not in self.unread:
            raise FileFormatError(f"array {key!r} is used twice")
        self.unread.discard(key)
        array = self.arrays[key]
        if dtype is not None and dtype not in (array.dtype.kind, array.dtype.str):
            raise FileFormatError(f"array {key!r} holds {array.dtype}, not {dtype}")
        if shape is not None and (
            len(shape) != array.ndim
            or any(n not in (None, m) for n, m in zip(shape, array.shape, strict=True))
        ):
            raise FileFormatError(f"array {key!r} has shape {array.shape}, expected {shape}")
        return array

    def value(self, entry: Any, depth: int = 0) -> Any:
        """Decode plain data."""
        if depth > _MAX_DEPTH:
            raise FileFormatError("an entry is nested too deeply")
        if entry is None or isinstance(entry, bool | int | float | str):
            return entry
        if isinstance(entry, list):
            return [self.value(v, depth + 1) for v in entry]
        if isinstance(entry, dict) and len(entry) == 1:
            ((tag, content),) = entry.items()
            if tag == "array":
                return self.array(entry)
            if tag == "float" and content in ("nan", "inf", "-inf"):
                return float(content)
            if tag == "tuple" and isinstance(content, list):
                return tuple(self.value(v, depth + 1) for v in content)
            if (
                tag == "dict"
                and isinstance(content, list)
                and all(isinstance(p, list) and len(p) == 2 for p in content)
            ):
                return {self.value(k, depth + 1): self.value(v, depth + 1) for k, v in content}
        raise FileFormatError(f"it holds an unknown entry: {str(entry)[:80]}")

    def index(self, entry: Any, depth: int = 0) -> pd.Index:
        """Decode an index."""
        if not isinstance(entry, dict) or depth > 5:
            raise FileFormatError(f"it holds damaged labels: {str(entry)[:80]}")
        try:
            if entry["kind"] == "multi":
                return self._multi(entry, depth)
            index = self._DECODERS[entry["kind"]](self, entry, depth)
            index.name = self.value(entry["name"])
            return index
        except FileFormatError:
            raise
        except Exception as error:  # pandas raises many kinds for labels that make no sense
            raise FileFormatError(
                f"it holds damaged labels ({type(error).__name__}: {str(error)[:80]})"
            ) from None

    def _multi(self, entry: dict[str, Any], depth: int) -> pd.MultiIndex:
        levels = [self.index(level, depth + 1) for level in entry["levels"]]
        codes = [self.array(c, "i") for c in entry["codes"]]
        for level, code in zip(levels, codes, strict=True):
            _check_codes(code, len(level))
        return pd.MultiIndex(levels, codes, names=[self.value(n) for n in entry["names"]])

    def _range(self, entry: dict[str, Any], depth: int) -> pd.Index:
        made = range(*(_integer(entry[k]) for k in ("start", "stop", "step")))
        self._labels -= len(made)
        if self._labels < 0:
            raise FileFormatError(f"it holds {len(made)} labels, more than it has bytes for")
        return pd.RangeIndex(made)

    def _number(self, entry: dict[str, Any], depth: int) -> pd.Index:
        return pd.Index(self.array(entry["values"], None, (None,)))

    def _datetime(self, entry: dict[str, Any], depth: int) -> pd.Index:
        times = self.array(entry["values"], "<i8", (None,)).view(f"M8[{_unit(entry)}]")
        index = pd.DatetimeIndex(times)
        if entry["zone"] is not None:
            if not _ZONE.fullmatch(entry["zone"]):
                raise FileFormatError(f"unknown time zone {entry['zone']!r:.40}")
            index = index.tz_localize("UTC").tz_convert(entry["zone"])
        return self._with_freq(index, entry)

    def _timedelta(self, entry: dict[str, Any], depth: int) -> pd.Index:
        times = self.array(entry["values"], "<i8", (None,)).view(f"m8[{_unit(entry)}]")
        return self._with_freq(pd.TimedeltaIndex(times), entry)

    def _with_freq(self, index: Any, entry: dict[str, Any]) -> pd.Index:
        if entry["freq"] is not None:

            def regular(text: str) -> pd.Index:
                index.freq = text
                return index

            return _spelled(_text(entry["freq"]), regular)
        return index

    def _period(self, entry: dict[str, Any], depth: int) -> pd.Index:
        values = self.array(entry["values"], "<i8", (None,))
        array = pd.arrays.PeriodArray  # `from_ordinals` came with pandas 2.2
        return _spelled(_text(entry["freq"]), lambda text: pd.PeriodIndex(array(values, pd.PeriodDtype(text))))

    def _category(self, entry: dict[str, Any], depth: int) -> pd.Index:
        categories = self.index(entry["categories"], depth + 1)
        codes = self.array(entry["codes"], "i", (None,))
        _check_codes(codes, len(categories))
        if not isinstance(entry["ordered"], bool):
            raise FileFormatError("it holds damaged categories")
        return pd.CategoricalIndex(pd.Categorical.from_codes(codes, categories, ordered=entry["ordered"]))

    def _interval(self, entry: dict[str, Any], depth: int) -> pd.Index:
        left, right = self.index(entry["left"], depth + 1), self.index(entry["right"], depth + 1)
        return pd.IntervalIndex.from_arrays(left, right, closed=_text(entry["closed"]))

    def _objects(self, entry: dict[str, Any], depth: int) -> pd.Index:
        if not isinstance(entry["values"], list):
            raise FileFormatError("it holds damaged labels")
        items = [self.value(v) for v in entry["values"]]
        if entry["dtype"] == "object":
            array = np.empty(len(items), object)
            for k, item in enumerate(items):
                array[k] = item
            return pd.Index(array, dtype=object)
        if entry["dtype"] not in {*_NULLABLE, *_STRINGS}:
            raise FileFormatError(f"unknown kind of labels {entry['dtype']!r:.40}")
        return pd.Index(pd.array(items, dtype=entry["dtype"]))

    _DECODERS: ClassVar[dict[Any, Callable[..., pd.Index]]] = {
        "range": _range, "number": _number, "datetime": _datetime, "timedelta": _timedelta, "period": _period,
        "category": _category, "interval": _interval, "objects": _objects,
    }  # fmt: skip


def _check_codes(codes: np.ndarray, size: int) -> None:
    if np.any(codes < -1) or np.any(codes >= size):
        raise FileFormatError("it holds codes of labels that do not exist")


def _unit(entry: dict[str, Any]) -> str:
    if entry["unit"] not in ("s", "ms", "us", "ns"):
        raise FileFormatError(f"unknown unit of time {entry['unit']!r:.20}")
    return entry["unit"]


def _text(value: Any) -> str:
    if not isinstance(value, str) or len(value) > 40:
        raise FileFormatError(f"it holds {value!r:.60} where a short text was expected")
    return value


def _spelled(frequency: str, make: Callable[[str], pd.Index]) -> pd.Index:
    """What is made of a frequency; pandas 2.2 spelled many of them anew, and 3 does not know the old words."""
    found = _FREQUENCY.fullmatch(frequency)
    words = [frequency] if found is None else [frequency, *(f"{found[1]}{names[found[2]]}{found[3]}" for names in
                                                            (_RENAMED, _BEFORE, _PERIODS) if found[2] in names)]  # fmt: skip
    refused: list[ValueError] = []
    for word in words:
        try:
            with warnings.catch_warnings():
                warnings.simplefilter("ignore", FutureWarning)
                return make(word)
        except ValueError as error:
            refused.append(error)
    raise refused[0]


def _integer(value: Any) -> int:
    if isinstance(value, bool) or not isinstance(value, int) or abs(value) > 2**62:
        raise FileFormatError(f"it holds {value!r:.40} where a whole number was expected")
    return value


def section(parent: dict[str, Any], name: str, keys: tuple[str, ...]) -> dict[str, Any]:
    """A part of the document with exactly these entries.

    Raises
    ------
    FileFormatError
        Where it is missing, no dict, or has other entries.
    """
    part = parent.get(name)
    if not isinstance(part, dict):
        raise FileFormatError(f"its part {name!r} is missing or damaged")
    lacking = [k for k in keys if k not in part]
    if lacking:
        raise FileFormatError(f"its part {name!r} lacks {', '.join(lacking)}")
    unknown = [str(k) for k in part if k not in keys]
    if unknown:
        raise FileFormatError(f"its part {name!r} has an unknown entry {unknown[0]!r:.40}")
    return part
