"""Error functions: value and derivative of each, as scalar kernels, and the loop that sums them.

Two kinds. A loss of the *output* f is multiplied by the slope of the output activation (chain rule). A loss of
the *linear predictor* eta has its inverse link built in, so that nothing overflows: log(1 + exp(eta)) - y eta
instead of logarithms of outputs that round to 0 or 1.

To add one: write a kernel, an entry of `LOSSES`, and its lines in `loss_rows` and `loss_calls`. Tests walk the dictionary.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from ..jit.call import call_loss
from ..jit.compile import jit, named
from ..jit.scalar import exp_, log_, real_
from .activations import logistic, softplus
from .deviance import sum_family, xlogx
from .distributions import DISTRIBUTION, sum_distribution

SSE, CE, CE_LOGIT, CE_R, CUSTOM, MULTINOMIAL = range(6)
ELSEWHERE = 6  # observations lie elsewhere: a function of the weights gives the sums over them (see `engine.elsewhere`)
FAMILY = 1000  # exponential families: FAMILY + code of family and link (see `deviance.sum_family`)


@dataclass(frozen=True)
class LossKind:
    """A loss that kernels know.

    Attributes
    ----------
    code : int
        What kernels are told.
    kernel : callable or None
        ``(x, y, parameter) -> (value, d value / d x)``; None where the outputs are coupled.
    of_predictor : bool
        True: x is the linear predictor, and `inverse_link` gives the prediction.
    inverse_link : str
        Name of the activation that turns the linear predictor into the prediction.
    """

    code: int
    kernel: Any
    of_predictor: bool = False
    inverse_link: str = "identity"


@jit(strict=True)
def sse(x: Any, y: float, p: float) -> Any:
    """Half the squared error."""
    r = x - y
    return r * r / 2, r


@jit(strict=True)
def ce(x: Any, y: float, p: float) -> Any:
    """Cross entropy of an output in (0, 1), term by term as R writes it."""
    value = -(y * log_(x) + (1 - y) * log_(1 - x))
    return value, (1 - y) / (1 - x) - y / x


@jit(strict=True)
def ce_logit(x: Any, y: float, p: float) -> Any:
    """Cross entropy of logistic(x)."""
    value, _ = softplus(x, p)
    a, _ = logistic(x, p)
    return value - y * x, a - y


@jit(strict=True)
def ce_r(x: Any, y: float, p: float) -> Any:
    """Cross entropy with R's shortcut derivative x (1 - y) - y (1 - x), which leaves the activation out."""
    value = -(y * log_(x) + (1 - y) * log_(1 - x))
    return value, x * (1 - y) - y * (1 - x)


LOSSES: dict[str, LossKind] = {
    "sse": LossKind(SSE, sse),
    "ce": LossKind(CE, ce),
    "ce_logit": LossKind(CE_LOGIT, ce_logit, True, "logistic"),
    "ce_r": LossKind(CE_R, ce_r),
    "multinomial": LossKind(MULTINOMIAL, None, True, "softmax"),
}


COMMON = {"sse", "ce_logit"}  # always compiled; the others only where a model has one


def _loop(kernel: Any) -> Any:
    """The loop over observations for one loss (a closure, for the reason given in `activations._loop`)."""

    def total_of(p: float, value: Any, target: Any, case: Any, delta: Any, first: int, k: int, lane: int, m: int,
                 lanes: int) -> Any:
        total = value[first, 0] * 0
        for i in range(lane, m, lanes):
            v, d = kernel(value[first + k, i], target[k, i], p)
            total += case[i] * v
            delta[first + k, i] = case[i] * d
        return total

    return jit(named(total_of, kernel.__name__))


sse_rows = _loop(sse)
ce_rows = _loop(ce)
ce_logit_rows = _loop(ce_logit)
ce_r_rows = _loop(ce_r)


@jit
def sum_custom(address: int, value: Any, target: Any, case: Any, delta: Any, first: int, k: int,
                lane: int, m: int, lanes: int) -> Any:
    """Of a user's function."""
    total = value[first, 0] * 0
    for i in range(lane, m, lanes):
        x = value[first + k, i]
        v, d, c = call_loss(address, float(real_(x)), float(target[k, i]))
        total += case[i] * (v + (x - real_(x)) * d)  # the second terms are the complex step's
        delta[first + k, i] = case[i] * (d + (x - real_(x)) * c)
    return total


@jit
def sum_multinomial(value: Any, target: Any, case: Any, delta: Any, first: int, outputs: int,
                     lane: int, m: int, lanes: int) -> Any:
    """-sum_k y_k log softmax_k(eta), with logarithm and exponential taken after the largest eta."""
    total = value[first, 0] * 0
    for i in range(lane, m, lanes):
        largest = real_(value[first, i])
        for k in range(1, outputs):
            largest = max(largest, real_(value[first + k, i]))
        norm = value[first, i] * 0
        count = target[0, i] * 0
        inner = value[first, i] * 0
        for k in range(outputs):
            norm += exp_(value[first + k, i] - largest)
            count += target[k, i]
            inner += target[k, i] * (value[first + k, i] - largest)
        rest = target[0, i] * 0  # the saturated model's part, 0 for one-hot rows
        for k in range(outputs):
            rest += xlogx(target[k, i])
        if rest != 0 or count != 1:
            rest -= xlogx(count)
        total += case[i] * (count * log_(norm) - inner + rest)
        for k in range(outputs):
            share = exp_(value[first + k, i] - largest) / norm
            delta[first + k, i] = case[i] * (count * share - target[k, i])
    return total


@jit
def _rare(code: int, p: float, value: Any, target: Any, case: Any, delta: Any, first: int, k: int, lane: int,
          m: int, lanes: int) -> Any:
    if code == CE:
        return ce_rows(p, value, target, case, delta, first, k, lane, m, lanes)
    return ce_r_rows(p, value, target, case, delta, first, k, lane, m, lanes)


@jit
def loss_rows(code: int, p: float, address: int, value: Any, target: Any, case: Any, delta: Any, first: int,
              outputs: int, lane: int, m: int, lanes: int, custom: Any, rare: Any, family: Any = None,
              distribution: Any = None) -> Any:
    """Sum of the loss over observations and outputs on a device; its derivative into `delta`. The CPU's: `loss_calls`.

    Parameters
    ----------
    code, p, address : int, float, int
        Which loss, its parameter, the address of a user's function.
    value : (width, block) array
        Read: rows first .. first + outputs hold the outputs (or linear predictors).
    target : (K, block) array
        Responses of the block.
    case : (block,) array
        Case weights of the block.
    delta : (width, block) array
        Written: weighted derivative with respect to what `value` holds.
    custom : None or int
        None leaves users' functions out of what is compiled.
    rare : None or int
        None leaves out the losses that are not in `COMMON`.
    family : None or (2,) array
        Parameters of an exponential family and of its link; None leaves families out.
    distribution : None or array
        Parameters of a distribution that several outputs describe; None leaves these out.

    Returns
    -------
    number
        The weighted sum over this lane's observations.
    """
    if distribution is not None:
        return sum_distribution(code - DISTRIBUTION, distribution, address, value, target, case, delta, first, outputs, lane,
                                m, lanes)
    if code == MULTINOMIAL:  # noqa: SIM102  # a test of None by itself is what is left out of the compilation
        if rare is not None:
            return sum_multinomial(value, target, case, delta, first, outputs, lane, m, lanes)
    total = value[first, 0] * 0
    for k in range(outputs):
        if code == SSE:
            total += sse_rows(p, value, target, case, delta, first, k, lane, m, lanes)
        elif code == CE_LOGIT:
            total += ce_logit_rows(p, value, target, case, delta, first, k, lane, m, lanes)
        elif code == CUSTOM:
            if custom is not None:
                total += sum_custom(address, value, target, case, delta, first, k, lane, m, lanes)
        elif code >= FAMILY:
            if family is not None:
                total += sum_family(code - FAMILY, family, value, target, case, delta, first + k, k, lane, m, lanes)
        elif rare is not None:
            total += _rare(code, p, value, target, case, delta, first, k, lane, m, lanes)
    return total
