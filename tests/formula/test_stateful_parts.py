"""Transforms that are found from data in parts are those of the tables put together; what cannot be is said."""

from __future__ import annotations

import itertools
import warnings

import numpy as np
import pandas as pd
import pytest
import raw
from formulaic.utils.stateful_transforms import stateful_transform
from stateful import FORMULAS, STRUCTURED, leaves, table_of

import neuralstat as ns
from neuralstat.errors import ArgumentError, DataError
from neuralstat.formula import chunks, design
from neuralstat.formula.outofcore import partitioned_design
from neuralstat.formula.passes import Distinct, Here, answered, distinct_quantiles, quantiles

pytestmark = pytest.mark.filterwarnings("ignore::neuralstat.errors.NeuralStatWarning")


@pytest.fixture(scope="module")
def table():
    return table_of(800)


def cut(table, rows):
    return [table.iloc[i : i + rows] for i in range(0, len(table), rows)]


@pytest.mark.parametrize("formula", [*FORMULAS, *STRUCTURED])
def test_design_and_states_are_those_of_the_table(formula, table):
    whole = design(formula, table, weights="w")
    states = dict(leaves({None: whole.spec.matrix.transforms, **whole.spec.transforms}))
    for rows in (37, 300, 800):
        parts = partitioned_design(formula, chunks([table[:0], *cut(table, rows), table[:0]]), weights="w")
        assert parts.x_names == whole.x_names and parts.terms == whole.terms
        np.testing.assert_array_equal(parts.kept, whole.kept)
        np.testing.assert_allclose(parts.x, whole.x, rtol=1e-9, atol=1e-10)
        np.testing.assert_allclose(parts.y, whole.y, rtol=1e-9, atol=1e-11)
        if whole.offset is not None:
            np.testing.assert_allclose(parts.offset, whole.offset, rtol=1e-9, atol=1e-11)
        found = dict(leaves({None: parts.spec.matrix.transforms, **parts.spec.transforms}))
        assert found.keys() == states.keys()
        for key, value in states.items():
            assert type(found[key]) is type(value), key
            if isinstance(value, str | bool | None):
                assert found[key] == value, key
            else:
                np.testing.assert_allclose(found[key], value, rtol=1e-8, atol=1e-10, err_msg=str(key))


@pytest.mark.parametrize(("formula", "options"), [
    ("y ~ s(z) + (1 | id)", {"hidden": 0}),
    ("y ~ x + (x | id) + te(w, z, k=4)", {"hidden": 0, "freq_weights": "often"}),
    ("y ~ nn(x, embed(id)) + scale(z):v", {"hidden": 2, "rep": 1, "algorithm": "rprop+", "stepmax": 30}),
    ("y ~ bs(log(z), df=5) + g + poly(scale(x), 2)", {"hidden": 0, "weights": "w", "standardize": True}),
    ("scale(y) ~ cr(z, df=4) + scale(x):z + offset(center(i) / 10)", {"hidden": 2, "algorithm": "lm", "rep": 2}),
    ("count ~ bs(i, df=4) + scale(x)", {"hidden": 0, "family": "poisson", "freq_weights": "often"}),
])  # fmt: skip
def test_fits_predictions_and_files(formula, options, table, tmp_path):
    options = {"random_state": 1, "stepmax": 60, "threshold": 1e-4, **options}
    whole = raw.neuralnet(formula, table, **options)
    parts = raw.neuralnet(formula, chunks(cut(table, 130)), **options)
    assert parts.nobs == whole.nobs
    np.testing.assert_allclose(parts.fit.theta, whole.fit.theta, rtol=1e-6, atol=1e-8)
    new = table.dropna()[:40].assign(z=lambda t: t.z.clip(1.2, 2.8))
    np.testing.assert_allclose(parts.predict(new), whole.predict(new), rtol=1e-6, atol=1e-8)
    parts.save(tmp_path / "fit.nst")
    np.testing.assert_array_equal(ns.load(tmp_path / "fit.nst").predict(new), parts.predict(new))


def test_first_rows_that_show_nothing(table):
    """Neither a constant, nor numbers of which there is no logarithm, at the head of the only part are those of all rows."""
    late = table.dropna().sort_values("i")
    late["i"] = late["i"].astype(float)
    late.iloc[:60, late.columns.get_loc("x")] = -1.0
    for term in ("scale(i)", "cr(i, df=4)", "bs(i, df=5)", "log(x)", "bs(log(x), df=4)", "bs(z, df=150)"):
        formula = f"y ~ {term}"
        whole, parts = design(formula, late), partitioned_design(formula, chunks([late]))
        np.testing.assert_allclose(parts.x, whole.x, rtol=1e-9, atol=1e-11)


def test_readings_go_with_the_depth(table):
    read = []

    def tables():
        read.append(1)
        return iter(cut(table, 300))

    for terms, times in (("x", 2), ("poly(x, 4) + bs(z, df=5) + scale(i)", 3), ("bs(scale(x), df=4) + poly(z, 2)", 4)):
        read.clear()
        partitioned_design(f"y ~ {terms}", chunks(tables))
        assert len(read) == times


@stateful_transform
def _mine(x, _state=None):
    _state.setdefault("most", np.max(x))
    return x / _state["most"]


@pytest.mark.parametrize(("formula", "error", "message"), [
    ("y ~ mine(z)", ArgumentError, r"`mine\(z\)` is found from all rows.* compute it beforehand"),
    ("y ~ {z - z.mean()}", ArgumentError, r"`z - z.mean\(\)` is found from all rows"),
    ("y ~ {np.cumsum(z)}", ArgumentError, r"`np.cumsum\(z\)` is found from all rows"),
    ("{y / y.max()} ~ z", ArgumentError, r"`y / y.max\(\)` is found from all rows"),
    ("y ~ z + offset(z.rank())", ArgumentError, r"`z.rank\(\)` is found from all rows"),
    ("y ~ scale(g)", DataError, r"`scale\(g\)` is of something that is no number"),
    ("y ~ bs(z, df=2)", DataError, r"`bs\(z, df=2\)`.*df"),
    ("y ~ s(z, by=many)", DataError, r"1 different value\(s\) for level"),
    ("y ~ s(i, k=12)", DataError, "'i' has 9 different value.*make k at most 9"),
    ("y ~ te(x, x)", ArgumentError, "'x' stands twice"),
    ("y ~ cr(z)", DataError, r"`cr\(z\)`.*df"),
    ("y ~ cr(0 * i, df=6)", DataError, r"`cr\(0 \* i, df=6\)`.*distinct knots"),
    ("y ~ cr(i, df=4, lower_bound=9.5, upper_bound=10)", DataError, "no value lies between the boundary knots 9.5 and 10"),
    ("y ~ bs(z, df=4, lower_bound=min(z))", DataError, "an argument depends on the rows"),
    ("y ~ bs(z, df=5, lower_bound=1.5, upper_bound=2, extrapolation='raise')", DataError, "beyond upper and/or lower bounds"),
    ("y ~ poly(lag(z), 2)", ArgumentError, "neighbouring rows"),
])  # fmt: skip
def test_what_cannot_be_is_said(formula, error, message, table):
    with pytest.raises(error, match=message):
        made = table.assign(many=table.index.astype(str))
        partitioned_design(formula, chunks(cut(made, 150)), context={"mine": _mine})


def test_parts_that_change_between_readings(table):
    times = itertools.count()

    def tables():
        k = next(times)
        yield table if k == 0 else table.assign(z=table.z + k)

    with pytest.raises(DataError, match="column 'z' had other values"):
        partitioned_design("y ~ scale(z)", chunks(tables))


# order statistics --------------------------------------------------------------------------------------------


def _values(n, rng):
    yield rng.normal(size=n)
    yield rng.normal(size=n) * 10.0 ** rng.integers(-300, 300, n)
    yield 1 + 1e-15 * rng.integers(0, 50, n)
    yield rng.integers(-3, 3, n) * rng.choice([0.0, -0.0, 1.0], n)
    yield np.full(n, 2.5)
    yield np.where(rng.uniform(size=n) < 0.3, np.nan, rng.exponential(size=n))
    yield np.concatenate([[-np.inf, np.inf], np.arange(n - 2.0)])


@pytest.mark.parametrize("n", [2, 7, 30_000])
def test_quantiles_are_those_of_numpy_to_the_bit(n):
    rng = np.random.default_rng(n)
    at = np.concatenate([np.linspace(0, 1, 12)[1:-1], rng.uniform(size=3)])
    for values in _values(n, rng):
        parts = Here([[(piece,)] for piece in np.array_split(values, 5)])
        with np.errstate(invalid="ignore"), warnings.catch_warnings():
            warnings.simplefilter("ignore")
            (found,) = answered([quantiles(-np.inf, np.inf, at)], parts)
            np.testing.assert_array_equal(found, np.nanquantile(values, at))
            known = np.unique(values[np.isfinite(values)])
            if not known.size:
                continue

            def different():
                return distinct_quantiles((yield Distinct(_finite)), at)

            (found,) = answered([different()], parts)
            np.testing.assert_array_equal(found, np.quantile(known, at))


def _finite(values):
    return values[np.isfinite(values)]


def test_functions_of_the_caller_that_go_row_by_row(table):
    context = {"bent": lambda v: np.maximum(v - 1.5, 0), "np": np}
    formula = "{bent(y)} ~ bent(z) + {z.clip(1.2, 2.5)} + offset(bent(i))"
    whole = design(formula, table, context=context)
    parts = partitioned_design(formula, chunks(cut(table, 150)), context=context)
    np.testing.assert_array_equal(parts.x, whole.x)
    np.testing.assert_array_equal(parts.y, whole.y)
    np.testing.assert_array_equal(parts.offset, whole.offset)


def test_levels_that_are_whole_numbers_in_some_parts():
    table = pd.DataFrame({"id": [1.0, 2, 3, 1, 2, 3, 1, np.nan, 2, 3], "y": np.arange(10.0)})
    pieces = [table[:4].astype({"id": int}), table[4:]]
    parts, whole = partitioned_design("y ~ (1 | id)", chunks(pieces)), design("y ~ (1 | id)", table)
    np.testing.assert_array_equal(parts.x, whole.x)
    assert parts.spec.matrix.transforms == whole.spec.matrix.transforms
