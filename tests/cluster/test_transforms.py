"""Transforms that are found from the data, on a cluster: those of the whole table, for any partitions and workers."""

from __future__ import annotations

import logging
import warnings

import numpy as np
import pytest
from stateful import FORMULAS, STRUCTURED, leaves, table_of

import neuralstat as ns
from neuralstat.cluster import cluster_design
from neuralstat.errors import ArgumentError, DataError
from neuralstat.formula import design

pytestmark = [pytest.mark.filterwarnings("ignore::neuralstat.errors.NeuralStatWarning"),
              pytest.mark.filterwarnings("ignore::ResourceWarning")]  # fmt: skip
MANY = ("scale(y) ~ bs(log(z), df=5) + poly(scale(x), 2) + cr(z, df=4, constraints='center') + cc(i, df=3) + scale(x):z + g "
        "+ scale(bs(z, df=4)) + offset(center(i))")  # fmt: skip


@pytest.fixture(scope="module")
def table():
    return table_of(400)


def cluster_of(workers):
    from distributed import LocalCluster

    return LocalCluster(n_workers=workers, threads_per_worker=1, processes=False, dashboard_address=None,
                        silence_logs=logging.CRITICAL)  # fmt: skip


def dask(table, parts):
    """Partitions, one without rows among them where there are several."""
    import dask.dataframe as dd

    if parts == 1:
        return dd.from_pandas(table, npartitions=1)
    half = len(table) // 3
    return dd.concat([dd.from_pandas(table[:half], npartitions=1), dd.from_pandas(table[half:half], npartitions=1),
                      dd.from_pandas(table[half:], npartitions=parts - 1)])  # fmt: skip


def there(formula, table, parts, client, **given):
    """Design, and its arrays."""
    made = cluster_design(formula, dask(table, parts), client, standardize=False, scale_response=False, **given)
    found = client.gather(made.held.parts)
    return made, np.concatenate([p.x for p in found], axis=1), np.concatenate([p.y for p in found], axis=1)


def check(formula, table, parts, client, **given):
    made, x, y = there(formula, table, parts, client, **given)
    whole = design(formula, table, **given)
    assert made.x_names == whole.x_names
    np.testing.assert_allclose(x, whole.x, rtol=1e-9, atol=1e-10)
    np.testing.assert_allclose(y, whole.y, rtol=1e-9, atol=1e-11)
    found = dict(leaves({None: made.spec.matrix.transforms, **made.spec.transforms}))
    states = dict(leaves({None: whole.spec.matrix.transforms, **whole.spec.transforms}))
    assert found.keys() == states.keys()
    for key, value in states.items():
        if not isinstance(value, str | bool | None):
            np.testing.assert_allclose(found[key], value, rtol=1e-8, atol=1e-10, err_msg=str(key))


@pytest.mark.parametrize("formula", FORMULAS[::4])
def test_design_and_states_are_those_of_the_table(formula, table, client):
    check(formula, table, 4, client, weights="w")


@pytest.mark.slow
@pytest.mark.parametrize("formula", [*FORMULAS, *STRUCTURED])
def test_every_transform(formula, table, client):
    check(formula, table, 6, client, weights="w")


@pytest.mark.parametrize("parts", [1, 3, 9])
def test_many_transforms_and_any_number_of_partitions(parts, table, client):
    check(MANY, table, parts, client, freq_weights="often")
    check("y ~ s(z, by=v) + te(x, z, k=4) + (x | id)", table, parts, client)


def test_fit(table, client):
    formula, options = "y ~ bs(z, df=5) + poly(scale(x), 2) + g", {"hidden": 0, "weights": "w", "standardize": True}
    fit, whole = ns.neuralnet(formula, dask(table, 4), **options), ns.neuralnet(formula, table, **options)
    assert fit.design.away and fit.nobs == whole.nobs
    np.testing.assert_allclose(fit.params, whole.params, rtol=1e-6)
    np.testing.assert_allclose(fit.bse, whole.bse, rtol=1e-5)
    new = table.dropna()
    found = dask(new, 4).map_partitions(fit.predict, meta=whole.predict(new[:2])).compute()
    np.testing.assert_allclose(found, whole.predict(new), rtol=1e-6, atol=1e-8)


@pytest.mark.parametrize(("formula", "error", "said"), [
    ("y ~ {z - z.mean()}", ArgumentError, r"`z - z.mean\(\)` is found from all rows"),
    ("y ~ scale(lag(z))", ArgumentError, "neighbouring rows"),
    ("y ~ bs(z, df=2)", DataError, r"`bs\(z, df=2\)`"),
])  # fmt: skip
def test_what_cannot_be_is_said(formula, error, said, table, client):
    with pytest.raises(error, match=said):
        cluster_design(formula, dask(table, 4), client)


def test_structured_terms_say_where_they_are_fitted(table, client):
    with pytest.raises(ArgumentError, match=r"s\(z\): structured terms need all rows on one machine; give ns.chunks"):
        ns.neuralnet("y ~ s(z)", dask(table, 4), hidden=0)
    fit, whole = (ns.neuralnet("y ~ s(z)", data, hidden=0) for data in (ns.chunks(dask(table, 4)), table))
    np.testing.assert_allclose(fit.params, whole.params, rtol=1e-6, atol=1e-9)


def test_any_number_of_workers_finds_the_same_bits(table):
    from distributed import Client

    found = {}
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        for workers in (1, 2, 3):
            with cluster_of(workers) as cluster, Client(cluster) as client:
                made, x, y = there(MANY, table, 7, client)
                found[workers] = dict(leaves(made.spec.matrix.transforms)), x, y
    for states, x, y in found.values():
        for key, value in states.items():
            np.testing.assert_array_equal(value, found[1][0][key])
        np.testing.assert_array_equal(x, found[1][1])
        np.testing.assert_array_equal(y, found[1][2])
