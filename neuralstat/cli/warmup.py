"""Compile kernels ahead, so that the first fits of later processes start at once."""

from __future__ import annotations

import time
import warnings
from collections.abc import Callable, Iterator
from typing import TYPE_CHECKING, Any

import numpy as np
import pandas as pd

from ..errors import NeuralStatWarning
from ..training.interrupts import passed_on

if TYPE_CHECKING:
    from ..results import NeuralNetResults


def _data() -> pd.DataFrame:
    """Twelve rows on which every kind of model can be fitted."""
    x = np.linspace(-1, 1, 12)
    return pd.DataFrame({"x": x, "y": np.sin(x), "b": (np.arange(12) % 3 > 0) * 1, "c": list("abcabcabcabc")})


def _fit(formula: str, **settings: Any) -> NeuralNetResults:
    from ..api import neuralnet

    with passed_on():
        return neuralnet(formula, _data(), hidden=2, stepmax=3, random_state=1, n_jobs=1, **settings)


def _inference(fit: NeuralNetResults) -> None:
    """Everything that a fit computes lazily with kernels of its own."""
    fit.confidence_interval()
    _ = fit.generalized_weights, fit.compute(_data()), fit.df("jacobian")


def tasks(everything: bool) -> Iterator[tuple[str, Callable[[], object]]]:
    """What is compiled: name and call, the commonest first.

    Parameters
    ----------
    everything : bool
        False: rprop and its kin, Levenberg-Marquardt, for squared error and cross entropy in float64, prediction and
        inference. True: also the other optimizers, classes and families, and float32.
    """
    yield "rprop and prediction", lambda: _fit("y ~ x").predict()
    yield "inference", lambda: _inference(_fit("y ~ x"))
    yield "lm", lambda: _fit("y ~ x", algorithm="lm")
    if everything:
        yield "bfgs", lambda: _fit("y ~ x", algorithm="bfgs")
        yield "lbfgs", lambda: _fit("y ~ x", algorithm="lbfgs")
        yield "multinomial", lambda: _inference(_fit("c ~ x", family="multinomial"))
        yield "families", lambda: _inference(_fit("b ~ x", family="poisson"))
        yield "float32", lambda: _fit("y ~ x", dtype="float32").predict()


def warmup(everything: bool = False, report: Callable[[str, float], None] | None = None) -> float:
    """Compile kernels into the cache on disk.

    Parameters
    ----------
    everything : bool
        See `tasks`.
    report : callable, optional
        Called with the name and the seconds of each task.

    Returns
    -------
    float
        Seconds. Where no folder is writable for the cache, what was compiled serves this process only.
    """
    began = time.perf_counter()
    for name, run in tasks(everything):
        start = time.perf_counter()
        with warnings.catch_warnings():
            warnings.simplefilter("ignore", NeuralStatWarning)  # three steps do not converge
            run()
        if report is not None:
            report(name, time.perf_counter() - start)
    return time.perf_counter() - began
