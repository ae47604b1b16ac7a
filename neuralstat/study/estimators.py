"""Estimators of risk in a study: what each aims at, and how it is computed for all replicates of a chunk."""

from __future__ import annotations

import functools
import inspect
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field, replace
from typing import Any

import numpy as np

from ..assessment.names import variant
from ..checks import arguments as kinds
from ..checks import shown
from ..checks.arguments import FLAG, FUNCTION, NONE, POSITIVE, TEXT, arguments
from ..errors import ArgumentError
from . import criteria, refits
from .fingerprint import text
from .fits import Fits
from .losses import Loss
from .problems import Cell

PREDICTION, ESTIMATION, DEVIANCE, NOTHING = "prediction_risk", "risk", "deviance", ""
SAME, NEW = "same_x", "new_x"


@dataclass
class Work:
    """What estimators see of the replicates of a chunk.

    Attributes
    ----------
    cell : Cell
    prepared : Fitter
        The model on the designs.
    x : (n, D) array
        The design; (T, n, D) where every replicate has its own.
    y : (T, n) array
    fits : Fits
    sigma2 : (T,) array
        Variance of the noise (dispersion) that estimators are told.
    replicates : sequence of int
    label : str
        Of the model, for its random streams.
    loss : Loss
    memory : dict
        Refits that several estimators share.
    """

    cell: Cell
    prepared: Any
    x: np.ndarray
    y: np.ndarray
    fits: Fits
    sigma2: np.ndarray
    replicates: range
    label: str
    loss: Loss
    memory: dict[Any, Any] = field(default_factory=dict)

    @functools.cached_property
    def training(self) -> np.ndarray:
        """Mean losses of the responses (T,)."""
        return np.mean(self.loss.each(self.y, self.fits.fitted), axis=1)


@arguments(
    name=TEXT, target=kinds.Choice(PREDICTION, ESTIMATION, DEVIANCE, NOTHING), function=FUNCTION,
    options=kinds.Map(kinds.Anything("an option")), refits=kinds.Whole(0), covariates=kinds.Choice(SAME, NEW, ""),
    method=kinds.Anything("the name of an estimator of this package", ""),
)  # fmt: skip
@dataclass(frozen=True)
class Estimator:
    """An estimator of a study.

    Attributes
    ----------
    name : str
    target : {"prediction_risk", "risk", "deviance", ""}
        What it estimates: the risk with or without the noise's part, the expected -2 log-likelihood of new responses,
        or nothing (a criterion for choice only).
    function : callable
        ``function(work, **options)`` gives estimates (T,).
    options : dict
    refits : int
        Fits per replicate that it needs beyond the first.
    covariates : {"same_x", "new_x", ""}
        Whether that is the risk at the covariates of the fit, or at new ones; as the study's `target` says where "".
    method : str
        Of this package's, what it is called; of users' own "".

    Examples
    --------
    >>> import neuralstat as ns
    >>> ns.study.estimator("cp").target
    'prediction_risk'
    """

    name: str
    target: str
    function: Callable[..., np.ndarray]
    options: Mapping[str, Any] = field(default_factory=dict)
    refits: int = 0
    covariates: str = ""
    method: str = ""

    def __call__(self, work: Work) -> np.ndarray:
        """Estimates (T,)."""
        return np.asarray(self.function(work, **self.options), dtype=float)

    def cost(self, n: int) -> int:
        """Fits per replicate of n observations that it needs beyond the first."""
        leaves_one = self.method == "loo" or (self.method == "cv" and self.options.get("k") == "loo")
        return n if leaves_one else self.refits

    def describe(self) -> str:
        """Text that names all settings."""
        named = getattr(self.function, "__qualname__", type(self.function).__qualname__)
        settings = text(dict(sorted(self.options.items())))
        return f"{getattr(self.function, '__module__', '')}.{named}({settings}), {self.target} {self.covariates}"


@dataclass(frozen=True)
class Method:
    """An estimator of this package.

    Attributes
    ----------
    target, covariates, function
        As of `Estimator`.
    defaults : dict
        Its options.
    fixed : dict
        What it passes on besides.
    cost : callable
        Fits per replicate by options.
    with_df : bool
        Whether it has degrees of freedom: options `df`, and what these have.
    """

    target: str
    covariates: str
    function: Callable[..., np.ndarray]
    defaults: Mapping[str, Any] = field(default_factory=dict)
    fixed: Mapping[str, Any] = field(default_factory=dict)
    cost: Callable[[Mapping[str, Any]], int] = lambda options: 0
    with_df: bool = False


def _draws(options: Mapping[str, Any]) -> int:
    return int(options["draws"])


def _folds(options: Mapping[str, Any]) -> int:
    return 0 if options["k"] == "loo" else options["k"] * options["repeats"]


def _pairs(options: Mapping[str, Any]) -> int:
    return options["repeats"] * options["k"] * (options["k"] + 1) // 2


DF_OPTIONS: dict[str, dict[str, Any]] = {
    "gdf": {"draws": 50, "tau": 0.5, "restarts": "fresh"}, "covariance": {"draws": 50, "restarts": "fresh"},
}  # fmt: skip
_ANALYTIC = {"df": "analytic"}
METHODS: dict[str, Method] = {
    "training": Method(PREDICTION, "", criteria.training),
    "cp": Method(PREDICTION, SAME, criteria.cp, _ANALYTIC, with_df=True),
    "sure": Method(ESTIMATION, SAME, criteria.sure, _ANALYTIC, with_df=True),
    "gcv": Method(PREDICTION, "", criteria.gcv, _ANALYTIC, with_df=True),
    "aic": Method(DEVIANCE, SAME, criteria.information, _ANALYTIC, {"criterion": "aic"}, with_df=True),
    "aicc": Method(DEVIANCE, SAME, criteria.information, _ANALYTIC, {"criterion": "aicc"}, with_df=True),
    "bic": Method(NOTHING, SAME, criteria.information, _ANALYTIC, {"criterion": "bic"}, with_df=True),
    "gdf": Method(PREDICTION, SAME, criteria.cp, DF_OPTIONS["gdf"], {"df": "gdf"}, _draws),
    "covariance": Method(PREDICTION, SAME, criteria.cp, DF_OPTIONS["covariance"], {"df": "covariance"}, _draws),
    "rcp": Method(PREDICTION, NEW, criteria.rcp, {"df": "gdf", **DF_OPTIONS["gdf"]}, with_df=True),
    "coupled": Method(PREDICTION, SAME, refits.coupled, {"draws": 50, "alpha": 0.1, "restarts": "fresh"},
                      cost=_draws),
    "alo": Method(PREDICTION, NEW, criteria.alo),
    "loo": Method(PREDICTION, NEW, refits.cross_validation),
    "cv": Method(PREDICTION, NEW, refits.cross_validation,
                 {"k": 10, "repeats": 1, "corrected": False, "blocks": False}, cost=_folds),
    "nested_cv": Method(PREDICTION, NEW, refits.nested, {"k": 10, "repeats": 10}, cost=_pairs),
    "holdout": Method(PREDICTION, NEW, refits.holdout, {"test_size": 0.25, "repeats": 1}, cost=lambda o: o["repeats"]),
    "bootstrap": Method(PREDICTION, NEW, refits.bootstrap, {"draws": 50, "kind": "oob"}, cost=_draws),
    "632": Method(PREDICTION, NEW, refits.bootstrap, {"draws": 50}, {"kind": "632"}, _draws),
    "632+": Method(PREDICTION, NEW, refits.bootstrap, {"draws": 50}, {"kind": "632+"}, _draws),
}  # fmt: skip
ADDITIVE = ("sure", "gdf", "coupled", "alo")  # need additive noise; "gdf" as degrees of freedom, too
WITHOUT_LOSS = ("training", "cv", "loo", "nested_cv", "holdout", "bootstrap", "632", "632+")  # know every loss
#: what options may be
OPTIONS: dict[str, kinds.Kind] = {
    "k": kinds.Choice("loo") | kinds.Whole(2), "repeats": kinds.Whole(1, 10_000), "corrected": FLAG, "blocks": FLAG,
    "tau": POSITIVE, "draws": kinds.Whole(3, 100_000), "alpha": kinds.Number(above=0.0, most=10.0),
    "kind": kinds.Choice("oob", "optimism"), "restarts": kinds.Choice("fresh", "same", "warm"),
    "test_size": kinds.Whole(1) | kinds.Number(above=0.0, below=1.0),
    "df": kinds.Choice(*criteria.ANALYTIC, *DF_OPTIONS) | kinds.Number(0.0),
}  # fmt: skip


@arguments(method=kinds.Anything("a name or a function", *METHODS, "cp:gdf", "cv:k=5"), name=NONE | TEXT)
def estimator(method: Any, *, name: str | None = None, **options: Any) -> Estimator:
    """An estimator of `study` with options, under the names of `neuralstat.risk`.

    Parameters
    ----------
    method : str or callable
        Options may be part of the name: "cv:k=5,repeats=3", "cv:loo", "cp:gdf", "bootstrap:optimism", "coupled:alpha=0.2".

        Judged by the risk at new covariates:

        - "cv" (`k` = 10 or "loo", `repeats` = 1, `corrected` = False, Burman's correction, `blocks` = False), "loo" (refits
          without each observation), "nested_cv" (`k` = 10, `repeats` = 10), "holdout" (`test_size` = 0.25, `repeats` = 1).
        - "bootstrap" (`kind` = "oob", of observations by the samples that lack them, or "optimism", the training error and
          Efron's optimism), "632", "632+"; `draws` = 50.
        - "alo": residuals over one minus leverages, no refit; of networks those of the Gauss-Newton matrix.
        - "rcp": Cp for new covariates, on Ye's degrees of freedom unless `df` says others ("rcp:analytic").

        Judged by the risk at the covariates of the fit:

        - "cp", "sure", "aic", "aicc", "bic": criteria on the model's analytic degrees of freedom (the Gauss-Newton trace of
          networks, "jacobian"; the trace of linear smoothers), or with `df` "gdf" or "covariance", as in "cp:gdf", on those
          of Ye or Efron, which refit (`draws` = 50, of Ye's `tau` = 0.5); or a number.
        - "gdf", "covariance": Cp with these. "coupled": the coupled bootstrap (`draws` = 50, `alpha` = 0.1). These three have
          `restarts`: "fresh", new random starts in every refit, "same", those of the fit, or "warm"; see `study.net`.

        As the study's `target` says: "training", the training error; "gcv" (`df` as above), which was derived for the
        same covariates (Craven & Wahba 1979) and is for least squares nearer to the risk at new ones (Rosset & Tibshirani
        2020, JASA 115:138); and ``method(work)``, which gives one number per replicate: `work` has `y`, `x`, `fits`,
        `sigma2`, `training`.
    name : str, optional
        The method as it was given where not given.
    **options
        Of the method.

    Raises
    ------
    ArgumentError
        For unknown methods and options.

    Notes
    -----
    "sure" estimates the risk, "aic" and "aicc" the expected -2 log-likelihood of new responses (the estimated noise
    variance counts as a parameter; of families their deviance), "bic" nothing; all others the prediction risk.

    Refits run the whole procedure, with its restarts. Estimators share them: all bootstraps one set of samples, "cv" with
    any `repeats` and "nested_cv" one set of folds, "gdf" and "coupled" one set of noisy responses where ``tau**2 == alpha``.

    Examples
    --------
    >>> import neuralstat as ns
    >>> estimator = ns.study.estimator("cv:k=5")
    >>> estimator.name, estimator.target
    ('cv:k=5', 'prediction_risk')
    """
    if isinstance(method, Estimator):
        if options:
            raise ArgumentError(f"estimators: option {next(iter(options))!r} is not used: {method.name!r} has its own.")
        return method if name is None else replace(method, name=name)
    if callable(method) and not isinstance(method, type):
        title = name or str(getattr(method, "__name__", "estimator")) or "estimator"
        _check_call(title, method, options)
        return Estimator(title, PREDICTION, method, options)
    if not isinstance(method, str):
        raise ArgumentError(f"estimators: method must be a name or a function, got {shown(method)}.")
    method = str.__str__(method)
    base, more = variant(method) if method.partition(":")[0] in METHODS else (method, {})
    if base not in METHODS:
        known = ", ".join(map(repr, (*METHODS, "cp:gdf", "cv:k=5")))
        raise ArgumentError(f"estimators: unknown estimator {shown(method)}. Known: {known}, ...; or a function.")
    if both := sorted(set(more) & set(options)):
        raise ArgumentError(f"estimators: option {both[0]!r} is in the name {method!r}, too.")
    found = METHODS[base]
    own = _known(base, found, {**more, **options})
    cost = found.cost(own) if not found.with_df else int(own.get("draws", 0))
    return Estimator(name or method, found.target, found.function, {**found.fixed, **own}, cost, found.covariates, base)


def _known(name: str, method: Method, options: Mapping[str, Any]) -> dict[str, Any]:
    """All options of a method, those given checked."""
    defaults = dict(method.defaults)
    if method.with_df and "df" in options:
        word = str.__str__(options["df"]) if isinstance(options["df"], str) else ""
        defaults = {"df": defaults["df"], **DF_OPTIONS.get(word, {})}
    if unknown := [key for key in options if key not in defaults]:
        has = ", ".join(defaults) or "none"
        raise ArgumentError(f"estimators: {name!r} has no option {unknown[0]!r}; it has: {has}.")
    own = {**defaults, **{key: OPTIONS[key].check(v, f"estimators: {name!r}: {key}") for key, v in options.items()}}
    if name == "nested_cv" and (own["k"] == "loo" or own["k"] < 3):
        raise ArgumentError(f"estimators: 'nested_cv': k must be a whole number >= 3; got {own['k']!r}.")
    if name == "cv" and own["repeats"] > 1 and (own["blocks"] or own["k"] == "loo"):
        raise ArgumentError("estimators: 'cv': repeats: these folds are the same in every repeat; use repeats=1.")
    return own


def _check_call(title: str, function: Callable[..., Any], options: Mapping[str, Any]) -> None:
    """Refuse options that a user's function does not take."""
    try:
        signature = inspect.signature(function)
    except (TypeError, ValueError):  # not known, as of built-in functions
        return
    try:
        signature.bind(None, **options)
    except TypeError as error:
        raise ArgumentError(f"estimators: {title!r} cannot be called as {title}(work, **options): {error}.") from None


def check_estimator(given: Estimator, loss: Loss, n: int) -> None:
    """Raise an ArgumentError where an estimator has no meaning under a loss and its noise, or for n observations."""
    noise, method = loss.noise, given.method
    if method == "":
        return
    folds = given.options.get("k", 2)
    if not isinstance(folds, str) and folds > n:
        raise ArgumentError(f"estimators: {given.name!r} has k={folds} folds, and there are n={n} observations.")
    size = given.options.get("test_size", 0.5)
    if size >= n:
        raise ArgumentError(f"estimators: {given.name!r} keeps {size} rows out, and there are n={n} observations.")
    if not noise.additive and (method in ADDITIVE or given.options.get("df") == "gdf"):
        raise ArgumentError(f"estimators: {given.name!r} needs additive noise, and noise {noise.label} is none; 'covariance' "
                            "is for families.")  # fmt: skip
    if method in ("aic", "aicc", "bic") and noise.family is not None and noise.family.dispersed:
        raise ArgumentError(f"estimators: {given.name!r} needs a family of known dispersion; that of noise {noise.label} "
                            "would have to be estimated.")  # fmt: skip
    if method not in WITHOUT_LOSS and not loss.penalised:
        wanted = "mse" if noise.additive else "deviance"
        raise ArgumentError(f"estimators: {given.name!r} is for loss={wanted!r} here, not {loss.name!r}.")


def resolve_estimators(given: Any) -> tuple[Estimator, ...]:
    """Estimators with names of their own, from a name, a function, or a sequence or dict of them."""
    if isinstance(given, Mapping):
        try:
            items = list(given.items())
        except Exception:  # of any mapping's own methods
            raise ArgumentError(f"estimators: {shown(given)} cannot be read as a dict.") from None
        found = tuple(estimator(method, name=TEXT.check(name, "estimators: a name")) for name, method in items)
    elif isinstance(given, str) or (callable(given) and not isinstance(given, type)):
        found = (estimator(given),)
    elif not isinstance(given, list | tuple):
        raise ArgumentError(f"estimators must be a name, a function, or a list or dict of them; got {shown(given)}.")
    else:
        found = tuple(estimator(method) for method in given)
    if not found:
        raise ArgumentError("estimators is empty.")
    names = [e.name for e in found]
    for name in names:
        if names.count(name) > 1:
            raise ArgumentError(f"estimators: two are called {name!r}; give names by study.estimator(..., name=...).")
    return found
