"""Fitting a problem: strengths by restricted or marginal likelihood, then everything that follows from them."""

from __future__ import annotations

from dataclasses import replace

import numpy as np

from ..checks.values import shown
from ..errors import ArgumentError
from ..network.blas import on_one_thread
from .criterion import Criterion
from .normal import Factor
from .optimise import Search, first_guess, search, search_jointly
from .prepared import Layout, Prepared, prepare
from .problem import Problem
from .solution import Solution

CRITERIA = ("auto", "REML", "ML")
EXACT, CERTAIN = 1e-3, 1e-3  # of separated responses: deviance by that of a constant, mean variance of a response


@on_one_thread
def fit(problem: Problem, criterion: str = "auto", tol: float = 1e-11, start: Solution | None = None) -> Solution:
    """Fit a penalised generalised linear model with its strengths and covariances.

    Parameters
    ----------
    problem : Problem
    criterion : str
        "REML": strengths maximise the likelihood with beta integrated over (under a flat prior where there is no penalty),
        and beta is the mode at them. "ML": strengths and coefficients without penalty maximise the likelihood with all that
        is penalised integrated over, jointly, as lme4's ``glmer(nAGQ=1)`` does. For other than normal errors integrals are
        Laplace's approximations. "auto": "REML" for the gaussian family and where some columns are penalised, else "ML".
    tol : float
        How far below its maximum the log evidence may be, by Newton's decrement.
    start : Solution, optional
        Of a problem with the same terms: where the search starts.

    Returns
    -------
    Solution

    Raises
    ------
    ArgumentError, DataError, TooLargeError
        Where an argument is unknown, coefficients are not determined, too many columns would be dense.

    References
    ----------
    Wood 2011, Journal of the Royal Statistical Society B 73:3; Bates et al. 2015, Journal of Statistical Software 67, 1.
    """
    if criterion not in CRITERIA:
        raise ArgumentError(f"criterion must be one of {', '.join(map(repr, CRITERIA))}; got {shown(criterion)}.")
    if criterion == "auto":
        smooth = problem.family.kin == "gaussian" or problem.penalties
        criterion = "REML" if smooth else "ML"
    prepared = prepare(problem)
    profile = Criterion(prepared, criterion == "REML")
    layout = profile.layout
    if start is None:
        theta = first_guess(profile)
    elif len(start.theta) == layout.count:
        theta = np.where(layout.diagonal, np.maximum(start.theta, 1e-2), start.theta)
    else:
        raise ArgumentError(f"start has {len(start.theta)} strengths and variances; {layout.count} are estimated.")
    last = profile
    penalised = bool(problem.randoms) or prepared.penalised > 0
    jointly = criterion == "ML" and not prepared.is_linear and prepared.free > 0 and penalised
    found = search(profile, np.clip(theta, layout.lower, layout.upper), tol, rough=jointly)
    if jointly:
        last = Criterion(prepared, restricted=False, joint=True)
        q, mode = prepared.penalised, found.state.mode
        last.solver.last = mode.beta[:q], [u @ f.T for u, f in zip(mode.effects, found.state.factors)]
        first = mode.factor.start + q
        covariance = mode.factor.inverse(prepared.rows.x.shape[1])[first:, first:] * found.state.phi
        found = search_jointly(last, found.minimum.point, mode.beta[q:], covariance, tol)
        found = replace(found, iterations=found.iterations + profile.evaluations)
    return _solution(prepared, last, found, criterion)


def _solution(prepared: Prepared, criterion: Criterion, found: Search, name: str) -> Solution:
    """Everything at the optimum; variances at their lower bound are 0."""
    problem, layout = prepared.problem, criterion.layout
    best = found.minimum
    theta, held = best.point[: layout.count], best.point[layout.count :]
    inside = best.inside[: layout.count]
    none = layout.diagonal & ~inside & (theta < 1)
    strength_se, sd_se, scale_se = _errors(prepared, criterion, found)
    state = criterion(np.where(none, 0.0, theta), held if criterion.joint else None, slopes=False)
    mode, phi = state.mode, state.phi
    coefficients = np.concatenate([mode.beta, held]) if criterion.joint else mode.beta
    entries = state.strengths @ prepared.diagonals if len(state.strengths) else np.zeros(len(coefficients))
    factor = mode.factor
    if criterion.joint or not problem.family.canonical:
        weight = prepared.response.expected(mode.eta)
        factor = Factor(prepared.rows, prepared.rows.moments(weight), entries, state.factors)
    inverse = factor.inverse(len(coefficients))
    covariance = inverse[factor.start :, factor.start :]
    frequentist = covariance - covariance @ (entries[:, np.newaxis] * covariance) - factor.coupling(inverse)
    blocks, given = factor.blocks(inverse), factor.blocks(factor.inverse(0))
    unbounded = bool(np.any(layout.diagonal & ~inside & (theta >= 1)))
    if not problem.family.dispersed:
        unbounded |= _is_separated(prepared, mode.eta, mode.deviance)
    true_phi, back = phi * prepared.mean_weight, prepared.back
    edf = np.empty(len(coefficients))
    edf[prepared.order] = 1 - np.diag(covariance) * entries
    factors = [f / s[:, np.newaxis] for f, s in zip(state.factors, prepared.scales)]
    strengths = state.strengths * prepared.mean_weight
    strengths[~np.isnan(layout.fixed)] = [problem.fixed[t.name] for t in problem.penalties if t.name in problem.fixed]
    at_bound = np.zeros(len(strengths), dtype=bool)
    at_bound[layout.estimated] = ~inside[layout.logs]
    beta = back @ coefficients
    effects = [u @ f.T for u, f in zip(mode.effects, factors)]
    predictor = problem.x @ beta + (0.0 if problem.offset is None else problem.offset)
    for term, b in zip(problem.randoms, effects):
        predictor += np.einsum("rn,nr->n", term.z, b[term.codes])
    return Solution(
        beta=beta, effects=effects, strengths=strengths, covariances=[phi * f @ f.T for f in factors],
        scale=true_phi, log_evidence=-state.value, criterion=name, fitted_predictor=predictor,
        deviance=mode.deviance * prepared.mean_weight, edf=edf,
        edf_random=np.array([u.size - np.einsum("lii->", b) for u, b in zip(mode.effects, blocks)]),
        cov_beta=phi * back @ covariance @ back.T, cov_beta_freq=phi * back @ frequentist @ back.T,
        effect_variances=[phi * f @ b @ f.T for f, b in zip(factors, blocks)],
        conditional_variances=[phi * f @ b @ f.T for f, b in zip(factors, given)],
        log_strength_se=strength_se, log_sd_se=sd_se, log_scale_se=scale_se, at_bound=at_bound, singular=bool(np.any(none)),
        unbounded=unbounded, converged=best.converged and not unbounded, decrement=best.decrement,
        iterations=found.iterations, theta=theta, prepared=prepared, factor=factor,
    )  # fmt: skip


def _is_separated(prepared: Prepared, eta: np.ndarray, deviance: float) -> bool:
    """Whether responses are fitted exactly by means at the end of their range."""
    response = prepared.response
    variance = response.family.variance(response.family.link.inverse(eta))
    certain = float(response.case @ variance) <= CERTAIN * float(response.case.sum())
    return certain and deviance <= EXACT * response.deviance(prepared.start)


def _errors(prepared: Prepared, criterion: Criterion, found: Search) -> tuple[np.ndarray, list[np.ndarray], float]:
    """Standard errors of log strengths, of the log standard deviations of effects, of log phi, from the criterion's Hessian.

    The Hessian is that of the criterion at its best phi; phi's own uncertainty comes in through the criterion's slope in phi.
    """
    layout: Layout = criterion.layout
    m = layout.count
    best = found.minimum
    theta, held = best.point[:m], (best.point[m:] if criterion.joint else None)
    covariance = np.zeros((m + 1, m + 1))
    inside = np.flatnonzero(best.inside)
    try:
        inverse = np.linalg.inv(best.hessian[np.ix_(inside, inside)])
    except np.linalg.LinAlgError:
        inverse = np.full((len(inside), len(inside)), np.nan)
    own = inside < m
    covariance[np.ix_(inside[own], inside[own])] = inverse[np.ix_(own, own)]
    log_scale_se = np.nan
    if prepared.problem.family.dispersed:
        step, phi = 1e-4, found.state.phi
        ends = [criterion(theta, held, phi=phi * np.exp(s * step)) for s in (-1, 1)]
        cross = (ends[1].gradient[:m] - ends[0].gradient[:m]) / (2 * step)
        bend = (ends[1].slope_phi - ends[0].slope_phi) / (2 * step)
        pull = covariance[:m, :m] @ cross / bend
        covariance[:m, m] = covariance[m, :m] = -pull
        covariance[m, m] = 1 / bend + cross @ pull / bend
        log_scale_se = float(np.sqrt(covariance[m, m]))
    at_bound = ~best.inside[:m]
    strengths = np.full(len(layout.fixed), np.nan)
    with np.errstate(invalid="ignore"):
        errors = np.sqrt(np.diag(covariance)[:m])
    strengths[layout.estimated] = np.where(at_bound, np.nan, errors)[layout.logs]
    _, factors = layout.unpack(theta)
    deviations, at = [], int(layout.logs.sum())
    for k, (factor, (i, j)) in enumerate(zip(factors, layout.places)):
        found_se = np.full(len(factor), np.nan)
        for r in range(len(factor)):
            if layout.given[k] is not None:
                continue
            mine = i == r
            places = at + np.flatnonzero(mine)
            if np.all(at_bound[places]):
                continue
            slope = np.zeros(m + 1)
            slope[places] = factor[i[mine], j[mine]] / np.sum(np.square(factor[r]))
            slope[m] = 0.5
            with np.errstate(invalid="ignore"):
                found_se[r] = np.sqrt(slope @ covariance @ slope)
        deviations.append(found_se)
        at += len(i)
    return strengths, deviations, log_scale_se
