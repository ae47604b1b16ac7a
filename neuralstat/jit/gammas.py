"""Logarithm of the gamma function and its derivative as scalar kernels, in the kinds of number of `scalar`.

Arguments below `_FROM` are moved up by the recurrence; from there on Stirling's series (Abramowitz & Stegun 6.1.41, 6.3.18),
whose first term left out is below 1e-16. Real parts must be > 0.
"""

from __future__ import annotations

from typing import Any

from .compile import jit
from .scalar import log_, real_

_FROM = 9.0
_HALF_LOG_2PI = 0.9189385332046727


@jit(strict=True)
def lgamma_(x: Any) -> Any:
    """log Gamma(x), x > 0."""
    product = x * 0 + 1
    while real_(x) < _FROM:
        product = product * x
        x = x + 1
    u = 1 / (x * x)
    series = (1 / 12 - u * (1 / 360 - u * (1 / 1260 - u * (1 / 1680 - u * (1 / 1188 - u * (691 / 360360 - u / 156)))))) / x
    return (x - 0.5) * log_(x) - x + _HALF_LOG_2PI + series - log_(product)


@jit(strict=True)
def digamma_(x: Any) -> Any:
    """d log Gamma(x) / d x, x > 0."""
    below = x * 0
    while real_(x) < _FROM:
        below = below + 1 / x
        x = x + 1
    u = 1 / (x * x)
    series = u * (1 / 12 - u * (1 / 120 - u * (1 / 252 - u * (1 / 240 - u * (1 / 132 - u * (691 / 32760 - u / 12))))))
    return log_(x) - 0.5 / x - series - below
