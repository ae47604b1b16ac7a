"""Minus log-densities of distributions with two and three parameters, as scalar kernels.

A kernel is ``(mu, b, y, p) -> (value, d value / d mu, d value / d b)``, or with a third parameter c after b. The first
parameter is given itself (its link is the loop's), the others by their linear predictors: b is log sigma, log alpha, log phi,
...; c is log nu or logit pi. `p` is a constant of the family. Values are whole, with what does not depend on parameters, so
that their sum is minus the log-likelihood. Derivatives are checked, and Hessians computed, by complex steps.
"""

from __future__ import annotations

import math
from typing import Any

from ..jit.compile import jit
from ..jit.gammas import digamma_, lgamma_
from ..jit.scalar import expm1_, log1p_, log_, real_
from ..jit.special import exp_wide_
from .deviance import log1mexp, softplus

HALF_LOG_2PI = 0.5 * math.log(2 * math.pi)


@jit(strict=True)
def sigmoid(x: Any) -> Any:
    """1 / (1 + exp(-x))."""
    if real_(x) > 0:
        return 1 / (1 + exp_wide_(-x))
    e = exp_wide_(x)
    return e / (1 + e)


@jit(strict=True)
def log_plus(a: Any, b: Any) -> Any:
    """log(exp(a) + exp(b))."""
    if real_(a) > real_(b):
        return a + softplus(b - a)
    return b + softplus(a - b)


# two parameters ------------------------------------------------------------------------------------------------


@jit(strict=True)
def gaussian(mu: Any, b: Any, y: float, p: float) -> Any:
    """Mean, log standard deviation."""
    root = exp_wide_(-b)
    z = (y - mu) * root
    return HALF_LOG_2PI + b + z * z / 2, -z * root, 1 - z * z


@jit(strict=True)
def lognormal(mu: Any, b: Any, y: float, p: float) -> Any:
    """log y is normal: mean and log standard deviation of log y."""
    x = math.log(y)
    value, up, down = gaussian(mu, b, x, p)
    return value + x, up, down


@jit(strict=True)
def gamma(mu: Any, b: Any, y: float, p: float) -> Any:
    """Mean, log dispersion (shape 1 / phi)."""
    shape = exp_wide_(-b)
    ratio = y / mu
    log_ratio = log_(shape * ratio)
    value = lgamma_(shape) - shape * log_ratio + shape * ratio + math.log(y)
    return value, shape * (1 - ratio) / mu, shape * (log_ratio + 1 - ratio - digamma_(shape))


@jit(strict=True)
def inverse_gaussian(mu: Any, b: Any, y: float, p: float) -> Any:
    """Mean, log dispersion: the variance is phi mu^3."""
    rest = y / mu - 1
    shape = exp_wide_(-b)
    half = shape * rest * rest / (2 * y)
    return HALF_LOG_2PI + (b + 3 * math.log(y)) / 2 + half, -shape * rest / (mu * mu), 0.5 - half


@jit(strict=True)
def beta(mu: Any, b: Any, y: float, p: float) -> Any:
    """Mean, log precision: the variance is mu (1 - mu) / (1 + phi)."""
    phi = exp_wide_(b)
    first, second = mu * phi, (1 - mu) * phi
    up, down = math.log(y), math.log1p(-y)
    value = lgamma_(first) + lgamma_(second) - lgamma_(phi) - (first - 1) * up - (second - 1) * down
    one, two = digamma_(first) - up, digamma_(second) - down
    return value, phi * (one - two), phi * (mu * one + (1 - mu) * two - digamma_(phi))


@jit(strict=True)
def laplace(mu: Any, b: Any, y: float, p: float) -> Any:
    """Location, log scale, but for log C: |z| of z = (y - mu) / scale is smoothed as p log(2 + 2 cosh(z / p)).

    It lies above |z| by at most 2 p log 2, and has it as its limit; C = p B(p, p), so that densities integrate to 1.
    """
    z = (y - mu) * exp_wide_(-b)
    tilt = 1 - 2 * sigmoid(-z / p)
    return b + z + 2 * p * softplus(-z / p), -tilt * exp_wide_(-b), 1 - tilt * z


@jit(strict=True)
def huber(mu: Any, b: Any, y: float, p: float) -> Any:
    """Location, log scale, but for log C: half the square of z = (y - mu) / scale, linear beyond |z| = p (Huber 1964)."""
    root = exp_wide_(-b)
    z = (y - mu) * root
    if real_(z) > p:
        return b + p * z - p * p / 2, -p * root, 1 - p * z
    if real_(z) < -p:
        return b - p * z - p * p / 2, p * root, 1 + p * z
    return b + z * z / 2, -z * root, 1 - z * z


@jit(strict=True)
def _rising(alpha: Any, y: float) -> Any:
    """Sum of log(1 + alpha j) over j < y, and its derivative in alpha: log(Gamma(y + r) / (Gamma(r) r^y)), r = 1 / alpha."""
    total, slope = alpha * 0, alpha * 0
    if y <= 64 or real_(alpha) * y < 1e-3:  # the latter: gamma functions of 1 / alpha would cancel
        if y <= 64:
            product = alpha * 0 + 1  # a logarithm of each factor would take most of the time
            for j in range(1, int(y)):
                factor = 1 + alpha * j
                product = product * factor
                slope = slope + j / factor
                if real_(product) > 1e100:
                    total = total + log_(product)
                    product = alpha * 0 + 1
            return total + log_(product), slope
        s1, s2, s3 = y * (y - 1) / 2, (y - 1) * y * (2 * y - 1) / 6, (y * (y - 1) / 2) ** 2
        n = y - 1
        s4 = n * (n + 1) * (2 * n + 1) * (3 * n * n + 3 * n - 1) / 30
        total = alpha * (s1 - alpha * (s2 / 2 - alpha * (s3 / 3 - alpha * s4 / 4)))
        return total, s1 - alpha * (s2 - alpha * (s3 - alpha * s4))
    r = 1 / alpha
    total = lgamma_(y + r) - lgamma_(r) - y * log_(r)
    return total, -(digamma_(y + r) - digamma_(r) - y * alpha) * r * r


@jit(strict=True)
def poisson_density(mu: Any, y: float) -> Any:
    """``(-log f(y), d / d mu)`` of a Poisson count."""
    if y == 0:
        return mu, mu * 0 + 1
    return mu - y * log_(mu) + math.lgamma(y + 1.0), 1 - y / mu


@jit(strict=True)
def negative_binomial(mu: Any, b: Any, y: float, p: float) -> Any:
    """Mean, log alpha: the variance is mu + alpha mu^2."""
    alpha = exp_wide_(b)
    t = alpha * mu
    rising, slope = _rising(alpha, y)
    if real_(t) < 1e-3:  # log(1 + t) / t and (log(1 + t) - t / (1 + t)) / t
        share = 1 - t * (1 / 2 - t * (1 / 3 - t * (1 / 4 - t * (1 / 5 - t / 6))))
        rest = t * (1 / 2 - t * (2 / 3 - t * (3 / 4 - t * (4 / 5 - t * 5 / 6))))
    else:
        grown = log1p_(t)
        share, rest = grown / t, (grown - t / (1 + t)) / t
    value = mu * share - rising + math.lgamma(y + 1.0)
    d = 1 / (1 + t)
    if y > 0:
        value = value + y * (log1p_(t) - log_(mu))
        d = d * (1 - y / mu)
    return value, d, alpha * (y * mu / (1 + t) - slope) - mu * rest


@jit(strict=True)
def zero_inflated_poisson(mu: Any, c: Any, y: float, p: float) -> Any:
    """Mean of the counts, logit of the probability of a zero beside."""
    v, d = poisson_density(mu, y)
    return _inflated_value(v, c, y), _inflated_share(v, c, y) * d, _inflated_slope(v, c, y)


@jit(strict=True)
def _inflated_value(v: Any, c: Any, y: float) -> Any:
    """Minus log of pi + (1 - pi) f(0), or of (1 - pi) f(y), where v is -log f."""
    if y == 0:
        return softplus(c) - log_plus(c, -v)
    return softplus(c) + v


@jit(strict=True)
def _inflated_share(v: Any, c: Any, y: float) -> Any:
    """Probability that the observed count is one of the counts' distribution."""
    if y == 0:
        return sigmoid(-v - c)
    return v * 0 + 1


@jit(strict=True)
def _inflated_slope(v: Any, c: Any, y: float) -> Any:
    """Derivative of `_inflated_value` in c."""
    if y == 0:
        return sigmoid(c) - sigmoid(c + v)
    return sigmoid(c)


@jit(strict=True)
def hurdle_poisson(mu: Any, c: Any, y: float, p: float) -> Any:
    """Mean of the counts before they are cut at 1, logit of the probability of a zero."""
    if y == 0:
        return softplus(-c), mu * 0, -sigmoid(-c) + mu * 0
    v, d = poisson_density(mu, y)
    return softplus(c) + v + log1mexp(-mu), d + 1 / expm1_(mu), sigmoid(c)


# three parameters ----------------------------------------------------------------------------------------------


@jit(strict=True)
def student(mu: Any, b: Any, c: Any, y: float, p: float) -> Any:
    """Location, log scale, log of the degrees of freedom."""
    root, nu = exp_wide_(-b), exp_wide_(c)
    z = (y - mu) * root
    square = z * z
    if real_(nu) > 1e3:  # gamma functions of large arguments would cancel
        u = 1 / nu
        norm = -u / 4 + u * u * u / 24 - HALF_LOG_2PI
        slope = u * u / 4 - u * u * u * u / 8
    else:
        norm = lgamma_((nu + 1) / 2) - lgamma_(nu / 2) - (log_(nu) + math.log(math.pi)) / 2
        slope = (digamma_((nu + 1) / 2) - digamma_(nu / 2) - 1 / nu) / 2
    grown = log1p_(square / nu)
    pull = (nu + 1) / (nu + square)
    value = b - norm + (nu + 1) / 2 * grown
    return value, -pull * z * root, 1 - pull * square, -nu * (slope - grown / 2) - pull * square / 2


@jit(strict=True)
def zero_inflated_negative_binomial(mu: Any, b: Any, c: Any, y: float, p: float) -> Any:
    """Mean and log alpha of the counts, logit of the probability of a zero beside."""
    v, d, e = negative_binomial(mu, b, y, p)
    share = _inflated_share(v, c, y)
    return _inflated_value(v, c, y), share * d, share * e, _inflated_slope(v, c, y)


@jit(strict=True)
def hurdle_negative_binomial(mu: Any, b: Any, c: Any, y: float, p: float) -> Any:
    """Mean and log alpha of the counts before they are cut at 1, logit of the probability of a zero."""
    if y == 0:
        return softplus(-c), mu * 0, mu * 0, -sigmoid(-c) + mu * 0
    v, d, e = negative_binomial(mu, b, y, p)
    v0, d0, e0 = negative_binomial(mu, b, 0.0, p)
    odds = 1 / expm1_(v0)  # f(0) / (1 - f(0))
    return softplus(c) + v + log1mexp(-v0), d + odds * d0, e + odds * e0, sigmoid(c)


POWERS = (1.01, 1.99)  # between which a Tweedie distribution's power is estimated, as in mgcv


@jit(strict=True)
def tweedie(mu: Any, b: Any, c: Any, y: float, p: float) -> Any:
    """Mean, log dispersion, logit of the power's place in `POWERS`: a Poisson number of gamma amounts, 0 for none.

    The density's series is summed from its largest term in both directions (Dunn & Smyth 2005, Stat Comput 15:267).
    """
    place = sigmoid(c)
    width = POWERS[1] - POWERS[0]
    power, turn = POWERS[0] + width * place, width * place * (1 - place)
    phi, log_mu = exp_wide_(b), log_(mu)
    one, two = power - 1, 2 - power
    low = exp_wide_(-one * log_mu)  # mu^(1 - power)
    kappa = mu * low / two
    kappa_p = kappa * (1 / two - log_mu)
    if y == 0:
        return kappa / phi, low / phi, -kappa / phi, kappa_p / phi * turn
    theta = -low / one
    theta_p = theta * (-log_mu - 1 / one)
    a, log_y = two / one, math.log(y)
    ratio = a * (log_y - log_(one)) - (1 + a) * b - log_(two)
    a_p = -1 / (one * one)
    ratio_p = a_p * (log_y - log_(one) - b) - a / one + 1 / two
    log_w, mean, slope = _series(a, ratio, real_(exp_wide_(two * log_y)) / real_(phi * two))
    fit = (y * theta - kappa) / phi
    value = log_y - fit - log_w
    d_power = -(y * theta_p - kappa_p) / phi - (mean * ratio_p - a_p * slope)
    return value, (low - y * low / mu) / phi, fit + (1 + a) * mean, d_power * turn


@jit(strict=True)
def _series(a: Any, ratio: Any, peak: float) -> Any:
    """``(log of the sum over j >= 1 of exp(w), E j, E j digamma(a j))`` with w = j ratio - lgamma(j + 1) - lgamma(a j).

    exp(w) has a standard deviation of about sqrt(j / (1 + a)) around its peak. Where all that counts of it lies above 1, a
    term in each 0.6 of one is enough: what is left out is exp(-54) of the sum, by Poisson's summation formula.
    """
    start = float(max(1, int(peak)))
    spread = math.sqrt(start / (1 + real_(a)))
    stride = max(1.0, math.floor(0.6 * spread)) if start > 10 * spread else 1.0
    top = start * ratio - math.lgamma(start + 1) - lgamma_(a * start)
    pull = digamma_(a * start)
    total, mean, slope = a * 0 + 1, a * 0 + start, start * pull
    for step in (stride, -stride):
        j, before = start + step, 0.0
        while j >= 1:
            w = j * ratio - math.lgamma(j + 1) - lgamma_(a * j) - top
            if real_(w) < -40 and real_(w) < before:
                break
            before = real_(w)
            e = exp_wide_(w)
            total = total + e
            mean = mean + j * e
            slope = slope + j * digamma_(a * j) * e
            j += step
    return top + log_(total * stride), mean / total, slope / total
