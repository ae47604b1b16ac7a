"""Eigenvalues of a fit's Hessian: how well the data determine the weights."""

from __future__ import annotations

from typing import Any

import numpy as np
import pandas as pd

from ..checks.arguments import REP, Number, arguments
from ..df import local
from ..errors import DfError
from ..fitted import Fitted
from ..network import derivatives


@arguments(rep=REP, cutoff=Number(above=0.0, most=1.0))
def hessian_spectrum(fitted: Fitted, rep: Any = "best", cutoff: float = 1e-8) -> pd.DataFrame:
    """Eigenvalues of the Hessian of the penalised error over the weights that move, largest first.

    Flat directions (eigenvalues below `cutoff` times the largest, in absolute value) are combinations of weights that
    the data do not determine; negative ones say that the fit is at no minimum. Many lie near zero in networks with more
    units than the data ask for (Sagun, Bottou & LeCun 2016, arXiv:1611.07476).

    Parameters
    ----------
    rep : int or "best"
    cutoff : float

    Returns
    -------
    DataFrame
        ``eigenvalue``, ``kind`` ("positive", "flat", "negative"), ``weight`` (name of the largest loading); internal
        units. ``.attrs`` has the counts and the condition number of the positive part.
    """
    b = fitted.which(rep)
    used = local.active(fitted, b)
    theta = fitted.fit.theta[b].astype(float)
    local.check_finite(fitted, b)
    full = derivatives.hessian(fitted.network, fitted.data, theta, fitted.penalty_of(b))
    if not np.isfinite(full).all():
        raise DfError("hessian_spectrum: the Hessian is not finite: linear predictors are too large for the link.")
    values, vectors = np.linalg.eigh(full[np.ix_(used, used)])
    values, vectors = values[::-1], vectors[:, ::-1]
    flat = np.abs(values) <= cutoff * np.abs(values).max(initial=0.0)
    kind = np.where(flat, "flat", np.where(values > 0, "positive", "negative"))
    names = np.array(fitted.network.names)[used]
    frame = pd.DataFrame({
        "eigenvalue": values, "kind": kind, "weight": names[np.abs(vectors).argmax(axis=0)] if values.size else [],
    })  # fmt: skip
    positive = values[kind == "positive"]
    frame.attrs = {name: int(np.sum(kind == name)) for name in ("positive", "flat", "negative")}
    frame.attrs["condition"] = float(positive.max() / positive.min()) if positive.size else float("nan")
    return frame
