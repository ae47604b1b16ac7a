"""Digests of everything that is computed: algorithms, families, kinds of layers, statistics, refits, files, schedules.

``digests.report(sections, **how)`` prints them as JSON: run in processes of their own, with other numbers of threads, they
must be the same.
"""

from __future__ import annotations

import hashlib
import json
import tempfile
import warnings
from collections.abc import Callable, Iterator
from functools import cache
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd

import neuralstat as ns
from neuralstat import layers as L

ROWS = 3000  # sums that linear algebra divides among threads
SMALL = {"threshold": 0.05, "random_state": 1}
Found = Iterator[tuple[str, Any]]


@cache
def table(n: int = ROWS) -> pd.DataFrame:
    """Covariates, and a response of every kind."""
    rng = np.random.default_rng(1)
    x = rng.normal(size=(n, 4))
    eta = np.sin(x[:, 0]) + 0.5 * x[:, 1] * x[:, 2]
    mu = np.exp(0.4 * eta)
    return pd.DataFrame({
        **{f"x{j}": x[:, j] for j in range(4)}, "gaussian": eta + 0.3 * rng.normal(size=n),
        "binomial": rng.random(n) < 1 / (1 + np.exp(-eta)), "poisson": rng.poisson(mu), "negative_binomial": rng.poisson(mu),
        "gamma": rng.gamma(2, mu / 2), "inverse_gaussian": rng.wald(mu, 2.0),
        "multinomial": np.array(list("abc"))[np.clip(np.round(eta + 1), 0, 2).astype(int)],
    }).astype({"binomial": int})  # fmt: skip


def fit(response: str = "gaussian", n: int = ROWS, **settings: Any) -> Any:
    """A network of four covariates."""
    usual = {"hidden": 6, "rep": 3, "stepmax": 60, **SMALL}
    return ns.neuralnet(f"{response} ~ x0 + x1 + x2 + x3", table(n), **{**usual, **settings})


def images(n: int = 300) -> tuple[np.ndarray, np.ndarray]:
    """Images (n, 8, 8, 1), and classes of which they tell something."""
    rng = np.random.default_rng(2)
    x = rng.normal(size=(n, 8, 8, 1))
    return x, (x[:, :4].mean(axis=(1, 2, 3)) > x[:, 4:].mean(axis=(1, 2, 3))).astype(int)


def algorithms(n_jobs: int | None) -> Found:
    """Weights that each algorithm ends at."""
    full = {"rprop+": {}, "rprop-": {}, "sag": {}, "slr": {}, "backprop": {"learningrate": 1e-5}, "lm": {"stepmax": 15},
            "bfgs": {}, "lbfgs": {}, "auto": {"stepmax": 15}}  # fmt: skip
    for name, settings in full.items():
        yield name, fit(algorithm=name, n_jobs=n_jobs, **settings).theta
    yield "default", fit(n_jobs=n_jobs, n=400, stepmax=6000).theta
    yield "polish", fit(n_jobs=n_jobs, n=400, algorithm="rprop+", polish=True).theta
    yield "keep", fit(n_jobs=n_jobs, n=400, rep=6, keep=2, algorithm="lm").theta
    yield "exact", fit(n_jobs=n_jobs, hidden=0).theta
    yield "one by all threads", fit(n_jobs=n_jobs, rep=1, n=ROWS, algorithm="rprop+").theta
    for name in ("sgd", "adam", "rmsprop", "adagrad"):
        yield name, fit(algorithm=name, n_jobs=n_jobs, epochs=2, stepmax=100_000, threshold=None).theta


def families(n_jobs: int | None) -> Found:
    """Weights and errors of each family."""
    for name in ("binomial", "poisson", "negative_binomial", "gamma", "inverse_gaussian", "multinomial"):
        done = fit(name, n=600, family=name, algorithm="lm", stepmax=15, n_jobs=n_jobs)
        yield name, (done.theta, done.errors)
        if name != "multinomial":
            yield f"{name} bse", done.bse


def kinds_of_layers(n_jobs: int | None) -> Found:
    """Weights of chains of layers."""
    x, y = images()
    conv = [L.Conv2D(4, 3, "relu"), L.MaxPool2D(2), L.BatchNorm(), L.Flatten(), L.Dropout(0.2), L.Dense(1)]
    again = [L.Conv2D(3, 3, "tanh"), L.Flatten(), L.Dense(1)]
    steps, more = x[..., 0], {"rep": 2, "random_state": 1, "n_jobs": n_jobs, "family": "binomial"}
    epochs = {"epochs": 2, "algorithm": "adam", **more}
    yield "conv", ns.NeuralNet(y, x, layers=conv, **epochs).fit().theta
    yield "conv rprop", ns.NeuralNet(y, x, layers=again, algorithm="rprop+", stepmax=20, **more).fit().theta
    for layer in (L.LSTM(4), L.GRU(4), L.SimpleRNN(4)):
        yield type(layer).__name__, ns.NeuralNet(y, steps, layers=[layer, L.Dense(1)], **epochs).fit().theta


def statistics(n_jobs: int | None) -> Found:
    """What is said of fits: weights, their errors, tests, criteria, influence, predictions, effects."""
    for response in ("gaussian", "binomial", "multinomial"):
        done = fit(response, algorithm="lm", stepmax=60, penalty=ns.decay(0.01), n_jobs=n_jobs, hidden=8, family=response)
        one = response != "multinomial"
        asked: dict[str, Callable[[Any], Any]] = {
            "params": lambda f: f.params, "bse": lambda f: f.bse, "summary": told,
            **{f"cov {kind}": lambda f, kind=kind: f.cov_params(kind) for kind in ("expected", "hessian", "sandwich")},
            "pvalues": lambda f: f.pvalues, "conf_int": lambda f: f.conf_int(),
            "wald": lambda f: f.wald_test_terms().summary_frame(),
            "spectrum": lambda f: f.hessian_spectrum(),
            "df": lambda f: float(f.df("jacobian")),
            "nic": lambda f: float(f.df("nic")),
            "criteria": lambda f: f.criteria(), "loglike": lambda f: f.llf,
            "deviance": lambda f: (f.deviance, f.null_deviance),
            "predict": lambda f: f.predict(), "prediction": lambda f: f.get_prediction().conf_int(),
            "slopes": lambda f: f.slopes(), "marginal effects": lambda f: f.marginal_effects(),
            "partial dependence": lambda f: f.partial_dependence("x0"), "ale": lambda f: f.ale("x0"),
            "importance": lambda f: f.importance(random_state=1),
            "residuals": lambda f: f.residuals("pearson"),
        }  # fmt: skip
        if one:
            asked["influence"] = lambda f: f.get_influence().summary_frame()
            asked["divergence"] = lambda f: float(f.df("divergence"))
        for name, function in asked.items():
            yield f"{response} {name}", attempt(function, done)


def refits(n_jobs: int | None) -> Found:
    """Resampled risks, degrees of freedom, bootstraps and tests."""
    done = fit(n=200, hidden=3, algorithm="lm", stepmax=20, penalty=ns.decay(0.01), n_jobs=n_jobs)
    smaller = fit(n=200, hidden=0, penalty=ns.decay(0.01), n_jobs=n_jobs)
    one: dict[str, Any] = {"random_state": 1, "n_jobs": n_jobs}
    methods: dict[str, dict[str, Any]] = {
        "cv": {"k": 5, "repeats": 2, **one}, "bootstrap": {"draws": 30, **one}, "632+": {"draws": 30, **one}, "holdout": one,
        "cp": {}, "gcv": {},
    }  # fmt: skip
    for method, options in methods.items():
        risk = ns.risk(done, method, **options)
        yield f"risk {method}", (float(risk), risk.se)
    risk = ns.risk(done, "cv", stack=False, **methods["cv"])
    yield "risk cv, fold by fold", (float(risk), risk.se)
    yield "gdf", attempt(lambda f: float(f.df("gdf", draws=10, **one)), done)
    yield "covariance", attempt(lambda f: float(f.df("covariance", draws=10, **one)), done)
    yield "bootstrap", attempt(lambda f: f.get_prediction(method="bootstrap", draws=10, **one).conf_int(), done)
    yield "jackknife+", attempt(lambda f: f.get_prediction(method="cv+", k=5, **one).conf_int(obs=True), done)
    yield "lr test", attempt(lambda f: f.compare_lr_test(smaller, bootstrap=5, **one).pvalue, done)
    yield "term tests", attempt(lambda f: f.term_tests(draws=19, **one), done)


def files(n_jobs: int | None) -> Found:
    """Fits that were saved and loaded: their statistics, and refits of them."""
    del n_jobs
    with tempfile.TemporaryDirectory() as folder:
        for name, done in {
            "lm": fit(n=200, algorithm="lm", stepmax=20, penalty=ns.decay(0.01)),
            "adam": fit(n=200, algorithm="adam", epochs=3, stepmax=100_000, threshold=None, penalty=ns.decay(0.01)),
            "poisson": fit("poisson", n=200, family="poisson", algorithm="lm", stepmax=20, penalty=ns.decay(0.01)),
        }.items():
            done.save(Path(folder, name))
            for state, one in {"before": done, "after": ns.load(Path(folder, name))}.items():
                yield f"{state}: {name} theta", one.theta
                yield f"{state}: {name} bse", attempt(lambda f: f.bse, one)
                yield f"{state}: {name} predict", one.predict(table(50))
                yield f"{state}: {name} criteria", attempt(lambda f: f.criteria(), one)
                yield f"{state}: {name} risk", attempt(lambda f: float(ns.risk(f, "cv", k=4, random_state=1)), one)
                yield f"{state}: {name} gdf", attempt(lambda f: float(f.df("gdf", draws=5, random_state=1)), one)
                yield f"{state}: {name} bootstrap", attempt(
                    lambda f: f.get_prediction(method="bootstrap", draws=5, random_state=1).conf_int(), one
                )


def study(n_jobs: int | None) -> Found:
    """A study, on as many workers."""
    done = ns.study([ns.study.net(2), ns.study.bs(5)], "sine", 0.3, 40, replicates=4, estimators=["training", "cp", "cv"],
                    restarts=2, random_state=1, n_jobs=n_jobs, chunk=1)  # fmt: skip
    yield "study", done.frame.drop(columns="seconds").sort_values(["model", "replicate", "estimator"])
    x = np.linspace(0, 1, 30)

    def procedure(y: np.ndarray) -> np.ndarray:
        from neuralstat import neuralnet

        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            return neuralnet("y ~ x", {"x": x, "y": y}, hidden=2, random_state=1, stepmax=200, n_jobs=1).predict().to_numpy()

    yield "gdf of a procedure", float(ns.gdf(procedure, np.sin(6 * x), 0.2, draws=6, random_state=1, n_jobs=n_jobs))


SECTIONS: dict[str, Callable[[int | None], Found]] = {
    "algorithms": algorithms, "families": families, "layers": kinds_of_layers, "statistics": statistics, "refits": refits,
    "files": files, "study": study,
}  # fmt: skip


def told(done: Any) -> list[str]:
    """The summary without the call, which names the threads."""
    return str(done.summary()).partition("\nCall: ")[0].splitlines()


def attempt(function: Callable[[Any], Any], done: Any) -> Any:
    """What a function gives, or what it says."""
    try:
        return function(done)
    except ns.errors.NeuralStatError as error:
        return f"{type(error).__name__}: {error}"


def digest(value: Any) -> str:
    """Of numbers, tables, texts, and tuples of them."""
    if isinstance(value, tuple | list):
        return digest("".join(map(digest, value)))
    if isinstance(value, pd.DataFrame | pd.Series):
        frame = value.to_frame() if isinstance(value, pd.Series) else value
        columns = [digest(frame.iloc[:, j].to_numpy()) for j in range(frame.shape[1])]
        return digest("".join(columns) + repr(list(frame.index[:50])))
    array = np.asarray(value)
    body = repr(array.tolist()) if array.dtype.kind in "OUS" else f"{array.dtype}{array.shape}".encode() + array.tobytes()
    return hashlib.sha256(body if isinstance(body, bytes) else body.encode()).hexdigest()[:16]


def report(sections: list[str], n_jobs: int | None = None) -> None:
    """Print the digests of some sections."""
    warnings.simplefilter("ignore")
    found = {f"{section}: {name}": digest(value) for section in sections for name, value in SECTIONS[section](n_jobs)}
    print(json.dumps(found))  # noqa: T201
