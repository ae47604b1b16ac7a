"""The CPU's losses, each compiled by itself when a model first has it."""

from __future__ import annotations

from typing import Any

from ..jit.late import late
from . import deviance
from . import distributions as several
from .cumulative import sum_mixture, sum_ordinal, sum_quantiles, sum_survival
from .hazards import sum_cox, sum_piecewise
from .losses import (
    CE,
    CE_LOGIT,
    CE_R,
    CUSTOM,
    FAMILY,
    MULTINOMIAL,
    SSE,
    ce_logit_rows,
    ce_r_rows,
    ce_rows,
    sse_rows,
    sum_custom,
    sum_multinomial,
)
from .multinormal import sum_multinormal


@late(returns="value")
def _squares(value: Any, target: Any, case: Any, delta: Any, first: int, outputs: int, m: int) -> Any:
    total = value[first, 0] * 0
    for k in range(outputs):
        total += sse_rows(0.0, value, target, case, delta, first, k, 0, m, 1)
    return total


@late(returns="value")
def _logits(value: Any, target: Any, case: Any, delta: Any, first: int, outputs: int, m: int) -> Any:
    total = value[first, 0] * 0
    for k in range(outputs):
        total += ce_logit_rows(0.0, value, target, case, delta, first, k, 0, m, 1)
    return total


@late(returns="value")
def _entropies(value: Any, target: Any, case: Any, delta: Any, first: int, outputs: int, m: int) -> Any:
    total = value[first, 0] * 0
    for k in range(outputs):
        total += ce_rows(0.0, value, target, case, delta, first, k, 0, m, 1)
    return total


@late(returns="value")
def _entropies_of_r(value: Any, target: Any, case: Any, delta: Any, first: int, outputs: int, m: int) -> Any:
    total = value[first, 0] * 0
    for k in range(outputs):
        total += ce_r_rows(0.0, value, target, case, delta, first, k, 0, m, 1)
    return total


@late(returns="value")
def _custom(address: int, value: Any, target: Any, case: Any, delta: Any, first: int, outputs: int, m: int) -> Any:
    total = value[first, 0] * 0
    for k in range(outputs):
        total += sum_custom(address, value, target, case, delta, first, k, 0, m, 1)
    return total


@late(returns="value")
def _binomial_logit(p: float, value: Any, target: Any, case: Any, delta: Any, first: int, outputs: int, m: int) -> Any:
    total = value[first, 0] * 0
    for k in range(outputs):
        total += deviance.binomial_logit_rows(p, value, target, case, delta, first + k, k, 0, m, 1)
    return total


@late(returns="value")
def _poisson_log(p: float, value: Any, target: Any, case: Any, delta: Any, first: int, outputs: int, m: int) -> Any:
    total = value[first, 0] * 0
    for k in range(outputs):
        total += deviance.poisson_log_rows(p, value, target, case, delta, first + k, k, 0, m, 1)
    return total


@late(returns="value")
def _gamma_log(p: float, value: Any, target: Any, case: Any, delta: Any, first: int, outputs: int, m: int) -> Any:
    total = value[first, 0] * 0
    for k in range(outputs):
        total += deviance.gamma_log_rows(p, value, target, case, delta, first + k, k, 0, m, 1)
    return total


@late(returns="value")
def _inverse_gaussian_log(p: float, value: Any, target: Any, case: Any, delta: Any, first: int, outputs: int, m: int) -> Any:
    total = value[first, 0] * 0
    for k in range(outputs):
        total += deviance.inverse_gaussian_log_rows(p, value, target, case, delta, first + k, k, 0, m, 1)
    return total


@late(returns="value")
def _negative_binomial_log(p: float, value: Any, target: Any, case: Any, delta: Any, first: int, outputs: int, m: int) -> Any:
    total = value[first, 0] * 0
    for k in range(outputs):
        total += deviance.negative_binomial_log_rows(p, value, target, case, delta, first + k, k, 0, m, 1)
    return total


@late(returns="value")
def _tweedie_log(p: float, value: Any, target: Any, case: Any, delta: Any, first: int, outputs: int, m: int) -> Any:
    total = value[first, 0] * 0
    for k in range(outputs):
        total += deviance.tweedie_log_rows(p, value, target, case, delta, first + k, k, 0, m, 1)
    return total


@late(returns="value")
def _fused_family(code: int, p: float, value: Any, target: Any, case: Any, delta: Any, first: int, outputs: int,
                  m: int) -> Any:
    family = code % deviance.WIDTH
    if family == deviance.BINOMIAL:
        return _binomial_logit(p, value, target, case, delta, first, outputs, m)
    if family == deviance.POISSON:
        return _poisson_log(p, value, target, case, delta, first, outputs, m)
    if family == deviance.GAMMA:
        return _gamma_log(p, value, target, case, delta, first, outputs, m)
    if family == deviance.INVERSE_GAUSSIAN:
        return _inverse_gaussian_log(p, value, target, case, delta, first, outputs, m)
    if family == deviance.NEGATIVE_BINOMIAL:
        return _negative_binomial_log(p, value, target, case, delta, first, outputs, m)
    return _tweedie_log(p, value, target, case, delta, first, outputs, m)


@late(returns="value")
def _family(code: int, parameters: Any, value: Any, target: Any, case: Any, delta: Any, first: int, outputs: int,
            m: int) -> Any:
    total = value[first, 0] * 0
    for k in range(outputs):
        total += deviance.any_pair(code, parameters, value, target, case, delta, first + k, k, 0, m, 1)
    return total


@late(returns="value")
def _multinomial(value: Any, target: Any, case: Any, delta: Any, first: int, outputs: int, m: int) -> Any:
    return sum_multinomial(value, target, case, delta, first, outputs, 0, m, 1)


@late(returns="value")
def _plain_normal(value: Any, target: Any, case: Any, delta: Any, first: int, m: int) -> Any:
    return several.plain_normal(value, target, case, delta, first, 0, m, 1)


@late(returns="value")
def _normal(link: int, p: float, q: float, value: Any, target: Any, case: Any, delta: Any, first: int, m: int) -> Any:
    return several.normal(link, p, q, value, target, case, delta, first, 0, m, 1)


@late(returns="value")
def _lognormal(link: int, p: float, q: float, value: Any, target: Any, case: Any, delta: Any, first: int, m: int) -> Any:
    return several.lognormal(link, p, q, value, target, case, delta, first, 0, m, 1)


@late(returns="value")
def _gamma(link: int, p: float, q: float, value: Any, target: Any, case: Any, delta: Any, first: int, m: int) -> Any:
    return several.gamma(link, p, q, value, target, case, delta, first, 0, m, 1)


@late(returns="value")
def _inverse_gaussian(link: int, p: float, q: float, value: Any, target: Any, case: Any, delta: Any, first: int,
                      m: int) -> Any:
    return several.inverse_gaussian(link, p, q, value, target, case, delta, first, 0, m, 1)


@late(returns="value")
def _beta(link: int, p: float, q: float, value: Any, target: Any, case: Any, delta: Any, first: int, m: int) -> Any:
    return several.beta(link, p, q, value, target, case, delta, first, 0, m, 1)


@late(returns="value")
def _student(link: int, p: float, q: float, value: Any, target: Any, case: Any, delta: Any, first: int, m: int) -> Any:
    return several.student(link, p, q, value, target, case, delta, first, 0, m, 1)


@late(returns="value")
def _negative_binomial(link: int, p: float, q: float, value: Any, target: Any, case: Any, delta: Any, first: int,
                       m: int) -> Any:
    return several.negative_binomial(link, p, q, value, target, case, delta, first, 0, m, 1)


@late(returns="value")
def _zero_inflated_poisson(link: int, p: float, q: float, value: Any, target: Any, case: Any, delta: Any, first: int,
                           m: int) -> Any:
    return several.zero_inflated_poisson(link, p, q, value, target, case, delta, first, 0, m, 1)


@late(returns="value")
def _hurdle_poisson(link: int, p: float, q: float, value: Any, target: Any, case: Any, delta: Any, first: int, m: int) -> Any:
    return several.hurdle_poisson(link, p, q, value, target, case, delta, first, 0, m, 1)


@late(returns="value")
def _zinb(link: int, p: float, q: float, value: Any, target: Any, case: Any, delta: Any, first: int, m: int) -> Any:
    return several.zinb(link, p, q, value, target, case, delta, first, 0, m, 1)


@late(returns="value")
def _hurdle_negative_binomial(link: int, p: float, q: float, value: Any, target: Any, case: Any, delta: Any, first: int, m:
                              int) -> Any:
    return several.hurdle_negative_binomial(link, p, q, value, target, case, delta, first, 0, m, 1)


@late(returns="value")
def _tweedie(link: int, p: float, q: float, value: Any, target: Any, case: Any, delta: Any, first: int, m: int) -> Any:
    return several.tweedie(link, p, q, value, target, case, delta, first, 0, m, 1)


@late(returns="value")
def _robust(kind: int, parameters: Any, value: Any, target: Any, case: Any, delta: Any, first: int, m: int) -> Any:
    return several.robust(kind, parameters, value, target, case, delta, first, 0, m, 1)


@late(returns="value")
def _own(address: int, value: Any, target: Any, case: Any, delta: Any, first: int, outputs: int, m: int) -> Any:
    return several.sum_own(address, value, target, case, delta, first, outputs, 0, m, 1)


@late(returns="value")
def _ordinal(link: int, value: Any, target: Any, case: Any, delta: Any, first: int, outputs: int, m: int) -> Any:
    return sum_ordinal(link, value, target, case, delta, first, outputs, 0, m, 1)


@late(returns="value")
def _survival(link: int, value: Any, target: Any, case: Any, delta: Any, first: int, m: int) -> Any:
    return sum_survival(link, value, target, case, delta, first, 0, m, 1)


@late(returns="value")
def _quantiles(squares: bool, parameters: Any, value: Any, target: Any, case: Any, delta: Any, first: int, outputs: int, m:
               int) -> Any:
    return sum_quantiles(squares, parameters, value, target, case, delta, first, outputs, 0, m, 1)


@late(returns="value")
def _mixture(value: Any, target: Any, case: Any, delta: Any, first: int, outputs: int, m: int) -> Any:
    return sum_mixture(value, target, case, delta, first, outputs, 0, m, 1)


@late(returns="value")
def _piecewise(parameters: Any, value: Any, target: Any, case: Any, delta: Any, first: int, outputs: int, m: int) -> Any:
    return sum_piecewise(parameters, value, target, case, delta, first, outputs, 0, m, 1)


@late(returns="value")
def _cox(value: Any, target: Any, case: Any, delta: Any, first: int, m: int) -> Any:
    return sum_cox(value, target, case, delta, first, m)


@late(returns="value")
def _multinormal(value: Any, target: Any, case: Any, delta: Any, first: int, m: int) -> Any:
    return sum_multinormal(value, target, case, delta, first, 0, m, 1)


@late(returns="value")
def _distribution(code: int, parameters: Any, address: int, value: Any, target: Any, case: Any, delta: Any, first: int,
                  outputs: int, m: int) -> Any:
    kind, link, p, q = code % several.WIDTH, code // several.WIDTH, parameters[0], parameters[1]
    if kind == several.NORMAL:
        if link == 0:
            return _plain_normal(value, target, case, delta, first, m)
        return _normal(link, p, q, value, target, case, delta, first, m)
    if kind == several.LOGNORMAL:
        return _lognormal(link, p, q, value, target, case, delta, first, m)
    if kind == several.GAMMA_2:
        return _gamma(link, p, q, value, target, case, delta, first, m)
    if kind == several.INVERSE_GAUSSIAN_2:
        return _inverse_gaussian(link, p, q, value, target, case, delta, first, m)
    if kind == several.BETA:
        return _beta(link, p, q, value, target, case, delta, first, m)
    if kind == several.STUDENT:
        return _student(link, p, q, value, target, case, delta, first, m)
    if kind == several.NEGATIVE_BINOMIAL_2:
        return _negative_binomial(link, p, q, value, target, case, delta, first, m)
    if kind == several.ZIP:
        return _zero_inflated_poisson(link, p, q, value, target, case, delta, first, m)
    if kind == several.HURDLE_POISSON:
        return _hurdle_poisson(link, p, q, value, target, case, delta, first, m)
    if kind == several.ZINB:
        return _zinb(link, p, q, value, target, case, delta, first, m)
    if kind == several.HURDLE_NEGATIVE_BINOMIAL:
        return _hurdle_negative_binomial(link, p, q, value, target, case, delta, first, m)
    if kind == several.TWEEDIE_3:
        return _tweedie(link, p, q, value, target, case, delta, first, m)
    if kind == several.ORDINAL:
        return _ordinal(link, value, target, case, delta, first, outputs, m)
    if kind == several.SURVIVAL:
        return _survival(link, value, target, case, delta, first, m)
    if kind == several.QUANTILES:
        return _quantiles(False, parameters, value, target, case, delta, first, outputs, m)
    if kind == several.EXPECTILES:
        return _quantiles(True, parameters, value, target, case, delta, first, outputs, m)
    if kind == several.MIXTURE:
        return _mixture(value, target, case, delta, first, outputs, m)
    if kind == several.OWN:
        return _own(address, value, target, case, delta, first, outputs, m)
    if kind == several.PIECEWISE:
        return _piecewise(parameters, value, target, case, delta, first, outputs, m)
    if kind == several.COX:
        return _cox(value, target, case, delta, first, m)
    if kind == several.MULTINORMAL:
        return _multinormal(value, target, case, delta, first, m)
    return _robust(kind, parameters, value, target, case, delta, first, m)


@late(returns="value")
def loss_block(code: int, p: float, address: int, parameters: Any, value: Any, target: Any, case: Any, delta: Any, first: int,
               outputs: int, m: int) -> Any:
    """Sum of the loss over the m observations of a block and its outputs; its derivative into `delta`.

    Parameters
    ----------
    code, p, address : int, float, int
        Which loss, its parameter, the address of a user's function.
    parameters : (2 or more,) array
        Of an exponential family and its link, or of a distribution that several outputs describe; not read for others.
    value, target, case, delta, first, outputs
        As in `losses.loss_rows`.

    Returns
    -------
    number
        The weighted sum.
    """
    if code == MULTINOMIAL:
        return _multinomial(value, target, case, delta, first, outputs, m)
    if code == CUSTOM:
        return _custom(address, value, target, case, delta, first, outputs, m)
    if code == SSE:
        return _squares(value, target, case, delta, first, outputs, m)
    if code == CE_LOGIT:
        return _logits(value, target, case, delta, first, outputs, m)
    if code == CE:
        return _entropies(value, target, case, delta, first, outputs, m)
    if code == CE_R:
        return _entropies_of_r(value, target, case, delta, first, outputs, m)
    if code >= several.DISTRIBUTION:
        return _distribution(code - several.DISTRIBUTION, parameters, address, value, target, case, delta, first, outputs, m)
    if deviance.is_fused(code - FAMILY):
        return _fused_family(code - FAMILY, parameters[0], value, target, case, delta, first, outputs, m)
    return _family(code - FAMILY, parameters, value, target, case, delta, first, outputs, m)
