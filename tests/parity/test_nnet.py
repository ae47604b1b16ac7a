"""R's nnet at its optima: objective, gradient, fitted values, Hessian of penalised networks.

nnet minimises sum of squares + decay sum w^2; ours is half of that with ``decay(lam=decay)``. Entropy and
softmax are not halved, so there lam is twice nnet's decay.
"""

from __future__ import annotations

import numpy as np
import pytest
import raw
import reference as r

import neuralstat as ns
from neuralstat.df.information import information

CASES = [r.Case("nnet", raw) for raw in r.load("nnet")["cases"]]
IDS = [c.name + ("-skip_layer_not_expressible" if c.raw["args"].get("skip") else "") for c in CASES]


def fit_at(case, weights, **changes):
    """The fit at given weights (no step is taken unless asked for), and nnet's objective over ours."""
    args = case.raw["args"]
    likelihood = bool(args.get("entropy") or args.get("softmax"))
    factor = 1 if likelihood else 2
    lam = args.get("decay", 0) * 2 / factor
    responses = [name.partition("==")[0] for name in case.raw["responses"]]
    settings = {"hidden": args["size"], "startweights": weights, "stepmax": 1, "threshold": 1e-3}
    settings["penalty"] = ns.decay(lam) if lam else None
    if args.get("softmax"):
        settings["family"] = "multinomial"
    elif args.get("entropy"):
        settings["family"] = "binomial"
    else:
        settings["linear_output"] = bool(args["linout"])
    formula = f"{' + '.join(dict.fromkeys(responses))} ~ {' + '.join(case.raw['covariates'])}"
    return raw.neuralnet(formula, case.data(), **{**settings, **changes}), factor


@pytest.mark.parametrize("case", CASES, ids=IDS)
def test_optimum(case):
    if case.raw["args"].get("skip"):
        assert (
            case.raw["n"][0] + 2 < len(case.expected["wts"]) - case.raw["n"][1]
        )  # more weights than layers have
        return
    expected, tolerance = case.expected, case.tolerance
    fit, factor = fit_at(case, expected["wts"])
    assert fit.converged
    assert np.abs(fit.gradients).max() < 1e-4
    r.assert_close(factor * fit.errors[0], expected["value"], tolerance["value"], "objective")
    r.assert_close(fit.net_result[0], r.array(expected["fitted"]), tolerance["fitted"], "fitted values")
    hessian, _ = information(fit.fitted, 0)
    r.assert_close(factor * fit.nobs * hessian, r.array(expected["hessian"]), tolerance["hessian"], "Hessian")


@pytest.mark.parametrize("case", [c for c in CASES if not c.raw["args"].get("skip")], ids=lambda c: c.name)
def test_training_finds_the_optimum_from_nearby(case):
    start = np.array(case.expected["wts"]) * (1 + 1e-3 * np.cos(np.arange(len(case.expected["wts"]))))
    fit, factor = fit_at(case, start, stepmax=100_000, threshold=1e-4, algorithm="rprop-")
    assert fit.converged and fit.fit.steps[0] > 1
    r.assert_close(factor * fit.errors[0], case.expected["value"], 1e-6, "objective")
