"""What arguments may be: kinds as data, checked at the door of public functions, drawn from by the tests that fuzz them.

    @arguments(draws=Whole(1, 100_000), alpha=SHARE, random_state=RANDOM_STATE)
    def intervals(fit, draws=200, alpha=0.05, random_state=None): ...

A call with anything else is an `ArgumentError` that names the argument, what was given and what would be right; what is
right arrives as the kind makes it (a whole float as int, a path as `Path`). Nothing is compared, hashed or converted before
its type is known. What is declared is in `DECLARED`, so that a new argument is fuzzed by being declared.
"""

from __future__ import annotations

import functools
import inspect
import math
import os
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Any, NamedTuple, TypeVar

import numpy as np

from ..errors import ArgumentError, NeuralStatError
from .values import MOST, StoredText, is_real, is_whole, real_array, shown

F = TypeVar("F", bound=Callable[..., Any])


class Kind:
    """What an argument may be.

    Attributes
    ----------
    words : str
        What would be right, as in "alpha must be {words}".
    examples : tuple
        Values that are right.
    """

    words: str
    examples: tuple[Any, ...] = ()

    def check(self, value: Any, name: str) -> Any:
        """The value as functions want it.

        Raises
        ------
        ArgumentError
            Names the argument, what would be right, and what was given.
        """
        raise NotImplementedError

    def refuse(self, value: Any, name: str) -> ArgumentError:
        """The error to raise."""
        return ArgumentError(f"{name} must be {self.words}; got {shown(value)}.")

    def __or__(self, other: Kind) -> Kind:
        return Either(self, other)


class Either(Kind):
    """One of several kinds: the first that takes the value."""

    kinds: tuple[Kind, ...]

    def __init__(self, *kinds: Kind) -> None:
        self.kinds = tuple(k for kind in kinds for k in (kind.kinds if isinstance(kind, Either) else (kind,)))
        *most, last = [kind.words for kind in self.kinds]
        self.words = f"{', '.join(most)} or {last}"
        self.examples = tuple(e for kind in self.kinds for e in kind.examples)

    def check(self, value: Any, name: str) -> Any:
        """As the first kind that takes it has it."""
        for kind in self.kinds:
            try:
                return kind.check(value, name)
            except ArgumentError:
                continue
        raise self.refuse(value, name)


class Exactly(Kind):
    """One object, as None."""

    def __init__(self, thing: Any) -> None:
        self.thing, self.words, self.examples = thing, repr(thing), (thing,)

    def check(self, value: Any, name: str) -> Any:
        """The object."""
        if value is not self.thing:
            raise self.refuse(value, name)
        return value


NONE = Exactly(None)


class Whole(Kind):
    """A whole number within bounds; floats that are whole are taken."""

    def __init__(self, least: int = 0, most: int = MOST) -> None:
        self.least, self.most = least, most
        self.words = f"a whole number >= {least}" + (f" and <= {most}" if most != MOST else "")
        self.examples = tuple(sorted({least, least + 1, min(least + 2, most)}))

    def check(self, value: Any, name: str) -> int:
        """An int."""
        whole = is_whole(value) or (isinstance(value, float | np.floating) and float(value).is_integer())
        number = int(value) if whole else 0  # before it is compared: narrow types overflow
        if not whole or number < self.least:
            raise self.refuse(value, name)
        if number > self.most:
            raise ArgumentError(f"{name} must be at most {self.most}; got {shown(value)}.")
        return number


class Number(Kind):
    """A finite real number within bounds; `above` and `below` leave the bound itself out."""

    def __init__(
        self, least: float = -math.inf, most: float = math.inf, *, above: float | None = None, below: float | None = None,
        infinite: bool = False,
    ) -> None:  # fmt: skip
        self.least, self.most, self.above, self.below, self.infinite = least, most, above, below, infinite
        bounds = [f"> {above:g}" if above is not None else f">= {least:g}" if least > -math.inf else "",
                  f"< {below:g}" if below is not None else f"<= {most:g}" if most < math.inf else ""]  # fmt: skip
        said = " and ".join(b for b in bounds if b)
        self.words = f"a {'' if infinite else 'finite '}number{' ' if said else ''}{said}"
        low = above if above is not None else least
        high = below if below is not None else most
        inner = (low + high) / 2 if math.isfinite(low + high) else low + 1.0 if math.isfinite(low) else 0.5
        self.examples = (inner, *(b for b in (least, most) if math.isfinite(b) and b not in (above, below)))

    def check(self, value: Any, name: str) -> float:
        """A float."""
        if not is_real(value):
            raise self.refuse(value, name)
        try:
            number = float(value)
        except OverflowError:
            raise self.refuse(value, name) from None
        inside = self.least <= number <= self.most and (self.infinite or math.isfinite(number))
        beyond = (self.above is not None and not number > self.above) or (self.below is not None and not number < self.below)
        if not inside or beyond:  # NaN is not inside
            raise self.refuse(value, name)
        return number


class Flag(Kind):
    """True or False; nothing else is read as one."""

    words = "True or False"
    examples = (True, False)

    def check(self, value: Any, name: str) -> bool:
        """A bool."""
        if not isinstance(value, bool | np.bool_):
            raise self.refuse(value, name)
        return bool(value)


class Choice(Kind):
    """One of some strings; a near miss is named."""

    def __init__(self, *names: str) -> None:
        self.names, self.examples = names, names
        self.words = f"one of {', '.join(map(repr, names))}" if len(names) > 1 else repr(names[0])

    def check(self, value: Any, name: str) -> str:
        """The string."""
        text = str.__str__(value) if isinstance(value, str) else None  # of a subclass, too, whatever its == does
        if text not in self.names:
            raise self.refuse(value, name)
        return str(text)


class Text(Kind):
    """A string, not empty."""

    words = "a string that is not empty"
    examples = ("x",)

    def check(self, value: Any, name: str) -> str:
        """The string."""
        if not isinstance(value, str) or not str.__str__(value):
            raise self.refuse(value, name)
        return value if type(value) is StoredText else str.__str__(value)


class FilePath(Kind):
    """A path of a file or folder."""

    words = "a path (a string or os.PathLike, not empty)"
    examples = ()  # of what is there only a caller knows

    def check(self, value: Any, name: str) -> Path:
        """A Path."""
        if not isinstance(value, str | os.PathLike):
            raise self.refuse(value, name)
        try:
            text = os.fspath(value)
            parts = os.fsencode(text).split(b"/")
        except Exception:  # text that no file system has; and what a foreign path says of itself is its own code
            raise self.refuse(value, name) from None
        if not isinstance(text, str) or not text or "\0" in text or max(map(len, parts)) > 255:
            raise self.refuse(value, name)
        return Path(text)


class Function(Kind):
    """Something to call."""

    words = "a function"

    def check(self, value: Any, name: str) -> Any:
        """The function."""
        if isinstance(value, type) or not callable(value):
            raise self.refuse(value, name)
        return value


class Instance(Kind):
    """An object of a class."""

    def __init__(self, kinds: type | tuple[type, ...], words: str, *examples: Any) -> None:
        self.classes, self.words, self.examples = kinds, words, examples

    def check(self, value: Any, name: str) -> Any:
        """The object."""
        if not isinstance(value, self.classes):
            raise self.refuse(value, name)
        return value


class Several(Kind):
    """A sequence (list, tuple, one-dimensional array), each item of one kind."""

    def __init__(self, kind: Kind, least: int = 1, most: int = 1_000_000) -> None:
        self.kind, self.least, self.most = kind, least, most
        self.words = f"a sequence of {least} or more items, each {kind.words}"
        self.examples = tuple([e] * max(least, 1) for e in kind.examples)

    def check(self, value: Any, name: str) -> tuple[Any, ...]:
        """A tuple of checked items."""
        array = isinstance(value, np.ndarray) and value.ndim == 1
        if not array and (isinstance(value, str | bytes) or not isinstance(value, Sequence)):
            raise self.refuse(value, name)
        if not self.least <= len(value) <= self.most:
            raise self.refuse(value, name)
        return tuple(self.kind.check(item, f"{name}[{k}]") for k, item in enumerate(value))


class Map(Kind):
    """A mapping with string keys, each value of one kind."""

    def __init__(self, kind: Kind) -> None:
        self.kind, self.words = kind, f"a mapping from names, each value {kind.words}"
        self.examples = tuple({"x": e} for e in kind.examples)

    def check(self, value: Any, name: str) -> dict[str, Any]:
        """A dict of checked values."""
        if not isinstance(value, Mapping) or not all(isinstance(key, str) for key in value):
            raise self.refuse(value, name)
        return {key: self.kind.check(item, f"{name}[{key!r}]") for key, item in value.items()}


class Numbers(Kind):
    """An array of real numbers: `ndim` dimensions unless None, finite unless said; None is no number."""

    def __init__(self, ndim: int | None = 1, *, finite: bool = True, least: int = 0) -> None:
        self.ndim, self.finite, self.least = ndim, finite, least
        shape = "" if ndim is None else f"of {ndim} dimension{'s' * (ndim != 1)} "
        self.words = f"an array {shape}of {'finite ' if finite else ''}numbers" + (f", {least} or more" if least else "")
        self.examples = () if ndim not in (0, 1) else (np.full((max(least, 1),) * ndim, 0.5),)

    def check(self, value: Any, name: str) -> np.ndarray:
        """A float array."""
        array = as_numbers(value, name, self)
        wrong = (self.ndim is not None and array.ndim != self.ndim) or array.size < self.least
        if wrong or (self.finite and not np.isfinite(array).all()):
            raise self.refuse(value, name)
        return array


class RandomState(Kind):
    """What a stream of random numbers begins with."""

    words = "None, a whole number >= 0 (or a list of them), a SeedSequence or a Generator"
    examples = (None, 0, 1, np.random.SeedSequence(1))

    def check(self, value: Any, name: str) -> Any:
        """As given; a Generator is not drawn from."""
        several = isinstance(value, list | tuple)
        try:
            numbers = [int(v) if is_whole(v) else -1 for v in (list(value) if several else [value])]
        except Exception:  # of the value's own methods
            raise self.refuse(value, name) from None
        if all(v >= 0 for v in numbers):
            return numbers if several else numbers[0]
        if value is None or isinstance(value, np.random.SeedSequence | np.random.Generator):
            return value
        raise self.refuse(value, name)


class Anything(Kind):
    """What a function checks by itself, since it depends on other arguments or on data; fuzzed all the same."""

    def __init__(self, words: str, *examples: Any) -> None:
        self.words, self.examples = words, examples

    def check(self, value: Any, name: str) -> Any:
        """As given."""
        return value


def as_numbers(value: Any, name: str, kind: Kind) -> np.ndarray:
    """A float array of real numbers; masked values are NaN. What is none is refused in the words of `kind`."""
    array = real_array(value, name)
    if array is None:
        raise kind.refuse(value, name)
    return array


SHARE = Number(above=0.0, below=1.0)  # alpha, a level, a share of the data
POSITIVE = Number(above=0.0)
NOT_NEGATIVE = Number(0.0)
FLAG = Flag()
TEXT = Text()
PATH = FilePath()
FUNCTION = Function()
RANDOM_STATE = RandomState()
N_JOBS = NONE | Exactly(-1) | Whole(1, 4096)
REP = Choice("best") | Whole(1)  # a repetition
REP_OR_MEAN = Choice("mean", "best") | Whole(1)
REPS = Choice("mean", "best", "all") | Whole(1)
DRAWS = 1_000_000  # the most that are drawn of anything; what they take together is compared with the memory


class Declared(NamedTuple):
    """A public function (or class) and the kinds of its arguments."""

    function: Any
    kinds: Mapping[str, Kind]


DECLARED: dict[str, Declared] = {}


def arguments(**kinds: Kind) -> Callable[[F], F]:
    """Declare what arguments of a function, method or class (a dataclass) may be; calls are checked.

    Parameters
    ----------
    **kinds : Kind
        By argument. Defaults are not checked, nor arguments that are not named.
    """

    def declare(function: F) -> F:
        inner = function.__init__ if isinstance(function, type) else function  # type: ignore[misc]
        signature = inspect.signature(inner)
        if lost := [name for name in kinds if name not in signature.parameters]:
            raise TypeError(f"{function.__qualname__} has no argument {lost[0]!r}")

        @functools.wraps(inner)
        def checked(*args: Any, **kwargs: Any) -> Any:
            try:
                bound = signature.bind(*args, **kwargs)
            except TypeError:
                return inner(*args, **kwargs)  # which says it in Python's words
            given = bound.arguments
            for name, kind in kinds.items():
                if name in given and given[name] is not signature.parameters[name].default:
                    try:
                        given[name] = kind.check(given[name], name)
                    except NeuralStatError:
                        raise
                    except Exception:  # of the value's own methods
                        raise kind.refuse(given[name], name) from None
            return inner(*bound.args, **bound.kwargs)

        key = f"{function.__module__.removeprefix('neuralstat.')}.{function.__qualname__}"
        if isinstance(function, type):
            function.__init__ = checked  # type: ignore[misc]
            DECLARED[key] = Declared(function, kinds)
            return function
        DECLARED[key] = Declared(checked, kinds)
        return checked  # type: ignore[return-value]

    return declare
