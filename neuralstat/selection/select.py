"""`select`: choose hidden units, layers, penalty and inputs by a criterion."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np
import pandas as pd

from ..assessment import RISK, Risk
from ..checks import arguments as kinds
from ..checks import check_choice
from ..checks.arguments import FLAG, NONE, RANDOM_STATE, arguments
from ..df import DF
from ..df.sigma import SIGMA
from ..errors import ArgumentError, DfError
from ..formula import frames
from ..inference.diagnose import warn_severe
from ..likelihood.criteria import CRITERIA, noise_variance
from ..plots.selection import plot_selection
from ..results import NeuralNetResults
from ..seeds import seed_sequence
from .candidates import DECAY, WITH_ERROR, architectures, check_options, layered, named_options, of_risk, penalties
from .grid import settings_of
from .halving import LEAST, RESOURCES, halved, rungs_of, shuffled, whole_of
from .search import NEEDS_SIGMA, Candidate, Search
from .terms import Scope, Term, Whole, prepared

if TYPE_CHECKING:
    from matplotlib.axes import Axes

DIRECTIONS = ("backward", "forward", "both")
RULES = ("min", "1se")
SEARCHES = ("all", "halving")
RESAMPLED = ("cv", "loo", "nested_cv", "holdout", "bootstrap", "632", "632+")  # whose standard error is of new rows


@dataclass
class Selection:
    """What `select` returns.

    Attributes
    ----------
    path : DataFrame
        A row per model fitted, in order: ``stage`` ("grid", "inputs"), ``formula``, ``hidden`` (units, or the name of the
        layers), ``penalty``, ``weights``
        (number), ``df`` and ``criterion`` (smaller is better; NaN where it is not defined, with the reason in
        ``note``), ``se``, ``converged`` (repetitions), ``selected``. With a grid a column for each argument
        in it, and ``settings``, all of them as text.
    best : NeuralNetResults
        The fit selected.
    criterion, rule, df : str
    sigma : float or None
        Noise that all models were judged with, where the criterion needs it; `sigma_source` says where it is from.
    fits : tuple of NeuralNetResults
        The fit of each row of `path`.
    risks : tuple of Risk or None
        The estimate of risk of each row, with its draws and its interval; None for criteria that are no method of `risk`.

    Examples
    --------
    >>> import neuralstat as ns
    >>> data = ns.datasets.mcycle()
    >>> choice = ns.select("accel ~ times", data, hidden=[1, 3], algorithm="lm", rep=2, random_state=1)
    >>> choice.path[["hidden", "df"]].round(1)
          hidden    df
    model
    0       (1,)   4.0
    1       (3,)  10.0
    >>> choice.best.network.topology
    '1-3-1'
    """

    path: pd.DataFrame
    best: NeuralNetResults
    criterion: str
    rule: str
    df: Any
    sigma: float | None = None
    sigma_source: str | None = None
    fits: tuple[NeuralNetResults, ...] = ()
    risks: tuple[Risk | None, ...] = ()

    def __repr__(self) -> str:
        chosen = self.path[self.path["selected"]].iloc[0]
        known = self.path["criterion"].notna().sum()
        se = "" if np.isnan(chosen["se"]) else f" (se {chosen['se']:.3g})"
        more = f", {chosen['settings']}" if "settings" in chosen else ""
        lines = [
            f"Selection by {self.criterion} (df: {self.df}), rule {self.rule!r}: {len(self.path)} models, "
            f"{known} with a criterion",
            f"selected: {chosen['formula']}, hidden {chosen['hidden']}, penalty {chosen['penalty']}{more}: "
            f"{self.criterion} {chosen['criterion']:.6g}{se}, {chosen['df']:.4g} df, {chosen['weights']} weights",
        ]
        if self.sigma is not None:
            lines.append(f"sigma {self.sigma:.4g} {self.sigma_source}")
        return "\n".join(lines)

    def plot(self, *, ax: Axes | None = None) -> Axes:
        """The criterion along the search; see `plots.selection.plot_selection`."""
        return plot_selection(self.path, self.criterion, ax=ax)


@arguments(
    hidden=kinds.Anything("units, or a list of candidates", [0, 2], 1), layers=kinds.Anything("candidates of layers"),
    penalty=kinds.Anything("a penalty, or a list of them", None), decay=DECAY,
    grid=NONE | kinds.Anything("arguments with their candidates"), n_iter=NONE | kinds.Whole(1, 10_000),
    search=kinds.Choice(*SEARCHES), factor=kinds.Whole(2, 1000), resource=NONE | kinds.Choice(*RESOURCES),
    min_resource=NONE | kinds.Whole(1, 2**53),
    inputs=FLAG, criterion=kinds.Anything("a criterion", *CRITERIA, *RISK, "evidence"),
    df=kinds.Anything("a method of df", *DF), rule=NONE | kinds.Choice(*RULES), direction=kinds.Choice(*DIRECTIONS),
    rep=kinds.Whole(1, 10_000), average=FLAG, sigma=SIGMA,
    criterion_options=NONE | kinds.Map(kinds.Anything("an option")), random_state=RANDOM_STATE,
)  # fmt: skip
def select(
    formula: str, data: Any, *, hidden: Any = 1, layers: Any = None, penalty: Any = None, decay: Any = None,
    grid: Mapping[str, Any] | None = None, n_iter: int | None = None, search: str = "all", factor: int = 3,
    resource: str | None = None, min_resource: int | None = None,
    inputs: bool = False, criterion: str = "cv", df: Any = "auto", rule: str | None = None, direction: str = "backward",
    rep: int = 5, average: bool = True, sigma: Any = None, criterion_options: Mapping[str, Any] | None = None,
    random_state: Any = None, **settings: Any,
) -> Selection:  # fmt: skip
    """Choose hidden units, layers, penalty, inputs, and any other argument of `neuralnet`.

    All models of the grid are fitted to the same rows, with the same streams of random starts and the same folds. With
    ``inputs=True`` the grid is searched with all terms, then terms are dropped or added one at a time, by the
    criterion, for the architecture and penalty found, then the grid once more with the terms found.

    Parameters
    ----------
    formula, data
        As in `neuralnet`; the formula holds all terms that may be used. It is code: never take one from a stranger.
    hidden : int, tuple, or list of them
        Candidates: a list (or range) of architectures, each an int or a tuple of layers, as ``[0, 2, 5, (5, 3)]``. An
        int or a tuple alone is one architecture.
    layers : dict or list, optional
        Candidates of layered networks instead of `hidden`: sequences of layers by name, ``{"small": [Conv2D(4, 3),
        Flatten()], "large": [...]}``, or a list of them, then named by their number. Terms cannot be chosen with them.
    penalty : Penalty or list of Penalty or None, optional
    decay : number or list of numbers, optional
        Candidates of weight decay, instead of `penalty`; 0 is none.
    grid : dict, optional
        Candidates of other arguments of `neuralnet` by name, ``{"learningrate": [0.001, 0.01], "act_fct": ["relu", "tanh"],
        "epochs": [5, 20], "batch_size": [16, 64]}``: all combinations, with those of `hidden` or `layers` and of penalties.
        Dropout is a matter of `layers`.
    n_iter : int, optional
        Instead of all combinations of `grid` so many at random; candidates may then be distributions, as of `scipy.stats`.
    search : {"all", "halving"}
        Fit all candidates as they are; or successive halving: all of them with little of a resource, of these the best with
        `factor` times as much, and so on, until few are left, which are fitted with all of it. What is selected is the best
        of these. ``path`` has columns ``rung`` (from 1) and ``resource``, and a row for each candidate at each rung.
    factor : int
        Of halving: one in so many candidates goes on (rounded up), as in scikit-learn's ``HalvingGridSearchCV``.
    resource : {"epochs", "rows"}, optional
        Of halving: epochs, of which ``epochs=`` says the most; or rows, as many of them, drawn with the seed (of a factor,
        or a response of two values, in the shares of its classes), nested from rung to rung. Epochs where ``epochs=`` is
        given, else rows.
    min_resource : int, optional
        Of halving: of the first rung. By default as much as lets the last rung have all of the resource, and fewer than
        `factor` candidates; of rows 20 at least.
    inputs : bool
        Choose terms, too. Interactions are kept with their main effects (marginality).
    criterion : str
        "aic", "aicc", "bic", "gcv", "cp", "gic", "tic" (see `NeuralNetResults.info_criteria`), "evidence" (-2 times the
        logarithm of the marginal likelihood, `NeuralNetResults.log_evidence`, which needs a gaussian penalty), or a method of
        `risk`:
        "cv", "nested_cv", "loo", "alo", "632+", "bootstrap", "632", "holdout", "sure", "gdf", "covariance", "coupled",
        "thinning", "rcp", "rcp+".
        Options may be part of the name, as in `risk`: "cv:k=5,repeats=3", "bic:gdf". The default is what chose best over
        seventeen truths (`benchmarks/select_default.py`). "bic" is as good, at a tenth of the work, where observations are
        many times the weights; where a network can follow every one of them, AIC and BIC choose the largest.
    df : str
        Degrees of freedom that information criteria, "gcv" and "cp" count; a method of `NeuralNetResults.df`.
    rule : {"min", "1se"}, optional
        The least criterion; or, of the models within one standard error of the least, the one of fewest degrees of
        freedom. "1se" needs a criterion with a standard error: "gcv", "cp" and those of `risk`; it is the default
        of those that judge by other rows ("cv", "loo", "nested_cv", "holdout", "bootstrap", "632", "632+"), unless there is
        a `grid`, whose arguments do not order models by their size.
    direction : {"backward", "forward", "both"}
        Of the search over terms: from all terms, from none, or from all with additions at each step.
    rep : int
        Random restarts of every model.
    average : bool
        Judge the mean of the converged repetitions, which `predict` gives; False: the best one.
    sigma : float, "difference" or fit, optional
        Noise for "cp", "gic", "sure", "gdf", "covariance", "coupled", as in `NeuralNetResults.df`. Where not given it is
        estimated once, from the largest model of the grid (most weights, least penalty) on n minus its degrees of freedom by
        situation, and used for all.
    criterion_options : dict, optional
        Options of the criterion's method of `risk`, as ``{"k": 5, "repeats": 3}``, or of `df`.
    random_state : int, SeedSequence, Generator, optional
    **settings
        Arguments of `neuralnet`, the same for all models.

    Returns
    -------
    Selection
        ``path``, ``best``, ``plot()``. Inside ``joblib.parallel_config(backend="dask")`` the workers of that cluster fit and
        judge candidates; nothing depends on that.

    Raises
    ------
    ArgumentError
        Where an argument is not usable.
    DfError
        Where the criterion is defined for no model.

    References
    ----------
    Breiman, Friedman, Olshen & Stone (1984), Classification and Regression Trees, section 3.4.3 (one standard error).
    Jamieson, K. & Talwalkar, A. (2016). Non-stochastic best arm identification and hyperparameter optimization. AISTATS,
    PMLR 51:240 (successive halving).

    Examples
    --------
    >>> import neuralstat as ns
    >>> data = ns.datasets.doppler(n=60, noise=0.1, random_state=1)
    >>> ns.select("y ~ x", data, hidden=[0, 1], algorithm="lm", random_state=1).best.settings.hidden
    (1,)
    """
    criterion, df, criterion_options = named_options(criterion, df, criterion_options or {})
    check_choice(df, "df", tuple(DF))
    check_choice(criterion, "criterion", tuple(dict.fromkeys((*(c for c in CRITERIA if c != "qaic"), *RISK, "evidence"))))
    if df != "auto" and (criterion in ("tic", "evidence") or of_risk(criterion)):
        raise ArgumentError(f"df is not used by criterion={criterion!r}, which has its own.")
    check_options(criterion, df, criterion_options)
    if rule is None:
        rule = "1se" if criterion in RESAMPLED and grid is None and search == "all" else "min"
    if rule == "1se" and criterion not in WITH_ERROR:
        raise ArgumentError(f"rule='1se' needs a criterion with a standard error: {', '.join(map(repr, WITH_ERROR))}.")
    for name in ("formula", "data", "context"):
        if name in settings:
            raise ArgumentError(f"select takes no argument {name!r} besides its own.")
    if search == "halving" and (inputs or criterion in NEEDS_SIGMA):
        said = "inputs=True" if inputs else f"criterion={criterion!r}, which needs the noise of the largest model"
        raise ArgumentError(f"search='halving' goes without {said}.")
    if search != "halving" and (factor != 3 or resource is not None or min_resource is not None):
        raise ArgumentError("factor, resource and min_resource belong to search='halving'.")
    named = layered(layers, hidden, inputs)
    seeds = seed_sequence(random_state)
    more = settings_of(grid, n_iter, seeds)
    if twice := sorted(set(more[0]) & set(settings)):
        raise ArgumentError(f"grid: {twice[0]!r} is given beside it, too.")
    models = [(h, p, k) for h in named or architectures(hidden) for p in penalties(penalty, decay) for k in range(len(more))]
    settings["rep"] = rep
    scope: Scope | Whole
    if named:  # one formula: its rows are the same for all candidates
        frame, scope = frames.as_frame(data), Whole(formula)
    else:
        settings, frame, scope = prepared(formula, data, settings, more[0])
    fits = Search(
        scope, frame, settings, criterion, "nic" if criterion == "tic" else df, "mean" if average else "best",
        dict(criterion_options), seeds, layers=named, grid=more,
    )  # fmt: skip
    everything = frozenset(scope.terms)
    candidates = [Candidate(everything, *model) for model in models]
    if criterion in NEEDS_SIGMA:
        _set_sigma(fits, candidates, sigma)
    elif sigma is not None:
        raise ArgumentError(f"sigma is not used by criterion={criterion!r}.")
    if search == "halving":
        resource, most = whole_of(resource, settings, more, len(frame))
        fits.order = shuffled(formula, frame, seeds) if resource == "rows" else None
        last = halved(fits, candidates, rungs_of(len(candidates), most, factor, min_resource, LEAST[resource]))
        return _finish(fits, rule, last)
    fits.best(candidates, "grid")
    if inputs:
        chosen, _ = fits.best(candidates, "grid")
        found = _stepwise(fits, chosen, direction)
        if found != everything:
            left = models if found else list(dict.fromkeys(((), p, k) for _, p, k in models))
            fits.best([Candidate(found, *model) for model in left], "grid again")
    return _finish(fits, rule)


def _set_sigma(search: Search, candidates: list[Candidate], sigma: Any) -> None:
    def size(c: Candidate) -> tuple[int, float]:
        strength = 0.0 if c.penalty is None else max(part.strength for part in c.penalty.parts)
        return search.fit(c).k_params, -strength

    search.judge(candidates, None)
    largest = search.fit(max(candidates, key=size))
    value, source = noise_variance(largest.fitted, sigma)
    if source == "fixed by the family":
        return
    search.sigma = float(np.sqrt(value))
    search.sigma_source = source if sigma is not None else f"of the largest model, {source}"


def _stepwise(search: Search, chosen: Candidate, direction: str) -> frozenset[Term]:
    """Terms found by dropping and adding one at a time while the criterion falls."""

    def candidate(terms: frozenset[Term]) -> Candidate:
        return Candidate(terms, chosen.hidden if terms else (), chosen.penalty, chosen.place)

    used = frozenset() if direction == "forward" else chosen.terms
    now = search.value(candidate(used), "inputs")
    while True:
        moves = []
        if direction in ("backward", "both"):
            moves += [used - {t} for t in search.scope.droppable(used)]
        if direction in ("forward", "both"):
            moves += [used | {t} for t in search.scope.addable(used)]
        if not moves:
            return used
        best, value = search.best([candidate(m) for m in moves], "inputs")
        if not value < now:
            return used
        used, now = best.terms, value


def _finish(search: Search, rule: str, last: Sequence[Candidate] | None = None) -> Selection:
    """What is selected, among the last candidates where not all can be compared."""
    order = list(search.rows)
    path = pd.DataFrame([search.rows[c] for c in order]).rename_axis(index="model")
    value = path["criterion"].where(np.isfinite(path["criterion"]))
    path["criterion"] = value
    if value.isna().all():
        raise DfError(f"select: the criterion is defined for no model; the first says: {path['note'].iloc[0]}")
    if last is not None:
        value = value.where(pd.Series(order, path.index).isin(last))
        if value.isna().all():
            raise DfError("select: the criterion is defined for no model of the last rung.")
    at = int(value.idxmin())
    if rule == "1se":
        limit = value[at] + path["se"][at]
        if np.isnan(limit):
            raise ArgumentError("rule='1se': the criterion has no standard error here; use rule='min'.")
        near = path[value <= limit]
        at = int(near.sort_values(["df", "weights", "criterion"], kind="stable").index[0])
    path["selected"] = path.index == at
    warn_severe(search.fits[order[at]].fitted)
    fits = tuple(search.fits[candidate] for candidate in order)
    risks = tuple(search.risks.get(candidate) for candidate in order)
    return Selection(path, fits[at], search.criterion, rule, search.df, search.sigma, search.sigma_source, fits, risks)
