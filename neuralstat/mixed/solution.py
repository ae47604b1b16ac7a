"""What a fit of penalties gives: coefficients, random effects, strengths, covariances, evidence, variances of predictions."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field

import numpy as np

from ..errors import ArgumentError
from ..network.blas import on_one_thread
from .normal import Factor
from .prepared import Prepared


@dataclass(frozen=True)
class Solution:
    """A fitted problem.

    In degrees of freedom and covariances H is the expected information; log_evidence has the observed one.

    Attributes
    ----------
    beta : (p,) array
    effects : list of (levels, R) arrays
        Predicted random effects (conditional modes); 0 of levels without rows.
    strengths : (G,) array
        lam = phi / variance of each `Penalised`, given ones included.
    covariances : list of (R, R) arrays
        Variances of the effects of each `Random`, in units of the linear predictor (phi is in them).
    scale : float
        The dispersion phi.
    log_evidence : float
        Log of the restricted (criterion "REML") or marginal (criterion "ML") likelihood, all constants included: lme4's
        ``logLik``, and minus mgcv's REML score with the same basis of the unpenalised space; for other than normal errors
        Laplace's approximation of it. Of quasi families an extended quasi-likelihood.
    criterion : str
    fitted_predictor : (n,) array
        Linear predictor of every row, those of weight 0 included.
    deviance : float
    edf : (p,) array
        Diagonal of (H + S)^-1 H over the columns of x.
    edf_random : (K,) array
        Its trace over each random term.
    cov_beta, cov_beta_freq : (p, p) arrays
        (H + S)^-1 phi and (H + S)^-1 H (H + S)^-1 phi over x. Where all penalties are of random effects the first is the
        usual covariance of fixed effects.
    effect_variances : list of (levels, R, R) arrays
        (H + S)^-1 phi over each level: variance of an effect given the data, which counts that of beta.
    conditional_variances : list of (levels, R, R) arrays
        The same at given beta: lme4's ``ranef(condVar=TRUE)``.
    log_strength_se : (G,) array
        Standard errors of log strengths; NaN of given ones and of those at a bound.
    log_sd_se : list of (R,) arrays
        Standard errors of the log standard deviations of each random term; NaN as above.
    log_scale_se : float
        Standard error of log phi; NaN where phi is not estimated.
    at_bound : (G,) bool array
        Strengths at the largest or the smallest value that is tried: penalised away, or hardly at all.
    singular : bool
        Whether the estimated covariance of some random term has not full rank (a variance of 0, a correlation of 1).
    unbounded : bool
        Whether estimates run away: a variance is the largest that is tried (the effects give the responses exactly), or the
        responses of a family without dispersion are fitted exactly (they are separated).
    converged : bool
        Whether log_evidence is within about 1e-4 of a maximum, and nothing runs away.
    decrement : float
        About how far log_evidence is below its maximum.
    iterations : int
        Evaluations of the criterion.
    theta : array
        The optimum in the optimiser's units, for `fit(start=)`.
    """

    beta: np.ndarray
    effects: list[np.ndarray]
    strengths: np.ndarray
    covariances: list[np.ndarray]
    scale: float
    log_evidence: float
    criterion: str
    fitted_predictor: np.ndarray
    deviance: float
    edf: np.ndarray
    edf_random: np.ndarray
    cov_beta: np.ndarray
    cov_beta_freq: np.ndarray
    effect_variances: list[np.ndarray]
    conditional_variances: list[np.ndarray]
    log_strength_se: np.ndarray
    log_sd_se: list[np.ndarray]
    log_scale_se: float
    at_bound: np.ndarray
    singular: bool
    unbounded: bool
    converged: bool
    decrement: float
    iterations: int
    theta: np.ndarray
    prepared: Prepared = field(repr=False)
    factor: Factor = field(repr=False)

    @on_one_thread
    def variance_of(
        self, x: np.ndarray, codes: Sequence[np.ndarray] = (), z: Sequence[np.ndarray] = (), new_levels: bool = True
    ) -> np.ndarray:
        """Variance of the linear predictor of new rows given the data.

        Parameters
        ----------
        x : (m, p) array
        codes : sequence of (m,) int arrays
            Level of each row, for each random term; -1 for a level that was not seen.
        z : sequence of (R, m) arrays
        new_levels : bool
            Whether the effect of a new level counts with its prior variance; else it is held at 0, its mean.

        Returns
        -------
        (m,) array

        Raises
        ------
        ArgumentError
            Where shapes or codes do not fit.
        """
        prepared = self.prepared
        terms = prepared.problem.randoms
        x = np.asarray(x, dtype=float)
        if x.ndim != 2 or x.shape[1] != len(self.beta):
            raise ArgumentError(f"x must have the shape (m, {len(self.beta)}), got {x.shape}.")
        if len(codes) != len(terms) or len(z) != len(terms):
            raise ArgumentError(f"codes and z are needed for each of {len(terms)} random terms.")
        scaled, prior = [], np.zeros(len(x))
        for term, code, rows, scale, covariance in zip(terms, codes, z, prepared.scales, self.covariances):
            if np.shape(code) != (len(x),) or np.shape(rows) != (term.size, len(x)):
                raise ArgumentError(f"random term {term.name!r}: codes must be ({len(x)},) and z ({term.size}, {len(x)}).")
            if len(x) and (np.min(code) < -1 or np.max(code) >= term.levels):
                raise ArgumentError(f"random term {term.name!r}: codes must lie between -1 and {term.levels - 1}.")
            scaled.append(np.asarray(rows, dtype=float) / scale[:, np.newaxis])
            if new_levels:
                prior += np.where(np.asarray(code) < 0, np.einsum("rm,rs,sm->m", rows, covariance, rows), 0.0)
        columns = x @ prepared.back
        inverse = self.factor.inverse(columns.shape[1])
        value = self.factor.leverages(columns, [np.asarray(c) for c in codes], scaled, inverse)
        return value * self.scale / prepared.mean_weight + prior
