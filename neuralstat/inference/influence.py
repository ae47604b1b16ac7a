"""Influence of single observations, from one fit: leverages, Cook's distances, leave-one-out residuals.

With R the (n, P) root of the Gauss-Newton (Fisher) matrix, or J W^(1/2) beside the exact Hessian, and P the penalty's
curvature, ``h_i = R_i (H + P)^-1 R_i'``. At ``hidden=0`` these are the hat values of a GLM, and everything here is what
statsmodels' `OLSInfluence` and `GLMInfluence` give. For a network it is the tangent plane's: exact to first order in
the change of the weights. Pregibon (1981), Annals of Statistics 9:705; Cook & Weisberg (1982), Residuals and Influence
in Regression; St. Laurent & Cook (1993), Biometrika 80:99 (nonlinear models).
"""

from __future__ import annotations

from functools import cached_property
from typing import Any

import numpy as np
import pandas as pd

from ..checks.arguments import FLAG, NONE, REP, Choice, arguments
from ..df import local, roots
from ..errors import ArgumentError
from ..families import Gaussian, working
from ..fitted import fitted_of
from ..likelihood.likelihood import NOTHING, pearson_residuals, response_residuals, without_df
from ..likelihood.predictors import predictors
from ..network import derivatives
from ..network.blas import methods_on_one_thread
from ..network.scaling import affine
from .covariance import inverse

CURVATURES = ("expected", "hessian")


@methods_on_one_thread()
class Influence:
    """Influence of the observations on one repetition of a fit; every Series is on the index of the data.

    Rows kept out of the fit are NaN. A row that stands for several observations (``freq_weights``) has the influence of one
    of them. Made by `NeuralNetResults.get_influence`.

    Parameters
    ----------
    fit : Fitted or NeuralNetResults
        Of one output.
    rep : int or "best"
    curvature : {"expected", "hessian"}
        Of the tangent plane's metric: Gauss-Newton, or the exact Hessian, with which leave-one-out residuals of nets with
        large residuals are nearer to refits (and which needs a minimum).

    Raises
    ------
    ArgumentError
        For several outputs, an unknown curvature, and a Hessian that is not positive definite.

    Examples
    --------
    >>> import neuralstat as ns
    >>> fit = ns.neuralnet("accel ~ times", ns.datasets.mcycle(), hidden=0)
    >>> influence = fit.get_influence()
    >>> influence.summary_frame().round(3).iloc[:2, :4]
       dfb_Intercept.to.accel  dfb_times.to.accel  cooks_d  standard_resid
    0                   0.195              -0.169    0.019           1.105
    1                   0.188              -0.163    0.018           1.071
    """

    @arguments(rep=REP, curvature=Choice(*CURVATURES))
    def __init__(self, fit: Any, rep: Any = "best", curvature: str = "expected") -> None:
        fitted = fitted_of(fit)
        if fitted.network.objective.several:
            raise ArgumentError(f"the family {fitted.likely.name!r} has several parameters: take LikelihoodInfluence.")
        if fitted.network.n_outputs > 1:
            raise ArgumentError(
                f"get_influence needs one output; this fit has {fitted.network.n_outputs}: fit them one at a time."
            )
        _ = fitted.likely  # raises where there is none
        self.fitted, self.b, self.curvature = fitted, fitted.which(rep), curvature

    # ingredients -------------------------------------------------------------------------------------------

    @cached_property
    def _used(self) -> np.ndarray:
        return local.active(self.fitted, self.b)

    @cached_property
    def _root(self) -> np.ndarray:
        """(n, F) roots of what single observations give to the Fisher matrix of the active weights, internal units."""
        often = self.fitted.frequencies
        rows = roots.rows(self.fitted, self.b)[0][:, self._used]
        return rows / np.sqrt(np.where(often > 0, often, 1.0))[:, np.newaxis]

    @cached_property
    def _square(self) -> np.ndarray:
        """(F, F) Fisher matrix of the active weights, internal units."""
        return roots.Roots(self.fitted, self.b).squares(self._used)

    @cached_property
    def _inverse(self) -> np.ndarray:
        fitted, b, used = self.fitted, self.b, self._used
        if self.curvature == "hessian":
            theta = fitted.fit.theta[b].astype(float)
            matrix = derivatives.hessian(fitted.network, fitted.data, theta)[np.ix_(used, used)]
        else:
            matrix = self._square
        penalty = local.penalty_diagonal(fitted, b, used)
        turned, _, negative = inverse(matrix + np.diag(np.broadcast_to(penalty, used.sum())))
        if negative:
            raise ArgumentError(
                f"curvature={self.curvature!r}: the matrix has {negative} negative eigenvalue(s), the weights are not at a "
                "minimum. Train to a smaller threshold (polish=True), or use curvature='expected'."
            )
        return turned

    @cached_property
    def _hat(self) -> np.ndarray:
        often = np.where(self.fitted.frequencies > 0, self.fitted.frequencies, 1.0)
        if self.curvature == "expected":
            penalty = local.penalty_diagonal(self.fitted, self.b, self._used)
            whole = roots.leverages(self.fitted, self.b, self._used, penalty)[0][0]
            return np.clip(whole / often, 0.0, 1.0)
        out = np.empty(self.fitted.n_rows)
        for part, r in roots.Roots(self.fitted, self.b).blocks(self._used, among=2):
            out[part] = np.sum((r[0] @ self._inverse) * r[0], axis=1)
        return out / often

    @cached_property
    def _pearson(self) -> np.ndarray:
        return pearson_residuals(self.fitted, [self.b], self.fitted.own_weights)[0]

    def _series(self, values: np.ndarray, name: str) -> pd.Series:
        return pd.Series(self.fitted.full(values), self.fitted.design.full_index, name=name)

    @property
    def k_vars(self) -> float:
        """Degrees of freedom of the fit, the sum of the leverages of all observations."""
        return float(self._hat @ self.fitted.frequencies)

    @property
    def scale(self) -> float:
        """Dispersion: Pearson's chi2 on n minus `k_vars`, 1 for families that have none."""
        if not self.fitted.likely.dispersed:
            return 1.0
        return float(self._pearson**2 @ self.fitted.frequencies) / self._rest

    @property
    def _rest(self) -> float:
        """Residual degrees of freedom; NaN where none are left."""
        n = self.fitted.nobs
        rest = n - self.k_vars
        return np.nan if without_df(self.fitted, rest if rest > NOTHING * n else 0.0) else rest

    # what users read ---------------------------------------------------------------------------------------

    @property
    def hat_matrix_diag(self) -> pd.Series:
        """Leverages."""
        return self._series(self._hat, "hat_diag")

    @property
    def resid_studentized(self) -> pd.Series:
        """Internally studentized Pearson residuals, r / sqrt(scale (1 - h))."""
        return self._series(self._internal, "standard_resid")

    resid_studentized_internal = resid_studentized

    @cached_property
    def _internal(self) -> np.ndarray:
        with np.errstate(divide="ignore", invalid="ignore"):
            return self._pearson / np.sqrt(self.scale * (1 - self._hat))

    @property
    def resid_studentized_external(self) -> pd.Series:
        """Studentized with the scale without the observation (gaussian responses).

        Raises
        ------
        ArgumentError
            For other families.
        """
        return self._series(self._external, "student_resid")

    @cached_property
    def _external(self) -> np.ndarray:
        if not isinstance(self.fitted.family, Gaussian):
            raise ArgumentError("resid_studentized_external is defined for a gaussian response.")
        rest = self._rest
        with np.errstate(invalid="ignore"):
            return self._internal * np.sqrt((rest - 1) / (rest - self._internal**2))

    @property
    def resid_press(self) -> pd.Series:
        """Leave-one-out residuals y_i - mu_-i(x_i) without refits, in the units of the response.

        Gaussian with identity link: r / (1 - h), exact for linear models. Otherwise one Newton step on the scale of the
        linear predictor: ``eta_-i = eta_i - R_i (H + P)^-1 s_i / (1 - h_i)``.
        """
        fitted = self.fitted
        plain = response_residuals(fitted, self.b)[0]
        family = fitted.likely
        with np.errstate(divide="ignore", invalid="ignore"):
            if isinstance(family, Gaussian) and family.link.name == "identity":
                return self._series(plain / (1 - self._hat), "resid_press")
            y, w, eta = fitted.responses[0], fitted.own_weights, predictors(fitted, [self.b])[0]
            step = np.where(w > 0, working.residuals(family, y, eta), np.nan)  # score over information in eta
            return self._series(y - family.link.inverse(eta - step * self._hat / (1 - self._hat)), "resid_press")

    @property
    def cooks_distance(self) -> tuple[pd.Series, pd.Series]:
        """Cook's distances and their F probabilities (of larger values)."""
        from scipy import stats

        with np.errstate(divide="ignore", invalid="ignore"):
            d = self._internal**2 * self._hat / (1 - self._hat) / self.k_vars
        p = stats.f.sf(d, self.k_vars, self._rest)
        return self._series(d, "cooks_d"), self._series(p, "cooks_pvalue")

    @property
    def dffits_internal(self) -> tuple[pd.Series, float]:
        """Change of the own fit when the observation is left out, in its standard errors; and 2 sqrt(k_vars / n)."""
        return self._series(self._own_change(self._internal), "dffits_internal"), self._threshold

    @property
    def dffits(self) -> tuple[pd.Series, float]:
        """`dffits_internal` with the scale without the observation (gaussian responses)."""
        return self._series(self._own_change(self._external), "dffits"), self._threshold

    def _own_change(self, residuals: np.ndarray) -> np.ndarray:
        with np.errstate(divide="ignore", invalid="ignore"):
            return residuals * np.sqrt(self._hat / (1 - self._hat))

    @property
    def _threshold(self) -> float:
        return float(2 * np.sqrt(self.k_vars / self.fitted.nobs))

    @property
    def d_params(self) -> pd.DataFrame:
        """Change of the weights (original units) by observation i: those of the fit less those without it, to first order.

        ``(H + P)^-1 R_i' r_i / (1 - h_i)``; NaN at weights held out.
        """
        fitted = self.fitted
        with np.errstate(divide="ignore", invalid="ignore"):
            pull = self._pearson / self._unit / (1 - self._hat)
            moved = (self._root * pull[:, np.newaxis]) @ self._inverse
        full = np.zeros((fitted.n_rows, fitted.network.n_params))
        full[:, self._used] = moved
        full = full @ self._into.T
        full[:, ~self._used] = np.nan
        return self._frame(full, list(fitted.network.names))

    @property
    def _into(self) -> np.ndarray:
        """(P, P): changes of weights from internal to original units."""
        scaling = self.fitted.design.scaling
        return np.eye(self._used.size) if scaling is None else affine(self.fitted.network, scaling)[0]

    def _frame(self, values: np.ndarray, names: list[str]) -> pd.DataFrame:
        return pd.DataFrame(self.fitted.full(values.T).T, self.fitted.design.full_index, names)

    @property
    def dfbetas(self) -> pd.DataFrame:
        """`d_params` in standard errors; of a gaussian response with the scale without the observation, as statsmodels."""
        covariance = self._inverse @ self._square @ self._inverse
        full = np.zeros((self._used.size, self._used.size))
        full[np.ix_(self._used, self._used)] = covariance
        unit = np.sqrt(np.maximum(np.diag(self._into @ full @ self._into.T), 0.0))
        scale = np.full(self.fitted.n_rows, self._internal_scale)
        if isinstance(self.fitted.family, Gaussian):
            rest = self._rest
            scale = scale * (rest - self._internal**2) / (rest - 1)
        changes = self.d_params.to_numpy()[self.fitted.design.kept]
        with np.errstate(divide="ignore", invalid="ignore"):
            values = changes / (np.sqrt(np.maximum(scale, 0.0))[:, np.newaxis] * unit)
        return self._frame(values, [f"dfb_{name}" for name in self.fitted.network.names])

    @property
    def _internal_scale(self) -> float:
        """`scale` in internal units."""
        return self.scale / self._unit**2

    @property
    def _unit(self) -> float:
        """Size of the internal unit of the response."""
        scaling = self.fitted.design.scaling
        return 1.0 if scaling is None else float(scaling.y_sd[0])

    @arguments(dfbetas=NONE | FLAG)
    def summary_frame(self, dfbetas: bool | None = None) -> pd.DataFrame:
        """Cook's distance, residuals, leverages, dffits: a row per observation, statsmodels' column names.

        Parameters
        ----------
        dfbetas : bool, optional
            Begin with the changes of every weight, ``dfb_...``. Default where there is no hidden layer: a single weight of
            a network has a meaning only beside the others of its unit.
        """
        columns = [self.cooks_distance[0], self.resid_studentized, self.hat_matrix_diag, self.dffits_internal[0]]
        if isinstance(self.fitted.family, Gaussian):
            columns += [self._series(self._external, "student_resid"), self.dffits[0]]
        changes = [self.dfbetas] if (len(self.fitted.network.shapes) == 1 if dfbetas is None else dfbetas) else []
        return pd.concat([*changes, *columns, self.resid_press], axis=1)
