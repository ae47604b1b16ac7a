"""Tables of coefficients, of models without hidden units, and of deviances."""

from __future__ import annotations

import warnings

import numpy as np

from ..errors import ArgumentError, DfError, SingularHessianWarning
from ..families import Multinomial
from ..fitted import Fitted
from ..inference import coefficients
from ..inference.covariance import cov_params, cov_type_of
from ..inference.dispersion import t_degrees
from ..likelihood import likelihood
from ..likelihood.several import UNLIKELY
from .tables import Table

MOST_ROWS = 200  # coefficients that are listed
ALPHA = 0.05


def listed(fitted: Fitted) -> bool:
    """Whether a fit has coefficients that mean something one by one, and few enough to list."""
    network = fitted.network
    return network.plain and len(network.shapes) == 1 and network.n_params <= MOST_ROWS and _finite(fitted)


def _finite(fitted: Fitted) -> bool:
    return fitted.family is not None and bool(np.isfinite(fitted.theta[fitted.best]).all())


def coefficient_tables(fitted: Fitted) -> tuple[list[Table], list[str]]:
    """statsmodels' table of coefficients, one per output; of classes against the first one; and what is to be noted.

    Standard errors are those of `NeuralNetResults.bse`: of the expected information, or by clusters.
    """
    if not listed(fitted):
        return [], []
    with warnings.catch_warnings(record=True) as said:
        warnings.simplefilter("always")
        try:
            tables = _contrasts(fitted) if isinstance(fitted.family, Multinomial) else _plain(fitted)
        except (ArgumentError, DfError) as error:
            return [], [f"Standard errors: {error}"]
    notes = [str(w.message) for w in said if issubclass(w.category, SingularHessianWarning)]
    for other in said:
        if not issubclass(other.category, SingularHessianWarning):
            warnings.warn_explicit(other.message, other.category, other.filename, other.lineno)
    return tables, list(dict.fromkeys(notes))


def _plain(fitted: Fitted) -> list[Table]:
    network = fitted.network
    per, units = network.shapes[0]
    p = coefficients.pvalues(fitted)
    columns = [
        coefficients.params(fitted), coefficients.standard_errors(fitted), coefficients.zvalues(fitted), p,
        *coefficients.conf_int(fitted, ALPHA).to_numpy().T,
    ]  # fmt: skip
    values = np.stack([np.asarray(c, dtype=float).reshape(units, per) for c in columns], axis=2)
    held = ~fitted.fit.free[0].reshape(units, per)
    letter = "t" if str(p.name) == "P>|t|" else "z"
    title = "Coefficients" + (" (penalized)" if fitted.penalised else "")
    titles = [title] if units == 1 else [f"{title} of {name}" for name in fitted.network.output_names]
    if fitted.network.objective.several:
        titles = [f"{title} of {role} (link {link.name})" for role, link in zip(
            fitted.distribution.roles, fitted.distribution.role_links, strict=True)]  # fmt: skip
    return [_table(fitted, t, v, h, letter) for t, v, h in zip(titles, values, held, strict=True)]


def _contrasts(fitted: Fitted) -> list[Table]:
    """Coefficients of each class less those of the first: what the probabilities determine."""
    from scipy import stats

    per, units = fitted.network.shapes[0]
    b = fitted.best
    df = t_degrees(fitted, [b], kind=cov_type_of(fitted, None))
    theta = fitted.theta[b].reshape(units, per)
    covariance = np.nan_to_num(cov_params(fitted).to_numpy()).reshape(units, per, units, per)
    held = ~fitted.fit.free[0].reshape(units, per)
    names = fitted.design.y_names
    title = "Coefficients" + (" (penalized)" if fitted.penalised else "")
    out = []
    for k in range(1, units):
        value = theta[k] - theta[0]
        own = [np.diagonal(covariance[i, :, j, :]) for i, j in ((k, k), (0, 0), (k, 0))]
        variance = own[0] + own[1] - 2 * own[2]
        with np.errstate(divide="ignore", invalid="ignore"):
            se = np.sqrt(np.where(variance > 0, variance, np.nan))
            z = value / se
        half = stats.t.ppf(1 - ALPHA / 2, df) * se
        values = np.stack([value, se, z, 2 * stats.t.sf(np.abs(z), df), value - half, value + half], axis=1)
        heading = f"{title} of {names[k]} against {names[0]}"
        out.append(_table(fitted, heading, values, held[k] & held[0], "z" if np.isinf(df) else "t"))
    return out


def _table(fitted: Fitted, title: str, values: np.ndarray, held: np.ndarray, letter: str) -> Table:
    rows = []
    few = fitted.network.objective.several and not held.all()  # of parameters only what they depend on
    for name, row, fixed in zip(("Intercept", *fitted.network.input_names), values, held, strict=True):
        if fixed and few and row[0] == 0:
            continue
        if fixed:
            rows.append((name, figure(row[0], 4), "held", "", "", "", ""))
            continue
        p = "" if np.isnan(row[3]) else f"{row[3]:.3f}"
        rows.append((name, figure(row[0], 4), figure(row[1]), figure(row[2]), p, figure(row[4]), figure(row[5])))
    columns = ("", "coef", "std err", letter, f"P>|{letter}|", f"[{ALPHA / 2:g}", f"{1 - ALPHA / 2:g}]")
    return Table(title, columns, rows, left=1)


def figure(value: float, places: int = 3) -> str:
    """A number with so many decimal places, or with a power of ten where these would not show it; NaN is empty."""
    if np.isnan(value):
        return ""
    size = abs(value)
    return f"{value:.{places}f}" if value == 0 or 1e-4 <= size < 1e5 else f"{value:.3g}"


def deviance_rows(fitted: Fitted, with_df: bool) -> list[tuple[str, str]]:
    """Deviance, null deviance, and Pearson's chi2 with what it is per residual degree of freedom.

    `with_df` False leaves out what needs degrees of freedom. Nothing for error functions without a family, and for fits that
    are not finite.
    """
    if not _finite(fitted) or isinstance(fitted.family, UNLIKELY):
        return []
    b = fitted.best
    rows = [("Deviance", f"{likelihood.deviance(fitted, b):.6g}")]
    if not (fitted.design.away and fitted.design.offset is not None):  # which has no fit of constants
        rows.append(("Null deviance", f"{likelihood.null_deviance(fitted):.6g}"))
    if isinstance(fitted.family, Multinomial):  # of classes, row by row, it says nothing of dispersion
        return rows
    if fitted.network.objective.several:
        return rows
    chi2 = likelihood.pearson_chi2(fitted, b)
    rows.append(("Pearson chi2", f"{chi2:.6g}"))
    if with_df and not likelihood.several(fitted):  # a sum over responses in different units is no dispersion
        try:
            rest = likelihood.df_resid(fitted)
        except (ArgumentError, DfError):
            return rows
        if rest > 0:
            rows.append((f"Pearson chi2 / df (df = {rest:.5g})", f"{chi2 / rest:.4g}"))
    return rows
