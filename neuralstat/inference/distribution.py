"""The distribution of the response that a fit says: moments, quantiles, probabilities, draws, quantile residuals.

Of several repetitions it is the mixture of theirs in equal shares (``combine="mixture"``), whose mean is the mean of their
means, `fittedvalues`, and which is as wide as they and their differences: where repetitions differ, less is known. Its
log-score is never worse than the mean of theirs. ``combine="mean"`` is one distribution of the family, at the mean of the
linear predictors of all parameters. Either is the fitted distribution: that parameters are estimates is not in it.
"""

from __future__ import annotations

from itertools import pairwise
from typing import Any

import numpy as np
import pandas as pd

from ..checks.arguments import RANDOM_STATE, REP, REP_OR_MEAN, SHARE, Anything, Numbers, Whole, arguments
from ..checks.values import shown
from ..errors import ArgumentError
from ..families import Cox, Ordinal, Quantile, Survival
from ..families.components import Components
from ..families.frozen import atom_of
from ..fitted import Fitted
from ..likelihood import hazards, likelihood
from ..likelihood.mixture import components_at
from ..likelihood.predictors import COMBINE, combined
from ..likelihood.several import numbers_of
from ..seeds import seed_sequence
from .predict import Inputs, inputs

OWN_STREAM = 2**31 + 16  # of a fit's seeds


class Distribution:
    """Distribution of the response at each row; a mixture in equal shares where it has several components.

    Methods give a Series indexed as the rows (NaN at incomplete rows); levels and values are numbers, or one per row.

    Examples
    --------
    >>> import neuralstat as ns
    >>> data = ns.datasets.infert()
    >>> fit = ns.neuralnet("parity ~ age", data, hidden=0, family="poisson")
    >>> distribution = fit.predict({"age": [25.0, 40.0]}, type="distribution")
    >>> distribution.cdf(2).round(3).tolist()  # P(Y <= 2)
    [0.686, 0.606]
    >>> distribution.interval()
       lower  upper
    0    0.0    5.0
    1    0.0    6.0
    """

    def __init__(self, components: Components, index: pd.Index, complete: np.ndarray, name: str, kind: str) -> None:
        self.components, self._index, self._complete = components, index, complete
        self._name, self._kind = name, kind

    @property
    def discrete(self) -> bool:
        """Whether the response has single values of positive probability."""
        return self.components.step is not None

    def mean(self) -> pd.Series:
        """Means."""
        return self.series(self.components.mean())

    def var(self) -> pd.Series:
        """Variances."""
        return self.series(self.components.moments()[1])

    def std(self) -> pd.Series:
        """Standard deviations."""
        return self.series(np.sqrt(self.components.moments()[1]))

    def cdf(self, y: Any) -> pd.Series:
        """P(Y <= y)."""
        return self.series(self.components.below(self._rows(y, "y")))

    def sf(self, y: Any) -> pd.Series:
        """P(Y > y)."""
        return self.series(self.components.above(self._rows(y, "y")))

    def logpdf(self, y: Any) -> pd.Series:
        """Log-density at y; of counts and classes the log-probability of y."""
        return self.series(self.components.log_density(self._rows(y, "y")))

    def ppf(self, q: Any) -> pd.Series:
        """Quantiles: the least y with P(Y <= y) >= q."""
        q = self._rows(q, "q")
        if not np.all((q >= 0) & (q <= 1)):
            raise ArgumentError("q must be between 0 and 1.")
        return self.series(self.components.quantiles(q))

    def interval(self, alpha: float = 0.05) -> pd.DataFrame:
        """Quantiles at alpha / 2 and 1 - alpha / 2, columns "lower" and "upper"."""
        alpha = SHARE.check(alpha, "alpha")
        return pd.DataFrame({"lower": self.ppf(alpha / 2), "upper": self.ppf(1 - alpha / 2)})

    def crps(self, y: Any) -> pd.Series:
        """Continuous ranked probability scores; see `families.components.Components.crps`."""
        return self.series(self.components.crps(self._rows(y, "y")))

    def series(self, values: np.ndarray) -> pd.Series:
        """Values (m,) of the complete rows on all rows."""
        whole = np.full(self._complete.size, np.nan)
        whole[self._complete] = values
        return pd.Series(whole, self._index, name=self._name)

    def _rows(self, values: Any, name: str) -> np.ndarray:
        given = Numbers(None, finite=False).check(values, name)
        if given.shape not in ((), (1,), (self._complete.size,)):
            rows = self._complete.size
            raise ArgumentError(f"{name} must be a number or {rows} numbers, one per row; got {shown(values)}.")
        return np.broadcast_to(given, (self._complete.size,))[self._complete]

    def __len__(self) -> int:
        return len(self._index)

    def __repr__(self) -> str:
        parts = len(self.components.parts)
        many = f", a mixture of {parts}" if parts > 1 else ""
        return f"<Distribution of {self._name} at {len(self._index)} rows, {self._kind}{many}>"


def distribution(
    fitted: Fitted, new: Any = None, rep: Any = "mean", *, offset: Any = None, combine: str = "mixture"
) -> Distribution:
    """Distribution of the response at new rows, or at those of the fit; see `Distribution`.

    Raises
    ------
    ArgumentError
        For several responses, classes without an order, and errors that belong to no family.
    """
    at: Inputs = inputs(fitted, new, offset)
    x, off, index, complete = at
    x = np.ascontiguousarray(x[:, complete])
    off = None if off is None else np.ascontiguousarray(off[:, complete])
    weights = fitted.row_precisions if new is None else None
    return distribution_at(fitted, x, off, fitted.numbers(REP_OR_MEAN.check(rep, "rep")), weights, index, complete, combine)


def distribution_at(
    fitted: Fitted, x: np.ndarray, offset: np.ndarray | None, numbers: list[int], weights: np.ndarray | None, index: pd.Index,
    complete: np.ndarray, combine: str = "mixture",
) -> Distribution:  # fmt: skip
    """`distribution` at covariates (D, m) of the complete rows, internal units."""
    found = components_at(fitted, x, offset, numbers, weights, combine)
    return Distribution(found, index, complete, fitted.design.response, fitted.likely.name)


def quantile(fitted: Fitted, new: Any, rep: Any, q: Any, offset: Any, combine: str = "mixture") -> Any:
    """Quantiles of the response: a Series for one level, a DataFrame with a column per level for several."""
    levels = Numbers(None).check(q, "q")
    if levels.ndim > 1 or levels.size == 0 or not np.all((levels > 0) & (levels < 1)):
        raise ArgumentError(f"q must be a number in (0, 1), or several; got {shown(q)}.")
    found = distribution(fitted, new, rep, offset=offset, combine=combine)
    _known(fitted, levels)
    if levels.ndim == 0:
        return _levels_of(fitted, found.ppf(float(levels)))
    table = {float(v): _levels_of(fitted, found.ppf(float(v))) for v in levels}
    return pd.DataFrame(table, index=found._index).rename_axis(columns="q")


def _known(fitted: Fitted, levels: np.ndarray) -> None:
    family = fitted.family
    if isinstance(family, Quantile) and not np.all((levels >= family.q[0]) & (levels <= family.q[-1])):
        raise ArgumentError(f"q must lie between the levels that were fitted, {family.q[0]:g} and {family.q[-1]:g}.")


def _levels_of(fitted: Fitted, values: pd.Series) -> pd.Series:
    """Numbers of categories as these."""
    if not isinstance(fitted.family, Ordinal):
        return values
    classes = list(fitted.design.classes or ())
    codes = values.fillna(-1).to_numpy().astype(int)
    return pd.Series(pd.Categorical.from_codes(codes, categories=classes, ordered=True), values.index, name=values.name)


def parameters(fitted: Fitted, new: Any, rep: Any, offset: Any, combine: str = "mixture") -> pd.DataFrame:
    """Parameters of the response's distribution, a column each; means of those of several repetitions.

    Of an exponential family its mean and dispersion ("mu", "phi"); of an ordinal response eta and the thresholds.
    """
    x, off, index, complete = inputs(fitted, new, offset)
    raw = combined(fitted, fitted.raw(x, off, fitted.numbers(REP_OR_MEAN.check(rep, "rep"))), combine)
    if fitted.network.objective.several:
        values = fitted.parameters(raw).mean(axis=0)
        names = _names(fitted, len(values))
    else:
        mean = fitted.response(raw).mean(axis=0)
        several = mean.shape[0] > 1
        names = [f"mu[{name}]" if several else "mu" for name in fitted.design.y_names]
        values = mean
        if fitted.family is not None and fitted.family.dispersed and not several:
            values, names = np.vstack([mean, np.full_like(mean, likelihood.scale(fitted, fitted.best))]), [*names, "phi"]
    values = np.where(complete, values, np.nan)
    return pd.DataFrame(values.T, index, names)


def _names(fitted: Fitted, count: int) -> list[str]:
    family = fitted.distribution
    if isinstance(family, Ordinal):
        classes = [str(c) for c in fitted.design.classes or ()]
        return ["eta", *(f"{a}|{b}" for a, b in pairwise(classes))]
    if family.kind and hasattr(family, "q"):
        return [f"{q:g}" for q in family.q]
    return list(family.roles)[:count]


def survival(
    fitted: Fitted, new: Any, rep: Any, times: Any, offset: Any, combine: str = "mixture"
) -> pd.DataFrame:
    """P(Y > t), a column for each time."""
    wanted = np.atleast_1d(Numbers(None).check(times, "times"))
    if wanted.ndim != 1 or not wanted.size:
        raise ArgumentError(f"times must be numbers; got {shown(times)}.")
    found = distribution(fitted, new, rep, offset=offset, combine=combine)
    return pd.DataFrame({float(t): found.sf(float(t)) for t in wanted}, index=found._index).rename_axis(columns="time")


@arguments(rep=REP)
def baseline_hazard(fitted: Fitted, rep: Any = "best") -> pd.DataFrame:
    """Breslow's cumulative baseline hazard; see `NeuralNetResults.baseline_hazard`."""
    if not isinstance(fitted.family, Cox):
        raise ArgumentError("baseline_hazard is of Cox's model: family='cox'; of other families predict(type='survival').")
    at, cumulative = hazards.baseline(fitted, (fitted.which(rep),))
    return pd.DataFrame({"time": at, "cumulative_hazard": cumulative, "survival": np.exp(-cumulative)})


@arguments(
    n=Whole(1), rep=REP_OR_MEAN, random_state=RANDOM_STATE, new=Anything("a table, as in predict", None), combine=COMBINE,
)  # fmt: skip
def simulate(
    fitted: Fitted, n: int = 1, *, new: Any = None, rep: Any = "mean", random_state: Any = None, combine: str = "mixture"
) -> pd.DataFrame:
    """Responses drawn from the fitted distribution, a column each; see `NeuralNetResults.simulate`."""
    if fitted.network.objective.several and fitted.distribution.joint:
        return _together(fitted, n, new, rep, combine, np.random.default_rng(seed_sequence(random_state)))
    found = distribution(fitted, new, rep, combine=combine)
    rng = np.random.default_rng(seed_sequence(random_state))
    drawn = {f"sim_{t + 1}": _levels_of(fitted, found.series(found.components.draw(rng))) for t in range(n)}
    return pd.DataFrame(drawn, index=found._index)


def _together(fitted: Fitted, n: int, new: Any, rep: Any, combine: str, rng: np.random.Generator) -> pd.DataFrame:
    """`simulate` of several responses: columns (draw, response)."""
    x, off, index, complete = inputs(fitted, new, None)
    par = fitted.parameters(combined(fitted, fitted.raw(x, off, fitted.numbers(rep)), combine))
    names, drawn = fitted.design.y_names, {}
    for t in range(n):
        which = rng.integers(len(par), size=len(index))
        values = np.stack([fitted.distribution.draw(rng, p) for p in par])
        chosen = np.where(complete, np.take_along_axis(values, which[np.newaxis, np.newaxis], axis=0)[0], np.nan)
        drawn.update({(f"sim_{t + 1}", name): row for name, row in zip(names, chosen, strict=True)})
    return pd.DataFrame(drawn, index=index).rename_axis(columns=["draw", "response"])


@arguments(rep=REP_OR_MEAN, random_state=RANDOM_STATE)
def quantile_residuals(fitted: Fitted, rep: Any = "mean", random_state: Any = None) -> pd.Series:
    """Randomised quantile residuals: standard normal where the fitted distribution is right; see `resid_quantile`."""
    from scipy.special import ndtri

    u = probability_transform(fitted, rep, random_state)
    return pd.Series(ndtri(np.clip(u, 1e-300, 1 - 2**-53)), u.index, name=fitted.design.response)


def probability_transform(fitted: Fitted, rep: Any = "mean", random_state: Any = None) -> pd.Series:
    """P(Y <= y) at the responses, of counts uniform between P(Y < y) and P(Y <= y): uniform where the fit is right.

    So, too, where one value has a positive probability (the least one).
    """
    numbers = fitted.numbers(rep)
    design = fitted.design
    found = components_at(fitted, design.x, design.offset, numbers, fitted.row_precisions)
    y = numbers_of(fitted)
    if isinstance(fitted.family, Survival):
        return pd.Series(fitted.full(_censored(fitted, numbers, random_state)), design.full_index, name=design.response)
    u = found.below(y)
    if found.step is not None:
        below = found.below(y - found.step)
        u = below + _own_stream(fitted, random_state).uniform(size=u.shape) * (u - below)
    elif (atom := atom_of(fitted.likely)) is not None:
        u = np.where(y == atom, u * _own_stream(fitted, random_state).uniform(size=u.shape), u)
    return pd.Series(fitted.full(u), design.full_index, name=design.response)


def _own_stream(fitted: Fitted, random_state: Any) -> np.random.Generator:
    """A stream of the fit's own, unless another is asked for."""
    seeds = fitted.seeds
    own = np.random.SeedSequence(seeds.entropy, spawn_key=(*seeds.spawn_key, OWN_STREAM))
    return np.random.default_rng(own if random_state is None else seed_sequence(random_state))


def _censored(fitted: Fitted, numbers: list[int], random_state: Any) -> np.ndarray:
    """P(T <= t) of times, of censored ones uniform over what is possible; means over repetitions."""
    family = fitted.distribution
    assert isinstance(family, Survival)
    rng = _own_stream(fitted, random_state)
    par = fitted.parameters(fitted.fitted_raw(numbers))
    state = rng.bit_generator.state
    out = []
    for b, p in zip(numbers, par, strict=True):  # the same uniform numbers for all
        rng.bit_generator.state = state
        dist = hazards.times_of(fitted, (b,), p[0]) if isinstance(family, Cox) else family.frozen(p)
        out.append(family.transform(dist, fitted.responses, rng))
    return np.mean(out, axis=0)
