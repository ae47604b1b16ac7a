"""Values that nobody means, as text that makes them: what `campaigns` puts where an argument belongs.

Text, so that a call that fails can be printed, and repeated in another process: `value(text)` makes the value, afresh.
"""

from __future__ import annotations

import array
import collections
import datetime
import decimal
import enum
import fractions
import functools
import io
import itertools
import math
import re
import threading
import types
import warnings
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd

import neuralstat as ns
from neuralstat.checks.arguments import DECLARED
from neuralstat.cli import main

ROWS = 12
RAISING = (
    "__eq__", "__hash__", "__bool__", "__repr__", "__str__", "__len__", "__iter__", "__array__", "__float__", "__index__",
    "__getattr__", "__fspath__", "__lt__", "__getitem__", "__contains__", "__copy__", "__deepcopy__", "__reduce__",
)  # fmt: skip


class SpiteError(Exception):
    """What objects of `bad` raise: it must not come out of the package."""


class Colour(enum.Enum):
    """An enumeration, members of which are no strings."""

    RED = "x"


@functools.cache
def _bad_class(name: str) -> type:
    def spite(*_: Any, **__: Any) -> Any:
        raise SpiteError(name)

    return type("Bad", (), {name: spite, **({"__hash__": object.__hash__} if name == "__eq__" else {})})


def bad(name: str) -> Any:
    """An object of which one special method raises."""
    return _bad_class(name)()


def itself(kind: type = list) -> Any:
    """A list or dict that contains itself."""
    if kind is list:
        loop: Any = []
        loop.append(loop)
    else:
        loop = {}
        loop["x"] = loop
    return loop


def deep(levels: int = 3000) -> list[Any]:
    """Lists in lists."""
    nest: list[Any] = []
    for _ in range(levels):
        nest = [nest]
    return nest


@functools.cache
def _table() -> pd.DataFrame:
    draw = np.random.default_rng(0)
    x, z = draw.uniform(0.1, 1, ROWS), draw.normal(size=ROWS)
    return pd.DataFrame({
        "y": np.sin(6 * x) + 0.3 * z + draw.normal(scale=0.1, size=ROWS), "x": x, "z": z, "g": list("abcabcabcabc"),
        "h": draw.integers(0, 2, ROWS), "w": draw.uniform(0.5, 2, ROWS), "k": draw.poisson(3, ROWS),
        "t": pd.date_range("2020-01-01", periods=ROWS), "s": ["one two", "two three", "one"] * 4,
    })  # fmt: skip


def data() -> pd.DataFrame:
    """Twelve rows: numbers y, x, z, w > 0, counts k, 0/1 h, a factor g, dates t, text s."""
    return _table().copy()


def arrays() -> dict[str, Any]:
    """Twelve images of 4 x 4 pixels, and a response."""
    draw = np.random.default_rng(1)
    return {"y": draw.normal(size=ROWS), "p": draw.uniform(size=(ROWS, 4, 4, 1))}


def example(key: str, name: str, number: int) -> Any:
    """What the kind of an argument names as right."""
    return DECLARED[key].kinds[name].examples[number]


def axes() -> Any:
    """Axes of matplotlib."""
    from matplotlib.figure import Figure

    return Figure().subplots()


SMALL: dict[str, Any] = {"stepmax": 50, "rep": 1, "random_state": 1}


@functools.cache
def _fit(name: str) -> Any:
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        if name == "gaussian":
            return ns.neuralnet("y ~ x + g", data(), hidden=2, rep=2, penalty=ns.decay(0.1), algorithm="lm", stepmax=200,
                                random_state=1)  # fmt: skip
        if name == "multinomial":
            return ns.neuralnet("g ~ x + z", data(), hidden=1, family="multinomial", penalty=ns.decay(0.1), **SMALL)
        if name == "binomial":
            return ns.neuralnet("h ~ x + z", data(), hidden=0, family="binomial", random_state=1)
        if name == "survival":
            return ns.neuralnet("Surv(w, h) ~ x", data(), hidden=0, family="weibull", random_state=1)
        if name == "epochs":
            layers = [ns.layers.Conv2D(2, 3, "relu"), ns.layers.Flatten(), ns.layers.Dropout(0.3), ns.layers.Dense(2, "tanh")]
            return ns.neuralnet("y ~ p", arrays(), layers=layers, algorithm="adam", epochs=3, batch_size=6, random_state=1)
        if name == "arrays":
            table = data()
            return ns.NeuralNet(table["y"].to_numpy(), table[["x", "z"]].to_numpy(), hidden=2, **SMALL).fit()
        if name == "smaller":
            return ns.neuralnet("y ~ x", data(), hidden=1, penalty=ns.decay(0.1), algorithm="lm", stepmax=200, random_state=1)
    raise KeyError(name)


@functools.cache
def chosen() -> Any:
    """What `select` returns."""
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        return ns.select("y ~ x", data(), hidden=[0, 1], criterion="aic", df="weights", rep=1, stepmax=50, random_state=1)


@functools.cache
def studied() -> Any:
    """What `study` returns."""
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        models = [ns.study.bs(4), ns.study.bs(5)]
        return ns.study.study(models, "doppler", 0.1, 12, 2, ("training", "cp"), n_jobs=1, random_state=1)


FITS = ("gaussian", "multinomial", "binomial", "epochs", "arrays", "survival")


def fit(name: str) -> Any:
    """A fit; calls must not change it."""
    return _fit(name)


def prepare() -> None:
    """Make what calls share, before processes are forked."""
    for name in (*FITS, "smaller"):
        fit(name)


NAMES: dict[str, Any] = {
    "np": np, "pd": pd, "ns": ns, "math": math, "datetime": datetime, "Decimal": decimal.Decimal, "io": io, "re": re,
    "Fraction": fractions.Fraction, "itertools": itertools, "array": array, "threading": threading, "types": types,
    "Path": Path, "collections": collections, "nan": math.nan, "inf": math.inf, "bad": bad, "itself": itself, "deep": deep,
    "data": data, "arrays": arrays, "example": example, "axes": axes, "fit": fit, "Colour": Colour,
    "chosen": chosen, "studied": studied, "main": main,
}  # fmt: skip


def value(text: str) -> Any:
    """What the text makes."""
    return eval(text, dict(NAMES))


NUMBERS = (
    "None", "True", "False", "nan", "inf", "-inf", "-0.0", "0.0", "1e308", "-1e308", "5e-324", "0", "-1", "1", "2", "3", "7",
    "0.5", "-0.5", "1.5", "1e-300", "10**7 + 1", "2**31 - 1", "2**31", "2**63", "-2**63 - 1", "10**30", "10**400", "-10**400",
    "10**5000", "np.bool_(True)", "np.float32(0.5)", "np.int8(-128)", "np.uint64(2**64 - 1)", "np.float64(nan)", "1j",
    "complex(nan, inf)", "Decimal('1')", "Decimal('sNaN')", "Fraction(1, 2)", "np.longdouble(1)", "np.float16(1)",
    "np.timedelta64(3, 's')", "np.datetime64('NaT')", "np.complex128(1)",
)  # fmt: skip
TEXTS = (
    "''", "' '", "'x'", "'y'", "'z'", "'g'", "'auto'", "'best'", "'all'", "'mean'", "'x' * 5000", "'\\0'", "'x\\0y'",
    "'\\ud800'", "'\\u2713 \\xe9'", "'../x'", "'/dev/null'", "'/dev/zero'", "'/proc/self/mem'", "'a/b/c'", "'.'", "'..'",
    "'y ~ x'", "'~'", "'y ~'", "'$\\\\frac{1$'", "'1e5'", "'nan'", "'-1'", "'%s%n{}{0}'", "'\\n'", "b''", "b'x'",
    "bytearray(3)", "memoryview(b'x')", "np.str_('x')", "np.bytes_(b'x')", "'Intercept'", "'None'", "'X'",
)  # fmt: skip
CONTAINERS = (
    "[]", "[[]]", "[[1, 2], [3]]", "itself()", "itself(dict)", "deep()", "()", "(1,)", "(1, 2)", "(0, 1, 2)", "('x',)",
    "['x', 'x']", "[None]", "[nan]", "[inf, -inf]", "['x', 1]", "[True]", "[10**400]", "[0] * 12", "[1.5] * 12", "set()",
    "{1}", "{'x', 'y'}", "frozenset({'x'})", "{}", "{'x': 1}", "{'y': [1, 2]}", "{1: 2}", "{None: None}", "{'x': {'x': {}}}",
    "{'x': nan}", "{'x': None}", "{'': 0}", "range(3)", "range(10**12)", "slice(None)", "collections.deque([1])",
    "collections.OrderedDict(x=1)", "collections.namedtuple('T', 'x')(1)", "types.MappingProxyType({})", "{}.keys()",
    "collections.ChainMap()", "collections.UserDict(x=1)", "[[[[1]]]]", "[np.ones(3), np.ones(2)]", "[[True, None]]",
)  # fmt: skip
ARRAYS = (
    "np.array(1.0)", "np.array(None)", "np.array([])", "np.zeros((0, 3))", "np.zeros((12, 0))", "np.zeros((2, 2))",
    "np.zeros((2, 2, 2))", "np.arange(12.0)", "np.arange(12)", "np.ones(12)", "np.full(12, nan)", "-np.ones(12)",
    "np.ones((12, 1))", "np.ones((12, 2))", "np.array([1, 'a', None], dtype=object)", "np.array(['a', 'b'])",
    "np.array(['2020-01-01'], dtype='M8[D]')", "np.array([1], 'm8[s]')", "np.array([1j, 2])",
    "np.ma.masked_array([1.0, 2, 3], [0, 1, 0])", "np.ma.masked", "np.float16([1, 2])", "np.longdouble([1, 2])",
    "np.matrix([[1, 2], [3, 4]])", "np.matrix([[1]])", "np.zeros(3, dtype=[('a', float), ('b', int)])",
    "np.array([True] * 12)", "np.array([b'x'])", "np.array([1e308] * 12)", "np.array([5e-324] * 12)",
    "np.broadcast_to(np.int8(1), (10**11,))", "np.zeros((1,) * 32)", "np.array([[]])", "np.rec.array([(1, 2)])",
    "np.array([0, 1])", "np.array([itself()], dtype=object)", "np.char.array(['x'])", "np.nditer(np.ones(2))", "np.float64",
    "np.dtype(float)",
)  # fmt: skip
TABLES = (
    "pd.Series([1.0, 2.0])", "pd.Series(dtype=float)", "pd.Series(['a', None])", "pd.Series(1.0, index=range(12))",
    "pd.Series(1, index=['x'])", "pd.DataFrame()", "pd.DataFrame({'x': [1.0, 2.0]})", "data()", "data().iloc[:0]",
    "data().iloc[:1]", "data()['g']", "data()['t']", "data().assign(x='a')", "data().assign(x=None)", "data().astype(str)",
    "data().assign(x=nan)", "data().assign(x=inf, z=1e308)", "data()[['x']]", "data().drop(columns='x')", "data().T",
    "arrays()", "data().set_index(['g', 'h'])", "data().rename(columns={'x': 1})", "data()[['x', 'x', 'y']]",
    "data().to_dict('list')",
    "pd.DataFrame([[1, 2]], columns=['x', 'x'])", "pd.DataFrame({1: [1.0] * 12})", "pd.Index([1, 2])", "pd.Index([])",
    "pd.MultiIndex.from_tuples([(1, 'a')])", "pd.NA", "pd.NaT", "pd.Categorical(['a', 'b'])", "pd.Categorical([])",
    "pd.Timestamp('2020-01-01')", "pd.Timedelta(1, 's')", "pd.Period('2020')", "pd.Interval(0, 1)",
    "pd.Series([1, None], dtype='Int64')", "pd.arrays.SparseArray([0, 1])", "pd.array(['x', None])",
    "pd.Series([{}, []])", "data().groupby('g')", "pd.Series(data()['g'].astype('category'))", "data().columns",
    "{'x': [1.0], 'y': [1, 2]}", "{'y': itself(), 'x': itself()}", "{'y': np.ma.masked_array([1.0, 2], [0, 1]), 'x': [1, 2]}",
)  # fmt: skip
OBJECTS = (
    "int", "type", "object", "object()", "NotImplemented", "...", "len", "lambda *a, **k: None", "lambda *a, **k: a[0]",
    "lambda: 1", "lambda x: x", "lambda x, y: 0.0", "lambda *a, **k: nan", "(i for i in range(3))", "iter([])", "zip([1])",
    "itertools.count()", "itertools.repeat('x')", "math", "ns", "ns.layers", "threading.Lock()", "Exception('x')", "Colour",
    "Colour.RED", "array.array('d', [1])", "re.compile('x')", "datetime.date(2020, 1, 1)", "datetime.datetime(2020, 1, 1)",
    "datetime.timedelta(1)", "np.random.default_rng(1)", "np.random.RandomState(1)", "np.random.SeedSequence(1)",
    "np.random.PCG64(1)", "np.random", "fit('gaussian')", "fit('multinomial')", "fit('epochs')", "fit('binomial')",
    "fit('gaussian').fitted", "fit('gaussian').network", "fit('gaussian').design", "fit('gaussian').predict",
    "ns.decay(0.1)", "ns.layers.Dense(2)", "ns.layers.LSTM(2)", "ns.families.Gaussian()", "ns.families.Gamma",
    "ns.optimizers.Adam()", "ns.optimizers.LM()", "ns.optimizers", "ns.EarlyStopping()", "ns.neuralnet", "ns.NeuralNet",
    "ns.schedules.Exponential(0.1, 5.0)", "ns.DegreesOfFreedom(1.0, 'x')", "ns.Activation(lambda x: x, lambda x: 1)",
    "[ns.layers.Dense(2)]", "[ns.layers.Flatten(), 'x']", "Path('x')", "Path('')", "Path('/')", "Path('/dev/full')",
    "io.StringIO('x')", "io.BytesIO(b'x')", "axes()", "[axes(), axes()]", "types.SimpleNamespace(x=1)", "property()",
    *(f"bad({name!r})" for name in RAISING), "[bad('__eq__')]", "{'x': bad('__eq__')}", "[bad('__float__')]",
    "[bad('__repr__')]", "{'x': bad('__repr__')}", "np.array([bad('__eq__'), bad('__float__')], dtype=object)",
)  # fmt: skip
POOL = (NUMBERS, TEXTS, CONTAINERS, ARRAYS, TABLES, OBJECTS)
WRAPPED = (
    "[{}]", "({}, {})", "{{{}: {}}}", "{{'x': {}}}", "str({})", "np.array({})", "np.array([{}], dtype=object)",
    "pd.Series([{}])", "-{}", "[[{}]]", "({}).__class__", "lambda *a, **k: {}", "{{{}}}", "iter([{}])", "[{}] * 12",
)  # fmt: skip
