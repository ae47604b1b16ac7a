"""Every method of `risk` on every kind of fit and object: a finite estimate with its target, or an error that names why."""

from __future__ import annotations

import re

import numpy as np
import pandas as pd
import pytest
import raw

import neuralstat as ns
from neuralstat.assessment import RISK
from neuralstat.assessment.value import TARGETS
from neuralstat.errors import ArgumentError, DfError
from neuralstat.layers import Conv1D, Flatten

pytestmark = pytest.mark.filterwarnings("ignore::neuralstat.errors.NeuralStatWarning")
N = 36
OPTIONS = {
    "cv": {"k": 3}, "nested_cv": {"k": 3, "repeats": 1}, "gdf": {"draws": 4}, "covariance": {"draws": 4},
    "sure": {"draws": 2}, "coupled": {"draws": 3}, "thinning": {"folds": 3},
    **{method: {"draws": 22} for method in ("bootstrap", "632", "632+")},
}  # fmt: skip
NET = {"hidden": 2, "penalty": ns.decay(0.3), "algorithm": "lm", "threshold": 1e-4, "random_state": 1}


def _data():
    rng = np.random.default_rng(2)
    data = pd.DataFrame({"x": rng.normal(size=N), "z": rng.normal(size=N)})
    eta = np.sin(data["x"]) - 0.4 * data["z"]
    data["y"], data["v"] = eta + 0.5 * rng.normal(size=N), 3 * eta + rng.normal(size=N)
    data["b"], data["k"] = (eta + rng.logistic(size=N) > 0) * 1.0, rng.poisson(np.exp(1 + 0.5 * eta)).astype(float)
    data["p"], data["m"] = rng.binomial(6, 1 / (1 + np.exp(-eta))) / 6, 6.0
    data["c"] = np.array(["a", "b", "c"])[(np.stack([0 * eta, eta, -eta]) + rng.gumbel(size=(3, N))).argmax(axis=0)]
    data["g"], data["w"], data["s"] = rng.gamma(4, np.exp(eta) / 4), rng.uniform(0.5, 2, N), np.repeat(np.arange(12), 3)
    return data


DATA = _data()


class Mean:
    """An object of others."""

    def fit(self, x, y):
        self.mean = y.mean()

    def predict(self, x):
        return np.full(len(x), self.mean)


class Classes:
    """A classifier of others."""

    _estimator_type = "classifier"

    def fit(self, x, y):
        self.classes_, self.counts = np.unique(y, return_counts=True)

    def predict(self, x):
        return np.full(len(x), self.classes_[self.counts.argmax()])

    def predict_proba(self, x):
        return np.tile(self.counts / self.counts.sum(), (len(x), 1))


def _signals():
    rng = np.random.default_rng(1)
    signal = rng.normal(size=(N, 6, 1))
    return {"signal": signal, "y": signal[:, 2, 0] + 0.3 * rng.normal(size=N)}


MAKERS = {
    "gaussian": lambda: raw.neuralnet("y ~ x + z", DATA, **NET, rep=2),
    "standardised": lambda: ns.neuralnet("y ~ x + z", DATA, **NET, rep=2),
    "model": lambda: raw.NeuralNet.from_formula("y ~ x + z", DATA, **NET),
    "least squares": lambda: ns.neuralnet("y ~ x + z", DATA, hidden=0),
    "ridge": lambda: ns.neuralnet("y ~ x + z", DATA, hidden=0, penalty=ns.decay(1.0)),
    "binomial": lambda: raw.neuralnet("b ~ x + z", DATA, **NET, family="binomial"),
    "logistic": lambda: ns.neuralnet("b ~ x + z", DATA, hidden=0, family="binomial"),
    "ce": lambda: raw.neuralnet("b ~ x + z", DATA, **NET, err_fct="ce", linear_output=False),
    "trials": lambda: raw.neuralnet("p ~ x + z", DATA, **NET, family="binomial", weights="m"),
    "poisson": lambda: raw.neuralnet("k ~ x + z", DATA, **NET, family="poisson"),
    "gamma": lambda: raw.neuralnet("g ~ x + z", DATA, **NET, family=ns.families.Gamma("log")),
    "negative binomial": lambda: raw.neuralnet("k ~ x + z", DATA, **NET, family=ns.families.NegativeBinomial(0.3)),
    "multinomial": lambda: raw.neuralnet("c ~ x + z", DATA, **NET, family="multinomial"),
    "two outputs": lambda: raw.neuralnet("y + v ~ x + z", DATA, **{**NET, "penalty": ns.decay(2.0)}),
    "weights": lambda: raw.neuralnet("y ~ x + z", DATA, **NET, weights="w"),
    "frequencies": lambda: raw.neuralnet("y ~ x + z", DATA, **NET, freq_weights=np.resize([1, 2], N)),
    "epochs": lambda: raw.neuralnet("y ~ x + z", DATA, hidden=2, algorithm="adam", epochs=15, random_state=1),
    "layered": lambda: raw.neuralnet("y ~ signal", _signals(), layers=[Conv1D(2, 3, "tanh"), Flatten()],
                                     **{k: v for k, v in NET.items() if k != "hidden"}),
    "object": Mean, "classifier": Classes,
}  # fmt: skip
FAMILIES = ("binomial", "logistic", "ce", "trials", "poisson", "gamma", "negative binomial", "multinomial")
ONE_TRIAL = ("binomial", "logistic", "ce", "multinomial")
NOT_LINEAR = ("gaussian", "standardised", "model", "two outputs", "weights", "frequencies", "epochs", "layered")
OF_OURS = tuple(m for m in RISK if m not in ("cv", "loo", "nested_cv", "holdout", "bootstrap", "632", "632+"))


def _refused():
    """(fit, method) -> what the error says; whatever is not here works."""
    out = {(name, "sure"): "additive noise" for name in FAMILIES}
    out |= {(name, method): "additive noise" for name in FAMILIES for method in ("coupled", "rcp", "rcp+")}
    out |= {(name, "rcp+"): "linear models" for name in NOT_LINEAR}
    out |= {(name, "thinning"): "one trial" for name in ONE_TRIAL}
    out |= {(name, method): "needs a fit or model of neuralstat" for name in ("object", "classifier") for method in OF_OURS}
    # local statistics of a fit that is at no optimum
    out |= {("epochs", "alo"): "not positive definite|leverages of 1", ("epochs", "sure"): "optimum|positive definite"}
    return out


REFUSED = _refused()


@pytest.fixture(scope="module")
def made():
    return {name: maker() for name, maker in MAKERS.items()}


def _call(made, name, method, **more):
    data = {"x": DATA[["x", "z"]], "y": DATA["y" if name == "object" else "c"]} if name in ("object", "classifier") else {}
    return ns.risk(made[name], method, random_state=1, n_jobs=1, **OPTIONS.get(method, {}), **data, **more)


@pytest.mark.parametrize("method", RISK)
@pytest.mark.parametrize("name", MAKERS)
def test_works_or_says_why(made, name, method):
    if said := REFUSED.get((name, method)):
        with pytest.raises((ArgumentError, DfError), match=said) as caught:
            _call(made, name, method)
        assert method in str(caught.value) or isinstance(caught.value, DfError)
        return
    options = {"draws": 4} if method == "rcp" and name not in ("least squares", "ridge") else {}
    found = _call(made, name, method, **options)
    assert np.isfinite(found) and found.target == TARGETS[method] and found.to_frame()["target"].eq(found.target).all()
    assert re.search(r"at (the same|new) x", repr(found))
    if np.isfinite(found.se):
        for way in found.intervals:
            interval = found.conf_int(0.1, way)
            assert interval.method == way and interval[0] < float(found) < interval[1]
    else:
        assert name == "two outputs" and method in ("aic", "aicc")


LOSSES = {
    "gaussian": {"mse", "mae", "deviance"}, "binomial": {"mse", "mae", "deviance", "log", "log_loss", "brier", "Brier",
                                                         "misclassification"},
    "multinomial": {"mse", "mae", "deviance", "log", "log_loss", "brier", "Brier", "misclassification"},
    "poisson": {"mse", "mae", "deviance"}, "two outputs": {"mse", "mae", "deviance"}, "object": {"mse", "mae"},
    "classifier": {"mse", "mae", "log", "log_loss", "brier", "Brier", "misclassification"},
}  # fmt: skip


@pytest.mark.parametrize("method", ["cv", "nested_cv", "holdout", "632+", "alo"])
@pytest.mark.parametrize("name", LOSSES)
def test_every_loss(made, name, method):
    if (name, method) in REFUSED:
        return
    for loss in ("mse", "mae", "deviance", "log", "log_loss", "brier", "Brier", "misclassification"):
        if loss in LOSSES[name]:
            found = _call(made, name, method, loss=loss)
            assert np.isfinite(found) and found.loss == {"log": "log_loss", "Brier": "brier"}.get(loss, loss)
        else:
            with pytest.raises(ArgumentError, match=r"needs a (family|factor)|needs an object with predict_proba"):
                _call(made, name, method, loss=loss)
    size = set()

    def own(y, prediction):
        size.add((y.ndim, y.shape == prediction.shape))
        return np.square(y - prediction).reshape(len(y), -1).mean(axis=1)

    assert _call(made, name, method, loss=own) == pytest.approx(float(_call(made, name, method, loss="mse")), rel=1e-12)
    assert size == {(1 if name in ("gaussian", "binomial", "poisson", "object") else 2, True)}
    assert _call(made, name, method, loss=own).loss == "own"
