"""Formula and data -> Design, and encoding of new data."""

import warnings

import numpy as np
import pandas as pd
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from neuralstat.errors import ArgumentError, DataError, DataWarning
from neuralstat.formula import Design, design, from_arrays


@pytest.fixture
def data():
    rng = np.random.default_rng(1)
    n = 24
    return pd.DataFrame(
        {
            "y": rng.normal(size=n),
            "y2": rng.normal(size=n),
            "x": rng.uniform(1, 2, n),
            "z": rng.normal(size=n),
            "g": pd.Categorical(rng.permutation(np.repeat(["b", "a", "c"], 8)), ["c", "a", "b"]),
            "s": rng.permutation(np.repeat(["no", "yes"], 12)),
            "b": rng.uniform(size=n) < 0.5,
            "k": rng.integers(0, 4, n),
            "e": rng.uniform(1, 3, n),
        },
        index=np.arange(100, 100 + n),
    )


def agrees(d: Design) -> None:
    """What must hold for every design."""
    n = int(d.kept.sum())
    assert d.x.shape == (len(d.x_names), n) and d.y.shape == (len(d.y_names), n)
    for array in (d.x, d.y):
        assert array.dtype == np.float64 and array.flags.c_contiguous and np.isfinite(array).all()
    assert [row for part in d.terms.values() for row in part] == list(range(len(d.x_names)))
    assert len(d.frame) == n and d.frame.index.equals(d.index) and d.full_index[d.kept].equals(d.index)


# -- right-hand side ------------------------------


def test_plain_columns(data):
    d = design("y ~ x + z", data)
    agrees(d)
    np.testing.assert_array_equal(d.x, data[["x", "z"]].to_numpy().T)
    np.testing.assert_array_equal(d.y, data[["y"]].to_numpy().T)
    assert d.x_names == ("x", "z") and d.y_names == ("y",) and d.terms == {"x": (0,), "z": (1,)}
    assert d.classes is None and d.response == "y" and d.weights is None and d.offset is None
    assert d.scaling is None and d.kept.all() and list(d.frame) == ["x", "z"]


def test_factor_is_coded_against_its_first_level(data):
    d = design("y ~ g + s", data)
    assert d.x_names == ("g[T.a]", "g[T.b]", "s[T.yes]")
    assert d.terms == {"g": (0, 1), "s": (2,)}
    np.testing.assert_array_equal(d.x[0], data["g"] == "a")
    np.testing.assert_array_equal(d.x[2], data["s"] == "yes")


@pytest.mark.parametrize("formula", ["y ~ g - 1", "y ~ 0 + g", "y ~ -1 + g"])
def test_without_intercept_all_levels_are_coded(data, formula):
    d = design(formula, data)
    assert d.x_names == ("g[c]", "g[a]", "g[b]")
    np.testing.assert_array_equal(d.x.sum(axis=0), 1.0)


@pytest.mark.parametrize("formula", ["y ~ 1", "y ~ 0", "y ~ -1"])
def test_no_covariates(data, formula):
    d = design(formula, data)
    assert d.x.shape == (0, 24) and d.x_names == () and d.terms == {}
    assert d.encode(data.iloc[:5]).x.shape == (0, 5)


@pytest.mark.parametrize(
    "formula",
    [
        "y ~ x*g", "y ~ g:x", "y ~ g*s*x", "y ~ poly(x, 3)", "y ~ bs(x, df=5) + cr(z, df=4)",
        "y ~ cc(z, df=4)",
        "y ~ C(k)", "y ~ C(g, contr.sum)", "y ~ C(g, contr.treatment(base='b')):z", "y ~ C(g, contr.helmert)",
        "y ~ C(g, contr.poly)", "y ~ scale(x) + center(z)", "y ~ {x / z}", "y ~ log(x) + I(x**2)",
        "y ~ (x + z + g)**2", "y ~ x + b + k", "y ~ 0 + x:g + s", "y ~ np.exp(x)", "y ~ standardize(z):s",
    ],
)  # fmt: skip
def test_the_matrix_is_formulaic_s(data, formula):
    formulaic = pytest.importorskip("formulaic")
    want = formulaic.model_matrix(formula.split("~")[1], data)
    want = want.drop(columns="Intercept", errors="ignore")
    d = design(formula, data)
    agrees(d)
    assert d.x_names == tuple(want.columns)
    np.testing.assert_array_equal(d.x, want.to_numpy(dtype=float).T)
    again = d.encode(data)
    np.testing.assert_array_equal(again.x, d.x)
    assert again.complete.all() and again.index.equals(data.index) and again.offset is None


def test_stateful_transforms_keep_the_state_of_the_fit(data):
    d = design("y ~ poly(x, 2) + scale(z) + bs(x, df=4)", data)
    np.testing.assert_array_equal(d.encode(data.iloc[3:7]).x, d.x[:, 3:7])
    one = d.encode(data.iloc[[5]])
    np.testing.assert_array_equal(one.x, d.x[:, [5]])


def test_terms_that_forget_the_data_are_warned_about(data):
    for formula in ("y ~ z + {x - x.mean()}", "y ~ mean(x) + z", "y ~ {x / x.max()}:z"):
        with pytest.warns(DataWarning, match=r"depend on all rows.*use scale\(\)") as caught:
            d = design(formula, data, context={"mean": lambda v: v - np.mean(v)})
        assert "'z'" not in str(caught[0].message)
        assert not np.allclose(d.encode(data[:3]).x, d.x[:, :3])
    design("y ~ {x.clip(1.2)} + double(z)", data, context={"double": lambda v: 2 * v})


def test_dot_is_every_column_that_nothing_else_uses(data):
    assert tuple(design("y ~ .", data[["y", "x", "g", "z"]]).terms) == ("x", "g", "z")
    assert tuple(design("y + y2 ~ .", data[["x", "y", "z", "y2"]]).terms) == ("x", "z")
    assert tuple(design("y ~ . - y2 - x", data[["y", "y2", "x", "z"]]).terms) == ("z",)
    assert tuple(design("log(e) ~ .", data[["e", "x", "z"]]).terms) == ("x", "z")
    few = data[["y", "x", "e", "k"]]
    assert tuple(design("y ~ . + offset(log(e))", few, weights="k").terms) == ("x",)
    assert tuple(design("y ~ .", few, weights="k", offset="e").terms) == ("x",)


def test_quoted_and_dotted_names(data):
    frame = data.assign(**{"a b": data["x"], "a_b": data["z"], "Petal.Length": data["x"], "2nd": data["z"]})
    d = design("y ~ poly(`a b`, 2) + `a b` + a_b + scale(a_b)/`2nd` + log(Petal.Length):Petal.Length", frame)
    assert d.x_names[:4] == ("poly(`a b`, 2)[1]", "poly(`a b`, 2)[2]", "a b", "a_b")
    row = d.terms["log(Petal.Length):Petal.Length"][0]
    np.testing.assert_allclose(d.x[row], np.log(data["x"]) * data["x"])
    np.testing.assert_array_equal(d.encode(frame.iloc[::-1]).x, d.x[:, ::-1])
    twice = design("y ~ {scale(`a b`) + `a b` * `a b`}", frame)
    np.testing.assert_array_equal(twice.encode(frame.iloc[:3]).x, twice.x[:, :3])


def test_columns_may_have_the_names_of_functions(data):
    frame = data.assign(C=data["g"], log=data["x"], poly=data["z"])
    d = design("y ~ C(C) + log(log) + poly(poly, 2) + log", frame)
    np.testing.assert_array_equal(d.x[d.terms["log(log)"][0]], np.log(data["x"]))
    np.testing.assert_array_equal(d.encode(frame[:4]).x, d.x[:, :4])


def test_functions_on_offer_and_of_the_caller(data):
    d = design("y ~ sqrt(x) + log1p(x) + abs(z)", data)
    np.testing.assert_array_equal(d.x, [np.sqrt(data["x"]), np.log1p(data["x"]), np.abs(data["z"])])

    def double(v):
        return 2 * v

    d = design("log(y + 9) ~ double(x) + bs(x, knots=at)", data, context={"double": double, "at": [1.4, 1.6]})
    np.testing.assert_array_equal(d.x[0], 2 * data["x"])
    np.testing.assert_array_equal(d.encode(data[:3]).x, d.x[:, :3])


def test_offsets_add_up(data):
    array = np.arange(24.0)
    d = design("y ~ x + offset(log(e)) + offset(z)", data, offset=array)
    assert d.x_names == ("x",) and list(d.frame) == ["x", "e", "z"] and d.covariates == ("x",)
    np.testing.assert_allclose(d.offset, [np.log(data["e"]) + data["z"] + array], rtol=1e-15)
    by_name = design("y + y2 ~ x", data, offset="e")
    np.testing.assert_array_equal(by_name.offset, [data["e"], data["e"]])
    np.testing.assert_array_equal(by_name.encode(data[:2]).offset, by_name.offset[:, :2])
    np.testing.assert_array_equal(by_name.encode(data[:2], offset=[1, 2]).offset, [[1, 2], [1, 2]])
    per_output = design("y + y2 ~ x", data, offset=np.column_stack([array, -array]))
    np.testing.assert_array_equal(per_output.offset, [array, -array])
    with pytest.raises(DataError, match="give offset="):
        d.encode(data)
    np.testing.assert_array_equal(d.encode(data, offset=array).offset, d.offset)
    with pytest.raises(ArgumentError, match="without the argument offset"):
        design("y ~ x", data).encode(data, offset=array)


# -- left-hand side ------------------------------


def test_several_responses_in_order_and_once(data):
    d = design("y2 + y + y2 ~ x", data)
    assert d.y_names == ("y2", "y")
    np.testing.assert_array_equal(d.y, data[["y2", "y"]].to_numpy().T)


@pytest.mark.parametrize(
    ("left", "label"),
    [
        ("log(x + 1)", "log(x + 1)"),
        ('g == "a"', 'g == "a"'),
        ("{g == 'a'}", "g == 'a'"),
        ("(g == 'a')", "g == 'a'"),
        ("{x / e}", "x / e"),
        ("I(x**2)", "I(x**2)"),
        ("`y`", "y"),
        ("k > 1", "k > 1"),
        ("sqrt(Petal.Length)", "sqrt(Petal.Length)"),
    ],
)
def test_expressions_are_labelled_as_written(data, left, label):
    frame = data.assign(**{"Petal.Length": data["x"]})
    d = design(f"{left} ~ z", frame)
    assert d.y_names == (label,) and d.classes is None
    agrees(d)
    y, complete = d.encode_response(frame)
    np.testing.assert_array_equal(y, d.y)
    assert complete.all()


def test_sum_of_comparisons(data):
    d = design('(g == "a") + (g == "c") ~ x', data)
    assert d.y_names == ('g == "a"', 'g == "c"')
    np.testing.assert_array_equal(d.y, [data["g"] == "a", data["g"] == "c"])


def test_factor_responses(data):
    d = design("g ~ x", data)
    assert d.classes == d.y_names == ("c", "a", "b") and d.spec.y_kinds == ("factor",) * 3
    np.testing.assert_array_equal(d.y, [data["g"] == level for level in "cab"])
    assert design("g ~ x", data.assign(g=data["g"].astype(str))).classes == ("a", "b", "c")
    by_text = design("g ~ x", data, class_order="sorted")
    assert by_text.classes == ("a", "b", "c")
    np.testing.assert_array_equal(by_text.y, d.y[[1, 2, 0]])
    two = design("s ~ x", data)
    assert two.y_names == ("no", "yes") and two.y.shape[0] == 2
    binary = design("s ~ x", data, factor_outputs="binary")
    assert binary.y_names == ("s",) and binary.classes == ("no", "yes")
    np.testing.assert_array_equal(binary.y, [data["s"] == "yes"])
    np.testing.assert_array_equal(binary.encode_response(data)[0], binary.y)
    assert design("C(k) ~ x", data).classes == (0, 1, 2, 3)
    assert design("b ~ x", data).y.tolist() == [data["b"].astype(float).tolist()]
    assert design("b ~ x", data).classes is None


def test_levels_without_rows_get_no_output(data):
    d = design("g ~ x", data[data["g"] != "a"])
    assert d.classes == ("c", "b")
    frame = data.assign(x=data["x"].where(data["g"] != "a"))
    with pytest.warns(DataWarning, match=r"level\(s\) 'a'"):
        assert design("g ~ x", frame).classes == ("c", "b")


@pytest.mark.parametrize(
    ("formula", "error", "message"),
    [
        ("g + y ~ x", DataError, "'g' is a factor and cannot stand beside"),
        ("y * y2 ~ x", ArgumentError, "joined by '\\+'"),
        ("cbind(y, y2) ~ x", ArgumentError, "'y \\+ y2 ~ x'"),
        ("y + ~ x", ArgumentError, "empty term"),
        ("~ x", ArgumentError, "no response"),
        ("y ~", ArgumentError, "no covariates"),
        ("y", ArgumentError, "one '~'"),
        ("y ~ x ~ z", ArgumentError, "one '~'"),
        ("y ~ (x", ArgumentError, "ends before '\\)'"),
        ("y) ~ x", ArgumentError, "unbalanced '\\)'"),
        ("y ~ x | z", ArgumentError, "several parts"),
        ("y ~ x +* z", ArgumentError, "cannot be read"),
        ("y ~ I(x^2)", ArgumentError, "write \\*\\* instead"),
        ("y ~ xx", DataError, "no column 'xx'. Did you mean 'x'"),
        ("yy ~ x", DataError, "response: the data have no column 'yy'"),
        ("y ~ log(w)", DataError, "no column 'w'"),
        ("y ~ id", DataError, "no column 'id'"),
        ("y ~ log(id)", DataError, "no column 'id'"),
        ("y ~ nothing(x)", DataError, "calls 'nothing'"),
        ("y ~ x:offset(z)", ArgumentError, "cannot be part of the interaction"),
        ("y ~ offset(x, z)", ArgumentError, "takes one expression"),
        ("y ~ offset(g)", DataError, "offset\\(g\\) is not numeric"),
        ("y ~ log(g)", DataError, "log\\(g\\)"),
        ("y ~ {x.values[:3]}", DataError, "x.values"),
        (3, ArgumentError, "must be a string"),
    ],
)
def test_unusable_formulas(data, formula, error, message):
    with pytest.raises(error, match=message):
        design(formula, data)


# -- rows ------------------------------


def test_rows_with_missing_values_are_dropped_everywhere(data):
    data.loc[101, "x"] = np.nan
    data.loc[103, "y"] = np.nan
    data.loc[105, "g"] = np.nan
    data.loc[107, "e"] = np.nan
    data.loc[109, "z"] = np.nan  # not used
    weights = np.ones(24)
    weights[11] = np.nan
    d = design("y ~ poly(x, 2) + g + offset(e)", data, weights=weights)
    agrees(d)
    assert d.full_index.equals(data.index)
    assert data.index[~d.kept].tolist() == [101, 103, 105, 107, 111]
    assert len(d.weights) == d.offset.shape[1] == 19
    clean = design("y ~ poly(x, 2) + g", data.drop([101, 103, 105, 107, 111]))
    np.testing.assert_array_equal(d.x, clean.x)
    new = d.encode(data)
    assert data.index[~new.complete].tolist() == [101, 105, 107]
    assert np.isnan(new.x[:, ~new.complete]).all() and new.index.equals(data.index)
    np.testing.assert_array_equal(new.x[:, d.kept], d.x)
    y, complete = d.encode_response(data)
    assert data.index[~complete].tolist() == [103] and np.isnan(y[0, 3])
    with pytest.raises(
        DataError, match=r"'y' \(1\), 'x' \(1\), 'g' \(1\), 'e' \(1\), 'argument weights' \(1\)"
    ):
        design("y ~ x + g + offset(e)", data, weights=weights, missing="raise")


def test_no_rows_left(data):
    with pytest.raises(DataError, match=r"every row misses a value: 'x' \(24\)"):
        design("y ~ x", data.assign(x=np.nan))
    with pytest.raises(DataError, match="no rows"):
        design("y ~ x", data.iloc[:0])
    d = design("y ~ x + g", data)
    assert d.encode(data.iloc[:0]).x.shape == (3, 0)
    assert not d.encode({"x": [None, None], "g": ["a", "b"]}).complete.any()
    nothing = d.encode(data.assign(x=np.nan))
    assert not nothing.complete.any() and np.isnan(nothing.x).all()


def test_repeated_index_labels(data):
    data.index = [7] * 24
    data.iloc[4, data.columns.get_loc("x")] = np.nan
    d = design("y ~ x + g + offset(e)", data, weights="k")
    agrees(d)
    assert d.index.tolist() == [7] * 23 and not d.kept[4]
    np.testing.assert_array_equal(d.encode(data).x[:, d.kept], d.x)


def test_infinities_are_refused_by_name(data):
    with pytest.raises(DataError, match=r"column 'x' is infinite in 1 row"):
        design("y ~ x", data.assign(x=[np.inf, *data["x"][1:]]))
    with pytest.raises(DataError, match=r"'log\(k\)' is infinite"):
        design("y ~ log(k)", data)
    with pytest.raises(DataError, match=r"'log\(k\)' is infinite"):
        design("log(k) ~ x", data)
    with pytest.raises(DataError, match="'offset' is infinite"):
        design("y ~ x + offset(log(k))", data)
    d = design("y ~ log(x)", data)
    with pytest.raises(DataError, match=r"'log\(x\)' is infinite"):
        d.encode(pd.DataFrame({"x": [0.0]}))
    with pytest.raises(DataError, match="column 'x' is infinite"):
        d.encode(pd.DataFrame({"x": [-np.inf]}))
    with pytest.raises(DataError, match=r"'log\(x\)' is infinite"):
        design("log(x) ~ z", data).encode_response({"x": [0.0]})


def test_expressions_that_give_no_number(data):
    negative = (data["z"] < 0).to_numpy()
    with pytest.warns(DataWarning, match=r"'log\(z\)' is not a number in"):
        d = design("y ~ log(z)", data)
    agrees(d)
    np.testing.assert_array_equal(d.kept, ~negative)
    with pytest.raises(DataError, match=r"log\(z\)"):
        design("y ~ log(z)", data, missing="raise")
    np.testing.assert_array_equal(d.encode(data).complete, ~negative)
    with pytest.raises(DataError, match="no rows to fit"):
        design("y ~ log(z)", data.assign(z=-1.0))


def test_lag_drops_its_edge_silently_but_never_reaches_across_gaps(data):
    d = design("y ~ lag(x)", data)
    assert d.kept.tolist() == [False] + [True] * 23
    np.testing.assert_array_equal(d.x[0], data["x"][:-1])
    with pytest.raises(DataError, match="gaps"):
        design("y ~ lag(x)", data.assign(x=data["x"].where(data["x"] < 1.9)))


# -- new data ------------------------------


def test_columns_are_matched_by_name(data):
    d = design("y ~ x + z", data)
    swapped = pd.DataFrame({"z": [1.0, 2.0], "extra": ["a", "b"], "x": [3.0, 4.0]}, index=["p", "q"])
    new = d.encode(swapped)
    assert new.x.tolist() == [[3, 4], [1, 2]] and new.index.tolist() == ["p", "q"]
    assert d.encode({"x": 3, "z": 1.0}).x.tolist() == [[3], [1]]
    assert d.encode({"x": 3, "z": [1.0, 2.0]}).x.tolist() == [[3, 3], [1, 2]]
    with pytest.raises(DataError, match="no column 'z'; the model needs 'x', 'z'"):
        d.encode({"x": [1.0]})
    with pytest.raises(DataError, match="column 'x' was numeric"):
        d.encode({"x": ["a"], "z": [1.0]})


@pytest.mark.parametrize(
    "formula", ["y ~ g", "y ~ s", "y ~ x*g", "y ~ C(g, contr.sum)", "y ~ C(k)", "y ~ 0 + s"]
)
def test_unseen_levels_are_refused(data, formula):
    d = design(formula, data)
    column = next(c for c in "gsk" if c in d.frame)
    new = data.assign(**{column: "new" if column != "k" else 9})
    with pytest.raises(
        DataError, match=f"column '{column}'.*level\\(s\\) ('new'|9) not among the model's levels"
    ):
        d.encode(new)


def test_levels_that_did_not_occur_are_unseen(data):
    d = design("y ~ g", data[data["g"] != "a"])
    assert d.x_names == ("g[T.b]",)
    with pytest.raises(DataError, match="level\\(s\\) 'a'"):
        d.encode(data)
    one = data.assign(g=data["g"].astype(str))[data["g"] == "b"]
    np.testing.assert_array_equal(d.encode(one).x, 1.0)
    with pytest.raises(DataError, match="'g' has only the level 'a'"):
        design("y ~ g", data[data["g"] == "a"])
    with pytest.raises(DataError, match="response 'g' has only the level"):
        design("g ~ x", data[data["g"] == "a"])
    with pytest.raises(DataError, match="level\\(s\\) 'b' not among"):
        design("y ~ C(g, levels=['a', 'c'])", data)
    with pytest.raises(DataError, match="level\\(s\\) 'q' not among the model's classes"):
        design("s ~ x", data).encode_response(data.assign(s="q"))


def test_strings_in_expressions_may_be_new(data):
    d = design("y ~ {s == 'no'} + {g == 'a'}", data)
    new = d.encode({"s": ["other", "no"], "g": ["q", "a"]})
    np.testing.assert_array_equal(new.x, [[0, 1], [0, 1]])


def test_splines_out_of_range_say_what_to_do(data):
    d = design("y ~ bs(x, df=4)", data)
    with pytest.warns(DataWarning, match="extrapolation='clip'"):
        d.encode({"x": [5.0]})
    d = design("y ~ bs(x, df=4, extrapolation='clip')", data)
    assert np.isfinite(d.encode({"x": [5.0]}).x).all()


# -- dtypes and kinds of tables ------------------------------


def versions():
    """The same table in many dtypes."""
    n = 6
    base = {"y": np.arange(n) / 3, "x": np.arange(n) % 4, "g": list("abcabc"), "b": [True, False] * 3}
    plain = pd.DataFrame(base)
    yield "plain", plain
    yield "object", plain.astype(object)
    yield "nullable", plain.convert_dtypes()
    yield "string", plain.astype({"g": "string", "x": "int8", "y": "float32"}).astype({"y": "float64"})
    yield "category", plain.astype({"g": "category"})
    yield "dict", base
    yield "records", plain.astype({"g": object}).to_records(index=False)


@pytest.mark.parametrize(("name", "table"), list(versions()), ids=[name for name, _ in versions()])
def test_dtypes_make_no_difference(name, table):
    want = design("y ~ x + I(100 * x) + g + b + x:g", dict(versions())["plain"])
    d = design("y ~ x + I(100 * x) + g + b + x:g", table)
    assert d.x_names == want.x_names
    np.testing.assert_allclose(d.x, want.x, rtol=0, atol=0)
    np.testing.assert_allclose(d.y, want.y, rtol=1e-7)
    np.testing.assert_array_equal(want.encode(table).x, want.x)


def test_arrow_and_polars_tables():
    pa = pytest.importorskip("pyarrow")
    plain = dict(versions())["plain"]
    plain.loc[2, "y"] = np.nan
    want = design("y ~ x + g + b", plain)
    table = pa.Table.from_pandas(plain)
    arrow = plain.astype({"g": pd.ArrowDtype(pa.string()), "x": pd.ArrowDtype(pa.int16())})
    tables = [table, arrow]
    polars = pytest.importorskip("polars")
    tables += [polars.from_arrow(table), polars.DataFrame(plain.to_dict("list"))]
    for t in tables:
        d = design("y ~ x + g + b", t)
        np.testing.assert_array_equal(d.x, want.x)
        np.testing.assert_array_equal(d.kept, want.kept)
        np.testing.assert_array_equal(want.encode(t).x[:, want.kept], want.x)
    with pytest.raises(ArgumentError, match="collect"):
        design("y ~ x", tables[-1].lazy())


def test_order_of_levels_of_other_libraries():
    polars = pytest.importorskip("polars")
    pytest.importorskip("pyarrow")
    sizes = polars.Series("size", ["mid", "low", "high", "low"], dtype=polars.Enum(["low", "mid", "high"]))
    table = polars.DataFrame({"size": sizes, "x": [1.0, 2, 3, 4], "y": [1, 2, 3, 5]})
    assert design("size ~ x", table).classes == ("low", "mid", "high")
    d = design("y ~ size", table)
    assert d.x_names == ("size[T.mid]", "size[T.high]")
    np.testing.assert_array_equal(d.encode(table).x, d.x)


def test_two_columns_of_one_name(data):
    with pytest.raises(DataError, match=r"are called 'g\[T.a\]'"):
        design("y ~ g + `g[T.a]`", data.assign(**{"g[T.a]": 1.0}))


def test_odd_column_names(data):
    names = {"it's": data["x"], "größe": data["z"], "a:b": data["x"], 'q"q': data["z"], "class": data["x"]}
    frame = data.assign(**names)
    formula = "y ~ log(`it's`) + scale(größe) + `a:b` + poly(`a:b`, 2) + scale(`q\"q`) + `class`:s"
    d = design(formula, frame)
    np.testing.assert_array_equal(d.encode(frame.iloc[4:8]).x, d.x[:, 4:8])
    np.testing.assert_array_equal(type(d.spec).from_json(d.spec.to_json()).encode(frame).x, d.x)
    np.testing.assert_array_equal(d.x[d.terms["log(`it's`)"][0]], np.log(data["x"]))
    every = design("y ~ .", frame[["y", *names]])
    np.testing.assert_array_equal(every.x, frame[[*names]].to_numpy().T)


def test_one_dimensional_dataset():
    xr = pytest.importorskip("xarray")
    frame = pd.DataFrame({"y": [1.0, 2, 3], "x": [1.0, 4, 2]})
    np.testing.assert_array_equal(design("y ~ x", xr.Dataset.from_dataframe(frame)).x, [[1, 4, 2]])
    with pytest.raises(DataError, match="first dimension of every variable"):
        design("y ~ x", xr.Dataset({"y": ("a", [1.0, 2]), "x": (("b", "a"), np.ones((2, 2)))}))


@pytest.mark.parametrize(
    ("table", "error", "message"),
    [
        ({"y": [1, 2], "x": [1, 2, 3]}, DataError, "different lengths: {'y': 2, 'x': 3}"),
        ({"y": [1, 2], "x": np.ones((2, 0))}, DataError, r"data\['x'\] has shape \(2, 0\)"),
        ({"y": [1, 2], "x": np.array([["a", "b"]] * 2)}, DataError, r"data\['x'\] has shape \(2, 2\) and holds <U1"),
        ({"y": pd.Series([1, 2]), "x": pd.Series([1, 2], index=[1, 2])}, DataError, "different indexes"),
        (
            {"y": [1.0, 2], "x": pd.to_datetime(["2020-01-01", "2020-01-02"])},
            DataError,
            "column 'x' has dtype datetime",
        ),
        ({"y": [1.0, 2], "x": [1j, 2]}, DataError, "column 'x' has dtype complex"),
        ({"y": [1.0, 2], "x": ["a", 2]}, DataError, "column 'x'.*int, str"),
        (np.ones((3, 2)), ArgumentError, "data must be a pandas"),
        (None, ArgumentError, "data must be a pandas"),
        (
            pd.DataFrame([[1, 2]], columns=pd.MultiIndex.from_tuples([(1, 2), (1, 3)])),
            DataError,
            "several levels",
        ),
        (pd.DataFrame([[1.0, 2, 3]] * 3, columns=["y", "x", "x"]), DataError, "'x' occurs 2 times"),
        (pd.DataFrame([[1.0, 2]], columns=["1", 1]), DataError, "not unique"),
    ],
)
def test_unusable_tables(table, error, message):
    with pytest.raises(error, match=message):
        design("y ~ x", table)


def test_numbers_as_column_names():
    frame = pd.DataFrame({0: [1.0, 2, 3], 1: [3.0, 1, 2], 2: [5.0, 3, 4]})
    np.testing.assert_array_equal(design("`0` ~ `2`", frame).x, [[5, 3, 4]])
    for right in ("`1`", "."):
        with pytest.raises(DataError, match="column '1' cannot be told from the intercept"):
            design(f"`0` ~ {right}", frame)
    d = from_arrays(frame[0], frame[[1, 2]])
    assert d.x_names == ("1", "2") and d.y_names == ("0",)
    np.testing.assert_array_equal(d.encode(frame).x, frame[[1, 2]].T)


def test_nan_in_nullable_columns_is_missing():
    x = pd.array([0.0, 1, pd.NA, 3], dtype="Float64")
    frame = pd.DataFrame({"y": [1.0, 2, 3, 4], "x": x / x + [1.0, 2, 3, 4]})
    assert design("y ~ x", frame).kept.tolist() == [False, True, False, True]


# -- weights, needs, scaling ------------------------------


@pytest.mark.parametrize(
    ("weights", "message"),
    [
        (-np.ones(24), "negative; 24 are"),
        (np.zeros(24), "all zero"),
        (np.full(24, np.inf), "finite"),
        (np.ones(23), r"shape \(23,\)"),
        (np.ones((24, 2)), "one weight per row"),
        ("nothing", "no column 'nothing'"),
        ("g", "must be numeric"),
        (["1"] * 24, "must be numeric"),
        (pd.Series(np.ones(24)), "index labels"),
    ],
)
def test_unusable_weights(data, weights, message):
    with pytest.raises(DataError, match=message):
        design("y ~ x", data, weights=weights)


def test_weights_by_name_array_and_aligned_series(data):
    want = data["k"].to_numpy(dtype=float)
    for weights in ("k", want, list(want), data["k"], data["k"].iloc[::-1]):
        np.testing.assert_array_equal(design("y ~ x", data, weights=weights).weights, want)


@pytest.mark.parametrize(
    ("needs", "response", "word"),
    [("binary", "k", "0 or 1"), ("unit", "k", "between"), ("positive", "k", "greater"),
     ("count", "x", "whole"), ("nonnegative", "z", "negative")],
)  # fmt: skip
def test_needs_of_the_error_function(data, needs, response, word):
    with pytest.raises(DataError, match=f"response '{response}' must be .*{word}"):
        design(f"{response} ~ e", data, err_needs=needs)
    good = {"binary": "b", "unit": "b", "positive": "x", "count": "k", "nonnegative": "k"}[needs]
    design(f"{good} ~ e", data, err_needs=needs)


def test_standardize(data):
    d = design("y ~ x + g + offset(e)", data, standardize=True, scale_response=True)
    np.testing.assert_allclose(d.x.mean(axis=1), 0, atol=1e-14)
    np.testing.assert_allclose(d.x.std(axis=1, ddof=1), 1)
    np.testing.assert_allclose(d.y.std(ddof=1), 1)
    np.testing.assert_allclose(d.scaling.y_sd, data["y"].std())
    np.testing.assert_allclose(d.offset[0], data["e"] / data["y"].std())
    np.testing.assert_allclose(d.scaling.y_original(d.y)[0], data["y"])
    np.testing.assert_array_equal(d.encode(data[:4]).x, d.x[:, :4])
    np.testing.assert_array_equal(d.encode(data[:4]).offset, d.offset[:, :4])
    np.testing.assert_array_equal(d.encode_response(data)[0], d.y)
    plain = design("y ~ x", data, standardize=True)
    np.testing.assert_array_equal(plain.y[0], data["y"])
    for left in ("g", "b", "{x > 1.5}"):
        kept = design(f"{left} ~ x", data, standardize=True, scale_response=True)
        assert set(np.unique(kept.y)) == {0.0, 1.0}
    assert design("y ~ 1", data, standardize=True).x.shape == (0, 24)


def test_whole_weights_scale_like_repeated_means(data):
    weights = np.tile([1, 2, 0, 3], 6)
    d = design("y ~ x", data, weights=weights, standardize=True)
    np.testing.assert_allclose(d.scaling.x_mean, np.average(data["x"], weights=weights))
    equal = design("y ~ x", data, weights=np.full(24, 5.0), standardize=True)
    np.testing.assert_allclose(equal.scaling.x_sd, data["x"].std())


def test_constant_columns_keep_their_scale(data):
    with pytest.warns(DataWarning, match="'z'"):
        d = design("y ~ x + z", data.assign(z=0.1), standardize=True)
    assert d.scaling.x_sd[1] == 1 and np.abs(d.x[1]).max() < 1e-15
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        design("y ~ x + z", data.assign(z=0.1))


@pytest.mark.parametrize(
    "bad",
    [
        {"missing": "omit"}, {"standardize": 1}, {"standardize": "yes"}, {"scale_response": None},
        {"factor_outputs": "both"}, {"class_order": None}, {"err_needs": "ones"}, {"context": [1]},
    ],
)  # fmt: skip
def test_arguments_are_checked(data, bad):
    with pytest.raises(ArgumentError, match=next(iter(bad))):
        design("y ~ x", data, **bad)


def test_context_gives_no_columns(data):
    with pytest.raises(DataError, match="Only functions and constants can come from the context"):
        design("y ~ w", data, context={"w": np.ones(24)})


def test_binary_needs_two_levels(data):
    with pytest.raises(DataError, match="has 3 levels"):
        design("g ~ x", data, factor_outputs="binary")


# -- arrays ------------------------------


def test_from_arrays_names(data):
    x, y = data[["x", "z"]].to_numpy(), data["y"].to_numpy()
    d = from_arrays(y, x)
    agrees(d)
    assert d.x_names == ("x1", "x2") and d.y_names == ("y",) and d.terms == {"x1": (0,), "x2": (1,)}
    np.testing.assert_array_equal(d.x, x.T)
    assert from_arrays(np.column_stack([y, y]), x).y_names == ("y1", "y2")
    assert from_arrays(y[:, None], x[:, 0]).x_names == ("x1",)
    d = from_arrays(data["y"], data[["x", "g"]])
    assert d.y_names == ("y",) and d.x_names == ("x", "g[T.a]", "g[T.b]") and d.index.equals(data.index)
    assert from_arrays(data["g"], data["x"]).classes == ("c", "a", "b")
    assert from_arrays(data["s"].tolist(), x).classes == ("no", "yes")
    assert from_arrays(y, data[["x"]]).index.equals(data.index)
    assert from_arrays(data["x"], data[["x"]]).x_names == ("x",)
    assert from_arrays(y, np.empty((24, 0))).x.shape == (0, 24)


def test_from_arrays_encodes_by_position_or_name(data):
    x, y = data[["x", "z"]].to_numpy(), data["y"].to_numpy()
    d = from_arrays(y, x, standardize=True, weights=data["k"].to_numpy(), offset=y)
    np.testing.assert_array_equal(d.encode(x[:3], offset=y[:3]).x, d.x[:, :3])
    named = from_arrays(y, data[["x", "z"]])
    np.testing.assert_array_equal(named.encode(data[["z", "x"]]).x, named.x)
    np.testing.assert_array_equal(named.encode(x).x, named.x)
    assert from_arrays(y, x[:, 0]).encode([1.0, 2.0]).x.tolist() == [[1, 2]]
    with pytest.raises(DataError, match=r"shape \(3, 1\); 2 column"):
        named.encode(x[:3, :1])


def test_from_arrays_missing_and_errors(data):
    x, y = data[["x", "z"]].to_numpy(copy=True), data["y"].to_numpy(copy=True)
    x[2, 1] = y[4] = np.nan
    assert np.flatnonzero(~from_arrays(y, x).kept).tolist() == [2, 4]
    with pytest.raises(DataError, match=r"'y' \(1\), 'x2' \(1\)"):
        from_arrays(y, x, missing="raise")
    with pytest.raises(DataError, match="endog has 3 rows and exog has 24"):
        from_arrays(y[:3], x)
    with pytest.raises(DataError, match="different index labels"):
        from_arrays(data["y"], data[["x"]].reset_index())
    with pytest.raises(ArgumentError, match="weights must be an array"):
        from_arrays(y, x, weights="k")
    with pytest.raises(ArgumentError, match="one or two dimensions"):
        from_arrays(np.ones((24, 2, 2)), x)
    with pytest.raises(DataError, match="several columns named 'x'"):
        from_arrays(y, data[["x", "x"]])


# -- random tables ------------------------------

values = st.one_of(st.none(), st.floats(-1e3, 1e3).map(lambda v: round(v, 6)))
levels = st.one_of(st.none(), st.sampled_from("abc"))
rows = st.lists(st.tuples(values, values, levels, levels), min_size=1, max_size=25)


@settings(max_examples=60, deadline=None)
@given(rows, st.randoms())
def test_random_tables_against_coding_by_hand(table, random):
    frame = pd.DataFrame(table, columns=["y", "x", "g", "h"], index=[random.randint(0, 5) for _ in table])
    frame = frame.astype({"y": float, "x": float})
    kept = frame.notna().all(axis=1).to_numpy()
    used = frame[kept]
    if used.empty or used["g"].nunique() < 2 or used["h"].nunique() < 2:
        with pytest.raises(DataError, match=r"no rows|only the level"):
            design("y ~ x + g + x:h", frame)
        return
    d = design("y ~ x + g + x:h", frame)
    agrees(d)
    np.testing.assert_array_equal(d.kept, kept)
    want = [used["x"]]
    want += [used["g"] == level for level in sorted(used["g"].unique())[1:]]
    want += [used["x"] * (used["h"] == level) for level in sorted(used["h"].unique())[1:]]
    np.testing.assert_array_equal(d.x, np.array(want, dtype=float))
    order = list(range(len(used)))
    random.shuffle(order)
    np.testing.assert_array_equal(d.encode(used.iloc[order]).x, d.x[:, order])
