"""Further scalar functions for kernels, in the same kinds of number as `scalar`: what families and links need.

All return NaN or infinity where they are not defined; none raises.
"""

from __future__ import annotations

import math
from typing import Any

import numba
import numpy as np

from .compile import jit, scalar

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

    from .by_number import by_kind
    from .scalar import _exp32, _exp64

    @scalar
    def _exp_wide_complex(z: complex) -> complex:
        e = math.exp(z.real)
        return complex(e, z.imag * e)

    @scalar
    def _pow_complex(z: complex, p: float) -> complex:
        return complex(z.real**p, z.imag * p * z.real ** (p - 1.0))

    @scalar
    def _pow_real(z: float, p: float) -> float:
        return z**p

    @scalar
    def _acot_real(z: float) -> float:
        return math.atan2(1.0, z)

    @scalar
    def _acot_complex(z: complex) -> complex:
        return complex(math.atan2(1.0, z.real), -z.imag / (1.0 + z.real * z.real))

    @scalar
    def _log_ndtr_real(z: float) -> tuple[float, float]:
        value, h, _ = _log_ndtr(z)
        return value, h

    @scalar
    def _log_ndtr_complex(z: complex) -> tuple[complex, complex]:
        value, h, bend = _log_ndtr(z.real)
        return complex(value, z.imag * h), complex(h, z.imag * bend)

    exp_wide_ = by_kind("exp_wide_", "Exponential function; unlike `exp_` without a bound on complex numbers.", _exp64,
                        _exp32, _exp_wide_complex)  # fmt: skip
    pow_ = by_kind("pow_", "z to the power p, NaN for negative z and broken p.", _pow_real, _pow_real, _pow_complex)
    acot_ = by_kind("acot_", "Angle of (z, 1), from 0 (z large) to pi; accurate at both ends.", _acot_real, _acot_real,
                    _acot_complex)  # fmt: skip
    log_ndtr_ = by_kind("log_ndtr_", "``(log Phi(z), phi(z) / Phi(z))`` of the standard normal, accurate in both tails.",
                        _log_ndtr_real, _log_ndtr_real, _log_ndtr_complex)  # fmt: skip
