"""Accuracy of the elementary functions of kernels in units in the last place; infinities, NaN, overflow."""

from __future__ import annotations

import mpmath
import numba
import numpy as np
import pytest

from neuralstat.jit import scalar


def loop_of(function):
    """The function over an array, compiled the way kernels are."""

    @numba.njit(error_model="numpy")
    def loop(z, out):
        for i in range(z.size):
            out[i] = function(z[i])

    def apply(z):
        out = np.empty_like(z)
        loop(z, out)
        return out

    return apply


FUNCTIONS = {
    name: loop_of(getattr(scalar, name)) for name in ("exp_", "expm1_", "tanh_", "log1p_", "log_", "erf_")
}
EXACT = {"exp_": mpmath.exp, "expm1_": mpmath.expm1, "tanh_": mpmath.tanh, "log1p_": mpmath.log1p,
         "log_": mpmath.log, "erf_": mpmath.erf}  # fmt: skip

# Where the argument lies, and how many units in the last place the result may be off. Beyond these ranges
# results saturate (see below).
RANGES = {
    "exp_": ((-708.0, 709.0, 1.0), (-87.0, 88.0, 1.0)),
    "expm1_": ((-708.0, 709.0, 2.0), (-87.0, 88.0, 2.0)),
    "tanh_": ((-25.0, 25.0, 3.0), (-12.0, 12.0, 3.0)),
    "log1p_": ((-0.999, 1e6, 1.0), (-0.999, 1e6, 1.0)),
    "log_": ((1e-300, 1e6, 1.0), (1e-30, 1e6, 1.0)),
    "erf_": ((-6.0, 6.0, 2.0), (-4.0, 4.0, 2.0)),
}


def points(low: float, high: float, dtype) -> np.ndarray:
    rng = np.random.default_rng(3)
    near = rng.uniform(-1, 1, 150) * 10.0 ** rng.uniform(-12, 0, 150)
    z = np.concatenate([np.linspace(low, high, 101), rng.uniform(low, high, 250), near])
    return np.ascontiguousarray(z[(z >= low) & (z <= high)].astype(dtype))


@pytest.mark.skipif(bool(numba.config.DISABLE_JIT), reason="these are numpy's functions")
@pytest.mark.parametrize("dtype", [np.float64, np.float32])
@pytest.mark.parametrize("name", FUNCTIONS)
def test_accuracy(name, dtype):
    low, high, allowed = RANGES[name][0 if dtype == np.float64 else 1]
    z = points(low, high, dtype)
    found = FUNCTIONS[name](z)
    assert found.dtype == dtype
    with mpmath.workdps(60):
        exact = [EXACT[name](mpmath.mpf(float(v))) for v in z]
        off = [float(abs(mpmath.mpf(float(f)) - e)) for f, e in zip(found, exact, strict=True)]
    unit = np.spacing(np.abs(np.array([float(e) for e in exact]).astype(dtype))).astype(float)
    worst = np.argmax(off / unit)
    assert off[worst] <= allowed * unit[worst], f"{name}({z[worst]!r}): {off[worst] / unit[worst]:.2f} ulp"


LIMITS = {  # argument -> value
    "exp_": {np.inf: np.inf, -np.inf: 0.0, 1e4: np.inf, -1e4: 0.0, 0.0: 1.0},
    "expm1_": {np.inf: np.inf, -np.inf: -1.0, 1e4: np.inf, -1e4: -1.0, 0.0: 0.0},
    "tanh_": {np.inf: 1.0, -np.inf: -1.0, 1e4: 1.0, -1e4: -1.0, 0.0: 0.0},
    "log1p_": {np.inf: np.inf, -1.0: -np.inf, 0.0: 0.0},
    "log_": {np.inf: np.inf, 0.0: -np.inf, 1.0: 0.0},
    "erf_": {np.inf: 1.0, -np.inf: -1.0, 1e4: 1.0, 0.0: 0.0},
}


@pytest.mark.filterwarnings("ignore::RuntimeWarning")  # uncompiled, numpy warns of log(0)
@pytest.mark.parametrize("dtype", [np.float64, np.float32])
@pytest.mark.parametrize("name", FUNCTIONS)
def test_limits(name, dtype):
    z = np.array([*LIMITS[name]], dtype)
    np.testing.assert_array_equal(FUNCTIONS[name](z), np.array([*LIMITS[name].values()], dtype))
    assert np.isnan(FUNCTIONS[name](np.array([np.nan], dtype))[0])


@pytest.mark.parametrize("name", FUNCTIONS)
def test_complex_step(name):
    z = points(*((0.01, 5.0) if name == "log_" else (-0.9, 5.0)), np.float64)
    found = FUNCTIONS[name](z + 1e-30j)
    np.testing.assert_allclose(found.real, FUNCTIONS[name](z), rtol=1e-15, atol=0)
    with mpmath.workdps(60):
        slope = [float(mpmath.diff(EXACT[name], mpmath.mpf(v))) for v in z[::10]]
    np.testing.assert_allclose(found.imag[::10] / 1e-30, slope, rtol=1e-14, atol=2.3e-16)  # tanh: 1 - t^2


@pytest.mark.parametrize("name", ["exp_", "tanh_"])
def test_monotone(name):
    z = np.linspace(-3, 3, 20001)
    assert np.all(np.diff(FUNCTIONS[name](z)) >= 0)
