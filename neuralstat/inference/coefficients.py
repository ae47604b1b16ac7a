"""Coefficients as statsmodels' users know them: standard errors, z values, p values, intervals."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np
import pandas as pd

from ..errors import ArgumentError
from .covariance import cov_params

if TYPE_CHECKING:
    from ..network.network import Network
    from .nested import Comparison
    from .wald import TermTests


class CoefficientMixin:
    """Inference on single weights of `NeuralNetResults`, under R's names of the weights.

    A single weight of a network with hidden layers has a meaning only beside the other weights of its unit, and the
    units may change places: see tests of whole terms for the effect of a covariate.
    """

    network: Network

    def cov_params(self, cov_type: str | None = None, rep: Any = "best", scale: float | None = None) -> pd.DataFrame:
        """Covariance matrix of the weights; see `inference.covariance.cov_params`."""
        return cov_params(self, cov_type, rep, scale)  # type: ignore[arg-type]

    def standard_errors(self, cov_type: str | None = None, rep: Any = "best") -> pd.Series:
        """Standard errors of the weights; NaN at weights held out, and where a variance is not positive.

        Parameters
        ----------
        cov_type, rep
            As in `cov_params`.
        """
        variance = np.diag(self.cov_params(cov_type, rep).to_numpy())
        values = np.sqrt(np.where(variance >= 0, variance, np.nan))
        return pd.Series(values, list(self.network.names), name="std err")

    @property
    def bse(self) -> pd.Series:
        """Standard errors of the best repetition from the expected information; `standard_errors` has others."""
        return self.standard_errors()

    @property
    def zvalues(self) -> pd.Series:
        """`params` / `bse`."""
        with np.errstate(divide="ignore", invalid="ignore"):
            return (self.params / self.bse).rename("z")  # type: ignore[attr-defined]

    @property
    def tvalues(self) -> pd.Series:
        """`zvalues` under statsmodels' name."""
        return self.zvalues.rename("t")

    @property
    def pvalues(self) -> pd.Series:
        """Two-sided p values of `zvalues` by the normal distribution."""
        from scipy.special import ndtr

        return pd.Series(2 * ndtr(-np.abs(self.zvalues)), list(self.network.names), name="P>|z|")

    def wald_test_terms(self, cov_type: str | None = None, rep: Any = "best", **options: Any) -> TermTests:
        """Wald test of every term of the formula; see `inference.wald.wald_test_terms`."""
        from .wald import wald_test_terms

        return wald_test_terms(self, cov_type, rep, **options)  # type: ignore[arg-type]

    def stability(self, alpha: float = 0.05, **options: Any) -> pd.DataFrame:
        """How tests of terms come out over the repetitions' optima; see `inference.wald.stability`."""
        from .wald import stability

        return stability(self, alpha, **options)  # type: ignore[arg-type]

    def compare_lr_test(self, restricted: Any, **options: Any) -> Comparison:
        """Likelihood-ratio test of a smaller fit within this one; see `inference.nested.compare_lr_test`."""
        from .nested import compare_lr_test

        return compare_lr_test(self, restricted, **options)  # type: ignore[arg-type]

    def conf_int(self, alpha: float = 0.05, cov_type: str | None = None, rep: Any = "best") -> pd.DataFrame:
        """Normal confidence intervals of the weights.

        Parameters
        ----------
        alpha : float
            1 - coverage, in (0, 1).
        cov_type, rep
            As in `cov_params`.

        Returns
        -------
        DataFrame, shape (P, 2)
            Columns 0 and 1, as statsmodels': lower and upper ends.
        """
        from scipy.special import ndtri

        if not 0 < alpha < 1:
            raise ArgumentError(f"alpha must lie between 0 and 1, got {alpha!r}.")
        theta = self.theta[self.which(rep)]  # type: ignore[attr-defined]
        half = ndtri(1 - alpha / 2) * self.standard_errors(cov_type, rep).to_numpy()
        return pd.DataFrame({0: theta - half, 1: theta + half}, list(self.network.names))
