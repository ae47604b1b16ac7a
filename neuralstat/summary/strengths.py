"""The table of penalties whose strengths were estimated."""

from __future__ import annotations

import numpy as np

from ..errors import DfError
from ..fitted import Fitted
from ..likelihood.evidence import strengths
from .tables import Table

MOST = 20  # groups listed


def strength_tables(fitted: Fitted) -> list[Table]:
    """Groups of weights at the best repetition: strength, standard deviation a priori, degrees of freedom.

    None where nothing was estimated, and where the best repetition diverged, which is said elsewhere.
    """
    if fitted.fit.strengths is None:
        return []
    try:
        found = strengths(fitted, fitted.best)
    except DfError:
        return []
    rows = [(group, f"{count:,}", f"{lam:.4g}" if lam > 0 else "", f"{sd:.4g}" if np.isfinite(sd) else "", f"{edf:.2f}")
            for group, _, count, lam, sd, edf in found.itertuples(index=False)]  # fmt: skip
    left = "" if len(rows) <= MOST else f" (the first {MOST} of {len(rows)} groups)"
    title = f"Estimated strengths of the penalty, best repetition{left}"
    return [Table(title, ("weights of", "number", "strength", "sd a priori", "df"), rows[:MOST], left=1)]
