"""Prediction error of a fit or a model: `risk`, and the estimators behind it.

``risk(fit, method)`` looks the method up in `RISK`; to add one, write a function and decorate it (`registry`).
"""

from __future__ import annotations

import inspect
from typing import Any

from ..checks import shown
from ..checks.arguments import FLAG, N_JOBS, NONE, RANDOM_STATE, REP_OR_MEAN, TEXT, Anything, arguments
from ..errors import ArgumentError
from ..training.interrupts import passed_on
from . import alo, coupled, holdout, information, nested_cv, penalties, random_x, resampling, thinning  # noqa: F401 (its functions register themselves)
from .losses import LOSS, LOSSES, called
from .names import variant
from .procedure import make_procedure, on_device
from .registry import RISK
from .scores import prepared
from .value import Risk

__all__ = ["LOSSES", "RISK", "Risk", "risk"]


@arguments(
    fit_or_model=Anything("a fit, a model, or an object with fit and predict"), method=Anything("a method", *RISK),
    loss=LOSS, rep=Anything("'mean', 'best' or a number", "mean", "best", 1),
    x=Anything("a table or array"), y=Anything("an array"), stack=FLAG, random_state=RANDOM_STATE, n_jobs=N_JOBS,
    device=NONE | TEXT,
)  # fmt: skip
@passed_on()
def risk(
    fit_or_model: Any, method: str = "cv", *, loss: Any = None, rep: Any = "mean", x: Any = None, y: Any = None,
    stack: bool = True, random_state: Any = None, n_jobs: int | None = None, device: str | None = None,
    **options: Any,
) -> Risk:  # fmt: skip
    """Estimate the prediction error of a fit, of a model, or of any object with fit and predict.

    Resampling methods refit the whole procedure: scaling, transforms of the formula, random restarts and their mean
    are inside the folds. Predictions and losses are in the units of the response. Of a fit with clusters (``groups=``) folds,
    samples and test rows are of whole clusters (with fewer clusters than folds, a fold each), unless the option groups says
    otherwise: the error is then that at rows of new clusters. Methods without refits take rows as independent.

    There are two errors: that at new x, of rows to come, covariates included, and that at the same x, of new responses at the
    covariates of the data, which is smaller (a network of 5 units on 10 covariates and 100 rows: 3.4 and 1.8). What each
    method estimates is said below, and by `Risk.target`.

    Parameters
    ----------
    fit_or_model : NeuralNetResults, Fitted, NeuralNet, or object with fit and predict
    method : str
        Options may be part of the name: "cv:k=5,repeats=3", "cv:loo", "cp:gdf", "thinning:5". At new x:

        - "cv": cross-validation; options k (10; "loo"), repeats, corrected (Burman), blocks, gap, groups, stratify, and folds
          (or cv): labels, pairs of rows, or a splitter as scikit-learn's. Of a procedure with (k - 1) / k of the rows.
        - "loo": leave-one-out by refits, "cv" with k="loo"; "alo": approximately so, one Newton step per observation and no
          refit.
        - "nested_cv": cross-validation with an honest standard error; options k (10), repeats (10), groups, stratify.
        - "holdout": options test_size (0.25), repeats, blocks, gap, groups, stratify, folds, halves.
        - "bootstrap": leave-one-out bootstrap; options draws (100), kind ("oob", "optimism"), groups.
        - "632", "632+": Efron & Tibshirani's; options draws, groups.
        - "gcv": generalised cross-validation; options df ("auto"). With degrees of freedom d it is training error
          / (1 - d / n)^2: for least squares the error at new x, not at the same x, unless d is small beside n, where they
          agree (d = 41, n = 100: 1.00 and 1.20 of them).
        - "rcp": Cp for new covariates (Rosset & Tibshirani), exact for unbiased linear models of normal covariates; networks
          by generalised degrees of freedom, see `assessment.random_x` for how far; options sigma, df, draws, restarts.
          "rcp+": with the excess bias at new x, for linear models; option sigma.

        At the same x:

        - "cp": training error and degrees of freedom; options df ("auto"), sigma.
        - "gdf", "covariance": Cp with Ye's and Efron's degrees of freedom; options sigma, draws, restarts, ...
        - "sure": unbiased estimate of the mean squared distance to the truth (without the noise of new responses).
        - "coupled": the coupled bootstrap, for any procedure (stopped early, averaged, selected) with additive noise; options
          alpha (0.1), draws (100), sigma, restarts.
        - "thinning": fits to a part of every response, judged on the rest: gaussian, Poisson, binomial and multinomial of
          2 trials or more, gamma, negative binomial; options folds (5), share, repeats, sigma, restarts.
        - "aic", "aicc": expected -2 log-likelihood of new responses, per observation; option df ("auto").
    loss : {"mse", "mae", "deviance", "log", "brier", "misclassification", ...} or function, optional
        "mse" for additive noise and "deviance" for other families where not given. "log" (or "log_loss") normalises
        probabilities to sum to one. A function takes responses and predictions, (m,) each, of several outputs and classes
        (m, K), and returns (m,) numbers. Methods at the same x, "gcv", "rcp" and "rcp+" have the losses that they are of. Of
        distributions whose parameters are outputs also their scores, row by row ("cv", "holdout", "bootstrap", "632",
        "nested_cv"): "log_score" (minus the log-density), "crps" (continuous ranked probability score), of fitted quantiles
        "pinball" (there where no loss is given); of every family with quantiles "interval", the interval score (Gneiting &
        Raftery 2007) of the central 90 % interval, "interval:0.8" of another (of fitted quantiles the outermost, unless
        told). Of times to an event "log_score"
        (where no loss is given, but not of "cox"), "brier" (squared error of the survival probability, the mean over the
        times from 0 to the last event; censored rows are made up for by the censoring distribution of the training rows)
        and, for "cv" and "holdout", "concordance": 1 - Harrell's concordance, so that smaller is better. That is no mean over
        rows: each fold has its value, and counts as many pairs as can be compared in it. Losses of means are not for censored
        times.
    rep : {"mean", "best"}
        What predicts: the mean of the converged repetitions, as `predict`, or the best one. The analytical methods
        also take a number.
    x, y : table, array
        Data of an object with fit and predict.
    stack : bool
        Train all folds and restarts as one stack (faster); False goes fold by fold, to the same numbers.
    random_state : int, SeedSequence, Generator, optional
        Of folds, samples and start weights: models given the same one see the same folds.
    n_jobs : int, optional
        Threads; the result does not depend on them. Where not given, and inside ``joblib.parallel_config(backend="dask")``,
        networks are refitted by the workers of that cluster.
    device : str, optional
        "cpu", "cuda" or "cuda:<number>": where refits are trained; the fit's or model's own where not given.
    **options
        Of the method.

    Returns
    -------
    Risk
        A float with `se`, `target`, `draws`, `conf_int()`, `to_frame()`, `details`.

    Raises
    ------
    ArgumentError
        For unknown methods, losses and options, or such that do not suit.
    DataError
        Where a refit is not possible.
    DeviceError
        Where the device is not there, or cannot train the model.

    Warns
    -----
    ConvergenceWarning
        Where repetitions of refits did not converge.
    DataWarning
        Where a level occurs in test rows, but not in the training rows.

    Examples
    --------
    >>> import neuralstat as ns
    >>> data = ns.datasets.doppler(n=60, noise=0.1, random_state=1)
    >>> fit = ns.neuralnet("y ~ x", data, hidden=0, algorithm="lm")
    >>> cv = ns.risk(fit, "cv", k="loo")
    >>> cv.draws.size
    60
    """
    if isinstance(method, str) and ":" in method:
        method, more = variant(method)
        if both := sorted(set(more) & set(options)):
            raise ArgumentError(f"risk: option {both[0]!r} is in the method's name and beside it.")
        options = {**more, **options}
    if not isinstance(method, str) or method not in RISK:
        raise ArgumentError(f"risk: method must be one of {', '.join(map(repr, RISK))}; got {shown(method)}.")
    function, loss = RISK[method], called(loss)
    if device is not None:
        fit_or_model = on_device(fit_or_model, device)
    if method in penalties.WORDS or method in information.WORDS:
        rep = REP_OR_MEAN.check(rep, "rep")
        procedure = make_procedure(fit_or_model, rep="mean", stack=stack, n_jobs=n_jobs, x=x, y=y, loss=loss)
        counted = method if options.get("df") is None else options["df"]
        if method in ("gdf", "covariance") or (isinstance(counted, str) and str.__str__(counted) in SIMULATED):
            options = {"random_state": random_state, "n_jobs": n_jobs, **options}
        return function(procedure, loss, rep=rep, **options)
    known = [name for name, p in inspect.signature(function).parameters.items() if p.kind is p.KEYWORD_ONLY]
    for name in options:
        if name not in known:
            raise ArgumentError(f"risk: method={method!r} has no option {name!r}; it has {', '.join(known)}.")
    procedure = make_procedure(fit_or_model, rep=rep, stack=stack, n_jobs=n_jobs, x=x, y=y, loss=loss)
    procedure, loss = prepared(procedure, loss, method)
    return function(procedure, loss, random_state=random_state, **options)


SIMULATED = ("gdf", "covariance", "sure")  # degrees of freedom that draw random numbers
