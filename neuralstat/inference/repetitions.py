"""The repetitions of a fit side by side: errors, states, distinct optima, histories, R's components."""

from __future__ import annotations

import warnings
from typing import Any

import numpy as np
import pandas as pd

from ..engine import cpu
from ..errors import ArgumentError, ConvergenceWarning, caller
from ..fitted import Fitted, kept
from ..likelihood.criteria import r_criterion
from ..likelihood.evidence import log_evidences
from ..network import derivatives
from ..network.canonical import canonical, distinct_optima, numbered
from ..network.names import name_of
from ..training.fit import STATUS
from ..training.metrics import squared_unit

ESTIMATED = 3e-4  # relative difference at which repetitions that estimated strengths are at one optimum


@kept
def optima(fitted: Fitted) -> np.ndarray:
    """(B,) number of the optimum that each repetition ended at; see `network.canonical.distinct_optima`."""
    if fitted.design.away:
        distance, square = fitted.total(_apart), fitted.total(_sizes)
        return numbered(fitted.fit.loss.astype(float), lambda b, first: distance[b, first], float(np.max(square)))
    raw = fitted.fitted_raw(range(fitted.nrep))
    errors = fitted.fit.loss.astype(float)
    if fitted.fit.evidence is None:
        return distinct_optima(errors, np.asarray(raw), fitted.design.weights)
    # errors are at strengths of their own: the best evidence comes first, in steps that rounds of estimation leave
    least = np.nanmin(fitted.ranking) if np.isfinite(fitted.ranking).any() else 0.0
    return distinct_optima(fitted.ranking - least + fitted.n_values, np.asarray(raw), fitted.design.weights, ESTIMATED)


def _apart(fitted: Fitted) -> np.ndarray:
    """(B, B) half squared distances of the repetitions' outputs."""
    raw, w = fitted.fitted_raw(range(fitted.nrep)), fitted.case_weights
    return np.array([[float(np.sum((a - b) ** 2 / 2 * w)) for a in raw] for b in raw])


def _sizes(fitted: Fitted) -> np.ndarray:
    """(B,) sums of the squared outputs."""
    return np.sum(np.square(fitted.fitted_raw(range(fitted.nrep))), axis=(1, 2))


def reps(fitted: Fitted) -> pd.DataFrame:
    """One row per repetition, numbered from 1.

    Columns ``error``, ``reached_threshold``, ``steps``, ``converged``, ``status``, ``largest_gradient`` (name of
    the weight), and ``optimum``: repetitions with the same number ended at errors that agree to 1e-4
    and at the same function (see `canonical.distinct_optima`). Where strengths of the penalty were estimated
    ``log_evidence``, the logarithm of the marginal likelihood, which then tells the best one.
    """
    fit, network = fitted.fit, fitted.network
    size = np.abs(np.where(np.isnan(fitted.gradients), np.inf, fitted.gradients))
    more = {} if fit.evidence is None else {"log_evidence": log_evidences(fitted)}
    return pd.DataFrame(
        {
            "error": fitted.errors,
            "reached_threshold": fit.reached.astype(float),
            "steps": fit.steps,
            "converged": fit.converged,
            "status": [STATUS[int(s)] for s in fit.status],
            "largest_gradient": [name_of(network, j) for j in size.argmax(axis=1)],
            "optimum": optima(fitted),
            **more,
        },
        index=pd.RangeIndex(1, fitted.nrep + 1, name="rep"),
    )


def unconverged(fitted: Fitted) -> str | None:
    """Which repetitions did not converge, and where the gradient is largest, in R's words; None where all did."""
    fit, settings = fitted.fit, fitted.settings
    lost = np.flatnonzero(~fit.finished)
    if not lost.size:
        return None
    worst = int(lost[0])
    reasons = ", ".join(sorted({STATUS[int(s)] for s in fit.status[lost]}))
    rule = "" if settings.threshold is None else f", threshold {settings.threshold:g}"
    return (
        f"Algorithm did not converge in {lost.size} of {fitted.nrep} repetition(s) within the "
        f"{'epochs' if settings.minibatch else 'stepmax'}. ({reasons}; repetition {worst + 1}: largest partial derivative "
        f"{float(fit.reached[worst]):.4g}{_steepest(fitted, worst)}{rule}.) The weights reached are kept."
    )


def _steepest(fitted: Fitted, b: int) -> str:
    """`` at `` the weight with the largest partial derivative; nothing for fits by epochs, which a pass would slow.

    Nor after Ctrl-C on a cluster, whose workers may be what was waited for.
    """
    if fitted.settings.minibatch or (fitted.design.away and fitted.fit.status[b] == cpu.INTERRUPTED):
        return ""
    if fitted.design.away:
        gradient = fitted.gradients[b]
    else:
        theta = fitted.fit.theta[b].astype(float)
        gradient = derivatives.gradient(fitted.network, fitted.data, theta, fitted.penalty_of(b))
    free = fitted.fit.free[b % fitted.fit.free.shape[0]]
    size = np.where(free, np.abs(np.where(np.isnan(gradient), np.inf, gradient)), 0.0)
    return f" at {name_of(fitted.network, int(size.argmax()))}"


def warn_unconverged(fitted: Fitted) -> None:
    """Warn with what `unconverged` says, where some repetition did not converge."""
    text = unconverged(fitted)
    if text is not None:
        warnings.warn(f"{text} Try {ConvergenceWarning.remedy}", ConvergenceWarning, stacklevel=caller())


def canonical_weights(fitted: Fitted) -> np.ndarray:
    """(B, P) weights in original units with the hidden units in canonical order and sign.

    Networks that differ by the order of hidden units, or by a sign that the activation's symmetry undoes, have the
    same canonical weights; see `canonical.canonical`.
    """
    return canonical(fitted.network, fitted.theta, fitted.fit.free[0])


def pruned(fitted: Fitted) -> pd.DataFrame:
    """Repetitions that ``keep=`` ruled out after a trial: number of the start, error, gradient, steps, status."""
    gone = fitted.fit.pruned
    columns = ("start", "error", "reached_threshold", "steps")
    values: list[Any] = [[]] * 4 if gone is None else [gone.number + 1, gone.loss, gone.reached, gone.steps]
    frame = pd.DataFrame(dict(zip(columns, values, strict=True)))
    return frame.assign(status=STATUS[cpu.PRUNED])


def history(fitted: Fitted) -> pd.DataFrame:
    """What a fit by epochs recorded: a row per repetition and epoch.

    Columns ``rep``, ``epoch``, ``loss`` (mean over the epoch's batches of Keras' loss and penalty, as the weights were),
    ``accuracy`` (factor and 0/1 responses) or ``mse`` (squared error), ``val_loss`` and ``val_accuracy`` or
    ``val_mse`` (after the epoch, where there is validation data; with the penalty, as Keras), ``learning_rate``
    (of the epoch's last step). Errors of a scaled response are in original units (several outputs: scaled units).
    Keras' loss is the error per row (half the deviance), times 2 for squared errors, over the outputs but of classes.

    Raises
    ------
    ArgumentError
        Where the algorithm has no epochs.
    """
    record = fitted.fit.history
    if record is None:
        raise ArgumentError(f"history: algorithm={fitted.settings.algorithm!r} has no epochs; see plot_error().")
    kernels, factor = ("loss", "val_loss", "mse", "val_mse"), squared_unit(fitted.design)
    parts = []
    for b, epochs in enumerate(record.epochs):
        part = pd.DataFrame(record.values[b, :epochs], columns=list(record.columns))
        for name in part.columns:
            if name in kernels:  # what kernels measure is of the scaled response
                part[name] = part[name] * factor  # in place it would change the record, which pandas before 3 shares
        part.insert(0, "epoch", np.arange(1, epochs + 1))
        part.insert(0, "rep", b + 1)
        parts.append(part)
    return pd.concat(parts, ignore_index=True)


# R's components --------------------------------------------------------------------------------------------


def result_matrix(fitted: Fitted) -> pd.DataFrame:
    """R's ``result.matrix``: error, reached.threshold, steps, (aic, bic,) every weight; a column per repetition.

    With ``compat="R"`` it lacks the repetitions that did not converge, as R's does.
    """
    rows = {"error": fitted.errors, "reached.threshold": fitted.fit.reached, "steps": fitted.fit.steps}
    if fitted.settings.likelihood:
        rows["aic"], rows["bic"] = r_criterion(fitted, 2.0), r_criterion(fitted, np.log(fitted.nobs))
    for name, values in zip(fitted.network.names, fitted.theta.T, strict=True):
        rows[name] = values
    frame = pd.DataFrame(np.array(list(rows.values()), float), list(rows), range(1, fitted.nrep + 1))
    return frame.loc[:, fitted.fit.converged] if fitted.settings.compat == "R" else frame


def matrices(fitted: Fitted, theta: np.ndarray) -> list[list[np.ndarray]]:
    """Weights (B, P) as matrices (1 + inputs, units) per repetition and layer; NaN where held out at 0, as R."""
    shown = np.where(~fitted.fit.free[0] & (theta == 0), np.nan, theta)
    return [fitted.network.matrices(row) for row in shown]


def weights(fitted: Fitted) -> list[list[np.ndarray]]:
    """Per repetition, a list of matrices (1 + inputs, units), bias first; NaN where held out at 0, as R."""
    return matrices(fitted, fitted.theta)


def startweights(fitted: Fitted) -> list[list[np.ndarray]]:
    """Start weights, shaped as `weights`."""
    return matrices(fitted, fitted.original_weights(fitted.fit.start.astype(float)))


def net_result(fitted: Fitted) -> list[pd.DataFrame]:
    """Per repetition the fitted outputs of the rows used, columns the K outputs."""
    values = fitted.response(fitted.fitted_raw(range(fitted.nrep)))
    return [pd.DataFrame(v.T, fitted.design.index, list(fitted.design.y_names)) for v in values]
