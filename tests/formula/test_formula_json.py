"""A specification survives JSON bit for bit, and a stored formula can do no harm."""

import copy
import json
import os

import numpy as np
import pandas as pd
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from neuralstat.errors import ArgumentError, DataError, FileFormatError
from neuralstat.formula import Spec, design, from_arrays
from neuralstat.formula.harmless import check_harmless
from neuralstat.formula.serial import decode, encode


def table(seed=1, n=40):
    rng = np.random.default_rng(seed)
    return pd.DataFrame(
        {
            "y": rng.normal(size=n),
            "x": rng.uniform(1, 2, n),
            "z": rng.normal(size=n),
            "g": pd.Categorical(
                rng.permutation(np.resize(["b", "a", "c"], n)), ["c", "a", "b"], ordered=True
            ),
            "s": rng.permutation(np.resize(["no", "yes"], n)),
            "b": rng.uniform(size=n) < 0.5,
            "k": rng.permutation(np.arange(n) % 4),
            "a b": rng.uniform(size=n),
            "Petal.Length": rng.uniform(1, 2, n),
        },
        index=[f"row {i % 7}" for i in range(n)],
    )


@pytest.fixture(scope="module")
def data():
    return table()


@pytest.fixture(scope="module")
def new(data):
    inside = table(2)
    for name in ("x", "z"):
        inside[name] = inside[name].clip(data[name].min(), data[name].max())
    inside.iloc[3, inside.columns.get_loc("x")] = np.nan
    return inside


FORMULAS = [
    "y ~ x",
    "y ~ 1",
    "y ~ 0",
    "y ~ poly(x, 3)",
    "y ~ bs(x, df=5) + bs(z, knots=[0, 0.3])",
    "y ~ cr(x, df=4)",
    "y ~ cr(x, df=4, constraints='center') + cc(z, df=4)",
    "y ~ scale(x) + center(z) + standardize(z) + scale(z, center=False)",
    "y ~ C(s, contr.sum)",
    "y ~ C(g, contr.treatment(base='b'))*x",
    "y ~ C(k, contr.helmert) + C(g, contr.poly) + C(g, contr.diff)",
    "y ~ C(k) + C(k, Sum):z + C(b)",
    "y ~ C(g, levels=['b', 'c', 'a'])",
    "y ~ C(g, {'low': [1, 0, 0], 'rest': [0, 1, -1]})",
    "y ~ g*s*x - x",
    "y ~ 0 + g:x + s",
    "y ~ poly(`a b`, 2) + log(Petal.Length) + Petal.Length:s",
    "y ~ {x > 1.5} + {s == 'no'} + I(x**2 + 2**x) + np.exp(-x)",
    "y ~ Q('a b') + 2:x",
    "y ~ x + offset(log(x)) + offset(scale(z))",
    "scale(y) ~ poly(center(x), 2)",
    "g ~ x + z",
    's == "no" ~ x',
    "(g == 'a') + (g == 'b') ~ x",
    "C(k) ~ x",
    "log(x) + y ~ s",
    "y ~ . - y",
]


@pytest.mark.parametrize("formula", FORMULAS)
def test_round_trip_is_bit_identical(data, new, formula):
    d = design(formula, data, standardize=True, scale_response=True)
    text = d.spec.to_json()
    loaded = Spec.from_json(text)
    assert loaded.to_json() == text
    for frame in (data, new):
        want, got = d.encode(frame), loaded.encode(frame)
        np.testing.assert_array_equal(got.x, want.x)
        np.testing.assert_array_equal(got.complete, want.complete)
        assert got.index.equals(want.index)
        if want.offset is None:
            assert got.offset is None
        else:
            np.testing.assert_array_equal(got.offset, want.offset)
        np.testing.assert_array_equal(loaded.encode_response(frame)[0], d.encode_response(frame)[0])
    np.testing.assert_array_equal(loaded.encode(data).x, d.x)
    assert loaded.formula == formula and loaded.terms == d.terms and loaded.classes == d.classes
    assert loaded.x_names == d.x_names and loaded.y_names == d.y_names and not loaded.trusted


def test_arguments_and_levels_are_kept(data, new):
    d = design("s ~ g", data, offset="x", weights="k", factor_outputs="binary")
    loaded = Spec.from_json(d.spec.to_json())
    assert loaded.offset_argument == "x" and loaded.weights_argument == "k"
    np.testing.assert_array_equal(loaded.encode(data).offset, d.offset)
    with pytest.raises(DataError, match=r"column 'g'.*'new' not among"):
        loaded.encode(data.assign(g="new"))
    with pytest.raises(DataError, match="no column 'g'"):
        loaded.encode(data[["x"]])
    array = design("y ~ x", data, offset=np.ones(40))
    with pytest.raises(DataError, match="give offset="):
        Spec.from_json(array.spec.to_json()).encode(data)


def test_models_from_arrays(data):
    d = from_arrays(data["y"], data[["x", "g"]], standardize=True)
    loaded = Spec.from_json(d.spec.to_json())
    np.testing.assert_array_equal(loaded.encode(data).x, d.x)
    d = from_arrays(data["y"].to_numpy(), data[["x", "z"]].to_numpy())
    np.testing.assert_array_equal(Spec.from_json(d.spec.to_json()).encode(data[["x", "z"]].to_numpy()).x, d.x)


def test_text_is_strict_json_of_plain_data(data):
    text = design("y ~ poly(x, 2) + g", data).spec.to_json()
    raw = json.loads(text, parse_constant=lambda name: pytest.fail(f"{name} is not JSON"))
    assert raw["format"] == "neuralstat-formula-1"


def test_encoding_does_not_change_the_state(data, new):
    d = design("y ~ poly(x, 2) + scale(z) + C(g) + bs(x, df=4)", data)
    before = d.spec.to_json()
    d.encode(new)
    d.encode_response(new)
    assert d.spec.to_json() == before


# -- what cannot be saved ------------------------------


def test_functions_of_the_caller_work_but_are_not_saved(data):
    d = design("y ~ double(x)", data, context={"double": lambda v: 2 * v})
    np.testing.assert_array_equal(d.encode(data).x, d.x)
    with pytest.raises(ArgumentError, match="'double', a function of yours"):
        d.spec.to_json()
    shadow = design("log(x) ~ x", data, context={"log": np.sqrt})
    np.testing.assert_array_equal(shadow.y[0], np.sqrt(data["x"]))
    with pytest.raises(ArgumentError, match="'log', a function of yours"):
        shadow.spec.to_json()


def test_constants_of_the_caller_are_saved(data):
    d = design(
        "y ~ bs(x, knots=at) + I(x - c)",
        data,
        context={"at": np.array([1.3, 1.6]), "c": 1.5, "unused": print},
    )
    loaded = Spec.from_json(d.spec.to_json())
    np.testing.assert_array_equal(loaded.encode(data).x, d.x)
    assert set(loaded.constants) == {"at", "c"}


def test_expressions_with_methods_are_not_saved(data):
    d = design("y ~ {x.clip(1.2, 1.8)}", data)
    np.testing.assert_array_equal(d.x[0], data["x"].clip(1.2, 1.8))
    with pytest.raises(ArgumentError, match=r"`x\.clip` is an attribute"):
        d.spec.to_json()


# -- what a stored formula may not do ------------------------------

HARMFUL = [
    "__import__('os').system('x')",
    "open('f', 'w')",
    "exec('1')",
    "eval('1')",
    "print(x)",
    "getattr(x, 'values')",
    "x.values",
    "x.__class__",
    "x.__class__.__base__.__subclasses__()",
    "().__class__",
    "(lambda: 1)()",
    "lambda: x",
    "[v for v in x]",
    "{v for v in x}",
    "{v: v for v in x}",
    "(v for v in x)",
    "x[0]",
    "x['__class__']",
    "f'{x}'",
    "x if x else x",
    "(v := x)",
    "x and x",
    "log(*x)",
    "log(**x)",
    "poly(x, 2, _state=x)",
    "scale(x, _context=x)",
    "C(x, _spec=1)",
    "np.load('f')",
    "np.fromfile('f')",
    "np.lib",
    "np.log.__call__(x)",
    "np.log.reduce(x)",
    "contr.mro()",
    "contr.__class__",
    "hashed(x, 3, hash_func=exec)",
    "x @ x",
    "x << 9",
    "9**9**9",
    "(9**9)**9",
    "2**1000",
    "10**-1000",
    "'a' * 99",
    "[0] * 99",
    "b'abc'",
    "1j",
    "...",
    "unknown",
    "unknown(x)",
    "log(y)",
    "`__import__`('os')",
    "scale(x, \"') or __import__('os').system('x') or ('\")",
    "poly(x, 'a\"b')",
    "poly(x, 'a\\\\')",
    "await x",
    "yield x",
    "x; y",
    "import os",
    "x = 1",
    "*x",
    "not_a_column_ + x",
    "__builtins__",
    "np",
]


@pytest.mark.parametrize("expr", HARMFUL)
def test_harmful_expressions_are_refused(expr):
    with pytest.raises(ArgumentError, match="formula: "):
        check_harmless(expr, ["x"])


@pytest.mark.parametrize(
    "expr",
    ["x", "x + 1", "log(x)", "np.log(x)", "poly(x, 2)", "bs(x, df=4, knots=[1, 2.5])", "C(x, contr.sum)",
     "C(x, contr.treatment(base='b'))", "C(x, Sum)", "{'a': [1, 2]}", "x == 'it\\'s'", "I(x**2)", "x**-0.5",
     "2**x", "(x > 1) & (x < 2) | ~(x == 3)", "scale(x, center=True)", "`x`", "-x // 2 % 3", "Q('x')",
     "where(x > 0, x, 0)", "np.pi * x", "minimum(x, 3)", "(x + 1)**2", "at + x"],
)  # fmt: skip
def test_harmless_expressions_pass(expr):
    check_harmless(expr, ["x"], ["at"])


def test_refusal_names_expression_and_part():
    with pytest.raises(
        ArgumentError, match=r"`log\(x\) \+ __import__\('os'\)`.*`__import__` is not a function"
    ):
        check_harmless("log(x) + __import__('os')", ["x"])


def test_long_and_deep_expressions_are_refused():
    with pytest.raises(ArgumentError, match="longer than"):
        check_harmless("x + " * 5000 + "x", ["x"])
    with pytest.raises(ArgumentError):
        check_harmless("-" * 5000 + "x", ["x"])
    with pytest.raises(ArgumentError):
        check_harmless("(" * 3000 + "x" + ")" * 3000, ["x"])


@pytest.mark.parametrize("place", ["factor", "offset", "response"])
@pytest.mark.parametrize(
    "expr", ["__import__('os').system('touch {0}')", "open('{0}', 'w')", "I(open('{0}', 'w'))"]
)
def test_loading_executes_nothing(data, tmp_path, place, expr):
    target = tmp_path / "made"
    bad = expr.format(target)
    good = {"factor": "log(x)", "offset": "log(z)", "response": "exp(y)"}
    spec = design("exp(y) ~ log(x) + offset(exp(z))", data).spec
    good["offset"] = "exp(z)"
    text = spec.to_json().replace(json.dumps(good[place])[1:-1], json.dumps(bad)[1:-1])
    assert text != spec.to_json()
    with pytest.raises(FileFormatError, match="cannot be part of a stored model"):
        Spec.from_json(text)
    assert not os.path.exists(target)


def test_encoding_checks_again(data, tmp_path):
    import dataclasses

    target = tmp_path / "made"
    spec = Spec.from_json(design("y ~ log(x)", data).spec.to_json())
    bad = dataclasses.replace(spec, offset_terms=(f"open('{target}', 'w')",))
    with pytest.raises(ArgumentError, match="cannot be part of a stored model"):
        bad.encode(data)
    lookup = dataclasses.replace(spec.responses[0], expr=f"y + open('{target}', 'w')", method="python")
    with pytest.raises(ArgumentError, match="cannot be part of a stored model"):
        dataclasses.replace(spec, responses=(lookup,)).encode_response(data)
    assert not target.exists()


# -- damaged files ------------------------------


@pytest.mark.parametrize(
    "text", ["", "{", "[]", "3", "null", '{"format": "other"}', '{"format": "neuralstat-formula-1"}']
)
def test_other_texts_are_refused(text):
    with pytest.raises(FileFormatError):
        Spec.from_json(text)
    with pytest.raises(FileFormatError):
        Spec.from_json(None)


REPLACEMENTS = [None, 3, -1.5, "text", [], [1], {}, {"tuple": []}, {"tuple": [1]}, {"dict": []},
                {"dict": [[1, 2]]}, {"array": "float64", "shape": [1], "data": [1.0]},
                {"array": "object", "shape": [1], "data": [1]},
                {"float": "nan"}, {"float": "x"}, True]  # fmt: skip


@pytest.mark.parametrize("formula", ["g ~ poly(x, 2) + C(k)", "y + z ~ s*x + offset(x)"])
def test_damaged_entries_never_surprise(data, formula):
    """Any entry replaced by something else is refused at loading, or is harmless and refused at use."""
    good = json.loads(design(formula, data, standardize=True).spec.to_json())
    refused = 0
    for key in good:
        for replacement in REPLACEMENTS:
            bad = {**copy.deepcopy(good), key: replacement}
            try:
                spec = Spec.from_json(json.dumps(bad))
            except FileFormatError:
                refused += 1
                continue
            try:
                spec.encode(data)
            except (ArgumentError, DataError):
                refused += 1
        without = {k: v for k, v in good.items() if k != key}
        with pytest.raises(FileFormatError):
            Spec.from_json(json.dumps(without))
    assert refused > 0.7 * len(good) * len(REPLACEMENTS)


def paths(value, path=()):
    """All places in a JSON document."""
    yield path
    items = value.items() if isinstance(value, dict) else enumerate(value) if isinstance(value, list) else ()
    for key, inner in items:
        yield from paths(inner, (*path, key))


@settings(max_examples=150, deadline=None)
@given(st.data())
def test_damage_in_any_place_never_surprises(draw):
    frame = table()
    formula = draw.draw(st.sampled_from(FORMULAS))
    bad = json.loads(design(formula, frame, standardize=True).spec.to_json())
    *way, last = draw.draw(st.sampled_from(list(paths(bad))[1:]))
    inner = bad
    for key in way:
        inner = inner[key]
    inner[last] = draw.draw(st.sampled_from([*REPLACEMENTS, "x", "lookup", "python", -1, 10**30]))
    try:
        spec = Spec.from_json(json.dumps(bad))
        spec.encode(frame)
        spec.encode_response(frame)
    except (FileFormatError, ArgumentError, DataError) as error:
        assert str(error)


plain = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=5),
    lambda inner: (
        st.lists(inner, max_size=3)
        | st.lists(inner, max_size=3).map(tuple)
        | st.dictionaries(st.integers() | st.text(max_size=3) | st.tuples(st.integers()), inner, max_size=3)
    ),
    max_leaves=12,
)


def same(a, b):
    if isinstance(a, float) and a != a:
        return isinstance(b, float) and b != b
    if isinstance(a, list | tuple):
        return type(a) is type(b) and len(a) == len(b) and all(map(same, a, b))
    if isinstance(a, dict):
        return list(a) == list(b) and all(same(a[k], b[k]) for k in a)
    return type(a) is type(b) and a == b


@given(plain)
@settings(deadline=None)
def test_any_plain_value_survives(value):
    assert same(decode(json.loads(json.dumps(encode(value), allow_nan=False))), value)


@pytest.mark.parametrize(
    "array",
    [np.array([1.5, -0.0, np.nan, np.inf]), np.zeros((0, 3)), np.arange(6).reshape(2, 3),
     np.array([True, False]),
     np.asfortranarray(np.random.default_rng(1).normal(size=(3, 4)))],
)  # fmt: skip
def test_arrays_survive(array):
    got = decode(json.loads(json.dumps(encode(array), allow_nan=False)))
    assert got.dtype == array.dtype and got.shape == array.shape
    assert got.tobytes() == np.ascontiguousarray(array).tobytes()


@pytest.mark.parametrize(
    "value", [object(), print, {1, 2}, np.array(["a"]), np.array([None]), 1j, pd.Timestamp(0)]
)
def test_other_values_are_refused(value):
    with pytest.raises(ArgumentError, match="the knots holds"):
        encode([value], "the knots")
