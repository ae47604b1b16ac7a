"""Loss and metrics of a fit at its own or at other rows."""

from __future__ import annotations

from typing import Any

import numpy as np
import pandas as pd

from ..checks.arguments import FUNCTION, NONE, REP_OR_MEAN, TEXT, Anything, Several, arguments
from ..errors import ArgumentError
from ..families import Survival
from ..families.family import deviance_of_means
from ..fitted import Fitted
from ..network.blas import on_one_thread
from ..training.epochs import make_rows
from ..training.metrics import Measured, class_of_rows, means_of, resolve
from ..training.validation import encode

OF_CLASSES = ("accuracy", "auc", "log_loss")
OF_NUMBERS = ("rmse", "mae", "r2")


@on_one_thread
@arguments(
    data=Anything("None, a table, or (endog, exog)", None), metrics=NONE | TEXT | FUNCTION | Several(TEXT | FUNCTION, 0),
    rep=REP_OR_MEAN,
)  # fmt: skip
def evaluate(fitted: Fitted, data: Any = None, *, metrics: Any = None, rep: Any = "mean") -> pd.Series:
    """Loss and metrics of the predictions, in the units of the response; see `NeuralNetResults.evaluate`."""
    design, network = fitted.design, fitted.network
    if network.objective.several and isinstance(network.objective.family, Survival):
        raise ArgumentError("evaluate is not for times that may be censored; fit.concordance(data) and "
                            "fit.brier_score(data=data) are.")  # fmt: skip
    if data is None:
        rows = make_rows(design.x, design.y, design.weights, design.offset)
    else:
        try:
            rows = encode(design, data, fitted.settings)
        except ArgumentError as error:
            raise ArgumentError(f"data: {str(error).removeprefix('validation').lstrip(': ')}") from error
    wanted = metrics if metrics is not None else fitted.settings.metrics
    if wanted is None:
        classes = class_of_rows(fitted.responses, design.classes is not None) is not None
        wanted = OF_CLASSES if classes else OF_NUMBERS
    measured = Measured(resolve(wanted), design)
    theta = fitted.fit.theta.astype(float)
    mu = np.mean([means_of(network, rows, theta[b]) for b in fitted.numbers(rep)], axis=0)
    y, weight = rows.data.y[0].astype(float), rows.data.weight[0]
    w = np.ones(y.shape[1]) if weight.size == 0 else weight.astype(float)
    y, mu = measured.original(y), measured.original(mu)
    found = dict(zip(measured.names, measured.of(y, mu, w), strict=True))
    plain = fitted.family is not None and not network.objective.several  # of several parameters means are not all
    loss = {"loss": _loss(fitted, y, mu, w)} if plain else {}
    return pd.Series({**loss, **found}, name="value", dtype=float).rename_axis(index="metric")


def _loss(fitted: Fitted, y: np.ndarray, mu: np.ndarray, w: np.ndarray) -> float:
    """Error per row without a penalty: half the mean deviance, of several outputs their sum; by epochs Keras' loss."""
    network, half = fitted.network, deviance_of_means(fitted.likely, y, mu).sum(axis=0) / 2
    factor = network.as_in_keras if fitted.settings.minibatch else 1.0
    return factor * float(np.average(half, weights=w))
