"""Survival responses of formulas: ``Surv(time, event)`` and ``Surv(start, stop, event)`` as the rows that kernels read.

Rows are the ends of the interval in which the time lies (equal where it was observed, 0 for an end that is not known), and
the time from which on it was looked at.
"""

from __future__ import annotations

import re
from dataclasses import replace

import numpy as np

from ..checks.values import StoredText
from ..errors import ArgumentError, DataError
from ..formula import Design

_ROWS = re.compile(r"\{?(?P<stop>.+?)\}? \+ \{?\((?P<same>.+)\) \* \((?P<event>.+?)\)\}?( \+ \{?(?P<start>.+?)\}?)?")


def terms_of(formula: str) -> tuple[str, ...] | None:
    """Arguments of Surv() on the left of a formula; None where it stands there not.

    Raises
    ------
    ArgumentError
        Where there are not two or three.
    """
    if not isinstance(formula, str):  # refused by who reads it
        return None
    left = str.partition(formula, "~")[0].strip()
    if not left.startswith("Surv(") or not left.endswith(")"):
        return None
    parts, depth = [""], 0
    for letter in left[5:-1]:
        depth += (letter in "([{") - (letter in ")]}")
        if letter == "," and depth == 0:
            parts.append("")
        else:
            parts[-1] += letter
    terms = tuple(_bare(part.strip()) for part in parts)
    if len(terms) not in (2, 3) or not all(terms):
        raise ArgumentError(f"formula: {left!r} must be Surv(time, event) or Surv(start, stop, event).")
    return terms


def _bare(term: str) -> str:
    """A term without braces around it, which have no meaning inside Surv()."""
    return term[1:-1].strip() if term.startswith("{") and term.find("}") == len(term) - 1 else term


def as_rows(formula: str) -> str:
    """The formula with rows in the place of Surv()."""
    terms = terms_of(formula)
    if terms is None:
        return formula
    *start, stop, event = terms
    right = formula.partition("~")[2]
    text = f"{' + '.join([f'{{{stop}}}', f'{{({stop}) * ({event})}}', *(f'{{{s}}}' for s in start)])} ~{right}"
    return StoredText(text) if isinstance(formula, StoredText) else text  # a stranger's stays one


def readable(text: str) -> str:
    """A formula, or its left side, with Surv() in the place of rows that `as_rows` made."""
    left, sign, right = text.partition("~")
    found = _ROWS.fullmatch(left.strip())
    if found is None or found["stop"] != found["same"]:
        return text
    start = "" if found["start"] is None else f"{found['start']}, "
    made = f"Surv({start}{found['stop']}, {found['event']})"
    return f"{made} ~{right}" if sign else made


def told(design: Design, y: np.ndarray) -> Design:
    """The design with the response as kernels are told it (L', n): rows beside the formula's, which are never scaled."""
    scaling, more = design.scaling, len(y) - len(design.y)
    if scaling is not None and more:
        scaling = replace(
            scaling, y_mean=np.append(scaling.y_mean, np.zeros(more)), y_sd=np.append(scaling.y_sd, np.ones(more))
        )
    return replace(design, y=y, scaling=scaling)


def check_events(design: Design) -> None:
    """Raise DataError where events are not 0 or 1, or times not greater than 0."""
    stop, seen = design.y[0], design.y[1]
    if not np.all(stop > 0):
        wrong = stop[~(stop > 0)]
        raise DataError(
            f"response {design.response!r}: times must be greater than 0; {wrong.size} are not, the first is {wrong[0]:g}."
        )
    wrong = ~np.isclose(seen, 0.0) & ~np.isclose(seen, stop)
    if np.any(wrong):
        event = seen[wrong][0] / stop[wrong][0]
        raise DataError(
            f"response {design.response!r}: events must be 0 or 1 (or False and True); {int(wrong.sum())} are not, the first "
            f"is {event:g}.{coded(seen / stop)}"
        )


def coded(events: np.ndarray) -> str:
    """What to write where events are coded 1 and 2, as often in R."""
    two = np.all(np.isclose(events, 1.0) | np.isclose(events, 2.0))
    return " Where they are coded 1 and 2, 2 the event, write Surv(time, event == 2)." if two else ""
