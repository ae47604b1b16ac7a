"""Pickles that hold arrays, numbers, texts, lists and dicts only: read without executing anything.

Files of data that are pickles exist (CIFAR-10 for Python; arrays of lists in `.npz`). Python's `pickle` would call what
such a file names. Here the few names that numpy writes stand for functions of this module, which check what they are
given; every other name, and every instruction that could call or change anything else, is refused. So is a list, table or
array that is used twice (a few bytes would stand for as much as one likes), and what takes more memory than it may.
"""

from __future__ import annotations

import io
import math
import pickle
import re
from typing import Any, ClassVar

import numpy as np

from neuralstat.errors import FileFormatError

_NUMBER = re.compile(rb"K.|M..|J....", re.DOTALL)  # BININT1, BININT2, BININT
_NUMBERS = re.compile(rb"(?:K.|M..|J....)+", re.DOTALL)
_DTYPE = re.compile(r"[<>|=]?([biufSU]\d{1,4}|[?])")
_OPS = (
    pickle.PROTO, pickle.FRAME, pickle.STOP, pickle.POP, pickle.POP_MARK, pickle.MARK, pickle.NONE,
    pickle.NEWTRUE, pickle.NEWFALSE, pickle.INT, pickle.BININT, pickle.BININT1, pickle.BININT2, pickle.LONG, pickle.LONG1,
    pickle.LONG4, pickle.FLOAT, pickle.BINFLOAT, pickle.STRING, pickle.BINSTRING, pickle.SHORT_BINSTRING, pickle.BINBYTES,
    pickle.SHORT_BINBYTES, pickle.BINBYTES8, pickle.UNICODE, pickle.BINUNICODE, pickle.SHORT_BINUNICODE,
    pickle.BINUNICODE8, pickle.EMPTY_TUPLE, pickle.TUPLE, pickle.TUPLE1, pickle.TUPLE2, pickle.TUPLE3, pickle.EMPTY_LIST,
    pickle.LIST, pickle.EMPTY_DICT, pickle.DICT, pickle.APPEND, pickle.APPENDS, pickle.SETITEM, pickle.SETITEMS, pickle.PUT,
    pickle.BINPUT, pickle.LONG_BINPUT, pickle.GET, pickle.BINGET, pickle.LONG_BINGET, pickle.MEMOIZE,
    pickle.GLOBAL, pickle.STACK_GLOBAL,
)  # fmt: skip


class _Dtype:
    """Stands for numpy.dtype."""

    def __init__(self, text: Any) -> None:
        text = text.decode("latin1") if isinstance(text, bytes) else text
        self.object = text in ("O", "O8", "|O", "O4")
        if not self.object and not (isinstance(text, str) and _DTYPE.fullmatch(text)):
            raise FileFormatError(f"it holds an array of dtype {text!r:.40}, which is not read")
        self.text, self.order = text, ""

    def set(self, state: Any) -> Any:
        """State: version, byte order, and what plain dtypes do not have."""
        order = state[1].decode("latin1") if isinstance(state[1], bytes) else state[1]
        if order not in ("<", ">", "|", "=") or any(part is not None for part in state[2:5]):
            raise FileFormatError("it holds an array of a dtype with parts, which is not read")
        self.order = "<" if order == "=" else order
        return self

    def numpy(self) -> np.dtype:
        """The dtype that it stands for."""
        if self.object:
            return np.dtype(object)
        return np.dtype(self.order + self.text.lstrip("<>|=") if self.order in ("<", ">") else self.text)


class _Array:
    """Stands for an array whose contents come with its state."""

    def set(self, state: Any) -> np.ndarray:
        """State: version, shape, dtype, Fortran order, contents."""
        _, shape, dtype, fortran, raw = state
        return _array(raw, dtype, shape, "F" if fortran else "C")


class _Name:
    """A name that may stand in a pickle."""

    def __init__(self, kind: str) -> None:
        self.kind = kind

    def call(self, arguments: tuple[Any, ...]) -> Any:
        """What a call of it gives."""
        if self.kind == "reconstruct":
            return _Array()
        if self.kind == "dtype":
            return _Dtype(arguments[0])
        if self.kind == "frombuffer":
            return _array(*arguments)
        if self.kind == "scalar":
            return _array(arguments[1], arguments[0], (1,), "C")[0]
        if self.kind == "encode" and isinstance(arguments[0], str) and arguments[1] in ("latin1", "latin-1", b"latin1"):
            return arguments[0].encode("latin1")
        raise FileFormatError(f"it calls {self.kind!r}, which is not done")


def _array(raw: Any, dtype: Any, shape: Any, order: Any) -> np.ndarray:
    if not isinstance(dtype, _Dtype) or not isinstance(shape, tuple) or len(shape) > 8 \
            or not all(type(n) is int and n >= 0 for n in shape) or order not in ("C", "F"):  # fmt: skip
        raise FileFormatError("it holds a damaged array")
    kind = dtype.numpy()
    if dtype.object:
        if not isinstance(raw, list) or len(raw) != math.prod(shape):
            raise FileFormatError("it holds a damaged array of lists")
        out = np.empty(len(raw), object)
        for k, item in enumerate(raw):
            out[k] = item
        return out.reshape(shape, order=order)
    if isinstance(raw, str):
        raw = raw.encode("latin1")
    if not isinstance(raw, bytes | bytearray) or len(raw) != math.prod(shape) * kind.itemsize or kind.itemsize == 0:
        raise FileFormatError("it holds an array whose bytes do not have its shape")
    return np.frombuffer(bytes(raw), kind).reshape(shape, order=order)


_NAMES = {
    **{(f"numpy.{core}.multiarray", name): kind for core in ("core", "_core")
       for name, kind in (("_reconstruct", "reconstruct"), ("scalar", "scalar"))},
    **{(f"numpy.{core}.numeric", "_frombuffer"): "frombuffer" for core in ("core", "_core")},
    ("numpy", "ndarray"): "ndarray", ("numpy", "dtype"): "dtype", ("_codecs", "encode"): "encode",
}  # fmt: skip


_PYTHON: Any = pickle._Unpickler  # the one in Python: the compiled one trusts sizes in the file
_SIZES = {
    pickle.MARK: 72, pickle.EMPTY_LIST: 64, pickle.LIST: 64, pickle.EMPTY_DICT: 72, pickle.DICT: 240, pickle.SETITEM: 100,
    pickle.SETITEMS: 100, pickle.EMPTY_TUPLE: 8, pickle.TUPLE: 56, pickle.TUPLE1: 56, pickle.TUPLE2: 64, pickle.TUPLE3: 72,
    pickle.PUT: 100, pickle.BINPUT: 100, pickle.LONG_BINPUT: 100, pickle.MEMOIZE: 100, pickle.GLOBAL: 120,
    pickle.STACK_GLOBAL: 120, pickle.REDUCE: 200, pickle.BUILD: 200,
}  # fmt: skip
_COST = [0] * 256  # bytes of memory that an instruction takes, besides those of its text
for _op in _OPS:
    _COST[_op[0]] = _SIZES.get(_op, 40)
_COST[pickle.REDUCE[0]] = _COST[pickle.BUILD[0]] = 200
_SIMPLE = (bytes, str, int, float, bool, type(None), _Name, _Dtype)


class _Reader(_PYTHON):
    dispatch: ClassVar[dict[int, Any]] = {op[0]: _PYTHON.dispatch[op[0]] for op in _OPS}

    def find_class(self, module: Any, name: Any) -> _Name:
        kind = _NAMES.get((module, name))
        if kind is None:
            raise FileFormatError(f"it is a pickle that names {f'{module}.{name}'!r:.80}; only arrays, numbers and texts "
                                  "are read")  # fmt: skip
        return _Name(kind)

    def load_reduce(self) -> None:
        arguments = self.stack.pop()
        called = self.stack[-1]
        if not isinstance(called, _Name) or not isinstance(arguments, tuple):
            raise FileFormatError("it calls something that is no function of numpy")
        self.spend(sum(_weight(part) for part in arguments))
        self.stack[-1] = called.call(arguments)

    dispatch[pickle.REDUCE[0]] = load_reduce

    def load_build(self) -> None:
        state = self.stack.pop()
        if not isinstance(self.stack[-1], _Dtype | _Array) or not isinstance(state, tuple):
            raise FileFormatError("it changes something that is no array")
        self.spend(sum(_weight(part) for part in state))
        self.stack[-1] = self.stack[-1].set(state)

    dispatch[pickle.BUILD[0]] = load_build

    def __init__(self, raw: Any, most: int) -> None:
        self.raw, self.file, self.left = raw, io.BytesIO(raw), most
        super().__init__(self.file, encoding="bytes")

    def load_frame(self) -> None:
        self.read(8)  # frames say nothing that matters where all bytes are at hand

    dispatch[pickle.FRAME[0]] = load_frame

    def load_mark(self) -> None:
        """Push a mark; and the whole numbers after it at once, as long lists of them are what takes time."""
        super().load_mark()
        run = _NUMBERS.match(self.raw, self.file.tell())
        if run is not None:
            self.spend(20 * (run.end() - run.start()))
            self.stack.extend(int.from_bytes(t[1:], "little", signed=len(t) == 5) for t in _NUMBER.findall(run[0]))
            self.file.seek(run.end())

    dispatch[pickle.MARK[0]] = load_mark

    def spend(self, cost: int) -> None:
        """Count memory."""
        self.left -= cost
        if self.left < 0:
            raise FileFormatError("what it holds takes more memory than it may")

    def load_bytearray8(self) -> None:
        size = int.from_bytes(self.read(8), "little")
        raw = self.read(min(size, len(self.raw)))  # no memory before there are bytes for it
        if len(raw) < size:
            raise EOFError("it is cut off")
        self.append(bytearray(raw))

    dispatch[pickle.BYTEARRAY8[0]] = load_bytearray8

    def again(self, key: Any) -> None:
        """Push something that was put aside: what is simple only."""
        thing = self.memo[key]
        if not isinstance(thing, _SIMPLE) and not (isinstance(thing, tuple) and all(isinstance(t, _SIMPLE) for t in thing)):
            raise FileFormatError(f"it uses a {type(thing).__name__.strip('_').lower()} twice")
        self.append(thing)

    def load_get(self) -> None:
        self.again(int(self.readline()[:-1]))

    def load_binget(self) -> None:
        self.again(self.read(1)[0])

    def load_long_binget(self) -> None:
        self.again(int.from_bytes(self.read(4), "little"))

    dispatch[pickle.GET[0]], dispatch[pickle.BINGET[0]] = load_get, load_binget
    dispatch[pickle.LONG_BINGET[0]] = load_long_binget

    def load(self) -> Any:
        self.read, self.readline, self.readinto = self.file.read, self.file.readline, self.file.readinto
        self.memo: dict[int, Any] = {}
        self.stack: list[Any] = []
        self.metastack: list[Any] = []
        self.proto, self.append = 0, self.stack.append
        dispatch = self.dispatch
        try:
            while True:
                key = self.read(1)
                if not key:
                    raise EOFError("it is cut off")
                self.left -= _COST[key[0]]
                if self.left < 0:
                    self.spend(0)
                dispatch[key[0]](self)
        except pickle._Stop as stop:  # type: ignore[attr-defined]
            return stop.value


def _weight(part: Any) -> int:
    """Memory of what is made anew from an argument."""
    return 8 * len(part) if isinstance(part, list) else len(part) if isinstance(part, bytes | bytearray | str) else 0


def read_pickle(raw: Any, most: int = 2**28) -> Any:
    """What a pickle holds: arrays, numbers, bytes, str, lists, tuples and dicts.

    Texts of Python 2 are bytes.

    Parameters
    ----------
    raw : bytes or memoryview
    most : int
        Bytes of memory that all of it may take, besides those of `raw`.

    Raises
    ------
    FileFormatError
        Where it holds anything else, or is damaged.
    """
    try:
        return _Reader(raw, most).load()
    except FileFormatError:
        raise
    except Exception as error:  # a damaged pickle can raise anything
        raise FileFormatError(f"it is a damaged pickle, or holds what is not read ({type(error).__name__}: {error!s:.60})") \
            from None  # fmt: skip
