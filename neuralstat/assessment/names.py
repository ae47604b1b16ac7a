"""Names of estimators with options in them: "cv:k=5,repeats=3", "cv:loo", "cp:gdf"."""

from __future__ import annotations

import re
from typing import Any

from ..errors import ArgumentError

#: what a word without "=" says, by method
WORD = {"cv": "k", "nested_cv": "k", "cp": "df", "gcv": "df", "sure": "df", "bootstrap": "kind", "holdout": "test_size",
        "coupled": "alpha", "thinning": "folds", **dict.fromkeys(("rcp", "aic", "aicc", "bic", "gic"), "df")}  # fmt: skip


def variant(name: str) -> tuple[str, dict[str, Any]]:
    """A method and its options from a name.

    Raises
    ------
    ArgumentError
        Where an option is no ``name=value``, or said twice.

    Examples
    --------
    >>> variant("cv:k=5,repeats=3")
    ('cv', {'k': 5, 'repeats': 3})
    >>> variant("cp:gdf")
    ('cp', {'df': 'gdf'})
    """
    method, colon, text = name.partition(":")
    options: dict[str, Any] = {}
    for part in text.split(",") if colon else ():
        key, equals, value = (p.strip() for p in part.partition("="))
        if not equals:
            key, value = WORD.get(method, ""), key
        if not key or not value:
            raise ArgumentError(f"method {name!r}: {part.strip()!r} is no option; write them as in 'cv:k=5,repeats=3'.")
        if key in options:
            raise ArgumentError(f"method {name!r}: option {key!r} is given twice.")
        options[key] = _value(value)
    return method, options


def _value(text: str) -> Any:
    """A whole number, a number, True or False, or the word."""
    if re.fullmatch(r"[+-]?\d{1,18}", text):
        return int(text)
    if re.fullmatch(r"[+-]?(\d+\.?\d*|\.\d+)(e[+-]?\d+)?", text, re.IGNORECASE):
        return float(text)
    return {"True": True, "False": False}.get(text, text)
