"""Penalties as kernels see them: coefficients of every weight, value and subgradient."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from ..jit.compile import jit
from ..jit.late import late

if TYPE_CHECKING:
    pass

# Columns of the coefficients that kernels see, one row per weight
DECAY, ELIMINATION, SCALE, L1 = range(4)

COLUMNS = 4


@late(returns="theta")
def penalise(coefficients: Any, theta: Any, grad: Any) -> Any:
    """Add the penalty's (sub)gradient to a finished `grad`; return the penalty.

    sum_j  decay_j w_j^2 / 2  +  elimination_j / 2 (w_j / s_j)^2 / (1 + (w_j / s_j)^2)  +  l1_j |w_j|

    Parameters
    ----------
    coefficients : (P, COLUMNS) array
        Rows of zeros leave a weight unpenalised; an array without rows is no penalty at all.
    theta, grad : (P,) arrays
        Weights; read: the gradient of all the rest, written: the subgradient of least size. At w_j = 0 it is what
        remains of g_j beyond l1_j, so 0 where |g_j| <= l1_j: such a weight stays at 0.
    """
    total = theta[0] * 0
    for j in range(coefficients.shape[0]):
        w = theta[j]
        if coefficients[j, DECAY] != 0:
            total += coefficients[j, DECAY] * w * w / 2
            grad[j] += coefficients[j, DECAY] * w
        if coefficients[j, ELIMINATION] != 0:
            u = w / coefficients[j, SCALE]
            q = 1 / (1 + u * u)
            total += coefficients[j, ELIMINATION] * u * u * q / 2
            grad[j] += coefficients[j, ELIMINATION] * u * q * q / coefficients[j, SCALE]
        strength = coefficients[j, L1]
        if strength != 0:
            if w.real > 0:
                total += strength * w
                grad[j] += strength
            elif w.real < 0:
                total -= strength * w
                grad[j] -= strength
            elif grad[j].real > strength:
                grad[j] -= strength
            elif grad[j].real < -strength:
                grad[j] += strength
            else:
                grad[j] = 0
    return total


@jit
def penalty_curvature(coefficients: Any, j: int, w: float) -> float:
    """Second derivative of the penalty in weight j (0 for L1)."""
    u = w / coefficients[j, SCALE]
    q = 1 / (1 + u * u)
    bend = coefficients[j, ELIMINATION] * (1 - 3 * u * u) * q * q * q / coefficients[j, SCALE] ** 2
    return coefficients[j, DECAY] + bend


@late
def settle(coefficients: Any, theta: Any, previous: Any, free: Any, before: Any) -> None:
    """Set weights under an L1 penalty that a step took across 0 to exactly 0.

    Parameters
    ----------
    theta, previous : (P,) arrays
        Weights after the step (updated) and before it.
    free : (P,) bool array
        Weights that move.
    before : (P,) array
        The optimizer's memory of the last gradient; forgotten for weights set to 0.
    """
    for j in range(coefficients.shape[0]):
        if free[j] and coefficients[j, L1] != 0 and theta[j] * previous[j] < 0:
            theta[j] = 0
            before[j] = 0


@jit
def any_l1(coefficients: Any) -> bool:
    """Whether some weight has an L1 penalty."""
    for j in range(coefficients.shape[0]):  # noqa: SIM110 (a kernel knows no generators)
        if coefficients[j, L1] != 0:
            return True
    return False
