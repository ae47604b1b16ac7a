"""Checks of arguments: kinds as data and the door (`arguments`), single checks (`values`), bounds of memory (`memory`)."""

from .memory import check_size
from .values import (
    as_array,
    check_choice,
    check_hidden,
    check_int,
    check_items,
    check_number,
    check_pair,
    is_real,
    is_whole,
    position,
    shown,
)  # fmt: skip

__all__ = [
    "as_array", "check_choice", "check_hidden", "check_int", "check_items", "check_number", "check_pair", "check_size",
    "is_real", "is_whole", "position", "shown",
]  # fmt: skip
