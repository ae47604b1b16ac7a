"""The distribution of weighted sums of independent chi-squared variables, Q = sum_j w_j X_j with X_j ~ chi2 on h_j.

P(Q > q) is the integral of exp(K(s) - s q) / (2 pi i s) along any path from -i inf to i inf with 0 on its left and the
branch points 1 / (2 w_j), w_j > 0, on its right: K(s) = -sum_j h_j log(1 - 2 w_j s) / 2. Through the saddle point, bent to
the right along a hyperbola where exp(-s q) then falls (straight where q is 0), and in steps of sinh, so that powers fall
exponentially as well, the trapezoidal rule converges geometrically: small tails have as many correct digits as large ones.

References ---------- Imhof (1961), Biometrika 48:419 and Davies (1980), JRSS C 29:323 integrate along the straight path.
Weideman & Trefethen (2007), Mathematics of Computation 76:1341, on hyperbolas.
"""

from __future__ import annotations

import numpy as np

STEPS = 1500
NOTHING = 45.0  # minus the logarithm of what no longer counts
NEGLIGIBLE = 1e-14  # weight beside the largest
TILT = 0.6  # angle of the hyperbola's arms to the imaginary axis


def chi2_sum_sf(q: float, weights: np.ndarray, df: np.ndarray | None = None) -> float:
    """P(sum_j w_j X_j > q).

    Parameters
    ----------
    q : float
        Any number; >= 0 where weights are all positive, else the answer is 1 at once.
    weights : (J,) array
        Numbers of any sign, not all 0.
    df : (J,) array, optional
        Degrees of freedom h_j > 0; 1 each unless given.

    Returns
    -------
    float
        In [0, 1]; NaN where an argument is not finite.
    """
    w = np.asarray(weights, float)
    h = np.ones(w.size) if df is None else np.asarray(df, float)
    some = np.abs(w) > NEGLIGIBLE * np.abs(w).max(initial=0.0)
    w, h = w[some], h[some]
    if not (np.isfinite(q) and np.isfinite(w).all() and w.size):
        return np.nan
    if not (w > 0).any():
        return 0.0 if q >= 0 else 1 - chi2_sum_sf(-q, -w, h)
    if not (w < 0).any() and q <= 0:
        return 1.0
    if q < 0:  # there the path would have to bend to the left
        return 1 - chi2_sum_sf(-q, -w, h)
    top = w.max()
    w, q = w / top, q / top
    c = _saddle(q, w, h)
    r, tilt = 0.5 * min(c, 0.5 - c), 0.0 if q == 0 else TILT
    reach = 2 * NOTHING / h.sum() + np.log(2 / r) + np.log(max(1.0, 1 / np.abs(w).min())) * (q == 0)
    if q > 0:
        reach = min(reach, float(np.arcsinh(NOTHING / (q * r * np.sin(TILT)) + 1)))
    v = np.linspace(-reach, reach, 2 * STEPS + 1)
    s = c + r * ((np.cosh(v) - 1) * np.sin(tilt) + 1j * np.sinh(v) * np.cos(tilt))
    slope = r * (np.sinh(v) * np.sin(tilt) + 1j * np.cosh(v) * np.cos(tilt))
    log = -0.5 * np.sum(h[:, np.newaxis] * np.log(1 - 2 * w[:, np.newaxis] * s), axis=0) - s * q
    value = np.sum(np.exp(log) / s * slope) * (v[1] - v[0]) / (2j * np.pi)
    return float(np.clip(value.real, 0.0, 1.0))


def f_sum_sf(statistic: float, weights: np.ndarray, scale: float, rest: float) -> float:
    """P(sum_j w_j X_j > statistic * Y), X_j chi2 on 1, Y chi2 on `rest` over `rest`, or 1 where that is infinite.

    Parameters
    ----------
    statistic : float
        Times `scale`; of a sum over an estimated dispersion.
    weights : (J,) array
    scale : float
        What the statistic is to be multiplied by, in the units of the weights.
    rest : float
        Residual degrees of freedom; ``inf`` where the dispersion is known.
    """
    q, w = float(statistic) * scale, np.asarray(weights, float)
    if np.isinf(rest):
        return chi2_sum_sf(q, w)
    if not rest > 0:
        return np.nan
    if q <= 0:
        return 1.0
    return chi2_sum_sf(0.0, np.append(w, -q / rest), np.append(np.ones(w.size), rest))


def _saddle(q: float, w: np.ndarray, h: np.ndarray) -> float:
    """The minimum of K(s) - s q - log s on (0, 1/2), by bisection of its slope, which rises."""
    low, high = 0.0, 0.5
    for _ in range(60):
        s = 0.5 * (low + high)
        if np.sum(h * w / (1 - 2 * w * s)) - q - 1 / s < 0:
            low = s
        else:
            high = s
    return 0.5 * (low + high)
