"""Vector code of dense layers against sums written with numpy: odd sizes, long sums, wide layers, both precisions."""

from __future__ import annotations

import numpy as np
import pytest

from neuralstat.jit import simd, vector_code
from neuralstat.jit.compile import entry

M = 208  # a multiple of PAD that is none of any tile
SIZES = [(1, 1), (3, 5), (7, 20), (15, 64), (17, 129), (33, 300), (16, 32), (40, 67)]
TOLERANCE = {np.float64: 1e-12, np.float32: 2e-4}


@entry
def weighted(out, theta, first, row_step, sum_step, bias, values, rows, terms, m):
    """Rows 1 .. of `out` from rows 2 .. of `values`."""
    simd.weighted_rows(out, 1, rows, theta, first, row_step, sum_step, bias, values, 2, terms, values, False, m)


@entry
def scaled(out, theta, first, row_step, sum_step, bias, values, rows, terms, factor, m):
    """The same, each sum times what `factor` has at its place."""
    simd.weighted_rows(out, 1, rows, theta, first, row_step, sum_step, bias, values, 2, terms, factor, True, m)


@entry
def outer(grad, deltas, rows, values, columns, m):
    """Gradient of a layer from rows 1 .. of `deltas` and rows 2 .. of `values`."""
    simd.outer_rows(grad, 1, columns + 1, deltas, 1, rows, values, 2, columns, m)


def arrays(rows: int, terms: int, dtype: type) -> tuple:
    """Values, deltas, and a layer's weights, bias first."""
    rng = np.random.default_rng(rows * 1000 + terms)
    values = rng.standard_normal((terms + 3, 256 + 8)).astype(dtype)
    deltas = rng.standard_normal((rows + 2, 256 + 8)).astype(dtype)
    return values, deltas, rng.standard_normal((rows, terms + 1)).astype(dtype)


@pytest.mark.parametrize("dtype", [np.float64, np.float32])
@pytest.mark.parametrize(("rows", "terms"), SIZES)
def test_forward(rows, terms, dtype):
    values, _, w = arrays(rows, terms, dtype)
    out = np.full((rows + 2, 264), 7, dtype)
    weighted(out, w.ravel(), 1, terms + 1, 1, 1, values, rows, terms, M)
    expected = w[:, :1] + w[:, 1:].astype(float) @ values[2 : 2 + terms, :M]
    np.testing.assert_allclose(out[1:-1, :M], expected, atol=TOLERANCE[dtype] * np.sqrt(terms))
    assert np.all(out[0] == 7) and np.all(out[-1] == 7) and np.all(out[:, M:] == 7)


@pytest.mark.parametrize("dtype", [np.float64, np.float32])
@pytest.mark.parametrize(("rows", "terms"), SIZES)
def test_backward(rows, terms, dtype):
    _, deltas, w = arrays(rows, terms, dtype)
    out = np.full((terms + 2, 264), 7, dtype)
    weighted(out, np.ascontiguousarray(w).ravel(), 1, 1, terms + 1, 0, np.vstack([deltas[:1], deltas]), terms, rows, M)
    expected = w[:, 1:].astype(float).T @ deltas[1:-1, :M]
    np.testing.assert_allclose(out[1:-1, :M], expected, atol=TOLERANCE[dtype] * np.sqrt(rows))


@pytest.mark.parametrize("dtype", [np.float64, np.float32])
@pytest.mark.parametrize(("rows", "terms"), SIZES)
def test_factors_are_those_of_a_pass_of_its_own(rows, terms, dtype):
    values, _, w = arrays(rows, terms, dtype)
    plain, out = np.full((rows + 2, 264), 7, dtype), np.full((rows + 2, 264), 7, dtype)
    factor = np.random.default_rng(3).standard_normal(out.shape).astype(dtype)
    weighted(plain, w.ravel(), 1, terms + 1, 1, 1, values, rows, terms, M)
    scaled(out, w.ravel(), 1, terms + 1, 1, 1, values, rows, terms, factor, M)
    plain[1:-1, :M] *= factor[1:-1, :M]
    np.testing.assert_array_equal(out, plain)


@pytest.mark.parametrize("dtype", [np.float64, np.float32])
@pytest.mark.parametrize(("rows", "terms"), SIZES)
def test_gradient(rows, terms, dtype):
    values, deltas, w = arrays(rows, terms, dtype)
    grad = w.copy().ravel()
    outer(grad, deltas, rows, values, terms, M)
    d, v = deltas[1:-1, :M].astype(float), values[2 : 2 + terms, :M]
    expected = w + np.column_stack([d.sum(1), d @ v.T])
    np.testing.assert_allclose(grad.reshape(w.shape), expected, atol=TOLERANCE[dtype] * np.sqrt(M))


def test_long_sums_keep_their_order():
    """Parts of a long sum go on where the last one ended: the same bits as one sum."""
    values, _, w = arrays(8, 300, np.float64)
    out = np.zeros((10, 264))
    weighted(out, w.ravel(), 1, 301, 1, 1, values, 8, 300, M)
    short = np.zeros((10, 264))
    for r in range(8):  # by parts below the limit, with the sum so far as bias
        for i in range(0, M, vector_code.PAD):
            total = np.array([w[r, 0]])
            for j in range(0, 300, 100):
                part = np.concatenate([total, w[r, 1 + j : 101 + j]])
                column = np.zeros((103, 264))
                column[2:102, :vector_code.PAD] = values[2 + j : 102 + j, i : i + 1]
                weighted(short, part, 1, 101, 1, 1, column, 1, 100, vector_code.PAD)
                total = short[1, :1].copy()
            assert out[1 + r, i] == total[0]
