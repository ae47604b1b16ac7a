"""Marginal likelihood of a penalised fit, degrees of freedom of its groups of weights, and the posterior of its weights.

A gaussian penalty w'Sw / 2 beside the sum of errors E is a normal prior of the weights with the precision S / phi, phi the
dispersion of the noise. With H the Hessian of E at the optimum, the weights are a posteriori about normal with the
covariance phi (H + S)^-1, and by Laplace's method

    log p(y) = l(w, phi) - w'Sw / (2 phi) + log |S / phi|_+ / 2 - log |(H + S) / phi| / 2 + M log(2 pi) / 2

l is the log-likelihood in the units of the response, M the number of weights without a penalty, which have a flat prior in
the units that training sees, in structured formulas those of the data (fits with other such weights compare by it up to these
units alone), |.|_+ the product of what is positive. All constants are in it. For a model without hidden units, gaussian and
of the identity link it is exact, and the restricted (REML) likelihood, lme4's ``logLik``; of structured formulas without
networks it is what their strengths maximise, which for random effects of other families is the likelihood by Laplace's
method, as lme4's.

References
----------
MacKay (1992), Neural Computation 4:415 and 4:448. Wood (2011), JRSS B 73:3.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import pandas as pd

from ..df import exact_fit
from ..df.local import active
from ..errors import ArgumentError, DfError
from ..families import Gaussian, Quantile
from ..fitted import Fitted, kept
from ..functions.penalties import ELIMINATION, L1
from ..network import derivatives
from ..network.scaling import sizes
from ..training.curvature import Factor, factor_of, gauss_newton, undetermined
from ..training.structured import structured
from . import several as of_parameters
from .likelihood import check_likely, loglike_at, scale, several
from .predictors import predictors

MOST = 5_000  # weights
AWAY = 1e9  # strength, beside a dispersion of about 1, from which on a group is penalised away
COLUMNS = ("group", "kind", "weights", "strength", "sd", "edf")


@dataclass(frozen=True)
class Posterior:
    """The normal approximation of the weights' posterior at one repetition; F weights used, internal units.

    Attributes
    ----------
    used : (P,) bool array
        Weights that move.
    penalty : (F,) array
        Diagonal of S.
    edf : (F,) array
        Diagonal of (H + S)^-1 H: degrees of freedom of each weight, which add up to those of the fit. H is here the
        Gauss-Newton (Fisher) matrix, as in the method "jacobian" of degrees of freedom: the exact Hessian of a network may be
        indefinite, and these negative. Without hidden units it is the exact one.
    phi : float
        Dispersion, 1 where the family has none.
    exact : bool
        Whether the Hessian behind variances is: where it and S are not positive definite together, the Gauss-Newton matrix
        stands for it.
    factor : Factor
        Of H + S.
    loose : int
        Directions that neither data nor penalty determine, and nothing depends on.
    """

    used: np.ndarray
    penalty: np.ndarray
    edf: np.ndarray
    phi: float
    exact: bool
    factor: Factor
    loose: int = 0

    def spread(self, jacobian: np.ndarray) -> np.ndarray:
        """(...) posterior variances of linear functions with the derivatives (..., P)."""
        flat = jacobian[..., self.used].reshape(-1, int(self.used.sum()))
        return self.phi * np.sum(flat * self.factor.solve(flat.T).T, axis=1).reshape(jacobian.shape[:-1])


@kept
def posterior(fitted: Fitted, b: int) -> Posterior:
    """The posterior of repetition b (from 0).

    Raises
    ------
    ArgumentError
        Where the penalty is not gaussian, the error belongs to no family, or the weights are too many.
    DfError
        Where data and penalty do not determine the weights: H + S is not positive definite.
    """
    network = fitted.network
    _ = fitted.likely
    held = fitted.penalty_of(b)
    if held is not None and np.any(held[:, [ELIMINATION, L1]] != 0):
        raise ArgumentError("the marginal likelihood and the posterior are those of a gaussian penalty: decay(), not "
                            f"{fitted.settings.penalty}.")  # fmt: skip
    used = active(fitted, b)
    if used.sum() > MOST:
        raise ArgumentError(f"the posterior of {int(used.sum()):,} weights takes a matrix of their size; at most {MOST:,}.")
    theta, s = fitted.fit.theta[b].astype(float), fitted.penalty_curvature(b)[used]
    if not np.isfinite(theta).all():
        raise DfError(f"the weights of repetition {b + 1} are not finite: it diverged.")
    loose = undetermined(network, used, s)
    closed = np.diag(s) + loose @ loose.T
    own = isinstance(fitted.family, Quantile)  # whose loss has kinks
    hessian = None if own else derivatives.hessian(network, fitted.data, theta)[np.ix_(used, used)]
    factor = None if hessian is None or not np.isfinite(hessian).all() else factor_of(hessian + closed)
    fisher = hessian if len(network.table) == 1 and factor is not None else gauss_newton(network, fitted.data, theta, used)
    exact = factor is not None
    of_fisher = factor if fisher is hessian else None if fisher is None else factor_of(fisher + closed)
    factor = of_fisher if factor is None else factor
    if factor is None or fisher is None or of_fisher is None:
        raise DfError(f"data and penalty do not determine the weights of repetition {b + 1} (H + S is not positive "
                      "definite), so that they have no posterior: fit with penalty=decay('estimate').")  # fmt: skip
    edf = np.einsum("jk,kj->j", of_fisher.solve(np.eye(len(s))), fisher)
    return Posterior(used, s, edf, _phi(fitted, b, float(edf.sum())), exact, factor, loose.shape[1])


def _phi(fitted: Fitted, b: int, edf: float) -> float:
    """Dispersion of repetition b in internal units: as strengths were estimated with, else the package's."""
    if not fitted.dispersed:
        return 1.0
    if fitted.fit.dispersion is not None:
        return float(fitted.fit.dispersion[b])
    if not several(fitted):
        unit = 1.0 if fitted.design.scaling is None else float(fitted.design.scaling.y_sd[0]) ** 2
        return float(scale(fitted, b)) / unit
    rest = fitted.n_values - edf
    error = derivatives.error(fitted.network, fitted.data, fitted.fit.theta[b].astype(float))
    return 2 * error / rest if rest > 0 else np.nan


@kept
def log_evidence(fitted: Fitted, b: int) -> float:
    """Logarithm of the marginal likelihood of repetition b (from 0); see the module.

    Raises
    ------
    ArgumentError, DfError
        As `posterior`; where the family has no likelihood.
    """
    if exact_fit.exactly(fitted):
        return _of_terms(fitted, b)
    found = posterior(fitted, b)
    size = np.log(sizes(fitted.network, fitted.design.scaling)[found.used])
    w, s, phi = fitted.fit.theta[b].astype(float)[found.used], found.penalty, found.phi
    held = s > 0
    if not phi > 0:
        raise DfError(f"repetition {b + 1} fits the data without a residual, or has no degrees of freedom left: there is no "
                      "dispersion at which to take a marginal likelihood.")  # fmt: skip
    return float(
        _loglike(fitted, b, phi) - s @ w**2 / (2 * phi) + np.sum(np.log(s[held] / phi)) / 2
        - (found.factor.log_determinant - w.size * np.log(phi)) / 2 + (np.sum(~held) - found.loose) * np.log(2 * np.pi) / 2
        + (np.sum(size[~held]) if structured(fitted.design) and not found.loose else 0.0)
    )  # fmt: skip


def _of_terms(fitted: Fitted, b: int) -> float:
    """What an exact fit of penalised terms maximises, in the units of the data."""
    solution, at = exact_fit.exact_solution(fitted, b), exact_fit.dense_index(fitted)
    unit = float(exact_fit.units(fitted)[0])
    value = float(solution.log_evidence) - fitted.nobs * np.log(unit)
    if solution.criterion == "REML":
        held = fitted.penalty_curvature(b)[at] > 0
        value += float(np.sum(np.log(sizes(fitted.network, fitted.design.scaling)[at])[~held]))
    return value


def _loglike(fitted: Fitted, b: int, phi: float) -> float:
    """Log-likelihood of repetition b in the units of the response, at a dispersion in internal units."""
    if of_parameters.is_several(fitted):
        return of_parameters.loglike(fitted, b)
    check_likely(fitted)
    scaling, k = fitted.design.scaling, fitted.design.y.shape[0]
    unit = np.ones(k) if scaling is None else scaling.y_sd**2
    at = np.diag(phi * unit) if several(fitted) else phi * float(unit[0])
    eta = None if isinstance(fitted.family, Gaussian) else predictors(fitted, [b])
    return loglike_at(fitted, fitted.means(b), at, eta)


def log_evidences(fitted: Fitted) -> np.ndarray:
    """(B,) `log_evidence` of all repetitions; NaN where one has none."""
    out = np.full(fitted.nrep, np.nan)
    for b in range(fitted.nrep):
        try:
            out[b] = log_evidence(fitted, b)
        except DfError:
            continue
    return out


def evidence_weights(fitted: Fitted, numbers: list[int]) -> np.ndarray:
    """(R,) weights of repetitions in a mean, in proportion to their marginal likelihoods.

    Raises
    ------
    ArgumentError, DfError
        Where none has one.
    """
    logs = log_evidences(fitted)[numbers]
    if not np.isfinite(logs).any():
        posterior(fitted, numbers[0])  # its error
        raise DfError("no repetition has a marginal likelihood.")
    w = np.exp(np.where(np.isfinite(logs), logs, -np.inf) - np.nanmax(logs))
    return w / w.sum()


def strengths(fitted: Fitted, b: int) -> pd.DataFrame:
    """Estimated strengths of the penalty at repetition b (from 0), by group of weights.

    Returns
    -------
    DataFrame
        Columns ``group``, ``kind``, ``weights`` (their number), ``strength`` (lam), ``sd`` (root of phi / lam, the standard
        deviation of the group's weights a priori, in the units that training sees) and ``edf`` (sum of the diagonal of
        (H + S)^-1 H over the weights). The row "given" has the weights whose penalty was given, "unpenalised" those of none.

    Raises
    ------
    ArgumentError
        Where no strength was estimated.
    """
    lam = fitted.fit.strengths
    if lam is None:
        raise ArgumentError("strengths: none was estimated; fit with penalty=decay('estimate').")
    found = posterior(fitted, b)
    edf = np.zeros(found.used.size)
    edf[found.used] = found.edf
    rows, rest = [], found.used.copy()
    for strength, group in zip(lam[b], fitted.procedure.groups, strict=True):
        own = group.index[found.used[group.index]]
        rest[own] = False
        sd = np.sqrt(found.phi / strength) if strength > 0 else np.inf
        strength, sd = (np.inf, 0.0) if strength > AWAY else (strength, sd)
        rows.append((group.name, group.kind, own.size, float(strength), float(sd), float(edf[own].sum())))
    given = rest & (fitted.penalty_curvature(b) > 0)
    if given.any():
        rows.append(("given", "decay", int(given.sum()), np.nan, np.nan, float(edf[given].sum())))
    if (rest & ~given).any():
        rest = rest & ~given
        rows.append(("unpenalised", "", int(rest.sum()), 0.0, np.inf, float(edf[rest].sum())))
    return pd.DataFrame(rows, columns=list(COLUMNS))
