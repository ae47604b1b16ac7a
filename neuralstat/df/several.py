"""Degrees of freedom of distributions with several parameters, by refits to responses drawn from the fit.

With s the derivatives of an observation's log-likelihood in its linear predictors eta, at the fit, and stars at draws and
refits to them, the log-likelihood of a draw is overstated beside that of another draw by, to first order in what they move,

    sum_i sum_k cov(s_ik*, eta_ik*)

Of a normal mean s is (y - mu) / sigma^2, and this is Efron's covariance penalty; at an optimum that is the only one it is the
number of weights, each of which counts one (E S'H^-1 S, with S the score of all weights and H their information). A parameter
that depends on nothing is one weight, whatever it is beside, and counts one without noise. Moves of a logarithm or another
link count as 2 tanh(move / 2), of a log twice the difference over the sum, which is the same to first order: a mean that
comes to 0 has not moved without bounds, though its logarithm has.

References
----------
Efron (2004), JASA 99:619. Ye (1998), JASA 93:120.
"""

from __future__ import annotations

from typing import Any

import numpy as np

from ..errors import ArgumentError, DfError
from ..families import Expectile, GaussianScale, Mixture, Ordinal, Quantile, Survival
from ..fitted import Fitted
from ..network import derivatives
from .refit import refit


def undrawable(fitted: Fitted) -> str:
    """Why responses cannot be drawn again from a distribution with several parameters, in words; "" where they can."""
    family = fitted.distribution
    if isinstance(family, Quantile | Expectile):
        return f"the family {family.name!r} is no distribution of which responses can be drawn"
    if isinstance(family, Survival):
        return "the limits at which times were censored are not known of those that were not"
    if isinstance(family, Mixture):
        return "components have no order that refits keep"
    return ""


def check_drawable(fitted: Fitted) -> None:
    """Raise DfError where responses cannot be drawn again."""
    if why := undrawable(fitted):
        raise DfError(f"df: {why}; use 'jacobian'.")


def counts(fitted: Fitted) -> tuple[np.ndarray, np.ndarray]:
    """Free weights (K,) into each output, and whether (K,) they are its constant alone, or nothing."""
    network = fitted.network
    per_unit, units = network.shapes[-1]
    own = fitted.fit.free[0][network.slices[-1]].reshape(units, per_unit)
    return own.sum(axis=1), ~own[:, 1:].any(axis=1)


def described(fitted: Fitted) -> str:
    """What "covariance" counts, and by what, in words."""
    number, constant = counts(fitted)
    if isinstance(fitted.distribution, Ordinal):
        return "of all parameters"
    roles = [role for role, flat, count in zip(fitted.distribution.roles, constant, number, strict=True) if flat and count]
    if not roles:
        return "of all parameters"
    many = "one" if len(roles) == 1 else "one each"
    return f"constant parameters ({', '.join(roles)}) count {many}"


def covariance(
    fitted: Fitted, rep: Any, y: np.ndarray, restarts: str, seeds: np.random.SeedSequence, n_jobs: int | None
) -> tuple[np.ndarray, np.ndarray, dict[str, Any]]:
    """Degrees of freedom of responses (T, L, n) drawn from the fit: of each row, and of all without each draw (T,).

    Returns
    -------
    per : (n,) array
        Constants in equal parts.
    without : (T,) array
    details : dict
        "parameters": by the name of each; "constants": how many count one.
    """
    family, network = fitted.distribution, fitted.network
    eta = refit(fitted, y, rep=rep, restarts=restarts, seeds=seeds, n_jobs=n_jobs, predictors=True)
    own = fitted.fitted_raw(fitted.numbers(rep)).mean(axis=0)
    if isinstance(family, Ordinal):
        return _of_classes(family, y, own, eta)
    with np.errstate(all="ignore"):
        score = np.stack([-derivatives.predictor_slopes(network, own, response) for response in y])
    bent = np.array([link.name != "identity" for link in family.role_links])
    moved = np.where(bent[:, np.newaxis], 2 * np.tanh((eta - own) / 2), eta - own)
    number, constant = counts(fitted)
    t, n = len(y), y.shape[2]
    per, without, by_role = np.zeros(n), np.zeros(t), {}
    for k, role in enumerate(family.roles):
        if constant[k]:
            per += number[k] / n
            without += number[k]
            by_role[role] = float(number[k])
            continue
        normal = k == 0 and isinstance(family, GaussianScale)
        change = y[:, 0] if normal else score[:, k]
        d, m = change - change.mean(axis=0), moved[:, k] - moved[:, k].mean(axis=0)
        own_terms, left = _slopes(d, d * m) if normal else _covariances(d * m)  # slopes vary less
        per += own_terms
        without += left.sum(axis=1)
        by_role[role] = float(own_terms.sum())
    return per, without, {"parameters": by_role, "constants": int(number[constant].sum())}


def _of_classes(
    family: Ordinal, y: np.ndarray, own: np.ndarray, eta: np.ndarray
) -> tuple[np.ndarray, np.ndarray, dict[str, Any]]:
    """`covariance` of ordered classes: of probabilities p, in which the log-likelihood has the derivative y / p."""
    p, moved = family.response(own), np.stack([family.response(e) for e in eta])
    with np.errstate(divide="ignore", invalid="ignore"):
        change = np.where(p > 0, y / np.where(p > 0, p, 1.0), 0.0)
    terms = ((change - change.mean(axis=0)) * (moved - moved.mean(axis=0))).sum(axis=1)
    per, left = _covariances(terms)
    return per, left.sum(axis=1), {"parameters": {"classes": float(per.sum())}, "constants": 0}


def _covariances(terms: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Covariances (n,) from centred products (T, n), and without each draw (T, n)."""
    t, total = len(terms), terms.sum(axis=0)
    return total / (t - 1), (total - t / (t - 1) * terms) / (t - 2)


def _slopes(d: np.ndarray, terms: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Slopes (n,) from centred changes (T, n) and products, and without each draw (T, n)."""
    t = len(d)
    squares, factor = d * d, t / (t - 1)
    top, bottom = terms.sum(axis=0), squares.sum(axis=0)
    left = bottom - factor * squares
    with np.errstate(divide="ignore", invalid="ignore"):
        return np.where(bottom > 0, top / bottom, 0.0), np.where(left > 0, (top - factor * terms) / left, 0.0)


def beside_the_mean(fitted: Fitted) -> int:
    """Weights of the parameters beside the location, for "gdf", which perturbs a location's response.

    Raises
    ------
    ArgumentError
        Where the response is no location and noise.
    """
    if not fitted.distribution.located:
        raise ArgumentError(
            f"df: 'gdf' adds noise to a response, and the family {fitted.distribution.name!r} has none: use 'covariance'."
        )
    return int(counts(fitted)[0][1:].sum())
