"""Calibrated tests of whole terms: whether the response depends on a term's columns once the other covariates are known.

Under the null hypothesis of a term some weights of a network are not identified (units that are not needed, the term's own
weights into them), so that likelihood ratios and Wald statistics of networks have no chi2 limit (Davies 1977, Biometrika
64:247; Hansen 1996, Econometrica 64:413), and restarts and penalties have no part in one. Here the null distribution of a
likelihood ratio (`term_refits`) is simulated, with all that training does.

"permutation" permutes the term's rows as is likely given the other covariates (`conditional_permutation`). The network
without the term, and the starts that come of it, do not depend on the term; so the statistic is one function of the data
and of permutations that are exchangeable with them under the null hypothesis, and the test has its size whatever the
network fits, over-fits or misses. It needs that the odds of exchanges are right. "bootstrap" draws responses from the
network without the term and finds both networks for each from random starts. It needs that this network is right. "wild"
keeps what that network leaves of each cluster of rows, but for its sign (`wild`): rows of a cluster may depend on one
another. "permutation" then exchanges rows within clusters only, which is as exact where covariates of a cluster's rows are
exchangeable given the others, however responses depend on one another.

Draws end when so many are as large as the statistic that it cannot be significant at `LEVEL` any more; p = (those) / (draws)
is then as valid as of all draws (Besag & Clifford 1991, Biometrika 78:301).
"""

from __future__ import annotations

import math
from collections.abc import Iterator, Sequence
from dataclasses import replace
from typing import Any

import numpy as np
import pandas as pd

from ..checks.arguments import N_JOBS, NONE, RANDOM_STATE, TEXT, Choice, Several, Whole, arguments
from ..df import noise
from ..errors import ArgumentError
from ..fitted import Fitted
from ..formula import expressions
from ..formula.derived import WINDOWS
from ..likelihood.several import UNLIKELY
from ..seeds import children, seed_sequence
from . import wild
from .nested import anova, compare_lr_test
from .term_refits import TermRefits, without
from .wald import first_weights, wald_test_terms

METHODS = ("permutation", "bootstrap", "wild", "wald", "lr")
DRAWS = 199
MOST = 100_000
LEVEL = 0.05

Row = tuple[str, float, float, float, str, str]


@arguments(
    method=NONE | Choice(*METHODS), terms=NONE | TEXT | Several(TEXT), draws=Whole(19, MOST), random_state=RANDOM_STATE,
    n_jobs=N_JOBS,
)  # fmt: skip
def term_tests(
    fitted: Fitted, method: str | None = None, *, terms: Any = None, draws: int = DRAWS, random_state: Any = None,
    n_jobs: int | None = None,
) -> pd.DataFrame:  # fmt: skip
    """Test every term of the formula, given the others.

    Parameters
    ----------
    fitted : Fitted
    method : {"permutation", "bootstrap", "wild", "wald", "lr"}, optional
        "permutation": the term's rows permuted conditionally on the other covariates, of a fit with ``groups=`` within
        clusters. "bootstrap": responses drawn from the network without the term. "wild": the wild bootstrap by clusters (by
        rows where there are none), for models without hidden units and networks of additive noise. "wald":
        `wald_test_terms`. "lr": F where the dispersion is estimated, else chi2, of the deviances of the fit and of a fit
        without the term, on the difference of their effective degrees of freedom.

        Default, what is calibrated: "lr" for models without hidden units and penalty ("wald" of quantiles, expectiles); else
        "permutation", and "bootstrap" where rows cannot be permuted given the others: a term that shares a variable with
        another one (as in ``a * b``), windows of series, fits by epochs. Of fits with clusters "wild" where there is such a
        test; else "permutation", and where that is not possible "wald". The column ``method`` says which it was.
    terms : str or list of str, optional
        Those to test; all unless given.
    draws : int
        Most permutations or bootstrap samples; fewer where the verdict at the 5 % level is settled.
    random_state : int, SeedSequence, Generator, optional
        Each term has its own stream.
    n_jobs : int, optional
        Threads; the result does not depend on them.

    Returns
    -------
    DataFrame
        A row per term, labelled by it: ``term``, ``statistic``, ``df`` (of "wald" and "lr" those of their distribution, else
        the number of weights tested), ``pvalue``, ``method``, ``note``. NaN, with the reason in ``note``, where a test is not
        possible.

    Raises
    ------
    ArgumentError
        For unknown arguments; where the first layer is not dense.
    """
    weights = first_weights(fitted)
    chosen = _chosen(terms, list(weights))
    if method is None and _regular(fitted) and isinstance(fitted.family, UNLIKELY):
        method = "wald"  # of the sandwich, where there is no likelihood to compare
    if method == "wald":
        rows = _wald(fitted, chosen)
    else:
        seeds = dict(zip(weights, children(seed_sequence(random_state), len(weights)), strict=True))
        rows = [_row(TermRefits(fitted, t, weights[t], seeds[t], n_jobs), method, draws) for t in chosen]
    columns = ["term", "statistic", "df", "pvalue", "method", "note"]
    return pd.DataFrame(rows, [row[0] for row in rows], columns)


def _chosen(terms: Any, known: list[str]) -> list[str]:
    """Terms to test, checked."""
    if terms is None:
        return known
    names = [terms] if isinstance(terms, str) else list(terms)
    for name in names:
        if name not in known:
            raise ArgumentError(f"terms: the formula has no term {name!r}; it has {', '.join(map(repr, known))}.")
    return names


def _row(term: TermRefits, method: str | None, draws: int) -> Row:
    """Test a term."""
    fitted = term.fitted
    if not term.at.size:
        return term.name, np.nan, 0.0, np.nan, method or "permutation", "no weight of the term is trained"
    grouped = fitted.design.groups is not None
    if method == "wild" or (grouped and method is None):
        unsuited = _tame(fitted)
        if method == "wild" or not unsuited:
            return _wild(term, draws, unsuited)
    if method == "lr" or (method is None and not grouped and not fitted.settings.minibatch and _regular(fitted)):
        return _likelihood_ratio(term)
    if grouped and method is None and _unfit(term):
        return _wald(fitted, [term.name])[0]
    why = "" if method == "bootstrap" else _unfit(term)
    if method == "permutation" and why:
        return term.name, np.nan, float(term.at.size), np.nan, method, f"rows cannot be permuted: {why}"
    if method == "bootstrap" or why:
        note = f"not permuted, since {why}" if why else INDEPENDENT if grouped else ""
        if fitted.settings.minibatch:
            return _by_epochs(term, draws, note)
        return _simulated(term, "bootstrap", *term.bootstrapped(draws), draws, note)
    return _simulated(term, "permutation", *term.permuted(draws), draws, "")


def _tame(fitted: Fitted) -> str:
    """Why there is no wild bootstrap of a fit, in words; "" where there is one."""
    if fitted.settings.minibatch:
        return "the fit ends by epochs"
    if _regular(fitted) or noise.gaussian(fitted.network.objective):
        return ""
    return "the network's noise is not additive"


def _wild(term: TermRefits, draws: int, unsuited: str) -> Row:
    """The row of "wild"."""
    fitted, size, g = term.fitted, float(term.at.size), int(wild.codes(term.fitted).max()) + 1
    if not unsuited and _regular(fitted) and size >= g:
        unsuited = f"{g} clusters are too few for {term.at.size} weights"
    if unsuited:
        return term.name, np.nan, size, np.nan, "wild", f"no wild bootstrap: {unsuited}"
    if not _regular(fitted):
        return _simulated(term, "wild", *term.wild(draws), draws, "")
    seeds = children(term.seeds, 4)[3]
    if wild.least_squares(fitted):
        return _simulated(term, "wild", *wild.linear(fitted, term.at, draws, seeds), draws, "")
    return _simulated(term, "wild", *wild.score(fitted, _restricted(term), term.at, draws, seeds), draws, "")


def _regular(fitted: Fitted) -> bool:
    """Whether the model is one whose likelihood ratios have their usual distributions: no hidden units, no penalty."""
    return len(fitted.network.layers) == 1 and not fitted.penalised and fitted.family is not None


def _simulated(
    term: TermRefits, method: str, observed: float, blocks: Iterator[np.ndarray], draws: int, note: str
) -> Row:
    """The row of a statistic and draws under the null hypothesis, which end once it cannot be significant."""
    size = float(term.at.size)
    if not np.isfinite(observed):
        return term.name, np.nan, size, np.nan, method, "training did not give a finite error"
    enough, count, used, p = math.ceil(LEVEL * (draws + 1)), 0, 0, np.nan
    limit = observed - 1e-8 * (1 + abs(observed))  # what differs by rounding is as large
    for value in (v for block in blocks for v in block):
        used, count = used + 1, count + int(value >= limit)
        if count == enough and used <= draws:
            p = count / used
        if count == enough or used == draws:
            break
    if np.isnan(p):
        p = (1 + count) / (1 + used)
    said = f"{count} of {used} draws as large"
    return term.name, observed, size, float(p), method, "; ".join(part for part in (said, note) if part)


def _by_epochs(term: TermRefits, draws: int, note: str) -> Row:
    """The row of a bootstrap by the fit's own procedure, which ends before an optimum."""
    fitted = term.fitted
    found = compare_lr_test(
        fitted, _restricted(term), bootstrap=draws, random_state=term.seeds, n_jobs=term.n_jobs
    )  # fmt: skip
    said = f"{int(np.sum(found.draws >= found.statistic))} of {draws} draws as large"
    return (term.name, found.statistic, float(term.at.size), found.pvalue, "bootstrap",
            "; ".join(part for part in (said, note) if part))  # fmt: skip


def _restricted(term: TermRefits) -> Fitted:
    """The fit without the term, by the fit's own procedure from its own starts."""
    begun = without(term.fitted, term.at)
    return replace(term.fitted, fit=term.fitted.procedure.run_from(begun.start, begun.free[0]), saved=None, call=None)


# other methods ---------------------------------------------------------------------------------------------


def _likelihood_ratio(term: TermRefits) -> Row:
    """The row of "lr": analysis of deviance of the fit and the fit without the term."""
    table = anova(_restricted(term), term.fitted).iloc[1]
    name = next(n for n in ("F", "LR", "Deviance") if n in table.index)
    p = float(table[next(n for n in table.index if str(n).startswith("Pr("))])
    grouped = term.fitted.design.groups is not None
    note = "; ".join([NOT_CHI2] * (not _regular(term.fitted)) + [INDEPENDENT] * grouped)
    return term.name, float(table[name]), float(table["Df"]), p, "lr", note


def _wald(fitted: Fitted, chosen: list[str]) -> list[Row]:
    """Rows of "wald"."""
    tests = wald_test_terms(fitted)
    rows: list[Row] = []
    for name in chosen:
        if name not in tests.table.index:
            rows.append((name, np.nan, 0.0, np.nan, "wald", "no weight of the term is trained"))
            continue
        found = tests.table.loc[name]
        note = "; ".join(part for part in (tests.inestimable.get(name, ""), tests.note) if part)
        rows.append((name, float(found["statistic"]), float(found["df_constraint"]), float(found["pvalue"]), "wald", note))
    return rows


INDEPENDENT = "takes rows as independent"
NOT_CHI2 = "F and chi2 are no limits of a network's likelihood ratio: it may reject noise"


# which rows may be permuted --------------------------------------------------------------------------------


def _unfit(term: TermRefits) -> str:
    """Why rows of a term cannot be permuted given the other covariates, in words; "" where they can."""
    if term.fitted.settings.minibatch:
        return "the fit ends by epochs"
    reads = _reads(term.fitted)
    own = reads[term.name]
    if own is None:
        return "its rows are windows of series"
    shared = {name: own & read for name, read in reads.items() if name != term.name and read is not None and own & read}
    if shared:
        other = next(iter(shared))
        return f"{', '.join(map(repr, sorted(shared[other])))} is also in the term {other!r}"
    return term.odds if isinstance(term.odds, str) else ""


def _reads(fitted: Fitted) -> dict[str, set[str] | None]:
    """Raw columns that every term reads; None for windows of series, whose rows overlap."""
    spec = fitted.design.spec
    made = {d.name: None if d.function in WINDOWS else set(d.columns) for d in spec.derived}
    by_column: list[set[str] | None] = []
    for tensor in spec.tensors:
        by_column += [made.get(tensor.name, {tensor.name})] * tensor.size
    for state in spec.matrix.terms:
        if not state.is_intercept:
            factors = [_factor_reads(text, spec.covariates) for text, how in state.factors if how != "literal"]
            parts = [None if f is None else _joined([made.get(name, {name}) for name in f]) for f in factors]
            by_column += [_joined(parts)] * len(state.columns)
    return {name: _joined([by_column[c] for c in columns]) for name, columns in fitted.design.terms.items()}


def _joined(parts: Sequence[set[str] | None]) -> set[str] | None:
    """The union; None where one part is."""
    known = [part for part in parts if part is not None]
    return None if len(known) < len(parts) else set().union(*known)


def _factor_reads(text: str, covariates: tuple[str, ...]) -> set[str] | None:
    """Covariates that a factor of a term reads; None where it shifts rows."""
    if text in covariates:
        return {text}
    return None if "lag" in expressions.called(text) else {n for n in expressions.names(text) if n in covariates}
