"""What counts as a right outcome of a call, and what as a fault."""

from __future__ import annotations

import hostile
import pytest
import trials
from campaigns import Call

import neuralstat as ns


def outcome(target, *positional, **named):
    fault, answered = trials.attempt(Call(target, positional, named, ("x", "y")))
    return ("answer" if answered else "refused") if fault is None else fault[0]


@pytest.mark.parametrize("call, expected", [
    (("ns.datasets.doppler", "5"), "answer"),
    (("ns.datasets.doppler", "'x'"), "refused"),  # an error of the package
    (("ns.datasets.doppler", "5", "0.1", "1", "0.1", "0.5", "7"), "refused"),  # a wrong signature, in Python's words
    (("ns.load", "'no such file'"), "refused"),
    (("ns.datasets.doppler", "-[1]"), "refused"),  # a text that makes nothing
    (("fit('smaller').design.x.reshape", "5"), "raw"),
    (("(lambda n: 1 / n)", "0"), "raw"),
])  # fmt: skip
def test_outcomes(call, expected):
    assert outcome(*call) == expected


def test_the_innermost_line_is_named(monkeypatch):
    monkeypatch.setattr(ns.datasets.generators, "check_size", lambda *_: 1 / 0)
    fault, _ = trials.attempt(Call("ns.datasets.doppler", ("5",), {}, ("n",)))
    assert fault[:2] == ("raw", fault[1]) and fault[1].startswith("ZeroDivisionError datasets/generators.py:")


def test_values_are_made_afresh():
    assert hostile.value("[1]") is not hostile.value("[1]")
    looped = hostile.value("itself()")
    assert looped[0] is looped
    with pytest.raises(hostile.SpiteError):
        bool(hostile.value("bad('__bool__')"))
