"""Predictions with dropout kept on: how much they vary."""

from __future__ import annotations

from typing import Any

import numpy as np
import pandas as pd

from ..checks import check_size
from ..checks.arguments import DRAWS, RANDOM_STATE, REP, SHARE, Anything, Whole, arguments
from ..errors import ArgumentError
from ..fitted import Fitted
from ..layers import codes
from ..network import derivatives
from ..network.network import Network
from ..network.upstream import drops
from .pieces import Piece, check_fit, inputs


@arguments(
    fit=Anything("a fit"), new=Anything("a table, as in predict", None), draws=Whole(2, DRAWS), alpha=SHARE, rep=REP,
    random_state=RANDOM_STATE,
)
def dropout_intervals(
    fit: Any, new: Any = None, *, draws: int = 200, alpha: float = 0.05, rep: Any = "best",
    random_state: Any = None,
) -> pd.DataFrame:  # fmt: skip
    """Mean and quantiles of predictions with units dropped at random, as in training (Monte-Carlo dropout).

    Parameters
    ----------
    fit : NeuralNetResults or Fitted
        With Dropout layers.
    new : table, optional
        The rows of the fit unless given.
    draws : int
        Every row is predicted so many times, each with its own units dropped.
    alpha : float
        The interval is from the alpha/2 to the 1 - alpha/2 quantile of the draws.
    rep : int or "best"
    random_state : int, SeedSequence or Generator, optional

    Returns
    -------
    DataFrame, indexed as `new`
        ``mean``, ``mean_se`` (standard deviation over the draws), ``mean_ci_lower``, ``mean_ci_upper``, in units of the
        response; with several outputs under the name of each. NaN in rows with missing values.

    Raises
    ------
    ArgumentError
        Where the fit has no Dropout layer, or has others that are random in training, too.

    Notes
    -----
    The spread is that of an approximate posterior of the network's function whose width is set by the rate of dropout, not
    learnt from the data: it does not cover at the nominal rate in general, and noise of the response is not in it.

    References
    ----------
    Gal, Y. & Ghahramani, Z. (2016). Dropout as a Bayesian approximation. ICML, PMLR 48, 1050-1059.

    Examples
    --------
    >>> from neuralstat.layers import Dense, Dropout
    >>> import neuralstat as ns
    >>> data = ns.datasets.sine(n=60, noise=0.1, random_state=1)
    >>> settings = {"algorithm": "adam", "learningrate": 0.05, "epochs": 50, "random_state": 1}
    >>> fit = ns.neuralnet("y ~ x", data, layers=[Dense(8, "tanh"), Dropout(0.1)], **settings)
    >>> ns.insight.dropout_intervals(fit, data.head(2), draws=50, random_state=1).shape
    (2, 4)
    """
    fitted = check_fit(fit, "dropout_intervals")
    network = fitted.network
    at = [k for k, layer in enumerate(network.layers) if type(layer).__name__ == "Dropout" and layer.rate > 0]
    if not at:
        raise ArgumentError("dropout_intervals: the fit has no Dropout layer.")
    _check_others(network, len(at))
    x, offset, index, complete = inputs(fitted, new, "dropout_intervals")
    check_size(3 * draws * network.n_outputs * x.shape[1], f"draws={draws} of {x.shape[1]} rows")
    theta = fitted.fit.theta[fitted.which(rep)].astype(float)
    pieces = [Piece(network, theta, first, last) for first, last in zip([0, *(k + 1 for k in at[:-1])], at, strict=True)]
    rng = np.random.default_rng(random_state)
    head = _Head(fitted, theta, at[-1] + 1)
    first_values = pieces[0].values(x[:, complete])
    known = None if offset is None else offset[:, complete]
    values = np.empty((draws, network.n_outputs, int(complete.sum())))
    for draw in range(draws):
        units = first_values
        for k, piece in enumerate(pieces):
            if k > 0:
                units = piece.values(units)
            rate = network.layers[at[k]].rate
            units = units * (rng.random(units.shape) >= rate) / (1 - rate)
        values[draw] = head.response(units, known)
    return _table(fitted, values, alpha, index, complete)


def _check_others(network: Network, known: int) -> None:
    """Refuse networks that drop or disturb more than the units of their Dropout layers."""
    constants = network.net().constants
    noisy = [k for k, row in enumerate(network.table)
             if drops(row) or (row[codes.OP] in (codes.DROPOUT, codes.NOISE) and constants[k] != 0)]  # fmt: skip
    if len(noisy) > known:
        raise ArgumentError(
            "dropout_intervals draws the units of Dropout layers only: this network also has layers that drop or disturb "
            "others (spatial, recurrent, by time, or noise), which would be left out of the spread."
        )


class _Head:
    """The layers after the last Dropout, with the fit's own output."""

    def __init__(self, fitted: Fitted, theta: np.ndarray, first: int) -> None:
        network = fitted.network
        shape = network.places[first - 1][2]
        before = network.places[first - 1][0]
        begin = network._built["slices"][before].stop if before >= 0 else 0
        self.fitted, self.theta = fitted, theta[begin:]
        self.network = Network(network.layers[first:], shape, network.objective, ("",) * int(np.prod(shape)),
                               network.output_names, network.offset)  # fmt: skip

    def response(self, units: np.ndarray, offset: np.ndarray | None) -> np.ndarray:
        """Predictions (K, m) in units of the response."""
        raw = derivatives.outputs(self.network, np.ascontiguousarray(units), self.theta, offset)
        return self.fitted.response(raw)[0]


def _table(fitted: Fitted, values: np.ndarray, alpha: float, index: Any, complete: np.ndarray) -> pd.DataFrame:
    """Statistics of draws (draws, K, m) per output."""
    low, high = np.quantile(values, [alpha / 2, 1 - alpha / 2], axis=0)
    parts = {"mean": values.mean(axis=0), "mean_se": values.std(axis=0, ddof=1), "mean_ci_lower": low, "mean_ci_upper": high}
    names = list(fitted.design.y_names)
    out = {}
    for k, name in enumerate(names):
        for part, array in parts.items():
            column = np.full(complete.size, np.nan)
            column[complete] = array[k]
            out[part if len(names) == 1 else (name, part)] = column
    return pd.DataFrame(out, index=index)
