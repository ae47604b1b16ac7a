"""Scalar functions for kernels, in three kinds of number.

float64 and float32 are for training. complex128 is for derivatives: a kernel run on ``theta + i h v`` with a
tiny ``h`` returns its exact directional derivative in the imaginary part (complex step; Squire & Trapp, 1998,
SIAM Review 40:110-112), so one source gives values, gradients and Hessians.

`exp_` is a polynomial after range reduction whose exponent is assembled by a bit cast, so that loops over
observations vectorise: exp(z) = 2^k (1 + r + r^2 p(r)), k = round(z / ln 2), |r| <= ln(2) / 2, p of degree 9
(Chebyshev interpolation, relative error 2e-17 before rounding; of degree 4 in float32).
"""

from __future__ import annotations

import math
from typing import Any

import numba
import numpy as np
from numba import types
from numba.extending import intrinsic

from .by_number import by_kind
from .compile import scalar

_LOG2E = 1.4426950408889634
_LN2_HIGH, _LN2_LOW = 0.6931471805598903, 5.497923018708371e-14
_LN2_HIGH32, _LN2_LOW32 = np.float32(0.693359375), np.float32(-0.00021219444005469057)
_ROUND = 6755399441055744.0  # 1.5 * 2^52: adding it leaves the rounded integer in the low bits
_ROUND32 = np.float32(12582912.0)  # 1.5 * 2^23
_LOG2E32 = np.float32(_LOG2E)

if numba.config.DISABLE_JIT:  # the kernels then run as plain Python

    from .plain import erf_ as erf_
    from .plain import exp_ as exp_
    from .plain import expm1_ as expm1_
    from .plain import from_bits as from_bits
    from .plain import log1p_ as log1p_
    from .plain import log_ as log_
    from .plain import real_ as real_
    from .plain import size_bits as size_bits
    from .plain import tanh_ as tanh_

else:

    @intrinsic
    def _as_float(typingctx: Any, bits: Any) -> Any:
        """Reinterpret the bits of an int64 as a float64, of an int32 as a float32."""
        target = types.float64 if bits == types.int64 else types.float32
        signature = target(bits)

        def codegen(context: Any, builder: Any, signature: Any, arguments: Any) -> Any:
            return builder.bitcast(arguments[0], context.get_value_type(signature.return_type))

        return signature, codegen

    @intrinsic
    def _as_bits(typingctx: Any, value: Any) -> Any:
        """Reinterpret the bits of a float64 as an int64, of a float32 as an int32."""
        target = types.int64 if value == types.float64 else types.int32
        signature = target(value)

        def codegen(context: Any, builder: Any, signature: Any, arguments: Any) -> Any:
            return builder.bitcast(arguments[0], context.get_value_type(signature.return_type))

        return signature, codegen


    @scalar(contract=True)
    def _reduced(z: float) -> tuple[float, float]:
        """``(expm1(r), 2^k)`` of a float64 with |z| < 708."""
        shifted = z * _LOG2E + _ROUND
        k = shifted - _ROUND
        r = (z - k * _LN2_HIGH) - k * _LN2_LOW
        p = 2.510038549551032e-08
        p = p * r + 2.7620088445409746e-07
        p = p * r + 2.7557268459997064e-06
        p = p * r + 2.4801521295954376e-05
        p = p * r + 0.00019841269863053618
        p = p * r + 0.0013888888917213717
        p = p * r + 0.008333333333330062
        p = p * r + 0.04166666666662413
        p = p * r + 0.16666666666666669
        p = p * r + 0.5
        return p * r * r + r, _as_float((_as_bits(shifted) + 1023) << 52)

    @scalar(contract=True)
    def _exp64(z: float) -> float:
        bounded = min(max(z, -708.0), 709.0)
        small, scale = _reduced(bounded)
        value = small * scale + scale
        if z > 709.0:
            value = np.inf
        if z < -708.0:
            value = 0.0
        return value if z == z else z

    @scalar(contract=True)
    def _expm1_64(z: float) -> float:
        bounded = min(max(z, -708.0), 709.0)
        small, scale = _reduced(bounded)
        value = small * scale + (scale - 1.0)
        if z > 709.0:
            value = np.inf
        return value if z == z else z

    @scalar(contract=True)
    def _reduced32(z: Any) -> tuple[Any, Any]:
        """``(expm1(r), 2^k)`` of a float32 with |z| < 87."""
        shifted = z * _LOG2E32 + _ROUND32
        k = shifted - _ROUND32
        r = (z - k * _LN2_HIGH32) - k * _LN2_LOW32
        p = np.float32(0.0013926184)
        p = p * r + np.float32(0.008363179)
        p = p * r + np.float32(0.041666555)
        p = p * r + np.float32(0.16666577)
        p = p * r + np.float32(0.5)
        return p * r * r + r, _as_float(np.int32((_as_bits(shifted) + np.int32(127)) << np.int32(23)))

    @scalar(contract=True)
    def _exp32(z: float) -> float:
        bounded = min(max(z, np.float32(-87.0)), np.float32(88.0))
        small, scale = _reduced32(bounded)
        value = small * scale + scale
        if z > np.float32(88.0):
            value = np.float32(np.inf)
        if z < np.float32(-87.0):
            value = np.float32(0.0)
        return value if z == z else z

    @scalar(contract=True)
    def _expm1_32(z: float) -> float:
        bounded = min(max(z, np.float32(-87.0)), np.float32(88.0))
        small, scale = _reduced32(bounded)
        value = small * scale + (scale - np.float32(1.0))
        if z > np.float32(88.0):
            value = np.float32(np.inf)
        return value if z == z else z

    @scalar
    def _tanh64(z: float) -> float:
        doubled = _expm1_64(2.0 * min(max(z, -20.0), 20.0))
        return doubled / (doubled + 2.0) if z == z else z

    @scalar
    def _tanh32(z: Any) -> Any:
        two = np.float32(2.0)
        doubled = _expm1_32(two * min(max(z, np.float32(-10.0)), np.float32(10.0)))
        return doubled / (doubled + two) if z == z else z

    @scalar
    def _erf_complex(z: complex) -> complex:
        a = z.real
        return complex(math.erf(a), z.imag * 2.0 / math.sqrt(math.pi) * math.exp(-a * a))

    @scalar
    def _log1p_complex(z: complex) -> complex:
        return complex(math.log1p(z.real), z.imag / (1.0 + z.real))

    @scalar
    def _log_complex(z: complex) -> complex:
        return complex(math.log(z.real), z.imag / z.real)

    @scalar
    def _log_real(z: float) -> float:
        return math.log(z)

    @scalar
    def _expm1_complex(z: complex) -> complex:
        return complex(math.expm1(z.real), z.imag * math.exp(z.real))

    @scalar
    def _exp_complex(z: complex) -> complex:
        e = math.exp(min(z.real, 350.0))  # so that 1 / (1 + e)^2 does not overflow
        return complex(e, z.imag * e)

    @scalar
    def _tanh_complex(z: complex) -> complex:
        t = math.tanh(z.real)
        return complex(t, z.imag * (1.0 - t * t))

    @scalar
    def size_bits(z: float) -> int:
        """An integer that orders like |z|, NaN above infinity: its bits without the sign."""
        return _as_bits(np.float64(abs(z)))  # float32 too: the smaller bits would not be told from int64

    @scalar
    def from_bits(bits: int) -> float:
        """|z| of `size_bits`."""
        return _as_float(bits)

    @scalar
    def _real_complex(z: complex) -> float:
        return z.real

    @scalar
    def _same(z: float) -> float:
        return z

    @scalar
    def _erf_real(z: float) -> float:
        return math.erf(z)

    @scalar
    def _log1p_real(z: float) -> float:
        return math.log1p(z)

    exp_ = by_kind("exp_", "Exponential function (see the module).", _exp64, _exp32, _exp_complex)
    expm1_ = by_kind("expm1_", "exp(z) - 1 without cancellation.", _expm1_64, _expm1_32, _expm1_complex)
    tanh_ = by_kind("tanh_", "Hyperbolic tangent, expm1(2z) / (expm1(2z) + 2).", _tanh64, _tanh32, _tanh_complex)
    real_ = by_kind("real_", "Real part, for comparisons.", _same, _same, _real_complex)
    erf_ = by_kind("erf_", "Error function.", _erf_real, _erf_real, _erf_complex)
    log_ = by_kind("log_", "Natural logarithm.", _log_real, _log_real, _log_complex)
    log1p_ = by_kind("log1p_", "log(1 + z).", _log1p_real, _log1p_real, _log1p_complex)
