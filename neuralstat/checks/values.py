"""Checks of arguments: what is not usable is an ArgumentError that names the argument."""

from __future__ import annotations

import math
import reprlib
from collections.abc import Sequence, Set
from typing import Any

import numpy as np

from ..errors import ArgumentError
from .memory import check_size

MOST = 2**31 - 1  # what counts in kernels are 32-bit
SHOWN = 80  # characters
LAYERS = 1000  # that are hidden


class StoredText(str):
    """A formula that was read from a file: whatever it says, only harmless expressions of it are evaluated."""

    __slots__ = ()


def shown(value: Any) -> str:
    """A value in a message: its repr, short, whatever the value is."""
    try:
        text = reprlib.repr(value) if isinstance(value, list | tuple | dict | set | frozenset | str | int) else repr(value)
        text = " ".join(text.split())
    except Exception:  # a repr is anybody's code, and of an int with 5,000 digits it is an error
        return f"a {type(value).__name__}"
    return text if len(text) <= SHOWN else f"{text[: SHOWN - 3]}..."


def told(error: BaseException) -> str:
    """What an error of somebody else's code says, on one line: its kind and words."""
    return " ".join(f"{type(error).__name__}: {error}".split())


def attribute(thing: Any, name: str, default: Any = None) -> Any:
    """An attribute of any object, whose own code may raise: then it has none."""
    try:
        return getattr(thing, name, default)
    except Exception:  # attributes are anybody's code
        return default


def is_whole(value: Any) -> bool:
    """Whether a value is a whole number by its type; bool and time spans (integers to numpy) are none."""
    return isinstance(value, int | np.integer) and not isinstance(value, bool | np.timedelta64)


def is_real(value: Any) -> bool:
    """Whether a value is a real number by its type."""
    return is_whole(value) or isinstance(value, float | np.floating)


def position(value: Any, known: Sequence[Any]) -> int | None:
    """Where a value is among some, None where it is not; one whose comparison fails is not among them."""
    for k, thing in enumerate(known):
        try:
            if value is thing or (type(value) is not np.ndarray and bool(value == thing)):
                return k
        except Exception:  # what is compared is anybody's object
            continue
    return None


def check_items(value: Any, name: str, words: str, most: int = 1_000_000) -> list[Any]:
    """The items of a list, tuple, range, set, or of anything like an array of one dimension, else an ArgumentError."""
    like_array = hasattr(type(value), "__array__") and getattr(value, "ndim", None) == 1
    if not (like_array or isinstance(value, list | tuple | range | Set)):
        raise ArgumentError(f"{name} must be {words}; got {shown(value)}.")
    if len(value) > most:
        raise ArgumentError(f"{name} must have at most {most:,} items; it has {len(value):,}.")
    return list(value)


def as_array(value: Any, name: str, words: str) -> np.ndarray:
    """An array of whatever kind and shape, masked numbers as NaN, else an ArgumentError: what is in it is not looked at."""
    if isinstance(value, range):
        check_size((value.stop - value.start) // value.step, f"{name} as an array")  # len() has a largest number
    try:
        array = np.asanyarray(value)
        if isinstance(array, np.ma.MaskedArray):
            return np.ma.filled(array.astype(float), np.nan)
        return np.asarray(array)
    except Exception:  # how a foreign object makes an array of itself is its own code
        raise ArgumentError(f"{name} must be {words}; got {shown(value)}.") from None


def real_array(value: Any, name: str) -> np.ndarray | None:
    """A float array of real numbers, masked ones as NaN.

    None of ragged sequences, and of text, dates, complex numbers and other objects.
    """
    if isinstance(value, range):
        check_size(len(value), f"{name} as an array")
    try:
        array: Any = np.asanyarray(value)
        if isinstance(array, np.ma.MaskedArray):
            array = np.ma.filled(array.astype(float), np.nan)
        if array.dtype.kind == "O" and all(is_real(v) or isinstance(v, bool) for v in array.ravel()):
            array = array.astype(float)
    except Exception:  # how a foreign object makes an array of itself is its own code
        return None
    if array.dtype.kind not in "biuf":
        return None
    check_size(array.size, f"{name} as an array")
    return np.asarray(array, dtype=float)


def check_int(value: Any, name: str, least: int) -> int:
    """A whole number at or above `least`, else an ArgumentError that names the argument."""
    try:
        whole = is_whole(value) or (isinstance(value, float | np.floating) and float(value).is_integer())
        number = int(value) if whole else None
    except Exception:  # of the value's own methods
        number = None
    if number is None or number < least:
        raise ArgumentError(f"{name} must be a whole number >= {least}, got {shown(value)}.")
    if number > MOST:
        raise ArgumentError(f"{name} must be at most {MOST}, got {shown(value)}.")
    return number


def check_number(value: Any, name: str, *, positive: bool = False) -> float:
    """A finite number >= 0 (or > 0), else an ArgumentError that names the argument."""
    if not is_real(value):
        raise ArgumentError(f"{name} must be a number, got {shown(value)}.")
    try:
        number = float(value)
    except Exception:  # too large, or of the value's own methods
        number = math.inf
    if not math.isfinite(number) or number < 0 or (positive and number == 0):
        raise ArgumentError(f"{name} must be a finite number {'> 0' if positive else '>= 0'}, got {shown(value)}.")
    return number


def check_choice(value: Any, name: str, choices: Sequence[Any]) -> Any:
    """One of `choices`, else an ArgumentError that lists them."""
    text = str.__str__(value) if isinstance(value, str) else value  # of a subclass, too, whatever its == does
    for c in choices:
        if text is c or (isinstance(text, str) and isinstance(c, str) and text == c):
            return c
    raise ArgumentError(f"{name} must be one of {', '.join(map(repr, choices))}; got {shown(value)}.")


def check_pair(value: Any, name: str, first: str, second: str) -> tuple[float, float]:
    """Two positive numbers; a mapping with the keys `first` and `second` is taken, too."""
    if isinstance(value, dict):
        if set(value) != {first, second}:
            raise ArgumentError(
                f"{name} must have the keys {first!r} and {second!r}, got {sorted(map(str, value))}."
            )
        value = (value[first], value[second])
    sized = isinstance(value, list | tuple) or (isinstance(value, np.ndarray) and value.ndim == 1)
    pair = tuple(value) if sized and len(value) == 2 else ()
    if not pair:
        raise ArgumentError(f"{name} must consist of two numbers ({first}, {second}), got {shown(value)}.")
    return check_number(pair[0], f"{name}[0]", positive=True), check_number(
        pair[1], f"{name}[1]", positive=True
    )


def check_hidden(hidden: Any) -> tuple[int, ...]:
    """Units per hidden layer as a tuple; 0 and () are no hidden layer."""
    if isinstance(hidden, int | float | np.number) and not isinstance(hidden, bool):
        hidden = (hidden,)
    if isinstance(hidden, str | bytes) or not isinstance(hidden, Sequence | np.ndarray):
        raise ArgumentError(f"hidden must be a whole number or a sequence of them, got {shown(hidden)}.")
    if isinstance(hidden, np.ndarray) and hidden.ndim != 1:
        raise ArgumentError(f"hidden must have one dimension, got {shown(hidden)}.")
    if len(hidden) > LAYERS:
        raise ArgumentError(f"hidden must name at most {LAYERS:,} layers, got {len(hidden):,}.")
    units = tuple(check_int(h, "hidden", 0) for h in hidden)
    if units == (0,):
        return ()
    if 0 in units:
        raise ArgumentError(
            f"hidden contains a 0: {units}. Every hidden layer needs a unit; "
            "hidden=0 alone means no hidden layer."
        )
    return units
