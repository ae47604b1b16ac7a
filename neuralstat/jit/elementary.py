"""The elementary functions that custom activations and errors are made of, for one float64 each.

Written so that they run compiled by numba and as plain Python on numpy scalars (then inside
``np.errstate(all="ignore")``): non-finite values come out, exceptions do not.
Functions such as `softplus` exist because the textbook formula overflows or cancels.
"""

from __future__ import annotations

import math
from collections.abc import Callable

import numpy as np


def erf(u: float) -> float:
    """Error function."""
    return np.float64(math.erf(u))


def erfc(u: float) -> float:
    """Complementary error function, accurate in its tail."""
    return np.float64(math.erfc(u))


def lgamma(u: float) -> float:
    """Logarithm of the absolute value of the gamma function; infinite at its poles."""
    if u <= 0.0 and u == math.floor(u):
        return np.float64(np.inf)
    return np.float64(math.lgamma(u))


def digamma(u: float) -> float:
    """Derivative of lgamma; reflected below 0, NaN at the poles."""
    below = 0.0
    if u <= 0.0:
        if u == math.floor(u):
            return np.float64(np.nan)
        below = math.pi / math.tan(math.pi * u)
        u = 1.0 - u
    while u < 9.0:
        below += 1.0 / u
        u += 1.0
    v = 1.0 / (u * u)
    tail = v * (1 / 12 - v * (1 / 120 - v * (1 / 252 - v * (1 / 240 - v * (1 / 132 - v * (691 / 32760 - v / 12))))))
    return np.float64(math.log(u) - 0.5 / u - tail - below)


def trigamma(u: float) -> float:
    """Derivative of digamma; reflected below 0, NaN at the poles."""
    sign, above = 1.0, 0.0
    if u <= 0.0:
        if u == math.floor(u):
            return np.float64(np.nan)
        s = math.sin(math.pi * u)
        sign, above, u = -1.0, -math.pi * math.pi / (s * s), 1.0 - u
    while u < 9.0:
        above += 1.0 / (u * u)
        u += 1.0
    v = 1.0 / (u * u)
    tail = 1 / 6 - v * (1 / 30 - v * (1 / 42 - v * (1 / 30 - v * (5 / 66 - v * (691 / 2730 - v * 7 / 6)))))
    return np.float64(sign * (above + 1.0 / u + 0.5 * v + tail * v / u))


def sign(u: float) -> float:
    """-1, 0 or 1; nan stays nan."""
    if u > 0.0:
        return np.float64(1.0)
    if u < 0.0:
        return np.float64(-1.0)
    return np.float64(u * 0.0)


def expit(u: float) -> float:
    """Logistic function 1 / (1 + exp(-u)), without overflow."""
    if u >= 0.0:
        return 1.0 / (1.0 + np.exp(-u))
    e = np.exp(u)
    return e / (1.0 + e)


def logistic_density(u: float) -> float:
    """Density of the logistic distribution, e / (1 + e)^2 with e = exp(-|u|)."""
    e = np.exp(-np.abs(u))
    return e / ((1.0 + e) * (1.0 + e))


def softplus(u: float) -> float:
    """log(1 + exp(u)) = max(u, 0) + log(1 + exp(-|u|))."""
    tail = np.log1p(np.exp(-np.abs(u)))
    return u + tail if u > 0.0 else tail


def logaddexp(u: float, v: float) -> float:
    """log(exp(u) + exp(v))."""
    if u == v:  # also both infinite, where u - v is nan
        return u + 0.6931471805599453
    return max(u, v) + np.log1p(np.exp(-np.abs(u - v)))


def logcosh(u: float) -> float:
    """log(cosh(u)): by sinh near 0, where cosh(u) - 1 cancels; by |u| - log 2 + ... elsewhere."""
    a = np.abs(u)
    if a < 1.0:
        half = np.sinh(0.5 * u)
        return np.log1p(2.0 * half * half)
    return a + np.log1p(np.exp(-2.0 * a)) - 0.6931471805599453


def sech2(u: float) -> float:
    """1 / cosh(u)^2 = 4 e / (1 + e)^2 with e = exp(-2|u|), the derivative of tanh, accurate in its tail."""
    e = np.exp(-2.0 * np.abs(u))
    return 4.0 * e / ((1.0 + e) * (1.0 + e))


def maximum(u: float, v: float) -> float:
    """Larger of two numbers; nan where either is nan."""
    return u if u > v or u != u else v


def minimum(u: float, v: float) -> float:
    """Smaller of two numbers; nan where either is nan."""
    return u if u < v or u != u else v


def greater(u: float, v: float) -> float:
    """1 where u > v, else 0."""
    return np.float64(1.0) if u > v else np.float64(0.0)


def greater_equal(u: float, v: float) -> float:
    """1 where u >= v, else 0."""
    return np.float64(1.0) if u >= v else np.float64(0.0)


def equal(u: float, v: float) -> float:
    """1 where u == v, else 0."""
    return np.float64(1.0) if u == v else np.float64(0.0)


def not_equal(u: float, v: float) -> float:
    """1 where u != v, else 0."""
    return np.float64(1.0) if u != v else np.float64(0.0)


def where(condition: float, u: float, v: float) -> float:
    """Return u where the condition is not 0, else v."""
    return np.float64(u) if condition != 0.0 else np.float64(v)


#: name -> (number of arguments, scalar function)
FUNCTIONS: dict[str, tuple[int, Callable[..., float]]] = {
    **{
        name: (1, getattr(np, name))
        for name in (
            "exp", "log", "log1p", "expm1", "sqrt", "sin", "cos", "tan", "sinh", "cosh", "tanh",
            "arcsin", "arccos", "arctan", "arcsinh", "arccosh", "arctanh", "floor", "ceil", "absolute",
        )
    },
    **{
        f.__name__: (1, f)
        for f in (erf, erfc, lgamma, digamma, trigamma, sign, expit, logistic_density, softplus, logcosh, sech2)
    },
    **{
        f.__name__: (2, f)
        for f in (logaddexp, maximum, minimum, greater, greater_equal, equal, not_equal)
    },
    "where": (3, where),
}  # fmt: skip
