"""The scalar functions of kernels in plain Python: for uncompiled runs and the CUDA simulator."""

from __future__ import annotations

import math
from typing import Any

import numpy as np


def exp_(z: Any) -> Any:
    """Exponential function."""
    with np.errstate(over="ignore", under="ignore"):
        return np.exp(z)


def real_(z: Any) -> Any:
    """Real part, for comparisons."""
    return z.real


def size_bits(z: Any) -> Any:
    """Return a number that orders like |z|, NaN above infinity."""
    return np.abs(np.float64(z)).view(np.int64)


def from_bits(bits: Any) -> Any:
    """|z| of `size_bits`."""
    return np.int64(bits).view(np.float64)


def erf_(z: Any) -> Any:
    """Error function, with its complex step."""
    if isinstance(z, complex | np.complexfloating):
        a = z.real
        return math.erf(a) + 1j * z.imag * 2.0 / math.sqrt(math.pi) * math.exp(-a * a)
    return type(z)(math.erf(z))


def log1p_(z: Any) -> Any:
    """log(1 + z), with its complex step: numpy's complex one cancels near 0."""
    if isinstance(z, complex | np.complexfloating):
        return np.log1p(z.real) + 1j * z.imag / (1 + z.real)
    return np.log1p(z)


def log_(z: Any) -> Any:
    """Natural logarithm; NaN below 0."""
    with np.errstate(divide="ignore", invalid="ignore"):
        return np.log(z)


def expm1_(z: Any) -> Any:
    """exp(z) - 1 without cancellation."""
    with np.errstate(over="ignore", under="ignore"):
        return np.expm1(z)


def tanh_(z: Any) -> Any:
    """Hyperbolic tangent."""
    return np.tanh(z)
