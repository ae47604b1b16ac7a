"""The scale on which an interval of a mean is symmetric: the link of the model, where it has one."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np

from ..families import Multinomial
from ..families.links import Identity, Link, Logit

if TYPE_CHECKING:
    from ..results import NeuralNetResults


def interval_link(results: NeuralNetResults) -> Link:
    """The family's link; logit for each class of a multinomial response; identity where there is no family."""
    family = results.family
    if family is None:
        return Identity()
    return Logit() if isinstance(family, Multinomial) else family.link


def limits(link: Link, mean: np.ndarray, se: np.ndarray, quantile: Any) -> tuple[np.ndarray, np.ndarray]:
    """Limits ``g^-1(g(mean) -+ quantile se |g'(mean)|)``, as statsmodels' "endpoint" method.

    At a mean on the edge of the link's range (a probability that rounds to 0 or 1) the interval is that point.
    """
    if isinstance(link, Identity):
        return mean - quantile * se, mean + quantile * se
    low, high = link.means
    inside = (mean > low) & (mean < high)
    safe = np.where(inside, mean, np.nan)
    with np.errstate(all="ignore"):
        eta, half = link(safe), quantile * se * np.abs(link.deriv(safe))
        ends = np.stack([link.inverse(eta - half), link.inverse(eta + half)])
    ends = np.where(inside | np.isnan(mean), np.sort(ends, axis=0), mean)
    return ends[0], ends[1]
