"""Kinds of arguments: what each takes and refuses, and the door that declares them."""

from __future__ import annotations

import inspect
import itertools
import os
import subprocess
import sys
from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
from nonsense import ENDLESS, Hostile

from neuralstat.checks import arguments as A
from neuralstat.checks import check_choice, check_hidden, check_int, check_number, check_pair, check_size, shown
from neuralstat.errors import ArgumentError, TooLargeError

NONSENSE = [Hostile(), b"x", 3 + 1j, float("nan"), np.array([[1, 2]]), np.array([[np.nan]]), pd.NaT, {}, {"a": {}}, object,
            ENDLESS, 10**400,
            -(10**400), np.datetime64("2020-01-01"), np.timedelta64(1), pd.Series([1, 2]), "\0", ""]  # fmt: skip
KINDS = {
    "whole": A.Whole(1, 10), "number": A.Number(-5, 5), "share": A.SHARE, "flag": A.FLAG, "jobs": A.N_JOBS,
    "choice": A.Choice("a", "b"), "text or none": A.NONE | A.TEXT, "several": A.Several(A.Whole(1)),
    "map": A.Map(A.NOT_NEGATIVE), "either": A.Whole(1) | A.Several(A.Whole(1), 2),
    "instance": A.Instance(Path, "a Path", Path(".")),
}  # fmt: skip


@pytest.mark.parametrize("name", KINDS)
def test_examples_are_right(name):
    assert KINDS[name].examples
    for value in KINDS[name].examples:
        KINDS[name].check(value, "thing")


@pytest.mark.parametrize("name", [n for n in KINDS if n not in ("map", "text or none")])
@pytest.mark.parametrize("value", NONSENSE, ids=lambda v: type(v).__name__)
def test_nonsense_is_refused_in_words(name, value):
    with pytest.raises(ArgumentError, match=r"^thing") as caught:
        KINDS[name].check(value, "thing")
    assert len(str(caught.value)) < 300


@pytest.mark.parametrize("kind", [A.Numbers(1), A.Numbers(None), A.RANDOM_STATE, A.FUNCTION, A.PATH])
@pytest.mark.parametrize(
    "value", [Hostile(), 3 + 1j, {}, np.datetime64("2020"), [1, [2]], ENDLESS, ["a"]], ids=lambda v: type(v).__name__
)
def test_nonsense_arrays_streams_functions_paths(kind, value):
    with pytest.raises(ArgumentError, match=r"^thing"):
        kind.check(value, "thing")


def test_what_arrives():
    assert A.Whole(0).check(np.float64(3.0), "n") == 3
    assert isinstance(A.Whole(0).check(np.int8(3), "n"), int)
    assert A.Number().check(np.float32(0.5), "x") == 0.5
    assert A.FLAG.check(np.True_, "f") is True
    assert A.Several(A.Whole(1)).check(np.array([1, 2]), "n") == (1, 2)
    assert A.PATH.check("a", "p") == Path("a")
    np.testing.assert_array_equal(A.Numbers(1, finite=False).check(np.ma.array([1, 2], mask=[0, 1]), "x"), [1, np.nan])
    np.testing.assert_array_equal(A.Numbers(1).check([True, 2], "x"), [1, 2])


def test_bounds():
    for kind, wrong in [
        (A.Whole(1, 3), (0, 4, 1.5, True, "1")), (A.SHARE, (0, 1, 0.0, np.inf)), (A.Number(0, 1), (-0.1, 1.1)),
        (A.FLAG, (1, 0, "yes", None)), (A.N_JOBS, (0, -2)), (A.Several(A.Whole(1), 2), ([1], [1, 0])),
    ]:  # fmt: skip
        for value in wrong:
            with pytest.raises(ArgumentError, match="x"):
                kind.check(value, "x")
    with pytest.raises(ArgumentError, match=r"x\[1\] must be a whole number >= 1; got 0"):
        A.Several(A.Whole(1)).check([1, 0], "x")


class Elsewhere(os.PathLike):
    def __fspath__(self):
        raise RuntimeError("touched")


@pytest.mark.parametrize("value", ["", "a\0b", "\ud800", "x" * 300, f"a/{'x' * 256}/b", b"x", Elsewhere()])
def test_paths_that_no_file_system_has(value):
    with pytest.raises(ArgumentError, match=r"^to must be a path"):
        A.PATH.check(value, "to")


def test_sizes_and_types_come_before_values():
    with pytest.raises(ArgumentError, match=r"^n must be a whole number"):
        A.Whole(1).check(np.float16(0), "n")  # 2**31 - 1 is no float16
    for value in (range(10**12), np.broadcast_to(np.int8(1), (10**11,))):
        with pytest.raises(TooLargeError, match=r"^x as an array"):
            A.Numbers(1).check(value, "x")
    with pytest.raises(ArgumentError, match=r"^hidden must name at most 1,000 layers"):
        check_hidden(range(10**12))
    for value in (itertools.repeat("x"), {1, 2}, "12", np.ones((2, 2)), [1, 2, 3]):
        with pytest.raises(ArgumentError, match=r"^pair must consist of two numbers"):
            check_pair(value, "pair", "min", "max")


@A.arguments(n=A.Whole(1), share=A.NONE | A.SHARE)
def taken(first, n=2, *, share=None, **rest):
    return first, n, share, rest


def test_the_door():
    assert taken(object, 3.0, share=0.5, other=1) == (object, 3, 0.5, {"other": 1})
    assert taken(first=1) == (1, 2, None, {})
    assert list(inspect.signature(taken).parameters) == ["first", "n", "share", "rest"]
    with pytest.raises(ArgumentError, match=r"^n must be a whole number >= 1; got 0.5"):
        taken(1, 0.5)
    with pytest.raises(TypeError, match="first"):
        taken()
    with pytest.raises(TypeError, match=r"has no argument 'm'"):
        A.arguments(m=A.FLAG)(lambda n: n)
    assert next(d for d in A.DECLARED.values() if d.function is taken).kinds.keys() == {"n", "share"}


@A.arguments(size=A.Whole(1))
@dataclass(frozen=True)
class Box:
    size: int = 1


def test_the_door_of_dataclasses():
    assert Box(2.0) == Box(2) and replace(Box(), size=3).size == 3
    with pytest.raises(ArgumentError, match=r"^size must be"):
        replace(Box(), size="3")


def test_older_checks():
    for value in (10**30, Hostile(), np.array([1, 2]), "1"):
        with pytest.raises(ArgumentError, match=r"^n must"):
            check_int(value, "n", 0)
        with pytest.raises(ArgumentError, match=r"^c must"):
            check_choice(value, "c", (None, "a", True))
    for value in (10**400, np.inf, np.nan, 1j, Hostile()):
        with pytest.raises(ArgumentError, match=r"^x must"):
            check_number(value, "x")
    for value in (b"x", np.ones((2, 2)), "1", 10**30, [[1]]):
        with pytest.raises(ArgumentError, match=r"^hidden"):
            check_hidden(value)


def test_shown_is_short_whatever_it_is():
    assert shown(Hostile()) == "a Hostile"
    assert shown("abc") == "'abc'"
    for value in ([1] * 10**5, "x" * 10**6, 10**5000, {k: k for k in range(10**4)}, np.zeros(10**5), ENDLESS):
        assert len(shown(value)) <= 80


def test_sizes_are_refused_before_they_are_made():
    check_size(10**6, "a thing")
    with pytest.raises(TooLargeError, match=r"^draws=10: 7.45e\+03 GiB would be needed"):
        check_size(10**12, "draws=10")


class Spiteful(dict):
    """A dict that cannot be read."""

    def _fail(self, *_):
        raise RuntimeError("touched")

    keys = items = __iter__ = __len__ = __getitem__ = _fail


class Odd(int):
    """A whole number that cannot be converted or compared."""

    def _fail(self, *_):
        raise RuntimeError("touched")

    __lt__ = __le__ = __gt__ = __ge__ = __int__ = __index__ = _fail


def test_what_values_do_themselves_is_no_error_of_ours():
    @A.arguments(options=A.Map(A.FLAG), n=A.Whole(1), state=A.RANDOM_STATE)
    def taken(options=None, n=1, state=None):
        return options

    for name, value in (("options", Spiteful(a=1)), ("n", Odd(3)), ("state", Odd(3)), ("state", [Odd(3)])):
        with pytest.raises(ArgumentError, match=f"^{name} must be"):
            taken(**{name: value})


def test_items_and_positions():
    from neuralstat.checks import check_items, position

    raises = type("Raises", (), {"__eq__": lambda *_: 1 / 0, "__hash__": None, "__repr__": lambda _: 1 / 0})()
    for items in ([1, 2], (1, 2), np.array([1, 2]), range(1, 3), {1: 0, 2: 0}.keys()):
        assert list(check_items(items, "items", "some items")) == [1, 2]
    for wrong in ("ab", 3, None, np.ones((2, 2)), np.array(3), raises, {"a": 1}, (k for k in "ab"), int):
        with pytest.raises(ArgumentError, match="items must be some items"):
            check_items(wrong, "items", "some items")
    with pytest.raises(ArgumentError, match="items must have at most 1,000,000 items"):
        check_items(range(10**12), "items", "some items")
    known = ["a", 1, "b"]
    assert [position(v, known) for v in ("a", 1, 1.0, "b", "c", None)] == [0, 1, 1, 2, None, None]
    for odd in (raises, np.array(["a", "b"]), np.array("a"), float("nan"), [1]):
        assert position(odd, known) is None


def test_limits_of_the_process_are_known():
    script = (
        "import resource, neuralstat.checks.memory as m\n"
        "resource.setrlimit(resource.RLIMIT_AS, (2**32, 2**32))\n"
        "assert m.memory_at_hand() < 2**32\n"
    )
    subprocess.run([sys.executable, "-c", script], check=True)
