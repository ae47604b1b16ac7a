"""Fingerprints of what a study is made of: the same in every process, others where code, options or data differ."""

from __future__ import annotations

import functools
import hashlib
import os
import re
import sys
import sysconfig
import types
from collections.abc import Iterable, Mapping
from typing import Any

import numpy as np
import pandas as pd

LENGTH = 16  # hexadecimal digits
DEEPEST = 40
ADDRESS = re.compile(r" at 0x[0-9a-fA-F]+")
EXACT = (bool, int, float, complex, str, bytes, type(None), type(Ellipsis))
PLAIN = (*EXACT, np.generic)


def fingerprint(thing: Any) -> str:
    """Hexadecimal digits that stand for an object.

    Functions and classes of users are told apart by their code, by what they close over, and by the functions and plain
    values of their own module that they name; those of installed packages by their names. Objects are their class and
    their attributes (of scikit-learn's their parameters), arrays and tables their values.
    """
    return _Hasher().of(thing, 0).hex()[:LENGTH]


def text(value: Any) -> str:
    """A repr without addresses; of an object that has none its type."""
    try:
        return ADDRESS.sub("", repr(value))
    except Exception:  # of any object's own method
        return f"a {type(value).__name__}"


class _Hasher:
    """Hashes objects, each once."""

    def __init__(self) -> None:
        self.known: dict[int, tuple[bytes, Any]] = {}  # the objects are kept, so that no other gets their numbers

    def of(self, thing: Any, depth: int) -> bytes:
        """The hash of an object: of its kind, and of the hashes of what it holds."""
        if isinstance(thing, PLAIN):
            return _hash(type(thing).__name__, repr(thing) if type(thing) in EXACT else text(thing))
        if id(thing) not in self.known:
            if depth > DEEPEST:
                return _hash("deep")
            self.known[id(thing)] = _hash("again"), thing  # where it contains itself
            try:
                words, parts = _taken_apart(thing)
                value = _hash(*words, *(self.of(part, depth + 1) for part in parts))
            except Exception:  # of any object's own methods
                value = _hash("object", type(thing).__module__, type(thing).__qualname__)
            self.known[id(thing)] = value, thing
        return self.known[id(thing)][0]


def _hash(*words: str | bytes) -> bytes:
    digest = hashlib.sha256()
    for word in words:
        data = word if isinstance(word, bytes) else word.encode("utf-8", "backslashreplace")
        digest.update(len(data).to_bytes(8, "big") + data)
    return digest.digest()


def _taken_apart(thing: Any) -> tuple[list[str | bytes], Iterable[Any]]:
    """What names an object's kind, and what it holds."""
    kind = type(thing)
    if isinstance(thing, np.ndarray):
        head: list[str | bytes] = ["array", str(thing.dtype), str(thing.shape)]
        objects = thing.dtype.hasobject
        return (head, thing.ravel().tolist()) if objects else ([*head, np.ascontiguousarray(thing).tobytes()], [])
    if isinstance(thing, pd.DataFrame | pd.Series | pd.Index):
        names = list(thing.columns) if isinstance(thing, pd.DataFrame) else thing.name
        values = thing.tolist() if isinstance(thing, pd.MultiIndex) else pd.util.hash_pandas_object(thing).to_numpy()
        return ["table", kind.__name__], [names, values]
    if isinstance(thing, Mapping):
        pairs = sorted(((fingerprint(key), part) for key, part in thing.items()), key=lambda pair: pair[0])
        return ["mapping", *(key for key, _ in pairs)], [part for _, part in pairs]
    if isinstance(thing, list | tuple):
        return [kind.__name__, str(len(thing))], thing
    if isinstance(thing, set | frozenset):
        return ["set", *sorted(map(fingerprint, thing))], []
    return _code(thing) or (["object"], [kind, _state(thing)])


def _code(thing: Any) -> tuple[list[str | bytes], Iterable[Any]] | None:
    """The same of what can be called, of classes and of their parts; None of others."""
    if isinstance(thing, types.CodeType):
        return ["code", thing.co_code, *thing.co_names, "", *thing.co_varnames], [thing.co_consts]
    if isinstance(thing, functools.partial):
        return ["partial"], [thing.func, thing.args, thing.keywords]
    if isinstance(thing, types.MethodType):
        return ["method"], [thing.__func__, thing.__self__]
    if isinstance(thing, classmethod | staticmethod):
        return [type(thing).__name__], [thing.__func__]
    if isinstance(thing, property):
        return ["property"], [thing.fget, thing.fset]
    if isinstance(thing, types.FunctionType):
        parts = (thing.__code__, thing.__defaults__, thing.__kwdefaults__, _closed(thing), _named(thing))
        return ["function", thing.__module__ or "", thing.__qualname__], [] if _installed(thing.__module__) else parts
    if isinstance(thing, type):
        own = {name: part for name, part in vars(thing).items() if _of_code(name, part)}
        bases = [base for base in thing.__bases__ if base is not object]
        return ["class", thing.__module__, thing.__qualname__], [] if _installed(thing.__module__) else [own, bases]
    if isinstance(thing, np.random.Generator):
        return ["generator"], [thing.bit_generator.state]
    if isinstance(thing, types.ModuleType | types.BuiltinFunctionType | np.ufunc):
        return ["name", getattr(thing, "__module__", None) or "", thing.__name__], []
    return None


def _state(thing: Any) -> Any:
    """What makes an object one of its class."""
    if callable(getattr(thing, "get_params", None)):
        return thing.get_params()
    state = getattr(thing, "__dict__", None)
    slots = [name for c in type(thing).__mro__ for name in _names(getattr(c, "__slots__", ()))]
    held = {name: getattr(thing, name) for name in slots if hasattr(thing, name) and not name.startswith("__")}
    if state is None and not held:
        return text(thing)
    return {**(state or {}), **held}


def _names(slots: Any) -> tuple[str, ...]:
    return (slots,) if isinstance(slots, str) else tuple(slots)


def _of_code(name: str, part: Any) -> bool:
    """Whether an attribute of a class is one of the user's, not one that Python makes."""
    if isinstance(part, types.FunctionType | classmethod | staticmethod | property):
        return True
    return isinstance(part, int | float | list | dict) and not name.startswith("__")


def _closed(function: types.FunctionType) -> list[Any]:
    out = []
    for cell in function.__closure__ or ():
        try:
            out.append(cell.cell_contents)
        except ValueError:  # not filled yet
            out.append("empty")
    return out


def _named(function: types.FunctionType) -> dict[str, Any]:
    """Functions, classes and plain values of its own module that a function names."""
    space, out = function.__globals__, {}
    for name in function.__code__.co_names:
        part = space.get(name)
        mine = getattr(part, "__module__", None) == function.__module__
        if isinstance(part, (*PLAIN, np.ndarray)) or (isinstance(part, types.FunctionType | type) and mine):
            out[name] = part
    return out


@functools.cache
def _installed(module: str | None) -> bool:
    """Whether a module belongs to Python or to an installed package (or to this one)."""
    if module is None or module.partition(".")[0] == __package__.partition(".")[0]:
        return module is not None
    if module == "builtins" or module.partition(".")[0] in sys.stdlib_module_names:
        return module != "__main__"
    file = getattr(sys.modules.get(module), "__file__", None)
    if module == "__main__" or file is None:
        return False
    places = {sysconfig.get_paths()[name] for name in ("purelib", "platlib", "stdlib", "platstdlib")}
    return any(os.path.realpath(file).startswith(os.path.realpath(place) + os.sep) for place in places)
