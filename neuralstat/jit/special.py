"""Further scalar functions for kernels, in the same kinds of number as `scalar`: what families and links need.

All return NaN or infinity where they are not defined; none raises.
"""

from __future__ import annotations

import math
from typing import Any

import numba
import numpy as np
from numba import types
from numba.extending import overload

from .compile import jit
from .scalar import exp_

_TAIL = -25.0  # below, the normal distribution function is taken from its asymptotic series
_HALF_LOG_2PI = 0.5 * math.log(2 * math.pi)


@jit(strict=True)
def _log_ndtr(x: float) -> tuple[float, float, float]:
    """``(log Phi(x), h, dh / dx)`` with h = phi(x) / Phi(x), the inverse Mills ratio, and dh / dx = -h (x + h).

    In the tail Phi(x) = phi(x) / |x| (1 - s), s = 1/x^2 - 3/x^4 + 15/x^6 - ... (Abramowitz & Stegun 26.2.12).
    """
    if x > _TAIL:
        cdf = 0.5 * math.erfc(-x * math.sqrt(0.5))
        log_cdf = math.log(cdf) if x < 5.0 else math.log1p(-0.5 * math.erfc(x * math.sqrt(0.5)))
        h = math.exp(-0.5 * x * x - _HALF_LOG_2PI) / cdf
        return log_cdf, h, -h * (x + h)
    u = 1.0 / (x * x)
    s = u * (1.0 - u * (3.0 - u * (15.0 - u * (105.0 - u * (945.0 - u * (10395.0 - u * 135135.0))))))
    h = -x / (1.0 - s)
    log_cdf = -0.5 * x * x - _HALF_LOG_2PI - math.log(-x) + math.log1p(-s)
    return log_cdf, h, h * x * s / (1.0 - s)


if numba.config.DISABLE_JIT:  # the kernels then run as plain Python

    def _is_complex(z: Any) -> bool:
        return isinstance(z, complex | np.complexfloating)

    def exp_wide_(z: Any) -> Any:
        """Exponential function; unlike `exp_` without a bound on complex numbers."""
        with np.errstate(over="ignore", under="ignore"):
            if _is_complex(z):
                e = np.exp(z.real)
                return complex(e, z.imag * e)
            return np.exp(z)

    def pow_(z: Any, p: float) -> Any:
        """z to the power p, NaN for negative z and broken p."""
        with np.errstate(all="ignore"):
            if _is_complex(z):
                a = np.float64(z.real)
                return complex(np.power(a, p), z.imag * p * np.power(a, p - 1.0))
            return np.power(np.float64(z), p)

    def acot_(z: Any) -> Any:
        """Angle of (z, 1), from 0 (z large) to pi; accurate at both ends."""
        if _is_complex(z):
            return complex(math.atan2(1.0, z.real), -z.imag / (1.0 + z.real * z.real))
        return np.float64(math.atan2(1.0, z))

    def log_ndtr_(z: Any) -> Any:
        """``(log Phi(z), phi(z) / Phi(z))`` of the standard normal, accurate in both tails."""
        with np.errstate(all="ignore"):
            value, h, bend = _log_ndtr(float(z.real))
            if _is_complex(z):
                return complex(value, z.imag * h), complex(h, z.imag * bend)
            return np.float64(value), np.float64(h)

else:

    @numba.njit(error_model="numpy")
    def _exp_wide_complex(z: complex) -> complex:
        e = math.exp(z.real)
        return complex(e, z.imag * e)

    @numba.njit(error_model="numpy")
    def _pow_complex(z: complex, p: float) -> complex:
        return complex(z.real**p, z.imag * p * z.real ** (p - 1.0))

    @numba.njit(error_model="numpy")
    def _pow_real(z: float, p: float) -> float:
        return z**p

    @numba.njit(error_model="numpy")
    def _acot_real(z: float) -> float:
        return math.atan2(1.0, z)

    @numba.njit(error_model="numpy")
    def _acot_complex(z: complex) -> complex:
        return complex(math.atan2(1.0, z.real), -z.imag / (1.0 + z.real * z.real))

    @numba.njit(error_model="numpy")
    def _log_ndtr_real(z: float) -> tuple[float, float]:
        value, h, _ = _log_ndtr(z)
        return value, h

    @numba.njit(error_model="numpy")
    def _log_ndtr_complex(z: complex) -> tuple[complex, complex]:
        value, h, bend = _log_ndtr(z.real)
        return complex(value, z.imag * h), complex(h, z.imag * bend)

    def exp_wide_(z: Any) -> Any:
        """Exponential function; unlike `exp_` without a bound on complex numbers."""

    def pow_(z: Any, p: float) -> Any:
        """z to the power p, NaN for negative z and broken p."""

    def acot_(z: Any) -> Any:
        """Angle of (z, 1), from 0 (z large) to pi; accurate at both ends."""

    def log_ndtr_(z: Any) -> Any:
        """``(log Phi(z), phi(z) / Phi(z))`` of the standard normal, accurate in both tails."""

    # numba compares the argument lists, annotations included: hence none below.

    @overload(exp_wide_, inline="never")
    def _choose_exp(z):  # type: ignore[no-untyped-def]
        if isinstance(z, types.Complex):
            return lambda z: _exp_wide_complex(z)
        return lambda z: exp_(z)

    @overload(pow_, inline="never")
    def _choose_pow(z, p):  # type: ignore[no-untyped-def]
        if isinstance(z, types.Complex):
            return lambda z, p: _pow_complex(z, p)
        return lambda z, p: _pow_real(z, p)

    @overload(acot_, inline="never")
    def _choose_acot(z):  # type: ignore[no-untyped-def]
        if isinstance(z, types.Complex):
            return lambda z: _acot_complex(z)
        return lambda z: _acot_real(z)

    @overload(log_ndtr_, inline="never")
    def _choose_log_ndtr(z):  # type: ignore[no-untyped-def]
        if isinstance(z, types.Complex):
            return lambda z: _log_ndtr_complex(z)
        return lambda z: _log_ndtr_real(z)
