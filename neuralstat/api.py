"""`neuralnet` and `NeuralNet`: check the arguments, compose design and network, train, return results."""

from __future__ import annotations

import functools
import warnings
from collections.abc import Mapping
from dataclasses import replace
from typing import TYPE_CHECKING, Any

import numpy as np

from .engine.data import make_data
from .errors import ArgumentError, ConvergenceWarning, DataError, caller
from .families import needs, resolve_family, resolve_objective
from .families.starts import feasible
from .functions.penalties import L1
from .layers import Dense
from .network.arrays import frozen
from .network.exclude import fixed_weights
from .network.network import Network, dense_network
from .network.objective import ActivationSpec, resolve_activation
from .network.penalties import coefficients
from .network.start import start_weights
from .optimizers import OPTIMIZERS, Optimizer, choose
from .optimizers.rprop import CODES
from .seeds import seed_sequence
from .training.settings import STEPMAX, THRESHOLD, Settings
from .training.train import Algorithm, Fit, polish, train

if TYPE_CHECKING:
    from .formula import Design
    from .results import NeuralNetResults

POLISHED = 1e-6  # largest derivative that `polish=True` aims at
_DESIGN = ("weights", "offset", "missing", "standardize", "err_fct", "family")


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
    """

    def __init__(self, endog: Any, exog: Any, **settings: Any) -> None:
        self._source: tuple[str, Any, Any, Mapping[str, Any] | None] = ("arrays", endog, exog, None)
        self.formula: str | None = None
        self.settings = _settings(Settings(), settings)
        self.design = self._make_design(self.settings)

    @classmethod
    def from_formula(
        cls, formula: str, data: Any, *, context: Mapping[str, Any] | None = None, **settings: Any
    ) -> NeuralNet:
        """A model from a formula; see `neuralnet`."""
        model = cls.__new__(cls)
        model._source = ("formula", formula, data, context)
        model.formula = formula
        model.settings = _settings(Settings(), settings)
        model.design = model._make_design(model.settings)
        return model

    def _make_design(self, settings: Settings) -> Design:
        from . import formula

        kind, first, second, context = self._source
        family = resolve_family(settings.family)
        options: dict[str, Any] = {
            "weights": settings.weights,
            "offset": settings.offset,
            "missing": settings.missing,
            "standardize": settings.standardize,
            "scale_response": settings.standardize and _gaussian(settings),
            "err_needs": needs(settings.err_fct, settings.family),
            "factor_outputs": "binary" if family is not None and family.name == "binomial" else "all",
        }
        if kind == "arrays":
            design = formula.from_arrays(first, second, **options)
        else:
            parts = formula.as_partitions(second)
            if settings.compat == "R":
                from .formula.rcompat import string_classes

                if parts is not None:
                    parts = parts.map(functools.partial(string_classes, first))
                else:
                    second = string_classes(first, second)
            if parts is not None:
                from .formula.outofcore import partitioned_design

                design = partitioned_design(first, parts, context=context, **options)
            else:
                design = formula.design(first, second, context=context, **options)
        if family is not None and family.name == "multinomial" and len(design.y_names) < 2:
            raise DataError(
                f"response {design.response!r}: family='multinomial' needs a factor, or several responses (counts or "
                "proportions of the classes)."
            )
        return design

    def network(self, settings: Settings | None = None) -> Network:
        """The network of these settings (default: the model's), without weights."""
        settings = self.settings if settings is None else settings
        return build_network(self.design, settings)

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
        """
        from .results import NeuralNetResults

        merged = _settings(self.settings, settings)
        design = self.design
        if any(getattr(merged, name) is not getattr(self.settings, name) for name in _DESIGN):
            design = self._make_design(merged)
        network = build_network(design, merged)
        seeds = seed_sequence(merged.random_state)
        check = None
        if merged.minibatch:
            from .training import minibatch

            design, check = minibatch.split(design, merged)
            design = minibatch.weigh_classes(design, merged.class_weight)
            if merged.checkpoint is not None and merged.random_state is None:
                from .training.checkpoint import stored_seeds

                seeds = stored_seeds(merged.checkpoint) or seeds
        fit = run(design, network, merged, seeds, check)
        results = NeuralNetResults(self.formula, design, network, merged, fit, seeds)
        results.check = check
        warn_unconverged(results)
        return results


def _settings(base: Settings, given: Mapping[str, Any]) -> Settings:
    unknown = [name for name in given if name not in Settings.names()]
    if unknown:
        import difflib

        close = difflib.get_close_matches(unknown[0].replace(".", "_"), Settings.names(), 1)
        hint = f" Did you mean {close[0]!r}?" if close else f" Known: {', '.join(Settings.names())}."
        raise ArgumentError(f"unknown argument {unknown[0]!r}.{hint}")
    settings = replace(base, **given)
    if settings.device != "cpu":
        from .engine.cuda import find_device

        find_device(settings.device)
    return settings


def _gaussian(settings: Settings) -> bool:
    """Whether the response may be centred and scaled: squared error of a linear output."""
    family = resolve_family(settings.family)
    if family is not None:
        return family.name == "gaussian" and family.link.name == "identity"
    return settings.err_fct == "sse" and settings.linear_output


def _hidden_activations(settings: Settings) -> list[ActivationSpec]:
    n = len(settings.hidden)
    given = settings.act_fct
    if isinstance(given, list | tuple):
        if len(given) != n:
            raise ArgumentError(f"act_fct has {len(given)} entries, but there are {n} hidden layers.")
        return [resolve_activation(a) for a in given]
    return [resolve_activation(given)] * n


def build_network(design: Design, settings: Settings) -> Network:
    """The network that settings ask for on a design."""
    if settings.layers is not None:
        return _layered_network(design, settings)
    activations = _hidden_activations(settings)
    first = activations[0] if activations else resolve_activation(
        settings.act_fct[0] if isinstance(settings.act_fct, list | tuple) and settings.act_fct else
        "logistic" if isinstance(settings.act_fct, list | tuple) else settings.act_fct)  # fmt: skip
    goal = resolve_objective(
        settings.err_fct, settings.linear_output, settings.output_act_fct, settings.family, first, settings.compat
    )
    return dense_network(
        design.x.shape[0], settings.hidden, activations, goal, design.x_names, design.y_names,
        offset=design.offset is not None,
    )  # fmt: skip


def _layered_network(design: Design, settings: Settings) -> Network:
    """The network of ``layers=``: these, then the output layer that response and family imply."""
    goal = resolve_objective(
        settings.err_fct, settings.linear_output, settings.output_act_fct, settings.family,
        resolve_activation("identity"), None,
    )  # fmt: skip
    layers = [
        replace(layer, activation=resolve_activation(layer.activation, "layers")) if type(layer) is Dense else layer
        for layer in settings.layers
    ]
    return Network(
        (*layers, Dense(len(design.y_names))), design.input_shape, goal, design.x_names, design.y_names,
        design.offset is not None, design.n_beside,
    )  # fmt: skip


def run(
    design: Design, network: Network, settings: Settings, seeds: np.random.SeedSequence, check: Any = None
) -> Fit:
    """Train all repetitions of a model; `check` holds the validation rows of a fit by epochs."""
    free, constants = fixed_weights(network, settings.exclude, settings.constant_weights, settings.compat)
    internal = None
    if design.scaling is not None:
        from .network.scaling import scaled_constants, to_internal

        constants = scaled_constants(network, design.scaling, free, constants)
        internal = functools.partial(to_internal, network, design.scaling)
    trained = free & ~frozen(network, settings.freeze)
    if not trained.any():
        raise ArgumentError("exclude and freeze hold all weights: at least one must be trained.")
    adjust = functools.partial(feasible, network, design, free=trained)
    start = start_weights(
        network, settings.rep, seeds, free, constants, settings.startweights, settings.compat, internal, adjust,
        settings.start_init, design.x,
    )  # fmt: skip
    return train_from(design, network, settings, seeds, check, start, trained)


def train_from(
    design: Design, network: Network, settings: Settings, seeds: np.random.SeedSequence, check: Any,
    start: np.ndarray, free: np.ndarray,
) -> Fit:  # fmt: skip
    """Train all repetitions from start weights (B, P) in internal units; `free` (P,) are those that are trained."""
    dtype = np.dtype(settings.dtype)
    data = make_data(design.x, design.y, design.weights, design.offset, dtype=dtype)
    penalty = coefficients(settings.penalty, network, design)
    if settings.minibatch:
        from .training.minibatch import run_epochs

        return run_epochs(design, network, settings, seeds, check, start, free, penalty)
    algorithm, chosen = resolve_algorithm(settings, network, design, int(free.sum()), penalty)
    from .training.progress import Lifesign

    with Lifesign(settings, network) as lifesign:
        watched: dict[str, Any] = {
            "stepmax": settings.stepmax, "penalty": penalty, "n_jobs": settings.n_jobs,
            "watch": lifesign.watch, "chunk": lifesign.chunk, "device": settings.device,
        }  # fmt: skip
        fit = train(
            network, data, start, free, algorithm,
            threshold=settings.full_threshold, tol=settings.tol, keep=settings.keep, **watched,
        )  # fmt: skip
        if chosen:
            fit = replace(fit, algorithm=f"{fit.algorithm} (chosen automatically)")
        if settings.polish:
            fit = _polished(network, data, free, fit, settings, penalty, watched)
        lifesign.finish(fit)
    return fit


def resolve_algorithm(
    settings: Settings, network: Network, design: Design, n_free: int, penalty: np.ndarray | None
) -> tuple[Any, bool]:
    """The algorithm that settings ask for, and whether "auto" picked it."""
    given = settings.algorithm
    if isinstance(given, Optimizer):
        return given, False
    if given in CODES:
        rate = np.nan if settings.learningrate is None else settings.learningrate
        return Algorithm(given, rate, settings.learningrate_limit, settings.learningrate_factor), False
    if given == "auto":
        if settings.dtype != "float64" or network.objective.name == "ce_r":
            return Algorithm(), True
        return OPTIMIZERS[_pick(network, design.x.shape[1], n_free, penalty)](), True
    return OPTIMIZERS[given](), False


def _pick(network: Network, n: int, n_free: int, penalty: np.ndarray | None) -> str:
    lasso = penalty is not None and bool(np.any(penalty[:, L1] != 0))
    return choose(n_free, n, network.n_outputs, lasso, network.dense)


def _polished(
    network: Network, data: Any, free: np.ndarray, fit: Fit, settings: Settings, penalty: np.ndarray | None,
    watched: dict[str, Any],
) -> Fit:  # fmt: skip
    """Go on from where a fit ended to an optimum: largest derivative at most POLISHED, or the threshold."""
    algorithm = OPTIMIZERS[_pick(network, data.x.shape[1], int(free.sum()), penalty)]()
    aim = min(settings.full_threshold, POLISHED)
    then = train(network, data, fit.theta, free, algorithm, threshold=aim, **watched)
    return polish(fit, then, settings.full_threshold)


def warn_unconverged(results: NeuralNetResults) -> None:
    """Say in R's words which repetitions did not converge, and where the gradient is largest."""
    reps = results.reps
    lost = reps[~reps["converged"]]
    if lost.empty:
        return
    worst = lost.iloc[0]
    reasons = ", ".join(sorted(set(lost["status"])))
    threshold = results.settings.threshold
    rule = "" if threshold is None else f", threshold {threshold:g}"
    within = "epochs" if results.settings.minibatch else "stepmax"
    warnings.warn(
        f"Algorithm did not converge in {len(lost)} of {len(reps)} repetition(s) within the {within}. "
        f"({reasons}; repetition {worst.name}: largest partial derivative {worst['reached_threshold']:.4g} at "
        f"{worst['largest_gradient']}{rule}.) The weights reached are kept.",
        ConvergenceWarning,
        stacklevel=caller(),
    )


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
    algorithm: Any = "rprop+",
    threshold: float | None = THRESHOLD,
    stepmax: int = STEPMAX,
    rep: int = 1,
    startweights: Any = None,
    learningrate: float | None = None,
    learningrate_limit: Any = (1e-10, 0.1),
    learningrate_factor: Any = (0.5, 1.2),
    penalty: Any = None,
    weights: Any = None,
    offset: Any = None,
    standardize: bool = False,
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
    augment: Any = None,
    callbacks: Any = None,
    class_weight: Any = None,
    checkpoint: Any = None,
    freeze: Any = None,
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
        row), ``leads(v, k)`` (the k from the row on), ``window(v, h)`` (2 h + 1 around it), each with ``by=group``;
        ``tokens(text, max_features=...)`` (counts of words), ``sequences(text, length, max_features)``.
    data : table
        pandas, polars or arrow table, dict of arrays or xarray Dataset; n observations. The first axis of an array of
        several dimensions is the rows. More than memory holds: a Dask DataFrame, or `neuralstat.chunks` of files or tables.
    hidden : int or sequence of int
        Units per hidden layer; 0 or () for none (then the model is a generalised linear model).
    layers : sequence of layers, optional
        Instead of `hidden` and `act_fct`: hidden layers of `neuralstat.layers`. The output layer, a Dense one, is implied
        by response and family. Arrays among the covariates are its input, joined along the last axis; tabular
        covariates beside them enter at the first Dense layer, before its units. With ``standardize=True`` all elements
        with the same last index (channel, feature) share one centre and scale, and weights refer to scaled inputs.
    act_fct : str, Activation, callable, or a sequence of them
        Hidden activation, or one per layer. A Python function of plain arithmetic and exp, log, tanh, ... is
        differentiated for you.
    output_act_fct, linear_output : str, Activation or callable; bool
        The output activation is used only when ``linear_output=False``.
    err_fct : {"sse", "ce"}, Loss or callable
        Sum of half squared errors, cross entropy, or ``err(x, y)`` of output x and response y.
    family : str, Family or statsmodels family, optional
        The statistical way to say err_fct and output link: "gaussian", "binomial", "multinomial", "poisson", "gamma",
        "inverse_gaussian", "negative_binomial", "tweedie", or an instance with its link, of `neuralstat.families` or
        of statsmodels. The error is half the deviance, the output activation the inverse link; `err_fct`,
        `linear_output` and `output_act_fct` are not used.
    exclude, constant_weights : optional
        Weights held out of the fit, and their values; see `neuralstat.exclude.fixed_weights`.
    algorithm : str or Optimizer
        R's "rprop+", "rprop-", "sag", "slr", "backprop"; Levenberg-Marquardt ("lm"), "bfgs", "lbfgs", which need far
        fewer steps; "auto" picks one of the last three by the number of weights. By minibatches and epochs, with
        Keras' defaults: "sgd", "momentum", "nesterov", "adagrad", "rmsprop", "adam", "adamw". Or an instance with
        settings of its own, as ``neuralstat.optimizers.LM(damping=1)`` or ``Adam(learning_rate=0.01, clipnorm=1)``.
    threshold, stepmax : float, int
        Stop when the largest absolute partial derivative of the error is at or below `threshold`; at most
        `stepmax` steps (the first evaluation is step 1). The minibatch optimizers use a rule only where it is given.
    rep : int
        Repetitions from random starts; trained together.
    startweights : optional
        See `neuralstat.start.start_weights`.
    learningrate : float, optional
        Of "backprop"; also replaces the default of a minibatch optimizer named by a string.
    learningrate_limit, learningrate_factor : (min, max), (minus, plus)
        Limits of the step sizes, and their factors after and without a change of sign.
    penalty : Penalty, optional
        ``decay(lam)``, ``elimination(lam)``, ``l1(lam)``, ``elastic_net(l1, l2)``, and sums of them.
    weights, offset : str or array, optional
        Case weights; known part of the linear predictor.
    standardize : bool
        Centre and scale covariates (and a gaussian response) inside the model; everything is reported in
        original units, weights too.
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
        With "lm", "bfgs", "lbfgs": also stop when a step lowers the error by no more than `tol` times the
        error.
    polish : bool
        Finish with "lm" (or "bfgs", "lbfgs" for many weights) down to a largest partial derivative of 1e-6,
        as inference at an optimum needs; steps add up. Converged means what it means without.
    init : {"normal", "uniform", "glorot", "he", "nguyen-widrow"}
        Where random start weights come from: "normal" unless given, with minibatches "glorot"; see
        `neuralstat.start.start_weights`.
    keep : int, optional
        Train all `rep` repetitions for a short trial (20 steps of "lm", 60 of "bfgs" and "lbfgs", 500 of the
        others), and only the `keep` with the least error to the end; the others are listed in
        `results.pruned`.
    epochs : int, optional
        Passes over the data of a minibatch optimizer; 100 unless given. 0 gives the start weights as a fit.
    batch_size : int, optional
        Observations per step; None for all. A step goes along the mean over the batch of case weight times
        gradient (the last batch of an epoch may be smaller, and is divided by its own size), to which the whole
        penalty's gradient is added, as Keras does; so ``decay(lam)`` adds lam/2 sum w^2 to the *mean* error. The
        error that is reported is n times the sum of both.
    shuffle : bool
        Whether every epoch has a new order of the observations, from the repetition's own random stream.
    validation : float or data, optional
        Share of the rows, the last ones, that are kept out of the fit to be validated on; or other data (with arrays:
        ``(endog, exog)``).
    early_stopping : EarlyStopping, optional
        ``ns.EarlyStopping(patience=5)`` stops when the validation loss (without validation: the training loss) has not
        improved for 5 epochs, and goes back to the best weights.
    augment : callable, optional
        As ``ns.augment.ImageAugmenter(flip=True, shift=0.1)``: every epoch is trained on its own random version of the
        images. Called as ``augment(images, epoch=..., stream=...)``, from the thread that trains; `stream` is a whole
        number of the repetition.
    callbacks : callable or sequence of callables, optional
        Called after each epoch as ``callback(epoch, logs)``, one at a time, from the thread that trains; `logs` is a
        dict with "rep", "epoch", "step", "loss", ...; True stops that repetition.
    class_weight : dict or "balanced", optional
        Class -> weight of its rows; multiplies the case weights.
    checkpoint : path, optional
        File that holds the state after each epoch. Where it exists, the fit goes on from there, and ends with the same
        bits as one that was never interrupted; a file of another fit is an error. Without `random_state` the file's is
        used.
    freeze : str or sequence of str, optional
        Layers (``"conv2d"``) or arrays (``"conv2d/bias"``) that keep their start weights; see `get_weights` for the
        names.
    context : mapping, optional
        Further names for the formula.
    **unknown
        Refused, with the name that may be meant (``err.fct``: `err_fct`).

    Returns
    -------
    NeuralNetResults

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
