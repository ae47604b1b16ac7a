"""`neuralnet` and `NeuralNet`: check the arguments, compose design and network, train, return results."""

from __future__ import annotations

import os
from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

from .checks.arguments import NONE, PATH, Anything, Instance, arguments
from .fitted import Fitted
from .io import read
from .results import NeuralNetResults, announced
from .training import rotations
from .training.kinds import FIT
from .training.model import OF_DESIGN, Source, build_network, merge_settings
from .training.procedure import Procedure
from .training.settings import DEFAULT_ALGORITHM, LEARNINGRATE_FACTOR, LEARNINGRATE_LIMIT, STEPMAX, THRESHOLD, Settings

if TYPE_CHECKING:
    from .network.network import Network


FORMULA = Instance(str, "text such as 'y ~ x'", "y ~ x")  # as it is: text that was stored is a kind of its own
DATA = Anything("a table")
CONTEXT = NONE | Instance(Mapping, "a mapping of further names for the formula", {})


class NeuralNet:
    """A neural network model: data and arguments, not yet fitted.

    Parameters
    ----------
    endog : array of shape (n,) or (n, K), Series or DataFrame
        Responses, or one factor.
    exog : array of shape (n, D), Series or DataFrame
        Covariates, without a column of ones: biases belong to the layers.
    **settings
        Arguments of `neuralnet` but formula and data.

    Raises
    ------
    ArgumentError
        Where an argument is unknown or not usable.
    DataError
        Where the data do not fit.

    See Also
    --------
    neuralnet : the same in one call, and what the arguments mean.

    Examples
    --------
    >>> import neuralstat as ns
    >>> data = ns.datasets.mcycle()
    >>> model = ns.NeuralNet(data["accel"], data[["times"]], hidden=2, random_state=1)
    >>> fit = model.fit()
    >>> fit.network.topology
    '1-2-1'
    """

    def __init__(self, endog: Any, exog: Any, **settings: Any) -> None:
        self._of(Source(None, endog, exog), settings)

    @classmethod
    @arguments(formula=FORMULA, data=DATA, context=CONTEXT)
    def from_formula(
        cls, formula: str, data: Any, *, context: Mapping[str, Any] | None = None, **settings: Any
    ) -> NeuralNet:
        """A model from a formula; see `neuralnet`.

        Examples
        --------
        >>> import neuralstat as ns
        >>> model = ns.NeuralNet.from_formula("accel ~ times", ns.datasets.mcycle(), hidden=0)
        >>> model.fit().params.round(2).to_dict()
        {'Intercept.to.accel': -53.01, 'times.to.accel': 1.09}
        """
        model = cls.__new__(cls)
        model._of(Source(formula, data, context=context), settings)
        return model

    def _of(self, source: Source, settings: Mapping[str, Any]) -> None:
        self.source, self.formula = source, source.formula
        self.settings = source.weighed(merge_settings(Settings(), settings))
        self.design = source.design(self.settings)

    @arguments(settings=NONE | Instance(Settings, "the settings of a model"))
    def network(self, settings: Settings | None = None) -> Network:
        """The network of these settings (default: the model's), without weights.

        Examples
        --------
        >>> import neuralstat as ns
        >>> model = ns.NeuralNet.from_formula("accel ~ times", ns.datasets.mcycle(), hidden=(3, 2))
        >>> model.network().topology
        '1-3-2-1'
        """
        return build_network(self.design, self.settings if settings is None else settings)

    def procedure(self, **settings: Any) -> Procedure:
        """Everything between the design and a fit; arguments replace the model's.

        Examples
        --------
        >>> import neuralstat as ns
        >>> data = ns.datasets.mcycle()
        >>> model = ns.NeuralNet.from_formula("accel ~ times", data, hidden=2, random_state=1)
        >>> model.procedure(rep=3).settings.rep
        3
        """
        merged = merge_settings(self.settings, settings)
        design = self.design
        if any(getattr(merged, name) is not getattr(self.settings, name) for name in OF_DESIGN):
            design = self.source.design(merged)
        return Procedure.prepare(self.source, merged, design)

    def fit(self, **settings: Any) -> NeuralNetResults:
        """Train all repetitions.

        Parameters
        ----------
        **settings
            Arguments of `neuralnet` that replace the model's.

        Returns
        -------
        NeuralNetResults

        Warns
        -----
        ConvergenceWarning
            Where a repetition did not reach the threshold; it is kept, and flagged.

        Examples
        --------
        >>> import neuralstat as ns
        >>> model = ns.NeuralNet.from_formula("accel ~ times", ns.datasets.mcycle(), random_state=1)
        >>> [round(model.fit(hidden=h, algorithm="lm").deviance) for h in (1, 2, 3)]
        [197014, 68367, 62168]
        """
        procedure = self.procedure(**settings)
        return announced(Fitted(*rotations.run(procedure)))


@arguments(path=PATH)
def load(path: str | os.PathLike[str]) -> NeuralNetResults:
    """Read a fit that `NeuralNetResults.save` wrote.

    Nothing in the file is executed, whatever it holds: not now, and not by what the fit can do. Its formula, which would be
    code if you typed it, is evaluated as a stranger's, by `replace_head` and by functions that are given ``fit.formula``.

    Parameters
    ----------
    path : str or Path

    Returns
    -------
    NeuralNetResults
        With the attribute ``saved``: versions, date and hash of the data when it was saved.

    Raises
    ------
    FileFormatError
        Where the file is no saved fit, is damaged, or comes from a newer neuralstat.
    OSError
        Where there is no such file, or it cannot be read.

    Examples
    --------
    >>> import neuralstat as ns
    >>> data = ns.datasets.mcycle()
    >>> ns.neuralnet("accel ~ times", data, hidden=0).save("fit.nst")
    >>> fit = ns.load("fit.nst")
    >>> fit.params.round(2).to_dict()
    {'Intercept.to.accel': -53.01, 'times.to.accel': 1.09}
    """
    return NeuralNetResults(read(path))


@arguments(formula=FORMULA, data=DATA, **FIT, context=CONTEXT)
def neuralnet(
    formula: str,
    data: Any,
    *,
    hidden: Any = 1,
    layers: Any = None,
    act_fct: Any = "logistic",
    output_act_fct: Any = "logistic",
    linear_output: bool = True,
    err_fct: Any = "sse",
    family: Any = None,
    exclude: Any = None,
    constant_weights: Any = None,
    algorithm: Any = DEFAULT_ALGORITHM,
    threshold: float | None = THRESHOLD,
    stepmax: int = STEPMAX,
    rep: int | None = None,
    startweights: Any = None,
    learningrate: Any = None,
    learningrate_limit: Any = LEARNINGRATE_LIMIT,
    learningrate_factor: Any = LEARNINGRATE_FACTOR,
    penalty: Any = None,
    weights: Any = None,
    freq_weights: Any = None,
    var_weights: Any = None,
    offset: Any = None,
    groups: Any = None,
    standardize: Any = "auto",
    missing: str = "drop",
    likelihood: bool = False,
    lifesign: str = "none",
    lifesign_step: int = 1000,
    progress: bool = False,
    device: str = "cpu",
    dtype: str = "float64",
    n_jobs: int | None = None,
    compat: str | None = None,
    random_state: Any = None,
    tol: float | None = None,
    polish: bool = False,
    init: str | None = None,
    keep: int | None = None,
    epochs: int | None = None,
    batch_size: int | None = 32,
    shuffle: bool = True,
    validation: Any = None,
    early_stopping: Any = None,
    metrics: Any = None,
    augment: Any = None,
    callbacks: Any = None,
    class_weight: Any = None,
    checkpoint: Any = None,
    freeze: Any = None,
    dispformula: Any = None,
    scale: str | None = None,
    towers: Mapping[str, Any] | None = None,
    orthogonal: bool = True,
    context: Mapping[str, Any] | None = None,
    **unknown: Any,
) -> NeuralNetResults:
    """Fit a neural network to a formula.

    Arguments that R's ``neuralnet`` has keep R's name (dots as underscores), default and meaning.

    Parameters
    ----------
    formula : str
        ``"y ~ x"``, ``"log(y) ~ poly(x, 2) + C(g)*z"``, ``"y ~ ."``, ``"y1 + y2 ~ x"`` (several outputs), a
        factor response (one output per level), ``"y == 'a' ~ x"``; ``offset(e)`` on the right.
        On arrays and time series: ``"digit ~ pixels"``, ``"{pixels / 255}"``; ``lags(v, k)`` (the k values before the
        row), ``leads(v, k)`` (the k from the row on), ``window(v, h)`` (2 h + 1 around it), each with ``by=group``, and with
        a warning where a time index has gaps; of dates numbers, ``t.dt.month``, ``td.dt.days``, ``{t > "2022-06-01"}``;
        ``tokens(text, max_features=...)`` (counts of words), ``sequences(text, length, max_features)``.
        Structured formulas, whose other terms are linear (docs/terms.md): ``nn(x, z, hidden=(5, 3))``, ``nn(image,
        layers=cnn)`` (a network of its own covariates), ``s(x, k=10, bs="cr", by=g)``, ``te(x, z)`` (penalised smooths),
        ``(1 | g)``, ``(x | g)``, ``(1 | g/h)`` (random effects); ``embed(g, 3)`` (coordinates of levels, which a network
        reads), ``linear(x + z)`` (beside one network of the other terms). Strengths of their penalties are estimated.
        A formula is code: any Python expression in it is evaluated. Never take one from a stranger (SECURITY.md).
    data : table
        pandas, polars or arrow table, dict of arrays or xarray Dataset; n observations. The first axis of an array of
        several dimensions is the rows. More than memory holds: a Dask DataFrame, a Keras ``Sequence``, `neuralstat.chunks`.
    hidden : int or sequence of int
        Units per hidden layer; 0 or () for none: then the model is a generalised linear model, and is fitted exactly by
        iteratively reweighted least squares unless an algorithm is named.
    layers : sequence of layers, optional
        Instead of `hidden` and `act_fct`: hidden layers of `neuralstat.layers`. The output layer, a Dense one, is implied
        by response and family; a last layer that is it (``Dense(1, "sigmoid")`` of a binomial family) is taken for it.
        Arrays among the covariates are its input, joined along the last axis; tabular covariates beside them enter at the
        first Dense layer, before its units. With ``standardize=True`` all elements
        with the same last index (channel, feature) share one centre and scale, and weights refer to scaled inputs.
    act_fct : str, Activation, callable, or a sequence of them
        Hidden activation, or one per layer. A Python function of plain arithmetic and exp, log, tanh, ... is
        differentiated for you.
    output_act_fct, linear_output : str, Activation or callable; bool
        The output activation is used only when ``linear_output=False``.
    err_fct : {"sse", "ce", "mae"}, Loss or callable
        Sum of half squared errors, cross entropy, sum of absolute deviations (which has kinks, where no threshold is
        reached), or ``err(x, y)`` of output x and response y.
    family : str, Family or statsmodels family, optional
        The statistical way to say err_fct and output link: "gaussian", "binomial", "multinomial", "poisson", "gamma",
        "inverse_gaussian", "quasipoisson", "quasibinomial", or an instance with its link, of `neuralstat.families` or of
        statsmodels: the error is half the deviance, the output activation the inverse link. Distributions with several
        parameters, whose error is minus the log-likelihood: "negative_binomial", "tweedie", "beta", "student", "lognormal",
        "laplace", "huber", "zero_inflated_poisson", "zero_inflated_negative_binomial", "hurdle_poisson",
        "hurdle_negative_binomial", "ordinal", "quantile", "expectile", "mixture", "multivariate_normal"; of times
        ``Surv(time, event)`` "cox", "weibull", "lognormal_aft", "loglogistic", "piecewise_exponential". With a family
        `err_fct`, `linear_output` and `output_act_fct` are not used.
    exclude, constant_weights : optional
        Weights held out of the fit: R's rows (layer, input neuron, output neuron), counted from 1 with the bias as input
        neuron 1, R's positions in the flat vector, names as in `result_matrix`, or masks shaped like `weights`; and their
        values in that order (masks: in flat order), 0 unless given.
    algorithm : str or Optimizer
        R's "rprop+", "rprop-", "sag", "slr", "backprop"; Levenberg-Marquardt ("lm"), "bfgs", "lbfgs", which need far
        fewer steps; "auto" picks one of the last three by the number of weights. By minibatches and epochs, as Keras'
        optimizers of these names: "sgd", "momentum", "nesterov", "adagrad", "rmsprop", "adam", "adamw", "nadam", "adadelta",
        "adamax", "lion". Or an instance, as ``neuralstat.optimizers.LM(damping=1)``, ``Adam(learning_rate=0.01)``.
        "rprop+" unless given; a model without hidden units then goes straight to its one optimum.
    threshold, stepmax : float, int
        Stop when the largest absolute partial derivative of the error is at or below `threshold`; at most
        `stepmax` steps (the first evaluation is step 1). The minibatch optimizers use a rule only where it is given.
    rep : int, optional
        Repetitions from random starts; trained together. Unless given: 5 for networks with hidden units that are trained
        on all observations; 1 without hidden units, for fits by epochs, and under ``compat="R"``.
    startweights : optional
        Numbers in R's flat order for the first repetitions (the others start at random), an array (rep, P), matrices per
        repetition as in `weights`, or a dict of arrays as `get_weights` gives it; arrays that it lacks start at random.
    learningrate : float or Schedule, optional
        Of "backprop"; or instead of the default of a minibatch optimizer named by a string, also one of `schedules`.
    learningrate_limit, learningrate_factor : (min, max), (minus, plus)
        Limits of the step sizes, and their factors after and without a change of sign.
    penalty : Penalty, optional
        ``decay(lam)``, ``elimination(lam)``, ``l1(lam)``, ``elastic_net(l1, l2)``, and sums of them; ``decay("estimate")``,
        whose strength is estimated from the data.
    weights, freq_weights, var_weights : str or array, optional
        Weights of the rows, a column's name or a value per row. Precision weights (``weights``, or ``var_weights`` as in
        statsmodels: one of them): the variance is dispersion * V(mean) / weight; of binomial proportions numbers of
        trials. Frequencies (``freq_weights``): a row stands for so many equal observations, and everything is as if it
        were repeated; `nobs`, degrees of freedom and criteria count these. Both multiply the row's error. A row of weight 0
        is no observation, as in R: it is predicted, and not counted.
    offset : str or array, optional
        Known part of the linear predictor.
    groups : str or array, optional
        Clusters, a column's name or a label per row: rows of a cluster may depend on one another in any way, clusters do
        not. The fit is the same, but standard errors, tests and intervals are robust to that unless told otherwise
        (``cov_type="cluster"`` is their default), the bootstrap draws clusters, folds and validation rows never split one.
    standardize : {"auto", True, False}
        Centre and scale covariates (and a gaussian response under the identity link) inside the model; everything is
        reported in original units, weights too. "auto" leaves array terms as they are, and scales nothing under
        ``compat="R"`` or where weights are held at values that only original units can have.
    missing : {"drop", "raise"}
        Rows with missing values are kept out of the fit (NaN in `fittedvalues`), or are an error.
    likelihood : bool
        Adds R's ``aic`` and ``bic`` rows to `result_matrix`.
    lifesign, lifesign_step : {"none", "minimal", "full"}, int
        What is printed during the fit, as in R.
    progress : bool
        Show a progress bar with steps, error and gradient.
    device : str
        "cpu"; "cuda" or "cuda:<number>" trains on a CUDA device, and whatever refits the model trains there too. Needs
        the extra ``neuralstat[cuda]``. All minibatch optimizers run there for all layers, R's algorithms for all but
        BatchNorm and Dropout, "lm" and "bfgs" for dense ones; built-in activations and errors. What has no kernel is
        refused, never run on the CPU. Start weights, orders of the observations and dropped units do not depend on it.
    dtype : {"float64", "float32"}
        Kind of number in training.
    n_jobs : int, optional
        Threads over repetitions; the result does not depend on them.
    compat : {"R"}, optional
        R's behaviour also where it is a mistake; see ``docs/parity.md``.
    random_state : int, SeedSequence, Generator, optional
        Each repetition has its own stream.
    tol : float, optional
        With "lm", "bfgs", "lbfgs": also stop when a step lowers the error by no more than `tol` times the error.
    polish : bool
        Finish with "lm" (or "bfgs", "lbfgs" for many weights) down to a largest partial derivative of 1e-6,
        as inference at an optimum needs; steps add up. Converged means what it means without.
    init : {"normal", "uniform", "glorot", "he", "nguyen-widrow"}
        Where random start weights come from: "normal" (R's neuralnet) unless given, with minibatches "glorot" (for tanh and
        logistic; "he" for relu and its kin), "uniform" between -0.7 and 0.7 (R's nnet), or "nguyen-widrow", which spreads
        active ranges of one or two layers over the range of the inputs.
    keep : int, optional
        Train all `rep` repetitions for a short trial (20 steps of "lm", 60 of "bfgs" and "lbfgs", 500 of the others), and
        only the `keep` with the least error to the end; the others are listed in `results.pruned`.
    epochs : int, optional
        Passes over the data of a minibatch optimizer; 100 unless given. 0 gives the start weights as a fit.
    batch_size : int, optional
        Observations per step; None for all. A step goes along the gradient of Keras' loss, the mean over the batch of case
        weight times loss (the last batch may be smaller, and is divided by its own size): squared errors are whole, and of
        several outputs their mean. The objective is the penalised sum of errors of every other algorithm, over n, times 2 for
        squared errors, over the outputs unless these are classes: so is the penalty (Keras' L2 is a layer's argument).
    shuffle : bool
        Whether every epoch has a new order of the observations, from the repetition's own random stream.
    validation : float or data, optional
        Share of the rows, the last ones, that are kept out of the fit to be validated on; or other data (with arrays:
        ``(endog, exog)``). Centres, scales, knots, levels and words are those of the rows that are trained on: the fit is
        to the bit the one to the first rows with the last ones as other data. Batches (x, y, weights) bring their weights.
    early_stopping : EarlyStopping, optional
        ``ns.EarlyStopping(patience=5)`` stops when the validation loss (without validation: the training loss) has not
        improved for 5 epochs, and goes back to the best weights; with ``monitor="val_auc"`` it goes by a metric.
    metrics : str, callable, or sequence of them, optional
        What is measured after each epoch, in the response's units, over the training and the validation rows: "accuracy",
        "auc", "mse", "rmse", "mae", "r2", "log_loss", "brier", "top_k" (5; "top_k:3"), or ``f(y, prediction)``. Columns of
        `history` ("auc", "val_auc"), and what callbacks see. `NeuralNetResults.evaluate` gives them for other data.
    augment : callable, optional
        As ``ns.augment.ImageAugmenter(flip=True, shift=0.1)``: every epoch is trained on its own random version of the
        images. Called as ``augment(images, epoch=..., stream=...)`` with all images, from the thread that trains; where it
        has an argument `index`, with some, and their numbers, by threads ahead of it. `stream` is the repetition's number.
    callbacks : callable or sequence of callables, optional
        Called after each epoch as ``callback(epoch, logs)``, one at a time, from the thread that trains; `logs` is a
        dict with "rep", "epoch", "step", "loss", ...; True stops that repetition. `plots.LivePlot` draws them in notebooks.
    class_weight : dict or "balanced", optional
        Class (or, where no key is one, its position from 0, as in Keras) -> weight of its rows; multiplies the case weights,
        with every algorithm. "balanced" is n / (number of classes * rows of the class), of their own rows in refits.
    checkpoint : path, optional
        File that holds the state after each epoch. Where it exists, the fit goes on from there, and ends with the same
        bits as one that was never interrupted; a file of another fit is an error. Without `random_state` the file's is
        used. Where it cannot be written (a full disk), the fit goes on, with a warning.
    freeze : str or sequence of str, optional
        Layers (``"conv2d"``) or arrays (``"conv2d/bias"``) that keep their start weights; see `get_weights` for the names.
    dispformula : str, True or mapping, optional
        For families with more than one parameter, what the parameters beside the mean depend on: ``"~ 1"`` on nothing, but
        estimated with the rest; ``"~ x + z"`` linearly, on the parameter's link, on these covariates; True: an output of the
        network's own last hidden units. A mapping by parameter (``{"sigma": "~ x", "nu": "~ 1"}``) where there are several;
        anything else is for the first of them. Gaussian, gamma and inverse Gaussian families and the negative binomial then
        have their dispersion as a parameter, and what is minimised is minus the log-likelihood, which case weights multiply.
    scale : {"X2"}, optional
        Of families with dispersion 1 (Poisson, binomial, negative binomial of given alpha): the dispersion is estimated, as
        Pearson's chi2 over the residual degrees of freedom, and counts in standard errors, tests and intervals. The fit is
        then of a mean and a variance, with no likelihood, as with ``family="quasipoisson"`` and ``"quasibinomial"``. Families
        that have a dispersion estimate it so in any case.
    towers : mapping, optional
        Layers that a formula names, ``nn(image, layers=cnn)``: ``{"cnn": [Conv2D(8, 3, "relu"), ...]}``, as in `context`.
    orthogonal : bool
        Whether coefficients beside a network of the same covariates are all that is linear in these, the network's part
        orthogonal to them (docs/terms.md). The fit is the same.
    context : mapping, optional
        Further names for the formula.
    **unknown
        Refused, with the name that may be meant (``err.fct``: `err_fct`).

    Returns
    -------
    NeuralNetResults
        After Ctrl-C during the training: what there is; ``reps["status"]`` is "interrupted" where it was not at its end.
        Everything that fits several times (`risk`, bootstraps, degrees of freedom, `select`, ...) ends with
        KeyboardInterrupt.

    Raises
    ------
    ArgumentError
        Where an argument is not usable.
    DataError
        Where the data do not fit the formula or the model.
    DeviceError
        Where the device is not there, or cannot run the model.

    Warns
    -----
    ConvergenceWarning
        Where a repetition did not reach the threshold; its weights are kept, and flagged.

    References
    ----------
    Guenther & Fritsch (2010), neuralnet: Training of Neural Networks, The R Journal 2(1):30-38.

    Examples
    --------
    >>> import neuralstat as ns
    >>> data = ns.datasets.doppler(n=200, noise=0.1, random_state=1)
    >>> fit = ns.neuralnet("y ~ x", data, hidden=3, threshold=0.1, random_state=1)
    >>> fit.converged
    True
    """
    arguments = {k: v for k, v in locals().items() if k not in ("formula", "data", "context", "unknown")}
    return NeuralNet.from_formula(formula, data, context=context, **{**unknown, **arguments}).fit()
