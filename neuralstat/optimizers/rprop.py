"""Updates of R's algorithms: rprop+, rprop-, sag, slr and backpropagation. They see flat vectors only.

Resilient backpropagation: Riedmiller & Braun 1993 (ICNN, 586); with weight backtracking, rprop+, and without,
rprop-: Igel & Huesken 2000; sag and slr change one more rate so that the sum of rate times gradient is about
zero: the smallest absolute gradient's (sag) or the smallest rate (slr); Anastasiadis, Magoulas & Vrahatis
2005, Neurocomputing 64:253 (globally convergent grprop). Details follow R's neuralnet (see docs/parity.md,
Q17, Q32, Q33).
"""

from __future__ import annotations

from typing import Any

from ..jit.compile import jit
from ..jit.late import late

RPROP_PLUS, RPROP_MINUS, SAG, SLR, BACKPROP = range(5)
CODES = {"rprop+": RPROP_PLUS, "rprop-": RPROP_MINUS, "sag": SAG, "slr": SLR, "backprop": BACKPROP}

# Positions in the vector of settings
RATE, RATE_MIN, RATE_MAX, MINUS, PLUS = range(5)
SETTINGS = 5
INITIAL_RATE = 0.1  # of every weight, whatever the limits say
SHIFT = 1e-6  # of the sum of rate times gradient in sag and slr


@jit
def _sign(x: float) -> float:
    return (x > 0) * 1.0 - (x < 0) * 1.0


@late
def rprop_plus(theta: Any, grad: Any, free: Any, before: Any, rate: Any, settings: Any) -> None:
    """Sign-based step with backtracking: after a change of sign the last step is taken back.

    Parameters
    ----------
    theta : (P,) array
        Updated.
    grad, free : (P,) arrays
        Gradient; which weights move.
    before : (P,) array
        Sign of the last gradient, 0 after a change of sign. Updated.
    rate : (P,) array
        Step sizes. Updated.
    settings : (SETTINGS,) array
        Limits and factors of the rates.
    """
    least, most = settings[RATE_MIN], settings[RATE_MAX]
    minus, plus = settings[MINUS], settings[PLUS]
    for j in range(theta.size):  # without branches, so that it vectorises
        sign = _sign(grad[j])
        change = before[j] * sign
        old = rate[j]
        up, down = min(old * plus, most), max(old * minus, least)
        new = down if change < 0 else (up if change > 0 else old)
        step = -before[j] * old if change < 0 else sign * new
        theta[j] -= step if free[j] else step * 0
        rate[j] = new
        before[j] = before[j] * 0 if change < 0 else sign


@jit
def _balance(algorithm: int, grad: Any, free: Any, rate: Any, settings: Any) -> None:
    """Replace one rate so that sum of rate times gradient is about -SHIFT (sag, slr)."""
    chosen = -1
    for j in range(grad.size):
        if free[j] and grad[j] != 0:
            if chosen < 0:
                chosen = j
            elif algorithm == SAG:
                if abs(grad[j]) < abs(grad[chosen]):
                    chosen = j
            elif rate[j] < rate[chosen]:
                chosen = j
    if chosen < 0:
        return
    total = grad[chosen] * 0
    for j in range(grad.size):
        if free[j] and j != chosen:
            total += rate[j] * grad[j]
    wanted = -(total + SHIFT) / grad[chosen]
    rate[chosen] = min(max(wanted, settings[RATE_MIN]), settings[RATE_MAX])


@late
def rprop_minus(algorithm: int, theta: Any, grad: Any, free: Any, before: Any, rate: Any, settings: Any) -> None:
    """Sign-based step without backtracking (rprop-, sag, slr); `before` is the last gradient itself."""
    for j in range(theta.size):
        if not free[j]:
            continue
        change = before[j] * grad[j]
        if change > 0:
            rate[j] = min(rate[j] * settings[PLUS], settings[RATE_MAX])
        elif change < 0:
            rate[j] = max(rate[j] * settings[MINUS], settings[RATE_MIN])
    if algorithm != RPROP_MINUS:
        _balance(algorithm, grad, free, rate, settings)
    for j in range(theta.size):
        if free[j]:
            theta[j] -= _sign(grad[j]) * rate[j]
            before[j] = grad[j]


@late
def backprop(theta: Any, grad: Any, free: Any, before: Any, settings: Any) -> None:
    """Steepest descent with a fixed rate; `before` keeps the weights from which the step was taken."""
    for j in range(theta.size):
        if free[j]:
            before[j] = theta[j]
            theta[j] -= settings[RATE] * grad[j]


@jit
def update(algorithm: int, theta: Any, grad: Any, free: Any, before: Any, rate: Any, settings: Any) -> None:
    """One step of the algorithm with that code."""
    if algorithm == RPROP_PLUS:
        rprop_plus(theta, grad, free, before, rate, settings)
    elif algorithm == BACKPROP:
        backprop(theta, grad, free, before, settings)
    else:
        rprop_minus(algorithm, theta, grad, free, before, rate, settings)
