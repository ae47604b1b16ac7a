"""Checks of arguments: what is not usable is an ArgumentError that names the argument."""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import Any

import numpy as np

from .errors import ArgumentError


def check_int(value: Any, name: str, least: int) -> int:
    """A whole number at or above `least`, else an ArgumentError that names the argument."""
    whole = isinstance(value, int | np.integer) and not isinstance(value, bool)
    if isinstance(value, float) and value.is_integer():
        whole, value = True, int(value)
    if not whole or value < least:
        raise ArgumentError(f"{name} must be a whole number >= {least}, got {value!r}.")
    return int(value)


def check_number(value: Any, name: str, *, positive: bool = False) -> float:
    """A finite number >= 0 (or > 0), else an ArgumentError that names the argument."""
    if isinstance(value, bool) or not isinstance(value, int | float | np.number):
        raise ArgumentError(f"{name} must be a number, got {value!r}.")
    number = float(value)
    if math.isnan(number) or number < 0 or (positive and number == 0):
        raise ArgumentError(f"{name} must be {'> 0' if positive else '>= 0'}, got {value!r}.")
    return number


def check_choice(value: Any, name: str, choices: Sequence[Any]) -> Any:
    """One of `choices`, else an ArgumentError that lists them."""
    if not any(value is c or value == c for c in choices):
        raise ArgumentError(f"{name} must be one of {', '.join(map(repr, choices))}; got {value!r}.")
    return value


def check_pair(value: Any, name: str, first: str, second: str) -> tuple[float, float]:
    """Two positive numbers; a mapping with the keys `first` and `second` is taken, too."""
    if isinstance(value, dict):
        if set(value) != {first, second}:
            raise ArgumentError(
                f"{name} must have the keys {first!r} and {second!r}, got {sorted(map(str, value))}."
            )
        value = (value[first], value[second])
    try:
        pair = tuple(value)
    except TypeError:
        pair = ()
    if len(pair) != 2:
        raise ArgumentError(f"{name} must consist of two numbers ({first}, {second}), got {value!r}.")
    return check_number(pair[0], f"{name}[0]", positive=True), check_number(
        pair[1], f"{name}[1]", positive=True
    )


def check_hidden(hidden: Any) -> tuple[int, ...]:
    """Units per hidden layer as a tuple; 0 and () are no hidden layer."""
    if isinstance(hidden, int | float | np.number) and not isinstance(hidden, bool):
        hidden = (hidden,)
    if isinstance(hidden, str) or not isinstance(hidden, Sequence | np.ndarray):
        raise ArgumentError(f"hidden must be a whole number or a sequence of them, got {hidden!r}.")
    units = tuple(check_int(h, "hidden", 0) for h in hidden)
    if units == (0,):
        return ()
    if 0 in units:
        raise ArgumentError(
            f"hidden contains a 0: {units}. Every hidden layer needs a unit; "
            "hidden=0 alone means no hidden layer."
        )
    return units
