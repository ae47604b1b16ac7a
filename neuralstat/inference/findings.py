"""What can be wrong with how a fit went: diverged, collapsed, not converged, one optimum, overfit.

A finding is a function ``(fitted) -> iterable of Finding``; `diagnose.CHECKS` is the list of all. Shares of the null error
come from the errors that training ended with, so that looking at them costs no pass through the data.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

import numpy as np

from ..engine import batches, cpu
from ..errors import DataError
from ..families import Multinomial
from ..families.null import null_means
from ..fitted import Fitted, kept
from ..network import derivatives
from ..training.exact import ALGORITHM as EXACTLY
from ..training.fit import STATUS
from .repetitions import optima
from .units import idle_units

SEVERITIES = ("error", "warning", "note")
WORSE = 0.05  # share of the null error by which a fit must exceed it to count as worse than constants
CONSTANT = 0.01  # n times the share explained: what twice the log-likelihood gains, below which fitted values are constant
LINEAR = 0.1  # of what a linear model explains
MOST_LINEAR = 2e8  # products of the linear model that collapsed fits are compared with
LISTED = 6  # names that a sentence lists
FALLING = 0.02  # relative fall of the loss over the last tenth of the epochs that is not yet the end
GAP = (1.1, 1.25)  # validation error beside the training error: a note, a warning
MOST_VALIDATED = 2000  # rows of either kind that are compared


@dataclass(frozen=True)
class Finding:
    """Something about a fit that its user must know.

    Attributes
    ----------
    severity : {"error", "warning", "note"}
        The fit is not what was asked for; something in it may not be trusted; good to know.
    finding : str
        One of `diagnose.FINDINGS`.
    where : str
        Units, columns, repetitions, and the figures behind it.
    remedy : str
        What to do.
    """

    severity: str
    finding: str
    where: str
    remedy: str


def listed(names: Any, most: int = LISTED) -> str:
    """``"a, b, c"``; of more than `most` names the first, and how many more there are."""
    names = [str(name) for name in names]
    more = f" and {len(names) - most} more" if len(names) > most else ""
    return ", ".join(names[:most]) + more


def repetitions(fitted: Fitted, numbers: Any) -> str:
    """``"repetition 2"``, ``"repetitions 1, 4"`` of numbers from 0; nothing where there is one."""
    numbers = [int(b) + 1 for b in numbers]
    if fitted.nrep == 1 or not numbers:
        return ""
    return f"repetition{'s' if len(numbers) > 1 else ''} {listed(numbers)}"


def joined(*parts: str) -> str:
    """The parts that are not empty, with colons between."""
    return ": ".join(part for part in parts if part)


def untrained(fitted: Fitted) -> bool:
    """Whether start weights were asked for as a fit."""
    return fitted.settings.minibatch and fitted.settings.epochs == 0


# shares of the null error ----------------------------------------------------------------------------------


@kept
def explained(fitted: Fitted) -> np.ndarray:
    """(B,) share of the error of constants alone that each repetition takes away; NaN where it is not known.

    Of deviances where there is a family (of squares: R^2), else of the error. Negative where constants do better.
    """
    null = null_error(fitted)
    with np.errstate(divide="ignore", invalid="ignore"):
        return 1 - _errors(fitted) / null if null > 0 else np.full(fitted.nrep, np.nan)


def _errors(fitted: Fitted) -> np.ndarray:
    """(B,) errors at the end without their penalties, internal units."""
    objective, design = fitted.network.objective, fitted.design
    if objective.name == "ce_r":  # R's shortcut is no likelihood
        means = (objective.response(raw) for raw in fitted.fitted_raw(range(fitted.nrep)))
        return np.array([fitted.likely.deviance(design.y, mu, fitted.case_weights) / 2 for mu in means])
    loss = fitted.fit.loss.astype(float)
    coefficients = fitted.penalty_coefficients
    if coefficients is None:
        return loss
    moving = fitted.network.is_moving
    return loss - [derivatives.penalty_value(coefficients[~moving], t[~moving]) for t in fitted.fit.theta.astype(float)]


@kept
def null_error(fitted: Fitted) -> float:
    """Error of the model that has constants (and the offset) only, internal units; NaN where it is not known."""
    family, design, w = fitted.family, fitted.design, fitted.case_weights
    if family is None:
        return _constant_error(fitted)
    try:
        if design.offset is None:  # the same means at all rows
            return family.deviance(design.y, null_means(family, design.y, w, None)[:, :1], w) / 2
        return family.deviance(design.y, null_means(family, design.y, w, design.offset), w) / 2
    except DataError:  # an offset that the link cannot take
        return np.nan


def _constant_error(fitted: Fitted) -> float:
    """Least error of a user's function at the mean and at the median of the responses (linear outputs)."""
    network, design = fitted.network, fitted.design
    if network.objective.output.name != "identity" or not network.dense:
        return np.nan
    errors = []
    for centre in (design.y.mean(axis=1), np.median(design.y, axis=1)):
        theta = np.zeros(network.n_params)
        theta[output_biases(fitted)] = centre
        errors.append(derivatives.error(network, fitted.data, theta))
    return min(errors)


def output_biases(fitted: Fitted) -> np.ndarray:
    """(K,) places of the outputs' constants in the flat vector."""
    per_unit, units = fitted.network.shapes[-1]
    return fitted.network.n_params - per_unit * units + per_unit * np.arange(units)


def has_constants(fitted: Fitted) -> bool:
    """Whether every output has a constant that was trained, so that constants alone are a smaller model."""
    return bool(fitted.fit.free[0][output_biases(fitted)].all())


def output_shares(fitted: Fitted, b: int) -> np.ndarray:
    """(K,) share of the null deviance that repetition b explains of each output."""
    family, design, w = fitted.likely, fitted.design, fitted.case_weights
    null = family.unit_deviance(design.y, null_means(family, design.y, w, design.offset)) @ w
    raw = fitted.fitted_raw([b])[0]
    with np.errstate(divide="ignore", invalid="ignore", over="ignore"):
        return 1 - family.unit_deviance(design.y, fitted.network.objective.response(raw)) @ w / null


# diverged --------------------------------------------------------------------------------------------------


def lost(fitted: Fitted) -> np.ndarray:
    """(B,) bool: weights or error not finite, or worse than constants."""
    fit = fitted.fit
    infinite = ~np.isfinite(fit.theta).all(axis=1) | ~np.isfinite(fit.loss) | (fit.status == cpu.NONFINITE)
    if fit.algorithm == EXACTLY and has_constants(fitted) and fitted.penalty_coefficients is None:
        return infinite  # no need to look: constants are among what was minimised over
    with np.errstate(invalid="ignore"):
        return infinite | (explained(fitted) < -WORSE)


def diverged(fitted: Fitted) -> Iterator[Finding]:
    """Weights that are not finite, or a fit that is worse than its constants alone."""
    bad = np.flatnonzero(lost(fitted))
    if not bad.size or untrained(fitted):
        return
    share, fit = explained(fitted)[bad], fitted.fit
    infinite = ~np.isfinite(share) | ~np.isfinite(fit.theta[bad]).all(axis=1)
    figures = "weights or error not finite" if infinite.any() else ""
    if not infinite.all():
        figures = joined(figures, f"worse than constants alone (share of the null error explained: {share.min():.4g})")
    used = fitted.best in bad or bool(fit.finished[bad].any())  # predictions are of finished repetitions
    severity = "error" if used and (has_constants(fitted) or infinite.any()) else "warning"
    yield Finding(severity, "diverged", joined(repetitions(fitted, bad), figures), _remedy_diverged(fitted))


def _remedy_diverged(fitted: Fitted) -> str:
    remedies = []
    if large_columns(fitted):
        remedies.append("standardize=True")
    if fitted.penalty_coefficients is not None and fitted.network.is_bias[output_biases(fitted)].any():
        remedies.append("a smaller penalty, or one with biases=False")
    if fitted.settings.minibatch:
        remedies.append("a smaller learning rate, clipnorm=, more epochs")
    remedies.append("more steps (stepmax=) or algorithm='lm'" if not fitted.settings.minibatch else "another start (init=)")
    return ", or ".join(remedies)


def large_columns(fitted: Fitted) -> list[str]:
    """Tabular covariates that lie far from 0 or spread wide in the units that the network sees; and such responses."""
    x, names = tabular(fitted)
    with np.errstate(invalid="ignore"):
        far = np.abs(x).mean(axis=1) > 5 if x.size else np.zeros(0, bool)
    found = [name for name, f in zip(names, far, strict=True) if f]
    family = fitted.family
    if family is not None and family.name == "gaussian" and np.any(np.abs(fitted.design.y).mean(axis=1) > 10):
        found.append(fitted.design.response)
    return found


def tabular(fitted: Fitted) -> tuple[np.ndarray, tuple[str, ...]]:
    """Covariates (D', n) that are no elements of arrays, in internal units, and their names."""
    design = fitted.design
    first = sum(tensor.size for tensor in design.spec.tensors)
    return design.x[first:], tuple(design.x_names[first:])


# collapsed -------------------------------------------------------------------------------------------------


def collapsed(fitted: Fitted) -> Iterator[Finding]:
    """Fitted values that do not vary, or hardly explain anything of what a linear model explains."""
    if untrained(fitted) or (fitted.fit.algorithm == EXACTLY and fitted.converged):
        return
    suspects = np.flatnonzero(~lost(fitted) & (explained(fitted) < _suspicious(fitted)))
    for b in _worth_looking(fitted, suspects):
        yield from _collapse(fitted, b, suspects)
        return
    yield from _outputs_collapsed(fitted)


def _suspicious(fitted: Fitted) -> float:
    """Share explained below which it is worth asking what a linear model explains."""
    return LINEAR if fitted.network.dense else 1e-3


def _worth_looking(fitted: Fitted, suspects: np.ndarray) -> list[int]:
    """The best of the suspects that explain too little, if there are any."""
    share = explained(fitted)
    guilty = [int(b) for b in suspects if _too_little(fitted, float(share[b]), int(b))]
    return [max(guilty, key=lambda b: (b == fitted.best, share[b]))] if guilty else []


def _too_little(fitted: Fitted, share: float, b: int) -> bool:
    if len(fitted.network.table) == 1 and fitted.fit.converged[b] and fitted.penalty_coefficients is None:
        return False  # there is one optimum, and it was reached
    return share * fitted.nobs < CONSTANT or share < LINEAR * linear_share(fitted)


@kept
def linear_share(fitted: Fitted) -> float:
    """Share of the variation that a linear model in the covariates explains, less what it would of noise.

    0 where that is not significant, and where the model would cost too much. By the score test: one step of Fisher scoring
    from constants, of all families.
    """
    family, design, x = fitted.family, fitted.design, fitted.design.x
    used = np.flatnonzero(fitted.case_weights > 0)
    d, n = x.shape[0], used.size
    if family is None or n < 3 or float(d) ** 2 * min(n, 2 * d + 1000) > MOST_LINEAR:
        return 0.0
    most = int(MOST_LINEAR / max(d, 1) ** 2)
    used = used[:: -(-n // most)]
    n, w = used.size, fitted.case_weights[used]
    if n < d + 3:
        return 0.0
    mu = null_means(family, design.y, fitted.case_weights, design.offset)[:, used]
    with np.errstate(divide="ignore", invalid="ignore"):
        root = np.sqrt(w / family.variance(mu))
    z = x[:, used] - x[:, used].mean(axis=1, keepdims=True)
    size = np.linalg.norm(z, axis=1, keepdims=True)
    z /= np.where(size > 0, size, 1.0)
    total = gain = 0.0
    for k in range(design.y.shape[0]):
        if not np.isfinite(root[k]).all():
            continue
        a = np.vstack([np.ones((1, n)), z]) * root[k]
        r = (design.y[k, used] - mu[k]) * root[k]
        total, gain = total + float(r @ r), gain + float((a @ r) @ np.linalg.pinv(a @ a.T, 1e-12, hermitian=True) @ (a @ r))
    if not total > 0:
        return 0.0
    share = gain / total
    chance = (d + 4 * np.sqrt(2.0 * d) + 8) / n  # far in the tail of chi2 on d degrees of freedom
    return share - d / n if share > chance else 0.0


def _collapse(fitted: Fitted, b: int, suspects: np.ndarray) -> Iterator[Finding]:
    share, linear = float(explained(fitted)[b]), linear_share(fitted)
    guilty = [int(r) for r in suspects if _too_little(fitted, float(explained(fitted)[r]), int(r))]
    saturated = [unit for unit, problem, _ in idle_units(fitted, b) if problem == "saturated"]
    figures = (
        "fitted values are constant" if share * fitted.nobs < CONSTANT else f"explains {100 * share:.2g} % of the null error"
    )
    if linear > 0:
        figures += f", where a linear model explains {100 * linear:.2g} %"
    if saturated:
        figures += f"; saturated: {listed(saturated)}"
    penalised = fitted.penalty_coefficients is not None
    severity = "error" if b == fitted.best else "warning"
    if not linear and penalised and not saturated:
        severity = "note"  # a penalty rightly shrinks noise to nothing
    where = joined(repetitions(fitted, guilty), figures)
    yield Finding(severity, "collapsed", where, _remedy_collapsed(fitted, b, bool(saturated)))


def _remedy_collapsed(fitted: Fitted, b: int, saturated: bool) -> str:
    remedies = []
    large = large_columns(fitted)
    if large:
        remedies.append(f"standardize=True ({listed(large)} in raw units)")
    if fitted.penalty_coefficients is not None:
        remedies.append("a smaller penalty")
    if not fitted.fit.converged[b]:
        remedies.append("more epochs or a larger learning rate" if fitted.settings.minibatch else "more steps (stepmax=)")
    elif not large or saturated:
        remedies.append("other or smaller start weights (random_state=, init='glorot'), more repetitions (rep=)")
    return ", or ".join(remedies)


def _outputs_collapsed(fitted: Fitted) -> Iterator[Finding]:
    """Of several outputs, those whose fitted values are constant while others are fitted."""
    family = fitted.family
    if family is None or isinstance(family, Multinomial) or fitted.network.n_outputs == 1 or not fitted.network.dense:
        return
    if not np.isfinite(explained(fitted)[fitted.best]) or len(fitted.network.table) == 1:
        return
    share = output_shares(fitted, fitted.best)
    with np.errstate(invalid="ignore"):
        worse, flat = share < -WORSE, np.abs(share) * fitted.nobs < CONSTANT
    names = np.array(fitted.design.y_names)
    for found, which, figures in (("diverged", worse, "worse than a constant"), ("collapsed", flat, "constant")):
        if which.any() and not lost(fitted)[fitted.best]:
            where = f"output {listed(names[which])}: {figures}, while other outputs are fitted"
            remedy = "standardize=True, so that outputs of different units count alike, or a fit for each output"
            yield Finding("error", found, where, remedy)


# not converged, one optimum --------------------------------------------------------------------------------


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
        return f"{words}, the loss still falls ({100 * max(falls):.2g} % over the last tenth of them)", "warning", remedy
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
        where = f"repetition {fitted.best + 1}: the best of {np.unique(found).size} optima was seen once in {fitted.nrep}"
        yield Finding("warning", "single optimum", where, "more repetitions (rep=) may find a better one")


# overfit ---------------------------------------------------------------------------------------------------


def overfit(fitted: Fitted) -> Iterator[Finding]:
    """Validation rows are fitted worse than the rows of the fit, beyond chance; or their loss rose again."""
    rows = fitted.procedure.validation
    if rows is None or untrained(fitted) or lost(fitted)[fitted.best]:
        return
    remedy = "early_stopping=EarlyStopping(patience), a penalty, Dropout, fewer units, or more data"
    risen = _risen(fitted)
    if fitted.family is not None:
        ours, theirs = _each(fitted, rows)
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
        return np.sum(family.unit_deviance(y, network.objective.response(raw)), axis=0)

    data = rows.data
    every, step = -(-rows.inputs.shape[0] // MOST_VALIDATED), -(-fitted.nobs // MOST_VALIDATED)
    offset = np.ascontiguousarray(data.offset[:, ::every], float) if data.offset.shape[1] else None
    own = None if design.offset is None else np.ascontiguousarray(design.offset[:, ::step])
    used = fitted.case_weights[::step] > 0
    ours = deviances(design.x[:, ::step], design.y[:, ::step], own)[used]
    return ours, deviances(rows.inputs[::every].T, data.y[0][:, ::every].astype(float), offset)
