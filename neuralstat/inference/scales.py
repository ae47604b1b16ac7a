"""The scale on which an interval of a mean is symmetric: the link of the model, where it has one."""

from __future__ import annotations

from typing import Any

import numpy as np

from ..families import Family, Multinomial
from ..families.links import Identity, Link, Logit
from ..fitted import Fitted
from .predictive import within


def interval_link(fitted: Fitted) -> Link:
    """The family's link; logit for each class of a multinomial response; identity where there is no family."""
    family = fitted.family
    if family is None:
        return Identity()
    return Logit() if isinstance(family, Multinomial) else family.link


def limits(
    link: Link, mean: np.ndarray, se: np.ndarray, quantile: Any, family: Family | None = None
) -> tuple[np.ndarray, np.ndarray]:
    """Limits ``g^-1(g(mean) -+ quantile se |g'(mean)|)``, as statsmodels' "endpoint" method.

    At a mean on the edge of the link's range (a probability that rounds to 0 or 1) the interval is that point. Ends that the
    family's means cannot reach (a probability beyond 0 or 1 under the identity link, the far side of the pole of an inverse
    link) are moved to the edge.
    """
    if isinstance(link, Identity):
        ends = np.stack([mean - quantile * se, mean + quantile * se])
        if family is not None:
            ends = np.where(np.isnan(ends), np.nan, np.clip(ends, *family.means))
        return ends[0], ends[1]
    low, high = link.means
    inside = (mean > low) & (mean < high)
    safe = np.where(inside, mean, np.nan)
    with np.errstate(all="ignore"):
        eta, half = link(safe), quantile * se * np.abs(link.deriv(safe))
        ends = np.stack([eta - half, eta + half])
        if family is not None and not isinstance(family, Multinomial):
            ends = within(family, ends, eta)
        ends = link.inverse(ends)
    ends = np.where(inside | np.isnan(mean), np.sort(ends, axis=0), mean)
    return ends[0], ends[1]
