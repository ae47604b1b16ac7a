"""Likelihood of a fit: deviance, dispersion, residuals, information criteria."""

from __future__ import annotations

from functools import cached_property
from typing import TYPE_CHECKING, Any

import numpy as np

from ..errors import ArgumentError
from ..families import Binomial, Family, Gaussian, Multinomial
from ..families.null import null_means
from ..network import derivatives

if TYPE_CHECKING:
    from ..formula import Design
    from ..network.network import Network
    from ..training.train import Fit

RESIDUALS = ("response", "deviance", "pearson", "working")
CRITERIA = ("aic", "aicc", "bic", "qaic")


class LikelihoodMixin:
    """What a likelihood adds to `NeuralNetResults`.

    Everything here is of the best repetition (methods take `rep`), unlike `fittedvalues` and `resid`, which average
    over the repetitions: an average of networks has no weights of its own. A fit by `err_fct` has a likelihood too:
    "sse" is half the gaussian deviance, "ce" half the binomial.
    """

    design: Design
    network: Network
    fit: Fit

    # the family and its ingredients ------------------------------------------------------------------------

    @cached_property
    def family(self) -> Family | None:
        """The exponential family of the likelihood; None for a user's error function."""
        goal = self.network.objective
        if goal.family is not None:
            return goal.family
        link = {"identity": "identity", "logistic": "logit"}.get(goal.output.name)
        if goal.name == "sse":
            return Gaussian(link)
        if goal.name in ("ce", "ce_logit", "ce_r"):
            return Binomial(link)
        return None

    def _likely(self) -> Family:
        if self.family is None:
            raise ArgumentError(
                f"the error function {self.network.objective.name!r} belongs to no family, so there is no likelihood: "
                "fit with family=, or err_fct='sse' or 'ce'."
            )
        return self.family

    def _means(self, b: int) -> np.ndarray:
        """(K, n) means in the units of the response; probabilities where it is multinomial."""
        return self._response(self._raw(self.design.x, self.design.offset, [b]))[0]  # type: ignore[attr-defined]

    @cached_property
    def _responses(self) -> np.ndarray:
        """(K, n) response in original units."""
        design = self.design
        return design.y if design.scaling is None else design.scaling.y_original(design.y)

    @cached_property
    def _case_weights(self) -> np.ndarray:
        """(n,) case weights."""
        return np.ones(self.design.y.shape[1]) if self.design.weights is None else self.design.weights

    @property
    def _n_values(self) -> int:
        """Observed values of positive weight; a multinomial row counts once."""
        n = int(np.count_nonzero(self._case_weights))
        return n if isinstance(self.family, Multinomial) else n * self.design.y.shape[0]

    # degrees of freedom ------------------------------------------------------------------------------------

    def _edf(self) -> float:
        """Degrees of freedom that the criteria count."""
        return float(self.k_identified)

    @property
    def k_identified(self) -> int:
        """Trained weights less those that no data can tell apart: softmax has one vector of weights too many."""
        free = self.fit.free[0]
        count = int(free.sum())
        if isinstance(self.family, Multinomial):
            # adding one vector to the weights of all classes changes no probability
            per_unit, units = self.network.shapes[-1]
            count -= int(free[free.size - per_unit * units :].reshape(units, per_unit).all(axis=0).sum())
        return count

    @property
    def df_model(self) -> float:
        """Degrees of freedom of the fit without the outputs' constants, as in statsmodels."""
        per_unit, units = self.network.shapes[-1]
        free = self.fit.free[0]
        constants = int(free[free.size - per_unit * units :: per_unit].sum())
        if isinstance(self.family, Multinomial) and constants == units:
            constants -= 1
        return self._edf() - constants

    @property
    def df_resid(self) -> float:
        """Observed values minus degrees of freedom."""
        return self._n_values - self._edf()

    # deviance and dispersion -------------------------------------------------------------------------------

    def _deviance(self, b: int) -> float:
        family, design = self._likely(), self.design
        if design.scaling is not None and np.any(design.scaling.y_sd != 1):
            return family.deviance(self._responses, self._means(b), self._case_weights)
        theta = self.fit.theta[b].astype(float)
        return 2 * derivatives.error(self.network, self.data, theta)  # type: ignore[attr-defined]

    @property
    def deviance(self) -> float:
        """Twice the error without its penalty: 2 (saturated - fitted log-likelihood) x scale."""
        return self._deviance(self._best)

    @property
    def _best(self) -> int:
        return self.best - 1  # type: ignore[attr-defined]

    @cached_property
    def _null(self) -> np.ndarray:
        """(K, n) means of the model that has constants (and the offset) only."""
        offset = self.design.offset
        if offset is not None and self.design.scaling is not None:
            offset = offset * self.design.scaling.y_sd[:, np.newaxis]
        return null_means(self._likely(), self._responses, self._case_weights, offset)

    @cached_property
    def null_deviance(self) -> float:
        """Deviance of the model that has constants (and the offset) only."""
        return self._likely().deviance(self._responses, self._null, self._case_weights)

    def _pearson(self, b: int) -> float:
        values = self._likely().pearson(self._responses, self._means(b), self._case_weights)
        return float(np.sum(np.square(values)))

    @property
    def pearson_chi2(self) -> float:
        """Sum of the squared Pearson residuals."""
        return self._pearson(self._best)

    def _scale(self, b: int) -> float:
        return self._pearson(b) / self.df_resid if self._likely().dispersed else 1.0

    @property
    def scale(self) -> float:
        """Dispersion: Pearson's chi2 / `df_resid`; 1 for binomial, multinomial, Poisson and negative binomial."""
        return self._scale(self._best)

    @property
    def ssr(self) -> float:
        """Weighted sum of squared response residuals."""
        return float(np.sum(np.square(self._response_residuals(self._best)) * self._case_weights))

    # residuals ---------------------------------------------------------------------------------------------

    def _response_residuals(self, b: int) -> np.ndarray:
        y, mu = self._responses, self._means(b)
        return y - (np.sum(y, axis=0) * mu if isinstance(self.family, Multinomial) else mu)

    def residuals(self, kind: str = "response", rep: Any = "best") -> Any:
        """Residuals of one repetition.

        Parameters
        ----------
        kind : {"response", "deviance", "pearson", "working"}
            y - mu; signed roots of the weighted unit deviances, whose squares add up to the deviance;
            (y - mu) sqrt(weight / V(mu)); (y - mu) d eta / d mu.
        rep : int or "best"

        Returns
        -------
        Series, or DataFrame for several outputs
            On the index of the data; NaN at rows kept out of the fit.
        """
        if kind not in RESIDUALS:
            raise ArgumentError(f"kind must be one of {', '.join(map(repr, RESIDUALS))}; got {kind!r}.")
        b = self.which(rep)  # type: ignore[attr-defined]
        family, y, w = self._likely(), self._responses, self._case_weights
        if kind == "response":
            values = self._response_residuals(b)
        elif kind == "working":
            values = self._response_residuals(b) / self._mean_slopes(b)
        elif kind == "deviance":
            values = family.resid_dev(y, self._means(b), w)
        else:
            values = family.pearson(y, self._means(b), w)
        full = np.full((values.shape[0], self.design.kept.size), np.nan)
        full[:, self.design.kept] = values
        return self._frame(full, self.design.full_index)  # type: ignore[attr-defined]

    def _mean_slopes(self, b: int) -> np.ndarray:
        """(K, n) d mu / d eta."""
        goal = self.network.objective
        raw = self._raw(self.design.x, self.design.offset, [b])[0]  # type: ignore[attr-defined]
        if goal.output.name == "identity":
            return np.ones_like(raw)
        if goal.of_predictor and goal.output.name != "softmax":
            return goal.output.slopes(raw)
        if goal.output.name in ("logistic", "softmax"):
            mu = goal.response(raw)
            return mu * (1 - mu)
        raise ArgumentError(f"kind='working' needs a link, and the output activation {goal.output.name!r} is none.")

    @property
    def resid_response(self) -> Any:
        """Response minus mean, of the best repetition."""
        return self.residuals("response")

    @property
    def resid_deviance(self) -> Any:
        """Deviance residuals of the best repetition."""
        return self.residuals("deviance")

    @property
    def resid_pearson(self) -> Any:
        """Pearson residuals of the best repetition."""
        return self.residuals("pearson")

    @property
    def resid_working(self) -> Any:
        """Working residuals of the best repetition."""
        return self.residuals("working")

    # likelihood and criteria -------------------------------------------------------------------------------

    def loglike(self, rep: Any = "best", scale: Any = None) -> float:
        """Log-likelihood of one repetition.

        Parameters
        ----------
        rep : int or "best"
        scale : None, "dev", "x2" or float
            Dispersion at which it is taken. None: as statsmodels, the maximum likelihood value deviance / n for the
            gaussian family with identity link and `scale` for the others; "dev": deviance / n for every family, as
            R's ``logLik``; "x2": `scale`.
        """
        b = self.which(rep)  # type: ignore[attr-defined]
        return self._loglike(self._means(b), self._dispersion(b, scale))

    def _dispersion(self, b: int, scale: Any) -> float:
        family = self._likely()
        if isinstance(scale, int | float | np.number) and scale > 0:
            return float(scale)
        if scale not in (None, "dev", "x2"):
            raise ArgumentError(f"scale must be None, 'dev', 'x2' or a number > 0, got {scale!r}.")
        if not family.dispersed:
            return 1.0
        gaussian = isinstance(family, Gaussian) and family.link.name == "identity"
        if scale == "dev" or (scale is None and gaussian):
            return self._deviance(b) / self._n_values
        return self._scale(b)

    def _loglike(self, mu: np.ndarray, scale: float) -> float:
        used = self._case_weights > 0
        y, w = self._responses[:, used], self._case_weights[used]
        return float(np.sum(self._likely().loglike_obs(y, mu[:, used], w, scale)))

    @property
    def llf(self) -> float:
        """Log-likelihood of the best repetition; see `loglike`."""
        return self.loglike()

    @property
    def llnull(self) -> float:
        """Log-likelihood of the model that has constants (and the offset) only, at `scale`."""
        return self._loglike(self._null, self.scale)

    def info_criteria(
        self, crit: str, df: float | None = None, dk_params: float = 0, scale: Any = None, rep: Any = "best",
        convention: str = "statsmodels",
    ) -> float:  # fmt: skip
        """Information criterion -2 llf + penalty, smaller is better.

        Parameters
        ----------
        crit : {"aic", "aicc", "bic", "qaic"}
            Penalty 2 m; 2 m n / (n - m - 1); m log(n), with m = df + dk_params. "qaic" divides the log-likelihood
            of dispersion 1 by `scale` (a number, or Pearson's chi2 / df_resid).
        df : float, optional
            Degrees of freedom; default those of the fit (`df_model` and the constants).
        dk_params : float
            Further parameters, as 1 for an estimated dispersion: R counts it, statsmodels does not.
        scale : optional
            As in `loglike`.
        rep : int or "best"
        convention : {"statsmodels", "R"}
            "R": ``scale="dev"``, and an estimated dispersion is counted, as R's ``AIC`` of a glm.
        """
        if crit not in CRITERIA:
            raise ArgumentError(f"crit must be one of {', '.join(map(repr, CRITERIA))}; got {crit!r}.")
        if convention not in ("statsmodels", "R"):
            raise ArgumentError(f"convention must be 'statsmodels' or 'R', got {convention!r}.")
        if convention == "R":
            scale = "dev" if scale is None else scale
            dk_params = dk_params + self._likely().dispersed
        m = (self._edf() if df is None else float(df)) + dk_params
        n = self._n_values
        if crit == "qaic":
            b = self.which(rep)  # type: ignore[attr-defined]
            phi = self._pearson(b) / self.df_resid if scale is None else self._dispersion(b, scale)
            return -2 * self._loglike(self._means(b), 1.0) / phi + 2 * m
        llf = self.loglike(rep, scale)
        if crit == "aicc":
            return -2 * llf + (2 * m * n / (n - m - 1) if n - m - 1 > 0 else np.inf)
        return -2 * llf + m * (2.0 if crit == "aic" else np.log(n))

    @property
    def aic(self) -> float:
        """Akaike's criterion; see `info_criteria`."""
        return self.info_criteria("aic")

    @property
    def bic(self) -> float:
        """Schwarz' criterion from the log-likelihood; see `info_criteria`."""
        return self.info_criteria("bic")

    @property
    def bic_llf(self) -> float:
        """`bic` under statsmodels' name."""
        return self.bic

    @property
    def bic_deviance(self) -> float:
        """Deviance - df_resid log(n), statsmodels' other BIC."""
        return self.deviance - self.df_resid * float(np.log(self._n_values))

    # explained variation -----------------------------------------------------------------------------------

    @property
    def rsquared(self) -> float:
        """1 - ssr / total sum of squares about the weighted means of the outputs."""
        y, w = self._responses, self._case_weights
        total = np.sum(np.square(y - (y @ w / w.sum())[:, np.newaxis]) * w)
        return float(1 - self.ssr / total)

    def pseudo_rsquared(self, kind: str = "cs") -> float:
        """Explained variation on the likelihood's scale.

        Parameters
        ----------
        kind : {"cs", "mcf", "deviance"}
            Cox and Snell, 1 - exp(2 (llnull - llf) / n); McFadden, 1 - llf / llnull; 1 - deviance / null deviance.
        """
        kind = kind.lower()
        if kind == "deviance":
            return 1 - self.deviance / self.null_deviance
        if kind.startswith("mcf"):
            return 1 - self.llf / self.llnull
        if kind.startswith("cox") or kind in ("cs", "lr"):
            return float(1 - np.exp((self.llnull - self.llf) * 2 / self._n_values))
        raise ArgumentError(f"kind must be 'cs', 'mcf' or 'deviance', got {kind!r}.")
