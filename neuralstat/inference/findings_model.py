"""What a fit says that may not be trusted: idle units, no degrees of freedom left, separation, overdispersion."""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np

from ..df import found, local
from ..errors import DfError
from ..families import Binomial, Multinomial, NegativeBinomial, Poisson
from ..fitted import Fitted, kept
from ..layers import codes
from ..likelihood.separation import separated
from ..network import blocks, derivatives
from .findings import Finding, exactly, infinite, joined, large_columns, listed, lost, untrained
from .units import idle_units

NO_DF = 0.95  # share of the observed values that degrees of freedom must not use up
MUCH_DF = (1 / 2, 2 / 3)  # of it: a note, a warning
MOST_WORK = 3e8  # operations spent on degrees of freedom here
FEW = 0.02  # weights beside observed values of which it does not matter whether they are degrees of freedom
RATIO = (1.2, 1.5)  # chi2 / df: a note, a warning
BEYOND = 4.0  # standard errors of chi2
FAR = 4.0  # linear predictors this far from the middle are worth a look for separation
ROUNDED = 1e-9  # distance of a mean from its end that counts as none
MOVES = 0.05  # change of a linear predictor by a further step, at an optimum 0, near infinity about 1
AT_ONCE, MOST_CONSTRAINTS = 5e5, 2e7  # numbers of a linear programme of about a second; and of one of a minute
MOST_STEP = 3e9  # operations of a step of Fisher scoring here


# units -----------------------------------------------------------------------------------------------------


def units(fitted: Fitted) -> Iterator[Finding]:
    """Hidden units of the best repetition that bring nothing, or nothing of their own."""
    b = fitted.best
    if untrained(fitted) or infinite(fitted)[b]:
        return
    idle = idle_units(fitted, b)
    penalised = fitted.penalised
    severity = "note" if penalised else "warning"  # a penalty may well want fewer units
    scale = "standardize=True, or " if large_columns(fitted) else ""
    for problem, finding, words, consequence in _PROBLEMS:
        those = [unit if not other else f"{unit} (of {other})" for unit, what, other in idle if what == problem]
        if those:
            remedy = (
                f"{scale if problem == 'saturated' else ''}fewer units (hidden=){'' if penalised else ', or a penalty'}"
            )
            yield Finding(severity, finding, joined(listed(those), words), f"{remedy}: {consequence}")


_PROBLEMS = (
    ("saturated", "saturated unit", "constant over the data", "the weights into it are not determined"),
    ("redundant", "saturated unit", "the weights out of it are 0", "the weights into it are not determined"),
    ("duplicate", "duplicate unit", "", "only the sum of the weights out of them is determined"),
)  # fmt: skip


# degrees of freedom ----------------------------------------------------------------------------------------


def observed(fitted: Fitted) -> float:
    """Values that a fit could interpolate: of a multinomial row all but one of its classes."""
    free = fitted.network.n_outputs - 1 if isinstance(fitted.family, Multinomial) else 1
    return fitted.n_values * free


@kept
def affordable_df(fitted: Fitted) -> float | None:
    """Degrees of freedom of the best repetition ("jacobian"), where they cost little; else None."""
    try:
        if local.jacobian_work(fitted, int(local.active(fitted, fitted.best).sum()))[1] > MOST_WORK:
            return None
        return float(found(fitted, "jacobian"))
    except DfError:
        return None


def near_n(fitted: Fitted) -> Iterator[Finding]:
    """Degrees of freedom that leave few for the residuals."""
    m, k = observed(fitted), fitted.k_identified
    if k <= MUCH_DF[0] * m or untrained(fitted) or lost(fitted)[fitted.best]:
        return
    fewer = "fewer units (hidden=), a penalty (ns.decay), or more data"
    if fitted.settings.minibatch:
        if k >= m:
            words = f"{k:,} weights for {m:,} observed values; degrees of freedom depend on when training stopped"
            yield Finding(
                "note", "df near n", words, "validation= shows what the fit is worth; df('gdf') counts by refits"
            )
        return
    df = affordable_df(fitted)
    if df is None:
        if k >= NO_DF * m:
            words = f"{k:,} weights for {m:,} observed values (their degrees of freedom take long: fit.df())"
            yield Finding("warning", "df near n", words, fewer)
        return
    share = df / m
    severity = "error" if share >= NO_DF else "warning" if share > MUCH_DF[1] else "note"
    if share > MUCH_DF[0]:
        words = f"df = {df:.4g} of {m:,} observed values ({k:,} weights)"
        if severity == "error":
            words += ", so that nothing is left for the residuals: scale, criteria and standard errors mean nothing"
        yield Finding(severity, "df near n", words, fewer)


# separation ------------------------------------------------------------------------------------------------


def separation(fitted: Fitted) -> Iterator[Finding]:
    """Estimates that are infinite, since covariates (or the units of the last hidden layer) tell responses apart.

    Where what decides takes long, whether the fit looks as if.
    """
    yield from _separation(fitted, AT_ONCE)


def separation_in_large(fitted: Fitted) -> Iterator[Finding]:
    """`separation`, decided in larger fits, too."""
    yield from _separation(fitted, MOST_CONSTRAINTS)


def _separation(fitted: Fitted, most: float) -> Iterator[Finding]:
    kind = _kind(fitted)
    if kind is None or fitted.penalised or untrained(fitted) or lost(fitted)[fitted.best]:
        return
    hidden = len(fitted.network.table) > 1
    if hidden and (fitted.settings.minibatch or not fitted.network.dense):
        return
    names: list[str] = []
    large: dict[str, float] = {}
    z, labels = _features(fitted)
    outputs = 1 if kind == "multinomial" else fitted.network.n_outputs
    for k in range(outputs):
        of = f" (of {fitted.design.y_names[k]})" if outputs > 1 else ""
        size, used, rows, constant = _size(fitted, kind, k)
        if not _suspicious(fitted, kind, k, z, used, rows, constant, size > most):
            continue
        if size > most:
            large[fitted.design.response if outputs == 1 else fitted.design.y_names[k]] = size
            continue
        x, y = _chosen(z, used, rows), fitted.design.y[slice(None) if kind == "multinomial" else slice(k, k + 1), used]
        names += [name + of for name in separated(x, y, [labels[r] for r in rows], kind, intercept=constant)]
    remedy = (
        "a penalty (ns.decay), fewer levels or covariates; estimates and standard errors mean nothing, fitted values do"
    )
    if names:
        subject = "units that tell" if hidden else "tells" if len(names) == 1 else "tell"
        where = joined(listed(names), f"{subject} responses apart, so that estimates grow without end")
        yield Finding("warning" if hidden else "error", "separation", where, remedy)
    elif large and not fitted.settings.minibatch:  # which may be on its way to an optimum
        where = joined(listed(large), "fitted means reach their ends, as where covariates tell responses apart and estimates "
                       f"grow without end; a linear programme of {max(large.values()):.2g} numbers would decide")  # fmt: skip
        decides = "fit.diagnose() decides; " if max(large.values()) <= MOST_CONSTRAINTS else ""
        yield Finding("warning", "separation", where, f"{decides}{remedy.partition(';')[0]}", undecided=not hidden)


def _kind(fitted: Fitted) -> str | None:
    """What `separated` is told of the family and link; None for those whose estimates are always finite, or not judged."""
    family = fitted.family
    if isinstance(family, Multinomial):
        return "multinomial"
    if family is None:
        return None
    link = family.link.name
    if isinstance(family, Binomial):
        return "count" if link == "log" else "binomial" if link in _BOTH_ENDS else None
    atom = isinstance(family, Poisson | NegativeBinomial) or (family.name == "tweedie" and 1 <= family.parameter < 2)
    return "count" if atom and link == "log" else None


_BOTH_ENDS = ("logit", "probit", "cauchy", "cloglog", "loglog")


def _features(fitted: Fitted) -> tuple[np.ndarray, list[str]]:
    """What enters the outputs, (h, n) and names: covariates, or the units of the last hidden layer."""
    design, network = fitted.design, fitted.network
    if len(network.table) == 1:
        return design.x, list(design.x_names)
    row = network.table[-2]
    theta, own = fitted.fit.theta[fitted.best].astype(float), slice(row[codes.TARGET], row[codes.TARGET] + row[codes.N_OUT])
    out = np.empty((row[codes.N_OUT], fitted.n_rows))
    for part in blocks.of_rows(fitted.n_rows):
        known = None if design.offset is None else np.ascontiguousarray(design.offset[:, part])
        out[:, part] = derivatives.units(network, np.ascontiguousarray(design.x[:, part]), theta, known)[own]
    layer = len(network.table) - 1
    return out, [f"{layer}layhid{u + 1}" for u in range(row[codes.N_OUT])]


def _size(fitted: Fitted, kind: str, k: int) -> tuple[float, np.ndarray, np.ndarray, bool]:
    """Numbers of the linear programme of output k; rows (n,) and features of it, whether there is a constant."""
    per_unit, n_units = fitted.network.shapes[-1]
    free = fitted.fit.free[0][fitted.network.n_params - per_unit * n_units :].reshape(n_units, per_unit)
    free = free.any(axis=0) if kind == "multinomial" else free[k]
    used, rows = fitted.case_weights > 0, np.flatnonzero(free[1:])
    classes = n_units if kind == "multinomial" else 2
    return float(used.sum()) * (rows.size + 1) * (classes - 1) ** 2, used, rows, bool(free[0])


def _chosen(z: np.ndarray, used: np.ndarray, rows: np.ndarray) -> np.ndarray:
    """Some features of some observations."""
    return z if rows.size == len(z) and used.all() else z[rows][:, used]


def _suspicious(
    fitted: Fitted, kind: str, k: int, features: np.ndarray, used: np.ndarray, rows: np.ndarray, intercept: bool, last: bool,
) -> bool:  # fmt: skip
    """Whether some means are near their ends, and a further step of Fisher scoring still moves them.

    At an optimum that step is 0; on the way to infinity each step adds about 1 to the linear predictor, and takes exact fits
    to the end. Means that round to their ends are enough, unless this is the `last` that is asked.
    """
    family, design = fitted.likely, fitted.design
    own = slice(None) if kind == "multinomial" else slice(k, k + 1)
    y, w = design.y[own, used], fitted.case_weights[used]
    raw, response = fitted.fitted_raw([fitted.best])[0], fitted.network.objective.response
    ends = response(raw)[:, used] if kind == "multinomial" else response(np.array([[raw[k].min(), raw[k].max()]]))
    end = float(ends.min())
    if kind == "count":
        end /= max(float(y[0] @ w / w.sum()), 1e-300)
    elif kind == "binomial":
        end = min(end, 1 - float(ends.max()))
    if end > (ROUNDED if exactly(fitted) else np.exp(-FAR)):
        return False
    share, columns = response(raw)[own, used], rows.size + int(intercept)
    long = len(share) * columns**2 * (w.size + 10.0 * columns) > MOST_STEP  # the latter for eigenvalues
    if end < ROUNDED and (not last or (long and not exactly(fitted))):  # exact fits took such steps
        return True
    if long and not exactly(fitted):
        return False
    x = _chosen(features, used, rows)
    z = np.vstack([np.ones((int(intercept), x.shape[1])), x])
    size = np.sqrt(np.einsum("kn,kn->k", z, z) / z.shape[1])
    z = z if np.all(size > 0) else z[size > 0]
    z /= size[size > 0, np.newaxis]
    for c in range(share.shape[0]):
        with np.errstate(divide="ignore", invalid="ignore"):
            if kind == "multinomial":
                weight = w * y.sum(axis=0) * share[c] * (1 - share[c])
                score = w * (y[c] - y.sum(axis=0) * share[c])
            else:
                rise = 1 / family.link.deriv(share[c])
                weight = w * rise**2 / family.variance(share[c])
                score = w * (y[c] - share[c]) * rise / family.variance(share[c])
        if not (np.isfinite(weight).all() and np.isfinite(score).all()):
            return True
        square = sum((z[:, part] * weight[part]) @ z[:, part].T for part in blocks.of_rows(w.size))
        step = np.linalg.pinv(square, rcond=1e-14, hermitian=True) @ (z @ score)
        if np.abs(step @ z).max() > MOVES:
            return True
    return False


# dispersion ------------------------------------------------------------------------------------------------


def overdispersion(fitted: Fitted) -> Iterator[Finding]:
    """Counts and grouped shares that vary more about their means than the family says."""
    family = fitted.family
    if untrained(fitted) or lost(fitted)[fitted.best] or not isinstance(family, _COUNTED):
        return
    if fitted.settings.class_weight is not None or family.quasi:
        return  # these weights are no numbers of trials
    mu, y, w = fitted.means(fitted.best), fitted.responses, fitted.case_weights
    used = w > 0
    parts = _chi2(family, y[:, used], mu[:, used], w[used])
    df = affordable_df(fitted) if fitted.k_identified > FEW * observed(fitted) else float(fitted.k_identified)
    left = observed(fitted) - (fitted.k_identified if df is None else df)
    if isinstance(family, NegativeBinomial):
        yield _alpha(fitted, y[:, used], mu[:, used], w[used], left, parts)
        return
    if parts is None or not left > 0:
        return
    chi2, noise = parts
    ratio, sd = chi2 / left, noise / left
    if ratio < RATIO[0] or ratio - 1 < BEYOND * sd:
        return
    where = f"Pearson chi2 / df = {ratio:.4g}, so that standard errors are {np.sqrt(ratio):.3g} times too small"
    yield Finding("warning" if ratio > RATIO[1] else "note", "overdispersion", where, _DISPERSED[type(family)])


_COUNTED = (Poisson, Binomial, Multinomial, NegativeBinomial)
_QUASI = "cov_type='sandwich', or standard errors times the root of chi2 / df"
_DISPERSED = {
    Poisson: f"family='quasipoisson' or 'negative_binomial', {_QUASI}; a covariate, or more units, may be missing",
    Binomial: f"family='quasibinomial', {_QUASI}; a covariate, or more units, may be missing",
    Multinomial: f"{_QUASI}; a covariate, or more units, may be missing",
}


def _chi2(family: object, y: np.ndarray, mu: np.ndarray, w: np.ndarray) -> tuple[float, float] | None:
    """Pearson's chi2 and its standard deviation where the family is right; None where it says nothing (single trials)."""
    with np.errstate(divide="ignore", invalid="ignore"):
        if isinstance(family, Multinomial):
            total = y.sum(axis=0) * w
            if not np.any(total > 1):
                return None
            terms, k = (y * w - total * mu) ** 2 / (total * mu), y.shape[0]
            variance = np.maximum(2 * (k - 1) + ((1 / mu).sum(axis=0) - k**2 - 2 * k + 2) / total, 0.0)
        elif isinstance(family, Binomial):
            if np.all((y == 0) | (y == 1)):
                return None
            terms = w * (y - mu) ** 2 / (mu * (1 - mu))
            variance = np.maximum(2 + (1 / (mu * (1 - mu)) - 6) / w, 0.0)
        else:
            v = family.variance(mu)  # type: ignore[attr-defined]
            terms, variance = w * (y - mu) ** 2 / v, 2 + 1 / (w * mu)
    chi2, noise = float(terms.sum()), float(np.sqrt(variance.sum()))
    return (chi2, noise) if np.isfinite(chi2) and np.isfinite(noise) else None


def _alpha(
    fitted: Fitted, y: np.ndarray, mu: np.ndarray, w: np.ndarray, left: float, parts: tuple[float, float] | None
) -> Finding:
    """A negative binomial fit takes alpha as known: what the data say of it, by Pearson's chi2."""
    alpha = fitted.likely.parameter
    where = f"alpha = {alpha:g} is taken as known, not estimated: standard errors may be too small"
    if parts is None or not left > 0:
        return Finding("note", "overdispersion", where, "family=NegativeBinomial(alpha=...)")
    estimate = _moment_alpha(y, mu, w, left)
    ratio = parts[0] / left
    where = f"alpha = {alpha:g} is taken as known, not estimated; Pearson chi2 / df = {ratio:.4g}"
    where += f", which alpha = {estimate:.3g} would bring to 1: standard errors "
    far = ratio > RATIO[1]
    size = np.sqrt(ratio if ratio > 1 else 1 / max(ratio, 1e-300))
    where += f"are about {size:.3g} times too {'small' if ratio > 1 else 'large'}" if size > 1.1 else "may be too small"
    more = f"family=NegativeBinomial(alpha={estimate:.3g}), scale='X2', or cov_type='sandwich'"
    remedy = more if estimate > 0 else "family='poisson'"
    return Finding("warning" if far else "note", "overdispersion", where, remedy)


def _moment_alpha(y: np.ndarray, mu: np.ndarray, w: np.ndarray, left: float) -> float:
    """alpha at which Pearson's chi2 is its degrees of freedom (Breslow 1984, Applied Statistics 33:38); 0 where none is."""
    from scipy.optimize import brentq

    def excess(alpha: float) -> float:
        return float(np.sum(w * (y - mu) ** 2 / (mu + alpha * mu**2))) - left

    if excess(0.0) <= 0:
        return 0.0
    high = 1.0
    while excess(high) > 0 and high < 1e8:
        high *= 4
    return float(brentq(excess, 0.0, high)) if high < 1e8 else high
