"""Influence of single observations on distributions with several parameters, from one fit, by the likelihood.

With l_i the log-likelihood of observation i, w_i its weight, g_i and W_i the first and (minus) second derivatives of l_i in
the K linear predictors, J_i their (K, P) Jacobian in the weights, and A the curvature of error and penalty, one Newton step
from the fit without the observation is

    theta - theta_(i) = A^-1 J_i' (I - w_i W_i G_i)^-1 w_i g_i,    G_i = J_i A^-1 J_i'

What it costs the others is measured by the likelihood displacement, (theta - theta_(i))' A (theta - theta_(i)), twice the
fall of the log-likelihood to second order. Of a normal response with known variance, one output and no hidden layer it is
Cook's distance times the number of weights. The step is the whole Newton step where linear predictors are linear in the
weights; with hidden layers the network is taken as its tangent at the observation that is left out.

References
----------
Pregibon (1981), Annals of Statistics 9:705. Cook (1986), Assessment of local influence, JRSS B 48:133. Efron (1982), The
jackknife, the bootstrap and other resampling plans, chapter 6 (infinitesimal jackknife).
"""

from __future__ import annotations

from collections.abc import Iterator
from functools import cached_property
from typing import Any

import numpy as np
import pandas as pd

from ..checks.arguments import FLAG, NONE, REP, Choice, arguments
from ..df import local, roots
from ..df.information import observed_scores
from ..df.parameters import expected_of, second_derivatives
from ..errors import ArgumentError
from ..fitted import fitted_of
from ..likelihood.several import likely
from ..network import blocks, derivatives
from ..network.blas import methods_on_one_thread
from ..network.scaling import affine
from .coefficients import standard_errors
from .covariance import inverse
from .distribution import quantile_residuals

CURVATURES = ("hessian", "expected")
WHOLE = 1e-8  # share of a direction's information that others must have, for it to be estimable without an observation


@methods_on_one_thread()
class LikelihoodInfluence:
    """Influence of the observations on one repetition of a fit; every Series is on the index of the data.

    Rows kept out of the fit are NaN. A row that stands for several observations (``freq_weights``) has the influence of one
    of them. Made by `NeuralNetResults.get_influence` for families with several parameters.

    Parameters
    ----------
    fit : Fitted or NeuralNetResults
        Of a distribution with several parameters.
    rep : int or "best"
    curvature : {"hessian", "expected"}
        The observed information, or the expected one.

    Raises
    ------
    ArgumentError
        For losses that are no likelihood, and a Hessian that is not positive definite.

    Examples
    --------
    >>> import neuralstat as ns
    >>> settings = {"family": "gaussian", "dispformula": "~ times"}
    >>> fit = ns.neuralnet("accel ~ times", ns.datasets.mcycle(), hidden=0, **settings)
    >>> influence = fit.get_influence()
    >>> influence.summary_frame().iloc[:, :3].head(3).round(3)
       dfb_Intercept.to.accel  dfb_times.to.accel  dfb_Intercept.to.sigma
    0                   0.105              -0.095                  -0.050
    1                   0.102              -0.093                  -0.055
    2                   0.099              -0.089                  -0.060
    """

    @arguments(rep=REP, curvature=Choice(*CURVATURES))
    def __init__(self, fit: Any, rep: Any = "best", curvature: str = "hessian") -> None:
        fitted = fitted_of(fit)
        if not fitted.network.objective.several:
            raise ArgumentError(f"the family {fitted.likely.name!r} has one parameter: get_influence gives its Influence.")
        likely(fitted)
        self.fitted, self.rep, self.b, self.curvature = fitted, rep, fitted.which(rep), curvature

    @property
    def _coupled(self) -> bool:
        """Whether rows have no likelihoods of their own."""
        return self.fitted.network.objective.coupled

    @cached_property
    def _first_order(self) -> np.ndarray:
        """(n, F) derivatives of the active weights in each row's case weight, times it, internal units."""
        theta = self.fitted.fit.theta[self.b].astype(float)
        return -observed_scores(self.fitted, theta)[:, self._used] @ self._inverse

    # ingredients -------------------------------------------------------------------------------------------

    @cached_property
    def _used(self) -> np.ndarray:
        return local.active(self.fitted, self.b)

    def _jacobians(self) -> Iterator[tuple[slice, np.ndarray]]:
        """Which rows, and (m, K, F) of the linear predictors in the active weights, internal units."""
        theta = self.fitted.fit.theta[self.b].astype(float)
        for part, jacobian in blocks.jacobians(self.fitted.network, self.fitted.data, theta, among=3):
            yield part, jacobian[:, :, self._used].transpose(1, 0, 2)

    @cached_property
    def _slopes(self) -> np.ndarray:
        """(n, K) derivatives of minus the log-likelihoods in the linear predictors, weight 1."""
        raw = self.fitted.fitted_raw([self.b])[0]
        return derivatives.predictor_losses(self.fitted.network, raw, self.fitted.design.y)[1].T

    @cached_property
    def _bends(self) -> np.ndarray:
        """(n, K, K) second derivatives of minus the log-likelihoods, or their expectations."""
        if self.curvature == "expected" or self._coupled:
            return expected_of(self.fitted, self.b)
        return second_derivatives(self.fitted, self.fitted.fitted_raw([self.b])[0], self.fitted.design.y)

    @cached_property
    def _curve(self) -> np.ndarray:
        """A (F, F)."""
        fitted, b, used = self.fitted, self.b, self._used
        if self.curvature == "hessian":
            return local.hessian(fitted, b, used)
        return roots.Roots(fitted, b).squares(used) + np.diag(local.penalty_diagonal(fitted, b, used))

    @cached_property
    def _inverse(self) -> np.ndarray:
        turned, _, negative = inverse(self._curve)
        if negative:
            raise ArgumentError(
                f"curvature={self.curvature!r}: the matrix has {negative} negative eigenvalue(s), the weights are not at a "
                "minimum. Train to a smaller threshold (polish=True), or use curvature='expected'."
            )
        return turned

    @cached_property
    def _weight(self) -> np.ndarray:
        """(n,) of one of the observations that a row stands for."""
        return np.where(self.fitted.frequencies > 0, self.fitted.own_weights, 0.0)

    @cached_property
    def _shares(self) -> np.ndarray:
        """w_i W_i G_i, (n, K, K)."""
        out = np.empty_like(self._bends)
        for part, jacobian in self._jacobians():
            spread = (jacobian @ self._inverse) @ jacobian.transpose(0, 2, 1)
            out[part] = self._weight[part, np.newaxis, np.newaxis] * np.einsum("nkl,nlj->nkj", self._bends[part], spread)
        return out

    def _moves(self) -> Iterator[tuple[slice, np.ndarray, np.ndarray]]:
        """Which rows, `_jacobians`, and theta - theta_(i), (m, F), internal units; NaN where too little is left.

        Where observations are coupled to first order in their weights: R's ``residuals(coxph, "dfbeta")``.
        """
        pull = -(self._weight[:, np.newaxis] * self._slopes)[:, :, np.newaxis]
        for part, jacobian in self._jacobians():
            if self._coupled:
                yield part, jacobian, self._first_order[part]
                continue
            rest = np.eye(self._shares.shape[1]) - self._shares[part]
            out = np.full((len(rest), self._inverse.shape[0]), np.nan)
            some = np.isfinite(rest).all(axis=(1, 2))
            some[some] = np.linalg.svd(rest[some], compute_uv=False)[:, -1] > WHOLE
            solved = np.linalg.solve(rest[some], pull[part][some])[:, :, 0]
            out[some] = np.einsum("nkf,nk->nf", jacobian[some], solved) @ self._inverse
            yield part, jacobian, out

    def _series(self, values: np.ndarray, name: str) -> pd.Series:
        return pd.Series(self.fitted.full(values), self.fitted.design.full_index, name=name)

    def _by_weight(self, values: np.ndarray, names: list[str]) -> pd.DataFrame:
        """Changes (n, F) of active weights, internal units, as those of all in original units; NaN at those held out."""
        fitted = self.fitted
        full = np.zeros((fitted.n_rows, fitted.network.n_params))
        full[:, self._used] = values
        if fitted.design.scaling is not None:
            full = full @ affine(fitted.network, fitted.design.scaling)[0].T
        full[:, ~self._used] = np.nan
        return pd.DataFrame(fitted.full(full.T).T, fitted.design.full_index, names)

    # what users read ---------------------------------------------------------------------------------------

    @property
    def k_vars(self) -> float:
        """Degrees of freedom of the fit, the sum of the leverages of all observations."""
        return float(np.nansum(np.trace(self._shares, axis1=1, axis2=2) * self.fitted.frequencies))

    @property
    def hat_matrix_diag(self) -> pd.Series:
        """Leverages tr(w_i W_i G_i): the observation's share of the information on the weights that it bears upon.

        With the observed information they may be negative, at observations that the fit does not expect.
        """
        return self._series(np.trace(self._shares, axis1=1, axis2=2), "hat_diag")

    @property
    def resid_quantile(self) -> pd.Series:
        """Randomised quantile residuals of the repetition."""
        return quantile_residuals(self.fitted, self.rep)

    @property
    def d_params(self) -> pd.DataFrame:
        """Change of the weights (original units) by each observation: those of the fit less those without it, one step."""
        return self._by_weight(np.concatenate([own for _, _, own in self._moves()]), list(self.fitted.network.names))

    @property
    def empirical_influence(self) -> pd.DataFrame:
        """Derivatives of the weights (original units) in each row's case weight, times it: the infinitesimal jackknife.

        The sum of their outer products is the covariance "sandwich".
        """
        return self._by_weight(self._first_order, list(self.fitted.network.names))

    @property
    def dfbetas(self) -> pd.DataFrame:
        """`d_params` in standard errors of the weights (of the same curvature)."""
        se = standard_errors(self.fitted, self.curvature, self.b + 1).to_numpy()
        values = self.d_params
        with np.errstate(divide="ignore", invalid="ignore"):
            return pd.DataFrame(values.to_numpy() / se, values.index, [f"dfb_{n}" for n in self.fitted.network.names])

    @cached_property
    def _displacement(self) -> np.ndarray:
        return np.concatenate([np.sum((own @ self._curve) * own, axis=1) for _, _, own in self._moves()])

    @property
    def likelihood_displacement(self) -> pd.Series:
        """Twice the fall of the log-likelihood (with the penalty) from the fit to the weights without the observation."""
        return self._series(self._displacement, "likelihood_displacement")

    @property
    def cooks_distance(self) -> tuple[pd.Series, pd.Series]:
        """`likelihood_displacement` over `k_vars`, and chi2 probabilities of larger displacements on `k_vars`."""
        from scipy import stats

        k = self.k_vars
        p = stats.chi2.sf(self._displacement, k)
        return self._series(self._displacement / k, "cooks_d"), self._series(p, "cooks_pvalue")

    @property
    def loglike_loo(self) -> pd.Series:
        """Log-likelihood of each observation at the weights without it, to first order in the linear predictors.

        Their sum estimates that of new responses at new covariates; units of the response.

        Raises
        ------
        ArgumentError
            Where observations are coupled (Cox's model), and have none.
        """
        fitted = self.fitted
        if self._coupled:
            name = fitted.distribution.name
            raise ArgumentError(f"loglike_loo: rows of the family {name!r} have no likelihoods of their own.")
        raw = fitted.fitted_raw([self.b])[0]
        for part, jacobian, own in self._moves():
            raw[:, part] -= np.einsum("nkf,nf->kn", jacobian, own)
        with np.errstate(all="ignore"):
            losses = derivatives.predictor_losses(fitted.network, fitted.original_predictors(raw), fitted.responses)[0]
        return self._series(-losses * fitted.own_weights, "loglike_loo")

    @arguments(dfbetas=NONE | FLAG)
    def summary_frame(self, dfbetas: bool | None = None) -> pd.DataFrame:
        """Cook's distance, quantile residuals, leverages, displacements, left-out log-likelihoods: a row per observation.

        Parameters
        ----------
        dfbetas : bool, optional
            Begin with the changes of every weight, ``dfb_...``. Default where there is no hidden layer: a single weight of
            a network has a meaning only beside the others of its unit.
        """
        columns = [self.cooks_distance[0], self._residuals(), self.hat_matrix_diag, self.likelihood_displacement]
        if not self._coupled:
            columns.append(self.loglike_loo)
        changes = []
        if len(self.fitted.network.shapes) == 1 if dfbetas is None else dfbetas:
            changes = [self.dfbetas.loc[:, self._used]]
        return pd.concat([*changes, *[c for c in columns if c is not None]], axis=1)

    def _residuals(self) -> pd.Series | None:
        """Quantile residuals; none of a user's density without its distribution function."""
        try:
            return self.resid_quantile.rename("quantile_resid")
        except ArgumentError:
            return None
