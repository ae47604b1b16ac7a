"""Importance of terms: connection weights (Garson, Olden), permutation; Lek's profiles.

Garson (1991), AI Expert 6:46; Olden & Jackson (2002), Ecological Modelling 154:135; Olden, Joy & Death (2004), Ecological
Modelling 178:389 (who find connection weights nearer to the truth than Garson's shares); Breiman (2001), Machine Learning
45:5; Lek et al. (1996), Ecological Modelling 90:39.
"""

from __future__ import annotations

from typing import Any

import numpy as np
import pandas as pd

from ..assessment.losses import pick
from ..assessment.procedure import target_of
from ..checks import check_int
from ..errors import ArgumentError
from ..fitted import Fitted, fitted_of
from ..inference.predict import inputs
from ..seeds import children, seed_sequence
from . import functional as f
from .profiles import grid_of

METHODS = ("garson", "olden", "permutation")


def importance(
    fit: Any, method: str = "permutation", *, response: str | None = None, rep: Any = "mean",
    scaled: bool = True, loss: str | None = None, repeats: int = 10, random_state: Any = None,
) -> pd.DataFrame:  # fmt: skip
    """Importance of the covariates, over all repetitions: their mean, spread, and how often they agree in sign.

    Parameters
    ----------
    fit : NeuralNetResults or Fitted
    method : {"garson", "olden", "permutation"}
        "garson": shares of absolute products of weights, one hidden layer; "olden": sums of products of weights along all
        paths, signed, any number of layers; of the design's columns. "permutation": increase of the mean loss when the
        user's variable is permuted over the rows; of the mean prediction too, unlike the others.
    response : str, optional
        Name of an output (Garson, Olden).
    rep : {"mean", "best"} or int
        Which repetitions; "mean": the converged.
    scaled : bool
        Multiply first-layer weights by the columns' standard deviations, without which they depend on units. False: as R's
        ``NeuralNetTools``.
    loss, repeats, random_state
        Of "permutation": as in `risk`, permutations per variable, their seed.

    Returns
    -------
    DataFrame
        ``importance``, ``sd`` (over repetitions; permutation: over permutations), and ``sign`` (share of the repetitions
        with the mean's sign; Olden only). The largest absolute values first for "permutation"; else in design order.

    Raises
    ------
    ArgumentError
        For unknown methods; Garson's with other than one hidden layer; layers that are not dense.
    """
    fitted = fitted_of(fit)
    if method not in METHODS:
        raise ArgumentError(f"method must be one of {', '.join(map(repr, METHODS))}; got {method!r}.")
    if method == "permutation":
        return _permutation(fitted, rep, loss, check_int(repeats, "repeats", 1), random_state)
    if loss is not None:
        raise ArgumentError(f"loss belongs to method='permutation', not to {method!r}.")
    if not fitted.network.dense:
        raise ArgumentError(f"method={method!r} needs dense layers: use method='permutation'.")
    if method == "garson" and len(fitted.network.hidden) != 1:
        raise ArgumentError("method='garson' needs one hidden layer: use method='olden' or 'permutation'.")
    k = f.output_position(fitted, response)
    size = _column_sd(fitted) if scaled else np.ones(fitted.design.x.shape[0])
    rule = _garson if method == "garson" else _olden
    values = np.array([
        rule([np.nan_to_num(m) for m in fitted.network.matrices(fitted.theta[b])], size, k) for b in fitted.numbers(rep)
    ])  # fmt: skip
    mean = values.mean(axis=0)
    frame = pd.DataFrame({
        "importance": mean, "sd": values.std(axis=0, ddof=1) if len(values) > 1 else np.nan,
    }, index=list(fitted.design.x_names))  # fmt: skip
    if method == "olden":
        frame["sign"] = np.mean(np.sign(values) == np.sign(mean), axis=0)
    return frame


def _column_sd(fitted: Fitted) -> np.ndarray:
    x = fitted.design.x.std(axis=1, ddof=1)
    return x if fitted.design.scaling is None else x * fitted.design.scaling.x_sd


def _garson(weights: list[np.ndarray], size: np.ndarray, k: int) -> np.ndarray:
    """Share of each input in the absolute products |w_jh v_h|, unit by unit; mean over the units (``NeuralNetTools``)."""
    product = np.abs(weights[0][1:] * weights[1][1:, k]) * size[:, np.newaxis]
    total = product.sum(axis=0)
    part = product / np.where(total > 0, total, 1.0)
    return part.sum(axis=1) / part.sum()


def _olden(weights: list[np.ndarray], size: np.ndarray, k: int) -> np.ndarray:
    """Product of the weight matrices, biases left out."""
    product = weights[0][1:] * size[:, np.newaxis]
    for matrix in weights[1:]:
        product = product @ matrix[1:]
    return product[:, k]


def _permutation(fitted: Fitted, rep: Any, loss: Any, repeats: int, random_state: Any) -> pd.DataFrame:
    name, rule = pick(loss, target_of(fitted))
    rows, y, w = f.raw_frame(fitted), fitted.responses, fitted.case_weights
    numbers = fitted.numbers(rep)

    def error(frame: pd.DataFrame) -> float:
        x, offset, _, _ = inputs(fitted, frame, None)
        mu = fitted.response(fitted.raw(x, offset, numbers)).mean(axis=0)
        return float(np.average(rule(y, mu), weights=w))

    base = error(rows)
    known = list(fitted.design.spec.covariates)
    table = {}
    for variable, seeds in zip(known, children(seed_sequence(random_state), len(known)), strict=True):
        rng = np.random.default_rng(seeds)
        increase = []
        for _ in range(repeats):
            moved = rows.copy()
            moved[variable] = rows[variable].iloc[rng.permutation(len(rows))].to_numpy()
            if isinstance(rows[variable].dtype, pd.CategoricalDtype):
                moved[variable] = moved[variable].astype(rows[variable].dtype)
            increase.append(error(moved) - base)
        table[variable] = [np.mean(increase), np.std(increase, ddof=1) if repeats > 1 else np.nan]
    frame = pd.DataFrame.from_dict(table, orient="index", columns=["importance", "sd"])
    frame.attrs = {"loss": name, "loss of the fit": base}
    return frame.sort_values("importance", ascending=False)


def lek_profile(
    fit: Any, variable: str | None = None, grid: Any = 100,
    quantiles: Any = (0.0, 0.2, 0.4, 0.6, 0.8, 1.0), *, response: str | None = None, rep: Any = "mean",
) -> pd.DataFrame:  # fmt: skip
    """Prediction as one variable runs over its range, all others held at a quantile (factors: most frequent level).

    Parameters
    ----------
    fit : NeuralNetResults or Fitted
    variable : str, optional
        Default all numeric ones.
    grid : int or list
    quantiles : sequence of float
        At which the other variables are held, all at the same; R's ``lekprofile`` has these six.
    response, rep
        As in `partial_dependence`.

    Returns
    -------
    DataFrame
        Long: ``variable``, ``value``, ``quantile``, ``mean``, ``sd over repetitions``.
    """
    fitted = fitted_of(fit)
    held = np.atleast_1d(np.asarray(quantiles, dtype=float))
    if not np.all((held >= 0) & (held <= 1)):
        raise ArgumentError(f"quantiles must lie between 0 and 1, got {quantiles!r}.")
    rows, k, numbers = f.raw_frame(fitted), f.output_position(fitted, response), fitted.numbers(rep)
    known = fitted.design.spec.covariates
    numeric = [n for n in known if not f.is_factor(rows[n])]
    chosen = numeric if variable is None else [f.covariate(fitted, variable).name]
    parts = []
    for name in chosen:
        points = grid_of(rows[name], grid)
        for q in held:
            frame = pd.concat([rows.iloc[[0]]] * len(points), ignore_index=True)
            for other in known:
                value = rows[other].mode().iloc[0] if f.is_factor(rows[other]) else rows[other].quantile(q)
                frame = f.replaced(frame, other, value)
            frame[name] = pd.Series(points, dtype=rows[name].dtype if f.is_factor(rows[name]) else float)
            values = f.means(fitted, frame, numbers, k)
            spread = values.std(axis=0, ddof=1) if len(numbers) > 1 else np.zeros(len(points))
            parts.append(pd.DataFrame({
                "variable": name, "value": points, "quantile": q, "mean": values.mean(axis=0),
                "sd over repetitions": spread,
            }))  # fmt: skip
    return pd.concat(parts, ignore_index=True)
