"""`NeuralNetResults`: a fit as users hold it. It holds a `Fitted` and hands every question to the room that answers it.

Names are those of R's neuralnet where it has them, then statsmodels'.
"""

from __future__ import annotations

from html import escape
from typing import TYPE_CHECKING, Any

import numpy as np
import pandas as pd

from . import df as degrees
from . import effects, export, io, plots
from .assessment import survival
from .effects import slopes as effect_slopes
from .export import frames
from .export import tables as estimates
from .families import Family
from .fitted import Fitted
from .formula.arrays import WithoutCovariates
from .inference import (
    coefficients,
    concurvity,
    coverage,
    distribution,
    nested,
    predict,
    predictions,
    repetitions,
    spectrum,
    term_tests,
    terms_table,
    wald,
)
from .inference import diagnose as diagnosis
from .inference import ranef as random_effects
from .inference.covariance import cov_params
from .inference.evaluate import evaluate
from .inference.get_prediction import get_prediction
from .inference.influence import Influence
from .inference.intervals import ConfidenceInterval, confidence_interval
from .inference.likelihood_influence import LikelihoodInfluence
from .inference.prediction import Prediction
from .insight import layers
from .likelihood import criteria, evidence, likelihood
from .likelihood.residuals import residuals
from .network.blas import methods_on_one_thread
from .plots import fit_effects
from .plots import results as drawing
from .summary.call import call
from .summary.summary import Summary, summary
from .training import continued
from .training.fit import Fit

if TYPE_CHECKING:
    from matplotlib.axes import Axes

    from .assessment.brier import BrierScore
    from .assessment.concordance import Concordance
    from .df import DegreesOfFreedom
    from .export.tables import Estimates
    from .formula import Design
    from .inference.nested import Comparison
    from .inference.wald import TermTests
    from .network.network import Network
    from .training.settings import Settings


@methods_on_one_thread(but=("update", "replace_head", "save"))
class NeuralNetResults:
    """A fitted neural network; every repetition is kept.

    Made by `neuralnet`, `NeuralNet.fit` or `load`, not by hand. Repetitions are numbered from 1; "best" is the one
    with the least error among the converged, among all where none converged. n observations, K outputs, D
    covariates, P weights, B repetitions.

    Likelihood, residuals and criteria are of the best repetition (methods take `rep`), unlike `fittedvalues` and
    `resid`, which average over the repetitions: an average of networks has no weights of its own.

    Parameters
    ----------
    fitted : Fitted

    Examples
    --------
    >>> import neuralstat as ns
    >>> data = ns.datasets.mcycle()
    >>> settings = {"algorithm": "lm", "penalty": ns.decay(0.01), "random_state": 1}
    >>> fit = ns.neuralnet("accel ~ times", data, hidden=3, **settings)
    >>> fit
    <NeuralNetResults 1-3-1, n = 133, 10 weights, converged 5/5, error 33967.1>
    >>> fit.predict({"times": [10.0, 20.0]}).round(1).tolist()
    [0.2, -116.7]
    """

    def __init__(self, fitted: Fitted) -> None:
        self.fitted = fitted

    # what was fitted ---------------------------------------------------------------------------------------

    @property
    def formula(self) -> str | None:
        """The formula, None for a model of arrays.

        Examples
        --------
        >>> import neuralstat as ns
        >>> data = ns.datasets.doppler(n=100, noise=0.1, random_state=1)
        >>> fit = ns.neuralnet("y ~ x", data, hidden=2, rep=2, random_state=1)
        >>> fit.formula
        'y ~ x'
        """
        return self.fitted.formula

    @property
    def design(self) -> Design:
        """Rows that were trained on, in internal units.

        Examples
        --------
        >>> import neuralstat as ns
        >>> data = ns.datasets.doppler(n=100, noise=0.1, random_state=1)
        >>> fit = ns.neuralnet("y ~ x", data, hidden=2, rep=2, random_state=1)
        >>> fit.design.x_names
        ('x',)
        """
        return self.fitted.design

    @property
    def network(self) -> Network:
        """Table of layers and names of weights.

        Examples
        --------
        >>> import neuralstat as ns
        >>> data = ns.datasets.doppler(n=100, noise=0.1, random_state=1)
        >>> fit = ns.neuralnet("y ~ x", data, hidden=2, rep=2, random_state=1)
        >>> fit.network.topology
        '1-2-1'
        """
        return self.fitted.network

    @property
    def settings(self) -> Settings:
        """Arguments of the fit.

        Examples
        --------
        >>> import neuralstat as ns
        >>> data = ns.datasets.doppler(n=100, noise=0.1, random_state=1)
        >>> fit = ns.neuralnet("y ~ x", data, hidden=2, rep=2, random_state=1)
        >>> fit.settings.rep
        2
        """
        return self.fitted.settings

    @property
    def fit(self) -> Fit:
        """What training returned: weights in internal units, errors, steps, status.

        Examples
        --------
        >>> import neuralstat as ns
        >>> data = ns.datasets.doppler(n=100, noise=0.1, random_state=1)
        >>> fit = ns.neuralnet("y ~ x", data, hidden=2, rep=2, random_state=1)
        >>> fit.fit.theta.shape
        (2, 7)
        """
        return self.fitted.fit

    @property
    def seeds(self) -> np.random.SeedSequence:
        """Where the start weights came from.

        Examples
        --------
        >>> import neuralstat as ns
        >>> data = ns.datasets.doppler(n=100, noise=0.1, random_state=1)
        >>> ns.neuralnet("y ~ x", data, hidden=2, rep=2, random_state=5).seeds.entropy
        5
        """
        return self.fitted.seeds

    @property
    def device(self) -> str:
        """What trained it: "cpu", "cuda:0 (NVIDIA H100)", "cuda:0 (simulator)".

        Examples
        --------
        >>> import neuralstat as ns
        >>> data = ns.datasets.doppler(n=100, noise=0.1, random_state=1)
        >>> fit = ns.neuralnet("y ~ x", data, hidden=2, rep=2, random_state=1)
        >>> fit.device
        'cpu'
        """
        return self.fit.device

    @property
    def saved(self) -> dict[str, str] | None:
        """Versions and date, where the fit was read from a file.

        Examples
        --------
        >>> import neuralstat as ns
        >>> fit = ns.neuralnet("accel ~ times", ns.datasets.mcycle(), hidden=0)
        >>> fit.saved is None
        True
        >>> fit.save("fit.nst")
        >>> sorted(ns.load("fit.nst").saved)[:3]
        ['data', 'date', 'machine']
        """
        return self.fitted.saved

    @property
    def call(self) -> str:
        """The call, with the arguments that differ from the defaults.

        Examples
        --------
        >>> import neuralstat as ns
        >>> data = ns.datasets.doppler(n=100, noise=0.1, random_state=1)
        >>> fit = ns.neuralnet("y ~ x", data, hidden=2, rep=2, random_state=1)
        >>> print(fit.call)
        neuralnet('y ~ x', data, hidden=(2,), rep=2, random_state=1)
        """
        return call(self.fitted)

    @property
    def algorithm(self) -> str:
        """What trained the fit, as ``"lm (chosen automatically)"`` or ``"rprop+, then lm"``.

        Examples
        --------
        >>> import neuralstat as ns
        >>> data = ns.datasets.doppler(n=100, noise=0.1, random_state=1)
        >>> fit = ns.neuralnet("y ~ x", data, hidden=2, rep=2, random_state=1)
        >>> fit.algorithm
        'rprop+, then lm'
        """
        return self.fit.algorithm or str(self.settings.algorithm)

    @property
    def family(self) -> Family | None:
        """The exponential family of the likelihood; None for a user's error function.

        Examples
        --------
        >>> import neuralstat as ns
        >>> fit = ns.neuralnet("accel ~ times", ns.datasets.mcycle(), hidden=0)
        >>> fit.family
        Gaussian('identity')
        """
        return self.fitted.family

    @property
    def nrep(self) -> int:
        """Number of repetitions, B.

        Examples
        --------
        >>> import neuralstat as ns
        >>> data = ns.datasets.doppler(n=100, noise=0.1, random_state=1)
        >>> fit = ns.neuralnet("y ~ x", data, hidden=2, rep=2, random_state=1)
        >>> fit.nrep
        2
        """
        return self.fitted.nrep

    @property
    def nobs(self) -> float:
        """Observations: rows used in the fit, of positive weight, each as often as ``freq_weights`` says; as in R.

        Examples
        --------
        >>> import neuralstat as ns
        >>> data = ns.datasets.doppler(n=100, noise=0.1, random_state=1)
        >>> fit = ns.neuralnet("y ~ x", data, hidden=2, rep=2, random_state=1)
        >>> fit.nobs
        100
        """
        return self.fitted.nobs

    @property
    def k_params(self) -> int:
        """Weights that were trained (not the degrees of freedom).

        Examples
        --------
        >>> import neuralstat as ns
        >>> data = ns.datasets.doppler(n=100, noise=0.1, random_state=1)
        >>> fit = ns.neuralnet("y ~ x", data, hidden=2, rep=2, random_state=1)
        >>> fit.k_params
        7
        """
        return self.fitted.k_params

    @property
    def data(self) -> Any:
        """The observations as kernels see them (internal units).

        Examples
        --------
        >>> import neuralstat as ns
        >>> data = ns.datasets.doppler(n=100, noise=0.1, random_state=1)
        >>> fit = ns.neuralnet("y ~ x", data, hidden=2, rep=2, random_state=1)
        >>> fit.data.x.shape
        (1, 100)
        """
        return self.fitted.data

    @property
    def penalty_coefficients(self) -> np.ndarray | None:
        """(P, 4) coefficients of the penalty beside the sum of errors, of the best repetition; None without one.

        Examples
        --------
        >>> import neuralstat as ns
        >>> data = ns.datasets.doppler(n=100, noise=0.1, random_state=1)
        >>> fit = ns.neuralnet("y ~ x", data, hidden=2, rep=2, random_state=1)
        >>> fit.penalty_coefficients is None
        True
        """
        return self.fitted.penalty_of(self.fitted.best)

    # repetitions -------------------------------------------------------------------------------------------

    @property
    def converged(self) -> bool:
        """Whether every repetition reached the threshold.

        Examples
        --------
        >>> import neuralstat as ns
        >>> data = ns.datasets.doppler(n=100, noise=0.1, random_state=1)
        >>> fit = ns.neuralnet("y ~ x", data, hidden=2, rep=2, random_state=1)
        >>> fit.converged
        True
        """
        return self.fitted.converged

    @property
    def errors(self) -> np.ndarray:
        """(B,) error of each repetition with its penalty, in the units of the response.

        Examples
        --------
        >>> import neuralstat as ns
        >>> data = ns.datasets.doppler(n=100, noise=0.1, random_state=1)
        >>> fit = ns.neuralnet("y ~ x", data, hidden=2, rep=2, random_state=1)
        >>> fit.errors.shape
        (2,)
        """
        return self.fitted.errors

    @property
    def best(self) -> int:
        """Number (from 1) of the best repetition.

        Examples
        --------
        >>> import neuralstat as ns
        >>> data = ns.datasets.doppler(n=100, noise=0.1, random_state=1)
        >>> fit = ns.neuralnet("y ~ x", data, hidden=2, rep=2, random_state=1)
        >>> fit.best
        1
        """
        return self.fitted.best + 1

    @property
    def gradients(self) -> np.ndarray:
        """(B, P) gradient at the end (internal units), 0 at weights held out.

        Examples
        --------
        >>> import neuralstat as ns
        >>> data = ns.datasets.doppler(n=100, noise=0.1, random_state=1)
        >>> fit = ns.neuralnet("y ~ x", data, hidden=2, rep=2, random_state=1)
        >>> fit.gradients.shape
        (2, 7)
        """
        return self.fitted.gradients

    @property
    def reps(self) -> pd.DataFrame:
        """One row per repetition.

        Columns ``error``, ``reached_threshold``, ``steps``, ``converged``, ``status``, ``largest_gradient`` (name of
        the weight), and ``optimum``: repetitions with the same number ended at errors that agree to 1e-4
        and at the same function, whatever the order and signs of its units. Where strengths of the penalty were estimated
        ``log_evidence``, the logarithm of the marginal likelihood, which then tells the best one.

        The error is that at the final weights. Of a single repetition by epochs without ``threshold`` it is worked out when
        it is first asked for, here, in the summary or by `diagnose`, in a pass over all rows that training did not need.

        Examples
        --------
        >>> import neuralstat as ns
        >>> data = ns.datasets.doppler(n=100, noise=0.1, random_state=1)
        >>> fit = ns.neuralnet("y ~ x", data, hidden=2, rep=2, random_state=1)
        >>> fit.reps[["converged", "status"]]
             converged     status
        rep
        1         True  converged
        2         True  converged
        """
        return repetitions.reps(self.fitted)

    @property
    def log_evidence(self) -> float:
        """Logarithm of the marginal likelihood of the best repetition, by Laplace's method, all constants in it.

        Of a fit under a gaussian penalty, estimated or given (or none, where the Hessian is positive definite); in the units
        of the response, with a flat prior of weights without a penalty. See `likelihood.evidence`.

        Raises
        ------
        ArgumentError, DfError
            Where there is none: another penalty, no likelihood, weights that data and penalty do not determine.

        Examples
        --------
        >>> import neuralstat as ns
        >>> data, found = ns.datasets.mcycle(), {}
        >>> for lam in (0.001, 0.1, 10.0):
        ...     fit = ns.neuralnet("accel ~ times", data, hidden=3, penalty=ns.decay(lam), random_state=1)
        ...     found[lam] = round(fit.log_evidence)
        >>> found  # the data speak for a weak penalty
        {0.001: -634, 0.1: -649, 10.0: -702}
        """
        return evidence.log_evidence(self.fitted, self.fitted.best)

    @property
    def reml(self) -> float:
        """`log_evidence`: of gaussian models without hidden units it is the restricted likelihood.

        Examples
        --------
        >>> import neuralstat as ns
        >>> fit = ns.neuralnet("accel ~ s(times, k=20)", ns.datasets.mcycle())
        >>> round(float(fit.reml), 2)
        -617.63
        """
        return self.log_evidence

    @property
    def strengths(self) -> pd.DataFrame:
        """Estimated strengths of the penalty of the best repetition, a row per group of weights.

        Columns ``group``, ``kind``, ``weights`` (their number), ``strength`` (lam), ``sd`` (root of phi / lam, the standard
        deviation of the group's weights a priori, in the units that training sees: standardised ones) and ``edf`` (trace of
        (H + S)^-1 H over the weights). The last row has the weights without a penalty.

        Raises
        ------
        ArgumentError
            Where no strength was estimated.

        Examples
        --------
        >>> import neuralstat as ns
        >>> fit = ns.neuralnet("accel ~ s(times, k=20)", ns.datasets.mcycle())
        >>> fit.strengths[["group", "kind", "weights"]]
                    group    kind  weights
        0  s(times, k=20)  smooth       18
        1     unpenalised                2
        """
        return evidence.strengths(self.fitted, self.fitted.best)

    @property
    def pruned(self) -> pd.DataFrame:
        """Repetitions that ``keep=`` ruled out after a trial: number of the start, error, gradient, steps, status.

        Examples
        --------
        >>> import neuralstat as ns
        >>> data = ns.datasets.doppler(n=100, noise=0.1, random_state=1)
        >>> fit = ns.neuralnet("y ~ x", data, hidden=2, rep=2, random_state=1)
        >>> len(fit.pruned)
        0
        """
        return repetitions.pruned(self.fitted)

    @property
    def history(self) -> pd.DataFrame:
        """What a fit by epochs recorded: a row per repetition and epoch.

        Columns ``rep``, ``epoch``, ``loss`` (mean over the epoch's batches of Keras' loss and penalty, as the weights were),
        ``accuracy`` (factor and 0/1 responses) or ``mse`` (squared error), ``val_loss`` and ``val_accuracy`` or
        ``val_mse`` (after the epoch, where there is validation data; with the penalty, as Keras), ``learning_rate``
        (of the epoch's last step). Errors of a scaled response are in original units (several outputs: scaled units).
        Weights: ``loss`` is the sum of errors times case and class weights, over the number of rows; ``val_loss`` the same
        with the case weights of the validation rows alone; ``accuracy`` and ``mse`` count rows alike; `metrics=` are means
        by these weights, over their sum, as all of `evaluate`.
        Keras' loss is the error per row (half the deviance), times 2 for squared errors, over the outputs unless these are
        classes; `error` and what statistics are made of are sums of errors with every algorithm.

        Raises
        ------
        ArgumentError
            Where the algorithm has no epochs.

        Examples
        --------
        >>> import neuralstat as ns
        >>> data = ns.datasets.doppler(n=100, noise=0.1, random_state=1)
        >>> fit = ns.neuralnet("y ~ x", data, hidden=2, algorithm="adam", epochs=3, random_state=1)
        >>> fit.history[["rep", "epoch", "loss"]].round(3)
           rep  epoch   loss
        0    1      1  0.333
        1    1      2  0.332
        2    1      3  0.331
        """
        return repetitions.history(self.fitted)

    def diagnose(self) -> pd.DataFrame:
        """What the fit says about itself: a row per finding, with its severity, where it is, and what to do.

        See `inference.diagnose.diagnose` for the findings.

        Examples
        --------
        >>> import neuralstat as ns
        >>> data = ns.datasets.doppler(n=100, noise=0.1, random_state=1)
        >>> fit = ns.neuralnet("y ~ x", data, hidden=2, rep=2, random_state=1)
        >>> fit.diagnose().columns.tolist()
        ['severity', 'finding', 'where', 'remedy']
        """
        return diagnosis.diagnose(self.fitted)

    def canonical_weights(self) -> np.ndarray:
        """(B, P) weights in original units with the hidden units in canonical order and sign.

        Networks that differ by the order of hidden units, or by a sign that the activation's symmetry undoes, have the
        same canonical weights; see `network.canonical.canonical`.

        Examples
        --------
        >>> import neuralstat as ns
        >>> data = ns.datasets.doppler(n=100, noise=0.1, random_state=1)
        >>> fit = ns.neuralnet("y ~ x", data, hidden=2, rep=2, random_state=1)
        >>> fit.canonical_weights().shape
        (2, 7)
        """
        return repetitions.canonical_weights(self.fitted)

    # R's components ----------------------------------------------------------------------------------------

    @property
    def theta(self) -> np.ndarray:
        """(B, P) weights in original units; weights held out at their value.

        Examples
        --------
        >>> import neuralstat as ns
        >>> data = ns.datasets.doppler(n=100, noise=0.1, random_state=1)
        >>> fit = ns.neuralnet("y ~ x", data, hidden=2, rep=2, random_state=1)
        >>> fit.theta.shape
        (2, 7)
        """
        return self.fitted.theta

    @property
    def result_matrix(self) -> pd.DataFrame:
        """R's ``result.matrix``: error, reached.threshold, steps, (aic, bic,) every weight; a column per repetition.

        With ``compat="R"`` it lacks the repetitions that did not converge, as R's does.

        Examples
        --------
        >>> import neuralstat as ns
        >>> data = ns.datasets.doppler(n=100, noise=0.1, random_state=1)
        >>> fit = ns.neuralnet("y ~ x", data, hidden=2, rep=2, random_state=1)
        >>> fit.result_matrix.shape
        (10, 2)
        """
        return repetitions.result_matrix(self.fitted)

    def r_criterion(self, per_weight: float) -> np.ndarray:
        """(B,) R's information criteria, ``2 error + per_weight p``; see `likelihood.criteria.r_criterion`.

        Examples
        --------
        >>> import neuralstat as ns
        >>> fit = ns.neuralnet("accel ~ times", ns.datasets.mcycle(), hidden=0)
        >>> fit.r_criterion(2.0).shape
        (1,)
        """
        return criteria.r_criterion(self.fitted, per_weight)

    @property
    def weights(self) -> list[list[np.ndarray]]:
        """Per repetition, a list of matrices (1 + inputs, units), bias first; NaN where held out at 0, as R.

        Examples
        --------
        >>> import neuralstat as ns
        >>> data = ns.datasets.doppler(n=100, noise=0.1, random_state=1)
        >>> fit = ns.neuralnet("y ~ x", data, hidden=2, rep=2, random_state=1)
        >>> [matrix.shape for matrix in fit.weights[0]]
        [(2, 2), (3, 1)]
        """
        return repetitions.weights(self.fitted)

    @property
    def startweights(self) -> list[list[np.ndarray]]:
        """Start weights, shaped as `weights`.

        Examples
        --------
        >>> import neuralstat as ns
        >>> data = ns.datasets.doppler(n=100, noise=0.1, random_state=1)
        >>> fit = ns.neuralnet("y ~ x", data, hidden=2, rep=2, random_state=1)
        >>> [matrix.shape for matrix in fit.startweights[0]]
        [(2, 2), (3, 1)]
        """
        return repetitions.startweights(self.fitted)

    @property
    def net_result(self) -> list[pd.DataFrame]:
        """Per repetition the fitted outputs of the rows used, columns the K outputs.

        Examples
        --------
        >>> import neuralstat as ns
        >>> data = ns.datasets.doppler(n=100, noise=0.1, random_state=1)
        >>> fit = ns.neuralnet("y ~ x", data, hidden=2, rep=2, random_state=1)
        >>> fit.net_result[0].shape
        (100, 1)
        """
        return repetitions.net_result(self.fitted)

    @property
    def generalized_weights(self) -> list[pd.DataFrame]:
        """Per repetition the effect of each covariate at each row: (n, K * D), all covariates of output 1 first.

        d g(output) / d covariate, in original units, where g is the link: log-odds slopes under a cross-entropy
        error (logistic outputs, and users' own), plain derivatives otherwise. With ``compat="R"``: R's definition,
        (d output / d covariate) / (output (1 - output)), whatever the output is.

        Examples
        --------
        >>> import neuralstat as ns
        >>> data = ns.datasets.doppler(n=100, noise=0.1, random_state=1)
        >>> fit = ns.neuralnet("y ~ x", data, hidden=2, rep=2, random_state=1)
        >>> fit.generalized_weights[0].shape
        (100, 1)
        """
        return effect_slopes.generalized_weights(self.fitted)

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

        Examples
        --------
        >>> import neuralstat as ns
        >>> data = ns.datasets.doppler(n=100, noise=0.1, random_state=1)
        >>> fit = ns.neuralnet("y ~ x", data, hidden=2, rep=2, random_state=1)
        >>> fit.slopes().shape
        (100, 1)
        """
        return effect_slopes.slopes(self.fitted, self.fitted.which(rep), scale)

    def compute(self, new: Any, rep: int = 1) -> predict.ComputeResult:
        """R's ``compute``: values of all neurons, and outputs, for new data.

        Parameters
        ----------
        new : table, array, list or Series
            As in `predict`.
        rep : int or "best"

        Returns
        -------
        ComputeResult
            ``neurons``: per layer an array (m, 1 + units) with a first column of ones; ``net_result``: DataFrame.

        Examples
        --------
        >>> import neuralstat as ns
        >>> data = ns.datasets.doppler(n=100, noise=0.1, random_state=1)
        >>> fit = ns.neuralnet("y ~ x", data, hidden=2, rep=2, random_state=1)
        >>> len(fit.compute(data).neurons)
        2
        """
        return predict.compute(self.fitted, new, self.fitted.which(rep))

    def prediction(self) -> dict[str, pd.DataFrame]:
        """R's ``prediction``: outputs at the distinct covariate rows, and the mean response there.

        Returns
        -------
        dict
            ``"rep1"``, ``"rep2"``, ...: a row per distinct covariate row, covariates and outputs; ``"data"``: the
            same with the mean of the responses. Rows are sorted by the last covariate first, as in R. With
            ``compat="R"`` these means are R's, which miss rows.

        Examples
        --------
        >>> import neuralstat as ns
        >>> data = ns.datasets.doppler(n=100, noise=0.1, random_state=1)
        >>> fit = ns.neuralnet("y ~ x", data, hidden=2, rep=2, random_state=1)
        >>> sorted(fit.prediction())
        ['data', 'rep1', 'rep2']
        """
        return predict.prediction(self.fitted)

    def confidence_interval(self, alpha: float = 0.05) -> ConfidenceInterval:
        """Confidence intervals of the weights and the network information criterion; see `inference.intervals`.

        Examples
        --------
        >>> import neuralstat as ns
        >>> data = ns.datasets.doppler(n=100, noise=0.1, random_state=1)
        >>> fit = ns.neuralnet("y ~ x", data, hidden=2, rep=2, random_state=1)
        >>> interval = fit.confidence_interval()
        >>> [matrix.shape for matrix in interval.lower_ci[0]]  # as those of weights
        [(2, 2), (3, 1)]
        """
        return confidence_interval(self.fitted, alpha)

    # predictions -------------------------------------------------------------------------------------------

    def predict(
        self, new: Any = None, rep: Any = "mean", type: str = "response", *, offset: Any = None, q: Any = None,
        times: Any = None, combine: str = "mixture",
    ) -> Any:  # fmt: skip
        """Predictions for new data, or for the data of the fit.

        Parameters
        ----------
        new : table, array, list or Series, optional
            Columns are matched by name; rows with missing values give NaN. Where the model reads one column, its values
            will do; a model of arrays also takes an array with its columns in their order. None: the rows of the fit.
        rep : {"mean", "best", "all"} or int
            "mean" averages over the converged repetitions (over all, with a warning, where none converged); a number
            counts from 1; "all" gives every repetition.
        type : {"response", "link", "class", "units", "quantile", "median", "parameters", "distribution", "survival"}
            In the units of the response; the link of it, which is the linear predictor of one repetition, and of the mean
            of several the link of their mean response (of several classes the logarithm of the mean probabilities), not the
            mean of their linear predictors; the most probable class; or every layer's units (a list of DataFrames, inputs
            first: one repetition only). Of the fitted distribution of the response, of several repetitions their mixture:
            quantiles at levels `q`, the median, the parameters, the distribution itself (``mean()``, ``var()``, ``ppf(q)``,
            ``cdf(y)``, ``sf(y)``, ``logpdf(y)``), and the probability of a larger response at `times`.
        offset : array, optional
            For the new rows, where the model was given its offset as an array.
        q : number or sequence of numbers in (0, 1)
            Levels of "quantile".
        times : number or sequence of numbers
            Of "survival".
        combine : {"mixture", "mean", "evidence"}
            What several repetitions give together. "mixture": means and distributions are averaged, in equal shares, so that
            the distribution is as wide as the repetitions' and their differences. "mean": their linear predictors are, of all
            parameters, and what follows from the mean is one distribution of the family. "mixture" is the default since its
            mean is `fittedvalues` and its log-score no worse than the mean of theirs. (The parameters of a mixture are shown
            as the means of the repetitions'.) "evidence": responses are averaged in proportion to the repetitions' marginal
            likelihoods (`log_evidence`).

        Returns
        -------
        Series, or DataFrame for several outputs
            Indexed as `new`. With ``rep="all"`` a DataFrame with a column per repetition, for several outputs with
            columns (rep, output). Of a table of polars or pyarrow a table of the same, with nulls for what is missing.

        Raises
        ------
        ArgumentError, DataError
            For unknown `rep` and `type`; for columns or levels that do not fit.

        Examples
        --------
        >>> import neuralstat as ns
        >>> fit = ns.neuralnet("accel ~ times", ns.datasets.mcycle(), hidden=0)
        >>> fit.predict({"times": [10, 20]}).round(1)
        0   -42.1
        1   -31.2
        Name: accel, dtype: float64
        """
        made = predictions.predict(self.fitted, new, rep, type, offset=offset, q=q, times=times, combine=combine)
        return frames.like(frames.kind_of(new), made)

    def baseline_hazard(self, rep: Any = "best") -> pd.DataFrame:
        """Breslow's estimate of the baseline of Cox's model: of a row whose linear predictor is the mean, 0.

        Parameters
        ----------
        rep : "best" or int

        Returns
        -------
        DataFrame
            Columns "time" (of events), "cumulative_hazard", "survival".

        Raises
        ------
        ArgumentError
            For other families.

        Examples
        --------
        >>> import neuralstat as ns
        >>> fit = ns.neuralnet("Surv(time, status == 2) ~ age", ns.datasets.lung(), hidden=0, family="cox")
        >>> fit.baseline_hazard().head(3).round(4)
           time  cumulative_hazard  survival
        0   5.0             0.0043    0.9957
        1  11.0             0.0174    0.9827
        2  12.0             0.0218    0.9784
        """
        return distribution.baseline_hazard(self.fitted, rep)

    def simulate(
        self, n: int = 1, *, new: Any = None, rep: Any = "mean", random_state: Any = None, combine: str = "mixture"
    ) -> pd.DataFrame:
        """Responses drawn from the fitted distribution at the rows of the fit, or at new ones.

        Parameters
        ----------
        n : int
            Draws.
        new : table, optional
        rep : {"mean", "best"} or int
        random_state : int, SeedSequence, Generator, optional
        combine : {"mixture", "mean"}
            Of several repetitions the mixture of their distributions, or the one at the mean of their linear predictors.

        Returns
        -------
        DataFrame, shape (rows, n)
            NaN at rows kept out of the fit. That parameters are estimates is not in the draws.

        Examples
        --------
        >>> import neuralstat as ns
        >>> data = ns.datasets.doppler(n=100, noise=0.1, random_state=1)
        >>> fit = ns.neuralnet("y ~ x", data, hidden=2, rep=2, random_state=1)
        >>> fit.simulate(3, random_state=1).shape
        (100, 3)
        """
        made = distribution.simulate(self.fitted, n, new=new, rep=rep, random_state=random_state, combine=combine)
        return frames.like(frames.kind_of(new), made)

    @property
    def resid_quantile(self) -> pd.Series:
        """Randomised quantile residuals, standard normal where the fitted distribution is right.

        Normal quantiles of P(Y <= y), of counts of a uniform number between P(Y < y) and P(Y <= y), always the same one of
        a fit (Dunn & Smyth 1996, J Comput Graph Stat 5:236). NaN at rows kept out of the fit.

        Examples
        --------
        >>> import neuralstat as ns
        >>> fit = ns.neuralnet("accel ~ times", ns.datasets.mcycle(), hidden=0)
        >>> round(float(fit.resid_quantile.std()), 1)
        1.0
        """
        return distribution.quantile_residuals(self.fitted)

    def evaluate(self, data: Any = None, *, metrics: Any = None, rep: Any = "mean") -> pd.Series:
        """Loss and metrics of the predictions for other data, or for the rows of the fit.

        Parameters
        ----------
        data : table, or (endog, exog), optional
            With the response; rows with missing values are left out.
        metrics : str, callable, or sequence of them, optional
            As in `neuralnet`; those of the fit where not given, else "accuracy", "auc" and "log_loss" of classes, "rmse",
            "mae" and "r2" of numbers.
        rep : {"mean", "best"} or int
            What predicts.

        Returns
        -------
        Series
            ``loss`` (the error per row without a penalty, half the mean deviance, and of fits by epochs Keras' loss, as in
            `history`; left out where the error belongs to no family, or to one of several parameters) and a value per
            metric, in the units of the response. All are means by the rows' weights (case weights, of the fit's own rows
            times class weights), over the sum of these. `history` has Keras' numbers: there a loss is over the number of
            rows, and accuracies count rows alike.

        Raises
        ------
        ArgumentError
            For unknown metrics, and those that do not suit the response.
        DataError
            Where columns or levels do not fit.

        Examples
        --------
        >>> import neuralstat as ns
        >>> fit = ns.neuralnet("accel ~ times", ns.datasets.mcycle(), hidden=0)
        >>> fit.evaluate().round(1)
        metric
        loss    1056.9
        rmse      46.0
        mae       37.1
        r2         0.1
        Name: value, dtype: float64
        """
        return evaluate(self.fitted, data, metrics=metrics, rep=rep)

    def concordance(
        self, data: Any = None, *, kind: str = "harrell", tau: float | None = None, rep: Any = "mean"
    ) -> Concordance:
        """Concordance of predicted and observed times to an event.

        Of two rows of which the earlier time is an event, and the other was at risk then, the one that is predicted to live
        longer should; equal predictions count half. What is compared is the predicted mean time, restricted to the last event
        of the fit's rows: where survival curves do not cross it ranks rows as any other prediction does.

        Parameters
        ----------
        data : table, or (endog, exog), optional
            With the response; the rows of the fit, which know their times, unless given. ``ns.risk(fit, "cv",
            loss="concordance")`` is honest about the rows at hand.
        kind : {"harrell", "uno"}
            Harrell's, or with weights that make up for censoring (Uno et al. 2011; not for rows that enter late).
        tau : float, optional
            Only pairs whose event is before tau count.
        rep : {"mean", "best"} or int

        Returns
        -------
        Concordance
            A float with ``se``, ``concordant``, ``discordant``, ``tied``; see `assessment.concordance.Concordance`.

        Raises
        ------
        ArgumentError, DataError
            Where the response is no time to an event, or is known to lie in an interval only; where no rows can be compared.

        Examples
        --------
        >>> import neuralstat as ns
        >>> data = ns.datasets.lung()
        >>> fit = ns.neuralnet("Surv(time, status == 2) ~ age + sex", data, hidden=0, family="weibull")
        >>> fit.concordance()
        0.6029 (se 0.025) harrell concordance [20014 comparable pairs]
        """
        return survival.concordance_of(self.fitted, data, kind=kind, tau=tau, rep=rep)

    def brier_score(self, times: Any = None, data: Any = None, *, rep: Any = "mean") -> BrierScore:
        """Brier score of the predicted probabilities to live longer than given times, and its mean over time.

        The mean squared difference of the probability and what became of the rows; rows that were censored before are made up
        for by weights from the censoring distribution of the fit's rows (Graf et al. 1999).

        Parameters
        ----------
        times : number or sequence of numbers, optional
            In increasing order; 100 up to the last event unless given.
        data : table, or (endog, exog), optional
            With the response; the rows of the fit, to which the fit was made, unless given. ``ns.risk(fit, "cv",
            loss="brier")`` is honest about the rows at hand.
        rep : {"mean", "best"} or int

        Returns
        -------
        BrierScore
            A float: the mean over the times from 0 to the last of `times`, of a single time the score then. ``table`` has the
            score at each time beside that of the Kaplan-Meier curve of the fit's rows, ``r2`` the share of the latter that is
            gone.

        Raises
        ------
        ArgumentError, DataError
            Where the response is no time to an event, known to lie in an interval only, or rows enter late.

        Examples
        --------
        >>> import neuralstat as ns
        >>> data = ns.datasets.lung()
        >>> fit = ns.neuralnet("Surv(time, status == 2) ~ age + sex", data, hidden=0, family="weibull")
        >>> fit.brier_score([200, 400]).table.round(3)
               brier   null
        time
        200.0  0.209  0.218
        400.0  0.232  0.235
        """
        return survival.brier_score_of(self.fitted, times, data, rep=rep)

    def get_prediction(self, new: Any = None, **options: Any) -> Prediction:
        """Predictions with standard errors and intervals, by the delta method, bootstrap or conformal methods.

        See `inference.get_prediction.get_prediction` for the arguments. Of a table of polars or pyarrow its tables are of the
        same kind.

        Examples
        --------
        >>> import neuralstat as ns
        >>> fit = ns.neuralnet("accel ~ times", ns.datasets.mcycle(), hidden=0)
        >>> fit.get_prediction({"times": [10, 20]}).summary_frame()["mean_se"].round(1)
        0    6.2
        1    4.3
        Name: mean_se, dtype: float64
        """
        return frames.framed(frames.kind_of(new), get_prediction(self.fitted, new, **options))

    def coverage(self, method: str = "delta", **options: Any) -> pd.DataFrame:
        """Coverage of the intervals of `get_prediction`, by simulation from the fit; see `inference.coverage.coverage`.

        Examples
        --------
        >>> import neuralstat as ns
        >>> data = ns.datasets.doppler(n=60, low=0.3, random_state=1)
        >>> fit = ns.neuralnet("y ~ x", data, hidden=0)
        >>> fit.coverage(draws=40, random_state=1).round(2)
              nominal  coverage    se  width
        mean     0.95      0.99  0.01   0.16
        obs      0.95      0.95  0.01   0.94
        """
        return coverage.coverage(self.fitted, method, **options)

    @property
    def fittedvalues(self) -> Any:
        """Mean of the converged repetitions at the rows of the data; NaN at rows kept out of the fit.

        Examples
        --------
        >>> import neuralstat as ns
        >>> fit = ns.neuralnet("accel ~ times", ns.datasets.mcycle(), hidden=0)
        >>> fit.fittedvalues.head(2).round(1)
        0   -50.4
        1   -50.2
        Name: accel, dtype: float64
        """
        return self.predict()

    @property
    def resid(self) -> Any:
        """Response minus `fittedvalues`; NaN at rows kept out of the fit.

        Examples
        --------
        >>> import neuralstat as ns
        >>> fit = ns.neuralnet("accel ~ times", ns.datasets.mcycle(), hidden=0)
        >>> fit.resid.head(2).round(1)
        0    50.4
        1    48.9
        Name: accel, dtype: float64
        """
        return predict.resid(self.fitted)

    # likelihood --------------------------------------------------------------------------------------------

    @property
    def deviance(self) -> float:
        """Twice the error without its penalty: 2 (saturated - fitted log-likelihood) x scale.

        Examples
        --------
        >>> import neuralstat as ns
        >>> fit = ns.neuralnet("accel ~ times", ns.datasets.mcycle(), hidden=0)
        >>> round(fit.deviance, 1)
        281143.8
        """
        return likelihood.deviance(self.fitted, self.fitted.best)

    @property
    def null_deviance(self) -> float:
        """Deviance of the model that has constants (and the offset) only.

        Examples
        --------
        >>> import neuralstat as ns
        >>> fit = ns.neuralnet("accel ~ times", ns.datasets.mcycle(), hidden=0)
        >>> round(fit.null_deviance, 1)
        308222.7
        """
        return likelihood.null_deviance(self.fitted)

    @property
    def pearson_chi2(self) -> float:
        """Sum of the squared Pearson residuals.

        Examples
        --------
        >>> import neuralstat as ns
        >>> fit = ns.neuralnet("accel ~ times", ns.datasets.mcycle(), hidden=0)
        >>> round(fit.pearson_chi2, 1)
        281143.8
        """
        return likelihood.pearson_chi2(self.fitted, self.fitted.best)

    @property
    def scale(self) -> Any:
        """Dispersion: Pearson's chi2 / `df_resid`; 1 for binomial, multinomial, Poisson and negative binomial.

        Of several responses with one each the covariance matrix of their residuals (divided by the root of their variance
        functions), as R's ``mlm``. NaN where no degrees of freedom are left.

        Examples
        --------
        >>> import neuralstat as ns
        >>> fit = ns.neuralnet("accel ~ times", ns.datasets.mcycle(), hidden=0)
        >>> round(fit.scale, 1)
        2146.1
        """
        found = likelihood.scale(self.fitted, self.fitted.best)
        names = list(self.design.y_names)
        return found if np.ndim(found) == 0 else pd.DataFrame(found, names, names)

    @property
    def ssr(self) -> float:
        """Weighted sum of squared response residuals.

        Examples
        --------
        >>> import neuralstat as ns
        >>> fit = ns.neuralnet("accel ~ times", ns.datasets.mcycle(), hidden=0)
        >>> round(fit.ssr, 1)
        281143.8
        """
        return likelihood.ssr(self.fitted, self.fitted.best)

    def loglike(self, rep: Any = "best", scale: Any = None) -> float:
        """Log-likelihood of one repetition.

        Parameters
        ----------
        rep : int or "best"
        scale : None, "dev", "x2" or float
            Dispersion at which it is taken. None: as statsmodels, the maximum likelihood value deviance / n for the
            gaussian family with identity link and `scale` for the others; "dev": deviance / n for every family, as
            R's ``logLik``; "x2": `scale`. Several responses with a dispersion each: of each, with their covariances where
            they are gaussian.

        Examples
        --------
        >>> import neuralstat as ns
        >>> fit = ns.neuralnet("accel ~ times", ns.datasets.mcycle(), hidden=0)
        >>> round(fit.loglike(), 1)
        -697.9
        """
        return likelihood.loglike(self.fitted, rep, scale)

    @property
    def llf(self) -> float:
        """Log-likelihood of the best repetition; see `loglike`.

        Examples
        --------
        >>> import neuralstat as ns
        >>> fit = ns.neuralnet("accel ~ times", ns.datasets.mcycle(), hidden=0)
        >>> round(fit.llf, 1)
        -697.9
        """
        return self.loglike()

    @property
    def llnull(self) -> float:
        """Log-likelihood of the model that has constants (and the offset) only, at `scale`.

        Examples
        --------
        >>> import neuralstat as ns
        >>> fit = ns.neuralnet("accel ~ times", ns.datasets.mcycle(), hidden=0)
        >>> round(fit.llnull, 1)
        -704.2
        """
        return likelihood.llnull(self.fitted)

    @property
    def rsquared(self) -> float:
        """1 - ssr / total sum of squares about the weighted mean; the mean of the outputs' where there are several.

        Examples
        --------
        >>> import neuralstat as ns
        >>> fit = ns.neuralnet("accel ~ times", ns.datasets.mcycle(), hidden=0)
        >>> round(fit.rsquared, 3)
        0.088
        """
        return likelihood.rsquared(self.fitted)

    def pseudo_rsquared(self, kind: str = "cs") -> float:
        """Explained variation on the likelihood's scale.

        Parameters
        ----------
        kind : {"cs", "mcf", "deviance"}
            Cox and Snell, 1 - exp(2 (llnull - llf) / n); McFadden, 1 - llf / llnull; 1 - deviance / null deviance (the mean
            of the outputs' where several have a dispersion each).

        Examples
        --------
        >>> import neuralstat as ns
        >>> fit = ns.neuralnet("accel ~ times", ns.datasets.mcycle(), hidden=0)
        >>> round(fit.pseudo_rsquared("deviance"), 3)
        0.088
        """
        return likelihood.pseudo_rsquared(self.fitted, kind)

    def residuals(self, kind: str = "response", rep: Any = "best") -> Any:
        """Residuals of one repetition.

        Parameters
        ----------
        kind : {"response", "deviance", "pearson", "working"}
            y - mu; signed roots of the weighted unit deviances, whose squares add up to the deviance;
            (y - mu) sqrt(weight / V(mu)); (y - mu) d eta / d mu. Of a row that stands for several observations
            (``freq_weights``) those of one of them, as in statsmodels.
        rep : int or "best"

        Returns
        -------
        Series, or DataFrame for several outputs
            On the index of the data; NaN at rows kept out of the fit.

        Examples
        --------
        >>> import neuralstat as ns
        >>> fit = ns.neuralnet("accel ~ times", ns.datasets.mcycle(), hidden=0)
        >>> fit.residuals("pearson").head(2).round(1)
        0    50.4
        1    48.9
        Name: accel, dtype: float64
        """
        return predict.frame(self.fitted, residuals(self.fitted, kind, rep), self.design.full_index)

    @property
    def resid_response(self) -> Any:
        """Response minus mean, of the best repetition.

        Examples
        --------
        >>> import neuralstat as ns
        >>> fit = ns.neuralnet("accel ~ times", ns.datasets.mcycle(), hidden=0)
        >>> fit.resid_response.head(2).round(1)
        0    50.4
        1    48.9
        Name: accel, dtype: float64
        """
        return self.residuals("response")

    @property
    def resid_deviance(self) -> Any:
        """Deviance residuals of the best repetition.

        Examples
        --------
        >>> import neuralstat as ns
        >>> fit = ns.neuralnet("accel ~ times", ns.datasets.mcycle(), hidden=0)
        >>> fit.resid_deviance.head(2).round(1)
        0    50.4
        1    48.9
        Name: accel, dtype: float64
        """
        return self.residuals("deviance")

    @property
    def resid_pearson(self) -> Any:
        """Pearson residuals of the best repetition.

        Examples
        --------
        >>> import neuralstat as ns
        >>> fit = ns.neuralnet("accel ~ times", ns.datasets.mcycle(), hidden=0)
        >>> fit.resid_pearson.head(2).round(1)
        0    50.4
        1    48.9
        Name: accel, dtype: float64
        """
        return self.residuals("pearson")

    @property
    def resid_working(self) -> Any:
        """Working residuals of the best repetition.

        Examples
        --------
        >>> import neuralstat as ns
        >>> fit = ns.neuralnet("accel ~ times", ns.datasets.mcycle(), hidden=0)
        >>> fit.resid_working.head(2).round(1)
        0    50.4
        1    48.9
        Name: accel, dtype: float64
        """
        return self.residuals("working")

    # degrees of freedom and criteria -----------------------------------------------------------------------

    @property
    def k_identified(self) -> int:
        """Trained weights less those that no data can tell apart: softmax has one vector of weights too many.

        Examples
        --------
        >>> import neuralstat as ns
        >>> data = ns.datasets.doppler(n=100, noise=0.1, random_state=1)
        >>> fit = ns.neuralnet("y ~ x", data, hidden=2, rep=2, random_state=1)
        >>> fit.k_identified
        7
        """
        return self.fitted.k_identified

    @property
    def df_model(self) -> float:
        """Degrees of freedom of the fit without the outputs' constants, as in statsmodels.

        Examples
        --------
        >>> import neuralstat as ns
        >>> fit = ns.neuralnet("accel ~ times", ns.datasets.mcycle(), hidden=0)
        >>> float(round(fit.df_model, 3))
        1.0
        """
        return likelihood.df_model(self.fitted)

    @property
    def df_resid(self) -> float:
        """Observations minus degrees of freedom; of several responses with a dispersion each, n - df / K, as R's ``mlm``.

        Examples
        --------
        >>> import neuralstat as ns
        >>> fit = ns.neuralnet("accel ~ times", ns.datasets.mcycle(), hidden=0)
        >>> float(round(fit.df_resid, 3))
        131.0
        """
        return likelihood.df_resid(self.fitted)

    def df(self, method: str = "auto", *, rep: Any = "best", **options: Any) -> DegreesOfFreedom:
        """Degrees of freedom of the fit.

        Parameters
        ----------
        method : str
            - "auto": what suits the procedure: derivatives where they are the whole, else "gdf" (other families:
              "covariance") with all restarts done again, as long as the work is bounded; `notes` say which, and why.
            - "jacobian": Gauss-Newton trace tr(A (A + D)^-1), with A = J'VJ and D the curvature of the
              penalty; the rank of the Jacobian where nothing is penalised.
            - "divergence": exact local divergence tr(J H^-1 J'V) with the exact Hessian.
            - "gdf": Ye's generalised degrees of freedom: perturb the response, fit again, the whole
              procedure.
            - "covariance": Efron's conditional parametric bootstrap; of distributions with several parameters of all of them,
              constant ones counting one each ("gdf" perturbs locations, and counts the weights of the others).
            - "sure": Monte-Carlo divergence at the optimum near the fit.
            - "nic": tr(G Q^-1), the penalty of the network information criterion.
            - "weights": the number of weights, as R counts.
        rep : {"mean", "best"} or int
            Of the averaged fit (as `fittedvalues`), the best or one repetition. Local degrees of freedom of
            an averaged fit are the mean of its members'.
        **options
            sigma : float, the noise's standard deviation, in the units of the response, or where it is from: "difference"
            (of neighbours), "residual", or a larger fit (estimated where it is needed and not given: `sigma_source` says
            how); draws : int; tau : float ("gdf"); eps : float
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

        Examples
        --------
        >>> import neuralstat as ns
        >>> fit = ns.neuralnet("accel ~ times", ns.datasets.mcycle(), hidden=0)
        >>> float(round(fit.df(), 3))
        2.0
        """
        value = degrees.found(self.fitted, method, rep, **options)
        degrees.warn_limits(self.fitted, method, rep)
        return value

    def info_criteria(
        self, crit: str, df: Any = None, dk_params: float = 0, scale: Any = None, rep: Any = "best",
        convention: str = "statsmodels", sigma: Any = None,
    ) -> float:  # fmt: skip
        """One criterion, smaller is better.

        Parameters
        ----------
        crit : {"aic", "aicc", "bic", "qaic", "gcv", "cp", "gic", "tic"}
            See the head of `neuralstat.likelihood.criteria`; "qaic" divides the log-likelihood of dispersion 1 by
            `scale`.
        df : str, number or DegreesOfFreedom, optional
            A method of `df`, or a value; "auto" where not given (under ``compat="R"`` the number of weights).
        dk_params : float
            Further parameters counted.
        scale : optional
            Dispersion at which the likelihood is taken, as in `loglike`.
        rep : {"mean", "best"} or int
            Of the averaged fit, the best or one repetition.
        convention : {"statsmodels", "R", "neuralnet"}
            "R" counts an estimated dispersion (``scale="dev"``), as R's ``AIC`` of a glm; "neuralnet" is R's package:
            2 error + 2 p (the best repetition's where `rep` is "mean").
        sigma : float, str or fit, optional
            For "cp" and "gic": the noise, or where it is from ("difference", "residual", a larger fit); where not given the
            residuals on n minus the degrees of freedom counted.

        Returns
        -------
        float

        Examples
        --------
        >>> import neuralstat as ns
        >>> fit = ns.neuralnet("accel ~ times", ns.datasets.mcycle(), hidden=0)
        >>> round(fit.info_criteria("bic"), 1)
        1405.5
        """
        return criteria.info_criteria(self.fitted, crit, df, dk_params, scale, rep, convention, sigma)

    def criteria(
        self, df: Any = "auto", *, dk_params: float = 0, rep: Any = "best", sigma: Any = None,
        **options: Any,
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

        Examples
        --------
        >>> import neuralstat as ns
        >>> fit = ns.neuralnet("accel ~ times", ns.datasets.mcycle(), hidden=0)
        >>> fit.criteria()["value"].round(1).head(3)
        criterion
        aic     1399.7
        aicc    1401.9
        bic     1405.5
        Name: value, dtype: float64
        """
        return criteria.criteria(self.fitted, df, dk_params=dk_params, rep=rep, sigma=sigma, **options)

    @property
    def aic(self) -> float:
        """Akaike's criterion; see `info_criteria`.

        Examples
        --------
        >>> import neuralstat as ns
        >>> fit = ns.neuralnet("accel ~ times", ns.datasets.mcycle(), hidden=0)
        >>> round(fit.aic, 1)
        1399.7
        """
        return self.info_criteria("aic")

    @property
    def aicc(self) -> float:
        """AIC corrected for small samples, which counts an estimated dispersion, too; df by "auto".

        Examples
        --------
        >>> import neuralstat as ns
        >>> fit = ns.neuralnet("accel ~ times", ns.datasets.mcycle(), hidden=0)
        >>> round(fit.aicc, 1)
        1401.9
        """
        return self.info_criteria("aicc")

    @property
    def bic(self) -> float:
        """Schwarz' criterion from the log-likelihood; see `info_criteria`.

        Examples
        --------
        >>> import neuralstat as ns
        >>> fit = ns.neuralnet("accel ~ times", ns.datasets.mcycle(), hidden=0)
        >>> round(fit.bic, 1)
        1405.5
        """
        return self.info_criteria("bic")

    @property
    def bic_llf(self) -> float:
        """`bic` under statsmodels' name.

        Examples
        --------
        >>> import neuralstat as ns
        >>> fit = ns.neuralnet("accel ~ times", ns.datasets.mcycle(), hidden=0)
        >>> round(fit.bic_llf, 1)
        1405.5
        """
        return self.bic

    @property
    def bic_deviance(self) -> float:
        """Deviance - df_resid log(n), statsmodels' other BIC.

        Examples
        --------
        >>> import neuralstat as ns
        >>> fit = ns.neuralnet("accel ~ times", ns.datasets.mcycle(), hidden=0)
        >>> round(fit.bic_deviance, 1)
        280503.2
        """
        return self.deviance - self.df_resid * float(np.log(self.fitted.n_values))

    @property
    def gcv(self) -> float:
        """Generalised cross-validation, df by "auto".

        Examples
        --------
        >>> import neuralstat as ns
        >>> fit = ns.neuralnet("accel ~ times", ns.datasets.mcycle(), hidden=0)
        >>> round(fit.gcv, 1)
        2178.9
        """
        return self.info_criteria("gcv")

    @property
    def cp(self) -> float:
        """Mallows' Cp as a mean squared error, df by "auto", sigma by the residuals on n minus them.

        Examples
        --------
        >>> import neuralstat as ns
        >>> fit = ns.neuralnet("accel ~ times", ns.datasets.mcycle(), hidden=0)
        >>> round(fit.cp, 1)
        2129.5
        """
        return self.info_criteria("cp")

    @property
    def gic(self) -> float:
        """Training error + 2 df sigma^2, df by "auto", sigma by the residuals on n minus them.

        Examples
        --------
        >>> import neuralstat as ns
        >>> fit = ns.neuralnet("accel ~ times", ns.datasets.mcycle(), hidden=0)
        >>> round(fit.gic, 1)
        283227.8
        """
        return self.info_criteria("gic")

    @property
    def tic(self) -> float:
        """Takeuchi's criterion -2 llf + 2 tr(G Q^-1), the network information criterion as an AIC.

        Examples
        --------
        >>> import neuralstat as ns
        >>> fit = ns.neuralnet("accel ~ times", ns.datasets.mcycle(), hidden=0)
        >>> round(fit.tic, 1)
        1398.7
        """
        return self.info_criteria("tic")

    # inference on weights and terms ------------------------------------------------------------------------

    @property
    def params(self) -> pd.Series:
        """Weights of the best repetition by R's names, original units.

        Examples
        --------
        >>> import neuralstat as ns
        >>> fit = ns.neuralnet("accel ~ times", ns.datasets.mcycle(), hidden=0)
        >>> fit.params.round(2)
        Intercept.to.accel   -53.01
        times.to.accel         1.09
        Name: weights, dtype: float64
        """
        return coefficients.params(self.fitted)

    def cov_params(self, cov_type: str | None = None, rep: Any = "best", scale: Any = None) -> pd.DataFrame:
        """Covariance matrix of the weights; see `inference.covariance.cov_params`.

        Examples
        --------
        >>> import neuralstat as ns
        >>> fit = ns.neuralnet("accel ~ times", ns.datasets.mcycle(), hidden=0)
        >>> fit.cov_params().round(2)
                            Intercept.to.accel  times.to.accel
        Intercept.to.accel               75.91           -2.37
        times.to.accel                   -2.37            0.09
        """
        return cov_params(self.fitted, cov_type, rep, scale)

    def standard_errors(self, cov_type: str | None = None, rep: Any = "best") -> pd.Series:
        """Standard errors of the weights; NaN at weights held out, and where a variance is not positive.

        Parameters
        ----------
        cov_type, rep
            As in `cov_params`.

        Examples
        --------
        >>> import neuralstat as ns
        >>> fit = ns.neuralnet("accel ~ times", ns.datasets.mcycle(), hidden=0)
        >>> fit.standard_errors("sandwich").round(2).to_dict()
        {'Intercept.to.accel': 7.59, 'times.to.accel': 0.21}
        """
        return coefficients.standard_errors(self.fitted, cov_type, rep)

    @property
    def bse(self) -> pd.Series:
        """Standard errors of the best repetition: by clusters where the fit has groups, else see `cov_params`.

        Examples
        --------
        >>> import neuralstat as ns
        >>> fit = ns.neuralnet("accel ~ times", ns.datasets.mcycle(), hidden=0)
        >>> fit.bse.round(2)
        Intercept.to.accel    8.71
        times.to.accel        0.31
        Name: std err, dtype: float64
        """
        return self.standard_errors()

    @property
    def zvalues(self) -> pd.Series:
        """`params` / `bse`.

        Examples
        --------
        >>> import neuralstat as ns
        >>> fit = ns.neuralnet("accel ~ times", ns.datasets.mcycle(), hidden=0)
        >>> fit.zvalues.round(2)
        Intercept.to.accel   -6.08
        times.to.accel        3.55
        Name: z, dtype: float64
        """
        return coefficients.zvalues(self.fitted)

    @property
    def tvalues(self) -> pd.Series:
        """`zvalues` under statsmodels' name; by Student's t where the dispersion is estimated.

        Examples
        --------
        >>> import neuralstat as ns
        >>> fit = ns.neuralnet("accel ~ times", ns.datasets.mcycle(), hidden=0)
        >>> fit.tvalues.round(2)
        Intercept.to.accel   -6.08
        times.to.accel        3.55
        Name: t, dtype: float64
        """
        return self.zvalues.rename("t")

    @property
    def pvalues(self) -> pd.Series:
        """Two-sided p values of `zvalues`, by Student's t on n - df where the dispersion is estimated, else normal.

        The name says which: "P>|t|" or "P>|z|".

        Examples
        --------
        >>> import neuralstat as ns
        >>> fit = ns.neuralnet("accel ~ times", ns.datasets.mcycle(), hidden=0)
        >>> fit.pvalues.round(4)
        Intercept.to.accel    0.0000
        times.to.accel        0.0005
        Name: P>|t|, dtype: float64
        """
        return coefficients.pvalues(self.fitted)

    def conf_int(
        self, alpha: float = 0.05, cov_type: str | None = None, rep: Any = "best", use_t: bool | None = None
    ) -> pd.DataFrame:
        """Confidence intervals of the weights.

        Parameters
        ----------
        alpha : float
            1 - coverage, in (0, 1).
        cov_type, rep
            As in `cov_params`.
        use_t : bool, optional
            Student's t on n - df, or the normal distribution; default t where the dispersion is estimated.

        Returns
        -------
        DataFrame, shape (P, 2)
            Columns 0 and 1, as statsmodels': lower and upper ends.

        Examples
        --------
        >>> import neuralstat as ns
        >>> fit = ns.neuralnet("accel ~ times", ns.datasets.mcycle(), hidden=0)
        >>> fit.conf_int().round(2)
                                0      1
        Intercept.to.accel -70.24 -35.77
        times.to.accel       0.48   1.70
        """
        return coefficients.conf_int(self.fitted, alpha, cov_type, rep, use_t)

    def wald_test_terms(self, cov_type: str | None = None, rep: Any = "best", **options: Any) -> TermTests:
        """Wald test of every term of the formula; see `inference.wald.wald_test_terms`.

        Examples
        --------
        >>> import neuralstat as ns
        >>> fit = ns.neuralnet("accel ~ times", ns.datasets.mcycle(), hidden=0)
        >>> type(fit.wald_test_terms()).__name__
        'TermTests'
        """
        return wald.wald_test_terms(self.fitted, cov_type, rep, **options)

    def stability(self, alpha: float = 0.05, **options: Any) -> pd.DataFrame:
        """How tests of terms come out over the repetitions' optima; see `inference.wald.stability`.

        Examples
        --------
        >>> import neuralstat as ns
        >>> data = ns.datasets.friedman1(n=100, noise=1.0, random_state=1)
        >>> fit = ns.neuralnet("y ~ x4 + x6", data, hidden=2, penalty=ns.decay(0.1), random_state=1)
        >>> fit.stability()[["repetitions", "verdict"]]
            repetitions             verdict
        x4            5  p < 0.05 in 5 of 5
        x6            5  p < 0.05 in 0 of 5
        """
        return wald.stability(self.fitted, alpha, **options)

    def term_tests(self, method: str | None = None, **options: Any) -> pd.DataFrame:
        """Calibrated test of every term, given the others, by simulation; see `inference.term_tests.term_tests`.

        Parameters
        ----------
        method : {"permutation", "bootstrap", "wald", "lr"}, optional
            Default "permutation" (conditional on the other covariates), "bootstrap" where that is not possible, and "lr" for
            models without hidden units and penalty.
        **options
            ``terms``, ``draws`` (199), ``random_state``, ``n_jobs``.

        Examples
        --------
        >>> import neuralstat as ns
        >>> data = ns.datasets.friedman1(n=60, noise=1.0, random_state=1)
        >>> fit = ns.neuralnet("y ~ x4 + x6", data, hidden=0)
        >>> fit.term_tests("permutation", draws=99, random_state=1).round(2)
           term  statistic   df  pvalue       method                    note
        x4   x4      28.84  1.0    0.01  permutation  0 of 99 draws as large
        x6   x6       0.10  1.0    0.71  permutation   5 of 7 draws as large
        """
        return term_tests.term_tests(self.fitted, method, **options)

    @property
    def terms(self) -> pd.DataFrame:
        """Degrees of freedom and a test of every term of the best repetition; see `inference.terms_table.terms`.

        Columns ``kind`` ("linear", "smooth", "random", "network"), ``edf``, ``ref_df``, ``statistic``, ``distribution`` ("F"
        where the dispersion is estimated, "chi2"), ``pvalue``; the index has the terms.

        Raises
        ------
        ArgumentError
            For one network of all covariates, which `term_tests` tests.

        Examples
        --------
        >>> import neuralstat as ns
        >>> data = ns.datasets.friedman1(n=150, noise=1.0, random_state=1)
        >>> fit = ns.neuralnet("y ~ x4 + s(x3)", data)
        >>> fit.terms[["kind", "edf", "statistic", "distribution"]].round(2)
                 kind   edf  statistic distribution
        x4     linear  1.00      69.94            F
        s(x3)  smooth  3.06       6.02            F
        """
        return terms_table.terms(self.fitted)

    def anova(self, cov_type: str | None = None, rep: Any = "best") -> pd.DataFrame:
        """`terms` by other covariances or of another repetition: each term given all others (type III), mgcv's ``anova.gam``.

        Sequences of fits are compared by `neuralstat.anova`.

        Examples
        --------
        >>> import neuralstat as ns
        >>> data = ns.datasets.friedman1(n=150, noise=1.0, random_state=1)
        >>> fit = ns.neuralnet("y ~ x4 + s(x3)", data)
        >>> fit.anova(cov_type="sandwich")[["kind", "edf", "pvalue"]].round(2)
                 kind   edf  pvalue
        x4     linear  1.00     0.0
        s(x3)  smooth  3.06     0.0
        """
        return terms_table.terms(self.fitted, cov_type, rep)

    def ranef(self, se: bool = False, rep: Any = "best") -> dict[str, pd.DataFrame]:
        """Predicted random effects by grouping factor; see `inference.ranef.ranef`.

        Parameters
        ----------
        se : bool
            With conditional standard deviations, columns "se (Intercept)" and so on.
        rep : int or "best"

        Examples
        --------
        >>> import neuralstat as ns
        >>> fit = ns.neuralnet("Reaction ~ Days + (1 | Subject)", ns.datasets.sleepstudy())
        >>> fit.ranef()["Subject"].head(3).round(2)
                 (Intercept)
        Subject
        308            40.78
        309           -77.85
        310           -63.11
        """
        return random_effects.ranef(self.fitted, se, rep)

    @property
    def variance_components(self) -> pd.DataFrame:
        """Variances, standard deviations and correlations of random effects, and the dispersion ("Residual").

        See `inference.ranef.variance_components`.

        Examples
        --------
        >>> import neuralstat as ns
        >>> fit = ns.neuralnet("Reaction ~ Days + (1 | Subject)", ns.datasets.sleepstudy())
        >>> fit.variance_components.round(2)
              group         name  variance     sd  sd_se
        0   Subject  (Intercept)   1378.18  37.12   6.81
        1  Residual                 960.46  30.99    NaN
        """
        return random_effects.variance_components(self.fitted)

    def concurvity(self, full: bool = True, rep: Any = "best") -> pd.DataFrame:
        """How much of each term the others could be, as mgcv's; see `inference.concurvity.concurvity`.

        Parameters
        ----------
        full : bool
            Against all other terms; else against each.
        rep : int or "best"

        Examples
        --------
        >>> import neuralstat as ns
        >>> data = ns.datasets.friedman1(n=150, noise=1.0, random_state=1)
        >>> ns.neuralnet("y ~ s(x3) + s(x4)", data).concurvity().round(2)
                  para  s(x3)  s(x4)
        worst      0.0   0.16   0.16
        observed   0.0   0.04   0.05
        estimate   0.0   0.05   0.05
        """
        return concurvity.concurvity(self.fitted, full, rep)

    def compare_lr_test(self, restricted: Any, **options: Any) -> Comparison:
        """Likelihood-ratio test of a smaller fit within this one; see `inference.nested.compare_lr_test`.

        Examples
        --------
        >>> import neuralstat as ns
        >>> data = ns.datasets.mcycle()
        >>> cubic = ns.neuralnet("accel ~ poly(times, 3)", data, hidden=0)
        >>> test = cubic.compare_lr_test(ns.neuralnet("accel ~ times", data, hidden=0))
        >>> round(test.statistic, 1), test.pvalue < 0.001
        (41.1, True)
        """
        return nested.compare_lr_test(self.fitted, restricted, **options)

    def get_influence(self, rep: Any = "best", curvature: str | None = None) -> Influence | LikelihoodInfluence:
        """Leverages, Cook's distances, what single observations change, without refits.

        Parameters
        ----------
        rep : int or "best"
        curvature : {"expected", "hessian"}, optional
            Of the metric: the expected information, or the exact Hessian; default "expected", and "hessian" for
            distributions with several parameters.

        Returns
        -------
        Influence
            See `inference.influence.Influence`; of distributions with several parameters, by the likelihood,
            `inference.likelihood_influence.LikelihoodInfluence`.

        Examples
        --------
        >>> import neuralstat as ns
        >>> fit = ns.neuralnet("accel ~ times", ns.datasets.mcycle(), hidden=0)
        >>> fit.get_influence().summary_frame().shape
        (133, 9)
        """
        if self.network.objective.several:
            return LikelihoodInfluence(self.fitted, rep, "hessian" if curvature is None else curvature)
        return Influence(self.fitted, rep, "expected" if curvature is None else curvature)

    def hessian_spectrum(self, rep: Any = "best", cutoff: float = 1e-8) -> pd.DataFrame:
        """Eigenvalues of the Hessian, flat and negative directions; see `inference.spectrum`.

        Examples
        --------
        >>> import neuralstat as ns
        >>> data = ns.datasets.doppler(n=100, noise=0.1, random_state=1)
        >>> fit = ns.neuralnet("y ~ x", data, hidden=2, rep=2, random_state=1)
        >>> len(fit.hessian_spectrum())
        7
        """
        return spectrum.hessian_spectrum(self.fitted, rep, cutoff)

    # effects -----------------------------------------------------------------------------------------------

    def marginal_effects(self, at: str = "overall", method: str = "dydx", **options: Any) -> pd.DataFrame:
        """Average slopes and discrete changes; see `effects.marginal_effects`.

        Examples
        --------
        >>> import neuralstat as ns
        >>> fit = ns.neuralnet("accel ~ times", ns.datasets.mcycle(), hidden=0)
        >>> fit.marginal_effects()["dy/dx"].round(2)
        times    1.09
        Name: dy/dx, dtype: float64
        """
        return effects.marginal_effects(self.fitted, at, method, **options)

    def partial_dependence(self, variable: Any, grid: Any = None, **options: Any) -> pd.DataFrame:
        """Mean prediction with one or two variables set to each value; see `effects.partial_dependence`.

        Examples
        --------
        >>> import neuralstat as ns
        >>> fit = ns.neuralnet("accel ~ times", ns.datasets.mcycle(), hidden=0)
        >>> fit.partial_dependence("times", [10, 20]).round(1)
               mean  std err  lower  upper  sd over repetitions
        times
        10.0  -42.1      6.2  -54.3  -29.9                  0.0
        20.0  -31.2      4.3  -39.7  -22.6                  0.0
        """
        return effects.partial_dependence(self.fitted, variable, grid, **options)

    def ice(self, variable: str, grid: Any = None, **options: Any) -> pd.DataFrame:
        """Individual curves; see `effects.ice`.

        Examples
        --------
        >>> import neuralstat as ns
        >>> fit = ns.neuralnet("accel ~ times", ns.datasets.mcycle(), hidden=0)
        >>> fit.ice("times", [10, 20]).shape
        (2, 133)
        """
        return effects.ice(self.fitted, variable, grid, **options)

    def ale(self, variable: Any, bins: Any = None, **options: Any) -> pd.DataFrame:
        """Accumulated local effects of one variable, or of two beyond their own; see `effects.ale`.

        Examples
        --------
        >>> import neuralstat as ns
        >>> fit = ns.neuralnet("accel ~ times", ns.datasets.mcycle(), hidden=0)
        >>> fit.ale("times").shape
        (21, 5)
        """
        return effects.ale(self.fitted, variable, bins, **options)

    def importance(self, method: str = "permutation", **options: Any) -> pd.DataFrame:
        """Garson's, Olden's or permutation importance; see `effects.importance`.

        Examples
        --------
        >>> import neuralstat as ns
        >>> fit = ns.neuralnet("accel ~ times", ns.datasets.mcycle(), hidden=0)
        >>> fit.importance(random_state=1).index.tolist()
        ['times']
        """
        return effects.importance(self.fitted, method, **options)

    def lek_profile(self, variable: str | None = None, grid: Any = 100, **options: Any) -> pd.DataFrame:
        """Profiles with the other variables at quantiles; see `effects.lek_profile`.

        Examples
        --------
        >>> import neuralstat as ns
        >>> fit = ns.neuralnet("accel ~ times", ns.datasets.mcycle(), hidden=0)
        >>> fit.lek_profile("times").shape
        (600, 5)
        """
        return effects.lek_profile(self.fitted, variable, grid, **options)

    # layers ------------------------------------------------------------------------------------------------

    def get_weights(self, rep: Any = "best") -> Any:
        """Weights by array, named, shaped and ordered as Keras has them.

        ``startweights=`` takes the same dict. In original units where the network is a chain of dense layers; with
        ``standardize=True`` weights of other networks refer to the scaled inputs (the output layer is in the units of the
        response).

        Parameters
        ----------
        rep : int, "best" or "all"

        Returns
        -------
        dict of str to array; a list of dicts for "all"
            ``"conv2d/kernel"`` (row, column, in, out), ``"dense/kernel"`` (inputs, units), ``"lstm/recurrent_kernel"``
            (units, 4 units) with the gates in the order i, f, c, o, ``"dense/bias"``, ... Tabular inputs beside an array
            are the first rows of the kernel of the first Dense layer.

        Examples
        --------
        >>> import neuralstat as ns
        >>> data = ns.datasets.doppler(n=100, noise=0.1, random_state=1)
        >>> fit = ns.neuralnet("y ~ x", data, hidden=2, rep=2, random_state=1)
        >>> {name: array.shape for name, array in fit.get_weights().items()}
        {'dense/kernel': (1, 2), 'dense/bias': (2,), 'dense_1/kernel': (2, 1), 'dense_1/bias': (1,)}
        """
        return layers.get_weights(self.fitted, rep)

    @property
    def layer_table(self) -> pd.DataFrame:
        """A row per layer: ``kind``, ``output_shape``, ``params`` and ``trained`` (numbers of weights).

        Examples
        --------
        >>> import neuralstat as ns
        >>> data = ns.datasets.doppler(n=100, noise=0.1, random_state=1)
        >>> fit = ns.neuralnet("y ~ x", data, hidden=2, rep=2, random_state=1)
        >>> fit.layer_table
                  kind output_shape  params  trained
        layer
        dense    Dense         (2,)       4        4
        dense_1  Dense         (1,)       3        3
        """
        return layers.layer_table(self.fitted)

    def features(self, layer: str, new: Any = None, rep: Any = "best", *, offset: Any = None) -> Any:
        """Outputs of a layer.

        Parameters
        ----------
        layer : str
            A name of `layer_table`, not the output layer's (see `predict`).
        new : table, optional
            None: the rows of the fit.
        rep : int or "best"
        offset : array, optional
            As in `predict`.

        Returns
        -------
        DataFrame, shape (m, units), indexed as `new`; an array of shape (m, ...) where an output has several axes
            NaN in rows with missing values.

        Raises
        ------
        ArgumentError
            Where there is no such layer.

        Examples
        --------
        >>> import neuralstat as ns
        >>> data = ns.datasets.doppler(n=100, noise=0.1, random_state=1)
        >>> fit = ns.neuralnet("y ~ x", data, hidden=2, rep=2, random_state=1)
        >>> fit.features("dense", data).shape
        (100, 2)
        """
        return frames.like(frames.kind_of(new), layers.features(self.fitted, layer, new, rep, offset=offset))

    # going on ----------------------------------------------------------------------------------------------

    def update(self, **settings: Any) -> NeuralNetResults:
        """Go on from where every repetition ended, with other settings: a smaller rate, other layers frozen, ...

        Parameters
        ----------
        **settings
            Arguments of `neuralnet` about training: algorithm, learningrate, epochs, batch_size, freeze (``None`` frees
            all), penalty, threshold, early_stopping, validation (data), ... The others are those of the fit.
            ``resume=True`` goes on with the state of a minibatch optimizer, for so many further `epochs`: 1 epoch and 1
            further are bit for bit 2 epochs (but for rates that depend on the number of epochs, as `OneCycle`'s).

        Returns
        -------
        NeuralNetResults
            A new fit, whose start weights are the weights of this one; steps and history begin anew. With ``resume=True``
            the fit of all epochs, with its start weights and history.

        Raises
        ------
        ArgumentError
            For settings that make the data, the network or the repetitions.

        Examples
        --------
        >>> import neuralstat as ns
        >>> data = ns.datasets.doppler(n=100, noise=0.1, random_state=1)
        >>> fit = ns.neuralnet("y ~ x", data, hidden=2, rep=2, random_state=1)
        >>> fit.update(stepmax=10_000).nrep
        2
        """
        return announced(Fitted(*continued.update(self.fitted.procedure, self.fit, settings)))

    def replace_head(
        self, data: Any, formula: str | None = None, *, freeze: Any = True, source: Any = "best", **settings: Any
    ) -> NeuralNetResults:
        """Train a new output layer for other data or another response on top of this fit's hidden layers.

        Parameters
        ----------
        data : table, or (endog, exog) for a model of arrays
        formula : str, optional
            The fit's unless given; its covariates must have the same shapes.
        freeze : bool or names
            True holds all hidden layers; False trains everything from there; or names of layers and arrays.
        source : int or "best"
            The repetition whose hidden layers are taken.
        **settings
            Further arguments of `neuralnet`; the others, but those that belong to the old data, are those of the fit.

        Returns
        -------
        NeuralNetResults
            ``.update(freeze=None, learningrate=...)`` then trains all layers at a smaller rate.

        Raises
        ------
        ArgumentError
            Where the fit has no hidden layers, or was standardised (its weights belong to the scaling of its data).

        Notes
        -----
        No gradients are taken below the last layer that is trained. By epochs, units of first layers that are frozen as a
        whole are worked out once, where they fit into memory, and no ``augment=`` changes what they see: the fit is the same.

        Examples
        --------
        >>> import neuralstat as ns
        >>> data = ns.datasets.friedman1(n=100, noise=1.0, random_state=1)
        >>> first = ns.neuralnet("y ~ x1 + x2", data, hidden=2, random_state=1)
        >>> new = first.replace_head(data, "x3 ~ x1 + x2")  # another response, the same hidden units
        >>> new.layer_table["trained"].tolist()
        [0, 3]
        """
        arrays = self.get_weights(source)
        return announced(
            Fitted(*continued.replace_head(self.fitted.procedure, arrays, data, formula, freeze, settings))
        )

    # printing, plots, files --------------------------------------------------------------------------------

    def summary(self) -> Summary:
        """The fit as a page: text by ``print``, HTML in a notebook, LaTeX by ``.as_latex()``.

        Examples
        --------
        >>> import neuralstat as ns
        >>> fit = ns.neuralnet("accel ~ times", ns.datasets.mcycle(), hidden=0)
        >>> print(fit.summary().as_text().splitlines()[0])
                                 Neural network: accel ~ times
        """
        return summary(self.fitted)

    def __str__(self) -> str:
        return repr(self) if isinstance(self.design, WithoutCovariates) else str(self.summary())

    def _repr_html_(self) -> str:
        return f"<pre>{escape(str(self))}</pre>" if isinstance(self.design, WithoutCovariates) else self.summary().as_html()

    def __repr__(self) -> str:
        n = int(self.fit.converged.sum())
        return (
            f"<NeuralNetResults {self.network.topology}, n = {self.nobs}, {self.k_params} weights, "
            f"converged {n}/{self.nrep}, error {self.errors[self.fitted.best]:.6g}>"
        )

    def plot(self, rep: Any = "best", *, ax: Axes | None = None, **options: Any) -> Axes:
        """The network as a diagram: unit by unit for dense layers, block by block for others; structured formulas by term.

        Options are those of `plots.plot_network`, of `plots.plot_layers` for the second. Widths are those of standardized
        weights; ``widths="weights"`` shows these as they are.

        Examples
        --------
        >>> import neuralstat as ns
        >>> data = ns.datasets.doppler(n=100, noise=0.1, random_state=1)
        >>> fit = ns.neuralnet("y ~ x", data, hidden=2, rep=2, random_state=1)
        >>> ax = fit.plot()
        """
        return drawing.plot(self.fitted, rep, ax=ax, **options)

    def plot_error(self, *, ax: Axes | None = None, **options: Any) -> Axes:
        """Error against step, a line per repetition.

        Examples
        --------
        >>> import neuralstat as ns
        >>> data = ns.datasets.doppler(n=100, noise=0.1, random_state=1)
        >>> fit = ns.neuralnet("y ~ x", data, hidden=2, rep=2, random_state=1)
        >>> ax = fit.plot_error()
        """
        return plots.plot_error(self.fit.trace, list(self.fit.converged), ax=ax, **options)

    def plot_history(self, metric: str = "loss", *, ax: Axes | None = None) -> Axes:
        """Loss (or another column of `history`) against the epoch.

        See `plots.plot_history`, which draws several fits in one picture: ``plot_history({"small": fit, "large": other})``.

        Examples
        --------
        >>> import neuralstat as ns
        >>> data = ns.datasets.doppler(n=100, noise=0.1, random_state=1)
        >>> settings = {"algorithm": "adam", "epochs": 3, "validation": 0.2, "random_state": 1}
        >>> ax = ns.neuralnet("y ~ x", data, hidden=2, **settings).plot_history()
        """
        record = self.fit.history
        best = None if record is None else record.best_epoch
        return plots.plot_history(self.history, metric, best_epochs=best, ax=ax)

    def plot_restarts(self, *, ax: Axes | None = None, **options: Any) -> Axes:
        """The errors of the repetitions in order, with distinct optima.

        Examples
        --------
        >>> import neuralstat as ns
        >>> data = ns.datasets.doppler(n=100, noise=0.1, random_state=1)
        >>> fit = ns.neuralnet("y ~ x", data, hidden=2, rep=2, random_state=1)
        >>> ax = fit.plot_restarts()
        """
        options.setdefault("optima", self.reps["optimum"].to_numpy())
        return plots.plot_restarts(self.errors, list(self.fit.converged), ax=ax, **options)

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

        Examples
        --------
        >>> import neuralstat as ns
        >>> data = ns.datasets.doppler(n=100, noise=0.1, random_state=1)
        >>> fit = ns.neuralnet("y ~ x", data, hidden=2, rep=2, random_state=1)
        >>> ax = fit.gwplot()
        """
        return drawing.gwplot(self.fitted, covariate, response=response, rep=rep, ax=ax, **options)

    def plot_fit(self, *, ax: Axes | None = None, **options: Any) -> Axes:
        """Data and fit; see `plots.results.plot_fit`.

        Examples
        --------
        >>> import neuralstat as ns
        >>> data = ns.datasets.doppler(n=100, noise=0.1, random_state=1)
        >>> fit = ns.neuralnet("y ~ x", data, hidden=2, rep=2, random_state=1)
        >>> ax = fit.plot_fit()
        """
        return drawing.plot_fit(self.fitted, ax=ax, **options)

    def plot_effects(self, variable: Any = None, kind: str = "pdp", *, ax: Axes | None = None, **options: Any) -> Any:
        """Draw an effect; see `plots.fit_effects.plot_effects`.

        Parameters
        ----------
        variable : str or list of two str, optional
            Needed by "pdp", "ice", "ale", "lek", unless there is one; "pdp" and "ale" draw two.
        kind : {"pdp", "ice", "ale", "lek", "importance", "marginal"}
        **options
            Of the effect.

        Examples
        --------
        >>> import neuralstat as ns
        >>> data = ns.datasets.doppler(n=100, noise=0.1, random_state=1)
        >>> fit = ns.neuralnet("y ~ x", data, hidden=2, rep=2, random_state=1)
        >>> ax = fit.plot_effects("x")
        """
        return fit_effects.plot_effects(self.fitted, variable, kind, ax=ax, **options)

    def plot_terms(self, terms: Any = None, rep: Any = "best", **options: Any) -> np.ndarray:
        """What each term adds to the linear predictor, a panel each; see `plots.plot_terms`.

        Parameters
        ----------
        terms : str or list of str, optional
            Those to draw; all unless given.
        **options
            ``alpha``, ``partial_residuals``, ``axes``.

        Examples
        --------
        >>> import neuralstat as ns
        >>> data = ns.datasets.friedman1(n=150, noise=1.0, random_state=1)
        >>> fit = ns.neuralnet("y ~ s(x3) + s(x4)", data)
        >>> axes = fit.plot_terms()
        >>> [ax.get_xlabel() for ax in axes.flat]
        ['x3', 'x4']
        """
        return plots.plot_terms(self.fitted, terms, rep, **options)

    def plot_diagnostics(self, rep: Any = "best", **options: Any) -> Any:
        """The four panels of R's ``plot.lm``; see `plots.plot_diagnostics`.

        Examples
        --------
        >>> import neuralstat as ns
        >>> fit = ns.neuralnet("accel ~ times", ns.datasets.mcycle(), hidden=0)
        >>> axes = fit.plot_diagnostics()
        """
        return plots.plot_diagnostics(self.fitted, rep, **options)

    def plot_calibration(self, **options: Any) -> Any:
        """Histogram of P(Y <= y) at the responses, and calibration of quantiles; see `plots.plot_calibration`.

        With ``times=`` calibration of the probability to live longer: predicted against Kaplan-Meier, in groups.

        Examples
        --------
        >>> import neuralstat as ns
        >>> fit = ns.neuralnet("accel ~ times", ns.datasets.mcycle(), hidden=0)
        >>> axes = fit.plot_calibration()
        """
        return plots.plot_calibration(self.fitted, **options)

    def plot_survival(self, new: Any = None, times: Any = None, *, ax: Axes | None = None, **options: Any) -> Axes:
        """Predicted survival curves of new rows, or of groups of the fit's rows over their Kaplan-Meier curves.

        See `plots.plot_survival` for the options.

        Examples
        --------
        >>> import neuralstat as ns
        >>> data = ns.datasets.lung()
        >>> fit = ns.neuralnet("Surv(time, status == 2) ~ age + sex", data, hidden=0, family="weibull")
        >>> ax = fit.plot_survival(groups=2)
        """
        return plots.plot_survival(self.fitted, new, times, ax=ax, **options)

    def plot_spectrum(self, rep: Any = "best", *, ax: Axes | None = None) -> Axes:
        """Eigenvalues of the Hessian by rank.

        Examples
        --------
        >>> import neuralstat as ns
        >>> data = ns.datasets.doppler(n=100, noise=0.1, random_state=1)
        >>> fit = ns.neuralnet("y ~ x", data, hidden=2, rep=2, random_state=1)
        >>> ax = fit.plot_spectrum()
        """
        return plots.plot_spectrum(self.hessian_spectrum(rep), ax=ax)

    def save(self, path: Any, *, data: bool | None = None) -> None:
        """Write the fit to a file of arrays and JSON; `neuralstat.load` reads it.

        ``data=False`` leaves the covariates out, as is the default where they are images or other arrays of several axes:
        such a fit predicts new rows, and says what it lacks where the rows of the fit are needed.

        Examples
        --------
        >>> import neuralstat as ns
        >>> fit = ns.neuralnet("accel ~ times", ns.datasets.mcycle(), hidden=0)
        >>> fit.save("fit.nst")
        >>> ns.load("fit.nst").deviance == fit.deviance
        True
        """
        io.save(self.fitted, path, data)

    # for other programs ------------------------------------------------------------------------------------

    def model_inputs(self, new: Any = None, *, offset: Any = None) -> dict[str, np.ndarray]:
        """What exported models read: the design's columns of rows of data in original units, by name of the tensor.

        Parameters
        ----------
        new : table, array, list or Series, optional
            As in `predict`; None: the rows of the fit.
        offset : array, optional
            As in `predict`.

        Returns
        -------
        dict of str to array
            For each input of `to_onnx` and `to_keras` an array (m, ...), float64, int64 where they are codes of levels or
            words: "x" for a table, with factors and transformations as the formula makes them; an array under its name; the
            towers of a structured formula under theirs, and "direct" what goes straight to the output; "offset".

        Raises
        ------
        DataError
            Where a row without all its values would need a code; and as `predict`.

        Examples
        --------
        >>> import neuralstat as ns
        >>> data = ns.datasets.infert()
        >>> fit = ns.neuralnet("case ~ age + education", data, hidden=0, family="binomial", random_state=1)
        >>> fit.model_inputs(data.tail(2))["x"]
        array([[29.,  0.,  1.],
               [23.,  0.,  1.]])
        >>> fit.design.x_names
        ('age', 'education[T.6-11yrs]', 'education[T.12+ yrs]')
        """
        return export.model_inputs(self.fitted, new, offset)

    def to_onnx(self, path: Any, *, rep: Any = "mean", dtype: str = "float32") -> None:
        """Write the fit as an ONNX model whose output "y" equals ``predict(rep=rep)``; see `export.onnx_file.to_onnx`.

        Parameters
        ----------
        path : str or Path
            The usual suffix is ``.onnx``.
        rep : {"mean", "best"} or int
        dtype : {"float32", "float64"}
            Of inputs, weights and output. What single precision rounds is more visible the steeper the network.

        Raises
        ------
        ArgumentError
            Where the package onnx is not installed; for what has no counterpart there, by name.

        Examples
        --------
        >>> import neuralstat as ns
        >>> data = ns.datasets.doppler(n=100, noise=0.1, random_state=1)
        >>> fit = ns.neuralnet("y ~ x", data, hidden=2, rep=1, random_state=1)
        >>> fit.to_onnx("doppler.onnx", dtype="float64")  # doctest: +SKIP
        >>> session = onnxruntime.InferenceSession("doppler.onnx")  # doctest: +SKIP
        >>> (y,) = session.run(None, fit.model_inputs(data))  # doctest: +SKIP
        """
        export.to_onnx(self.fitted, path, rep=rep, dtype=dtype)

    def to_keras(self, path: Any, *, rep: Any = "best") -> None:
        """Write the fit as a ``.keras`` file, which ``keras.models.load_model`` reads; see `export.keras_file.to_keras`.

        Parameters
        ----------
        path : str or Path
            Ends in ``.keras``.
        rep : {"best", "mean"} or int

        Raises
        ------
        ArgumentError
            Where h5py is not installed; for what has no counterpart there, by name.

        Examples
        --------
        >>> import neuralstat as ns
        >>> data = ns.datasets.doppler(n=100, noise=0.1, random_state=1)
        >>> fit = ns.neuralnet("y ~ x", data, hidden=2, rep=1, random_state=1)
        >>> fit.to_keras("doppler.keras")  # doctest: +SKIP
        >>> keras.models.load_model("doppler.keras").predict(fit.model_inputs(data)["x"])  # doctest: +SKIP
        """
        export.to_keras(self.fitted, path, rep=rep)

    def to_xarray(self) -> Any:
        """Weights, coefficients, fitted values and history with named dimensions; see `export.data_set.to_xarray`.

        Returns
        -------
        xarray.Dataset
            Dimensions ``rep``, ``weight``, ``obs``, ``output``, ``epoch``, ``coefficient``, ``statistic``.

        Raises
        ------
        ArgumentError
            Where xarray is not installed.

        Examples
        --------
        >>> import neuralstat as ns
        >>> data = ns.datasets.doppler(n=100, noise=0.1, random_state=1)
        >>> fit = ns.neuralnet("y ~ x", data, hidden=2, rep=3, random_state=1)
        >>> dict(fit.to_xarray()["fitted"].sizes)
        {'rep': 3, 'obs': 100, 'output': 1}
        """
        return export.to_xarray(self.fitted)

    def estimates(self, kind: str = "auto") -> Estimates:
        """Estimates for packages that print tables of several models, such as maketables: to LaTeX, Word, HTML.

        Parameters
        ----------
        kind : {"auto", "coefficients", "effects"}
            Coefficients of models without hidden units, and of the linear terms of structured formulas; average marginal
            effects on the response; "auto": coefficients where there are any.

        Returns
        -------
        Estimates
            ``.table`` is a DataFrame with the columns "b", "se", "t", "p", "ci95l", "ci95u".

        Raises
        ------
        ArgumentError
            Where coefficients are asked for and none means something by itself; and as `marginal_effects`.

        Notes
        -----
        ``maketables.ETable([one.estimates(), other.estimates()])``: given a fit itself, maketables (0.2) takes it for one of
        statsmodels by its attributes, and prints every weight of a network.

        Examples
        --------
        >>> import neuralstat as ns
        >>> data = ns.datasets.infert()
        >>> fit = ns.neuralnet("case ~ age + parity", data, hidden=0, family="binomial", random_state=1)
        >>> fit.estimates().table[["b", "se"]].round(3)
                         b     se
        Coefficient
        Intercept   -0.754  0.836
        age          0.001  0.026
        parity       0.015  0.108
        """
        return estimates.estimates(self.fitted, kind)


def announced(fitted: Fitted) -> NeuralNetResults:
    """A new fit as users hold it, with the warnings that belong to it."""
    repetitions.warn_unconverged(fitted)
    diagnosis.warn_severe(fitted)
    return NeuralNetResults(fitted)
