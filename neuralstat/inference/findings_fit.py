"""Fits that came to nothing: diverged, worse than constants, collapsed to constants."""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np

from ..engine import cpu
from ..families import Distribution, Distributional, Gaussian, Multinomial, Survival
from ..families.null import null_means
from ..fitted import Fitted, kept
from ..functions.penalties import DECAY, ELIMINATION, L1
from ..network import blocks
from .findings import (
    WORSE,
    Finding,
    exactly,
    explained,
    has_constants,
    infinite,
    joined,
    large_columns,
    listed,
    lost,
    null_error,
    output_biases,
    repetitions,
    untrained,
)  # fmt: skip
from .units import idle_units

# n times the share explained, which is what twice the log-likelihood gains, below which fitted values count as constant
CONSTANT = 0.01
LINEAR = 0.1  # of what a linear model explains
FLAT = 0.01  # spread of fitted values beside that of the response
LOOKED = 2000  # rows that this is judged by
MOST_LINEAR = 2e8  # products of the linear model that collapsed fits are compared with


def diverged(fitted: Fitted) -> Iterator[Finding]:
    """Weights that are not finite, or a fit that is worse than its constants alone."""
    bad = np.flatnonzero(lost(fitted))
    if not bad.size or untrained(fitted):
        return
    gone = infinite(fitted)[bad]
    figures = "weights, error or gradient not finite" if gone.any() else ""
    if not gone.all():
        what = "R^2" if isinstance(fitted.family, Gaussian) else "share of the null error explained"
        worst = f"worse than the intercept alone ({what} = {explained(fitted)[bad[~gone]].min():.4g})"
        figures = joined(figures, worst)
    used = fitted.best in bad or bool(fitted.fit.finished[bad].any())  # predictions are of finished repetitions
    severity = "error" if used and (has_constants(fitted) or gone.any()) else "warning"
    yield Finding(severity, "diverged", joined(repetitions(fitted, bad), figures), _remedy_diverged(fitted))


def as_recorded(fitted: Fitted) -> Iterator[Finding]:
    """`diverged`, by the weights and by the loss that training recorded of the last epoch, without a pass over the rows."""
    fit, record = fitted.fit, fitted.fit.history
    gone = ~np.isfinite(fit.theta).all(axis=1) | (fit.status == cpu.NONFINITE)
    if gone.any():
        where = joined(repetitions(fitted, np.flatnonzero(gone)), "weights, error or gradient not finite")
        yield Finding("error", "diverged", where, _remedy_diverged(fitted))
    elif record is not None and has_constants(fitted) and not fitted.penalised and not fitted.network.objective.several:
        at, null = record.columns.index("loss"), null_error(fitted)
        last = np.array([record.values[b, n - 1, at] if n > 1 else 0.0 for b, n in enumerate(record.epochs)])
        last /= fitted.network.as_in_keras
        bad = np.flatnonzero((last * fitted.n_rows > (1 + WORSE) * null) & (null > 0))
        if bad.size:
            where = joined(repetitions(fitted, bad), "the loss of the last epoch is worse than that of the intercept alone")
            yield Finding("error", "diverged", where, _remedy_diverged(fitted))


def _remedy_diverged(fitted: Fitted) -> str:
    remedies = []
    if large_columns(fitted):
        remedies.append("standardize=True")
    penalty = fitted.penalty_of(fitted.best)
    if penalty is not None and penalty[output_biases(fitted)][:, [DECAY, ELIMINATION, L1]].any():
        remedies.append("a smaller penalty, or one with biases=False")
    if fitted.settings.minibatch:
        remedies.append("a smaller learning rate, clipnorm=, more epochs")
    remedies.append(
        "more steps (stepmax=) or algorithm='lm'" if not fitted.settings.minibatch else "another start (init=)"
    )
    return ", or ".join(remedies)


def output_shares(fitted: Fitted, b: int) -> np.ndarray:
    """(K,) share of the null deviance that repetition b explains of each output."""
    family, design, w = fitted.likely, fitted.design, fitted.case_weights
    null = family.unit_deviance(design.y, null_means(family, design.y, w, design.offset)) @ w
    raw = fitted.fitted_raw([b])[0]
    with np.errstate(divide="ignore", invalid="ignore", over="ignore"):
        return 1 - family.unit_deviance(design.y, fitted.network.objective.response(raw)) @ w / null


def collapsed(fitted: Fitted) -> Iterator[Finding]:
    """Fitted values that do not vary, or hardly explain anything of what a linear model explains."""
    if untrained(fitted) or (exactly(fitted) and fitted.converged):
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
    if len(fitted.network.table) == 1 and fitted.fit.converged[b] and not fitted.penalised:
        return False  # there is one optimum, and it was reached
    return share * fitted.nobs < CONSTANT or share < LINEAR * linear_share(fitted)


@kept
def linear_share(fitted: Fitted) -> float:
    """Share of the variation of all outputs that a linear model in the covariates explains, less what it would of noise.

    0 where that is not significant, and where the model would cost too much. By the score test: one step of Fisher scoring
    from constants, of all families.
    """
    gain, total, rows = _linear(fitted)
    return _significant(float(gain.sum()), float(total.sum()), fitted.design.x.shape[0], rows)


def linear_shares(fitted: Fitted) -> np.ndarray:
    """(K,) `linear_share` of each output."""
    gain, total, rows = _linear(fitted)
    d = fitted.design.x.shape[0]
    return np.array([_significant(g, t, d, rows) for g, t in zip(gain, total, strict=True)])


def _significant(gain: float, total: float, d: int, rows: int) -> float:
    """gain / total less its expectation under noise; 0 unless it is far in the tail of chi2 on d degrees of freedom."""
    if not total > 0 or rows < d + 3:
        return 0.0
    share = gain / total
    return share - d / rows if share > (d + 4 * np.sqrt(2.0 * d) + 8) / rows else 0.0


@kept
def _linear(fitted: Fitted) -> tuple[np.ndarray, np.ndarray, int]:
    """What a linear model takes of the squared Pearson residuals of constants, these (both (K,)), and the rows looked at."""
    family, design, x = fitted.family, fitted.design, fitted.design.x
    used = np.flatnonzero(fitted.case_weights > 0)
    d, k = x.shape[0], design.y.shape[0]
    gain, total = np.zeros(k), np.zeros(k)
    most = int(MOST_LINEAR / max(d, 1) ** 2)
    if family is None or most < d + 1000:
        return gain, total, 0
    used = used[:: max(1, -(-used.size // most))]
    if isinstance(family, Survival | Distribution):  # no variance that is known, or not of all rows
        return gain, total, 0
    if isinstance(family, Distributional):
        mean = design.y @ fitted.case_weights / fitted.case_weights.sum()
        spread = np.square(design.y - mean[:, np.newaxis]) @ fitted.case_weights / fitted.case_weights.sum()
        mu = np.broadcast_to(mean[:, np.newaxis], design.y.shape)[:, used]
    else:
        mu = null_means(family, design.y, fitted.case_weights, design.offset)[:, used]
    z = x[:, used] - x[:, used].mean(axis=1, keepdims=True)
    size = np.linalg.norm(z, axis=1, keepdims=True)
    z /= np.where(size > 0, size, 1.0)
    with np.errstate(divide="ignore", invalid="ignore"):
        variance = spread[:, np.newaxis] if isinstance(family, Distributional) else family.variance(mu)
        root = np.sqrt(fitted.case_weights[used] / variance)
    for j in range(k):
        if np.isfinite(root[j]).all():
            r = (design.y[j, used] - mu[j]) * root[j]
            square, pull = np.zeros((d + 1, d + 1)), np.zeros(d + 1)
            for part in blocks.parts(used.size, 1, d + 1):
                a = np.vstack([np.ones((1, part.stop - part.start)), z[:, part]]) * root[j, part]
                square += a @ a.T
                pull += a @ r[part]
            total[j], gain[j] = r @ r, pull @ np.linalg.pinv(square, 1e-12, hermitian=True) @ pull
    return gain, total, used.size


def _collapse(fitted: Fitted, b: int, suspects: np.ndarray) -> Iterator[Finding]:
    share, linear = float(explained(fitted)[b]), linear_share(fitted)
    guilty = [int(r) for r in suspects if _too_little(fitted, float(explained(fitted)[r]), int(r))]
    saturated = [unit for unit, problem, _ in idle_units(fitted, b) if problem == "saturated"]
    figures = f"explains {100 * share:.2g} % of the null error"
    if share * fitted.nobs < CONSTANT:
        figures = "fitted values are constant" if _flat(fitted, b) else "no better than the intercept alone"
    if linear > 0:
        figures += f", where a linear model explains {100 * linear:.2g} %"
    if saturated:
        figures += f"; saturated: {listed(saturated)}"
    used = np.flatnonzero(fitted.fit.finished)  # predictions are means over these
    severity = "error" if b == fitted.best or 2 * np.isin(used, guilty).sum() >= max(used.size, 1) else "warning"
    if fitted.penalised and not linear and not large_columns(fitted):
        severity = "note"  # a penalty rightly shrinks noise to nothing
    where = joined(repetitions(fitted, guilty), figures)
    yield Finding(severity, "collapsed", where, _remedy_collapsed(fitted, b, bool(saturated)))


def _flat(fitted: Fitted, b: int) -> bool:
    """Whether fitted values hardly vary, beside the response."""
    some = slice(None, None, -(-fitted.n_rows // LOOKED))
    offset = None if fitted.design.offset is None else np.ascontiguousarray(fitted.design.offset[:, some])
    raw = fitted.raw(fitted.design.x[:, some], offset, [b])[0]
    if offset is not None and fitted.network.objective.of_predictor:
        raw = raw - offset
    y = fitted.observed if isinstance(fitted.family, Survival) else fitted.design.y
    spread, response = fitted.network.objective.response(raw).std(axis=1), y[:, some].std(axis=1)
    return bool(np.all(spread <= FLAT * np.where(response > 0, response, 1.0)))


def _remedy_collapsed(fitted: Fitted, b: int, saturated: bool) -> str:
    remedies = []
    large = large_columns(fitted)
    if large:
        remedies.append(f"standardize=True ({listed(large)} in raw units)")
    if fitted.penalised:
        remedies.append("a smaller penalty")
    if not fitted.fit.converged[b]:
        remedies.append(
            "more epochs or a larger learning rate" if fitted.settings.minibatch else "more steps (stepmax=)"
        )
    elif not large or saturated:
        remedies.append("other or smaller start weights (random_state=, init='glorot'), more repetitions (rep=)")
    return ", or ".join(remedies)


def _outputs_collapsed(fitted: Fitted) -> Iterator[Finding]:
    """Of several outputs, those whose fitted values are constant while others are fitted."""
    family = fitted.family
    several = isinstance(family, Multinomial | Distributional)
    if family is None or several or fitted.network.n_outputs == 1 or not fitted.network.dense:
        return
    if lost(fitted)[fitted.best] or len(fitted.network.table) == 1:
        return
    share = output_shares(fitted, fitted.best)
    if not np.any(share < LINEAR):
        return
    worse = share < -WORSE
    flat = ~worse & ((share * fitted.nobs < CONSTANT) | (share < LINEAR * linear_shares(fitted)))
    names = np.array(fitted.design.y_names)
    for found, which, figures in (
        ("diverged", worse, "worse than a constant"),
        ("collapsed", flat, "hardly explained"),
    ):
        if which.any():
            where = f"output {listed(names[which])}: {figures}, while other outputs are fitted"
            remedy = "standardize=True, so that outputs of different units count alike, or a fit for each output"
            yield Finding("error", found, where, remedy)
