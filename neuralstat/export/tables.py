"""What packages that print tables of several models ask of a fit: estimates, and statistics by their keys.

The names are those of the plug-in format of maketables (github.com/py-econometrics/maketables). Rows are coefficients where
they mean something one by one: of models without hidden units, and of the linear terms of structured formulas. A network has
average marginal effects in their place.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import numpy as np
import pandas as pd

from ..checks.arguments import Choice, arguments
from ..df import exact_fit
from ..effects import marginal_effects
from ..errors import ArgumentError, NeuralStatError
from ..families import Gaussian, Multinomial
from ..fitted import Fitted
from ..inference import coefficients as of_weights
from ..inference.covariance import cov_type_of
from ..inference.term_parts import parts
from ..likelihood import criteria, likelihood
from ..training.structured import has_towers

STATISTICS = ("b", "se", "t", "p", "ci95l", "ci95u")
ALPHA = 0.05


def has_coefficients(fitted: Fitted) -> bool:
    """Whether there are coefficients that mean something one by one."""
    if fitted.family is None or isinstance(fitted.family, Multinomial) or not np.isfinite(fitted.theta[fitted.best]).all():
        return False
    return bool(has_towers(fitted.design)) or (fitted.network.plain and len(fitted.network.shapes) == 1)


def coefficients(fitted: Fitted) -> pd.DataFrame:
    """Coefficients of the best repetition: a row each, columns `STATISTICS`.

    Only where `has_coefficients`; of several outputs rows are called ``output: name``.
    """
    limits = of_weights.conf_int(fitted, ALPHA).to_numpy().T
    columns = [of_weights.params(fitted), of_weights.standard_errors(fitted), of_weights.zvalues(fitted),
               of_weights.pvalues(fitted), *limits]  # fmt: skip
    values = np.stack([np.asarray(column, float) for column in columns], axis=1)
    network, free = fitted.network, fitted.fit.free[0]
    named: list[tuple[str, int]] = []
    outputs = list(network.output_names)
    for k, output in enumerate(outputs):
        own = [("Intercept", int(exact_fit.output_block(fitted)[k, 0]))] if has_towers(fitted.design) else _plain(fitted, k)
        for part in parts(fitted) if has_towers(fitted.design) else ():
            if part.kind == "linear" and part.output == k:
                own += [(network.input_names[row], int(at)) for row, at in zip(part.rows, part.index, strict=True)]
        named += [(name if len(outputs) == 1 else f"{output}: {name}", at) for name, at in own if free[at]]
    names, at = [name for name, _ in named], [place for _, place in named]
    return pd.DataFrame(values[at], pd.Index(names, name="Coefficient"), list(STATISTICS))


def _plain(fitted: Fitted, k: int) -> list[tuple[str, int]]:
    """Names and places of the coefficients of output k without hidden units."""
    per = fitted.network.shapes[0][0]
    return [(name, k * per + j) for j, name in enumerate(("Intercept", *fitted.network.input_names))]


def effects(fitted: Fitted) -> pd.DataFrame:
    """Average marginal effects on the response, in the columns of `coefficients`."""
    table = marginal_effects(fitted, alpha=ALPHA)
    names = [" ".join(map(str, label)) if isinstance(label, tuple) else str(label) for label in table.index]
    values = table.iloc[:, :6].to_numpy(float)
    return pd.DataFrame(values, pd.Index(names, name="Coefficient"), list(STATISTICS))


@dataclass(frozen=True, eq=False)
class Estimates:
    """Estimates of a fit as packages take them that print tables of several models, such as maketables.

    Attributes
    ----------
    table : DataFrame
        A row each; columns "b", "se", "t", "p", "ci95l", "ci95u".
    kind : {"coefficients", "effects"}
    fitted : Fitted

    Examples
    --------
    >>> import neuralstat as ns
    >>> data = ns.datasets.infert()
    >>> fit = ns.neuralnet("case ~ age + parity", data, hidden=0, family="binomial", random_state=1)
    >>> fit.estimates().table.loc["age"].round(2)
    b        0.00
    se       0.03
    t        0.04
    p        0.96
    ci95l   -0.05
    ci95u    0.05
    Name: age, dtype: float64
    """

    table: pd.DataFrame
    kind: str
    fitted: Fitted

    def __repr__(self) -> str:
        words = {"coefficients": "Coefficients", "effects": "Average marginal effects"}[self.kind]
        return f"{words} of {self.fitted.design.response}\n{self.table.to_string(float_format='%.4g')}"

    def _repr_html_(self) -> str:
        return self.table.to_html(float_format="%.4g")

    @property
    def __maketables_coef_table__(self) -> pd.DataFrame:
        return self.table

    def __maketables_stat__(self, key: str) -> Any:
        return statistic(self.fitted, key)

    @property
    def __maketables_depvar__(self) -> str:
        return self.fitted.design.response

    @property
    def __maketables_vcov_info__(self) -> dict[str, Any]:
        return covariance_info(self.fitted)

    @property
    def __maketables_stat_labels__(self) -> dict[str, str]:
        return dict(LABELS)

    @property
    def __maketables_default_stat_keys__(self) -> list[str]:
        return ["N", "r2" if isinstance(self.fitted.family, Gaussian) else "pseudo_r2"]


@arguments(kind=Choice("auto", "coefficients", "effects"))
def estimates(fitted: Fitted, kind: str = "auto") -> Estimates:
    """Estimates for tables of several models; see `NeuralNetResults.estimates`.

    Parameters
    ----------
    fitted : Fitted
    kind : {"auto", "coefficients", "effects"}

    Raises
    ------
    ArgumentError
        Where coefficients are asked for and none means something by itself.
    """
    known = has_coefficients(fitted)
    if kind == "coefficients" and not known:
        raise ArgumentError("kind='coefficients': no weight of this fit means something by itself; kind='effects' has "
                            "average marginal effects.")  # fmt: skip
    if kind == "coefficients" or (kind == "auto" and known):
        return Estimates(coefficients(fitted), "coefficients", fitted)
    return Estimates(effects(fitted), "effects", fitted)


def _auto(name: str) -> Callable[[Fitted], Any]:
    return lambda fitted: criteria.info_criteria(fitted, name)


_STATISTICS: dict[str, Callable[[Fitted], Any]] = {
    "N": lambda fitted: fitted.nobs,
    "r2": lambda fitted: likelihood.rsquared(fitted) if isinstance(fitted.family, Gaussian) else None,
    "pseudo_r2": lambda fitted: likelihood.pseudo_rsquared(fitted, "mcf"),
    "ll": lambda fitted: likelihood.loglike(fitted, "best", None),
    "deviance": lambda fitted: likelihood.deviance(fitted, fitted.best),
    "rmse": lambda fitted: float(np.sqrt(likelihood.ssr(fitted, fitted.best) / fitted.case_weights.sum())),
    "df_resid": likelihood.df_resid,
    "aic": _auto("aic"), "aicc": _auto("aicc"), "bic": _auto("bic"),
    "weights": lambda fitted: fitted.k_params,
    "converged": lambda fitted: f"{int(fitted.fit.converged.sum())}/{fitted.nrep}",
}  # fmt: skip
LABELS = {"weights": "Weights", "converged": "Converged", "deviance": "Deviance", "df_resid": "Residual df",
          "pseudo_r2": "Pseudo R2 (McFadden)"}  # fmt: skip


def statistic(fitted: Fitted, key: str) -> Any:
    """A statistic by the key of maketables; None where it is unknown or not defined at this fit."""
    made = _STATISTICS.get(key)
    if made is None:
        return None
    try:
        value = made(fitted)
    except NeuralStatError:
        return None
    return None if isinstance(value, float) and not np.isfinite(value) else value


def covariance_info(fitted: Fitted) -> dict[str, Any]:
    """The kind of the covariance matrix, and the clusters where it is by them."""
    kind = cov_type_of(fitted, None)
    return {"vcov_type": kind, "clustervar": [str(fitted.settings.groups)] if kind == "cluster" and isinstance(
        fitted.settings.groups, str) else []}  # fmt: skip
