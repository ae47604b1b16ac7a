"""Comparison of two fits, one within the other: likelihood ratio, analysis of deviance, parametric bootstrap.

The chi2 (or F) reference takes the difference of effective degrees of freedom. It is an approximation: under the smaller
model the larger one's extra units are not identified, so the likelihood ratio has no chi2 limit (Davies 1977, Biometrika
64:247; Hansen 1996, Econometrica 64:413). ``bootstrap=`` draws responses from the smaller fit and refits both models to
each, which is what to report (Davison & Hinkley 1997, Bootstrap Methods, section 4.4). Both take rows as independent: where
they are in clusters see `term_tests` and `wald_test_terms`.
"""

from __future__ import annotations

import itertools
from dataclasses import dataclass
from html import escape
from typing import Any

import numpy as np
import pandas as pd

from ..checks import check_size
from ..checks.arguments import DRAWS, N_JOBS, NONE, RANDOM_STATE, Choice, Whole, arguments
from ..df import noise
from ..errors import ArgumentError
from ..fitted import Fitted, fitted_of
from ..likelihood import likelihood
from ..likelihood.comparison import gaussians, pillai, ratio, unlikelihood
from ..seeds import children, seed_sequence
from ..training.refits import Refits, repeated, stacks
from .bootstrap import responses


@dataclass(frozen=True)
class Comparison:
    """A likelihood-ratio test; unpacks as statsmodels' ``lr_stat, p_value, df_diff``.

    Attributes
    ----------
    statistic, pvalue, df_diff : float
        Twice the difference of the log-likelihoods; the difference of effective degrees of freedom.
    draws : array
        Statistics of the bootstrap samples; empty for the chi2 reference.

    Examples
    --------
    >>> import neuralstat as ns
    >>> data = ns.datasets.mcycle()
    >>> line = ns.neuralnet("accel ~ times", data, hidden=0)
    >>> cubic = ns.neuralnet("accel ~ poly(times, 3)", data, hidden=0)
    >>> statistic, pvalue, df = cubic.compare_lr_test(line)
    >>> round(statistic, 1), round(df, 1), pvalue < 0.001
    (41.1, 2.0, True)
    """

    statistic: float
    pvalue: float
    df_diff: float
    draws: np.ndarray

    def __iter__(self) -> Any:
        return iter((self.statistic, self.pvalue, self.df_diff))

    def __repr__(self) -> str:
        how = f"parametric bootstrap, {self.draws.size} draws" if self.draws.size else f"chi2 on {self.df_diff:.4g} df"
        return f"<LR = {self.statistic:.4g}, p = {self.pvalue:.4g} ({how})>"


def _check_pair(small: Fitted, large: Fitted) -> None:
    """The same response, rows, weights and family."""
    a, b = small.design, large.design
    if a.y_names == b.y_names and repr(small.likely) != repr(large.likely):
        raise ArgumentError(f"the fits are of different families: {small.likely!r} and {large.likely!r}.")
    same = a.y_names == b.y_names and small.responses.shape == large.responses.shape
    if not same or not np.allclose(small.responses, large.responses) or not a.index.equals(b.index):
        raise ArgumentError("the fits are of different responses or rows: fit both to the same data without missing values.")
    if not (np.allclose(small.case_weights, large.case_weights) and np.allclose(small.frequencies, large.frequencies)):
        raise ArgumentError("the fits have different case weights.")


def best_deviances(
    fitted: Fitted, y: np.ndarray, starts: int, seeds: np.random.SeedSequence, n_jobs: int | None, phi: Any = None
) -> np.ndarray:
    """`unlikelihood` (T,) of the best of the fitted weights' and `starts` fresh starts, for responses (T, K, n).

    Strengths of a penalty that were estimated are held at those of the best repetition.
    The deviance where there is one response; `phi`: the dispersions where there are several.
    """
    again = Refits(fitted.procedure, fitted.fit, n_jobs)
    shift, scale = again.units(y)
    scaling = fitted.design.scaling
    unit = np.ones((y.shape[1], 1)) if scaling is None else scaling.y_sd[:, np.newaxis]
    zero = np.zeros((y.shape[1], 1)) if scaling is None else scaling.y_mean[:, np.newaxis]
    warm = [fitted.best]
    each = 1 + starts
    out = np.empty(y.shape[0])
    for part in stacks(len(y), fitted.network, each, each * y[0].size):
        start = []
        for t in range(part.start, part.stop):
            start.append(again.starts(warm, 1, "warm", None, t))
            if starts:
                start.append(again.starts(warm, starts, "fresh", seeds, t))
        inner = (y[part] - shift[part]) / scale[part]
        units = repeated(shift, scale, part, each)
        fit = again.to_responses(np.repeat(inner, each, axis=0), np.concatenate(start), units=units, held=warm)
        mu = noise.means(fitted, fit.theta.astype(float)).reshape(-1, each, *y.shape[1:])
        loss = fit.loss.reshape(-1, each)
        for k, t in enumerate(range(part.start, part.stop)):
            chosen = int(np.argmin(np.where(np.isfinite(loss[k]), loss[k], np.inf)))
            mean = (mu[k, chosen] * scale[t] + shift[t]) * unit + zero
            out[t] = unlikelihood(fitted, y[t] * unit + zero, mean, phi)
    return out


@arguments(starts=NONE | Whole(0, DRAWS), bootstrap=Whole(0, DRAWS), random_state=RANDOM_STATE, n_jobs=N_JOBS)
def compare_lr_test(
    large: Fitted, small: Any, *, starts: int | None = None, bootstrap: int = 0, random_state: Any = None,
    n_jobs: int | None = None,
) -> Comparison:  # fmt: skip
    """Likelihood-ratio test of a smaller fit within this one.

    Parameters
    ----------
    large : Fitted
    small : Fitted or NeuralNetResults
        The restricted fit: fewer units, or terms, on the same rows.
    starts : int, optional
        Both models are trained from so many more random starts (beside the best optimum at hand) before they are
        compared, and to every bootstrap sample: a statistic of poor optima means nothing. Default: the fits are compared as
        they are, and both are trained to every bootstrap sample from as many starts as they themselves had (none where
        there is one optimum), without which the test rejects too often.
    bootstrap : int
        Draws from the smaller fit for the null distribution; 0 refers to chi2 on the difference of the degrees of freedom.
    random_state : int, SeedSequence, Generator, optional
    n_jobs : int, optional

    Returns
    -------
    Comparison
        ``lr_stat, p_value, df_diff = fit.compare_lr_test(other)`` works, as in statsmodels. With bootstrap the p value is
        (1 + number of draws at least as large) / (draws + 1).

    Raises
    ------
    ArgumentError
        Where the fits do not belong together, or the second is not the smaller one.
    """
    from scipy import stats

    small = fitted_of(small)
    check_size(bootstrap * 3 * 8 * large.design.y.size, f"bootstrap={bootstrap} responses")
    _check_pair(small, large)
    df_diff = likelihood.df_model(large) - likelihood.df_model(small)
    if df_diff <= 0 and not bootstrap:
        count = f"{-df_diff:.4g} degrees of freedom more than" if df_diff < 0 else "as many degrees of freedom as"
        raise ArgumentError(f"the other fit has {count} this one: call the larger fit's method with the smaller.")
    seeds = children(seed_sequence(random_state), 5)
    scale = likelihood.scale(large, large.best)
    deviance = [_own_deviance(fit, scale) for fit in (small, large)]
    if starts:
        for k, fit in enumerate((small, large)):
            found = best_deviances(fit, fit.design.y[np.newaxis], starts, seeds[k], n_jobs, scale)
            deviance[k] = min(deviance[k], float(found[0]))
    observed = float(ratio(large, deviance[0], deviance[1], scale))
    if not bootstrap:
        return Comparison(observed, float(stats.chi2.sf(observed, df_diff)), df_diff, np.empty(0))
    y = responses(small, "parametric", bootstrap, seeds[2], "best")
    there = _into(small, large, y)
    null = best_deviances(small, y, _restarts(small, starts), seeds[3], n_jobs, scale)
    full = best_deviances(large, there, _restarts(large, starts), seeds[4], n_jobs, scale)
    draws = ratio(large, null, full, scale)
    p = (1 + int(np.sum(draws >= observed))) / (bootstrap + 1)
    return Comparison(observed, p, df_diff, draws)


def _restarts(fitted: Fitted, starts: int | None) -> int:
    """Random starts of the refits to a draw."""
    if starts is not None:
        return starts
    return 0 if fitted.settings.exact else fitted.settings.repetitions


def _own_deviance(fitted: Fitted, scale: Any) -> float:
    """`unlikelihood` of the best repetition."""
    if not likelihood.several(fitted):
        return likelihood.deviance(fitted, fitted.best)
    return unlikelihood(fitted, fitted.responses, fitted.means(fitted.best), scale)


def _into(small: Fitted, large: Fitted, y: np.ndarray) -> np.ndarray:
    """Responses from one fit's internal units into another's."""
    if small.design.scaling is not None:
        y = y * small.design.scaling.y_sd[:, np.newaxis] + small.design.scaling.y_mean[:, np.newaxis]
    if large.design.scaling is not None:
        y = (y - large.design.scaling.y_mean[:, np.newaxis]) / large.design.scaling.y_sd[:, np.newaxis]
    return y


TESTS = ("F", "Chisq", "bootstrap")
COLUMNS = 1000  # of arrays with more, only names are compared


@arguments(test=NONE | Choice(*TESTS))
def anova(*fits: Any, test: str | None = None, **options: Any) -> pd.DataFrame:
    """Analysis of deviance of nested fits, as R's ``anova(fit1, fit2)``.

    Parameters
    ----------
    *fits : NeuralNetResults
        Two or more, on the same rows, in any order: rows of the table go from the smallest to the largest.
    test : {"F", "Chisq", "bootstrap"}, optional
        Default "F" for families with a dispersion, "Chisq" otherwise. F and Chisq divide by the largest fit's dispersion.
    **options
        Of "bootstrap": ``bootstrap`` (draws, 199), ``starts``, ``random_state``, ``n_jobs``; see `compare_lr_test`.

    Returns
    -------
    DataFrame
        A row per fit, labelled by its formula and units; as text they are numbered. A row is tested against the one above it;
        where that one is not nested in it, ``Df`` and what follows are NaN. R's columns ``Resid. Df`` (n minus effective
        degrees of freedom), ``Resid. Dev``, ``Df``, ``Deviance``, and ``F`` and ``Pr(>F)``, ``Pr(>Chi)``, or ``LR`` and
        ``Pr(boot)``. Of several responses with a dispersion each, what does not depend on their units: ``Resid. Df``, ``Df``,
        and of gaussian ones ``Pillai``, ``F``, ``num Df``, ``den Df`` and ``Pr(>F)`` as R's ``anova`` of an ``mlm``, else
        ``LR`` and its p value.

    Raises
    ------
    ArgumentError
        For fewer than two fits, fits that do not belong together, and unknown tests.

    Examples
    --------
    >>> import neuralstat as ns
    >>> data = ns.datasets.mcycle()
    >>> line = ns.neuralnet("accel ~ times", data, hidden=0)
    >>> cubic = ns.neuralnet("accel ~ poly(times, 3)", data, hidden=0)
    >>> ns.anova(line, cubic)[["Resid. Df", "Df", "F"]].round(2)
                                 Resid. Df   Df      F
    accel ~ times, 1-1               131.0  NaN    NaN
    accel ~ poly(times, 3), 3-1      129.0  2.0  23.35
    """
    from scipy import stats

    if len(fits) < 2 or not all(isinstance(getattr(f, "fitted", f), Fitted) for f in fits):
        raise ArgumentError("anova compares two or more fits: anova(small, large).")
    members = sorted((fitted_of(f) for f in fits), key=likelihood.df_model)
    pairs, last = list(itertools.pairwise(members)), members[-1]
    test = ("F" if last.likely.dispersed else "Chisq") if test is None else test
    if options and test != "bootstrap":
        raise ArgumentError(f"test={test!r} has no option {next(iter(options))!r}.")
    for small, large in pairs:
        _check_pair(small, large)
    rest = np.array([likelihood.df_resid(f) for f in members])
    if likelihood.several(last):
        return _nested_only(_several(members, rest, test, options), pairs)
    deviance = np.array([likelihood.deviance(f, f.best) for f in members])
    table = pd.DataFrame({"Resid. Df": rest, "Resid. Dev": deviance}, _labels(members))
    df, gain = np.append(np.nan, -np.diff(rest)), np.append(np.nan, -np.diff(deviance))
    table["Df"], table["Deviance"] = df, gain
    scale = likelihood.scale(last, last.best)
    if test == "F":
        with np.errstate(divide="ignore", invalid="ignore"):
            table["F"] = gain / df / scale
        table["Pr(>F)"] = stats.f.sf(table["F"], df, rest[-1])
    elif test == "Chisq":
        table["Pr(>Chi)"] = stats.chi2.sf(gain / scale, df)
    else:
        options.setdefault("bootstrap", 199)
        found = [compare_lr_test(large, small, **options) for small, large in pairs]
        table["LR"] = [np.nan, *(c.statistic for c in found)]
        table["Pr(boot)"] = [np.nan, *(c.pvalue for c in found)]
    return _nested_only(table, pairs)


def nested(small: Fitted, large: Fitted) -> bool:
    """Whether one fit is within another: its columns are combinations of the other's, and it has no more units in any layer.

    A fit without hidden units counts as within networks of its columns, which come as close to it as one likes. Fits of one
    size are not nested, nor are networks of different numbers of layers.
    """
    if not likelihood.df_model(small) < likelihood.df_model(large) or not _spanned(small.design, large.design):
        return False
    units = [[n for _, n in fitted.network.shapes[:-1]] for fitted in (small, large)]
    return not units[0] or (len(units[0]) == len(units[1]) and all(a <= b for a, b in zip(*units, strict=True)))


def _spanned(small: Any, large: Any) -> bool:
    """Whether a design's columns are combinations of another's and the constant."""
    if set(small.x_names) <= set(large.x_names):
        return True
    if len(large.x) > COLUMNS:
        return False
    basis = np.vstack([np.ones(large.x.shape[1]), large.x]).T
    scale = np.linalg.norm(basis, axis=0)
    orthonormal, size, _ = np.linalg.svd(basis / np.where(scale > 0, scale, 1.0), full_matrices=False)
    orthonormal = orthonormal[:, size > 1e-10 * size[0]]
    rest = small.x.T - orthonormal @ (orthonormal.T @ small.x.T)
    return bool(np.all(np.linalg.norm(rest, axis=0) <= 1e-6 * np.linalg.norm(small.x.T, axis=0)))


class AnovaTable(pd.DataFrame):
    """A table of nested fits that is shown as R shows it: the models, and under them rows by number.

    Examples
    --------
    >>> import neuralstat as ns
    >>> data = ns.datasets.mcycle()
    >>> fits = [ns.neuralnet(f"accel ~ poly(times, {k})", data, hidden=0) for k in (1, 3)]
    >>> table = ns.anova(*fits)
    >>> bool(table["Pr(>F)"].iloc[1] < 0.001)  # it is a DataFrame, a row per fit
    True
    """

    @property
    def _constructor(self) -> type[pd.DataFrame]:
        return pd.DataFrame

    @property
    def _numbered(self) -> pd.DataFrame:
        return pd.DataFrame(self.to_numpy(), range(1, len(self) + 1), self.columns)

    def __repr__(self) -> str:
        models = [f"Model {k}: {label}" for k, label in enumerate(self.index, 1)]
        return "\n".join([*models, self._numbered.to_string(na_rep="", float_format=lambda v: f"{v:.5g}")])

    def _repr_html_(self) -> str:
        models = "<br>".join(escape(f"Model {k}: {label}") for k, label in enumerate(self.index, 1))
        return f"<p>{models}</p>{self._numbered.to_html(na_rep='', float_format=lambda v: f'{v:.5g}')}"


def _nested_only(table: pd.DataFrame, pairs: list[tuple[Fitted, Fitted]]) -> AnovaTable:
    """The table without tests of fits that are not nested."""
    for k, (small, large) in enumerate(pairs, 1):
        if not nested(small, large):
            table.iloc[k, table.columns.get_loc("Df") :] = np.nan
    return AnovaTable(table)


def _several(members: list[Fitted], rest: np.ndarray, test: str, options: dict[str, Any]) -> pd.DataFrame:
    """`anova` of several responses that have a dispersion each: nothing in it depends on their units of measurement."""
    from scipy import stats

    pairs, last = list(itertools.pairwise(members)), members[-1]
    table = pd.DataFrame({"Resid. Df": rest, "Df": np.append(np.nan, -np.diff(rest))}, _labels(members))
    if test == "F" and gaussians(last):
        found = [pillai(small, large, last) for small, large in pairs]
        table["Pillai"] = [np.nan, *(f.pillai for f in found)]
        table["F"] = [np.nan, *(f.statistic for f in found)]
        for k, name in enumerate(("num Df", "den Df")):
            table[name] = [np.nan, *(f.df[k] for f in found)]
        table["Pr(>F)"] = [np.nan, *(f.pvalue for f in found)]
        return table
    if test == "bootstrap":
        options.setdefault("bootstrap", 199)
        drawn = [compare_lr_test(large, small, **options) for small, large in pairs]
        table["LR"] = [np.nan, *(c.statistic for c in drawn)]
        table["Pr(boot)"] = [np.nan, *(c.pvalue for c in drawn)]
        return table
    scale = likelihood.scale(last, last.best)
    values = [_own_deviance(f, scale) for f in members]
    table["LR"] = [np.nan, *(ratio(last, a, b, scale) for a, b in itertools.pairwise(values))]
    outputs = last.network.n_outputs
    df = table["Df"] * outputs
    if test == "F":
        table["Pr(>F)"] = stats.f.sf(table["LR"] / df, df, rest[-1] * outputs)
    else:
        table["Pr(>Chi)"] = stats.chi2.sf(table["LR"], df)
    return table


def _labels(fits: list[Fitted]) -> list[str]:
    labels = [f"{f.formula or 'arrays'}, {f.network.topology}" for f in fits]
    return labels if len(set(labels)) == len(labels) else [f"{k + 1}: {name}" for k, name in enumerate(labels)]
