"""What a loss says about the distribution of the response: variance, natural parameter, draws."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from ..errors import ArgumentError
from ..families import Survival
from ..fitted import Fitted
from ..network import blocks, derivatives

if TYPE_CHECKING:
    from ..network.objective import Objective

CLIP = 1e-10  # probabilities nearer to 0 or 1 than this are moved here before a logarithm is taken
_LOSSES = {
    "sse": "gaussian", "ce": "binomial", "ce_logit": "binomial", "ce_r": "binomial",
    "multinomial": "multinomial",
}  # fmt: skip


def family_name(objective: Objective) -> str:
    """Name of the family of a loss, of a quasi family its kin's; "additive" for users' losses, of which nothing is known."""
    family = getattr(objective, "family", None)
    return family.kin if family is not None else _LOSSES.get(objective.name, "additive")


def gaussian(objective: Objective) -> bool:
    """Whether the noise is additive, with a standard deviation of its own."""
    return family_name(objective) in ("gaussian", "additive")


def variance(objective: Objective, mu: np.ndarray) -> np.ndarray:
    """Variance function at means (..., K, n); 1 for additive noise."""
    name = family_name(objective)
    if name in ("gaussian", "additive") or _located(objective):
        return np.ones_like(mu)
    if name in ("binomial", "multinomial"):
        return mu * (1 - mu)
    if objective.several:
        raise ArgumentError(f"df: the variance of the family {name!r} is no function of its mean.")
    return objective.family.variance(mu)


def _located(objective: Objective) -> bool:
    """Whether the response is a location plus noise, whose size is a parameter of its own."""
    return objective.several and objective.family.located


def natural(objective: Objective, mu: np.ndarray) -> np.ndarray:
    """Natural parameter at means (..., K, n): lambda with d lambda / d mu = 1 / V(mu).

    For the multinomial family log mu, up to a constant per observation, which does not matter.
    """
    name = family_name(objective)
    if name in ("gaussian", "additive") or _located(objective):
        return mu
    if name == "binomial":
        p = np.clip(mu, CLIP, 1 - CLIP)
        return np.log(p) - np.log1p(-p)
    if name in ("multinomial", "poisson"):
        return np.log(np.maximum(mu, CLIP))
    if name == "gamma":
        return -1 / mu
    if name == "inverse_gaussian":
        return -0.5 / np.square(mu)
    power = getattr(objective.family, "parameter", 0.0)
    if name == "negative_binomial":
        return np.log(np.maximum(power * mu, CLIP)) - np.log1p(power * mu)
    if name == "tweedie":
        if power == 1:
            return np.log(np.maximum(mu, CLIP))
        return mu ** (1 - power) / (1 - power)
    raise ArgumentError(f"df: the natural parameter of the family {name!r} is not known.")


def draw(
    objective: Objective, rng: np.random.Generator, mu: np.ndarray, scale: np.ndarray, weights: np.ndarray | None
) -> np.ndarray:
    """One response (K, n) with means `mu`.

    Parameters
    ----------
    scale : (K, 1) array
        Dispersion: the noise variance of additive noise, phi of families that have one.
    weights : (n,) array or None
        Variance weights; whole ones are numbers of trials for the binomial and multinomial, and of equal observations, whose
        mean is drawn, for the negative binomial.
    """
    w = np.ones(mu.shape[1]) if weights is None else weights
    safe = np.where(w > 0, w, 1.0)  # observations of weight 0 have no part in the fit
    trials = np.maximum(np.round(safe), 1).astype(np.int64)
    trials = trials if np.allclose(trials, safe) else np.ones_like(trials)
    name = family_name(objective)
    if objective.family is not None and objective.family.quasi:
        return _of_two_moments(name, rng, mu, scale / safe, objective.family.parameter)
    if name in ("gaussian", "additive"):
        return mu + np.sqrt(scale / safe) * rng.standard_normal(mu.shape)
    if name == "binomial":
        return rng.binomial(trials, np.clip(mu, 0, 1)) / trials
    if name == "multinomial":
        p = np.maximum(mu.T, 0)
        return (rng.multinomial(trials, p / p.sum(axis=1, keepdims=True)) / trials[:, np.newaxis]).T
    if name == "poisson":
        return rng.poisson(safe * mu) / safe
    if name == "gamma":
        shape = safe / scale
        return rng.gamma(shape, mu / shape)
    if name == "inverse_gaussian":
        return rng.wald(mu, np.broadcast_to(safe / scale, mu.shape))
    if name == "negative_binomial":
        size = 1 / objective.family.parameter
        return rng.negative_binomial(size * trials, size / (size + mu)) / trials
    if name == "tweedie":
        return _tweedie(rng, mu, scale / safe, objective.family.parameter)
    raise ArgumentError(f"df: no random numbers for the family {name!r}.")


def _of_two_moments(name: str, rng: np.random.Generator, mu: np.ndarray, phi: np.ndarray, alpha: float) -> np.ndarray:
    """Responses of mean mu and variance phi V(mu), of families that say no more.

    Those of the exponential dispersion models of V (Jorgensen 1987, JRSS B 49:127): Poisson and negative binomial counts in
    units of phi. Proportions are beta, and where phi >= 1 0/1, which have the largest variance that there is.
    """
    if name == "poisson":
        return rng.poisson(mu / phi) * phi
    if name == "negative_binomial":
        size = 1 / (alpha * phi)
        return rng.negative_binomial(size, size / (size + mu / phi)) * phi
    p = np.clip(mu, CLIP, 1 - CLIP)
    size = 1 / np.minimum(np.broadcast_to(phi, mu.shape), 1.0) - 1
    share = rng.beta(p * np.maximum(size, CLIP), (1 - p) * np.maximum(size, CLIP))
    return np.where(size > 0, share, rng.uniform(size=mu.shape) < p)


def drawn(
    source: Fitted, numbers: list[int], rng: np.random.Generator, mu: np.ndarray, scale: np.ndarray
) -> np.ndarray:
    """One response (L, n), internal units, of the distribution that repetitions `numbers` (0-based) were fitted to.

    Of distributions with several parameters each row is drawn from that of one of the repetitions; else see `draw`.
    """
    objective, design = source.network.objective, source.design
    if not objective.several:
        return draw(objective, rng, mu, scale, source.row_precisions)
    if isinstance(objective.family, Survival):
        raise ArgumentError("times cannot be drawn again: the limits at which they were censored are not known of all.")
    raw = derivatives.outputs(source.network, design.x, source.fit.theta[numbers].astype(float), design.offset)
    which = rng.integers(len(numbers), size=raw.shape[2])
    par = objective.family.natural(raw[which, :, np.arange(raw.shape[2])].T)
    y = objective.family.draw(rng, par)
    if objective.family.joint:
        return y
    if len(design.y) == 1:
        return y[np.newaxis]
    return (np.arange(len(design.y))[:, np.newaxis] == y).astype(float)


def _tweedie(rng: np.random.Generator, mu: np.ndarray, phi: np.ndarray, p: float) -> np.ndarray:
    """Tweedie responses, 1 < p < 2: a Poisson number of gamma summands."""
    if not 1 < p < 2:
        raise ArgumentError(f"df: random numbers of the Tweedie family need 1 < var_power < 2, got {p:g}.")
    rate = mu ** (2 - p) / (phi * (2 - p))
    shape = (2 - p) / (p - 1)
    number = rng.poisson(rate)
    size = phi * (p - 1) * mu ** (p - 1)
    return rng.gamma(np.maximum(number, 1) * shape, size) * (number > 0)


def means(fitted: Fitted, theta: np.ndarray, part: slice | None = None) -> np.ndarray:
    """Fitted means (B, K, n) of a stack of weights (B, P), in internal units, of all rows or of some."""
    x, offset, objective = fitted.design.x, fitted.design.offset, fitted.network.objective
    if part is not None and part.stop - part.start < fitted.n_rows:
        x, offset = np.ascontiguousarray(x[:, part]), None if offset is None else np.ascontiguousarray(offset[:, part])
    raw = derivatives.outputs(fitted.network, x, theta, offset)
    return np.stack([objective.response(r) for r in raw])


def fitted(fitted: Fitted, numbers: list[int]) -> np.ndarray:
    """Mean (K, n) of the fitted means of repetitions (0-based), internal units."""
    theta, n = fitted.fit.theta[numbers].astype(float), fitted.n_rows
    parts = blocks.of_rows(n) if len(numbers) > 1 and isinstance(fitted.design.x, np.ndarray) else [slice(0, n)]
    found = [means(fitted, theta, part).mean(axis=0) for part in parts]
    return found[0] if len(found) == 1 else np.concatenate(found, axis=1)
