"""`Fitted`: what every statistic takes. A procedure, the weights that it ended at, and what follows from both at once.

Arrays only: no tables of users, no plots. Repetitions are numbered from 0 here and from 1 where users see them.
"""

from __future__ import annotations

import functools
import warnings
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, TypeVar

import numpy as np

from .checks.values import attribute, is_whole, shown
from .engine.data import make_data
from .errors import ArgumentError, ConvergenceWarning, caller
from .families import Binomial, Distributional, Family, Gaussian, Multinomial
from .network import derivatives
from .network.blas import on_one_thread
from .network.rcompat import r_error
from .network.scaling import to_original
from .training.fit import Fit
from .training.outputs import OfParameters, Penalised
from .training.row_sums import Summed, gradients_of, half_squares
from .training.validation import unweighed

if TYPE_CHECKING:
    from .formula import Design
    from .network.network import Network
    from .training.procedure import Procedure
    from .training.settings import Settings

Function = TypeVar("Function", bound=Callable[..., Any])


@dataclass(frozen=True, eq=False)
class Fitted(OfParameters, Penalised, Summed):
    """A fitted procedure. n observations, K outputs, D covariates, P weights, B repetitions.

    Attributes
    ----------
    procedure : Procedure
    fit : Fit
        Weights in internal (scaled) units.
    saved : dict or None
        Versions and date, where the fit was read from a file.
    call : str or None
        The call as it was, where the fit was read from a file.
    """

    procedure: Procedure
    fit: Fit
    saved: dict[str, str] | None = None
    call: str | None = None

    # parts of the procedure --------------------------------------------------------------------------------

    @property
    def design(self) -> Design:
        """Rows that were trained on, internal units."""
        return self.procedure.design

    @property
    def network(self) -> Network:
        """Table of layers and names of weights."""
        return self.procedure.network

    @property
    def settings(self) -> Settings:
        """Arguments of the fit."""
        return self.procedure.settings

    @property
    def seeds(self) -> np.random.SeedSequence:
        """Where the start weights came from."""
        return self.procedure.seeds

    @property
    def formula(self) -> str | None:
        """The formula, None for a model of arrays."""
        return self.procedure.formula

    @property
    def nrep(self) -> int:
        """B."""
        return self.fit.theta.shape[0]

    @property
    def n_rows(self) -> int:
        """n, rows used in the fit, also those of weight 0."""
        return self.design.y.shape[1]

    @property
    def nobs(self) -> float:
        """Observations: rows of positive weight, each as often as its frequency says; whole unless frequencies are not."""
        count = self.design.observations
        return int(count) if count == int(count) else count

    @property
    def k_params(self) -> int:
        """Weights that were trained (not the degrees of freedom)."""
        return int(self.fit.free[0].sum())

    @functools.cached_property
    def data(self) -> Any:
        """The observations as kernels see them (internal units)."""
        return make_data(self.design.x, self.design.y, self.design.weights, self.design.offset)

    # response and family -----------------------------------------------------------------------------------

    @functools.cached_property
    def responses(self) -> np.ndarray:
        """(K, n) response in original units."""
        scaling = self.design.scaling
        return self.design.y if scaling is None else scaling.y_original(self.design.y)

    @functools.cached_property
    def case_weights(self) -> np.ndarray:
        """(n,) case weights, precision times frequency (and the class's weight); 1 where none were given."""
        return np.ones(self.n_rows) if self.design.weights is None else self.design.weights

    @functools.cached_property
    def frequencies(self) -> np.ndarray:
        """(n,) how many equal observations each row stands for; 0 where its weight is 0."""
        often = 1.0 if self.design.frequencies is None else self.design.frequencies
        return np.where(self.case_weights > 0, often, 0.0)

    @functools.cached_property
    def own_weights(self) -> np.ndarray:
        """(n,) case weights of one of the observations that a row stands for."""
        return self.case_weights / np.where(self.frequencies > 0, self.frequencies, 1.0)

    @functools.cached_property
    def row_precisions(self) -> np.ndarray | None:
        """(n,) case weights but those of classes, which belong to the loss and say nothing of the response's variance.

        Precision times frequency: what the mean of the observations that a row stands for has. None where none were given.
        """
        return unweighed(self.design, self.settings.class_weight).weights

    @functools.cached_property
    def precisions(self) -> np.ndarray | None:
        """(n,) precision weights of single observations: `row_precisions` without frequencies; None where none were given."""
        if self.row_precisions is None or self.design.frequencies is None:
            return self.row_precisions
        return self.row_precisions / np.where(self.frequencies > 0, self.frequencies, 1.0)

    @functools.cached_property
    def family(self) -> Family | None:
        """The exponential family of the likelihood; None for a user's error function."""
        objective = self.network.objective
        if objective.family is not None:
            return objective.family
        link = {"identity": "identity", "logistic": "logit"}.get(objective.output.name)
        if objective.name == "sse":
            return Gaussian(link)
        if objective.name in ("ce", "ce_logit", "ce_r"):
            return Binomial(link)
        return None

    @property
    def likely(self) -> Family:
        """`family`.

        Raises
        ------
        ArgumentError
            Where there is none.
        """
        if self.family is None:
            raise ArgumentError(f"the error function {self.network.objective.name!r} belongs to no family, so there is no "
                                "likelihood: fit with family=, or err_fct='sse' or 'ce'.")  # fmt: skip
        return self.family

    @property
    def dispersed(self) -> bool:
        """Whether the noise has a dispersion that is estimated (also where the error belongs to no family)."""
        return self.family is None or self.family.dispersed

    @property
    def n_values(self) -> float:
        """Observed values: observations times outputs; a multinomial one counts once."""
        return self.nobs * (1 if isinstance(self.family, Multinomial | Distributional) else self.design.y.shape[0])

    @property
    def k_identified(self) -> int:
        """Trained weights less those that no data can tell apart: softmax has one vector of weights too many."""
        return self.identified(self.fit.free[0])

    def identified(self, used: np.ndarray) -> int:
        """`k_identified` of the weights `used`, (P,) bool: the rank that a regular fit has."""
        count = int(used.sum())
        if isinstance(self.family, Multinomial):
            # adding one vector to the weights of all classes changes no probability
            per_unit, units = self.network.shapes[-1]
            count -= int(used[used.size - per_unit * units :].reshape(units, per_unit).all(axis=0).sum())
        return count

    # repetitions -------------------------------------------------------------------------------------------

    @property
    def converged(self) -> bool:
        """Whether every repetition converged."""
        return bool(self.fit.converged.all())

    @functools.cached_property
    def errors(self) -> np.ndarray:
        """(B,) error of each repetition with its penalty, in the units of the response."""
        if self.settings.compat == "R" or self.network.objective.several:
            return np.array([self._r_error(b) for b in range(self.nrep)])
        scaling, factor = self.design.scaling, 1.0
        if scaling is not None and np.any(scaling.y_sd != 1):
            if scaling.y_sd.size > 1:
                return np.array([self._original_error(b) for b in range(self.nrep)])
            factor = float(scaling.y_sd[0]) ** 2
        return self.fit.loss.astype(float) * factor

    def _r_error(self, b: int) -> float:
        if self.network.objective.several:
            return self.several_error(b)
        design, theta = self.design, self.fit.theta[b].astype(float)
        return r_error(self.network, design.x, design.y, design.weights, design.offset, theta, float(self.fit.loss[b]))

    def _original_error(self, b: int) -> float:
        """Half squared errors of several scaled outputs, each in its own units, and the penalty."""
        return self.total(half_squares, b) + self.penalty_value(b)

    @property
    def ranking(self) -> np.ndarray:
        """(B,) what repetitions are ranked by: their errors; of several scaled outputs what was minimised.

        Minus the evidence where each has a penalty of its own, which makes their errors hard to compare.

        A sum of squares in original units would rank them by the output of the smallest unit of measurement.
        """
        scaling = self.design.scaling
        several = scaling is not None and scaling.y_sd.size > 1 and bool(np.any(scaling.y_sd != 1))
        return self.fit.ranking if several or self.fit.evidence is not None else self.errors

    @functools.cached_property
    def best(self) -> int:
        """The repetition (from 0) with the least error among the converged, among all where none converged."""
        if self.nrep == 1:
            return 0
        errors = np.where(np.isnan(self.ranking), np.inf, self.ranking)
        if self.fit.finished.any():
            errors = np.where(self.fit.finished, errors, np.inf)
            if not np.isfinite(errors).any():  # R's error may be NaN at a converged repetition
                return int(np.argmax(self.fit.finished))
        return int(np.argmin(errors))

    def which(self, rep: Any) -> int:
        """0-based number of a repetition given as 1, 2, ... or "best".

        Raises
        ------
        ArgumentError
            Where there is no such repetition.
        """
        if isinstance(rep, str) and str.__str__(rep) == "best":
            return self.best
        if is_whole(rep) and 1 <= rep <= self.nrep:
            return int(rep) - 1
        raise ArgumentError(f"rep must be 'best' or a number from 1 to {self.nrep}, got {shown(rep)}.")

    def numbers(self, rep: Any) -> list[int]:
        """0-based repetitions that ``rep=`` ("mean", "best", "all" or a number from 1) means.

        Raises
        ------
        ArgumentError
            Where there is no such repetition.

        Warns
        -----
        ConvergenceWarning
            Where a mean is asked for and no repetition converged: it is then of all.
        """
        everything = list(range(self.nrep))
        word = str.__str__(rep) if isinstance(rep, str) else None
        if word == "all":
            return everything
        if word == "mean":
            good = np.flatnonzero(self.fit.finished)
            if good.size:
                return good.tolist()
            if len(everything) > 1:
                warnings.warn("No repetition converged: the prediction averages over all of them.", ConvergenceWarning,
                              stacklevel=caller())  # fmt: skip
            return everything
        if word not in (None, "best"):
            raise ArgumentError(f"rep must be 'mean', 'best', 'all' or a number from 1, got {shown(rep)}.")
        return [self.which(rep)]

    @functools.cached_property
    def gradients(self) -> np.ndarray:
        """(B, P) gradient at the end (internal units), 0 at weights held out."""
        rows = self.total(gradients_of)
        for b, theta in enumerate(self.fit.theta):
            derivatives.add_penalty_gradient(self.penalty_of(b), theta.astype(float), rows[b])
        return np.where(self.fit.free, rows, 0.0)

    # weights and means -------------------------------------------------------------------------------------

    @functools.cached_property
    def theta(self) -> np.ndarray:
        """(B, P) weights in original units; weights held out at their value."""
        return self.original_weights(self.fit.theta.astype(float))

    @on_one_thread
    def original_weights(self, theta: np.ndarray) -> np.ndarray:
        """Weights (B, P) in original units, from internal ones."""
        return theta if self.design.scaling is None else to_original(self.network, self.design.scaling, theta)

    def raw(self, x: np.ndarray, offset: np.ndarray | None, numbers: Iterable[int]) -> np.ndarray:
        """What kernels give, (B', K, m), for covariates (D, m) in internal units.

        The linear predictor where the loss is of it, else the output's values; of large networks (`passes`) in their dtype.
        """
        at = list(numbers)
        theta = self.fit.theta if at == list(range(self.nrep)) else self.fit.theta[at]  # of large networks no copy
        x = np.ascontiguousarray(x) if isinstance(x, np.ndarray) else x  # else it is read by rows
        return derivatives.outputs(self.network, x, theta, offset)

    def predictors(self, raw: np.ndarray) -> np.ndarray:
        """Linear predictors (..., K, m) of the family's link, units of the response, from what kernels give.

        Raises
        ------
        ArgumentError
            Where the error belongs to no family.
        """
        family, objective = self.likely, self.network.objective
        if objective.several:  # of the first parameter
            return self.original_predictors(raw)[..., :1, :]
        if objective.of_predictor:  # a response is scaled under the identity link alone
            return self.original_means(raw)
        return family.link(self.original_means(raw))

    def response(self, raw: np.ndarray) -> np.ndarray:
        """Predictions (B', K, m) in the units of the response, from what kernels give."""
        return self.original_means(np.stack([self.network.objective.response(r) for r in raw]))

    def original_means(self, values: np.ndarray) -> np.ndarray:
        """Means (..., K, m) in the units of the response, from internal ones."""
        scaling = self.design.scaling
        if scaling is None or (self.network.objective.several and not self.distribution.located):
            return values
        return values * scaling.y_sd[:, np.newaxis] + scaling.y_mean[:, np.newaxis]

    def fitted_raw(self, numbers: Iterable[int]) -> np.ndarray:
        """`raw` at the rows of the fit, (B', K, n)."""
        return self.raw(self.design.x, self.design.offset, numbers)

    def means(self, b: int) -> np.ndarray:
        """(K, n) means of repetition b in the units of the response; probabilities where it is multinomial."""
        return self.response(self.fitted_raw([b]))[0]

    def mean_of(self, numbers: Iterable[int]) -> np.ndarray:
        """(K, n) mean of the means of some repetitions, in the units of the response."""
        return self.response(self.fitted_raw(numbers)).mean(axis=0)

    def full(self, values: np.ndarray) -> np.ndarray:
        """Values (..., n) of the rows used on all N rows of the data, NaN at rows kept out of the fit."""
        out = np.full((*values.shape[:-1], self.design.kept.size), np.nan)
        out[..., self.design.kept] = values
        return out


def fitted_of(source: Any) -> Fitted:
    """The `Fitted` of a fit as users hold it, or itself.

    Raises
    ------
    ArgumentError
        Where it is no fit.
    """
    found = source if isinstance(source, Fitted) else attribute(source, "fitted")
    if isinstance(found, Fitted):
        return found
    raise ArgumentError(f"fit must be a fit, as neuralnet() returns it; got {shown(source)}.")


def kept(function: Function) -> Function:
    """Remember a function's values per fit: for statistics of ``(fitted, hashable arguments)`` that others build on."""

    @functools.wraps(function)
    def remember(fitted: Fitted, *arguments: Any) -> Any:
        memory = fitted.__dict__.setdefault("_kept", {})
        key = (function.__module__, function.__qualname__, *arguments)
        if key not in memory:
            memory[key] = on_one_thread(function)(fitted, *arguments)
        return memory[key]

    return remember  # type: ignore[return-value]
