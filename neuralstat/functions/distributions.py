"""Losses of several outputs per response: minus the log-likelihood of distributions with several parameters.

Every parameter is an output of the network. To add one: a code, a scalar kernel in `densities` (its first parameter is given
itself, the others by linear predictors), its loop and its line in `sum_distribution`; then a class in `families`. Tests walk
`DENSITIES`.
"""

from __future__ import annotations

from typing import Any

import numpy as np

from ..jit.call import call_several
from ..jit.compile import jit, named
from ..jit.scalar import exp_, real_
from . import densities
from .cumulative import sum_mixture, sum_ordinal, sum_quantiles, sum_survival
from .hazards import sum_cox, sum_piecewise
from .links import inverse_link
from .multinormal import sum_multinormal

DISTRIBUTION = 1_000_000  # a loss's code is DISTRIBUTION + distribution + WIDTH * link of the first parameter
WIDTH = 64
(NORMAL, LOGNORMAL, GAMMA_2, INVERSE_GAUSSIAN_2, BETA, NEGATIVE_BINOMIAL_2, ZIP, HURDLE_POISSON, STUDENT, ZINB,
 HURDLE_NEGATIVE_BINOMIAL, ORDINAL, SURVIVAL, QUANTILES, EXPECTILES, MIXTURE, OWN, LAPLACE, HUBER, TWEEDIE_3, PIECEWISE, COX,
 MULTINORMAL) = range(23)  # fmt: skip
COUPLED = (COX,)  # losses that are no sums over observations: all of them must lie in one block

#: code -> scalar kernel of a response and its parameters, for tests
DENSITIES: dict[int, Any] = {
    NORMAL: densities.gaussian, LOGNORMAL: densities.lognormal, GAMMA_2: densities.gamma,
    INVERSE_GAUSSIAN_2: densities.inverse_gaussian, BETA: densities.beta, NEGATIVE_BINOMIAL_2: densities.negative_binomial,
    ZIP: densities.zero_inflated_poisson, HURDLE_POISSON: densities.hurdle_poisson, STUDENT: densities.student,
    ZINB: densities.zero_inflated_negative_binomial, HURDLE_NEGATIVE_BINOMIAL: densities.hurdle_negative_binomial,
    LAPLACE: densities.laplace, HUBER: densities.huber, TWEEDIE_3: densities.tweedie,
}  # fmt: skip


def _two(kernel: Any) -> Any:
    """The loop over observations for a density of two parameters (a closure, as in `activations._loop`)."""

    def total_of(link: int, p: float, q: float, value: Any, target: Any, case: Any, delta: Any, first: int, lane: int, m: int,
                 lanes: int) -> Any:
        total = value[first, 0] * 0
        for i in range(lane, m, lanes):
            mu, rise = inverse_link(link, q, value[first, i])
            v, d, e = kernel(mu, value[first + 1, i], target[0, i], p)
            total += case[i] * v
            delta[first, i] = case[i] * (d * rise)
            delta[first + 1, i] = case[i] * e
        return total

    return jit(named(total_of, kernel.__name__))


def _three(kernel: Any) -> Any:
    """As `_two`, of three parameters."""

    def total_of(link: int, p: float, q: float, value: Any, target: Any, case: Any, delta: Any, first: int, lane: int, m: int,
                 lanes: int) -> Any:
        total = value[first, 0] * 0
        for i in range(lane, m, lanes):
            mu, rise = inverse_link(link, q, value[first, i])
            v, d, e, f = kernel(mu, value[first + 1, i], value[first + 2, i], target[0, i], p)
            total += case[i] * v
            delta[first, i] = case[i] * (d * rise)
            delta[first + 1, i] = case[i] * e
            delta[first + 2, i] = case[i] * f
        return total

    return jit(named(total_of, kernel.__name__))


normal = _two(densities.gaussian)
lognormal = _two(densities.lognormal)
gamma = _two(densities.gamma)
inverse_gaussian = _two(densities.inverse_gaussian)
beta = _two(densities.beta)
negative_binomial = _two(densities.negative_binomial)
zero_inflated_poisson = _two(densities.zero_inflated_poisson)
hurdle_poisson = _two(densities.hurdle_poisson)
laplace = _two(densities.laplace)
huber = _two(densities.huber)
tweedie = _three(densities.tweedie)
student = _three(densities.student)
zinb = _three(densities.zero_inflated_negative_binomial)
hurdle_negative_binomial = _three(densities.hurdle_negative_binomial)


@jit
def plain_normal(value: Any, target: Any, case: Any, delta: Any, first: int, lane: int, m: int, lanes: int) -> Any:
    """Normal with the identity link, without a choice inside the loop, which then is vector code."""
    total = value[first, 0] * 0
    for i in range(lane, m, lanes):
        b = value[first + 1, i]
        root = exp_(-b)
        z = (target[0, i] - value[first, i]) * root
        total += case[i] * (densities.HALF_LOG_2PI + b + z * z / 2)
        delta[first, i] = case[i] * (-z * root)
        delta[first + 1, i] = case[i] * (1 - z * z)
    return total


@jit
def _counts(kind: int, link: int, p: float, q: float, value: Any, target: Any, case: Any, delta: Any, first: int, lane: int,
            m: int, lanes: int) -> Any:
    if kind == NEGATIVE_BINOMIAL_2:
        return negative_binomial(link, p, q, value, target, case, delta, first, lane, m, lanes)
    if kind == ZIP:
        return zero_inflated_poisson(link, p, q, value, target, case, delta, first, lane, m, lanes)
    if kind == HURDLE_POISSON:
        return hurdle_poisson(link, p, q, value, target, case, delta, first, lane, m, lanes)
    if kind == ZINB:
        return zinb(link, p, q, value, target, case, delta, first, lane, m, lanes)
    return hurdle_negative_binomial(link, p, q, value, target, case, delta, first, lane, m, lanes)


@jit
def robust(kind: int, parameters: Any, value: Any, target: Any, case: Any, delta: Any, first: int, lane: int, m: int,
            lanes: int) -> Any:
    """Laplace and Huber: ``parameters[2]`` is log C."""
    total = value[first, 0] * 0
    for i in range(lane, m, lanes):
        total += case[i] * parameters[2]
    if kind == LAPLACE:
        return total + laplace(0, parameters[0], 0.0, value, target, case, delta, first, lane, m, lanes)
    return total + huber(0, parameters[0], 0.0, value, target, case, delta, first, lane, m, lanes)


@jit
def sum_own(address: int, value: Any, target: Any, case: Any, delta: Any, first: int, outputs: int, lane: int, m: int,
             lanes: int) -> Any:
    """A user's density: his function writes value, gradient and Hessian at real numbers; what is imaginary is the step's."""
    total = value[first, 0] * 0
    given, told = np.empty(outputs + 1), np.empty(1 + outputs + outputs * outputs)
    for i in range(lane, m, lanes):
        for k in range(outputs):
            given[k] = float(real_(value[first + k, i]))
        given[outputs] = float(target[0, i])
        call_several(address, given, told)
        v = value[first, i] * 0 + told[0]
        for k in range(outputs):
            x = value[first + k, i]
            v += (x - real_(x)) * told[1 + k]
            d = value[first, i] * 0 + told[1 + k]
            for j in range(outputs):
                x = value[first + j, i]
                d += (x - real_(x)) * told[1 + outputs + k * outputs + j]
            delta[first + k, i] = case[i] * d
        total += case[i] * v
    return total


@jit
def sum_distribution(code: int, parameters: Any, address: int, value: Any, target: Any, case: Any, delta: Any, first: int,
                     outputs: int, lane: int, m: int, lanes: int) -> Any:
    """Sum of minus the log-likelihood over observations; derivatives in all outputs into `delta`.

    Parameters
    ----------
    code : int
        distribution + WIDTH * link.
    parameters : (2 or more,) array
        Of the distribution, of the link; then what it needs.
    address : int
        Of a user's function.
    value, target, case, delta, first, outputs, lane, m, lanes
        As in `losses.loss_rows`.
    """
    kind, link, p, q = code % WIDTH, code // WIDTH, parameters[0], parameters[1]
    if kind == NORMAL:
        if link == 0:
            return plain_normal(value, target, case, delta, first, lane, m, lanes)
        return normal(link, p, q, value, target, case, delta, first, lane, m, lanes)
    if kind == LOGNORMAL:
        return lognormal(link, p, q, value, target, case, delta, first, lane, m, lanes)
    if kind == GAMMA_2:
        return gamma(link, p, q, value, target, case, delta, first, lane, m, lanes)
    if kind == INVERSE_GAUSSIAN_2:
        return inverse_gaussian(link, p, q, value, target, case, delta, first, lane, m, lanes)
    if kind == BETA:
        return beta(link, p, q, value, target, case, delta, first, lane, m, lanes)
    if kind == STUDENT:
        return student(link, p, q, value, target, case, delta, first, lane, m, lanes)
    if kind == ORDINAL:
        return sum_ordinal(link, value, target, case, delta, first, outputs, lane, m, lanes)
    if kind == SURVIVAL:
        return sum_survival(link, value, target, case, delta, first, lane, m, lanes)
    if kind == QUANTILES:
        return sum_quantiles(False, parameters, value, target, case, delta, first, outputs, lane, m, lanes)
    if kind == EXPECTILES:
        return sum_quantiles(True, parameters, value, target, case, delta, first, outputs, lane, m, lanes)
    if kind == MIXTURE:
        return sum_mixture(value, target, case, delta, first, outputs, lane, m, lanes)
    if kind == OWN:
        return sum_own(address, value, target, case, delta, first, outputs, lane, m, lanes)
    if kind in (LAPLACE, HUBER):
        return robust(kind, parameters, value, target, case, delta, first, lane, m, lanes)
    if kind == TWEEDIE_3:
        return tweedie(link, p, q, value, target, case, delta, first, lane, m, lanes)
    if kind == PIECEWISE:
        return sum_piecewise(parameters, value, target, case, delta, first, outputs, lane, m, lanes)
    if kind == COX:
        return sum_cox(value, target, case, delta, first, m)
    if kind == MULTINORMAL:
        return sum_multinormal(value, target, case, delta, first, lane, m, lanes)
    return _counts(kind, link, p, q, value, target, case, delta, first, lane, m, lanes)
