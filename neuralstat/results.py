"""Results of a fit: what R's neuralnet returns, under its names, and what statsmodels' users expect."""

from __future__ import annotations

from functools import cached_property
from typing import TYPE_CHECKING, Any

import numpy as np
import pandas as pd

from .df.criteria import CriteriaMixin
from .effects.methods import EffectsMixin
from .engine import cpu
from .engine.data import make_data
from .errors import ArgumentError
from .inference.coefficients import CoefficientMixin
from .inference.predict import ComputeResult, PredictionMixin
from .insight.layers import LayeredMixin, layer_call
from .likelihood.likelihood import LikelihoodMixin
from .network import derivatives
from .network.penalties import coefficients, per_observation
from .network.rcompat import r_error, r_generalized_weights
from .training.train import STATUS, Fit

if TYPE_CHECKING:
    from matplotlib.axes import Axes

    from .formula import Design
    from .inference.influence import Influence
    from .inference.intervals import ConfidenceInterval
    from .network.network import Network
    from .training.settings import Settings


class NeuralNetResults(PredictionMixin, LayeredMixin, CriteriaMixin, LikelihoodMixin, CoefficientMixin, EffectsMixin):
    """A fitted neural network; every repetition is kept.

    Made by `neuralnet`, `NeuralNet.fit` or `load`, not by hand. Repetitions are numbered from 1; "best" is the one
    with the least error among the converged, among all where none converged. n observations, K outputs, D
    covariates, P weights, B repetitions.

    Parameters
    ----------
    formula : str or None
    design : Design
    network : Network
    settings : Settings
    fit : Fit
        Weights in internal (scaled) units.
    seeds : SeedSequence
        Where the start weights came from.
    """

    def __init__(
        self,
        formula: str | None,
        design: Design,
        network: Network,
        settings: Settings,
        fit: Fit,
        seeds: np.random.SeedSequence,
    ) -> None:
        self.formula = formula
        self.design = design
        self.network = network
        self.settings = settings
        self.fit = fit
        self.seeds = seeds
        self.device = fit.device
        self.check: Any = None  # validation rows, as the batch loop has them; not saved
        self.saved: dict[str, str] | None = None  # versions and date, where the fit was read from a file

    # what was fitted ---------------------------------------------------------------------------------------

    @cached_property
    def call(self) -> str:
        """The call, with the arguments that differ from the defaults."""
        from .training.settings import Settings

        default = Settings()
        shown = []
        for name in Settings.names():
            if name in ("lifesign", "lifesign_step", "progress"):  # how the fit was watched is no part of it
                continue
            value, usual = getattr(self.settings, name), getattr(default, name)
            if name == "threshold" and value is None:  # no such rule, which is usual for fits by epochs
                continue
            if name == "validation" and value is not None and not isinstance(value, float):
                shown.append("validation=...")
                continue
            if isinstance(value, np.ndarray | pd.Series | pd.DataFrame):
                shown.append(f"{name}=...")
            elif name == "layers" and value is not None:
                shown.append(f"layers=[{', '.join(map(layer_call, value))}]")
            elif name == "startweights" and value is not None:
                shown.append("startweights=...")
            elif value is not usual and not _equal(value, usual):
                shown.append(f"{name}={_shown(value)}")
        first = "endog, exog" if self.formula is None else f"{self.formula!r}, data"
        return f"neuralnet({', '.join([first, *shown])})"

    @property
    def nrep(self) -> int:
        """B."""
        return self.fit.theta.shape[0]

    @property
    def nobs(self) -> int:
        """n, rows used in the fit."""
        return self.design.y.shape[1]

    @property
    def k_params(self) -> int:
        """Weights that were trained (not the degrees of freedom)."""
        return int(self.fit.free[0].sum())

    @cached_property
    def data(self) -> Any:
        """The observations as kernels see them (internal units)."""
        design = self.design
        return make_data(design.x, design.y, design.weights, design.offset)

    @cached_property
    def penalty_coefficients(self) -> np.ndarray | None:
        """(P, 4) coefficients of the penalty beside the *sum* of errors, None without one.

        Fits by epochs add the penalty to the mean error, so here it is n times as large.
        """
        penalty = coefficients(self.settings.penalty, self.network, self.design)
        if penalty is None or not self.settings.minibatch:
            return penalty
        return per_observation(penalty, self.nobs)

    @property
    def algorithm(self) -> str:
        """What trained the fit, as ``"lm (chosen automatically)"`` or ``"rprop+, then lm"``."""
        return self.fit.algorithm or str(self.settings.algorithm)

    # repetitions -------------------------------------------------------------------------------------------

    @property
    def converged(self) -> bool:
        """Whether every repetition reached the threshold."""
        return bool(self.fit.converged.all())

    @cached_property
    def errors(self) -> np.ndarray:
        """(B,) error of each repetition with its penalty, in the units of the response."""
        if self.settings.compat == "R":
            return np.array([r_error(self, b) for b in range(self.nrep)])
        scaling = self.design.scaling
        factor = 1.0
        if scaling is not None and np.any(scaling.y_sd != 1):
            if scaling.y_sd.size > 1:
                return np.array([self._original_error(b) for b in range(self.nrep)])
            factor = float(scaling.y_sd[0]) ** 2
        return self.fit.loss.astype(float) * factor

    def _original_error(self, b: int) -> float:
        """Half squared errors of several scaled outputs, each in its own units, and the penalty."""
        from .functions.penalties import penalise
        from .jit.compile import as_python

        scaling = self.design.scaling
        f = derivatives.outputs(self.network, self.design.x, self.fit.theta[b], self.design.offset)[0]
        half = 0.5 * ((f - self.design.y) * scaling.y_sd[:, np.newaxis]) ** 2  # type: ignore[union-attr]
        total = float(np.sum(half if self.design.weights is None else half * self.design.weights))
        if self.penalty_coefficients is not None:
            unused = np.zeros(self.network.n_params)
            total += float(as_python(penalise)(self.penalty_coefficients, self.fit.theta[b], unused))
        return total

    @cached_property
    def best(self) -> int:
        """Number (from 1) of the best repetition."""
        errors = np.where(np.isnan(self.errors), np.inf, self.errors)
        if self.fit.converged.any():
            errors = np.where(self.fit.converged, errors, np.inf)
            if not np.isfinite(errors).any():  # R's error may be NaN at a converged repetition
                return int(np.argmax(self.fit.converged)) + 1
        return int(np.argmin(errors)) + 1

    def which(self, rep: Any) -> int:
        """0-based number of a repetition given as 1, 2, ... or "best".

        Raises
        ------
        ArgumentError
            Where there is no such repetition.
        """
        if isinstance(rep, str) and rep == "best":
            return self.best - 1
        if isinstance(rep, int | np.integer) and not isinstance(rep, bool) and 1 <= rep <= self.nrep:
            return int(rep) - 1
        raise ArgumentError(f"rep must be 'best' or a number from 1 to {self.nrep}, got {rep!r}.")

    @cached_property
    def gradients(self) -> np.ndarray:
        """(B, P) gradient at the end (internal units), 0 at weights held out."""
        rows = [
            derivatives.gradient(self.network, self.data, theta.astype(float), self.penalty_coefficients)
            for theta in self.fit.theta
        ]
        return np.where(self.fit.free, np.array(rows), 0.0)

    @cached_property
    def reps(self) -> pd.DataFrame:
        """One row per repetition.

        Columns ``error``, ``reached_threshold``, ``steps``, ``converged``, ``status``, ``largest_gradient`` (name of
        the weight), and ``optimum``: repetitions with the same number ended at errors that agree to 1e-4
        and at the same function (see `canonical.distinct_optima`).
        """
        size = np.abs(np.where(np.isnan(self.gradients), np.inf, self.gradients))
        frame = pd.DataFrame(
            {
                "error": self.errors,
                "reached_threshold": self.fit.reached.astype(float),
                "steps": self.fit.steps,
                "converged": self.fit.converged,
                "status": [STATUS[int(s)] for s in self.fit.status],
                "largest_gradient": [self.network.names[j] for j in size.argmax(axis=1)],
                "optimum": self._optima,
            },
            index=pd.RangeIndex(1, self.nrep + 1, name="rep"),
        )
        return frame

    @cached_property
    def _optima(self) -> np.ndarray:
        from .network.canonical import distinct_optima

        raw = self._raw(self.design.x, self.design.offset, range(self.nrep))
        return distinct_optima(self.fit.loss.astype(float), np.asarray(raw), self.design.weights)

    def canonical_weights(self) -> np.ndarray:
        """(B, P) weights in original units with the hidden units in canonical order and sign.

        Networks that differ by the order of hidden units, or by a sign that the activation's symmetry undoes, have the
        same canonical weights; see `canonical.canonical`.
        """
        from .network.canonical import canonical

        return canonical(self.network, self.theta, self.fit.free[0])

    @cached_property
    def pruned(self) -> pd.DataFrame:
        """Repetitions that ``keep=`` ruled out after a trial: number of the start, error, gradient, steps, status."""
        gone = self.fit.pruned
        columns = ("start", "error", "reached_threshold", "steps")
        values: list[Any] = [[]] * 4 if gone is None else [gone.number + 1, gone.loss, gone.reached, gone.steps]
        frame = pd.DataFrame(dict(zip(columns, values, strict=True)))
        return frame.assign(status=STATUS[cpu.PRUNED])

    @cached_property
    def history(self) -> pd.DataFrame:
        """What a fit by epochs recorded: a row per repetition and epoch.

        Columns ``rep``, ``epoch``, ``loss`` (mean over the epoch's batches of error and penalty, as the weights were),
        ``accuracy`` (factor and 0/1 responses) or ``mse`` (squared error), ``val_loss`` and ``val_accuracy`` or
        ``val_mse`` (after the epoch, where there is validation data; with the penalty, as Keras), ``learning_rate``
        (of the epoch's last step). Errors of a scaled response are in original units (several outputs: scaled units).

        Raises
        ------
        ArgumentError
            Where the algorithm has no epochs.
        """
        record = self.fit.history
        if record is None:
            raise ArgumentError(f"history: algorithm={self.settings.algorithm!r} has no epochs; see plot_error().")
        scaling = self.design.scaling
        factor = float(scaling.y_sd[0]) ** 2 if scaling is not None and scaling.y_sd.size == 1 else 1.0
        parts = []
        for b, epochs in enumerate(record.epochs):
            part = pd.DataFrame(record.values[b, :epochs], columns=list(record.columns))
            for name in part.columns:
                if name.endswith(("loss", "mse")):
                    part[name] *= factor
            part.insert(0, "epoch", np.arange(1, epochs + 1))
            part.insert(0, "rep", b + 1)
            parts.append(part)
        return pd.concat(parts, ignore_index=True)

    # R's components ----------------------------------------------------------------------------------------

    @cached_property
    def theta(self) -> np.ndarray:
        """(B, P) weights in original units; weights held out at their value."""
        return self._original(self.fit.theta.astype(float))

    def _original(self, theta: np.ndarray) -> np.ndarray:
        if self.design.scaling is None:
            return theta
        from .network.scaling import to_original

        return to_original(self.network, self.design.scaling, theta)

    @cached_property
    def result_matrix(self) -> pd.DataFrame:
        """R's ``result.matrix``: error, reached.threshold, steps, (aic, bic,) every weight; a column per repetition.

        With ``compat="R"`` it lacks the repetitions that did not converge, as R's does.
        """
        rows = {"error": self.errors, "reached.threshold": self.fit.reached, "steps": self.fit.steps}
        if self.settings.likelihood:
            rows["aic"], rows["bic"] = self.r_criterion(2.0), self.r_criterion(np.log(self.nobs))
        for name, values in zip(self.network.names, self.theta.T, strict=True):
            rows[name] = values
        frame = pd.DataFrame(np.array(list(rows.values()), float), list(rows), range(1, self.nrep + 1))
        return frame.loc[:, self.fit.converged] if self.settings.compat == "R" else frame

    def r_criterion(self, per_weight: float) -> np.ndarray:
        """(B,) R's information criteria, ``2 error + per_weight p``.

        The error stands for minus the log-likelihood; p is the number of weights, those held at a non-zero constant
        counted, as R does.
        """
        p = np.sum(self.fit.free[0] | (self.theta[0] != 0))
        return 2 * self.errors + per_weight * p

    def _matrices(self, theta: np.ndarray) -> list[list[np.ndarray]]:
        shown = np.where(~self.fit.free[0] & (theta == 0), np.nan, theta)
        return [self.network.matrices(row) for row in shown]

    @cached_property
    def weights(self) -> list[list[np.ndarray]]:
        """Per repetition, a list of matrices (1 + inputs, units), bias first; NaN where held out at 0, as R."""
        return self._matrices(self.theta)

    @cached_property
    def startweights(self) -> list[list[np.ndarray]]:
        """Start weights, shaped as `weights`."""
        return self._matrices(self._original(self.fit.start.astype(float)))

    @cached_property
    def net_result(self) -> list[pd.DataFrame]:
        """Per repetition the fitted outputs of the rows used, columns the K outputs."""
        values = self._response(self._raw(self.design.x, self.design.offset, range(self.nrep)))
        return [pd.DataFrame(v.T, self.design.index, list(self.design.y_names)) for v in values]

    @cached_property
    def generalized_weights(self) -> list[pd.DataFrame]:
        """Per repetition the effect of each covariate at each row: (n, K * D), all covariates of output 1 first.

        d g(output) / d covariate, in original units, where g is the link: log-odds slopes under a cross-entropy
        error (logistic outputs, and users' own), plain derivatives otherwise. With ``compat="R"``: R's definition,
        (d output / d covariate) / (output (1 - output)), whatever the output is.
        """
        return [self._effects(b, "R" if self.settings.compat == "R" else "link") for b in range(self.nrep)]

    def slopes(self, rep: Any = "best", scale: str = "link") -> pd.DataFrame:
        """Derivatives of the fit in the covariates at every row used.

        Parameters
        ----------
        rep : int or "best"
        scale : {"link", "response", "R"}
            Of the linear predictor, of the output, or R's generalized weights.

        Returns
        -------
        DataFrame, shape (n, K * D)
            In original units.
        """
        if scale not in ("link", "response", "R"):
            raise ArgumentError(f"scale must be 'link', 'response' or 'R', got {scale!r}.")
        return self._effects(self.which(rep), scale)

    def _effects(self, b: int, scale: str) -> pd.DataFrame:
        design, theta = self.design, self.fit.theta[b].astype(float)
        d = derivatives.slopes(self.network, design.x, theta, design.offset)  # (K, D, n)
        if scale != "link" or not self.network.objective.of_predictor:
            d = self._chain(d, b, scale)
        if design.scaling is not None:
            d = d * design.scaling.y_sd[:, None, None] / design.scaling.x_sd[None, :, None]
        k, p, n = d.shape
        names = [f"{x}" if k == 1 else f"{y}:{x}" for y in design.y_names for x in design.x_names]
        return pd.DataFrame(d.reshape(k * p, n).T, design.index, names)

    def _chain(self, d: np.ndarray, b: int, scale: str) -> np.ndarray:
        """From slopes of what kernels give to slopes of the output, the link, or R's."""
        goal = self.network.objective
        raw = self._raw(self.design.x, self.design.offset, [b])[0]
        if goal.of_predictor:  # d is of the linear predictor
            d = goal.output_slopes(raw, d)
        if scale == "R":
            return r_generalized_weights(d, goal.response(raw))
        binomial = goal.output.name == "logistic" or goal.output.custom is not None
        if scale == "link" and goal.name in ("ce", "ce_r") and binomial:
            o = goal.response(raw)
            return d / (o * (1 - o))[:, np.newaxis, :]
        return d

    def compute(self, new: Any, rep: int = 1) -> ComputeResult:
        """R's ``compute``: values of all neurons, and outputs, for new data.

        Parameters
        ----------
        new : table
            Columns are matched by name.
        rep : int or "best"

        Returns
        -------
        ComputeResult
            ``neurons``: per layer an array (m, 1 + units) with a first column of ones; ``net_result``: DataFrame.
        """
        return self._compute(new, self.which(rep))

    def confidence_interval(self, alpha: float = 0.05) -> ConfidenceInterval:
        """Confidence intervals of the weights and the network information criterion; see `inference.intervals`."""
        from .inference.intervals import confidence_interval

        return confidence_interval(self, alpha)

    # statsmodels' names ------------------------------------------------------------------------------------

    @property
    def params(self) -> pd.Series:
        """Weights of the best repetition by R's names, original units."""
        return pd.Series(self.theta[self.best - 1], index=list(self.network.names), name="weights")

    # diagnostics -------------------------------------------------------------------------------------------

    def get_influence(self, rep: Any = "best", curvature: str = "expected") -> Influence:
        """Leverages, Cook's distances, leave-one-out residuals without refits; see `inference.influence.Influence`."""
        from .inference.influence import Influence

        return Influence(self, rep, curvature)

    def hessian_spectrum(self, rep: Any = "best", cutoff: float = 1e-8) -> pd.DataFrame:
        """Eigenvalues of the Hessian, flat and negative directions; see `inference.spectrum`."""
        from .inference.spectrum import hessian_spectrum

        return hessian_spectrum(self, rep, cutoff)

    def plot_diagnostics(self, rep: Any = "best", **options: Any) -> Any:
        """The four panels of R's ``plot.lm``; see `plots.plot_diagnostics`."""
        from .plots import plot_diagnostics

        return plot_diagnostics(self, rep, **options)

    def plot_spectrum(self, rep: Any = "best", *, ax: Axes | None = None) -> Axes:
        """Eigenvalues of the Hessian by rank."""
        from .plots import plot_spectrum

        return plot_spectrum(self.hessian_spectrum(rep), ax=ax)

    # printing, plots, files --------------------------------------------------------------------------------

    def summary(self) -> Any:
        """The fit as a page: text by ``print``, HTML in a notebook, LaTeX by ``.as_latex()``."""
        from .summary.summary import summary

        return summary(self)

    def __str__(self) -> str:
        return str(self.summary())

    def _repr_html_(self) -> str:
        return self.summary().as_html()

    def __repr__(self) -> str:
        n = int(self.fit.converged.sum())
        return (
            f"<NeuralNetResults {self.network.topology}, n = {self.nobs}, {self.k_params} weights, "
            f"converged {n}/{self.nrep}, error {self.errors[self.best - 1]:.6g}>"
        )

    def plot(self, rep: Any = "best", *, ax: Axes | None = None, **options: Any) -> Axes:
        """The network as a diagram: unit by unit for dense layers, block by block for others.

        See `plots.plot_network` for the options of the first, `plots.plot_layers` for the second.
        """
        from .plots import plot_layers, plot_network

        if not self.network.plain:
            return plot_layers(self.layer_table, self.network.input_shape, ax=ax, **options)
        b = self.which(rep)
        if not np.isfinite(self.theta[b]).all():
            raise ArgumentError(
                f"repetition {b + 1} diverged ({STATUS[int(self.fit.status[b])]}): its weights are not finite and "
                "cannot be drawn."
            )
        fixed = self.network.matrices(~self.fit.free[0])
        return plot_network(
            self.weights[b], self.network.input_names, self.network.output_names, error=float(self.errors[b]),
            steps=int(self.fit.steps[b]), fixed=[f.astype(bool) for f in fixed], ax=ax, **options,
        )  # fmt: skip

    def plot_error(self, *, ax: Axes | None = None, **options: Any) -> Axes:
        """Error against step, a line per repetition."""
        from .plots import plot_error

        return plot_error(self.fit.trace, list(self.fit.converged), ax=ax, **options)

    def plot_history(self, metric: str = "loss", *, ax: Axes | None = None) -> Axes:
        """Loss (or another column of `history`) against the epoch; see `plots.plot_history`."""
        from .plots import plot_history

        record = self.fit.history
        best = None if record is None else record.best_epoch
        return plot_history(self.history, metric, best_epochs=best, ax=ax)

    def plot_restarts(self, *, ax: Axes | None = None, **options: Any) -> Axes:
        """The errors of the repetitions in order, with distinct optima."""
        from .plots import plot_restarts

        options.setdefault("optima", self.reps["optimum"].to_numpy())
        return plot_restarts(self.errors, list(self.fit.converged), ax=ax, **options)

    def gwplot(
        self, covariate: str | None = None, *, response: str | None = None, rep: Any = "best",
        ax: Axes | None = None, **options: Any,
    ) -> Axes:  # fmt: skip
        """Generalized weights against a covariate, as R's ``gwplot``.

        Parameters
        ----------
        covariate : str
            Name of a column of the design; may be left out where there is one.
        response : str
            Name of an output; may be left out where there is one.
        rep : int or "best"
        """
        from .plots import gwplot

        d = _position(covariate, self.design.x_names, "covariate")
        k = _position(response, self.design.y_names, "response")
        values = self.generalized_weights[self.which(rep)].iloc[:, k * len(self.design.x_names) + d]
        x = self.design.x[d]
        if self.design.scaling is not None:
            x = x * self.design.scaling.x_sd[d] + self.design.scaling.x_mean[d]
        return gwplot(
            x, values.to_numpy(), name=self.design.x_names[d], response=self.design.y_names[k], ax=ax, **options
        )

    def plot_fit(self, *, ax: Axes | None = None, **options: Any) -> Axes:
        """Data and fit; see `plots.results.plot_fit`."""
        from .plots.results import plot_fit

        return plot_fit(self, ax=ax, **options)

    def save(self, path: Any) -> None:
        """Write the fit to a file of arrays and JSON; `neuralstat.load` reads it."""
        from .io.files import save

        save(self, path)


def _shown(value: Any) -> str:
    """An argument as it is written in the call: functions by name, a Generator without its address."""
    from .network.penalties import Penalty
    from .symbolic.custom import Activation, Loss

    if isinstance(value, list | tuple):
        ends = "[]" if isinstance(value, list) else "()" if len(value) != 1 else ("(", ",)")
        return ends[0] + ", ".join(map(_shown, value)) + ends[1]
    if isinstance(value, Penalty):
        return str(value)
    if isinstance(value, Activation | Loss):
        return value.name
    if isinstance(value, np.ndarray | np.random.Generator | np.random.SeedSequence):
        return "..."
    if isinstance(value, np.generic):
        return repr(value.item())
    name = getattr(value, "__name__", None) if callable(value) else None
    return repr(value) if name is None else "custom" if name == "<lambda>" else name


def _equal(a: Any, b: Any) -> bool:
    try:
        return bool(a == b)
    except (TypeError, ValueError):
        return False


def _position(name: str | None, names: tuple[str, ...], argument: str) -> int:
    if name is None and len(names) == 1:
        return 0
    if name not in names:
        raise ArgumentError(f"{argument} must be one of {', '.join(map(repr, names))}; got {name!r}.")
    return names.index(name)
