"""Importance of terms: connection weights (Garson, Olden), permutation; Lek's profiles.

Garson (1991), AI Expert 6:46; Olden & Jackson (2002), Ecological Modelling 154:135; Olden, Joy & Death (2004), Ecological
Modelling 178:389 (who find connection weights nearer to the truth than Garson's shares); Breiman (2001), Machine Learning
45:5; Lek et al. (1996), Ecological Modelling 90:39.
"""

from __future__ import annotations

from typing import Any

import numpy as np
import pandas as pd

from ..assessment.losses import pick, refuse_censored
from ..assessment.procedure import target_of
from ..assessment.survival import mean_loss
from ..checks import shown
from ..checks.arguments import FLAG, NONE, RANDOM_STATE, REP_OR_MEAN, Anything, Choice, Numbers, Whole, arguments
from ..errors import ArgumentError, DataError
from ..fitted import Fitted, fitted_of
from ..inference.predict import inputs
from ..likelihood.lifetimes import is_survival
from ..network.blas import on_one_thread
from ..seeds import children, seed_sequence
from .functional import BETWEEN, outputs_of
from .profiles import GRID, grid_of
from .rows import Rows, chosen, refuse_array_offset, rows_of, takes_levels

METHODS = ("garson", "olden", "permutation")


@on_one_thread
@arguments(
    fit=Anything("a fit"), method=Choice(*METHODS), response=Anything("the name of an output", None), rep=REP_OR_MEAN,
    scaled=FLAG, loss=Anything("the name of a loss, or a function", None), repeats=NONE | Whole(1, 1_000_000),
    random_state=RANDOM_STATE, data=Anything("a table", None),
)
def importance(
    fit: Any, method: str = "permutation", *, response: str | None = None, rep: Any = "mean",
    scaled: bool = True, loss: str | None = None, repeats: int | None = None, random_state: Any = None, data: Any = None,
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
        Name of an output (Garson, Olden); default all.
    rep : {"mean", "best"} or int
        Which repetitions; "mean": the converged.
    scaled : bool
        Multiply first-layer weights by the columns' standard deviations, without which they depend on units. False: as R's
        ``NeuralNetTools``.
    loss, repeats, random_state
        Of "permutation": as in `risk` (of times to an event "concordance", which is 1 - C, or "brier"), permutations per
        variable (10), their seed.
    data : table, optional
        Of "permutation": rows with their response, such as a test set; default those of the fit.

    Returns
    -------
    DataFrame
        ``importance``, ``sd`` (over repetitions; permutation: over permutations), and ``sign`` (share of the repetitions
        with the mean's sign; Olden only). The largest absolute values first for "permutation"; else in design order, of
        several outputs one below the other.

    Raises
    ------
    ArgumentError
        For unknown methods; Garson's with other than one hidden layer; layers that are not dense.
    """
    fitted = fitted_of(fit)
    if method == "permutation":
        if response is not None or not scaled:
            name = "scaled" if response is None else "response"
            raise ArgumentError(f"{name} belongs to method='garson' and 'olden', not to 'permutation'.")
        return _permutation(fitted, rep, loss, 10 if repeats is None else repeats, random_state, data)
    for name, given in (("loss", loss), ("data", data), ("repeats", repeats), ("random_state", random_state)):
        if given is not None:
            raise ArgumentError(f"{name} belongs to method='permutation', not to {method!r}.")
    if not fitted.network.dense or fitted.network.towers or fitted.network.skip:
        raise ArgumentError(f"method={method!r} needs one chain of dense layers: use method='permutation'.")
    if method == "garson" and len(fitted.network.hidden) != 1:
        raise ArgumentError("method='garson' needs one hidden layer: use method='olden' or 'permutation'.")
    outputs = outputs_of(fitted, response, rep, se=False)
    size = _column_sd(fitted) if scaled else np.ones(fitted.design.x.shape[0])
    rule = _garson if method == "garson" else _olden
    matrices = [[np.nan_to_num(m) for m in fitted.network.matrices(fitted.theta[b])] for b in outputs.numbers]
    frames = []
    for k in outputs.ks:
        values = np.array([rule(weights, size, k) for weights in matrices])
        mean = values.mean(axis=0)
        frame = pd.DataFrame({
            "importance": mean, "sd": values.std(axis=0, ddof=1) if len(values) > 1 else np.nan,
        }, index=list(fitted.design.x_names))  # fmt: skip
        if method == "olden":
            frame["sign"] = np.mean(np.sign(values) == np.sign(mean), axis=0)
        frames.append(frame)
    return outputs.table(frames, response)


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


def _permutation(fitted: Fitted, rep: Any, loss: Any, repeats: int, random_state: Any, data: Any) -> pd.DataFrame:
    rows, y, w = _observed(fitted, data)
    name, measure = _measure(fitted, loss, y, w, fitted.numbers(rep))

    def error(frame: pd.DataFrame) -> float:
        return measure(*rows.changed(frame))

    base = error(rows.frame)
    known = list(fitted.design.spec.covariates)
    table = {}
    for variable, seeds in zip(known, children(seed_sequence(random_state), len(known)), strict=True):
        rng = np.random.default_rng(seeds)
        increase = []
        for _ in range(repeats):
            column = rows.frame[variable].iloc[rng.permutation(len(rows.frame))]
            increase.append(error(rows.frame.assign(**{variable: column.set_axis(rows.frame.index)})) - base)
        table[variable] = [np.mean(increase), np.std(increase, ddof=1) if repeats > 1 else np.nan]
    frame = pd.DataFrame.from_dict(table, orient="index", columns=["importance", "sd"])
    frame.attrs = {"loss": name, "loss of the fit": base}
    return frame.sort_values("importance", ascending=False)


def _measure(fitted: Fitted, loss: Any, y: np.ndarray, w: np.ndarray, numbers: list[int]) -> tuple[str, Any]:
    """Name of the loss, and its mean as a function of inputs and offset; of times to an event by their own losses."""
    if is_survival(fitted.family):
        if loss is None or (isinstance(loss, str) and loss in ("concordance", "brier")):
            return mean_loss(fitted, loss, y, w, numbers)
        refuse_censored(loss, y, fitted.design.response, fitted.network.objective.coupled)
    name, rule = pick(loss, target_of(fitted))

    def measure(x: np.ndarray, offset: np.ndarray | None) -> float:
        mu = fitted.response(fitted.raw(x, offset, numbers)).mean(axis=0)
        return float(np.average(rule(y, mu), weights=w))

    return name, measure


def _observed(fitted: Fitted, data: Any) -> tuple[Rows, np.ndarray, np.ndarray]:
    """Rows, their responses (K, m) in original units and weights: of the fit, or of other data that has them."""
    if data is None:
        return rows_of(fitted), fitted.responses, fitted.case_weights
    y, complete = fitted.design.encode_response(data)
    _, _, _, known = inputs(fitted, data, None)
    both = complete & known
    rows = rows_of(fitted, data)
    rows = rows.part(np.flatnonzero(both[known]))
    if not both.any():
        raise DataError("data has no row with its response and covariates.")
    scaling = fitted.design.scaling
    y = y[:, both]
    return rows, y if scaling is None else scaling.y_original(y), np.ones(int(both.sum()))


@on_one_thread
@arguments(
    fit=Anything("a fit"), variable=Anything("a covariate", None), grid=GRID,
    quantiles=Anything("numbers from 0 to 1", 0.5, (0.1, 0.9)), data=Anything("a table", None),
    response=Anything("the name of an output", None), rep=REP_OR_MEAN,
)
def lek_profile(
    fit: Any, variable: str | None = None, grid: Any = 100,
    quantiles: Any = (0.0, 0.2, 0.4, 0.6, 0.8, 1.0), *, data: Any = None, response: str | None = None, rep: Any = "mean",
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
    data : table, optional
        Whose quantiles are taken; default the data of the fit.
    response, rep
        As in `partial_dependence`.

    Returns
    -------
    DataFrame
        Long: ``variable``, ``value``, ``quantile``, ``mean``, ``sd over repetitions``; of several outputs also
        ``response``, in front.
    """
    fitted = fitted_of(fit)
    held = np.atleast_1d(Numbers(None, least=1).check(quantiles, "quantiles"))
    if held.ndim > 1 or not np.all((held >= 0) & (held <= 1)):
        raise ArgumentError(f"quantiles must be numbers between 0 and 1; got {shown(quantiles)}.")
    refuse_array_offset(fitted, "lek_profile")
    rows, outputs = rows_of(fitted, data), outputs_of(fitted, response, rep, se=False)
    known = fitted.design.spec.covariates
    coded = {n for n in known if takes_levels(fitted, n)}
    names = [n for n in known if n not in coded] if variable is None else chosen(fitted, variable)
    if not names:
        raise ArgumentError("lek_profile needs a numeric variable, or variable= for a factor.")
    parts = []
    for name in names:
        points = grid_of(fitted, name, 100 if grid is None else grid)
        outputs.check(len(points) * held.size, len(points), f"{len(points):,} points at {held.size:,} quantiles")
        for q in held:
            at = {str(n): column.mode().iloc[0] if str(n) in coded or not pd.api.types.is_numeric_dtype(column)
                  else column.quantile(q) for n, column in rows.frame.items() if n != name}  # fmt: skip
            mu = outputs.means(*rows.part(np.zeros(len(points), int)).moved({**at, name: points}))
            spread = mu.std(axis=0, ddof=1) if mu.shape[0] > 1 else np.zeros(mu.shape[1:])
            for j, k in enumerate(outputs.ks):
                parts.append(pd.DataFrame({
                    "response": fitted.mean_names[k], "variable": name, "value": points, "quantile": q,
                    "mean": mu[:, j].mean(axis=0), BETWEEN: spread[j],
                }))  # fmt: skip
    found = pd.concat(parts, ignore_index=True)
    return found if len(outputs.ks) > 1 else found.drop(columns="response")
