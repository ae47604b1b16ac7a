"""R's ``confidence.interval`` with its mistakes, for ``compat="R"`` (see docs/parity.md).

What differs from `intervals`: the output layer uses the hidden activation where ``linear_output=False``; the
term of the Hessian that couples an output weight with the weights into its hidden unit stands a row too
early; the outer products of several outputs' gradients are added up; ``exclude`` matrices are read as
positions; a weight held at 0 leaves no interval at all. Worked out from R's results, against which the tests
compare both matrices.
"""

from __future__ import annotations

import numpy as np

from ..df.information import Three, loss_derivatives, pointwise, pseudo_inverse
from ..fitted import Fitted
from ..network.objective import ActivationSpec, resolve_activation

# Second derivatives of R's activations from their value a and slope d.
CURVATURES = {
    "identity": lambda a, d: np.zeros_like(a),
    "logistic": lambda a, d: d * (1 - 2 * a),
    "tanh": lambda a, d: -2 * a * d,
}


def has_intervals(fitted: Fitted) -> bool:
    """Whether the fit asks for R's arithmetic and is a model for which R has intervals.

    R stops for relu and for more than one hidden layer; families, penalties, case weights, offsets and
    standardised models it does not have. It stops for ``err_fct="sse"``, too, but only over a scalar second
    derivative; what its formulas give is taken there.
    """
    objective, settings, design = fitted.network.objective, fitted.settings, fitted.design
    if settings.compat != "R":
        return False
    activations = (_hidden_activation(fitted), objective.output)
    return (
        (objective.name in ("sse", "ce", "ce_r") or objective.custom is not None)
        and not objective.of_predictor
        and len(fitted.network.hidden) <= 1
        and all(spec.custom is not None or spec.name in CURVATURES for spec in activations)
        and settings.penalty is None
        and design.weights is None
        and design.offset is None
        and design.scaling is None
    )


def r_standard_errors(fitted: Fitted, b: int) -> tuple[np.ndarray, float, int]:
    """R's standard errors (P,) of repetition b (0-based), trace(B A^+), and the rank of A.

    NaN, with rank 0, where the repetition did not converge and where a weight is held at 0: R then gives no interval
    and no NIC.
    """
    error = np.full(fitted.network.n_params, np.nan)
    if held_at_zero(fitted) or not fitted.fit.converged[b]:
        return error, np.nan, 0
    a, outer = r_information(fitted, b)
    inverse, rank = pseudo_inverse(a)
    variance = np.diag(inverse @ outer @ inverse) / fitted.n_rows
    if np.all(variance >= 0):
        error[_used(fitted)] = np.sqrt(variance)
    return error, float(np.trace(outer @ inverse)), rank


def held_at_zero(fitted: Fitted) -> bool:
    """Whether a weight is held at 0."""
    return bool(np.any(~fitted.fit.free[0] & (fitted.theta[0] == 0)))


def _used(fitted: Fitted) -> np.ndarray:
    """(P,) which weights R's matrices have; it reads the numbers of an `exclude` matrix as positions."""
    given = fitted.settings.exclude
    array = np.asarray(given) if given is not None else np.empty(0)
    if array.ndim != 2 or array.dtype.kind not in "iuf":
        return fitted.fit.free[0].copy()
    used = np.ones(fitted.network.n_params, bool)
    positions = np.unique(array.astype(int))
    used[positions[positions <= used.size] - 1] = False
    return used


def r_information(fitted: Fitted, b: int) -> tuple[np.ndarray, np.ndarray]:
    """R's A and B of repetition b (0-based): its Hessian and outer products of the error, per observation."""
    network, design = fitted.network, fitted.design
    objective = network.objective
    matrices = network.matrices(fitted.fit.theta[b].astype(float))
    n = fitted.n_rows
    inputs = np.vstack([np.ones((1, n)), design.x])
    last, bent = inputs, None
    hidden = _hidden_activation(fitted)
    if len(matrices) == 2:
        bent = activation_derivatives(hidden, matrices[0].T @ inputs)
        last = np.vstack([np.ones((1, n)), bent[0]])
    linear = objective.output.name == "identity" and objective.output.custom is None
    output, slope, bend = activation_derivatives(objective.output if linear else hidden, matrices[-1].T @ last)
    first, second = loss_derivatives(objective, output, design.y)
    by_predictor, curvature = first * slope, second * slope**2 + first * bend
    size = network.n_params
    a, outer = np.zeros((size, size)), np.zeros((size, size))
    begin = size - matrices[-1].size
    for k in range(output.shape[0]):
        own = slice(begin + k * last.shape[0], begin + (k + 1) * last.shape[0])
        jacobian = np.zeros((size, n))
        jacobian[own] = last
        for v in range(0 if bent is None else bent[0].shape[0]):
            jacobian[_unit(v, inputs)] = matrices[1][v + 1, k] * bent[1][v] * inputs  # type: ignore[index]
        a += (jacobian * curvature[k]) @ jacobian.T
        outer += (jacobian * by_predictor[k] ** 2) @ jacobian.T
        if bent is not None:
            _second_order(a, inputs, by_predictor[k], bent, matrices[1][:, k], own.start)
    keep = np.ix_(_used(fitted), _used(fitted))
    return a[keep] / n, outer[keep] / n


def _unit(v: int, inputs: np.ndarray) -> slice:
    """Places of the weights into hidden unit v."""
    return slice(v * inputs.shape[0], (v + 1) * inputs.shape[0])


def _second_order(
    a: np.ndarray, inputs: np.ndarray, by_predictor: np.ndarray, bent: Three, weights: np.ndarray, begin: int
) -> None:
    """Add the terms with second derivatives of the network, the mixed ones where R has them."""
    for v in range(bent[0].shape[0]):
        unit = _unit(v, inputs)
        a[unit, unit] += (inputs * (by_predictor * weights[v + 1] * bent[2][v])) @ inputs.T
        mixed = inputs @ (by_predictor * bent[1][v])
        row = begin + v  # the weight of unit v is at begin + v + 1; begin is the bias
        a[row, unit] += mixed
        a[unit, row] += mixed


def _hidden_activation(fitted: Fitted) -> ActivationSpec:
    """R's ``act.fct``: of the hidden layer, or what was given where there is none."""
    given = fitted.settings.act_fct
    if isinstance(given, list | tuple):
        given = given[0] if given else "logistic"
    return resolve_activation(given)


def activation_derivatives(spec: ActivationSpec, z: np.ndarray) -> Three:
    """Value, slope and curvature of an activation at an array."""
    if spec.custom is not None:
        return pointwise(spec.custom.python, z)
    value, slope = spec.values(z), spec.slopes(z)
    return value, slope, CURVATURES[spec.name](value, slope)
