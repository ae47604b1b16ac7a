"""Long runs against R's: distributions over starts, and start by start where R's own runs are
reproducible."""

from __future__ import annotations

import warnings

import numpy as np
import pytest
import raw
import reference as r
from scipy import stats

import neuralstat as ns

FILES = ("statistical_doppler_h2_2_exclude", "statistical_doppler_h3_4", "statistical_doppler_h10_5_15")
LEVEL = 1e-3
# Starts of the default run (0-based), chosen for few steps, distinct ends and one that does not converge.
FEW = {
    "statistical_doppler_h2_2_exclude": [14, 15, 16, 17, 19, 21],
    "statistical_doppler_h3_4": [5, 6, 7, 9, 13, 19, 23, 28, 33, 39],
    "statistical_doppler_h10_5_15": [14, 24, 28],
}


def run(theme, numbers):
    stored = r.load(theme)["cases"][0]
    case = r.Case(theme, stored)
    arguments = case.arguments()
    starts = [np.array(stored["startweights_per_start"][k]) for k in numbers]
    arguments.update(rep=len(starts), startweights=starts)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", ns.errors.ConvergenceWarning)
        return stored, raw.neuralnet(case.formula, case.data(), **arguments)


def compare_starts(stored, fit, numbers):
    """Equal steps, and errors to 1e-8, where R's runs are reproducible."""
    runs, same = stored["expected"]["runs"], stored["sensitivity"]["reproducible"]
    compared = 0
    for b, k in enumerate(numbers):
        if not same[k]:
            continue
        assert fit.fit.converged[b] == runs["converged"][k], f"start {k + 1}"
        if runs["converged"][k]:
            assert fit.fit.steps[b] == runs["steps"][k], f"start {k + 1}"
            r.assert_close(fit.errors[b], runs["error"][k], 1e-8, f"start {k + 1}")
            compared += 1
    return compared


@pytest.mark.parametrize("theme", FILES)
def test_some_starts(theme):
    stored, fit = run(theme, FEW[theme])
    assert compare_starts(stored, fit, FEW[theme]) == len(FEW[theme])


@pytest.mark.slow
@pytest.mark.parametrize("theme", FILES)
def test_all_starts(theme):
    """Distributions of error and log steps, and how many converge; and each reproducible start."""
    stored, fit = run(theme, range(40))
    runs = stored["expected"]["runs"]
    theirs = np.array(runs["converged"])
    ours = fit.fit.converged
    assert (
        stats.fisher_exact([[ours.sum(), 40 - ours.sum()], [theirs.sum(), 40 - theirs.sum()]]).pvalue > LEVEL
    )
    for mine, known in ((fit.errors[ours], runs["error"]), (np.log(fit.fit.steps[ours]), runs["steps"])):
        values = np.array([v for v in known if v is not None], float)
        values = np.log(values) if known is runs["steps"] else values
        assert stats.ks_2samp(mine, values, method="asymp").pvalue > LEVEL
        assert stats.mannwhitneyu(mine, values).pvalue > LEVEL
    assert compare_starts(stored, fit, list(range(40))) >= 25


@pytest.mark.slow
@pytest.mark.parametrize("theme", FILES[1:2])
def test_random_starts(theme):
    """From our own random starts, the distribution of R's errors and steps."""
    case = r.Case(theme, r.load(theme)["cases"][0])
    arguments = {**case.arguments(), "rep": 40}
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", ns.errors.ConvergenceWarning)
        fit = raw.neuralnet(case.formula, case.data(), **arguments, random_state=20)
    runs, done = case.expected["runs"], fit.fit.converged
    assert stats.ks_2samp(fit.errors[done], [v for v in runs["error"] if v is not None]).pvalue > LEVEL
    assert stats.ks_2samp(fit.fit.steps[done], [v for v in runs["steps"] if v is not None]).pvalue > LEVEL
