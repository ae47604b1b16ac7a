"""Information criteria and risk estimates with effective degrees of freedom; each names the df behind it.

Conventions. With d degrees of freedom (network only) and `dk_params` further parameters counted, m = d +
dk_params:

- AIC = -2 llf + 2 m;  AICc = -2 llf + 2 m n / (n - m - 1);  BIC = -2 llf + log(n) m.
- ``dk_params=0`` is statsmodels' convention (the noise variance is profiled out and not counted);
  ``dk_params=1`` is R's for ``lm``, ``glm`` (gaussian) and ``gam``, which count it.
- R's neuralnet has 2 error + 2 p and 2 error + log(n) p with p weights, whatever the error is:
  ``convention="neuralnet"``.
- GCV = (dev / N) / (1 - d / N)^2;  Cp = dev / N + 2 sigma^2 d / N;  GIC = dev + 2 sigma^2 d, where dev is
  the residual sum of squares (the deviance for families without additive noise, sigma^2 being the
  dispersion) and N the number of observations times outputs.
- TIC (Takeuchi; "nic" on the scale of AIC) = -2 llf + 2 tr(G Q^-1).
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np
import pandas as pd

from ..errors import ArgumentError, DfError
from ..likelihood import noise
from ..likelihood.likelihood import LikelihoodMixin

if TYPE_CHECKING:
    from ..results import NeuralNetResults
    from . import DegreesOfFreedom

LIKELIHOOD = ("aic", "aicc", "bic", "qaic")
CRITERIA = (*LIKELIHOOD, "gcv", "cp", "gic", "tic")
SHOWN = ("aic", "aicc", "bic", "gcv", "cp", "gic")
CONVENTIONS = ("statsmodels", "R", "neuralnet")
SINGULAR = 1e-6  # smallest eigenvalue of the Hessian, relative to the largest, below which a note is printed


def loglike(results: NeuralNetResults, rep: Any = "best", scale: Any = None) -> float:
    """Log-likelihood of one repetition, or of the mean of several; see `LikelihoodMixin.loglike`."""
    if rep != "mean":
        return results.loglike(rep, scale)
    family, mu = results._likely(), _means(results, rep)
    y, w = results._responses, results._case_weights
    if isinstance(scale, int | float | np.number):
        phi = float(scale)
    elif not family.dispersed:
        phi = 1.0
    elif scale == "dev" or (scale is None and family.name == "gaussian" and family.link.name == "identity"):
        phi = family.deviance(y, mu, w) / results._n_values
    else:
        phi = float(np.sum(np.square(family.pearson(y, mu, w)))) / (
            results._n_values - float(results._df("jacobian", "mean"))
        )
    return results._loglike(mu, phi)


def deviance(results: NeuralNetResults, rep: Any = "best") -> float:
    """Weighted residual sum of squares for additive noise (units of the response), else the deviance."""
    mu, y, w = _means(results, rep), results._responses, results._case_weights
    if noise.gaussian(results.network.objective):
        return float(np.sum(w * (y - mu) ** 2))
    return results._likely().deviance(y, mu, w)


def _means(results: NeuralNetResults, rep: Any) -> np.ndarray:
    return _original(results, noise.fitted(results, results._numbers(rep)))


def _original(results: NeuralNetResults, values: np.ndarray) -> np.ndarray:
    scaling = results.design.scaling
    if scaling is None:
        return values
    return values * scaling.y_sd[:, np.newaxis] + scaling.y_mean[:, np.newaxis]


def information(criterion: str, llf: float, nobs: float, df: float, dk_params: float = 0) -> float:
    """AIC, AICc or BIC of a log-likelihood.

    Parameters
    ----------
    criterion : {"aic", "aicc", "bic"}
    llf, nobs, df : float
        Log-likelihood, number of observations, degrees of freedom of the mean.
    dk_params : float
        Further parameters counted: 0 as statsmodels, 1 as R (the noise variance).

    Returns
    -------
    float
        AICc is infinite where n - m - 1 is not positive.
    """
    m = df + dk_params
    if criterion == "aic":
        return -2 * llf + 2 * m
    if criterion == "bic":
        return -2 * llf + np.log(nobs) * m
    if criterion == "aicc":
        return -2 * llf + 2 * m * nobs / (nobs - m - 1) if nobs - m - 1 > 0 else np.inf
    raise ArgumentError(f"criterion must be 'aic', 'aicc' or 'bic', got {criterion!r}.")


def gcv(dev: float, n: float, df: float) -> float:
    """Generalised cross-validation (dev / n) / (1 - df / n)^2; infinite where df reaches n."""
    return dev / n / (1 - df / n) ** 2 if df < n else np.inf


def cp(dev: float, n: float, df: float, sigma2: float) -> float:
    """Mallows' Cp on the scale of a mean squared error: dev / n + 2 sigma^2 df / n."""
    return dev / n + 2 * sigma2 * df / n


def gic(dev: float, df: float, sigma2: float) -> float:
    """Training error plus 2 df sigma^2: the covariance penalty on the scale of the sum of squares."""
    return dev + 2 * sigma2 * df


class CriteriaMixin:
    """Degrees of freedom and criteria of `NeuralNetResults`."""

    def df(self: Any, method: str = "jacobian", *, rep: Any = "best", **options: Any) -> DegreesOfFreedom:
        """Degrees of freedom of the fit.

        Parameters
        ----------
        method : str
            - "jacobian": Gauss-Newton trace tr(A (A + D)^-1), with A = J'VJ and D the curvature of the
              penalty; the rank of the Jacobian where nothing is penalised.
            - "divergence": exact local divergence tr(J H^-1 J'V) with the exact Hessian.
            - "gdf": Ye's generalised degrees of freedom: perturb the response, fit again, the whole
              procedure.
            - "covariance": Efron's conditional parametric bootstrap.
            - "sure": Monte-Carlo divergence at the optimum near the fit.
            - "nic": tr(G Q^-1), the penalty of the network information criterion.
            - "weights": the number of weights, as R counts.
        rep : {"mean", "best"} or int
            Of the averaged fit (as `fittedvalues`), the best or one repetition. Local degrees of freedom of
            an averaged fit are the mean of its members'.
        **options
            sigma : float, the noise's standard deviation, in the units of the response (estimated where it is
            needed and not given: `sigma_source` says how); draws : int; tau : float ("gdf"); eps : float
            ("sure"); mean : array ("covariance"); restarts : "same" (start weights of the fit for every
            draw: common random numbers), "fresh" (new ones for every draw: their choice is part of the
            procedure, which costs degrees of freedom) or "warm" (from the fitted weights: only what happens
            around this optimum); random_state; n_jobs.

        Returns
        -------
        DegreesOfFreedom
            A float with `se`, `per_observation`, `sigma`, `sigma_source`, `draws`, `notes`.

        Raises
        ------
        ArgumentError
            For unknown methods and options.
        DfError
            Where the method is not defined at this fit: "divergence", "nic" and "sure" need a positive
            definite Hessian.

        Warns
        -----
        DfWarning
            Where a local method meets a fit stopped before its optimum.

        References
        ----------
        Ye (1998), JASA 93:120. Efron (2004), JASA 99:619. Moody (1992), NIPS 4:847. Ramani, Blu & Unser
        (2008), IEEE Trans. Image Processing 17:1540. Murata, Yoshizawa & Amari (1994), IEEE Trans. Neural
        Networks 5:865.
        """
        from . import warn_limits

        value = self._df(method, rep, **options)
        warn_limits(self, method, rep)
        return value

    def _df(self: Any, method: Any, rep: Any = "best", **options: Any) -> DegreesOfFreedom:
        """`df` without warnings; a number is taken as it is; what is deterministic is kept."""
        from . import LOCAL, DegreesOfFreedom, degrees_of_freedom

        if isinstance(method, DegreesOfFreedom):
            return method
        if isinstance(method, int | float | np.number) and not isinstance(method, bool):
            return DegreesOfFreedom(float(method), "given")
        if method not in LOCAL or options:
            return degrees_of_freedom(self, method, rep, **options)
        memory = self.__dict__.setdefault("_df_memory", {})
        if (method, rep) not in memory:
            memory[method, rep] = degrees_of_freedom(self, method, rep)
        return memory[method, rep]

    def _edf(self: Any) -> float:
        """Degrees of freedom that the criteria count unless told: "jacobian", of the best repetition.

        With ``compat="R"`` the number of weights.
        """
        return float(self.k_identified if self.settings.compat == "R" else self._df("jacobian"))

    def info_criteria(
        self: Any, crit: str, df: Any = None, dk_params: float = 0, scale: Any = None, rep: Any = "best",
        convention: str = "statsmodels", sigma: float | None = None,
    ) -> float:  # fmt: skip
        """One criterion, smaller is better.

        Parameters
        ----------
        crit : {"aic", "aicc", "bic", "qaic", "gcv", "cp", "gic", "tic"}
            See the head of `neuralstat.criteria`; "qaic" divides the log-likelihood of dispersion 1 by `scale`.
        df : str, number or DegreesOfFreedom, optional
            A method of `df`, or a value; "jacobian" where not given.
        dk_params : float
            Further parameters counted.
        scale : optional
            Dispersion at which the likelihood is taken, as in `loglike`.
        rep : {"mean", "best"} or int
            Of the averaged fit, the best or one repetition.
        convention : {"statsmodels", "R", "neuralnet"}
            "R" counts an estimated dispersion (``scale="dev"``), as R's ``AIC`` of a glm; "neuralnet" is R's package:
            2 error + 2 p (the best repetition's where `rep` is "mean").
        sigma : float, optional
            For "cp" and "gic", as in `df`.

        Returns
        -------
        float
        """
        if crit not in CRITERIA:
            raise ArgumentError(f"crit must be one of {', '.join(map(repr, CRITERIA))}; got {crit!r}.")
        if convention not in CONVENTIONS:
            raise ArgumentError(f"convention must be one of {', '.join(map(repr, CONVENTIONS))}; got {convention!r}.")
        if convention == "neuralnet":
            if crit not in ("aic", "bic"):
                raise ArgumentError(f"R's neuralnet has 'aic' and 'bic' only, not {crit!r}.")
            b = self.which("best" if rep == "mean" else rep)
            return float(self.r_criterion(2.0 if crit == "aic" else np.log(self.nobs))[b])
        if df is None and rep == "best" and crit != "tic":
            df = self._edf()
        d = self._df("nic" if crit == "tic" else "jacobian" if df is None else df, rep)
        return self._criterion(crit, d, dk_params, scale, rep, convention, sigma)

    def _criterion(
        self: Any, crit: str, d: float, dk_params: float, scale: Any, rep: Any, convention: str, sigma: float | None
    ) -> float:
        if crit == "qaic" or (crit in LIKELIHOOD and rep != "mean"):
            return float(LikelihoodMixin.info_criteria(self, crit, float(d), dk_params, scale, rep, convention))
        if convention == "R":
            scale = "dev" if scale is None else scale
            dk_params = dk_params + self._likely().dispersed
        n = self._n_values
        if crit in LIKELIHOOD:
            return float(information(crit, loglike(self, rep, scale), n, float(d), dk_params))
        if crit == "tic":
            return float(-2 * loglike(self, rep, scale) + 2 * (float(d) + dk_params))
        dev = deviance(self, rep)
        if crit == "gcv":
            return gcv(dev, n, float(d))
        sigma2 = self._sigma2(sigma)[0]
        return cp(dev, n, float(d), sigma2) if crit == "cp" else gic(dev, float(d), sigma2)

    def _sigma2(self: Any, sigma: float | None) -> tuple[float, str]:
        """Variance of the noise in the units of the response, or the dispersion; and its source."""
        from .sigma import resolve_sigma

        values, source = resolve_sigma(self, sigma)
        scaling = self.design.scaling
        if scaling is not None and noise.gaussian(self.network.objective):
            values = values * scaling.y_sd
        return float(np.mean(np.square(values))), source

    @property
    def aicc(self: Any) -> float:
        """AIC corrected for small samples, df by "jacobian"."""
        return self.info_criteria("aicc")

    @property
    def gcv(self: Any) -> float:
        """Generalised cross-validation, df by "jacobian"."""
        return self.info_criteria("gcv")

    @property
    def cp(self: Any) -> float:
        """Mallows' Cp as a mean squared error, df by "jacobian", sigma estimated (see `df`)."""
        return self.info_criteria("cp")

    @property
    def gic(self: Any) -> float:
        """Training error + 2 df sigma^2, df by "jacobian", sigma estimated (see `df`)."""
        return self.info_criteria("gic")

    @property
    def tic(self: Any) -> float:
        """Takeuchi's criterion -2 llf + 2 tr(G Q^-1), the network information criterion as an AIC."""
        return self.info_criteria("tic")

    def criteria(
        self: Any, df: Any = "jacobian", *, dk_params: float = 0, rep: Any = "best",
        sigma: float | None = None, **options: Any,
    ) -> pd.DataFrame:  # fmt: skip
        """All criteria, with the degrees of freedom and their method beside each.

        Parameters
        ----------
        df : str, number or DegreesOfFreedom
            A method of `df`, or a value.
        dk_params, rep, sigma
            As in `info_criteria`.
        **options
            Of `df`.

        Returns
        -------
        DataFrame
            Index: the criterion; columns ``value``, ``df``, ``method``, ``se`` (of the df), ``note``. The
            last rows are what R's neuralnet prints. A criterion that is not defined at this fit is NaN, with
            the reason as note.
        """
        from . import warn_limits

        if sigma is not None and isinstance(df, str):
            options["sigma"] = sigma
        d = self._df(df, rep, **options)
        warn_limits(self, d.method, rep)
        table = []
        for crit in SHOWN:
            note = ""
            if crit in ("aic", "aicc", "bic"):
                note = f"dk_params = {dk_params:g}"
                if crit == "bic":
                    note = "; ".join(filter(None, (note, self._singular(rep))))
            elif crit in ("cp", "gic"):
                size, source = self._sigma2(sigma)
                note = f"sigma {np.sqrt(size):.4g} {source}"
            try:
                value = self._criterion(crit, d, dk_params, None, rep, "statsmodels", sigma)
            except (DfError, ArgumentError) as error:
                value, note = np.nan, str(error)
            table.append((crit, value, float(d), d.method, d.se, note))
        try:
            t = self._df("nic", rep)
            table.append(
                (
                    "tic",
                    self._criterion("tic", t, dk_params, None, rep, "statsmodels", sigma),
                    float(t),
                    "nic",
                    None,
                    "",
                )
            )
        except (DfError, ArgumentError) as error:
            table.append(("tic", np.nan, np.nan, "nic", None, str(error)))
        count = float(self._df("weights", "best"))
        for crit in ("aic", "bic"):
            value = self.info_criteria(crit, convention="neuralnet", rep=rep)
            table.append((f"{crit} (R's neuralnet)", value, count, "weights", None, "2 error + penalty on p weights"))
        frame = pd.DataFrame(table, columns=["criterion", "value", "df", "method", "se", "note"])
        frame["se"] = frame["se"].astype(float)
        return frame.set_index("criterion")

    def _singular(self: Any, rep: Any = "best") -> str | None:
        """Say where the Hessian is nearly singular, so that BIC's penalty has no ground; else None.

        With a redundant unit the model is singular, and log(n) df / 2 overstates the complexity (Watanabe's
        real log canonical threshold takes its place); AIC's derivation fails there, too.
        """
        from . import local

        try:
            found = [np.linalg.eigvalsh(local.hessian(self, b, local.active(self, b))) for b in self._numbers(rep)]
        except DfError as error:
            return str(error)
        values = min(found, key=lambda v: v[0] / v[-1])
        if values[0] > SINGULAR * values[-1]:
            return None
        return (
            f"The Hessian's smallest eigenvalue is {values[0]:.2g} (largest {values[-1]:.2g}): some weights are "
            "hardly determined. BIC (and AIC) are derived for regular models and overstate the complexity of "
            "singular ones."
        )
