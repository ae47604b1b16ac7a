"""The terms of a fit: degrees of freedom and a test of each."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pandas as pd

from .. import mixed
from ..checks.arguments import NONE, REP, arguments
from ..df import exact_fit
from ..errors import ArgumentError
from ..fitted import Fitted, fitted_of, kept
from ..network import derivatives
from ..training.structured import has_towers, leading
from . import orthogonal
from . import term_parts as of_terms
from .covariance import COV_TYPE, cov_params, cov_type_of
from .network_test import network_test
from .smooth_test import Test, effects_test, smooth_test, variance_ratio_sf
from .term_parts import Curvature, Dense, Part, Sparse
from .wald import quadratic, wald_test_terms

COLUMNS = ["kind", "edf", "ref_df", "statistic", "distribution", "pvalue"]


@arguments(cov_type=NONE | COV_TYPE, rep=REP)
def terms(fit: object, cov_type: str | None = None, rep: object = "best") -> pd.DataFrame:
    """The terms of a formula: degrees of freedom, and a test that the term is 0.

    Parameters
    ----------
    fit : NeuralNetResults or Fitted
    cov_type : str, optional
        Of the tests of linear terms, as in `cov_params`.
    rep : int or "best"

    Returns
    -------
    DataFrame
        A row per term (per output and term where there are several outputs, with the column ``output``), labelled by it, as
        the column ``term`` says, too.
        ``kind`` is "linear", "smooth", "random" or "network". ``edf`` is the trace of (H + S)^-1 H over its weights.
        ``statistic`` is F where the dispersion is estimated and else chi2, as ``distribution`` says, with ``ref_df`` its
        (first) degrees of freedom; ``pvalue`` follows from the exact null distribution of the statistic, which F and chi2 on
        ``ref_df`` come near to but for linear terms, where they are it. `DataFrame.attrs` has ``df_resid`` and ``notes``: why
        a p value is NaN.

        Linear terms: Wald tests. Smooths: `smooth_test.smooth_test` (mgcv's). Random terms: `smooth_test.effects_test`
        (mgcv's where there is one of them); of more levels than matrices of all weights can have the restricted likelihood
        ratio ("LR") against a fit without the term, by the mixture of chi2 of variances at their bound. Networks:
        `network_test.network_test`.

    Raises
    ------
    ArgumentError
        For a network of all covariates, whose terms share its weights: `term_tests` tests these.
    """
    fitted = fitted_of(fit)
    table = _terms(fitted, cov_type, fitted.which(rep)).rename_axis(None)
    table.insert(0, "term", table.index)
    return table


@kept
def _terms(fitted: Fitted, cov_type: str | None, b: int) -> pd.DataFrame:
    if not has_towers(fitted.design):
        return _of_plain(fitted, cov_type, b)
    known = of_terms.curvature(fitted, b)
    rest = residual_df(fitted, known)
    covariance = None
    if cov_type_of(fitted, cov_type) != "bayes" or orthogonal.moved(fitted, b)[1] is not None:
        covariance = cov_params(fitted, cov_type, b + 1).to_numpy()
    rows, notes = {}, {}
    count = leading(fitted.network)
    for part in of_terms.parts(fitted):
        if not part.index.size:
            continue
        test = _tested(fitted, b, part, known, rest, covariance, cov_type)
        output = "" if count == 1 or part.kind == "network" else fitted.network.output_names[part.output]
        name = f"{part.term}:{output}" if output else part.term
        edf = float(known.edf[part.index].sum())
        if isinstance(test, str):
            notes[name], test = test, Test(np.nan, np.nan, np.nan)
        f = np.isfinite(_rest_of(fitted, part, rest, cov_type))
        statistic = test.statistic / (test.rank if f else 1.0)
        rows[name] = [part.kind, edf, test.rank, statistic, "F" if f else "chi2", test.pvalue]
        if part.kind == "random" and isinstance(known, Sparse):
            rows[name][3:5] = [test.statistic, "LR"]
        if count > 1:
            rows[name].append(output)
    table = pd.DataFrame.from_dict(rows, orient="index", columns=[*COLUMNS, *(["output"] if count > 1 else [])])
    table.index.name = "term"
    table.attrs.update(df_resid=rest, notes=notes)
    return table


def residual_df(fitted: Fitted, known: Curvature) -> float:
    """n - edf where the dispersion is estimated, else inf."""
    return fitted.n_values - known.total if fitted.dispersed else np.inf


def _rest_of(fitted: Fitted, part: Part, rest: float, cov_type: str | None) -> float:
    """Denominator of a term's F."""
    if part.kind == "linear" and cov_type_of(fitted, cov_type) == "cluster":
        return float(fitted.design.n_groups - 1)
    return rest


def _of_plain(fitted: Fitted, cov_type: str | None, b: int) -> pd.DataFrame:
    """Terms of a model without hidden units."""
    if len(fitted.network.layers) > 1:
        raise ArgumentError("terms: the covariates of one network share its weights, and have no degrees of freedom of their "
                            "own. fit.term_tests() tests them; nn(), s() and (1 | g) in a formula are terms.")  # fmt: skip
    tests = wald_test_terms(fitted, cov_type, b + 1)
    table = tests.table
    made = pd.DataFrame({
        "kind": "linear", "edf": table["df_constraint"].astype(float), "ref_df": table["df_constraint"].astype(float),
        "statistic": table["statistic"], "distribution": tests.distribution, "pvalue": table["pvalue"],
    })  # fmt: skip
    made.index.name = "term"
    rest = float(table["df_denom"].iloc[0]) if "df_denom" in table and len(table) else np.inf
    made.attrs.update(df_resid=rest, notes=dict(tests.inestimable))
    return made


def _tested(
    fitted: Fitted, b: int, part: Part, known: Curvature, rest: float, covariance: np.ndarray | None, cov_type: str | None
) -> Test | str:
    theta = fitted.fit.theta[b].astype(float)
    if part.kind == "network":
        return network_test(fitted, b, part)
    if part.kind == "smooth":
        own = part.index
        rank, spread = float(known.edf1[own].sum()), known.covariance(own)
        theta, turn = orthogonal.moved(fitted, b)
        if turn is not None and isinstance(known, Dense):
            spread = turn[own][:, known.used] @ known.spread @ turn[own][:, known.used].T
        return smooth_test(theta[own], spread, known.information(own), rank, rest)
    if part.kind == "random":
        return _effects(fitted, b, part, known, rest) if isinstance(known, Dense) else _ratio(fitted, b, part)
    values = theta[part.index] if covariance is None else orthogonal.reported(fitted, b)[part.index]
    block = known.covariance(part.index) if covariance is None else covariance[np.ix_(part.index, part.index)]
    return _wald(values, block, _rest_of(fitted, part, rest, cov_type))


def _wald(values: np.ndarray, covariance: np.ndarray, rest: float) -> Test:
    from scipy import stats

    w, k = quadratic(values, covariance), int(np.linalg.matrix_rank(covariance, hermitian=True))
    if not np.isfinite(w):
        return Test(np.nan, float(k), np.nan)
    p = stats.chi2.sf(w, k) if np.isinf(rest) else stats.f.sf(w / k, k, rest)
    return Test(w, float(k), float(p))


def _effects(fitted: Fitted, b: int, part: Part, known: Dense, rest: float) -> Test:
    """The test of a random term, the other weights profiled out."""
    own = known.at(part.index)
    others = np.setdiff1d(np.arange(len(known.matrix)), own)
    across = known.matrix[np.ix_(others, own)]
    rest_of = known.matrix[np.ix_(others, others)] + np.diag(known.penalty[others])
    profiled = known.matrix[np.ix_(own, own)] - across.T @ np.linalg.solve(rest_of, across)
    theta = fitted.fit.theta[b].astype(float)
    score = -derivatives.gradient(fitted.network, fitted.data, theta)
    return effects_test(theta[part.index], score[part.index], profiled, known.penalty[own], known.phi, rest)


def _ratio(fitted: Fitted, b: int, part: Part) -> Test:
    """The likelihood ratio of a random term against the fit without it."""
    whole = exact_fit.problem(fitted, b)
    small = mixed.fit(replace(whole, randoms=tuple(term for term in whole.randoms if term.name != part.term)))
    large = exact_fit.exact_solution(fitted, b)
    statistic = max(2 * (large.log_evidence - small.log_evidence), 0.0)
    effects = next(term.size for term in whole.randoms if term.name == part.term)
    return Test(statistic, float(effects * (effects + 1) // 2), variance_ratio_sf(statistic, effects))
