"""How training ended: not at an optimum, at one that was seen once, or too late for new observations."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import numpy as np

from ..engine import batches, cpu
from ..fitted import Fitted
from ..network import derivatives
from ..training.fit import STATUS
from .findings import Finding, joined, lost, repetitions, untrained
from .repetitions import optima

FALLING = 0.02  # relative fall of the loss over the last tenth of the epochs that is not yet the end
GAP = (1.1, 1.25)  # validation error beside the training error: a note, a warning
LESS = (0.1, 0.2)  # minus twice the log-likelihood of a row at validation rows beyond that of the fit: a note, a warning
MOST_VALIDATED = 2000  # rows of either kind that are compared


def not_converged(fitted: Fitted) -> Iterator[Finding]:
    """Repetitions that no stopping rule ended, by what ended them."""
    fit = fitted.fit
    if untrained(fitted):
        yield Finding("note", "not converged", "epochs=0: these are start weights", "epochs=")
        return
    for status in np.unique(fit.status[~fit.converged]):
        numbers = np.flatnonzero((fit.status == status) & ~fit.converged)
        words = f"{STATUS[int(status)]} after {int(fit.steps[numbers].max()):,} steps"
        severity, remedy = "warning", _UNCONVERGED.get(int(status), "")
        if status == batches.EPOCHS_DONE:
            words, severity, remedy = _epochs_done(fitted, numbers)
        elif np.isfinite(fit.reached[numbers]).any():
            words += f", largest partial derivative {np.nanmax(fit.reached[numbers]):.3g}"
        yield Finding(severity, "not converged", joined(repetitions(fitted, numbers), words), remedy)


_UNCONVERGED = {
    cpu.STEPMAX: "algorithm='lm' or 'lbfgs', standardize=True, a larger stepmax, or a larger threshold",
    cpu.NONFINITE: "a smaller learning rate, standardize=True, or a penalty",
    cpu.INTERRUPTED: "fit.update() goes on from here",
    cpu.STALLED: "a penalty (the optimum may lie at infinity, or be flat), standardize=True, or a larger threshold",
}


def _epochs_done(fitted: Fitted, numbers: np.ndarray) -> tuple[str, str, str]:
    """How the loss still fell when the epochs ran out."""
    record = fitted.fit.history
    words, remedy = "all epochs done", "more epochs, or early_stopping= with validation="
    if record is None or "loss" not in record.columns:
        return words, "note", remedy
    at = record.columns.index("loss")
    falls = []
    for b in numbers:
        loss = record.values[b, : record.epochs[b], at]
        last = max(1, loss.size // 10)
        if loss.size > 2 * last and np.isfinite(loss).all():
            falls.append(1 - loss[-last:].mean() / loss[-2 * last : -last].mean())
    if falls and max(falls) > FALLING:
        return (
            f"{words}, the loss still falls ({100 * max(falls):.2g} % over the last tenth of them)",
            "warning",
            remedy,
        )
    return f"{words} ({int(record.epochs[numbers].max()):,})", "note", remedy


def single_optimum(fitted: Fitted) -> Iterator[Finding]:
    """The best optimum was seen once."""
    if fitted.settings.minibatch or len(fitted.network.table) == 1:
        return
    done = fitted.fit.converged
    if fitted.nrep == 1 or done.sum() < 2:
        text = "one repetition" if fitted.nrep == 1 else f"{int(done.sum())} of {fitted.nrep} repetitions converged"
        yield Finding("note", "single optimum", f"{text}: there is no other optimum to compare with", "rep=")
        return
    found = optima(fitted)[done]
    if np.sum(found == found.min()) == 1:
        where = (
            f"repetition {fitted.best + 1}: the best of {np.unique(found).size} optima was seen once in {fitted.nrep}"
        )
        yield Finding("warning", "single optimum", where, "more repetitions (rep=) may find a better one")


def overfit(fitted: Fitted) -> Iterator[Finding]:
    """Validation rows are fitted worse than the rows of the fit, beyond chance; or their loss rose again."""
    rows = fitted.procedure.validation
    if rows is None or untrained(fitted) or lost(fitted)[fitted.best]:
        return
    remedy = "early_stopping=EarlyStopping(patience), a penalty, Dropout, fewer units, or more data"
    risen = _risen(fitted)
    if fitted.family is not None:
        ours, theirs = _each(fitted, rows)
        if fitted.network.objective.several:
            yield from _less_likely(ours, theirs, remedy)
            return
        ratio = theirs.mean() / ours.mean() if ours.mean() > 0 else np.inf
        noise = np.sqrt(np.var(ours) / ours.size + np.var(theirs) / theirs.size)
        if ratio > GAP[0] and theirs.mean() - ours.mean() > 3 * noise:
            where = f"mean deviance {theirs.mean():.4g} at validation rows, {ours.mean():.4g} at those of the fit"
            yield Finding("warning" if ratio > GAP[1] else "note", "overfit", where, remedy)
            return
    if risen is not None:
        epoch, ratio = risen
        where = f"the validation loss was least after epoch {epoch}, and is {100 * (ratio - 1):.2g} % higher at the end"
        yield Finding("warning", "overfit", where, remedy)


def _less_likely(ours: np.ndarray, theirs: np.ndarray, remedy: str) -> Iterator[Finding]:
    """Whether minus twice the log-likelihood is larger at validation rows, beyond chance."""
    gap = theirs.mean() - ours.mean()
    noise = np.sqrt(np.var(ours) / ours.size + np.var(theirs) / theirs.size)
    if gap > max(3 * noise, LESS[0]):
        where = f"minus twice the log-likelihood is {gap:.4g} larger for a validation row than for one of the fit"
        yield Finding("warning" if gap > LESS[1] else "note", "overfit", where, remedy)


def _risen(fitted: Fitted) -> tuple[int, float] | None:
    """Epoch of the least validation loss and the last loss beside it, where that is a fourth higher."""
    record, b = fitted.fit.history, fitted.best
    if record is None or "val_loss" not in record.columns or record.best_epoch[b] or record.epochs[b] < 3:
        return None
    loss = record.values[b, : record.epochs[b], record.columns.index("val_loss")]
    least = int(np.argmin(loss))
    ratio = float(np.mean(loss[-3:]) / loss[least]) if loss[least] > 0 else 1.0
    return (least + 1, ratio) if ratio > GAP[1] else None


def _each(fitted: Fitted, rows: Any) -> tuple[np.ndarray, np.ndarray]:
    """Deviance of single rows of the fit and of validation, as the weights are now, in the internal units."""
    family, design, network = fitted.likely, fitted.design, fitted.network

    def deviances(x: np.ndarray, y: np.ndarray, offset: np.ndarray | None) -> np.ndarray:
        raw = fitted.raw(np.ascontiguousarray(x, dtype=float), offset, [fitted.best])[0]
        if network.objective.several:
            return 2 * derivatives.predictor_losses(network, raw, y)[0]
        return np.sum(family.unit_deviance(y, network.objective.response(raw)), axis=0)

    data = rows.data
    every, step = -(-rows.inputs.shape[0] // MOST_VALIDATED), -(-fitted.n_rows // MOST_VALIDATED)
    offset = np.ascontiguousarray(data.offset[:, ::every], float) if data.offset.shape[1] else None
    own = None if design.offset is None else np.ascontiguousarray(design.offset[:, ::step])
    used = fitted.case_weights[::step] > 0
    ours = deviances(design.x[:, ::step], design.y[:, ::step], own)[used]
    return ours, deviances(rows.inputs[::every].T, data.y[0][:, ::every].astype(float), offset)
