"""What a fit says about itself: a table of findings, and one warning of the severe ones when it was made."""

from __future__ import annotations

import warnings
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from typing import Any

import numpy as np
import pandas as pd

from ..errors import FitWarning, caller
from ..fitted import Fitted, fitted_of, kept
from ..likelihood.likelihood import TOLD
from ..network.passes import products
from . import findings_data, findings_fit, findings_model, findings_training
from .findings import SEVERITIES, Finding

FINDINGS = (
    "collapsed", "diverged", "saturated unit", "duplicate unit", "separation", "single optimum", "df near n",
    "overdispersion", "overfit", "constant column", "collinear columns", "high leverage", "not converged",
)  # fmt: skip
MOST_PRODUCTS = 5e9  # of a pass over all rows that is taken to look at a fit when it was made
COLUMNS = ("severity", "finding", "where", "remedy")


@dataclass(frozen=True)
class Check:
    """One thing that is looked at.

    Attributes
    ----------
    look : callable
        ``(fitted) -> iterable of Finding``.
    at_fit : bool
        Whether it is looked at when a fit was made: only what can be an error, and costs next to nothing where it is not.
    thorough : callable, optional
        What `diagnose` does instead, where more can be known with more work.
    """

    look: Callable[[Fitted], Iterable[Finding]]
    at_fit: bool = False
    thorough: Callable[[Fitted], Iterable[Finding]] | None = None


#: All that is looked at, in the order of the table
CHECKS = (
    Check(findings_fit.diverged, at_fit=True),
    Check(findings_fit.collapsed, at_fit=True),
    Check(findings_model.near_n, at_fit=True),
    Check(findings_model.separation, at_fit=True, thorough=findings_model.separation_in_large),
    Check(findings_training.not_converged),
    Check(findings_training.single_optimum),
    Check(findings_training.overfit),
    Check(findings_model.units),
    Check(findings_model.overdispersion),
    Check(findings_data.constant),
    Check(findings_data.collinear),
    Check(findings_data.leverage),
)


@kept
def found(fitted: Fitted, thorough: bool = False) -> tuple[Finding, ...]:
    """All findings, severe ones first."""
    looks: list[Callable[[Fitted], Iterable[Finding]]]
    if fitted.design.away:
        looks = [findings_fit.as_recorded, findings_training.not_converged, findings_training.single_optimum]
    else:
        looks = [check.thorough if thorough and check.thorough is not None else check.look for check in CHECKS]
    every = [finding for look in looks for finding in _of(fitted, look)]
    return tuple(sorted(every, key=lambda finding: SEVERITIES.index(finding.severity)))


@kept
def _of(fitted: Fitted, look: Callable[[Fitted], Iterable[Finding]]) -> tuple[Finding, ...]:
    return tuple(look(fitted))


def diagnose(fit: Any) -> pd.DataFrame:
    """Everything about a fit that its user must know.

    Parameters
    ----------
    fit : NeuralNetResults or Fitted

    Returns
    -------
    DataFrame
        A row per finding, severe ones first; empty where there is nothing to say. Columns ``severity`` ("error": the fit
        is not what was asked for; "warning": something in it may not be trusted; "note"), ``finding``, ``where`` (units,
        columns, repetitions, and figures) and ``remedy``. ``finding`` is one of

        - "collapsed": fitted values are constant, or explain less than a tenth of what a linear model does;
        - "diverged": weights are not finite, or the fit is worse than its constants alone;
        - "not converged": no stopping rule ended a repetition, and what did;
        - "single optimum": the best optimum was seen once;
        - "saturated unit", "duplicate unit": hidden units that bring nothing, or nothing of their own;
        - "df near n": degrees of freedom leave few or no observations for the residuals;
        - "separation": estimates are infinite, since covariates tell the responses apart;
        - "overdispersion": Pearson's chi2 is larger than its degrees of freedom, or alpha of the negative binomial is taken
          as known;
        - "overfit": validation rows are fitted worse than those of the fit;
        - "constant column", "collinear columns", "high leverage": of tabular covariates.

    Notes
    -----
    Of long tables a part of the rows is looked at, and ``where`` says so. Degrees of freedom that take long are not computed.
    Separation is decided by linear programmes; where they are so large (2e7 numbers) that they would take minutes, it is a
    warning that the fit looks as if.
    """
    rows = [(f.severity, f.finding, f.where, f.remedy) for f in found(fitted_of(fit), True)]
    return pd.DataFrame(rows, columns=list(COLUMNS), dtype=object)


def warn_severe(fitted: Fitted) -> None:
    """Warn, once, of all errors that are seen without looking hard.

    Nothing is said of start weights that were left as they were given, and of fits under ``compat="R"``, which are as silent
    as R's. Where a pass over all rows takes long, and training needed none, what training recorded is all that is looked at.
    """
    if fitted.settings.compat == "R" or np.array_equal(fitted.fit.theta, fitted.fit.start):
        return
    every = (f for check in CHECKS if check.at_fit for f in _of(fitted, check.look))
    looked = findings_fit.as_recorded(fitted) if costly(fitted) else every
    severe = [f for f in looked if f.severity == "error" or f.undecided]
    if any(f.finding == "df near n" for f in severe):
        fitted.__dict__[TOLD] = True  # statistics that are NaN for it need not say so again
    if severe:
        text = " ".join(f"{f.finding.capitalize()}: {f.where}. Remedy: {f.remedy}." for f in severe)
        warnings.warn(f"{text} (fit.diagnose() has all findings.)", FitWarning, stacklevel=caller())


def costly(fitted: Fitted) -> bool:
    """Whether a pass over all rows takes long, and training by epochs needed none; or the rows are on a cluster."""
    settings = fitted.settings
    if fitted.design.away:
        return True
    if not (settings.minibatch and settings.threshold is None):
        return False
    read = not getattr(fitted.design.x, "lasting", True)  # reading rows again may be as much work as training was
    return read or products(fitted.network) * fitted.n_rows > MOST_PRODUCTS


def in_a_line(fitted: Fitted, said: Iterable[str] = ()) -> str | None:
    """Errors and warnings in a sentence, but those that are `said` elsewhere; None where there are none."""
    parts = []
    for severity in SEVERITIES[:2]:
        names = dict.fromkeys(f.finding for f in found(fitted) if f.severity == severity and f.finding not in said)
        if names:
            parts.append(f"{severity}: {', '.join(names)}")
    return f"DIAGNOSIS: {'; '.join(parts)}. fit.diagnose() says where, and what to do." if parts else None
