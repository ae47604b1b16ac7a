"""The scale on which an interval of a mean is symmetric: the link of the model, where it has one."""

from __future__ import annotations

from typing import Any

import numpy as np

from ..families import Family, Gaussian, Multinomial, Ordinal, working
from ..families.links import Identity, Link, Logit
from ..fitted import Fitted
from ..likelihood.predictors import link_of_mean
from .predictive import within


def interval_link(fitted: Fitted) -> Link:
    """The family's link; logit for each class of a multinomial response; identity where there is no family."""
    family = fitted.family
    if family is None:
        return Identity()
    return Logit() if isinstance(family, Multinomial | Ordinal) else family.link


def predictors(fitted: Fitted, raw: np.ndarray, share: np.ndarray | None = None) -> np.ndarray | None:
    """`interval_link` of the mean response (K, m) of some repetitions, from what kernels give (B', K, m), in shares (B',).

    It does not round where the mean does. None where the mean is all that is known, or needs no link.
    """
    from scipy.special import logsumexp

    family = fitted.family
    if fitted.network.objective.several:
        return None
    if family is None or isinstance(family, Gaussian) or not fitted.network.objective.of_predictor:
        return None
    if isinstance(family, Multinomial):
        up, down = working.log_softmax(raw)
        each = None if share is None else share[:, np.newaxis, np.newaxis]
        return logsumexp(up, axis=0, b=each) - logsumexp(down, axis=0, b=each)
    return link_of_mean(fitted, raw, share)


def on_link(link: Link, mean: np.ndarray, se: np.ndarray, eta: np.ndarray | None) -> tuple[Any, Any, np.ndarray]:
    """Linear predictor of a mean, its standard error, and where both are finite; `eta` where it is known already."""
    low, high = link.means
    with np.errstate(all="ignore"):
        if eta is None:
            inside = (mean > low) & (mean < high)
            safe = np.where(inside, mean, np.nan)
            return link(safe), se * np.abs(link.deriv(safe)), inside
        rise = np.abs(link.inverse_deriv(eta))
        inside = (rise > 0) & np.isfinite(rise) & np.isfinite(eta)
        safe = np.where(inside, eta, np.nan)
        return safe, se / np.where(inside, rise, np.nan), inside


def limits(
    link: Link, mean: np.ndarray, se: np.ndarray, quantile: Any, family: Family | None = None,
    eta: np.ndarray | None = None,
) -> tuple[np.ndarray, np.ndarray]:  # fmt: skip
    """Limits ``g^-1(g(mean) -+ quantile se |g'(mean)|)``, as statsmodels' "endpoint" method.

    `eta` is g(mean), where it is known better than from a mean that rounds to an edge of the link's range. At a mean on that
    edge the interval is otherwise that point. Ends that the family's means cannot reach (a probability beyond 0 or 1 under
    the identity link, the far side of the pole of an inverse link) are moved to the edge.
    """
    if isinstance(link, Identity):
        ends = np.stack([mean - quantile * se, mean + quantile * se])
        if family is not None:
            ends = np.where(np.isnan(ends), np.nan, np.clip(ends, *family.means))
        return ends[0], ends[1]
    eta, error, inside = on_link(link, mean, se, eta)
    with np.errstate(all="ignore"):
        half = quantile * error
        ends = np.stack([eta - half, eta + half])
        if family is not None and not isinstance(family, Multinomial | Ordinal):
            ends = within(family, ends, eta)
        ends = link.inverse(ends)
    ends = np.where(inside | np.isnan(mean) | np.isnan(se), np.sort(ends, axis=0), mean)
    return ends[0], ends[1]
